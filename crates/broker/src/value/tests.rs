//! Values: what they are called, how they are printed, and when two are the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;

use super::*;

fn table(entries: &[(&str, Value)]) -> Table {
    entries.iter().cloned().collect()
}

fn bytes(text: &str) -> Value {
    Value::Bytes(text.as_bytes().into())
}

/// Any value, with few enough distinct contents that two drawn ones often hold the same.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Void),
        any::<bool>().prop_map(Value::Bool),
        (-1i8..2).prop_map(Value::I8),
        (0u8..2).prop_map(Value::U8),
        (-1i16..2).prop_map(Value::I16),
        (0u16..2).prop_map(Value::U16),
        (-1i32..2).prop_map(Value::I32),
        (0u32..2).prop_map(Value::U32),
        (-1i64..2).prop_map(Value::I64),
        prop::sample::select(vec![0.0, -0.0, 1.0, f32::NAN]).prop_map(Value::F32),
        prop::sample::select(vec![0.0, -0.0, 1.0, f64::NAN]).prop_map(Value::F64),
        (0u8..2, 0u32..2).prop_map(|(scale, value)| Value::Decimal { scale, value }),
        "[ab]{0,1}".prop_map(|text| Value::from(&*text)),
        "[ab]{0,1}".prop_map(|text| bytes(&text)),
        (0u64..2).prop_map(Value::Timestamp),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..2).prop_map(Value::Array),
            prop::collection::vec(("[ab]", inner), 0..2)
                .prop_map(|entries| Value::Table(entries.into_iter().collect())),
        ]
    })
}

fn hashed(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash_equivalent(value, &mut hasher);
    hasher.finish()
}

proptest! {
    #[test]
    fn equal_values_are_equivalent_unless_they_are_no_number(value in any_value()) {
        prop_assert_eq!(&value, &value.clone());
        let is_nan = match value { Value::F32(n) => n.is_nan(), Value::F64(n) => n.is_nan(), _ => false };
        prop_assert_eq!(equivalent(&value, &value), !is_nan);
    }

    #[test]
    fn values_hash_as_they_compare(a in any_value(), b in any_value()) {
        let hash = |value: &Value| {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            hasher.finish()
        };
        prop_assert_eq!(hash(&a) == hash(&b), a == b);
    }

    #[test]
    fn equivalence_is_symmetric_and_hashes_alike(a in any_value(), b in any_value()) {
        prop_assert_eq!(equivalent(&a, &b), equivalent(&b, &a));
        if equivalent(&a, &b) {
            prop_assert_eq!(hashed(&a), hashed(&b));
        }
    }

    /// The shorter of Rust's two ways to print a float must read back as the float.
    #[test]
    fn a_float_reads_back_from_its_term(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
        prop_assert_eq!(Value::F64(number).term().parse::<f64>().unwrap().to_bits(), number.to_bits());
    }

    #[test]
    fn a_table_is_a_list_of_pairs(operations in prop::collection::vec((0u8..3, "[abc]", 0i32..9), 0..30)) {
        let mut table = Table::new();
        let mut model: Vec<(String, i32)> = Vec::new();
        for (operation, name, number) in operations {
            match operation {
                0 => {
                    table.push(&*name, Value::I32(number));
                    model.push((name, number));
                }
                1 => {
                    let old = table.insert(&name, Value::I32(number));
                    match model.iter_mut().find(|(found, _)| *found == name) {
                        Some((_, was)) => {
                            let was = std::mem::replace(was, number);
                            prop_assert_eq!(old, Some(Value::I32(was)));
                        }
                        None => model.push((name, number)),
                    }
                }
                _ => {
                    let first = model.iter().find(|(found, _)| *found == name).map(|(_, n)| Value::I32(*n));
                    prop_assert_eq!(table.get(&name), first.as_ref());
                    prop_assert_eq!(table.remove(&name), first);
                    model.retain(|(found, _)| *found != name);
                }
            }
            let entries = table.iter().map(|(name, value)| (name.to_owned(), value.clone()));
            let entries: Vec<_> = entries.collect();
            let expected: Vec<_> = model.iter().map(|(name, n)| (name.clone(), Value::I32(*n))).collect();
            prop_assert_eq!(entries, expected);
            prop_assert_eq!(table.len(), model.len());
            prop_assert_eq!(table.is_empty(), model.is_empty());
        }
    }
}

#[test]
fn integers_are_equivalent_by_number_in_any_width() {
    let fives = [
        Value::I8(5),
        Value::U8(5),
        Value::I16(5),
        Value::U16(5),
        Value::I32(5),
        Value::U32(5),
        Value::I64(5),
        Value::Timestamp(5),
    ];
    for a in &fives {
        for b in &fives {
            assert!(equivalent(a, b), "{a:?} {b:?}");
        }
        assert!(!equivalent(a, &Value::F64(5.0)));
        assert!(!equivalent(a, &Value::I64(6)));
        assert!(!equivalent(a, &"5".into()));
    }
    assert!(!equivalent(&Value::I64(-1), &Value::Timestamp(u64::MAX)));
}

#[test]
fn strings_and_byte_arrays_are_equivalent_by_their_bytes() {
    assert!(equivalent(&"a".into(), &bytes("a")));
    assert!(!equivalent(&"a".into(), &bytes("b")));
}

#[test]
fn the_two_zeros_are_one() {
    assert_ne!(Value::F64(0.0), Value::F64(-0.0));
    assert!(equivalent(&Value::F64(0.0), &Value::F64(-0.0)));
    assert_eq!(hashed(&Value::F64(0.0)), hashed(&Value::F32(-0.0)));
}

#[test]
fn types_count_inside_of_tables_and_arrays() {
    let of = |value: Value| Value::Table(table(&[("k", value)]));
    assert!(equivalent(&of(Value::I32(1)), &of(Value::I32(1))));
    assert!(!equivalent(&of(Value::I32(1)), &of(Value::I64(1))));
    assert!(!equivalent(
        &Value::Array(vec![Value::I32(1)]),
        &Value::Array(vec![Value::U8(1)])
    ));
    let ab = Value::Table(table(&[("a", Value::Void), ("b", Value::Void)]));
    let ba = Value::Table(table(&[("b", Value::Void), ("a", Value::Void)]));
    assert!(!equivalent(&ab, &ba));
}

#[test]
fn values_are_described_as_in_refusals() {
    assert_eq!(Value::I32(5).describe(), "value '5' of type 'signedint'");
    assert_eq!(
        Value::from("amq.fanout").describe(),
        "value 'amq.fanout' of type 'longstr'"
    );
    assert_eq!(Value::Bool(true).describe(), "value 'true' of type 'bool'");
}

#[test]
fn terms_are_in_erlangs_notation() {
    let cases = [
        (Value::Void, "undefined"),
        (Value::from("some"), r#"<<"some">>"#),
        (Value::from(""), "<<>>"),
        (Value::from("a\"\\\n"), r#"<<"a\"\\\n">>"#),
        (Value::from("ä"), r#"<<"ä"/utf8>>"#),
        (Value::Bytes([1, 2, 255].into()), "<<1,2,255>>"),
        (Value::I64(-7), "-7"),
        (Value::F64(1.0), "1.0"),
        (Value::F64(100.0), "100.0"),
        (Value::F64(1000.0), "1.0e3"),
        (Value::F64(1234.5), "1234.5"),
        (Value::F64(0.001), "0.001"),
        (Value::F64(0.0001), "0.0001"),
        (Value::F64(0.00001), "1.0e-5"),
        (Value::F64(-0.5), "-0.5"),
        (Value::F64(1e22), "1.0e22"),
        (Value::F32(0.1), "0.10000000149011612"),
        (Value::Decimal { scale: 2, value: 314 }, "{2,314}"),
        (
            Value::Array(vec![Value::I8(1), "x".into()]),
            r#"[{byte,1},{longstr,<<"x">>}]"#,
        ),
        (
            Value::Table(table(&[("k", Value::Bool(false))])),
            r#"[{<<"k">>,bool,false}]"#,
        ),
        (Value::Table(Table::new()), "[]"),
    ];
    for (value, term) in cases {
        assert_eq!(value.term(), term);
    }
}

#[test]
fn only_long_strings_of_utf8_are_text() {
    assert_eq!(Value::from("a").as_str(), Some("a"));
    assert_eq!(Value::String([0xFF].into()).as_str(), None);
    assert_eq!(bytes("a").as_str(), None);
}

#[test]
fn only_integers_are_integers() {
    assert_eq!(Value::U32(u32::MAX).as_integer(), Some(4_294_967_295));
    assert_eq!(Value::I8(-1).as_integer(), Some(-1));
    for value in [
        Value::Timestamp(1),
        Value::F64(1.0),
        Value::Bool(true),
        "1".into(),
        Value::Void,
    ] {
        assert_eq!(value.as_integer(), None);
    }
}
