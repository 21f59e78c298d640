//! Last values: of messages with the same key only the last one stays, until it is taken. Those that were out
//! meanwhile, and came back, go with it when the next one comes.
//!
//! ```text
//!   by_seq:  1 -> k   2 -> k   3 -> k      all that are there, wherever they are
//!   newest:  k -> 3
//!   back:    k -> 1                        2 is out with a consumer, and is left to it
//! ```

use super::fact::Range;
use super::keys::Key;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LastValues {
    newest: HashMap<Key, u64>,
    /// Those that came back since a newer one with their key came.
    back: HashMap<Key, BTreeSet<u64>>,
    /// Keys, and octets of the bodies.
    by_seq: BTreeMap<u64, (Key, u32)>,
}

impl LastValues {
    /// The messages whose place one with this key takes, and the octets of their bodies. Some may be out.
    pub(super) fn find(&self, key: Key) -> impl Iterator<Item = (u64, u32)> {
        let back = self.back.get(&key).into_iter().flatten();
        let all = self.newest.get(&key).into_iter().chain(back);
        all.filter_map(|seq| Some((*seq, self.by_seq.get(seq)?.1)))
    }

    /// A message came, in place of those that had its key.
    pub(super) fn insert(&mut self, key: Key, seq: u64, octets: u32) {
        self.by_seq.insert(seq, (key, octets));
        self.newest.insert(key, seq);
        if !self.back.is_empty() {
            self.back.remove(&key);
        }
    }

    /// A message is there, in the place of none: it is so after recovery, or was delayed.
    pub(super) fn add(&mut self, key: Key, seq: u64, octets: u32) {
        self.by_seq.insert(seq, (key, octets));
        let newest = self.newest.entry(key).or_insert(seq);
        let older = seq.min(*newest);
        *newest = seq.max(*newest);
        if older < *newest {
            self.back.entry(key).or_default().insert(older);
        }
    }

    /// A message is no longer out with a consumer.
    pub(super) fn came_back(&mut self, seq: u64) {
        if let Some((key, _)) = self.by_seq.get(&seq)
            && self.newest.get(key) != Some(&seq)
        {
            self.back.entry(*key).or_default().insert(seq);
        }
    }

    /// A message is done with.
    pub(super) fn forget(&mut self, seq: u64) {
        let Some((key, _)) = self.by_seq.remove(&seq) else {
            return;
        };
        if self.newest.get(&key) == Some(&seq) {
            self.newest.remove(&key);
        }
        if let Some(back) = self.back.get_mut(&key) {
            back.remove(&seq);
            if back.is_empty() {
                self.back.remove(&key);
            }
        }
    }

    /// Messages are done with.
    pub(super) fn forget_all(&mut self, gone: Range) {
        while let Some((seq, _)) = self.by_seq.range(gone.first..=gone.last).next() {
            let seq = *seq;
            self.forget(seq);
        }
    }

    /// All messages that have a key: number, key, octets.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, Key, u32)> {
        let all = self.by_seq.iter();
        all.map(|(seq, (key, octets))| (*seq, *key, *octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(last: &LastValues, key: Key) -> Vec<u64> {
        last.find(key).map(|(seq, _)| seq).collect()
    }

    #[test]
    fn one_that_came_back_goes_with_the_newest() {
        let mut last = LastValues::default();
        (1..=3).for_each(|seq| last.insert(7, seq, 4));
        assert_eq!(found(&last, 7), [3]);
        last.came_back(1);
        last.came_back(3);
        assert_eq!(found(&last, 7), [3, 1]);
        last.forget(3);
        assert_eq!(found(&last, 7), [1]);
        last.insert(7, 4, 4);
        assert_eq!(found(&last, 7), [4]);
    }

    #[test]
    fn after_recovery_all_make_way_whatever_the_order_in_which_they_are_found() {
        let mut last = LastValues::default();
        [2, 1, 3, 3].into_iter().for_each(|seq| last.add(7, seq, 4));
        assert_eq!(found(&last, 7), [3, 1, 2]);
        last.forget_all(Range { first: 0, last: 2 });
        assert_eq!(found(&last, 7), [3]);
        last.forget(3);
        assert!(last.newest.is_empty() && last.back.is_empty() && last.by_seq.is_empty());
    }
}
