//! The parameters of one virtual host, and the limits that are one of them.

use std::collections::BTreeMap;

use super::{Catalog, Change, Effect, VhostContent};
use crate::limits::{Limited, Limits, MAX_QUEUES};
use crate::name::QueueName;
use crate::naming::{Fault, QUEUE_ALIAS, read_alias};
use crate::parameter::{LIMITS, Parameter, VHOST_LIMITS};
use crate::refusal::Refusal;

/// Parameters by component and name.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<Box<str>, BTreeMap<Box<str>, Parameter>>);

impl Parameters {
    pub(super) fn put(&mut self, parameter: Parameter) {
        let component = self.0.entry(parameter.component.clone()).or_default();
        component.insert(parameter.name.clone(), parameter);
    }

    pub(super) fn remove(&mut self, component: &str, name: &str) {
        if let Some(all) = self.0.get_mut(component) {
            all.remove(name);
            if all.is_empty() {
                self.0.remove(component);
            }
        }
    }
}

impl Catalog {
    /// Makes a change of a parameter. Of most of them the running broker need not be told.
    pub(super) fn change_parameter(&mut self, change: Change, effects: &mut Vec<Effect>) {
        match change {
            Change::ParameterPut(vhost, parameter) => self.within(&vhost, |content| {
                if content.namings.put(&parameter) {
                    effects.push(content.aliases());
                }
                content.parameters.put(parameter);
            }),
            Change::ParameterDeleted(vhost, component, name) => self.within(&vhost, |content| {
                if content.namings.remove(&component, &name) {
                    effects.push(content.aliases());
                }
                content.parameters.remove(&component, &name);
            }),
            Change::GlobalParameterPut(name, value) => {
                self.global_parameters.insert(name, value);
            }
            Change::GlobalParameterDeleted(name) => {
                self.global_parameters.remove(&name);
            }
            _ => {}
        }
    }
}

impl VhostContent {
    /// The parameter of this name.
    pub fn parameter(&self, component: &str, name: &str) -> Option<&Parameter> {
        self.parameters.0.get(component)?.get(name)
    }

    /// All parameters, by component and name.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.0.values().flat_map(BTreeMap::values)
    }

    /// Whether a parameter fits what else is there: an alias may not have the name of a queue, nor stand for
    /// another alias.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn check_parameter(&self, parameter: &Parameter) -> Result<(), Fault> {
        if &*parameter.component != QUEUE_ALIAS {
            return Ok(());
        }
        let (alias, queue) = read_alias(&parameter.name, &parameter.value)?;
        if self.queues.contains_key(&alias) {
            return Err(Fault::Taken(alias));
        }
        self.namings.check_alias(&alias, &queue)
    }

    fn aliases(&self) -> Effect {
        Effect::Aliases(self.properties.name.clone(), self.namings.aliases().clone())
    }

    /// What the virtual host may have at most.
    pub fn limits(&self) -> Limits {
        let parameter = self.parameter(VHOST_LIMITS, LIMITS);
        // Nothing else is put there.
        let limits = parameter.and_then(|found| Limits::read(&found.value, Limited::Vhost).ok());
        limits.unwrap_or_default()
    }

    /// What one limit allows at most; `None`: as much as there is.
    pub fn most(&self, limit: &str) -> Option<u64> {
        self.limits().most(limit)
    }

    /// Whether one queue more may be declared. Each counts, exclusive ones and those that the broker named
    /// among them.
    ///
    /// # Errors
    /// [`Refusal::TooManyQueues`].
    pub(super) fn check_queue_limit(&self, name: &QueueName) -> Result<(), Refusal> {
        match self.most(MAX_QUEUES) {
            Some(most) if u64::try_from(self.queues.len()).is_ok_and(|count| count >= most) => {
                Err(Refusal::TooManyQueues {
                    name: name.clone(),
                    vhost: self.properties.name.clone(),
                    most,
                })
            }
            _ => Ok(()),
        }
    }
}
