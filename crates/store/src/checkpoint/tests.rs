//! Tests of checkpoints: one file may be damaged anywhere, and power may be cut at any time.

use super::layout::{End, FILES, Head, ROW_BYTES};
use super::*;
use crate::damage::Damage;
use crate::memory_disk::{MemoryDisk, digest};
use proptest::prelude::*;
use std::io;
use std::time::Instant;

fn entries(count: u64, salt: u64) -> Vec<Entry> {
    let entry = |index: u64| Entry {
        owner: index * 3,
        kind: (index % 5) as u8,
        bytes: (0..index * 7 % 40)
            .map(|byte| (byte * salt + index) as u8)
            .collect(),
    };
    (0..count).map(entry).collect()
}

fn write(disk: &MemoryDisk, entries: &[Entry]) -> Result<(), Failed> {
    let mut writer = Writer::new();
    for entry in entries {
        writer.entry(entry.owner, entry.kind, |bytes| {
            bytes.extend_from_slice(&entry.bytes)
        });
    }
    writer.finish(disk)
}

fn written(entries: &[Entry]) -> (MemoryDisk, Vec<u8>) {
    let disk = MemoryDisk::default();
    write(&disk, entries).unwrap();
    let bytes = disk.contents(FILES[0]);
    assert_eq!(bytes, disk.contents(FILES[1]));
    (disk, bytes)
}

fn read_all(disk: &MemoryDisk) -> (io::Result<Option<Vec<Entry>>>, Vec<Damage>) {
    let mut damage = Vec::new();
    let entries = read(disk, &mut |found| damage.push(found));
    (entries, damage)
}

fn read_whole(disk: &MemoryDisk) -> Option<Vec<Entry>> {
    let (entries, damage) = read_all(disk);
    assert_eq!(damage, []);
    entries.unwrap()
}

fn flipped(bytes: &[u8], place: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[place] ^= 0x10;
    bytes
}

#[test]
fn what_is_written_is_read() {
    let disk = MemoryDisk::default();
    assert_eq!(read_whole(&disk), None);
    for count in [0, 1, 50, 3] {
        write(&disk, &entries(count, 1)).unwrap();
        assert_eq!(read_whole(&disk), Some(entries(count, 1)));
    }
}

#[test]
fn the_format_is_the_one_that_is_documented() {
    let (_, bytes) = written(&entries(4, 1));
    // Whoever changes the format changes its version, and docs/storage-format.md.
    assert_eq!((bytes.len(), digest(&bytes)), (298, 0x2285_C2BD_1F85_93EA));
}

#[test]
fn one_file_may_be_damaged_anywhere() {
    let expected = entries(12, 1);
    let (disk, bytes) = written(&expected);
    for name in FILES {
        for place in 0..bytes.len() {
            for damaged in [flipped(&bytes, place), bytes[..place].to_vec()] {
                disk.set_contents(name, damaged);
                let (read, damage) = read_all(&disk);
                assert_eq!(read.unwrap().as_ref(), Some(&expected), "{name}, byte {place}");
                assert!(
                    !damage.is_empty() && damage.iter().all(|damage| damage.file == name),
                    "{damage:?}"
                );
            }
        }
        disk.set_contents(name, bytes.clone());
    }
}

#[test]
fn zeroed_and_exchanged_pages_of_one_file_cost_nothing() {
    let expected = entries(2000, 1);
    let (disk, bytes) = written(&expected);
    let pages = bytes.len() / 4096;
    for page in 0..pages {
        let range = page * 4096..(page + 1) * 4096;
        let mut zeroed = bytes.clone();
        zeroed[range.clone()].fill(0);
        let mut exchanged = bytes.clone();
        let (front, back) = exchanged.split_at_mut((pages - 1) * 4096);
        if let Some(front) = front.get_mut(range.clone()) {
            front.swap_with_slice(&mut back[..4096]);
        }
        for damaged in [zeroed, exchanged] {
            let is_same = damaged == bytes;
            disk.set_contents(FILES[page % 2], damaged);
            let (read, damage) = read_all(&disk);
            assert_eq!(read.unwrap().as_ref(), Some(&expected));
            assert_eq!(damage.is_empty(), is_same);
        }
        disk.set_contents(FILES[page % 2], bytes.clone());
    }
    disk.spoil(FILES[0], 4096..9000);
    let (read, damage) = read_all(&disk);
    assert_eq!(read.unwrap(), Some(expected));
    assert!(!damage.is_empty());
}

#[test]
fn what_is_damaged_in_both_files_is_lost_and_told() {
    let expected = entries(12, 1);
    let (disk, bytes) = written(&expected);
    let area = 64 + 12 * ROW_BYTES;
    // The same entry: 7, whose bytes are 0..(7 * 7 % 40) behind those of the entries before it.
    let before: usize = expected[..7].iter().map(|entry| entry.bytes.len()).sum();
    for places in [
        [area + before, area + before + 1],
        [64 + 7 * ROW_BYTES, 64 + 7 * ROW_BYTES + 9],
        [64 + 7 * ROW_BYTES, area + before],
    ] {
        disk.set_contents(FILES[0], flipped(&bytes, places[0]));
        disk.set_contents(FILES[1], flipped(&bytes, places[1]));
        let (read, damage) = read_all(&disk);
        let read = read.unwrap().unwrap();
        let is_lost = places != [64 + 7 * ROW_BYTES, area + before];
        let mut left = expected.clone();
        if is_lost {
            left.remove(7);
        }
        let told = damage
            .iter()
            .any(|damage| damage.what.starts_with("entry 7,") && damage.what.ends_with("lost"));
        // A row from one file and the bytes from the other still make an entry.
        assert_eq!((read, told), (left, is_lost), "{damage:?}");
    }
}

#[test]
fn two_files_that_are_damaged_beyond_reading_are_an_error() {
    let (disk, bytes) = written(&entries(12, 1));
    for name in FILES {
        disk.set_contents(name, vec![0; bytes.len()]);
    }
    let (read, damage) = read_all(&disk);
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(damage.len(), 4);
}

#[test]
fn a_missing_file_is_told_unless_a_power_cut_explains_it() {
    use crate::disk::Disk;
    let (disk, _) = written(&entries(3, 1));
    disk.remove(FILES[1]).unwrap();
    assert_eq!(read_whole(&disk), Some(entries(3, 1)));
    // Where one was missing the next may come to lack it in the same way.
    write(&disk, &entries(2, 1)).unwrap();
    disk.remove(FILES[1]).unwrap();
    assert_eq!(read_whole(&disk), Some(entries(2, 1)));
    write(&disk, &entries(4, 1)).unwrap();
    write(&disk, &entries(4, 1)).unwrap();
    for name in FILES {
        let bytes = disk.contents(name);
        disk.remove(name).unwrap();
        let (read, damage) = read_all(&disk);
        assert_eq!(read.unwrap(), Some(entries(4, 1)));
        assert_eq!(damage.len(), 1);
        disk.set_contents(name, bytes);
    }
}

#[test]
fn entries_of_two_checkpoints_are_never_mixed() {
    let (disk, _) = written(&entries(12, 1));
    let (_, newer) = written(&entries(12, 2));
    disk.set_contents(FILES[0], newer.clone());
    assert_eq!(read_whole(&disk), Some(entries(12, 2)));
    for place in 0..newer.len() {
        disk.set_contents(FILES[0], flipped(&newer, place));
        let (read, damage) = read_all(&disk);
        let read = read.unwrap().unwrap();
        assert!(read == entries(12, 1) || read == entries(12, 2), "byte {place}");
        assert!(!damage.is_empty());
    }
}

#[test]
fn a_newer_format_version_is_an_error_of_its_own() {
    let (disk, mut bytes) = written(&entries(3, 1));
    bytes[8] = 2;
    crate::bytes::seal(&mut bytes[..64], 0);
    disk.set_contents(FILES[0], bytes);
    let error = read_all(&disk).0.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "checkpoint has format version 2, this program reads up to 1"
    );
}

#[test]
fn lengths_that_pass_their_checksums_are_not_believed() {
    let (disk, bytes) = written(&entries(3, 1));
    let head = Head {
        is_first: true,
        entries: u64::MAX / 64,
        length: u64::MAX,
        identity: 0,
    };
    let mut bytes = bytes;
    bytes[..64].copy_from_slice(&head.encode(End::Front));
    for name in FILES {
        disk.set_contents(name, bytes.clone());
    }
    let (read, damage) = read_all(&disk);
    assert_eq!(read.unwrap(), Some(Vec::new()));
    assert!(damage.iter().any(|damage| damage.what.contains("cut off")));
}

#[test]
fn a_full_disk_leaves_the_old_checkpoint_and_can_be_tried_again() {
    let (disk, _) = written(&entries(3, 1));
    disk.set_full(true);
    assert!(matches!(write(&disk, &entries(4, 1)), Err(Failed::Space(_))));
    assert_eq!(read_whole(&disk), Some(entries(3, 1)));
    disk.set_full(false);
    write(&disk, &entries(4, 1)).unwrap();
    assert_eq!(read_whole(&disk), Some(entries(4, 1)));
}

#[test]
fn a_power_cut_at_any_point_leaves_the_old_or_the_new_checkpoint() {
    let mut random = 1u64;
    let mut keeps = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        random >> 62 < 2
    };
    let old_ones = [None, Some(entries(30, 1))];
    for old in old_ones {
        for passes in 0..20 {
            let disk = MemoryDisk::default();
            if let Some(old) = &old {
                write(&disk, old).unwrap();
            }
            disk.fail_after(passes);
            let result = write(&disk, &entries(40, 2));
            for _ in 0..30 {
                let after = disk.cut(&mut keeps);
                let read = read_whole(&after);
                let is_new = read == Some(entries(40, 2));
                assert!(is_new || (read == old && result.is_err()), "operation {passes}");
                // And the next one can be written.
                write(&after, &entries(5, 3)).unwrap();
                assert_eq!(read_whole(&after), Some(entries(5, 3)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_damaged_nothing_wrong_is_read(
        sizes in prop::collection::vec(0usize..500, 0..80),
        flips in prop::collection::vec((0usize..2, any::<prop::sample::Index>(), 1u8..=255), 0..12),
        cuts in prop::collection::vec((0usize..2, any::<prop::sample::Index>()), 0..2),
    ) {
        let entry = |(index, size): (usize, &usize)| Entry {
            owner: index as u64,
            kind: 1,
            bytes: vec![index as u8; *size],
        };
        let expected: Vec<Entry> = sizes.iter().enumerate().map(entry).collect();
        let (disk, bytes) = written(&expected);
        let mut files = [bytes.clone(), bytes.clone()];
        for (file, place, flip) in flips {
            files[file][place.index(bytes.len())] ^= flip;
        }
        for (file, place) in cuts {
            let length = place.index(files[file].len().max(1));
            files[file].truncate(length);
        }
        let is_same = files.iter().all(|file| *file == bytes);
        let one_is_whole = files.contains(&bytes);
        for (name, bytes) in FILES.into_iter().zip(files) {
            disk.set_contents(name, bytes);
        }
        let (read, damage) = read_all(&disk);
        prop_assert_eq!(damage.is_empty(), is_same);
        match read {
            Ok(read) => {
                let read = read.unwrap();
                prop_assert!(read.iter().all(|entry| expected.contains(entry)));
                let told = damage.iter().filter(|damage| damage.what.ends_with("lost")).count();
                let cut_off = damage.iter().any(|damage| damage.what.contains("cut off"));
                prop_assert!(cut_off || read.len() + told == expected.len());
                prop_assert!(!one_is_whole || read == expected);
            }
            Err(error) => {
                prop_assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                prop_assert!(!one_is_whole);
            }
        }
    }
}

#[test]
fn a_hundred_thousand_entries_are_no_trouble() {
    let disk = MemoryDisk::default();
    let begin = Instant::now();
    let mut writer = Writer::new();
    for owner in 0..100_000 {
        writer.entry(owner, 1, |bytes| bytes.extend_from_slice(&[owner as u8; 500]));
    }
    writer.finish(&disk).unwrap();
    println!("written in {:?}", begin.elapsed());
    let begin = Instant::now();
    let read = read_whole(&disk).unwrap();
    println!("read in {:?}", begin.elapsed());
    assert!(read.len() == 100_000 && read.iter().all(|entry| entry.bytes == [entry.owner as u8; 500]));
}
