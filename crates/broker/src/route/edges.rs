//! The edges from a node of a tree to its children: mostly one, seldom a hundred thousand.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

/// A node: where it stands in its tree's list.
pub(super) type NodeId = u32;

/// Up to here a walk over the list is as quick as a hash.
const LISTED_MAX: usize = 8;

/// Children by their labels, which are numbers that no client chooses.
#[derive(Debug)]
pub(super) struct Edges<L>(Kept<L>);

#[derive(Debug)]
enum Kept<L> {
    Few(SmallVec<[(L, NodeId); 1]>),
    /// Once there were more than [`LISTED_MAX`], until there is none.
    #[allow(
        clippy::box_collection,
        reason = "it is rare, and should not make the others large"
    )]
    Many(Box<HashMap<L, NodeId, RandomState>>),
}

impl<L> Default for Edges<L> {
    fn default() -> Self {
        Edges(Kept::Few(SmallVec::new()))
    }
}

impl<L: Copy + Eq + Hash> Edges<L> {
    /// The child by a label.
    pub(super) fn find(&self, label: L) -> Option<NodeId> {
        match &self.0 {
            Kept::Few(few) => few
                .iter()
                .find(|(found, _)| *found == label)
                .map(|(_, child)| *child),
            Kept::Many(many) => many.get(&label).copied(),
        }
    }

    /// Adds a child by a label that has none.
    pub(super) fn insert(&mut self, label: L, child: NodeId) {
        match &mut self.0 {
            Kept::Few(few) if few.len() < LISTED_MAX => few.push((label, child)),
            Kept::Few(few) => {
                let mut many: HashMap<L, NodeId, RandomState> = few.drain(..).collect();
                many.insert(label, child);
                self.0 = Kept::Many(Box::new(many));
            }
            Kept::Many(many) => {
                many.insert(label, child);
            }
        }
    }

    /// Removes the child by a label, if there is one.
    pub(super) fn remove(&mut self, label: L) {
        match &mut self.0 {
            Kept::Few(few) => few.retain(|(found, _)| *found != label),
            Kept::Many(many) => {
                many.remove(&label);
            }
        }
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// All children.
    pub(super) fn for_each(&self, mut sink: impl FnMut(L, NodeId)) {
        match &self.0 {
            Kept::Few(few) => few.iter().for_each(|(label, child)| sink(*label, *child)),
            Kept::Many(many) => many.iter().for_each(|(label, child)| sink(*label, *child)),
        }
    }

    /// How many children there are.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Kept::Few(few) => few.len(),
            Kept::Many(many) => many.len(),
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
