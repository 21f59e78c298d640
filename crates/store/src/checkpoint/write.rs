//! Writing a checkpoint.

use super::layout::{End, FILES, FILES_NEW, HEAD_BYTES, Head, ROW_BYTES, Row, seed_of_row};
use crate::bytes::seal;
use crate::disk::{Disk, File};
use crate::failpoint;
use std::io;
use std::sync::Arc;

/// A checkpoint in the making.
#[derive(Debug, Default)]
pub struct Writer {
    table: Vec<u8>,
    bytes: Vec<u8>,
    /// An entry of 4 GiB or more was added, which has no place in the format.
    is_too_long: bool,
}

/// Why a checkpoint was not written.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The disk is full: to be tried again.
    #[error("no space for a checkpoint: {0}")]
    Space(io::Error),
    /// The disk is not to be believed.
    #[error("writing a checkpoint: {0}")]
    Io(io::Error),
}

impl Writer {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry. `write` appends its bytes, and nothing else, to the buffer.
    pub fn entry(&mut self, owner: u64, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        let offset = self.bytes.len();
        write(&mut self.bytes);
        let bytes = self.bytes.get(offset..).unwrap_or_default();
        let length = u32::try_from(bytes.len());
        self.is_too_long |= length.is_err();
        let row = Row {
            owner,
            offset: offset as u64,
            length: length.unwrap_or(u32::MAX),
            kind,
            crc: Row::crc_of(owner, kind, bytes),
        };
        self.table.extend_from_slice(&row.encode());
    }

    /// Writes and syncs both files under other names, puts them in the place of the old ones, and syncs
    /// the folder. On an error the old checkpoint is still there.
    ///
    /// # Errors
    /// [`Failed::Space`] when the files could not be made; [`Failed::Io`] when one that has its space could
    /// not be written or synced.
    pub fn finish(self, disk: &dyn Disk) -> Result<(), Failed> {
        if self.is_too_long {
            return Err(Failed::Io(io::ErrorKind::InvalidInput.into()));
        }
        // Nothing is begun yet: whatever fails here can be tried again.
        let names = disk.list("").map_err(Failed::Space)?;
        for stale in FILES_NEW {
            if names.iter().any(|name| name == stale) {
                disk.remove(stale).map_err(Failed::Space)?;
            }
        }
        // Neither is, or a start was cut off between the two: then this one may be, too.
        let is_first = FILES.iter().any(|file| !names.iter().any(|name| name == file));
        let files = create_both(disk, self.length()).map_err(Failed::Space)?;
        self.write(&files, is_first)
            .and_then(|()| put_in_place(disk))
            .map_err(Failed::Io)
    }

    fn length(&self) -> u64 {
        (2 * HEAD_BYTES + self.table.len() + self.bytes.len()) as u64
    }

    fn write(mut self, files: &[Arc<dyn File>; 2], is_first: bool) -> io::Result<()> {
        let head = Head {
            is_first,
            entries: (self.table.len() / ROW_BYTES) as u64,
            length: self.length(),
            identity: crc32c::crc32c(&self.table),
        };
        let (rows, _) = self.table.as_chunks_mut::<ROW_BYTES>();
        for (index, row) in rows.iter_mut().enumerate() {
            seal(row, seed_of_row(index as u64, head.identity));
        }
        let mut front = head.encode(End::Front).to_vec();
        front.append(&mut self.table);
        let back = head.encode(End::Back);
        for file in files {
            file.write(&front, 0)?;
            file.write(&self.bytes, front.len() as u64)?;
            file.write(&back, head.length - HEAD_BYTES as u64)?;
        }
        files.iter().try_for_each(|file| file.sync())?;
        failpoint::pass("checkpoint-written");
        Ok(())
    }
}

/// Both files take their space before either is written: a full disk is met here or never.
fn create_both(disk: &dyn Disk, length: u64) -> io::Result<[Arc<dyn File>; 2]> {
    let [name, name_of_copy] = FILES_NEW;
    let file = disk.create(name, length)?;
    match disk.create(name_of_copy, length) {
        Ok(copy) => Ok([file, copy]),
        Err(error) => {
            // Should it stay, then the next checkpoint removes it.
            let _ = disk.remove(name);
            Err(error)
        }
    }
}

/// One after the other, so that one whole checkpoint is there at any time. The file comes before its copy:
/// where they differ, it is the newer one.
fn put_in_place(disk: &dyn Disk) -> io::Result<()> {
    let points = ["checkpoint-renamed", "checkpoint-copy"];
    for ((new, name), point) in FILES_NEW.into_iter().zip(FILES).zip(points) {
        disk.rename(new, name)?;
        failpoint::pass(point);
        disk.sync_folder("")?;
    }
    Ok(())
}
