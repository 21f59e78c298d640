//! Checkpoints: what the log before a position came to, in the node's words.
//!
//! ```text
//!   owner 0   NODE     catalog position u64, log needed from u64, last id u64, last extent u64
//!             CHANGE   a catalog change, as in the log
//!   a queue   QUEUE    version u8 = 2, reserved u64, redelivered below u64, stored up to u64,
//!                      stretches: count, then extent, first, last - first, count
//!                      live, redelivered: sets, each count of ranges, then gap, length - 1
//!                      octets of bodies; failures: count, then number, how often
//!                      priorities: count, then priority, set of those that have it
//!                      notes: count, then kind (0 expires, 1 due, 2 rested), time (ms), number, octets
//!                      keys that came: count, then key u128, until when (ms); keys that messages stand for:
//!                      count, then number, key u128, octets
//! ```
//! Numbers after the fixed ones are LEB128. Queues are looked at one after the other while they work: each
//! entry is true for a moment of its own. Replaying facts that it already knows changes nothing.

use super::Storage;
use super::keeper::Trouble;
use crate::node::Node;
use crate::queues::Standing;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use warren_broker::catalog::codec;
use warren_broker::queue::{Chain, Hour, Key, Note, Range, SeqSet, Stretch, Summary};
use warren_store::checkpoint::{Failed, Writer};
use warren_store::{Log, Poisoned, Position};

/// Kinds of entries of a checkpoint.
pub mod entry {
    /// Of the node (owner 0): positions and numbers.
    pub const NODE: u8 = 1;
    /// Of the node: a change that makes something durable.
    pub const CHANGE: u8 = 2;
    /// Of a queue: what it has in extents.
    pub const QUEUE: u8 = 1;
}

const QUEUE_VERSION: u8 = 2;

/// The highest number that is believed of an id, a file or a position.
const NUMBER_MAX: u64 = u64::MAX >> 1;

/// A checkpoint that was made.
pub(super) struct Made {
    /// The log's end when it was begun.
    pub(super) at: Position,
    pub(super) needed_from: Position,
    pub(super) bytes: u64,
}

/// The node's own entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct NodeEntry {
    /// Catalog changes before it are in the checkpoint.
    pub(super) catalog_at: Position,
    pub(super) needed_from: Position,
    pub(super) last_id: u64,
    pub(super) last_extent: u64,
}

impl NodeEntry {
    fn write(&self, out: &mut Vec<u8>) {
        let numbers = [
            self.catalog_at.0,
            self.needed_from.0,
            self.last_id,
            self.last_extent,
        ];
        numbers.iter().for_each(|number| put_u64(out, *number));
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        // What no node comes to is none of this: the next number has to be one, too.
        let mut number = || reader.u64().filter(|number| *number <= NUMBER_MAX);
        Some(Self {
            catalog_at: Position(number()?),
            needed_from: Position(number()?),
            last_id: number()?,
            last_extent: number()?,
        })
    }
}

impl Storage {
    /// Writes a checkpoint.
    pub(super) fn checkpoint(&self, node: &Arc<Node>) -> Result<Made, Trouble> {
        let at = self.wal.appended();
        // Before any queue is looked at: whoever refers to a body from now on has its own queue's mark.
        self.reference_floor.store(at.0, Ordering::SeqCst);
        let mut writer = Writer::new();
        let mut bytes = 0;
        let (catalog_at, last_id) = {
            let catalog = node.catalog.lock();
            for change in catalog.durable_changes() {
                writer.entry(0, entry::CHANGE, |out| {
                    let before = out.len();
                    codec::encode(&change, out);
                    bytes += (out.len() - before) as u64;
                });
            }
            (self.wal.appended(), catalog.last_id())
        };
        let mut needed_from = at;
        let queues = node.live_queues().into_iter().chain(node.key_queues());
        for queue in queues.filter(|queue| queue.declared().durable) {
            let standing = queue.standing();
            needed_from = needed_from.min(standing.log_floor.unwrap_or(needed_from));
            writer.entry(queue.id().0, entry::QUEUE, |out| {
                let before = out.len();
                write_standing(&standing, out);
                bytes += (out.len() - before) as u64;
            });
        }
        let node_entry = NodeEntry {
            catalog_at,
            needed_from,
            last_id,
            last_extent: self.table.lock().last(),
        };
        writer.entry(0, entry::NODE, |out| node_entry.write(out));
        // What queues told may only just be in the log; a checkpoint never knows more than the disk.
        self.sync_to(self.wal.appended())?;
        writer.finish(&*self.disk).map_err(|failed| match failed {
            Failed::Space(error) => Trouble::Space(error),
            Failed::Io(error) => Trouble::Poison(Poisoned {
                what: "write to",
                file: "the checkpoint".to_owned(),
                error: error.to_string(),
            }),
        })?;
        Ok(Made {
            at,
            needed_from,
            bytes,
        })
    }
}

fn write_standing(standing: &Standing, out: &mut Vec<u8>) {
    let Standing {
        summary, reserved, ..
    } = standing;
    let Summary {
        durable,
        redelivered,
        redelivered_below,
        failures,
        octets,
        levels,
        notes,
        seen,
        last,
    } = summary;
    out.push(QUEUE_VERSION);
    put_u64(out, *reserved);
    put_u64(out, *redelivered_below);
    put_u64(out, durable.up_to());
    put_varint(out, durable.stretches().count() as u64);
    for stretch in durable.stretches() {
        put_varint(out, stretch.extent);
        put_varint(out, stretch.first);
        put_varint(out, stretch.last - stretch.first);
        put_varint(out, stretch.count);
    }
    put_set(out, durable.live());
    put_set(out, redelivered);
    put_varint(out, *octets);
    put_varint(out, failures.len() as u64);
    for (seq, count) in failures {
        put_varint(out, *seq);
        put_varint(out, u64::from(*count));
    }
    put_varint(out, levels.len() as u64);
    for (level, seqs) in levels {
        out.push(*level);
        put_set(out, seqs);
    }
    put_varint(out, notes.len() as u64);
    for note in notes {
        out.push(match note.hour {
            Hour::Expires => 0,
            Hour::Due => 1,
            Hour::Rested => 2,
        });
        put_varint(out, note.at_ms);
        put_varint(out, note.seq);
        put_varint(out, u64::from(note.octets));
    }
    put_varint(out, seen.len() as u64);
    for (key, until_ms) in seen {
        out.extend_from_slice(&key.to_le_bytes());
        put_varint(out, *until_ms);
    }
    put_varint(out, last.len() as u64);
    for (seq, key, octets) in last {
        put_varint(out, *seq);
        out.extend_from_slice(&key.to_le_bytes());
        put_varint(out, u64::from(*octets));
    }
}

/// Reads a queue's entry: the summary, and the number below which numbers may have been given out.
pub fn read_summary(bytes: &[u8]) -> Option<(Summary, u64)> {
    let (version, rest) = bytes.split_first()?;
    if *version != QUEUE_VERSION {
        return None;
    }
    let mut reader = Reader(rest);
    let reserved = reader.u64()?;
    let redelivered_below = reader.u64()?;
    let up_to = reader.u64()?;
    let mut stretches = Vec::new();
    for _ in 0..reader.varint()? {
        let (extent, first) = (reader.varint()?, reader.varint()?);
        let last = first.checked_add(reader.varint()?)?;
        let count = reader.varint()?;
        stretches.push(Stretch {
            extent,
            first,
            last,
            count,
            live: 0,
        });
    }
    let live = reader.set()?;
    let redelivered = reader.set()?;
    let octets = reader.varint()?;
    let mut failures = BTreeMap::new();
    for _ in 0..reader.varint()? {
        failures.insert(reader.varint()?, u16::try_from(reader.varint()?).ok()?);
    }
    let mut levels = Vec::new();
    for _ in 0..reader.varint()? {
        levels.push((reader.byte()?, reader.set()?));
    }
    let mut notes = Vec::new();
    for _ in 0..reader.varint()? {
        notes.push(read_note(&mut reader)?);
    }
    let mut seen = Vec::new();
    for _ in 0..reader.varint()? {
        seen.push((reader.key()?, reader.varint()?));
    }
    let mut last = Vec::new();
    for _ in 0..reader.varint()? {
        let (seq, key) = (reader.varint()?, reader.key()?);
        last.push((seq, key, u32::try_from(reader.varint()?).ok()?));
    }
    let summary = Summary {
        durable: Chain::restore(stretches, live, up_to),
        redelivered,
        redelivered_below,
        failures,
        octets,
        levels,
        notes,
        seen,
        last,
    };
    Some((summary, reserved))
}

fn read_note(reader: &mut Reader<'_>) -> Option<Note> {
    Some(Note {
        hour: match reader.byte()? {
            0 => Hour::Expires,
            1 => Hour::Due,
            2 => Hour::Rested,
            _ => return None,
        },
        at_ms: reader.varint()?,
        seq: reader.varint()?,
        octets: u32::try_from(reader.varint()?).ok()?,
    })
}

fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        // The low seven bits, which fit.
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_set(out: &mut Vec<u8>, set: &SeqSet) {
    let ranges = set.ranges();
    put_varint(out, ranges.len() as u64);
    let mut next = 0;
    for range in ranges {
        put_varint(out, range.first - next);
        put_varint(out, range.last - range.first);
        next = range.last.saturating_add(1);
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn key(&mut self) -> Option<Key> {
        let (key, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(Key::from_le_bytes(*key))
    }

    fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn set(&mut self) -> Option<SeqSet> {
        let mut set = SeqSet::default();
        let mut next = 0u64;
        for _ in 0..self.varint()? {
            let first = next.checked_add(self.varint()?)?;
            let last = first.checked_add(self.varint()?)?;
            set.insert_range(Range { first, last });
            next = last.saturating_add(1);
        }
        Some(set)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_summary_comes_back() {
        let live: SeqSet = [(3, 3), (5, 900), (1 << 40, (1 << 40) + 7)]
            .map(|(first, last)| Range { first, last })
            .into_iter()
            .collect();
        let stretch = |extent, first, last| Stretch {
            extent,
            first,
            last,
            count: last - first + 1,
            live: 0,
        };
        let note = |hour, at_ms, seq| Note {
            hour,
            at_ms,
            seq,
            octets: 70_000,
        };
        let notes = [
            note(Hour::Expires, 5, 10),
            note(Hour::Due, 1 << 41, 11),
            note(Hour::Rested, 7, 12),
        ];
        let stretches = [stretch(1, 0, 1000), stretch(300, 1 << 40, (1 << 40) + 7)];
        let standing = Standing {
            summary: Summary {
                durable: Chain::restore(stretches, live.clone(), 1 << 41),
                redelivered: [Range::one(5)].into_iter().collect(),
                redelivered_below: 4,
                failures: [(6, 3), (7, 20)].into(),
                octets: 1 << 33,
                levels: vec![(9, [Range::one(8)].into_iter().collect())],
                notes: notes.to_vec(),
                seen: vec![(1 << 100, 0), (5, 1 << 41)],
                last: vec![(8, 1 << 99, 70_000)],
            },
            reserved: 1 << 42,
            log_floor: None,
        };
        let mut bytes = Vec::new();
        write_standing(&standing, &mut bytes);
        let (summary, reserved) = read_summary(&bytes).unwrap();
        assert_eq!((reserved, summary.redelivered_below), (1 << 42, 4));
        assert_eq!(summary.durable.live().ranges(), live.ranges());
        assert_eq!(summary.redelivered.ranges(), [Range::one(5)]);
        assert_eq!(summary.failures, [(6, 3), (7, 20)].into());
        assert_eq!((summary.octets, &summary.notes[..]), (1 << 33, &notes[..]));
        assert_eq!(summary.seen, [(1 << 100, 0), (5, 1 << 41)]);
        assert_eq!(summary.last, [(8, 1 << 99, 70_000)]);
        assert_eq!(summary.levels[0].0, 9);
        assert_eq!(summary.levels[0].1.ranges(), [Range::one(8)]);
        let stretches: Vec<_> = summary.durable.stretches().map(|s| (s.extent, s.live)).collect();
        assert_eq!(stretches, [(1, 897), (300, 8)]);
        for cut in 0..bytes.len() {
            assert!(read_summary(&bytes[..cut]).is_none(), "cut at {cut}");
        }
    }
}
