//! Limits: how much may be ready, and what happens beyond.

use super::Queue;
use super::fact::{Fact, Gathered};
use super::rules::{Overflow, Rules};
use super::times::own_expiry_ms;
use crate::message::{Message, Reason};

impl Rules {
    /// What is ready must not be more than this: messages, and octets of their bodies.
    fn limits(&self) -> Option<(u64, u64)> {
        (self.max_length.is_some() || self.max_length_bytes.is_some()).then(|| {
            (
                self.max_length.unwrap_or(u64::MAX),
                self.max_length_bytes.unwrap_or(u64::MAX),
            )
        })
    }
}

/// What a queue that refuses has room for.
pub(super) struct Room {
    /// `None`: for anything.
    limits: Option<(u64, u64)>,
    /// What is ready, and what was taken: messages, and octets of their bodies.
    count: u64,
    octets: u64,
}

impl Room {
    /// Takes a message of so many octets, which takes the place of others of so many. Answers whether there
    /// is room for it; there always is where it takes no more.
    pub(super) fn take(&mut self, octets: u64, instead_of: &[u64]) -> bool {
        let Some((count_max, octets_max)) = self.limits else {
            return true;
        };
        let count = (self.count + 1).saturating_sub(instead_of.len() as u64);
        let sum = self.octets.saturating_sub(instead_of.iter().sum()) + octets;
        if (count > count_max && count > self.count) || (sum > octets_max && sum > self.octets) {
            return false;
        }
        (self.count, self.octets) = (count, sum);
        true
    }
}

impl Queue {
    /// Whether messages are refused when there are too many.
    pub fn refuses(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| {
            extras.rules.overflow != Overflow::DropHead && extras.rules.limits().is_some()
        })
    }

    /// Whether a message may be queued now, in milliseconds since 1970.
    pub fn has_room_for(&self, message: &Message, now_ms: u64) -> bool {
        self.has_room_for_all(std::slice::from_ref(message), now_ms)
    }

    /// Whether all of these messages may be queued now, in milliseconds since 1970.
    pub fn has_room_for_all(&self, messages: &[Message], now_ms: u64) -> bool {
        if !self.refuses() {
            return true;
        }
        let taken = match self.extras.as_ref().is_some_and(|extras| extras.has_keys()) {
            false => self.room_for(messages),
            true => self.enqueue_by_key(messages, now_ms, &mut Vec::new()),
        };
        taken == messages.len()
    }

    /// How many of these messages, the first ones, may be queued, if each is a new one.
    pub(super) fn room_for(&self, messages: &[Message]) -> usize {
        let mut room = self.room();
        if room.limits.is_none() {
            return messages.len();
        }
        let fits = messages.iter().take_while(|message| {
            let octets = u64::from(message.envelope().body_bytes);
            room.take(octets, &[])
        });
        fits.count()
    }

    /// What there is room for.
    pub(super) fn room(&self) -> Room {
        let extras = self.extras.as_ref().filter(|_| self.refuses());
        Room {
            limits: extras.and_then(|extras| extras.rules.limits()),
            count: self.ready_count() as u64,
            octets: self.octets.ready(),
        }
    }

    /// Octets of those of these messages that take room: what is ready, and what came just now.
    pub(super) fn taking_room(&self, room: &Room, messages: &[(u64, u32)]) -> Vec<u64> {
        if room.limits.is_none() {
            return Vec::new();
        }
        let takes = |seq| seq >= self.next_seq || self.lanes().any(|(_, lane)| lane.contains(seq));
        let taking = messages.iter().filter(|(seq, _)| takes(*seq));
        taking.map(|(_, octets)| u64::from(*octets)).collect()
    }

    /// Whether there is more than may be, and it is to go.
    pub fn is_overfull(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| {
            // What a queue that is deleted could not send on waits in its lanes, however much it is.
            let drops = extras.rules.overflow == Overflow::DropHead && extras.leaving.round.is_none();
            let limits = extras.rules.limits().filter(|_| drops);
            limits.is_some_and(|(length, octets)| {
                self.ready_count() as u64 > length || self.octets.ready() > octets
            })
        })
    }

    /// The oldest messages of the lowest priorities go, until what is left is not too much. What has to be
    /// read first goes when it was.
    pub(super) fn shed(&mut self, facts: &mut Vec<Fact>) {
        let mut settled = Gathered::default();
        while self.is_overfull() {
            let lowest = self.lanes_mut().find(|(_, lane)| !lane.is_empty());
            let popped = lowest.and_then(|(level, lane)| Some((level, lane.pop()?)));
            let Some((level, (seq, entry, is_stored))) = popped else {
                break;
            };
            self.leave((seq, level), entry, is_stored, Reason::MaxLen, &mut settled);
        }
        facts.extend(settled.settled());
    }

    /// A message taken from a lane leaves, or is settled if it has nowhere to go.
    pub(super) fn leave(
        &mut self,
        (seq, level): (u64, u8),
        entry: super::Entry,
        is_stored: bool,
        reason: Reason,
        settled: &mut Gathered,
    ) {
        let persistent = self.is_kept(&entry.message);
        let octets = entry.message.envelope().body_bytes;
        let has_dead_letters = self.has_dead_letters();
        if let Some(at) = own_expiry_ms(&entry.message)
            && let Some(extras) = &mut self.extras
        {
            extras.times.lend_expiry(seq, at, octets, has_dead_letters);
        }
        if !has_dead_letters {
            settled.push(seq, persistent, octets);
        }
        self.octets.set_aside(u64::from(octets));
        let extras = self.extras.get_or_insert_default();
        extras
            .leaving
            .push(seq, level, entry, is_stored, persistent, reason);
    }
}
