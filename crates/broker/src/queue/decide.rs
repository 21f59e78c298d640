//! The door of commands: what they come to, as facts.

use super::fact::{Fact, Gathered};
use super::keys::Key;
use super::leaving::Gone;
use super::ticket::Ticket;
use super::{Command, Held, Queue, Range, SeqSet};
use crate::message::{Message, Reason};
use std::collections::{HashMap, HashSet};

impl Queue {
    /// Decides what a command comes to, as facts to be recorded and then applied. Of [`Command::Enqueue`] it
    /// answers how many messages the queue takes, the first ones; of [`Command::Tick`] how many matured,
    /// which are to be offered before the next tick, as the shortest time to live is one offer; of others
    /// nothing. At most one command is decided before its facts are applied.
    pub fn decide(&mut self, command: &Command<'_>, now_ms: u64, facts: &mut Vec<Fact>) -> usize {
        match command {
            Command::Enqueue(messages) => return self.decide_enqueue(messages, now_ms, facts),
            Command::Settle(tickets) => {
                let mut gathered = Gathered::default();
                self.each_held(tickets, |seq, held| {
                    gathered.push(seq, held.persistent, held.octets)
                });
                facts.extend(gathered.settled());
            }
            Command::Reject(tickets) => self.decide_reject(tickets, facts),
            Command::Return { tickets, failed } => self.decide_return(tickets, *failed, now_ms, facts),
            Command::Purge => self.decide_purge(facts),
            Command::Tick => return self.tick(now_ms, facts),
            Command::Shed => self.shed(facts),
            Command::Left(seqs) => self.decide_left(seqs, facts),
            Command::Cancel(seqs) => self.decide_cancel(seqs, facts),
        }
        0
    }

    fn decide_enqueue(&mut self, messages: &[Message], now_ms: u64, facts: &mut Vec<Fact>) -> usize {
        if self.extras.as_ref().is_some_and(|extras| extras.has_keys()) {
            return self.enqueue_by_key(messages, now_ms, facts);
        }
        let taken = self.room_for(messages);
        let numbered = (self.next_seq..).zip(messages.iter().take(taken));
        facts.extend(numbered.map(|(seq, m)| Fact::Enqueued {
            seq,
            message: m.clone(),
            is_due: false,
        }));
        taken
    }

    /// Queues messages of which some may have come before, or take the place of others. Answers how many, the
    /// first ones, there is room for; those that came before take none.
    pub(super) fn enqueue_by_key(&self, messages: &[Message], now_ms: u64, facts: &mut Vec<Fact>) -> usize {
        let Some(extras) = &self.extras else {
            return 0;
        };
        let mut next = self.next_seq;
        let mut room = self.room();
        // What the batch itself brings is not applied yet.
        let mut came: HashMap<Key, (u64, u32)> = HashMap::new();
        let may_go = |seq| {
            // One that is out is left to who holds it, and one that leaves arrives where it is to go.
            self.unsettled.find(seq).is_none() && extras.leaving.gone.find(seq).is_none()
        };
        let mut brought: HashSet<Key> = HashSet::new();
        for (nth, message) in messages.iter().enumerate() {
            let dedup = extras.copy_key(message, now_ms);
            if dedup.is_some_and(|(key, _)| extras.seen.has(key, now_ms) || brought.contains(&key)) {
                continue;
            }
            let octets = message.envelope().body_bytes;
            let last = extras.last_key(message);
            let mut olds: Vec<(u64, u32)> = Vec::new();
            match last.map(|key| (key, came.get(&key))) {
                Some((_, Some(old))) => olds.push(*old),
                Some((key, None)) => olds.extend(extras.last.find(key).filter(|(seq, _)| may_go(*seq))),
                None => {}
            }
            if !room.take(u64::from(octets), &self.taking_room(&room, &olds)) {
                return nth;
            }
            if let Some((key, until_ms)) = dedup {
                brought.insert(key);
                facts.push(Fact::Seen {
                    key,
                    until_ms,
                    persistent: self.is_kept(message),
                });
            }
            if let Some(key) = last {
                came.insert(key, (next, octets));
            }
            facts.extend(olds.into_iter().map(|(old, octets)| Fact::Settled {
                range: Range::one(old),
                // Of a transient message nothing is in the log, so that this does no harm there.
                persistent: true,
                octets: u64::from(octets),
            }));
            facts.push(Fact::Enqueued {
                seq: next,
                message: message.clone(),
                is_due: false,
            });
            next += 1;
        }
        messages.len()
    }

    /// Whether a delivery is out, and was not taken away from who holds it.
    pub fn is_out(&self, ticket: Ticket) -> bool {
        let held = self.unsettled.find(ticket.seq());
        held.is_some_and(|held| held.turn == ticket.turn())
    }

    /// The deliveries that are out under these names.
    #[inline]
    fn each_held(&self, tickets: &[Ticket], mut each: impl FnMut(u64, &Held)) {
        for ticket in tickets {
            if let Some(held) = self.unsettled.find(ticket.seq())
                && held.turn == ticket.turn()
            {
                each(ticket.seq(), held);
            }
        }
    }

    fn decide_reject(&mut self, tickets: &[Ticket], facts: &mut Vec<Fact>) {
        if !self.has_dead_letters() {
            let mut gathered = Gathered::default();
            self.each_held(tickets, |seq, held| {
                gathered.push(seq, held.persistent, held.octets)
            });
            return facts.extend(gathered.settled());
        }
        let mut all = Vec::with_capacity(tickets.len());
        self.each_held(tickets, |seq, _| all.push(seq));
        // Consumers are rid of them in the order in which they would be if they were settled.
        all.sort_unstable();
        all.into_iter()
            .for_each(|seq| self.give_up(seq, Reason::Rejected));
    }

    pub(super) fn decide_return(
        &mut self,
        tickets: &[Ticket],
        failed: bool,
        now_ms: u64,
        facts: &mut Vec<Fact>,
    ) {
        let retry = self.extras.as_ref().and_then(|extras| extras.rules.retry);
        let retry = retry.filter(|retry| retry.is_for(failed));
        let limit = self
            .extras
            .as_ref()
            .and_then(|extras| extras.rules.delivery_limit);
        let limit = limit.filter(|_| failed).unwrap_or(u64::MAX);
        let counted = u16::from(failed && self.extras.is_some());
        let mut returned = Gathered::default();
        let mut given_up = Gathered::default();
        let mut leaving = Vec::new();
        let has_dead_letters = self.has_dead_letters();
        self.each_held(tickets, |seq, held| {
            let failures = held.failures.saturating_add(counted);
            if u64::from(failures) <= limit {
                let pause = retry.map_or(0, |retry| retry.pause_ms(failures, seq ^ now_ms));
                let until = if pause > 0 {
                    now_ms.saturating_add(pause)
                } else {
                    0
                };
                returned.push_failed(seq, held.persistent, failures, until, held.octets);
            } else if has_dead_letters {
                leaving.push(seq);
            } else {
                given_up.push(seq, held.persistent, held.octets);
            }
        });
        facts.extend(returned.returned());
        facts.extend(given_up.settled());
        leaving.sort_unstable();
        leaving
            .into_iter()
            .for_each(|seq| self.give_up(seq, Reason::DeliveryLimit));
    }

    fn decide_purge(&self, facts: &mut Vec<Fact>) {
        if let Some(up_to) = self.next_seq.checked_sub(1)
            && self.ready_count() > 0
        {
            let out = self.unsettled.iter();
            let mut kept: Vec<_> = out
                .map(|(seq, held)| (seq, held.persistent, held.octets))
                .collect();
            if let Some(extras) = &self.extras {
                let leaving = extras.leaving.gone.iter();
                kept.extend(leaving.map(|(seq, gone)| (seq, gone.persistent, gone.octets)));
            }
            let mut except = match &self.extras {
                Some(extras) => extras.times.waiting_seqs(),
                None => SeqSet::default(),
            };
            let kept_octets = self.octets.out() + self.octets.aside();
            let mut kept_persistent = kept_octets;
            for (seq, persistent, octets) in kept {
                except.insert(seq);
                kept_persistent -= if persistent { 0 } else { u64::from(octets) };
            }
            if let Some(extras) = &self.extras {
                kept_persistent -= extras.times.transient_octets();
            }
            let except = except.ranges();
            facts.push(Fact::Purged {
                up_to,
                except,
                kept_octets,
                kept_persistent,
            });
        }
    }

    fn decide_left(&self, seqs: &[u64], facts: &mut Vec<Fact>) {
        let Some(extras) = &self.extras else { return };
        // What a replay may take for delayed is told by itself: it knows the octets of neither kind alone.
        let (mut gathered, mut hurried) = (Gathered::default(), Gathered::default());
        for seq in seqs {
            if let Some(gone) = extras.leaving.gone.find(*seq) {
                let of_kind = match extras.times.was_hurried(*seq) {
                    true => &mut hurried,
                    false => &mut gathered,
                };
                of_kind.push(*seq, gone.persistent, gone.octets);
            }
        }
        facts.extend(gathered.settled());
        facts.extend(hurried.settled());
    }

    fn decide_cancel(&self, seqs: &[u64], facts: &mut Vec<Fact>) {
        let Some(extras) = &self.extras else { return };
        let mut gathered = Gathered::default();
        for seq in seqs {
            if let Some(entry) = extras.times.delayed.find(*seq) {
                let octets = entry.message.envelope().body_bytes;
                gathered.push(*seq, self.is_kept(&entry.message), octets);
            }
        }
        facts.extend(gathered.settled());
    }

    pub(super) fn has_dead_letters(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|extras| extras.rules.dead_letters.is_some())
    }

    /// A message that is out leaves: whoever held it is rid of it at once.
    pub(super) fn give_up(&mut self, seq: u64, reason: Reason) {
        let Some(held) = self.unsettled.remove(seq) else {
            return;
        };
        if let Some(consumer) = held.consumer {
            self.consumers.released(consumer);
        }
        let octets = u64::from(held.octets);
        self.octets.came_in(octets);
        self.octets.set_aside(octets);
        let extras = self.extras.get_or_insert_default();
        if let Some(groups) = &mut extras.groups {
            groups.forget(seq);
        }
        extras.times.leases.end(seq);
        let gone = Gone {
            is_stored: held.message.is_none(),
            message: held.message,
            reason,
            octets: held.octets,
            persistent: held.persistent,
            // It is not said to any log that it came back.
            redelivered: held.redelivered,
            failures: held.failures,
            level: held.level,
            is_tried: false,
        };
        extras.leaving.add(seq, gone, true);
    }
}
