//! What a queue remembers: the closed list of durable facts.
//!
//! A queue's durable state is exactly what its facts, applied in order, make of an empty
//! queue. Who holds which message unsettled is not among them: after a restart everything
//! that was not settled is ready again.

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
    },
    /// Messages are done with: acknowledged, rejected or delivered without acknowledgement.
    Settled {
        /// Which.
        range: Range,
        /// They were published as persistent.
        persistent: bool,
    },
    /// Messages went out and came back; they keep their places and are redelivered from now on.
    Returned {
        /// Which.
        range: Range,
        /// They were published as persistent.
        persistent: bool,
    },
    /// Everything up to a number is done with, but for what was out with consumers.
    Purged {
        /// The last number concerned.
        up_to: u64,
        /// What stays, by rising number.
        except: Vec<Range>,
    },
}

impl Fact {
    /// Whether the log of a durable queue must hold it: facts of transient messages are forgotten
    /// with the node.
    pub fn is_durable(&self) -> bool {
        match self {
            Self::Enqueued { message, .. } => message.envelope().persistent,
            Self::Settled { persistent, .. } | Self::Returned { persistent, .. } => *persistent,
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

/// Numbers gathered into ranges, those of persistent messages apart from those of others.
#[derive(Debug, Default)]
pub(super) struct Gathered(Vec<(Range, bool)>);

impl Gathered {
    pub(super) fn push(&mut self, seq: u64, persistent: bool) {
        match self.0.last_mut() {
            Some((last, same)) if last.last + 1 == seq && *same == persistent => last.last = seq,
            _ => self.0.push((Range::one(seq), persistent)),
        }
    }

    pub(super) fn settled(self) -> impl Iterator<Item = Fact> {
        let all = self.0.into_iter();
        all.map(|(range, persistent)| Fact::Settled { range, persistent })
    }

    pub(super) fn returned(self) -> impl Iterator<Item = Fact> {
        let all = self.0.into_iter();
        all.map(|(range, persistent)| Fact::Returned { range, persistent })
    }
}
