//! What a session gathers while it reads, to be done queue by queue: one lock, one decision,
//! one log append per queue and batch.

use crate::mailbox::Touched;
use crate::queues::{LiveQueue, Routed, Share, Worked, work_together};
use crate::routes::Route;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::Arc;
use warren_broker::message::Message;
use warren_broker::queue::Ticket;
use warren_broker::route::QueueId;
use warren_store::Position;

/// Up to so many queues are looked through one by one; more are looked up by id.
const SCANNED_QUEUES_MAX: usize = 8;

/// Work gathered for one queue.
#[derive(Debug, Default)]
struct Work {
    share: Share,
    /// Which messages are somebody's whom it matters to whether they are taken: place in the batch, and
    /// whose.
    tokens: Vec<(usize, u64)>,
}

impl Work {
    fn clear(&mut self) {
        self.share.clear();
        self.tokens.clear();
    }

    /// The last ones of the messages were not taken: says whose they were.
    fn refuse(&self, count: usize, refused: &mut Vec<u64>) {
        let taken = self.share.messages.len().saturating_sub(count);
        let lost = self.tokens.iter().filter(|(place, _)| *place >= taken);
        refused.extend(lost.map(|(_, token)| *token));
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
    /// Whose messages were not taken.
    refused: Vec<u64>,
    /// Messages of which it depends on what came before how far they get, and those that were published
    /// behind one.
    routed: Vec<Routed>,
    /// Whose they are.
    routed_tokens: Vec<u64>,
}

/// So many messages that go through gates are done at a time, with all their queues locked.
const ROUTED_MAX: usize = 256;

/// How many emptied buffers are kept from one batch to the next.
const SPARE_MAX: usize = 16;

impl Batch {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.routed.is_empty()
    }

    /// Whether a message is to go by its route: it goes through gates, or stays behind one that does.
    pub(crate) fn goes_by_route(&self, route: &Route) -> bool {
        route.has_gates() || !self.routed.is_empty()
    }

    /// A message for a route. If not all queues that it comes to take it, [`Batch::take_refused`] names the
    /// `token`; 0 names nothing.
    pub(crate) fn publish_by_route(&mut self, route: &Arc<Route>, message: Message, token: u64) {
        self.routed.push(Routed {
            route: Arc::clone(route),
            message,
            must_fit: false,
        });
        self.routed_tokens.push(token);
    }

    /// A message for a queue. If it is not taken, [`Batch::take_refused`] names the `token`; 0 names nothing.
    #[inline]
    pub fn publish(&mut self, queue: &Arc<LiveQueue>, message: Message, token: u64) {
        let work = self.work(queue);
        if token != 0 && queue.refuses() {
            work.tokens.push((work.share.messages.len(), token));
        }
        work.share.messages.push(message);
    }

    /// A delivery of a queue is done with.
    pub fn settle(&mut self, queue: &Arc<LiveQueue>, ticket: Ticket) {
        self.work(queue).share.settled.push(ticket);
    }

    /// A delivery of a queue is rejected for good.
    pub fn reject(&mut self, queue: &Arc<LiveQueue>, ticket: Ticket) {
        self.work(queue).share.rejected.push(ticket);
    }

    /// A delivery of a queue goes back to its place. If it `failed`, that is counted.
    pub fn give_back(&mut self, queue: &Arc<LiveQueue>, ticket: Ticket, failed: bool) {
        let share = &mut self.work(queue).share;
        match failed {
            true => share.failed.push(ticket),
            false => share.returned.push(ticket),
        }
    }

    /// The tokens of messages that were not taken, since this was last asked.
    pub fn take_refused(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.refused)
    }

    /// Does everything gathered. Answers the log positions that answers have to wait for. `floor` is the
    /// log's end now.
    pub fn flush(&mut self, floor: Position, touched: &mut Touched) -> Worked {
        let mut worked = Worked::default();
        for (queue, mut work) in self.queues.drain(..) {
            let done = queue.work(&work.share.commands(), floor, touched);
            if done.refused > 0 {
                work.refuse(done.refused, &mut self.refused);
            }
            worked = worked.max(done);
            if self.spare.len() < SPARE_MAX {
                work.clear();
                self.spare.push(work);
            }
        }
        self.index.clear();
        self.last = 0;
        if !self.routed.is_empty() {
            worked = worked.max(self.flush_routed(floor, touched));
        }
        worked
    }

    /// Does what goes by routes. After a crash a message is in its queues and known at gates, or neither.
    fn flush_routed(&mut self, floor: Position, touched: &mut Touched) -> Worked {
        let routed = std::mem::take(&mut self.routed);
        let tokens = std::mem::take(&mut self.routed_tokens);
        let mut worked = Worked::default();
        // Where queues refuse, what consumers take of one message makes room for the next.
        let at_a_time = match has_refusing(&routed) {
            true => 1,
            false => ROUTED_MAX,
        };
        for (some, tokens) in routed.chunks(at_a_time).zip(tokens.chunks(at_a_time)) {
            let outcome = work_together(&[], some, floor, touched);
            self.refuse(&outcome.turned_away, tokens);
            for queue in outcome.leaving {
                queue.move_on(touched);
            }
            worked = worked.max(outcome.worked);
        }
        worked
    }

    /// These messages were turned away: says whose they were.
    fn refuse(&mut self, turned_away: &[usize], tokens: &[u64]) {
        let lost = turned_away.iter().filter_map(|nth| tokens.get(*nth).copied());
        self.refused.extend(lost.filter(|token| *token != 0));
    }

    /// Does everything gathered, all of it or nothing, also after a crash. `None`: nothing, for one of the
    /// queues is full or deleted, or one of the deliveries was taken away from who held it.
    pub fn flush_together(&mut self, floor: Position, touched: &mut Touched) -> Option<Worked> {
        let gathered = self.queues.drain(..).map(|(queue, work)| {
            let must_fit = true;
            (
                queue,
                Share {
                    must_fit,
                    ..work.share
                },
            )
        });
        let shares: Vec<_> = gathered.collect();
        self.index.clear();
        self.last = 0;
        let routed = std::mem::take(&mut self.routed).into_iter().map(|one| {
            let must_fit = true;
            Routed { must_fit, ..one }
        });
        let routed: Vec<_> = routed.collect();
        self.routed_tokens.clear();
        let outcome = work_together(&shares, &routed, floor, touched);
        outcome.tell_browsers(touched);
        for queue in outcome.leaving {
            queue.move_on(touched);
        }
        (!outcome.is_undone).then_some(outcome.worked)
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

/// Whether any of the queues that these messages may come to may refuse some.
fn has_refusing(routed: &[Routed]) -> bool {
    let mut last: Option<&Arc<Route>> = None;
    routed.iter().any(|Routed { route, .. }| {
        let is_another = !last.is_some_and(|last| Arc::ptr_eq(last, route));
        last = Some(route);
        is_another && route.has_refusing()
    })
}
