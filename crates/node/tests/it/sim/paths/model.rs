//! Where each message may be: its path, with what is known of each place. It says nothing of order, and not
//! when a message moves on: that it may do at any time, but wholly.

use super::super::model::{Moment, When};
use super::{FEW, next_of};
use std::collections::{BTreeMap, BTreeSet};

/// A message in a queue.
pub(crate) type Spot = (u64, &'static str);

/// A message that was published.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) when: When,
    /// The transaction that it belongs to.
    pub(crate) group: Option<u64>,
    /// Nobody gets it before.
    pub(crate) due_ms: u64,
    /// 0: it has none.
    pub(crate) key: i64,
}

/// What is known of a message in a queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// It was done with there.
    pub(crate) settled: Option<When>,
    /// It was seen there: it is in no place before any more.
    pub(crate) seen: Option<When>,
    /// Deliveries that failed.
    pub(crate) fails: Vec<When>,
    /// Until when it rests, as of the last of them.
    pub(crate) rests_until: u64,
}

/// A key that a queue took.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) queue: &'static str,
    pub(crate) key: i64,
    /// `None`: an earlier life left it open.
    pub(crate) when: Option<When>,
}

/// A message that came out of a queue after a crash.
#[derive(Debug, Clone)]
pub(crate) struct Out {
    pub(crate) failures: Option<u16>,
    /// It came only when much time had passed.
    pub(crate) is_later: bool,
}

/// What a recovered node holds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The queues are there.
    pub(crate) is_set_up: bool,
    pub(crate) spots: BTreeMap<Spot, Out>,
    /// The hour at which it was asked first.
    pub(crate) hour_ms: u64,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) sent: BTreeMap<Spot, Sent>,
    pub(crate) known: BTreeMap<Spot, Known>,
    /// What transactions settled.
    pub(crate) settles: BTreeMap<u64, Vec<Spot>>,
    pub(crate) accepted: Vec<Accepted>,
    /// The hour, with the operations of the disk that had been then.
    pub(crate) hours: Vec<(usize, u64)>,
    pub(crate) last_id: u64,
    pub(crate) lives: u64,
}

impl Model {
    pub(crate) fn hour_ms(&self) -> u64 {
        self.hours.last().map_or(super::BEGIN_MS, |(_, ms)| *ms)
    }

    /// Whether any place behind these holds the message.
    fn is_beyond(&self, id: u64, queue: &str, found: &Found) -> bool {
        let mut behind = next_of(queue).iter();
        behind.any(|next| found.spots.contains_key(&(id, *next)) || self.is_beyond(id, next, found))
    }

    /// Whether it was seen for certain in a place behind.
    fn is_seen_beyond(&self, at: &Moment, id: u64, queue: &str) -> bool {
        next_of(queue).iter().any(|next| {
            let seen = self.known.get(&(id, *next)).and_then(|known| known.seen);
            seen.is_some_and(|seen| at.is_certain(&seen)) || self.is_seen_beyond(at, id, next)
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
            let is_owed =
                at.is_certain(&sent.when) || sent.group.is_some_and(|group| evident_groups.contains(&group));
            self.check_path(at, found, (*id, root), is_owed || evident, &mut reached)?;
            let out = found.spots.get(&(*id, *root));
            let hour_ms = self.hour_at(at).max(found.hour_ms);
            if out.is_some_and(|out| !out.is_later) && sent.due_ms > hour_ms {
                return Err(format!("message {id} of {root} comes before it is due: {sent:?}"));
            }
            // One that failed may rest since.
            let has_failed = self
                .known
                .get(&(*id, *root))
                .is_some_and(|known| !known.fails.is_empty());
            let is_late = out.is_some_and(|out| out.is_later) && !has_failed;
            if is_late && sent.due_ms != 0 && sent.due_ms <= found.hour_ms {
                return Err(format!("message {id} of {root} was due, and came late: {sent:?}"));
            }
        }
        if let Some(((id, queue), _)) = found.spots.iter().find(|(spot, _)| !reached.contains(*spot)) {
            return Err(format!("message {id} is in {queue}, where it never was to go"));
        }
        self.check_groups(found, &evident_groups)?;
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
        let known = self.known.get(&(id, queue)).cloned().unwrap_or_default();
        let is_beyond = self.is_beyond(id, queue, found);
        let settled_for_certain = known.settled.is_some_and(|settled| at.is_certain(&settled));
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
        let may_be_settled = known.settled.is_some_and(|settled| at.is_possible(&settled));
        let is_owed = is_beyond || (is_owed && !may_be_settled);
        if is_owed && next_of(queue).is_empty() {
            let sent = self.sent.iter().find(|((other, _), _)| *other == id);
            let path: Vec<_> = self.known.iter().filter(|((other, _), _)| *other == id).collect();
            return Err(format!(
                "message {id} of {queue} is lost: {sent:?}, {path:?} at {at:?}"
            ));
        }
        for next in next_of(queue) {
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

    /// Of messages with the same key only one is in `last`.
    fn check_last(&self, found: &Found) -> Result<(), String> {
        let mut keys = BTreeSet::new();
        for (id, queue) in found.spots.keys().filter(|(_, queue)| *queue == "last") {
            let key = self.sent.get(&(*id, *queue)).map_or(0, |sent| sent.key);
            if key != 0 && !keys.insert(key) {
                return Err(format!("key {key} stands twice in {queue}"));
            }
        }
        Ok(())
    }

    /// What the clock had said when a node died.
    fn hour_at(&self, at: &Moment) -> u64 {
        let before = self.hours.iter().filter(|(began, _)| *began <= at.operations);
        before.map(|(_, ms)| *ms).max().unwrap_or(0)
    }

    /// Keys that a node which died at a moment must not take again.
    pub(crate) fn keys_at(&self, at: &Moment) -> Vec<(&'static str, i64)> {
        let possible = |key: &&Accepted| key.when.is_none_or(|when| at.is_possible(&when));
        let mut keys = Vec::new();
        for queue in ["once", "few"] {
            let of_queue = self.accepted.iter().filter(|key| key.queue == queue);
            let taken: Vec<&Accepted> = of_queue.filter(possible).collect();
            let mut later = BTreeSet::new();
            for accepted in taken.iter().rev() {
                if !later.insert(accepted.key) {
                    continue;
                }
                // A new one comes before them, and takes the place of one.
                if queue == "few" && later.len() >= FEW {
                    break;
                }
                if accepted.when.is_some_and(|when| at.is_certain(&when)) {
                    keys.push((queue, accepted.key));
                }
            }
        }
        keys
    }

    /// What is the case after a node came back at a moment with what was found. Messages may have moved on
    /// while that was looked for, so that it is not said where on their paths they are.
    pub(crate) fn resolve(&self, at: &Moment, found: &Found) -> Self {
        let mut next = Self {
            last_id: self.last_id,
            lives: self.lives,
            hours: vec![(0, self.hour_ms())],
            ..Self::default()
        };
        for ((id, root), sent) in &self.sent {
            if found.spots.contains_key(&(*id, root)) || self.is_beyond(*id, root, found) {
                let sent = Sent {
                    when: When::ALWAYS,
                    group: None,
                    ..sent.clone()
                };
                next.sent.insert((*id, root), sent);
                self.resolve_path(at, found, (*id, root), &mut next);
            }
        }
        for key in &self.accepted {
            let when = key.when.filter(|when| at.is_certain(when)).map(|_| When::ALWAYS);
            if key.when.is_none_or(|when| at.is_possible(&when)) {
                next.accepted.push(Accepted { when, ..key.clone() });
            }
        }
        next
    }

    fn resolve_path(&self, at: &Moment, found: &Found, (id, queue): Spot, next: &mut Self) {
        let known = self.known.get(&(id, queue)).cloned().unwrap_or_default();
        let out = found.spots.get(&(id, queue));
        let is_beyond = self.is_beyond(id, queue, found);
        let is_over = out.is_none() && !is_beyond;
        let seen = known.seen.filter(|seen| at.is_certain(seen));
        let failures = out.and_then(|out| out.failures).unwrap_or(0);
        let resolved = Known {
            // Nothing is left of it on this branch.
            settled: (is_over && known.settled.is_some()).then_some(When::ALWAYS),
            seen: seen.map(|_| When::ALWAYS),
            fails: vec![When::ALWAYS; usize::from(failures)],
            rests_until: 0,
        };
        next.known.insert((id, queue), resolved);
        if out.is_none() {
            for following in next_of(queue) {
                self.resolve_path(at, found, (id, following), next);
            }
        }
    }

    fn check_counts(&self, at: &Moment, found: &Found, known: &Known, out: &Out) -> Result<(), String> {
        let certain = known.fails.iter().filter(|when| at.is_certain(when)).count();
        let possible = known.fails.iter().filter(|when| at.is_possible(when)).count();
        let counted = out.failures.map(usize::from);
        if counted.is_some_and(|counted| counted < certain || counted > possible) {
            return Err(format!("failed {counted:?} times: {known:?} at {at:?}"));
        }
        // A clock that goes back does not make it rest again.
        let hour_ms = self.hour_at(at).max(found.hour_ms);
        let rests = known.rests_until > hour_ms && certain == known.fails.len() && certain > 0;
        if rests && !out.is_later {
            return Err(format!("comes before it has rested: {known:?}"));
        }
        Ok(())
    }
}
