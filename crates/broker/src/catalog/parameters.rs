//! The parameters of one virtual host, and the limits that are one of them.

use std::collections::BTreeMap;

use super::{Catalog, Change, VhostContent};
use crate::limits::{Limited, Limits};
use crate::parameter::{LIMITS, Parameter, VHOST_LIMITS};

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
    /// Makes a change of a parameter, of which the running broker need not be told.
    pub(super) fn change_parameter(&mut self, change: Change) {
        match change {
            Change::ParameterPut(vhost, parameter) => {
                self.within(&vhost, |content| content.parameters.put(parameter));
            }
            Change::ParameterDeleted(vhost, component, name) => {
                self.within(&vhost, |content| content.parameters.remove(&component, &name));
            }
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

    /// What the virtual host may have at most.
    pub fn limits(&self) -> Limits {
        let parameter = self.parameter(VHOST_LIMITS, LIMITS);
        // Nothing else is put there.
        let limits = parameter.and_then(|found| Limits::read(&found.value, Limited::Vhost).ok());
        limits.unwrap_or_default()
    }
}
