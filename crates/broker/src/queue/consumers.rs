//! Who receives from a queue, and whose turn it is.
//!
//! Consumers that can take a message stand in a ring per priority; the highest ring that is
//! not empty is served, each consumer in turn. One that runs out of credit, or whose outlet
//! refuses, leaves its ring until it can take messages again, so that a turn never walks past
//! a thousand blocked consumers.

use slab::Slab;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Names a consumer of one queue. Never the same for two consumers of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConsumerKey {
    slot: u32,
    serial: u32,
}

impl ConsumerKey {
    /// The consumer's place, for tables kept beside the queue. Used again after a cancel.
    pub fn slot(self) -> usize {
        self.slot as usize
    }
}

impl ConsumerKey {
    /// Stands for all who take single messages.
    pub(super) const GETTERS: Self = Self {
        slot: u32::MAX,
        serial: u32::MAX,
    };
}

/// What a consumer asks for when it subscribes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Deliveries are settled as they leave.
    pub no_ack: bool,
    /// No other consumer may be on the queue.
    pub exclusive: bool,
    /// Deliveries that may be out at a time; 0: no limit. Without effect with `no_ack`.
    pub prefetch: u32,
    /// Higher ones are served first while they can take messages.
    pub priority: i64,
    /// For how long it may hold a delivery, in milliseconds, 0: without a limit; whatever the queue's rules
    /// say. `None`: for as long as these do. Without effect with `no_ack`.
    pub lease_ms: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) subscription: Subscription,
    serial: u32,
    held: u32,
    in_ring: bool,
    /// The outlet refused; only `resume` brings it back.
    refused: bool,
}

impl Consumer {
    fn has_credit(&self) -> bool {
        let Subscription { no_ack, prefetch, .. } = self.subscription;
        no_ack || prefetch == 0 || self.held < prefetch
    }
}

/// A queue has an exclusive consumer, or an exclusive one was asked for beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("queue in exclusive use")]
pub struct ExclusiveUse;

#[derive(Debug, Default)]
pub(super) struct Consumers {
    slots: Slab<Consumer>,
    rings: BTreeMap<Reverse<i64>, VecDeque<ConsumerKey>>,
    next_serial: u32,
    /// One consumer at a time is served: this one.
    single: Option<Single>,
    /// Whose turn it is instead of the one that is first.
    skipped_to: Option<ConsumerKey>,
    /// Those that are gone and hold deliveries yet, with how many.
    parted: HashMap<ConsumerKey, u32>,
    /// Those that are gone and hold nothing any more, since this was last asked.
    rid: Vec<ConsumerKey>,
}

/// Who is served where one consumer at a time is.
#[derive(Debug, Default)]
struct Single {
    active: Option<ConsumerKey>,
    /// It makes way for one of a higher priority as soon as it holds nothing.
    yields: bool,
    /// Such a one is there.
    is_fading: bool,
}

impl Consumers {
    /// From now on one consumer at a time is served, or all are again. With `yields` it makes way for one of
    /// a higher priority.
    pub(super) fn serve_one_at_a_time(&mut self, one: bool, yields: bool) {
        if let Some(single) = &mut self.single
            && one
        {
            single.yields = yields;
            return self.look_for_higher();
        }
        if one == self.single.is_some() {
            return;
        }
        self.single = one.then(|| Single {
            yields,
            ..Single::default()
        });
        self.rings.clear();
        for (_, consumer) in &mut self.slots {
            consumer.in_ring = false;
        }
        self.choose_active();
        let all: Vec<ConsumerKey> = self.keys().collect();
        all.into_iter().for_each(|key| self.queue_up(key));
    }

    /// Whether the consumer is there, and served.
    pub(super) fn is_active(&self, key: ConsumerKey) -> bool {
        let is_there = self
            .slots
            .get(key.slot())
            .is_some_and(|one| one.serial == key.serial);
        is_there
            && self
                .single
                .as_ref()
                .is_none_or(|single| single.active == Some(key))
    }

    fn keys(&self) -> impl Iterator<Item = ConsumerKey> {
        self.slots.iter().map(|(slot, consumer)| ConsumerKey {
            // As in `add`.
            slot: u32::try_from(slot).unwrap_or(u32::MAX),
            serial: consumer.serial,
        })
    }

    /// Where one at a time is served and nobody is: the one of the highest priority who came first is.
    fn choose_active(&mut self) {
        if self.single.as_ref().is_none_or(|single| single.active.is_some()) {
            return;
        }
        let newest = self.next_serial;
        let chosen = self.keys().min_by_key(|key| {
            let priority = self
                .slots
                .get(key.slot())
                .map_or(0, |one| one.subscription.priority);
            // By age: serials may have wrapped.
            (Reverse(priority), Reverse(newest.wrapping_sub(key.serial)))
        });
        if let (Some(single), Some(chosen)) = (&mut self.single, chosen) {
            single.active = Some(chosen);
            single.is_fading = false;
            self.queue_up(chosen);
        }
    }

    /// Whether somebody waits whom the one that is served makes way for. If so it gets nothing more, and the
    /// other is served once it holds nothing.
    fn look_for_higher(&mut self) {
        let Some(Single {
            active: Some(active),
            yields,
            ..
        }) = self.single
        else {
            return;
        };
        let Some(served) = self.slots.get(active.slot()) else {
            return;
        };
        let (priority, holds, in_ring) = (served.subscription.priority, served.held > 0, served.in_ring);
        let is_fading = yields
            && self
                .slots
                .iter()
                .any(|(_, one)| one.subscription.priority > priority);
        if let Some(single) = &mut self.single {
            single.is_fading = is_fading;
            single.active = (!is_fading || holds).then_some(active);
        }
        if !is_fading {
            return self.queue_up(active);
        }
        if in_ring {
            self.leave_ring(active, priority);
        }
        self.choose_active();
    }

    fn leave_ring(&mut self, key: ConsumerKey, priority: i64) {
        if let Some(ring) = self.rings.get_mut(&Reverse(priority)) {
            if let Some(at) = ring.iter().position(|other| *other == key) {
                ring.remove(at);
            }
            if ring.is_empty() {
                self.rings.remove(&Reverse(priority));
            }
        }
        if let Some(consumer) = self.find(key) {
            consumer.in_ring = false;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn add(&mut self, subscription: Subscription) -> Result<ConsumerKey, ExclusiveUse> {
        let taken = self.slots.iter().any(|(_, other)| other.subscription.exclusive);
        // Where one at a time is served, nobody needs to be alone.
        let cannot_be_alone = !self.slots.is_empty() || self.single.is_some();
        if taken || (subscription.exclusive && cannot_be_alone) {
            return Err(ExclusiveUse);
        }
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        let consumer = Consumer {
            subscription,
            serial,
            held: 0,
            in_ring: false,
            refused: false,
        };
        // A node has far fewer than 2^32 consumers on a queue: each costs a mailbox entry.
        let slot = u32::try_from(self.slots.insert(consumer)).unwrap_or(u32::MAX);
        let key = ConsumerKey { slot, serial };
        self.choose_active();
        self.queue_up(key);
        self.look_for_higher();
        Ok(key)
    }

    pub(super) fn remove(&mut self, key: ConsumerKey) -> bool {
        let Some(consumer) = self.find(key) else {
            return false;
        };
        let (priority, in_ring, held) = (consumer.subscription.priority, consumer.in_ring, consumer.held);
        if in_ring {
            self.leave_ring(key, priority);
        }
        self.slots.remove(key.slot());
        if held > 0 {
            self.parted.insert(key, held);
        }
        if let Some(single) = &mut self.single
            && single.active == Some(key)
        {
            single.active = None;
            self.choose_active();
        }
        self.look_for_higher();
        true
    }

    pub(super) fn find(&mut self, key: ConsumerKey) -> Option<&mut Consumer> {
        self.slots
            .get_mut(key.slot())
            .filter(|consumer| consumer.serial == key.serial)
    }

    /// Whose turn it is, and whether its deliveries are settled as they leave; it stays in its ring.
    #[inline]
    pub(super) fn turn(&self) -> Option<(ConsumerKey, bool)> {
        let key = match self.skipped_to {
            Some(key) => key,
            None => *self.rings.first_key_value()?.1.front()?,
        };
        let consumer = self.slots.get(key.slot())?;
        Some((key, consumer.subscription.no_ack))
    }

    /// For how long a consumer may hold a delivery, if it said so.
    pub(super) fn lease_ms(&self, key: ConsumerKey) -> Option<u64> {
        let consumer = self.slots.get(key.slot());
        consumer
            .filter(|one| one.serial == key.serial)?
            .subscription
            .lease_ms
    }

    /// The one whose turn it was has taken a message.
    pub(super) fn took(&mut self) {
        self.end_turn(|consumer| {
            if !consumer.subscription.no_ack {
                consumer.held += 1;
            }
            consumer.has_credit()
        });
    }

    /// The one whose turn it was could not take a message.
    pub(super) fn refused(&mut self) {
        self.end_turn(|consumer| {
            consumer.refused = true;
            false
        });
    }

    /// Whether the consumer waits for its turn.
    pub(super) fn is_waiting(&self, key: ConsumerKey) -> bool {
        let consumer = self.slots.get(key.slot());
        consumer.is_some_and(|one| one.serial == key.serial && one.in_ring)
    }

    /// All that wait, in the order of their turns.
    pub(super) fn waiting(&self) -> impl Iterator<Item = ConsumerKey> {
        self.rings.values().flatten().copied()
    }

    /// There is nothing for the one whose turn it is, nor for any before this one, who waits: the turn is
    /// this one's. With `None` it is that of the first again.
    pub(super) fn skip_to(&mut self, key: Option<ConsumerKey>) {
        self.skipped_to = key;
    }

    fn end_turn(&mut self, stays: impl FnOnce(&mut Consumer) -> bool) {
        if let Some(key) = self.skipped_to.take() {
            return self.end_turn_of(key, stays);
        }
        let Some(mut entry) = self.rings.first_entry() else {
            return;
        };
        let ring = entry.get_mut();
        let Some(key) = ring.pop_front() else { return };
        if let Some(consumer) = self.slots.get_mut(key.slot()) {
            consumer.in_ring = stays(consumer);
            if consumer.in_ring {
                ring.push_back(key);
            }
        }
        if ring.is_empty() {
            entry.remove();
        }
    }

    fn end_turn_of(&mut self, key: ConsumerKey, stays: impl FnOnce(&mut Consumer) -> bool) {
        let Some(consumer) = self.find(key) else { return };
        let (priority, is_staying) = (consumer.subscription.priority, stays(consumer));
        self.leave_ring(key, priority);
        if is_staying {
            self.queue_up(key);
        }
    }

    /// A delivery of the consumer was settled or came back.
    pub(super) fn released(&mut self, key: ConsumerKey) {
        if let Some(consumer) = self.find(key) {
            consumer.held = consumer.held.saturating_sub(1);
            self.queue_up(key);
            if self.single.as_ref().is_some_and(|single| single.is_fading) {
                self.look_for_higher();
            }
        } else if let Some(held) = self.parted.get_mut(&key) {
            *held -= 1;
            if *held == 0 {
                self.parted.remove(&key);
                self.rid.push(key);
            }
        }
    }

    /// Whether the consumer is gone and holds deliveries yet.
    pub(super) fn has_parted(&self, key: ConsumerKey) -> bool {
        self.parted.contains_key(&key)
    }

    /// Those that were gone, and hold nothing any more, since this was last asked.
    pub(super) fn take_rid(&mut self) -> Vec<ConsumerKey> {
        std::mem::take(&mut self.rid)
    }

    /// The outlet can take messages for the consumer again.
    pub(super) fn resume(&mut self, key: ConsumerKey) {
        if let Some(consumer) = self.find(key) {
            consumer.refused = false;
            self.queue_up(key);
        }
    }

    fn queue_up(&mut self, key: ConsumerKey) {
        if self
            .single
            .as_ref()
            .is_some_and(|single| single.active != Some(key) || single.is_fading)
        {
            return;
        }
        let Some(consumer) = self.find(key) else { return };
        if consumer.in_ring || consumer.refused || !consumer.has_credit() {
            return;
        }
        consumer.in_ring = true;
        let priority = consumer.subscription.priority;
        self.rings.entry(Reverse(priority)).or_default().push_back(key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn one(priority: i64) -> Subscription {
        Subscription {
            priority,
            ..Subscription::default()
        }
    }

    fn single(yields: bool) -> Consumers {
        let mut consumers = Consumers::default();
        consumers.serve_one_at_a_time(true, yields);
        consumers
    }

    fn served(consumers: &Consumers) -> Option<ConsumerKey> {
        consumers.turn().map(|(key, _)| key)
    }

    #[test]
    fn a_higher_priority_waits_until_the_one_that_is_served_goes() {
        let mut consumers = single(false);
        let low = consumers.add(one(0)).unwrap();
        let middle = consumers.add(one(1)).unwrap();
        let high = consumers.add(one(2)).unwrap();
        assert_eq!(served(&consumers), Some(low));
        assert!(consumers.remove(low));
        assert_eq!(served(&consumers), Some(high));
        assert!(!consumers.is_active(middle));
    }

    #[test]
    fn one_that_yields_makes_way_for_a_higher_priority_when_it_holds_nothing() {
        let mut consumers = single(true);
        let low = consumers.add(one(0)).unwrap();
        consumers.took();
        consumers.took();
        let same = consumers.add(one(0)).unwrap();
        assert_eq!(served(&consumers), Some(low), "the same priority changes nothing");
        let high = consumers.add(one(9)).unwrap();
        assert_eq!(served(&consumers), None, "it gets nothing more");
        consumers.released(low);
        consumers.resume(low);
        assert_eq!(served(&consumers), None, "and holds one yet");
        consumers.released(low);
        assert_eq!(served(&consumers), Some(high));
        assert!(consumers.remove(high));
        assert_eq!(served(&consumers), Some(low), "who came first of the others");
        assert!(!consumers.is_active(same));
    }

    #[test]
    fn one_that_yields_goes_on_when_the_higher_priority_goes() {
        let mut consumers = single(true);
        let low = consumers.add(one(0)).unwrap();
        consumers.took();
        let high = consumers.add(one(9)).unwrap();
        assert_eq!(served(&consumers), None);
        assert!(consumers.remove(high));
        assert_eq!(served(&consumers), Some(low));
    }

    #[test]
    fn nobody_is_alone_where_one_at_a_time_is_served() {
        let alone = Subscription {
            exclusive: true,
            ..one(0)
        };
        assert_eq!(single(false).add(alone), Err(ExclusiveUse));
        assert!(Consumers::default().add(alone).is_ok());
    }

    #[test]
    fn one_that_is_gone_is_named_once_when_it_holds_nothing_any_more() {
        let mut consumers = Consumers::default();
        let [idle, busy] = [1, 0].map(|priority| consumers.add(one(priority)).unwrap());
        assert!(consumers.remove(idle));
        consumers.took();
        consumers.took();
        assert!(consumers.remove(busy));
        // Another one in its place has no part in it.
        let next = consumers.add(one(0)).unwrap();
        consumers.released(busy);
        assert!(consumers.has_parted(busy) && !consumers.has_parted(idle));
        assert_eq!(consumers.take_rid(), []);
        consumers.released(next);
        consumers.released(busy);
        consumers.released(busy);
        assert!(!consumers.has_parted(busy));
        assert_eq!(consumers.take_rid(), [busy]);
        assert_eq!(consumers.take_rid(), []);
    }
}
