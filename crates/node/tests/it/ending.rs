//! The end of queues that send on what they held: for everybody else they are gone at once.

use crate::broker::{HOUR_MS, client, declare_queue, declare_with, drain, node, put, timed, vhost};
use crate::sim::sim_disk::SimDisk;
use std::sync::Arc;
use warren_broker::catalog::{Binding, Endpoint, PolicyScope, Vhost};
use warren_broker::message::Message;
use warren_broker::name::{ExchangeName, QueueName};
use warren_broker::policy::{ApplyTo, Policy};
use warren_broker::refusal::Refusal;
use warren_broker::route::NoHeaders;
use warren_broker::value::{Table, Value};
use warren_node::storage::Options;
use warren_node::{Client, Config, Keys, LiveQueue, Node, RouteCache, Touched};

fn name(queue: &str) -> QueueName {
    QueueName::new(queue).unwrap()
}

/// Dead letters go to `there`, or stay until it is.
fn arguments() -> Vec<(&'static str, Value)> {
    vec![
        ("x-queue-type", Value::from("quorum")),
        ("x-dead-letter-exchange", Value::from("")),
        ("x-dead-letter-routing-key", Value::from("there")),
        ("x-dead-letter-strategy", Value::from("at-least-once")),
        ("x-overflow", Value::from("reject-publish")),
        ("x-dead-letter-on-delete", Value::Bool(true)),
    ]
}

fn letter(body: &[u8]) -> Message {
    timed("q", body, HOUR_MS, |_| {})
}

fn delete(client: &mut Client, queue: &str) -> usize {
    let mut touched = Touched::default();
    let deleted = client.delete_queue(&name(queue), false, false, &mut touched);
    touched.wake_all();
    deleted.unwrap().0
}

/// Where a message goes.
fn route(client: &mut Client, exchange: &str, key: &str) -> Vec<Arc<LiveQueue>> {
    let keys = Keys {
        first: key,
        more: &[],
    };
    let route = client.route(&mut RouteCache::default(), exchange, keys, &NoHeaders);
    route.unwrap().queues.clone()
}

#[test]
fn a_deleted_queue_is_gone_for_everybody_while_it_sends_on() {
    let node = node();
    node.tick(HOUR_MS);
    let mut client = client(&node, "u");
    let first = declare_with(&mut client, "q", &arguments());
    let binding = Binding {
        source: ExchangeName::new("amq.direct").unwrap(),
        destination: Endpoint::Queue(name("q")),
        key: "k".into(),
        arguments: Table::new(),
    };
    client.bind(binding, &mut Touched::default()).unwrap();
    put(&client, &first, &[letter(b"first")]);
    assert_eq!(delete(&mut client, "q"), 1);
    // Nobody takes its letter yet.
    assert!(matches!(client.find_queue(&name("q")), Err(Refusal::NotFound(_))));
    assert!(route(&mut client, "", "q").is_empty(), "it is unroutable");
    assert!(
        route(&mut client, "amq.direct", "k").is_empty(),
        "it is not bound"
    );
    assert_eq!(delete(&mut client, "q"), 0);
    let again = declare_with(&mut client, "q", &arguments());
    assert!(!Arc::ptr_eq(&first, &again) && !again.is_deleted());
    put(&client, &again, &[letter(b"second")]);
    assert_eq!(drain(&mut client, "q"), [b"second"]);
    put(&client, &again, &[letter(b"third")]);
    // It tries again by itself, and leaves the new one alone when it is empty at last.
    declare_queue(&mut client, "there");
    node.tick(HOUR_MS + 1_500);
    assert_eq!(drain(&mut client, "there"), [b"first"]);
    assert_eq!(drain(&mut client, "q"), [b"third"]);
    assert!(Arc::ptr_eq(&client.vhost().queue("q").unwrap(), &again));
}

#[test]
fn what_a_deleted_queue_holds_is_dropped_when_no_policy_says_any_more_where_to() {
    let node = node();
    node.tick(HOUR_MS);
    let mut client = client(&node, "u");
    let definition = [
        ("dead-letter-exchange", Value::from("")),
        ("dead-letter-routing-key", Value::from("there")),
        ("dead-letter-strategy", Value::from("at-least-once")),
        ("overflow", Value::from("reject-publish")),
        ("dead-letter-on-delete", Value::Bool(true)),
    ];
    let definition = definition.into_iter().collect();
    let policy = Policy::new("p", "^q", ApplyTo::Queues, 0, definition, false).unwrap();
    node.put_policy(&vhost(), PolicyScope::Users, policy).unwrap();
    let queue = declare_with(&mut client, "q", &[("x-queue-type", Value::from("quorum"))]);
    put(&client, &queue, &[letter(b"first"), letter(b"second")]);
    delete(&mut client, "q");
    assert_eq!(queue.totals().ready + queue.totals().leaving, 2);
    node.delete_policy(&vhost(), PolicyScope::Users, "p").unwrap();
    node.tick(HOUR_MS + 1_500);
    declare_queue(&mut client, "there");
    node.tick(HOUR_MS + 3_000);
    assert_eq!(drain(&mut client, "there").len(), 0);
    assert_eq!(node.memory().queues_bytes(), 0);
}

#[test]
fn a_deleted_queue_sends_on_what_is_only_delayed() {
    let node = node();
    node.tick(HOUR_MS);
    let mut client = client(&node, "u");
    declare_queue(&mut client, "there");
    let queue = declare_with(&mut client, "q", &arguments());
    let delayed = timed("q", b"delayed", HOUR_MS, |noted| noted.due_ms(HOUR_MS + 60_000));
    put(&client, &queue, &[delayed]);
    delete(&mut client, "q");
    assert_eq!(drain(&mut client, "there"), [b"delayed"]);
    assert_eq!(node.memory().queues_bytes(), 0);
}

fn open(disk: &SimDisk) -> Arc<Node> {
    let options = Options {
        disk_free_limit: 0,
        ..Options::default()
    };
    let opened = Node::open(Config::default(), options, Arc::new(disk.clone())).unwrap();
    assert_eq!(opened.recovered.damages, []);
    opened.node.tick(HOUR_MS);
    opened.node
}

#[test]
fn a_deleted_queue_sends_on_after_a_restart_and_stays_deleted() {
    let disk = SimDisk::new(1);
    let node = open(&disk);
    node.put_vhost(Vhost::named(vhost()));
    let mut session = client(&node, "u");
    let first = declare_with(&mut session, "q", &arguments());
    put(&session, &first, &[letter(b"first")]);
    delete(&mut session, "q");
    let again = declare_queue(&mut session, "q");
    put(&session, &again, &[letter(b"second")]);
    node.commit_log().unwrap();
    drop((session, node));
    // What the log says, and then a checkpoint.
    let disk = disk.kill();
    let node = open(&disk);
    node.stop().unwrap();
    let disk = disk.kill();
    let node = open(&disk);
    let mut session = client(&node, "u");
    assert_eq!(drain(&mut session, "q"), [b"second"]);
    declare_queue(&mut session, "there");
    while node.read_back() {}
    node.tick(HOUR_MS + 2_000);
    assert_eq!(drain(&mut session, "there"), [b"first"]);
    node.commit_log().unwrap();
    drop((session, node));
    // Now it is gone.
    let node = open(&disk.kill());
    let mut session = client(&node, "u");
    node.tick(HOUR_MS + 4_000);
    assert_eq!(drain(&mut session, "there").len(), 0);
    assert!(session.find_queue(&name("q")).is_ok());
}

/// More than a deleted queue takes out of its lanes at a time.
const STUCK: usize = 3_000;

/// A queue whose dead letters go where their own keys say; so many go to `full`, where there is no room, and
/// the last ones to `there`.
fn mostly_stuck(session: &mut Client) -> Vec<Vec<u8>> {
    let limits = [
        ("x-max-length", Value::I64(1)),
        ("x-overflow", Value::from("reject-publish")),
    ];
    let full = declare_with(session, "full", &limits);
    put(session, &full, &[letter(b"before")]);
    declare_queue(session, "there");
    let mut arguments = arguments();
    arguments.retain(|(name, _)| *name != "x-dead-letter-routing-key");
    let queue = declare_with(session, "q", &arguments);
    let keyed = |nth: usize| {
        let key = if nth < STUCK { "full" } else { "there" };
        timed(key, format!("{nth}").as_bytes(), HOUR_MS, |_| {})
    };
    let all: Vec<Message> = (0..STUCK + 10).map(keyed).collect();
    put(session, &queue, &all);
    all[STUCK..]
        .iter()
        .map(|message| message.body().to_vec())
        .collect()
}

#[test]
fn what_a_deleted_queue_cannot_send_on_keeps_nothing_else_up() {
    let node = node();
    node.tick(HOUR_MS);
    let mut client = client(&node, "u");
    let last = mostly_stuck(&mut client);
    assert_eq!(delete(&mut client, "q"), STUCK + 10);
    assert_eq!(drain(&mut client, "there"), last);
    // What is stuck comes bit by bit, as there is room, in its order.
    let mut found = drain(&mut client, "full");
    for round in 1..=10 {
        // The more there is, the longer it waits.
        node.tick(HOUR_MS + round * 2_000 - 1);
        assert_eq!(drain(&mut client, "full").len(), 0);
        node.tick(HOUR_MS + round * 2_000);
        found.extend(drain(&mut client, "full"));
    }
    let wanted: Vec<_> = (0..10).map(|nth: usize| format!("{nth}").into_bytes()).collect();
    assert_eq!(found[1..], wanted);
    // And all of it when there is room for all.
    delete(&mut client, "full");
    declare_queue(&mut client, "full");
    node.tick(HOUR_MS + 22_000);
    assert_eq!(drain(&mut client, "full").len(), STUCK - 10);
    assert_eq!(node.memory().queues_bytes(), 0);
    node.tick(HOUR_MS + 40_000);
    assert_eq!(drain(&mut client, "full").len(), 0);
}

#[test]
fn what_a_deleted_queue_cannot_send_on_keeps_nothing_else_up_that_has_to_be_read() {
    let disk = SimDisk::new(1);
    let node = open(&disk);
    node.put_vhost(Vhost::named(vhost()));
    let mut session = client(&node, "u");
    let last = mostly_stuck(&mut session);
    node.stop().unwrap();
    drop((session, node));
    let node = open(&disk.kill());
    let mut session = client(&node, "u");
    assert_eq!(delete(&mut session, "q"), STUCK + 10);
    while node.read_back() {}
    assert_eq!(drain(&mut session, "there"), last);
    delete(&mut session, "full");
    declare_queue(&mut session, "full");
    let mut found = 0;
    for second in 2..=10 {
        node.tick(HOUR_MS + second * 1_000);
        while node.read_back() {}
        found += drain(&mut session, "full").len();
    }
    assert_eq!(found, STUCK);
    assert_eq!(node.memory().queues_bytes(), 0);
}
