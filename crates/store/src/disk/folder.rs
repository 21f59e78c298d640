//! The real disk: a folder of the operating system.

use super::{Disk, File};
use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How much is written at once where the system cannot take space without writing.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// A folder of the operating system.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Folders are held open from their creation on, by name: that too many files are open must not be a
    /// reason for a sync to fail, since after that nothing can be believed any more.
    held: Mutex<HashMap<String, Arc<fs::File>>>,
}

impl Folder {
    /// A folder that exists.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            held: Mutex::default(),
        }
    }

    /// The folder of this name, open; `""` is the data folder.
    fn hold(&self, folder: &str) -> io::Result<Arc<fs::File>> {
        let mut held = self.held.lock();
        if let Some(file) = held.get(folder) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(fs::File::open(self.at(folder))?);
        held.insert(folder.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn at(&self, path: &str) -> PathBuf {
        if path.is_empty() {
            self.path.clone()
        } else {
            self.path.join(path)
        }
    }
}

impl Disk for Folder {
    fn create(&self, path: &str, space_bytes: u64) -> io::Result<Arc<dyn File>> {
        let path = self.at(path);
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        if let Err(error) = take_space(&file, space_bytes) {
            // The first error is the one to tell. A file that is left behind all the same is empty of
            // meaning, and its name is not used again.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.at(path))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.at(path))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.at(folder))? {
            let entry = entry?;
            // Names that are no text are none of ours.
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o700).create(self.at(folder)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.hold("")?;
        self.hold(folder).map(|_| ())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.hold(folder)?.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let space = statvfs(&self.path)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

fn take_space(file: &fs::File, space_bytes: u64) -> io::Result<()> {
    if space_bytes == 0 {
        return Ok(());
    }
    loop {
        return match fallocate(file, FallocateFlags::empty(), 0, space_bytes) {
            Err(Errno::INTR) => continue,
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(file, space_bytes),
            done => Ok(done?),
        };
    }
}

fn fill(file: &fs::File, space_bytes: u64) -> io::Result<()> {
    let mut done = 0;
    while done < space_bytes {
        let rest = usize::try_from(space_bytes - done).unwrap_or(usize::MAX);
        let zeros = ZEROS.get(..rest).unwrap_or(&ZEROS);
        file.write_all_at(zeros, done)?;
        done += zeros.len() as u64;
    }
    Ok(())
}

struct RealFile(fs::File);

impl File for RealFile {
    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&self, size_bytes: u64) -> io::Result<()> {
        self.0.set_len(size_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_from_creation_to_removal() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Folder::new(folder.path());
        disk.create_folder("log").unwrap();
        disk.create_folder("log").unwrap();
        let file = disk.create("log/a", 10_000).unwrap();
        assert_eq!(file.size().unwrap(), 10_000);
        assert!(disk.create("log/a", 1).is_err(), "it exists");
        file.write(b"hello", 9_998).unwrap();
        file.sync().unwrap();
        disk.sync_folder("log").unwrap();
        disk.sync_folder("").unwrap();
        let mut bytes = [1; 10];
        assert_eq!(file.read(&mut bytes, 9_995).unwrap(), 8, "as far as there is any");
        assert_eq!(bytes, *b"\0\0\0hello\x01\x01");
        file.truncate(100).unwrap();
        disk.rename("log/a", "log/b").unwrap();
        assert_eq!(disk.list("log").unwrap(), ["b"]);
        assert_eq!(disk.list("").unwrap(), [""; 0], "files only");
        assert_eq!(disk.open("log/b").unwrap().size().unwrap(), 100);
        assert!(disk.open("log/a").is_err());
        let mode = |path: &str| {
            fs::metadata(folder.path().join(path))
                .unwrap()
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!((mode("log"), mode("log/b")), (0o700, 0o600));
        disk.remove("log/b").unwrap();
        assert!(disk.list("none").is_err());
        assert!(disk.free_bytes().unwrap() > 0);
    }

    #[test]
    fn a_folder_that_was_made_can_be_synced_when_it_can_no_longer_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("data");
        fs::create_dir(&inner).unwrap();
        let disk = Folder::new(&inner);
        disk.create_folder("log").unwrap();
        fs::rename(&inner, folder.path().join("elsewhere")).unwrap();
        assert!(disk.list("log").is_err());
        disk.sync_folder("log").unwrap();
        disk.sync_folder("").unwrap();
        assert!(disk.sync_folder("none").is_err());
    }

    #[test]
    fn nothing_is_left_where_there_was_no_space() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Folder::new(folder.path());
        assert!(disk.create("a", 1 << 60).is_err());
        assert!(disk.list("").unwrap().is_empty());
    }
}
