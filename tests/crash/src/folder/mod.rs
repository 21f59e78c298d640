//! What stands in the data folder of a stopped broker, read by `docs/storage-format.md` and by nothing else:
//! which messages there are, and which bytes each of them needs.
//!
//! It reads undamaged folders only, so it needs no checksums; what does not fit the format is an error.
//!
//! ```text
//! checkpoint   where each queue's messages stand, and from where on the log counts
//! log          batches, records, parts
//! extent       blocks, entries, contents
//! reach        what damage to some bytes may cost
//! ```

mod checkpoint;
mod extent;
mod log;
mod reach;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use crate::message::Identity;

use checkpoint::Checkpoint;
use extent::Extent;
use log::LogFile;
pub(crate) use reach::{Changed, Place, Reach};

/// A message in a queue: the queue's id, and the message's number in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Copy {
    pub(crate) owner: u64,
    pub(crate) seq: u64,
}

/// A data folder.
pub(crate) struct Folder {
    checkpoint: Checkpoint,
    /// Those with records, in their order.
    log: Vec<LogFile>,
    extents: Vec<Extent>,
    /// What is not settled, of every queue that is declared.
    pub(crate) live: BTreeSet<Copy>,
    /// How many messages the log still has of queues that were deleted.
    pub(crate) undeclared: u64,
    /// Which of the load's messages they are.
    pub(crate) identities: HashMap<Copy, Identity>,
}

/// The messages of the load, as far as they were met: they are known by their properties.
#[derive(Default)]
struct Known {
    of_copy: HashMap<Copy, Identity>,
    /// By the place in the log of their content.
    at_place: HashMap<u64, Identity>,
}

impl Folder {
    /// Reads a folder, in which queues of some ids are declared.
    ///
    /// # Errors
    /// What of it is not as the format says.
    pub(crate) fn read(data: &Path, is_declared: &dyn Fn(u64) -> bool) -> Result<Folder, String> {
        let checkpoint = Checkpoint::read(&bytes_of(&data.join("checkpoint"))?)
            .ok_or("the checkpoint is not as the format says")?;
        let mut known = Known::default();
        let mut folder = Folder {
            checkpoint,
            log: Vec::new(),
            extents: Vec::new(),
            live: BTreeSet::new(),
            undeclared: 0,
            identities: HashMap::new(),
        };
        for name in names(&data.join("log"), ".log")? {
            let bytes = bytes_of(&data.join("log").join(&name))?;
            let path = format!("log/{name}");
            let read = LogFile::read(&path, &bytes, &mut known);
            folder
                .log
                .extend(read.ok_or_else(|| format!("{path} is not as the format says"))?);
        }
        for name in names(&data.join("extents"), ".ext")? {
            let bytes = bytes_of(&data.join("extents").join(&name))?;
            let path = format!("extents/{name}");
            let read = Extent::read(&path, &bytes, &mut known);
            folder
                .extents
                .push(read.ok_or_else(|| format!("{path} is not as the format says"))?);
        }
        let (live, of_others) = folder
            .find_live()
            .into_iter()
            .partition(|copy| is_declared(copy.owner));
        let of_others: BTreeSet<Copy> = of_others;
        (folder.live, folder.undeclared) = (live, of_others.len() as u64);
        folder.identities = known.of_copy;
        Ok(folder)
    }

    /// Goes through the log as a start does, from what the checkpoint says on.
    fn find_live(&self) -> BTreeSet<Copy> {
        let mut live: BTreeSet<Copy> = BTreeSet::new();
        // Numbers below are known, or were and are settled.
        let mut next: BTreeMap<u64, u64> = BTreeMap::new();
        for (owner, queue) in &self.checkpoint.queues {
            let of_queue = queue.live.iter().cloned().flatten();
            live.extend(of_queue.map(|seq| Copy { owner: *owner, seq }));
            next.insert(*owner, queue.stored_up_to);
        }
        let records = self.log.iter().flat_map(|file| &file.records);
        for record in records.filter(|record| record.position >= self.checkpoint.needed_from) {
            // Of queues that are deleted the log may still tell.
            let next = next.entry(record.owner).or_default();
            for message in &record.messages {
                if message.seq >= *next {
                    live.insert(message.copy(record));
                    *next = message.seq + 1;
                }
            }
            for seq in record.gone.iter().cloned().flatten() {
                let owner = record.owner;
                live.remove(&Copy { owner, seq });
            }
        }
        live
    }

    /// Whether a message stands in an extent, so that what the log says of it does not count.
    fn is_stored(&self, copy: Copy) -> bool {
        let queue = self.checkpoint.queues.get(&copy.owner);
        queue.is_some_and(|queue| copy.seq < queue.stored_up_to)
    }

    /// The extent in which a message stands.
    fn extent_of(&self, copy: Copy) -> Option<u64> {
        let queue = self.checkpoint.queues.get(&copy.owner)?;
        let holds = |stretch: &&checkpoint::Stretch| stretch.seqs.contains(&copy.seq);
        Some(queue.stretches.iter().find(holds)?.extent)
    }

    /// Whether a file of the log has records that count, or another file is an extent.
    pub(crate) fn needs(&self, file: &str) -> bool {
        let log = self.log.iter().find(|log| log.name == file);
        let last = log.and_then(|log| log.records.last());
        last.is_some_and(|last| last.position >= self.checkpoint.needed_from)
            || self.extents.iter().any(|extent| extent.name == file)
    }

    /// Where something begins that is more than a message's content: damage there is worth more.
    pub(crate) fn places(&self, file: &str) -> Vec<u64> {
        let log = self.log.iter().find(|log| log.name == file);
        let extent = self.extents.iter().find(|extent| extent.name == file);
        let log = log.map(LogFile::places).unwrap_or_default();
        let extent = extent.map(Extent::places).unwrap_or_default();
        [log, extent].concat()
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Files of a folder that end so, in order. None if there is no such folder.
fn names(folder: &Path, ending: &str) -> Result<Vec<String>, String> {
    let entries = match folder.read_dir() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| format!("{}: {error}", folder.display()))?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort_unstable();
    Ok(names)
}

/// Little-endian numbers out of bytes.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn slice(self, at: u64, length: u64) -> Option<&'a [u8]> {
        let at = usize::try_from(at).ok()?;
        self.0.get(at..)?.get(..usize::try_from(length).ok()?)
    }

    fn u8(self, at: u64) -> Option<u8> {
        self.slice(at, 1)?.first().copied()
    }

    fn u32(self, at: u64) -> Option<u32> {
        Some(u32::from_le_bytes(self.slice(at, 4)?.try_into().ok()?))
    }

    fn u64(self, at: u64) -> Option<u64> {
        Some(u64::from_le_bytes(self.slice(at, 8)?.try_into().ok()?))
    }
}
