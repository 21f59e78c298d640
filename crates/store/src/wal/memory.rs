//! A log in memory: it counts records and keeps none. Positions behave as those of a log on
//! disk, so that everything above works as it will there.

use super::{Log, Position, Record, Waiter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A [`Log`] that forgets. Everything is durable at once, unless it was made by
/// [`MemoryLog::holding`].
#[derive(Default)]
pub struct MemoryLog {
    /// Number of records ever appended: the position after the last one.
    appended: AtomicU64,
    durable: AtomicU64,
    holding: AtomicBool,
    waiters: Mutex<Vec<(Position, Arc<dyn Waiter>)>>,
}

impl MemoryLog {
    /// A log whose records become durable only when [`MemoryLog::release`] says so: a disk that
    /// is as slow as the caller wants.
    pub fn holding() -> Self {
        Self {
            holding: AtomicBool::new(true),
            ..Self::default()
        }
    }

    /// Makes everything appended so far durable and tells those who wait for it.
    pub fn release(&self) {
        self.become_durable(self.appended.load(Ordering::Acquire));
    }

    fn become_durable(&self, position: u64) {
        self.durable.fetch_max(position, Ordering::AcqRel);
        let now_durable = self.durable();
        let mut due = Vec::new();
        {
            let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
            waiters.retain(|(wanted, waiter)| {
                let still_waits = *wanted > now_durable;
                if !still_waits {
                    due.push(Arc::clone(waiter));
                }
                still_waits
            });
        }
        for waiter in due {
            waiter.durable(now_durable);
        }
    }
}

impl Log for MemoryLog {
    fn append(&self, records: &[Record<'_>]) -> Position {
        let count = records.len() as u64;
        let position = self.appended.fetch_add(count, Ordering::AcqRel) + count;
        if !self.holding.load(Ordering::Acquire) {
            self.durable.fetch_max(position, Ordering::AcqRel);
        }
        Position(position)
    }

    fn appended(&self) -> Position {
        Position(self.appended.load(Ordering::Acquire))
    }

    fn durable(&self) -> Position {
        Position(self.durable.load(Ordering::Acquire))
    }

    fn notify(&self, position: Position, waiter: Arc<dyn Waiter>) {
        {
            let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
            if self.durable() < position {
                waiters.push((position, waiter));
                return;
            }
        }
        waiter.durable(self.durable());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Waiter for Count {
        fn durable(&self, _: Position) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn record() -> Record<'static> {
        Record {
            owner: 1,
            kind: 0,
            head: b"h",
            body: b"b",
        }
    }

    #[test]
    fn durable_at_once() {
        let log = MemoryLog::default();
        let position = log.append(&[record(), record()]);
        assert!(log.durable() >= position);
        let waiter = Arc::new(Count::default());
        log.notify(position, waiter.clone());
        assert_eq!(waiter.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn held_until_released() {
        let log = MemoryLog::holding();
        let position = log.append(&[record()]);
        let waiter = Arc::new(Count::default());
        log.notify(position, waiter.clone());
        assert!(log.durable() < position);
        assert_eq!(waiter.0.load(Ordering::SeqCst), 0);
        log.release();
        assert!(log.durable() >= position);
        assert_eq!(waiter.0.load(Ordering::SeqCst), 1);
        log.release();
        assert_eq!(waiter.0.load(Ordering::SeqCst), 1, "told once");
    }
}
