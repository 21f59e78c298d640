//! Keys of the HTTP API.

use super::super::key::{DefaultText, Key, Kind};
use super::super::model::Management;
use DefaultText::{Is, Means};

pub(super) static MANAGEMENT: &[Key] = &[
    Key {
        name: "management.tcp",
        kind: Kind::Nothing(|c, _, ()| c.management.is_on = false),
        default: Means("it listens"),
        example: "none",
        late: false,
        doc: "No HTTP API. RabbitMQ has its plugin for this, and no such key.",
    },
    port(
        "management.tcp.port",
        "The port of the HTTP API. Port 0 picks a free one.",
    ),
    ip(
        "management.tcp.ip",
        "The interface on which the HTTP API listens.",
    ),
    port(
        "management.listener.port",
        "Another name for `management.tcp.port`.",
    ),
    ip("management.listener.ip", "Another name for `management.tcp.ip`."),
    Key {
        name: "management.path_prefix",
        kind: Kind::Text(|c, _, v| c.management.path_prefix = Management::prefix(&v)),
        default: Means("nothing"),
        example: "/rabbit",
        late: false,
        doc: "What stands before `/api` in every path of the HTTP API, for the sake of proxies.",
    },
    Key {
        name: "management.load_definitions",
        kind: Kind::Path(|c, _, v| c.defaults.load_definitions = Some(v)),
        default: Means("nothing is loaded"),
        example: "/etc/warren/definitions.json",
        late: false,
        doc: "Another name for `load_definitions`.",
    },
];

const fn port(name: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Short {
            min: 0,
            max: u16::MAX,
            set: |c, _, v| c.management.at.port = v,
        },
        default: Is("15672"),
        example: "8080",
        late: false,
        doc,
    }
}

const fn ip(name: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Address(|c, _, v| c.management.at.host = Some(v)),
        default: Means("all interfaces"),
        example: "127.0.0.1",
        late: false,
        doc,
    }
}
