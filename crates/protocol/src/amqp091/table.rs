//! Field tables and arrays, raw and borrowed, checked once and then read without failing.
//!
//! ```text
//! table   = *( shortstr name, value )          the u32 length in front belongs to whoever holds the table
//! array   = *( value )
//! value   = type octet, data
//!
//! t bool      b i8    s i16   I i32   l i64 (L too)   f f32   S longstr   A u32 length, array
//! V (void)    B u8    u u16   i u32   T u64 seconds   d f64   x bytes     F u32 length, table
//!                                                             D u8 scale, u32 digits
//! ```
//!
//! The types are RabbitMQ's, where they differ from the specification's. [`Table::parse`] walks everything to
//! the last nested value with a stack of bounded depth, so no input can exhaust the thread's own. Names are
//! any bytes and may repeat; the first of a name counts. Spec: 0-9-1 §4.2.5.5; RabbitMQ:
//! amqp-0-9-1-errata.md#section_3.

mod display;
mod merge;
mod writer;

#[cfg(test)]
pub(in crate::amqp091) mod tests;

use super::cursor::{Cursor, Error as CursorError};
pub(super) use display::Quoted;
#[cfg(any(test, feature = "text"))]
pub(super) use display::is_bare_octet;
pub use merge::Change;
pub use writer::{ArrayBuf, ArrayWriter, Error, TableBuf, TableWriter, write_array, write_table};

/// How deep tables and arrays may be nested, the outermost counted as one.
pub const DEPTH_MAX: usize = 64;

/// A checked field table, without the length in front.
///
/// Two are equal if their bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Table<'a>(&'a [u8]);

/// A checked field array, without the length in front.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Array<'a>(&'a [u8]);

/// One field value.
#[derive(Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `t`: any octet but 0 is true.
    Bool(bool),
    /// `b`.
    I8(i8),
    /// `B`.
    U8(u8),
    /// `s`.
    I16(i16),
    /// `u`.
    U16(u16),
    /// `I`.
    I32(i32),
    /// `i`.
    U32(u32),
    /// `l`, and `L` as RabbitMQ reads it.
    I64(i64),
    /// `f`.
    F32(f32),
    /// `d`.
    F64(f64),
    /// `D`: `value` divided by ten to the power of `scale`.
    Decimal {
        /// Digits behind the point.
        scale: u8,
        /// All digits.
        value: u32,
    },
    /// `S`: text by intention, any bytes in fact.
    LongString(&'a [u8]),
    /// `x`.
    Bytes(&'a [u8]),
    /// `A`.
    Array(Array<'a>),
    /// `T`: seconds since 1970.
    Timestamp(u64),
    /// `F`.
    Table(Table<'a>),
    /// `V`.
    Void,
}

impl<'a> Table<'a> {
    /// The table without fields.
    pub const EMPTY: Table<'static> = Table(&[]);

    /// Checks a table's bytes, the u32 length in front left out.
    ///
    /// # Errors
    /// `UnexpectedEnd` if a value or a length passes the end of its table; `UnknownFieldType`; `TooDeep` past
    /// [`DEPTH_MAX`].
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CursorError> {
        if !bytes.is_empty() {
            validate(bytes, Container::Table)?;
        }
        Ok(Table(bytes))
    }

    /// Takes bytes that were checked before, by whoever kept them. Those that were not show fewer fields than
    /// they have, and nothing worse.
    #[inline]
    pub(super) fn trusted(bytes: &'a [u8]) -> Self {
        Table(bytes)
    }

    /// The bytes, without the length in front.
    #[inline]
    pub fn raw(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there is no field.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields in the order that they were sent.
    #[inline]
    pub fn iter(&self) -> Fields<'a> {
        Fields(Cursor::new(self.0))
    }

    /// The first field of that name.
    pub fn find(&self, name: &[u8]) -> Option<Value<'a>> {
        self.iter()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }
}

impl<'a> Array<'a> {
    /// The array without values.
    pub const EMPTY: Array<'static> = Array(&[]);

    /// Checks an array's bytes, the u32 length in front left out.
    ///
    /// # Errors
    /// As [`Table::parse`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CursorError> {
        validate(bytes, Container::Array)?;
        Ok(Array(bytes))
    }

    /// Takes bytes that were checked before, as [`Table::trusted`] does.
    fn trusted(bytes: &'a [u8]) -> Self {
        Array(bytes)
    }

    /// The bytes, without the length in front.
    #[inline]
    pub fn raw(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there is no value.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values in order.
    #[inline]
    pub fn iter(&self) -> Values<'a> {
        Values(Cursor::new(self.0))
    }
}

impl<'a> IntoIterator for Table<'a> {
    type Item = (&'a [u8], Value<'a>);
    type IntoIter = Fields<'a>;

    fn into_iter(self) -> Fields<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for Array<'a> {
    type Item = Value<'a>;
    type IntoIter = Values<'a>;

    fn into_iter(self) -> Values<'a> {
        self.iter()
    }
}

/// The fields of a [`Table`].
#[derive(Debug, Clone)]
pub struct Fields<'a>(Cursor<'a>);

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // The bytes were checked, so that a failed read can only mean the end.
        let name = self.0.shortstr().ok()?;
        Some((name, read_value(&mut self.0).ok()?))
    }
}

/// The values of an [`Array`].
#[derive(Debug, Clone)]
pub struct Values<'a>(Cursor<'a>);

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        read_value(&mut self.0).ok()
    }
}

/// Reads a type octet and its data. What is nested inside is cut out, not checked.
fn read_value<'a>(cursor: &mut Cursor<'a>) -> Result<Value<'a>, CursorError> {
    Ok(match cursor.u8()? {
        b't' => Value::Bool(cursor.u8()? != 0),
        b'b' => Value::I8(cursor.i8()?),
        b'B' => Value::U8(cursor.u8()?),
        b's' => Value::I16(cursor.i16()?),
        b'u' => Value::U16(cursor.u16()?),
        b'I' => Value::I32(cursor.i32()?),
        b'i' => Value::U32(cursor.u32()?),
        b'l' | b'L' => Value::I64(cursor.i64()?),
        b'f' => Value::F32(cursor.f32()?),
        b'd' => Value::F64(cursor.f64()?),
        b'D' => Value::Decimal {
            scale: cursor.u8()?,
            value: cursor.u32()?,
        },
        b'S' => Value::LongString(cursor.longstr()?),
        b'x' => Value::Bytes(cursor.longstr()?),
        b'A' => Value::Array(Array(cursor.longstr()?)),
        b'T' => Value::Timestamp(cursor.u64()?),
        b'F' => Value::Table(Table(cursor.longstr()?)),
        b'V' => Value::Void,
        other => return Err(CursorError::UnknownFieldType(other)),
    })
}

/// What the walk of [`validate`] is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Table,
    Array,
}

/// Walks all values, nested ones included, and returns at the first that is not well formed.
///
/// The stack holds, for each container around the present one, where it ends in `bytes`.
fn validate(bytes: &[u8], outermost: Container) -> Result<(), CursorError> {
    // Lengths on the wire are 32 bits; a longer slice can be no table, and the stack is half as large this
    // way.
    let mut end = u32::try_from(bytes.len()).map_err(|_| CursorError::LengthMismatch)?;
    let mut around = [(0_u32, Container::Table); DEPTH_MAX - 1];
    let mut depth = 0_usize;
    let mut inside = outermost;
    let mut cursor = Cursor::new(bytes);
    loop {
        while cursor.is_empty() {
            let Some(outer) = depth.checked_sub(1) else {
                return Ok(());
            };
            let &(outer_end, outer_kind) = around.get(outer).ok_or(CursorError::TooDeep)?;
            let rest = bytes.get(end as usize..outer_end as usize);
            cursor = Cursor::new(rest.ok_or(CursorError::LengthMismatch)?);
            (depth, end, inside) = (outer, outer_end, outer_kind);
        }
        if inside == Container::Table {
            cursor.shortstr()?;
        }
        let (inner, kind) = match read_value(&mut cursor)? {
            Value::Table(table) => (table.0, Container::Table),
            Value::Array(array) => (array.0, Container::Array),
            _ => continue,
        };
        *around.get_mut(depth).ok_or(CursorError::TooDeep)? = (end, inside);
        depth += 1;
        // What the cursor has left is at most `end` bytes, since it lies within the same container.
        end = end.saturating_sub(u32::try_from(cursor.remaining()).unwrap_or(u32::MAX));
        inside = kind;
        cursor = Cursor::new(inner);
    }
}
