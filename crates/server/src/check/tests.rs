//! Folders that a broker could have left, sound and damaged.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use warren_broker::access::User;
use warren_broker::catalog::{Change, Exchange, Queue, QueueType, Vhost, codec};
use warren_broker::name::{ExchangeName, QueueName, UserName, VhostName};
use warren_broker::route::{ExchangeId, ExchangeKind, QueueId};
use warren_broker::value::Table;
use warren_node::storage::{entry, record};
use warren_store::checkpoint::Writer;
use warren_store::disk::Disk;
use warren_store::extent::{ExtentWriter, Head};
use warren_store::{Appender, Log, Options, Position, Tail, Wal};

use super::examine::NODE;
use super::*;
use warren_node::storage::queue_record as kind;
use warren_node::storage::queue_record_flag::{REFERENCE, SHARED};

const QUEUE: u64 = 7;

/// Version 3, no numbers reserved, none redelivered, stored up to 21; a stretch in extent 1 from 1 to 20 with
/// 20 messages, of which 1 to 18 are live, none redelivered.
const SUMMARY: [u8; 43] = [
    3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 21, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 19, 20, 1, 1, 17, 0,
    // No octets, failures, priorities; nothing delayed, no octets of that, no pages, nothing that rests; no
    // keys that came or that messages stand for.
    0, 0, 0, 0, 0, 0, 0, 0, 0,
];

fn vhost() -> VhostName {
    VhostName::new("/").unwrap()
}

fn queue(id: u64, name: &str) -> Change {
    let queue = Queue {
        id: QueueId(id),
        name: QueueName::new(name).unwrap(),
        queue_type: QueueType::Classic,
        durable: true,
        auto_delete: false,
        owner: None,
        arguments: Table::new(),
    };
    Change::QueuePut(vhost(), queue)
}

fn exchange() -> Change {
    let exchange = Exchange {
        id: ExchangeId(3),
        name: ExchangeName::new("orders").unwrap(),
        kind: ExchangeKind::named("topic").unwrap(),
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: Table::new(),
    };
    Change::ExchangePut(vhost(), exchange)
}

fn user() -> Change {
    let mut user = User::new(UserName::new("guest").unwrap());
    user.tags.push("administrator".into());
    Change::UserPut(user)
}

/// A checkpoint with a catalog and a queue, an extent of that queue, and a log that goes on.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(Folder::new(folder.path()));
    fs::write(folder.path().join(LOCK), "4711\n").unwrap();
    write_extent(&disk);
    write_checkpoint(&*disk, |writer| {
        for change in [
            Change::VhostPut(Vhost::named(vhost())),
            user(),
            exchange(),
            queue(QUEUE, "q"),
        ] {
            writer.entry(NODE, entry::CHANGE, |out| codec::encode(&change, out));
        }
        writer.entry(QUEUE, entry::QUEUE, |out| out.extend(SUMMARY));
    });
    write_log(disk);
    folder
}

fn write_extent(disk: &Arc<dyn Disk>) {
    disk.create_folder("extents").unwrap();
    let mut extent = ExtentWriter::create(Arc::clone(disk), 1, true, 1 << 20).unwrap();
    extent.begin(QUEUE);
    for seq in 1..=20 {
        let head = Head {
            seq,
            ..Head::default()
        };
        extent.push(&head, b"the body of a message").unwrap();
    }
    extent.finish().unwrap();
}

fn write_checkpoint(disk: &dyn Disk, entries: impl FnOnce(&mut Writer)) {
    let mut writer = Writer::new();
    writer.entry(NODE, entry::NODE, |out| {
        for number in [0u64, 0, 7, 2] {
            out.extend(number.to_le_bytes());
        }
    });
    entries(&mut writer);
    writer.finish(disk).unwrap();
}

fn write_log(disk: Arc<dyn Disk>) {
    append(disk, &mut |out| {
        out.begin(NODE, record::CHANGE);
        out.part(|out| codec::encode(&queue(8, "late"), out));
        out.end();
        out.begin(QUEUE, kind::ENQUEUED);
        // A time, and the numbers of messages: one stands in the extent already.
        for number in [0u64, 20, 21, 22, 23] {
            out.part(|out| out.extend(number.to_le_bytes()));
        }
        out.end();
        out.begin(QUEUE, kind::SETTLED);
        out.part(|out| {
            for number in [3u64, 5, 9, 22, 22, 3] {
                out.extend(number.to_le_bytes());
            }
        });
        out.end();
    });
}

/// A log of one file.
fn append(disk: Arc<dyn Disk>, write: &mut dyn FnMut(&mut Appender<'_>)) {
    let options = Options {
        segment_bytes: 1 << 20,
        log_bytes_max: 3 << 20,
        waiting_bytes_max: 1 << 20,
        sync: true,
    };
    let tail = Tail {
        end: Position(0),
        is_closed: true,
        torn_bytes: 0,
    };
    let wal = Wal::open(disk, options, Position(0), &tail).unwrap();
    wal.append(write);
    wal.commit().unwrap();
    wal.close(|| false).unwrap();
}

/// Every file with its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

#[test]
fn a_sound_folder_is_told_of_and_left_as_it_is() {
    let folder = folder();
    let before = contents(folder.path());
    let report = run(folder.path()).unwrap();
    assert_eq!(contents(folder.path()), before);
    let text = report.to_string();
    assert!(report.is_sound(), "{text}");
    for line in [
        "checkpoint  6 entries: 1 queue with messages in 1 extent; the log is needed from position 0, ",
        "; closed in an orderly way",
        "1 CHANGE, 1 ENQUEUED, 1 SETTLED",
        "20 messages done with or not",
        "user \"guest\" [administrator]",
        "vhost \"/\"",
        "exchange \"orders\" (topic)",
        "queue \"late\" (classic, id 8): 0 messages",
        "queue \"q\" (classic, id 7): 17 messages, 15 of them in extents",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert_eq!(text.lines().last(), Some("sound: nothing is damaged"));
}

#[test]
fn damage_is_named_by_file_and_place() {
    let folder = folder();
    let path = folder.path().join("extents/00000000000000000001.ext");
    let mut bytes = fs::read(&path).unwrap();
    let body = b"the body of a message";
    let at = bytes.windows(body.len()).position(|found| found == body).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let report = run(folder.path()).unwrap();
    let text = report.to_string();
    assert!(!report.is_sound(), "{text}");
    assert!(
        text.contains("  extents/00000000000000000001.ext at byte "),
        "{text}"
    );
    assert_eq!(
        text.lines().last(),
        Some("damaged: 1 place, 1 message known to be lost")
    );
}

#[test]
fn an_extent_that_is_missing_is_damage() {
    let folder = folder();
    fs::remove_file(folder.path().join("extents/00000000000000000001.ext")).unwrap();
    let text = run(folder.path()).unwrap().to_string();
    assert!(
        text.contains("  extents/00000000000000000001.ext at byte 0: the file is missing; messages lost: 15"),
        "{text}"
    );
}

#[test]
fn a_message_of_the_log_that_is_damaged_is_counted() {
    let folder = folder();
    let path = folder.path().join("log/00000000000000000001.log");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes
        .windows(8)
        .rposition(|found| found == 23u64.to_le_bytes())
        .unwrap();
    bytes[at + 7] ^= 1;
    fs::write(&path, bytes).unwrap();
    let text = run(folder.path()).unwrap().to_string();
    assert!(
        text.contains("(classic, id 7): 16 messages, 15 of them in extents, 1 more in the log and damaged"),
        "{text}"
    );
    assert_eq!(
        text.lines().last(),
        Some("damaged: 1 place, 1 message known to be lost")
    );
}

/// A body that goes to several queues stands in the log once.
#[test]
fn messages_that_refer_to_a_damaged_content_are_counted() {
    let folder = folder();
    let path = folder.path().join("log/00000000000000000001.log");
    let disk: Arc<dyn Disk> = Arc::new(Folder::new(folder.path()));
    fs::remove_file(&path).unwrap();
    let message = |seq: u64, flags: u8, content: &[u8]| {
        let head = [&seq.to_le_bytes()[..], &[0, 0, 0, 0, 0, 0, 0, flags]].concat();
        [&head, content].concat()
    };
    append(disk, &mut |out| {
        let record = out.position().0;
        out.begin(QUEUE, kind::ENQUEUED);
        out.part(|out| out.extend([0; 8]));
        out.part(|out| out.extend(message(21, SHARED, b"the content")));
        out.part(|out| out.extend(message(22, SHARED, b"another one")));
        out.end();
        for seq in [30, 31] {
            out.begin(QUEUE, kind::ENQUEUED);
            out.part(|out| out.extend([0; 8]));
            out.part(|out| {
                out.extend(message(
                    seq,
                    REFERENCE,
                    &(record << 16 | (seq - 29)).to_le_bytes(),
                ))
            });
            out.end();
        }
    });
    assert!(run(folder.path()).unwrap().is_sound());
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes
        .windows(11)
        .position(|found| found == b"the content")
        .unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let text = run(folder.path()).unwrap().to_string();
    assert_eq!(
        text.lines().last(),
        Some("damaged: 1 place, 2 messages known to be lost")
    );
}

/// A queue whose log is needed from the second record on. There its messages 20, 30 and 31 refer to a content
/// in the first one, as does one of a queue that is deleted.
fn folder_without_contents(settled: Option<u64>) -> TempDir {
    let folder = folder();
    let disk: Arc<dyn Disk> = Arc::new(Folder::new(folder.path()));
    for file in ["checkpoint", "checkpoint.copy", "log/00000000000000000001.log"] {
        fs::remove_file(folder.path().join(file)).unwrap();
    }
    let mut begin = 0;
    append(Arc::clone(&disk), &mut |out| {
        let place = out.position().0 << 16 | 1;
        out.begin(QUEUE, kind::RESERVED);
        out.part(|out| out.extend([0; 8]));
        out.end();
        begin = out.position().0;
        for (owner, seqs) in [(QUEUE, &[20, 30, 31][..]), (8, &[3])] {
            out.begin(owner, kind::ENQUEUED);
            out.part(|out| out.extend([0; 8]));
            for seq in seqs {
                let head = [&u64::to_le_bytes(*seq)[..], &[0, 0, 0, 0, 0, 0, 0, REFERENCE]].concat();
                out.part(|out| out.extend([&head[..], &place.to_le_bytes()].concat()));
            }
            out.end();
        }
        if let Some(seq) = settled {
            out.begin(QUEUE, kind::SETTLED);
            out.part(|out| out.extend([seq, seq, 3].iter().flat_map(|number| number.to_le_bytes())));
            out.end();
        }
    });
    let mut writer = Writer::new();
    writer.entry(NODE, entry::NODE, |out| {
        for number in [begin, begin, 8, 2] {
            out.extend(number.to_le_bytes());
        }
    });
    for change in [Change::VhostPut(Vhost::named(vhost())), queue(QUEUE, "q")] {
        writer.entry(NODE, entry::CHANGE, |out| codec::encode(&change, out));
    }
    writer.entry(QUEUE, entry::QUEUE, |out| out.extend(SUMMARY));
    writer.finish(&*disk).unwrap();
    folder
}

#[test]
fn contents_that_the_log_no_longer_holds_are_lost_if_anything_needs_them() {
    // Message 20 stands in the extent.
    for (settled, lost) in [(None, 2), (Some(30), 1)] {
        let folder = folder_without_contents(settled);
        let text = run(folder.path()).unwrap().to_string();
        let told = format!("  log at byte 0: what queue 7 needs of it is gone; messages lost: {lost}");
        assert!(text.contains(&told), "{text}");
        assert!(
            text.contains(&format!("damaged: 1 place, {lost} message")),
            "{text}"
        );
    }
}

#[test]
fn whatever_byte_of_a_checkpoint_or_an_extent_is_wrong_is_found() {
    let folder = folder();
    for (path, whole) in contents(folder.path()) {
        // Not every byte of the log means something.
        if path.ends_with(LOCK) || path.extension().is_some_and(|ending| ending == "log") {
            continue;
        }
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            // A version that is not known is no damage.
            if let Ok(report) = run(folder.path()) {
                assert!(!report.is_sound(), "{}, byte {at}:\n{report}", path.display());
            }
        }
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_change_that_makes_no_sense_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(&Folder::new(folder.path()), |writer| {
        writer.entry(NODE, entry::CHANGE, |out| out.extend([1, 99]));
    });
    let text = run(folder.path()).unwrap().to_string();
    assert!(
        text.contains("  checkpoint at byte 0: a change of the catalog cannot be read: no kind 99 of change"),
        "{text}"
    );
}

#[test]
fn a_folder_with_nothing_in_it_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(folder.path()).unwrap();
    assert!(report.is_sound());
    assert_eq!(
        report.to_string(),
        "checkpoint  none\nlog         none\nextents     0 files, 0 bytes, 0 messages done with or not\n\
         sound: nothing is damaged\n"
    );
    assert!(contents(folder.path()).is_empty());
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(LOCK), "4711\n").unwrap();
    let held = File::open(folder.path().join(LOCK)).unwrap();
    held.try_lock().unwrap();
    let failure = run(folder.path()).unwrap_err();
    assert!(
        matches!(failure, Failure::StoreLocked { pid: Some(4711), .. }),
        "{failure}"
    );
    drop(held);
    run(folder.path()).unwrap();
}

#[test]
fn a_folder_that_is_missing_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    assert_eq!(run(&missing).unwrap_err().status(), 66);
    assert!(!missing.exists());
}
