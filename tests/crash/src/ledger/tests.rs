//! The checker can fail: each fault that it knows, made by hand.

use std::time::{Duration, Instant};

use super::*;
use crate::amqp::Content;

fn ledger() -> Ledger {
    let route = |key, queues| Route {
        exchange: "",
        key,
        queues,
    };
    let routes = vec![
        route("a", vec![0]),
        route("ab", vec![0, 1]),
        route("nowhere", vec![]),
    ];
    let ledger = Ledger::new(&["a", "b"], routes);
    ledger.producer();
    ledger
}

/// Publishes `count` messages to queue `a`, confirmed.
fn publish(ledger: &Ledger, count: u32) {
    for _ in 0..count {
        let identity = ledger.send(0, 10, 0, true).unwrap();
        ledger.resolve(0, &[identity.seq], Outcome::Confirmed);
    }
}

fn held(seq: u32, redelivered: bool) -> Held {
    Held {
        queue: 0,
        producer: 0,
        seq,
        redelivered,
        first: false,
    }
}

fn content(identity: Identity, redelivered: bool) -> Content {
    let body = identity.body();
    Content {
        consumer: "a".to_owned(),
        key: "a".to_owned(),
        properties: identity.properties(&body, true),
        body,
        redelivered,
        ..Content::default()
    }
}

fn identity(seq: u32) -> Identity {
    Identity {
        producer: 0,
        seq,
        length: 10,
    }
}

fn judge(ledger: &Ledger, found: &[(u32, bool)], taken: bool, window: Duration) -> Figures {
    let found = found.iter().map(|(seq, redelivered)| Found {
        held: held(*seq, *redelivered),
        taken,
    });
    let survey = Survey {
        queue: 0,
        found: found.collect(),
    };
    let end = End {
        at: Instant::now(),
        window,
    };
    ledger.judge(&survey, end);
    ledger.figures()
}

const WINDOW: Duration = Duration::from_secs(1);

#[test]
fn all_there_in_order_is_no_fault() {
    let ledger = ledger();
    publish(&ledger, 3);
    let figures = judge(&ledger, &[(0, false), (1, false), (2, true)], true, WINDOW);
    assert_eq!(figures.failures(), Vec::<String>::new());
    assert_eq!(figures.marked_unseen, 1);
}

#[test]
fn a_confirmed_message_that_is_missing_is_lost_and_others_may_be() {
    let ledger = ledger();
    publish(&ledger, 2);
    ledger.send(0, 10, 0, true);
    let nacked = ledger.send(0, 10, 0, true).unwrap();
    ledger.resolve(0, &[nacked.seq], Outcome::Nacked);
    assert_eq!(judge(&ledger, &[(0, false)], true, WINDOW).count(Fault::Lost), 1);
}

#[test]
fn a_delivery_without_an_acknowledgement_does_not_excuse_a_loss() {
    let ledger = ledger();
    publish(&ledger, 2);
    assert!(ledger.deliver(&content(identity(0), false)).is_some());
    assert!(ledger.deliver(&content(identity(1), false)).is_some());
    ledger.ack(&[held(1, false)]);
    assert_eq!(judge(&ledger, &[], true, WINDOW).count(Fault::Lost), 1);
}

#[test]
fn what_was_settled_long_ago_may_not_come_back() {
    let ledger = ledger();
    publish(&ledger, 2);
    ledger.ack(&[held(0, false), held(1, false)]);
    ledger.settle(&[held(0, false)]);
    std::thread::sleep(Duration::from_millis(5));
    let figures = judge(&ledger, &[(0, true), (1, true)], false, Duration::from_millis(1));
    assert_eq!(figures.count(Fault::SettledBack), 1);
    assert_eq!(figures.acks_undone, 1);
    // Its acknowledgement is undone for good, so the next end may not lose it.
    assert_eq!(judge(&ledger, &[(0, true)], false, WINDOW).count(Fault::Lost), 1);
}

#[test]
fn what_was_missing_once_stays_away() {
    let ledger = ledger();
    ledger.send(0, 10, 0, true);
    assert!(judge(&ledger, &[], true, WINDOW).failures().is_empty());
    let figures = judge(&ledger, &[(0, false)], true, WINDOW);
    assert_eq!(figures.count(Fault::SettledBack), 1);
}

#[test]
fn what_a_survey_took_is_gone() {
    let ledger = ledger();
    publish(&ledger, 1);
    assert!(judge(&ledger, &[(0, false)], true, WINDOW).failures().is_empty());
    assert!(judge(&ledger, &[], true, WINDOW).failures().is_empty());
    assert_eq!(
        judge(&ledger, &[(0, true)], true, WINDOW).count(Fault::SettledBack),
        1
    );
}

#[test]
fn a_wrong_order_and_a_second_copy_are_found() {
    let ledger = ledger();
    publish(&ledger, 3);
    let figures = judge(
        &ledger,
        &[(1, false), (0, false), (2, false), (2, false)],
        true,
        WINDOW,
    );
    assert_eq!(figures.count(Fault::Reordered), 1);
    assert_eq!(figures.count(Fault::Unexpected), 1);
}

#[test]
fn a_second_delivery_has_to_be_marked() {
    let ledger = ledger();
    publish(&ledger, 2);
    ledger.deliver(&content(identity(0), false));
    ledger.deliver(&content(identity(0), false));
    assert_eq!(ledger.figures().count(Fault::Unmarked), 1);
    let figures = judge(&ledger, &[(0, false), (1, false)], false, WINDOW);
    assert_eq!(figures.count(Fault::Unmarked), 2);
    assert_eq!(
        judge(&ledger, &[(0, true), (1, true)], false, WINDOW).count(Fault::Unmarked),
        2
    );
}

#[test]
fn a_message_that_is_not_persistent_stays_away() {
    let ledger = ledger();
    let sent = ledger.send(0, 10, 0, false).unwrap();
    ledger.resolve(0, &[sent.seq], Outcome::Confirmed);
    assert!(judge(&ledger, &[], false, WINDOW).failures().is_empty());
    let ledger = super::tests::ledger();
    ledger.send(0, 10, 0, false);
    assert_eq!(
        judge(&ledger, &[(0, false)], false, WINDOW).count(Fault::TransientBack),
        1
    );
}

#[test]
fn other_bytes_and_other_places_are_found() {
    let ledger = ledger();
    publish(&ledger, 1);
    let good = || content(identity(0), false);
    let mut bent = good();
    bent.body[3] ^= 1;
    assert!(ledger.deliver(&bent).is_none());
    let mut bent = good();
    bent.properties[40] ^= 1;
    assert!(ledger.deliver(&bent).is_none());
    let mut bent = good();
    bent.key = "b".to_owned();
    assert!(ledger.deliver(&bent).is_none());
    assert_eq!(ledger.figures().count(Fault::Corrupt), 3);
    let mut elsewhere = good();
    elsewhere.consumer = "b".to_owned();
    assert!(ledger.deliver(&elsewhere).is_none());
    assert!(ledger.deliver(&content(identity(7), false)).is_none());
    assert_eq!(ledger.figures().count(Fault::Unexpected), 2);
    assert!(ledger.deliver(&good()).is_some());
}

#[test]
fn an_acknowledged_message_does_not_come_again_while_the_broker_lives() {
    let ledger = ledger();
    publish(&ledger, 1);
    let held = ledger.deliver(&content(identity(0), false)).unwrap();
    ledger.ack(&[held]);
    ledger.deliver(&content(identity(0), true));
    assert_eq!(ledger.figures().count(Fault::SettledBack), 1);
}

#[test]
fn only_what_has_no_queue_may_be_returned() {
    let ledger = ledger();
    let nowhere = ledger.send(0, 10, 2, true).unwrap();
    ledger.returned(&content(nowhere, false));
    assert!(ledger.figures().failures().is_empty());
    let bound = ledger.send(0, 10, 1, true).unwrap();
    ledger.returned(&content(bound, false));
    assert_eq!(ledger.figures().count(Fault::Unexpected), 1);
}

#[test]
fn a_message_that_is_there_and_never_had_an_answer_is_counted() {
    let ledger = ledger();
    publish(&ledger, 1);
    ledger.send(0, 10, 0, true);
    ledger.send(0, 10, 0, true);
    let nacked = ledger.send(0, 10, 0, true).unwrap();
    ledger.resolve(0, &[nacked.seq], Outcome::Nacked);
    judge(&ledger, &[(0, false), (1, false), (3, false)], true, WINDOW);
    assert_eq!(ledger.unanswered(), 2);
    assert_eq!(ledger.unanswered_there(), 1);
}

#[test]
fn a_consumer_that_looks_late_at_what_a_closed_connection_brought_proves_nothing() {
    let faults = |may_close: bool| {
        let ledger = ledger();
        if may_close {
            ledger.let_close();
        }
        publish(&ledger, 1);
        // It was given back by the first consumer's connection, before that one looked at it.
        let second = ledger.deliver(&content(identity(0), true)).unwrap();
        ledger.ack(&[second]);
        ledger.settle(&[second]);
        ledger.deliver(&content(identity(0), false)).unwrap();
        let figures = ledger.figures();
        (figures.count(Fault::Unmarked), figures.count(Fault::SettledBack))
    };
    assert_eq!(faults(true), (0, 0));
    assert_eq!(faults(false), (1, 1));
}

#[test]
fn what_is_delivered_twice_as_new_is_found_where_connections_may_close_too() {
    let ledger = ledger();
    ledger.let_close();
    publish(&ledger, 2);
    for _ in 0..2 {
        ledger.deliver(&content(identity(0), false)).unwrap();
    }
    // An acknowledgement that the broker had seen is not undone.
    let held = ledger.deliver(&content(identity(1), false)).unwrap();
    ledger.ack(&[held]);
    ledger.settle(&[held]);
    ledger.deliver(&content(identity(1), true)).unwrap();
    let figures = ledger.figures();
    let counts = (figures.count(Fault::Unmarked), figures.count(Fault::SettledBack));
    assert_eq!(counts, (1, 1));
}
