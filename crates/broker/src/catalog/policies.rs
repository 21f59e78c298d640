//! The policies of a virtual host, and what its queues and exchanges go by.

use super::{Effect, Exchange, PolicyScope, Queue, VhostContent};
use crate::policy::{ExchangeRules, Kind, Policy, in_force, queue_rules};
use crate::queue::Rules;
use std::collections::BTreeMap;

/// Policies by name, those of operators apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Policies {
    users: BTreeMap<Box<str>, Policy>,
    operators: BTreeMap<Box<str>, Policy>,
}

impl Policies {
    fn of(&self, scope: PolicyScope) -> &BTreeMap<Box<str>, Policy> {
        match scope {
            PolicyScope::Users => &self.users,
            PolicyScope::Operators => &self.operators,
        }
    }

    fn of_mut(&mut self, scope: PolicyScope) -> &mut BTreeMap<Box<str>, Policy> {
        match scope {
            PolicyScope::Users => &mut self.users,
            PolicyScope::Operators => &mut self.operators,
        }
    }

    fn replace(&mut self, scope: PolicyScope, name: &str, policy: Option<Policy>) -> Option<Policy> {
        let all = self.of_mut(scope);
        match policy {
            Some(policy) => all.insert(name.into(), policy),
            None => all.remove(name),
        }
    }

    fn both(&self, kind: Kind, name: &str) -> (Option<&Policy>, Option<&Policy>) {
        let found = |scope| in_force(self.of(scope).values(), kind, name);
        (found(PolicyScope::Users), found(PolicyScope::Operators))
    }
}

impl VhostContent {
    /// The policies of a scope, by name.
    pub fn policies(&self, scope: PolicyScope) -> impl Iterator<Item = &Policy> {
        self.policies.of(scope).values()
    }

    /// A policy by its name.
    pub fn policy(&self, scope: PolicyScope, name: &str) -> Option<&Policy> {
        self.policies.of(scope).get(name)
    }

    /// The policies in force for a queue: that of the users, and that of operators.
    pub fn queue_policies(&self, queue: &Queue) -> (Option<&Policy>, Option<&Policy>) {
        self.policies
            .both(Kind::Queue(queue.queue_type), queue.name.as_str())
    }

    /// The same for an exchange.
    pub fn exchange_policies(&self, exchange: &Exchange) -> (Option<&Policy>, Option<&Policy>) {
        self.policies.both(Kind::Exchange, exchange.name.as_str())
    }

    /// What a queue goes by.
    pub fn queue_rules(&self, queue: &Queue) -> Rules {
        let (policy, operators) = self.queue_policies(queue);
        queue_rules(queue, policy, operators)
    }

    /// What an exchange goes by.
    pub fn exchange_rules(&self, exchange: &Exchange) -> ExchangeRules {
        let (policy, operators) = self.exchange_policies(exchange);
        ExchangeRules::of(exchange, policy, operators)
    }

    pub(super) fn put_policy(&mut self, scope: PolicyScope, policy: Policy, effects: &mut Vec<Effect>) {
        let name = policy.name.clone();
        self.change_policy(scope, &name, Some(policy), effects);
    }

    pub(super) fn delete_policy(&mut self, scope: PolicyScope, name: &str, effects: &mut Vec<Effect>) {
        self.change_policy(scope, name, None, effects);
    }

    /// Puts a policy in the place of the one of its name, or takes that away, and tells whom it concerns.
    fn change_policy(
        &mut self,
        scope: PolicyScope,
        name: &str,
        policy: Option<Policy>,
        effects: &mut Vec<Effect>,
    ) {
        let before = self.policies.clone();
        let replaced = self.policies.replace(scope, name, policy);
        let changed = || replaced.iter().chain(self.policies.of(scope).get(name));
        let is_concerned = |kind, name: &str| changed().any(|policy| policy.is_for(kind, name));
        let vhost = &self.properties.name;
        let mut exchanges = Vec::new();
        for exchange in self.exchanges.values() {
            let (kind, name) = (Kind::Exchange, exchange.name.as_str());
            if !is_concerned(kind, name) {
                continue;
            }
            let (policy, operators) = before.both(kind, name);
            let rules = self.exchange_rules(exchange);
            if rules != ExchangeRules::of(exchange, policy, operators) {
                exchanges.push((exchange.id, rules));
            }
        }
        exchanges.sort_unstable_by_key(|(id, _)| *id);
        let mut queues = Vec::new();
        for queue in self.queues.values().chain(self.aside.values()) {
            let (kind, name) = (Kind::Queue(queue.queue_type), queue.name.as_str());
            if !is_concerned(kind, name) {
                continue;
            }
            let (policy, operators) = before.both(kind, name);
            let rules = self.queue_rules(queue);
            if rules != queue_rules(queue, policy, operators) {
                queues.push((queue.id, rules));
            }
        }
        queues.sort_unstable_by_key(|(id, _)| *id);
        let exchanges = exchanges.into_iter();
        effects.extend(exchanges.map(|(id, rules)| Effect::ExchangeRules(vhost.clone(), id, rules)));
        let queues = queues.into_iter();
        effects.extend(queues.map(|(id, rules)| Effect::QueueRules(vhost.clone(), id, Box::new(rules))));
    }
}
