//! Policies: what operators lay down for queues and exchanges by name, and what comes of it together with the
//! arguments that clients declared.
//!
//! ```text
//!   arguments ────────────────────────────┐
//!   policies ──────────► the one in force ─┼─► queue::Rules, ExchangeRules
//!   operator policies ─► the one in force ─┘
//! ```
//!
//! Of all policies whose pattern matches the name, that apply to its kind, and of which a queue's type knows
//! every key, the one with the highest priority is in force; of operator policies likewise. Keys that both
//! have are merged ([`keys`]), and what is merged meets the arguments ([`rules`]).
//!
//! RabbitMQ: policies.md.

mod keys;
mod rules;
#[cfg(test)]
mod tests;

pub use keys::{DefinitionFault, Kind};
pub use rules::{ExchangeRules, queue_rules};

use crate::access::{Pattern, pattern};
use crate::catalog::QueueType;
use crate::value::{Table, Value};

/// What a policy is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ApplyTo {
    /// Queues and exchanges.
    #[default]
    All,
    /// Queues of every type.
    Queues,
    /// Queues of one type.
    QueuesOf(QueueType),
    /// Streams, of which there are none.
    Streams,
    /// Exchanges.
    Exchanges,
}

impl ApplyTo {
    const WORDS: &[(&str, Self)] = &[
        ("all", Self::All),
        ("queues", Self::Queues),
        ("classic_queues", Self::QueuesOf(QueueType::Classic)),
        ("quorum_queues", Self::QueuesOf(QueueType::Quorum)),
        ("streams", Self::Streams),
        ("exchanges", Self::Exchanges),
    ];

    /// What a word says, as it stands in definitions and over HTTP.
    ///
    /// # Errors
    /// [`PolicyFault::ApplyTo`].
    pub fn named(word: &str) -> Result<Self, PolicyFault> {
        let found = Self::WORDS.iter().find(|(name, _)| *name == word);
        found
            .map(|(_, found)| *found)
            .ok_or_else(|| PolicyFault::ApplyTo(word.to_owned()))
    }

    /// The word.
    pub fn name(self) -> &'static str {
        let mut words = Self::WORDS.iter();
        words
            .find(|(_, found)| *found == self)
            .map_or("all", |(name, _)| name)
    }

    fn includes(self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::All, _) | (Self::Queues, Kind::Queue(_)) | (Self::Exchanges, Kind::Exchange) => true,
            (Self::QueuesOf(one), Kind::Queue(other)) => one == other,
            _ => false,
        }
    }
}

/// A policy of a virtual host, or an operator policy: they differ in where they are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Its name, unique among its like in the virtual host.
    pub name: Box<str>,
    /// Which names it is for.
    pub pattern: Pattern,
    /// Which kinds of objects it is for.
    pub apply_to: ApplyTo,
    /// The highest one that matches is in force.
    pub priority: i64,
    /// Keys and their values. A list or an object stands for more than a scalar as a JSON document would.
    pub definition: Table,
}

/// Why something is no policy, in RabbitMQ's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// The pattern is none.
    #[error("pattern should be regular expression but is invalid: {0}")]
    Pattern(#[from] pattern::Error),
    /// There are no such objects.
    #[error(
        "apply-to '{0}' unrecognised; should be one of: 'queues', 'classic_queues', 'quorum_queues', \
         'streams', 'exchanges', or 'all'"
    )]
    ApplyTo(String),
    /// It says nothing.
    #[error("no policy provided")]
    Empty,
    /// Something in its definition is wrong.
    #[error(transparent)]
    Definition(#[from] DefinitionFault),
}

impl Policy {
    /// Looks at what is to become a policy.
    ///
    /// # Errors
    /// [`PolicyFault`], in RabbitMQ's words where it has them.
    pub fn new(
        name: &str,
        pattern: &str,
        apply_to: ApplyTo,
        priority: i64,
        definition: Table,
        is_operators: bool,
    ) -> Result<Self, PolicyFault> {
        if definition.is_empty() {
            return Err(PolicyFault::Empty);
        }
        keys::check(&definition, is_operators)?;
        Ok(Self::stored(name, pattern, apply_to, priority, definition)?)
    }

    /// A policy that was looked at before, maybe by another release: what it says is taken as it is.
    ///
    /// # Errors
    /// The pattern is none.
    pub(crate) fn stored(
        name: &str,
        pattern: &str,
        apply_to: ApplyTo,
        priority: i64,
        definition: Table,
    ) -> Result<Self, pattern::Error> {
        Ok(Self {
            name: name.into(),
            pattern: Pattern::anywhere(pattern)?,
            apply_to,
            priority,
            definition,
        })
    }

    /// Whether it could be in force for an object.
    pub(crate) fn is_for(&self, kind: Kind, name: &str) -> bool {
        self.apply_to.includes(kind) && self.pattern.matches(name) && keys::all_known(&self.definition, kind)
    }
}

/// The policy in force for an object, if there is one. Of several with the same priority it is the first.
pub fn in_force<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    kind: Kind,
    name: &str,
) -> Option<&'p Policy> {
    let mut found: Option<&Policy> = None;
    for policy in policies {
        let is_higher = found.is_none_or(|other| other.priority < policy.priority);
        if is_higher && policy.is_for(kind, name) {
            found = Some(policy);
        }
    }
    found
}

/// What the two policies in force say together.
fn merged(policy: Option<&Policy>, operators: Option<&Policy>) -> Table {
    let mut merged = policy.map(|policy| policy.definition.clone()).unwrap_or_default();
    for (key, limit) in operators.iter().flat_map(|policy| policy.definition.iter()) {
        let value = match merged.get(key) {
            Some(value) => keys::merge(key, value, limit),
            None => limit.clone(),
        };
        merged.insert(key, value);
    }
    merged
}

/// The smaller of two whole numbers.
fn least(one: &Value, other: &Value) -> Value {
    match (one.as_integer(), other.as_integer()) {
        (Some(a), Some(b)) if b < a => other.clone(),
        _ => one.clone(),
    }
}
