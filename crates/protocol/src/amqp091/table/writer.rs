//! Writing field tables: closures that name one field after the other, straight into the output buffer.
//!
//! A name that does not fit its length octet, or a table nested too deep, is remembered, not reported field
//! by field: the outermost call fails once and leaves the buffer as it was. Lengths are filled in when a
//! container ends.

use super::{Array, DEPTH_MAX, Table, Value};

/// Why a table could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field name exceeds 255 octets.
    #[error("field name of {octets} octets, 255 allowed")]
    NameTooLong {
        /// Its length.
        octets: usize,
    },
    /// Containers are nested past [`DEPTH_MAX`] by the writer's own calls.
    #[error("tables nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// A string, an array or a table exceeds 2^32 - 1 octets.
    #[error("value of {octets} octets, 4294967295 allowed")]
    TooLarge {
        /// Its length.
        octets: usize,
    },
}

/// Appends a table, its u32 length in front.
///
/// # Errors
/// The first [`Error`] that any field made; `out` is then as it was before.
pub fn write_table(out: &mut Vec<u8>, fill: impl FnOnce(&mut TableWriter<'_>)) -> Result<(), Error> {
    let before = out.len();
    let mut sink = Sink {
        out,
        depth: 0,
        error: None,
    };
    sink.container(filling_table(fill));
    finish(sink, before)
}

/// Appends an array, its u32 length in front.
///
/// # Errors
/// As [`write_table`].
pub fn write_array(out: &mut Vec<u8>, fill: impl FnOnce(&mut ArrayWriter<'_>)) -> Result<(), Error> {
    let before = out.len();
    let mut sink = Sink {
        out,
        depth: 0,
        error: None,
    };
    sink.container(filling_array(fill));
    finish(sink, before)
}

fn finish(sink: Sink<'_>, before: usize) -> Result<(), Error> {
    match sink.error {
        None => Ok(()),
        Some(error) => {
            sink.out.truncate(before);
            Err(error)
        }
    }
}

/// A table that owns its bytes, to be lent to a method or to properties.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableBuf(Vec<u8>);

impl TableBuf {
    /// Writes a table.
    ///
    /// # Errors
    /// As [`write_table`].
    pub fn build(fill: impl FnOnce(&mut TableWriter<'_>)) -> Result<TableBuf, Error> {
        let mut bytes = Vec::new();
        write_table(&mut bytes, fill)?;
        // What a method borrows is the table without its length.
        bytes.drain(..size_of::<u32>());
        Ok(TableBuf(bytes))
    }

    /// The table, borrowed.
    pub fn as_table(&self) -> Table<'_> {
        Table::trusted(&self.0)
    }
}

impl From<Table<'_>> for TableBuf {
    fn from(table: Table<'_>) -> TableBuf {
        TableBuf(table.raw().to_vec())
    }
}

/// An array that owns its bytes, to be lent to a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArrayBuf(Vec<u8>);

impl ArrayBuf {
    /// Writes an array.
    ///
    /// # Errors
    /// As [`write_array`].
    pub fn build(fill: impl FnOnce(&mut ArrayWriter<'_>)) -> Result<ArrayBuf, Error> {
        let mut bytes = Vec::new();
        write_array(&mut bytes, fill)?;
        // What is borrowed is the array without its length.
        bytes.drain(..size_of::<u32>());
        Ok(ArrayBuf(bytes))
    }

    /// The array, borrowed.
    pub fn as_array(&self) -> Array<'_> {
        Array::trusted(&self.0)
    }
}

/// Where writers put bytes, shared by all levels of one table.
pub(super) struct Sink<'o> {
    pub(super) out: &'o mut Vec<u8>,
    /// Containers that are open.
    depth: usize,
    /// The first mistake; once it is there the bytes no longer matter.
    error: Option<Error>,
}

impl Sink<'_> {
    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    fn name(&mut self, name: &[u8]) {
        match u8::try_from(name.len()) {
            Ok(length) => {
                self.out.push(length);
                self.out.extend_from_slice(name);
            }
            Err(_) => self.fail(Error::NameTooLong { octets: name.len() }),
        }
    }

    fn long(&mut self, bytes: &[u8]) {
        match u32::try_from(bytes.len()) {
            Ok(length) => {
                self.out.extend_from_slice(&length.to_be_bytes());
                self.out.extend_from_slice(bytes);
            }
            Err(_) => self.fail(Error::TooLarge { octets: bytes.len() }),
        }
    }

    /// Reserves the length, lets `fill` write, and fills the length in.
    fn container(&mut self, fill: impl FnOnce(Sink<'_>) -> Option<Error>) {
        if self.depth >= DEPTH_MAX {
            self.fail(Error::TooDeep);
            return;
        }
        let at = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        self.error = fill(Sink {
            out: &mut *self.out,
            depth: self.depth + 1,
            error: self.error,
        });
        let octets = self.out.len().saturating_sub(at.saturating_add(4));
        match (
            u32::try_from(octets),
            self.out
                .get_mut(at..)
                .and_then(|from| from.first_chunk_mut::<4>()),
        ) {
            (Ok(length), Some(slot)) => *slot = length.to_be_bytes(),
            _ => self.fail(Error::TooLarge { octets }),
        }
    }

    fn typed(&mut self, octet: u8, data: &[u8]) {
        self.out.push(octet);
        self.out.extend_from_slice(data);
    }

    fn value(&mut self, value: &Value<'_>) {
        match *value {
            Value::Bool(v) => self.typed(b't', &[u8::from(v)]),
            Value::I8(v) => self.typed(b'b', &v.to_be_bytes()),
            Value::U8(v) => self.typed(b'B', &[v]),
            Value::I16(v) => self.typed(b's', &v.to_be_bytes()),
            Value::U16(v) => self.typed(b'u', &v.to_be_bytes()),
            Value::I32(v) => self.typed(b'I', &v.to_be_bytes()),
            Value::U32(v) => self.typed(b'i', &v.to_be_bytes()),
            Value::I64(v) => self.typed(b'l', &v.to_be_bytes()),
            Value::F32(v) => self.typed(b'f', &v.to_be_bytes()),
            Value::F64(v) => self.typed(b'd', &v.to_be_bytes()),
            Value::Decimal { scale, value } => {
                self.typed(b'D', &[scale]);
                self.out.extend_from_slice(&value.to_be_bytes());
            }
            Value::LongString(v) => self.tagged(b'S', v),
            Value::Bytes(v) => self.tagged(b'x', v),
            Value::Array(v) => self.tagged(b'A', v.raw()),
            Value::Timestamp(v) => self.typed(b'T', &v.to_be_bytes()),
            Value::Table(v) => self.tagged(b'F', v.raw()),
            Value::Void => self.out.push(b'V'),
        }
    }

    fn tagged(&mut self, octet: u8, bytes: &[u8]) {
        self.out.push(octet);
        self.long(bytes);
    }
}

fn filling_table(fill: impl FnOnce(&mut TableWriter<'_>)) -> impl FnOnce(Sink<'_>) -> Option<Error> {
    |sink| {
        let mut writer = TableWriter { sink };
        fill(&mut writer);
        writer.sink.error
    }
}

fn filling_array(fill: impl FnOnce(&mut ArrayWriter<'_>)) -> impl FnOnce(Sink<'_>) -> Option<Error> {
    |sink| {
        let mut writer = ArrayWriter { sink };
        fill(&mut writer);
        writer.sink.error
    }
}

/// Writes the fields of one table. Names and strings may be text or bytes.
pub struct TableWriter<'o> {
    pub(super) sink: Sink<'o>,
}

/// Writes the values of one array.
pub struct ArrayWriter<'o> {
    sink: Sink<'o>,
}

macro_rules! scalars {
    ($($method:ident($type:ty) => $variant:ident, $what:literal;)*) => {
        /// One method for each scalar type.
        impl TableWriter<'_> {
            $(
                #[doc = $what]
                pub fn $method(&mut self, name: impl AsRef<[u8]>, value: $type) {
                    self.value(name, &Value::$variant(value));
                }
            )*
        }

        /// One method for each scalar type.
        impl ArrayWriter<'_> {
            $(
                #[doc = $what]
                pub fn $method(&mut self, value: $type) {
                    self.value(&Value::$variant(value));
                }
            )*
        }
    };
}

scalars! {
    bool(bool) => Bool, "Writes a `t`.";
    i8(i8) => I8, "Writes a `b`.";
    u8(u8) => U8, "Writes a `B`.";
    i16(i16) => I16, "Writes an `s`.";
    u16(u16) => U16, "Writes a `u`.";
    i32(i32) => I32, "Writes an `I`.";
    u32(u32) => U32, "Writes an `i`.";
    i64(i64) => I64, "Writes an `l`.";
    f32(f32) => F32, "Writes an `f`.";
    f64(f64) => F64, "Writes a `d`.";
    timestamp(u64) => Timestamp, "Writes a `T`: seconds since 1970.";
}

impl TableWriter<'_> {
    /// Writes any value.
    pub fn value(&mut self, name: impl AsRef<[u8]>, value: &Value<'_>) {
        self.sink.name(name.as_ref());
        self.sink.value(value);
    }

    /// Writes an `S`.
    pub fn string(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.value(name, &Value::LongString(value.as_ref()));
    }

    /// Writes an `x`.
    pub fn bytes(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.value(name, &Value::Bytes(value.as_ref()));
    }

    /// Writes a `D`: `value` divided by ten to the power of `scale`.
    pub fn decimal(&mut self, name: impl AsRef<[u8]>, scale: u8, value: u32) {
        self.value(name, &Value::Decimal { scale, value });
    }

    /// Writes a `V`.
    pub fn void(&mut self, name: impl AsRef<[u8]>) {
        self.value(name, &Value::Void);
    }

    /// Writes an `F` of what the closure writes.
    pub fn table(&mut self, name: impl AsRef<[u8]>, fill: impl FnOnce(&mut TableWriter<'_>)) {
        self.sink.name(name.as_ref());
        self.sink.out.push(b'F');
        self.sink.container(filling_table(fill));
    }

    /// Writes an `A` of what the closure writes.
    pub fn array(&mut self, name: impl AsRef<[u8]>, fill: impl FnOnce(&mut ArrayWriter<'_>)) {
        self.sink.name(name.as_ref());
        self.sink.out.push(b'A');
        self.sink.container(filling_array(fill));
    }

    /// Copies all fields of another table, byte for byte.
    pub fn entries(&mut self, table: Table<'_>) {
        self.sink.out.extend_from_slice(table.raw());
    }
}

impl ArrayWriter<'_> {
    /// Writes any value.
    pub fn value(&mut self, value: &Value<'_>) {
        self.sink.value(value);
    }

    /// Writes an `S`.
    pub fn string(&mut self, value: impl AsRef<[u8]>) {
        self.value(&Value::LongString(value.as_ref()));
    }

    /// Writes an `x`.
    pub fn bytes(&mut self, value: impl AsRef<[u8]>) {
        self.value(&Value::Bytes(value.as_ref()));
    }

    /// Writes a `D`: `value` divided by ten to the power of `scale`.
    pub fn decimal(&mut self, scale: u8, value: u32) {
        self.value(&Value::Decimal { scale, value });
    }

    /// Writes a `V`.
    pub fn void(&mut self) {
        self.value(&Value::Void);
    }

    /// Writes an `F` of what the closure writes.
    pub fn table(&mut self, fill: impl FnOnce(&mut TableWriter<'_>)) {
        self.sink.out.push(b'F');
        self.sink.container(filling_table(fill));
    }

    /// Writes an `A` of what the closure writes.
    pub fn array(&mut self, fill: impl FnOnce(&mut ArrayWriter<'_>)) {
        self.sink.out.push(b'A');
        self.sink.container(filling_array(fill));
    }

    /// Copies all values of another array, byte for byte.
    pub fn values(&mut self, array: Array<'_>) {
        self.sink.out.extend_from_slice(array.raw());
    }
}
