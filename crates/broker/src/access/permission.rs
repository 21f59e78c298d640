//! What a user may do in one virtual host, and with one topic exchange.
//!
//! Patterns by operation, compiled once when the permission is set. Which name is held against which pattern
//! is decided in [`Access`](super::Access) and nowhere else.

use super::Operation;
use super::pattern::{Error, Pattern};
use crate::name::{UserName, VhostName};

/// What a user may do in one virtual host: a pattern over resource names for each operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Names that may be created, deleted and changed.
    pub configure: Pattern,
    /// Names into which messages may be put.
    pub write: Pattern,
    /// Names from which messages may be taken.
    pub read: Pattern,
}

impl Permission {
    /// Compiles the three patterns.
    ///
    /// # Errors
    /// The first pattern's [`Error`].
    pub fn new(configure: &str, write: &str, read: &str) -> Result<Self, Error> {
        Ok(Permission {
            configure: Pattern::new(configure)?,
            write: Pattern::new(write)?,
            read: Pattern::new(read)?,
        })
    }

    /// The pattern of an operation.
    pub fn pattern(&self, operation: Operation) -> &Pattern {
        match operation {
            Operation::Configure => &self.configure,
            Operation::Write => &self.write,
            Operation::Read => &self.read,
        }
    }
}

/// Which keys a user may use with one topic exchange.
///
/// In the patterns `{username}` and `{vhost}` stand for the user's name and the virtual host's, taken
/// literally: a user who is called `.*` may use the key `.*` and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPermission {
    /// Routing keys that may be published with.
    pub write: Pattern,
    /// Binding keys that may be bound with.
    pub read: Pattern,
}

impl TopicPermission {
    /// Compiles the two patterns for this user in this virtual host.
    ///
    /// # Errors
    /// The first pattern's [`Error`].
    pub fn new(write: &str, read: &str, user: &UserName, vhost: &VhostName) -> Result<Self, Error> {
        let variables = [("username", user.as_str()), ("vhost", vhost.as_str())];
        Ok(TopicPermission {
            write: Pattern::expanded(write, &variables)?,
            read: Pattern::expanded(read, &variables)?,
        })
    }
}
