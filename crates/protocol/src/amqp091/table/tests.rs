//! Tests of field tables: every type's octets, random trees there and back, and a naive walk as the judge of
//! what is well formed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use proptest::prelude::*;

use super::*;

/// A value that owns what it holds.
#[derive(Debug, Clone)]
pub(in crate::amqp091) enum Tree {
    Scalar(Value<'static>),
    LongString(Vec<u8>),
    Bytes(Vec<u8>),
    Array(Vec<Tree>),
    Table(Vec<(Vec<u8>, Tree)>),
}

pub(in crate::amqp091) fn fields() -> impl Strategy<Value = Vec<(Vec<u8>, Tree)>> {
    proptest::collection::vec((name(), tree()), 0..5)
}

pub(in crate::amqp091) fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => "[a-z][a-z0-9.-]{0,12}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..256),
    ]
}

fn scalar() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::I8),
        any::<u8>().prop_map(Value::U8),
        any::<i16>().prop_map(Value::I16),
        any::<u16>().prop_map(Value::U16),
        any::<i32>().prop_map(Value::I32),
        any::<u32>().prop_map(Value::U32),
        any::<i64>().prop_map(Value::I64),
        // By their bits, so that infinities and all that is not a number are among them.
        any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        any::<(u8, u32)>().prop_map(|(scale, value)| Value::Decimal { scale, value }),
        any::<u64>().prop_map(Value::Timestamp),
        Just(Value::Void),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        4 => scalar().prop_map(Tree::Scalar),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Tree::LongString),
        1 => "\\PC{0,12}".prop_map(|text| Tree::LongString(text.into_bytes())),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Tree::Bytes),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Tree::Array),
            proptest::collection::vec((name(), inner), 0..5).prop_map(Tree::Table),
        ]
    })
}

pub(in crate::amqp091) fn write_fields(w: &mut TableWriter<'_>, fields: &[(Vec<u8>, Tree)]) {
    for (name, tree) in fields {
        match tree {
            Tree::Scalar(value) => w.value(name, value),
            Tree::LongString(bytes) => w.string(name, bytes),
            Tree::Bytes(bytes) => w.bytes(name, bytes),
            Tree::Array(items) => w.array(name, |w| write_items(w, items)),
            Tree::Table(fields) => w.table(name, |w| write_fields(w, fields)),
        }
    }
}

fn write_items(w: &mut ArrayWriter<'_>, items: &[Tree]) {
    for tree in items {
        match tree {
            Tree::Scalar(value) => w.value(value),
            Tree::LongString(bytes) => w.string(bytes),
            Tree::Bytes(bytes) => w.bytes(bytes),
            Tree::Array(items) => w.array(|w| write_items(w, items)),
            Tree::Table(fields) => w.table(|w| write_fields(w, fields)),
        }
    }
}

/// Floats are equal if their bits are.
fn same_scalar(found: &Value<'_>, wanted: &Value<'_>) -> bool {
    match (found, wanted) {
        (Value::F32(a), Value::F32(b)) => a.to_bits() == b.to_bits(),
        (Value::F64(a), Value::F64(b)) => a.to_bits() == b.to_bits(),
        _ => found == wanted,
    }
}

fn same(found: &Value<'_>, wanted: &Tree) -> bool {
    match (found, wanted) {
        (found, Tree::Scalar(wanted)) => same_scalar(found, wanted),
        (Value::LongString(found), Tree::LongString(wanted)) => found == wanted,
        (Value::Bytes(found), Tree::Bytes(wanted)) => found == wanted,
        (Value::Array(found), Tree::Array(wanted)) => {
            found.iter().count() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| same(&a, b))
        }
        (Value::Table(found), Tree::Table(wanted)) => same_fields(*found, wanted),
        _ => false,
    }
}

fn same_fields(found: Table<'_>, wanted: &[(Vec<u8>, Tree)]) -> bool {
    found.iter().count() == wanted.len()
        && found
            .iter()
            .zip(wanted)
            .all(|((name, value), (key, tree))| name == key && same(&value, tree))
}

/// What is well formed, the naive way. Recursive: for short inputs only.
fn is_well_formed(bytes: &[u8], is_table: bool, depth: usize) -> bool {
    let mut rest = bytes;
    if depth > DEPTH_MAX {
        return false;
    }
    while !rest.is_empty() {
        if is_table {
            let length = usize::from(rest[0]);
            let Some(after) = rest.get(1 + length..) else {
                return false;
            };
            rest = after;
        }
        let Some((&letter, data)) = rest.split_first() else {
            return false;
        };
        let size = match letter {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'l' | b'L' | b'd' | b'T' => 8,
            b'S' | b'x' | b'F' | b'A' => {
                let Some(length) = data.first_chunk::<4>() else {
                    return false;
                };
                4 + u32::from_be_bytes(*length) as usize
            }
            _ => return false,
        };
        let Some((data, after)) = data.split_at_checked(size) else {
            return false;
        };
        if matches!(letter, b'F' | b'A') && !is_well_formed(&data[4..], letter == b'F', depth + 1) {
            return false;
        }
        rest = after;
    }
    true
}

/// Tables nested in tables, `depth` of them in all; no length in front of the outermost.
fn nested(depth: usize, letter: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 1..depth {
        let mut outer = if letter == b'F' {
            vec![1, b'n', letter]
        } else {
            vec![letter]
        };
        outer.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        outer.extend(bytes);
        bytes = outer;
    }
    bytes
}

#[test]
fn every_type_has_its_letter_and_width() {
    let mut out = Vec::new();
    write_table(&mut out, |w| {
        w.bool("a", true);
        w.i8("b", -1);
        w.u8("c", 255);
        w.i16("d", -2);
        w.u16("e", 65535);
        w.i32("f", -3);
        w.u32("g", 4);
        w.i64("h", -4);
        w.f32("i", 1.0);
        w.f64("j", -1.0);
        w.decimal("k", 2, 314);
        w.string("l", "hi");
        w.bytes("m", [0, 1]);
        w.timestamp("n", 5);
        w.void("o");
        w.array("p", |a| a.i32(1));
        w.table("q", |t| t.bool("r", false));
    })
    .unwrap();
    let wanted: &[&[u8]] = &[
        b"\0\0\0\x80",
        b"\x01at\x01\x01bb\xff\x01cB\xff\x01ds\xff\xfe\x01eu\xff\xff\x01fI\xff\xff\xff\xfd\x01gi\0\0\0\x04",
        b"\x01hl\xff\xff\xff\xff\xff\xff\xff\xfc\x01if\x3f\x80\0\0\x01jd\xbf\xf0\0\0\0\0\0\0",
        b"\x01kD\x02\0\0\x01\x3a\x01lS\0\0\0\x02hi\x01mx\0\0\0\x02\0\x01\x01nT\0\0\0\0\0\0\0\x05\x01oV",
        b"\x01pA\0\0\0\x05I\0\0\0\x01\x01qF\0\0\0\x04\x01rt\0",
    ];
    assert_eq!(out, wanted.concat());
    let table = Table::parse(&out[4..]).unwrap();
    assert_eq!(
        table.to_string(),
        "{a=true, b=b:-1, c=B:255, d=s:-2, e=u:65535, f=-3, g=i:4, h=-4l, i=f:1.0, j=d:-1.0, k=D:2/314, \
         l=\"hi\", m=x:\"0001\", n=T:5, o=void, p=[1], q={r=false}}"
    );
}

#[test]
fn what_rabbitmq_reads_leniently_is_read_so() {
    let table = Table::parse(b"\x01aL\xff\xff\xff\xff\xff\xff\xff\xff\x01bt\x02").unwrap();
    assert_eq!(table.find(b"a"), Some(Value::I64(-1)));
    assert_eq!(table.find(b"b"), Some(Value::Bool(true)));
}

#[test]
fn the_first_of_a_name_counts() {
    let table = TableBuf::build(|w| {
        w.i32("a", 1);
        w.i32("a", 2);
    })
    .unwrap();
    assert_eq!(table.as_table().find(b"a"), Some(Value::I32(1)));
    assert_eq!(table.as_table().find(b"b"), None);
    assert_eq!(table.as_table().iter().count(), 2);
}

#[test]
fn an_empty_table_has_no_fields() {
    assert_eq!(Table::parse(b""), Ok(Table::EMPTY));
    assert!(Table::EMPTY.is_empty());
    assert_eq!(Table::EMPTY.iter().next(), None);
    assert_eq!(Array::parse(b""), Ok(Array::EMPTY));
    assert_eq!(TableBuf::build(|_| {}).unwrap().as_table(), Table::EMPTY);
}

#[test]
fn depth_is_capped_and_never_costs_stack() {
    for letter in [b'F', b'A'] {
        let parse = |depth| {
            let bytes = nested(depth, letter);
            if letter == b'F' {
                Table::parse(&bytes).map(drop)
            } else {
                Array::parse(&bytes).map(drop)
            }
        };
        assert_eq!(parse(DEPTH_MAX), Ok(()));
        assert_eq!(parse(DEPTH_MAX + 1), Err(CursorError::TooDeep));
        assert_eq!(parse(3000), Err(CursorError::TooDeep));
    }
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    fn deeper(w: &mut TableWriter<'_>, levels: usize) {
        if levels > 0 {
            w.table("n", |w| deeper(w, levels - 1));
        }
    }
    let mut out = vec![7];
    assert_eq!(write_table(&mut out, |w| deeper(w, DEPTH_MAX - 1)), Ok(()));
    assert!(Table::parse(&out[5..]).is_ok());
    out.truncate(1);
    assert_eq!(
        write_table(&mut out, |w| deeper(w, DEPTH_MAX)),
        Err(Error::TooDeep)
    );
    assert_eq!(out, [7]);
}

#[test]
fn a_name_past_255_octets_is_refused_and_leaves_nothing() {
    let mut out = vec![7];
    assert_eq!(write_table(&mut out, |w| w.void([b'n'; 255])), Ok(()));
    out.truncate(1);
    let written = write_table(&mut out, |w| {
        w.i32("a", 1);
        w.table("t", |w| w.void([b'n'; 256]));
        w.void([b'n'; 300]);
    });
    assert_eq!(written, Err(Error::NameTooLong { octets: 256 }));
    assert_eq!(out, [7]);
}

#[test]
fn lengths_that_lie_are_refused() {
    let end = Err(CursorError::UnexpectedEnd);
    // A string, a table and an array that claim one octet more than their container has.
    assert_eq!(Table::parse(b"\x01aS\0\0\0\x03hi"), end);
    assert_eq!(Table::parse(b"\x01aF\0\0\0\x04\x01bV"), end);
    assert_eq!(Table::parse(b"\x01aA\0\0\0\x02V"), end);
    // The inner table's string reaches into the outer one, where there are bytes enough.
    assert_eq!(Table::parse(b"\x01aF\0\0\0\x09\x01bS\0\0\0\x04hi\x01cV"), end);
    // The inner table ends in the middle of a field.
    assert_eq!(Table::parse(b"\x01aF\0\0\0\x03\x01bI\0\0\0\x01"), end);
    assert_eq!(Table::parse(b"\x05a"), end);
    assert_eq!(Table::parse(b"\x01a"), end);
    assert_eq!(Table::parse(b"\x01aS\xff\xff\xff\xff"), end);
    assert_eq!(Table::parse(b"\x01a?"), Err(CursorError::UnknownFieldType(b'?')));
    assert_eq!(Array::parse(b"VVz"), Err(CursorError::UnknownFieldType(b'z')));
}

#[test]
fn entries_are_copied_byte_for_byte() {
    let old = TableBuf::build(|w| w.i64("kept", 9)).unwrap();
    let new = TableBuf::build(|w| {
        w.entries(old.as_table());
        w.bool("added", true);
    });
    assert_eq!(new.unwrap().as_table().to_string(), "{kept=9l, added=true}");
}

#[test]
fn odd_names_and_bytes_are_escaped() {
    let table = TableBuf::build(|w| {
        w.string("", "a\"b\\c\n\t\x01é");
        w.string([0xff], [b'h', 0xc3]);
    });
    let text = table.unwrap().as_table().to_string();
    assert_eq!(text, r#"{""="a\"b\\c\n\t\x01é", "\xff"="h\xc3"}"#);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(fields in fields()) {
        let mut out = Vec::new();
        write_table(&mut out, |w| write_fields(w, &fields)).unwrap();
        let mut cursor = Cursor::new(&out);
        let table = cursor.table().unwrap();
        prop_assert!(cursor.is_empty());
        prop_assert!(same_fields(table, &fields), "{table}");
    }

    #[test]
    fn a_table_cut_short_never_passes_whole(fields in fields()) {
        let table = TableBuf::build(|w| write_fields(w, &fields)).unwrap();
        let bytes = table.as_table().raw();
        for length in 0..bytes.len() {
            let cut = &bytes[..length];
            prop_assert_eq!(Table::parse(cut).is_ok(), is_well_formed(cut, true, 1));
        }
    }

    #[test]
    fn damaged_tables_are_judged_like_the_naive_walk(
        fields in fields(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let table = TableBuf::build(|w| write_fields(w, &fields)).unwrap();
        let mut bytes = table.as_table().raw().to_vec();
        for (index, octet) in damage {
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] = octet;
            }
        }
        prop_assert_eq!(Table::parse(&bytes).is_ok(), is_well_formed(&bytes, true, 1));
    }

    #[test]
    fn random_octets_of_types_are_judged_like_the_naive_walk(
        bytes in proptest::collection::vec(
            prop_oneof![Just(0), 0..8_u8, Just(b'A'), Just(b'F'), Just(b'V'), Just(b't'), any::<u8>()],
            0..48,
        ),
    ) {
        prop_assert_eq!(Table::parse(&bytes).is_ok(), is_well_formed(&bytes, true, 1));
        prop_assert_eq!(Array::parse(&bytes).is_ok(), is_well_formed(&bytes, false, 1));
    }

    #[test]
    fn what_passes_the_check_can_be_walked_to_its_end(
        bytes in proptest::collection::vec(prop_oneof![0..4_u8, Just(b'V'), Just(b't'), Just(b'A')], 0..32),
    ) {
        if let Ok(table) = Table::parse(&bytes) {
            let mut copy = Vec::new();
            write_table(&mut copy, |w| table.iter().for_each(|(name, value)| w.value(name, &value))).unwrap();
            prop_assert_eq!(copy.len(), bytes.len() + 4);
        }
    }
}
