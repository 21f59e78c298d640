//! Reading the records of a batch, and what is left of them when it is damaged.

use super::Position;
use super::format::{
    BATCH_HEADER, PART_HEADER, PartHeader, RECORD_HEADER, RecordHeader, record_seed, u64_at,
};
use crate::damage::Damage;

/// A part of a record as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// As it was written.
    Whole(&'a [u8]),
    /// Its checksum is wrong. Already reported.
    Damaged,
}

/// A record as it was read.
#[derive(Debug)]
pub struct Record<'a> {
    /// Where it begins.
    pub position: Position,
    /// Where it ends: the position that was durable with it.
    pub end: Position,
    /// The queue's id, or 0 for the node itself.
    pub owner: u64,
    /// What the record says; the owner's matter.
    pub kind: u8,
    /// Its parts.
    pub parts: Vec<Part<'a>>,
    /// The file and the offset at which it begins, for reports.
    pub file: &'a str,
    /// See `file`.
    pub offset: u64,
}

/// Where what was read goes.
pub(super) struct Sink<'s> {
    /// Records before are left out: not needed, or already handed on.
    pub(super) floor: u64,
    pub(super) each: &'s mut dyn FnMut(&Record<'_>),
    pub(super) report: &'s mut dyn FnMut(Damage),
}

/// Bytes of records as they stand in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) run: u64,
    pub(super) file: &'a str,
    /// Where `bytes` begins in the file.
    pub(super) offset: u64,
}

impl<'a> Area<'a> {
    /// Hands on the records of a batch whose header is whole, `start` being its position. What is damaged
    /// between them is reported.
    pub(super) fn read_batch(&self, start: u64, payload: u64, sink: &mut Sink<'_>) {
        let position_of = |at: usize| start.wrapping_add(at as u64);
        let mut at = 0;
        while at < self.bytes.len() {
            if let Some(header) = self.header(at, position_of(at)) {
                self.hand_on(at, &header, sink);
                at += record_bytes(&header);
                continue;
            }
            let is_next = |next: &usize| self.header(*next, position_of(*next)).is_some();
            let next = (at + 1..self.bytes.len())
                .find(is_next)
                .unwrap_or(self.bytes.len());
            self.report_gap(at, next, position_of(at), sink);
            at = next;
        }
        let missing = payload.saturating_sub(self.bytes.len() as u64);
        if missing > 0 {
            let what = format!("the file ends within a batch; {missing} bytes of records are lost");
            self.report(self.bytes.len(), what, None, sink);
        }
    }

    /// Whether these are the records of a batch, all of them and nothing else.
    pub(super) fn is_whole_batch(&self, start: u64, payload: u64) -> bool {
        let mut is_whole = self.bytes.len() as u64 == payload;
        let mut sink = Sink {
            floor: 0,
            each: &mut |_| {},
            report: &mut |_| is_whole = false,
        };
        self.read_batch(start, payload, &mut sink);
        is_whole
    }

    /// Hands on what records there are, of positions from `lowest` to `end`, where no header of a batch says
    /// what is there. Answers how many bytes of records they were. `begin`, if that is known, is the position
    /// of the batch whose header should stand at the area's front.
    ///
    /// A block may stand in another's place. A record that comes before others of lower positions would cost
    /// these, and one whose end stands elsewhere those which stand there now. So none is taken that has less
    /// before it than is due, and only what is whole is passed over as one piece.
    pub(super) fn salvage(&self, lowest: u64, end: u64, begin: Option<u64>, sink: &mut Sink<'_>) -> u64 {
        let mut lowest = lowest;
        let mut at = 0_usize;
        let mut found = 0;
        while let Some(position) = u64_at(self.bytes, at.saturating_add(16)) {
            let is_due = begin.is_none_or(|begin| {
                let before = position.saturating_sub(begin).saturating_add(BATCH_HEADER as u64);
                at as u64 >= before
            });
            let header = if is_due && (lowest..end).contains(&position) {
                self.header(at, position)
            } else {
                None
            };
            let Some(header) = header else {
                at += 1;
                continue;
            };
            let is_whole = self.hand_on(at, &header, sink);
            let bytes = record_bytes(&header);
            lowest = position.saturating_add(bytes as u64);
            found += bytes as u64;
            at += if is_whole { bytes } else { RECORD_HEADER };
        }
        found
    }

    /// The header of a record that is wholly there.
    fn header(&self, at: usize, position: u64) -> Option<RecordHeader> {
        let bytes = self.bytes.get(at..)?;
        let header = RecordHeader::decode(bytes, position, self.run)?;
        let has_parts = header.length <= bytes.len().checked_sub(RECORD_HEADER)? as u64;
        let is_sane = u64::from(header.parts) * PART_HEADER as u64 <= header.length;
        (has_parts && is_sane).then_some(header)
    }

    /// Answers whether all of it is whole, or was handed on before.
    fn hand_on(&self, at: usize, header: &RecordHeader, sink: &mut Sink<'_>) -> bool {
        if header.position < sink.floor {
            return true;
        }
        let end = header.position.saturating_add(record_bytes(header) as u64);
        sink.floor = end;
        let record = Record {
            position: Position(header.position),
            end: Position(end),
            owner: header.owner,
            kind: header.kind,
            parts: self.parts(at, header, sink),
            file: self.file,
            offset: self.offset + at as u64,
        };
        (sink.each)(&record);
        !record.parts.contains(&Part::Damaged)
    }

    fn parts(&self, record: usize, header: &RecordHeader, sink: &mut Sink<'_>) -> Vec<Part<'a>> {
        let first = record + RECORD_HEADER;
        let bytes = self
            .bytes
            .get(first..record + record_bytes(header))
            .unwrap_or_default();
        let seed = record_seed(header.position, self.run);
        let mut parts = Vec::with_capacity((header.parts as usize).min(bytes.len() / PART_HEADER));
        let mut at = 0;
        let mut index = 0;
        while index < header.parts {
            if let Some((part, data)) = part_at(bytes, at, seed).filter(|(part, _)| part.index == index) {
                if part.is_of(seed, data) {
                    parts.push(Part::Whole(data));
                } else {
                    parts.push(Part::Damaged);
                    let what = format!("part {index} of a record does not match its checksum");
                    self.report(first + at, what, None, sink);
                }
                at += PART_HEADER + data.len();
                index += 1;
                continue;
            }
            let (next_at, next) = find_part(bytes, at + 1, seed, index + 1, header.parts)
                .unwrap_or((bytes.len(), header.parts));
            let lost = next - index;
            parts.extend(std::iter::repeat_n(Part::Damaged, lost as usize));
            let what = format!("{lost} parts of a record, from part {index} on, are damaged");
            self.report(first + at, what, None, sink);
            (at, index) = (next_at, next);
        }
        parts
    }

    fn report_gap(&self, at: usize, next: usize, position: u64, sink: &mut Sink<'_>) {
        let lost = next - at;
        if position.saturating_add(lost as u64) <= sink.floor {
            return;
        }
        let what = format!("{lost} bytes of records, from position {position} on, are damaged");
        self.report(at, what, None, sink);
    }

    fn report(&self, at: usize, what: String, messages_lost: Option<u64>, sink: &mut Sink<'_>) {
        (sink.report)(Damage {
            file: self.file.to_owned(),
            offset: self.offset + at as u64,
            what,
            messages_lost,
        });
    }
}

fn record_bytes(header: &RecordHeader) -> usize {
    // Less than the bytes of an area, which are in memory.
    RECORD_HEADER + usize::try_from(header.length).unwrap_or(usize::MAX - RECORD_HEADER)
}

/// The header and the bytes of what may be a part.
fn part_at(bytes: &[u8], at: usize, seed: u32) -> Option<(PartHeader, &[u8])> {
    let rest = bytes.get(at..)?;
    let header = PartHeader::decode(rest, seed)?;
    let data = rest.get(PART_HEADER..)?.get(..header.length as usize)?;
    Some((header, data))
}

/// The next part that is whole, from `at` on, with an index from `index` to `end`; and where it stands.
fn find_part(bytes: &[u8], at: usize, seed: u32, index: u32, end: u32) -> Option<(usize, u32)> {
    (at..bytes.len()).find_map(|at| {
        let (header, data) = part_at(bytes, at, seed)?;
        let is_next = (index..end).contains(&header.index) && header.is_of(seed, data);
        is_next.then_some((at, header.index))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::Appender;

    const START: u64 = 5000;
    const RUN: u64 = 7;

    /// Three records of three parts.
    fn batch() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut appender = Appender::new(&mut bytes, START, RUN);
        for owner in 1..=3_u64 {
            appender.begin(owner, owner as u8);
            for part in 0..3_u8 {
                appender.part(|bytes| bytes.extend(std::iter::repeat_n(part + 1, 20)));
            }
            appender.end();
        }
        bytes
    }

    /// (owner, whole parts, damaged parts) of each record, and the number of reports.
    fn read(bytes: &[u8], how: impl Fn(&Area<'_>, &mut Sink<'_>)) -> (Vec<(u64, usize, usize)>, usize) {
        let area = Area {
            bytes,
            run: RUN,
            file: "f",
            offset: 100,
        };
        let mut records = Vec::new();
        let mut reports = 0;
        let mut sink = Sink {
            floor: 0,
            each: &mut |record| {
                assert_eq!(record.parts.len(), 3);
                assert_eq!(record.owner, u64::from(record.kind));
                let whole = |part: &&Part<'_>| matches!(part, Part::Whole(_));
                let count = record.parts.iter().filter(whole).count();
                records.push((record.owner, count, 3 - count));
            },
            report: &mut |_| reports += 1,
        };
        how(&area, &mut sink);
        (records, reports)
    }

    fn read_batch(bytes: &[u8], payload: usize) -> (Vec<(u64, usize, usize)>, usize) {
        read(bytes, |area, sink| area.read_batch(START, payload as u64, sink))
    }

    #[test]
    fn whole() {
        let bytes = batch();
        let all = vec![(1, 3, 0), (2, 3, 0), (3, 3, 0)];
        assert_eq!(read_batch(&bytes, bytes.len()), (all.clone(), 0));
        let salvaged = read(&bytes, |area, sink| {
            assert_eq!(area.salvage(START, u64::MAX, None, sink), bytes.len() as u64);
        });
        assert_eq!(salvaged, (all, 0));
    }

    #[test]
    fn every_flipped_byte_costs_one_part_or_one_record() {
        let good = batch();
        let record = RECORD_HEADER + 3 * (PART_HEADER + 20);
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            let (records, reports) = read_batch(&bytes, bytes.len());
            let hit = (at / record) as u64 + 1;
            let mut expected = vec![(1, 3, 0), (2, 3, 0), (3, 3, 0)];
            if at % record < RECORD_HEADER {
                expected.retain(|(owner, _, _)| *owner != hit);
            } else {
                expected[at / record] = (hit, 2, 1);
            }
            assert_eq!((records, reports), (expected, 1), "byte {at}");
        }
    }

    #[test]
    fn cut_anywhere() {
        let good = batch();
        let record = RECORD_HEADER + 3 * (PART_HEADER + 20);
        for length in 0..good.len() {
            let (records, reports) = read_batch(&good[..length], good.len());
            assert_eq!(records.len(), length / record, "length {length}");
            assert_eq!(reports, 1 + usize::from(length % record > 0), "length {length}");
        }
    }

    #[test]
    fn no_record_comes_twice() {
        let bytes = batch();
        let (records, _) = read(&bytes, |area, sink| {
            area.read_batch(START, bytes.len() as u64, sink);
            area.salvage(START, u64::MAX, None, sink);
            area.read_batch(START, bytes.len() as u64, sink);
        });
        assert_eq!(records.len(), 3);
    }

    /// Salvages the records behind a damaged header of a batch, and tells whose whole ones were found.
    fn salvage(area: &[u8]) -> Vec<u64> {
        let (records, _) = read(area, |area, sink| {
            area.salvage(START, u64::MAX, Some(START), sink);
        });
        let whole = records.into_iter().filter(|(_, _, damaged)| *damaged == 0);
        whole.map(|(owner, _, _)| owner).collect()
    }

    #[test]
    fn a_record_in_the_place_of_an_earlier_one_costs_none_between() {
        let record = RECORD_HEADER + 3 * (PART_HEADER + 20);
        let mut area = vec![0; BATCH_HEADER];
        area.extend(batch());
        assert_eq!(salvage(&area), [1, 2, 3]);
        let (first, third) = (BATCH_HEADER, BATCH_HEADER + 2 * record);
        for nth in 0..record {
            area.swap(first + nth, third + nth);
        }
        // The first stands behind the second now, and is left out.
        assert_eq!(salvage(&area), [2]);
        area.copy_within(third..third + record, first);
        assert_eq!(salvage(&area), [1, 2]);
    }

    #[test]
    fn the_beginning_of_a_record_costs_none_of_those_that_stand_in_the_place_of_its_end() {
        let record = RECORD_HEADER + 3 * (PART_HEADER + 20);
        let mut area = vec![0; BATCH_HEADER];
        area.extend(batch());
        // It says that it goes on to where the next one ends.
        let half = record / 2;
        area.copy_within(BATCH_HEADER..BATCH_HEADER + half, BATCH_HEADER + half);
        area[BATCH_HEADER..BATCH_HEADER + half].fill(0);
        assert_eq!(salvage(&area), [2, 3]);
    }

    #[test]
    fn many_lost_parts_are_counted() {
        let mut bytes = Vec::new();
        let mut appender = Appender::new(&mut bytes, START, RUN);
        appender.begin(1, 1);
        for _ in 0..100 {
            appender.part(|bytes| bytes.extend_from_slice(&[1; 50]));
        }
        appender.end();
        bytes[1000..2000].fill(0);
        let area = Area {
            bytes: &bytes,
            run: RUN,
            file: "f",
            offset: 0,
        };
        let mut seen = 0;
        let mut sink = Sink {
            floor: 0,
            each: &mut |record| {
                assert_eq!(record.parts.len(), 100);
                let damaged = record.parts.iter().filter(|part| **part == Part::Damaged);
                // 1,000 bytes touch at most 17 parts of 62.
                assert!((16..=18).contains(&damaged.count()));
                seen += 1;
            },
            report: &mut |_| {},
        };
        area.read_batch(START, bytes.len() as u64, &mut sink);
        assert_eq!(seen, 1);
    }

    #[test]
    fn nothing_of_another_run_or_place_passes() {
        let bytes = batch();
        let other = Area {
            bytes: &bytes,
            run: RUN + 1,
            file: "f",
            offset: 0,
        };
        let mut sink = Sink {
            floor: 0,
            each: &mut |record| panic!("{record:?}"),
            report: &mut |_| {},
        };
        other.read_batch(START, bytes.len() as u64, &mut sink);
        other.salvage(0, u64::MAX, None, &mut sink);
        let moved = Area { run: RUN, ..other };
        moved.read_batch(START + 1, bytes.len() as u64, &mut sink);
    }
}
