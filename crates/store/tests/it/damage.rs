//! Disks that go bad, and writes that were cut short.

use crate::model::{Entry, Model, OPTIONS, Seen, read};
use crate::sim_disk::{Random, SimDisk};
use std::sync::Arc;
use warren_store::{Damage, Log, Position, Replay, Tail, Wal};

const HEADER: usize = 4096;

/// A log of two files, with small batches, and what is in it.
struct Small {
    disk: SimDisk,
    entries: Vec<Entry>,
    /// The files with records, and how many bytes of each were written.
    files: Vec<(String, usize)>,
    end: u64,
}

fn append(wal: &Wal, entries: &mut Vec<Entry>, count: u64) {
    for nth in 0..count {
        wal.append(&mut |appender| {
            let number = entries.len() as u64;
            let position = appender.position().0;
            appender.begin(number, nth as u8);
            let parts: Vec<Vec<u8>> = (0..3)
                .map(|part| {
                    format!("part {part} of record {number}")
                        .repeat(1 + part)
                        .into_bytes()
                })
                .collect();
            for part in &parts {
                appender.part(|buffer| buffer.extend_from_slice(part));
            }
            appender.end();
            entries.push(Entry {
                position,
                end: appender.position().0,
                owner: number,
                kind: nth as u8,
                parts,
                append: number,
            });
        });
    }
    wal.commit().unwrap();
}

/// Where the last byte is that is no zero.
fn written(disk: &SimDisk, path: &str) -> usize {
    let bytes = disk.bytes(path);
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

fn small(is_closed: bool) -> Small {
    let disk = SimDisk::new(1);
    let mut entries = Vec::new();
    let open = || {
        let (_, damages, tail) = read(&disk, 0).unwrap();
        assert_eq!(damages, []);
        Wal::open(Arc::new(disk.clone()), OPTIONS, Position(0), &tail).unwrap()
    };
    let wal = open();
    append(&wal, &mut entries, 3);
    append(&wal, &mut entries, 1);
    drop(wal);
    let wal = open();
    append(&wal, &mut entries, 2);
    append(&wal, &mut entries, 2);
    if is_closed {
        wal.close(|| false).unwrap();
    }
    let end = wal.appended().0;
    let files = disk.files();
    let last = files.len() - 1;
    Small {
        files: files
            .into_iter()
            .enumerate()
            .map(|(nth, file)| {
                // A batch's header ends with zeros, behind the run or, if it closes, the flags.
                let zeros = if is_closed && nth == last {
                    64 - 49
                } else {
                    64 - 41
                };
                let size = written(&disk, &file) + zeros;
                (file, size)
            })
            .collect(),
        disk,
        entries,
        end,
    }
}

/// What is read, and that nothing of it is wrong: every record is one that was appended, once and in order,
/// with no part that is another's.
fn read_and_check(disk: &SimDisk, entries: &[Entry]) -> (Vec<Seen>, Vec<Damage>, Tail) {
    let (seen, damages, tail) = read(disk, 0).unwrap();
    let mut entries = entries.iter();
    for seen in &seen {
        // `find` goes on where it stopped: the order is checked with it.
        let entry = entries
            .find(|entry| entry.position == seen.position)
            .expect("invented");
        assert!(seen.is_what_is_left_of(entry), "{seen:?}\n{entry:?}");
    }
    (seen, damages, tail)
}

fn lost_parts(seen: &[Seen]) -> usize {
    seen.iter()
        .flat_map(|seen| &seen.parts)
        .filter(|part| part.is_none())
        .count()
}

/// A log goes on behind damage, and what is written then is read back.
fn goes_on(disk: &SimDisk, tail: &Tail) {
    let wal = Wal::open(Arc::new(disk.clone()), OPTIONS, Position(0), tail).unwrap();
    let mut entries = Vec::new();
    append(&wal, &mut entries, 2);
    let (seen, _, _) = read(disk, tail.end.0).unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().zip(&entries).all(|(seen, entry)| seen.is(entry)));
}

#[test]
fn every_flipped_bit_is_reported_and_costs_no_more_than_a_record() {
    let mut flips = 0;
    for is_closed in [false, true] {
        let small = small(is_closed);
        let last = small.files.len() - 1;
        for (nth, (file, size)) in small.files.iter().enumerate() {
            // The last batches hold no records and declare what is before them. Nothing declares them.
            let undeclared = if is_closed && nth == last { 128 } else { 64 };
            for offset in 0..*size {
                for mask in [0x01, 0x80] {
                    flips += 1;
                    small.disk.flip(file, offset, mask);
                    let (seen, damages, tail) = read_and_check(&small.disk, &small.entries);
                    let lost = small.entries.len() - seen.len();
                    let place = format!("{file} {offset} of {size}: {lost} {damages:?}");
                    assert!(lost + lost_parts(&seen) <= 1, "{place}");
                    assert_eq!(tail.end.0, small.end, "{place}");
                    if offset < size - undeclared {
                        assert!(!damages.is_empty(), "{place}");
                        assert!(damages.iter().all(|damage| damage.file == *file), "{place}");
                    } else {
                        assert_eq!(lost + lost_parts(&seen), 0, "{place}");
                    }
                    if offset % 41 == 0 && mask == 1 {
                        goes_on(&small.disk.kill(), &tail);
                    }
                    small.disk.flip(file, offset, mask);
                }
            }
        }
        assert_eq!(read_and_check(&small.disk, &small.entries).1, []);
    }
    println!("{flips} flips");
}

#[test]
fn a_last_batch_that_is_torn_at_any_byte_is_cut_silently() {
    let disk = SimDisk::new(1);
    let (_, _, tail) = read(&disk, 0).unwrap();
    let wal = Wal::open(Arc::new(disk.clone()), OPTIONS, Position(0), &tail).unwrap();
    let mut entries = Vec::new();
    append(&wal, &mut entries, 2);
    append(&wal, &mut entries, 1);
    let file = disk.files().remove(0);
    let (before, start) = (disk.bytes(&file), written(&disk, &file));
    let durable = wal.durable().0;
    let whole = entries.len();
    append(&wal, &mut entries, 3);
    let after = disk.bytes(&file);
    // The batch, without the one that declares it durable.
    let batch = 64 + (wal.durable().0 - durable) as usize;
    let first = after
        .iter()
        .zip(&before)
        .position(|(new, old)| new != old)
        .unwrap();
    assert!(first >= start);
    for length in 0..batch {
        let torn = |bytes: &mut Vec<u8>| {
            bytes.copy_from_slice(&before);
            bytes[first..first + length].copy_from_slice(&after[first..first + length]);
        };
        disk.damage(&file, torn);
        let (seen, damages, tail) = read_and_check(&disk, &entries);
        assert_eq!((seen.len(), damages), (whole, vec![]), "length {length}");
        assert_eq!(tail.end.0, durable);
        assert!(!tail.is_closed);
        assert_eq!(tail.torn_bytes > 0, length >= 64 - 23, "length {length}");
        if length % 7 == 0 {
            goes_on(&disk.kill(), &tail);
        }
        // The other way round: the end is there, the beginning is not.
        disk.damage(&file, |bytes| {
            bytes.copy_from_slice(&before);
            bytes[first + 1 + length..first + batch]
                .copy_from_slice(&after[first + 1 + length..first + batch]);
        });
        let (seen, damages, _) = read_and_check(&disk, &entries);
        assert_eq!((seen.len(), damages), (whole, vec![]), "length {length}");
    }
}

#[test]
fn blocks_that_are_zeroed_moved_or_copied_are_reported() {
    let mut random = Random::new(7);
    let mut changes = 0;
    for seed in 0..60 {
        let (disk, entries, files) = large(seed);
        for _ in 0..60 {
            let disk = disk.kill();
            let (file, size) = &files[random.below(files.len() as u64) as usize];
            let block = [64, 512, 4096][random.below(3) as usize];
            let place = |random: &mut Random| random.below(*size as u64) as usize / block * block;
            let (from, to) = (place(&mut random), place(&mut random));
            match random.below(4) {
                0 => disk.zero(file, to, block),
                1 => disk.duplicate(file, from, to, block),
                2 => disk.damage(file, |bytes| {
                    // Swapped with the one behind.
                    let end = (to + 2 * block).min(bytes.len());
                    if end - to == 2 * block {
                        bytes[to..end].rotate_left(block);
                    }
                }),
                _ => disk.damage(file, |bytes| {
                    for byte in bytes.iter_mut().skip(to).take(block) {
                        *byte = 0xB7;
                    }
                }),
            }
            changes += 1;
            let (seen, damages, tail) = read_and_check(&disk, &entries);
            let is_whole = seen.len() == entries.len() && lost_parts(&seen) == 0;
            // Nobody can miss what is lost together with all that tells of it.
            let is_end = *file == files[files.len() - 1].0 && to + 2 * block > size - 64;
            let is_cut = seen.iter().zip(&entries).all(|(seen, entry)| seen.is(entry));
            let is_known = is_whole || !damages.is_empty() || (is_end && is_cut);
            assert!(is_known, "seed {seed}, {file} {to}: silent loss");
            goes_on(&disk, &tail);
        }
    }
    println!("{changes} changes");
}

/// A closed log of several files, its records, and its files with the bytes that count.
fn large(seed: u64) -> (SimDisk, Vec<Entry>, Vec<(String, usize)>) {
    let disk = SimDisk::new(seed);
    let mut random = Random::new(seed);
    let mut model = Model::default();
    let (_, _, tail) = read(&disk, 0).unwrap();
    let wal = Wal::open(Arc::new(disk.clone()), OPTIONS, Position(0), &tail).unwrap();
    for _ in 0..25 {
        model.append(&wal, &mut random);
        if random.chance(60) {
            wal.commit().unwrap();
        }
        if random.chance(30) {
            let _ = wal.prepare();
        }
    }
    wal.close(|| false).unwrap();
    // Without the last batch: it is declared by none.
    let files = disk.files().into_iter();
    let files = files
        .map(|file| {
            let size = written(&disk, &file);
            (file, size)
        })
        .filter(|(_, size)| *size > HEADER)
        .collect();
    (disk, model.entries, files)
}

#[test]
fn a_file_that_was_cut_off_is_reported() {
    let small = small(true);
    for (file, _) in &small.files {
        for size in (0..OPTIONS.segment_bytes as usize).step_by(97) {
            let disk = small.disk.kill();
            disk.cut(file, size);
            let (seen, damages, tail) = read_and_check(&disk, &small.entries);
            assert!(damages.iter().any(|damage| damage.file == *file), "{file} {size}");
            if size > 8192 {
                assert_eq!(seen.len(), small.entries.len(), "only space was lost");
            }
            goes_on(&disk, &tail);
        }
    }
}

#[test]
fn a_file_that_is_missing_is_reported() {
    let small = small(true);
    let (first, last) = (&small.files[0].0, &small.files[1].0);
    let disk = small.disk.kill();
    warren_store::disk::Disk::remove(&disk, first).unwrap();
    let (seen, damages, tail) = read_and_check(&disk, &small.entries);
    assert_eq!((seen.len(), tail.end.0), (4, small.end));
    assert_eq!((damages.len(), &damages[0].file), (1, last));
    goes_on(&disk, &tail);
    // All of them, although a checkpoint says that there must be some.
    let disk = SimDisk::new(1);
    let (_, damages, tail) = read(&disk, 77).unwrap();
    assert_eq!((damages.len(), tail.end), (1, Position(77)));
}

#[test]
fn what_is_before_the_beginning_is_not_needed() {
    let small = small(true);
    let from = small.entries[5].position;
    warren_store::disk::Disk::remove(&small.disk, &small.files[0].0).unwrap();
    let (seen, damages, _) = read(&small.disk, from).unwrap();
    assert_eq!((seen.len(), damages), (3, vec![]));
}

#[test]
fn a_newer_version_is_an_error_that_says_so() {
    let small = small(true);
    small.disk.damage(&small.files[1].0, |bytes| {
        bytes[8] = 2;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..HEADER]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    });
    let error = Replay::open(&small.disk).err().unwrap();
    assert_eq!(
        error.to_string(),
        "log/00000000000000000002.log has format version 2, this program reads up to 1"
    );
}
