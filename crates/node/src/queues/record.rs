//! Facts of queues as records of the log, and back.
//!
//! ```text
//!   ENQUEUED   part 0: time u64, when the messages were published (ms since 1970; 0: not known)
//!              parts 1..: seq u64, properties u32, exchange u8, key u8, priority u8, flags u8
//!                         (DUE: it was delayed and is due; PRIORITY: it was published with one) then
//!                         with TIMED: time u64, of this message; content; with ANNOTATED: annotations
//!                         or, with REFERENCE: place u64 of all that in an earlier record, to which no
//!                         later one refers with LAST
//!   SETTLED    one part: of each range first u64, last u64, octets of their bodies u64
//!   RETURNED   one part: of each range first u64, last u64, failures u16, rests until u64 (ms; 0: not),
//!                        octets of each body u32 (0, if they do not rest)
//!   PURGED     one part: up to u64, octets of what stays u64, then the ranges that stay
//!   SEEN       one part: of each key u128, until when it is remembered u64 (ms; 0: until it makes room)
//!   RESERVED   one part: u64, below which numbers may have been given out
//! ```
//! All numbers are little-endian. A body that goes to several queues, or waits in one until it is due, is
//! written once: the first record says that it is SHARED, the others name its place, which is
//! `position of the record << 16 | part`.

use hashbrown::{HashMap, HashSet};
use warren_broker::message::{Envelope, LogPlace, Message, Origin, Tags, annotations};
use warren_broker::queue::{Fact, Key, Range};
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
    /// Keys came.
    pub const SEEN: u8 = 6;
}

/// Flags of a message by which others know where its content is.
pub mod flag {
    /// The body may be referred to by records that follow.
    pub const SHARED: u8 = 1;
    /// Instead of the content stands its place.
    pub const REFERENCE: u8 = 2;
    /// No later record refers to the same place.
    pub const LAST: u8 = 64;
}

use flag::{LAST, REFERENCE, SHARED};

/// The message was published at another time than the record says.
const TIMED: u8 = 4;
/// Behind the content stand annotations.
const ANNOTATED: u8 = 8;
/// The message was delayed, and is due.
const DUE: u8 = 16;
/// The message was published with a priority.
const PRIORITY: u8 = 32;

/// Messages in one record; part numbers have 16 bits.
const MESSAGES_MAX: usize = 4096;

/// Beside a place, in memory alone: it is referred to once, by the queue that logged it.
const ONCE: u64 = 1 << 15;
const _: () = assert!((MESSAGES_MAX as u64) < ONCE, "no part has a number with that bit");

const MESSAGE_HEAD_BYTES: usize = 16;

/// Writes the durable ones among `facts`. Bodies that another queue may have logged before `floor` are not
/// referred to. Answers from where on the log is needed for what is referred to, if anything is.
pub(super) fn write(
    out: &mut Appender<'_>,
    queue: QueueId,
    facts: &[Fact],
    floor: Position,
) -> Option<Position> {
    let mut needed = None;
    let mut rest = facts;
    while let Some(first) = rest.first() {
        let same = |fact: &&Fact| std::mem::discriminant(*fact) == std::mem::discriminant(first);
        let count = rest.iter().take_while(same).count();
        let (run, after) = rest.split_at(count);
        rest = after;
        match first {
            Fact::Enqueued { .. } => {
                let from = enqueued(out, queue, run, floor);
                needed = needed.into_iter().chain(from).min();
            }
            Fact::Settled { .. } => each(out, queue, kind::SETTLED, run, put_settled),
            Fact::Returned { .. } => each(out, queue, kind::RETURNED, run, put_returned),
            Fact::Seen { .. } => each(out, queue, kind::SEEN, run, put_seen),
            Fact::Purged { .. } => run.iter().for_each(|fact| purged(out, queue, fact)),
        }
    }
    needed
}

/// Writes that numbers below `up_to` may be given out.
pub(super) fn write_reserved(out: &mut Appender<'_>, queue: QueueId, up_to: u64) {
    out.begin(queue.0, kind::RESERVED);
    out.part(|bytes| bytes.extend_from_slice(&up_to.to_le_bytes()));
    out.end();
}

fn enqueued(out: &mut Appender<'_>, queue: QueueId, run: &[Fact], floor: Position) -> Option<Position> {
    let mut needed = None;
    let messages = run.iter().filter_map(|fact| match fact {
        Fact::Enqueued { seq, message, is_due } if fact.is_durable() => Some((*seq, message, *is_due)),
        _ => None,
    });
    let mut in_record = 0;
    let mut record = Position::default();
    let mut time_ms = 0;
    for (seq, message, is_due) in messages {
        if in_record == 0 {
            record = out.position();
            // A batch was published at one time, but for what comes back from elsewhere.
            time_ms = message.published_ms();
            out.begin(queue.0, kind::ENQUEUED);
            out.part(|bytes| bytes.extend_from_slice(&time_ms.to_le_bytes()));
        }
        in_record += 1;
        let place = Place {
            own: place_of(record, in_record),
            floor,
            time_ms,
            is_due,
        };
        out.part(|bytes| {
            if let Some(earlier) = write_message(bytes, seq, message, &place) {
                needed = needed.into_iter().chain([Position(earlier >> 16)]).min();
            }
        });
        if in_record == MESSAGES_MAX {
            out.end();
            in_record = 0;
        }
    }
    if in_record > 0 {
        out.end();
    }
    needed
}

/// The place of a record's part, to be referred to. `None` where the log is so long that it is not to be said
/// in 64 bits: there every body is written anew.
fn place_of(record: Position, part: usize) -> Option<u64> {
    // At most MESSAGES_MAX.
    let part = part as u64;
    (record.0 >> 48 == 0).then_some(record.0 << 16 | part)
}

/// Where a message is written.
struct Place {
    /// For others to refer to.
    own: Option<u64>,
    /// Bodies that another queue may have logged before are not referred to.
    floor: Position,
    /// The record's time.
    time_ms: u64,
    is_due: bool,
}

/// Answers the place that is referred to, if one is.
fn write_message(bytes: &mut Vec<u8>, seq: u64, message: &Message, place: &Place) -> Option<u64> {
    let (mut flags, reference) = match message.log_place() {
        LogPlace::Unshared => (0, None),
        LogPlace::Unlogged { is_once } => match place.own {
            Some(own) => {
                message.set_log_place(if is_once { own | ONCE } else { own });
                (SHARED, None)
            }
            None => (0, None),
        },
        LogPlace::At(noted) => {
            let (earlier, is_once) = (noted & !ONCE, noted & ONCE != 0);
            match is_once {
                // This queue logged it, and kept the log for it since then.
                true => (REFERENCE | LAST, Some(earlier)),
                false if earlier >> 16 >= place.floor.0 => (REFERENCE, Some(earlier)),
                false => (0, None),
            }
        }
    };
    if reference.is_none() {
        if message.published_ms() != place.time_ms {
            flags |= TIMED;
        }
        if message.is_annotated() {
            flags |= ANNOTATED;
        }
    }
    let envelope = message.envelope();
    flags |= if place.is_due { DUE } else { 0 };
    flags |= if envelope.has_priority { PRIORITY } else { 0 };
    bytes.extend_from_slice(&seq.to_le_bytes());
    bytes.extend_from_slice(&envelope.properties_bytes.to_le_bytes());
    bytes.extend_from_slice(&[
        envelope.exchange_bytes,
        envelope.key_bytes,
        envelope.priority,
        flags,
    ]);
    if flags & TIMED != 0 {
        bytes.extend_from_slice(&message.published_ms().to_le_bytes());
    }
    match reference {
        Some(earlier) => bytes.extend_from_slice(&earlier.to_le_bytes()),
        None => bytes.extend_from_slice(message.stored()),
    }
    reference
}

/// Writes the durable ones of facts that are ranges.
fn each(out: &mut Appender<'_>, queue: QueueId, kind: u8, run: &[Fact], put: impl Fn(&mut Vec<u8>, &Fact)) {
    if !run.iter().any(Fact::is_durable) {
        return;
    }
    out.begin(queue.0, kind);
    out.part(|bytes| {
        let durable = run.iter().filter(|fact| fact.is_durable());
        durable.for_each(|fact| put(bytes, fact));
    });
    out.end();
}

fn put_settled(bytes: &mut Vec<u8>, fact: &Fact) {
    if let Fact::Settled { range, octets, .. } = fact {
        put_range(bytes, *range);
        bytes.extend_from_slice(&octets.to_le_bytes());
    }
}

fn put_seen(bytes: &mut Vec<u8>, fact: &Fact) {
    if let Fact::Seen { key, until_ms, .. } = fact {
        bytes.extend_from_slice(&key.to_le_bytes());
        bytes.extend_from_slice(&until_ms.to_le_bytes());
    }
}

fn put_returned(bytes: &mut Vec<u8>, fact: &Fact) {
    if let Fact::Returned {
        range,
        failures,
        until_ms,
        octets,
        ..
    } = fact
    {
        put_range(bytes, *range);
        bytes.extend_from_slice(&failures.to_le_bytes());
        bytes.extend_from_slice(&until_ms.to_le_bytes());
        bytes.extend_from_slice(&octets.to_le_bytes());
    }
}

fn purged(out: &mut Appender<'_>, queue: QueueId, fact: &Fact) {
    let Fact::Purged {
        up_to,
        except,
        kept_persistent,
        ..
    } = fact
    else {
        return;
    };
    out.begin(queue.0, kind::PURGED);
    out.part(|bytes| {
        bytes.extend_from_slice(&up_to.to_le_bytes());
        bytes.extend_from_slice(&kept_persistent.to_le_bytes());
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
    /// A message, by its number, whose content stood where the log is not needed any more: it is in an
    /// extent, or a record behind settles it.
    Unneeded(u64),
    /// A message of which it was said before, under another number, that it cannot be read.
    LostBefore,
    /// Something else that cannot be read.
    Unreadable,
}

/// Reads records of queues, in the order of the log. Remembers the bodies to which later ones refer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    shared: HashMap<u64, Message>,
    /// Where something stood that cannot be read.
    damaged: HashSet<u64>,
    begin: Position,
}

impl Reader {
    /// The log is needed, and read, from here on.
    pub(crate) fn begin_at(&mut self, begin: Position) {
        self.begin = begin;
    }

    /// Reads one record.
    pub(crate) fn read(&mut self, record: &Record<'_>, say: &mut dyn FnMut(Said)) {
        let whole = |part: &Part<'_>| matches!(part, Part::Whole(_));
        match record.kind {
            kind::ENQUEUED => {
                let time_ms = match record.parts.first() {
                    Some(Part::Whole(bytes)) => number(bytes).unwrap_or(0),
                    // When they were published is lost, they are not.
                    _ => 0,
                };
                for (at, part) in record.parts.iter().enumerate().skip(1) {
                    let place = place_of(record.position, at);
                    let read = match part {
                        Part::Whole(bytes) => self.message(bytes, place, time_ms),
                        Part::Damaged => None,
                    };
                    if read.is_none() {
                        self.damaged.extend(place);
                    }
                    say(read.unwrap_or(Said::LostMessage));
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

    fn message(&mut self, bytes: &[u8], place: Option<u64>, time_ms: u64) -> Option<Said> {
        let (head, mut content) = bytes.split_at_checked(MESSAGE_HEAD_BYTES)?;
        let (seq, lengths) = head.split_at_checked(8)?;
        let seq = number(seq)?;
        let (properties, small) = lengths.split_at_checked(4)?;
        let &[exchange_bytes, key_bytes, priority, flags] = small else {
            return None;
        };
        let is_due = flags & DUE != 0;
        if flags & REFERENCE != 0 {
            let place = number(content)?;
            let is_last = flags & LAST != 0;
            let found = match is_last {
                true => self.shared.remove(&place),
                false => self.shared.get(&place).cloned(),
            };
            return match found {
                Some(message) => Some(Said::Fact(Fact::Enqueued { seq, message, is_due })),
                None if place >> 16 < self.begin.0 => Some(Said::Unneeded(seq)),
                None if is_last && self.damaged.contains(&place) => Some(Said::LostBefore),
                None => None,
            };
        }
        let mut published_ms = time_ms;
        if flags & TIMED != 0 {
            let (time, behind) = content.split_at_checked(8)?;
            (published_ms, content) = (number(time)?, behind);
        }
        let kept = Kept {
            published_ms,
            properties_bytes: u32::from_le_bytes(properties.try_into().ok()?),
            exchange_bytes,
            key_bytes,
            priority,
            has_priority: flags & PRIORITY != 0,
            persistent: true,
            is_annotated: flags & ANNOTATED != 0,
        };
        let message = kept.restore(content)?;
        if flags & SHARED != 0
            && let Some(place) = place
        {
            self.shared.insert(place, message.clone());
        }
        Some(Said::Fact(Fact::Enqueued { seq, message, is_due }))
    }
}

/// What was kept of a message beside its bytes.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) published_ms: u64,
    pub(crate) properties_bytes: u32,
    pub(crate) exchange_bytes: u8,
    pub(crate) key_bytes: u8,
    pub(crate) priority: u8,
    pub(crate) has_priority: bool,
    pub(crate) persistent: bool,
    pub(crate) is_annotated: bool,
}

impl Kept {
    /// The message. `None` when the lengths do not fit.
    pub(crate) fn restore(&self, stored: &[u8]) -> Option<Message> {
        let names = usize::from(self.exchange_bytes) + usize::from(self.key_bytes);
        let tail = if self.is_annotated {
            annotations::tail_bytes(stored)?
        } else {
            0
        };
        let beside = names + self.properties_bytes as usize + tail;
        let envelope = Envelope {
            published_ms: self.published_ms,
            body_bytes: u32::try_from(stored.len().checked_sub(beside)?).ok()?,
            properties_bytes: self.properties_bytes,
            exchange_bytes: self.exchange_bytes,
            key_bytes: self.key_bytes,
            priority: self.priority,
            has_priority: self.has_priority,
            persistent: self.persistent,
            origin: Origin::Amqp091,
            noted: Tags::default(),
        };
        Message::restore(envelope, stored)
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().map(u64::from_le_bytes).ok()
}

fn read_other(kind: u8, bytes: &[u8], say: &mut dyn FnMut(Said)) {
    let facts = match kind {
        kind::SETTLED => read_each(bytes, 24, read_settled),
        kind::RETURNED => read_each(bytes, 30, read_returned),
        kind::SEEN => read_each(bytes, 24, read_seen),
        kind::PURGED => read_purged(bytes).map(|fact| vec![fact]),
        kind::RESERVED => return say(number(bytes).map_or(Said::Unreadable, Said::Reserved)),
        _ => None,
    };
    match facts {
        Some(facts) => facts.into_iter().for_each(|fact| say(Said::Fact(fact))),
        None => say(Said::Unreadable),
    }
}

/// Entries of one length.
fn read_each<T>(bytes: &[u8], length: usize, read: impl Fn(&[u8]) -> Option<T>) -> Option<Vec<T>> {
    bytes.chunks(length).map(read).collect()
}

fn read_settled(bytes: &[u8]) -> Option<Fact> {
    let (range, octets) = bytes.split_at_checked(16)?;
    Some(Fact::Settled {
        range: read_range(range)?,
        persistent: true,
        octets: number(octets)?,
    })
}

fn read_returned(bytes: &[u8]) -> Option<Fact> {
    let (range, rest) = bytes.split_at_checked(16)?;
    let (failures, rest) = rest.split_at_checked(2)?;
    let (until, octets) = rest.split_at_checked(8)?;
    Some(Fact::Returned {
        range: read_range(range)?,
        persistent: true,
        failures: u16::from_le_bytes(failures.try_into().ok()?),
        until_ms: number(until)?,
        octets: u32::from_le_bytes(octets.try_into().ok()?),
    })
}

fn read_seen(bytes: &[u8]) -> Option<Fact> {
    let (key, until) = bytes.split_first_chunk()?;
    Some(Fact::Seen {
        key: Key::from_le_bytes(*key),
        until_ms: number(until)?,
        persistent: true,
    })
}

fn read_purged(bytes: &[u8]) -> Option<Fact> {
    let (up_to, rest) = bytes.split_at_checked(8)?;
    let (kept, ranges) = rest.split_at_checked(8)?;
    let kept_octets = number(kept)?;
    Some(Fact::Purged {
        up_to: number(up_to)?,
        except: read_each(ranges, 16, read_range)?,
        kept_octets,
        kept_persistent: kept_octets,
    })
}

fn read_range(bytes: &[u8]) -> Option<Range> {
    let (first, last) = bytes.split_at_checked(8)?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(Range { first, last })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use warren_broker::message::{AnnotationsWriter, Parts};

    /// Messages of which some share a body, some a time, and some are annotated.
    fn message(time_ms: u64, ttl_ms: Option<u64>, body: &[u8], is_shared: bool) -> Message {
        let mut noted = AnnotationsWriter::default();
        if let Some(ttl_ms) = ttl_ms {
            noted.ttl_ms(ttl_ms);
        }
        let parts = Parts {
            exchange: "x",
            key: "key",
            properties: &[0, 0],
            body,
            persistent: true,
            priority: Some(3),
            published_ms: time_ms,
            annotations: noted.bytes(),
        };
        let message = Message::of(&parts).unwrap();
        if is_shared {
            message.expect_queues(2);
        }
        message
    }

    fn place(own: u64) -> Place {
        Place {
            own: Some(own),
            floor: Position::default(),
            time_ms: 7,
            is_due: false,
        }
    }

    /// The number and the message of what was read.
    fn read(reader: &mut Reader, bytes: &[u8], place: u64, time_ms: u64) -> Option<(u64, Message)> {
        match reader.message(bytes, Some(place), time_ms)? {
            Said::Fact(Fact::Enqueued { seq, message, .. }) => Some((seq, message)),
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn messages_come_back_from_the_log(
            wanted in prop::collection::vec(
                (6..9_u64, any::<Option<u64>>(), prop::collection::vec(any::<u8>(), 0..40), any::<bool>()),
                1..20,
            ),
        ) {
            let mut reader = Reader::default();
            for (at, (time_ms, ttl_ms, body, is_shared)) in wanted.iter().enumerate() {
                let message = message(*time_ms, *ttl_ms, body, *is_shared);
                for seq in [at as u64, 1000 + at as u64] {
                    let own = place(seq << 16);
                    let mut bytes = Vec::new();
                    write_message(&mut bytes, seq, &message, &own);
                    let (read_seq, found) = read(&mut reader, &bytes, seq << 16, own.time_ms).unwrap();
                    prop_assert_eq!(read_seq, seq);
                    prop_assert_eq!(found.envelope(), message.envelope());
                    prop_assert_eq!(found.stored(), message.stored());
                    // What is cut short is nothing, or shorter: it is never made up.
                    for cut in 0..bytes.len() {
                        let cut = read(&mut Reader::default(), &bytes[..cut], seq << 16, own.time_ms);
                        prop_assert!(cut.is_none_or(|(_, cut)| cut.stored().len() < found.stored().len()));
                    }
                }
            }
        }
    }

    /// Two messages as they are logged twice, by a queue that delays one of them.
    #[test]
    fn what_is_due_is_referred_to_once() {
        let mut noted = AnnotationsWriter::default();
        noted.due_ms(9);
        let parts = Parts {
            body: b"later",
            persistent: true,
            published_ms: 7,
            annotations: noted.bytes(),
            ..Parts::default()
        };
        let delayed = Message::of(&parts).unwrap();
        delayed.expect_queues(1);
        let shared = message(7, None, b"shared", true);
        let mut reader = Reader::default();
        for (message, stays) in [(&delayed, 0), (&shared, 1)] {
            let mut bytes = Vec::new();
            assert_eq!(write_message(&mut bytes, 1, message, &place(50 << 16)), None);
            read(&mut reader, &bytes, 50 << 16, 7).unwrap();
            bytes.clear();
            let again = place(90 << 16);
            assert_eq!(write_message(&mut bytes, 2, message, &again), Some(50 << 16));
            let (seq, found) = read(&mut reader, &bytes, 90 << 16, 7).unwrap();
            assert_eq!((seq, found.stored()), (2, message.stored()));
            assert_eq!(reader.shared.len(), stays);
            // Where the log begins later, nobody needs it.
            for (begin, is_lost) in [(50, true), (51, false)] {
                let mut reader = Reader::default();
                reader.begin_at(Position(begin));
                let said = reader.message(&bytes, Some(90 << 16), 7);
                assert_eq!(said.is_none(), is_lost);
                assert!(said.is_none_or(|said| matches!(said, Said::Unneeded(2))));
            }
            // What was delayed alone is the same message under another number.
            let mut reader = Reader::default();
            reader.damaged.insert(50 << 16);
            let said = reader.message(&bytes, Some(90 << 16), 7);
            assert_eq!(matches!(said, Some(Said::LostBefore)), stays == 0);
            // Another queue may have logged it before what checkpoints need.
            let behind = Place {
                floor: Position(51),
                ..again
            };
            bytes.clear();
            let referred = write_message(&mut bytes, 2, message, &behind);
            assert_eq!(referred.is_some(), stays == 0);
        }
        delayed.forget_log_place();
        let mut bytes = Vec::new();
        assert_eq!(write_message(&mut bytes, 3, &delayed, &place(99 << 16)), None);
        assert!(bytes.ends_with(delayed.stored()));
    }

    #[test]
    fn where_a_place_cannot_be_said_nothing_is_referred_to() {
        assert_eq!(place_of(Position((1 << 48) - 1), 5), Some(u64::MAX << 16 | 5));
        assert_eq!(place_of(Position(1 << 48), 5), None);
        let shared = message(7, None, b"shared", true);
        let nowhere = Place {
            own: None,
            ..place(0)
        };
        for _ in 0..2 {
            let mut bytes = Vec::new();
            assert_eq!(write_message(&mut bytes, 1, &shared, &nowhere), None);
            assert_eq!(bytes.get(15).unwrap() & (SHARED | REFERENCE), 0);
            assert!(bytes.ends_with(shared.stored()));
        }
    }

    #[test]
    fn a_message_costs_no_more_than_before_when_it_is_of_its_batch() {
        let message = message(7, None, b"body", false);
        let mut bytes = Vec::new();
        write_message(&mut bytes, 1, &message, &place(1));
        assert_eq!(bytes.len(), MESSAGE_HEAD_BYTES + message.content().len());
        assert_eq!(bytes[15], PRIORITY);
    }

    #[test]
    fn facts_come_back_from_the_log() {
        let range = Range { first: 3, last: 9 };
        let settled = Fact::Settled {
            range,
            persistent: true,
            octets: 77,
        };
        let mut bytes = Vec::new();
        put_settled(&mut bytes, &settled);
        put_settled(&mut bytes, &settled);
        let read = read_each(&bytes, 24, read_settled).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", [&settled, &settled]));
        let returned = Fact::Returned {
            range,
            persistent: true,
            failures: 300,
            until_ms: 1 << 40,
            octets: 70_000,
        };
        bytes.clear();
        put_returned(&mut bytes, &returned);
        let read = read_returned(&bytes).unwrap();
        assert_eq!(format!("{read:?}"), format!("{returned:?}"));
        for cut in 0..bytes.len() {
            assert!(read_returned(&bytes[..cut]).is_none(), "cut at {cut}");
        }
    }

    #[test]
    fn records_of_before_are_read() {
        // Seq, length of the properties, of exchange and key, priority, no flags.
        let bytes = b"\x05\0\0\0\0\0\0\0\x02\0\0\0\x01\x03\x09\0xkey\0\0body";
        let (seq, message) = read(&mut Reader::default(), bytes, 1, 0).unwrap();
        assert_eq!(seq, 5);
        assert_eq!((message.exchange(), message.routing_key()), ("x", "key"));
        assert_eq!(message.body(), b"body");
        assert_eq!((message.published_ms(), message.is_annotated()), (0, false));
    }
}
