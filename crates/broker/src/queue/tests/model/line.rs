//! Whose turn it is, without rings: whoever can take a message waits in line, from when that became so or
//! from the last message taken; next is who waits longest among those of the highest priority. Where one
//! consumer at a time is served, the others do not wait at all.

use super::naive::{Model, Place};
use super::{ConsumerKey, Subscription};
use std::cmp::Reverse;

#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) key: ConsumerKey,
    pub(super) subscription: Subscription,
    /// Since when it waits in line; `None` while it cannot take a message.
    pub(super) waits_since: Option<u64>,
    pub(super) refused: bool,
}

impl Model {
    pub(super) fn released(&mut self, place: &Place) {
        if let Place::Out { to: Some(key), .. } = place {
            self.queue_up(*key);
            if self.is_fading() {
                self.make_way();
            }
        }
    }

    pub(super) fn held(&self, key: ConsumerKey) -> usize {
        let held =
            |item: &&super::naive::Item| matches!(item.place, Place::Out { to, .. } if to == Some(key));
        self.items.iter().filter(held).count()
    }

    pub(super) fn has_credit(&self, consumer: &Consumer) -> bool {
        let Subscription { no_ack, prefetch, .. } = consumer.subscription;
        no_ack || prefetch == 0 || self.held(consumer.key) < prefetch as usize
    }

    /// Whether it is served at all.
    pub(super) fn is_served(&self, key: ConsumerKey) -> bool {
        !self.rules.has_single_active_consumer || self.active == Some(key) && !self.is_fading()
    }

    /// Whether somebody waits whom the one that is served makes way for.
    pub(super) fn is_fading(&self) -> bool {
        let rank = |key| self.consumers.iter().find(|one| one.key == key);
        let Some(active) = self.active.and_then(rank) else {
            return false;
        };
        let priority = active.subscription.priority;
        self.rules.single_active_yields
            && self.rules.has_single_active_consumer
            && self
                .consumers
                .iter()
                .any(|one| one.subscription.priority > priority)
    }

    /// The one that is served goes on, or makes way once it holds nothing.
    pub(super) fn make_way(&mut self) {
        let Some(active) = self.active else { return };
        if !self.is_fading() {
            return self.queue_up(active);
        }
        let left = self.consumers.iter_mut().filter(|one| one.key == active);
        left.for_each(|one| one.waits_since = None);
        if self.held(active) == 0 {
            self.active = None;
            self.choose_active();
        }
    }

    pub(super) fn queue_up(&mut self, key: ConsumerKey) {
        let Some(at) = self.consumers.iter().position(|consumer| consumer.key == key) else {
            return;
        };
        let consumer = &self.consumers[at];
        let can_take = !consumer.refused && self.has_credit(consumer) && self.is_served(key);
        if consumer.waits_since.is_none() && can_take {
            self.ticks += 1;
            self.consumers[at].waits_since = Some(self.ticks);
        }
    }

    pub(super) fn admits(&self, asked: Subscription) -> bool {
        let taken = self.consumers.iter().any(|other| other.subscription.exclusive);
        let may_be_alone = self.consumers.is_empty() && !self.rules.has_single_active_consumer;
        !taken && (!asked.exclusive || may_be_alone)
    }

    pub(super) fn subscribe(&mut self, key: ConsumerKey, subscription: Subscription) {
        self.consumers.push(Consumer {
            key,
            subscription,
            waits_since: None,
            refused: false,
        });
        self.choose_active();
        self.queue_up(key);
        self.make_way();
    }

    pub(super) fn cancel(&mut self, key: ConsumerKey) -> bool {
        let before = self.consumers.len();
        self.consumers.retain(|consumer| consumer.key != key);
        if self.active == Some(key) {
            self.active = None;
            self.choose_active();
        }
        if self.consumers.len() < before {
            self.make_way();
        }
        self.consumers.len() < before
    }

    pub(super) fn resume(&mut self, key: ConsumerKey) {
        if let Some(consumer) = self.consumers.iter_mut().find(|consumer| consumer.key == key) {
            consumer.refused = false;
        }
        self.queue_up(key);
    }

    /// One consumer at a time is served from now on, or all are again: the line forms anew.
    pub(super) fn line_up_anew(&mut self) {
        self.active = None;
        self.consumers
            .iter_mut()
            .for_each(|consumer| consumer.waits_since = None);
        self.choose_active();
        let mut all: Vec<ConsumerKey> = self.consumers.iter().map(|consumer| consumer.key).collect();
        all.sort_by_key(|key| key.slot());
        all.into_iter().for_each(|key| self.queue_up(key));
    }

    /// The one of the highest priority who came first.
    fn choose_active(&mut self) {
        if !self.rules.has_single_active_consumer || self.active.is_some() {
            return;
        }
        let by_rank = self.consumers.iter().enumerate();
        let first = by_rank.min_by_key(|(at, consumer)| (Reverse(consumer.subscription.priority), *at));
        self.active = first.map(|(_, consumer)| consumer.key);
        if let Some(active) = self.active {
            self.queue_up(active);
        }
    }

    /// Whose turn it is, of those for whom there is anything; where that is open, all who it may be.
    pub(super) fn turns(&self) -> Vec<usize> {
        let waiting = self.consumers.iter().enumerate().filter_map(|(at, consumer)| {
            let since = consumer.waits_since?;
            self.first_for(Some(consumer.key))?;
            Some((Reverse(consumer.subscription.priority), since, at))
        });
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_unstable();
        let highest = waiting.first().map(|(priority, ..)| *priority);
        waiting.retain(|(priority, ..)| Some(*priority) == highest);
        if !self.has_passed {
            waiting.truncate(1);
        }
        waiting.into_iter().map(|(.., at)| at).collect()
    }
}
