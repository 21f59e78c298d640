//! Transactions: publishes and settles that take effect together, at commit.
//!
//! Routing is decided when a message is published; an error of a publish or an
//! acknowledgement is told at once and ends the channel. A commit that cannot be carried out as a whole,
//! since a queue refuses or a delivery was taken back, does nothing and ends the channel as well.

use super::channel::Unacked;
use super::publish::Routed;
use warren_broker::queue::Window;

/// What an acknowledgement does at commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settlement {
    /// Done with.
    Done,
    /// Rejected for good.
    Rejected,
    /// Back to its place in the queue.
    Back,
    /// The same, and that counts as a failure.
    Failed,
}

/// What was said since the last commit or rollback.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) publishes: Vec<Routed>,
    /// Memory of the publishes.
    pub(super) held_bytes: usize,
    /// By delivery tag.
    pub(super) settles: Vec<(u64, Unacked, Settlement)>,
    /// The next one of them that is looked for is likely to stand here, or behind.
    find_from: usize,
}

impl Transaction {
    /// Finds a delivery that is settled. Those that are looked for in the order in which they were cost one
    /// look each.
    pub(super) fn find(&mut self, is_it: impl Fn(&Unacked) -> bool) -> Option<&mut Unacked> {
        let from = self.find_from.min(self.settles.len());
        let (before, behind) = self.settles.split_at(from);
        let is_it = |(_, unacked, _): &(u64, Unacked, Settlement)| is_it(unacked);
        let found = behind.iter().position(&is_it).map(|at| from + at);
        let at = found.or_else(|| before.iter().position(&is_it))?;
        self.find_from = at + 1;
        self.settles.get_mut(at).map(|(_, unacked, _)| unacked)
    }

    /// Forgets publishes; deliveries become unsettled again. Answers the memory set free.
    pub(super) fn rollback(&mut self, unacked: &mut Window<Unacked>) -> usize {
        self.publishes.clear();
        for (tag, delivery, _) in self.settles.drain(..) {
            unacked.insert(tag, delivery);
        }
        std::mem::take(&mut self.held_bytes)
    }
}
