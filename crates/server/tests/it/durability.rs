//! What is promised to be on disk is there, whatever became of the process, and nothing else is.
//!
//! ```text
//!   publish, confirmed ─► SIGKILL or SIGTERM ─► start on the same folder ─► compare with what is expected
//! ```
//!
//! The harness in `tests/crash` does this under load and by chance. Here each promise has its test, which
//! comes to the same every time.

mod backlog;
mod check;
mod client;
mod death;
mod folder;
mod rounds;
mod shortage;
mod space;
mod survival;
mod topology;
mod transactions;
mod versions;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use warren_protocol::amqp091::method::connection;
use warren_testkit::peer::Peer;

use self::client::{Message, Publisher};
use crate::program::{Program, line_with, start, wait_for};

/// A log of small files, so that what a test reads whole is small.
const SMALL_LOG: [&str; 2] = ["wal.segment_bytes=1MiB", "wal.max_bytes=8MiB"];

/// As little memory for messages as there may be, so that they go to extents.
const LITTLE_MEMORY: &str = "store.recent_bytes=64KiB";

/// How a program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// SIGKILL: nothing is written any more.
    Kill,
    /// SIGTERM: in good order. Clients that are connected are not waited for long only if they answer.
    Stop,
}

impl End {
    const BOTH: [End; 2] = [End::Kill, End::Stop];

    fn of(self, program: &mut Program) {
        match self {
            End::Kill => program.kill(),
            End::Stop => program.stop(),
        }
    }

    /// Ends a program and starts it again on what it left.
    fn and_again(self, program: &mut Program) {
        self.of(program);
        program.start_again(&[]);
    }
}

/// Starts a program with files that are small.
fn start_small(settings: &[&str]) -> Program {
    let settings: Vec<&str> = SMALL_LOG.iter().chain(settings).copied().collect();
    start(&settings)
}

/// Has the broker keep so many messages of 10 KiB in the queue `q`, some of them in extents.
fn fill(program: &Program, count: u64) {
    let mut publisher = Publisher::of(program);
    publisher.peer.declare("q").unwrap();
    let messages: Vec<_> = (0..count)
        .map(|number| Message::numbered("q", number, 10 * 1024))
        .collect();
    publisher.publish_all(&messages);
    let data = program.path("data");
    wait_for("an extent", || (!extents(&data).is_empty()).then_some(()));
    publisher.peer.close().unwrap();
}

/// A program that was stopped with so many messages in extents and in the log.
fn stopped_with_extents(count: u64) -> Program {
    let mut program = start_small(&[LITTLE_MEMORY]);
    fill(&program, count);
    program.stop();
    program
}

/// Hears that the broker stops, and answers.
fn take_leave(mut peer: Peer) {
    peer.expect("connection.close").unwrap();
    peer.send(0, connection::CloseOk).unwrap();
    peer.rest().unwrap();
}

/// Every file below a folder with its bytes, by its path within it.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(folder)
        .into_iter()
        .map(|path| (path.clone(), fs::read(folder.join(path)).unwrap()))
        .collect()
}

/// The same without the file that names the process: that may change.
fn contents_but_lock(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut contents = contents(folder);
    contents.remove(Path::new("lock"));
    contents
}

/// Every file below a folder, by its path within it, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(folder).unwrap().to_path_buf()),
            }
        }
    }
    found.sort();
    found
}

/// The extents of a data folder with messages that survive.
fn extents(data: &Path) -> Vec<PathBuf> {
    let mut files = files(data);
    files
        .retain(|path| path.starts_with("extents") && path.extension().is_some_and(|ending| ending == "ext"));
    files
}

/// What `warren check` said of a folder, and its status.
#[derive(Debug)]
struct Checked {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Checked {
    /// Asserts the status, and that a line says all of this.
    fn says(&self, status: i32, parts: &[&str]) {
        assert_eq!(self.status, Some(status), "{}{}", self.stdout, self.stderr);
        let line = line_with(&self.stdout, parts);
        assert!(line.is_some(), "no line with {parts:?} in:\n{}", self.stdout);
    }

    /// Bytes of records that were ever logged.
    fn end_of_log(&self) -> u64 {
        // `positions 4000 to 91344; ...`
        let (_, positions) = self.stdout.split_once("; positions ").unwrap();
        let (_, end) = positions.split_once(" to ").unwrap();
        let digits = end.find(|at: char| !at.is_ascii_digit()).unwrap_or(end.len());
        end[..digits].parse().unwrap()
    }
}

fn check(data: &Path) -> Checked {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warren"));
    let output = command.arg("check").arg("--data-dir").arg(data).output().unwrap();
    Checked {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Examines a folder, and asserts that nothing in it changes.
fn check_unchanged(data: &Path) -> Checked {
    let before = contents(data);
    let checked = check(data);
    assert!(
        contents(data) == before,
        "check changed something:\n{}",
        checked.stdout
    );
    checked
}
