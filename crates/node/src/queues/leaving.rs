//! What leaves a queue for others: handed out to whoever moves it.

use super::LiveQueue;
use super::local::{Life, State};
use crate::mailbox::Touched;
use std::sync::{Arc, Weak};
use warren_broker::message::Message;
use warren_broker::queue::Leaving;

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

    /// The first messages that leave; until [`LiveQueue::end_move`] nobody else gets any. `None` when there
    /// is none, or somebody else is at it.
    pub(crate) fn start_move(self: &Arc<Self>, max: usize) -> Option<Vec<Leaving>> {
        let mut state = self.lock();
        if self.is_gone() || state.is_moving || state.machine.is_plain() {
            return None;
        }
        if state.move_at_ms > 0 && self.backing.clock.now_ms() < state.move_at_ms {
            return None;
        }
        let before = state.machine.bytes();
        if self.life() == Life::Emptied {
            state.machine.leave_some(max);
        }
        let leaving = state.machine.leaving(max);
        state.is_moving = !leaving.is_empty();
        // What has to be read first is asked for.
        self.settle_accounts(&mut state, before);
        state.is_moving.then_some(leaving)
    }

    /// They were moved, or nothing is to be moved for so long, in milliseconds.
    pub(crate) fn end_move(self: &Arc<Self>, pause_ms: u64) {
        let mut state = self.lock();
        state.is_moving = false;
        state.move_at_ms = 0;
        if pause_ms > 0 {
            state.move_at_ms = self.backing.clock.now_ms().saturating_add(pause_ms);
            self.backing.clock.call(state.move_at_ms, self);
        }
    }

    /// Whether there is no room for a message.
    pub(crate) fn is_full_for(&self, message: &Message) -> bool {
        let now_ms = self.backing.clock.now_ms();
        self.refuses() && !self.lock().machine.has_room_for(message, now_ms)
    }
}
