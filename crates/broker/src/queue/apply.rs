//! The door of facts: what they make of a queue, on the leader and in recovery alike.

use super::extras::Extras;
use super::fact::{Fact, Range};
use super::lane::{Entry, Past};
use super::times::{Resting, delayed_until, own_expiry_ms};
use super::{Held, Queue};
use crate::message::Message;

/// What of a number of messages is done with.
#[derive(Debug, Default)]
struct Sum {
    /// Messages that stood in extents.
    stored: u64,
    /// Those of them whose size is known here.
    known: u64,
    /// Octets of all whose size is known here.
    octets: u64,
    /// Octets of those of them that stood in extents that last.
    kept: u64,
    /// One stood in an extent that lasts.
    lasts: bool,
}

impl Sum {
    #[inline]
    fn add(&mut self, octets: u64, is_stored: bool, persistent: bool) {
        self.octets += octets;
        self.known += u64::from(is_stored);
        self.kept += if is_stored && persistent { octets } else { 0 };
    }

    /// Octets of those of unknown size, if `told` is what all were said to be. They are of one kind: in
    /// recovery all of them last, and otherwise a fact tells of one kind alone.
    fn unknown(&self, told: u64) -> u64 {
        match self.stored > self.known {
            true => told.saturating_sub(self.octets),
            false => 0,
        }
    }
}

impl Queue {
    /// Makes facts so. Called in the order in which they were decided.
    pub fn apply(&mut self, facts: impl IntoIterator<Item = Fact>) {
        for fact in facts {
            match fact {
                Fact::Enqueued { seq, message, is_due } => self.enqueue(seq, message, is_due),
                Fact::Settled { range, octets, .. } => self.settle(range, octets),
                Fact::Returned {
                    range,
                    failures,
                    until_ms,
                    octets,
                    ..
                } => {
                    for seq in range.first..=range.last {
                        if until_ms > 0 {
                            self.rest(seq, failures, until_ms, octets);
                        } else {
                            self.give_back(seq, failures);
                        }
                    }
                }
                Fact::Seen {
                    key,
                    until_ms,
                    persistent,
                } => {
                    let extras = self.extras.get_or_insert_default();
                    extras.see(key, until_ms, persistent);
                }
                Fact::Purged {
                    up_to,
                    except,
                    kept_octets,
                    kept_persistent,
                } => self.purge(up_to, &except, (kept_octets, kept_persistent)),
            }
        }
    }

    #[inline]
    fn enqueue(&mut self, seq: u64, message: Message, is_due: bool) {
        if seq < self.next_seq {
            return;
        }
        self.bytes += message.memory_bytes();
        self.octets.came(u64::from(message.envelope().body_bytes));
        self.next_seq = seq.saturating_add(1);
        let entry = Entry {
            message,
            past: Past::new(seq < self.stored.redelivered_below, 0),
        };
        if self.extras.is_none() && !entry.message.envelope().noted.has_times() {
            self.lane.ready.insert(seq, entry);
        } else {
            self.enqueue_special(seq, entry, is_due);
        }
    }

    #[cold]
    fn enqueue_special(&mut self, seq: u64, entry: Entry, is_due: bool) {
        if let Some(extras) = &mut self.extras
            && let Some(key) = extras.last_key(&entry.message)
        {
            let octets = entry.message.envelope().body_bytes;
            if is_due {
                // It came when it was published, and took its place then.
                extras.last.add(key, seq, octets);
            } else {
                extras.last.insert(key, seq, octets);
            }
        }
        let until = if is_due {
            None
        } else {
            delayed_until(&entry.message)
        };
        let Some(until_ms) = until else {
            let level = self.level_of(&entry.message);
            return self.enter(level, seq, entry);
        };
        let octets = entry.body_bytes();
        self.octets.set_aside(octets);
        let is_kept = self.is_kept(&entry.message);
        let times = &mut self.extras.get_or_insert_default().times;
        times.transient_octets += if is_kept { 0 } else { octets };
        times.note_due(seq, until_ms, entry.message.envelope().body_bytes);
        // Numbers of those that are due stand between theirs.
        times.delayed.ready.fit(true);
        times.delayed.ready.insert(seq, entry);
    }

    /// A message in memory, and in no extent, stands in a lane from now on.
    pub(super) fn enter(&mut self, level: u8, seq: u64, entry: Entry) {
        if own_expiry_ms(&entry.message).is_some() {
            let times = &mut self.extras.get_or_insert_default().times;
            times.note_expiry(seq, &entry.message);
        }
        self.open_lane(level).ready.insert(seq, entry);
    }

    fn settle(&mut self, range: Range, octets: u64) {
        let mut sum = Sum::default();
        let mut absent_delayed = 0;
        if !self.stored.is_bare() {
            let (durable, transient) = self.stored.settle(range);
            sum.stored = durable + transient;
            sum.lasts = durable > 0;
            for (_, lane) in self.lanes_mut() {
                lane.ahead.forget(range);
            }
            if let Some(extras) = &mut self.extras {
                absent_delayed = extras.forget_absent(range);
            }
        }
        let is_below_all = self.is_below_all(range.last);
        for seq in range.first..=range.last.min(self.next_seq) {
            if is_below_all {
                // It was taken out when it was decided that it is due.
            } else if let Some(held) = self.unsettled.remove(seq) {
                self.settle_held(held, &mut sum);
            } else {
                self.settle_other(seq, &mut sum);
            }
            if let Some(extras) = &mut self.extras {
                extras.forget(seq);
            }
        }
        let unknown = sum.unknown(octets);
        if absent_delayed > 0 {
            // They are settled when they are due, or hurried, together with others of their kind alone.
            self.octets.taken_up(unknown);
            if let Some(extras) = &mut self.extras {
                extras.times.came_up(unknown, true, sum.lasts);
            }
        }
        let kept = if sum.lasts { unknown } else { 0 };
        self.octets.gone(sum.octets + unknown, sum.kept + kept);
    }

    /// Whether all messages in memory have higher numbers.
    #[inline]
    fn is_below_all(&self, seq: u64) -> bool {
        let is_above = |first: Option<u64>| first.is_none_or(|first| first > seq);
        // Mostly it is out.
        is_above(self.unsettled.first().map(|(first, _)| first))
            && self.lanes().all(|(_, lane)| is_above(lane.first_in_memory()))
            && self.extras.as_ref().is_none_or(|extras| {
                is_above(extras.times.first_in_memory())
                    && is_above(extras.leaving.gone.first().map(|(first, _)| first))
            })
    }

    #[inline]
    fn settle_held(&mut self, held: Held, sum: &mut Sum) {
        if let Some(consumer) = held.consumer {
            self.consumers.released(consumer);
        }
        let octets = u64::from(held.octets);
        self.octets.came_in(octets);
        sum.add(octets, held.message.is_none(), held.persistent);
        self.bytes -= held.message.map_or(0, |message| message.memory_bytes());
    }

    /// A message that is settled and not out: it was leaving or, in recovery, where nothing is out, is still
    /// among the ready ones.
    fn settle_other(&mut self, seq: u64, sum: &mut Sum) {
        if self.settle_waiting(seq, sum) {
            return;
        }
        if let Some(gone) = self.extras.as_mut().and_then(|extras| extras.leaving.remove(seq)) {
            self.octets.taken_up(u64::from(gone.octets));
            self.bytes -= gone.message.map_or(0, |message| message.memory_bytes());
            sum.add(u64::from(gone.octets), gone.is_stored, gone.persistent);
            return;
        }
        let found = self.lanes_mut().find_map(|(_, lane)| lane.remove(seq));
        if let Some((entry, is_stored)) = found {
            if let Some(extras) = &mut self.extras {
                extras.times.drop_expiry(seq, &entry.message);
            }
            self.bytes -= entry.message.memory_bytes();
            sum.add(entry.body_bytes(), is_stored, self.is_kept(&entry.message));
        }
    }

    /// A message that is settled while it is delayed, or rests.
    fn settle_waiting(&mut self, seq: u64, sum: &mut Sum) -> bool {
        let Some(extras) = &mut self.extras else {
            return false;
        };
        let (message, octets) = if let Some((entry, is_stored)) = extras.times.undelay(seq) {
            let octets = entry.body_bytes();
            let persistent = self.durable && entry.message.envelope().persistent;
            sum.add(octets, is_stored, persistent);
            extras.times.came_up(octets, is_stored, persistent);
            (Some(entry.message), octets)
        } else if let Some(resting) = extras.times.unrest(seq) {
            let octets = u64::from(resting.octets);
            sum.add(octets, resting.message.is_none(), resting.persistent);
            (resting.message, octets)
        } else {
            return false;
        };
        self.octets.taken_up(octets);
        self.bytes -= message.map_or(0, |message| message.memory_bytes());
        true
    }

    /// A message comes back, and rests until an hour before it is ready.
    fn rest(&mut self, seq: u64, failures: u16, until_ms: u64, octets: u32) {
        if let Some(held) = self.unsettled.remove(seq) {
            if let Some(consumer) = held.consumer {
                self.consumers.released(consumer);
            }
            self.octets.came_in(u64::from(held.octets));
            let resting = Resting {
                message: held.message,
                octets: held.octets,
                persistent: held.persistent,
                failures,
                level: held.level,
                until_ms,
            };
            return self.lay(seq, resting);
        }
        // In recovery nothing is out: it is among the ready ones, or rests since before, as nothing is said
        // of its being ready again.
        if let Some(rested) = self.unrest(seq) {
            let resting = Resting {
                failures,
                until_ms,
                ..rested
            };
            return self.lay(seq, resting);
        }
        let found = self.lanes_mut().find_map(|(level, lane)| match lane.remove(seq) {
            Some(found) => Some((level, Some(found))),
            None => (!lane.ahead.is_bare() && lane.ahead.absent.remove(seq)).then_some((level, None)),
        });
        let Some((level, found)) = found else { return };
        let is_kept = |message: &Message| self.durable && message.envelope().persistent;
        let persistent = found.as_ref().is_none_or(|(entry, _)| is_kept(&entry.message));
        let message = match found {
            Some((entry, false)) => Some(entry.message),
            Some((entry, true)) => {
                self.bytes -= entry.message.memory_bytes();
                None
            }
            None => None,
        };
        let resting = Resting {
            message,
            octets,
            persistent,
            failures,
            level,
            until_ms,
        };
        self.lay(seq, resting);
    }

    fn lay(&mut self, seq: u64, resting: Resting) {
        self.octets.set_aside(u64::from(resting.octets));
        let extras = self.extras.get_or_insert_default();
        if let Some(groups) = &mut extras.groups {
            groups.rest(seq);
        }
        extras.last.came_back(seq);
        extras.times.rest(seq, resting);
    }

    fn unrest(&mut self, seq: u64) -> Option<Resting> {
        let resting = self.extras.as_mut()?.times.unrest(seq)?;
        self.octets.taken_up(u64::from(resting.octets));
        Some(resting)
    }

    fn give_back(&mut self, seq: u64, failures: u16) {
        if let Some(held) = self.unsettled.remove(seq) {
            self.octets.came_in(u64::from(held.octets));
            if let Some(consumer) = held.consumer {
                self.consumers.released(consumer);
            }
            return self.put_down(seq, held.level, held.message, failures);
        }
        // In recovery nothing is out.
        if let Some(rested) = self.unrest(seq) {
            return self.put_down(seq, rested.level, rested.message, failures);
        }
        let mut is_absent = false;
        for (_, lane) in self.lanes_mut() {
            if let Some(entry) = lane.find_mut(seq) {
                entry.past = Past::new(true, failures);
                return;
            }
            is_absent |= lane.ahead.absent.contains(seq);
        }
        if is_absent {
            self.stored.note(seq, true, failures);
        }
    }

    /// A message that went out before is ready again, in its place.
    pub(super) fn put_down(&mut self, seq: u64, level: u8, message: Option<Message>, failures: u16) {
        let is_stored = message.is_none();
        match message {
            Some(message) => {
                let entry = Entry {
                    message,
                    past: Past::new(true, failures),
                };
                self.open_lane(level).ready.insert(seq, entry);
            }
            None => {
                self.stored.note(seq, true, failures);
                self.open_lane(level).ahead.absent.insert(seq);
            }
        }
        if let Some(extras) = &mut self.extras {
            extras.times.came_back(seq, is_stored);
            if let Some(groups) = &mut extras.groups {
                groups.put_down(level, seq);
            }
            extras.last.came_back(seq);
        }
    }

    /// What stays are so many octets, and so many of persistent messages.
    fn purge(&mut self, up_to: u64, except: &[Range], (kept, kept_persistent): (u64, u64)) {
        let mut gone = Vec::with_capacity(except.len() + 1);
        let mut first = 0;
        for kept in except {
            if let Some(last) = kept.first.checked_sub(1)
                && first <= last
            {
                gone.push(Range { first, last });
            }
            first = first.max(kept.last.saturating_add(1));
        }
        if first <= up_to {
            gone.push(Range { first, last: up_to });
        }
        let is_changed = self.purge_ranges(&gone);
        if is_changed {
            let mut later = 0;
            let mut stored = kept_persistent;
            self.each_unstored(&mut |seq, octets, persistent| {
                let is_later = seq > up_to;
                later += if is_later { octets } else { 0 };
                if persistent && !is_later {
                    stored = stored.saturating_sub(octets);
                }
            });
            self.octets.purged(kept + later, stored);
        }
    }

    /// Number and octets of everything that stands in no extent, and whether it survives a restart.
    fn each_unstored(&self, each: &mut dyn FnMut(u64, u64, bool)) {
        let mut message = |seq, message: &Message| {
            let octets = u64::from(message.envelope().body_bytes);
            each(seq, octets, self.is_kept(message));
        };
        for (seq, entry) in self.lanes().flat_map(|(_, lane)| lane.ready.iter()) {
            message(seq, &entry.message);
        }
        for (seq, held) in self.unsettled.iter() {
            held.message.iter().for_each(|held| message(seq, held));
        }
        let Some(extras) = &self.extras else { return };
        extras
            .times
            .unstored(0)
            .for_each(|(seq, waiting)| message(seq, waiting));
        for (seq, gone) in extras.leaving.gone.iter().filter(|(_, gone)| !gone.is_stored) {
            each(seq, u64::from(gone.octets), gone.persistent);
        }
    }

    /// Everything in these rising ranges that is not out goes. Answers whether there was anything.
    fn purge_ranges(&mut self, gone: &[Range]) -> bool {
        let mut is_changed = false;
        if !self.stored.is_bare() {
            for range in gone {
                let (durable, transient) = self.stored.settle(*range);
                is_changed |= durable + transient > 0;
            }
        }
        // Each lane is gone through once, however many pieces what stays leaves.
        let freed: usize = self.lanes_mut().map(|(_, lane)| lane.purge(gone)).sum();
        self.bytes -= freed;
        for range in gone {
            // In recovery nothing was said of messages that have rested.
            let rested = self.extras.as_ref().map(|extras| extras.times.resting_in(*range));
            for seq in rested.into_iter().flatten() {
                if let Some(resting) = self.unrest(seq) {
                    self.bytes -= resting.message.map_or(0, |message| message.memory_bytes());
                    is_changed = true;
                }
            }
            if let Some(extras) = &mut self.extras {
                extras.forget_purged(*range);
            }
        }
        if freed > 0 || is_changed {
            self.tidy_expiries();
        }
        is_changed || freed > 0
    }

    /// Notes of what is gone go, too.
    fn tidy_expiries(&mut self) {
        let Some(mut extras) = self.extras.take() else {
            return;
        };
        let Extras { levels, times, .. } = &mut *extras;
        let plain = &self.lane;
        times.retain(|seq| plain.contains(seq) || levels.iter().any(|(_, lane)| lane.contains(seq)));
        self.extras = Some(extras);
    }
}
