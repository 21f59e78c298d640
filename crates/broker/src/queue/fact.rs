//! What a queue remembers: the closed list of durable facts.
//!
//! A queue's durable state is exactly what its facts, applied in order, make of an empty
//! queue. Who holds which message unsettled is not among them: after a restart everything
//! that was not settled is ready again.

use super::keys::Key;
use crate::message::Message;

/// A range of sequence numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first number.
    pub first: u64,
    /// The last number; never below `first`.
    pub last: u64,
}

impl Range {
    /// The range of one number.
    pub fn one(seq: u64) -> Self {
        Self {
            first: seq,
            last: seq,
        }
    }

    /// Whether `seq` lies in it.
    pub fn contains(&self, seq: u64) -> bool {
        (self.first..=self.last).contains(&seq)
    }

    /// How many numbers it has.
    pub fn len(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// Never: a range has at least one number.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// What it has in common with another.
    pub fn overlap(&self, other: Self) -> Option<Self> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some(Self { first, last })
    }
}

/// One durable fact of a queue. Every fact may be applied twice without harm.
#[derive(Debug, Clone)]
pub enum Fact {
    /// A message stands in the queue.
    Enqueued {
        /// Its place. Numbers rise and are never used again.
        seq: u64,
        /// The message.
        message: Message,
        /// It was delayed, and is no longer.
        is_due: bool,
    },
    /// Messages are done with: acknowledged, rejected or delivered without acknowledgement.
    Settled {
        /// Which.
        range: Range,
        /// They were published as persistent.
        persistent: bool,
        /// Octets of their bodies.
        octets: u64,
    },
    /// Messages went out and came back; they keep their places and are redelivered from now on.
    Returned {
        /// Which.
        range: Range,
        /// They were published as persistent.
        persistent: bool,
        /// How often deliveries of each failed by now.
        failures: u16,
        /// Until when they rest, in milliseconds since 1970; 0: they do not.
        until_ms: u64,
        /// Octets of the body of each, if they rest; otherwise 0.
        octets: u32,
    },
    /// A key came, and is remembered: messages that have it are not taken again.
    Seen {
        /// The key.
        key: Key,
        /// Until when, in milliseconds since 1970; 0: until it has to make room.
        until_ms: u64,
        /// The message that brought it was published as persistent.
        persistent: bool,
    },
    /// Everything up to a number is done with, but for what was out with consumers.
    Purged {
        /// The last number concerned.
        up_to: u64,
        /// What stays, by rising number.
        except: Vec<Range>,
        /// Octets of the bodies of what stays, and of those that were published as persistent.
        kept_octets: u64,
        /// See `kept_octets`.
        kept_persistent: u64,
    },
}

impl Fact {
    /// Whether the log of a durable queue must hold it: facts of transient messages are forgotten
    /// with the node.
    pub fn is_durable(&self) -> bool {
        match self {
            Self::Enqueued { message, .. } => message.envelope().persistent,
            Self::Settled { persistent, .. }
            | Self::Returned { persistent, .. }
            | Self::Seen { persistent, .. } => *persistent,
            Self::Purged { .. } => true,
        }
    }
}

/// Adds `seq` to ranges, joining it to the last one where it follows on.
pub(super) fn push_seq(ranges: &mut Vec<Range>, seq: u64) {
    match ranges.last_mut() {
        Some(last) if last.last + 1 == seq => last.last = seq,
        _ => ranges.push(Range::one(seq)),
    }
}

/// Numbers gathered into ranges, those of persistent messages apart from those of others, each once.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// By rising number.
    runs: Vec<Run>,
    highest: u64,
    /// Those that came after a higher one, in the order in which they came: priorities, or somebody who
    /// settles from the last to the first. They find their places at the end.
    late: Vec<Run>,
}

/// Numbers that follow each other, of messages alike.
#[derive(Debug, Clone, Copy)]
struct Run {
    range: Range,
    persistent: bool,
    failures: u16,
    until_ms: u64,
    /// Of those that rest: of each.
    octets_each: u32,
    octets: u64,
}

impl Run {
    /// What is the same of all messages of a run.
    fn kind(&self) -> (bool, u16, u64, u32) {
        (self.persistent, self.failures, self.until_ms, self.octets_each)
    }
}

impl Gathered {
    #[inline]
    pub(super) fn push(&mut self, seq: u64, persistent: bool, octets: u32) {
        self.push_run(Run {
            range: Range::one(seq),
            persistent,
            failures: 0,
            until_ms: 0,
            octets_each: 0,
            octets: u64::from(octets),
        });
    }

    /// A message of which deliveries failed so often, and which rests until an hour, if that is not 0.
    pub(super) fn push_failed(
        &mut self,
        seq: u64,
        persistent: bool,
        failures: u16,
        until_ms: u64,
        octets: u32,
    ) {
        self.push_run(Run {
            range: Range::one(seq),
            persistent,
            failures,
            until_ms,
            octets_each: if until_ms > 0 { octets } else { 0 },
            octets: 0,
        });
    }

    #[inline]
    fn push_run(&mut self, new: Run) {
        let seq = new.range.first;
        // Mostly they rise.
        if seq <= self.highest && !self.runs.is_empty() {
            return self.late.push(new);
        }
        self.highest = seq;
        join(&mut self.runs, new);
    }

    /// All of them by rising number. Of those that came twice the first counts.
    #[inline]
    fn runs(self) -> Vec<Run> {
        match self.late.is_empty() {
            true => self.runs,
            false => self.sorted(),
        }
    }

    #[cold]
    fn sorted(mut self) -> Vec<Run> {
        self.late.sort_by_key(|late| late.range.first);
        self.late.dedup_by_key(|late| late.range.first);
        let mut sorted = Vec::with_capacity(self.runs.len());
        let mut late = self.late.into_iter().peekable();
        for run in self.runs {
            while let Some(before) = late.next_if(|late| late.range.first < run.range.first) {
                join(&mut sorted, before);
            }
            while late.next_if(|late| late.range.first <= run.range.last).is_some() {}
            join(&mut sorted, run);
        }
        // None is left: the highest number is in the last run.
        sorted
    }

    pub(super) fn settled(self) -> impl Iterator<Item = Fact> {
        self.runs().into_iter().map(|run| Fact::Settled {
            range: run.range,
            persistent: run.persistent,
            octets: run.octets,
        })
    }

    pub(super) fn returned(self) -> impl Iterator<Item = Fact> {
        self.runs().into_iter().map(|run| Fact::Returned {
            range: run.range,
            persistent: run.persistent,
            failures: run.failures,
            until_ms: run.until_ms,
            octets: run.octets_each,
        })
    }
}

/// Adds a run behind all others.
#[inline]
fn join(runs: &mut Vec<Run>, new: Run) {
    match runs.last_mut() {
        Some(run) if run.range.last + 1 == new.range.first && run.kind() == new.kind() => {
            run.range.last = new.range.last;
            run.octets += new.octets;
        }
        _ => runs.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn numbers_are_gathered_once_in_whatever_order_they_come(
            pushed in proptest::collection::vec((0_u64..200, any::<bool>()), 0..300),
            falls in any::<bool>(),
        ) {
            let mut pushed = pushed;
            if falls {
                pushed.sort_unstable_by(|a, b| b.cmp(a));
            }
            let mut gathered = Gathered::default();
            let mut first_of_each = BTreeMap::new();
            for (seq, persistent) in pushed {
                gathered.push(seq, persistent, 3);
                first_of_each.entry(seq).or_insert(persistent);
            }
            let mut settled = Vec::new();
            let mut last = None;
            for fact in gathered.settled() {
                let Fact::Settled { range, persistent, octets } = fact else {
                    panic!("{fact:?}");
                };
                // What can be said at once is.
                prop_assert_ne!(last, Some((range.first, persistent)));
                last = Some((range.last + 1, persistent));
                prop_assert_eq!(octets, 3 * range.len());
                settled.extend((range.first..=range.last).map(|seq| (seq, persistent)));
            }
            prop_assert_eq!(settled, first_of_each.into_iter().collect::<Vec<_>>());
        }
    }
}
