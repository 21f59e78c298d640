//! Damage at rest: the broker is down, one file of a copy of its data folder is changed, and the real binary
//! starts on it.
//!
//! Nothing wrong may be delivered and nothing may panic. Messages may be missing, but then the broker has to
//! name the file, in its log or by `warren check`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::disk::Tmpfs;
use super::{Done, sleep};
use crate::ledger::{Fault, Figures};
use crate::load::Plan;
use crate::rig::{Context, Rig};
use crate::rng::Rng;
use crate::survey::Manner;

/// Room for a copy of the data folder, and for what the broker adds to it.
const COPY_MIB: u64 = 2048;

/// What a disk moves around as one.
const BLOCK: u64 = 4096;

#[derive(Clone, Copy, Debug)]
enum Mutation {
    BitFlip,
    Truncate,
    Zeroed,
    Duplicated,
    Swapped,
}

const MUTATIONS: &[Mutation] = &[
    Mutation::BitFlip,
    Mutation::Truncate,
    Mutation::Zeroed,
    Mutation::Duplicated,
    Mutation::Swapped,
];

/// What came of all mutations.
#[derive(Default)]
struct Tally {
    harmless: u64,
    reported: u64,
    /// Of these, those that `warren check` named before the start.
    checked: u64,
    refused: u64,
    lost: u64,
    /// The most messages that one mutation cost, and which.
    lost_max: u64,
    worst: String,
    came_back: u64,
}

pub(super) fn mutate(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let count = context.rounds(10, 100);
    let mut tally = Tally::default();
    done.with(context, "mutate", |rig, done| {
        make_data(rig)?;
        let original = rig.data().to_owned();
        let (sound, said) = check(rig, &original);
        done.expect(sound, || {
            format!("warren check finds fault with what is undamaged: {said}")
        });
        let copies = rig.launch.scratch.join("copies");
        // In memory if that may be: a disk is busy for seconds with every copy.
        let _tmpfs = Tmpfs::mount(&copies, COPY_MIB);
        fs::create_dir_all(&copies).map_err(|error| error.to_string())?;
        for number in 0..count {
            let copy = copies.join("data");
            copy_folder(&original, &copy)?;
            let kinds = kinds_of(&copy)?;
            let files = kinds
                .values()
                .nth(number % kinds.len().max(1))
                .cloned()
                .unwrap_or_default();
            let kind = MUTATIONS
                .get(number / kinds.len().max(1) % MUTATIONS.len())
                .copied();
            let file = rig.rng.pick(&files).cloned();
            let (Some(mutation), Some(file)) = (kind, file) else {
                return Err("the data folder is empty".to_owned());
            };
            let offset = apply(mutation, &file, &mut rig.rng).map_err(|error| error.to_string())?;
            let name = file.strip_prefix(&copy).unwrap_or(&file).display().to_string();
            let what = format!("{mutation:?} in {name} at {offset}");
            let before = tally.lost_max;
            let judged = judge(rig, &copy, &name, &mut tally);
            if tally.lost_max > before {
                tally.worst.clone_from(&what);
            }
            if let Err(reason) = judged {
                done.failures.push(format!("{what}: {reason}"));
            }
        }
        Ok(())
    });
    done.note("mutations", count);
    done.note("harmless", tally.harmless);
    done.note("reported", tally.reported);
    done.note("named-by-check", tally.checked);
    done.note("refused", tally.refused);
    done.note("lost-and-reported", tally.lost);
    done.note("lost-max", format!("{} by {}", tally.lost_max, tally.worst));
    done.note("back-and-reported", tally.came_back);
    Ok(())
}

/// A data folder with a history: a kill, a clean stop, and messages of all sizes.
fn make_data(rig: &mut Rig) -> Result<(), String> {
    rig.start()?;
    // Every mutation looks at all of it.
    let plan = Plan {
        budget: 16 << 20,
        messages: 8000,
        ..Plan::USUAL
    };
    rig.load(plan)?;
    sleep(2000);
    rig.kill()?;
    rig.start()?;
    rig.verify(Manner::Peek)?;
    rig.load(plan)?;
    sleep(1000);
    rig.terminate()?;
    // What is there is known for certain from here on: a survey of the undamaged folder.
    rig.start()?;
    rig.verify(Manner::Peek)?;
    rig.terminate()
}

/// Starts the broker on damaged data and compares.
fn judge(rig: &mut Rig, copy: &Path, name: &str, tally: &mut Tally) -> Result<(), String> {
    let (_, check) = check(rig, copy);
    let before = log_length(rig);
    let home = std::mem::replace(&mut rig.launch.data, copy.to_owned());
    // What is found in the copy says nothing about the original.
    let (ledger, catalog) = (Arc::clone(&rig.ledger), Arc::clone(&rig.catalog));
    rig.ledger = Arc::new(ledger.fork());
    rig.catalog = Arc::new(catalog.fork());
    let started = rig.start();
    let outcome = started.and_then(|()| rig.verify(Manner::Peek));
    let figures = rig.ledger.figures();
    rig.broker = None;
    (rig.ledger, rig.catalog) = (ledger, catalog);
    rig.launch.data = home;
    let log = log_since(rig, before);
    if log.contains("panicked at") || check.contains("panicked at") {
        return Err("it panicked".to_owned());
    }
    // Files are named by their last part at least.
    let last = Path::new(name)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let said = log.contains(&last) || check.contains(&last);
    tally.checked += u64::from(check.contains(&last));
    if let Err(reason) = outcome {
        tally.refused += 1;
        return if said {
            Ok(())
        } else {
            Err(format!("did not start and did not say why: {reason}"))
        };
    }
    weigh(figures, said, tally)
}

/// Missing messages and undone settlements are what damage does, if it is said; wrong ones are not.
fn weigh(mut figures: Figures, said: bool, tally: &mut Tally) -> Result<(), String> {
    let lost = figures.forgive(Fault::Lost);
    let back = figures.forgive(Fault::SettledBack);
    let catalog = figures.forgive(Fault::Topology);
    let unmarked = figures.forgive(Fault::Unmarked);
    let wrong = figures.failures();
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let harmed = lost + back + catalog + unmarked > 0;
    if harmed && !said {
        return Err(format!(
            "{lost} lost, {back} back, {catalog} of the catalog, and no word about it"
        ));
    }
    tally.lost += lost;
    tally.lost_max = tally.lost_max.max(lost);
    tally.came_back += back;
    match said {
        true => tally.reported += 1,
        false => tally.harmless += 1,
    }
    Ok(())
}

/// Whether `warren check` finds a data folder sound, and what it says about it.
fn check(rig: &Rig, data: &Path) -> (bool, String) {
    let mut command = Command::new(&rig.launch.program);
    let output = command.arg("check").arg("--data-dir").arg(data).output();
    match output {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            (
                output.status.success(),
                String::from_utf8_lossy(&text).into_owned(),
            )
        }
        Err(error) => (false, error.to_string()),
    }
}

fn log_length(rig: &Rig) -> usize {
    fs::metadata(rig.launch.log()).map_or(0, |meta| meta.len() as usize)
}

fn log_since(rig: &Rig, before: usize) -> String {
    let bytes = fs::read(rig.launch.log()).unwrap_or_default();
    String::from_utf8_lossy(bytes.get(before..).unwrap_or_default()).into_owned()
}

/// Holes stay holes, or every copy would take the log's whole space.
fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    if to.exists() {
        fs::remove_dir_all(to).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    let status = Command::new("cp")
        .args(["-a", "--reflink=auto", "--sparse=always"])
        .arg(from)
        .arg(to)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cp ended with {status}")),
        Err(error) => Err(format!("cp: {error}")),
    }
}

/// The files by kind: folder and extension. Empty ones have nothing to damage.
fn kinds_of(data: &Path) -> Result<BTreeMap<PathBuf, Vec<PathBuf>>, String> {
    let mut kinds: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = folder
            .read_dir()
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if entry.metadata().is_ok_and(|meta| meta.len() > 0) {
                // Files of one kind differ in their number only; those at the top are each a kind.
                let kind = match folder == data {
                    true => path.clone(),
                    false => folder.join(path.extension().unwrap_or_default()),
                };
                kinds.entry(kind).or_default().push(path);
            }
        }
    }
    kinds.values_mut().for_each(|files| files.sort());
    Ok(kinds)
}

/// Damages a file; returns where.
fn apply(mutation: Mutation, path: &Path, rng: &mut Rng) -> io::Result<u64> {
    let file = File::options().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let used = used_blocks(&file, length)?;
    let block = rng.pick(&used).copied().unwrap_or(0);
    let other = rng.pick(&used).copied().unwrap_or(0);
    let within = block + rng.below(BLOCK.min(length - block).max(1));
    match mutation {
        Mutation::BitFlip => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, within)?;
            let flipped = byte.map(|byte| byte ^ (1 << rng.below(8)));
            file.write_all_at(&flipped, within)?;
            return Ok(within);
        }
        Mutation::Truncate => {
            file.set_len(within)?;
            return Ok(within);
        }
        Mutation::Zeroed => {
            let zeros = vec![0; BLOCK.min(length - block) as usize];
            file.write_all_at(&zeros, block)?;
        }
        Mutation::Duplicated => {
            let bytes = read_block(&file, other, length)?;
            file.write_all_at(&bytes, block)?;
        }
        Mutation::Swapped => {
            let (one, two) = (
                read_block(&file, block, length)?,
                read_block(&file, other, length)?,
            );
            file.write_all_at(&two, block)?;
            file.write_all_at(&one, other)?;
        }
    }
    Ok(block)
}

fn read_block(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; BLOCK.min(length - at) as usize];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

/// Where the blocks begin that hold anything: damage to empty space proves little.
fn used_blocks(file: &File, length: u64) -> io::Result<Vec<u64>> {
    let mut used = Vec::new();
    for at in (0..length).step_by(BLOCK as usize) {
        if read_block(file, at, length)?.iter().any(|byte| *byte != 0) {
            used.push(at);
        }
    }
    Ok(used)
}
