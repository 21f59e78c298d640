//! The broker under test: started on free ports, known by its ready file, stopped by SIGTERM.
//!
//! The ready file is the broker's word that clients can connect, so nothing here guesses or tries a port.
//! While it is waited for, the end of the process and a deadline are watched too.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a start may take; a test build of the broker on a busy machine needs a second.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How long a clean stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// How often the ready file and the process are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How many of the log's last lines a failure shows.
const LOG_LINES: usize = 20;

/// Where a broker listens on the loopback address.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ports {
    /// AMQP.
    pub(super) amqp: u16,
    /// The HTTP API, if it has one.
    pub(super) http: Option<u16>,
}

/// A running broker. Dropped, it is killed.
pub(super) struct Broker {
    child: Child,
    ports: Ports,
    log: PathBuf,
}

impl Broker {
    /// Starts `command` as the broker, with its log and its ready file in `folder`, and waits until it is
    /// ready.
    ///
    /// # Errors
    /// When it cannot be started, ends, or is not ready in time. The log's end is part of the text.
    pub(super) fn start(mut command: Command, folder: &Path) -> Result<Broker, String> {
        let ready = folder.join("ready.json");
        let log = folder.join("broker.log");
        let text = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(folder).map_err(text)?;
        // A file of an earlier run would name a port where nobody listens.
        if ready.exists() {
            fs::remove_file(&ready).map_err(text)?;
        }
        let output = File::create(&log).map_err(text)?;
        command
            .args(["--no-data-dir", "--ports", "any", "--ready-file"])
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(text)?)
            .stderr(output);
        let child = command
            .spawn()
            .map_err(|error| format!("does not start: {error}"))?;
        let mut broker = Broker {
            child,
            ports: Ports::default(),
            log,
        };
        broker.ports = broker.wait_until_ready(&ready, START_LIMIT)?;
        Ok(broker)
    }

    /// Where it listens on the loopback address.
    pub(super) fn ports(&self) -> Ports {
        self.ports
    }

    /// Asks the broker to stop and waits for its end.
    ///
    /// # Errors
    /// When it had ended before, does not end in time, or ends with another status than 0.
    pub(super) fn stop(mut self) -> Result<(), String> {
        if let Some(status) = self.ended()? {
            return Err(self.with_log(&format!("ended while clients ran, {status}")));
        }
        signal("TERM", &self.child.id().to_string());
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            match self.ended()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.with_log(&format!("stopped with {status}"))),
                None => std::thread::sleep(LOOK),
            }
        }
        Err(self.with_log(&format!(
            "did not stop within {} s of SIGTERM",
            STOP_LIMIT.as_secs()
        )))
    }

    fn wait_until_ready(&mut self, ready: &Path, limit: Duration) -> Result<Ports, String> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            // Written under another name and renamed, so what can be read is whole.
            if let Ok(text) = fs::read_to_string(ready) {
                let amqp = port(&text, "amqp");
                let amqp = amqp.ok_or_else(|| self.with_log(&format!("no AMQP listener in {text}")))?;
                return Ok(Ports {
                    amqp,
                    http: port(&text, "http"),
                });
            }
            if let Some(status) = self.ended()? {
                return Err(self.with_log(&format!("ended before it was ready, {status}")));
            }
            std::thread::sleep(LOOK);
        }
        Err(self.with_log(&format!("not ready after {} s", limit.as_secs())))
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, String> {
        self.child
            .try_wait()
            .map_err(|error| format!("cannot be waited for: {error}"))
    }

    /// `reason` and the end of the log.
    fn with_log(&self, reason: &str) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(LOG_LINES)..)
            .unwrap_or_default();
        format!("{reason}; {} ends:\n{}", self.log.display(), last.join("\n"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Both fail when the process has been waited for already, which is the usual end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process, or to a group when `whom` is negative. The standard library knows only
/// SIGKILL and this tree has no unsafe code, so the shell does it. One that is gone already is no failure.
pub(super) fn signal(name: &str, whom: &str) {
    let _ = Command::new("/bin/sh")
        .args(["-c", r#"kill -s "$1" -- "$2""#, "kill", name, whom])
        .stderr(Stdio::null())
        .status();
}

/// The port of the first listener of this protocol in a ready file that can be reached at 127.0.0.1:
/// `{"pid": 1, "listeners": [{"protocol": "amqp", "address": "127.0.0.1:5672"}]}`.
///
/// Reads as much JSON as that file has: flat objects whose values of interest are strings without escapes.
fn port(text: &str, protocol: &str) -> Option<u16> {
    let (_, listeners) = text.split_once("\"listeners\"")?;
    listeners
        .split('{')
        .filter(|object| value(object, "protocol") == Some(protocol))
        .filter_map(|object| value(object, "address")?.parse::<SocketAddr>().ok())
        .find(|address| address.ip().is_unspecified() || address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST))
        .map(|address| address.port())
}

fn value<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = object.split_once(&format!("\"{key}\""))?;
    let rest = rest
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?;
    Some(rest.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    /// A broker in shell; its arguments are those of the real one, so `$5` is the ready file.
    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "warren"]);
        command
    }

    const READY: &str = r#"echo '{"listeners":[{"protocol":"amqp","address":"127.0.0.1:4567"}]}' >"$5.new"
        mv "$5.new" "$5"
        "#;
    const IDLE: &str = "while :; do sleep 1 & wait; done";

    #[test]
    fn a_broker_is_known_by_its_ready_file_and_stops_cleanly() {
        let folder = Scratch::new();
        let arguments = r#"[ "$1 $2 $3" = '--no-data-dir --ports any' ] || exit 9"#;
        let script = format!("trap 'exit 0' TERM; {arguments}\n{READY}{IDLE}");
        let broker = Broker::start(shell(&script), folder.path()).unwrap();
        assert_eq!(broker.ports().amqp, 4567);
        assert_eq!(broker.stop(), Ok(()));
    }

    #[test]
    fn an_old_ready_file_is_not_believed() {
        let folder = Scratch::new();
        folder.write(
            "ready.json",
            r#"{"listeners":[{"protocol":"amqp","address":"127.0.0.1:1"}]}"#,
        );
        let reason = Broker::start(shell("echo port taken; exit 3"), folder.path())
            .err()
            .unwrap();
        assert!(
            reason.starts_with("ended before it was ready, exit status: 3"),
            "{reason}"
        );
        assert!(reason.ends_with("port taken"), "{reason}");
    }

    #[test]
    fn a_broker_that_never_gets_ready_is_given_up() {
        let folder = Scratch::new();
        let child = shell(IDLE).spawn().unwrap();
        let mut broker = Broker {
            child,
            ports: Ports::default(),
            log: folder.path().join("log"),
        };
        let ready = folder.path().join("ready.json");
        let reason = broker
            .wait_until_ready(&ready, Duration::from_millis(100))
            .unwrap_err();
        assert!(reason.starts_with("not ready after 0 s"), "{reason}");
    }

    #[test]
    fn a_broker_that_died_under_its_clients_is_a_failure() {
        let folder = Scratch::new();
        let mut broker = Broker::start(shell(&format!("{READY}{IDLE}")), folder.path()).unwrap();
        broker.child.kill().unwrap();
        broker.child.wait().unwrap();
        let reason = broker.stop().unwrap_err();
        assert!(
            reason.starts_with("ended while clients ran, signal: 9"),
            "{reason}"
        );
    }

    #[test]
    fn a_bad_status_after_sigterm_is_a_failure() {
        let folder = Scratch::new();
        let broker = Broker::start(
            shell(&format!("trap 'exit 7' TERM\n{READY}{IDLE}")),
            folder.path(),
        )
        .unwrap();
        let reason = broker.stop().unwrap_err();
        assert!(reason.starts_with("stopped with exit status: 7"), "{reason}");
    }

    #[test]
    fn the_port_is_that_of_an_amqp_listener_in_reach() {
        let found = |listeners: &str| port(&format!(r#"{{"pid": 1, "listeners": [{listeners}]}}"#), "amqp");
        assert_eq!(
            found(r#"{"protocol": "amqp", "address": "127.0.0.1:5"}"#),
            Some(5)
        );
        assert_eq!(found(r#"{"address":"[::]:6","protocol":"amqp"}"#), Some(6));
        assert_eq!(found(r#"{"protocol":"http","address":"127.0.0.1:7"}"#), None);
        let two =
            r#"{"protocol":"amqp/ssl","address":"0.0.0.0:8"},{"protocol":"amqp","address":"0.0.0.0:9"}"#;
        assert_eq!(found(two), Some(9));
        assert_eq!(found(r#"{"protocol":"amqp","address":"192.0.2.1:5672"}"#), None);
        assert_eq!(port("{", "amqp"), None);
    }
}
