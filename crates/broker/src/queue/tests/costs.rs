//! Promises of what things cost: nothing is read, walked over or remembered again and again.

use super::special::{NOW_MS, at, enqueue, noted, read, ruled, store, take};
use super::*;

fn grouped() -> Queue {
    ruled(Rules {
        group_by: Some(GroupBy::KeyPart(0)),
        ..Rules::default()
    })
}

fn of(key: &str) -> Message {
    Message::of(&Parts {
        key,
        body: b"body",
        persistent: true,
        published_ms: NOW_MS,
        ..Parts::default()
    })
    .unwrap()
}

/// What is wished for turns out to be what these names say.
fn read_keys(queue: &mut Queue, fetch: &Fetch, keys: &[&str]) {
    let found = (0..).zip(keys).map(|(seq, key)| (seq, of(key))).collect();
    queue.fetched(fetch.lane, fetch.ticket, found, &[]);
}

#[test]
fn what_was_settled_since_it_was_looked_at_stands_nowhere() {
    let mut queue = Queue::default();
    enqueue(&mut queue, &vec![noted(|_| {}, None); 3]);
    let out = take(&mut queue, NOW_MS).unwrap().ticket;
    let all = queue.unstored(false, 0, usize::MAX, usize::MAX);
    let seqs: Vec<u64> = all.iter().map(|(seq, _)| *seq).collect();
    queue.stored(false, 1, &seqs, 0);
    let scope = Scope {
        unsettled: true,
        delayed: false,
    };
    let mut absent = SeqSet::default();
    for look in queue.look(0, 10, scope) {
        assert!(look.message.is_none());
        absent.insert(look.seq);
    }
    at(&mut queue, &Command::Settle(&[out]), NOW_MS);
    let places = queue.places_of(&absent);
    let wanted: Vec<_> = places.iter().map(|place| place.wanted.clone()).collect();
    assert_eq!(wanted, [vec![Range { first: 1, last: 2 }]]);
}

#[test]
fn a_getter_of_an_empty_grouped_queue_does_not_wait_for_what_was_read_long_ago() {
    let mut queue = grouped();
    enqueue(&mut queue, &[of("a"), of("a")]);
    store(&mut queue, 1);
    queue.subscribe(prefetching(0, 0)).unwrap();
    assert!(dispatched(&mut queue).is_empty());
    let fetch = queue.fetch(100_000).unwrap();
    // Something else happens meanwhile.
    assert!(dispatched(&mut queue).is_empty());
    read_keys(&mut queue, &fetch, &["a", "a"]);
    assert_eq!(dispatched(&mut queue).len(), 2);
    at(&mut queue, &Command::Settle(&[Ticket(0), Ticket(1)]), NOW_MS);
    assert!(queue.fetch(100_000).is_none());
    assert!(matches!(queue.take(true, NOW_MS, &mut Vec::new()), Take::Empty));
}

#[test]
fn the_owner_of_a_group_is_served_behind_one_for_whom_there_is_nothing() {
    let mut queue = grouped();
    enqueue(&mut queue, &[of("a"), of("b")]);
    store(&mut queue, 1);
    for _ in 0..2 {
        queue.subscribe(prefetching(0, 0)).unwrap();
    }
    dispatched(&mut queue);
    let fetch = queue.fetch(100_000).unwrap();
    dispatched(&mut queue);
    read_keys(&mut queue, &fetch, &["a", "b"]);
    let owners = dispatched(&mut queue);
    for (nth, key) in [(1, "b"), (0, "a"), (1, "b")] {
        enqueue(&mut queue, &[of(key), of(key), of(key)]);
        let by_whom: Vec<_> = dispatched(&mut queue).iter().map(|(key, ..)| *key).collect();
        assert_eq!(by_whom, [owners[nth].0; 3]);
    }
}
