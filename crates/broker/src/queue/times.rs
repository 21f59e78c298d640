//! Time: messages that expire, those that are delayed or rest, and deliveries that are out for too long.
//!
//! Nothing here waits: [`Queue::next_due`] says when something is to happen, and whoever has a clock then
//! decides [`Command::Tick`](super::Command::Tick).
//!
//! What each message carries itself (an own time to live, a delay) is noted here by the hour. Of messages
//! that stand in extents, the notes stand there, too, but for those whose hour is near: see
//! [`pages`](super::pages). A time to live of the queue's needs no note: messages came in the order of their
//! numbers, so the first of a lane is the first to expire.

use super::fact::{Fact, Gathered, Range};
use super::lane::{Entry, Lane};
use super::leases::Leases;
use super::leaving::Gone;
use super::pages::Pages;
use super::paging::merged;
use super::rising::Rising;
use super::stored::{Chains, Fetch};
use super::window::Window;
use super::{Queue, SeqSet};
use crate::message::{Message, Reason};
use std::collections::{BTreeMap, BTreeSet};

/// What is delayed and not in memory is read so long before it is due, in milliseconds.
const AHEAD_MS: u64 = if cfg!(test) { 10 } else { 2_000 };

/// A message that rests before it is tried again.
#[derive(Debug)]
pub(super) struct Resting {
    /// `None` when it stands in an extent.
    pub(super) message: Option<Message>,
    pub(super) octets: u32,
    pub(super) persistent: bool,
    pub(super) failures: u16,
    pub(super) level: u8,
    /// Until when, in milliseconds since 1970.
    pub(super) until_ms: u64,
}

/// What a note of a time is about, as it stands in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hour {
    /// A message expires.
    Expires,
    /// A delayed message is due.
    Due,
    /// A message has rested.
    Rested,
}

/// A note of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// What happens.
    pub hour: Hour,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// To which message.
    pub seq: u64,
    /// Octets of its body.
    pub octets: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// When messages with a time to live of their own expire: time and number, with the body's octets.
    expiries: Rising<(u64, u64), u32>,
    /// When those of them expire that stand in no lane (out, resting or leaving), by number, with the octets.
    lent_expiries: Window<(u64, u32)>,
    /// What is not ready yet.
    pub(super) delayed: Lane,
    /// When that is due: time and number, with the body's octets.
    dues: Rising<(u64, u64), u32>,
    /// Of these, what is due before this hour is in memory, or being read.
    read_until_ms: u64,
    /// What is being read, and when it is due, with the octets.
    wanted: SeqSet,
    wanted_dues: BTreeMap<u64, (u64, u32)>,
    pub(super) resting: BTreeMap<u64, Resting>,
    rests: BTreeSet<(u64, u64)>,
    pub(super) leases: Leases,
    /// Notes of messages in extents that are not in memory.
    pub(super) pages: Pages,
    /// What was delayed and leaves before it is due: who replays that may still take it for delayed.
    hurried: SeqSet,
    /// Octets of what is delayed and stands in extents that last.
    pub(super) stored_octets: u64,
    /// Octets of what is delayed and does not survive a restart.
    pub(super) transient_octets: u64,
}

/// From when on a message's time counts; 0 when nobody knows.
pub(super) fn begin_ms(message: &Message) -> u64 {
    let published = message.published_ms();
    message.due_ms().map_or(published, |due| due.max(published))
}

/// When a message expires by a time to live that is its own.
pub(super) fn own_expiry_ms(message: &Message) -> Option<u64> {
    let ttl = message.ttl_ms()?;
    let begin = begin_ms(message);
    (begin > 0).then(|| begin.saturating_add(ttl))
}

/// When a message is due that has to wait before it is ready.
pub(super) fn delayed_until(message: &Message) -> Option<u64> {
    message.due_ms().filter(|due| *due > message.published_ms())
}

impl Times {
    /// How many messages are not ready yet.
    pub(super) fn waiting(&self) -> usize {
        self.delayed.len() + self.resting.len()
    }

    /// A message stands in a lane now.
    pub(super) fn note_expiry(&mut self, seq: u64, message: &Message) {
        if let Some(at) = own_expiry_ms(message) {
            let octets = message.envelope().body_bytes;
            self.expiries.insert((at, seq), octets);
        }
    }

    /// A message does not stand in a lane any more.
    pub(super) fn drop_expiry(&mut self, seq: u64, message: &Message) {
        if let Some(at) = own_expiry_ms(message) {
            self.expiries.remove((at, seq));
        }
    }

    /// A message stands in no lane for a while: it expires when it comes back, if it does. A checkpoint tells
    /// of it all the same.
    pub(super) fn lend_expiry(&mut self, seq: u64, at_ms: u64, octets: u32, stays: bool) {
        self.expiries.remove((at_ms, seq));
        if stays {
            self.lent_expiries.insert(seq, (at_ms, octets));
        }
    }

    /// A message came back to its lane; it is not in memory if it stands in an extent.
    pub(super) fn came_back(&mut self, seq: u64, is_stored: bool) {
        self.leases.end(seq);
        if let Some((at, octets)) = self.lent_expiries.remove(seq)
            && !(is_stored && self.pages.is_beyond(at))
        {
            self.expiries.insert((at, seq), octets);
        }
    }

    /// A note of an expiry need not be in memory.
    pub(super) fn drop_expiry_at(&mut self, at_ms: u64, seq: u64) {
        self.expiries.remove((at_ms, seq));
    }

    /// A note of when a message is due need not be in memory.
    pub(super) fn drop_due(&mut self, at_ms: u64, seq: u64) {
        self.dues.remove((at_ms, seq));
    }

    /// A note of an expiry was read. The message may stand in no lane.
    pub(super) fn take_expiry(&mut self, seq: u64, at_ms: u64, octets: u32, is_lent: bool) {
        if is_lent {
            self.lent_expiries.insert(seq, (at_ms, octets));
        } else {
            self.expiries.insert((at_ms, seq), octets);
        }
    }

    /// A note of when a delayed message is due was read.
    pub(super) fn take_due(&mut self, seq: u64, at_ms: u64, octets: u32) {
        if at_ms < self.read_until_ms && self.delayed.ahead.absent.contains(seq) {
            self.want(seq, at_ms, octets);
        } else {
            self.dues.insert((at_ms, seq), octets);
        }
    }

    /// Delayed messages that are not in memory are to be read, whenever they are due.
    pub(super) fn want_all(&mut self, among: Range) {
        for range in self.delayed.ahead.absent.head(among, u64::MAX, usize::MAX) {
            self.wanted.insert_range(range);
        }
    }

    /// Whether the message was delayed, and did not wait until it was due.
    pub(super) fn was_hurried(&self, seq: u64) -> bool {
        self.hurried.contains(seq)
    }

    /// A message is done with.
    pub(super) fn forget(&mut self, seq: u64) {
        self.leases.end(seq);
        self.hurried.remove(seq);
        if !self.lent_expiries.is_empty() {
            self.lent_expiries.remove(seq);
        }
    }

    /// Only what rests and what `stays` says is still there.
    pub(super) fn retain(&mut self, stays: impl Fn(u64) -> bool) {
        let resting = &self.resting;
        self.expiries
            .retain(|(_, seq)| stays(seq) || resting.contains_key(&seq));
    }

    /// A message is delayed.
    pub(super) fn note_due(&mut self, seq: u64, due_ms: u64, octets: u32) {
        self.dues.insert((due_ms, seq), octets);
    }

    /// A message that is delayed, and in memory, is done with: takes it out, with whether it stands in an
    /// extent.
    pub(super) fn undelay(&mut self, seq: u64) -> Option<(Entry, bool)> {
        let (entry, is_stored) = self.delayed.remove(seq)?;
        self.dues.remove((entry.message.due_ms().unwrap_or(0), seq));
        Some((entry, is_stored))
    }

    /// The lowest number of a message that is delayed, and in memory, or rests.
    pub(super) fn first_in_memory(&self) -> Option<u64> {
        let resting = self.resting.first_key_value().map(|(seq, _)| *seq);
        self.delayed.first_in_memory().into_iter().chain(resting).min()
    }

    /// Messages that are delayed or rest, and stand in no extent, by rising number from `from` on.
    pub(super) fn unstored(&self, from: u64) -> impl Iterator<Item = (u64, &Message)> {
        let delayed = self.delayed.ready.iter_from(from);
        let delayed = delayed.map(|(seq, entry)| (seq, &entry.message));
        let resting = self.resting.range(from..);
        let resting = resting.filter_map(|(seq, resting)| Some((*seq, resting.message.as_ref()?)));
        merged(delayed, resting)
    }

    /// Numbers of all messages that are delayed or rest.
    pub(super) fn waiting_seqs(&self) -> SeqSet {
        let mut seqs = SeqSet::default();
        for (seq, _) in self.delayed.in_memory() {
            seqs.insert(seq);
        }
        for range in self.delayed.ahead.absent.ranges() {
            seqs.insert_range(range);
        }
        self.resting.keys().for_each(|seq| seqs.insert(*seq));
        seqs
    }

    /// Octets of what is delayed or rests and does not survive a restart.
    pub(super) fn transient_octets(&self) -> u64 {
        let resting = self.resting.values().filter(|resting| !resting.persistent);
        let resting: u64 = resting.map(|resting| u64::from(resting.octets)).sum();
        self.transient_octets + resting
    }

    /// A delayed message is not delayed any more.
    pub(super) fn came_up(&mut self, octets: u64, is_stored: bool, persistent: bool) {
        if !persistent {
            self.transient_octets = self.transient_octets.saturating_sub(octets);
        } else if is_stored {
            self.stored_octets = self.stored_octets.saturating_sub(octets);
        }
    }

    /// A message rests until its hour.
    pub(super) fn rest(&mut self, seq: u64, resting: Resting) {
        self.leases.end(seq);
        self.rests.insert((resting.until_ms, seq));
        self.resting.insert(seq, resting);
    }

    /// A message does not rest any more.
    pub(super) fn unrest(&mut self, seq: u64) -> Option<Resting> {
        let resting = self.resting.remove(&seq)?;
        self.rests.remove(&(resting.until_ms, seq));
        Some(resting)
    }

    /// Numbers of a range that rest.
    pub(super) fn resting_in(&self, range: Range) -> Vec<u64> {
        let resting = self.resting.range(range.first..=range.last);
        resting.map(|(seq, _)| *seq).collect()
    }

    #[cfg(test)]
    pub(super) fn notes_in_memory(&self) -> usize {
        self.expiries.len() + self.dues.len() + self.wanted_dues.len() + self.lent_expiries.len()
    }

    /// Notes of what rests, of the messages that a set names.
    pub(super) fn rests(&self, of: &SeqSet) -> Vec<Note> {
        let rests = self.resting.iter().filter(|(seq, _)| of.contains(**seq));
        rests
            .map(|(seq, resting)| Note {
                hour: Hour::Rested,
                at_ms: resting.until_ms,
                seq: *seq,
                octets: resting.octets,
            })
            .collect()
    }

    /// What is delayed, of the messages that a set names.
    pub(super) fn delayed_among(&self, of: &SeqSet) -> SeqSet {
        let ahead = &self.delayed.ahead;
        let front = ahead.front.iter().map(|(seq, _)| Range::one(seq));
        let absent = ahead.absent.ranges().into_iter();
        let absent = absent.flat_map(|range| of.head(range, u64::MAX, usize::MAX));
        front.filter(|one| of.contains(one.first)).chain(absent).collect()
    }

    /// A message that stands in an extent rests, as a checkpoint says.
    pub(super) fn restore_rest(&mut self, note: Note, level: u8, failures: u16) {
        let resting = Resting {
            message: None,
            octets: note.octets,
            persistent: true,
            failures,
            level,
            until_ms: note.at_ms,
        };
        self.rest(note.seq, resting);
    }

    /// So many of the messages that rest until an hour, or a time before, have rested enough.
    pub(super) fn rise(&mut self, until_ms: u64, max: usize) -> Vec<(u64, Resting)> {
        let mut risen = Vec::new();
        while risen.len() < max
            && let Some((at, _)) = self.rests.first()
            && *at <= until_ms
            && let Some((_, seq)) = self.rests.pop_first()
        {
            risen.extend(self.resting.remove(&seq).map(|resting| (seq, resting)));
        }
        risen
    }

    /// So many of the messages that are delayed wait no longer, with the octets of their bodies; others are
    /// to be read.
    pub(super) fn hurry(&mut self, max: usize) -> (Vec<(u64, Entry, bool)>, u64) {
        let mut hurried = Vec::new();
        let mut octets = 0;
        while hurried.len() < max
            && let Some((seq, entry, is_stored)) = self.delayed.pop()
        {
            octets += entry.body_bytes();
            self.hurried.insert(seq);
            hurried.push((seq, entry, is_stored));
        }
        if hurried.len() < max && !self.delayed.ahead.is_bare() {
            let all = Range {
                first: 0,
                last: u64::MAX,
            };
            for range in self.delayed.ahead.absent.head(all, max as u64, max) {
                self.wanted.insert_range(range);
            }
        }
        (hurried, octets)
    }

    /// Whether a delayed message is due so soon that it has to be in memory.
    pub(super) fn is_soon(&self, message: &Message) -> bool {
        message.due_ms().is_none_or(|due| due < self.read_until_ms)
    }

    /// A delayed message that is not in memory is to be read.
    fn want(&mut self, seq: u64, due_ms: u64, octets: u32) {
        self.wanted.insert(seq);
        self.wanted_dues.insert(seq, (due_ms, octets));
    }

    /// These are not to be read any more.
    pub(super) fn forget_wanted(&mut self, gone: Range) {
        if self.wanted.first().is_none_or(|first| first > gone.last) || self.wanted.remove_range(gone) == 0 {
            return;
        }
        while let Some((seq, _)) = self.wanted_dues.range(gone.first..=gone.last).next() {
            let seq = *seq;
            self.wanted_dues.remove(&seq);
        }
    }

    /// Delayed messages that are due soon and not in memory are to be read.
    pub(super) fn fetch(&mut self, chains: &Chains, ahead_bytes: usize, max: u64) -> Option<Fetch> {
        if self.wanted.is_empty() || self.delayed.ahead.is_bare() {
            return None;
        }
        let ahead = &mut *self.delayed.ahead;
        ahead.is_hungry = true;
        ahead.fetch(chains, Some(&self.wanted), ahead_bytes, max, false)
    }

    /// Delayed messages were read: their hours are known again. Answers the memory taken.
    pub(super) fn fetched(&mut self, ticket: u64, found: Vec<(u64, Message)>, lost: &[u64]) -> usize {
        if self.delayed.ahead.is_bare() {
            return 0;
        }
        for seq in lost {
            self.forget_wanted(Range::one(*seq));
        }
        let mut here = Vec::with_capacity(found.len());
        let ahead = &mut *self.delayed.ahead;
        ahead.fetched(ticket, found, lost, &mut |seq, message| here.push((seq, message)));
        let mut bytes = 0;
        for (seq, message) in here {
            bytes += message.memory_bytes();
            self.forget_wanted(Range::one(seq));
            let octets = message.envelope().body_bytes;
            self.note_due(seq, message.due_ms().unwrap_or(0), octets);
            self.delayed.ahead.front.insert(seq, Entry::new(message));
        }
        self.delayed.ahead.front_bytes += bytes;
        bytes
    }

    /// Drops what was read ahead. Answers the memory given free.
    pub(super) fn evict(&mut self) -> usize {
        if self.delayed.ahead.is_bare() {
            return 0;
        }
        // What is due before it was read again is late by that.
        self.read_until_ms = 0;
        let (pages, dues) = (&self.pages, &mut self.dues);
        self.delayed.ahead.evict(0, &mut |seq, entry| {
            if let Some(due) = entry.message.due_ms().filter(|due| pages.is_beyond(*due)) {
                dues.remove((due, seq));
            }
        })
    }

    fn next(&self) -> Option<u64> {
        let first = |times: &Rising<(u64, u64), u32>| times.first().map(|((at, _), _)| at);
        let look = match self.delayed.ahead.absent.is_empty() {
            true => None,
            false => {
                let behind = self.dues.iter_from((self.read_until_ms, 0)).next();
                behind.map(|((at, _), _)| at.saturating_sub(AHEAD_MS))
            }
        };
        let rests = self.rests.first().map(|(at, _)| *at);
        let (expiry, dues) = (first(&self.expiries), first(&self.dues));
        [expiry, dues, look, rests, self.pages.next()]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Queue {
    /// When something is to happen by itself, in milliseconds since 1970: then a tick is due. `None` when
    /// nothing ever is.
    pub fn next_due(&self) -> Option<u64> {
        let extras = self.extras.as_ref()?;
        let ttl = extras.rules.message_ttl_ms;
        let heads = ttl.and_then(|ttl| {
            let begins = self.lanes().filter_map(|(_, lane)| lane.head_begin_ms());
            let begins = begins.filter(|at| *at > 0);
            begins.min().map(|begin| begin.saturating_add(ttl))
        });
        let lease_end = extras.times.leases.next_end(extras.rules.consumer_timeout_ms);
        [extras.times.next(), lease_end, heads]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether messages have a time to live of the queue's, so that the first of each lane has to be known.
    pub(super) fn has_ttl(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|extras| extras.rules.message_ttl_ms.is_some())
    }

    /// What is due by now happens. Answers how many messages matured.
    pub(super) fn tick(&mut self, now_ms: u64, facts: &mut Vec<Fact>) -> usize {
        if self.next_due().is_none_or(|due| due > now_ms) {
            return 0;
        }
        let before = facts.len();
        let mut settled = Gathered::default();
        self.rise(now_ms, usize::MAX);
        self.expire_own(now_ms, &mut settled);
        self.expire_heads(now_ms, &mut settled);
        facts.extend(settled.settled());
        self.end_leases(now_ms, facts);
        if facts.len() > before {
            // What comes back may have expired, which is to be seen before anything is offered.
            return 0;
        }
        self.mature(now_ms, facts)
    }

    /// So many of the messages that rest until an hour, or a time before, are ready again.
    pub(super) fn rise(&mut self, until_ms: u64, max: usize) {
        let Some(extras) = &mut self.extras else { return };
        for (seq, resting) in extras.times.rise(until_ms, max) {
            self.octets.taken_up(u64::from(resting.octets));
            self.put_down(seq, resting.level, resting.message, resting.failures);
        }
    }

    /// Messages whose own time to live is over leave, wherever they stand.
    fn expire_own(&mut self, now_ms: u64, settled: &mut Gathered) {
        while let Some(extras) = &mut self.extras
            && let Some(((at_ms, _), _)) = extras.times.expiries.first()
            && at_ms <= now_ms
            && let Some(((_, seq), octets)) = extras.times.expiries.pop_first()
        {
            // After recovery this may be noted of what rests: it expires when it is ready.
            if extras.times.resting.contains_key(&seq) {
                extras.times.lent_expiries.insert(seq, (at_ms, octets));
                continue;
            }
            let found = self
                .lanes_mut()
                .find_map(|(level, lane)| Some((level, lane.remove(seq)?)));
            if let Some((level, (entry, is_stored))) = found {
                self.leave((seq, level), entry, is_stored, Reason::Expired, settled);
                continue;
            }
            let absent = self
                .lanes_mut()
                .find(|(_, lane)| !lane.ahead.is_bare() && lane.ahead.absent.contains(seq));
            if let Some((level, lane)) = absent {
                lane.ahead.absent.remove(seq);
                self.leave_absent(seq, level, octets, settled);
                if self.has_dead_letters()
                    && let Some(extras) = &mut self.extras
                {
                    extras.times.lend_expiry(seq, at_ms, octets, true);
                }
            }
        }
    }

    /// A message that is not in memory leaves.
    fn leave_absent(&mut self, seq: u64, level: u8, octets: u32, settled: &mut Gathered) {
        let persistent = self.stored.get(true).live().contains(seq);
        let needs_body = self.has_dead_letters();
        if !needs_body {
            settled.push(seq, persistent, octets);
        }
        self.octets.set_aside(u64::from(octets));
        let gone = Gone {
            message: None,
            is_stored: true,
            reason: Reason::Expired,
            octets,
            persistent,
            redelivered: self.stored.is_redelivered(seq),
            failures: self.stored.failures_of(seq),
            level,
            is_tried: false,
        };
        let extras = self.extras.get_or_insert_default();
        extras.leaving.add(seq, gone, needs_body);
    }

    /// The first messages of lanes leave while the queue's time to live is over for them.
    fn expire_heads(&mut self, now_ms: u64, settled: &mut Gathered) {
        let Some(ttl) = self
            .extras
            .as_ref()
            .and_then(|extras| extras.rules.message_ttl_ms)
        else {
            return;
        };
        let is_over = |begin_ms: u64| begin_ms > 0 && begin_ms.saturating_add(ttl) <= now_ms;
        let levels: Vec<u8> = self.lanes().map(|(level, _)| level).collect();
        for level in levels {
            let mut is_any_over = false;
            while self.open_lane(level).head_begin_ms().is_some_and(is_over) {
                let lane = self.open_lane(level);
                if lane.is_head_absent() {
                    // It is to be read, and until it was nothing is to be done.
                    lane.ahead.first_begin = None;
                    break;
                }
                let Some((seq, entry, is_stored)) = lane.pop() else {
                    break;
                };
                self.leave((seq, level), entry, is_stored, Reason::Expired, settled);
                is_any_over = true;
            }
            self.open_lane(level).note_expired(is_any_over);
        }
    }

    /// Delayed messages that are due stand at the end of the queue from now on; those that soon will be are
    /// to be read. Answers how many were due.
    fn mature(&mut self, now_ms: u64, facts: &mut Vec<Fact>) -> usize {
        let (durable, next_seq) = (self.durable, self.next_seq);
        let Some(extras) = &mut self.extras else { return 0 };
        let times = &mut extras.times;
        times.pages.look_ahead(now_ms);
        let mut settled = Gathered::default();
        let mut ready = Vec::new();
        while let Some(((due, _), _)) = times.dues.first()
            && due <= now_ms
            && let Some(((_, seq), octets)) = times.dues.pop_first()
        {
            if let Some(entry) = times.delayed.ready.remove(seq) {
                // It stands in no extent, so that this is all there is to its going.
                let (body_bytes, memory_bytes) = (entry.body_bytes(), entry.message.memory_bytes());
                let persistent = durable && entry.message.envelope().persistent;
                times.came_up(body_bytes, false, persistent);
                self.octets.taken_up(body_bytes);
                self.octets.gone(body_bytes, 0);
                self.bytes -= memory_bytes;
                settled.push(seq, persistent, octets);
                ready.push(entry.message);
            } else if let Some(entry) = times.delayed.find(seq) {
                let persistent = durable && entry.message.envelope().persistent;
                settled.push(seq, persistent, octets);
                ready.push(entry.message.clone());
            } else if times.delayed.ahead.absent.contains(seq) {
                times.want(seq, due, octets);
            }
        }
        // What is due in that millisecond is among them: `next` says that it is to be looked for now.
        times.want_until(now_ms.saturating_add(AHEAD_MS + 1));
        facts.extend(settled.settled());
        let count = ready.len();
        let numbered = (next_seq..).zip(ready);
        facts.extend(numbered.map(|(seq, message)| Fact::Enqueued {
            seq,
            message,
            is_due: true,
        }));
        count
    }
}

impl Times {
    /// What is due before an hour and not in memory is to be read.
    fn want_until(&mut self, until_ms: u64) {
        if until_ms <= self.read_until_ms {
            return;
        }
        let from = std::mem::replace(&mut self.read_until_ms, until_ms);
        if self.delayed.ahead.is_bare() || self.delayed.ahead.absent.is_empty() {
            return;
        }
        let soon = self.dues.iter_from((from, 0));
        let soon = soon.take_while(|((due, _), _)| *due < until_ms);
        let soon = soon.filter(|((_, seq), _)| self.delayed.ahead.absent.contains(*seq));
        let soon: Vec<((u64, u64), u32)> = soon.map(|(key, octets)| (key, *octets)).collect();
        for ((due, seq), octets) in soon {
            self.dues.remove((due, seq));
            self.want(seq, due, octets);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::message::{AnnotationsWriter, Parts};

    fn message(published_ms: u64, ttl_ms: Option<u64>, due_ms: Option<u64>) -> Message {
        let mut noted = AnnotationsWriter::default();
        ttl_ms.into_iter().for_each(|ttl| noted.ttl_ms(ttl));
        due_ms.into_iter().for_each(|due| noted.due_ms(due));
        let annotations = noted.bytes();
        Message::of(&Parts {
            published_ms,
            annotations,
            ..Parts::default()
        })
        .unwrap()
    }

    #[test]
    fn a_time_to_live_counts_from_the_later_hour() {
        let expiry = |published, due| own_expiry_ms(&message(published, Some(7), due));
        assert_eq!(expiry(100, None), Some(107));
        assert_eq!(expiry(100, Some(150)), Some(157));
        assert_eq!(expiry(100, Some(50)), Some(107));
        // Nobody knows when it was published, or how long it has.
        assert_eq!(expiry(0, None), None);
        assert_eq!(own_expiry_ms(&message(100, None, None)), None);
        assert_eq!(own_expiry_ms(&message(100, Some(u64::MAX), None)), Some(u64::MAX));
    }

    #[test]
    fn what_was_due_when_it_was_published_is_not_delayed() {
        let delayed = |due| delayed_until(&message(100, None, due)).is_some();
        assert_eq!(
            [None, Some(99), Some(100), Some(101)].map(delayed),
            [false, false, false, true]
        );
    }

    #[test]
    fn an_hour_that_is_noted_for_later_replaces_the_one_of_before() {
        let resting = |until_ms| Resting {
            message: None,
            octets: 4,
            persistent: true,
            failures: 1,
            level: 0,
            until_ms,
        };
        let mut times = Times::default();
        times.rest(3, resting(10));
        assert_eq!(times.next(), Some(10));
        times.unrest(3).unwrap();
        times.rest(3, resting(20));
        assert_eq!((times.next(), times.waiting()), (Some(20), 1));
    }

    #[test]
    fn what_is_wanted_is_forgotten_when_it_is_done_with() {
        let mut times = Times::default();
        for seq in 0..5 {
            times.want(seq, 10, 4);
        }
        times.forget_wanted(Range { first: 1, last: 3 });
        assert_eq!(times.wanted.ranges(), [Range::one(0), Range::one(4)]);
        assert_eq!(times.wanted_dues.len(), 2);
        // Nothing in it was wanted.
        times.forget_wanted(Range { first: 2, last: 3 });
        assert_eq!(times.wanted_dues.len(), 2);
    }
}
