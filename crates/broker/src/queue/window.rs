//! A map from rising sequence numbers to values, made for queues.
//!
//! Most numbers are added at the end and taken near the front, so the recent ones lie in a
//! ring indexed by number. What stays behind while the rest moves on (one stuck message, a
//! requeued one) goes to an ordered tree, so that it pins only itself:
//!
//! ```text
//! old: BTreeMap   3 ── 17            recent: ring   base=100 │ x │ . │ x │ x │
//! ```
//!
//! All operations are O(1) amortised for the ring and O(log n) for the tree.

use std::collections::{BTreeMap, VecDeque};

/// A ring never has more places than so many times its live ones and so many; then it sheds to the tree.
/// Where messages are delayed, each takes two numbers: one when it comes, one when it is due.
const TIMES: usize = 3;
const SLACK: usize = 256;

/// Values by sequence number, in order.
#[derive(Debug)]
pub struct Window<T> {
    /// Every number in it is below `base`.
    old: BTreeMap<u64, T>,
    /// Number of `recent`'s first place.
    base: u64,
    /// The first place, when there is one, is never empty.
    recent: VecDeque<Option<T>>,
    /// Filled places of `recent`.
    live: usize,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            old: BTreeMap::new(),
            base: 0,
            recent: VecDeque::new(),
            live: 0,
        }
    }
}

impl<T> Window<T> {
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.old.len() + self.live
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a value in the place of `seq`; a value that was there is replaced.
    #[inline]
    pub fn insert(&mut self, seq: u64, value: T) {
        if self.recent.is_empty() {
            self.base = seq.max(self.base);
        }
        if seq < self.base {
            return self.insert_below(seq, value);
        }
        // Counted in live places, never in empty ones: growing gaps would double the ring each time.
        if seq - self.base >= (TIMES * (self.live + 1) + SLACK) as u64 {
            // A jump that the ring would have to fill with empty places.
            self.retire_all();
            self.base = seq;
        }
        // The check above bounds the distance by what the ring holds.
        let index = usize::try_from(seq - self.base).unwrap_or(usize::MAX);
        while self.recent.len() <= index {
            self.recent.push_back(None);
        }
        if let Some(place) = self.recent.get_mut(index)
            && place.replace(value).is_none()
        {
            self.live += 1;
        }
    }

    /// Puts a value in a place before the ring: at its front, if that is near and the tree has none behind.
    #[cold]
    fn insert_below(&mut self, seq: u64, value: T) {
        let gap = match self.recent.is_empty() {
            true => 1,
            false => usize::try_from(self.base - seq).unwrap_or(usize::MAX),
        };
        let places = self.recent.len().saturating_add(gap);
        let is_near = gap <= SLACK && places <= TIMES * self.live + SLACK;
        if !is_near || self.old.last_key_value().is_some_and(|(last, _)| *last >= seq) {
            self.old.insert(seq, value);
            return;
        }
        for _ in 1..gap {
            self.recent.push_front(None);
        }
        self.recent.push_front(Some(value));
        self.base = seq;
        self.live += 1;
    }

    /// The value at `seq`.
    pub fn find(&self, seq: u64) -> Option<&T> {
        match self.index(seq) {
            Some(index) => self.recent.get(index)?.as_ref(),
            None => self.old.get(&seq),
        }
    }

    /// The value at `seq`, to change.
    pub fn find_mut(&mut self, seq: u64) -> Option<&mut T> {
        match self.index(seq) {
            Some(index) => self.recent.get_mut(index)?.as_mut(),
            None => self.old.get_mut(&seq),
        }
    }

    /// Takes the value at `seq` out.
    pub fn remove(&mut self, seq: u64) -> Option<T> {
        let Some(index) = self.index(seq) else {
            return self.old.remove(&seq);
        };
        let value = self.recent.get_mut(index)?.take()?;
        self.live -= 1;
        self.tidy_front();
        Some(value)
    }

    /// Takes the value with the lowest number out.
    #[inline]
    pub fn pop_first(&mut self) -> Option<(u64, T)> {
        if !self.old.is_empty() {
            return self.old.pop_first();
        }
        let value = self.recent.pop_front()??;
        let seq = self.base;
        self.base += 1;
        self.live -= 1;
        self.tidy_front();
        Some((seq, value))
    }

    /// The lowest number and its value.
    pub fn first(&self) -> Option<(u64, &T)> {
        if let Some((seq, value)) = self.old.first_key_value() {
            return Some((*seq, value));
        }
        Some((self.base, self.recent.front()?.as_ref()?))
    }

    /// All values by rising number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let recent = (self.base..).zip(&self.recent);
        let old = self.old.iter().map(|(seq, value)| (*seq, value));
        old.chain(recent.filter_map(|(seq, place)| Some((seq, place.as_ref()?))))
    }

    /// Takes the value with the highest number out.
    pub fn pop_last(&mut self) -> Option<(u64, T)> {
        while let Some(place) = self.recent.pop_back() {
            if let Some(value) = place {
                self.live -= 1;
                return Some((self.base + self.recent.len() as u64, value));
            }
        }
        self.old.pop_last()
    }

    /// Values by rising number, from `seq` on.
    pub fn iter_from(&self, seq: u64) -> impl Iterator<Item = (u64, &T)> {
        let skipped = self.index(seq).unwrap_or(0).min(self.recent.len());
        let old = self.old.range(seq..).map(|(seq, value)| (*seq, value));
        let recent = (self.base + skipped as u64..).zip(self.recent.range(skipped..));
        old.chain(recent.filter_map(|(seq, place)| Some((seq, place.as_ref()?))))
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        *self = Self {
            base: self.base + self.recent.len() as u64,
            ..Self::default()
        };
    }

    /// The ring's index of `seq`; `None` when it belongs to the tree.
    fn index(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.base)?).ok()
    }

    fn tidy_front(&mut self) {
        while let Some(None) = self.recent.front() {
            self.recent.pop_front();
            self.base += 1;
        }
        while self.recent.len() > TIMES * self.live + SLACK {
            if let Some(Some(value)) = self.recent.pop_front() {
                self.old.insert(self.base, value);
                self.live -= 1;
            }
            self.base += 1;
        }
        while let Some(None) = self.recent.front() {
            self.recent.pop_front();
            self.base += 1;
        }
    }

    fn retire_all(&mut self) {
        for place in self.recent.drain(..) {
            if let Some(value) = place {
                self.old.insert(self.base, value);
            }
            self.base += 1;
        }
        self.live = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_stuck_value_does_not_pin_the_ring() {
        let mut window = Window::default();
        window.insert(0, 0u64);
        for seq in 1..100_000 {
            window.insert(seq, seq);
            assert_eq!(window.remove(seq), Some(seq));
        }
        assert_eq!(window.len(), 1);
        assert!(window.recent.len() <= 2 * SLACK, "{} places", window.recent.len());
        assert_eq!(window.pop_first(), Some((0, 0)));
    }

    #[test]
    fn a_far_jump_costs_no_memory() {
        let mut window = Window::default();
        window.insert(5, 'a');
        window.insert(u64::MAX - 5, 'b');
        assert!(window.recent.len() < 10);
        assert_eq!(
            window.iter().map(|(seq, _)| seq).collect::<Vec<_>>(),
            [5, u64::MAX - 5]
        );
    }

    #[test]
    fn what_comes_a_little_late_stands_in_the_ring() {
        let mut window = Window::default();
        // As priorities go out: each tenth number, from the highest residue to the lowest.
        for residue in (0..10).rev() {
            (0..24).for_each(|tenth| window.insert(10 * tenth + residue, ()));
        }
        assert!(window.old.is_empty());
        let all: Vec<_> = window.iter().map(|(seq, ())| seq).collect();
        assert_eq!(all, (0..240).collect::<Vec<_>>());
    }

    #[test]
    fn growing_gaps_cost_no_memory() {
        let mut window = Window::default();
        for power in 0..40 {
            window.insert(1u64 << power, power);
            assert!(
                window.recent.len() <= TIMES * window.live + SLACK,
                "{} places",
                window.recent.len()
            );
        }
        let all: Vec<_> = window.iter().map(|(seq, power)| (seq, *power)).collect();
        assert_eq!(all, (0..40).map(|power| (1 << power, power)).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn behaves_as_an_ordered_map(steps in prop::collection::vec((0u8..8, 0u64..300), 0..400)) {
            let mut window = Window::default();
            let mut model = BTreeMap::new();
            let mut next = 0;
            for (kind, number) in steps {
                match kind {
                    0..=2 => {
                        let seq = if kind == 2 { number } else { next + 1 + number % 3 };
                        next = next.max(seq);
                        window.insert(seq, number);
                        model.insert(seq, number);
                    }
                    3 => prop_assert_eq!(window.remove(number), model.remove(&number)),
                    4 => prop_assert_eq!(window.pop_first(), model.pop_first()),
                    6 => prop_assert_eq!(window.pop_last(), model.pop_last()),
                    7 => {
                        let found: Vec<_> = window.iter_from(number).map(|(seq, v)| (seq, *v)).collect();
                        let wanted: Vec<_> = model.range(number..).map(|(seq, v)| (*seq, *v)).collect();
                        prop_assert_eq!(found, wanted);
                    }
                    _ => prop_assert_eq!(window.find(number), model.get(&number)),
                }
                prop_assert_eq!(window.len(), model.len());
                let first = model.first_key_value().map(|(seq, v)| (*seq, v));
                prop_assert_eq!(window.first(), first);
            }
            let all: Vec<_> = window.iter().map(|(seq, v)| (seq, *v)).collect();
            prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
        }
    }
}
