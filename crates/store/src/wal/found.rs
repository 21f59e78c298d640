//! The files of a log as they are found on the disk.

use super::format::{FOLDER, NEW, NO_BASE, SEGMENT_HEADER, SegmentHeader, VERSION, file_name, number_of};
use crate::disk::{Disk, File, too_new};
use std::io;
use std::sync::Arc;

/// A file of the log.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) number: u64,
    /// Relative to the data folder.
    pub(super) name: String,
    /// Its size in bytes.
    pub(super) size: u64,
    pub(super) state: State,
}

/// What a file's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There are records in it, or there may be.
    Used(SegmentHeader),
    /// It was made ahead and holds nothing that counts.
    Prepared,
    /// The header is damaged, or was never wholly written.
    Unknown,
}

/// The files of the log in order of their numbers. None, when there is no such folder.
pub(super) fn find(disk: &dyn Disk) -> io::Result<Vec<Found>> {
    let mut numbers: Vec<u64> = list(disk)?.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|number| look(disk, number)).collect()
}

/// Names of files whose making was interrupted, relative to the data folder.
pub(super) fn unfinished(disk: &dyn Disk) -> io::Result<Vec<String>> {
    let names = list(disk)?.into_iter().filter(|name| name.ends_with(NEW));
    Ok(names.map(|name| format!("{FOLDER}/{name}")).collect())
}

fn list(disk: &dyn Disk) -> io::Result<Vec<String>> {
    match disk.list(FOLDER) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}

fn look(disk: &dyn Disk, number: u64) -> io::Result<Found> {
    let name = file_name(number);
    let file = disk.open(&name)?;
    let size = file.size()?;
    let mut bytes = [0; SEGMENT_HEADER];
    let read = file.read(&mut bytes, 0)?;
    let state = match bytes.get(..read).and_then(SegmentHeader::decode) {
        Some(header) if header.version > VERSION => return Err(too_new(&name, header.version, VERSION)),
        Some(header) if header.base == NO_BASE => State::Prepared,
        Some(header) if header.epoch == number => State::Used(header),
        _ => State::Unknown,
    };
    Ok(Found {
        number,
        name,
        size,
        state,
    })
}

/// Fewer bytes than this are not asked of the disk while there are more.
pub(super) const READ_BYTES: usize = 256 << 10;

/// A file that is read from front to back, in large pieces.
pub(super) struct Window {
    file: Arc<dyn File>,
    size: u64,
    /// What was read, followed by bytes without meaning.
    bytes: Vec<u8>,
    filled: usize,
    start: u64,
}

impl Window {
    pub(super) fn new(file: Arc<dyn File>, size: u64) -> Self {
        Self {
            file,
            size,
            bytes: Vec::new(),
            filled: 0,
            start: 0,
        }
    }

    /// The bytes from `offset` on; fewer than asked for only at the end of the file. Nothing is
    /// reserved that the file does not have.
    pub(super) fn get(&mut self, offset: u64, wanted: u64) -> io::Result<&[u8]> {
        let rest = self.size.saturating_sub(offset);
        // A file that does not fit into memory cannot be read at once; then fewer bytes it is.
        let wanted = usize::try_from(wanted.min(rest)).unwrap_or(usize::MAX);
        let within = offset
            .checked_sub(self.start)
            .and_then(|at| usize::try_from(at).ok());
        let within = within.filter(|at| *at <= self.filled);
        let have = within.map_or(0, |at| self.filled - at);
        if have < wanted {
            let rest = usize::try_from(rest).unwrap_or(usize::MAX);
            self.refill(offset, within, wanted.max(READ_BYTES.min(rest)))?;
        }
        let at = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let end = at.saturating_add(wanted).min(self.filled);
        Ok(self.bytes.get(at..end).unwrap_or_default())
    }

    fn refill(&mut self, offset: u64, within: Option<usize>, length: usize) -> io::Result<()> {
        let kept = match within {
            Some(at) => {
                self.bytes.copy_within(at..self.filled, 0);
                self.filled - at
            }
            None => 0,
        };
        self.start = offset;
        self.filled = kept;
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        if let Some(place) = self.bytes.get_mut(kept..length) {
            self.filled += self.file.read(place, offset.saturating_add(kept as u64))?;
        }
        Ok(())
    }
}
