//! Exchange types and their registry.
//!
//! A type is a row of [`EXCHANGE_TYPES`]: its name, how to make a table, and how to check a binding before it
//! is made. Nothing else in the broker knows the types one by one.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::{
    KeyMemory, RoutingTable, consistent_hash, deduplication, delayed, direct, fanout, headers, modulus_hash,
    random, recent_history, topic,
};
use crate::value::{Table, Value};

/// An exchange type.
pub struct ExchangeType {
    /// The name by which clients declare it.
    pub name: &'static str,
    /// One sentence for listings.
    pub description: &'static str,
    /// Makes an empty table for an exchange that was declared with these arguments.
    pub new_table: fn(&Table) -> Box<dyn RoutingTable>,
    /// Whether an exchange with these arguments makes sense.
    pub validate: fn(&Table) -> Result<(), ExchangeFault>,
    /// Whether a binding like this makes sense for the type.
    pub validate_binding: fn(&Asked<'_>) -> Result<(), BindingRefusal>,
    /// A message goes to one of the bindings: further routing keys (CC and BCC) pick no other.
    pub picks_one: bool,
    /// Whether topic permissions apply: the routing key is a resource of its own.
    pub has_topics: bool,
    /// The type that an exchange with these arguments routes as, if that is another one. To be asked by way
    /// of [`ExchangeKind::routed_as`].
    pub(super) routed_as: fn(&Table) -> Option<ExchangeKind>,
    /// How many of the messages that it routed last an exchange with these arguments gives to whoever is
    /// bound to it; 0: it remembers none.
    pub remembers: fn(&Table) -> usize,
    /// What an exchange with these arguments remembers so as to let no message through twice; `None`: it lets
    /// all through.
    pub deduplicates: fn(&Table) -> Option<KeyMemory>,
}

impl ExchangeType {
    /// What most types have in common.
    pub(super) const PLAIN: Self = Self {
        name: "",
        description: "",
        new_table: |_| Box::new(fanout::FanoutTable::default()),
        validate: |_| Ok(()),
        validate_binding: |_| Ok(()),
        picks_one: false,
        has_topics: false,
        routed_as: |_| None,
        remembers: |_| 0,
        deduplicates: |_| None,
    };
}

/// A binding that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The binding key.
    pub key: &'a str,
    /// The arguments.
    pub arguments: &'a Table,
    /// RabbitMQ's internal name of the queue's type; `None` where it leads to an exchange.
    pub queue_type: Option<&'static str>,
}

/// All exchange types.
pub static EXCHANGE_TYPES: &[ExchangeType] = &[
    direct::TYPE,
    fanout::TYPE,
    headers::TYPE,
    topic::TYPE,
    consistent_hash::TYPE,
    modulus_hash::TYPE,
    random::TYPE,
    random::LOCAL_TYPE,
    delayed::TYPE,
    recent_history::TYPE,
    deduplication::TYPE,
];

/// The type with this name.
pub fn exchange_type(name: &str) -> Option<&'static ExchangeType> {
    EXCHANGE_TYPES.iter().find(|found| found.name == name)
}

/// The type of one exchange: a reference to a row of [`EXCHANGE_TYPES`] that compares by name.
#[derive(Clone, Copy)]
pub struct ExchangeKind(&'static ExchangeType);

impl ExchangeKind {
    /// The kind with this name, if it is known.
    pub fn named(name: &str) -> Option<Self> {
        exchange_type(name).map(ExchangeKind)
    }

    /// The name by which clients declare it.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The kind that an exchange with these arguments routes as: this one, but for those that are another
    /// one under their own name.
    pub fn routed_as(&self, arguments: &Table) -> Self {
        (self.0.routed_as)(arguments).unwrap_or(*self)
    }
}

impl From<&'static ExchangeType> for ExchangeKind {
    fn from(row: &'static ExchangeType) -> Self {
        ExchangeKind(row)
    }
}

impl std::ops::Deref for ExchangeKind {
    type Target = ExchangeType;

    fn deref(&self) -> &ExchangeType {
        self.0
    }
}

impl PartialEq for ExchangeKind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for ExchangeKind {}

impl Hash for ExchangeKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for ExchangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ExchangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a binding is refused. The text is RabbitMQ's, without its reply code.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BindingRefusal {
    /// `x-match` of a headers binding is no long string.
    #[error("Invalid x-match field type {} (value {}); expected longstr", value.type_name(), value.term())]
    MatchType {
        /// The value that was given.
        value: Value,
    },
    /// `x-match` of a headers binding is none of the four words.
    #[error("Invalid x-match field value {}; expected all, any, all-with-x, or any-with-x", value.term())]
    MatchValue {
        /// The value that was given, a long string.
        value: Value,
    },
    /// The key of a binding of `x-consistent-hash` is no number.
    #[error("The binding key must be an integer: {}", Value::from(&**.0).term())]
    WeightType(Box<str>),
    /// The key of a binding of `x-consistent-hash` is less than 1.
    #[error("The binding key must be greater than 0")]
    WeightTooSmall,
    /// A binding of `x-local-random` has a key.
    #[error("Non empty binding '{0}' key not permitted")]
    KeyNotEmpty(Box<str>),
    /// A binding of `x-local-random` leads to a queue of another type than the classic one.
    #[error("Queue type {0} not valid for this exchange type")]
    QueueType(&'static str),
    /// A binding of `x-local-random` leads to no queue.
    #[error("Destination not found")]
    NoQueue,
}

/// What is wrong with the arguments of an exchange. The text is RabbitMQ's, without its reply code.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExchangeFault {
    /// `hash-property` of an `x-consistent-hash` exchange is none of the three.
    #[error("Unsupported property: {0}")]
    HashProperty(String),
    /// An `x-consistent-hash` exchange is to hash two things.
    #[error("hash-header and hash-property are mutually exclusive")]
    HashesTwoThings,
    /// `x-delayed-type` of an `x-delayed-message` exchange is not there, or no string.
    #[error("Invalid argument, 'x-delayed-type' must be an existing exchange type")]
    NoDelayedType,
    /// `x-delayed-type` names `x-delayed-message`.
    #[error("Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'")]
    DelaysItself,
    /// An argument names a type that there is not.
    #[error("unknown exchange type '{0}'")]
    UnknownType(String),
    /// `x-recent-history-length` is no positive integer.
    #[error("Invalid argument {}, 'x-recent-history-length' must be a positive integer", .0.term())]
    HistoryLength(Value),
    /// `x-cache-size` of an `x-message-deduplication` exchange is not there, or no positive integer.
    #[error("Missing or invalid argument, 'x-cache-size' must be an integer greater than 0")]
    CacheSize,
    /// `x-cache-ttl` of such an exchange is no positive integer.
    #[error("Invalid argument, 'x-cache-ttl' must be an integer greater than 0")]
    CacheTtl,
    /// `x-cache-persistence` of such an exchange is neither of the two words.
    #[error("Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'")]
    CachePersistence,
    /// An argument is no long string.
    #[error("invalid type '{type_name}' for arg '{argument}'")]
    Type {
        /// The argument.
        argument: &'static str,
        /// The type that it has.
        type_name: &'static str,
    },
}

/// Whether an exchange of this kind takes such a binding. To be asked before
/// [`RoutingTable::bind`](super::RoutingTable::bind).
///
/// # Errors
/// [`BindingRefusal`] with the facts.
pub fn validate_binding(kind: &ExchangeKind, asked: &Asked<'_>) -> Result<(), BindingRefusal> {
    (kind.validate_binding)(asked)
}
