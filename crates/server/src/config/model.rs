//! The configuration as values: what the rest of the program reads.
//!
//! Units are in the names. `Option` is used where nothing is a value of its own (no limit) or where what
//! holds depends on the machine or on other keys; a method then says what that is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::value::{Endpoint, Format, HashingAlgorithm, Level, Mechanism};
use crate::secret::Secret;

/// AMQP's port, where a listener goes when nothing is configured.
pub const AMQP_PORT: u16 = 5672;

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Where clients connect.
    pub listeners: Listeners,
    /// The HTTP API.
    pub management: Management,
    /// What one client, or all of them, may use.
    pub limits: Limits,
    /// How clients log in.
    pub auth: Auth,
    /// What an empty broker is filled with.
    pub defaults: Defaults,
    /// What is logged where.
    pub log: Log,
    /// How much memory may be used.
    pub memory: Memory,
    /// What is written into messages.
    pub interceptors: Interceptors,
    /// How messages are kept on disk.
    pub store: Store,
    /// What the broker says that it is.
    pub product: Product,
    /// The process.
    pub node: Node,
}

/// Where clients connect.
#[derive(Debug, Clone, PartialEq)]
pub struct Listeners {
    /// TCP listeners by name, if any were configured.
    pub tcp: Option<BTreeMap<String, Endpoint>>,
    /// How many connections the system may hold that were not accepted yet.
    pub backlog: u32,
    /// Whether small writes are sent at once (`TCP_NODELAY`).
    pub nodelay: bool,
    /// Whether the system probes idle connections (`SO_KEEPALIVE`).
    pub keepalive: bool,
}

impl Default for Listeners {
    fn default() -> Self {
        Listeners {
            tcp: None,
            backlog: 128,
            nodelay: true,
            keepalive: false,
        }
    }
}

impl Listeners {
    /// TCP listeners by name: those configured, or `default` on all interfaces. Empty if set to `none`.
    pub fn tcp(&self) -> BTreeMap<String, Endpoint> {
        let default = || {
            BTreeMap::from([(
                "default".to_owned(),
                Endpoint {
                    host: None,
                    port: AMQP_PORT,
                },
            )])
        };
        self.tcp.clone().unwrap_or_else(default)
    }

    fn use_free_ports(&mut self) {
        let moved = |(name, endpoint)| (name, Endpoint { port: 0, ..endpoint });
        self.tcp = Some(self.tcp().into_iter().map(moved).collect());
    }
}

/// The HTTP API's port when nothing is configured.
pub const MANAGEMENT_PORT: u16 = 15672;

/// The HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Management {
    /// Whether there is one.
    pub is_on: bool,
    /// Where it listens.
    pub at: Endpoint,
    /// What stands before `/api`: nothing, or `/` and more.
    pub path_prefix: String,
}

impl Default for Management {
    fn default() -> Self {
        Management {
            is_on: true,
            at: Endpoint {
                host: None,
                port: MANAGEMENT_PORT,
            },
            path_prefix: String::new(),
        }
    }
}

impl Management {
    /// A prefix with a slash before it and none behind, however it was written.
    pub fn prefix(text: &str) -> String {
        match text.trim_matches('/') {
            "" => String::new(),
            inner => format!("/{inner}"),
        }
    }
}

impl Config {
    /// Moves every listener to a port that the system chooses.
    pub fn use_free_ports(&mut self) {
        self.listeners.use_free_ports();
        self.management.at.port = 0;
    }
}

/// What one client, or all of them, may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The heartbeat interval that is proposed to clients, in seconds; 0 is none.
    pub heartbeat_s: u16,
    /// The largest frame that is proposed to clients, in bytes.
    pub frame_max_bytes: u32,
    /// The largest frame before that has been agreed, in bytes.
    pub initial_frame_max_bytes: u32,
    /// The most channels of a connection; 0 is as many as the protocol has.
    pub channel_max: u16,
    /// The most consumers of a channel.
    pub consumer_max_per_channel: Option<u32>,
    /// The most connections of the node.
    pub connection_max: Option<u32>,
    /// The largest body of a message, in bytes.
    pub max_message_bytes: u32,
    /// How long a client may take until its connection is open, in milliseconds.
    pub handshake_timeout_ms: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            heartbeat_s: 60,
            frame_max_bytes: 131_072,
            initial_frame_max_bytes: 8192,
            channel_max: 2047,
            consumer_max_per_channel: None,
            connection_max: None,
            max_message_bytes: 16_777_216,
            handshake_timeout_ms: Some(10_000),
        }
    }
}

/// How clients log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Mechanisms by the last part of their key; if there are none, all are offered.
    pub mechanisms: BTreeMap<String, Mechanism>,
    /// Users that may log in from this machine only.
    pub loopback_users: BTreeSet<String>,
    /// How the passwords of new users are hashed.
    pub password_hashing: HashingAlgorithm,
}

impl Default for Auth {
    fn default() -> Self {
        Auth {
            mechanisms: BTreeMap::new(),
            loopback_users: BTreeSet::from(["guest".to_owned()]),
            password_hashing: HashingAlgorithm::Sha256,
        }
    }
}

impl Auth {
    /// The mechanisms to offer, each once, in the order of their keys' numbers.
    pub fn mechanisms(&self) -> Vec<Mechanism> {
        if self.mechanisms.is_empty() {
            return vec![Mechanism::Plain, Mechanism::AmqPlain];
        }
        let mut numbered: Vec<_> = self.mechanisms.iter().collect();
        // Keys are numbers: the shorter is the smaller, and equal lengths compare as texts.
        numbered.sort_by_key(|(name, _)| (name.len(), name.as_str()));
        let mut offered = Vec::new();
        for (_, mechanism) in numbered {
            if !offered.contains(mechanism) {
                offered.push(*mechanism);
            }
        }
        offered
    }
}

/// What an empty broker is filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// The virtual host.
    pub vhost: String,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: Secret,
    /// The user's tags, if any were configured.
    pub user_tags: Option<BTreeSet<String>>,
    /// Pattern of what the user may configure.
    pub configure: String,
    /// Pattern of what the user may write to.
    pub write: String,
    /// Pattern of what the user may read from.
    pub read: String,
    /// Definitions to load instead: a file, or a folder of files.
    pub load_definitions: Option<PathBuf>,
}

impl Default for Defaults {
    fn default() -> Self {
        Defaults {
            vhost: "/".into(),
            user: "guest".into(),
            password: Secret::new("guest"),
            user_tags: None,
            configure: ".*".into(),
            write: ".*".into(),
            read: ".*".into(),
            load_definitions: None,
        }
    }
}

impl Defaults {
    /// The user's tags: those configured, or `administrator`.
    pub fn user_tags(&self) -> BTreeSet<String> {
        self.user_tags
            .clone()
            .unwrap_or_else(|| BTreeSet::from(["administrator".to_owned()]))
    }
}

/// What is logged where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How much is logged, where no level of its own is set.
    pub level: Level,
    /// Folder of the log file.
    pub dir: Option<PathBuf>,
    /// The log file. The outer `Option` says whether that was configured, the inner one is none for `false`.
    pub file: Option<Option<PathBuf>>,
    /// How much goes to the file.
    pub file_level: Option<Level>,
    /// How lines of the file look.
    pub file_format: Format,
    /// Whether to log to standard error, if configured.
    pub console: Option<bool>,
    /// How much goes to standard error.
    pub console_level: Option<Level>,
    /// How lines on standard error look.
    pub console_format: Format,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            level: Level::Info,
            dir: None,
            file: None,
            file_level: None,
            file_format: Format::Plaintext,
            console: None,
            console_level: None,
            console_format: Format::Plaintext,
        }
    }
}

impl Log {
    /// The log file, if there is one: `log.file` within `log.dir`, or `warren.log` if only a folder is set.
    pub fn file_path(&self) -> Option<PathBuf> {
        let name = match &self.file {
            Some(None) => return None,
            Some(Some(name)) => name.as_path(),
            None => Path::new("warren.log"),
        };
        match &self.dir {
            Some(dir) => Some(dir.join(name)),
            None => self.file.is_some().then(|| name.to_path_buf()),
        }
    }

    /// Whether to log to standard error: as configured, or if there is no file.
    pub fn to_console(&self) -> bool {
        self.console.unwrap_or_else(|| self.file_path().is_none())
    }

    /// How much goes to the file.
    pub fn file_level(&self) -> Level {
        self.file_level.unwrap_or(self.level)
    }

    /// How much goes to standard error.
    pub fn console_level(&self) -> Level {
        self.console_level.unwrap_or(self.level)
    }
}

/// How much memory may be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// Above it publishers are held back.
    pub high_watermark: Watermark,
}

/// A limit on memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Watermark {
    /// This part of the machine's memory.
    Relative(f64),
    /// This many bytes.
    Absolute(u64),
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            high_watermark: Watermark::Relative(0.6),
        }
    }
}

/// How messages are kept on disk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Store {
    /// With less free space on the disk publishers are held back.
    pub disk_free_limit: DiskLimit,
    /// Whether what is confirmed has been synced to the disk.
    pub confirm_sync: bool,
    /// The most that all files of the write-ahead log take.
    pub log_bytes_max: u64,
    /// What one file of it takes, if configured.
    pub segment_bytes: Option<u64>,
    /// Memory for recent messages, before they go to files of their own.
    pub recent_bytes: u64,
}

/// A limit on free space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DiskLimit {
    /// So many times the machine's memory.
    Relative(f64),
    /// This many bytes.
    Absolute(u64),
}

/// The default limit on free space, as in RabbitMQ.
pub const DISK_FREE_BYTES: u64 = 50_000_000;

/// The least that a file of the write-ahead log takes.
pub const SEGMENT_BYTES_MIN: u64 = 1 << 20;

/// What a file of the write-ahead log takes, where that is not configured.
const SEGMENT_BYTES: u64 = 64 << 20;

/// The least number of files of the write-ahead log: one is written, one comes next, one is a reserve.
pub const SEGMENTS_MIN: u64 = 3;

/// Number of files that a small log is cut into.
const SEGMENTS: u64 = 8;

impl Default for Store {
    fn default() -> Self {
        Store {
            disk_free_limit: DiskLimit::Absolute(DISK_FREE_BYTES),
            confirm_sync: true,
            log_bytes_max: 512 << 20,
            segment_bytes: None,
            recent_bytes: 8 << 20,
        }
    }
}

impl Store {
    /// What one file of the write-ahead log takes: as configured, or 64 MiB, less in a small log.
    pub fn segment_bytes(&self) -> u64 {
        let fitting = (self.log_bytes_max / SEGMENTS).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES);
        self.segment_bytes.unwrap_or(fitting)
    }
}

/// What the broker says that it is, in the properties that clients see when they connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Name of the product. Clients look for RabbitMQ's and switch on its extensions.
    pub name: String,
    /// Version of the product whose behaviour clients may expect.
    pub version: String,
}

impl Default for Product {
    fn default() -> Self {
        Product {
            name: "RabbitMQ".into(),
            version: "4.0.5".into(),
        }
    }
}

/// What is written into every message that is published; with `true` over what its publisher wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interceptors {
    /// When it came.
    pub timestamp: Option<bool>,
    /// To which node.
    pub routing_node: Option<bool>,
}

/// The process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Name of the cluster, if configured.
    pub cluster_name: Option<String>,
    /// Folder for everything that survives a restart, if configured.
    pub data_dir: Option<PathBuf>,
    /// Threads that serve connections, if configured.
    pub workers: Option<u16>,
}

impl Node {
    /// Threads that serve connections: as configured, or one for every core.
    pub fn workers(&self) -> usize {
        // A system that does not tell its cores gets one thread, which always works.
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.map_or_else(cores, usize::from)
    }
}
