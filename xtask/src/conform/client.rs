//! One language's `run.sh`: started with the broker's address, its lines read as they come, ended in time.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::broker::{Ports, signal};
use super::tally::Tally;

/// How often the process is looked at while it prints nothing.
const LOOK: Duration = Duration::from_millis(20);

/// How long output may still come after `run.sh` has ended: a process that it left behind can hold the pipe.
const LINGER: Duration = Duration::from_secs(2);

/// Runs `command` against the broker at these ports of the loopback address and counts its lines into
/// `tally`. After `limit` it is killed, with the processes that it started, and that is a failure.
pub(super) fn run(command: &mut Command, ports: Ports, limit: Duration, tally: &mut Tally) {
    let port = ports.amqp;
    if let Some(http) = ports.http {
        command.env("MANAGEMENT_PORT", http.to_string());
    }
    command
        .env("AMQP_URI", format!("amqp://guest:guest@127.0.0.1:{port}/%2F"))
        .env("AMQP_HOST", "127.0.0.1")
        .env("AMQP_PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // A group of its own, so that what it leaves behind can be ended with it.
        .process_group(0);
    match command.spawn() {
        Ok(mut child) => follow(&mut child, limit, tally),
        Err(error) => tally.fail("run.sh", &format!("does not start: {error}")),
    }
}

/// Reads lines until the process has ended and its output is closed, or time is up.
fn follow(child: &mut Child, limit: Duration, tally: &mut Tally) {
    let lines = child.stdout.take().map(lines);
    let mut open = lines.is_some();
    let mut deadline = Instant::now() + limit;
    let mut ended = None;
    while Instant::now() < deadline && (open || ended.is_none()) {
        match lines.as_ref().map(|lines| lines.recv_timeout(LOOK)) {
            Some(Ok(line)) => {
                println!("{line}");
                tally.line(&line);
            }
            Some(Err(RecvTimeoutError::Timeout)) => {}
            Some(Err(RecvTimeoutError::Disconnected)) | None => {
                open = false;
                std::thread::sleep(LOOK);
            }
        }
        if ended.is_none() {
            ended = child.try_wait().ok().flatten();
            if ended.is_some() {
                signal("KILL", &group(child));
                deadline = Instant::now() + LINGER;
            }
        }
    }
    let Some(status) = ended else {
        signal("KILL", &group(child));
        let reaped = child
            .wait()
            .map_or_else(|error| error.to_string(), |status| status.to_string());
        tally.fail(
            "run.sh",
            &format!("not done after {} s, killed ({reaped})", limit.as_secs()),
        );
        return;
    };
    tally.ended(status);
}

/// The child's process group, in the words of `kill`.
fn group(child: &Child) -> String {
    format!("-{}", child.id())
}

/// The lines of `output`, read by a thread of their own so that waiting for one can end.
fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // Bytes, not text: a client may print a body that is no UTF-8.
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender
                .send(String::from_utf8_lossy(&line).trim_end().to_owned())
                .is_err()
            {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn outcome(script: &str, limit: Duration) -> String {
        let mut tally = Tally::default();
        run(
            Command::new("/bin/sh").args(["-c", script]),
            Ports {
                amqp: 4567,
                http: Some(4568),
            },
            limit,
            &mut tally,
        );
        format!("{tally:?}")
    }

    #[test]
    fn the_address_comes_by_environment() {
        let script =
            r#"echo "ok a"; echo "FAIL b: $AMQP_HOST $AMQP_PORT $AMQP_URI $MANAGEMENT_PORT"; exit 1"#;
        let outcome = outcome(script, LONG);
        assert!(outcome.contains("passed: 1"), "{outcome}");
        assert!(
            outcome.contains("b: 127.0.0.1 4567 amqp://guest:guest@127.0.0.1:4567/%2F 4568"),
            "{outcome}"
        );
    }

    #[test]
    fn output_without_a_last_newline_counts() {
        assert!(outcome("printf 'ok a\\nok b'", LONG).contains("passed: 2"));
    }

    #[test]
    fn a_run_that_hangs_is_killed() {
        let outcome = outcome("echo ok a; sleep 3600", Duration::from_millis(300));
        assert!(
            outcome.contains("not done after 0 s, killed (signal: 9"),
            "{outcome}"
        );
    }

    #[test]
    fn what_a_run_leaves_behind_does_not_hold_it() {
        let begun = Instant::now();
        let outcome = outcome("sleep 3600 & echo ok a", LONG);
        assert!(outcome.contains("passed: 1, failed: []"), "{outcome}");
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn a_script_that_is_not_there_fails() {
        let mut tally = Tally::default();
        run(
            &mut Command::new("/nowhere/run.sh"),
            Ports::default(),
            LONG,
            &mut tally,
        );
        assert!(format!("{tally:?}").contains("does not start"));
    }
}
