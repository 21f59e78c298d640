//! What happens to queues, told as messages: those who bind a queue to the exchange `amq.rabbitmq.event` hear
//! of it.
//!
//! There is one such exchange on a broker, in the virtual host that [`Config`](crate::Config) names, for the
//! events of all of them. A message has no body; what it tells stands in its headers.
//!
//! ```text
//!   queue.trigger.high   name, vhost, messages_ready, threshold, timestamp_in_ms
//!   queue.trigger.low    the same
//! ```
//!
//! RabbitMQ: plugin rabbitmq_event_exchange, whose other events are not told yet.

use crate::mailbox::Touched;
use crate::node::Node;
use crate::queues::{Crossing, LiveQueue, Routed};
use crate::routes::Route;
use std::sync::Arc;
use warren_broker::catalog::{Catalog, Change, Exchange};
use warren_broker::message::{Message, Parts};
use warren_broker::name::ExchangeName;
use warren_broker::route::{ExchangeId, ExchangeKind};
use warren_broker::value::{Table, Value};

/// The exchange of events.
pub(crate) const EVENT_EXCHANGE: &str = "amq.rabbitmq.event";

const HIGH: &str = "queue.trigger.high";
const LOW: &str = "queue.trigger.low";

impl Node {
    /// Makes the exchange of events, if its virtual host is there and has none. A virtual host that is new
    /// has it from the start.
    pub fn put_event_exchange(&self) {
        let mut catalog = self.catalog.lock();
        if let Some(change) = self.event_exchange(&catalog) {
            self.put(&mut catalog, change);
        }
    }

    /// The exchange of events as a change, if it is wanting.
    pub(crate) fn event_exchange(&self, catalog: &Catalog) -> Option<Change> {
        let vhost = catalog.vhost(&self.config.event_vhost)?;
        if vhost.exchange(EVENT_EXCHANGE).is_some() {
            return None;
        }
        let exchange = Exchange {
            id: ExchangeId(catalog.next_id()),
            name: ExchangeName::new(EVENT_EXCHANGE).ok()?,
            kind: ExchangeKind::named("topic")?,
            durable: true,
            auto_delete: false,
            internal: true,
            arguments: Table::new(),
        };
        Some(Change::ExchangePut(vhost.properties.name.clone(), exchange))
    }

    /// Tells that a queue filled up to its trigger, or is below it again. No queue's lock is held.
    ///
    /// A queue that takes such events tells of none itself: it would tell itself, and again of that.
    pub(crate) fn tell_crossing(&self, queue: &LiveQueue, crossing: &Crossing, touched: &mut Touched) {
        let high = self.event(HIGH, || facts(queue, crossing), crossing.at_ms);
        let low = self.event(LOW, || facts(queue, crossing), crossing.at_ms);
        let is_own = |route: &Route| route.all_queues().any(|other| other.id() == queue.id());
        let (Some(high), Some(low)) = (high, low) else {
            return;
        };
        if is_own(&high.1) || is_own(&low.1) {
            return;
        }
        let (message, route) = if crossing.is_high { high } else { low };
        let routed = Routed {
            route: Arc::new(route),
            message,
            must_fit: false,
        };
        self.send_routed(&[routed], self.appended(), touched);
    }

    /// An event as a message, and who takes it; `None` where there is no exchange for it.
    fn event(&self, key: &str, facts: impl FnOnce() -> Table, at_ms: u64) -> Option<(Message, Route)> {
        let vhost = self.vhost(&self.config.event_vhost)?;
        vhost.exchange(EVENT_EXCHANGE)?;
        let mut headers = facts();
        let ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
        headers.insert("timestamp_in_ms", Value::I64(ms));
        let properties = self.config.dialect.event(&headers, at_ms / 1000);
        let message = Message::of(&Parts {
            exchange: EVENT_EXCHANGE,
            key,
            properties: &properties,
            persistent: true,
            published_ms: self.now_ms(),
            ..Parts::default()
        });
        // Names have at most 255 bytes, so nothing of it is too long.
        let message = message.ok()?;
        let route = self.route_of(&vhost, &message);
        Some((message, route))
    }
}

/// What a crossing is told by.
fn facts(queue: &LiveQueue, crossing: &Crossing) -> Table {
    let number = |number: u64| Value::I64(i64::try_from(number).unwrap_or(i64::MAX));
    [
        ("name", Value::from(queue.declared().name.as_str())),
        ("vhost", Value::from(queue.vhost().as_str())),
        ("messages_ready", number(crossing.ready as u64)),
        ("threshold", number(crossing.threshold)),
    ]
    .into_iter()
    .collect()
}
