//! A producer: publishes with confirms and the mandatory flag, as fast as its window allows, and stops while
//! the broker says `connection.blocked`.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Hand, Plan};
use crate::amqp::{CHANNEL, Connection, Event, Options, Trouble};
use crate::ledger::Outcome;
use crate::message::Sizes;

/// How long a producer that was told to stop waits for what is unconfirmed.
const GRACE: Duration = Duration::from_secs(90);

/// Bytes that may wait for the socket before no more are made.
const UNSENT_MAX: usize = 512 * 1024;

/// How long nothing may arrive before the producer looks around.
const PATIENCE: Duration = Duration::from_millis(20);

/// Rest after every message when there are many.
const PACE: Duration = Duration::from_millis(2);

struct Producer<'a> {
    hand: &'a mut Hand,
    connection: Connection,
    plan: Plan,
    routes: &'a [u16],
    number: u32,
    next_tag: u64,
    /// Publish number to sequence number and length.
    unconfirmed: BTreeMap<u64, (u32, u32)>,
    unconfirmed_bytes: u64,
    blocked: bool,
}

pub(super) fn run(mut hand: Hand, plan: Plan, routes: &[u16]) -> Result<(), Trouble> {
    let mut connection = Connection::open(hand.address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    connection.confirm_select()?;
    let number = hand.ledger.producer();
    let mut producer = Producer {
        hand: &mut hand,
        connection,
        plan,
        routes,
        number,
        next_tag: 1,
        unconfirmed: BTreeMap::new(),
        unconfirmed_bytes: 0,
        blocked: false,
    };
    let outcome = producer.publish_all();
    if outcome.is_ok() {
        producer.connection.close();
    }
    outcome
}

impl Producer<'_> {
    fn publish_all(&mut self) -> Result<(), Trouble> {
        while !self.hand.pulse.stopped() {
            while self.may_publish() {
                self.publish();
                if self.hand.pulse.published.fetch_add(1, Ordering::Relaxed) > self.plan.messages {
                    std::thread::sleep(PACE);
                    break;
                }
            }
            self.listen(self.patience())?;
        }
        let deadline = Instant::now() + GRACE;
        while !self.unconfirmed.is_empty() && Instant::now() < deadline {
            self.listen(PATIENCE)?;
        }
        match self.unconfirmed.len() {
            0 => Ok(()),
            // A blocked broker owes no confirm for what it has not read.
            _ if self.blocked => Ok(()),
            left => Err(Trouble::Late(format!("{left} publishes have no confirm"))),
        }
    }

    fn may_publish(&self) -> bool {
        !self.blocked
            && self.unconfirmed.len() < self.plan.window
            && self.unconfirmed_bytes < self.plan.window_bytes
            && self.connection.unsent() < UNSENT_MAX
    }

    fn publish(&mut self) {
        let rng = &mut self.hand.rng;
        let spent = self.hand.pulse.spent.load(Ordering::Relaxed);
        let sizes = if spent < self.plan.budget {
            self.plan.sizes
        } else {
            Sizes::Small
        };
        let length = sizes.draw(rng);
        let route_number = rng.pick(self.routes).copied().unwrap_or(0);
        let persistent = !(self.plan.transient && rng.one_in(50));
        let Some(route) = self.hand.ledger.route(route_number) else {
            return;
        };
        let sent = self
            .hand
            .ledger
            .send(self.number, length, route_number, persistent);
        let Some(identity) = sent else {
            return;
        };
        self.hand
            .pulse
            .spent
            .fetch_add(u64::from(length), Ordering::Relaxed);
        let body = identity.body();
        let properties = identity.properties(&body, persistent);
        self.connection
            .publish(route.exchange, route.key, &properties, &body);
        self.unconfirmed.insert(self.next_tag, (identity.seq, length));
        self.unconfirmed_bytes += u64::from(length);
        self.next_tag += 1;
    }

    /// How long to wait for what arrives: not at all if there is something to publish.
    fn patience(&self) -> Duration {
        if self.may_publish() {
            Duration::ZERO
        } else {
            PATIENCE
        }
    }

    /// Takes what has arrived; waits up to `limit` when that is nothing.
    fn listen(&mut self, mut limit: Duration) -> Result<(), Trouble> {
        while let Some(event) = self.connection.next(limit)? {
            match event {
                Event::Ack { tag, multiple } => self.resolve(tag, multiple, Outcome::Confirmed),
                Event::Nack { tag, multiple } => self.resolve(tag, multiple, Outcome::Nacked),
                Event::Returned(content) => self.hand.ledger.returned(&content),
                Event::Blocked => {
                    self.blocked = true;
                    self.hand.pulse.blocked.fetch_add(1, Ordering::Relaxed);
                }
                Event::Unblocked => self.blocked = false,
                Event::Delivered(_) | Event::Cancelled => {}
            }
            limit = Duration::ZERO;
        }
        Ok(())
    }

    fn resolve(&mut self, tag: u64, multiple: bool, outcome: Outcome) {
        let mut resolved = Vec::new();
        if multiple {
            let behind = self.unconfirmed.split_off(&(tag + 1));
            resolved.extend(std::mem::replace(&mut self.unconfirmed, behind).into_values());
        } else {
            resolved.extend(self.unconfirmed.remove(&tag));
        }
        let seqs: Vec<u32> = resolved.iter().map(|(seq, _)| *seq).collect();
        let bytes: u64 = resolved.iter().map(|(_, length)| u64::from(*length)).sum();
        self.unconfirmed_bytes -= bytes;
        let pulse = &self.hand.pulse;
        for wait in self.hand.ledger.resolve(self.number, &seqs, outcome) {
            pulse.waited(wait);
        }
        if outcome == Outcome::Confirmed {
            pulse.confirms.fetch_add(seqs.len() as u64, Ordering::Relaxed);
        }
    }
}
