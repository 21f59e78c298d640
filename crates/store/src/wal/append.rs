//! Making records in the log's buffer.

use super::Position;
use super::format::{PART_HEADER, PartHeader, RECORD_HEADER, RecordHeader, record_seed};

/// Makes records at the end of the log's buffer. A record is a head and any number of parts, each
/// with a checksum of its own, so that one damaged part costs no other.
#[derive(Debug)]
pub struct Appender<'a> {
    buffer: &'a mut Vec<u8>,
    /// The position that the buffer's first byte would have. Wraps, because the buffer begins with
    /// bytes that have none.
    origin: u64,
    run: u64,
    open: Option<Open>,
}

/// The record that was begun and not ended yet.
#[derive(Debug)]
struct Open {
    /// Where it begins in the buffer.
    at: usize,
    position: u64,
    seed: u32,
    owner: u64,
    kind: u8,
    parts: u32,
}

impl<'a> Appender<'a> {
    /// Appends to `buffer`, whose end is at `position`.
    pub(super) fn new(buffer: &'a mut Vec<u8>, position: u64, run: u64) -> Self {
        Self {
            origin: position.wrapping_sub(buffer.len() as u64),
            buffer,
            run,
            open: None,
        }
    }
}

impl Appender<'_> {
    /// The position at which the next record will begin.
    pub fn position(&self) -> Position {
        Position(self.origin.wrapping_add(self.buffer.len() as u64))
    }

    /// Begins a record: whose it is (a queue's id, or 0 for the node itself) and what it says.
    pub fn begin(&mut self, owner: u64, kind: u8) {
        self.end();
        let Position(position) = self.position();
        self.open = Some(Open {
            at: self.buffer.len(),
            position,
            seed: record_seed(position, self.run),
            owner,
            kind,
            parts: 0,
        });
        self.buffer.extend_from_slice(&[0; RECORD_HEADER]);
    }

    /// Adds a part to the record begun last. `write` appends its bytes, and nothing else, to the
    /// buffer; fewer than 4 GiB of them.
    pub fn part(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(open) = &mut self.open else {
            debug_assert!(false, "a part without a record");
            return;
        };
        let at = self.buffer.len();
        self.buffer.extend_from_slice(&[0; PART_HEADER]);
        write(self.buffer);
        let first = at + PART_HEADER;
        let bytes = self.buffer.get(first..).unwrap_or_default();
        let header = if let Ok(length) = u32::try_from(bytes.len()) {
            PartHeader::new(open.seed, open.parts, length, bytes)
        } else {
            // What cannot be written must not make the rest unreadable: a part that is damaged.
            self.buffer.truncate(first);
            let none = PartHeader::new(open.seed, open.parts, 0, &[]);
            PartHeader {
                crc: !none.crc,
                ..none
            }
        };
        if let Some(place) = self.buffer.get_mut(at..first) {
            place.copy_from_slice(&header.encode(open.seed));
        }
        open.parts += 1;
    }

    /// Ends the record begun last.
    pub fn end(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        let first = open.at + RECORD_HEADER;
        let header = RecordHeader {
            parts: open.parts,
            owner: open.owner,
            position: open.position,
            kind: open.kind,
            length: self.buffer.len().saturating_sub(first) as u64,
        };
        if let Some(place) = self.buffer.get_mut(open.at..first) {
            place.copy_from_slice(&header.encode(open.seed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_bytes() {
        let mut buffer = vec![0; 64];
        let mut appender = Appender::new(&mut buffer, 1000, 1);
        assert_eq!(appender.position(), Position(1000));
        appender.begin(1, 2);
        appender.part(|bytes| bytes.extend_from_slice(b"abc"));
        appender.part(|_| {});
        appender.end();
        assert_eq!(appender.position(), Position(1000 + 32 + 12 + 3 + 12));
        appender.begin(1, 2);
        appender.begin(1, 3);
        appender.end();
        assert_eq!(
            appender.position(),
            Position(1000 + 59 + 64),
            "begin ends what is open"
        );
        assert_eq!(buffer.len(), 64 + 59 + 64);
        let record = RecordHeader::decode(&buffer[64..], 1000, 1).unwrap();
        assert_eq!(
            (record.owner, record.kind, record.parts, record.length),
            (1, 2, 2, 27)
        );
    }
}
