//! A naive log to hold the real one to: all that was appended, and what was promised of it.

use crate::sim_disk::{Random, SimDisk};
use std::sync::Arc;
use warren_store::{Damage, Log, Options, Part, Position, Replay, Tail, Wal};

pub(crate) const OPTIONS: Options = Options {
    segment_bytes: 16 << 10,
    log_bytes_max: 64 << 10,
    waiting_bytes_max: 8 << 10,
    sync: true,
};

/// A record as it was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) position: u64,
    pub(crate) end: u64,
    pub(crate) owner: u64,
    pub(crate) kind: u8,
    pub(crate) parts: Vec<Vec<u8>>,
    /// Which append it was part of.
    pub(crate) append: u64,
}

/// A record as it was read; `None` is a part that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) position: u64,
    pub(crate) end: u64,
    pub(crate) owner: u64,
    pub(crate) kind: u8,
    pub(crate) parts: Vec<Option<Vec<u8>>>,
}

impl Seen {
    pub(crate) fn is(&self, entry: &Entry) -> bool {
        self.has_the_head_of(entry)
            && self
                .parts
                .iter()
                .zip(&entry.parts)
                .all(|(seen, part)| seen.as_ref() == Some(part))
    }

    /// Nothing in it is wrong; some may be missing.
    pub(crate) fn is_what_is_left_of(&self, entry: &Entry) -> bool {
        let is_left =
            |(seen, part): (&Option<Vec<u8>>, &Vec<u8>)| seen.as_ref().is_none_or(|seen| seen == part);
        self.has_the_head_of(entry) && self.parts.iter().zip(&entry.parts).all(is_left)
    }

    fn has_the_head_of(&self, entry: &Entry) -> bool {
        (self.position, self.end, self.owner, self.kind, self.parts.len())
            == (
                entry.position,
                entry.end,
                entry.owner,
                entry.kind,
                entry.parts.len(),
            )
    }
}

/// Everything that can be read from a position on.
pub(crate) fn read(disk: &SimDisk, from: u64) -> std::io::Result<(Vec<Seen>, Vec<Damage>, Tail)> {
    let mut seen = Vec::new();
    let mut damages = Vec::new();
    let tail = Replay::open(disk)?.run(
        Position(from),
        &mut |record| {
            let bytes = |part: &Part<'_>| match part {
                Part::Whole(bytes) => Some(bytes.to_vec()),
                Part::Damaged => None,
            };
            seen.push(Seen {
                position: record.position.0,
                end: record.end.0,
                owner: record.owner,
                kind: record.kind,
                parts: record.parts.iter().map(bytes).collect(),
            });
        },
        &mut |damage| damages.push(damage),
    )?;
    Ok((seen, damages, tail))
}

/// All that was appended and not lost by right.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) entries: Vec<Entry>,
    /// Up to here it was said to be durable.
    pub(crate) promised: u64,
    /// Before it nothing is needed.
    pub(crate) from: u64,
    pub(crate) appends: u64,
}

impl Model {
    /// Appends some records that nobody else ever appends.
    pub(crate) fn append(&mut self, wal: &Wal, random: &mut Random) {
        self.appends += 1;
        let append = self.appends;
        let records = 1 + random.below(3);
        let entries = &mut self.entries;
        wal.append(&mut |appender| {
            for nth in 0..records {
                let position = appender.position().0;
                let (owner, kind) = (random.below(9), random.below(256) as u8);
                appender.begin(owner, kind);
                let mut parts = Vec::new();
                for part in 0..random.below(4) {
                    let length = match random.below(30) {
                        0 => 20_000,
                        1..4 => 3000,
                        _ => random.below(200),
                    };
                    let mut bytes = format!("{append} {nth} {part} ").into_bytes();
                    bytes.resize(bytes.len() + length as usize, random.below(256) as u8);
                    appender.part(|buffer| buffer.extend_from_slice(&bytes));
                    parts.push(bytes);
                }
                appender.end();
                entries.push(Entry {
                    position,
                    end: appender.position().0,
                    owner,
                    kind,
                    parts,
                    append,
                });
            }
        });
    }

    /// Reads the disk and checks that it holds what was promised and nothing that was not appended.
    /// What was not promised may be gone, whole appends from the end.
    pub(crate) fn recover(&mut self, disk: &SimDisk) -> std::io::Result<Tail> {
        let (seen, damages, tail) = read(disk, self.from)?;
        assert_eq!(damages, [], "nothing was damaged");
        self.entries.retain(|entry| entry.position >= self.from);
        assert!(seen.len() <= self.entries.len(), "more than was appended");
        for (seen, entry) in seen.iter().zip(&self.entries) {
            assert!(seen.is(entry), "{seen:?}\n{entry:?}");
        }
        if let Some(lost) = self.entries.get(seen.len()) {
            assert!(
                lost.end > self.promised,
                "{} was promised, {} is lost",
                self.promised,
                lost.end
            );
            let last = seen.len().checked_sub(1).map(|last| self.entries[last].append);
            assert_ne!(last, Some(lost.append), "a part of an append came back");
        }
        self.entries.truncate(seen.len());
        let end = self.entries.last().map_or(self.from, |last| last.end);
        assert_eq!(tail.end.0, end);
        Ok(tail)
    }

    /// Recovers and goes on, until the disk crashes or `steps` are done. Answers the log, if it lives.
    pub(crate) fn session(&mut self, disk: &SimDisk, random: &mut Random, steps: u64) -> Option<Arc<Wal>> {
        let tail = self.recover(disk).ok()?;
        let wal = Wal::open(Arc::new(disk.clone()), OPTIONS, Position(self.from), &tail).ok()?;
        assert_eq!(wal.durable(), tail.end);
        self.promised = tail.end.0;
        for _ in 0..steps {
            if !self.step(&wal, random) {
                assert!(disk.is_crashed());
                return None;
            }
        }
        Some(wal)
    }

    /// One thing of those that a node does. `false` when the log is poisoned.
    pub(crate) fn step(&mut self, wal: &Wal, random: &mut Random) -> bool {
        match random.below(10) {
            0..5 => self.append(wal, random),
            5..8 => {
                let done = wal.commit();
                self.keep_promise(wal);
                match done {
                    Err(_) => return false,
                    // Stuck: nothing but a trim helps.
                    Ok(false) if wal.durable() < wal.appended() => self.trim(wal, random),
                    Ok(_) => {}
                }
            }
            8 => drop(wal.prepare()),
            _ => self.trim(wal, random),
        }
        wal.poisoned().is_none()
    }

    fn keep_promise(&mut self, wal: &Wal) {
        let durable = wal.durable().0;
        assert!(durable >= self.promised, "it never goes back");
        self.promised = durable;
    }

    fn trim(&mut self, wal: &Wal, random: &mut Random) {
        let durable = self.entries.iter().filter(|entry| entry.end <= self.promised);
        let ends: Vec<u64> = durable.map(|entry| entry.end).collect();
        if let Some(end) = ends.get(random.below(ends.len() as u64) as usize) {
            self.from = self.from.max(*end);
            wal.trim(Position(self.from));
        }
    }
}
