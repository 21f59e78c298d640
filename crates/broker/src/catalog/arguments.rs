//! The x-arguments of queues: which there are, for which queue type, and what they may be.
//!
//! Arguments that no queue type knows are stored and otherwise ignored, as in RabbitMQ.
//! RabbitMQ: queues.md#optional-arguments

use crate::name::{QueueName, VhostName};
use crate::refusal::{ArgumentFault, Refusal, Subject};
use crate::value::{Table, Value};
use std::borrow::Cow;

/// Which rules a queue follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueType {
    /// The plain queue.
    Classic,
    /// Durable only; on one node it has one member.
    Quorum,
}

impl QueueType {
    /// Its name in `x-queue-type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }

    /// RabbitMQ's internal name, which its refusals print.
    pub fn internal_name(self) -> &'static str {
        match self {
            Self::Classic => "rabbit_classic_queue",
            Self::Quorum => "rabbit_quorum_queue",
        }
    }
}

/// Ten years in milliseconds: the longest time that RabbitMQ takes.
const TIME_MS_MAX: i64 = 315_360_000_000;

type Check = fn(&Value, &Table) -> Result<(), ArgumentFault>;

/// One argument that some queue type knows.
struct Argument {
    name: &'static str,
    classic: bool,
    quorum: bool,
    check: Check,
}

const fn both(name: &'static str, check: Check) -> Argument {
    Argument {
        name,
        classic: true,
        quorum: true,
        check,
    }
}

const fn classic(name: &'static str, check: Check) -> Argument {
    Argument {
        name,
        classic: true,
        quorum: false,
        check,
    }
}

const fn quorum(name: &'static str, check: Check) -> Argument {
    Argument {
        name,
        classic: false,
        quorum: true,
        check,
    }
}

const fn stream(name: &'static str) -> Argument {
    Argument {
        name,
        classic: false,
        quorum: false,
        check: anything,
    }
}

/// The arguments in the order in which RabbitMQ looks at them.
const ARGUMENTS: &[Argument] = &[
    both("x-expires", positive_time),
    both("x-message-ttl", time),
    both("x-dead-letter-exchange", string),
    both("x-dead-letter-routing-key", dead_letter_key),
    quorum("x-dead-letter-strategy", dead_letter_strategy),
    both("x-max-length", not_negative),
    both("x-max-length-bytes", not_negative),
    quorum("x-max-in-memory-length", not_negative),
    quorum("x-max-in-memory-bytes", not_negative),
    classic("x-max-priority", priority),
    both("x-overflow", overflow),
    classic("x-queue-mode", queue_mode),
    classic("x-queue-version", queue_version),
    both("x-single-active-consumer", boolean),
    both("x-consumer-timeout", not_negative),
    quorum("x-consumer-disconnected-timeout", not_negative),
    quorum("x-delivery-limit", anything),
    quorum("x-quorum-initial-group-size", positive),
    both("x-queue-leader-locator", leader_locator),
    classic("x-queue-master-locator", anything),
    quorum("x-member-placement-tag", placement_tag),
    both("x-delayed-retry-type", retry_type),
    both("x-delayed-retry-min", positive),
    both("x-delayed-retry-max", retry_max),
    // Those of other brokers, and of this one alone.
    both("x-delayed-retry-backoff", retry_backoff),
    both("x-delayed-retry-jitter", per_cent),
    both("x-dead-letter-on-delete", boolean),
    both("x-group-header", header_name),
    both("x-group-key-part", group_key_part),
    both("x-message-deduplication", boolean),
    both("x-cache-size", positive),
    both("x-cache-ttl", positive_time),
    both("x-last-value-key", header_name),
    both("x-trigger-length", positive),
    stream("x-max-age"),
    stream("x-stream-max-segment-size-bytes"),
    stream("x-stream-filter-size-bytes"),
    stream("x-initial-cluster-size"),
];

impl Argument {
    fn is_for(&self, queue_type: QueueType) -> bool {
        match queue_type {
            QueueType::Classic => self.classic,
            QueueType::Quorum => self.quorum,
        }
    }
}

/// Arguments of which a redeclaration must bring equal values.
pub(super) fn known_to(queue_type: QueueType) -> impl Iterator<Item = &'static str> {
    let known = ARGUMENTS
        .iter()
        .filter(move |argument| argument.is_for(queue_type));
    known.map(|argument| argument.name)
}

/// The queue type that the arguments name, if they name one.
pub(super) fn queue_type(arguments: &Table, subject: &Subject) -> Result<Option<QueueType>, Refusal> {
    let invalid = |fault| Refusal::InvalidArgument {
        argument: "x-queue-type",
        subject: subject.clone(),
        fault,
    };
    let Some(value) = arguments.get("x-queue-type") else {
        return Ok(None);
    };
    match text(value).as_deref() {
        Some("classic") => Ok(Some(QueueType::Classic)),
        Some("quorum") => Ok(Some(QueueType::Quorum)),
        Some("stream") => Err(Refusal::NotImplemented(format!(
            "queue type 'stream' is not supported ({subject})"
        ))),
        Some(word) => Err(invalid(ArgumentFault::Unsupported {
            what: "queue type",
            word: word.to_owned(),
        })),
        None => Err(invalid(ArgumentFault::WrongType(value.type_name()))),
    }
}

/// Checks that a dead letter exchange is a name. It comes before all else, since the name is asked
/// for its permission.
pub(super) fn check_dead_letter_exchange(arguments: &Table, subject: &Subject) -> Result<(), Refusal> {
    let argument = "x-dead-letter-exchange";
    match arguments.get(argument) {
        Some(value) if text(value).is_none() => {
            let (subject, type_name) = (subject.clone(), value.type_name());
            Err(Refusal::ArgumentType {
                argument,
                subject,
                type_name,
            })
        }
        _ => Ok(()),
    }
}

/// Checks the values of the arguments that the queue type knows, and then whether there are others that only
/// other types know.
pub(super) fn check(queue_type: QueueType, arguments: &Table, subject: &Subject) -> Result<(), Refusal> {
    for argument in ARGUMENTS.iter().filter(|argument| argument.is_for(queue_type)) {
        let Some(value) = arguments.get(argument.name) else {
            continue;
        };
        (argument.check)(value, arguments).map_err(|fault| Refusal::InvalidArgument {
            argument: argument.name,
            subject: subject.clone(),
            fault,
        })?;
    }
    let is_foreign = |name: &str| {
        let known = ARGUMENTS.iter().find(|argument| argument.name == name);
        known.is_some_and(|argument| !argument.is_for(queue_type))
    };
    // By name, as RabbitMQ sorts them when they come.
    match arguments
        .iter()
        .map(|(name, _)| name)
        .filter(|name| is_foreign(name))
        .min()
    {
        None => Ok(()),
        Some(name) => Err(Refusal::ArgumentOfOtherType {
            argument: name.to_owned(),
            subject: subject.clone(),
            queue_type: queue_type.internal_name(),
        }),
    }
}

/// Checks what is to be added to the arguments of clients, who may add more, and may name the queue type
/// where this does not. Answers the queue type that it names, or what is wrong.
pub(crate) fn check_added(arguments: &Table) -> Result<Option<QueueType>, String> {
    let (Ok(queue), Ok(vhost)) = (QueueName::new(""), VhostName::new("/")) else {
        return Ok(None);
    };
    // It is not told: there is no queue yet.
    let subject = Subject::Queue(queue, vhost);
    let reason = |refusal| match refusal {
        Refusal::InvalidArgument { argument, fault, .. } => format!("invalid arg '{argument}': {fault}"),
        Refusal::ArgumentOfOtherType {
            argument, queue_type, ..
        } => format!("invalid arg '{argument}' of queue type {queue_type}"),
        Refusal::NotImplemented(_) => "queue type 'stream' is not supported".to_owned(),
        other => other.to_string(),
    };
    let named = queue_type(arguments, &subject).map_err(reason)?;
    // What one of these asks for besides itself may be the client's.
    let mut whole = arguments.clone();
    for (one, other, value) in [
        (
            "x-dead-letter-routing-key",
            "x-dead-letter-exchange",
            Value::from(""),
        ),
        ("x-delayed-retry-type", "x-delayed-retry-min", Value::I64(1)),
    ] {
        if whole.get(one).is_some() && whole.get(other).is_none() {
            whole.insert(other, value);
        }
    }
    let checked = match named {
        Some(queue_type) => check(queue_type, &whole, &subject),
        None => check(QueueType::Classic, &whole, &subject).or_else(|refusal| {
            let of_quorum = check(QueueType::Quorum, &whole, &subject);
            of_quorum.map_err(|_| refusal)
        }),
    };
    checked.map_err(reason).map(|()| named)
}

/// The text of a long string, for words to be compared with and for refusals: octets that are no UTF-8 one
/// character each, as RabbitMQ prints them.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(octets) => Some(match std::str::from_utf8(octets) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => octets.iter().map(|octet| char::from(*octet)).collect(),
        }),
        _ => None,
    }
}

fn anything(_: &Value, _: &Table) -> Result<(), ArgumentFault> {
    Ok(())
}

fn whole(value: &Value) -> Result<i64, ArgumentFault> {
    value
        .as_integer()
        .ok_or(ArgumentFault::NotInteger(value.type_name()))
}

fn not_negative(value: &Value, _: &Table) -> Result<(), ArgumentFault> {
    match whole(value)? {
        number @ ..0 => Err(ArgumentFault::Negative(number)),
        _ => Ok(()),
    }
}

fn positive(value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    match whole(value)? {
        0 => Err(ArgumentFault::Zero),
        _ => not_negative(value, all),
    }
}

fn time(value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    match whole(value)? {
        number if number > TIME_MS_MAX => Err(ArgumentFault::TooLarge(number)),
        _ => not_negative(value, all),
    }
}

fn positive_time(value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    positive(value, all)?;
    time(value, all)
}

fn at_most(most: i64, value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    match whole(value)? {
        number if number > most => Err(ArgumentFault::AboveMaximum(number)),
        _ => not_negative(value, all),
    }
}

fn priority(value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    at_most(255, value, all)
}

fn per_cent(value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    at_most(100, value, all)
}

/// Keys have at most 255 bytes, so that no part comes behind the 256th.
fn group_key_part(value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    at_most(255, value, all)?;
    match all.get("x-group-header") {
        Some(_) => Err(ArgumentFault::Word("group_header_and_group_key_part_defined")),
        None => Ok(()),
    }
}

fn header_name(value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    string(value, all)?;
    match value.as_str() {
        Some("") => Err(ArgumentFault::Word("empty_header_name")),
        _ => Ok(()),
    }
}

fn placement_tag(value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    string(value, all)?;
    match value.as_str() {
        Some("") => Err(ArgumentFault::Word("invalid_member_placement_tag_arg")),
        _ => Ok(()),
    }
}

/// RabbitMQ looks at these where they stand in policies, and takes any as arguments.
fn retry_type(value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    let words = ["all", "failed", "returned", "disabled"];
    one_of(value, &words, "invalid_delayed_retry_type")?;
    match all.get("x-delayed-retry-min") {
        None if value.as_str() != Some("disabled") => {
            Err(ArgumentFault::Word("delayed_retry_type_but_no_min_defined"))
        }
        _ => Ok(()),
    }
}

fn retry_max(value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    positive(value, all)?;
    let min = all.get("x-delayed-retry-min").and_then(Value::as_integer);
    match (min, whole(value)?) {
        (Some(min), max) if max < min => Err(ArgumentFault::Word("delayed_retry_max_smaller_than_min")),
        _ => Ok(()),
    }
}

fn retry_backoff(value: &Value, _: &Table) -> Result<(), ArgumentFault> {
    one_of(value, &["linear", "exponential"], "invalid_delayed_retry_backoff")
}

/// Names and keys are UTF-8 here.
fn string(value: &Value, _: &Table) -> Result<(), ArgumentFault> {
    match (value, value.as_str()) {
        (_, Some(_)) => Ok(()),
        (Value::String(_), None) => Err(ArgumentFault::Word("not_utf8")),
        _ => Err(ArgumentFault::WrongType(value.type_name())),
    }
}

fn dead_letter_key(value: &Value, all: &Table) -> Result<(), ArgumentFault> {
    string(value, all)?;
    match all.get("x-dead-letter-exchange") {
        Some(_) => Ok(()),
        None => Err(ArgumentFault::Word("routing_key_but_no_dlx_defined")),
    }
}

fn boolean(value: &Value, _: &Table) -> Result<(), ArgumentFault> {
    match value {
        Value::Bool(_) => Ok(()),
        other => Err(ArgumentFault::WrongType(other.type_name())),
    }
}

fn one_of(value: &Value, words: &[&str], otherwise: &'static str) -> Result<(), ArgumentFault> {
    match text(value).as_deref() {
        Some(word) if words.contains(&word) => Ok(()),
        Some(_) => Err(ArgumentFault::Word(otherwise)),
        None => Err(ArgumentFault::WrongType(value.type_name())),
    }
}

fn overflow(value: &Value, _: &Table) -> Result<(), ArgumentFault> {
    one_of(
        value,
        &["drop-head", "reject-publish", "reject-publish-dlx"],
        "invalid_overflow",
    )
}

fn dead_letter_strategy(value: &Value, _: &Table) -> Result<(), ArgumentFault> {
    one_of(value, &["at-most-once", "at-least-once"], "invalid_dlx_strategy")
}

fn leader_locator(value: &Value, _: &Table) -> Result<(), ArgumentFault> {
    let words = [
        "client-local",
        "balanced",
        "random",
        "least-leaders",
        "min-masters",
    ];
    one_of(value, &words, "invalid_queue_locator_arg")
}

fn queue_mode(value: &Value, _: &Table) -> Result<(), ArgumentFault> {
    match text(value).as_deref() {
        Some("default" | "lazy") => Ok(()),
        Some(word) => Err(ArgumentFault::Unsupported {
            what: "queue mode",
            word: word.to_owned(),
        }),
        None => Err(ArgumentFault::WrongType(value.type_name())),
    }
}

fn queue_version(value: &Value, _: &Table) -> Result<(), ArgumentFault> {
    match whole(value)? {
        1 | 2 => Ok(()),
        number if number < 0 => Err(ArgumentFault::Negative(number)),
        number => Err(ArgumentFault::Unsupported {
            what: "queue version",
            word: number.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_that_are_no_utf8_are_refused_for_what_they_are() {
        let none = Table::new();
        let odd = Value::String([0xFF, 0xFE].as_slice().into());
        assert_eq!(
            overflow(&odd, &none),
            Err(ArgumentFault::Word("invalid_overflow"))
        );
        assert_eq!(string(&odd, &none), Err(ArgumentFault::Word("not_utf8")));
        let told = queue_mode(&odd, &none).map_err(|fault| fault.to_string());
        assert_eq!(told, Err("\"unsupported queue mode 'ÿþ'\"".to_owned()));
    }
}
