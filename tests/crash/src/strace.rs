//! strace in front of the broker: system calls that fail, lie or take their time.
//!
//! `--seccomp-bpf` stops the broker only at the calls that are named, so that it keeps its speed elsewhere.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The calls that make data durable.
pub(crate) const SYNCS: &str = "fdatasync,fsync";

/// The calls that write at a position, as a log does.
pub(crate) const WRITES: &str = "pwrite64,pwritev,pwritev2";

/// An injection and where strace tells of it.
pub(crate) struct Strace {
    log: PathBuf,
    calls: &'static str,
    what: String,
}

impl Strace {
    /// `what` is what comes behind the calls in `-e inject=`: `error=EIO:when=5`. strace counts the calls of
    /// every thread by itself.
    pub(crate) fn new(scratch: &Path, calls: &'static str, what: &str) -> Strace {
        Strace {
            log: scratch.join("strace.log"),
            calls,
            what: what.to_owned(),
        }
    }

    /// Why it cannot be used here.
    pub(crate) fn missing() -> Option<String> {
        let tried = Command::new("strace")
            .args(["-f", "--seccomp-bpf", "-e", "trace=fsync", "true"])
            .output();
        match tried {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(format!(
                "strace: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
            Err(error) => Some(format!("strace: {error}")),
        }
    }

    /// The words in front of the broker's.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let calls = self.calls;
        let mut words: Vec<OsString> = [
            "strace",
            "-f",
            "-qq",
            "-ttt",
            "--seccomp-bpf",
            "-e",
            "signal=none",
        ]
        .map(OsString::from)
        .to_vec();
        words.push("-e".into());
        words.push(format!("trace={calls}").into());
        words.push("-e".into());
        words.push(format!("inject={calls}:{}", self.what).into());
        words.push("-o".into());
        words.push(self.log.clone().into());
        words
    }

    /// When the first call was made to fail.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.moments().first().copied()
    }

    /// When the last call so far was made to fail.
    pub(crate) fn last(&self) -> Option<Instant> {
        self.moments().last().copied()
    }

    fn moments(&self) -> Vec<Instant> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let injected = log.lines().filter(|line| line.contains("(INJECTED)"));
        injected.filter_map(moment).collect()
    }

    /// How many calls were injected so far.
    pub(crate) fn count(&self) -> usize {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines()
            .filter(|line| line.contains("INJECTED") || line.contains("DELAYED"))
            .count()
    }
}

/// The time of a line: "PID SECONDS.MICROS call(...)".
fn moment(line: &str) -> Option<Instant> {
    let seconds: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    let moment = UNIX_EPOCH + Duration::from_secs_f64(seconds);
    let ago = SystemTime::now().duration_since(moment).unwrap_or_default();
    Instant::now().checked_sub(ago)
}
