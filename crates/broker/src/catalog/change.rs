//! What can change in a catalog, and what a change means for the running broker.

use super::{Binding, Endpoint, Exchange, Queue, Vhost};
use crate::access::User;
use crate::name::{ExchangeName, QueueName, UserName, VhostName};
use crate::parameter::Parameter;
use crate::policy::{ExchangeRules, Policy};
use crate::queue::Rules;
use crate::route::{Destination, ExchangeId, QueueId};
use crate::value::{Table, Value};
use std::collections::BTreeMap;

/// One change of the catalog: the unit that is logged and replicated. Deciding whether it may
/// be made is done before; applying it cannot fail, and applying it twice does no harm.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A virtual host is there, with these properties.
    VhostPut(Vhost),
    /// A virtual host goes, with all that is in it.
    VhostDeleted(VhostName),
    /// A user is there, with these properties and permissions.
    UserPut(User),
    /// A user goes.
    UserDeleted(UserName),
    /// An exchange is there.
    ExchangePut(VhostName, Exchange),
    /// An exchange goes, with its bindings in both directions.
    ExchangeDeleted(VhostName, ExchangeName),
    /// A queue is there.
    QueuePut(VhostName, Queue),
    /// A queue goes, with its bindings.
    QueueDeleted(VhostName, QueueName),
    /// A queue goes, with its bindings, but is set aside until it has sent on what it holds: its name is
    /// free, and nobody finds it.
    QueueSetAside(VhostName, Queue),
    /// A queue that was set aside goes, by its id.
    AsideDeleted(VhostName, QueueId),
    /// A binding is there.
    Bound(VhostName, Binding),
    /// A binding goes.
    Unbound(VhostName, Binding),
    /// A parameter is there.
    ParameterPut(VhostName, Parameter),
    /// A parameter goes, by its component and name.
    ParameterDeleted(VhostName, Box<str>, Box<str>),
    /// A parameter of the whole cluster is there.
    GlobalParameterPut(Box<str>, Value),
    /// A parameter of the whole cluster goes.
    GlobalParameterDeleted(Box<str>),
    /// A policy is there, in the place of one of its name.
    PolicyPut(VhostName, PolicyScope, Policy),
    /// A policy goes, by its name.
    PolicyDeleted(VhostName, PolicyScope, Box<str>),
}

/// Whose policies: they are kept apart, and have names of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyScope {
    /// Those of a virtual host's users.
    Users,
    /// Those of operators, which limit the others.
    Operators,
}

/// What happens to an auto-delete exchange that loses its last binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AutoDelete {
    /// It goes.
    Now,
    /// It stays: a change of its own says that it went, if it did.
    Logged,
}

/// What the running broker has to do after a change, in order.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Make room for a virtual host.
    VhostCreated(VhostName),
    /// The virtual host is gone; its exchanges and queues were named before.
    VhostDeleted(VhostName),
    /// Users, or what they may do, changed.
    UsersChanged,
    /// Start an exchange that goes by these rules.
    ExchangeCreated(VhostName, Exchange, ExchangeRules),
    /// Stop an exchange.
    ExchangeDeleted(VhostName, Exchange),
    /// Start a queue that goes by these rules.
    QueueCreated(VhostName, Queue, Box<Rules>),
    /// Stop a queue and tell its consumers.
    QueueDeleted(VhostName, Queue),
    /// Set a queue aside, which sends on what it holds by these rules.
    QueueSetAside(VhostName, Queue, Box<Rules>),
    /// Stop a queue that was set aside.
    AsideDeleted(VhostName, Queue),
    /// Add to the source's routing table.
    Bound(Link),
    /// Remove from the source's routing table.
    Unbound(Link),
    /// An exchange goes by these rules from now on.
    ExchangeRules(VhostName, ExchangeId, ExchangeRules),
    /// A queue goes by these rules from now on.
    QueueRules(VhostName, QueueId, Box<Rules>),
    /// These are the aliases of queues from now on, and the queues that they stand for.
    Aliases(VhostName, BTreeMap<QueueName, QueueName>),
}

/// A binding by the ids of its ends, as routing tables know it.
#[derive(Debug, Clone)]
pub struct Link {
    /// The virtual host.
    pub vhost: VhostName,
    /// The exchange whose table it is in.
    pub source: ExchangeId,
    /// Where messages go.
    pub destination: Destination,
    /// Its name.
    pub endpoint: Endpoint,
    /// The binding key.
    pub key: Box<str>,
    /// Arguments, for types that look at them.
    pub arguments: Table,
}
