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

impl Queue {
    /// Whether messages are refused when there are too many.
    pub fn refuses(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| {
            extras.rules.overflow != Overflow::DropHead && extras.rules.limits().is_some()
        })
    }

    /// Whether a message may be queued.
    pub fn has_room_for(&self, message: &Message) -> bool {
        self.room_for(std::slice::from_ref(message)) > 0
    }

    /// Whether all of these messages may be queued.
    pub fn has_room_for_all(&self, messages: &[Message]) -> bool {
        self.room_for(messages) == messages.len()
    }

    /// How many of these messages, the first ones, may be queued.
    pub(super) fn room_for(&self, messages: &[Message]) -> usize {
        let Some(extras) = &self.extras else {
            return messages.len();
        };
        let (Some((length, octets)), true) = (extras.rules.limits(), self.refuses()) else {
            return messages.len();
        };
        let mut count = self.ready_count() as u64;
        let mut sum = self.octets.ready();
        let fits = messages.iter().take_while(|message| {
            count += 1;
            sum += u64::from(message.envelope().body_bytes);
            count <= length && sum <= octets
        });
        fits.count()
    }

    /// Whether there is more than may be, and it is to go.
    pub fn is_overfull(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| {
            let drops = extras.rules.overflow == Overflow::DropHead;
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
