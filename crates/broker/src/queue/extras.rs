//! What a queue has that is not a plain one.

use super::fact::Range;
use super::leaving::Exit;
use super::levels::Levels;
use super::rules::Rules;
use super::stored::Shelf;
use super::ticket::Ticket;
use super::times::Times;
use crate::message::Message;
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Extras {
    pub(super) rules: Rules,
    pub(super) levels: Levels,
    pub(super) leaving: Exit,
    pub(super) times: Times,
    /// Messages that were taken away from who held them, and how often.
    turns: BTreeMap<u64, u16>,
}

impl Extras {
    /// Messages that are delayed, and that are leaving.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.times.waiting(), self.leaving.len())
    }

    /// What is neither ready nor out, by number: as [`Queue::live`](super::Queue::live).
    pub(super) fn live<'a>(
        &'a self,
        stored: &'a Shelf,
    ) -> impl Iterator<Item = (u64, Option<&'a Message>, bool)> {
        let delayed = self.times.delayed.in_memory();
        let delayed = delayed.map(|(seq, entry)| (seq, Some(&entry.message), entry.redelivered));
        let absent = self.times.delayed.ahead.absent.ranges();
        let absent = absent.into_iter().flat_map(|range| range.first..=range.last);
        let absent = absent.map(|seq| (seq, None, stored.is_redelivered(seq)));
        let resting = self.times.resting.iter();
        let resting = resting.map(|(seq, resting)| (*seq, resting.message.as_ref(), true));
        self.leaving.live().chain(delayed).chain(absent).chain(resting)
    }

    /// The priority that a message is served with.
    pub(super) fn level_of(&self, message: &Message) -> u8 {
        match self.rules.max_priority {
            None => 0,
            Some(max) => {
                let envelope = message.envelope();
                let asked = match envelope.has_priority {
                    true => envelope.priority,
                    false => self.rules.default_priority,
                };
                asked.min(max)
            }
        }
    }

    /// How often a message was taken away from who held it.
    pub(super) fn turn_of(&self, seq: u64) -> u16 {
        self.turns.get(&seq).copied().unwrap_or(0)
    }

    /// A delivery went out.
    pub(super) fn went_out(&mut self, seq: u64, turn: u16, now_ms: u64) {
        if self.rules.consumer_timeout_ms.is_some() {
            self.times.lend(Ticket::new(seq, turn), now_ms);
        }
    }

    /// A message is done with.
    pub(super) fn forget(&mut self, seq: u64) {
        if !self.turns.is_empty() {
            self.turns.remove(&seq);
        }
        self.times.forget(seq);
    }

    /// Messages are done with, which may not be in memory.
    pub(super) fn forget_absent(&mut self, gone: Range) {
        self.times.delayed.ahead.forget(gone);
        if self.times.wanted.first().is_some_and(|first| first <= gone.last) {
            self.times.wanted.remove_range(gone);
        }
        self.leaving.ahead.forget(gone);
    }

    /// A message is taken away from who holds it.
    pub(super) fn take_away(&mut self, seq: u64) {
        *self.turns.entry(seq).or_default() += 1;
    }
}
