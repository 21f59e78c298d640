//! When a message is due: the headers `x-delay`, milliseconds from now, as the plugin for delayed messages
//! has it, and `x-deliver-at`, milliseconds since 1970, which is ours.
//!
//! Consumers get `x-delay` negated, which says that the message was delayed, and does not delay it again. It
//! is written so when the message comes: what waits a while is read once less when it goes out.

use super::asked::{Asked, DELAY};
use warren_protocol::amqp091::properties::{Edit, Properties};
use warren_protocol::amqp091::table::{Change, Error, Value};

/// How headers begin that are a delay alone, up to its eight octets: their length, and name and value, each
/// behind an octet, its length and its type.
const ALONE: &[u8] = b"\0\0\0\x11\x07x-delayl";

/// Ten years, the longest delay, and the longest expiration.
pub(super) const TEN_YEARS_MS: u64 = 315_360_000_000;

/// When a message is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// In milliseconds since 1970.
    pub(super) at_ms: u64,
    /// What `x-delay` asked for, in milliseconds, if it came by that.
    pub(super) delay_ms: Option<u64>,
}

impl Due {
    /// When a message that asked for so much is due, if that is later than now. `x-delay` goes before
    /// `x-deliver-at`; what is no positive number of milliseconds counts as none.
    pub(super) fn read(asked: &Asked<'_>, now_ms: u64) -> Option<Self> {
        let in_ms = |value: Option<Value<'_>>| positive(value.and_then(|value| milliseconds(&value)));
        let delay_ms = in_ms(asked.delay);
        let wait_ms = match delay_ms {
            Some(delay_ms) => delay_ms,
            None => in_ms(asked.deliver_at)?
                .checked_sub(now_ms)
                .filter(|wait_ms| *wait_ms > 0)?,
        };
        let at_ms = now_ms.saturating_add(wait_ms.min(TEN_YEARS_MS));
        Some(Self { at_ms, delay_ms })
    }
}

/// Writes the properties of a message with this delay among its headers, as consumers get them.
///
/// # Errors
/// Whatever makes headers that cannot be written.
pub(super) fn write_negated(
    properties: &Properties<'_>,
    delay_ms: u64,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    // It is positive, and came as an integer of 63 bits or less.
    let negated = 0_i64.saturating_sub_unsigned(delay_ms);
    if write_alone(properties, negated, out).is_some() {
        return Ok(());
    }
    let change = Change {
        name: DELAY,
        value: Some(Value::I64(negated)),
    };
    let edit = Edit {
        headers: &[change],
        ..Edit::default()
    };
    properties.rewrite(out, edit)
}

/// The same where there is no other header, as with most that are delayed: there is nothing to be put in
/// order. `None`, and nothing is written, where there is.
fn write_alone(properties: &Properties<'_>, negated: i64, out: &mut Vec<u8>) -> Option<()> {
    let mut fields = properties.headers()?.iter();
    if fields.next()?.0 != DELAY || fields.next().is_some() {
        return None;
    }
    let place = properties.scan().headers()?;
    let before = properties.raw().get(..place.start.checked_sub(4)?)?;
    let behind = properties.raw().get(place.end..)?;
    out.extend_from_slice(before);
    out.extend_from_slice(ALONE);
    out.extend_from_slice(&negated.to_be_bytes());
    out.extend_from_slice(behind);
    Some(())
}

fn positive(number: Option<i64>) -> Option<u64> {
    number
        .and_then(|number| u64::try_from(number).ok())
        .filter(|number| *number > 0)
}

/// A number of milliseconds as the plugin reads it: an integer of any width, the text of one, or a float cut
/// down to one.
fn milliseconds(value: &Value<'_>) -> Option<i64> {
    match *value {
        Value::I8(number) => Some(number.into()),
        Value::U8(number) => Some(number.into()),
        Value::I16(number) => Some(number.into()),
        Value::U16(number) => Some(number.into()),
        Value::I32(number) => Some(number.into()),
        Value::U32(number) => Some(number.into()),
        Value::I64(number) => Some(number),
        Value::LongString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        // What is beyond the integers becomes the last of them, and what is no number 0.
        Value::F32(number) => Some(number as i64),
        Value::F64(number) => Some(number as i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use warren_protocol::amqp091::properties::Fields;
    use warren_protocol::amqp091::table::{TableBuf, TableWriter};

    const NOW_MS: u64 = 1_700_000_000_000;

    fn due(fill: impl FnOnce(&mut TableWriter<'_>)) -> Option<Due> {
        let headers = TableBuf::build(fill).unwrap();
        Due::read(&Asked::find(headers.as_table()), NOW_MS)
    }

    fn delayed(delay_ms: u64) -> Option<Due> {
        Some(Due {
            at_ms: NOW_MS + delay_ms.min(TEN_YEARS_MS),
            delay_ms: Some(delay_ms),
        })
    }

    #[test]
    fn a_delay_counts_from_now_whatever_its_width() {
        assert_eq!(due(|headers| headers.i8("x-delay", 5)), delayed(5));
        assert_eq!(due(|headers| headers.u8("x-delay", 200)), delayed(200));
        assert_eq!(due(|headers| headers.i16("x-delay", 500)), delayed(500));
        assert_eq!(due(|headers| headers.i32("x-delay", 60_000)), delayed(60_000));
        assert_eq!(due(|headers| headers.i64("x-delay", 1 << 33)), delayed(1 << 33));
        assert_eq!(due(|headers| headers.string("x-delay", "250")), delayed(250));
        assert_eq!(due(|headers| headers.f64("x-delay", 9.9)), delayed(9));
        assert_eq!(
            due(|headers| headers.i64("x-delay", i64::MAX)),
            delayed(i64::MAX as u64)
        );
    }

    #[test]
    fn what_is_no_delay_is_none() {
        assert_eq!(due(|_| ()), None);
        assert_eq!(due(|headers| headers.i32("delay", 5)), None);
        assert_eq!(due(|headers| headers.i32("x-delay", 0)), None);
        assert_eq!(due(|headers| headers.i32("x-delay", -5)), None);
        assert_eq!(due(|headers| headers.string("x-delay", "soon")), None);
        assert_eq!(due(|headers| headers.f64("x-delay", f64::NAN)), None);
        assert_eq!(due(|headers| headers.bool("x-delay", true)), None);
        assert_eq!(due(|headers| headers.void("x-delay")), None);
    }

    #[test]
    fn a_time_of_delivery_is_one_of_the_future() {
        let at = |ms: u64| due(move |headers| headers.i64("x-deliver-at", i64::try_from(ms).unwrap()));
        let expected = |at_ms| {
            Some(Due {
                at_ms,
                delay_ms: None,
            })
        };
        assert_eq!(at(NOW_MS + 10), expected(NOW_MS + 10));
        assert_eq!(at(NOW_MS), None);
        assert_eq!(at(5), None);
        assert_eq!(at(i64::MAX as u64), expected(NOW_MS + TEN_YEARS_MS));
    }

    #[test]
    fn a_delay_goes_before_a_time_and_the_first_of_a_name_counts() {
        let both = due(|headers| {
            headers.i64("x-deliver-at", i64::MAX);
            headers.i32("x-delay", 7);
            headers.i32("x-delay", 9);
        });
        assert_eq!(both, delayed(7));
        let time = due(|headers| {
            headers.i32("x-delay", -7);
            headers.i64("x-deliver-at", i64::try_from(NOW_MS + 1).unwrap());
        });
        assert_eq!(time.unwrap().delay_ms, None);
    }

    fn properties(delay: &Value<'_>, others: &[&str]) -> Vec<u8> {
        let table = TableBuf::build(|headers| {
            headers.value("x-delay", delay);
            others.iter().for_each(|name| headers.void(name));
        })
        .unwrap();
        let fields = Fields {
            content_type: Some(b"text/plain"),
            headers: Some(table.as_table()),
            delivery_mode: Some(2),
            app_id: Some(b"app"),
            ..Fields::default()
        };
        let mut out = Vec::new();
        fields.encode(&mut out).unwrap();
        out
    }

    #[test]
    fn a_delay_is_told_negated() {
        for delay in [
            Value::I8(50),
            Value::I32(50),
            Value::LongString(b"50"),
            Value::F64(50.7),
        ] {
            let came = properties(&delay, &[]);
            let mut told = Vec::new();
            write_negated(&Properties::parse(&came).unwrap(), 50, &mut told).unwrap();
            assert_eq!(told, properties(&Value::I64(-50), &[]));
        }
    }

    #[test]
    fn a_delay_is_negated_among_other_headers() {
        let came = properties(&Value::I16(50), &["z", "a"]);
        let mut told = Vec::new();
        write_negated(&Properties::parse(&came).unwrap(), 50, &mut told).unwrap();
        let told = Properties::parse(&told).unwrap();
        let headers: Vec<_> = told.headers().unwrap().iter().collect();
        let expected: [(&[u8], _); 3] = [
            (b"a", Value::Void),
            (b"x-delay", Value::I64(-50)),
            (b"z", Value::Void),
        ];
        assert_eq!(headers, expected);
        assert_eq!(
            (told.content_type(), told.delivery_mode(), told.app_id()),
            (Some(&b"text/plain"[..]), Some(2), Some(&b"app"[..]))
        );
    }
}
