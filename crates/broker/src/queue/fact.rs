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
    Settled(Range),
    /// Messages went out and came back; they keep their places and are redelivered from now on.
    Returned(Range),
    /// Everything up to a number is done with, but for what was out with consumers.
    Purged {
        /// The last number concerned.
        up_to: u64,
        /// What stays, by rising number.
        except: Vec<Range>,
    },
}

impl Fact {
    /// Whether the log must hold it: facts of transient messages are forgotten with the node.
    /// A settle names numbers only; whoever records one knows whether any message of it was
    /// durable.
    pub fn is_durable(&self) -> bool {
        match self {
            Self::Enqueued { message, .. } => message.envelope().persistent,
            Self::Settled(_) | Self::Returned(_) | Self::Purged { .. } => true,
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
