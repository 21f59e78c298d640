//! Credentials, as SASL mechanisms carry them.
//!
//! RabbitMQ: access-control.md#mechanisms

use warren_protocol::amqp091::table::{Table, Value};

/// A user's name and password as the client sent them. `Debug` shows no password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The user's name.
    pub(crate) user: String,
    /// The password.
    pub(crate) password: Vec<u8>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A mechanism that this broker knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// `NUL user NUL password` (RFC 4616, without an authorisation identity).
    Plain,
    /// A field table with `LOGIN` and `PASSWORD`.
    Amqplain,
}

impl Mechanism {
    /// The mechanism of this name, if it is among the offered ones.
    pub(crate) fn named(name: &str, offered: &[String]) -> Option<Self> {
        if !offered.iter().any(|other| other == name) {
            return None;
        }
        match name {
            "PLAIN" => Some(Self::Plain),
            "AMQPLAIN" => Some(Self::Amqplain),
            _ => None,
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Amqplain => "AMQPLAIN",
        }
    }

    /// Reads the client's response; `None` when it is malformed.
    pub(crate) fn read(self, response: &[u8]) -> Option<Credentials> {
        match self {
            Self::Plain => read_plain(response),
            Self::Amqplain => read_amqplain(response),
        }
    }
}

fn read_plain(response: &[u8]) -> Option<Credentials> {
    let mut parts = response.split(|byte| *byte == 0);
    let (authorisation, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    if !authorisation.is_empty() || parts.next().is_some() {
        return None;
    }
    let user = std::str::from_utf8(user).ok()?.to_owned();
    Some(Credentials {
        user,
        password: password.to_vec(),
    })
}

fn read_amqplain(response: &[u8]) -> Option<Credentials> {
    let table = Table::parse(response).ok()?;
    let text = |name: &[u8]| match table.find(name) {
        Some(Value::LongString(bytes)) => Some(bytes),
        _ => None,
    };
    let user = std::str::from_utf8(text(b"LOGIN")?).ok()?.to_owned();
    Some(Credentials {
        user,
        password: text(b"PASSWORD")?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn plain() {
        let read = Mechanism::Plain.read(b"\0guest\0secret").unwrap();
        assert_eq!(
            (read.user.as_str(), read.password.as_slice()),
            ("guest", b"secret".as_slice())
        );
        for malformed in [
            &b""[..],
            b"guest\0secret",
            b"\0guest",
            b"other\0guest\0secret",
            b"\0a\0b\0c",
        ] {
            assert_eq!(Mechanism::Plain.read(malformed), None, "{malformed:?}");
        }
    }

    #[test]
    fn amqplain() {
        let response = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x02pw";
        let read = Mechanism::Amqplain.read(response).unwrap();
        assert_eq!(
            (read.user.as_str(), read.password.as_slice()),
            ("guest", b"pw".as_slice())
        );
        assert_eq!(Mechanism::Amqplain.read(b"\x05LOGINS\0\0\0\x05guest"), None);
        assert_eq!(Mechanism::Amqplain.read(b"garbage"), None);
    }

    #[test]
    fn only_offered_ones() {
        let offered = ["PLAIN".to_owned()];
        assert_eq!(Mechanism::named("PLAIN", &offered), Some(Mechanism::Plain));
        assert_eq!(Mechanism::named("AMQPLAIN", &offered), None);
    }
}
