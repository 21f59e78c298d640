//! What is done with a seed.

use super::crash::{Death, Past, open_and_drain, recover, used};
use super::damage::{check, damage};
use super::life::{Life, options};
use super::model::{Model, Moment};
use super::sim_disk::{Fault, Kind, Operation, Random, SimDisk, Trace};
use std::collections::BTreeMap;

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Deaths, each with a recovery and everything taken out.
    pub(crate) points: usize,
    /// Nodes that worked.
    pub(crate) lives: usize,
    /// What they did, and how often.
    pub(crate) seen: BTreeMap<&'static str, usize>,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.points += other.points;
        self.lives += other.lives;
        for (what, count) in other.seen {
            *self.seen.entry(what).or_default() += count;
        }
    }

    pub(crate) fn saw(&mut self, what: &'static str, count: usize) {
        *self.seen.entry(what).or_default() += count;
    }

    /// Counts what the operations of a disk tell.
    fn look(&mut self, trace: &Trace) {
        for operation in &trace.operations {
            match operation {
                Operation::Create { path, .. } if path.ends_with(".ext") => self.saw("durable extents", 1),
                Operation::Create { path, .. } if path.ends_with(".tmp") => self.saw("transient extents", 1),
                Operation::Create { path, .. } if path.starts_with("log/") => self.saw("log files made", 1),
                Operation::Remove { path } if path.starts_with("log/") => self.saw("log files deleted", 1),
                Operation::Remove { path } if path.starts_with("extents/") => self.saw("extents deleted", 1),
                Operation::Rename { from, .. } if from.ends_with(".log") => self.saw("log files recycled", 1),
                Operation::Rename { from, .. } if from == "checkpoint.new" => self.saw("checkpoints", 1),
                _ => {}
            }
        }
    }
}

/// Some lives, one on the remains of the other; each dies at every operation.
pub(crate) fn deaths(seed: u64) -> Result<Counts, String> {
    let mut random = Random::new(seed);
    let options = options(&mut random);
    let mut counts = Counts::default();
    let (mut disk, mut model, mut before) = (SimDisk::new(seed), Model::default(), None);
    for _ in 0..3 {
        let most = [100, 200, 600][random.below(3) as usize];
        let count = 50 + random.below(most);
        let mut life = Life::begin(disk, options.clone(), model, Random::new(random.number()))?;
        steps(&mut life, count)?;
        life.settle_down()?;
        // Without a checkpoint nothing is deleted.
        if options.checkpoint_every.is_zero() && random.chance(30) {
            life.empty()?;
            counts.saw("emptied", 1);
        }
        counts.lives += 1;
        counts.saw(
            "messages in queues",
            life.model.queues.iter().map(|queue| queue.copies.len()).sum(),
        );
        let is_stopped = random.chance(40);
        if is_stopped {
            life.stop()?;
            check_stopped(&life, &options)?;
        }
        let past = Past::of(life, before, options.clone());
        counts.look(&past.trace);
        counts.points += past.die_everywhere(&mut random)?;
        let (next_disk, next_model, next_before) = past.heir(&mut random)?;
        (disk, model, before) = (next_disk, next_model, Some(next_before));
    }
    Ok(counts)
}

/// After an orderly stop everything is exactly as it was.
fn check_stopped(life: &Life, options: &warren_node::storage::Options) -> Result<(), String> {
    let image = life.watch.disk.kill();
    let found = open_and_drain(&image, options).map_err(|wrong| format!("after a stop: {wrong}"))?;
    if !found.is_clean {
        return Err("a stop was not orderly".to_owned());
    }
    let end = Moment {
        operations: usize::MAX,
        durable: u64::MAX,
    };
    life.model
        .check(&end, &found)
        .map_err(|wrong| format!("after a stop: {wrong}"))
}

/// Now and then the disk is full, or too many files are open: work stops and goes on, and what was
/// confirmed is there.
pub(crate) fn full_disks(seed: u64) -> Result<Counts, String> {
    let mut random = Random::new(seed);
    let options = options(&mut random);
    let mut counts = Counts::default();
    let mut life = Life::begin(
        SimDisk::new(seed),
        options.clone(),
        Model::default(),
        Random::new(random.number()),
    )?;
    for _ in 0..3 {
        let disk = life.watch.disk.clone();
        steps(&mut life, 30 + random.below(150))?;
        match random.below(10) {
            0..=5 => disk.set_capacity(Some(used(&disk) + random.below(64 * 1024))),
            6..=7 => disk.fail_always(Kind::Create, Fault::NoSpace),
            // Nothing can be opened any more, neither what is there nor what is new.
            _ => {
                life.is_blind = true;
                counts.saw("without descriptors", 1);
                disk.fail_always(Kind::Create, Fault::TooManyFiles);
                disk.fail_always(Kind::Open, Fault::TooManyFiles);
            }
        }
        // A read that fails once says nothing yet: it is tried again, page by page.
        if random.chance(70) {
            disk.fail(Kind::Read, 1 + random.below(40), Fault::Io);
        }
        for _ in 0..30 + random.below(150) {
            life.step()?;
            counts.saw("steps with an alarm", usize::from(life.node.alarm().is_some()));
        }
        disk.set_capacity(None);
        disk.heal();
        life.is_blind = false;
        // Nobody else does anything, or there would be no end to what is to be written.
        let liveliness = std::mem::take(&mut life.liveliness);
        for _ in 0..4 {
            life.commit()?;
            life.keep()?;
        }
        life.check_works()?;
        life.liveliness = liveliness;
    }
    life.settle_down()?;
    if random.chance(50) {
        life.stop()?;
        check_stopped(&life, &options)?;
    }
    counts.lives += 1;
    let past = Past::of(life, None, options);
    counts.look(&past.trace);
    counts.points += past.die_everywhere(&mut random)?;
    Ok(counts)
}

fn steps(life: &mut Life, count: u64) -> Result<(), String> {
    (0..count).try_for_each(|_| life.step())
}

/// Something on the disk fails: nothing is confirmed any more, and what was is there afterwards.
pub(crate) fn failing_disks(seed: u64) -> Result<Counts, String> {
    const KINDS: [Kind; 8] = [
        Kind::Write,
        Kind::Write,
        Kind::Sync,
        Kind::Sync,
        Kind::SyncFolder,
        Kind::Rename,
        Kind::Create,
        Kind::Remove,
    ];
    let mut random = Random::new(seed);
    let options = options(&mut random);
    let mut counts = Counts::default();
    let begin = |disk, model, random: &mut Random| {
        Life::begin(disk, options.clone(), model, Random::new(random.number()))
    };
    let mut life = begin(SimDisk::new(seed), Model::default(), &mut random)?;
    steps(&mut life, random.below(200))?;
    let disk = life.watch.disk.clone();
    let kind = KINDS[random.below(KINDS.len() as u64) as usize];
    disk.fail(kind, 1 + random.below(30), Fault::Io);
    life.may_fail = true;
    steps(&mut life, 20 + random.below(200))?;
    counts.lives += 1;
    counts.saw("failures", usize::from(life.failed_at.is_some()));
    let moment = Moment {
        operations: usize::MAX,
        durable: life.node.durable().0,
    };
    let told = |wrong: String| format!("{wrong}\n  after {kind:?} failed, with {moment:?} and {options:?}");
    for _ in 0..20 {
        let image = Death::any(&mut random).of(&disk, None);
        recover(image, &options, &mut random, |found| {
            life.model.check(&moment, found)
        })
        .map_err(told)?;
        counts.points += 1;
    }
    let death = Death::any(&mut random);
    let found = open_and_drain(&death.of(&disk, None), &options).map_err(told)?;
    let mut next = begin(
        death.of(&disk, None),
        life.model.resolve(&moment, &found),
        &mut random,
    )?;
    steps(&mut next, 100)?;
    let past = Past::of(next, Some((life.model, moment)), options.clone());
    counts.points += past.die_everywhere(&mut random)?;
    Ok(counts)
}

/// Files of a node that does not run are damaged.
pub(crate) fn damages(seed: u64) -> Result<Counts, String> {
    let mut random = Random::new(seed);
    let options = options(&mut random);
    let mut counts = Counts::default();
    let mut life = Life::begin(
        SimDisk::new(seed),
        options.clone(),
        Model::default(),
        Random::new(random.number()),
    )?;
    steps(&mut life, 50 + random.below(300))?;
    if random.chance(70) {
        life.stop()?;
    }
    counts.lives += 1;
    let moment = Moment {
        operations: usize::MAX,
        durable: life.node.durable().0,
    };
    let before = life
        .watch
        .durable()
        .into_iter()
        .rfind(|durable| *durable < moment.durable);
    let last_batch = before.unwrap_or(0);
    for _ in 0..100 {
        let image = life.watch.disk.kill();
        let done = damage(&image, &mut random);
        let reaches_far = done
            .iter()
            .any(|done| done.starts_with("log/") && !done.contains("flip"));
        let opened = check(&image, &options, &life.model, &moment, last_batch, reaches_far);
        let opened = opened.map_err(|wrong| format!("{wrong}\n  damaged: {done:#?}"))?;
        counts.saw("opened", usize::from(opened));
        counts.points += 1;
    }
    Ok(counts)
}
