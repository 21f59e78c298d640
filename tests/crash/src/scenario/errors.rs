//! System calls fail: syncs, writes, and the odd ways in which a call may half succeed.

use std::time::{Duration, Instant};

use super::{Done, sleep};
use crate::load::Plan;
use crate::power_fs::{Disk, Faults, Odd};
use crate::rig::{Context, Rig};
use crate::strace::{SYNCS, Strace, WRITES};
use crate::survey::Manner;

/// The status of a broker whose disk failed.
const POISONED: i32 = 74;

/// What clients are told then.
const INTERNAL_ERROR: u16 = 541;

/// How long such a broker may take to end.
const END_LIMIT: Duration = Duration::from_secs(5);

/// How long a fault is waited for.
const STRIKE_LIMIT: Duration = Duration::from_secs(20);

/// The last call of a thread that is tried to fail behind the start.
const NTH_MAX: u64 = 200;

/// Behind a failed sync another file's sync, which was under way, may still work and be believed.
const GRACE: Duration = Duration::from_millis(250);

pub(super) fn sync_fails(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let rounds = context.rounds(1, 10);
    for round in 0..rounds {
        for (name, after) in [("once", ""), ("always", "+")] {
            done.with(context, &format!("strace-{name}-{round}"), |rig, done| {
                let strace = start_failing(rig, SYNCS, |nth| format!("error=EIO:when={nth}{after}"))?;
                poisoned(rig, done, true, || strace.first())
            });
        }
        for (name, after) in [("once", false), ("always", true)] {
            done.with(context, &format!("fuse-{name}-{round}"), |rig, done| {
                let faults = Faults {
                    fail_sync: rig.rng.between(5, 60),
                    fail_all_after: after,
                    ..Faults::default()
                };
                on_a_failing_disk(rig, done, faults)
            });
        }
    }
    Ok(())
}

pub(super) fn write_fails(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let rounds = context.rounds(1, 10);
    for round in 0..rounds {
        for error in ["EIO", "ENOSPC"] {
            done.with(context, &format!("strace-{error}-{round}"), |rig, done| {
                let strace = start_failing(rig, WRITES, |nth| format!("error={error}:when={nth}"))?;
                // A write that makes a new file may fail and be tried again, and every thread has one that
                // fails: what counts is the last, behind which the broker ended.
                poisoned(rig, done, false, || strace.last())
            });
        }
        done.with(context, &format!("fuse-{round}"), |rig, done| {
            let faults = Faults {
                fail_write: rig.rng.between(5, 60),
                ..Faults::default()
            };
            on_a_failing_disk(rig, done, faults)
        });
    }
    Ok(())
}

/// Starts a broker of which some call is going to fail, and its load.
fn start_failing(rig: &mut Rig, calls: &'static str, what: impl Fn(u64) -> String) -> Result<Strace, String> {
    // What a first start does on an empty folder is not what is to fail here.
    rig.start()?;
    rig.declare()?;
    rig.terminate()?;
    let mut nth = rig.rng.between(10, 60);
    loop {
        let strace = Strace::new(&rig.launch.scratch, calls, &what(nth));
        match rig.start_with(strace.words(), Vec::new()) {
            Ok(()) => {
                rig.ledger.let_close();
                rig.load(Plan::USUAL)?;
                return Ok(strace);
            }
            // It struck in the start already: that one may end the broker, and proves nothing.
            Err(_) if strace.first().is_some() && nth < NTH_MAX => nth += 50,
            Err(reason) => return Err(reason),
        }
    }
}

/// The power is cut behind the failure too: what the failed call was to save is gone for good.
fn on_a_failing_disk(rig: &mut Rig, done: &mut Done, faults: Faults) -> Result<(), String> {
    let disk = Disk::new(rig.launch.scratch.join("backing"))?;
    let mounted = disk.mount(rig.data())?;
    rig.start()?;
    rig.ledger.let_close();
    rig.load(Plan::USUAL)?;
    sleep(rig.rng.between(100, 800));
    disk.arm(faults);
    let ended = ends_poisoned(rig, done, true, || disk.struck());
    if rig.broker.is_some() {
        rig.kill()?;
    }
    disk.cut(&mut rig.rng)?;
    mounted.unmount()?;
    ended?;
    let mounted = disk.mount(rig.data())?;
    rig.start()?;
    rig.verify(Manner::Drain)?;
    let clean = rig.terminate();
    mounted.unmount()?;
    clean
}

/// Waits for the broker to fail as it should, and looks at what it kept.
fn poisoned(
    rig: &mut Rig,
    done: &mut Done,
    must_end: bool,
    struck: impl Fn() -> Option<Instant>,
) -> Result<(), String> {
    let ended = ends_poisoned(rig, done, must_end, struck);
    if rig.broker.is_some() {
        rig.kill()?;
    }
    ended?;
    rig.start()?;
    rig.verify(Manner::Drain)?;
    if must_end {
        all_answered(rig, done);
    }
    rig.terminate()
}

/// A sync that only pretends to fail leaves its data in the log. What is found there was taken in, and has to
/// have been confirmed or nacked; what the broker had not taken in when it closed has no answer, and is not
/// there. A connection that missed its 541 may have missed its nacks with it.
fn all_answered(rig: &Rig, done: &mut Done) {
    let there = rig.ledger.unanswered_there();
    done.count("unanswered-there", there);
    let told = rig.ended.iter().all(|ended| {
        let code = ended.trouble.as_ref().and_then(|trouble| trouble.code());
        code == Some(INTERNAL_ERROR)
    });
    done.expect(there == 0 || !told, || {
        format!("{there} publishes were taken in and neither confirmed nor nacked")
    });
}

/// Behind the fault: no confirm for what was sent after it, every connection told 541, status 74 in time.
fn ends_poisoned(
    rig: &mut Rig,
    done: &mut Done,
    must_end: bool,
    struck: impl Fn() -> Option<Instant>,
) -> Result<(), String> {
    let mut moment = None;
    let running = rig.running()?;
    running.wait(STRIKE_LIMIT, |_| {
        moment = struck();
        moment.is_some()
    });
    let moment = moment.ok_or("the fault never struck")?;
    let ended = rig.broker()?.wait(END_LIMIT).is_some();
    let moment = struck().unwrap_or(moment);
    if !ended && !must_end {
        // It went on; what it confirms has to be true, and is looked at after a kill.
        done.count("went-on", 1);
        return Ok(());
    }
    if !ended {
        return Err(format!("still runs {} s after the failure", END_LIMIT.as_secs()));
    }
    let status = rig.wait_end(Duration::ZERO)?;
    done.expect(status == Some(POISONED), || {
        format!("ended with status {status:?}, and not {POISONED}")
    });
    let at_once = rig.ledger.confirmed_of_after(moment);
    let late = rig.ledger.confirmed_of_after(moment + GRACE);
    done.expect(late == 0, || {
        format!("{late} publishes were confirmed that were sent after the failure")
    });
    done.count("confirmed-within-grace", at_once);
    done.count("unanswered", rig.ledger.unanswered());
    let codes: Vec<Option<u16>> = rig
        .ended
        .iter()
        .map(|ended| ended.trouble.as_ref().and_then(|trouble| trouble.code()))
        .collect();
    let told = codes.iter().filter(|code| **code == Some(INTERNAL_ERROR)).count();
    done.count("connections", codes.len() as u64);
    done.count("told-541", told as u64);
    // Whoever comes when it is over may be told in other words.
    let others: Vec<String> = rig
        .ended
        .iter()
        .filter(|ended| ended.who != "churn")
        .filter(|ended| ended.trouble.as_ref().and_then(|trouble| trouble.code()) != Some(INTERNAL_ERROR))
        .map(|ended| {
            format!(
                "{}: {:?}",
                ended.who,
                ended.trouble.as_ref().map(ToString::to_string)
            )
        })
        .collect();
    done.expect(others.is_empty(), || {
        format!("not every connection was closed with {INTERNAL_ERROR}: {others:?}")
    });
    Ok(())
}

pub(super) fn odd_io(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let load_ms = if context.long { 10_000 } else { 1500 };
    let odds = [
        (
            "short",
            Odd {
                short_write: 3,
                ..Odd::default()
            },
        ),
        (
            "interrupted",
            Odd {
                interrupted: 4,
                ..Odd::default()
            },
        ),
        (
            "descriptors",
            Odd {
                no_descriptor: 3,
                ..Odd::default()
            },
        ),
    ];
    let mut strikes = 0;
    for (name, odd) in odds {
        done.with(context, name, |rig, done| {
            strikes += on_an_odd_disk(rig, done, odd, load_ms)?;
            Ok(())
        });
    }
    done.note("odd-calls", strikes);
    done.with(context, "accept", |rig, done| {
        let strace = Strace::new(&rig.launch.scratch, "accept4", "error=EMFILE:when=3+4");
        rig.start_with(strace.words(), Vec::new())?;
        rig.load(Plan::USUAL)?;
        rig.confirms(100, Duration::from_secs(20))?;
        rig.finish_load()?;
        done.note("accepts-refused", strace.count());
        rig.kill()?;
        rig.start()?;
        rig.verify(Manner::Drain)?;
        rig.terminate()
    });
    Ok(())
}

/// Load on a disk whose calls are odd now and then: nothing of that says that the disk failed.
fn on_an_odd_disk(rig: &mut Rig, done: &mut Done, odd: Odd, load_ms: u64) -> Result<u64, String> {
    let disk = Disk::new(rig.launch.scratch.join("backing"))?;
    let mounted = disk.mount(rig.data())?;
    rig.start()?;
    disk.arm(Faults {
        odd,
        ..Faults::default()
    });
    rig.load(Plan::USUAL)?;
    sleep(load_ms);
    let ended = rig.broker()?.status();
    let strikes = disk.strikes();
    disk.arm(Faults::default());
    done.expect(ended.is_none(), || format!("ended with {ended:?}"));
    rig.kill()?;
    rig.start()?;
    rig.verify(Manner::Drain)?;
    let clean = rig.terminate();
    mounted.unmount()?;
    clean.map(|()| strikes)
}
