//! Deduplication exchanges (`x-message-deduplication`): fanout exchanges that let a message with the key of
//! one that they let through before go nowhere.
//!
//! Here are their arguments. The keys are kept by those who run them, as those of queues are.
//!
//! RabbitMQ: plugin rabbitmq_message_deduplication.

use super::{ExchangeFault, ExchangeType};
use crate::queue::Deduplication;
use crate::value::{Table, Value};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-message-deduplication",
    description: "Message Deduplication Exchange.",
    validate,
    deduplicates: |arguments| Some(memory(arguments)),
    ..ExchangeType::PLAIN
};

const SIZE: &str = "x-cache-size";
const TTL: &str = "x-cache-ttl";
const PERSISTENCE: &str = "x-cache-persistence";

/// How many keys an exchange remembers at most, whatever it asks for: each costs about 100 bytes of memory.
const KEYS_MAX: u64 = 1_000_000;

/// What an exchange remembers of the messages that it let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyMemory {
    /// How many keys, and for how long.
    pub rule: Deduplication,
    /// Keys of persistent messages last as long as the exchange does; otherwise they go with the node.
    pub is_kept: bool,
}

fn validate(arguments: &Table) -> Result<(), ExchangeFault> {
    if arguments.get(SIZE).and_then(natural).is_none() {
        return Err(ExchangeFault::CacheSize);
    }
    if arguments.get(TTL).is_some_and(|value| natural(value).is_none()) {
        return Err(ExchangeFault::CacheTtl);
    }
    match arguments.get(PERSISTENCE).map(Value::as_str) {
        None | Some(Some("memory" | "disk")) => Ok(()),
        Some(_) => Err(ExchangeFault::CachePersistence),
    }
}

fn memory(arguments: &Table) -> KeyMemory {
    let number = |name| arguments.get(name).and_then(natural);
    KeyMemory {
        rule: Deduplication {
            // It was validated.
            keys_max: number(SIZE).unwrap_or(1).min(KEYS_MAX),
            ttl_ms: number(TTL),
        },
        is_kept: arguments.get(PERSISTENCE).and_then(Value::as_str) != Some("memory"),
    }
}

/// A number above 0, which may be written in decimal digits.
fn natural(value: &Value) -> Option<u64> {
    let number = match value.as_str() {
        Some(digits) => digits.parse().ok(),
        None => value.as_integer().and_then(|number| u64::try_from(number).ok()),
    };
    number.filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
        entries.into_iter().collect()
    }

    #[test]
    fn numbers_may_be_texts() {
        for (size, ttl) in [
            (Value::I16(10), Value::I64(1000)),
            (Value::from("10"), Value::from("1000")),
            (Value::U32(10), Value::from("1000")),
        ] {
            let arguments = table([(SIZE, size), (TTL, ttl)]);
            assert_eq!(validate(&arguments), Ok(()));
            let rule = Deduplication {
                keys_max: 10,
                ttl_ms: Some(1000),
            };
            assert_eq!(memory(&arguments), KeyMemory { rule, is_kept: true });
        }
    }

    #[test]
    fn keys_are_kept_unless_they_are_not_to_be_and_are_bounded() {
        let arguments = |word: &str| table([(SIZE, Value::I64(1 << 40)), (PERSISTENCE, Value::from(word))]);
        for (word, is_kept) in [("disk", true), ("memory", false)] {
            assert_eq!(validate(&arguments(word)), Ok(()));
            let rule = Deduplication {
                keys_max: KEYS_MAX,
                ttl_ms: None,
            };
            assert_eq!(memory(&arguments(word)), KeyMemory { rule, is_kept });
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let size = "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0";
        let ttl = "Invalid argument, 'x-cache-ttl' must be an integer greater than 0";
        let persistence = "Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'";
        let refusal = |arguments: &Table| validate(arguments).unwrap_err().to_string();
        assert_eq!(refusal(&Table::new()), size);
        for value in [
            Value::I64(0),
            Value::I8(-1),
            Value::Bool(true),
            Value::from("ten"),
            Value::from("0"),
        ] {
            assert_eq!(refusal(&table([(SIZE, value.clone())])), size);
            assert_eq!(refusal(&table([(SIZE, Value::I8(1)), (TTL, value)])), ttl);
        }
        for value in [Value::from("ram"), Value::I8(1), Value::Void] {
            assert_eq!(
                refusal(&table([(SIZE, Value::I8(1)), (PERSISTENCE, value)])),
                persistence
            );
        }
    }
}
