//! Which policy is in force, and what comes of it: tables beside what RabbitMQ does, and a naive matcher.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::name::{ExchangeName, QueueName};
use crate::queue::{
    Backoff, DeadLetters, Deduplication, GroupBy, Overflow, Retried, Retry, Rules, Strategy as Sureness,
};
use crate::route::{ExchangeId, ExchangeKind, QueueId};
use proptest::prelude::*;

const CLASSIC: Kind = Kind::Queue(QueueType::Classic);
const QUORUM: Kind = Kind::Queue(QueueType::Quorum);

fn table(entries: &[(&str, Value)]) -> Table {
    entries.iter().cloned().collect()
}

fn text(word: &str) -> Value {
    Value::from(word)
}

fn policy(priority: i64, apply_to: ApplyTo, pattern: &str, definition: &[(&str, Value)]) -> Policy {
    Policy::new("p", pattern, apply_to, priority, table(definition), false).unwrap()
}

fn operators(definition: &[(&str, Value)]) -> Policy {
    Policy::new("o", "", ApplyTo::All, 0, table(definition), true).unwrap()
}

fn queue(queue_type: QueueType, arguments: &[(&str, Value)]) -> crate::catalog::Queue {
    crate::catalog::Queue {
        id: QueueId(1),
        name: QueueName::new("q").unwrap(),
        queue_type,
        durable: true,
        auto_delete: false,
        owner: None,
        arguments: table(arguments),
    }
}

fn rules(arguments: &[(&str, Value)], policy: Option<&Policy>, operators: Option<&Policy>) -> Rules {
    queue_rules(&queue(QueueType::Classic, arguments), policy, operators)
}

fn quorum_rules(arguments: &[(&str, Value)], policy: Option<&Policy>, operators: Option<&Policy>) -> Rules {
    queue_rules(&queue(QueueType::Quorum, arguments), policy, operators)
}

#[test]
fn the_highest_that_matches_is_in_force() {
    let ttl = |ms| [("message-ttl", Value::I64(ms))];
    let all = [
        policy(1, ApplyTo::All, "^orders", &ttl(1)),
        policy(5, ApplyTo::Queues, "^orders\\.", &ttl(2)),
        policy(9, ApplyTo::QueuesOf(QueueType::Quorum), "", &ttl(3)),
        policy(5, ApplyTo::Queues, "orders", &ttl(4)),
        policy(99, ApplyTo::Streams, "", &ttl(5)),
    ];
    let found = |kind, name| {
        let policy = in_force(&all, kind, name)?;
        policy.definition.get("message-ttl")?.as_integer()
    };
    assert_eq!(found(CLASSIC, "orders"), Some(4));
    assert_eq!(
        found(CLASSIC, "orders.eu"),
        Some(2),
        "the first of the same priority"
    );
    assert_eq!(found(CLASSIC, "old-orders"), Some(4), "patterns are not anchored");
    assert_eq!(found(CLASSIC, "bills"), None);
    assert_eq!(found(QUORUM, "orders.eu"), Some(3));
    assert_eq!(found(Kind::Exchange, "orders"), Some(1));
}

/// Each row was compared with RabbitMQ 4.0.5, where that has the key: keys, and whether a policy with it
/// comes into force for a classic queue and for a quorum queue. It does for every exchange.
#[test]
fn a_policy_with_a_key_that_a_queue_type_does_not_know_is_not_in_force() {
    let number = || Value::I64(20);
    let rows: &[(&str, Value, bool, bool)] = &[
        ("alternate-exchange", text("ae"), true, true),
        ("message-ttl", number(), true, true),
        ("expires", number(), true, true),
        ("max-length", number(), true, true),
        ("max-length-bytes", number(), true, true),
        ("overflow", text("drop-head"), true, true),
        ("dead-letter-exchange", text("x"), true, true),
        ("dead-letter-routing-key", text("k"), true, true),
        ("dead-letter-on-delete", Value::Bool(true), true, true),
        ("dead-letter-strategy", text("at-least-once"), false, true),
        ("delivery-limit", number(), false, true),
        ("max-in-memory-length", number(), false, true),
        ("max-in-memory-bytes", number(), false, true),
        ("consumer-timeout", number(), true, true),
        ("delayed-retry-min", number(), true, true),
        ("delayed-retry-backoff", text("linear"), true, true),
        ("delayed-retry-jitter", number(), true, true),
        ("target-group-size", number(), false, true),
        ("queue-leader-locator", text("balanced"), true, true),
        ("queue-master-locator", text("min-masters"), true, false),
        ("queue-mode", text("lazy"), true, false),
        ("queue-version", Value::I64(2), true, true),
        ("ha-mode", text("all"), true, false),
        ("max-age", text("1D"), false, false),
        ("initial-cluster-size", number(), false, false),
        ("stream-max-segment-size-bytes", number(), false, false),
        ("stream-filter-size-bytes", number(), true, true),
        ("shards-per-node", number(), true, true),
    ];
    for (key, value, classic, quorum) in rows {
        let one = policy(
            1,
            ApplyTo::All,
            "",
            &[(key, value.clone()), ("max-length", number())],
        );
        assert_eq!(in_force([&one], CLASSIC, "q").is_some(), *classic, "{key}");
        assert_eq!(in_force([&one], QUORUM, "q").is_some(), *quorum, "{key}");
        assert!(in_force([&one], Kind::Exchange, "x").is_some(), "{key}");
    }
}

#[test]
fn an_exchange_goes_by_its_highest_policy_even_where_that_says_nothing_to_it() {
    let high = policy(5, ApplyTo::All, "", &[("max-length", Value::I32(1))]);
    let low = policy(1, ApplyTo::All, "", &[("alternate-exchange", text("ae"))]);
    let found = in_force([&low, &high], Kind::Exchange, "x");
    assert_eq!(found.map(|policy| policy.priority), Some(5));
}

/// What two policies say, and what that comes to.
#[test]
fn an_operators_value_meets_anothers() {
    let number = Value::I64;
    let truth = Value::Bool;
    let rows: &[(&str, Value, Value, Value)] = &[
        ("expires", number(7), number(5), number(5)),
        ("expires", number(5), number(7), number(5)),
        ("message-ttl", number(7), number(0), number(0)),
        ("max-length", number(5), number(7), number(5)),
        ("max-length-bytes", number(7), number(5), number(5)),
        ("max-in-memory-length", number(7), number(5), number(5)),
        ("max-in-memory-bytes", number(5), number(7), number(5)),
        ("delivery-limit", number(7), number(5), number(5)),
        ("delivery-limit", number(5), number(7), number(5)),
        ("delivery-limit", number(-1), number(7), number(7)),
        ("delivery-limit", number(7), number(-1), number(7)),
        ("delivery-limit", number(-3), number(-1), number(-1)),
        (
            "overflow",
            text("drop-head"),
            text("reject-publish"),
            text("reject-publish"),
        ),
        ("queue-version", number(2), number(1), number(1)),
        ("target-group-size", number(3), number(5), number(5)),
        ("target-group-size", number(5), number(3), number(5)),
        ("member-placement-tag", text("a"), text("b"), text("b")),
        ("delayed-retry-type", text("all"), text("failed"), text("failed")),
        ("delayed-retry-min", number(5), number(7), number(7)),
        ("delayed-retry-max", number(7), number(5), number(5)),
        (
            "delayed-retry-backoff",
            text("linear"),
            text("exponential"),
            text("exponential"),
        ),
        ("delayed-retry-jitter", number(5), number(7), number(7)),
        ("dead-letter-on-delete", truth(false), truth(true), truth(true)),
    ];
    let with_min = |key: &str, value: &Value| {
        let mut definition = table(&[(key, value.clone())]);
        if key == "delayed-retry-type" {
            definition.insert("delayed-retry-min", Value::I64(1));
        }
        definition
    };
    for (key, value, limit, expected) in rows {
        let one = Policy::new("p", "", ApplyTo::All, 0, with_min(key, value), false).unwrap();
        let other = Policy::new("o", "", ApplyTo::All, 0, with_min(key, limit), true).unwrap();
        assert_eq!(
            merged(Some(&one), Some(&other)).get(key),
            Some(expected),
            "{key} {value:?}"
        );
        assert_eq!(merged(Some(&one), None).get(key), Some(value), "{key}");
        assert_eq!(merged(None, Some(&other)).get(key), Some(limit), "{key}");
    }
}

#[test]
fn numbers_are_the_least_of_three_and_words_the_arguments_first() {
    let laid_down = policy(
        0,
        ApplyTo::All,
        "",
        &[
            ("max-length", Value::I32(50)),
            ("message-ttl", Value::I32(9)),
            ("consumer-timeout", Value::I32(800)),
            ("overflow", text("reject-publish")),
            ("dead-letter-exchange", text("from-policy")),
            ("dead-letter-routing-key", text("key")),
            ("dead-letter-on-delete", Value::Bool(true)),
        ],
    );
    let limits = operators(&[("max-length", Value::I32(20)), ("expires", Value::I32(1000))]);
    let found = rules(
        &[
            ("x-max-length", Value::I32(30)),
            ("x-message-ttl", Value::I32(5)),
            ("x-consumer-timeout", Value::I32(900)),
            ("x-dead-letter-exchange", text("mine")),
        ],
        Some(&laid_down),
        Some(&limits),
    );
    let expected = Rules {
        expires_ms: Some(1000),
        message_ttl_ms: Some(5),
        max_length: Some(20),
        overflow: Overflow::RejectPublish,
        consumer_timeout_ms: Some(800),
        dead_letters: Some(DeadLetters {
            exchange: "mine".into(),
            key: Some("key".into()),
            strategy: Sureness::AtMostOnce,
            on_delete: true,
        }),
        ..Rules::default()
    };
    assert_eq!(found, expected);
    let drops = [("x-overflow", text("drop-head"))];
    assert_eq!(rules(&drops, Some(&laid_down), None).overflow, Overflow::DropHead);
    let operators = operators(&[("overflow", text("reject-publish-dlx"))]);
    let found = rules(&[], Some(&laid_down), Some(&operators)).overflow;
    assert_eq!(found, Overflow::RejectPublishDlx, "the operator's word counts");
    assert_eq!(rules(&[], None, None), Rules::default());
    let key_alone = [("x-dead-letter-routing-key", text("k"))];
    assert_eq!(rules(&key_alone, None, None).dead_letters, None);
}

#[test]
fn arguments_alone_say_what_no_policy_can() {
    let found = rules(
        &[
            ("x-max-priority", Value::U8(9)),
            ("x-single-active-consumer", Value::Bool(true)),
            ("x-group-header", text("customer")),
            ("x-message-deduplication", Value::Bool(true)),
            ("x-last-value-key", text("sensor")),
            ("x-trigger-length", Value::I64(100)),
        ],
        None,
        None,
    );
    let expected = Rules {
        max_priority: Some(9),
        has_single_active_consumer: true,
        group_by: Some(GroupBy::Header("customer".into())),
        deduplication: Some(Deduplication {
            keys_max: 128,
            ttl_ms: None,
        }),
        last_value_header: Some("sensor".into()),
        trigger_length: Some(100),
        ..Rules::default()
    };
    assert_eq!(found, expected);
    let found = rules(
        &[
            ("x-max-priority", Value::U8(0)),
            ("x-single-active-consumer", Value::Bool(false)),
            ("x-group-key-part", Value::I32(2)),
            ("x-message-deduplication", Value::Bool(true)),
            ("x-cache-size", Value::I32(5)),
            ("x-cache-ttl", Value::I32(6)),
        ],
        None,
        None,
    );
    assert_eq!(found.max_priority, Some(1), "RabbitMQ tells two apart");
    assert!(!found.has_single_active_consumer);
    assert_eq!(found.group_by, Some(GroupBy::KeyPart(2)));
    let remembered = found.deduplication.unwrap();
    assert_eq!((remembered.keys_max, remembered.ttl_ms), (5, Some(6)));
    let cache = [("x-cache-size", Value::I32(5))];
    assert_eq!(rules(&cache, None, None).deduplication, None);
}

#[test]
fn pauses_are_the_policys_kind_and_the_least_of_the_numbers() {
    let retry = |which, min_ms, max_ms, backoff, jitter_percent| {
        Some(Retry {
            which,
            min_ms,
            max_ms,
            backoff,
            jitter_percent,
        })
    };
    let mine = [
        ("x-delayed-retry-type", text("all")),
        ("x-delayed-retry-min", Value::I32(100)),
        ("x-delayed-retry-backoff", text("exponential")),
        ("x-delayed-retry-jitter", Value::I32(10)),
    ];
    let expected = retry(Retried::All, 100, 100, Backoff::Exponential, 10);
    assert_eq!(
        rules(&mine, None, None).retry,
        expected,
        "the longest is the first"
    );
    assert_eq!(quorum_rules(&mine, None, None).retry, expected);
    let laid_down = policy(
        0,
        ApplyTo::All,
        "",
        &[
            ("delayed-retry-type", text("failed")),
            ("delayed-retry-min", Value::I32(200)),
            ("delayed-retry-max", Value::I32(900)),
            ("delayed-retry-backoff", text("linear")),
        ],
    );
    let expected = retry(Retried::Failed, 100, 900, Backoff::Linear, 10);
    assert_eq!(rules(&mine, Some(&laid_down), None).retry, expected);
    let limit = operators(&[("delayed-retry-max", Value::I32(50))]);
    let expected = retry(Retried::Failed, 50, 50, Backoff::Linear, 10);
    assert_eq!(rules(&mine, Some(&laid_down), Some(&limit)).retry, expected);
    let off = policy(0, ApplyTo::All, "", &[("delayed-retry-type", text("disabled"))]);
    assert_eq!(rules(&mine, Some(&off), None).retry, None);
    let without_kind = [("x-delayed-retry-min", Value::I32(100))];
    assert_eq!(rules(&without_kind, None, None).retry, None);
}

#[test]
fn a_quorum_queue_has_rules_of_its_own() {
    let found = |arguments: &[(&str, Value)], policy: Option<&Policy>| quorum_rules(arguments, policy, None);
    let plain = Rules {
        delivery_limit: Some(20),
        max_priority: Some(31),
        default_priority: 4,
        counts_deliveries: true,
        ..Rules::default()
    };
    assert_eq!(found(&[], None), plain);
    let limit = |number| [("x-delivery-limit", Value::I32(number))];
    assert_eq!(found(&limit(3), None).delivery_limit, Some(3));
    assert_eq!(found(&limit(-1), None).delivery_limit, None);
    let laid_down = policy(
        0,
        ApplyTo::All,
        "",
        &[
            ("delivery-limit", Value::I32(7)),
            ("overflow", text("reject-publish")),
        ],
    );
    assert_eq!(found(&limit(9), Some(&laid_down)).delivery_limit, Some(7));
    assert_eq!(
        found(&limit(-1), Some(&laid_down)).delivery_limit,
        Some(7),
        "the larger"
    );
    let drops = [("x-overflow", text("drop-head"))];
    assert_eq!(
        found(&drops, Some(&laid_down)).overflow,
        Overflow::RejectPublish,
        "the policy's word counts"
    );
    let third = [("x-overflow", text("reject-publish-dlx"))];
    assert_eq!(found(&third, None).overflow, Overflow::DropHead);
    assert_eq!(
        rules(&[], None, None).delivery_limit,
        None,
        "classic queues have none"
    );
    let sure = |overflow: &str| {
        let arguments = [
            ("x-dead-letter-exchange", text("x")),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text(overflow)),
        ];
        found(&arguments, None).dead_letters.unwrap().strategy
    };
    assert_eq!(sure("reject-publish"), Sureness::AtLeastOnce);
    assert_eq!(sure("drop-head"), Sureness::AtLeastOnce, "which RabbitMQ cannot");
}

#[test]
fn a_timeout_of_nothing_is_no_timeout() {
    let asked = [("x-consumer-timeout", Value::I32(0))];
    let queue = queue(QueueType::Classic, &asked);
    assert_eq!(queue_rules(&queue, None, None).consumer_timeout_ms, None);
}

#[test]
fn an_exchange_has_an_alternate_by_argument_or_policy() {
    let exchange = |arguments: &[(&str, Value)]| crate::catalog::Exchange {
        id: ExchangeId(1),
        name: ExchangeName::new("x").unwrap(),
        kind: ExchangeKind::named("direct").unwrap(),
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: table(arguments),
    };
    let laid_down = policy(0, ApplyTo::All, "", &[("alternate-exchange", text("policy"))]);
    let found = |arguments: &[(&str, Value)]| {
        ExchangeRules::of(&exchange(arguments), Some(&laid_down), None).alternate
    };
    assert_eq!(found(&[]).as_deref(), Some("policy"));
    assert_eq!(
        found(&[("alternate-exchange", text("mine"))]).as_deref(),
        Some("mine")
    );
}

#[test]
fn what_is_wrong_is_said_in_rabbitmqs_words() {
    let refused = |definition: &[(&str, Value)], is_operators| {
        let policy = Policy::new("p", "", ApplyTo::All, 0, table(definition), is_operators);
        policy.unwrap_err().to_string()
    };
    let number = Value::I64;
    assert_eq!(refused(&[], false), "no policy provided");
    let rows: &[(&str, Value, &str)] = &[
        ("max-length", number(-1), "-1 is not a valid maximum length"),
        ("max-length", Value::F64(1.5), "1.5 is not a valid maximum length"),
        (
            "overflow",
            text("bad"),
            "<<\"bad\">> is not a valid overflow value",
        ),
        ("expires", number(0), "0 is not a valid queue expiry"),
        ("message-ttl", number(-5), "-5 is not a valid message TTL"),
        (
            "dead-letter-exchange",
            number(5),
            "5 is not a valid dead letter exchange name",
        ),
        (
            "delayed-retry-jitter",
            number(101),
            "101 is not a valid delayed retry jitter",
        ),
        (
            "delayed-retry-min",
            number(0),
            "0 is not a valid delayed retry minimum delay. Must be a positive integer",
        ),
        (
            "delayed-retry-type",
            text("all"),
            "delayed-retry-min is required when delayed-retry-type is all",
        ),
        (
            "stream-filter-size-bytes",
            number(15),
            "15 is not a valid filter size. Valid range is 16-255",
        ),
    ];
    for (key, value, expected) in rows {
        assert_eq!(refused(&[(key, value.clone())], false), *expected);
    }
    let pattern = Policy::new("p", "(", ApplyTo::All, 0, table(&[("expires", number(1))]), false);
    let pattern = pattern.unwrap_err().to_string();
    assert!(
        pattern.starts_with("pattern should be regular expression but is invalid: "),
        "{pattern}"
    );
}

#[test]
fn wrong_values_come_before_unknown_keys() {
    let refused = |definition: &[(&str, Value)], is_operators| {
        let policy = Policy::new("p", "", ApplyTo::All, 0, table(definition), is_operators);
        policy.unwrap_err().to_string()
    };
    let number = Value::I64;
    let unknown = [("b", number(1)), ("colour", text("red"))];
    assert_eq!(
        refused(&unknown, false),
        "[{<<\"b\">>,1},{<<\"colour\">>,<<\"red\">>}] are not recognised policy settings"
    );
    let both = [("colour", text("red")), ("max-length", number(-1))];
    assert_eq!(refused(&both, false), "-1 is not a valid maximum length");
    let pauses = [("delayed-retry-min", number(5)), ("delayed-retry-max", number(4))];
    assert_eq!(
        refused(&pauses, false),
        "delayed-retry-max (4) must not be smaller than delayed-retry-min (5)"
    );
    for key in [
        "dead-letter-exchange",
        "alternate-exchange",
        "dead-letter-strategy",
        "queue-mode",
    ] {
        assert!(
            refused(&[(key, text("lazy"))], true).contains("not recognised"),
            "{key}"
        );
    }
}

#[test]
fn words_of_apply_to_are_read_as_they_are_written() {
    for word in [
        "all",
        "queues",
        "classic_queues",
        "quorum_queues",
        "streams",
        "exchanges",
    ] {
        assert_eq!(ApplyTo::named(word).unwrap().name(), word);
    }
    let refused = ApplyTo::named("nope").unwrap_err().to_string();
    assert_eq!(
        refused,
        "apply-to 'nope' unrecognised; should be one of: 'queues', 'classic_queues', 'quorum_queues', \
         'streams', 'exchanges', or 'all'"
    );
}

/// A policy as the naive matcher sees it: priority, whom it is for, pattern, key.
type Drawn = (i64, usize, usize, usize);

const TARGETS: [&str; 6] = [
    "all",
    "queues",
    "exchanges",
    "classic_queues",
    "quorum_queues",
    "streams",
];
const PATTERNS: [&str; 5] = ["", "a", "^b", "ab$", "^[^a]*$"];

/// Each with a value, and whether classic and quorum queues know it.
fn drawn_key(at: usize) -> (&'static str, Value, bool, bool) {
    match at {
        0 => ("overflow", text("drop-head"), true, true),
        1 => ("delivery-limit", Value::I32(1), false, true),
        2 => ("queue-mode", text("lazy"), true, false),
        3 => ("max-age", text("1D"), false, false),
        _ => ("alternate-exchange", text("ae"), true, true),
    }
}

fn is_naively_for((_, target, pattern, key): &Drawn, kind: Kind, name: &str) -> bool {
    let (_, _, classic, quorum) = drawn_key(*key);
    let (targets, knows): (&[&str], bool) = match kind {
        Kind::Exchange => (&["all", "exchanges"], true),
        Kind::Queue(QueueType::Classic) => (&["all", "queues", "classic_queues"], classic),
        Kind::Queue(QueueType::Quorum) => (&["all", "queues", "quorum_queues"], quorum),
    };
    let matches = match PATTERNS[*pattern] {
        "" => true,
        "a" => name.contains('a'),
        "^b" => name.starts_with('b'),
        "ab$" => name.ends_with("ab"),
        _ => !name.contains('a'),
    };
    targets.contains(&TARGETS[*target]) && knows && matches
}

proptest! {
    /// Against the definition: of all that match, sorted by priority, the first.
    #[test]
    fn in_force_is_the_first_of_those_sorted_by_priority(
        drawn in prop::collection::vec((-2i64..3, 0..TARGETS.len(), 0..PATTERNS.len(), 0usize..5), 0..12),
        name in "[abc]{0,3}",
        kind in prop::sample::select(vec![CLASSIC, QUORUM, Kind::Exchange]),
    ) {
        let all: Vec<Policy> = drawn
            .iter()
            .map(|(priority, target, pattern, key)| {
                let (key, value, ..) = drawn_key(*key);
                let apply_to = ApplyTo::named(TARGETS[*target]).unwrap();
                policy(*priority, apply_to, PATTERNS[*pattern], &[(key, value)])
            })
            .collect();
        let mut matching: Vec<usize> =
            (0..drawn.len()).filter(|at| is_naively_for(&drawn[*at], kind, &name)).collect();
        matching.sort_by_key(|at| std::cmp::Reverse(drawn[*at].0));
        let found = in_force(&all, kind, &name);
        let expected = matching.first().map(|at| &all[*at]);
        prop_assert_eq!(found.map(std::ptr::from_ref), expected.map(std::ptr::from_ref));
    }
}
