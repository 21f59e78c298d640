//! Reading a store as a start would.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use warren_broker::catalog::{Change, codec};
use warren_node::storage::{entry, read_summary, record};
use warren_store::disk::Disk;
use warren_store::extent::Extents;
use warren_store::{Damage, Part, Position, Record, Replay, checkpoint};

use super::queues::{Messages, Shared};
use super::report::{Checkpoint, Extent, LogFile, NodeEntry, Report};

/// Whose records and entries are no queue's.
pub(super) const NODE: u64 = 0;

const LOG_FOLDER: &str = "log";
const DAMAGED_FOLDER: &str = "damaged";
const CHECKPOINT_FILE: &str = "checkpoint";

/// Open files: one extent is read after the other.
const OPEN_MAX: usize = 4;

/// Examines all of a store.
pub(super) fn all(disk: Arc<dyn Disk>) -> io::Result<Report> {
    let mut report = Report::default();
    read_checkpoint(&*disk, &mut report)?;
    read_log(&*disk, &mut report)?;
    read_extents(&disk, &mut report)?;
    report.set_aside = names(&*disk, DAMAGED_FOLDER)?;
    Ok(report)
}

/// The files of a folder in order; none when there is no such folder.
fn names(disk: &dyn Disk, folder: &str) -> io::Result<Vec<String>> {
    let mut names = match disk.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        listed => listed?,
    };
    names.sort_unstable();
    Ok(names)
}

/// A file that cannot be read is damage, unless nothing in the folder could be told from it.
fn or_damage<T>(read: io::Result<T>, file: &str, report: &mut Report) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) => match error.kind() {
            io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied => Err(error),
            _ => {
                report.damage.push(Damage {
                    file: file.to_owned(),
                    offset: 0,
                    what: format!("cannot be read: {error}"),
                    messages_lost: None,
                });
                Ok(None)
            }
        },
    }
}

fn read_checkpoint(disk: &dyn Disk, report: &mut Report) -> io::Result<()> {
    let mut damage = Vec::new();
    let entries = checkpoint::read(disk, &mut |found| damage.push(found));
    report.damage.append(&mut damage);
    let Some(Some(entries)) = or_damage(entries, CHECKPOINT_FILE, report)? else {
        return Ok(());
    };
    let mut found = Checkpoint {
        entries: entries.len(),
        ..Checkpoint::default()
    };
    for read in entries {
        if let Err(what) = read_entry(&read, &mut found, report) {
            report.damage.push(Damage {
                file: CHECKPOINT_FILE.to_owned(),
                offset: 0,
                what,
                messages_lost: None,
            });
        }
    }
    report.checkpoint = Some(found);
    Ok(())
}

/// Takes in an entry, or says what is wrong with it.
fn read_entry(read: &checkpoint::Entry, found: &mut Checkpoint, report: &mut Report) -> Result<(), String> {
    match (read.owner, read.kind) {
        (NODE, entry::NODE) => {
            let node = node_entry(&read.bytes).ok_or("the entry of the node cannot be read")?;
            found.node = Some(node);
        }
        (NODE, entry::CHANGE) => {
            let change = codec::decode(&read.bytes)
                .map_err(|error| format!("a change of the catalog cannot be read: {error}"))?;
            report.catalog.replay(change);
        }
        (NODE, other) => return Err(format!("an entry of the node has the unknown kind {other}")),
        (owner, entry::QUEUE) => {
            let (summary, _) = read_summary(&read.bytes)
                .ok_or_else(|| format!("the summary of queue {owner} cannot be read"))?;
            found.queues += 1;
            let messages = Messages::of(&summary);
            found.extents.extend(messages.needed().map(|(extent, _)| extent));
            report.queues.insert(owner, messages);
        }
        (owner, other) => return Err(format!("an entry of queue {owner} has the unknown kind {other}")),
    }
    Ok(())
}

fn node_entry(bytes: &[u8]) -> Option<NodeEntry> {
    let mut numbers = bytes
        .chunks_exact(size_of::<u64>())
        .filter_map(|number| Some(u64::from_le_bytes(number.try_into().ok()?)));
    Some(NodeEntry {
        catalog_position: numbers.next()?,
        log_start: numbers.next()?,
        last_id: numbers.next()?,
        last_extent: numbers.next()?,
    })
}

fn read_log(disk: &dyn Disk, report: &mut Report) -> io::Result<()> {
    for name in names(disk, LOG_FOLDER)? {
        let path = format!("{LOG_FOLDER}/{name}");
        let size = disk.open(&path).and_then(|file| file.size());
        if let Some(bytes) = or_damage(size, &path, report)? {
            report.log.files.push(LogFile { name, bytes });
        }
    }
    let node = report.checkpoint.as_ref().and_then(|found| found.node.as_ref());
    let from = node.map_or(0, |node| node.log_start);
    if report.log.files.is_empty() && from == 0 {
        return Ok(());
    }
    let catalog_position = node.map_or(0, |node| node.catalog_position);
    let mut damage = Vec::new();
    let mut malformed = Vec::new();
    let mut shared = Shared::from(from);
    let read = Replay::open(disk).and_then(|mut replay| {
        let mut each = |read: &Record<'_>| {
            report.log.count(read);
            if read.owner != NODE {
                let queue = report.queues.entry(read.owner).or_default();
                if !queue.read(read, &mut shared) {
                    malformed.push(malformed_at(read, "a record of a queue cannot be understood"));
                }
            } else if read.kind == record::CHANGE && read.position.0 >= catalog_position {
                malformed.extend(changes(read, &mut |change| report.change(change)));
            }
        };
        replay.run(Position(from), &mut each, &mut |found| damage.push(found))
    });
    report.damage.append(&mut damage);
    report.damage.append(&mut malformed);
    let gone = report
        .known()
        .filter_map(|id| Some((id, report.queues.get(&id)?.gone())));
    let gone: Vec<_> = gone.filter(|(_, messages)| *messages > 0).collect();
    report
        .damage
        .extend(gone.into_iter().map(|(id, messages)| Damage {
            file: LOG_FOLDER.to_owned(),
            offset: 0,
            what: format!("what queue {id} needs of it is gone; messages lost: {messages}"),
            messages_lost: Some(messages),
        }));
    report.log.from = from;
    report.log.tail = or_damage(read, LOG_FOLDER, report)?;
    Ok(())
}

/// Hands on the changes of a record. Answers what cannot be understood though its checksum is right; parts
/// with a wrong one were reported before.
fn changes(record: &Record<'_>, each: &mut dyn FnMut(Change)) -> Vec<Damage> {
    let mut malformed = Vec::new();
    for part in &record.parts {
        let Part::Whole(bytes) = part else { continue };
        match codec::decode(bytes) {
            Ok(change) => each(change),
            Err(error) => {
                let what = format!("a change of the catalog cannot be read: {error}");
                malformed.push(malformed_at(record, what));
            }
        }
    }
    malformed
}

fn malformed_at(record: &Record<'_>, what: impl Into<String>) -> Damage {
    Damage {
        file: record.file.to_owned(),
        offset: record.offset,
        what: what.into(),
        messages_lost: None,
    }
}

fn read_extents(disk: &Arc<dyn Disk>, report: &mut Report) -> io::Result<()> {
    let extents = Extents::new(Arc::clone(disk), OPEN_MAX);
    let present: BTreeSet<u64> = extents.list()?.into_iter().collect();
    // Where something is damaged, a start looks for messages in extents that nothing names, too.
    let is_sound = report.is_sound();
    for number in present.iter().copied() {
        let file = extent_file(number);
        let before = report.damage.len();
        let mut damage = Vec::new();
        let checked = extents.verify(number, &mut |found| damage.push(found));
        report.damage.append(&mut damage);
        let checked = or_damage(checked, &file, report)?;
        let named = report.checkpoint.as_ref().map(|found| &found.extents);
        let is_named = named.is_some_and(|named| named.contains(&number));
        if report.damage.len() > before && is_sound && !is_named {
            // The broker died over it: what it was to hold stands in the log.
            report.damage.truncate(before);
            report.unfinished.push(file);
            continue;
        }
        report.extents.extend(checked.map(|checked| Extent {
            messages: checked.messages,
            bytes: checked.bytes,
        }));
    }
    missing_extents(&present, report);
    Ok(())
}

/// Extents that hold what is left of queues, and that are not there.
fn missing_extents(present: &BTreeSet<u64>, report: &mut Report) {
    let mut missing: BTreeMap<u64, u64> = BTreeMap::new();
    for (extent, left) in report.queues.values().flat_map(Messages::needed) {
        if !present.contains(&extent) {
            *missing.entry(extent).or_default() += left;
        }
    }
    report
        .damage
        .extend(missing.into_iter().map(|(extent, left)| Damage {
            file: extent_file(extent),
            offset: 0,
            what: format!("the file is missing; messages lost: {left}"),
            messages_lost: Some(left),
        }));
}

fn extent_file(number: u64) -> String {
    format!("extents/{number:020}.ext")
}
