//! Alarms: when memory runs out, publishers are made to wait and consumers go on.
//!
//! Memory is accounted by what queues hold, and sessions for messages that are on their way to
//! them, in bytes, and compared with a watermark. Only what queues hold can be moved to the disk, so the
//! budget for it looks at them alone.

use crate::storage::Bell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// The alarm is cleared when memory falls below this share of the watermark, so that it does
/// not flicker.
const CLEAR_PERCENT: i64 = 95;

/// What is held, and whether it is too much.
#[derive(Debug)]
pub struct Memory {
    queues_bytes: AtomicI64,
    /// How many queues hold anything.
    holding: AtomicI64,
    sessions_bytes: AtomicI64,
    watermark_bytes: i64,
    /// Below it the alarm is cleared.
    clear_bytes: i64,
    alarm: AtomicBool,
    /// The alarm was set or cleared and nobody has told the sessions yet.
    news: AtomicBool,
    /// Above it queues have to let go of something, and who sees to that.
    budget: Option<(i64, Arc<Bell>)>,
}

impl Memory {
    /// An account with a watermark in bytes.
    pub fn new(watermark_bytes: u64) -> Self {
        let watermark_bytes = i64::try_from(watermark_bytes).unwrap_or(i64::MAX);
        // In i128, since the product of a large watermark passes an i64; the quotient does not.
        let clear_bytes = i128::from(watermark_bytes) * i128::from(CLEAR_PERCENT) / 100;
        Self {
            queues_bytes: AtomicI64::new(0),
            holding: AtomicI64::new(0),
            sessions_bytes: AtomicI64::new(0),
            watermark_bytes,
            clear_bytes: i64::try_from(clear_bytes).unwrap_or(watermark_bytes),
            // A watermark of 0 blocks every publisher from the start, as in RabbitMQ.
            alarm: AtomicBool::new(watermark_bytes == 0),
            news: AtomicBool::new(false),
            budget: None,
        }
    }

    /// The same, with a budget in bytes for what queues hold, above which the bell is rung.
    pub(crate) fn with_budget(watermark_bytes: u64, budget_bytes: u64, bell: Arc<Bell>) -> Self {
        let budget = i64::try_from(budget_bytes).unwrap_or(i64::MAX);
        Self {
            budget: Some((budget, bell)),
            ..Self::new(watermark_bytes)
        }
    }

    /// Whether publishers have to wait.
    pub fn is_alarmed(&self) -> bool {
        self.alarm.load(Ordering::Acquire)
    }

    /// What is held, in bytes.
    pub fn held_bytes(&self) -> u64 {
        u64::try_from(self.held()).unwrap_or(0)
    }

    /// What queues hold of it.
    pub fn queues_bytes(&self) -> u64 {
        u64::try_from(self.queues_bytes.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// How many queues hold something.
    pub(crate) fn holding(&self) -> u64 {
        u64::try_from(self.holding.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn held(&self) -> i64 {
        self.queues_bytes.load(Ordering::SeqCst) + self.sessions_bytes.load(Ordering::SeqCst)
    }

    /// A queue held `before` bytes and holds `after` now. Once a batch.
    pub(crate) fn queue_changed(&self, before: usize, after: usize) {
        let Some(delta) = difference(before, after) else {
            return;
        };
        match (before, after) {
            (0, _) => self.holding.fetch_add(1, Ordering::Relaxed),
            (_, 0) => self.holding.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
        let was = self.queues_bytes.fetch_add(delta, Ordering::SeqCst);
        if let Some((budget, bell)) = &self.budget
            && was <= *budget
            && was + delta > *budget
        {
            bell.ring();
        }
        self.look();
    }

    /// A session held `before` bytes for publishers and holds `after` now. Once a batch.
    pub fn session_changed(&self, before: usize, after: usize) {
        if let Some(delta) = difference(before, after) {
            self.sessions_bytes.fetch_add(delta, Ordering::SeqCst);
            self.look();
        }
    }

    /// Sets or clears the alarm.
    fn look(&self) {
        // Until the alarm agrees with what is held: another thread may have stored its own view
        // in between, and perhaps nothing will change again. One order of all accesses, so that
        // of two threads that write the one and read the other, one sees what the other wrote.
        loop {
            let held = self.held();
            let alarmed = self.alarm.load(Ordering::SeqCst);
            let is_high = held >= self.watermark_bytes;
            let is_low = held < self.clear_bytes;
            if !((!alarmed && is_high) || (alarmed && is_low)) {
                return;
            }
            self.alarm.store(is_high, Ordering::SeqCst);
            self.news.store(true, Ordering::Release);
        }
    }

    /// Whether the alarm changed since this was last asked.
    pub(crate) fn take_news(&self) -> bool {
        self.news.load(Ordering::Relaxed) && self.news.swap(false, Ordering::AcqRel)
    }
}

/// By how much something grew, unless it did not change. Sizes of memory fit an i64.
fn difference(before: usize, after: usize) -> Option<i64> {
    let bytes = |size| i64::try_from(size).unwrap_or(i64::MAX);
    (before != after).then(|| bytes(after) - bytes(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_of_zero_blocks_from_the_start() {
        let memory = Memory::new(0);
        assert!(memory.is_alarmed());
        memory.queue_changed(0, 10);
        memory.queue_changed(10, 0);
        assert!(memory.is_alarmed());
    }

    #[test]
    fn queues_that_hold_something_are_counted() {
        let memory = Memory::new(1000);
        memory.queue_changed(0, 10);
        memory.queue_changed(0, 20);
        memory.queue_changed(10, 30);
        memory.queue_changed(0, 0);
        assert_eq!(memory.holding(), 2);
        memory.queue_changed(30, 0);
        assert_eq!(memory.holding(), 1);
        memory.queue_changed(20, 0);
        assert_eq!(memory.holding(), 0);
    }

    #[test]
    fn set_at_the_watermark_and_cleared_below_it() {
        let memory = Memory::new(1000);
        memory.queue_changed(0, 999);
        assert!(!memory.is_alarmed() && !memory.take_news());
        memory.queue_changed(999, 1000);
        assert!(memory.is_alarmed() && memory.take_news());
        memory.queue_changed(1000, 960);
        assert!(memory.is_alarmed() && !memory.take_news(), "not yet low enough");
        memory.queue_changed(960, 900);
        assert!(!memory.is_alarmed() && memory.take_news());
        assert_eq!(memory.held_bytes(), 900);
    }

    #[test]
    fn what_sessions_hold_is_held_and_rings_nobody() {
        let bell = Arc::new(Bell::default());
        let memory = Memory::with_budget(1000, 100, Arc::clone(&bell));
        memory.session_changed(0, 900);
        assert_eq!((memory.held_bytes(), memory.queues_bytes()), (900, 0));
        assert!(!bell.is_rung());
        memory.queue_changed(0, 100);
        assert!(memory.is_alarmed() && !bell.is_rung());
        memory.queue_changed(100, 101);
        assert!(bell.is_rung());
        memory.session_changed(900, 0);
        assert!(!memory.is_alarmed());
    }
}
