//! What was sent and confirmed, and what was taken out: of messages that are numbers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::ledger::{End, Ledger};

/// A message.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// Where it was sent to.
    pub(super) queue: &'static str,
    /// Not to come before.
    pub(super) due: Option<Instant>,
    pub(super) is_confirmed: bool,
    /// The broker said that it did not take it.
    pub(super) is_nacked: bool,
    /// Where it was taken out for good, and when.
    pub(super) taken: BTreeMap<&'static str, Instant>,
}

#[derive(Default)]
struct State {
    sent: BTreeMap<u64, Sent>,
    last: u64,
    confirmed: u64,
    nacked: u64,
    counted: (u64, u64, u64),
}

/// See the module.
#[derive(Default)]
pub(super) struct Journal {
    state: Mutex<State>,
}

impl Journal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Books a message that is about to be sent. Answers its number.
    pub(super) fn send(&self, queue: &'static str, due: Option<Instant>) -> u64 {
        let mut state = self.state();
        state.last += 1;
        let id = state.last;
        let sent = Sent {
            queue,
            due,
            is_confirmed: false,
            is_nacked: false,
            taken: BTreeMap::new(),
        };
        state.sent.insert(id, sent);
        id
    }

    /// Books what the broker said of messages.
    pub(super) fn resolve(&self, ids: &[u64], is_confirmed: bool) {
        let mut state = self.state();
        let state = &mut *state;
        for id in ids {
            if let Some(sent) = state.sent.get_mut(id) {
                sent.is_confirmed |= is_confirmed;
                sent.is_nacked |= !is_confirmed;
            }
        }
        let count = ids.len() as u64;
        match is_confirmed {
            true => state.confirmed += count,
            false => state.nacked += count,
        }
    }

    /// A message was taken out of a queue, and the broker knows of it.
    pub(super) fn take(&self, id: u64, queue: &'static str) {
        if let Some(sent) = self.state().sent.get_mut(&id) {
            sent.taken.insert(queue, Instant::now());
        }
    }

    /// All messages.
    pub(super) fn all(&self) -> BTreeMap<u64, Sent> {
        self.state().sent.clone()
    }

    /// Adds what is new to the figures of the scenario.
    pub(super) fn count(&self, ledger: &Ledger) {
        let mut state = self.state();
        let now = (state.last, state.confirmed, state.nacked);
        let before = std::mem::replace(&mut state.counted, now);
        ledger.note(|figures| {
            figures.published += now.0 - before.0;
            figures.confirmed += now.1 - before.1;
            figures.nacked += now.2 - before.2;
        });
    }
}

impl Sent {
    /// Whether it was taken somewhere, so long before the end that it may not come back there.
    pub(super) fn is_settled(&self, queue: &str, end: End) -> bool {
        let taken = self.taken.get(queue);
        taken.is_some_and(|taken| *taken + end.window < end.at)
    }
}
