//! Power cuts and kills at every operation of the disk.

use crate::model::{Model, OPTIONS, read};
use crate::sim_disk::{Random, SimDisk};
use std::io;
use std::sync::{Arc, Mutex, Weak};
use warren_store::disk::{Disk, File};
use warren_store::{Log, Position, Wal};

/// A crash that leaves a disk: of the power, or of the process.
fn crashed(disk: &SimDisk, random: &mut Random) -> SimDisk {
    if random.chance(25) {
        disk.kill()
    } else {
        disk.crash(random.number())
    }
}

/// Crashes a session at every operation, then one of those that follow at another, and reads what is
/// left. Answers the number of crashes.
fn crash_everywhere(seed: u64, steps: u64, variants: u64) -> u64 {
    let mut crashes = 0;
    for nth in 1.. {
        let disk = SimDisk::new(seed);
        disk.crash_at(nth);
        let mut model = Model::default();
        model.session(&disk, &mut Random::new(seed), steps);
        if !disk.is_crashed() {
            assert!(nth > 20, "there was something to crash");
            return crashes;
        }
        for variant in 0..variants {
            let mut model = model.clone();
            let mut random = Random::new(seed ^ (nth << 20) ^ (variant << 50));
            let mut disk = crashed(&disk, &mut random);
            crashes += 1;
            for _ in 0..random.below(3) {
                disk.crash_at(1 + random.below(40));
                model.session(&disk, &mut random, 30);
                disk = crashed(&disk, &mut random);
                crashes += 1;
            }
            assert!(model.session(&disk, &mut random, 30).is_some());
            model.recover(&disk.kill()).unwrap();
        }
    }
    unreachable!()
}

#[test]
fn crashes_at_every_operation_lose_nothing_that_was_promised() {
    let crashes: u64 = (0..40).map(|seed| crash_everywhere(seed, 120, 4)).sum();
    println!("{crashes} crashes");
    assert!(crashes > 10_000);
}

#[test]
fn crashes_at_every_operation_of_a_recovery_are_harmless() {
    let mut crashes = 0;
    for seed in 0..60 {
        let disk = SimDisk::new(seed);
        let mut random = Random::new(seed);
        disk.crash_at(20 + random.below(60));
        let mut model = Model::default();
        model.session(&disk, &mut random, 200);
        let found = crashed(&disk, &mut random);
        for nth in 1.. {
            let mut model = model.clone();
            let mut disk = found.kill();
            disk.crash_at(nth);
            // Some steps behind the recovery too: the first commits into its new file.
            model.session(&disk, &mut Random::new(seed), 6);
            if !disk.is_crashed() {
                break;
            }
            for _ in 0..3 {
                disk = crashed(&disk, &mut random);
                crashes += 1;
                model.clone().recover(&disk).unwrap();
                disk.crash_at(nth);
                model.session(&disk, &mut Random::new(seed), 6);
            }
        }
    }
    println!("{crashes} crashes");
    assert!(crashes > 1000);
}

#[test]
fn every_prefix_of_a_trace_recovers() {
    let mut cuts = 0;
    for seed in 100..112 {
        let disk = SimDisk::new(seed);
        disk.record();
        let mut random = Random::new(seed);
        let mut model = Model::default();
        let tail = model.recover(&disk).unwrap();
        let wal = Wal::open(Arc::new(disk.clone()), OPTIONS, Position(0), &tail).unwrap();
        // What was promised, and needed, once so many operations were done.
        let mut known = vec![(0, 0, 0)];
        for _ in 0..300 {
            assert!(model.step(&wal, &mut random));
            known.push((disk.operations(), model.promised, model.from));
        }
        disk.recorded().unwrap().prefixes(|count, disk| {
            let (_, promised, from) = *known
                .iter()
                .rev()
                .find(|(operations, _, _)| *operations <= count as u64)
                .unwrap();
            for _ in 0..5 {
                let mut model = Model {
                    promised,
                    from,
                    ..model.clone()
                };
                model.recover(&disk.crash(random.number())).unwrap();
                cuts += 1;
            }
        });
    }
    println!("{cuts} cuts");
    assert!(cuts > 5000);
}

#[test]
fn an_orderly_end_is_told_from_a_crash() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let mut random = Random::new(seed);
        let mut model = Model::default();
        let wal = model.session(&disk, &mut random, 30).unwrap();
        wal.close(|| false).unwrap();
        model.promised = wal.appended().0;
        let cut = disk.crash(seed);
        let tail = model.recover(&cut).unwrap();
        assert!(tail.is_closed);
        assert_eq!(tail.torn_bytes, 0);
        drop(model.session(&cut, &mut random, 0));
        assert!(!model.recover(&cut.kill()).unwrap().is_closed);
    }
}

/// A disk on which another thread of the node is always quicker: before a batch is written, and
/// behind the header of its file, the log is trimmed as far as it may be, and the next file prepared.
struct Hasty {
    disk: SimDisk,
    wal: Arc<Mutex<Weak<Wal>>>,
}

struct HastyFile {
    file: Arc<dyn File>,
    wal: Arc<Mutex<Weak<Wal>>>,
}

impl Hasty {
    fn file(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        let wal = Arc::clone(&self.wal);
        Arc::new(HastyFile { file, wal })
    }
}

impl Disk for Hasty {
    fn create(&self, path: &str, space_bytes: u64) -> io::Result<Arc<dyn File>> {
        Ok(self.file(self.disk.create(path, space_bytes)?))
    }
    fn open(&self, path: &str) -> io::Result<Arc<dyn File>> {
        Ok(self.file(self.disk.open(path)?))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }
    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.create_folder(folder)
    }
    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

impl File for HastyFile {
    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if offset < 4096 {
            return self.file.write(bytes, offset);
        }
        // Taken out meanwhile, for what it does writes as well.
        let wal = std::mem::take(&mut *self.wal.lock().unwrap());
        if let Some(wal) = wal.upgrade() {
            wal.trim(wal.durable());
            let _ = wal.prepare();
        }
        *self.wal.lock().unwrap() = wal;
        self.file.write(bytes, offset)
    }
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn truncate(&self, size_bytes: u64) -> io::Result<()> {
        self.file.truncate(size_bytes)
    }
}

#[test]
fn a_trim_in_the_middle_of_a_commit_does_not_lose_the_place() {
    let mut cuts = 0;
    for nth in 1.. {
        let disk = SimDisk::new(nth);
        let hasty = Arc::new(Hasty {
            disk: disk.clone(),
            wal: Arc::default(),
        });
        let (_, _, tail) = read(&disk, 0).unwrap();
        let wal = Wal::open(hasty.clone(), OPTIONS, Position(0), &tail).unwrap();
        *hasty.wal.lock().unwrap() = Arc::downgrade(&wal);
        disk.crash_at(nth);
        let mut model = Model::default();
        let mut random = Random::new(1);
        for _ in 0..30 {
            model.append(&wal, &mut random);
            if wal.commit().is_err() {
                break;
            }
        }
        if !disk.is_crashed() {
            break;
        }
        // Everything durable was trimmed, so that is where a recovery begins.
        (model.promised, model.from) = (wal.durable().0, wal.durable().0);
        for _ in 0..20 {
            model.clone().recover(&disk.crash(random.number())).unwrap();
            cuts += 1;
        }
    }
    println!("{cuts} cuts");
    assert!(cuts > 1000);
}
