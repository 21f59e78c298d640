//! A queue that this node leads: its machine, its lock, its consumers' mailboxes.
//!
//! Everything that touches the machine goes through one of the methods here, each of which
//! takes the lock once. Under it: decide, append to the log, apply, dispatch into mailboxes
//! (in this order, so that a settle never precedes its message in the log). Sessions are woken
//! by the caller, after the lock is free.

use super::{SharedCredit, marks, record};
use crate::mailbox::{Address, Mailbox, Notice, OpenMailbox, Parcel, Touched};
use crate::storage::Backing;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use warren_broker::catalog;
use warren_broker::message::Message;
use warren_broker::name::VhostName;
use warren_broker::queue::{
    Command, ConsumerKey, Delivery, Fact, Outlet, Queue, Range, Released, Rules, Stretch, Subscription,
    Summary, Take, Totals,
};
use warren_broker::refusal::{Refusal, Subject};
use warren_broker::route::QueueId;
use warren_store::Position;

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

/// What asking for one message came to.
#[derive(Debug)]
pub enum Got {
    /// This one.
    Message(Taken),
    /// There is none.
    Empty,
    /// It is being read; the session is told when to ask again ([`Notice::Fetched`]).
    Later,
}

/// What came of a batch of work: the log positions that answers to it have to wait for, and what queues hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Worked {
    /// Every persistent message that was queued is in the log up to here.
    pub queued: Position,
    /// The same, with everything that was settled or returned.
    pub all: Position,
    /// What the fullest of the queues that took messages holds in memory, in bytes.
    pub held_bytes: usize,
}

impl Worked {
    /// What waits for both.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            queued: self.queued.max(other.queued),
            all: self.all.max(other.all),
            held_bytes: self.held_bytes.max(other.held_bytes),
        }
    }
}

/// What a checkpoint has to know of a queue.
#[derive(Debug)]
pub(crate) struct Standing {
    /// What stands in extents.
    pub(crate) summary: Summary,
    /// Numbers below may have been given out.
    pub(crate) reserved: u64,
    /// From where on the log is needed for the rest; `None` when nothing else is there.
    pub(crate) log_floor: Option<Position>,
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
    /// `None`: those of a plain queue, so that one costs nothing.
    rules: Option<Box<Rules>>,
    /// By the consumer's slot.
    subscribers: Vec<Option<Subscriber>>,
    facts: Vec<Fact>,
    had_consumer: bool,
    /// Numbers below it are reserved in the log.
    reserved: u64,
    /// From which log position on the messages are, that begin with a number.
    marks: VecDeque<(Position, u64)>,
    /// Sessions whose getters wait for a message to be read.
    waiting: Vec<Arc<Mailbox>>,
}

/// Numbers reserved in the log at a time: after a crash none is given out twice.
const RESERVED_SEQS: u64 = 1 << 20;

/// A running queue.
pub struct LiveQueue {
    declared: catalog::Queue,
    vhost: VhostName,
    backing: Arc<Backing>,
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
    /// A queue with what was recovered of it: numbers up to `reserved` may have been given out, and what is
    /// in no extent stands in the log behind `needed_from`.
    pub(crate) fn new(
        declared: catalog::Queue,
        vhost: VhostName,
        backing: Arc<Backing>,
        machine: Queue,
        reserved: u64,
        needed_from: Position,
    ) -> Self {
        backing.memory.queue_changed(0, machine.totals().bytes);
        let mut marks = VecDeque::new();
        if machine.first_unstored().is_some() {
            marks.push_back((needed_from, 0));
        }
        let state = State {
            machine,
            reserved,
            marks,
            ..State::default()
        };
        Self {
            declared,
            vhost,
            backing,
            deleted: AtomicBool::new(false),
            state: Mutex::new(state),
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

    /// What it goes by.
    pub fn rules(&self) -> Rules {
        self.state.lock().rules.as_deref().cloned().unwrap_or_default()
    }

    /// It goes by other rules from now on.
    pub(crate) fn set_rules(&self, rules: Rules) {
        let rules = (rules != Rules::default()).then(|| Box::new(rules));
        self.state.lock().rules = rules;
    }

    /// How much it holds.
    pub fn totals(&self) -> Totals {
        self.state.lock().machine.totals()
    }

    /// Carries out commands in order, then hands out what can be. Answers the log positions that
    /// answers have to wait for. `floor` is a log position from before the batch: bodies that it logged
    /// for another queue stand behind it.
    pub fn work(
        self: &Arc<Self>,
        commands: &[Command<'_>],
        floor: Position,
        touched: &mut Touched,
    ) -> Worked {
        let mut state = self.state.lock();
        if self.is_deleted() {
            return Worked::default();
        }
        let before = state.machine.totals().bytes;
        let mut worked = Worked::default();
        for command in commands {
            let State { machine, facts, .. } = &mut *state;
            machine.decide(command, facts);
            let position = self.commit(&mut state, floor);
            worked.all = worked.all.max(position);
            if matches!(command, Command::Enqueue(_)) {
                worked.queued = position;
            }
        }
        worked.all = worked.all.max(self.dispatch(&mut state, touched));
        self.settle_accounts(&mut state, before);
        let takes = |command: &Command<'_>| matches!(command, Command::Enqueue([_, ..]));
        if commands.iter().any(takes) {
            worked.held_bytes = state.machine.totals().bytes;
        }
        worked
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
        self.work(&[], Position::default(), touched);
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

    /// Takes a ready message out for a getter; it is settled at once with `no_ack`. When it has to be
    /// read first, `mailbox` is told once it is there.
    pub fn take(self: &Arc<Self>, no_ack: bool, mailbox: &Arc<Mailbox>) -> Got {
        let mut state = self.state.lock();
        if self.is_deleted() {
            return Got::Empty;
        }
        let before = state.machine.totals().bytes;
        let State { machine, facts, .. } = &mut *state;
        let taken = machine.take(no_ack, facts);
        self.record(&mut state, Position::default());
        state.facts.clear();
        if matches!(taken, Take::Absent) {
            state.waiting.push(Arc::clone(mailbox));
        }
        self.settle_accounts(&mut state, before);
        match taken {
            Take::Message(delivery) => Got::Message(Taken {
                delivery,
                remaining: state.machine.totals().ready,
            }),
            Take::Empty => Got::Empty,
            Take::Absent => Got::Later,
        }
    }

    /// Throws away what is ready. Answers how many messages that were, and the log position that an answer
    /// has to wait for.
    pub(crate) fn purge(self: &Arc<Self>) -> (usize, Position) {
        let mut state = self.state.lock();
        if self.is_deleted() {
            return (0, Position::default());
        }
        let before = state.machine.totals();
        let State { machine, facts, .. } = &mut *state;
        machine.decide(&Command::Purge, facts);
        let position = self.commit(&mut state, Position::default());
        self.settle_accounts(&mut state, before.bytes);
        (before.ready, position)
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
        self.backing.memory.queue_changed(bytes, 0);
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
        self.backing.memory.queue_changed(bytes, 0);
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
        if let Some(storage) = &self.backing.storage {
            storage.release(&state.machine.release_all());
        }
        state.machine = Queue::default();
        state.marks = VecDeque::new();
        // Whoever waits for a message to be read is told that there is none.
        for mailbox in std::mem::take(&mut state.waiting) {
            mailbox.open().push_notice(Notice::Fetched, touched);
        }
    }

    /// Records decided facts and makes them so.
    fn commit(&self, state: &mut State, floor: Position) -> Position {
        let position = self.record(state, floor);
        let State { machine, facts, .. } = state;
        machine.apply(facts.drain(..));
        position
    }

    fn dispatch(self: &Arc<Self>, state: &mut State, touched: &mut Touched) -> Position {
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
        let position = self.record(state, Position::default());
        state.facts.clear();
        position
    }

    /// Puts the durable ones of the facts into the log. Answers the position behind them; the
    /// beginning, when there is none.
    fn record(&self, state: &mut State, floor: Position) -> Position {
        if !self.declared.durable || !state.facts.iter().any(Fact::is_durable) {
            return Position::default();
        }
        let reference_floor = self
            .backing
            .storage
            .as_ref()
            .map(|storage| storage.reference_floor());
        let references_from = floor.max(reference_floor.unwrap_or_default());
        let State {
            facts,
            reserved,
            marks,
            ..
        } = state;
        let mut first_enqueued = None;
        let mut last_named = None;
        for fact in &*facts {
            match fact {
                Fact::Enqueued { seq, .. } => {
                    first_enqueued = first_enqueued.or(Some(*seq));
                    last_named = Some(*seq);
                }
                // It is never to be said of a message that comes later.
                Fact::Purged { up_to, .. } => last_named = Some(*up_to),
                Fact::Settled { .. } | Fact::Returned { .. } => {}
            }
        }
        let id = self.declared.id;
        // Nothing that is referred to stands before, and no checkpoint that was begun needs less.
        let mut begin = references_from;
        let position = self.backing.log.append(&mut |out| {
            if floor == Position::default() {
                begin = out.position();
            }
            if let Some(last) = last_named
                && last >= *reserved
            {
                *reserved = last.saturating_add(RESERVED_SEQS);
                record::write_reserved(out, id, *reserved);
            }
            record::write(out, id, facts, references_from);
        });
        if let Some(storage) = &self.backing.storage {
            storage.log_grew(position);
        }
        if let Some(first) = first_enqueued {
            marks::note(marks, begin, first);
        }
        position
    }

    /// After every change: memory is accounted, extents learn what is not needed any more, and what is
    /// to be read is asked for.
    fn settle_accounts(self: &Arc<Self>, state: &mut State, bytes_before: usize) {
        self.backing
            .memory
            .queue_changed(bytes_before, state.machine.totals().bytes);
        if let Some(storage) = &self.backing.storage {
            let released = state.machine.take_released();
            if !released.is_empty() {
                storage.release(&released);
            }
            if let Some(fetch) = state.machine.fetch(self.backing.ahead_bytes()) {
                storage.ask(Arc::clone(self), fetch);
            }
        }
    }
}

/// What the floor of storage does with a queue.
impl LiveQueue {
    /// Messages were read: hands out what can be. See [`Queue::fetched`].
    pub(crate) fn fetched(
        self: &Arc<Self>,
        ticket: u64,
        found: Vec<(u64, Message)>,
        lost: &[u64],
        touched: &mut Touched,
    ) {
        let mut state = self.state.lock();
        if self.is_deleted() {
            return;
        }
        let before = state.machine.totals().bytes;
        state.machine.fetched(ticket, found, lost);
        self.dispatch(&mut state, touched);
        self.settle_accounts(&mut state, before);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        tell_fetched(waiting);
    }

    /// See [`Queue::unstored`].
    pub(crate) fn unstored(
        &self,
        durable: bool,
        from: u64,
        messages_max: usize,
        bytes_max: usize,
    ) -> Vec<(u64, Message)> {
        let state = self.state.lock();
        state.machine.unstored(durable, from, messages_max, bytes_max)
    }

    /// Bytes of memory that could be given free by writing messages to an extent.
    pub(crate) fn unstored_bytes(&self) -> usize {
        self.state.lock().machine.unstored_bytes()
    }

    /// Messages stand in an extent now. See [`Queue::stored`].
    pub(crate) fn stored(self: &Arc<Self>, durable: bool, extent: u64, seqs: &[u64], keeps: bool) {
        let mut state = self.state.lock();
        if self.is_deleted() {
            drop(state);
            return self.release(extent, seqs.len() as u64);
        }
        let before = state.machine.totals().bytes;
        let ahead_bytes = if keeps { self.backing.ahead_bytes() } else { 0 };
        let keep_bytes = state.machine.keep_bytes(ahead_bytes);
        state.machine.stored(durable, extent, seqs, keep_bytes);
        self.settle_accounts(&mut state, before);
    }

    /// Messages of a stretch were copied to another extent. See [`Queue::moved`].
    pub(crate) fn moved(self: &Arc<Self>, durable: bool, from_extent: u64, copied: Stretch) {
        let mut state = self.state.lock();
        if self.is_deleted() {
            drop(state);
            return self.release(copied.extent, copied.count);
        }
        let before = state.machine.totals().bytes;
        state.machine.moved(durable, from_extent, copied);
        self.settle_accounts(&mut state, before);
    }

    fn release(&self, extent: u64, count: u64) {
        if let Some(storage) = &self.backing.storage {
            storage.release(&[Released { extent, count }]);
        }
    }

    /// Drops what is in memory and in an extent, but for so much as is read ahead of consumers.
    pub(crate) fn evict(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let before = state.machine.totals().bytes;
        let keep_bytes = state.machine.keep_bytes(self.backing.ahead_bytes());
        state.machine.evict(keep_bytes);
        self.settle_accounts(&mut state, before);
    }

    /// What a checkpoint has to know.
    pub(crate) fn standing(&self) -> Standing {
        let mut state = self.state.lock();
        let State {
            machine,
            marks,
            reserved,
            ..
        } = &mut *state;
        // Without a mark nothing was logged: transient messages need not be looked through.
        let first = (!marks.is_empty()).then(|| machine.first_unstored()).flatten();
        // The last mark at or below the first message is where its record may begin.
        while marks
            .get(1)
            .is_some_and(|(_, seq)| first.is_none_or(|first| *seq <= first))
        {
            marks.pop_front();
        }
        let log_floor = first.and_then(|_| marks.front().map(|(position, _)| *position));
        if first.is_none() {
            marks.clear();
        }
        Standing {
            summary: machine.summary(),
            reserved: *reserved,
            log_floor,
        }
    }

    /// Gives back memory that it does not need while nobody uses it.
    pub(crate) fn unload(&self) {
        let mut state = self.state.lock();
        state.machine.unload();
        state.facts = Vec::new();
        if state.marks.is_empty() {
            state.marks = VecDeque::new();
        }
        if state.machine.totals().consumers == 0 {
            state.subscribers = Vec::new();
        }
    }

    /// Where the log is needed from for this queue.
    pub(crate) fn log_floor(&self) -> Option<Position> {
        let state = self.state.lock();
        if state.marks.is_empty() {
            return None;
        }
        let first = state.machine.first_unstored()?;
        let at = state.marks.partition_point(|(_, seq)| *seq <= first);
        let mark = state.marks.get(at.saturating_sub(1));
        mark.map(|(position, _)| *position)
    }

    /// The stretches that stand in some extents, with the numbers that are live in each, for rewriting.
    pub(crate) fn stretches_in(&self, durable: bool, extents: &[u64]) -> Vec<(Stretch, Vec<Range>)> {
        let state = self.state.lock();
        let chain = state.machine.chain(durable);
        let stretches = chain.stretches();
        let wanted = stretches.filter(|stretch| extents.contains(&stretch.extent));
        wanted
            .map(|stretch| {
                let live = chain.live().head(stretch.range(), u64::MAX, usize::MAX);
                (*stretch, live)
            })
            .collect()
    }

    /// The number that the next message gets.
    pub(crate) fn next_seq(&self) -> u64 {
        self.state.lock().machine.next_seq()
    }

    /// Whether the stretch that was to be read is still where it was.
    pub(crate) fn has_stretch(&self, durable: bool, stretch: &Stretch) -> bool {
        let state = self.state.lock();
        let mut stretches = state.machine.chain(durable).stretches();
        stretches.any(|other| other.extent == stretch.extent && other.first <= stretch.first)
    }
}

fn tell_fetched(waiting: Vec<Arc<Mailbox>>) {
    for mailbox in waiting {
        mailbox.notify(Notice::Fetched);
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
