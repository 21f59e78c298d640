//! Routing: from an exchange's bindings and a message to destinations.
//!
//! An exchange's table is a value behind [`RoutingTable`]. It knows bindings and nothing else: who may
//! publish, exchange-to-exchange bindings, alternates and the removal of doubles are the work of those who
//! hold several tables. The default exchange has no table: a queue's name is its binding.
//!
//! ```text
//!   exchange type (by name) --new_table--> RoutingTable <--bind/unbind-- catalog
//!                                              |
//!   Routable { key, headers } ----route--------+--> sink(Destination), doubles possible
//! ```
//!
//! Types register by name in [`exchange_type`], so that another type is one more entry of [`EXCHANGE_TYPES`].
//!
//! Spec: 0-9-1 §3.1.3 (exchanges and their types).

mod consistent_hash;
mod deduplication;
mod delayed;
mod direct;
mod edges;
mod fanout;
mod hashing;
mod headers;
mod kind;
mod modulus_hash;
mod multiset;
mod random;
mod recent_history;
mod topic;

pub use deduplication::KeyMemory;
pub use kind::{
    Asked, BindingRefusal, EXCHANGE_TYPES, ExchangeFault, ExchangeKind, ExchangeType, exchange_type,
    validate_binding,
};
pub use recent_history::is_remembered;

use std::borrow::Cow;

use crate::value;

/// Identifies a queue. Never reused, unlike its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(pub u64);

/// Identifies an exchange. Never reused, unlike its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u64);

/// Where a binding leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// To a queue.
    Queue(QueueId),
    /// To another exchange, which routes the message on.
    Exchange(ExchangeId),
}

/// A property of a message that some tables look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// What names the message.
    MessageId,
    /// What it belongs to.
    CorrelationId,
    /// When it was made, in seconds since 1970, in decimal digits.
    Timestamp,
}

/// Gives a message's headers and properties when a table asks for them, so that a message whose route does
/// not depend on them is routed without parsing any.
pub trait Headers {
    /// The headers; `None` when the message has none.
    fn headers(&self) -> Option<&value::Table>;

    /// A property; `None` when the message does not have it.
    fn property(&self, property: Property) -> Option<Cow<'_, [u8]>> {
        let _ = property;
        None
    }
}

impl Headers for value::Table {
    fn headers(&self) -> Option<&value::Table> {
        Some(self)
    }
}

/// The headers of a message that has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn headers(&self) -> Option<&value::Table> {
        None
    }
}

/// What routing sees of a message.
#[derive(Clone, Copy)]
pub struct Routable<'a> {
    /// The routing key, at most 255 bytes.
    pub key: &'a str,
    /// The headers, parsed by the caller at the first call.
    pub headers: &'a dyn Headers,
}

/// The bindings of one exchange, arranged for finding those that a message matches.
///
/// A binding is (key, arguments, destination). The caller sees to it that each distinct binding is bound
/// once. Two bindings that differ only in arguments are two even where the type ignores arguments: tables
/// count them, and removing one leaves the other.
pub trait RoutingTable: Send + Sync {
    /// Adds a binding. It has passed [`validate_binding`]. `name` is the destination's, which lasts longer
    /// than its id: tables that choose between destinations go by it.
    fn bind(&mut self, key: &str, arguments: &value::Table, destination: Destination, name: &str);

    /// Removes a binding that was bound with exactly these arguments. The caller knows that it is there:
    /// types that ignore arguments cannot tell it from one with the same key.
    fn unbind(&mut self, key: &str, arguments: &value::Table, destination: Destination);

    /// Removes all bindings to a destination. Costs a walk over the whole table: who knows the bindings of
    /// the destination does better to [`unbind`](Self::unbind) each.
    fn clear_destination(&mut self, destination: Destination);

    /// Passes the destination of every matching binding to `sink`, in no particular order. One that is
    /// reached by several bindings may be passed several times.
    fn route(&self, message: &Routable<'_>, sink: &mut dyn FnMut(Destination));

    /// Whether [`route`](Self::route) looks at more than the key, or draws lots: then a route may not be
    /// remembered by key.
    fn routes_each_anew(&self) -> bool {
        false
    }

    /// Whether [`route`](Self::route) does not look at the routing key: then one remembered route serves
    /// all keys.
    fn ignores_key(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
