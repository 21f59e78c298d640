//! What operators and definitions do to a broker: virtual hosts, users, permissions, parameters, and
//! objects that no session owns. Putting what is there already changes it.
//!
//! Nothing here waits for the disk: a change is durable once the log is, up to
//! [`Node::catalog_position`], and no answer may tell of it before.

mod parameters;
mod users;
mod vhosts;

use crate::mailbox::Touched;
use crate::node::Node;
use warren_broker::catalog::{
    Binding, Catalog, Change, ExchangeDeclaration, PolicyScope, QueueDeclaration, SessionId, Vhost,
    VhostContent,
};
use warren_broker::name::{UserName, VhostName};
use warren_broker::policy::Policy;
use warren_broker::refusal::Refusal;

/// The session of those who have none. No session has this id.
const NOBODY: SessionId = SessionId(0);

/// Why an operator's wish is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// No such virtual host.
    #[error("no vhost '{0}'")]
    NoVhost(VhostName),
    /// No such user.
    #[error("no user '{0}'")]
    NoUser(UserName),
    /// The broker refuses the object.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Why sessions of a virtual host are closed; RabbitMQ's words.
pub(crate) fn vhost_deleted(name: &str) -> String {
    format!("vhost '{name}' is deleted")
}

/// Why sessions of a user are closed; RabbitMQ's words.
pub(crate) fn user_deleted(name: &str) -> String {
    format!("user '{name}' is deleted")
}

impl Node {
    /// Looks into the catalog. Its lock is held meanwhile: nothing else may be asked of the node.
    pub fn catalog<T>(&self, read: impl FnOnce(&Catalog) -> T) -> T {
        read(&self.catalog.lock())
    }

    /// Creates a virtual host with its predeclared exchanges, or changes its properties. Whether it is new.
    pub fn put_vhost(&self, vhost: Vhost) -> bool {
        let mut catalog = self.catalog.lock();
        let name = vhost.name.clone();
        let is_new = catalog.vhost(name.as_str()).is_none();
        self.put(&mut catalog, Change::VhostPut(vhost));
        if is_new {
            for change in catalog.predeclared(&name) {
                self.put(&mut catalog, change);
            }
        }
        is_new
    }

    /// Declares an exchange that no session asked for.
    ///
    /// # Errors
    /// [`Error::NoVhost`], or as a client's declaration.
    pub fn put_exchange(&self, vhost: &VhostName, asked: &ExchangeDeclaration) -> Result<(), Error> {
        self.put_object(vhost, |catalog, content| catalog.decide_exchange(content, asked))
    }

    /// Declares a queue that no session owns.
    ///
    /// # Errors
    /// [`Error::NoVhost`], or as a client's declaration.
    pub fn put_queue(&self, vhost: &VhostName, asked: &QueueDeclaration) -> Result<(), Error> {
        self.put_object(vhost, |catalog, content| {
            catalog.decide_queue(content, asked, NOBODY)
        })
    }

    /// Adds a binding.
    ///
    /// # Errors
    /// [`Error::NoVhost`], or as a client's binding.
    pub fn put_binding(&self, vhost: &VhostName, binding: Binding) -> Result<(), Error> {
        self.put_object(vhost, |_, content| content.decide_binding(binding, NOBODY))
    }

    /// Lays down a policy, in the place of one of its name.
    ///
    /// # Errors
    /// [`Error::NoVhost`].
    pub fn put_policy(&self, vhost: &VhostName, scope: PolicyScope, policy: Policy) -> Result<(), Error> {
        self.put_object(vhost, |_, content| {
            let is_there = content.policy(scope, &policy.name) == Some(&policy);
            Ok((!is_there).then(|| Change::PolicyPut(vhost.clone(), scope, policy)))
        })
    }

    /// Takes a policy back. Answers whether there was one.
    ///
    /// # Errors
    /// [`Error::NoVhost`].
    pub fn delete_policy(&self, vhost: &VhostName, scope: PolicyScope, name: &str) -> Result<bool, Error> {
        let mut is_there = false;
        self.put_object(vhost, |_, content| {
            is_there = content.policy(scope, name).is_some();
            Ok(is_there.then(|| Change::PolicyDeleted(vhost.clone(), scope, name.into())))
        })?;
        Ok(is_there)
    }

    /// Whether the virtual host has such an exchange.
    pub fn has_exchange(&self, vhost: &VhostName, name: &str) -> bool {
        self.vhost(vhost.as_str())
            .is_some_and(|live| live.exchange(name).is_some())
    }

    /// Whether the virtual host has such a queue.
    pub fn has_queue(&self, vhost: &VhostName, name: &str) -> bool {
        self.vhost(vhost.as_str())
            .is_some_and(|live| live.queue(name).is_some())
    }

    fn put_object(
        &self,
        vhost: &VhostName,
        decide: impl FnOnce(&Catalog, &VhostContent) -> Result<Option<Change>, Refusal>,
    ) -> Result<(), Error> {
        let mut catalog = self.catalog.lock();
        let content = catalog
            .vhost(vhost.as_str())
            .ok_or_else(|| Error::NoVhost(vhost.clone()))?;
        if let Some(change) = decide(&catalog, content)? {
            self.put(&mut catalog, change);
        }
        Ok(())
    }

    fn put(&self, catalog: &mut Catalog, change: Change) {
        let mut touched = Touched::default();
        self.commit(catalog, change, &mut touched);
        touched.wake_all();
    }
}
