//! Writing messages to extents: out of memory, and out of the log.

use super::keeper::Trouble;
use super::{ANNOTATED, PRIORITY, TRANSIENT};
use super::{Storage, notes};
use crate::node::Node;
use crate::queues::LiveQueue;
use std::sync::Arc;
use warren_broker::message::Message;
use warren_broker::queue::{Note, notes_of};
use warren_store::extent::{ExtentWriter, Head};

/// Messages taken from a queue under its lock at a time.
const TAKEN_MESSAGES_MAX: usize = 4096;
const TAKEN_BYTES_MAX: usize = 1024 * 1024;

/// What of a queue is in an extent.
struct Written {
    queue: Arc<LiveQueue>,
    seqs: Vec<u64>,
    /// To be written behind all messages.
    notes: Vec<Note>,
}

/// An extent being written, and whose messages are in it.
struct Open {
    writer: ExtentWriter,
    number: u64,
    written: Vec<Written>,
}

impl Open {
    /// Whether so much more of one queue has room, with the notes of all.
    fn has_room(&self, count: u64, bytes: u64, more_notes: usize) -> bool {
        let notes = self
            .written
            .iter()
            .map(|written| written.notes.len())
            .sum::<usize>();
        notes::has_room(
            &self.writer,
            (count, bytes),
            notes + more_notes,
            self.written.len() + 1,
        )
    }
}

/// Writes the messages of some queues to extents.
pub(super) struct Flush<'a> {
    storage: &'a Storage,
    node: &'a Node,
    /// Persistent messages of durable queues, into extents that last; or all others.
    durable: bool,
    /// Consumers keep in memory what they will get next.
    keeps: bool,
    open: Option<Open>,
}

impl<'a> Flush<'a> {
    pub(super) fn new(storage: &'a Storage, node: &'a Node, durable: bool, keeps: bool) -> Self {
        Self {
            storage,
            node,
            durable,
            keeps,
            open: None,
        }
    }

    /// Writes what the queues hold, queue by queue. They come by rising id.
    pub(super) fn run(mut self, queues: &[Arc<LiveQueue>]) -> Result<(), Trouble> {
        for queue in queues {
            if let Err(trouble) = self.queue(queue) {
                if let Some(open) = self.open.take() {
                    open.writer.abandon();
                }
                return Err(trouble);
            }
        }
        self.finish()
    }

    fn queue(&mut self, queue: &Arc<LiveQueue>) -> Result<(), Trouble> {
        let mut from = 0;
        let mut is_begun = false;
        // What comes meanwhile is for the next time.
        let until = queue.next_seq();
        while from < until {
            let taken = queue.unstored(self.durable, from, TAKEN_MESSAGES_MAX, TAKEN_BYTES_MAX);
            let Some((last, _)) = taken.last() else {
                return Ok(());
            };
            from = last + 1;
            let bytes: u64 = taken
                .iter()
                .map(|(_, message)| message.stored().len() as u64)
                .sum();
            let count = taken.len() as u64;
            let noted = taken.iter().flat_map(|(seq, message)| notes_of(*seq, message));
            let noted: Vec<Note> = noted.collect();
            let has_room = self
                .open
                .as_ref()
                .is_some_and(|open| open.has_room(count, bytes, noted.len()));
            if !has_room {
                self.finish()?;
                let (pages, notes_bytes) = notes::space_of(noted.len(), 1);
                self.begin(count + pages, bytes + notes_bytes)?;
                is_begun = false;
            }
            let Some(open) = &mut self.open else { return Ok(()) };
            if !is_begun {
                open.writer.begin(queue.id().0);
                open.written.push(Written {
                    queue: Arc::clone(queue),
                    seqs: Vec::new(),
                    notes: Vec::new(),
                });
                is_begun = true;
            }
            for (seq, message) in &taken {
                let pushed = open.writer.push(&head(*seq, message), message.stored());
                pushed.map_err(Trouble::write)?;
            }
            if let Some(written) = open.written.last_mut() {
                written.seqs.extend(taken.iter().map(|(seq, _)| *seq));
                written.notes.extend(noted);
            }
        }
        Ok(())
    }

    fn begin(&mut self, count: u64, bytes: u64) -> Result<(), Trouble> {
        let (number, writer) = self.storage.new_extent(self.durable, count, bytes)?;
        let written = Vec::new();
        self.open = Some(Open {
            writer,
            number,
            written,
        });
        Ok(())
    }

    /// Ends the extent; only then do its queues learn of it.
    fn finish(&mut self) -> Result<(), Trouble> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let mut pages = Vec::new();
        for Written { queue, notes, .. } in &mut open.written {
            let notes = std::mem::take(notes);
            let written = notes::write(&mut open.writer, open.number, queue, notes);
            pages.push(written.map_err(Trouble::write)?);
        }
        open.writer.finish().map_err(Trouble::write)?;
        let count: usize = open.written.iter().map(|written| written.seqs.len()).sum();
        let mut table = self.storage.table.lock();
        table.add(open.number, self.durable, count as u64);
        drop(table);
        for (Written { queue, seqs, .. }, pages) in open.written.iter().zip(pages) {
            for slice in seqs.chunks(TAKEN_MESSAGES_MAX) {
                queue.stored(self.durable, open.number, slice, self.keeps);
            }
            queue.paged(self.durable, &pages);
        }
        // There is more room already, long before all is written.
        self.node.spread_room();
        Ok(())
    }
}

/// What an extent keeps of a message beside its bytes.
fn head(seq: u64, message: &Message) -> Head {
    let envelope = message.envelope();
    let mut flags = 0;
    if !envelope.persistent {
        flags |= TRANSIENT;
    }
    if message.is_annotated() {
        flags |= ANNOTATED;
    }
    if envelope.has_priority {
        flags |= PRIORITY;
    }
    Head {
        seq,
        enqueued_at_ms: envelope.published_ms,
        due_at_ms: message.due_ms().unwrap_or(0),
        properties_bytes: envelope.properties_bytes,
        exchange_bytes: envelope.exchange_bytes,
        key_bytes: envelope.key_bytes,
        priority: envelope.priority,
        flags,
        delivery_count: 0,
    }
}

impl Storage {
    /// A new extent with room for so many messages at least.
    pub(super) fn new_extent(
        &self,
        durable: bool,
        messages: u64,
        bytes: u64,
    ) -> Result<(u64, ExtentWriter), Trouble> {
        let number = self.table.lock().next();
        let least = ExtentWriter::space_bytes(1, messages, bytes);
        let space = self.options.extent_bytes.max(least);
        let disk = Arc::clone(&self.disk);
        let writer = ExtentWriter::create(disk, number, durable, space).map_err(Trouble::Space)?;
        Ok((number, writer))
    }
}
