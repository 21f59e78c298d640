//! A disk in memory that crashes, tears, fills up and goes bad, each time in the same way for the same
//! seed.
//!
//! Every file has two contents: what a process sees, and what is on the platter; between them stand the
//! changes that were not synced. Folders are kept in the same way. [`SimDisk::crash`] answers what may be
//! found after a power cut, [`SimDisk::kill`] after the end of the process alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use warren_store::disk::{Disk, File};

/// What a real disk writes whole or not at all.
const SECTOR: usize = 512;

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    shared: Arc<Mutex<State>>,
}

/// What is asked of a disk. All but opening and reading are counted as operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// [`Disk::create`].
    Create,
    /// [`Disk::create_folder`].
    CreateFolder,
    /// [`Disk::open`].
    Open,
    /// [`File::read`].
    Read,
    /// [`Disk::remove`].
    Remove,
    /// [`Disk::rename`].
    Rename,
    /// [`File::sync`].
    Sync,
    /// [`Disk::sync_folder`].
    SyncFolder,
    /// [`File::truncate`].
    Truncate,
    /// [`File::write`].
    Write,
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`.
    Io,
    /// `ENOSPC`.
    NoSpace,
    /// `EMFILE`.
    TooManyFiles,
}

impl Fault {
    fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Io => 5,
            Self::TooManyFiles => 24,
            Self::NoSpace => 28,
        })
    }
}

/// One operation, as it was done. Files are numbered in the order in which they were created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// [`Disk::create`].
    Create {
        /// Its name.
        path: String,
        /// Space taken for it.
        bytes: u64,
    },
    /// [`Disk::create_folder`].
    CreateFolder {
        /// Its name.
        path: String,
    },
    /// [`Disk::remove`].
    Remove {
        /// Its name.
        path: String,
    },
    /// [`Disk::rename`].
    Rename {
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
    /// [`File::sync`].
    Sync {
        /// Which file.
        file: u64,
    },
    /// [`Disk::sync_folder`].
    SyncFolder {
        /// Its name.
        path: String,
    },
    /// [`File::truncate`].
    Truncate {
        /// Which file.
        file: u64,
        /// The new size.
        bytes: u64,
    },
    /// [`File::write`].
    Write {
        /// Which file.
        file: u64,
        /// Where.
        offset: u64,
        /// What.
        bytes: Arc<[u8]>,
    },
}

impl Operation {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Create { .. } => Kind::Create,
            Self::CreateFolder { .. } => Kind::CreateFolder,
            Self::Remove { .. } => Kind::Remove,
            Self::Rename { .. } => Kind::Rename,
            Self::Sync { .. } => Kind::Sync,
            Self::SyncFolder { .. } => Kind::SyncFolder,
            Self::Truncate { .. } => Kind::Truncate,
            Self::Write { .. } => Kind::Write,
        }
    }
}

/// What a disk held when [`SimDisk::record`] was called, and what was done to it since.
#[derive(Clone)]
pub struct Trace {
    base: State,
    /// In order.
    pub operations: Vec<Operation>,
}

impl Trace {
    /// The disk as it was after the first `count` operations, with what was not synced.
    pub fn prefix(&self, count: usize) -> SimDisk {
        let disk = SimDisk::of(self.base.clone());
        for operation in self.operations.iter().take(count) {
            disk.replay(operation);
        }
        disk
    }

    /// Calls `each` with the disk after no operation, after the first, and so on to the last; and with how
    /// many there were.
    pub fn prefixes(&self, mut each: impl FnMut(usize, &SimDisk)) {
        let disk = SimDisk::of(self.base.clone());
        each(0, &disk);
        for (nth, operation) in self.operations.iter().enumerate() {
            disk.replay(operation);
            each(nth + 1, &disk);
        }
    }
}

impl SimDisk {
    /// An empty disk. `seed` decides how writes are torn that fail.
    pub fn new(seed: u64) -> Self {
        Self::of(State {
            random: Random::new(seed),
            ..State::default()
        })
    }

    fn of(state: State) -> Self {
        Self {
            shared: Arc::new(Mutex::new(state)),
        }
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Bytes that were read so far.
    pub fn bytes_read(&self) -> u64 {
        self.lock().bytes_read
    }

    /// Crashes at the `nth` operation from now, counted from 1: that one and all later calls fail.
    pub fn crash_at(&self, nth: u64) {
        let mut state = self.lock();
        state.crash_at = Some(state.operations.saturating_add(nth));
    }

    /// Whether it has crashed.
    pub fn is_crashed(&self) -> bool {
        self.lock().is_crashed
    }

    /// The disk as it may be found after a power cut now. What was not synced is there or not, each change
    /// for itself, in part, and not in the order in which it was made.
    pub fn crash(&self, seed: u64) -> Self {
        let state = self.lock().clone();
        Self::of(Cut::new(seed).found(state))
    }

    /// The disk as it is found after the process was killed now: everything is there, of a write that was
    /// under way a part. What was not synced is still not.
    pub fn kill(&self) -> Self {
        let mut state = self.lock().clone();
        state.die();
        Self::of(state)
    }

    /// Lets the `nth` call of a kind from now, counted from 1, fail. A write that fails may have written
    /// a part; after a sync that failed, what it was to make durable never will be.
    pub fn fail(&self, kind: Kind, nth: u64, fault: Fault) {
        self.lock().faults.push(Planned {
            kind,
            calls_left: nth.max(1),
            is_lasting: false,
            fault,
        });
    }

    /// Lets every call of a kind fail from now on, until [`SimDisk::heal`].
    pub fn fail_always(&self, kind: Kind, fault: Fault) {
        self.lock().faults.push(Planned {
            kind,
            calls_left: 1,
            is_lasting: true,
            fault,
        });
    }

    /// Takes back all that was to fail.
    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    /// Limits the bytes of all files. Creating one beyond it fails with `ENOSPC`.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().capacity = bytes;
    }

    /// Records operations from now on.
    pub fn record(&self) {
        let mut state = self.lock();
        let base = state.clone();
        state.trace = Some(Box::new(Trace {
            base,
            operations: Vec::new(),
        }));
    }

    /// How many operations are recorded so far; those that failed are not.
    pub fn recorded_count(&self) -> usize {
        let state = self.lock();
        state.trace.as_ref().map_or(0, |trace| trace.operations.len())
    }

    /// An operation is under way, or none, and a crash or the end of the process finds it so.
    pub fn begin(&self, operation: Option<&Operation>) {
        self.lock().in_flight = operation.cloned();
    }

    /// What was recorded; nothing more is.
    pub fn recorded(&self) -> Option<Trace> {
        self.lock().trace.take().map(|trace| *trace)
    }

    /// The names of all files, with their folders.
    pub fn files(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// All bytes of a file as a process sees them; none if there is no such file.
    pub fn bytes(&self, path: &str) -> Vec<u8> {
        let mut state = self.lock();
        state.file(path).map_or_else(Vec::new, |file| file.now.clone())
    }

    /// Changes the bytes of a file on the platter, behind everybody's back.
    pub fn damage(&self, path: &str, change: impl Fn(&mut Vec<u8>)) {
        if let Some(file) = self.lock().file(path) {
            change(&mut file.now);
            change(&mut file.durable);
        }
    }

    /// Flips bits of a byte.
    pub fn flip(&self, path: &str, offset: usize, mask: u8) {
        self.damage(path, |bytes| {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= mask;
            }
        });
    }

    /// Cuts a file off.
    pub fn cut(&self, path: &str, size: usize) {
        self.damage(path, |bytes| bytes.truncate(size));
    }

    /// Overwrites a block with zeros.
    pub fn zero(&self, path: &str, offset: usize, length: usize) {
        self.damage(path, |bytes| {
            let end = offset.saturating_add(length).min(bytes.len());
            if let Some(block) = bytes.get_mut(offset..end) {
                block.fill(0);
            }
        });
    }

    /// Writes a copy of a block over another.
    pub fn duplicate(&self, path: &str, from: usize, to: usize, length: usize) {
        self.damage(path, |bytes| {
            let block: Vec<u8> = bytes.iter().skip(from).take(length).copied().collect();
            for (place, byte) in bytes.iter_mut().skip(to).zip(block) {
                *place = byte;
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replay(&self, operation: &Operation) {
        // What was done once can be done again; what could not left nothing.
        let _ = self.lock().apply(operation);
    }

    fn act(&self, operation: Operation) -> io::Result<u64> {
        self.lock().act(operation)
    }

    fn at(&self, file: u64) -> Arc<dyn File> {
        Arc::new(SimFile {
            disk: self.clone(),
            file,
        })
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &str, space_bytes: u64) -> io::Result<Arc<dyn File>> {
        let file = self.act(Operation::Create {
            path: path.to_owned(),
            bytes: space_bytes,
        })?;
        Ok(self.at(file))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn File>> {
        let file = {
            let mut state = self.lock();
            state.check(Kind::Open)?;
            state.number(path)?
        };
        Ok(self.at(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.act(Operation::Rename { from, to }).map(|_| ())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let path = path.to_owned();
        self.act(Operation::Remove { path }).map(|_| ())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut state = self.lock();
        state.check(Kind::Open)?;
        state.check_folder(folder)?;
        let names = state.names.keys().filter(|path| folder_of(path) == folder);
        Ok(names.map(|path| name_of(path).to_owned()).collect())
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        if self.lock().check_folder(folder).is_ok() {
            return Ok(());
        }
        let path = folder.to_owned();
        self.act(Operation::CreateFolder { path }).map(|_| ())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let path = folder.to_owned();
        self.act(Operation::SyncFolder { path }).map(|_| ())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.lock();
        Ok(state.capacity.unwrap_or(1 << 40).saturating_sub(state.used()))
    }
}

struct SimFile {
    disk: SimDisk,
    file: u64,
}

impl File for SimFile {
    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.lock();
        state.check(Kind::Read)?;
        let now = state.files.get(&self.file).map(|file| file.now.as_slice());
        let rest = now.and_then(|now| now.get(usize::try_from(offset).ok()?..));
        let rest = rest.unwrap_or_default();
        let count = rest.len().min(bytes.len());
        if let (Some(to), Some(from)) = (bytes.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        state.bytes_read += count as u64;
        Ok(count)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let operation = Operation::Write {
            file: self.file,
            offset,
            bytes: bytes.into(),
        };
        self.disk.act(operation).map(|_| ())
    }

    fn sync(&self) -> io::Result<()> {
        let file = self.file;
        self.disk.act(Operation::Sync { file }).map(|_| ())
    }

    fn size(&self) -> io::Result<u64> {
        let state = self.disk.lock();
        Ok(state
            .files
            .get(&self.file)
            .map_or(0, |file| file.now.len() as u64))
    }

    fn truncate(&self, size_bytes: u64) -> io::Result<()> {
        let (file, bytes) = (self.file, size_bytes);
        self.disk.act(Operation::Truncate { file, bytes }).map(|_| ())
    }
}

#[derive(Clone, Default)]
struct State {
    random: Random,
    files: BTreeMap<u64, Content>,
    next_file: u64,
    /// As a process sees them.
    names: BTreeMap<String, u64>,
    folders: BTreeSet<String>,
    /// As they are on the platter.
    durable_names: BTreeMap<String, u64>,
    durable_folders: BTreeSet<String>,
    /// In order.
    unsynced: Vec<Entry>,
    operations: u64,
    bytes_read: u64,
    crash_at: Option<u64>,
    is_crashed: bool,
    in_flight: Option<Operation>,
    faults: Vec<Planned>,
    capacity: Option<u64>,
    trace: Option<Box<Trace>>,
}

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// In order.
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Size(u64),
    Write { offset: u64, bytes: Arc<[u8]> },
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Size(bytes) => content.resize(usize::try_from(*bytes).unwrap_or_default(), 0),
            Self::Write { offset, bytes } => write_at(content, *offset, bytes),
        }
    }
}

fn write_at(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let first = usize::try_from(offset).unwrap_or_default();
    let end = first + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(place) = content.get_mut(first..end) {
        place.copy_from_slice(bytes);
    }
}

/// A change to a folder that waits for the folder's sync; a move between two for both.
#[derive(Clone)]
struct Entry {
    folders: BTreeSet<String>,
    removed: Option<String>,
    added: Option<(String, u64)>,
    new_folder: Option<String>,
}

impl Entry {
    fn apply(&self, names: &mut BTreeMap<String, u64>, folders: &mut BTreeSet<String>) {
        if let Some(name) = &self.removed {
            names.remove(name);
        }
        if let Some((name, file)) = &self.added {
            names.insert(name.clone(), *file);
        }
        folders.extend(self.new_folder.clone());
    }
}

#[derive(Clone)]
struct Planned {
    kind: Kind,
    calls_left: u64,
    is_lasting: bool,
    fault: Fault,
}

impl State {
    fn act(&mut self, operation: Operation) -> io::Result<u64> {
        if self.is_crashed {
            return Err(crashed());
        }
        self.operations += 1;
        if self.crash_at.is_some_and(|crash_at| self.operations >= crash_at) {
            self.is_crashed = true;
            self.in_flight = Some(operation);
            return Err(crashed());
        }
        if let Some(error) = self.planned(operation.kind()) {
            self.fail(&operation);
            return Err(error);
        }
        let done = self.apply(&operation)?;
        if let Some(trace) = &mut self.trace {
            trace.operations.push(operation);
        }
        Ok(done)
    }

    /// For calls that change nothing.
    fn check(&mut self, kind: Kind) -> io::Result<()> {
        if self.is_crashed {
            return Err(crashed());
        }
        self.planned(kind).map_or(Ok(()), Err)
    }

    fn planned(&mut self, kind: Kind) -> Option<io::Error> {
        let mut error = None;
        self.faults.retain_mut(|planned| {
            if planned.kind != kind {
                return true;
            }
            planned.calls_left = planned.calls_left.saturating_sub(1);
            if planned.calls_left > 0 {
                return true;
            }
            error.get_or_insert(planned.fault.error());
            planned.is_lasting
        });
        error
    }

    /// What a call that fails does all the same.
    fn fail(&mut self, operation: &Operation) {
        match operation {
            Operation::Write { file, offset, bytes } => {
                let written = self.part_of(bytes);
                let _ = self.apply(&Operation::Write {
                    file: *file,
                    offset: *offset,
                    bytes: written,
                });
            }
            // The system takes the pages for written from now on.
            Operation::Sync { file } => {
                if let Some(content) = self.files.get_mut(file) {
                    content.unsynced.clear();
                }
            }
            _ => {}
        }
    }

    fn part_of(&mut self, bytes: &Arc<[u8]>) -> Arc<[u8]> {
        let length = self.random.below(bytes.len() as u64 + 1) as usize;
        bytes.iter().take(length).copied().collect()
    }

    /// Ends the process: what was under way was done, or in part, or not.
    fn die(&mut self) {
        if let Some(operation) = self.in_flight.take() {
            match &operation {
                Operation::Write { .. } => self.fail(&operation),
                _ if self.random.chance(50) => drop(self.apply(&operation)),
                _ => {}
            }
        }
        self.forget_the_process();
    }

    fn forget_the_process(&mut self) {
        self.is_crashed = false;
        self.crash_at = None;
        self.in_flight = None;
        self.operations = 0;
        self.faults.clear();
        self.trace = None;
    }

    fn apply(&mut self, operation: &Operation) -> io::Result<u64> {
        match operation {
            Operation::Create { path, bytes } => return self.create(path, *bytes),
            Operation::CreateFolder { path } => {
                self.folders.insert(path.clone());
                self.changed(&[path], None, None, Some(path.clone()));
            }
            Operation::Remove { path } => {
                self.number(path)?;
                self.names.remove(path);
                self.changed(&[path], Some(path.clone()), None, None);
            }
            Operation::Rename { from, to } => {
                let file = self.number(from)?;
                self.check_folder(folder_of(to))?;
                self.names.remove(from);
                self.names.insert(to.clone(), file);
                self.changed(&[from, to], Some(from.clone()), Some((to.clone(), file)), None);
            }
            Operation::Sync { file } => {
                if let Some(content) = self.files.get_mut(file) {
                    for change in content.unsynced.drain(..) {
                        change.apply(&mut content.durable);
                    }
                }
            }
            Operation::SyncFolder { path } => {
                self.check_folder(path)?;
                self.sync_folder(path);
            }
            Operation::Truncate { file, bytes } => self.change(*file, Change::Size(*bytes)),
            Operation::Write { file, offset, bytes } => {
                let (offset, bytes) = (*offset, Arc::clone(bytes));
                self.change(*file, Change::Write { offset, bytes });
            }
        }
        Ok(0)
    }

    fn create(&mut self, path: &str, bytes: u64) -> io::Result<u64> {
        self.check_folder(folder_of(path))?;
        if self.names.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let used = self.used().saturating_add(bytes);
        if self.capacity.is_some_and(|capacity| used > capacity) {
            return Err(Fault::NoSpace.error());
        }
        let file = self.next_file;
        self.next_file += 1;
        self.files.insert(file, Content::default());
        if bytes > 0 {
            self.change(file, Change::Size(bytes));
        }
        self.names.insert(path.to_owned(), file);
        self.changed(&[path], None, Some((path.to_owned(), file)), None);
        Ok(file)
    }

    fn change(&mut self, file: u64, change: Change) {
        if let Some(content) = self.files.get_mut(&file) {
            change.apply(&mut content.now);
            content.unsynced.push(change);
        }
    }

    fn changed(
        &mut self,
        paths: &[&str],
        removed: Option<String>,
        added: Option<(String, u64)>,
        new_folder: Option<String>,
    ) {
        let folders = paths.iter().map(|path| folder_of(path).to_owned()).collect();
        self.unsynced.push(Entry {
            folders,
            removed,
            added,
            new_folder,
        });
    }

    fn sync_folder(&mut self, folder: &str) {
        let (names, folders) = (&mut self.durable_names, &mut self.durable_folders);
        self.unsynced.retain_mut(|entry| {
            entry.folders.remove(folder);
            let waits = !entry.folders.is_empty();
            if !waits {
                entry.apply(names, folders);
            }
            waits
        });
    }

    fn check_folder(&self, folder: &str) -> io::Result<()> {
        if folder.is_empty() || self.folders.contains(folder) {
            return Ok(());
        }
        Err(io::Error::from(io::ErrorKind::NotFound))
    }

    fn number(&self, path: &str) -> io::Result<u64> {
        let number = self.names.get(path).copied();
        number.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn file(&mut self, path: &str) -> Option<&mut Content> {
        self.files.get_mut(self.names.get(path)?)
    }

    fn used(&self) -> u64 {
        let sizes = self.names.values().filter_map(|file| self.files.get(file));
        sizes.map(|file| file.now.len() as u64).sum()
    }
}

fn crashed() -> io::Error {
    io::Error::other("the simulated disk has crashed")
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// A power cut.
struct Cut {
    random: Random,
    /// Of 100 changes that were not synced, how many are there.
    survivors: u64,
    /// Of 100 of those that are, how many only in part.
    torn: u64,
    is_shuffled: bool,
}

impl Cut {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        // The two ends first: they find the most.
        let (survivors, torn) = match random.below(8) {
            0 => (0, 0),
            1 => (100, 0),
            2 => (100, 100),
            _ => (random.below(101), random.below(101)),
        };
        Self {
            survivors,
            torn,
            is_shuffled: random.chance(50),
            random,
        }
    }

    fn found(&mut self, mut state: State) -> State {
        if let Some(operation) = state.in_flight.take()
            && !matches!(operation, Operation::Sync { .. } | Operation::SyncFolder { .. })
        {
            let _ = state.apply(&operation);
        }
        state.forget_the_process();
        for entry in std::mem::take(&mut state.unsynced) {
            if self.random.chance(self.survivors) {
                entry.apply(&mut state.durable_names, &mut state.durable_folders);
            }
        }
        let folders = state.durable_folders.clone();
        let is_reached = |path: &String| folder_of(path).is_empty() || folders.contains(folder_of(path));
        state.durable_names.retain(|path, _| is_reached(path));
        state.names = state.durable_names.clone();
        state.folders = folders;
        let linked: BTreeSet<u64> = state.names.values().copied().collect();
        state.files.retain(|file, _| linked.contains(file));
        for content in state.files.values_mut() {
            self.settle(content);
        }
        state
    }

    fn settle(&mut self, content: &mut Content) {
        let mut changes = std::mem::take(&mut content.unsynced);
        if self.is_shuffled {
            for last in (1..changes.len()).rev() {
                changes.swap(last, self.random.below(last as u64 + 1) as usize);
            }
        }
        for change in changes {
            if !self.random.chance(self.survivors) {
                continue;
            }
            match change {
                Change::Write { offset, bytes } if self.random.chance(self.torn) => {
                    self.tear(&mut content.durable, offset, &bytes);
                }
                whole => whole.apply(&mut content.durable),
            }
        }
        content.now.clone_from(&content.durable);
    }

    /// Writes a part: some sectors, or up to a byte, or from a byte on.
    fn tear(&mut self, content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
        let at = self.random.below(bytes.len() as u64 + 1);
        let (front, back) = bytes.split_at_checked(at as usize).unwrap_or((bytes, &[]));
        match self.random.below(4) {
            0 => write_at(content, offset, front),
            1 => write_at(content, offset + at, back),
            _ => {
                let first = SECTOR - offset as usize % SECTOR;
                let (front, back) = bytes.split_at_checked(first).unwrap_or((bytes, &[]));
                let mut place = offset;
                for sector in std::iter::once(front).chain(back.chunks(SECTOR)) {
                    if self.random.chance(50) {
                        write_at(content, place, sector);
                    }
                    place += sector.len() as u64;
                }
            }
        }
    }
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Debug, Clone, Default)]
pub struct Random(u64);

impl Random {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number().checked_rem(end).unwrap_or_default()
    }

    /// Yes, so many times of 100.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
