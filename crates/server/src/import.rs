//! Puts definitions into a node. Additive: what exists and cannot be changed stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt::Display;
use std::path::Path;

use serde_json::{Map, Value as Json};
use warren_broker::access::{PasswordHash, Permission, TopicPermission, User};
use warren_broker::catalog::{
    Binding, Endpoint, ExchangeDeclaration, PolicyScope, QueueDeclaration, QueueType, Vhost,
};
use warren_broker::limits::{Limited, Limits, MAX_QUEUES};
use warren_broker::name::{ExchangeName, QueueName, UserName, VhostName};
use warren_broker::parameter::{self, Parameter, VHOST_LIMITS};
use warren_broker::policy::{ApplyTo, Policy};
use warren_broker::value::{Table, Value};
use warren_management::value::from_json;
use warren_node::{Node, admin, passwords};

use crate::boot;
use crate::config::value::HashingAlgorithm;
use crate::definitions::{Definitions, arguments, model};
use crate::fail::Failure;

/// The identity of the cluster that was exported. RabbitMQ has it in every export and keeps its own, too.
const CLUSTER_ID: &str = "internal_cluster_id";

/// An object that the node does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("definitions: {object}: {reason}")]
pub struct Error {
    /// Which object: `queue 'q' in vhost '/'`.
    pub object: String,
    /// Why not.
    pub reason: String,
}

/// Reads definitions and puts them into the node. What is passed over gets a line in the log.
///
/// # Errors
/// [`Failure::Definitions`], and nothing is changed; or [`Failure::Import`], and what stands before the
/// object that is refused is put in.
pub fn load(node: &Node, path: &Path, default_hashing: HashingAlgorithm) -> Result<(), Failure> {
    let definitions = Definitions::read(path)?;
    for warning in definitions.all_warnings() {
        tracing::warn!("{warning}");
    }
    apply(node, &definitions, default_hashing)?;
    tracing::info!(
        path = %path.display(),
        users = definitions.users.len(),
        vhosts = definitions.vhosts.len(),
        policies = definitions.policies.len() + definitions.operator_policies.len(),
        exchanges = definitions.exchanges.len(),
        queues = definitions.queues.len(),
        bindings = definitions.bindings.len(),
        "definitions loaded"
    );
    Ok(())
}

/// Puts everything in, in an order in which each object finds what it needs. Stops at the first object
/// that is refused; what was put in before it stays. Queues above a limit are found before all else; limits
/// that come along hold afterwards: where more queues were than the limit of later allows, all of them come.
fn apply(node: &Node, definitions: &Definitions, default_hashing: HashingAlgorithm) -> Result<(), Error> {
    check_queue_limits(node, &definitions.queues)?;
    for user in &definitions.users {
        put_user(node, user, default_hashing).map_err(at(format!("user '{}'", user.name)))?;
    }
    for vhost in &definitions.vhosts {
        put_vhost(node, vhost).map_err(at(format!("vhost '{}'", vhost.name)))?;
    }
    for permission in &definitions.permissions {
        let object = format!(
            "permission of user '{}' in vhost '{}'",
            permission.user, permission.vhost
        );
        put_permission(node, permission).map_err(at(object))?;
    }
    put_topic_permissions(node, &definitions.topic_permissions)?;
    put_policies(node, definitions)?;
    for exchange in &definitions.exchanges {
        let object = format!("exchange '{}' in vhost '{}'", exchange.name, exchange.vhost);
        put_exchange(node, exchange).map_err(at(object))?;
    }
    for global in definitions
        .global_parameters
        .iter()
        .filter(|global| global.name != CLUSTER_ID)
    {
        put_global(node, global).map_err(at(format!("global parameter '{}'", global.name)))?;
    }
    let is_limit = |parameter: &&model::Parameter| parameter.component == VHOST_LIMITS;
    for parameter in definitions.parameters.iter().filter(|found| !is_limit(found)) {
        put_parameter(node, parameter)?;
    }
    for queue in &definitions.queues {
        let object = format!("queue '{}' in vhost '{}'", queue.name, queue.vhost);
        put_queue(node, queue).map_err(at(object))?;
    }
    for binding in &definitions.bindings {
        let object = format!("binding from '{}' to '{}'", binding.source, binding.destination);
        put_binding(node, binding).map_err(at(object))?;
    }
    for vhost in &definitions.vhosts {
        put_vhost_limits(node, vhost).map_err(at(format!("vhost '{}'", vhost.name)))?;
    }
    for parameter in definitions.parameters.iter().filter(is_limit) {
        put_parameter(node, parameter)?;
    }
    Ok(())
}

/// What RabbitMQ asks before it imports anything: whether the queues that are new would exceed a limit that
/// is in force. In its words, on one line.
fn check_queue_limits(node: &Node, queues: &[model::Queue]) -> Result<(), Error> {
    let mut by_vhost: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for queue in queues {
        by_vhost.entry(&queue.vhost).or_default().insert(&queue.name);
    }
    for (vhost, names) in by_vhost {
        let limited = node.catalog(|catalog| {
            let content = catalog.vhost(vhost)?;
            let new = names.iter().filter(|name| content.queue(name).is_none());
            Some((content.most(MAX_QUEUES)?, content.queues().count(), new.count()))
        });
        let Some((most, known, new)) = limited else {
            continue;
        };
        let is_above = u64::try_from(known + new).is_ok_and(|count| count > most);
        if new > 0 && is_above {
            let reason = format!(
                "Adding {new} queue(s) to virtual host \"{vhost}\" would exceed the limit of {most} \
                 queue(s). This virtual host currently has {known} queue(s) defined. Import aborted!"
            );
            return Err(at(format!("queues of vhost '{vhost}'"))(reason));
        }
    }
    Ok(())
}

fn at(object: String) -> impl FnOnce(String) -> Error {
    move |reason| Error { object, reason }
}

fn text(error: impl Display) -> String {
    error.to_string()
}

fn put_user(node: &Node, from: &model::User, default: HashingAlgorithm) -> Result<(), String> {
    let algorithm = boot::hashing(from.hashing_algorithm.unwrap_or(default));
    let mut user = User::new(UserName::new(&from.name).map_err(text)?);
    user.tags = from.tags.iter().map(|tag| tag.as_str().into()).collect();
    user.password_hash = match (&from.password, &from.password_hash) {
        (Some(password), _) => Some(passwords::hash(password.reveal(), algorithm).map_err(text)?),
        (None, Some(hash)) => {
            let salted = hash.reveal().as_slice().into();
            Some(PasswordHash {
                algorithm: algorithm.name().into(),
                salted,
            })
        }
        (None, None) => None,
    };
    let limits = limits(&from.limits, Limited::User)?;
    let name = user.name.clone();
    node.put_user(user);
    node.change_user(&name, |user| user.limits = limits).map_err(text)
}

/// Limits of a user or a virtual host, which replace those that there are.
fn limits(from: &BTreeMap<String, i64>, of: Limited) -> Result<Limits, String> {
    let mut limits = Limits::default();
    for (name, number) in from {
        limits.set(name, &Value::I64(*number), of).map_err(text)?;
    }
    Ok(limits)
}

fn put_vhost(node: &Node, from: &model::Vhost) -> Result<(), String> {
    let default_queue_type = match from.default_queue_type.as_deref() {
        Some("quorum") => Some(QueueType::Quorum),
        Some("classic") => Some(QueueType::Classic),
        _ => None,
    };
    node.put_vhost(Vhost {
        name: VhostName::new(&from.name).map_err(text)?,
        description: from.description.clone(),
        tags: from.tags.iter().map(|tag| tag.as_str().into()).collect(),
        default_queue_type,
    });
    Ok(())
}

fn put_vhost_limits(node: &Node, from: &model::Vhost) -> Result<(), String> {
    let name = VhostName::new(&from.name).map_err(text)?;
    let limits = limits(&from.limits, Limited::Vhost)?;
    if !limits.is_empty() {
        let set = node.change_vhost_limits(&name, |known| {
            *known = limits;
            Ok::<(), Infallible>(())
        });
        // It cannot refuse by itself.
        let Ok(()) = set.map_err(text)?;
    }
    Ok(())
}

fn put_permission(node: &Node, from: &model::Permission) -> Result<(), String> {
    let vhost = existing_vhost(node, &from.vhost)?;
    let permission = Permission::new(&from.configure, &from.write, &from.read).map_err(text)?;
    let user = UserName::new(&from.user).map_err(text)?;
    let granted = node.change_user(&user, |user| {
        user.permissions.insert(vhost, permission);
    });
    granted.map_err(text)
}

/// Permissions name their virtual host as users write it, and one that is misspelt would never hold.
fn existing_vhost(node: &Node, name: &str) -> Result<VhostName, String> {
    let vhost = VhostName::new(name).map_err(text)?;
    match node.vhost(name) {
        Some(_) => Ok(vhost),
        None => Err(admin::Error::NoVhost(vhost).to_string()),
    }
}

fn put_topic_permissions(node: &Node, all: &[model::TopicPermission]) -> Result<(), Error> {
    let mut by_user: BTreeMap<&str, Vec<&model::TopicPermission>> = BTreeMap::new();
    for permission in all {
        by_user.entry(&permission.user).or_default().push(permission);
    }
    for (user, permissions) in by_user {
        let put = || {
            let name = UserName::new(user).map_err(text)?;
            let mut compiled = Vec::new();
            for from in permissions {
                let vhost = existing_vhost(node, &from.vhost)?;
                let exchange = ExchangeName::new(&from.exchange).map_err(text)?;
                let made = TopicPermission::new(&from.write, &from.read, &name, &vhost).map_err(text)?;
                compiled.push((vhost, exchange, made));
            }
            let changed = node.change_user(&name, |user| {
                for (vhost, exchange, permission) in compiled {
                    user.topic_permissions
                        .entry(vhost)
                        .or_default()
                        .insert(exchange, permission);
                }
            });
            changed.map_err(text)
        };
        put().map_err(at(format!("topic permission of user '{user}'")))?;
    }
    Ok(())
}

/// Before queues and exchanges, so that these go by them from the start.
fn put_policies(node: &Node, definitions: &Definitions) -> Result<(), Error> {
    for policy in &definitions.policies {
        let object = format!("policy '{}' in vhost '{}'", policy.name, policy.vhost);
        put_policy(node, PolicyScope::Users, policy).map_err(at(object))?;
    }
    for policy in &definitions.operator_policies {
        let object = format!("operator policy '{}' in vhost '{}'", policy.name, policy.vhost);
        put_policy(node, PolicyScope::Operators, policy).map_err(at(object))?;
    }
    Ok(())
}

fn put_policy(node: &Node, scope: PolicyScope, from: &model::Policy) -> Result<(), String> {
    let vhost = VhostName::new(&from.vhost).map_err(text)?;
    let policy = Policy::new(
        &from.name,
        &from.pattern,
        ApplyTo::named(&from.apply_to).map_err(text)?,
        from.priority,
        table(&from.definition)?,
        scope == PolicyScope::Operators,
    );
    node.put_policy(&vhost, scope, policy.map_err(text)?)
        .map_err(text)
}

fn put_exchange(node: &Node, from: &model::Exchange) -> Result<(), String> {
    let vhost = VhostName::new(&from.vhost).map_err(text)?;
    if from.name.is_empty() || from.name.starts_with("amq.") || node.has_exchange(&vhost, &from.name) {
        return Ok(());
    }
    let asked = ExchangeDeclaration {
        name: ExchangeName::new(&from.name).map_err(text)?,
        kind: from.kind.clone(),
        durable: from.durable,
        auto_delete: from.auto_delete,
        internal: from.internal,
        arguments: table(&from.arguments)?,
    };
    node.put_exchange(&vhost, &asked).map_err(text)
}

fn put_global(node: &Node, from: &model::GlobalParameter) -> Result<(), String> {
    node.put_global_parameter(&from.name, value(&from.value)?);
    Ok(())
}

/// One of a component that nobody here has was told of before.
fn put_parameter(node: &Node, from: &model::Parameter) -> Result<(), Error> {
    let model::Parameter {
        component,
        name,
        vhost,
        ..
    } = from;
    try_put_parameter(node, from).map_err(at(format!("{component} '{name}' in vhost '{vhost}'")))
}

fn try_put_parameter(node: &Node, from: &model::Parameter) -> Result<(), String> {
    let vhost = VhostName::new(&from.vhost).map_err(text)?;
    match Parameter::new(&from.component, &from.name, value(&from.value)?) {
        Ok(parameter) => {
            if parameter.is_idle() {
                let (component, name) = (&from.component, &from.name);
                tracing::warn!(component, name, %vhost, "a parameter without effect so far");
            }
            node.put_parameter(&vhost, parameter).map(drop).map_err(text)
        }
        Err(parameter::Fault::Component(_)) => Ok(()),
        Err(fault) => Err(text(fault)),
    }
}

fn value(json: &Json) -> Result<Value, String> {
    from_json(json).map_err(|number| format!("{number} does not fit into 64 bits with a sign"))
}

fn put_queue(node: &Node, from: &model::Queue) -> Result<(), String> {
    let vhost = VhostName::new(&from.vhost).map_err(text)?;
    if node.has_queue(&vhost, &from.name) {
        return Ok(());
    }
    let asked = QueueDeclaration {
        name: QueueName::new(&from.name).map_err(text)?,
        // A definition may hold names that the broker made up.
        server_named: from.name.starts_with("amq."),
        durable: from.durable,
        exclusive: false,
        auto_delete: from.auto_delete,
        arguments: table(&from.arguments)?,
    };
    node.put_queue(&vhost, &asked).map_err(text)
}

fn put_binding(node: &Node, from: &model::Binding) -> Result<(), String> {
    let vhost = VhostName::new(&from.vhost).map_err(text)?;
    if from.source.is_empty() {
        // The default exchange's bindings are the queues' names.
        return Ok(());
    }
    let destination = match from.destination_type {
        model::DestinationType::Queue => Endpoint::Queue(QueueName::new(&from.destination).map_err(text)?),
        model::DestinationType::Exchange => {
            Endpoint::Exchange(ExchangeName::new(&from.destination).map_err(text)?)
        }
    };
    let binding = Binding {
        source: ExchangeName::new(&from.source).map_err(text)?,
        destination,
        key: from.routing_key.as_str().into(),
        arguments: table(&from.arguments)?,
    };
    node.put_binding(&vhost, binding).map_err(text)
}

fn table(arguments: &Map<String, Json>) -> Result<Table, String> {
    arguments::table(arguments).map_err(text)
}
