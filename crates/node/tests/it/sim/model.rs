//! What a node promised: every message, by queue, with when it came and went; every change of what is
//! declared. Knows nothing of the product but log positions, with which promises are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use warren_broker::message::Message;
use warren_store::Position;

/// When something happened: it is certain once the log is durable up to `position`, and possible from
/// `began` on, in operations of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) position: Position,
    pub(crate) began: usize,
}

impl When {
    /// Before everything.
    pub(crate) const ALWAYS: Self = Self {
        position: Position(0),
        began: 0,
    };

    /// Whether an earlier life did not leave it open.
    pub(crate) fn is_closed(&self) -> bool {
        self.position != Position(u64::MAX)
    }
}

/// When a node died.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// After so many operations of the disk.
    pub(crate) operations: usize,
    /// What was durable then.
    pub(crate) durable: u64,
}

impl Moment {
    pub(crate) fn is_certain(&self, when: &When) -> bool {
        when.position.0 <= self.durable && self.is_possible(when)
    }

    pub(crate) fn is_possible(&self, when: &When) -> bool {
        when.began <= self.operations
    }
}

/// A message in a queue.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    pub(crate) message: u64,
    /// It survives a restart.
    pub(crate) kept: bool,
    pub(crate) seq: Option<u64>,
    pub(crate) came: When,
    /// Settled or purged.
    pub(crate) gone: Option<When>,
    /// It came back for the first time; from then on it is marked.
    pub(crate) returned: Option<When>,
    /// It is with a consumer or a getter.
    pub(crate) is_out: bool,
}

impl Copy {
    pub(crate) fn is_ready(&self) -> bool {
        self.gone.is_none() && !self.is_out
    }
}

/// A queue, from its declaration to its end.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) id: u64,
    pub(crate) durable: bool,
    pub(crate) copies: Vec<Copy>,
    /// The first copy of this life, and its number.
    pub(crate) first: usize,
    pub(crate) base: Option<u64>,
    /// Numbers below it are not given out again.
    pub(crate) floor: u64,
    pub(crate) is_deleted: bool,
}

/// A change of what is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Vhost(String),
    User(String),
    Exchange(String, bool),
    ExchangeGone(String),
    Queue(String, u64, bool),
    QueueGone(String),
    Bound(String, String),
    Unbound(String, String),
}

/// What is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) vhosts: BTreeSet<String>,
    pub(crate) users: BTreeSet<String>,
    /// Whether it is durable.
    pub(crate) exchanges: BTreeMap<String, bool>,
    /// Its id, and whether it is durable.
    pub(crate) queues: BTreeMap<String, (u64, bool)>,
    pub(crate) bindings: BTreeSet<(String, String)>,
}

impl Declared {
    fn apply(&mut self, change: &Change) {
        match change.clone() {
            Change::Vhost(name) => drop(self.vhosts.insert(name)),
            Change::User(name) => drop(self.users.insert(name)),
            Change::Exchange(name, durable) => drop(self.exchanges.insert(name, durable)),
            Change::ExchangeGone(name) => {
                self.exchanges.remove(&name);
                self.bindings.retain(|(exchange, _)| *exchange != name);
            }
            Change::Queue(name, id, durable) => drop(self.queues.insert(name, (id, durable))),
            Change::QueueGone(name) => {
                self.queues.remove(&name);
                self.bindings.retain(|(_, queue)| *queue != name);
            }
            Change::Bound(exchange, queue) => drop(self.bindings.insert((exchange, queue))),
            Change::Unbound(exchange, queue) => drop(self.bindings.remove(&(exchange, queue))),
        }
    }

    /// What of it survives a restart.
    pub(crate) fn lasting(&self) -> Self {
        let mut lasting = self.clone();
        lasting.exchanges.retain(|_, durable| *durable);
        lasting.queues.retain(|_, (_, durable)| *durable);
        let Self {
            exchanges, queues, ..
        } = lasting.clone();
        let lasts = |(exchange, queue): &(String, String)| {
            exchanges.contains_key(exchange) && queues.contains_key(queue)
        };
        lasting.bindings.retain(lasts);
        lasting
    }
}

/// A message that came out of a queue.
#[derive(Debug, Clone)]
pub(crate) struct Drained {
    pub(crate) seq: u64,
    pub(crate) redelivered: bool,
    /// How often deliveries of it failed, where the queue tells.
    pub(crate) failures: Option<u16>,
    pub(crate) message: Message,
}

/// What a recovered node holds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) declared: Declared,
    /// By the queue's name.
    pub(crate) queues: BTreeMap<String, Vec<Drained>>,
    pub(crate) is_clean: bool,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) messages: Arc<BTreeMap<u64, Message>>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) start: Declared,
    pub(crate) changes: Vec<(When, Change)>,
    /// As of the last change.
    pub(crate) now: Declared,
}

impl Model {
    pub(crate) fn change(&mut self, when: When, change: Change) {
        self.now.apply(&change);
        match &change {
            Change::Queue(name, id, durable) => self.queues.push(Queue {
                name: name.clone(),
                id: *id,
                durable: *durable,
                copies: Vec::new(),
                first: 0,
                base: None,
                floor: 0,
                is_deleted: false,
            }),
            Change::QueueGone(name) => {
                let gone = self
                    .queues
                    .iter_mut()
                    .find(|queue| queue.name == *name && !queue.is_deleted);
                gone.unwrap().is_deleted = true;
            }
            _ => {}
        }
        self.changes.push((when, change));
    }

    /// The queue of an id.
    pub(crate) fn queue(&mut self, id: u64) -> &mut Queue {
        self.queues.iter_mut().find(|queue| queue.id == id).unwrap()
    }

    /// Where a message goes.
    pub(crate) fn route(&self, exchange: &str, key: &str) -> BTreeSet<String> {
        if exchange.is_empty() {
            return self
                .now
                .queues
                .contains_key(key)
                .then(|| key.to_owned())
                .into_iter()
                .collect();
        }
        let bound = self.now.bindings.iter().filter(|(source, _)| source == exchange);
        bound.map(|(_, queue)| queue.clone()).collect()
    }

    /// The content must be what was published.
    pub(crate) fn check_content(&self, id: u64, message: &Message) -> Result<(), String> {
        self.check_kept(id, message, false)
    }

    /// The same after damage, which may have taken the time at which it was published.
    pub(crate) fn check_kept(&self, id: u64, message: &Message, timeless: bool) -> Result<(), String> {
        let sent = self
            .messages
            .get(&id)
            .ok_or_else(|| format!("message {id} was never published"))?;
        let mut kept = *message.envelope();
        if timeless && kept.published_ms == 0 {
            kept.published_ms = sent.published_ms();
        }
        let is_same = sent.stored() == message.stored() && *sent.envelope() == kept;
        is_same.then_some(()).ok_or_else(|| {
            let (is, was) = (message.envelope(), sent.envelope());
            format!("message {id} is not what was published: {is:?} instead of {was:?}")
        })
    }

    /// Whether a node that died at a moment may come back so.
    pub(crate) fn check(&self, at: &Moment, found: &Found) -> Result<(), String> {
        self.check_declared(at, found)?;
        for (name, drained) in &found.queues {
            let (id, _) = found.declared.queues[name];
            let queue = self.queues.iter().find(|queue| queue.id == id);
            let queue = queue.ok_or(format!("queue {name} has the id {id}, which none ever had"))?;
            self.check_queue(at, queue, drained, found)
                .map_err(|wrong| format!("queue {name} ({id}): {wrong}"))?;
        }
        Ok(())
    }

    /// Some state that the catalog went through, not before the last certain one.
    fn check_declared(&self, at: &Moment, found: &Found) -> Result<(), String> {
        let mut declared = self.start.clone();
        let mut certain = 0;
        for (nth, (when, _)) in self.changes.iter().enumerate() {
            // What does not last is not in the log, and says nothing of what is.
            if when.position > Position(0) && at.is_certain(when) {
                certain = nth + 1;
            }
        }
        let mut wrong = String::new();
        for nth in 0..=self.changes.len() {
            if nth > 0 {
                let (when, change) = &self.changes[nth - 1];
                if !at.is_possible(when) {
                    break;
                }
                declared.apply(change);
            }
            if nth >= certain {
                let lasting = declared.lasting();
                if lasting == found.declared {
                    return Ok(());
                }
                wrong = format!("declared is {:?}, and should be {lasting:?}", found.declared);
            }
        }
        let changes: Vec<_> = self
            .changes
            .iter()
            .take_while(|(when, _)| at.is_possible(when))
            .collect();
        Err(format!("{wrong}; {certain} of {changes:?} are certain at {at:?}"))
    }

    fn check_queue(
        &self,
        at: &Moment,
        queue: &Queue,
        drained: &[Drained],
        found: &Found,
    ) -> Result<(), String> {
        let mut rest = queue.copies.iter();
        let mut last_seq = None;
        for drained in drained {
            let id = id_of(&drained.message);
            self.check_content(id, &drained.message)?;
            if last_seq.is_some_and(|last| drained.seq <= last) {
                return Err(format!("number {} comes after {last_seq:?}", drained.seq));
            }
            last_seq = Some(drained.seq);
            // Whatever is passed over is not there.
            let copy = loop {
                let Some(copy) = rest.next() else {
                    return Err(format!("message {id} is there twice, out of order, or never was"));
                };
                if copy.message == id {
                    break copy;
                }
                check_absent(at, copy).map_err(|wrong| format!("{wrong}, before {drained:?}"))?;
            };
            check_present(at, copy, drained, found)?;
        }
        let seqs: Vec<u64> = drained.iter().map(|drained| drained.seq).collect();
        rest.try_for_each(|copy| check_absent(at, copy))
            .map_err(|wrong| format!("{wrong}; {seqs:?} are there"))
    }

    /// What is the case after a node came back at a moment with what was found.
    pub(crate) fn resolve(&self, at: &Moment, found: &Found) -> Self {
        let mut queues = Vec::new();
        for (name, drained) in &found.queues {
            let (id, _) = found.declared.queues[name];
            let before = self.queues.iter().find(|queue| queue.id == id).unwrap();
            queues.push(before.resolve(at, drained));
        }
        Self {
            messages: Arc::clone(&self.messages),
            queues,
            start: found.declared.clone(),
            changes: Vec::new(),
            now: found.declared.clone(),
        }
    }
}

impl Queue {
    fn resolve(&self, at: &Moment, drained: &[Drained]) -> Self {
        let copies: Vec<Copy> = drained
            .iter()
            .map(|drained| Copy {
                message: id_of(&drained.message),
                kept: true,
                seq: Some(drained.seq),
                came: When::ALWAYS,
                gone: None,
                returned: drained.redelivered.then_some(When::ALWAYS),
                is_out: false,
            })
            .collect();
        let issued = self
            .copies
            .iter()
            .filter(|copy| copy.kept && at.is_certain(&copy.came));
        let issued = issued
            .filter_map(|copy| copy.seq)
            .chain(copies.iter().filter_map(|copy| copy.seq));
        let floor = issued.map(|seq| seq + 1).max().unwrap_or(0).max(self.floor);
        Self {
            first: copies.len(),
            base: None,
            floor,
            copies,
            // Its end may not have lasted.
            is_deleted: false,
            ..self.clone()
        }
    }

    /// A copy is seen to have a number, which says what all of this life have.
    pub(crate) fn learn(&mut self, index: usize, seq: u64) -> Result<(), String> {
        if self.base.is_none() && index >= self.first {
            let base = seq.checked_sub((index - self.first) as u64);
            let base = base.filter(|base| *base >= self.floor);
            let base = base.ok_or(format!("number {seq} was given out before: below {}", self.floor))?;
            self.base = Some(base);
            for (copy, seq) in self.copies[self.first..].iter_mut().zip(base..) {
                copy.seq = Some(seq);
            }
        }
        let known = self.copies[index].seq;
        if known != Some(seq) {
            return Err(format!(
                "a message has the number {seq}, and should have {known:?}"
            ));
        }
        Ok(())
    }

    /// A message is published to it.
    pub(crate) fn add(&mut self, message: u64, persistent: bool, came: When) {
        let nth = (self.copies.len() - self.first) as u64;
        self.copies.push(Copy {
            message,
            kept: persistent && self.durable,
            seq: self.base.map(|base| base + nth),
            came,
            gone: None,
            returned: None,
            is_out: false,
        });
    }
}

fn check_absent(at: &Moment, copy: &Copy) -> Result<(), String> {
    let is_certain = copy.kept && at.is_certain(&copy.came);
    let may_be_gone = copy.gone.is_some_and(|gone| at.is_possible(&gone));
    if !is_certain || may_be_gone {
        return Ok(());
    }
    Err(format!("message {} is lost: {copy:?} at {at:?}", copy.message))
}

fn check_present(at: &Moment, copy: &Copy, drained: &Drained, found: &Found) -> Result<(), String> {
    let id = copy.message;
    if !copy.kept {
        return Err(format!("message {id} was not to last, and is there"));
    }
    if !at.is_possible(&copy.came) {
        return Err(format!("message {id} is there before it was published"));
    }
    if copy.gone.is_some_and(|gone| at.is_certain(&gone)) {
        return Err(format!(
            "message {id} was settled, and is back: {copy:?} at {at:?}"
        ));
    }
    if copy.seq.is_some_and(|seq| seq != drained.seq) {
        return Err(format!("message {id} has the number {}: {copy:?}", drained.seq));
    }
    // After a crash all are marked.
    let returned = copy.returned.is_some_and(|returned| at.is_possible(&returned));
    if drained.redelivered != (returned || !found.is_clean) {
        let (marked, clean) = (drained.redelivered, found.is_clean);
        return Err(format!(
            "message {id} is marked {marked} after clean {clean}: {copy:?} at {at:?}"
        ));
    }
    Ok(())
}

/// Which message it is.
pub(crate) fn id_of(message: &Message) -> u64 {
    let head = message.properties().first_chunk();
    head.map_or(u64::MAX, |head| u64::from_le_bytes(*head))
}
