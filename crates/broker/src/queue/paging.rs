//! Moving messages between memory and extents.
//!
//! ```text
//!   unstored ─► (written to an extent) ─► stored       out of memory
//!   fetch    ─► (read from an extent)  ─► fetched      and back
//!   moved                                              from a sparse extent to another
//! ```
//!
//! None of this changes what the queue holds: it may happen at any time, and not at all.

use super::keys::Key;
use super::lane::{Entry, Past};
use super::octets::Octets;
use super::pages::Page;
use super::stored::{Chain, Chains, Fetch, Released, Shelf, Stretch};
use super::times::{Note, own_expiry_ms};
use super::{Queue, SeqSet};
use crate::message::Message;
use std::collections::BTreeMap;

/// Messages asked for at a time.
pub(super) const FETCHED_MAX: u64 = 16 * 1024;

/// Whose wish a [`Fetch`] is: lanes are named by their priority; then there are what is delayed and what
/// leaves.
pub(super) const DELAYED: u16 = 256;
const LEAVING: u16 = 257;

/// What a checkpoint holds of a queue: everything durable that is not in the log behind it.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// What stands in extents.
    pub durable: Chain,
    /// Which of these went out before.
    pub redelivered: SeqSet,
    /// All messages below this number did.
    pub redelivered_below: u64,
    /// How often deliveries of these failed, where any did.
    pub failures: BTreeMap<u64, u16>,
    /// Octets of the bodies of what stands in extents.
    pub octets: u64,
    /// Which of these have a priority above 0, by priority.
    pub levels: Vec<(u8, SeqSet)>,
    /// Which of these are delayed.
    pub delayed: SeqSet,
    /// Octets of their bodies.
    pub delayed_octets: u64,
    /// Where it stands when something happens to which of these by itself.
    pub pages: Vec<Page>,
    /// Which of these rest, and until when.
    pub rests: Vec<Note>,
    /// Keys of messages that last, in order, and until when each is remembered, in milliseconds since 1970.
    pub seen: Vec<(Key, u64)>,
    /// Which of these stand for which key: number, key, octets of the body.
    pub last: Vec<(u64, Key, u32)>,
}

impl Queue {
    /// The queue that a summary tells of. Facts from the log complete it.
    pub fn restore(summary: Summary) -> Self {
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
        let next_seq = durable.up_to();
        let mut plain = durable.live().clone();
        let mut queue = Self::new(true);
        for (level, seqs) in levels {
            for range in seqs.ranges() {
                plain.remove_range(range);
            }
            queue.open_lane(level).ahead.absent = seqs;
        }
        for range in delayed.ranges() {
            plain.remove_range(range);
        }
        if !plain.is_empty() {
            queue.lane.ahead.absent = plain;
        }
        if !delayed.is_empty() {
            let times = &mut queue.extras.get_or_insert_default().times;
            times.delayed.ahead.absent = delayed;
            times.stored_octets = delayed_octets;
        }
        let chains = Chains {
            durable,
            redelivered,
            redelivered_below,
            failures,
            ..Chains::default()
        };
        let mut queue = Self {
            stored: Shelf::new(chains),
            next_seq,
            octets: Octets::restored(octets),
            ..queue
        };
        queue.octets.set_aside(delayed_octets);
        queue.restore_pages(&pages);
        rests.into_iter().for_each(|note| queue.restore_rest(note));
        if !seen.is_empty() || !last.is_empty() {
            let extras = queue.extras.get_or_insert_default();
            for (key, until_ms) in seen {
                extras.seen.insert(key, until_ms, true);
            }
            for (seq, key, octets) in last {
                extras.last.add(key, seq, octets);
            }
        }
        queue
    }

    /// What rests is not ready.
    fn restore_rest(&mut self, note: Note) {
        let found = self
            .lanes_mut()
            .find_map(|(level, lane)| lane.ahead.absent.remove(note.seq).then_some(level));
        let Some(level) = found else { return };
        self.octets.set_aside(u64::from(note.octets));
        let failures = self.stored.failures_of(note.seq);
        let times = &mut self.extras.get_or_insert_default().times;
        times.restore_rest(note, level, failures);
    }

    /// The summary of what is durable now.
    pub fn summary(&self) -> Summary {
        let durable = self.stored.durable.clone();
        let mut redelivered = self.stored.redelivered.clone();
        let mut failures = self.stored.failures.clone();
        let mut levels: BTreeMap<u8, SeqSet> = BTreeMap::new();
        // What is out or in memory again knows for itself.
        let mut note = |seq, level, is_redelivered, failed| {
            if !durable.live().contains(seq) {
                return;
            }
            if is_redelivered {
                redelivered.insert(seq);
            }
            if failed > 0 {
                failures.insert(seq, failed);
            }
            if level > 0 {
                levels.entry(level).or_default().insert(seq);
            }
        };
        for (seq, held) in self.unsettled.iter() {
            note(seq, held.level, held.redelivered, held.failures);
        }
        for (level, lane) in self.lanes().filter(|(_, lane)| !lane.ahead.is_bare()) {
            for (seq, entry) in lane.ahead.front.iter() {
                note(seq, level, entry.past.is_redelivered(), entry.past.failures());
            }
        }
        if let Some(extras) = &self.extras {
            for (seq, gone) in extras.leaving.gone.iter() {
                note(seq, gone.level, gone.redelivered, gone.failures);
            }
            for (seq, resting) in &extras.times.resting {
                note(*seq, resting.level, true, resting.failures);
            }
        }
        self.add_absent_levels(durable.live(), &mut levels);
        let (mut rests, mut seen, mut last) = (Vec::new(), Vec::new(), Vec::new());
        let (mut delayed, mut delayed_octets) = (SeqSet::default(), 0);
        if let Some(extras) = &self.extras {
            delayed = extras.times.delayed_among(durable.live());
            delayed_octets = extras.times.stored_octets;
            rests = extras.times.rests(durable.live());
            seen = extras.seen.lasting();
            last.extend(
                extras
                    .last
                    .all()
                    .filter(|(seq, ..)| durable.live().contains(*seq)),
            );
        }
        Summary {
            durable,
            redelivered,
            redelivered_below: self.stored.redelivered_below,
            failures,
            octets: self.octets.stored(),
            levels: levels.into_iter().collect(),
            delayed,
            delayed_octets,
            pages: self.all_pages(),
            rests,
            seen,
            last,
        }
    }

    /// Which of these are ready with a priority above 0, and not in memory.
    fn add_absent_levels(&self, among: &SeqSet, levels: &mut BTreeMap<u8, SeqSet>) {
        for (level, lane) in self.lanes().filter(|(level, _)| *level > 0) {
            // Transient ones may be there, too.
            let absent = lane.ahead.absent.ranges().into_iter();
            for range in absent.flat_map(|range| among.head(range, u64::MAX, usize::MAX)) {
                levels.entry(level).or_default().insert_range(range);
            }
        }
    }

    /// The node crashed: whatever is in the queue may have been out.
    pub fn mark_redelivered(&mut self) {
        if self.ready_count() > 0 {
            self.stored.redelivered_below = self.next_seq;
            self.stored.redelivered = SeqSet::default();
        }
        for (_, lane) in self.lanes_mut() {
            let all: Vec<u64> = lane.ready.iter().map(|(seq, _)| seq).collect();
            for seq in all {
                if let Some(entry) = lane.ready.find_mut(seq) {
                    entry.past = entry.past.redelivered();
                }
            }
        }
    }

    /// Numbers below `next` are not given out any more.
    pub fn skip_to(&mut self, next: u64) {
        self.next_seq = self.next_seq.max(next);
    }

    /// What stands in extents: the durable messages, or the transient ones.
    pub fn chain(&self, durable: bool) -> &Chain {
        self.stored.get(durable)
    }

    /// The lowest persistent message that is in no extent, if there is one: the log has to be kept from
    /// there on.
    pub fn first_unstored(&self) -> Option<u64> {
        let from = self.stored.durable.up_to;
        let lanes = self.lanes();
        let ready = lanes.filter_map(|(_, lane)| {
            let entries = lane.ready.iter_from(from);
            let mut kept = entries.filter(|(_, entry)| self.is_kept(&entry.message));
            kept.next().map(|(seq, _)| seq)
        });
        let out = self.unsettled.iter_from(from);
        let out = out.filter(|(_, held)| held.persistent).map(|(seq, _)| seq).next();
        let leaving = self.extras.as_ref().and_then(|extras| {
            let gone = extras.leaving.gone.iter_from(from);
            gone.filter(|(_, gone)| gone.persistent)
                .map(|(seq, _)| seq)
                .next()
        });
        let waiting = self.extras.as_ref().and_then(|extras| {
            let mut kept = extras
                .times
                .unstored(from)
                .filter(|(_, message)| self.is_kept(message));
            kept.next().map(|(seq, _)| seq)
        });
        ready.chain(out).chain(leaving).chain(waiting).min()
    }

    /// Bytes of memory that messages in no extent take.
    pub fn unstored_bytes(&self) -> usize {
        let front: usize = self.lanes().map(|(_, lane)| lane.ahead.front_bytes).sum();
        let others = self.extras.iter().map(|extras| {
            let delayed = extras.times.delayed.ahead.front_bytes;
            delayed + extras.leaving.ahead.front_bytes
        });
        self.bytes - front - others.sum::<usize>()
    }

    /// Messages in no extent: those that survive or the others, by rising number from `from` on, until
    /// there are so many or so many bytes.
    pub fn unstored(
        &self,
        durable: bool,
        from: u64,
        messages_max: usize,
        bytes_max: usize,
    ) -> Vec<(u64, Message)> {
        let from = from.max(self.stored.get(durable).up_to);
        let ready = self.lane.ready.iter_from(from);
        let ready = ready.map(|(seq, entry)| (seq, &entry.message));
        let out = self.unsettled.iter_from(from);
        let out = out.filter_map(|(seq, held)| Some((seq, held.message.as_ref()?)));
        let both = merged(ready, out);
        match &self.extras {
            None => self.first_of(both, durable, messages_max, bytes_max),
            Some(extras) => {
                let mut all: Box<dyn Iterator<Item = (u64, &Message)>> = Box::new(both);
                for (_, lane) in extras.levels.iter() {
                    let more = lane.ready.iter_from(from);
                    all = Box::new(merged(all, more.map(|(seq, entry)| (seq, &entry.message))));
                }
                let leaving = extras.leaving.gone.iter_from(from);
                let leaving = leaving.filter(|(_, gone)| !gone.is_stored);
                let leaving = leaving.filter_map(|(seq, gone)| Some((seq, gone.message.as_ref()?)));
                let all = merged(merged(all, leaving), extras.times.unstored(from));
                self.first_of(all, durable, messages_max, bytes_max)
            }
        }
    }

    /// The first of these that survive, or of the others, until there are so many or so many bytes.
    fn first_of<'a>(
        &self,
        all: impl Iterator<Item = (u64, &'a Message)>,
        durable: bool,
        messages_max: usize,
        bytes_max: usize,
    ) -> Vec<(u64, Message)> {
        let mut found = Vec::new();
        let mut bytes = 0;
        for (seq, message) in all.filter(|(_, message)| self.is_kept(message) == durable) {
            if found.len() >= messages_max || bytes >= bytes_max {
                break;
            }
            bytes += message.memory_bytes();
            found.push((seq, message.clone()));
        }
        found
    }

    /// Messages that [`Queue::unstored`] named stand in an extent now. All that it named are given, in
    /// order, whether they are settled meanwhile or not. Up to `keep_bytes` stay in memory.
    pub fn stored(&mut self, durable: bool, extent: u64, seqs: &[u64], keep_bytes: usize) {
        for &seq in seqs {
            if let Some(held) = self.unsettled.find_mut(seq)
                && let Some(message) = held.message.take()
            {
                self.bytes -= message.memory_bytes();
                self.octets.stored_one(u64::from(held.octets), durable);
                self.stored.add(durable, extent, seq, true);
                continue;
            }
            let found = self
                .lanes_mut()
                .find_map(|(level, lane)| Some((level, lane.ready.remove(seq)?)));
            if let Some((level, entry)) = found {
                self.octets.stored_one(entry.body_bytes(), durable);
                self.stored.add(durable, extent, seq, true);
                self.shelve(level, seq, entry, keep_bytes);
                continue;
            }
            let is_live = self.stored_aside(durable, seq, keep_bytes);
            self.stored.add(durable, extent, seq, is_live);
        }
    }

    /// The same of a message that is neither ready nor out. Answers whether there is one.
    fn stored_aside(&mut self, durable: bool, seq: u64, keep_bytes: usize) -> bool {
        let Some(extras) = &mut self.extras else {
            return false;
        };
        if let Some((octets, freed)) = extras.leaving.stored(seq, keep_bytes) {
            self.octets.stored_one(u64::from(octets), durable);
            self.bytes -= freed;
            return true;
        }
        let times = &mut extras.times;
        if let Some(resting) = times.resting.get_mut(&seq) {
            if let Some(message) = resting.message.take() {
                self.bytes -= message.memory_bytes();
                self.octets.stored_one(u64::from(resting.octets), durable);
            }
            return true;
        }
        let Some(entry) = times.delayed.ready.remove(seq) else {
            return false;
        };
        self.octets.stored_one(entry.body_bytes(), durable);
        times.stored_octets += if durable { entry.body_bytes() } else { 0 };
        let bytes = entry.message.memory_bytes();
        // What is about to be due would have to be read again at once.
        if times.is_soon(&entry.message) {
            // When it is due it is logged as a whole: the log is not kept for it any more.
            entry.message.forget_log_place();
            times.delayed.ahead.front_bytes += bytes;
            times.delayed.ahead.front.insert(seq, entry);
        } else {
            times.delayed.ahead.absent.insert(seq);
            self.bytes -= bytes;
        }
        true
    }

    /// A ready message stands in an extent now: it stays in memory if it is next and there is room.
    fn shelve(&mut self, level: u8, seq: u64, entry: Entry, keep_bytes: usize) {
        let bytes = entry.message.memory_bytes();
        let is_top = level == self.top();
        let ahead = &mut *self.open_lane(level).ahead;
        if is_top && ahead.absent.is_empty() && ahead.front_bytes + bytes <= keep_bytes {
            ahead.front_bytes += bytes;
            ahead.front.insert(seq, entry);
            return;
        }
        ahead.absent.insert(seq);
        self.bytes -= bytes;
        self.stored
            .note(seq, entry.past.is_redelivered(), entry.past.failures());
    }

    /// How much of what is stored may stay in memory for the consumers that there are, if it is `ahead_bytes`
    /// for any.
    pub fn keep_bytes(&self, ahead_bytes: usize) -> usize {
        if self.consumers.len() > 0 { ahead_bytes } else { 0 }
    }

    /// Drops bodies that stand in an extent, but for the first `keep_bytes` of the highest priority.
    pub fn evict(&mut self, keep_bytes: usize) {
        if self.stored.is_bare() {
            return;
        }
        let top = self.top();
        let Self {
            lane, extras, stored, ..
        } = self;
        let chains = &mut **stored;
        let mut freed = 0;
        if let Some(extras) = extras {
            freed += extras.times.evict();
        }
        let mut gone = Vec::new();
        let more = extras.iter_mut().flat_map(|extras| extras.levels.iter_mut());
        for (level, lane) in std::iter::once((0, lane)).chain(more) {
            if lane.ahead.is_bare() {
                continue;
            }
            let keep_bytes = if level == top { keep_bytes } else { 0 };
            freed += lane.ahead.evict(keep_bytes, &mut |seq, entry| {
                chains.note(seq, entry.past.is_redelivered(), entry.past.failures());
                gone.extend(own_expiry_ms(&entry.message).map(|at| (at, seq)));
            });
        }
        if let Some(extras) = extras {
            let times = &mut extras.times;
            gone.retain(|(at, _)| times.pages.is_beyond(*at));
            gone.into_iter()
                .for_each(|(at, seq)| times.drop_expiry_at(at, seq));
        }
        self.bytes -= freed;
    }

    /// What is to be read from an extent now, for consumers to come or for one that waits. To be answered
    /// by [`Queue::fetched`]; there is one wish of each priority at a time. `ahead_bytes` are read ahead of
    /// consumers: less than half of it in memory asks for more.
    pub fn fetch(&mut self, ahead_bytes: usize) -> Option<Fetch> {
        if self.stored.is_bare() {
            return None;
        }
        let wants_ahead = self.consumers.len() > 0;
        let has_ttl = self.has_ttl();
        let top = self.top();
        let round = self.extras.as_ref().and_then(|extras| extras.leaving.round);
        let Self {
            lane, extras, stored, ..
        } = self;
        let more = extras.iter_mut().flat_map(|extras| extras.levels.iter_mut());
        for (level, lane) in std::iter::once((0, lane)).chain(more) {
            if lane.ahead.is_bare() {
                continue;
            }
            let wants_ahead = wants_ahead && level == top;
            // Of a queue that is deleted nothing is read that nobody took.
            let of = round
                .filter(|_| lane.ahead.is_hungry)
                .map(|round| lane.ahead.absent_from(round.from));
            let mut fetch = lane
                .ahead
                .fetch(stored, of.as_ref(), ahead_bytes, FETCHED_MAX, wants_ahead);
            if fetch.is_none() && has_ttl && lane.lacks_head() {
                fetch = lane.ahead.fetch_first(stored, ahead_bytes);
            }
            if let Some(fetch) = fetch {
                return Some(Fetch {
                    lane: u16::from(level),
                    ..fetch
                });
            }
        }
        let extras = extras.as_mut()?;
        if let Some(fetch) = extras.leaving.fetch(stored, ahead_bytes) {
            return Some(Fetch {
                lane: LEAVING,
                ..fetch
            });
        }
        let fetch = extras.times.fetch(stored, ahead_bytes, FETCHED_MAX)?;
        Some(Fetch {
            lane: DELAYED,
            ..fetch
        })
    }

    /// Messages were read; what of the wish is in neither list is asked for again when it is needed. Lost
    /// ones cannot be read: nobody gets them, and they are not settled.
    pub fn fetched(&mut self, lane: u16, ticket: u64, found: Vec<(u64, Message)>, lost: &[u64]) {
        match lane {
            LEAVING => {
                if let Some(extras) = &mut self.extras {
                    self.bytes += extras.leaving.fetched(ticket, found, lost);
                }
                return;
            }
            DELAYED => {
                if let Some(extras) = &mut self.extras {
                    self.bytes += extras.times.fetched(ticket, found, lost);
                }
                return;
            }
            _ => {}
        }
        let Ok(level) = u8::try_from(lane) else { return };
        let lane = match level {
            0 => Some(&mut self.lane),
            _ => self
                .extras
                .as_mut()
                .and_then(|extras| extras.levels.get_mut(level)),
        };
        let Some(lane) = lane.filter(|lane| !lane.ahead.is_bare()) else {
            return;
        };
        let reading = &mut *lane.ahead;
        let mut here = Vec::with_capacity(found.len());
        reading.fetched(ticket, found, lost, &mut |seq, message| here.push((seq, message)));
        for (seq, message) in here {
            let entry = Entry {
                message,
                past: Past::new(self.stored.is_redelivered(seq), self.stored.failures_of(seq)),
            };
            self.bytes += entry.message.memory_bytes();
            if own_expiry_ms(&entry.message).is_some() {
                let times = &mut self.extras.get_or_insert_default().times;
                times.note_expiry(seq, &entry.message);
            }
            // Mostly that of the wish; another one where a damaged checkpoint did not tell.
            let level = self.level_of(&entry.message);
            self.open_lane(level).put_back(seq, entry, true);
        }
    }

    /// The live messages of a stretch stand in another extent now, as the stretch `copied`.
    pub fn moved(&mut self, durable: bool, from_extent: u64, copied: Stretch) {
        self.stored.moved(durable, from_extent, copied);
    }

    /// What extents no longer have to keep for this queue, since this was last asked.
    pub fn take_released(&mut self) -> Vec<Released> {
        if self.stored.is_bare() {
            return Vec::new();
        }
        std::mem::take(&mut self.stored.released)
    }

    /// Gives memory back that an idle queue does not need.
    pub fn unload(&mut self) {
        for (_, lane) in self.lanes_mut() {
            if lane.ready.is_empty() {
                lane.ready.clear();
            }
            lane.ahead.clear();
        }
        if let Some(extras) = &mut self.extras {
            extras.levels.tidy();
            extras.leaving.unload();
            extras.times.delayed.ahead.clear();
            extras.times.pages.prune(&self.stored);
        }
        if self.unsettled.is_empty() {
            self.unsettled.clear();
        }
        // As long as it holds anything, a crash before is to be known.
        if self.totals().messages() == 0 && self.stored.has_nothing_live() {
            self.stored.clear();
        }
    }

    /// The queue goes: everything that it has in extents, and what was released before.
    pub fn release_all(&mut self) -> Vec<Released> {
        if self.stored.is_bare() {
            return Vec::new();
        }
        self.stored.release_all()
    }
}

/// Two rising sequences as one.
pub(super) fn merged<'a>(
    one: impl Iterator<Item = (u64, &'a Message)>,
    other: impl Iterator<Item = (u64, &'a Message)>,
) -> impl Iterator<Item = (u64, &'a Message)> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || {
        let is_first = match (one.peek(), other.peek()) {
            (Some((a, _)), Some((b, _))) => a < b,
            (first, _) => first.is_some(),
        };
        if is_first { one.next() } else { other.next() }
    })
}
