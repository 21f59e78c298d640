//! A lane: ready messages that are served in the order of their numbers. A plain queue has one; a queue with
//! priorities has one for each that is in use; what is delayed waits in one of its own.
//!
//! ```text
//!   ready:   messages in memory that stand in no extent
//!   front:   messages that stand in an extent, and in memory again
//!   absent:  messages that stand in an extent only
//! ```

use super::fact::{self, Range};
use super::paging::FETCHED_MAX;
use super::ready::Ready;
use super::seq_set::SeqSet;
use super::stored::{Chains, Fetch};
use super::times::begin_ms;
use crate::message::Message;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

/// A ready message.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) message: Message,
    pub(super) past: Past,
}

/// Whether a message was out before, and how often a delivery of it failed. One number, so that an entry is
/// two words, which are handed on in registers: in memory, pieces that are written one by one cannot be read
/// at once before they are in the cache, for which every message would wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Past(u32);

/// Beside the number of failures.
const REDELIVERED: u32 = 1 << 16;

impl Past {
    #[inline]
    pub(super) fn new(redelivered: bool, failures: u16) -> Self {
        Self(u32::from(redelivered) << 16 | u32::from(failures))
    }

    #[inline]
    pub(super) fn is_redelivered(self) -> bool {
        self.0 & REDELIVERED != 0
    }

    #[inline]
    pub(super) fn failures(self) -> u16 {
        // The lower half.
        (self.0 & u32::from(u16::MAX)) as u16
    }

    pub(super) fn redelivered(self) -> Self {
        Self(self.0 | REDELIVERED)
    }
}

impl Entry {
    #[inline]
    pub(super) fn new(message: Message) -> Self {
        Self {
            message,
            past: Past::default(),
        }
    }

    /// Octets of its body.
    pub(super) fn body_bytes(&self) -> u64 {
        u64::from(self.message.envelope().body_bytes)
    }
}

/// The next message of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is in memory.
    Here(u64),
    /// It has to be read.
    Absent(u64),
}

impl Next {
    /// The lowest of the first numbers of what stands in no extent, what was read, and what is absent.
    fn lowest(ready: Option<u64>, front: Option<u64>, absent: Option<u64>) -> Option<Self> {
        let here = match (ready, front) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match (here, absent) {
            (Some(here), Some(absent)) if absent > here => Some(Self::Here(here)),
            (_, Some(absent)) => Some(Self::Absent(absent)),
            (here, None) => here.map(Self::Here),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) ready: Ready,
    pub(super) ahead: Ahead,
}

impl Lane {
    /// One among others, which has some of the queue's numbers.
    pub(super) fn sparse() -> Self {
        Self {
            ready: Ready::sparse(),
            ..Self::default()
        }
    }

    /// How many messages there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        if self.ahead.is_bare() {
            return self.ready.len();
        }
        let absent = usize::try_from(self.ahead.absent.len()).unwrap_or(usize::MAX);
        self.ready.len() + self.ahead.front.len() + absent
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
            && (self.ahead.is_bare() || (self.ahead.front.is_empty() && self.ahead.absent.is_empty()))
    }

    /// The message with the lowest number.
    pub(super) fn next(&self) -> Option<Next> {
        let ready = self.ready.first().map(|(seq, _)| seq);
        if self.ahead.is_bare() {
            return ready.map(Next::Here);
        }
        let front = self.ahead.front.first().map(|(seq, _)| seq);
        Next::lowest(ready, front, self.ahead.absent.first())
    }

    /// The lowest number of a message in memory.
    pub(super) fn first_in_memory(&self) -> Option<u64> {
        let ready = self.ready.first().map(|(seq, _)| seq);
        if self.ahead.is_bare() {
            return ready;
        }
        let front = self.ahead.front.first().map(|(seq, _)| seq);
        ready.into_iter().chain(front).min()
    }

    /// From when on the time of the message with the lowest number counts, if that is known.
    pub(super) fn head_begin_ms(&self) -> Option<u64> {
        match self.next()? {
            Next::Here(seq) => Some(begin_ms(&self.find(seq)?.message)),
            Next::Absent(seq) => self.ahead.known_begin_ms(seq),
        }
    }

    /// Whether the message with the lowest number has to be read to know from when on its time counts.
    pub(super) fn lacks_head(&self) -> bool {
        matches!(self.next(), Some(Next::Absent(seq)) if self.ahead.known_begin_ms(seq).is_none())
    }

    /// Whether the message with the lowest number is not in memory.
    pub(super) fn is_head_absent(&self) -> bool {
        matches!(self.next(), Some(Next::Absent(_)))
    }

    /// What has expired is gone: where that was all that is in memory, more is read the next time, as more
    /// may have, and otherwise little.
    pub(super) fn note_expired(&mut self, any: bool) {
        if self.ahead.is_bare() {
            return;
        }
        let lacks_head = self.lacks_head();
        let firsts_max = &mut self.ahead.firsts_max;
        if !lacks_head {
            *firsts_max = 1;
        } else if any {
            *firsts_max = (*firsts_max * FIRSTS_GROWTH).min(FETCHED_MAX);
        }
    }

    /// The message with the lowest number from `seq` on.
    pub(super) fn next_from(&self, seq: u64) -> Option<Next> {
        let ready = self.ready.iter_from(seq).next().map(|(seq, _)| seq);
        if self.ahead.is_bare() {
            return ready.map(Next::Here);
        }
        let behind = Range {
            first: seq,
            last: u64::MAX,
        };
        let absent = self.ahead.absent.head(behind, 1, 1);
        let absent = absent.first().map(|range| range.first);
        let front = self.ahead.front.iter_from(seq).next().map(|(seq, _)| seq);
        Next::lowest(ready, front, absent)
    }

    /// Takes out the message with the lowest number, with whether it stands in an extent. `None` when there
    /// is none, or when it has to be read first.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(u64, Entry, bool)> {
        if self.ahead.is_bare() {
            return self.ready.pop_first().map(|(seq, entry)| (seq, entry, false));
        }
        let ahead = &mut *self.ahead;
        let ready = self.ready.first().map_or(u64::MAX, |(seq, _)| seq);
        let front = ahead.front.first().map_or(u64::MAX, |(seq, _)| seq);
        if ahead
            .absent
            .first()
            .is_some_and(|absent| absent < ready.min(front))
        {
            ahead.is_hungry = true;
            return None;
        }
        if front < ready {
            let (seq, entry) = ahead.front.pop_first()?;
            ahead.front_bytes -= entry.message.memory_bytes();
            return Some((seq, entry, true));
        }
        self.ready.pop_first().map(|(seq, entry)| (seq, entry, false))
    }

    /// Puts back what [`Lane::pop`] took out.
    pub(super) fn put_back(&mut self, seq: u64, entry: Entry, is_stored: bool) {
        if is_stored {
            self.ahead.front_bytes += entry.message.memory_bytes();
            self.ahead.front.insert(seq, entry);
        } else {
            self.ready.insert(seq, entry);
        }
    }

    /// A message that is in memory.
    pub(super) fn find(&self, seq: u64) -> Option<&Entry> {
        let ready = self.ready.find(seq);
        ready.or_else(|| self.ahead.front.find(seq))
    }

    /// A message that is in memory, to change.
    pub(super) fn find_mut(&mut self, seq: u64) -> Option<&mut Entry> {
        if let Some(entry) = self.ready.find_mut(seq) {
            return Some(entry);
        }
        if self.ahead.is_bare() {
            return None;
        }
        self.ahead.front.find_mut(seq)
    }

    /// Whether the message is here, in memory or not.
    pub(super) fn contains(&self, seq: u64) -> bool {
        self.find(seq).is_some() || self.ahead.absent.contains(seq)
    }

    /// Takes out a message that is in memory, with whether it stands in an extent.
    pub(super) fn remove(&mut self, seq: u64) -> Option<(Entry, bool)> {
        if let Some(entry) = self.ready.remove(seq) {
            return Some((entry, false));
        }
        if self.ahead.is_bare() {
            return None;
        }
        let ahead = &mut *self.ahead;
        let entry = ahead.front.remove(seq)?;
        ahead.front_bytes -= entry.message.memory_bytes();
        Some((entry, true))
    }

    /// Everything in these rising ranges goes. Answers the memory given free.
    pub(super) fn purge(&mut self, gone: &[Range]) -> usize {
        let mut bytes = 0;
        if !self.ahead.is_bare() {
            let ahead = &mut *self.ahead;
            for range in gone {
                if ahead.absent.first().is_some_and(|first| first <= range.last) {
                    ahead.absent.remove_range(*range);
                }
            }
            let freed = purge(&mut ahead.front, gone);
            ahead.front_bytes -= freed;
            bytes += freed;
        }
        bytes + purge(&mut self.ready, gone)
    }

    /// Messages in memory by rising number.
    pub(super) fn in_memory(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.ready.iter().chain(self.ahead.front.iter())
    }
}

/// See [`Lane::purge`].
fn purge(messages: &mut Ready, gone: &[Range]) -> usize {
    let mut bytes = 0;
    let mut kept = Vec::new();
    let mut ranges = gone.iter();
    let mut range = ranges.next();
    while let Some(current) = range
        && let Some((seq, _)) = messages.first()
    {
        if seq > current.last {
            range = ranges.next();
            continue;
        }
        let Some((seq, entry)) = messages.pop_first() else {
            break;
        };
        if seq < current.first {
            kept.push((seq, entry));
        } else {
            bytes += entry.message.memory_bytes();
        }
    }
    for (seq, entry) in kept {
        messages.insert(seq, entry);
    }
    bytes
}

/// What of a lane stands in extents, and what of that is in memory again.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) absent: SeqSet,
    pub(super) front: Ready,
    pub(super) front_bytes: usize,
    /// A message that is absent was wanted.
    pub(super) is_hungry: bool,
    /// A message that was in memory, and from when on its time counts: it need not be read again only to know
    /// when it expires.
    pub(super) first_begin: Option<(u64, u64)>,
    /// So many messages are read when only the first has to be known, one at least.
    firsts_max: u64,
    last_ticket: u64,
    pub(super) is_fetching: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            absent: SeqSet::default(),
            // Whatever the lane has: what was read may have gaps.
            front: Ready::sparse(),
            front_bytes: 0,
            is_hungry: false,
            first_begin: None,
            firsts_max: 1,
            last_ticket: 0,
            is_fetching: false,
        }
    }
}

/// [`Reading`], which takes no memory while a lane has nothing in extents: most lanes, most of the time.
#[derive(Debug, Default)]
pub(super) struct Ahead(Option<Box<Reading>>);

static NOTHING: LazyLock<Reading> = LazyLock::new(Reading::default);

impl Ahead {
    /// Whether there is nothing to be read, and nothing was.
    pub(super) fn is_bare(&self) -> bool {
        self.0.is_none()
    }

    /// What is done with is no longer absent. Answers how many messages were.
    pub(super) fn forget(&mut self, gone: Range) -> u64 {
        if self.0.is_some() && self.absent.first().is_some_and(|first| first <= gone.last) {
            return self.absent.remove_range(gone);
        }
        0
    }

    /// Gives its memory back, unless something is there or comes.
    pub(super) fn clear(&mut self) {
        if !self.is_fetching && self.absent.is_empty() && self.front.is_empty() {
            self.0 = None;
        }
    }
}

impl Deref for Ahead {
    type Target = Reading;

    fn deref(&self) -> &Reading {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Ahead {
    fn deref_mut(&mut self) -> &mut Reading {
        self.0.get_or_insert_default()
    }
}

impl Reading {
    /// From when on the time of a message counts that is absent, if it is known.
    fn known_begin_ms(&self, seq: u64) -> Option<u64> {
        let known = self.first_begin.filter(|(known, _)| *known == seq);
        known.map(|(_, begin_ms)| begin_ms)
    }

    /// Whether something has to be read that was wanted. What was wanted may be done with by now.
    pub(super) fn hungers(&self) -> bool {
        self.is_hungry && !self.absent.is_empty()
    }

    /// Drops what is in memory again, the highest numbers first, until at most so many bytes are left.
    /// Answers the bytes given free, and the numbers of those of which more is to be remembered.
    pub(super) fn evict(&mut self, keep_bytes: usize, note: &mut dyn FnMut(u64, &Entry)) -> usize {
        let before = self.front_bytes;
        while self.front_bytes > keep_bytes
            && let Some((seq, entry)) = self.front.pop_last()
        {
            self.front_bytes -= entry.message.memory_bytes();
            self.unread(seq, &entry);
            note(seq, &entry);
        }
        before - self.front_bytes
    }

    /// A message that stands in an extent is not in memory any more.
    pub(super) fn unread(&mut self, seq: u64, entry: &Entry) {
        if self.absent.first().is_none_or(|first| seq < first) {
            self.first_begin = Some((seq, begin_ms(&entry.message)));
        }
        self.absent.insert(seq);
    }

    /// What is absent from a number on, the first of it.
    pub(super) fn absent_from(&self, first: u64) -> SeqSet {
        let behind = Range {
            first,
            last: u64::MAX,
        };
        let all = self.absent.head(behind, FETCHED_MAX, FETCHED_RANGES_MAX);
        all.into_iter().collect()
    }

    /// What is to be read next, if anything is and nothing is being read already: what is absent, or only
    /// what `of` names.
    pub(super) fn fetch(
        &mut self,
        chains: &Chains,
        of: Option<&SeqSet>,
        ahead_bytes: usize,
        messages_max: u64,
        wants_ahead: bool,
    ) -> Option<Fetch> {
        let is_low = wants_ahead && self.front_bytes < ahead_bytes / 2;
        if self.is_fetching || !(self.is_hungry || is_low) {
            return None;
        }
        let of = of.unwrap_or(&self.absent);
        let (durable, stretch) = chains.stretch_of(of.first()?)?;
        let mut wanted = of.head(stretch.range(), messages_max, FETCHED_RANGES_MAX);
        let other = chains.get(!durable);
        if other.live().count(stretch.range()) > 0 {
            let live = chains.get(durable).live();
            let numbers = wanted.into_iter().flat_map(|range| range.first..=range.last);
            let mut own = Vec::new();
            for seq in numbers.filter(|seq| live.contains(*seq)) {
                fact::push_seq(&mut own, seq);
            }
            wanted = own;
        }
        self.is_fetching = true;
        self.is_hungry = false;
        self.last_ticket += 1;
        Some(Fetch {
            lane: 0,
            ticket: self.last_ticket,
            durable,
            stretch,
            wanted,
            bytes_max: ahead_bytes,
        })
    }

    /// The first of what is absent is to be read, so that it is known, unless something is being read.
    pub(super) fn fetch_first(&mut self, chains: &Chains, ahead_bytes: usize) -> Option<Fetch> {
        if self.is_fetching {
            return None;
        }
        self.is_hungry = true;
        self.fetch(chains, None, ahead_bytes, self.firsts_max, false)
    }

    /// Messages were read. What is no longer absent is passed over; the others are handed on.
    pub(super) fn fetched(
        &mut self,
        ticket: u64,
        found: Vec<(u64, Message)>,
        lost: &[u64],
        each: &mut dyn FnMut(u64, Message),
    ) {
        if ticket == self.last_ticket {
            self.is_fetching = false;
            // Whoever wanted something meanwhile may have it now, and if not, wants it again.
            self.is_hungry = false;
        }
        for seq in lost {
            self.absent.remove(*seq);
        }
        let mut runs: Vec<Range> = Vec::new();
        for (seq, _) in &found {
            fact::push_seq(&mut runs, *seq);
        }
        let mut messages = found.into_iter();
        for run in runs {
            // Mostly all of them are still absent: asked and removed together.
            let is_whole = self.absent.count(run) == run.len();
            if is_whole {
                self.absent.remove_range(run);
            }
            for seq in run.first..=run.last {
                let Some((_, message)) = messages.next() else {
                    break;
                };
                if is_whole || self.absent.remove(seq) {
                    each(seq, message);
                }
            }
        }
    }
}

/// How much more is read of what expires each time while all that was read did.
const FIRSTS_GROWTH: u64 = 4;

/// A fetch names at most so many ranges.
const FETCHED_RANGES_MAX: usize = 4096;
