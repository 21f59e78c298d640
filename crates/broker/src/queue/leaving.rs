//! Messages that are about to leave for another queue: dead letters.
//!
//! A message that is leaving is neither ready nor out. It is done with here when it stands there, which is
//! one step in the log; until then a crash leaves it where it was.
//!
//! One that nobody takes is passed over until all are tried again. Of a queue that is deleted, all that it
//! holds leaves. That may be far more than memory has room for: so it is taken out of the lanes little by
//! little, and what nobody takes is put back, where it waits for the next time round.

use super::fact::Gathered;
use super::lane::{Ahead, Entry, Next, Past};
use super::paging::FETCHED_MAX;
use super::stored::{Chains, Fetch};
use super::times::Resting;
use super::window::Window;
use super::{Queue, SeqSet};
use crate::message::{Message, Reason};

/// A message that is to be queued elsewhere.
#[derive(Debug, Clone)]
pub struct Leaving {
    /// Its number here; `None`: it was never queued, for want of room.
    pub seq: Option<u64>,
    /// It.
    pub message: Message,
    /// Why.
    pub reason: Reason,
}

/// A message that is leaving, as far as it is known here.
#[derive(Debug)]
pub(super) struct Gone {
    /// `None` while it has to be read.
    pub(super) message: Option<Message>,
    pub(super) is_stored: bool,
    pub(super) reason: Reason,
    pub(super) octets: u32,
    pub(super) persistent: bool,
    pub(super) redelivered: bool,
    pub(super) failures: u16,
    /// The priority of the lane that it comes from.
    pub(super) level: u8,
    /// Nobody took it.
    pub(super) is_tried: bool,
}

/// How far it came with the lanes of a queue that is deleted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    /// Of which priority the next message is; `None`: there is none.
    pub(super) level: Option<u8>,
    /// It has no lower number.
    pub(super) from: u64,
}

/// All messages that are leaving.
#[derive(Debug, Default)]
pub(super) struct Exit {
    pub(super) gone: Window<Gone>,
    /// Those that have to be read.
    pub(super) ahead: Ahead,
    /// Those that were not taken for want of room.
    turned_away: Vec<Message>,
    /// How many nobody took.
    tried: usize,
    /// Those of them that stand in an extent: they are not in memory until they are tried again.
    put_by: SeqSet,
    /// All below this number are such.
    untried_from: u64,
    /// The queue is deleted.
    pub(super) round: Option<Round>,
}

impl Exit {
    pub(super) fn len(&self) -> usize {
        self.gone.len() + self.turned_away.len()
    }

    /// There was no room for messages.
    fn turn_away(&mut self, messages: Vec<Message>) {
        self.turned_away.extend(messages);
    }

    /// A message from a lane leaves.
    pub(super) fn push(
        &mut self,
        seq: u64,
        level: u8,
        entry: Entry,
        is_stored: bool,
        persistent: bool,
        reason: Reason,
    ) {
        let gone = Gone {
            octets: entry.message.envelope().body_bytes,
            message: Some(entry.message),
            is_stored,
            reason,
            persistent,
            redelivered: entry.past.is_redelivered(),
            failures: entry.past.failures(),
            level,
            is_tried: false,
        };
        self.add(seq, gone, false);
    }

    /// A message leaves. `needs_body`: if it is not in memory, it has to be read first.
    pub(super) fn add(&mut self, seq: u64, gone: Gone, needs_body: bool) {
        match &gone.message {
            Some(message) if gone.is_stored => self.ahead.front_bytes += message.memory_bytes(),
            None if needs_body => {
                self.ahead.absent.insert(seq);
            }
            Some(_) | None => {}
        }
        self.untried_from = self.untried_from.min(seq);
        self.gone.insert(seq, gone);
    }

    /// A message is done with, or does not leave any more.
    pub(super) fn remove(&mut self, seq: u64) -> Option<Gone> {
        let gone = self.gone.remove(seq)?;
        self.tried -= usize::from(gone.is_tried);
        match &gone.message {
            Some(message) if gone.is_stored => self.ahead.front_bytes -= message.memory_bytes(),
            None if gone.is_tried => {
                self.put_by.remove(seq);
            }
            Some(_) | None => {}
        }
        Some(gone)
    }

    /// Nobody took a message. Answers the bytes of memory given free.
    fn not_taken(&mut self, seq: u64) -> usize {
        let Some(gone) = self.gone.find_mut(seq) else {
            return 0;
        };
        if !std::mem::replace(&mut gone.is_tried, true) {
            self.tried += 1;
        }
        if !gone.is_stored {
            return 0;
        }
        let Some(message) = gone.message.take() else {
            return 0;
        };
        self.put_by.insert(seq);
        let bytes = message.memory_bytes();
        self.ahead.front_bytes -= bytes;
        bytes
    }

    /// A message stands in an extent now. One that waits to be tried stays in memory if there is room for it.
    /// Answers whether there is such a message, the octets of its body, and the bytes of memory given free.
    pub(super) fn stored(&mut self, seq: u64, keep_bytes: usize) -> Option<(u32, usize)> {
        let gone = self.gone.find_mut(seq)?;
        let octets = gone.octets;
        if gone.is_stored {
            return Some((octets, 0));
        }
        gone.is_stored = true;
        let bytes = gone.message.as_ref().map_or(0, Message::memory_bytes);
        if !gone.is_tried && self.ahead.front_bytes + bytes <= keep_bytes {
            self.ahead.front_bytes += bytes;
            return Some((octets, 0));
        }
        gone.message = None;
        match gone.is_tried {
            true => self.put_by.insert(seq),
            false => self.ahead.absent.insert(seq),
        };
        Some((octets, bytes))
    }

    /// A message was read. Answers the bytes of memory that it takes.
    pub(super) fn fetched(&mut self, ticket: u64, found: Vec<(u64, Message)>, lost: &[u64]) -> usize {
        if self.ahead.is_bare() {
            return 0;
        }
        let (gone, reading) = (&mut self.gone, &mut *self.ahead);
        let mut bytes = 0;
        reading.fetched(ticket, found, lost, &mut |seq, message| {
            if let Some(gone) = gone.find_mut(seq) {
                bytes += message.memory_bytes();
                gone.message = Some(message);
            }
        });
        reading.front_bytes += bytes;
        for seq in lost {
            self.remove(*seq);
        }
        bytes
    }

    /// What is to be read, if anything is: there is little in memory that is to be tried.
    pub(super) fn fetch(&mut self, chains: &Chains, ahead_bytes: usize) -> Option<Fetch> {
        if self.ahead.is_bare() {
            return None;
        }
        self.ahead.is_hungry |= self.ahead.front_bytes == 0;
        self.ahead.fetch(chains, None, ahead_bytes, FETCHED_MAX, true)
    }

    /// The first messages that were not tried and are in memory, at most so many. Those without a number come
    /// before, and are named once.
    pub(super) fn first(&mut self, max: usize) -> Vec<Leaving> {
        let count = self.turned_away.len().min(max);
        let turned_away = self.turned_away.drain(..count).map(|message| Leaving {
            seq: None,
            message,
            reason: Reason::MaxLen,
        });
        let mut first: Vec<Leaving> = turned_away.collect();
        let is_untried = |(_, gone): &(u64, &Gone)| !gone.is_tried;
        let mut untried = self
            .gone
            .iter_from(self.untried_from)
            .filter(is_untried)
            .peekable();
        self.untried_from = untried.peek().map_or(u64::MAX, |(seq, _)| *seq);
        let here = untried.filter_map(|(seq, gone)| {
            Some(Leaving {
                seq: Some(seq),
                message: gone.message.clone()?,
                reason: gone.reason,
            })
        });
        first.extend(here.take(max - count));
        first
    }

    /// All are to be tried again.
    fn try_again(&mut self) {
        if self.tried == 0 {
            return;
        }
        let all: Vec<u64> = self.gone.iter().map(|(seq, _)| seq).collect();
        for seq in all {
            if let Some(gone) = self.gone.find_mut(seq) {
                gone.is_tried = false;
            }
        }
        (self.tried, self.untried_from) = (0, 0);
        for range in std::mem::take(&mut self.put_by).ranges() {
            self.ahead.absent.insert_range(range);
        }
    }

    /// Gives memory back that an idle queue does not need.
    pub(super) fn unload(&mut self) {
        // What is in memory stands among those that leave.
        if self.ahead.front_bytes == 0 {
            self.ahead.clear();
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = (u64, Option<&Message>, bool)> {
        let all = self.gone.iter();
        all.map(|(seq, gone)| (seq, gone.message.as_ref(), gone.redelivered))
    }
}

impl Queue {
    /// Messages were not taken for want of room; they leave, but for copies of what came before: those are
    /// dead letters as little as they would have been queued.
    pub fn turn_away(&mut self, messages: &[Message], now_ms: u64) {
        let extras = self.extras.get_or_insert_default();
        let is_copy = |message: &Message| {
            let key = extras.copy_key(message, now_ms);
            key.is_some_and(|(key, _)| extras.seen.has(key, now_ms))
        };
        let leaving = messages.iter().filter(|message| !is_copy(message));
        let leaving: Vec<Message> = leaving.cloned().collect();
        extras.leaving.turn_away(leaving);
    }

    /// Whether anything leaves.
    pub fn has_leaving(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|extras| extras.leaving.len() > 0)
    }

    /// The first messages that leave and are in memory, at most so many, without those that nobody took. They
    /// are leaving until [`Command::Left`](super::Command::Left) says that they have.
    pub fn leaving(&mut self, max: usize) -> Vec<Leaving> {
        match &mut self.extras {
            None => Vec::new(),
            Some(extras) => extras.leaving.first(max),
        }
    }

    /// How many messages leave that nobody took.
    pub fn tried(&self) -> usize {
        self.extras.as_ref().map_or(0, |extras| extras.leaving.tried)
    }

    /// How many messages leave that are still to be tried.
    pub fn untried(&self) -> usize {
        let extras = self.extras.as_ref();
        extras.map_or(0, |extras| extras.leaving.len() - extras.leaving.tried)
    }

    /// Those of these messages that have not left are passed over until [`Queue::try_again`]: nobody took
    /// them. Answers how many they are.
    pub fn not_taken(&mut self, seqs: &[u64]) -> usize {
        let mut count = 0;
        for seq in seqs {
            let Some(extras) = &mut self.extras else { break };
            let is_emptied = extras.leaving.round.is_some();
            let Some(gone) = extras.leaving.gone.find_mut(*seq) else {
                continue;
            };
            count += 1;
            // What left for another reason has to keep it.
            if is_emptied && gone.reason == Reason::Deleted && gone.message.is_some() {
                self.put_off(*seq);
            } else {
                self.bytes -= extras.leaving.not_taken(*seq);
            }
        }
        count
    }

    /// A message of a queue that is deleted is put back to where it was.
    fn put_off(&mut self, seq: u64) {
        let Some(extras) = &mut self.extras else { return };
        let Some(gone) = extras.leaving.remove(seq) else {
            return;
        };
        extras.times.came_back(seq, gone.is_stored);
        self.octets.taken_up(u64::from(gone.octets));
        let Some(message) = gone.message else { return };
        let entry = Entry {
            message,
            past: Past::new(gone.redelivered, gone.failures),
        };
        if gone.is_stored {
            self.stored.note(seq, gone.redelivered, gone.failures);
            self.bytes -= entry.message.memory_bytes();
            self.open_lane(gone.level).ahead.unread(seq, &entry);
        } else {
            self.open_lane(gone.level).put_back(seq, entry, false);
        }
    }

    /// Whether all that a deleted queue has ready was tried, and nobody took what is left.
    pub fn has_tried_all(&self) -> bool {
        let round = self.extras.as_ref().and_then(|extras| extras.leaving.round);
        round.is_some_and(|round| round.level.is_none()) && self.untried() == 0
    }

    /// What nobody took is to be tried again. Of a queue that is deleted, what is still to be tried comes
    /// first.
    pub fn try_again(&mut self) {
        let Some(extras) = &mut self.extras else { return };
        let leaving = &mut extras.leaving;
        leaving.try_again();
        if let Some(Round { level: None, .. }) = leaving.round {
            self.begin_round();
        }
    }

    fn begin_round(&mut self) {
        let level = self.lanes().map(|(level, _)| level).max();
        let round = Round { level, from: 0 };
        self.extras.get_or_insert_default().leaving.round = Some(round);
    }

    /// So many messages leave, if there are dead letters; what has to be read first leaves when this is asked
    /// again after it was. For a queue that is deleted, and has no consumers any more. Each leaves once until
    /// [`Queue::try_again`].
    pub fn leave_some(&mut self, max: usize) {
        let is_empty = self.totals().messages() == 0;
        let leaving = &mut self.extras.get_or_insert_default().leaving;
        if is_empty {
            leaving.round = None;
            return;
        }
        if leaving.round.is_none() {
            self.begin_round();
        }
        let mut left = 0;
        while left < max
            && let Some((level, seq)) = self.next_of_round()
            && let Some((entry, is_stored)) = self.open_lane(level).remove(seq)
        {
            // There are dead letters, so that nothing is settled here.
            let settled = &mut Gathered::default();
            self.leave((seq, level), entry, is_stored, Reason::Deleted, settled);
            left += 1;
        }
        let out = self.unsettled.iter().map(|(seq, _)| seq);
        let out: Vec<u64> = out.take(max - left).collect();
        left += out.len();
        out.into_iter().for_each(|seq| self.give_up(seq, Reason::Deleted));
        self.hurry(max - left);
    }

    /// The next message that stands in a lane, and its priority: the highest one first. `None` when there is
    /// none, or when it has to be read first.
    fn next_of_round(&mut self) -> Option<(u8, u64)> {
        let mut round = self.extras.as_ref()?.leaving.round?;
        let mut found = None;
        while let Some(level) = round.level {
            let lane = self.open_lane(level);
            match lane.next_from(round.from) {
                Some(Next::Here(seq)) => {
                    round.from = seq.saturating_add(1);
                    found = Some((level, seq));
                    break;
                }
                Some(Next::Absent(_)) => {
                    lane.ahead.is_hungry = true;
                    break;
                }
                None => {}
            }
            let lower = self.lanes().map(|(other, _)| other);
            round.level = lower.filter(|other| *other < level).max();
            round.from = 0;
        }
        self.extras.as_mut()?.leaving.round = Some(round);
        found
    }

    /// So many of the messages that are delayed or rest leave, or are to be read.
    fn hurry(&mut self, max: usize) {
        let Some(extras) = &mut self.extras else { return };
        let (hurried, octets) = extras.times.hurry(max);
        for (seq, resting) in extras.times.rise(u64::MAX, max) {
            extras.leaving.add(seq, Gone::rested(resting), true);
        }
        self.octets.taken_up(octets);
        for (seq, entry, is_stored) in hurried {
            let persistent = self.is_kept(&entry.message);
            if let Some(extras) = &mut self.extras {
                let times = &mut extras.times;
                times.came_up(entry.body_bytes(), is_stored, persistent);
            }
            let level = self.level_of(&entry.message);
            let settled = &mut Gathered::default();
            self.leave((seq, level), entry, is_stored, Reason::Deleted, settled);
        }
    }
}

impl Gone {
    /// A message that rests, of a queue that is deleted.
    fn rested(resting: Resting) -> Self {
        Self {
            is_stored: resting.message.is_none(),
            message: resting.message,
            reason: Reason::Deleted,
            octets: resting.octets,
            persistent: resting.persistent,
            redelivered: true,
            failures: resting.failures,
            level: resting.level,
            is_tried: false,
        }
    }
}
