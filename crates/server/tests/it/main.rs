//! Tests of the real `warren` program: started, spoken to over sockets, signalled and stopped.
//!
//! Nothing here uses a fixed port or a fixed time: every program says where it listens, and what is waited
//! for has a deadline far beyond what it takes.

// Tests fail by a panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod alarm;
mod bench;
mod clients;
mod definitions;
mod durability;
mod http;
mod limits;
mod logs;
mod program;
mod regressions;
mod sessions;
mod start;
mod stop;
mod stress;
