//! A permission's pattern over names: a Perl regular expression, matched in linear time.
//!
//! Administrators write permissions for Perl's expressions, which match anywhere in the name unless anchored.
//! They are translated (in `perl`) for an engine that cannot be made to run away, and what that
//! engine lacks (look-around, back-references) is refused when the permission is set, rather than
//! approximated: a wrong guess would grant something. Names are matched as bytes, and `\d`, `\w` and `\s` are
//! ASCII, as there.
//!
//! RabbitMQ: access-control.md, "How Authorisation Works: Permissions".

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

use super::perl;

/// The most memory that one compiled pattern may take.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A construct of Perl's that has no linear-time equal.
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
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`Error`] when it is none, or needs what cannot be matched in linear time.
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
            _ => {
                let translated = perl::translate(source, variables)?;
                let regex = compile(source, &translated)?;
                (translated, Matcher::Regex(regex))
            }
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
