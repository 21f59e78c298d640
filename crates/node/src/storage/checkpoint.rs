//! Checkpoints: what the log before a position came to, in the node's words.
//!
//! ```text
//!   owner 0   NODE     catalog position u64, log needed from u64, last id u64, last extent u64
//!             CHANGE   a catalog change, as in the log
//!   a queue   QUEUE    version u8 = 3, reserved u64, redelivered below u64, stored up to u64,
//!                      stretches: count, then extent, first, last - first, count
//!                      live, redelivered: sets, each count of ranges, then gap, length - 1
//!                      octets of bodies; failures: count, then number, how often
//!                      priorities: count, then priority, set of those that have it
//!                      delayed: set, octets of their bodies
//!                      pages of notes: count, then extent, number, first time (ms), last - first
//!                      rests: count, then until when (ms), number, octets
//!                      keys that came: count, then key u128, until when (ms); keys that messages stand for:
//!                      count, then number, key u128, octets
//! ```
//! Numbers after the fixed ones are LEB128. Queues are looked at one after the other while they work: each
//! entry is true for a moment of its own. Replaying facts that it already knows changes nothing.

use super::Storage;
use super::keeper::Trouble;
use super::numbers::{Reader, put_set, put_u64, put_varint};
use crate::node::Node;
use crate::queues::Standing;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use warren_broker::catalog::codec;
use warren_broker::queue::{Chain, Hour, Note, Page, Stretch, Summary};
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

const QUEUE_VERSION: u8 = 3;

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
        delayed,
        delayed_octets,
        pages,
        rests,
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
    put_set(out, delayed);
    put_varint(out, *delayed_octets);
    put_varint(out, pages.len() as u64);
    for page in pages {
        put_varint(out, page.extent);
        put_varint(out, page.number);
        put_varint(out, page.first_ms);
        put_varint(out, page.last_ms - page.first_ms);
    }
    put_varint(out, rests.len() as u64);
    for note in rests {
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
    let delayed = reader.set()?;
    let delayed_octets = reader.varint()?;
    let mut pages = Vec::new();
    for _ in 0..reader.varint()? {
        pages.push(read_page(&mut reader)?);
    }
    let mut rests = Vec::new();
    for _ in 0..reader.varint()? {
        rests.push(read_rest(&mut reader)?);
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
        delayed,
        delayed_octets,
        pages,
        rests,
        seen,
        last,
    };
    Some((summary, reserved))
}

fn read_page(reader: &mut Reader<'_>) -> Option<Page> {
    let (extent, number) = (reader.varint()?, reader.varint()?);
    let first_ms = reader.varint()?;
    let last_ms = first_ms.checked_add(reader.varint()?)?;
    Some(Page {
        extent,
        number,
        first_ms,
        last_ms,
    })
}

fn read_rest(reader: &mut Reader<'_>) -> Option<Note> {
    Some(Note {
        hour: Hour::Rested,
        at_ms: reader.varint()?,
        seq: reader.varint()?,
        octets: u32::try_from(reader.varint()?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use warren_broker::queue::{Range, SeqSet};

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
        let rest = Note {
            hour: Hour::Rested,
            at_ms: 7,
            seq: 12,
            octets: 70_000,
        };
        let page = Page {
            extent: 300,
            number: 2,
            first_ms: 1 << 41,
            last_ms: (1 << 41) + 5,
        };
        let stretches = [stretch(1, 0, 1000), stretch(300, 1 << 40, (1 << 40) + 7)];
        let standing = Standing {
            summary: Summary {
                durable: Chain::restore(stretches, live.clone(), 1 << 41),
                redelivered: [Range::one(5)].into_iter().collect(),
                redelivered_below: 4,
                failures: [(6, 3), (7, 20)].into(),
                octets: 1 << 33,
                levels: vec![(9, [Range::one(8)].into_iter().collect())],
                delayed: [Range::one(9)].into_iter().collect(),
                delayed_octets: 11,
                pages: vec![page],
                rests: vec![rest],
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
        assert_eq!((summary.octets, summary.delayed_octets), (1 << 33, 11));
        assert_eq!(summary.delayed.ranges(), [Range::one(9)]);
        assert_eq!(
            (&summary.pages[..], &summary.rests[..]),
            (&[page][..], &[rest][..])
        );
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
