//! What the broker has to know of a message after it was published, and what only its origin's encoding
//! tells: asked of those who know it.

use std::fmt::Debug;
use std::sync::Arc;
use warren_broker::message::Message;
use warren_broker::queue::HeaderReader;
use warren_broker::value::{Table, Value};

/// Reads messages in the encodings of their origins: of all that front-ends of this broker publish in. Asked
/// when a message is routed again, as a dead letter is; never on the way of a plain one.
///
/// Whoever implements it may be given any bytes, for messages come from disk as well: what is not understood
/// is not there.
pub trait Dialect: Debug + Send + Sync {
    /// The headers that exchanges route by: the application's, and what is said of deaths.
    fn headers(&self, message: &Message) -> Option<Table>;

    /// The application's identifier of the message.
    fn message_id<'m>(&self, message: &'m Message) -> Option<&'m [u8]>;

    /// The application's identifier of what the message belongs to.
    fn correlation_id<'m>(&self, message: &'m Message) -> Option<&'m [u8]>;

    /// The application's time of sending, in seconds since 1970.
    fn timestamp(&self, message: &Message) -> Option<u64>;
}

/// Understands nothing: for nodes without front-ends.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDialect;

impl Dialect for NoDialect {
    fn headers(&self, _: &Message) -> Option<Table> {
        None
    }

    fn message_id<'m>(&self, _: &'m Message) -> Option<&'m [u8]> {
        None
    }

    fn correlation_id<'m>(&self, _: &'m Message) -> Option<&'m [u8]> {
        None
    }

    fn timestamp(&self, _: &Message) -> Option<u64> {
        None
    }
}

/// Reads single headers, for queues.
#[derive(Debug)]
pub(crate) struct Reading(pub(crate) Arc<dyn Dialect>);

impl HeaderReader for Reading {
    fn header(&self, message: &Message, name: &str) -> Option<Value> {
        self.0.headers(message)?.get(name).cloned()
    }
}
