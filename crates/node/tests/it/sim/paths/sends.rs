//! What clients send and let go of, and what the model is told of it.

use super::super::client::{Held, Way};
use super::super::model::When;
use super::life::{Life, body_of};
use super::model::{Accepted, Rest, Sent, Spot};
use super::plan::{GATE, MANY};
use warren_broker::message::{AnnotationsWriter, Message, Parts};
use warren_broker::route::NoHeaders;
use warren_node::{Keys, Position};

/// A message that is put into a batch.
struct Put {
    id: u64,
    to: &'static str,
    sent: Sent,
    /// Its key came before.
    is_copy: bool,
    /// Until when its key is remembered.
    until_ms: u64,
}

impl Life {
    /// The queue that a message goes to, or the exchange.
    fn any_target(&mut self) -> &'static str {
        if self.random.chance(15) && !self.model.plan.behind_gate.is_empty() {
            return GATE;
        }
        let roots = self.model.plan.stations.iter().filter(|station| station.is_root);
        let roots: Vec<&'static str> = roots.map(|station| station.name).collect();
        let some = (roots.len() * 2).div_ceil(3);
        let count = if self.is_filling { some } else { roots.len() };
        roots[self.random.below(count as u64) as usize]
    }

    /// Puts a message into the batch. `None`: what becomes of it would not be known.
    fn put(&mut self, came: &[Accepted]) -> Option<Put> {
        let to = self.any_target();
        let entrances = self.model.plan.entrances(to);
        let key = self.key(to);
        let hour_ms = self.model.hour_ms();
        let in_batch = came.iter().any(|taken| taken.queue == to && taken.key == key);
        let before = self.model.remembers(to, key, hour_ms).filter(|_| key != 0);
        let may_refuse = entrances
            .iter()
            .any(|queue| self.model.plan.station(queue).refuses());
        if before.is_some_and(|before| before.when.is_none()) || (in_batch && may_refuse) {
            return None;
        }
        let once = self.model.plan.once_of(to);
        // Whether room is made for a batch when all of it was looked at depends on what else is in it.
        let is_small = once.is_some_and(|once| once.size < MANY);
        if is_small && came.iter().any(|taken| taken.queue == to) {
            return None;
        }
        let is_copy = once.is_some() && (before.is_some() || in_batch);
        self.model.last_id += 1;
        let id = self.model.last_id;
        let due_ms = match self.random.below(8) {
            0 => hour_ms + 1 + self.random.below(200),
            _ => 0,
        };
        let own_ttl = self.random.chance(10);
        let sent = Sent {
            when: When::ALWAYS,
            group: None,
            published_ms: hour_ms,
            due_ms,
            ttl_ms: own_ttl.then(|| self.random.below(120)),
            key,
            is_refused: false,
        };
        let (exchange, first) = if to == GATE { (GATE, "") } else { ("", to) };
        let message = self.message(id, (exchange, first), &sent);
        let session = self.session.as_mut().unwrap();
        let keys = Keys { first, more: &[] };
        let route = session
            .client
            .route(&mut session.cache, exchange, keys, &NoHeaders)
            .unwrap();
        session.client.publish(&mut session.batch, &route, message, id);
        let ttl_ms = once.and_then(|once| once.ttl_ms);
        Some(Put {
            id,
            to,
            sent,
            is_copy,
            until_ms: ttl_ms.map_or(0, |ttl_ms| hour_ms + ttl_ms),
        })
    }

    fn key(&mut self, to: &str) -> i64 {
        let station = self.model.plan.find(to).cloned().unwrap_or_default();
        let last = self.model.accepted.last().filter(|taken| taken.queue == to);
        if let Some(last) = last.map(|taken| taken.key)
            && self.random.chance(30)
        {
            return last;
        }
        match self.model.plan.once_of(to) {
            Some(once) if once.size == MANY => 1 + self.random.below(120) as i64,
            // Whether an earlier life's is remembered cannot be known.
            Some(_) => (self.model.lives * 100 + 1 + self.random.below(10)) as i64,
            None if station.is_last => 1 + self.random.below(5) as i64,
            None if station.is_grouped => self.random.below(4) as i64,
            None => 0,
        }
    }

    fn message(&mut self, id: u64, (exchange, key): (&str, &str), sent: &Sent) -> Message {
        let bytes = match self.random.below(30) {
            0 => self.random.below(20 * 1024),
            1..=3 => self.random.below(3000),
            _ => self.random.below(60),
        };
        let properties = [id.to_le_bytes(), sent.key.to_le_bytes()].concat();
        let mut noted = AnnotationsWriter::default();
        if sent.due_ms > 0 {
            noted.due_ms(sent.due_ms);
        }
        sent.ttl_ms.into_iter().for_each(|ttl_ms| noted.ttl_ms(ttl_ms));
        let priority = self.random.chance(60).then(|| self.random.below(10) as u8);
        let parts = Parts {
            exchange,
            key,
            properties: &properties,
            body: &body_of(id, bytes),
            persistent: true,
            priority,
            published_ms: sent.published_ms,
            annotations: noted.bytes(),
        };
        Message::of(&parts).unwrap()
    }

    pub(super) fn publish(&mut self, began: usize) -> Result<(), String> {
        let count = 1 + self.random.below(if self.is_filling { 12 } else { 5 });
        self.send(count, None, began)
    }

    /// A transaction: messages for several queues, and some that are done with.
    pub(super) fn transact(&mut self, began: usize) -> Result<(), String> {
        let count = 2 + self.random.below(4);
        self.model.last_id += 1;
        self.send(count, Some(self.model.last_id), began)
    }

    fn send(&mut self, count: u64, group: Option<u64>, began: usize) -> Result<(), String> {
        if !self.may_publish() {
            return Ok(());
        }
        let mut sent = Vec::new();
        let mut copies = Vec::new();
        let mut came: Vec<Accepted> = Vec::new();
        for _ in 0..count {
            let Some(put) = self.put(&came) else { continue };
            if put.is_copy {
                copies.push((put.to, put.sent.key));
                continue;
            }
            if self.model.plan.once_of(put.to).is_some() {
                came.push(Accepted {
                    queue: put.to,
                    key: put.sent.key,
                    when: Some(When::ALWAYS),
                    id: put.id,
                    until_ms: put.until_ms,
                });
            }
            sent.push(put);
        }
        let held = self.session().held.clone();
        let gathered = if group.is_some() {
            self.gather(3)
        } else {
            Vec::new()
        };
        let worked = match group {
            Some(_) => self.session().flush_together(),
            None => Some(self.session().flush()),
        };
        let Some(worked) = worked else {
            self.undone(&held, gathered, began);
            return Ok(());
        };
        let refused = self.session().batch.take_refused();
        let position = if group.is_some() {
            worked.all
        } else {
            worked.queued
        };
        let when = When { position, began };
        came.retain(|taken| !refused.contains(&taken.id));
        came.iter_mut().for_each(|taken| taken.when = Some(when));
        self.model.accepted.extend(came);
        self.check_copies(&copies, position)?;
        self.seen[1] += refused.len();
        self.seen[0] += usize::from(group.is_some());
        let settles = self.gathered(gathered, when);
        if let Some(group) = group {
            self.model.settles.entry(group).or_default().extend(settles);
        }
        for put in &sent {
            let is_refused = refused.contains(&put.id);
            let sent = put.sent.clone();
            self.note_sent(put, is_refused, Sent { when, group, ..sent });
        }
        Ok(())
    }

    /// A transaction came to nothing: what it would have settled goes back, as when its channel ends.
    fn undone(&mut self, held: &[Held], gathered: Vec<(Spot, Way)>, began: usize) {
        self.seen[1] += 1;
        let gathered = gathered.into_iter().map(|(spot, _)| (spot, Way::Return));
        let gathered: Vec<_> = gathered.collect();
        for (spot, _) in &gathered {
            let is_it = |held: &&Held| (held.message, held.queue.declared().name.as_str()) == *spot;
            let held = held.iter().find(is_it).unwrap();
            self.session().give_back(held);
        }
        let position = self.session().flush().all;
        self.gathered(gathered, When { position, began });
    }

    /// One that was refused may be a dead letter, and may be nowhere. Of several queues some may have taken
    /// it.
    fn note_sent(&mut self, put: &Put, is_refused: bool, mut sent: Sent) {
        let entrances = self.model.plan.entrances(put.to);
        if is_refused {
            sent.when.position = Position(u64::MAX);
            (sent.group, sent.is_refused) = (None, entrances.len() == 1);
        } else if entrances.len() > 1 {
            sent.group.get_or_insert(put.id);
        }
        for queue in entrances {
            let spot = (put.id, queue);
            if !is_refused {
                self.replace(spot, &sent);
            }
            self.model.sent.insert(spot, sent.clone());
        }
    }

    /// Whoever sends a key again is told so when the first is safe, not before.
    fn check_copies(&self, keys: &[(&str, i64)], position: Position) -> Result<(), String> {
        for (queue, key) in keys {
            let of = |taken: &&Accepted| taken.queue == *queue && taken.key == *key;
            let first = self
                .model
                .accepted
                .iter()
                .rev()
                .find(of)
                .and_then(|taken| taken.when);
            if first.is_some_and(|first| first.position > position.max(self.node.durable())) {
                return Err(format!(
                    "key {key} of {queue} is confirmed at {position:?}, and came at {first:?}"
                ));
            }
        }
        Ok(())
    }

    /// The last one of a key takes the place of the one before, if that has not left.
    fn replace(&mut self, (id, queue): Spot, by: &Sent) {
        let station = self.model.plan.station(queue);
        if !station.is_last {
            return;
        }
        let may_leave = !station.next.is_empty();
        let of = |((other, root), sent): (&Spot, &Sent)| {
            (*root == queue && sent.key == by.key && *other < id).then_some((*other, *root))
        };
        let before: Vec<Spot> = self.model.sent.iter().filter_map(of).collect();
        for spot in before {
            let known = self.model.known.entry(spot).or_default();
            let noted = if may_leave {
                &mut known.replaced
            } else {
                &mut known.settled
            };
            noted.get_or_insert(by.when);
        }
    }

    /// Lets go of some deliveries, in the batch.
    fn gather(&mut self, most: u64) -> Vec<(Spot, Way)> {
        let mut gathered = Vec::new();
        for _ in 0..self.random.below(most + 1) {
            let held = self.session().held.len() as u64;
            if held == 0 {
                break;
            }
            let at = self.random.below(held) as usize;
            let held = self.session().held[at].clone();
            let queue = self.model.plan.name_of(held.queue.declared().name.as_str());
            let spot = (held.message, queue);
            let way = match self.random.below(100) {
                0..=39 => Way::Settle,
                40..=59 => Way::Reject,
                60..=84 => Way::Fail,
                _ => Way::Return,
            };
            self.session().let_go_so(at, way);
            gathered.push((spot, way));
        }
        gathered
    }

    /// Notes what came of it. Answers what was settled.
    pub(super) fn gathered(&mut self, gathered: Vec<(Spot, Way)>, when: When) -> Vec<Spot> {
        let hour_ms = self.model.hour_ms();
        let mut settled = Vec::new();
        for (spot, way) in gathered {
            let station = self.model.plan.station(spot.1).clone();
            let known = self.model.known.entry(spot).or_default();
            let is_over = |fails: usize| station.limit.is_some_and(|limit| fails >= limit);
            let leaves = !station.next.is_empty();
            match way {
                Way::Reject if leaves => known.rejected = known.rejected.or(Some(when)),
                Way::Fail if is_over(known.fails.len()) => {
                    self.seen[2] += 1;
                    known.failed_for_good = Some(when);
                    if !leaves {
                        known.settled = Some(when);
                        settled.push(spot);
                    }
                }
                Way::Settle | Way::Reject => {
                    known.settled = Some(when);
                    settled.push(spot);
                }
                Way::Fail | Way::Return => {
                    let has_failed = way == Way::Fail;
                    if has_failed && station.counts() {
                        known.fails.push(when);
                    }
                    let retry = station.retry.filter(|retry| retry.is_for(has_failed));
                    let pauses_ms = retry.map(|retry| {
                        let least_ms = retry.pause_ms(known.fails.len());
                        let most_ms = if known.has_past { retry.max_ms } else { least_ms };
                        (hour_ms + least_ms, hour_ms + most_ms)
                    });
                    let (least_ms, most_ms) = pauses_ms.unwrap_or_default();
                    known.rests.push(Rest {
                        when,
                        least_ms,
                        most_ms,
                    });
                }
            }
        }
        settled
    }

    pub(super) fn let_go(&mut self, began: usize) {
        let gathered = self.gather(6);
        let worked = self.session().flush();
        let position = worked.all;
        self.gathered(gathered, When { position, began });
    }
}
