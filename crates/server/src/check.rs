//! `warren check`: what is in a data folder, and what of it is damaged.
//!
//! ```text
//!   lock ─► checkpoint ─► log, from where the checkpoint leaves off ─► extents ─► report
//! ```
//!
//! It reads as a start would and changes nothing: no file is made, none is written. While it runs, no
//! broker can start on the folder.

mod examine;
mod queues;
mod report;

pub use report::Report;

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use warren_store::disk::Folder;

use crate::fail::Failure;

/// The file that the process which uses a folder has locked, and which holds its number.
const LOCK: &str = "lock";

/// Longer than any number of a process.
const PID_BYTES_MAX: u64 = 16;

/// Examines a folder.
///
/// # Errors
/// There is no such folder, a process uses it, a later version wrote it, or it cannot be read at all. What
/// is damaged is no error, but part of the report.
pub fn run(folder: &Path) -> Result<Report, Failure> {
    if !folder.is_dir() {
        let folder = folder.to_path_buf();
        return Err(Failure::NoStore { folder });
    }
    let _lock = lock(folder)?;
    let report = examine::all(Arc::new(Folder::new(folder)));
    report.map_err(|source| Failure::store(folder, source))
}

/// Keeps processes that would write out, not others that only look. `None` if no process ever used the
/// folder.
fn lock(folder: &Path) -> Result<Option<File>, Failure> {
    let failed = |source| Failure::store(folder, source);
    let file = match File::open(folder.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Failure::StoreLocked {
            folder: folder.to_path_buf(),
            pid: pid_in(file),
        }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn pid_in(file: File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests;
