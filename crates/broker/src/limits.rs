//! Limits that operators set on a virtual host or on a user: a name and a number, negative for none.
//!
//! ```text
//!   of a virtual host    max-connections, max-queues       parameter `vhost-limits`, named `limits`
//!   of a user            max-connections, max-channels     with the user
//! ```
//!
//! RabbitMQ: vhosts.md#limits, user-limits.md. What obeys a limit asks [`Limits::most`].

use std::collections::BTreeMap;

use crate::value::{Table, Value};

/// Connections that a virtual host, or a user, may have at a time.
pub const MAX_CONNECTIONS: &str = "max-connections";
/// Queues that a virtual host may have.
pub const MAX_QUEUES: &str = "max-queues";
/// Channels that a user may have at a time, on all connections.
pub const MAX_CHANNELS: &str = "max-channels";

/// What limits are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// A virtual host.
    Vhost,
    /// A user.
    User,
}

impl Limited {
    /// The names of its limits.
    pub fn names(self) -> [&'static str; 2] {
        match self {
            Self::Vhost => [MAX_CONNECTIONS, MAX_QUEUES],
            Self::User => [MAX_CONNECTIONS, MAX_CHANNELS],
        }
    }

    /// RabbitMQ's word for the set of them, in refusals.
    fn word(self) -> &'static str {
        match self {
            Self::Vhost => "limits",
            Self::User => "user-limits",
        }
    }
}

/// Why something is no limit. Displays in RabbitMQ's words.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Not the name of a limit, with its value.
    #[error("Unrecognised terms [{{{0},{1}}}] in {word}", word = .2.word())]
    Unknown(String, String, Limited),
    /// Not a whole number.
    #[error("{0} should be a number, actually was {1}")]
    NoNumber(&'static str, String),
    /// Not a set of names and numbers at all.
    #[error("{word} not a list {0}", word = .1.word())]
    NoTable(String, Limited),
}

/// Limits by name, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits(BTreeMap<Box<str>, i64>);

impl Limits {
    /// Reads limits as parameters and definitions have them.
    ///
    /// # Errors
    /// [`Fault`], of the first that is none.
    pub fn read(value: &Value, of: Limited) -> Result<Self, Fault> {
        let Value::Table(table) = value else {
            // What has nothing in it is a list as much as a table, in JSON of RabbitMQ.
            return match value {
                Value::Array(items) if items.is_empty() => Ok(Self::default()),
                other => Err(Fault::NoTable(other.term(), of)),
            };
        };
        let mut limits = Self::default();
        for (name, value) in table.iter() {
            limits.set(name, value, of)?;
        }
        Ok(limits)
    }

    /// Sets one limit.
    ///
    /// # Errors
    /// [`Fault::Unknown`], [`Fault::NoNumber`].
    pub fn set(&mut self, name: &str, value: &Value, of: Limited) -> Result<(), Fault> {
        let known = of.names().into_iter().find(|known| *known == name);
        let Some(known) = known else {
            let name = Value::from(name).term();
            return Err(Fault::Unknown(name, value.term(), of));
        };
        let number = value.as_integer();
        let number = number.ok_or_else(|| Fault::NoNumber(known, value.term()))?;
        self.keep(known, number);
        Ok(())
    }

    /// Takes a number for what was [set](Self::set) before, whatever its name.
    pub(crate) fn keep(&mut self, name: &str, number: i64) {
        self.0.insert(name.into(), number);
    }

    /// Takes a limit away. Whether there was one.
    pub fn clear(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// What a limit allows at most; `None`: as much as there is.
    pub fn most(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(|number| u64::try_from(*number).ok())
    }

    /// Names and numbers, as they were set.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, number)| (&**name, *number))
    }

    /// Whether none was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same as a table.
    pub fn to_table(&self) -> Table {
        self.iter().map(|(name, n)| (name, Value::I64(n))).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn table(entries: &[(&str, Value)]) -> Value {
        Value::Table(entries.iter().cloned().collect())
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        let value = table(&[("max-connections", Value::I64(7)), ("max-queues", Value::I64(-1))]);
        let limits = Limits::read(&value, Limited::Vhost).unwrap();
        assert_eq!(Value::Table(limits.to_table()), value);
        assert_eq!(limits.most("max-connections"), Some(7));
        assert_eq!(limits.most("max-queues"), None, "negative is none");
        assert!(
            Limits::read(&Value::Array(Vec::new()), Limited::User)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn one_limit_comes_and_goes() {
        let mut limits = Limits::default();
        limits.set("max-channels", &Value::I64(0), Limited::User).unwrap();
        assert_eq!(limits.most("max-channels"), Some(0));
        assert!(limits.clear("max-channels"));
        assert!(!limits.clear("max-channels"));
    }

    #[test]
    fn what_is_no_limit_is_refused_in_rabbitmqs_words() {
        let refused = |value: &Value, of| Limits::read(value, of).unwrap_err().to_string();
        for (value, of, words) in [
            (
                table(&[("nope", Value::I64(5))]),
                Limited::Vhost,
                r#"Unrecognised terms [{<<"nope">>,5}] in limits"#,
            ),
            (
                table(&[("max-queues", Value::I64(5))]),
                Limited::User,
                r#"Unrecognised terms [{<<"max-queues">>,5}] in user-limits"#,
            ),
            (
                table(&[("max-queues", "5".into())]),
                Limited::Vhost,
                r#"max-queues should be a number, actually was <<"5">>"#,
            ),
            (
                table(&[("max-queues", Value::F64(5.5))]),
                Limited::Vhost,
                "max-queues should be a number, actually was 5.5",
            ),
            (Value::I64(5), Limited::Vhost, "limits not a list 5"),
        ] {
            assert_eq!(refused(&value, of), words);
        }
    }
}
