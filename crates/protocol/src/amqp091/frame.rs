//! The frame: the envelope of everything after the protocol header.
//!
//! ```text
//! 0      1         3             7                  size+7   size+8
//! +------+---------+-------------+------------------+--------+
//! | kind | channel | size        | payload          | 0xCE   |
//! +------+---------+-------------+------------------+--------+
//!   u8     u16       u32           size octets
//! ```
//!
//! A frame is cut out of a read buffer without a copy, or the reader is told how many bytes it takes. What a
//! kind may carry and on which channel is the session's affair: unknown kinds pass through here as they are.
//!
//! As RabbitMQ does, the limit is on the payload alone: a payload of `frame_max` octets passes, though the
//! whole frame is then eight longer than the specification allows. Spec: 0-9-1 §4.2.3.

/// The octet that ends every frame.
pub const FRAME_END: u8 = 0xCE;

/// Octets of a frame besides its payload: seven in front and one behind.
pub const OVERHEAD: usize = HEAD + 1;

/// Octets in front of the payload.
pub const HEAD: usize = 7;

/// How much of a badly ended frame's payload [`Error::BadEnd`] keeps, in octets.
///
/// Enough to fill a reply text, which holds 255 characters, even when every octet is written with two of them
/// (a digit and a comma).
pub const BAD_PAYLOAD_MAX: usize = 128;

/// The frame kinds that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A method and its arguments.
    Method = 1,
    /// A content header: class, body size and properties.
    Header = 2,
    /// A piece of a content body.
    Body = 3,
    /// A sign of life, without payload.
    Heartbeat = 8,
}

impl Kind {
    /// The kind that a frame's first octet names, if it names one.
    #[inline]
    pub fn from_octet(octet: u8) -> Option<Kind> {
        match octet {
            1 => Some(Kind::Method),
            2 => Some(Kind::Header),
            3 => Some(Kind::Body),
            8 => Some(Kind::Heartbeat),
            _ => None,
        }
    }

    /// The octet that stands for this kind.
    #[inline]
    pub const fn octet(self) -> u8 {
        self as u8
    }
}

/// One whole frame, borrowed from the bytes that it was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The kind as sent; see [`Frame::known_kind`].
    pub kind: u8,
    /// The channel, 0 for the connection itself.
    pub channel: u16,
    /// What the frame carries, without the end octet.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// The kind, if it is one that exists.
    #[inline]
    pub fn known_kind(&self) -> Option<Kind> {
        Kind::from_octet(self.kind)
    }
}

/// What [`decode`] found at the head of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A whole frame.
    Frame {
        /// The frame.
        frame: Frame<'a>,
        /// Octets it takes in the bytes, from their first on.
        consumed: usize,
    },
    /// The frame is not all there: call again when there are at least this many octets, counted from the
    /// first.
    Need(usize),
}

/// Why no frame can be read here. The stream is out of step for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The payload that is announced exceeds the limit. Known as soon as the frame's head is there.
    #[error("frame of kind {kind} on channel {channel} announces {size} octets, {max} allowed")]
    TooLarge {
        /// The kind as sent.
        kind: u8,
        /// The channel.
        channel: u16,
        /// Payload octets announced.
        size: u32,
        /// Payload octets allowed: the `frame_max` given.
        max: u32,
    },
    /// The octet after the payload is not [`FRAME_END`].
    #[error("frame of kind {kind} on channel {channel} ends with {end} instead of 206")]
    BadEnd {
        /// The kind as sent.
        kind: u8,
        /// The channel.
        channel: u16,
        /// The payload's first octets, at most [`BAD_PAYLOAD_MAX`].
        payload: Vec<u8>,
        /// The octet found.
        end: u8,
    },
}

/// Finds the frame at the head of `bytes`.
///
/// `frame_max` is the limit in force, in payload octets; it is taken literally, 0 allows empty frames only.
///
/// # Errors
/// [`Error::TooLarge`] once the head is there; [`Error::BadEnd`] once the whole frame is.
#[inline]
pub fn decode(bytes: &[u8], frame_max: u32) -> Result<Step<'_>, Error> {
    let Some((&[kind, c1, c0, s3, s2, s1, s0], rest)) = bytes.split_first_chunk::<HEAD>() else {
        return Ok(Step::Need(OVERHEAD));
    };
    let channel = u16::from_be_bytes([c1, c0]);
    let size = u32::from_be_bytes([s3, s2, s1, s0]);
    if size > frame_max {
        return Err(Error::TooLarge {
            kind,
            channel,
            size,
            max: frame_max,
        });
    }
    let payload_bytes = usize::try_from(size).unwrap_or(usize::MAX);
    let total = payload_bytes.saturating_add(OVERHEAD);
    let Some((payload, &[end, ..])) = rest.split_at_checked(payload_bytes) else {
        return Ok(Step::Need(total));
    };
    if end != FRAME_END {
        return Err(bad_end(kind, channel, payload, end));
    }
    Ok(Step::Frame {
        frame: Frame {
            kind,
            channel,
            payload,
        },
        consumed: total,
    })
}

#[cold]
fn bad_end(kind: u8, channel: u16, payload: &[u8], end: u8) -> Error {
    let kept = payload.get(..BAD_PAYLOAD_MAX).unwrap_or(payload);
    Error::BadEnd {
        kind,
        channel,
        payload: kept.to_vec(),
        end,
    }
}

/// Starts a frame at the end of `out` and returns the mark that [`end`] needs. Write the payload in between.
#[inline]
pub fn begin(out: &mut Vec<u8>, kind: u8, channel: u16) -> usize {
    let mark = out.len();
    let [c1, c0] = channel.to_be_bytes();
    out.extend_from_slice(&[kind, c1, c0, 0, 0, 0, 0]);
    mark
}

/// Ends the frame that [`begin`] started at `mark`: fills in its size and appends [`FRAME_END`].
///
/// What follows the mark has to be that frame and nothing else.
#[inline]
pub fn end(out: &mut Vec<u8>, mark: usize) {
    let payload_bytes = out.len().saturating_sub(mark.saturating_add(HEAD));
    // A payload past 4 GiB would pass every frame limit by far, so no caller can mean one.
    let size = u32::try_from(payload_bytes).unwrap_or(u32::MAX);
    if let Some(slot) = out.get_mut(mark..).and_then(|frame| frame.get_mut(3..HEAD)) {
        slot.copy_from_slice(&size.to_be_bytes());
    } else {
        debug_assert!(false, "mark {mark} is not the beginning of a frame");
    }
    out.push(FRAME_END);
}

/// Appends a heartbeat frame, which always travels on channel 0.
#[inline]
pub fn heartbeat(out: &mut Vec<u8>) {
    out.extend_from_slice(&[Kind::Heartbeat.octet(), 0, 0, 0, 0, 0, 0, FRAME_END]);
}

/// Appends one body frame. Cutting a body at the peer's limit is the caller's affair.
#[inline]
pub fn body(out: &mut Vec<u8>, channel: u16, bytes: &[u8]) {
    out.reserve(bytes.len().saturating_add(OVERHEAD));
    let mark = begin(out, Kind::Body.octet(), channel);
    out.extend_from_slice(bytes);
    end(out, mark);
}

#[cfg(test)]
mod tests;
