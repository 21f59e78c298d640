//! What survives: how queues and the catalog use the store.
//!
//! ```text
//!   queue ─► log ─► commit thread ─► confirms                      (warren_store::Wal)
//!     │
//!     ├─ memory over its budget, or the log to be used again ─► keeper: flush ─► extents
//!     ├─ a message that is not in memory is next             ─► reader ─► queue
//!     └─ what is settled in extents                          ─► keeper: reclaim, checkpoint, trim
//! ```
//!
//! Three threads do what may wait for the disk: one commits, one keeps house, one reads. None of them
//! holds a queue's lock while it waits. Tests call the same steps themselves, without threads.

mod checkpoint;
mod flush;
mod keeper;
mod notes;
mod numbers;
mod pacing;
mod read;
mod reclaim;
mod recovery;
mod table;

pub use crate::queues::record::{flag as queue_record_flag, kind as queue_record};
pub use checkpoint::{entry, read_summary};
pub use keeper::Step;
pub use recovery::{Error, Opened, Recovered, record};
pub use table::Usage;

use crate::alarms::Memory;
use crate::clock::Clock;
use crate::node::Node;
use crate::queues::{Browser, LiveQueue, Peeking};
use keeper::Trouble;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use table::Table;
use warren_broker::queue::{Fetch, HeaderReader, NotesFetch, Released};
use warren_store::disk::Disk;
use warren_store::extent::Extents;
use warren_store::{Log, Position, Wal};

/// How a store is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The log.
    pub log: warren_store::Options,
    /// Bytes of messages in memory before some are written to extents.
    pub recent_bytes: u64,
    /// Publishers are blocked when less is free on the disk, in bytes.
    pub disk_free_limit: u64,
    /// Size of an extent, in bytes.
    pub extent_bytes: u64,
    /// Checkpoints are not closer than this, unless the log is wanted.
    pub checkpoint_every: Duration,
    /// A few extents that are mostly empty are not copied into one more often than this. Many are.
    pub rewrite_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            log: warren_store::Options {
                segment_bytes: 64 * MIB,
                log_bytes_max: 512 * MIB,
                waiting_bytes_max: 16 * 1024 * 1024,
                sync: true,
            },
            recent_bytes: 8 * MIB,
            disk_free_limit: 50_000_000,
            extent_bytes: 16 * MIB,
            checkpoint_every: Duration::from_secs(1),
            rewrite_every: Duration::from_secs(10),
        }
    }
}

const MIB: u64 = 1024 * 1024;

/// Extents that are open at a time: the system allows some thousand files, and sockets need them more.
const OPEN_EXTENTS_MAX: usize = 64;

/// Flag of a message in an extent: it was published as transient.
const TRANSIENT: u8 = 1;
/// Another: annotations stand behind its body.
const ANNOTATED: u8 = 2;
/// Flag of a message in an extent: it was published with a priority.
const PRIORITY: u8 = 4;

/// What every queue of a node works with.
pub(crate) struct Backing {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) memory: Arc<Memory>,
    /// None when nothing is kept on disk.
    pub(crate) storage: Option<Arc<Storage>>,
    pub(crate) clock: Clock,
    /// Reads headers of messages for queues that go by them.
    pub(crate) reader: Arc<dyn HeaderReader>,
    /// The node itself, for queues that send messages on.
    pub(crate) node: OnceLock<Weak<Node>>,
}

/// What is read ahead for the consumers of one queue, in bytes, at most, and at least where the budget is not
/// a small one.
const AHEAD_BYTES_MAX: u64 = 2 * MIB;
const AHEAD_BYTES_MIN: u64 = MIB / 64;

impl Backing {
    fn budget_bytes(&self) -> u64 {
        let storage = self.storage.as_ref();
        storage.map_or(0, |storage| storage.options.recent_bytes)
    }

    /// What is due to each queue that holds anything: half of the budget is shared out, so that where all
    /// hold their part they are far from full.
    pub(crate) fn part_bytes(&self) -> u64 {
        self.budget_bytes() / 2 / self.memory.holding().max(1)
    }

    /// Whether queues hold so much that publishers wait.
    pub(crate) fn is_memory_full(&self) -> bool {
        let budget = self.budget_bytes();
        budget > 0 && self.memory.queues_bytes() > budget.saturating_mul(2)
    }

    /// How much of what stands in extents a queue has in memory for its consumers: its part.
    pub(crate) fn ahead_bytes(&self) -> usize {
        let least = AHEAD_BYTES_MIN.min(self.budget_bytes() / 8);
        // It fits any size of pointers.
        usize::try_from(self.part_bytes().clamp(least, AHEAD_BYTES_MAX)).unwrap_or(usize::MAX)
    }
}

/// The store of a node, and the work that waits for its threads.
pub(crate) struct Storage {
    pub(crate) options: Options,
    disk: Arc<dyn Disk>,
    pub(crate) wal: Arc<Wal>,
    extents: Extents,
    table: Mutex<Table>,
    /// Bodies that were logged before it are not referred to any more: a checkpoint is being made that may
    /// give their place free.
    reference_floor: AtomicU64,
    /// The keeper is to look when the log gets here.
    ring_at: AtomicU64,
    fetches: Mutex<VecDeque<Wish>>,
    has_fetch: Condvar,
    pub(crate) bell: Arc<Bell>,
    /// Space was wanted and not had.
    is_full: AtomicBool,
    /// The disk has less free than is to be left.
    is_low: AtomicBool,
    is_closing: AtomicBool,
    /// Threads commit; otherwise whoever waits for the log commits itself.
    has_threads: AtomicBool,
    /// Those who fill queues wait, as consumers are about to make room: see [`pacing`].
    pub(crate) lets_wait: AtomicBool,
    /// What was read ahead for consumers, in bytes of memory.
    fetched_bytes: AtomicU64,
    keeping: Mutex<keeper::Keeping>,
}

/// What is asked of the thread that reads.
enum Wish {
    /// Messages for a queue.
    Fetch(Arc<LiveQueue>, Fetch),
    /// Notes of times for a queue.
    Notes(Arc<LiveQueue>, NotesFetch),
    /// A browser is to look.
    Browse(Arc<Browser>),
    /// Somebody wants to see something.
    Peek(Peeking),
}

/// Calls the keeper.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    is_rung: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.is_rung.lock() = true;
        self.rung.notify_one();
    }

    #[cfg(test)]
    pub(crate) fn is_rung(&self) -> bool {
        *self.is_rung.lock()
    }

    /// Returns when it is rung, or after some time. Answers whether it was.
    fn wait(&self, at_most: Duration) -> bool {
        let mut is_rung = self.is_rung.lock();
        if !*is_rung {
            self.rung.wait_for(&mut is_rung, at_most);
        }
        std::mem::take(&mut *is_rung)
    }
}

impl Storage {
    fn new(
        options: Options,
        disk: Arc<dyn Disk>,
        wal: Arc<Wal>,
        extents: Extents,
        table: Table,
        bell: Arc<Bell>,
    ) -> Self {
        Self {
            options,
            disk,
            wal,
            extents,
            table: Mutex::new(table),
            reference_floor: AtomicU64::new(0),
            ring_at: AtomicU64::new(0),
            fetches: Mutex::new(VecDeque::new()),
            has_fetch: Condvar::new(),
            bell,
            is_full: AtomicBool::new(false),
            is_low: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            has_threads: AtomicBool::new(false),
            lets_wait: AtomicBool::new(false),
            fetched_bytes: AtomicU64::new(0),
            keeping: Mutex::new(keeper::Keeping::default()),
        }
    }

    /// Bodies logged before it must not be referred to.
    pub(crate) fn reference_floor(&self) -> Position {
        Position(self.reference_floor.load(Ordering::SeqCst))
    }

    /// Messages of extents are no longer needed.
    pub(crate) fn release(&self, released: &[Released]) {
        let has_dead = self.table.lock().release(released);
        if has_dead {
            self.bell.ring();
        }
    }

    /// Asks for messages to be read for a queue.
    pub(crate) fn ask(&self, queue: Arc<LiveQueue>, fetch: Fetch) {
        self.fetches.lock().push_back(Wish::Fetch(queue, fetch));
        self.has_fetch.notify_one();
    }

    /// Asks for notes of times to be read for a queue: before any messages, of which they tell when they are
    /// wanted.
    pub(crate) fn ask_notes(&self, queue: Arc<LiveQueue>, fetch: NotesFetch) {
        self.fetches.lock().push_front(Wish::Notes(queue, fetch));
        self.has_fetch.notify_one();
    }

    /// A browser is to look.
    pub(crate) fn ask_browser(&self, browser: Arc<Browser>) {
        self.fetches.lock().push_back(Wish::Browse(browser));
        self.has_fetch.notify_one();
    }

    /// Somebody peeks.
    pub(crate) fn ask_peek(&self, peeking: Peeking) {
        self.fetches.lock().push_back(Wish::Peek(peeking));
        self.has_fetch.notify_one();
    }

    /// The log got to a position: calls the keeper when it is time.
    pub(crate) fn log_grew(&self, position: Position) {
        if position.0 >= self.ring_at.load(Ordering::Relaxed) {
            self.ring_at.store(u64::MAX, Ordering::Relaxed);
            self.bell.ring();
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        self.table.lock().usage()
    }

    /// Whether publishers have to wait for the disk to have space.
    pub(crate) fn is_disk_alarmed(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
            || self.is_low.load(Ordering::Relaxed)
            || self.wal.is_short_of_space()
    }

    /// Waits until the log is durable up to a position: before a checkpoint, which gives files of the log
    /// free. So the log may pass its limit for that.
    fn sync_to(&self, position: Position) -> Result<(), Trouble> {
        let synced = self.wait_for(position);
        self.wal.let_exceed(false);
        synced
    }

    fn wait_for(&self, position: Position) -> Result<(), Trouble> {
        while self.wal.durable() < position {
            if let Some(poisoned) = self.wal.poisoned() {
                return Err(poisoned.into());
            }
            if self.has_threads.load(Ordering::Acquire) {
                // The commit thread is at it, and this thread is in no hurry.
                std::thread::sleep(Duration::from_micros(200));
            } else {
                self.wal.commit()?;
            }
            if self.wal.waits_for_space() {
                // Whoever waits here is the one who tells of it, and tries again.
                let what = "the log has no file to go on in";
                return Err(Trouble::Space(io::Error::new(io::ErrorKind::StorageFull, what)));
            }
            if self.wal.waits_for_file() {
                self.wal.let_exceed(true);
            }
        }
        Ok(())
    }
}
