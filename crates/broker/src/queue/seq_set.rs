//! A set of sequence numbers that stays small while it is in few pieces.
//!
//! A backlog is mostly one run of numbers with some holes at its front. So the set is a short
//! list of ranges, and becomes a compressed bitmap when there are too many of them: at most a
//! bit and a little for each number that it spans, however the holes lie.

use super::fact::Range;
use roaring::RoaringTreemap;

/// More ranges than this become a bitmap. Idle queues, of which there may be many, have one or two.
const RANGES_MAX: usize = 32;

/// A bitmap is looked over for a smaller form of its parts after so many removals.
const REMOVALS_PER_LOOK: u32 = 16 * 1024;

/// A set of sequence numbers.
#[derive(Debug, Clone)]
pub struct SeqSet {
    form: Form,
    len: u64,
    /// Removals since the bitmap was last looked over.
    removals: u32,
}

#[derive(Debug, Clone)]
enum Form {
    /// Rising, apart from each other by at least one number.
    Ranges(Vec<Range>),
    Bitmap(Box<RoaringTreemap>),
}

impl Default for SeqSet {
    fn default() -> Self {
        Self {
            form: Form::Ranges(Vec::new()),
            len: 0,
            removals: 0,
        }
    }
}

impl SeqSet {
    /// How many numbers are in it.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The lowest number.
    pub fn first(&self) -> Option<u64> {
        match &self.form {
            Form::Ranges(ranges) => ranges.first().map(|range| range.first),
            Form::Bitmap(map) => map.min(),
        }
    }

    /// Whether the number is in it.
    pub fn contains(&self, seq: u64) -> bool {
        match &self.form {
            Form::Ranges(ranges) => {
                let at = ranges.partition_point(|range| range.last < seq);
                ranges.get(at).is_some_and(|range| range.contains(seq))
            }
            Form::Bitmap(map) => map.contains(seq),
        }
    }

    /// How many numbers of a range are in it.
    pub fn count(&self, within: Range) -> u64 {
        match &self.form {
            Form::Ranges(ranges) => {
                let from = ranges.partition_point(|range| range.last < within.first);
                let rest = ranges.iter().skip(from);
                rest.map_while(|range| range.overlap(within))
                    .map(|range| range.len())
                    .sum()
            }
            Form::Bitmap(map) => map.range_cardinality(within.first..=within.last),
        }
    }

    /// Adds a number.
    pub fn insert(&mut self, seq: u64) {
        self.insert_range(Range::one(seq));
    }

    /// Adds a range.
    pub fn insert_range(&mut self, new: Range) {
        match &mut self.form {
            Form::Ranges(ranges) => {
                // The ranges that the new one touches or overlaps become one with it.
                let from = ranges.partition_point(|range| range.last.saturating_add(1) < new.first);
                let to = ranges.partition_point(|range| range.first <= new.last.saturating_add(1));
                let mut joined = new;
                for range in ranges.iter().take(to).skip(from) {
                    joined.first = joined.first.min(range.first);
                    joined.last = joined.last.max(range.last);
                    self.len -= range.len();
                }
                self.len += joined.len();
                ranges.splice(from..to.max(from), [joined]);
                if ranges.len() > RANGES_MAX {
                    self.become_bitmap();
                }
            }
            Form::Bitmap(map) => self.len += map.insert_range(new.first..=new.last),
        }
    }

    /// Removes a number; answers whether it was there.
    pub fn remove(&mut self, seq: u64) -> bool {
        self.remove_range(Range::one(seq)) == 1
    }

    /// Removes a range; answers how many numbers of it were there.
    pub fn remove_range(&mut self, gone: Range) -> u64 {
        if self.len == 0 {
            return 0;
        }
        let removed = match &mut self.form {
            Form::Ranges(ranges) => remove(ranges, gone),
            Form::Bitmap(map) => {
                self.removals += 1;
                if self.removals >= REMOVALS_PER_LOOK {
                    self.removals = 0;
                    map.optimize();
                }
                map.remove_range(gone.first..=gone.last)
            }
        };
        self.len -= removed;
        if self.len == 0 {
            *self = Self::default();
        } else if let Form::Ranges(ranges) = &self.form
            && ranges.len() > RANGES_MAX
        {
            self.become_bitmap();
        }
        removed
    }

    /// The first numbers within a range, as rising ranges: at most `max` numbers, and at most
    /// `ranges_max` ranges.
    pub fn head(&self, within: Range, max: u64, ranges_max: usize) -> Vec<Range> {
        let mut found = Vec::new();
        let mut left = max;
        match &self.form {
            Form::Ranges(ranges) => {
                let from = ranges.partition_point(|range| range.last < within.first);
                for range in ranges.iter().skip(from).take(ranges_max) {
                    let Some(mut part) = range.overlap(within) else {
                        break;
                    };
                    if left == 0 {
                        break;
                    }
                    part.last = part.last.min(part.first.saturating_add(left - 1));
                    left -= part.len();
                    found.push(part);
                }
            }
            Form::Bitmap(map) => {
                let mut numbers = map.iter();
                numbers.advance_to(within.first);
                for seq in numbers.take_while(|seq| *seq <= within.last) {
                    if left == 0 {
                        break;
                    }
                    left -= 1;
                    super::fact::push_seq(&mut found, seq);
                    if found.len() > ranges_max {
                        found.pop();
                        break;
                    }
                }
            }
        }
        found
    }

    /// All numbers, as rising ranges.
    pub fn ranges(&self) -> Vec<Range> {
        let all = Range {
            first: 0,
            last: u64::MAX,
        };
        self.head(all, u64::MAX, usize::MAX)
    }

    fn become_bitmap(&mut self) {
        if let Form::Ranges(ranges) = &self.form {
            let mut map = RoaringTreemap::new();
            for range in ranges {
                map.insert_range(range.first..=range.last);
            }
            self.form = Form::Bitmap(Box::new(map));
        }
    }
}

impl FromIterator<Range> for SeqSet {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Self {
        let mut set = Self::default();
        for range in ranges {
            set.insert_range(range);
        }
        set
    }
}

/// Removes a range from a list of ranges; answers how many numbers went.
fn remove(ranges: &mut Vec<Range>, gone: Range) -> u64 {
    let from = ranges.partition_point(|range| range.last < gone.first);
    let to = ranges.partition_point(|range| range.first <= gone.last);
    if from >= to {
        return 0;
    }
    let mut removed = 0;
    let mut rest = smallvec::SmallVec::<[Range; 2]>::new();
    for range in ranges.iter().take(to).skip(from) {
        removed += range.overlap(gone).map_or(0, |part| part.len());
        if range.first < gone.first {
            rest.push(Range {
                first: range.first,
                last: gone.first - 1,
            });
        }
        if range.last > gone.last {
            rest.push(Range {
                first: gone.last + 1,
                last: range.last,
            });
        }
    }
    ranges.splice(from..to, rest);
    removed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn many_holes_cost_bits_not_ranges() {
        let mut set = SeqSet::default();
        set.insert_range(Range {
            first: 0,
            last: 1_000_000,
        });
        for seq in (0..1_000_000).step_by(2) {
            assert!(set.remove(seq));
        }
        assert_eq!((set.len(), set.first()), (500_001, Some(1)));
        let Form::Bitmap(map) = &set.form else {
            unreachable!("so many ranges are a bitmap")
        };
        assert!(map.serialized_size() < 160_000);
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(steps in prop::collection::vec((0u8..6, 0u64..300, 0u64..40), 0..300)) {
            let (mut set, mut model) = (SeqSet::default(), BTreeSet::new());
            for (kind, first, more) in steps {
                let range = Range { first, last: first + more };
                match kind {
                    0 => {
                        set.insert_range(range);
                        model.extend(first..=first + more);
                    }
                    1 => {
                        set.insert(first);
                        model.insert(first);
                    }
                    2 => {
                        let before = model.len();
                        model.retain(|seq| !range.contains(*seq));
                        prop_assert_eq!(set.remove_range(range), (before - model.len()) as u64);
                    }
                    3 | 4 => prop_assert_eq!(set.remove(first), model.remove(&first)),
                    _ => {
                        let count = model.range(first..=first + more).count() as u64;
                        prop_assert_eq!(set.count(range), count);
                        let head: Vec<_> = set.head(range, more / 2, usize::MAX).into_iter()
                            .flat_map(|part| part.first..=part.last).collect();
                        let wanted: Vec<_> = model.range(first..=first + more).copied()
                            .take((more / 2) as usize).collect();
                        prop_assert_eq!(head, wanted);
                    }
                }
                prop_assert_eq!(set.len(), model.len() as u64);
                prop_assert_eq!(set.first(), model.first().copied());
                prop_assert_eq!(set.contains(first), model.contains(&first));
            }
            let again: SeqSet = set.ranges().into_iter().collect();
            prop_assert_eq!(again.ranges(), set.ranges());
            let all: Vec<_> = set.ranges().into_iter().flat_map(|r| r.first..=r.last).collect();
            prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
        }
    }
}
