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
//! Messages stand in memory or in extents, see [`paging`](self). One that is next and not in memory
//! stops the dispatch; [`Queue::fetch`] then says what is to be read.

mod action;
mod command;
mod consumers;
mod fact;
mod paging;
mod rules;
mod seq_set;
mod stored;
#[cfg(test)]
mod tests;
mod window;

pub use action::{Delivery, Outlet};
pub use command::Command;
pub use consumers::{ConsumerKey, ExclusiveUse, Subscription};
pub use fact::{Fact, Range};
pub use paging::Summary;
pub use rules::{Backoff, DeadLetters, Deduplication, GroupBy, Overflow, Retried, Retry, Rules, Strategy};
pub use seq_set::SeqSet;
pub use stored::{Chain, Fetch, Released, Stretch};
pub use window::Window;

use crate::message::Message;
use consumers::Consumers;
use fact::Gathered;
use stored::Shelf;

/// A ready message.
#[derive(Debug)]
struct Entry {
    message: Message,
    redelivered: bool,
}

/// A message that is out with a consumer or a getter.
#[derive(Debug)]
struct Held {
    /// None when it stands in an extent.
    message: Option<Message>,
    redelivered: bool,
    persistent: bool,
    consumer: Option<ConsumerKey>,
}

/// How much a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages that wait for a consumer.
    pub ready: usize,
    /// Messages that are out and neither settled nor returned.
    pub unsettled: usize,
    /// Consumers.
    pub consumers: usize,
    /// Memory of the messages that are in memory, in bytes.
    pub bytes: usize,
}

/// What asking for one message comes to.
#[derive(Debug)]
pub enum Take {
    /// This one.
    Message(Delivery),
    /// There is none.
    Empty,
    /// There is one, and it has to be read first.
    Absent,
}

/// The state of one queue.
#[derive(Debug, Default)]
pub struct Queue {
    /// The queue survives a restart, and its persistent messages with it.
    durable: bool,
    /// In memory, and in no extent.
    ready: Window<Entry>,
    stored: Shelf,
    unsettled: Window<Held>,
    consumers: Consumers,
    next_seq: u64,
    bytes: usize,
}

impl Queue {
    /// An empty queue.
    pub fn new(durable: bool) -> Self {
        Self {
            durable,
            ..Self::default()
        }
    }

    /// Whether the message survives a restart in this queue.
    fn is_kept(&self, message: &Message) -> bool {
        self.durable && message.envelope().persistent
    }

    /// How much the queue holds now.
    pub fn totals(&self) -> Totals {
        Totals {
            ready: self.ready_count(),
            unsettled: self.unsettled.len(),
            consumers: self.consumers.len(),
            bytes: self.bytes,
        }
    }

    /// Decides what a command comes to, as facts to be recorded and then applied.
    /// At most one command is decided before its facts are applied.
    pub fn decide(&self, command: &Command<'_>, facts: &mut Vec<Fact>) {
        match command {
            Command::Enqueue(messages) => {
                let numbered = (self.next_seq..).zip(*messages);
                facts.extend(numbered.map(|(seq, m)| Fact::Enqueued {
                    seq,
                    message: m.clone(),
                }));
            }
            Command::Settle(seqs) => facts.extend(self.gathered(seqs).settled()),
            Command::Return(seqs) => facts.extend(self.gathered(seqs).returned()),
            Command::Purge => {
                if let Some(up_to) = self.next_seq.checked_sub(1)
                    && self.ready_count() > 0
                {
                    let mut except = Vec::new();
                    for (seq, _) in self.unsettled.iter() {
                        fact::push_seq(&mut except, seq);
                    }
                    facts.push(Fact::Purged { up_to, except });
                }
            }
        }
    }

    /// Makes facts so. Called in the order in which they were decided.
    pub fn apply(&mut self, facts: impl IntoIterator<Item = Fact>) {
        for fact in facts {
            match fact {
                Fact::Enqueued { seq, message } => self.enqueue(seq, message),
                Fact::Settled { range, .. } => self.settle(range),
                Fact::Returned { range, .. } => {
                    (range.first..=range.last).for_each(|seq| self.give_back(seq))
                }
                Fact::Purged { up_to, except } => self.purge(up_to, &except),
            }
        }
    }

    /// Hands ready messages to consumers while one can take them. What leaves without
    /// acknowledgement is settled here; `facts` gets those settles, already applied.
    pub fn dispatch(&mut self, outlet: &mut impl Outlet, facts: &mut Vec<Fact>) {
        let mut settled = Gathered::default();
        while let Some((key, subscription)) = self.consumers.turn() {
            let Some((seq, entry, is_stored)) = self.pop_ready() else {
                break;
            };
            let Entry { message, redelivered } = entry;
            let persistent = self.is_kept(&message);
            let bytes = message.memory_bytes();
            // Of a message in an extent the body is not needed again.
            let kept = (!subscription.no_ack && !is_stored).then(|| message.clone());
            match outlet.offer(
                key,
                Delivery {
                    seq,
                    redelivered,
                    message,
                },
            ) {
                Ok(()) => {
                    self.consumers.took();
                    let held = Held {
                        message: kept,
                        redelivered,
                        persistent,
                        consumer: Some(key),
                    };
                    self.sent(seq, bytes, held, is_stored, subscription.no_ack);
                    if subscription.no_ack {
                        settled.push(seq, persistent);
                    }
                }
                Err(Delivery { message, .. }) => {
                    self.put_back(seq, Entry { message, redelivered }, is_stored);
                    self.consumers.refused();
                }
            }
        }
        facts.extend(settled.settled());
    }

    /// Takes the first ready message for a getter: `basic.get`. With `no_ack` it is settled at
    /// once and `facts` gets that, already applied.
    pub fn take(&mut self, no_ack: bool, facts: &mut Vec<Fact>) -> Take {
        let Some((seq, entry, is_stored)) = self.pop_ready() else {
            return match self.stored.absent.is_empty() {
                true => Take::Empty,
                false => Take::Absent,
            };
        };
        let Entry { message, redelivered } = entry;
        let persistent = self.is_kept(&message);
        let held = Held {
            message: (!no_ack && !is_stored).then(|| message.clone()),
            redelivered,
            persistent,
            consumer: None,
        };
        self.sent(seq, message.memory_bytes(), held, is_stored, no_ack);
        if no_ack {
            facts.push(Fact::Settled {
                range: Range::one(seq),
                persistent,
            });
        }
        Take::Message(Delivery {
            seq,
            redelivered,
            message,
        })
    }

    /// Adds a consumer.
    ///
    /// # Errors
    /// [`ExclusiveUse`] when it or one that is there wants to be alone.
    pub fn subscribe(&mut self, subscription: Subscription) -> Result<ConsumerKey, ExclusiveUse> {
        self.consumers.add(subscription)
    }

    /// Removes a consumer; what it holds stays out until it is settled or returned.
    /// Answers whether it was there.
    pub fn cancel(&mut self, key: ConsumerKey) -> bool {
        self.consumers.remove(key)
    }

    /// The outlet can take messages for the consumer again.
    pub fn resume(&mut self, key: ConsumerKey) {
        self.consumers.resume(key);
    }

    /// The number that the next message gets.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The state that lasts: every message that was not settled, by number, with whether it is to be
    /// marked as redelivered. What is out counts as ready, as after a restart. The message is there if
    /// it is in memory.
    pub fn live(&self) -> impl Iterator<Item = (u64, Option<&Message>, bool)> {
        let ready = self.ready.iter().chain(self.stored.front.iter());
        let ready = ready.map(|(seq, entry)| (seq, Some(&entry.message), entry.redelivered));
        let out = self.unsettled.iter();
        let out = out.map(|(seq, held)| (seq, held.message.as_ref(), held.redelivered));
        let absent = self.stored.absent.ranges().into_iter();
        let absent = absent.flat_map(|range| range.first..=range.last);
        let absent = absent.map(|seq| (seq, None, self.stored.is_redelivered(seq)));
        let mut all: Vec<_> = ready.chain(out).chain(absent).collect();
        all.sort_unstable_by_key(|(seq, ..)| *seq);
        all.into_iter()
    }

    fn ready_count(&self) -> usize {
        let absent = usize::try_from(self.stored.absent.len()).unwrap_or(usize::MAX);
        self.ready.len() + self.stored.front.len() + absent
    }

    /// Takes out the ready message with the lowest number, with whether it stands in an extent. `None`
    /// when there is none, or when it has to be read first.
    fn pop_ready(&mut self) -> Option<(u64, Entry, bool)> {
        if self.stored.is_bare() {
            return self.ready.pop_first().map(|(seq, entry)| (seq, entry, false));
        }
        let stored = &mut *self.stored;
        let next = |window: &Window<Entry>| window.first().map_or(u64::MAX, |(seq, _)| seq);
        let (ready, front) = (next(&self.ready), next(&stored.front));
        if stored
            .absent
            .first()
            .is_some_and(|absent| absent < ready.min(front))
        {
            stored.is_hungry = true;
            return None;
        }
        if front < ready {
            let (seq, entry) = stored.front.pop_first()?;
            stored.front_bytes -= entry.message.memory_bytes();
            return Some((seq, entry, true));
        }
        self.ready.pop_first().map(|(seq, entry)| (seq, entry, false))
    }

    /// A ready message of so many bytes went out: it is held, or settled at once with `no_ack`.
    fn sent(&mut self, seq: u64, memory_bytes: usize, held: Held, is_stored: bool, no_ack: bool) {
        if held.message.is_none() {
            self.bytes -= memory_bytes;
        }
        if !no_ack {
            self.unsettled.insert(seq, held);
        } else if is_stored {
            self.stored.settle(Range::one(seq));
        }
    }

    fn put_back(&mut self, seq: u64, entry: Entry, is_stored: bool) {
        if is_stored {
            self.stored.front_bytes += entry.message.memory_bytes();
            self.stored.front.insert(seq, entry);
        } else {
            self.ready.insert(seq, entry);
        }
    }

    fn gathered(&self, seqs: &[u64]) -> Gathered {
        let mut gathered = Gathered::default();
        for &seq in seqs {
            if let Some(held) = self.unsettled.find(seq) {
                gathered.push(seq, held.persistent);
            }
        }
        gathered
    }

    fn enqueue(&mut self, seq: u64, message: Message) {
        if seq < self.next_seq {
            return;
        }
        self.bytes += message.memory_bytes();
        self.next_seq = seq.saturating_add(1);
        let redelivered = seq < self.stored.redelivered_below;
        self.ready.insert(seq, Entry { message, redelivered });
    }

    fn settle(&mut self, range: Range) {
        if !self.stored.is_bare() {
            self.stored.settle(range);
        }
        for seq in range.first..=range.last.min(self.next_seq) {
            let message = if let Some(held) = self.unsettled.remove(seq) {
                if let Some(consumer) = held.consumer {
                    self.consumers.released(consumer);
                }
                held.message
            } else {
                // In recovery nothing is out: settled messages are still among the ready ones.
                self.ready.remove(seq).map(|entry| entry.message)
            };
            self.bytes -= message.map_or(0, |message| message.memory_bytes());
        }
    }

    fn give_back(&mut self, seq: u64) {
        if let Some(held) = self.unsettled.remove(seq) {
            match held.message {
                Some(message) => {
                    let redelivered = true;
                    self.ready.insert(seq, Entry { message, redelivered });
                }
                None => self.stored.give_back(seq),
            }
            if let Some(consumer) = held.consumer {
                self.consumers.released(consumer);
            }
        } else if let Some(entry) = self.ready.find_mut(seq) {
            entry.redelivered = true;
        } else if self.stored.absent.contains(seq) {
            self.stored.redelivered.insert(seq);
        }
    }

    fn purge(&mut self, up_to: u64, except: &[Range]) {
        let mut first = 0;
        for kept in except {
            if let Some(last) = kept.first.checked_sub(1)
                && first <= last
            {
                self.purge_range(Range { first, last });
            }
            first = kept.last.saturating_add(1);
        }
        if first <= up_to {
            self.purge_range(Range { first, last: up_to });
        }
    }

    /// Everything in the range that is not out goes.
    fn purge_range(&mut self, range: Range) {
        if !self.stored.is_bare() {
            self.bytes -= self.stored.purge(range);
        }
        let mut kept = Vec::new();
        while let Some((seq, _)) = self.ready.first()
            && seq <= range.last
        {
            let Some((seq, entry)) = self.ready.pop_first() else {
                break;
            };
            if seq < range.first {
                kept.push((seq, entry));
            } else {
                self.bytes -= entry.message.memory_bytes();
            }
        }
        for (seq, entry) in kept {
            self.ready.insert(seq, entry);
        }
    }
}
