//! Promises of what a plain queue does not have, by name: priorities, times, limits, dead letters.

mod keyed;

use super::model::pages_for;
use super::*;

/// Now, in milliseconds since 1970.
pub(super) const NOW_MS: u64 = 1_000_000;

pub(super) fn ruled(rules: Rules) -> Queue {
    let mut queue = Queue::new(true);
    queue.set_rules(&rules);
    queue
}

pub(super) fn with_dead_letters() -> Rules {
    Rules {
        dead_letters: Some(DeadLetters::default()),
        ..Rules::default()
    }
}

/// A persistent message published now, with a body of four octets.
pub(super) fn noted(note: impl FnOnce(&mut AnnotationsWriter), priority: Option<u8>) -> Message {
    let mut noted = AnnotationsWriter::default();
    note(&mut noted);
    Message::of(&Parts {
        key: "q",
        body: b"body",
        persistent: true,
        priority,
        published_ms: NOW_MS,
        annotations: noted.bytes(),
        ..Parts::default()
    })
    .unwrap()
}

pub(super) fn enqueue(queue: &mut Queue, messages: &[Message]) -> Vec<Fact> {
    at(queue, &Command::Enqueue(messages), NOW_MS)
}

pub(super) fn at(queue: &mut Queue, command: &Command<'_>, now_ms: u64) -> Vec<Fact> {
    let mut facts = Vec::new();
    queue.decide(command, now_ms, &mut facts);
    queue.apply(facts.iter().cloned());
    facts
}

pub(super) fn take(queue: &mut Queue, now_ms: u64) -> Option<Delivery> {
    match queue.take(false, now_ms, &mut Vec::new()) {
        Take::Message(delivery) => Some(delivery),
        Take::Empty | Take::Absent => None,
    }
}

/// Everything that is in no extent goes to one. Answers its pages of notes.
pub(super) fn store(queue: &mut Queue, extent: u64) -> Vec<(Page, Vec<Note>)> {
    let all = queue.unstored(true, 0, usize::MAX, usize::MAX);
    let seqs: Vec<u64> = all.iter().map(|(seq, _)| *seq).collect();
    queue.stored(true, extent, &seqs, 0);
    let pages = pages_for(extent, all.iter().map(|(seq, message)| (*seq, message)));
    queue.paged(true, &pages);
    pages
}

/// Pages that are wished for come.
fn read_pages(queue: &mut Queue, pages: &[(Page, Vec<Note>)]) {
    while let Some(fetch) = queue.fetch_notes() {
        let wanted = pages
            .iter()
            .filter(|(page, _)| fetch.numbers.contains(&page.number));
        let found: Vec<_> = wanted.map(|(page, notes)| (page.number, notes.clone())).collect();
        queue.fetched_notes(&fetch, &found, &[]);
    }
}

/// Whatever is wished for turns out to be `message`.
pub(super) fn read(queue: &mut Queue, message: &Message) {
    while let Some(fetch) = queue.fetch(1000) {
        let wanted = fetch.wanted.iter().flat_map(|range| range.first..=range.last);
        let found = wanted.map(|seq| (seq, message.clone())).collect();
        queue.fetched(fetch.lane, fetch.ticket, found, &[]);
    }
}

#[test]
fn a_message_without_a_priority_has_the_one_that_the_queue_gives() {
    let mut queue = ruled(Rules {
        max_priority: Some(9),
        default_priority: 4,
        ..Rules::default()
    });
    let messages = [None, Some(3), Some(5), Some(200)].map(|priority| noted(|_| {}, priority));
    enqueue(&mut queue, &messages);
    assert_eq!(queue.ready_by_priority(), [(3, 1), (4, 1), (5, 1), (9, 1)]);
}

#[test]
fn an_idle_queue_does_not_forget_what_is_delayed_in_an_extent() {
    let mut queue = Queue::new(true);
    let delayed = noted(|noted| noted.due_ms(NOW_MS + 60_000), None);
    enqueue(&mut queue, &[delayed]);
    store(&mut queue, 1);
    queue.unload();
    assert_eq!(queue.chain(true).live().len(), 1);
    assert_eq!((queue.totals().delayed, queue.totals().bytes), (1, 0));
}

fn resting_for(pause_ms: u64) -> Rules {
    Rules {
        max_priority: Some(9),
        retry: Some(Retry {
            which: Retried::All,
            min_ms: pause_ms,
            max_ms: pause_ms,
            backoff: Backoff::Linear,
            jitter_percent: 0,
        }),
        counts_deliveries: true,
        ..Rules::default()
    }
}

/// Takes the first message, and gives it back as failed.
fn fail(queue: &mut Queue, now_ms: u64) -> Vec<Fact> {
    at(queue, &Command::Tick, now_ms);
    let ticket = take(queue, now_ms).unwrap().ticket;
    let tickets = &[ticket];
    at(
        queue,
        &Command::Return {
            tickets,
            failed: true,
        },
        now_ms,
    )
}

#[test]
fn a_message_that_failed_again_rests_until_the_later_hour_when_the_log_is_replayed() {
    let rules = resting_for(10);
    let mut queue = ruled(rules.clone());
    let mut log = enqueue(&mut queue, &[noted(|_| {}, Some(7))]);
    log.extend(fail(&mut queue, NOW_MS));
    log.extend(fail(&mut queue, NOW_MS + 10));
    let mut replica = Queue::new(true);
    replica.apply(log.iter().cloned());
    replica.set_rules(&rules);
    assert_eq!(replica.next_due(), Some(NOW_MS + 20));
    at(&mut replica, &Command::Tick, NOW_MS + 20);
    assert_eq!(replica.ready_by_priority(), [(7, 1)]);
    let delivery = take(&mut replica, NOW_MS + 20).unwrap();
    assert_eq!((delivery.failures, delivery.redelivered), (Some(2), true));

    // It comes back at once this time, which nobody who rested before is to wait for.
    queue.set_rules(&Rules { retry: None, ..rules });
    log.extend(fail(&mut queue, NOW_MS + 20));
    let mut replica = Queue::new(true);
    replica.apply(log);
    assert_eq!((replica.totals().ready, replica.totals().delayed), (1, 0));
}

#[test]
fn a_purge_takes_what_has_rested_when_the_log_is_replayed() {
    let mut queue = ruled(resting_for(10));
    let mut log = enqueue(&mut queue, &[noted(|_| {}, None)]);
    log.extend(fail(&mut queue, NOW_MS));
    at(&mut queue, &Command::Tick, NOW_MS + 10);
    log.extend(at(&mut queue, &Command::Purge, NOW_MS + 10));
    let mut replica = Queue::new(true);
    replica.apply(log);
    assert_eq!(replica.totals(), Totals::default());
    assert_eq!(replica.live().count(), 0);
}

#[test]
fn a_summary_tells_how_often_a_resting_message_failed() {
    let rules = resting_for(10);
    let mut queue = ruled(rules.clone());
    let message = noted(|_| {}, Some(7));
    enqueue(&mut queue, std::slice::from_ref(&message));
    fail(&mut queue, NOW_MS);
    fail(&mut queue, NOW_MS + 10);
    store(&mut queue, 1);
    let mut queue = Queue::restore(queue.summary());
    queue.set_rules(&rules);
    at(&mut queue, &Command::Tick, NOW_MS + 20);
    assert_eq!(queue.ready_by_priority(), [(7, 1)]);
    let Take::Absent = queue.take(false, NOW_MS + 20, &mut Vec::new()) else {
        panic!("it is not in memory");
    };
    read(&mut queue, &message);
    let delivery = take(&mut queue, NOW_MS + 20).unwrap();
    assert_eq!((delivery.failures, delivery.redelivered), (Some(2), true));
}

#[test]
fn a_message_that_was_out_rested_or_was_leaving_expires_after_a_restart() {
    let rules = Rules {
        dead_letters: Some(DeadLetters::default()),
        max_length: Some(2),
        ..resting_for(20)
    };
    let mut queue = ruled(rules.clone());
    let message = noted(|noted| noted.ttl_ms(10), None);
    enqueue(&mut queue, &vec![message.clone(); 4]);
    let pages = store(&mut queue, 1);
    read(&mut queue, &message);
    // Two are too many, one comes back and rests, one is out.
    while queue.is_overfull() {
        at(&mut queue, &Command::Shed, NOW_MS);
        read(&mut queue, &message);
    }
    take_stored(&mut queue, &message);
    let tickets = &[take_stored(&mut queue, &message).ticket];
    at(
        &mut queue,
        &Command::Return {
            tickets,
            failed: true,
        },
        NOW_MS,
    );
    let Totals {
        leaving,
        delayed,
        unsettled,
        ..
    } = queue.totals();
    assert_eq!((leaving, delayed, unsettled), (2, 1, 1));

    let mut queue = Queue::restore(queue.summary());
    queue.set_rules(&rules);
    at(&mut queue, &Command::Tick, NOW_MS);
    read_pages(&mut queue, &pages);
    assert_eq!(queue.next_due(), Some(NOW_MS + 10));
    at(&mut queue, &Command::Tick, NOW_MS + 10);
    assert_eq!((queue.totals().leaving, queue.totals().delayed), (3, 1));
    at(&mut queue, &Command::Tick, NOW_MS + 20);
    assert_eq!((queue.totals().leaving, queue.totals().ready), (4, 0));
}

/// Takes the first message, which stands in an extent.
fn take_stored(queue: &mut Queue, message: &Message) -> Delivery {
    if let Take::Message(delivery) = queue.take(false, NOW_MS, &mut Vec::new()) {
        return delivery;
    }
    read(queue, message);
    take(queue, NOW_MS).unwrap()
}

pub(super) fn lent_for(timeout_ms: u64) -> Rules {
    Rules {
        consumer_timeout_ms: Some(timeout_ms),
        ..Rules::default()
    }
}

#[test]
fn a_message_that_went_out_again_is_not_taken_away_as_if_it_had_been_out_all_the_time() {
    let mut queue = ruled(lent_for(100));
    enqueue(&mut queue, &[noted(|_| {}, None)]);
    let tickets = &[take(&mut queue, NOW_MS).unwrap().ticket];
    at(
        &mut queue,
        &Command::Return {
            tickets,
            failed: false,
        },
        NOW_MS + 60,
    );
    take(&mut queue, NOW_MS + 60).unwrap();
    at(&mut queue, &Command::Tick, NOW_MS + 100);
    assert_eq!((queue.totals().unsettled, queue.take_timed_out().len()), (1, 0));
    at(&mut queue, &Command::Tick, NOW_MS + 160);
    assert_eq!((queue.totals().unsettled, queue.take_timed_out().len()), (0, 1));
}

#[test]
fn a_delivery_that_was_renewed_at_once_is_taken_away_once() {
    let mut queue = ruled(lent_for(100));
    enqueue(&mut queue, &[noted(|_| {}, None)]);
    let ticket = take(&mut queue, NOW_MS).unwrap().ticket;
    queue.renew(&[ticket, ticket], NOW_MS);
    at(&mut queue, &Command::Tick, NOW_MS + 100);
    assert_eq!(
        queue.take_timed_out(),
        [TimedOut {
            consumer: None,
            ticket
        }]
    );
}

#[test]
fn deliveries_that_were_settled_are_not_remembered_until_they_would_have_timed_out() {
    let mut queue = ruled(lent_for(1_000_000));
    enqueue(&mut queue, &vec![noted(|_| {}, None); 1000]);
    // One stays out, so that the others are behind it.
    take(&mut queue, NOW_MS).unwrap();
    for _ in 1..1000 {
        let ticket = take(&mut queue, NOW_MS + 1).unwrap().ticket;
        at(&mut queue, &Command::Settle(&[ticket]), NOW_MS + 1);
    }
    let extras = queue.extras.as_ref().unwrap();
    assert!(extras.times.leases.len() < 100, "{}", extras.times.leases.len());
}

#[test]
fn what_is_about_to_be_due_is_noted_with_its_hour_while_it_is_read() {
    let mut queue = Queue::new(true);
    let delayed = noted(|noted| noted.due_ms(NOW_MS + 100), None);
    enqueue(&mut queue, std::slice::from_ref(&delayed));
    let pages = store(&mut queue, 1);
    // Its page is to be read before, then itself, each by a tick at that time.
    let near = queue.next_due().unwrap();
    assert_eq!(near, NOW_MS + 80);
    at(&mut queue, &Command::Tick, near);
    read_pages(&mut queue, &pages);
    let due = queue.next_due().unwrap();
    assert_eq!(due, NOW_MS + 90);
    at(&mut queue, &Command::Tick, due);
    assert!(queue.next_due().is_none_or(|next| next > due));
    assert!(queue.fetch(1000).is_some());
    let mut again = Queue::restore(queue.summary());
    assert_eq!((again.totals().ready_octets, again.totals().delayed), (0, 1));
    at(&mut again, &Command::Tick, due);
    read_pages(&mut again, &pages);
    at(&mut again, &Command::Tick, due);
    read(&mut again, &delayed);
    assert_eq!(
        (again.next_due(), again.totals().delayed),
        (Some(NOW_MS + 100), 1)
    );
}

#[test]
fn notes_that_are_far_off_leave_memory_with_their_messages() {
    let mut queue = Queue::new(true);
    let messages: Vec<Message> = (0..40)
        .map(|nth| match nth % 2 {
            0 => noted(|noted| noted.due_ms(NOW_MS + 1000 + nth), None),
            _ => noted(|noted| noted.ttl_ms(1000 + nth), None),
        })
        .collect();
    enqueue(&mut queue, &messages);
    let pages = store(&mut queue, 1);
    let in_memory = |queue: &Queue| queue.extras.as_ref().unwrap().times.notes_in_memory();
    assert_eq!((in_memory(&queue), queue.totals().delayed), (0, 20));
    // Those of the first pages come, and no others.
    at(&mut queue, &Command::Tick, NOW_MS + 980);
    read_pages(&mut queue, &pages);
    assert_eq!(in_memory(&queue), NOTES_MAX);
}

#[test]
fn of_a_lost_page_the_messages_themselves_tell() {
    let mut queue = Queue::new(true);
    let delayed = noted(|noted| noted.due_ms(NOW_MS + 100), None);
    let expiring = noted(|noted| noted.ttl_ms(100), None);
    enqueue(&mut queue, &[delayed.clone(), expiring.clone()]);
    store(&mut queue, 1);
    at(&mut queue, &Command::Tick, NOW_MS + 90);
    let fetch = queue.fetch_notes().unwrap();
    queue.fetched_notes(&fetch, &[], &fetch.numbers);
    assert!(queue.fetch_notes().is_none());
    read(&mut queue, &delayed);
    assert_eq!(queue.next_due(), Some(NOW_MS + 100));
    at(&mut queue, &Command::Tick, NOW_MS + 100);
    // The other one expires when it was read.
    assert!(take(&mut queue, NOW_MS + 100).is_none());
    read(&mut queue, &expiring);
    at(&mut queue, &Command::Tick, NOW_MS + 100);
    assert_eq!((queue.totals().delayed, queue.totals().ready), (0, 1));
}

#[test]
fn octets_are_those_of_before_when_the_log_goes_on_behind_a_checkpoint() {
    let mut queue = ruled(resting_for(10));
    let delayed = noted(|noted| noted.due_ms(NOW_MS + 5), None);
    let plain = noted(|_| {}, None);
    enqueue(&mut queue, &[delayed, plain.clone(), plain.clone()]);
    let pages = store(&mut queue, 1);
    read(&mut queue, &plain);
    let summary = queue.summary();
    let mut log = Vec::new();
    // One rests, one has matured, one is ready.
    take_stored(&mut queue, &plain);
    let tickets = &[Ticket(1)];
    log.extend(at(
        &mut queue,
        &Command::Return {
            tickets,
            failed: true,
        },
        NOW_MS,
    ));
    at(&mut queue, &Command::Tick, NOW_MS + 5);
    read_pages(&mut queue, &pages);
    at(&mut queue, &Command::Tick, NOW_MS + 5);
    read(&mut queue, &noted(|noted| noted.due_ms(NOW_MS + 5), None));
    log.extend(at(&mut queue, &Command::Tick, NOW_MS + 5));
    assert_eq!((queue.totals().ready, queue.totals().ready_octets), (2, 8));
    let mut again = Queue::restore(summary);
    again.apply(log);
    assert_eq!((again.totals().ready, again.totals().ready_octets), (2, 8));
    // The resting one is settled in the log, too.
    let persistent = true;
    let (range, octets) = (Range::one(1), 4);
    again.apply([Fact::Settled {
        range,
        persistent,
        octets,
    }]);
    assert_eq!((again.totals().delayed, again.totals().ready_octets), (0, 8));
}

#[test]
fn what_matured_is_offered_before_it_expires() {
    let mut queue = Queue::new(true);
    let delayed = noted(
        |noted| {
            noted.due_ms(NOW_MS + 5);
            noted.ttl_ms(0);
        },
        None,
    );
    enqueue(&mut queue, &[delayed]);
    let mut facts = Vec::new();
    assert_eq!(queue.decide(&Command::Tick, NOW_MS + 5, &mut facts), 1);
    queue.apply(facts);
    assert_eq!((queue.next_due(), queue.totals().ready), (Some(NOW_MS + 5), 1));
    at(&mut queue, &Command::Tick, NOW_MS + 5);
    assert_eq!(queue.totals().ready, 0);
}

#[test]
fn what_is_taken_away_late_expires_before_what_matured_is_offered() {
    let mut queue = ruled(lent_for(5));
    let delayed = noted(|noted| noted.due_ms(NOW_MS + 5), None);
    enqueue(&mut queue, &[noted(|noted| noted.ttl_ms(3), None), delayed]);
    take(&mut queue, NOW_MS).unwrap();
    let tick = |queue: &mut Queue| {
        let mut facts = Vec::new();
        let matured = queue.decide(&Command::Tick, NOW_MS + 5, &mut facts);
        queue.apply(facts);
        (matured, queue.totals().ready)
    };
    // It comes back; it expires; the other is due.
    assert_eq!(
        [tick(&mut queue), tick(&mut queue), tick(&mut queue)],
        [(0, 1), (0, 0), (1, 1)]
    );
}

#[test]
fn a_rejected_message_that_did_not_leave_is_as_it_was() {
    let mut queue = ruled(with_dead_letters());
    let mut log = enqueue(&mut queue, &[noted(|_| {}, None)]);
    let ticket = take(&mut queue, NOW_MS).unwrap().ticket;
    log.extend(at(&mut queue, &Command::Reject(&[ticket]), NOW_MS));
    let mut replica = Queue::new(true);
    replica.apply(log);
    let marks = |queue: &Queue| {
        queue
            .live()
            .map(|(seq, _, marked)| (seq, marked))
            .collect::<Vec<_>>()
    };
    assert_eq!(marks(&queue), marks(&replica));
}

#[test]
fn a_transient_message_with_a_priority_is_not_in_a_summary() {
    let mut queue = ruled(Rules {
        max_priority: Some(9),
        ..Rules::default()
    });
    let message = Message::of(&Parts {
        priority: Some(5),
        ..Parts::default()
    });
    enqueue(&mut queue, &[noted(|_| {}, Some(5)), message.unwrap()]);
    store(&mut queue, 1);
    queue.stored(false, 2, &[1], 0);
    let again = Queue::restore(queue.summary());
    assert_eq!(
        (again.ready_by_priority(), again.live().count()),
        (vec![(5, 1)], 1)
    );
}

#[test]
fn an_idle_queue_does_not_forget_a_crash_while_it_holds_anything() {
    let mut queue = Queue::new(true);
    let log = enqueue(&mut queue, &[noted(|_| {}, None)]);
    queue.mark_redelivered();
    queue.unload();
    let mut again = Queue::restore(queue.summary());
    again.apply(log);
    assert!(take(&mut again, NOW_MS).unwrap().redelivered);
}

#[test]
fn a_purge_tells_apart_which_octets_stay_after_a_restart() {
    let mut queue = Queue::new(true);
    let delay = |noted: &mut AnnotationsWriter| noted.due_ms(NOW_MS + 5);
    let mut transient = AnnotationsWriter::default();
    delay(&mut transient);
    let transient = Message::of(&Parts {
        body: b"transient",
        annotations: transient.bytes(),
        ..Parts::default()
    });
    enqueue(
        &mut queue,
        &[noted(delay, None), transient.unwrap(), noted(|_| {}, None)],
    );
    let facts = at(&mut queue, &Command::Purge, NOW_MS);
    let [
        Fact::Purged {
            kept_octets,
            kept_persistent,
            ..
        },
    ] = facts[..]
    else {
        panic!("a purge");
    };
    assert_eq!((kept_octets, kept_persistent), (13, 4));
}

#[test]
fn a_purge_leaves_the_octets_of_what_stays_in_extents() {
    let mut queue = Queue::new(true);
    let transient = Message::of(&Parts {
        body: b"transient",
        ..Parts::default()
    });
    enqueue(
        &mut queue,
        &[transient.unwrap(), noted(|_| {}, None), noted(|_| {}, None)],
    );
    // The first one is out, and all stand in extents.
    take(&mut queue, NOW_MS).unwrap();
    store(&mut queue, 1);
    queue.stored(false, 2, &[0], 0);
    at(&mut queue, &Command::Purge, NOW_MS);
    assert_eq!((queue.summary().octets, queue.totals().unsettled_octets), (0, 9));
}

#[test]
fn what_was_settled_between_others_since_it_was_looked_at_stands_nowhere() {
    let mut queue = Queue::new(true);
    let transient = Message::of(&Parts {
        key: "q",
        ..Parts::default()
    });
    let transient = transient.unwrap();
    enqueue(&mut queue, &[(); 3].map(|()| transient.clone()));
    let all = queue.unstored(false, 0, usize::MAX, usize::MAX);
    let seqs: Vec<u64> = all.iter().map(|(seq, _)| *seq).collect();
    queue.stored(false, 1, &seqs, 0);
    let looks = queue.look(0, 9, Scope::default());
    let mut absent = SeqSet::default();
    for look in looks.iter().filter(|look| look.message.is_none()) {
        absent.insert(look.seq);
    }
    assert_eq!(absent.len(), 3);
    queue.apply([Fact::Settled {
        range: Range::one(1),
        persistent: false,
        octets: 0,
    }]);
    let places = queue.places_of(&absent);
    let wanted: Vec<_> = places.iter().flat_map(|place| &place.wanted).collect();
    assert_eq!(wanted, [&Range::one(0), &Range::one(2)]);
}
