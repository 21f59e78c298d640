//! A log in memory: it counts the bytes of records and keeps none. Positions behave as those of a log
//! on disk, so that everything above works as it will there.

use super::{Appender, Log, Position, Waiter};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A buffer that grew past this is given back.
const BUFFER_KEPT_MAX: usize = 1 << 20;

/// A [`Log`] that forgets. Everything is durable at once, unless it was made by
/// [`MemoryLog::holding`].
#[derive(Default)]
pub struct MemoryLog {
    /// Where records are made, and forgotten.
    buffer: Mutex<Vec<u8>>,
    /// Bytes of records ever appended: the position after the last one.
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
        self.waiters.lock().retain(|(wanted, waiter)| {
            let still_waits = *wanted > now_durable;
            if !still_waits {
                due.push(Arc::clone(waiter));
            }
            still_waits
        });
        for (nth, waiter) in due.iter().enumerate() {
            waiter.durable(now_durable, nth);
        }
    }
}

impl Log for MemoryLog {
    fn append(&self, write: &mut dyn FnMut(&mut Appender<'_>)) -> Position {
        let mut buffer = self.buffer.lock();
        buffer.clear();
        let before = self.appended.load(Ordering::Acquire);
        let mut appender = Appender::new(&mut buffer, before, 0);
        write(&mut appender);
        appender.end();
        let position = appender.position();
        buffer.clear();
        if buffer.capacity() > BUFFER_KEPT_MAX {
            *buffer = Vec::new();
        }
        self.appended.store(position.0, Ordering::Release);
        drop(buffer);
        if !self.holding.load(Ordering::Acquire) {
            self.durable.fetch_max(position.0, Ordering::AcqRel);
        }
        position
    }

    fn appended(&self) -> Position {
        Position(self.appended.load(Ordering::Acquire))
    }

    fn durable(&self) -> Position {
        Position(self.durable.load(Ordering::Acquire))
    }

    fn notify(&self, position: Position, waiter: Arc<dyn Waiter>) {
        {
            let mut waiters = self.waiters.lock();
            if self.durable() < position {
                waiters.push((position, waiter));
                return;
            }
        }
        waiter.durable(self.durable(), 0);
    }

    fn is_congested(&self) -> bool {
        false
    }

    fn trim(&self, _: Position) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Waiter for Count {
        fn durable(&self, _: Position, _: usize) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn append(log: &MemoryLog, records: usize) -> Position {
        log.append(&mut |appender| {
            for _ in 0..records {
                appender.begin(1, 0);
                appender.part(|bytes| bytes.extend_from_slice(b"hb"));
                appender.end();
            }
        })
    }

    #[test]
    fn durable_at_once() {
        let log = MemoryLog::default();
        let position = append(&log, 2);
        assert!(log.durable() >= position);
        let waiter = Arc::new(Count::default());
        log.notify(position, waiter.clone());
        assert_eq!(waiter.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn positions_are_bytes_and_rise() {
        let log = MemoryLog::default();
        let one = append(&log, 1);
        assert_eq!(append(&log, 2), Position(3 * one.0));
        assert_eq!(log.appended(), Position(3 * one.0));
        let nothing = log.append(&mut |_| {});
        assert_eq!(nothing, log.appended());
    }

    #[test]
    fn held_until_released() {
        let log = MemoryLog::holding();
        let position = append(&log, 1);
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
