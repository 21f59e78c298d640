//! Basic properties as values, to be written: for clients, for tests and for messages that the broker makes
//! itself.

use std::fmt::{self, Debug, Display, Formatter, Write};

use super::edit::write_shortstr;
use super::{Properties, flag};
use crate::amqp091::table::{Error, Table};

/// All fourteen properties; strings are at most 255 octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "each is the property of that name, see `Properties`")]
pub struct Fields<'a> {
    pub content_type: Option<&'a [u8]>,
    pub content_encoding: Option<&'a [u8]>,
    pub headers: Option<Table<'a>>,
    pub delivery_mode: Option<u8>,
    pub priority: Option<u8>,
    pub correlation_id: Option<&'a [u8]>,
    pub reply_to: Option<&'a [u8]>,
    pub expiration: Option<&'a [u8]>,
    pub message_id: Option<&'a [u8]>,
    pub timestamp: Option<u64>,
    pub type_: Option<&'a [u8]>,
    pub user_id: Option<&'a [u8]>,
    pub app_id: Option<&'a [u8]>,
    pub cluster_id: Option<&'a [u8]>,
}

impl<'a> From<Properties<'a>> for Fields<'a> {
    fn from(properties: Properties<'a>) -> Self {
        Fields {
            content_type: properties.content_type(),
            content_encoding: properties.content_encoding(),
            headers: properties.headers(),
            delivery_mode: properties.delivery_mode(),
            priority: properties.priority(),
            correlation_id: properties.correlation_id(),
            reply_to: properties.reply_to(),
            expiration: properties.expiration(),
            message_id: properties.message_id(),
            timestamp: properties.timestamp(),
            type_: properties.type_(),
            user_id: properties.user_id(),
            app_id: properties.app_id(),
            cluster_id: properties.cluster_id(),
        }
    }
}

/// One property's value.
pub(in crate::amqp091) enum Field<'a> {
    String(&'a [u8]),
    Table(Table<'a>),
    Octet(u8),
    Timestamp(u64),
}

impl<'a> Fields<'a> {
    /// Each property's flag, its name and its value, in the order of the wire.
    pub(in crate::amqp091) fn each(&self) -> [(u16, &'static str, Option<Field<'a>>); 14] {
        let string = |text: Option<&'a [u8]>| text.map(Field::String);
        let octet = |value: Option<u8>| value.map(Field::Octet);
        [
            (flag::CONTENT_TYPE, "content_type", string(self.content_type)),
            (
                flag::CONTENT_ENCODING,
                "content_encoding",
                string(self.content_encoding),
            ),
            (flag::HEADERS, "headers", self.headers.map(Field::Table)),
            (flag::DELIVERY_MODE, "delivery_mode", octet(self.delivery_mode)),
            (flag::PRIORITY, "priority", octet(self.priority)),
            (
                flag::CORRELATION_ID,
                "correlation_id",
                string(self.correlation_id),
            ),
            (flag::REPLY_TO, "reply_to", string(self.reply_to)),
            (flag::EXPIRATION, "expiration", string(self.expiration)),
            (flag::MESSAGE_ID, "message_id", string(self.message_id)),
            (flag::TIMESTAMP, "timestamp", self.timestamp.map(Field::Timestamp)),
            (flag::TYPE, "type", string(self.type_)),
            (flag::USER_ID, "user_id", string(self.user_id)),
            (flag::APP_ID, "app_id", string(self.app_id)),
            (flag::CLUSTER_ID, "cluster_id", string(self.cluster_id)),
        ]
    }

    /// Appends the properties, flags included.
    ///
    /// # Errors
    /// [`Error::NameTooLong`] if a string exceeds 255 octets, [`Error::TooLarge`] if the headers exceed 2^32
    /// - 1; `out` is then as it was before.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let before = out.len();
        let written = self.write(out);
        if written.is_err() {
            out.truncate(before);
        }
        written
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let each = self.each();
        let flags = each
            .iter()
            .filter(|field| field.2.is_some())
            .fold(0, |flags, field| flags | field.0);
        out.extend_from_slice(&u16::to_be_bytes(flags));
        for (_, _, value) in each {
            match value {
                None => {}
                Some(Field::String(text)) => write_shortstr(text, out)?,
                Some(Field::Octet(value)) => out.push(value),
                Some(Field::Timestamp(seconds)) => out.extend_from_slice(&seconds.to_be_bytes()),
                Some(Field::Table(table)) => {
                    let octets = table.raw().len();
                    let length = u32::try_from(octets).map_err(|_| Error::TooLarge { octets })?;
                    out.extend_from_slice(&length.to_be_bytes());
                    out.extend_from_slice(table.raw());
                }
            }
        }
        Ok(())
    }
}

/// The notation of transcripts: `delivery_mode=2 headers={a=1}`, the absent left out.
impl Display for Fields<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (_, name, value) in self.each() {
            let Some(value) = value else { continue };
            if !std::mem::take(&mut first) {
                f.write_char(' ')?;
            }
            write!(f, "{name}=")?;
            match value {
                Field::String(text) => write!(f, "{}", crate::amqp091::table::Quoted(text))?,
                Field::Table(table) => write!(f, "{table}")?,
                Field::Octet(value) => write!(f, "{value}")?,
                Field::Timestamp(seconds) => write!(f, "{seconds}")?,
            }
        }
        Ok(())
    }
}

impl Display for Properties<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&Fields::from(*self), f)
    }
}

impl Debug for Properties<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Properties({self})")
    }
}
