//! Keys: what came is not taken again while it is remembered, and of one key only the last stays.

use super::super::super::model::{Moment, When};
use super::super::plan::MANY;
use super::{Found, Model, Spot, is_possible};
use std::collections::BTreeSet;

/// A key that a queue took, or the exchange let through.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) queue: &'static str,
    pub(crate) key: i64,
    /// `None`: an earlier life left it open.
    pub(crate) when: Option<When>,
    /// What brought it.
    pub(crate) id: u64,
    /// Until when it is remembered; 0: until it has to make room.
    pub(crate) until_ms: u64,
}

impl Model {
    /// The keys that a queue remembers, the last first, if no others came than these.
    fn remembered<'a>(
        &self,
        queue: &str,
        taken: impl DoubleEndedIterator<Item = &'a Accepted>,
        room_for: usize,
    ) -> Vec<&'a Accepted> {
        let size = self.plan.once_of(queue).map_or(0, |once| once.size);
        let mut keys = BTreeSet::new();
        let of_queue = taken.rev().filter(|taken| taken.queue == queue);
        let last = of_queue.filter(|taken| keys.insert(taken.key));
        last.take(size - room_for.min(size)).collect()
    }

    /// The key of a queue as it came last, if that is remembered at an hour.
    pub(crate) fn remembers(&self, queue: &str, key: i64, hour_ms: u64) -> Option<&Accepted> {
        let mut all = self.remembered(queue, self.accepted.iter(), 0).into_iter();
        let found = all.find(|taken| taken.key == key);
        found.filter(|taken| taken.until_ms == 0 || taken.until_ms > hour_ms)
    }

    /// Keys that a node which died at a moment must not take again at an hour, when another key came before.
    pub(crate) fn keys_at(&self, at: &Moment, hour_ms: u64) -> Vec<(&'static str, i64)> {
        let hour_ms = hour_ms.max(self.hour_at(at));
        let possible = self.accepted.iter();
        let possible: Vec<&Accepted> = possible
            .filter(|taken| taken.when.is_none_or(|when| at.is_possible(&when)))
            .collect();
        let mut keys = Vec::new();
        for (to, _) in self.plan.remembering() {
            for taken in self.remembered(to, possible.iter().copied(), 1) {
                let lasts = taken.until_ms == 0 || taken.until_ms > hour_ms;
                if lasts && taken.when.is_some_and(|when| at.is_certain(&when)) {
                    keys.push((to, taken.key));
                }
            }
        }
        keys
    }

    /// Keys of which it is not certain that a node which died at a moment knows them: it does if what brought
    /// them is there, or was taken out. They last, and make no room.
    pub(crate) fn open_keys_at(&self, at: &Moment) -> Vec<(&'static str, i64)> {
        let open = self.open_keys(at);
        open.map(|taken| (taken.queue, taken.key)).collect()
    }

    fn open_keys(&self, at: &Moment) -> impl Iterator<Item = &Accepted> {
        let lasting = |taken: &&Accepted| {
            let once = self.plan.once_of(taken.queue);
            once.is_some_and(|once| once.size == MANY && once.ttl_ms.is_none())
        };
        let open = move |taken: &&Accepted| taken.when.is_some_and(|when| !at.is_certain(&when));
        self.accepted.iter().filter(lasting).filter(open)
    }

    /// Whether anything is there of what brought a key.
    pub(super) fn is_there(&self, taken: &Accepted, found: &Found) -> bool {
        let entrances = self.plan.entrances(taken.queue);
        entrances.iter().any(|first| {
            found.spots.contains_key(&(taken.id, first)) || self.is_beyond(taken.id, first, found)
        })
    }

    pub(super) fn check_keys(&self, at: &Moment, found: &Found) -> Result<(), String> {
        for taken in self.open_keys(at) {
            let Accepted { queue, key, id, .. } = taken;
            let is_there = self.is_there(taken, found);
            let is_taken = found.taken_again.contains(&(*queue, *key));
            if is_there && is_taken {
                return Err(format!("key {key} of {queue} is taken again beside message {id}"));
            }
            // What is gone may have been there.
            let entrances = self.plan.entrances(queue);
            let mut may_be_gone = entrances
                .iter()
                .map(|first| self.may_be_gone(at, found, (*id, first)));
            if !is_there && !is_taken && !may_be_gone.all(|may| may) {
                return Err(format!(
                    "key {key} of {queue} is known, and message {id} is not there"
                ));
            }
        }
        Ok(())
    }

    /// Whether a message may have been in a queue, and is gone.
    fn may_be_gone(&self, at: &Moment, found: &Found, (id, queue): Spot) -> bool {
        let known = self.known((id, queue));
        let here = is_possible(at, known.settled)
            || is_possible(at, known.replaced)
            || (is_possible(at, known.deleted) && !self.station(queue).sends_on)
            || (self.plan.next_of(queue).is_empty() && self.may_vanish(at, found, (id, queue)));
        here || self
            .plan
            .next_of(queue)
            .iter()
            .any(|next| self.may_be_gone(at, found, (id, next)))
    }

    /// Of messages with the same key only one is in a queue for last values from which nothing leaves: what
    /// leaves arrives.
    pub(super) fn check_last(&self, found: &Found) -> Result<(), String> {
        let mut keys = BTreeSet::new();
        for (id, queue) in found.spots.keys() {
            let station = self.station(queue);
            let key = self.sent.get(&(*id, *queue)).map_or(0, |sent| sent.key);
            let is_one = station.is_last && station.next.is_empty() && key != 0;
            if is_one && !keys.insert((queue, key)) {
                return Err(format!("key {key} stands twice in {queue}"));
            }
        }
        Ok(())
    }
}
