//! The end of a queue: deleted, abandoned by its last consumer, or unused for too long.
//!
//! What it holds goes with it, unless its rules say that it is dead-lettered: then the queue is set aside. It
//! is deleted for everybody, its name is free, and it sends on what it held little by little. After a crash
//! in between it goes on with what it had not sent yet.

use super::LiveQueue;
use super::local::{Life, State};
use crate::mailbox::{Notice, Touched};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use warren_broker::queue::{Queue, Totals};
use warren_broker::refusal::Refusal;

/// What came of the wish that a queue should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped {
    /// Messages that were ready.
    pub(crate) ready: usize,
    /// It has to send on what it held before it goes.
    pub(crate) is_emptied: bool,
}

impl LiveQueue {
    /// Marks the queue as deleted, unless it is in use or holds messages and must not.
    ///
    /// # Errors
    /// [`Refusal::InUse`], [`Refusal::NotEmpty`].
    pub(crate) fn stop(
        &self,
        if_unused: bool,
        if_empty: bool,
        touched: &mut Touched,
    ) -> Result<Stopped, Refusal> {
        let mut state = self.lock();
        let Totals {
            ready,
            delayed,
            consumers,
            ..
        } = state.machine.totals();
        // What is delayed or rests is nowhere else, and would be lost.
        if if_empty && ready + delayed > 0 {
            return Err(Refusal::NotEmpty(self.subject()));
        }
        if if_unused && consumers > 0 {
            return Err(Refusal::InUse(self.subject()));
        }
        Ok(self.stop_locked(&mut state, touched))
    }

    /// Marks the queue as deleted if it is auto-delete and its last consumer is gone.
    pub(crate) fn stop_if_abandoned(&self, touched: &mut Touched) -> Option<Stopped> {
        let mut state = self.lock();
        let is_due = !self.is_deleted() && self.is_abandoned(&state);
        is_due.then(|| self.stop_locked(&mut state, touched))
    }

    /// Marks the queue as deleted if nobody used it for too long.
    pub(crate) fn stop_if_expired(&self, touched: &mut Touched) -> Option<Stopped> {
        let mut state = self.lock();
        let is_due = self.has_expired(&state);
        is_due.then(|| self.stop_locked(&mut state, touched))
    }

    /// It was set aside before a restart: it goes on with sending what it held.
    pub(crate) fn is_set_aside(&self) {
        self.set_life(Life::Emptied);
    }

    /// Nothing of the queue is needed any more.
    pub(crate) fn forget(&self, touched: &mut Touched) {
        let mut state = self.lock();
        if !self.is_gone() {
            self.finish(&mut state, touched);
        }
    }

    pub(super) fn is_abandoned(&self, state: &State) -> bool {
        self.declared().auto_delete && state.had_consumer && state.machine.totals().consumers == 0
    }

    fn stop_locked(&self, state: &mut State, touched: &mut Touched) -> Stopped {
        let totals = state.machine.totals();
        let is_emptied = sends_on(state) && totals.messages() > 0;
        if is_emptied {
            self.set_life(Life::Emptied);
            self.part(state, touched);
        } else {
            self.finish(state, touched);
        }
        Stopped {
            ready: totals.ready,
            is_emptied,
        }
    }

    /// Consumers and getters learn that the queue is gone.
    fn part(&self, state: &mut State, touched: &mut Touched) {
        for (key, subscriber) in state.subscribers.drain(..).flatten() {
            state.machine.cancel(key);
            let notice = Notice::ConsumerCancelled(subscriber.address);
            let mut open = subscriber.mailbox.open();
            open.push_notice(notice, touched);
            open.forget_queue(self);
            drop(open);
            subscriber.shared.forget_queue(self);
        }
        state.parted = HashMap::new();
        for browser in std::mem::take(&mut state.browsers) {
            browser.end();
            let (mailbox, address) = browser.mailbox();
            let mut open = mailbox.open();
            open.push_notice(Notice::ConsumerCancelled(address), touched);
            open.forget_queue(self);
        }
        // Whoever waits for a message to be read is told that there is none.
        for mailbox in std::mem::take(&mut state.waiting) {
            mailbox.open().push_notice(Notice::Fetched, touched);
        }
    }

    fn finish(&self, state: &mut State, touched: &mut Touched) {
        self.set_life(Life::Gone);
        self.part(state, touched);
        self.backing.memory.queue_changed(state.machine.bytes(), 0);
        if let Some(storage) = &self.backing.storage {
            storage.release(&state.machine.release_all());
        }
        self.backing.clock.forget(self.id());
        state.machine = Queue::default();
        state.trigger = None;
        state.is_moving = false;
        state.marks = VecDeque::new();
    }

    /// Whether it was to send on what it held, and has, or is not to any more.
    pub(crate) fn is_empty_at_last(self: &Arc<Self>) -> bool {
        let state = self.lock();
        let has_sent = state.machine.totals().messages() == 0;
        self.life() == Life::Emptied && !state.is_moving && (has_sent || !sends_on(&state))
    }
}

/// Whether what a queue holds when it is deleted is dead-lettered.
pub(super) fn sends_on(state: &State) -> bool {
    let dead_letters = state.machine.rules().dead_letters.as_ref();
    dead_letters.is_some_and(|rule| rule.on_delete)
}
