//! Methods as text: `queue.declare-ok queue="q" message_count=0 consumer_count=0`.
//!
//! The notation of transcripts and traces. The name, then the fields in the order of the wire: numbers
//! always, a bit as its bare name if it is set, strings and tables if they are not empty. Reserved fields are
//! never shown. It is written from the encoded arguments by way of [`super::METHODS`], which costs an
//! allocation: not for the hot path. `method::text` reads it back.

use std::fmt::{self, Display, Formatter};

use super::{FieldKind, Method, MethodSpec};
use crate::amqp091::cursor::{Cursor, Error};
use crate::amqp091::table::{Quoted, Table};

/// The method in the notation of transcripts.
pub fn describe(method: &Method<'_>) -> String {
    method.to_string()
}

impl Display for Method<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let spec = self.spec();
        f.write_str(spec.name)?;
        let mut arguments = Vec::new();
        self.write(&mut arguments);
        for field in FieldReader::new(spec, &arguments) {
            // What was just encoded can be read; if not, a trace is no place to fail.
            let Ok((name, value)) = field else { break };
            if !spec.reserved.contains(&name) {
                show(f, name, value)?;
            }
        }
        Ok(())
    }
}

fn show(f: &mut Formatter<'_>, name: &str, value: FieldValue<'_>) -> fmt::Result {
    match value {
        FieldValue::Bit(false) => Ok(()),
        FieldValue::Bit(true) => write!(f, " {name}"),
        FieldValue::Number(value) => write!(f, " {name}={value}"),
        FieldValue::String([]) => Ok(()),
        FieldValue::String(bytes) => write!(f, " {name}={}", Quoted(bytes)),
        FieldValue::Table(table) if table.is_empty() => Ok(()),
        FieldValue::Table(table) => write!(f, " {name}={table}"),
    }
}

/// A field's value, whatever its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldValue<'a> {
    Bit(bool),
    Number(u64),
    String(&'a [u8]),
    Table(Table<'a>),
}

/// Reads arguments by a method's table of fields.
pub(super) struct FieldReader<'a> {
    fields: std::slice::Iter<'static, (&'static str, FieldKind)>,
    cursor: Cursor<'a>,
    /// The octet that the last bit was in, and the mask of the next one; 0 when the octet is used up.
    bits: (u8, u8),
}

impl<'a> FieldReader<'a> {
    pub(super) fn new(spec: &MethodSpec, arguments: &'a [u8]) -> Self {
        FieldReader {
            fields: spec.fields.iter(),
            cursor: Cursor::new(arguments),
            bits: (0, 0),
        }
    }

    fn bit(&mut self) -> Result<bool, Error> {
        if self.bits.1 == 0 {
            self.bits = (self.cursor.u8()?, 1);
        }
        let (octet, mask) = self.bits;
        self.bits.1 = mask << 1;
        Ok(octet & mask != 0)
    }

    fn read(&mut self, kind: FieldKind) -> Result<FieldValue<'a>, Error> {
        if kind == FieldKind::Bit {
            return self.bit().map(FieldValue::Bit);
        }
        self.bits.1 = 0;
        Ok(match kind {
            FieldKind::Bit | FieldKind::Octet => FieldValue::Number(self.cursor.u8()?.into()),
            FieldKind::Short => FieldValue::Number(self.cursor.u16()?.into()),
            FieldKind::Long => FieldValue::Number(self.cursor.u32()?.into()),
            FieldKind::LongLong | FieldKind::Timestamp => FieldValue::Number(self.cursor.u64()?),
            FieldKind::ShortStr => FieldValue::String(self.cursor.shortstr()?),
            FieldKind::LongStr => FieldValue::String(self.cursor.longstr()?),
            FieldKind::Table => FieldValue::Table(self.cursor.table()?),
        })
    }
}

impl<'a> Iterator for FieldReader<'a> {
    type Item = Result<(&'static str, FieldValue<'a>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let &(name, kind) = self.fields.next()?;
        Some(self.read(kind).map(|value| (name, value)))
    }
}
