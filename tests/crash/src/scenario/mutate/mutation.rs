//! Damage to one file, and which bytes it changed.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::rng::Rng;

/// What a disk moves around as one.
const BLOCK: u64 = 4096;

#[derive(Clone, Copy, Debug)]
pub(super) enum Mutation {
    BitFlip,
    Truncate,
    Zeroed,
    Duplicated,
    Swapped,
}

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation::BitFlip,
    Mutation::Truncate,
    Mutation::Zeroed,
    Mutation::Duplicated,
    Mutation::Swapped,
];

/// What was done.
pub(super) struct Done {
    pub(super) at: u64,
    /// Where the other block is, if there are two.
    pub(super) other: Option<u64>,
    /// Bytes that are not what they were, or not there.
    pub(super) ranges: Vec<Range<u64>>,
}

impl Mutation {
    pub(super) fn is_cut(self) -> bool {
        matches!(self, Mutation::Truncate)
    }

    /// Damages a file: every second time where it has one of `places`, else anywhere in what is in use.
    pub(super) fn apply(self, path: &Path, places: &[u64], rng: &mut Rng) -> io::Result<Done> {
        let file = File::options().read(true).write(true).open(path)?;
        let length = file.metadata()?.len();
        let used = used_blocks(&file, length)?;
        let chosen = rng.pick(places).copied().filter(|_| rng.one_in(2));
        let any = rng.pick(&used).copied().unwrap_or(0);
        let block = chosen.map_or(any, |place| place - place % BLOCK);
        let other = rng.pick(&used).copied().unwrap_or(0);
        let within = block + rng.below(BLOCK.min(length - block).max(1));
        // A few bytes behind a place are the header that stands there.
        let within = chosen.map_or(within, |place| (place + rng.below(16)).min(length - 1));
        let mut done = Done {
            at: block,
            other: None,
            ranges: Vec::new(),
        };
        match self {
            Mutation::BitFlip => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, within)?;
                let flipped = byte.map(|byte| byte ^ (1 << rng.below(8)));
                file.write_all_at(&flipped, within)?;
                done.at = within;
                done.ranges.push(within..within + 1);
            }
            Mutation::Truncate => {
                file.set_len(within)?;
                done.at = within;
                done.ranges.push(within..length);
            }
            Mutation::Zeroed => {
                let zeros = vec![0; BLOCK.min(length - block) as usize];
                done.write(&file, block, &zeros)?;
            }
            Mutation::Duplicated => {
                let bytes = read_block(&file, other, length)?;
                done.other = Some(other);
                done.write(&file, block, &bytes)?;
            }
            Mutation::Swapped => {
                let one = read_block(&file, block, length)?;
                let two = read_block(&file, other, length)?;
                done.other = Some(other);
                done.write(&file, block, &two)?;
                done.write(&file, other, &one)?;
            }
        }
        Ok(done)
    }
}

impl Done {
    /// Writes, and notes what that changes.
    fn write(&mut self, file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
        // The last block of a file may be shorter than the one that is put over it, and grows.
        let mut before = vec![0; bytes.len()];
        let read = file.read_at(&mut before, at)?;
        file.write_all_at(bytes, at)?;
        for (nth, (old, new)) in before.iter().zip(bytes).enumerate() {
            if old == new && nth < read {
                continue;
            }
            let at = at + nth as u64;
            match self.ranges.last_mut() {
                Some(last) if last.end == at => last.end += 1,
                _ => self.ranges.push(at..at + 1),
            }
        }
        Ok(())
    }
}

fn read_block(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; BLOCK.min(length - at) as usize];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

/// Where the blocks begin that hold anything: damage to empty space proves little.
fn used_blocks(file: &File, length: u64) -> io::Result<Vec<u64>> {
    let mut used = Vec::new();
    for at in (0..length).step_by(BLOCK as usize) {
        if read_block(file, at, length)?.iter().any(|byte| *byte != 0) {
            used.push(at);
        }
    }
    Ok(used)
}
