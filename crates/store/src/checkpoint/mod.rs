//! The checkpoint: what the log before a position came to.
//!
//! It is written whole, twice, as `checkpoint` and `checkpoint.copy`, so that one damaged file costs
//! nothing.
//!
//! ```text
//!   write ──► layout ◄── copy (one file) ◄── read (both, entry by entry)
//! ```

mod copy;
mod layout;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::read;
pub use write::{Failed, Writer};

/// An entry of a checkpoint: whose it is, what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The queue's id, or 0 for the node itself.
    pub owner: u64,
    /// What it says; the owner's matter.
    pub kind: u8,
    /// Its bytes.
    pub bytes: Vec<u8>,
}
