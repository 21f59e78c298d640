//! Keeping house: memory within its budget, the log within its bounds, no extent that nobody needs.

use super::Storage;
use super::flush::Flush;
use super::pacing::Pacing;
use super::reclaim::SPARSE_MIN;
use crate::node::Node;
use crate::queues::LiveQueue;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use warren_store::{Log, Poisoned, Position};

/// How often the keeper looks without being called.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often it sees, meanwhile, how far the next file of the log is to be made.
const PREPARE_EVERY: Duration = Duration::from_millis(10);

/// How soon it looks again while memory is over its budget.
const LOOK_AT_ONCE: Duration = Duration::from_millis(2);

/// How soon it looks again while memory is over its budget, and nothing could be written or dropped.
const LOOK_SOON: Duration = Duration::from_millis(10);

/// How soon it looks again while the disk is full.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How often queues give back memory that they do not use.
const UNLOAD_EVERY: Duration = Duration::from_secs(10);

/// The file that gives its space to a checkpoint when the disk is full, and its size at least.
const BALLAST: &str = "ballast";
const BALLAST_BYTES_MIN: u64 = 1024 * 1024;

/// An extent is rewritten when less than so many per cent of it is needed.
const SPARSE_PERCENT: u64 = 25;

/// A checkpoint is due when the log grew by so many parts of what it may hold.
const CHECKPOINTS_PER_LOG: u64 = 8;

/// Messages in the older part of the log go to extents when it is so full, in per cent.
const LOG_FULL_PERCENT: u32 = 50;

/// What the keeper remembers from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// The log's end at the last checkpoint.
    checkpoint_at: Position,
    checkpoint_bytes: u64,
    checkpoint_time: Option<Instant>,
    /// Something was moved, so that a checkpoint gives space free.
    is_due: bool,
    /// Size of the ballast.
    ballast_bytes: u64,
    /// When queues were last asked to give back memory.
    unloaded_time: Option<Instant>,
    /// The last look at memory made room.
    has_freed: bool,
    /// A spare file of the log is being made.
    makes_spare: bool,
    /// When sparse extents were last rewritten.
    rewritten_time: Option<Instant>,
    pacing: Pacing,
}

/// What a look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All is well.
    Done,
    /// There is no space.
    Full,
}

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No space: to be tried again.
    Space(io::Error),
    /// The disk is not to be believed.
    Poison(Poisoned),
}

impl Trouble {
    pub(super) fn write(error: io::Error) -> Self {
        Self::Poison(Poisoned {
            what: "write to",
            file: "an extent".to_owned(),
            error: error.to_string(),
        })
    }
}

impl From<Poisoned> for Trouble {
    fn from(poisoned: Poisoned) -> Self {
        Self::Poison(poisoned)
    }
}

impl Storage {
    /// Starts the threads of a node's storage.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(self: &Arc<Self>, node: &Arc<Node>) -> io::Result<Vec<std::thread::JoinHandle<()>>> {
        self.has_threads.store(true, Ordering::Release);
        let thread = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run)
        };
        let (storage, failing) = (Arc::clone(self), Arc::clone(node));
        let commit = thread(
            "log",
            Box::new(move || {
                if let Err(poisoned) = storage.wal.run() {
                    failing.log_failed(&poisoned);
                }
            }),
        )?;
        let storage = Arc::clone(self);
        let read = thread("read", Box::new(move || storage.read_always()))?;
        let (storage, node) = (Arc::clone(self), Arc::clone(node));
        let keep = thread("keeper", Box::new(move || storage.keep_always(&node)))?;
        Ok(vec![commit, read, keep])
    }

    /// Stops in an orderly way: threads end, and the log is closed behind a last checkpoint.
    pub(crate) fn stop(&self, node: &Arc<Node>) -> Result<(), Poisoned> {
        self.is_closing.store(true, Ordering::Release);
        {
            // Whoever is about to wait for a fetch has seen that it closes, or is woken.
            let _fetches = self.fetches.lock();
            self.has_fetch.notify_all();
        }
        self.bell.ring();
        let mut keeping = self.keeping.lock();
        match self.make_checkpoint(node, &mut keeping) {
            Ok(()) => {}
            // The log has it all.
            Err(Trouble::Space(error)) => tracing::warn!(%error, "no space for a checkpoint at the end"),
            Err(Trouble::Poison(poisoned)) => return Err(self.wal.poison(poisoned)),
        }
        // What the log still has to take comes before a checkpoint that there may be later.
        self.wal.close(|| self.disk.remove(BALLAST).is_ok())
    }

    fn keep_always(&self, node: &Arc<Node>) {
        while !self.is_closing.load(Ordering::Acquire) {
            let wait = match self.keep(node) {
                // Whoever fills memory is faster: go on, but not at once: there may be nothing to write.
                Ok(Step::Done) if self.lets_wait.load(Ordering::Relaxed) => LOOK_AT_ONCE,
                Ok(Step::Done) if node.memory().queues_bytes() > self.options.recent_bytes => {
                    let has_freed = self.keeping.lock().has_freed;
                    if has_freed { LOOK_AT_ONCE } else { LOOK_SOON }
                }
                Ok(Step::Done) => LOOK_EVERY,
                Ok(Step::Full) => LOOK_AGAIN,
                Err(_) => return,
            };
            self.rest(wait);
        }
    }

    /// Waits until the bell is rung, or for some time. The next file of the log is made meanwhile: little by
    /// little, so that no commit has to wait for long.
    fn rest(&self, wait: Duration) {
        let end = Instant::now() + wait;
        let mut makes_spare = self.keeping.lock().makes_spare;
        while self.wal.is_preparing() || makes_spare {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.bell.wait(left.min(PREPARE_EVERY)) {
                return;
            }
            // Of what goes wrong the next look says what is to be said.
            if self.wal.is_preparing() {
                if self.wal.prepare().is_err() {
                    break;
                }
            } else {
                makes_spare = self.wal.prepare_spare().unwrap_or(false);
            }
        }
        self.bell.wait(end.saturating_duration_since(Instant::now()));
    }

    /// Looks once after everything.
    ///
    /// # Errors
    /// The disk is not to be believed: the log is poisoned, and all that is said of it.
    pub(crate) fn keep(&self, node: &Arc<Node>) -> Result<Step, Poisoned> {
        let mut keeping = self.keeping.lock();
        let outcome = match self.wal.poisoned() {
            // Nothing is written any more.
            Some(poisoned) => Err(Trouble::Poison(poisoned)),
            None => self.look(node, &mut keeping),
        };
        let step = match outcome {
            Ok(()) => {
                self.is_full.store(false, Ordering::Relaxed);
                Step::Done
            }
            Err(Trouble::Space(error)) => {
                if !self.is_full.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "no file can be made on the disk: publishers wait");
                }
                Step::Full
            }
            Err(Trouble::Poison(poisoned)) => {
                self.wal.poison(poisoned.clone());
                node.log_failed(&poisoned);
                return Err(poisoned);
            }
        };
        drop(keeping);
        node.spread_room();
        node.spread_disk_alarm();
        Ok(step)
    }

    fn look(&self, node: &Arc<Node>, keeping: &mut Keeping) -> Result<(), Trouble> {
        self.look_at_space();
        for damage in self.extents.take_repaired() {
            tracing::warn!(%damage, "damage in the store that costs nothing");
        }
        self.unload(node, keeping);
        if !self.is_full.load(Ordering::Relaxed) {
            self.take_ballast(keeping);
        }
        self.free_a_file(node, keeping)?;
        let mut prepared = self.wal.prepare();
        // The log's own limit: what stands in it has to go to extents, all of it.
        let is_log_full = matches!(&prepared, Err(error) if error.kind() == io::ErrorKind::QuotaExceeded);
        let flushed = self
            .flush_memory(node, keeping)
            .and_then(|()| self.flush_log(node, keeping, is_log_full));
        let reclaimed = match &flushed {
            Ok(()) => self.reclaim(node, keeping),
            Err(_) => Ok(()),
        };
        // Whatever there was no space for: a checkpoint may give some free.
        let is_short = prepared.is_err() || flushed.is_err() || reclaimed.is_err();
        if self.wants_checkpoint(keeping) || is_short {
            self.make_checkpoint(node, keeping)?;
            if prepared.is_err() {
                prepared = self.wal.prepare();
            }
        }
        if let Some(poisoned) = self.wal.poisoned() {
            return Err(Trouble::Poison(poisoned));
        }
        prepared.map_err(Trouble::Space)?;
        flushed?;
        reclaimed?;
        keeping.makes_spare = self.has_plenty_of_space() && self.wal.prepare_spare()?;
        Ok(())
    }

    /// A checkpoint may give a file of the log free, to be the next: which costs less than to make one.
    fn free_a_file(&self, node: &Arc<Node>, keeping: &mut Keeping) -> Result<(), Trouble> {
        let Some(began) = self.wal.last_file() else {
            return Ok(());
        };
        let grown = began.0.saturating_sub(keeping.checkpoint_at.0);
        if grown == 0 || grown < keeping.checkpoint_bytes * 4 {
            return Ok(());
        }
        match self.make_checkpoint(node, keeping) {
            // It is tried again with what else there is no space for.
            Err(Trouble::Space(_)) | Ok(()) => Ok(()),
            poison => poison,
        }
    }

    fn has_plenty_of_space(&self) -> bool {
        let log_bytes = self.options.log.log_bytes_max.saturating_mul(2);
        let wanted = self.options.disk_free_limit.saturating_add(log_bytes);
        !self.is_full.load(Ordering::Relaxed) && self.disk.free_bytes().is_ok_and(|free| free > wanted)
    }

    fn unload(&self, node: &Arc<Node>, keeping: &mut Keeping) {
        let is_due = keeping
            .unloaded_time
            .is_none_or(|time| time.elapsed() >= UNLOAD_EVERY);
        if is_due {
            node.live_queues().iter().for_each(|queue| queue.unload());
            keeping.unloaded_time = Some(Instant::now());
        }
    }

    fn look_at_space(&self) {
        let limit = self.options.disk_free_limit;
        // A disk that does not tell is not held against anybody.
        if let Ok(free) = self.disk.free_bytes() {
            let is_low = free < limit;
            if self.is_low.swap(is_low, Ordering::Relaxed) != is_low && is_low {
                tracing::warn!(free, limit, "less disk space than disk_free_limit is free");
            }
        }
    }

    /// Brings memory back to half of its budget.
    fn flush_memory(&self, node: &Arc<Node>, keeping: &mut Keeping) -> Result<(), Trouble> {
        let (held, budget) = (node.memory().queues_bytes(), self.options.recent_bytes);
        let fetched = self.fetched_bytes.load(Ordering::Relaxed);
        // Without threads there is no time in which consumers could be fast.
        let lets_wait = self.has_threads.load(Ordering::Relaxed)
            && keeping.pacing.look(held, fetched, budget, Instant::now());
        self.lets_wait.store(lets_wait, Ordering::Relaxed);
        if held <= budget || lets_wait {
            return Ok(());
        }
        let wanted = held - budget / 2;
        let is_urgent = held > budget * 3 / 2;
        let mut queues: Vec<_> = node
            .live_queues()
            .into_iter()
            .map(|queue| (queue.unstored_bytes() as u64, queue))
            .filter(|(bytes, _)| *bytes > 0)
            .collect();
        queues.sort_unstable_by_key(|(bytes, queue)| (std::cmp::Reverse(*bytes), queue.id()));
        let mut sum = 0;
        let enough = queues
            .iter()
            .take_while(|(bytes, _)| {
                let is_needed = sum < wanted;
                sum += bytes;
                is_needed
            })
            .count();
        queues.truncate(enough);
        let mut queues: Vec<_> = queues.into_iter().map(|(_, queue)| queue).collect();
        queues.sort_unstable_by_key(|queue| queue.id());
        let has_flushed = !queues.is_empty();
        if has_flushed {
            self.flush(node, &queues, true, !is_urgent)?;
            keeping.is_due = true;
        }
        if sum < wanted {
            // What was read ahead is all that is left to drop.
            node.live_queues().iter().for_each(LiveQueue::evict);
        }
        keeping.has_freed = has_flushed || node.memory().queues_bytes() < held;
        node.spread_alarms();
        Ok(())
    }

    /// Writes what stands in the older half of the log, or in all of it, to extents, so that its files can
    /// be used again.
    fn flush_log(&self, node: &Arc<Node>, keeping: &mut Keeping, all: bool) -> Result<(), Trouble> {
        if !all && self.wal.used_percent() < LOG_FULL_PERCENT {
            return Ok(());
        }
        let mut queues: Vec<_> = node
            .live_queues()
            .into_iter()
            .filter_map(|queue| Some((queue.log_floor()?, queue)))
            .collect();
        let end = self.wal.appended().0;
        let oldest = queues.iter().map(|(floor, _)| floor.0).min().unwrap_or(end);
        let middle = oldest + (end - oldest.min(end)) / 2;
        queues.retain(|(floor, _)| all || floor.0 <= middle);
        queues.sort_unstable_by_key(|(_, queue)| queue.id());
        let queues: Vec<_> = queues.into_iter().map(|(_, queue)| queue).collect();
        self.flush(node, &queues, false, true)?;
        keeping.is_due = true;
        Ok(())
    }

    fn flush(
        &self,
        node: &Node,
        queues: &[Arc<LiveQueue>],
        with_transient: bool,
        keeps: bool,
    ) -> Result<(), Trouble> {
        Flush::new(self, node, true, keeps).run(queues)?;
        if with_transient {
            Flush::new(self, node, false, keeps).run(queues)?;
        }
        Ok(())
    }

    fn wants_checkpoint(&self, keeping: &Keeping) -> bool {
        let grown = self.wal.appended().0 - keeping.checkpoint_at.0.min(self.wal.appended().0);
        let step = self.options.log.log_bytes_max / CHECKPOINTS_PER_LOG;
        // A checkpoint that is large is not made all the time.
        if grown >= step.max(keeping.checkpoint_bytes * 4).min(step * 4) {
            return true;
        }
        if keeping.is_due && self.wal.used_percent() >= LOG_FULL_PERCENT {
            return true;
        }
        let is_time = keeping
            .checkpoint_time
            .is_none_or(|time| time.elapsed() >= self.options.checkpoint_every);
        is_time && (keeping.is_due || self.table.lock().has_dead())
    }

    /// Makes a checkpoint, and gives free what is no longer needed then.
    pub(super) fn make_checkpoint(&self, node: &Arc<Node>, keeping: &mut Keeping) -> Result<(), Trouble> {
        // Extents that die from here on are still named by this checkpoint.
        let dead = self.table.lock().take_dead();
        let made = self.checkpoint(node).or_else(|trouble| match trouble {
            // A full disk: the ballast makes room for this one, and what it frees for the next ballast. For
            // a file that the log waits for it is too small.
            Trouble::Space(_) if !self.wal.waits_for_space() && self.disk.remove(BALLAST).is_ok() => {
                keeping.ballast_bytes = 0;
                self.checkpoint(node)
            }
            other => Err(other),
        });
        let made = match made {
            Ok(made) => made,
            Err(trouble) => {
                self.table.lock().put_back(dead);
                return Err(trouble);
            }
        };
        keeping.checkpoint_at = made.at;
        keeping.checkpoint_bytes = made.bytes;
        keeping.checkpoint_time = Some(Instant::now());
        keeping.is_due = false;
        self.wal.trim(made.needed_from);
        let step = self.options.log.log_bytes_max / CHECKPOINTS_PER_LOG;
        self.ring_at.store(made.at.0 + step, Ordering::Relaxed);
        self.remove_dead(dead);
        Ok(())
    }

    /// Keeps space by for a checkpoint at a time when there is none.
    fn take_ballast(&self, keeping: &mut Keeping) {
        let wanted = BALLAST_BYTES_MIN.max(keeping.checkpoint_bytes * 3);
        if keeping.ballast_bytes >= wanted {
            return;
        }
        // One of an earlier run may have any size.
        let _ = self.disk.remove(BALLAST);
        // Without space there is no ballast now: it is tried again after the next checkpoint.
        keeping.ballast_bytes = self.disk.create(BALLAST, wanted).map_or(0, |_| wanted);
    }

    fn reclaim(&self, node: &Arc<Node>, keeping: &mut Keeping) -> Result<(), Trouble> {
        let sparse = self.table.lock().sparse(SPARSE_PERCENT);
        if sparse.is_empty() {
            return Ok(());
        }
        let has_waited = keeping
            .rewritten_time
            .is_none_or(|time| time.elapsed() >= self.options.rewrite_every);
        let least = if has_waited { 1 } else { SPARSE_MIN };
        if self.rewrite(node, &sparse, least)? {
            keeping.is_due = true;
            keeping.rewritten_time = Some(Instant::now());
        }
        Ok(())
    }
}
