//! The node: the catalog under its lock, what runs because of it, and how a change of the one
//! becomes a change of the other.

use crate::access::Users;
use crate::alarms::Memory;
use crate::exchanges::LiveExchange;
use crate::mailbox::{Mailbox, Notice, Touched};
use crate::queues::LiveQueue;
use crate::replies::Replies;
use crate::vhosts::LiveVhost;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use warren_broker::catalog::{Catalog, Change, Effect, SessionId};
use warren_broker::name::VhostName;
use warren_store::{Log, Position, Record, Waiter};

/// What a node is told when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Bytes that queues may hold in memory before publishers have to wait.
    pub memory_watermark_bytes: u64,
    /// Users who may connect from this machine only.
    pub loopback_users: Vec<String>,
    /// Connections that may be open at a time; `None`: no limit.
    pub connections_max: Option<usize>,
    /// How passwords that are set from now on are hashed.
    pub password_hashing: crate::passwords::Algorithm,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            memory_watermark_bytes: u64::MAX,
            loopback_users: vec!["guest".to_owned()],
            connections_max: None,
            password_hashing: crate::passwords::Algorithm::default(),
        }
    }
}

/// Tells a session that waits for the log.
struct DurableNotice(Arc<Mailbox>);

impl Waiter for DurableNotice {
    fn durable(&self, _: Position) {
        self.0.notify(Notice::Durable);
    }
}

/// A running broker.
pub struct Node {
    pub(crate) config: Config,
    pub(crate) catalog: Mutex<Catalog>,
    pub(crate) vhosts: RwLock<HashMap<VhostName, Arc<LiveVhost>, RandomState>>,
    pub(crate) users: Users,
    pub(crate) replies: Replies,
    sessions: RwLock<HashMap<SessionId, Arc<Mailbox>, RandomState>>,
    last_session: AtomicU64,
    memory: Arc<Memory>,
    log: Arc<dyn Log>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

impl Node {
    /// A node with nothing in it, over a log.
    pub fn new(config: Config, log: Arc<dyn Log>) -> Arc<Self> {
        let memory = Arc::new(Memory::new(config.memory_watermark_bytes));
        Arc::new(Self {
            config,
            catalog: Mutex::default(),
            vhosts: RwLock::default(),
            users: Users::default(),
            replies: Replies::default(),
            sessions: RwLock::default(),
            last_session: AtomicU64::new(0),
            memory,
            log,
        })
    }

    /// The log position up to which everything is durable.
    pub fn durable(&self) -> Position {
        self.log.durable()
    }

    /// The log position after everything so far: what an answer waits for that tells of
    /// something another session may have written a moment ago.
    pub fn appended(&self) -> Position {
        self.log.appended()
    }

    /// Puts [`Notice::Durable`] into the mailbox once the log is durable up to `position`.
    pub fn notify_durable(&self, position: Position, mailbox: &Arc<Mailbox>) {
        self.log
            .notify(position, Arc::new(DurableNotice(Arc::clone(mailbox))));
    }

    /// The account of memory, to which sessions add what they hold for publishers.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether publishers have to wait for memory.
    pub fn is_memory_alarmed(&self) -> bool {
        self.memory.is_alarmed()
    }

    /// The virtual host of this name.
    pub fn vhost(&self, name: &str) -> Option<Arc<LiveVhost>> {
        self.vhosts.read().get(name).cloned()
    }

    /// How many sessions are open.
    pub fn session_count(&self) -> usize {
        self.sessions.read().len()
    }

    /// A mailbox for a new session.
    pub fn new_mailbox(&self) -> Arc<Mailbox> {
        let id = SessionId(self.last_session.fetch_add(1, Ordering::Relaxed) + 1);
        Arc::new(Mailbox::new(id))
    }

    /// Tells sessions when an alarm was set or cleared since the last call. Called after work
    /// that changed what queues hold, with no lock held.
    pub fn spread_alarms(&self) {
        if self.memory.take_news() {
            let alarmed = self.memory.is_alarmed();
            if alarmed {
                tracing::warn!(held_bytes = self.memory.held_bytes(), "memory alarm set");
            } else {
                tracing::info!(held_bytes = self.memory.held_bytes(), "memory alarm cleared");
            }
            for mailbox in self.mailboxes() {
                mailbox.notify(Notice::Alarm);
            }
        }
    }

    pub(crate) fn add_session(&self, mailbox: Arc<Mailbox>) -> bool {
        let mut sessions = self.sessions.write();
        if self
            .config
            .connections_max
            .is_some_and(|max| sessions.len() >= max)
        {
            return false;
        }
        sessions.insert(mailbox.session(), mailbox);
        true
    }

    pub(crate) fn remove_session(&self, session: SessionId) {
        self.sessions.write().remove(&session);
    }

    fn mailboxes(&self) -> Vec<Arc<Mailbox>> {
        self.sessions.read().values().cloned().collect()
    }

    /// Logs a change, makes it and carries out what it means. The catalog's lock is held, so
    /// that what runs changes in the order of the catalog.
    pub(crate) fn commit(&self, catalog: &mut Catalog, change: Change, touched: &mut Touched) -> Position {
        let position = self.log.append(&[Record {
            owner: 0,
            kind: 0,
            head: &[],
            body: &[],
        }]);
        let effects = catalog.apply(change);
        if effects
            .iter()
            .any(|effect| matches!(effect, Effect::UsersChanged | Effect::VhostDeleted(_)))
        {
            self.users.replace(catalog.users());
        }
        for effect in effects {
            self.carry_out(effect, touched);
        }
        position
    }

    fn carry_out(&self, effect: Effect, touched: &mut Touched) {
        match effect {
            Effect::UsersChanged => {}
            Effect::VhostCreated(name) => {
                let vhost = Arc::new(LiveVhost::new(name.clone()));
                self.vhosts.write().insert(name, vhost);
            }
            Effect::VhostDeleted(name) => {
                self.vhosts.write().remove(&name);
            }
            Effect::ExchangeCreated(vhost, exchange) => self.within(&vhost, |live| {
                live.add_exchange(Arc::new(LiveExchange::new(exchange, vhost.clone())));
            }),
            Effect::ExchangeDeleted(vhost, exchange) => self.within(&vhost, |live| {
                if let Some(exchange) = live.remove_exchange(&exchange.name) {
                    exchange.outdate();
                }
            }),
            Effect::QueueCreated(vhost, queue) => self.within(&vhost, |live| {
                let idle = queue.idle_arguments();
                if !idle.is_empty() {
                    tracing::warn!(queue = %queue.name, ?idle, "queue arguments without effect so far");
                }
                let (log, memory) = (Arc::clone(&self.log), Arc::clone(&self.memory));
                live.add_queue(Arc::new(LiveQueue::new(queue, vhost.clone(), log, memory)));
            }),
            Effect::QueueDeleted(vhost, queue) => self.within(&vhost, |live| {
                if let Some(queue) = live.remove_queue(&queue.name)
                    && !queue.is_deleted()
                {
                    // Unconditional, so it cannot be refused.
                    let _ = queue.stop(false, false, touched);
                }
            }),
            Effect::Bound(link) => self.within(&link.vhost, |live| {
                if let Some(exchange) = live.exchange_by_id(link.source) {
                    exchange.bind(&link);
                }
            }),
            Effect::Unbound(link) => self.within(&link.vhost, |live| {
                if let Some(exchange) = live.exchange_by_id(link.source) {
                    exchange.unbind(&link);
                }
            }),
        }
    }

    fn within(&self, vhost: &VhostName, act: impl FnOnce(&LiveVhost)) {
        if let Some(live) = self.vhost(vhost.as_str()) {
            act(&live);
        }
    }
}
