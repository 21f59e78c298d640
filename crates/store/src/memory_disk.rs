//! A disk in memory for this crate's own tests: it refuses, forgets and damages as it is told.

use crate::disk::{Disk, File};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// A sector: written whole, or not at all.
const SECTOR: usize = 512;

type Bytes = Arc<Mutex<Contents>>;

#[derive(Default, Clone)]
struct Contents {
    now: Vec<u8>,
    synced: Vec<u8>,
    bad: Vec<Range<u64>>,
}

#[derive(Default)]
struct State {
    now: BTreeMap<String, Bytes>,
    synced: BTreeMap<String, Bytes>,
    folders: BTreeSet<String>,
    /// Operations that change something, so far; from this one on they fail.
    operations: u64,
    fail_from: Option<u64>,
    /// Creations fail: the disk is full.
    full: bool,
}

#[derive(Clone, Default)]
pub(crate) struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

struct MemoryFile {
    state: Arc<Mutex<State>>,
    bytes: Bytes,
}

/// FNV-1a. A checksum would not do: those of headers, within, make it the same whatever they say.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let step = |digest: u64, byte: &u8| (digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, step)
}

fn absent() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl State {
    fn operation(&mut self) -> io::Result<()> {
        self.operations += 1;
        match self.fail_from {
            Some(from) if self.operations > from => Err(io::Error::other("injected")),
            _ => Ok(()),
        }
    }
}

impl MemoryDisk {
    pub(crate) fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Lets so many operations more succeed.
    pub(crate) fn fail_after(&self, operations: u64) {
        let mut state = self.state.lock();
        state.fail_from = Some(state.operations + operations);
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.state.lock().full = full;
    }

    pub(crate) fn contents(&self, path: &str) -> Vec<u8> {
        let file = Arc::clone(&self.state.lock().now[path]);
        file.lock().now.clone()
    }

    pub(crate) fn set_contents(&self, path: &str, bytes: Vec<u8>) {
        let contents = Contents {
            synced: bytes.clone(),
            now: bytes,
            bad: Vec::new(),
        };
        self.state
            .lock()
            .now
            .insert(path.to_owned(), Arc::new(Mutex::new(contents)));
    }

    /// Makes a range of a file unreadable.
    pub(crate) fn spoil(&self, path: &str, range: Range<u64>) {
        let file = Arc::clone(&self.state.lock().now[path]);
        file.lock().bad.push(range);
    }

    /// The disk after a power cut: of what was not synced, `keeps` chooses sectors and names that arrived.
    pub(crate) fn cut(&self, keeps: &mut dyn FnMut() -> bool) -> Self {
        let state = self.state.lock();
        let paths: BTreeSet<&String> = state.now.keys().chain(state.synced.keys()).collect();
        let mut names = BTreeMap::new();
        for path in paths {
            let from = if keeps() { &state.now } else { &state.synced };
            if let Some(file) = from.get(path) {
                names.insert(path.clone(), Arc::new(Mutex::new(file.lock().cut(keeps))));
            }
        }
        let after = State {
            now: names.clone(),
            synced: names,
            folders: state.folders.clone(),
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(after)),
        }
    }
}

impl Contents {
    fn cut(&self, keeps: &mut dyn FnMut() -> bool) -> Self {
        let mut bytes = if keeps() {
            self.now.clone()
        } else {
            self.synced.clone()
        };
        for (place, sector) in bytes.chunks_mut(SECTOR).enumerate() {
            let from = if keeps() { &self.now } else { &self.synced };
            for (place, byte) in (place * SECTOR..).zip(sector) {
                *byte = from.get(place).copied().unwrap_or(0);
            }
        }
        Self {
            synced: bytes.clone(),
            now: bytes,
            bad: Vec::new(),
        }
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &str, space_bytes: u64) -> io::Result<Arc<dyn File>> {
        let mut state = self.state.lock();
        state.operation()?;
        if state.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if state.now.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let contents = Contents {
            now: vec![0; usize::try_from(space_bytes).unwrap()],
            ..Contents::default()
        };
        let bytes = Arc::new(Mutex::new(contents));
        state.now.insert(path.to_owned(), Arc::clone(&bytes));
        Ok(Arc::new(MemoryFile {
            state: Arc::clone(&self.state),
            bytes,
        }))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn File>> {
        let bytes = self.state.lock().now.get(path).cloned().ok_or_else(absent)?;
        Ok(Arc::new(MemoryFile {
            state: Arc::clone(&self.state),
            bytes,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operation()?;
        let file = state.now.remove(from).ok_or_else(absent)?;
        state.now.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operation()?;
        state.now.remove(path).map(|_| ()).ok_or_else(absent)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        if !folder.is_empty() && !state.folders.contains(folder) {
            return Err(absent());
        }
        let split = |path: &String| match path.rsplit_once('/') {
            Some((parent, name)) => (parent.to_owned(), name.to_owned()),
            None => (String::new(), path.clone()),
        };
        let names = state.now.keys().map(split);
        Ok(names
            .filter(|(parent, _)| parent == folder)
            .map(|(_, name)| name)
            .collect())
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.state.lock().folders.insert(folder.to_owned());
        Ok(())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operation()?;
        let is_in = |path: &String| path.rsplit_once('/').map_or("", |(parent, _)| parent) == folder;
        state.synced.retain(|path, _| !is_in(path));
        let now: Vec<_> = state
            .now
            .iter()
            .filter(|(path, _)| is_in(path))
            .map(|(p, f)| (p.clone(), f.clone()))
            .collect();
        state.synced.extend(now);
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

impl File for MemoryFile {
    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let contents = self.bytes.lock();
        let end = offset + bytes.len() as u64;
        if contents.bad.iter().any(|bad| bad.start < end && offset < bad.end) {
            return Err(io::Error::other("bad sector"));
        }
        let start = usize::try_from(offset).unwrap().min(contents.now.len());
        let length = bytes.len().min(contents.now.len() - start);
        bytes[..length].copy_from_slice(&contents.now[start..start + length]);
        Ok(length)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.state.lock().operation()?;
        let start = usize::try_from(offset).unwrap();
        let mut contents = self.bytes.lock();
        if contents.now.len() < start + bytes.len() {
            contents.now.resize(start + bytes.len(), 0);
        }
        contents.now[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.state.lock().operation()?;
        let mut contents = self.bytes.lock();
        contents.synced = contents.now.clone();
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().now.len() as u64)
    }

    fn truncate(&self, size_bytes: u64) -> io::Result<()> {
        self.state.lock().operation()?;
        self.bytes
            .lock()
            .now
            .truncate(usize::try_from(size_bytes).unwrap());
        Ok(())
    }
}
