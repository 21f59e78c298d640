//! Damage at rest: the broker is down, one file of a copy of its data folder is changed, and the real binary
//! starts on it.
//!
//! Nothing wrong may be delivered and nothing may panic. What is missing is held to the bytes that were
//! changed, and what the broker and `warren check` say to what is missing:
//!
//! ```text
//! missing ⊆ reach       only messages whose own bytes were touched (`folder::reach`)
//! back ⊆ reach          only messages whose settlement was touched
//! missing ≤ told        each is counted, or its record is among the bytes of records that are told as lost,
//!                       unless it stood at the end of the log, where nobody can know that it was there
//! told ≤ missing + settled messages in the touched bytes: of these nobody can know that they were settled
//! bytes told ≤ bytes of the records whose headers were touched
//! ```

mod mutation;
mod told;
mod weigh;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::disk::Tmpfs;
use super::{Done, sleep};
use crate::folder::{Changed, Copy, Folder};
use crate::ledger::{Ledger, Queue};
use crate::load::{Catalog, Plan};
use crate::rig::{Context, Rig};
use crate::survey::Manner;
use mutation::{MUTATIONS, Mutation};
use told::Told;
use weigh::{Outcome, Weighing};

/// Room for a copy of the data folder, and for what the broker adds to it.
const COPY_MIB: u64 = 2048;

/// So that a few seconds of load fill extents and several files of the log, some of them for a second time.
const SETS: [&str; 3] = [
    "store.recent_bytes=12582912",
    "wal.segment_bytes=4194304",
    "wal.max_bytes=67108864",
];

/// How often a folder is made anew that was left in the middle of something.
const TRIES: usize = 5;

/// Files of these folders are damaged so many times as often as the others, which are there twice or hold
/// nothing.
const OFTEN: [(&str, usize); 2] = [("log/", 4), ("extents/", 4)];

/// What came of all mutations.
#[derive(Default)]
struct Tally {
    harmless: u64,
    reported: u64,
    /// Of these, those that `warren check` named before the start.
    checked: u64,
    /// Messages that were missing, that might have been, and that the broker said were.
    lost: u64,
    reach: u64,
    told: u64,
    /// Bytes of records that the broker said were lost.
    told_bytes: u64,
    /// The most messages that one mutation cost, and which.
    lost_max: u64,
    worst: String,
    came_back: u64,
}

/// The undamaged folder, and what is known of it.
struct Sound {
    folder: Folder,
    /// By their ids.
    queues: HashMap<u64, String>,
}

/// A message as the harness knows it, and as the broker does.
type Names = HashMap<(Queue, u32, u32), Copy>;

pub(super) fn mutate(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let count = context.rounds(10, 100);
    let mut tally = Tally::default();
    done.with(context, "mutate", |rig, done| {
        let is_free = |set: &&&str| !rig.launch.sets.iter().any(|own| same_key(own, set));
        let sets: Vec<String> = SETS.iter().filter(is_free).map(|set| (*set).to_owned()).collect();
        rig.launch.sets.extend(sets);
        let copies = rig.launch.scratch.join("copies");
        // In memory if that may be: a disk is busy for seconds with every copy.
        let _tmpfs = Tmpfs::mount(&copies, COPY_MIB);
        fs::create_dir_all(&copies).map_err(|error| error.to_string())?;
        let copy = copies.join("data");
        make_stopped(rig)?;
        let stopped = rig.data().to_owned();
        let half = count.div_ceil(2);
        rounds(rig, done, &stopped, &copy, 0..half, &mut tally)?;
        if half < count {
            let killed = make_killed(rig, &copy)?;
            rounds(rig, done, &killed, &copy, half..count, &mut tally)?;
        }
        Ok(())
    });
    done.note("mutations", count);
    done.note("harmless", tally.harmless);
    done.note("reported", tally.reported);
    done.note("named-by-check", tally.checked);
    done.note("lost", tally.lost);
    done.note("in-reach", tally.reach);
    done.note("told", tally.told);
    done.note("told-bytes", tally.told_bytes);
    done.note("lost-max", format!("{} by {}", tally.lost_max, tally.worst));
    done.note("back-and-reported", tally.came_back);
    Ok(())
}

fn same_key(one: &str, other: &str) -> bool {
    one.split('=').next() == other.split('=').next()
}

/// Damages copies of a folder, which is what the harness knows it to be.
fn rounds(
    rig: &mut Rig,
    done: &mut Done,
    original: &Path,
    copy: &Path,
    numbers: Range<usize>,
    tally: &mut Tally,
) -> Result<(), String> {
    let (is_sound, said) = check(rig, original);
    done.expect(is_sound, || {
        format!("warren check finds fault with what is undamaged: {said}")
    });
    let sound = Sound::read(rig, original, &said)?;
    for number in numbers {
        copy_folder(original, copy)?;
        let (what, changed) = damage(rig, &sound, copy, number)?;
        let before = tally.lost_max;
        let judged = judge(rig, &sound, copy, &changed, tally);
        if tally.lost_max > before {
            tally.worst.clone_from(&what);
        }
        if let Err(reason) = judged {
            done.failures.push(format!("round {number}, {what}: {reason}"));
        }
    }
    Ok(())
}

/// A load of which every mutation looks at all.
fn plan() -> Plan {
    Plan {
        budget: 16 << 20,
        messages: 8000,
        ..Plan::USUAL
    }
}

/// The same folder after another load and a kill: the checkpoint is older than the log, and nothing says
/// where that ends.
fn make_killed(rig: &mut Rig, copy: &Path) -> Result<PathBuf, String> {
    let killed = rig.launch.scratch.join("killed");
    copy_folder(rig.data(), &killed)?;
    rig.launch.data.clone_from(&killed);
    for _ in 0..TRIES {
        rig.start()?;
        rig.load(plan())?;
        sleep(1500);
        rig.kill()?;
        // What is there is known for certain once a start on the same bytes was looked at.
        copy_folder(&killed, copy)?;
        let home = std::mem::replace(&mut rig.launch.data, copy.to_owned());
        rig.start()?;
        rig.look(Manner::Peek)?;
        rig.broker = None;
        rig.launch.data = home;
        if !is_between_files(rig, &killed)? {
            return Ok(killed);
        }
    }
    Err("it was always killed while it made files".to_owned())
}

/// Whether the broker was killed while it made a checkpoint or an extent: what is half there is no damage.
fn is_between_files(rig: &Rig, data: &Path) -> Result<bool, String> {
    let read = |name| fs::read(data.join(name)).map_err(|error| format!("{name}: {error}"));
    let (is_sound, _) = check(rig, data);
    Ok(!is_sound || read("checkpoint")? != read("checkpoint.copy")?)
}

/// A data folder with a history: a kill, a clean stop, and messages of all sizes.
fn make_stopped(rig: &mut Rig) -> Result<(), String> {
    rig.start()?;
    rig.load(plan())?;
    sleep(2000);
    rig.kill()?;
    rig.start()?;
    rig.verify(Manner::Peek)?;
    rig.load(plan())?;
    sleep(1000);
    rig.terminate()?;
    // What is there is known for certain from here on: a survey of the undamaged folder.
    rig.start()?;
    rig.verify(Manner::Peek)?;
    rig.terminate()
}

impl Sound {
    /// Reads the undamaged folder. What its bytes say must be what its queues held.
    fn read(rig: &Rig, data: &Path, check: &str) -> Result<Sound, String> {
        let queues = queues_of(check);
        let folder = Folder::read(data, &|id| queues.contains_key(&id))?;
        let sound = Sound { folder, queues };
        let names = sound.names(&rig.ledger);
        let found: HashSet<_> = rig.ledger.present();
        let is_live = |(_, copy): &(&_, &Copy)| sound.folder.live.contains(copy);
        let by_bytes: HashSet<_> = names.iter().filter(is_live).map(|(name, _)| *name).collect();
        if found != by_bytes {
            let (found, by_bytes) = (found.len(), by_bytes.len());
            return Err(format!(
                "the queues hold {found} messages, and the bytes of the folder say {by_bytes}, or others"
            ));
        }
        for (name, held) in rig.catalog.counts() {
            let by_bytes = count(&sound.queues, &name, &sound.folder.live);
            if by_bytes != u64::from(held) {
                return Err(format!(
                    "{name} holds {held} messages, and by its bytes {by_bytes}"
                ));
            }
        }
        Ok(sound)
    }

    /// The messages of the load's own queues.
    fn names(&self, ledger: &Ledger) -> Names {
        let queues = ledger.queues();
        let name = |copy: &Copy| {
            let name = self.queues.get(&copy.owner)?;
            let queue = queues.iter().position(|queue| queue == name)? as Queue;
            let identity = self.folder.identities.get(copy)?;
            Some(((queue, identity.producer, identity.seq), *copy))
        };
        // Those that were settled have names, too: they may come back.
        self.folder.identities.keys().filter_map(name).collect::<Names>()
    }
}

/// How many of some messages are in a queue.
fn count<'a>(queues: &HashMap<u64, String>, queue: &str, of: impl IntoIterator<Item = &'a Copy>) -> u64 {
    let is_in = |copy: &&Copy| queues.get(&copy.owner).is_some_and(|name| name == queue);
    of.into_iter().filter(is_in).count() as u64
}

/// `  queue "NAME" (classic, id ID): ...`, as `warren check` says it.
fn queues_of(check: &str) -> HashMap<u64, String> {
    let queue = |line: &str| {
        let (name, rest) = line.trim_start().strip_prefix("queue \"")?.split_once('"')?;
        let id = rest.split_once("id ")?.1.split(')').next()?;
        Some((id.parse().ok()?, name.to_owned()))
    };
    check.lines().filter_map(queue).collect()
}

/// Damages a file of the copy: every kind in turn, and each with every mutation.
fn damage(rig: &mut Rig, sound: &Sound, copy: &Path, number: usize) -> Result<(String, Changed), String> {
    let kinds = kinds_of(copy)?;
    let turns: Vec<&Vec<PathBuf>> = kinds
        .iter()
        .flat_map(|(kind, files)| {
            let is_of = |(folder, _): &&(&str, usize)| kind.starts_with(copy.join(folder));
            let times = OFTEN.iter().find(is_of).map_or(1, |(_, times)| *times);
            std::iter::repeat_n(files, times)
        })
        .collect();
    let round = number / turns.len().max(1);
    // Those that come up several times in a turn are damaged in another way each time.
    let mutation = MUTATIONS.get((round + number) % MUTATIONS.len());
    let files = turns.get(number % turns.len().max(1)).copied();
    let name_of = |file: &PathBuf| file.strip_prefix(copy).unwrap_or(file).display().to_string();
    // Most files of the log hold nothing that is still needed.
    let needed = |file: &&PathBuf| sound.folder.needs(&name_of(file));
    let needed: Vec<PathBuf> = files.into_iter().flatten().filter(needed).cloned().collect();
    let file = match needed.is_empty() || rig.rng.one_in(4) {
        true => files.and_then(|files| rig.rng.pick(files)),
        false => rig.rng.pick(&needed),
    };
    let file = file.cloned();
    let (Some(mutation), Some(file)) = (mutation.copied(), file) else {
        return Err("the data folder is empty".to_owned());
    };
    let name = name_of(&file);
    let places = sound.folder.places(&name);
    let applied =
        Mutation::apply(mutation, &file, &places, &mut rig.rng).map_err(|error| error.to_string())?;
    let other = applied.other.map(|other| format!(" and {other}"));
    let what = format!(
        "{mutation:?} in {name} at {}{}",
        applied.at,
        other.unwrap_or_default()
    );
    let changed = Changed {
        file: name,
        ranges: applied.ranges,
        is_cut: mutation.is_cut(),
    };
    Ok((what, changed))
}

/// Starts the broker on damaged data and compares.
fn judge(
    rig: &mut Rig,
    sound: &Sound,
    copy: &Path,
    changed: &Changed,
    tally: &mut Tally,
) -> Result<(), String> {
    let (_, check) = check(rig, copy);
    let before = log_length(rig);
    let home = std::mem::replace(&mut rig.launch.data, copy.to_owned());
    // What is found in the copy says nothing about the original.
    let (ledger, catalog) = (Arc::clone(&rig.ledger), Arc::clone(&rig.catalog));
    let counts = catalog.counts();
    rig.ledger = Arc::new(ledger.fork());
    rig.catalog = Arc::new(catalog.fork());
    let outcome = look(rig);
    rig.broker = None;
    (rig.ledger, rig.catalog) = (ledger, catalog);
    rig.launch.data = home;
    let log = log_since(rig, before);
    if log.contains("panicked at") || check.contains("panicked at") {
        return Err("it panicked".to_owned());
    }
    // One file is damaged: whatever it is, the rest is to be served.
    let outcome = outcome.map_err(|reason| format!("it does not serve what is whole: {reason}"))?;
    // Files are named by their last part at least.
    let last = Path::new(&changed.file)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let said = log.contains(&last) || check.contains(&last);
    tally.checked += u64::from(check.contains(&last));
    let weighing = Weighing {
        queues: &sound.queues,
        reach: sound.folder.reach(changed),
        undeclared: sound.folder.undeclared,
        names: sound.names(&rig.ledger),
        told: Told::by_broker(&log),
        told_by_check: Told::by_check(&check),
        was_present: rig.ledger.present(),
        had: counts,
    };
    weighing.weigh(outcome, said, tally)
}

/// Starts the broker and looks at everything.
fn look(rig: &mut Rig) -> Result<Outcome, String> {
    rig.start()?;
    rig.look(Manner::Peek)?;
    let (present, counts) = (rig.ledger.present(), rig.catalog.counts());
    let address = rig.broker()?.address()?;
    Catalog::probe_bindings(&rig.catalog, address, &rig.ledger)?;
    Ok(Outcome {
        figures: rig.ledger.figures(),
        present,
        counts,
    })
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
