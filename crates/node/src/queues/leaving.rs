//! What leaves a queue for others: handed out to whoever moves it.

use super::LiveQueue;
use super::ending::sends_on;
use super::local::{Life, State};
use crate::mailbox::Touched;
use std::sync::{Arc, Weak};
use warren_broker::message::Message;
use warren_broker::queue::Leaving;

/// So long a dead letter that nobody takes, and that is not to be lost, waits before it is tried again.
const RETRY_MS: u64 = 1_000;

/// So long what leaves waits when the log is behind.
const PAUSE_MS: u64 = 10;

/// So long what is only to leave is not read again when memory is full.
const READ_PAUSE_MS: u64 = 100;

/// Bytes of memory that are moved at a time, beyond the first message.
const MOVED_BYTES_MAX: usize = 1024 * 1024;

/// A deleted queue takes no more of what it holds out of its lanes while so many messages leave.
const LEAVING_MAX: usize = 1024;

/// It waits as many times as long as there are so many messages that nobody takes: they may be millions, and
/// have to be read each time.
const STUCK_STEP: usize = 1024;

/// But not longer than three minutes, as RabbitMQ does with any.
const STUCK_STEPS_MAX: usize = 180;

/// Whether something leaves that nobody moves yet.
pub(super) fn has_leaving(state: &State) -> bool {
    state.machine.has_leaving() && !state.is_moving
}

impl LiveQueue {
    /// What leaves is moved. Not to be called with any queue's lock held.
    pub(crate) fn move_on(self: &Arc<Self>, touched: &mut Touched) {
        if let Some(node) = self.backing.node.get().and_then(Weak::upgrade) {
            node.move_on(self, touched);
        }
    }

    /// The first messages that leave and may be moved now; until [`LiveQueue::end_move`] nobody else gets
    /// any. `None` when there is none, or somebody else is at it.
    pub(crate) fn start_move(self: &Arc<Self>, max: usize) -> Option<Vec<Leaving>> {
        let mut state = self.lock();
        if self.is_gone() || state.is_moving || state.machine.is_plain() {
            return None;
        }
        let is_emptied = self.life() == Life::Emptied;
        if is_emptied && !sends_on(&state) {
            return None;
        }
        let now_ms = self.backing.clock.now_ms();
        if self.backing.log.is_congested() {
            state.move_at_ms = now_ms.saturating_add(PAUSE_MS);
            let at_ms = state.move_at_ms;
            self.call_at(&mut state, at_ms);
            return None;
        }
        state.move_at_ms = 0;
        if state.retry_at_ms > 0 && state.retry_at_ms <= now_ms {
            // What was not tried yet comes first: it would never be reached behind much that nobody takes.
            if is_emptied || state.machine.untried() == 0 {
                state.retry_at_ms = 0;
                state.stuck_since_ms = 0;
                state.machine.try_again();
            } else {
                state.retry_at_ms = now_ms.saturating_add(RETRY_MS);
            }
        }
        let before = state.machine.bytes();
        if is_emptied && state.machine.untried() < LEAVING_MAX {
            state.machine.leave_some(max);
        }
        let mut leaving = state.machine.leaving(max);
        leaving.truncate(moved_at_a_time(&leaving));
        state.is_moving = !leaving.is_empty();
        if is_emptied && leaving.is_empty() {
            wait_for_takers(&mut state, now_ms);
        }
        self.ask_for_call(&mut state);
        // What has to be read first is asked for.
        self.settle_accounts(&mut state, before);
        state.is_moving.then_some(leaving)
    }

    /// These were moved, but for some of them where it is not done; these are tried again after a while, and
    /// others go meanwhile.
    pub(crate) fn end_move(self: &Arc<Self>, seqs: &[u64], is_done: bool) {
        let mut state = self.lock();
        state.is_moving = false;
        if !is_done {
            let before = state.machine.bytes();
            state.stuck += state.machine.not_taken(seqs);
            let now_ms = self.backing.clock.now_ms();
            if state.stuck_since_ms == 0 {
                state.stuck_since_ms = now_ms;
            }
            let pause_ms = pause_ms(state.machine.tried());
            let retry_at_ms = state.stuck_since_ms.saturating_add(pause_ms);
            state.retry_at_ms = state.retry_at_ms.max(retry_at_ms);
            self.settle_accounts(&mut state, before);
        }
        self.ask_for_call(&mut state);
    }

    /// Whether what is to be read may be read now. What was read so that it may leave would only be more in
    /// memory where the log is behind, or where memory is full and no consumer waits for any of it. It goes
    /// on slowly even then, as what fills memory may be what waits behind it.
    pub(super) fn may_read(self: &Arc<Self>, state: &mut State) -> bool {
        let machine = &state.machine;
        if machine.is_plain() || machine.rules().dead_letters.is_none() {
            return true;
        }
        let totals = machine.totals();
        let is_ahead = totals.leaving > 0 && totals.bytes > self.backing.ahead_bytes();
        if is_ahead && self.backing.log.is_congested() {
            return false;
        }
        let is_wanted = totals.consumers > 0 || !state.waiting.is_empty();
        if is_wanted || !self.backing.is_memory_full() {
            return true;
        }
        let now_ms = self.backing.clock.now_ms();
        let may_read = state.read_at_ms <= now_ms;
        if may_read {
            state.read_at_ms = now_ms.saturating_add(READ_PAUSE_MS);
        } else {
            let at_ms = state.read_at_ms;
            self.call_at(state, at_ms);
        }
        may_read
    }

    /// Whether there is no room for a message.
    pub(crate) fn is_full_for(&self, message: &Message) -> bool {
        let now_ms = self.backing.clock.now_ms();
        self.refuses() && !self.lock().machine.has_room_for(message, now_ms)
    }
}

/// Nothing of a deleted queue can be moved now: it tries again later, if nothing happens before.
fn wait_for_takers(state: &mut State, now_ms: u64) {
    let stuck = match state.machine.has_tried_all() {
        true => std::mem::take(&mut state.stuck),
        false => 0,
    };
    let pause_ms = pause_ms(stuck);
    if state.retry_at_ms == 0 || pause_ms > RETRY_MS {
        state.retry_at_ms = now_ms.saturating_add(pause_ms);
    }
}

/// How long messages wait that nobody takes, when there are so many.
fn pause_ms(stuck: usize) -> u64 {
    RETRY_MS * (stuck / STUCK_STEP).clamp(1, STUCK_STEPS_MAX) as u64
}

/// How many of these are moved at a time: as many as are not too large together.
fn moved_at_a_time(leaving: &[Leaving]) -> usize {
    let mut bytes = 0;
    let fits = leaving.iter().enumerate().take_while(|(at, one)| {
        bytes += one.message.memory_bytes();
        // Those without a number are named once.
        *at == 0 || bytes <= MOVED_BYTES_MAX || one.seq.is_none()
    });
    fits.count()
}
