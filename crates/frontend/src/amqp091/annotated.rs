//! What consumers are told beside what the publisher wrote, as headers: of a dead letter how it died, of a
//! message that came back how often.
//!
//! ```text
//!   x-death               [ { original-expiration?, count, reason, queue, time, exchange, routing-keys } ]
//!   x-first-death-exchange, -queue, -reason; x-last-death-exchange, -queue, -reason
//!   x-delivery-count      times it was delivered and came back
//! ```
//! RabbitMQ: dlx.md#effects; fields and their types are in its order. A dead letter has no expiration any
//! more.

use std::borrow::Cow;
use warren_broker::message::{Death, Deaths, Message};
use warren_protocol::amqp091::properties::{Edit, Properties};
use warren_protocol::amqp091::table::{ArrayBuf, Change, TableWriter, Value};

/// The properties of a message as a consumer gets them. Those of most messages are as they came.
#[inline]
pub(super) fn properties(message: &Message, delivery_count: Option<u64>) -> Cow<'_, [u8]> {
    if message.is_dead_letter() || delivery_count.is_some() {
        edited(message, delivery_count)
    } else {
        Cow::Borrowed(message.properties())
    }
}

#[cold]
fn edited(message: &Message, delivery_count: Option<u64>) -> Cow<'_, [u8]> {
    let (came, deaths) = (message.properties(), message.deaths());
    // What is not understood, from wherever it came, goes out as it is.
    let Ok(properties) = Properties::parse(came) else {
        return Cow::Borrowed(came);
    };
    let told = deaths.as_ref().and_then(|deaths| {
        ArrayBuf::build(|array| {
            deaths
                .entries()
                .iter()
                .for_each(|death| array.table(|table| write_death(table, death)));
        })
        .ok()
    });
    let mut changes = Vec::new();
    if let Some(count) = delivery_count {
        changes.push(long("x-delivery-count", count));
    }
    if let (Some(deaths), Some(told)) = (&deaths, &told) {
        changes.push(Change {
            name: b"x-death",
            value: Some(Value::Array(told.as_array())),
        });
        changes.extend(briefly(deaths).map(|(name, said)| Change::string(name, said)));
    }
    let edit = Edit {
        headers: &changes,
        drop_expiration: deaths.is_some(),
        ..Edit::default()
    };
    let mut out = Vec::new();
    match properties.rewrite(&mut out, edit) {
        Ok(()) => Cow::Owned(out),
        Err(_) => Cow::Borrowed(came),
    }
}

/// The first death and the last, as headers: by rising name, as RabbitMQ sends them.
pub(crate) fn briefly<'a>(deaths: &Deaths<'a>) -> [(&'static str, &'a str); 6] {
    let (first, last) = (deaths.first, deaths.last());
    [
        ("x-first-death-exchange", first.exchange),
        ("x-first-death-queue", first.queue),
        ("x-first-death-reason", first.reason.as_str()),
        ("x-last-death-exchange", last.exchange),
        ("x-last-death-queue", last.queue),
        ("x-last-death-reason", last.reason.as_str()),
    ]
}

fn write_death(table: &mut TableWriter<'_>, death: &Death<'_>) {
    if let Some(ttl_ms) = death.ttl_ms {
        table.string("original-expiration", ttl_ms.to_string());
    }
    table.value("count", &Value::I64(signed(death.count)));
    table.string("reason", death.reason.as_str());
    table.string("queue", death.queue);
    table.timestamp("time", death.time_s);
    table.string("exchange", death.exchange);
    table.array("routing-keys", |keys| {
        death.keys.iter().for_each(|key| keys.string(key))
    });
}

fn long(name: &'static str, number: u64) -> Change<'static> {
    Change {
        name: name.as_bytes(),
        value: Some(Value::I64(signed(number))),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use warren_broker::message::{AnnotationsWriter, Parts, Reason, dead_letter};
    use warren_protocol::amqp091::properties::Fields;
    use warren_protocol::amqp091::table::TableBuf;

    const NOW_MS: u64 = 0x6b09_7c8a * 1000 + 7;

    fn encoded(fields: &Fields<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        fields.encode(&mut out).unwrap();
        out
    }

    fn message(exchange: &str, key: &str, properties: &[u8], noted: &AnnotationsWriter) -> Message {
        Message::of(&Parts {
            exchange,
            key,
            properties,
            annotations: noted.bytes(),
            ..Parts::default()
        })
        .unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What RabbitMQ 4.0.5 sent for the same course of a message.
    #[test]
    fn an_expired_message_is_told_as_rabbitmq_tells_it() {
        let headers = TableBuf::build(|headers| {
            headers.i32("z", 1);
            headers.string("a", "b");
            headers.string("x-death", "mine");
            headers.string("x-first-death-reason", "mine");
        })
        .unwrap();
        let properties = encoded(&Fields {
            content_type: Some(b"t"),
            headers: Some(headers.as_table()),
            delivery_mode: Some(2),
            expiration: Some(b"+50"),
            ..Fields::default()
        });
        let mut noted = AnnotationsWriter::default();
        noted.ttl_ms(50);
        let came = message("", "s1", &properties, &noted);
        assert_eq!(*super::properties(&came, None), *properties);
        let dead = dead_letter(&came, "s1", Reason::Expired, NOW_MS, "", Some("d1")).unwrap();
        let expected = "b00001740000014d016153000000016207782d64656174684100000084460000007f136f72696769\
            6e616c2d65787069726174696f6e5300000002353005636f756e746c000000000000000106726561736f6e530000\
            000765787069726564057175657565530000000273310474696d6554000000006b097c8a0865786368616e676553\
            000000000c726f7574696e672d6b65797341000000075300000002733116782d66697273742d64656174682d6578\
            6368616e6765530000000013782d66697273742d64656174682d71756575655300000002733114782d6669727374\
            2d64656174682d726561736f6e53000000076578706972656415782d6c6173742d64656174682d65786368616e67\
            65530000000012782d6c6173742d64656174682d71756575655300000002733113782d6c6173742d64656174682d\
            726561736f6e530000000765787069726564017a490000000102";
        assert_eq!(hex(&super::properties(&dead, None)), expected);
    }

    /// As above.
    #[test]
    fn deaths_are_told_the_latest_first() {
        let came = message("", "s3", &[0, 0], &AnnotationsWriter::default());
        let once = dead_letter(&came, "s3", Reason::Rejected, NOW_MS, "", Some("s4")).unwrap();
        let twice = dead_letter(&once, "s4", Reason::Rejected, NOW_MS, "dx", None).unwrap();
        let expected = "20000000019007782d646561746841000000d4460000006505636f756e746c000000000000000106\
            726561736f6e530000000872656a6563746564057175657565530000000273340474696d6554000000006b097c8a\
            0865786368616e676553000000000c726f7574696e672d6b65797341000000075300000002733446000000650563\
            6f756e746c000000000000000106726561736f6e530000000872656a656374656405717565756553000000027333\
            0474696d6554000000006b097c8a0865786368616e676553000000000c726f7574696e672d6b6579734100000007\
            5300000002733316782d66697273742d64656174682d65786368616e6765530000000013782d66697273742d6465\
            6174682d71756575655300000002733314782d66697273742d64656174682d726561736f6e530000000872656a65\
            6374656415782d6c6173742d64656174682d65786368616e6765530000000012782d6c6173742d64656174682d71\
            756575655300000002733413782d6c6173742d64656174682d726561736f6e530000000872656a6563746564";
        assert_eq!(hex(&super::properties(&twice, None)), expected);
        assert_eq!((twice.exchange(), twice.routing_key()), ("dx", "s4"));
    }

    #[test]
    fn how_often_a_message_came_back_is_told_among_its_headers() {
        let headers = TableBuf::build(|headers| headers.i64("x-delay", -5000)).unwrap();
        let came = encoded(&Fields {
            headers: Some(headers.as_table()),
            ..Fields::default()
        });
        let mut noted = AnnotationsWriter::default();
        noted.due_ms(NOW_MS);
        let message = message("", "q", &came, &noted);
        assert_eq!(*properties(&message, None), *came);
        let told = properties(&message, Some(3));
        let told = Properties::parse(&told).unwrap().headers().unwrap();
        let told: Vec<_> = told.iter().collect();
        let expected: [(&[u8], _); 2] = [
            (b"x-delay", Value::I64(-5000)),
            (b"x-delivery-count", Value::I64(3)),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_plain_or_not_understood_goes_out_as_it_came() {
        let plain = message("", "q", &[0x10, 0, 2], &AnnotationsWriter::default());
        assert!(matches!(properties(&plain, None), Cow::Borrowed([0x10, 0, 2])));
        let broken = message("", "q", &[0x20, 0, 0, 0, 0, 9], &AnnotationsWriter::default());
        let dead = dead_letter(&broken, "q", Reason::MaxLen, NOW_MS, "", None).unwrap();
        assert_eq!(*properties(&dead, Some(1)), [0x20, 0, 0, 0, 0, 9]);
    }
}
