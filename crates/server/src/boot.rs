//! From the configuration to a node: its limits, and what a broker with nothing in it starts
//! with.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use warren_broker::access::{Permission, User};
use warren_broker::catalog::Vhost;
use warren_broker::name::{UserName, VhostName};
use warren_frontend::Dialects;
use warren_frontend::amqp091::{Interceptors, Settings};
use warren_node::storage::{Opened, Options, Recovered};
use warren_node::{Node, passwords};
use warren_store::MemoryLog;
use warren_store::disk::Folder;

use crate::config::Config;
use crate::config::model::{DISK_FREE_BYTES, DiskLimit, Watermark};
use crate::config::value::{HashingAlgorithm, Mechanism};
use crate::fail::Failure;

/// A handshake without a limit is given a year.
const NO_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// A node as configured: with what is in the data folder, or with nothing in it.
///
/// # Errors
/// The data folder cannot be used.
pub fn node(config: &Config, data_dir: Option<&Path>) -> Result<Arc<Node>, Failure> {
    let memory_watermark_bytes = match config.memory.high_watermark {
        Watermark::Absolute(bytes) => bytes,
        Watermark::Relative(part) => part_of_memory(part),
    };
    let settings = warren_node::Config {
        memory_watermark_bytes,
        loopback_users: config.auth.loopback_users.iter().cloned().collect(),
        connections_max: config.limits.connection_max.map(|max| max as usize),
        password_hashing: hashing(config.auth.password_hashing),
        dialect: Arc::new(Dialects),
    };
    let Some(folder) = data_dir else {
        tracing::warn!("there is no data folder: messages and definitions are lost when the broker stops");
        return Ok(Node::new(settings, Arc::new(MemoryLog::default())));
    };
    if !config.store.confirm_sync {
        tracing::warn!(
            "confirm.sync = false: messages are confirmed before they are on disk, and LOST when the \
             machine fails. This is for comparisons with brokers that do the same"
        );
    }
    let started = Instant::now();
    let opened = Node::open(settings, storage(config), Arc::new(Folder::new(folder)));
    let Opened { node, recovered } = opened.map_err(|error| Failure::open(folder, error))?;
    tell(&recovered, started);
    Ok(node)
}

fn storage(config: &Config) -> Options {
    let store = &config.store;
    let disk_free_limit = disk_free_limit_bytes(config);
    let defaults = Options::default();
    Options {
        log: warren_store::Options {
            segment_bytes: store.segment_bytes(),
            log_bytes_max: store.log_bytes_max,
            sync: store.confirm_sync,
            ..defaults.log
        },
        recent_bytes: store.recent_bytes,
        disk_free_limit,
        ..defaults
    }
}

fn tell(recovered: &Recovered, started: Instant) {
    if recovered.is_new {
        return;
    }
    let Recovered {
        is_clean,
        records,
        torn_bytes,
        queues,
        messages,
        ref damages,
        messages_lost,
        ..
    } = *recovered;
    let took_ms = started.elapsed().as_millis();
    tracing::info!(
        is_clean,
        records,
        torn_bytes,
        queues,
        messages,
        took_ms,
        "data folder opened"
    );
    if !damages.is_empty() {
        let damages = damages.len();
        tracing::error!(
            damages,
            messages_lost,
            "the data folder is damaged: what is whole is served, what is not was named above and set aside"
        );
    }
}

/// What the front-end of AMQP 0-9-1 is told.
pub fn amqp091(config: &Config) -> Settings {
    let limits = &config.limits;
    let name = |mechanism| match mechanism {
        Mechanism::Plain => "PLAIN".to_owned(),
        Mechanism::AmqPlain => "AMQPLAIN".to_owned(),
    };
    let cluster_name = config.node.cluster_name.clone();
    Settings {
        product: config.product.name.clone(),
        version: config.product.version.clone(),
        cluster_name: cluster_name.unwrap_or_else(|| format!("warren@{}", host_name())),
        mechanisms: config.auth.mechanisms().into_iter().map(name).collect(),
        heartbeat_s: limits.heartbeat_s,
        frame_max: limits.frame_max_bytes,
        initial_frame_max: limits.initial_frame_max_bytes,
        channel_max: limits.channel_max,
        consumers_per_channel_max: limits.consumer_max_per_channel.map(|max| max as usize),
        message_bytes_max: limits.max_message_bytes.into(),
        handshake_timeout: limits
            .handshake_timeout_ms
            .map_or(NO_TIMEOUT, |ms| Duration::from_millis(ms.into())),
        interceptors: Interceptors {
            timestamp: config.interceptors.timestamp,
            routing_node: config.interceptors.routing_node,
            node_name: format!("warren@{}", host_name()),
        },
    }
}

/// What the HTTP API is told. Addresses go with RabbitMQ's names of their protocols.
pub fn management(config: &Config, addresses: &[(&'static str, SocketAddr)]) -> warren_management::Settings {
    let listener = |(protocol, address): &(&'static str, SocketAddr)| warren_management::Listener {
        protocol,
        address: *address,
    };
    let node = format!("warren@{}", host_name());
    let cluster = config.node.cluster_name.clone();
    warren_management::Settings {
        product: config.product.name.clone(),
        version: config.product.version.clone(),
        cluster: cluster.unwrap_or_else(|| node.clone()),
        node,
        password_hashing: hashing(config.auth.password_hashing),
        path_prefix: config.management.path_prefix.clone(),
        listeners: addresses.iter().map(listener).collect(),
    }
}

/// Fills an empty node: the default virtual host and the default user.
///
/// # Errors
/// [`Failure::Defaults`] when a configured default is no name, no pattern or cannot be hashed.
pub fn fill(node: &Node, config: &Config) -> Result<(), Failure> {
    let defaults = &config.defaults;
    let wrong = |error: &dyn std::fmt::Display| Failure::Defaults(error.to_string());
    let vhost = VhostName::new(&defaults.vhost).map_err(|error| wrong(&error))?;
    node.put_vhost(Vhost {
        description: "Default virtual host".to_owned(),
        ..Vhost::named(vhost.clone())
    });
    let mut user = User::new(UserName::new(&defaults.user).map_err(|error| wrong(&error))?);
    let algorithm = hashing(config.auth.password_hashing);
    let hash = passwords::hash(defaults.password.reveal(), algorithm).map_err(|error| wrong(&error))?;
    user.password_hash = Some(hash);
    user.tags = defaults.user_tags().into_iter().map(Into::into).collect();
    let permission = Permission::new(&defaults.configure, &defaults.write, &defaults.read);
    let permission = permission.map_err(|error| wrong(&error))?;
    let name = user.name.clone();
    node.put_user(user);
    let granted = node.change_user(&name, |user| {
        user.permissions.insert(vhost, permission);
    });
    granted.map_err(|error| wrong(&error))
}

/// The node's word for a hashing algorithm.
pub fn hashing(algorithm: HashingAlgorithm) -> passwords::Algorithm {
    match algorithm {
        HashingAlgorithm::Sha256 => passwords::Algorithm::Sha256,
        HashingAlgorithm::Sha512 => passwords::Algorithm::Sha512,
        HashingAlgorithm::Md5 => passwords::Algorithm::Md5,
    }
}

/// Free space below which publishers are held back, in bytes.
fn disk_free_limit_bytes(config: &Config) -> u64 {
    match config.store.disk_free_limit {
        DiskLimit::Absolute(bytes) => bytes,
        // Sizes of memory are far below 2^52, where f64 is exact.
        DiskLimit::Relative(part) => {
            machine_memory_bytes().map_or(DISK_FREE_BYTES, |total| (total as f64 * part) as u64)
        }
    }
}

/// A part of the machine's memory, or of what its control group allows, in bytes. Where the
/// system does not tell, there is no limit.
fn part_of_memory(part: f64) -> u64 {
    // Sizes of memory are far below 2^52, where f64 is exact.
    machine_memory_bytes().map_or(u64::MAX, |total| (total as f64 * part) as u64)
}

/// The machine's memory, or what its control group allows, in bytes; `None` where the system does not tell.
fn machine_memory_bytes() -> Option<u64> {
    let groups = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let group = groups
        .iter()
        .find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    });
    match (machine, group) {
        (Some(machine), Some(group)) => Some(machine.min(group)),
        (total, None) | (None, total) => total,
    }
}

fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() {
        "localhost".to_owned()
    } else {
        name.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interceptor_is_the_one_that_is_configured() {
        let mut config = Config::default();
        assert_eq!(
            (settings(&config).timestamp, settings(&config).routing_node),
            (None, None)
        );
        config.interceptors.timestamp = Some(false);
        config.interceptors.routing_node = Some(true);
        let set = settings(&config);
        assert_eq!((set.timestamp, set.routing_node), (Some(false), Some(true)));
        assert!(set.node_name.starts_with("warren@") && set.node_name.len() > "warren@".len());
    }

    fn settings(config: &Config) -> Interceptors {
        amqp091(config).interceptors
    }
}
