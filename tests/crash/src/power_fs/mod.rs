//! A file system whose power can be cut: FUSE under the data folder of the real binary.
//!
//! What is synced goes into files of a backing folder. What is not stays in memory, in the order in which it
//! was done, and is seen by whoever reads. A cut keeps some of it and loses the rest: all, nothing, a prefix,
//! or any selection, with writes torn at sectors of 512 bytes. A new name, a rename or a removal is there for
//! good only when its folder was synced: POSIX promises no more, and file systems keep no more by right.
//!
//! It can also fail on purpose: a sync that fails and loses its data as Linux does, a write that fails, short
//! writes, interrupted calls, no descriptors left.
//!
//! ```text
//! state   names and files, live and durable; no FUSE
//! cut     what a cut keeps
//! faults  when a call fails
//! serve   the requests of the kernel
//! ```

mod cut;
mod faults;
mod serve;
mod state;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fuser::{BackgroundSession, Config, Errno, MountOption, ReplyEmpty};

use crate::rng::Rng;
pub(crate) use cut::Cut;
use faults::Meter;
pub(crate) use faults::{Faults, Odd};
use state::State;

/// What is shared with the thread that serves the kernel.
struct Shared {
    state: State,
    meter: Meter,
    /// Syncs that get no answer before the power is cut.
    held: Vec<ReplyEmpty>,
    /// The power is off: nothing works any more.
    dead: bool,
}

/// A disk: it outlives mounts and cuts.
#[derive(Clone)]
pub(crate) struct Disk {
    shared: Arc<Mutex<Shared>>,
}

/// A mounted disk; dropped, it is unmounted.
pub(crate) struct Mounted {
    session: Option<BackgroundSession>,
}

impl Disk {
    pub(crate) fn new(backing: PathBuf) -> Result<Disk, String> {
        std::fs::create_dir_all(&backing).map_err(|error| format!("{}: {error}", backing.display()))?;
        let shared = Shared {
            state: State::new(backing),
            meter: Meter::default(),
            held: Vec::new(),
            dead: false,
        };
        Ok(Disk {
            shared: Arc::new(Mutex::new(shared)),
        })
    }

    /// Why it cannot be used here.
    pub(crate) fn missing() -> Option<String> {
        if !rustix::process::geteuid().is_root() {
            return Some("FUSE: only root may mount it here".to_owned());
        }
        match std::fs::File::options().read(true).write(true).open("/dev/fuse") {
            Ok(_) => None,
            Err(error) => Some(format!("/dev/fuse: {error}")),
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Mounts it, with the power on.
    pub(crate) fn mount(&self, at: &Path) -> Result<Mounted, String> {
        let text = |error: std::io::Error| format!("FUSE at {}: {error}", at.display());
        std::fs::create_dir_all(at).map_err(text)?;
        self.shared().dead = false;
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("warren-power".to_owned()),
            MountOption::NoAtime,
        ];
        let session = fuser::spawn_mount(serve::Server(self.clone()), at, &config).map_err(text)?;
        Ok(Mounted {
            session: Some(session),
        })
    }

    /// Sets what fails from now on.
    pub(crate) fn arm(&self, faults: Faults) {
        self.shared().meter = Meter::new(faults);
    }

    /// When the first fault struck.
    pub(crate) fn struck(&self) -> Option<Instant> {
        self.shared().meter.struck
    }

    /// How many calls have failed so far.
    pub(crate) fn strikes(&self) -> u64 {
        self.shared().meter.strikes
    }

    /// Cuts the power: whoever still runs gets errors, and what was not synced is kept or lost by chance.
    pub(crate) fn cut(&self, rng: &mut Rng) -> Result<Cut, String> {
        let mut shared = self.shared();
        shared.dead = true;
        shared.meter = Meter::default();
        // A killed process waits for these answers before it can go.
        for reply in shared.held.drain(..) {
            reply.error(Errno::EIO);
        }
        shared
            .state
            .cut(rng)
            .map_err(|error| format!("the cut itself failed: {error}"))
    }
}

impl Mounted {
    pub(crate) fn unmount(mut self) -> Result<(), String> {
        let session = self.session.take().ok_or("not mounted")?;
        session
            .umount_and_join()
            .map_err(|error| format!("unmount: {error}"))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // Whoever still uses it is of this run and about to be killed.
            let _ = session.umount_and_join();
        }
    }
}
