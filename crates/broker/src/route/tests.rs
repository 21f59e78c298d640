//! Every table against the plainest one there is: a list of bindings and the question whether one matches.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::value::{Table, Value};

#[derive(Debug, Clone, PartialEq)]
struct Binding {
    key: String,
    arguments: Table,
    destination: Destination,
}

#[derive(Debug, Clone)]
enum Step {
    Bind(Binding),
    /// The n-th of those that are there, counted round.
    Unbind(usize),
    /// One whose destination has no binding at all.
    UnbindOther(Binding),
    Clear(Destination),
}

#[derive(Debug, Clone)]
struct Message {
    key: String,
    headers: Table,
}

type Matches = fn(&Binding, &Message) -> bool;

/// Takes the steps with a table and with a list, and routes the messages with both after each.
fn check(kind: &str, matches: Matches, steps: Vec<Step>, messages: &[Message]) -> Result<(), TestCaseError> {
    let mut table = (exchange_type(kind).unwrap().new_table)(&Table::new());
    let mut model: Vec<Binding> = Vec::new();
    for step in steps {
        take(&mut *table, &mut model, step);
        for message in messages {
            let expected: BTreeSet<_> = model
                .iter()
                .filter(|binding| matches(binding, message))
                .map(|b| b.destination)
                .collect();
            prop_assert_eq!(
                routed(&*table, message),
                expected,
                "{:?} with {:?}",
                message,
                model
            );
        }
    }
    Ok(())
}

fn take(table: &mut dyn RoutingTable, model: &mut Vec<Binding>, step: Step) {
    match step {
        Step::Bind(binding) if !model.contains(&binding) => {
            table.bind(&binding.key, &binding.arguments, binding.destination, "");
            model.push(binding);
        }
        Step::Unbind(n) if !model.is_empty() => {
            let binding = model.swap_remove(n % model.len());
            table.unbind(&binding.key, &binding.arguments, binding.destination);
        }
        Step::UnbindOther(other) => {
            if !model.iter().any(|found| found.destination == other.destination) {
                table.unbind(&other.key, &other.arguments, other.destination);
            }
        }
        Step::Clear(destination) => {
            table.clear_destination(destination);
            model.retain(|binding| binding.destination != destination);
        }
        Step::Bind(_) | Step::Unbind(_) => {}
    }
}

fn routed(table: &dyn RoutingTable, message: &Message) -> BTreeSet<Destination> {
    let mut found = BTreeSet::new();
    table.route(
        &Routable {
            key: &message.key,
            headers: &message.headers,
        },
        &mut |destination| {
            found.insert(destination);
        },
    );
    found
}

fn destination() -> impl Strategy<Value = Destination> {
    (0u64..24, any::<bool>()).prop_map(|(id, is_queue)| match is_queue {
        true => Destination::Queue(QueueId(id)),
        false => Destination::Exchange(ExchangeId(id)),
    })
}

fn steps(
    key: impl Strategy<Value = String> + Clone + 'static,
    arguments: impl Strategy<Value = Table> + Clone + 'static,
) -> impl Strategy<Value = Vec<Step>> {
    let binding = (key, arguments, destination()).prop_map(|(key, arguments, destination)| Binding {
        key,
        arguments,
        destination,
    });
    let binding = binding.boxed();
    let step = prop_oneof![
        6 => binding.clone().prop_map(Step::Bind),
        3 => any::<usize>().prop_map(Step::Unbind),
        1 => binding.prop_map(Step::UnbindOther),
        1 => destination().prop_map(Step::Clear),
    ];
    prop::collection::vec(step, 1..60)
}

fn messages(
    key: impl Strategy<Value = String>,
    headers: impl Strategy<Value = Table>,
) -> impl Strategy<Value = Vec<Message>> {
    prop::collection::vec(
        (key, headers).prop_map(|(key, headers)| Message { key, headers }),
        1..8,
    )
}

/// Arguments that make two bindings differ and nothing else.
fn idle_arguments() -> impl Strategy<Value = Table> + Clone {
    (0i32..2).prop_map(|n| {
        if n == 0 {
            Table::new()
        } else {
            [("n", Value::I32(n))].into_iter().collect()
        }
    })
}

fn short_key() -> impl Strategy<Value = String> + Clone {
    "[ab]{0,2}"
}

/// Up to six words, often empty ones and wildcards. In a routing key a wildcard is a word like others.
fn words(of: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::collection::vec(prop::sample::select(of), 0..7).prop_map(|words| words.join("."))
}

fn pattern() -> impl Strategy<Value = String> + Clone {
    words(&["a", "b", "", "*", "#", "#"])
}

fn routing_key() -> impl Strategy<Value = String> + Clone {
    words(&["a", "a", "b", "c", "", "*", "#"])
}

fn split(key: &str) -> Vec<&str> {
    if key.is_empty() {
        Vec::new()
    } else {
        key.split('.').collect()
    }
}

fn pattern_matches(pattern: &[&str], words: &[&str]) -> bool {
    match (pattern, words) {
        ([], _) => words.is_empty(),
        (["#", rest @ ..], _) => (0..=words.len()).any(|taken| pattern_matches(rest, &words[taken..])),
        (_, []) => false,
        ([first, rest @ ..], [word, later @ ..]) => {
            (*first == "*" || first == word) && pattern_matches(rest, later)
        }
    }
}

/// Headers and arguments with few names and values, so that many meet.
fn any_headers(is_binding: bool) -> impl Strategy<Value = Table> + Clone {
    let value = prop_oneof![
        2 => Just(Value::Void),
        2 => Just(Value::I32(1)),
        1 => Just(Value::U8(1)),
        1 => Just(Value::Timestamp(1)),
        1 => Just(Value::F64(1.0)),
        1 => Just(Value::F32(1.0)),
        2 => Just(Value::from("1")),
        1 => Just(Value::Bytes((*b"1").into())),
        1 => Just(Value::Bool(true)),
        1 => Just(Value::Bool(false)),
        1 => Just(Value::Array(vec![Value::I32(1)])),
        1 => Just(Value::Array(vec![Value::U8(1)])),
        1 => Just(Value::Decimal { scale: 0, value: 1 }),
    ];
    let how = prop::sample::select(vec![
        None,
        Some("all"),
        Some("any"),
        Some("all-with-x"),
        Some("any-with-x"),
    ]);
    let entries = prop::collection::vec(
        (prop::sample::select(vec!["a", "b", "x-c", "x-", "X-d"]), value),
        0..4,
    );
    (how, entries).prop_map(move |(how, entries)| {
        let mut table: Table = entries.into_iter().collect();
        if let Some(how) = how {
            // A message may carry such a header too. It says nothing about how to match.
            table.push("x-match", if is_binding { how.into() } else { Value::Bool(true) });
        }
        table
    })
}

/// What a value holds, spelled out.
fn held(value: &Value) -> String {
    match value {
        Value::F32(n) => format!("float {}", f64::from(*n)),
        Value::F64(n) => format!("float {n}"),
        Value::String(bytes) | Value::Bytes(bytes) => format!("bytes {bytes:?}"),
        Value::Timestamp(n) => format!("whole {n}"),
        other => match other.as_integer() {
            Some(n) => format!("whole {n}"),
            None => format!("{other:?}"),
        },
    }
}

fn headers_match(binding: &Binding, message: &Message) -> bool {
    let how = binding
        .arguments
        .get("x-match")
        .and_then(Value::as_str)
        .unwrap_or("all");
    let counts = |name: &str| name != "x-match" && (how.ends_with("-with-x") || !name.starts_with("x-"));
    let holds = |(name, wanted): (&str, &Value)| {
        let last = message.headers.iter().filter(|(found, _)| *found == name).last();
        last.is_some_and(|(_, found)| *wanted == Value::Void || held(wanted) == held(found))
    };
    let mut counted = binding.arguments.iter().filter(|(name, _)| counts(name));
    if how.starts_with("any") {
        counted.any(holds)
    } else {
        counted.all(holds)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_direct_table_is_a_list_of_keys(
        steps in steps(short_key(), idle_arguments()),
        messages in messages(short_key(), Just(Table::new())),
    ) {
        check("direct", |binding, message| binding.key == message.key, steps, &messages)?;
    }

    #[test]
    fn a_fanout_table_is_a_list(
        steps in steps(short_key(), idle_arguments()),
        messages in messages(short_key(), Just(Table::new())),
    ) {
        check("fanout", |_, _| true, steps, &messages)?;
    }

    #[test]
    fn a_topic_table_is_a_list_of_patterns(
        steps in steps(pattern(), idle_arguments()),
        messages in messages(routing_key(), Just(Table::new())),
    ) {
        let matches: Matches = |binding, message| pattern_matches(&split(&binding.key), &split(&message.key));
        check("topic", matches, steps, &messages)?;
    }

    #[test]
    fn a_headers_table_is_a_list_of_rules(
        steps in steps(short_key(), any_headers(true)),
        messages in messages(short_key(), any_headers(false)),
    ) {
        check("headers", headers_match, steps, &messages)?;
    }
}

#[test]
fn types_are_found_by_name() {
    let more = [
        "x-consistent-hash",
        "x-modulus-hash",
        "x-random",
        "x-local-random",
        "x-delayed-message",
        "x-recent-history",
        "x-message-deduplication",
    ];
    for name in ["direct", "fanout", "topic", "headers"].into_iter().chain(more) {
        assert_eq!(exchange_type(name).unwrap().name, name);
        assert_eq!(ExchangeKind::named(name).unwrap().to_string(), name);
    }
    assert!(exchange_type("").is_none());
    assert!(exchange_type("Direct").is_none());
    assert_eq!(EXCHANGE_TYPES.len(), 11);
    assert_ne!(ExchangeKind::named("direct"), ExchangeKind::named("fanout"));
    assert_eq!(
        ExchangeKind::named("direct"),
        exchange_type("direct").map(ExchangeKind::from)
    );
}

#[test]
fn what_a_route_depends_on() {
    let is_another = |name: &str| name == "x-delayed-message";
    for row in EXCHANGE_TYPES.iter().filter(|row| !is_another(row.name)) {
        let table = (row.new_table)(&Table::new());
        let is_random = matches!(row.name, "x-random" | "x-local-random");
        assert_eq!(
            table.routes_each_anew(),
            is_random || row.name == "headers",
            "{}",
            row.name
        );
        assert_eq!(
            table.ignores_key(),
            is_random
                || matches!(
                    row.name,
                    "headers" | "fanout" | "x-recent-history" | "x-message-deduplication"
                ),
            "{}",
            row.name
        );
        let remembers = row.name == "x-recent-history";
        assert_eq!((row.remembers)(&Table::new()) > 0, remembers, "{}", row.name);
        let deduplicates = row.name == "x-message-deduplication";
        assert_eq!(
            (row.deduplicates)(&Table::new()).is_some(),
            deduplicates,
            "{}",
            row.name
        );
        let picks_one = row.name.starts_with("x-") && !remembers && !deduplicates;
        assert_eq!(row.picks_one, picks_one, "{}", row.name);
        assert_eq!(row.has_topics, row.name == "topic", "{}", row.name);
    }
}

#[test]
fn one_key_takes_many_destinations() {
    let mut table = (exchange_type("direct").unwrap().new_table)(&Table::new());
    let queue = |n: u64| Destination::Queue(QueueId(n));
    for n in 0..100_000 {
        table.bind("k", &Table::new(), queue(n), "");
    }
    for n in (0..100_000).filter(|n| n % 3 != 0) {
        table.unbind("k", &Table::new(), queue(n));
    }
    let left = routed(
        &*table,
        &Message {
            key: "k".into(),
            headers: Table::new(),
        },
    );
    assert_eq!(left, (0..100_000).step_by(3).map(queue).collect());
}
