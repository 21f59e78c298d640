//! The broker under test: the real binary on free ports, known by its ready file, killed or asked to stop.
//!
//! A wrapper (strace) may stand in front of it. Signals go to the broker itself, which strace then follows
//! with the same end. Dropped, everything is killed.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a start may take, recovery included.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(60);

/// How often the ready file and the process are looked at.
const LOOK: Duration = Duration::from_millis(2);

/// How many of the log's last lines a failure shows.
const LOG_LINES: usize = 12;

/// How a broker is started.
#[derive(Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) data: PathBuf,
    /// Where the ready file and the log go, outside the data folder.
    pub(crate) scratch: PathBuf,
    /// `KEY=VALUE`, each for a `--set`.
    pub(crate) sets: Vec<String>,
    /// Words in front of the broker's own.
    pub(crate) wrap: Vec<OsString>,
    pub(crate) environment: Vec<(String, String)>,
}

impl Launch {
    pub(crate) fn log(&self) -> PathBuf {
        self.scratch.join("broker.log")
    }

    /// Starts the broker and does not wait for it.
    pub(crate) fn spawn(&self) -> Result<Broker, String> {
        let ready = self.scratch.join("ready.json");
        let text = |error: std::io::Error| format!("{}: {error}", self.scratch.display());
        fs::create_dir_all(&self.scratch).map_err(text)?;
        // A file of an earlier start would name a port where nobody listens.
        if ready.exists() {
            fs::remove_file(&ready).map_err(text)?;
        }
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .map_err(text)?;
        let mut words = self.wrap.clone();
        words.push(self.program.clone().into());
        let (program, arguments) = words.split_first().ok_or("no program")?;
        let mut command = Command::new(program);
        command.args(arguments).arg("--data-dir").arg(&self.data);
        command.args(["--ports", "any", "--ready-file"]).arg(&ready);
        for set in &self.sets {
            command.args(["--set", set]);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(text)?)
            .stderr(output);
        let started = Instant::now();
        let child = command
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(Broker {
            child,
            wrapped: !self.wrap.is_empty(),
            pid: None,
            address: None,
            ready,
            log: self.log(),
            started,
            status: None,
            rss_max_kib: 0,
        })
    }
}

/// A broker that was started.
pub(crate) struct Broker {
    child: Child,
    wrapped: bool,
    pid: Option<u32>,
    address: Option<SocketAddr>,
    ready: PathBuf,
    log: PathBuf,
    started: Instant,
    status: Option<ExitStatus>,
    rss_max_kib: u64,
}

impl Broker {
    /// Waits until clients can connect; returns how long the start took.
    pub(crate) fn wait_ready(&mut self, limit: Duration) -> Result<Duration, String> {
        loop {
            // Written under another name and renamed, so what can be read is whole.
            if let Ok(text) = fs::read_to_string(&self.ready) {
                let took = self.started.elapsed();
                let (pid, address) =
                    parse_ready(&text).ok_or_else(|| format!("no AMQP listener in {text}"))?;
                self.pid = Some(pid);
                self.address = Some(address);
                return Ok(took);
            }
            if let Some(status) = self.status() {
                return Err(self.with_log(&format!("ended before it was ready, {status}")));
            }
            if self.started.elapsed() > limit {
                return Err(self.with_log(&format!("not ready after {} s", limit.as_secs())));
            }
            std::thread::sleep(LOOK);
        }
    }

    pub(crate) fn address(&self) -> Result<SocketAddr, String> {
        self.address.ok_or_else(|| "the broker is not ready".to_owned())
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// How the process ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Whether it aborted itself, as it does at a failpoint.
    pub(crate) fn aborted(&mut self) -> bool {
        let signal = self.status().and_then(|status| status.signal());
        signal == Some(Signal::ABORT.as_raw())
    }

    pub(crate) fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.status() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The process to signal: the broker, and not what wraps it.
    fn victim(&self) -> Option<u32> {
        // The broker says itself which it is, once it is ready.
        if self.pid.is_some() || !self.wrapped {
            return self.pid.or(Some(self.child.id()));
        }
        let parent = self.child.id();
        let children = format!("/proc/{parent}/task/{parent}/children");
        let listed = fs::read_to_string(children).unwrap_or_default();
        listed.split_whitespace().next()?.parse().ok()
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        // One that was waited for may have given its number to another.
        if self.status().is_some() {
            return;
        }
        let victim = self
            .victim()
            .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = victim {
            // It may have ended by itself in between.
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills it without a word and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<(), String> {
        self.signal(Signal::KILL);
        match self.wait(Duration::from_secs(20)) {
            Some(_) => Ok(()),
            None => Err("is still there 20 s after SIGKILL".to_owned()),
        }
    }

    /// The most memory that it has used so far, in KiB.
    pub(crate) fn rss_max_kib(&mut self) -> u64 {
        let status = self.victim().map(|pid| format!("/proc/{pid}/status"));
        let text = status
            .and_then(|path| fs::read_to_string(path).ok())
            .unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        self.rss_max_kib = self.rss_max_kib.max(now.unwrap_or(0));
        self.rss_max_kib
    }

    /// `reason` and the end of the log.
    pub(crate) fn with_log(&self, reason: &str) -> String {
        format!("{reason}; its log ends:\n{}", log_end(&self.log))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // Both fail when the process has been waited for already, which is the usual end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_end(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines
        .get(lines.len().saturating_sub(LOG_LINES)..)
        .unwrap_or_default();
    last.join("\n")
}

/// Panics that a log tells of.
pub(crate) fn panics(log: &Path) -> Vec<String> {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter(|line| line.contains("panicked at"));
    lines.map(str::to_owned).collect()
}

/// The process and the first AMQP listener of a ready file.
fn parse_ready(text: &str) -> Option<(u32, SocketAddr)> {
    let ready: Value = serde_json::from_str(text).ok()?;
    let pid = ready.get("pid")?.as_u64()?;
    let listeners = ready.get("listeners")?.as_array()?;
    let amqp = listeners
        .iter()
        .filter(|listener| listener.get("protocol").is_some_and(|of| of == "amqp"));
    let addresses = amqp.filter_map(|listener| listener.get("address")?.as_str()?.parse::<SocketAddr>().ok());
    let port = addresses.map(|address| address.port()).next()?;
    Some((u32::try_from(pid).ok()?, SocketAddr::from(([127, 0, 0, 1], port))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_file_names_process_and_port() {
        let text = r#"{"pid":7,"listeners":[{"protocol":"http","address":"0.0.0.0:1"},
            {"protocol":"amqp","address":"[::]:5"}]}"#;
        assert_eq!(
            parse_ready(text),
            Some((7, SocketAddr::from(([127, 0, 0, 1], 5))))
        );
        assert_eq!(parse_ready("{"), None);
    }
}
