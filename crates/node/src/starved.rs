//! Those that wait for the same: the room of a session, or the credit of a channel.

use crate::mailbox::Touched;
use crate::queues::{Browser, LiveQueue};
use std::sync::Arc;
use warren_broker::queue::ConsumerKey;
use warren_broker::route::QueueId;

/// Who waits.
#[derive(Debug)]
pub enum Starved {
    /// A consumer of a queue.
    Consumer(Arc<LiveQueue>, ConsumerKey),
    /// A browser.
    Browser(Arc<Browser>),
}

impl Starved {
    fn queue(&self) -> &Arc<LiveQueue> {
        match self {
            Self::Consumer(queue, _) => queue,
            Self::Browser(browser) => browser.queue(),
        }
    }

    fn key(&self) -> Option<ConsumerKey> {
        match self {
            Self::Consumer(_, key) => Some(*key),
            Self::Browser(_) => None,
        }
    }

    /// They go on, in their order; the consumers of a queue all at once, so that it chooses among them.
    pub fn resume_all(waiting: &[Self], touched: &mut Touched) {
        for of_queue in waiting.chunk_by(|one, other| one.queue().id() == other.queue().id()) {
            let consumers = of_queue.iter().filter_map(Self::key);
            if let Some(queue) = of_queue.first().map(Self::queue) {
                queue.resume(consumers, touched);
            }
            for one in of_queue {
                if let Self::Browser(browser) = one {
                    browser.queue().browse(browser, touched);
                }
            }
        }
    }
}

/// A line of those that wait. Their queues take turns: if always the same one went on first, one with much in
/// it would be served as long as it has anything, and the others not at all.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: Vec<Starved>,
    /// The queue that went on first the last time.
    last: Option<QueueId>,
}

impl Line {
    pub(crate) fn push(&mut self, starved: Starved) {
        self.waiting.push(starved);
    }

    /// Whether a browser waits.
    pub(crate) fn has(&self, browser: &Arc<Browser>) -> bool {
        let is_it = |entry: &Starved| matches!(entry, Starved::Browser(other) if Arc::ptr_eq(other, browser));
        self.waiting.iter().any(is_it)
    }

    /// A consumer no longer waits: it is cancelled.
    pub(crate) fn forget(&mut self, queue: &LiveQueue, consumer: ConsumerKey) {
        self.waiting
            .retain(|entry| entry.queue().id() != queue.id() || entry.key() != Some(consumer));
    }

    /// Nobody waits for the sake of a queue any more: it is deleted.
    pub(crate) fn forget_queue(&mut self, queue: &LiveQueue) {
        self.waiting.retain(|entry| entry.queue().id() != queue.id());
    }

    /// Takes all out, in the order in which they go on: queue by queue, the one behind the last one first.
    pub(crate) fn take(&mut self) -> Vec<Starved> {
        let mut all = std::mem::take(&mut self.waiting);
        let last = self.last;
        all.sort_by_key(|entry| {
            let id = entry.queue().id();
            (last.is_some_and(|last| id <= last), id)
        });
        if let Some(first) = all.first() {
            self.last = Some(first.queue().id());
        }
        all
    }
}
