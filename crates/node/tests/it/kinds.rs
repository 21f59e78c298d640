//! What exchanges remember, what queues tell, and what names stand for: where the running broker puts pieces
//! together that are tested by themselves elsewhere.

use crate::broker::{
    self, alias, client, declare_queue, durable_exchange, durable_queue, id_of, message, open, vhost,
};
use crate::sim::sim_disk::SimDisk;
use std::sync::Arc;
use warren_broker::catalog::{Binding, Endpoint, QueueDeclaration, Vhost};
use warren_broker::message::{Message, Parts};
use warren_broker::name::{ExchangeName, QueueName};
use warren_broker::naming::{Fault, QUEUE_ALIAS, QUEUE_MODEL};
use warren_broker::parameter::Parameter;
use warren_broker::refusal::Refusal;
use warren_broker::route::NoHeaders;
use warren_broker::value::{Table, Value};
use warren_node::{Batch, Client, Got, Keys, Node, RouteCache, Touched, admin};

fn queue_name(name: &str) -> QueueName {
    QueueName::new(name).unwrap()
}

fn exchange_name(name: &str) -> ExchangeName {
    ExchangeName::new(name).unwrap()
}

fn declare_exchange(client: &mut Client, name: &str, kind: &str, arguments: Table) {
    let asked = durable_exchange(name, kind, arguments);
    client.declare_exchange(&asked, &mut Touched::default()).unwrap();
}

fn declare_with(client: &mut Client, name: &str, arguments: Table) {
    let asked = durable_queue(name, arguments);
    client.declare_queue(&asked, &mut Touched::default()).unwrap();
}

fn bind(client: &mut Client, source: &str, destination: Endpoint, key: &str) {
    let binding = Binding {
        source: exchange_name(source),
        destination,
        key: key.into(),
        arguments: Table::new(),
    };
    client.bind(binding, &mut Touched::default()).unwrap();
}

fn to_queue(name: &str) -> Endpoint {
    Endpoint::Queue(queue_name(name))
}

/// A client that publishes, with the routes that it remembers.
struct Publisher {
    client: Client,
    cache: RouteCache,
    batch: Batch,
}

impl Publisher {
    fn new(node: &Arc<Node>) -> Self {
        Self {
            client: client(node, "u"),
            cache: RouteCache::default(),
            batch: Batch::default(),
        }
    }

    fn publish(&mut self, exchange: &str, key: &str, message: Message) {
        let keys = Keys {
            first: key,
            more: &[],
        };
        let route = self.client.route(&mut self.cache, exchange, keys, &NoHeaders);
        self.client.publish(&mut self.batch, &route.unwrap(), message, 0);
        let mut touched = Touched::default();
        self.client.flush(&mut self.batch, &mut touched);
        touched.wake_all();
    }

    fn publish_all(&mut self, exchange: &str, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.publish(exchange, "k", message((1, number), 0));
        }
    }
}

/// The messages that a queue gives, by their numbers.
fn drain(client: &mut Client, queue: &str) -> Vec<u32> {
    let mut found = Vec::new();
    while let Got::Message(taken) = client.take(&queue_name(queue), true).unwrap().1 {
        found.push(id_of(&taken.delivery.message).1);
    }
    found
}

/// The routing keys of the messages that a queue gives.
fn drain_keys(client: &mut Client, queue: &str) -> Vec<String> {
    let mut found = Vec::new();
    while let Got::Message(taken) = client.take(&queue_name(queue), true).unwrap().1 {
        found.push(taken.delivery.message.routing_key().to_owned());
    }
    found
}

fn length(length: i64) -> Table {
    [("x-recent-history-length", Value::I64(length))]
        .into_iter()
        .collect()
}

#[test]
fn what_a_remembered_route_carries_is_remembered() {
    let node = broker::node();
    let mut publisher = Publisher::new(&node);
    let mut client = client(&node, "u");
    declare_exchange(&mut client, "h", "x-recent-history", length(3));
    declare_queue(&mut client, "one");
    bind(&mut client, "h", to_queue("one"), "");
    publisher.publish_all("h", 0..10);
    declare_queue(&mut client, "two");
    bind(&mut client, "h", to_queue("two"), "");
    publisher.publish_all("h", 10..12);
    assert_eq!(drain(&mut client, "one"), Vec::from_iter(0..12));
    assert_eq!(drain(&mut client, "two"), Vec::from_iter(7..12));
}

#[test]
fn what_is_bound_in_a_circle_is_given_once() {
    let node = broker::node();
    let mut publisher = Publisher::new(&node);
    let mut client = client(&node, "u");
    declare_exchange(&mut client, "h", "x-recent-history", length(5));
    declare_exchange(&mut client, "onward", "fanout", Table::new());
    declare_queue(&mut client, "near");
    declare_queue(&mut client, "far");
    bind(&mut client, "h", to_queue("near"), "");
    bind(&mut client, "onward", to_queue("far"), "");
    bind(&mut client, "onward", Endpoint::Exchange(exchange_name("h")), "");
    publisher.publish_all("h", 0..3);
    bind(&mut client, "h", Endpoint::Exchange(exchange_name("onward")), "");
    assert_eq!(drain(&mut client, "near"), [0, 1, 2]);
    assert_eq!(drain(&mut client, "far"), [0, 1, 2]);
    // Nor did it get longer by that.
    declare_queue(&mut client, "late");
    bind(&mut client, "h", to_queue("late"), "");
    assert_eq!(drain(&mut client, "late"), [0, 1, 2]);
}

#[test]
fn dead_letters_are_remembered_and_memory_comes_back() {
    let node = broker::node();
    let mut publisher = Publisher::new(&node);
    let mut client = client(&node, "u");
    declare_exchange(&mut client, "h", "x-recent-history", Table::new());
    let dying = [
        ("x-max-length", Value::I64(0)),
        ("x-dead-letter-exchange", Value::from("h")),
    ];
    declare_with(&mut client, "q", dying.into_iter().collect());
    publisher.publish("", "q", message((1, 7), 1000));
    assert!(node.memory().held_bytes() >= 1000);
    declare_queue(&mut client, "late");
    bind(&mut client, "h", to_queue("late"), "");
    assert_eq!(drain(&mut client, "late"), [7]);
    client
        .delete_exchange(&exchange_name("h"), false, &mut Touched::default())
        .unwrap();
    drop(publisher);
    assert_eq!(node.memory().held_bytes(), 0);
}

#[test]
fn a_queue_tells_of_its_trigger_once_a_crossing() {
    let node = broker::node();
    let mut publisher = Publisher::new(&node);
    let mut client = client(&node, "u");
    declare_queue(&mut client, "events");
    bind(
        &mut client,
        "amq.rabbitmq.event",
        to_queue("events"),
        "queue.trigger.#",
    );
    let trigger = [("x-trigger-length", Value::I64(4))].into_iter().collect();
    declare_with(&mut client, "q", trigger);
    let mut now_ms = node.now_ms();
    let mut told = |client: &mut Client| {
        now_ms += 1;
        node.tick(now_ms);
        drain_keys(client, "events")
    };
    let batch = |publisher: &mut Publisher, count| {
        for number in 0..count {
            publisher.publish("", "q", message((1, number), 0));
        }
    };
    batch(&mut publisher, 3);
    assert!(told(&mut client).is_empty());
    batch(&mut publisher, 5);
    assert_eq!(told(&mut client), ["queue.trigger.high"]);
    let take = |client: &mut Client| {
        let got = client.take(&queue_name("q"), true).unwrap().1;
        assert!(matches!(got, Got::Message(_)));
    };
    (0..5).for_each(|_| take(&mut client));
    batch(&mut publisher, 3);
    assert!(told(&mut client).is_empty(), "it was never half empty");
    client.purge(&queue_name("q")).unwrap();
    batch(&mut publisher, 4);
    assert_eq!(told(&mut client), ["queue.trigger.low", "queue.trigger.high"]);
}

#[test]
fn aliases_models_and_triggers_are_there_again_after_a_restart() {
    let disk = SimDisk::new(1);
    let node = open(disk.clone());
    node.put_vhost(Vhost::named(vhost()));
    let mut publisher = Publisher::new(&node);
    let mut first = client(&node, "u");
    node.put_parameter(&vhost(), alias("a", "job")).unwrap();
    let arguments = [("x-trigger-length", Value::I64(1))].into_iter().collect();
    let model: Table = [
        ("pattern", Value::from("^job")),
        ("arguments", Value::Table(arguments)),
    ]
    .into_iter()
    .collect();
    let model = Parameter::new(QUEUE_MODEL, "m", Value::Table(model)).unwrap();
    node.put_parameter(&vhost(), model).unwrap();
    declare_queue(&mut first, "events");
    bind(&mut first, "amq.rabbitmq.event", to_queue("events"), "#");
    declare_queue(&mut first, "job");
    publisher.publish("", "a", message((1, 7), 0));
    node.commit_log().unwrap();
    drop((first, publisher, node));
    let node = open(disk.kill());
    let mut client = client(&node, "u");
    // The event itself did not come to be before.
    node.tick(node.now_ms() + 1);
    assert_eq!(drain_keys(&mut client, "events"), ["queue.trigger.high"]);
    assert_eq!(drain(&mut client, "a"), [7]);
    declare_queue(&mut client, "job.2");
    let rules = client.vhost().queue("job.2").unwrap().rules();
    assert_eq!(rules.trigger_length, Some(1));
}

#[test]
fn a_name_is_a_queue_or_an_alias() {
    let node = broker::node();
    let mut client = client(&node, "u");
    declare_queue(&mut client, "q");
    let put = |name, queue| node.put_parameter(&vhost(), alias(name, queue));
    assert_eq!(
        put("q", "p"),
        Err(admin::Error::Naming(Fault::Taken(queue_name("q"))))
    );
    assert_eq!(put("a", "q"), Ok(true));
    assert_eq!(
        put("b", "a"),
        Err(admin::Error::Naming(Fault::Chain(queue_name("a"))))
    );
    assert_eq!(put("a", "p"), Ok(false));
    let asked = QueueDeclaration {
        name: queue_name("a"),
        server_named: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        arguments: Table::new(),
    };
    let refused = node.put_queue(&vhost(), &asked);
    assert!(matches!(
        refused,
        Err(admin::Error::Refused(Refusal::Alias { .. }))
    ));
    assert_eq!(node.delete_parameter(&vhost(), QUEUE_ALIAS, "a"), Ok(true));
    assert_eq!(node.put_queue(&vhost(), &asked), Ok(()));
}

#[test]
fn a_delayed_exchange_asks_for_topics_if_it_routes_by_them() {
    let node = broker::node();
    let mut client = client(&node, "u");
    let topic = [("x-delayed-type", Value::from("topic"))].into_iter().collect();
    declare_exchange(&mut client, "d", "x-delayed-message", topic);
    let name = client.user().name.clone();
    node.change_user(&name, |user| {
        let permission = warren_broker::access::TopicPermission::new("^a", ".*", &name, &vhost()).unwrap();
        let topics = [(exchange_name("d"), permission)].into_iter().collect();
        user.topic_permissions.insert(vhost(), topics);
    })
    .unwrap();
    let mut cache = RouteCache::default();
    let mut route = |key| {
        let keys = Keys {
            first: key,
            more: &[],
        };
        client.route(&mut cache, "d", keys, &NoHeaders).map(drop)
    };
    assert!(route("a.b").is_ok());
    assert!(matches!(route("b"), Err(Refusal::Denied(_))));
}

#[test]
fn a_message_of_its_own_goes_to_whoever_is_bound_by_an_alias() {
    let node = broker::node();
    let mut publisher = Publisher::new(&node);
    let mut client = client(&node, "u");
    declare_queue(&mut client, "q");
    node.put_parameter(&vhost(), alias("a", "q")).unwrap();
    bind(&mut client, "amq.direct", to_queue("a"), "k");
    let empty = Message::of(&Parts::default()).unwrap();
    publisher.publish("amq.direct", "k", empty);
    assert_eq!(drain_keys(&mut client, "q").len(), 1);
    // The binding is the queue's: it does not follow the alias.
    declare_queue(&mut client, "p");
    node.put_parameter(&vhost(), alias("a", "p")).unwrap();
    publisher.publish("amq.direct", "k", Message::of(&Parts::default()).unwrap());
    assert_eq!(drain_keys(&mut client, "q").len(), 1);
}
