//! The messages of a lane that are in memory, by number: side by side where the numbers follow one another, or
//! with their numbers where a lane has a few of many.

use super::lane::Entry;
use super::rising::Rising;
use super::window::Window;

/// See the module.
#[derive(Debug)]
pub(super) enum Ready {
    /// All, or most, of the queue's numbers are in this lane.
    Dense(Window<Entry>),
    /// A lane among others.
    Sparse(Rising<u64, Entry>),
}

impl Default for Ready {
    fn default() -> Self {
        Self::Dense(Window::default())
    }
}

impl Ready {
    /// For a lane among others.
    pub(super) fn sparse() -> Self {
        Self::Sparse(Rising::default())
    }

    /// What there is goes into the form that a lane among others has, or one that has all.
    #[inline]
    pub(super) fn fit(&mut self, is_sparse: bool) {
        if is_sparse != matches!(self, Self::Sparse(_)) {
            self.change(is_sparse);
        }
    }

    #[cold]
    fn change(&mut self, is_sparse: bool) {
        let mut fitting = if is_sparse {
            Self::sparse()
        } else {
            Self::default()
        };
        while let Some((seq, entry)) = self.pop_first() {
            fitting.insert(seq, entry);
        }
        *self = fitting;
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Dense(ready) => ready.len(),
            Self::Sparse(ready) => ready.len(),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Dense(ready) => ready.is_empty(),
            Self::Sparse(ready) => ready.is_empty(),
        }
    }

    #[inline]
    pub(super) fn insert(&mut self, seq: u64, entry: Entry) {
        match self {
            Self::Dense(ready) => ready.insert(seq, entry),
            Self::Sparse(ready) => ready.insert(seq, entry),
        }
    }

    pub(super) fn find(&self, seq: u64) -> Option<&Entry> {
        match self {
            Self::Dense(ready) => ready.find(seq),
            Self::Sparse(ready) => ready.find(seq),
        }
    }

    pub(super) fn find_mut(&mut self, seq: u64) -> Option<&mut Entry> {
        match self {
            Self::Dense(ready) => ready.find_mut(seq),
            Self::Sparse(ready) => ready.find_mut(seq),
        }
    }

    pub(super) fn remove(&mut self, seq: u64) -> Option<Entry> {
        match self {
            Self::Dense(ready) => ready.remove(seq),
            Self::Sparse(ready) => ready.remove(seq),
        }
    }

    #[inline]
    pub(super) fn pop_first(&mut self) -> Option<(u64, Entry)> {
        match self {
            Self::Dense(ready) => ready.pop_first(),
            Self::Sparse(ready) => ready.pop_first(),
        }
    }

    pub(super) fn pop_last(&mut self) -> Option<(u64, Entry)> {
        match self {
            Self::Dense(ready) => ready.pop_last(),
            Self::Sparse(ready) => ready.pop_last(),
        }
    }

    #[inline]
    pub(super) fn first(&self) -> Option<(u64, &Entry)> {
        match self {
            Self::Dense(ready) => ready.first(),
            Self::Sparse(ready) => ready.first(),
        }
    }

    /// All by rising number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        let (dense, sparse) = self.either();
        let dense = dense.into_iter().flat_map(Window::iter);
        dense.chain(sparse.into_iter().flat_map(Rising::iter))
    }

    /// Those from a number on, by rising number.
    pub(super) fn iter_from(&self, seq: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let (dense, sparse) = self.either();
        let dense = dense.into_iter().flat_map(move |ready| ready.iter_from(seq));
        dense.chain(sparse.into_iter().flat_map(move |ready| ready.iter_from(seq)))
    }

    /// Gives all memory back, and forgets what is there.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Dense(ready) => ready.clear(),
            Self::Sparse(ready) => ready.clear(),
        }
    }

    fn either(&self) -> (Option<&Window<Entry>>, Option<&Rising<u64, Entry>>) {
        match self {
            Self::Dense(ready) => (Some(ready), None),
            Self::Sparse(ready) => (None, Some(ready)),
        }
    }
}
