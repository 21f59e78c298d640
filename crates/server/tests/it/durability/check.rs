//! `warren check` over folders that a broker left: what it says of sound ones and of damaged ones, and that
//! it changes neither.

use std::fs;
use std::path::{Path, PathBuf};

use super::client::{Message, Publisher, body};
use super::{Checked, End, LITTLE_MEMORY, check, check_unchanged, extents, files, start_small};
use crate::program::{Program, wait_for};

const BODY_BYTES: usize = 10 * 1024;

const MESSAGES: u64 = 40;

/// A folder with a queue. With little memory, some of it is in extents and known to a checkpoint; without,
/// all of it is in the log.
fn folder(settings: &[&str], end: End) -> Program {
    let mut program = start_small(settings);
    let mut publisher = Publisher::of(&program);
    publisher.peer.declare("q").unwrap();
    for number in 0..MESSAGES {
        // A commit each: it is the later ones that prove the earlier ones.
        publisher.publish_all([&Message::numbered("q", number, BODY_BYTES)]);
    }
    if settings.contains(&LITTLE_MEMORY) {
        let checkpoint = program.path("data/checkpoint.copy");
        wait_for("a checkpoint", || checkpoint.exists().then_some(()));
        assert!(!extents(&program.path("data")).is_empty());
    }
    publisher.peer.close().unwrap();
    end.of(&mut program);
    program
}

impl Checked {
    /// Where in a file damage is reported, in bytes.
    fn places_in(&self, file: &str) -> Vec<u64> {
        let begin = format!("  {file} at byte ");
        let places = self.stdout.lines().filter_map(|line| line.strip_prefix(&begin));
        let places = places.map(|rest| rest.split_once(':').unwrap().0.parse().unwrap());
        places.collect()
    }
}

#[test]
fn a_folder_of_a_broker_that_ended_is_sound() {
    for (end, closed) in [(End::Stop, "closed in an orderly way"), (End::Kill, "not closed")] {
        let program = folder(&[LITTLE_MEMORY], end);
        let checked = check_unchanged(&program.path("data"));
        let all = format!("{MESSAGES} messages");
        checked.says(0, &["sound: nothing is damaged"]);
        checked.says(0, &["log", closed]);
        checked.says(0, &["queue \"q\"", &all]);
        checked.says(0, &["user \"guest\""]);
    }
}

/// Flips a bit of a file.
fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

/// The file in which a message's body stands, among some, and where.
fn find(data: &Path, files: &[PathBuf], number: u64) -> (PathBuf, usize) {
    let body = body(number, BODY_BYTES);
    let find = |file: &PathBuf| {
        let bytes = fs::read(data.join(file)).unwrap();
        let at = bytes.windows(32).position(|window| window == &body[..32])?;
        Some((file.clone(), at))
    };
    files.iter().find_map(find).expect("the file with the message")
}

fn log_files(data: &Path) -> Vec<PathBuf> {
    let mut files = files(data);
    files.retain(|file| file.starts_with("log"));
    files
}

/// Damages the body of a message, and asserts that the message is told to be lost, and where.
fn is_told(program: &Program, number: u64, files_of: fn(&Path) -> Vec<PathBuf>) {
    let data = program.path("data");
    let (file, at) = find(&data, &files_of(&data), number);
    let name = file.to_str().unwrap();
    flip(&data.join(&file), at + BODY_BYTES / 2);
    let checked = check_unchanged(&data);
    checked.says(65, &["damaged: 1 place, 1 message known to be lost"]);
    let places = checked.places_in(name);
    // The beginning of what has the checksum: the part or the content, of which the body is the end.
    let is_near = |place: &u64| (at - 64..=at).contains(&(*place as usize));
    assert!(
        places.iter().all(is_near),
        "{places:?}, not {at}:\n{}",
        checked.stdout
    );
    assert_eq!(places.len(), 1, "{}", checked.stdout);
}

#[test]
fn a_flipped_bit_of_the_log_is_found() {
    // A stop makes a checkpoint, and what stands in the log before it is of no use any more.
    is_told(&folder(&[], End::Kill), MESSAGES / 2, log_files);
}

#[test]
fn a_flipped_bit_of_an_extent_is_found() {
    is_told(&folder(&[LITTLE_MEMORY], End::Stop), 0, extents);
}

#[test]
fn a_flipped_bit_of_a_checkpoint_is_found_and_costs_nothing() {
    for name in ["checkpoint", "checkpoint.copy"] {
        let program = folder(&[LITTLE_MEMORY], End::Stop);
        let data = program.path("data");
        let bytes = fs::metadata(data.join(name)).unwrap().len();
        for at in [70, bytes / 2, bytes - 1] {
            flip(&data.join(name), at as usize);
            let checked = check_unchanged(&data);
            checked.says(65, &[name, "at byte"]);
            checked.says(65, &["damaged: 1 place, 0 messages known to be lost"]);
            assert_eq!(checked.places_in(name).len(), 1, "{}", checked.stdout);
            flip(&data.join(name), at as usize);
        }
        check_unchanged(&data).says(0, &["sound"]);
    }
}

#[test]
fn files_that_are_missing_or_cut_off_are_found() {
    let program = folder(&[LITTLE_MEMORY], End::Stop);
    let data = program.path("data");
    let extent = &extents(&data)[0];
    let name = extent.to_str().unwrap();
    let bytes = fs::read(data.join(extent)).unwrap();
    fs::write(data.join(extent), &bytes[..bytes.len() / 2]).unwrap();
    check_unchanged(&data).says(65, &[name, "at byte"]);
    fs::remove_file(data.join(extent)).unwrap();
    check_unchanged(&data).says(65, &[name, "the file is missing"]);
}

#[test]
fn a_folder_that_is_not_there_is_not_made_and_an_empty_one_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let checked = check_unchanged(folder.path());
    checked.says(0, &["sound"]);
    assert!(files(folder.path()).is_empty());
    let missing = folder.path().join("missing");
    let checked = check(&missing);
    assert_eq!((checked.status, checked.stdout.as_str()), (Some(66), ""));
    assert!(
        checked.stderr.contains(missing.to_str().unwrap()),
        "{}",
        checked.stderr
    );
    assert!(!missing.exists());
}
