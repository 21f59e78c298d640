//! Byte layouts of the log's files. All integers are little-endian, all checksums CRC-32C.
//!
//! ```text
//! segment 4096   magic 8 │ version 4 │ crc 4 │ epoch 8 │ base 8 │ capacity 8 │ run 8 │ zeros
//! batch     64   magic 4 │ crc 4 │ number 8 │ start 8 │ durable 8 │ payload 8 │ run 8 │ flags 4 │ zeros
//! record    32   crc 4 │ parts 4 │ owner 8 │ position 8 │ kind 1 │ length of the parts 7
//! part      12   length 4 │ check 4 │ crc 4
//! ```
//!
//! A checksum is seeded with what it must not be mistaken for. A batch's has the file's epoch and the
//! offset in the file, a record's has its position and the run (the epoch of the first file of a
//! process), a part's has the record's seed and its index. So bytes that a file kept from an earlier life,
//! and blocks that stand in the wrong place, never pass.

use crc32c::{crc32c, crc32c_append};

/// The folder of the log.
pub(super) const FOLDER: &str = "log";
/// The version this program writes, and the highest it reads.
pub(super) const VERSION: u32 = 1;

pub(super) const SEGMENT_HEADER: usize = 4096;
pub(super) const BATCH_HEADER: usize = 64;
pub(super) const RECORD_HEADER: usize = 32;
pub(super) const PART_HEADER: usize = 12;

/// The base of a file that is ready and not in use yet.
pub(super) const NO_BASE: u64 = u64::MAX;

pub(super) const BATCH_MAGIC: [u8; 4] = [0xB7, b'W', b'b', 0x1A];
const SEGMENT_MAGIC: [u8; 8] = *b"WARRENLG";
const CLOSING: u32 = 1;

/// The name of a file of the log, relative to the data folder.
pub(super) fn file_name(number: u64) -> String {
    format!("{FOLDER}/{number:020}.log")
}

/// The name of a file that is still being made.
pub(super) fn new_name(number: u64) -> String {
    format!("{FOLDER}/{number:020}{NEW}")
}

/// How the name of a file ends that is still being made. It holds nothing.
pub(super) const NEW: &str = ".new";

/// No log comes to so many files. One whose name says so is not ours, and the next would have no number.
const NUMBER_MAX: u64 = u64::MAX >> 1;

/// The number in a file's name, without the folder.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let is_ours = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_ours.then(|| digits.parse().ok()).flatten();
    number.filter(|number| *number <= NUMBER_MAX)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|value| u32::from_le_bytes(*value))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|value| u64::from_le_bytes(*value))
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = value;
    }
}

/// What stands at the front of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) version: u32,
    /// The file's number.
    pub(super) epoch: u64,
    /// The position of its first record; [`NO_BASE`] until it is in use.
    pub(super) base: u64,
    /// Its size in bytes, this header included.
    pub(super) capacity: u64,
    /// The epoch of the first file that the process made that wrote it.
    pub(super) run: u64,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        put(&mut bytes, 0, SEGMENT_MAGIC);
        put(&mut bytes, 8, self.version.to_le_bytes());
        put(&mut bytes, 16, self.epoch.to_le_bytes());
        put(&mut bytes, 24, self.base.to_le_bytes());
        put(&mut bytes, 32, self.capacity.to_le_bytes());
        put(&mut bytes, 40, self.run.to_le_bytes());
        let crc = segment_crc(&bytes).unwrap_or_default();
        put(&mut bytes, 12, crc.to_le_bytes());
        bytes
    }

    /// `None` when it is damaged, or is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..SEGMENT_HEADER)?;
        let is_whole = bytes.starts_with(&SEGMENT_MAGIC) && u32_at(bytes, 12)? == segment_crc(bytes)?;
        if !is_whole {
            return None;
        }
        Some(Self {
            version: u32_at(bytes, 8)?,
            epoch: u64_at(bytes, 16)?,
            base: u64_at(bytes, 24)?,
            capacity: u64_at(bytes, 32)?,
            run: u64_at(bytes, 40)?,
        })
    }
}

fn segment_crc(bytes: &[u8]) -> Option<u32> {
    Some(crc32c_append(crc32c(bytes.get(..12)?), bytes.get(16..)?))
}

/// What stands before the records of one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchHeader {
    /// Its place among the batches of its file, from 0.
    pub(super) number: u64,
    /// The position of its first record.
    pub(super) start: u64,
    /// The position up to which everything was durable when it was written.
    pub(super) durable: u64,
    /// Bytes of records.
    pub(super) payload: u64,
    pub(super) run: u64,
    /// The log was closed in an orderly way.
    pub(super) is_closing: bool,
}

impl BatchHeader {
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.payload)
    }

    pub(super) fn encode(&self, epoch: u64, offset: u64) -> [u8; BATCH_HEADER] {
        let mut bytes = [0; BATCH_HEADER];
        put(&mut bytes, 0, BATCH_MAGIC);
        put(&mut bytes, 8, self.number.to_le_bytes());
        put(&mut bytes, 16, self.start.to_le_bytes());
        put(&mut bytes, 24, self.durable.to_le_bytes());
        put(&mut bytes, 32, self.payload.to_le_bytes());
        put(&mut bytes, 40, self.run.to_le_bytes());
        let flags = if self.is_closing { CLOSING } else { 0 };
        put(&mut bytes, 48, flags.to_le_bytes());
        let crc = batch_crc(&bytes, epoch, offset).unwrap_or_default();
        put(&mut bytes, 4, crc.to_le_bytes());
        bytes
    }

    /// `None` when it is damaged, or was not written into this file at this offset.
    pub(super) fn decode(bytes: &[u8], epoch: u64, offset: u64) -> Option<Self> {
        let bytes = bytes.get(..BATCH_HEADER)?;
        let is_whole =
            bytes.starts_with(&BATCH_MAGIC) && u32_at(bytes, 4)? == batch_crc(bytes, epoch, offset)?;
        if !is_whole {
            return None;
        }
        Some(Self {
            number: u64_at(bytes, 8)?,
            start: u64_at(bytes, 16)?,
            durable: u64_at(bytes, 24)?,
            payload: u64_at(bytes, 32)?,
            run: u64_at(bytes, 40)?,
            is_closing: u32_at(bytes, 48)? & CLOSING != 0,
        })
    }
}

fn batch_crc(bytes: &[u8], epoch: u64, offset: u64) -> Option<u32> {
    let seed = crc32c_append(crc32c(&epoch.to_le_bytes()), &offset.to_le_bytes());
    Some(crc32c_append(seed, bytes.get(8..)?))
}

/// What a record's checksums begin with.
pub(super) fn record_seed(position: u64, run: u64) -> u32 {
    let mut bytes = [0; 16];
    put(&mut bytes, 0, position.to_le_bytes());
    put(&mut bytes, 8, run.to_le_bytes());
    crc32c(&bytes)
}

/// What stands before the parts of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) parts: u32,
    pub(super) owner: u64,
    pub(super) position: u64,
    pub(super) kind: u8,
    /// Bytes of the parts, with their headers; less than 2^56.
    pub(super) length: u64,
}

impl RecordHeader {
    pub(super) fn encode(&self, seed: u32) -> [u8; RECORD_HEADER] {
        let mut bytes = [0; RECORD_HEADER];
        put(&mut bytes, 4, self.parts.to_le_bytes());
        put(&mut bytes, 8, self.owner.to_le_bytes());
        put(&mut bytes, 16, self.position.to_le_bytes());
        put(
            &mut bytes,
            24,
            (self.length << 8 | u64::from(self.kind)).to_le_bytes(),
        );
        let crc = crc32c_append(seed, bytes.get(4..).unwrap_or_default());
        put(&mut bytes, 0, crc.to_le_bytes());
        bytes
    }

    /// The header of the record of that position; `None` when it is damaged, or another's.
    pub(super) fn decode(bytes: &[u8], position: u64, run: u64) -> Option<Self> {
        let bytes = bytes.get(..RECORD_HEADER)?;
        // Asked first because a search asks it at every byte.
        if u64_at(bytes, 16)? != position {
            return None;
        }
        if u32_at(bytes, 0)? != crc32c_append(record_seed(position, run), bytes.get(4..)?) {
            return None;
        }
        let [kind, ..] = *bytes.get(24..)?.first_chunk::<1>()?;
        Some(Self {
            parts: u32_at(bytes, 4)?,
            owner: u64_at(bytes, 8)?,
            position,
            kind,
            length: u64_at(bytes, 24)? >> 8,
        })
    }
}

/// What stands before the bytes of a part. It has a checksum of its own, so that damage to the bytes
/// does not cost the place where the next part begins, and a lost place is found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartHeader {
    pub(super) index: u32,
    pub(super) length: u32,
    /// Of the bytes.
    pub(super) crc: u32,
}

impl PartHeader {
    pub(super) fn new(seed: u32, index: u32, length: u32, bytes: &[u8]) -> Self {
        let crc = part_crc(seed, index, length, bytes);
        Self { index, length, crc }
    }

    pub(super) fn encode(&self, seed: u32) -> [u8; PART_HEADER] {
        let mut bytes = [0; PART_HEADER];
        put(&mut bytes, 0, self.length.to_le_bytes());
        put(
            &mut bytes,
            4,
            part_check(seed, self.index, self.length).to_le_bytes(),
        );
        put(&mut bytes, 8, self.crc.to_le_bytes());
        bytes
    }

    /// Any part's header, with the index that its check stands for: whether that can be is for the
    /// caller to say.
    pub(super) fn decode(bytes: &[u8], seed: u32) -> Option<Self> {
        let length = u32_at(bytes, 0)?;
        Some(Self {
            index: u32_at(bytes, 4)? ^ part_check(seed, 0, length),
            length,
            crc: u32_at(bytes, 8)?,
        })
    }

    pub(super) fn is_of(&self, seed: u32, bytes: &[u8]) -> bool {
        self.crc == part_crc(seed, self.index, self.length, bytes)
    }
}

fn part_check(seed: u32, index: u32, length: u32) -> u32 {
    crc32c_append(seed, &length.to_le_bytes()) ^ index
}

fn part_crc(seed: u32, index: u32, length: u32, bytes: &[u8]) -> u32 {
    crc32c_append(part_check(seed, index, length), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were() {
        let segment = SegmentHeader {
            version: VERSION,
            epoch: 7,
            base: 1000,
            capacity: 65536,
            run: 3,
        };
        assert_eq!(SegmentHeader::decode(&segment.encode()), Some(segment));
        let batch = BatchHeader {
            number: 4,
            start: 1000,
            durable: 1000,
            payload: 77,
            run: 3,
            is_closing: true,
        };
        let bytes = batch.encode(7, 4096);
        assert_eq!(BatchHeader::decode(&bytes, 7, 4096), Some(batch));
        assert_eq!(
            BatchHeader::decode(&bytes, 6, 4096),
            None,
            "another life of the file"
        );
        assert_eq!(BatchHeader::decode(&bytes, 7, 4160), None, "another place");
        let record = RecordHeader {
            parts: 3,
            owner: 9,
            position: 1234,
            kind: 255,
            length: (1 << 56) - 1,
        };
        let bytes = record.encode(record_seed(1234, 3));
        assert_eq!(RecordHeader::decode(&bytes, 1234, 3), Some(record));
        assert_eq!(RecordHeader::decode(&bytes, 1235, 3), None);
        assert_eq!(RecordHeader::decode(&bytes, 1234, 4), None, "another run");
    }

    #[test]
    fn no_flipped_bit_passes() {
        let segment = SegmentHeader {
            version: VERSION,
            epoch: 7,
            base: 1000,
            capacity: 65536,
            run: 3,
        };
        let mut bytes = segment.encode();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert_eq!(SegmentHeader::decode(&bytes), None, "byte {at}");
            bytes[at] ^= 1;
        }
        let seed = record_seed(5, 1);
        let data = b"some bytes";
        let part = PartHeader::new(seed, 2, 10, data);
        let mut bytes = part.encode(seed);
        assert!(part.is_of(seed, data));
        for bit in 0..PART_HEADER * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = PartHeader::decode(&bytes, seed).unwrap();
            assert!(read.index != 2 || read.length != 10 || !read.is_of(seed, data));
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn names() {
        assert_eq!(file_name(1), "log/00000000000000000001.log");
        assert_eq!(number_of("00000000000000000001.log"), Some(1));
        for other in [
            "1.log",
            "00000000000000000001.new",
            "+0000000000000000001.log",
            // There is none that could follow.
            "18446744073709551615.log",
            "",
            "lock",
        ] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
