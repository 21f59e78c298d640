//! Arguments of definitions, which are JSON, as the values that the broker knows.
//!
//! See [`warren_management::value`] for what becomes of what.

use serde_json::{Map, Number, Value as Json};
use warren_broker::value::Table;
use warren_management::value::from_json;

/// A value that the broker has no type for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An integer above the largest that 64 bits with a sign hold.
    #[error("argument `{name}`: {number} does not fit into 64 bits with a sign")]
    TooLarge {
        /// The argument in whose value the number is.
        name: String,
        /// The number.
        number: Number,
    },
}

/// The arguments of an object as a table.
///
/// # Errors
/// [`Error::TooLarge`], with the name of the argument.
pub fn table(arguments: &Map<String, Json>) -> Result<Table, Error> {
    let named = |(name, json): (&String, &Json)| {
        let found = from_json(json).map_err(|number| Error::TooLarge {
            name: name.clone(),
            number,
        })?;
        Ok((name.clone(), found))
    };
    arguments.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use warren_broker::value::Value;

    use super::*;

    fn of(text: &str) -> Result<Table, Error> {
        table(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn every_kind_of_value_has_a_type() {
        let table =
            of(r#"{"a":true,"b":-7,"c":0.5,"d":"x","e":null,"f":[1,"y"],"g":{"h":9223372036854775807}}"#);
        let inner: Table = [("h", Value::I64(i64::MAX))].into_iter().collect();
        let expected: Table = [
            ("a", Value::Bool(true)),
            ("b", Value::I64(-7)),
            ("c", Value::F64(0.5)),
            ("d", Value::from("x")),
            ("e", Value::Void),
            ("f", Value::Array(vec![Value::I64(1), Value::from("y")])),
            ("g", Value::Table(inner)),
        ]
        .into_iter()
        .collect();
        assert_eq!(table.unwrap(), expected);
        assert!(of("{}").unwrap().is_empty());
    }

    #[test]
    fn an_integer_that_does_not_fit_is_named() {
        for text in [
            r#"{"x-max-length":18446744073709551615}"#,
            r#"{"x-max-length":[{"a":9223372036854775808}]}"#,
        ] {
            let error = of(text).unwrap_err();
            assert!(
                error.to_string().starts_with("argument `x-max-length`: "),
                "{error}"
            );
        }
    }

    #[test]
    fn a_float_without_fraction_stays_a_float() {
        assert_eq!(of(r#"{"a":1.0}"#).unwrap().get("a"), Some(&Value::F64(1.0)));
    }
}
