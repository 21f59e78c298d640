//! One session machine per protocol: bytes in, bytes out, no socket and no clock.
//!
//! A [`Session`] is driven by `warren-net` in the running broker and by a scripted peer in
//! tests. It speaks to the broker through `warren-node` alone. What is the same for several
//! protocols (credentials, conversions of values) stands beside the protocols' folders.

pub mod amqp091;
mod convert;
mod dialect;
mod sasl;
mod session;

pub use dialect::Dialects;
pub use session::{Session, Status};
