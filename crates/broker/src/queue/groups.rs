//! Message groups: while a consumer holds messages of a group, all others of the group are for it alone.
//!
//! ```text
//!   lane:     a1 b1 a2 a3 c1 | b2 ...            | how far was looked
//!   waiting:  a: a2 a3 (owner X)   b: -   c: c1 (free)
//! ```
//!
//! Messages stay in their lanes; what is noted here is which of those that were looked at belong to which
//! group, so that nobody looks at them again for each consumer. A note of a message that went elsewhere
//! meanwhile is dropped when it is come upon.

use super::consumers::ConsumerKey;
use super::fact::Range;
use super::keys::Key;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So many messages are looked at beyond those that have to wait.
const LOOKED_MAX: usize = 64 * 1024;

/// The order in which messages are served: by priority, then by number.
pub(super) type Rank = (Reverse<u8>, u64);

#[derive(Debug, Default)]
struct Group {
    owner: Option<ConsumerKey>,
    /// Deliveries that the owner holds.
    held: usize,
    waiting: BTreeSet<Rank>,
}

/// Where a message is that was looked at.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// It waits, with this priority.
    Waits(u8),
    /// It is out.
    Out,
    /// It rests before the next try.
    Rests,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: HashMap<Key, Group>,
    /// Of each group that has any, the first message that waits, by who may get it.
    firsts: HashMap<Option<ConsumerKey>, BTreeSet<(Rank, Key)>>,
    /// Messages that were looked at: their groups, and where they are.
    known: BTreeMap<u64, (Key, Place)>,
    waiting: usize,
    /// By priority: messages below this number were looked at.
    looked: BTreeMap<u8, u64>,
}

impl Groups {
    /// Up to which number messages of a priority were looked at.
    pub(super) fn looked_up_to(&self, level: u8) -> u64 {
        self.looked.get(&level).copied().unwrap_or(0)
    }

    /// Whether no more may be looked at.
    pub(super) fn is_full(&self) -> bool {
        self.waiting >= LOOKED_MAX
    }

    /// A message was looked at, and waits in its group from now on.
    pub(super) fn look(&mut self, level: u8, seq: u64, key: Key) {
        let looked = self.looked.entry(level).or_default();
        *looked = (*looked).max(seq + 1);
        if !self.known.contains_key(&seq) {
            self.wait(level, seq, key);
        }
    }

    /// The first message that waits for a consumer, and its group.
    pub(super) fn first_for(&self, consumer: ConsumerKey) -> Option<(Rank, Key)> {
        let first = |owner| self.firsts.get(&owner).and_then(|firsts| firsts.first().copied());
        match (first(Some(consumer)), first(None)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Consumers for whom alone something waits.
    pub(super) fn owners(&self) -> impl Iterator<Item = ConsumerKey> {
        self.firsts.keys().filter_map(|owner| *owner)
    }

    /// Whether something waits for this consumer alone.
    pub(super) fn is_owner(&self, consumer: ConsumerKey) -> bool {
        self.firsts.contains_key(&Some(consumer))
    }

    /// A message goes out to a consumer, who holds it or is done with it at once.
    pub(super) fn went_out(&mut self, seq: u64, consumer: ConsumerKey, is_held: bool) {
        let Some((key, Place::Waits(level))) = self.known.get(&seq).copied() else {
            return;
        };
        self.waiting -= 1;
        if is_held {
            self.known.insert(seq, (key, Place::Out));
        } else {
            self.known.remove(&seq);
        }
        self.change(key, |group| {
            group.waiting.remove(&(Reverse(level), seq));
            if is_held {
                group.owner = Some(consumer);
                group.held += 1;
            }
        });
    }

    /// A message is done with, wherever it was.
    pub(super) fn forget(&mut self, seq: u64) {
        match self.known.remove(&seq) {
            Some((key, Place::Out)) => self.release(key),
            Some((key, Place::Waits(level))) => {
                self.waiting -= 1;
                self.change(key, |group| {
                    group.waiting.remove(&(Reverse(level), seq));
                });
            }
            Some((_, Place::Rests)) | None => {}
        }
    }

    /// Messages are done with, wherever they were.
    pub(super) fn forget_all(&mut self, gone: Range) {
        while let Some((seq, _)) = self.known.range(gone.first..=gone.last).next() {
            let seq = *seq;
            self.forget(seq);
        }
    }

    /// A delivery came back, and rests before it is ready.
    pub(super) fn rest(&mut self, seq: u64) {
        if let Some((key, Place::Out)) = self.known.get(&seq).copied() {
            self.known.insert(seq, (key, Place::Rests));
            self.release(key);
        }
    }

    /// A message is in its place again.
    pub(super) fn put_down(&mut self, level: u8, seq: u64) {
        match self.known.remove(&seq) {
            Some((key, Place::Out)) => {
                self.release(key);
                self.wait(level, seq, key);
            }
            Some((key, Place::Rests)) => self.wait(level, seq, key),
            // It waited all the time, or was never looked at.
            Some(known @ (_, Place::Waits(_))) => {
                self.known.insert(seq, known);
            }
            None => {
                if let Some(looked) = self.looked.get_mut(&level) {
                    *looked = (*looked).min(seq);
                }
            }
        }
    }

    /// Numbers of all messages that something is noted of.
    #[cfg(test)]
    pub(super) fn noted(&self) -> impl Iterator<Item = u64> {
        let waiting = self.groups.values().flat_map(|group| &group.waiting);
        self.known.keys().copied().chain(waiting.map(|(_, seq)| *seq))
    }

    fn wait(&mut self, level: u8, seq: u64, key: Key) {
        self.known.insert(seq, (key, Place::Waits(level)));
        self.waiting += 1;
        self.change(key, |group| {
            group.waiting.insert((Reverse(level), seq));
        });
    }

    fn release(&mut self, key: Key) {
        self.change(key, |group| {
            group.held = group.held.saturating_sub(1);
            if group.held == 0 {
                group.owner = None;
            }
        });
    }

    /// Changes a group, and notes anew which of its messages is first, and for whom.
    fn change(&mut self, key: Key, change: impl FnOnce(&mut Group)) {
        let group = self.groups.entry(key).or_default();
        let first = |group: &Group| group.waiting.first().map(|rank| (group.owner, *rank));
        let before = first(group);
        change(group);
        let after = first(group);
        let is_idle = group.waiting.is_empty() && group.held == 0;
        if before != after {
            if let Some((owner, rank)) = before
                && let Some(firsts) = self.firsts.get_mut(&owner)
            {
                firsts.remove(&(rank, key));
                if firsts.is_empty() {
                    self.firsts.remove(&owner);
                }
            }
            if let Some((owner, rank)) = after {
                self.firsts.entry(owner).or_default().insert((rank, key));
            }
        }
        if is_idle {
            self.groups.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::consumers::{Consumers, Subscription};
    use super::*;

    fn consumers() -> [ConsumerKey; 2] {
        let mut consumers = Consumers::default();
        [(); 2].map(|()| consumers.add(Subscription::default()).unwrap())
    }

    #[test]
    fn a_group_is_its_owners_until_all_is_settled() {
        let [x, y] = consumers();
        let mut groups = Groups::default();
        (1..=3).for_each(|seq| groups.look(0, seq, 7));
        groups.look(0, 4, 8);
        groups.went_out(1, x, true);
        assert_eq!(groups.first_for(x), Some(((Reverse(0), 2), 7)));
        assert_eq!(groups.first_for(y), Some(((Reverse(0), 4), 8)));
        groups.went_out(2, x, true);
        groups.forget(1);
        assert_eq!(groups.first_for(y), Some(((Reverse(0), 4), 8)), "2 is still out");
        groups.put_down(0, 2);
        assert_eq!(groups.first_for(y), Some(((Reverse(0), 2), 7)), "anybody's again");
    }

    #[test]
    fn nothing_is_left_of_what_is_done_with() {
        let [x, _] = consumers();
        let mut groups = Groups::default();
        (0..100).for_each(|seq| groups.look((seq % 3) as u8, seq, Key::from(seq % 5)));
        for seq in 0..50 {
            groups.went_out(seq, x, seq % 2 == 0);
        }
        groups.rest(0);
        (0..100).for_each(|seq| groups.forget(seq));
        assert!(groups.groups.is_empty() && groups.firsts.is_empty() && groups.known.is_empty());
        assert_eq!(groups.waiting, 0);
    }
}
