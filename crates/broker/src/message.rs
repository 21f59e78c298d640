//! A message as the broker keeps it: one allocation, shared by reference count.
//!
//! ```text
//! ThinArc ─► count | Envelope | exchange | routing key | properties | body
//!                               └ lengths are in the envelope ┘
//! ```
//!
//! The content is the publisher's own bytes in the publisher's own protocol; nothing is
//! decoded again on the way to a consumer of the same protocol. What routing and queues
//! need was read once, on receipt, into the [`Envelope`].

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use triomphe::ThinArc;

/// The protocol in whose encoding a message's properties are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Origin {
    /// AMQP 0-9-1: property flags and property list as in the content header.
    Amqp091,
}

/// What the broker itself reads of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// Length of the body in bytes.
    pub body_bytes: u32,
    /// Length of the encoded properties in bytes.
    pub properties_bytes: u32,
    /// Length of the exchange name in bytes.
    pub exchange_bytes: u8,
    /// Length of the routing key in bytes.
    pub key_bytes: u8,
    /// Priority as published, 0 when absent.
    pub priority: u8,
    /// Published as persistent (AMQP 0-9-1: delivery-mode 2).
    pub persistent: bool,
    /// Encoding of the properties.
    pub origin: Origin,
}

impl Envelope {
    /// Bytes of the content that follow the envelope.
    fn content_bytes(&self) -> usize {
        usize::from(self.exchange_bytes)
            + usize::from(self.key_bytes)
            + self.properties_bytes as usize
            + self.body_bytes as usize
    }
}

/// What stands in front of the content.
#[derive(Debug)]
struct Head {
    envelope: Envelope,
    log_place: AtomicU64,
}

/// A message. Cloning counts a reference; the bytes are shared and never change.
#[derive(Clone)]
pub struct Message(ThinArc<Head, u8>);

impl Message {
    /// A message of its parts: content is exchange, routing key, properties and body, one after the
    /// other. `None` when the lengths do not fit, or names are no UTF-8.
    pub fn restore(envelope: Envelope, content: &[u8]) -> Option<Self> {
        let names = usize::from(envelope.exchange_bytes) + usize::from(envelope.key_bytes);
        let (exchange, key) = content.get(..names)?.split_at(envelope.exchange_bytes.into());
        let is_text = std::str::from_utf8(exchange).is_ok() && std::str::from_utf8(key).is_ok();
        (is_text && envelope.content_bytes() == content.len()).then(|| Self::new(envelope, content))
    }

    fn new(envelope: Envelope, content: &[u8]) -> Self {
        let head = Head {
            envelope,
            log_place: AtomicU64::new(UNSHARED),
        };
        Self(ThinArc::from_header_and_slice(head, content))
    }

    /// What the broker reads of the message.
    pub fn envelope(&self) -> &Envelope {
        &self.0.header.header.envelope
    }

    /// The message goes to several queues: whoever logs it first notes where its body stands, for
    /// the others to refer to.
    pub fn expect_sharing(&self) {
        self.place().store(UNLOGGED, Ordering::Relaxed);
    }

    /// Whether its body may be referred to by others.
    pub fn log_place(&self) -> LogPlace {
        match self.place().load(Ordering::Relaxed) {
            UNSHARED => LogPlace::Unshared,
            UNLOGGED => LogPlace::Unlogged,
            place => LogPlace::At(place),
        }
    }

    /// Notes where its body was logged.
    pub fn set_log_place(&self, place: u64) {
        self.place().store(place, Ordering::Relaxed);
    }

    fn place(&self) -> &AtomicU64 {
        &self.0.header.header.log_place
    }

    /// The exchange it was published to; empty for the default exchange.
    pub fn exchange(&self) -> &str {
        self.text(0, self.envelope().exchange_bytes.into())
    }

    /// The routing key it was published with.
    pub fn routing_key(&self) -> &str {
        let start = usize::from(self.envelope().exchange_bytes);
        self.text(start, self.envelope().key_bytes.into())
    }

    /// The properties in the encoding of [`Envelope::origin`].
    pub fn properties(&self) -> &[u8] {
        let start = self.properties_start();
        self.range(start, self.envelope().properties_bytes as usize)
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        let start = self.properties_start() + self.envelope().properties_bytes as usize;
        self.range(start, self.envelope().body_bytes as usize)
    }

    /// Exchange, routing key, properties and body, one after the other.
    pub fn content(&self) -> &[u8] {
        &self.0.slice
    }

    /// Bytes of memory that the message takes, its bookkeeping and its place in a queue included.
    pub fn memory_bytes(&self) -> usize {
        self.0.slice.len() + size_of::<Head>() + BOOKKEEPING_BYTES
    }

    fn properties_start(&self) -> usize {
        usize::from(self.envelope().exchange_bytes) + usize::from(self.envelope().key_bytes)
    }

    fn range(&self, start: usize, len: usize) -> &[u8] {
        self.0.slice.get(start..start + len).unwrap_or_default()
    }

    fn text(&self, start: usize, len: usize) -> &str {
        // Names and keys come in as `&str`, so this never falls back.
        std::str::from_utf8(self.range(start, len)).unwrap_or_default()
    }
}

/// What a message takes besides its head and content: count, length, the allocator's rounding, and a
/// queue's entry.
const BOOKKEEPING_BYTES: usize = 48;

const UNSHARED: u64 = 0;
const UNLOGGED: u64 = u64::MAX;

/// Where in the log the body of a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPlace {
    /// Nobody will refer to it.
    Unshared,
    /// Others will refer to it; it is not in the log yet.
    Unlogged,
    /// There, in the words of whoever logged it.
    At(u64),
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("exchange", &self.exchange())
            .field("routing_key", &self.routing_key())
            .field("body_bytes", &self.envelope().body_bytes)
            .finish_non_exhaustive()
    }
}

/// A name or a part of a message is longer than its field can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message part of {bytes} bytes is longer than its field can say")]
pub struct TooLong {
    /// Length of the part.
    pub bytes: usize,
}

/// Gathers the parts of messages, one after the other, in a buffer that is used again.
#[derive(Debug, Default)]
pub struct Builder {
    buffer: Vec<u8>,
    body_start: usize,
    head: Option<Envelope>,
}

/// A buffer that grew past this is given back after its message.
const KEPT_BYTES_MAX: usize = 256 * 1024;

impl Builder {
    /// Begins a message. The body follows by [`Builder::push_body`].
    ///
    /// # Errors
    /// [`TooLong`] when the exchange or the key has more than 255 bytes.
    pub fn begin(&mut self, exchange: &str, key: &str, properties: &[u8]) -> Result<(), TooLong> {
        let short = |text: &str| u8::try_from(text.len()).map_err(|_| TooLong { bytes: text.len() });
        let envelope = Envelope {
            body_bytes: 0,
            properties_bytes: u32::try_from(properties.len()).map_err(|_| TooLong {
                bytes: properties.len(),
            })?,
            exchange_bytes: short(exchange)?,
            key_bytes: short(key)?,
            priority: 0,
            persistent: false,
            origin: Origin::Amqp091,
        };
        self.buffer.clear();
        self.buffer.extend_from_slice(exchange.as_bytes());
        self.buffer.extend_from_slice(key.as_bytes());
        self.buffer.extend_from_slice(properties);
        self.body_start = self.buffer.len();
        self.head = Some(envelope);
        Ok(())
    }

    /// Adds the next piece of the body. Memory grows by what came, not by what was announced.
    pub fn push_body(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes of body gathered so far.
    pub fn body_bytes(&self) -> usize {
        self.buffer.len() - self.body_start
    }

    /// The message begun last; `None` when none was begun or its body passes 4 GiB.
    pub fn finish(&mut self, persistent: bool, priority: u8) -> Option<Message> {
        let mut envelope = self.head.take()?;
        envelope.body_bytes = u32::try_from(self.body_bytes()).ok()?;
        envelope.persistent = persistent;
        envelope.priority = priority;
        debug_assert_eq!(envelope.content_bytes(), self.buffer.len());
        let message = Message::new(envelope, &self.buffer);
        self.buffer.clear();
        self.body_start = 0;
        if self.buffer.capacity() > KEPT_BYTES_MAX {
            self.buffer = Vec::new();
        }
        Some(message)
    }

    /// Puts other properties in the place of those of the message begun last.
    ///
    /// # Errors
    /// [`TooLong`] above 4 GiB.
    pub fn replace_properties(&mut self, properties: &[u8]) -> Result<(), TooLong> {
        let Some(head) = &mut self.head else { return Ok(()) };
        let start = usize::from(head.exchange_bytes) + usize::from(head.key_bytes);
        head.properties_bytes = u32::try_from(properties.len()).map_err(|_| TooLong {
            bytes: properties.len(),
        })?;
        self.buffer
            .splice(start..self.body_start, properties.iter().copied());
        self.body_start = start + properties.len();
        Ok(())
    }

    /// Forgets an unfinished message.
    pub fn abandon(&mut self) {
        self.head = None;
        self.buffer = Vec::new();
        self.body_start = 0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn parts_come_back_as_they_went_in() {
        let mut builder = Builder::default();
        builder.begin("amq.topic", "a.b", &[0x10, 0, 2]).unwrap();
        builder.push_body(b"hel");
        builder.push_body(b"lo");
        let message = builder.finish(true, 7).unwrap();
        assert_eq!(message.exchange(), "amq.topic");
        assert_eq!(message.routing_key(), "a.b");
        assert_eq!(message.properties(), [0x10, 0, 2]);
        assert_eq!(message.body(), b"hello");
        assert!(message.envelope().persistent);
        assert_eq!(message.envelope().priority, 7);
    }

    #[test]
    fn empty_message_and_reuse() {
        let mut builder = Builder::default();
        builder.begin("", "", &[]).unwrap();
        let empty = builder.finish(false, 0).unwrap();
        assert!(empty.body().is_empty() && empty.properties().is_empty());
        builder.begin("x", "y", &[1]).unwrap();
        builder.push_body(&[9; 10]);
        assert_eq!(builder.finish(false, 0).unwrap().body(), [9; 10]);
        assert!(builder.finish(false, 0).is_none(), "nothing begun");
    }

    #[test]
    fn properties_can_be_replaced_at_the_end() {
        let mut builder = Builder::default();
        builder.begin("x", "y", &[1, 2, 3]).unwrap();
        builder.push_body(b"body");
        builder.replace_properties(&[4]).unwrap();
        let message = builder.finish(false, 0).unwrap();
        assert_eq!((message.properties(), message.body()), (&[4][..], &b"body"[..]));
        assert_eq!(message.routing_key(), "y");
    }

    #[test]
    fn a_message_comes_back_from_its_parts() {
        let mut builder = Builder::default();
        builder.begin("amq.topic", "a.b", &[0x10, 0, 2]).unwrap();
        builder.push_body(b"hello");
        let message = builder.finish(true, 7).unwrap();
        let again = Message::restore(*message.envelope(), message.content()).unwrap();
        assert_eq!(again.envelope(), message.envelope());
        assert_eq!(again.content(), message.content());
        let short = message.content().split_last().unwrap().1;
        assert!(Message::restore(*message.envelope(), short).is_none());
        let mut torn = message.content().to_vec();
        torn[0] = 0xff;
        assert!(Message::restore(*message.envelope(), &torn).is_none(), "no text");
    }

    #[test]
    fn long_names_are_refused() {
        let mut builder = Builder::default();
        let long = "k".repeat(256);
        assert_eq!(builder.begin("", &long, &[]), Err(TooLong { bytes: 256 }));
    }
}
