//! Reading a checkpoint, from two files of which each may be damaged.

use super::Entry;
use super::copy::Copy;
use super::layout::{FILES, HEAD_BYTES, Head, ROW_BYTES};
use crate::damage::Damage;
use crate::disk::Disk;
use std::io;

/// What some files gave.
#[derive(Default)]
struct Gathered {
    entries: Vec<Entry>,
    damage: Vec<Damage>,
    lost: u64,
}

/// Reads the checkpoint, from whichever file is whole, or entry by entry from both. `None` when
/// there is none. What is damaged and costs nothing, as all entries are there, is reported with
/// `messages_lost` being 0.
///
/// # Errors
/// A file cannot be opened, the system lacks what it needs to read one, one is of a newer format version
/// ([`io::ErrorKind::Unsupported`]), or neither tells any more what is in it
/// ([`io::ErrorKind::InvalidData`]).
pub fn read(disk: &dyn Disk, report: &mut dyn FnMut(Damage)) -> io::Result<Option<Vec<Entry>>> {
    let [name, name_of_copy] = FILES;
    let copies = match (Copy::open(disk, name)?, Copy::open(disk, name_of_copy)?) {
        (None, None) => return Ok(None),
        (Some(file), Some(copy)) => return read_both(file, copy, report).map(Some),
        (Some(file), None) => (file, name_of_copy),
        (None, Some(copy)) => (copy, name),
    };
    let (mut file, missing) = copies;
    let head = file.head.ok_or_else(|| unreadable(&mut [&mut file], report))?;
    if !head.is_first {
        report(Damage {
            file: missing.to_owned(),
            offset: 0,
            what: "the file is missing: the checkpoint is read from the other one".to_owned(),
            messages_lost: Some(0),
        });
    }
    Ok(Some(gather(&mut [&mut file], &head)?.told(report)))
}

fn read_both(mut file: Copy, mut copy: Copy, report: &mut dyn FnMut(Damage)) -> io::Result<Vec<Entry>> {
    let (one, other) = match (file.head, copy.head) {
        (None, None) => return Err(unreadable(&mut [&mut file, &mut copy], report)),
        (Some(one), Some(other)) if one != other => (one, other),
        (Some(head), _) | (None, Some(head)) => {
            return Ok(gather(&mut [&mut file, &mut copy], &head)?.told(report));
        }
    };
    // A power cut came between the two: both are true, and nothing of one fits the other.
    let newer = gather(&mut [&mut file], &one)?;
    let older = gather(&mut [&mut copy], &other)?;
    let (chosen, passed_over) = if newer.lost <= older.lost {
        (newer, older)
    } else {
        (older, newer)
    };
    for damage in passed_over.damage {
        // Whatever is lost of it, the other one is read.
        let messages_lost = Some(0);
        report(Damage {
            messages_lost,
            ..damage
        });
    }
    Ok(chosen.told(report))
}

impl Gathered {
    fn told(self, report: &mut dyn FnMut(Damage)) -> Vec<Entry> {
        self.damage.into_iter().for_each(report);
        self.entries
    }
}

fn unreadable(copies: &mut [&mut Copy], report: &mut dyn FnMut(Damage)) -> io::Error {
    copies
        .iter_mut()
        .flat_map(|copy| copy.take_damage())
        .for_each(|damage| {
            // There is no other one that tells the same.
            let messages_lost = None;
            report(Damage {
                messages_lost,
                ..damage
            });
        });
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the checkpoint is damaged beyond reading, and so is its copy",
    )
}

/// Takes each entry from the first file in which it is whole.
fn gather(copies: &mut [&mut Copy], head: &Head) -> io::Result<Gathered> {
    let mut gathered = Gathered::default();
    copies.iter_mut().for_each(|copy| copy.begin(head));
    // No more than there is room for in a file, whatever a head says.
    let rows = copies.iter().map(|copy| copy.rows()).max().unwrap_or(0);
    gathered.entries.reserve(usize::try_from(rows).unwrap_or(0));
    let mut lost = Vec::new();
    for index in 0..rows {
        match entry(copies, head, index) {
            Ok(entry) => gathered.entries.push(entry),
            Err(damage) => lost.extend(damage),
        }
    }
    if let Some(shortage) = copies.iter_mut().find_map(|copy| copy.take_shortage()) {
        return Err(shortage);
    }
    let there = copies.first().filter(|_| rows < head.entries);
    lost.extend(there.map(|copy| {
        let what = format!(
            "entries {rows} to {} are cut off: they are lost",
            head.entries - 1
        );
        copy.damage(offset_of(rows), what)
    }));
    gathered.lost = head.entries - gathered.entries.len() as u64;
    gathered.damage = copies.iter_mut().flat_map(|copy| copy.take_damage()).collect();
    gathered.damage.append(&mut lost);
    Ok(gathered)
}

/// One entry, or the report of its loss.
fn entry(copies: &mut [&mut Copy], head: &Head, index: u64) -> Result<Entry, Option<Damage>> {
    let row = copies.iter().find_map(|copy| copy.row(index, head.identity));
    let mut entry = None;
    for copy in copies.iter_mut() {
        let is_told = copy.row(index, head.identity).is_some();
        let bytes = row.and_then(|row| Some((row, copy.bytes(&row, head)?)));
        let is_whole = is_told && bytes.is_some();
        if let (None, Some((row, bytes))) = (&entry, bytes) {
            entry = Some(Entry {
                owner: row.owner,
                kind: row.kind,
                bytes: bytes.to_vec(),
            });
        }
        if !is_whole {
            copy.damaged(index);
        }
    }
    entry.ok_or_else(|| {
        let what = match row {
            Some(row) => format!(
                "entry {index}, of owner {} and kind {}, is lost",
                row.owner, row.kind
            ),
            None => format!("entry {index}, of an owner that is not known any more, is lost"),
        };
        copies.first().map(|copy| copy.damage(offset_of(index), what))
    })
}

fn offset_of(index: u64) -> u64 {
    (HEAD_BYTES as u64).saturating_add(index.saturating_mul(ROW_BYTES as u64))
}
