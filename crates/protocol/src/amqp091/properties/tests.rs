//! Tests of basic properties: there and back, and edits against rebuilding from scratch.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::amqp091::table::tests::{Tree, fields as table_fields, name as table_name, write_fields};
use crate::amqp091::table::{Change, Error as WriteError, TableBuf, Value};
use std::collections::BTreeMap;

/// Properties that own what they hold.
#[derive(Debug, Clone)]
struct Owned {
    strings: [Option<Vec<u8>>; 10],
    headers: Option<TableBuf>,
    octets: [Option<u8>; 2],
    timestamp: Option<u64>,
}

impl Owned {
    fn fields(&self) -> Fields<'_> {
        let string = |index: usize| self.strings[index].as_deref();
        Fields {
            content_type: string(0),
            content_encoding: string(1),
            headers: self.headers.as_ref().map(TableBuf::as_table),
            delivery_mode: self.octets[0],
            priority: self.octets[1],
            correlation_id: string(2),
            reply_to: string(3),
            expiration: string(4),
            message_id: string(5),
            timestamp: self.timestamp,
            type_: string(6),
            user_id: string(7),
            app_id: string(8),
            cluster_id: string(9),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.fields().encode(&mut out).unwrap();
        out
    }
}

fn string() -> impl Strategy<Value = Option<Vec<u8>>> {
    of(proptest::collection::vec(any::<u8>(), 0..20))
}

fn build(fields: &[(Vec<u8>, Tree)]) -> TableBuf {
    TableBuf::build(|w| write_fields(w, fields)).unwrap()
}

/// The headers after changes: decoded, changed one by one, and encoded again.
fn edited(own: Table<'_>, changes: &[Change<'_>]) -> TableBuf {
    let mut fields = BTreeMap::new();
    for (name, value) in own {
        fields.entry(name).or_insert(value);
    }
    for change in changes.iter().rev() {
        match change.value {
            Some(value) => drop(fields.insert(change.name, value)),
            None => drop(fields.remove(change.name)),
        }
    }
    TableBuf::build(|w| fields.iter().for_each(|(name, value)| w.value(name, value))).unwrap()
}

fn owned() -> impl Strategy<Value = Owned> {
    let strings = proptest::array::uniform10(string());
    let headers = of(table_fields().prop_map(|fields| build(&fields)));
    (
        strings,
        headers,
        proptest::array::uniform2(of(any::<u8>())),
        of(any::<u64>()),
    )
        .prop_map(|(strings, headers, octets, timestamp)| Owned {
            strings,
            headers,
            octets,
            timestamp,
        })
}

#[test]
fn flags_and_order_are_as_specified() {
    let headers = TableBuf::build(|w| w.void("h")).unwrap();
    let fields = Fields {
        content_type: Some(b"a"),
        content_encoding: Some(b"b"),
        headers: Some(headers.as_table()),
        delivery_mode: Some(2),
        priority: Some(9),
        correlation_id: Some(b"c"),
        reply_to: Some(b"d"),
        expiration: Some(b"60"),
        message_id: Some(b"e"),
        timestamp: Some(258),
        type_: Some(b"f"),
        user_id: Some(b"g"),
        app_id: Some(b"h"),
        cluster_id: Some(b"i"),
    };
    let mut out = Vec::new();
    fields.encode(&mut out).unwrap();
    let wanted: &[&[u8]] = &[
        b"\xff\xfc\x01a\x01b\0\0\0\x03\x01hV\x02\x09\x01c\x01d\x0260\x01e",
        b"\0\0\0\0\0\0\x01\x02\x01f\x01g\x01h\x01i",
    ];
    assert_eq!(out, wanted.concat());
    assert_eq!(
        Properties::parse(&out).unwrap().to_string(),
        "content_type=\"a\" content_encoding=\"b\" headers={h=void} delivery_mode=2 priority=9 \
         correlation_id=\"c\" reply_to=\"d\" expiration=\"60\" message_id=\"e\" timestamp=258 type=\"f\" \
         user_id=\"g\" app_id=\"h\" cluster_id=\"i\""
    );
}

#[test]
fn the_common_shapes_are_read() {
    assert_eq!(Properties::parse(&[0, 0]), Ok(Properties::EMPTY));
    let persistent = Properties::parse(&[0x10, 0, 2]).unwrap();
    assert_eq!(
        (persistent.delivery_mode(), persistent.priority()),
        (Some(2), None)
    );
    assert_eq!(persistent.raw(), [0x10, 0, 2]);
}

#[test]
fn a_second_word_of_flags_is_refused() {
    assert_eq!(
        Properties::parse(&[0, 1, 0, 0]),
        Err(Error::Continuation { flags: 1 })
    );
    assert_eq!(
        Properties::parse(&[0x10, 1, 2, 0, 0]),
        Err(Error::Continuation { flags: 0x1001 })
    );
}

#[test]
fn the_unused_flag_is_kept() {
    let properties = Properties::parse(&[0x10, 2, 1]).unwrap();
    let mut out = Vec::new();
    properties
        .rewrite(
            &mut out,
            Edit {
                reply_to: Some(b"r"),
                ..Edit::default()
            },
        )
        .unwrap();
    assert_eq!(out, [0x12, 2, 1, 1, b'r']);
}

#[test]
fn what_is_left_over_or_missing_is_refused() {
    let over = Err(Error::Malformed(CursorError::LengthMismatch));
    let end = Err(Error::Malformed(CursorError::UnexpectedEnd));
    assert_eq!(Properties::parse(&[0, 0, 0]), over);
    assert_eq!(Properties::parse(&[0x10, 0, 2, 0]), over);
    assert_eq!(Properties::parse(&[0x10, 0]), end);
    assert_eq!(Properties::parse(&[0]), end);
    assert_eq!(Properties::parse(&[0x20, 0, 0, 0, 0, 9, 1]), end);
    let bad_table = Properties::parse(&[0x20, 0, 0, 0, 0, 3, 1, b'a', b'?']);
    assert_eq!(
        bad_table,
        Err(Error::Malformed(CursorError::UnknownFieldType(b'?')))
    );
}

#[test]
fn strings_past_255_octets_are_refused_and_leave_nothing() {
    let long = [b'r'; 256];
    let mut out = vec![7];
    let refused = Err(WriteError::NameTooLong { octets: 256 });
    let fields = Fields {
        app_id: Some(&long),
        ..Fields::default()
    };
    assert_eq!(fields.encode(&mut out), refused);
    let edit = Edit {
        reply_to: Some(&long),
        ..Edit::default()
    };
    assert_eq!(Properties::EMPTY.rewrite(&mut out, edit), refused);
    let change = Change {
        name: &long,
        value: Some(Value::Void),
    };
    let edit = Edit {
        headers: &[change],
        ..Edit::default()
    };
    assert_eq!(Properties::EMPTY.rewrite(&mut out, edit), refused);
    assert_eq!(out, [7]);
}

proptest! {
    #[test]
    fn what_is_encoded_is_read_back(owned in owned()) {
        let bytes = owned.encode();
        let properties = Properties::parse(&bytes).unwrap();
        prop_assert_eq!(properties.raw(), &bytes);
        prop_assert_eq!(Fields::from(properties), owned.fields());
        let kept = *properties.scan();
        prop_assert_eq!(Properties::from_scan(&bytes, kept), properties);
    }

    #[test]
    fn properties_cut_short_are_refused(owned in owned()) {
        let bytes = owned.encode();
        for length in 0..bytes.len() {
            prop_assert!(Properties::parse(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn an_edit_changes_what_it_names_and_nothing_else(
        owned in owned(),
        reply_to in string(),
        changed in proptest::collection::vec((table_name(), of(any::<i32>())), 0..4),
        picked in proptest::collection::vec((any::<proptest::sample::Index>(), of(any::<i32>())), 0..3),
        delivery_mode in of(any::<u8>()),
        drop_expiration: bool,
        timestamp in of(any::<u64>()),
    ) {
        let bytes = owned.encode();
        let own = owned.fields().headers.unwrap_or(Table::EMPTY);
        // Names that are there, and others.
        let names: Vec<&[u8]> = own.iter().map(|(name, _)| name).collect();
        let picked = picked.iter().filter(|_| !names.is_empty());
        let picked = picked.map(|(index, value)| (*index.get(&names), *value));
        let all = changed.iter().map(|(name, value)| (&name[..], *value)).chain(picked);
        let changes: Vec<_> = all
            .map(|(name, value)| Change { name, value: value.map(Value::I32) })
            .collect();
        let edit = Edit {
            reply_to: reply_to.as_deref(),
            headers: &changes,
            drop_expiration,
            delivery_mode,
            timestamp,
        };
        let mut out = vec![7];
        Properties::parse(&bytes).unwrap().rewrite(&mut out, edit).unwrap();

        let mut wanted = owned.fields();
        if drop_expiration { wanted.expiration = None }
        let headers = edited(own, &changes);
        if !changes.is_empty() && (wanted.headers.is_some() || !headers.as_table().is_empty()) {
            wanted.headers = Some(headers.as_table());
        }
        wanted.timestamp = timestamp.or(wanted.timestamp);
        wanted.reply_to = reply_to.as_deref().or(wanted.reply_to);
        wanted.delivery_mode = delivery_mode.or(wanted.delivery_mode);
        let mut scratch = vec![7];
        wanted.encode(&mut scratch).unwrap();
        prop_assert_eq!(out, scratch);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(properties) = Properties::parse(&bytes) {
            let mut copy = Vec::new();
            Fields::from(properties).encode(&mut copy).unwrap();
            // All but the unused flag, which has no field.
            prop_assert_eq!(&copy[2..], &bytes[2..]);
            prop_assert_eq!(copy[1], bytes[1] & !2);
        }
    }

    #[test]
    fn a_scan_of_other_bytes_is_harmless(
        owned in owned(),
        other in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let bytes = owned.encode();
        let scan = *Properties::parse(&bytes).unwrap().scan();
        let mixed = Properties::from_scan(&other, scan);
        let _ = Fields::from(mixed).to_string();
        let mut out = Vec::new();
        let _ = mixed.rewrite(&mut out, Edit { reply_to: Some(b"r"), ..Edit::default() });
        let _ = mixed.rewrite(&mut out, Edit { headers: &[Change::string("a", "b")], ..Edit::default() });
    }
}
