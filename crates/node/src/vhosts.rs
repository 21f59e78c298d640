//! Virtual hosts that run: where exchanges and queues are found by name and by id.

use crate::exchanges::LiveExchange;
use crate::places::Places;
use crate::queues::LiveQueue;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use warren_broker::catalog;
use warren_broker::name::{ExchangeName, QueueName, VhostName};
use warren_broker::route::{ExchangeId, QueueId};

type Map<K, V> = HashMap<K, V, RandomState>;

#[derive(Debug, Default)]
struct Directory {
    exchanges: Map<ExchangeName, Arc<LiveExchange>>,
    exchanges_by_id: Map<ExchangeId, Arc<LiveExchange>>,
    queues: Map<QueueName, Arc<LiveQueue>>,
    /// All of them, with those that were set aside, which have no name any more.
    queues_by_id: Map<QueueId, Arc<LiveQueue>>,
    /// Names that stand for queues, which may not be there.
    aliases: BTreeMap<QueueName, QueueName>,
}

/// A running virtual host.
#[derive(Debug)]
pub struct LiveVhost {
    name: VhostName,
    directory: RwLock<Directory>,
    /// Those that its connections take.
    pub(crate) connections: Arc<Places>,
}

impl LiveVhost {
    pub(crate) fn new(name: VhostName) -> Self {
        Self {
            name,
            directory: RwLock::default(),
            connections: Arc::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &VhostName {
        &self.name
    }

    /// The exchange of this name.
    pub fn exchange(&self, name: &str) -> Option<Arc<LiveExchange>> {
        self.directory.read().exchanges.get(name).cloned()
    }

    /// The queue of this name.
    pub fn queue(&self, name: &str) -> Option<Arc<LiveQueue>> {
        self.directory.read().queues.get(name).cloned()
    }

    /// The queue of this name, or the one that the name is an alias of.
    pub(crate) fn queue_or_alias(&self, name: &str) -> Option<Arc<LiveQueue>> {
        let directory = self.directory.read();
        let found = directory.queues.get(name);
        let found = found.or_else(|| directory.queues.get(directory.aliases.get(name)?));
        found.cloned()
    }

    /// The queue that the name is an alias of; it may not be there.
    pub(crate) fn alias(&self, name: &str) -> Option<QueueName> {
        let directory = self.directory.read();
        directory.aliases.get(name).cloned()
    }

    /// These are its aliases from now on.
    pub(crate) fn set_aliases(&self, aliases: BTreeMap<QueueName, QueueName>) {
        self.directory.write().aliases = aliases;
    }

    /// The queues that its exchanges have for themselves.
    pub(crate) fn key_queues(&self) -> Vec<Arc<LiveQueue>> {
        let directory = self.directory.read();
        let exchanges = directory.exchanges.values();
        exchanges
            .filter_map(|exchange| exchange.keys().cloned())
            .collect()
    }

    /// All its queues, with those that were set aside.
    pub(crate) fn queues(&self) -> Vec<Arc<LiveQueue>> {
        self.directory.read().queues_by_id.values().cloned().collect()
    }

    pub(crate) fn exchange_by_id(&self, id: ExchangeId) -> Option<Arc<LiveExchange>> {
        self.directory.read().exchanges_by_id.get(&id).cloned()
    }

    /// The queues of these ids that still exist.
    pub(crate) fn queues_by_id(&self, ids: &[QueueId]) -> Vec<Arc<LiveQueue>> {
        let directory = self.directory.read();
        ids.iter()
            .filter_map(|id| directory.queues_by_id.get(id).cloned())
            .collect()
    }

    pub(crate) fn add_exchange(&self, exchange: Arc<LiveExchange>) {
        let mut directory = self.directory.write();
        let declared = exchange.declared();
        directory
            .exchanges_by_id
            .insert(declared.id, Arc::clone(&exchange));
        directory.exchanges.insert(declared.name.clone(), exchange);
    }

    pub(crate) fn remove_exchange(&self, name: &ExchangeName) -> Option<Arc<LiveExchange>> {
        let mut directory = self.directory.write();
        let exchange = directory.exchanges.remove(name)?;
        directory.exchanges_by_id.remove(&exchange.declared().id);
        Some(exchange)
    }

    pub(crate) fn add_queue(&self, queue: Arc<LiveQueue>) {
        let mut directory = self.directory.write();
        directory.queues_by_id.insert(queue.id(), Arc::clone(&queue));
        directory.queues.insert(queue.declared().name.clone(), queue);
    }

    pub(crate) fn remove_queue(&self, name: &QueueName) -> Option<Arc<LiveQueue>> {
        let mut directory = self.directory.write();
        let queue = directory.queues.remove(name)?;
        directory.queues_by_id.remove(&queue.id());
        Some(queue)
    }

    /// Nobody finds a queue by its name any more.
    pub(crate) fn set_aside(&self, queue: &catalog::Queue) {
        let mut directory = self.directory.write();
        let found = directory.queues.get(&queue.name);
        if found.is_some_and(|found| found.id() == queue.id) {
            directory.queues.remove(&queue.name);
        }
    }

    /// A queue is there that was set aside before a restart.
    pub(crate) fn add_aside(&self, queue: Arc<LiveQueue>) {
        self.directory.write().queues_by_id.insert(queue.id(), queue);
    }

    pub(crate) fn remove_aside(&self, id: QueueId) -> Option<Arc<LiveQueue>> {
        self.directory.write().queues_by_id.remove(&id)
    }
}
