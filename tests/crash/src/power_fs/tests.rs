//! What is synced survives every cut, and what is not may be lost: else the cuts would prove nothing.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::state::{ROOT, State};
use crate::rng::Rng;

/// A folder that goes with the test.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn state(name: &str) -> (State, Scratch) {
    let folder = std::env::temp_dir().join(format!("warren-power-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    (State::new(folder.clone()), Scratch(folder))
}

fn name(text: &str) -> &OsStr {
    OsStr::new(text)
}

#[test]
fn what_is_written_is_read_before_and_after_a_sync() {
    let (mut state, _scratch) = state("read");
    let file = state.create(ROOT, name("a"), 0o600).unwrap();
    state.write(file, 0, b"hello world").unwrap();
    state.write(file, 6, b"W").unwrap();
    assert_eq!(state.read(file, 0, 100).unwrap(), b"hello World");
    state.sync(file).unwrap();
    state.resize(file, 4).unwrap();
    state.resize(file, 6).unwrap();
    assert_eq!(state.read(file, 1, 100).unwrap(), b"ell\0\0");
    state.sync(file).unwrap();
    assert_eq!(state.read(file, 0, 100).unwrap(), b"hell\0\0");
    assert_eq!(state.read(file, 50, 100).unwrap(), b"");
}

#[test]
fn what_is_synced_survives_every_cut() {
    let mut rng = Rng::new(3);
    for round in 0..40 {
        let (mut state, _scratch) = state(&format!("keep{round}"));
        let folder = state.make_folder(ROOT, name("log"), 0o700).unwrap();
        let file = state.create(folder, name("a"), 0o600).unwrap();
        state.write(file, 0, &[7; 5000]).unwrap();
        state.sync(file).unwrap();
        state.sync_folder(folder);
        state.sync_folder(ROOT);
        state.write(file, 5000, &[8; 5000]).unwrap();
        state
            .rename((folder, name("a")), (folder, name("b")), true)
            .unwrap();
        state.cut(&mut rng).unwrap();
        let folder = state.lookup(ROOT, name("log")).unwrap();
        let old = state.lookup(folder, name("a")).ok();
        let new = state.lookup(folder, name("b")).ok();
        assert!(old.is_some() != new.is_some(), "a rename is whole");
        let file = old.or(new).unwrap();
        assert_eq!(state.read(file, 0, 5000).unwrap(), [7; 5000]);
    }
}

#[test]
fn what_is_not_synced_is_lost_kept_and_torn_at_sectors() {
    let mut rng = Rng::new(5);
    let (mut lost, mut kept, mut torn) = (0, 0, 0);
    for round in 0..60 {
        let (mut state, _scratch) = state(&format!("lose{round}"));
        let file = state.create(ROOT, name("a"), 0o600).unwrap();
        state.write(file, 0, &[1; 4096]).unwrap();
        state.sync(file).unwrap();
        state.sync_folder(ROOT);
        state.write(file, 0, &[2; 4096]).unwrap();
        state.cut(&mut rng).unwrap();
        let bytes = state.read(file, 0, 4096).unwrap();
        for sector in bytes.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "sectors are whole");
        }
        match bytes.iter().filter(|byte| **byte == 2).count() {
            0 => lost += 1,
            4096 => kept += 1,
            _ => torn += 1,
        }
    }
    assert!(lost > 5 && kept > 5 && torn > 5, "{lost} {kept} {torn}");
}

#[test]
fn a_name_is_lost_when_its_folder_was_not_synced() {
    let mut rng = Rng::new(9);
    let mut lost = 0;
    for round in 0..40 {
        let (mut state, _scratch) = state(&format!("name{round}"));
        let file = state.create(ROOT, name("a"), 0o600).unwrap();
        state.write(file, 0, b"x").unwrap();
        state.sync(file).unwrap();
        state.cut(&mut rng).unwrap();
        lost += u32::from(state.lookup(ROOT, name("a")).is_err());
    }
    assert!((5..35).contains(&lost), "{lost}");
}

#[test]
fn a_sync_that_failed_saves_nothing_even_if_the_next_works() {
    let mut rng = Rng::new(11);
    for round in 0..20 {
        let (mut state, _scratch) = state(&format!("gate{round}"));
        let file = state.create(ROOT, name("a"), 0o600).unwrap();
        state.write(file, 0, &[1; 100]).unwrap();
        state.sync(file).unwrap();
        state.sync_folder(ROOT);
        state.write(file, 0, &[2; 100]).unwrap();
        state.sync_fails(file);
        state.sync(file).unwrap();
        assert_eq!(state.read(file, 0, 100).unwrap(), [2; 100]);
        state.cut(&mut rng).unwrap();
        assert_eq!(state.read(file, 0, 100).unwrap(), [1; 100]);
    }
}
