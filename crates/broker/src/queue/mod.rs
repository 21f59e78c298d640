//! A queue: a pure state machine with two doors.
//!
//! ```text
//!            commands                      facts
//!   leader  ─────────► decide ──► facts ─► (log) ─► apply ─► dispatch ─► deliveries
//!   replica, recovery                      facts ─► apply
//! ```
//!
//! [`Queue::decide`] says what a command comes to and changes nothing that lasts;
//! [`Queue::apply`] makes it so, on the leader and in recovery alike. [`Queue::dispatch`] hands
//! ready messages to consumers; who holds what is volatile. The machine does no IO, holds no
//! lock and reads no clock. It never delivers by itself: whoever applied facts, added a
//! consumer or resumed one calls `dispatch` afterwards.
//!
//! ```text
//!              ┌─ delayed ─┐                        ┌──── resting ◄─┐ (a pause before the next try)
//!   enqueue ───┴───────────┴─► ready (by priority) ─┴─► unsettled ──┴─► settled
//!                                │ expired, too many      │ rejected, failed too often
//!                                └────────► leaving ◄─────┘ ──► settled, and queued elsewhere
//! ```
//!
//! Messages stand in memory or in extents, see [`paging`](self). One that is next and not in memory
//! stops the dispatch; [`Queue::fetch`] then says what is to be read.
//!
//! A plain queue has one [`lane`](self) and no [`Extras`]: whatever a queue can do beyond that costs it
//! nothing.

mod action;
mod apply;
mod browse;
mod command;
mod consumers;
mod decide;
mod dispatch;
mod extras;
mod fact;
mod groups;
mod keys;
mod lane;
mod last;
mod leases;
mod leaving;
mod levels;
mod octets;
mod overflow;
mod pages;
mod paging;
mod ready;
mod rising;
mod rules;
mod seen;
mod seq_set;
mod stored;
#[cfg(test)]
mod tests;
mod ticket;
mod times;
mod window;

pub use action::{Delivery, Outlet};
pub use browse::{Look, Scope, Standing};
pub use command::Command;
pub use consumers::{ConsumerKey, ExclusiveUse, Subscription};
pub use dispatch::Take;
pub use fact::{Fact, Range};
pub use keys::{HeaderReader, Key};
pub use leases::TimedOut;
pub use leaving::Leaving;
pub use pages::{NOTES_MAX, NotesFetch, Page, notes_of, pages_of};
pub use paging::Summary;
pub use rules::{Backoff, DeadLetters, Deduplication, GroupBy, Overflow, Retried, Retry, Rules, Strategy};
pub use seen::Sighting;
pub use seq_set::SeqSet;
pub use stored::{Chain, Fetch, Released, Stretch};
pub use ticket::Ticket;
pub use times::{Hour, Note};
pub use window::Window;

use crate::message::Message;
use consumers::Consumers;
use extras::Extras;
use groups::Groups;
use lane::{Entry, Lane};
use octets::Octets;
use std::sync::{Arc, LazyLock};
use stored::Shelf;

/// A message that is out with a consumer or a getter.
#[derive(Debug)]
struct Held {
    /// None when it stands in an extent.
    message: Option<Message>,
    consumer: Option<ConsumerKey>,
    /// Octets of its body.
    octets: u32,
    failures: u16,
    /// How often it was taken away from who held it: tells this delivery from those.
    turn: u16,
    redelivered: bool,
    persistent: bool,
    /// The priority that it is served with.
    level: u8,
}

/// How much a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages that wait for a consumer.
    pub ready: usize,
    /// Octets of their bodies.
    pub ready_octets: u64,
    /// Messages that are out and neither settled nor returned.
    pub unsettled: usize,
    /// Octets of their bodies.
    pub unsettled_octets: u64,
    /// Messages that are not ready yet: delayed, or resting before the next try.
    pub delayed: usize,
    /// Messages that are about to leave for another queue.
    pub leaving: usize,
    /// Consumers.
    pub consumers: usize,
    /// Memory of the messages that are in memory, in bytes.
    pub bytes: usize,
}

impl Totals {
    /// All messages, wherever they are.
    pub fn messages(&self) -> usize {
        self.ready + self.unsettled + self.delayed + self.leaving
    }
}

/// The state of one queue.
#[derive(Debug, Default)]
pub struct Queue {
    /// The queue survives a restart, and its persistent messages with it.
    durable: bool,
    /// What is ready, of the lowest priority.
    lane: Lane,
    stored: Shelf,
    unsettled: Window<Held>,
    consumers: Consumers,
    next_seq: u64,
    bytes: usize,
    octets: Octets,
    /// What a plain queue does not have.
    extras: Option<Box<Extras>>,
}

impl Queue {
    /// An empty queue.
    pub fn new(durable: bool) -> Self {
        Self {
            durable,
            ..Self::default()
        }
    }

    /// The queue goes by these rules from now on, none of which asks for headers of messages.
    pub fn set_rules(&mut self, rules: &Rules) {
        self.set_rules_and_reader(rules, None);
    }

    /// The queue goes by these rules from now on. `reader` reads headers of messages for it.
    pub fn set_rules_and_reader(&mut self, rules: &Rules, reader: Option<&Arc<dyn HeaderReader>>) {
        self.consumers
            .serve_one_at_a_time(rules.has_single_active_consumer, rules.single_active_yields);
        if self.extras.is_none() && *rules == Rules::default() {
            return;
        }
        let extras = self.extras.get_or_insert_default();
        let has_same_levels = extras.rules.max_priority == rules.max_priority
            && extras.rules.default_priority == rules.default_priority;
        let has_same_groups = extras.rules.group_by == rules.group_by;
        let has_same_last_values = extras.rules.last_value_header == rules.last_value_header;
        extras.rules = rules.clone();
        extras.reader = reader.cloned();
        if !has_same_levels {
            self.sort_by_level();
        }
        if !has_same_groups {
            self.group_anew();
        }
        if !has_same_last_values {
            self.find_last_values();
        }
    }

    /// Groups go by another rule: what is out belongs to none, and all that is ready is looked at again.
    fn group_anew(&mut self) {
        if let Some(extras) = &mut self.extras {
            extras.groups = extras.rules.group_by.is_some().then(Groups::default);
        }
    }

    /// Which messages stand for which key, of those in memory.
    fn find_last_values(&mut self) {
        let Some(mut extras) = self.extras.take() else {
            return;
        };
        if let Some(header) = &extras.rules.last_value_header {
            let mut found = Vec::new();
            let more = extras.levels.iter().map(|(_, lane)| lane);
            for lane in std::iter::once(&self.lane).chain(more) {
                for (seq, entry) in lane.in_memory() {
                    let octets = entry.message.envelope().body_bytes;
                    found.extend(extras.key(&entry.message, header).map(|key| (seq, key, octets)));
                }
            }
            // What waits stands for its key, too.
            let delayed = extras.times.delayed.in_memory();
            let delayed = delayed.map(|(seq, entry)| (seq, &entry.message));
            let resting = extras.times.resting.iter();
            let resting = resting.filter_map(|(seq, resting)| Some((*seq, resting.message.as_ref()?)));
            for (seq, message) in delayed.chain(resting) {
                let octets = message.envelope().body_bytes;
                found.extend(extras.key(message, header).map(|key| (seq, key, octets)));
            }
            for (seq, key, octets) in found {
                extras.last.add(key, seq, octets);
            }
        }
        self.extras = Some(extras);
    }

    /// What the queue goes by.
    pub fn rules(&self) -> &Rules {
        static PLAIN: LazyLock<Rules> = LazyLock::new(Rules::default);
        self.extras.as_ref().map_or(&PLAIN, |extras| &extras.rules)
    }

    /// Puts what is in memory into the lanes of its priorities: after recovery, which knows no rules.
    fn sort_by_level(&mut self) {
        self.lane.ready.fit(self.rules().max_priority.is_some());
        let all: Vec<(u8, u64)> = self
            .lanes()
            .flat_map(|(level, lane)| lane.in_memory().map(move |(seq, _)| (level, seq)))
            .collect();
        for (level, seq) in all {
            let Some((entry, is_stored)) = self.open_lane(level).remove(seq) else {
                continue;
            };
            let level = self.level_of(&entry.message);
            self.open_lane(level).put_back(seq, entry, is_stored);
        }
        if let Some(extras) = &mut self.extras {
            let rules = &extras.rules;
            for resting in extras.times.resting.values_mut() {
                if let Some(message) = &resting.message {
                    resting.level = rules.level_of(message);
                }
            }
        }
    }

    /// The machine has nothing that a plain queue has not.
    pub fn is_plain(&self) -> bool {
        self.extras.is_none()
    }

    /// Whether the message survives a restart in this queue.
    fn is_kept(&self, message: &Message) -> bool {
        self.durable && message.envelope().persistent
    }

    /// How much the queue holds now.
    pub fn totals(&self) -> Totals {
        let (ready, unsettled) = (self.ready_count(), self.unsettled.len());
        let (delayed, leaving) = self.extras.as_ref().map_or((0, 0), |extras| extras.counts());
        Totals {
            ready,
            ready_octets: self.octets.ready(),
            unsettled,
            unsettled_octets: self.octets.out(),
            delayed,
            leaving,
            consumers: self.consumers.len(),
            bytes: self.bytes,
        }
    }

    /// Memory of the messages that are in memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many messages of each priority are ready: priority and count, by rising priority, without those
    /// of which there is none.
    pub fn ready_by_priority(&self) -> Vec<(u8, usize)> {
        let lanes = self.lanes().map(|(level, lane)| (level, lane.len()));
        lanes.filter(|(_, count)| *count > 0).collect()
    }

    /// Adds a consumer.
    ///
    /// # Errors
    /// [`ExclusiveUse`] when it or one that is there wants to be alone.
    pub fn subscribe(&mut self, subscription: Subscription) -> Result<ConsumerKey, ExclusiveUse> {
        let key = self.consumers.add(subscription)?;
        if subscription.lease_ms.is_some() {
            // There are times to be kept.
            self.extras.get_or_insert_default();
        }
        Ok(key)
    }

    /// Removes a consumer; what it holds stays out until it is settled or returned.
    /// Answers whether it was there.
    pub fn cancel(&mut self, key: ConsumerKey) -> bool {
        self.consumers.remove(key)
    }

    /// Whether the consumer was removed and holds deliveries yet.
    pub fn has_parted(&self, key: ConsumerKey) -> bool {
        self.consumers.has_parted(key)
    }

    /// Consumers that were removed while they held deliveries, and hold none any more, each once.
    pub fn take_rid(&mut self) -> Vec<ConsumerKey> {
        self.consumers.take_rid()
    }

    /// The outlet can take messages for the consumer again.
    pub fn resume(&mut self, key: ConsumerKey) {
        self.consumers.resume(key);
    }

    /// Whether the consumer is served: where one is at a time, the others wait.
    pub fn is_active(&self, key: ConsumerKey) -> bool {
        self.consumers.is_active(key)
    }

    /// The number that the next message gets.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The state that lasts: every message that was not settled, by number, with whether it is to be
    /// marked as redelivered. What is out counts as ready, as after a restart. The message is there if
    /// it is in memory.
    pub fn live(&self) -> impl Iterator<Item = (u64, Option<&Message>, bool)> {
        let ready = self.lanes().flat_map(|(_, lane)| lane.in_memory());
        let ready = ready.map(|(seq, entry)| (seq, Some(&entry.message), entry.past.is_redelivered()));
        let out = self.unsettled.iter();
        let out = out.map(|(seq, held)| (seq, held.message.as_ref(), held.redelivered));
        let absent = self.lanes().flat_map(|(_, lane)| lane.ahead.absent.ranges());
        let absent = absent.flat_map(|range| range.first..=range.last);
        let absent = absent.map(|seq| (seq, None, self.stored.is_redelivered(seq)));
        let others = self.extras.iter().flat_map(|extras| extras.live(&self.stored));
        let mut all: Vec<_> = ready.chain(out).chain(absent).chain(others).collect();
        all.sort_unstable_by_key(|(seq, ..)| *seq);
        all.into_iter()
    }

    /// All lanes by rising priority.
    fn lanes(&self) -> impl Iterator<Item = (u8, &Lane)> {
        let more = self.extras.iter().flat_map(|extras| extras.levels.iter());
        std::iter::once((0, &self.lane)).chain(more)
    }

    /// All lanes by rising priority.
    fn lanes_mut(&mut self) -> impl Iterator<Item = (u8, &mut Lane)> {
        let more = self.extras.iter_mut().flat_map(|extras| extras.levels.iter_mut());
        std::iter::once((0, &mut self.lane)).chain(more)
    }

    /// The lane of a priority, into which something is about to be put.
    fn open_lane(&mut self, level: u8) -> &mut Lane {
        match level {
            0 => &mut self.lane,
            _ => self.extras.get_or_insert_default().levels.open(level),
        }
    }

    /// The highest priority that has a ready message; 0 also when there is none.
    fn top(&mut self) -> u8 {
        match &mut self.extras {
            None => 0,
            Some(extras) => extras.levels.highest().unwrap_or(0),
        }
    }

    /// The priority that a message is served with.
    fn level_of(&self, message: &Message) -> u8 {
        match &self.extras {
            None => 0,
            Some(extras) => extras.rules.level_of(message),
        }
    }

    fn ready_count(&self) -> usize {
        match &self.extras {
            None => self.lane.len(),
            Some(_) => self.lanes().map(|(_, lane)| lane.len()).sum(),
        }
    }
}
