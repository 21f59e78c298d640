//! What the floor of storage does with a queue: messages are written to extents, read and moved.

use super::trial::{Trial, skip};
use super::{Fetch, Message, Note, Page, Stretch, Ticket, notes_of, pages_of};
use std::collections::{BTreeMap, HashMap};

/// So little that reading ahead stops now and then.
const AHEAD_BYTES: usize = 1000;

/// More reads than this at one time do not end.
const READS_MAX: usize = 5000;

/// The pages of an extent that holds these messages.
pub(crate) fn pages_for<'a>(
    extent: u64,
    messages: impl Iterator<Item = (u64, &'a Message)>,
) -> Vec<(Page, Vec<Note>)> {
    let mut notes: Vec<Note> = messages
        .flat_map(|(seq, message)| notes_of(seq, message))
        .collect();
    let pages = (0..).zip(pages_of(&mut notes));
    let pages = pages.map(|(number, (first_ms, last_ms, notes))| {
        let page = Page {
            extent,
            number,
            first_ms,
            last_ms,
        };
        (page, notes.to_vec())
    });
    pages.collect()
}

impl Trial {
    pub(super) fn store(&mut self, persistent: bool, count: usize) {
        self.finish();
        self.last_extent += 1;
        let extent = self.last_extent;
        let written = self.queue.unstored(persistent, 0, count, usize::MAX);
        let seqs: Vec<u64> = written.iter().map(|(seq, _)| *seq).collect();
        let pages = self.pages(extent, written.iter().map(|(seq, message)| (*seq, message)));
        self.extents.insert(extent, written.into_iter().collect());
        self.needed.insert(extent, seqs.len() as u64);
        // What happens between the writing and the telling: an acknowledgement.
        if count.is_multiple_of(3) {
            self.settle_some(&seqs);
        }
        let keep = if count.is_multiple_of(2) { 100 } else { 0 };
        for slice in seqs.chunks(7) {
            self.queue.stored(persistent, extent, slice, keep);
        }
        self.queue.paged(persistent, &pages);
        self.begin();
    }

    fn pages<'a>(
        &mut self,
        extent: u64,
        messages: impl Iterator<Item = (u64, &'a Message)>,
    ) -> Vec<(Page, Vec<Note>)> {
        let pages = pages_for(extent, messages);
        let numbered = pages.iter().map(|(page, notes)| (page.number, notes.clone()));
        self.pages.insert(extent, numbered.collect());
        pages
    }

    /// Reads pages that are wished for. Answers whether there were any.
    fn read_pages(&mut self) -> bool {
        for round in 0.. {
            assert!(round < READS_MAX, "wished for again and again");
            let Some(fetch) = self.queue.fetch_notes() else {
                return round > 0;
            };
            let pages: &BTreeMap<u64, Vec<Note>> = &self.pages[&fetch.extent];
            let found = fetch
                .numbers
                .iter()
                .map(|number| (*number, pages[number].clone()));
            let found: Vec<_> = found.collect();
            self.queue.fetched_notes(&fetch, &found, &[]);
        }
        false
    }

    /// Some of these are settled, if they are out.
    fn settle_some(&mut self, seqs: &[u64]) {
        let some: Vec<u64> = seqs.iter().copied().step_by(2).collect();
        let named = self.model.items.iter().filter(|item| some.contains(&item.seq));
        let tickets: Vec<Ticket> = named.map(|item| item.ticket()).collect();
        self.begin();
        self.settle(&tickets);
        self.finish();
    }

    /// What was read back leaves memory; what is wished for then comes later.
    pub(super) fn evict(&mut self, but: u8) {
        self.finish();
        self.queue.evict(if but.is_multiple_of(5) { 200 } else { 0 });
        self.queue.unload();
        if but.is_multiple_of(3) {
            while let Some(fetch) = self.queue.fetch(AHEAD_BYTES) {
                self.pending.push((fetch, but / 3));
            }
        }
    }

    /// What is being read comes.
    pub(super) fn answer_pending(&mut self) {
        for (fetch, but) in std::mem::take(&mut self.pending) {
            self.read(&fetch, but);
        }
    }

    /// Reads all that is wished for. Answers whether there was anything.
    pub(super) fn read_all(&mut self) -> bool {
        let has_read = self.read_pages();
        for round in 0.. {
            assert!(round < READS_MAX, "wished for again and again");
            let Some(fetch) = self.queue.fetch(AHEAD_BYTES) else {
                return has_read || round > 0;
            };
            self.read(&fetch, 0);
        }
        false
    }

    /// Reads delayed messages that are to be cancelled.
    pub(super) fn read_delayed(&mut self, seqs: &[u64]) {
        for fetch in self.queue.places_of_delayed(seqs) {
            self.read(&fetch, 0);
        }
    }

    /// As much as may be read is found, but for every n-th.
    fn read(&mut self, fetch: &Fetch, but: u8) {
        let extent = &self.extents[&fetch.stretch.extent];
        let wanted = fetch.wanted.iter().flat_map(|range| range.first..=range.last);
        let mut bytes = 0;
        let fits = wanted.map_while(|seq| {
            let message = &extent[&seq];
            let fits = bytes <= fetch.bytes_max;
            bytes += message.memory_bytes();
            fits.then(|| (seq, message.clone()))
        });
        let mut found: Vec<(u64, Message)> = fits.collect();
        assert!(!found.is_empty());
        skip(&mut found, but);
        self.queue.fetched(fetch.lane, fetch.ticket, found, &[]);
    }

    pub(super) fn relocate(&mut self, pick: u8) {
        self.finish();
        for durable in [true, false] {
            let all: Vec<_> = self.queue.chain(durable).stretches().copied().collect();
            let Some(stretch) = all.get(usize::from(pick) % all.len().max(1)) else {
                continue;
            };
            let live = self
                .queue
                .chain(durable)
                .live()
                .head(stretch.range(), u64::MAX, usize::MAX);
            let live: Vec<u64> = live
                .into_iter()
                .flat_map(|range| range.first..=range.last)
                .collect();
            self.last_extent += 1;
            let copied = Stretch {
                extent: self.last_extent,
                first: live[0],
                last: live[live.len() - 1],
                count: live.len() as u64,
                live: live.len() as u64,
            };
            let old = &self.extents[&stretch.extent];
            let copies = live.iter().map(|seq| (*seq, old[seq].clone()));
            let copies: BTreeMap<u64, Message> = copies.collect();
            let pages = self.pages(copied.extent, copies.iter().map(|(seq, message)| (*seq, message)));
            self.extents.insert(copied.extent, copies);
            self.needed.insert(copied.extent, copied.count);
            if pick.is_multiple_of(3) {
                self.settle_some(&live);
            }
            self.queue.moved(durable, stretch.extent, copied);
            self.queue.paged(durable, &pages);
        }
        self.begin();
    }

    /// Extents that nobody needs go, and those that somebody needs are there.
    pub(super) fn settle_extents(&mut self) {
        for released in self.queue.take_released() {
            let needed = self
                .needed
                .get_mut(&released.extent)
                .expect("an extent that is there");
            *needed = needed
                .checked_sub(released.count)
                .expect("released no more than it holds");
        }
        let mut live: HashMap<u64, u64> = HashMap::new();
        for durable in [true, false] {
            for stretch in self.queue.chain(durable).stretches() {
                let count = self.queue.chain(durable).live().count(stretch.range());
                assert_eq!(stretch.live, count);
                *live.entry(stretch.extent).or_default() += count;
            }
        }
        self.needed.retain(|_, needed| *needed > 0);
        assert_eq!(self.needed, live);
    }
}
