//! Work on several queues that happens on all of them or on none: a dead letter leaves one queue and stands
//! in others, a transaction settles here and publishes there.
//!
//! The queues are locked together, in the order of their ids, so that two who do this never wait for each
//! other; everybody else holds one queue's lock at most. What is decided goes into the log in one piece:
//! after a crash all of it is there, or nothing.

use super::LiveQueue;
use super::leaving::has_leaving;
use super::local::{State, Worked};
use crate::mailbox::Touched;
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
    /// If any of the messages is not taken, nothing of this and of what is done with it happens.
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

    /// Whether it is of one kind, so that a queue does it in one step by itself.
    pub(crate) fn is_simple(&self) -> bool {
        self.commands()
            .iter()
            .filter(|command| !command.is_empty())
            .count()
            < 2
    }
}

/// One of the queues, while all are locked.
struct Locked<'a> {
    queue: &'a Arc<LiveQueue>,
    state: MutexGuard<'a, State>,
    bytes_before: usize,
    refused: usize,
    /// Some of the messages came before.
    has_duplicates: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The log positions that answers have to wait for.
    pub(crate) worked: Worked,
    /// For each queue, in the order in which they were given: how many messages it refused; `None` when it
    /// is deleted.
    pub(crate) refused: Vec<Option<usize>>,
    /// Queues that something leaves now.
    pub(crate) leaving: Vec<Arc<LiveQueue>>,
    /// Nothing was done: what had to fit did not.
    pub(crate) is_undone: bool,
}

/// Does all of it. `floor` is a log position from before: bodies logged since then may be referred to.
pub(crate) fn work_together(
    shares: &[(Arc<LiveQueue>, Share)],
    floor: Position,
    touched: &mut Touched,
) -> Outcome {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_unstable_by_key(|at| shares.get(*at).map(|(queue, _)| queue.id()));
    let mut locked: Vec<(usize, Locked<'_>)> = Vec::with_capacity(order.len());
    for at in order {
        let Some((queue, share)) = shares.get(at) else {
            continue;
        };
        let state = queue.lock();
        // One that is deleted may still send on what it held.
        if queue.is_gone() || (queue.is_deleted() && share.left.is_empty()) {
            continue;
        }
        let bytes_before = state.machine.totals().bytes;
        locked.push((
            at,
            Locked {
                queue,
                state,
                bytes_before,
                refused: 0,
                has_duplicates: false,
            },
        ));
    }
    let times: Vec<u64> = locked
        .iter_mut()
        .map(|(_, one)| one.queue.begin(&mut one.state))
        .collect();
    let is_undone = !is_fitting(shares, &locked, &times);
    for ((at, one), now_ms) in locked.iter_mut().zip(times) {
        if let Some((_, share)) = shares.get(*at).filter(|_| !is_undone) {
            one.decide(share, now_ms);
        }
    }
    let mut position = record(&mut locked, floor);
    if locked.iter().any(|(_, one)| one.has_duplicates) {
        // Who sent them again waits for what came then.
        position = locked
            .first()
            .map_or(position, |(_, one)| one.queue.backing.log.appended());
    }
    let mut outcome = Outcome {
        refused: vec![None; shares.len()],
        is_undone,
        ..Outcome::default()
    };
    let worked = &mut outcome.worked;
    (worked.queued, worked.all) = (position, position);
    for (at, one) in &mut locked {
        let (queue, state) = (one.queue, &mut *one.state);
        state.facts.clear();
        worked.all = worked.all.max(queue.dispatch(state, touched));
        worked.all = worked.all.max(queue.end(state, touched));
        queue.settle_accounts(state, one.bytes_before);
        worked.held_bytes = worked.held_bytes.max(state.machine.totals().bytes);
        if has_leaving(state) {
            outcome.leaving.push(Arc::clone(queue));
        }
        worked.refused += one.refused;
        if let Some(place) = outcome.refused.get_mut(*at) {
            *place = Some(one.refused);
        }
    }
    outcome
}

/// Whether all that must fit does, at the times of the queues that are locked.
fn is_fitting(shares: &[(Arc<LiveQueue>, Share)], locked: &[(usize, Locked<'_>)], times: &[u64]) -> bool {
    let is_taken = |(at, (_, share)): (usize, &(_, Share))| {
        let mut timed = locked.iter().zip(times);
        let target = timed.find(|((locked_at, _), _)| *locked_at == at);
        // What is deleted takes nothing.
        !share.must_fit
            || target.is_some_and(|((_, one), now_ms)| {
                one.state.machine.has_room_for_all(&share.messages, *now_ms)
            })
    };
    shares.iter().enumerate().all(is_taken)
}

impl Locked<'_> {
    /// Decides a queue's share, and makes it so; the facts stay, to be recorded.
    fn decide(&mut self, share: &Share, now_ms: u64) {
        let state = &mut *self.state;
        for command in &share.commands() {
            let from = state.facts.len();
            let taken = carry_out(state, command, now_ms);
            match command {
                Command::Enqueue(messages) => {
                    let decided = state.facts.get(from..).unwrap_or_default();
                    let came = decided
                        .iter()
                        .filter(|fact| matches!(fact, Fact::Enqueued { .. }));
                    self.has_duplicates = came.count() < taken;
                    let refused = messages.get(taken..).unwrap_or_default();
                    self.refused = refused.len();
                    self.queue.refuse(state, refused);
                }
                // What came back may have expired while it was out.
                Command::Return { tickets: [_, ..], .. } => drop(carry_out(state, &Command::Tick, now_ms)),
                _ => {}
            }
        }
    }
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
fn record(locked: &mut [(usize, Locked<'_>)], floor: Position) -> Position {
    if !locked.iter().any(|(_, one)| one.queue.has_to_record(&one.state)) {
        return Position::default();
    }
    let Some((_, first)) = locked.first() else {
        return Position::default();
    };
    let log = Arc::clone(&first.queue.backing.log);
    let references_from = first.queue.references_from(floor);
    let position = log.append(&mut |out| {
        for (_, one) in &mut *locked {
            if one.queue.has_to_record(&one.state) {
                one.queue.write(&mut one.state, out, references_from);
            }
        }
    });
    for (_, one) in locked.iter_mut() {
        if one.queue.has_to_record(&one.state) {
            one.queue.recorded(&mut one.state, references_from, position);
        }
    }
    position
}
