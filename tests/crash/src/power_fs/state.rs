//! Names and files: what is seen now, and what a cut would leave for certain.
//!
//! Every change carries a number from one clock, so that a cut can keep what came before a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::SystemTime;

use fuser::Errno;

/// The number of the topmost folder, as FUSE wants it.
pub(super) const ROOT: u64 = 1;

/// A change to a file that is not on the disk yet.
pub(super) enum DataOp {
    Write { offset: u64, bytes: Vec<u8> },
    Resize(u64),
}

pub(super) struct Pending {
    pub(super) order: u64,
    pub(super) op: DataOp,
    /// Its sync failed: it is seen, and will never be on the disk.
    pub(super) phantom: bool,
}

/// Names that change together: a rename takes one away and gives another.
pub(super) struct NameOp {
    pub(super) order: u64,
    pub(super) changes: Vec<(u64, OsString, Option<u64>)>,
}

/// A file.
pub(super) struct Content {
    pub(super) durable: File,
    pub(super) durable_length: u64,
    pub(super) length: u64,
    pub(super) pending: Vec<Pending>,
    /// Whether it was ever synced, and so has its space.
    pub(super) settled: bool,
}

pub(super) enum Kind {
    File(Content),
    Folder {
        live: BTreeMap<OsString, u64>,
        durable: BTreeMap<OsString, u64>,
    },
}

pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) mode: u32,
    pub(super) modified: SystemTime,
    /// Whether it lies in the folder of the log, for faults that are about the log.
    pub(super) of_log: bool,
}

pub(super) struct State {
    backing: PathBuf,
    pub(super) nodes: BTreeMap<u64, Node>,
    pub(super) names: Vec<NameOp>,
    next: u64,
    clock: u64,
}

impl State {
    pub(super) fn new(backing: PathBuf) -> State {
        let root = folder(0o700, false);
        State {
            backing,
            nodes: BTreeMap::from([(ROOT, root)]),
            names: Vec::new(),
            next: ROOT + 1,
            clock: 0,
        }
    }

    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(super) fn now(&self) -> u64 {
        self.clock
    }

    pub(super) fn node(&self, number: u64) -> Result<&Node, Errno> {
        self.nodes.get(&number).ok_or(Errno::ENOENT)
    }

    fn entries(&self, folder: u64) -> Result<&BTreeMap<OsString, u64>, Errno> {
        match &self.node(folder)?.kind {
            Kind::Folder { live, .. } => Ok(live),
            Kind::File(_) => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn content(&mut self, number: u64) -> Result<&mut Content, Errno> {
        match &mut self.nodes.get_mut(&number).ok_or(Errno::ENOENT)?.kind {
            Kind::File(content) => Ok(content),
            Kind::Folder { .. } => Err(Errno::EISDIR),
        }
    }

    pub(super) fn lookup(&self, folder: u64, name: &OsStr) -> Result<u64, Errno> {
        self.entries(folder)?.get(name).copied().ok_or(Errno::ENOENT)
    }

    /// All names of a folder, with whether each is a folder itself.
    pub(super) fn list(&self, folder: u64) -> Result<Vec<(OsString, u64, bool)>, Errno> {
        let entry = |(name, number): (&OsString, &u64)| {
            let node = self.nodes.get(number)?;
            Some((name.clone(), *number, matches!(node.kind, Kind::Folder { .. })))
        };
        Ok(self.entries(folder)?.iter().filter_map(entry).collect())
    }

    /// Changes names now, and on the disk when their folder is synced.
    fn change_names(&mut self, changes: Vec<(u64, OsString, Option<u64>)>) {
        for (folder, name, number) in &changes {
            let node = self.nodes.get_mut(folder);
            if let Some(Kind::Folder { live, .. }) = node.map(|node| &mut node.kind) {
                put(live, name, *number);
            }
        }
        let order = self.tick();
        self.names.push(NameOp { order, changes });
    }

    pub(super) fn create(&mut self, parent: u64, name: &OsStr, mode: u32) -> Result<u64, Errno> {
        if self.entries(parent)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let number = self.next;
        let path = self.backing.join(number.to_string());
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path);
        let durable = open.map_err(|_| Errno::EIO)?;
        self.next += 1;
        let content = Content {
            durable,
            durable_length: 0,
            length: 0,
            pending: Vec::new(),
            settled: false,
        };
        let node = Node {
            kind: Kind::File(content),
            mode,
            modified: SystemTime::now(),
            of_log: self.node(parent)?.of_log,
        };
        self.nodes.insert(number, node);
        self.change_names(vec![(parent, name.to_owned(), Some(number))]);
        Ok(number)
    }

    pub(super) fn make_folder(&mut self, parent: u64, name: &OsStr, mode: u32) -> Result<u64, Errno> {
        if self.entries(parent)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let number = self.next;
        self.next += 1;
        let of_log = name == "log" || self.node(parent)?.of_log;
        self.nodes.insert(number, folder(mode, of_log));
        self.change_names(vec![(parent, name.to_owned(), Some(number))]);
        Ok(number)
    }

    pub(super) fn remove(&mut self, parent: u64, name: &OsStr) -> Result<(), Errno> {
        let number = self.lookup(parent, name)?;
        if self.entries(number).is_ok_and(|entries| !entries.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        self.change_names(vec![(parent, name.to_owned(), None)]);
        Ok(())
    }

    pub(super) fn rename(
        &mut self,
        from: (u64, &OsStr),
        to: (u64, &OsStr),
        replace: bool,
    ) -> Result<(), Errno> {
        let number = self.lookup(from.0, from.1)?;
        match self.lookup(to.0, to.1) {
            Ok(_) if !replace => return Err(Errno::EEXIST),
            Ok(there) if there == number => return Ok(()),
            _ => {}
        }
        let changes = vec![
            (from.0, from.1.to_owned(), None),
            (to.0, to.1.to_owned(), Some(number)),
        ];
        self.change_names(changes);
        Ok(())
    }

    pub(super) fn read(&mut self, number: u64, offset: u64, size: usize) -> Result<Vec<u8>, Errno> {
        self.content(number)?.read(offset, size).map_err(|_| Errno::EIO)
    }

    pub(super) fn write(&mut self, number: u64, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        let op = DataOp::Write {
            offset,
            bytes: bytes.to_vec(),
        };
        self.push(number, op)
    }

    pub(super) fn resize(&mut self, number: u64, length: u64) -> Result<(), Errno> {
        self.push(number, DataOp::Resize(length))
    }

    fn push(&mut self, number: u64, op: DataOp) -> Result<(), Errno> {
        let order = self.tick();
        let content = self.content(number)?;
        content.length = match &op {
            DataOp::Write { offset, bytes } => content.length.max(offset + bytes.len() as u64),
            DataOp::Resize(length) => *length,
        };
        let phantom = false;
        content.pending.push(Pending { order, op, phantom });
        if let Some(node) = self.nodes.get_mut(&number) {
            node.modified = SystemTime::now();
        }
        Ok(())
    }

    /// Puts a file on the disk; its name is another matter.
    pub(super) fn sync(&mut self, number: u64) -> Result<(), Errno> {
        let content = self.content(number)?;
        content.sync().map_err(|_| Errno::EIO)
    }

    /// A sync that failed: what it was to save is seen, and lost with the next cut.
    pub(super) fn sync_fails(&mut self, number: u64) {
        if let Ok(content) = self.content(number) {
            content
                .pending
                .iter_mut()
                .for_each(|pending| pending.phantom = true);
        }
    }

    /// Puts the names of a folder on the disk.
    pub(super) fn sync_folder(&mut self, number: u64) {
        let names = std::mem::take(&mut self.names);
        for op in names {
            if op.changes.iter().any(|(folder, ..)| *folder == number) {
                self.keep_names(&op);
            } else {
                self.names.push(op);
            }
        }
    }

    pub(super) fn keep_names(&mut self, op: &NameOp) {
        for (folder, name, number) in &op.changes {
            let node = self.nodes.get_mut(folder);
            if let Some(Kind::Folder { durable, .. }) = node.map(|node| &mut node.kind) {
                put(durable, name, *number);
            }
        }
    }

    /// Forgets what no name leads to any more.
    pub(super) fn sweep(&mut self) {
        let mut reached = BTreeSet::from([ROOT]);
        let mut open = vec![ROOT];
        while let Some(number) = open.pop() {
            let entries = self
                .entries(number)
                .map(|entries| entries.values().copied().collect());
            let entries: Vec<u64> = entries.unwrap_or_default();
            open.extend(entries.into_iter().filter(|number| reached.insert(*number)));
        }
        let backing = &self.backing;
        self.nodes.retain(|number, _| {
            if !reached.contains(number) {
                // A file that stays behind takes room and nothing else.
                let _ = fs::remove_file(backing.join(number.to_string()));
            }
            reached.contains(number)
        });
    }
}

fn folder(mode: u32, of_log: bool) -> Node {
    Node {
        kind: Kind::Folder {
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
        },
        mode,
        modified: SystemTime::now(),
        of_log,
    }
}

fn put(entries: &mut BTreeMap<OsString, u64>, name: &OsStr, number: Option<u64>) {
    match number {
        Some(number) => entries.insert(name.to_owned(), number),
        None => entries.remove(name),
    };
}

impl Content {
    /// Whether a write goes where the disk has kept room for it.
    pub(super) fn has_space(&self, offset: u64, bytes: &[u8]) -> bool {
        self.settled && offset + bytes.len() as u64 <= self.durable_length
    }

    fn read(&self, offset: u64, size: usize) -> io::Result<Vec<u8>> {
        let size = size.min(self.length.saturating_sub(offset) as usize);
        let mut buffer = vec![0; size];
        let stored = (self.durable_length.saturating_sub(offset) as usize).min(size);
        self.durable
            .read_exact_at(buffer.get_mut(..stored).unwrap_or_default(), offset)?;
        for pending in &self.pending {
            match &pending.op {
                DataOp::Write { offset: at, bytes } => overlay(&mut buffer, offset, bytes, *at),
                DataOp::Resize(length) => {
                    let from = (length.saturating_sub(offset) as usize).min(size);
                    buffer.get_mut(from..).unwrap_or_default().fill(0);
                }
            }
        }
        Ok(buffer)
    }

    fn sync(&mut self) -> io::Result<()> {
        let (phantoms, pending): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|pending| pending.phantom);
        for pending in &pending {
            self.apply(&pending.op)?;
        }
        self.pending = phantoms;
        self.settled = true;
        Ok(())
    }

    /// Puts one change on the disk.
    pub(super) fn apply(&mut self, op: &DataOp) -> io::Result<()> {
        match op {
            DataOp::Write { offset, bytes } => {
                self.durable.write_all_at(bytes, *offset)?;
                self.durable_length = self.durable_length.max(offset + bytes.len() as u64);
            }
            DataOp::Resize(length) => {
                self.durable.set_len(*length)?;
                self.durable_length = *length;
            }
        }
        Ok(())
    }
}

/// Lays `bytes`, which begin at `at`, over a buffer that begins at `offset`.
fn overlay(buffer: &mut [u8], offset: u64, bytes: &[u8], at: u64) {
    let end = (at + bytes.len() as u64).min(offset + buffer.len() as u64);
    let begin = at.max(offset);
    if begin >= end {
        return;
    }
    let into = buffer.get_mut((begin - offset) as usize..(end - offset) as usize);
    let from = bytes.get((begin - at) as usize..(end - at) as usize);
    if let (Some(into), Some(from)) = (into, from) {
        into.copy_from_slice(from);
    }
}
