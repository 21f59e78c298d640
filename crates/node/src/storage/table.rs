//! Which extents there are, and how much of each is still needed.

use hashbrown::HashMap;
use warren_broker::queue::Released;

/// An extent, as far as it is known without reading it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) durable: bool,
    /// Messages written.
    pub(super) count: u64,
    /// Messages still needed.
    pub(super) live: u64,
    /// Something in it could not be read: it is not rewritten, and set aside in the end.
    pub(super) is_damaged: bool,
}

/// How much the extents hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Extents.
    pub extents: usize,
    /// Messages written to them.
    pub messages: u64,
    /// Messages that are still needed.
    pub live: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Table {
    known: HashMap<u64, Known>,
    /// Nobody needs these any more.
    dead: Vec<(u64, Known)>,
    last: u64,
}

impl Table {
    /// A table whose extents have numbers up to `last`.
    pub(super) fn new(last: u64) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// A number for a new extent.
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Something is in an extent and needed; to be said before any queue knows of it.
    pub(super) fn add(&mut self, extent: u64, durable: bool, count: u64) {
        let known = self.known.entry(extent).or_insert(Known {
            durable,
            count: 0,
            live: 0,
            is_damaged: false,
        });
        known.count += count;
        known.live += count;
    }

    /// Messages are no longer needed. Answers whether that leaves an extent without any.
    pub(super) fn release(&mut self, released: &[Released]) -> bool {
        let before = self.dead.len();
        for Released { extent, count } in released {
            let Some(known) = self.known.get_mut(extent) else {
                continue;
            };
            known.live = known.live.saturating_sub(*count);
            if known.live == 0
                && let Some(known) = self.known.remove(extent)
            {
                self.dead.push((*extent, known));
            }
        }
        self.dead.len() > before
    }

    /// An extent that nobody needs, found at start; it is set aside if it is to be kept.
    pub(super) fn add_dead(&mut self, extent: u64, keeps: bool) {
        let known = Known {
            durable: true,
            count: 0,
            live: 0,
            is_damaged: keeps,
        };
        self.dead.push((extent, known));
    }

    /// All extents that are needed, with how many messages.
    pub(super) fn needed(&self) -> Vec<(u64, u64)> {
        let all = self.known.iter();
        all.map(|(extent, known)| (*extent, known.live)).collect()
    }

    pub(super) fn knows(&self, extent: u64) -> bool {
        self.known.contains_key(&extent)
    }

    pub(super) fn mark_damaged(&mut self, extent: u64) {
        if let Some(known) = self.known.get_mut(&extent) {
            known.is_damaged = true;
        }
    }

    pub(super) fn has_dead(&self) -> bool {
        !self.dead.is_empty()
    }

    pub(super) fn take_dead(&mut self) -> Vec<(u64, Known)> {
        std::mem::take(&mut self.dead)
    }

    /// They could not be removed yet.
    pub(super) fn put_back(&mut self, dead: Vec<(u64, Known)>) {
        self.dead.extend(dead);
    }

    /// Extents of which less than so many per cent is needed, the emptiest first.
    pub(super) fn sparse(&self, percent: u64) -> Vec<(u64, Known)> {
        let is_sparse = |known: &Known| !known.is_damaged && known.live * 100 < known.count * percent;
        let mut sparse: Vec<_> = self
            .known
            .iter()
            .filter(|(_, known)| is_sparse(known))
            .map(|(extent, known)| (*extent, *known))
            .collect();
        sparse.sort_unstable_by_key(|(extent, known)| (known.live, *extent));
        sparse
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            extents: self.known.len() + self.dead.len(),
            messages: self.known.values().map(|known| known.count).sum(),
            live: self.known.values().map(|known| known.live).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_dies_with_its_last_message() {
        let mut table = Table::new(6);
        let extent = table.next();
        assert_eq!(extent, 7);
        table.add(extent, true, 10);
        assert!(!table.release(&[Released { extent, count: 9 }]));
        assert_eq!(table.sparse(25).len(), 1);
        assert!(table.release(&[Released { extent, count: 1 }]));
        assert_eq!(table.take_dead().len(), 1);
        assert_eq!(table.usage(), Usage::default());
    }
}
