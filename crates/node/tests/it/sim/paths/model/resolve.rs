//! What is the case when a node came back from a crash: the promises of another life begin with it.

use super::super::super::model::{Moment, When};
use super::super::plan::Overflow;
use super::{Accepted, End, Found, Known, Model, Rest, Sent, Spot, is_possible};
use std::sync::Arc;
use warren_node::Position;

impl Model {
    /// What is the case after a node came back at a moment with what was found. Messages may have moved on
    /// while that was looked for, so that it is not said where on their paths they are.
    pub(crate) fn resolve(&self, at: &Moment, found: &Found) -> Self {
        let mut next = Self {
            plan: Arc::clone(&self.plan),
            last_id: self.last_id,
            lives: self.lives,
            hours: vec![(0, self.hour_ms())],
            ..Self::default()
        };
        for ((id, root), sent) in &self.sent {
            let is_there = found.spots.contains_key(&(*id, root)) || self.is_beyond(*id, root, found);
            let may_be_back = || at.is_possible(&sent.when) && self.may_be_back(root, sent);
            if !(is_there || may_be_back()) {
                continue;
            }
            let position = if is_there { Position(0) } else { Position(u64::MAX) };
            let sent = Sent {
                when: When { position, began: 0 },
                group: None,
                is_refused: sent.is_refused && !is_there,
                ..sent.clone()
            };
            next.sent.insert((*id, root), sent);
            self.resolve_path(at, found, (*id, root), &mut next);
        }
        next.ends.extend(found.absent.iter().map(|queue| End {
            queue,
            deleted: When::ALWAYS,
            again: None,
        }));
        for key in &self.accepted {
            let is_there = self.is_there(key, found);
            let when = key.when.filter(|when| is_there || at.is_certain(when));
            if key.when.is_none_or(|when| at.is_possible(&when)) {
                next.accepted.push(Accepted {
                    when: when.map(|_| When::ALWAYS),
                    ..key.clone()
                });
            }
        }
        next
    }

    /// Whether a message that was not found in a queue, nor behind it, may be there all the same: it may have
    /// been thrown away by what was done to look for it.
    fn may_be_back(&self, queue: &'static str, sent: &Sent) -> bool {
        sent.ttl_ms.is_some()
            || self.plan.reach(queue).iter().any(|queue| {
                let station = self.station(queue);
                let drops = matches!(station.max, Some((_, Overflow::Drop)));
                station.next.is_empty() && (drops || station.ttl_ms.is_some())
            })
    }

    fn resolve_path(&self, at: &Moment, found: &Found, (id, queue): Spot, next: &mut Self) {
        let known = self.known((id, queue));
        let out = found.spots.get(&(id, queue));
        let is_over = out.is_none() && !self.is_beyond(id, queue, found);
        let always = |when: Option<When>| when.filter(|when| at.is_possible(when)).map(|_| When::ALWAYS);
        let certain = |when: Option<When>| when.filter(|when| at.is_certain(when)).map(|_| When::ALWAYS);
        // What may have been so may still be, and is never certain.
        let resolved = |when: &When| When {
            position: if at.is_certain(when) {
                Position(0)
            } else {
                Position(u64::MAX)
            },
            began: 0,
        };
        let station = self.station(queue);
        let may_be_back = self
            .sent_of(id, queue)
            .is_some_and(|(_, sent)| self.may_be_back(queue, sent));
        let settled = if may_be_back {
            certain(known.settled)
        } else {
            always(known.settled)
        };
        let replaced = always(known.replaced).or(always(known.settled));
        let after = Known {
            // Nothing is left of it on this branch.
            settled: settled.filter(|_| is_over),
            replaced: replaced.filter(|_| is_over),
            seen: certain(known.seen),
            fails: match out.and_then(|out| out.failures) {
                Some(failures) => vec![When::ALWAYS; usize::from(failures)],
                // It had moved on, and may not have.
                None => known
                    .fails
                    .iter()
                    .filter(|when| at.is_possible(when))
                    .map(resolved)
                    .collect(),
            },
            has_past: !station.is_quorum && is_possible(at, known.fails.first().copied()) || known.has_past,
            rests: known
                .last_rests(at)
                .iter()
                .map(|rest| Rest {
                    when: resolved(&rest.when),
                    ..*rest
                })
                .collect(),
            // Whether the one that is there is the one that was deleted is not looked at.
            deleted: known
                .deleted
                .filter(|when| out.is_none() && at.is_possible(when))
                .map(|when| resolved(&when)),
            rejected: always(known.rejected),
            failed_for_good: always(known.failed_for_good),
        };
        next.known.insert((id, queue), after);
        if out.is_none() {
            for following in self.plan.next_of(queue) {
                self.resolve_path(at, found, (id, following), next);
            }
        }
    }
}
