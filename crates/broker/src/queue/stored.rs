//! What of a queue stands in extents.
//!
//! ```text
//!   chain:  ├─ extent 4 ─┤├─ extent 9 ───┤          durable ones, and another chain for transient ones
//!   live:   x x . x . . x x x x x x x x x x         not settled
//! ```
//!
//! A chain is filled from the lowest number up: every live message of its class below
//! [`Chain::up_to`] stands in it, whatever lane it is in. What of these is ready, and not in memory, the
//! lanes know; the rest is out with consumers, who need no body.

use super::fact::Range;
use super::seq_set::SeqSet;
use std::collections::{BTreeMap, VecDeque};
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
    /// Whose wish it is, in the queue's words; to be said in the answer.
    pub lane: u16,
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

    /// Whether anything in an extent is not settled.
    pub fn has(&self, extent: u64) -> bool {
        self.stretches.iter().any(|stretch| stretch.extent == extent)
    }

    fn find(&self, seq: u64) -> Option<usize> {
        let at = self.stretches.partition_point(|stretch| stretch.last < seq);
        let found = self.stretches.get(at)?;
        found.range().contains(seq).then_some(at)
    }

    /// Messages are settled: those of a range that are live. Answers how many.
    fn settle(&mut self, gone: Range, released: &mut Vec<Released>) -> u64 {
        let mut settled = 0;
        if self.live.first().is_none_or(|first| first > gone.last) || gone.first >= self.up_to {
            return settled;
        }
        let mut at = self
            .stretches
            .partition_point(|stretch| stretch.last < gone.first);
        while let Some(stretch) = self.stretches.get_mut(at)
            && let Some(part) = stretch.range().overlap(gone)
        {
            let count = self.live.remove_range(part);
            settled += count;
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
        settled
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
pub(super) struct Chains {
    pub(super) durable: Chain,
    pub(super) transient: Chain,
    /// Of those in the chains, the ones that went out before; all below `redelivered_below` did.
    pub(super) redelivered: SeqSet,
    pub(super) redelivered_below: u64,
    /// Of those in the chains, how often a delivery failed, if any did.
    pub(super) failures: BTreeMap<u64, u16>,
    pub(super) released: Vec<Released>,
}

/// [`Chains`], which take no memory while a queue has nothing in extents: most queues, most of the time.
#[derive(Debug, Default)]
pub(super) struct Shelf(Option<Box<Chains>>);

static NOTHING: LazyLock<Chains> = LazyLock::new(Chains::default);

impl Shelf {
    pub(super) fn new(chains: Chains) -> Self {
        Self(Some(Box::new(chains)))
    }

    /// Whether there is nothing, so that nothing can be settled, read or given free.
    pub(super) fn is_bare(&self) -> bool {
        self.0.is_none()
    }

    /// Forgets everything but what was released: the queue is empty.
    pub(super) fn clear(&mut self) {
        if self.released.is_empty() {
            self.0 = None;
        }
    }
}

impl Deref for Shelf {
    type Target = Chains;

    fn deref(&self) -> &Chains {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Shelf {
    fn deref_mut(&mut self) -> &mut Chains {
        self.0.get_or_insert_default()
    }
}

impl Chains {
    pub(super) fn get(&self, durable: bool) -> &Chain {
        if durable { &self.durable } else { &self.transient }
    }

    fn get_mut(&mut self, durable: bool) -> &mut Chain {
        if durable {
            &mut self.durable
        } else {
            &mut self.transient
        }
    }

    /// The stretch in which a message stands, and of which class it is. `None` when it is settled.
    pub(super) fn stretch_of(&self, seq: u64) -> Option<(bool, Stretch)> {
        let durable = self.durable.live.contains(seq);
        let chain = self.get(durable);
        if !chain.live.contains(seq) {
            return None;
        }
        Some((durable, *chain.stretches.get(chain.find(seq)?)?))
    }

    /// Whether no extent has anything that is not settled.
    pub(super) fn has_nothing_live(&self) -> bool {
        self.durable.live.is_empty() && self.transient.live.is_empty()
    }

    /// Whether a message stands in an extent, and is not settled.
    pub(super) fn is_live(&self, seq: u64) -> bool {
        self.durable.live.contains(seq) || self.transient.live.contains(seq)
    }

    pub(super) fn is_redelivered(&self, seq: u64) -> bool {
        seq < self.redelivered_below || self.redelivered.contains(seq)
    }

    /// How often a delivery of the message failed.
    pub(super) fn failures_of(&self, seq: u64) -> u16 {
        self.failures.get(&seq).copied().unwrap_or(0)
    }

    /// Remembers of a message in a chain what its entry knew.
    pub(super) fn note(&mut self, seq: u64, redelivered: bool, failures: u16) {
        if redelivered && seq >= self.redelivered_below {
            self.redelivered.insert(seq);
        }
        if failures > 0 {
            self.failures.insert(seq, failures);
        }
    }

    /// Messages are done with. Answers how many of them there were: durable ones, and transient ones.
    pub(super) fn settle(&mut self, gone: Range) -> (u64, u64) {
        let durable = self.durable.settle(gone, &mut self.released);
        let transient = self.transient.settle(gone, &mut self.released);
        if self.redelivered.first().is_some_and(|first| first <= gone.last) {
            self.redelivered.remove_range(gone);
        }
        while let Some((seq, _)) = self.failures.range(gone.first..=gone.last).next() {
            let seq = *seq;
            self.failures.remove(&seq);
        }
        (durable, transient)
    }

    /// A message was written. It is live unless it was settled meanwhile.
    pub(super) fn add(&mut self, durable: bool, extent: u64, seq: u64, is_live: bool) {
        self.get_mut(durable).add(extent, seq, is_live);
        if !is_live {
            release(&mut self.released, extent, 1);
        }
    }

    /// Messages of a stretch were copied to another extent, of which they are the messages `copied`.
    pub(super) fn moved(&mut self, durable: bool, from_extent: u64, copied: Stretch) {
        let chain = self.get_mut(durable);
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

fn release(released: &mut Vec<Released>, extent: u64, count: u64) {
    match released.last_mut() {
        Some(last) if last.extent == extent => last.count += count,
        _ => released.push(Released { extent, count }),
    }
}
