//! The one checked reader that every parser of this module is made of.
//!
//! It walks forward over a borrowed slice. Every read either consumes exactly what it returns or fails and
//! says why; nothing is copied or allocated, so a length that lies costs nothing.
//!
//! ```text
//! shortstr   u8 length, octets          (at most 255)
//! longstr    u32 length, octets
//! table      u32 length, fields         (see `table`)
//! ```
//!
//! All integers are big-endian. Spec: 0-9-1 §4.2.5.

use super::table::Table;

/// Why bytes could not be read as what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end before the value does, or a length says more than there is.
    #[error("the bytes end before the value does")]
    UnexpectedEnd,
    /// A short string that has to be UTF-8 is not.
    #[error("malformed UTF-8 in shortstr")]
    InvalidUtf8,
    /// A field value starts with an octet that names no type.
    #[error("unknown field type {0}")]
    UnknownFieldType(u8),
    /// Tables and arrays are nested deeper than [`super::table::DEPTH_MAX`].
    #[error("tables nested deeper than {}", super::table::DEPTH_MAX)]
    TooDeep,
    /// Bytes are left over after the last value.
    #[error("bytes are left over after the last value")]
    LengthMismatch,
}

/// A forward reader over borrowed bytes.
///
/// After an error its position is unspecified; give it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte of `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { rest: bytes }
    }

    /// How many bytes have not been read.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether every byte has been read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes that have not been read; the position stays.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Checks that every byte has been read.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] if some are left.
    #[inline]
    pub fn finish(&self) -> Result<(), Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Error::LengthMismatch)
        }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`Error::UnexpectedEnd`] if there are fewer.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(Error::UnexpectedEnd)?;
        self.rest = rest;
        Ok(head)
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Error::UnexpectedEnd)?;
        self.rest = rest;
        Ok(*head)
    }

    /// A short string's bytes, whatever they are.
    ///
    /// # Errors
    /// [`Error::UnexpectedEnd`].
    #[inline]
    pub fn shortstr(&mut self) -> Result<&'a [u8], Error> {
        let length = self.u8()?;
        self.bytes(usize::from(length))
    }

    /// A short string that has to be UTF-8, as RabbitMQ demands of every method argument.
    ///
    /// # Errors
    /// [`Error::UnexpectedEnd`], [`Error::InvalidUtf8`].
    #[inline]
    pub fn shortstr_utf8(&mut self) -> Result<&'a str, Error> {
        let bytes = self.shortstr()?;
        std::str::from_utf8(bytes).map_err(|_| Error::InvalidUtf8)
    }

    /// A long string's bytes.
    ///
    /// # Errors
    /// [`Error::UnexpectedEnd`].
    #[inline]
    pub fn longstr(&mut self) -> Result<&'a [u8], Error> {
        let length = self.u32()?;
        // On a machine of fewer than 32 bits no slice is that long, so the read fails as it should.
        self.bytes(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// A field table with its length in front, checked to its last nested value.
    ///
    /// # Errors
    /// Whatever [`Table::parse`] says, and [`Error::UnexpectedEnd`].
    #[inline]
    pub fn table(&mut self) -> Result<Table<'a>, Error> {
        Table::parse(self.longstr()?)
    }
}

macro_rules! fixed_width {
    ($($name:ident: $type:ty, $what:literal;)*) => {
        /// Values of a fixed width, big-endian.
        impl Cursor<'_> {
            $(
                #[doc = $what]
                ///
                /// # Errors
                /// [`Error::UnexpectedEnd`].
                #[inline]
                pub fn $name(&mut self) -> Result<$type, Error> {
                    Ok(<$type>::from_be_bytes(self.chunk()?))
                }
            )*
        }
    };
}

fixed_width! {
    u8: u8, "An octet.";
    u16: u16, "A short.";
    u32: u32, "A long.";
    u64: u64, "A longlong or a timestamp.";
    i8: i8, "A signed octet.";
    i16: i16, "A signed short.";
    i32: i32, "A signed long.";
    i64: i64, "A signed longlong.";
    f32: f32, "An IEEE 754 single.";
    f64: f64, "An IEEE 754 double.";
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

    #[test]
    fn reads_big_endian_values_in_order() {
        let bytes = [1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0xff, 0xff, 0xfe];
        let mut cursor = Cursor::new(&bytes);
        assert_eq!(cursor.u8(), Ok(1));
        assert_eq!(cursor.u16(), Ok(2));
        assert_eq!(cursor.u32(), Ok(3));
        assert_eq!(cursor.u64(), Ok(4));
        assert_eq!(cursor.i8(), Ok(-1));
        assert_eq!(cursor.i16(), Ok(-2));
        assert_eq!(cursor.finish(), Ok(()));
        assert_eq!(cursor.u8(), Err(Error::UnexpectedEnd));
    }

    #[test]
    fn strings_end_where_their_length_says() {
        let mut cursor = Cursor::new(b"\x02hi\0\0\0\x03abc!");
        assert_eq!(cursor.shortstr(), Ok(&b"hi"[..]));
        assert_eq!(cursor.longstr(), Ok(&b"abc"[..]));
        assert_eq!(cursor.rest(), b"!");
        assert_eq!(cursor.finish(), Err(Error::LengthMismatch));
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        assert_eq!(Cursor::new(b"\x03hi").shortstr(), Err(Error::UnexpectedEnd));
        assert_eq!(
            Cursor::new(b"\xff\xff\xff\xffhi").longstr(),
            Err(Error::UnexpectedEnd)
        );
        assert_eq!(Cursor::new(b"\0\0\0\x05\x01a").table(), Err(Error::UnexpectedEnd));
        assert_eq!(Cursor::new(b"").shortstr(), Err(Error::UnexpectedEnd));
    }

    #[test]
    fn only_the_utf8_reader_minds_utf8() {
        assert_eq!(Cursor::new(b"\x01\xff").shortstr(), Ok(&b"\xff"[..]));
        assert_eq!(Cursor::new(b"\x01\xff").shortstr_utf8(), Err(Error::InvalidUtf8));
        assert_eq!(Cursor::new("\x02é".as_bytes()).shortstr_utf8(), Ok("é"));
    }
}
