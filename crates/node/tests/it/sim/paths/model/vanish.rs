//! What may take a message out of a queue from which nothing goes on: its time is over, or there are too
//! many.

use super::super::super::model::Moment;
use super::super::plan::Overflow;
use super::{Found, Model, Sent, Spot};

impl Model {
    /// When a message expires in the queue that it was published to.
    pub(super) fn expires_ms(&self, root: &str, sent: &Sent) -> Option<u64> {
        let begin_ms = sent.published_ms.max(sent.due_ms);
        let ttls = [self.station(root).ttl_ms, sent.ttl_ms];
        let least = ttls.into_iter().flatten().min();
        least.map(|ttl_ms| begin_ms + ttl_ms)
    }

    /// Whether a message may be gone from a queue without a trace.
    pub(super) fn may_vanish(&self, at: &Moment, found: &Found, (id, queue): Spot) -> bool {
        self.may_expire(at, found, (id, queue)) || self.may_be_too_many(at, (id, queue))
    }

    fn may_expire(&self, at: &Moment, found: &Found, (id, queue): Spot) -> bool {
        match self.sent_of(id, queue) {
            Some((root, sent)) if root == queue => {
                // What waits expires when it waits no longer, and much time passes then.
                let may_rest = self.known((id, queue)).may_rest(at, found.hour_ms);
                let waits = sent.due_ms > found.hour_ms || may_rest;
                let hour_ms = self.hour_at(at).max(found.hour_ms);
                let expires_ms = self.expires_ms(root, sent);
                expires_ms.is_some_and(|expires_ms| waits || expires_ms <= hour_ms)
            }
            // When it came there nobody knows.
            _ => self.station(queue).ttl_ms.is_some(),
        }
    }

    /// The first of the least importance goes when there are too many behind it.
    fn may_be_too_many(&self, at: &Moment, (id, queue): Spot) -> bool {
        let station = self.station(queue);
        let Some((most, Overflow::Drop)) = station.max else {
            return false;
        };
        let is_ordered = station.priorities.is_none() && !station.is_quorum;
        let is_plain =
            |id, sent: &Sent, root: &str| is_ordered && root == queue && sent.due_ms == 0 && id > 0;
        let own = self.sent_of(id, queue);
        let is_own_plain = own.is_some_and(|(root, sent)| is_plain(id, sent, root));
        let may_be_behind = |((other, root), sent): &(&Spot, &Sent)| {
            *other != id
                && at.is_possible(&sent.when)
                && self.plan.reach(root).contains(queue)
                && !(is_own_plain && is_plain(*other, sent, root) && *other < id)
        };
        self.sent.iter().filter(may_be_behind).count() as u64 >= most
    }
}
