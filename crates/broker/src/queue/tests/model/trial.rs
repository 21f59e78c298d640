//! The queue and the model, done the same things to in the order in which a node does them: what is due, what
//! is asked, what can be handed out; then what is due once more, what is too much, and what can be handed out
//! after that. The disk answers at once, but where [`Step::Evict`] says.

use super::keys::{LAST_HEADER, Reader};
use super::naive::{Model, Offer, Seen};
use super::step::{Step, message, twist};
use super::{
    Command, ConsumerKey, Delivery, Fact, Fetch, HeaderReader, Leaving, Message, Outlet, Queue, Rules,
    Subscription, Summary, Take, Ticket,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// More messages than this are not queued: every look goes through all of them.
const MESSAGES_MAX: usize = 200;

/// When a trial begins, in milliseconds since 1970.
const BEGIN_MS: u64 = 1_000_000;

/// What is due again and again at one time would be due for ever.
const ROUNDS_MAX: usize = 500;

/// Which offers an outlet refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Refusals(u8);

impl Refusals {
    fn refuse(&mut self) -> bool {
        let refused = self.0 & 1 != 0;
        self.0 = self.0.rotate_right(1);
        refused
    }
}

struct Recorder {
    offers: Vec<Offer>,
    refusals: Refusals,
}

impl Outlet for Recorder {
    fn offer(&mut self, consumer: ConsumerKey, delivery: Delivery) -> Result<(), Delivery> {
        let refused = self.refusals.refuse();
        self.offers.push((seen(Some(consumer), &delivery), refused));
        if refused { Err(delivery) } else { Ok(()) }
    }
}

fn seen(consumer: Option<ConsumerKey>, delivery: &Delivery) -> Seen {
    let body = delivery.message.body().to_vec();
    (
        consumer,
        delivery.ticket,
        delivery.redelivered,
        delivery.failures,
        body,
    )
}

/// What a log holds.
#[derive(Debug, Clone)]
pub(super) enum Logged {
    Fact(Fact),
    /// The node crashed before.
    Crash,
}

/// A summary, with the part of the log that goes with it.
#[derive(Debug)]
struct Checkpoint {
    summary: Summary,
    /// How much the log held then.
    log_end: usize,
    /// The log is not needed before: what was in no extent then is behind it.
    log_floor: usize,
}

/// A queue and the model of it, with two replicas that are fed the facts.
#[derive(Debug, Default)]
pub(crate) struct Trial {
    pub(super) queue: Queue,
    pub(super) model: Model,
    /// Gets each fact once.
    pub(super) replica: Queue,
    /// Gets each fact twice in a row.
    pub(super) stutterer: Queue,
    /// The queue itself gets each fact twice in a row.
    stutters: bool,
    pub(super) log: Vec<Logged>,
    /// A summary of this incarnation of the queue.
    checkpoint: Option<Checkpoint>,
    /// What was written to extents, by extent and number, and how much of each is still needed.
    pub(super) extents: HashMap<u64, BTreeMap<u64, Message>>,
    pub(super) needed: HashMap<u64, u64>,
    /// The pages of notes in each.
    pub(super) pages: HashMap<u64, BTreeMap<u64, Vec<super::Note>>>,
    pub(super) last_extent: u64,
    /// What is being read: it comes when something else was done, but for every n-th.
    pub(super) pending: Vec<(Fetch, u8)>,
    /// Keys of this incarnation of the queue, cancelled ones too.
    pub(super) keys: Vec<ConsumerKey>,
    /// Deliveries that were taken away, of this incarnation.
    void: Vec<Ticket>,
    messages_made: u64,
    /// The lock is held: commands go on, and nothing was handed out so far.
    is_open: bool,
    refusals: Refusals,
    /// Messages were published when they come, or not and then the queue has no time to live of its own,
    /// which looks at the first message alone: which one that is hangs on what else happens in the same
    /// millisecond.
    is_orderly: bool,
    /// A purge was replayed over a later summary: what of it stands in extents is of unknown size.
    pub(super) forgot_octets: bool,
}

impl Trial {
    /// A trial of a queue that tells priorities up to `max_priority` apart, 0: none. Bits of `kind`: the
    /// queue gets each fact twice; it keeps last values.
    pub(crate) fn new(kind: u8, max_priority: u8) -> Self {
        let rules = Rules {
            max_priority: Some(max_priority % 16).filter(|max| *max > 0),
            default_priority: max_priority / 16 % 4,
            last_value_header: (kind & 2 != 0).then(|| LAST_HEADER.into()),
            ..Rules::default()
        };
        let mut trial = Self {
            queue: Queue::new(true),
            stutters: kind & 1 != 0,
            is_orderly: max_priority < 192,
            ..Self::default()
        };
        trial.model.now_ms = BEGIN_MS;
        trial.set_rules(rules);
        trial
    }

    /// The queue, as it is.
    #[allow(dead_code, reason = "the fuzz target does not ask")]
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Does a step to both and compares them. With `goes_on`, nothing is handed out before the next step.
    pub(crate) fn run(&mut self, (step, goes_on): &(Step, bool)) {
        match *step {
            Step::Wait(ms) => self.wait(ms),
            Step::Twist(bytes) => {
                self.finish();
                let mut rules = self.model.rules.clone();
                twist(&mut rules, bytes);
                if self.forgot_octets {
                    rules.max_length_bytes = None;
                }
                if !self.is_orderly {
                    rules.message_ttl_ms = None;
                }
                self.answer_pending();
                self.set_rules(rules);
                self.begin();
            }
            Step::Restart => self.restart(),
            Step::Store { persistent, count } => self.store(persistent, count),
            Step::Evict { but } => self.evict(but),
            Step::Move(pick) => self.relocate(pick),
            Step::Reopen { crashed } => self.reopen(crashed),
            Step::Empty { max, but } => self.empty(max, but),
            Step::Checkpoint => {
                self.finish();
                self.checkpoint = Some(self.checkpoint_now());
            }
            _ => {
                self.begin();
                self.carry_out(step);
            }
        }
        if !goes_on {
            self.finish();
        }
        self.settle_extents();
        self.compare();
    }

    fn carry_out(&mut self, step: &Step) {
        match *step {
            Step::Enqueue(count, kind) => self.enqueue(count, kind),
            Step::Settle(picks) => {
                let tickets = picks.map(|pick| self.pick(pick));
                self.settle(&tickets);
            }
            Step::Reject(picks) => {
                let tickets = picks.map(|pick| self.pick(pick));
                self.decide(&Command::Reject(&tickets));
                self.model.reject(&tickets);
                self.answer_pending();
            }
            Step::Return(picks, failed) => {
                let tickets = &picks.map(|pick| self.pick(pick));
                self.decide(&Command::Return { tickets, failed });
                self.model.give_back(tickets, failed);
                self.answer_pending();
                // What came back may have expired meanwhile.
                self.tick();
            }
            Step::Renew(picks) => {
                let tickets = picks.map(|pick| self.pick(pick));
                self.queue.renew(&tickets, self.model.now_ms);
                self.model.renew(&tickets);
            }
            Step::Purge => {
                self.decide(&Command::Purge);
                self.model.purge();
                self.answer_pending();
            }
            Step::Forget(picks) => {
                let seqs = picks.map(|pick| self.pick_delayed(pick));
                self.read_delayed(&seqs);
                self.decide(&Command::Cancel(&seqs));
                self.model.cancel_delayed(&seqs);
                self.answer_pending();
            }
            Step::Look(from, how) => self.look(from, how),
            Step::Subscribe(subscription) => self.subscribe(subscription),
            Step::Cancel(pick) => {
                if let Some(key) = self.key(pick) {
                    assert_eq!(self.queue.cancel(key), self.model.cancel(key));
                }
            }
            Step::Resume(pick) => {
                if let Some(key) = self.key(pick) {
                    self.queue.resume(key);
                    self.model.resume(key);
                }
            }
            Step::Take { no_ack } => self.take(no_ack),
            Step::Dispatch { refusals } => self.refusals = Refusals(refusals),
            Step::Leave { max, but } => self.leave(max, but),
            _ => unreachable!("done by `run`"),
        }
    }

    fn set_rules(&mut self, rules: Rules) {
        self.give_rules(&rules);
        if self.model.rules.group_by != rules.group_by {
            self.model.group_anew();
        }
        let was_single = self.model.rules.has_single_active_consumer;
        let is_single = rules.has_single_active_consumer;
        self.model.rules = rules;
        if was_single != is_single {
            self.model.line_up_anew();
        } else if is_single {
            self.model.make_way();
        }
    }

    fn give_rules(&mut self, rules: &Rules) {
        let reader: Arc<dyn HeaderReader> = Arc::new(Reader);
        self.queue.set_rules_and_reader(rules, Some(&reader));
        self.model.has_passed |= rules.group_by.is_some();
    }

    /// The clock calls.
    fn wait(&mut self, ms: u64) {
        self.finish();
        self.answer_pending();
        self.model.now_ms += ms;
        self.begin();
    }

    /// Before anything else: what is due happens.
    pub(super) fn begin(&mut self) {
        if !self.is_open {
            self.is_open = true;
            self.tick();
        }
    }

    /// What is due happens, until nothing is or something matured, which is to be offered before it expires.
    fn tick(&mut self) {
        let now_ms = self.model.now_ms;
        let mut matured = 0;
        for round in 0.. {
            assert!(round < ROUNDS_MAX, "due for ever");
            let has_read = self.read_all();
            // What was read is looked at before anything is offered.
            if (matured > 0 && !has_read) || self.queue.next_due().is_none_or(|due| due > now_ms) {
                break;
            }
            let mut facts = Vec::new();
            self.model.counts = !self.queue.is_plain();
            matured = self.queue.decide(&Command::Tick, now_ms, &mut facts);
            let all: Vec<Message> = facts.iter().filter_map(came).collect();
            assert_eq!(all.len(), matured);
            let is_idle = facts.is_empty();
            self.record(facts);
            self.model.wake();
            self.model.mature(&all);
            let due = self.queue.next_due().filter(|due| *due <= now_ms && is_idle);
            assert_eq!(due, None, "due, and a tick does nothing about it at {now_ms}");
        }
        let due = self
            .model
            .next_due_ms()
            .filter(|due| *due <= now_ms && matured == 0);
        assert_eq!(due, None, "due, and not done at {now_ms}");
    }

    /// After everything else: messages are handed out, what expires at once or is too much goes, and the
    /// clock calls again as long as anything is due.
    pub(super) fn finish(&mut self) {
        if !self.is_open {
            return;
        }
        self.answer_pending();
        self.dispatch();
        for round in 0.. {
            assert!(round < ROUNDS_MAX, "due for ever");
            self.tick();
            self.shed();
            self.dispatch();
            let timed_out = self.queue.take_timed_out().into_iter();
            let timed_out: Vec<_> = timed_out.map(|one| (one.consumer, one.ticket)).collect();
            self.void.extend(timed_out.iter().map(|(_, ticket)| *ticket));
            assert_eq!(timed_out, std::mem::take(&mut self.model.timed_out));
            let is_due = |due: Option<u64>| due.is_some_and(|due| due <= self.model.now_ms);
            if !is_due(self.queue.next_due()) && !is_due(self.model.next_due_ms()) {
                break;
            }
        }
        self.is_open = false;
        self.refusals = Refusals::default();
        assert!(!self.queue.is_overfull());
        let (due, wanted) = (self.queue.next_due(), self.model.next_due_ms());
        assert!(
            wanted.is_none_or(|wanted| due.is_some_and(|due| due <= wanted)),
            "{due:?} is later than {wanted:?}"
        );
        self.nobody_starves();
    }

    fn shed(&mut self) {
        assert_eq!(self.queue.is_overfull(), self.model.is_overfull());
        for round in 0.. {
            assert!(round < ROUNDS_MAX, "too much for ever");
            if !self.queue.is_overfull() {
                break;
            }
            self.decide(&Command::Shed);
            self.read_all();
        }
        self.model.shed();
    }

    fn dispatch(&mut self) {
        let mut recorder = Recorder {
            offers: Vec::new(),
            refusals: self.refusals,
        };
        let mut facts = Vec::new();
        let now_ms = self.model.now_ms;
        self.queue.dispatch(&mut recorder, now_ms, &mut facts);
        while self.read_all() {
            self.queue.dispatch(&mut recorder, now_ms, &mut facts);
        }
        self.refusals = recorder.refusals;
        self.model.dispatch(&recorder.offers);
        self.replicate(facts);
    }

    fn take(&mut self, no_ack: bool) {
        self.answer_pending();
        let mut facts = Vec::new();
        let now_ms = self.model.now_ms;
        let mut taken = self.queue.take(no_ack, now_ms, &mut facts);
        while matches!(taken, Take::Absent) {
            assert!(self.read_all(), "something is absent");
            taken = self.queue.take(no_ack, now_ms, &mut facts);
        }
        let taken = match taken {
            Take::Message(delivery) => Some(seen(None, &delivery)),
            Take::Empty | Take::Absent => None,
        };
        assert_eq!(taken, self.model.take(no_ack));
        self.replicate(facts);
    }

    fn enqueue(&mut self, count: usize, kind: u8) {
        let count = count.min(MESSAGES_MAX.saturating_sub(self.model.items.len()));
        let now_ms = self.model.now_ms;
        let kind = if self.is_orderly { kind & !8 } else { kind };
        let messages = (0..count).map(|_| {
            self.messages_made += 1;
            message(self.messages_made, kind, now_ms)
        });
        let messages: Vec<Message> = messages.collect();
        let mut rest = &messages[..];
        loop {
            let has_room = rest
                .first()
                .is_none_or(|first| self.queue.has_room_for(first, now_ms));
            let before = self.log.len();
            let room = self.decide(&Command::Enqueue(rest));
            assert_eq!(has_room, room > 0 || rest.is_empty());
            let taken: HashSet<Vec<u8>> = self.log[before..].iter().filter_map(body_of).collect();
            let was_taken = |message: &Message| taken.contains(message.body());
            assert_eq!(room, self.model.room_for(rest, room, was_taken));
            self.model.enqueue(&rest[..room], was_taken);
            self.answer_pending();
            rest = &rest[room..];
            if rest.is_empty() {
                return;
            }
            // What consumers take makes room for more.
            let before = self.model.totals().ready;
            self.dispatch();
            if self.model.totals().ready == before {
                break;
            }
        }
        if self.model.rules.overflow == super::Overflow::RejectPublishDlx {
            let queue = &self.queue;
            let is_known =
                |message: &Message| queue.sighting(message, now_ms).is_some_and(|one| one.is_known);
            let leaving = rest.iter().filter(|message| {
                let is_new = |message: &Message| !is_known(message);
                !self.model.is_duplicate(message, &[], is_new)
            });
            let leaving: Vec<Message> = leaving.cloned().collect();
            self.queue.turn_away(rest, now_ms);
            self.model.turned_away.extend(leaving);
        }
    }

    pub(super) fn settle(&mut self, tickets: &[Ticket]) {
        self.decide(&Command::Settle(tickets));
        self.model.settle(tickets);
        self.answer_pending();
    }

    /// Some of what leaves is moved, the rest later.
    fn leave(&mut self, max: usize, but: u8) {
        self.answer_pending();
        self.read_all();
        let leaving = self.queue.leaving(max);
        let told = |one: &Leaving| (one.seq, one.message.body().to_vec(), one.reason);
        let told: Vec<_> = leaving.iter().map(told).collect();
        let all = self.model.leaving(max);
        assert_eq!(told.is_empty(), all.is_empty() || max == 0);
        // Of those that have to be read, some are there at a time.
        let mut rest = all.iter();
        assert!(told.len() <= max && told.iter().all(|one| rest.any(|other| other == one)));
        let numbered = told.iter().filter(|one| one.0.is_some()).count();
        let all_numbered = all.iter().filter(|one| one.0.is_some()).count();
        assert_eq!(told.len() - numbered, all.len() - all_numbered);
        let mut seqs: Vec<u64> = leaving.iter().filter_map(|one| one.seq).collect();
        skip(&mut seqs, but);
        // One that is not leaving, and one named twice.
        seqs.push(u64::from(but));
        seqs.extend(seqs.first().copied());
        self.decide(&Command::Left(&seqs));
        self.model.left(&seqs);
        // Nobody took the others: they are passed over, until all are tried again.
        let left: Vec<u64> = leaving.iter().filter_map(|one| one.seq).collect();
        let left: Vec<u64> = left.into_iter().filter(|seq| !seqs.contains(seq)).collect();
        assert_eq!(self.queue.not_taken(&left), left.len());
        assert_eq!(self.queue.tried(), left.len());
        if self.model.turned_away.is_empty() {
            let others = self.queue.leaving(usize::MAX);
            assert!(
                others
                    .iter()
                    .all(|one| one.seq.is_some_and(|seq| !left.contains(&seq)))
            );
        }
        if but.is_multiple_of(2) {
            self.store(but.is_multiple_of(4), usize::from(but));
            self.compare();
        }
        self.queue.try_again();
        assert_eq!(self.queue.tried(), 0);
    }

    fn subscribe(&mut self, subscription: Subscription) {
        let admits = self.model.admits(subscription);
        match self.queue.subscribe(subscription) {
            Ok(key) => {
                assert!(admits, "{key:?} beside an exclusive consumer");
                assert!(!self.keys.contains(&key), "{key:?} given twice");
                self.keys.push(key);
                self.model.subscribe(key, subscription);
            }
            Err(_) => assert!(!admits, "refused for no reason"),
        }
    }

    /// Mostly a message that is out; at times one that was taken away, or any number, also one of the future.
    fn pick(&self, pick: u8) -> Ticket {
        let out = self.model.items.iter().filter(|item| item.place.is_out());
        let out: Vec<Ticket> = out.map(|item| item.ticket()).collect();
        let n = usize::from(pick / 4);
        match pick % 16 {
            3 => Ticket(u64::from(pick / 4) * 7 % (self.model.next_seq + 2)),
            7 if !self.void.is_empty() => self.void[n % self.void.len()],
            _ if !out.is_empty() => out[n % out.len()],
            _ => Ticket(n as u64),
        }
    }

    /// Mostly a message that is delayed; at times any number.
    fn pick_delayed(&self, pick: u8) -> u64 {
        let all = self.model.items.iter();
        let delayed = all.filter(|item| item.place == super::naive::Place::Delayed);
        let delayed: Vec<u64> = delayed.map(|item| item.seq).collect();
        match usize::from(pick / 4) {
            n if pick % 4 != 3 && !delayed.is_empty() => delayed[n % delayed.len()],
            n => n as u64 * 7 % (self.model.next_seq + 2),
        }
    }

    /// Mostly the key of a consumer; at times one that was cancelled.
    fn key(&self, pick: u8) -> Option<ConsumerKey> {
        let now = &self.model.consumers;
        match usize::from(pick / 4) {
            n if pick % 4 == 3 && !self.keys.is_empty() => Some(self.keys[n % self.keys.len()]),
            n if !now.is_empty() => Some(now[n % now.len()].key),
            _ => None,
        }
    }

    pub(super) fn decide(&mut self, command: &Command<'_>) -> usize {
        self.model.counts = !self.queue.is_plain();
        let mut facts = Vec::new();
        let answer = self.queue.decide(command, self.model.now_ms, &mut facts);
        self.record(facts);
        answer
    }

    /// Makes facts so, here and there.
    fn record(&mut self, facts: Vec<Fact>) {
        for fact in &facts {
            self.queue.apply([fact.clone()]);
            if self.stutters {
                self.queue.apply([fact.clone()]);
            }
        }
        self.replicate(facts);
    }

    fn replicate(&mut self, facts: Vec<Fact>) {
        self.replica.apply(facts.iter().cloned());
        for fact in &facts {
            self.stutterer.apply([fact.clone(), fact.clone()]);
        }
        self.log.extend(facts.into_iter().map(Logged::Fact));
    }

    /// The queue is another one, of which nobody holds anything.
    fn is_anew(&mut self) {
        self.pending.clear();
        self.keys.clear();
        self.void.clear();
        self.model.restart();
        if self.forgot_octets {
            self.model.rules.max_length_bytes = None;
        }
        self.give_rules(&self.model.rules.clone());
        self.begin();
    }

    fn restart(&mut self) {
        self.finish();
        self.checkpoint = None;
        let next_seq = self.queue.next_seq();
        self.needed.clear();
        self.queue = Queue::new(true);
        replay(&mut self.queue, &self.log, 1);
        self.queue.skip_to(next_seq);
        self.is_anew();
    }

    fn checkpoint_now(&self) -> Checkpoint {
        let first = self.queue.first_unstored();
        let is_first = |logged: &Logged| match logged {
            Logged::Fact(Fact::Enqueued { seq, .. }) => Some(*seq) == first,
            _ => false,
        };
        let log_end = self.log.len();
        Checkpoint {
            summary: self.queue.summary(),
            log_end,
            log_floor: self.log.iter().position(is_first).unwrap_or(log_end),
        }
    }

    /// Only what is durable lasts: in extents and, of the rest, in facts.
    pub(super) fn reopen(&mut self, crashed: bool) {
        self.finish();
        let checkpoint = self.checkpoint.take();
        let Checkpoint {
            summary,
            log_end,
            mut log_floor,
        } = checkpoint.unwrap_or_else(|| self.checkpoint_now());
        // More of it may be there.
        if self.model.next_seq.is_multiple_of(3) {
            log_floor = 0;
        }
        let is_purge = |logged: &Logged| matches!(logged, Logged::Fact(Fact::Purged { .. }));
        self.forgot_octets |= self.log[log_floor..log_end].iter().any(is_purge);
        // The summary knows of crashes before it, and there was none since.
        let is_fact = |logged: &Logged| matches!(logged, Logged::Fact(_));
        let needed = self.log[log_floor..].iter().filter(|logged| is_fact(logged));
        let needed: Vec<Logged> = needed.cloned().filter_map(as_logged).collect();
        let next_seq = self.queue.next_seq();
        self.model.items.retain(|item| item.message.envelope().persistent);
        self.model.memory.history.retain(|known| known.persistent);
        // From here on the replicas know more than the queue: they are made anew of what it knows.
        self.log = std::mem::take(&mut self.log)
            .into_iter()
            .filter_map(as_logged)
            .collect();
        self.queue = Queue::restore(summary);
        self.replica = Queue::default();
        self.stutterer = Queue::default();
        replay(&mut self.queue, &needed, 1);
        if crashed {
            self.log.push(Logged::Crash);
            self.queue.mark_redelivered();
        }
        replay(&mut self.replica, &self.log, 1);
        replay(&mut self.stutterer, &self.log, 2);
        for queue in [&mut self.queue, &mut self.replica, &mut self.stutterer] {
            queue.skip_to(next_seq);
        }
        self.queue.take_released();
        self.needed.clear();
        for stretch in self.queue.chain(true).stretches() {
            *self.needed.entry(stretch.extent).or_default() += stretch.live;
        }
        if crashed {
            let is_waiting = |item: &super::naive::Item| item.place == super::naive::Place::Delayed;
            let items = self.model.items.iter_mut().filter(|item| !is_waiting(item));
            items.for_each(|item| item.redelivered = true);
        }
        self.is_anew();
    }

    /// Follows from the comparison if the model is right; this does not lean on its line.
    fn nobody_starves(&self) {
        for consumer in &self.model.consumers {
            let held = self.model.held(consumer.key);
            let Subscription { no_ack, prefetch, .. } = consumer.subscription;
            assert!(
                no_ack || prefetch == 0 || held <= prefetch as usize,
                "{consumer:?} holds {held}"
            );
            let idle = consumer.refused
                || !self.queue.is_active(consumer.key)
                // It is to make way as soon as it holds nothing.
                || (held > 0 && self.model.is_fading())
                || (!no_ack && prefetch != 0 && held == prefetch as usize);
            let is_served = self.model.first_for(Some(consumer.key)).is_none();
            assert!(idle || is_served, "{consumer:?} starves");
        }
    }
}

/// The message of a fact that tells of one.
fn came(fact: &Fact) -> Option<Message> {
    match fact {
        Fact::Enqueued { message, is_due, .. } => {
            assert!(is_due);
            Some(message.clone())
        }
        _ => None,
    }
}

/// The body of a message that came.
fn body_of(logged: &Logged) -> Option<Vec<u8>> {
    match logged {
        Logged::Fact(Fact::Enqueued { message, .. }) => Some(message.body().to_vec()),
        _ => None,
    }
}

/// Every n-th is left out, if n is not too small.
pub(super) fn skip<T>(all: &mut Vec<T>, but: u8) {
    let every = usize::from(but % 8);
    if every > 1 {
        let mut at = 0;
        all.retain(|_| {
            at += 1;
            at % every != 0
        });
    }
}

/// What a log holds of this: nothing that tells of transient messages.
fn as_logged(logged: Logged) -> Option<Logged> {
    match logged {
        Logged::Fact(Fact::Purged {
            up_to,
            except,
            kept_persistent,
            ..
        }) => Some(Logged::Fact(Fact::Purged {
            up_to,
            except,
            kept_octets: kept_persistent,
            kept_persistent,
        })),
        Logged::Fact(fact) if !fact.is_durable() => None,
        other => Some(other),
    }
}

/// A queue learns what a log holds, each fact so many times in a row.
fn replay<'a>(queue: &mut Queue, log: impl IntoIterator<Item = &'a Logged>, times: usize) {
    for logged in log {
        match logged {
            Logged::Fact(fact) => queue.apply(std::iter::repeat_n(fact.clone(), times)),
            Logged::Crash => queue.mark_redelivered(),
        }
    }
}
