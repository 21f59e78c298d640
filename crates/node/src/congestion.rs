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

/// A queue that holds no more than this holds up nobody by itself, however many there are.
const PART_BYTES_MIN: u64 = 64 * 1024;

/// Where many such queues hold so much beyond what is too much of fewer, everybody waits.
const LITTLE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How things stand on the way to the disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    /// Too much waits for the log, or the log waits for its next file.
    pub(crate) is_log_behind: bool,
    /// Something waits for the log, so that it will tell when that is durable.
    pub(crate) is_log_busy: bool,
    /// Consumers are to be let catch up.
    pub(crate) lets_wait: bool,
    /// What queues hold, what they should hold at most, and what is due to each of them, in bytes.
    pub(crate) held_bytes: u64,
    pub(crate) budget_bytes: u64,
    pub(crate) part_bytes: u64,
}

impl Traffic {
    /// Whether someone with this burden should wait.
    pub(crate) fn stops(self, burden: Burden) -> bool {
        (self.is_log_behind && burden.is_logged) || self.is_too_much(burden)
    }

    /// Whether that is for the sake of memory.
    fn is_too_much(self, burden: Burden) -> bool {
        let full = self.budget_bytes.saturating_mul(2);
        if self.held_bytes <= full && !self.lets_wait {
            return false;
        }
        burden.held_bytes as u64 > self.part_bytes.max(PART_BYTES_MIN)
            || self.held_bytes > full.saturating_add(LITTLE_BYTES_MAX)
    }
}

/// A session that waits for room.
#[derive(Debug)]
struct Place {
    mailbox: Arc<Mailbox>,
    burden: Burden,
    /// The log tells it when it is durable so far.
    awaits_log: bool,
}

/// Sessions that wait for room, and what they would add to.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<HashMap<SessionId, Place, RandomState>>);

impl Waiting {
    /// Notes that a session waits, unless it need not, which it is told. Answers whether the log is to tell
    /// it, too. `traffic` is looked at when the session has its place, so that no relief is missed.
    pub(crate) fn add(
        &self,
        mailbox: &Arc<Mailbox>,
        burden: Burden,
        traffic: impl FnOnce() -> Traffic,
    ) -> bool {
        let mut waiting = self.0.lock();
        let mut place = waiting.entry(mailbox.session()).insert(Place {
            mailbox: Arc::clone(mailbox),
            burden,
            awaits_log: false,
        });
        let traffic = traffic();
        if !traffic.stops(burden) {
            place.remove();
            drop(waiting);
            mailbox.notify(Notice::Room);
            return false;
        }
        let awaits_log = traffic.is_log_behind && traffic.is_log_busy && burden.is_logged;
        place.get_mut().awaits_log = awaits_log;
        awaits_log
    }

    /// Tells those who need not wait any more. Answers who else waits for the log alone now, which is to tell
    /// them.
    pub(crate) fn release(&self, traffic: impl FnOnce() -> Traffic) -> Vec<Arc<Mailbox>> {
        let mut waiting = self.0.lock();
        if waiting.is_empty() {
            return Vec::new();
        }
        let traffic = traffic();
        let released: Vec<_> = waiting
            .extract_if(|_, place| !traffic.stops(place.burden))
            .collect();
        let mut for_log = Vec::new();
        if traffic.is_log_behind && traffic.is_log_busy {
            for place in waiting.values_mut() {
                if !place.awaits_log && !traffic.is_too_much(place.burden) {
                    place.awaits_log = true;
                    for_log.push(Arc::clone(&place.mailbox));
                }
            }
        }
        drop(waiting);
        for (_, place) in released {
            place.mailbox.notify(Notice::Room);
        }
        for_log
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

    fn traffic(held_bytes: usize, holding: u64) -> Traffic {
        Traffic {
            held_bytes: held_bytes as u64,
            budget_bytes: 32 * MIB as u64,
            part_bytes: 16 * MIB as u64 / holding.max(1),
            ..Traffic::default()
        }
    }

    #[test]
    fn the_log_stops_those_who_write_to_it() {
        let behind = Traffic {
            is_log_behind: true,
            is_log_busy: true,
            ..traffic(MIB, 1)
        };
        assert!(behind.stops(Burden::WHOLE));
        assert!(!behind.stops(holds(usize::MAX)));
    }

    #[test]
    fn a_full_queue_stops_its_publishers_and_no_others() {
        let full = traffic(65 * MIB, 2);
        assert!(full.stops(holds(64 * MIB)));
        assert!(!full.stops(holds(MIB)));
        assert!(!traffic(63 * MIB, 2).stops(holds(62 * MIB)), "it is not full yet");
        let pacing = Traffic {
            lets_wait: true,
            ..traffic(33 * MIB, 2)
        };
        assert!(pacing.stops(holds(32 * MIB)));
        assert!(!pacing.stops(holds(MIB)));
    }

    #[test]
    fn many_queues_that_hold_little_hold_up_nobody_until_it_is_far_too_much() {
        assert!(traffic(65 * MIB, 10_000).stops(holds(65 * 1024)));
        assert!(!traffic(65 * MIB, 10_000).stops(holds(64 * 1024)));
        assert!(!traffic(127 * MIB, 10_000).stops(holds(1000)));
        assert!(traffic(129 * MIB, 10_000).stops(holds(1000)));
    }

    #[test]
    fn those_who_need_not_wait_are_told_and_the_others_stay() {
        let waiting = Waiting::default();
        let (heavy, light) = (
            Arc::new(Mailbox::new(SessionId(1))),
            Arc::new(Mailbox::new(SessionId(2))),
        );
        assert!(!waiting.add(&heavy, holds(64 * MIB), || traffic(65 * MIB, 2)));
        assert!(!waiting.add(&heavy, holds(64 * MIB), || traffic(65 * MIB, 2)));
        assert!(!heavy.is_pending());
        assert!(!waiting.add(&light, holds(0), || traffic(65 * MIB, 2)));
        assert!(light.is_pending(), "it need not wait at all");
        assert!(waiting.release(|| traffic(65 * MIB, 2)).is_empty());
        assert!(!heavy.is_pending());
        assert!(waiting.release(|| traffic(20 * MIB, 2)).is_empty());
        assert!(heavy.is_pending());
        waiting.release(|| unreachable!("nobody waits"));
    }

    #[test]
    fn a_log_with_nothing_to_write_is_not_waited_for() {
        let waiting = Waiting::default();
        let mailbox = Arc::new(Mailbox::new(SessionId(1)));
        let without_file = Traffic {
            is_log_behind: true,
            ..traffic(0, 0)
        };
        assert!(!waiting.add(&mailbox, Burden::WHOLE, || without_file));
        assert!(waiting.release(|| without_file).is_empty());
        assert!(!mailbox.is_pending(), "it waits for the keeper");
        waiting.release(|| traffic(0, 0));
        assert!(mailbox.is_pending());
    }

    #[test]
    fn who_waited_for_memory_is_told_by_the_log_when_that_is_behind_then() {
        let waiting = Waiting::default();
        let mailbox = Arc::new(Mailbox::new(SessionId(1)));
        let burden = Burden {
            is_logged: true,
            held_bytes: 64 * MIB,
        };
        let behind = |held_bytes| Traffic {
            is_log_behind: true,
            is_log_busy: true,
            ..traffic(held_bytes, 1)
        };
        assert!(!waiting.add(&mailbox, burden, || traffic(65 * MIB, 1)));
        assert!(
            waiting.release(|| behind(65 * MIB)).is_empty(),
            "memory comes first"
        );
        assert_eq!(waiting.release(|| behind(20 * MIB)).len(), 1);
        assert!(waiting.release(|| behind(20 * MIB)).is_empty(), "it is told once");
        assert!(!mailbox.is_pending());
        waiting.release(|| traffic(20 * MIB, 1));
        assert!(mailbox.is_pending());
        assert!(
            waiting.add(&mailbox, burden, || behind(0)),
            "the log is to tell it"
        );
    }
}
