//! Wire formats of the protocols that Warren speaks: bytes to typed frames and back.
//!
//! A pure codec: no IO, no clock, no broker. Every parser borrows from the bytes that it is given, reads them
//! through one checked cursor, and never allocates by a length that was only announced.

pub mod amqp091;
