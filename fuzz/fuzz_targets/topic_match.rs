//! Topic tables of any patterns, asked about any keys, against a matcher that tries everything.
//!
//! Lines are steps: `+` and a pattern binds it, `-` unbinds one that is bound, anything else is a key. Beyond
//! not crashing: a binding is found by exactly the keys that it matches, also after others came and went.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warren_broker::route::{Destination, NoHeaders, QueueId, Routable, RoutingTable, exchange_type};
use warren_broker::value::Table;

/// Keys are short strings.
const KEY_BYTES_MAX: usize = 255;

/// More bindings than this only make the naive matcher slow.
const BINDINGS_MAX: usize = 64;

/// The naive matcher takes exponential time on more of them.
const HASHES_MAX: usize = 6;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let kind = exchange_type("topic").expect("topic exchanges exist");
    let mut table = (kind.new_table)(&Table::new());
    let mut bound: Vec<(&str, Destination)> = Vec::new();
    for (number, line) in (0..).zip(text.lines()) {
        if line.len() > KEY_BYTES_MAX {
            continue;
        }
        if let Some(pattern) = line.strip_prefix('+') {
            if bound.len() < BINDINGS_MAX && pattern.matches('#').count() <= HASHES_MAX {
                let destination = Destination::Queue(QueueId(number));
                table.bind(pattern, &Table::new(), destination, "");
                bound.push((pattern, destination));
            }
        } else if let Some(pattern) = line.strip_prefix('-') {
            if let Some(at) = bound.iter().position(|(other, _)| *other == pattern) {
                let (pattern, destination) = bound.swap_remove(at);
                table.unbind(pattern, &Table::new(), destination);
            }
        } else {
            check(&*table, &bound, line);
        }
    }
    for (pattern, destination) in bound.drain(..) {
        table.unbind(pattern, &Table::new(), destination);
    }
    for key in text.lines() {
        check(&*table, &bound, key);
    }
});

fn check(table: &dyn RoutingTable, bound: &[(&str, Destination)], key: &str) {
    let mut found = Vec::new();
    let message = Routable {
        key,
        headers: &NoHeaders,
    };
    table.route(&message, &mut |destination| found.push(destination));
    found.sort_unstable();
    found.dedup();
    let mut wanted: Vec<Destination> = bound
        .iter()
        .filter(|(pattern, _)| matches(&words(pattern), &words(key)))
        .map(|(_, destination)| *destination)
        .collect();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{key:?} among {bound:?}");
}

fn words(key: &str) -> Vec<&str> {
    if key.is_empty() {
        Vec::new()
    } else {
        key.split('.').collect()
    }
}

fn matches(pattern: &[&str], words: &[&str]) -> bool {
    match (pattern, words) {
        ([], []) => true,
        (["#", rest @ ..], _) => (0..=words.len()).any(|n| matches(rest, &words[n..])),
        (["*", rest @ ..], [_, words @ ..]) => matches(rest, words),
        ([word, rest @ ..], [first, words @ ..]) => word == first && matches(rest, words),
        _ => false,
    }
}
