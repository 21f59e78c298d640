//! Reading messages back for queues that want them.

use super::{ANNOTATED, PRIORITY, Storage, TRANSIENT, Wish};
use crate::mailbox::Touched;
use crate::queues::record::Kept;
use crate::queues::{Browser, LiveQueue, Peeking};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use warren_broker::message::Message;
use warren_broker::queue::{Fetch, Range};
use warren_store::disk::is_shortage;
use warren_store::extent::{Found, Section};

/// What came of a wish.
#[derive(Default)]
struct Outcome {
    found: Vec<(u64, Message)>,
    lost: Vec<u64>,
}

/// How long the reader waits when the system lacks what it needs.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

impl Storage {
    /// Reads until the storage closes.
    pub(super) fn read_always(&self) {
        loop {
            let next = {
                let mut fetches = self.fetches.lock();
                while fetches.is_empty() && !self.is_closing.load(Ordering::Acquire) {
                    self.has_fetch.wait(&mut fetches);
                }
                fetches.pop_front()
            };
            match next {
                None => return,
                Some(wish) => {
                    if let Err((wish, shortage)) = self.grant(wish) {
                        self.put_off(wish, &shortage);
                    }
                }
            }
        }
    }

    /// An error is a shortage: nothing was done, and the wish comes back.
    fn grant(&self, wish: Wish) -> Result<(), (Wish, io::Error)> {
        match wish {
            Wish::Browse(browser) => self.let_browse(&browser),
            Wish::Peek(peeking) => self.let_peek(peeking),
            Wish::Fetch(queue, fetch) => {
                let served = self.serve(&queue, &fetch);
                return served.map_err(|error| (Wish::Fetch(queue, fetch), error));
            }
            Wish::Notes(queue, fetch) => {
                let served = self.serve_notes(&queue, &fetch);
                return served.map_err(|error| (Wish::Notes(queue, fetch), error));
            }
        }
        Ok(())
    }

    /// Another wish is looked at first, after a pause.
    fn put_off(&self, wish: Wish, error: &io::Error) {
        let extent = match &wish {
            Wish::Fetch(_, fetch) => fetch.stretch.extent,
            Wish::Notes(_, fetch) => fetch.extent,
            Wish::Browse(_) | Wish::Peek(_) => 0,
        };
        tracing::warn!(%error, extent, "an extent cannot be read now: tried again");
        let mut fetches = self.fetches.lock();
        if self.is_closing.load(Ordering::Acquire) {
            // Nobody waits for it any more.
            return;
        }
        self.has_fetch.wait_for(&mut fetches, SHORTAGE_PAUSE);
        fetches.push_back(wish);
    }

    /// A browser looks. What cannot be read it does not get.
    fn let_browse(&self, browser: &Arc<Browser>) {
        let mut touched = Touched::default();
        browser.run(&|queue, fetch| self.read_to_show(queue, fetch), &mut touched);
        touched.wake_all();
    }

    /// Somebody peeks, for a while, and then others are served. What cannot be read is not seen.
    fn let_peek(&self, peeking: Peeking) {
        if let Some(more) = peeking.run(&|queue, fetch| self.read_to_show(queue, fetch))
            && !self.is_closing.load(Ordering::Acquire)
        {
            self.ask_peek(more);
        }
    }

    fn read_to_show(&self, queue: &Arc<LiveQueue>, fetch: &Fetch) -> Vec<(u64, Message)> {
        match self.read(queue, fetch) {
            Ok(outcome) => outcome.found,
            Err(error) => {
                tracing::warn!(%error, extent = fetch.stretch.extent, "a browser misses messages");
                Vec::new()
            }
        }
    }

    /// Reads what is asked for now; without threads. Answers whether there was anything.
    pub(crate) fn read_once(&self) -> bool {
        let next = self.fetches.lock().pop_front();
        let Some(wish) = next else { return false };
        let granted = self.grant(wish);
        let is_granted = granted.is_ok();
        if let Err((wish, _)) = granted {
            self.fetches.lock().push_back(wish);
        }
        is_granted
    }

    /// Reads what is wished for. An error is a shortage: nothing is known then, and nothing was done.
    pub(crate) fn serve(&self, queue: &Arc<LiveQueue>, fetch: &Fetch) -> io::Result<()> {
        let outcome = self.read(queue, fetch)?;
        if !outcome.lost.is_empty() {
            self.table.lock().mark_damaged(fetch.stretch.extent);
            let lost = outcome.lost.len();
            let extent = fetch.stretch.extent;
            let name = &queue.declared().name;
            tracing::error!(queue = %name, lost, extent, "messages cannot be read and are set aside");
        }
        let bytes: usize = outcome
            .found
            .iter()
            .map(|(_, message)| message.memory_bytes())
            .sum();
        self.fetched_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let mut touched = Touched::default();
        queue.fetched(fetch, outcome.found, &outcome.lost, &mut touched);
        touched.wake_all();
        Ok(())
    }

    fn read(&self, queue: &Arc<LiveQueue>, fetch: &Fetch) -> io::Result<Outcome> {
        let section = Section {
            extent: fetch.stretch.extent,
            owner: queue.id().0,
            first: fetch.stretch.first,
            last: fetch.stretch.last,
            count: fetch.stretch.count,
        };
        let from = fetch.wanted.first().map_or(0, |range| range.first);
        let until = fetch.wanted.last().map_or(0, |range| range.last);
        let mut found = Vec::new();
        let mut bytes = 0;
        let mut stopped = false;
        let mut wanted = Wanted::new(&fetch.wanted);
        let read = self.extents.read(
            fetch.durable,
            &section,
            from,
            &mut |seq| wanted.contains(seq),
            &mut |message| {
                let seq = message.head.seq;
                if let Some(message) = restore(&message) {
                    bytes += message.memory_bytes();
                    found.push((seq, message));
                }
                stopped = bytes >= fetch.bytes_max;
                !stopped && seq < until
            },
            &mut |gone, damage| {
                tracing::error!(%damage, seq = gone.seq, "damage in the store");
            },
        );
        if let Err(error) = read {
            if !queue.has_stretch(fetch.durable, &fetch.stretch) {
                // It moved, or is settled, while it was to be read.
                return Ok(Outcome::default());
            }
            if is_shortage(&error) {
                return Err(error);
            }
            tracing::error!(%error, extent = section.extent, "an extent cannot be read");
        }
        // What was passed without being found is not there to be read.
        let passed = if stopped {
            found.last().map_or(until, |(seq, _)| *seq)
        } else {
            until
        };
        let mut lost = Vec::new();
        let mut have = found.iter().map(|(seq, _)| *seq).peekable();
        for seq in fetch.wanted.iter().flat_map(|range| range.first..=range.last) {
            if seq > passed {
                break;
            }
            if have.next_if_eq(&seq).is_none() {
                lost.push(seq);
            }
        }
        Ok(Outcome { found, lost })
    }
}

pub(super) fn restore(found: &Found<'_>) -> Option<Message> {
    let head = &found.head;
    let kept = Kept {
        published_ms: head.enqueued_at_ms,
        properties_bytes: head.properties_bytes,
        exchange_bytes: head.exchange_bytes,
        key_bytes: head.key_bytes,
        priority: head.priority,
        has_priority: head.flags & PRIORITY != 0,
        persistent: head.flags & TRANSIENT == 0,
        is_annotated: head.flags & ANNOTATED != 0,
    };
    kept.restore(found.content)
}

/// Whether rising numbers are in rising ranges.
pub(super) struct Wanted<'a> {
    ranges: &'a [Range],
    at: usize,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(ranges: &'a [Range]) -> Self {
        Self { ranges, at: 0 }
    }

    pub(super) fn contains(&mut self, seq: u64) -> bool {
        while let Some(range) = self.ranges.get(self.at) {
            if seq <= range.last {
                return seq >= range.first;
            }
            self.at += 1;
        }
        false
    }
}
