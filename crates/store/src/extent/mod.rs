//! Extents: files of messages that no longer stand in memory or in the log.
//!
//! An extent is written once, in order of (owner, seq), and never changed. It holds messages of one
//! queue or of many; a **section** is the run of one owner in it.
//!
//! ```text
//!   write ──► layout ◄── open (directory) ◄── scan, when the directory is damaged
//!                            ▲
//!   read (open files) ──► block (messages) ──► gap, when messages are
//! ```

mod block;
mod gap;
mod layout;
mod open;
mod read;
mod scan;
#[cfg(test)]
mod tests;
mod verify;
mod write;

pub use read::{Extents, Found, Lost};
pub use verify::Checked;
pub use write::ExtentWriter;

/// An owner with this bit has no messages: what is kept in its section tells of those of the owner without
/// it, whose own section stands before.
pub const BESIDE: u64 = 1 << 63;

/// What is kept of a message beside its content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// Its place in the queue.
    pub seq: u64,
    /// When it was queued, in milliseconds since 1970; 0: not known.
    pub enqueued_at_ms: u64,
    /// When it expires or falls due, in milliseconds since 1970; 0: never.
    pub due_at_ms: u64,
    /// Length of the properties, in bytes.
    pub properties_bytes: u32,
    /// Length of the exchange name, in bytes.
    pub exchange_bytes: u8,
    /// Length of the routing key, in bytes.
    pub key_bytes: u8,
    /// Priority.
    pub priority: u8,
    /// Flags, the owner's matter.
    pub flags: u8,
    /// Times it was delivered and came back.
    pub delivery_count: u16,
}

/// A run of messages of one owner in an extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// The extent's number.
    pub extent: u64,
    /// The queue's id.
    pub owner: u64,
    /// The lowest number in it.
    pub first: u64,
    /// The highest number in it.
    pub last: u64,
    /// Messages in it.
    pub count: u64,
}
