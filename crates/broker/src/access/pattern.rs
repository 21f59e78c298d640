//! A permission's pattern over names: a Perl regular expression.
//!
//! Administrators write permissions for Perl's expressions, which match anywhere in the name unless anchored.
//! They are translated (in `perl`) for an engine that cannot be made to run away. What that engine lacks
//! (look-around, back-references, possessive repetitions) goes to one that goes back, and that gives up after
//! a number of steps: it then matches nothing, which grants nothing. What that one lacks, too, is refused
//! when the permission is set, rather than approximated: a wrong guess would grant something. Names are
//! matched as bytes, and `\d`, `\w` and `\s` are ASCII, as there.
//!
//! RabbitMQ: access-control.md, "How Authorisation Works: Permissions".

use std::fmt;
use std::sync::Arc;

use fancy_regex::BytesMode;
use regex::bytes::{Regex, RegexBuilder};

use super::perl::{self, Engine};

/// The most memory that one compiled pattern may take.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// How often a pattern that goes back may do so for one name. Those that people write do so some hundred
/// times; names have 255 bytes at most.
const STEPS_BACK_MAX: usize = 20_000;

/// The most instructions of a pattern that goes back.
const INSTRUCTIONS_MAX: usize = 20_000;

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A construct of Perl's that no engine here has.
    #[error("{construct} at byte {at} of pattern '{pattern}' is not supported")]
    Unsupported {
        /// What it is called.
        construct: &'static str,
        /// Where it starts.
        at: usize,
        /// The whole pattern.
        pattern: Box<str>,
    },
    /// The text is no regular expression, or one that grows too large.
    #[error("pattern '{pattern}' does not compile: {reason}")]
    Syntax {
        /// What the compiler says.
        reason: Box<str>,
        /// The whole pattern.
        pattern: Box<str>,
    },
}

/// A compiled pattern. Compares by its source and what was put in for its variables.
#[derive(Clone)]
pub struct Pattern {
    source: Box<str>,
    translated: Box<str>,
    matcher: Matcher,
}

/// Most permissions in the field are one of the first two, which need no engine.
#[derive(Clone)]
enum Matcher {
    /// `.*`, unanchored: every name.
    Everything,
    /// The empty pattern. RabbitMQ reads it as `^$`, so that it grants no resource, for none has an empty
    /// name.
    EmptyName,
    Regex(Regex),
    Backtracking(Arc<fancy_regex::Regex>),
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`Error`] when it is none, or has what no engine here has.
    pub fn new(source: &str) -> Result<Self, Error> {
        Self::expanded(source, &[])
    }

    /// Compiles a pattern of which the empty one matches every name, as those of policies do.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn anywhere(source: &str) -> Result<Self, Error> {
        let mut pattern = Self::new(source)?;
        if source.is_empty() {
            pattern.matcher = Matcher::Everything;
        }
        Ok(pattern)
    }

    /// Compiles a pattern in which `{name}` stands for the value of the variable, literally. What stands
    /// between braces and is no variable is left as it is.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn expanded(source: &str, variables: &[(&str, &str)]) -> Result<Self, Error> {
        let (translated, matcher) = match source {
            ".*" => (String::new(), Matcher::Everything),
            "" | "^$" => (String::new(), Matcher::EmptyName),
            _ => match perl::translate(source, variables, Engine::Linear) {
                Ok(translated) => {
                    let regex = compile(source, &translated)?;
                    (translated, Matcher::Regex(regex))
                }
                Err(Error::Unsupported { .. }) => {
                    let translated = perl::translate(source, variables, Engine::Backtracking)?;
                    let regex = compile_backtracking(source, &translated)?;
                    (translated, Matcher::Backtracking(Arc::new(regex)))
                }
                Err(error) => return Err(error),
            },
        };
        Ok(Pattern {
            source: source.into(),
            translated: translated.into(),
            matcher,
        })
    }

    /// Whether the pattern matches the name, or a part of it where it is not anchored.
    pub fn matches(&self, name: &str) -> bool {
        match &self.matcher {
            Matcher::Everything => true,
            Matcher::EmptyName => name.is_empty(),
            Matcher::Regex(regex) => regex.is_match(name.as_bytes()),
            // An error says that it gave up.
            Matcher::Backtracking(regex) => regex.is_match(name.as_bytes()).unwrap_or(false),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

fn compile(source: &str, translated: &str) -> Result<Regex, Error> {
    RegexBuilder::new(translated)
        .unicode(false)
        .size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| Error::Syntax {
            reason: error.to_string().into(),
            pattern: source.into(),
        })
}

fn compile_backtracking(source: &str, translated: &str) -> Result<fancy_regex::Regex, Error> {
    fancy_regex::RegexBuilder::new(translated)
        .bytes_mode(BytesMode::Ascii)
        .backtrack_limit(STEPS_BACK_MAX)
        .max_prog_size(INSTRUCTIONS_MAX)
        .delegate_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| Error::Syntax {
            reason: error.to_string().into(),
            pattern: source.into(),
        })
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.translated == other.translated
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.source)
    }
}
