//! Handing out what is ready: to consumers in turn, and to getters.

use super::action::{Delivery, Outlet};
use super::extras::Extras;
use super::fact::{Fact, Gathered};
use super::groups::{Groups, Rank};
use super::lane::{Entry, Lane, Next, Past};
use super::ticket::Ticket;
use super::times::own_expiry_ms;
use super::{ConsumerKey, Held, Queue};
use std::cmp::Reverse;

/// What asking for one message comes to.
#[derive(Debug)]
pub enum Take {
    /// This one.
    Message(Delivery),
    /// There is none.
    Empty,
    /// There is one, and it has to be read first.
    Absent,
}

/// A message on its way out.
struct Popped {
    level: u8,
    seq: u64,
    entry: Entry,
    /// It stands in an extent.
    is_stored: bool,
    /// It expires then, by a time to live of its own.
    expiry_ms: Option<u64>,
}

/// What was not looked at yet, for its group.
enum Unlooked {
    /// This one, of this priority.
    Message(u8, u64),
    /// One of this priority, which has to be read first.
    Absent(u8),
    /// Nothing that matters.
    Nothing,
}

/// How a message goes out.
#[derive(Clone, Copy)]
struct Way {
    memory_bytes: usize,
    is_stored: bool,
    expiry_ms: Option<u64>,
    /// It is done with at once.
    no_ack: bool,
    now_ms: u64,
}

impl Queue {
    /// Hands ready messages to consumers while one can take them. What leaves without
    /// acknowledgement is settled here; `facts` gets those settles, already applied.
    pub fn dispatch(&mut self, outlet: &mut impl Outlet, now_ms: u64, facts: &mut Vec<Fact>) {
        let mut settled = Gathered::default();
        let is_grouped = self.is_grouped();
        while let Some((key, no_ack)) = self.consumers.turn() {
            let popped = match is_grouped {
                false => self.pop_ready(),
                true => self.pop_for(key),
            };
            let Some(popped) = popped else {
                if !is_grouped || self.is_hungry() || !self.skip_to_owner() {
                    break;
                }
                continue;
            };
            let held = self.held(&popped, Some(key), !no_ack && !popped.is_stored);
            let way = popped.way(no_ack, now_ms);
            let Popped {
                level,
                seq,
                entry,
                is_stored,
                ..
            } = popped;
            let delivery = self.delivery(seq, held.turn, entry);
            match outlet.offer(key, delivery) {
                Ok(()) => {
                    self.consumers.took();
                    self.take_group(seq, key, !no_ack);
                    if no_ack {
                        settled.push(seq, held.persistent, held.octets);
                    }
                    self.sent(seq, held, way);
                }
                Err(delivery) => {
                    let entry = Entry {
                        message: delivery.message,
                        past: Past::new(held.redelivered, held.failures),
                    };
                    self.open_lane(level).put_back(seq, entry, is_stored);
                    self.consumers.refused();
                }
            }
        }
        self.consumers.skip_to(None);
        facts.extend(settled.settled());
    }

    /// Takes the first ready message for a getter: `basic.get`. With `no_ack` it is settled at
    /// once and `facts` gets that, already applied.
    pub fn take(&mut self, no_ack: bool, now_ms: u64, facts: &mut Vec<Fact>) -> Take {
        let is_grouped = self.is_grouped();
        let popped = match is_grouped {
            false => self.pop_ready(),
            true => self.pop_for(ConsumerKey::GETTERS),
        };
        let Some(popped) = popped else {
            let is_absent = match is_grouped {
                false => self.ready_count() > 0,
                true => self.is_hungry(),
            };
            return if is_absent { Take::Absent } else { Take::Empty };
        };
        self.take_group(popped.seq, ConsumerKey::GETTERS, !no_ack);
        let held = self.held(&popped, None, !no_ack && !popped.is_stored);
        if no_ack {
            let mut settled = Gathered::default();
            settled.push(popped.seq, held.persistent, held.octets);
            facts.extend(settled.settled());
        }
        let way = popped.way(no_ack, now_ms);
        let Popped { seq, entry, .. } = popped;
        let delivery = self.delivery(seq, held.turn, entry);
        self.sent(seq, held, way);
        Take::Message(delivery)
    }

    fn delivery(&self, seq: u64, turn: u16, entry: Entry) -> Delivery {
        let counts = self
            .extras
            .as_ref()
            .is_some_and(|extras| extras.rules.counts_deliveries);
        Delivery {
            ticket: Ticket::new(seq, turn),
            redelivered: entry.past.is_redelivered(),
            failures: counts.then_some(entry.past.failures()),
            message: entry.message,
        }
    }

    fn held(&self, popped: &Popped, consumer: Option<ConsumerKey>, keeps_body: bool) -> Held {
        let Popped {
            level, seq, entry, ..
        } = popped;
        Held {
            message: keeps_body.then(|| entry.message.clone()),
            consumer,
            octets: entry.message.envelope().body_bytes,
            failures: entry.past.failures(),
            turn: self.extras.as_ref().map_or(0, |extras| extras.turn_of(*seq)),
            redelivered: entry.past.is_redelivered(),
            persistent: self.is_kept(&entry.message),
            level: *level,
        }
    }

    fn is_grouped(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.groups.is_some())
    }

    /// Whether something has to be read before more can go out. What was wanted may be gone by now.
    fn is_hungry(&self) -> bool {
        self.lanes().any(|(_, lane)| lane.ahead.hungers())
    }

    /// Where there is nothing that anybody may get, the turn is that of the first consumer for whom alone
    /// something waits. Answers whether there is one. The others are not asked: they may be many.
    fn skip_to_owner(&mut self) -> bool {
        let owner = self.waiting_owner();
        self.consumers.skip_to(owner);
        owner.is_some()
    }

    fn waiting_owner(&self) -> Option<ConsumerKey> {
        let groups = self.groups()?;
        let mut owners = groups.owners().filter(|key| self.consumers.is_waiting(*key));
        let one = owners.next()?;
        if owners.next().is_none() {
            return Some(one);
        }
        self.consumers.waiting().find(|key| groups.is_owner(*key))
    }

    /// A message of a group goes out.
    fn take_group(&mut self, seq: u64, consumer: ConsumerKey, is_held: bool) {
        if let Some(groups) = self.extras.as_mut().and_then(|extras| extras.groups.as_mut()) {
            groups.went_out(seq, consumer, is_held);
        }
    }

    /// Takes out the first message that a consumer may get: of a group that nobody else has messages of.
    fn pop_for(&mut self, consumer: ConsumerKey) -> Option<Popped> {
        loop {
            let found = self.groups()?.first_for(consumer).map(|(rank, _)| rank);
            match self.unlooked(found) {
                Unlooked::Message(level, seq) => {
                    let entry = self.lane_at(level)?.find(seq)?;
                    let key = self.extras.as_ref()?.group_of(seq, &entry.message);
                    self.extras.as_mut()?.groups.as_mut()?.look(level, seq, key);
                    continue;
                }
                Unlooked::Absent(level) => {
                    self.open_lane(level).ahead.is_hungry = true;
                    return None;
                }
                Unlooked::Nothing => {}
            }
            let (Reverse(level), seq) = found?;
            let lane = self.open_lane(level);
            if let Some((entry, is_stored)) = lane.remove(seq) {
                let expiry_ms = own_expiry_ms(&entry.message);
                return Some(Popped {
                    level,
                    seq,
                    entry,
                    is_stored,
                    expiry_ms,
                });
            }
            if !lane.ahead.is_bare() && lane.ahead.absent.contains(seq) {
                lane.ahead.is_hungry = true;
                return None;
            }
            // It is not there any more.
            self.extras.as_mut()?.groups.as_mut()?.forget(seq);
        }
    }

    fn groups(&self) -> Option<&Groups> {
        self.extras.as_ref()?.groups.as_ref()
    }

    fn lane_at(&self, level: u8) -> Option<&Lane> {
        match level {
            0 => Some(&self.lane),
            _ => self.extras.as_ref()?.levels.get(level),
        }
    }

    /// The first message that nobody looked at, if it is to be served before `found`.
    fn unlooked(&self, found: Option<Rank>) -> Unlooked {
        let Some(groups) = self.groups() else {
            return Unlooked::Nothing;
        };
        if groups.is_full() {
            return Unlooked::Nothing;
        }
        let firsts = self.lanes().filter_map(|(level, lane)| {
            let next = lane.next_from(groups.looked_up_to(level))?;
            let seq = match next {
                Next::Here(seq) | Next::Absent(seq) => seq,
            };
            Some(((Reverse(level), seq), next))
        });
        match firsts.min_by_key(|(rank, _)| *rank) {
            Some((rank, _)) if found.is_some_and(|found| found < rank) => Unlooked::Nothing,
            Some(((Reverse(level), _), Next::Here(seq))) => Unlooked::Message(level, seq),
            Some(((Reverse(level), _), Next::Absent(_))) => Unlooked::Absent(level),
            None => Unlooked::Nothing,
        }
    }

    /// Takes out the message that is next. `None` when there is none, or when it has to be read first.
    #[inline]
    fn pop_ready(&mut self) -> Option<Popped> {
        let (level, lane) = match &mut self.extras {
            None => (0, &mut self.lane),
            Some(extras) => top_lane(extras, &mut self.lane),
        };
        let (seq, entry, is_stored) = lane.pop()?;
        let expiry_ms = match &self.extras {
            None => None,
            Some(_) => own_expiry_ms(&entry.message),
        };
        Some(Popped {
            level,
            seq,
            entry,
            is_stored,
            expiry_ms,
        })
    }

    /// A ready message went out: it is held, or settled at once.
    #[inline]
    fn sent(&mut self, seq: u64, held: Held, way: Way) {
        let Way {
            memory_bytes,
            is_stored,
            expiry_ms,
            no_ack,
            now_ms,
        } = way;
        if let Some(at) = expiry_ms
            && let Some(extras) = &mut self.extras
        {
            extras.times.lend_expiry(seq, at, held.octets, !no_ack);
        }
        if held.message.is_none() {
            self.bytes -= memory_bytes;
        }
        let octets = u64::from(held.octets);
        if no_ack {
            let kept = if is_stored && held.persistent { octets } else { 0 };
            self.octets.gone(octets, kept);
            if is_stored {
                self.stored.settle(super::Range::one(seq));
            }
            if let Some(extras) = &mut self.extras {
                extras.forget(seq);
            }
            return;
        }
        self.octets.went_out(octets);
        if let Some(extras) = &mut self.extras {
            let own_lease_ms = held.consumer.and_then(|key| self.consumers.lease_ms(key));
            extras.went_out(Ticket::new(seq, held.turn), own_lease_ms, now_ms);
        }
        self.unsettled.insert(seq, held);
    }
}

impl Popped {
    fn way(&self, no_ack: bool, now_ms: u64) -> Way {
        Way {
            memory_bytes: self.entry.message.memory_bytes(),
            is_stored: self.is_stored,
            expiry_ms: self.expiry_ms,
            no_ack,
            now_ms,
        }
    }
}

fn top_lane<'a>(extras: &'a mut Extras, plain: &'a mut Lane) -> (u8, &'a mut Lane) {
    match extras.levels.highest() {
        Some(level) => (level, extras.levels.open(level)),
        None => (0, plain),
    }
}
