//! A small AMQP 0-9-1 client of this harness's own: one socket, one thread, nothing hidden.
//!
//! It hides no reconnect, keeps no queue of its own and says exactly what was sent and what came back, which
//! is what a judge needs. Everything that arrived before the broker died is still handed out, and then the
//! loss.
//!
//! ```text
//! wire        bytes
//! connection  socket, frames, events, calls and their answers
//! ops         the methods that the harness uses
//! ```

mod connection;
mod ops;
mod wire;

use std::fmt;

pub(crate) use connection::{Connection, Options};
pub(crate) use ops::QueueKind;
pub(crate) use wire::{Fields, put_long, put_short};

/// The one channel of most connections.
pub(crate) const CHANNEL: u16 = 1;

/// What arrived without being asked for.
#[derive(Debug)]
pub(crate) enum Event {
    Ack {
        tag: u64,
        multiple: bool,
    },
    Nack {
        tag: u64,
        multiple: bool,
    },
    Returned(Content),
    Delivered(Content),
    Blocked,
    Unblocked,
    /// The broker ended a consumer.
    Cancelled,
}

/// A message as it arrived.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Empty when the message was returned.
    pub(crate) consumer: String,
    pub(crate) tag: u64,
    pub(crate) redelivered: bool,
    pub(crate) exchange: String,
    pub(crate) key: String,
    /// From the property flags on, as they stood on the wire.
    pub(crate) properties: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// Why something could not be done.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// The connection is gone; the code is that of the broker's `connection.close`, if it said one.
    Lost { code: Option<u16>, text: String },
    /// The broker closed the channel.
    Refused { code: u16, text: String },
    /// No answer in time.
    Late(String),
}

impl Trouble {
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Trouble::Lost { code, .. } => *code,
            Trouble::Refused { code, .. } => Some(*code),
            Trouble::Late(_) => None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Lost {
                code: Some(code),
                text,
            } => write!(out, "connection closed with {code} {text}"),
            Trouble::Lost { code: None, text } => write!(out, "connection lost: {text}"),
            Trouble::Refused { code, text } => write!(out, "channel closed with {code} {text}"),
            Trouble::Late(what) => write!(out, "no answer in time: {what}"),
        }
    }
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> String {
        trouble.to_string()
    }
}
