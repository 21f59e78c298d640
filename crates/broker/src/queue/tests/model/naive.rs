//! The naive queue: one list.

use super::keys::Memory;
use super::keys::duplicate_key;
use super::line::Consumer;
use super::{ConsumerKey, Message, Overflow, Reason, Rules, Ticket, Totals};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Not due yet.
    Delayed,
    Ready,
    /// With a consumer or a getter.
    Out {
        to: Option<ConsumerKey>,
        /// Since when, if there is a limit to it.
        since_ms: Option<u64>,
        /// For how long, if it is not for as long as the rules say; 0: without a limit.
        own_lease_ms: Option<u64>,
    },
    /// Came back, and is not tried again before an hour.
    Resting(u64),
    /// About to be queued elsewhere.
    Leaving(Reason),
}

impl Place {
    pub(super) fn is_out(self) -> bool {
        matches!(self, Self::Out { .. })
    }
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) seq: u64,
    pub(super) message: Message,
    pub(super) redelivered: bool,
    pub(super) failures: u16,
    /// How often it was taken away from who held it.
    pub(super) turn: u16,
    pub(super) place: Place,
    /// The group that it went out with.
    pub(super) group: Option<Vec<u8>>,
}

impl Item {
    pub(super) fn ticket(&self) -> Ticket {
        Ticket(u64::from(self.turn) << 48 | self.seq)
    }

    /// From when on its time counts; 0 when nobody knows.
    fn begin_ms(&self) -> u64 {
        let published = self.message.published_ms();
        published.max(self.message.due_ms().unwrap_or(0))
    }

    /// When it expires by itself, or by a time to live of the queue's.
    fn expiry_ms(&self, ttl_ms: Option<u64>) -> Option<u64> {
        let begin = Some(self.begin_ms()).filter(|begin| *begin > 0)?;
        Some(begin.saturating_add(ttl_ms?))
    }

    fn octets(&self) -> u64 {
        self.message.body().len() as u64
    }
}

/// What is offered to a consumer, and whether that refuses it.
pub(super) type Offer = (Seen, bool);

/// A delivery, as far as it is compared: to whom, its name, redelivered, failures, body.
pub(super) type Seen = (Option<ConsumerKey>, Ticket, bool, Option<u16>, Vec<u8>);

/// The naive queue.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Everything that is not settled, by rising number.
    pub(super) items: Vec<Item>,
    pub(super) consumers: Vec<Consumer>,
    /// Who is served where one at a time is.
    pub(super) active: Option<ConsumerKey>,
    pub(super) next_seq: u64,
    pub(super) now_ms: u64,
    pub(super) rules: Rules,
    /// Failures are counted.
    pub(super) counts: bool,
    /// What was not taken for want of room, and is to go elsewhere.
    pub(super) turned_away: Vec<Message>,
    /// Deliveries that were taken away.
    pub(super) timed_out: Vec<(Option<ConsumerKey>, Ticket)>,
    /// Counts up whenever an order has to be told.
    pub(super) ticks: u64,
    /// Keys that came.
    pub(super) memory: Memory,
    /// Consumers were passed over, as there was nothing for them and something for others: whose turn it is
    /// among those of one priority is open since then.
    pub(super) has_passed: bool,
}

/// What comes and goes.
impl Model {
    /// Messages come. `was_taken` says what the queue did with one, which is asked where that is open.
    pub(super) fn enqueue(&mut self, messages: &[Message], was_taken: impl Fn(&Message) -> bool) {
        for message in self.without_duplicates(messages, was_taken) {
            self.make_way_for(message);
            let is_delayed = message.due_ms().is_some_and(|due| due > message.published_ms());
            let place = if is_delayed { Place::Delayed } else { Place::Ready };
            self.push(message, place);
        }
    }

    fn push(&mut self, message: &Message, place: Place) {
        self.items.push(Item {
            seq: self.next_seq,
            message: message.clone(),
            redelivered: false,
            failures: 0,
            turn: 0,
            place,
            group: None,
        });
        self.next_seq += 1;
    }

    /// Delayed messages that are due go to the tail, under new numbers.
    pub(super) fn mature(&mut self, matured: &[Message]) {
        let mut before = (0, 0);
        for message in matured {
            let is_it = |item: &Item| item.message.body() == message.body() && item.place == Place::Delayed;
            let at = self.items.iter().position(is_it).expect("it was delayed");
            let due = (message.due_ms().expect("an hour"), self.items[at].seq);
            assert!(due.0 <= self.now_ms, "due too early");
            assert!(before < due, "in the order in which they are due");
            before = due;
            self.items.remove(at);
            self.push(message, Place::Ready);
        }
    }

    /// The message that is out under a name.
    fn out_at(&self, ticket: Ticket) -> Option<usize> {
        self.items
            .iter()
            .position(|item| item.ticket() == ticket && item.place.is_out())
    }

    /// Those of them that are out, each once, by rising number.
    fn out(&self, tickets: &[Ticket]) -> Vec<Ticket> {
        let out = tickets.iter().filter(|ticket| self.out_at(**ticket).is_some());
        let by_number: BTreeMap<u64, Ticket> = out.map(|ticket| (ticket.seq(), *ticket)).collect();
        by_number.into_values().collect()
    }

    pub(super) fn settle(&mut self, tickets: &[Ticket]) {
        for ticket in self.out(tickets) {
            let at = self.out_at(ticket).expect("it is out");
            let item = self.items.remove(at);
            self.released(&item.place);
        }
    }

    pub(super) fn reject(&mut self, tickets: &[Ticket]) {
        for ticket in self.out(tickets) {
            self.give_up(ticket, Reason::Rejected);
        }
    }

    /// What is out leaves.
    fn give_up(&mut self, ticket: Ticket, reason: Reason) {
        let at = self.out_at(ticket).expect("it is out");
        let place = self.items[at].place;
        self.leave(at, reason);
        self.released(&place);
    }

    /// A message leaves for another queue, or is done with where there is none.
    fn leave(&mut self, at: usize, reason: Reason) {
        match self.rules.dead_letters {
            Some(_) => self.items[at].place = Place::Leaving(reason),
            None => drop(self.items.remove(at)),
        }
    }

    /// Deliveries come back. Whoever leaves for good is done with before the others come back, or behind them
    /// where there are no dead letters.
    pub(super) fn give_back(&mut self, tickets: &[Ticket], failed: bool) {
        let counted = u16::from(failed && self.counts);
        let out = self.out(tickets);
        let (over, back): (Vec<_>, Vec<_>) = out.into_iter().partition(|ticket| {
            let item = &self.items[self.out_at(*ticket).expect("it is out")];
            let limit = self.rules.delivery_limit.filter(|_| failed);
            limit.is_some_and(|limit| u64::from(item.failures + counted) > limit)
        });
        let has_dead_letters = self.rules.dead_letters.is_some();
        if has_dead_letters {
            over.iter()
                .for_each(|ticket| self.give_up(*ticket, Reason::DeliveryLimit));
        }
        for ticket in back {
            let at = self.out_at(ticket).expect("it is out");
            let now_ms = self.now_ms;
            let retry = self.rules.retry.filter(|retry| retry.is_for(failed));
            let item = &mut self.items[at];
            item.failures += counted;
            item.redelivered = true;
            let pause = retry.map_or(0, |retry| retry.pause_ms(item.failures, item.seq ^ now_ms));
            let place = match pause {
                0 => Place::Ready,
                _ => Place::Resting(now_ms.saturating_add(pause)),
            };
            let place = std::mem::replace(&mut item.place, place);
            self.released(&place);
        }
        if !has_dead_letters {
            over.iter()
                .for_each(|ticket| self.give_up(*ticket, Reason::DeliveryLimit));
        }
    }

    /// Those of them that are delayed are not wanted any more.
    pub(super) fn cancel_delayed(&mut self, seqs: &[u64]) {
        self.items
            .retain(|item| !(seqs.contains(&item.seq) && item.place == Place::Delayed));
    }

    pub(super) fn purge(&mut self) {
        self.items.retain(|item| item.place != Place::Ready);
    }

    /// All that leave, and at most so many of those that were never taken: they have no number, and are named
    /// once.
    pub(super) fn leaving(&mut self, max: usize) -> Vec<(Option<u64>, Vec<u8>, Reason)> {
        let count = self.turned_away.len().min(max);
        let turned_away = self.turned_away.drain(..count);
        let mut first: Vec<_> = turned_away
            .map(|message| (None, message.body().to_vec(), Reason::MaxLen))
            .collect();
        let leaving = self.items.iter().filter_map(|item| match item.place {
            Place::Leaving(reason) => Some((Some(item.seq), item.message.body().to_vec(), reason)),
            _ => None,
        });
        first.extend(leaving);
        first
    }

    pub(super) fn left(&mut self, seqs: &[u64]) {
        self.items
            .retain(|item| !(seqs.contains(&item.seq) && matches!(item.place, Place::Leaving(_))));
    }

    /// Who held what is forgotten; what was leaving is still here.
    pub(super) fn restart(&mut self) {
        self.consumers.clear();
        self.active = None;
        self.turned_away.clear();
        self.memory.restart();
        self.has_passed = false;
        for item in &mut self.items {
            item.turn = 0;
            if item.place.is_out() || matches!(item.place, Place::Leaving(_)) {
                item.place = Place::Ready;
            }
        }
    }
}

/// What is handed out.
impl Model {
    /// The priority that a message is served with.
    pub(super) fn level(&self, item: &Item) -> u8 {
        let envelope = item.message.envelope();
        let asked = match envelope.has_priority {
            true => envelope.priority,
            false => self.rules.default_priority,
        };
        self.rules.max_priority.map_or(0, |max| asked.min(max))
    }

    fn ready(&self) -> impl Iterator<Item = (usize, &Item)> {
        let all = self.items.iter().enumerate();
        all.filter(|(_, item)| item.place == Place::Ready)
    }

    /// Of what a consumer may get the highest priority first, and by rising number within one.
    pub(super) fn first_for(&self, to: Option<ConsumerKey>) -> Option<usize> {
        let first = self
            .ready()
            .filter(|(_, item)| self.may_get(to, item))
            .min_by_key(|(_, item)| (Reverse(self.level(item)), item.seq));
        first.map(|(at, _)| at)
    }

    /// The message at `at`, as it goes out.
    fn seen(&self, at: usize, to: Option<ConsumerKey>) -> Seen {
        let item = &self.items[at];
        let failures = self.rules.counts_deliveries.then_some(item.failures);
        let body = item.message.body().to_vec();
        (to, item.ticket(), item.redelivered, failures, body)
    }

    /// The message at `at` goes out.
    fn send(&mut self, at: usize, to: Option<ConsumerKey>, no_ack: bool) -> Seen {
        let seen = self.seen(at, to);
        let group = self.group_of(&self.items[at].message);
        let holder = self.consumers.iter().find(|one| Some(one.key) == to);
        let own_lease_ms = holder.and_then(|one| one.subscription.lease_ms);
        let lease_ms = own_lease_ms.or(self.rules.consumer_timeout_ms);
        let item = &mut self.items[at];
        item.place = Place::Out {
            to,
            since_ms: lease_ms.map(|_| self.now_ms),
            own_lease_ms,
        };
        item.group = group;
        if no_ack {
            self.items.remove(at);
        }
        seen
    }

    pub(super) fn take(&mut self, no_ack: bool) -> Option<Seen> {
        self.first_for(None).map(|at| self.send(at, None, no_ack))
    }

    /// Messages are offered, each to one whose turn it is, until there is nothing for anybody.
    pub(super) fn dispatch(&mut self, offers: &[Offer]) {
        for (seen, refused) in offers {
            let turns = self.turns();
            let is_it = |turn: &usize| Some(self.consumers[*turn].key) == seen.0;
            let turn = turns.iter().copied().find(is_it);
            let turn = turn.unwrap_or_else(|| panic!("it is the turn of {turns:?}, not of {seen:?}"));
            let (key, no_ack) = {
                let consumer = &mut self.consumers[turn];
                consumer.waits_since = None;
                consumer.refused |= refused;
                (consumer.key, consumer.subscription.no_ack)
            };
            let at = self.first_for(Some(key)).expect("something for it");
            assert_eq!(*seen, self.seen(at, Some(key)));
            if !refused {
                self.send(at, Some(key), no_ack);
                self.queue_up(key);
            }
        }
        assert_eq!(self.turns(), [0_usize; 0], "there is something for these");
    }
}

/// Time.
impl Model {
    /// Deliveries are out from now on, as far as their leases go.
    pub(super) fn renew(&mut self, tickets: &[Ticket]) {
        for ticket in tickets {
            let Some(at) = self.out_at(*ticket) else { continue };
            if let Place::Out {
                since_ms,
                own_lease_ms,
                ..
            } = &mut self.items[at].place
                && own_lease_ms.or(self.rules.consumer_timeout_ms).is_some()
            {
                *since_ms = Some(self.now_ms);
            }
        }
    }

    fn lease_end_ms(&self, item: &Item) -> Option<u64> {
        let Place::Out {
            since_ms,
            own_lease_ms,
            ..
        } = item.place
        else {
            return None;
        };
        let lease_ms = own_lease_ms.or(self.rules.consumer_timeout_ms)?;
        // 0, which a consumer alone may ask for, is none.
        (lease_ms > 0).then_some(since_ms?.saturating_add(lease_ms))
    }

    /// The ready message of each priority that is its first.
    fn is_head(&self, item: &Item) -> bool {
        let mut before = self.ready().map(|(_, other)| other);
        !before.any(|other| other.seq < item.seq && self.level(other) == self.level(item))
    }

    /// When a ready message leaves: by its own time wherever it stands, by the queue's when it is the first.
    fn end_ms(&self, item: &Item) -> Option<u64> {
        let own = item.expiry_ms(item.message.ttl_ms());
        let queues = item.expiry_ms(self.rules.message_ttl_ms);
        let queues = queues.filter(|_| self.is_head(item));
        [own, queues].into_iter().flatten().min()
    }

    fn expire(&mut self) {
        while let Some(at) = self.first_over() {
            self.leave(at, Reason::Expired);
        }
    }

    fn first_over(&self) -> Option<usize> {
        let is_over = |item: &Item| self.end_ms(item).is_some_and(|end| end <= self.now_ms);
        self.ready().find(|(_, item)| is_over(item)).map(|(at, _)| at)
    }

    /// Whatever is due by now happens, but that delayed messages are due: see [`Model::mature`].
    pub(super) fn wake(&mut self) {
        let now_ms = self.now_ms;
        for item in &mut self.items {
            if matches!(item.place, Place::Resting(until) if until <= now_ms) {
                item.place = Place::Ready;
            }
        }
        self.expire();
        let ended = self.items.iter().filter_map(|item| {
            let Place::Out { to, since_ms, .. } = item.place else {
                return None;
            };
            let is_over = self.lease_end_ms(item)? <= now_ms;
            is_over.then_some((since_ms, item.ticket(), to))
        });
        let mut ended: Vec<_> = ended.collect();
        ended.sort_by_key(|(since_ms, ticket, _)| (*since_ms, *ticket));
        self.timed_out
            .extend(ended.iter().map(|(_, ticket, to)| (*to, *ticket)));
        let tickets: Vec<Ticket> = ended.into_iter().map(|(_, ticket, _)| ticket).collect();
        self.give_back(&tickets, false);
        for item in &mut self.items {
            if tickets.contains(&item.ticket()) {
                item.turn += 1;
            }
        }
        self.expire();
    }

    /// When something happens by itself.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        let due = |item: &Item| match item.place {
            Place::Delayed => item.message.due_ms(),
            Place::Ready => self.end_ms(item),
            Place::Out { .. } => self.lease_end_ms(item),
            Place::Resting(until) => Some(until),
            Place::Leaving(_) => None,
        };
        self.items.iter().filter_map(due).min()
    }
}

/// Limits.
impl Model {
    fn exceeds(&self, count: usize, octets: u64) -> bool {
        let Rules {
            max_length,
            max_length_bytes,
            ..
        } = &self.rules;
        max_length.is_some_and(|max| count as u64 > max) || max_length_bytes.is_some_and(|max| octets > max)
    }

    /// How many of these messages, the first ones, there is room for. Those that came before take none, and
    /// those that take the place of others no more than they do. Whether one came before may be open: then it
    /// did if it is among the `answered` first ones and `was_taken` does not know it.
    pub(super) fn room_for(
        &self,
        messages: &[Message],
        answered: usize,
        was_taken: impl Fn(&Message) -> bool,
    ) -> usize {
        if self.rules.overflow == Overflow::DropHead {
            return messages.len();
        }
        let totals = self.totals();
        let (mut count, mut octets) = (totals.ready as u64, totals.ready_octets);
        let [count_max, octets_max] = [self.rules.max_length, self.rules.max_length_bytes];
        let mut brought = Vec::new();
        let mut new: Vec<&Message> = Vec::new();
        for (nth, message) in messages.iter().enumerate() {
            if self.is_duplicate(message, &brought, |one| nth >= answered || was_taken(one)) {
                continue;
            }
            brought.extend(duplicate_key(message));
            let before: Vec<&Message> = new.extract_if(.., |one| self.makes_way(one, message)).collect();
            // What one of these took the place of is gone.
            let is_first = before.is_empty();
            let ready = self.items.iter().filter(|item| item.place == Place::Ready);
            let ready = ready.map(|item| &item.message);
            let ready = ready.filter(|one| is_first && self.makes_way(one, message));
            let gone: Vec<u64> = ready.chain(before).map(|one| one.body().len() as u64).collect();
            let then = count + 1 - gone.len() as u64;
            let octets_then = octets + message.body().len() as u64 - gone.iter().sum::<u64>();
            let grows_too_long = then > count && count_max.is_some_and(|max| then > max);
            if grows_too_long || (octets_then > octets && octets_max.is_some_and(|max| octets_then > max)) {
                return nth;
            }
            (count, octets) = (then, octets_then);
            new.push(message);
        }
        messages.len()
    }

    /// There is more than may be, and it is to go.
    pub(super) fn is_overfull(&self) -> bool {
        let totals = self.totals();
        self.rules.overflow == Overflow::DropHead && self.exceeds(totals.ready, totals.ready_octets)
    }

    /// The oldest of the lowest priority goes, until there is no more than may be.
    pub(super) fn shed(&mut self) {
        while self.is_overfull() {
            let lowest = self.ready().min_by_key(|(_, item)| (self.level(item), item.seq));
            let at = lowest.expect("more than none").0;
            self.leave(at, Reason::MaxLen);
        }
    }

    fn count(&self, of: impl Fn(&Place) -> bool) -> (usize, u64) {
        let found = self.items.iter().filter(|item| of(&item.place));
        found.fold((0, 0), |(count, octets), item| {
            (count + 1, octets + item.octets())
        })
    }

    pub(super) fn totals(&self) -> Totals {
        let (ready, ready_octets) = self.count(|place| *place == Place::Ready);
        let (unsettled, unsettled_octets) = self.count(|place| place.is_out());
        let (leaving, _) = self.count(|place| matches!(place, Place::Leaving(_)));
        Totals {
            ready,
            ready_octets,
            unsettled,
            unsettled_octets,
            delayed: self.items.len() - ready - unsettled - leaving,
            leaving: leaving + self.turned_away.len(),
            consumers: self.consumers.len(),
            bytes: 0,
        }
    }

    pub(super) fn ready_by_priority(&self) -> Vec<(u8, usize)> {
        let mut counts = BTreeMap::new();
        for (_, item) in self.ready() {
            *counts.entry(self.level(item)).or_default() += 1;
        }
        counts.into_iter().collect()
    }
}
