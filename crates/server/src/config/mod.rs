//! The configuration: where it comes from, and the typed [`Config`] that comes out.
//!
//! ```text
//!   warren.conf ─┐  conf: lines        key: which row of the table     Config
//!   environment ─┼─► settings ────────► value: text to typed value ───► groups: listeners, limits, auth,
//!   --set k=v   ─┘  later ones win      else an Error that says what    defaults, log, memory, store,
//!                                       is allowed, or did you mean     product, node
//! ```
//!
//! Files have RabbitMQ's `rabbitmq.conf` format and key names. [`table`] is the only place that knows keys;
//! the floors below take plain values. All mistakes of all sources are reported at once. Whether a file that
//! is named exists, a port is free or a folder writable is found out by those who use them.
//! Spec: RabbitMQ: configure.md.

pub mod conf;
pub mod docs;
pub mod key;
pub mod model;
pub mod nearest;
pub mod table;
pub mod value;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use model::Config;

/// The environment's variables that are settings, with the key that each of them sets. The names are those of
/// RabbitMQ's container image. Like there they win over the file.
pub const ENVIRONMENT: [(&str, &str); 3] = [
    ("RABBITMQ_DEFAULT_USER", "default_user"),
    ("RABBITMQ_DEFAULT_PASS", "default_pass"),
    ("RABBITMQ_DEFAULT_VHOST", "default_vhost"),
];

/// The environment's variables that name the configuration file, the first that is set wins.
pub const FILE_VARIABLES: [&str; 2] = ["WARREN_CONFIG_FILE", "RABBITMQ_CONFIG_FILE"];

/// How a variable of the environment is looked up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
    /// A variable of the environment, by name.
    Environment(&'static str),
    /// An argument of `--set`, its key only.
    Argument(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(variable) => write!(f, "environment variable {variable}"),
            Origin::Argument(key) => write!(f, "--set {key}"),
        }
    }
}

/// One mistake in the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line is no setting.
    #[error("{origin}: {problem}")]
    Syntax {
        /// Where.
        origin: Origin,
        /// What is wrong.
        problem: conf::Problem,
    },
    /// No row of the table has this key.
    #[error("{origin}: unknown key `{key}`; the nearest known key is `{nearest}`")]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// The key.
        key: String,
        /// The known key with the fewest differences.
        nearest: String,
    },
    /// The key is known, the value is none that it takes.
    #[error("{origin}: `{key}` cannot be `{value}`; allowed: {allowed}")]
    InvalidValue {
        /// Where.
        origin: Origin,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it takes.
        allowed: String,
    },
    /// The files of the write-ahead log do not fit into it.
    #[error(
        "`wal.segment_bytes` cannot be {segment_bytes} while `wal.max_bytes` is {log_bytes_max}: allowed is \
         a third of it at most"
    )]
    Segments {
        /// What a file is to take.
        segment_bytes: u64,
        /// What all of them may take.
        log_bytes_max: u64,
    },
    /// A variable of the environment is not UTF-8.
    #[error("{origin}: the value is not UTF-8")]
    NotText {
        /// Where.
        origin: Origin,
    },
}

/// All mistakes that were found, at least one; a line each when printed.
#[derive(Debug)]
pub struct Errors(Vec<Error>);

impl Errors {
    /// The mistakes in the order of their sources.
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.0.iter()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Errors {}

/// The configuration file to read: the one given, else the one that the environment names, else none.
pub fn file(given: Option<&Path>, environment: Environment<'_>) -> Option<PathBuf> {
    let named = || {
        FILE_VARIABLES
            .iter()
            .find_map(|variable| present(environment, variable))
            .map(PathBuf::from)
    };
    given.map(Path::to_path_buf).or_else(named)
}

/// Reads all sources: the file, then the environment, then `--set` arguments; later ones win.
///
/// # Errors
/// [`Errors`] with every mistake of every source.
pub fn load(
    file: Option<&Path>,
    environment: Environment<'_>,
    arguments: &[String],
) -> Result<Config, Errors> {
    let mut config = Config::default();
    let mut errors = Vec::new();
    for mut layer in [
        file.map_or_else(Layer::default, from_file),
        from_environment(environment),
    ]
    .into_iter()
    .chain([from_arguments(arguments)])
    {
        errors.append(&mut layer.errors);
        apply(layer.settings, &mut config, &mut errors);
    }
    errors.extend(contradiction(&config));
    if errors.is_empty() {
        Ok(config)
    } else {
        Err(Errors(errors))
    }
}

/// Values that are each allowed, and not together.
fn contradiction(config: &Config) -> Option<Error> {
    let (segment_bytes, log_bytes_max) = (config.store.segment_bytes(), config.store.log_bytes_max);
    (segment_bytes > log_bytes_max / model::SEGMENTS_MIN).then_some(Error::Segments {
        segment_bytes,
        log_bytes_max,
    })
}

/// A key and its value, not yet looked up.
struct Setting {
    origin: Origin,
    key: Vec<String>,
    value: String,
}

/// What one source says.
#[derive(Default)]
struct Layer {
    settings: Vec<Setting>,
    errors: Vec<Error>,
}

impl Layer {
    fn add(&mut self, setting: Result<Setting, Error>) {
        match setting {
            Ok(setting) => self.settings.push(setting),
            Err(error) => self.errors.push(error),
        }
    }
}

fn from_file(path: &Path) -> Layer {
    let mut layer = Layer::default();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(source) => {
            layer.errors.push(Error::Unreadable {
                path: path.to_path_buf(),
                source,
            });
            return layer;
        }
    };
    let origin = |line| Origin::File {
        path: path.to_path_buf(),
        line,
    };
    for line in conf::read(&text) {
        layer.add(match line {
            Ok(line) => Ok(Setting {
                origin: origin(line.number),
                key: line.key,
                value: line.value,
            }),
            Err((number, problem)) => Err(Error::Syntax {
                origin: origin(number),
                problem,
            }),
        });
    }
    layer
}

fn from_environment(environment: Environment<'_>) -> Layer {
    let mut layer = Layer::default();
    for (variable, key) in ENVIRONMENT {
        let Some(value) = present(environment, variable) else {
            continue;
        };
        let origin = Origin::Environment(variable);
        layer.add(match value.into_string() {
            Ok(value) => Ok(Setting {
                origin,
                key: vec![key.to_owned()],
                value,
            }),
            Err(_) => Err(Error::NotText { origin }),
        });
    }
    layer
}

fn from_arguments(arguments: &[String]) -> Layer {
    let mut layer = Layer::default();
    for argument in arguments {
        // Only the key is ever shown: the value may be a password.
        let shown = argument.split(['=', ' ']).next().unwrap_or_default();
        let origin = Origin::Argument(shown.to_owned());
        layer.add(match conf::read_argument(argument) {
            Ok((key, value)) => Ok(Setting { origin, key, value }),
            Err(problem) => Err(Error::Syntax { origin, problem }),
        });
    }
    layer
}

/// A variable that is set to something. Container files often set them to nothing, which means unset.
fn present(environment: Environment<'_>, variable: &str) -> Option<OsString> {
    environment(variable).filter(|value| !value.is_empty())
}

/// Applies the settings of one source in their order, but those of late rows after all others.
fn apply(settings: Vec<Setting>, config: &mut Config, errors: &mut Vec<Error>) {
    let mut found = Vec::new();
    for setting in settings {
        match table::find(&setting.key) {
            Some(row) => found.push((row, setting)),
            None => errors.push(Error::UnknownKey {
                nearest: table::nearest_to(&setting.key),
                key: key::written(&setting.key),
                origin: setting.origin,
            }),
        }
    }
    found.sort_by_key(|(row, _)| row.late);
    for (row, setting) in found {
        let variable = setting.key.last().map_or("", String::as_str);
        if !row.kind.apply(config, variable, &setting.value) {
            errors.push(Error::InvalidValue {
                key: key::written(&setting.key),
                allowed: row.kind.allowed(),
                value: setting.value,
                origin: setting.origin,
            });
        }
    }
}

#[cfg(test)]
mod tests;
