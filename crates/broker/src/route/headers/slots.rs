//! A set of rules: mostly one, seldom a hundred thousand.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::Slot;

/// Up to here a walk over the list is as quick as a hash.
const LISTED_MAX: usize = 16;

/// A set of rules by their places.
#[derive(Debug)]
pub(super) enum Slots {
    Few(SmallVec<[Slot; 2]>),
    /// Once there were more than [`LISTED_MAX`], until there is none.
    #[allow(
        clippy::box_collection,
        reason = "it is rare, and should not make the others large"
    )]
    Many(Box<HashSet<Slot, RandomState>>),
}

impl Default for Slots {
    fn default() -> Self {
        Slots::Few(SmallVec::new())
    }
}

impl Slots {
    /// Adds one that is not there.
    pub(super) fn insert(&mut self, slot: Slot) {
        match self {
            Slots::Few(few) if few.len() < LISTED_MAX => few.push(slot),
            Slots::Few(few) => {
                let mut many: HashSet<Slot, RandomState> = few.drain(..).collect();
                many.insert(slot);
                *self = Slots::Many(Box::new(many));
            }
            Slots::Many(many) => {
                many.insert(slot);
            }
        }
    }

    /// Removes one, if it is there.
    pub(super) fn remove(&mut self, slot: Slot) {
        match self {
            Slots::Few(few) => few.retain(|found| *found != slot),
            Slots::Many(many) => {
                many.remove(&slot);
            }
        }
        if self.is_empty() {
            *self = Slots::default();
        }
    }

    /// Each of them.
    pub(super) fn for_each(&self, sink: &mut dyn FnMut(Slot)) {
        match self {
            Slots::Few(few) => few.iter().copied().for_each(sink),
            Slots::Many(many) => many.iter().copied().for_each(sink),
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Slots::Few(few) => few.is_empty(),
            Slots::Many(many) => many.is_empty(),
        }
    }
}
