//! Promises of what things cost: nothing is read, walked over or remembered again and again.

use super::special::{NOW_MS, at, enqueue, noted, read, ruled, store, take, with_dead_letters};
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

/// A queue of which the first message is the first to expire, with all of it in an extent.
fn with_ttl(rules: Rules) -> Queue {
    let mut queue = ruled(Rules {
        message_ttl_ms: Some(500),
        ..rules
    });
    enqueue(&mut queue, &vec![noted(|_| {}, None); 10]);
    store(&mut queue, 1);
    queue
}

#[test]
fn only_the_first_message_is_read_to_know_when_it_expires_and_that_once() {
    let mut queue = with_ttl(Rules::default());
    let fetch = queue.fetch(100_000).unwrap();
    assert_eq!(fetch.wanted, [Range::one(0)]);
    queue.fetched(fetch.lane, fetch.ticket, vec![(0, noted(|_| {}, None))], &[]);
    for _ in 0..3 {
        assert_eq!(
            (queue.fetch(100_000), queue.next_due()),
            (None, Some(NOW_MS + 500))
        );
        queue.evict(0);
        assert_eq!(queue.totals().bytes, 0);
    }
    // It is taken, and nobody knows of the next one.
    assert!(matches!(queue.take(false, NOW_MS, &mut Vec::new()), Take::Absent));
    let fetch = queue.fetch(100_000).unwrap();
    queue.fetched(fetch.lane, fetch.ticket, vec![(0, noted(|_| {}, None))], &[]);
    take(&mut queue, NOW_MS).unwrap();
    assert_eq!(queue.next_due(), None);
    assert_eq!(queue.fetch(100_000).unwrap().wanted, [Range::one(1)]);
}

#[test]
fn what_was_read_to_know_when_it_expires_is_read_again_when_it_does() {
    for rules in [Rules::default(), with_dead_letters()] {
        let has_dead_letters = rules.dead_letters.is_some();
        let mut queue = with_ttl(rules);
        read(&mut queue, &noted(|_| {}, None));
        queue.evict(0);
        at(&mut queue, &Command::Tick, NOW_MS + 499);
        assert_eq!(queue.fetch(100_000), None);
        at(&mut queue, &Command::Tick, NOW_MS + 500);
        // Until it is there nothing is to be done, and the clock need not call.
        assert_eq!((queue.next_due(), queue.totals().ready), (None, 10));
        // More each time, as all that is read is over.
        for left in [9, 5, 0] {
            read(&mut queue, &noted(|_| {}, None));
            assert_eq!(queue.next_due(), Some(NOW_MS + 500));
            at(&mut queue, &Command::Tick, NOW_MS + 500);
            assert_eq!(queue.totals().ready, left);
        }
        assert_eq!(queue.totals().leaving, if has_dead_letters { 10 } else { 0 });
    }
}

#[test]
fn a_purge_that_leaves_many_pieces_goes_through_them_once() {
    const COUNT: usize = 20_000;
    // Every second one is out when the queue is purged, and is in a lane when the purge is replayed.
    let mut queue = queue_of(2 * COUNT);
    queue.subscribe(prefetching(0, 0)).unwrap();
    dispatched(&mut queue);
    let tickets: Vec<Ticket> = (0..COUNT as u64).map(|nth| Ticket(2 * nth)).collect();
    let (tickets, failed) = (&tickets[..], false);
    carry_out(&mut queue, &Command::Return { tickets, failed });
    let mut facts = Vec::new();
    queue.decide(&Command::Purge, 0, &mut facts);
    let mut replica = queue_of(2 * COUNT);
    // With a walk for each piece this alone took a minute.
    replica.apply(facts);
    let left: Vec<u64> = replica.live().map(|(seq, ..)| seq).collect();
    assert_eq!(left, (0..COUNT as u64).map(|nth| 2 * nth + 1).collect::<Vec<_>>());
}

#[test]
fn a_purge_between_delayed_messages_looks_at_the_hours_once() {
    const COUNT: usize = 30_000;
    let later = noted(|noted| noted.due_ms(NOW_MS + 1_000_000), None);
    let expires = noted(|noted| noted.ttl_ms(500_000), None);
    let all: Vec<Message> = (0..COUNT)
        .flat_map(|_| [later.clone(), expires.clone()])
        .collect();
    let mut queue = ruled(Rules::default());
    enqueue(&mut queue, &all);
    at(&mut queue, &Command::Purge, NOW_MS);
    assert_eq!((queue.totals().ready, queue.totals().delayed), (0, COUNT));
    assert_eq!(
        queue.next_due(),
        Some(NOW_MS + 1_000_000),
        "nothing else is to happen"
    );
}

#[test]
fn an_owner_is_served_behind_any_number_of_consumers_for_whom_there_is_nothing() {
    let mut queue = grouped();
    let keys: Vec<_> = (0..1000)
        .map(|_| queue.subscribe(prefetching(0, 0)).unwrap())
        .collect();
    // One owns a group, and takes what comes of it; all others wait.
    for _ in 0..1000 {
        enqueue(&mut queue, &[of("a")]);
        let whom: Vec<_> = dispatched(&mut queue).iter().map(|(key, ..)| *key).collect();
        assert_eq!(whom, [keys[0]]);
    }
}

#[test]
fn owners_of_groups_take_turns_by_priority_and_in_their_order() {
    let mut queue = grouped();
    let [_, a, b, idle] = [0, 5, 5, 5].map(|priority| queue.subscribe(prefetching(0, priority)).unwrap());
    enqueue(&mut queue, &[of("a"), of("b"), of("c")]);
    let firsts: Vec<_> = dispatched(&mut queue).iter().map(|(key, ..)| *key).collect();
    assert_eq!(firsts, [a, b, idle]);
    enqueue(&mut queue, &["b", "a", "b", "a", "b"].map(of));
    let order: Vec<_> = dispatched(&mut queue).iter().map(|(key, ..)| *key).collect();
    assert_eq!(order, [a, b, a, b, b]);
}

#[test]
fn of_a_deleted_queue_little_is_in_memory_and_nothing_is_read_twice_in_a_round() {
    const COUNT: u64 = 1000;
    const READ_MAX: u64 = 10;
    let mut queue = ruled(with_dead_letters());
    let letter = of("k");
    enqueue(&mut queue, &vec![letter.clone(); COUNT as usize]);
    store(&mut queue, 1);
    assert_eq!(queue.bytes(), 0);
    // Nobody takes any but the last ones.
    let (mut reads, mut left) = (0, 0);
    while left < 10 {
        queue.leave_some(10);
        if let Some(fetch) = queue.fetch(1000) {
            let wanted = fetch.wanted.iter().flat_map(|range| range.first..=range.last);
            let found = wanted.take(READ_MAX as usize).map(|seq| (seq, letter.clone()));
            let found: Vec<_> = found.collect();
            reads += found.len() as u64;
            queue.fetched(fetch.lane, fetch.ticket, found, &[]);
        }
        let all: Vec<u64> = queue.leaving(10).iter().filter_map(|one| one.seq).collect();
        let taken: Vec<u64> = all.iter().copied().filter(|seq| *seq >= COUNT - 10).collect();
        at(&mut queue, &Command::Left(&taken), NOW_MS);
        left += taken.len();
        queue.not_taken(&all);
        assert!(queue.bytes() <= 3 * READ_MAX as usize * letter.memory_bytes());
        assert!(reads <= COUNT, "{reads} reads");
    }
    assert_eq!((reads, queue.totals().ready), (COUNT, COUNT as usize - 10));
}
