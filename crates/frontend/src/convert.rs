//! AMQP 0-9-1 field tables to protocol-neutral values. Depth is bounded by the table's parser.

use warren_broker::value;
use warren_protocol::amqp091::table::{Array, Table, Value};

/// A field table as a value. Names and strings that are not UTF-8 keep what is readable.
pub(crate) fn table(from: Table<'_>) -> value::Table {
    let fields = from.iter();
    fields
        .map(|(name, field)| (Box::from(String::from_utf8_lossy(name)), self::value(field)))
        .collect()
}

fn array(from: Array<'_>) -> Vec<value::Value> {
    from.iter().map(self::value).collect()
}

/// A field as a value.
pub(crate) fn value(from: Value<'_>) -> value::Value {
    match from {
        Value::Bool(v) => value::Value::Bool(v),
        Value::I8(v) => value::Value::I8(v),
        Value::U8(v) => value::Value::U8(v),
        Value::I16(v) => value::Value::I16(v),
        Value::U16(v) => value::Value::U16(v),
        Value::I32(v) => value::Value::I32(v),
        Value::U32(v) => value::Value::U32(v),
        Value::I64(v) => value::Value::I64(v),
        Value::F32(v) => value::Value::F32(v),
        Value::F64(v) => value::Value::F64(v),
        Value::Decimal { scale, value } => value::Value::Decimal { scale, value },
        Value::LongString(v) => value::Value::String(v.into()),
        Value::Bytes(v) => value::Value::Bytes(v.into()),
        Value::Array(v) => value::Value::Array(array(v)),
        Value::Timestamp(v) => value::Value::Timestamp(v),
        Value::Table(v) => value::Value::Table(table(v)),
        Value::Void => value::Value::Void,
    }
}
