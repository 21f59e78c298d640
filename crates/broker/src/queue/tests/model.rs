//! A queue without cleverness, and the two of them side by side.
//!
//! [`Model`] keeps its messages in one plain list and looks through all of it for every answer; it states
//! the rule of turns without rings. [`Trial`] does the same things to a [`Queue`] and to the model, feeds
//! all facts to replicas that know nothing else, and panics where they differ. The property tests and the
//! fuzz target drive the same trial, which is why everything of the crate comes in by way of `super`.
//!
//! The rule of turns: whoever can take a message waits in line, from when that became so or from the last
//! message taken; next is who waits longest among those of the highest priority.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::{
    Command, ConsumerKey, Delivery, Fact, Fetch, Message, Outlet, Parts, Queue, Subscription, Take, Ticket,
    Totals,
};
use std::collections::{BTreeMap, HashMap};

/// More messages than this are not queued: every look goes through all of them.
const MESSAGES_MAX: usize = 400;

/// So little that reading ahead stops now and then.
const AHEAD_BYTES: usize = 1000;

/// One thing done to a queue. Small numbers pick among what there is.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Enqueue(usize),
    Settle([u8; 3]),
    Return([u8; 3]),
    Purge,
    Subscribe(Subscription),
    Cancel(u8),
    Resume(u8),
    Take {
        no_ack: bool,
    },
    /// The n-th offer (modulo 8) is refused when bit n is set.
    Dispatch {
        refusals: u8,
    },
    /// A new queue is made of the facts alone.
    Restart,
    /// Some messages go to an extent, at most so many.
    Store {
        persistent: bool,
        count: usize,
    },
    /// What is read back leaves memory again.
    Evict,
    /// What is wished for is read, but for every n-th.
    Read {
        but: u8,
    },
    /// Live messages of an extent move to a new one.
    Move(u8),
    /// A new queue is made of the summary and the facts.
    Reopen,
}

impl Step {
    /// Any three bytes are a step; zeros are a simple one, for the sake of shrinking.
    pub(super) fn of([kind, a, b]: [u8; 3]) -> Self {
        match kind % 32 {
            0..=5 => Self::Enqueue(1 + usize::from(a % 4)),
            6 => Self::Enqueue(usize::from(a) % 150),
            7..=12 => Self::Dispatch {
                refusals: if a % 3 == 0 { b } else { 0 },
            },
            13..=17 => Self::Settle([a, b, a.wrapping_add(b)]),
            18..=22 => Self::Return([a, b, a.wrapping_add(b)]),
            23..=25 => Self::Subscribe(Subscription {
                no_ack: a % 4 == 1,
                exclusive: a % 16 == 2,
                prefetch: u32::from(b % 4),
                priority: i64::from(b / 4 % 3) - 1,
            }),
            26 => Self::Cancel(a),
            27 => Self::Resume(a),
            28 => Self::Take { no_ack: a % 2 == 1 },
            29 => Self::Store {
                persistent: a % 3 != 0,
                count: usize::from(b),
            },
            30 if a % 4 == 0 => Self::Evict,
            30 if a % 4 == 1 => Self::Move(b),
            30 => Self::Read { but: b },
            _ if a % 8 == 0 => Self::Restart,
            _ if a % 8 < 4 => Self::Reopen,
            _ => Self::Purge,
        }
    }
}

/// Where a message is: ready, or out with a consumer or a getter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Ready,
    Out(Option<ConsumerKey>),
}

#[derive(Debug)]
struct Item {
    seq: u64,
    message: Message,
    redelivered: bool,
    place: Place,
}

#[derive(Debug)]
struct Consumer {
    key: ConsumerKey,
    subscription: Subscription,
    /// Since when it waits in line; `None` while it cannot take a message.
    waits_since: Option<u64>,
    refused: bool,
}

/// A delivery, as far as it is compared.
type Seen = (Option<ConsumerKey>, u64, bool, Vec<u8>);

/// The naive queue.
#[derive(Debug, Default)]
struct Model {
    /// Everything that is not settled, by rising number.
    items: Vec<Item>,
    consumers: Vec<Consumer>,
    next_seq: u64,
    clock: u64,
}

impl Model {
    fn enqueue(&mut self, messages: &[Message]) {
        for message in messages {
            let message = message.clone();
            self.items.push(Item {
                seq: self.next_seq,
                message,
                redelivered: false,
                place: Place::Ready,
            });
            self.next_seq += 1;
        }
    }

    fn out_at(&self, seq: u64) -> Option<usize> {
        self.items
            .iter()
            .position(|item| item.seq == seq && item.place != Place::Ready)
    }

    fn settle(&mut self, seqs: &[u64]) {
        for seq in seqs {
            if let Some(at) = self.out_at(*seq) {
                let item = self.items.remove(at);
                self.released(item.place);
            }
        }
    }

    fn give_back(&mut self, seqs: &[u64]) {
        for seq in seqs {
            if let Some(at) = self.out_at(*seq) {
                let place = std::mem::replace(&mut self.items[at].place, Place::Ready);
                self.items[at].redelivered = true;
                self.released(place);
            }
        }
    }

    fn released(&mut self, place: Place) {
        if let Place::Out(Some(key)) = place {
            self.queue_up(key);
        }
    }

    fn held(&self, key: ConsumerKey) -> usize {
        self.items
            .iter()
            .filter(|item| item.place == Place::Out(Some(key)))
            .count()
    }

    fn has_credit(&self, consumer: &Consumer) -> bool {
        let Subscription { no_ack, prefetch, .. } = consumer.subscription;
        no_ack || prefetch == 0 || self.held(consumer.key) < prefetch as usize
    }

    fn queue_up(&mut self, key: ConsumerKey) {
        let Some(at) = self.consumers.iter().position(|consumer| consumer.key == key) else {
            return;
        };
        let consumer = &self.consumers[at];
        if consumer.waits_since.is_none() && !consumer.refused && self.has_credit(consumer) {
            self.clock += 1;
            self.consumers[at].waits_since = Some(self.clock);
        }
    }

    fn admits(&self, asked: Subscription) -> bool {
        let taken = self.consumers.iter().any(|other| other.subscription.exclusive);
        !taken && (!asked.exclusive || self.consumers.is_empty())
    }

    fn subscribe(&mut self, key: ConsumerKey, subscription: Subscription) {
        self.consumers.push(Consumer {
            key,
            subscription,
            waits_since: None,
            refused: false,
        });
        self.queue_up(key);
    }

    fn resume(&mut self, key: ConsumerKey) {
        if let Some(consumer) = self.consumers.iter_mut().find(|consumer| consumer.key == key) {
            consumer.refused = false;
        }
        self.queue_up(key);
    }

    fn first_ready(&self) -> Option<usize> {
        self.items.iter().position(|item| item.place == Place::Ready)
    }

    /// The message at `at` leaves for `to`.
    fn send(&mut self, at: usize, to: Option<ConsumerKey>, no_ack: bool) -> Seen {
        let item = &mut self.items[at];
        let seen = (to, item.seq, item.redelivered, item.message.body().to_vec());
        item.place = Place::Out(to);
        if no_ack {
            self.items.remove(at);
        }
        seen
    }

    fn take(&mut self, no_ack: bool) -> Option<Seen> {
        self.first_ready().map(|at| self.send(at, None, no_ack))
    }

    fn turn(&self) -> Option<usize> {
        let waiting = self.consumers.iter().enumerate().filter_map(|(at, consumer)| {
            Some((
                std::cmp::Reverse(consumer.subscription.priority),
                consumer.waits_since?,
                at,
            ))
        });
        waiting.min().map(|(_, _, at)| at)
    }

    fn dispatch(&mut self, mut refusals: Refusals) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let (Some(turn), Some(at)) = (self.turn(), self.first_ready()) {
            let consumer = &mut self.consumers[turn];
            consumer.waits_since = None;
            let (key, no_ack) = (consumer.key, consumer.subscription.no_ack);
            if refusals.refuse() {
                consumer.refused = true;
                continue;
            }
            seen.push(self.send(at, Some(key), no_ack));
            self.queue_up(key);
        }
        seen
    }

    fn octets(&self, of: impl Fn(&Item) -> bool) -> u64 {
        let items = self.items.iter().filter(|item| of(item));
        items.map(|item| item.message.body().len() as u64).sum()
    }

    fn totals(&self) -> Totals {
        let ready = self
            .items
            .iter()
            .filter(|item| item.place == Place::Ready)
            .count();
        Totals {
            ready,
            ready_octets: self.octets(|item| item.place == Place::Ready),
            unsettled: self.items.len() - ready,
            unsettled_octets: self.octets(|item| item.place != Place::Ready),
            delayed: 0,
            leaving: 0,
            consumers: self.consumers.len(),
            bytes: self.items.iter().map(|item| item.message.memory_bytes()).sum(),
        }
    }
}

/// A fact as it comes back from a log in which nothing stands of transient messages.
fn as_logged(fact: Fact) -> Fact {
    match fact {
        Fact::Purged {
            up_to,
            except,
            kept_persistent,
            ..
        } => Fact::Purged {
            up_to,
            except,
            kept_octets: kept_persistent,
            kept_persistent,
        },
        other => other,
    }
}

fn tickets(seqs: &[u64]) -> Vec<Ticket> {
    seqs.iter().map(|seq| Ticket(*seq)).collect()
}

/// Which offers an outlet refuses.
#[derive(Debug, Clone, Copy)]
struct Refusals(u8);

impl Refusals {
    fn refuse(&mut self) -> bool {
        let refused = self.0 & 1 != 0;
        self.0 = self.0.rotate_right(1);
        refused
    }
}

struct Recorder {
    seen: Vec<Seen>,
    refusals: Refusals,
}

impl Outlet for Recorder {
    fn offer(&mut self, consumer: ConsumerKey, delivery: Delivery) -> Result<(), Delivery> {
        if self.refusals.refuse() {
            return Err(delivery);
        }
        self.seen.push(seen(Some(consumer), &delivery));
        Ok(())
    }
}

fn seen(consumer: Option<ConsumerKey>, delivery: &Delivery) -> Seen {
    (
        consumer,
        delivery.ticket.seq(),
        delivery.redelivered,
        delivery.message.body().to_vec(),
    )
}

/// A queue and the model of it, with two replicas that are fed the facts.
#[derive(Debug, Default)]
pub(super) struct Trial {
    queue: Queue,
    model: Model,
    /// Gets each fact once.
    replica: Queue,
    /// Gets each fact twice in a row.
    stutterer: Queue,
    /// The queue itself gets each fact twice in a row.
    stutters: bool,
    facts: Vec<Fact>,
    /// What was written to extents, by extent and number, and how much of each is still needed.
    extents: HashMap<u64, BTreeMap<u64, Message>>,
    needed: HashMap<u64, u64>,
    last_extent: u64,
    /// Keys of this incarnation of the queue, cancelled ones too.
    keys: Vec<ConsumerKey>,
    messages_made: u64,
    /// A purge was replayed over a later summary: what of it stands in extents is of unknown size.
    forgot_octets: bool,
}

impl Trial {
    pub(super) fn new(stutters: bool) -> Self {
        Self {
            queue: Queue::new(true),
            stutters,
            ..Self::default()
        }
    }

    /// Does a step to both and compares them.
    pub(super) fn run(&mut self, step: &Step) {
        match *step {
            Step::Enqueue(count) => self.enqueue(count),
            Step::Settle(picks) => {
                let seqs = picks.map(|pick| self.pick(pick));
                self.decide(&Command::Settle(&tickets(&seqs)));
                self.model.settle(&seqs);
            }
            Step::Return(picks) => {
                let seqs = picks.map(|pick| self.pick(pick));
                self.decide(&Command::Return {
                    tickets: &tickets(&seqs),
                    failed: false,
                });
                self.model.give_back(&seqs);
            }
            Step::Purge => {
                self.decide(&Command::Purge);
                self.model.items.retain(|item| item.place != Place::Ready);
            }
            Step::Subscribe(subscription) => self.subscribe(subscription),
            Step::Cancel(pick) => self.cancel(pick),
            Step::Resume(pick) => {
                if let Some(key) = self.key(pick) {
                    self.queue.resume(key);
                    self.model.resume(key);
                }
            }
            Step::Take { no_ack } => self.take(no_ack),
            Step::Dispatch { refusals } => self.dispatch(Refusals(refusals)),
            Step::Restart => self.restart(),
            Step::Store { persistent, count } => self.store(persistent, count),
            Step::Evict => {
                self.queue.evict(0);
                self.queue.unload();
            }
            Step::Read { but } => {
                if let Some(fetch) = self.queue.fetch(AHEAD_BYTES) {
                    self.read(&fetch, but);
                }
            }
            Step::Move(pick) => self.relocate(pick),
            Step::Reopen => self.reopen(),
        }
        self.settle_extents();
        self.compare();
    }

    fn enqueue(&mut self, count: usize) {
        let count = count.min(MESSAGES_MAX.saturating_sub(self.model.items.len()));
        let messages: Vec<Message> = (0..count).map(|_| self.message()).collect();
        self.decide(&Command::Enqueue(&messages));
        self.model.enqueue(&messages);
    }

    /// A message that is like no other, of a size of its own.
    fn message(&mut self) -> Message {
        self.messages_made += 1;
        let mut body = self.messages_made.to_be_bytes().to_vec();
        body.resize(body.len() + self.messages_made as usize % 32, 0);
        Message::of(&Parts {
            key: "q",
            body: &body,
            persistent: !self.messages_made.is_multiple_of(5),
            ..Parts::default()
        })
        .expect("a short key")
    }

    /// Mostly the number of a message that is out; at times any number, also one of the future.
    fn pick(&self, pick: u8) -> u64 {
        let out: Vec<u64> = self
            .model
            .items
            .iter()
            .filter(|item| item.place != Place::Ready)
            .map(|item| item.seq)
            .collect();
        match usize::from(pick / 4) {
            _ if pick % 4 == 3 => u64::from(pick / 4) * 7 % (self.model.next_seq + 2),
            n if !out.is_empty() => out[n % out.len()],
            n => n as u64,
        }
    }

    /// Mostly the key of a consumer; at times one that was cancelled.
    fn key(&self, pick: u8) -> Option<ConsumerKey> {
        let now = &self.model.consumers;
        match usize::from(pick / 4) {
            n if pick % 4 == 3 && !self.keys.is_empty() => Some(self.keys[n % self.keys.len()]),
            n if !now.is_empty() => Some(now[n % now.len()].key),
            _ => None,
        }
    }

    fn decide(&mut self, command: &Command<'_>) {
        let mut facts = Vec::new();
        self.queue.decide(command, 0, &mut facts);
        for fact in &facts {
            self.queue.apply([fact.clone()]);
            if self.stutters {
                self.queue.apply([fact.clone()]);
            }
        }
        self.replicate(facts);
    }

    fn replicate(&mut self, facts: Vec<Fact>) {
        self.replica.apply(facts.iter().cloned());
        for fact in &facts {
            self.stutterer.apply([fact.clone(), fact.clone()]);
        }
        self.facts.extend(facts);
    }

    fn subscribe(&mut self, subscription: Subscription) {
        let admits = self.model.admits(subscription);
        match self.queue.subscribe(subscription) {
            Ok(key) => {
                assert!(admits, "{key:?} beside an exclusive consumer");
                assert!(!self.keys.contains(&key), "{key:?} given twice");
                self.keys.push(key);
                self.model.subscribe(key, subscription);
            }
            Err(_) => assert!(!admits, "refused for no reason"),
        }
    }

    fn cancel(&mut self, pick: u8) {
        let Some(key) = self.key(pick) else { return };
        let before = self.model.consumers.len();
        self.model.consumers.retain(|consumer| consumer.key != key);
        assert_eq!(self.queue.cancel(key), self.model.consumers.len() < before);
    }

    fn take(&mut self, no_ack: bool) {
        let mut facts = Vec::new();
        let mut taken = self.queue.take(no_ack, 0, &mut facts);
        while matches!(taken, Take::Absent) {
            let fetch = self.queue.fetch(AHEAD_BYTES).expect("something is absent");
            self.read(&fetch, 0);
            taken = self.queue.take(no_ack, 0, &mut facts);
        }
        let taken = match taken {
            Take::Message(delivery) => Some(seen(None, &delivery)),
            Take::Empty | Take::Absent => None,
        };
        assert_eq!(taken, self.model.take(no_ack));
        self.replicate(facts);
    }

    fn dispatch(&mut self, refusals: Refusals) {
        let mut recorder = Recorder {
            seen: Vec::new(),
            refusals,
        };
        let mut facts = Vec::new();
        self.queue.dispatch(&mut recorder, 0, &mut facts);
        while let Some(fetch) = self.queue.fetch(AHEAD_BYTES) {
            self.read(&fetch, 0);
            self.queue.dispatch(&mut recorder, 0, &mut facts);
        }
        assert_eq!(recorder.seen, self.model.dispatch(refusals));
        self.replicate(facts);
        self.nobody_starves();
    }

    fn store(&mut self, persistent: bool, count: usize) {
        self.last_extent += 1;
        let extent = self.last_extent;
        let written = self.queue.unstored(persistent, 0, count, usize::MAX);
        let seqs: Vec<u64> = written.iter().map(|(seq, _)| *seq).collect();
        self.extents.insert(extent, written.into_iter().collect());
        self.needed.insert(extent, seqs.len() as u64);
        // What happens between the writing and the telling: an acknowledgement.
        if count.is_multiple_of(3) {
            let seqs: Vec<u64> = seqs.iter().copied().step_by(2).collect();
            self.decide(&Command::Settle(&tickets(&seqs)));
            self.model.settle(&seqs);
        }
        let keep = if count.is_multiple_of(2) { 100 } else { 0 };
        for slice in seqs.chunks(7) {
            self.queue.stored(persistent, extent, slice, keep);
        }
    }

    /// Every message wanted is found, or all but every n-th.
    fn read(&mut self, fetch: &Fetch, but: u8) {
        let extent = &self.extents[&fetch.stretch.extent];
        let wanted = fetch.wanted.iter().flat_map(|range| range.first..=range.last);
        let mut found: Vec<_> = wanted.map(|seq| (seq, extent[&seq].clone())).collect();
        assert!(!found.is_empty());
        let every = usize::from(but % 8);
        if every > 1 {
            let mut at = 0;
            found.retain(|_| {
                at += 1;
                at % every != 0
            });
        }
        self.queue.fetched(fetch.lane, fetch.ticket, found, &[]);
    }

    fn relocate(&mut self, pick: u8) {
        for durable in [true, false] {
            let all: Vec<_> = self.queue.chain(durable).stretches().copied().collect();
            let Some(stretch) = all.get(usize::from(pick) % all.len().max(1)) else {
                continue;
            };
            let live = self
                .queue
                .chain(durable)
                .live()
                .head(stretch.range(), u64::MAX, usize::MAX);
            let live: Vec<u64> = live
                .into_iter()
                .flat_map(|range| range.first..=range.last)
                .collect();
            self.last_extent += 1;
            let (first, last, count) = (live[0], live[live.len() - 1], live.len() as u64);
            let copies = live
                .iter()
                .map(|seq| (*seq, self.extents[&stretch.extent][seq].clone()));
            let copies = copies.collect();
            self.extents.insert(self.last_extent, copies);
            self.needed.insert(self.last_extent, count);
            if pick.is_multiple_of(3) {
                let some: Vec<u64> = live.iter().copied().step_by(3).collect();
                self.decide(&Command::Settle(&tickets(&some)));
                self.model.settle(&some);
            }
            let copied = super::Stretch {
                extent: self.last_extent,
                first,
                last,
                count,
                live: count,
            };
            self.queue.moved(durable, stretch.extent, copied);
        }
    }

    /// Extents that nobody needs go, and those that somebody needs are there.
    fn settle_extents(&mut self) {
        for released in self.queue.take_released() {
            let needed = self
                .needed
                .get_mut(&released.extent)
                .expect("an extent that is there");
            *needed = needed
                .checked_sub(released.count)
                .expect("released no more than it holds");
        }
        let mut live: HashMap<u64, u64> = HashMap::new();
        for durable in [true, false] {
            for stretch in self.queue.chain(durable).stretches() {
                let count = self.queue.chain(durable).live().count(stretch.range());
                assert_eq!(stretch.live, count);
                *live.entry(stretch.extent).or_default() += count;
            }
        }
        self.needed.retain(|_, needed| *needed > 0);
        assert_eq!(self.needed, live);
    }

    /// Follows from the comparison if the model is right; this does not lean on its line.
    fn nobody_starves(&self) {
        for consumer in &self.model.consumers {
            let held = self.model.held(consumer.key);
            let Subscription { no_ack, prefetch, .. } = consumer.subscription;
            assert!(
                no_ack || prefetch == 0 || held <= prefetch as usize,
                "{consumer:?} holds {held}"
            );
            let idle = consumer.refused || (!no_ack && prefetch != 0 && held == prefetch as usize);
            assert!(idle || self.queue.totals().ready == 0, "{consumer:?} starves");
        }
    }

    fn restart(&mut self) {
        let next_seq = self.queue.next_seq();
        self.needed.clear();
        self.queue = Queue::new(true);
        self.queue.apply(self.facts.iter().cloned());
        self.queue.skip_to(next_seq);
        self.keys.clear();
        self.model.consumers.clear();
        for item in &mut self.model.items {
            item.place = Place::Ready;
        }
    }

    /// Only what is durable lasts: in extents and, of the rest, in facts.
    fn reopen(&mut self) {
        self.forgot_octets |= self.facts.iter().any(|fact| matches!(fact, Fact::Purged { .. }));
        let summary = self.queue.summary();
        let next_seq = self.queue.next_seq();
        for stretch in self.queue.chain(false).stretches() {
            self.needed.remove(&stretch.extent);
        }
        self.queue = Queue::restore(summary);
        let durable: Vec<Fact> = self
            .facts
            .iter()
            .filter(|fact| fact.is_durable())
            .cloned()
            .map(as_logged)
            .collect();
        self.queue.apply(durable);
        self.queue.take_released();
        self.queue.skip_to(next_seq);
        self.keys.clear();
        self.model.consumers.clear();
        self.model.items.retain(|item| item.message.envelope().persistent);
        for item in &mut self.model.items {
            item.place = Place::Ready;
        }
        // From here on the replicas know more than the queue: they are made anew of what it knows.
        let logged = self.facts.drain(..).filter(Fact::is_durable).map(as_logged);
        self.facts = logged.collect();
        self.replica = Queue::default();
        self.stutterer = Queue::default();
        for queue in [&mut self.replica, &mut self.stutterer] {
            queue.apply(self.facts.iter().cloned());
            queue.skip_to(next_seq);
        }
    }

    fn compare(&self) {
        let (totals, wanted) = (self.queue.totals(), self.model.totals());
        assert_eq!(
            (totals.ready, totals.unsettled, totals.consumers),
            (wanted.ready, wanted.unsettled, wanted.consumers)
        );
        if !self.forgot_octets {
            assert_eq!(
                (totals.ready_octets, totals.unsettled_octets),
                (wanted.ready_octets, wanted.unsettled_octets)
            );
        }
        assert!(totals.bytes <= wanted.bytes);
        let wanted: Vec<_> = self
            .model
            .items
            .iter()
            .map(|item| (item.seq, item.message.body(), item.redelivered))
            .collect();
        for (name, queue) in [
            ("queue", &self.queue),
            ("replica", &self.replica),
            ("stutterer", &self.stutterer),
        ] {
            let live: Vec<_> = queue
                .live()
                .zip(&wanted)
                .map(|((seq, message, redelivered), (_, body, _))| {
                    // What is not in memory is compared when it is read.
                    (seq, message.map_or(*body, |message| message.body()), redelivered)
                })
                .collect();
            assert_eq!(live, wanted, "{name}");
            assert_eq!(queue.live().count(), wanted.len(), "{name}");
            assert_eq!(queue.next_seq(), self.model.next_seq, "{name}");
        }
    }
}
