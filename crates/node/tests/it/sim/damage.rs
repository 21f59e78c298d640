//! Damage on the disk of a node that does not run: no panic, nothing wrong is delivered, and what is missing
//! was told.

use super::crash::drain;
use super::model::{Found, Model, Moment, Queue, id_of};
use super::said;
use super::sim_disk::{Random, SimDisk};
use std::collections::BTreeSet;
use std::sync::Arc;
use warren_node::Config;
use warren_node::Node;
use warren_node::storage::{Opened, Options, Recovered};

/// Damages some files, each in one place. Answers what was done.
pub(crate) fn damage(disk: &SimDisk, random: &mut Random) -> Vec<String> {
    let mut files: Vec<String> = disk
        .files()
        .into_iter()
        .filter(|name| !disk.bytes(name).is_empty())
        .collect();
    let count = 1 + random.below(3);
    let mut done = Vec::new();
    while !files.is_empty() && (done.len() as u64) < count {
        let file = files.swap_remove(random.below(files.len() as u64) as usize);
        done.push(damage_file(disk, &file, random));
    }
    done
}

const WHAT: [&str; 6] = ["flip", "flip", "cut", "zero", "duplicate", "swap"];

fn damage_file(disk: &SimDisk, file: &str, random: &mut Random) -> String {
    let bytes = disk.bytes(file);
    // Most of a file that was made ahead is empty, and of no interest.
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(1, |last| last + 1) as u64;
    let (at, other) = (random.below(end) as usize, random.below(end) as usize);
    let block = [16, 64, 512, 4096][random.below(4) as usize];
    let what = random.below(6) as usize;
    match what {
        0 | 1 => disk.flip(file, at, 1 << random.below(8)),
        2 => disk.cut(file, at),
        3 => disk.zero(file, at, block),
        4 => disk.duplicate(file, at, other, block),
        _ => disk.damage(file, |bytes| {
            let (first, second) = (at.min(other), at.max(other));
            for nth in 0..block.min(second - first) {
                if second + nth < bytes.len() {
                    bytes.swap(first + nth, second + nth);
                }
            }
        }),
    }
    format!("{file} at {at}, {other}, {block} bytes: {}", WHAT[what])
}

/// What a damaged node says of itself.
struct Report {
    recovered: Recovered,
    /// Messages that could not be read, when they were wanted.
    unread: u64,
}

impl Report {
    fn is_silent(&self) -> bool {
        self.recovered.damages.is_empty() && self.unread == 0
    }
}

/// Opens a damaged node and compares what it gives with what it should. Answers whether it opened.
/// The last batch of the log begins at `last_batch`; other damage than a bit's may reach farther.
pub(crate) fn check(
    image: &SimDisk,
    options: &Options,
    model: &Model,
    at: &Moment,
    last_batch: u64,
    reaches_far: bool,
) -> Result<bool, String> {
    drop(said::take());
    let opened = Node::open(Config::default(), options.clone(), Arc::new(image.clone()));
    let Ok(Opened { node, recovered }) = opened else {
        return Ok(false);
    };
    drop(said::take());
    // Damage that reaches to the end of the log cannot be told from a write that was cut off.
    let end = node.durable().0;
    let at = &Moment {
        durable: if end < last_batch && !reaches_far {
            at.durable
        } else {
            at.durable.min(end)
        },
        ..*at
    };
    let found = drain(&node)?;
    let unread = said::take().lost;
    node.keep_house()
        .map_err(|poisoned| format!("a damaged node fails: {poisoned}"))?;
    let report = Report { recovered, unread };
    check_found(model, at, &found, &report).map_err(|wrong| format!("{wrong}\n  {:?}", report.recovered))?;
    Ok(true)
}

fn check_found(model: &Model, at: &Moment, found: &Found, report: &Report) -> Result<(), String> {
    if report.is_silent() {
        let found = Found {
            is_clean: report.recovered.is_clean,
            declared: found.declared.clone(),
            queues: found.queues.clone(),
        };
        return model
            .check(at, &found)
            .map_err(|wrong| format!("nothing was told, and {wrong}"));
    }
    let mut missing = 0;
    for queue in model
        .queues
        .iter()
        .filter(|queue| !queue.is_deleted && queue.durable)
    {
        missing += check_queue(model, at, queue, found)?;
    }
    let told: Option<u64> = report
        .recovered
        .damages
        .iter()
        .map(|damage| damage.messages_lost)
        .sum();
    let most = told.map(|_| report.recovered.messages_lost + report.unread);
    if most.is_some_and(|most| missing > most) {
        return Err(format!("{missing} messages are missing, and {most:?} were told"));
    }
    Ok(())
}

/// Answers how many messages are missing.
fn check_queue(model: &Model, at: &Moment, queue: &Queue, found: &Found) -> Result<u64, String> {
    let is_it = |(name, _): &(&String, _)| found.declared.queues[*name].0 == queue.id;
    let drained = found
        .queues
        .iter()
        .find(is_it)
        .map(|(_, drained)| drained.as_slice());
    let drained = drained.unwrap_or_default();
    let mut there = BTreeSet::new();
    let mut last = None;
    for drained in drained {
        let id = id_of(&drained.message);
        model.check_kept(id, &drained.message, true)?;
        if last.is_some_and(|last| drained.seq <= last) || !there.insert(id) {
            return Err(format!("message {id} is there twice, or out of order"));
        }
        last = Some(drained.seq);
        if !queue.copies.iter().any(|copy| copy.message == id && copy.kept) {
            return Err(format!("message {id} was never in queue {}", queue.name));
        }
    }
    let is_due = |copy: &&super::model::Copy| {
        copy.kept && at.is_certain(&copy.came) && copy.gone.is_none() && !there.contains(&copy.message)
    };
    Ok(queue.copies.iter().filter(is_due).count() as u64)
}
