//! An extent: blocks of messages, and a directory of the blocks.

use std::ops::Range;

use super::{Bytes, Copy, Known};
use crate::message::Identity;

const ENDS: u64 = 64;
const BLOCK_HEADER: u64 = 48;
const ENTRY: u64 = 48;

pub(super) struct Extent {
    pub(super) name: String,
    pub(super) number: u64,
    pub(super) footer: Range<u64>,
    pub(super) blocks: Vec<Block>,
}

pub(super) struct Block {
    pub(super) header: Range<u64>,
    /// Its header again, in the directory.
    pub(super) row: Range<u64>,
    pub(super) messages: Vec<Message>,
}

pub(super) struct Message {
    pub(super) copy: Copy,
    pub(super) entry: Range<u64>,
    pub(super) content: Range<u64>,
}

impl Extent {
    /// Reads a file. `None` when it is not as the format says.
    pub(super) fn read(name: &str, bytes: &[u8], known: &mut Known) -> Option<Extent> {
        let size = bytes.len() as u64;
        let bytes = Bytes(bytes);
        let footer = size.checked_sub(ENDS)?..size;
        if bytes.slice(0, 8)? != b"WARRNEXT" || bytes.slice(footer.start, 8)? != b"WARRNEND" {
            return None;
        }
        let (count, directory) = (bytes.u32(footer.start + 12)?, bytes.u64(footer.start + 24)?);
        let mut extent = Extent {
            name: name.to_owned(),
            number: bytes.u64(16)?,
            footer,
            blocks: Vec::new(),
        };
        for nth in 0..u64::from(count) {
            let row = directory + nth * BLOCK_HEADER;
            extent.blocks.push(block(bytes, row, known)?);
        }
        Some(extent)
    }

    pub(super) fn places(&self) -> Vec<u64> {
        let blocks = self.blocks.iter();
        let messages = self.blocks.iter().flat_map(|block| &block.messages);
        blocks
            .flat_map(|block| [block.header.start, block.row.start])
            .chain(messages.map(|message| message.entry.start))
            .chain([self.footer.start])
            .collect()
    }
}

fn block(bytes: Bytes<'_>, row: u64, known: &mut Known) -> Option<Block> {
    let at = bytes.u64(row + 32)?;
    if bytes.slice(row, BLOCK_HEADER)? != bytes.slice(at, BLOCK_HEADER)? {
        return None;
    }
    let (count, owner, first) = (bytes.u32(at + 4)?, bytes.u64(at + 8)?, bytes.u64(at + 16)?);
    let entries = at + BLOCK_HEADER;
    let data = entries + u64::from(count) * ENTRY;
    let mut messages = Vec::new();
    for nth in 0..u64::from(count) {
        let entry = entries + nth * ENTRY;
        let content = data + u64::from(bytes.u32(entry + 4)?);
        let message = Message {
            copy: Copy {
                owner,
                seq: first + u64::from(bytes.u32(entry)?),
            },
            entry: entry..entry + ENTRY,
            content: content..content + u64::from(bytes.u32(entry + 8)?),
        };
        let names = u64::from(bytes.u8(entry + 36)?) + u64::from(bytes.u8(entry + 37)?);
        let properties = bytes.slice(content + names, u64::from(bytes.u32(entry + 12)?))?;
        known
            .of_copy
            .extend(Identity::read(properties).map(|identity| (message.copy, identity)));
        messages.push(message);
    }
    Some(Block {
        header: at..at + BLOCK_HEADER,
        row: row..row + BLOCK_HEADER,
        messages,
    })
}
