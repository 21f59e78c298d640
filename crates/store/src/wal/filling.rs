//! A file of the log in the making: its space is taken, its zeros are written piece by piece.
//!
//! The first write into a block of a file costs more than the next, so a file is filled with zeros before it
//! is used. All at once that would keep the disk busy for a tenth of a second and more, and every commit with
//! it. So it goes by pieces, as fast as the file before it fills up and no faster, unless nobody commits.

use crate::disk::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most that is written and synced at a time: about as long as five commits.
const PIECE_BYTES_MAX: u64 = 1 << 20;
/// The least: about as long as one. Of small files, a part of them.
const PIECE_BYTES_MIN: u64 = 64 << 10;
const PIECES_MAX: u64 = 16;

static ZEROS: [u8; PIECE_BYTES_MIN as usize] = [0; PIECE_BYTES_MIN as usize];

/// A file that is being filled with zeros.
#[derive(Clone)]
pub(super) struct Filling {
    pub(super) file: Arc<dyn File>,
    /// The name that it has until it is ready.
    pub(super) name: String,
    pub(super) size: u64,
    /// So many bytes are zeros on the disk.
    pub(super) done: u64,
}

impl Filling {
    /// Writes the next piece; it is not synced.
    pub(super) fn write(&mut self, bytes: u64) -> io::Result<()> {
        let end = self.size.min(self.done.saturating_add(bytes));
        while self.done < end {
            let rest = usize::try_from(end - self.done).unwrap_or(usize::MAX);
            let zeros = ZEROS.get(..rest).unwrap_or(&ZEROS);
            self.file.write(zeros, self.done)?;
            self.done += zeros.len() as u64;
        }
        Ok(())
    }
}

/// How far the next file should be, by what was written into the present one.
#[derive(Debug, Default)]
pub(super) struct Pace {
    commits: AtomicU64,
    offset: AtomicU64,
}

/// The file that is being written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present {
    /// Batches of the log so far.
    pub(super) commits: u64,
    /// Bytes of the file that are in use.
    pub(super) offset: u64,
    /// Its size.
    pub(super) capacity: u64,
}

impl Pace {
    /// By how much the present file grew since this was last asked.
    pub(super) fn growth(&self, present: Present) -> u64 {
        let before = self.offset.swap(present.offset, Ordering::Relaxed);
        present.offset.checked_sub(before).unwrap_or(present.offset)
    }

    /// Whether nobody committed since this was last asked.
    pub(super) fn is_idle(&self, commits: u64) -> bool {
        self.commits.swap(commits, Ordering::Relaxed) == commits
    }

    /// How much of a file is to be filled that is not the next one.
    pub(super) fn spare_piece(&self, commits: u64, size: u64, done: u64) -> u64 {
        match self.is_idle(commits) {
            true => PIECE_BYTES_MAX.min(size - done),
            false => 0,
        }
    }

    /// How much of the next file is to be filled now, of `size` bytes of which `done` are. It looks ahead by
    /// as much as the present file grew, and by half of what is in use, so that the next file is full of
    /// zeros well before the present one is full.
    ///
    /// While nobody commits it is only the first piece of a call: perhaps everybody waits for the caller.
    pub(super) fn piece(&self, present: Present, growth: u64, size: u64, done: u64, is_first: bool) -> u64 {
        let Present {
            commits,
            offset,
            capacity,
        } = present;
        if self.is_idle(commits) {
            return if is_first {
                PIECE_BYTES_MAX.min(size - done)
            } else {
                0
            };
        }
        let ahead =
            u128::from(offset.saturating_add(growth)) * 2 * u128::from(size) / u128::from(capacity.max(1));
        let target = u64::try_from(ahead).unwrap_or(u64::MAX).saturating_add(size / 8);
        let missing = target.min(size).saturating_sub(done);
        if missing == 0 {
            return 0;
        }
        let least = PIECE_BYTES_MIN.min(size / PIECES_MAX).max(1);
        missing.clamp(least, PIECE_BYTES_MAX).min(size - done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn present(commits: u64, offset: u64) -> Present {
        let capacity = 64 * MIB;
        Present {
            commits,
            offset,
            capacity,
        }
    }

    /// Lets the log grow by `step` at a time, fills what is asked for in between, and answers how much of
    /// the next file was filled when so much of the present one was in use.
    fn filled(step: u64, used: u64) -> u64 {
        let pace = Pace::default();
        let (mut done, mut offset, mut commits) = (0, 0, 0);
        while offset < used {
            offset += step;
            let growth = pace.growth(present(commits, offset));
            loop {
                // Whoever commits goes on meanwhile.
                commits += 1;
                let piece = pace.piece(present(commits, offset), growth, 64 * MIB, done, true);
                done += piece;
                if piece == 0 || done == 64 * MIB {
                    break;
                }
            }
        }
        done
    }

    #[test]
    fn the_next_file_is_filled_as_the_present_one_fills_up() {
        assert_eq!(filled(32 << 10, 64 << 10), 8 * MIB + (192 << 10));
        assert!((24 * MIB..26 * MIB).contains(&filled(32 << 10, 8 * MIB)));
        assert_eq!(filled(32 << 10, 29 * MIB), 64 * MIB, "well before it is needed");
        assert_eq!(
            filled(16 * MIB, 16 * MIB),
            64 * MIB,
            "at once when there is no time"
        );
    }

    #[test]
    fn pieces_are_small_while_there_is_time_and_none_passes_the_end() {
        let pace = Pace::default();
        let piece = |commits, offset, done| pace.piece(present(commits, offset), 0, 64 * MIB, done, true);
        assert_eq!(piece(1, 0, 8 * MIB), 0);
        assert_eq!(piece(2, 1000, 8 * MIB), PIECE_BYTES_MIN);
        assert_eq!(piece(3, 20 * MIB, 8 * MIB), PIECE_BYTES_MAX);
        assert_eq!(piece(4, 60 * MIB, 64 * MIB - 5), 5);
        assert_eq!(piece(5, 60 * MIB, 64 * MIB), 0);
    }

    #[test]
    fn while_nobody_commits_it_goes_on() {
        let pace = Pace::default();
        let piece = |done, is_first| pace.piece(present(7, 0), 0, 64 * MIB, done, is_first);
        assert_eq!(piece(8 * MIB, true), 0);
        assert_eq!(piece(8 * MIB, true), PIECE_BYTES_MAX);
        assert_eq!(piece(8 * MIB, false), 0, "one piece a call");
        assert_eq!(piece(64 * MIB - 5, true), 5);
    }
}
