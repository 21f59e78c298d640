//! Why there is no report.

use std::io;
use std::path::PathBuf;

use crate::plan::PlanError;

/// Why a run could not be made, or not be finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options do not go together.
    #[error("{0}")]
    Plan(#[from] PlanError),
    /// The broker cannot be reached, or refuses, or breaks off.
    #[error("{0}")]
    Broker(#[from] warren_client::Error),
    /// There is no such process.
    #[error("--broker-pid {pid}: there is no such process on this machine")]
    NoProcess {
        /// Its number.
        pid: u32,
    },
    /// A report cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no threads or timers.
    #[error("the system does not let the load run: {0}")]
    System(io::Error),
    /// The user asked for the end twice.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// The status that a process ends with, of those in BSD's `sysexits.h`: 64 usage, 69 the broker is not
    /// reached, 71 system, 73 file, 76 the broker breaks off, 77 the broker refuses the login.
    pub fn status(&self) -> u8 {
        use warren_client::Error::{Connect, LoginClosed, Mechanism, Refused, Resolve};
        match self {
            Error::Plan(_) | Error::NoProcess { .. } => 64,
            Error::Broker(Resolve { .. } | Connect { .. }) => 69,
            Error::Broker(LoginClosed { .. } | Mechanism { .. } | Refused { code: 403 | 530, .. }) => 77,
            Error::Broker(_) => 76,
            Error::System(_) | Error::Interrupted => 71,
            Error::Write { .. } => 73,
        }
    }
}
