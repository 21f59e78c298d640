//! From a data folder to a running node: the checkpoint, then the log behind it.

use super::checkpoint::{NodeEntry, entry, read_summary};
use super::notes;
use super::table::Table;
use super::{Backing, Bell, OPEN_EXTENTS_MAX, Options, Storage};
use crate::alarms::Memory;
use crate::clock::Clock;
use crate::dialect::Reading;
use crate::node::{Config, Node};
use crate::queues::record::{Reader, Said};
use hashbrown::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, OnceLock};
use warren_broker::catalog::{Catalog, Change, Effect, codec};
use warren_broker::queue::{Chain, Fact, Hour, Note, Page, Queue, Range, SeqSet, Stretch, Summary};
use warren_store::disk::Disk;
use warren_store::extent::{BESIDE, Extents, Section};
use warren_store::{Damage, Log, Part, Position, Record, Replay, Tail, Wal, checkpoint, failpoint};

/// Kinds of records of the node itself (owner 0).
pub mod record {
    /// A catalog change.
    pub const CHANGE: u8 = 1;
    /// The node came back from a crash: whatever is in a queue may have been out.
    pub const RECOVERED: u8 = 2;
}

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or made.
    #[error("{what}: {source}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

fn io(what: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { what, source }
}

/// What was found in a data folder.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// There was nothing: the folder is new.
    pub is_new: bool,
    /// The node was stopped in an orderly way.
    pub is_clean: bool,
    /// Records read from the log.
    pub records: u64,
    /// Bytes at the end of the log that never became durable.
    pub torn_bytes: u64,
    /// Durable queues.
    pub queues: usize,
    /// Messages in them.
    pub messages: u64,
    /// What is wrong.
    pub damages: Vec<Damage>,
    /// Messages known to be lost.
    pub messages_lost: u64,
}

/// A node over a data folder.
pub struct Opened {
    /// The node; [`Node::start`] starts its threads.
    pub node: Arc<Node>,
    /// What was found.
    pub recovered: Recovered,
}

/// A queue while it is recovered.
struct Rising {
    machine: Queue,
    reserved: u64,
    /// Messages whose content was let go of, and that a record behind has to settle.
    unneeded: SeqSet,
}

impl Default for Rising {
    fn default() -> Self {
        Self {
            machine: Queue::new(true),
            reserved: 0,
            unneeded: SeqSet::default(),
        }
    }
}

impl Rising {
    fn apply(&mut self, fact: Fact) {
        if !self.unneeded.is_empty() {
            match &fact {
                Fact::Settled { range, .. } => drop(self.unneeded.remove_range(*range)),
                Fact::Purged { up_to, except, .. } => {
                    let later = Range {
                        first: up_to.saturating_add(1),
                        last: u64::MAX,
                    };
                    let stay = except.iter().chain([&later]);
                    let stay = stay.flat_map(|range| self.unneeded.head(*range, u64::MAX, usize::MAX));
                    self.unneeded = stay.collect();
                }
                Fact::Enqueued { .. } | Fact::Returned { .. } | Fact::Seen { .. } => {}
            }
        }
        self.machine.apply([fact]);
    }

    /// Messages in it, ready or not.
    fn messages(&self) -> u64 {
        let totals = self.machine.totals();
        (totals.ready + totals.delayed) as u64
    }
}

/// Everything while it is recovered.
#[derive(Default)]
struct Recovery {
    catalog: Catalog,
    queues: HashMap<u64, Rising>,
    node: NodeEntry,
    /// Entries of the checkpoint are missing.
    has_gaps: bool,
    /// Records of the log are missing, or parts of them.
    has_lost_records: bool,
    bodies: Reader,
    report: Recovered,
}

impl Recovery {
    fn damaged(&mut self, damage: Damage) {
        tracing::error!(%damage, "damage in the store");
        self.report.messages_lost += damage.messages_lost.unwrap_or(0);
        self.report.damages.push(damage);
    }

    fn entry(&mut self, entry: &checkpoint::Entry) {
        let unreadable = |what: &str| Damage {
            file: "checkpoint".to_owned(),
            offset: 0,
            what: format!("{what} of owner {} is not understood", entry.owner),
            messages_lost: None,
        };
        match (entry.owner, entry.kind) {
            (0, entry::NODE) => match NodeEntry::read(&entry.bytes) {
                Some(node) => self.node = node,
                None => self.damaged(unreadable("the node's entry")),
            },
            (0, entry::CHANGE) => match codec::decode(&entry.bytes) {
                Ok(change) => drop(self.catalog.replay(change)),
                Err(_) => self.damaged(unreadable("a change")),
            },
            (owner, entry::QUEUE) => match read_summary(&entry.bytes) {
                Some((summary, reserved)) => {
                    let machine = Queue::restore(summary);
                    let rising = Rising {
                        machine,
                        reserved,
                        ..Rising::default()
                    };
                    self.queues.insert(owner, rising);
                }
                None => self.damaged(unreadable("the entry of a queue")),
            },
            _ => {}
        }
    }

    fn record(&mut self, record: &Record<'_>) {
        self.report.records += 1;
        if record.owner == 0 {
            return self.node_record(record);
        }
        let queue = self.queues.entry(record.owner).or_default();
        let mut lost = 0;
        let mut unreadable = false;
        self.bodies.read(record, &mut |said| match said {
            Said::Fact(fact) => queue.apply(fact),
            Said::Reserved(up_to) => queue.reserved = queue.reserved.max(up_to),
            Said::LostMessage => lost += 1,
            // What the checkpoint knows of is in an extent, or done with.
            Said::Unneeded(seq) if seq < queue.machine.next_seq() => {}
            Said::Unneeded(seq) => queue.unneeded.insert(seq),
            Said::LostBefore => {}
            Said::Unreadable => unreadable = true,
        });
        // The damage itself was reported by the log; what it costs is known only here.
        self.report.messages_lost += lost;
        if lost > 0 {
            tracing::error!(
                queue = record.owner,
                lost,
                file = record.file,
                offset = record.offset,
                "messages are lost"
            );
        }
        if unreadable {
            tracing::error!(
                queue = record.owner,
                kind = record.kind,
                file = record.file,
                offset = record.offset,
                "a record is lost: messages that it settled may come back"
            );
        }
    }

    /// Of what was let go of as not needed, everything was settled, or it is lost. A queue that was deleted
    /// before the checkpoint has nothing to lose.
    fn check_unneeded(&mut self) {
        for (queue, rising) in &self.queues {
            let lost = rising.unneeded.len();
            if lost > 0 {
                self.report.messages_lost += lost;
                tracing::error!(queue, lost, "messages are lost: the log that held them is gone");
            }
        }
    }

    fn node_record(&mut self, record: &Record<'_>) {
        // What is older is in the checkpoint.
        if record.position < self.node.catalog_at {
            return;
        }
        match (record.kind, record.parts.first()) {
            (record::CHANGE, Some(Part::Whole(bytes))) => match codec::decode(bytes) {
                Ok(change) => self.change(change),
                Err(_) => tracing::error!(
                    file = record.file,
                    offset = record.offset,
                    "a catalog change is not understood and left out"
                ),
            },
            (record::RECOVERED, _) => self
                .queues
                .values_mut()
                .for_each(|queue| queue.machine.mark_redelivered()),
            _ => tracing::error!(
                file = record.file,
                offset = record.offset,
                kind = record.kind,
                "a record of the node is left out"
            ),
        }
    }

    fn change(&mut self, change: Change) {
        for effect in self.catalog.replay(change) {
            match effect {
                Effect::QueueDeleted(_, queue) | Effect::AsideDeleted(_, queue) => {
                    drop(self.queues.remove(&queue.id.0));
                }
                // What it remembers has its number.
                Effect::ExchangeDeleted(_, exchange) => drop(self.queues.remove(&exchange.id.0)),
                _ => {}
            }
        }
    }
}

impl Node {
    /// Opens a data folder, which nobody else uses: makes it if it is empty, recovers it if not.
    ///
    /// # Errors
    /// [`Error`], when files cannot be read or made. Damage is no error: it is reported.
    pub fn open(config: Config, options: Options, disk: Arc<dyn Disk>) -> Result<Opened, Error> {
        for folder in ["log", "extents", "damaged"] {
            disk.create_folder(folder)
                .map_err(io("making a folder of the data folder"))?;
        }
        disk.sync_folder("").map_err(io("syncing the data folder"))?;
        let mut recovery = Recovery::default();
        let mut damages = Vec::new();
        let entries = checkpoint::read(&*disk, &mut |damage| damages.push(damage))
            .map_err(io("reading the checkpoint"))?;
        damages.drain(..).for_each(|damage| recovery.damaged(damage));
        let has_checkpoint = entries.is_some();
        entries.iter().flatten().for_each(|entry| recovery.entry(entry));
        // What is damaged in one of the two files is whole in the other, and costs nothing.
        recovery.has_gaps = recovery.report.damages.iter().any(costs);
        let extents = Extents::new(Arc::clone(&disk), OPEN_EXTENTS_MAX);
        extents.check_version().map_err(io("opening extents"))?;
        if recovery.has_gaps {
            recovery.salvage(&extents)?;
        }
        recovery.catalog.raise_last_id(recovery.node.last_id);
        failpoint::pass("recovery-read");
        let tail = replay(&*disk, &mut recovery)?;
        recovery.report.is_new =
            !has_checkpoint && tail.end == Position::default() && recovery.report.records == 0;
        recovery.report.is_clean = tail.is_closed;
        recovery.report.torn_bytes = tail.torn_bytes;
        let from = recovery.node.needed_from;
        let wal =
            Wal::open(Arc::clone(&disk), options.log.clone(), from, &tail).map_err(io("opening the log"))?;
        finish(config, options, disk, wal, extents, recovery)
    }
}

fn replay(disk: &dyn Disk, recovery: &mut Recovery) -> Result<Tail, Error> {
    let from = recovery.node.needed_from;
    recovery.bodies.begin_at(from);
    let mut log = Replay::open(disk).map_err(io("opening the log"))?;
    let mut damages = Vec::new();
    let tail = log
        .run(from, &mut |record| recovery.record(record), &mut |damage| {
            damages.push(damage)
        })
        .map_err(io("reading the log"))?;
    recovery.has_lost_records = damages.iter().any(costs);
    damages.into_iter().for_each(|damage| recovery.damaged(damage));
    Ok(tail)
}

/// Whether damage may have cost anything.
fn costs(damage: &Damage) -> bool {
    damage.messages_lost != Some(0)
}

/// Makes the node of what was recovered.
fn finish(
    config: Config,
    options: Options,
    disk: Arc<dyn Disk>,
    wal: Arc<Wal>,
    extents: Extents,
    mut recovery: Recovery,
) -> Result<Opened, Error> {
    // After a crash, and after the loss of records that settled or returned, nobody knows what was out.
    let is_crash = !recovery.report.is_clean && !recovery.report.is_new;
    if is_crash || recovery.has_lost_records {
        recovery
            .queues
            .values_mut()
            .for_each(|queue| queue.machine.mark_redelivered());
        wal.append(&mut |out| {
            out.begin(0, record::RECOVERED);
            out.end();
        });
    }
    let table = recovery.table(&extents)?;
    let needed_from = recovery.node.needed_from;
    let bell = Arc::new(Bell::default());
    let memory = Memory::with_budget(
        config.memory_watermark_bytes,
        options.recent_bytes,
        Arc::clone(&bell),
    );
    let storage = Arc::new(Storage::new(
        options,
        disk,
        Arc::clone(&wal),
        extents,
        table,
        bell,
    ));
    let backing = Arc::new(Backing {
        log: wal,
        memory: Arc::new(memory),
        storage: Some(storage),
        clock: Clock::default(),
        reader: Arc::new(Reading(Arc::clone(&config.dialect))),
        node: OnceLock::new(),
    });
    failpoint::pass("recovery-end");
    let mut report = std::mem::take(&mut recovery.report);
    let exchanges = recovery.exchanges();
    report.queues = recovery
        .queues
        .keys()
        .filter(|id| !exchanges.contains(*id))
        .count();
    let queues = std::mem::take(&mut recovery.queues);
    let rising = queues.into_iter().map(|(id, rising)| {
        report.messages += rising.messages();
        (id, (rising.machine, rising.reserved))
    });
    let rising = rising.collect();
    let node = Node::with_contents(config, backing, &recovery.catalog, rising, needed_from);
    Ok(Opened {
        node,
        recovered: report,
    })
}

/// What notes in extents tell of messages that no checkpoint tells of.
fn salvage_notes(summary: &mut Summary, pages: Vec<(Page, Vec<Note>)>) {
    for (page, notes) in pages {
        summary.pages.push(page);
        let dues = notes.iter().filter(|note| note.hour == Hour::Due);
        for note in dues.filter(|note| summary.durable.live().contains(note.seq)) {
            if !summary.delayed.contains(note.seq) {
                summary.delayed.insert(note.seq);
                summary.delayed_octets += u64::from(note.octets);
            }
        }
    }
}

impl Recovery {
    /// A checkpoint lost entries: what extents hold of queues that have none counts as not settled.
    fn salvage(&mut self, extents: &Extents) -> Result<(), Error> {
        let mut damages = Vec::new();
        let mut found: HashMap<u64, Vec<Stretch>> = HashMap::new();
        let mut beside: HashMap<u64, Vec<Section>> = HashMap::new();
        for extent in extents.list().map_err(io("listing the extents"))? {
            let sections = extents.sections(true, extent, &mut |damage| damages.push(damage));
            for section in sections.into_iter().flatten() {
                let owner = section.owner & !BESIDE;
                if self.queues.contains_key(&owner) {
                    continue;
                }
                if owner != section.owner {
                    beside.entry(owner).or_default().push(section);
                } else {
                    found.entry(section.owner).or_default().push(Stretch {
                        extent,
                        first: section.first,
                        last: section.last,
                        count: section.count,
                        live: 0,
                    });
                }
            }
        }
        damages.into_iter().for_each(|damage| self.damaged(damage));
        for (owner, mut stretches) in found {
            stretches.sort_unstable_by_key(|stretch| (stretch.first, stretch.extent));
            // One was being copied to another when it happened: either will do.
            let mut end = None;
            stretches.retain(|stretch| {
                let is_behind = end.is_none_or(|end| stretch.first > end);
                if is_behind {
                    end = Some(stretch.last);
                }
                is_behind
            });
            let live: SeqSet = stretches.iter().map(Stretch::range).collect();
            let up_to = end.map_or(0, |end| end.saturating_add(1));
            tracing::warn!(
                queue = owner,
                messages = live.len(),
                "what extents hold of a queue is taken as not settled"
            );
            let mut summary = Summary {
                durable: Chain::restore(stretches, live, up_to),
                redelivered_below: up_to,
                ..Summary::default()
            };
            for section in beside.remove(&owner).into_iter().flatten() {
                salvage_notes(&mut summary, notes::read_all(extents, &section));
            }
            let machine = Queue::restore(summary);
            self.queues.insert(
                owner,
                Rising {
                    machine,
                    reserved: up_to,
                    ..Rising::default()
                },
            );
        }
        Ok(())
    }

    /// Which extents there are, and how much of each is needed by the queues.
    fn table(&mut self, extents: &Extents) -> Result<Table, Error> {
        extents
            .remove_transient()
            .map_err(io("removing transient extents"))?;
        let present = extents.list().map_err(io("listing the extents"))?;
        let last = present.iter().copied().max().unwrap_or(0);
        let mut table = Table::new(last.max(self.node.last_extent));
        self.drop_unknown();
        self.check_unneeded();
        for queue in self.queues.values_mut() {
            // Whatever was released while facts were replayed is not in the table yet.
            queue.machine.take_released();
            for stretch in queue.machine.chain(true).stretches() {
                table.add(stretch.extent, true, stretch.live);
            }
            queue.machine.skip_to(queue.reserved);
        }
        self.check_extents(&present, &mut table);
        Ok(table)
    }

    /// The numbers of all exchanges, which those have of them that remember keys for one.
    fn exchanges(&self) -> HashSet<u64> {
        let vhosts = self.catalog.vhosts();
        vhosts
            .flat_map(|vhost| vhost.exchanges().map(|exchange| exchange.id.0))
            .collect()
    }

    /// Queues that the catalog does not know: they were deleted before the checkpoint, and the log still
    /// tells of them. Only where the checkpoint has gaps, or the log behind it is damaged, can it be that
    /// their declaration is lost.
    fn drop_unknown(&mut self) {
        let mut known = self.exchanges();
        let vhosts = self.catalog.vhosts();
        known.extend(
            vhosts.flat_map(|vhost| vhost.queues().chain(vhost.queues_aside()).map(|queue| queue.id.0)),
        );
        let mut unknown = Vec::new();
        self.queues.retain(|id, queue| {
            let is_known = known.contains(id);
            if !is_known && queue.messages() > 0 {
                unknown.push((*id, queue.messages()));
            }
            is_known
        });
        if self.report.damages.is_empty() {
            return;
        }
        // A whole checkpoint has every queue that was declared before it and not deleted.
        let told_up_to = if self.has_gaps { 0 } else { self.node.last_id };
        for (id, messages) in unknown.into_iter().filter(|(id, _)| *id > told_up_to) {
            self.damaged(Damage {
                file: "log".to_owned(),
                offset: 0,
                what: format!("{messages} messages of queue {id}, whose declaration is not there"),
                messages_lost: Some(messages),
            });
        }
    }

    /// Extents that are needed and missing are reported; those that nobody needs go.
    fn check_extents(&mut self, present: &[u64], table: &mut Table) {
        for (extent, live) in table.needed() {
            if !present.contains(&extent) {
                table.mark_damaged(extent);
                self.damaged(Damage {
                    file: format!("extents/{extent:020}.ext"),
                    offset: 0,
                    what: format!("the file is missing: {live} messages are lost"),
                    messages_lost: Some(live),
                });
            }
        }
        // After damage nothing is deleted for want of somebody who knows it.
        let keeps = !self.report.damages.is_empty();
        for extent in present {
            if !table.knows(*extent) {
                table.add_dead(*extent, keeps);
            }
        }
    }
}
