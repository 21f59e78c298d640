//! Work on several queues that is one step, as far as sessions and operators see it.

use crate::broker::{client, id_of, message, node, with_headers};
use std::sync::Arc;
use warren_broker::catalog::QueueDeclaration;
use warren_broker::message::{Message, Parts};
use warren_broker::name::QueueName;
use warren_broker::value::{Table, Value};
use warren_node::{Batch, Client, Got, LiveQueue, Node, Touched};
use warren_store::{Log, MemoryLog};

fn declare(client: &mut Client, name: &str, arguments: &[(&'static str, Value)]) -> Arc<LiveQueue> {
    let asked = QueueDeclaration {
        name: QueueName::new(name).unwrap(),
        server_named: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        arguments: arguments.iter().cloned().collect(),
    };
    let mut touched = Touched::default();
    client.declare_queue(&asked, &mut touched).unwrap();
    touched.wake_all();
    client.vhost().queue(name).unwrap()
}

/// A queue that holds so many at most and does not take more.
fn declare_small(client: &mut Client, name: &str, length: i64) -> Arc<LiveQueue> {
    let overflow = ("x-overflow", Value::from("reject-publish"));
    declare(client, name, &[("x-max-length", Value::I64(length)), overflow])
}

fn dead_letters_to(queue: &str) -> [(&'static str, Value); 2] {
    let key = ("x-dead-letter-routing-key", Value::from(queue));
    [("x-dead-letter-exchange", Value::from("")), key]
}

/// Takes one message out for good.
fn take(client: &mut Client, queue: &str) -> Option<u32> {
    match client.take(&QueueName::new(queue).unwrap(), true).unwrap().1 {
        Got::Message(taken) => Some(id_of(&taken.delivery.message).1),
        _ => None,
    }
}

#[test]
fn dead_letters_that_are_not_to_be_lost_wait_where_only_some_of_them_fit() {
    let node = node();
    node.tick(1_000_000);
    let mut client = client(&node, "u");
    let small = declare_small(&mut client, "small", 3);
    let [exchange, key] = dead_letters_to("small");
    let arguments = [
        exchange,
        key,
        ("x-queue-type", Value::from("quorum")),
        ("x-overflow", Value::from("reject-publish")),
        ("x-dead-letter-strategy", Value::from("at-least-once")),
    ];
    let source = declare(&mut client, "source", &arguments);
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    (0..10).for_each(|number| batch.publish(&source, message((0, number), 0), 0));
    client.flush(&mut batch, &mut touched);
    for _ in 0..10 {
        let (queue, got) = client.take(&QueueName::new("source").unwrap(), false).unwrap();
        let Got::Message(taken) = got else {
            panic!("{got:?}")
        };
        batch.reject(&queue, taken.delivery.ticket);
    }
    client.flush(&mut batch, &mut touched);
    let mut all = Vec::new();
    for second in 1..10 {
        assert!(small.totals().ready <= 3);
        while let Some(number) = take(&mut client, "small") {
            all.push(number);
        }
        node.tick(1_000_000 + second * 1_000);
    }
    all.sort_unstable();
    assert_eq!(all, Vec::from_iter(0..10));
    assert_eq!(source.totals().leaving, 0);
}

#[test]
fn a_transaction_for_which_there_is_no_room_is_not_carried_out_at_all() {
    let node = node();
    let mut client = client(&node, "u");
    let [exchange, key] = dead_letters_to("over");
    let overflow = ("x-overflow", Value::from("reject-publish-dlx"));
    let full = declare(
        &mut client,
        "full",
        &[exchange, key, ("x-max-length", Value::I64(1)), overflow],
    );
    let over = declare(&mut client, "over", &[]);
    let other = declare(&mut client, "other", &[]);
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    let ready = || [&full, &over, &other].map(|queue| queue.totals().ready);
    (1..=3).for_each(|number| batch.publish(&full, message((0, number), 0), 0));
    batch.publish(&other, message((0, 4), 0), 0);
    assert_eq!(client.flush_together(&mut batch, &mut touched), None);
    assert_eq!(ready(), [0, 0, 0]);
    assert!(batch.is_empty());
    (1..=2).for_each(|number| batch.publish(&full, message((0, number), 0), 0));
    assert_eq!(
        client.flush_together(&mut batch, &mut touched),
        None,
        "one queue alone"
    );
    assert_eq!(ready(), [0, 0, 0]);
    batch.publish(&full, message((0, 5), 0), 0);
    batch.publish(&other, message((0, 6), 0), 0);
    assert!(client.flush_together(&mut batch, &mut touched).is_some());
    assert_eq!(ready(), [1, 0, 1]);
}

#[test]
fn what_comes_back_takes_no_room_from_what_comes_with_it() {
    let node = node();
    let mut client = client(&node, "u");
    let small = declare_small(&mut client, "small", 1);
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    batch.publish(&small, message((0, 1), 0), 0);
    client.flush(&mut batch, &mut touched);
    let (_, got) = client.take(&QueueName::new("small").unwrap(), false).unwrap();
    let Got::Message(taken) = got else {
        panic!("{got:?}")
    };
    batch.give_back(&small, taken.delivery.ticket, false);
    batch.publish(&small, message((0, 2), 0), 0);
    assert!(client.flush_together(&mut batch, &mut touched).is_some());
    assert_eq!(small.totals().ready, 2);
}

#[test]
fn a_transaction_settles_everything_that_it_names_or_nothing() {
    let node = node();
    let mut client = client(&node, "u");
    let timeout = ("x-consumer-timeout", Value::I64(300));
    let source = declare(&mut client, "source", &[timeout]);
    let output = declare(&mut client, "output", &[]);
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    (0..2).for_each(|number| batch.publish(&source, message((0, number), 0), 0));
    client.flush(&mut batch, &mut touched);
    let mut get = || match client.take(&QueueName::new("source").unwrap(), false).unwrap() {
        (_, Got::Message(taken)) => taken.delivery.ticket,
        other => panic!("{other:?}"),
    };
    let first = get();
    node.tick(node.now_ms() + 301);
    let second = get();
    assert_eq!(first.seq(), second.seq(), "it came back");
    batch.settle(&source, first);
    batch.publish(&output, message((0, 2), 0), 0);
    assert_eq!(client.flush_together(&mut batch, &mut touched), None);
    assert_eq!([&source, &output].map(|queue| queue.totals().ready), [1, 0]);
    batch.settle(&source, second);
    batch.publish(&output, message((0, 2), 0), 0);
    assert!(client.flush_together(&mut batch, &mut touched).is_some());
    let totals = source.totals();
    assert_eq!((totals.ready, totals.unsettled, output.totals().ready), (1, 0, 1));
}

/// Every message has the key that is its body.
fn body_is_key(message: &Message) -> Option<Table> {
    let key = Value::String(message.body().into());
    Some([("x-deduplication-header", key)].into_iter().collect())
}

#[test]
fn a_transaction_of_what_came_before_waits_for_what_came_then() {
    let config = with_headers(body_is_key);
    let log = Arc::new(MemoryLog::default());
    let node = Node::new(config, Arc::clone(&log) as Arc<dyn Log>);
    node.put_vhost(warren_broker::catalog::Vhost::named(crate::broker::vhost()));
    let mut client = client(&node, "u");
    let once = [("x-message-deduplication", Value::Bool(true))];
    let queues = [
        declare(&mut client, "one", &once),
        declare(&mut client, "other", &once),
    ];
    let message = Message::of(&Parts {
        body: b"key",
        persistent: true,
        ..Parts::default()
    })
    .unwrap();
    let mut touched = Touched::default();
    // In one queue, and in several at once.
    for queues in [&queues[..1], &queues[..]] {
        let mut batch = Batch::default();
        queues
            .iter()
            .for_each(|queue| batch.publish(queue, message.clone(), 0));
        let first = client.flush_together(&mut batch, &mut touched).unwrap();
        queues
            .iter()
            .for_each(|queue| batch.publish(queue, message.clone(), 0));
        let again = client.flush_together(&mut batch, &mut touched).unwrap();
        assert!(first.all > warren_node::Position(0));
        assert!(again.all >= first.all, "{again:?} behind {first:?}");
    }
    assert_eq!(queues.map(|queue| queue.totals().ready), [1, 1]);
}
