//! Delayed exchanges (`x-delayed-message`): another type, named by `x-delayed-type`, under this name.
//!
//! It routes as that type does. Nothing here delays: a message that is not due waits in the queues that it
//! was routed to, whatever exchange it went through. So it is routed when it is published, by the bindings of
//! that moment, where RabbitMQ's plugin routes it when it is due.
//!
//! RabbitMQ: plugin rabbitmq_delayed_message_exchange.

use super::{BindingRefusal, ExchangeFault, ExchangeKind, ExchangeType, fanout};
use crate::value::{Table, Value};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: NAME,
    description: "Delayed Message Exchange.",
    new_table: |arguments| match routed_as(arguments) {
        Some(kind) => (kind.new_table)(arguments),
        // Arguments that were not validated.
        None => (fanout::TYPE.new_table)(arguments),
    },
    validate,
    validate_binding: |_| Err(BindingRefusal::NoQueue),
    routed_as,
    ..ExchangeType::PLAIN
};

const NAME: &str = "x-delayed-message";
const ROUTED_AS: &str = "x-delayed-type";

fn named(arguments: &Table) -> Option<&str> {
    arguments.get(ROUTED_AS).and_then(Value::as_str)
}

fn routed_as(arguments: &Table) -> Option<ExchangeKind> {
    named(arguments)
        .filter(|name| *name != NAME)
        .and_then(ExchangeKind::named)
}

fn validate(arguments: &Table) -> Result<(), ExchangeFault> {
    match named(arguments) {
        None => Err(ExchangeFault::NoDelayedType),
        Some(NAME) => Err(ExchangeFault::DelaysItself),
        Some(name) => match ExchangeKind::named(name) {
            None => Err(ExchangeFault::UnknownType(name.to_owned())),
            Some(kind) => (kind.validate)(arguments),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::{Asked, Destination, EXCHANGE_TYPES, NoHeaders, QueueId, Routable, validate_binding};
    use super::*;

    fn arguments(kind: &str) -> Table {
        [(ROUTED_AS, Value::from(kind))].into_iter().collect()
    }

    fn delayed() -> ExchangeKind {
        ExchangeKind::named(NAME).unwrap()
    }

    fn refusal(arguments: &Table) -> String {
        (delayed().validate)(arguments).unwrap_err().to_string()
    }

    #[test]
    fn it_is_any_type_but_itself() {
        for row in EXCHANGE_TYPES.iter().filter(|row| row.name != NAME) {
            let mut arguments = arguments(row.name);
            if (row.deduplicates)(&arguments).is_some() {
                arguments.insert("x-cache-size", Value::I8(1));
            }
            assert_eq!((delayed().validate)(&arguments), Ok(()));
            assert_eq!(delayed().routed_as(&arguments), ExchangeKind::from(row));
        }
        let none = "Invalid argument, 'x-delayed-type' must be an existing exchange type";
        assert_eq!(refusal(&Table::new()), none);
        let number = [(ROUTED_AS, Value::I32(5))].into_iter().collect();
        assert_eq!(refusal(&number), none);
        assert_eq!(refusal(&arguments("nope")), "unknown exchange type 'nope'");
        assert_eq!(
            refusal(&arguments(NAME)),
            "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'"
        );
    }

    #[test]
    fn what_the_other_type_asks_for_is_asked_for() {
        let mut both = arguments("x-consistent-hash");
        both.insert("hash-property", Value::from("nope"));
        assert_eq!(refusal(&both), "Unsupported property: nope");
        let asked = Asked {
            key: "no number",
            arguments: &Table::new(),
            queue_type: Some("rabbit_classic_queue"),
        };
        let kind = delayed().routed_as(&both);
        assert!(validate_binding(&kind, &asked).is_err());
        assert!(validate_binding(&delayed().routed_as(&arguments("topic")), &asked).is_ok());
    }

    #[test]
    fn it_routes_as_the_other_type_does() {
        let arguments = arguments("topic");
        let mut table = (delayed().new_table)(&arguments);
        table.bind("a.*", &Table::new(), Destination::Queue(QueueId(1)), "q");
        for (key, expected) in [("a.b", 1), ("b.a", 0)] {
            let mut found = 0;
            let headers = &NoHeaders;
            table.route(&Routable { key, headers }, &mut |_| found += 1);
            assert_eq!(found, expected, "{key}");
        }
        let kind = delayed().routed_as(&arguments);
        assert!(kind.has_topics && !kind.picks_one);
    }
}
