//! Disks that fail and fill up while the log is written.

use crate::model::{Model, OPTIONS, read};
use crate::sim_disk::{Fault, Kind, Random, SimDisk};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use warren_store::{Log, Options, Poisoned, Position, Waiter, Wal};

#[derive(Default)]
struct Told(AtomicUsize);

impl Waiter for Told {
    fn durable(&self, _: Position, _: usize) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Told {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

struct Tell(mpsc::Sender<Position>);

impl Waiter for Tell {
    fn durable(&self, position: Position, _: usize) {
        // Nobody listens any more to what came too late.
        let _ = self.0.send(position);
    }
}

fn open(disk: &SimDisk, options: &Options) -> Arc<Wal> {
    let (_, damages, tail) = read(disk, 0).unwrap();
    assert_eq!(damages, []);
    Wal::open(Arc::new(disk.clone()), options.clone(), Position(0), &tail).unwrap()
}

fn append(wal: &Wal, length: usize) -> Position {
    wal.append(&mut |appender| {
        appender.begin(1, 1);
        appender.part(|buffer| buffer.resize(buffer.len() + length, 1));
        appender.end();
    })
}

/// Waits until the log's thread has come so far; fails loudly instead of hanging.
fn wait_for(wal: &Wal, position: Position) {
    let (tell, told) = mpsc::channel();
    wal.notify(position, Arc::new(Tell(tell)));
    assert!(told.recv_timeout(Duration::from_secs(60)).unwrap() >= position);
}

#[test]
fn a_sync_that_fails_poisons_for_good() {
    let disk = SimDisk::new(1);
    let wal = open(&disk, &OPTIONS);
    let durable = append(&wal, 10);
    wal.commit().unwrap();
    let lost = append(&wal, 10);
    let told = Arc::new(Told::default());
    wal.notify(lost, told.clone());
    disk.fail(Kind::Sync, 1, Fault::Io);
    let poisoned = wal.commit().unwrap_err();
    assert_eq!(
        poisoned.to_string(),
        "sync of log/00000000000000000001.log: Input/output error (os error 5)"
    );
    // It would succeed now, and prove nothing.
    let operations = disk.operations();
    append(&wal, 10);
    wal.notify(lost, told.clone());
    wal.notify(durable, told.clone());
    assert_eq!(wal.commit(), Err(poisoned.clone()));
    assert_eq!(wal.run(), Err(poisoned.clone()));
    assert_eq!(wal.close(|| false), Err(poisoned.clone()));
    assert!(wal.prepare().is_err());
    assert_eq!(wal.poisoned(), Some(poisoned));
    assert_eq!(wal.durable(), durable);
    assert_eq!(disk.operations(), operations, "nothing was tried again");
    assert_eq!(told.times(), 0);
    assert_eq!(Arc::strong_count(&told), 1, "the waiters are let go");
    let (seen, _, tail) = read(&disk.crash(1), 0).unwrap();
    assert_eq!((seen.len(), tail.end), (1, durable));
}

#[test]
fn a_failed_call_of_any_kind_at_any_time_breaks_no_promise() {
    let mut faults = 0;
    let mut poisonings = 0;
    for seed in 0..12 {
        let all = [
            (Kind::Write, Fault::Io),
            (Kind::Write, Fault::NoSpace),
            (Kind::Sync, Fault::Io),
            (Kind::SyncFolder, Fault::Io),
            (Kind::Create, Fault::NoSpace),
            (Kind::Rename, Fault::Io),
            (Kind::Remove, Fault::Io),
            (Kind::Open, Fault::TooManyFiles),
            (Kind::Read, Fault::Io),
        ];
        for (kind, fault) in all {
            for nth in 1..=60 {
                let disk = SimDisk::new(seed);
                let mut random = Random::new(seed);
                disk.fail(kind, nth, fault);
                let mut model = Model::default();
                let Ok(tail) = model.recover(&disk) else {
                    continue;
                };
                let wal = Wal::open(Arc::new(disk.clone()), OPTIONS, Position(0), &tail);
                let Ok(wal) = wal else {
                    model.recover(&disk.crash(random.number())).unwrap();
                    continue;
                };
                let mut is_alive = true;
                for _ in 0..60 {
                    is_alive &= model.step(&wal, &mut random);
                }
                disk.heal();
                if is_alive {
                    // Everything still works.
                    wal.trim(wal.durable());
                    model.from = wal.durable().0;
                    wal.close(|| false).unwrap();
                    model.promised = wal.appended().0;
                }
                faults += 1;
                poisonings += u64::from(!is_alive);
                let reached = disk.crash(random.number());
                model.recover(&reached).unwrap();
                model.session(&reached, &mut random, 20).unwrap();
            }
        }
    }
    println!("{faults} faults, {poisonings} poisonings");
    assert!(poisonings > 100 && poisonings < faults);
}

#[test]
fn a_full_disk_keeps_what_was_appended_and_goes_on() {
    let disk = SimDisk::new(1);
    disk.set_capacity(Some(OPTIONS.segment_bytes + 100));
    let wal = open(&disk, &OPTIONS);
    assert!(!wal.is_short_of_space() && !wal.is_congested());
    assert!(wal.prepare().is_err());
    assert!(wal.is_short_of_space() && wal.is_congested());
    let told = Arc::new(Told::default());
    let mut first = append(&wal, 5000);
    while wal.commit().unwrap() {
        first = append(&wal, 5000);
    }
    wal.notify(first, told.clone());
    let last = append(&wal, 5000);
    wal.notify(last, told.clone());
    for _ in 0..10 {
        assert_eq!(wal.commit(), Ok(false), "kept, and tried again");
    }
    assert_eq!(wal.poisoned(), None);
    assert_eq!(told.times(), 0);
    // What is on the disk can be read all the time.
    assert_eq!(read(&disk, 0).unwrap().2.end, wal.durable());
    disk.set_capacity(None);
    wal.prepare().unwrap();
    assert!(!wal.is_short_of_space());
    assert_eq!(wal.commit(), Ok(true));
    assert_eq!(told.times(), 1);
    assert_eq!(wal.commit(), Ok(true));
    assert_eq!((told.times(), wal.durable()), (2, last));
    assert!(!wal.is_congested());
    let (seen, damages, tail) = read(&disk.crash(3), 0).unwrap();
    assert_eq!((seen.len() as u64 * (5000 + 44), damages), (last.0, vec![]));
    assert_eq!(tail.end, last);
}

#[test]
fn a_spare_is_made_while_nobody_commits_and_is_no_shortage() {
    let disk = SimDisk::new(1);
    let wal = open(&disk, &OPTIONS);
    // Until the next file is there, there is no spare.
    wal.prepare_spare().unwrap();
    assert_eq!((wal.segment_count(), wal.last_file()), (1, Some(Position(0))));
    wal.prepare().unwrap();
    assert_eq!((wal.segment_count(), wal.last_file()), (2, None));
    append(&wal, 10);
    wal.commit().unwrap();
    wal.prepare_spare().unwrap();
    assert!(!wal.is_preparing(), "somebody commits");
    disk.set_capacity(Some(0));
    wal.prepare_spare().unwrap();
    assert!(!wal.is_short_of_space());
    disk.set_capacity(None);
    wal.prepare_spare().unwrap();
    assert_eq!(wal.segment_count(), 3);
    wal.prepare_spare().unwrap();
    assert_eq!(wal.segment_count(), 3, "one is enough");
    // It is there when the next is in use.
    while wal.durable().0 < OPTIONS.segment_bytes * 3 / 2 {
        append(&wal, 3000);
        assert_eq!(wal.commit(), Ok(true));
        wal.prepare().unwrap();
    }
    let all = wal.durable();
    wal.close(|| false).unwrap();
    let (_, damages, tail) = read(&disk.crash(3), 0).unwrap();
    assert_eq!((damages, tail.end, tail.is_closed), (vec![], all, true));
}

#[test]
fn closing_takes_what_space_there_is() {
    // A file of the usual size has no room in either.
    for (left, is_enough) in [(14 * 1024, true), (100, false)] {
        let disk = SimDisk::new(1);
        disk.set_capacity(Some(OPTIONS.segment_bytes + 100));
        let wal = open(&disk, &OPTIONS);
        while wal.commit().unwrap() || wal.durable() == Position(0) {
            append(&wal, 5000);
        }
        let last = wal.appended();
        disk.set_capacity(Some(OPTIONS.segment_bytes + left));
        let closed = wal.close(|| false);
        assert_eq!(closed.is_ok(), is_enough, "{closed:?}");
        let (_, damages, tail) = read(&disk, 0).unwrap();
        assert_eq!(damages, []);
        assert_eq!((tail.end == last, tail.is_closed), (is_enough, is_enough));
    }
}

#[test]
fn closing_asks_for_space_once() {
    let disk = SimDisk::new(1);
    disk.set_capacity(Some(OPTIONS.segment_bytes + 100));
    let wal = open(&disk, &OPTIONS);
    while wal.commit().unwrap() || wal.durable() == Position(0) {
        append(&wal, 5000);
    }
    let last = wal.appended();
    let mut asked = 0;
    let closed = wal.close(|| {
        asked += 1;
        disk.set_capacity(Some(OPTIONS.segment_bytes + 14 * 1024));
        true
    });
    assert_eq!((closed, asked), (Ok(()), 1));
    let (_, damages, tail) = read(&disk, 0).unwrap();
    assert_eq!((damages, tail.end, tail.is_closed), (vec![], last, true));
}

#[test]
fn what_is_too_large_for_the_limit_leaves_alone_what_is_at_hand() {
    let disk = SimDisk::new(1);
    let wal = open(&disk, &OPTIONS);
    while wal.used_bytes() < OPTIONS.log_bytes_max / 2 {
        append(&wal, 3000);
        assert_eq!(wal.commit(), Ok(true));
    }
    wal.prepare().unwrap();
    let files = disk.files();
    let large = usize::try_from(OPTIONS.log_bytes_max).unwrap();
    append(&wal, large);
    for _ in 0..3 {
        assert_eq!(wal.commit(), Ok(false));
        assert!(wal.waits_for_file() && !wal.waits_for_space());
        wal.prepare().unwrap();
        assert_eq!(disk.files(), files);
    }
    wal.let_exceed(true);
    assert_eq!(wal.commit(), Ok(true));
    let last = append(&wal, 10);
    assert_eq!(wal.commit(), Ok(true));
    wal.close(|| false).unwrap();
    let (_, damages, tail) = read(&disk, 0).unwrap();
    assert_eq!((damages, tail.end, tail.is_closed), (vec![], last, true));
}

#[test]
fn a_file_that_cannot_be_deleted_is_no_shortage() {
    let disk = SimDisk::new(1);
    let wal = open(&disk, &OPTIONS);
    // Made to measure, so that nobody can use it again.
    let large = usize::try_from(OPTIONS.segment_bytes).unwrap();
    append(&wal, large);
    assert_eq!(wal.commit(), Ok(true));
    append(&wal, 5000);
    assert_eq!(wal.commit(), Ok(true));
    wal.prepare().unwrap();
    disk.fail_always(Kind::Remove, Fault::Io);
    wal.trim(wal.durable());
    let files = disk.files().len();
    wal.prepare().unwrap();
    assert_eq!(disk.files().len(), files);
    disk.heal();
    wal.prepare().unwrap();
    assert!(disk.files().len() < files);
}

#[test]
fn the_thread_waits_for_space_and_ends_when_it_is_told_to() {
    let disk = SimDisk::new(1);
    disk.set_capacity(Some(OPTIONS.segment_bytes + 100));
    let wal = open(&disk, &OPTIONS);
    let thread = std::thread::spawn({
        let wal = Arc::clone(&wal);
        move || wal.run()
    });
    let (tell, told) = mpsc::channel();
    let last = append(&wal, 50_000);
    wal.notify(last, Arc::new(Tell(tell)));
    while !wal.is_congested() || !wal.is_short_of_space() {
        std::thread::yield_now();
    }
    assert!(told.try_recv().is_err());
    disk.set_capacity(None);
    wal.prepare().unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(60)).unwrap(), last);
    wal.close(|| false).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(()));
    assert_eq!(Arc::strong_count(&wal), 1, "nobody has it any more");
}

#[test]
fn a_full_log_keeps_a_reserve_and_then_waits_for_a_trim() {
    let disk = SimDisk::new(1);
    let wal = open(&disk, &OPTIONS);
    while !wal.is_congested() {
        append(&wal, 3000);
        assert_eq!(wal.commit(), Ok(true));
    }
    // What settles has room: the last file is the reserve.
    for _ in 0..20 {
        append(&wal, 10);
        assert_eq!(wal.commit(), Ok(true));
    }
    let percent = wal.used_percent();
    assert!((90..=133).contains(&percent), "{percent}");
    let full = loop {
        append(&wal, 3000);
        if !wal.commit().unwrap() {
            break wal.durable();
        }
    };
    let error = wal.prepare().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::QuotaExceeded);
    assert!(!wal.is_short_of_space(), "the disk has space");
    let thread = std::thread::spawn({
        let wal = Arc::clone(&wal);
        move || wal.run()
    });
    wal.trim(full);
    wait_for(&wal, wal.appended());
    assert!(!wal.is_congested());
    wal.close(|| false).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(()));
}

#[test]
fn the_thread_ends_when_the_log_is_poisoned() {
    let disk = SimDisk::new(1);
    let wal = open(&disk, &OPTIONS);
    let thread = std::thread::spawn({
        let wal = Arc::clone(&wal);
        move || wal.run()
    });
    disk.fail(Kind::Write, 1, Fault::Io);
    append(&wal, 10);
    let poisoned: Poisoned = thread.join().unwrap().unwrap_err();
    assert_eq!(poisoned.what, "write to");
    assert_eq!(wal.poisoned(), Some(poisoned));
}

#[test]
fn what_is_appended_to_a_poisoned_log_takes_no_memory() {
    let disk = SimDisk::new(1);
    let wal = open(&disk, &OPTIONS);
    disk.fail(Kind::Write, 1, Fault::Io);
    append(&wal, 10);
    assert!(wal.commit().is_err());
    let before = wal.appended();
    let after = append(&wal, 1000);
    assert_eq!(after.0 - before.0, 1044, "positions go on");
    assert_eq!(wal.commit().unwrap_err().what, "write to");
}

#[test]
fn many_threads_append_and_all_are_told() {
    let disk = SimDisk::new(1);
    let options = Options {
        segment_bytes: 1 << 20,
        log_bytes_max: 64 << 20,
        ..OPTIONS
    };
    let wal = open(&disk, &options);
    let log = std::thread::spawn({
        let wal = Arc::clone(&wal);
        move || wal.run()
    });
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let wal = Arc::clone(&wal);
            std::thread::spawn(move || {
                for nth in 0..500 {
                    let position = append(&wal, nth);
                    wait_for(&wal, position);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    wal.close(|| false).unwrap();
    assert_eq!(log.join().unwrap(), Ok(()));
    let (seen, damages, tail) = read(&disk, 0).unwrap();
    assert_eq!((seen.len(), damages, tail.is_closed), (2000, vec![], true));
}
