//! The write-ahead log: append records, learn up to where they are durable.
//!
//! There is one log per node. Whoever must not answer before something is durable appends,
//! takes the [`Position`] after the append, and waits for [`Log::durable`] to reach it.

mod append;
mod files;
mod filling;
mod format;
mod found;
mod memory;
mod open;
mod options;
mod records;
mod replay;
mod segments;

pub use append::Appender;
pub use memory::MemoryLog;
pub use options::{Options, Poisoned};
pub use records::{Part, Record};
pub use replay::{Replay, Tail};
pub use segments::{Counts, Wal};

use std::sync::Arc;

/// A place in the log, in bytes of records ever appended. What was appended at or before a
/// durable position survives. Positions never go back and are never used twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// Is told when the log became durable up to a position.
pub trait Waiter: Send + Sync {
    /// Everything up to `position` is durable. Called outside the log's locks, once for each
    /// [`Log::notify`], and must not block. `nth` counts the waiters told by this commit from 0, so
    /// that only the first few do work of their own on the log's thread.
    fn durable(&self, position: Position, nth: usize);
}

/// The write-ahead log of a node.
pub trait Log: Send + Sync {
    /// Adds the records that `write` makes, in order, as one piece that goes to the disk together.
    /// Answers the position after the last of them. Does not wait for the disk. `write` runs under
    /// the log's lock and must take no other.
    fn append(&self, write: &mut dyn FnMut(&mut Appender<'_>)) -> Position;

    /// The position after everything appended so far: what an answer waits for that tells of
    /// something another session may have written a moment ago.
    fn appended(&self) -> Position;

    /// The position up to which everything is durable. Never goes back.
    fn durable(&self) -> Position;

    /// Calls the waiter once when `position` is durable; at once if it is already. Never, once the
    /// log is poisoned.
    fn notify(&self, position: Position, waiter: Arc<dyn Waiter>);

    /// Whether so much waits for the disk that whoever can should stop appending for a while.
    fn is_congested(&self) -> bool;

    /// Everything before `position` is no longer needed: a checkpoint that does without it is
    /// durable. Its space is used again.
    fn trim(&self, position: Position);
}
