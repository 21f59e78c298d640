//! What a row of the key table is made of: a key's name, its type with its setter, its words for the docs.
//!
//! ```text
//!   name      listeners.tcp.$name      a part with `$` stands for any one part; only the last may have it
//!   kind      Endpoint(fn)             type and setter in one, so that they cannot disagree
//!   default   Is("60") | Means("...")  `Is` is checked against `Config::default()` by a test
//! ```

use std::net::IpAddr;
use std::path::PathBuf;

use super::model::Config;
use super::value::{self, Endpoint, Format, HashingAlgorithm, Level, Mechanism, Word};
use crate::secret::Secret;

/// Puts a value into the configuration. The text is the key's last part, for keys that end in `$name`.
pub type Set<T> = fn(&mut Config, &str, T);

/// One key, or one family of keys that differ in their last part.
#[derive(Debug)]
pub struct Key {
    /// Parts with dots between them; the last may begin with `$`.
    pub name: &'static str,
    /// The type of its value, and where the value goes.
    pub kind: Kind,
    /// What holds when nothing is set.
    pub default: DefaultText,
    /// A value other than the default.
    pub example: &'static str,
    /// Whether it is applied after the other keys of its source, wherever it stands. RabbitMQ lets `none` win
    /// over what it excludes, and an absolute limit over a relative one.
    pub late: bool,
    /// One sentence or two for `docs/configuration.md`.
    pub doc: &'static str,
}

/// A default as documented.
#[derive(Debug, Clone, Copy)]
pub enum DefaultText {
    /// This value, as it would be written.
    Is(&'static str),
    /// These words, because the default is no value or depends on the machine.
    Means(&'static str),
}

/// The type of a value, with what to do with it. Bounds are inclusive.
#[derive(Debug)]
pub enum Kind {
    /// `true` or `false`.
    Switch(Set<bool>),
    /// A whole number of 16 bits.
    Short {
        /// Least.
        min: u16,
        /// Most.
        max: u16,
        /// Where it goes.
        set: Set<u16>,
    },
    /// A whole number of 32 bits, or `infinity`.
    Limit {
        /// Least.
        min: u32,
        /// Where it goes; none is `infinity`.
        set: Set<Option<u32>>,
    },
    /// A whole number of 32 bits.
    Integer {
        /// Least.
        min: u32,
        /// Most.
        max: u32,
        /// Where it goes.
        set: Set<u32>,
    },
    /// The size of a buffer, in bytes or with a unit.
    Size {
        /// Least, in bytes.
        min: u32,
        /// Most, in bytes.
        max: u32,
        /// Where it goes, in bytes.
        set: Set<u32>,
    },
    /// An amount of memory, in bytes or with a unit.
    Memory(Set<u64>),
    /// The same with bounds.
    Amount {
        /// Least, in bytes.
        min: u64,
        /// Most, in bytes.
        max: u64,
        /// Where it goes, in bytes.
        set: Set<u64>,
    },
    /// A number from 0 to 1.
    Fraction(Set<f64>),
    /// A number from 0 upwards.
    Factor(Set<f64>),
    /// Any text.
    Text(Set<String>),
    /// A text that is not shown.
    Secret(Set<Secret>),
    /// A path.
    Path(Set<PathBuf>),
    /// A path, or `false` for none.
    PathOrFalse(Set<Option<PathBuf>>),
    /// Where to listen.
    Endpoint(Set<Endpoint>),
    /// An IP address.
    Address(Set<IpAddr>),
    /// How much to log.
    Level(Set<Level>),
    /// How a line of the log looks.
    Format(Set<Format>),
    /// How passwords are hashed.
    Hashing(Set<HashingAlgorithm>),
    /// A way to log in.
    Mechanism(Set<Mechanism>),
    /// The word `none` and nothing else.
    Nothing(Set<()>),
}

impl Kind {
    /// Reads the text and stores the value; whether the text is a value of this type.
    pub fn apply(&self, config: &mut Config, variable: &str, text: &str) -> bool {
        match self {
            Kind::Switch(set) => store(*set, config, variable, value::switch(text)),
            Kind::Short { min, max, set } => {
                let number = value::integer(text).and_then(|number| u16::try_from(number).ok());
                store(
                    *set,
                    config,
                    variable,
                    number.filter(|number| (min..=max).contains(&number)),
                )
            }
            Kind::Limit { set, .. } if text == "infinity" => store(*set, config, variable, Some(None)),
            Kind::Limit { min, set } => store(
                *set,
                config,
                variable,
                bounded(value::integer(text), *min, u32::MAX).map(Some),
            ),
            Kind::Integer { min, max, set } => {
                store(*set, config, variable, bounded(value::integer(text), *min, *max))
            }
            Kind::Size { min, max, set } => store(
                *set,
                config,
                variable,
                bounded(value::size_bytes(text), *min, *max),
            ),
            Kind::Memory(set) => store(*set, config, variable, value::memory_bytes(text)),
            Kind::Amount { min, max, set } => {
                let bytes = value::memory_bytes(text);
                store(
                    *set,
                    config,
                    variable,
                    bytes.filter(|bytes| (min..=max).contains(&bytes)),
                )
            }
            Kind::Factor(set) => store(*set, config, variable, value::factor(text)),
            Kind::Fraction(set) => store(*set, config, variable, value::fraction(text)),
            Kind::Text(set) => store(*set, config, variable, Some(text.to_owned())),
            Kind::Secret(set) => store(*set, config, variable, Some(Secret::new(text))),
            Kind::Path(set) => store(*set, config, variable, Some(text.into())),
            Kind::PathOrFalse(set) => store(
                *set,
                config,
                variable,
                Some((text != "false").then(|| text.into())),
            ),
            Kind::Endpoint(set) => store(*set, config, variable, Endpoint::read(text)),
            Kind::Address(set) => store(*set, config, variable, text.parse().ok()),
            Kind::Level(set) => store(*set, config, variable, Level::read(text)),
            Kind::Format(set) => store(*set, config, variable, Format::read(text)),
            Kind::Hashing(set) => store(*set, config, variable, HashingAlgorithm::read(text)),
            Kind::Mechanism(set) => store(*set, config, variable, Mechanism::read(text)),
            Kind::Nothing(set) => store(*set, config, variable, (text == "none").then_some(())),
        }
    }

    /// What values there are, for messages and docs.
    pub fn allowed(&self) -> String {
        match self {
            Kind::Switch(_) => "true, false".into(),
            Kind::Short { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::Limit { min, .. } => format!("a whole number from {min} to {}, or infinity", u32::MAX),
            Kind::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::Size { min, max, .. } => {
                format!("bytes from {min} to {max}, also with KB, MB or GB (of 1024s)")
            }
            Kind::Memory(_) => MEMORY_UNITS.into(),
            Kind::Amount { min, max, .. } => format!("{MEMORY_UNITS}; from {min} to {max}"),
            Kind::Factor(_) => "a number from 0 upwards, such as 1.5".into(),
            Kind::Fraction(_) => "a number from 0 to 1, such as 0.4".into(),
            Kind::Text(_) | Kind::Secret(_) => "a text".into(),
            Kind::Path(_) => "a path".into(),
            Kind::PathOrFalse(_) => "a path, or false".into(),
            Kind::Endpoint(_) => "a port, or an IP address and a port such as 127.0.0.1:5672".into(),
            Kind::Address(_) => "an IP address such as 127.0.0.1 or ::1".into(),
            Kind::Level(_) => Level::list(),
            Kind::Format(_) => Format::list(),
            Kind::Hashing(_) => HashingAlgorithm::list(),
            Kind::Mechanism(_) => Mechanism::list(),
            Kind::Nothing(_) => "none".into(),
        }
    }
}

const MEMORY_UNITS: &str = "bytes, also with kB, MB, GB, TB (of 1000s) or KiB, MiB, GiB, TiB";

fn store<T>(set: Set<T>, config: &mut Config, variable: &str, value: Option<T>) -> bool {
    let Some(value) = value else { return false };
    set(config, variable, value);
    true
}

fn bounded(number: Option<u64>, min: u32, max: u32) -> Option<u32> {
    number
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (min..=max).contains(number))
}

impl Key {
    /// Whether the key has this name, its last part being free if the row says so.
    pub fn matches(&self, parts: &[String]) -> bool {
        let mut names = self.name.split('.');
        let all = parts.iter().all(|part| {
            names
                .next()
                .is_some_and(|name| name.starts_with('$') || name == part)
        });
        all && names.next().is_none()
    }

    /// The name with its free part, if it has one, taken from a key.
    pub fn named_like(&self, parts: &[String]) -> String {
        match (self.name.rsplit_once(".$"), parts.last()) {
            (Some((stem, _)), Some(last)) => format!("{stem}.{}", last.replace('.', "\\.")),
            _ => self.name.to_owned(),
        }
    }
}

/// A key as one writes it: dots between the parts, those inside a part escaped.
pub fn written(parts: &[String]) -> String {
    parts
        .iter()
        .map(|part| part.replace('.', "\\."))
        .collect::<Vec<_>>()
        .join(".")
}
