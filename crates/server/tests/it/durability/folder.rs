//! The data folder as others see it: whose it is, who may read it, and that there is none unless asked for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::client::{Message, Publisher, numbers, take_all};
use super::{LITTLE_MEMORY, check, files, fill, start_small};
use crate::program::{bare, start, wait_for};

#[test]
fn a_second_process_is_refused_and_told_who_has_the_folder() {
    let program = start_small(&[]);
    let data = program.path("data");
    let mut publisher = Publisher::of(&program);
    publisher.peer.declare("q").unwrap();
    publisher.publish_all([&Message::numbered("q", 0, 100)]);
    let failed = bare()
        .arg("--ports")
        .arg("any")
        .arg("--data-dir")
        .arg(&data)
        .fail();
    let (folder, pid) = (data.display().to_string(), format!("(pid {})", program.pid()));
    failed.says(73, &[&folder, &pid, "in use by another process", "--data-dir"]);
    let checked = check(&data);
    assert_eq!((checked.status, checked.stdout.as_str()), (Some(73), ""));
    assert!(
        checked.stderr.contains(&folder) && checked.stderr.contains(&pid),
        "{}",
        checked.stderr
    );
    let lock = fs::read_to_string(data.join("lock")).unwrap();
    assert_eq!(lock.trim(), program.pid().to_string());
    assert_eq!(numbers(&take_all(&mut publisher.peer, "q")), [0]);
}

/// The lock goes with the process and not with the file.
#[test]
fn a_process_that_was_killed_holds_nothing() {
    let mut program = start_small(&[]);
    program.kill();
    let data = program.path("data");
    assert!(data.join("lock").exists());
    assert_eq!(check(&data).status, Some(0));
    program.start_again(&[]);
    program.peer().close().unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn folders(data: &Path) -> Vec<PathBuf> {
    let below = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = below.filter(|path| path.is_dir()).collect();
    folders.push(data.to_path_buf());
    folders
}

#[test]
fn files_are_for_their_owner_alone() {
    let mut program = start_small(&[LITTLE_MEMORY]);
    let data = program.path("data");
    fill(&program, 100);
    let has_all = || {
        let names = ["lock", "checkpoint", "checkpoint.copy", "ballast"];
        names.iter().all(|name| data.join(name).exists()).then_some(())
    };
    let look = |when: &str| {
        for file in files(&data) {
            assert_eq!(mode(&data.join(&file)), 0o600, "{} {when}", file.display());
        }
        for folder in folders(&data) {
            assert_eq!(mode(&folder), 0o700, "{} {when}", folder.display());
        }
    };
    wait_for("every kind of file", has_all);
    // Files come and go while it runs.
    program.kill();
    look("after it was killed");
    program.start_again(&[]);
    wait_for("every kind of file again", has_all);
    program.stop();
    look("when it has stopped");
}

#[test]
fn without_a_data_folder_no_file_is_made() {
    let mut program = bare().arg("--ports").arg("any").arg("--no-data-dir").start();
    let mut publisher = Publisher::of(&program);
    publisher.peer.declare("q").unwrap();
    let messages: Vec<_> = (0..100)
        .map(|number| Message::numbered("q", number, 10 * 1024))
        .collect();
    publisher.publish_all(&messages);
    publisher.peer.close().unwrap();
    program.logged(&["WARN", "no data folder", "lost when the broker stops"]);
    // The home folder and the working folder are the one with these.
    let of_the_test = ["ready", "stderr", "stdout"].map(PathBuf::from);
    let folder = program.path("");
    assert_eq!(files(&folder), of_the_test);
    assert_eq!(folders(&folder).len(), 1);
    program.stop();
    assert_eq!(files(&folder), of_the_test[1..]);
    program.start_again(&[]);
    let mut peer = program.peer();
    peer.declare("q").unwrap();
    assert_eq!(peer.ready("q").unwrap(), 0);
}

#[test]
fn confirms_without_a_sync_are_warned_of_and_survive_a_kill() {
    let mut program = start(&["confirm.sync=false"]);
    program.logged(&["WARN", "confirm.sync = false", "LOST"]);
    let mut publisher = Publisher::of(&program);
    publisher.peer.declare("q").unwrap();
    let messages: Vec<_> = (0..100)
        .map(|number| Message::numbered("q", number, 1000))
        .collect();
    publisher.publish_all(&messages);
    program.kill();
    program.start_again(&[]);
    let expected: Vec<u64> = (0..100).collect();
    assert_eq!(numbers(&take_all(&mut program.peer(), "q")), expected);
    let safe = start(&[]);
    assert!(!safe.stderr().contains("confirm.sync"), "{}", safe.stderr());
}
