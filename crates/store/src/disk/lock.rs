//! One process at a time uses a data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The name of the file that is locked.
const NAME: &str = "lock";

/// A data folder that is ours until this is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a data folder is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process uses it.
    #[error("the data folder {} is in use by {}", folder.display(), holder(*pid))]
    Held {
        /// The data folder.
        folder: PathBuf,
        /// The other process, if it said.
        pid: Option<u32>,
    },
    /// The file cannot be made or locked.
    #[error("the data folder {} cannot be locked: {error}", folder.display())]
    Io {
        /// The data folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Locks the data folder at `path` for this process.
///
/// # Errors
/// Another process has it, or the file cannot be made or locked.
pub fn lock(path: &Path) -> Result<Lock, LockError> {
    let failed = |error| LockError::Io {
        folder: path.to_owned(),
        error,
    };
    // Not truncated: it may be another's, with its pid.
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path.join(NAME))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(LockError::Held {
                folder: path.to_owned(),
                pid: pid_in(&mut file),
            });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // The pid is a courtesy: a full disk must not stop a start for it.
    let pid = format!("{}\n", std::process::id());
    let _ = file
        .write_all(pid.as_bytes())
        .and_then(|()| file.set_len(pid.len() as u64));
    Ok(Lock { _file: file })
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    // Whoever locked it may have written anything: no more than a number has digits.
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        let error = lock(folder.path()).unwrap_err();
        let expected = format!(
            "the data folder {} is in use by process {}",
            folder.path().display(),
            std::process::id()
        );
        assert_eq!(error.to_string(), expected);
        drop(held);
        lock(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there() {
        let error = lock(Path::new("/nonexistent/folder")).unwrap_err();
        assert!(matches!(error, LockError::Io { .. }));
        assert!(
            error
                .to_string()
                .starts_with("the data folder /nonexistent/folder cannot")
        );
    }
}
