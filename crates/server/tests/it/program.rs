//! A `warren` of a test's own: a process with a folder, killed when the test is over.
//!
//! ```text
//!   folder/ready     the ready file          folder/stdout, folder/stderr    what it says
//!   folder/data      its data                folder/...                      whatever the test puts there
//! ```

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use warren_testkit::peer::{Login, PATIENCE, Peer};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Variables that a program would take settings from.
const SETTINGS: [&str; 7] = [
    "RABBITMQ_DEFAULT_USER",
    "RABBITMQ_DEFAULT_PASS",
    "RABBITMQ_DEFAULT_VHOST",
    "WARREN_CONFIG_FILE",
    "RABBITMQ_CONFIG_FILE",
    "XDG_DATA_HOME",
    "HOME",
];

/// Looks again and again until there is something to answer.
///
/// Panics with what was waited for when there is nothing for too long.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(POLL);
    }
}

/// A folder, and the command that is going to run in it.
pub(crate) struct Setup {
    folder: TempDir,
    command: Command,
}

/// A setup with nothing but free ports, a data folder and a ready file.
pub(crate) fn setup() -> Setup {
    let setup = bare();
    let data = setup.path("data");
    setup.arg("--ports").arg("any").arg("--data-dir").arg(data)
}

/// A setup without any argument but the ready file.
pub(crate) fn bare() -> Setup {
    with_words(&[])
}

/// The same, behind words that come before the flags.
pub(crate) fn with_words(words: &[&str]) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_warren"));
    for variable in SETTINGS {
        command.env_remove(variable);
    }
    command
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .args(words)
        .arg("--ready-file")
        .arg(folder.path().join("ready"));
    Setup { folder, command }
}

/// Starts a program with settings, each as `--set` takes it.
pub(crate) fn start(settings: &[&str]) -> Program {
    settings
        .iter()
        .fold(setup(), |setup, setting| setup.set(setting))
        .start()
}

impl Setup {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn set(self, setting: &str) -> Self {
        self.arg("--set").arg(setting)
    }

    pub(crate) fn env(mut self, variable: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Lets the program have so many files open, sockets among them.
    pub(crate) fn files(mut self, limit: u64) -> Self {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        command
            .arg("-c")
            .arg(script)
            .arg(self.command.get_program())
            .args(self.command.get_args())
            .current_dir(self.folder.path());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        self.command = command;
        self
    }

    /// Puts a file into the folder.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    fn spawn(mut self) -> Program {
        let child = spawn(&self.folder, &mut self.command);
        Program {
            folder: self.folder,
            command: self.command,
            child,
            addresses: Vec::new(),
            http: None,
        }
    }

    /// Starts it and waits until clients can connect.
    pub(crate) fn start(self) -> Program {
        let mut program = self.spawn();
        program.hear_ready();
        program
    }

    /// Runs what is not going to start, to its end.
    pub(crate) fn fail(self) -> Failed {
        let mut program = self.spawn();
        let status = program.wait();
        assert!(!program.path("ready").exists());
        Failed {
            status: status.code(),
            stderr: program.stderr(),
        }
    }
}

/// What an earlier run said is overwritten.
fn spawn(folder: &TempDir, command: &mut Command) -> Child {
    let say = |name| File::create(folder.path().join(name)).unwrap();
    let (stdout, stderr) = (say("stdout"), say("stderr"));
    command.stdout(stdout).stderr(stderr).spawn().unwrap()
}

/// How a program ended that did not start.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) status: Option<i32>,
    pub(crate) stderr: String,
}

impl Failed {
    /// Asserts the status, and that the message says all of this.
    pub(crate) fn says(&self, status: i32, parts: &[&str]) {
        assert_eq!(self.status, Some(status), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "no `{part}` in: {}", self.stderr);
        }
    }
}

/// A program that runs.
pub(crate) struct Program {
    folder: TempDir,
    command: Command,
    child: Child,
    addresses: Vec<SocketAddr>,
    http: Option<SocketAddr>,
}

impl Program {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its HTTP API is reached.
    pub(crate) fn http(&self) -> SocketAddr {
        self.http.unwrap()
    }

    /// Where its first listener is reached.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) fn uri(&self) -> String {
        format!("amqp://guest:guest@{}/%2f", self.address())
    }

    pub(crate) fn stdout(&self) -> String {
        read(&self.path("stdout"))
    }

    pub(crate) fn stderr(&self) -> String {
        read(&self.path("stderr"))
    }

    /// Waits until its log on standard error has a line with all of this, and answers it.
    pub(crate) fn logged(&self, parts: &[&str]) -> String {
        wait_for(&format!("a line with {parts:?}"), || {
            line_with(&self.stderr(), parts)
        })
    }

    /// A peer with channel 1 open, as guest.
    pub(crate) fn peer(&self) -> Peer {
        Peer::open(self.address(), &Login::default()).unwrap()
    }

    /// The error of a login that is to fail.
    pub(crate) fn refuses(&self, login: &Login<'_>) -> String {
        Peer::open(self.address(), login).unwrap_err().to_string()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("the end of the program", || child.try_wait().unwrap())
    }

    /// Stops it, as a service manager does, and asserts that this goes well.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.stderr());
    }

    /// Kills it, with whatever it is at.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it anew in its folder, after it ended, with more settings than before.
    pub(crate) fn start_again(&mut self, settings: &[&str]) {
        self.spawn_again(settings);
        self.hear_ready();
    }

    /// The same for a start that is going to fail.
    pub(crate) fn fail_again(&mut self) -> Failed {
        self.spawn_again(&[]);
        let status = self.wait();
        assert!(!self.path("ready").exists());
        Failed {
            status: status.code(),
            stderr: self.stderr(),
        }
    }

    fn spawn_again(&mut self, settings: &[&str]) {
        // One that was killed left it.
        let _ = fs::remove_file(self.path("ready"));
        // What it died of is not to be met again.
        self.command.env_remove("WARREN_FAILPOINT");
        for setting in settings {
            self.command.args(["--set", setting]);
        }
        self.child = spawn(&self.folder, &mut self.command);
    }

    /// Waits until clients can connect.
    fn hear_ready(&mut self) {
        let ready = self.path("ready");
        let text = wait_for("the ready file", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status} before it was ready:\n{}", self.stderr());
            }
            fs::read_to_string(&ready).ok()
        });
        let content: serde_json::Value = serde_json::from_str(&text).unwrap();
        let listeners = content["listeners"].as_array().unwrap();
        let of = |protocol: &'static str| {
            let meant = listeners
                .iter()
                .filter(move |listener| listener["protocol"] == protocol);
            meant.map(|listener| listener["address"].as_str().unwrap().parse().unwrap())
        };
        self.addresses = of("amqp").collect();
        self.http = of("http").next();
    }

    /// Its resident memory as `/proc` has it under a name such as `VmRSS`, in bytes.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        let status = read(format!("/proc/{}/status", self.pid()).as_ref());
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib: u64 = line.unwrap().trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kib * 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn line_with(text: &str, parts: &[&str]) -> Option<String> {
    let has_all = |line: &&str| parts.iter().all(|part| line.contains(part));
    text.lines().find(has_all).map(str::to_owned)
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
