//! The bytes of an extent. See `docs/storage-format.md`.
//!
//! ```text
//!   header 64 │ block │ block │ … │ directory: the blocks' headers again │ footer 64
//!               └► header 48 │ index: 48 a message │ data
//! ```

use super::Head;
use crate::bytes::{is_sealed, put, seal, u8_at, u16_at, u32_at, u64_at};

/// The newest format that this program knows.
pub(super) const VERSION: u32 = 1;
/// Length of the file's header, and of its footer.
pub(super) const ENDS_BYTES: usize = 64;
/// Length of a block's header, and of its copy in the directory.
pub(super) const HEADER_BYTES: usize = 48;
/// Length of an entry in a block's index.
pub(super) const ENTRY_BYTES: usize = 48;
/// A block's data is not longer than this, unless it is one message.
pub(super) const DATA_BYTES_MAX: usize = 128 * 1024;
/// Messages in a block.
pub(super) const COUNT_MAX: u32 = 4096;
/// How a block's header begins.
pub(super) const BLOCK_MAGIC: [u8; 4] = *b"WBLK";

const HEADER_MAGIC: [u8; 8] = *b"WARRNEXT";
const FOOTER_MAGIC: [u8; 8] = *b"WARRNEND";
const FLAG_DURABLE: u32 = 1;

/// The folder of extents.
pub(super) const FOLDER: &str = "extents";
/// The folder of what is damaged.
pub(super) const FOLDER_DAMAGED: &str = "damaged";

const ENDING_DURABLE: &str = ".ext";
/// How the names of extents end that are not durable.
pub(super) const ENDING_TRANSIENT: &str = ".tmp";

/// The path of an extent's file.
pub(super) fn path(durable: bool, number: u64) -> String {
    let ending = if durable { ENDING_DURABLE } else { ENDING_TRANSIENT };
    format!("{FOLDER}/{number:020}{ending}")
}

/// No store comes to so many extents. One whose name says so is not ours, and the next would have no number.
const NUMBER_MAX: u64 = u64::MAX >> 1;

/// The number of a durable extent, by its file's name.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(ENDING_DURABLE)?;
    let is_number = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| is_number);
    number.filter(|number| *number <= NUMBER_MAX)
}

/// What the first 64 bytes of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    Whole { number: u64, durable: bool },
    Newer(u32),
    Damaged,
}

pub(super) fn encode_header(number: u64, durable: bool) -> [u8; ENDS_BYTES] {
    let mut bytes = [0; ENDS_BYTES];
    put(&mut bytes, 0, &HEADER_MAGIC);
    put(&mut bytes, 8, &VERSION.to_le_bytes());
    put(
        &mut bytes,
        12,
        &if durable { FLAG_DURABLE } else { 0 }.to_le_bytes(),
    );
    put(&mut bytes, 16, &number.to_le_bytes());
    seal(&mut bytes, 0);
    bytes
}

pub(super) fn decode_header(bytes: &[u8; ENDS_BYTES]) -> Header {
    let (Some(version), Some(flags), Some(number)) = (u32_at(bytes, 8), u32_at(bytes, 12), u64_at(bytes, 16))
    else {
        return Header::Damaged;
    };
    if !bytes.starts_with(&HEADER_MAGIC) || !is_sealed(bytes, 0) {
        Header::Damaged
    } else if version > VERSION {
        Header::Newer(version)
    } else {
        Header::Whole {
            number,
            durable: flags & FLAG_DURABLE != 0,
        }
    }
}

/// The last 64 bytes of a finished file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) version: u32,
    pub(super) blocks: u32,
    pub(super) number: u64,
    pub(super) directory: u64,
    pub(super) messages: u64,
}

impl Footer {
    pub(super) fn encode(&self) -> [u8; ENDS_BYTES] {
        let mut bytes = [0; ENDS_BYTES];
        put(&mut bytes, 0, &FOOTER_MAGIC);
        put(&mut bytes, 8, &self.version.to_le_bytes());
        put(&mut bytes, 12, &self.blocks.to_le_bytes());
        put(&mut bytes, 16, &self.number.to_le_bytes());
        put(&mut bytes, 24, &self.directory.to_le_bytes());
        put(&mut bytes, 32, &self.messages.to_le_bytes());
        seal(&mut bytes, 0);
        bytes
    }

    pub(super) fn decode(bytes: &[u8; ENDS_BYTES]) -> Option<Self> {
        if !bytes.starts_with(&FOOTER_MAGIC) || !is_sealed(bytes, 0) {
            return None;
        }
        Some(Self {
            version: u32_at(bytes, 8)?,
            blocks: u32_at(bytes, 12)?,
            number: u64_at(bytes, 16)?,
            directory: u64_at(bytes, 24)?,
            messages: u64_at(bytes, 32)?,
        })
    }
}

/// A block, as its header and the directory tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) owner: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    /// Where its header begins in the file.
    pub(super) offset: u64,
    pub(super) count: u32,
    pub(super) data_bytes: u32,
}

impl Block {
    pub(super) fn encode(&self, number: u64) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, 0, &BLOCK_MAGIC);
        put(&mut bytes, 4, &self.count.to_le_bytes());
        put(&mut bytes, 8, &self.owner.to_le_bytes());
        put(&mut bytes, 16, &self.first.to_le_bytes());
        put(&mut bytes, 24, &self.last.to_le_bytes());
        put(&mut bytes, 32, &self.offset.to_le_bytes());
        put(&mut bytes, 40, &self.data_bytes.to_le_bytes());
        seal(&mut bytes, seed_of_block(number));
        bytes
    }

    /// `None` unless every field is possible and the checksum fits the extent's number.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES], number: u64) -> Option<Self> {
        if !bytes.starts_with(&BLOCK_MAGIC) || !is_sealed(bytes, seed_of_block(number)) {
            return None;
        }
        let block = Self {
            count: u32_at(bytes, 4)?,
            owner: u64_at(bytes, 8)?,
            first: u64_at(bytes, 16)?,
            last: u64_at(bytes, 24)?,
            offset: u64_at(bytes, 32)?,
            data_bytes: u32_at(bytes, 40)?,
        };
        block.is_possible().then_some(block)
    }

    fn is_possible(&self) -> bool {
        let one = self.count == 1;
        let span = self.last.checked_sub(self.first);
        let in_span = span.is_some_and(|span| {
            u32::try_from(span).is_ok()
                && span >= u64::from(self.count.saturating_sub(1))
                && (!one || span == 0)
        });
        in_span
            && (1..=COUNT_MAX).contains(&self.count)
            && (one || self.data_bytes as usize <= DATA_BYTES_MAX)
            && self.offset >= ENDS_BYTES as u64
            && self.offset.checked_add(self.bytes()).is_some()
    }

    pub(super) fn index_bytes(&self) -> usize {
        self.count as usize * ENTRY_BYTES
    }

    /// Header, index and data.
    pub(super) fn bytes(&self) -> u64 {
        (HEADER_BYTES + self.index_bytes()) as u64 + u64::from(self.data_bytes)
    }

    /// Where the next block begins.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes())
    }
}

fn seed_of_block(number: u64) -> u32 {
    crc32c::crc32c(&number.to_le_bytes())
}

/// The part of a message's seed that a block's messages share.
pub(super) fn seed_of_owner(number: u64, owner: u64) -> u32 {
    crc32c::crc32c_append(seed_of_block(number), &owner.to_le_bytes())
}

/// An entry of a block's index: a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) head: Head,
    pub(super) offset: u32,
    pub(super) length: u32,
    pub(super) content_crc: u32,
    /// What the message's checksums begin with.
    pub(super) seed: u32,
}

impl Entry {
    /// The bytes of the entry number `place` in the block that begins with number `first`.
    #[inline]
    pub(super) fn encode(
        head: &Head,
        delta: u32,
        place: u16,
        offset: u32,
        content: &[u8],
        owner_seed: u32,
    ) -> [u8; ENTRY_BYTES] {
        let seed = crc32c::crc32c_append(owner_seed, &head.seq.to_le_bytes());
        let length = content.len() as u32;
        let mut bytes = [0; ENTRY_BYTES];
        put(&mut bytes, 0, &delta.to_le_bytes());
        put(&mut bytes, 4, &offset.to_le_bytes());
        put(&mut bytes, 8, &length.to_le_bytes());
        put(&mut bytes, 12, &head.properties_bytes.to_le_bytes());
        put(&mut bytes, 16, &head.enqueued_at_ms.to_le_bytes());
        put(&mut bytes, 24, &head.due_at_ms.to_le_bytes());
        put(&mut bytes, 32, &head.delivery_count.to_le_bytes());
        put(&mut bytes, 34, &place.to_le_bytes());
        put(
            &mut bytes,
            36,
            &[head.exchange_bytes, head.key_bytes, head.priority, head.flags],
        );
        put(
            &mut bytes,
            40,
            &crc32c::crc32c_append(seed, content).to_le_bytes(),
        );
        seal(&mut bytes, seed);
        bytes
    }

    /// `None` unless it is the entry number `place` of `block` and its checksum fits.
    #[inline]
    pub(super) fn decode(
        bytes: &[u8; ENTRY_BYTES],
        block: &Block,
        place: usize,
        owner_seed: u32,
    ) -> Option<Self> {
        let seq = Self::claimed(bytes, block)?;
        let seed = crc32c::crc32c_append(owner_seed, &seq.to_le_bytes());
        if usize::from(u16_at(bytes, 34)?) != place || !is_sealed(bytes, seed) {
            return None;
        }
        Some(Self {
            head: Head {
                seq,
                enqueued_at_ms: u64_at(bytes, 16)?,
                due_at_ms: u64_at(bytes, 24)?,
                properties_bytes: u32_at(bytes, 12)?,
                exchange_bytes: u8_at(bytes, 36)?,
                key_bytes: u8_at(bytes, 37)?,
                priority: u8_at(bytes, 38)?,
                flags: u8_at(bytes, 39)?,
                delivery_count: u16_at(bytes, 32)?,
            },
            offset: u32_at(bytes, 4)?,
            length: u32_at(bytes, 8)?,
            content_crc: u32_at(bytes, 40)?,
            seed,
        })
    }

    /// The number that an entry says it has, whether or not it is whole.
    #[inline]
    pub(super) fn claimed(bytes: &[u8; ENTRY_BYTES], block: &Block) -> Option<u64> {
        let seq = block.first.checked_add(u64::from(u32_at(bytes, 0)?))?;
        (seq <= block.last).then_some(seq)
    }

    /// The message's content, if it is whole.
    #[inline]
    pub(super) fn content<'a>(&self, data: &'a [u8]) -> Option<&'a [u8]> {
        let content = data.get(self.offset as usize..)?.get(..self.length as usize)?;
        (crc32c::crc32c_append(self.seed, content) == self.content_crc).then_some(content)
    }
}
