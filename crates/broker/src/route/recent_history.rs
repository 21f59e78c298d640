//! Recent-history exchanges (`x-recent-history`): fanout exchanges that give the messages that they routed
//! last to whoever is bound to them.
//!
//! Here are their arguments. What they remember is kept by those who run them, who know messages.
//!
//! RabbitMQ: plugin rabbitmq_recent_history_exchange.

use super::{ExchangeFault, ExchangeType};
use crate::value::{Table, Value};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-recent-history",
    description: "Recent History Exchange.",
    validate,
    remembers: length,
    ..ExchangeType::PLAIN
};

const LENGTH: &str = "x-recent-history-length";

/// How many messages are remembered by an exchange that says no number.
const LENGTH_DEFAULT: usize = 20;

/// The header by which a publisher says that a message is not to be remembered.
const NO_STORE: &str = "x-recent-history-no-store";

fn validate(arguments: &Table) -> Result<(), ExchangeFault> {
    match arguments.get(LENGTH) {
        Some(value) if value.as_integer().is_none_or(|length| length < 1) => {
            Err(ExchangeFault::HistoryLength(value.clone()))
        }
        _ => Ok(()),
    }
}

fn length(arguments: &Table) -> usize {
    let asked = arguments.get(LENGTH).and_then(Value::as_integer);
    asked.map_or(LENGTH_DEFAULT, |length| {
        usize::try_from(length).unwrap_or(usize::MAX)
    })
}

/// Whether a message with these headers is to be remembered by the exchanges that do so.
pub fn is_remembered(headers: &Table) -> bool {
    !matches!(headers.get(NO_STORE), Some(Value::Bool(true)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn one(name: &str, value: Value) -> Table {
        [(name, value)].into_iter().collect()
    }

    #[test]
    fn a_length_is_a_positive_integer() {
        assert_eq!(validate(&Table::new()), Ok(()));
        assert_eq!(length(&Table::new()), 20);
        assert_eq!(length(&one(LENGTH, Value::I8(3))), 3);
        assert_eq!(validate(&one(LENGTH, Value::I64(1 << 40))), Ok(()));
        // What RabbitMQ 4.0.5 said.
        for (value, shown) in [
            (Value::I32(0), "0"),
            (Value::I64(-1), "-1"),
            (Value::Bool(true), "true"),
            (Value::from("x"), "<<\"x\">>"),
            (Value::Void, "undefined"),
            (Value::Array(Vec::new()), "[]"),
        ] {
            assert_eq!(
                validate(&one(LENGTH, value)).unwrap_err().to_string(),
                format!("Invalid argument {shown}, 'x-recent-history-length' must be a positive integer")
            );
        }
    }

    #[test]
    fn only_the_truth_keeps_a_message_from_being_remembered() {
        assert!(is_remembered(&Table::new()));
        assert!(is_remembered(&one(NO_STORE, Value::Bool(false))));
        assert!(is_remembered(&one(NO_STORE, Value::from("true"))));
        assert!(!is_remembered(&one(NO_STORE, Value::Bool(true))));
    }
}
