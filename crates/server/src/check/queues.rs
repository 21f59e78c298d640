//! What is left of the messages of a queue: which there are, not what is in them.
//!
//! ```text
//!   summary of the checkpoint ─► left ─► ENQUEUED, SETTLED, PURGED of the log, in order ─► left
//! ```
//!
//! It comes to what a start would come to, without holding the messages.

use std::collections::HashSet;

use warren_broker::queue::{Range, SeqSet, Summary};
use warren_store::{Part, Record};

use warren_node::storage::queue_record as kind;
use warren_node::storage::queue_record_flag::{LAST, REFERENCE, SHARED};

/// Where the flags stand behind a message's number. The content, or the place of the one that is referred to,
/// is next.
const FLAGS_AT: usize = 7;

/// The places of contents to which messages behind them may refer.
#[derive(Debug, Default)]
pub(super) struct Shared {
    whole: HashSet<u64>,
    damaged: HashSet<u64>,
    /// The log is needed, and read, from this position on.
    begin: u64,
}

/// Where the content of a message is.
enum Content {
    /// In the log.
    Here,
    /// Where the log is not needed any more: it is in an extent, or a record behind settles the message.
    Unneeded,
    /// It cannot be read.
    Lost,
    /// The same, and it was counted under the number that the message had while it was delayed.
    LostBefore,
}

/// Messages of a queue.
#[derive(Debug, Default)]
pub(super) struct Messages {
    left: SeqSet,
    /// Those below it that are left stand in extents.
    stored_up_to: u64,
    /// A number below it came before.
    next: u64,
    /// Known to be in the log and not to be read.
    lost: u64,
    /// What the log no longer holds, and a record behind has to settle.
    unneeded: SeqSet,
    /// Where the stored ones stand: numbers, and the extent.
    stretches: Vec<(Range, u64)>,
}

impl Messages {
    /// Begins with what a checkpoint says.
    pub(super) fn of(summary: &Summary) -> Self {
        let stretches = summary.durable.stretches();
        Self {
            left: summary.durable.live().clone(),
            stored_up_to: summary.durable.up_to(),
            next: summary.durable.up_to(),
            lost: 0,
            unneeded: SeqSet::default(),
            stretches: stretches
                .map(|stretch| (stretch.range(), stretch.extent))
                .collect(),
        }
    }

    /// Messages that are left.
    pub(super) fn left(&self) -> u64 {
        self.left.len()
    }

    /// How many of them stand in extents.
    pub(super) fn stored(&self) -> u64 {
        match self.stored_up_to.checked_sub(1) {
            Some(last) => self.left.count(Range { first: 0, last }),
            None => 0,
        }
    }

    /// Messages of the log that cannot be read.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Messages that are not settled, and whose content the log no longer holds.
    pub(super) fn gone(&self) -> u64 {
        self.unneeded.len()
    }

    /// The extents that it needs, and how many of the messages that are left stand there.
    pub(super) fn needed(&self) -> impl Iterator<Item = (u64, u64)> {
        let counted = self.stretches.iter();
        let counted = counted.map(|(range, extent)| (*extent, self.left.count(*range)));
        counted.filter(|(_, left)| *left > 0)
    }

    /// Goes on with a record of the log. `false`: a part of it makes no sense, though its checksum is right.
    pub(super) fn read(&mut self, record: &Record<'_>, shared: &mut Shared) -> bool {
        let mut is_understood = true;
        match record.kind {
            // The first part is the time.
            kind::ENQUEUED => {
                for (at, part) in record.parts.iter().enumerate().skip(1) {
                    let place = record.position.0 << 16 | at as u64;
                    let (seq, content) = match part {
                        Part::Damaged => (0, Content::Lost),
                        Part::Whole(bytes) => match number(bytes) {
                            Some((seq, rest)) => (seq, shared.content(rest, place)),
                            None => {
                                is_understood = false;
                                continue;
                            }
                        },
                    };
                    match content {
                        Content::Here => self.came(seq),
                        Content::Lost => {
                            shared.damaged.insert(place);
                            self.lost += 1;
                        }
                        Content::Unneeded if seq >= self.next => self.unneeded.insert(seq),
                        Content::Unneeded | Content::LostBefore => {}
                    }
                }
            }
            kind::SETTLED | kind::PURGED => {
                for part in &record.parts {
                    if let Part::Whole(bytes) = part {
                        let gone = match record.kind {
                            kind::PURGED => purged(bytes),
                            // The octets of their bodies stand behind them.
                            _ => ranges(bytes, 8),
                        };
                        is_understood &= gone.is_some();
                        for range in gone.unwrap_or_default() {
                            self.left.remove_range(range);
                            self.unneeded.remove_range(range);
                        }
                    }
                }
            }
            kind::RETURNED | kind::RESERVED | kind::SEEN => {}
            _ => is_understood = false,
        }
        is_understood
    }

    fn came(&mut self, seq: u64) {
        if seq >= self.next {
            self.left.insert(seq);
            self.next = seq.saturating_add(1);
        }
    }
}

impl Shared {
    /// Of a log that is needed from a position on.
    pub(super) fn from(begin: u64) -> Self {
        Self {
            begin,
            ..Self::default()
        }
    }

    /// Where the content of the message at this place is. `rest` is what follows its number.
    fn content(&mut self, rest: &[u8], place: u64) -> Content {
        let flags = rest.get(FLAGS_AT).copied().unwrap_or(0);
        if flags & REFERENCE == 0 {
            if flags & SHARED != 0 {
                self.whole.insert(place);
            }
            return Content::Here;
        }
        match rest.get(FLAGS_AT + 1..).and_then(number) {
            Some((of, _)) if self.whole.contains(&of) => Content::Here,
            Some((of, _)) if of >> 16 < self.begin => Content::Unneeded,
            Some((of, _)) if flags & LAST != 0 && self.damaged.contains(&of) => Content::LostBefore,
            _ => Content::Lost,
        }
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), rest))
}

/// Ranges, behind each of which so many bytes stand that are passed over.
fn ranges(mut bytes: &[u8], passed: usize) -> Option<Vec<Range>> {
    let mut ranges = Vec::new();
    while !bytes.is_empty() {
        let (first, rest) = number(bytes)?;
        let (last, rest) = number(rest)?;
        if first > last {
            return None;
        }
        ranges.push(Range { first, last });
        bytes = rest.get(passed..)?;
    }
    Some(ranges)
}

/// What goes by a purge: everything up to a number but the ranges that stay.
fn purged(bytes: &[u8]) -> Option<Vec<Range>> {
    let (up_to, rest) = number(bytes)?;
    // What stays has so many octets.
    let (_, rest) = number(rest)?;
    let mut gone = Vec::new();
    let mut first = 0u64;
    for kept in ranges(rest, 0)? {
        if let Some(last) = kept.first.checked_sub(1)
            && first <= last
        {
            gone.push(Range { first, last });
        }
        first = kept.last.saturating_add(1);
    }
    if first <= up_to {
        gone.push(Range { first, last: up_to });
    }
    Some(gone)
}
