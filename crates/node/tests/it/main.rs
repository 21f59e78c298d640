//! The running broker, driven by clients of its internal API: no protocol, no socket, no sleep.
//!
//! What is tested is what holds whatever the order of things: nothing is lost, nothing comes twice without
//! being marked, nobody starves, and a remembered route is a true one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod broker;
mod browse;
mod delayed_log;
mod delays;
mod ending;
mod gates;
mod idle;
mod interleavings;
mod kinds;
mod limits;
mod moves;
mod policies;
mod regressions;
mod routes;
mod session;
mod sim;
mod stress;
mod together;
