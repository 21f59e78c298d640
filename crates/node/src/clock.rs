//! The clock: what time it is, and which queue is to be looked at when.
//!
//! A queue asks to be called when something of it is due: a message that expires or was delayed, a delivery
//! that is out for too long, the end of a queue that nobody uses. One thread sleeps until the first of them
//! all. Tests set the time themselves and call [`Node::tick`] instead.

use crate::mailbox::Touched;
use crate::node::Node;
use crate::queues::LiveQueue;
use parking_lot::{Condvar, Mutex};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the thread sleeps at most: the wall clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// A queue that is to be called.
struct Call {
    at_ms: u64,
    queue: Weak<LiveQueue>,
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.at_ms == other.at_ms
    }
}

impl Eq for Call {}

impl PartialOrd for Call {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Call {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at_ms.cmp(&other.at_ms)
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Clock {
    /// What the time is said to be; 0: as the system says.
    set_ms: AtomicU64,
    calls: Mutex<BinaryHeap<Reverse<Call>>>,
    is_earlier: Condvar,
    is_closing: AtomicBool,
}

impl Clock {
    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        match self.set_ms.load(Ordering::Relaxed) {
            0 => since_1970_ms(SystemTime::now()),
            set => set,
        }
    }

    /// The time is what a test says from now on.
    pub(crate) fn set_ms(&self, now_ms: u64) {
        self.set_ms.store(now_ms, Ordering::Relaxed);
    }

    /// The queue is to be called at this time. It may be called with its lock held.
    pub(crate) fn call(&self, at_ms: u64, queue: &Arc<LiveQueue>) {
        let mut calls = self.calls.lock();
        let is_first = calls.peek().is_none_or(|Reverse(first)| at_ms < first.at_ms);
        let queue = Arc::downgrade(queue);
        calls.push(Reverse(Call { at_ms, queue }));
        drop(calls);
        if is_first {
            self.is_earlier.notify_one();
        }
    }

    /// The queues that are due.
    fn due(&self) -> Vec<Arc<LiveQueue>> {
        let now_ms = self.now_ms();
        let mut calls = self.calls.lock();
        let mut due = Vec::new();
        while let Some(Reverse(first)) = calls.peek()
            && first.at_ms <= now_ms
        {
            due.extend(calls.pop().and_then(|Reverse(call)| call.queue.upgrade()));
        }
        due
    }

    /// Calls queues when they are due, until it is closed.
    pub(crate) fn run(&self, node: &Node) {
        while !self.is_closing.load(Ordering::Acquire) {
            node.call_due();
            let mut calls = self.calls.lock();
            let now_ms = self.now_ms();
            let next = calls.peek().map(|Reverse(first)| first.at_ms);
            let wait = next.map_or(SLEEP_MAX, |at| Duration::from_millis(at.saturating_sub(now_ms)));
            if !wait.is_zero() && !self.is_closing.load(Ordering::Acquire) {
                self.is_earlier.wait_for(&mut calls, wait.min(SLEEP_MAX));
            }
        }
    }

    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        // Whoever is about to sleep has seen it, or is woken.
        let _calls = self.calls.lock();
        self.is_earlier.notify_all();
    }
}

impl Node {
    /// Sets the time, for those who run a node without [`Node::start`], and does what is due then.
    pub fn tick(&self, now_ms: u64) {
        self.backing.clock.set_ms(now_ms);
        self.call_due();
    }

    fn call_due(&self) {
        let mut touched = Touched::default();
        for queue in self.backing.clock.due() {
            if queue.called(&mut touched) {
                self.delete_expired(&queue, &mut touched);
            }
        }
        touched.wake_all();
    }
}

/// Milliseconds since 1970; at least 1, also on a machine whose clock stands before: 0 says of a message that
/// nobody knows when it was published, and one such would hold up for good all that expires behind it.
fn since_1970_ms(now: SystemTime) -> u64 {
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_before_1970_leaves_no_message_without_a_time() {
        let at = |seconds| since_1970_ms(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!((at(0), at(7)), (1, 7000));
        assert_eq!(since_1970_ms(UNIX_EPOCH - Duration::from_secs(7)), 1);
    }
}
