//! Pages of notes of times, beside the messages of an extent.
//!
//! ```text
//!   section of the owner: queue's id | BESIDE        one entry for each page, its number in the place of a
//!   seq a page: count, then of each note, by rising time: kind u8 (0 expires, 1 due),
//!           time (ms) less that of the note before, seq, octets of the body
//! ```
//! Numbers are LEB128. What a page costs in an extent is reserved with the messages.

use super::Storage;
use super::numbers::{Reader, put_varint};
use crate::mailbox::Touched;
use crate::queues::LiveQueue;
use std::io;
use std::sync::Arc;
use warren_broker::queue::{Hour, NOTES_MAX, Note, NotesFetch, Page, pages_of};
use warren_store::disk::is_shortage;
use warren_store::extent::{BESIDE, ExtentWriter, Extents, Head, Section};

/// Bytes of a note, at most: a kind and three numbers.
const NOTE_BYTES_MAX: u64 = 1 + 10 + 10 + 5;

/// Bytes of what stands around a page, at most: its count, and the blocks of a section.
const PAGE_BYTES_MAX: u64 = 10;
const SECTION_BYTES_MAX: u64 = 512;

fn encode(notes: &[Note]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, notes.len() as u64);
    let mut before = 0;
    for note in notes {
        out.push(u8::from(note.hour == Hour::Due));
        put_varint(&mut out, note.at_ms - before);
        put_varint(&mut out, note.seq);
        put_varint(&mut out, u64::from(note.octets));
        before = note.at_ms;
    }
    out
}

fn decode(bytes: &[u8]) -> Option<Vec<Note>> {
    let mut reader = Reader(bytes);
    let mut notes = Vec::new();
    let mut before = 0u64;
    for _ in 0..reader.varint()? {
        let hour = match reader.byte()? {
            0 => Hour::Expires,
            1 => Hour::Due,
            _ => return None,
        };
        before = before.checked_add(reader.varint()?)?;
        notes.push(Note {
            hour,
            at_ms: before,
            seq: reader.varint()?,
            octets: u32::try_from(reader.varint()?).ok()?,
        });
    }
    Some(notes)
}

/// What so many notes of so many queues take in an extent: entries, and bytes of content, at most.
pub(super) fn space_of(notes: usize, queues: usize) -> (u64, u64) {
    if notes == 0 {
        return (0, 0);
    }
    let (notes, queues) = (notes as u64, queues as u64);
    let pages = notes / NOTES_MAX as u64 + queues;
    let bytes = notes * NOTE_BYTES_MAX + pages * PAGE_BYTES_MAX + queues * SECTION_BYTES_MAX;
    (pages, bytes)
}

/// Whether so many messages and bytes more still have room in an extent, with the notes of all its queues.
pub(super) fn has_room(
    writer: &ExtentWriter,
    (messages, bytes): (u64, u64),
    notes: usize,
    queues: usize,
) -> bool {
    let (pages, notes_bytes) = space_of(notes, queues);
    writer.has_room(messages + pages, bytes + notes_bytes)
}

/// Writes what there is to note of a queue's messages in an extent, behind all messages. Queues come by
/// rising id.
pub(super) fn write(
    writer: &mut ExtentWriter,
    extent: u64,
    queue: &LiveQueue,
    mut notes: Vec<Note>,
) -> io::Result<Vec<(Page, Vec<Note>)>> {
    let mut pages = Vec::new();
    if notes.is_empty() {
        return Ok(pages);
    }
    writer.begin(queue.id().0 | BESIDE);
    for (number, (first_ms, last_ms, notes)) in (0..).zip(pages_of(&mut notes)) {
        let head = Head {
            seq: number,
            enqueued_at_ms: first_ms,
            due_at_ms: last_ms,
            ..Head::default()
        };
        writer.push(&head, &encode(notes))?;
        let page = Page {
            extent,
            number,
            first_ms,
            last_ms,
        };
        pages.push((page, notes.to_vec()));
    }
    Ok(pages)
}

/// All pages of a section that can be read: of a queue of which nothing else tells.
pub(super) fn read_all(extents: &Extents, section: &Section) -> Vec<(Page, Vec<Note>)> {
    let mut pages = Vec::new();
    let read = extents.read(
        true,
        section,
        section.first,
        &mut |_| true,
        &mut |found| {
            let page = Page {
                extent: section.extent,
                number: found.head.seq,
                first_ms: found.head.enqueued_at_ms,
                last_ms: found.head.due_at_ms,
            };
            pages.extend(decode(found.content).map(|notes| (page, notes)));
            true
        },
        &mut |_, damage| tracing::error!(%damage, "damage in the store"),
    );
    if let Err(error) = read {
        tracing::error!(%error, extent = section.extent, "notes of times cannot be read");
    }
    pages
}

impl Storage {
    /// Reads the pages that are wished for. An error is a shortage: nothing is known then, and nothing was
    /// done.
    pub(super) fn serve_notes(&self, queue: &Arc<LiveQueue>, fetch: &NotesFetch) -> io::Result<()> {
        let found = match self.read_notes(queue, fetch.durable, fetch.extent, &fetch.numbers) {
            Ok(found) => found,
            Err(error) if is_shortage(&error) => return Err(error),
            Err(_) => Vec::new(),
        };
        let mut lost = Vec::new();
        // What was rewritten meanwhile has its pages elsewhere.
        if queue.has_extent(fetch.durable, fetch.extent) {
            let is_lost = |number: &&u64| !found.iter().any(|(other, _)| other == *number);
            lost.extend(fetch.numbers.iter().filter(is_lost));
        }
        if !lost.is_empty() {
            self.table.lock().mark_damaged(fetch.extent);
            let (extent, lost) = (fetch.extent, lost.len());
            let name = &queue.declared().name;
            tracing::error!(queue = %name, extent, lost, "pages of notes of times cannot be read");
        }
        let mut touched = Touched::default();
        queue.fetched_notes(fetch, &found, &lost, &mut touched);
        touched.wake_all();
        Ok(())
    }

    /// Reads some pages, rising; what cannot be read is left out.
    pub(super) fn read_notes(
        &self,
        queue: &LiveQueue,
        durable: bool,
        extent: u64,
        numbers: &[u64],
    ) -> io::Result<Vec<(u64, Vec<Note>)>> {
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
            return Ok(Vec::new());
        };
        let section = Section {
            extent,
            owner: queue.id().0 | BESIDE,
            first: *first,
            last: *last,
            count: numbers.len() as u64,
        };
        let mut found = Vec::new();
        self.extents.read(
            durable,
            &section,
            *first,
            &mut |number| numbers.binary_search(&number).is_ok(),
            &mut |page| {
                found.extend(decode(page.content).map(|notes| (page.head.seq, notes)));
                true
            },
            &mut |_, damage| tracing::error!(%damage, "damage in the store"),
        )?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_page_comes_back_and_fits_what_was_reserved(
            notes in proptest::collection::vec(any::<(bool, u64, u64, u32)>(), 1..40),
        ) {
            let mut notes: Vec<Note> = notes
                .into_iter()
                .map(|(is_due, at_ms, seq, octets)| Note {
                    hour: if is_due { Hour::Due } else { Hour::Expires },
                    at_ms,
                    seq,
                    octets,
                })
                .collect();
            let count = notes.len();
            for (first, last, page) in pages_of(&mut notes) {
                let bytes = encode(page);
                prop_assert!(bytes.len() as u64 <= space_of(count, 1).1);
                prop_assert_eq!(decode(&bytes).unwrap(), page);
                prop_assert_eq!((first, last), (page[0].at_ms, page[page.len() - 1].at_ms));
                for cut in 0..bytes.len() {
                    prop_assert!(decode(&bytes[..cut]).is_none());
                }
            }
        }
    }
}
