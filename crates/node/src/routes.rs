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
use warren_broker::route::{Destination, ExchangeId, QueueId, Routable};

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
    /// The exchanges that the route went through, each with the version that was seen.
    seen: Vec<(Arc<LiveExchange>, u64)>,
    /// The route depends on more than the exchange and the key.
    once: bool,
    /// The user's permissions that allowed it.
    access_version: u64,
}

impl Route {
    fn is_good(&self, access_version: u64) -> bool {
        self.access_version == access_version
            && self
                .seen
                .iter()
                .all(|(exchange, version)| exchange.version() == *version)
            && self.queues.iter().all(|queue| !queue.is_deleted())
    }

    /// Whether it may be used again.
    fn is_memorable(&self) -> bool {
        // What nobody takes today may be taken tomorrow without any exchange having changed:
        // by an alternate exchange that comes to be.
        !self.once && !self.queues.is_empty()
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
                self.queues -= route.queues.len();
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
        let queues = route.queues.len();
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
            self.queues -= old.queues.len();
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

/// Follows a message from an exchange through bindings and alternates.
pub(crate) struct Walk<'a> {
    vhost: &'a LiveVhost,
    visited: HashSet<ExchangeId>,
    /// Exchanges that send a message one way, and have.
    picked: HashSet<ExchangeId>,
    queue_ids: Vec<QueueId>,
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
            picked: HashSet::new(),
            queue_ids: Vec::new(),
            route,
        }
    }

    /// Adds where `message` goes from `start`.
    pub(crate) fn follow(&mut self, start: Arc<LiveExchange>, message: &Routable<'_>) {
        let mut next = vec![start];
        while let Some(exchange) = next.pop() {
            let id = exchange.declared().id;
            if !self.visited.insert(id) || (exchange.declared().kind.picks_one && !self.picked.insert(id)) {
                continue;
            }
            // The version is read before the table: a change in between voids the route.
            let version = exchange.version();
            self.route.once |= LiveExchange::is_gone(version) || exchange.routes_each_anew();
            let mut found = 0usize;
            let mut onward = Vec::new();
            exchange.route(message, &mut |destination| {
                found += 1;
                match destination {
                    Destination::Queue(id) => self.queue_ids.push(id),
                    Destination::Exchange(id) => onward.push(id),
                }
            });
            next.extend(onward.into_iter().filter_map(|id| self.vhost.exchange_by_id(id)));
            if found == 0
                && let Some(alternate) = exchange.alternate()
            {
                // A missing alternate may be declared later, which voids nothing.
                self.route.once = true;
                next.extend(self.vhost.exchange(&alternate));
            }
            self.route.seen.push((exchange, version));
        }
        self.visited.clear();
    }

    /// Adds the queue that the default exchange knows by this name.
    pub(crate) fn add_queue(&mut self, name: &str) {
        if let Some(queue) = self.vhost.queue(name) {
            self.route.queues.push(queue);
        }
    }

    /// The route of all keys followed.
    pub(crate) fn finish(mut self) -> Route {
        self.queue_ids.sort_unstable();
        self.queue_ids.dedup();
        self.route.queues.extend(self.vhost.queues_by_id(&self.queue_ids));
        self.route.queues.sort_unstable_by_key(|queue| queue.id());
        self.route.queues.dedup_by_key(|queue| queue.id());
        self.route.is_durable = self.route.queues.iter().any(|queue| queue.declared().durable);
        self.route
    }
}
