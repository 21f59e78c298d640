//! Protocol-neutral values: what x-arguments and message headers are made of.
//!
//! [`Value`] has one variant for every field type that AMQP 0-9-1 peers send, so that a table that came in
//! by one protocol goes out again with the widths it had. It is not a wire format: bytes are the business of
//! the protocol crates, which turn their own tables into this one.
//!
//! Three questions are asked of values, and each has one answer here:
//!
//! ```text
//!   what is it called     Value::type_name      longstr, signedint, ...      (in refusals)
//!   how is it printed     Value::describe       value '5' of type 'signedint'
//!   is it the same        equivalent(a, b)      5 as a byte and 5 as a long are
//! ```
//!
//! Spec: 0-9-1 §4.2.5.5 (field tables), with RabbitMQ's errata for the type letters.

mod equivalence;
mod term;

pub use equivalence::equivalent;
pub(crate) use equivalence::hash_equivalent;

use std::hash::{Hash, Hasher};
use std::mem;

/// One value of a [`Table`] or of an array.
///
/// `==` is exact: type and value, floats by their bits, and the order of tables; so every value, a NaN too,
/// is found again by itself. For RabbitMQ's notion of the same value use [`equivalent`].
#[derive(Debug, Clone)]
pub enum Value {
    /// No value (`V`). As a binding argument of a headers exchange: the header is present.
    Void,
    /// A truth value (`t`).
    Bool(bool),
    /// A signed 8-bit integer (`b`).
    I8(i8),
    /// An unsigned 8-bit integer (`B`).
    U8(u8),
    /// A signed 16-bit integer (`s`).
    I16(i16),
    /// An unsigned 16-bit integer (`u`).
    U16(u16),
    /// A signed 32-bit integer (`I`).
    I32(i32),
    /// An unsigned 32-bit integer (`i`).
    U32(u32),
    /// A signed 64-bit integer (`l`).
    I64(i64),
    /// A 32-bit float (`f`).
    F32(f32),
    /// A 64-bit float (`d`).
    F64(f64),
    /// A decimal (`D`): `value` divided by ten to the power of `scale`.
    Decimal {
        /// Digits behind the decimal point.
        scale: u8,
        /// The digits, as an unsigned integer.
        value: u32,
    },
    /// A long string (`S`). UTF-8 by custom only, so it is kept as bytes.
    String(Box<[u8]>),
    /// A byte array (`x`).
    Bytes(Box<[u8]>),
    /// A list of values of any types (`A`).
    Array(Vec<Value>),
    /// Seconds since 1970-01-01 UTC (`T`).
    Timestamp(u64),
    /// A nested table (`F`).
    Table(Table),
}

impl Value {
    /// The number, when the value is an integer of any width. Timestamps, floats and decimals are none.
    pub fn as_integer(&self) -> Option<i64> {
        match *self {
            Value::I8(n) => Some(n.into()),
            Value::U8(n) => Some(n.into()),
            Value::I16(n) => Some(n.into()),
            Value::U16(n) => Some(n.into()),
            Value::I32(n) => Some(n.into()),
            Value::U32(n) => Some(n.into()),
            Value::I64(n) => Some(n),
            _ => None,
        }
    }

    /// The text, when the value is a long string of valid UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The name of the type in RabbitMQ's refusals, such as `longstr` or `signedint`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Void => "void",
            Value::Bool(_) => "bool",
            Value::I8(_) => "byte",
            Value::U8(_) => "unsignedbyte",
            Value::I16(_) => "short",
            Value::U16(_) => "unsignedshort",
            Value::I32(_) => "signedint",
            Value::U32(_) => "unsignedint",
            Value::I64(_) => "long",
            Value::F32(_) => "float",
            Value::F64(_) => "double",
            Value::Decimal { .. } => "decimal",
            Value::String(_) => "longstr",
            Value::Bytes(_) => "binary",
            Value::Array(_) => "array",
            Value::Timestamp(_) => "timestamp",
            Value::Table(_) => "table",
        }
    }

    /// Value and type as refusals print them behind an article: `value '5' of type 'signedint'`.
    pub fn describe(&self) -> String {
        format!("value '{}' of type '{}'", self.text(), self.type_name())
    }

    /// The value alone as refusals print it between quotes: strings as they are, anything else as
    /// [`term`](Self::term).
    pub fn text(&self) -> String {
        match self {
            Value::String(bytes) | Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => other.term(),
        }
    }

    /// The value in the notation of RabbitMQ's own language, in which some refusals print it:
    /// `<<"some">>`, `5`, `1.0`, `[{longstr,<<"a">>}]`.
    pub fn term(&self) -> String {
        let mut out = String::new();
        term::write(&mut out, self);
        out
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Void, Value::Void) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::I8(a), Value::I8(b)) => a == b,
            (Value::U8(a), Value::U8(b)) => a == b,
            (Value::I16(a), Value::I16(b)) => a == b,
            (Value::U16(a), Value::U16(b)) => a == b,
            (Value::I32(a), Value::I32(b)) => a == b,
            (Value::U32(a), Value::U32(b)) => a == b,
            (Value::I64(a), Value::I64(b)) => a == b,
            (Value::F32(a), Value::F32(b)) => a.to_bits() == b.to_bits(),
            (Value::F64(a), Value::F64(b)) => a.to_bits() == b.to_bits(),
            (Value::Decimal { scale: a, value: x }, Value::Decimal { scale: b, value: y }) => {
                (a, x) == (b, y)
            }
            (Value::String(a), Value::String(b)) | (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Array(a), Value::Array(b)) => a == b,
            (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
            (Value::Table(a), Value::Table(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    /// Of what `==` compares.
    fn hash<H: Hasher>(&self, state: &mut H) {
        mem::discriminant(self).hash(state);
        match self {
            Value::Void => {}
            Value::Bool(truth) => truth.hash(state),
            Value::I8(number) => number.hash(state),
            Value::U8(number) => number.hash(state),
            Value::I16(number) => number.hash(state),
            Value::U16(number) => number.hash(state),
            Value::I32(number) => number.hash(state),
            Value::U32(number) => number.hash(state),
            Value::I64(number) => number.hash(state),
            Value::F32(number) => number.to_bits().hash(state),
            Value::F64(number) => number.to_bits().hash(state),
            Value::Decimal { scale, value } => (scale, value).hash(state),
            Value::String(bytes) | Value::Bytes(bytes) => bytes.hash(state),
            Value::Array(values) => values.hash(state),
            Value::Timestamp(seconds) => seconds.hash(state),
            Value::Table(table) => table.hash(state),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.as_bytes().into())
    }
}

/// A field table: names and values in the order in which they came.
///
/// A name may stand twice if the peer sent it twice ([`push`](Self::push) keeps both); the first one is
/// found by [`get`](Self::get). Tables are short, so all look-ups are linear.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Table(Vec<(Box<str>, Value)>);

impl Table {
    /// An empty table.
    pub const fn new() -> Self {
        Table(Vec::new())
    }

    /// The first value with this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(found, _)| &**found == name)
            .map(|(_, value)| value)
    }

    /// Sets the value of a name: in place where the name stands already, at the end otherwise.
    /// Gives back the value that was replaced.
    pub fn insert(&mut self, name: &str, value: Value) -> Option<Value> {
        match self.0.iter_mut().find(|(found, _)| &**found == name) {
            Some((_, old)) => Some(mem::replace(old, value)),
            None => {
                self.push(name, value);
                None
            }
        }
    }

    /// Adds an entry at the end without looking whether the name is there already. For decoders, which
    /// would otherwise spend quadratic time on a long table.
    pub fn push(&mut self, name: impl Into<Box<str>>, value: Value) {
        self.0.push((name.into(), value));
    }

    /// Removes every entry with this name and gives back the first one's value.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(found, _)| &**found == name)?;
        let (_, value) = self.0.remove(at);
        self.0.retain(|(found, _)| &**found != name);
        Some(value)
    }

    /// All entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<Box<str>>> FromIterator<(N, Value)> for Table {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(entries: I) -> Self {
        Table(
            entries
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        )
    }
}

impl IntoIterator for Table {
    type Item = (Box<str>, Value);
    type IntoIter = std::vec::IntoIter<(Box<str>, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests;
