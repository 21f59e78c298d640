//! Which messages are lost, where it is only known that some are.
//!
//! An entry that is damaged does not tell its number. Its neighbours tell between which numbers it was;
//! and whoever reads knows which of those it still waits for.

use std::collections::BTreeSet;

/// So many numbers within a block are asked about, at most: a tenth of a second.
const ASKED_IN_BLOCK_MAX: u64 = 1 << 22;

/// So many numbers between blocks are asked about, at most: some seconds, for a file of which most is gone.
const ASKED_BETWEEN_MAX: u64 = 1 << 28;

/// Numbers of which some are lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    /// The lowest and the highest number that may be lost.
    pub(super) low: u64,
    pub(super) high: u64,
    /// How many are, at most.
    pub(super) count: u64,
}

impl Gap {
    /// Whether every number of the gap was that of a message.
    fn is_dense(self) -> bool {
        self.high - self.low < self.count
    }

    /// Tells of the lost messages from number `from` on that are `wanted`, in order, where whole blocks are
    /// missing; answers how many. When more are wanted than were lost, the first of them are told.
    pub(super) fn between_blocks(
        self,
        from: u64,
        wanted: &mut dyn FnMut(u64) -> bool,
        lost: &mut dyn FnMut(u64),
    ) -> u64 {
        let low = self.low.max(from);
        if low > self.high {
            return 0;
        }
        let high = self.high.min(low.saturating_add(ASKED_BETWEEN_MAX));
        let mut told = 0;
        for seq in low..=high {
            if told == self.count {
                break;
            }
            if wanted(seq) {
                lost(seq);
                told += 1;
            }
        }
        told
    }

    /// The same within a block, where some numbers are known to be `certain` or are said by damaged entries
    /// and so are `likely`: when more are wanted than were lost, those are told first. With each comes its
    /// place among the gap's numbers, if all of them are lost.
    pub(super) fn within_block(
        self,
        from: u64,
        certain: &[u64],
        likely: &[u64],
        wanted: &mut dyn FnMut(u64) -> bool,
        lost: &mut dyn FnMut(u64, Option<u64>),
    ) {
        let low = self.low.max(from);
        if low > self.high || self.count == 0 {
            return;
        }
        if self.is_dense() {
            for seq in (low..=self.high).filter(|seq| wanted(*seq)) {
                lost(seq, Some(seq - self.low));
            }
            return;
        }
        for seq in self.guess(low, certain, likely, wanted) {
            lost(seq, None);
        }
    }

    fn guess(
        self,
        low: u64,
        certain: &[u64],
        likely: &[u64],
        wanted: &mut dyn FnMut(u64) -> bool,
    ) -> BTreeSet<u64> {
        let limit = usize::try_from(self.count).unwrap_or(usize::MAX);
        let mut waited_for = BTreeSet::new();
        let mut asked_to = low;
        for seq in low..=self.high.min(low.saturating_add(ASKED_IN_BLOCK_MAX)) {
            asked_to = seq;
            if wanted(seq) {
                waited_for.insert(seq);
            }
            // One more than were lost is enough to know that they do not tell.
            if waited_for.len() > limit {
                break;
            }
        }
        let mut chosen = BTreeSet::new();
        for seq in certain.iter().chain(likely).copied() {
            let is_wanted = match seq {
                seq if seq < low || seq > self.high => false,
                seq if seq > asked_to => wanted(seq),
                seq => waited_for.contains(&seq),
            };
            if is_wanted && chosen.len() < limit {
                chosen.insert(seq);
            }
        }
        for seq in waited_for {
            if chosen.len() < limit {
                chosen.insert(seq);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(gap: Gap, certain: &[u64], likely: &[u64], mut wanted: impl FnMut(u64) -> bool) -> Vec<u64> {
        let mut told = Vec::new();
        gap.within_block(0, certain, likely, &mut wanted, &mut |seq, _| told.push(seq));
        told
    }

    #[test]
    fn a_dense_gap_is_lost_as_a_whole() {
        let gap = Gap {
            low: 5,
            high: 7,
            count: 3,
        };
        assert_eq!(within(gap, &[], &[], |_| true), [5, 6, 7]);
        assert_eq!(within(gap, &[], &[], |seq| seq != 6), [5, 7]);
    }

    #[test]
    fn what_is_waited_for_tells_what_a_sparse_gap_lost() {
        let gap = Gap {
            low: 5,
            high: 100,
            count: 2,
        };
        assert_eq!(within(gap, &[], &[11], |seq| seq == 9 || seq == 60), [9, 60]);
    }

    #[test]
    fn certain_and_likely_numbers_come_first_when_all_are_waited_for() {
        let gap = Gap {
            low: 5,
            high: 100,
            count: 3,
        };
        assert_eq!(within(gap, &[100], &[60, 300], |_| true), [5, 60, 100]);
    }

    #[test]
    fn a_wide_gap_ends() {
        let gap = Gap {
            low: 0,
            high: u64::MAX,
            count: 1,
        };
        assert_eq!(within(gap, &[u64::MAX], &[], |seq| seq == u64::MAX), [u64::MAX]);
        let mut told = Vec::new();
        let mut wanted = |seq| seq == 70;
        assert_eq!(gap.between_blocks(0, &mut wanted, &mut |seq| told.push(seq)), 1);
        assert_eq!(told, [70]);
    }
}
