//! A message as the broker keeps it: one allocation, shared by reference count.
//!
//! ```text
//! ThinArc ─► count | Envelope | exchange | routing key | properties | body | annotations, their length
//!                               └───── lengths are in the envelope ─────┘   └────── of few ──────┘
//! ```
//!
//! The content is the publisher's own bytes in the publisher's own protocol; nothing is
//! decoded again on the way to a consumer of the same protocol. What routing and queues
//! need was read once, on receipt, into the [`Envelope`]. What the broker has to say of few messages
//! stands behind the body, see [`Annotations`].

mod alloc;
pub mod annotations;
mod deaths;

pub use annotations::{Annotations, AnnotationsWriter, Tags};
pub use deaths::{Brief, Death, Deaths, Reason, dead_letter};

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
    /// When the broker took it, in ms since 1970; 0: not known.
    pub published_ms: u64,
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
    /// Published with a priority.
    pub has_priority: bool,
    /// Published as persistent (AMQP 0-9-1: delivery-mode 2).
    pub persistent: bool,
    /// Encoding of the properties.
    pub origin: Origin,
    /// What is noted of it. Found when the message is made, whatever is said here.
    pub noted: Tags,
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

impl Head {
    fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            log_place: AtomicU64::new(UNSHARED),
        }
    }
}

/// What a message is made of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts<'a> {
    /// The exchange it was published to; empty for the default exchange.
    pub exchange: &'a str,
    /// The routing key.
    pub key: &'a str,
    /// Encoded properties.
    pub properties: &'a [u8],
    /// The body.
    pub body: &'a [u8],
    /// Published as persistent.
    pub persistent: bool,
    /// Priority as published.
    pub priority: Option<u8>,
    /// When the broker took it, in ms since 1970; 0: not known.
    pub published_ms: u64,
    /// What is noted of it, see [`AnnotationsWriter::bytes`]. Empty for most messages.
    pub annotations: &'a [u8],
}

/// A message. Cloning counts a reference; the bytes are shared and never change.
#[derive(Clone)]
pub struct Message(ThinArc<Head, u8>);

impl Message {
    /// A message of what [`Message::stored`] gave. `None` when the lengths do not fit, or names are no UTF-8.
    pub fn restore(mut envelope: Envelope, stored: &[u8]) -> Option<Self> {
        let names = usize::from(envelope.exchange_bytes) + usize::from(envelope.key_bytes);
        let (exchange, key) = stored.get(..names)?.split_at(envelope.exchange_bytes.into());
        let is_text = std::str::from_utf8(exchange).is_ok() && std::str::from_utf8(key).is_ok();
        let tail = stored.get(envelope.content_bytes()..)?;
        let fits = tail.is_empty() || annotations::tail_bytes(tail) == Some(tail.len());
        let list = tail.get(..tail.len().saturating_sub(annotations::LENGTH_BYTES));
        envelope.noted = Annotations::new(list.unwrap_or_default()).tags();
        (is_text && fits).then(|| Self(alloc::thin(Head::new(envelope), [stored])))
    }

    /// A message of its parts.
    ///
    /// # Errors
    /// [`TooLong`] when the exchange or the key has more than 255 bytes, properties, body or annotations
    /// more than 4 GiB.
    #[inline]
    pub fn of(parts: &Parts<'_>) -> Result<Self, TooLong> {
        let Parts {
            exchange,
            key,
            properties,
            body,
            persistent,
            priority,
            published_ms,
            annotations,
        } = *parts;
        let envelope = Envelope {
            published_ms,
            body_bytes: long(body)?,
            properties_bytes: long(properties)?,
            exchange_bytes: short(exchange)?,
            key_bytes: short(key)?,
            priority: priority.unwrap_or(0),
            has_priority: priority.is_some(),
            persistent,
            origin: Origin::Amqp091,
            noted: Annotations::new(annotations).tags(),
        };
        let head = Head::new(envelope);
        let content = [exchange.as_bytes(), key.as_bytes(), properties, body];
        if annotations.is_empty() {
            return Ok(Self(alloc::thin(head, content)));
        }
        let [exchange, key, properties, body] = content;
        let length = &long(annotations)?.to_le_bytes();
        let all = [exchange, key, properties, body, annotations, length];
        Ok(Self(alloc::thin(head, all)))
    }

    /// The same properties and body under another exchange and key, with other annotations.
    ///
    /// # Errors
    /// As [`Message::of`].
    pub fn reissued(&self, exchange: &str, key: &str, annotations: &[u8]) -> Result<Self, TooLong> {
        let published_ms = self.envelope().published_ms;
        self.reissued_at(published_ms, exchange, key, annotations)
    }

    /// The same message, as if it had been published at this time, in milliseconds since 1970.
    pub fn published_again(&self, now_ms: u64) -> Self {
        let annotations = self.annotations().bytes();
        let again = self.reissued_at(now_ms, self.exchange(), self.routing_key(), annotations);
        // All parts come from a message, so none is too long.
        again.unwrap_or_else(|_| self.clone())
    }

    /// It counts as published at this time, in milliseconds since 1970. Copies it where it is shared.
    pub fn publish_at(&mut self, now_ms: u64) {
        let is_set = self.0.with_arc_mut(|shared| {
            let alone = triomphe::Arc::get_mut(shared);
            alone.map(|alone| alone.header_mut().envelope.published_ms = now_ms)
        });
        if is_set.is_none() {
            *self = self.published_again(now_ms);
        }
    }

    /// As [`Message::reissued`], published at another time.
    fn reissued_at(
        &self,
        published_ms: u64,
        exchange: &str,
        key: &str,
        annotations: &[u8],
    ) -> Result<Self, TooLong> {
        let envelope = self.envelope();
        Self::of(&Parts {
            exchange,
            key,
            properties: self.properties(),
            body: self.body(),
            persistent: envelope.persistent,
            priority: envelope.has_priority.then_some(envelope.priority),
            published_ms,
            annotations,
        })
    }

    /// What the broker reads of the message.
    pub fn envelope(&self) -> &Envelope {
        &self.0.header.header.envelope
    }

    /// The message goes to so many queues. If it will be logged more than once, by several queues or by one
    /// that delays it, whoever logs it first notes where its body stands, to be referred to.
    #[inline]
    pub fn expect_queues(&self, count: usize) {
        if count > 1 {
            self.set_log_place(UNLOGGED);
        } else if self.envelope().persistent && self.envelope().noted.has_due() {
            self.set_log_place(UNLOGGED_ONCE);
        }
    }

    /// Whether its body may be referred to.
    pub fn log_place(&self) -> LogPlace {
        match self.place().load(Ordering::Relaxed) {
            UNSHARED => LogPlace::Unshared,
            UNLOGGED => LogPlace::Unlogged { is_once: false },
            UNLOGGED_ONCE => LogPlace::Unlogged { is_once: true },
            place => LogPlace::At(place),
        }
    }

    /// Notes where its body was logged: not 0, and neither of the two highest numbers.
    pub fn set_log_place(&self, place: u64) {
        self.place().store(place, Ordering::Relaxed);
    }

    /// The log is not kept for its body any more, by a queue: nobody refers to it from now on.
    pub fn forget_log_place(&self) {
        self.set_log_place(UNSHARED);
    }

    fn place(&self) -> &AtomicU64 {
        &self.0.header.header.log_place
    }

    /// The exchange it was published to; empty for the default exchange.
    pub fn exchange(&self) -> &str {
        as_text(self.names().0)
    }

    /// The routing key it was published with.
    pub fn routing_key(&self) -> &str {
        as_text(self.names().1)
    }

    /// Exchange and routing key as bytes, at most 255 each, for those who pass them on.
    #[inline]
    pub fn names(&self) -> (&[u8], &[u8]) {
        let exchange = usize::from(self.envelope().exchange_bytes);
        let key = self.range(exchange, self.envelope().key_bytes.into());
        (self.range(0, exchange), key)
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
        self.range(0, self.envelope().content_bytes())
    }

    /// The content, and behind it the annotations and their length, if there are any: what is to be kept of
    /// the message besides its envelope.
    pub fn stored(&self) -> &[u8] {
        &self.0.slice
    }

    /// Whether anything is noted of the message.
    #[inline]
    pub fn is_annotated(&self) -> bool {
        self.0.slice.len() > self.envelope().content_bytes()
    }

    /// What is noted of the message.
    pub fn annotations(&self) -> Annotations<'_> {
        let start = self.envelope().content_bytes();
        let end = self.0.slice.len().saturating_sub(annotations::LENGTH_BYTES);
        Annotations::new(self.0.slice.get(start..end).unwrap_or_default())
    }

    /// The routing keys that it goes by beside [`Message::routing_key`], whether or not consumers are told.
    pub fn further_keys(&self) -> impl Iterator<Item = &str> + Clone {
        let noted = self.annotations();
        noted.keys().chain(noted.hidden_keys())
    }

    /// When the broker took it, in milliseconds since 1970; 0: not known.
    pub fn published_ms(&self) -> u64 {
        self.envelope().published_ms
    }

    /// Its own time to live, in milliseconds from when it was published.
    pub fn ttl_ms(&self) -> Option<u64> {
        let noted = self.envelope().noted;
        noted.has_ttl().then(|| self.annotations().ttl_ms()).flatten()
    }

    /// When it is due, in milliseconds since 1970: nobody gets it before.
    pub fn due_ms(&self) -> Option<u64> {
        let noted = self.envelope().noted;
        noted.has_due().then(|| self.annotations().due_ms()).flatten()
    }

    /// Whether it is a dead letter.
    #[inline]
    pub fn is_dead_letter(&self) -> bool {
        self.envelope().noted.has_deaths()
    }

    /// Why it is a dead letter, if it is one.
    pub fn deaths(&self) -> Option<Deaths<'_>> {
        self.is_dead_letter()
            .then(|| self.annotations().deaths())
            .flatten()
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
}

fn as_text(name: &[u8]) -> &str {
    // Names and keys come in as `&str`, so this never falls back.
    std::str::from_utf8(name).unwrap_or_default()
}

/// What a message takes besides its head and content: count, length, the allocator's rounding, and a
/// queue's entry.
const BOOKKEEPING_BYTES: usize = 48;

const UNSHARED: u64 = 0;
const UNLOGGED: u64 = u64::MAX;
const UNLOGGED_ONCE: u64 = u64::MAX - 1;

/// Where in the log the body of a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPlace {
    /// Nobody will refer to it.
    Unshared,
    /// It will be referred to; it is not in the log yet.
    Unlogged {
        /// Once, by the queue that logs it.
        is_once: bool,
    },
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

fn short(text: &str) -> Result<u8, TooLong> {
    u8::try_from(text.len()).map_err(|_| TooLong { bytes: text.len() })
}

fn long(bytes: &[u8]) -> Result<u32, TooLong> {
    u32::try_from(bytes.len()).map_err(|_| TooLong { bytes: bytes.len() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    const PARTS: Parts<'_> = Parts {
        exchange: "amq.topic",
        key: "a.b",
        properties: &[0x10, 0, 2],
        body: b"hello",
        persistent: true,
        priority: Some(7),
        published_ms: 1_700_000_000_000,
        annotations: &[],
    };

    #[test]
    fn parts_come_back_as_they_went_in() {
        let message = Message::of(&PARTS).unwrap();
        assert_eq!(message.exchange(), "amq.topic");
        assert_eq!(message.routing_key(), "a.b");
        assert_eq!(message.properties(), [0x10, 0, 2]);
        assert_eq!(message.body(), b"hello");
        assert_eq!(message.content(), b"amq.topica.b\x10\0\x02hello");
        assert!(message.envelope().persistent);
        assert_eq!(message.envelope().priority, 7);
    }

    #[test]
    fn any_part_may_be_empty() {
        let empty = Message::of(&Parts::default()).unwrap();
        assert!(empty.body().is_empty() && empty.properties().is_empty());
        assert_eq!((empty.exchange(), empty.routing_key()), ("", ""));
        assert_eq!(empty.names(), (&b""[..], &b""[..]));
    }

    #[test]
    fn a_message_comes_back_from_its_content() {
        let message = Message::of(&PARTS).unwrap();
        let again = Message::restore(*message.envelope(), message.content()).unwrap();
        assert_eq!(again.envelope(), message.envelope());
        assert_eq!(again.content(), message.content());
        let short = message.content().split_last().unwrap().1;
        assert!(Message::restore(*message.envelope(), short).is_none());
        let mut torn = message.content().to_vec();
        torn[0] = 0xff;
        assert!(Message::restore(*message.envelope(), &torn).is_none(), "no text");
    }

    fn noted() -> AnnotationsWriter {
        let mut noted = AnnotationsWriter::default();
        noted.ttl_ms(250);
        noted
    }

    #[test]
    fn annotations_stand_behind_the_body() {
        let plain = Message::of(&PARTS).unwrap();
        assert!(!plain.is_annotated() && plain.annotations().is_empty());
        assert_eq!(plain.stored(), plain.content());
        let noted = noted();
        let parts = Parts {
            annotations: noted.bytes(),
            ..PARTS
        };
        let message = Message::of(&parts).unwrap();
        assert!(message.is_annotated());
        assert_eq!(message.annotations().bytes(), noted.bytes());
        assert_eq!((message.ttl_ms(), message.due_ms()), (Some(250), None));
        assert_eq!(message.content(), plain.content());
        assert_eq!(message.body(), b"hello");
        let again = Message::restore(*message.envelope(), message.stored()).unwrap();
        assert_eq!(again.stored(), message.stored());
        assert_eq!(again.annotations(), message.annotations());
        for cut in plain.content().len() + 1..message.stored().len() {
            let cut = &message.stored()[..cut];
            assert!(Message::restore(*message.envelope(), cut).is_none());
        }
    }

    #[test]
    fn a_message_is_reissued_under_other_names() {
        let noted = noted();
        let message = Message::of(&PARTS).unwrap();
        let again = message.reissued("dlx", "other", noted.bytes()).unwrap();
        assert_eq!((again.exchange(), again.routing_key()), ("dlx", "other"));
        assert_eq!(again.properties(), message.properties());
        assert_eq!(again.body(), message.body());
        assert_eq!(again.published_ms(), 1_700_000_000_000);
        assert_eq!(again.ttl_ms(), Some(250));
        assert!(again.envelope().persistent && again.envelope().priority == 7);
        let back = again.reissued("amq.topic", "a.b", &[]).unwrap();
        assert_eq!(back.stored(), message.stored());
        assert!(message.reissued(&"x".repeat(256), "", &[]).is_err());
    }

    #[test]
    fn a_message_is_published_again_at_another_time() {
        let noted = noted();
        let message = Message::of(&Parts {
            annotations: noted.bytes(),
            published_ms: 5,
            priority: Some(3),
            ..PARTS
        })
        .unwrap();
        let again = message.published_again(70);
        assert_eq!(again.published_ms(), 70);
        let same = Envelope {
            published_ms: 5,
            ..*again.envelope()
        };
        assert_eq!(same, *message.envelope());
        assert_eq!(again.stored(), message.stored());
    }

    #[test]
    fn another_hour_is_set_in_place_unless_others_know_the_message() {
        let mut message = Message::of(&PARTS).unwrap();
        let bytes = message.stored().as_ptr();
        message.publish_at(70);
        assert_eq!((message.published_ms(), message.stored().as_ptr()), (70, bytes));
        let other = message.clone();
        message.publish_at(71);
        assert_eq!((message.published_ms(), other.published_ms()), (71, 70));
        assert_eq!(message.stored(), other.stored());
    }

    #[test]
    fn the_envelope_is_small() {
        assert_eq!((size_of::<Envelope>(), size_of::<Head>()), (24, 32));
    }

    #[test]
    fn long_names_are_refused() {
        let long = "k".repeat(256);
        let parts = Parts { key: &long, ..PARTS };
        assert_eq!(Message::of(&parts).unwrap_err(), TooLong { bytes: 256 });
    }
}
