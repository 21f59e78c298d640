//! A whole node over a simulated disk, without threads and sockets: random histories, and death at every
//! operation of the disk. What was confirmed and not settled is there afterwards, once, whole, in order;
//! what was settled for certain is not; the rest is there or not.
//!
//! `WARREN_SIM_SEED` runs one seed, `WARREN_SIM_SECS` runs on from it for so long.

#![allow(
    clippy::print_stderr,
    reason = "how many deaths there were, and which seed hangs"
)]

mod client;
pub(crate) mod crash;
mod damage;
mod life;
mod meanwhile;
mod model;
mod paths;
mod runs;
mod said;
#[path = "../../../../testkit/src/sim_disk.rs"]
#[allow(dead_code, unreachable_pub)] // a file of another crate, whose tests use the rest
pub(crate) mod sim_disk;
mod watch;

use runs::Counts;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Seeds of an ordinary test run.
const SEEDS: u64 = 40;

/// No seed takes so long.
const TOO_LONG: Duration = Duration::from_secs(120);

fn variable(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("a number"))
}

/// Whether a node is to die wherever it can: in an ordinary run some deaths of each life have to do where
/// there are many seeds.
fn is_thorough() -> bool {
    variable("WARREN_SIM_SEED").is_some() || variable("WARREN_SIM_SECS").is_some()
}

/// Which seeds are run, and until when.
struct Plan {
    next: AtomicU64,
    end: u64,
    until: Option<Instant>,
}

impl Plan {
    fn new() -> Self {
        let (seed, secs) = (variable("WARREN_SIM_SEED"), variable("WARREN_SIM_SECS"));
        let first = seed.unwrap_or(1);
        let end = match (seed, secs) {
            (_, Some(_)) => u64::MAX,
            (Some(seed), None) => seed + 1,
            (None, None) => first + SEEDS,
        };
        Self {
            next: AtomicU64::new(first),
            end,
            until: secs.map(|secs| Instant::now() + Duration::from_secs(secs)),
        }
    }

    fn next(&self) -> Option<u64> {
        if self.until.is_some_and(|until| Instant::now() > until) {
            return None;
        }
        let seed = self.next.fetch_add(1, Ordering::Relaxed);
        (seed < self.end).then_some(seed)
    }
}

/// Runs all seeds of the plan, on as many threads as there are processors; each seed on one.
fn run_all(name: &str, run: fn(u64) -> Result<Counts, String>) {
    let plan = Plan::new();
    let began = Instant::now();
    let (all, seeds) = (Mutex::new(Counts::default()), AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        while let Some(seed) = plan.next() {
            let counts = guarded(seed, run).unwrap_or_else(|wrong| {
                panic!("WARREN_SIM_SEED={seed} {name}: {wrong}");
            });
            all.lock().unwrap().add(counts);
            seeds.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let Counts { points, lives, seen } = all.into_inner().unwrap();
    let (seeds, elapsed) = (seeds.into_inner(), began.elapsed());
    eprintln!("{name}: {points} deaths in {lives} lives of {seeds} seeds, {elapsed:.1?}; {seen:?}");
}

/// Runs one seed; says which it is when it panics or hangs.
fn guarded(seed: u64, run: fn(u64) -> Result<Counts, String>) -> Result<Counts, String> {
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if is_done.recv_timeout(TOO_LONG) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            eprintln!("WARREN_SIM_SEED={seed} hangs");
            std::process::abort();
        }
    });
    let outcome = std::panic::catch_unwind(|| said::hear(|| run(seed)));
    drop(done);
    guard.join().unwrap();
    outcome.unwrap_or_else(|_| Err("it panicked, see above".to_owned()))
}

#[test]
fn nothing_confirmed_is_lost_wherever_a_node_dies() {
    run_all("deaths", runs::deaths);
}

#[test]
fn what_moves_waits_or_comes_twice_is_in_one_place_wherever_a_node_dies() {
    run_all("paths", paths::deaths);
}

#[test]
fn what_is_one_step_is_whole_though_the_log_is_written_all_the_time() {
    run_all("races", paths::races);
}

#[test]
fn a_full_disk_costs_nothing_but_time() {
    run_all("full disks", runs::full_disks);
}

#[test]
fn what_a_failing_disk_confirmed_is_there() {
    run_all("failing disks", runs::failing_disks);
}

#[test]
fn damage_is_told_and_never_delivered() {
    run_all("damages", runs::damages);
}
