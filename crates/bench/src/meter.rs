//! What a thread counts and times. Written once a batch, read once a second.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

/// Digits of a latency that are kept: a thousandth.
const DIGITS: u8 = 3;

/// One thread's counters. Aligned, so that threads do not share a line of the cache.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Meter {
    pub(crate) published: AtomicU64,
    pub(crate) published_bytes: AtomicU64,
    pub(crate) confirmed: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) delivered_bytes: AtomicU64,
    pub(crate) churned: AtomicU64,
    timings: Mutex<Timings>,
}

/// Sums over threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) published: u64,
    pub(crate) published_bytes: u64,
    pub(crate) confirmed: u64,
    /// Without duplicates and foreign ones.
    pub(crate) delivered: u64,
    pub(crate) delivered_bytes: u64,
    pub(crate) churned: u64,
}

impl Counts {
    pub(crate) fn of(meters: &[Meter]) -> Self {
        let sum =
            |field: fn(&Meter) -> &AtomicU64| meters.iter().map(|meter| field(meter).load(Relaxed)).sum();
        Self {
            published: sum(|meter| &meter.published),
            published_bytes: sum(|meter| &meter.published_bytes),
            confirmed: sum(|meter| &meter.confirmed),
            delivered: sum(|meter| &meter.delivered),
            delivered_bytes: sum(|meter| &meter.delivered_bytes),
            churned: sum(|meter| &meter.churned),
        }
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            published: self.published - before.published,
            published_bytes: self.published_bytes - before.published_bytes,
            confirmed: self.confirmed - before.confirmed,
            delivered: self.delivered - before.delivered,
            delivered_bytes: self.delivered_bytes - before.delivered_bytes,
            churned: self.churned - before.churned,
        }
    }
}

/// Latencies, in nanoseconds from when a message was due.
#[derive(Debug, Clone)]
pub(crate) struct Timings {
    pub(crate) delivery: Histogram<u64>,
    pub(crate) confirm: Histogram<u64>,
    pub(crate) churn: Histogram<u64>,
}

impl Default for Timings {
    fn default() -> Self {
        // It fails for other numbers of digits only.
        let empty = || match Histogram::new(DIGITS) {
            Ok(histogram) => histogram,
            Err(_) => unreachable!("{DIGITS} digits are allowed"),
        };
        Self {
            delivery: empty(),
            confirm: empty(),
            churn: empty(),
        }
    }
}

impl Timings {
    pub(crate) fn add(&mut self, other: &Timings) {
        for (to, from) in [
            (&mut self.delivery, &other.delivery),
            (&mut self.confirm, &other.confirm),
            (&mut self.churn, &other.churn),
        ] {
            // It fails for histograms that cannot grow only.
            let _ = to.add(from);
        }
    }

    fn clear(&mut self) {
        self.delivery.reset();
        self.confirm.reset();
        self.churn.reset();
    }
}

/// Notes so many equal latencies.
#[inline]
pub(crate) fn record(into: &mut Histogram<u64>, ns: u64, count: u64) {
    // It fails for histograms that cannot grow only.
    let _ = into.record_n(ns, count);
}

impl Meter {
    /// The timings, for a batch.
    pub(crate) fn timings(&self) -> MutexGuard<'_, Timings> {
        self.timings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves what was timed since the last time.
    pub(crate) fn drain(&self, into: &mut Timings) {
        let mut timings = self.timings();
        into.add(&timings);
        timings.clear();
    }
}
