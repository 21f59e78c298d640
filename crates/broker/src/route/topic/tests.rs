//! Topic tables: the corner cases by name, the bound on the work, and that nothing leaks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use proptest::prelude::*;

use super::super::{NoHeaders, QueueId};
use super::*;

fn queue(n: usize) -> Destination {
    Destination::Queue(QueueId(n as u64))
}

fn table(patterns: &[&str]) -> TopicTable {
    let mut table = TopicTable::default();
    for (n, pattern) in patterns.iter().enumerate() {
        table.bind(pattern, &Table::new(), queue(n), "");
    }
    table
}

/// Every destination that is passed, as often as it is passed.
fn passed(table: &TopicTable, key: &str) -> Vec<Destination> {
    let mut passed = Vec::new();
    table.route(
        &Routable {
            key,
            headers: &NoHeaders,
        },
        &mut |destination| passed.push(destination),
    );
    passed.sort();
    passed
}

fn matches(pattern: &str, key: &str) -> bool {
    !passed(&table(&[pattern]), key).is_empty()
}

#[test]
fn words_match_themselves() {
    assert!(matches("a.b", "a.b"));
    assert!(!matches("a.b", "a"));
    assert!(!matches("a.b", "a.b.c"));
    assert!(!matches("a.b", "a.B"));
    assert!(!matches("a.b", "ab"));
}

#[test]
fn an_empty_key_has_no_words() {
    assert!(!matches("*", ""));
    assert!(matches("#", ""));
    assert!(matches("", ""));
    assert!(!matches("", "a"));
    assert!(!matches("#.*", ""));
    assert!(!matches("a", ""));
}

#[test]
fn dots_alone_stand_between_empty_words() {
    assert!(matches("#.*", ".."));
    assert!(matches("*.*.*", ".."));
    assert!(!matches("*.*", ".."));
    assert!(matches("..", ".."));
    assert!(matches("*..*", "a..b"));
    assert!(!matches("", "."));
    assert!(matches("a.", "a."));
    assert!(!matches("a.", "a"));
}

#[test]
fn a_star_is_exactly_one_word() {
    assert!(matches("*", "a"));
    assert!(!matches("*", "a.b"));
    assert!(matches("a.*.c", "a.b.c"));
    assert!(!matches("a.*.c", "a.c"));
    assert!(!matches("a.*.c", "a.b.b.c"));
}

#[test]
fn a_hash_is_any_number_of_words() {
    assert!(matches("a.#", "a"));
    assert!(matches("a.#", "a.b.c"));
    assert!(!matches("a.#", "b"));
    assert!(matches("#.c", "c"));
    assert!(matches("#.c", "c.c"));
    assert!(!matches("#.c", "c.d"));
    assert!(matches("a.#.c", "a.c"));
    assert!(matches("a.#.c", "a.c.b.c"));
}

#[test]
fn a_word_a_star_and_a_hash_are_at_least_two_words() {
    assert!(!matches("a.*.#", "a"));
    assert!(matches("a.*.#", "a.b"));
    assert!(matches("a.*.#", "a.b.c.d"));
    assert!(!matches("a.#.*", "a"));
    assert!(matches("a.#.*", "a.b"));
}

#[test]
fn hashes_in_a_row_are_one() {
    for key in ["", "a", "a.b", ".."] {
        assert!(matches("#.#", key));
        assert!(matches("#.#.#.#", key));
    }
    let mut table = table(&["a.#.#.b"]);
    // The root, a, # and b; the words a and b.
    assert_eq!(table.trie.size(), (4, 2));
    table.unbind("a.#.b", &Table::new(), queue(0));
    assert_eq!(passed(&table, "a.b"), []);
}

#[test]
fn wildcards_inside_of_words_are_letters() {
    assert!(matches("a*", "a*"));
    assert!(!matches("a*", "ab"));
    assert!(!matches("a#", "a.b"));
    assert!(!matches("**", "a"));
}

#[test]
fn wildcards_in_a_routing_key_are_words() {
    assert!(!matches("a.b", "a.*"));
    assert!(!matches("a.b", "#"));
    assert!(matches("*.*", "*.#"));
    assert!(matches("#", "#"));
}

#[test]
fn bindings_that_differ_in_arguments_are_counted() {
    let mut table = table(&["a.*"]);
    let other: Table = [("n", crate::value::Value::I8(1))].into_iter().collect();
    table.bind("a.*", &other, queue(0), "");
    table.unbind("a.*", &Table::new(), queue(0));
    assert_eq!(passed(&table, "a.b"), [queue(0)]);
    table.unbind("a.*", &other, queue(0));
    assert_eq!(passed(&table, "a.b"), []);
}

#[test]
fn words_may_be_of_any_script() {
    assert!(matches("größe.*", "größe.ж"));
}

#[test]
fn the_longest_keys_are_walked_without_recursion() {
    let dots = ".".repeat(255);
    assert!(matches("#", &dots));
    assert!(matches(&dots, &dots));
    let stars = ["*"; 128].join(".");
    assert!(matches(&stars, &["a"; 128].join(".")));
    assert!(!matches(&stars, &["a"; 127].join(".")));
}

/// A matcher that tries every way to share the words among the hashes would not end within the age of the
/// universe.
#[test]
fn many_hashes_do_not_explode() {
    let hashes = ["#.a"; 63].join(".");
    assert!(matches(&hashes, &["a"; 128].join(".")));
    assert!(!matches(&format!("{hashes}.b"), &["a"; 128].join(".")));

    let patterns: Vec<String> = (1..64)
        .map(|n| format!("{}.#", vec!["#.a"; n].join(".")))
        .collect();
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    assert_eq!(passed(&table(&patterns), &["a"; 128].join(".")).len(), 63);
    assert_eq!(passed(&table(&patterns), &["a"; 5].join(".")).len(), 5);
}

#[test]
fn a_hundred_patterns_of_hashes_are_each_found_once() {
    let patterns: Vec<String> = (0..100).map(|n| format!("#.w{n}.#.*.#")).collect();
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let key: Vec<String> = (0..60).map(|n| format!("w{n}")).collect();
    assert_eq!(
        passed(&table(&patterns), &key.join(".")),
        (0..59).map(queue).collect::<Vec<_>>()
    );
}

/// A key of the header CC may be as long as a frame.
#[test]
fn a_very_long_key_takes_no_longer_than_it_must() {
    let either = |bits: usize| (0..20).map(move |at| ["#.a.", "#.b."][bits >> at & 1]);
    let mut patterns: Vec<String> = (0..1000)
        .map(|n: usize| either(n.wrapping_mul(0x9e37_79b9)).chain(["#.c"]).collect())
        .collect();
    patterns.extend(["#.b.a".to_owned(), "#.b.b".to_owned(), "*.#.a".to_owned()]);
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let key = ["a.b"; 30_000].join(".") + ".a";
    assert_eq!(passed(&table(&patterns), &key), [queue(1000), queue(1002)]);
    assert_eq!(passed(&table(&patterns), &format!("{key}.c")).len(), 1000);
}

/// Whether a pattern matches, place by place, however many hashes it has.
fn matches_by_places(pattern: &str, key: &str) -> bool {
    let key: Vec<&str> = super::words(key).collect();
    let mut places = vec![false; key.len() + 1];
    places[0] = true;
    for part in super::words(pattern) {
        let before = places.clone();
        for place in 0..places.len() {
            places[place] = match (part, place) {
                ("#", 0) => before[0],
                ("#", _) => before[place] || places[place - 1],
                (_, 0) => false,
                _ => before[place - 1] && (part == "*" || part == key[place - 1]),
            };
        }
    }
    places[key.len()]
}

/// Patterns of many wildcards, of which many match in part and some in many ways.
fn hostile_pattern() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["#", "#", "#", "*", "*", "a", "a", "b", "", "c"]);
    let short = prop::collection::vec(part.clone(), 0..6);
    let long = prop::collection::vec(part, 6..128);
    prop_oneof![3 => short, 1 => long].prop_map(|parts| parts.join("."))
}

/// Keys of few different words; as long as a place is a bit of one number, of two, of many.
fn hostile_key() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["a", "a", "a", "a", "b", "b", "", "d", "#", "*"]);
    let count = prop_oneof![
        4 => 0_usize..8,
        2 => 61_usize..67,
        1 => 126_usize..131,
        1 => 250_usize..300,
    ];
    let words = count.prop_flat_map(move |count| prop::collection::vec(word.clone(), count));
    words.prop_map(|words| words.join("."))
}

proptest! {
    #[test]
    fn hostile_patterns_match_as_others_do(
        patterns in prop::collection::vec(hostile_pattern(), 1..40),
        keys in prop::collection::vec(hostile_key(), 1..6),
    ) {
        let refs: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let table = table(&refs);
        for key in &keys {
            let expected = (0..patterns.len()).filter(|n| matches_by_places(&patterns[*n], key));
            // Each once: a node is visited once.
            prop_assert_eq!(passed(&table, key), expected.map(queue).collect::<Vec<_>>(), "{}", key);
        }
    }

    /// Also the bound on the work: a node that was walked twice would pass its destinations twice.
    #[test]
    fn each_binding_is_passed_at_most_once(
        patterns in prop::collection::btree_set("([ab*#]|#)(\\.([ab*#]|#)){0,7}", 1..40),
        key in "[ab](\\.[ab]){0,9}",
    ) {
        // Patterns that differ only in hashes in a row share a node, where each still counts once.
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let passed = passed(&table(&patterns), &key);
        let mut distinct = passed.clone();
        distinct.dedup();
        prop_assert_eq!(passed, distinct);
    }

    #[test]
    fn nothing_is_left_of_what_was_removed(
        patterns in prop::collection::vec("[ab*#]?(\\.[ab*#]?){0,5}", 1..30),
        order in any::<prop::sample::Index>(),
        clear in any::<bool>(),
    ) {
        let empty = TopicTable::default().trie.size();
        let refs: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let mut table = table(&refs);
        let first = order.index(patterns.len());
        for n in (first..patterns.len()).chain(0..first) {
            match clear {
                true => table.clear_destination(queue(n)),
                false => table.unbind(&patterns[n], &Table::new(), queue(n)),
            }
        }
        prop_assert_eq!(table.trie.size(), empty);
        // And what was freed is used again.
        for _ in 0..3 {
            table.bind("a.b.c", &Table::new(), queue(0), "");
            table.unbind("a.b.c", &Table::new(), queue(0));
        }
        prop_assert_eq!(table.trie.size(), empty);
    }
}
