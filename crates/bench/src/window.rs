//! Publishes that are not confirmed yet, and when they were due.
//!
//! Messages of one batch have one due time, so that what is kept is a run for a batch and not a time for a
//! message. Confirms may come for one message or all up to one, in any order.

use std::collections::VecDeque;

use crate::marks::Marks;

#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    /// The tag that the next publish gets; the first is 1.
    next_tag: u64,
    settled: u64,
    /// Numbers are tags less one.
    marks: Marks,
    /// By first tag; those that are settled altogether are gone.
    runs: VecDeque<Run>,
}

#[derive(Debug)]
struct Run {
    first_tag: u64,
    due_ns: u64,
}

impl Window {
    pub(crate) fn new(size: u32) -> Self {
        Self {
            size: u64::from(size),
            next_tag: 1,
            settled: 0,
            marks: Marks::default(),
            runs: VecDeque::new(),
        }
    }

    /// How many more may be published.
    pub(crate) fn room(&self) -> u64 {
        self.size.saturating_sub(self.unsettled())
    }

    /// How many are not confirmed.
    pub(crate) fn unsettled(&self) -> u64 {
        self.next_tag - 1 - self.settled
    }

    /// Takes note of a publish.
    #[inline]
    pub(crate) fn publish(&mut self, due_ns: u64) {
        if self.runs.back().is_none_or(|run| run.due_ns != due_ns) {
            let first_tag = self.next_tag;
            self.runs.push_back(Run { first_tag, due_ns });
        }
        self.next_tag += 1;
    }

    /// Takes note of a confirm, and tells `each` due time with how many messages had it. False if it is for
    /// messages that were confirmed before, or never published.
    pub(crate) fn settle(&mut self, tag: u64, is_multiple: bool, mut each: impl FnMut(u64, u64)) -> bool {
        // 0 is all, by the specification.
        let tag = match (tag, is_multiple) {
            (0, true) => self.next_tag - 1,
            _ => tag,
        };
        if tag == 0 || tag >= self.next_tag {
            return false;
        }
        let is_right = match is_multiple {
            true => self.settle_through(tag, &mut each),
            false => self.settle_one(tag, &mut each),
        };
        while self
            .runs
            .get(1)
            .is_some_and(|run| run.first_tag <= self.marks.base() + 1)
        {
            self.runs.pop_front();
        }
        if self.unsettled() == 0 {
            self.runs.clear();
        }
        is_right
    }

    fn settle_one(&mut self, tag: u64, each: &mut impl FnMut(u64, u64)) -> bool {
        if !self.marks.mark(tag - 1) {
            return false;
        }
        self.settled += 1;
        let behind = self.runs.partition_point(|run| run.first_tag <= tag);
        if let Some(run) = behind.checked_sub(1).and_then(|place| self.runs.get(place)) {
            each(run.due_ns, 1);
        }
        true
    }

    fn settle_through(&mut self, tag: u64, each: &mut impl FnMut(u64, u64)) -> bool {
        let before = self.settled;
        for (place, run) in self.runs.iter().enumerate() {
            if run.first_tag > tag {
                break;
            }
            let end = self
                .runs
                .get(place + 1)
                .map_or(self.next_tag, |next| next.first_tag);
            let count = self.marks.mark_below(end.min(tag + 1) - 1);
            if count > 0 {
                self.settled += count;
                each(run.due_ns, count);
            }
        }
        self.settled > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window of 10 with 4 messages due at 100, 3 at 200 and 1 at 300.
    fn window() -> Window {
        let mut window = Window::new(10);
        for due_ns in [100, 100, 100, 100, 200, 200, 200, 300] {
            window.publish(due_ns);
        }
        assert_eq!((window.unsettled(), window.room()), (8, 2));
        window
    }

    fn settle(window: &mut Window, tag: u64, is_multiple: bool) -> Option<Vec<(u64, u64)>> {
        let mut told = Vec::new();
        let is_right = window.settle(tag, is_multiple, |due_ns, count| told.push((due_ns, count)));
        is_right.then_some(told)
    }

    #[test]
    fn one_confirm_for_many_tells_them_by_their_time() {
        let mut window = window();
        assert_eq!(settle(&mut window, 2, true), Some(vec![(100, 2)]));
        assert_eq!(settle(&mut window, 6, true), Some(vec![(100, 2), (200, 2)]));
        assert_eq!(settle(&mut window, 0, true), Some(vec![(200, 1), (300, 1)]));
        assert_eq!((window.unsettled(), window.room()), (0, 10));
        assert!(window.runs.is_empty());
    }

    #[test]
    fn confirms_come_one_by_one_and_out_of_order() {
        let mut window = window();
        assert_eq!(settle(&mut window, 8, false), Some(vec![(300, 1)]));
        assert_eq!(settle(&mut window, 2, false), Some(vec![(100, 1)]));
        assert_eq!(settle(&mut window, 7, true), Some(vec![(100, 3), (200, 3)]));
        assert_eq!(window.unsettled(), 0);
        window.publish(400);
        assert_eq!(settle(&mut window, 9, false), Some(vec![(400, 1)]));
    }

    #[test]
    fn what_was_confirmed_or_never_published_is_wrong() {
        let mut window = window();
        assert!(settle(&mut window, 3, true).is_some());
        for (tag, is_multiple) in [(3, false), (1, true), (9, false), (9, true), (0, false)] {
            assert_eq!(settle(&mut window, tag, is_multiple), None, "{tag}");
        }
        assert_eq!(window.unsettled(), 5);
    }
}
