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

proptest! {
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
