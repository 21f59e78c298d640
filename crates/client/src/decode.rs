//! Octets to events, without a socket: what [`super::Connection::receive`] does with its read buffer.
//!
//! A delivery whose frames all lie in the buffer is one [`Event::Message`]. One that is cut, by the end of a
//! read or by another channel's frames, comes as [`Event::Deliver`], [`Event::Header`] and [`Event::Body`]
//! pieces; a body frame is handed out as it arrives, so that no large message is copied together. Everything
//! is borrowed from the buffer.

use warren_protocol::amqp091::content::ContentHeader;
use warren_protocol::amqp091::cursor::{self, Cursor};
use warren_protocol::amqp091::frame::{self, FRAME_END, Frame, Kind, OVERHEAD, Step};
use warren_protocol::amqp091::method::{Method, basic};

use super::Error;

/// Octets of a frame in front of its payload.
const FRAME_HEAD: usize = OVERHEAD - 1;

/// What a method frame's payload begins with when it is basic.deliver.
const DELIVER: [u8; 4] = [0, basic::Deliver::CLASS as u8, 0, basic::Deliver::METHOD as u8];

/// The method in front of a delivered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deliver<'a> {
    /// The channel.
    pub channel: u16,
    /// Which consumer of the channel it is for.
    pub consumer_tag: &'a [u8],
    /// What it is settled by.
    pub delivery_tag: u64,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
}

/// What came.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// A whole message.
    Message {
        /// Its method.
        deliver: Deliver<'a>,
        /// Its properties, flags included.
        properties: &'a [u8],
        /// Its body.
        body: &'a [u8],
    },
    /// The beginning of a message that comes in pieces.
    Deliver(Deliver<'a>),
    /// The header of the content that the method before began.
    Header {
        /// The channel.
        channel: u16,
        /// Octets of body that follow.
        body_bytes: u64,
        /// The properties, flags included.
        properties: &'a [u8],
    },
    /// The next octets of a body.
    Body {
        /// The channel.
        channel: u16,
        /// The octets; may be any part of a frame.
        bytes: &'a [u8],
    },
    /// Any other method.
    Method {
        /// The channel.
        channel: u16,
        /// The method.
        method: Method<'a>,
    },
}

/// Remembers the body frame that is under way, and nothing else.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Its channel, and its octets that are still to come, the end octet not counted.
    body: Option<(u16, usize)>,
}

impl Decoder {
    /// Tells all events that are complete in `bytes` and answers how many octets that were.
    ///
    /// # Errors
    /// [`Error::Frame`], [`Error::Method`], [`Error::Content`].
    pub fn decode(
        &mut self,
        bytes: &[u8],
        frame_max: u32,
        each: &mut impl FnMut(Event<'_>),
    ) -> Result<usize, Error> {
        let mut rest = bytes;
        if self.body.is_some() {
            rest = self.go_on(rest, each)?;
        }
        while self.body.is_none() {
            let Step::Frame { frame, consumed } = frame::decode(rest, frame_max)? else {
                rest = self.begin_body(rest, each);
                break;
            };
            rest = rest.get(consumed..).unwrap_or_default();
            match frame.known_kind() {
                Some(Kind::Method) if frame.payload.starts_with(&DELIVER) => {
                    rest = deliver(&frame, rest, frame_max, each)?;
                }
                Some(Kind::Method) => each(Event::Method {
                    channel: frame.channel,
                    method: Method::decode(frame.payload)?,
                }),
                Some(Kind::Header) => {
                    let header = ContentHeader::parse(frame.payload)?;
                    each(Event::Header {
                        channel: frame.channel,
                        body_bytes: header.body_size,
                        properties: header.properties,
                    });
                }
                Some(Kind::Body) => each(Event::Body {
                    channel: frame.channel,
                    bytes: frame.payload,
                }),
                Some(Kind::Heartbeat) => {}
                None => {
                    let heard = format!("a frame of kind {}", frame.kind);
                    let expected = "a method, a content or a heartbeat";
                    return Err(Error::Unexpected { expected, heard });
                }
            }
        }
        Ok(bytes.len() - rest.len())
    }

    /// Hands out what is there of a body frame that is not all there.
    fn begin_body<'b>(&mut self, rest: &'b [u8], each: &mut impl FnMut(Event<'_>)) -> &'b [u8] {
        let Some((&[kind, c1, c0, s3, s2, s1, s0], bytes)) = rest.split_first_chunk::<FRAME_HEAD>() else {
            return rest;
        };
        if kind != Kind::Body.octet() || bytes.is_empty() {
            return rest;
        }
        let channel = u16::from_be_bytes([c1, c0]);
        let size = u32::from_be_bytes([s3, s2, s1, s0]);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        // At most the end octet is missing.
        let bytes = bytes.get(..size).unwrap_or(bytes);
        each(Event::Body { channel, bytes });
        self.body = Some((channel, size - bytes.len()));
        rest.get(FRAME_HEAD + bytes.len()..).unwrap_or_default()
    }

    /// Goes on with the body frame that is under way.
    fn go_on<'b>(&mut self, rest: &'b [u8], each: &mut impl FnMut(Event<'_>)) -> Result<&'b [u8], Error> {
        let Some((channel, missing)) = self.body else {
            return Ok(rest);
        };
        let Some((bytes, behind)) = rest.split_at_checked(missing) else {
            if !rest.is_empty() {
                each(Event::Body { channel, bytes: rest });
            }
            self.body = Some((channel, missing - rest.len()));
            return Ok(&[]);
        };
        if !bytes.is_empty() {
            each(Event::Body { channel, bytes });
        }
        self.body = Some((channel, 0));
        match behind.split_first() {
            None => Ok(behind),
            Some((&FRAME_END, behind)) => {
                self.body = None;
                Ok(behind)
            }
            Some((&end, _)) => Err(frame::Error::BadEnd {
                kind: Kind::Body.octet(),
                channel,
                payload: Vec::new(),
                end,
            }
            .into()),
        }
    }
}

/// A delivery, whole if all of it is in `rest`. Answers what is behind what was told.
fn deliver<'b>(
    frame: &Frame<'_>,
    rest: &'b [u8],
    frame_max: u32,
    each: &mut impl FnMut(Event<'_>),
) -> Result<&'b [u8], Error> {
    let deliver = head(frame)?;
    if let Step::Frame {
        frame: header,
        consumed,
    } = frame::decode(rest, frame_max)?
        && header.kind == Kind::Header.octet()
        && header.channel == frame.channel
        && let Some(behind) = rest.get(consumed..)
    {
        let header = ContentHeader::parse(header.payload)?;
        if header.body_size == 0 {
            each(Event::Message {
                deliver,
                properties: header.properties,
                body: &[],
            });
            return Ok(behind);
        }
        if let Step::Frame {
            frame: body,
            consumed,
        } = frame::decode(behind, frame_max)?
            && body.kind == Kind::Body.octet()
            && body.channel == frame.channel
            && body.payload.len() as u64 == header.body_size
        {
            each(Event::Message {
                deliver,
                properties: header.properties,
                body: body.payload,
            });
            return Ok(behind.get(consumed..).unwrap_or_default());
        }
    }
    each(Event::Deliver(deliver));
    Ok(rest)
}

/// Only what is needed of basic.deliver: exchange and key are left unread.
#[inline]
fn head<'a>(frame: &Frame<'a>) -> Result<Deliver<'a>, cursor::Error> {
    let mut cursor = Cursor::new(frame.payload.get(DELIVER.len()..).unwrap_or_default());
    Ok(Deliver {
        channel: frame.channel,
        consumer_tag: cursor.shortstr()?,
        delivery_tag: cursor.u64()?,
        redelivered: cursor.u8()? & 1 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(channel: u16, tag: u64, body: &[u8], frame_max: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let method = basic::Deliver {
            consumer_tag: "c",
            delivery_tag: tag,
            redelivered: true,
            exchange: "x",
            routing_key: "k",
        };
        method.encode(channel, &mut out);
        let header = ContentHeader {
            class_id: 60,
            weight: 0,
            body_size: body.len() as u64,
            properties: &[0x10, 0, 2],
        };
        header.encode(channel, &mut out);
        for piece in body.chunks(frame_max) {
            frame::body(&mut out, channel, piece);
        }
        out
    }

    /// Messages put together again: channel, tag, body.
    type Whole = Vec<(u16, u64, Vec<u8>)>;

    /// Decodes what comes in reads of so many octets, keeping what a call left.
    fn in_reads_of(bytes: &[u8], count: usize) -> Whole {
        let mut decoder = Decoder::default();
        let (mut kept, mut messages) = (Vec::new(), Whole::new());
        for read in bytes.chunks(count) {
            kept.extend_from_slice(read);
            let used = decoder
                .decode(&kept, 131_072, &mut |event| match event {
                    Event::Message { deliver, body, .. } => {
                        assert_eq!(deliver.consumer_tag, b"c");
                        messages.push((deliver.channel, deliver.delivery_tag, body.to_vec()));
                    }
                    Event::Deliver(deliver) => {
                        assert!(deliver.redelivered);
                        messages.push((deliver.channel, deliver.delivery_tag, Vec::new()));
                    }
                    Event::Body { channel, bytes } => {
                        let last = messages.iter_mut().rev().find(|message| message.0 == channel);
                        last.unwrap().2.extend_from_slice(bytes);
                    }
                    Event::Header { .. } => {}
                    Event::Method { .. } => panic!("{event:?}"),
                })
                .unwrap();
            kept.drain(..used);
        }
        assert!(kept.is_empty());
        messages
    }

    #[test]
    fn however_reads_cut_it_the_messages_are_the_same() {
        let bodies: Vec<Vec<u8>> = [0, 1, 16, 300].map(|size| vec![7; size]).to_vec();
        let mut bytes = Vec::new();
        for (body, tag) in bodies.iter().zip(1..) {
            bytes.extend(delivery(3, tag, body, 128));
            frame::heartbeat(&mut bytes);
        }
        let expected: Whole = bodies
            .iter()
            .zip(1..)
            .map(|(body, tag)| (3, tag, body.clone()))
            .collect();
        for count in (1..40).chain([100, bytes.len()]) {
            assert_eq!(in_reads_of(&bytes, count), expected, "reads of {count}");
        }
    }

    #[test]
    fn contents_of_two_channels_may_be_woven_together() {
        let (one, two) = (delivery(1, 1, &[1; 20], 10), delivery(2, 9, &[2; 5], 10));
        // The method and the header of the one, the other whole, the body of the one.
        let cut = one.len() - 2 * (10 + OVERHEAD);
        let woven = [&one[..cut], &two, &one[cut..]].concat();
        assert_eq!(
            in_reads_of(&woven, woven.len()),
            [(1, 1, vec![1; 20]), (2, 9, vec![2; 5])]
        );
    }

    #[test]
    fn a_frame_that_ends_badly_is_found_in_pieces_too() {
        let mut bytes = delivery(1, 1, &[1; 50], 50);
        *bytes.last_mut().unwrap() = 0;
        let cut = bytes.len() - 20;
        let mut decoder = Decoder::default();
        let used = decoder.decode(&bytes[..cut], 4096, &mut |_| {}).unwrap();
        let error = decoder.decode(&bytes[used..], 4096, &mut |_| {}).unwrap_err();
        assert!(matches!(error, Error::Frame(frame::Error::BadEnd { end: 0, .. })));
    }

    #[test]
    fn what_is_no_amqp_is_refused() {
        let mut decoder = Decoder::default();
        let error = decoder.decode(b"HTTP/1.1 400 Bad Request", 4096, &mut |_| {});
        assert!(matches!(error, Err(Error::Frame(_))));
        let unknown = [5, 0, 0, 0, 0, 0, 0, FRAME_END];
        assert!(decoder.decode(&unknown, 4096, &mut |_| {}).is_err());
    }
}
