//! Facts of queues as records of the log.

use std::sync::Arc;
use warren_broker::queue::{Fact, Range};
use warren_broker::route::QueueId;
use warren_store::{Log, Position, Record};

/// Kinds of queue records.
mod kind {
    pub(super) const ENQUEUED: u8 = 1;
    pub(super) const SETTLED: u8 = 2;
    pub(super) const RETURNED: u8 = 3;
    pub(super) const PURGED: u8 = 4;
}

/// Appends the durable ones among `facts` as one batch. `None` when there is none.
pub(super) fn append(log: &Arc<dyn Log>, queue: QueueId, facts: &[Fact]) -> Option<Position> {
    let durable = || facts.iter().filter(|fact| fact.is_durable());
    let heads: Vec<[u8; 16]> = durable().map(head).collect();
    if heads.is_empty() {
        return None;
    }
    let records: Vec<Record<'_>> = durable()
        .zip(&heads)
        .map(|(fact, head)| {
            let (kind, body): (u8, &[u8]) = match fact {
                Fact::Enqueued { message, .. } => (kind::ENQUEUED, message.content()),
                Fact::Settled(_) => (kind::SETTLED, &[]),
                Fact::Returned(_) => (kind::RETURNED, &[]),
                Fact::Purged { .. } => (kind::PURGED, &[]),
            };
            Record {
                owner: queue.0,
                kind,
                head,
                body,
            }
        })
        .collect();
    Some(log.append(&records))
}

/// Two numbers: the first and the last sequence number that the fact speaks of.
fn head(fact: &Fact) -> [u8; 16] {
    let (first, last) = match fact {
        Fact::Enqueued { seq, .. } => (*seq, *seq),
        Fact::Settled(Range { first, last }) | Fact::Returned(Range { first, last }) => (*first, *last),
        Fact::Purged { up_to, .. } => (0, *up_to),
    };
    let mut bytes = [0; 16];
    let (low, high) = bytes.split_at_mut(8);
    low.copy_from_slice(&first.to_le_bytes());
    high.copy_from_slice(&last.to_le_bytes());
    bytes
}
