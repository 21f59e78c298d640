//! The lanes of a queue that tells priorities apart: one for each that is in use, the lowest excepted, which
//! is the lane of a plain queue.

use super::lane::Lane;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// By rising priority. Mostly all from 1 on are there, so that each stands at its place.
    lanes: Vec<(u8, Lane)>,
    /// A bit for each priority that may have a message, so that many empty ones cost nothing.
    used: [u64; 4],
}

impl Levels {
    /// The lane of a priority above 0, made if it is not there; something is about to be put into it.
    #[inline]
    pub(super) fn open(&mut self, level: u8) -> &mut Lane {
        let (word, bit) = place(level);
        if let Some(word) = self.used.get_mut(word) {
            *word |= bit;
        }
        let at = self.find(level).unwrap_or_else(|at| {
            self.lanes.insert(at, (level, Lane::sparse()));
            at
        });
        #[expect(clippy::indexing_slicing, reason = "it was found, or put there")]
        &mut self.lanes[at].1
    }

    /// Where the lane of a priority stands, or would.
    #[inline]
    fn find(&self, level: u8) -> Result<usize, usize> {
        let at = usize::from(level).saturating_sub(1);
        match self.lanes.get(at) {
            Some((found, _)) if *found == level => Ok(at),
            _ => self.lanes.binary_search_by_key(&level, |(level, _)| *level),
        }
    }

    /// The lane of a priority above 0, if there is one.
    pub(super) fn get_mut(&mut self, level: u8) -> Option<&mut Lane> {
        let at = self.find(level).ok()?;
        self.lanes.get_mut(at).map(|(_, lane)| lane)
    }

    /// The highest priority that has a message.
    #[inline]
    pub(super) fn highest(&mut self) -> Option<u8> {
        loop {
            let word = self.used.iter().rposition(|word| *word != 0)?;
            let bits = self.used.get(word).copied().unwrap_or(0);
            // A position in four words of 64 bits.
            let level = (word as u32 * 64 + 63 - bits.leading_zeros()) as u8;
            if self.get(level).is_some_and(|lane| !lane.is_empty()) {
                return Some(level);
            }
            self.close(level);
        }
    }

    fn close(&mut self, level: u8) {
        let (word, bit) = place(level);
        if let Some(word) = self.used.get_mut(word) {
            *word &= !bit;
        }
    }

    /// The lane of a priority above 0, if there is one.
    #[inline]
    pub(super) fn get(&self, level: u8) -> Option<&Lane> {
        let at = self.find(level).ok()?;
        self.lanes.get(at).map(|(_, lane)| lane)
    }

    /// Lanes by rising priority.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &Lane)> {
        self.lanes.iter().map(|(level, lane)| (*level, lane))
    }

    /// Lanes by rising priority.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u8, &mut Lane)> {
        self.lanes.iter_mut().map(|(level, lane)| (*level, lane))
    }

    /// Forgets lanes without messages.
    pub(super) fn tidy(&mut self) {
        self.lanes
            .retain(|(_, lane)| !lane.is_empty() || lane.ahead.is_fetching);
    }
}

fn place(level: u8) -> (usize, u64) {
    (usize::from(level / 64), 1 << (level % 64))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::lane::Entry;
    use super::*;
    use crate::message::{Message, Parts};

    #[test]
    fn the_highest_with_a_message_is_found_and_empty_ones_are_passed_over() {
        let mut levels = Levels::default();
        let entry = || Entry::new(Message::of(&Parts::default()).unwrap());
        for level in [1, 63, 64, 200, 255] {
            levels.open(level).ready.insert(u64::from(level), entry());
        }
        let mut order = Vec::new();
        while let Some(level) = levels.highest() {
            order.push(level);
            levels.get_mut(level).unwrap().pop().unwrap();
        }
        assert_eq!(order, [255, 200, 64, 63, 1]);
        levels.tidy();
        assert_eq!(levels.iter().count(), 0);
        levels.open(64).ready.insert(1, entry());
        assert_eq!(levels.highest(), Some(64));
    }

    #[test]
    fn a_lane_into_which_something_is_read_is_not_forgotten() {
        let mut levels = Levels::default();
        levels.open(3).ahead.is_fetching = true;
        levels.open(4).ahead.absent.insert(7);
        levels.open(5);
        levels.tidy();
        assert_eq!(levels.iter().map(|(level, _)| level).collect::<Vec<_>>(), [3, 4]);
        // One that is absent counts, one that is to come does not.
        assert_eq!(levels.highest(), Some(4));
        assert!(levels.get_mut(5).is_none());
    }
}
