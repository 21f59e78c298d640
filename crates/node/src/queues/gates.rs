//! Gates: exchanges that let no message through with the key of one that they let through before.
//!
//! A gate keeps keys in a queue of its own, which holds nothing else. Whether a message passes is seen with
//! that queue and all those behind it locked, and that it passed is logged in one piece with what it came to:
//!
//! ```text
//!   message ─► queues before gates                      ENQUEUED ─┐
//!          └─► gate ─ key is new ─► queues behind it    ENQUEUED ─┼─► one append
//!                   │                        └─► gate   SEEN     ─┘
//!                   └ key came before ─► nowhere; its sender waits for what came then
//! ```
//!
//! After a crash a key is known if the message that had it is there, and only then. What a queue refused, and
//! its sender is told so, leaves no key: it may be sent again, to all queues. Of one batch those with its key
//! that came behind it have its fate.

use super::LiveQueue;
use super::joint::{Locked, work_together};
use crate::mailbox::Touched;
use crate::node::Node;
use crate::routes::{Gate, Route};
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use warren_broker::message::Message;
use warren_broker::queue::{Key, Sighting};
use warren_broker::route::QueueId;
use warren_store::Position;

/// A message on its way to queues, some of which may be behind gates.
#[derive(Debug)]
pub(crate) struct Routed {
    pub(crate) route: Arc<Route>,
    pub(crate) message: Message,
    /// If any of the queues that it comes to does not take it, nothing of this and of what is done with it
    /// happens.
    pub(crate) must_fit: bool,
}

/// A key that a gate has not seen before.
struct News {
    /// The message that brought it, and the place of the gate's queue among those that are locked.
    nth: usize,
    at: usize,
    sighting: Sighting,
}

/// What came of messages at gates.
#[derive(Default)]
pub(super) struct Passage {
    news: Vec<News>,
    /// Messages that a gate kept back, each with the one before it in the same batch that has the same key.
    copies: Vec<(usize, usize)>,
    /// Messages that passed gates, and which, where something behind them remembers messages.
    told: Vec<(usize, usize)>,
    /// No message that must be taken came to a queue that is deleted.
    pub(super) is_fitting: bool,
}

/// Lets messages through gates, in their order, and notes with each of the locked queues what comes to it.
pub(super) fn pass(routed: &[Routed], locked: &mut [Locked<'_>]) -> Passage {
    let mut passing = Passing {
        places: HashMap::new(),
        brought: HashMap::new(),
        passage: Passage {
            is_fitting: true,
            ..Passage::default()
        },
        locked,
    };
    if !routed.is_empty() {
        let all = passing.locked.iter().enumerate();
        passing.places = all.map(|(at, one)| (one.queue.id(), at)).collect();
    }
    for (nth, one) in routed.iter().enumerate() {
        passing.pass_one(nth, one);
    }
    passing.passage
}

struct Passing<'p, 'q> {
    locked: &'p mut [Locked<'q>],
    places: HashMap<QueueId, usize>,
    /// Which message brought a key to a gate, of those that are not remembered yet.
    brought: HashMap<(usize, Key), usize>,
    passage: Passage,
}

impl Passing<'_, '_> {
    fn pass_one(&mut self, nth: usize, one: &Routed) {
        let route = &one.route;
        let mut targets = Vec::new();
        self.come_to(&route.queues, one, &mut targets);
        let mut next = route.entrances.clone();
        let mut is_known = vec![false; route.gates.len()];
        while let Some(gate_at) = next.pop() {
            let (Some(gate), Some(is_known)) = (route.gates.get(gate_at), is_known.get_mut(gate_at)) else {
                continue;
            };
            if std::mem::replace(is_known, true) || !self.opens(gate, nth, &one.message) {
                continue;
            }
            self.come_to(&gate.queues, one, &mut targets);
            next.extend_from_slice(&gate.gates);
            if !gate.remembering.is_empty() {
                self.passage.told.push((nth, gate_at));
            }
        }
        // It may come to a queue by several gates.
        targets.sort_unstable();
        targets.dedup();
        one.message.expect_queues(targets.len());
        for at in targets {
            if let Some(target) = self.locked.get_mut(at) {
                target.passed.push(one.message.clone());
                target.passed_of.push(nth);
            }
        }
    }

    fn come_to(&mut self, queues: &[Arc<LiveQueue>], one: &Routed, targets: &mut Vec<usize>) {
        for queue in queues.iter().filter(|queue| !queue.is_deleted()) {
            targets.extend(self.places.get(&queue.id()));
        }
        let has_deleted = || queues.iter().any(|queue| queue.is_deleted());
        self.passage.is_fitting &= !one.must_fit || !has_deleted();
    }

    /// Whether a gate lets a message through.
    fn opens(&mut self, gate: &Gate, nth: usize, message: &Message) -> bool {
        let place = self.places.get(&gate.keys.id()).copied();
        let place = place.and_then(|at| Some((at, self.locked.get_mut(at)?)));
        // An exchange that is deleted just now knows nothing any more.
        let Some((at, keys)) = place else { return true };
        let Some(sighting) = keys.state.machine.sighting(message, keys.now_ms) else {
            return true;
        };
        if sighting.is_known {
            keys.has_duplicates = true;
            return false;
        }
        if let Some(first) = self.brought.get(&(at, sighting.key)) {
            keys.has_duplicates = true;
            self.passage.copies.push((nth, *first));
            return false;
        }
        self.brought.insert((at, sighting.key), nth);
        self.passage.news.push(News { nth, at, sighting });
        true
    }
}

impl Passage {
    /// The keys of messages that were taken are remembered; the facts stay, to be recorded. Answers which
    /// messages were turned away: those that a queue did not take, and copies of those.
    pub(super) fn remember(&self, locked: &mut [Locked<'_>], mut turned_away: Vec<bool>) -> Vec<usize> {
        // A message is behind the one that it is a copy of.
        for (copy, first) in &self.copies {
            let is_turned_away = turned_away.get(*first).copied().unwrap_or(false);
            if let Some(place) = turned_away.get_mut(*copy) {
                *place |= is_turned_away;
            }
        }
        for News { nth, at, sighting } in &self.news {
            if turned_away.get(*nth) == Some(&false)
                && let Some(keys) = locked.get_mut(*at)
            {
                keys.state.facts.push(sighting.fact());
                keys.state.machine.apply([sighting.fact()]);
            }
        }
        let all = turned_away.iter().enumerate();
        all.filter(|(_, is_turned_away)| **is_turned_away)
            .map(|(nth, _)| nth)
            .collect()
    }

    /// The exchanges behind gates that remember messages hear of those that passed. No lock is held.
    pub(super) fn tell_histories(&self, routed: &[Routed]) {
        for (nth, gate) in &self.told {
            let Some(one) = routed.get(*nth) else { continue };
            let Some(gate) = one.route.gates.get(*gate) else {
                continue;
            };
            if let Some(node) = gate.keys.backing.node.get().and_then(Weak::upgrade) {
                node.remember(&gate.remembering, &one.message);
            }
        }
    }
}

impl Node {
    /// Sends messages of the broker's own on their ways.
    pub(crate) fn send_routed(&self, routed: &[Routed], floor: Position, touched: &mut Touched) {
        if routed.is_empty() {
            return;
        }
        let outcome = work_together(&[], routed, floor, touched);
        for queue in outcome.leaving {
            queue.move_on(touched);
        }
    }
}
