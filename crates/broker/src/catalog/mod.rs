//! The catalog: what exists. Virtual hosts, users, exchanges, queues' declarations, bindings.
//!
//! A state machine: `decide_*` (in [`declare`](self)) say which [`Change`] an operation comes
//! to, or refuse; [`Catalog::apply`] makes changes and answers with [`Effect`]s for the
//! running broker. Everything durable about a catalog is a sequence of changes.

mod arguments;
mod bindings;
mod change;
pub mod codec;
mod declare;
mod durable;
mod parameters;
mod policies;
#[cfg(test)]
mod tests;

pub use arguments::QueueType;
pub(crate) use arguments::check_added;
pub use bindings::{Binding, Bindings, Endpoint};
use change::AutoDelete;
pub use change::{Change, Effect, Link, PolicyScope};
pub use declare::{ExchangeDeclaration, QueueDeclaration};
use parameters::Parameters;
use policies::Policies;

use crate::access::User;
use crate::name::{ExchangeName, QueueName, UserName, VhostName};
use crate::naming::Namings;
use crate::refusal::{Refusal, Subject};
use crate::route::{Destination, ExchangeId, ExchangeKind, QueueId};
use crate::value::{Table, Value};
use std::collections::{BTreeMap, HashMap};

/// Names the session that owns an exclusive queue. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// A virtual host's own properties.
#[derive(Debug, Clone, PartialEq)]
pub struct Vhost {
    /// Its name.
    pub name: VhostName,
    /// Words for people.
    pub description: String,
    /// Labels for tools.
    pub tags: Vec<Box<str>>,
    /// Queue type of declarations that name none; classic when absent.
    pub default_queue_type: Option<QueueType>,
}

impl Vhost {
    /// A virtual host with nothing but a name.
    pub fn named(name: VhostName) -> Self {
        Self {
            name,
            description: String::new(),
            tags: Vec::new(),
            default_queue_type: None,
        }
    }
}

/// An exchange as it was declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Never used again, unlike the name.
    pub id: ExchangeId,
    /// Its name, unique in its virtual host.
    pub name: ExchangeName,
    /// How it routes.
    pub kind: ExchangeKind,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last binding.
    pub auto_delete: bool,
    /// Takes messages from other exchanges only.
    pub internal: bool,
    /// As declared.
    pub arguments: Table,
}

impl Exchange {
    /// How it routes, if its type leaves that to another one.
    pub fn routed_as(&self) -> ExchangeKind {
        self.kind.routed_as(&self.arguments)
    }
}

/// A queue as it was declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Never used again, unlike the name.
    pub id: QueueId,
    /// Its name, unique in its virtual host.
    pub name: QueueName,
    /// Which rules it follows.
    pub queue_type: QueueType,
    /// Survives a restart. Never set on an exclusive queue.
    pub durable: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// The session with which it goes and which alone may use it.
    pub owner: Option<SessionId>,
    /// As declared.
    pub arguments: Table,
}

/// What exists in one virtual host.
#[derive(Debug)]
pub struct VhostContent {
    /// Its own properties.
    pub properties: Vhost,
    exchanges: HashMap<ExchangeName, Exchange>,
    queues: HashMap<QueueName, Queue>,
    /// Deleted queues that still send on what they held.
    aside: BTreeMap<QueueId, Queue>,
    bindings: Bindings,
    parameters: Parameters,
    namings: Namings,
    policies: Policies,
}

impl VhostContent {
    /// The exchange of this name.
    pub fn exchange(&self, name: &str) -> Option<&Exchange> {
        self.exchanges.get(name)
    }

    /// The queue of this name.
    pub fn queue(&self, name: &str) -> Option<&Queue> {
        self.queues.get(name)
    }

    /// The queue that this name is an alias of.
    pub fn alias(&self, name: &str) -> Option<&QueueName> {
        self.namings.alias(name)
    }

    /// What a client asks for, with what the model for the queue's name says of what it leaves open; `None`
    /// where there is no model for it.
    pub fn by_model(&self, asked: &QueueDeclaration) -> Option<QueueDeclaration> {
        self.namings.complete(asked, self.queues.get(&asked.name))
    }

    /// All exchanges.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.values()
    }

    /// All queues.
    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.queues.values()
    }

    /// Queues that are deleted and still send on what they held.
    pub fn queues_aside(&self) -> impl Iterator<Item = &Queue> {
        self.aside.values()
    }

    /// All bindings but those of the default exchange, which are the queues' names.
    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// The exchange of this name.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn find_exchange(&self, name: &ExchangeName) -> Result<&Exchange, Refusal> {
        self.exchanges
            .get(name)
            .ok_or_else(|| Refusal::NotFound(self.exchange_subject(name)))
    }

    /// The queue of this name.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn find_queue(&self, name: &QueueName) -> Result<&Queue, Refusal> {
        self.queues
            .get(name)
            .ok_or_else(|| Refusal::NotFound(self.queue_subject(name)))
    }

    fn exchange_subject(&self, name: &ExchangeName) -> Subject {
        Subject::Exchange(name.clone(), self.properties.name.clone())
    }

    fn queue_subject(&self, name: &QueueName) -> Subject {
        Subject::Queue(name.clone(), self.properties.name.clone())
    }
}

/// The exchanges that every virtual host has from the start: name and type.
const PREDECLARED: &[(&str, &str)] = &[
    ("amq.direct", "direct"),
    ("amq.fanout", "fanout"),
    ("amq.topic", "topic"),
    ("amq.headers", "headers"),
    ("amq.match", "headers"),
    (TRACE_EXCHANGE, "topic"),
];

/// The internal one among them.
const TRACE_EXCHANGE: &str = "amq.rabbitmq.trace";

/// All that exists on a broker.
#[derive(Debug, Default)]
pub struct Catalog {
    vhosts: BTreeMap<VhostName, VhostContent>,
    users: BTreeMap<UserName, User>,
    global_parameters: BTreeMap<Box<str>, Value>,
    last_id: u64,
}

impl Catalog {
    /// A virtual host and what is in it.
    pub fn vhost(&self, name: &str) -> Option<&VhostContent> {
        self.vhosts.get(name)
    }

    /// All virtual hosts by name.
    pub fn vhosts(&self) -> impl Iterator<Item = &VhostContent> {
        self.vhosts.values()
    }

    /// A user.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// All users by name.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// What a parameter of the whole cluster says.
    pub fn global_parameter(&self, name: &str) -> Option<&Value> {
        self.global_parameters.get(name)
    }

    /// All parameters of the whole cluster, by name.
    pub fn global_parameters(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.global_parameters
            .iter()
            .map(|(name, value)| (&**name, value))
    }

    /// A number for a new exchange or queue.
    pub fn next_id(&self) -> u64 {
        self.last_id + 1
    }

    /// The exchanges that a new virtual host starts with, as changes to be applied after it.
    pub fn predeclared(&self, vhost: &VhostName) -> Vec<Change> {
        let rows = (self.next_id()..).zip(PREDECLARED);
        let exchanges = rows.filter_map(|(id, (name, kind))| {
            Some(Exchange {
                id: ExchangeId(id),
                name: ExchangeName::new(name).ok()?,
                kind: ExchangeKind::named(kind)?,
                durable: true,
                auto_delete: false,
                internal: *name == TRACE_EXCHANGE,
                arguments: Table::default(),
            })
        });
        exchanges
            .map(|exchange| Change::ExchangePut(vhost.clone(), exchange))
            .collect()
    }

    /// Makes a change and answers what it means, in order. What does not concern anything that
    /// exists has no effect.
    pub fn apply(&mut self, change: Change) -> Vec<Effect> {
        self.make(change, AutoDelete::Now)
    }

    fn make(&mut self, change: Change, auto_delete: AutoDelete) -> Vec<Effect> {
        let mut effects = Vec::new();
        match change {
            Change::VhostPut(properties) => self.put_vhost(properties, &mut effects),
            Change::VhostDeleted(name) => self.delete_vhost(&name, &mut effects),
            Change::UserPut(user) => {
                self.users.insert(user.name.clone(), user);
                effects.push(Effect::UsersChanged);
            }
            Change::UserDeleted(name) => {
                self.users.remove(&name);
                effects.push(Effect::UsersChanged);
            }
            Change::ExchangePut(vhost, exchange) => self.put_exchange(vhost, exchange, &mut effects),
            Change::QueuePut(vhost, queue) => self.put_queue(vhost, queue, &mut effects),
            Change::ExchangeDeleted(vhost, name) => self.within(&vhost, |content| {
                content.delete_exchange(&name, auto_delete, &mut effects);
            }),
            Change::QueueDeleted(vhost, name) => self.within(&vhost, |content| {
                content.delete_queue(&name, auto_delete, &mut effects);
            }),
            Change::QueueSetAside(vhost, queue) => {
                self.last_id = self.last_id.max(queue.id.0);
                self.within(&vhost, |content| {
                    content.set_aside(queue, auto_delete, &mut effects);
                });
            }
            Change::AsideDeleted(vhost, id) => self.within(&vhost, |content| {
                if let Some(queue) = content.aside.remove(&id) {
                    effects.push(Effect::AsideDeleted(vhost.clone(), queue));
                }
            }),
            Change::Bound(vhost, binding) => self.within(&vhost, |content| {
                if let Some(destination) = content.resolve(&binding.destination)
                    && content.exchanges.contains_key(&binding.source)
                    && content.bindings.insert(&binding)
                    && let Some(link) = content.link(binding, destination)
                {
                    effects.push(Effect::Bound(link));
                }
            }),
            Change::Unbound(vhost, binding) => self.within(&vhost, |content| {
                if let Some(destination) = content.resolve(&binding.destination)
                    && content.bindings.remove(&binding)
                {
                    content.unbound(vec![binding], destination, auto_delete, &mut effects);
                }
            }),
            change @ (Change::ParameterPut(..)
            | Change::ParameterDeleted(..)
            | Change::GlobalParameterPut(..)
            | Change::GlobalParameterDeleted(_)) => self.change_parameter(change, &mut effects),
            Change::PolicyPut(vhost, scope, policy) => self.within(&vhost, |content| {
                content.put_policy(scope, policy, &mut effects);
            }),
            Change::PolicyDeleted(vhost, scope, name) => self.within(&vhost, |content| {
                content.delete_policy(scope, &name, &mut effects);
            }),
        }
        effects
    }

    fn put_exchange(&mut self, vhost: VhostName, exchange: Exchange, effects: &mut Vec<Effect>) {
        self.last_id = self.last_id.max(exchange.id.0);
        if let Some(content) = self.vhosts.get_mut(&vhost) {
            // Started again, it would lose its routes.
            let before = content.exchanges.insert(exchange.name.clone(), exchange.clone());
            if before.as_ref() != Some(&exchange) {
                let rules = content.exchange_rules(&exchange);
                effects.push(Effect::ExchangeCreated(vhost, exchange, rules));
            }
        }
    }

    fn put_queue(&mut self, vhost: VhostName, queue: Queue, effects: &mut Vec<Effect>) {
        self.last_id = self.last_id.max(queue.id.0);
        if let Some(content) = self.vhosts.get_mut(&vhost) {
            // Started again, it would lose its messages.
            let before = content.queues.insert(queue.name.clone(), queue.clone());
            if before.as_ref() != Some(&queue) {
                let rules = Box::new(content.queue_rules(&queue));
                effects.push(Effect::QueueCreated(vhost, queue, rules));
            }
        }
    }

    fn within(&mut self, vhost: &VhostName, act: impl FnOnce(&mut VhostContent)) {
        if let Some(content) = self.vhosts.get_mut(vhost) {
            act(content);
        }
    }

    fn put_vhost(&mut self, properties: Vhost, effects: &mut Vec<Effect>) {
        if let Some(content) = self.vhosts.get_mut(&properties.name) {
            content.properties = properties;
            return;
        }
        let name = properties.name.clone();
        let content = VhostContent {
            properties,
            exchanges: HashMap::new(),
            queues: HashMap::new(),
            aside: BTreeMap::new(),
            bindings: Bindings::default(),
            parameters: Parameters::default(),
            namings: Namings::default(),
            policies: Policies::default(),
        };
        self.vhosts.insert(name.clone(), content);
        effects.push(Effect::VhostCreated(name));
    }

    fn delete_vhost(&mut self, name: &VhostName, effects: &mut Vec<Effect>) {
        let Some(content) = self.vhosts.remove(name) else {
            return;
        };
        let queues = content.queues.into_values();
        effects.extend(queues.map(|queue| Effect::QueueDeleted(name.clone(), queue)));
        let aside = content.aside.into_values();
        effects.extend(aside.map(|queue| Effect::AsideDeleted(name.clone(), queue)));
        let exchanges = content.exchanges.into_values();
        effects.extend(exchanges.map(|exchange| Effect::ExchangeDeleted(name.clone(), exchange)));
        for user in self.users.values_mut() {
            user.permissions.remove(name);
            user.topic_permissions.remove(name);
        }
        effects.push(Effect::VhostDeleted(name.clone()));
    }
}

impl VhostContent {
    fn delete_queue(&mut self, name: &QueueName, auto_delete: AutoDelete, effects: &mut Vec<Effect>) {
        let Some(queue) = self.queues.remove(name) else {
            return;
        };
        let gone = self.bindings.take_to(&Endpoint::Queue(name.clone()));
        let destination = Destination::Queue(queue.id);
        effects.push(Effect::QueueDeleted(self.properties.name.clone(), queue));
        self.unbound(gone, destination, auto_delete, effects);
    }

    fn set_aside(&mut self, queue: Queue, auto_delete: AutoDelete, effects: &mut Vec<Effect>) {
        // The name may be another one's by now.
        let has_name = self
            .queues
            .get(&queue.name)
            .is_some_and(|found| found.id == queue.id);
        let mut gone = Vec::new();
        if has_name {
            self.queues.remove(&queue.name);
            gone = self.bindings.take_to(&Endpoint::Queue(queue.name.clone()));
        }
        let destination = Destination::Queue(queue.id);
        if self.aside.insert(queue.id, queue.clone()).is_none() {
            let rules = Box::new(self.queue_rules(&queue));
            effects.push(Effect::QueueSetAside(self.properties.name.clone(), queue, rules));
        }
        self.unbound(gone, destination, auto_delete, effects);
    }

    fn delete_exchange(&mut self, name: &ExchangeName, auto_delete: AutoDelete, effects: &mut Vec<Effect>) {
        if let Some((gone, destination)) = self.take_exchange(name, effects) {
            self.unbound(gone, destination, auto_delete, effects);
        }
    }

    /// Takes an exchange out, and the bindings that lead to it, which are still to be told of.
    fn take_exchange(
        &mut self,
        name: &ExchangeName,
        effects: &mut Vec<Effect>,
    ) -> Option<(Vec<Binding>, Destination)> {
        let exchange = self.exchanges.remove(name)?;
        self.bindings.take_from(name);
        let gone = self.bindings.take_to(&Endpoint::Exchange(name.clone()));
        let destination = Destination::Exchange(exchange.id);
        effects.push(Effect::ExchangeDeleted(self.properties.name.clone(), exchange));
        Some((gone, destination))
    }

    /// Bindings to `destination` went: tell their sources' tables, and delete auto-delete sources
    /// that have no binding left, which may take further bindings with them. A client can make
    /// a chain of such exchanges as long as it likes, so this does not recurse.
    fn unbound(
        &mut self,
        gone: Vec<Binding>,
        destination: Destination,
        auto_delete: AutoDelete,
        effects: &mut Vec<Effect>,
    ) {
        let mut waiting = vec![(gone, destination)];
        while let Some((gone, destination)) = waiting.pop() {
            for binding in gone {
                let source = binding.source.clone();
                let Some(link) = self.link(binding, destination) else {
                    continue;
                };
                effects.push(Effect::Unbound(link));
                let is_last = !self.bindings.has_source(&source);
                let goes = self.exchanges.get(&source).is_some_and(|found| found.auto_delete);
                if is_last && goes && auto_delete == AutoDelete::Now {
                    waiting.extend(self.take_exchange(&source, effects));
                }
            }
        }
    }

    fn resolve(&self, endpoint: &Endpoint) -> Option<Destination> {
        match endpoint {
            Endpoint::Queue(name) => Some(Destination::Queue(self.queues.get(name)?.id)),
            Endpoint::Exchange(name) => Some(Destination::Exchange(self.exchanges.get(name)?.id)),
        }
    }

    fn link(&self, binding: Binding, destination: Destination) -> Option<Link> {
        Some(Link {
            vhost: self.properties.name.clone(),
            source: self.exchanges.get(&binding.source)?.id,
            destination,
            endpoint: binding.destination,
            key: binding.key,
            arguments: binding.arguments,
        })
    }
}
