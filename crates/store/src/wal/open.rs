//! Taking over the files of an earlier run.

use super::Options;
use super::files::{Files, Kept, Table};
use super::format::{BATCH_HEADER, BatchHeader, FOLDER, SEGMENT_HEADER, file_name};
use super::found::{self, Found, State};
use crate::disk::{Disk, File};
use std::io;
use std::sync::Arc;

/// Sorts what is there into what is kept, from `from` to `end`, and what can be used again; and makes
/// what is kept durable, because an earlier run may have written it without living to sync it.
pub(super) fn take_over(disk: Arc<dyn Disk>, options: &Options, from: u64, end: u64) -> io::Result<Files> {
    disk.create_folder(FOLDER)?;
    if options.sync {
        disk.sync_folder("")?;
    }
    for name in found::unfinished(&*disk)? {
        disk.remove(&name)?;
    }
    let found = found::find(&*disk)?;
    let mut table = Table::default();
    table.next_number = found.last().map_or(1, |last| last.number.saturating_add(1));
    table.trimmed = from;
    let is_used = |found: &&Found| matches!(found.state, State::Used(_));
    let last_used = found.iter().rfind(is_used).map(|last| last.number);
    let mut next_base = end;
    let mut is_behind_end = true;
    for found in found.iter().rev() {
        let is_needed = match found.state {
            // Tells where the log goes on, until the next file does.
            _ if last_used == Some(found.number) => true,
            State::Prepared => false,
            // Begins at the end: it was opened and nothing was written that counts.
            State::Used(header) if header.base >= end => false,
            State::Used(_) | State::Unknown => next_base > from,
        };
        if is_needed {
            // One that does not say where it begins is kept as long as the one behind it.
            let base = match found.state {
                State::Used(header) => header.base,
                _ => next_base,
            };
            if options.sync {
                make_durable(&*disk, found, is_behind_end)?;
            }
            table.kept.push_front(Kept {
                number: found.number,
                base,
                bytes: found.size,
            });
            is_behind_end &= base >= end;
            next_base = base;
        } else {
            table.retire(found.number, found.size, options.segment_bytes);
        }
    }
    doom_excess(&mut table, options);
    Ok(Files::new(disk, options, table))
}

/// Makes sure that what was read of a file is on the disk. Where the log ended, an earlier run may have
/// failed to sync: the system then shows what was written, takes it for synced, and only writes it if it is
/// written again.
fn make_durable(disk: &dyn Disk, found: &Found, may_have_failed: bool) -> io::Result<()> {
    let file = disk.open(&found.name)?;
    if may_have_failed && matches!(found.state, State::Used(_)) {
        let (start, end) = last_batch(&*file, found)?;
        write_again(&*file, 0, SEGMENT_HEADER as u64)?;
        write_again(&*file, start, end)?;
    }
    file.sync()
}

/// From where to where the last batch with records stands, and what follows it.
fn last_batch(file: &dyn File, found: &Found) -> io::Result<(u64, u64)> {
    let mut bytes = [0; BATCH_HEADER];
    let (mut start, mut end) = (SEGMENT_HEADER as u64, SEGMENT_HEADER as u64);
    while file.read(&mut bytes, end)? == BATCH_HEADER
        && let Some(batch) = BatchHeader::decode(&bytes, found.number, end)
    {
        if batch.payload > 0 {
            start = end;
        }
        end = end
            .saturating_add(BATCH_HEADER as u64 + batch.payload)
            .min(found.size);
    }
    Ok((start, end))
}

fn write_again(file: &dyn File, start: u64, end: u64) -> io::Result<()> {
    const STEP: u64 = 1 << 20;
    let mut bytes = vec![0; usize::try_from(STEP.min(end.saturating_sub(start))).unwrap_or_default()];
    let mut at = start;
    while at < end {
        let wanted = usize::try_from((end - at).min(STEP)).unwrap_or_default();
        let Some(place) = bytes.get_mut(..wanted) else {
            break;
        };
        let read = file.read(place, at)?;
        let Some(read) = place.get(..read).filter(|read| !read.is_empty()) else {
            break;
        };
        file.write(read, at)?;
        at += read.len() as u64;
    }
    Ok(())
}

/// Files at hand are no reason to pass the limit.
fn doom_excess(table: &mut Table, options: &Options) {
    let kept: u64 = table.kept.iter().map(|kept| kept.bytes).sum();
    let room = options.log_bytes_max.saturating_sub(kept) / options.segment_bytes.max(1);
    while table.free.len() as u64 > room.max(1)
        && let Some(number) = table.free.pop()
    {
        table.doomed.push((file_name(number), options.segment_bytes));
    }
}
