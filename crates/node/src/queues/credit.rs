//! A credit that consumers of several queues share: `basic.qos` with `global` set limits what
//! is out on the whole channel.

use super::LiveQueue;
use crate::starved::{Line, Starved};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use warren_broker::queue::ConsumerKey;

/// How many deliveries are and may be out on a channel.
#[derive(Debug, Default)]
pub struct SharedCredit {
    /// 0: no limit.
    limit: AtomicU32,
    out: AtomicU32,
    starved: Mutex<Line>,
}

impl SharedCredit {
    /// Changes the limit; 0 lifts it. Consumers that may go on are to be resumed.
    pub fn set_limit(&self, limit: u32) -> Vec<Starved> {
        self.limit.store(limit, Ordering::Release);
        self.release(0)
    }

    /// The limit; 0: none.
    pub fn limit(&self) -> u32 {
        self.limit.load(Ordering::Acquire)
    }

    /// So many deliveries were settled or came back. Answers the consumers to resume.
    pub fn release(&self, count: u32) -> Vec<Starved> {
        let out = self.out.fetch_sub(count, Ordering::AcqRel).wrapping_sub(count);
        let limit = self.limit();
        if limit != 0 && out >= limit {
            return Vec::new();
        }
        self.starved.lock().take()
    }

    /// Forgets that a consumer waits for credit: it is cancelled.
    pub(super) fn forget(&self, queue: &LiveQueue, consumer: ConsumerKey) {
        self.starved.lock().forget(queue, consumer);
    }

    /// Forgets all consumers of a queue that wait for credit: it is deleted.
    pub(super) fn forget_queue(&self, queue: &LiveQueue) {
        self.starved.lock().forget_queue(queue);
    }

    /// Takes one for a delivery that is to be settled; when there is none left the consumer is noted and
    /// resumed later. One `without_ack` takes none, and waits like the others: RabbitMQ does it so.
    pub(super) fn take(&self, queue: &Arc<LiveQueue>, consumer: ConsumerKey, without_ack: bool) -> bool {
        if self.limit() == 0 {
            if !without_ack {
                self.out.fetch_add(1, Ordering::AcqRel);
            }
            return true;
        }
        // The list's lock is held over the check, so that a release or another limit between the
        // check and the note cannot be missed. The limit is read again for the same reason.
        let mut starved = self.starved.lock();
        let limit = match self.limit() {
            0 => u32::MAX,
            limit => limit,
        };
        let below = |out: u32| (out < limit).then(|| out + u32::from(!without_ack));
        let has_taken = self
            .out
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, below)
            .is_ok();
        if !has_taken {
            starved.push(Starved::Consumer(Arc::clone(queue), consumer));
        }
        has_taken
    }
}
