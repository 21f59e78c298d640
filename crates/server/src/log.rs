//! Where `tracing` events go: standard error, a file, or both, as text or as JSON.
//!
//! ```text
//!   event ─┬─ level of the console ── plaintext | json ── standard error
//!          └─ level of the file ───── plaintext | json ── LogFile ◄── Handle::reopen, on SIGHUP
//! ```
//!
//! The file is not rotated here. A tool such as logrotate renames it and sends SIGHUP; until then lines go on
//! into the renamed file, so none is lost. Spec: RabbitMQ: logging.md.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::Dispatch;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use crate::config::model;
use crate::config::value::{Format, Level};

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log file cannot be opened.
    #[error(
        "cannot write the log file {}: {source}. Its folder must exist; see log.dir and log.file",
        path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The process has a log already.
    #[error("the log has been set up already")]
    Twice,
}

/// What is left to do with a log that has been set up.
#[derive(Debug, Clone)]
pub struct Handle {
    file: Option<Arc<LogFile>>,
}

impl Handle {
    /// Opens the log file again by its name; does nothing if there is none.
    ///
    /// # Errors
    /// [`Error::Open`]; the log then goes on into the file that is open.
    pub fn reopen(&self) -> Result<(), Error> {
        self.file.as_ref().map_or(Ok(()), |file| file.reopen())
    }
}

/// Sets the log up for the whole process.
///
/// # Errors
/// [`Error::Open`] if the file cannot be written, [`Error::Twice`] the second time.
pub fn init(config: &model::Log) -> Result<Handle, Error> {
    let colours = io::stderr().is_terminal();
    let (dispatch, handle) = build(config, io::stderr, colours)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| Error::Twice)?;
    Ok(handle)
}

/// The log as configured, with the given console.
fn build<W>(config: &model::Log, console: W, colours: bool) -> Result<(Dispatch, Handle), Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let file = config.file_path().map(LogFile::open).transpose()?.map(Arc::new);
    let mut layers = Vec::new();
    if config.to_console() {
        layers.push(layer(
            console,
            config.console_format,
            config.console_level(),
            colours,
        ));
    }
    if let Some(file) = &file {
        layers.push(layer(
            Arc::clone(file),
            config.file_format,
            config.file_level(),
            false,
        ));
    }
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layers));
    Ok((dispatch, Handle { file }))
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

fn layer<W>(writer: W, format: Format, level: Level, colours: bool) -> BoxedLayer
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(colours);
    match format {
        Format::Plaintext => layer.with_filter(filter(level)).boxed(),
        Format::Json => layer
            .json()
            .flatten_event(true)
            .with_filter(filter(level))
            .boxed(),
    }
}

/// RabbitMQ's levels are syslog's, `tracing` has five. A level between two of them shows the rarer one only.
fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Debug => LevelFilter::DEBUG,
        Level::Info => LevelFilter::INFO,
        Level::Notice | Level::Warning => LevelFilter::WARN,
        Level::Error | Level::Critical | Level::Alert | Level::Emergency => LevelFilter::ERROR,
        Level::None => LevelFilter::OFF,
    }
}

/// A file that lines are appended to and that can be opened again under its name.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl LogFile {
    fn open(path: PathBuf) -> Result<Self, Error> {
        let file = Mutex::new(append_to(&path)?);
        Ok(LogFile { path, file })
    }

    fn reopen(&self) -> Result<(), Error> {
        let file = append_to(&self.path)?;
        *self.lock() = file;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        // A file is whole whatever the thread that panicked was doing with it.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append_to(path: &Path) -> Result<File, Error> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|source| Error::Open {
        path: path.to_path_buf(),
        source,
    })
}

/// Each event comes as one `write_all`, so one append to the file is one line.
impl Write for &LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.lock().write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock().flush()
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

    use std::fs;

    use super::*;

    /// A console that can be read.
    fn console(path: &Path) -> Arc<LogFile> {
        Arc::new(LogFile::open(path.to_path_buf()).unwrap())
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    fn say(dispatch: &Dispatch, number: u32) {
        tracing::dispatcher::with_default(dispatch, || {
            tracing::error!(number, "broken");
            tracing::warn!(number, "strange");
            tracing::info!(number, "hello");
            tracing::debug!(number, "detail");
        });
    }

    #[test]
    fn console_and_file_have_levels_and_formats_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let (screen, file) = (dir.path().join("screen"), dir.path().join("w.log"));
        let config = model::Log {
            dir: Some(dir.path().into()),
            file: Some(Some("w.log".into())),
            file_level: Some(Level::Notice),
            file_format: Format::Json,
            console: Some(true),
            ..model::Log::default()
        };
        let (dispatch, _) = build(&config, console(&screen), false).unwrap();
        say(&dispatch, 7);
        let lines: Vec<serde_json::Value> = read(&file)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[1]["message"], "strange");
        assert_eq!(lines[1]["level"], "WARN");
        assert_eq!(lines[1]["number"], 7);
        let text = read(&screen);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().last().unwrap().ends_with("hello number=7"), "{text}");
    }

    #[test]
    fn without_a_file_everything_goes_to_the_console_and_nothing_if_that_is_off() {
        let dir = tempfile::tempdir().unwrap();
        let screen = dir.path().join("screen");
        let (dispatch, handle) = build(&model::Log::default(), console(&screen), false).unwrap();
        say(&dispatch, 1);
        handle.reopen().unwrap();
        assert_eq!(read(&screen).lines().count(), 3);
        let silent = model::Log {
            console: Some(false),
            ..model::Log::default()
        };
        let (dispatch, _) = build(&silent, console(&screen), false).unwrap();
        say(&dispatch, 2);
        assert_eq!(read(&screen).lines().count(), 3);
    }

    #[test]
    fn a_renamed_file_is_written_until_it_is_reopened() {
        let dir = tempfile::tempdir().unwrap();
        let (path, renamed) = (dir.path().join("w.log"), dir.path().join("w.log.1"));
        let config = model::Log {
            file: Some(Some(path.clone())),
            ..model::Log::default()
        };
        let (dispatch, handle) = build(&config, io::sink, false).unwrap();
        say(&dispatch, 1);
        fs::rename(&path, &renamed).unwrap();
        say(&dispatch, 2);
        handle.reopen().unwrap();
        say(&dispatch, 3);
        assert_eq!(read(&renamed).lines().count(), 6);
        assert_eq!(read(&path).lines().count(), 3);
        assert!(read(&path).contains("number=3"));
    }

    #[test]
    fn a_reopen_that_fails_keeps_the_file_that_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let (path, renamed) = (dir.path().join("w.log"), dir.path().join("w.log.1"));
        let config = model::Log {
            file: Some(Some(path.clone())),
            ..model::Log::default()
        };
        let (dispatch, handle) = build(&config, io::sink, false).unwrap();
        fs::rename(&path, &renamed).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(handle.reopen(), Err(Error::Open { .. })));
        say(&dispatch, 1);
        assert_eq!(read(&renamed).lines().count(), 3);
    }

    #[test]
    fn an_existing_file_is_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.log");
        fs::write(&path, "before\n").unwrap();
        let config = model::Log {
            file: Some(Some(path.clone())),
            ..model::Log::default()
        };
        let (dispatch, _) = build(&config, io::sink, false).unwrap();
        say(&dispatch, 1);
        assert!(read(&path).starts_with("before\n"));
        assert_eq!(read(&path).lines().count(), 4);
    }

    #[test]
    fn a_file_in_no_folder_is_an_error_that_names_it() {
        let config = model::Log {
            file: Some(Some("/nowhere/w.log".into())),
            ..model::Log::default()
        };
        let error = build(&config, io::sink, false).map(|_| ()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot write the log file /nowhere/w.log: "),
            "{error}"
        );
    }

    #[test]
    fn colours_are_for_terminals_only() {
        let dir = tempfile::tempdir().unwrap();
        let screen = dir.path().join("screen");
        for (colours, seen) in [(false, false), (true, true)] {
            let (dispatch, _) = build(&model::Log::default(), console(&screen), colours).unwrap();
            say(&dispatch, 1);
            assert_eq!(read(&screen).contains('\u{1b}'), seen);
        }
    }
}
