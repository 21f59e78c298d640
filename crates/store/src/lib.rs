//! Bytes that survive: the write-ahead log, and what is kept behind it.
//!
//! This crate knows records, not messages. The format of every file stands, byte by byte, in
//! `docs/storage-format.md`.
//!
//! ```text
//!   append ─► buffer ─► commit (write, fdatasync) ─► durable ─► waiters     wal
//!   messages that memory does not hold                                      extent
//!   what the log before a position came to                                  checkpoint
//! ```

mod bytes;
pub mod checkpoint;
pub mod damage;
pub mod disk;
pub mod extent;
pub mod failpoint;
#[cfg(test)]
mod memory_disk;
mod wal;

pub use damage::Damage;
pub use wal::{
    Appender, Counts, Log, MemoryLog, Options, Part, Poisoned, Position, Record, Replay, Tail, Waiter, Wal,
};
