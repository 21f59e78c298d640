//! Leases: for how long a delivery may be out.
//!
//! Mostly they are all of one length, which is a rule of the queue's. So they end in the order in which they
//! began, also when the rule changes while they last; those that are over are left where they stand for a
//! while. A consumer may have leases of another length, which stand by when they end.

use super::fact::Fact;
use super::ticket::Ticket;
use super::window::Window;
use super::{ConsumerKey, Queue};
use std::collections::{BTreeSet, VecDeque};

/// Leases that are over are not looked for while there are so few.
const SLACK: usize = 64;

/// A delivery that was taken away from a consumer that held it for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut {
    /// Who held it; `None`: a getter.
    pub consumer: Option<ConsumerKey>,
    /// Its name, which is void.
    pub ticket: Ticket,
}

/// A lease of a length of its own.
#[derive(Debug, Clone, Copy)]
struct Own {
    since_ms: u64,
    /// 0: it never ends.
    lease_ms: u64,
    ticket: Ticket,
}

impl Own {
    /// As it stands among those that end.
    fn end(&self) -> Option<(u64, Ticket)> {
        let end = self.since_ms.saturating_add(self.lease_ms);
        (self.lease_ms > 0).then_some((end, self.ticket))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// Since when deliveries are out, by rising time. Some are over.
    begun: VecDeque<(u64, Ticket)>,
    /// Those of them that count: since when messages are out.
    since: Window<u64>,
    own: Window<Own>,
    /// When those end, and which deliveries that is about.
    own_ends: BTreeSet<(u64, Ticket)>,
    timed_out: Vec<TimedOut>,
}

impl Leases {
    /// A delivery is out since now.
    pub(super) fn lend(&mut self, ticket: Ticket, now_ms: u64) {
        if self.since.find(ticket.seq()) == Some(&now_ms) {
            return;
        }
        self.since.insert(ticket.seq(), now_ms);
        self.begun.push_back((now_ms, ticket));
        self.trim();
    }

    /// A delivery is out since now, for so long; 0: without a limit.
    pub(super) fn lend_for(&mut self, lease_ms: u64, ticket: Ticket, now_ms: u64) {
        self.end(ticket.seq());
        let own = Own {
            since_ms: now_ms,
            lease_ms,
            ticket,
        };
        self.own_ends.extend(own.end());
        self.own.insert(ticket.seq(), own);
    }

    /// A delivery is no longer out.
    pub(super) fn end(&mut self, seq: u64) {
        if !self.since.is_empty() {
            self.since.remove(seq);
        }
        if !self.own.is_empty()
            && let Some(end) = self.own.remove(seq).and_then(|own| own.end())
        {
            self.own_ends.remove(&end);
        }
    }

    /// Forgets leases that are over: those at the front at once, all others when they are more than half.
    /// Otherwise each delivery would be remembered for as long as one may be out.
    fn trim(&mut self) {
        let since = &self.since;
        let counts = |(begun, ticket): &(u64, Ticket)| since.find(ticket.seq()) == Some(begun);
        while self.begun.front().is_some_and(|lease| !counts(lease)) {
            self.begun.pop_front();
        }
        if self.begun.len() > 2 * since.len() + SLACK {
            self.begun.retain(counts);
        }
    }

    /// When the first lease ends, where the queue's rule is for so long.
    pub(super) fn next_end(&self, rule_ms: Option<u64>) -> Option<u64> {
        let own = self.own_ends.first().map(|(end, _)| *end);
        let first = self.begun.front().zip(rule_ms);
        let first = first.map(|((since, _), rule_ms)| since.saturating_add(rule_ms));
        own.into_iter().chain(first).min()
    }

    /// Ends the leases that are over. Answers since when they were, and for what, in that order.
    fn take_ended(&mut self, rule_ms: Option<u64>, now_ms: u64) -> Vec<(u64, Ticket)> {
        let mut ended = Vec::new();
        while let Some((since, ticket)) = self.begun.front().copied()
            && rule_ms.is_some_and(|rule_ms| since.saturating_add(rule_ms) <= now_ms)
        {
            self.begun.pop_front();
            // It came back meanwhile, or there is a later lease of the same.
            if self.since.find(ticket.seq()) == Some(&since) {
                self.since.remove(ticket.seq());
                ended.push((since, ticket));
            }
        }
        while let Some((end, ticket)) = self.own_ends.first().copied()
            && end <= now_ms
        {
            self.own_ends.pop_first();
            let own = self.own.remove(ticket.seq());
            ended.extend(own.map(|own| (own.since_ms, ticket)));
        }
        // By number where they went out at once: a lease of before may have stood for one that went out
        // again.
        ended.sort_unstable();
        ended
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.begun.len() + self.own.len() + self.own_ends.len()
    }
}

impl Queue {
    /// Deliveries that were taken away since this was last asked.
    pub fn take_timed_out(&mut self) -> Vec<TimedOut> {
        match &mut self.extras {
            None => Vec::new(),
            Some(extras) => std::mem::take(&mut extras.times.leases.timed_out),
        }
    }

    /// Deliveries that are out stay with who holds them for as long as if they had gone out now.
    pub fn renew(&mut self, tickets: &[Ticket], now_ms: u64) {
        let Some(extras) = &mut self.extras else { return };
        let rule_ms = extras.rules.consumer_timeout_ms;
        let leases = &mut extras.times.leases;
        for ticket in tickets {
            let held = self.unsettled.find(ticket.seq());
            if held.is_none_or(|held| held.turn != ticket.turn()) {
                continue;
            }
            match leases.own.find(ticket.seq()).map(|own| own.lease_ms) {
                Some(lease_ms) => leases.lend_for(lease_ms, *ticket, now_ms),
                None if rule_ms.is_some() => leases.lend(*ticket, now_ms),
                None => {}
            }
        }
    }

    /// Deliveries that are out for too long come back; as in RabbitMQ that is no failure.
    pub(super) fn end_leases(&mut self, now_ms: u64, facts: &mut Vec<Fact>) {
        let Some(extras) = &mut self.extras else { return };
        let rule_ms = extras.rules.consumer_timeout_ms;
        let leases = &mut extras.times.leases;
        let ended = leases.take_ended(rule_ms, now_ms);
        let mut tickets = Vec::with_capacity(ended.len());
        for (_, ticket) in ended {
            let held = self.unsettled.find(ticket.seq());
            if let Some(held) = held.filter(|held| held.turn == ticket.turn()) {
                let consumer = held.consumer;
                leases.timed_out.push(TimedOut { consumer, ticket });
                tickets.push(ticket);
            }
        }
        if !tickets.is_empty() {
            self.decide_return(&tickets, false, now_ms, facts);
            if let Some(extras) = &mut self.extras {
                tickets.iter().for_each(|ticket| extras.take_away(ticket.seq()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(seq: u64) -> Ticket {
        Ticket::new(seq, 0)
    }

    #[test]
    fn leases_of_any_length_end_when_they_are_over_and_are_told_as_they_began() {
        let mut leases = Leases::default();
        leases.lend_for(500, ticket(0), 10);
        leases.lend(ticket(1), 20);
        leases.lend_for(u64::MAX, ticket(2), 20);
        leases.lend_for(0, ticket(3), 20);
        leases.lend_for(5, ticket(4), 30);
        assert_eq!(leases.next_end(Some(100)), Some(35));
        assert_eq!(leases.take_ended(Some(100), 35), [(30, ticket(4))]);
        assert_eq!(leases.next_end(Some(100)), Some(120));
        assert_eq!(leases.next_end(None), Some(510));
        assert_eq!(leases.take_ended(Some(100), 119), []);
        let both = [(10, ticket(0)), (20, ticket(1))];
        assert_eq!(leases.take_ended(Some(100), 1_000), both);
        assert_eq!(leases.next_end(Some(100)), Some(u64::MAX));
    }

    #[test]
    fn what_is_lent_anew_ends_by_the_later_lease_alone() {
        let mut leases = Leases::default();
        leases.lend_for(100, ticket(7), 0);
        leases.lend_for(100, ticket(7), 50);
        assert_eq!(leases.take_ended(None, 149), []);
        assert_eq!(leases.take_ended(None, 150), [(50, ticket(7))]);
        assert_eq!(leases.len(), 0);
    }

    #[test]
    fn of_leases_of_other_lengths_nothing_is_kept_when_they_are_over() {
        let mut leases = Leases::default();
        for seq in 0..1_000 {
            leases.lend_for(seq % 7 * 1_000, ticket(seq), seq);
        }
        (1..1_000).for_each(|seq| leases.end(seq));
        assert_eq!(leases.len(), 1);
        leases.end(0);
        assert_eq!(leases.len(), 0);
    }
}
