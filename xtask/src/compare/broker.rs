//! A broker that is measured: started fresh on a free port, stopped without ceremony.

use std::fs::{self, File};
use std::net::TcpListener;
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::handshake;
use super::row::Kind;
use super::tools::{Tools, make_folder, output_of, remove_folder};

/// How long a start may take; RabbitMQ's takes seconds, and more on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(120);

/// Where brokers listen.
const PORTS: Range<u16> = 21_000..31_000;

/// A running broker. Dropped, it is killed, and what it had on disk is removed.
pub(super) struct Broker<'a> {
    tools: &'a Tools,
    kind: Kind,
    serve: &'a str,
    process: Process,
}

/// Its process. Dropped, it is killed.
struct Process {
    child: Child,
    port: u16,
    start_ms: f64,
}

impl<'a> Broker<'a> {
    /// Starts one that knows of no other, and waits until it takes clients.
    ///
    /// # Errors
    /// When it cannot be started, ends, or takes no client in time.
    pub(super) fn start(tools: &'a Tools, kind: Kind, serve: &'a str) -> Result<Self, String> {
        remove_data(tools)?;
        make_folder(&tools.data())?;
        // What was written and deleted before is not this one's affair.
        output_of("sync", &["-f", "."], &tools.data())?;
        let process = Process::start(tools, kind, serve)?;
        Ok(Self {
            tools,
            kind,
            serve,
            process,
        })
    }

    /// Kills it, and starts it with the data that it has.
    ///
    /// # Errors
    /// As for a start; for others than Warren always.
    pub(super) fn restart(&mut self) -> Result<(), String> {
        if self.kind != Kind::Warren {
            return Err(format!("a restart of {} is not measured", self.kind.name()));
        }
        self.process.kill();
        self.process = Process::start(self.tools, self.kind, self.serve)?;
        Ok(())
    }

    /// From the last start of the process to the first handshake that it accepted.
    pub(super) fn start_ms(&self) -> f64 {
        self.process.start_ms
    }

    pub(super) fn port(&self) -> u16 {
        self.process.port
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// Resident memory, in MiB.
    ///
    /// # Errors
    /// When the process is gone.
    pub(super) fn resident_mib(&self) -> Result<f64, String> {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0)
            .ok_or_else(|| format!("{path} has no VmRSS"))
    }
}

impl Drop for Broker<'_> {
    fn drop(&mut self) {
        self.process.kill();
        // The next start removes what could not be removed now, or says why not.
        let _ = remove_data(self.tools);
    }
}

impl Process {
    fn start(tools: &Tools, kind: Kind, serve: &str) -> Result<Self, String> {
        let port = free_port()?;
        let mut command = command(tools, kind, serve, port)?;
        let log = tools.folder.join("broker.log");
        let in_log = |error| format!("{}: {error}", log.display());
        let output = File::create(&log).map_err(in_log)?;
        let errors = output.try_clone().map_err(in_log)?;
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = child.map_err(|error| format!("{} does not start: {error}", kind.name()))?;
        let mut process = Self {
            child,
            port,
            start_ms: 0.0,
        };
        let child = &mut process.child;
        handshake::wait(port, START_LIMIT, || match child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(format!("ended with {status}")),
            Err(error) => Some(error.to_string()),
        })
        .map_err(|reason| format!("{}: {reason}; its log ends: {}", kind.name(), last_line(&log)))?;
        process.start_ms = begun.elapsed().as_secs_f64() * 1e3;
        Ok(process)
    }

    fn kill(&mut self) {
        // Both fail when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command(tools: &Tools, kind: Kind, serve: &str, port: u16) -> Result<Command, String> {
    Ok(match kind {
        Kind::Warren => {
            let mut command = tools.command(&tools.warren);
            command
                .arg("serve")
                .arg("--data-dir")
                .arg(tools.data().join("warren"));
            command.args(["--set", &format!("listeners.tcp.default=127.0.0.1:{port}")]);
            command.args(["--set", "management.tcp=none"]);
            command.args(serve.split_whitespace());
            command
        }
        Kind::Null => {
            let mut command = tools.command(&tools.null);
            command.args(["serve", "--hop", "--listen", &format!("127.0.0.1:{port}")]);
            command
        }
        Kind::RabbitMq => {
            let rabbitmq = tools.rabbitmq.as_ref().map_err(Clone::clone)?;
            let inside = rabbitmq.fresh(port)?;
            let mut command = tools.command(Path::new(inside.get_program()));
            command.args(inside.get_args());
            for (name, value) in inside.get_envs() {
                command.env(name, value.unwrap_or_default());
            }
            command
        }
    })
}

fn remove_data(tools: &Tools) -> Result<(), String> {
    remove_folder(&tools.data())?;
    match &tools.rabbitmq {
        Ok(rabbitmq) => remove_folder(&rabbitmq.home()),
        Err(_) => Ok(()),
    }
}

fn last_line(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// A port that nobody listens on, below those that the system gives to clients: thousands of those come and
/// go here, and one of them would be in the way of a broker that starts.
///
/// # Errors
/// When all are taken.
pub(super) fn free_port() -> Result<u16, String> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = PORTS.map(|_| PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS.len() as u16);
    ports.find(is_free).ok_or_else(|| "no free port".to_owned())
}
