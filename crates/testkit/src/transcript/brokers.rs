//! What a broker is to a transcript: something to connect to, to say bytes to and to hear from.

use super::hearing::Heard;
use std::time::Duration;

/// A user to be there before anybody connects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) tags: String,
    /// Configure, write, read in the virtual host "/"; `None`: may not enter it.
    pub(super) permissions: Option<[String; 3]>,
}

/// Patterns for a user's routing keys at a topic exchange of "/".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) user: String,
    pub(super) exchange: String,
    pub(super) write: String,
    pub(super) read: String,
}

/// A policy of "/".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) is_operators: bool,
    pub(super) pattern: String,
    pub(super) apply_to: String,
    pub(super) priority: i64,
    /// Keys and values: whole numbers, `true`, `false`, or words.
    pub(super) definition: Vec<(String, String)>,
}

/// What a case asks of its broker beyond the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    Vhost(String),
    User(User),
    Topic(Topic),
    Policy(Policy),
    /// The policy of this name goes; whether it is one of operators.
    NoPolicy(String, bool),
    /// A name of "/" stands for a queue.
    Alias(String, String),
    /// It does not any more.
    NoAlias(String),
    /// A model for queues of "/": its name, and what it says; arguments are among it.
    Model(String, Vec<(String, String)>),
    /// A limit of "/", or of a user: its name and the number; `None` takes it away.
    Limit(Option<String>, String, Option<i64>),
    /// Time passes.
    Advance(Duration),
    /// From now on nothing becomes durable by itself.
    HoldLog,
    /// What was appended to the log so far becomes durable.
    ReleaseLog,
    /// Memory, in bytes, from which on publishers have to wait.
    Watermark(u64),
    /// Both interceptors are on, and overwrite or not.
    Intercept(bool),
}

/// How long to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// So many things were heard; no longer.
    Heard(usize),
    /// So many things were heard, and nothing more comes.
    Quiet(usize),
}

/// A broker under a transcript. Errors are sentences for whoever reads the test's report.
pub(super) trait Broker {
    /// Whether this is Warren: cases may be its own.
    fn is_warren(&self) -> bool;

    /// Does what is wished.
    fn wish(&mut self, wish: &Wish) -> Result<(), String>;

    /// Connects, without a word.
    fn connect(&mut self, peer: char) -> Result<(), String>;

    /// Sends bytes from a peer.
    fn say(&mut self, peer: char, bytes: &[u8]) -> Result<(), String>;

    /// A peer closes its socket.
    fn hang_up(&mut self, peer: char) -> Result<(), String>;

    /// What was heard since the last call, by all peers.
    fn hear(&mut self, until: Until) -> Result<Vec<Heard>, String>;

    /// A line on its way out, where this broker's names differ from the transcript's.
    fn outgoing(&self, line: String) -> String {
        line
    }

    /// A line that was heard, with the transcript's names.
    fn incoming(&self, line: String) -> String {
        line
    }

    /// The case is over.
    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }
}
