//! Changing a few properties of a message and leaving all others byte for byte as they came.

use super::{Properties, flag, pieces};
use crate::amqp091::table::{Change, Error, Table, write_table};

/// What [`Properties::rewrite`] changes; what is not named stays.
#[derive(Clone, Copy, Default)]
pub struct Edit<'e> {
    /// Sets reply-to, at most 255 octets.
    pub reply_to: Option<&'e [u8]>,
    /// Sets and removes headers. Those that stay are not decoded, but put in order: see
    /// [`TableWriter::merged`](crate::amqp091::table::TableWriter::merged).
    pub headers: &'e [Change<'e>],
    /// Removes expiration, as dead-lettering does.
    pub drop_expiration: bool,
    /// Sets delivery-mode.
    pub delivery_mode: Option<u8>,
    /// Sets timestamp, in seconds since 1970.
    pub timestamp: Option<u64>,
}

impl Edit<'_> {
    /// The flags afterwards.
    fn flags(&self, mut flags: u16) -> u16 {
        if self.drop_expiration {
            flags &= !flag::EXPIRATION;
        }
        flags | self.sets()
    }

    /// The flags of what is written anew.
    fn sets(&self) -> u16 {
        let mut sets = 0;
        if self.headers.iter().any(|change| change.value.is_some()) {
            sets |= flag::HEADERS;
        }
        if self.reply_to.is_some() {
            sets |= flag::REPLY_TO;
        }
        if self.delivery_mode.is_some() {
            sets |= flag::DELIVERY_MODE;
        }
        if self.timestamp.is_some() {
            sets |= flag::TIMESTAMP;
        }
        sets
    }

    /// Writes a property that is set. `own` are the headers that there are.
    fn write(&self, flag: u16, own: Option<Table<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
        match (flag, self.reply_to, self.delivery_mode, self.timestamp) {
            (flag::HEADERS, ..) => {
                let own = own.unwrap_or(Table::EMPTY);
                write_table(out, |table| table.merged(own, self.headers))?;
            }
            (flag::REPLY_TO, Some(text), ..) => write_shortstr(text, out)?,
            (flag::DELIVERY_MODE, _, Some(mode), _) => out.push(mode),
            (flag::TIMESTAMP, .., Some(seconds)) => out.extend_from_slice(&seconds.to_be_bytes()),
            _ => {}
        }
        Ok(())
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
        let flags = edit.flags(self.flags());
        let mut sets = edit.sets();
        if !edit.headers.is_empty() {
            sets |= flags & flag::HEADERS;
        }
        out.extend_from_slice(&flags.to_be_bytes());
        let mut old = pieces(self.raw()).peekable();
        for wanted in (2..16).rev().map(|bit| 1_u16 << bit) {
            let piece = old.next_if(|piece| piece.flag == wanted);
            if sets & wanted != 0 {
                edit.write(wanted, self.headers(), out)?;
            } else if let (Some(piece), true) = (piece, flags & wanted != 0) {
                out.extend_from_slice(piece.bytes);
            }
        }
        Ok(())
    }
}
