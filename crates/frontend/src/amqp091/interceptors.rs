//! What the operator has the broker write into every message that is published: when it came, and to which
//! node. RabbitMQ: message-interceptors.md.

use warren_protocol::amqp091::properties::Properties;
use warren_protocol::amqp091::table::{Change, Value};

const TIMESTAMP: &str = "timestamp_in_ms";
const ROUTED_BY: &str = "x-routed-by";

/// Which are on. `Some(true)`: and it takes the place of what the publisher wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interceptors {
    /// Sets the header `timestamp_in_ms`, and the property timestamp.
    pub timestamp: Option<bool>,
    /// Sets the header `x-routed-by` to the node's name.
    pub routing_node: Option<bool>,
    /// What the node is called.
    pub node_name: String,
}

impl Interceptors {
    /// Whether none is on.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.timestamp.is_none() && self.routing_node.is_none()
    }

    /// Adds what is to be set of the headers. Answers what the timestamp is to be, in seconds since 1970.
    pub(super) fn intercept<'c>(
        &'c self,
        properties: &Properties<'_>,
        now_ms: u64,
        changes: &mut Vec<Change<'c>>,
    ) -> Option<u64> {
        let headers = properties.headers();
        let is_there = |name: &str| headers.is_some_and(|headers| headers.find(name.as_bytes()).is_some());
        let mut timestamp = None;
        if let Some(overwrites) = self.timestamp {
            if overwrites || !is_there(TIMESTAMP) {
                changes.push(Change {
                    name: TIMESTAMP.as_bytes(),
                    value: Some(Value::I64(i64::try_from(now_ms).unwrap_or(i64::MAX))),
                });
            }
            if overwrites || properties.timestamp().is_none() {
                timestamp = Some(now_ms / 1000);
            }
        }
        if let Some(overwrites) = self.routing_node
            && (overwrites || !is_there(ROUTED_BY))
        {
            changes.push(Change::string(ROUTED_BY, &self.node_name));
        }
        timestamp
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use warren_protocol::amqp091::properties::{Edit, Fields};
    use warren_protocol::amqp091::table::TableBuf;

    const NOW_MS: u64 = 1_700_000_000_123;

    fn interceptors(overwrites: bool) -> Interceptors {
        Interceptors {
            timestamp: Some(overwrites),
            routing_node: Some(overwrites),
            node_name: "warren@here".to_owned(),
        }
    }

    fn intercepted(interceptors: &Interceptors, came: &[u8]) -> String {
        let properties = Properties::parse(came).unwrap();
        let mut changes = Vec::new();
        let timestamp = interceptors.intercept(&properties, NOW_MS, &mut changes);
        let edit = Edit {
            headers: &changes,
            timestamp,
            ..Edit::default()
        };
        let mut out = Vec::new();
        properties.rewrite(&mut out, edit).unwrap();
        Properties::parse(&out).unwrap().to_string()
    }

    fn stamped() -> Vec<u8> {
        let headers = TableBuf::build(|headers| {
            headers.string("x-routed-by", "me");
            headers.string("timestamp_in_ms", "now");
        })
        .unwrap();
        let fields = Fields {
            headers: Some(headers.as_table()),
            timestamp: Some(5),
            ..Fields::default()
        };
        let mut out = Vec::new();
        fields.encode(&mut out).unwrap();
        out
    }

    #[test]
    fn a_message_is_told_when_and_where_it_came() {
        let told =
            "headers={timestamp_in_ms=1700000000123l, x-routed-by=\"warren@here\"} timestamp=1700000000";
        for overwrites in [true, false] {
            assert_eq!(intercepted(&interceptors(overwrites), &[0, 0]), told);
        }
        assert_eq!(intercepted(&interceptors(true), &stamped()), told);
    }

    #[test]
    fn what_the_publisher_wrote_stays_unless_it_is_to_be_overwritten() {
        let told = intercepted(&interceptors(false), &stamped());
        assert_eq!(told, Properties::parse(&stamped()).unwrap().to_string());
        assert_eq!(intercepted(&Interceptors::default(), &[0, 0]), "");
        assert!(Interceptors::default().is_empty() && !interceptors(false).is_empty());
    }
}
