//! An open extent: its file, and which blocks stand in it.

use super::Section;
use super::layout::{self, Block, ENDS_BYTES, Footer, HEADER_BYTES, Header};
use super::scan::scan;
use crate::bytes::read_what_can_be;
use crate::damage::Damage;
use crate::disk::{Disk, File, is_shortage, too_new};
use std::io;
use std::sync::Arc;

/// The directory is read in pieces of so many bytes.
const DIRECTORY_READ_BYTES: usize = 1365 * HEADER_BYTES;

/// An open extent.
pub(super) struct Open {
    pub(super) file: Arc<dyn File>,
    pub(super) name: String,
    pub(super) number: u64,
    pub(super) size: u64,
    /// Sorted by owner and number, which is their order in the file.
    pub(super) blocks: Vec<Block>,
    /// The directory was whole: no block can be missing.
    pub(super) is_complete: bool,
    /// How many messages were written, if the footer tells.
    pub(super) messages: Option<u64>,
    /// What was found to be wrong.
    pub(super) damage: Vec<Damage>,
}

impl Open {
    /// Opens an extent and reads its directory, or makes it again from the blocks.
    pub(super) fn load(disk: &dyn Disk, durable: bool, number: u64) -> io::Result<Self> {
        let name = layout::path(durable, number);
        let file = disk.open(&name)?;
        let size = file.size()?;
        let mut open = Self {
            file,
            name,
            number,
            size,
            blocks: Vec::new(),
            is_complete: false,
            messages: None,
            damage: Vec::new(),
        };
        let header = open.read_header(durable);
        if let Err(error) = &header
            && error.kind() == io::ErrorKind::Unsupported
        {
            return header.map(|()| open);
        }
        match (header, open.read_footer()) {
            // Neither end can be read: then it is the disk, and nothing is said about the file.
            (Err(error), Err(_)) => return Err(error),
            (_, Err(error)) if is_shortage(&error) => return Err(error),
            (_, Err(error)) if error.kind() == io::ErrorKind::Unsupported => return Err(error),
            (_, Ok(Some(footer))) => {
                open.messages = Some(footer.messages);
                match open.read_directory(&footer)? {
                    Some(blocks) => {
                        open.is_complete = true;
                        open.blocks = blocks;
                    }
                    None => open.found(
                        footer.directory,
                        "the directory is damaged: made again from the blocks",
                    ),
                }
            }
            _ => open.found(
                open.last_end(),
                "the footer is damaged or missing: the directory is made again",
            ),
        }
        if !open.is_complete {
            open.blocks = scan(&*open.file, open.size, number)?;
            open.report_missing();
        }
        open.blocks.shrink_to_fit();
        Ok(open)
    }

    /// The blocks of an owner.
    pub(super) fn blocks_of(&self, owner: u64) -> &[Block] {
        let from = self.blocks.partition_point(|block| block.owner < owner);
        let rest = self.blocks.get(from..).unwrap_or_default();
        let length = rest.partition_point(|block| block.owner == owner);
        rest.get(..length).unwrap_or_default()
    }

    /// The sections, by the blocks that were found.
    pub(super) fn sections(&self) -> Vec<Section> {
        let same_owner = self.blocks.chunk_by(|one, next| one.owner == next.owner);
        let sections = same_owner.filter_map(|blocks| {
            let (first, last) = (blocks.first()?, blocks.last()?);
            Some(Section {
                extent: self.number,
                owner: first.owner,
                first: first.first,
                last: last.last,
                count: blocks.iter().map(|block| u64::from(block.count)).sum(),
            })
        });
        sections.collect()
    }

    fn last_end(&self) -> u64 {
        self.size.saturating_sub(ENDS_BYTES as u64)
    }

    fn found(&mut self, offset: u64, what: &str) {
        self.damage.push(Damage {
            file: self.name.clone(),
            offset,
            what: what.to_owned(),
            messages_lost: None,
        });
    }

    fn read_header(&mut self, durable: bool) -> io::Result<()> {
        let mut bytes = [0; ENDS_BYTES];
        read_what_can_be(&*self.file, &mut bytes, 0)?;
        match layout::decode_header(&bytes) {
            Header::Newer(version) => return Err(too_new(&self.name, version, layout::VERSION)),
            Header::Damaged => self.found(0, "the header is damaged: what follows it is read all the same"),
            Header::Whole {
                number,
                durable: is_durable,
            } if (number, is_durable) != (self.number, durable) => {
                self.found(0, &format!("the header is that of extent {number}"));
            }
            Header::Whole { .. } => {}
        }
        Ok(())
    }

    fn read_footer(&mut self) -> io::Result<Option<Footer>> {
        let mut bytes = [0; ENDS_BYTES];
        read_what_can_be(&*self.file, &mut bytes, self.last_end())?;
        match Footer::decode(&bytes) {
            Some(footer) if footer.version > layout::VERSION => {
                Err(too_new(&self.name, footer.version, layout::VERSION))
            }
            Some(footer) if footer.number == self.number => Ok(Some(footer)),
            _ => Ok(None),
        }
    }

    /// The directory, if all of it is whole and the blocks lie one behind the other.
    ///
    /// An error is a shortage, which says nothing about the file.
    fn read_directory(&self, footer: &Footer) -> io::Result<Option<Vec<Block>>> {
        let mut shortage = None;
        let blocks = self.whole_directory(footer, &mut shortage);
        shortage.map_or(Ok(blocks), Err)
    }

    fn whole_directory(&self, footer: &Footer, shortage: &mut Option<io::Error>) -> Option<Vec<Block>> {
        let bytes = u64::from(footer.blocks) * HEADER_BYTES as u64;
        let end = footer.directory.checked_add(bytes)?;
        if end != self.last_end() {
            return None;
        }
        let mut blocks: Vec<Block> = Vec::with_capacity(footer.blocks as usize);
        let mut buffer = vec![0; DIRECTORY_READ_BYTES.min(usize::try_from(bytes).ok()?)];
        let mut next = ENDS_BYTES as u64;
        let mut at = footer.directory;
        while at < end {
            let length = buffer.len().min(usize::try_from(end - at).ok()?);
            let piece = buffer.get_mut(..length)?;
            match read_what_can_be(&*self.file, piece, at) {
                Ok(read) if read == length => {}
                Err(error) if is_shortage(&error) => {
                    *shortage = Some(error);
                    return None;
                }
                _ => return None,
            }
            let (headers, rest) = piece.as_chunks::<HEADER_BYTES>();
            if !rest.is_empty() {
                return None;
            }
            for header in headers {
                let block = Block::decode(header, self.number)?;
                if block.offset != next || blocks.last().is_some_and(|last| !last.is_before(&block)) {
                    return None;
                }
                next = block.end();
                blocks.push(block);
            }
            at += length as u64;
        }
        (next == footer.directory).then_some(blocks)
    }

    /// Says what the blocks that were found again do not hold.
    fn report_missing(&mut self) {
        let found: u64 = self.blocks.iter().map(|block| u64::from(block.count)).sum();
        let lost = self.messages.map(|messages| messages.saturating_sub(found));
        if lost.is_none_or(|lost| lost == 0) {
            return;
        }
        self.damage.push(Damage {
            file: self.name.clone(),
            offset: 0,
            what: "blocks are missing: neither they nor the directory tell of their messages".to_owned(),
            messages_lost: lost,
        });
    }
}
