//! Bytes that survive: the write-ahead log and what is kept behind it.
//!
//! This crate knows records, not messages. So far it holds the log's door ([`Log`]) and an
//! implementation in memory; nothing survives a restart yet.

mod wal;

pub use wal::{Log, MemoryLog, Position, Record, Waiter};
