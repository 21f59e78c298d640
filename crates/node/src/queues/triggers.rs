//! When a queue fills up to a length, and when it is below again.
//!
//! ```text
//!   ready   0 1 2 3 4 5 4 3 4 3 2 1 2 3 4          a trigger of 4
//!                   ^           ^       ^
//!                   high        low     high       low at half of it: no flood around it
//! ```
//!
//! A queue that has a trigger from now on, or again after a restart, is taken to have been low: one that is
//! high already says so.

use super::LiveQueue;
use super::local::State;
use crate::mailbox::Touched;
use std::sync::{Arc, Weak};

/// Crossings that are kept until somebody asks for them. Of more the oldest two go, which undo each other.
const UNTOLD_MAX: usize = 8;

/// One crossing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crossing {
    /// It filled up; otherwise it is below again.
    pub(crate) is_high: bool,
    /// Messages that were ready then.
    pub(crate) ready: usize,
    /// What was crossed, in messages.
    pub(crate) threshold: u64,
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// A queue's trigger.
#[derive(Debug)]
pub(super) struct Trigger {
    threshold: u64,
    is_high: bool,
    untold: Vec<Crossing>,
}

impl Trigger {
    /// Puts a trigger of this many messages in the place of one that may be there; `None`: there is to be
    /// none.
    pub(super) fn set(place: &mut Option<Box<Self>>, threshold: Option<u64>) {
        if place.as_ref().map(|trigger| trigger.threshold) != threshold {
            *place = threshold.map(|threshold| {
                Box::new(Self {
                    threshold,
                    is_high: false,
                    untold: Vec::new(),
                })
            });
        }
    }

    /// So many messages are ready. Answers the time of a crossing, if this is one.
    pub(super) fn look(&mut self, ready: usize, now_ms: impl FnOnce() -> u64) -> Option<u64> {
        let count = ready as u64;
        let is_high = match self.is_high {
            true => count > self.threshold / 2,
            false => count >= self.threshold,
        };
        if is_high == self.is_high {
            return None;
        }
        self.is_high = is_high;
        if self.untold.len() >= UNTOLD_MAX {
            self.untold.drain(..2);
        }
        let at_ms = now_ms();
        self.untold.push(Crossing {
            is_high,
            ready,
            threshold: self.threshold,
            at_ms,
        });
        Some(at_ms)
    }

    /// The crossings since this was last asked.
    pub(super) fn take(&mut self) -> Vec<Crossing> {
        std::mem::take(&mut self.untold)
    }
}

impl LiveQueue {
    /// After every change of a queue.
    pub(super) fn look_at_trigger(self: &Arc<Self>, state: &mut State) {
        let Some(trigger) = &mut state.trigger else {
            return;
        };
        let ready = state.machine.totals().ready;
        let crossed = trigger.look(ready, || self.backing.clock.now_ms());
        if let Some(at_ms) = crossed.filter(|_| !self.is_deleted()) {
            // It is told with no lock held.
            self.call_at(state, at_ms);
        }
    }

    /// Tells that the trigger's threshold was crossed.
    pub(super) fn tell_crossings(&self, touched: &mut Touched) {
        let crossings = self.lock().trigger.as_mut().map(|trigger| trigger.take());
        let node = self.backing.node.get().and_then(Weak::upgrade);
        if let (Some(crossings), Some(node)) = (crossings, node) {
            for crossing in &crossings {
                node.tell_crossing(self, crossing, touched);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use proptest::prelude::*;

    fn trigger(threshold: u64) -> Box<Trigger> {
        let mut place = None;
        Trigger::set(&mut place, Some(threshold));
        place.unwrap()
    }

    fn told(trigger: &mut Trigger, ready: &[usize]) -> Vec<(bool, usize)> {
        for (at, count) in (0..).zip(ready) {
            trigger.look(*count, || at);
        }
        let crossings = trigger.take().into_iter();
        crossings
            .map(|crossing| (crossing.is_high, crossing.ready))
            .collect()
    }

    #[test]
    fn one_tells_of_empty_and_not_empty() {
        let found = told(&mut trigger(1), &[0, 1, 2, 1, 0, 0, 3]);
        assert_eq!(found, [(true, 1), (false, 0), (true, 3)]);
    }

    #[test]
    fn a_queue_around_it_does_not_flood() {
        let found = told(&mut trigger(4), &[3, 4, 5, 4, 3, 4, 3, 2, 3, 4]);
        assert_eq!(found, [(true, 4), (false, 2), (true, 4)]);
    }

    #[test]
    fn the_same_trigger_goes_on_and_another_one_begins_anew() {
        let mut place = None;
        Trigger::set(&mut place, Some(2));
        assert_eq!(told(place.as_mut().unwrap(), &[2]), [(true, 2)]);
        Trigger::set(&mut place, Some(2));
        assert_eq!(told(place.as_mut().unwrap(), &[2]), []);
        Trigger::set(&mut place, Some(1));
        assert_eq!(told(place.as_mut().unwrap(), &[2]), [(true, 2)]);
        Trigger::set(&mut place, None);
        assert!(place.is_none());
    }

    proptest! {
        #[test]
        fn high_and_low_take_turns(threshold in 1u64..9, ready in prop::collection::vec(0usize..12, 0..60)) {
            let mut trigger = trigger(threshold);
            let mut is_high = false;
            for (at, count) in (0..).zip(&ready) {
                let crossed = trigger.look(*count, || at);
                let count = *count as u64;
                let expected = if is_high { count <= threshold / 2 } else { count >= threshold };
                prop_assert_eq!(crossed, expected.then_some(at));
                is_high ^= expected;
            }
            let told = trigger.take();
            prop_assert!(told.len() <= UNTOLD_MAX);
            prop_assert!(told.windows(2).all(|pair| pair[0].is_high != pair[1].is_high));
            prop_assert!(told.last().is_none_or(|last| last.is_high == is_high));
        }
    }
}
