//! A queue that this node leads: its machine, its lock, its consumers' mailboxes.
//!
//! Everything that touches the machine goes through one of the methods here, each of which
//! takes the lock once. Under it: decide, append to the log, apply, dispatch into mailboxes
//! (in this order, so that a settle never precedes its message in the log). Sessions are woken
//! by the caller, after the lock is free.

use super::Browser;
use super::joint::have_duplicates;
use super::leaving::has_leaving;
use super::post::Post;
use super::triggers::Trigger;
use super::{SharedCredit, marks, record};
use crate::mailbox::{Address, Mailbox, Touched};
use crate::storage::Backing;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use warren_broker::catalog;
use warren_broker::message::Message;
use warren_broker::name::VhostName;
use warren_broker::queue::{
    Command, ConsumerKey, Delivery, Fact, Queue, Rules, Subscription, Summary, Take, Totals,
};
use warren_broker::refusal::{Refusal, Subject};
use warren_broker::route::QueueId;
use warren_store::{Appender, Position};

/// A consumer of a queue, with where its deliveries go.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// Its session's mailbox.
    pub mailbox: Arc<Mailbox>,
    /// Whom deliveries are for.
    pub address: Address,
    /// A limit that it shares with other consumers.
    pub shared: Arc<SharedCredit>,
    /// Its deliveries are settled when they go out, and do not count towards the limit.
    pub without_ack: bool,
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
    /// So many messages, the last ones of a queue's batch, were not taken: it is full.
    pub refused: usize,
}

impl Worked {
    /// What waits for both.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            queued: self.queued.max(other.queued),
            all: self.all.max(other.all),
            held_bytes: self.held_bytes.max(other.held_bytes),
            refused: self.refused + other.refused,
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
pub(super) struct State {
    pub(super) machine: Queue,
    /// By the consumer's slot.
    pub(super) subscribers: Vec<Option<(ConsumerKey, Subscriber)>>,
    /// Consumers that were cancelled and hold deliveries yet: who is told when these are taken away.
    pub(super) parted: HashMap<ConsumerKey, (Arc<Mailbox>, Address)>,
    pub(super) facts: Vec<Fact>,
    pub(super) had_consumer: bool,
    /// Numbers below it are reserved in the log.
    pub(super) reserved: u64,
    /// From which log position on the messages are, that begin with a number.
    pub(super) marks: VecDeque<(Position, u64)>,
    /// Sessions whose getters wait for a message to be read.
    pub(super) waiting: Vec<Arc<Mailbox>>,
    /// Those who look at what is here.
    pub(super) browsers: Vec<Arc<Browser>>,
    /// The number that was next, and how many were delayed, when browsers were last told.
    pub(super) told: (u64, usize),
    /// When the clock calls, as far as that was asked for.
    pub(super) called_at_ms: Option<u64>,
    /// When it was last used, if that matters.
    pub(super) used_at_ms: u64,
    /// Somebody is moving what leaves.
    pub(super) is_moving: bool,
    /// What leaves is not moved before this time: the log is behind.
    pub(super) move_at_ms: u64,
    /// What leaves and was taken by nobody is tried again at this time; 0: there is none.
    pub(super) retry_at_ms: u64,
    /// Since when nobody takes some of what leaves, that was not tried again yet; 0: there is none.
    pub(super) stuck_since_ms: u64,
    /// So many were taken by nobody since all that a deleted queue has was last tried.
    pub(super) stuck: usize,
    /// What is to be read so that it may leave is not read before this time: memory is full.
    pub(super) read_at_ms: u64,
    /// Looks at how many messages are ready.
    pub(super) trigger: Option<Box<Trigger>>,
}

/// What a queue has before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Life {
    /// It works.
    Alive = 0,
    /// It is deleted, and what it held is sent on before it goes.
    Emptied = 1,
    /// It is deleted, and nothing is left of it.
    Gone = 2,
}

/// Numbers reserved in the log at a time: after a crash none is given out twice.
const RESERVED_SEQS: u64 = 1 << 20;

/// A running queue.
pub struct LiveQueue {
    declared: catalog::Queue,
    vhost: VhostName,
    pub(super) backing: Arc<Backing>,
    /// A [`Life`].
    life: AtomicU8,
    /// Messages may be refused: see [`Queue::refuses`].
    refuses: AtomicBool,
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
        backing.memory.queue_changed(0, machine.bytes());
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
            life: AtomicU8::new(Life::Alive as u8),
            refuses: AtomicBool::new(false),
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
        self.life() != Life::Alive
    }

    /// Whether nothing is left of it. A queue that is deleted may still have dead letters to send.
    pub(super) fn is_gone(&self) -> bool {
        self.life() == Life::Gone
    }

    pub(super) fn life(&self) -> Life {
        match self.life.load(Ordering::Acquire) {
            0 => Life::Alive,
            1 => Life::Emptied,
            _ => Life::Gone,
        }
    }

    pub(super) fn set_life(&self, life: Life) {
        self.life.store(life as u8, Ordering::Release);
    }

    /// The name of its virtual host.
    pub fn vhost(&self) -> &VhostName {
        &self.vhost
    }

    /// How refusals name it.
    pub fn subject(&self) -> Subject {
        Subject::Queue(self.declared.name.clone(), self.vhost.clone())
    }

    /// What it goes by.
    pub fn rules(&self) -> Rules {
        self.state.lock().machine.rules().clone()
    }

    /// It goes by other rules from now on. What follows from them is done when the clock calls, at once.
    pub(crate) fn set_rules(self: &Arc<Self>, rules: Rules) {
        let mut state = self.state.lock();
        if self.is_gone() {
            return;
        }
        let now_ms = self.backing.clock.now_ms();
        // Whoever hears of it now has all the time that it says.
        if state.used_at_ms == 0 || state.machine.rules().expires_ms != rules.expires_ms {
            state.used_at_ms = now_ms;
        }
        Trigger::set(&mut state.trigger, rules.trigger_length);
        state
            .machine
            .set_rules_and_reader(&rules, Some(&self.backing.reader));
        self.refuses.store(state.machine.refuses(), Ordering::Release);
        if !state.machine.is_plain() {
            self.call_at(&mut state, now_ms);
        }
    }

    /// Whether one consumer at a time is served.
    pub fn has_single_active_consumer(&self) -> bool {
        self.state.lock().machine.rules().has_single_active_consumer
    }

    /// Whether it may refuse messages, so that publishers have to be told of it.
    pub fn refuses(&self) -> bool {
        self.refuses.load(Ordering::Acquire)
    }

    /// Somebody uses it: it does not expire for a while.
    pub(crate) fn touch(&self) {
        let mut state = self.state.lock();
        if state.machine.rules().expires_ms.is_some() {
            state.used_at_ms = self.backing.clock.now_ms();
        }
    }

    /// The lock, for those who take several in the order of their queues' ids.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
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
        let before = state.machine.bytes();
        let now_ms = self.begin(&mut state);
        let mut worked = Worked::default();
        for command in commands {
            if command.is_empty() {
                continue;
            }
            if let Command::Enqueue(messages) = command {
                worked.refused += self.enqueue(&mut state, messages, (floor, now_ms), touched, &mut worked);
                continue;
            }
            let State { machine, facts, .. } = &mut *state;
            machine.decide(command, now_ms, facts);
            let position = self.commit(&mut state, floor);
            worked.all = worked.all.max(position);
            if matches!(command, Command::Return { .. }) {
                // What came back may have expired while it was out.
                self.tick(&mut state, now_ms);
            }
        }
        worked.all = worked.all.max(self.dispatch(&mut state, touched));
        worked.all = worked.all.max(self.end(&mut state, touched));
        self.settle_accounts(&mut state, before);
        let takes = |command: &Command<'_>| matches!(command, Command::Enqueue([_, ..]));
        if commands.iter().any(takes) {
            worked.held_bytes = state.machine.bytes();
        }
        let is_leaving = has_leaving(&state);
        let browsers = match commands.is_empty() && !state.has_news() {
            true => Vec::new(),
            false => state.news(),
        };
        drop(state);
        if is_leaving {
            self.move_on(touched);
        }
        browsers.iter().for_each(|browser| self.browse(browser, touched));
        worked
    }

    /// Queues messages, as many as there is room for. Answers how many there was none for.
    fn enqueue(
        self: &Arc<Self>,
        state: &mut State,
        messages: &[Message],
        (floor, now_ms): (Position, u64),
        touched: &mut Touched,
        worked: &mut Worked,
    ) -> usize {
        let mut rest = messages;
        loop {
            let State { machine, facts, .. } = &mut *state;
            let taken = machine.decide(&Command::Enqueue(rest), now_ms, facts);
            let has_duplicates = have_duplicates(facts, taken);
            let mut position = self.commit(state, floor);
            if has_duplicates {
                // Some came before: who sent them again waits for what came then.
                position = position.max(self.backing.log.appended());
            }
            worked.all = worked.all.max(position);
            worked.queued = worked.queued.max(position);
            rest = rest.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return 0;
            }
            // What consumers take makes room for more.
            let before = state.machine.totals().ready;
            worked.all = worked.all.max(self.dispatch(state, touched));
            if state.machine.totals().ready == before {
                self.refuse(state, rest);
                return rest.len();
            }
        }
    }

    /// Messages are not taken. They may have to go elsewhere.
    pub(super) fn refuse(&self, state: &mut State, messages: &[Message]) {
        if state.machine.rules().overflow == warren_broker::queue::Overflow::RejectPublishDlx {
            let now_ms = self.backing.clock.now_ms();
            state.machine.turn_away(messages, now_ms);
        }
    }

    /// What is due by now happens, before anything else does. Answers the time, if anybody wants to know.
    pub(super) fn begin(self: &Arc<Self>, state: &mut State) -> u64 {
        if state.machine.is_plain() {
            return 0;
        }
        let now_ms = self.backing.clock.now_ms();
        self.tick(state, now_ms);
        now_ms
    }

    /// Until nothing is due, or something matured: that is offered before it may expire.
    fn tick(self: &Arc<Self>, state: &mut State, now_ms: u64) {
        while state.machine.next_due().is_some_and(|due| due <= now_ms) {
            let State { machine, facts, .. } = &mut *state;
            let matured = machine.decide(&Command::Tick, now_ms, facts);
            if facts.is_empty() && state.machine.next_due().is_some_and(|due| due <= now_ms) {
                // What is due waits for something else.
                break;
            }
            self.commit(state, Position::default());
            if matured > 0 {
                break;
            }
        }
    }

    /// After everything else: what expires at once, or is too much, goes; who was served for too long is
    /// told; and the clock knows when to call.
    pub(super) fn end(self: &Arc<Self>, state: &mut State, touched: &mut Touched) -> Position {
        if state.machine.is_plain() {
            state.forget_rid();
            return Position::default();
        }
        let now_ms = self.backing.clock.now_ms();
        self.tick(state, now_ms);
        let mut position = Position::default();
        if state.machine.is_overfull() {
            let State { machine, facts, .. } = &mut *state;
            machine.decide(&Command::Shed, now_ms, facts);
            position = self.commit(state, Position::default());
        }
        // What matured or came back just now.
        position = position.max(self.dispatch(state, touched));
        self.tell_timed_out(state, touched);
        state.forget_rid();
        self.ask_for_call(state);
        position
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
            *place = Some((key, subscriber));
        }
        state.had_consumer = true;
        Ok(key)
    }

    /// Hands out what can be: after a consumer came.
    pub fn serve(self: &Arc<Self>, touched: &mut Touched) {
        self.work(&[], Position::default(), touched);
    }

    /// Resumes consumers whose outlets refused.
    pub(crate) fn resume(
        self: &Arc<Self>,
        mut consumers: impl Iterator<Item = ConsumerKey>,
        touched: &mut Touched,
    ) {
        let Some(first) = consumers.next() else { return };
        let mut state = self.state.lock();
        state.machine.resume(first);
        consumers.for_each(|consumer| state.machine.resume(consumer));
        drop(state);
        self.serve(touched);
    }

    /// Removes a consumer. Answers whether the queue is now to be deleted: it is auto-delete
    /// and this was the last.
    pub fn cancel(self: &Arc<Self>, consumer: ConsumerKey) -> bool {
        let mut state = self.state.lock();
        if !state.machine.cancel(consumer) {
            return false;
        }
        if state.machine.rules().expires_ms.is_some() {
            state.used_at_ms = self.backing.clock.now_ms();
            self.ask_for_call(&mut state);
        }
        let place = state.subscribers.get_mut(consumer.slot());
        if let Some((_, subscriber)) = place.and_then(Option::take) {
            subscriber.mailbox.forget_starved(self, consumer);
            subscriber.shared.forget(self, consumer);
            if state.machine.has_parted(consumer) {
                let addressee = (subscriber.mailbox, subscriber.address);
                state.parted.insert(consumer, addressee);
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
        let before = state.machine.bytes();
        let now_ms = self.begin(&mut state);
        state.used_at_ms = now_ms;
        let State { machine, facts, .. } = &mut *state;
        let taken = machine.take(no_ack, now_ms, facts);
        self.record(&mut state, Position::default());
        state.facts.clear();
        if matches!(taken, Take::Absent) {
            state.waiting.push(Arc::clone(mailbox));
        }
        if !state.machine.is_plain() {
            self.ask_for_call(&mut state);
        }
        if state.has_news() {
            // It matured before this one was taken.
            self.call_at(&mut state, now_ms);
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
        let before = state.machine.bytes();
        // What has expired is not purged, nor counted.
        self.begin(&mut state);
        let ready = state.machine.totals().ready;
        let State { machine, facts, .. } = &mut *state;
        machine.decide(&Command::Purge, 0, facts);
        let position = self.commit(&mut state, Position::default());
        self.settle_accounts(&mut state, before);
        (ready, position)
    }

    /// Records decided facts and makes them so.
    fn commit(&self, state: &mut State, floor: Position) -> Position {
        let position = self.record(state, floor);
        let State { machine, facts, .. } = state;
        machine.apply(facts.drain(..));
        position
    }

    pub(super) fn dispatch(self: &Arc<Self>, state: &mut State, touched: &mut Touched) -> Position {
        let now_ms = match state.machine.is_plain() {
            true => 0,
            false => self.backing.clock.now_ms(),
        };
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
        machine.dispatch(&mut post, now_ms, facts);
        drop(post);
        let position = self.record(state, Position::default());
        state.facts.clear();
        position
    }

    /// Puts the durable ones of the facts into the log. Answers the position behind them; the
    /// beginning, when there is none.
    fn record(&self, state: &mut State, floor: Position) -> Position {
        if !self.has_to_record(state) {
            return Position::default();
        }
        let references_from = self.references_from(floor);
        // Without a batch that began before, the log is needed from the record itself on. No checkpoint that
        // was begun needs less.
        let has_floor = floor > Position::default();
        let mut begin = references_from;
        let position = self.backing.log.append(&mut |out| {
            if !has_floor {
                begin = out.position();
            }
            let needed = self.write(state, out, references_from);
            begin = begin.min(needed.unwrap_or(begin));
        });
        self.recorded(state, begin, position);
        position
    }

    /// Whether any of the facts is to be in the log.
    pub(super) fn has_to_record(&self, state: &State) -> bool {
        self.declared.durable && state.facts.iter().any(Fact::is_durable)
    }

    /// Bodies that were logged before this position are not referred to.
    pub(super) fn references_from(&self, floor: Position) -> Position {
        let storage = self.backing.storage.as_ref();
        let least = storage.map(|storage| storage.reference_floor());
        floor.max(least.unwrap_or_default())
    }

    /// Writes the facts, with a reservation of numbers before them if one is due. Answers from where on the
    /// log is needed for what they refer to, if they refer to anything.
    pub(super) fn write(
        &self,
        state: &mut State,
        out: &mut Appender<'_>,
        references_from: Position,
    ) -> Option<Position> {
        let last_named = state.facts.iter().rev().find_map(|fact| match fact {
            Fact::Enqueued { seq, .. } => Some(*seq),
            // It is never to be said of a message that comes later.
            Fact::Purged { up_to, .. } => Some(*up_to),
            Fact::Settled { .. } | Fact::Returned { .. } | Fact::Seen { .. } => None,
        });
        let id = self.declared.id;
        if let Some(last) = last_named
            && last >= state.reserved
        {
            state.reserved = last.saturating_add(RESERVED_SEQS);
            record::write_reserved(out, id, state.reserved);
        }
        record::write(out, id, &state.facts, references_from)
    }

    /// The facts are in the log, which from `begin` on to `position` is what is needed for them.
    pub(super) fn recorded(&self, state: &mut State, begin: Position, position: Position) {
        if let Some(storage) = &self.backing.storage {
            storage.log_grew(position);
        }
        let first_enqueued = state.facts.iter().find_map(|fact| match fact {
            Fact::Enqueued { seq, .. } => Some(*seq),
            _ => None,
        });
        if let Some(first) = first_enqueued {
            marks::note(&mut state.marks, begin, first);
        }
    }

    /// After every change: memory is accounted, extents learn what is not needed any more, and what is
    /// to be read is asked for.
    pub(super) fn settle_accounts(self: &Arc<Self>, state: &mut State, bytes_before: usize) {
        self.backing
            .memory
            .queue_changed(bytes_before, state.machine.bytes());
        if let Some(storage) = &self.backing.storage {
            let released = state.machine.take_released();
            if !released.is_empty() {
                storage.release(&released);
            }
            while let Some(fetch) = state.machine.fetch_notes() {
                storage.ask_notes(Arc::clone(self), fetch);
            }
            while self.may_read(state)
                && let Some(fetch) = state.machine.fetch(self.backing.ahead_bytes())
            {
                storage.ask(Arc::clone(self), fetch);
            }
        }
        self.look_at_trigger(state);
    }
}
