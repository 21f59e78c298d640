//! What a queue has to do with the clock: when it is to be called, and what it does then.
//!
//! It asks for one call at a time, the first that it needs. Each time it is called it asks for the next one,
//! of all that it waits for.

use super::LiveQueue;
use super::local::{Life, State};
use crate::mailbox::{Notice, Touched};
use std::sync::Arc;
use warren_broker::queue::Ticket;
use warren_store::Position;

impl State {
    /// Consumers that were cancelled, and hold nothing any more, need not be told of anything.
    pub(super) fn forget_rid(&mut self) {
        for key in self.machine.take_rid() {
            self.parted.remove(&key);
        }
    }
}

impl LiveQueue {
    /// Sessions learn what was taken away from their consumers, also from those that are cancelled.
    pub(super) fn tell_timed_out(&self, state: &mut State, touched: &mut Touched) {
        for timed_out in state.machine.take_timed_out() {
            let Some(key) = timed_out.consumer else { continue };
            let place = state.subscribers.get(key.slot()).and_then(Option::as_ref);
            // Somebody else may be in its place.
            let there = place.filter(|(own, _)| *own == key);
            let there = there.map(|(_, subscriber)| (&subscriber.mailbox, subscriber.address));
            let parted = || {
                state
                    .parted
                    .get(&key)
                    .map(|(mailbox, address)| (mailbox, *address))
            };
            if let Some((mailbox, address)) = there.or_else(parted) {
                let notice = Notice::TimedOut(address, self.id(), timed_out.ticket);
                mailbox.open().push_notice(notice, touched);
            }
        }
    }

    /// The clock is to call at this time, if it does not call before.
    pub(super) fn call_at(self: &Arc<Self>, state: &mut State, at_ms: u64) {
        if state.called_at_ms.is_none_or(|called| at_ms < called) {
            state.called_at_ms = Some(at_ms);
            self.backing.clock.call(at_ms, self);
        }
    }

    /// The clock is asked to call when something is due before it calls anyway.
    pub(super) fn ask_for_call(self: &Arc<Self>, state: &mut State) {
        let mut due = None;
        if self.life() == Life::Alive {
            let expires_ms = state.machine.rules().expires_ms;
            let expiry = expires_ms.filter(|_| state.machine.totals().consumers == 0);
            let expiry = expiry.map(|after| state.used_at_ms.saturating_add(after));
            due = [state.machine.next_due(), expiry].into_iter().flatten().min();
        }
        // Whoever moves what leaves asks when that is done.
        let may_leave = state.machine.totals().leaving > 0 || self.life() == Life::Emptied;
        if may_leave && !state.is_moving {
            let moves = [state.move_at_ms, state.retry_at_ms];
            due = moves.into_iter().filter(|at| *at > 0).chain(due).min();
        }
        if let Some(due) = due {
            self.call_at(state, due);
        }
    }

    /// The clock calls. Answers whether nobody used the queue for so long that it is to be deleted.
    pub(crate) fn called(self: &Arc<Self>, touched: &mut Touched) -> bool {
        self.lock().called_at_ms = None;
        if self.life() == Life::Emptied {
            self.move_on(touched);
            return false;
        }
        self.work(&[], Position::default(), touched);
        self.tell_crossings(touched);
        self.has_expired(&self.lock())
    }

    pub(super) fn has_expired(&self, state: &State) -> bool {
        let unused = state.machine.totals().consumers == 0 && !self.is_deleted();
        let after = state.machine.rules().expires_ms.filter(|_| unused);
        after.is_some_and(|after| state.used_at_ms.saturating_add(after) <= self.backing.clock.now_ms())
    }

    /// Deliveries stay with who holds them for as long as if they had gone out now.
    pub fn renew(&self, tickets: &[Ticket]) {
        let mut state = self.lock();
        if !state.machine.is_plain() {
            let now_ms = self.backing.clock.now_ms();
            state.machine.renew(tickets, now_ms);
        }
    }
}
