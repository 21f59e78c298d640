//! Tables, arrays and values as text: the notation of transcripts and logs.
//!
//! ```text
//! "text"  12  12l  true  void  [1, 2]  {name=value, "odd name"=value}
//! b:-1 B:255 s:-1 u:1 i:1 T:1700000000 f:1.5 d:1.5 D:2/314 x:"0aff"
//! ```
//!
//! Bytes that are not printable text are written `\xNN`, so that nothing is lost. A float that is not a
//! number is written as its bits, `d:0x7ff8000000000001`. Reading the notation back is `method::text`.

use std::fmt::{self, Debug, Display, Formatter, Write};

use super::{Array, Table, Value};

/// Bytes as text in quotes, with escapes.
pub(in crate::amqp091) struct Quoted<'a>(pub(in crate::amqp091) &'a [u8]);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            chunk.valid().chars().try_for_each(|c| escape(f, c))?;
            chunk
                .invalid()
                .iter()
                .try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        f.write_char('"')
    }
}

fn escape(f: &mut Formatter<'_>, c: char) -> fmt::Result {
    match c {
        '"' => f.write_str("\\\""),
        '\\' => f.write_str("\\\\"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        c if c.is_control() => {
            let mut utf8 = [0; 4];
            c.encode_utf8(&mut utf8)
                .bytes()
                .try_for_each(|byte| write!(f, "\\x{byte:02x}"))
        }
        c => f.write_char(c),
    }
}

/// Whether a field name can be written without quotes.
fn is_bare(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| is_bare_octet(byte))
}

/// Whether an octet may stand in a name without quotes.
pub(in crate::amqp091) fn is_bare_octet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (index, (name, value)) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            match std::str::from_utf8(name) {
                Ok(bare) if is_bare(name) => f.write_str(bare)?,
                _ => Display::fmt(&Quoted(name), f)?,
            }
            write!(f, "={value}")?;
        }
        f.write_char('}')
    }
}

impl Display for Array<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            Display::fmt(&value, f)?;
        }
        f.write_char(']')
    }
}

impl Display for Value<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(v) => write!(f, "{v}"),
            Value::I8(v) => write!(f, "b:{v}"),
            Value::U8(v) => write!(f, "B:{v}"),
            Value::I16(v) => write!(f, "s:{v}"),
            Value::U16(v) => write!(f, "u:{v}"),
            Value::I32(v) => write!(f, "{v}"),
            Value::U32(v) => write!(f, "i:{v}"),
            Value::I64(v) => write!(f, "{v}l"),
            Value::F32(v) if v.is_nan() => write!(f, "f:{:#010x}", v.to_bits()),
            Value::F32(v) => write!(f, "f:{v:?}"),
            Value::F64(v) if v.is_nan() => write!(f, "d:{:#018x}", v.to_bits()),
            Value::F64(v) => write!(f, "d:{v:?}"),
            Value::Decimal { scale, value } => write!(f, "D:{scale}/{value}"),
            Value::LongString(v) => Display::fmt(&Quoted(v), f),
            Value::Bytes(v) => {
                f.write_str("x:\"")?;
                v.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_char('"')
            }
            Value::Array(v) => Display::fmt(v, f),
            Value::Timestamp(v) => write!(f, "T:{v}"),
            Value::Table(v) => Display::fmt(v, f),
            Value::Void => f.write_str("void"),
        }
    }
}

// What is read in a failed assertion is the notation, not a list of octets.

impl Debug for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Debug for Array<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Debug for Value<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
