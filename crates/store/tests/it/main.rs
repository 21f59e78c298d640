//! What crashes, faults and damage do to the store, on a simulated disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod crash;
mod damage;
mod faults;
mod model;
#[path = "../../../testkit/src/sim_disk.rs"]
#[allow(dead_code, unreachable_pub)] // a file of another crate, whose tests use the rest
mod sim_disk;
