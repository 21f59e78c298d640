//! The x-arguments of an exchange that every type has.
//!
//! There is one: `alternate-exchange`, which gets what the exchange cannot route. Whatever else a declaration
//! carries belongs to the type, which reads it when it makes its table, or to nobody.
//!
//! RabbitMQ: ae.md (alternate exchanges); specification.md (equivalence).

use crate::name::ExchangeName;
use crate::value::{Table, Value, equivalent};

/// The exchange that gets what this one cannot route.
pub const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// Arguments that a redeclaration must repeat. Others are not looked at.
const COMPARED: &[&str] = &[ALTERNATE_EXCHANGE];

/// Why an argument cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The argument names an exchange and is no long string.
    #[error("invalid type '{type_name}' for arg '{argument}'")]
    WrongType {
        /// The argument.
        argument: &'static str,
        /// The type that it has, as refusals name it.
        type_name: &'static str,
    },
    /// The argument is a long string and no exchange can have that name.
    #[error("arg '{argument}' names no exchange")]
    NoName {
        /// The argument.
        argument: &'static str,
    },
}

/// The alternate exchange, if the arguments name one.
///
/// # Errors
/// [`Error::WrongType`] when the argument is no long string, [`Error::NoName`] when it is too long or no
/// UTF-8. RabbitMQ takes such names, and since nothing can be called that, drops what they should get.
pub fn alternate(arguments: &Table) -> Result<Option<ExchangeName>, Error> {
    let Some(value) = arguments.get(ALTERNATE_EXCHANGE) else {
        return Ok(None);
    };
    let Value::String(_) = value else {
        return Err(Error::WrongType {
            argument: ALTERNATE_EXCHANGE,
            type_name: value.type_name(),
        });
    };
    let name = value.as_str().and_then(|text| ExchangeName::new(text).ok());
    name.map(Some).ok_or(Error::NoName {
        argument: ALTERNATE_EXCHANGE,
    })
}

/// An argument that differs between a declaration and what exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The argument.
    pub argument: &'static str,
    /// What the declaration says.
    pub received: Option<Value>,
    /// What exists.
    pub current: Option<Value>,
}

/// The first difference that keeps a declaration from being a repetition.
pub fn difference(received: &Table, current: &Table) -> Option<Difference> {
    COMPARED.iter().find_map(|&argument| {
        let (received, current) = (received.get(argument), current.get(argument));
        let same = match (received, current) {
            (Some(received), Some(current)) => equivalent(received, current),
            (None, None) => true,
            _ => false,
        };
        let differing = || Difference {
            argument,
            received: received.cloned(),
            current: current.cloned(),
        };
        (!same).then(differing)
    })
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use super::*;

    fn with_alternate(value: Value) -> Table {
        [(ALTERNATE_EXCHANGE, value)].into_iter().collect()
    }

    #[test]
    fn an_alternate_is_a_long_string() {
        assert_eq!(alternate(&Table::new()), Ok(None));
        let named = alternate(&with_alternate("ae".into())).unwrap();
        assert_eq!(named, Some(ExchangeName::new("ae").unwrap()));
        let wrong = Error::WrongType {
            argument: "alternate-exchange",
            type_name: "signedint",
        };
        assert_eq!(alternate(&with_alternate(Value::I32(1))), Err(wrong));
        let unnamed = Err(Error::NoName {
            argument: "alternate-exchange",
        });
        assert_eq!(alternate(&with_alternate(Value::String([0xFF].into()))), unnamed);
        assert_eq!(
            alternate(&with_alternate(Value::from("x".repeat(256).as_str()))),
            unnamed
        );
    }

    #[test]
    fn a_redeclaration_repeats_the_alternate_and_nothing_else() {
        let named = with_alternate("ae".into());
        let mut more = named.clone();
        more.insert("x-other", Value::Bool(true));
        assert_eq!(difference(&named, &more), None);
        assert_eq!(difference(&Table::new(), &Table::new()), None);
        let found = difference(&named, &Table::new()).unwrap();
        assert_eq!((found.received, found.current), (Some("ae".into()), None));
        let found = difference(&with_alternate("other".into()), &named).unwrap();
        assert_eq!(
            (found.received, found.current),
            (Some("other".into()), Some("ae".into()))
        );
    }
}
