//! Why the broker refuses, in its own words. Each front-end maps these to its protocol's
//! codes; the texts of subjects and argument faults are RabbitMQ's, since tools match on them.

use crate::access::Denied;
use crate::name::{ExchangeName, QueueName, VhostName};
use crate::route::{BindingRefusal, ExchangeFault};
use crate::value::Value;
use std::fmt;

/// A queue or an exchange that a refusal speaks of.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// A queue of a virtual host.
    Queue(QueueName, VhostName),
    /// An exchange of a virtual host.
    Exchange(ExchangeName, VhostName),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name, vhost) => write!(f, "queue '{name}' in vhost '{vhost}'"),
            Self::Exchange(name, vhost) => write!(f, "exchange '{name}' in vhost '{vhost}'"),
        }
    }
}

/// A property as a refusal shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// It is not there.
    Nothing,
    /// Its text.
    Plain(String),
    /// Its value and its type, where only one side has the property.
    Typed(Value),
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::Plain(text) => write!(f, "'{text}'"),
            Self::Typed(value) => write!(f, "the {}", value.describe()),
        }
    }
}

/// What is wrong with the value of an argument.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ArgumentFault {
    /// Not an integer.
    #[error("\"expected integer, got {0}\"")]
    NotInteger(&'static str),
    /// Zero where at least one is wanted.
    #[error("{{value_zero,0}}")]
    Zero,
    /// Below zero.
    #[error("{{value_negative,{0}}}")]
    Negative(i64),
    /// Above what the argument may be.
    #[error("{{max_value_exceeded,{0}}}")]
    AboveMaximum(i64),
    /// A time of more than ten years.
    #[error("{{value_too_large,{0}}}")]
    TooLarge(i64),
    /// A value of the wrong type.
    #[error("{{unacceptable_type,{0}}}")]
    WrongType(&'static str),
    /// A word that is none of those allowed.
    #[error("{0}")]
    Word(&'static str),
    /// A word that is none of those allowed, named.
    #[error("\"unsupported {what} '{word}'\"")]
    Unsupported {
        /// What the word should have named.
        what: &'static str,
        /// The word.
        word: String,
    },
}

/// Why an operation of a client is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is no such queue or exchange.
    #[error("no {0}")]
    NotFound(Subject),
    /// The name belongs to the broker.
    #[error("{what} name '{name}' contains reserved prefix 'amq.*'")]
    ReservedName {
        /// "queue" or "exchange".
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The default exchange cannot be changed.
    #[error("operation not permitted on the default exchange")]
    DefaultExchange,
    /// A predeclared exchange cannot be deleted.
    #[error("deletion of system {0} not allowed")]
    SystemExchange(Subject),
    /// An alias is no queue.
    #[error("{alias} is an alias of queue '{queue}': it cannot be declared or deleted")]
    Alias {
        /// The alias.
        alias: Subject,
        /// The queue that it stands for.
        queue: QueueName,
    },
    /// The user may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The queue belongs to another connection.
    #[error(
        "cannot obtain exclusive access to locked {0}. It could be originally declared on another connection \
         or the exclusive property value does not match that of the original declaration."
    )]
    Locked(Subject),
    /// A quorum queue that serves one consumer at a time has no getters.
    #[error(
        "cannot obtain access to locked {0}. basic.get operations are not supported by quorum queues with \
         single active consumer"
    )]
    NoGetters(Subject),
    /// The queue has an exclusive consumer, or consumers beside whom one cannot be exclusive.
    #[error("{0} in exclusive use")]
    ExclusiveUse(Subject),
    /// It exists with other properties.
    #[error("inequivalent arg '{field}' for {subject}: received {received} but current is {current}")]
    Inequivalent {
        /// The property or argument.
        field: String,
        /// What exists.
        subject: Subject,
        /// What was asked for.
        received: Shown,
        /// What it has.
        current: Shown,
    },
    /// It has consumers, or bindings, and was to be deleted only if not.
    #[error("{0} in use")]
    InUse(Subject),
    /// It holds messages and was to be deleted only if not.
    #[error("{0} not empty")]
    NotEmpty(Subject),
    /// No such exchange type.
    #[error("unknown exchange type '{0}'")]
    UnknownExchangeType(String),
    /// The empty exchange type.
    #[error("invalid exchange type ''")]
    EmptyExchangeType,
    /// The exchange cannot take the binding.
    #[error(transparent)]
    Binding(#[from] BindingRefusal),
    /// The exchange cannot have these arguments.
    #[error(transparent)]
    Exchange(#[from] ExchangeFault),
    /// An argument's value is wrong.
    #[error("invalid arg '{argument}' for {subject}: {fault}")]
    InvalidArgument {
        /// The argument.
        argument: &'static str,
        /// What it was given for.
        subject: Subject,
        /// What is wrong.
        fault: ArgumentFault,
    },
    /// An argument that names an exchange is no string.
    #[error("invalid type '{type_name}' for arg '{argument}' in {subject}")]
    ArgumentType {
        /// The argument.
        argument: &'static str,
        /// What it was given for.
        subject: Subject,
        /// The type that it has.
        type_name: &'static str,
    },
    /// An argument that queues of this type do not have.
    #[error("invalid arg '{argument}' for {subject} of queue type {queue_type}")]
    ArgumentOfOtherType {
        /// The argument.
        argument: String,
        /// The queue.
        subject: Subject,
        /// RabbitMQ's name of the queue type.
        queue_type: &'static str,
    },
    /// A property that queues of this type cannot have.
    #[error("invalid property '{property}' for {subject}")]
    InvalidProperty {
        /// The property.
        property: &'static str,
        /// The queue.
        subject: Subject,
    },
    /// The virtual host has as many queues as it may have.
    #[error("cannot declare queue '{name}': queue limit in vhost '{vhost}' ({most}) is reached")]
    TooManyQueues {
        /// The queue that was to be one more.
        name: QueueName,
        /// The virtual host.
        vhost: VhostName,
        /// The limit.
        most: u64,
    },
    /// Queues of this type need a name.
    #[error("Cannot declare a server-named queue for type {0}")]
    ServerNamed(&'static str),
    /// Something that this broker does not do.
    #[error("{0}")]
    NotImplemented(String),
    /// Messages cannot be published to an internal exchange.
    #[error("cannot publish to internal {0}")]
    Internal(Subject),
}
