//! Folders of a later version: refused by whoever meets them, and left as they are.
//!
//! Here and in `docs/storage-format.md`, not in the code, stands where version and checksum are. Later
//! versions keep their places.

use std::fs;
use std::path::{Path, PathBuf};

use super::client::{numbers, take_all};
use super::{check, contents_but_lock, extents, files, stopped_with_extents};
use crate::program::Program;

/// Where every header has its version.
const VERSION: usize = 8;

/// Bytes of the header of a file of the log, and of the heads and feet of all others.
const LOG_HEADER_BYTES: usize = 4096;
const HEAD_BYTES: usize = 64;

/// More than one file of the log has room for.
const MESSAGES: u64 = 200;

/// CRC-32C, bit by bit.
fn crc32c(bytes: impl IntoIterator<Item = u8>) -> u32 {
    let crc = bytes.into_iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| match crc & 1 {
            1 => crc >> 1 ^ 0x82F6_3B78,
            _ => crc >> 1,
        })
    });
    !crc
}

#[test]
fn the_checksum_is_castagnolis() {
    assert_eq!(crc32c(*b"123456789"), 0xE306_9283);
}

/// Makes a head that begins at a place one of a later version.
fn raise_head(bytes: &mut [u8], at: usize) {
    let head = &mut bytes[at..at + HEAD_BYTES];
    let crc = |head: &[u8]| crc32c(head[..60].iter().copied()).to_le_bytes();
    assert_eq!(head[60..], crc(head), "the checksum of the head stands elsewhere");
    head[VERSION] += 1;
    let sum = crc(head);
    head[60..].copy_from_slice(&sum);
}

/// The same for the header of a file of the log.
fn raise_log(bytes: &mut [u8]) {
    let header = &mut bytes[..LOG_HEADER_BYTES];
    let crc = |header: &[u8]| crc32c(header[..12].iter().chain(&header[16..]).copied()).to_le_bytes();
    assert_eq!(
        header[12..16],
        crc(header),
        "the checksum of the header stands elsewhere"
    );
    header[VERSION] += 1;
    let sum = crc(header);
    header[12..16].copy_from_slice(&sum);
}

/// Makes a file one of a later version, all of its heads.
fn raise(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    if file.extension().is_some_and(|ending| ending == "log") {
        raise_log(&mut bytes);
    } else {
        let last = bytes.len() - HEAD_BYTES;
        raise_head(&mut bytes, 0);
        raise_head(&mut bytes, last);
    }
    fs::write(file, bytes).unwrap();
}

/// Asserts that neither a start nor a check takes the folder, and that both leave it.
fn is_refused(program: &mut Program, what: &str) {
    let data = program.path("data");
    let before = contents_but_lock(&data);
    let folder = data.display().to_string();
    let parts = [
        &folder,
        "was written by a later version of Warren",
        what,
        "version 2",
        "--data-dir DIR",
    ];
    program.fail_again().says(73, &parts);
    assert!(contents_but_lock(&data) == before, "a start changed something");
    let checked = check(&data);
    assert_eq!((checked.status, checked.stdout.as_str()), (Some(73), ""));
    for part in parts {
        assert!(
            checked.stderr.contains(part),
            "no `{part}` in: {}",
            checked.stderr
        );
    }
    assert!(contents_but_lock(&data) == before, "a check changed something");
}

/// Raises some files of a folder, has them refused, puts them back, and asserts that nothing is lost.
fn each_is_refused(what: &str, choices: impl FnOnce(&Path) -> Vec<Vec<PathBuf>>) {
    let mut program = stopped_with_extents(MESSAGES);
    let data = program.path("data");
    let choices = choices(&data);
    assert!(!choices.is_empty());
    for files in choices {
        let before = contents_but_lock(&data);
        files.iter().for_each(|file| raise(&data.join(file)));
        is_refused(&mut program, what);
        for file in &files {
            fs::write(data.join(file), &before[file]).unwrap();
        }
    }
    program.start_again(&[]);
    let expected: Vec<u64> = (0..MESSAGES).collect();
    assert_eq!(numbers(&take_all(&mut program.peer(), "q")), expected);
}

#[test]
fn a_log_of_a_later_version_is_refused() {
    each_is_refused("log", |data| {
        let mut files = files(data);
        files.retain(|file| file.extension().is_some_and(|ending| ending == "log"));
        assert!(files.len() > 1, "{files:?}");
        let all = files.clone();
        let one_by_one = files.into_iter().map(|file| vec![file]);
        one_by_one.chain([all]).collect()
    });
}

#[test]
fn a_checkpoint_of_a_later_version_is_refused() {
    each_is_refused("checkpoint", |_| {
        let [one, other] = ["checkpoint", "checkpoint.copy"].map(PathBuf::from);
        vec![vec![one.clone(), other.clone()], vec![one], vec![other]]
    });
}

/// The last one tells: whoever wrote any of a later version wrote it, too.
#[test]
fn extents_of_a_later_version_are_refused() {
    each_is_refused("extents/", |data| {
        let all = extents(data);
        let last = all.iter().max().cloned().unwrap();
        vec![vec![last], all]
    });
}
