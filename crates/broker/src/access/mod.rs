//! Who may do what: users, their permissions, and the one door through which every operation asks.
//!
//! [`Access`] is a user in a virtual host. Each of its questions is the single place where that question is
//! decided, for every protocol and every side path (dead-letter and alternate exchanges, passive declares,
//! the default exchange). It answers with a [`Permit`], which cannot be made otherwise: an operation that
//! takes one cannot be reached unasked. Whether a password is right is not decided here; users only carry
//! the hash.
//!
//! ```text
//!   Access { user, vhost }
//!     .enter()                        is there any permission in this vhost
//!     .queue(operation, name)         pattern of the operation against the name
//!     .exchange(operation, name)      the same; the default exchange is named amq.default
//!     .topic(operation, name, key)    topic permission, if the user has one for the exchange
//!     .queue_any(name) .exchange_any(name)        one of the three operations (passive declares)
//! ```
//!
//! RabbitMQ: access-control.md, "How Authorisation Works" and "Topic Authorisation".

pub mod pattern;
mod perl;
mod permission;

use std::collections::HashMap;
use std::fmt;

pub use pattern::Pattern;
pub use permission::{Permission, TopicPermission};

use crate::limits::Limits;
use crate::name::{ExchangeName, QueueName, UserName, VhostName};

/// The name under which permissions speak of the default exchange, whose own name is empty.
pub const DEFAULT_EXCHANGE_ALIAS: &str = "amq.default";

/// A user: who they are and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name, unique in the broker.
    pub name: UserName,
    /// `None`: no password opens this account (certificates or tokens do).
    pub password_hash: Option<PasswordHash>,
    /// Roles for management, such as `administrator`. They do not touch what [`Access`] decides.
    pub tags: Vec<Box<str>>,
    /// Per virtual host. A virtual host that is not here may not be entered.
    pub permissions: HashMap<VhostName, Permission>,
    /// Per virtual host and exchange. An exchange that is not here restricts no routing keys.
    pub topic_permissions: HashMap<VhostName, HashMap<ExchangeName, TopicPermission>>,
    /// What the user may have at most.
    pub limits: Limits,
}

impl User {
    /// A user without password, tags and permissions.
    pub fn new(name: UserName) -> Self {
        User {
            name,
            password_hash: None,
            tags: Vec::new(),
            permissions: HashMap::new(),
            topic_permissions: HashMap::new(),
            limits: Limits::default(),
        }
    }

    /// Whether the user has the tag.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|found| &**found == tag)
    }
}

/// A password as it is kept. `Debug` does not show the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    /// The algorithm by the name that definitions use, such as `rabbit_password_hashing_sha256`.
    pub algorithm: Box<str>,
    /// Four bytes of salt, then the hash of salt and password.
    pub salted: Box<[u8]>,
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The three kinds of operation that permissions tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Create, delete or change the resource.
    Configure,
    /// Put messages into it.
    Write,
    /// Take messages from it.
    Read,
}

impl Operation {
    /// The word for it in refusals.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Configure => "configure",
            Operation::Write => "write",
            Operation::Read => "read",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an operation is done to. Its virtual host stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A queue.
    Queue(QueueName),
    /// An exchange.
    Exchange(ExchangeName),
    /// A routing key of a topic exchange.
    Topic {
        /// The exchange.
        exchange: ExchangeName,
        /// The routing key or the binding key.
        key: Box<str>,
    },
}

/// Why an operation is refused. Displays as RabbitMQ's text without its reply code:
/// `configure access to queue 'newq' in vhost '/' refused for user 'u'`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Denied {
    /// What was attempted. For a passive declare, which any permission would have allowed, `Configure`.
    pub operation: Operation,
    /// What it was attempted on.
    pub resource: Resource,
    /// The virtual host of the resource.
    pub vhost: VhostName,
    /// Who attempted it.
    pub user: UserName,
}

impl Denied {
    fn text(&self) -> String {
        let Denied {
            operation,
            resource,
            vhost,
            user,
        } = self;
        let resource = match resource {
            Resource::Queue(name) => format!("queue '{name}'"),
            Resource::Exchange(name) => format!("exchange '{}'", exchange_alias(name)),
            Resource::Topic { exchange, key } => {
                format!("topic '{key}' in exchange '{}'", exchange_alias(exchange))
            }
        };
        format!("{operation} access to {resource} in vhost '{vhost}' refused for user '{user}'")
    }
}

/// Why a user may not enter a virtual host. Displays as RabbitMQ's text without its reply code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("access to vhost '{vhost}' refused for user '{user}'")]
pub struct VhostDenied {
    /// The virtual host.
    pub vhost: VhostName,
    /// The user.
    pub user: UserName,
}

/// Proof that an operation was allowed. Only [`Access`] makes it.
///
/// It tells what was asked, so that the operation can check that it got the permit for itself. A permit does
/// not outlive a change of the user's permissions: who keeps one drops it at the next version of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a permit that nobody takes was asked for in vain"]
pub struct Permit {
    vhost: VhostName,
    scope: Scope,
}

/// What a [`Permit`] allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One operation on a queue.
    Queue(Operation, QueueName),
    /// One operation on an exchange.
    Exchange(Operation, ExchangeName),
    /// One operation on an exchange with the routing key that was asked about. The key is not kept, for the
    /// sake of the publish path: such a permit serves one message or binding and is not remembered.
    Topic(Operation, ExchangeName),
    /// To learn that a queue exists.
    QueueAny(QueueName),
    /// To learn that an exchange exists.
    ExchangeAny(ExchangeName),
}

impl Permit {
    /// The virtual host for which it was given.
    pub fn vhost(&self) -> &VhostName {
        &self.vhost
    }

    /// What it allows.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

/// A user in a virtual host, about to do something.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The user, as the catalog has them now.
    pub user: &'a User,
    /// The virtual host in which all named resources are.
    pub vhost: &'a VhostName,
}

impl Access<'_> {
    /// Whether the user may open a connection to the virtual host.
    ///
    /// # Errors
    /// [`VhostDenied`] when the user has no permission in it, not even an empty one.
    pub fn enter(&self) -> Result<(), VhostDenied> {
        if self.user.permissions.contains_key(self.vhost) {
            return Ok(());
        }
        Err(VhostDenied {
            vhost: self.vhost.clone(),
            user: self.user.name.clone(),
        })
    }

    /// Whether the user may do this to a queue.
    ///
    /// # Errors
    /// [`Denied`] when the operation's pattern does not match the name.
    pub fn queue(&self, operation: Operation, queue: &QueueName) -> Result<Permit, Denied> {
        if self.matches(operation, queue.as_str()) {
            return Ok(self.permit(Scope::Queue(operation, queue.clone())));
        }
        Err(self.denied(operation, Resource::Queue(queue.clone())))
    }

    /// Whether the user may do this to an exchange.
    ///
    /// # Errors
    /// [`Denied`] when the operation's pattern does not match the name.
    pub fn exchange(&self, operation: Operation, exchange: &ExchangeName) -> Result<Permit, Denied> {
        if self.matches(operation, exchange_alias(exchange)) {
            return Ok(self.permit(Scope::Exchange(operation, exchange.clone())));
        }
        Err(self.denied(operation, Resource::Exchange(exchange.clone())))
    }

    /// Whether the user may use this key with a topic exchange. It is asked besides
    /// [`exchange`](Self::exchange), and only of types whose `has_topics` says so.
    ///
    /// # Errors
    /// [`Denied`] when the user has a topic permission for the exchange and its pattern does not match the
    /// key. Nobody configures a topic: that operation is always denied.
    pub fn topic(&self, operation: Operation, exchange: &ExchangeName, key: &str) -> Result<Permit, Denied> {
        let found = self
            .user
            .topic_permissions
            .get(self.vhost)
            .and_then(|vhost| vhost.get(exchange));
        let allowed = match (operation, found) {
            (Operation::Configure, _) => false,
            (_, None) => true,
            (Operation::Write, Some(permission)) => permission.write.matches(key),
            (Operation::Read, Some(permission)) => permission.read.matches(key),
        };
        if allowed {
            return Ok(self.permit(Scope::Topic(operation, exchange.clone())));
        }
        Err(self.denied(
            operation,
            Resource::Topic {
                exchange: exchange.clone(),
                key: key.into(),
            },
        ))
    }

    /// Whether the user may learn that a queue exists: any of the three operations on it will do.
    ///
    /// # Errors
    /// [`Denied`] when none of the three patterns matches the name.
    pub fn queue_any(&self, queue: &QueueName) -> Result<Permit, Denied> {
        if self.matches_any(queue.as_str()) {
            return Ok(self.permit(Scope::QueueAny(queue.clone())));
        }
        Err(self.denied(Operation::Configure, Resource::Queue(queue.clone())))
    }

    /// Whether the user may learn that an exchange exists: any of the three operations on it will do.
    ///
    /// # Errors
    /// [`Denied`] when none of the three patterns matches the name.
    pub fn exchange_any(&self, exchange: &ExchangeName) -> Result<Permit, Denied> {
        if self.matches_any(exchange_alias(exchange)) {
            return Ok(self.permit(Scope::ExchangeAny(exchange.clone())));
        }
        Err(self.denied(Operation::Configure, Resource::Exchange(exchange.clone())))
    }

    fn matches(&self, operation: Operation, name: &str) -> bool {
        self.user
            .permissions
            .get(self.vhost)
            .is_some_and(|permission| permission.pattern(operation).matches(name))
    }

    fn matches_any(&self, name: &str) -> bool {
        [Operation::Read, Operation::Write, Operation::Configure]
            .into_iter()
            .any(|operation| self.matches(operation, name))
    }

    fn permit(&self, scope: Scope) -> Permit {
        Permit {
            vhost: self.vhost.clone(),
            scope,
        }
    }

    fn denied(&self, operation: Operation, resource: Resource) -> Denied {
        Denied {
            operation,
            resource,
            vhost: self.vhost.clone(),
            user: self.user.name.clone(),
        }
    }
}

fn exchange_alias(name: &ExchangeName) -> &str {
    if name.is_empty() {
        DEFAULT_EXCHANGE_ALIAS
    } else {
        name.as_str()
    }
}

#[cfg(test)]
mod tests;
