//! Messages that are about to leave for another queue: dead letters.
//!
//! A message that is leaving is neither ready nor out. It is done with here when it stands there, which is
//! one step in the log; until then a crash leaves it where it was.

use super::Queue;
use super::fact::Gathered;
use super::lane::{Ahead, Entry};
use super::window::Window;
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
}

/// All messages that are leaving.
#[derive(Debug, Default)]
pub(super) struct Exit {
    pub(super) gone: Window<Gone>,
    /// Those that have to be read.
    pub(super) ahead: Ahead,
    /// Those that were not taken for want of room.
    turned_away: Vec<Message>,
}

impl Exit {
    pub(super) fn len(&self) -> usize {
        self.gone.len() + self.turned_away.len()
    }

    /// There was no room for messages.
    pub(super) fn turn_away(&mut self, messages: &[Message]) {
        self.turned_away.extend_from_slice(messages);
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
        };
        self.add(seq, gone, false);
    }

    /// A message leaves. `needs_body`: if it is not in memory, it has to be read first.
    pub(super) fn add(&mut self, seq: u64, gone: Gone, needs_body: bool) {
        if needs_body && gone.message.is_none() {
            self.ahead.absent.insert(seq);
            self.ahead.is_hungry = true;
        }
        self.gone.insert(seq, gone);
    }

    /// The first messages from a number on that are in memory, at most so many. Those without a number come
    /// before, and are named once.
    pub(super) fn first(&mut self, from: u64, max: usize) -> Vec<Leaving> {
        let count = self.turned_away.len().min(max);
        let turned_away = self.turned_away.drain(..count).map(|message| Leaving {
            seq: None,
            message,
            reason: Reason::MaxLen,
        });
        let mut first: Vec<Leaving> = turned_away.collect();
        let here = self.gone.iter_from(from).filter_map(|(seq, gone)| {
            Some(Leaving {
                seq: Some(seq),
                message: gone.message.clone()?,
                reason: gone.reason,
            })
        });
        first.extend(here.take(max - count));
        first
    }

    pub(super) fn live(&self) -> impl Iterator<Item = (u64, Option<&Message>, bool)> {
        let all = self.gone.iter();
        all.map(|(seq, gone)| (seq, gone.message.as_ref(), gone.redelivered))
    }
}

impl Queue {
    /// Messages were not taken for want of room; they leave.
    pub fn turn_away(&mut self, messages: &[Message]) {
        self.extras.get_or_insert_default().leaving.turn_away(messages);
    }

    /// Whether anything leaves.
    pub fn has_leaving(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|extras| extras.leaving.len() > 0)
    }

    /// The first messages from a number on that leave and are in memory, at most so many. They are leaving
    /// until [`Command::Left`](super::Command::Left) says that they have.
    pub fn leaving(&mut self, from: u64, max: usize) -> Vec<Leaving> {
        match &mut self.extras {
            None => Vec::new(),
            Some(extras) => extras.leaving.first(from, max),
        }
    }

    /// So many messages leave, if there are dead letters; what has to be read first leaves when this is asked
    /// again after it was. For a queue that is deleted, and has no consumers any more.
    pub fn leave_some(&mut self, max: usize) {
        let mut left = 0;
        while left < max {
            let top = self.top();
            let lane = self.open_lane(top);
            let Some((seq, entry, is_stored)) = lane.pop() else {
                break;
            };
            // There are dead letters, so that nothing is settled here.
            self.leave(
                (seq, top),
                entry,
                is_stored,
                Reason::Deleted,
                &mut Gathered::default(),
            );
            left += 1;
        }
        let out: Vec<u64> = self
            .unsettled
            .iter()
            .map(|(seq, _)| seq)
            .take(max - left)
            .collect();
        left += out.len();
        out.into_iter().for_each(|seq| self.give_up(seq, Reason::Deleted));
        self.hurry(max - left);
    }

    /// So many of the messages that are delayed or rest are ready now, or are to be read.
    fn hurry(&mut self, max: usize) {
        let Some(extras) = &mut self.extras else { return };
        let (hurried, octets) = extras.times.hurry(max);
        self.rise(u64::MAX, max);
        self.octets.taken_up(octets);
        for (seq, entry, is_stored) in hurried {
            let persistent = self.is_kept(&entry.message);
            if let Some(extras) = &mut self.extras {
                let times = &mut extras.times;
                times.came_up(entry.body_bytes(), is_stored, persistent);
            }
            let level = self.level_of(&entry.message);
            self.open_lane(level).put_back(seq, entry, is_stored);
        }
    }
}
