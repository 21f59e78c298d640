//! Notes of times that stand in extents, beside the messages that they are about.
//!
//! ```text
//!   notes of an extent, by time:   ├─ page ─┤├─ page ─┤├─ page ─┤
//!                                     read      near      unread: only where it is, and its first hour, are
//!                                                                 in memory
//! ```
//!
//! So messages with times of their own, however many there are, cost memory only when their time is near.
//! What a page says of a message that is done with means nothing: a page is never changed, and stays as long
//! as its extent.

use super::Queue;
use super::extras::Extras;
use super::stored::Shelf;
use super::times::{Hour, Note, Times, delayed_until, own_expiry_ms};
use crate::message::Message;
use std::collections::{BTreeMap, BTreeSet};

/// Notes in a page, at most.
pub const NOTES_MAX: usize = if cfg!(test) { 4 } else { 512 };

/// Pages asked for at a time.
const FETCHED_MAX: usize = 64;

/// A page is read so long before its first hour, in milliseconds: before messages are that are due then.
const AHEAD_MS: u64 = if cfg!(test) { 20 } else { 4_000 };

/// Where a page of notes stands, and which times are in it, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The extent's number.
    pub extent: u64,
    /// Its place among the queue's pages in the extent.
    pub number: u64,
    /// The first time.
    pub first_ms: u64,
    /// The last time.
    pub last_ms: u64,
}

/// A wish to have pages read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotesFetch {
    /// Names the wish in the answer.
    pub ticket: u64,
    /// From an extent that lasts.
    pub durable: bool,
    /// The extent's number.
    pub extent: u64,
    /// Which pages of the queue, rising.
    pub numbers: Vec<u64>,
}

/// The notes to be kept of a message that goes to an extent. What they say is for the queue to see: a
/// message that was delayed and no longer is has a note of when it was due all the same.
pub fn notes_of(seq: u64, message: &Message) -> impl Iterator<Item = Note> {
    let octets = message.envelope().body_bytes;
    let due = delayed_until(message).map(|due| (Hour::Due, due));
    let expiry = own_expiry_ms(message).map(|expiry| (Hour::Expires, expiry));
    due.into_iter().chain(expiry).map(move |(hour, at_ms)| Note {
        hour,
        at_ms,
        seq,
        octets,
    })
}

/// Notes as pages, by rising time, with the first and the last time of each.
pub fn pages_of(notes: &mut [Note]) -> impl Iterator<Item = (u64, u64, &[Note])> {
    notes.sort_unstable_by_key(|note| (note.at_ms, note.seq, note.hour as u8));
    notes.chunks(NOTES_MAX).filter_map(|notes| {
        let (first, last) = (notes.first()?.at_ms, notes.last()?.at_ms);
        Some((first, last, notes))
    })
}

/// Where a page stands: in which of the two chains, extent and number.
type Place = (bool, u64, u64);

/// First and last time of a page.
type Span = (u64, u64);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// By their first times. With each the last.
    unread: BTreeMap<(u64, Place), u64>,
    /// To be read, or being read.
    wanted: BTreeMap<Place, Span>,
    /// Their notes are in memory, or were. They are kept for checkpoints.
    read: BTreeMap<Place, Span>,
    /// Pages that begin before this time are read, or wanted.
    read_until_ms: u64,
    /// No page that was read has a later time.
    covered_ms: u64,
    last_ticket: u64,
    is_fetching: bool,
}

impl Pages {
    /// When a page is to be read.
    pub(super) fn next(&self) -> Option<u64> {
        let ((first, _), _) = self.unread.first_key_value()?;
        Some(first.saturating_sub(AHEAD_MS))
    }

    /// Whether a note of a message in an extent is in no page that was read: then it need not be in memory.
    pub(super) fn is_beyond(&self, at_ms: u64) -> bool {
        at_ms > self.covered_ms
    }

    /// Pages whose first time is near are to be read.
    pub(super) fn look_ahead(&mut self, now_ms: u64) {
        let until = now_ms.saturating_add(AHEAD_MS + 1);
        self.read_until_ms = self.read_until_ms.max(until);
        while let Some(first) = self.unread.first_entry()
            && first.key().0 < until
        {
            let ((first_ms, place), last_ms) = first.remove_entry();
            self.wanted.insert(place, (first_ms, last_ms));
        }
    }

    fn add(&mut self, durable: bool, page: &Page) {
        let place = (durable, page.extent, page.number);
        self.unread.insert((page.first_ms, place), page.last_ms);
    }

    fn note_read(&mut self, place: Place, span: Span) {
        self.covered_ms = self.covered_ms.max(span.1);
        self.read.insert(place, span);
    }

    /// What is to be read next, if nothing is being read.
    fn fetch(&mut self, stored: &Shelf) -> Option<NotesFetch> {
        while !self.is_fetching
            && let Some(((durable, extent, _), _)) = self.wanted.first_key_value()
        {
            let (durable, extent) = (*durable, *extent);
            let all = (durable, extent, 0)..=(durable, extent, u64::MAX);
            if !stored.get(durable).has(extent) {
                while let Some((place, _)) = self.wanted.range(all.clone()).next() {
                    let place = *place;
                    self.wanted.remove(&place);
                }
                continue;
            }
            let numbers = self.wanted.range(all).take(FETCHED_MAX);
            let numbers = numbers.map(|((.., number), _)| *number).collect();
            self.is_fetching = true;
            self.last_ticket += 1;
            return Some(NotesFetch {
                ticket: self.last_ticket,
                durable,
                extent,
                numbers,
            });
        }
        None
    }

    /// Forgets pages of extents of which nothing is needed.
    pub(super) fn prune(&mut self, stored: &Shelf) {
        let of = |durable| -> BTreeSet<u64> {
            let stretches = stored.get(durable).stretches();
            stretches.map(|stretch| stretch.extent).collect()
        };
        let there = [of(false), of(true)];
        let is_there = |(durable, extent, _): &Place| {
            let [transient, lasting] = &there;
            if *durable { lasting } else { transient }.contains(extent)
        };
        self.unread.retain(|(_, place), _| is_there(place));
        self.wanted.retain(|place, _| is_there(place));
        self.read.retain(|place, _| is_there(place));
    }

    /// Numbers of the pages in an extent, rising.
    fn of(&self, durable: bool, extent: u64) -> Vec<u64> {
        let unread = self.unread.keys().map(|(_, place)| place);
        let others = self.wanted.keys().chain(self.read.keys());
        let all = unread
            .chain(others)
            .filter(|place| (place.0, place.1) == (durable, extent));
        let mut numbers: Vec<u64> = all.map(|(.., number)| *number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// All pages that last.
    fn all(&self) -> Vec<Page> {
        let unread = self.unread.iter();
        let unread = unread.map(|((first, place), last)| (*place, (*first, *last)));
        let others = self.wanted.iter().chain(&self.read);
        let others = others.map(|(place, span)| (*place, *span));
        let lasting = unread.chain(others).filter(|((durable, ..), _)| *durable);
        lasting
            .map(|((_, extent, number), (first_ms, last_ms))| Page {
                extent,
                number,
                first_ms,
                last_ms,
            })
            .collect()
    }
}

impl Times {
    /// A note that a page holds leaves memory.
    fn drop_note(&mut self, note: &Note) {
        match note.hour {
            Hour::Due => self.drop_due(note.at_ms, note.seq),
            Hour::Expires | Hour::Rested => self.drop_expiry_at(note.at_ms, note.seq),
        }
    }
}

impl Queue {
    /// Messages that [`Queue::stored`] or [`Queue::moved`] was told of have notes in these pages of their
    /// extent: what is far off leaves memory.
    pub fn paged(&mut self, durable: bool, pages: &[(Page, Vec<Note>)]) {
        let mut has_dropped = false;
        for (page, notes) in pages {
            if !self.stored.get(durable).has(page.extent) {
                continue;
            }
            let times = &mut self.extras.get_or_insert_default().times;
            if page.first_ms < times.pages.read_until_ms {
                let place = (durable, page.extent, page.number);
                times.pages.note_read(place, (page.first_ms, page.last_ms));
                // Those of copies were perhaps not in memory so far.
                self.take_notes(notes);
            } else {
                times.pages.add(durable, page);
                notes.iter().for_each(|note| times.drop_note(note));
                has_dropped |= notes.iter().any(|note| note.hour == Hour::Expires);
            }
        }
        if has_dropped {
            self.note_front();
        }
    }

    /// Which pages of notes are to be read now. To be answered by [`Queue::fetched_notes`].
    pub fn fetch_notes(&mut self) -> Option<NotesFetch> {
        let extras = self.extras.as_mut()?;
        extras.times.pages.fetch(&self.stored)
    }

    /// Pages were read, each by its number. What of the wish is in neither list is asked for again, if its
    /// extent is still there. Of a page that is lost, the messages themselves tell: those that are delayed
    /// are read at once, and others expire when they are read.
    pub fn fetched_notes(&mut self, fetch: &NotesFetch, found: &[(u64, Vec<Note>)], lost: &[u64]) {
        let Some(extras) = &mut self.extras else { return };
        let pages = &mut extras.times.pages;
        if fetch.ticket == pages.last_ticket {
            pages.is_fetching = false;
        }
        for number in found.iter().map(|(number, _)| number).chain(lost) {
            let place = (fetch.durable, fetch.extent, *number);
            if let Some(span) = pages.wanted.remove(&place) {
                pages.note_read(place, span);
            }
        }
        if !lost.is_empty() {
            let stretches = self.stored.get(fetch.durable).stretches();
            for stretch in stretches.filter(|stretch| stretch.extent == fetch.extent) {
                extras.times.want_all(stretch.range());
            }
        }
        for (_, notes) in found {
            self.take_notes(notes);
        }
    }

    /// Notes of a page are in memory from now on, as far as they still mean anything.
    fn take_notes(&mut self, notes: &[Note]) {
        let Some(extras) = &mut self.extras else { return };
        for note in notes {
            let Note {
                at_ms, seq, octets, ..
            } = *note;
            let is_delayed = extras.times.delayed.contains(seq);
            match note.hour {
                Hour::Due if is_delayed => extras.times.take_due(seq, at_ms, octets),
                Hour::Expires if !is_delayed && self.stored.is_live(seq) => {
                    let is_lent = self.unsettled.find(seq).is_some()
                        || extras.times.resting.contains_key(&seq)
                        || extras.leaving.gone.find(seq).is_some();
                    extras.times.take_expiry(seq, at_ms, octets, is_lent);
                }
                _ => {}
            }
        }
    }

    /// What is in memory and in an extent expires in time, whether or not its page was read.
    fn note_front(&mut self) {
        let Some(mut extras) = self.extras.take() else {
            return;
        };
        let Extras { levels, times, .. } = &mut *extras;
        let lanes = levels.iter().map(|(_, lane)| lane);
        for lane in std::iter::once(&self.lane)
            .chain(lanes)
            .filter(|lane| !lane.ahead.is_bare())
        {
            for (seq, entry) in lane.ahead.front.iter() {
                times.note_expiry(seq, &entry.message);
            }
        }
        self.extras = Some(extras);
    }

    /// All pages that last.
    pub(super) fn all_pages(&self) -> Vec<Page> {
        let mut all = self
            .extras
            .as_ref()
            .map_or_else(Vec::new, |extras| extras.times.pages.all());
        all.retain(|page| self.stored.get(true).has(page.extent));
        all
    }

    /// Pages that last, from a checkpoint.
    pub(super) fn restore_pages(&mut self, pages: &[Page]) {
        for page in pages.iter().filter(|page| self.stored.get(true).has(page.extent)) {
            self.extras.get_or_insert_default().times.pages.add(true, page);
        }
    }

    /// Numbers of pages in an extent, rising.
    pub fn pages_in(&self, durable: bool, extent: u64) -> Vec<u64> {
        let Some(extras) = &self.extras else {
            return Vec::new();
        };
        extras.times.pages.of(durable, extent)
    }
}
