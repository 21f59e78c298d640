//! Exchanges that let no key through twice: against a naive model, with others at the same time, and through
//! deaths of the node.

mod deaths;

use crate::broker::{client, durable_exchange, durable_queue, id_of, vhost, with_headers};
use crate::sim::sim_disk::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use warren_broker::catalog::{Binding, Endpoint, Vhost};
use warren_broker::message::{Message, Parts};
use warren_broker::name::{ExchangeName, QueueName};
use warren_broker::route::NoHeaders;
use warren_broker::value::{Table, Value};
use warren_node::{Batch, Client, Config, Got, Keys, Node, Position, RouteCache, Touched, Worked};
use warren_store::{Log, MemoryLog};

/// The properties of a message are its key and how long that is remembered, in milliseconds; 0: it has none.
fn headers(message: &Message) -> Option<Table> {
    let number = |at: usize| {
        let number = message.properties().get(at..)?.first_chunk()?;
        Some(i64::from_le_bytes(*number)).filter(|number| *number != 0)
    };
    let mut headers = Table::new();
    headers.insert("x-deduplication-header", Value::I64(number(0)?));
    if let Some(ttl_ms) = number(8) {
        headers.insert("x-cache-ttl", Value::I64(ttl_ms));
    }
    Some(headers)
}

fn config() -> Config {
    with_headers(headers)
}

fn node() -> Arc<Node> {
    let node = Node::new(config(), Arc::new(MemoryLog::default()));
    node.put_vhost(Vhost::named(vhost()));
    node
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.into_iter().collect()
}

fn size(keys: i64) -> Table {
    table([("x-cache-size", Value::I64(keys))])
}

/// A persistent message with a number, a key and a time for which that is remembered.
fn keyed(number: u32, key: i64, ttl_ms: i64) -> Message {
    any_keyed(number, key, ttl_ms, true)
}

fn any_keyed(number: u32, key: i64, ttl_ms: i64, persistent: bool) -> Message {
    let properties = [key.to_le_bytes(), ttl_ms.to_le_bytes()].concat();
    let mut body = vec![0];
    body.extend_from_slice(&number.to_be_bytes());
    Message::of(&Parts {
        exchange: "g",
        key: "k",
        properties: &properties,
        body: &body,
        persistent,
        published_ms: 1_000_000,
        ..Parts::default()
    })
    .unwrap()
}

fn queue_name(name: &str) -> QueueName {
    QueueName::new(name).unwrap()
}

fn exchange_name(name: &str) -> ExchangeName {
    ExchangeName::new(name).unwrap()
}

/// Whoever declares, publishes and takes.
struct Actor {
    client: Client,
    cache: RouteCache,
    batch: Batch,
    touched: Touched,
}

impl Actor {
    fn new(node: &Arc<Node>) -> Self {
        Self {
            client: client(node, "u"),
            cache: RouteCache::default(),
            batch: Batch::default(),
            touched: Touched::default(),
        }
    }

    fn declare_exchange(&mut self, name: &str, kind: &str, arguments: Table) {
        let asked = durable_exchange(name, kind, arguments);
        self.client.declare_exchange(&asked, &mut self.touched).unwrap();
    }

    fn gate(&mut self, name: &str, keys: i64) {
        self.declare_exchange(name, "x-message-deduplication", size(keys));
    }

    fn declare_queue(&mut self, name: &str, arguments: Table) {
        let asked = durable_queue(name, arguments);
        self.client.declare_queue(&asked, &mut self.touched).unwrap();
    }

    fn bind(&mut self, source: &str, destination: Endpoint) {
        let binding = Binding {
            source: exchange_name(source),
            destination,
            key: "".into(),
            arguments: Table::new(),
        };
        self.client.bind(binding, &mut self.touched).unwrap();
    }

    fn bind_queue(&mut self, source: &str, queue: &str) {
        self.bind(source, Endpoint::Queue(queue_name(queue)));
    }

    fn bind_exchange(&mut self, source: &str, destination: &str) {
        self.bind(source, Endpoint::Exchange(exchange_name(destination)));
    }

    /// Gathers a message.
    fn gather(&mut self, exchange: &str, message: Message, token: u64) {
        let keys = Keys {
            first: "k",
            more: &[],
        };
        let route = self.client.route(&mut self.cache, exchange, keys, &NoHeaders);
        self.client
            .publish(&mut self.batch, &route.unwrap(), message, token);
    }

    fn flush(&mut self) -> Worked {
        let worked = self.client.flush(&mut self.batch, &mut self.touched);
        self.touched.wake_all();
        worked
    }

    fn flush_together(&mut self) -> Worked {
        self.try_together().expect("nothing is in the way")
    }

    fn try_together(&mut self) -> Option<Worked> {
        let worked = self.client.flush_together(&mut self.batch, &mut self.touched);
        self.touched.wake_all();
        worked
    }

    fn publish(&mut self, exchange: &str, message: Message) -> Worked {
        self.gather(exchange, message, 0);
        self.flush()
    }

    /// Takes a message out for good, once it is read.
    fn take(&mut self, node: &Node, queue: &str) -> Option<u32> {
        loop {
            match self.client.take(&queue_name(queue), true).unwrap().1 {
                Got::Message(taken) => return Some(id_of(&taken.delivery.message).1),
                Got::Empty => return None,
                Got::Later => assert!(node.read_back()),
            }
        }
    }

    fn drain(&mut self, node: &Node, queue: &str) -> Vec<u32> {
        std::iter::from_fn(|| self.take(node, queue)).collect()
    }
}

#[test]
fn a_key_passes_once_for_its_time_and_while_there_is_room() {
    let node = node();
    node.tick(1_000);
    let mut actor = Actor::new(&node);
    let arguments = table([("x-cache-size", Value::I64(2)), ("x-cache-ttl", Value::I64(100))]);
    actor.declare_exchange("g", "x-message-deduplication", arguments);
    for queue in ["a", "b"] {
        actor.declare_queue(queue, Table::new());
        actor.bind_queue("g", queue);
    }
    for (now_ms, number, key, ttl_ms) in [
        (1_000, 1, 7, 0),
        (1_050, 2, 7, 0),
        // Without a key.
        (1_050, 3, 0, 0),
        (1_050, 4, 0, 0),
        // Its time is over.
        (1_100, 5, 7, 0),
        (1_150, 6, 8, 1_000),
        (1_250, 7, 8, 0),
        (1_250, 8, 7, 0),
        // The oldest makes room.
        (1_251, 9, 9, 0),
        (1_251, 10, 8, 0),
        (1_251, 11, 9, 0),
    ] {
        node.tick(now_ms);
        actor.publish("g", keyed(number, key, ttl_ms));
    }
    let expected = [1, 3, 4, 5, 6, 8, 9, 10];
    assert_eq!(actor.drain(&node, "a"), expected);
    assert_eq!(actor.drain(&node, "b"), expected);
}

#[test]
fn who_sends_again_waits_for_what_came_then() {
    let log = Arc::new(MemoryLog::default());
    let node = Node::new(config(), Arc::clone(&log) as Arc<dyn Log>);
    node.put_vhost(Vhost::named(vhost()));
    let mut actor = Actor::new(&node);
    actor.gate("g", 10);
    actor.declare_queue("a", Table::new());
    actor.bind_queue("g", "a");
    for together in [false, true] {
        let mut publish = |number, key| {
            actor.gather("g", keyed(number, key, 0), 0);
            match together {
                true => actor.flush_together(),
                false => actor.flush(),
            }
        };
        let key = 1 + i64::from(together);
        let first = publish(1, key);
        publish(2, 100);
        let again = publish(3, key);
        assert!(
            first.queued > Position(0) && again.queued >= first.queued,
            "{again:?}"
        );
    }
}

#[test]
fn it_remembers_nothing_of_the_exchange_that_had_its_name_before() {
    let node = node();
    let mut actor = Actor::new(&node);
    actor.declare_queue("a", Table::new());
    for number in 0..3 {
        actor.gate("g", 10);
        actor.bind_queue("g", "a");
        actor.publish("g", keyed(number, 1, 0));
        actor.publish("g", keyed(100, 1, 0));
        // A message on its way when the exchange goes.
        actor.gather("g", keyed(number + 10, 1, 0), 0);
        let name = exchange_name("g");
        let mut touched = Touched::default();
        actor.client.delete_exchange(&name, false, &mut touched).unwrap();
        actor.flush();
    }
    assert_eq!(actor.drain(&node, "a"), [0, 10, 1, 11, 2, 12]);
    let vhost = actor.client.vhost();
    assert!(vhost.queue("g").is_none());
}

#[test]
fn what_a_queue_refuses_may_come_again() {
    let node = node();
    let mut actor = Actor::new(&node);
    actor.gate("g", 10);
    let full = table([
        ("x-max-length", Value::I64(1)),
        ("x-overflow", Value::from("reject-publish")),
    ]);
    actor.declare_queue("small", full);
    actor.declare_queue("other", Table::new());
    actor.bind_queue("g", "small");
    for together in [false, true] {
        let key = 10 * (1 + i64::from(together));
        // The second is refused, and so is the third, which is a copy of it.
        for (token, key) in [(1, key), (2, key + 1), (3, key + 1), (4, key)] {
            actor.gather("g", keyed(token, key, 0), u64::from(token));
        }
        if together {
            // Then nothing is done, and nothing is known.
            assert_eq!(actor.try_together(), None);
            assert_eq!(actor.drain(&node, "small"), []);
        } else {
            let worked = actor.flush();
            assert_eq!((actor.batch.take_refused(), worked.refused), (vec![2, 3], 2));
            assert_eq!(actor.drain(&node, "small"), [1]);
        }
        actor.publish("g", keyed(5, key + 1, 0));
        actor.publish("g", keyed(6, key, 0));
        assert_eq!(actor.drain(&node, "small"), [5]);
    }
    // What some take is not known either.
    actor.bind_queue("g", "other");
    actor.publish("g", keyed(1, 50, 0));
    actor.publish("g", keyed(2, 51, 0));
    assert_eq!(actor.drain(&node, "small"), [1]);
    actor.publish("g", keyed(3, 51, 0));
    actor.publish("g", keyed(4, 51, 0));
    assert_eq!(actor.drain(&node, "small"), [3]);
    assert_eq!(actor.drain(&node, "other"), [1, 2, 3]);
}

#[test]
fn what_no_queue_takes_is_not_remembered() {
    let node = node();
    let mut actor = Actor::new(&node);
    actor.gate("g", 10);
    actor.declare_queue("a", Table::new());
    actor.publish("g", keyed(1, 1, 0));
    actor.bind_queue("g", "a");
    actor.publish("g", keyed(2, 1, 0));
    actor.publish("g", keyed(3, 1, 0));
    assert_eq!(actor.drain(&node, "a"), [2]);
}

#[test]
fn an_alternate_gets_what_is_bound_nowhere_and_that_once() {
    let node = node();
    let mut actor = Actor::new(&node);
    let arguments = table([
        ("x-cache-size", Value::I64(10)),
        ("alternate-exchange", Value::from("other")),
    ]);
    actor.declare_exchange("g", "x-message-deduplication", arguments);
    actor.declare_exchange("other", "fanout", Table::new());
    for queue in ["a", "b"] {
        actor.declare_queue(queue, Table::new());
    }
    actor.bind_queue("other", "b");
    for number in 1..6 {
        if number == 3 {
            actor.bind_queue("g", "a");
        }
        actor.publish("g", keyed(number, i64::from(number % 2), 0));
    }
    assert_eq!(actor.drain(&node, "b"), [1, 2]);
    assert_eq!(actor.drain(&node, "a"), [4]);
}

#[test]
fn dead_letters_pass_once_and_none_is_lost_that_is_not_to_be() {
    let node = node();
    node.tick(1_000_000);
    let mut actor = Actor::new(&node);
    actor.gate("g", 10);
    let small = [
        ("x-max-length", Value::I64(1)),
        ("x-overflow", Value::from("reject-publish")),
    ];
    actor.declare_queue("small", table(small));
    actor.bind_queue("g", "small");
    let source = table([
        ("x-queue-type", Value::from("quorum")),
        ("x-message-ttl", Value::I64(10)),
        ("x-dead-letter-exchange", Value::from("g")),
        ("x-overflow", Value::from("reject-publish")),
        ("x-dead-letter-strategy", Value::from("at-least-once")),
    ]);
    actor.declare_queue("source", source);
    actor.declare_exchange("in", "fanout", Table::new());
    actor.bind_queue("in", "source");
    for (number, key) in [(1, 1), (2, 2), (3, 1), (4, 0), (5, 2)] {
        actor.publish("in", keyed(number, key, 0));
    }
    let mut came = Vec::new();
    for tick in 1..10 {
        node.tick(1_000_000 + tick * 2_000);
        came.extend(actor.drain(&node, "small"));
    }
    came.sort_unstable();
    assert_eq!(came, [1, 2, 4]);
    assert_eq!(actor.client.vhost().queue("source").unwrap().totals().leaving, 0);
}

#[test]
fn a_history_behind_it_has_each_key_once() {
    let node = node();
    let mut actor = Actor::new(&node);
    actor.gate("g", 10);
    actor.declare_exchange("h", "x-recent-history", Table::new());
    actor.bind_exchange("g", "h");
    for (number, key) in [(1, 1), (2, 2), (3, 1), (4, 0)] {
        actor.publish("g", keyed(number, key, 0));
    }
    actor.declare_queue("late", Table::new());
    actor.bind_queue("h", "late");
    assert_eq!(actor.drain(&node, "late"), [1, 2, 4]);
    // And one before it: what is given to whom comes late passes as well.
    actor.gate("g2", 10);
    actor.declare_queue("later", Table::new());
    actor.bind_queue("g2", "later");
    actor.publish("g2", keyed(5, 2, 0));
    actor.bind_exchange("h", "g2");
    assert_eq!(actor.drain(&node, "later"), [5, 1, 4]);
}

#[test]
fn of_those_who_race_with_a_key_one_passes() {
    const KEYS: u32 = 300;
    let node = node();
    let mut actor = Actor::new(&node);
    actor.gate("g", 10_000);
    actor.gate("g2", 10_000);
    for queue in ["a", "b", "c"] {
        actor.declare_queue(queue, Table::new());
    }
    actor.bind_queue("g", "a");
    actor.bind_queue("g", "b");
    actor.bind_queue("g2", "c");
    actor.bind_exchange("g", "g2");
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let node = &node;
            scope.spawn(move || {
                let (mut random, mut actor) = (Random::new(seed), Actor::new(node));
                for number in 1..=KEYS {
                    let exchange = ["g", "g2"][random.below(2) as usize];
                    actor.gather(exchange, keyed(number, i64::from(number), 0), 0);
                    match random.below(8) {
                        0 => drop(actor.flush_together()),
                        1 | 2 => drop(actor.flush()),
                        _ => {}
                    }
                }
                actor.gather("g", keyed(KEYS + 1, i64::from(KEYS) + 1, 0), 0);
                actor.flush();
            });
        }
    });
    for queue in ["a", "b", "c"] {
        let all = actor.drain(&node, queue);
        let distinct: BTreeSet<u32> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len(), "{queue}: {all:?}");
        assert!(distinct.contains(&(KEYS + 1)));
        assert!(queue != "c" || all.len() == KEYS as usize + 1);
    }
}

/// Exchanges and queues in any arrangement, and what has come where by the rules told one after the other.
#[derive(Default)]
struct Naive {
    /// By exchange: whether it is a gate, and what is bound to it.
    exchanges: BTreeMap<&'static str, (bool, BTreeSet<&'static str>)>,
    known: BTreeSet<(&'static str, i64)>,
    came: BTreeMap<&'static str, Vec<u32>>,
}

impl Naive {
    /// The queues that may be reached.
    fn reach(&self, start: &'static str) -> BTreeSet<&'static str> {
        let (mut found, mut done, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![start]);
        while let Some(name) = next.pop() {
            match self.exchanges.get(name) {
                Some((_, bound)) if done.insert(name) => next.extend(bound),
                Some(_) => {}
                None => drop(found.insert(name)),
            }
        }
        found
    }

    fn publish(&mut self, start: &'static str, number: u32, key: i64) {
        let (mut queues, mut done, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![start]);
        while let Some(name) = next.pop() {
            let Some((is_gate, bound)) = self.exchanges.get(name) else {
                queues.insert(name);
                continue;
            };
            if !done.insert(name) || (*is_gate && self.known.contains(&(name, key))) {
                continue;
            }
            next.extend(bound);
            if *is_gate && key != 0 && !self.reach(name).is_empty() {
                self.known.insert((name, key));
            }
        }
        for queue in queues {
            self.came.entry(queue).or_default().push(number);
        }
    }
}

const EXCHANGES: [&str; 6] = ["g1", "g2", "g3", "f1", "f2", "f3"];
const QUEUES: [&str; 4] = ["q1", "q2", "q3", "q4"];

#[test]
fn gates_behind_gates_do_as_the_model_does() {
    let seeds = if cfg!(debug_assertions) { 60 } else { 400 };
    for seed in 0..seeds {
        let mut random = Random::new(seed);
        let any = |random: &mut Random, all: &[&'static str]| all[random.below(all.len() as u64) as usize];
        let (node, mut naive) = (node(), Naive::default());
        let mut actor = Actor::new(&node);
        QUEUES
            .iter()
            .for_each(|queue| actor.declare_queue(queue, Table::new()));
        for name in EXCHANGES {
            let is_gate = name.starts_with('g');
            match is_gate {
                true => actor.gate(name, 1_000),
                false => actor.declare_exchange(name, "fanout", Table::new()),
            }
            naive.exchanges.insert(name, (is_gate, BTreeSet::new()));
        }
        let mut number = 0;
        for _ in 0..40 {
            if random.chance(30) {
                actor.flush();
                let source = any(&mut random, &EXCHANGES);
                let destination = match random.chance(50) {
                    true => any(&mut random, &EXCHANGES),
                    false => any(&mut random, &QUEUES),
                };
                match EXCHANGES.contains(&destination) {
                    true => actor.bind_exchange(source, destination),
                    false => actor.bind_queue(source, destination),
                }
                naive.exchanges.get_mut(source).unwrap().1.insert(destination);
            }
            for _ in 0..=random.below(5) {
                number += 1;
                let (start, key) = (any(&mut random, &EXCHANGES), random.below(6) as i64);
                actor.gather(start, keyed(number, key, 0), 0);
                naive.publish(start, number, key);
            }
            match random.below(3) {
                0 => drop(actor.flush_together()),
                1 => drop(actor.flush()),
                _ => {}
            }
        }
        actor.flush();
        for queue in QUEUES {
            let expected = naive.came.remove(queue).unwrap_or_default();
            assert_eq!(actor.drain(&node, queue), expected, "{queue} of seed {seed}");
        }
    }
}
