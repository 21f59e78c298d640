//! The ready file: tells scripts that clients can connect, and where.
//!
//! ```text
//!   {"pid":4711,"listeners":[{"protocol":"amqp","address":"127.0.0.1:5672"}]}
//! ```
//!
//! It appears whole or not at all (written beside its place, then renamed), and one that an earlier run left
//! is removed before anything else, so that whoever sees it may connect. Protocols have RabbitMQ's names.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// RabbitMQ's name for AMQP 0-9-1 and 1.0 without TLS.
pub const AMQP: &str = "amqp";

/// RabbitMQ's name for the HTTP API without TLS.
pub const HTTP: &str = "http";

/// The ready file could not be put in place or taken away.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the ready file {}: {source}. Its folder must exist; see --ready-file", path.display())]
pub struct Error {
    /// The file.
    path: PathBuf,
    /// Why not.
    source: io::Error,
}

/// A listener that clients can connect to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// RabbitMQ's name of the protocol.
    pub protocol: &'static str,
    /// Where a client of this machine reaches it.
    pub address: SocketAddr,
}

impl Listener {
    /// A listener on this socket address, which must have its real port.
    ///
    /// A wildcard is no address to connect to: it becomes 127.0.0.1, which a socket on the wildcard of either
    /// family takes connections for.
    pub fn new(protocol: &'static str, bound: SocketAddr) -> Self {
        let host = if bound.ip().is_unspecified() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            bound.ip()
        };
        Listener {
            protocol,
            address: SocketAddr::new(host, bound.port()),
        }
    }
}

#[derive(Serialize)]
struct Content<'a> {
    pid: u32,
    listeners: &'a [Listener],
}

/// The place of a ready file.
#[derive(Debug)]
pub struct ReadyFile {
    path: PathBuf,
}

impl ReadyFile {
    /// Takes the place, and away a file that is there.
    ///
    /// # Errors
    /// [`Error`] if there is one that cannot be removed.
    pub fn new(path: PathBuf) -> Result<Self, Error> {
        let ready = ReadyFile { path };
        ready.remove()?;
        Ok(ready)
    }

    /// Writes the file: from now on clients can connect.
    ///
    /// # Errors
    /// [`Error`] if it cannot be written; nothing is left behind then.
    pub fn write(&self, pid: u32, listeners: &[Listener]) -> Result<(), Error> {
        let beside = self.beside(pid);
        let text = serde_json::to_string(&Content { pid, listeners }).map_err(io::Error::from);
        let written = text
            .and_then(|text| fs::write(&beside, text + "\n"))
            .and_then(|()| fs::rename(&beside, &self.path));
        if written.is_err() {
            // Whether it was there or not, the first error is the one to tell.
            let _ = fs::remove_file(&beside);
        }
        written.map_err(|source| self.error(source))
    }

    /// Removes the file, if it is there: clients can no longer connect.
    ///
    /// # Errors
    /// [`Error`] if it is there and cannot be removed.
    pub fn remove(&self) -> Result<(), Error> {
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(self.error(source)),
            _ => Ok(()),
        }
    }

    /// A name in the same folder, so that the rename stays within one file system.
    fn beside(&self, pid: u32) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path
            .parent()
            .unwrap_or(Path::new(""))
            .join(format!(".{name}.{pid}"))
    }

    fn error(&self, source: io::Error) -> Error {
        Error {
            path: self.path.clone(),
            source,
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

    use super::*;

    fn amqp(bound: &str) -> Listener {
        Listener::new(AMQP, bound.parse().unwrap())
    }

    fn files(dir: &Path) -> Vec<String> {
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        fs::read_dir(dir)
            .unwrap()
            .map(|entry| name(entry.unwrap()))
            .collect()
    }

    #[test]
    fn the_file_says_who_and_where() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready");
        let ready = ReadyFile::new(path.clone()).unwrap();
        ready
            .write(1, &[amqp("127.0.0.1:5672"), amqp("[::1]:5673")])
            .unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"pid\":1,\"listeners\":[{\"protocol\":\"amqp\",\"address\":\"127.0.0.1:5672\"},\
             {\"protocol\":\"amqp\",\"address\":\"[::1]:5673\"}]}\n"
        );
        assert_eq!(files(dir.path()), ["ready"]);
    }

    #[test]
    fn a_wildcard_is_given_as_an_address_to_connect_to() {
        assert_eq!(amqp("0.0.0.0:1").address.to_string(), "127.0.0.1:1");
        assert_eq!(amqp("[::]:1").address.to_string(), "127.0.0.1:1");
        assert_eq!(amqp("10.0.0.7:1").address.to_string(), "10.0.0.7:1");
    }

    #[test]
    fn a_file_of_an_earlier_run_is_gone_before_the_new_one_comes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready");
        fs::write(&path, "old").unwrap();
        let ready = ReadyFile::new(path.clone()).unwrap();
        assert!(!path.exists());
        ready.write(1, &[]).unwrap();
        ready.write(2, &[]).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"pid\":2,\"listeners\":[]}\n"
        );
        ready.remove().unwrap();
        ready.remove().unwrap();
        assert_eq!(files(dir.path()), [""; 0]);
    }

    #[test]
    fn what_cannot_be_written_is_named_and_leaves_nothing() {
        let nowhere = ReadyFile::new("/nowhere/ready".into()).unwrap();
        let error = nowhere.write(1, &[]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot write the ready file /nowhere/ready: "),
            "{error}"
        );
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("ready");
        fs::create_dir(&folder).unwrap();
        assert!(ReadyFile::new(folder.clone()).is_err());
        assert!(ReadyFile { path: folder }.write(1, &[]).is_err());
        assert_eq!(files(dir.path()), ["ready"]);
    }
}
