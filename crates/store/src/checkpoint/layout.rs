//! The bytes of a checkpoint. See `docs/storage-format.md`.
//!
//! ```text
//!   head 64 │ table: 32 an entry │ the entries' bytes │ head again 64
//! ```

use crate::bytes::{is_sealed, put, seal, u8_at, u32_at, u64_at};

/// The newest format that this program knows.
pub(super) const VERSION: u32 = 1;
/// Length of the head.
pub(super) const HEAD_BYTES: usize = 64;
/// Length of a row of the table.
pub(super) const ROW_BYTES: usize = 32;

/// The file, its copy, and what they are called while they are written.
pub(super) const FILES: [&str; 2] = ["checkpoint", "checkpoint.copy"];
pub(super) const FILES_NEW: [&str; 2] = ["checkpoint.new", "checkpoint.copy.new"];

const MAGIC_FRONT: [u8; 8] = *b"WARRNCHK";
const MAGIC_BACK: [u8; 8] = *b"WARRNCHE";
const FLAG_FIRST: u32 = 1;

/// Which of the two heads of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Front,
    Back,
}

impl End {
    fn magic(self) -> [u8; 8] {
        match self {
            Self::Front => MAGIC_FRONT,
            Self::Back => MAGIC_BACK,
        }
    }
}

/// What stands at the front of a file and at its back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Before this one not both files were there, so that a power cut may have left only one.
    pub(super) is_first: bool,
    pub(super) entries: u64,
    /// Length of the file.
    pub(super) length: u64,
    /// The checksum of the table: files in which it differs are of different checkpoints.
    pub(super) identity: u32,
}

/// What 64 bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoded {
    Head(Head),
    Newer(u32),
    Damaged,
}

impl Head {
    pub(super) fn encode(&self, end: End) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        put(&mut bytes, 0, &end.magic());
        put(&mut bytes, 8, &VERSION.to_le_bytes());
        put(
            &mut bytes,
            12,
            &if self.is_first { FLAG_FIRST } else { 0 }.to_le_bytes(),
        );
        put(&mut bytes, 16, &self.entries.to_le_bytes());
        put(&mut bytes, 24, &self.length.to_le_bytes());
        put(&mut bytes, 32, &self.identity.to_le_bytes());
        seal(&mut bytes, 0);
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEAD_BYTES], end: End) -> Decoded {
        if !bytes.starts_with(&end.magic()) || !is_sealed(bytes, 0) {
            return Decoded::Damaged;
        }
        match u32_at(bytes, 8) {
            Some(version) if version > VERSION => Decoded::Newer(version),
            _ => Self::fields(bytes).map_or(Decoded::Damaged, Decoded::Head),
        }
    }

    fn fields(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let head = Self {
            is_first: u32_at(bytes, 12)? & FLAG_FIRST != 0,
            entries: u64_at(bytes, 16)?,
            length: u64_at(bytes, 24)?,
            identity: u32_at(bytes, 32)?,
        };
        let smallest = head.bytes_offset()?.checked_add(HEAD_BYTES as u64)?;
        (smallest <= head.length).then_some(head)
    }

    /// Where the entries' bytes begin.
    pub(super) fn bytes_offset(&self) -> Option<u64> {
        self.entries
            .checked_mul(ROW_BYTES as u64)?
            .checked_add(HEAD_BYTES as u64)
    }
}

/// A row of the table: an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) owner: u64,
    /// Where its bytes begin, behind the table.
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) crc: u32,
}

impl Row {
    /// The row, but for its own checksum, which is zero.
    pub(super) fn encode(&self) -> [u8; ROW_BYTES] {
        let mut bytes = [0; ROW_BYTES];
        put(&mut bytes, 0, &self.owner.to_le_bytes());
        put(&mut bytes, 8, &self.offset.to_le_bytes());
        put(&mut bytes, 16, &self.length.to_le_bytes());
        put(&mut bytes, 20, &[self.kind]);
        put(&mut bytes, 24, &self.crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; ROW_BYTES], index: u64, identity: u32) -> Option<Self> {
        if !is_sealed(bytes, seed_of_row(index, identity)) {
            return None;
        }
        Some(Self {
            owner: u64_at(bytes, 0)?,
            offset: u64_at(bytes, 8)?,
            length: u32_at(bytes, 16)?,
            kind: u8_at(bytes, 20)?,
            crc: u32_at(bytes, 24)?,
        })
    }

    /// The checksum that an entry with these bytes has.
    pub(super) fn crc_of(owner: u64, kind: u8, bytes: &[u8]) -> u32 {
        let seed = crc32c::crc32c_append(crc32c::crc32c(&owner.to_le_bytes()), &[kind]);
        crc32c::crc32c_append(seed, bytes)
    }
}

/// What the checksum of a row begins with.
pub(super) fn seed_of_row(index: u64, identity: u32) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&identity.to_le_bytes()), &index.to_le_bytes())
}
