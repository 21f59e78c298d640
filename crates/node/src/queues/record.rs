//! Facts of queues as records of the log, and back.
//!
//! ```text
//!   ENQUEUED   part 0: time u64 (0: not kept)
//!              parts 1..: seq u64, properties u32, exchange u8, key u8, priority u8, flags u8, content
//!                         or, with REFERENCE: place u64 of the content in an earlier record
//!   SETTLED, RETURNED   one part: pairs of first u64, last u64
//!   PURGED     one part: up to u64, then pairs of ranges that stay
//!   RESERVED   one part: u64, below which numbers may have been given out
//! ```
//! All numbers are little-endian. A body that goes to several queues is written once: the first record
//! says that it is SHARED, the others name its place, which is `position of the record << 16 | part`.

use hashbrown::HashMap;
use warren_broker::message::{Envelope, LogPlace, Message, Origin};
use warren_broker::queue::{Fact, Range};
use warren_broker::route::QueueId;
use warren_store::{Appender, Part, Position, Record};

/// Kinds of queue records.
pub mod kind {
    /// Messages came.
    pub const ENQUEUED: u8 = 1;
    /// Messages are done with.
    pub const SETTLED: u8 = 2;
    /// Messages came back.
    pub const RETURNED: u8 = 3;
    /// What was ready is gone.
    pub const PURGED: u8 = 4;
    /// Numbers are reserved.
    pub const RESERVED: u8 = 5;
}

/// The body may be referred to by records that follow.
const SHARED: u8 = 1;
/// Instead of the content stands its place.
const REFERENCE: u8 = 2;

/// Messages in one record; part numbers have 16 bits.
const MESSAGES_MAX: usize = 4096;

const MESSAGE_HEAD_BYTES: usize = 16;

/// Writes the durable ones among `facts`. Bodies logged before `floor` are not referred to.
pub(super) fn write(out: &mut Appender<'_>, queue: QueueId, facts: &[Fact], floor: Position) {
    let mut rest = facts;
    while let Some(first) = rest.first() {
        let same = |fact: &&Fact| std::mem::discriminant(*fact) == std::mem::discriminant(first);
        let count = rest.iter().take_while(same).count();
        let (run, after) = rest.split_at(count);
        rest = after;
        match first {
            Fact::Enqueued { .. } => enqueued(out, queue, run, floor),
            Fact::Settled { .. } => ranges(out, queue, kind::SETTLED, run),
            Fact::Returned { .. } => ranges(out, queue, kind::RETURNED, run),
            Fact::Purged { .. } => run.iter().for_each(|fact| purged(out, queue, fact)),
        }
    }
}

/// Writes that numbers below `up_to` may be given out.
pub(super) fn write_reserved(out: &mut Appender<'_>, queue: QueueId, up_to: u64) {
    out.begin(queue.0, kind::RESERVED);
    out.part(|bytes| bytes.extend_from_slice(&up_to.to_le_bytes()));
    out.end();
}

fn enqueued(out: &mut Appender<'_>, queue: QueueId, run: &[Fact], floor: Position) {
    let messages = run.iter().filter_map(|fact| match fact {
        Fact::Enqueued { seq, message } if fact.is_durable() => Some((*seq, message)),
        _ => None,
    });
    let mut in_record = 0;
    let mut record = Position::default();
    for (seq, message) in messages {
        if in_record == 0 {
            record = out.position();
            out.begin(queue.0, kind::ENQUEUED);
            out.part(|bytes| bytes.extend_from_slice(&0u64.to_le_bytes()));
        }
        in_record += 1;
        // At most MESSAGES_MAX, so that it fits.
        let place = record.0 << 16 | in_record as u64;
        out.part(|bytes| write_message(bytes, seq, message, place, floor));
        if in_record == MESSAGES_MAX {
            out.end();
            in_record = 0;
        }
    }
    if in_record > 0 {
        out.end();
    }
}

fn write_message(bytes: &mut Vec<u8>, seq: u64, message: &Message, place: u64, floor: Position) {
    let (flags, reference) = match message.log_place() {
        LogPlace::Unshared => (0, None),
        LogPlace::At(earlier) if earlier >> 16 >= floor.0 => (REFERENCE, Some(earlier)),
        LogPlace::At(_) => (0, None),
        LogPlace::Unlogged => {
            message.set_log_place(place);
            (SHARED, None)
        }
    };
    let envelope = message.envelope();
    bytes.extend_from_slice(&seq.to_le_bytes());
    bytes.extend_from_slice(&envelope.properties_bytes.to_le_bytes());
    bytes.extend_from_slice(&[
        envelope.exchange_bytes,
        envelope.key_bytes,
        envelope.priority,
        flags,
    ]);
    match reference {
        Some(earlier) => bytes.extend_from_slice(&earlier.to_le_bytes()),
        None => bytes.extend_from_slice(message.content()),
    }
}

fn ranges(out: &mut Appender<'_>, queue: QueueId, kind: u8, run: &[Fact]) {
    if !run.iter().any(Fact::is_durable) {
        return;
    }
    out.begin(queue.0, kind);
    out.part(|bytes| {
        for fact in run.iter().filter(|fact| fact.is_durable()) {
            if let Fact::Settled { range, .. } | Fact::Returned { range, .. } = fact {
                put_range(bytes, *range);
            }
        }
    });
    out.end();
}

fn purged(out: &mut Appender<'_>, queue: QueueId, fact: &Fact) {
    let Fact::Purged { up_to, except } = fact else {
        return;
    };
    out.begin(queue.0, kind::PURGED);
    out.part(|bytes| {
        bytes.extend_from_slice(&up_to.to_le_bytes());
        except.iter().for_each(|range| put_range(bytes, *range));
    });
    out.end();
}

fn put_range(bytes: &mut Vec<u8>, range: Range) {
    bytes.extend_from_slice(&range.first.to_le_bytes());
    bytes.extend_from_slice(&range.last.to_le_bytes());
}

/// What a record of a queue says.
#[derive(Debug)]
pub(crate) enum Said {
    /// A fact.
    Fact(Fact),
    /// Numbers below may have been given out.
    Reserved(u64),
    /// A message that was in the record and cannot be read.
    LostMessage,
    /// Something else that cannot be read.
    Unreadable,
}

/// Reads records of queues, in the order of the log. Remembers the bodies to which later ones refer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    shared: HashMap<u64, Message>,
}

impl Reader {
    /// Reads one record.
    pub(crate) fn read(&mut self, record: &Record<'_>, say: &mut dyn FnMut(Said)) {
        let whole = |part: &Part<'_>| matches!(part, Part::Whole(_));
        match record.kind {
            kind::ENQUEUED => {
                for (at, part) in record.parts.iter().enumerate().skip(1) {
                    let place = record.position.0 << 16 | at as u64;
                    let read = match part {
                        Part::Whole(bytes) => self.message(bytes, place),
                        Part::Damaged => None,
                    };
                    say(read.map_or(Said::LostMessage, |(seq, message)| {
                        Said::Fact(Fact::Enqueued { seq, message })
                    }));
                }
            }
            _ if !record.parts.iter().all(whole) => say(Said::Unreadable),
            _ => {
                let Some(Part::Whole(bytes)) = record.parts.first() else {
                    return say(Said::Unreadable);
                };
                read_other(record.kind, bytes, say);
            }
        }
    }

    fn message(&mut self, bytes: &[u8], place: u64) -> Option<(u64, Message)> {
        let (head, content) = bytes.split_at_checked(MESSAGE_HEAD_BYTES)?;
        let (seq, lengths) = head.split_at_checked(8)?;
        let seq = u64::from_le_bytes(seq.try_into().ok()?);
        let (properties, small) = lengths.split_at_checked(4)?;
        let &[exchange_bytes, key_bytes, priority, flags] = small else {
            return None;
        };
        if flags & REFERENCE != 0 {
            let earlier = u64::from_le_bytes(content.try_into().ok()?);
            return Some((seq, self.shared.get(&earlier)?.clone()));
        }
        let properties_bytes = u32::from_le_bytes(properties.try_into().ok()?);
        let message = restore(
            properties_bytes,
            exchange_bytes,
            key_bytes,
            priority,
            true,
            content,
        )?;
        if flags & SHARED != 0 {
            self.shared.insert(place, message.clone());
        }
        Some((seq, message))
    }
}

/// A message of what was kept of it.
pub(crate) fn restore(
    properties_bytes: u32,
    exchange_bytes: u8,
    key_bytes: u8,
    priority: u8,
    persistent: bool,
    content: &[u8],
) -> Option<Message> {
    let before = usize::from(exchange_bytes) + usize::from(key_bytes) + properties_bytes as usize;
    let envelope = Envelope {
        body_bytes: u32::try_from(content.len().checked_sub(before)?).ok()?,
        properties_bytes,
        exchange_bytes,
        key_bytes,
        priority,
        persistent,
        origin: Origin::Amqp091,
    };
    Message::restore(envelope, content)
}

fn read_other(kind: u8, bytes: &[u8], say: &mut dyn FnMut(Said)) {
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok();
    match kind {
        kind::SETTLED | kind::RETURNED => {
            let persistent = true;
            let Some(ranges) = read_ranges(bytes) else {
                return say(Said::Unreadable);
            };
            for range in ranges {
                say(Said::Fact(match kind {
                    kind::SETTLED => Fact::Settled { range, persistent },
                    _ => Fact::Returned { range, persistent },
                }));
            }
        }
        kind::PURGED => {
            let parts = bytes.split_at_checked(8);
            let read = parts.and_then(|(up_to, rest)| Some((number(up_to)?, read_ranges(rest)?)));
            say(read.map_or(Said::Unreadable, |(up_to, except)| {
                Said::Fact(Fact::Purged { up_to, except })
            }));
        }
        kind::RESERVED => say(number(bytes).map_or(Said::Unreadable, Said::Reserved)),
        _ => say(Said::Unreadable),
    }
}

/// Pairs of numbers, each a range.
fn read_ranges(bytes: &[u8]) -> Option<Vec<Range>> {
    let pairs = bytes.chunks(16).map(|pair| {
        let (first, last) = pair.split_at_checked(8)?;
        let first = u64::from_le_bytes(first.try_into().ok()?);
        let last = u64::from_le_bytes(last.try_into().ok()?);
        (first <= last).then_some(Range { first, last })
    });
    pairs.collect()
}
