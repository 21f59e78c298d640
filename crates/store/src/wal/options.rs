//! How a log is kept, and how it fails.

use super::format::{BATCH_HEADER, SEGMENT_HEADER};
use std::io;

/// The smallest file: a header, and room for batches that are worth it.
const SEGMENT_BYTES_MIN: u64 = 2 * SEGMENT_HEADER as u64 + BATCH_HEADER as u64;
/// Files that a log needs: one that is being written, one that comes next, one that is being emptied.
const SEGMENTS_MIN: u64 = 3;

/// How a log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Size of one file.
    pub segment_bytes: u64,
    /// All files together; at least three segments.
    pub log_bytes_max: u64,
    /// Bytes that may wait for the disk before the log calls itself congested.
    pub waiting_bytes_max: usize,
    /// Whether a commit waits for the disk (`fdatasync`).
    pub sync: bool,
}

impl Options {
    /// With sizes that a log can work with.
    pub(super) fn sane(self) -> Self {
        let segment_bytes = self.segment_bytes.max(SEGMENT_BYTES_MIN);
        Self {
            segment_bytes,
            log_bytes_max: self.log_bytes_max.max(segment_bytes.saturating_mul(SEGMENTS_MIN)),
            ..self
        }
    }
}

/// The log failed and nothing after its durable position can be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {file}: {error}")]
pub struct Poisoned {
    /// What was being done: "write to", "sync of".
    pub what: &'static str,
    /// To which file, relative to the data folder.
    pub file: String,
    /// What the system said.
    pub error: String,
}

impl Poisoned {
    pub(super) fn new(what: &'static str, file: &str, error: &io::Error) -> Self {
        Self {
            what,
            file: file.to_owned(),
            error: error.to_string(),
        }
    }
}
