//! The disk as the store sees it: one folder with files in it.
//!
//! All IO of the store goes through [`Disk`] and [`File`], so that tests can crash, tear, fill
//! and corrupt it. Paths are relative to the data folder, with `/` between their parts.
//!
//! Two kinds of failure are told apart by where they come from. Space is taken only by
//! [`Disk::create`]: an error there is a full disk, the caller waits and tries again. An error of
//! [`File::write`] into space that was taken, or of any [`File::sync`], means that nothing can be
//! believed any more: the caller poisons the log.

mod folder;
mod lock;

pub use folder::Folder;
pub use lock::{Lock, LockError, lock};

use std::io;
use std::sync::Arc;

/// A folder with files.
pub trait Disk: Send + Sync {
    /// Makes a new file (mode 0600) and takes `space_bytes` for it, which it then has as its size;
    /// the bytes read as zero. On an error no file is left.
    ///
    /// # Errors
    /// The disk is full, or the file exists.
    fn create(&self, path: &str, space_bytes: u64) -> io::Result<Arc<dyn File>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// There is none, or too many files are open.
    fn open(&self, path: &str) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name; a file of that name is replaced.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// The names of the files of a folder, in no particular order; `""` is the data folder.
    ///
    /// # Errors
    /// There is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Makes a folder (mode 0700) unless it is there.
    ///
    /// # Errors
    /// As the system says.
    fn create_folder(&self, folder: &str) -> io::Result<()>;

    /// Makes creations, renames and removals in a folder durable.
    ///
    /// # Errors
    /// As the system says.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;

    /// Bytes that may still be taken.
    ///
    /// # Errors
    /// As the system says.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// `EAGAIN`, `ENOMEM`, `ENFILE`, `EMFILE`, `ENOBUFS`.
const SHORTAGES: [i32; 5] = [11, 12, 23, 24, 105];

/// Whether an error of [`Disk::open`] or [`File::read`] says nothing about the file: the system lacks what
/// it needs to open or read any, and may have it again in a moment.
pub fn is_shortage(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| SHORTAGES.contains(&code))
}

/// That a file is of a later version of its format than `known`, the latest that this program knows.
pub(crate) fn too_new(name: &str, version: u32, known: u32) -> io::Error {
    let what = format!("{name} has format version {version}, this program reads up to {known}");
    io::Error::new(io::ErrorKind::Unsupported, what)
}

/// An open file. Reads and writes name their place, so it can be shared between threads.
pub trait File: Send + Sync {
    /// Fills `bytes` from `offset` on; answers how many bytes there were, which is fewer than asked
    /// for only at the end of the file.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// As the system says; then any part of it may have been written.
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written so far durable (`fdatasync`).
    ///
    /// # Errors
    /// As the system says; then what was written may be gone for good, and trying again would
    /// prove nothing.
    fn sync(&self) -> io::Result<()>;

    /// The size in bytes.
    ///
    /// # Errors
    /// As the system says.
    fn size(&self) -> io::Result<u64>;

    /// Cuts the file to a smaller size: gives space back.
    ///
    /// # Errors
    /// As the system says.
    fn truncate(&self, size_bytes: u64) -> io::Result<()>;
}
