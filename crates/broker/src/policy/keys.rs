//! The keys of policies: which there are, what they may be, whom they are for, and how an operator's value
//! meets another's.

use super::least;
use crate::catalog::QueueType;
use crate::value::{Table, Value};

/// What a policy may be in force for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A queue of a type.
    Queue(QueueType),
    /// An exchange.
    Exchange,
}

/// What is wrong with a definition, in RabbitMQ's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionFault {
    /// There are no such keys: pairs as RabbitMQ prints them.
    #[error("[{0}] are not recognised policy settings")]
    Unknown(String),
    /// A value that the key cannot have.
    #[error("{value} is not a valid {what}")]
    Value {
        /// As RabbitMQ prints it.
        value: String,
        /// What the key stands for.
        what: &'static str,
    },
    /// A kind of pauses whose length is not said.
    #[error("delayed-retry-min is required when delayed-retry-type is {0}")]
    RetryMin(String),
    /// A key for shards of which it is not said how many there are.
    #[error("shards-per-node must be specified")]
    Shards,
    /// The longest pause is shorter than the first.
    #[error("delayed-retry-max ({max}) must not be smaller than delayed-retry-min ({min})")]
    RetryMax {
        /// The first pause, in milliseconds.
        min: i64,
        /// The longest one, in milliseconds.
        max: i64,
    },
}

type Check = fn(&Value) -> bool;
type Merge = fn(&Value, &Value) -> Value;

/// Which types of queues know a key. Exchanges pass over what is not for them.
#[derive(Clone, Copy)]
enum Known {
    /// To queues of every type, be it for them or not.
    All,
    Classic,
    Quorum,
    /// To streams alone.
    Streams,
}

/// One key.
struct Key {
    name: &'static str,
    /// What a wrong value is not, as RabbitMQ says it.
    what: &'static str,
    check: Check,
    known: Known,
    /// How an operator's value meets another's; `None` where operators have no such key.
    merge: Option<Merge>,
}

const fn all(name: &'static str, what: &'static str, check: Check, merge: Option<Merge>) -> Key {
    let known = Known::All;
    Key {
        name,
        what,
        check,
        known,
        merge,
    }
}

const fn classic(name: &'static str, what: &'static str, check: Check, merge: Option<Merge>) -> Key {
    Key {
        known: Known::Classic,
        ..all(name, what, check, merge)
    }
}

const fn quorum(name: &'static str, what: &'static str, check: Check, merge: Option<Merge>) -> Key {
    Key {
        known: Known::Quorum,
        ..all(name, what, check, merge)
    }
}

const fn stream(name: &'static str, what: &'static str, check: Check) -> Key {
    Key {
        known: Known::Streams,
        ..all(name, what, check, None)
    }
}

/// The operator's value counts.
const OPERATORS: Option<Merge> = Some(|_, operators| operators.clone());
const LEAST: Option<Merge> = Some(least);
/// A negative one is no limit.
const LEAST_LIMIT: Option<Merge> = Some(least_limit);
const MOST: Option<Merge> = Some(most);

/// What RabbitMQ says behind "is not a valid" for pauses.
const RETRY_MIN: &str = "delayed retry minimum delay. Must be a positive integer";
const RETRY_MAX: &str = "delayed retry maximum delay. Must be a positive integer";
const RETRY_TYPE: &str = "delayed retry type. Must be one of: all, failed, returned, disabled";
const PLACEMENT_TAG: &str = "member-placement-tag value. Must be a non-empty string";

/// The largest segment of a stream that RabbitMQ takes.
const SEGMENT_BYTES_MAX: i64 = 3_000_000_000;

const KEYS: &[Key] = &[
    all("alternate-exchange", "alternate exchange name", is_text, None),
    all("message-ttl", "message TTL", not_negative, LEAST),
    all("expires", "queue expiry", positive, LEAST),
    all("max-length", "maximum length", not_negative, LEAST),
    all("max-length-bytes", "maximum length in bytes", not_negative, LEAST),
    all("overflow", "overflow value", overflow, OPERATORS),
    all("dead-letter-exchange", "dead letter exchange name", is_text, None),
    all(
        "dead-letter-routing-key",
        "dead letter routing key",
        is_text,
        None,
    ),
    all(
        "dead-letter-on-delete",
        "dead letter on delete value",
        is_truth,
        OPERATORS,
    ),
    quorum("dead-letter-strategy", "dead letter strategy", strategy, None),
    quorum("delivery-limit", "delivery limit", is_whole, LEAST_LIMIT),
    quorum(
        "max-in-memory-length",
        "maximum memory in bytes",
        not_negative,
        LEAST,
    ),
    quorum(
        "max-in-memory-bytes",
        "maximum memory in bytes",
        not_negative,
        LEAST,
    ),
    all("consumer-timeout", "consumer timeout", not_negative, None),
    all(
        "consumer-disconnected-timeout",
        "consumer disconnected timeout",
        not_negative,
        None,
    ),
    all("delayed-retry-type", RETRY_TYPE, retry_type, OPERATORS),
    all("delayed-retry-min", RETRY_MIN, positive, MOST),
    all("delayed-retry-max", RETRY_MAX, positive, LEAST),
    all(
        "delayed-retry-backoff",
        "delayed retry backoff",
        backoff,
        OPERATORS,
    ),
    all(
        "delayed-retry-jitter",
        "delayed retry jitter",
        per_cent,
        OPERATORS,
    ),
    all("trigger-length", "trigger length", positive, OPERATORS),
    quorum("target-group-size", "qq target count value", positive, MOST),
    all("member-placement-tag", PLACEMENT_TAG, is_word, OPERATORS),
    all(
        "queue-leader-locator",
        "queue leader locator value",
        leader_locator,
        None,
    ),
    classic(
        "queue-master-locator",
        "master locator",
        master_locator,
        OPERATORS,
    ),
    classic("queue-mode", "queue-mode value", queue_mode, None),
    all("queue-version", "queue-version value", queue_version, OPERATORS),
    // Of mirrored queues, which went with RabbitMQ 4. Definitions of 3.x have them, and they do nothing.
    classic("ha-mode", "ha-mode", anything, OPERATORS),
    classic("ha-params", "ha-params", anything, OPERATORS),
    classic("ha-sync-mode", "ha-sync-mode", anything, OPERATORS),
    classic("ha-sync-batch-size", "ha-sync-batch-size", anything, OPERATORS),
    classic(
        "ha-promote-on-shutdown",
        "ha-promote-on-shutdown",
        anything,
        OPERATORS,
    ),
    classic(
        "ha-promote-on-failure",
        "ha-promote-on-failure",
        anything,
        OPERATORS,
    ),
    // Of plug-ins, and kept for them.
    all("federation-upstream", "federation upstream name", is_text, None),
    all(
        "federation-upstream-set",
        "federation upstream set name",
        anything,
        None,
    ),
    all(
        "federation-upstream-pattern",
        "federation upstream pattern",
        is_text,
        None,
    ),
    all("shards-per-node", "number of shards", not_negative, None),
    all("routing-key", "routing key", is_text, None),
    stream("max-age", "max age", age),
    stream("initial-cluster-size", "cluster size", not_negative),
    stream("stream-max-segment-size-bytes", "segment size", segment_size),
    stream("max-segment-size", "segment size", not_negative),
    all(
        "stream-filter-size-bytes",
        "filter size. Valid range is 16-255",
        filter_size,
        None,
    ),
];

fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Looks at every key of a definition. Wrong values are told before unknown keys.
pub(super) fn check(definition: &Table, is_operators: bool) -> Result<(), DefinitionFault> {
    let mut unknown = Vec::new();
    for (name, value) in definition.iter() {
        let known = find(name).filter(|key| !is_operators || key.merge.is_some());
        let Some(key) = known else {
            unknown.push(format!("{{{},{}}}", Value::from(name).term(), value.term()));
            continue;
        };
        if !(key.check)(value) {
            return Err(DefinitionFault::Value {
                value: value.term(),
                what: key.what,
            });
        }
    }
    if !unknown.is_empty() {
        return Err(DefinitionFault::Unknown(unknown.join(",")));
    }
    if definition.get("routing-key").is_some() && definition.get("shards-per-node").is_none() {
        return Err(DefinitionFault::Shards);
    }
    check_retry(definition)
}

/// What keys say of pauses has to make sense together.
fn check_retry(definition: &Table) -> Result<(), DefinitionFault> {
    let number = |name| definition.get(name).and_then(Value::as_integer);
    let kind = definition.get("delayed-retry-type").and_then(Value::as_str);
    match (kind, number("delayed-retry-min"), number("delayed-retry-max")) {
        (Some(kind), None, _) if kind != "disabled" => Err(DefinitionFault::RetryMin(kind.to_owned())),
        (_, Some(min), Some(max)) if max < min => Err(DefinitionFault::RetryMax { min, max }),
        _ => Ok(()),
    }
}

/// Whether objects of a kind know every key of a definition: a policy of which a queue does not is not in
/// force for it at all. Exchanges take any.
pub(super) fn all_known(definition: &Table, kind: Kind) -> bool {
    let Kind::Queue(queue_type) = kind else {
        return true;
    };
    definition.iter().all(|(name, _)| {
        // One that is not even in the table came from a later release, and does nothing.
        find(name).is_none_or(|key| match (key.known, queue_type) {
            (Known::All, _) | (Known::Classic, QueueType::Classic) | (Known::Quorum, QueueType::Quorum) => {
                true
            }
            (Known::Classic | Known::Quorum | Known::Streams, _) => false,
        })
    })
}

/// What a value and an operator's come to.
pub(super) fn merge(name: &str, value: &Value, operators: &Value) -> Value {
    match find(name).and_then(|key| key.merge) {
        Some(merge) => merge(value, operators),
        None => value.clone(),
    }
}

fn most(one: &Value, other: &Value) -> Value {
    match (one.as_integer(), other.as_integer()) {
        (Some(a), Some(b)) if b > a => other.clone(),
        _ => one.clone(),
    }
}

/// The smaller of two limits; where one says that there is none, the larger.
pub(super) fn least_limit(one: &Value, other: &Value) -> Value {
    let is_negative = |value: &Value| value.as_integer().is_some_and(i64::is_negative);
    match is_negative(one) || is_negative(other) {
        true => most(one, other),
        false => least(one, other),
    }
}

fn anything(_: &Value) -> bool {
    true
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some()
}

fn is_word(value: &Value) -> bool {
    value.as_str().is_some_and(|word| !word.is_empty())
}

fn is_truth(value: &Value) -> bool {
    matches!(value, Value::Bool(_))
}

fn is_whole(value: &Value) -> bool {
    value.as_integer().is_some()
}

fn not_negative(value: &Value) -> bool {
    value.as_integer().is_some_and(|number| number >= 0)
}

fn positive(value: &Value) -> bool {
    value.as_integer().is_some_and(|number| number >= 1)
}

fn is_one_of(value: &Value, words: &[&str]) -> bool {
    value.as_str().is_some_and(|word| words.contains(&word))
}

fn overflow(value: &Value) -> bool {
    is_one_of(value, &["drop-head", "reject-publish", "reject-publish-dlx"])
}

fn strategy(value: &Value) -> bool {
    is_one_of(value, &["at-most-once", "at-least-once"])
}

fn retry_type(value: &Value) -> bool {
    is_one_of(value, &["all", "failed", "returned", "disabled"])
}

fn backoff(value: &Value) -> bool {
    is_one_of(value, &["linear", "exponential"])
}

fn per_cent(value: &Value) -> bool {
    value
        .as_integer()
        .is_some_and(|number| (0..=100).contains(&number))
}

fn filter_size(value: &Value) -> bool {
    value
        .as_integer()
        .is_some_and(|number| (16..=255).contains(&number))
}

fn leader_locator(value: &Value) -> bool {
    let words = [
        "client-local",
        "balanced",
        "random",
        "least-leaders",
        "min-masters",
    ];
    is_one_of(value, &words)
}

fn master_locator(value: &Value) -> bool {
    is_one_of(value, &["min-masters", "client-local", "random"])
}

/// A number and a unit, such as `7D`.
fn age(value: &Value) -> bool {
    let number = value
        .as_str()
        .and_then(|text| text.strip_suffix(['Y', 'M', 'D', 'h', 'm', 's']));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn segment_size(value: &Value) -> bool {
    let number = value.as_integer();
    number.is_some_and(|number| (0..=SEGMENT_BYTES_MAX).contains(&number))
}

fn queue_mode(value: &Value) -> bool {
    is_one_of(value, &["default", "lazy"])
}

fn queue_version(value: &Value) -> bool {
    matches!(value.as_integer(), Some(1 | 2))
}
