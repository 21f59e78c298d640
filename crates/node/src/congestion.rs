//! Who waits when more is on its way to the disk than is good: those who add to it, and no others.
//!
//! There are three reasons to wait. The log is behind: that concerns whoever publishes what is logged. Queues
//! hold more than memory has room for, or their consumers are to be let catch up: that concerns whoever
//! publishes to a queue that holds more than its part.

use crate::mailbox::{Mailbox, Notice};
use crate::queues::Worked;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;
use warren_broker::catalog::SessionId;
use warren_store::Position;

/// What a session's publishes add to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Burden {
    /// The log.
    pub is_logged: bool,
    /// Memory: so many bytes are held by the fullest of the queues that took them.
    pub held_bytes: usize,
}

impl Burden {
    /// That of whoever adds to everything.
    pub const WHOLE: Self = Self {
        is_logged: true,
        held_bytes: usize::MAX,
    };

    /// That of a batch of work.
    pub fn of(worked: Worked) -> Self {
        Self {
            is_logged: worked.queued > Position::default(),
            held_bytes: worked.held_bytes,
        }
    }

    /// That of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            is_logged: self.is_logged || other.is_logged,
            held_bytes: self.held_bytes.max(other.held_bytes),
        }
    }
}

/// How things stand on the way to the disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    /// Too much waits for the log.
    pub(crate) is_log_behind: bool,
    /// Consumers are to be let catch up.
    pub(crate) lets_wait: bool,
    /// What queues hold, how many of them hold anything, and what they should hold at most, in bytes.
    pub(crate) held_bytes: u64,
    pub(crate) holding: u64,
    pub(crate) budget_bytes: u64,
}

impl Standing {
    /// Whether someone with this burden should wait.
    pub(crate) fn stops(self, burden: Burden) -> bool {
        if self.is_log_behind && burden.is_logged {
            return true;
        }
        let is_full = self.held_bytes > self.budget_bytes.saturating_mul(2);
        if !is_full && !self.lets_wait {
            return false;
        }
        // Half of the budget is shared out: where all hold little they are far from full. Should so many hold
        // so little that it becomes too much all the same, everybody waits.
        let part = self.budget_bytes / 2 / self.holding.max(1);
        burden.held_bytes as u64 > part || self.held_bytes > self.budget_bytes.saturating_mul(3)
    }
}

/// Sessions that wait for room, and what they would add to.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<HashMap<SessionId, (Arc<Mailbox>, Burden), RandomState>>);

impl Waiting {
    pub(crate) fn add(&self, mailbox: &Arc<Mailbox>, burden: Burden) {
        let place = (Arc::clone(mailbox), burden);
        self.0.lock().insert(mailbox.session(), place);
    }

    /// Tells those who need not wait any more.
    pub(crate) fn release(&self, standing: impl FnOnce() -> Standing) {
        let mut waiting = self.0.lock();
        if waiting.is_empty() {
            return;
        }
        let standing = standing();
        let released: Vec<_> = waiting
            .extract_if(|_, (_, burden)| !standing.stops(*burden))
            .collect();
        drop(waiting);
        for (_, (mailbox, _)) in released {
            mailbox.notify(Notice::Room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn holds(held_bytes: usize) -> Burden {
        Burden {
            is_logged: false,
            held_bytes,
        }
    }

    fn standing(held_bytes: usize, holding: u64) -> Standing {
        Standing {
            held_bytes: held_bytes as u64,
            holding,
            budget_bytes: 32 * MIB as u64,
            ..Standing::default()
        }
    }

    #[test]
    fn the_log_stops_those_who_write_to_it() {
        let behind = Standing {
            is_log_behind: true,
            ..standing(MIB, 1)
        };
        assert!(behind.stops(Burden::WHOLE));
        assert!(!behind.stops(holds(usize::MAX)));
    }

    #[test]
    fn a_full_queue_stops_its_publishers_and_no_others() {
        let full = standing(65 * MIB, 2);
        assert!(full.stops(holds(64 * MIB)));
        assert!(!full.stops(holds(MIB)));
        assert!(
            !standing(63 * MIB, 2).stops(holds(62 * MIB)),
            "it is not full yet"
        );
        let pacing = Standing {
            lets_wait: true,
            ..standing(33 * MIB, 2)
        };
        assert!(pacing.stops(holds(32 * MIB)));
        assert!(!pacing.stops(holds(MIB)));
    }

    #[test]
    fn many_queues_that_hold_little_are_too_much_at_last() {
        let part = 16 * MIB / 1000;
        assert!(standing(65 * MIB, 1000).stops(holds(part + 1)));
        assert!(!standing(65 * MIB, 1000).stops(holds(part)));
        assert!(standing(97 * MIB, 1000).stops(holds(0)));
    }

    #[test]
    fn those_who_need_not_wait_are_told_and_the_others_stay() {
        let waiting = Waiting::default();
        let (heavy, light) = (
            Arc::new(Mailbox::new(SessionId(1))),
            Arc::new(Mailbox::new(SessionId(2))),
        );
        waiting.add(&heavy, holds(64 * MIB));
        waiting.add(&heavy, holds(64 * MIB));
        waiting.add(&light, holds(0));
        waiting.release(|| standing(65 * MIB, 2));
        assert!(light.is_pending() && !heavy.is_pending());
        waiting.release(|| standing(20 * MIB, 2));
        assert!(heavy.is_pending());
        waiting.release(|| unreachable!("nobody waits"));
    }
}
