//! A set of numbers that arrive nearly in order: all below a base, and a bit for each one beyond.
//!
//! In order it is one number and one comparison. What is missing costs a bit for every later number, up to a
//! bound, where the oldest are given up.

use std::collections::VecDeque;

/// Words of bits beyond the base: 64 million numbers in 8 MiB.
const WORDS_MAX: usize = 1 << 20;

const BITS: u64 = 64;

#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// All below it are marked, or given up.
    base: u64,
    /// Bits from the multiple of 64 at or below the base on; empty when nothing beyond the base is marked.
    words: VecDeque<u64>,
}

impl Marks {
    /// The lowest number that is not marked.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Marks a number; false if it was already.
    #[inline]
    pub(crate) fn mark(&mut self, number: u64) -> bool {
        if number == self.base && self.words.is_empty() {
            self.base += 1;
            return true;
        }
        self.mark_ahead(number)
    }

    /// Marks all numbers below `end`, and answers how many of them were not.
    pub(crate) fn mark_below(&mut self, end: u64) -> u64 {
        let mut new = 0;
        while self.base < end {
            if self.words.is_empty() {
                new += end - self.base;
                self.base = end;
                break;
            }
            new += 1;
            self.mark_ahead(self.base);
        }
        new
    }

    #[cfg(test)]
    fn contains(&self, number: u64) -> bool {
        number < self.base
            || self
                .words
                .get(self.index(number))
                .is_some_and(|word| word & (1 << (number % BITS)) != 0)
    }

    fn index(&self, number: u64) -> usize {
        usize::try_from(number / BITS - self.base / BITS).unwrap_or(usize::MAX)
    }

    #[cold]
    fn mark_ahead(&mut self, number: u64) -> bool {
        if number < self.base {
            return false;
        }
        if self.words.is_empty() {
            self.words.push_back((1 << (self.base % BITS)) - 1);
        }
        while self.index(number) >= WORDS_MAX {
            self.give_up_word();
        }
        let index = self.index(number);
        if index >= self.words.len() {
            self.words.resize(index + 1, 0);
        }
        let bit = 1 << (number % BITS);
        let Some(word) = self.words.get_mut(index) else {
            return false;
        };
        let is_new = *word & bit == 0;
        *word |= bit;
        self.settle();
        is_new
    }

    /// Moves the base over what is marked.
    fn settle(&mut self) {
        while let Some(&first) = self.words.front() {
            let start = self.base / BITS * BITS;
            self.base = start + u64::from(first.trailing_ones());
            if first == u64::MAX {
                self.words.pop_front();
                continue;
            }
            if self.words.len() == 1 && first.count_ones() == first.trailing_ones() {
                self.words.clear();
            }
            break;
        }
    }

    fn give_up_word(&mut self) {
        self.words.pop_front();
        self.base = (self.base / BITS + 1) * BITS;
        if self.words.is_empty() {
            self.words.push_back(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::Random;

    #[test]
    fn in_order_nothing_is_kept() {
        let mut marks = Marks::default();
        assert!((0..1000).all(|number| marks.mark(number)));
        assert_eq!(marks.base(), 1000);
        assert!(marks.words.is_empty());
        assert!(!marks.mark(999));
    }

    #[test]
    fn it_is_the_set_that_a_tree_would_be() {
        for seed in 0..50 {
            let (mut random, mut marks, mut model) = (Random::new(seed), Marks::default(), BTreeSet::new());
            for _ in 0..500 {
                let number = marks.base() + random.below(200) as u64;
                let number = number.saturating_sub(20);
                if random.below(20) == 0 {
                    let new = (0..number).filter(|below| model.insert(*below)).count();
                    assert_eq!(marks.mark_below(number), new as u64);
                } else {
                    assert_eq!(marks.mark(number), model.insert(number), "seed {seed}: {number}");
                }
                let lowest = (0..).find(|number| !model.contains(number)).unwrap();
                assert_eq!(marks.base(), lowest);
                assert!((0..lowest + 300).all(|number| marks.contains(number) == model.contains(&number)));
            }
        }
    }

    #[test]
    fn what_is_missing_too_long_is_given_up() {
        let mut marks = Marks::default();
        let far = WORDS_MAX as u64 * BITS + 100;
        assert!(marks.mark(far));
        assert!(marks.words.len() <= WORDS_MAX);
        assert!(marks.base() > 0);
        assert!(marks.mark(far - 1));
        assert!(!marks.mark(far));
    }
}
