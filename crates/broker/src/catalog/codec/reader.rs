//! Fields: bytes behind their length.
//!
//! A reader lends slices of what is there. Nothing is made by a length that was only announced.

use super::Malformed;

/// The most bytes that a length takes.
const LENGTH_BYTES_MAX: usize = 5;

/// Appends a field.
pub(super) fn put_field(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a field that is a text.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_field(out, text.as_bytes());
}

/// Appends a field of the bytes that `write` appends.
pub(super) fn put_with(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let mut length = Vec::with_capacity(LENGTH_BYTES_MAX);
    put_length(&mut length, out.len() - start);
    out.splice(start..start, length);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    let mut rest = length;
    while rest > 0x7f {
        out.push(0x80 | low_bits(rest));
        rest >>= 7;
    }
    out.push(low_bits(rest));
}

fn low_bits(number: usize) -> u8 {
    // Seven bits fit.
    (number & 0x7f) as u8
}

/// Reads fields one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether there is no further field.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next field.
    pub(super) fn field(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.length()?;
        let (field, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(field)
    }

    /// The next field, a text.
    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.field()?).map_err(|_| Malformed::Text)
    }

    /// The next field, a name.
    pub(super) fn name<N>(
        &mut self,
        new: impl FnOnce(&str) -> Result<N, crate::name::Error>,
    ) -> Result<N, Malformed> {
        Ok(new(self.text()?)?)
    }

    /// The next field, an integer of eight bytes.
    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(Reader::new(self.field()?).array()?))
    }

    /// The next field, a byte.
    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let [byte] = Reader::new(self.field()?).array()?;
        Ok(byte)
    }

    /// The next bytes, without a length before them, as an array.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        let mut length = 0u64;
        for nth in 0..LENGTH_BYTES_MAX {
            let [byte] = self.array()?;
            length |= u64::from(byte & 0x7f) << (7 * nth);
            if byte & 0x80 == 0 {
                // One that is too large to count is longer than what is there, too.
                return usize::try_from(length).map_err(|_| Malformed::Short);
            }
        }
        Err(Malformed::Length)
    }
}
