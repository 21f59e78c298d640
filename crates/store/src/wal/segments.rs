//! The log on disk: one buffer that gathers, one commit at a time.
//!
//! ```text
//!   append ─► buffer ═swap═ buffer ─► write behind the last batch ─► fdatasync ─► durable ─► waiters
//!             (state)                 (writer)
//! ```
//!
//! While a commit waits for the disk the other buffer gathers: that is all the batching there is for what
//! somebody waits for. What nobody waits for lingers a moment. The order of locks is writer, then files, then
//! state; the disk works under the first two only.

use super::files::{Files, For, Ready, Trouble, is_limit};
use super::filling::{Pace, Present};
use super::format::{BATCH_HEADER, BatchHeader, SEGMENT_HEADER, file_name};
use super::{Appender, Log, Options, Poisoned, Position, Waiter};
use crate::disk::{Disk, File};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Room in front of the records for the header that a commit makes.
const FRONT: usize = BATCH_HEADER;
/// Room left behind every batch: for the one that declares it durable and for the closing one.
const RESERVE: u64 = 2 * BATCH_HEADER as u64;
/// A buffer that grew past this is given back after its commit.
const BUFFER_KEPT_MAX: usize = 8 << 20;
/// How long what nobody waits for may wait for more, and how little it must be.
const LINGER: Duration = Duration::from_millis(5);
const LINGER_BYTES_MAX: usize = 256 << 10;
/// How long the commit thread waits before it tries to make a file again.
const SPACE_RETRY: Duration = Duration::from_millis(100);

/// The write-ahead log on disk.
pub struct Wal {
    options: Options,
    files: Files,
    pace: Pace,
    writer: Mutex<Writer>,
    state: Mutex<State>,
    /// Wakes the commit thread.
    wake: Condvar,
    appended: AtomicU64,
    durable: AtomicU64,
    /// The offset at which the next batch goes into the current file.
    offset: AtomicU64,
    is_poisoned: AtomicBool,
    waits_for_file: AtomicBool,
    /// It waits because the disk has no space, not because of the log's own limit.
    waits_for_space: AtomicBool,
    commits: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
}

/// What a log did since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Batches that became durable.
    pub commits: u64,
    /// Bytes written, headers included.
    pub bytes: u64,
    /// Times the disk was waited for.
    pub syncs: u64,
}

/// What appends share.
struct State {
    /// [`FRONT`] bytes, then records.
    buffer: Vec<u8>,
    /// As much of the buffer as holds whole appends.
    filled: usize,
    /// The position of the buffer's first record.
    start: u64,
    /// In order of their positions.
    waiters: VecDeque<(Position, Arc<dyn Waiter>)>,
    sleep: Sleep,
    is_closing: bool,
    poisoned: Option<Poisoned>,
}

impl State {
    fn is_over(&self) -> bool {
        self.is_closing || self.poisoned.is_some()
    }

    /// Whether what is to be written is little, and nobody waits for it.
    fn may_linger(&self) -> bool {
        let is_little = (FRONT + 1..LINGER_BYTES_MAX).contains(&self.filled);
        is_little && self.waiters.is_empty() && !self.is_over()
    }

    /// Whether the commit thread sleeps although there is something for it to do now.
    fn is_overslept(&self) -> bool {
        match self.sleep {
            Sleep::ForWork => self.filled > FRONT,
            Sleep::ForWaiter => !self.may_linger(),
            Sleep::Awake | Sleep::ForSpace => false,
        }
    }
}

/// Whether, and what for, the commit thread sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    Awake,
    ForWork,
    /// There is work for which nobody waits.
    ForWaiter,
    ForSpace,
}

/// What a commit works with.
struct Writer {
    file: Arc<dyn File>,
    number: u64,
    capacity: u64,
    offset: u64,
    /// Batches in the current file.
    batches: u64,
    /// The highest durable position that the disk itself tells of.
    declared: u64,
    /// A batch for which there was no file.
    stuck: Option<Batch>,
    /// The other buffer.
    spare: Vec<u8>,
    due: Vec<Arc<dyn Waiter>>,
    is_closed: bool,
}

/// Records on their way to the disk, behind [`FRONT`] bytes.
struct Batch {
    bytes: Vec<u8>,
    start: u64,
}

impl Batch {
    fn payload(&self) -> u64 {
        self.bytes.len().saturating_sub(FRONT) as u64
    }
}

impl Wal {
    /// Goes on with a log behind `tail`, in a new file. Files that hold nothing from `from` on are
    /// used again.
    ///
    /// # Errors
    /// No file can be made.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: Options,
        from: Position,
        tail: &super::Tail,
    ) -> io::Result<Arc<Self>> {
        let options = options.sane();
        let files = super::open::take_over(disk, &options, from.0, tail.end.0)?;
        let ready = files.first().map_err(Trouble::into_error)?;
        let start = tail.end.0;
        let writer = Writer::begin(&files, ready, start).map_err(Trouble::into_error)?;
        if options.sync {
            writer.file.sync()?;
        }
        files.confirmed();
        Ok(Arc::new(Self {
            options,
            files,
            pace: Pace::default(),
            offset: AtomicU64::new(writer.offset),
            writer: Mutex::new(writer),
            state: Mutex::new(State {
                buffer: vec![0; FRONT],
                filled: FRONT,
                start,
                waiters: VecDeque::new(),
                sleep: Sleep::Awake,
                is_closing: false,
                poisoned: None,
            }),
            wake: Condvar::new(),
            appended: AtomicU64::new(start),
            durable: AtomicU64::new(start),
            is_poisoned: AtomicBool::new(false),
            waits_for_file: AtomicBool::new(false),
            waits_for_space: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        }))
    }

    /// Writes and syncs what was appended, and tells those who wait for it. `false` when there was
    /// nothing to do, or no file to do it in: then what was appended is kept, and the next call tries
    /// again. The commit thread calls this again and again; tests call it themselves.
    ///
    /// # Errors
    /// The log is poisoned, now or earlier.
    pub fn commit(&self) -> Result<bool, Poisoned> {
        let mut writer = self.writer.lock();
        let Some(batch) = self.take(&mut writer)? else {
            return Ok(false);
        };
        if !self.find_room(&mut writer, &batch)? {
            writer.stuck = Some(batch);
            self.waits_for_file.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        self.waits_for_file.store(false, Ordering::Relaxed);
        let end = batch.start + batch.payload();
        let bytes = self.write(&mut writer, batch.bytes, batch.start, false)?;
        self.sync(&writer)?;
        if writer.batches == 1 {
            self.files.confirmed();
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        writer.spare = emptied(bytes);
        let mut due = std::mem::take(&mut writer.due);
        self.become_durable(end, &mut due);
        drop(writer);
        for (nth, waiter) in due.drain(..).enumerate() {
            waiter.durable(Position(end), nth);
        }
        let mut writer = self.writer.lock();
        writer.due = due;
        self.declare(&mut writer)?;
        Ok(true)
    }

    /// Commits until [`Wal::close`] is called or the log is poisoned; waits while there is nothing to do.
    ///
    /// # Errors
    /// The log is poisoned.
    pub fn run(&self) -> Result<(), Poisoned> {
        loop {
            self.linger();
            if self.commit()? {
                continue;
            }
            let mut state = self.state.lock();
            if let Some(poisoned) = &state.poisoned {
                return Err(poisoned.clone());
            }
            if state.is_closing {
                return Ok(());
            }
            if self.waits_for_file.load(Ordering::Relaxed) {
                state.sleep = Sleep::ForSpace;
                self.wake.wait_for(&mut state, SPACE_RETRY);
            } else if state.filled == FRONT {
                state.sleep = Sleep::ForWork;
                self.wake.wait(&mut state);
            }
            state.sleep = Sleep::Awake;
        }
    }

    /// Waits a moment with what nobody waits for: acknowledgements, for the most part. Each would have a sync
    /// of its own, for which the next publish has to wait before it gets its own.
    fn linger(&self) {
        let mut state = self.state.lock();
        if state.may_linger() {
            state.sleep = Sleep::ForWaiter;
            self.wake.wait_for(&mut state, LINGER);
            state.sleep = Sleep::Awake;
        }
    }

    /// Makes the file that comes next, so that no commit has to wait for it, and deletes files that are
    /// of no use. Called by a thread that may wait, again and again: most often while
    /// [`Wal::is_preparing`], since then it does a part of it each time.
    ///
    /// # Errors
    /// There is no file to go on with after the present one: the disk is full, or (`QuotaExceeded`) all
    /// that the log may have are in use and nothing was trimmed. Or the log is poisoned.
    pub fn prepare(&self) -> io::Result<()> {
        if let Some(poisoned) = self.poisoned() {
            return Err(io::Error::other(poisoned));
        }
        let growth = self.pace.growth(self.present());
        let mut is_first = true;
        let mut piece = |size, done| {
            let is_first = std::mem::take(&mut is_first);
            self.pace.piece(self.present(), growth, size, done, is_first)
        };
        match self.files.prepare(&mut piece) {
            Ok(()) => {
                self.wake_from(Sleep::ForSpace);
                Ok(())
            }
            Err(Trouble::Space(error)) => Err(error),
            Err(Trouble::Broken(poisoned)) => Err(io::Error::other(self.poison(poisoned))),
        }
    }

    /// Makes a file more than is needed next, as long as nobody commits: when there is much to do later on,
    /// files are at hand. Called like [`Wal::prepare`], when the disk has plenty of space. Answers whether it
    /// is to be called again soon.
    ///
    /// # Errors
    /// The log is poisoned.
    pub fn prepare_spare(&self) -> Result<bool, Poisoned> {
        let commits = || self.commits.load(Ordering::Relaxed);
        let mut piece = |size, done| self.pace.spare_piece(commits(), size, done);
        match self.files.prepare_spare(&mut piece) {
            Ok(goes_on) => Ok(goes_on),
            Err(Trouble::Space(_)) => Ok(false),
            Err(Trouble::Broken(poisoned)) => Err(self.poison(poisoned)),
        }
    }

    /// Where the present file begins, when it is the last: the next has to be made anew, unless one before
    /// is given free.
    pub fn last_file(&self) -> Option<Position> {
        self.files.last_base().map(Position)
    }

    fn present(&self) -> Present {
        Present {
            commits: self.commits.load(Ordering::Relaxed),
            offset: self.offset.load(Ordering::Relaxed),
            capacity: self.files.capacity(),
        }
    }

    /// Whether the file that comes next is half made.
    pub fn is_preparing(&self) -> bool {
        self.files.is_filling()
    }

    /// How full the log is, in per cent: bytes of files between the oldest record that is kept and the
    /// newest, as a part of all files but the last, which is a reserve.
    pub fn used_percent(&self) -> u32 {
        let may_hold = self
            .options
            .log_bytes_max
            .saturating_sub(self.options.segment_bytes);
        let percent = self.used_bytes().saturating_mul(100) / may_hold.max(1);
        u32::try_from(percent).unwrap_or(u32::MAX)
    }

    /// Bytes of files between the oldest record that is kept and the newest.
    pub fn used_bytes(&self) -> u64 {
        self.files.used_bytes(self.offset.load(Ordering::Relaxed))
    }

    /// Files of the log, those included that are at hand for later.
    pub fn segment_count(&self) -> usize {
        self.files.count()
    }

    /// Whether there is no file to go on with after the present one because the disk had no space.
    pub fn is_short_of_space(&self) -> bool {
        self.files.is_short()
    }

    /// Whether something is to be written and there is no file for it.
    pub fn waits_for_file(&self) -> bool {
        self.waits_for_file.load(Ordering::Relaxed)
    }

    /// Whether that is because the disk has no space.
    pub fn waits_for_space(&self) -> bool {
        self.waits_for_file() && self.waits_for_space.load(Ordering::Relaxed)
    }

    /// Lets what waits for a file have one beyond the log's limit, or no longer: for a checkpoint, which
    /// gives files free and needs first what waits to be on disk.
    pub fn let_exceed(&self, may_exceed: bool) {
        self.files.let_exceed(may_exceed);
        if may_exceed {
            self.wake_from(Sleep::ForSpace);
        }
    }

    /// Why the log failed, once it has.
    pub fn poisoned(&self) -> Option<Poisoned> {
        if !self.is_poisoned.load(Ordering::Acquire) {
            return None;
        }
        self.state.lock().poisoned.clone()
    }

    /// What the log did since it was opened.
    pub fn counts(&self) -> Counts {
        Counts {
            commits: self.commits.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            syncs: self.syncs.load(Ordering::Relaxed),
        }
    }

    /// Commits what is left and marks the log as closed in an orderly way. Nothing may be appended
    /// afterwards: it is counted and thrown away. [`Wal::run`] returns. Where the disk has no space for what
    /// is left, `free_space` is asked once for some, and answers whether it gave any.
    ///
    /// # Errors
    /// The log is poisoned, or there is no space for what was left, which poisons it.
    pub fn close(&self, free_space: impl FnOnce() -> bool) -> Result<(), Poisoned> {
        self.state.lock().is_closing = true;
        self.wake.notify_all();
        while self.commit()? {}
        if self.waits_for_file() && free_space() {
            while self.commit()? {}
        }
        let mut writer = self.writer.lock();
        if writer.is_closed {
            return Ok(());
        }
        if writer.stuck.is_some() {
            let full = io::Error::from(io::ErrorKind::StorageFull);
            return Err(self.poison(Poisoned::new("space for", &file_name(writer.number), &full)));
        }
        if writer.room() >= BATCH_HEADER as u64 {
            let durable = self.durable.load(Ordering::Acquire);
            self.write(&mut writer, vec![0; FRONT], durable, true)?;
        }
        writer.is_closed = true;
        self.sync(&writer)
    }

    /// What is to be written next: what got stuck, or else the buffer, which is exchanged.
    fn take(&self, writer: &mut Writer) -> Result<Option<Batch>, Poisoned> {
        let mut state = self.state.lock();
        if let Some(poisoned) = &state.poisoned {
            return Err(poisoned.clone());
        }
        if let Some(batch) = writer.stuck.take() {
            return Ok(Some(batch));
        }
        if state.filled <= FRONT {
            return Ok(None);
        }
        let filled = state.filled;
        let start = state.start;
        let spare = std::mem::take(&mut writer.spare);
        let mut bytes = std::mem::replace(&mut state.buffer, spare);
        state.buffer.resize(FRONT, 0);
        state.filled = FRONT;
        state.start = self.appended.load(Ordering::Acquire);
        drop(state);
        bytes.truncate(filled);
        Ok(Some(Batch { bytes, start }))
    }

    /// Sees to it that a batch fits behind the last one, in the next file if need be. `false` when there
    /// is no next file.
    fn find_room(&self, writer: &mut Writer, batch: &Batch) -> Result<bool, Poisoned> {
        let needed = batch.bytes.len() as u64 + RESERVE;
        if needed <= writer.room() {
            return Ok(true);
        }
        let is_closing = self.state.lock().is_closing;
        let why = if is_closing { For::Must } else { For::Now };
        let begun = self
            .files
            .next(why, needed)
            .and_then(|ready| writer.go_on(&self.files, ready, batch.start));
        crate::failpoint::pass("log-roll");
        match begun {
            Ok(()) => Ok(true),
            Err(Trouble::Space(error)) => {
                self.waits_for_space.store(!is_limit(&error), Ordering::Relaxed);
                Ok(false)
            }
            Err(Trouble::Broken(poisoned)) => Err(self.poison(poisoned)),
        }
    }

    /// Writes a batch behind the last one, its header included.
    fn write(
        &self,
        writer: &mut Writer,
        mut bytes: Vec<u8>,
        start: u64,
        is_closing: bool,
    ) -> Result<Vec<u8>, Poisoned> {
        let header = BatchHeader {
            number: writer.batches,
            start,
            durable: self.durable.load(Ordering::Acquire),
            payload: bytes.len().saturating_sub(FRONT) as u64,
            run: self.files.run(),
            is_closing,
        };
        if let Some(front) = bytes.get_mut(..FRONT) {
            front.copy_from_slice(&header.encode(writer.number, writer.offset));
        }
        let written = writer.file.write(&bytes, writer.offset);
        written.map_err(|error| self.failed("write to", writer, &error))?;
        writer.batches += 1;
        writer.offset += bytes.len() as u64;
        writer.declared = header.durable;
        self.offset.store(writer.offset, Ordering::Relaxed);
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    fn sync(&self, writer: &Writer) -> Result<(), Poisoned> {
        if !self.options.sync {
            return Ok(());
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
        let done = writer.file.sync();
        done.map_err(|error| self.failed("sync of", writer, &error))
    }

    /// Writes, when nothing else is to be written, that the last batch is durable: so that later damage to
    /// it is told from a write that was cut short. Not synced, because it promises nothing new.
    fn declare(&self, writer: &mut Writer) -> Result<(), Poisoned> {
        let durable = self.durable.load(Ordering::Acquire);
        if writer.is_closed || writer.stuck.is_some() || writer.declared >= durable {
            return Ok(());
        }
        {
            let state = self.state.lock();
            if state.is_over() || state.filled > FRONT {
                return Ok(());
            }
        }
        if writer.room() < RESERVE {
            return Ok(());
        }
        let mut front = std::mem::take(&mut writer.spare);
        front.resize(FRONT, 0);
        writer.spare = self.write(writer, front, durable, false)?;
        Ok(())
    }

    fn become_durable(&self, end: u64, due: &mut Vec<Arc<dyn Waiter>>) {
        let mut state = self.state.lock();
        self.durable.store(end, Ordering::Release);
        while let Some((position, _)) = state.waiters.front()
            && position.0 <= end
        {
            due.extend(state.waiters.pop_front().map(|(_, waiter)| waiter));
        }
    }

    fn failed(&self, what: &'static str, writer: &Writer, error: &io::Error) -> Poisoned {
        self.poison(Poisoned::new(what, &file_name(writer.number), error))
    }

    /// Poisons the log, because of an error of its own or of another file of the store. Keeps the first
    /// error, and answers it. Nobody who waits is told.
    pub fn poison(&self, poisoned: Poisoned) -> Poisoned {
        let mut state = self.state.lock();
        let first = state.poisoned.get_or_insert(poisoned).clone();
        self.is_poisoned.store(true, Ordering::Release);
        let waiters = std::mem::take(&mut state.waiters);
        state.buffer.truncate(FRONT);
        state.filled = FRONT;
        drop(state);
        drop(waiters);
        self.wake.notify_all();
        first
    }

    /// Wakes the commit thread if there is something for it to do now.
    fn rouse(&self, mut state: MutexGuard<'_, State>) {
        if state.is_overslept() {
            state.sleep = Sleep::Awake;
            drop(state);
            self.wake.notify_one();
        }
    }

    fn wake_from(&self, sleep: Sleep) {
        let mut state = self.state.lock();
        if state.sleep == sleep {
            state.sleep = Sleep::Awake;
            drop(state);
            self.wake.notify_one();
        }
    }
}

impl Log for Wal {
    fn append(&self, write: &mut dyn FnMut(&mut Appender<'_>)) -> Position {
        let mut state = self.state.lock();
        // Longer only when an append was interrupted by a panic.
        let filled = state.filled;
        state.buffer.truncate(filled);
        let before = self.appended.load(Ordering::Acquire);
        let mut appender = Appender::new(&mut state.buffer, before, self.files.run());
        write(&mut appender);
        appender.end();
        let position = appender.position();
        self.appended.store(position.0, Ordering::Release);
        if state.is_over() {
            state.buffer.truncate(filled);
            return position;
        }
        state.filled = state.buffer.len();
        self.rouse(state);
        position
    }

    fn appended(&self) -> Position {
        Position(self.appended.load(Ordering::Acquire))
    }

    fn durable(&self) -> Position {
        Position(self.durable.load(Ordering::Acquire))
    }

    fn notify(&self, position: Position, waiter: Arc<dyn Waiter>) {
        let mut state = self.state.lock();
        if state.poisoned.is_some() {
            return;
        }
        let durable = self.durable();
        if position > durable {
            // Nearly always behind all others.
            let at = match state.waiters.back() {
                Some((last, _)) if *last > position => {
                    state.waiters.partition_point(|(other, _)| *other <= position)
                }
                _ => state.waiters.len(),
            };
            state.waiters.insert(at, (position, waiter));
            self.rouse(state);
            return;
        }
        drop(state);
        waiter.durable(durable, 0);
    }

    fn is_congested(&self) -> bool {
        let waiting = self.appended().0.saturating_sub(self.durable().0);
        let waiting_max = self.options.waiting_bytes_max as u64;
        waiting > waiting_max || self.waits_for_file.load(Ordering::Relaxed) || self.files.is_last()
    }

    fn trim(&self, position: Position) {
        crate::failpoint::pass("trim");
        self.files.trim(position.0);
        self.wake_from(Sleep::ForSpace);
    }
}

impl Writer {
    /// Begins with the first file of a process.
    fn begin(files: &Files, ready: Ready, base: u64) -> Result<Self, Trouble> {
        let mut writer = Self {
            file: Arc::clone(&ready.file),
            number: ready.number,
            capacity: 0,
            offset: 0,
            batches: 0,
            declared: base,
            stuck: None,
            spare: vec![0; FRONT],
            due: Vec::new(),
            is_closed: false,
        };
        writer.go_on(files, ready, base)?;
        Ok(writer)
    }

    /// Goes on in another file. Its header is synced together with its first batch.
    fn go_on(&mut self, files: &Files, ready: Ready, base: u64) -> Result<(), Trouble> {
        let written = files.write_header(&*ready.file, ready.number, base, ready.capacity);
        if let Err(error) = written {
            let name = file_name(ready.number);
            return Err(Trouble::Broken(Poisoned::new("write to", &name, &error)));
        }
        files.started(ready.number, base, ready.capacity);
        self.file = ready.file;
        self.number = ready.number;
        self.capacity = ready.capacity;
        self.offset = SEGMENT_HEADER as u64;
        self.batches = 0;
        Ok(())
    }

    fn room(&self) -> u64 {
        self.capacity.saturating_sub(self.offset)
    }
}

/// A buffer that can be used again.
fn emptied(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.capacity() > BUFFER_KEPT_MAX {
        bytes = Vec::new();
    }
    bytes.resize(FRONT, 0);
    bytes
}

#[cfg(test)]
mod tests;
