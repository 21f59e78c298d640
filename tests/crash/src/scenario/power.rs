//! Power cuts: the real binary on a file system of ours that forgets what was not synced.

use std::time::Duration;

use rustix::process::Signal;

use super::{Done, sleep};
use crate::load::Plan;
use crate::power_fs::{Cut, Disk, Faults};
use crate::rig::{Context, Rig};
use crate::survey::Manner;

/// How long the sync that gets no answer is waited for.
const HOLD_LIMIT: Duration = Duration::from_secs(5);

pub(super) fn power(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let cuts = context.rounds(4, 20);
    done.with(context, "power", |rig, done| {
        let disk = Disk::new(rig.launch.scratch.join("backing"))?;
        let mut mounted = disk.mount(rig.data())?;
        let mut total = Cut::default();
        rig.start()?;
        for round in 0..cuts {
            // Every second cut comes in the middle of a sync, every third in the start behind a cut.
            rig.load(Plan::USUAL)?;
            let cut = match round % 2 {
                0 => at_any_time(rig, &disk)?,
                _ => within_a_sync(rig, &disk)?,
            };
            add(&mut total, cut);
            mounted.unmount()?;
            mounted = disk.mount(rig.data())?;
            if round % 3 == 2 {
                add(&mut total, while_starting(rig, &disk)?);
                mounted.unmount()?;
                mounted = disk.mount(rig.data())?;
            }
            rig.start()?;
            rig.verify(if round % 2 == 0 {
                Manner::Peek
            } else {
                Manner::Drain
            })?;
        }
        let clean = rig.terminate();
        mounted.unmount()?;
        done.note("unsynced-changes", total.data);
        done.note("kept", total.data_kept);
        done.note("torn", total.torn);
        done.note("unsynced-names", total.names);
        done.note("names-kept", total.names_kept);
        clean
    });
    Ok(())
}

fn add(total: &mut Cut, cut: Cut) {
    total.data += cut.data;
    total.data_kept += cut.data_kept;
    total.torn += cut.torn;
    total.names += cut.names;
    total.names_kept += cut.names_kept;
}

fn at_any_time(rig: &mut Rig, disk: &Disk) -> Result<Cut, String> {
    sleep(rig.rng.between(100, 2500));
    cut(rig, disk)
}

/// Holds a sync back, so that the cut comes before its answer and whatever it was to save is at stake.
fn within_a_sync(rig: &mut Rig, disk: &Disk) -> Result<Cut, String> {
    sleep(rig.rng.between(100, 1000));
    disk.arm(Faults {
        hold_sync: rig.rng.between(1, 60),
        ..Faults::default()
    });
    rig.running()?.wait(HOLD_LIMIT, |_| disk.struck().is_some());
    // Others go on writing for a moment, to other files or in memory.
    sleep(rig.rng.between(0, 50));
    cut(rig, disk)
}

fn while_starting(rig: &mut Rig, disk: &Disk) -> Result<Cut, String> {
    let mut broker = rig.spawn(Vec::new(), Vec::new())?;
    sleep(rig.rng.between(1, 200));
    broker.signal(Signal::KILL);
    let cut = disk.cut(&mut rig.rng);
    broker.kill()?;
    rig.ledger.note(|figures| figures.kills += 1);
    cut
}

/// The process dies first, then the disk: what it confirmed until then it must keep.
fn cut(rig: &mut Rig, disk: &Disk) -> Result<Cut, String> {
    rig.broker()?.signal(Signal::KILL);
    let cut = disk.cut(&mut rig.rng);
    rig.kill()?;
    cut
}
