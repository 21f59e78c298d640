//! What of the catalog survives: which changes the log holds, and how the catalog comes of them again.
//!
//! ```text
//!   change ─► apply_logged ─► effects, for the running broker
//!                         └─► changes ─► log ─┐
//!   durable_changes ─► checkpoint ────────────┴─► replay ─► the durable part of the catalog
//! ```
//!
//! Virtual hosts, users, parameters and policies are durable. Exchanges and queues are if they were declared
//! so, bindings if both their ends are. The changes that are logged name every durable thing that goes, so
//! replay lets nothing go of itself. It must not: an auto-delete exchange whose last *durable* binding went
//! may still have others, of which the log knows nothing.

use super::change::AutoDelete;
use super::{Binding, Catalog, Change, Effect, Endpoint, PolicyScope, VhostContent};

impl Catalog {
    /// Makes a change, as [`apply`](Self::apply) does. Besides what it means it answers what the log must
    /// hold of it, to be appended as one piece; nothing, when it changes nothing durable. A put of what is
    /// there must not change whether it is durable, and none that was decided does.
    pub fn apply_logged(&mut self, change: Change) -> (Vec<Effect>, Vec<Change>) {
        // Asked before: afterwards the ends may be gone.
        let itself = self.is_durable(&change).then(|| change.clone());
        let effects = self.apply(change);
        let mut logged = Vec::new();
        match itself {
            Some(
                whole @ (Change::VhostPut(_)
                | Change::VhostDeleted(_)
                | Change::UserPut(_)
                | Change::UserDeleted(_)
                | Change::ParameterPut(..)
                | Change::ParameterDeleted(..)
                | Change::GlobalParameterPut(..)
                | Change::GlobalParameterDeleted(_)
                | Change::PolicyPut(..)
                | Change::PolicyDeleted(..)),
            ) => return (effects, vec![whole]),
            Some(change) if !effects.is_empty() => logged.push(change),
            _ => {}
        }
        logged.extend(effects.iter().filter_map(durable_deletion));
        (effects, logged)
    }

    /// Makes a change that the log or a checkpoint holds, literally: auto-delete exchanges stay until their
    /// own deletion comes.
    pub fn replay(&mut self, change: Change) -> Vec<Effect> {
        self.make(change, AutoDelete::Logged)
    }

    /// Changes that make everything durable when they are replayed on an empty catalog, in this order:
    /// virtual hosts, users, parameters of the whole cluster, then parameters, policies, exchanges, queues,
    /// those set aside, and bindings of each virtual host. The [last id](Self::last_id) is no change, and has
    /// to be kept beside them.
    pub fn durable_changes(&self) -> Vec<Change> {
        let vhosts = self.vhosts.values();
        let mut changes: Vec<Change> = vhosts
            .map(|content| Change::VhostPut(content.properties.clone()))
            .collect();
        changes.extend(self.users.values().cloned().map(Change::UserPut));
        let globals = self.global_parameters.iter();
        changes.extend(globals.map(|(name, value)| Change::GlobalParameterPut(name.clone(), value.clone())));
        for content in self.vhosts.values() {
            content.push_durable(&mut changes);
        }
        changes
    }

    /// The highest number that an exchange or a queue ever had.
    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Sees to it that no number up to `id` is used again. Replay alone does not, since it never learns of
    /// what was transient, or of what was gone before the checkpoint.
    pub fn raise_last_id(&mut self, id: u64) {
        self.last_id = self.last_id.max(id);
    }

    /// Whether the log has to hold the change itself. Deletions of exchanges and queues are found among the
    /// effects, with those that follow from them.
    fn is_durable(&self, change: &Change) -> bool {
        match change {
            Change::VhostPut(_)
            | Change::VhostDeleted(_)
            | Change::UserPut(_)
            | Change::UserDeleted(_)
            | Change::PolicyPut(..)
            | Change::PolicyDeleted(..)
            | Change::GlobalParameterPut(..)
            | Change::GlobalParameterDeleted(_) => true,
            Change::ParameterPut(vhost, _) | Change::ParameterDeleted(vhost, ..) => {
                self.vhosts.contains_key(vhost)
            }
            Change::ExchangePut(_, exchange) => exchange.durable,
            Change::QueuePut(_, queue) | Change::QueueSetAside(_, queue) => queue.durable,
            Change::AsideDeleted(vhost, id) => {
                let content = self.vhosts.get(vhost);
                content.is_some_and(|content| content.aside.get(id).is_some_and(|queue| queue.durable))
            }
            Change::Bound(vhost, binding) | Change::Unbound(vhost, binding) => {
                let content = self.vhosts.get(vhost);
                content.is_some_and(|content| content.is_durable(binding))
            }
            Change::ExchangeDeleted(..) | Change::QueueDeleted(..) => false,
        }
    }
}

impl VhostContent {
    /// Whether both ends of a binding are there and durable.
    fn is_durable(&self, binding: &Binding) -> bool {
        let source = self.exchanges.get(&binding.source);
        let destination = match &binding.destination {
            Endpoint::Queue(name) => self.queues.get(name).is_some_and(|found| found.durable),
            Endpoint::Exchange(name) => self.exchanges.get(name).is_some_and(|found| found.durable),
        };
        destination && source.is_some_and(|found| found.durable)
    }

    fn push_durable(&self, changes: &mut Vec<Change>) {
        let vhost = &self.properties.name;
        let parameters = self.parameters().cloned();
        changes.extend(parameters.map(|parameter| Change::ParameterPut(vhost.clone(), parameter)));
        for scope in [PolicyScope::Users, PolicyScope::Operators] {
            let policies = self.policies(scope).cloned();
            changes.extend(policies.map(|policy| Change::PolicyPut(vhost.clone(), scope, policy)));
        }
        let mut exchanges: Vec<_> = self.exchanges.values().filter(|found| found.durable).collect();
        exchanges.sort_unstable_by_key(|exchange| exchange.id);
        let mut queues: Vec<_> = self.queues.values().filter(|found| found.durable).collect();
        queues.sort_unstable_by_key(|queue| queue.id);
        let exchanges = exchanges.into_iter().cloned();
        changes.extend(exchanges.map(|exchange| Change::ExchangePut(vhost.clone(), exchange)));
        let queues = queues.into_iter().cloned();
        changes.extend(queues.map(|queue| Change::QueuePut(vhost.clone(), queue)));
        let aside = self.aside.values().filter(|found| found.durable).cloned();
        changes.extend(aside.map(|queue| Change::QueueSetAside(vhost.clone(), queue)));
        let bindings = self.bindings.iter().filter(|binding| self.is_durable(binding));
        changes.extend(bindings.map(|binding| Change::Bound(vhost.clone(), binding)));
    }
}

fn durable_deletion(effect: &Effect) -> Option<Change> {
    match effect {
        Effect::ExchangeDeleted(vhost, exchange) if exchange.durable => {
            Some(Change::ExchangeDeleted(vhost.clone(), exchange.name.clone()))
        }
        Effect::QueueDeleted(vhost, queue) if queue.durable => {
            Some(Change::QueueDeleted(vhost.clone(), queue.name.clone()))
        }
        _ => None,
    }
}
