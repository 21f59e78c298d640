//! AMQP 0-9-1 with RabbitMQ's extensions, both ways: bytes to typed frames and typed frames to bytes.
//!
//! What it is not: a session. It knows no connection state, no channel, no reply code and no reply text; who
//! calls it decides what a malformed frame means to the peer.
//!
//! ```text
//! [header]      "AMQP" 0 0 9 1                                    once, from the client
//! [frame]       kind channel size payload 0xCE                    everything else
//!   [method]      class method arguments                          kind 1
//!   [content]     class weight body-size [properties]             kind 2
//!   body octets                                                   kind 3
//! [table]       field tables, within methods and properties
//! [cursor]      the one reader beneath them all
//! ```
//!
//! Spec: 0-9-1 §4.2 and its RabbitMQ errata.

pub mod content;
pub mod cursor;
pub mod frame;
pub mod header;
pub mod method;
pub mod properties;
pub mod table;
