//! The checkpoint: where the log begins to count, and where the messages of each queue stand.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use super::Bytes;

const HEAD_BYTES: u64 = 64;
const ROW_BYTES: u64 = 32;

const NODE: u64 = 0;
const NODE_ENTRY: u8 = 1;
const QUEUE_ENTRY: u8 = 1;

/// What the log before a position came to.
#[derive(Default, Debug)]
pub(super) struct Checkpoint {
    /// Changes of the catalog before it do not count.
    pub(super) catalog_at: u64,
    /// Records of queues before it do not count.
    pub(super) needed_from: u64,
    pub(super) queues: BTreeMap<u64, Stored>,
}

/// What a queue has in extents.
#[derive(Default, Debug)]
pub(super) struct Stored {
    /// What lasts below it stands in extents.
    pub(super) stored_up_to: u64,
    pub(super) stretches: Vec<Stretch>,
    pub(super) live: Vec<RangeInclusive<u64>>,
}

/// Messages of a queue in an extent.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) extent: u64,
    pub(super) seqs: RangeInclusive<u64>,
}

impl Checkpoint {
    /// Reads one of the two files. `None` when it is not as the format says.
    pub(super) fn read(bytes: &[u8]) -> Option<Checkpoint> {
        let bytes = Bytes(bytes);
        if bytes.slice(0, 8)? != b"WARRNCHK" {
            return None;
        }
        let count = bytes.u64(16)?;
        let mut found = Checkpoint::default();
        for index in 0..count {
            let row = HEAD_BYTES + index * ROW_BYTES;
            let (owner, kind) = (bytes.u64(row)?, bytes.u8(row + 20)?);
            let at = HEAD_BYTES + count * ROW_BYTES + bytes.u64(row + 8)?;
            let entry = bytes.slice(at, u64::from(bytes.u32(row + 16)?))?;
            match (owner, kind) {
                (NODE, NODE_ENTRY) => {
                    found.catalog_at = Bytes(entry).u64(0)?;
                    found.needed_from = Bytes(entry).u64(8)?;
                }
                (NODE, _) => {}
                (owner, QUEUE_ENTRY) => {
                    found.queues.insert(owner, Stored::read(entry)?);
                }
                _ => return None,
            }
        }
        Some(found)
    }
}

impl Stored {
    fn read(entry: &[u8]) -> Option<Stored> {
        let mut numbers = Numbers(entry.get(25..)?);
        let mut stretches = Vec::new();
        for _ in 0..numbers.next()? {
            let (extent, first) = (numbers.next()?, numbers.next()?);
            let seqs = first..=first + numbers.next()?;
            let _written = numbers.next()?;
            stretches.push(Stretch { extent, seqs });
        }
        Some(Stored {
            stored_up_to: Bytes(entry).u64(17)?,
            stretches,
            live: numbers.set()?,
        })
    }
}

/// LEB128.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn next(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
            shift += 7;
        }
    }

    fn set(&mut self) -> Option<Vec<RangeInclusive<u64>>> {
        let mut ranges = Vec::new();
        let mut behind = 0;
        for _ in 0..self.next()? {
            let first = behind + self.next()?;
            let last = first + self.next()?;
            ranges.push(first..=last);
            behind = last + 1;
        }
        Some(ranges)
    }
}

/// Whether ranges have a byte in common.
pub(super) fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}
