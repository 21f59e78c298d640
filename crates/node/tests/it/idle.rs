//! What goes on where nobody does anything: next to nothing, and what is due.

use crate::broker::{client, declare_with, message, node, vhost};
use crate::sim::sim_disk::SimDisk;
use std::sync::Arc;
use warren_broker::catalog::Vhost;
use warren_broker::message::{Message, Parts};
use warren_broker::name::QueueName;
use warren_broker::value::{Table, Value};
use warren_node::storage::Options;
use warren_node::{Address, Batch, Client, Config, Consume, Consumed, Inbox, Node, SharedCredit, Touched};

/// Now, in milliseconds since 1970.
const NOW_MS: u64 = 1_700_000_000_000;

#[test]
fn what_has_a_time_to_live_is_not_read_again_and_again() {
    const TTL_MS: i64 = 60_000;
    let options = Options {
        recent_bytes: 100_000,
        disk_free_limit: 0,
        ..Options::default()
    };
    let opened = Node::open(Config::default(), options, Arc::new(SimDisk::new(7))).unwrap();
    let node = opened.node;
    node.tick(NOW_MS);
    node.put_vhost(Vhost::named(vhost()));
    let mut client = client(&node, "u");
    let mut touched = Touched::default();
    let parts = Parts {
        key: "q",
        body: &[1; 3000],
        persistent: true,
        published_ms: NOW_MS,
        ..Parts::default()
    };
    let mut queues = Vec::new();
    for nth in 0..100 {
        let arguments = [("x-message-ttl", Value::I64(TTL_MS))];
        let queue = declare_with(&mut client, &format!("q{nth}"), &arguments);
        let mut batch = Batch::default();
        for _ in 0..4 {
            batch.publish(&queue, Message::of(&parts).unwrap(), 0);
        }
        client.flush(&mut batch, &mut touched);
        queues.push(queue);
    }
    let reads_of_a_round = || {
        node.keep_house().unwrap();
        let mut reads = 0;
        while reads < 10_000 && node.read_back() {
            reads += 1;
        }
        reads
    };
    // The first of each queue may have to be read once, which is more than there is room for.
    let reads: Vec<usize> = (0..8).map(|_| reads_of_a_round()).collect();
    assert!(reads.iter().sum::<usize>() <= 100, "{reads:?}");
    assert_eq!(reads[4..], [0; 4], "{reads:?}");
    assert!(node.memory().queues_bytes() <= 100_000);
    node.tick(NOW_MS + 60_000);
    while node.read_back() {}
    let left: usize = queues.iter().map(|queue| queue.totals().ready).sum();
    assert_eq!(left, 0);
    touched.wake_all();
}

fn consume(client: &mut Client, priority: i64) -> Consumed {
    let arguments: Table = [("x-priority".to_owned(), Value::I64(priority))]
        .into_iter()
        .collect();
    let asked = Consume {
        queue: QueueName::new("q").unwrap(),
        no_ack: false,
        exclusive: false,
        prefetch: 1,
        shared: Arc::new(SharedCredit::default()),
        arguments,
        address: Address {
            channel: 1,
            consumer: 1,
        },
    };
    client.consume(asked).unwrap()
}

fn came(client: &Client) -> usize {
    let mut inbox = Inbox::default();
    client.mailbox().take(&mut inbox);
    inbox.parcels.len()
}

#[test]
fn the_next_single_consumer_is_served_at_once_when_the_one_before_ends() {
    let node = node();
    let mut clients = ["a", "b"].map(|user| client(&node, user));
    let arguments = [("x-single-active-consumer", Value::Bool(true))];
    let queue = declare_with(&mut clients[0], "q", &arguments);
    let consumed = clients.each_mut().map(|client| consume(client, 0));
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    for number in 0..10 {
        batch.publish(&queue, message((0, number), 0), 0);
    }
    clients[0].flush(&mut batch, &mut touched);
    assert_eq!(clients.each_ref().map(came), [1, 0]);
    // It holds what it got.
    clients[0].cancel(&consumed[0].queue, consumed[0].key, &mut touched);
    assert_eq!(clients.each_ref().map(came), [0, 1]);
    touched.wake_all();
}
