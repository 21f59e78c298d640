//! A queue that this node leads: its machine, its lock, its consumers' mailboxes.
//!
//! Everything that touches the machine goes through one of the methods here, each of which
//! takes the lock once. Under it: decide, append to the log, apply, dispatch into mailboxes
//! (in this order, so that a settle never precedes its message in the log). Sessions are woken
//! by the caller, after the lock is free.

use super::{SharedCredit, record};
use crate::alarms::Memory;
use crate::mailbox::{Address, Mailbox, Notice, OpenMailbox, Parcel, Touched};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use warren_broker::catalog;
use warren_broker::name::VhostName;
use warren_broker::queue::{Command, ConsumerKey, Delivery, Fact, Outlet, Queue, Subscription, Totals};
use warren_broker::refusal::{Refusal, Subject};
use warren_broker::route::QueueId;
use warren_store::{Log, Position};

/// A consumer of a queue, with where its deliveries go.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// Its session's mailbox.
    pub mailbox: Arc<Mailbox>,
    /// Whom deliveries are for.
    pub address: Address,
    /// A limit that it shares with other consumers; `None` for one without acknowledgement.
    pub shared: Option<Arc<SharedCredit>>,
}

/// A message that a getter took.
#[derive(Debug)]
pub struct Taken {
    /// The message.
    pub delivery: Delivery,
    /// Messages still ready.
    pub remaining: usize,
}

#[derive(Debug, Default)]
struct State {
    machine: Queue,
    /// By the consumer's slot.
    subscribers: Vec<Option<Subscriber>>,
    facts: Vec<Fact>,
    had_consumer: bool,
    position: Position,
}

/// A running queue.
pub struct LiveQueue {
    declared: catalog::Queue,
    vhost: VhostName,
    log: Arc<dyn Log>,
    memory: Arc<Memory>,
    deleted: AtomicBool,
    state: Mutex<State>,
}

impl std::fmt::Debug for LiveQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveQueue")
            .field("name", &self.declared.name)
            .finish_non_exhaustive()
    }
}

impl LiveQueue {
    pub(crate) fn new(
        declared: catalog::Queue,
        vhost: VhostName,
        log: Arc<dyn Log>,
        memory: Arc<Memory>,
    ) -> Self {
        let deleted = AtomicBool::new(false);
        Self {
            declared,
            vhost,
            log,
            memory,
            deleted,
            state: Mutex::default(),
        }
    }

    /// Its id.
    pub fn id(&self) -> QueueId {
        self.declared.id
    }

    /// As it was declared.
    pub fn declared(&self) -> &catalog::Queue {
        &self.declared
    }

    /// Whether it was deleted; then it takes and gives nothing any more.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// How refusals name it.
    pub fn subject(&self) -> Subject {
        Subject::Queue(self.declared.name.clone(), self.vhost.clone())
    }

    /// How much it holds.
    pub fn totals(&self) -> Totals {
        self.state.lock().machine.totals()
    }

    /// Carries out commands in order, then hands out what can be. Answers the log position that
    /// an answer has to wait for.
    pub fn work(self: &Arc<Self>, commands: &[Command<'_>], touched: &mut Touched) -> Position {
        let mut state = self.state.lock();
        if self.is_deleted() {
            return Position::default();
        }
        let before = state.machine.totals().bytes;
        for command in commands {
            let State { machine, facts, .. } = &mut *state;
            machine.decide(command, facts);
            self.commit(&mut state);
        }
        self.dispatch(&mut state, touched);
        self.memory.changed(before, state.machine.totals().bytes);
        state.position
    }

    /// Adds a consumer and hands it what is ready.
    ///
    /// # Errors
    /// [`Refusal::ExclusiveUse`]; [`Refusal::NotFound`] when the queue was deleted meanwhile.
    pub fn subscribe(
        self: &Arc<Self>,
        subscription: Subscription,
        subscriber: Subscriber,
    ) -> Result<ConsumerKey, Refusal> {
        let mut state = self.state.lock();
        if self.is_deleted() {
            return Err(Refusal::NotFound(self.subject()));
        }
        let added = state.machine.subscribe(subscription);
        let key = added.map_err(|_| Refusal::ExclusiveUse(self.subject()))?;
        if state.subscribers.len() <= key.slot() {
            state.subscribers.resize(key.slot() + 1, None);
        }
        if let Some(place) = state.subscribers.get_mut(key.slot()) {
            *place = Some(subscriber);
        }
        state.had_consumer = true;
        Ok(key)
    }

    /// Hands out what can be: after a consumer came.
    pub fn serve(self: &Arc<Self>, touched: &mut Touched) {
        self.work(&[], touched);
    }

    /// Resumes a consumer whose outlet refused.
    pub fn resume(self: &Arc<Self>, consumer: ConsumerKey, touched: &mut Touched) {
        let mut state = self.state.lock();
        state.machine.resume(consumer);
        drop(state);
        self.serve(touched);
    }

    /// Removes a consumer. Answers whether the queue is now to be deleted: it is auto-delete
    /// and this was the last.
    pub fn cancel(&self, consumer: ConsumerKey) -> bool {
        let mut state = self.state.lock();
        if !state.machine.cancel(consumer) {
            return false;
        }
        let place = state.subscribers.get_mut(consumer.slot());
        if let Some(subscriber) = place.and_then(Option::take) {
            subscriber.mailbox.forget_starved(self, consumer);
            if let Some(shared) = subscriber.shared {
                shared.forget(self, consumer);
            }
        }
        self.is_abandoned(&state)
    }

    /// Takes a ready message out for a getter; it is settled at once with `no_ack`.
    pub fn take(&self, no_ack: bool) -> Option<Taken> {
        let mut state = self.state.lock();
        if self.is_deleted() {
            return None;
        }
        let before = state.machine.totals().bytes;
        let State { machine, facts, .. } = &mut *state;
        let delivery = machine.take(no_ack, facts)?;
        self.record(&mut state);
        state.facts.clear();
        let Totals { ready, bytes, .. } = state.machine.totals();
        self.memory.changed(before, bytes);
        Some(Taken {
            delivery,
            remaining: ready,
        })
    }

    /// Throws away what is ready. Answers how many messages that were.
    pub(crate) fn purge(self: &Arc<Self>) -> usize {
        let mut state = self.state.lock();
        if self.is_deleted() {
            return 0;
        }
        let before = state.machine.totals();
        let State { machine, facts, .. } = &mut *state;
        machine.decide(&Command::Purge, facts);
        self.commit(&mut state);
        self.memory.changed(before.bytes, state.machine.totals().bytes);
        before.ready
    }

    /// Marks the queue as deleted, unless it is in use or holds messages and must not. Answers
    /// how many messages were ready.
    ///
    /// # Errors
    /// [`Refusal::InUse`], [`Refusal::NotEmpty`].
    pub(crate) fn stop(
        &self,
        if_unused: bool,
        if_empty: bool,
        touched: &mut Touched,
    ) -> Result<usize, Refusal> {
        let mut state = self.state.lock();
        let Totals {
            ready,
            consumers,
            bytes,
            ..
        } = state.machine.totals();
        if if_empty && ready > 0 {
            return Err(Refusal::NotEmpty(self.subject()));
        }
        if if_unused && consumers > 0 {
            return Err(Refusal::InUse(self.subject()));
        }
        self.stop_locked(&mut state, touched);
        self.memory.changed(bytes, 0);
        Ok(ready)
    }

    /// Marks the queue as deleted if it is auto-delete and its last consumer is gone.
    pub(crate) fn stop_if_abandoned(&self, touched: &mut Touched) -> bool {
        let mut state = self.state.lock();
        if self.is_deleted() || !self.is_abandoned(&state) {
            return false;
        }
        let bytes = state.machine.totals().bytes;
        self.stop_locked(&mut state, touched);
        self.memory.changed(bytes, 0);
        true
    }

    fn is_abandoned(&self, state: &State) -> bool {
        self.declared.auto_delete && state.had_consumer && state.machine.totals().consumers == 0
    }

    fn stop_locked(&self, state: &mut State, touched: &mut Touched) {
        self.deleted.store(true, Ordering::Release);
        for subscriber in state.subscribers.drain(..).flatten() {
            let notice = Notice::ConsumerCancelled(subscriber.address);
            let mut open = subscriber.mailbox.open();
            open.push_notice(notice, touched);
            open.forget_queue(self);
            drop(open);
            if let Some(shared) = subscriber.shared {
                shared.forget_queue(self);
            }
        }
        state.machine = Queue::default();
    }

    /// Records decided facts and makes them so.
    fn commit(&self, state: &mut State) {
        self.record(state);
        let State { machine, facts, .. } = state;
        machine.apply(facts.drain(..));
    }

    fn dispatch(self: &Arc<Self>, state: &mut State, touched: &mut Touched) {
        let State {
            machine,
            subscribers,
            facts,
            ..
        } = state;
        let mut post = Post {
            queue: self,
            subscribers,
            open: None,
            touched,
        };
        machine.dispatch(&mut post, facts);
        drop(post);
        self.record(state);
        state.facts.clear();
    }

    fn record(&self, state: &mut State) {
        if self.declared.durable
            && let Some(position) = record::append(&self.log, self.declared.id, &state.facts)
        {
            state.position = position;
        }
    }
}

/// Puts deliveries into mailboxes; keeps the last mailbox open, since most batches go to one.
struct Post<'a> {
    queue: &'a Arc<LiveQueue>,
    subscribers: &'a [Option<Subscriber>],
    open: Option<OpenMailbox<'a>>,
    touched: &'a mut Touched,
}

impl Outlet for Post<'_> {
    fn offer(&mut self, consumer: ConsumerKey, delivery: Delivery) -> Result<(), Delivery> {
        let Some(Some(subscriber)) = self.subscribers.get(consumer.slot()) else {
            return Err(delivery);
        };
        let mailbox = &subscriber.mailbox;
        if !self.open.as_ref().is_some_and(|open| open.is_of(mailbox)) {
            // Never two mailboxes at once: the other one is closed first.
            self.open = None;
            self.open = Some(mailbox.open());
        }
        let Some(open) = &mut self.open else {
            return Err(delivery);
        };
        if !open.has_room() {
            open.note_starved(self.queue, consumer);
            return Err(delivery);
        }
        if let Some(shared) = &subscriber.shared
            && !shared.take(self.queue, consumer)
        {
            return Err(delivery);
        }
        open.push(
            Parcel {
                to: subscriber.address,
                delivery,
            },
            self.touched,
        );
        Ok(())
    }
}
