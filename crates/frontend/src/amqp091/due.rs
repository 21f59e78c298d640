//! When a message is due: the headers `x-delay`, milliseconds from now, as the plugin for delayed messages
//! has it, and `x-deliver-at`, milliseconds since 1970, which is ours.

use warren_protocol::amqp091::table::{Table, Value};

/// What makes the plugin's messages wait.
pub(super) const DELAY: &[u8] = b"x-delay";
const DELIVER_AT: &[u8] = b"x-deliver-at";

/// Ten years, the longest delay, and the longest expiration.
pub(super) const TEN_YEARS_MS: u64 = 315_360_000_000;

/// When a message is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// In milliseconds since 1970.
    pub(super) at_ms: u64,
    /// It came by `x-delay`.
    pub(super) is_delay: bool,
}

impl Due {
    /// When a message with these headers is due, if that is later than now. `x-delay` goes before
    /// `x-deliver-at`; what is no positive number of milliseconds counts as none.
    pub(super) fn read(headers: Table<'_>, now_ms: u64) -> Option<Self> {
        let (mut delay, mut at) = (None, None);
        for (name, value) in headers {
            // The first of a name counts.
            if name == DELAY && delay.is_none() {
                delay = Some(value);
            } else if name == DELIVER_AT && at.is_none() {
                at = Some(value);
            }
        }
        let in_ms = |value: Option<Value<'_>>| value.and_then(|value| milliseconds(&value));
        let (delay_ms, is_delay) = match (positive(in_ms(delay)), positive(in_ms(at))) {
            (Some(delay_ms), _) => (delay_ms, true),
            (None, Some(at_ms)) => (at_ms.checked_sub(now_ms).filter(|delay_ms| *delay_ms > 0)?, false),
            (None, None) => return None,
        };
        let at_ms = now_ms.saturating_add(delay_ms.min(TEN_YEARS_MS));
        Some(Self { at_ms, is_delay })
    }
}

fn positive(number: Option<i64>) -> Option<u64> {
    number
        .and_then(|number| u64::try_from(number).ok())
        .filter(|number| *number > 0)
}

/// A number of milliseconds as the plugin reads it: an integer of any width, the text of one, or a float cut
/// down to one.
pub(super) fn milliseconds(value: &Value<'_>) -> Option<i64> {
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
    use warren_protocol::amqp091::table::{TableBuf, TableWriter};

    const NOW_MS: u64 = 1_700_000_000_000;

    fn due(fill: impl FnOnce(&mut TableWriter<'_>)) -> Option<Due> {
        Due::read(TableBuf::build(fill).unwrap().as_table(), NOW_MS)
    }

    fn delayed(delay_ms: u64) -> Option<Due> {
        Some(Due {
            at_ms: NOW_MS + delay_ms,
            is_delay: true,
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
            delayed(TEN_YEARS_MS)
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
                is_delay: false,
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
        assert!(!time.unwrap().is_delay);
    }
}
