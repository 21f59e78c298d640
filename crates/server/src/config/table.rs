//! The key table: every configuration key there is, and the only place that knows any.
//!
//! A row says what a key is called, what it takes, where that goes, what holds without it and what to tell
//! the reader. The reader of files, `--set`, the messages and `docs/configuration.md` all work from these
//! rows: a new key is one more row (and its field in `model`). Names are RabbitMQ's; rows that RabbitMQ does
//! not have say so. A key is only here if something obeys it.

mod management;

use super::key::{DefaultText, Key, Kind};
use super::model::{DiskLimit, SEGMENT_BYTES_MIN, SEGMENTS_MIN, Watermark};
use super::nearest::nearest;
use DefaultText::{Is, Means};

/// A chapter of the table.
#[derive(Debug)]
pub struct Group {
    /// Heading in the docs.
    pub title: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// All keys, by chapter.
pub static GROUPS: &[Group] = &[
    Group {
        title: "Listeners",
        keys: LISTENERS,
    },
    Group {
        title: "Limits",
        keys: LIMITS,
    },
    Group {
        title: "HTTP API",
        keys: management::MANAGEMENT,
    },
    Group {
        title: "Messages",
        keys: MESSAGES,
    },
    Group {
        title: "Logging in",
        keys: AUTH,
    },
    Group {
        title: "First start",
        keys: DEFAULTS,
    },
    Group {
        title: "Log",
        keys: LOG,
    },
    Group {
        title: "Memory",
        keys: MEMORY,
    },
    Group {
        title: "Store",
        keys: STORE,
    },
    Group {
        title: "Node",
        keys: NODE,
    },
];

static LISTENERS: &[Key] = &[
    Key {
        name: "listeners.tcp",
        kind: Kind::Nothing(|c, _, ()| c.listeners.tcp = Some(Default::default())),
        default: Means("not set"),
        example: "none",
        late: true,
        doc: "No plain TCP listeners. Wins over `listeners.tcp.$name` of the same source.",
    },
    Key {
        name: "listeners.tcp.$name",
        kind: Kind::Endpoint(|c, name, at| {
            c.listeners
                .tcp
                .get_or_insert_default()
                .insert(name.to_owned(), at);
        }),
        default: Means("`default` on port 5672 of all interfaces"),
        example: "127.0.0.1:5672",
        late: false,
        doc: "Where AMQP clients connect. The name is free; each name is one listener, and once one is named \
              there is no other. Port 0 picks a free one.",
    },
    Key {
        name: "tcp_listen_options.backlog",
        kind: Kind::Integer {
            min: 1,
            max: 65_535,
            set: |c, _, v| c.listeners.backlog = v,
        },
        default: Is("128"),
        example: "4096",
        late: false,
        doc: "How many connections the system holds that were not accepted yet.",
    },
    Key {
        name: "tcp_listen_options.nodelay",
        kind: Kind::Switch(|c, _, v| c.listeners.nodelay = v),
        default: Is("true"),
        example: "false",
        late: false,
        doc: "Whether small writes are sent at once (`TCP_NODELAY`).",
    },
    Key {
        name: "tcp_listen_options.keepalive",
        kind: Kind::Switch(|c, _, v| c.listeners.keepalive = v),
        default: Is("false"),
        example: "true",
        late: false,
        doc: "Whether the system probes idle connections (`SO_KEEPALIVE`).",
    },
];

/// The largest body of a message that can be configured, as in RabbitMQ; frames need not be larger.
const BODY_BYTES_MAX: u32 = 536_870_912;
/// The least that `frame_max` may be. Spec: 0-9-1 §4.2.3.
const FRAME_BYTES_MIN: u32 = 4096;

static LIMITS: &[Key] = &[
    Key {
        name: "heartbeat",
        kind: Kind::Short {
            min: 0,
            max: u16::MAX,
            set: |c, _, v| c.limits.heartbeat_s = v,
        },
        default: Is("60"),
        example: "30",
        late: false,
        doc: "The heartbeat interval that is proposed to clients, in seconds; 0 is none.",
    },
    Key {
        name: "frame_max",
        kind: Kind::Size {
            min: FRAME_BYTES_MIN,
            max: BODY_BYTES_MAX,
            set: |c, _, v| c.limits.frame_max_bytes = v,
        },
        default: Is("131072"),
        example: "256KB",
        late: false,
        doc: "The largest frame that is proposed to clients.",
    },
    Key {
        name: "initial_frame_max",
        kind: Kind::Size {
            min: FRAME_BYTES_MIN,
            max: BODY_BYTES_MAX,
            set: |c, _, v| c.limits.initial_frame_max_bytes = v,
        },
        default: Is("8192"),
        example: "16KB",
        late: false,
        doc: "The largest frame before `frame_max` has been agreed, which is until the client has logged in.",
    },
    Key {
        name: "channel_max",
        kind: Kind::Short {
            min: 0,
            max: u16::MAX,
            set: |c, _, v| c.limits.channel_max = v,
        },
        default: Is("2047"),
        example: "128",
        late: false,
        doc: "The most channels of a connection; 0 is as many as the protocol has.",
    },
    Key {
        name: "consumer_max_per_channel",
        kind: Kind::Limit {
            min: 1,
            set: |c, _, v| c.limits.consumer_max_per_channel = v,
        },
        default: Is("infinity"),
        example: "1000",
        late: false,
        doc: "The most consumers of a channel.",
    },
    Key {
        name: "connection_max",
        kind: Kind::Limit {
            min: 0,
            set: |c, _, v| c.limits.connection_max = v,
        },
        default: Is("infinity"),
        example: "10000",
        late: false,
        doc: "The most connections of the node.",
    },
    Key {
        name: "max_connections",
        kind: Kind::Limit {
            min: 0,
            set: |c, _, v| c.limits.connection_max = v,
        },
        default: Is("infinity"),
        example: "10000",
        late: false,
        doc: "Another name for `connection_max`.",
    },
    Key {
        name: "max_message_size",
        kind: Kind::Size {
            min: 1,
            max: BODY_BYTES_MAX,
            set: |c, _, v| c.limits.max_message_bytes = v,
        },
        default: Is("16777216"),
        example: "134217728",
        late: false,
        doc: "The largest body of a message.",
    },
    Key {
        name: "handshake_timeout",
        kind: Kind::Limit {
            min: 1,
            set: |c, _, v| c.limits.handshake_timeout_ms = v,
        },
        default: Is("10000"),
        example: "30000",
        late: false,
        doc: "How long a client may take until its connection is open, in milliseconds.",
    },
];

static AUTH: &[Key] = &[
    Key {
        name: "auth_mechanisms.$n",
        kind: Kind::Mechanism(|c, n, v| {
            c.auth.mechanisms.insert(n.to_owned(), v);
        }),
        default: Means("all of them"),
        example: "PLAIN",
        late: false,
        doc: "The SASL mechanisms to offer, in the order of the numbers. Once one is named there is no \
              other.",
    },
    Key {
        name: "loopback_users",
        kind: Kind::Nothing(|c, _, ()| c.auth.loopback_users.clear()),
        default: Means("not set"),
        example: "none",
        late: true,
        doc: "Every user may log in from anywhere. Wins over `loopback_users.$user` of the same source.",
    },
    Key {
        name: "loopback_users.$user",
        kind: Kind::Switch(|c, user, only| {
            if only {
                c.auth.loopback_users.insert(user.to_owned());
            } else {
                c.auth.loopback_users.remove(user);
            }
        }),
        default: Means("`true` for `guest`"),
        example: "true",
        late: false,
        doc: "Whether this user may log in from this machine only. Unlike in RabbitMQ, naming another user \
              does not free `guest`.",
    },
    Key {
        name: "password_hashing_module",
        kind: Kind::Hashing(|c, _, v| c.auth.password_hashing = v),
        default: Is("rabbit_password_hashing_sha256"),
        example: "rabbit_password_hashing_sha512",
        late: false,
        doc: "How the passwords of new users are hashed.",
    },
];

static DEFAULTS: &[Key] = &[
    Key {
        name: "default_vhost",
        kind: Kind::Text(|c, _, v| c.defaults.vhost = v),
        default: Is("/"),
        example: "orders",
        late: false,
        doc: "The virtual host that a broker without `load_definitions` gets.",
    },
    Key {
        name: "default_user",
        kind: Kind::Text(|c, _, v| c.defaults.user = v),
        default: Is("guest"),
        example: "admin",
        late: false,
        doc: "The user that a broker without `load_definitions` gets.",
    },
    Key {
        name: "default_pass",
        kind: Kind::Secret(|c, _, v| c.defaults.password = v),
        default: Is("guest"),
        example: "'a long one, with # in it'",
        late: false,
        doc: "That user's password. Put it in single quotes if it contains a `#`.",
    },
    Key {
        name: "default_user_tags.$tag",
        kind: Kind::Switch(|c, tag, has| {
            let tags = c.defaults.user_tags.get_or_insert_default();
            if has {
                tags.insert(tag.to_owned());
            } else {
                tags.remove(tag);
            }
        }),
        default: Means("`true` for `administrator`"),
        example: "true",
        late: false,
        doc: "Whether that user has this tag. Once one is named the user has no other.",
    },
    Key {
        name: "default_permissions.configure",
        kind: Kind::Text(|c, _, v| c.defaults.configure = v),
        default: Is(".*"),
        example: "^orders\\.",
        late: false,
        doc: "What that user may declare and delete: a regular expression on names.",
    },
    Key {
        name: "default_permissions.read",
        kind: Kind::Text(|c, _, v| c.defaults.read = v),
        default: Is(".*"),
        example: "^orders\\.",
        late: false,
        doc: "What that user may consume from.",
    },
    Key {
        name: "default_permissions.write",
        kind: Kind::Text(|c, _, v| c.defaults.write = v),
        default: Is(".*"),
        example: "^orders\\.",
        late: false,
        doc: "What that user may publish to.",
    },
    Key {
        name: "load_definitions",
        kind: Kind::Path(|c, _, v| c.defaults.load_definitions = Some(v)),
        default: Means("nothing is loaded"),
        example: "/etc/warren/definitions.json",
        late: false,
        doc: "Definitions in RabbitMQ's JSON format to load at every start and on SIGHUP: a file, or a \
              folder whose `*.json` files are loaded in the order of their names.",
    },
];

static LOG: &[Key] = &[
    Key {
        name: "log.level",
        kind: Kind::Level(|c, _, v| c.log.level = v),
        default: Is("info"),
        example: "debug",
        late: false,
        doc: "How much is logged, where no level of its own is set. Not a key of RabbitMQ.",
    },
    Key {
        name: "log.console",
        kind: Kind::Switch(|c, _, v| c.log.console = Some(v)),
        default: Means("`true` if there is no log file"),
        example: "true",
        late: false,
        doc: "Whether to log to standard error.",
    },
    Key {
        name: "log.console.level",
        kind: Kind::Level(|c, _, v| c.log.console_level = Some(v)),
        default: Means("`log.level`"),
        example: "warning",
        late: false,
        doc: "How much is logged to standard error.",
    },
    Key {
        name: "log.console.formatter",
        kind: Kind::Format(|c, _, v| c.log.console_format = v),
        default: Is("plaintext"),
        example: "json",
        late: false,
        doc: "How lines on standard error look.",
    },
    Key {
        name: "log.dir",
        kind: Kind::Path(|c, _, v| c.log.dir = Some(v)),
        default: Means("no folder"),
        example: "/var/log/warren",
        late: false,
        doc: "Folder of the log file, which is `warren.log` if `log.file` names no other. It must exist.",
    },
    Key {
        name: "log.file",
        kind: Kind::PathOrFalse(|c, _, v| c.log.file = Some(v)),
        default: Means("no file, unless `log.dir` is set"),
        example: "broker.log",
        late: false,
        doc: "The log file, within `log.dir` if that is set; opened again on SIGHUP. `false` is no file.",
    },
    Key {
        name: "log.file.level",
        kind: Kind::Level(|c, _, v| c.log.file_level = Some(v)),
        default: Means("`log.level`"),
        example: "debug",
        late: false,
        doc: "How much is logged to the file.",
    },
    Key {
        name: "log.file.formatter",
        kind: Kind::Format(|c, _, v| c.log.file_format = v),
        default: Is("plaintext"),
        example: "json",
        late: false,
        doc: "How lines of the file look.",
    },
];

static MEMORY: &[Key] = &[
    Key {
        name: "vm_memory_high_watermark.relative",
        kind: Kind::Fraction(|c, _, v| c.memory.high_watermark = Watermark::Relative(v)),
        default: Is("0.6"),
        example: "0.4",
        late: false,
        doc: "The part of the machine's memory above which publishers are held back.",
    },
    Key {
        name: "vm_memory_high_watermark.absolute",
        kind: Kind::Memory(|c, _, v| c.memory.high_watermark = Watermark::Absolute(v)),
        default: Means("not set"),
        example: "2GiB",
        late: true,
        doc: "The same as an amount. Wins over `vm_memory_high_watermark.relative` of the same source.",
    },
];

/// A file of the write-ahead log may hold this much; recovery reads them one at a time.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// More would only make a start after a crash slow.
const LOG_BYTES_MAX: u64 = 1 << 40;
/// Enough for some messages, so that not each goes to a file at once.
const RECENT_BYTES_MIN: u64 = 64 << 10;

static STORE: &[Key] = &[
    Key {
        name: "disk_free_limit.relative",
        kind: Kind::Factor(|c, _, v| c.store.disk_free_limit = DiskLimit::Relative(v)),
        default: Means("not set"),
        example: "1.5",
        late: false,
        doc: "Publishers are held back while less space than so many times the machine's memory is free \
              where data lies.",
    },
    Key {
        name: "disk_free_limit.absolute",
        kind: Kind::Memory(|c, _, v| c.store.disk_free_limit = DiskLimit::Absolute(v)),
        default: Is("50MB"),
        example: "2GB",
        late: true,
        doc: "The same as an amount. Wins over `disk_free_limit.relative` of the same source.",
    },
    Key {
        name: "confirm.sync",
        kind: Kind::Switch(|c, _, v| c.store.confirm_sync = v),
        default: Is("true"),
        example: "false",
        late: false,
        doc: "Whether what is confirmed was synced to the disk before. `false` is faster, and **loses \
              confirmed messages** when the machine stops, though not when only the broker does. Not a key \
              of RabbitMQ.",
    },
    Key {
        name: "wal.max_bytes",
        kind: Kind::Amount {
            min: SEGMENTS_MIN * SEGMENT_BYTES_MIN,
            max: LOG_BYTES_MAX,
            set: |c, _, v| c.store.log_bytes_max = v,
        },
        default: Is("512MiB"),
        example: "2GiB",
        late: false,
        doc: "The most that the files of the write-ahead log take. More of it takes more time to read at a \
              start, and less work before. Not a key of RabbitMQ.",
    },
    Key {
        name: "wal.segment_bytes",
        kind: Kind::Amount {
            min: SEGMENT_BYTES_MIN,
            max: SEGMENT_BYTES_MAX,
            set: |c, _, v| c.store.segment_bytes = Some(v),
        },
        default: Means("64MiB, or an eighth of `wal.max_bytes` if that is less"),
        example: "16MiB",
        late: false,
        doc: "What one file of the write-ahead log takes; at least three must fit into `wal.max_bytes`. Not \
              a key of RabbitMQ.",
    },
    Key {
        name: "store.recent_bytes",
        kind: Kind::Amount {
            min: RECENT_BYTES_MIN,
            max: LOG_BYTES_MAX,
            set: |c, _, v| c.store.recent_bytes = v,
        },
        default: Is("8MiB"),
        example: "64MiB",
        late: false,
        doc: "Memory for recent messages. What does not fit goes to files of its own and is read back when \
              its turn comes. Not a key of RabbitMQ.",
    },
];

static MESSAGES: &[Key] = &[
    Key {
        name: "message_interceptors.incoming.set_header_timestamp.overwrite",
        kind: Kind::Switch(|c, _, v| c.interceptors.timestamp = Some(v)),
        default: Means("not set"),
        example: "true",
        late: false,
        doc: "Once set, every message gets the header `timestamp_in_ms` and the property timestamp, which \
              say when it came; with `true` also if the publisher set them.",
    },
    Key {
        name: "message_interceptors.incoming.set_header_routing_node.overwrite",
        kind: Kind::Switch(|c, _, v| c.interceptors.routing_node = Some(v)),
        default: Means("not set"),
        example: "true",
        late: false,
        doc: "Once set, every message gets the header `x-routed-by`, which says to which node it came; with \
              `true` also if the publisher set it.",
    },
];

static NODE: &[Key] = &[
    Key {
        name: "cluster_name",
        kind: Kind::Text(|c, _, v| c.node.cluster_name = Some(v)),
        default: Means("not set"),
        example: "orders",
        late: false,
        doc: "The cluster's name, which clients see when they connect.",
    },
    Key {
        name: "data_dir",
        kind: Kind::Path(|c, _, v| c.node.data_dir = Some(v)),
        default: Means("see [where data lies](#where-data-lies)"),
        example: "/srv/warren",
        late: false,
        doc: "Folder for everything that survives a restart. Not a key of RabbitMQ.",
    },
    Key {
        name: "workers",
        kind: Kind::Short {
            min: 1,
            max: 1024,
            set: |c, _, v| c.node.workers = Some(v),
        },
        default: Means("one for every core"),
        example: "4",
        late: false,
        doc: "Threads that serve connections. Not a key of RabbitMQ.",
    },
    Key {
        name: "product.name",
        kind: Kind::Text(|c, _, v| c.product.name = v),
        default: Is("RabbitMQ"),
        example: "Warren",
        late: false,
        doc: "The product that clients see when they connect. Some look for RabbitMQ's name.",
    },
    Key {
        name: "product.version",
        kind: Kind::Text(|c, _, v| c.product.version = v),
        default: Is("4.0.5"),
        example: "4.1.0",
        late: false,
        doc: "The version that clients see when they connect: that of a RabbitMQ that behaves like it.",
    },
];

/// All rows.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    GROUPS.iter().flat_map(|group| group.keys)
}

/// The row of a key.
pub fn find(parts: &[String]) -> Option<&'static Key> {
    keys().find(|key| key.matches(parts))
}

/// The known key that looks most like this unknown one.
pub fn nearest_to(parts: &[String]) -> String {
    let known: Vec<String> = keys().map(|key| key.named_like(parts)).collect();
    nearest(&parts.join("."), known.iter().map(String::as_str))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use super::*;
    use crate::config::{Config, conf};

    /// What is left of a `$name` in the tests.
    fn applied(key: &Key, text: &str) -> Config {
        let mut config = Config::default();
        let value = text.trim_matches('\'');
        assert!(
            key.kind.apply(&mut config, "some", value),
            "{} does not take {text}",
            key.name
        );
        config
    }

    #[test]
    fn every_documented_default_is_the_real_one() {
        for key in keys() {
            if let Is(text) = key.default {
                assert_eq!(applied(key, text), Config::default(), "{}", key.name);
            }
        }
    }

    #[test]
    fn every_key_has_an_effect() {
        for key in keys() {
            assert_ne!(applied(key, key.example), Config::default(), "{}", key.name);
        }
    }

    #[test]
    fn every_name_is_a_key_of_its_own() {
        for key in keys() {
            let parts = conf::key(&key.name.replace('$', "")).unwrap();
            assert_eq!(find(&parts).map(|found| found.name), Some(key.name));
            let free = key.name.split('.').filter(|part| part.starts_with('$')).count();
            assert!(
                free == 0 || key.name.rsplit('.').next().unwrap().starts_with('$'),
                "{}",
                key.name
            );
            assert!(free <= 1, "{}", key.name);
        }
    }

    #[test]
    fn names_match_part_by_part() {
        let found = |name: &str| find(&conf::key(name).unwrap()).map(|key| key.name);
        assert_eq!(found("listeners.tcp"), Some("listeners.tcp"));
        assert_eq!(found("listeners.tcp.local"), Some("listeners.tcp.$name"));
        assert_eq!(found(r"loopback_users.a\.b"), Some("loopback_users.$user"));
        for unknown in [
            "listeners",
            "listeners.tcp.a.b",
            "Heartbeat",
            "loopback_users.a.b",
        ] {
            assert_eq!(found(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_nearest_key_keeps_the_free_part() {
        let nearest = |name: &str| nearest_to(&conf::key(name).unwrap());
        assert_eq!(nearest("hartbeat"), "heartbeat");
        assert_eq!(nearest("listener.tcp.default"), "listeners.tcp.default");
        assert_eq!(nearest("loopback_user.guest"), "loopback_users.guest");
        assert_eq!(
            nearest("vm_memory_high_watermark"),
            "vm_memory_high_watermark.relative"
        );
        assert_eq!(nearest("log.file.levels"), "log.file.level");
        assert_eq!(nearest("tcp_listen_options.nodely"), "tcp_listen_options.nodelay");
    }
}
