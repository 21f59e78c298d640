//! The files of a log that is being written: which there are, the next one, and what becomes of those
//! that are no longer needed.
//!
//! ```text
//!   filling (.new) ─► ready ─► current ─► kept ─► free ─► ready ...     renamed to a new number
//!                                           └───► doomed                of another size: deleted
//! ```
//!
//! A new file has its size and its header, on disk, before it has its name, and every name is on disk
//! before a record is written into the file. So a file that is too short is damaged, whatever it holds.

use super::Poisoned;
use super::filling::Filling;
use super::format::{FOLDER, NO_BASE, SEGMENT_HEADER, SegmentHeader, VERSION, file_name, new_name};
use crate::disk::{Disk, File};
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Size of the file that a process begins with, where there is none to be used again: so small that it is
/// filled with zeros in no time, and the next one is there before it is full.
const FIRST_BYTES: u64 = 4 << 20;
/// Files made to measure are multiples of it.
const PAGE: u64 = 4096;

/// What a file is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// To be at hand when the current one is full.
    Later,
    /// To go on now.
    Now,
    /// To go on now, whatever the limit says: the log can be neither opened nor closed without.
    Must,
    /// The same, and filled with zeros.
    First,
}

/// Why there is no file.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no space for it now.
    Space(io::Error),
    /// The disk cannot be believed any more.
    Broken(Poisoned),
}

impl Trouble {
    pub(super) fn into_error(self) -> io::Error {
        match self {
            Self::Space(error) => error,
            Self::Broken(poisoned) => io::Error::other(poisoned),
        }
    }
}

/// A file that can be used next.
pub(super) struct Ready {
    pub(super) file: Arc<dyn File>,
    pub(super) number: u64,
    pub(super) capacity: u64,
}

/// A file with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) number: u64,
    /// Its first position.
    pub(super) base: u64,
    /// Its size.
    pub(super) bytes: u64,
}

#[derive(Default)]
pub(super) struct Table {
    /// The last one is the current.
    pub(super) kept: VecDeque<Kept>,
    ready: Option<Ready>,
    /// What becomes ready next, when there is none to be used again.
    filling: Option<Filling>,
    /// Numbers of files of the usual size that hold nothing any more.
    pub(super) free: Vec<u64>,
    /// Files to delete, with their sizes.
    pub(super) doomed: Vec<(String, u64)>,
    pub(super) next_number: u64,
    /// Number of the last file that was begun by this process, which its first name has.
    last_made: u64,
    /// The header of the current file may not be on disk yet: until it is, the file before says where the
    /// log goes on, and is kept for that.
    is_fresh: bool,
    /// Everything before is no longer needed.
    pub(super) trimmed: u64,
    /// The last attempt to make a file failed for want of space on the disk.
    has_failed: bool,
}

impl Table {
    fn total_bytes(&self, segment_bytes: u64) -> u64 {
        let kept: u64 = self.kept.iter().map(|kept| kept.bytes).sum();
        let doomed: u64 = self.doomed.iter().map(|(_, bytes)| bytes).sum();
        kept.saturating_add(doomed)
            .saturating_add(self.at_hand_bytes(segment_bytes))
    }

    /// Bytes of files that hold nothing and are there for later.
    fn at_hand_bytes(&self, segment_bytes: u64) -> u64 {
        let usual = self.free.len() + usize::from(self.ready.is_some()) + usize::from(self.filling.is_some());
        usual as u64 * segment_bytes
    }

    /// Lets go of a file that holds nothing any more.
    pub(super) fn retire(&mut self, number: u64, bytes: u64, segment_bytes: u64) {
        if bytes == segment_bytes {
            self.free.push(number);
        } else {
            self.doomed.push((file_name(number), bytes));
        }
    }
}

pub(super) struct Files {
    disk: Arc<dyn Disk>,
    sync: bool,
    segment_bytes: u64,
    log_bytes_max: u64,
    /// The epoch of this process's first file.
    run: u64,
    /// One file is made at a time. Taken before `table`, which is never held while the disk works.
    making: Mutex<()>,
    table: Mutex<Table>,
    /// The current file is the last one there is, and no other can be made now.
    is_last: AtomicBool,
    is_short: AtomicBool,
    /// A file to go on now may pass the limit.
    may_exceed: AtomicBool,
}

impl Files {
    pub(super) fn new(disk: Arc<dyn Disk>, options: &super::Options, table: Table) -> Self {
        Self {
            disk,
            sync: options.sync,
            segment_bytes: options.segment_bytes,
            log_bytes_max: options.log_bytes_max,
            run: table.next_number,
            making: Mutex::new(()),
            table: Mutex::new(table),
            is_last: AtomicBool::new(false),
            is_short: AtomicBool::new(false),
            may_exceed: AtomicBool::new(false),
        }
    }

    pub(super) fn run(&self) -> u64 {
        self.run
    }

    /// Whether the current file is the last, and the next cannot be made now.
    pub(super) fn is_last(&self) -> bool {
        self.is_last.load(Ordering::Relaxed)
    }

    /// Whether there is no next file because the disk had no space for it.
    pub(super) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// Lets the log pass its limit, or no longer.
    pub(super) fn let_exceed(&self, may_exceed: bool) {
        self.may_exceed.store(may_exceed, Ordering::Release);
    }

    /// Size of the current file.
    pub(super) fn capacity(&self) -> u64 {
        self.table.lock().kept.back().map_or(0, |current| current.bytes)
    }

    pub(super) fn count(&self) -> usize {
        let table = self.table.lock();
        let next = usize::from(table.ready.is_some()) + usize::from(table.filling.is_some());
        table.kept.len() + table.free.len() + table.doomed.len() + next
    }

    /// Bytes of files between the oldest record that is kept and `current`, the offset in the current
    /// file.
    pub(super) fn used_bytes(&self, current: u64) -> u64 {
        let table = self.table.lock();
        let full: u64 = table.kept.iter().rev().skip(1).map(|kept| kept.bytes).sum();
        let unneeded = table
            .kept
            .front()
            .map_or(0, |oldest| table.trimmed.saturating_sub(oldest.base));
        full.saturating_add(current).saturating_sub(unneeded)
    }

    /// Lets go of files that end at or before `position`.
    pub(super) fn trim(&self, position: u64) {
        let mut table = self.table.lock();
        table.trimmed = table.trimmed.max(position);
        self.let_go(&mut table);
    }

    fn let_go(&self, table: &mut Table) {
        let kept_min = 1 + usize::from(table.is_fresh);
        while table.kept.len() > kept_min
            && let (Some(oldest), Some(next)) = (table.kept.front().copied(), table.kept.get(1))
            && next.base <= table.trimmed
        {
            table.kept.pop_front();
            table.retire(oldest.number, oldest.bytes, self.segment_bytes);
        }
        self.note(table);
    }

    /// Deletes what is to be deleted and sees to it that the next file is there, or comes to be: piece by
    /// piece, as much as `piece` wants by the file's size and what of it is done, until that is nothing or
    /// somebody took the file.
    pub(super) fn prepare(&self, piece: &mut dyn FnMut(u64, u64) -> u64) -> Result<(), Trouble> {
        let mut name = None;
        loop {
            let making = self.making.lock();
            self.delete_doomed();
            {
                let table = self.table.lock();
                let filling = table.filling.as_ref().map(|filling| &filling.name);
                // Whoever took the file that was being filled took it as it was. The next is not for now:
                // the caller has other things to do, without which there may be no room for it.
                if table.ready.is_some() || (name.is_some() && filling != name.as_ref()) {
                    return Ok(());
                }
            }
            let is_done = self.noted(self.prepare_piece(piece))?;
            name = self
                .table
                .lock()
                .filling
                .as_ref()
                .map(|filling| filling.name.clone());
            // Whoever needs the file now takes it as it is.
            MutexGuard::unlock_fair(making);
            if is_done {
                return Ok(());
            }
        }
    }

    /// Makes one more file to be at hand, once the next one is there, as `piece` wants. That there is no
    /// space for it is no shortage.
    ///
    /// One piece at a time; answers whether there is more to do.
    pub(super) fn prepare_spare(&self, piece: &mut dyn FnMut(u64, u64) -> u64) -> Result<bool, Trouble> {
        let _making = self.making.lock();
        {
            let table = self.table.lock();
            let more = if table.filling.is_none() {
                self.segment_bytes
            } else {
                0
            };
            let total = table.total_bytes(self.segment_bytes).saturating_add(more);
            if table.ready.is_none() || !table.free.is_empty() || total > self.log_bytes_max {
                return Ok(false);
            }
        }
        let filling = self.begin_filling()?;
        let bytes = piece(filling.size, filling.done);
        if bytes == 0 {
            return Ok(false);
        }
        let Some(spare) = self.fill_piece(filling, bytes)? else {
            return Ok(true);
        };
        let mut table = self.table.lock();
        table.free.push(spare.number);
        self.note(&table);
        Ok(false)
    }

    /// Whether the next file is being filled.
    pub(super) fn is_filling(&self) -> bool {
        let table = self.table.lock();
        table.ready.is_none() && table.filling.is_some()
    }

    /// Where the current file begins, when there is no other and none is being made.
    pub(super) fn last_base(&self) -> Option<u64> {
        let table = self.table.lock();
        let is_last = table.ready.is_none() && table.filling.is_none() && table.free.is_empty();
        table.kept.back().filter(|_| is_last).map(|kept| kept.base)
    }

    fn prepare_piece(&self, piece: &mut dyn FnMut(u64, u64) -> u64) -> Result<bool, Trouble> {
        if !self.table.lock().free.is_empty() {
            let ready = self.make(For::Later, self.segment_bytes)?;
            self.table.lock().ready = Some(ready);
            return Ok(true);
        }
        let filling = self.begin_filling()?;
        let bytes = piece(filling.size, filling.done);
        if bytes == 0 {
            return Ok(true);
        }
        let ready = self.fill_piece(filling, bytes)?;
        let is_done = ready.is_some();
        self.table.lock().ready = ready;
        Ok(is_done)
    }

    /// The file that is being filled, or a new one.
    fn begin_filling(&self) -> Result<Filling, Trouble> {
        if let Some(filling) = self.table.lock().filling.clone() {
            return Ok(filling);
        }
        let filling = self.begin(For::Later, self.segment_bytes)?;
        self.table.lock().filling = Some(filling.clone());
        Ok(filling)
    }

    /// Fills so much more. Answers the file when all of it is filled.
    fn fill_piece(&self, mut filling: Filling, bytes: u64) -> Result<Option<Ready>, Trouble> {
        let written = filling.write(bytes);
        self.checked(&filling, written)?;
        self.sync_file(&*filling.file, &filling.name)?;
        if filling.done < filling.size {
            self.table.lock().filling = Some(filling);
            return Ok(None);
        }
        let ready = self.finish(&filling)?;
        self.table.lock().filling = None;
        Ok(Some(ready))
    }

    /// The file to go on with, with room for `bytes` behind its header.
    pub(super) fn next(&self, why: For, bytes: u64) -> Result<Ready, Trouble> {
        let _making = self.making.lock();
        let needed = bytes.saturating_add(SEGMENT_HEADER as u64);
        if needed > self.segment_bytes {
            let size = needed.next_multiple_of(PAGE);
            self.noted(self.make_room(why, size))?;
            return self.noted(self.make(why, size));
        }
        let filling = {
            let mut table = self.table.lock();
            if let Some(ready) = table.ready.take() {
                return Ok(ready);
            }
            // One that was used before is full of what it held, which is as good as zeros.
            if table.free.is_empty() {
                table.filling.take()
            } else {
                None
            }
        };
        let made = match filling {
            Some(filling) => self.finish(&filling),
            None => self.make(why, self.segment_bytes),
        };
        self.noted(match made {
            // The log ends with it: it need not be larger than what goes into it.
            Err(Trouble::Space(_)) if why == For::Must => self.make(why, needed.next_multiple_of(PAGE)),
            made => made,
        })
    }

    /// The file that a process begins with.
    pub(super) fn first(&self) -> Result<Ready, Trouble> {
        let _making = self.making.lock();
        if self.table.lock().free.is_empty() {
            return self.noted(self.make(For::First, self.segment_bytes.min(FIRST_BYTES)));
        }
        self.noted(self.make(For::Must, self.segment_bytes))
    }

    /// A file is in use from now on.
    pub(super) fn started(&self, number: u64, base: u64, bytes: u64) {
        let mut table = self.table.lock();
        table.kept.push_back(Kept { number, base, bytes });
        table.is_fresh = true;
        self.note(&table);
    }

    /// The header of the current file is on disk.
    pub(super) fn confirmed(&self) {
        let mut table = self.table.lock();
        table.is_fresh = false;
        self.let_go(&mut table);
    }

    fn noted<T>(&self, made: Result<T, Trouble>) -> Result<T, Trouble> {
        let mut table = self.table.lock();
        // The log's own limit is no shortage of the disk.
        table.has_failed = matches!(&made, Err(Trouble::Space(error)) if !is_limit(error));
        self.note(&table);
        made
    }

    fn note(&self, table: &Table) {
        let has_next = table.ready.is_some() || table.filling.is_some() || !table.free.is_empty();
        let is_full = !self.is_within_limit(table, self.segment_bytes);
        let is_last = !has_next && (table.has_failed || is_full);
        self.is_last.store(is_last, Ordering::Relaxed);
        self.is_short
            .store(!has_next && table.has_failed, Ordering::Relaxed);
    }

    /// Lets go of files that are at hand, where one of another size would pass the limit with them and not
    /// without. What was made ready gets another number in any case: numbers rise in the order of use.
    fn make_room(&self, why: For, size: u64) -> Result<(), Trouble> {
        {
            let mut table = self.table.lock();
            let mut excess = table
                .total_bytes(self.segment_bytes)
                .saturating_add(size)
                .saturating_sub(self.log_bytes_max);
            if excess > table.at_hand_bytes(self.segment_bytes) && !self.may_exceed(why) {
                self.check_limit(&table, size)?;
            }
            let ready = table.ready.take();
            table.free.extend(ready.map(|ready| ready.number));
            while excess > 0
                && let Some(number) = table.free.pop()
            {
                table.doomed.push((file_name(number), self.segment_bytes));
                excess = excess.saturating_sub(self.segment_bytes);
            }
            if excess > 0
                && let Some(filling) = table.filling.take()
            {
                table.doomed.push((filling.name, filling.size));
            }
        }
        self.delete_doomed();
        Ok(())
    }

    /// What cannot be deleted now is tried again later.
    fn delete_doomed(&self) {
        let doomed = self.table.lock().doomed.clone();
        for (name, _) in doomed {
            let removed = self.disk.remove(&name);
            let is_gone = removed.map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |()| true);
            if is_gone {
                self.table.lock().doomed.retain(|(other, _)| *other != name);
            }
        }
    }

    fn make(&self, why: For, size: u64) -> Result<Ready, Trouble> {
        let old = {
            let mut table = self.table.lock();
            let is_usual = size == self.segment_bytes;
            if is_usual { table.free.pop() } else { None }
        };
        if let Some(old) = old {
            return self.recycle(why, old);
        }
        let mut filling = self.begin(why, size)?;
        if why == For::First {
            let written = filling.write(size);
            self.checked(&filling, written)?;
        }
        self.finish(&filling)
    }

    fn new_number(&self) -> u64 {
        let mut table = self.table.lock();
        let number = table.next_number;
        table.next_number += 1;
        number
    }

    /// Where only the current file is kept, there is nothing to wait for: one that was made to measure may
    /// pass the limit, and so may the one behind it.
    fn is_within_limit(&self, table: &Table, size: u64) -> bool {
        let total = table.total_bytes(self.segment_bytes).saturating_add(size);
        total <= self.log_bytes_max || table.kept.len() <= 1
    }

    fn check_limit(&self, table: &Table, size: u64) -> Result<(), Trouble> {
        if self.is_within_limit(table, size) {
            return Ok(());
        }
        let what = format!(
            "all files of the log are in use: {} bytes of {}",
            table.total_bytes(self.segment_bytes),
            self.log_bytes_max
        );
        Err(Trouble::Space(io::Error::new(io::ErrorKind::QuotaExceeded, what)))
    }

    /// Gives a file a new number. The name goes first: what the file holds counts only together with
    /// the number that it was written under, so from then on nothing of it can come back.
    fn recycle(&self, why: For, old: u64) -> Result<Ready, Trouble> {
        let number = self.new_number();
        let (from, to) = (file_name(old), file_name(number));
        let renamed = self
            .disk
            .open(&from)
            .and_then(|file| self.disk.rename(&from, &to).map(|()| file));
        let file = match renamed {
            Ok(file) => file,
            Err(error) => {
                self.table.lock().free.push(old);
                return Err(Trouble::Space(error));
            }
        };
        if why == For::Later {
            crate::failpoint::pass("log-recycle");
        }
        self.sync_names()?;
        let capacity = self.segment_bytes;
        self.write_header(&*file, number, NO_BASE, capacity)
            .map_err(|error| broken("write to", &to, &error))?;
        self.sync_file(&*file, &to)?;
        Ok(Ready {
            file,
            number,
            capacity,
        })
    }

    fn may_exceed(&self, why: For) -> bool {
        match why {
            For::Must | For::First => true,
            For::Now => self.may_exceed.load(Ordering::Acquire),
            For::Later => false,
        }
    }

    /// Takes the space of a new file.
    fn begin(&self, why: For, size: u64) -> Result<Filling, Trouble> {
        if !self.may_exceed(why) {
            self.check_limit(&self.table.lock(), size)?;
        }
        // The number that counts comes when it is ready: numbers rise in the order of use.
        let name = {
            let mut table = self.table.lock();
            table.last_made += 1;
            new_name(table.last_made)
        };
        let file = self.disk.create(&name, size).map_err(Trouble::Space)?;
        let done = 0;
        Ok(Filling {
            file,
            name,
            size,
            done,
        })
    }

    /// Gives a new file its header and its name.
    fn finish(&self, filling: &Filling) -> Result<Ready, Trouble> {
        let Filling { file, name, size, .. } = filling;
        let number = self.new_number();
        let written = self.write_header(&**file, number, NO_BASE, *size);
        self.checked(filling, written)?;
        self.sync_file(&**file, name)?;
        let renamed = self.disk.rename(name, &file_name(number));
        self.checked(filling, renamed)?;
        self.sync_names()?;
        Ok(Ready {
            file: Arc::clone(file),
            number,
            capacity: *size,
        })
    }

    /// An error while a file was made: nothing was in it, so nothing is lost, and it is deleted.
    fn checked(&self, filling: &Filling, done: io::Result<()>) -> Result<(), Trouble> {
        done.map_err(|error| {
            let mut table = self.table.lock();
            if table
                .filling
                .as_ref()
                .is_some_and(|other| other.name == filling.name)
            {
                table.filling = None;
            }
            table.doomed.push((filling.name.clone(), filling.size));
            Trouble::Space(error)
        })
    }

    pub(super) fn write_header(
        &self,
        file: &dyn File,
        epoch: u64,
        base: u64,
        capacity: u64,
    ) -> io::Result<()> {
        let header = SegmentHeader {
            version: VERSION,
            epoch,
            base,
            capacity,
            run: self.run,
        };
        file.write(&header.encode(), 0)
    }

    fn sync_file(&self, file: &dyn File, name: &str) -> Result<(), Trouble> {
        if !self.sync {
            return Ok(());
        }
        file.sync().map_err(|error| broken("sync of", name, &error))
    }

    fn sync_names(&self) -> Result<(), Trouble> {
        if !self.sync {
            return Ok(());
        }
        let done = self.disk.sync_folder(FOLDER);
        done.map_err(|error| broken("sync of", FOLDER, &error))
    }
}

pub(super) fn is_limit(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::QuotaExceeded && error.raw_os_error().is_none()
}

fn broken(what: &'static str, file: &str, error: &io::Error) -> Trouble {
    Trouble::Broken(Poisoned::new(what, file, error))
}
