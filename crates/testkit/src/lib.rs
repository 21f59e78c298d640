//! Scripted peers, simulated clocks and disks, and the transcript runner of Warren's tests.
//!
//! For tests only: no crate of the broker depends on it but as a dev-dependency.
//! [`transcript`] is the unit of behaviour: a conversation in a file, held with a session of
//! ours or with another broker over TCP. [`peer`] is a client for tests of the whole program, [`sim_disk`]
//! a disk that crashes and goes bad.

pub mod peer;
pub mod sim_disk;
pub mod transcript;

/// The log of a node that is to keep nothing.
pub use warren_store::MemoryLog;
