//! Where each message may be: its path, with what is known of each place. It says nothing of when a message
//! moves on: that it may do at any time that has a reason for it, but wholly.

mod ends;
mod keys;
mod letters;
mod order;
mod resolve;
mod vanish;

pub(crate) use ends::End;
pub(crate) use keys::Accepted;
pub(crate) use letters::Death;
pub(crate) use order::{Run, level_of};

use super::super::model::{Moment, When};
use super::super::sim_disk::Random;
use super::plan::{Plan, Station};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A message in a queue.
pub(crate) type Spot = (u64, &'static str);

/// A message that was published.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) when: When,
    /// What it comes with, wholly or not at all: a transaction, or the other queues of an exchange.
    pub(crate) group: Option<u64>,
    pub(crate) published_ms: u64,
    /// Nobody gets it before.
    pub(crate) due_ms: u64,
    /// A time to live of its own.
    pub(crate) ttl_ms: Option<u64>,
    /// 0: it has none.
    pub(crate) key: i64,
    /// The queue had no room for it.
    pub(crate) is_refused: bool,
}

/// A message came back, and rests before it is tried again, or does not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    pub(crate) when: When,
    /// Until then at least, and at most: how often it failed before may not be known. 0: it does not.
    pub(crate) least_ms: u64,
    pub(crate) most_ms: u64,
}

/// What is known of a message in a queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// It was done with there.
    pub(crate) settled: Option<When>,
    /// Another came in its place, if it was still in it.
    pub(crate) replaced: Option<When>,
    /// It was seen there: it is in no place before any more.
    pub(crate) seen: Option<When>,
    /// Deliveries that failed.
    pub(crate) fails: Vec<When>,
    /// Some before them may have, and nobody tells.
    pub(crate) has_past: bool,
    /// Each time that it came back, whether it rests since.
    pub(crate) rests: Vec<Rest>,
    /// Its queue was deleted.
    pub(crate) deleted: Option<When>,
    /// It was rejected for good, and failed too often: it leaves.
    pub(crate) rejected: Option<When>,
    pub(crate) failed_for_good: Option<When>,
}

/// A message that came out of a queue after a crash.
#[derive(Debug, Clone)]
pub(crate) struct Out {
    pub(crate) failures: Option<u16>,
    /// It came only when much time had passed.
    pub(crate) is_later: bool,
    pub(crate) seq: u64,
    /// The most recent first.
    pub(crate) deaths: Vec<Death>,
}

/// What a recovered node holds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The queues are there.
    pub(crate) is_set_up: bool,
    pub(crate) spots: BTreeMap<Spot, Out>,
    /// The hour at which it was asked first.
    pub(crate) hour_ms: u64,
    /// Queues that are not there.
    pub(crate) absent: BTreeSet<&'static str>,
    /// Keys that it took once more.
    pub(crate) taken_again: BTreeSet<(&'static str, i64)>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) plan: Arc<Plan>,
    pub(crate) sent: BTreeMap<Spot, Sent>,
    pub(crate) known: BTreeMap<Spot, Known>,
    /// What transactions settled.
    pub(crate) settles: BTreeMap<u64, Vec<Spot>>,
    pub(crate) accepted: Vec<Accepted>,
    /// Queues that were deleted, and declared again.
    pub(crate) ends: Vec<End>,
    /// The hour, with the operations of the disk that had been then.
    pub(crate) hours: Vec<(usize, u64)>,
    pub(crate) last_id: u64,
    pub(crate) lives: u64,
}

impl Known {
    /// Whether it may have failed so often, as far as an earlier life left that open.
    pub(crate) fn may_have_failed(&self, failures: usize) -> bool {
        let is_open = |when: &&When| !when.is_closed();
        let open = self.fails.iter().filter(is_open).count();
        (self.fails.len() - open..=self.fails.len()).contains(&failures)
    }

    /// What may be the last time that it came back.
    fn last_rests(&self, at: &Moment) -> &[Rest] {
        let first = self.rests.iter().rposition(|rest| at.is_certain(&rest.when));
        let end = self.rests.iter().rposition(|rest| at.is_possible(&rest.when));
        let all = &self.rests[..end.map_or(0, |end| end + 1)];
        &all[first.unwrap_or(0)..]
    }

    /// Whether it may rest at an hour.
    fn may_rest(&self, at: &Moment, hour_ms: u64) -> bool {
        self.last_rests(at).iter().any(|rest| rest.most_ms > hour_ms)
    }

    /// Whether it is certain to.
    fn must_rest(&self, at: &Moment, hour_ms: u64) -> bool {
        let last = self.last_rests(at);
        let is_certain = last.first().is_some_and(|rest| at.is_certain(&rest.when));
        is_certain && last.iter().all(|rest| rest.least_ms > hour_ms)
    }
}

fn is_possible(at: &Moment, when: Option<When>) -> bool {
    when.is_some_and(|when| at.is_possible(&when))
}

fn is_certain(at: &Moment, when: Option<When>) -> bool {
    when.is_some_and(|when| at.is_certain(&when))
}

impl Model {
    /// Nothing happened yet.
    pub(crate) fn of_plan(random: &mut Random) -> Self {
        Self {
            plan: Arc::new(Plan::any(random)),
            ..Self::default()
        }
    }

    pub(crate) fn hour_ms(&self) -> u64 {
        self.hours.last().map_or(super::BEGIN_MS, |(_, ms)| *ms)
    }

    fn station(&self, queue: &str) -> &Station {
        self.plan.station(queue)
    }

    fn known(&self, spot: Spot) -> Known {
        self.known.get(&spot).cloned().unwrap_or_default()
    }

    /// As what a message that is in a queue, or was, was published.
    pub(crate) fn sent_of(&self, id: u64, queue: &str) -> Option<(&'static str, &Sent)> {
        let all = self.sent.range((id, "")..(id + 1, ""));
        let mut all = all.map(|((_, root), sent)| (*root, sent));
        all.find(|(root, _)| self.plan.reach(root).contains(queue))
    }

    /// Whether any place behind these holds the message.
    fn is_beyond(&self, id: u64, queue: &str, found: &Found) -> bool {
        let mut behind = self.plan.next_of(queue).iter();
        behind.any(|next| found.spots.contains_key(&(id, *next)) || self.is_beyond(id, next, found))
    }

    /// Whether it was seen for certain in a place behind.
    fn is_seen_beyond(&self, at: &Moment, id: u64, queue: &str) -> bool {
        self.plan.next_of(queue).iter().any(|next| {
            let seen = self.known.get(&(id, *next)).and_then(|known| known.seen);
            is_certain(at, seen) || self.is_seen_beyond(at, id, next)
        })
    }

    /// Whether a node that died at a moment may come back so.
    pub(crate) fn check(&self, at: &Moment, found: &Found) -> Result<(), String> {
        let mut reached = BTreeSet::new();
        let evident_groups = self.evident_groups(found);
        for ((id, root), sent) in &self.sent {
            let evident = found.spots.contains_key(&(*id, root)) || self.is_beyond(*id, root, found);
            if evident && !at.is_possible(&sent.when) {
                return Err(format!("message {id} of {root} is there before it was published"));
            }
            if sent.is_refused && found.spots.contains_key(&(*id, root)) {
                return Err(format!("message {id} of {root} was refused, and is there"));
            }
            let is_owed =
                at.is_certain(&sent.when) || sent.group.is_some_and(|group| evident_groups.contains(&group));
            self.check_path(at, found, (*id, root), is_owed || evident, &mut reached)?;
            if let Some(out) = found.spots.get(&(*id, *root)) {
                self.check_hours(at, found, (*id, root), sent, out)
                    .map_err(|wrong| format!("message {id} of {root} {wrong}: {sent:?}"))?;
            }
        }
        if let Some(((id, queue), _)) = found.spots.iter().find(|(spot, _)| !reached.contains(*spot)) {
            let sent = self.sent_of(*id, queue);
            return Err(format!(
                "message {id} is in {queue}, where it never was to go: {sent:?}"
            ));
        }
        self.check_absent(at, found)?;
        self.check_groups(found, &evident_groups)?;
        self.check_letters(at, found)?;
        self.check_order(found)?;
        self.check_keys(at, found)?;
        self.check_last(found)
    }

    fn check_path(
        &self,
        at: &Moment,
        found: &Found,
        (id, queue): Spot,
        is_owed: bool,
        reached: &mut BTreeSet<Spot>,
    ) -> Result<(), String> {
        let known = self.known((id, queue));
        let is_beyond = self.is_beyond(id, queue, found);
        let settled_for_certain = is_certain(at, known.settled);
        if let Some(out) = found.spots.get(&(id, queue)) {
            reached.insert((id, queue));
            if is_beyond {
                return Err(format!("message {id} is in {queue} and behind it too"));
            }
            if settled_for_certain {
                return Err(format!(
                    "message {id} of {queue} was settled, and is back: {known:?}"
                ));
            }
            if is_certain(at, known.deleted) {
                return Err(format!("message {id} went with {queue}, and is back: {known:?}"));
            }
            if self.is_seen_beyond(at, id, queue) {
                return Err(format!("message {id} had moved on, and is in {queue} again"));
            }
            return self
                .check_counts(at, found, &known, out)
                .map_err(|wrong| format!("{id} of {queue}: {wrong}"));
        }
        if is_beyond && settled_for_certain {
            return Err(format!(
                "message {id} of {queue} was settled, and moved on: {known:?}"
            ));
        }
        let may_be_done = is_possible(at, known.settled)
            || is_possible(at, known.replaced)
            || (is_possible(at, known.deleted) && !self.station(queue).sends_on);
        let is_owed = is_beyond || (is_owed && !may_be_done);
        let is_last = self.plan.next_of(queue).is_empty();
        if is_owed && is_last && !self.may_vanish(at, found, (id, queue)) {
            let sent = self.sent.iter().find(|((other, _), _)| *other == id);
            let path: Vec<_> = self.known.iter().filter(|((other, _), _)| *other == id).collect();
            return Err(format!(
                "message {id} of {queue} is lost: {sent:?}, {path:?} at {at:?}, {:?}",
                self.station(queue)
            ));
        }
        for next in self.plan.next_of(queue) {
            self.check_path(at, found, (id, next), is_owed, reached)?;
        }
        Ok(())
    }

    /// Transactions of which anything is there.
    fn evident_groups(&self, found: &Found) -> BTreeSet<u64> {
        let is_there =
            |(id, root): &Spot| found.spots.contains_key(&(*id, root)) || self.is_beyond(*id, root, found);
        let there = self
            .sent
            .iter()
            .filter(|(spot, sent)| sent.group.is_some() && is_there(spot));
        there.filter_map(|(_, sent)| sent.group).collect()
    }

    /// What a transaction settled is not there beside what it published.
    fn check_groups(&self, found: &Found, evident: &BTreeSet<u64>) -> Result<(), String> {
        for (group, settles) in &self.settles {
            let back = settles.iter().find(|(id, queue)| {
                found.spots.contains_key(&(*id, *queue)) || self.is_beyond(*id, queue, found)
            });
            if let Some(back) = back
                && evident.contains(group)
            {
                return Err(format!(
                    "transaction {group} is half there: {back:?} is not settled"
                ));
            }
        }
        Ok(())
    }

    /// What the clock had said when a node died.
    fn hour_at(&self, at: &Moment) -> u64 {
        let before = self.hours.iter().filter(|(began, _)| *began <= at.operations);
        before.map(|(_, ms)| *ms).max().unwrap_or(0)
    }

    /// A message comes when it is due and not before, nor when its time is over.
    fn check_hours(
        &self,
        at: &Moment,
        found: &Found,
        (id, root): Spot,
        sent: &Sent,
        out: &Out,
    ) -> Result<(), String> {
        let hour_ms = self.hour_at(at).max(found.hour_ms);
        if !out.is_later && sent.due_ms > hour_ms {
            return Err("comes before it is due".to_owned());
        }
        let may_rest = self.known((id, root)).may_rest(at, found.hour_ms);
        // Where dead letters go, not all is read at once that might only have to leave.
        let comes_at_once = self.plan.next_of(root).is_empty();
        if comes_at_once && out.is_later && sent.due_ms <= found.hour_ms && !may_rest {
            let (known, station) = (self.known((id, root)), self.station(root));
            return Err(format!(
                "comes late, at {}: {known:?}, {station:?}",
                found.hour_ms
            ));
        }
        // What was delayed is offered once before it expires.
        let expires_ms = self.expires_ms(root, sent).filter(|_| sent.due_ms == 0);
        if !out.is_later && expires_ms.is_some_and(|expires_ms| expires_ms <= found.hour_ms) {
            return Err(format!("had expired at {expires_ms:?}, before {}", found.hour_ms));
        }
        Ok(())
    }

    /// How often it failed is known, and until when it rests because of that.
    fn check_counts(&self, at: &Moment, found: &Found, known: &Known, out: &Out) -> Result<(), String> {
        let certain = known.fails.iter().filter(|when| at.is_certain(when)).count();
        let possible = known.fails.iter().filter(|when| at.is_possible(when)).count();
        let counted = out.failures.map(usize::from);
        if counted.is_some_and(|counted| counted < certain || counted > possible) {
            return Err(format!("failed {counted:?} times: {known:?} at {at:?}"));
        }
        // A clock that goes back does not make it rest again.
        let hour_ms = self.hour_at(at).max(found.hour_ms);
        if known.must_rest(at, hour_ms) && !out.is_later {
            return Err(format!("comes before it has rested: {known:?}"));
        }
        Ok(())
    }
}
