//! The folder for everything that survives a restart: which one, made if need be, proven to be writable.
//!
//! ```text
//!   --data-dir or the key data_dir     that one
//!   run by root                        /var/lib/warren, if it is there or can be made; else as for a user
//!   run by a user                      $XDG_DATA_HOME/warren, else ~/.local/share/warren
//! ```
//!
//! A folder of root's that exists but cannot be written to is an error and never passed over: a broker that
//! came up on another folder would look as if it had lost everything. What lies inside is the store's affair,
//! and so is the lock that keeps a second process out.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::config::Environment;

/// Where a broker run by root keeps its data.
const SYSTEM_FOLDER: &str = "/var/lib/warren";

/// The folder is for its owner alone: it holds messages and password hashes.
const MODE: u32 = 0o700;

/// Why there is no folder to use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing says where a user's data lies.
    #[error("no folder for data: neither XDG_DATA_HOME nor HOME is an absolute path. {ADVICE}")]
    NoHome,
    /// Something that is no folder has the name.
    #[error("cannot keep data in {}: it is not a folder. {ADVICE}", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The folder is not there and cannot be made.
    #[error("cannot make the data folder {}: {source}. {ADVICE}", path.display())]
    Make {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The folder is there and a file cannot be written into it.
    #[error(
        "the data folder {} is not writable: {source}. Give it to the user that runs the broker. {ADVICE}",
        path.display()
    )]
    NotWritable {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

const ADVICE: &str = "Choose a folder with --data-dir DIR, or keep nothing on disk with --no-data-dir";

/// What the default depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether the process is run by root.
    pub root: bool,
    /// The folder of a broker run by root.
    pub system: PathBuf,
    /// `XDG_DATA_HOME`.
    pub xdg_data_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process(environment: Environment<'_>) -> Self {
        let path = |variable| environment(variable).map(PathBuf::from);
        Surroundings {
            // The owner of this entry is the process's effective user. Where there is no /proc (not on Linux)
            // the folders of ordinary users serve root too.
            root: fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0),
            system: SYSTEM_FOLDER.into(),
            xdg_data_home: path("XDG_DATA_HOME"),
            home: path("HOME"),
        }
    }

    /// The folder of an ordinary user. Relative paths do not count, as the XDG specification has it.
    fn personal(&self) -> Result<PathBuf, Error> {
        let absolute = |path: &Option<PathBuf>| path.clone().filter(|path| path.is_absolute());
        let home = || absolute(&self.home).map(|home| home.join(".local/share"));
        let base = absolute(&self.xdg_data_home).or_else(home).ok_or(Error::NoHome)?;
        Ok(base.join("warren"))
    }
}

/// Finds the folder and makes it ready; the path is absolute.
///
/// # Errors
/// [`Error`], each with what to do about it.
pub fn open(given: Option<&Path>, surroundings: &Surroundings) -> Result<PathBuf, Error> {
    if let Some(path) = given {
        return prepare(path);
    }
    if surroundings.root {
        let existed = surroundings.system.exists();
        match prepare(&surroundings.system) {
            Err(error) if existed => return Err(error),
            Err(_) => {}
            ready => return ready,
        }
    }
    prepare(&surroundings.personal()?)
}

/// Makes the folder if it is not there and writes a file into it for proof.
fn prepare(path: &Path) -> Result<PathBuf, Error> {
    let path = std::path::absolute(path).map_err(|source| Error::Make {
        path: path.to_path_buf(),
        source,
    })?;
    if path.exists() && !path.is_dir() {
        return Err(Error::NotAFolder { path });
    }
    let is_new = !path.exists();
    if let Err(source) = DirBuilder::new().recursive(true).mode(MODE).create(&path) {
        return Err(Error::Make { path, source });
    }
    if is_new {
        sync_names(&path);
    }
    let probe = path.join(format!(".probe-{}", std::process::id()));
    match fs::write(&probe, b"probe").and_then(|()| fs::remove_file(&probe)) {
        Ok(()) => Ok(path),
        Err(source) => Err(Error::NotWritable { path, source }),
    }
}

/// Makes a new folder's name durable, and those of the folders around it, which may be as new: what is
/// confirmed is in it. A file system that cannot do that for a folder is not to be argued with.
fn sync_names(path: &Path) {
    for folder in path.ancestors().skip(1) {
        if fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .is_err()
        {
            return;
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

    fn user(home: &Path) -> Surroundings {
        Surroundings {
            root: false,
            system: home.join("system/warren"),
            xdg_data_home: None,
            home: Some(home.to_path_buf()),
        }
    }

    #[test]
    fn the_folder_given_wins_and_is_made_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let given = dir.path().join("a/b");
        let opened = open(Some(&given), &user(dir.path())).unwrap();
        assert_eq!(opened, given);
        assert_eq!(fs::metadata(&given).unwrap().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(&given).unwrap().count(), 0, "the probe is gone");
        assert_eq!(open(Some(&given), &user(dir.path())).unwrap(), given, "again");
    }

    #[test]
    fn a_relative_path_becomes_absolute() {
        let dir = tempfile::tempdir_in(".").unwrap();
        let name = dir.path().file_name().unwrap();
        let opened = open(Some(Path::new(name)), &user(dir.path())).unwrap();
        assert_eq!(opened, std::env::current_dir().unwrap().join(name));
    }

    #[test]
    fn a_user_has_a_folder_at_home() {
        let dir = tempfile::tempdir().unwrap();
        let mut surroundings = user(dir.path());
        assert_eq!(
            open(None, &surroundings).unwrap(),
            dir.path().join(".local/share/warren")
        );
        surroundings.xdg_data_home = Some("relative".into());
        assert_eq!(
            open(None, &surroundings).unwrap(),
            dir.path().join(".local/share/warren")
        );
        surroundings.xdg_data_home = Some(dir.path().join("xdg"));
        assert_eq!(open(None, &surroundings).unwrap(), dir.path().join("xdg/warren"));
        assert!(!surroundings.system.exists());
    }

    #[test]
    fn root_has_a_folder_of_the_system() {
        let dir = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            root: true,
            ..user(dir.path())
        };
        assert_eq!(open(None, &surroundings).unwrap(), surroundings.system);
    }

    #[test]
    fn root_falls_back_only_if_the_folder_of_the_system_cannot_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            root: true,
            ..user(dir.path())
        };
        fs::write(dir.path().join("system"), "in the way").unwrap();
        assert_eq!(
            open(None, &surroundings).unwrap(),
            dir.path().join(".local/share/warren")
        );
        let in_the_way = Surroundings {
            system: dir.path().join("system"),
            ..surroundings
        };
        assert!(matches!(open(None, &in_the_way), Err(Error::NotAFolder { .. })));
    }

    #[test]
    fn without_a_home_the_message_says_what_to_do() {
        let surroundings = Surroundings {
            home: Some("relative".into()),
            ..user(Path::new("/"))
        };
        let error = open(None, &surroundings).unwrap_err();
        assert!(matches!(error, Error::NoHome));
        assert!(error.to_string().contains("--data-dir DIR"));
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(
            matches!(open(Some(&file), &user(dir.path())), Err(Error::NotAFolder { path }) if path == file)
        );
        let below = file.join("data");
        assert!(
            matches!(open(Some(&below), &user(dir.path())), Err(Error::Make { path, .. }) if path == below)
        );
    }

    /// Root may write anywhere but here, so the test holds for any user that runs it.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_is_not_writable_is_named() {
        let path = Path::new("/proc/self/fdinfo");
        let error = open(Some(path), &user(Path::new("/"))).unwrap_err();
        assert!(matches!(error, Error::NotWritable { .. }), "{error}");
        assert!(
            error
                .to_string()
                .starts_with("the data folder /proc/self/fdinfo is not writable: ")
        );
    }

    #[test]
    fn the_surroundings_of_a_process_are_its_environment() {
        let environment = |name: &str| Some(format!("/{name}").into());
        let surroundings = Surroundings::of_process(&environment);
        assert_eq!(surroundings.xdg_data_home, Some("/XDG_DATA_HOME".into()));
        assert_eq!(surroundings.home, Some("/HOME".into()));
        assert_eq!(surroundings.system, Path::new("/var/lib/warren"));
    }
}
