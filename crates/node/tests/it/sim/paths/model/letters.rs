//! What dead letters tell of their deaths: one for each queue on their way, for a reason that there was.

use super::super::super::model::Moment;
use super::{Found, Model, Out, Spot, is_possible};
use warren_broker::message::{Message, Reason};

/// A death that a message tells of.
#[derive(Debug, Clone)]
pub(crate) struct Death {
    queue: String,
    reason: Reason,
    count: u64,
    time_s: u64,
}

impl Death {
    /// All that a message tells of, the most recent first.
    pub(crate) fn all_of(message: &Message) -> Vec<Self> {
        let deaths = message.annotations().deaths();
        let entries = deaths.iter().flat_map(|deaths| deaths.entries());
        entries
            .map(|death| Self {
                queue: death.queue.to_owned(),
                reason: death.reason,
                count: death.count,
                time_s: death.time_s,
            })
            .collect()
    }
}

impl Model {
    pub(super) fn check_letters(&self, at: &Moment, found: &Found) -> Result<(), String> {
        for (spot, out) in &found.spots {
            self.check_deaths(at, *spot, out)
                .map_err(|wrong| format!("message {} in {} {wrong}: {:?}", spot.0, spot.1, out.deaths))?;
        }
        Ok(())
    }

    /// The queues that a message has left on its way to one, the first of them first.
    fn way(&self, root: &'static str, queue: &'static str) -> Vec<&'static str> {
        let mut way = Vec::new();
        let mut here = root;
        while here != queue {
            way.push(here);
            let next = self.plan.next_of(here).iter();
            let mut next = next.filter(|next| self.plan.reach(next).contains(queue));
            here = next.next().unwrap();
        }
        way
    }

    fn check_deaths(&self, at: &Moment, (id, queue): Spot, out: &Out) -> Result<(), String> {
        let Some((root, _)) = self.sent_of(id, queue) else {
            return Err("was never published".to_owned());
        };
        let way = self.way(root, queue);
        let told = out.deaths.iter().rev();
        if !told.clone().map(|death| &*death.queue).eq(way.iter().copied()) {
            return Err(format!("came by {way:?}, and tells of other deaths"));
        }
        for (death, at_queue) in told.zip(way) {
            if death.count != 1 || !self.has_reason(at, (id, at_queue), death) {
                return Err(format!("died of nothing in {at_queue}"));
            }
        }
        Ok(())
    }

    fn has_reason(&self, at: &Moment, (id, queue): Spot, death: &Death) -> bool {
        let station = self.station(queue);
        let known = self.known((id, queue));
        match death.reason {
            Reason::Expired => match self.sent_of(id, queue) {
                Some((root, sent)) if root == queue => {
                    let expires_ms = self.expires_ms(root, sent);
                    expires_ms.is_some_and(|expires_ms| expires_ms / 1000 <= death.time_s)
                }
                _ => station.ttl_ms.is_some(),
            },
            Reason::MaxLen => station.max.is_some(),
            Reason::Rejected => is_possible(at, known.rejected),
            Reason::DeliveryLimit => is_possible(at, known.failed_for_good),
            Reason::Deleted => station.sends_on && is_possible(at, known.deleted),
        }
    }
}
