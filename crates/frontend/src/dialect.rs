//! What the node asks of messages that were published: answered for every protocol whose encoding they may
//! have.

use crate::convert;
use warren_broker::message::{Message, Origin};
use warren_broker::value::{Table, Value};
use warren_node::Dialect;
use warren_protocol::amqp091::properties::{Fields, Properties};
use warren_protocol::amqp091::table::TableBuf;

/// The encodings of all protocols here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dialects;

/// The properties of a message that came by AMQP 0-9-1. `None` when they make no sense.
fn properties(message: &Message) -> Option<Properties<'_>> {
    match message.envelope().origin {
        Origin::Amqp091 => Properties::parse(message.properties()).ok(),
    }
}

impl Dialect for Dialects {
    fn headers(&self, message: &Message) -> Option<Table> {
        let own = properties(message).and_then(|properties| properties.headers());
        let Some(deaths) = message.deaths() else {
            return own.map(convert::table);
        };
        let mut headers = own.map(convert::table).unwrap_or_default();
        for (name, said) in crate::amqp091::briefly(&deaths) {
            // The first of a name counts.
            headers.insert(name, Value::from(said));
        }
        Some(headers)
    }

    fn message_id<'m>(&self, message: &'m Message) -> Option<&'m [u8]> {
        properties(message)?.message_id()
    }

    fn correlation_id<'m>(&self, message: &'m Message) -> Option<&'m [u8]> {
        properties(message)?.correlation_id()
    }

    fn timestamp(&self, message: &Message) -> Option<u64> {
        properties(message)?.timestamp()
    }

    fn event(&self, headers: &Table, timestamp_s: u64) -> Vec<u8> {
        let headers = TableBuf::build(|out| convert::write(headers, out)).ok();
        let fields = Fields {
            headers: headers.as_ref().map(TableBuf::as_table),
            delivery_mode: Some(2),
            timestamp: Some(timestamp_s),
            ..Fields::default()
        };
        let mut out = Vec::new();
        match fields.encode(&mut out) {
            Ok(()) => out,
            // The headers are a few numbers and names. Without properties the message is one, too.
            Err(_) => vec![0, 0],
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use warren_broker::message::{Parts, Reason, dead_letter};

    fn message(properties: &[u8]) -> Message {
        Message::of(&Parts {
            exchange: "orders",
            key: "new",
            properties,
            ..Parts::default()
        })
        .unwrap()
    }

    fn encoded() -> Vec<u8> {
        let headers = TableBuf::build(|headers| {
            headers.i32("n", 5);
            headers.string("x-first-death-queue", "mine");
        })
        .unwrap();
        let fields = Fields {
            headers: Some(headers.as_table()),
            correlation_id: Some(b"order 7"),
            message_id: Some(b"m"),
            timestamp: Some(17),
            ..Fields::default()
        };
        let mut out = Vec::new();
        fields.encode(&mut out).unwrap();
        out
    }

    #[test]
    fn what_exchanges_ask_for_is_read_from_the_properties() {
        let message = message(&encoded());
        let headers = Dialects.headers(&message).unwrap();
        assert_eq!(headers.get("n"), Some(&Value::I32(5)));
        assert_eq!(headers.get("x-first-death-queue"), Some(&Value::from("mine")));
        assert_eq!(Dialects.message_id(&message), Some(&b"m"[..]));
        assert_eq!(Dialects.correlation_id(&message), Some(&b"order 7"[..]));
        assert_eq!(Dialects.timestamp(&message), Some(17));
    }

    #[test]
    fn a_dead_letter_can_be_routed_by_how_it_died() {
        for properties in [encoded(), vec![0, 0]] {
            let dead = dead_letter(&message(&properties), "q", Reason::Expired, 9000, "dlx", None).unwrap();
            let headers = Dialects.headers(&dead).unwrap();
            let said = [
                ("x-first-death-reason", "expired"),
                ("x-first-death-queue", "q"),
                ("x-first-death-exchange", "orders"),
                ("x-last-death-reason", "expired"),
                ("x-last-death-queue", "q"),
                ("x-last-death-exchange", "orders"),
            ];
            for (name, value) in said {
                assert_eq!(headers.get(name), Some(&Value::from(value)), "{name}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_not_there() {
        for bytes in [&b""[..], &[0xff; 9], &[0x20, 0, 0, 0, 0, 9, 1]] {
            let message = message(bytes);
            assert_eq!(Dialects.headers(&message), None);
            assert_eq!(Dialects.message_id(&message), None);
            assert_eq!(Dialects.timestamp(&message), None);
        }
    }

    #[test]
    fn an_event_is_a_persistent_message_with_headers() {
        let headers: Table = [("name", Value::from("q")), ("threshold", Value::I64(5))]
            .into_iter()
            .collect();
        let event = message(&Dialects.event(&headers, 17));
        assert_eq!(Dialects.headers(&event), Some(headers));
        assert_eq!(Dialects.timestamp(&event), Some(17));
        assert_eq!(properties(&event).unwrap().delivery_mode(), Some(2));
    }
}
