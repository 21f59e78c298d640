//! Deduplication: which keys came already. The oldest are forgotten when there are too many, and each after
//! its time.

use super::keys::Key;
use std::collections::{HashMap, VecDeque};

/// The order is not looked through for what is stale while it is no longer than twice what counts, and so
/// much.
const ORDER_SLACK: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Until when keys are remembered, in milliseconds since 1970; 0: until they have to make room. And which
    /// of all that came is the last with this key.
    until: HashMap<Key, (u64, u64)>,
    /// Keys in the order in which they came, with the hour that was noted then, and the how-many-th it was.
    order: VecDeque<(Key, u64, u64)>,
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
    pub(super) fn insert(&mut self, key: Key, until_ms: u64) {
        self.count += 1;
        self.until.insert(key, (until_ms, self.count));
        self.order.push_back((key, until_ms, self.count));
        // Behind one that stays those would pile up that came again.
        if self.order.len() > 2 * self.until.len() + ORDER_SLACK {
            let until = &self.until;
            self.order
                .retain(|(key, at, nth)| until.get(key) == Some(&(*at, *nth)));
        }
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
    }

    /// All keys that are remembered, in order, with the hours.
    pub(super) fn all(&self) -> Vec<(Key, u64)> {
        let fresh = |(key, until, nth): &&(Key, u64, u64)| self.until.get(key) == Some(&(*until, *nth));
        self.order
            .iter()
            .filter(fresh)
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
        (1..=3).for_each(|key| seen.insert(key, 0));
        seen.tidy(2, 0);
        assert!(!seen.has(1, 0) && seen.has(2, 0) && seen.has(3, 0));
        seen.insert(4, 100);
        assert!(seen.has(4, 99) && !seen.has(4, 100), "its time is over");
        seen.insert(4, 300);
        seen.tidy(3, 200);
        assert!(seen.has(4, 200), "it came again");
        assert_eq!(seen.all(), [(2, 0), (3, 0), (4, 300)]);
    }

    #[test]
    fn keys_that_come_again_and_again_behind_one_that_stays_are_remembered_once_each() {
        let mut seen = Seen::default();
        seen.insert(1, 0);
        for now_ms in 0..10_000 {
            let key = 2 + u128::from(now_ms % 50);
            assert!(!seen.has(key, now_ms), "its time is over");
            seen.insert(key, now_ms + 10);
            seen.tidy(128, 0);
            assert!(seen.order.len() <= 2 * 51 + ORDER_SLACK, "{}", seen.order.len());
        }
        let all: Vec<Key> = seen.all().iter().map(|(key, _)| *key).collect();
        assert_eq!(all, (1..=51).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_log_tells_again_leaves_the_newest_the_newest() {
        let mut seen = Seen::default();
        // A checkpoint has the newest two; the log behind it begins with what came before them.
        (3..=4).chain(1..=4).for_each(|key| seen.insert(key, 0));
        seen.insert(5, 0);
        seen.tidy(2, 0);
        assert_eq!(seen.all(), [(4, 0), (5, 0)]);
    }
}
