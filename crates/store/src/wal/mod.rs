//! The door of the write-ahead log: append records, learn up to where they are durable.
//!
//! There is one log per node. Whoever must not answer before something is durable appends,
//! takes the [`Position`] after the append, and waits for [`Log::durable`] to reach it.

mod memory;

pub use memory::MemoryLog;

use std::sync::Arc;

/// A place in the log. What was appended at or before a durable position survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// One record: whose it is, what it is, and its bytes in two parts, so that a body need not be
/// copied to stand behind its head.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The queue's id, or 0 for the catalog.
    pub owner: u64,
    /// What the record says; the owner's matter.
    pub kind: u8,
    /// The first part.
    pub head: &'a [u8],
    /// The second part.
    pub body: &'a [u8],
}

/// Is told when the log became durable up to a position.
pub trait Waiter: Send + Sync {
    /// Everything up to `position` is durable. Called outside the log's locks, once for each
    /// [`Log::notify`], and must not block.
    fn durable(&self, position: Position);
}

/// The write-ahead log of a node.
pub trait Log: Send + Sync {
    /// Adds records, in order, as one batch. Answers the position after the last of them.
    /// Does not wait for the disk.
    fn append(&self, records: &[Record<'_>]) -> Position;

    /// The position after everything appended so far: what an answer waits for that tells of
    /// something another session may have written a moment ago.
    fn appended(&self) -> Position;

    /// The position up to which everything is durable. Never goes back.
    fn durable(&self) -> Position;

    /// Calls the waiter once when `position` is durable; at once if it is already.
    fn notify(&self, position: Position, waiter: Arc<dyn Waiter>);
}
