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
use super::refusal::{self, Failure};
use super::shared::Shared;
use super::special::{Special, is_plain};
use crate::convert;
use std::cell::OnceCell;
use std::sync::Arc;
use warren_broker::message::{Builder, Message};
use warren_broker::route::Headers;
use warren_broker::value;
use warren_node::{Keys, REPLY_TO, Route};
use warren_protocol::amqp091::content::ContentHeader;
use warren_protocol::amqp091::frame;
use warren_protocol::amqp091::method::basic;
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
    builder: Builder,
    /// Bytes of body in the builder.
    held_bytes: usize,
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
    /// Whether one of its queues was deleted after it was routed.
    pub(super) fn is_late(&self) -> bool {
        self.route.queues.iter().any(|queue| queue.is_deleted())
    }
}

impl Incoming {
    pub(super) fn is_expecting_content(&self) -> bool {
        self.expected != Expected::Method
    }

    /// Bytes of body that are held until the content is complete.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
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

fn at_publish(failure: Failure) -> Failure {
    failure.at(basic::Publish::CLASS, basic::Publish::METHOD)
}

/// A content frame without a method before it.
pub(super) fn stray() -> Failure {
    let text = "expected method frame, got non method frame instead";
    Failure::connection(refusal::UNEXPECTED_FRAME, text).at_none()
}

/// The headers of a message, parsed when routing asks for them.
struct LazyHeaders<'a> {
    raw: Option<Table<'a>>,
    parsed: OnceCell<Option<value::Table>>,
}

impl Headers for LazyHeaders<'_> {
    fn headers(&self) -> Option<&value::Table> {
        self.parsed.get_or_init(|| self.raw.map(convert::table)).as_ref()
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
        let begun = incoming
            .builder
            .begin(&incoming.exchange, &incoming.key, &incoming.properties);
        begun.map_err(|error| Failure::channel(refusal::PRECONDITION_FAILED, error.to_string()))?;
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
                self.incoming.builder.push_body(payload);
                self.incoming.held_bytes += payload.len();
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
        self.incoming.expected = Expected::Method;
        shared.unfinished_bytes -= std::mem::take(&mut self.incoming.held_bytes);
        let routed = self.check_and_route(shared).map_err(|failure| match failure.at {
            None => at_publish(failure),
            Some(_) => failure,
        });
        let routed = match routed {
            Ok(routed) => routed,
            Err(failure) => {
                self.incoming.builder.abandon();
                return Err(failure);
            }
        };
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

    /// Gathers a routed message, or returns it when nobody takes it.
    pub(super) fn send_on(&mut self, shared: &mut Shared, routed: Routed) {
        let Routed {
            message,
            route,
            mandatory,
            replies,
        } = routed;
        let Some(client) = &shared.client else { return };
        for key in &replies {
            client.reply(message.exchange(), key, &message, &mut shared.touched);
        }
        // A reply consumer is no queue: a mandatory reply comes back although it is delivered.
        if route.queues.is_empty() && mandatory {
            let (frame_max, number) = (shared.tuned.frame_max, self.number);
            self.write(shared, |out| {
                deliver::write_return(out, &message, frame_max, number)
            });
        }
        shared.enqueued += (route.queues.len() + replies.len()).max(1);
        let is_kept = message.envelope().persistent && route.is_durable;
        if let Some(client) = &shared.client {
            client.publish(&mut shared.batch, &route, message);
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
    fn check_and_route(&mut self, shared: &mut Shared) -> Result<Routed, Failure> {
        let incoming = &mut self.incoming;
        if incoming.immediate {
            return Err(Failure::connection(refusal::NOT_IMPLEMENTED, "immediate=true"));
        }
        let (size, max) = (incoming.announced_bytes, shared.settings.message_bytes_max);
        if size > max {
            let text = format!("message size {size} is larger than configured max size {max}");
            return Err(Failure::channel(refusal::PRECONDITION_FAILED, text));
        }
        let Some(client) = &mut shared.client else {
            return Err(stray());
        };
        let Incoming {
            exchange,
            key,
            builder,
            ..
        } = incoming;
        let unreadable = |_| Failure::connection(refusal::FRAME_ERROR, "cannot decode the properties");
        let properties = Properties::parse(&incoming.properties).map_err(unreadable)?;
        let special = if is_plain(&properties) {
            Special::default()
        } else {
            client.check_publish(exchange)?;
            Special::read(&properties, client, &self.consumers)?
        };
        let replies = if exchange.is_empty() {
            reply_keys(key, &special.more_keys)
        } else {
            Vec::new()
        };
        let headers = LazyHeaders {
            raw: properties.headers(),
            parsed: OnceCell::new(),
        };
        let keys = Keys {
            first: key,
            more: &special.more_keys,
        };
        let route = client.route(&mut shared.routes, exchange, keys, &headers)?;
        if let Some(edited) = special.edited {
            let replaced = builder.replace_properties(&edited);
            replaced.map_err(|error| Failure::channel(refusal::PRECONDITION_FAILED, error.to_string()))?;
        }
        let persistent = properties.delivery_mode() == Some(2);
        let message = builder.finish(persistent, properties.priority().unwrap_or(0));
        let message = message.ok_or_else(|| Failure::connection(refusal::INTERNAL_ERROR, "no content"))?;
        Ok(Routed {
            message,
            route,
            mandatory: incoming.mandatory,
            replies,
        })
    }
}

/// The keys that are addresses of reply consumers.
fn reply_keys(first: &str, more: &[String]) -> Vec<String> {
    let all = std::iter::once(first).chain(more.iter().map(String::as_str));
    let mut keys: Vec<_> = all
        .filter(|key| key.starts_with(REPLY_TO))
        .map(str::to_owned)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
