//! Basic properties: what a message says of itself, in the order of their flags.
//!
//! ```text
//! 0        2
//! +--------+-----------------------------------------------------------+
//! | flags  | the properties whose flag is set, highest flag first      |
//! +--------+-----------------------------------------------------------+
//! bit 15 content-type  14 content-encoding  13 headers (table)  12 delivery-mode (octet)  11 priority
//!     10 correlation-id  9 reply-to  8 expiration  7 message-id  6 timestamp  5 type  4 user-id  3 app-id
//!      2 cluster-id  1 unused  0 another word of flags follows: class basic has none, so that is refused
//! ```
//!
//! What is not otherwise said is a short string, of any bytes: they are passed on as they came. One walk
//! checks everything and remembers where the properties are that a broker looks at. Spec: 0-9-1 §4.2.6.1.

mod edit;
mod fields;

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::cursor::{Cursor, Error as CursorError};
use super::table::Table;
pub use edit::Edit;
pub use fields::Fields;

/// Why properties could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The flags announce a second word of flags.
    #[error("property flags {flags:#06x} announce more flags, class basic has none")]
    Continuation {
        /// The flags as sent.
        flags: u16,
    },
    /// A property is cut short, a table is malformed, or bytes are left over.
    #[error("malformed properties: {0}")]
    Malformed(#[from] CursorError),
}

/// Flag bits, by property.
pub mod flag {
    #![allow(missing_docs, reason = "each is named like its property")]

    pub const CONTENT_TYPE: u16 = 1 << 15;
    pub const CONTENT_ENCODING: u16 = 1 << 14;
    pub const HEADERS: u16 = 1 << 13;
    pub const DELIVERY_MODE: u16 = 1 << 12;
    pub const PRIORITY: u16 = 1 << 11;
    pub const CORRELATION_ID: u16 = 1 << 10;
    pub const REPLY_TO: u16 = 1 << 9;
    pub const EXPIRATION: u16 = 1 << 8;
    pub const MESSAGE_ID: u16 = 1 << 7;
    pub const TIMESTAMP: u16 = 1 << 6;
    pub const TYPE: u16 = 1 << 5;
    pub const USER_ID: u16 = 1 << 4;
    pub const APP_ID: u16 = 1 << 3;
    pub const CLUSTER_ID: u16 = 1 << 2;
    /// Not a property: another word of flags follows.
    pub const CONTINUATION: u16 = 1;
}

/// Where a property's value lies, counted from the first octet of the flags.
///
/// For strings and the table that is without the length in front. Meaningless if the property's flag is not
/// set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// What one walk over properties found out: 36 octets that can be kept with a copy of the bytes.
///
/// See [`Properties::from_scan`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scan {
    flags: u16,
    delivery_mode: u8,
    priority: u8,
    headers: Span,
    reply_to: Span,
    expiration: Span,
    user_id: Span,
}

impl Scan {
    /// The property flags as sent.
    #[inline]
    pub fn flags(&self) -> u16 {
        self.flags
    }

    #[inline]
    fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    #[inline]
    fn span(&self, flag: u16, span: Span) -> Option<Range<usize>> {
        self.has(flag).then(|| span.range())
    }

    /// 1 transient, 2 persistent; other values are passed on.
    #[inline]
    pub fn delivery_mode(&self) -> Option<u8> {
        self.has(flag::DELIVERY_MODE).then_some(self.delivery_mode)
    }

    /// The priority as sent, 0 to 255.
    #[inline]
    pub fn priority(&self) -> Option<u8> {
        self.has(flag::PRIORITY).then_some(self.priority)
    }

    /// Where the headers' fields lie, their u32 length left out; from the first octet of the flags.
    #[inline]
    pub fn headers(&self) -> Option<Range<usize>> {
        self.span(flag::HEADERS, self.headers)
    }

    /// Where the bytes of reply-to lie, from the first octet of the flags.
    #[inline]
    pub fn reply_to(&self) -> Option<Range<usize>> {
        self.span(flag::REPLY_TO, self.reply_to)
    }

    /// Where the bytes of expiration lie, from the first octet of the flags.
    #[inline]
    pub fn expiration(&self) -> Option<Range<usize>> {
        self.span(flag::EXPIRATION, self.expiration)
    }

    /// Where the bytes of user-id lie, from the first octet of the flags.
    #[inline]
    pub fn user_id(&self) -> Option<Range<usize>> {
        self.span(flag::USER_ID, self.user_id)
    }
}

/// Checked basic properties, borrowed and kept as they came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Properties<'a> {
    /// Flags included.
    raw: &'a [u8],
    scan: Scan,
}

impl<'a> Properties<'a> {
    /// The properties of a message without any.
    pub const EMPTY: Properties<'static> = Properties {
        raw: &[0, 0],
        scan: Scan {
            flags: 0,
            delivery_mode: 0,
            priority: 0,
            headers: Span { start: 0, end: 0 },
            reply_to: Span { start: 0, end: 0 },
            expiration: Span { start: 0, end: 0 },
            user_id: Span { start: 0, end: 0 },
        },
    };

    /// Checks the rest of a header frame, from the property flags on, in one walk.
    ///
    /// # Errors
    /// [`Error::Continuation`]; [`Error::Malformed`], also if bytes are left over.
    #[inline]
    pub fn parse(raw: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(raw);
        let mut scan = Scan {
            flags: cursor.u16()?,
            ..Scan::default()
        };
        match scan.flags {
            // What most messages look like.
            0 => {}
            flag::DELIVERY_MODE => scan.delivery_mode = cursor.u8()?,
            flags if flags & flag::CONTINUATION != 0 => return Err(Error::Continuation { flags }),
            _ => scan.walk(&mut cursor, raw.len())?,
        }
        cursor.finish()?;
        Ok(Properties { raw, scan })
    }

    /// Puts bytes and what was found out about them together again, without another walk.
    ///
    /// A scan of other bytes gives wrong values, and nothing worse.
    #[inline]
    pub fn from_scan(raw: &'a [u8], scan: Scan) -> Self {
        Properties { raw, scan }
    }

    /// What the walk found, to be kept.
    #[inline]
    pub fn scan(&self) -> &Scan {
        &self.scan
    }

    /// The bytes as they came, flags included.
    #[inline]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The property flags; see [`flag`].
    #[inline]
    pub fn flags(&self) -> u16 {
        self.scan.flags
    }

    /// 1 transient, 2 persistent; other values are passed on.
    #[inline]
    pub fn delivery_mode(&self) -> Option<u8> {
        self.scan.delivery_mode()
    }

    /// The priority as sent, 0 to 255.
    #[inline]
    pub fn priority(&self) -> Option<u8> {
        self.scan.priority()
    }

    /// The application's headers.
    #[inline]
    pub fn headers(&self) -> Option<Table<'a>> {
        self.scan
            .headers()
            .and_then(|range| self.raw.get(range))
            .map(Table::trusted)
    }

    /// The queue or address that replies should go to.
    #[inline]
    pub fn reply_to(&self) -> Option<&'a [u8]> {
        self.scan.reply_to().and_then(|range| self.raw.get(range))
    }

    /// The message's own time to live: milliseconds as text.
    #[inline]
    pub fn expiration(&self) -> Option<&'a [u8]> {
        self.scan.expiration().and_then(|range| self.raw.get(range))
    }

    /// Who the publisher says that it is.
    #[inline]
    pub fn user_id(&self) -> Option<&'a [u8]> {
        self.scan.user_id().and_then(|range| self.raw.get(range))
    }

    /// MIME type of the body.
    pub fn content_type(&self) -> Option<&'a [u8]> {
        self.string(flag::CONTENT_TYPE)
    }

    /// MIME encoding of the body.
    pub fn content_encoding(&self) -> Option<&'a [u8]> {
        self.string(flag::CONTENT_ENCODING)
    }

    /// The application's correlation identifier.
    pub fn correlation_id(&self) -> Option<&'a [u8]> {
        self.string(flag::CORRELATION_ID)
    }

    /// The application's message identifier.
    pub fn message_id(&self) -> Option<&'a [u8]> {
        self.string(flag::MESSAGE_ID)
    }

    /// The application's time of sending, in seconds since 1970.
    pub fn timestamp(&self) -> Option<u64> {
        self.field(flag::TIMESTAMP)
            .and_then(|bytes| Cursor::new(bytes).u64().ok())
    }

    /// The application's message type.
    pub fn type_(&self) -> Option<&'a [u8]> {
        self.string(flag::TYPE)
    }

    /// The creating application.
    pub fn app_id(&self) -> Option<&'a [u8]> {
        self.string(flag::APP_ID)
    }

    /// Deprecated, passed on.
    pub fn cluster_id(&self) -> Option<&'a [u8]> {
        self.string(flag::CLUSTER_ID)
    }

    fn string(&self, wanted: u16) -> Option<&'a [u8]> {
        self.field(wanted)
            .and_then(|bytes| Cursor::new(bytes).shortstr().ok())
    }

    /// A property's bytes with its length, if it has one: another walk, for what is rarely asked.
    fn field(&self, wanted: u16) -> Option<&'a [u8]> {
        if !self.scan.has(wanted) {
            return None;
        }
        pieces(self.raw)
            .find(|piece| piece.flag == wanted)
            .map(|piece| piece.bytes)
    }
}

impl Scan {
    fn walk(&mut self, cursor: &mut Cursor<'_>, total: usize) -> Result<(), CursorError> {
        self.skip_strings(cursor, [flag::CONTENT_TYPE, flag::CONTENT_ENCODING])?;
        if self.has(flag::HEADERS) {
            let bytes = cursor.table()?.raw();
            self.headers = behind(cursor, total, bytes);
        }
        if self.has(flag::DELIVERY_MODE) {
            self.delivery_mode = cursor.u8()?;
        }
        if self.has(flag::PRIORITY) {
            self.priority = cursor.u8()?;
        }
        self.skip_strings(cursor, [flag::CORRELATION_ID])?;
        if self.has(flag::REPLY_TO) {
            let bytes = cursor.shortstr()?;
            self.reply_to = behind(cursor, total, bytes);
        }
        if self.has(flag::EXPIRATION) {
            let bytes = cursor.shortstr()?;
            self.expiration = behind(cursor, total, bytes);
        }
        self.skip_strings(cursor, [flag::MESSAGE_ID])?;
        if self.has(flag::TIMESTAMP) {
            cursor.u64()?;
        }
        self.skip_strings(cursor, [flag::TYPE])?;
        if self.has(flag::USER_ID) {
            let bytes = cursor.shortstr()?;
            self.user_id = behind(cursor, total, bytes);
        }
        self.skip_strings(cursor, [flag::APP_ID, flag::CLUSTER_ID])
    }

    #[inline]
    fn skip_strings<const N: usize>(
        &self,
        cursor: &mut Cursor<'_>,
        flags: [u16; N],
    ) -> Result<(), CursorError> {
        for flag in flags {
            if self.has(flag) {
                cursor.shortstr()?;
            }
        }
        Ok(())
    }
}

/// Where the bytes just read lie, within `total` octets.
#[inline]
fn behind(cursor: &Cursor<'_>, total: usize, bytes: &[u8]) -> Span {
    let end = total.saturating_sub(cursor.remaining());
    let start = end.saturating_sub(bytes.len());
    // A frame's payload has a length of 32 bits, so that the positions fit.
    let narrow = |position| u32::try_from(position).unwrap_or(u32::MAX);
    Span {
        start: narrow(start),
        end: narrow(end),
    }
}

/// One property as it lies in the bytes.
struct Piece<'a> {
    flag: u16,
    /// Its length included, if it has one.
    bytes: &'a [u8],
}

/// Cuts checked properties into pieces, in order.
fn pieces(raw: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut cursor = Cursor::new(raw);
    let flags = cursor.u16().unwrap_or(0);
    let set = (2..16)
        .rev()
        .map(|bit| 1_u16 << bit)
        .filter(move |flag| flags & flag != 0);
    set.map_while(move |flag| {
        let from = cursor.rest();
        let skipped = match flag {
            flag::HEADERS => cursor.longstr().map(drop),
            flag::DELIVERY_MODE | flag::PRIORITY => cursor.u8().map(drop),
            flag::TIMESTAMP => cursor.u64().map(drop),
            _ => cursor.shortstr().map(drop),
        };
        skipped.ok()?;
        let length = from.len().saturating_sub(cursor.remaining());
        from.get(..length).map(|bytes| Piece { flag, bytes })
    })
}
