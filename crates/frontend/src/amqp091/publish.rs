//! `basic.publish`: content comes in over three or more frames, is checked as RabbitMQ checks
//! it and in that order, becomes a message, is routed and gathered in the batch.
//!
//! ```text
//!   method frame     header frame            body frames
//!   exchange, key    size, properties        bytes ...
//! ```
//! Spec: 0-9-1 §4.2.6. Memory grows by what came, never by the size announced.

use super::channel::{Channel, Mode};
use super::deliver;
use super::due;
use super::refusal::{self, Failure};
use super::shared::Shared;
use super::special::{Special, is_plain};
use crate::convert;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;
use warren_broker::message::{Message, Parts};
use warren_broker::route::{Headers, Property};
use warren_broker::value;
use warren_node::{Keys, REPLY_TO, Route};
use warren_protocol::amqp091::content::ContentHeader;
use warren_protocol::amqp091::frame;
use warren_protocol::amqp091::method::{Method, basic};
use warren_protocol::amqp091::properties::Properties;
use warren_protocol::amqp091::table::Table;

/// Which frame of a content is expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Expected {
    /// No content: a method.
    #[default]
    Method,
    Header,
    /// Body, of which so much is missing. Negative when more came than was announced; then
    /// nothing ends it but an error.
    Body(i128),
}

/// The content that is coming in on a channel. The buffers are used again.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    expected: Expected,
    exchange: String,
    key: String,
    mandatory: bool,
    immediate: bool,
    announced_bytes: u64,
    properties: Vec<u8>,
    body: Vec<u8>,
}

/// How the payload of `basic.publish` begins: its class and its method.
const PUBLISH: [u8; 4] = [0, 60, 0, 40];

/// A body's buffer that grew past this is given back after its message: each channel has its own.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// The room made ahead for a body is at most so many times what of it came.
const ROOM_AHEAD: usize = 7;

/// What a publish says, borrowed from where it stands.
struct Content<'a> {
    exchange: &'a str,
    key: &'a str,
    mandatory: bool,
    immediate: bool,
    announced_bytes: u64,
    properties: &'a [u8],
    /// Of a body larger than is allowed, not all of it.
    body: &'a [u8],
}

/// A publish of which all is there: the frames of method and header, and of the body if there is any, one
/// behind the other. Most are.
pub(super) struct Whole<'a> {
    pub(super) channel: u16,
    /// Octets that the frames take.
    pub(super) octets: usize,
    content: Content<'a>,
}

/// The unfinished messages of a connection may take as much as so many of the largest ones, and
/// the uncommitted ones as well.
const LARGEST_HELD_MAX: u64 = 8;

/// Whether a connection holds no more than it may before its messages are with a queue.
fn check_held(what: &str, bytes: usize, shared: &Shared) -> Result<(), Failure> {
    let max = LARGEST_HELD_MAX.saturating_mul(shared.settings.message_bytes_max);
    if bytes as u64 <= max {
        return Ok(());
    }
    let text = format!("{what} messages of this connection take more than {max} bytes");
    Err(at_publish(Failure::connection(refusal::RESOURCE_ERROR, text)))
}

/// A message and where it goes.
#[derive(Debug)]
pub(super) struct Routed {
    message: Message,
    route: Arc<Route>,
    mandatory: bool,
    /// Addresses of reply consumers among its keys.
    replies: Vec<String>,
}

impl Routed {
    /// Gathers it for its queues, and nothing else yet. It counts as published now: a time to live begins
    /// when a message comes to its queue.
    pub(super) fn gather(&mut self, shared: &mut Shared, now_ms: u64) {
        self.message.publish_at(now_ms);
        if let Some(client) = &shared.client {
            client.enqueue(&mut shared.batch, &self.route, self.message.clone(), 0);
        }
    }
}

impl Incoming {
    pub(super) fn is_expecting_content(&self) -> bool {
        self.expected != Expected::Method
    }

    /// Bytes of body that are held until the content is complete.
    pub(super) fn held_bytes(&self) -> usize {
        self.body.len()
    }

    fn content(&self) -> Content<'_> {
        Content {
            exchange: &self.exchange,
            key: &self.key,
            mandatory: self.mandatory,
            immediate: self.immediate,
            announced_bytes: self.announced_bytes,
            properties: &self.properties,
            body: &self.body,
        }
    }

    /// What to say when another frame comes instead of the content frame that is due.
    pub(super) fn missing(&self) -> Failure {
        let text = match self.expected {
            Expected::Header => "expected content header for class 60, got non content header frame instead",
            _ => "expected content body, got non content body frame instead",
        };
        at_publish(Failure::connection(refusal::UNEXPECTED_FRAME, text))
    }
}

impl<'a> Whole<'a> {
    /// The publish at the head of `bytes`. `None` when it is something else, not all there, or in any way
    /// wrong: then it is taken frame by frame, and whatever is to be said of it is said there.
    #[inline]
    pub(super) fn find(bytes: &'a [u8], payload_max: u32) -> Option<Self> {
        if !bytes.get(frame::HEAD..)?.starts_with(&PUBLISH) {
            return None;
        }
        let mut rest = bytes;
        let mut next = |kind: frame::Kind| match frame::decode(rest, payload_max) {
            Ok(frame::Step::Frame { frame, consumed }) if frame.kind == kind.octet() => {
                rest = rest.get(consumed..)?;
                Some(frame)
            }
            _ => None,
        };
        let method = next(frame::Kind::Method)?;
        let header = next(frame::Kind::Header)?;
        let Ok(Method::BasicPublish(publish)) = Method::decode(method.payload) else {
            return None;
        };
        let announced = ContentHeader::parse(header.payload).ok()?;
        let body = match announced.body_size {
            0 => &[],
            _ => {
                let body = next(frame::Kind::Body).filter(|body| body.channel == method.channel)?;
                body.payload
            }
        };
        let is_whole = header.channel == method.channel
            && announced.class_id == basic::Publish::CLASS
            && announced.weight == 0
            && announced.body_size == body.len() as u64;
        is_whole.then(|| Self {
            channel: method.channel,
            octets: bytes.len() - rest.len(),
            content: Content {
                exchange: publish.exchange,
                key: publish.routing_key,
                mandatory: publish.mandatory,
                immediate: publish.immediate,
                announced_bytes: announced.body_size,
                properties: announced.properties,
                body,
            },
        })
    }
}

/// Makes room for a piece of a body of which `missing` octets are still to come behind it: at once for all,
/// where that is not much beside what came.
fn make_room(body: &mut Vec<u8>, piece: usize, missing: i128) {
    let came = body.len() + piece;
    if body.capacity() < came {
        let missing = usize::try_from(missing).unwrap_or(usize::MAX);
        body.reserve_exact(piece + missing.min(came.saturating_mul(ROOM_AHEAD)));
    }
}

fn at_publish(failure: Failure) -> Failure {
    failure.at(basic::Publish::CLASS, basic::Publish::METHOD)
}

/// A content frame without a method before it.
pub(super) fn stray() -> Failure {
    let text = "expected method frame, got non method frame instead";
    Failure::connection(refusal::UNEXPECTED_FRAME, text).at_none()
}

/// The headers and properties of a message, parsed when routing asks for them.
struct LazyHeaders<'a> {
    properties: &'a Properties<'a>,
    raw: Option<Table<'a>>,
    parsed: OnceCell<Option<value::Table>>,
}

impl Headers for LazyHeaders<'_> {
    fn headers(&self) -> Option<&value::Table> {
        self.parsed.get_or_init(|| self.raw.map(convert::table)).as_ref()
    }

    fn property(&self, property: Property) -> Option<Cow<'_, [u8]>> {
        match property {
            Property::MessageId => self.properties.message_id().map(Cow::Borrowed),
            Property::CorrelationId => self.properties.correlation_id().map(Cow::Borrowed),
            Property::Timestamp => {
                let seconds = self.properties.timestamp()?;
                Some(Cow::Owned(seconds.to_string().into_bytes()))
            }
        }
    }
}

impl Channel {
    /// The method frame.
    pub(super) fn begin_publish(&mut self, publish: &basic::Publish<'_>) {
        let incoming = &mut self.incoming;
        incoming.exchange.clear();
        incoming.exchange.push_str(publish.exchange);
        incoming.key.clear();
        incoming.key.push_str(publish.routing_key);
        incoming.mandatory = publish.mandatory;
        incoming.immediate = publish.immediate;
        incoming.expected = Expected::Header;
    }

    /// The header frame.
    pub(super) fn content_header(&mut self, shared: &mut Shared, payload: &[u8]) -> Result<(), Failure> {
        if self.incoming.expected != Expected::Header {
            return Err(if self.incoming.is_expecting_content() {
                self.incoming.missing()
            } else {
                stray()
            });
        }
        let kind = frame::Kind::Header.octet();
        let header = ContentHeader::parse(payload).map_err(|_| refusal::unknown_frame(kind, payload))?;
        if header.class_id != basic::Publish::CLASS {
            let class = header.class_id;
            let text = format!("expected content header for class 60, got one for class {class} instead");
            return Err(at_publish(Failure::connection(refusal::UNEXPECTED_FRAME, text)));
        }
        // RabbitMQ takes a header with a weight for none at all.
        if header.weight != 0 {
            return Err(self.incoming.missing());
        }
        let incoming = &mut self.incoming;
        incoming.properties.clear();
        incoming.properties.extend_from_slice(header.properties);
        incoming.announced_bytes = header.body_size;
        incoming.expected = Expected::Body(i128::from(header.body_size));
        if header.body_size == 0 {
            self.complete(shared)
        } else {
            Ok(())
        }
    }

    /// A body frame.
    pub(super) fn content_body(&mut self, shared: &mut Shared, payload: &[u8]) -> Result<(), Failure> {
        let Expected::Body(missing) = &mut self.incoming.expected else {
            return Err(if self.incoming.is_expecting_content() {
                self.incoming.missing()
            } else {
                stray()
            });
        };
        *missing -= payload.len() as i128;
        let is_whole = *missing == 0;
        if self.incoming.announced_bytes <= shared.settings.message_bytes_max {
            // More than was announced is never kept: the content cannot end well any more.
            if *missing >= 0 {
                make_room(&mut self.incoming.body, payload.len(), *missing);
                self.incoming.body.extend_from_slice(payload);
                shared.unfinished_bytes += payload.len();
            }
        }
        if is_whole {
            return self.complete(shared);
        }
        check_held("unfinished", shared.unfinished_bytes, shared)
    }

    /// All of the content is there.
    fn complete(&mut self, shared: &mut Shared) -> Result<(), Failure> {
        let mut incoming = std::mem::take(&mut self.incoming);
        shared.unfinished_bytes -= incoming.held_bytes();
        let done = self.publish(shared, &incoming.content());
        incoming.expected = Expected::Method;
        if incoming.body.capacity() > KEPT_BYTES_MAX {
            incoming.body = Vec::new();
        } else {
            incoming.body.clear();
        }
        self.incoming = incoming;
        done
    }

    /// Takes a publish that came as a whole. `false` when this is no time for one.
    pub(super) fn publish_whole(&mut self, shared: &mut Shared, whole: &Whole<'_>) -> Result<bool, Failure> {
        if self.is_closing || self.incoming.is_expecting_content() {
            return Ok(false);
        }
        self.publish(shared, &whole.content).map(|()| true)
    }

    fn publish(&mut self, shared: &mut Shared, content: &Content<'_>) -> Result<(), Failure> {
        let routed = self
            .check_and_route(shared, content)
            .map_err(|failure| match failure.at {
                None => at_publish(failure),
                Some(_) => failure,
            })?;
        if let Mode::Transaction(transaction) = &mut self.mode {
            let bytes = routed.message.memory_bytes();
            transaction.held_bytes += bytes;
            shared.uncommitted_bytes += bytes;
            transaction.publishes.push(routed);
            return check_held("uncommitted", shared.uncommitted_bytes, shared);
        }
        self.send_on(shared, routed);
        shared.block_on_alarm();
        Ok(())
    }

    /// Everybody but queues learns of a routed message: reply consumers, exchanges that remember, and, where
    /// nobody takes it, who published it.
    #[inline]
    pub(super) fn tell(&mut self, shared: &mut Shared, routed: &Routed) {
        let Routed {
            message,
            route,
            mandatory,
            replies,
        } = routed;
        let Some(client) = &shared.client else { return };
        for key in replies {
            client.reply(message.exchange(), key, message, &mut shared.touched);
        }
        client.remember(route, message);
        // A reply consumer is no queue: a mandatory reply comes back although it is delivered.
        if *mandatory && route.reaches_nobody() {
            let (frame_max, number) = (shared.tuned.frame_max, self.number);
            self.write(shared, |out| {
                deliver::write_return(out, message, frame_max, number)
            });
        }
        shared.enqueued += (route.queue_count() + replies.len()).max(1);
    }

    /// Gathers a routed message, or returns it when nobody takes it.
    #[inline]
    fn send_on(&mut self, shared: &mut Shared, routed: Routed) {
        self.tell(shared, &routed);
        let Routed { message, route, .. } = routed;
        let is_kept = message.envelope().persistent && route.is_durable;
        let token = match &self.mode {
            Mode::Confirm(confirms) => confirms.token(self.number),
            Mode::Plain | Mode::Transaction(_) => 0,
        };
        if let Some(client) = &shared.client {
            client.enqueue(&mut shared.batch, &route, message, token);
        }
        if let Mode::Confirm(confirms) = &mut self.mode {
            confirms.count(is_kept);
            if shared.confirming.last() != Some(&self.number) {
                shared.confirming.push(self.number);
            }
        }
    }

    /// RabbitMQ's order: size, permission, exchange, internal, reply-to, expiration, headers, user,
    /// topic permission, route.
    fn check_and_route(&self, shared: &mut Shared, content: &Content<'_>) -> Result<Routed, Failure> {
        if content.immediate {
            return Err(Failure::connection(refusal::NOT_IMPLEMENTED, "immediate=true"));
        }
        let (size, max) = (content.announced_bytes, shared.settings.message_bytes_max);
        if size > max {
            let text = format!("message size {size} is larger than configured max size {max}");
            return Err(Failure::channel(refusal::PRECONDITION_FAILED, text));
        }
        let Some(client) = &mut shared.client else {
            return Err(stray());
        };
        let unreadable = |_| Failure::connection(refusal::FRAME_ERROR, "cannot decode the properties");
        let properties = Properties::parse(content.properties).map_err(unreadable)?;
        let now_ms = shared.clock.now_ms(&shared.node);
        shared.noted.clear();
        let interceptors = &shared.settings.interceptors;
        let mut known = None;
        let special = if is_plain(&properties) && interceptors.is_empty() {
            Special::default()
        } else {
            known = client.check_publish(&mut shared.routes, content.exchange, content.key)?;
            let special = Special::read(&properties, client, &self.consumers, interceptors, now_ms)?;
            special.note(&mut shared.noted);
            special
        };
        let replies = if content.exchange.is_empty() {
            reply_keys(content.key, &special.more_keys)
        } else {
            Vec::new()
        };
        // What the broker sets is routed by as well.
        let set = special.edited.as_deref().filter(|_| !interceptors.is_empty());
        let set = set.and_then(|edited| Properties::parse(edited).ok());
        let headers = LazyHeaders {
            properties: set.as_ref().unwrap_or(&properties),
            raw: set.as_ref().unwrap_or(&properties).headers(),
            parsed: OnceCell::new(),
        };
        let keys = Keys {
            first: content.key,
            more: &special.more_keys,
        };
        let route = match known.filter(|_| special.more_keys.is_empty()) {
            Some(route) => route,
            None => client.route(&mut shared.routes, content.exchange, keys, &headers)?,
        };
        let delay_ms = special.due.and_then(|due| due.delay_ms);
        // What comes back to its publisher is as it was.
        let delay_ms = delay_ms.filter(|_| !(content.mandatory && route.reaches_nobody()));
        let edited = special.edited.as_deref();
        let parts = Parts {
            exchange: content.exchange,
            key: content.key,
            properties: kept(&properties, edited, delay_ms, &mut shared.rewritten)?,
            body: content.body,
            persistent: properties.delivery_mode() == Some(2),
            priority: properties.priority(),
            published_ms: now_ms,
            annotations: shared.noted.bytes(),
        };
        let message = Message::of(&parts)
            .map_err(|error| Failure::channel(refusal::PRECONDITION_FAILED, error.to_string()))?;
        Ok(Routed {
            message,
            route,
            mandatory: content.mandatory,
            replies,
        })
    }
}

/// The properties that are kept of a message: as they came, or were edited, but for a delay. With one they
/// are written to `out`.
#[inline]
fn kept<'k>(
    came: &Properties<'k>,
    edited: Option<&'k [u8]>,
    delay_ms: Option<u64>,
    out: &'k mut Vec<u8>,
) -> Result<&'k [u8], Failure> {
    let Some(delay_ms) = delay_ms else {
        return Ok(edited.unwrap_or(came.raw()));
    };
    let properties = edited.map_or(Ok(*came), Properties::parse);
    let refused = |text: String| Failure::channel(refusal::PRECONDITION_FAILED, text);
    let properties = properties.map_err(|error| refused(error.to_string()))?;
    out.clear();
    let written = due::write_negated(&properties, delay_ms, out);
    written.map_err(|error| refused(error.to_string()))?;
    Ok(out)
}

/// The keys that are addresses of reply consumers.
#[inline]
fn reply_keys(first: &str, more: &[String]) -> Vec<String> {
    if more.is_empty() && !first.starts_with(REPLY_TO) {
        return Vec::new();
    }
    let all = std::iter::once(first).chain(more.iter().map(String::as_str));
    let mut keys: Vec<_> = all
        .filter(|key| key.starts_with(REPLY_TO))
        .map(str::to_owned)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
