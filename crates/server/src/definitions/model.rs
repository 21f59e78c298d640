//! The objects of a definitions file, as plain values.
//!
//! Fields have the names of the file. Where releases differ in form, `lenient` takes all forms and these
//! structures hold one. Keys that an object has beyond these are passed over, as RabbitMQ does.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::lenient;
use crate::config::value::HashingAlgorithm;
use crate::secret::Secret;

/// Everything that one or several files define, in the order in which it is to be applied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Definitions {
    /// Users.
    pub users: Vec<User>,
    /// Virtual hosts.
    pub vhosts: Vec<Vhost>,
    /// Who may do what in which virtual host.
    pub permissions: Vec<Permission>,
    /// Who may use which routing keys.
    pub topic_permissions: Vec<TopicPermission>,
    /// Exchanges.
    pub exchanges: Vec<Exchange>,
    /// Parameters of the whole cluster.
    pub global_parameters: Vec<GlobalParameter>,
    /// Policies.
    pub policies: Vec<Policy>,
    /// Policies of operators. In files they are parameters of the component `operator_policy`.
    pub operator_policies: Vec<Policy>,
    /// Other parameters of virtual hosts.
    pub parameters: Vec<Parameter>,
    /// Queues.
    pub queues: Vec<Queue>,
    /// Bindings.
    pub bindings: Vec<Binding>,
    /// What was passed over and is worth a line in the log. Each names its file.
    pub warnings: Vec<String>,
}

impl Definitions {
    /// Adds what another file defines.
    pub fn append(&mut self, mut other: Definitions) {
        self.users.append(&mut other.users);
        self.vhosts.append(&mut other.vhosts);
        self.permissions.append(&mut other.permissions);
        self.topic_permissions.append(&mut other.topic_permissions);
        self.exchanges.append(&mut other.exchanges);
        self.global_parameters.append(&mut other.global_parameters);
        self.policies.append(&mut other.policies);
        self.operator_policies.append(&mut other.operator_policies);
        self.parameters.append(&mut other.parameters);
        self.queues.append(&mut other.queues);
        self.bindings.append(&mut other.bindings);
        self.warnings.append(&mut other.warnings);
    }
}

/// A user. One with neither a password nor a hash of one cannot log in with a password.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Name.
    pub name: String,
    /// The hash, four bytes of salt first; in the file it is base64.
    #[serde(default, deserialize_with = "lenient::password_hash")]
    pub password_hash: Option<Secret<Vec<u8>>>,
    /// The password itself, which files written by hand may have. RabbitMQ prefers it to the hash.
    #[serde(default)]
    pub password: Option<Secret>,
    /// How the hash was made; the broker's own way if nothing says so.
    #[serde(default, deserialize_with = "lenient::hashing_algorithm")]
    pub hashing_algorithm: Option<HashingAlgorithm>,
    /// Tags such as `administrator`.
    #[serde(default, deserialize_with = "lenient::tags")]
    pub tags: Vec<String>,
    /// Limits by name, such as `max-connections`; negative is no limit.
    #[serde(default, deserialize_with = "lenient::object")]
    pub limits: BTreeMap<String, i64>,
}

/// A virtual host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "VhostForms")]
pub struct Vhost {
    /// Name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Type of queues that are declared without one.
    pub default_queue_type: Option<String>,
    /// Whether deleting it is refused.
    pub protected_from_deletion: bool,
    /// Whether its messages are traced.
    pub tracing: bool,
    /// Limits by name, such as `max-queues`; negative is no limit.
    pub limits: BTreeMap<String, i64>,
}

/// A virtual host as it stands in files: properties of its own, or within `metadata` since 3.8.
#[derive(Deserialize)]
struct VhostForms {
    name: String,
    #[serde(flatten)]
    own: VhostMetadata,
    #[serde(default, deserialize_with = "lenient::object")]
    metadata: VhostMetadata,
    #[serde(default)]
    tracing: Option<bool>,
    #[serde(default, deserialize_with = "lenient::object")]
    limits: BTreeMap<String, i64>,
}

#[derive(Default, Deserialize)]
struct VhostMetadata {
    #[serde(default)]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_tags")]
    tags: Option<Vec<String>>,
    #[serde(default, deserialize_with = "lenient::queue_type")]
    default_queue_type: Option<String>,
    #[serde(default)]
    protected_from_deletion: Option<bool>,
}

impl From<VhostForms> for Vhost {
    fn from(forms: VhostForms) -> Self {
        let VhostForms {
            name,
            own,
            metadata,
            tracing,
            limits,
        } = forms;
        let protected = own.protected_from_deletion.or(metadata.protected_from_deletion);
        Vhost {
            name,
            description: own.description.or(metadata.description).unwrap_or_default(),
            tags: own.tags.or(metadata.tags).unwrap_or_default(),
            default_queue_type: own.default_queue_type.or(metadata.default_queue_type),
            protected_from_deletion: protected.unwrap_or(false),
            tracing: tracing.unwrap_or(false),
            limits,
        }
    }
}

/// What a user may do in a virtual host: patterns on the names of exchanges and queues.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Permission {
    /// The user.
    pub user: String,
    /// The virtual host.
    pub vhost: String,
    /// What may be declared and deleted.
    pub configure: String,
    /// What may be published to.
    pub write: String,
    /// What may be consumed from.
    pub read: String,
}

/// Which routing keys a user may use with a topic exchange.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TopicPermission {
    /// The user.
    pub user: String,
    /// The virtual host.
    pub vhost: String,
    /// The exchange.
    pub exchange: String,
    /// Pattern of keys to publish with.
    pub write: String,
    /// Pattern of keys to bind with.
    pub read: String,
}

/// A setting of a component in a virtual host.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Parameter {
    /// The component, such as `federation-upstream`.
    pub component: String,
    /// The virtual host.
    pub vhost: String,
    /// Name.
    pub name: String,
    /// Whatever the component takes.
    pub value: Value,
}

/// A setting of the whole cluster.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GlobalParameter {
    /// Name.
    pub name: String,
    /// Whatever belongs to that name.
    pub value: Value,
}

/// Arguments for all queues or exchanges whose names match.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Policy {
    /// The virtual host.
    pub vhost: String,
    /// Name.
    pub name: String,
    /// Regular expression on names.
    pub pattern: String,
    /// `all`, `queues`, `exchanges`, `classic_queues` and so on.
    #[serde(rename = "apply-to", default = "apply_to_all")]
    pub apply_to: String,
    /// Keys and values.
    #[serde(default, deserialize_with = "lenient::object")]
    pub definition: Map<String, Value>,
    /// Of several policies that match, the one with the highest holds.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub priority: i64,
}

fn apply_to_all() -> String {
    "all".to_owned()
}

/// An exchange.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Exchange {
    /// Name.
    pub name: String,
    /// The virtual host.
    pub vhost: String,
    /// Type, such as `topic`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it goes with its last binding.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub auto_delete: bool,
    /// Whether clients may not publish to it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub internal: bool,
    /// Arguments; see [`arguments`](super::arguments).
    #[serde(default, deserialize_with = "lenient::object")]
    pub arguments: Map<String, Value>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Queue {
    /// Name.
    pub name: String,
    /// The virtual host.
    pub vhost: String,
    /// `classic`, `quorum` or `stream`, if the file says so. What counts is the argument `x-queue-type`.
    #[serde(rename = "type", default, deserialize_with = "lenient::queue_type")]
    pub kind: Option<String>,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it goes with its last consumer.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub auto_delete: bool,
    /// Arguments; see [`arguments`](super::arguments).
    #[serde(default, deserialize_with = "lenient::object")]
    pub arguments: Map<String, Value>,
}

/// A binding.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Binding {
    /// The exchange that messages come from.
    pub source: String,
    /// The virtual host.
    pub vhost: String,
    /// The queue or exchange that they go to.
    pub destination: String,
    /// Which of the two that is.
    pub destination_type: DestinationType,
    /// The routing key or pattern.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub routing_key: String,
    /// Arguments; see [`arguments`](super::arguments).
    #[serde(default, deserialize_with = "lenient::object")]
    pub arguments: Map<String, Value>,
}

/// What a binding leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DestinationType {
    /// A queue.
    Queue,
    /// An exchange.
    Exchange,
}
