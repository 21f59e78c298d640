//! What a queue has that is not a plain one.

use super::fact::Range;
use super::groups::Groups;
use super::keys::{HeaderReader, Key, key_of};
use super::last::LastValues;
use super::leaving::Exit;
use super::levels::Levels;
use super::rules::{GroupBy, Rules};
use super::seen::Seen;
use super::stored::Shelf;
use super::ticket::Ticket;
use super::times::Times;
use crate::message::Message;
use crate::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What says that messages are the same.
const DEDUPLICATION_HEADER: &str = "x-deduplication-header";

/// How long a message's own key is remembered, in milliseconds.
const CACHE_TTL_HEADER: &str = "x-cache-ttl";

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Extras {
    pub(super) rules: Rules,
    pub(super) levels: Levels,
    pub(super) leaving: Exit,
    pub(super) times: Times,
    /// Who reads headers, if a rule asks for any.
    pub(super) reader: Option<Arc<dyn HeaderReader>>,
    pub(super) seen: Seen,
    pub(super) last: LastValues,
    pub(super) groups: Option<Groups>,
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
        let delayed = delayed.map(|(seq, entry)| (seq, Some(&entry.message), entry.past.is_redelivered()));
        let absent = self.times.delayed.ahead.absent.ranges();
        let absent = absent.into_iter().flat_map(|range| range.first..=range.last);
        let absent = absent.map(|seq| (seq, None, stored.is_redelivered(seq)));
        let resting = self.times.resting.iter();
        let resting = resting.map(|(seq, resting)| (*seq, resting.message.as_ref(), true));
        self.leaving.live().chain(delayed).chain(absent).chain(resting)
    }

    /// The key of a message by a header.
    pub(super) fn key(&self, message: &Message, header: &str) -> Option<Key> {
        let value = self.reader.as_ref()?.header(message, header)?;
        Some(key_of(&value))
    }

    /// Whether messages are told apart by keys when they come.
    pub(super) fn has_keys(&self) -> bool {
        self.rules.deduplication.is_some() || self.rules.last_value_header.is_some()
    }

    /// The key by which a message is told to be the same as another, and until when it is to be remembered.
    pub(super) fn dedup_key(&self, message: &Message, now_ms: u64) -> Option<(Key, u64)> {
        let rule = self.rules.deduplication?;
        let key = self.key(message, DEDUPLICATION_HEADER)?;
        let own_ttl = self.reader.as_ref()?.header(message, CACHE_TTL_HEADER);
        let own_ttl = own_ttl.and_then(|value| u64::try_from(value.as_integer()?).ok());
        let until = own_ttl
            .or(rule.ttl_ms)
            .map_or(0, |ttl| now_ms.saturating_add(ttl));
        Some((key, until))
    }

    /// A key came.
    pub(super) fn see(&mut self, key: Key, until_ms: u64, persistent: bool) {
        self.seen.insert(key, until_ms, persistent);
        if let Some(rule) = self.rules.deduplication {
            self.seen.tidy(rule.keys_max, 0);
        }
    }

    /// The same of a message that may be a copy. A dead letter is none: it may have been here before, and
    /// was nowhere else since.
    pub(super) fn copy_key(&self, message: &Message, now_ms: u64) -> Option<(Key, u64)> {
        let key = self.dedup_key(message, now_ms);
        key.filter(|_| message.deaths().is_none())
    }

    /// The key by which a message takes the place of another.
    pub(super) fn last_key(&self, message: &Message) -> Option<Key> {
        let header = self.rules.last_value_header.as_ref()?;
        self.key(message, header)
    }

    /// The group of a message. One that has none is a group of its own.
    pub(super) fn group_of(&self, seq: u64, message: &Message) -> Key {
        let key = match &self.rules.group_by {
            Some(GroupBy::Header(name)) => self.key(message, name),
            Some(GroupBy::KeyPart(nth)) => {
                let mut parts = message.routing_key().split('.');
                let part = parts.nth(usize::from(*nth));
                part.map(|part| key_of(&Value::String(part.as_bytes().into())))
            }
            None => None,
        };
        // Half a digest hardly ever has 63 zeros in front.
        key.unwrap_or(Key::from(seq))
    }

    /// How often a message was taken away from who held it.
    pub(super) fn turn_of(&self, seq: u64) -> u16 {
        self.turns.get(&seq).copied().unwrap_or(0)
    }

    /// A delivery went out, to one who has a lease of its own, or not.
    pub(super) fn went_out(&mut self, ticket: Ticket, own_lease_ms: Option<u64>, now_ms: u64) {
        let leases = &mut self.times.leases;
        match own_lease_ms {
            Some(lease_ms) => leases.lend_for(lease_ms, ticket, now_ms),
            None if self.rules.consumer_timeout_ms.is_some() => leases.lend(ticket, now_ms),
            None => {}
        }
    }

    /// A message is done with.
    pub(super) fn forget(&mut self, seq: u64) {
        if !self.turns.is_empty() {
            self.turns.remove(&seq);
        }
        self.times.forget(seq);
        self.last.forget(seq);
        if let Some(groups) = &mut self.groups {
            groups.forget(seq);
        }
    }

    /// Messages are done with, which may not be in memory. Answers how many of them were delayed.
    pub(super) fn forget_absent(&mut self, gone: Range) -> u64 {
        self.times.forget_wanted(gone);
        self.leaving.ahead.forget(gone);
        self.last.forget_all(gone);
        self.times.delayed.ahead.forget(gone)
    }

    /// Messages that were ready are purged.
    pub(super) fn forget_purged(&mut self, gone: Range) {
        while let Some((seq, _)) = self.turns.range(gone.first..=gone.last).next() {
            let seq = *seq;
            self.turns.remove(&seq);
        }
        self.last.forget_all(gone);
        if let Some(groups) = &mut self.groups {
            groups.forget_all(gone);
        }
    }

    /// Numbers of all messages that something is noted of, but for their times.
    #[cfg(test)]
    pub(super) fn noted(&self) -> impl Iterator<Item = u64> {
        let grouped = self.groups.iter().flat_map(Groups::noted);
        let last = self.last.all().map(|(seq, ..)| seq);
        self.turns.keys().copied().chain(last).chain(grouped)
    }

    /// A message is taken away from who holds it.
    pub(super) fn take_away(&mut self, seq: u64) {
        let turn = self.turns.entry(seq).or_default();
        // Nobody still knows the name of so long ago.
        *turn = turn.wrapping_add(1);
    }
}
