//! What the harness knows, outside the broker: every message that was sent and what the broker said about it,
//! every delivery, every settlement.
//!
//! Threads of the load write into it; after a restart a [`Survey`] of what the queues hold is judged against
//! it (`judge`). A message is known by producer and sequence number; a copy of it by the queue as well.

mod figures;
mod judge;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::amqp::Content;
use crate::message::Identity;

pub(crate) use figures::{Fault, Figures};
pub(crate) use judge::{End, Found, Survey};

/// A queue, by its place in the ledger.
pub(crate) type Queue = u16;

/// Where a producer sends: exchange and key, and the queues that get a copy.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) exchange: &'static str,
    pub(crate) key: &'static str,
    pub(crate) queues: Vec<Queue>,
}

/// What the broker said about a publish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Nothing yet, or never.
    Open,
    Confirmed,
    Nacked,
}

#[derive(Clone, Debug)]
struct Sent {
    length: u32,
    route: u16,
    persistent: bool,
    outcome: Outcome,
    sent_at: Instant,
    confirmed_at: Option<Instant>,
    returned: bool,
}

/// A copy of a message in one queue, once anything was heard of it.
#[derive(Clone, Default, Debug)]
struct CopyState {
    deliveries: u32,
    /// When an acknowledgement was sent that nothing has undone.
    acked_at: Option<Instant>,
    /// When a round trip had proved that the broker saw it.
    settled_at: Option<Instant>,
    /// It was missing after a restart, and rightly so: it may not come back.
    gone: bool,
    /// A delivery came that was not marked as redelivered.
    came_new: bool,
}

#[derive(Clone, Default)]
struct State {
    queues: Vec<&'static str>,
    routes: Vec<Route>,
    producers: Vec<Vec<Sent>>,
    copies: HashMap<(Queue, u32, u32), CopyState>,
    figures: Figures,
    /// The broker may close connections while others go on.
    may_close: bool,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Ledger {
    state: Mutex<State>,
}

/// A copy that one consumer holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) queue: Queue,
    pub(crate) producer: u32,
    pub(crate) seq: u32,
    pub(crate) redelivered: bool,
    /// Whether the harness had never been given it before.
    pub(crate) first: bool,
}

impl Ledger {
    pub(crate) fn new(queues: &[&'static str], routes: Vec<Route>) -> Ledger {
        Ledger {
            state: Mutex::new(State {
                queues: queues.to_vec(),
                routes,
                ..State::default()
            }),
        }
    }

    /// The same knowledge, with figures of its own.
    pub(crate) fn fork(&self) -> Ledger {
        let mut state = self.state().clone();
        state.figures = Figures::default();
        Ledger {
            state: Mutex::new(state),
        }
    }

    /// From now on the broker may close connections by itself, while it still serves others: what was sent to
    /// them and what they sent may then be seen by nobody.
    pub(crate) fn let_close(&self) {
        self.state().may_close = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked fails the run; the figures of the others are still worth showing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn queues(&self) -> Vec<&'static str> {
        self.state().queues.clone()
    }

    pub(crate) fn route(&self, number: u16) -> Option<Route> {
        self.state().routes.get(usize::from(number)).cloned()
    }

    /// A new producer's number.
    pub(crate) fn producer(&self) -> u32 {
        let mut state = self.state();
        state.producers.push(Vec::new());
        state.producers.len() as u32 - 1
    }

    /// Books a message that is about to be published.
    pub(crate) fn send(&self, producer: u32, length: u32, route: u16, persistent: bool) -> Option<Identity> {
        let mut state = self.state();
        state.figures.published += 1;
        let list = state.producers.get_mut(producer as usize)?;
        let seq = list.len() as u32;
        list.push(Sent {
            length,
            route,
            persistent,
            outcome: Outcome::Open,
            sent_at: Instant::now(),
            confirmed_at: None,
            returned: false,
        });
        Some(Identity {
            producer,
            seq,
            length,
        })
    }

    /// Books the broker's word on publishes. Returns how long each had waited for it, of those that had to be
    /// put on the disk first.
    pub(crate) fn resolve(&self, producer: u32, seqs: &[u32], outcome: Outcome) -> Vec<Duration> {
        let now = Instant::now();
        let mut state = self.state();
        let state = &mut *state;
        let mut waits = Vec::new();
        for seq in seqs {
            let Some(sent) = sent_mut(&mut state.producers, producer, *seq) else {
                continue;
            };
            sent.outcome = outcome;
            sent.confirmed_at = Some(now);
            if sent.on_disk(&state.routes) {
                waits.push(now - sent.sent_at);
            }
            match outcome {
                Outcome::Nacked => state.figures.nacked += 1,
                Outcome::Open | Outcome::Confirmed => state.figures.confirmed += 1,
            }
        }
        waits
    }

    /// Books a message that came back because no queue took it.
    pub(crate) fn returned(&self, content: &Content) {
        let mut state = self.state();
        let state = &mut *state;
        state.figures.returned += 1;
        let sent = Identity::read(&content.properties)
            .and_then(|identity| sent_mut(&mut state.producers, identity.producer, identity.seq));
        let routed = |sent: &&mut Sent| {
            let route = state.routes.get(usize::from(sent.route));
            route.is_some_and(|route| !route.queues.is_empty())
        };
        match sent {
            Some(sent) => {
                if routed(&sent) {
                    let what = format!("returned although bound: {}", content.key);
                    state.figures.fault(Fault::Unexpected, what);
                }
                sent.returned = true;
            }
            None => state
                .figures
                .fault(Fault::Corrupt, "a returned message that nobody sent".to_owned()),
        }
    }

    /// Compares a delivery with what was sent, byte for byte, and books it.
    pub(crate) fn deliver(&self, content: &Content) -> Option<Held> {
        let mut held = self.examine(content)?;
        let mut state = self.state();
        let State {
            copies,
            figures,
            may_close,
            ..
        } = &mut *state;
        figures.delivered += 1;
        let copy = copies.entry((held.queue, held.producer, held.seq)).or_default();
        let name = || format!("{}-{} of {}", held.producer, held.seq, content.consumer);
        // It comes from a connection that is closed already, which gave it back: the next consumer had it
        // before this one looked at it.
        let is_overtaken = *may_close && !content.redelivered && copy.deliveries > 0 && !copy.came_new;
        copy.came_new |= !content.redelivered;
        if !is_overtaken && (copy.acked_at.is_some() || copy.gone) {
            if *may_close && copy.settled_at.is_none() && !copy.gone {
                // Nobody had read the acknowledgement when the connection was closed.
                figures.acks_undone += 1;
                copy.acked_at = None;
            } else {
                figures.fault(Fault::SettledBack, format!("{} again, without a restart", name()));
            }
        }
        if copy.deliveries > 0 {
            figures.duplicates += 1;
            if !content.redelivered && !is_overtaken {
                figures.fault(Fault::Unmarked, format!("{} delivered again as new", name()));
            }
        }
        held.first = copy.deliveries == 0;
        copy.deliveries += 1;
        Some(held)
    }

    /// What a delivery is, if it is what was sent, byte for byte.
    pub(crate) fn examine(&self, content: &Content) -> Option<Held> {
        let Some(identity) = Identity::read(&content.properties) else {
            let what = format!("no identity in {} bytes of properties", content.properties.len());
            return self.refuse(Fault::Corrupt, content, &what);
        };
        let Identity {
            producer,
            seq,
            length,
        } = identity;
        let (queue, route, persistent) = {
            let mut state = self.state();
            let queue = state.queues.iter().position(|name| *name == content.consumer);
            let routes = state.routes.clone();
            let sent = sent_mut(&mut state.producers, producer, seq);
            let known = sent.filter(|sent| sent.length == length);
            let Some((sent, queue)) = known.zip(queue) else {
                drop(state);
                return self.refuse(
                    Fault::Unexpected,
                    content,
                    &format!("{identity:?} was never sent"),
                );
            };
            (
                queue as Queue,
                routes.get(usize::from(sent.route)).cloned(),
                sent.persistent,
            )
        };
        let Some(route) = route.filter(|route| route.queues.contains(&queue)) else {
            return self.refuse(
                Fault::Unexpected,
                content,
                &format!("{identity:?} was sent elsewhere"),
            );
        };
        let body = identity.body();
        if content.body != body {
            return self.refuse(Fault::Corrupt, content, &format!("{identity:?} has another body"));
        }
        if content.properties != identity.properties(&body, persistent) {
            return self.refuse(
                Fault::Corrupt,
                content,
                &format!("{identity:?} has other properties"),
            );
        }
        if content.exchange != route.exchange || content.key != route.key {
            let what = format!("{identity:?} says {:?} {:?}", content.exchange, content.key);
            return self.refuse(Fault::Corrupt, content, &what);
        }
        let redelivered = content.redelivered;
        Some(Held {
            queue,
            producer,
            seq,
            redelivered,
            first: false,
        })
    }

    fn refuse(&self, fault: Fault, content: &Content, what: &str) -> Option<Held> {
        let what = format!("in {}: {what}", content.consumer);
        self.state().figures.fault(fault, what);
        None
    }

    /// Books acknowledgements that are about to be sent.
    pub(crate) fn ack(&self, held: &[Held]) {
        let now = Instant::now();
        let mut state = self.state();
        for held in held {
            let key = (held.queue, held.producer, held.seq);
            state.copies.entry(key).or_default().acked_at = Some(now);
        }
    }

    /// Books that the broker has seen these acknowledgements.
    pub(crate) fn settle(&self, held: &[Held]) {
        let now = Instant::now();
        let mut state = self.state();
        for held in held {
            let key = (held.queue, held.producer, held.seq);
            state.copies.entry(key).or_default().settled_at = Some(now);
        }
    }

    pub(crate) fn fault(&self, fault: Fault, what: String) {
        self.state().figures.fault(fault, what);
    }

    pub(crate) fn figures(&self) -> Figures {
        self.state().figures.clone()
    }

    pub(crate) fn note(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.state().figures);
    }

    /// How many messages were sent at or after `moment`, had to be put on the disk, and were confirmed.
    pub(crate) fn confirmed_of_after(&self, moment: Instant) -> u64 {
        let state = self.state();
        let late = |sent: &&Sent| {
            sent.sent_at >= moment && sent.outcome == Outcome::Confirmed && sent.on_disk(&state.routes)
        };
        state.producers.iter().flatten().filter(late).count() as u64
    }

    /// How many publishes never got an answer.
    pub(crate) fn unanswered(&self) -> u64 {
        let state = self.state();
        let open = |sent: &&Sent| sent.outcome == Outcome::Open;
        state.producers.iter().flatten().filter(open).count() as u64
    }

    /// The copies that the last look at the queues found.
    pub(crate) fn present(&self) -> HashSet<(Queue, u32, u32)> {
        let state = self.state();
        let is_there = |(_, copy): &(&(Queue, u32, u32), &CopyState)| {
            copy.deliveries > 0 && !copy.gone && copy.acked_at.is_none()
        };
        let there = state.copies.iter().filter(is_there);
        there.map(|(key, _)| *key).collect()
    }

    /// How many publishes never got an answer, and were delivered or found all the same.
    pub(crate) fn unanswered_there(&self) -> u64 {
        let state = self.state();
        let seen = |((_, producer, seq), copy): &(&(Queue, u32, u32), &CopyState)| {
            let list = state.producers.get(*producer as usize);
            let sent = list.and_then(|list| list.get(*seq as usize));
            copy.deliveries > 0 && sent.is_some_and(|sent| sent.outcome == Outcome::Open)
        };
        let seen = state.copies.iter().filter(seen);
        let numbers: HashSet<(u32, u32)> = seen.map(|((_, producer, seq), _)| (*producer, *seq)).collect();
        numbers.len() as u64
    }
}

impl Sent {
    /// Whether the broker has to put it on the disk before it confirms it.
    fn on_disk(&self, routes: &[Route]) -> bool {
        let route = routes.get(usize::from(self.route));
        self.persistent && route.is_some_and(|route| !route.queues.is_empty())
    }
}

fn sent_mut(producers: &mut [Vec<Sent>], producer: u32, seq: u32) -> Option<&mut Sent> {
    producers.get_mut(producer as usize)?.get_mut(seq as usize)
}
