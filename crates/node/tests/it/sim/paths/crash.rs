//! A node with such queues dies at every operation of its disk, and is asked for everything: at once, and
//! after all that waits is due.

use super::super::client::{Session, user};
use super::super::crash::{Death, describe, die_in_starts};
use super::super::model::{Drained, Moment, id_of};
use super::super::sim_disk::{Random, SimDisk, Trace};
use super::life::{Life, check_body};
use super::model::{self, Found, Model, Out, Run, level_of};
use super::plan::{GATE, MANY, Station};
use super::{KEY_AT, config, key_of};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use warren_broker::message::{Message, Parts};
use warren_broker::route::NoHeaders;
use warren_node::storage::{Opened, Options, Step};
use warren_node::{Keys, Node};

/// Behind everything that waits.
const LATER_MS: u64 = 3_600_000;

/// So long a dead letter that nobody takes waits at most.
const RETRY_MS: u64 = 2_000;

/// Numbers of messages that come again.
const AGAIN: u64 = 1 << 40;

/// Numbers of messages that have new keys, and their keys.
const NEW: u64 = 1 << 41;

/// The number of messages whose keys may be known or not.
const OPEN: u64 = 1 << 42;

/// See [`super::super::crash::Past`].
pub(super) struct Past {
    model: Model,
    before: Option<(Model, Moment)>,
    opened_at: usize,
    set_up_at: usize,
    trace: Trace,
    durable: Vec<u64>,
    options: Options,
}

impl Past {
    pub(super) fn of(life: Life, before: Option<(Model, Moment)>, options: Options) -> Self {
        let durable = life.watch.durable();
        let trace = life.watch.disk.recorded().unwrap();
        assert_eq!(durable.len(), trace.operations.len() + 1);
        let Life {
            model,
            opened_at,
            set_up_at,
            ..
        } = life;
        Self {
            model,
            before,
            opened_at,
            set_up_at,
            trace,
            durable,
            options,
        }
    }

    /// What was promised when so many operations were done, and when that was.
    fn promise(&self, operations: usize) -> (&Model, Moment) {
        match &self.before {
            Some((model, moment)) if operations < self.opened_at => (model, *moment),
            _ => {
                let durable = self.durable[operations];
                (&self.model, Moment { operations, durable })
            }
        }
    }

    fn check(&self, operations: usize, image: &SimDisk, random: &mut Random) -> Result<Found, String> {
        let (model, moment) = self.promise(operations);
        // As it was when the life began, or when it ended.
        let hours = [model.hours.first(), model.hours.last()];
        let hour_ms = hours[random.below(2) as usize].map_or(super::BEGIN_MS, |(_, ms)| *ms);
        let keys = [model.keys_at(&moment, hour_ms), model.open_keys_at(&moment)];
        let found = Look::new(image, &self.options, model, hour_ms)?.look(image, keys)?;
        if self.before.is_none() && operations < self.set_up_at {
            return Ok(found);
        }
        if !found.is_set_up {
            return Err("the queues are not there".to_owned());
        }
        model.check(&moment, &found)?;
        Ok(found)
    }

    /// Dies at every operation, or at some. Which one it is changes nothing at others.
    pub(super) fn die_everywhere(&self, random: &mut Random) -> Result<usize, String> {
        let (mut outcome, mut count) = (Ok(()), 0);
        let all = random.number();
        self.trace.prefixes(|operations, disk| {
            let mut random = Random::new(all ^ operations as u64);
            let is_chosen = random.chance(25);
            if outcome.is_err() || !(is_chosen || super::super::is_thorough()) {
                return;
            }
            count += 1;
            outcome = self.die_at(operations, disk, &mut random);
        });
        outcome.map(|()| count)
    }

    fn die_at(&self, operations: usize, disk: &SimDisk, random: &mut Random) -> Result<(), String> {
        let death = Death::any(random);
        let image = death.of(disk, self.trace.operations.get(operations));
        drop(super::super::said::take());
        let (image, earlier) = die_in_starts(image, config, &self.options, random);
        let checked = self.check(operations, &image, random).map(drop);
        let checked = checked.map_err(|wrong| format!("{wrong}\n  earlier starts {earlier:#?}"));
        checked.map_err(|wrong| self.describe(operations, death, &wrong))
    }

    fn describe(&self, operations: usize, death: Death, wrong: &str) -> String {
        let when = (operations, self.opened_at);
        let wrong = format!("{wrong}\n  {:?}", self.model.plan);
        describe(&self.trace, when, death, &self.options, &wrong)
    }

    /// Dies once, and answers what is left for another life.
    pub(super) fn heir(&self, random: &mut Random) -> Result<(SimDisk, Model, (Model, Moment)), String> {
        let from = self.opened_at.max(self.set_up_at);
        let operations = from + random.below((self.trace.operations.len() - from) as u64 + 1) as usize;
        let death = Death::any(random);
        let image = || {
            death.of(
                &self.trace.prefix(operations),
                self.trace.operations.get(operations),
            )
        };
        let found = self.check(operations, &image(), random);
        let found = found.map_err(|wrong| self.describe(operations, death, &wrong))?;
        let (model, moment) = self.promise(operations);
        Ok((image(), model.resolve(&moment, &found), (model.clone(), moment)))
    }
}

/// Opens a node at an hour, takes everything out of it, sends keys again that came, and takes out what comes
/// when much time has passed.
struct Look<'a> {
    node: Arc<Node>,
    model: &'a Model,
    found: Found,
    /// A message came whose key may have been known.
    has_taken: bool,
}

impl<'a> Look<'a> {
    fn new(image: &SimDisk, options: &Options, model: &'a Model, hour_ms: u64) -> Result<Self, String> {
        let options = Options {
            checkpoint_every: Duration::ZERO,
            ..options.clone()
        };
        let opened = Node::open(config(), options, Arc::new(image.clone()));
        let Opened { node, recovered } =
            opened.map_err(|error| format!("the node does not open: {error}"))?;
        if !recovered.damages.is_empty() || recovered.messages_lost > 0 {
            return Err(format!("damage out of nothing: {recovered:?}"));
        }
        let (is_set_up, absent) = set_up(&node, model);
        let found = Found {
            is_set_up,
            absent,
            hour_ms,
            ..Found::default()
        };
        Ok(Self {
            node,
            model,
            found,
            has_taken: false,
        })
    }

    fn look(mut self, image: &SimDisk, [keys, open]: [Vec<(&'static str, i64)>; 2]) -> Result<Found, String> {
        if !self.found.is_set_up {
            return Ok(self.found);
        }
        self.node.put_user(user("drain"));
        let mut session = Session::enter(&self.node, "drain");
        let hour_ms = self.found.hour_ms;
        self.take_all(&mut session, hour_ms, false)?;
        let small = self.model.plan.stations.iter();
        let small = small.filter(|station| station.once.is_some_and(|once| once.size < MANY));
        let new = small
            .zip(NEW..)
            .map(|(station, id)| (station.name, id as i64, id));
        self.send(&mut session, new);
        let again = keys.iter().zip(AGAIN..);
        self.send(&mut session, again.map(|((queue, key), id)| (*queue, *key, id)));
        self.take_all(&mut session, hour_ms, false)?;
        let mut empty = 0;
        for nth in 0.. {
            let later_ms = hour_ms + LATER_MS + nth * RETRY_MS;
            let count = self.take_all(&mut session, later_ms, true)?;
            empty = if count == 0 { empty + 1 } else { 0 };
            if empty == 2 {
                break;
            }
        }
        for (to, key) in open {
            self.send(&mut session, std::iter::once((to, key, OPEN)));
            self.has_taken = false;
            self.take_all(&mut session, self.node.now_ms(), true)?;
            if self.has_taken {
                self.found.taken_again.insert((to, key));
            }
        }
        session.leave();
        self.check_rest(image)?;
        Ok(self.found)
    }

    fn make_room(&self) -> Result<(), String> {
        let kept = self.node.commit_log().and_then(|_| self.node.keep_house());
        kept.map(drop).map_err(|poisoned| poisoned.to_string())
    }

    /// The clock calls each time that it has to: a queue does one thing at a time, and what was read may be
    /// due, or say what is to be read next.
    fn tick(&self, hour_ms: u64) {
        let mut idle = 0;
        while idle < 3 {
            self.node.tick(hour_ms);
            idle = if self.node.read_back() { 0 } else { idle + 1 };
        }
    }

    /// Takes out all that comes at an hour.
    fn take_all(&mut self, session: &mut Session, hour_ms: u64, is_later: bool) -> Result<usize, String> {
        let plan = Arc::clone(&self.model.plan);
        let mut count = 0;
        loop {
            // What leaves waits for the log, and that for room.
            self.make_room()?;
            self.tick(hour_ms);
            let before = count;
            for station in &plan.stations {
                if self.found.absent.contains(station.name) {
                    continue;
                }
                let mut run = Run::default();
                while let Some(Some(came)) = session.get(station.name, true, true) {
                    count += 1;
                    let Drained { seq, message, .. } = &came.drained;
                    run.comes(level_of(station, message), *seq)
                        .map_err(|wrong| format!("{}: {wrong}", station.name))?;
                    self.took(station.name, &came.drained, is_later)?;
                }
            }
            if count == before {
                return Ok(count);
            }
        }
    }

    fn took(&mut self, queue: &'static str, drained: &Drained, is_later: bool) -> Result<(), String> {
        let (id, message) = (id_of(&drained.message), &drained.message);
        if id == OPEN {
            self.has_taken = true;
            return Ok(());
        }
        if id >= NEW {
            return Ok(());
        }
        if id >= AGAIN {
            return Err(format!("{queue} takes key {} again", key_of(message)));
        }
        check_body(id, message)?;
        let out = Out {
            failures: drained.failures,
            is_later,
            seq: drained.seq,
            deaths: model::Death::all_of(message),
        };
        match self.found.spots.insert((id, queue), out) {
            None => Ok(()),
            Some(_) => Err(format!("message {id} comes twice out of {queue}")),
        }
    }

    /// Sends messages without a body: to which queue, with which key and number.
    fn send(&self, session: &mut Session, all: impl Iterator<Item = (&'static str, i64, u64)>) {
        for (to, key, id) in all {
            let (exchange, first) = if to == GATE { (GATE, "") } else { ("", to) };
            let properties = [id.to_le_bytes(), key.to_le_bytes()].concat();
            assert_eq!(properties.len(), 2 * KEY_AT);
            let parts = Parts {
                exchange,
                key: first,
                properties: &properties,
                body: &[],
                persistent: true,
                priority: None,
                published_ms: self.node.now_ms(),
                annotations: &[],
            };
            let message = Message::of(&parts).unwrap();
            let keys = Keys { first, more: &[] };
            let route = session
                .client
                .route(&mut session.cache, exchange, keys, &NoHeaders)
                .unwrap();
            session.client.publish(&mut session.batch, &route, message, 0);
            // Room is made for what a batch brings when all of it was looked at.
            session.flush();
        }
    }

    /// Nothing is left of what was taken out.
    fn check_rest(&self, image: &SimDisk) -> Result<(), String> {
        let node = &self.node;
        for _ in 0..2 {
            if node.keep_house().map_err(|poisoned| poisoned.to_string())? == Step::Full {
                return Err("there is no space to keep house".to_owned());
            }
        }
        let vhost = node.vhost("/").unwrap();
        for station in &self.model.plan.stations {
            let Some(queue) = vhost.queue(station.name) else {
                continue;
            };
            let totals = queue.totals();
            if totals.ready + totals.delayed + totals.leaving > 0 {
                return Err(format!("{} was emptied, and has {totals:?}", station.name));
            }
        }
        let left = image
            .files()
            .into_iter()
            .filter(|name| name.starts_with("extents/"));
        match left.collect::<Vec<_>>() {
            left if left.is_empty() => Ok(()),
            left => Err(format!(
                "{left:?} are left after everything was taken out: {:?}",
                node.usage()
            )),
        }
    }
}

/// All that is not declared again and again; queues that are not there.
fn set_up(node: &Arc<Node>, model: &Model) -> (bool, BTreeSet<&'static str>) {
    let Some(vhost) = node.vhost("/") else {
        return (false, BTreeSet::new());
    };
    let deletable = model.plan.deletable();
    let stations = &model.plan.stations;
    let absent = stations
        .iter()
        .filter(|station| vhost.queue(station.name).is_none());
    let absent: BTreeSet<&'static str> = absent.map(|station| station.name).collect();
    let mut forks = stations.iter().filter_map(Station::fork);
    let is_set_up = (model.plan.behind_gate.is_empty() || vhost.exchange(GATE).is_some())
        && absent.iter().all(|queue| deletable.contains(queue))
        && forks.all(|fork| vhost.exchange(&fork).is_some());
    (is_set_up, absent)
}
