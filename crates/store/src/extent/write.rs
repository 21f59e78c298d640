//! Writing an extent.

use super::layout::{
    self, Block, COUNT_MAX, DATA_BYTES_MAX, ENDS_BYTES, ENTRY_BYTES, Entry, FOLDER, Footer, HEADER_BYTES,
    VERSION,
};
use super::{Head, Section};
use crate::disk::{Disk, File};
use crate::failpoint;
use std::io;
use std::sync::Arc;

/// So much is gathered before it is written.
const WRITE_BYTES: usize = 512 * 1024;

/// Writes one extent, from front to back.
pub struct ExtentWriter {
    disk: Arc<dyn Disk>,
    file: Arc<dyn File>,
    number: u64,
    durable: bool,
    space_bytes: u64,
    /// What goes to the file next, and where.
    out: Vec<u8>,
    out_offset: u64,
    /// The block in the making: its messages so far, the entries of its index, its data.
    making: Option<Block>,
    index: Vec<u8>,
    data: Vec<u8>,
    owner: Option<u64>,
    owner_seed: u32,
    directory: Vec<Block>,
    sections: Vec<Section>,
}

impl ExtentWriter {
    /// Makes the file and takes its space. Extents that are not `durable` are never synced, and are
    /// deleted unread when the store is opened.
    ///
    /// # Errors
    /// The disk is full.
    pub fn create(disk: Arc<dyn Disk>, number: u64, durable: bool, space_bytes: u64) -> io::Result<Self> {
        disk.create_folder(FOLDER)?;
        let file = disk.create(&layout::path(durable, number), space_bytes)?;
        Ok(Self {
            disk,
            file,
            number,
            durable,
            space_bytes,
            out: layout::encode_header(number, durable).to_vec(),
            out_offset: 0,
            making: None,
            index: Vec::new(),
            data: Vec::new(),
            owner: None,
            owner_seed: 0,
            directory: Vec::new(),
            sections: Vec::new(),
        })
    }

    /// The space that is enough for so many sections with so many messages and so much content in all.
    /// Where two numbers of a section lie 2^32 apart, it takes 96 bytes more.
    pub fn space_bytes(sections: u64, messages: u64, content_bytes: u64) -> u64 {
        (2 * ENDS_BYTES as u64).saturating_add(growth(sections, messages, content_bytes))
    }

    /// Whether so much content more, of one more owner, still has room in the space that was taken.
    pub fn has_room(&self, messages: u64, content_bytes: u64) -> bool {
        let making = self
            .making
            .map_or(0, |_| HEADER_BYTES + self.index.len() + self.data.len());
        let blocks = self.directory.len() + usize::from(self.making.is_some());
        let used = self.position() + (making + blocks * HEADER_BYTES + ENDS_BYTES) as u64;
        used.saturating_add(growth(1, messages, content_bytes)) <= self.space_bytes
    }

    /// Begins the section of an owner. Owners come in rising order.
    pub fn begin(&mut self, owner: u64) {
        self.owner = Some(owner);
        self.owner_seed = layout::seed_of_owner(self.number, owner);
    }

    /// Adds a message; numbers rise within a section. Content is exchange, routing key, properties
    /// and body, one after the other.
    ///
    /// # Errors
    /// Writing failed: the disk is not to be believed.
    pub fn push(&mut self, head: &Head, content: &[u8]) -> io::Result<()> {
        let owner = self.owner.ok_or_else(|| misuse("a message before any owner"))?;
        if u32::try_from(content.len()).is_err() {
            return Err(misuse("a message of 4 GiB"));
        }
        self.count_in_section(owner, head.seq)?;
        let mut block = match self.making.take() {
            Some(block) if self.goes_into(&block, owner, head.seq, content.len()) => block,
            Some(block) => {
                self.end_block(block, None)?;
                self.new_block(owner, head.seq)
            }
            None => self.new_block(owner, head.seq),
        };
        // Both fit: `goes_into` holds the distance below 2^32 and the count below COUNT_MAX.
        let delta = (head.seq - block.first) as u32;
        let place = block.count as u16;
        let entry = Entry::encode(head, delta, place, block.data_bytes, content, self.owner_seed);
        self.index.extend_from_slice(&entry);
        block.last = head.seq;
        block.count += 1;
        block.data_bytes += content.len() as u32;
        if content.len() > DATA_BYTES_MAX {
            return self.end_block(block, Some(content));
        }
        self.data.extend_from_slice(content);
        self.making = Some(block);
        Ok(())
    }

    /// Writes what is left, gives back space that was not needed and, if it is durable, syncs the file
    /// and its folder.
    ///
    /// # Errors
    /// Writing or syncing failed: the disk is not to be believed.
    pub fn finish(mut self) -> io::Result<Vec<Section>> {
        if let Some(block) = self.making.take() {
            self.end_block(block, None)?;
        }
        let footer = Footer {
            version: VERSION,
            blocks: u32::try_from(self.directory.len()).map_err(|_| misuse("2^32 blocks"))?,
            number: self.number,
            directory: self.position(),
            messages: self.sections.iter().map(|section| section.count).sum(),
        };
        for block in std::mem::take(&mut self.directory) {
            self.out.extend_from_slice(&block.encode(self.number));
            if self.out.len() >= WRITE_BYTES {
                self.flush()?;
            }
        }
        self.out.extend_from_slice(&footer.encode());
        self.flush()?;
        failpoint::pass("extent-before-sync");
        if self.out_offset < self.space_bytes {
            self.file.truncate(self.out_offset)?;
        }
        if self.durable {
            self.file.sync()?;
            self.disk.sync_folder(FOLDER)?;
        }
        failpoint::pass("extent-written");
        Ok(self.sections)
    }

    /// Removes the unfinished file.
    pub fn abandon(self) {
        // Should it stay, then as a file that nothing refers to.
        let _ = self.disk.remove(&layout::path(self.durable, self.number));
    }

    /// Where the next block begins.
    fn position(&self) -> u64 {
        self.out_offset + self.out.len() as u64
    }

    fn goes_into(&self, block: &Block, owner: u64, seq: u64, length: usize) -> bool {
        block.owner == owner
            && block.count < COUNT_MAX
            && seq - block.first <= u64::from(u32::MAX)
            && self.data.len() + length <= DATA_BYTES_MAX
    }

    fn new_block(&self, owner: u64, first: u64) -> Block {
        Block {
            owner,
            first,
            last: first,
            offset: self.position(),
            count: 0,
            data_bytes: 0,
        }
    }

    fn count_in_section(&mut self, owner: u64, seq: u64) -> io::Result<()> {
        match self.sections.last_mut() {
            Some(section) if section.owner == owner => {
                if section.last >= seq {
                    return Err(misuse("numbers of messages do not rise"));
                }
                section.last = seq;
                section.count += 1;
            }
            Some(section) if section.owner > owner => return Err(misuse("owners do not rise")),
            _ => self.sections.push(Section {
                extent: self.number,
                owner,
                first: seq,
                last: seq,
                count: 1,
            }),
        }
        Ok(())
    }

    /// Puts a block behind what is to be written. A `large` message is its data, and is not copied.
    fn end_block(&mut self, block: Block, large: Option<&[u8]>) -> io::Result<()> {
        self.directory.push(block);
        self.out.extend_from_slice(&block.encode(self.number));
        self.out.append(&mut self.index);
        self.out.append(&mut self.data);
        if self.out.len() >= WRITE_BYTES || large.is_some() {
            self.flush()?;
        }
        if let Some(content) = large {
            self.file.write(content, self.out_offset)?;
            self.out_offset += content.len() as u64;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write(&self.out, self.out_offset)?;
        self.out_offset += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }
}

/// The most by which so much content makes a file longer. Two neighbouring blocks of an owner hold more
/// than one block's data together, unless they are full of messages.
fn growth(sections: u64, messages: u64, content_bytes: u64) -> u64 {
    let by_content = content_bytes / (DATA_BYTES_MAX as u64 / 2);
    let by_count = messages / u64::from(COUNT_MAX);
    let blocks = by_content
        .saturating_add(by_count)
        .saturating_add(sections.saturating_mul(2));
    content_bytes
        .saturating_add(messages.saturating_mul(ENTRY_BYTES as u64))
        .saturating_add(blocks.saturating_mul(2 * HEADER_BYTES as u64))
}

fn misuse(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
