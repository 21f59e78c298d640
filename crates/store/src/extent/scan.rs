//! Finding the blocks of an extent whose directory is damaged.
//!
//! A block's header says where it stands, and the directory is made of the same headers. So every header
//! that is whole tells of a block, wherever it is found.

use super::layout::{BLOCK_MAGIC, Block, ENDS_BYTES, HEADER_BYTES};
use crate::bytes::read_what_can_be;
use crate::disk::{File, is_shortage};
use std::collections::BTreeMap;
use std::io;

/// So much is searched at a time.
const SEARCH_BYTES: usize = 256 * 1024;

impl Block {
    /// Whether `next` may follow: behind it in the file, and in the order of owners and numbers.
    pub(super) fn is_before(&self, next: &Block) -> bool {
        self.end() <= next.offset && (self.owner, self.last) < (next.owner, next.first)
    }
}

/// The blocks that can be found: by going from header to header, and where one is damaged by searching
/// for the next.
///
/// # Errors
/// The system lacks what it needs to read anything. What the disk refuses is passed over.
pub(super) fn scan(file: &dyn File, size: u64, number: u64) -> io::Result<Vec<Block>> {
    let mut found = BTreeMap::new();
    let mut search = Search {
        file,
        number,
        buffer: Vec::new(),
    };
    let mut at = ENDS_BYTES as u64;
    while at < size {
        let next = match search.header_at(at)? {
            Some(block) => Some((at, block)),
            None => search.next(at + 1)?,
        };
        let Some((place, block)) = next else {
            break;
        };
        if block.offset < size {
            found.insert(block.offset, block);
        }
        at = if block.offset == place {
            block.end()
        } else {
            place + HEADER_BYTES as u64
        };
    }
    Ok(in_order(found.into_values()))
}

/// Leaves out what contradicts the blocks before it: a forged header, or one from another time.
fn in_order(blocks: impl Iterator<Item = Block>) -> Vec<Block> {
    let mut ordered: Vec<Block> = Vec::new();
    for block in blocks {
        if ordered.last().is_none_or(|last| last.is_before(&block)) {
            ordered.push(block);
        }
    }
    ordered
}

struct Search<'a> {
    file: &'a dyn File,
    number: u64,
    buffer: Vec<u8>,
}

impl Search<'_> {
    fn header_at(&self, at: u64) -> io::Result<Option<Block>> {
        let mut bytes = [0; HEADER_BYTES];
        let read = match self.file.read(&mut bytes, at) {
            Err(error) if is_shortage(&error) => return Err(error),
            read => read.unwrap_or(0),
        };
        let is_whole = read == HEADER_BYTES;
        Ok(is_whole.then(|| Block::decode(&bytes, self.number)).flatten())
    }

    /// The first header at or behind a place.
    fn next(&mut self, mut at: u64) -> io::Result<Option<(u64, Block)>> {
        self.buffer.resize(SEARCH_BYTES, 0);
        loop {
            let read = match read_what_can_be(self.file, &mut self.buffer, at) {
                Err(error) if is_shortage(&error) => return Err(error),
                Ok(read) => read,
                // A piece of which nothing can be read is passed over.
                Err(_) => {
                    self.buffer.fill(0);
                    SEARCH_BYTES
                }
            };
            let piece = self.buffer.get(..read).unwrap_or_default();
            let headers = piece.windows(HEADER_BYTES).enumerate();
            for (place, bytes) in headers.filter(|(_, bytes)| bytes.starts_with(&BLOCK_MAGIC)) {
                let block = bytes
                    .first_chunk()
                    .and_then(|bytes| Block::decode(bytes, self.number));
                if let Some(block) = block {
                    return Ok(Some((at + place as u64, block)));
                }
            }
            if read < SEARCH_BYTES {
                return Ok(None);
            }
            at += (SEARCH_BYTES - HEADER_BYTES + 1) as u64;
        }
    }
}
