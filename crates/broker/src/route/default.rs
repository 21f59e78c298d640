//! The default exchange, and the exchanges that every virtual host has from its start.
//!
//! The default exchange has no name and no table: its routing key is the name of a queue. It cannot be
//! declared, deleted or bound; [`is_default`] tells it apart before anything is looked up.
//!
//! Spec: 0-9-1 §3.1.3.1, §3.1.3.3 (predeclared exchanges).

/// The name of the default exchange.
pub const DEFAULT_EXCHANGE: &str = "";

/// Whether the name is the default exchange's.
pub fn is_default(name: &str) -> bool {
    name == DEFAULT_EXCHANGE
}

/// An exchange that a virtual host has from its start. All are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Predeclared {
    /// Its name.
    pub name: &'static str,
    /// The name of its type.
    pub kind: &'static str,
    /// Whether only the broker publishes to it.
    pub internal: bool,
}

/// The exchanges that a virtual host has from its start.
pub const PREDECLARED: &[Predeclared] = &[
    Predeclared {
        name: DEFAULT_EXCHANGE,
        kind: "direct",
        internal: false,
    },
    Predeclared {
        name: "amq.direct",
        kind: "direct",
        internal: false,
    },
    Predeclared {
        name: "amq.fanout",
        kind: "fanout",
        internal: false,
    },
    Predeclared {
        name: "amq.headers",
        kind: "headers",
        internal: false,
    },
    Predeclared {
        name: "amq.match",
        kind: "headers",
        internal: false,
    },
    Predeclared {
        name: "amq.rabbitmq.trace",
        kind: "topic",
        internal: true,
    },
    Predeclared {
        name: "amq.topic",
        kind: "topic",
        internal: false,
    },
];

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use super::*;
    use crate::name::is_reserved;
    use crate::route::exchange_type;

    #[test]
    fn predeclared_exchanges_have_known_types_and_reserved_names() {
        for exchange in PREDECLARED {
            assert!(exchange_type(exchange.kind).is_some(), "{exchange:?}");
            assert!(
                is_default(exchange.name) || is_reserved(exchange.name),
                "{exchange:?}"
            );
        }
    }
}
