//! Work on several queues that happens on all of them or on none: a dead letter leaves one queue and stands
//! in others, a transaction settles here and publishes there.
//!
//! The queues are locked together, in the order of their ids, so that two who do this never wait for each
//! other; everybody else holds one queue's lock at most. What is decided goes into the log in one piece:
//! after a crash all of it is there, or nothing.

use super::gates::{Routed, pass};
use super::leaving::has_leaving;
use super::local::{State, Worked};
use super::{Browser, LiveQueue};
use crate::mailbox::Touched;
use crate::routes::Route;
use parking_lot::MutexGuard;
use std::sync::Arc;
use warren_broker::message::Message;
use warren_broker::queue::{Command, Fact, Ticket};
use warren_store::Position;

/// What is to be done to one queue.
#[derive(Debug, Default)]
pub(crate) struct Share {
    /// These are done with.
    pub(crate) settled: Vec<Ticket>,
    /// These are rejected.
    pub(crate) rejected: Vec<Ticket>,
    /// These come back.
    pub(crate) returned: Vec<Ticket>,
    /// These come back, and count as failed.
    pub(crate) failed: Vec<Ticket>,
    /// These are queued.
    pub(crate) messages: Vec<Message>,
    /// These have left.
    pub(crate) left: Vec<u64>,
    /// If any of the messages is not taken, or any of the deliveries is not out any more, nothing of this and
    /// of what is done with it happens. Deliveries of a queue that is deleted are of no consequence.
    pub(crate) must_fit: bool,
}

impl Share {
    /// As commands, in the order in which they are carried out.
    pub(crate) fn commands(&self) -> [Command<'_>; 6] {
        [
            Command::Settle(&self.settled),
            Command::Reject(&self.rejected),
            Command::Return {
                tickets: &self.returned,
                failed: false,
            },
            Command::Return {
                tickets: &self.failed,
                failed: true,
            },
            Command::Left(&self.left),
            Command::Enqueue(&self.messages),
        ]
    }

    /// Nothing is to be done; the buffers stay.
    pub(crate) fn clear(&mut self) {
        self.settled.clear();
        self.rejected.clear();
        self.returned.clear();
        self.failed.clear();
        self.messages.clear();
        self.left.clear();
        self.must_fit = false;
    }

    /// All deliveries that are no longer out with it.
    fn tickets(&self) -> impl Iterator<Item = Ticket> {
        let all = [&self.settled, &self.rejected, &self.returned, &self.failed];
        all.into_iter().flatten().copied()
    }
}

/// One of the queues, while all are locked.
pub(super) struct Locked<'a> {
    pub(super) queue: &'a Arc<LiveQueue>,
    pub(super) state: MutexGuard<'a, State>,
    /// Its place among the shares, if it has one.
    share: Option<(usize, &'a Share)>,
    bytes_before: usize,
    pub(super) now_ms: u64,
    /// Messages that came through gates, or with those that did, and the place of each among them.
    pub(super) passed: Vec<Message>,
    pub(super) passed_of: Vec<usize>,
    /// Messages of its share that it refused.
    refused: usize,
    /// Some of the messages came before.
    pub(super) has_duplicates: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The log positions that answers have to wait for.
    pub(crate) worked: Worked,
    /// For each queue, in the order in which they were given: how many messages it refused; `None` when it
    /// is deleted.
    pub(crate) refused: Vec<Option<usize>>,
    /// Of the messages on routes, those that were not taken by all queues that they came to.
    pub(crate) turned_away: Vec<usize>,
    /// Queues that something leaves now.
    pub(crate) leaving: Vec<Arc<LiveQueue>>,
    /// Those who look at one of the queues.
    browsers: Vec<Arc<Browser>>,
    /// Nothing was done: what had to fit did not.
    pub(crate) is_undone: bool,
}

impl Outcome {
    /// Those who look at the queues look again. No lock is held.
    pub(crate) fn tell_browsers(&self, touched: &mut Touched) {
        for browser in &self.browsers {
            browser.queue().browse(browser, touched);
        }
    }
}

/// Does all of it: the shares, and the messages that go by routes on which it depends on what came before how
/// far they get. `floor` is a log position from before: bodies logged since then may be referred to.
pub(crate) fn work_together(
    shares: &[(Arc<LiveQueue>, Share)],
    routed: &[Routed],
    floor: Position,
    touched: &mut Touched,
) -> Outcome {
    let mut locked = lock_all(shares, routed);
    let passage = pass(routed, &mut locked);
    let is_undone = !passage.is_fitting || !is_fitting(shares, routed, &locked);
    let mut outcome = Outcome {
        refused: vec![None; shares.len()],
        is_undone,
        ..Outcome::default()
    };
    if !is_undone {
        let mut turned_away = vec![false; routed.len()];
        for one in &mut locked {
            one.decide(&mut turned_away);
        }
        outcome.turned_away = passage.remember(&mut locked, turned_away);
    }
    let mut position = record(&mut locked, floor);
    if locked.iter().any(|one| one.has_duplicates) {
        // Who sent them again waits for what came then.
        position = locked
            .first()
            .map_or(position, |one| one.queue.backing.log.appended());
    }
    let worked = &mut outcome.worked;
    (worked.queued, worked.all) = (position, position);
    worked.refused = outcome.turned_away.len();
    for one in &mut locked {
        let (queue, state) = (one.queue, &mut *one.state);
        state.facts.clear();
        worked.all = worked.all.max(queue.dispatch(state, touched));
        worked.all = worked.all.max(queue.end(state, touched));
        queue.settle_accounts(state, one.bytes_before);
        worked.held_bytes = worked.held_bytes.max(state.machine.bytes());
        outcome.browsers.extend(state.news());
        if has_leaving(state) {
            outcome.leaving.push(Arc::clone(queue));
        }
        worked.refused += one.refused;
        if let Some(place) = one.share.and_then(|(at, _)| outcome.refused.get_mut(at)) {
            *place = Some(one.refused);
        }
    }
    drop(locked);
    if !is_undone {
        passage.tell_histories(routed);
    }
    outcome
}

/// Locks all queues in the order of their ids, but for those that are deleted.
fn lock_all<'a>(shares: &'a [(Arc<LiveQueue>, Share)], routed: &'a [Routed]) -> Vec<Locked<'a>> {
    let places = shares.iter().enumerate();
    let mut order: Vec<_> = places
        .map(|(at, (queue, share))| (queue, Some((at, share))))
        .collect();
    let mut last: Option<&Arc<Route>> = None;
    for Routed { route, .. } in routed {
        // Mostly they are of one kind.
        if !last.is_some_and(|last| Arc::ptr_eq(last, route)) {
            let keys = route.gates.iter().map(|gate| &gate.keys);
            order.extend(route.all_queues().chain(keys).map(|queue| (queue, None)));
        }
        last = Some(route);
    }
    // The one with a share comes first, and stays.
    order.sort_by_key(|(queue, share)| (queue.id(), share.is_none()));
    order.dedup_by_key(|(queue, _)| queue.id());
    let mut locked = Vec::with_capacity(order.len());
    for (queue, share) in order {
        let state = queue.lock();
        // One that is deleted may still send on what it held.
        let has_left = share.is_some_and(|(_, share)| !share.left.is_empty());
        if queue.is_gone() || (queue.is_deleted() && !has_left) {
            continue;
        }
        let bytes_before = state.machine.bytes();
        locked.push(Locked {
            queue,
            state,
            share,
            bytes_before,
            now_ms: 0,
            passed: Vec::new(),
            passed_of: Vec::new(),
            refused: 0,
            has_duplicates: false,
        });
    }
    for one in &mut locked {
        one.now_ms = one.queue.begin(&mut one.state);
    }
    locked
}

/// Whether all that must fit does.
fn is_fitting(shares: &[(Arc<LiveQueue>, Share)], routed: &[Routed], locked: &[Locked<'_>]) -> bool {
    let is_locked = |at| {
        locked
            .iter()
            .any(|one| one.share.is_some_and(|(other, _)| other == at))
    };
    // What is deleted takes nothing.
    let mut places = shares.iter().enumerate();
    if places.any(|(at, (_, share))| share.must_fit && !share.messages.is_empty() && !is_locked(at)) {
        return false;
    }
    locked.iter().all(|one| {
        let share = one.share.map(|(_, share)| share);
        let strict = share.filter(|share| share.must_fit);
        let mut passed = one.passed_of.iter().filter_map(|nth| routed.get(*nth));
        if strict.is_none() && !passed.any(|routed| routed.must_fit) {
            return true;
        }
        let machine = &one.state.machine;
        let is_held = |share: &Share| share.tickets().all(|ticket| machine.is_out(ticket));
        let messages = share.map_or(&[][..], |share| &share.messages);
        strict.is_none_or(is_held) && machine.has_room_for_all(&[messages, &one.passed].concat(), one.now_ms)
    })
}

impl Locked<'_> {
    /// Decides a queue's share and what came through gates, and makes it so; the facts stay, to be recorded.
    /// What comes goes first: what comes back may take the room that was there for it.
    fn decide(&mut self, turned_away: &mut [bool]) {
        if let Some((_, share)) = self.share {
            self.refused = share.messages.len() - self.enqueue(&share.messages);
        }
        let passed = std::mem::take(&mut self.passed);
        let taken = self.enqueue(&passed);
        for nth in self.passed_of.get(taken..).unwrap_or_default() {
            if let Some(is_turned_away) = turned_away.get_mut(*nth) {
                *is_turned_away = true;
            }
        }
        let Some((_, share)) = self.share else { return };
        for command in &share.commands() {
            if !matches!(command, Command::Enqueue(_)) {
                self.carry_out(command);
            }
        }
    }

    fn carry_out(&mut self, command: &Command<'_>) {
        let state = &mut *self.state;
        carry_out(state, command, self.now_ms);
        // What came back may have expired while it was out.
        if let Command::Return { tickets: [_, ..], .. } = command {
            carry_out(state, &Command::Tick, self.now_ms);
        }
    }

    /// Queues messages. Answers how many of them were taken, the first ones.
    fn enqueue(&mut self, messages: &[Message]) -> usize {
        let state = &mut *self.state;
        let from = state.facts.len();
        let taken = carry_out(state, &Command::Enqueue(messages), self.now_ms);
        let decided = state.facts.get(from..).unwrap_or_default();
        self.has_duplicates |= have_duplicates(decided, taken);
        self.queue
            .refuse(state, messages.get(taken..).unwrap_or_default());
        taken
    }
}

/// Whether some of the messages that a queue took came before: so many were taken, and this was decided.
pub(super) fn have_duplicates(decided: &[Fact], taken: usize) -> bool {
    let came = decided
        .iter()
        .filter(|fact| matches!(fact, Fact::Enqueued { .. }));
    came.count() < taken
}

/// Decides a command and makes it so; the facts stay. Answers as [`Queue::decide`] does.
///
/// [`Queue::decide`]: warren_broker::queue::Queue::decide
fn carry_out(state: &mut State, command: &Command<'_>, now_ms: u64) -> usize {
    let from = state.facts.len();
    let answer = state.machine.decide(command, now_ms, &mut state.facts);
    let decided: Vec<Fact> = state.facts.get(from..).unwrap_or_default().to_vec();
    state.machine.apply(decided);
    answer
}

/// Puts what was decided into the log, in one piece. Answers the position behind it.
fn record(locked: &mut [Locked<'_>], floor: Position) -> Position {
    if !locked.iter().any(|one| one.queue.has_to_record(&one.state)) {
        return Position::default();
    }
    let Some(first) = locked.first() else {
        return Position::default();
    };
    let log = Arc::clone(&first.queue.backing.log);
    let references_from = first.queue.references_from(floor);
    let mut begins = vec![references_from; locked.len()];
    let position = log.append(&mut |out| {
        for (one, begin) in locked.iter_mut().zip(&mut begins) {
            if one.queue.has_to_record(&one.state) {
                let needed = one.queue.write(&mut one.state, out, references_from);
                *begin = references_from.min(needed.unwrap_or(references_from));
            }
        }
    });
    for (one, begin) in locked.iter_mut().zip(begins) {
        if one.queue.has_to_record(&one.state) {
            one.queue.recorded(&mut one.state, begin, position);
        }
    }
    position
}
