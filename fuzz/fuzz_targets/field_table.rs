//! Field tables of any bytes: the check, the walk, the notation.
//!
//! Beyond not crashing: what passes the check can be walked to its last octet, at every level, no deeper than
//! the cap, and means the same when it is written again or read back from text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warren_protocol::amqp091::cursor::Cursor;
use warren_protocol::amqp091::method::text;
use warren_protocol::amqp091::table::{
    Array, ArrayWriter, DEPTH_MAX, Table, TableBuf, TableWriter, Value, write_array,
};

fuzz_target!(|bytes: &[u8]| {
    let _ = Cursor::new(bytes).table();
    if let Ok(table) = Table::parse(bytes) {
        checked(table);
    }
    if let Ok(array) = Array::parse(bytes) {
        let mut out = Vec::new();
        write_array(&mut out, |w| copy_values(w, array, 1)).expect("nothing to refuse");
        assert_eq!(out.len(), bytes.len() + size_of::<u32>());
    }
});

fn checked(table: Table<'_>) {
    let copy = TableBuf::build(|w| copy_fields(w, table, 1)).expect("nothing to refuse");
    // Letters and truths that mean the same are made one, so octets may differ, but not their number.
    assert_eq!(copy.as_table().raw().len(), table.raw().len());
    let shown = table.to_string();
    assert_eq!(copy.as_table().to_string(), shown);
    let parsed = text::parse_table(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(parsed, copy.as_table().raw(), "{shown}");
    if let Some((name, value)) = table.iter().next() {
        assert_eq!(
            table.find(name).map(|found| found.to_string()),
            Some(value.to_string())
        );
    }
}

fn copy_fields(w: &mut TableWriter<'_>, table: Table<'_>, depth: usize) {
    assert!(depth <= DEPTH_MAX);
    for (name, value) in table {
        match value {
            Value::Table(inner) => w.table(name, |w| copy_fields(w, inner, depth + 1)),
            Value::Array(inner) => w.array(name, |w| copy_values(w, inner, depth + 1)),
            scalar => w.value(name, &scalar),
        }
    }
}

fn copy_values(w: &mut ArrayWriter<'_>, array: Array<'_>, depth: usize) {
    assert!(depth <= DEPTH_MAX);
    for value in array {
        match value {
            Value::Table(inner) => w.table(|w| copy_fields(w, inner, depth + 1)),
            Value::Array(inner) => w.array(|w| copy_values(w, inner, depth + 1)),
            scalar => w.value(&scalar),
        }
    }
}
