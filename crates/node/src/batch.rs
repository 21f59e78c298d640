//! What a session gathers while it reads, to be done queue by queue: one lock, one decision,
//! one log append per queue and batch.

use crate::mailbox::Touched;
use crate::queues::{LiveQueue, Worked};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::Arc;
use warren_broker::message::Message;
use warren_broker::queue::Command;
use warren_broker::route::QueueId;
use warren_store::Position;

/// Up to so many queues are looked through one by one; more are looked up by id.
const SCANNED_QUEUES_MAX: usize = 8;

/// Work gathered for one queue.
#[derive(Debug, Default)]
struct Work {
    messages: Vec<Message>,
    settled: Vec<u64>,
    returned: Vec<u64>,
}

impl Work {
    fn clear(&mut self) {
        self.messages.clear();
        self.settled.clear();
        self.returned.clear();
    }
}

/// Work gathered for many queues.
#[derive(Debug, Default)]
pub struct Batch {
    queues: Vec<(Arc<LiveQueue>, Work)>,
    index: HashMap<QueueId, usize, RandomState>,
    last: usize,
    /// Emptied work, kept for its buffers.
    spare: Vec<Work>,
}

/// How many emptied buffers are kept from one batch to the next.
const SPARE_MAX: usize = 16;

impl Batch {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// A message for a queue.
    pub fn publish(&mut self, queue: &Arc<LiveQueue>, message: Message) {
        self.work(queue).messages.push(message);
    }

    /// A delivery of a queue is done with.
    pub fn settle(&mut self, queue: &Arc<LiveQueue>, seq: u64) {
        self.work(queue).settled.push(seq);
    }

    /// A delivery of a queue goes back to its place.
    pub fn give_back(&mut self, queue: &Arc<LiveQueue>, seq: u64) {
        self.work(queue).returned.push(seq);
    }

    /// Does everything gathered. Answers the log positions that answers have to wait for. `floor` is the
    /// log's end now.
    pub fn flush(&mut self, floor: Position, touched: &mut Touched) -> Worked {
        let mut worked = Worked::default();
        for (queue, mut work) in self.queues.drain(..) {
            let commands = [
                Command::Settle(&work.settled),
                Command::Return(&work.returned),
                Command::Enqueue(&work.messages),
            ];
            worked = worked.max(queue.work(&commands, floor, touched));
            if self.spare.len() < SPARE_MAX {
                work.clear();
                self.spare.push(work);
            }
        }
        self.index.clear();
        self.last = 0;
        worked
    }

    fn work(&mut self, queue: &Arc<LiveQueue>) -> &mut Work {
        let at = self.find(queue).unwrap_or_else(|| self.add(queue));
        self.last = at;
        #[expect(clippy::indexing_slicing, reason = "found or pushed above")]
        &mut self.queues[at].1
    }

    fn add(&mut self, queue: &Arc<LiveQueue>) -> usize {
        let at = self.queues.len();
        self.queues
            .push((Arc::clone(queue), self.spare.pop().unwrap_or_default()));
        if at >= SCANNED_QUEUES_MAX {
            self.index.insert(queue.id(), at);
        }
        at
    }

    fn find(&self, queue: &Arc<LiveQueue>) -> Option<usize> {
        let is_it = |(other, _): &(Arc<LiveQueue>, Work)| Arc::ptr_eq(other, queue);
        // The same again, or, where messages go to several queues in turn, the next in their order.
        let next = match self.last + 1 {
            end if end >= self.queues.len() => 0,
            next => next,
        };
        for likely in [self.last, next] {
            if self.queues.get(likely).is_some_and(is_it) {
                return Some(likely);
            }
        }
        let scanned = self.queues.iter().take(SCANNED_QUEUES_MAX).position(is_it);
        scanned.or_else(|| self.index.get(&queue.id()).copied())
    }
}
