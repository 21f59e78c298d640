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

mod action;
mod command;
mod consumers;
mod fact;
#[cfg(test)]
mod tests;
mod window;

pub use action::{Delivery, Outlet};
pub use command::Command;
pub use consumers::{ConsumerKey, ExclusiveUse, Subscription};
pub use fact::{Fact, Range};
pub use window::Window;

use crate::message::Message;
use consumers::Consumers;

/// A ready message.
#[derive(Debug)]
struct Entry {
    message: Message,
    redelivered: bool,
}

/// A message that is out with a consumer or a getter.
#[derive(Debug)]
struct Held {
    entry: Entry,
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
    /// Memory of all messages of the queue, in bytes.
    pub bytes: usize,
}

/// The state of one queue.
#[derive(Debug, Default)]
pub struct Queue {
    ready: Window<Entry>,
    unsettled: Window<Held>,
    consumers: Consumers,
    next_seq: u64,
    bytes: usize,
}

impl Queue {
    /// How much the queue holds now.
    pub fn totals(&self) -> Totals {
        Totals {
            ready: self.ready.len(),
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
            Command::Settle(seqs) => self.ranges_out(seqs, facts, Fact::Settled),
            Command::Return(seqs) => self.ranges_out(seqs, facts, Fact::Returned),
            Command::Purge => {
                if let Some(up_to) = self.next_seq.checked_sub(1)
                    && !self.ready.is_empty()
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
                Fact::Settled(range) => self.each(range, Self::settle),
                Fact::Returned(range) => self.each(range, Self::give_back),
                Fact::Purged { up_to, except } => self.purge(up_to, &except),
            }
        }
    }

    /// Hands ready messages to consumers while one can take them. What leaves without
    /// acknowledgement is settled here; `facts` gets those settles, already applied.
    pub fn dispatch(&mut self, outlet: &mut impl Outlet, facts: &mut Vec<Fact>) {
        let mut settled = Vec::new();
        while let Some((key, subscription)) = self.consumers.turn() {
            let Some((seq, entry)) = self.ready.pop_first() else {
                break;
            };
            let Entry { message, redelivered } = entry;
            let held = (!subscription.no_ack).then(|| message.clone());
            let bytes = message.memory_bytes();
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
                    if let Some(message) = held {
                        let entry = Entry { message, redelivered };
                        self.unsettled.insert(
                            seq,
                            Held {
                                entry,
                                consumer: Some(key),
                            },
                        );
                    } else {
                        self.bytes -= bytes;
                        fact::push_seq(&mut settled, seq);
                    }
                }
                Err(Delivery { message, .. }) => {
                    self.ready.insert(seq, Entry { message, redelivered });
                    self.consumers.refused();
                }
            }
        }
        facts.extend(settled.into_iter().map(Fact::Settled));
    }

    /// Takes the first ready message for a getter: `basic.get`. With `no_ack` it is settled at
    /// once and `facts` gets that, already applied.
    pub fn take(&mut self, no_ack: bool, facts: &mut Vec<Fact>) -> Option<Delivery> {
        let (seq, entry) = self.ready.pop_first()?;
        let delivery = Delivery {
            seq,
            redelivered: entry.redelivered,
            message: entry.message.clone(),
        };
        if no_ack {
            self.bytes -= entry.message.memory_bytes();
            facts.push(Fact::Settled(Range::one(seq)));
        } else {
            self.unsettled.insert(
                seq,
                Held {
                    entry,
                    consumer: None,
                },
            );
        }
        Some(delivery)
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

    /// The durable state: every message that was not settled, by number, with whether it
    /// is to be marked as redelivered. What is out counts as ready, as after a restart.
    pub fn live(&self) -> impl Iterator<Item = (u64, &Message, bool)> {
        let mut all: Vec<_> = (self.ready.iter())
            .map(|(seq, entry)| (seq, &entry.message, entry.redelivered))
            .chain(
                self.unsettled
                    .iter()
                    .map(|(seq, held)| (seq, &held.entry.message, held.entry.redelivered)),
            )
            .collect();
        all.sort_unstable_by_key(|(seq, ..)| *seq);
        all.into_iter()
    }

    fn ranges_out(&self, seqs: &[u64], facts: &mut Vec<Fact>, fact: fn(Range) -> Fact) {
        let mut ranges = Vec::new();
        for &seq in seqs {
            if self.unsettled.find(seq).is_some() {
                fact::push_seq(&mut ranges, seq);
            }
        }
        facts.extend(ranges.into_iter().map(fact));
    }

    fn enqueue(&mut self, seq: u64, message: Message) {
        if seq < self.next_seq {
            return;
        }
        self.bytes += message.memory_bytes();
        self.next_seq = seq + 1;
        self.ready.insert(
            seq,
            Entry {
                message,
                redelivered: false,
            },
        );
    }

    fn each(&mut self, range: Range, act: fn(&mut Self, u64)) {
        for seq in range.first..=range.last {
            act(self, seq);
        }
    }

    fn settle(&mut self, seq: u64) {
        let message = if let Some(held) = self.unsettled.remove(seq) {
            if let Some(consumer) = held.consumer {
                self.consumers.released(consumer);
            }
            held.entry.message
        } else if let Some(entry) = self.ready.remove(seq) {
            // In recovery nothing is out: settled messages are still among the ready ones.
            entry.message
        } else {
            return;
        };
        self.bytes -= message.memory_bytes();
    }

    fn give_back(&mut self, seq: u64) {
        if let Some(Held { mut entry, consumer }) = self.unsettled.remove(seq) {
            entry.redelivered = true;
            self.ready.insert(seq, entry);
            if let Some(consumer) = consumer {
                self.consumers.released(consumer);
            }
        } else if let Some(entry) = self.ready.find_mut(seq) {
            entry.redelivered = true;
        }
    }

    fn purge(&mut self, up_to: u64, except: &[Range]) {
        let mut kept = Vec::new();
        while let Some((seq, _)) = self.ready.first()
            && seq <= up_to
        {
            let Some((seq, entry)) = self.ready.pop_first() else {
                break;
            };
            // Ranges rise, so the one that may hold it is found by halving.
            let at = except.partition_point(|range| range.last < seq);
            if except.get(at).is_some_and(|range| range.contains(seq)) {
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
