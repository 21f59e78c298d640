//! Destinations with the number of bindings that lead to each.
//!
//! One key may be bound to one queue, or to a hundred thousand: the entries are a plain list, beside which an
//! index appears when it grows long.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::Destination;

/// Up to here a walk over the list is as quick as an index.
const UNINDEXED_MAX: usize = 16;

/// A multiset of destinations.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    entries: SmallVec<[(Destination, u32); 1]>,
    /// Where each destination stands in `entries`. There exactly while it was once longer than
    /// [`UNINDEXED_MAX`] and has not been empty since.
    #[allow(
        clippy::box_collection,
        reason = "most have none, and it should cost them 8 bytes rather than 48"
    )]
    index: Option<Box<HashMap<Destination, usize>>>,
}

impl Destinations {
    /// Counts one binding more.
    pub(super) fn add(&mut self, destination: Destination) {
        match self.position(destination).and_then(|at| self.entries.get_mut(at)) {
            Some((_, count)) => *count += 1,
            None => self.push(destination),
        }
    }

    /// Counts one binding less. One that is not there changes nothing.
    pub(super) fn remove(&mut self, destination: Destination) {
        let Some(at) = self.position(destination) else {
            return;
        };
        if let Some((_, count)) = self.entries.get_mut(at)
            && *count > 1
        {
            *count -= 1;
            return;
        }
        self.remove_at(at);
    }

    /// Forgets a destination, however many bindings lead to it. Says whether one did.
    pub(super) fn clear(&mut self, destination: Destination) -> bool {
        let at = self.position(destination);
        if let Some(at) = at {
            self.remove_at(at);
        }
        at.is_some()
    }

    /// Each destination once.
    pub(super) fn for_each(&self, sink: &mut dyn FnMut(Destination)) {
        for (destination, _) in &self.entries {
            sink(*destination);
        }
    }

    /// The destination of one of the bindings, by a number of any size that every binding has an equal part
    /// of.
    pub(super) fn pick(&self, lot: u64) -> Option<Destination> {
        let bindings: u64 = self.entries.iter().map(|(_, count)| u64::from(*count)).sum();
        let mut left = lot.checked_rem(bindings)?;
        for (destination, count) in &self.entries {
            match left.checked_sub(u64::from(*count)) {
                Some(less) => left = less,
                None => return Some(*destination),
            }
        }
        None
    }

    /// Whether no binding is left.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn position(&self, destination: Destination) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&destination).copied(),
            None => self.entries.iter().position(|(found, _)| *found == destination),
        }
    }

    fn push(&mut self, destination: Destination) {
        if let Some(index) = &mut self.index {
            index.insert(destination, self.entries.len());
        }
        self.entries.push((destination, 1));
        if self.index.is_none() && self.entries.len() > UNINDEXED_MAX {
            let places = self
                .entries
                .iter()
                .enumerate()
                .map(|(at, (destination, _))| (*destination, at));
            self.index = Some(Box::new(places.collect()));
        }
    }

    fn remove_at(&mut self, at: usize) {
        let (removed, _) = self.entries.swap_remove(at);
        if let Some(index) = &mut self.index {
            index.remove(&removed);
            if let Some((moved, _)) = self.entries.get(at) {
                index.insert(*moved, at);
            }
        }
        if self.entries.is_empty() {
            *self = Self::default();
        }
    }
}
