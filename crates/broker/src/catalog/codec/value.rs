//! Tables and values as bytes.
//!
//! ```text
//!   table    field name, value, field name, value …       to the end of the field that the table is
//!   value    type u8 │ payload
//!
//!   V void     -              b i8     1       f f32        4, its bits
//!   t bool     1: 0 or 1      B u8     1       d f64        8, its bits
//!   T time     8              s i16    2       D decimal    1 scale, 4 digits
//!   S string   field          u u16    2       A array      field of values
//!   x bytes    field          I i32    4       F table      field
//!                             i u32    4
//!                             l i64    8
//! ```
//!
//! The letters are those of AMQP 0-9-1, the bytes are not: integers are little-endian here.

use super::Malformed;
use super::reader::{Reader, put_field, put_text, put_with};
use crate::value::{Table, Value};

/// The deepest nesting that is read: twice what any protocol lets in, since what was written has to be read.
pub(super) const DEPTH_MAX: usize = 128;

/// Appends a table's entries.
pub(super) fn put_table(out: &mut Vec<u8>, table: &Table) {
    for (name, value) in table.iter() {
        put_text(out, name);
        put_value(out, value);
    }
}

/// Appends a value.
pub(super) fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Void => out.push(b'V'),
        Value::Bool(truth) => out.extend([b't', u8::from(*truth)]),
        Value::I8(n) => put_fixed(out, b'b', n.to_le_bytes()),
        Value::U8(n) => put_fixed(out, b'B', n.to_le_bytes()),
        Value::I16(n) => put_fixed(out, b's', n.to_le_bytes()),
        Value::U16(n) => put_fixed(out, b'u', n.to_le_bytes()),
        Value::I32(n) => put_fixed(out, b'I', n.to_le_bytes()),
        Value::U32(n) => put_fixed(out, b'i', n.to_le_bytes()),
        Value::I64(n) => put_fixed(out, b'l', n.to_le_bytes()),
        Value::F32(n) => put_fixed(out, b'f', n.to_bits().to_le_bytes()),
        Value::F64(n) => put_fixed(out, b'd', n.to_bits().to_le_bytes()),
        Value::Timestamp(n) => put_fixed(out, b'T', n.to_le_bytes()),
        Value::Decimal { scale, value } => {
            out.extend([b'D', *scale]);
            out.extend(value.to_le_bytes());
        }
        Value::String(bytes) => {
            out.push(b'S');
            put_field(out, bytes);
        }
        Value::Bytes(bytes) => {
            out.push(b'x');
            put_field(out, bytes);
        }
        Value::Array(values) => {
            out.push(b'A');
            put_with(out, |out| values.iter().for_each(|value| put_value(out, value)));
        }
        Value::Table(table) => {
            out.push(b'F');
            put_with(out, |out| put_table(out, table));
        }
    }
}

fn put_fixed<const N: usize>(out: &mut Vec<u8>, letter: u8, bytes: [u8; N]) {
    out.push(letter);
    out.extend(bytes);
}

/// Reads a value, which is all that the bytes hold.
pub(super) fn value(bytes: &[u8]) -> Result<Value, Malformed> {
    value_at(&mut Reader::new(bytes), 0)
}

/// Reads the entries of a table.
pub(super) fn table(bytes: &[u8]) -> Result<Table, Malformed> {
    table_at(bytes, 0)
}

fn table_at(bytes: &[u8], depth: usize) -> Result<Table, Malformed> {
    if depth > DEPTH_MAX {
        return Err(Malformed::Deep);
    }
    let mut rest = Reader::new(bytes);
    let mut table = Table::new();
    while !rest.is_empty() {
        let name = rest.text()?;
        table.push(name, value_at(&mut rest, depth)?);
    }
    Ok(table)
}

fn array_at(bytes: &[u8], depth: usize) -> Result<Vec<Value>, Malformed> {
    if depth > DEPTH_MAX {
        return Err(Malformed::Deep);
    }
    let mut rest = Reader::new(bytes);
    let mut values = Vec::new();
    while !rest.is_empty() {
        values.push(value_at(&mut rest, depth)?);
    }
    Ok(values)
}

fn value_at(rest: &mut Reader<'_>, depth: usize) -> Result<Value, Malformed> {
    let [letter] = rest.array()?;
    Ok(match letter {
        b'V' => Value::Void,
        b't' => Value::Bool(rest.array()? != [0]),
        b'b' => Value::I8(i8::from_le_bytes(rest.array()?)),
        b'B' => Value::U8(u8::from_le_bytes(rest.array()?)),
        b's' => Value::I16(i16::from_le_bytes(rest.array()?)),
        b'u' => Value::U16(u16::from_le_bytes(rest.array()?)),
        b'I' => Value::I32(i32::from_le_bytes(rest.array()?)),
        b'i' => Value::U32(u32::from_le_bytes(rest.array()?)),
        b'l' => Value::I64(i64::from_le_bytes(rest.array()?)),
        b'f' => Value::F32(f32::from_bits(u32::from_le_bytes(rest.array()?))),
        b'd' => Value::F64(f64::from_bits(u64::from_le_bytes(rest.array()?))),
        b'T' => Value::Timestamp(u64::from_le_bytes(rest.array()?)),
        b'D' => {
            let [scale] = rest.array()?;
            let value = u32::from_le_bytes(rest.array()?);
            Value::Decimal { scale, value }
        }
        b'S' => Value::String(rest.field()?.into()),
        b'x' => Value::Bytes(rest.field()?.into()),
        b'A' => Value::Array(array_at(rest.field()?, depth + 1)?),
        b'F' => Value::Table(table_at(rest.field()?, depth + 1)?),
        other => return Err(Malformed::ValueType(other)),
    })
}
