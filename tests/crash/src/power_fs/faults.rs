//! When a call fails on purpose.

use std::time::Instant;

/// Every so manieth call is odd; 0 is never.
#[derive(Clone, Copy, Default)]
pub(crate) struct Odd {
    /// A write takes only a part.
    pub(crate) short_write: u64,
    /// A write is interrupted before it took anything.
    pub(crate) interrupted: u64,
    /// A file cannot be opened or created: no descriptors.
    pub(crate) no_descriptor: u64,
}

/// What is to fail, counted from when it was armed; 0 is never.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    /// This sync of a file gets no answer, until the power is cut.
    pub(crate) hold_sync: u64,
    /// This sync of a file fails, and its data never reaches the disk.
    pub(crate) fail_sync: u64,
    /// All syncs behind it fail too.
    pub(crate) fail_all_after: bool,
    /// This write fails, counted among those of records into files of the log that have their space, and all
    /// such writes behind it: the kernel makes several requests of a long write, and when one that is not the
    /// first fails it says that a part was written.
    pub(crate) fail_write: u64,
    pub(crate) odd: Odd,
}

/// What was counted since faults were armed.
#[derive(Default)]
pub(super) struct Meter {
    faults: Faults,
    syncs: u64,
    writes: u64,
    log_writes: u64,
    opens: u64,
    /// When the first fault struck.
    pub(super) struck: Option<Instant>,
    pub(super) strikes: u64,
}

/// What a sync does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SyncFate {
    Works,
    Fails,
    Hangs,
}

/// What a write does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WriteFate {
    Works,
    Fails,
    Interrupted,
    Short,
}

impl Meter {
    pub(super) fn new(faults: Faults) -> Meter {
        Meter {
            faults,
            ..Meter::default()
        }
    }

    fn strike(&mut self) {
        self.struck.get_or_insert_with(Instant::now);
        self.strikes += 1;
    }

    pub(super) fn sync(&mut self) -> SyncFate {
        self.syncs += 1;
        let after =
            self.faults.fail_all_after && self.faults.fail_sync > 0 && self.syncs > self.faults.fail_sync;
        let fate = match self.syncs {
            now if now == self.faults.hold_sync => SyncFate::Hangs,
            now if now == self.faults.fail_sync || after => SyncFate::Fails,
            _ => SyncFate::Works,
        };
        if fate != SyncFate::Works {
            self.strike();
        }
        fate
    }

    /// `settled` says that the write goes into a file of the log that has its space.
    pub(super) fn write(&mut self, settled: bool) -> WriteFate {
        self.writes += 1;
        self.log_writes += u64::from(settled);
        let fate = if settled && self.faults.fail_write > 0 && self.log_writes >= self.faults.fail_write {
            WriteFate::Fails
        } else if is_turn(self.writes, self.faults.odd.interrupted) {
            WriteFate::Interrupted
        } else if is_turn(self.writes, self.faults.odd.short_write) {
            WriteFate::Short
        } else {
            WriteFate::Works
        };
        if fate != WriteFate::Works {
            self.strike();
        }
        fate
    }

    /// Whether a file may be opened.
    pub(super) fn open(&mut self) -> bool {
        self.opens += 1;
        let refused = is_turn(self.opens, self.faults.odd.no_descriptor);
        if refused {
            self.strike();
        }
        !refused
    }
}

fn is_turn(count: u64, every: u64) -> bool {
    every > 0 && count.is_multiple_of(every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sync_that_was_named_fails_and_those_behind_it_if_asked() {
        let fates = |after| {
            let mut meter = Meter::new(Faults {
                fail_sync: 2,
                fail_all_after: after,
                ..Faults::default()
            });
            [meter.sync(), meter.sync(), meter.sync()]
        };
        assert_eq!(fates(false), [SyncFate::Works, SyncFate::Fails, SyncFate::Works]);
        assert_eq!(fates(true), [SyncFate::Works, SyncFate::Fails, SyncFate::Fails]);
    }
}
