//! The queue against a naive one, and its promises by name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod costs;
mod keyed;
mod model;
mod special;

use super::*;
use crate::message::{AnnotationsWriter, Parts, Reason};
use crate::value::Value;
use model::{Step, Trial};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use std::collections::HashSet;

/// Tries so many random sequences of so many steps at most. Answers how many steps that were.
fn try_out(cases: u32, steps_max: usize) -> u64 {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    };
    let rules = prop::collection::vec(any::<[u8; 2]>(), 0..8);
    let steps = prop::collection::vec(
        proptest::strategy::Strategy::prop_map(any::<[u8; 3]>(), Step::of),
        0..steps_max,
    );
    let count = Cell::new(0);
    let outcome = TestRunner::new(config).run(
        &(rules, steps, any::<u8>(), any::<u8>()),
        |(rules, steps, kind, max_priority)| {
            let mut trial = Trial::new(kind, max_priority);
            for bytes in rules {
                trial.run(&(Step::Twist(bytes), false));
            }
            for step in &steps {
                trial.run(step);
                nothing_stays_noted(trial.queue());
            }
            count.set(count.get() + steps.len() as u64);
            Ok(())
        },
    );
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    count.get()
}

/// What is done with leaves nothing behind.
fn nothing_stays_noted(queue: &Queue) {
    let Some(extras) = &queue.extras else { return };
    let live: HashSet<u64> = queue.live().map(|(seq, ..)| seq).collect();
    for seq in extras.noted() {
        assert!(live.contains(&seq), "{seq} is noted, and not there");
    }
}

#[test]
fn behaves_as_the_naive_queue() {
    try_out(3000, 150);
}

/// `cargo test --package warren-broker for_long -- --ignored --nocapture`. `WARREN_MODEL_STEPS` says how many
/// steps instead of ten million.
#[test]
#[ignore = "takes some minutes"]
fn behaves_as_the_naive_queue_for_long() {
    let wanted = std::env::var("WARREN_MODEL_STEPS").map(|steps| steps.parse().expect("a number of steps"));
    let wanted: u64 = wanted.unwrap_or(10_000_000);
    let (started, mut steps) = (std::time::Instant::now(), 0);
    while steps < wanted {
        steps += try_out(1000, 400);
    }
    eprintln!("{steps} steps in {:?}", started.elapsed());
}

/// Takes everything, and remembers by whom and in which order.
#[derive(Default)]
struct Taker(Vec<(ConsumerKey, u64, bool)>);

impl Outlet for Taker {
    fn offer(&mut self, consumer: ConsumerKey, delivery: Delivery) -> Result<(), Delivery> {
        self.0
            .push((consumer, delivery.ticket.seq(), delivery.redelivered));
        Ok(())
    }
}

fn message(body: &[u8]) -> Message {
    let key = "q";
    Message::of(&Parts {
        key,
        body,
        ..Parts::default()
    })
    .unwrap()
}

fn queue_of(count: usize) -> Queue {
    let mut queue = Queue::default();
    carry_out(&mut queue, &Command::Enqueue(&vec![message(b"m"); count]));
    queue
}

fn carry_out(queue: &mut Queue, command: &Command<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    queue.decide(command, 0, &mut facts);
    queue.apply(facts.iter().cloned());
    facts
}

fn dispatched(queue: &mut Queue) -> Vec<(ConsumerKey, u64, bool)> {
    let mut taker = Taker::default();
    queue.dispatch(&mut taker, 0, &mut Vec::new());
    taker.0
}

fn prefetching(prefetch: u32, priority: i64) -> Subscription {
    Subscription {
        prefetch,
        priority,
        ..Subscription::default()
    }
}

#[test]
fn a_returned_message_goes_back_to_its_place() {
    let mut queue = queue_of(5);
    let key = queue.subscribe(prefetching(3, 0)).unwrap();
    dispatched(&mut queue);
    queue.cancel(key);
    let tickets = &[Ticket(2), Ticket(0)];
    let failed = false;
    carry_out(&mut queue, &Command::Return { tickets, failed });
    let mut order = Vec::new();
    while let Take::Message(delivery) = queue.take(true, 0, &mut Vec::new()) {
        order.push((delivery.ticket.seq(), delivery.redelivered));
    }
    assert_eq!(order, [(0, true), (2, true), (3, false), (4, false)]);
}

#[test]
fn consumers_of_the_highest_priority_take_turns_until_they_are_full() {
    let mut queue = queue_of(6);
    let low = queue.subscribe(prefetching(0, 0)).unwrap();
    let [a, b] = [2, 1].map(|prefetch| queue.subscribe(prefetching(prefetch, 5)).unwrap());
    let by_whom: Vec<_> = dispatched(&mut queue).into_iter().map(|(key, ..)| key).collect();
    assert_eq!(by_whom, [a, b, a, low, low, low]);
}

#[test]
fn what_is_out_survives_a_purge_and_a_replay_of_it() {
    let mut queue = queue_of(4);
    queue.take(false, 0, &mut Vec::new());
    let facts = carry_out(&mut queue, &Command::Purge);
    assert!(matches!(&facts[..], [Fact::Purged { up_to: 3, except, .. }] if *except == [Range::one(0)]));
    assert_eq!((queue.totals().ready, queue.totals().unsettled), (0, 1));
    let mut replica = queue_of(4);
    replica.apply(facts);
    assert_eq!(replica.live().map(|(seq, ..)| seq).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_number_named_twice_is_settled_once() {
    let mut queue = queue_of(3);
    let key = queue.subscribe(prefetching(2, 0)).unwrap();
    dispatched(&mut queue);
    carry_out(&mut queue, &Command::Settle(&[Ticket(0), Ticket(0)]));
    // One place came free, not two.
    assert_eq!(dispatched(&mut queue), [(key, 2, false)]);
}
