//! Nothing is left behind, however this program ends.
//!
//! It runs itself once more inside namespaces of its own for processes and mounts: when the first process in
//! there is gone, the kernel kills the others and takes the mounts away. Who is not root becomes it in there,
//! where the system allows that. Where it does not, brokers are killed when they are dropped, and no more.
//!
//! A scenario that hangs is ended too.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Set for the program inside.
const INSIDE: &str = "WARREN_CRASH_INSIDE";

/// The namespaces.
const UNSHARE: [&str; 5] = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Who is not root asks for this too.
const AS_ROOT: &str = "--map-root-user";

/// The first process inside. As such it would not be ended by an interrupt, so it asks for it; and it takes
/// in whoever lost its parent.
const FIRST: &str = r#"trap 'exit 130' INT TERM; "$0" "$@" & wait $!"#;

/// Becomes this program inside. Returns when it is inside already, or cannot be.
pub(crate) fn go_inside() {
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    let Ok(this) = std::env::current_exe() else {
        return;
    };
    let is_root = rustix::process::geteuid().is_root();
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(UNSHARE).args((!is_root).then_some(AS_ROOT));
        command
    };
    let tried = unshare().arg("true").stderr(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success()) {
        let mut command = unshare();
        command.args(["/bin/sh", "-c", FIRST]).arg(this);
        command.args(std::env::args_os().skip(1)).env(INSIDE, "1");
        // In place of this process, so that whoever ends it ends all. It comes back only if that fails.
        let _ = command.exec();
    }
}

/// Ends this program when it is not dropped within its time.
pub(crate) struct Watchdog {
    // Dropping it is the sign.
    _sign: Sender<()>,
}

impl Watchdog {
    pub(crate) fn new(what: &'static str, limit: Duration) -> Watchdog {
        let (sign, waited) = channel::<()>();
        std::thread::spawn(move || {
            if waited.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                println!("FAIL {what}: not done after {} s, given up", limit.as_secs());
                std::process::exit(1);
            }
        });
        Watchdog { _sign: sign }
    }
}
