//! Moving messages between memory and extents.
//!
//! ```text
//!   unstored ─► (written to an extent) ─► stored       out of memory
//!   fetch    ─► (read from an extent)  ─► fetched      and back
//!   moved                                              from a sparse extent to another
//! ```
//!
//! None of this changes what the queue holds: it may happen at any time, and not at all.

use super::stored::{Chain, Fetch, Released, Shelf, Stored, Stretch};
use super::{Entry, Queue, SeqSet};
use crate::message::Message;

/// Messages asked for at a time.
const FETCHED_MAX: u64 = 16 * 1024;

/// What a checkpoint holds of a queue: everything durable that is not in the log behind it.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// What stands in extents.
    pub durable: Chain,
    /// Which of these went out before.
    pub redelivered: SeqSet,
    /// All messages below this number did.
    pub redelivered_below: u64,
}

impl Queue {
    /// The queue that a summary tells of. Facts from the log complete it.
    pub fn restore(summary: Summary) -> Self {
        let Summary {
            durable,
            redelivered,
            redelivered_below,
        } = summary;
        let next_seq = durable.up_to();
        Self {
            stored: Shelf::new(Stored::restore(durable, redelivered, redelivered_below)),
            next_seq,
            ..Self::new(true)
        }
    }

    /// The summary of what is durable now.
    pub fn summary(&self) -> Summary {
        let mut redelivered = self.stored.redelivered.clone();
        // What is out or in memory again knows for itself.
        let out = self.unsettled.iter().filter(|(_, held)| held.redelivered);
        let out = out.map(|(seq, _)| seq);
        let front = self.stored.front.iter().filter(|(_, entry)| entry.redelivered);
        for seq in out.chain(front.map(|(seq, _)| seq)) {
            if self.stored.durable.live.contains(seq) {
                redelivered.insert(seq);
            }
        }
        Summary {
            durable: self.stored.durable.clone(),
            redelivered,
            redelivered_below: self.stored.redelivered_below,
        }
    }

    /// The node crashed: whatever is in the queue may have been out.
    pub fn mark_redelivered(&mut self) {
        if self.ready_count() > 0 {
            self.stored.redelivered_below = self.next_seq;
            self.stored.redelivered = SeqSet::default();
        }
        let all: Vec<u64> = self.ready.iter().map(|(seq, _)| seq).collect();
        for seq in all {
            if let Some(entry) = self.ready.find_mut(seq) {
                entry.redelivered = true;
            }
        }
    }

    /// Numbers below `next` are not given out any more.
    pub fn skip_to(&mut self, next: u64) {
        self.next_seq = self.next_seq.max(next);
    }

    /// What stands in extents: the durable messages, or the transient ones.
    pub fn chain(&self, durable: bool) -> &Chain {
        self.stored.chain(durable)
    }

    /// The lowest persistent message that is in no extent, if there is one: the log has to be kept from
    /// there on.
    pub fn first_unstored(&self) -> Option<u64> {
        let from = self.stored.durable.up_to;
        let ready = self.ready.iter_from(from);
        let ready = ready
            .filter(|(_, entry)| self.is_kept(&entry.message))
            .map(|(seq, _)| seq)
            .next();
        let out = self.unsettled.iter_from(from);
        let out = out.filter(|(_, held)| held.persistent).map(|(seq, _)| seq).next();
        match (ready, out) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Bytes of memory that messages in no extent take.
    pub fn unstored_bytes(&self) -> usize {
        self.bytes - self.stored.front_bytes
    }

    /// Messages in no extent: those that survive or the others, by rising number from `from` on, until
    /// there are so many or so many bytes.
    pub fn unstored(
        &self,
        durable: bool,
        from: u64,
        messages_max: usize,
        bytes_max: usize,
    ) -> Vec<(u64, Message)> {
        let from = from.max(self.stored.chain(durable).up_to);
        let ready = self.ready.iter_from(from);
        let mut ready = ready.map(|(seq, entry)| (seq, &entry.message)).peekable();
        let out = self.unsettled.iter_from(from);
        let out = out.filter_map(|(seq, held)| Some((seq, held.message.as_ref()?)));
        let mut out = out.peekable();
        let mut found = Vec::new();
        let mut bytes = 0;
        while found.len() < messages_max && bytes < bytes_max {
            let is_ready_first = match (ready.peek(), out.peek()) {
                (Some((a, _)), Some((b, _))) => a < b,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            let next = if is_ready_first { ready.next() } else { out.next() };
            let Some((seq, message)) = next else { break };
            if self.is_kept(message) == durable {
                bytes += message.memory_bytes();
                found.push((seq, message.clone()));
            }
        }
        found
    }

    /// Messages that [`Queue::unstored`] named stand in an extent now. All that it named are given, in
    /// order, whether they are settled meanwhile or not. Up to `keep_bytes` stay in memory.
    pub fn stored(&mut self, durable: bool, extent: u64, seqs: &[u64], keep_bytes: usize) {
        for &seq in seqs {
            if let Some(held) = self.unsettled.find_mut(seq)
                && let Some(message) = held.message.take()
            {
                self.bytes -= message.memory_bytes();
                self.stored.add(durable, extent, seq, true);
            } else if let Some(entry) = self.ready.remove(seq) {
                self.stored.add(durable, extent, seq, true);
                self.shelve(seq, entry, keep_bytes);
            } else {
                self.stored.add(durable, extent, seq, false);
            }
        }
    }

    /// A ready message stands in an extent now: it stays in memory if it is next and there is room.
    fn shelve(&mut self, seq: u64, entry: Entry, keep_bytes: usize) {
        let stored = &mut *self.stored;
        let bytes = entry.message.memory_bytes();
        if stored.absent.is_empty() && stored.front_bytes + bytes <= keep_bytes {
            stored.front_bytes += bytes;
            stored.front.insert(seq, entry);
            return;
        }
        self.bytes -= bytes;
        stored.absent.insert(seq);
        if entry.redelivered && seq >= stored.redelivered_below {
            stored.redelivered.insert(seq);
        }
    }

    /// How much of what is stored may stay in memory for the consumers that there are, if it is `ahead_bytes`
    /// for any.
    pub fn keep_bytes(&self, ahead_bytes: usize) -> usize {
        if self.consumers.len() > 0 { ahead_bytes } else { 0 }
    }

    /// Drops bodies that stand in an extent, but for the first `keep_bytes`.
    pub fn evict(&mut self, keep_bytes: usize) {
        if !self.stored.is_bare() {
            self.bytes -= self.stored.evict(keep_bytes);
        }
    }

    /// What is to be read from an extent now, for consumers to come or for one that waits. To be answered
    /// by [`Queue::fetched`]; there is one wish at a time. `ahead_bytes` are read ahead of consumers: less
    /// than half of it in memory asks for more.
    pub fn fetch(&mut self, ahead_bytes: usize) -> Option<Fetch> {
        if self.stored.is_bare() {
            return None;
        }
        let wants_ahead = self.consumers.len() > 0;
        self.stored.fetch(ahead_bytes, FETCHED_MAX, wants_ahead)
    }

    /// Messages were read; what of the wish is in neither list is asked for again when it is needed. Lost
    /// ones cannot be read: nobody gets them, and they are not settled.
    pub fn fetched(&mut self, ticket: u64, found: Vec<(u64, Message)>, lost: &[u64]) {
        self.bytes += self.stored.fetched(ticket, found, lost);
    }

    /// The live messages of a stretch stand in another extent now, as the stretch `copied`.
    pub fn moved(&mut self, durable: bool, from_extent: u64, copied: Stretch) {
        self.stored.moved(durable, from_extent, copied);
    }

    /// What extents no longer have to keep for this queue, since this was last asked.
    pub fn take_released(&mut self) -> Vec<Released> {
        if self.stored.is_bare() {
            return Vec::new();
        }
        std::mem::take(&mut self.stored.released)
    }

    /// Gives memory back that an idle queue does not need.
    pub fn unload(&mut self) {
        if self.ready.is_empty() {
            self.ready.clear();
        }
        if self.unsettled.is_empty() {
            self.unsettled.clear();
            if self.ready_count() == 0 {
                self.stored.clear();
            }
        }
    }

    /// The queue goes: everything that it has in extents, and what was released before.
    pub fn release_all(&mut self) -> Vec<Released> {
        if self.stored.is_bare() {
            return Vec::new();
        }
        self.stored.release_all()
    }
}
