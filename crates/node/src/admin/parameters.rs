//! Parameters of virtual hosts and of the whole cluster, and limits.

use super::Error;
use crate::node::Node;
use warren_broker::catalog::Change;
use warren_broker::limits::Limits;
use warren_broker::name::VhostName;
use warren_broker::parameter::Parameter;
use warren_broker::value::Value;

impl Node {
    /// Sets a parameter. Whether it is new.
    ///
    /// # Errors
    /// [`Error::NoVhost`].
    pub fn put_parameter(&self, vhost: &VhostName, parameter: Parameter) -> Result<bool, Error> {
        let mut is_new = false;
        self.put_object(vhost, |_, content| {
            is_new = content.parameter(&parameter.component, &parameter.name).is_none();
            Ok(Some(Change::ParameterPut(vhost.clone(), parameter)))
        })?;
        Ok(is_new)
    }

    /// Takes a parameter away. Whether there was one.
    ///
    /// # Errors
    /// [`Error::NoVhost`].
    pub fn delete_parameter(&self, vhost: &VhostName, component: &str, name: &str) -> Result<bool, Error> {
        let mut is_there = false;
        self.put_object(vhost, |_, content| {
            is_there = content.parameter(component, name).is_some();
            let change = Change::ParameterDeleted(vhost.clone(), component.into(), name.into());
            Ok(is_there.then_some(change))
        })?;
        Ok(is_there)
    }

    /// Changes the limits of a virtual host. Answers what `change` does; after an error of its own nothing
    /// is changed.
    ///
    /// # Errors
    /// [`Error::NoVhost`].
    pub fn change_vhost_limits<E>(
        &self,
        vhost: &VhostName,
        change: impl FnOnce(&mut Limits) -> Result<(), E>,
    ) -> Result<Result<(), E>, Error> {
        let mut answer = Ok(());
        self.put_object(vhost, |_, content| {
            let mut limits = content.limits();
            answer = change(&mut limits);
            let changed = answer.is_ok() && limits != content.limits();
            let parameter = Parameter::of_limits(&limits);
            Ok(changed.then(|| Change::ParameterPut(vhost.clone(), parameter)))
        })?;
        Ok(answer)
    }

    /// Sets a parameter of the whole cluster. Whether it is new.
    pub fn put_global_parameter(&self, name: &str, value: Value) -> bool {
        let mut catalog = self.catalog.lock();
        let is_new = catalog.global_parameter(name).is_none();
        self.put(&mut catalog, Change::GlobalParameterPut(name.into(), value));
        is_new
    }

    /// Takes a parameter of the whole cluster away. Whether there was one.
    pub fn delete_global_parameter(&self, name: &str) -> bool {
        let mut catalog = self.catalog.lock();
        let is_there = catalog.global_parameter(name).is_some();
        if is_there {
            self.put(&mut catalog, Change::GlobalParameterDeleted(name.into()));
        }
        is_there
    }
}
