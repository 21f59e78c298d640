//! Exchange types and their registry.
//!
//! A type is a row of [`EXCHANGE_TYPES`]: its name, how to make a table, and how to check a binding before it
//! is made. Nothing else in the broker knows the types one by one.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::{RoutingTable, direct, fanout, headers, topic};
use crate::value::{Table, Value};

/// An exchange type.
pub struct ExchangeType {
    /// The name by which clients declare it.
    pub name: &'static str,
    /// One sentence for listings.
    pub description: &'static str,
    /// Makes an empty table for an exchange that was declared with these arguments.
    pub new_table: fn(&Table) -> Box<dyn RoutingTable>,
    /// Whether a binding with this key and these arguments makes sense for the type.
    pub validate_binding: fn(&str, &Table) -> Result<(), BindingRefusal>,
    /// Whether topic permissions apply: the routing key is a resource of its own.
    pub has_topics: bool,
}

/// All exchange types.
pub static EXCHANGE_TYPES: &[ExchangeType] = &[direct::TYPE, fanout::TYPE, headers::TYPE, topic::TYPE];

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
}

/// Whether an exchange of this kind takes such a binding. To be asked before
/// [`RoutingTable::bind`](super::RoutingTable::bind).
///
/// # Errors
/// [`BindingRefusal`] with the facts.
pub fn validate_binding(kind: &ExchangeKind, key: &str, arguments: &Table) -> Result<(), BindingRefusal> {
    (kind.validate_binding)(key, arguments)
}
