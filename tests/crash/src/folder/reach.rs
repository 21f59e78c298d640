//! What damage may cost: the messages whose bytes it touches, and no others.
//!
//! ```text
//! log file header, batch header      nothing
//! record header                      the record: its messages, or what it settles, or what it changes
//! part of a message                  the message, and those of other queues that refer to its content
//! last batches of the log            all of them from the first on behind which no batch header is whole,
//!                                    and the one before if any byte of it is not; nobody can say that they
//!                                    were there, so nobody need say that they are lost
//! extent's header, footer, directory nothing
//! block header                       nothing, unless its row in the directory is touched too: its messages
//! entry, content                     the message
//! checkpoint, either file            nothing
//! lock, ballast                      nothing
//! file cut off                       what is not wholly there, in the same way
//! ```
//!
//! A message that stands in an extent needs the log no more, and one in the log no extent.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use super::checkpoint::overlap;
use super::extent::Extent;
use super::log::{LogFile, Record};
use super::{Copy, Folder};

/// What was done to a file.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    /// Relative to the data folder.
    pub(crate) file: String,
    /// The bytes that are not what they were, or not there any more.
    pub(crate) ranges: Vec<Range<u64>>,
    /// The file ends earlier.
    pub(crate) is_cut: bool,
}

impl Changed {
    fn hits(&self, range: &Range<u64>) -> bool {
        self.ranges.iter().any(|changed| overlap(changed, range))
    }

    /// Whether bytes are missing at the end of a range.
    fn cuts(&self, range: &Range<u64>) -> bool {
        self.is_cut && self.hits(range)
    }
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) at: u64,
    pub(crate) position: u64,
    pub(crate) bytes: u64,
}

/// What damage may cost at most. See the module.
#[derive(Default, Debug)]
pub(crate) struct Reach {
    /// Messages that were there and may be missing; those of the log with their records.
    pub(crate) missing: BTreeMap<Copy, Option<Place>>,
    /// Of these, those that nobody has to tell of.
    pub(crate) untold: BTreeSet<Copy>,
    /// Of these, those that stand in blocks which only the footer counts, and that is damaged too.
    pub(crate) uncounted: BTreeSet<Copy>,
    /// Messages in the damaged bytes that were settled or moved before: who cannot read them cannot know it.
    pub(crate) settled: u64,
    /// Of these, those of extents. Whoever serves queues never asks for them.
    pub(crate) settled_in_extents: u64,
    /// Bytes of records that are lost as a whole.
    pub(crate) record_bytes: u64,
    /// Messages that were settled and may come back.
    pub(crate) back: BTreeSet<Copy>,
    /// Records may be missing of which nobody has to tell.
    pub(crate) is_torn: bool,
    /// The catalog may be another.
    pub(crate) catalog: bool,
}

/// What is lost of the log, in the course of finding out.
#[derive(Default)]
struct Lost<'a> {
    /// As a whole, and whether it has to be told.
    records: Vec<(&'a Record, bool)>,
    /// Places of contents, that is: messages that cannot be read in records that can.
    contents: HashSet<u64>,
}

impl Folder {
    /// What a change of a file may cost.
    pub(crate) fn reach(&self, changed: &Changed) -> Reach {
        let mut reach = Reach::default();
        if let Some(file) = self.log.iter().find(|file| file.name == changed.file) {
            self.reach_in_log(file, changed, &mut reach);
        }
        if let Some(extent) = self.extents.iter().find(|extent| extent.name == changed.file) {
            self.reach_in_extent(extent, changed, &mut reach);
        }
        reach
    }

    fn reach_in_extent(&self, extent: &Extent, changed: &Changed, reach: &mut Reach) {
        for block in &extent.blocks {
            let is_gone = changed.hits(&block.header) && changed.hits(&block.row);
            for message in &block.messages {
                let is_hit = changed.hits(&message.entry) || changed.hits(&message.content);
                if !is_gone && !is_hit {
                    continue;
                }
                let is_here = self.extent_of(message.copy) == Some(extent.number);
                if is_here && self.live.contains(&message.copy) {
                    reach.missing.insert(message.copy, None);
                    if is_gone && changed.hits(&extent.footer) {
                        reach.uncounted.insert(message.copy);
                    }
                } else {
                    reach.settled += 1;
                    reach.settled_in_extents += 1;
                }
            }
        }
    }

    fn reach_in_log(&self, file: &LogFile, changed: &Changed, reach: &mut Reach) {
        let is_last = self.log.last().is_some_and(|last| last.name == file.name);
        let tail = if is_last { torn(file, changed) } else { u64::MAX };
        let mut lost = Lost::default();
        for record in &file.records {
            let all = record.at..record.at + record.bytes;
            let is_torn = record.at >= tail;
            if is_torn || changed.hits(&record.header()) || changed.cuts(&all) {
                // What is cut off shows by the file's length.
                let is_told = !is_torn || changed.is_cut;
                reach.is_torn |= !is_told;
                lost.records.push((record, is_told));
            } else {
                self.lose_parts(record, changed, &mut lost, reach);
            }
        }
        for (record, _) in &lost.records {
            reach.record_bytes += record.bytes;
            self.lose_facts(record, reach);
            let places = record
                .messages
                .iter()
                .map(|message| message.place(record.position));
            lost.contents.extend(places);
        }
        self.lose_messages(&lost, reach);
    }

    /// A record that is whole but for some parts.
    fn lose_parts<'a>(&self, record: &'a Record, changed: &Changed, lost: &mut Lost<'a>, reach: &mut Reach) {
        if !record.parts.iter().any(|part| changed.hits(part)) {
            return;
        }
        if record.messages.is_empty() {
            self.lose_facts(record, reach);
        }
        for message in &record.messages {
            let part = record.parts.get(usize::from(message.part));
            if part.is_some_and(|part| changed.hits(part)) {
                lost.contents.insert(message.place(record.position));
            }
        }
    }

    /// What a record said besides messages is not known any more.
    fn lose_facts(&self, record: &Record, reach: &mut Reach) {
        reach.catalog |= record.is_change() && record.position >= self.checkpoint.catalog_at;
        if record.position >= self.checkpoint.needed_from {
            let gone = record.gone.iter().cloned().flatten();
            let owner = record.owner;
            reach.back.extend(gone.map(|seq| Copy { owner, seq }));
        }
    }

    /// Messages of lost records, and those whose content is lost, wherever they are told of.
    fn lose_messages(&self, lost: &Lost<'_>, reach: &mut Reach) {
        let whole: HashSet<u64> = lost.records.iter().map(|(record, _)| record.position).collect();
        let torn = lost.records.iter().filter(|(_, is_told)| !is_told);
        let torn: HashSet<u64> = torn.map(|(record, _)| record.position).collect();
        let floor = self.checkpoint.needed_from;
        for file in &self.log {
            for record in file.records.iter().filter(|record| record.position >= floor) {
                for message in &record.messages {
                    let content = message.reference.unwrap_or(message.place(record.position));
                    let is_lost = whole.contains(&record.position)
                        || lost.contents.contains(&message.place(record.position))
                        || lost.contents.contains(&content);
                    if !is_lost {
                        continue;
                    }
                    let copy = message.copy(record);
                    if self.is_stored(copy) || !self.live.contains(&copy) {
                        reach.settled += 1;
                        continue;
                    }
                    let place = Place {
                        file: file.name.clone(),
                        at: record.at,
                        position: record.position,
                        bytes: record.bytes,
                    };
                    reach.missing.insert(copy, Some(place));
                    if torn.contains(&record.position) {
                        reach.untold.insert(copy);
                    }
                }
            }
        }
    }
}

/// From where on the last file of the log is taken for a write that was cut short.
fn torn(file: &LogFile, changed: &Changed) -> u64 {
    let is_whole = |batch: &&super::log::Batch| !changed.hits(&batch.header());
    let Some(last) = file.batches.iter().rev().find(is_whole) else {
        return 0;
    };
    // A file that is too short was longer: that proves its last batch.
    match !changed.is_cut && changed.hits(&last.records()) {
        true => last.at,
        false => last.records().end,
    }
}
