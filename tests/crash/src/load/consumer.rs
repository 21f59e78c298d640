//! A consumer: acknowledges in one of several ways, and asks now and then whether the broker has seen it.
//!
//! `basic.qos` is that question: its answer comes after everything sent before it on the channel was taken
//! in. Only then does an acknowledgement count as known to the broker.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Hand;
use crate::amqp::{CHANNEL, Connection, Content, Event, Options, Trouble};
use crate::ledger::{Fault, Held, Queue};

/// How often the broker is asked what it has seen.
const PROOF_EVERY: Duration = Duration::from_millis(150);

/// How long a message is held back.
const HOLD: Duration = Duration::from_millis(400);

/// Acknowledgements that one `multiple` covers.
const MANY: usize = 20;

/// How a consumer treats its deliveries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// One by one.
    Each,
    /// Up to a tag, every so often.
    Many,
    /// One by one, but some rejected back into the queue and some left for a while.
    Moody,
}

pub(super) struct Habit {
    queues: &'static [&'static str],
    prefetch: u16,
    style: Style,
    /// Rest after every delivery.
    pause: Duration,
}

pub(super) const HABITS: &[Habit] = &[
    Habit {
        queues: &["direct.a"],
        prefetch: 40,
        style: Style::Each,
        pause: Duration::ZERO,
    },
    Habit {
        queues: &["direct.a", "fan.b"],
        prefetch: 30,
        style: Style::Moody,
        pause: Duration::from_micros(500),
    },
    Habit {
        queues: &["direct.b", "fan.a"],
        prefetch: 100,
        style: Style::Many,
        pause: Duration::ZERO,
    },
];

struct Consumer<'a> {
    hand: &'a mut Hand,
    connection: Connection,
    habit: &'a Habit,
    /// Highest first delivery of each producer in each queue, on this channel.
    newest: HashMap<(Queue, u32), u32>,
    /// Not acknowledged yet, to be together.
    batch: Vec<(u64, Held)>,
    held_back: VecDeque<(Instant, u64, Held)>,
    /// Acknowledged, and not known to have been seen.
    unproved: Vec<Held>,
    proved_at: Instant,
}

pub(super) fn run(mut hand: Hand, habit: &Habit) -> Result<(), Trouble> {
    let mut connection = Connection::open(hand.address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    connection.qos(habit.prefetch)?;
    for queue in habit.queues {
        connection.consume(queue)?;
    }
    let mut consumer = Consumer {
        hand: &mut hand,
        connection,
        habit,
        newest: HashMap::new(),
        batch: Vec::new(),
        held_back: VecDeque::new(),
        unproved: Vec::new(),
        proved_at: Instant::now(),
    };
    let outcome = consumer.consume_all();
    if outcome.is_ok() {
        consumer.connection.close();
    }
    outcome
}

impl Consumer<'_> {
    fn consume_all(&mut self) -> Result<(), Trouble> {
        while !self.hand.pulse.stopped() {
            match self.connection.next(Duration::from_millis(20))? {
                Some(Event::Delivered(content)) => self.take(&content),
                Some(Event::Cancelled) => {
                    return Err(Trouble::Late("the broker cancelled a consumer".to_owned()));
                }
                _ => {}
            }
            self.release();
            if self.proved_at.elapsed() > PROOF_EVERY {
                self.ack_batch();
                self.prove()?;
            }
        }
        // What was sent to us and not looked at goes back when the connection closes, marked.
        for queue in self.habit.queues {
            self.connection.cancel(queue)?;
        }
        while let Some(event) = self.connection.next(Duration::ZERO)? {
            if let Event::Delivered(content) = event {
                self.take(&content);
            }
        }
        self.ack_batch();
        self.prove()
    }

    fn take(&mut self, content: &Content) {
        let tag = content.tag;
        self.hand.pulse.deliveries.fetch_add(1, Ordering::Relaxed);
        let Some(held) = self.hand.ledger.deliver(content) else {
            // Booked as a fault already.
            self.connection.ack(tag, false);
            return;
        };
        self.check_order(held);
        if !self.habit.pause.is_zero() {
            std::thread::sleep(self.habit.pause);
        }
        match self.habit.style {
            Style::Each => self.ack(tag, held),
            Style::Many => {
                self.batch.push((tag, held));
                if self.batch.len() >= MANY {
                    self.ack_batch();
                }
            }
            Style::Moody => match self.hand.rng.below(20) {
                0 if !held.redelivered => self.connection.reject(tag),
                1 | 2 => self.held_back.push_back((Instant::now() + HOLD, tag, held)),
                _ => self.ack(tag, held),
            },
        }
    }

    /// On one channel, what a producer sent first is delivered first, unless it had been delivered before.
    fn check_order(&mut self, held: Held) {
        if held.redelivered || !held.first {
            return;
        }
        let newest = self.newest.entry((held.queue, held.producer)).or_insert(held.seq);
        if *newest > held.seq {
            let what = format!("{}-{} came behind {}", held.producer, held.seq, newest);
            self.hand.ledger.fault(Fault::Reordered, what);
        }
        *newest = held.seq.max(*newest);
    }

    fn ack(&mut self, tag: u64, held: Held) {
        self.hand.ledger.ack(&[held]);
        self.connection.ack(tag, false);
        self.unproved.push(held);
    }

    fn ack_batch(&mut self) {
        let Some((tag, _)) = self.batch.last().copied() else {
            return;
        };
        let held: Vec<Held> = self.batch.drain(..).map(|(_, held)| held).collect();
        self.hand.ledger.ack(&held);
        self.connection.ack(tag, true);
        self.unproved.extend(held);
    }

    fn release(&mut self) {
        while let Some((due, tag, held)) = self.held_back.front().copied() {
            if due > Instant::now() {
                return;
            }
            self.held_back.pop_front();
            self.ack(tag, held);
        }
    }

    fn prove(&mut self) -> Result<(), Trouble> {
        self.connection.qos(self.habit.prefetch)?;
        self.hand.ledger.settle(&std::mem::take(&mut self.unproved));
        self.proved_at = Instant::now();
        Ok(())
    }
}
