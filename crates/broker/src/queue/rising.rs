//! A map of keys of which most are added at the end and taken near the front, with any distance between
//! them: numbers of one priority among many, hours.
//!
//! ```text
//! odd: BTreeMap   7 ── 23            ring: │ 3 x │ 12 . │ 24 x │ 31 x │    rising
//! ```
//!
//! A key that comes in order lies in a ring, at its end; one that does not goes to an ordered tree. What is
//! taken from the middle of the ring leaves its place empty, and the ring closes up when most places are.
//! Adding in order and taking the first are O(1) amortised, all else is O(log n).
//!
//! [`Window`](super::Window) is quicker where numbers follow one another, since it needs no search.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

/// A ring never has more places than twice its live ones and so many.
const SLACK: usize = 32;

/// A key of which it may be known how many lie between it and another.
pub(super) trait Key: Copy + Ord {
    /// At most so many keys are below this one, from `first` on, which is not above it.
    fn distance(self, first: Self) -> usize;
}

impl Key for u64 {
    #[inline]
    fn distance(self, first: Self) -> usize {
        usize::try_from(self - first).unwrap_or(usize::MAX)
    }
}

/// An hour and a number.
impl Key for (u64, u64) {
    #[inline]
    fn distance(self, _: Self) -> usize {
        usize::MAX
    }
}

/// Values by key, in order.
#[derive(Debug)]
pub(super) struct Rising<K, T> {
    /// Keys that came late. None of them has a live place in the ring.
    odd: BTreeMap<K, T>,
    /// By rising key. The first place, when there is one, is never empty.
    ring: VecDeque<(K, Option<T>)>,
    /// Filled places of the ring.
    live: usize,
}

impl<K, T> Default for Rising<K, T> {
    fn default() -> Self {
        Self {
            odd: BTreeMap::new(),
            ring: VecDeque::new(),
            live: 0,
        }
    }
}

impl<K: Key, T> Rising<K, T> {
    pub(super) fn len(&self) -> usize {
        self.odd.len() + self.live
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.live == 0 && self.odd.is_empty()
    }

    /// Puts a value in the place of a key; a value that was there is replaced.
    #[inline]
    pub(super) fn insert(&mut self, key: K, value: T) {
        match self.ring.back() {
            Some((last, _)) if *last >= key => self.insert_late(key, value),
            _ if !self.odd.is_empty() && self.odd.contains_key(&key) => drop(self.odd.insert(key, value)),
            _ => {
                self.ring.push_back((key, Some(value)));
                self.live += 1;
            }
        }
    }

    #[cold]
    fn insert_late(&mut self, key: K, value: T) {
        match self.place(key) {
            Some(at) if !self.odd.contains_key(&key) => {
                if let Some((_, place)) = self.ring.get_mut(at)
                    && place.replace(value).is_none()
                {
                    self.live += 1;
                }
            }
            _ => drop(self.odd.insert(key, value)),
        }
    }

    pub(super) fn find(&self, key: K) -> Option<&T> {
        let found = self.place(key).and_then(|at| self.ring.get(at)?.1.as_ref());
        found.or_else(|| self.odd.get(&key))
    }

    pub(super) fn find_mut(&mut self, key: K) -> Option<&mut T> {
        if let Some(at) = self.place(key)
            && let Some((_, Some(value))) = self.ring.get_mut(at)
        {
            return Some(value);
        }
        self.odd.get_mut(&key)
    }

    /// Takes the value of a key out.
    #[inline]
    pub(super) fn remove(&mut self, key: K) -> Option<T> {
        if let Some(at) = self.place(key)
            && let Some(value) = self.ring.get_mut(at).and_then(|(_, place)| place.take())
        {
            self.live -= 1;
            self.tidy();
            return Some(value);
        }
        if self.odd.is_empty() {
            return None;
        }
        self.odd.remove(&key)
    }

    /// Takes the value with the lowest key out.
    #[inline]
    pub(super) fn pop_first(&mut self) -> Option<(K, T)> {
        if !self.odd.is_empty() && self.is_odd_first() {
            return self.odd.pop_first();
        }
        let (key, value) = self.ring.pop_front()?;
        self.live -= 1;
        self.tidy();
        Some((key, value?))
    }

    /// The lowest key and its value.
    #[inline]
    pub(super) fn first(&self) -> Option<(K, &T)> {
        if !self.odd.is_empty() && self.is_odd_first() {
            return self.odd.first_key_value().map(|(key, value)| (*key, value));
        }
        let (key, value) = self.ring.front()?;
        Some((*key, value.as_ref()?))
    }

    /// Takes the value with the highest key out.
    pub(super) fn pop_last(&mut self) -> Option<(K, T)> {
        while let Some((_, None)) = self.ring.back() {
            self.ring.pop_back();
        }
        let is_odd = match (self.odd.last_key_value(), self.ring.back()) {
            (Some((odd, _)), Some((last, _))) => odd > last,
            (odd, _) => odd.is_some(),
        };
        if is_odd {
            return self.odd.pop_last();
        }
        let (key, value) = self.ring.pop_back()?;
        self.live -= 1;
        Some((key, value?))
    }

    /// All values by rising key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        let odd = self.odd.iter().map(|(key, value)| (*key, value));
        merged(odd, live(self.ring.iter()))
    }

    /// Values by rising key, from `key` on.
    pub(super) fn iter_from(&self, key: K) -> impl Iterator<Item = (K, &T)> {
        let skipped = self.ring.partition_point(|(other, _)| *other < key);
        let odd = self.odd.range((Bound::Included(key), Bound::Unbounded));
        let odd = odd.map(|(key, value)| (*key, value));
        merged(odd, live(self.ring.range(skipped..)))
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Only what `stays` says is still there.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(K) -> bool) {
        self.odd.retain(|key, _| stays(*key));
        self.ring.retain(|(key, value)| value.is_some() && stays(*key));
        self.live = self.ring.len();
    }

    fn is_odd_first(&self) -> bool {
        match (self.odd.first_key_value(), self.ring.front()) {
            (Some((odd, _)), Some((first, _))) => odd < first,
            (odd, _) => odd.is_some(),
        }
    }

    /// The ring's place of a key, which may be empty. Mostly it is the first, or as far behind it as can be.
    #[inline]
    fn place(&self, key: K) -> Option<usize> {
        let (first, _) = self.ring.front()?;
        match key.cmp(first) {
            Ordering::Less => None,
            Ordering::Equal => Some(0),
            Ordering::Greater => self.search(key, key.distance(*first)),
        }
    }

    /// The same; it is in none of the places behind `last`.
    fn search(&self, key: K, last: usize) -> Option<usize> {
        if self.ring.get(last).is_some_and(|(other, _)| *other == key) {
            return Some(last);
        }
        self.ring.binary_search_by(|(other, _)| other.cmp(&key)).ok()
    }

    #[inline]
    fn tidy(&mut self) {
        while let Some((_, None)) = self.ring.front() {
            self.ring.pop_front();
        }
        if self.ring.len() > 2 * self.live + SLACK {
            self.ring.retain(|(_, value)| value.is_some());
        }
    }
}

fn live<'a, K: Copy + 'a, T: 'a>(
    places: impl Iterator<Item = &'a (K, Option<T>)>,
) -> impl Iterator<Item = (K, &'a T)> {
    places.filter_map(|(key, value)| Some((*key, value.as_ref()?)))
}

/// Two rising sequences as one. None of the keys is in both.
fn merged<'a, K: Copy + Ord, T: 'a>(
    one: impl Iterator<Item = (K, &'a T)>,
    other: impl Iterator<Item = (K, &'a T)>,
) -> impl Iterator<Item = (K, &'a T)> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some((a, _)), Some((b, _))) if a > b => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_stuck_value_does_not_pin_the_ring() {
        let mut rising = Rising::default();
        rising.insert(0, 0u64);
        for key in (10..100_000).step_by(10) {
            rising.insert(key, key);
            assert_eq!(rising.remove(key), Some(key));
        }
        assert_eq!(rising.len(), 1);
        assert!(rising.ring.len() <= SLACK + 2, "{} places", rising.ring.len());
        assert_eq!(rising.pop_first(), Some((0, 0)));
        assert!(rising.ring.is_empty());
    }

    #[test]
    fn gaps_take_no_place() {
        let mut rising = Rising::default();
        for key in [5, 70, 1 << 40, u64::MAX] {
            rising.insert(key, ());
        }
        assert_eq!((rising.ring.len(), rising.odd.len()), (4, 0));
        rising.insert(6, ());
        assert_eq!((rising.ring.len(), rising.odd.len()), (4, 1));
        let keys: Vec<_> = rising.iter().map(|(key, ())| key).collect();
        assert_eq!(keys, [5, 6, 70, 1 << 40, u64::MAX]);
    }

    proptest! {
        #[test]
        fn behaves_as_an_ordered_map(steps in prop::collection::vec((0u8..12, 0u64..300), 0..400)) {
            let mut rising = Rising::default();
            let mut model = BTreeMap::new();
            let mut next = 0;
            for (kind, number) in steps {
                match kind {
                    0..=3 => {
                        let key = if kind == 3 { number } else { next + 1 + number % 13 };
                        next = next.max(key);
                        rising.insert(key, number);
                        model.insert(key, number);
                    }
                    4 | 5 => prop_assert_eq!(rising.remove(number), model.remove(&number)),
                    6 => prop_assert_eq!(rising.pop_first(), model.pop_first()),
                    7 => prop_assert_eq!(rising.pop_last(), model.pop_last()),
                    8 => {
                        let found: Vec<_> = rising.iter_from(number).map(|(key, v)| (key, *v)).collect();
                        let wanted: Vec<_> = model.range(number..).map(|(key, v)| (*key, *v)).collect();
                        prop_assert_eq!(found, wanted);
                    }
                    9 if number < 20 => {
                        rising.retain(|key| key % 3 > 0);
                        model.retain(|key, _| key % 3 > 0);
                    }
                    10 => prop_assert_eq!(rising.find_mut(number), model.get_mut(&number)),
                    _ => prop_assert_eq!(rising.find(number), model.get(&number)),
                }
                prop_assert_eq!(rising.len(), model.len());
                prop_assert_eq!(rising.is_empty(), model.is_empty());
                prop_assert!(rising.ring.len() <= 2 * rising.live + SLACK + 1);
                let first = model.first_key_value().map(|(key, v)| (*key, v));
                prop_assert_eq!(rising.first(), first);
            }
            let all: Vec<_> = rising.iter().map(|(key, v)| (key, *v)).collect();
            prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
        }
    }
}
