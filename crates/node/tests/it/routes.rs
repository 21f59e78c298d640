//! Remembered routes against a naive router, while everything that a route depends on changes.
//!
//! The model keeps what exists in plain sets and follows it afresh for every message. Two publishers with
//! caches of their own look at all exchanges and keys: one after every change, one now and then, so that its
//! routes are older than several changes. Then the same from threads, which look while others change.

use crate::broker;
use parking_lot::{Condvar, Mutex};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use warren_broker::access::{Permission, TopicPermission, User};
use warren_broker::catalog::{Binding, Endpoint, ExchangeDeclaration};
use warren_broker::name::{ExchangeName, QueueName, UserName};
use warren_broker::naming::QUEUE_ALIAS;
use warren_broker::refusal::Refusal;
use warren_broker::route::{Headers, NoHeaders};
use warren_broker::value::{Table, Value};
use warren_node::{Client, Keys, Node, RouteCache, Touched};

const EXCHANGES: [&str; 4] = ["x0", "x1", "x2", "x3"];
const QUEUES: [&str; 3] = ["q0", "q1", "q2"];
const KINDS: [&str; 4] = ["direct", "fanout", "topic", "headers"];
/// Names that may stand for queues. They are keys, too.
const ALIASES: [&str; 2] = ["a", "a.b"];
const KEYS: [&str; 4] = ["a", "a.b", "q0", ""];
const BINDING_KEYS: [&str; 6] = ["a", "a.b", "#", "*", "a.#", "q0"];

#[derive(Debug, Clone)]
struct Exchange {
    kind: &'static str,
    auto_delete: bool,
    internal: bool,
    alternate: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Queue(&'static str),
    Exchange(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    source: &'static str,
    to: End,
    key: &'static str,
    arguments: u8,
}

#[derive(Debug, Clone)]
enum Step {
    DeclareExchange(&'static str, Exchange),
    DeleteExchange(&'static str),
    DeclareQueue(&'static str),
    DeleteQueue(&'static str),
    Bind(Row),
    Unbind(Row),
    /// A name stands for a queue, which may not be there; or for none.
    Alias(&'static str, Option<&'static str>),
    /// Which exchanges and keys the publishers may use from now on.
    Permit(Permitted),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permitted {
    Everything,
    /// `x0` and `x1`, and not the default exchange.
    TwoExchanges,
    /// In `x0`, if it has topics: keys that begin with `a`.
    SomeTopics,
}

impl Step {
    fn of([kind, a, b, c]: [u8; 4]) -> Self {
        let pick = |byte: u8, names: &[&'static str]| names[usize::from(byte) % names.len()];
        let exchange = pick(a, &EXCHANGES);
        let to = match b % 8 {
            n @ 0..=4 => End::Queue(pick(n, &QUEUES)),
            n => End::Exchange(pick(b / 8 + n, &EXCHANGES)),
        };
        let row = Row {
            source: exchange,
            to,
            key: pick(c, &BINDING_KEYS),
            arguments: c / 8 % 3,
        };
        match kind % 32 {
            0..=9 => Self::Bind(row),
            10..=15 => {
                let kind = pick(b, &KINDS);
                let (auto_delete, internal) = (b & 4 != 0, b & 0b11000 == 0b11000);
                let alternate = (c % 2 == 1).then(|| pick(c / 2, &EXCHANGES));
                Self::DeclareExchange(
                    exchange,
                    Exchange {
                        kind,
                        auto_delete,
                        internal,
                        alternate,
                    },
                )
            }
            16..=19 => Self::DeclareQueue(pick(a, &QUEUES)),
            20..=23 => Self::Unbind(row),
            24 | 25 => Self::Alias(pick(a, &ALIASES), (b % 4 != 0).then(|| pick(c, &QUEUES))),
            26 | 27 => Self::DeleteExchange(exchange),
            28 | 29 => Self::DeleteQueue(pick(a, &QUEUES)),
            _ => Self::Permit(match a % 3 {
                0 => Permitted::Everything,
                1 => Permitted::TwoExchanges,
                _ => Permitted::SomeTopics,
            }),
        }
    }
}

/// Binding arguments: nothing asked for, one header, either of two.
fn binding_arguments(number: u8) -> Table {
    let entries: &[(&str, Value)] = match number {
        0 => &[],
        1 => &[("h", Value::I32(1))],
        _ => &[
            ("h", Value::I32(1)),
            ("g", Value::I32(2)),
            ("x-match", Value::String((*b"any").into())),
        ],
    };
    entries.iter().cloned().collect()
}

/// Message headers: none, and one that some bindings ask for.
fn headers(number: usize) -> Table {
    let entries: &[(&str, Value)] = if number == 0 { &[] } else { &[("g", Value::I64(2))] };
    entries.iter().cloned().collect()
}

fn topic_matches(pattern: &[&str], words: &[&str]) -> bool {
    match (pattern, words) {
        ([], []) => true,
        (["#", rest @ ..], _) => (0..=words.len()).any(|n| topic_matches(rest, &words[n..])),
        (["*", rest @ ..], [_, words @ ..]) => topic_matches(rest, words),
        ([word, rest @ ..], [first, words @ ..]) => word == first && topic_matches(rest, words),
        _ => false,
    }
}

fn words(key: &str) -> Vec<&str> {
    if key.is_empty() {
        Vec::new()
    } else {
        key.split('.').collect()
    }
}

fn row_matches(kind: &str, row: &Row, key: &str, has_g: bool) -> bool {
    match kind {
        "fanout" => true,
        "direct" => row.key == key,
        "topic" => topic_matches(&words(row.key), &words(key)),
        _ => row.arguments == 0 || (row.arguments == 2 && has_g),
    }
}

/// What exists.
#[derive(Debug, Clone, Default)]
struct Model {
    exchanges: BTreeMap<&'static str, Exchange>,
    queues: BTreeSet<&'static str>,
    bindings: BTreeSet<Row>,
    aliases: BTreeMap<&'static str, &'static str>,
    permitted: Option<Permitted>,
}

impl Model {
    /// Removes bindings, and auto-delete exchanges that lost their last one, until none does.
    fn unbind_where(&mut self, goes: impl Fn(&Row) -> bool) {
        let before = self.bindings.clone();
        self.bindings.retain(|row| !goes(row));
        let has = |rows: &BTreeSet<Row>, name: &str| rows.iter().any(|row| row.source == name);
        while let Some((&bare, _)) = self
            .exchanges
            .iter()
            .find(|(name, exchange)| exchange.auto_delete && has(&before, name) && !has(&self.bindings, name))
        {
            self.exchanges.remove(bare);
            self.bindings.retain(|row| row.to != End::Exchange(bare));
        }
    }

    fn delete_exchange(&mut self, name: &'static str) {
        self.exchanges.remove(name);
        self.unbind_where(|row| row.source == name || row.to == End::Exchange(name));
    }

    fn delete_queue(&mut self, name: &'static str) {
        self.queues.remove(name);
        self.unbind_where(|row| row.to == End::Queue(name));
    }

    fn permits_topic(&self, exchange: &str, key: &str) -> bool {
        self.permitted != Some(Permitted::SomeTopics) || exchange != "x0" || key.starts_with('a')
    }

    /// The queues, or what kind of refusal.
    fn route(
        &self,
        exchange: &str,
        keys: &[&str],
        has_g: bool,
    ) -> Result<BTreeSet<&'static str>, &'static str> {
        // Permission to write comes before existence, topics after it.
        if self.permitted == Some(Permitted::TwoExchanges) && !matches!(exchange, "x0" | "x1") {
            return Err("denied");
        }
        if exchange.is_empty() {
            let names = keys
                .iter()
                .map(|key| self.aliases.get(key).copied().unwrap_or(key));
            return Ok(names.filter_map(|name| self.queues.get(name).copied()).collect());
        }
        match self.exchanges.get(exchange) {
            None => Err("not found"),
            Some(found) if found.internal => Err("internal"),
            Some(found)
                if found.kind == "topic" && !keys.iter().all(|key| self.permits_topic(exchange, key)) =>
            {
                Err("denied")
            }
            Some(_) => Ok(self.follow(exchange, keys, has_g)),
        }
    }

    /// Wherever a message comes, it comes with all its keys.
    fn follow(&self, start: &str, keys: &[&str], has_g: bool) -> BTreeSet<&'static str> {
        let (mut queues, mut seen, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![start]);
        while let Some(name) = next.pop() {
            let Some(exchange) = self.exchanges.get(name).filter(|_| seen.insert(name)) else {
                continue;
            };
            let rows = self.bindings.iter().filter(|row| row.source == name);
            let matching: Vec<_> = rows
                .filter(|row| keys.iter().any(|key| row_matches(exchange.kind, row, key, has_g)))
                .collect();
            for row in &matching {
                match row.to {
                    End::Queue(name) => _ = queues.insert(name),
                    End::Exchange(name) => next.push(name),
                }
            }
            if matching.is_empty() {
                next.extend(exchange.alternate);
            }
        }
        queues
    }
}

/// Who publishes, with the routes that are remembered.
type Publisher = (Client, RouteCache);

struct World {
    node: Arc<Node>,
    owner: Client,
    publishers: Vec<Publisher>,
    model: Model,
    touched: Touched,
}

impl World {
    fn new() -> Self {
        let node = broker::node();
        let owner = broker::client(&node, "owner");
        let publisher = || (broker::client(&node, "publisher"), RouteCache::default());
        let publishers = vec![publisher(), publisher()];
        Self {
            owner,
            publishers,
            node,
            model: Model::default(),
            touched: Touched::default(),
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::DeclareExchange(name, ref asked) => self.declare_exchange(name, asked),
            Step::DeleteExchange(name) => {
                let touched = &mut self.touched;
                self.owner
                    .delete_exchange(&exchange_name(name), false, touched)
                    .unwrap();
                self.model.delete_exchange(name);
            }
            Step::DeclareQueue(name) => {
                broker::declare_queue(&mut self.owner, name);
                self.model.queues.insert(name);
            }
            Step::DeleteQueue(name) => {
                let name_of = QueueName::new(name).unwrap();
                self.owner
                    .delete_queue(&name_of, false, false, &mut self.touched)
                    .unwrap();
                self.model.delete_queue(name);
            }
            Step::Bind(row) => {
                if self.owner.bind(binding(row), &mut self.touched).is_ok() {
                    self.model.bindings.insert(row);
                }
            }
            Step::Unbind(row) => {
                self.owner.unbind(binding(row), &mut self.touched).unwrap();
                self.model.unbind_where(|other| *other == row);
            }
            Step::Alias(name, queue) => self.alias(name, queue),
            Step::Permit(permitted) => self.permit(permitted),
        }
        self.touched.wake_all();
    }

    fn declare_exchange(&mut self, name: &'static str, asked: &Exchange) {
        let alternate = asked
            .alternate
            .map(|name| ("alternate-exchange", Value::from(name)));
        let declaration = ExchangeDeclaration {
            name: exchange_name(name),
            kind: asked.kind.to_owned(),
            durable: true,
            auto_delete: asked.auto_delete,
            internal: asked.internal,
            arguments: alternate.into_iter().collect(),
        };
        let declared = self.owner.declare_exchange(&declaration, &mut self.touched);
        assert!(
            declared.is_ok() || self.model.exchanges.contains_key(name),
            "{declared:?}"
        );
        if declared.is_ok() {
            self.model.exchanges.insert(name, asked.clone());
        }
    }

    fn alias(&mut self, name: &'static str, queue: Option<&'static str>) {
        let vhost = broker::vhost();
        if let Some(queue) = queue {
            self.node
                .put_parameter(&vhost, broker::alias(name, queue))
                .unwrap();
            self.model.aliases.insert(name, queue);
        } else {
            let was_there = self.node.delete_parameter(&vhost, QUEUE_ALIAS, name).unwrap();
            assert_eq!(self.model.aliases.remove(name).is_some(), was_there);
        }
    }

    fn permit(&mut self, permitted: Permitted) {
        let name = UserName::new("publisher").unwrap();
        let vhost = broker::vhost();
        let write = if permitted == Permitted::TwoExchanges {
            "^x[01]$"
        } else {
            ".*"
        };
        let change = |user: &mut User| {
            user.permissions
                .insert(vhost.clone(), Permission::new("", write, "").unwrap());
            user.topic_permissions.clear();
            if permitted == Permitted::SomeTopics {
                let topic = TopicPermission::new("^a", ".*", &name, &vhost).unwrap();
                let topics = [(exchange_name("x0"), topic)].into_iter().collect();
                user.topic_permissions.insert(vhost.clone(), topics);
            }
        };
        self.node.change_user(&name, change).unwrap();
        self.model.permitted = Some(permitted);
    }

    /// One publisher routes everything twice: the second time from its cache, if it may be remembered.
    fn look(&mut self, publisher: usize) {
        for exchange in EXCHANGES.into_iter().chain([""]) {
            for key in KEYS {
                for with_g in [0, 1, 1, 0] {
                    self.compare(publisher, exchange, &[key], with_g);
                }
            }
            self.compare(publisher, exchange, &KEYS, 1);
        }
    }

    fn compare(&mut self, publisher: usize, exchange: &str, keys: &[&str], with_g: usize) {
        let wanted = self.model.route(exchange, keys, with_g == 1);
        let (found, is_there) = find(&mut self.publishers[publisher], exchange, keys, with_g);
        assert!(is_there, "a queue that is gone");
        let wanted = wanted.map(|names| names.into_iter().map(str::to_owned).collect());
        let publisher_of = format!("publisher {publisher}, exchange {exchange:?}, keys {keys:?}, {with_g}");
        assert_eq!(found, wanted, "{publisher_of}");
    }
}

/// The names of queues, or what kind of refusal.
type Found = Result<BTreeSet<String>, &'static str>;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// Where a message goes, and whether all queues there are alive.
fn find((client, cache): &mut Publisher, exchange: &str, keys: &[&str], with_g: usize) -> (Found, bool) {
    let more: Vec<String> = keys[1..].iter().map(|&key| key.to_owned()).collect();
    let table = headers(with_g);
    let headers: &dyn Headers = if with_g == 0 { &NoHeaders } else { &table };
    let keys = Keys {
        first: keys[0],
        more: &more,
    };
    match client.route(cache, exchange, keys, headers) {
        Ok(route) => {
            let queues = route.queues.iter();
            let names: BTreeSet<String> = queues
                .map(|queue| queue.declared().name.as_str().to_owned())
                .collect();
            // Two of one name may follow each other while a thread looks.
            let ids: BTreeSet<_> = route.queues.iter().map(|queue| queue.id()).collect();
            assert_eq!(ids.len(), route.queues.len(), "a queue twice");
            (Ok(names), route.queues.iter().all(|queue| !queue.is_deleted()))
        }
        Err(refusal) => (Err(word(&refusal)), true),
    }
}

fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Denied(_) => "denied",
        Refusal::NotFound(_) => "not found",
        Refusal::Internal(_) => "internal",
        other => panic!("not expected: {other}"),
    }
}

fn exchange_name(name: &str) -> ExchangeName {
    ExchangeName::new(name).unwrap()
}

fn binding(row: Row) -> Binding {
    let destination = match row.to {
        End::Queue(name) => Endpoint::Queue(QueueName::new(name).unwrap()),
        End::Exchange(name) => Endpoint::Exchange(exchange_name(name)),
    };
    let arguments = binding_arguments(row.arguments);
    Binding {
        source: exchange_name(row.source),
        destination,
        key: row.key.into(),
        arguments,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_remembered_route_is_a_fresh_one(
        steps in prop::collection::vec(any::<[u8; 4]>().prop_map(Step::of), 0..80),
    ) {
        let mut world = World::new();
        for (number, step) in (1..).zip(&steps) {
            world.run(step);
            world.look(0);
            if number % 5 == 0 {
                world.look(1);
            }
        }
    }
}

/// What publishers on threads and who changes know of each other.
#[derive(Default)]
struct Hall {
    /// Changes so far, counted when they begin and when they end: odd while one is under way.
    changes: AtomicUsize,
    /// Looks that were made while nothing changed.
    looks: AtomicUsize,
    /// How many there were when the last change was over.
    looks_before: AtomicUsize,
    /// So many are waited for before the next change.
    enough: AtomicUsize,
    is_over: AtomicBool,
    /// Where both sides wait for each other.
    lock: Mutex<()>,
    news: Condvar,
}

impl Hall {
    /// A look was made while nothing changed. Whoever looked too often since the last change waits for the
    /// next.
    fn looked(&self) {
        let count = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
        if count == self.enough.load(Ordering::SeqCst) {
            self.tell();
        }
        let is_idle = || {
            let max = self.looks_before.load(Ordering::SeqCst) + LOOKS_AT_ONCE;
            count > max && !self.is_over.load(Ordering::SeqCst)
        };
        self.wait_while(is_idle);
    }

    /// A change was made. The next one waits for so many looks.
    fn changed(&self, looks: usize) {
        let before = self.looks.load(Ordering::SeqCst);
        self.enough.store(before + looks, Ordering::SeqCst);
        self.looks_before.store(before, Ordering::SeqCst);
        self.tell();
        self.wait_while(|| self.looks.load(Ordering::SeqCst) < before + looks);
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.tell();
    }

    fn tell(&self) {
        let _lock = self.lock.lock();
        self.news.notify_all();
    }

    fn wait_while(&self, is_early: impl Fn() -> bool) {
        if is_early() {
            let mut lock = self.lock.lock();
            while is_early() {
                self.news.wait(&mut lock);
            }
        }
    }
}

/// So many looks see the same at most: with few processors the thread that changes things waits for its turn
/// while others look.
const LOOKS_AT_ONCE: usize = 4000;

/// A look during which nothing changed.
#[derive(PartialEq)]
struct Look {
    /// How many changes there were before.
    changes: usize,
    exchange: &'static str,
    key: &'static str,
    with_g: usize,
    found: Found,
    is_there: bool,
}

/// What a stress is about.
struct Stress {
    /// Where publishers look.
    exchanges: &'static [&'static str],
    keys: &'static [&'static str],
    change: fn(&mut Dice, usize) -> Step,
    changes: usize,
}

/// Looks until it is over, at what comes up, and answers what was found, the same mostly once.
fn keep_looking(stress: &Stress, publisher: &mut Publisher, mut dice: Dice, hall: &Hall) -> Vec<Look> {
    let mut looks = Vec::new();
    while !hall.is_over.load(Ordering::SeqCst) {
        let exchange = stress.exchanges[dice.roll(stress.exchanges.len())];
        let (key, with_g) = (stress.keys[dice.roll(stress.keys.len())], dice.roll(2));
        let before = hall.changes.load(Ordering::SeqCst);
        let (found, is_there) = find(publisher, exchange, &[key], with_g);
        if before.is_multiple_of(2) && hall.changes.load(Ordering::SeqCst) == before {
            let look = Look {
                changes: before / 2,
                exchange,
                key,
                with_g,
                found,
                is_there,
            };
            if !looks.iter().rev().take(2).any(|known| *known == look) {
                looks.push(look);
            }
            hall.looked();
        }
    }
    looks
}

/// Makes changes, between some of which nobody waits, and answers what existed after each.
fn keep_changing(stress: &Stress, world: &mut World, mut dice: Dice, hall: &Hall) -> Vec<Model> {
    let mut models = vec![world.model.clone()];
    for number in 0..stress.changes {
        let step = (stress.change)(&mut dice, number);
        hall.changes.fetch_add(1, Ordering::SeqCst);
        world.run(&step);
        hall.changes.fetch_add(1, Ordering::SeqCst);
        models.push(world.model.clone());
        hall.changed(if dice.roll(3) > 0 { dice.roll(40) } else { 0 });
    }
    hall.end();
    models
}

impl Stress {
    /// Compares every look with what existed then, and what is remembered in the end with what exists.
    fn run(&self, seed: u64) {
        let mut world = World::new();
        let hall = Hall::default();
        let mut publishers = std::mem::take(&mut world.publishers);
        let (models, looks) = thread::scope(|scope| {
            let looking: Vec<_> = publishers
                .iter_mut()
                .zip(1..)
                .map(|(publisher, me)| {
                    let (dice, hall) = (Dice(100 * seed + me), &hall);
                    scope.spawn(move || keep_looking(self, publisher, dice, hall))
                })
                .collect();
            let models = keep_changing(self, &mut world, Dice(seed), &hall);
            let looks = looking.into_iter().flat_map(|thread| thread.join().unwrap());
            (models, looks.collect::<Vec<_>>())
        });
        let count = hall.looks.load(Ordering::SeqCst);
        assert!(count > self.changes, "hardly anybody looked");
        for look in looks {
            let wanted = models[look.changes].route(look.exchange, &[look.key], look.with_g == 1);
            let wanted = wanted.map(|names| names.into_iter().map(str::to_owned).collect());
            let what = format!(
                "seed {seed}, change {}, {:?}, {:?}",
                look.changes, look.exchange, look.key
            );
            assert_eq!(look.found, wanted, "{what}");
            assert!(look.is_there, "a queue that is gone: {what}");
        }
        world.publishers = publishers;
        world.look(0);
        world.look(1);
    }
}

#[test]
fn a_remembered_route_is_a_fresh_one_while_others_change_it() {
    let stress = Stress {
        exchanges: &["x0", "x1", "x2", "x3", ""],
        keys: &KEYS,
        change: |dice, _| Step::of([(); 4].map(|()| dice.roll(256) as u8)),
        changes: 400,
    };
    (0..4).for_each(|seed| stress.run(seed));
}

/// A route that is found while its exchange goes must not be remembered.
#[test]
fn no_route_outlives_its_exchange_while_it_comes_and_goes() {
    let stress = Stress {
        exchanges: &["x0"],
        keys: &["a"],
        change: |_, number| match number % 4 {
            0 => Step::DeclareQueue("q0"),
            1 => Step::DeclareExchange(
                "x0",
                Exchange {
                    kind: "direct",
                    auto_delete: false,
                    internal: false,
                    alternate: None,
                },
            ),
            2 => Step::Bind(Row {
                source: "x0",
                to: End::Queue("q0"),
                key: "a",
                arguments: 0,
            }),
            _ => Step::DeleteExchange("x0"),
        },
        changes: 20_000,
    };
    stress.run(0);
}

#[test]
fn an_alternate_that_comes_to_be_is_found_though_the_message_went_elsewhere_before() {
    let exchange = |kind, alternate| Exchange {
        kind,
        auto_delete: false,
        internal: false,
        alternate,
    };
    let bind = |source, to, key| {
        Step::Bind(Row {
            source,
            to,
            key,
            arguments: 0,
        })
    };
    let mut world = World::new();
    for step in [
        Step::DeclareQueue("q0"),
        Step::DeclareQueue("q1"),
        Step::DeclareExchange("x0", exchange("direct", None)),
        Step::DeclareExchange("x1", exchange("direct", Some("x2"))),
        bind("x0", End::Queue("q0"), "a"),
        bind("x0", End::Exchange("x1"), "a"),
        Step::DeclareExchange("x2", exchange("fanout", None)),
        bind("x2", End::Queue("q1"), "a"),
    ] {
        world.run(&step);
        world.look(0);
    }
    assert_eq!(
        world.model.route("x0", &["a"], false),
        Ok(BTreeSet::from(["q0", "q1"]))
    );
}
