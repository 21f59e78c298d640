//! A file of the log: batches, their records, the parts of these.

use std::ops::{Range, RangeInclusive};

use super::{Bytes, Copy, Known};
use crate::message::Identity;

const FILE_HEADER: u64 = 4096;
pub(super) const BATCH_HEADER: u64 = 64;
pub(super) const RECORD_HEADER: u64 = 32;
const PART_HEADER: u64 = 12;

const NO_BASE: u64 = u64::MAX;
const BATCH_MAGIC: [u8; 4] = [0xB7, 0x57, 0x62, 0x1A];

const NODE: u64 = 0;
const ENQUEUED: u8 = 1;
const SETTLED: u8 = 2;
const PURGED: u8 = 4;

/// Instead of a message's content stands its place.
const REFERENCE: u8 = 2;
/// The message's own time stands in front of its content.
const TIMED: u8 = 4;
const MESSAGE_HEAD: u64 = 16;
const TIME: u64 = 8;

pub(super) struct LogFile {
    pub(super) name: String,
    pub(super) batches: Vec<Batch>,
    pub(super) records: Vec<Record>,
}

/// One commit.
#[derive(Debug)]
pub(super) struct Batch {
    /// Where its header begins.
    pub(super) at: u64,
    pub(super) payload: u64,
}

impl Batch {
    pub(super) fn header(&self) -> Range<u64> {
        self.at..self.at + BATCH_HEADER
    }

    pub(super) fn records(&self) -> Range<u64> {
        let first = self.at + BATCH_HEADER;
        first..first + self.payload
    }
}

#[derive(Debug)]
pub(super) struct Record {
    /// Where its header begins.
    pub(super) at: u64,
    pub(super) bytes: u64,
    pub(super) position: u64,
    pub(super) owner: u64,
    pub(super) kind: u8,
    /// Header and bytes of each.
    pub(super) parts: Vec<Range<u64>>,
    pub(super) messages: Vec<Message>,
    /// The numbers that it settles.
    pub(super) gone: Vec<RangeInclusive<u64>>,
}

/// A message that came.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) seq: u64,
    pub(super) part: u16,
    /// Where its content stands, if not here.
    pub(super) reference: Option<u64>,
}

impl Message {
    pub(super) fn copy(&self, record: &Record) -> Copy {
        Copy {
            owner: record.owner,
            seq: self.seq,
        }
    }

    /// How others name its content, by the position of its record.
    pub(super) fn place(&self, record: u64) -> u64 {
        record << 16 | u64::from(self.part)
    }
}

impl Record {
    pub(super) fn header(&self) -> Range<u64> {
        self.at..self.at + RECORD_HEADER
    }

    pub(super) fn is_change(&self) -> bool {
        self.owner == NODE
    }
}

impl LogFile {
    /// Reads a file: `Some(None)` if it was made ahead and is not in use, `None` when it is not as the format
    /// says.
    pub(super) fn read(name: &str, bytes: &[u8], known: &mut Known) -> Option<Option<LogFile>> {
        let bytes = Bytes(bytes);
        let base = bytes.u64(24)?;
        if bytes.slice(0, 8)? != b"WARRENLG" {
            return None;
        }
        if base == NO_BASE {
            return Some(None);
        }
        let mut file = LogFile {
            name: name.to_owned(),
            batches: Vec::new(),
            records: Vec::new(),
        };
        let (mut at, mut position) = (FILE_HEADER, base);
        while let Some(batch) = batch(bytes, at, file.batches.len() as u64, position) {
            let place = batch.records();
            file.batches.push(batch);
            let Some(mut records) = records(bytes, &place, position, known) else {
                // The broker was killed while it wrote.
                break;
            };
            at = place.end;
            position += place.end - place.start;
            file.records.append(&mut records);
        }
        Some(Some(file))
    }

    pub(super) fn places(&self) -> Vec<u64> {
        let batches = self.batches.iter().map(|batch| batch.at);
        let records = self.records.iter().map(|record| record.at);
        let parts = self.records.iter().flat_map(|record| &record.parts);
        let parts = parts.map(|part| part.start);
        batches.chain(records).chain(parts).collect()
    }
}

/// The batch at an offset. What the file held in an earlier life has other numbers or positions.
fn batch(bytes: Bytes<'_>, at: u64, number: u64, start: u64) -> Option<Batch> {
    let is_next =
        bytes.slice(at, 4)? == BATCH_MAGIC && bytes.u64(at + 8)? == number && bytes.u64(at + 16)? == start;
    let payload = bytes.u64(at + 32)?;
    is_next.then_some(Batch { at, payload })
}

/// All records of a batch.
fn records(bytes: Bytes<'_>, place: &Range<u64>, position: u64, known: &mut Known) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    let mut from = place.start;
    while from < place.end {
        let record = record(bytes, from, position + from - place.start, known)?;
        from += record.bytes;
        records.push(record);
    }
    Some(records)
}

fn record(bytes: Bytes<'_>, at: u64, position: u64, known: &mut Known) -> Option<Record> {
    let length = bytes.u64(at + 24)? >> 8;
    let mut record = Record {
        at,
        bytes: RECORD_HEADER + length,
        position: bytes.u64(at + 16)?,
        owner: bytes.u64(at + 8)?,
        kind: bytes.u8(at + 24)?,
        parts: Vec::new(),
        messages: Vec::new(),
        gone: Vec::new(),
    };
    let mut part = at + RECORD_HEADER;
    for _ in 0..bytes.u32(at + 4)? {
        let end = part + PART_HEADER + u64::from(bytes.u32(part)?);
        record.parts.push(part..end);
        part = end;
    }
    if record.position != position || part != at + record.bytes {
        return None;
    }
    if record.owner != NODE {
        understand(bytes, &mut record, known)?;
    }
    Some(record)
}

/// Reads what a record of a queue says.
fn understand(bytes: Bytes<'_>, record: &mut Record, known: &mut Known) -> Option<()> {
    for (number, part) in (0..).zip(&record.parts) {
        let data = bytes.slice(part.start + PART_HEADER, part.end - part.start - PART_HEADER)?;
        match record.kind {
            // The first part is the time.
            ENQUEUED if number > 0 => {
                let (message, identity) = message(data, number)?;
                let place = message.place(record.position);
                known.at_place.extend(identity.map(|identity| (place, identity)));
                let place = message.reference.unwrap_or(place);
                let copy = Copy {
                    owner: record.owner,
                    seq: message.seq,
                };
                let identity = known.at_place.get(&place);
                known.of_copy.extend(identity.map(|identity| (copy, *identity)));
                record.messages.push(message);
            }
            // Behind each range stand the octets of its bodies.
            SETTLED => record.gone.extend(ranges(data, 24)?),
            PURGED => {
                let kept = ranges(data.get(16..)?, 16)?;
                let mut first = 0;
                for kept in kept {
                    record
                        .gone
                        .extend(kept.start().checked_sub(1).map(|last| first..=last));
                    first = kept.end() + 1;
                }
                record.gone.push(first..=Bytes(data).u64(0)?);
            }
            _ => {}
        }
    }
    Some(())
}

fn message(data: &[u8], part: u16) -> Option<(Message, Option<Identity>)> {
    let bytes = Bytes(data);
    let (seq, flags) = (bytes.u64(0)?, bytes.u8(15)?);
    let is_reference = flags & REFERENCE != 0;
    let reference = if is_reference {
        Some(bytes.u64(MESSAGE_HEAD)?)
    } else {
        None
    };
    let names = u64::from(bytes.u8(12)?) + u64::from(bytes.u8(13)?);
    let identity = match is_reference {
        true => None,
        false => {
            let content = MESSAGE_HEAD + if flags & TIMED == 0 { 0 } else { TIME };
            Identity::read(bytes.slice(content + names, u64::from(bytes.u32(8)?))?)
        }
    };
    let message = Message { seq, part, reference };
    Some((message, identity))
}

fn ranges(data: &[u8], apart: usize) -> Option<Vec<RangeInclusive<u64>>> {
    let pair = |at| Some(Bytes(data).u64(at)?..=Bytes(data).u64(at + 8)?);
    (0..data.len() as u64).step_by(apart).map(pair).collect()
}
