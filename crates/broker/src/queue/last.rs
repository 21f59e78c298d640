//! Last values: of messages with the same key only the last one stays, until it is taken.

use super::fact::Range;
use super::keys::Key;
use std::collections::{BTreeMap, HashMap};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LastValues {
    /// The message that stands for a key, with the octets of its body.
    by_key: HashMap<Key, (u64, u32)>,
    by_seq: BTreeMap<u64, Key>,
}

impl LastValues {
    /// The message that stands for a key, and the octets of its body.
    pub(super) fn find(&self, key: Key) -> Option<(u64, u32)> {
        self.by_key.get(&key).copied()
    }

    /// A message stands for a key from now on.
    pub(super) fn insert(&mut self, key: Key, seq: u64, octets: u32) {
        if let Some((old, _)) = self.by_key.insert(key, (seq, octets)) {
            self.by_seq.remove(&old);
        }
        self.by_seq.insert(seq, key);
    }

    /// A message is done with.
    pub(super) fn forget(&mut self, seq: u64) {
        if let Some(key) = self.by_seq.remove(&seq) {
            self.by_key.remove(&key);
        }
    }

    /// Messages are done with.
    pub(super) fn forget_all(&mut self, gone: Range) {
        while let Some((seq, _)) = self.by_seq.range(gone.first..=gone.last).next() {
            let seq = *seq;
            self.forget(seq);
        }
    }

    /// All messages that stand for a key: number, key, octets.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, Key, u32)> {
        self.by_seq.iter().map(|(seq, key)| {
            let octets = self.by_key.get(key).map_or(0, |(_, octets)| *octets);
            (*seq, *key, octets)
        })
    }
}
