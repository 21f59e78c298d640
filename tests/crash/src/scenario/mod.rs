//! The scenarios: each does one kind of harm to the broker and counts what came of it.
//!
//! ```text
//! kill       kill, clean, recover-kill, failpoints: the process ends
//! power      power: unsynced bytes and names are lost
//! disk       disk-full, slow-disk: the disk is full or late
//! errors     sync-fails, write-fails, odd-io: system calls fail
//! queues     moves, delays, keys, tx: what queues do by themselves, when the process ends
//! mutate     mutate: the files are damaged while the broker is down
//! ```

mod disk;
mod errors;
mod kill;
mod mutate;
mod power;
mod queues;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::ledger::Figures;
use crate::power_fs::Disk;
use crate::report::{Report, Verdict};
use crate::rig::{Context, Rig};
use crate::strace::Strace;

/// One kind of harm.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Why it cannot run here.
    missing: fn() -> Option<String>,
    run: fn(&mut Context, &mut Done) -> Result<(), String>,
}

/// What a scenario has found out.
#[derive(Default)]
struct Done {
    figures: Figures,
    notes: Vec<(String, String)>,
    counts: BTreeMap<&'static str, u64>,
    failures: Vec<String>,
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "kill",
        about: "SIGKILL under load, again and again on one data folder",
        missing: nothing,
        run: kill::kill,
    },
    Scenario {
        name: "clean",
        about: "SIGTERM under load: nothing settled comes back, what was delivered is marked",
        missing: nothing,
        run: kill::clean,
    },
    Scenario {
        name: "recover-kill",
        about: "SIGKILL under load, and again while it recovers",
        missing: nothing,
        run: kill::recover_kill,
    },
    Scenario {
        name: "moves",
        about: "SIGKILL while dead letters move: each message is in one place of its path",
        missing: nothing,
        run: queues::moves::run,
    },
    Scenario {
        name: "delays",
        about: "SIGKILL while messages wait: each comes once, and not before it is due",
        missing: nothing,
        run: queues::delays::run,
    },
    Scenario {
        name: "dedup",
        about: "SIGKILL, and the same keys again: each key once, and of last values the last",
        missing: nothing,
        run: queues::keys::run,
    },
    Scenario {
        name: "tx",
        about: "SIGKILL amid commits over several queues: each is whole or was never",
        missing: nothing,
        run: queues::tx::run,
    },
    Scenario {
        name: "failpoints",
        about: "the broker aborts itself at each point where it changes its files",
        missing: nothing,
        run: kill::failpoints,
    },
    Scenario {
        name: "power",
        about: "power cuts: what was not synced is lost, torn, reordered",
        missing: Disk::missing,
        run: power::power,
    },
    Scenario {
        name: "disk-full",
        about: "no space left: publishers wait, consumers go on, and space comes back",
        missing: root,
        run: disk::full,
    },
    Scenario {
        name: "sync-fails",
        about: "a sync fails: nothing is confirmed behind it, and the broker ends with 74",
        missing: strace_and_fuse,
        run: errors::sync_fails,
    },
    Scenario {
        name: "write-fails",
        about: "a write fails: likewise",
        missing: strace_and_fuse,
        run: errors::write_fails,
    },
    Scenario {
        name: "slow-disk",
        about: "syncs take long: heartbeats go on, confirms are late and true, memory is bounded",
        missing: Strace::missing,
        run: disk::slow,
    },
    Scenario {
        name: "odd-io",
        about: "short writes, interrupted calls, no descriptors",
        missing: strace_and_fuse,
        run: errors::odd_io,
    },
    Scenario {
        name: "mutate",
        about: "damaged files: nothing wrong is delivered, and what is lost is said",
        missing: nothing,
        run: mutate::mutate,
    },
];

fn nothing() -> Option<String> {
    None
}

fn root() -> Option<String> {
    let is_root = rustix::process::geteuid().is_root();
    (!is_root).then(|| "only root may mount".to_owned())
}

fn strace_and_fuse() -> Option<String> {
    Strace::missing().or_else(Disk::missing)
}

impl Scenario {
    /// Runs it. In CI nothing may be left out.
    pub(crate) fn run(&self, context: &mut Context, strict: bool) -> Report {
        let begun = Instant::now();
        let mut done = Done::default();
        let verdict = match (self.missing)() {
            Some(reason) if strict => Verdict::Failed(vec![format!("cannot run: {reason}")]),
            Some(reason) => Verdict::Skipped(reason),
            None => {
                if let Err(reason) = (self.run)(context, &mut done) {
                    done.failures.push(reason);
                }
                match done.failures.len() {
                    0 => Verdict::Passed,
                    _ => Verdict::Failed(done.failures),
                }
            }
        };
        let counts = done
            .counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), count.to_string()));
        done.notes.extend(counts);
        Report {
            name: self.name,
            verdict,
            figures: done.figures,
            notes: done.notes,
            took: begun.elapsed(),
        }
    }
}

impl Done {
    fn note(&mut self, name: &str, value: impl ToString) {
        self.notes.push((name.to_owned(), value.to_string()));
    }

    /// Adds to a figure that several parts of a scenario have.
    fn count(&mut self, name: &'static str, more: u64) {
        *self.counts.entry(name).or_default() += more;
    }

    /// Works with a rig and takes its figures, however the work ended.
    fn with(
        &mut self,
        context: &mut Context,
        name: &str,
        work: impl FnOnce(&mut Rig, &mut Done) -> Result<(), String>,
    ) {
        let mut rig = context.rig(name);
        if let Err(reason) = work(&mut rig, self) {
            self.failures.push(format!("{name}: {reason}"));
            self.failures.extend(rig.postmortem());
        }
        let mut failures = Vec::new();
        let figures = rig.conclude(&mut failures);
        self.failures
            .extend(failures.into_iter().map(|reason| format!("{name}: {reason}")));
        self.figures.add(figures);
    }

    fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(otherwise());
        }
    }
}

fn sleep(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}
