//! What of a queue stands in extents, and what of that is in memory again.
//!
//! ```text
//!   chain:  ├─ extent 4 ─┤├─ extent 9 ───┤          durable ones, and another chain for transient ones
//!   live:   x x . x . . x x x x x x x x x x         not settled
//!   absent:       x     x . . x x x x x x x         ready, and only on disk
//!   front:                                           ready, and read back
//! ```
//!
//! A chain is filled from the lowest number up: every live message of its class below
//! [`Chain::up_to`] stands in it. The rest is out with consumers, who need no body.

use super::Entry;
use super::fact::Range;
use super::seq_set::SeqSet;
use super::window::Window;
use crate::message::Message;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

/// A run of messages of a queue in one extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The extent's number.
    pub extent: u64,
    /// The lowest number that was written.
    pub first: u64,
    /// The highest number that was written.
    pub last: u64,
    /// Messages that were written.
    pub count: u64,
    /// Those of them that are not settled.
    pub live: u64,
}

impl Stretch {
    /// The numbers from the first to the last.
    pub fn range(&self) -> Range {
        Range {
            first: self.first,
            last: self.last,
        }
    }
}

/// Messages of an extent that this queue no longer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// The extent's number.
    pub extent: u64,
    /// How many.
    pub count: u64,
}

/// A wish to have messages read from an extent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Names the wish in the answer.
    pub ticket: u64,
    /// From which of the two chains.
    pub durable: bool,
    /// Where they are.
    pub stretch: Stretch,
    /// Which ones, rising. Never empty.
    pub wanted: Vec<Range>,
    /// How many bytes of memory they may take, one message more at most. The rest is asked for again.
    pub bytes_max: usize,
}

/// The messages of one class that stand in extents.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    pub(super) stretches: VecDeque<Stretch>,
    pub(super) live: SeqSet,
    /// Live messages below it stand in the chain.
    pub(super) up_to: u64,
}

impl Chain {
    /// A chain as a checkpoint holds it. Counts of live messages are made anew.
    pub fn restore(stretches: impl IntoIterator<Item = Stretch>, live: SeqSet, up_to: u64) -> Self {
        let counted = stretches.into_iter().map(|stretch| Stretch {
            live: live.count(stretch.range()),
            ..stretch
        });
        Self {
            stretches: counted.filter(|stretch| stretch.live > 0).collect(),
            live,
            up_to,
        }
    }

    /// Its stretches, by rising numbers.
    pub fn stretches(&self) -> impl Iterator<Item = &Stretch> {
        self.stretches.iter()
    }

    /// What is not settled.
    pub fn live(&self) -> &SeqSet {
        &self.live
    }

    /// Live messages of the class below this number stand in the chain.
    pub fn up_to(&self) -> u64 {
        self.up_to
    }

    fn find(&self, seq: u64) -> Option<usize> {
        let at = self.stretches.partition_point(|stretch| stretch.last < seq);
        let found = self.stretches.get(at)?;
        found.range().contains(seq).then_some(at)
    }

    /// Messages are settled: those of a range that are live.
    fn settle(&mut self, gone: Range, released: &mut Vec<Released>) {
        if self.live.first().is_none_or(|first| first > gone.last) || gone.first >= self.up_to {
            return;
        }
        let mut at = self
            .stretches
            .partition_point(|stretch| stretch.last < gone.first);
        while let Some(stretch) = self.stretches.get_mut(at)
            && let Some(part) = stretch.range().overlap(gone)
        {
            let count = self.live.remove_range(part);
            if count > 0 {
                stretch.live = stretch.live.saturating_sub(count);
                release(released, stretch.extent, count);
                if stretch.live == 0 {
                    self.stretches.remove(at);
                    continue;
                }
            }
            at += 1;
        }
    }

    /// A message was written, and is live unless it was settled meanwhile.
    fn add(&mut self, extent: u64, seq: u64, is_live: bool) {
        self.up_to = seq + 1;
        let last = self.stretches.back_mut().filter(|last| last.extent == extent);
        if let Some(last) = last {
            last.last = seq;
            last.count += 1;
            last.live += u64::from(is_live);
        } else if is_live {
            self.stretches.push_back(Stretch {
                extent,
                first: seq,
                last: seq,
                count: 1,
                live: 1,
            });
        }
        if is_live {
            self.live.insert(seq);
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) durable: Chain,
    pub(super) transient: Chain,
    pub(super) absent: SeqSet,
    pub(super) front: Window<Entry>,
    pub(super) front_bytes: usize,
    /// Of those in the chains, the ones that went out before; all below `redelivered_below` did.
    pub(super) redelivered: SeqSet,
    pub(super) redelivered_below: u64,
    pub(super) released: Vec<Released>,
    /// A message that is absent was wanted.
    pub(super) is_hungry: bool,
    last_ticket: u64,
    is_fetching: bool,
}

/// [`Stored`], which takes no memory while a queue has nothing in extents: most queues, most of the time.
#[derive(Debug, Default)]
pub(super) struct Shelf(Option<Box<Stored>>);

static NOTHING: LazyLock<Stored> = LazyLock::new(Stored::default);

impl Shelf {
    pub(super) fn new(stored: Stored) -> Self {
        Self(Some(Box::new(stored)))
    }

    /// Whether there is nothing, so that nothing can be settled, read or given free.
    pub(super) fn is_bare(&self) -> bool {
        self.0.is_none()
    }

    /// Forgets everything but what was released: the queue is empty.
    pub(super) fn clear(&mut self) {
        if self.released.is_empty() && !self.is_fetching {
            self.0 = None;
        }
    }
}

impl Deref for Shelf {
    type Target = Stored;

    fn deref(&self) -> &Stored {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Shelf {
    fn deref_mut(&mut self) -> &mut Stored {
        self.0.get_or_insert_default()
    }
}

impl Stored {
    pub(super) fn chain(&self, durable: bool) -> &Chain {
        if durable { &self.durable } else { &self.transient }
    }

    fn chain_mut(&mut self, durable: bool) -> &mut Chain {
        if durable {
            &mut self.durable
        } else {
            &mut self.transient
        }
    }

    /// Everything in the chain is ready, and absent.
    pub(super) fn restore(durable: Chain, redelivered: SeqSet, redelivered_below: u64) -> Self {
        let absent = durable.live.clone();
        Self {
            durable,
            absent,
            redelivered,
            redelivered_below,
            ..Self::default()
        }
    }

    pub(super) fn is_redelivered(&self, seq: u64) -> bool {
        seq < self.redelivered_below || self.redelivered.contains(seq)
    }

    /// Messages are done with, wherever they stand but in memory.
    pub(super) fn settle(&mut self, gone: Range) {
        self.durable.settle(gone, &mut self.released);
        self.transient.settle(gone, &mut self.released);
        if self.absent.first().is_some_and(|first| first <= gone.last) {
            self.absent.remove_range(gone);
        }
        if self.redelivered.first().is_some_and(|first| first <= gone.last) {
            self.redelivered.remove_range(gone);
        }
    }

    /// Everything in the range goes, none of which is out. Answers the memory given free.
    pub(super) fn purge(&mut self, gone: Range) -> usize {
        self.settle(gone);
        let mut bytes = 0;
        let mut kept = Vec::new();
        while let Some((seq, _)) = self.front.first()
            && seq <= gone.last
            && let Some((seq, entry)) = self.front.pop_first()
        {
            if seq < gone.first {
                kept.push((seq, entry));
            } else {
                bytes += entry.message.memory_bytes();
            }
        }
        for (seq, entry) in kept {
            self.front.insert(seq, entry);
        }
        self.front_bytes -= bytes;
        bytes
    }

    /// A message of a chain comes back to its place.
    pub(super) fn give_back(&mut self, seq: u64) {
        self.redelivered.insert(seq);
        self.absent.insert(seq);
    }

    /// A message was written. It is live unless it was settled meanwhile.
    pub(super) fn add(&mut self, durable: bool, extent: u64, seq: u64, is_live: bool) {
        self.chain_mut(durable).add(extent, seq, is_live);
        if !is_live {
            release(&mut self.released, extent, 1);
        }
    }

    /// Drops what is in memory again, the highest numbers first, until at most so many bytes are left.
    /// Answers the bytes given free.
    pub(super) fn evict(&mut self, keep_bytes: usize) -> usize {
        let before = self.front_bytes;
        while self.front_bytes > keep_bytes
            && let Some((seq, entry)) = self.front.pop_last()
        {
            self.front_bytes -= entry.message.memory_bytes();
            self.absent.insert(seq);
            if entry.redelivered {
                self.redelivered.insert(seq);
            }
        }
        before - self.front_bytes
    }

    /// What is to be read next, if anything is and nothing is being read already.
    pub(super) fn fetch(
        &mut self,
        ahead_bytes: usize,
        messages_max: u64,
        wants_ahead: bool,
    ) -> Option<Fetch> {
        let is_low = wants_ahead && self.front_bytes < ahead_bytes / 2;
        if self.is_fetching || !(self.is_hungry || is_low) {
            return None;
        }
        let first = self.absent.first()?;
        let durable = self.durable.live.contains(first);
        let chain = self.chain(durable);
        let stretch = *chain.stretches.get(chain.find(first)?)?;
        let mut wanted = self
            .absent
            .head(stretch.range(), messages_max, FETCHED_RANGES_MAX);
        if self.chain(!durable).live.count(stretch.range()) > 0 {
            let live = &self.chain(durable).live;
            let numbers = wanted.into_iter().flat_map(|range| range.first..=range.last);
            let mut own = Vec::new();
            for seq in numbers.filter(|seq| live.contains(*seq)) {
                super::fact::push_seq(&mut own, seq);
            }
            wanted = own;
        }
        self.is_fetching = true;
        self.is_hungry = false;
        self.last_ticket += 1;
        Some(Fetch {
            ticket: self.last_ticket,
            durable,
            stretch,
            wanted,
            bytes_max: ahead_bytes,
        })
    }

    /// Messages were read. What is no longer absent is passed over. Answers the memory taken.
    pub(super) fn fetched(&mut self, ticket: u64, found: Vec<(u64, Message)>, lost: &[u64]) -> usize {
        if ticket == self.last_ticket {
            self.is_fetching = false;
        }
        for seq in lost {
            self.absent.remove(*seq);
        }
        let mut bytes = 0;
        let mut runs: Vec<Range> = Vec::new();
        for (seq, _) in &found {
            super::fact::push_seq(&mut runs, *seq);
        }
        let mut messages = found.into_iter();
        for run in runs {
            // Mostly all of them are still absent: asked and removed together.
            let is_whole = self.absent.count(run) == run.len();
            if is_whole {
                self.absent.remove_range(run);
            }
            for seq in run.first..=run.last {
                let Some((_, message)) = messages.next() else {
                    break;
                };
                if is_whole || self.absent.remove(seq) {
                    let redelivered = self.is_redelivered(seq);
                    bytes += message.memory_bytes();
                    self.front.insert(seq, Entry { message, redelivered });
                }
            }
        }
        self.front_bytes += bytes;
        bytes
    }

    /// Messages of a stretch were copied to another extent, of which they are the messages `copied`.
    pub(super) fn moved(&mut self, durable: bool, from_extent: u64, copied: Stretch) {
        let chain = self.chain_mut(durable);
        let found = chain
            .find(copied.first)
            .and_then(|at| chain.stretches.get_mut(at))
            .filter(|stretch| stretch.extent == from_extent);
        let live = found.as_ref().map_or(0, |stretch| stretch.live);
        if let Some(stretch) = found {
            *stretch = Stretch { live, ..copied };
            release(&mut self.released, from_extent, live);
        }
        let unneeded = copied.count.saturating_sub(live);
        release(&mut self.released, copied.extent, unneeded);
    }

    /// The queue goes: nothing in any extent is needed.
    pub(super) fn release_all(&mut self) -> Vec<Released> {
        let all = self.durable.stretches.iter().chain(&self.transient.stretches);
        let rest = all.map(|stretch| Released {
            extent: stretch.extent,
            count: stretch.live,
        });
        let mut released = std::mem::take(&mut self.released);
        released.extend(rest);
        released
    }
}

/// A fetch names at most so many ranges.
const FETCHED_RANGES_MAX: usize = 4096;

fn release(released: &mut Vec<Released>, extent: u64, count: u64) {
    match released.last_mut() {
        Some(last) if last.extent == extent => last.count += count,
        _ => released.push(Released { extent, count }),
    }
}
