//! What was found to be wrong in a data folder: where, and what it means.

use std::fmt;

/// Something that a checksum, a length or a missing file proves to be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to the data folder.
    pub file: String,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// What is wrong, and what it costs, in words for people.
    pub what: String,
    /// Messages known to be lost by it; `None` when it cannot be told.
    pub messages_lost: Option<u64>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.file, self.offset, self.what)
    }
}
