//! Deduplication: which keys came already. The oldest are forgotten when there are too many, and each after
//! its time.

use super::keys::Key;
use super::{Fact, Queue};
use crate::message::Message;
use std::collections::{HashMap, VecDeque};

/// So many places of keys that came again are left, beside as many as there are keys.
const STALE_MAX: usize = 64;

/// What a queue that remembers keys knows of a message's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The key.
    pub key: Key,
    /// It came before, and is remembered.
    pub is_known: bool,
    until_ms: u64,
    persistent: bool,
}

impl Sighting {
    /// That it came now.
    pub fn fact(&self) -> Fact {
        Fact::Seen {
            key: self.key,
            until_ms: self.until_ms,
            persistent: self.persistent,
        }
    }
}

impl Queue {
    /// Looks whether a message's key came before, for an exchange that keeps its keys in this queue. `None`
    /// when the message has none.
    pub fn sighting(&self, message: &Message, now_ms: u64) -> Option<Sighting> {
        let extras = self.extras.as_ref()?;
        let (key, until_ms) = extras.dedup_key(message, now_ms)?;
        Some(Sighting {
            key,
            is_known: extras.seen.has(key, now_ms),
            until_ms,
            persistent: self.is_kept(message),
        })
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Until when keys are remembered, in milliseconds since 1970; 0: until they have to make room. And which
    /// of all that came is the last with this key.
    until: HashMap<Key, (u64, u64)>,
    /// Keys in the order in which they came, with the hour that was noted then, and the how-many-th it was.
    order: VecDeque<(Key, u64, u64)>,
    /// So many came, in steps of two: those whose messages last have the odd number behind.
    count: u64,
}

impl Seen {
    /// Whether a key came, and is remembered.
    pub(super) fn has(&self, key: Key, now_ms: u64) -> bool {
        let until = self.until.get(&key);
        until.is_some_and(|(until, _)| *until == 0 || *until > now_ms)
    }

    /// A key came. In recovery one may come that is known already: then it is the newest all the same, for
    /// those that a log tells of before it have come once more, too. `lasts`: its message does.
    pub(super) fn insert(&mut self, key: Key, until_ms: u64, lasts: bool) {
        self.count += 2;
        let nth = self.count | u64::from(lasts);
        self.until.insert(key, (until_ms, nth));
        self.order.push_back((key, until_ms, nth));
    }

    /// Forgets the oldest beyond so many, and those whose time is over as far as they are the oldest.
    pub(super) fn tidy(&mut self, keys_max: u64, now_ms: u64) {
        while let Some((key, until, nth)) = self.order.front().copied() {
            let is_stale = self.until.get(&key) != Some(&(until, nth));
            let is_over = until != 0 && until <= now_ms;
            if !is_stale && !is_over && self.until.len() as u64 <= keys_max {
                break;
            }
            self.order.pop_front();
            if !is_stale {
                self.until.remove(&key);
            }
        }
        // One that stays for long may have many behind it that came again and again.
        if self.order.len() > 2 * self.until.len() + STALE_MAX {
            let until = &self.until;
            self.order
                .retain(|(key, at, nth)| until.get(key) == Some(&(*at, *nth)));
        }
    }

    /// The keys that are remembered beyond the end of the node, in order, with the hours: those of messages
    /// that are there then, for what was lost with it may come again.
    pub(super) fn lasting(&self) -> Vec<(Key, u64)> {
        let is_fresh = |key, until, nth| self.until.get(key) == Some(&(until, nth));
        self.order
            .iter()
            .filter(|(key, until, nth)| nth & 1 == 1 && is_fresh(key, *until, *nth))
            .map(|(key, until, _)| (*key, *until))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room_and_all_have_their_time() {
        let mut seen = Seen::default();
        (1..=3).for_each(|key| seen.insert(key, 0, true));
        seen.tidy(2, 0);
        assert!(!seen.has(1, 0) && seen.has(2, 0) && seen.has(3, 0));
        seen.insert(4, 100, true);
        assert!(seen.has(4, 99) && !seen.has(4, 100), "its time is over");
        seen.insert(4, 300, true);
        seen.tidy(3, 200);
        assert!(seen.has(4, 200), "it came again");
        assert_eq!(seen.lasting(), [(2, 0), (3, 0), (4, 300)]);
    }

    #[test]
    fn keys_of_messages_that_do_not_last_do_not_last() {
        let mut seen = Seen::default();
        seen.insert(1, 0, false);
        seen.insert(2, 0, true);
        seen.insert(3, 5, true);
        // Again, when its time was over.
        seen.insert(3, 9, false);
        assert!((1..=3).all(|key| seen.has(key, 6)));
        assert_eq!(seen.lasting(), [(2, 0)]);
    }

    #[test]
    fn a_key_that_comes_again_and_again_takes_no_more_room() {
        let mut seen = Seen::default();
        seen.insert(1, 0, true);
        for hour in 1..10_000 {
            seen.insert(2, hour, true);
            seen.tidy(1_000, 0);
        }
        assert!(seen.order.len() <= 4 + STALE_MAX, "{}", seen.order.len());
        assert_eq!(seen.lasting(), [(1, 0), (2, 9_999)]);
    }

    #[test]
    fn what_a_log_tells_again_leaves_the_newest_the_newest() {
        let mut seen = Seen::default();
        // A checkpoint has the newest two; the log behind it begins with what came before them.
        (3..=4).chain(1..=4).for_each(|key| seen.insert(key, 0, true));
        seen.insert(5, 0, true);
        seen.tidy(2, 0);
        assert_eq!(seen.lasting(), [(4, 0), (5, 0)]);
    }
}
