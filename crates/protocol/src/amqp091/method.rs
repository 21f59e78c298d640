//! Methods: the commands and replies of AMQP 0-9-1, their ids, their arguments and their notation.
//!
//! ```text
//! 0          2           4
//! +----------+-----------+-------------+
//! | class id | method id | arguments   |      the payload of a method frame
//! +----------+-----------+-------------+
//!   u16        u16         in the order of the method's fields; bits that follow one another share octets
//! ```
//!
//! Each method is a struct in the module of its class: [`queue::Declare`]. The structs, [`Method`] and
//! [`METHODS`] are generated from `spec/amqp091.toml`; all else here works on the table and knows no single
//! method.
//!
//! As in RabbitMQ, short strings have to be UTF-8 and nothing may follow the arguments. Spec: 0-9-1 §4.2.4,
//! §1.3-1.8.

mod describe;
#[rustfmt::skip]
mod generated;
#[cfg(any(test, feature = "text"))]
pub mod text;

#[cfg(test)]
mod tests;

use super::cursor::{self, Cursor};
use super::frame;
use super::table::Table;
pub use describe::describe;
pub use generated::*;

/// What is known of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodSpec {
    /// The class id.
    pub class: u16,
    /// The method id.
    pub method: u16,
    /// Class and method as the specification writes them: `queue.declare-ok`.
    pub name: &'static str,
    /// Name and kind of each field, in the order of the wire.
    pub fields: &'static [(&'static str, FieldKind)],
    /// Names of the fields that have no meaning any more. They are read and written, and never shown.
    pub reserved: &'static [&'static str],
    /// Whether a content header and a body follow the method.
    pub content: bool,
}

impl MethodSpec {
    /// The method that the ids name.
    pub fn by_ids(class: u16, method: u16) -> Option<&'static MethodSpec> {
        let found = METHODS.binary_search_by_key(&(class, method), |spec| (spec.class, spec.method));
        METHODS.get(found.ok()?)
    }

    /// The method of that name, such as `basic.get-ok`.
    pub fn by_name(name: &str) -> Option<&'static MethodSpec> {
        METHODS.iter().find(|spec| spec.name == name)
    }
}

/// What a method's field is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// One bit, `bool`; bits that follow one another share octets, the first in the lowest place.
    Bit,
    /// `u8`.
    Octet,
    /// `u16`.
    Short,
    /// `u32`.
    Long,
    /// `u64`.
    LongLong,
    /// `u64`, seconds since 1970.
    Timestamp,
    /// At most 255 octets, UTF-8.
    ShortStr,
    /// At most 2^32 - 1 octets of any kind.
    LongStr,
    /// A field table.
    Table,
}

/// Why a method frame's payload is no method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such class or method.
    #[error("no method {method} in class {class}")]
    Unknown {
        /// The class id as sent.
        class: u16,
        /// The method id as sent.
        method: u16,
    },
    /// The arguments are malformed, or something follows them.
    #[error("malformed arguments of method {method} in class {class}: {cause}")]
    Malformed {
        /// The class id.
        class: u16,
        /// The method id.
        method: u16,
        /// What is wrong.
        cause: cursor::Error,
    },
    /// The payload is shorter than the two ids.
    #[error("a method frame without class and method")]
    Short,
}

impl<'a> Method<'a> {
    /// Reads a method frame's payload.
    ///
    /// # Errors
    /// [`Error`], all of them.
    #[inline]
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(payload);
        let (Ok(class), Ok(method)) = (cursor.u16(), cursor.u16()) else {
            return Err(Error::Short);
        };
        let read = Method::read(class, method, &mut cursor)?;
        match cursor.finish() {
            Ok(()) => Ok(read),
            Err(cause) => Err(Error::Malformed { class, method, cause }),
        }
    }

    /// Appends the whole frame. A short string past 255 octets is cut, at a character's end.
    pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
        let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
        self.encode_payload(out);
        frame::end(out, mark);
    }

    /// Appends the payload alone: the ids and the arguments.
    pub fn encode_payload(&self, out: &mut Vec<u8>) {
        let spec = self.spec();
        out.extend_from_slice(&spec.class.to_be_bytes());
        out.extend_from_slice(&spec.method.to_be_bytes());
        self.write(out);
    }

    /// The class id.
    pub fn class_id(&self) -> u16 {
        self.spec().class
    }

    /// The method id.
    pub fn method_id(&self) -> u16 {
        self.spec().method
    }

    /// Class and method as the specification writes them: `queue.declare-ok`.
    pub fn name(&self) -> &'static str {
        self.spec().name
    }

    /// Whether a content header and a body follow.
    pub fn has_content(&self) -> bool {
        self.spec().content
    }
}

/// Appends a short string, cut at the last character that ends within 255 octets.
#[inline]
fn put_shortstr(out: &mut Vec<u8>, text: &str) {
    let (length, text) = match u8::try_from(text.len()) {
        Ok(length) => (length, text),
        Err(_) => cut(text),
    };
    out.push(length);
    out.extend_from_slice(text.as_bytes());
}

#[cold]
fn cut(text: &str) -> (u8, &str) {
    let kept = text
        .get(..text.floor_char_boundary(usize::from(u8::MAX)))
        .unwrap_or_default();
    (u8::try_from(kept.len()).unwrap_or_default(), kept)
}

/// Appends a long string. None is longer than 4 GiB: it would have to fit a frame.
#[inline]
fn put_longstr(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Appends a table, its length in front.
#[inline]
fn put_table(out: &mut Vec<u8>, table: Table<'_>) {
    put_longstr(out, table.raw());
}
