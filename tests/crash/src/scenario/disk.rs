//! The disk is full, or late.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::{Done, sleep};
use crate::amqp::{CHANNEL, Connection, Event, Options};
use crate::load::{Plan, Pulse};
use crate::message::Sizes;
use crate::rig::{Context, Rig};
use crate::strace::{SYNCS, Strace};
use crate::survey::Manner;

/// What the file system of `disk-full` holds, and what is left of it at first, in MiB.
const DISK_MIB: u64 = 768;
const LEFT_MIB: u64 = 384;

/// No confirm for this long is what a publisher sees of a full disk.
const STUCK: Duration = Duration::from_secs(2);

/// A file system in memory; unmounted when dropped.
pub(super) struct Tmpfs(PathBuf);

impl Tmpfs {
    pub(super) fn mount(at: &Path, mib: u64) -> Result<Tmpfs, String> {
        let text = |error: std::io::Error| format!("tmpfs at {}: {error}", at.display());
        fs::create_dir_all(at).map_err(text)?;
        let options = std::ffi::CString::new(format!("size={mib}m")).map_err(|error| error.to_string())?;
        let mounted = mount(
            "warren-full",
            at,
            "tmpfs",
            MountFlags::empty(),
            Some(options.as_c_str()),
        );
        mounted.map_err(|error| text(error.into()))?;
        Ok(Tmpfs(at.to_owned()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Whoever still uses it is of this run and about to be killed.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// Takes room until `left` MiB are free.
fn fill(disk: &Path, left: u64) -> Result<PathBuf, String> {
    let path = disk.join("filler");
    let text = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(text)?;
    loop {
        let stat = rustix::fs::statvfs(disk).map_err(|error| text(error.into()))?;
        if stat.f_bavail * stat.f_frsize <= left << 20 {
            return Ok(path);
        }
        file.write_all(&[1; 1 << 20]).map_err(text)?;
    }
}

pub(super) fn full(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let rounds = context.rounds(1, 5);
    done.with(context, "disk-full", |rig, done| {
        let disk = rig.launch.scratch.join("disk");
        let _tmpfs = Tmpfs::mount(&disk, DISK_MIB)?;
        rig.launch.data = disk.join("data");
        for _ in 0..rounds {
            one_full_disk(rig, done, &disk)?;
        }
        Ok(())
    });
    Ok(())
}

fn one_full_disk(rig: &mut Rig, done: &mut Done, disk: &Path) -> Result<(), String> {
    if rig.broker.is_none() {
        rig.start()?;
    }
    let filler = fill(disk, LEFT_MIB)?;
    rig.load(Plan {
        consumers: false,
        churn: false,
        sizes: Sizes::Large,
        budget: u64::MAX,
        transient: false,
        ..Plan::USUAL
    })?;
    let stuck = wait_stuck(rig, Duration::from_secs(60))?;
    done.expect(stuck, || "publishers were never held back".to_owned());
    let drained = drain_some(rig, "fan.a", 50)?;
    done.expect(drained > 0, || {
        "nothing could be consumed from a full disk".to_owned()
    });
    // A restart has to work without more room too.
    rig.kill()?;
    rig.start()?;
    rig.look(Manner::Peek)?;
    fs::remove_file(&filler).map_err(|error| error.to_string())?;
    rig.load(Plan {
        budget: 8 << 20,
        ..Plan::USUAL
    })?;
    rig.confirms(200, Duration::from_secs(30))
        .map_err(|reason| format!("space is back: {reason}"))?;
    rig.finish_load()?;
    rig.kill()?;
    rig.start()?;
    rig.verify(Manner::Drain)
}

/// Whether publishers got stuck within `limit`, by a word or by silence.
fn wait_stuck(rig: &Rig, limit: Duration) -> Result<bool, String> {
    let mut seen = (0, Instant::now());
    Ok(rig.running()?.wait(limit, |pulse| {
        let confirms = pulse.confirms.load(Ordering::Relaxed);
        if confirms != seen.0 {
            seen = (confirms, Instant::now());
        }
        pulse.blocked.load(Ordering::Relaxed) > 0 || seen.1.elapsed() > STUCK
    }))
}

/// Takes some messages while publishers wait; returns how many came.
fn drain_some(rig: &mut Rig, queue: &str, count: usize) -> Result<usize, String> {
    let mut connection = Connection::open(rig.broker()?.address()?, Options::default())?;
    connection.open_channel(CHANNEL)?;
    connection.qos(10)?;
    connection.consume(queue)?;
    let mut drained = 0;
    let deadline = Instant::now() + Duration::from_secs(10);
    while drained < count && Instant::now() < deadline {
        if let Some(Event::Delivered(content)) = connection.next(Duration::from_millis(50))? {
            drained += 1;
            let held = rig.ledger.deliver(&content);
            rig.ledger.ack(held.as_slice());
            connection.ack(content.tag, false);
        }
    }
    connection.cancel(queue)?;
    connection.close();
    Ok(drained)
}

/// Memory that a broker on a slow disk may take, in MiB.
const RSS_MAX_MIB: u64 = 1024;

/// How long a broker on a slow disk may take to confirm anything, behind the time of the load.
const FIRST_CONFIRM: Duration = Duration::from_secs(30);

/// Seconds between heartbeats of the connection that watches.
const HEARTBEAT: u16 = 2;

pub(super) fn slow(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let long = context.long;
    let mut rss = 0;
    let mut silence = Duration::ZERO;
    for (name, what, delay, load_ms) in [
        ("10ms", "delay_enter=10000", 10, 2500),
        ("1s", "delay_enter=1000000", 1000, 4000),
        ("30s", "delay_enter=30000000:when=20", 0, 36_000),
    ] {
        if name == "30s" && !long {
            continue;
        }
        done.with(context, name, |rig, done| {
            let flood = if long { 512 << 20 } else { 24 << 20 };
            let watch = run_slow(rig, done, what, (delay, load_ms, flood))?;
            silence = silence.max(watch);
            rss = rss.max(rig.rss_max_kib / 1024);
            Ok(())
        });
    }
    done.note("rss-max", format!("{rss} MiB"));
    done.note("silence-max", format!("{} ms", silence.as_millis()));
    done.expect(rss <= RSS_MAX_MIB, || {
        format!("{rss} MiB of memory, more than {RSS_MAX_MIB}")
    });
    Ok(())
}

/// Loads a broker whose syncs take `delay` with up to `flood` bytes; returns the longest silence that an idle
/// connection saw.
fn run_slow(
    rig: &mut Rig,
    done: &mut Done,
    what: &str,
    (delay, load_ms, flood): (u64, u64, u64),
) -> Result<Duration, String> {
    // The start itself is not what is slow here.
    rig.start()?;
    rig.terminate()?;
    let strace = Strace::new(&rig.launch.scratch, SYNCS, what);
    rig.start_with(strace.words(), Vec::new())?;
    let watch = Watch::start(rig)?;
    rig.load(Plan {
        // Nobody takes what is not on the disk yet, so every confirm had to wait for the disk.
        consumers: delay < 1000,
        churn: false,
        // A flood: what is not confirmed yet is the broker's to bound.
        window: 200_000,
        window_bytes: flood / 2,
        budget: flood,
        messages: flood >> 11,
        transient: false,
        ..Plan::USUAL
    })?;
    sleep(load_ms);
    // A disk that takes a second for every sync may need several before the first confirm: files are made.
    let confirmed = |pulse: &Pulse| pulse.wait_min().is_some();
    done.expect(rig.running()?.wait(FIRST_CONFIRM, confirmed), || {
        format!("{what}: no confirm within {} s", FIRST_CONFIRM.as_secs())
    });
    let wait_min = rig.running()?.pulse.wait_min().unwrap_or_default();
    rig.measure();
    rig.finish_load()?;
    let silence = watch.stop()?;
    let limit = Duration::from_secs(u64::from(HEARTBEAT) * 2);
    done.expect(silence < limit, || {
        format!("{what}: no heartbeat for {} ms", silence.as_millis())
    });
    done.note(
        &format!("confirm-min-at-{delay}-ms"),
        format!("{} ms", wait_min.as_millis()),
    );
    // Half of the delay: a batch may be on its way already when a publish joins the next.
    done.expect(wait_min >= Duration::from_millis(delay) / 2, || {
        format!("{what}: a confirm after {} ms", wait_min.as_millis())
    });
    let struck = strace.count();
    done.expect(struck > 0, || format!("{what}: no sync was delayed"));
    rig.kill()?;
    rig.start()?;
    rig.verify(Manner::Drain)?;
    Ok(silence)
}

/// An idle connection that wants its heartbeats.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Result<Duration, String>>,
}

impl Watch {
    fn start(rig: &mut Rig) -> Result<Watch, String> {
        let address = rig.broker()?.address()?;
        let mut connection = Connection::open(address, Options { heartbeat: HEARTBEAT })?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                connection.next(Duration::from_millis(50))?;
            }
            let silence = connection.silence_max();
            connection.close();
            Ok(silence)
        });
        Ok(Watch { stop, thread })
    }

    fn stop(self) -> Result<Duration, String> {
        self.stop.store(true, Ordering::Relaxed);
        let outcome = self
            .thread
            .join()
            .map_err(|_| "the watcher panicked".to_owned())?;
        outcome.map_err(|reason| format!("an idle connection: {reason}"))
    }
}
