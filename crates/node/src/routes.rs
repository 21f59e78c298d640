//! Routing a message through exchanges to queues, and remembering routes.
//!
//! A route is remembered per session by (exchange, key) and is good as long as no exchange that
//! it went through has changed, its queues exist and the user's permissions are the same. So
//! most messages cost two comparisons and two loads, and no lock.

use crate::exchanges::LiveExchange;
use crate::queues::LiveQueue;
use crate::vhosts::LiveVhost;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use warren_broker::route::{Destination, ExchangeId, Headers, QueueId, Routable};

/// Remembered routes are all forgotten when there are more.
const REMEMBERED_MAX: usize = 1024;

/// And when they name more queues than this, one counted for each route.
const REMEMBERED_QUEUES_MAX: usize = 100_000;

/// Where messages of one exchange and key go.
#[derive(Debug, Default)]
pub struct Route {
    /// The queues, each once.
    pub queues: Vec<Arc<LiveQueue>>,
    /// One of the queues survives a restart, and persistent messages with it.
    pub is_durable: bool,
    /// The exchanges that the route went through and that remember what they route.
    pub(crate) remembering: Vec<Arc<LiveExchange>>,
    /// The exchanges on the way that let no message through twice.
    pub(crate) gates: Vec<Gate>,
    /// Which of them a message comes to without passing another.
    pub(crate) entrances: Vec<usize>,
    /// The exchanges that the route went through, each with the version that was seen.
    seen: Vec<(Arc<LiveExchange>, u64)>,
    /// The route depends on more than the exchange and the key.
    once: bool,
    /// The user's permissions that allowed it.
    access_version: u64,
}

/// An exchange on the way of messages that lets none through with the key of one that it let through before.
/// What only it leads to is no more than possible, until the message is there.
#[derive(Debug)]
pub(crate) struct Gate {
    /// The queue that remembers keys for it.
    pub(crate) keys: Arc<LiveQueue>,
    /// The queues behind it.
    pub(crate) queues: Vec<Arc<LiveQueue>>,
    /// The gates behind it.
    pub(crate) gates: Vec<usize>,
    /// The exchanges behind it that remember what they route.
    pub(crate) remembering: Vec<Arc<LiveExchange>>,
}

impl Route {
    /// Whether no queue takes what goes this way, so that it is to be returned if it was mandatory. What was
    /// let through before is not to be: it is where it was to go.
    pub fn reaches_nobody(&self) -> bool {
        self.queues.is_empty() && self.gates.iter().all(|gate| gate.queues.is_empty())
    }

    /// How many queues it leads to at most.
    pub fn queue_count(&self) -> usize {
        let behind = self.gates.iter().map(|gate| gate.queues.len());
        self.queues.len() + behind.sum::<usize>()
    }

    /// Whether one of its queues was deleted after it was found.
    pub fn has_deleted(&self) -> bool {
        let is_any_deleted = |queues: &[Arc<LiveQueue>]| queues.iter().any(|queue| queue.is_deleted());
        is_any_deleted(&self.queues) || self.gates.iter().any(|gate| is_any_deleted(&gate.queues))
    }

    /// Whether one of its queues may refuse messages.
    pub(crate) fn has_refusing(&self) -> bool {
        self.all_queues().any(|queue| queue.refuses())
    }

    /// Whether it depends on what came before where a message goes.
    pub(crate) fn has_gates(&self) -> bool {
        !self.entrances.is_empty()
    }

    /// All queues; one that is behind several gates more than once.
    pub(crate) fn all_queues(&self) -> impl Iterator<Item = &Arc<LiveQueue>> {
        let behind = self.gates.iter().flat_map(|gate| &gate.queues);
        self.queues.iter().chain(behind)
    }

    /// Leads no more to queues that are not to be kept.
    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(&LiveQueue) -> bool) {
        self.queues.retain(|queue| is_kept(queue));
        for gate in &mut self.gates {
            gate.queues.retain(|queue| is_kept(queue));
        }
        self.close_blind();
    }

    /// No way leads to gates behind which there is nothing: a key is remembered of what somebody got.
    fn close_blind(&mut self) {
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.gates.len()];
        let mut next = Vec::new();
        for (at, gate) in self.gates.iter().enumerate() {
            for behind in &gate.gates {
                if let Some(before) = before.get_mut(*behind) {
                    before.push(at);
                }
            }
            if !gate.queues.is_empty() || !gate.remembering.is_empty() {
                next.push(at);
            }
        }
        // Backwards from those behind which there is something.
        let mut leads = vec![false; self.gates.len()];
        while let Some(at) = next.pop() {
            if let Some(leads) = leads.get_mut(at)
                && !std::mem::replace(leads, true)
            {
                next.extend(before.get(at).into_iter().flatten());
            }
        }
        let is_leading = |gate: &usize| leads.get(*gate).copied().unwrap_or(false);
        self.entrances.retain(is_leading);
        for gate in &mut self.gates {
            gate.gates.retain(is_leading);
        }
    }

    fn is_good(&self, access_version: u64) -> bool {
        self.access_version == access_version
            && self
                .seen
                .iter()
                .all(|(exchange, version)| exchange.version() == *version)
            && !self.has_deleted()
    }

    /// Whether it may be used again.
    fn is_memorable(&self) -> bool {
        // What nobody takes today may be taken tomorrow without any exchange having changed:
        // by an alternate exchange that comes to be.
        !self.once && !self.reaches_nobody()
    }
}

/// The routes that a session remembers.
#[derive(Debug, Default)]
pub struct RouteCache {
    routes: HashMap<Box<[u8]>, Arc<Route>, RandomState>,
    /// Queues that all remembered routes name.
    queues: usize,
    last: Option<Arc<Route>>,
    last_exchange: Vec<u8>,
    last_key: Vec<u8>,
    /// The last route serves all keys.
    last_serves_all: bool,
    scratch: Vec<u8>,
}

impl RouteCache {
    /// The remembered route of an exchange and a key, if it is still good.
    pub fn find(&mut self, exchange: &str, key: &str, access_version: u64) -> Option<Arc<Route>> {
        if is_same(&self.last_exchange, exchange.as_bytes())
            && (self.last_serves_all || is_same(&self.last_key, key.as_bytes()))
            && let Some(route) = &self.last
            && route.is_good(access_version)
        {
            return Some(Arc::clone(route));
        }
        self.spell(exchange, key);
        let route = self.routes.get(&*self.scratch)?;
        if !route.is_good(access_version) {
            if let Some(route) = self.routes.remove(&*self.scratch) {
                self.queues -= route.queue_count();
            }
            return None;
        }
        let route = Arc::clone(route);
        self.set_last(exchange, Some(key), &route);
        Some(route)
    }

    /// Remembers a route that was just found, if it may be used again.
    pub fn remember(&mut self, exchange: &str, key: &str, route: &Arc<Route>) {
        if !route.is_memorable() {
            return;
        }
        let all_keys = route.seen.len() == 1 && route.seen.iter().all(|(x, _)| x.ignores_key());
        if all_keys {
            self.set_last(exchange, None, route);
            return;
        }
        let queues = route.queue_count();
        if self.routes.len() >= REMEMBERED_MAX || self.queues + queues > REMEMBERED_QUEUES_MAX {
            self.routes.clear();
            self.queues = 0;
        }
        self.spell(exchange, key);
        self.queues += queues;
        if let Some(old) = self
            .routes
            .insert(self.scratch.as_slice().into(), Arc::clone(route))
        {
            self.queues -= old.queue_count();
        }
        self.set_last(exchange, Some(key), route);
    }

    fn set_last(&mut self, exchange: &str, key: Option<&str>, route: &Arc<Route>) {
        self.last_exchange.clear();
        self.last_exchange.extend_from_slice(exchange.as_bytes());
        self.last_key.clear();
        self.last_key
            .extend_from_slice(key.unwrap_or_default().as_bytes());
        self.last_serves_all = key.is_none();
        self.last = Some(Arc::clone(route));
    }

    /// The map's key: the length of the exchange's name, the name, the routing key.
    fn spell(&mut self, exchange: &str, key: &str) {
        self.scratch.clear();
        // Names have at most 255 bytes.
        self.scratch.push(u8::try_from(exchange.len()).unwrap_or(u8::MAX));
        self.scratch.extend_from_slice(exchange.as_bytes());
        self.scratch.extend_from_slice(key.as_bytes());
    }
}

/// Whether two names are the same. An empty one is never given to `memcmp`: its pointer leads nowhere, and a
/// masked load from there, though of no byte, costs the processor more than all the rest of a publish.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}

/// What is found behind one gate, or before all of them.
#[derive(Default)]
struct Found {
    queue_ids: Vec<QueueId>,
    gates: Vec<usize>,
    remembering: Vec<Arc<LiveExchange>>,
}

/// Where [`Walk`] is: before all gates, or behind the one with the number below.
type Stage = usize;

/// Follows a message from an exchange through bindings and alternates.
pub(crate) struct Walk<'a> {
    vhost: &'a LiveVhost,
    visited: HashSet<(Stage, ExchangeId)>,
    /// An exchange that it does not go through.
    avoided: Option<ExchangeId>,
    /// By stage.
    found: Vec<Found>,
    /// The queues of gates: what is behind the first is the second stage.
    gates: Vec<Arc<LiveQueue>>,
    gates_by_id: HashMap<ExchangeId, usize, RandomState>,
    /// From which stage it came to which gate.
    ways: HashSet<(Stage, usize)>,
    route: Route,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(vhost: &'a LiveVhost, access_version: u64) -> Self {
        let route = Route {
            access_version,
            ..Route::default()
        };
        Self {
            vhost,
            visited: HashSet::new(),
            avoided: None,
            found: vec![Found::default()],
            gates: Vec::new(),
            gates_by_id: HashMap::default(),
            ways: HashSet::new(),
            route,
        }
    }

    /// It does not go through this exchange.
    pub(crate) fn around(mut self, exchange: &LiveExchange) -> Self {
        self.avoided = Some(exchange.declared().id);
        self
    }

    /// Adds where a message with these routing keys goes from `start`. Wherever it comes, it comes with all
    /// of them: an exchange that is bound to another by one key routes by the others, too. To be called once.
    pub(crate) fn follow<'k>(
        &mut self,
        start: Arc<LiveExchange>,
        keys: impl Iterator<Item = &'k str> + Clone,
        headers: &dyn Headers,
    ) {
        let mut next: Vec<(Stage, Arc<LiveExchange>)> = vec![(0, start)];
        while let Some((stage, exchange)) = next.pop() {
            let id = exchange.declared().id;
            if self.avoided == Some(id) {
                continue;
            }
            let stage = match exchange.keys() {
                Some(keys) => self.pass_gate(stage, id, keys),
                None => stage,
            };
            if !self.visited.insert((stage, id)) {
                continue;
            }
            // The version is read before the table: a change in between voids the route.
            let version = exchange.version();
            self.route.once |= LiveExchange::is_gone(version) || exchange.routes_each_anew();
            let Some(found) = self.found.get_mut(stage) else {
                continue;
            };
            if exchange.has_history() && !found.remembering.iter().any(|x| Arc::ptr_eq(x, &exchange)) {
                found.remembering.push(Arc::clone(&exchange));
            }
            let mut count = 0usize;
            let mut onward = Vec::new();
            let keys_max = if exchange.kind().picks_one { 1 } else { usize::MAX };
            for key in keys.clone().take(keys_max) {
                exchange.route(&Routable { key, headers }, &mut |destination| {
                    count += 1;
                    match destination {
                        Destination::Queue(id) => found.queue_ids.push(id),
                        Destination::Exchange(id) => onward.push(id),
                    }
                });
            }
            let onward = onward.into_iter();
            let onward = onward.filter_map(|id| Some((stage, self.vhost.exchange_by_id(id)?)));
            next.extend(onward);
            if count == 0
                && let Some(alternate) = exchange.alternate()
            {
                // A missing alternate may be declared later, which voids nothing.
                self.route.once = true;
                let alternate = self.vhost.exchange(&alternate);
                next.extend(alternate.map(|exchange| (stage, exchange)));
            }
            self.route.seen.push((exchange, version));
        }
    }

    /// Comes to a gate at some stage. Answers the stage behind it.
    fn pass_gate(&mut self, from: Stage, id: ExchangeId, keys: &Arc<LiveQueue>) -> Stage {
        let gate = *self.gates_by_id.entry(id).or_insert_with(|| {
            self.gates.push(Arc::clone(keys));
            self.found.push(Found::default());
            self.gates.len() - 1
        });
        let behind = gate + 1;
        if from != behind
            && self.ways.insert((from, gate))
            && let Some(found) = self.found.get_mut(from)
        {
            found.gates.push(gate);
        }
        behind
    }

    /// Adds the queue that the default exchange knows by this name or alias.
    pub(crate) fn add_queue(&mut self, name: &str) {
        if let Some(queue) = self.vhost.queue_or_alias(name) {
            self.route.queues.push(queue);
        }
    }

    /// The route of all keys followed.
    pub(crate) fn finish(mut self) -> Route {
        let mut found = std::mem::take(&mut self.found).into_iter();
        let before = found.next().unwrap_or_default();
        let queues = self.queues_of(before.queue_ids);
        self.route.queues.extend(queues);
        self.route.queues.sort_unstable_by_key(|queue| queue.id());
        self.route.queues.dedup_by_key(|queue| queue.id());
        self.route.remembering = before.remembering;
        self.route.entrances = before.gates;
        for (behind, keys) in found.zip(std::mem::take(&mut self.gates)) {
            let queues = self.queues_of(behind.queue_ids);
            self.route.gates.push(Gate {
                keys,
                queues,
                gates: behind.gates,
                remembering: behind.remembering,
            });
        }
        self.route.close_blind();
        // Who sends again what came before waits for what came then, wherever that went.
        let keys = self.route.gates.iter().map(|gate| &gate.keys);
        let is_durable = self
            .route
            .all_queues()
            .chain(keys)
            .any(|queue| queue.declared().durable);
        Route {
            is_durable,
            ..self.route
        }
    }

    /// The queues of these ids, each once, in the order of their ids.
    fn queues_of(&self, mut ids: Vec<QueueId>) -> Vec<Arc<LiveQueue>> {
        ids.sort_unstable();
        ids.dedup();
        self.vhost.queues_by_id(&ids)
    }
}
