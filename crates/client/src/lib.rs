//! A small AMQP 0-9-1 client of our own, for the programs of this repository that speak to a broker.
//!
//! ```text
//!   uri ──► connection ── turn ──► socket      call: a method out, its answer in
//!                │  ▲
//!       output ──┘  └── input ──► decode ──► events, borrowed from the read buffer
//! ```
//!
//! It is built for batches: whoever publishes hands over many encoded messages at once, and a read of many
//! deliveries is told event by event, with no copy and no allocation for a message. What it does not do:
//! recover, keep messages, spread one connection over threads. Spec: 0-9-1 §2.2, §4.2.

mod connection;
pub mod decode;
mod error;
mod handshake;
mod heartbeat;
mod input;
mod publish;
mod uri;

pub use connection::Connection;
pub use decode::{Deliver, Event};
pub use error::{Error, Reach};
pub use publish::Message;
pub use uri::{Uri, UriError};
