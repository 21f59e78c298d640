//! Headers tables: the corner cases by name, and that nothing leaks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::super::Asked;
use super::super::{ExchangeKind, NoHeaders, QueueId, validate_binding};
use super::*;

const QUEUE: Destination = Destination::Queue(QueueId(1));

fn of(entries: &[(&str, Value)]) -> Table {
    entries.iter().cloned().collect()
}

/// A binding with this `x-match` and these arguments.
fn how(how: &str, entries: &[(&str, Value)]) -> Table {
    let mut arguments = of(&[("x-match", how.into())]);
    entries
        .iter()
        .for_each(|(name, value)| arguments.push(*name, value.clone()));
    arguments
}

fn passed(table: &HeadersTable, headers: &Table) -> Vec<Destination> {
    let mut passed = Vec::new();
    table.route(&Routable { key: "", headers }, &mut |destination| {
        passed.push(destination)
    });
    passed
}

fn matches(arguments: &Table, headers: &[(&str, Value)]) -> bool {
    let mut table = HeadersTable::default();
    table.bind("", arguments, QUEUE, "");
    !passed(&table, &of(headers)).is_empty()
}

fn one() -> Value {
    Value::I32(1)
}

#[test]
fn all_is_the_default() {
    let ab = of(&[("a", one()), ("b", one())]);
    assert!(matches(&ab, &[("b", one()), ("a", one()), ("c", one())]));
    assert!(!matches(&ab, &[("a", one())]));
    assert!(!matches(&ab, &[("a", one()), ("b", Value::I32(2))]));
}

#[test]
fn any_needs_one() {
    let ab = how("any", &[("a", one()), ("b", one())]);
    assert!(matches(&ab, &[("b", one())]));
    assert!(!matches(&ab, &[("a", Value::I32(2)), ("c", one())]));
}

#[test]
fn without_arguments_all_matches_everything_and_any_nothing() {
    for headers in [&[][..], &[("a", one())]] {
        assert!(matches(&Table::new(), headers));
        assert!(matches(&how("all", &[]), headers));
        assert!(!matches(&how("any", &[]), headers));
        assert!(matches(&how("all", &[("x-a", one())]), headers));
        assert!(!matches(&how("any", &[("x-a", one())]), headers));
    }
}

#[test]
fn a_message_without_headers_has_none() {
    let mut table = HeadersTable::default();
    table.bind("", &of(&[("a", one())]), QUEUE, "");
    table.bind("", &Table::new(), Destination::Queue(QueueId(2)), "");
    let mut passed = Vec::new();
    table.route(
        &Routable {
            key: "",
            headers: &NoHeaders,
        },
        &mut |destination| passed.push(destination),
    );
    assert_eq!(passed, [Destination::Queue(QueueId(2))]);
}

#[test]
fn an_argument_without_value_asks_for_presence() {
    let a = of(&[("a", Value::Void)]);
    assert!(matches(&a, &[("a", Value::Array(vec![]))]));
    assert!(matches(&a, &[("a", Value::Void)]));
    assert!(!matches(&a, &[("b", Value::Void)]));
    // But a header without value is not any value.
    assert!(!matches(&of(&[("a", one())]), &[("a", Value::Void)]));
}

#[test]
fn names_with_x_count_only_with_x() {
    let x = [("x-a", one())];
    assert!(matches(&how("all", &x), &[]));
    assert!(!matches(&how("all-with-x", &x), &[]));
    assert!(matches(&how("all-with-x", &x), &x));
    assert!(!matches(&how("any", &x), &x));
    assert!(matches(&how("any-with-x", &x), &x));
    // A capital letter is another name.
    assert!(!matches(&how("all", &[("X-a", one())]), &[]));
}

#[test]
fn x_match_itself_never_counts() {
    assert!(matches(&how("all-with-x", &[]), &[]));
    assert!(!matches(
        &how("any-with-x", &[]),
        &[("x-match", "any-with-x".into())]
    ));
}

#[test]
fn values_compare_by_what_they_hold() {
    let a = of(&[("a", Value::I32(1))]);
    assert!(matches(&a, &[("a", Value::U8(1))]));
    assert!(matches(&a, &[("a", Value::I64(1))]));
    assert!(!matches(&a, &[("a", Value::F64(1.0))]));
    assert!(!matches(&a, &[("a", "1".into())]));
    assert!(matches(
        &of(&[("a", Value::Timestamp(5))]),
        &[("a", Value::Timestamp(5))]
    ));
    assert!(matches(&of(&[("a", Value::F32(0.5))]), &[("a", Value::F64(0.5))]));
    assert!(matches(
        &of(&[("a", "s".into())]),
        &[("a", Value::Bytes((*b"s").into()))]
    ));
    let table = |n| Value::Table(of(&[("k", n)]));
    assert!(matches(&of(&[("a", table(one()))]), &[("a", table(one()))]));
    assert!(!matches(
        &of(&[("a", table(one()))]),
        &[("a", table(Value::U8(1)))]
    ));
}

#[test]
fn of_a_header_that_comes_twice_the_last_counts() {
    let a = of(&[("a", one())]);
    assert!(matches(&a, &[("a", Value::I32(2)), ("a", one())]));
    assert!(!matches(&a, &[("a", one()), ("a", Value::I32(2))]));
    assert!(!matches(
        &how("any", &[("a", one())]),
        &[("a", one()), ("a", Value::I32(2))]
    ));
}

#[test]
fn an_argument_that_comes_twice_must_match_twice() {
    let both = of(&[("a", one()), ("a", Value::I32(2))]);
    assert!(!matches(&both, &[("a", one())]));
    assert!(matches(
        &how("any", &[("a", one()), ("a", Value::I32(2))]),
        &[("a", Value::I32(2))]
    ));
}

#[test]
fn a_binding_that_was_not_validated_means_all() {
    assert!(!matches(&how("some", &[("a", one())]), &[]));
    assert!(matches(&of(&[("x-match", one()), ("a", one())]), &[("a", one())]));
}

#[test]
fn keys_tell_bindings_apart() {
    let mut table = HeadersTable::default();
    let a = of(&[("a", one())]);
    table.bind("k1", &a, QUEUE, "");
    table.bind("k2", &a, QUEUE, "");
    table.unbind("k1", &a, QUEUE);
    assert_eq!(passed(&table, &a), [QUEUE]);
    table.unbind("k2", &a, QUEUE);
    assert_eq!(passed(&table, &a), []);
}

#[test]
fn arguments_must_be_exactly_those_bound_to_unbind() {
    let mut table = HeadersTable::default();
    table.bind("", &of(&[("a", Value::I32(1))]), QUEUE, "");
    // Equivalent, and yet another binding.
    table.bind("", &of(&[("a", Value::I64(1))]), QUEUE, "");
    table.unbind("", &of(&[("a", Value::I64(1))]), QUEUE);
    assert_eq!(passed(&table, &of(&[("a", one())])), [QUEUE]);
    table.unbind("", &of(&[("a", Value::I32(1))]), QUEUE);
    assert_eq!(passed(&table, &of(&[("a", one())])), []);
}

#[test]
fn nothing_is_left_of_what_was_removed() {
    let mut table = HeadersTable::default();
    let all = [
        Table::new(),
        of(&[("a", one()), ("b", Value::F64(f64::NAN))]),
        how("any", &[("a", one()), ("b", Value::Void), ("a", one())]),
        how("any", &[]),
    ];
    for round in 0..3 {
        for arguments in &all {
            table.bind("", arguments, QUEUE, "");
        }
        match round {
            0 => table.clear_destination(QUEUE),
            _ => all
                .iter()
                .for_each(|arguments| table.unbind("", arguments, QUEUE)),
        }
        assert!(table.index.is_empty() && table.by_identity.is_empty());
        assert_eq!((table.free.len(), table.bindings.len()), (4, 4));
    }
}

/// How many rules a message is compared with.
fn candidates(table: &HeadersTable, headers: &Table) -> usize {
    let mut candidates = 0;
    let headers = MessageHeaders::new(Some(headers));
    table
        .index
        .for_each_candidate(&headers, &mut |_, _| candidates += 1);
    candidates
}

#[test]
fn a_message_is_compared_only_with_rules_that_it_matches() {
    for how_many in ["all", "any", "all-with-x", "any-with-x"] {
        let mut table = HeadersTable::default();
        for n in 0..10_000 {
            let number = Value::I32(n);
            let arguments = match how_many.starts_with("all") {
                true => how(
                    how_many,
                    &[
                        ("kind", "event".into()),
                        ("x-number", number.clone()),
                        ("y", number),
                    ],
                ),
                false => how(how_many, &[("number", number.clone()), ("x-number", number)]),
            };
            table.bind("", &arguments, Destination::Queue(QueueId(n as u64)), "");
        }
        let seven = || Value::I32(7);
        let message = of(&[
            ("kind", "event".into()),
            ("number", seven()),
            ("x-number", Value::U8(7)),
            ("y", seven()),
        ]);
        let matching = 1 + usize::from(how_many == "any-with-x");
        assert_eq!(candidates(&table, &message), matching, "{how_many}");
        assert_eq!(passed(&table, &message).len(), matching, "{how_many}");
        assert_eq!(passed(&table, &of(&[("kind", "event".into())])), []);
    }
}

#[test]
fn common_values_in_any_combination_are_found_at_once() {
    let mut table = HeadersTable::default();
    let combination = |n: i32| {
        let digit = |at: u32| Value::I32(n / 10_i32.pow(at) % 10);
        of(&[("a", digit(0)), ("b", digit(1)), ("c", digit(2)), ("d", digit(3))])
    };
    for n in 0..10_000 {
        table.bind("", &combination(n), Destination::Queue(QueueId(n as u64)), "");
    }
    assert_eq!(candidates(&table, &combination(1234)), 1);
    assert_eq!(
        passed(&table, &combination(1234)),
        [Destination::Queue(QueueId(1234))]
    );
}

/// Neither all subsets of the headers may be tried nor all headers at every argument.
#[test]
fn many_headers_and_many_arguments_are_met_in_no_time() {
    let entries: Vec<(String, Value)> = (0..20_000).map(|n| (format!("{n:05}"), one())).collect();
    let many: Table = entries.iter().cloned().collect();
    let mut table = HeadersTable::default();
    table.bind("", &many, QUEUE, "");
    for pair in entries.windows(2) {
        table.bind("", &pair.iter().cloned().collect(), QUEUE, "");
    }
    assert_eq!(candidates(&table, &many), 20_000);
    assert_eq!(passed(&table, &many).len(), 20_000);
    let fewer: Table = entries.iter().skip(1).cloned().collect();
    assert_eq!(passed(&table, &fewer).len(), 19_998);
}

#[test]
fn presence_and_value_of_one_header_are_one_argument() {
    let both = of(&[("a", Value::Void), ("b", one()), ("a", one())]);
    assert!(matches(&both, &[("a", one()), ("b", one())]));
    assert!(!matches(&both, &[("a", Value::I32(2)), ("b", one())]));
    let mut table = HeadersTable::default();
    table.bind("", &both, QUEUE, "");
    table.unbind("", &both, QUEUE);
    assert!(table.index.is_empty());
}

#[test]
fn arguments_that_differ_deep_inside_are_told_apart_at_once() {
    let mut table = HeadersTable::default();
    let inside = |n| of(&[("a", Value::Table(of(&[("b", Value::Array(vec![Value::I32(n)]))])))]);
    for n in 0..10_000 {
        table.bind("", &inside(n), Destination::Queue(QueueId(n as u64)), "");
    }
    assert_eq!(candidates(&table, &inside(7)), 1);
    assert!(table.by_identity.values().all(|slots| slots.len() == 1));
}

#[test]
fn x_match_is_one_of_four_words() {
    let kind = ExchangeKind::named("headers").unwrap();
    let validate = |kind: &ExchangeKind, arguments: &Table| {
        let asked = Asked {
            key: "",
            arguments,
            queue_type: None,
        };
        validate_binding(kind, &asked)
    };
    let check = |value: Value| validate(&kind, &of(&[("x-match", value)]));
    for word in ["all", "any", "all-with-x", "any-with-x"] {
        assert_eq!(check(word.into()), Ok(()));
    }
    assert_eq!(validate(&kind, &Table::new()), Ok(()));
    let text = |value: Value| check(value).unwrap_err().to_string();
    assert_eq!(
        text(one()),
        "Invalid x-match field type signedint (value 1); expected longstr"
    );
    assert_eq!(
        text("some".into()),
        r#"Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x"#
    );
    assert_eq!(
        text(Value::Bytes((*b"all").into())),
        r#"Invalid x-match field type binary (value <<"all">>); expected longstr"#
    );
    // Other types do not look.
    let direct = ExchangeKind::named("direct").unwrap();
    assert_eq!(validate(&direct, &of(&[("x-match", one())])), Ok(()));
}
