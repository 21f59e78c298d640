//! Changing a few properties of a message and leaving all others byte for byte as they came.

use super::{Properties, flag, pieces};
use crate::amqp091::table::{Error, TableWriter, write_table};

/// What [`Properties::rewrite`] changes; what is not named stays.
#[derive(Clone, Copy, Default)]
pub struct Edit<'e> {
    /// Sets reply-to, at most 255 octets.
    pub reply_to: Option<&'e [u8]>,
    /// Sets headers to what the closure writes. Fields that should stay it copies, see
    /// [`TableWriter::entries`].
    pub headers: Option<&'e dyn Fn(&mut TableWriter<'_>)>,
    /// Removes headers, unless `headers` sets them.
    pub drop_headers: bool,
    /// Removes expiration, as dead-lettering does.
    pub drop_expiration: bool,
    /// Sets delivery-mode.
    pub delivery_mode: Option<u8>,
}

impl Edit<'_> {
    /// The flags afterwards.
    fn flags(&self, mut flags: u16) -> u16 {
        if self.drop_headers {
            flags &= !flag::HEADERS;
        }
        if self.drop_expiration {
            flags &= !flag::EXPIRATION;
        }
        flags | self.sets()
    }

    /// The flags of what is written anew.
    fn sets(&self) -> u16 {
        let mut sets = 0;
        if self.headers.is_some() {
            sets |= flag::HEADERS;
        }
        if self.reply_to.is_some() {
            sets |= flag::REPLY_TO;
        }
        if self.delivery_mode.is_some() {
            sets |= flag::DELIVERY_MODE;
        }
        sets
    }

    fn write(&self, flag: u16, out: &mut Vec<u8>) -> Result<(), Error> {
        match (flag, self.headers, self.reply_to, self.delivery_mode) {
            (flag::HEADERS, Some(fill), _, _) => write_table(out, fill),
            (flag::REPLY_TO, _, Some(text), _) => write_shortstr(text, out),
            (flag::DELIVERY_MODE, _, _, Some(mode)) => {
                out.push(mode);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Appends a short string.
pub(super) fn write_shortstr(text: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let length = u8::try_from(text.len()).map_err(|_| Error::NameTooLong { octets: text.len() })?;
    out.push(length);
    out.extend_from_slice(text);
    Ok(())
}

impl Properties<'_> {
    /// Appends the properties, flags included, changed as told.
    ///
    /// # Errors
    /// [`Error::NameTooLong`] if reply-to exceeds 255 octets, and whatever writing the headers makes; `out`
    /// is then as it was before.
    pub fn rewrite(&self, out: &mut Vec<u8>, edit: Edit<'_>) -> Result<(), Error> {
        let before = out.len();
        let written = self.write_edited(out, edit);
        if written.is_err() {
            out.truncate(before);
        }
        written
    }

    fn write_edited(&self, out: &mut Vec<u8>, edit: Edit<'_>) -> Result<(), Error> {
        let (flags, sets) = (edit.flags(self.flags()), edit.sets());
        out.extend_from_slice(&flags.to_be_bytes());
        let mut old = pieces(self.raw()).peekable();
        for wanted in (2..16).rev().map(|bit| 1_u16 << bit) {
            let piece = old.next_if(|piece| piece.flag == wanted);
            if sets & wanted != 0 {
                edit.write(wanted, out)?;
            } else if let (Some(piece), true) = (piece, flags & wanted != 0) {
                out.extend_from_slice(piece.bytes);
            }
        }
        Ok(())
    }
}
