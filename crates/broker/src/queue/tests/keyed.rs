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

/// How many of these messages the queue takes.
fn taken(queue: &mut Queue, bodies: &[&[u8]]) -> usize {
    let messages: Vec<Message> = bodies.iter().map(|body| of(body)).collect();
    assert_eq!(
        queue.has_room_for_all(&messages, NOW_MS),
        queue.decide(&Command::Enqueue(&messages), NOW_MS, &mut Vec::new()) == messages.len(),
        "what is said to fit is taken"
    );
    let mut facts = Vec::new();
    let taken = queue.decide(&Command::Enqueue(&messages), NOW_MS, &mut facts);
    queue.apply(facts);
    taken
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

fn refusing(rules: Rules) -> Queue {
    keyed(&Rules {
        overflow: Overflow::RejectPublish,
        ..rules
    })
}

#[test]
fn a_full_queue_takes_a_message_that_came_before() {
    let mut queue = refusing(Rules {
        deduplication: Some(Deduplication {
            keys_max: 128,
            ttl_ms: None,
        }),
        max_length: Some(3),
        ..Rules::default()
    });
    assert_eq!(taken(&mut queue, &[b"a", b"b"]), 2);
    assert_eq!(
        taken(&mut queue, &[b"a", b"c", b"c", b"b"]),
        4,
        "one of them is new"
    );
    assert_eq!(taken(&mut queue, &[b"a"]), 1);
    assert_eq!(
        taken(&mut queue, &[b"b", b"d", b"c"]),
        1,
        "the first that is too much, and all behind"
    );
    assert_eq!(queue.totals().ready, 3);
}

#[test]
fn a_copy_behind_what_finds_no_room_is_no_dead_letter() {
    let mut queue = refusing(Rules {
        deduplication: Some(Deduplication {
            keys_max: 128,
            ttl_ms: None,
        }),
        max_length: Some(1),
        ..Rules::default()
    });
    assert_eq!(taken(&mut queue, &[b"a"]), 1);
    let rest = [of(b"b"), of(b"a"), of(b"c")];
    assert_eq!(queue.decide(&Command::Enqueue(&rest), NOW_MS, &mut Vec::new()), 0);
    queue.turn_away(&rest, NOW_MS);
    let leaving = queue.leaving(9);
    let bodies: Vec<&[u8]> = leaving.iter().map(|one| one.message.body()).collect();
    assert_eq!(bodies, [b"b", b"c"]);
}

#[test]
fn a_full_queue_takes_what_takes_the_place_of_another() {
    let mut queue = refusing(Rules {
        max_length: Some(2),
        max_length_bytes: Some(6),
        ..last_values()
    });
    assert_eq!(taken(&mut queue, &[b"a1", b"b1"]), 2);
    assert_eq!(taken(&mut queue, &[b"a2", b"b2", b"a33"]), 3);
    assert_eq!((queue.totals().ready, queue.totals().ready_octets), (2, 5));
    assert_eq!(taken(&mut queue, &[b"b333"]), 0, "too many octets");
    assert_eq!(taken(&mut queue, &[b"b3", b"c"]), 1, "too many messages");
    // What is out makes room, and nothing takes its place.
    queue.take(false, NOW_MS, &mut Vec::new());
    assert_eq!(queue.totals().ready, 1);
    let out = queue.unsettled.first().unwrap().1.message.clone().unwrap();
    assert_eq!(taken(&mut queue, &[out.body(), out.body()]), 2);
    assert_eq!(queue.totals().ready, 2);
}
