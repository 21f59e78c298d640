//! Reading a log back: in recovery, and to examine it.
//!
//! A commit begins when the one before it is durable. So a batch proves everything before it, and a file
//! everything before its base: what is wrong there is damage. The last batch is proven by nothing: what is
//! wrong with it, or behind it, is a write that was cut short, and nobody was promised anything of it.

use super::Position;
use super::format::{BATCH_HEADER, BATCH_MAGIC, BatchHeader, FOLDER, SEGMENT_HEADER};
use super::found::{Found, READ_BYTES, State, Window, find};
use super::records::{Area, Record, Sink};
use crate::damage::Damage;
use crate::disk::Disk;
use std::io;

/// How a log ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The position after the last whole record: here the log goes on.
    pub end: Position,
    /// It was closed in an orderly way: nothing was appended after the last sync.
    pub is_closed: bool,
    /// Bytes that were written and never became durable, cut off without loss; as far as a whole header
    /// tells of them.
    pub torn_bytes: u64,
}

/// Reads a log.
pub struct Replay<'a> {
    disk: &'a dyn Disk,
    found: Vec<Found>,
}

impl<'a> Replay<'a> {
    /// Finds the segments of a log.
    ///
    /// # Errors
    /// When the folder or a file cannot be read at all, or a newer version wrote it (`Unsupported`).
    pub fn open(disk: &'a dyn Disk) -> io::Result<Self> {
        Ok(Self {
            disk,
            found: find(disk)?,
        })
    }

    /// Hands all records from `from` on to `each`, in order. What is damaged goes to `report` and is
    /// left out; the rest is handed on.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn run(
        &mut self,
        from: Position,
        each: &mut dyn FnMut(&Record<'_>),
        report: &mut dyn FnMut(Damage),
    ) -> io::Result<Tail> {
        let segments = self.segments(report)?;
        let mut walk = Walk {
            disk: self.disk,
            sink: Sink {
                floor: from.0,
                each,
                report,
            },
            position: None,
            // Of a log that never was there is nothing to recover.
            is_closed: segments.is_empty() && from.0 == 0,
            torn_bytes: 0,
        };
        for (nth, segment) in segments.iter().enumerate() {
            let next = segments.get(nth + 1);
            if next.is_none_or(|next| next.base > from.0) {
                walk.segment(segment, next, from.0)?;
            }
        }
        let end = walk.position.unwrap_or_default();
        if end < from.0 {
            let what = format!(
                "the log ends at position {end}, although it was needed from {} on",
                from.0
            );
            walk.tell(FOLDER, 0, what, None);
        }
        Ok(Tail {
            end: Position(end.max(from.0)),
            is_closed: walk.is_closed,
            torn_bytes: walk.torn_bytes,
        })
    }

    /// The files that hold records. One whose header does not say so is searched for batches.
    fn segments(&self, report: &mut dyn FnMut(Damage)) -> io::Result<Vec<Segment>> {
        let mut segments = Vec::new();
        for found in &self.found {
            let (name, number, size) = (found.name.clone(), found.number, found.size);
            let segment = match found.state {
                State::Prepared => None,
                State::Used(header) => Some(Segment {
                    number,
                    name,
                    size,
                    base: header.base,
                    run: header.run,
                    capacity: header.capacity,
                    has_header: true,
                    is_exact: true,
                }),
                State::Unknown if size < SEGMENT_HEADER as u64 => {
                    report(Damage {
                        file: name,
                        offset: size,
                        what: "the file ends within its header; all its records are lost".to_owned(),
                        messages_lost: None,
                    });
                    None
                }
                State::Unknown => {
                    let mut window = Window::new(self.disk.open(&name)?, size);
                    let first = search(&mut window, number, Wanted::default())?;
                    first.map(|(_, first)| Segment {
                        number,
                        name,
                        size,
                        base: first.start,
                        run: first.run,
                        capacity: size,
                        has_header: false,
                        is_exact: first.number == 0,
                    })
                }
            };
            segments.extend(segment);
        }
        Ok(segments)
    }
}

/// A file that holds records.
struct Segment {
    number: u64,
    name: String,
    size: u64,
    /// Its first position, or one behind it.
    base: u64,
    run: u64,
    /// The size that it should have.
    capacity: u64,
    has_header: bool,
    /// Whether `base` is its first position.
    is_exact: bool,
}

/// Which batch is looked for.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// It stands here, or behind.
    offset: u64,
    number: u64,
    start: u64,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            offset: SEGMENT_HEADER as u64,
            number: 0,
            start: 0,
        }
    }
}

impl Wanted {
    fn header(&self, bytes: &[u8], epoch: u64, offset: u64) -> Option<BatchHeader> {
        let header = BatchHeader::decode(bytes, epoch, offset)?;
        (header.number >= self.number && header.start >= self.start).then_some(header)
    }
}

/// Looks for a batch from a place on, byte by byte.
fn search(window: &mut Window, epoch: u64, wanted: Wanted) -> io::Result<Option<(u64, BatchHeader)>> {
    const STEP: usize = 4096;
    const ZEROS: [u8; STEP] = [0; STEP];
    let [mark, ..] = BATCH_MAGIC;
    let mut offset = wanted.offset;
    loop {
        let bytes = window.get(offset, READ_BYTES as u64)?;
        let Some(places) = bytes
            .len()
            .checked_sub(BATCH_HEADER - 1)
            .filter(|places| *places > 0)
        else {
            return Ok(None);
        };
        let chunks = bytes.get(..places).unwrap_or_default().chunks(STEP);
        for (nth, chunk) in chunks.enumerate() {
            // Most of a file that was made ahead.
            if ZEROS.starts_with(chunk) {
                continue;
            }
            for (within, _) in chunk.iter().enumerate().filter(|(_, byte)| **byte == mark) {
                let at = nth * STEP + within;
                let place = offset + at as u64;
                let header = bytes
                    .get(at..)
                    .and_then(|bytes| wanted.header(bytes, epoch, place));
                if let Some(header) = header {
                    return Ok(Some((place, header)));
                }
            }
        }
        offset += places as u64;
    }
}

/// Something wrong that is damage only if it is proven that it was once right: with a later position.
#[derive(Debug, Clone, Copy)]
struct Suspect {
    offset: u64,
    position: u64,
    what: &'static str,
}

struct Walk<'d, 's> {
    disk: &'d dyn Disk,
    sink: Sink<'s>,
    /// The end of what was read.
    position: Option<u64>,
    is_closed: bool,
    torn_bytes: u64,
}

/// Where a walk is in a file.
struct Place {
    wanted: Wanted,
    window: Window,
    /// For searches far ahead, so that what is near need not be read twice.
    probe: Window,
    suspect: Option<Suspect>,
}

impl Walk<'_, '_> {
    fn segment(&mut self, segment: &Segment, next: Option<&Segment>, from: u64) -> io::Result<()> {
        self.is_closed = false;
        let start = self.begin(segment, from);
        let file = self.disk.open(&segment.name)?;
        let mut place = Place {
            wanted: Wanted {
                start,
                ..Wanted::default()
            },
            probe: Window::new(file.clone(), segment.size),
            window: Window::new(file, segment.size),
            suspect: (!segment.has_header).then_some(Suspect {
                offset: 0,
                position: start,
                what: "the header of the file is damaged; nothing is lost by it",
            }),
        };
        let limit = next.filter(|next| next.is_exact).map(|next| next.base);
        let mut upcoming = self.upcoming(&mut place, segment, 0)?;
        // Where the next file begins this one ends, whatever stands behind.
        while limit.is_none_or(|limit| place.wanted.start < limit) {
            let batch = upcoming.filter(|(_, batch)| limit.is_none_or(|limit| batch.start < limit));
            let Some((offset, batch)) = batch else {
                self.rest(&mut place, segment, next)?;
                break;
            };
            self.up_to(&mut place, segment, offset, batch.start)?;
            place.wanted = Wanted {
                offset: offset.saturating_add(BATCH_HEADER as u64 + batch.payload),
                number: batch.number.saturating_add(1),
                start: batch.end(),
            };
            upcoming = self.upcoming(&mut place, segment, batch.payload)?;
            let is_proven = upcoming.is_some() || next.is_some() || segment.size < segment.capacity;
            if !self.batch(&mut place, segment, offset, &batch, is_proven)? {
                place.wanted.start = batch.start;
                break;
            }
            self.is_closed = batch.is_closing;
        }
        if let Some((_, batch)) = upcoming {
            self.proven(&mut place, segment, batch.start);
        }
        // A later process proves what it found. What it did not miss may never have been there.
        if let Some(next) = next.filter(|next| next.run == segment.run) {
            self.proven(&mut place, segment, next.base);
        }
        let end = place.wanted.start;
        self.position = Some(self.position.map_or(end, |position| position.max(end)));
        Ok(())
    }

    /// Compares the beginning of a file with the end of the one before; answers its first position.
    fn begin(&mut self, segment: &Segment, from: u64) -> u64 {
        let reached = self.position.unwrap_or(from.min(segment.base));
        if segment.size < segment.capacity {
            let what = format!("the file ends here, and should have {} bytes", segment.capacity);
            self.tell(&segment.name, segment.size, what, None);
        }
        if !segment.is_exact {
            return reached.min(segment.base);
        }
        let needed = reached.max(from);
        if segment.base > needed {
            let what = format!(
                "the file begins with position {}; records from position {needed} on are missing before it",
                segment.base
            );
            self.tell(&segment.name, 0, what, None);
        }
        segment.base
    }

    /// The next whole header of a batch. `payload` bytes of the batch before it are read with it.
    fn upcoming(
        &self,
        place: &mut Place,
        segment: &Segment,
        payload: u64,
    ) -> io::Result<Option<(u64, BatchHeader)>> {
        let wanted = place.wanted;
        let header = BATCH_HEADER as u64;
        let first = wanted.offset.saturating_sub(payload);
        let bytes = place.window.get(first, payload.saturating_add(header))?;
        let at = usize::try_from(payload).unwrap_or(usize::MAX);
        let near = bytes
            .get(at..)
            .and_then(|bytes| wanted.header(bytes, segment.number, wanted.offset));
        match near {
            Some(batch) => Ok(Some((wanted.offset, batch))),
            None => search(&mut place.probe, segment.number, wanted),
        }
    }

    /// Deals with what stands before a batch at `offset` that begins with `position`, if anything does.
    fn up_to(&mut self, place: &mut Place, segment: &Segment, offset: u64, position: u64) -> io::Result<()> {
        self.proven(place, segment, position);
        let Wanted {
            offset: first, start, ..
        } = place.wanted;
        if position > start {
            self.salvage(place, segment, offset, position)?;
        } else if offset > first {
            place.suspect.get_or_insert(Suspect {
                offset: first,
                position,
                what: "a batch without records is damaged; nothing is lost by it",
            });
        }
        Ok(())
    }

    /// Reports what was suspected, once a later position proves it.
    fn proven(&mut self, place: &mut Place, segment: &Segment, position: u64) {
        if let Some(suspect) = place.suspect.take_if(|suspect| position > suspect.position) {
            self.tell(&segment.name, suspect.offset, suspect.what.to_owned(), Some(0));
        }
    }

    /// Hands on a batch. `false` when it was cut short, and proven by nothing: then all of it is left out,
    /// so that what was appended as one piece comes back as one piece or not at all.
    fn batch(
        &mut self,
        place: &mut Place,
        segment: &Segment,
        offset: u64,
        batch: &BatchHeader,
        is_proven: bool,
    ) -> io::Result<bool> {
        if batch.payload == 0 || batch.end() <= self.sink.floor {
            return Ok(true);
        }
        let offset = offset + BATCH_HEADER as u64;
        let area = Area {
            bytes: place.window.get(offset, batch.payload)?,
            run: batch.run,
            file: &segment.name,
            offset,
        };
        if !is_proven && !area.is_whole_batch(batch.start, batch.payload) {
            self.torn_bytes += batch.payload;
            return Ok(false);
        }
        area.read_batch(batch.start, batch.payload, &mut self.sink);
        Ok(true)
    }

    /// No whole batch follows in this file. If another file does, its records prove that one should.
    fn rest(&mut self, place: &mut Place, segment: &Segment, next: Option<&Segment>) -> io::Result<()> {
        match next {
            Some(next) if next.is_exact && next.base > place.wanted.start => {
                self.salvage(place, segment, segment.size, next.base)?;
                place.wanted.start = next.base;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Hands on what can be read between the present place and `offset`, where the records up to `position`
    /// should be.
    fn salvage(
        &mut self,
        place: &mut Place,
        segment: &Segment,
        offset: u64,
        position: u64,
    ) -> io::Result<()> {
        let first = place.wanted.offset;
        let start = place.wanted.start.max(self.sink.floor);
        let area = Area {
            bytes: place.window.get(first, offset.saturating_sub(first))?,
            run: segment.run,
            file: &segment.name,
            offset: first,
        };
        // Of a file whose beginning is damaged only the place of a batch that was found is known.
        let is_known = segment.is_exact || place.wanted.number > 0;
        let begin = is_known.then_some(place.wanted.start);
        let found = area.salvage(start, position, begin, &mut self.sink);
        let wanted = position.saturating_sub(start);
        let lost = wanted.saturating_sub(found);
        let what = if lost == 0 {
            "the header of a batch is damaged; nothing is lost by it".to_owned()
        } else {
            format!("{lost} of {wanted} bytes of records, from position {start} on, are lost")
        };
        self.tell(&segment.name, first, what, (lost == 0).then_some(0));
        Ok(())
    }

    fn tell(&mut self, file: &str, offset: u64, what: String, messages_lost: Option<u64>) {
        (self.sink.report)(Damage {
            file: file.to_owned(),
            offset,
            what,
            messages_lost,
        });
    }
}

#[cfg(test)]
mod tests;
