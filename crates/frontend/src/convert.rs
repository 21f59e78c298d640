//! AMQP 0-9-1 field tables to protocol-neutral values. Depth is bounded by the table's parser.

use warren_broker::value;
use warren_protocol::amqp091::table::{Array, ArrayWriter, Table, TableWriter, Value};

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

/// Writes a table of values as a field table. Depth is bounded by whoever made the table.
pub(crate) fn write(from: &value::Table, out: &mut TableWriter<'_>) {
    for (name, field) in from.iter() {
        match field {
            value::Value::Table(inner) => out.table(name, |out| write(inner, out)),
            value::Value::Array(items) => out.array(name, |out| write_items(items, out)),
            other => out.value(name, &scalar(other)),
        }
    }
}

fn write_items(from: &[value::Value], out: &mut ArrayWriter<'_>) {
    for item in from {
        match item {
            value::Value::Table(inner) => out.table(|out| write(inner, out)),
            value::Value::Array(items) => out.array(|out| write_items(items, out)),
            other => out.value(&scalar(other)),
        }
    }
}

/// A value that has no others in it. What has is written otherwise.
fn scalar(from: &value::Value) -> Value<'_> {
    match from {
        value::Value::Bool(v) => Value::Bool(*v),
        value::Value::I8(v) => Value::I8(*v),
        value::Value::U8(v) => Value::U8(*v),
        value::Value::I16(v) => Value::I16(*v),
        value::Value::U16(v) => Value::U16(*v),
        value::Value::I32(v) => Value::I32(*v),
        value::Value::U32(v) => Value::U32(*v),
        value::Value::I64(v) => Value::I64(*v),
        value::Value::F32(v) => Value::F32(*v),
        value::Value::F64(v) => Value::F64(*v),
        value::Value::Decimal { scale, value } => Value::Decimal {
            scale: *scale,
            value: *value,
        },
        value::Value::String(v) => Value::LongString(v),
        value::Value::Bytes(v) => Value::Bytes(v),
        value::Value::Timestamp(v) => Value::Timestamp(*v),
        value::Value::Void | value::Value::Table(_) | value::Value::Array(_) => Value::Void,
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use value::Value as Neutral;
    use warren_protocol::amqp091::table::TableBuf;

    #[test]
    fn what_is_written_reads_as_it_was() {
        let decimal = Neutral::Decimal { scale: 2, value: 7 };
        let inner: value::Table = [("n", Neutral::I64(-5)), ("d", decimal)].into_iter().collect();
        let list = vec![
            Neutral::Void,
            Neutral::Table(inner.clone()),
            Neutral::Array(Vec::new()),
        ];
        let fields = [
            ("text", Neutral::from("one")),
            ("bytes", Neutral::Bytes((*b"two").into())),
            ("truth", Neutral::Bool(true)),
            ("time", Neutral::Timestamp(17)),
            ("inner", Neutral::Table(inner)),
            ("list", Neutral::Array(list)),
        ];
        let from: value::Table = fields.into_iter().collect();
        let written = TableBuf::build(|out| write(&from, out)).unwrap();
        assert_eq!(table(written.as_table()), from);
    }
}
