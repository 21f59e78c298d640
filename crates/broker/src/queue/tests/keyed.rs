//! Promises of queues that tell messages apart by keys: deduplication and last values.

use super::special::{NOW_MS, at, enqueue, lent_for};
use super::*;
use crate::value::Value;

/// Any header is what the body begins with; a message without a body has none.
#[derive(Debug)]
struct FirstOctet;

impl HeaderReader for FirstOctet {
    fn header(&self, message: &Message, name: &str) -> Option<Value> {
        let first = message.body().first()?;
        (name != "x-cache-ttl").then(|| Value::String([*first].as_slice().into()))
    }
}

fn keyed(rules: &Rules) -> Queue {
    let mut queue = Queue::new(true);
    let reader: Arc<dyn HeaderReader> = Arc::new(FirstOctet);
    queue.set_rules_and_reader(rules, Some(&reader));
    queue
}

fn last_values() -> Rules {
    Rules {
        last_value_header: Some("k".into()),
        ..Rules::default()
    }
}

fn of(body: &[u8]) -> Message {
    Message::of(&Parts {
        key: "q",
        body,
        persistent: true,
        published_ms: NOW_MS,
        ..Parts::default()
    })
    .unwrap()
}

#[test]
fn nothing_is_left_of_keys_whose_messages_were_purged() {
    let mut queue = keyed(&last_values());
    enqueue(&mut queue, &[of(b"a"), of(b"b"), of(b"c")]);
    let held = match queue.take(false, NOW_MS, &mut Vec::new()) {
        Take::Message(delivery) => delivery.ticket,
        other => panic!("{other:?}"),
    };
    let facts = at(&mut queue, &Command::Purge, NOW_MS);
    let keys = |queue: &Queue| queue.extras.as_ref().unwrap().last.all().count();
    assert_eq!(keys(&queue), 1, "that of the message that is out");
    let mut replica = keyed(&last_values());
    enqueue(&mut replica, &[of(b"a"), of(b"b"), of(b"c")]);
    replica.apply(facts);
    assert_eq!(keys(&replica), 1);
    at(&mut queue, &Command::Settle(&[held]), NOW_MS);
    assert_eq!(keys(&queue), 0);
}

#[test]
fn nothing_is_left_of_turns_of_messages_that_were_purged() {
    let mut queue = Queue::new(true);
    queue.set_rules(&lent_for(100));
    enqueue(&mut queue, &[of(b"a")]);
    queue.take(false, NOW_MS, &mut Vec::new());
    at(&mut queue, &Command::Tick, NOW_MS + 100);
    assert_eq!(queue.totals().ready, 1, "it was taken away");
    assert_eq!(queue.extras.as_ref().unwrap().turn_of(0), 1);
    at(&mut queue, &Command::Purge, NOW_MS + 100);
    assert_eq!(queue.extras.as_ref().unwrap().turn_of(0), 0);
}
