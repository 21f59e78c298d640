//! When two values count as the same argument, or as the same header.
//!
//! Stricter than what people mean (`5` is not `5.0`) and laxer than `==` (a byte 5 is a long 5): it is what
//! RabbitMQ compares once it has decoded a table. Whoever keeps values by their equivalence hashes them here.

use std::hash::{Hash, Hasher};

use super::Value;

/// Whether two values are the same for RabbitMQ: an argument in a redeclaration, a header in a headers
/// exchange.
///
/// The type of the outermost value does not count, only what it holds: `5` is `5` in any integer width (and
/// as a timestamp), a long string is the byte array of the same bytes, a float is the double of the same
/// number. But `5` is not `5.0`. Inside tables and arrays types count, and so does order.
pub fn equivalent(a: &Value, b: &Value) -> bool {
    match (Held::of(a), Held::of(b)) {
        (Held::Whole(a), Held::Whole(b)) => a == b,
        (Held::Float(a), Held::Float(b)) => a == b,
        (Held::Bytes(a), Held::Bytes(b)) => a == b,
        (Held::Other(a), Held::Other(b)) => a == b,
        _ => false,
    }
}

/// Hashes a value so that [`equivalent`] ones hash the same.
pub(crate) fn hash_equivalent(value: &Value, state: &mut impl Hasher) {
    match Held::of(value) {
        Held::Whole(number) => number.hash(state),
        // Adding zero makes one of the two zeros, which compare equal.
        Held::Float(number) => (number + 0.0).to_bits().hash(state),
        Held::Bytes(bytes) => bytes.hash(state),
        Held::Other(other) => other.hash(state),
    }
}

/// What a value holds, without its type where that does not count.
enum Held<'a> {
    /// Wide enough for both `i64` and `u64`.
    Whole(i128),
    Float(f64),
    Bytes(&'a [u8]),
    Other(&'a Value),
}

impl<'a> Held<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Timestamp(seconds) => Held::Whole((*seconds).into()),
            Value::F32(number) => Held::Float((*number).into()),
            Value::F64(number) => Held::Float(*number),
            Value::String(bytes) | Value::Bytes(bytes) => Held::Bytes(bytes),
            other => match other.as_integer() {
                Some(number) => Held::Whole(number.into()),
                None => Held::Other(other),
            },
        }
    }
}
