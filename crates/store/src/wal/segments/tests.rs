//! The log on a real disk. What crashes do to it stands in `tests/it`.

use super::*;
use crate::disk::Folder;
use crate::wal::{Part, Replay, Tail};
use std::sync::atomic::AtomicUsize;
use tempfile::TempDir;

const OPTIONS: Options = Options {
    segment_bytes: 64 << 10,
    log_bytes_max: 256 << 10,
    waiting_bytes_max: 32 << 10,
    sync: true,
};

#[derive(Default)]
struct Told {
    times: AtomicUsize,
    position: AtomicU64,
}

impl Waiter for Told {
    fn durable(&self, position: Position, _: usize) {
        self.times.fetch_add(1, Ordering::SeqCst);
        self.position.store(position.0, Ordering::SeqCst);
    }
}

fn disk() -> (TempDir, Arc<dyn Disk>) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Folder::new(folder.path()));
    (folder, disk)
}

/// Records (owner, length of each part) and the tail, and no damage.
fn read(disk: &Arc<dyn Disk>, from: Position) -> (Vec<(u64, Vec<usize>)>, Tail) {
    let mut records = Vec::new();
    let tail = Replay::open(&**disk)
        .unwrap()
        .run(
            from,
            &mut |record| {
                let length = |part: &Part<'_>| match part {
                    Part::Whole(bytes) => bytes.len(),
                    Part::Damaged => panic!("damaged"),
                };
                records.push((record.owner, record.parts.iter().map(length).collect()));
            },
            &mut |damage| panic!("{damage}"),
        )
        .unwrap();
    (records, tail)
}

fn open(disk: &Arc<dyn Disk>, from: Position) -> Arc<Wal> {
    let (_, tail) = read(disk, from);
    Wal::open(Arc::clone(disk), OPTIONS, from, &tail).unwrap()
}

fn append(wal: &Wal, owner: u64, parts: &[usize]) -> Position {
    wal.append(&mut |appender| {
        appender.begin(owner, 1);
        for length in parts {
            appender.part(|bytes| bytes.extend(std::iter::repeat_n(owner as u8, *length)));
        }
        appender.end();
    })
}

#[test]
fn what_was_committed_is_read_back() {
    let (_folder, disk) = disk();
    let wal = open(&disk, Position(0));
    assert_eq!(wal.durable(), Position(0));
    assert_eq!(wal.commit(), Ok(false), "nothing to do");
    append(&wal, 1, &[10, 20]);
    let end = append(&wal, 2, &[0]);
    assert_eq!(wal.durable(), Position(0));
    assert_eq!(wal.commit(), Ok(true));
    assert_eq!(wal.durable(), end);
    assert_eq!(wal.commit(), Ok(false));
    let counts = wal.counts();
    assert_eq!((counts.commits, counts.syncs), (1, 1));
    drop(wal);
    let (records, tail) = read(&disk, Position(0));
    assert_eq!(records, [(1, vec![10, 20]), (2, vec![0])]);
    assert_eq!((tail.end, tail.is_closed, tail.torn_bytes), (end, false, 0));

    let wal = open(&disk, Position(0));
    assert_eq!(wal.appended(), end);
    append(&wal, 3, &[5]);
    wal.close(|| false).unwrap();
    wal.close(|| false).unwrap();
    let (records, tail) = read(&disk, end);
    assert_eq!(records, [(3, vec![5])], "only what is asked for");
    assert!(tail.is_closed);
    drop(open(&disk, Position(0)));
    assert!(!read(&disk, Position(0)).1.is_closed, "opened since");
}

#[test]
fn waiters_are_told_once_and_in_order() {
    let (_folder, disk) = disk();
    let wal = open(&disk, Position(0));
    let first = append(&wal, 1, &[1]);
    let told: Vec<Arc<Told>> = (0..3).map(|_| Arc::default()).collect();
    wal.notify(first, told[0].clone());
    wal.notify(Position(0), told[1].clone());
    assert_eq!(told[1].times.load(Ordering::SeqCst), 1, "durable already");
    wal.commit().unwrap();
    let second = append(&wal, 1, &[1]);
    wal.notify(second, told[2].clone());
    wal.notify(first, told[1].clone());
    assert_eq!(told[0].position.load(Ordering::SeqCst), first.0);
    assert_eq!(told[2].times.load(Ordering::SeqCst), 0);
    wal.commit().unwrap();
    let times: Vec<usize> = told
        .iter()
        .map(|told| told.times.load(Ordering::SeqCst))
        .collect();
    assert_eq!(times, [1, 2, 1]);
}

#[test]
fn waiters_need_not_come_in_order() {
    let (_folder, disk) = disk();
    let wal = open(&disk, Position(0));
    let positions: Vec<Position> = (0..10).map(|_| append(&wal, 1, &[1])).collect();
    let told: Arc<Told> = Arc::default();
    for at in [3, 1, 9, 1, 0, 5] {
        wal.notify(positions[at], told.clone());
    }
    let in_order: Vec<Position> = wal
        .state
        .lock()
        .waiters
        .iter()
        .map(|(position, _)| *position)
        .collect();
    assert!(in_order.is_sorted());
    wal.commit().unwrap();
    assert_eq!(told.times.load(Ordering::SeqCst), 6);
}

#[test]
fn files_are_used_again_and_stay_within_the_limit() {
    let (folder, disk) = disk();
    let wal = open(&disk, Position(0));
    let mut ends = Vec::new();
    for nth in 0..200 {
        ends.push(append(&wal, nth, &[10_000]));
        while wal.durable() < wal.appended() {
            wal.commit().unwrap();
            let _ = wal.prepare();
            if wal.durable() < wal.appended() {
                assert!(wal.is_congested());
                wal.trim(*ends.iter().rev().nth(4).unwrap());
            }
        }
        let files = std::fs::read_dir(folder.path().join("log")).unwrap();
        let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes <= OPTIONS.log_bytes_max, "{bytes}");
        assert!(wal.segment_count() <= 4);
    }
    let from = ends[190];
    wal.trim(from);
    assert!(wal.used_bytes() < 180_000);
    let (records, _) = read(&disk, from);
    let owners: Vec<u64> = records.iter().map(|(owner, _)| *owner).collect();
    assert_eq!(owners, (191..200).collect::<Vec<u64>>());
}

#[test]
fn a_batch_larger_than_a_file_gets_its_own() {
    let (folder, disk) = disk();
    let wal = open(&disk, Position(0));
    append(&wal, 1, &[10]);
    wal.commit().unwrap();
    let large = append(&wal, 2, &[400_000]);
    wal.commit().unwrap();
    assert_eq!(read(&disk, Position(0)).0, [(1, vec![10]), (2, vec![400_000])]);
    let end = append(&wal, 3, &[5000]);
    while wal.durable() < end {
        wal.trim(wal.durable());
        wal.commit().unwrap();
    }
    assert_eq!(read(&disk, large).0, [(3, vec![5000])]);
    wal.trim(wal.durable());
    wal.prepare().unwrap();
    let sizes = std::fs::read_dir(folder.path().join("log")).unwrap();
    let large = sizes
        .map(|file| file.unwrap().metadata().unwrap().len())
        .filter(|size| *size > OPTIONS.segment_bytes);
    assert_eq!(large.count(), 0, "deleted, not kept for later");
}

#[test]
fn the_buffer_is_given_back_when_it_grew() {
    let (_folder, disk) = disk();
    let wal = open(&disk, Position(0));
    append(&wal, 1, &[BUFFER_KEPT_MAX + 1]);
    wal.commit().unwrap();
    append(&wal, 1, &[1]);
    wal.commit().unwrap();
    assert!(wal.state.lock().buffer.capacity() <= BUFFER_KEPT_MAX);
    assert!(wal.writer.lock().spare.capacity() <= BUFFER_KEPT_MAX);
}

/// The commit thread.
fn run(wal: &Arc<Wal>) -> std::thread::JoinHandle<Result<(), Poisoned>> {
    let wal = Arc::clone(wal);
    std::thread::spawn(move || wal.run())
}

#[test]
fn a_thread_commits_until_the_log_is_closed() {
    let (_folder, disk) = disk();
    let wal = open(&disk, Position(0));
    let thread = run(&wal);
    for nth in 0..100 {
        let (tell, told) = std::sync::mpsc::channel();
        struct Tell(std::sync::mpsc::Sender<Position>);
        impl Waiter for Tell {
            fn durable(&self, position: Position, _: usize) {
                self.0.send(position).unwrap();
            }
        }
        let end = append(&wal, nth, &[100]);
        wal.notify(end, Arc::new(Tell(tell)));
        assert!(told.recv().unwrap() >= end);
    }
    append(&wal, 100, &[100]);
    wal.close(|| false).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(()));
    append(&wal, 101, &[100]);
    assert_eq!(wal.commit(), Ok(false), "thrown away");
    let (records, tail) = read(&disk, Position(0));
    assert_eq!(records.len(), 101);
    assert!(tail.is_closed);
}

#[test]
fn what_nobody_waits_for_becomes_durable_all_the_same() {
    let (_folder, disk) = disk();
    let wal = open(&disk, Position(0));
    let thread = run(&wal);
    let end = append(&wal, 1, &[100]);
    while wal.durable() < end {
        std::thread::yield_now();
    }
    wal.close(|| false).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(()));
}

#[test]
fn a_thread_that_lingers_is_woken_for_who_waits_and_for_much() {
    let (_folder, disk) = disk();
    let wal = open(&disk, Position(0));
    let is_asleep = |wal: &Wal, sleep| {
        let mut state = wal.state.lock();
        state.sleep = sleep;
        !state.is_overslept()
    };
    assert!(is_asleep(&wal, Sleep::ForWork), "there is nothing to do");
    let end = append(&wal, 1, &[100]);
    assert!(!is_asleep(&wal, Sleep::ForWork), "it is to linger");
    assert!(is_asleep(&wal, Sleep::ForWaiter));
    wal.notify(end, Arc::new(Told::default()));
    assert_eq!(wal.state.lock().sleep, Sleep::Awake, "it was woken");
    wal.commit().unwrap();
    append(&wal, 1, &[100]);
    assert!(is_asleep(&wal, Sleep::ForWaiter));
    append(&wal, 1, &[LINGER_BYTES_MAX]);
    assert_eq!(wal.state.lock().sleep, Sleep::Awake, "it was woken");
    append(&wal, 1, &[100]);
    wal.state.lock().is_closing = true;
    assert!(!is_asleep(&wal, Sleep::ForWaiter), "nothing lingers at the end");
}

#[test]
fn an_append_that_panics_leaves_nothing() {
    let (_folder, disk) = disk();
    let wal = open(&disk, Position(0));
    let before = append(&wal, 1, &[3]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wal.append(&mut |appender| {
            appender.begin(9, 9);
            appender.part(|_| panic!("a defect of the caller"));
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(wal.appended(), before);
    append(&wal, 2, &[3]);
    wal.commit().unwrap();
    let (records, _) = read(&disk, Position(0));
    assert_eq!(records, [(1, vec![3]), (2, vec![3])]);
}

#[test]
fn without_sync_it_does_the_same() {
    let (_folder, disk) = disk();
    let options = Options {
        sync: false,
        ..OPTIONS
    };
    let (_, tail) = read(&disk, Position(0));
    let wal = Wal::open(Arc::clone(&disk), options, Position(0), &tail).unwrap();
    let end = append(&wal, 1, &[3]);
    wal.commit().unwrap();
    assert_eq!((wal.durable(), wal.counts().syncs), (end, 0));
    wal.close(|| false).unwrap();
    assert_eq!(read(&disk, Position(0)).0, [(1, vec![3])]);
}
