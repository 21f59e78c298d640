//! Bytes of AMQP 0-9-1, as far as this harness speaks it: a cursor to read them, functions to write them.
//!
//! Written for this harness alone. What judges the broker must not share the broker's codec, or a mistake in
//! it would hide itself.

/// Marks the end of every frame.
pub(crate) const FRAME_END: u8 = 0xCE;
pub(crate) const METHOD: u8 = 1;
pub(crate) const HEADER: u8 = 2;
pub(crate) const BODY: u8 = 3;
pub(crate) const HEARTBEAT: u8 = 8;

/// Bytes of a frame around its payload.
pub(crate) const FRAME_OVERHEAD: usize = 8;

/// Reads from the front; `None` where there is too little.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        Some(*self.take(1)?.first()?)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(crate) fn short(&mut self) -> Option<String> {
        let length = usize::from(self.u8()?);
        Some(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// A method's bytes, built from the front.
#[derive(Clone)]
pub(crate) struct Method(Vec<u8>);

impl Method {
    pub(crate) fn new(class: u16, method: u16) -> Method {
        Method(Vec::new()).u16(class).u16(method)
    }

    pub(crate) fn u8(mut self, value: u8) -> Method {
        self.0.push(value);
        self
    }

    pub(crate) fn u16(mut self, value: u16) -> Method {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Method {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Method {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn short(mut self, text: &str) -> Method {
        put_short(&mut self.0, text);
        self
    }

    /// A long string, or a table whose fields are `bytes`.
    pub(crate) fn long(mut self, bytes: &[u8]) -> Method {
        put_long(&mut self.0, bytes);
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The fields of a table, built from the front.
#[derive(Clone, Default)]
pub(crate) struct Fields(Vec<u8>);

impl Fields {
    pub(crate) fn text(mut self, name: &str, text: &str) -> Fields {
        put_short(&mut self.0, name);
        self.0.push(b'S');
        put_long(&mut self.0, text.as_bytes());
        self
    }

    pub(crate) fn number(mut self, name: &str, number: u64) -> Fields {
        put_short(&mut self.0, name);
        self.0.push(b'l');
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(crate) fn flag(mut self, name: &str) -> Fields {
        put_short(&mut self.0, name);
        self.0.extend(b"t\x01");
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(crate) fn put_short(into: &mut Vec<u8>, text: &str) {
    // Names of this harness are short; what is not would be cut and then not be found.
    let length = text.len().min(255);
    into.push(length as u8);
    into.extend(text.as_bytes().get(..length).unwrap_or_default());
}

pub(crate) fn put_long(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend((bytes.len() as u32).to_be_bytes());
    into.extend(bytes);
}

pub(crate) fn put_frame(into: &mut Vec<u8>, kind: u8, channel: u16, payload: &[u8]) {
    into.push(kind);
    into.extend(channel.to_be_bytes());
    put_long(into, payload);
    into.push(FRAME_END);
}

/// A frame: its kind, channel and payload, and how many bytes it takes.
type Frame<'a> = (u8, u16, &'a [u8], usize);

/// The frame at the front of `bytes`, if it is whole.
pub(crate) fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, String> {
    let mut cursor = Cursor::new(bytes);
    let head = (cursor.u8(), cursor.u16(), cursor.u32());
    let (Some(kind), Some(channel), Some(length)) = head else {
        return Ok(None);
    };
    let Some(payload) = cursor.take(length as usize) else {
        return Ok(None);
    };
    match cursor.u8() {
        None => Ok(None),
        Some(FRAME_END) => Ok(Some((kind, channel, payload, payload.len() + FRAME_OVERHEAD))),
        Some(other) => Err(format!("a frame ends with {other:#x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_only_when_it_is_whole() {
        let mut bytes = Vec::new();
        put_frame(&mut bytes, METHOD, 3, b"abc");
        for length in 0..bytes.len() {
            assert_eq!(frame(&bytes[..length]), Ok(None));
        }
        assert_eq!(frame(&bytes), Ok(Some((METHOD, 3, &b"abc"[..], 11))));
        *bytes.last_mut().unwrap() = 0;
        assert!(frame(&bytes).is_err());
    }
}
