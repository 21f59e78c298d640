//! Deduplication: which keys came already. The oldest are forgotten when there are too many, and each after
//! its time.

use super::keys::Key;
use super::{Fact, Queue};
use crate::message::Message;
use std::collections::{HashMap, VecDeque};

/// Keys that came again since are not looked for while there are so few.
const STALE_SLACK: usize = 64;

/// A key that came.
#[derive(Debug, Clone, Copy)]
struct Came {
    key: Key,
    /// The hour that was noted then.
    until_ms: u64,
    /// The how-many-th it was.
    nth: u64,
    /// What brought it survives a restart.
    persistent: bool,
}

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
    /// Keys in the order in which they came.
    order: VecDeque<Came>,
    /// So many came.
    count: u64,
}

impl Seen {
    /// Whether a key came, and is remembered.
    pub(super) fn has(&self, key: Key, now_ms: u64) -> bool {
        let until = self.until.get(&key);
        until.is_some_and(|(until, _)| *until == 0 || *until > now_ms)
    }

    /// A key came. In recovery one may come that is known already: then it is the newest all the same, for
    /// those that a log tells of before it have come once more, too.
    pub(super) fn insert(&mut self, key: Key, until_ms: u64, persistent: bool) {
        self.count += 1;
        self.until.insert(key, (until_ms, self.count));
        self.order.push_back(Came {
            key,
            until_ms,
            nth: self.count,
            persistent,
        });
        // Behind one that stays, those that expire and come again would pile up.
        if self.order.len() > 2 * self.until.len() + STALE_SLACK {
            let until = &self.until;
            self.order
                .retain(|came| until.get(&came.key) == Some(&(came.until_ms, came.nth)));
        }
    }

    fn is_stale(&self, came: &Came) -> bool {
        self.until.get(&came.key) != Some(&(came.until_ms, came.nth))
    }

    /// Forgets the oldest beyond so many, and those whose time is over as far as they are the oldest.
    pub(super) fn tidy(&mut self, keys_max: u64, now_ms: u64) {
        while let Some(came) = self.order.front() {
            let key = came.key;
            let is_stale = self.is_stale(came);
            let is_over = came.until_ms != 0 && came.until_ms <= now_ms;
            if !is_stale && !is_over && self.until.len() as u64 <= keys_max {
                break;
            }
            self.order.pop_front();
            if !is_stale {
                self.until.remove(&key);
            }
        }
    }

    /// All keys that are remembered after a restart, in order, with the hours. A message that is gone then
    /// may come again.
    pub(super) fn lasting(&self) -> Vec<(Key, u64)> {
        let all = self.order.iter();
        let lasting = all.filter(|came| came.persistent && !self.is_stale(came));
        lasting.map(|came| (came.key, came.until_ms)).collect()
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
    fn what_a_log_tells_again_leaves_the_newest_the_newest() {
        let mut seen = Seen::default();
        // A checkpoint has the newest two; the log behind it begins with what came before them.
        (3..=4).chain(1..=4).for_each(|key| seen.insert(key, 0, true));
        seen.insert(5, 0, true);
        seen.tidy(2, 0);
        assert_eq!(seen.lasting(), [(4, 0), (5, 0)]);
    }

    #[test]
    fn keys_that_come_again_and_again_do_not_pile_up() {
        let mut seen = Seen::default();
        seen.insert(1, 0, true);
        for now_ms in 0..1000 {
            seen.insert(2, now_ms + 1, true);
            seen.tidy(128, 0);
        }
        assert!(seen.order.len() < 100, "{}", seen.order.len());
        assert_eq!(seen.lasting(), [(1, 0), (2, 1000)]);
    }

    #[test]
    fn what_a_transient_message_brought_is_forgotten_with_it() {
        let mut seen = Seen::default();
        seen.insert(1, 0, true);
        seen.insert(2, 0, false);
        seen.insert(3, 0, true);
        // One that expired came again.
        seen.insert(1, 50, false);
        assert!(seen.has(1, 0) && seen.has(2, 0));
        assert_eq!(seen.lasting(), [(3, 0)]);
    }
}
