//! How messages spread, and which of them move when bindings change.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::super::{NoHeaders, QueueId};
use super::*;
use crate::value::Value;

fn queue(number: u64) -> Destination {
    Destination::Queue(QueueId(number))
}

fn table(weights: &[(u64, &str)]) -> HashTable {
    let mut table = HashTable::new(&Table::new());
    for (number, weight) in weights {
        table.bind(weight, &Table::new(), queue(*number), &format!("queue {number}"));
    }
    table
}

fn routed(table: &HashTable, key: &str) -> u64 {
    let mut found = Vec::new();
    let message = Routable {
        key,
        headers: &NoHeaders,
    };
    table.route(&message, &mut |destination| found.push(destination));
    let [Destination::Queue(QueueId(number))] = found[..] else {
        unreachable!("one queue, not {found:?}");
    };
    number
}

fn keys() -> impl Iterator<Item = String> {
    (0..20_000).map(|number| format!("key {number}"))
}

fn counts(table: &HashTable) -> [u32; 4] {
    let mut counts = [0; 4];
    for key in keys() {
        counts[usize::try_from(routed(table, &key)).unwrap()] += 1;
    }
    counts
}

#[test]
fn each_binding_gets_what_its_weight_says() {
    let counts = counts(&table(&[(0, "1"), (1, "2"), (2, "1"), (3, "16")]));
    for (count, expected) in counts.iter().zip([1000, 2000, 1000, 16_000]) {
        let near = expected * 9 / 10..expected * 11 / 10;
        assert!(near.contains(count), "{counts:?}");
    }
}

#[test]
fn a_binding_that_comes_takes_its_part_and_moves_nothing_else() {
    let before = table(&[(0, "10"), (1, "10"), (2, "10")]);
    let after = table(&[(0, "10"), (1, "10"), (2, "10"), (3, "10")]);
    let mut moved = 0;
    for key in keys() {
        let (was, is) = (routed(&before, &key), routed(&after, &key));
        if was != is {
            assert_eq!(is, 3, "{key} moved between queues that were there");
            moved += 1;
        }
    }
    assert!((4500..5500).contains(&moved), "{moved} of 20,000 moved");
}

#[test]
fn one_that_goes_moves_its_part_alone() {
    let before = table(&[(0, "3"), (1, "7"), (2, "2")]);
    let mut changed = table(&[(0, "3"), (1, "7"), (2, "2")]);
    changed.unbind("7", &Table::new(), queue(1));
    for key in keys() {
        let (was, is) = (routed(&before, &key), routed(&changed, &key));
        assert!(was == is || was == 1, "{key} moved from {was} to {is}");
    }
    let fresh = table(&[(2, "2"), (0, "3")]);
    assert!(keys().all(|key| routed(&changed, &key) == routed(&fresh, &key)));
    changed.clear_destination(queue(0));
    changed.unbind("2", &Table::new(), queue(2));
    assert!(changed.shares.is_empty());
    let message = Routable {
        key: "k",
        headers: &NoHeaders,
    };
    changed.route(&message, &mut |_| unreachable!("nothing is bound"));
}

#[test]
fn of_several_bindings_to_a_queue_the_least_weight_counts_in_any_order() {
    let mut twice = table(&[(0, "1"), (1, "99"), (1, "1")]);
    let other_order = table(&[(1, "1"), (1, "99"), (0, "1")]);
    let once = table(&[(0, "1"), (1, "1")]);
    assert!(keys().all(|key| routed(&twice, &key) == routed(&once, &key)));
    assert!(keys().all(|key| routed(&other_order, &key) == routed(&once, &key)));
    twice.unbind("1", &Table::new(), queue(1));
    let heavy = table(&[(0, "1"), (1, "99")]);
    assert!(keys().all(|key| routed(&twice, &key) == routed(&heavy, &key)));
}

#[test]
fn a_key_leads_to_the_same_queue_for_ever() {
    let table = table(&[(0, "1"), (1, "1"), (2, "1"), (3, "1")]);
    let found: Vec<u64> = ["", "a", "b", "orders.1", "orders.2"]
        .map(|key| routed(&table, key))
        .into();
    // Worked out by another program too.
    assert_eq!(found, [1, 3, 2, 0, 0]);
}

#[test]
fn a_header_or_a_property_decides_if_the_exchange_says_so() {
    struct Message(Table);
    impl super::super::Headers for Message {
        fn headers(&self) -> Option<&Table> {
            Some(&self.0)
        }

        fn property(&self, property: Property) -> Option<std::borrow::Cow<'_, [u8]>> {
            (property == Property::MessageId).then_some(b"orders.1".into())
        }
    }
    let arguments = |name, value: &str| [(name, Value::from(value))].into_iter().collect();
    let bound = |arguments: &Table| {
        let mut table = HashTable::new(arguments);
        for number in 0..100 {
            table.bind("1", &Table::new(), queue(number), &format!("queue {number}"));
        }
        table
    };
    let find = |table: &HashTable, key, headers: &Message| {
        let mut found = None;
        table.route(&Routable { key, headers }, &mut |destination| {
            found = Some(destination);
        });
        found.unwrap()
    };
    let by_header = bound(&arguments("hash-header", "h"));
    let message = |value: &str| Message(arguments("h", value));
    assert_eq!(
        find(&by_header, "a", &message("one")),
        find(&by_header, "b", &message("one"))
    );
    assert_ne!(
        find(&by_header, "a", &message("one")),
        find(&by_header, "a", &message("two"))
    );
    let by_id = bound(&arguments("hash-property", "message_id"));
    let by_key = bound(&Table::new());
    assert_eq!(
        find(&by_id, "x", &message("")),
        find(&by_key, "orders.1", &message(""))
    );
    assert!(by_header.routes_each_anew() && by_id.routes_each_anew() && !by_key.routes_each_anew());
}

#[test]
fn arguments_and_keys_are_looked_at() {
    let both: Table = [
        ("hash-header", Value::from("h")),
        ("hash-property", Value::from("message_id")),
    ]
    .into_iter()
    .collect();
    let text = |arguments: &Table| hashed(arguments).unwrap_err().to_string();
    assert_eq!(
        text(&both),
        "hash-header and hash-property are mutually exclusive"
    );
    let other = [("hash-property", Value::from("app_id"))];
    assert_eq!(text(&other.into_iter().collect()), "Unsupported property: app_id");
    let number = [("hash-header", Value::I32(1))];
    assert!(text(&number.into_iter().collect()).contains("hash-header"));
    let refused = |key| weight(key).unwrap_err().to_string();
    assert_eq!(refused("ten"), "The binding key must be an integer: <<\"ten\">>");
    assert_eq!(refused(""), "The binding key must be an integer: <<>>");
    assert_eq!(refused("0"), "The binding key must be greater than 0");
    assert_eq!(refused("-3"), "The binding key must be greater than 0");
    assert_eq!(weight("+3"), Ok(3));
    assert_eq!(weight("99999999999999999999"), Ok(u32::MAX));
}
