//! The node: the catalog under its lock, what runs because of it, and how a change of the one
//! becomes a change of the other.

use crate::access::Users;
use crate::alarms::Memory;
use crate::clock::Clock;
use crate::congestion::{Burden, Traffic, Waiting};
use crate::dialect::{Dialect, NoDialect, Reading};
use crate::exchanges::LiveExchange;
use crate::mailbox::{Mailbox, Notice, Touched};
use crate::queues::LiveQueue;
use crate::replies::Replies;
use crate::storage::{Backing, Step, Usage};
use crate::vhosts::LiveVhost;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use warren_broker::catalog::{self, Catalog, Change, Effect, SessionId, codec};
use warren_broker::name::{QueueName, UserName, VhostName};
use warren_broker::policy::ExchangeRules;
use warren_broker::queue::{Queue, Rules};
use warren_broker::route::QueueId;
use warren_broker::value::Table;
use warren_store::{Log, Poisoned, Position, Waiter};

/// What a node is told when it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bytes that queues may hold in memory before publishers have to wait.
    pub memory_watermark_bytes: u64,
    /// Users who may connect from this machine only.
    pub loopback_users: Vec<String>,
    /// Connections that may be open at a time; `None`: no limit.
    pub connections_max: Option<usize>,
    /// How passwords that are set from now on are hashed.
    pub password_hashing: crate::passwords::Algorithm,
    /// The virtual host with the exchange of events.
    pub event_vhost: String,
    /// Reads what its front-ends publish.
    pub dialect: Arc<dyn Dialect>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            memory_watermark_bytes: u64::MAX,
            loopback_users: vec!["guest".to_owned()],
            connections_max: None,
            password_hashing: crate::passwords::Algorithm::default(),
            event_vhost: "/".to_owned(),
            dialect: Arc::new(NoDialect),
        }
    }
}

/// What was recovered of queues, by id: the machine, and below what numbers were reserved.
pub(crate) type Machines = HashMap<u64, (Queue, u64), RandomState>;

/// A session that has logged in, as operators see it.
pub(crate) struct Session {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) user: UserName,
    pub(crate) vhost: VhostName,
}

/// A running broker.
pub struct Node {
    pub(crate) config: Config,
    pub(crate) catalog: Mutex<Catalog>,
    pub(crate) vhosts: RwLock<HashMap<VhostName, Arc<LiveVhost>, RandomState>>,
    pub(crate) users: Users,
    pub(crate) replies: Replies,
    sessions: RwLock<HashMap<SessionId, Session, RandomState>>,
    last_session: AtomicU64,
    pub(crate) backing: Arc<Backing>,
    /// The log's end after the last change of anything durable in the catalog.
    catalog_position: AtomicU64,
    /// Sessions that wait until less waits for the disk.
    congested: Waiting,
    /// The disk alarm, as it was last told to sessions.
    told_disk_alarm: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Why nothing can be kept any more.
    failure: OnceLock<Poisoned>,
    on_failure: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// Waits for the log in the place of somebody who is no session.
struct Once(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Waiter for Once {
    fn durable(&self, _: Position, _: usize) {
        let then = self.0.lock().take();
        if let Some(then) = then {
            then();
        }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

impl Node {
    /// A node with nothing in it, over a log of which nothing is read back.
    pub fn new(config: Config, log: Arc<dyn Log>) -> Arc<Self> {
        let memory = Arc::new(Memory::new(config.memory_watermark_bytes));
        let backing = Backing {
            log,
            memory,
            storage: None,
            clock: Clock::default(),
            reader: Arc::new(Reading(Arc::clone(&config.dialect))),
            node: OnceLock::new(),
        };
        Self::over(config, Arc::new(backing))
    }

    /// The time, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.backing.clock.now_ms()
    }

    fn over(config: Config, backing: Arc<Backing>) -> Arc<Self> {
        let node = Arc::new(Self {
            config,
            catalog: Mutex::default(),
            vhosts: RwLock::default(),
            users: Users::default(),
            replies: Replies::default(),
            sessions: RwLock::default(),
            last_session: AtomicU64::new(0),
            backing,
            catalog_position: AtomicU64::new(0),
            congested: Waiting::default(),
            told_disk_alarm: AtomicBool::new(false),
            threads: Mutex::default(),
            failure: OnceLock::new(),
            on_failure: OnceLock::new(),
        });
        // It is set once: the backing is the node's own.
        let _ = node.backing.node.set(Arc::downgrade(&node));
        node
    }

    /// A node with what was recovered. The log is needed from `needed_from` on for what queues hold
    /// outside of extents.
    pub(crate) fn with_contents(
        config: Config,
        backing: Arc<Backing>,
        recovered: &Catalog,
        mut machines: Machines,
        needed_from: Position,
    ) -> Arc<Self> {
        let node = Self::over(config, backing);
        let mut catalog = node.catalog.lock();
        let mut touched = Touched::default();
        for change in recovered.durable_changes() {
            for effect in catalog.replay(change) {
                match effect {
                    Effect::QueueCreated(vhost, queue, rules) => {
                        let (machine, reserved) =
                            machines.remove(&queue.id.0).unwrap_or((Queue::new(true), 0));
                        let backing = Arc::clone(&node.backing);
                        let live =
                            LiveQueue::new(queue, vhost.clone(), backing, machine, reserved, needed_from);
                        let live = Arc::new(live);
                        live.set_rules(*rules);
                        node.within(&vhost, |all| all.add_queue(live));
                    }
                    Effect::ExchangeCreated(vhost, exchange, rules) => {
                        let machine = machines.remove(&exchange.id.0);
                        let machine = machine.unwrap_or((Queue::new(true), 0));
                        let keys = node.key_queue(&vhost, &exchange, machine, needed_from);
                        node.add_exchange(&vhost, exchange, rules, keys);
                    }
                    Effect::QueueSetAside(vhost, queue, rules) => {
                        let (machine, reserved) =
                            machines.remove(&queue.id.0).unwrap_or((Queue::new(true), 0));
                        let backing = Arc::clone(&node.backing);
                        let live =
                            LiveQueue::new(queue, vhost.clone(), backing, machine, reserved, needed_from);
                        let live = Arc::new(live);
                        // It sends on when the clock calls, which the rules ask for.
                        live.is_set_aside();
                        live.set_rules(*rules);
                        node.within(&vhost, |all| all.add_aside(live));
                    }
                    other => node.carry_out(other, &mut touched),
                }
            }
        }
        catalog.raise_last_id(recovered.last_id());
        node.users.replace(catalog.users());
        drop(catalog);
        node
    }

    /// Starts the threads that commit, keep house and read; `on_failure` is called when the log fails.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(self: &Arc<Self>, on_failure: Box<dyn Fn() + Send + Sync>) -> std::io::Result<()> {
        let _ = self.on_failure.set(on_failure);
        let mut threads = Vec::new();
        if let Some(storage) = &self.backing.storage {
            threads = storage.start(self)?;
        }
        let node = Arc::clone(self);
        let clock = std::thread::Builder::new().name("clock".to_owned());
        threads.push(clock.spawn(move || node.backing.clock.run(&node))?);
        *self.threads.lock() = threads;
        Ok(())
    }

    /// Stops in an orderly way, after all sessions have left: what is in queues is durable, with the
    /// exact marks of redelivery.
    ///
    /// # Errors
    /// The log failed.
    pub fn stop(self: &Arc<Self>) -> Result<(), Poisoned> {
        self.backing.clock.close();
        let storage = self.backing.storage.as_ref();
        let stopped = storage.map_or(Ok(()), |storage| storage.stop(self));
        for thread in std::mem::take(&mut *self.threads.lock()) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
        stopped
    }

    /// Writes and syncs what was logged, for those who run a node without [`Node::start`]. Answers whether
    /// there was anything.
    ///
    /// # Errors
    /// The log failed.
    pub fn commit_log(&self) -> Result<bool, Poisoned> {
        let storage = self.backing.storage.as_ref();
        storage.map_or(Ok(false), |storage| storage.wal.commit())
    }

    /// Keeps house once, likewise.
    ///
    /// # Errors
    /// The log failed.
    pub fn keep_house(self: &Arc<Self>) -> Result<Step, Poisoned> {
        let storage = self.backing.storage.as_ref();
        storage.map_or(Ok(Step::Done), |storage| storage.keep(self))
    }

    /// Reads one batch of messages that a queue waits for, likewise. Answers whether there was any.
    pub fn read_back(&self) -> bool {
        let storage = self.backing.storage.as_ref();
        storage.is_some_and(|storage| storage.read_once())
    }

    /// How much extents hold.
    pub fn usage(&self) -> Usage {
        let storage = self.backing.storage.as_ref();
        storage.map_or_else(Usage::default, |storage| storage.usage())
    }

    /// The log failed: nothing can be promised any more, and everybody is told.
    pub(crate) fn log_failed(&self, poisoned: &Poisoned) {
        if self.failure.set(poisoned.clone()).is_err() {
            return;
        }
        tracing::error!(%poisoned, "the log failed: nothing is kept any more, the broker stops");
        for mailbox in self.mailboxes() {
            mailbox.notify(Notice::LogFailed(poisoned.to_string()));
        }
        if let Some(tell) = self.on_failure.get() {
            tell();
        }
    }

    /// Why nothing can be kept any more.
    pub fn failure(&self) -> Option<&Poisoned> {
        self.failure.get()
    }

    /// Whether nothing is there, not even a user: a broker that starts for the first time.
    pub fn is_empty(&self) -> bool {
        let catalog = self.catalog.lock();
        catalog.vhosts().next().is_none() && catalog.users().next().is_none()
    }

    /// All queues that run.
    pub(crate) fn live_queues(&self) -> Vec<Arc<LiveQueue>> {
        let vhosts = self.vhosts.read();
        vhosts.values().flat_map(|vhost| vhost.queues()).collect()
    }

    /// All queues that exchanges have for themselves, to remember keys of messages.
    pub(crate) fn key_queues(&self) -> Vec<Arc<LiveQueue>> {
        let vhosts = self.vhosts.read();
        vhosts.values().flat_map(|vhost| vhost.key_queues()).collect()
    }

    /// The log position up to which everything is durable.
    pub fn durable(&self) -> Position {
        self.backing.log.durable()
    }

    /// The log position after everything so far: what an answer waits for that tells of
    /// something another session may have written a moment ago.
    pub fn appended(&self) -> Position {
        self.backing.log.appended()
    }

    /// The same, for what is in the catalog.
    pub fn catalog_position(&self) -> Position {
        Position(self.catalog_position.load(Ordering::Acquire))
    }

    /// Whether whoever publishes with this burden should wait: more waits for the disk than is good. An
    /// alarm, which blocks publishers by itself, is no reason: others on the connection are to go on.
    pub fn is_congested(&self, burden: Burden) -> bool {
        self.traffic().stops(burden)
    }

    fn traffic(&self) -> Traffic {
        let is_log_behind = self.backing.log.is_congested();
        let is_log_busy = self.appended() > self.durable();
        match &self.backing.storage {
            None => Traffic {
                is_log_behind,
                is_log_busy,
                budget_bytes: u64::MAX,
                ..Traffic::default()
            },
            Some(storage) if storage.is_disk_alarmed() => Traffic::default(),
            Some(storage) => Traffic {
                is_log_behind,
                is_log_busy,
                lets_wait: storage.lets_wait.load(Ordering::Relaxed),
                held_bytes: self.memory().queues_bytes(),
                budget_bytes: storage.options.recent_bytes,
                part_bytes: self.backing.part_bytes(),
            },
        }
    }

    /// Puts [`Notice::Room`] into the mailbox once the node is no longer congested for this burden.
    pub fn notify_room(&self, mailbox: &Arc<Mailbox>, burden: Burden) {
        if self.congested.add(mailbox, burden, || self.traffic()) {
            // By then what waits now is written.
            self.notify_durable(self.appended(), mailbox);
        } else if let Some(storage) = &self.backing.storage {
            // Whether memory is full or the log has no next file, the keeper is to make room.
            storage.bell.ring();
        }
    }

    /// Tells those who wait for room and need not any more.
    pub(crate) fn spread_room(&self) {
        for mailbox in self.congested.release(|| self.traffic()) {
            self.notify_durable(self.appended(), &mailbox);
        }
    }

    /// Puts [`Notice::Durable`] into the mailbox once the log is durable up to `position`.
    pub fn notify_durable(&self, position: Position, mailbox: &Arc<Mailbox>) {
        let waiter: Arc<Mailbox> = Arc::clone(mailbox);
        self.backing.log.notify(position, waiter);
    }

    /// Calls `then` once the log is durable up to `position`, at once if it is; never, when the log fails
    /// before. `then` may run on the thread that writes the log, and must not block.
    pub fn when_durable(&self, position: Position, then: impl FnOnce() + Send + 'static) {
        let then: Box<dyn FnOnce() + Send> = Box::new(then);
        let once = Once(Mutex::new(Some(then)));
        self.backing.log.notify(position, Arc::new(once));
    }

    /// The account of memory, to which sessions add what they hold for publishers.
    pub fn memory(&self) -> &Memory {
        &self.backing.memory
    }

    /// Why publishers have to wait, in RabbitMQ's words; `None` when they need not.
    pub fn alarm(&self) -> Option<&'static str> {
        let disk = self
            .backing
            .storage
            .as_ref()
            .is_some_and(|storage| storage.is_disk_alarmed());
        match (self.memory().is_alarmed(), disk) {
            (false, false) => None,
            (true, false) => Some("low on memory"),
            (false, true) => Some("low on disk"),
            (true, true) => Some("low on memory & disk"),
        }
    }

    /// The virtual host of this name.
    pub fn vhost(&self, name: &str) -> Option<Arc<LiveVhost>> {
        self.vhosts.read().get(name).cloned()
    }

    /// How many sessions are open.
    pub fn session_count(&self) -> usize {
        self.sessions.read().len()
    }

    /// How many sessions are open in the virtual hosts that are meant.
    pub fn session_count_in(&self, is_meant: impl Fn(&VhostName) -> bool) -> usize {
        let sessions = self.sessions.read();
        sessions
            .values()
            .filter(|session| is_meant(&session.vhost))
            .count()
    }

    /// A mailbox for a new session.
    pub fn new_mailbox(&self) -> Arc<Mailbox> {
        let id = SessionId(self.last_session.fetch_add(1, Ordering::Relaxed) + 1);
        Arc::new(Mailbox::new(id))
    }

    /// Tells sessions when an alarm was set or cleared since the last call. Called after work
    /// that changed what queues hold, with no lock held.
    pub fn spread_alarms(&self) {
        let memory = self.memory();
        if memory.take_news() {
            let alarmed = memory.is_alarmed();
            if alarmed {
                tracing::warn!(held_bytes = memory.held_bytes(), "memory alarm set");
            } else {
                tracing::info!(held_bytes = memory.held_bytes(), "memory alarm cleared");
            }
            self.tell_alarm();
        }
    }

    /// Tells sessions when the disk alarm was set or cleared since the last call.
    pub(crate) fn spread_disk_alarm(&self) {
        let Some(storage) = &self.backing.storage else {
            return;
        };
        let alarmed = storage.is_disk_alarmed();
        if self.told_disk_alarm.swap(alarmed, Ordering::AcqRel) != alarmed {
            if alarmed {
                tracing::warn!("disk alarm set");
            } else {
                tracing::info!("disk alarm cleared");
            }
            self.tell_alarm();
        }
    }

    fn tell_alarm(&self) {
        for mailbox in self.mailboxes() {
            mailbox.notify(Notice::Alarm);
        }
    }

    /// Adds a session, if `admit` lets it in, which hears how many there are; nobody else is asked meanwhile.
    pub(crate) fn add_session<T, E>(
        &self,
        admit: impl FnOnce(usize) -> Result<(Session, T), E>,
    ) -> Result<T, E> {
        let mut sessions = self.sessions.write();
        let (session, answer) = admit(sessions.len())?;
        sessions.insert(session.mailbox.session(), session);
        Ok(answer)
    }

    pub(crate) fn remove_session(&self, session: SessionId) {
        self.sessions.write().remove(&session);
    }

    fn mailboxes(&self) -> Vec<Arc<Mailbox>> {
        let sessions = self.sessions.read();
        sessions
            .values()
            .map(|session| Arc::clone(&session.mailbox))
            .collect()
    }

    /// Tells the sessions that are meant to close, for this reason.
    pub(crate) fn close_sessions(&self, is_meant: impl Fn(&Session) -> bool, reason: &str) {
        let sessions = self.sessions.read();
        let meant = sessions.values().filter(|session| is_meant(session));
        let mailboxes: Vec<_> = meant.map(|session| Arc::clone(&session.mailbox)).collect();
        drop(sessions);
        for mailbox in mailboxes {
            mailbox.notify(Notice::Close(reason.to_owned()));
        }
    }

    /// Makes a change, logs what of it lasts and carries out what it means. The catalog's lock is held,
    /// so that log and what runs change in the order of the catalog. Answers the position that an
    /// answer has to wait for; the beginning, when nothing of it lasts.
    pub(crate) fn commit(&self, catalog: &mut Catalog, change: Change, touched: &mut Touched) -> Position {
        let (effects, logged) = catalog.apply_logged(change);
        let mut position = Position::default();
        if !logged.is_empty() {
            position = self.backing.log.append(&mut |out| {
                for change in &logged {
                    out.begin(0, crate::storage::record::CHANGE);
                    out.part(|bytes| codec::encode(change, bytes));
                    out.end();
                }
            });
            self.catalog_position.store(position.0, Ordering::Release);
        }
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
            Effect::ExchangeCreated(vhost, exchange, rules) => {
                let keys = self.key_queue(&vhost, &exchange, (Queue::new(true), 0), Position::default());
                self.add_exchange(&vhost, exchange, rules, keys);
            }
            Effect::ExchangeDeleted(vhost, exchange) => self.within(&vhost, |live| {
                if let Some(exchange) = live.remove_exchange(&exchange.name) {
                    exchange.end(touched);
                }
            }),
            Effect::QueueCreated(vhost, queue, rules) => self.add_queue(&vhost, queue, *rules),
            Effect::QueueDeleted(vhost, queue) => self.within(&vhost, |live| {
                if let Some(queue) = live.remove_queue(&queue.name) {
                    queue.forget(touched);
                }
            }),
            Effect::QueueSetAside(vhost, queue, _) => self.within(&vhost, |live| live.set_aside(&queue)),
            Effect::AsideDeleted(vhost, queue) => self.within(&vhost, |live| {
                if let Some(queue) = live.remove_aside(queue.id) {
                    queue.forget(touched);
                }
            }),
            Effect::Bound(link) => self.within(&link.vhost, |live| {
                if let Some(exchange) = live.exchange_by_id(link.source) {
                    exchange.bind(&link);
                    self.recall(live, &exchange, link.destination, touched);
                }
            }),
            Effect::Unbound(link) => self.within(&link.vhost, |live| {
                if let Some(exchange) = live.exchange_by_id(link.source) {
                    exchange.unbind(&link);
                }
            }),
            Effect::ExchangeRules(vhost, id, rules) => self.within(&vhost, |live| {
                if let Some(exchange) = live.exchange_by_id(id) {
                    exchange.set_rules(rules);
                }
            }),
            Effect::Aliases(vhost, aliases) => {
                self.within(&vhost, |live| live.set_aliases(aliases));
                // Whoever asks for the version from now on finds the new ones.
                self.users.outdate();
            }
            Effect::QueueRules(vhost, id, rules) => self.within(&vhost, |live| {
                if let Some(queue) = live.queues_by_id(&[id]).first() {
                    queue.set_rules(*rules);
                }
            }),
        }
    }

    fn add_exchange(
        &self,
        vhost: &VhostName,
        exchange: catalog::Exchange,
        rules: ExchangeRules,
        keys: Option<Arc<LiveQueue>>,
    ) {
        self.within(vhost, |live| {
            let memory = &self.backing.memory;
            let exchange = LiveExchange::new(exchange, vhost.clone(), rules, memory, keys);
            live.add_exchange(Arc::new(exchange));
        });
    }

    /// The queue that remembers keys for an exchange, if it lets no message through twice: with what was
    /// recovered of it, as [`LiveQueue::new`] has it.
    ///
    /// It is in no directory and in no catalog. It is there because the exchange is, whose number it has in
    /// the log and in checkpoints: numbers of exchanges and of queues are drawn from one sequence.
    fn key_queue(
        &self,
        vhost: &VhostName,
        exchange: &catalog::Exchange,
        (machine, reserved): (Queue, u64),
        needed_from: Position,
    ) -> Option<Arc<LiveQueue>> {
        let memory = (exchange.routed_as().deduplicates)(&exchange.arguments)?;
        let declared = catalog::Queue {
            id: QueueId(exchange.id.0),
            // Both are as long as a name may be.
            name: QueueName::new(exchange.name.as_str()).ok()?,
            queue_type: catalog::QueueType::Classic,
            durable: exchange.durable && memory.is_kept,
            auto_delete: false,
            owner: None,
            arguments: Table::new(),
        };
        let backing = Arc::clone(&self.backing);
        let machine = if declared.durable {
            machine
        } else {
            Queue::new(false)
        };
        let keys = LiveQueue::new(declared, vhost.clone(), backing, machine, reserved, needed_from);
        let keys = Arc::new(keys);
        keys.set_rules(Rules {
            deduplication: Some(memory.rule),
            ..Rules::default()
        });
        Some(keys)
    }

    fn add_queue(&self, vhost: &VhostName, queue: catalog::Queue, rules: Rules) {
        self.within(vhost, |live| {
            let backing = Arc::clone(&self.backing);
            let machine = Queue::new(queue.durable);
            let queue = LiveQueue::new(queue, vhost.clone(), backing, machine, 0, Position::default());
            let queue = Arc::new(queue);
            // Before anybody finds it.
            queue.set_rules(rules);
            live.add_queue(queue);
        });
    }

    fn within(&self, vhost: &VhostName, act: impl FnOnce(&LiveVhost)) {
        if let Some(live) = self.vhost(vhost.as_str()) {
            act(&live);
        }
    }
}
