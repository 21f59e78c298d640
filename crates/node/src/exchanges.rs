//! Exchanges that run: the routing table under a lock, and a version for those who remember
//! routes.
//!
//! A table is changed in place under a write lock; routes are remembered by sessions (see
//! [`routes`](crate::routes)), so that the read lock is off the path of most messages. A copy
//! for every change would make binding 100,000 keys a matter of minutes.

use crate::alarms::Memory;
use crate::history::History;
use crate::mailbox::Touched;
use crate::queues::LiveQueue;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use warren_broker::catalog::{Exchange, Link};
use warren_broker::message::Message;
use warren_broker::name::VhostName;
use warren_broker::policy::ExchangeRules;
use warren_broker::refusal::Subject;
use warren_broker::route::{Destination, ExchangeKind, Routable, RoutingTable};

/// Set in the version of an exchange that is gone.
const GONE: u64 = 1 << 63;

/// A running exchange.
pub struct LiveExchange {
    declared: Exchange,
    /// What it routes as.
    kind: ExchangeKind,
    vhost: VhostName,
    /// The messages that it routed last, if it remembers any.
    history: Option<History>,
    /// A queue that nobody else knows, and that remembers keys of messages, if it lets none through twice.
    keys: Option<Arc<LiveQueue>>,
    rules: RwLock<ExchangeRules>,
    table: RwLock<Box<dyn RoutingTable>>,
    version: AtomicU64,
}

impl std::fmt::Debug for LiveExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveExchange")
            .field("name", &self.declared.name)
            .finish_non_exhaustive()
    }
}

impl LiveExchange {
    pub(crate) fn new(
        declared: Exchange,
        vhost: VhostName,
        rules: ExchangeRules,
        memory: &Arc<Memory>,
        keys: Option<Arc<LiveQueue>>,
    ) -> Self {
        let kind = declared.routed_as();
        let table = RwLock::new((kind.new_table)(&declared.arguments));
        let length = (kind.remembers)(&declared.arguments);
        Self {
            declared,
            kind,
            vhost,
            history: (length > 0).then(|| History::new(length, Arc::clone(memory))),
            keys,
            rules: RwLock::new(rules),
            table,
            version: AtomicU64::new(0),
        }
    }

    /// As it was declared.
    pub fn declared(&self) -> &Exchange {
        &self.declared
    }

    /// How it routes, which its type may leave to another one.
    pub(crate) fn kind(&self) -> ExchangeKind {
        self.kind
    }

    /// The queue that remembers keys of messages, if it lets none through twice.
    pub(crate) fn keys(&self) -> Option<&Arc<LiveQueue>> {
        self.keys.as_ref()
    }

    /// Whether it remembers what it routes.
    pub(crate) fn has_history(&self) -> bool {
        self.history.is_some()
    }

    /// Remembers a message that it routed, if it remembers any.
    pub(crate) fn remember(&self, message: &Message) {
        if let Some(history) = &self.history {
            history.add(message);
        }
    }

    /// The messages that it remembers, the oldest first, as if they were published now.
    pub(crate) fn remembered(&self, now_ms: u64) -> Vec<Message> {
        let history = self.history.as_ref();
        history.map_or_else(Vec::new, |history| history.messages(now_ms))
    }

    /// How refusals name it.
    pub fn subject(&self) -> Subject {
        Subject::Exchange(self.declared.name.clone(), self.vhost.clone())
    }

    /// Changes whenever its routes may have changed, its own end included.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether an exchange with this version is gone: then a route through it cannot be remembered, since
    /// nothing will void it any more.
    pub(crate) fn is_gone(version: u64) -> bool {
        version & GONE != 0
    }

    /// Whether a route depends on more than the key, and then cannot be remembered.
    pub(crate) fn routes_each_anew(&self) -> bool {
        self.table.read().routes_each_anew()
    }

    /// Whether one route serves all keys.
    pub(crate) fn ignores_key(&self) -> bool {
        self.table.read().ignores_key()
    }

    pub(crate) fn route(&self, message: &Routable<'_>, sink: &mut dyn FnMut(Destination)) {
        self.table.read().route(message, sink);
    }

    pub(crate) fn bind(&self, link: &Link) {
        let mut table = self.table.write();
        table.bind(&link.key, &link.arguments, link.destination, link.endpoint.name());
        self.outdate();
    }

    pub(crate) fn unbind(&self, link: &Link) {
        let mut table = self.table.write();
        table.unbind(&link.key, &link.arguments, link.destination);
        self.outdate();
    }

    /// The exchange that gets what this one cannot route.
    pub(crate) fn alternate(&self) -> Option<Box<str>> {
        self.rules.read().alternate.clone()
    }

    /// It goes by other rules from now on.
    pub(crate) fn set_rules(&self, rules: ExchangeRules) {
        *self.rules.write() = rules;
        self.outdate();
    }

    /// Voids every route that went through it.
    pub(crate) fn outdate(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Voids every route that went through it, also those that are being found and have yet to ask for its
    /// version. What it remembers goes with it.
    pub(crate) fn end(&self, touched: &mut Touched) {
        self.version.fetch_or(GONE, Ordering::AcqRel);
        if let Some(keys) = &self.keys {
            keys.forget(touched);
        }
    }
}
