//! Reading extents back.

use super::block::Reading;
use super::layout::{self, FOLDER, FOLDER_DAMAGED};
use super::open::Open;
use super::{Head, Section};
use crate::damage::Damage;
use crate::disk::Disk;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// Buffers for reading that are kept, and how long they may have grown.
const BUFFERS_MAX: usize = 16;
const BUFFER_KEPT_BYTES: usize = 1024 * 1024;

/// Reports of harmless damage that are kept until somebody takes them.
const REPAIRED_MAX: usize = 256;

/// A message that was read.
#[derive(Debug)]
pub struct Found<'a> {
    /// What is kept of it.
    pub head: Head,
    /// Exchange, routing key, properties and body, one after the other.
    pub content: &'a [u8],
}

/// A message that could not be read: its number, when it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The message's number.
    pub seq: u64,
}

/// All extents of a store, of which a bounded number is open at a time.
pub struct Extents {
    pub(super) disk: Arc<dyn Disk>,
    open_max: usize,
    cache: Mutex<Cache>,
    buffers: Mutex<Vec<Vec<u8>>>,
    repaired: Mutex<Vec<Damage>>,
}

/// Durable or not, and the number.
type Key = (bool, u64);

/// The open files, each with the time of its last use.
#[derive(Default)]
struct Cache {
    files: HashMap<Key, (Arc<Open>, u64)>,
    uses: u64,
    /// Counts removals: what was opened before one may be gone, and is not kept.
    removals: u64,
}

impl Extents {
    /// The extents of a disk, with at most `open_max` files open, and one more for each thread that reads
    /// one that was closed meanwhile.
    pub fn new(disk: Arc<dyn Disk>, open_max: usize) -> Self {
        Self {
            disk,
            open_max: open_max.max(1),
            cache: Mutex::default(),
            buffers: Mutex::default(),
            repaired: Mutex::default(),
        }
    }

    /// Reads a section's messages from number `from` on, in order, and hands those for which `wanted`
    /// holds to `each`, until `each` answers `false` or the section ends. A message that is damaged goes
    /// to `damaged`, by its number, with the report of why.
    ///
    /// `wanted` is asked about a number once, in rising order. Where the numbers of lost messages cannot be
    /// told from the file, it tells them: those between two whole messages that are wanted. So it should
    /// hold for messages that are in the section and still needed, and for nothing else.
    ///
    /// # Errors
    /// The file is not there ([`io::ErrorKind::NotFound`]), is of a newer format version
    /// ([`io::ErrorKind::Unsupported`]), neither of its ends can be read, or the system lacks what it needs
    /// to read anything ([`is_shortage`](crate::disk::is_shortage)).
    pub fn read(
        &self,
        durable: bool,
        section: &Section,
        from: u64,
        wanted: &mut dyn FnMut(u64) -> bool,
        each: &mut dyn FnMut(Found<'_>) -> bool,
        damaged: &mut dyn FnMut(Lost, Damage),
    ) -> io::Result<()> {
        let open = self.open(durable, section.extent)?;
        let reading = Reading {
            open: &open,
            section,
            from,
            wanted,
            each,
            damaged,
            harmless: &mut |damage| self.note(damage),
        };
        let mut buffer = self.buffers.lock().pop().unwrap_or_default();
        let result = reading.run(&mut buffer);
        if buffer.len() <= BUFFER_KEPT_BYTES {
            let mut buffers = self.buffers.lock();
            if buffers.len() < BUFFERS_MAX {
                buffers.push(buffer);
            }
        }
        result
    }

    /// All sections of an extent, by what the file itself says.
    ///
    /// # Errors
    /// The file cannot be read at all, or is of a newer format version.
    pub fn sections(
        &self,
        durable: bool,
        number: u64,
        report: &mut dyn FnMut(Damage),
    ) -> io::Result<Vec<Section>> {
        let open = self.open(durable, number)?;
        open.damage.iter().cloned().for_each(report);
        Ok(open.sections())
    }

    /// The numbers of all durable extents that are there, rising.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<u64>> {
        let names = self.names()?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| layout::number_of(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Looks whether durable extents are of a version that this program knows. Numbers rise, and a program
    /// that meets a later version does not go on: so the last one tells.
    ///
    /// # Errors
    /// It is of a newer format version ([`io::ErrorKind::Unsupported`]), or the folder cannot be read.
    pub fn check_version(&self) -> io::Result<()> {
        let Some(last) = self.list()?.pop() else {
            return Ok(());
        };
        match self.open(true, last) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Err(error),
            // What else is wrong with it is found when it is read.
            _ => Ok(()),
        }
    }

    /// Deletes all extents that are not durable: they are of an earlier run.
    ///
    /// # Errors
    /// As the system says.
    pub fn remove_transient(&self) -> io::Result<()> {
        self.forget(|(durable, _)| !durable);
        for name in self.names()? {
            if name.ends_with(layout::ENDING_TRANSIENT) {
                self.disk.remove(&format!("{FOLDER}/{name}"))?;
            }
        }
        Ok(())
    }

    /// Deletes an extent.
    ///
    /// # Errors
    /// As the system says.
    pub fn remove(&self, durable: bool, number: u64) -> io::Result<()> {
        let result = self.disk.remove(&layout::path(durable, number));
        crate::failpoint::pass("extent-remove");
        self.forget(|key| *key == (durable, number));
        result
    }

    /// Puts a damaged extent aside, into the folder `damaged`, instead of deleting it.
    ///
    /// # Errors
    /// As the system says.
    pub fn set_aside(&self, number: u64) -> io::Result<()> {
        self.disk.create_folder(FOLDER_DAMAGED)?;
        let path = layout::path(true, number);
        let aside = path.replacen(FOLDER, FOLDER_DAMAGED, 1);
        self.disk.rename(&path, &aside)?;
        self.forget(|key| *key == (true, number));
        self.disk.sync_folder(FOLDER_DAMAGED)?;
        self.disk.sync_folder("")?;
        self.disk.sync_folder(FOLDER)
    }

    /// Takes the reports of damage that reading met and that cost no message, such as a directory that was
    /// made again. The first few hundred are kept.
    pub fn take_repaired(&self) -> Vec<Damage> {
        std::mem::take(&mut *self.repaired.lock())
    }

    #[cfg(test)]
    pub(super) fn open_files(&self) -> usize {
        self.cache.lock().files.len()
    }

    fn note(&self, damage: Damage) {
        let mut repaired = self.repaired.lock();
        if repaired.len() < REPAIRED_MAX && !repaired.contains(&damage) {
            repaired.push(damage);
        }
    }

    /// The names of all files; none if there was never one.
    fn names(&self) -> io::Result<Vec<String>> {
        match self.disk.list(FOLDER) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            names => names,
        }
    }

    fn open(&self, durable: bool, number: u64) -> io::Result<Arc<Open>> {
        let key = (durable, number);
        let removals = {
            let mut cache = self.cache.lock();
            if let Some(open) = cache.used(key) {
                return Ok(open);
            }
            cache.removals
        };
        // Outside the lock: others read on meanwhile. Two threads may open the same file.
        let open = Arc::new(Open::load(&*self.disk, durable, number)?);
        open.damage.iter().for_each(|damage| self.note(damage.clone()));
        let mut cache = self.cache.lock();
        if cache.removals == removals {
            cache.keep(key, &open, self.open_max);
        }
        Ok(open)
    }

    fn forget(&self, is_gone: impl Fn(&Key) -> bool) {
        let mut cache = self.cache.lock();
        cache.removals += 1;
        cache.files.retain(|key, _| !is_gone(key));
    }
}

impl Cache {
    fn used(&mut self, key: Key) -> Option<Arc<Open>> {
        self.uses += 1;
        let (open, used) = self.files.get_mut(&key)?;
        *used = self.uses;
        Some(Arc::clone(open))
    }

    /// Keeps a file open, in the place of the one that was not used for longest.
    fn keep(&mut self, key: Key, open: &Arc<Open>, open_max: usize) {
        while self.files.len() >= open_max && !self.files.contains_key(&key) {
            let oldest = self
                .files
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(key, _)| *key);
            let Some(oldest) = oldest else { break };
            self.files.remove(&oldest);
        }
        self.files.insert(key, (Arc::clone(open), self.uses));
    }
}
