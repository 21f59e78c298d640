//! What the input does to the files of a folder, step by step.

use crate::lie;
use crate::sim_disk::SimDisk;
use warren_store::disk::Disk;

/// No file is made larger by it, so that a run stays short.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// Names that a start looks for.
const NAMES: [&str; 8] = [
    "checkpoint",
    "checkpoint.copy",
    "checkpoint.new",
    "log/00000000000000000001.log",
    "log/00000000000000000007.log",
    "log/18446744073709551615.log",
    "extents/00000000000000000001.ext",
    "extents/18446744073709551615.ext",
];

/// The input, read from front to back; zeros behind its end.
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn u8(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// A number below `end`, or 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(u16::from_le_bytes(self.array()))
            .checked_rem(end)
            .unwrap_or(0)
    }

    /// A number at which things go wrong, or any.
    pub(crate) fn number(&mut self) -> u64 {
        match self.u8() {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => u64::MAX - 1,
            4 => 1 << 63,
            5 => 1 << 32,
            6 => u64::from(u32::MAX),
            7..=31 => u64::from_le_bytes(self.array()),
            near => u64::from(near) << (near % 8),
        }
    }

    /// The next bytes, fewer at the end; at most 255.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.u8()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (head, rest) = self.0.split_at(N.min(self.0.len()));
        bytes[..head.len()].copy_from_slice(head);
        self.0 = rest;
        bytes
    }
}

/// Does the next thing. Answers whether it told a lie.
pub(crate) fn step(disk: &SimDisk, script: &mut Script<'_>) -> bool {
    let what = script.u8();
    if what % 12 == 11 {
        put(
            disk,
            NAMES[usize::from(script.u8()) % NAMES.len()],
            script.bytes(),
        );
        return false;
    }
    let files = disk.files();
    let Some(file) = files.get(usize::from(script.u8()) % files.len().max(1)) else {
        return false;
    };
    let length = disk.bytes(file).len();
    // What is at the end of a file that was made ahead is empty.
    let at = script.below(length);
    match what % 12 {
        0 => disk.flip(file, at, 1 << (script.u8() % 8)),
        1 => disk.cut(file, at),
        2 => disk.zero(file, at, 1 << (script.u8() % 13)),
        3 => disk.duplicate(file, at, script.below(length), 1 << (script.u8() % 13)),
        4 => {
            let bytes = script.bytes();
            disk.damage(file, |file| overwrite(file, at, bytes));
        }
        5 => drop(disk.remove(file)),
        6 => {
            let other = &files[usize::from(script.u8()) % files.len()];
            let bytes = disk.bytes(other);
            disk.damage(file, |file| file.clone_from(&bytes));
        }
        7 => {
            let bytes = script.bytes();
            disk.damage(file, |file| {
                let more = bytes
                    .iter()
                    .copied()
                    .cycle()
                    .take(FILE_BYTES_MAX - file.len().min(FILE_BYTES_MAX));
                file.extend(more.take(at));
            });
        }
        // A block of another file, or of another place.
        8 => {
            let other = disk.bytes(&files[usize::from(script.u8()) % files.len()]);
            let from = script.below(other.len());
            let block = &other[from..other.len().min(from + 4096)];
            disk.damage(file, |file| overwrite(file, at, block));
        }
        _ => {
            let mut bytes = disk.bytes(file);
            let told = lie::tell(file, &mut bytes, script);
            disk.damage(file, |file| file.clone_from(&bytes));
            return told;
        }
    }
    false
}

fn overwrite(file: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in file.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

fn put(disk: &SimDisk, name: &str, bytes: &[u8]) {
    for folder in ["log", "extents"] {
        // It is there already, but for the empty folder.
        let _ = disk.create_folder(folder);
    }
    let _ = disk.remove(name);
    if let Ok(file) = disk.create(name, bytes.len() as u64) {
        // A disk in memory that was not told to fail.
        let _ = file.write(bytes, 0);
    }
}
