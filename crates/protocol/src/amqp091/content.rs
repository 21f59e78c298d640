//! The content header: what a header frame carries, between a method with content and its body.
//!
//! ```text
//! 0          2         4              12
//! +----------+---------+--------------+------------------+
//! | class id | weight  | body size    | flags properties |
//! +----------+---------+--------------+------------------+
//!   u16        u16       u64            see `properties`
//! ```
//!
//! The properties stay as they came, so that a message can be passed on byte for byte. Spec: 0-9-1 §4.2.6.1.

use super::cursor::{Cursor, Error};
use super::frame;

/// The payload of a header frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHeader<'a> {
    /// The class of the method that the content belongs to; 60, basic, is the only one with content.
    pub class_id: u16,
    /// Unused; 0 by the specification, tolerated otherwise.
    pub weight: u16,
    /// Octets of body that follow in body frames. Announced, not received: reserve nothing by it.
    pub body_size: u64,
    /// The property flags and the properties, unparsed; see [`super::properties::Properties::parse`].
    pub properties: &'a [u8],
}

impl<'a> ContentHeader<'a> {
    /// Reads a header frame's payload.
    ///
    /// # Errors
    /// [`Error::UnexpectedEnd`] if it is shorter than the fixed fields and the property flags.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(payload);
        let class_id = cursor.u16()?;
        let weight = cursor.u16()?;
        let body_size = cursor.u64()?;
        let properties = cursor.rest();
        cursor.u16()?;
        Ok(ContentHeader {
            class_id,
            weight,
            body_size,
            properties,
        })
    }

    /// Appends the whole header frame.
    #[inline]
    pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {
        let mark = frame::begin(out, frame::Kind::Header.octet(), channel);
        out.extend_from_slice(&self.class_id.to_be_bytes());
        out.extend_from_slice(&self.weight.to_be_bytes());
        out.extend_from_slice(&self.body_size.to_be_bytes());
        out.extend_from_slice(self.properties);
        frame::end(out, mark);
    }
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

    const PAYLOAD: [u8; 15] = [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0x10, 0, 2];

    #[test]
    fn parses_and_keeps_the_properties_as_they_came() {
        let header = ContentHeader::parse(&PAYLOAD).unwrap();
        assert_eq!(
            header,
            ContentHeader {
                class_id: 60,
                weight: 0,
                body_size: 258,
                properties: &[0x10, 0, 2]
            }
        );
    }

    #[test]
    fn encodes_a_whole_frame() {
        let mut out = Vec::new();
        ContentHeader::parse(&PAYLOAD).unwrap().encode(3, &mut out);
        assert_eq!(out[..7], [2, 0, 3, 0, 0, 0, 15]);
        assert_eq!(out[7..22], PAYLOAD);
        assert_eq!(out[22..], [frame::FRAME_END]);
    }

    #[test]
    fn refuses_a_header_without_flags() {
        for length in 0..14 {
            assert_eq!(
                ContentHeader::parse(&PAYLOAD[..length]),
                Err(Error::UnexpectedEnd),
                "{length}"
            );
        }
    }
}
