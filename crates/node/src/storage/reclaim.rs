//! Giving space back: extents that nobody needs go, and sparse ones are rewritten into one.

use super::keeper::Trouble;
use super::read::Wanted;
use super::table::Known;
use super::{Storage, notes};
use crate::node::Node;
use crate::queues::LiveQueue;
use std::sync::Arc;
use warren_broker::queue::{Note, Range, SeqSet, Stretch};
use warren_store::disk::is_shortage;
use warren_store::extent::{ExtentWriter, Head, Section};

/// Sparse extents are rewritten when there are so many. Fewer wait for others for a while, so that not each
/// of them becomes a small extent of its own.
pub(super) const SPARSE_MIN: usize = 4;

/// Messages rewritten at a time, and extents: not more than a moment's work.
const REWRITTEN_MAX: u64 = 200_000;
const REWRITTEN_EXTENTS_MAX: usize = 32;

/// A run of a queue that is to be copied.
struct Run {
    queue: Arc<LiveQueue>,
    stretch: Stretch,
    live: Vec<Range>,
}

impl Storage {
    /// Deletes extents that no checkpoint names any more.
    pub(super) fn remove_dead(&self, dead: Vec<(u64, Known)>) {
        for (extent, known) in dead {
            let removed = if known.is_damaged && known.durable {
                self.extents.set_aside(extent)
            } else {
                self.extents.remove(known.durable, extent)
            };
            if let Err(error) = removed {
                // It is found again at the next start.
                tracing::warn!(%error, extent, "an extent that is not needed cannot be removed");
            }
        }
    }

    /// Copies what is needed of sparse extents into a new one, if there are `least` of a kind. Answers
    /// whether anything was.
    pub(super) fn rewrite(
        &self,
        node: &Arc<Node>,
        sparse: &[(u64, Known)],
        least: usize,
    ) -> Result<bool, Trouble> {
        let mut is_changed = false;
        for durable in [true, false] {
            let of_kind: Vec<_> = sparse
                .iter()
                .filter(|(_, known)| known.durable == durable)
                .collect();
            let mut left = REWRITTEN_MAX;
            let mut chosen: Vec<u64> = Vec::new();
            for (extent, known) in of_kind.into_iter().take(REWRITTEN_EXTENTS_MAX) {
                if known.live > left {
                    break;
                }
                left -= known.live;
                chosen.push(*extent);
            }
            if !chosen.is_empty() && chosen.len() >= least {
                self.copy(node, durable, &chosen)?;
                is_changed = true;
            }
        }
        Ok(is_changed)
    }

    fn copy(&self, node: &Arc<Node>, durable: bool, extents: &[u64]) -> Result<(), Trouble> {
        let mut runs: Vec<Run> = Vec::new();
        for queue in node.live_queues() {
            for (stretch, live) in queue.stretches_in(durable, extents) {
                let queue = Arc::clone(&queue);
                runs.push(Run { queue, stretch, live });
            }
        }
        runs.sort_by_key(|run| (run.queue.id(), run.stretch.first));
        let mut copy = Copy {
            storage: self,
            durable,
            open: None,
        };
        for run in runs {
            if let Err(trouble) = copy.run(run) {
                if let Some(open) = copy.open.take() {
                    open.writer.abandon();
                }
                return Err(trouble);
            }
        }
        copy.finish()
    }

    /// The notes of a run's messages. `None` when something of them cannot be read.
    fn read_run_notes(&self, run: &Run, durable: bool) -> Option<Vec<Note>> {
        let extent = run.stretch.extent;
        let numbers = run.queue.pages_in(durable, extent);
        let pages = match self.read_notes(&run.queue, durable, extent, &numbers) {
            Ok(pages) if pages.len() == numbers.len() => pages,
            Err(error) if is_shortage(&error) => return None,
            _ => {
                self.table.lock().mark_damaged(extent);
                return None;
            }
        };
        let live: SeqSet = run.live.iter().copied().collect();
        let notes = pages.into_iter().flat_map(|(_, notes)| notes);
        Some(notes.filter(|note| live.contains(note.seq)).collect())
    }

    /// The messages of a run. `None` when something of it cannot be read, and so it stays where it is.
    fn read_run(&self, run: &Run, durable: bool) -> Option<Vec<(Head, Vec<u8>)>> {
        let wanted_count: u64 = run.live.iter().map(Range::len).sum();
        let first = run.live.first()?.first;
        let section = Section {
            extent: run.stretch.extent,
            owner: run.queue.id().0,
            first: run.stretch.first,
            last: run.stretch.last,
            count: run.stretch.count,
        };
        let mut found = Vec::new();
        let mut wanted = Wanted::new(&run.live);
        let read = self.extents.read(
            durable,
            &section,
            first,
            &mut |seq| wanted.contains(seq),
            &mut |message| {
                found.push((message.head, message.content.to_vec()));
                true
            },
            &mut |_, damage| tracing::error!(%damage, "damage in the store"),
        );
        match read {
            Ok(()) if found.len() as u64 == wanted_count => return Some(found),
            Err(error) if is_shortage(&error) => return None,
            _ => {}
        }
        if run.queue.has_stretch(durable, &run.stretch) {
            self.table.lock().mark_damaged(run.stretch.extent);
        }
        None
    }
}

/// An extent that copies go to, and the runs in it.
struct Open {
    writer: ExtentWriter,
    number: u64,
    copied: Vec<(Run, Stretch)>,
    /// Of each queue in it.
    notes: Vec<(Arc<LiveQueue>, Vec<Note>)>,
}

impl Open {
    /// Whether so much more of one queue has room, with the notes of all.
    fn has_room(&self, count: u64, bytes: u64, more_notes: usize) -> bool {
        let notes = self.notes.iter().map(|(_, notes)| notes.len()).sum::<usize>();
        notes::has_room(
            &self.writer,
            (count, bytes),
            notes + more_notes,
            self.notes.len() + 1,
        )
    }
}

/// Copies runs, one after the other, into as few extents as they need.
struct Copy<'a> {
    storage: &'a Storage,
    durable: bool,
    open: Option<Open>,
}

impl Copy<'_> {
    /// Copies one run, completely or not at all.
    fn run(&mut self, run: Run) -> Result<(), Trouble> {
        let Some(found) = self.storage.read_run(&run, self.durable) else {
            return Ok(());
        };
        let Some(noted) = self.storage.read_run_notes(&run, self.durable) else {
            return Ok(());
        };
        let (Some((first, _)), Some((last, _))) = (found.first(), found.last()) else {
            return Ok(());
        };
        let (first, last, count) = (first.seq, last.seq, found.len() as u64);
        let bytes: u64 = found.iter().map(|(_, content)| content.len() as u64).sum();
        let has_room = self
            .open
            .as_ref()
            .is_some_and(|open| open.has_room(count, bytes, noted.len()));
        if !has_room {
            self.finish()?;
            let (pages, notes_bytes) = notes::space_of(noted.len(), 1);
            let (number, writer) =
                self.storage
                    .new_extent(self.durable, count + pages, bytes + notes_bytes)?;
            self.open = Some(Open {
                writer,
                number,
                copied: Vec::new(),
                notes: Vec::new(),
            });
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let owner = run.queue.id();
        // Runs of one queue are one section.
        let is_same = |(last, _): &(Run, Stretch)| last.queue.id() == owner;
        if !open.copied.last().is_some_and(is_same) {
            open.writer.begin(owner.0);
            open.notes.push((Arc::clone(&run.queue), Vec::new()));
        }
        if let Some((_, notes)) = open.notes.last_mut() {
            notes.extend(noted);
        }
        for (head, content) in &found {
            open.writer.push(head, content).map_err(Trouble::write)?;
        }
        let stretch = Stretch {
            extent: open.number,
            first,
            last,
            count,
            live: count,
        };
        open.copied.push((run, stretch));
        Ok(())
    }

    /// Ends the extent; only then do the queues learn of it.
    fn finish(&mut self) -> Result<(), Trouble> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let mut pages = Vec::new();
        for (queue, notes) in open.notes {
            let written = notes::write(&mut open.writer, open.number, &queue, notes);
            pages.push((queue, written.map_err(Trouble::write)?));
        }
        open.writer.finish().map_err(Trouble::write)?;
        let count = open.copied.iter().map(|(_, stretch)| stretch.count).sum();
        self.storage.table.lock().add(open.number, self.durable, count);
        for (run, stretch) in open.copied {
            run.queue.moved(self.durable, run.stretch.extent, stretch);
        }
        for (queue, pages) in pages {
            queue.paged(self.durable, &pages);
        }
        Ok(())
    }
}
