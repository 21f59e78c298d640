//! One of the two files of a checkpoint.

use super::layout::{self, Decoded, End, HEAD_BYTES, Head, ROW_BYTES, Row};
use crate::bytes::read_what_can_be;
use crate::damage::Damage;
use crate::disk::{Disk, File, is_shortage, too_new};
use std::io;
use std::sync::Arc;

/// So much of the entries' bytes is read at a time.
const WINDOW_BYTES: u64 = 1024 * 1024;

/// One of the two files of a checkpoint.
pub(super) struct Copy {
    name: &'static str,
    file: Arc<dyn File>,
    size: u64,
    /// What it says of itself, by its front or, if that is damaged, by its back.
    pub(super) head: Option<Head>,
    table: Vec<u8>,
    window: Vec<u8>,
    window_offset: u64,
    damage: Vec<Damage>,
    /// The entries that are damaged here and stand one behind the other.
    run: Option<(u64, u64)>,
    /// Why something could not be read that may be whole.
    shortage: Option<io::Error>,
}

impl Copy {
    /// Opens a file, if there is one.
    ///
    /// # Errors
    /// It cannot be opened, or is of a newer format version.
    pub(super) fn open(disk: &dyn Disk, name: &'static str) -> io::Result<Option<Self>> {
        let file = match disk.open(name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = file.size()?;
        let mut copy = Self {
            name,
            file,
            size,
            head: None,
            table: Vec::new(),
            window: Vec::new(),
            window_offset: 0,
            damage: Vec::new(),
            run: None,
            shortage: None,
        };
        let front = copy.read_head(0, End::Front)?;
        let back = copy.read_head(size.saturating_sub(HEAD_BYTES as u64), End::Back)?;
        copy.head = front.or(back);
        if front.is_none() {
            copy.found(0, "the head at the front is damaged".to_owned());
        }
        if back.is_none() || copy.head.is_some_and(|head| head.length != size) {
            copy.found(size, "the head at the back is damaged or missing".to_owned());
        }
        Ok(Some(copy))
    }

    /// Makes ready to read the entries of the checkpoint that `head` tells of, which may be another's: then
    /// none is found.
    pub(super) fn begin(&mut self, head: &Head) {
        let there = self.size.saturating_sub(HEAD_BYTES as u64);
        let length = head.entries.saturating_mul(ROW_BYTES as u64).min(there);
        self.table = vec![0; usize::try_from(length).unwrap_or(0)];
        let read = read_what_can_be(&*self.file, &mut self.table, HEAD_BYTES as u64);
        let read = self.length_of(read);
        self.table.truncate(read);
    }

    /// How much was read. Of a damaged file that may be nothing.
    fn length_of(&mut self, read: io::Result<usize>) -> usize {
        read.unwrap_or_else(|error| {
            if is_shortage(&error) {
                self.shortage = Some(error);
            }
            0
        })
    }

    /// That the system lacked what it needs to read, if it did: what was taken for damage may be none.
    pub(super) fn take_shortage(&mut self) -> Option<io::Error> {
        self.shortage.take()
    }

    /// How many rows of the table there may be.
    pub(super) fn rows(&self) -> u64 {
        (self.table.len() / ROW_BYTES) as u64
    }

    pub(super) fn row(&self, index: u64, identity: u32) -> Option<Row> {
        let (rows, _) = self.table.as_chunks::<ROW_BYTES>();
        Row::decode(rows.get(usize::try_from(index).ok()?)?, index, identity)
    }

    /// The bytes of an entry, if they are whole.
    pub(super) fn bytes(&mut self, row: &Row, head: &Head) -> Option<&[u8]> {
        let offset = head.bytes_offset()?.checked_add(row.offset)?;
        let end = offset.checked_add(u64::from(row.length))?;
        if end > self.size {
            return None;
        }
        if offset < self.window_offset || end > self.window_offset + self.window.len() as u64 {
            self.fill(offset, end)?;
        }
        let from = usize::try_from(offset - self.window_offset).ok()?;
        let bytes = self.window.get(from..)?.get(..row.length as usize)?;
        (Row::crc_of(row.owner, row.kind, bytes) == row.crc).then_some(bytes)
    }

    fn fill(&mut self, offset: u64, end: u64) -> Option<()> {
        let end = end.max(offset.saturating_add(WINDOW_BYTES)).min(self.size);
        self.window.resize(usize::try_from(end - offset).ok()?, 0);
        self.window_offset = offset;
        let read = read_what_can_be(&*self.file, &mut self.window, offset);
        let read = self.length_of(read);
        self.window.truncate(read);
        Some(())
    }

    /// Notes that an entry is damaged here. Neighbours come in one report.
    pub(super) fn damaged(&mut self, index: u64) {
        match &mut self.run {
            Some((_, last)) if last.checked_add(1) == Some(index) => *last = index,
            _ => {
                self.end_run();
                self.run = Some((index, index));
            }
        }
    }

    fn end_run(&mut self) {
        let Some((first, last)) = self.run.take() else {
            return;
        };
        let offset = (HEAD_BYTES as u64).saturating_add(first.saturating_mul(ROW_BYTES as u64));
        let what = match first == last {
            true => format!("entry {first}, of which the table tells here, is damaged in this file"),
            false => {
                format!("entries {first} to {last}, of which the table tells here, are damaged in this file")
            }
        };
        self.found(offset, what);
    }

    /// Everything that was found to be wrong.
    pub(super) fn take_damage(&mut self) -> Vec<Damage> {
        self.end_run();
        std::mem::take(&mut self.damage)
    }

    /// The report of an entry that is lost: whoever knows what was in it tells what that costs.
    pub(super) fn damage(&self, offset: u64, what: String) -> Damage {
        Damage {
            file: self.name.to_owned(),
            offset,
            what,
            messages_lost: None,
        }
    }

    /// Something is wrong that costs nothing by itself: the other end or the other file tells the same. An
    /// entry that neither tells is reported as lost besides.
    fn found(&mut self, offset: u64, what: String) {
        self.damage.push(Damage {
            messages_lost: Some(0),
            ..self.damage(offset, what)
        });
    }

    fn read_head(&self, offset: u64, end: End) -> io::Result<Option<Head>> {
        let mut bytes = [0; HEAD_BYTES];
        match read_what_can_be(&*self.file, &mut bytes, offset) {
            Err(error) if is_shortage(&error) => return Err(error),
            // What cannot be read is damaged: there is the other file.
            _ => {}
        }
        match Head::decode(&bytes, end) {
            Decoded::Newer(version) => Err(too_new(self.name, version, layout::VERSION)),
            Decoded::Damaged => Ok(None),
            Decoded::Head(head) => Ok(Some(head)),
        }
    }
}
