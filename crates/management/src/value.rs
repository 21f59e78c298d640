//! Values of the broker as JSON, and back.
//!
//! ```text
//!   true <-> Bool    7 <-> I64    0.5 <-> F64    "a" <-> String    null <-> Void
//!   [..] <-> Array   {..} <-> Table
//! ```
//!
//! JSON has one kind of integer, so a width that a value had when it came over AMQP is lost, here as in
//! RabbitMQ; equivalence of arguments does not look at widths. What is no text is shown as well as may be.

use serde_json::{Map, Number, Value as Json};
use warren_broker::value::{Table, Value};

/// A value of JSON. The reader of the JSON has bounded its depth.
///
/// # Errors
/// An integer above the largest that 64 bits with a sign hold.
pub fn from_json(json: &Json) -> Result<Value, Number> {
    Ok(match json {
        Json::Null => Value::Void,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Value::I64(integer),
            (None, Some(float)) if number.is_f64() => Value::F64(float),
            _ => return Err(number.clone()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect::<Result<_, _>>()?),
        Json::Object(fields) => {
            let field = |(name, json): (&String, &Json)| Ok((name.clone(), from_json(json)?));
            Value::Table(fields.iter().map(field).collect::<Result<_, Number>>()?)
        }
    })
}

/// A value as JSON.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Void => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Timestamp(seconds) => Json::from(*seconds),
        Value::F32(float) => Json::from(*float),
        Value::F64(float) => Json::from(*float),
        Value::Decimal { scale, value } => Json::from(f64::from(*value) / 10f64.powi(i32::from(*scale))),
        Value::String(bytes) | Value::Bytes(bytes) => Json::from(String::from_utf8_lossy(bytes)),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Table(table) => Json::Object(table_to_json(table)),
        integer => integer.as_integer().map_or(Json::Null, Json::from),
    }
}

/// A table as an object.
pub fn table_to_json(table: &Table) -> Map<String, Json> {
    let entries = table.iter();
    entries
        .map(|(name, value)| (name.to_owned(), to_json(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn json_comes_back_as_it_went() {
        let text = r#"{"a":true,"b":-7,"c":0.5,"d":"x","e":null,"f":[1,"y"],"g":{"h":9223372036854775807}}"#;
        let json: Json = serde_json::from_str(text).unwrap();
        assert_eq!(to_json(&from_json(&json).unwrap()).to_string(), text);
    }

    #[test]
    fn values_that_json_has_no_word_for_are_shown() {
        for (value, shown) in [
            (Value::U8(200), "200"),
            (Value::U32(7), "7"),
            (Value::Timestamp(u64::MAX), "18446744073709551615"),
            (Value::Decimal { scale: 2, value: 150 }, "1.5"),
            (Value::Bytes((*b"a\xff").into()), "\"a\u{fffd}\""),
            (Value::F64(f64::NAN), "null"),
        ] {
            assert_eq!(to_json(&value).to_string(), shown);
        }
    }

    #[test]
    fn an_integer_that_does_not_fit_is_refused() {
        let json: Json = serde_json::from_str("[18446744073709551615]").unwrap();
        assert_eq!(from_json(&json).unwrap_err().to_string(), "18446744073709551615");
    }
}
