//! Linux' `perf`, looking at a broker while it works: samples by the clock, since a virtual machine may have
//! no counters, and system calls by the kernel's tracepoints, which cost a broker far less than `strace`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::profile::{ALL_CALLS, CALL, Counts, SWITCHES, Samples, WAKE_UPS};
use super::rabbitmq::finish;
use super::tools::{Tools, output_of};

/// Samples a second of each thread that runs; no divisor of what the kernel's own clock does.
const FREQUENCY: &str = "999";

/// Until `perf` has found all threads, and its tracepoints are switched on.
const ATTACH: Duration = Duration::from_secs(1);

/// System calls that a broker may do for a message. All that the kernel has would take `perf` ten seconds to
/// switch on; `raw_syscalls` counts those that are missing here.
const CALLS: [&str; 24] = [
    "accept4",
    "read",
    "write",
    "readv",
    "writev",
    "recvfrom",
    "sendto",
    "recvmsg",
    "sendmsg",
    "epoll_wait",
    "epoll_ctl",
    "futex",
    "sched_yield",
    "madvise",
    "mmap",
    "munmap",
    "close",
    "openat",
    "pread64",
    "pwrite64",
    "pwritev",
    "fdatasync",
    "fallocate",
    "clock_nanosleep",
];

/// Finds `perf`, or installs it.
///
/// # Errors
/// Why there is none.
pub(super) fn find_or_install() -> Result<(), String> {
    let works = || output_of("perf", &["--version"], Path::new("/"));
    if works().is_ok() {
        return Ok(());
    }
    println!("== perf from Debian");
    let mut install = std::process::Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").args([
        "install",
        "-q",
        "-y",
        "--no-install-recommends",
        "linux-perf",
    ]);
    finish(&mut install)?;
    works().map(|_| ())
}

/// A `perf` that looks at a process. Dropped, it is killed.
pub(super) struct Watch<'a> {
    tools: &'a Tools,
    child: Child,
    /// What it writes.
    output: PathBuf,
}

impl<'a> Watch<'a> {
    /// Takes samples from now on.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn samples(tools: &'a Tools, pid: u32) -> Result<Self, String> {
        let arguments = ["record", "-q", "-e", "cpu-clock", "-F", FREQUENCY, "-g", "-o"];
        Self::start(tools, pid, &arguments, "perf.data")
    }

    /// Counts system calls from now on.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn calls(tools: &'a Tools, pid: u32) -> Result<Self, String> {
        let calls = CALLS.map(|call| format!("{CALL}{call}")).join(",");
        let events = [SWITCHES, WAKE_UPS, ALL_CALLS, &calls].join(",");
        let arguments = ["stat", "-e", &events, "-o"];
        Self::start(tools, pid, &arguments, "perf.stat")
    }

    /// `arguments` end with the option that names the output.
    fn start(tools: &'a Tools, pid: u32, arguments: &[&str], file: &str) -> Result<Self, String> {
        let output = tools.folder.join(file);
        // One of an earlier run would be taken for this one's.
        let _ = fs::remove_file(&output);
        let errors = tools.folder.join("perf.err");
        let errors = File::create(&errors).map_err(|error| format!("{}: {error}", errors.display()))?;
        let mut command = tools.command(Path::new("perf"));
        let child = command
            .args(arguments)
            .arg(&output)
            .args(["-p", &pid.to_string()])
            // Numbers with points, in whatever language one works.
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("perf does not start: {error}"))?;
        std::thread::sleep(ATTACH);
        Ok(Self { tools, child, output })
    }

    /// Stops looking.
    fn stop(&mut self) -> Result<(), String> {
        // It has ended by itself when the broker has, or when it could not begin.
        let pid = self.child.id().to_string();
        if let Ok(None) = self.child.try_wait() {
            output_of("kill", &["-INT", &pid], Path::new("/"))?;
        }
        self.child
            .wait()
            .map_err(|error| format!("perf cannot be waited for: {error}"))?;
        if self.output.exists() {
            return Ok(());
        }
        let said = fs::read_to_string(self.tools.folder.join("perf.err")).unwrap_or_default();
        Err(format!("perf: {}", said.trim()))
    }

    /// The samples so far, and the end of them.
    ///
    /// # Errors
    /// When `perf` failed.
    pub(super) fn end_samples(mut self) -> Result<Samples, String> {
        self.stop()?;
        let file = self.output.to_string_lossy();
        // What was inlined would be looked up at every address, which takes minutes.
        let arguments = ["script", "--no-inline", "-F", "ip,sym,dso", "-i", &file];
        Ok(Samples::parse(&output_of(
            "perf",
            &arguments,
            &self.tools.folder,
        )?))
    }

    /// The counts so far, and the end of them.
    ///
    /// # Errors
    /// When `perf` failed.
    pub(super) fn end_calls(mut self) -> Result<Counts, String> {
        self.stop()?;
        let text = fs::read_to_string(&self.output);
        let text = text.map_err(|error| format!("{}: {error}", self.output.display()))?;
        Ok(Counts::parse(&text))
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        // Both fail when it has ended by itself, which is the usual end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
