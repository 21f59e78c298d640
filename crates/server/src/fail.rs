//! Failures of a start or a run, as the user sees them: what is wrong, what to do, and the status of the
//! process.
//!
//! Statuses are those of BSD's `sysexits.h`, so that a service manager can tell a mistake in the
//! configuration (which a restart will not heal) from a port that is taken for now:
//!
//! ```text
//!   65 definitions, damage   66 no such folder   69 listener        71 system
//!   73 file or folder        74 disk             77 not permitted   78 configuration
//! ```
//!
//! Those of `warren bench`: 64 options that do not go together, 65 messages lost, duplicated or out of order,
//! 69 no broker there, 76 the broker broke off, 77 it refused the login.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use warren_store::Poisoned;
use warren_store::disk::{self, Lock, LockError};

use crate::config::value::Endpoint;
use crate::{config, data_dir, definitions, import, log, ready};

/// The status for data that is wrong.
pub const DATA: u8 = 65;

/// Why the broker does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration has mistakes.
    #[error("{0}")]
    Config(#[from] config::Errors),
    /// The definitions cannot be loaded.
    #[error("{0}")]
    Definitions(#[from] definitions::Error),
    /// The log cannot be set up.
    #[error("{0}")]
    Log(#[from] log::Error),
    /// There is no folder for data.
    #[error("{0}")]
    DataDir(#[from] data_dir::Error),
    /// Another process uses the data folder.
    #[error(
        "the data folder {} is in use by another process{}. Stop that one, or choose another folder with \
         --data-dir DIR", folder.display(), pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
    )]
    StoreLocked {
        /// The folder.
        folder: PathBuf,
        /// The process, if it left its number.
        pid: Option<u32>,
    },
    /// The data folder has a format that this version does not know.
    #[error(
        "the data folder {} was written by a later version of Warren: {source}. Run that one, or choose \
         another folder with --data-dir DIR", folder.display()
    )]
    StoreVersion {
        /// The folder.
        folder: PathBuf,
        /// Which file says so.
        source: io::Error,
    },
    /// The data folder cannot be read or written.
    #[error("cannot use what is in the data folder {}: {source}", folder.display())]
    Store {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no data folder to examine.
    #[error("there is no folder {}", folder.display())]
    NoStore {
        /// The folder.
        folder: PathBuf,
    },
    /// The disk failed under the running broker.
    #[error(
        "stopped because the disk cannot be relied on: {0}. Nothing was confirmed after that. Check the disk \
         before the next start"
    )]
    Poisoned(#[from] Poisoned),
    /// The ready file cannot be written.
    #[error("{0}")]
    Ready(#[from] ready::Error),
    /// The port of a listener is in use.
    #[error(
        "cannot listen on {endpoint}: the port is taken by another program. Stop that one, or choose another \
         port: --set {other}"
    )]
    PortTaken {
        /// Where it was to listen.
        endpoint: Endpoint,
        /// The setting that puts it on a free port.
        other: String,
    },
    /// The port of a listener needs a privilege.
    #[error(
        "cannot listen on {endpoint}: not permitted. Ports below 1024 need the privilege to bind them; \
         choose another: --set {other}"
    )]
    PortForbidden {
        /// Where it was to listen.
        endpoint: Endpoint,
        /// The setting that puts it on a free port.
        other: String,
    },
    /// A listener cannot listen for another reason.
    #[error(
        "cannot listen on {endpoint}: {source}. Check that the address belongs to this machine, or choose \
         another: --set {other}"
    )]
    Listen {
        /// Where it was to listen.
        endpoint: Endpoint,
        /// The setting that puts it on this machine.
        other: String,
        /// Why not.
        source: io::Error,
    },
    /// What an empty broker is to be filled with makes no sense.
    #[error("the configured default user or virtual host cannot be made: {0}")]
    Defaults(String),
    /// A definition that the broker does not take.
    #[error("{0}")]
    Import(#[from] import::Error),
    /// There is no load to report of.
    #[error("{0}")]
    Bench(#[from] warren_bench::Error),
    /// The system gives no threads, signals or sockets.
    #[error("the system does not let the broker run: {0}")]
    Runtime(io::Error),
}

impl Failure {
    /// The failure of a listener, by what the system said.
    pub fn listen(listener: Listener<'_>, endpoint: Endpoint, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Failure::PortTaken {
                endpoint,
                other: listener.on_free_port(endpoint),
            },
            io::ErrorKind::PermissionDenied => Failure::PortForbidden {
                endpoint,
                other: listener.on_free_port(endpoint),
            },
            _ => Failure::Listen {
                endpoint,
                other: listener.on_this_machine(endpoint),
                source,
            },
        }
    }

    /// The failure of reading or writing a data folder, by what the system or the store said.
    pub fn store(folder: &Path, source: io::Error) -> Self {
        let folder = folder.to_path_buf();
        match source.kind() {
            // What the store says of a format version that it does not know.
            io::ErrorKind::Unsupported => Failure::StoreVersion { folder, source },
            _ => Failure::Store { folder, source },
        }
    }

    /// The same, by what the node said.
    pub fn open(folder: &Path, error: warren_node::storage::Error) -> Self {
        let warren_node::storage::Error::Io { what, source } = error;
        // The kind tells what to do, the words what was being done.
        let text = format!("{what}: {source}");
        Self::store(folder, io::Error::new(source.kind(), text))
    }

    /// The status that the process ends with.
    pub fn status(&self) -> u8 {
        match self {
            Failure::Definitions(_) | Failure::Import(_) => DATA,
            Failure::Bench(error) => error.status(),
            Failure::NoStore { .. } => 66,
            Failure::PortTaken { .. } | Failure::Listen { .. } => 69,
            Failure::Runtime(_) => 71,
            Failure::Log(_) | Failure::DataDir(_) | Failure::Ready(_) => 73,
            Failure::StoreLocked { .. } | Failure::StoreVersion { .. } => 73,
            Failure::Store { .. } | Failure::Poisoned(_) => 74,
            Failure::PortForbidden { .. } => 77,
            Failure::Config(_) | Failure::Defaults(_) => 78,
        }
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        ExitCode::from(failure.status())
    }
}

/// Locks a data folder for this process.
///
/// # Errors
/// [`Failure::StoreLocked`], [`Failure::Store`].
pub fn locked(folder: &Path) -> Result<Lock, Failure> {
    disk::lock(folder).map_err(|error| match error {
        LockError::Held { folder, pid } => Failure::StoreLocked { folder, pid },
        LockError::Io { folder, error } => Failure::store(&folder, error),
    })
}

/// A listener, by the keys that say where it is.
#[derive(Debug, Clone, Copy)]
pub enum Listener<'a> {
    /// Of AMQP, with its name.
    Amqp(&'a str),
    /// Of the HTTP API.
    Management,
}

impl Listener<'_> {
    fn on_free_port(self, endpoint: Endpoint) -> String {
        match (self, endpoint.host) {
            (Self::Amqp(name), Some(_)) => {
                format!("listeners.tcp.{name}={}", Endpoint { port: 0, ..endpoint })
            }
            (Self::Amqp(name), None) => format!("listeners.tcp.{name}=0"),
            (Self::Management, _) => "management.tcp.port=0".to_owned(),
        }
    }

    fn on_this_machine(self, endpoint: Endpoint) -> String {
        match self {
            Self::Amqp(name) => format!("listeners.tcp.{name}=127.0.0.1:{}", endpoint.port),
            Self::Management => "management.tcp.ip=127.0.0.1".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use std::net::TcpListener;

    use super::*;

    fn failure(endpoint: &str, kind: io::ErrorKind) -> Failure {
        Failure::listen(
            Listener::Amqp("default"),
            Endpoint::read(endpoint).unwrap(),
            kind.into(),
        )
    }

    #[test]
    fn a_port_that_is_taken_names_the_address_and_the_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let endpoint = Endpoint {
            host: Some(address.ip()),
            port: address.port(),
        };
        let source = TcpListener::bind(address).unwrap_err();
        let failure = Failure::listen(Listener::Amqp("default"), endpoint, source);
        assert_eq!(
            failure.to_string(),
            format!(
                "cannot listen on {address}: the port is taken by another program. Stop that one, or choose \
                 another port: --set listeners.tcp.default=127.0.0.1:0"
            )
        );
        assert_eq!(failure.status(), 69);
    }

    #[test]
    fn the_way_out_is_a_setting_that_is_understood() {
        for endpoint in ["5672", "127.0.0.1:80", "[::1]:80"] {
            for kind in [
                io::ErrorKind::AddrInUse,
                io::ErrorKind::PermissionDenied,
                io::ErrorKind::AddrNotAvailable,
            ] {
                let text = failure(endpoint, kind).to_string();
                let (_, setting) = text.split_once("--set ").unwrap();
                let loaded = config::load(None, &|_| None, &[setting.to_owned()]).unwrap();
                assert!(loaded.listeners.tcp().contains_key("default"), "{text}");
                let endpoint = Endpoint::read(endpoint).unwrap();
                let text = Failure::listen(Listener::Management, endpoint, kind.into()).to_string();
                let (_, setting) = text.split_once("--set ").unwrap();
                let loaded = config::load(None, &|_| None, &[setting.to_owned()]).unwrap();
                assert_ne!(loaded.management, Default::default(), "{text}");
            }
        }
    }

    #[test]
    fn statuses_tell_kinds_of_failures_apart() {
        assert_eq!(failure("80", io::ErrorKind::PermissionDenied).status(), 77);
        assert_eq!(
            failure("10.255.255.1:80", io::ErrorKind::AddrNotAvailable).status(),
            69
        );
        let config = config::load(None, &|_| None, &["nope=1".to_owned()]).unwrap_err();
        assert_eq!(Failure::from(config).status(), 78);
        assert_eq!(Failure::from(data_dir::Error::NoHome).status(), 73);
        assert_eq!(Failure::Runtime(io::ErrorKind::OutOfMemory.into()).status(), 71);
        assert_eq!(Failure::Defaults("x".into()).status(), 78);
        let store = |kind: io::ErrorKind| Failure::store(Path::new("d"), kind.into()).status();
        assert_eq!(store(io::ErrorKind::Unsupported), 73);
        assert_eq!(store(io::ErrorKind::PermissionDenied), 74);
        let (folder, pid) = (PathBuf::from("d"), None);
        assert_eq!(Failure::StoreLocked { folder, pid }.status(), 73);
    }

    #[test]
    fn a_folder_in_use_names_the_process() {
        let locked = |pid| {
            let folder = PathBuf::from("/srv/warren");
            Failure::StoreLocked { folder, pid }.to_string()
        };
        let end = "Stop that one, or choose another folder with --data-dir DIR";
        let start = "the data folder /srv/warren is in use by another process";
        assert_eq!(locked(Some(12)), format!("{start} (pid 12). {end}"));
        assert_eq!(locked(None), format!("{start}. {end}"));
    }
}
