//! Reading a section: block after block, message after message.

use super::gap::Gap;
use super::layout::{self, Block, ENTRY_BYTES, Entry, HEADER_BYTES};
use super::open::Open;
use super::{Found, Lost, Section};
use crate::bytes::read_what_can_be;
use crate::damage::Damage;
use crate::disk::is_shortage;
use std::io;
use std::ops::ControlFlow;

/// A section that is being read.
pub(super) struct Reading<'a> {
    pub(super) open: &'a Open,
    pub(super) section: &'a Section,
    pub(super) from: u64,
    pub(super) wanted: &'a mut dyn FnMut(u64) -> bool,
    pub(super) each: &'a mut dyn FnMut(Found<'_>) -> bool,
    pub(super) damaged: &'a mut dyn FnMut(Lost, Damage),
    /// Damage that costs no message.
    pub(super) harmless: &'a mut dyn FnMut(Damage),
}

/// Damaged entries that stand one behind the other: where they stand in the file, and the numbers that
/// they say they have.
#[derive(Default)]
struct Bad {
    offsets: Vec<u64>,
    claimed: Vec<u64>,
}

impl Reading<'_> {
    /// Reads all of it, until `each` has enough.
    pub(super) fn run(mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let blocks = self.open.blocks_of(self.section.owner);
        let mut missing = self.missing(blocks);
        let start = blocks.partition_point(|block| block.last < self.from);
        let before = start.checked_sub(1).and_then(|before| blocks.get(before));
        let mut next = before.map_or(self.section.first, |block| block.last.saturating_add(1));
        for block in blocks.get(start..).unwrap_or_default() {
            if block.first > self.section.last {
                break;
            }
            if let Some(before) = block.first.checked_sub(1) {
                let next = next.max(self.section.first);
                missing -= self.missing_block(next, before, missing, block.offset);
            }
            if self.block(block, buffer)?.is_break() {
                return Ok(());
            }
            next = block.last.saturating_add(1);
        }
        self.missing_block(next, self.section.last, missing, self.open.size);
        Ok(())
    }

    /// How many of the section's messages are in no block that was found.
    fn missing(&self, blocks: &[Block]) -> u64 {
        if self.open.is_complete {
            return 0;
        }
        let found: u64 = blocks.iter().map(|block| u64::from(block.count)).sum();
        self.section.count.saturating_sub(found)
    }

    /// Tells of the messages between two blocks, if any are missing.
    fn missing_block(&mut self, low: u64, high: u64, count: u64, offset: u64) -> u64 {
        if count == 0 || low > high {
            return 0;
        }
        let (open, owner, damaged) = (self.open, self.section.owner, &mut self.damaged);
        Gap { low, high, count }.between_blocks(self.from, self.wanted, &mut |seq| {
            let what = format!("a block before here is missing: message {seq} of queue {owner} is lost");
            damaged(Lost { seq }, lost_at(open, offset, what));
        })
    }

    fn block(&mut self, block: &Block, buffer: &mut Vec<u8>) -> io::Result<ControlFlow<()>> {
        // The directory tells the number of a message that stands alone: it may be a large one.
        let alone = block.count == 1;
        if alone && !self.wants(block.first) {
            return Ok(ControlFlow::Continue(()));
        }
        // Never longer than the file, whatever a header says.
        let there = block.bytes().min(self.open.size.saturating_sub(block.offset));
        let length = usize::try_from(there).map_err(|_| io::ErrorKind::OutOfMemory)?;
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        let bytes = buffer.get_mut(..length).unwrap_or_default();
        let read = match read_what_can_be(&*self.open.file, bytes, block.offset) {
            Ok(read) => read,
            Err(error) if is_shortage(&error) => return Err(error),
            // Then nothing of it is there, but the blocks behind it may be.
            Err(error) => {
                self.note(block, format!("a block cannot be read: {error}"));
                0
            }
        };
        let bytes = bytes.get(..read).unwrap_or_default();
        self.check_header(block, bytes);
        Ok(self.messages(block, bytes, alone))
    }

    fn check_header(&mut self, block: &Block, bytes: &[u8]) {
        let header = bytes
            .first_chunk()
            .and_then(|bytes| Block::decode(bytes, self.open.number));
        if header != Some(*block) {
            let what = "the header of a block is damaged: the directory is used in its place";
            self.note(block, what.to_owned());
        }
    }

    fn note(&mut self, block: &Block, what: String) {
        (self.harmless)(Damage {
            file: self.open.name.clone(),
            offset: block.offset,
            what,
            messages_lost: Some(0),
        });
    }

    fn messages(&mut self, block: &Block, bytes: &[u8], is_wanted: bool) -> ControlFlow<()> {
        let rest = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let (index, data) = rest.split_at_checked(block.index_bytes()).unwrap_or((rest, &[]));
        let (entries, _) = index.as_chunks::<ENTRY_BYTES>();
        let owner_seed = layout::seed_of_owner(self.open.number, block.owner);
        let mut bad = Bad::default();
        let mut next = block.first;
        for (place, bytes) in entries.iter().enumerate() {
            match Entry::decode(bytes, block, place, owner_seed) {
                Some(entry) if entry.head.seq >= next => {
                    self.lost_before(block, next, entry.head.seq.checked_sub(1), &mut bad, is_wanted);
                    next = entry.head.seq.saturating_add(1);
                    self.message(block, &entry, data, is_wanted)?;
                }
                _ => bad.add(block, place, Entry::claimed(bytes, block)),
            }
        }
        for place in entries.len()..block.count as usize {
            bad.add(block, place, None);
        }
        self.lost_before(block, next, Some(block.last), &mut bad, is_wanted);
        ControlFlow::Continue(())
    }

    fn wants(&mut self, seq: u64) -> bool {
        seq >= self.from && seq >= self.section.first && seq <= self.section.last && (self.wanted)(seq)
    }

    #[inline]
    fn message(&mut self, block: &Block, entry: &Entry, data: &[u8], is_wanted: bool) -> ControlFlow<()> {
        let seq = entry.head.seq;
        if !is_wanted && !self.wants(seq) {
            return ControlFlow::Continue(());
        }
        if let Some(content) = entry.content(data) {
            let head = entry.head;
            let goes_on = (self.each)(Found { head, content });
            return if goes_on {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            };
        }
        let data_offset = block.offset + (HEADER_BYTES + block.index_bytes()) as u64;
        let what = format!(
            "the content of message {seq} of queue {} is damaged: it is lost",
            block.owner
        );
        let damage = lost_at(self.open, data_offset + u64::from(entry.offset), what);
        (self.damaged)(Lost { seq }, damage);
        ControlFlow::Continue(())
    }

    /// Tells of the messages of damaged entries, which lie between two numbers.
    fn lost_before(&mut self, block: &Block, low: u64, high: Option<u64>, bad: &mut Bad, is_wanted: bool) {
        if bad.offsets.is_empty() {
            return;
        }
        let Bad { offsets, claimed } = std::mem::take(bad);
        let count = offsets.len() as u64;
        let Some(high) = high.filter(|high| low <= *high) else {
            return;
        };
        let (open, owner, section) = (self.open, block.owner, self.section);
        let (wanted, damaged) = (&mut self.wanted, &mut self.damaged);
        let mut wanted = |seq| is_wanted || ((section.first..=section.last).contains(&seq) && wanted(seq));
        let mut lost = |seq, place: Option<u64>| {
            let place = place.and_then(|place| usize::try_from(place).ok()).unwrap_or(0);
            let offset = offsets
                .get(place)
                .or(offsets.first())
                .copied()
                .unwrap_or(block.offset);
            let what = format!("the entry of message {seq} of queue {owner} is damaged: it is lost");
            damaged(Lost { seq }, lost_at(open, offset, what));
        };
        let ends = [block.first, block.last];
        Gap { low, high, count }.within_block(self.from, &ends, &claimed, &mut wanted, &mut lost);
    }
}

impl Bad {
    #[cold]
    fn add(&mut self, block: &Block, place: usize, claimed: Option<u64>) {
        self.offsets
            .push(block.offset + (HEADER_BYTES + place * ENTRY_BYTES) as u64);
        self.claimed.extend(claimed);
    }
}

fn lost_at(open: &Open, offset: u64, what: String) -> Damage {
    Damage {
        file: open.name.clone(),
        offset,
        what,
        messages_lost: Some(1),
    }
}
