//! Promises of messages that are told apart by keys, by name: groups, duplicates, last values.

use super::*;
use crate::message::dead_letter;

/// Every header of a message is its body.
#[derive(Debug)]
struct Bodies;

impl HeaderReader for Bodies {
    fn header(&self, message: &Message, name: &str) -> Option<Value> {
        (name != "x-cache-ttl").then(|| Value::String(message.body().into()))
    }
}

fn go_by(queue: &mut Queue, rules: &Rules) {
    let reader: Arc<dyn HeaderReader> = Arc::new(Bodies);
    queue.set_rules_and_reader(rules, Some(&reader));
}

fn keyed(rules: &Rules) -> Queue {
    let mut queue = Queue::new(true);
    go_by(&mut queue, rules);
    queue
}

/// A message published now, all of whose headers are `key`, and which belongs to the group `group`.
fn of_key(key: &str, group: &str, persistent: bool, note: impl FnOnce(&mut AnnotationsWriter)) -> Message {
    let mut noted = AnnotationsWriter::default();
    note(&mut noted);
    Message::of(&Parts {
        key: group,
        body: key.as_bytes(),
        persistent,
        published_ms: NOW_MS,
        annotations: noted.bytes(),
        ..Parts::default()
    })
    .unwrap()
}

fn plain(key: &str) -> Message {
    of_key(key, "g", true, |_| {})
}

fn last_values() -> Rules {
    Rules {
        last_value_header: Some("any".into()),
        ..Rules::default()
    }
}

#[test]
fn a_newer_value_does_not_take_the_place_of_a_dead_letter_that_did_not_arrive_yet() {
    let mut queue = keyed(&Rules {
        dead_letters: Some(DeadLetters::default()),
        ..last_values()
    });
    enqueue(&mut queue, &[of_key("a", "g", true, |noted| noted.ttl_ms(10))]);
    at(&mut queue, &Command::Tick, NOW_MS + 10);
    enqueue(&mut queue, &[plain("a")]);
    assert_eq!((queue.totals().leaving, queue.totals().ready), (1, 1));
    assert_eq!(queue.leaving(5).first().unwrap().seq, Some(0));
}

fn seqs(queue: &Queue) -> Vec<u64> {
    queue.live().map(|(seq, ..)| seq).collect()
}

#[test]
fn a_value_that_came_back_goes_when_the_next_one_comes() {
    let mut queue = keyed(&last_values());
    enqueue(&mut queue, &[plain("a")]);
    let tickets = &[take(&mut queue, NOW_MS).unwrap().ticket];
    enqueue(&mut queue, &[plain("a")]);
    let failed = false;
    at(&mut queue, &Command::Return { tickets, failed }, NOW_MS);
    assert_eq!(seqs(&queue), [0, 1]);
    store(&mut queue, 1);
    // The same behind a restart.
    let mut again = Queue::restore(queue.summary());
    go_by(&mut again, &last_values());
    for queue in [&mut queue, &mut again] {
        enqueue(queue, &[plain("b"), plain("a")]);
        assert_eq!(seqs(queue), [2, 3]);
    }
}

#[test]
fn a_value_that_came_back_goes_though_one_that_was_delayed_is_ready_meanwhile() {
    let mut queue = keyed(&last_values());
    enqueue(&mut queue, &[plain("a")]);
    let tickets = &[take(&mut queue, NOW_MS).unwrap().ticket];
    enqueue(
        &mut queue,
        &[of_key("a", "g", true, |noted| noted.due_ms(NOW_MS + 10))],
    );
    let failed = false;
    at(&mut queue, &Command::Return { tickets, failed }, NOW_MS);
    at(&mut queue, &Command::Tick, NOW_MS + 10);
    assert_eq!(seqs(&queue), [0, 2]);
    enqueue(&mut queue, &[plain("a")]);
    assert_eq!(seqs(&queue), [3]);
}

fn deduplicating() -> Rules {
    Rules {
        deduplication: Some(Deduplication {
            keys_max: 9,
            ttl_ms: None,
        }),
        ..Rules::default()
    }
}

#[test]
fn a_transient_message_that_a_restart_took_may_come_again() {
    let mut queue = keyed(&deduplicating());
    let (lasts, goes) = (plain("a"), of_key("b", "g", false, |_| {}));
    enqueue(&mut queue, &[lasts.clone(), goes.clone()]);
    store(&mut queue, 1);
    let mut queue = Queue::restore(queue.summary());
    go_by(&mut queue, &deduplicating());
    queue.skip_to(2);
    enqueue(&mut queue, &[lasts, goes]);
    assert_eq!(seqs(&queue), [0, 2]);
}

#[test]
fn a_dead_letter_that_comes_back_is_no_copy() {
    let mut queue = keyed(&deduplicating());
    enqueue(&mut queue, &[plain("a")]);
    let delivery = take(&mut queue, NOW_MS).unwrap();
    at(&mut queue, &Command::Settle(&[delivery.ticket]), NOW_MS);
    let back = dead_letter(&delivery.message, "retries", Reason::Expired, NOW_MS, "", None).unwrap();
    enqueue(&mut queue, &[back, plain("a")]);
    assert_eq!(
        seqs(&queue),
        [1],
        "what came with the same key is a copy all the same"
    );
}

/// Everything that is in no extent goes to one, those that last and then the others.
fn store_all(queue: &mut Queue) {
    store(queue, 1);
    let all = queue.unstored(false, 0, usize::MAX, usize::MAX);
    let seqs: Vec<u64> = all.iter().map(|(seq, _)| *seq).collect();
    queue.stored(false, 2, &seqs, 0);
}

#[test]
fn a_transient_value_that_makes_way_takes_no_octets_of_those_that_last() {
    let mut queue = keyed(&last_values());
    enqueue(
        &mut queue,
        &[
            of_key("a", "g", false, |_| {}),
            plain("bcd"),
            of_key("e", "g", false, |noted| noted.due_ms(NOW_MS + 9000)),
        ],
    );
    store_all(&mut queue);
    enqueue(&mut queue, &[plain("a")]);
    assert_eq!((queue.totals().ready_octets, queue.summary().octets), (4, 3));
    at(&mut queue, &Command::Cancel(&[2]), NOW_MS);
    assert_eq!((queue.totals().ready_octets, queue.summary().octets), (4, 3));
}

#[test]
fn a_delayed_message_in_an_extent_is_cancelled_when_it_was_read() {
    let mut queue = Queue::new(true);
    let delayed = of_key("abc", "g", true, |noted| noted.due_ms(NOW_MS + 3000));
    enqueue(&mut queue, std::slice::from_ref(&delayed));
    store(&mut queue, 1);
    assert!(at(&mut queue, &Command::Cancel(&[0]), NOW_MS).is_empty());
    for fetch in queue.places_of_delayed(&[0]) {
        queue.fetched(fetch.lane, fetch.ticket, vec![(0, delayed.clone())], &[]);
    }
    at(&mut queue, &Command::Cancel(&[0]), NOW_MS);
    assert_eq!((queue.totals(), queue.summary().octets), (Totals::default(), 0));
    enqueue(&mut queue, &[plain("x")]);
    assert_eq!(queue.totals().ready_octets, 1);
}

#[test]
fn a_delayed_message_was_not_out_before_a_crash() {
    let mut queue = Queue::new(true);
    let delayed = || of_key("a", "g", true, |noted| noted.due_ms(NOW_MS + 60_000));
    enqueue(&mut queue, &[delayed(), plain("b")]);
    store(&mut queue, 1);
    let mut queue = Queue::restore(queue.summary());
    queue.apply([Fact::Enqueued {
        seq: 2,
        message: delayed(),
        is_due: false,
    }]);
    queue.mark_redelivered();
    let scope = Scope {
        delayed: true,
        ..Scope::default()
    };
    let looks = queue.look(0, 9, scope);
    let told: Vec<_> = looks.iter().map(|look| (look.seq, look.redelivered)).collect();
    assert_eq!(told, [(0, false), (1, true), (2, false)]);
}

fn grouped() -> Rules {
    Rules {
        group_by: Some(GroupBy::KeyPart(0)),
        ..Rules::default()
    }
}

#[test]
fn nobody_waits_for_what_expired_before_it_was_read() {
    let mut queue = keyed(&grouped());
    enqueue(&mut queue, &[of_key("a", "g", true, |noted| noted.ttl_ms(10))]);
    let pages = store(&mut queue, 1);
    assert!(matches!(queue.take(false, NOW_MS, &mut Vec::new()), Take::Absent));
    at(&mut queue, &Command::Tick, NOW_MS);
    read_pages(&mut queue, &pages);
    at(&mut queue, &Command::Tick, NOW_MS + 10);
    assert!(matches!(
        queue.take(false, NOW_MS + 10, &mut Vec::new()),
        Take::Empty
    ));
}

#[test]
fn what_is_purged_does_not_stand_in_the_way_of_other_groups() {
    let mut queue = keyed(&grouped());
    let others: Vec<Message> = vec![plain("x"); 65 * 1024];
    enqueue(&mut queue, &others);
    let [a, b] = [1, 1].map(|prefetch| queue.subscribe(prefetching(prefetch, 0)).unwrap());
    assert_eq!(dispatched(&mut queue), [(a, 0, false)], "the rest waits for it");
    at(&mut queue, &Command::Purge, NOW_MS);
    enqueue(&mut queue, &[of_key("y", "another", true, |_| {})]);
    assert_eq!(dispatched(&mut queue), [(b, 65 * 1024, false)]);
}

#[test]
fn nothing_is_noted_of_what_is_purged() {
    let mut queue = keyed(&Rules {
        consumer_timeout_ms: Some(10),
        ..last_values()
    });
    enqueue(&mut queue, &[plain("a")]);
    take(&mut queue, NOW_MS).unwrap();
    at(&mut queue, &Command::Tick, NOW_MS + 10);
    at(&mut queue, &Command::Purge, NOW_MS + 10);
    let facts = enqueue(&mut queue, &[plain("a")]);
    assert!(matches!(&facts[..], [Fact::Enqueued { seq: 1, .. }]), "{facts:?}");
}

#[test]
fn nothing_is_due_of_a_delayed_message_that_is_not_wanted_any_more() {
    let mut queue = Queue::new(true);
    enqueue(
        &mut queue,
        &[of_key("a", "g", true, |noted| noted.due_ms(NOW_MS + 10))],
    );
    assert_eq!(queue.next_due(), Some(NOW_MS + 10));
    at(&mut queue, &Command::Cancel(&[0]), NOW_MS);
    assert_eq!(queue.next_due(), None);
}

#[test]
fn what_is_delayed_and_what_is_not_leave_together_when_the_log_is_replayed() {
    let rules = with_dead_letters();
    let mut queue = keyed(&rules);
    let delayed = of_key("ab", "g", true, |noted| noted.due_ms(NOW_MS + 60_000));
    enqueue(
        &mut queue,
        &[plain("ab"), delayed.clone(), plain("ab"), delayed.clone()],
    );
    store(&mut queue, 1);
    let mut replica = Queue::restore(queue.summary());
    while queue.leaving(9).len() < 4 {
        queue.leave_some(9);
        read(&mut queue, &delayed);
    }
    replica.apply(at(&mut queue, &Command::Left(&[0, 1]), NOW_MS));
    let totals = replica.totals();
    assert_eq!((totals.ready, totals.delayed, totals.ready_octets), (1, 1, 2));
}
