//! The verdict on one mutation: what is missing, back and told, against what was touched.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::told::Told;
use super::{Names, Tally, count};
use crate::folder::{Copy, Place, Reach};
use crate::ledger::{Fault, Figures, Queue};

/// What was found in a damaged copy.
pub(super) struct Outcome {
    pub(super) figures: Figures,
    /// What its queues held, the declarer's aside.
    pub(super) present: HashSet<(Queue, u32, u32)>,
    /// How many messages the declarer's queues held.
    pub(super) counts: BTreeMap<String, u32>,
}

/// Everything that a verdict needs.
pub(super) struct Weighing<'a> {
    /// By their ids.
    pub(super) queues: &'a HashMap<u64, String>,
    pub(super) reach: Reach,
    /// Messages of deleted queues that the log still has.
    pub(super) undeclared: u64,
    pub(super) names: Names,
    pub(super) told: Told,
    pub(super) told_by_check: Told,
    /// What the undamaged folder held.
    pub(super) was_present: HashSet<(Queue, u32, u32)>,
    pub(super) had: BTreeMap<String, u32>,
}

impl Weighing<'_> {
    /// See the module.
    pub(super) fn weigh(&self, mut outcome: Outcome, said: bool, tally: &mut Tally) -> Result<(), String> {
        let figures = &mut outcome.figures;
        // Both are weighed message by message below.
        let _ = (figures.forgive(Fault::Lost), figures.forgive(Fault::SettledBack));
        let catalog = figures.forgive(Fault::Topology);
        let mut wrong = figures.failures();
        let missing = self.missing(&outcome, &mut wrong);
        let back = self.back(&outcome, &mut wrong);
        let short = self.short(&outcome, &mut wrong);
        if catalog > short.len() as u64 && !self.reach.catalog {
            wrong.push(format!(
                "{catalog} faults of the catalog, and no change of it was touched"
            ));
        }
        let lost = missing.len() as u64 + short.values().sum::<u64>();
        self.compare(&missing, &short, &mut wrong);
        let untold = missing
            .iter()
            .filter(|copy| self.reach.untold.contains(copy))
            .count() as u64;
        if !said && (lost > untold || back + catalog > 0 && !self.reach.is_torn) {
            wrong.push(format!(
                "{lost} lost, {back} back, {catalog} of the catalog, and no word about it"
            ));
        }
        tally.lost += lost;
        tally.lost_max = tally.lost_max.max(lost);
        tally.reach += self.reach.missing.len() as u64;
        tally.told += self.told.messages;
        tally.told_bytes += self.told.bytes;
        tally.came_back += back;
        match said {
            true => tally.reported += 1,
            false => tally.harmless += 1,
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong.join("; ")),
        }
    }

    /// The load's messages that are not there any more. Each must have been touched.
    fn missing(&self, outcome: &Outcome, wrong: &mut Vec<String>) -> BTreeSet<Copy> {
        let gone = self.was_present.difference(&outcome.present);
        let missing: BTreeSet<Copy> = gone.filter_map(|name| self.names.get(name).copied()).collect();
        let untouched = missing
            .iter()
            .filter(|copy| !self.reach.missing.contains_key(copy));
        let untouched: Vec<&Copy> = untouched.collect();
        if let Some(first) = untouched.first() {
            wrong.push(format!(
                "{} of {} missing messages were not touched, the first is {first:?}",
                untouched.len(),
                missing.len()
            ));
        }
        missing
    }

    /// How many of the load's messages are there again. Each one's settlement must have been touched.
    fn back(&self, outcome: &Outcome, wrong: &mut Vec<String>) -> u64 {
        let back: Vec<_> = outcome.present.difference(&self.was_present).collect();
        let is_due = |name: &&&(Queue, u32, u32)| {
            let copy = self.names.get(**name);
            !copy.is_some_and(|copy| self.reach.back.contains(copy))
        };
        if let Some(first) = back.iter().find(is_due) {
            let count = back.iter().filter(is_due).count();
            wrong.push(format!(
                "{count} are back whose settlement was not touched, the first is {first:?}"
            ));
        }
        back.len() as u64
    }

    /// By how many messages queues of the declarer are short. They are never read, so what they have in
    /// extents still counts.
    fn short(&self, outcome: &Outcome, wrong: &mut Vec<String>) -> BTreeMap<String, u64> {
        let mut short = BTreeMap::new();
        for (name, had) in &self.had {
            let has = outcome.counts.get(name).copied().unwrap_or(0);
            let lost = u64::from(had.saturating_sub(has));
            let most = count(self.queues, name, self.reach.missing.keys());
            if lost > most && !self.reach.catalog || has > *had {
                wrong.push(format!(
                    "{name} has {has} messages and had {had}, of which {most} were touched"
                ));
            }
            if has != *had {
                short.insert(name.clone(), lost);
            }
        }
        short
    }

    /// Holds what was said to what is missing.
    fn compare(&self, missing: &BTreeSet<Copy>, short: &BTreeMap<String, u64>, wrong: &mut Vec<String>) {
        let untold = |copy: &&Copy| self.reach.untold.contains(copy);
        let covered = |told: &Told, copy: &Copy| {
            let place = self.reach.missing.get(copy).and_then(Option::as_ref);
            place.is_some_and(|place| told.covers(place))
        };
        // Which of a queue of the declarer are missing is not known; those that can be.
        let declared: BTreeSet<Copy> = self
            .reach
            .missing
            .keys()
            .filter(|copy| {
                self.queues
                    .get(&copy.owner)
                    .is_some_and(|name| short.contains_key(name))
            })
            .copied()
            .collect();
        let all: BTreeSet<Copy> = missing.union(&declared).copied().collect();
        // Where a declaration or a deletion is lost, all of a queue counts as lost, the deleted included.
        let of_catalog = self.had.values().copied().map(u64::from).sum::<u64>() + self.undeclared;
        let settled = self.reach.settled + if self.reach.catalog { of_catalog } else { 0 };
        let of_check = |copy: &&Copy| !self.reach.uncounted.contains(copy);
        for (who, told, most) in [
            ("the broker", &self.told, settled - self.reach.settled_in_extents),
            ("warren check", &self.told_by_check, settled),
        ] {
            let is_checking = who == "warren check";
            let counted = all
                .iter()
                .filter(|copy| !untold(copy) && !covered(told, copy))
                .filter(|copy| !is_checking || of_check(copy))
                .count() as u64;
            // A queue that nobody reads says nothing of what it has lost in extents.
            let unread = if is_checking { self.unread() } else { 0 };
            if told.messages < counted {
                let told = told.messages;
                wrong.push(format!(
                    "{who} told of {told} lost messages, and {counted} are missing"
                ));
            }
            if told.messages > all.len() as u64 + most + unread {
                wrong.push(format!(
                    "{who} told of {} lost messages; {} are missing, and {} settled ones were touched",
                    told.messages,
                    all.len(),
                    most
                ));
            }
            if told.bytes > self.reach.record_bytes {
                wrong.push(format!(
                    "{who} told of {} lost bytes of records, of which {} were touched",
                    told.bytes, self.reach.record_bytes
                ));
            }
        }
    }

    /// Messages of the declarer's queues in extents that were touched.
    fn unread(&self) -> u64 {
        let is_in_extent = |(copy, place): &(&Copy, &Option<Place>)| {
            let name = self.queues.get(&copy.owner);
            place.is_none() && name.is_some_and(|name| self.had.contains_key(name))
        };
        self.reach.missing.iter().filter(is_in_extent).count() as u64
    }
}

#[cfg(test)]
mod tests;
