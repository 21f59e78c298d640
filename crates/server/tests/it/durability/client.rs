//! Messages as they are published and come back, and a publisher that waits for its confirms.

use std::collections::BTreeSet;
use std::fmt;

use warren_protocol::amqp091::method::{Method, basic};
use warren_protocol::amqp091::properties::Fields;
use warren_testkit::peer::{Delivery, Peer, publish_with};

use crate::program::Program;

/// All of a message that has to come back as it was.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) exchange: String,
    pub(super) key: String,
    pub(super) properties: Vec<u8>,
    pub(super) body: Vec<u8>,
}

impl Message {
    /// Through the default exchange, with no property but the mode.
    pub(super) fn new(queue: &str, is_persistent: bool, body: impl Into<Vec<u8>>) -> Self {
        let fields = Fields {
            delivery_mode: Some(if is_persistent { 2 } else { 1 }),
            ..Fields::default()
        };
        Self {
            exchange: String::new(),
            key: queue.to_owned(),
            properties: encoded(&fields),
            body: body.into(),
        }
    }

    /// A persistent one of so many bytes, all of which follow from its number.
    pub(super) fn numbered(queue: &str, number: u64, bytes: usize) -> Self {
        Self::new(queue, true, body(number, bytes))
    }

    pub(super) fn with(self, fields: &Fields<'_>) -> Self {
        Self {
            properties: encoded(fields),
            ..self
        }
    }

    pub(super) fn through(self, exchange: &str, key: &str) -> Self {
        Self {
            exchange: exchange.to_owned(),
            key: key.to_owned(),
            ..self
        }
    }
}

impl From<Delivery> for Message {
    fn from(delivery: Delivery) -> Self {
        Self {
            exchange: delivery.exchange,
            key: delivery.routing_key,
            properties: delivery.properties,
            body: delivery.body,
        }
    }
}

/// Bodies are long: their beginning and their length tell them apart.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (exchange, key, bytes) = (&self.exchange, &self.key, self.body.len());
        let beginning = &self.body[..bytes.min(8)];
        write!(
            f,
            "{exchange}/{key} {:x?} {beginning:x?} of {bytes}",
            self.properties
        )
    }
}

fn encoded(fields: &Fields<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    fields.encode(&mut out).unwrap();
    out
}

/// A body that begins with its number, as far as it is long enough, and has no two pages alike.
pub(super) fn body(number: u64, bytes: usize) -> Vec<u8> {
    let mut state = number;
    let words = std::iter::once(number).chain(std::iter::repeat_with(|| {
        // Constants of Knuth's MMIX.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state
    }));
    words.flat_map(u64::to_be_bytes).take(bytes).collect()
}

/// The number in a body of [`body`].
pub(super) fn number(body: &[u8]) -> u64 {
    u64::from_be_bytes(*body.first_chunk().unwrap())
}

pub(super) fn numbers(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| number(&delivery.body)).collect()
}

/// A peer in confirm mode.
pub(super) struct Publisher {
    pub(super) peer: Peer,
    published: u64,
    /// Tags that were neither acknowledged nor refused. Confirms of messages that need no disk overtake
    /// others.
    open: BTreeSet<u64>,
}

impl Publisher {
    pub(super) fn of(program: &Program) -> Self {
        let mut peer = program.peer();
        peer.confirm().unwrap();
        Self {
            peer,
            published: 0,
            open: BTreeSet::new(),
        }
    }

    pub(super) fn publish(&mut self, message: &Message) {
        let mut out = Vec::new();
        let Message {
            exchange,
            key,
            properties,
            body,
        } = message;
        publish_with(1, exchange, key, properties, body, &mut out);
        self.peer.write(&out).unwrap();
        self.published += 1;
        self.open.insert(self.published);
    }

    /// Hears confirms until none is missing.
    pub(super) fn hear_confirms(&mut self) {
        while !self.open.is_empty() {
            let heard = self.peer.frame().unwrap();
            match heard.method().unwrap() {
                Method::BasicAck(ack) if ack.multiple => {
                    self.open = self.open.split_off(&(ack.delivery_tag + 1));
                }
                Method::BasicAck(ack) => assert!(self.open.remove(&ack.delivery_tag), "{ack:?}"),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Publishes all of these, and waits until they are confirmed.
    pub(super) fn publish_all<'m>(&mut self, messages: impl IntoIterator<Item = &'m Message>) {
        messages.into_iter().for_each(|message| self.publish(message));
        self.hear_confirms();
    }
}

/// Gets so many messages, of which there must be as many, and settles none.
pub(super) fn get(peer: &mut Peer, queue: &str, count: usize) -> Vec<Delivery> {
    let one = |_| peer.get(queue, false).unwrap().expect("one more message");
    (0..count).map(one).collect()
}

/// Takes all that is ready out of a queue.
pub(super) fn take_all(peer: &mut Peer, queue: &str) -> Vec<Delivery> {
    std::iter::from_fn(|| peer.get(queue, true).unwrap()).collect()
}

/// The same as messages.
pub(super) fn take_messages(peer: &mut Peer, queue: &str) -> Vec<Message> {
    take_all(peer, queue).into_iter().map(Message::from).collect()
}

/// Puts one back.
pub(super) fn requeue(peer: &mut Peer, delivery: &Delivery) {
    let reject = basic::Reject {
        delivery_tag: delivery.tag,
        requeue: true,
    };
    peer.send(delivery.channel, reject).unwrap();
}

/// Asks, and so hears that all before it was done.
pub(super) fn has_ready(peer: &mut Peer, queue: &str, count: usize) {
    assert_eq!(peer.ready(queue).unwrap() as usize, count, "ready in {queue}");
}
