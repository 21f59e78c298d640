//! A node with such queues dies at every operation of its disk, and is asked for everything: at once, and
//! after all that waits is due.

use super::super::client::{Session, user};
use super::super::crash::{Death, describe};
use super::super::model::{Moment, id_of};
use super::super::sim_disk::{Random, SimDisk, Trace};
use super::life::{Life, check_body};
use super::model::{Found, Model, Out};
use super::{KEY_AT, STATIONS, config, name_of};
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

/// The number of a message that has a new key, and its key.
const NEW: u64 = 1 << 41;

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
        let found = look(image, &self.options, hour_ms, &model.keys_at(&moment))?;
        if !found.is_set_up {
            let may_be = self.before.is_none() && operations < self.set_up_at;
            return may_be
                .then_some(found)
                .ok_or("the queues are not there".to_owned());
        }
        model.check(&moment, &found)?;
        Ok(found)
    }

    pub(super) fn die_everywhere(&self, random: &mut Random) -> Result<usize, String> {
        let mut outcome = Ok(());
        let mut count = 0;
        self.trace.prefixes(|operations, disk| {
            if outcome.is_err() {
                return;
            }
            count += 1;
            let death = Death::any(random);
            let image = death.of(disk, self.trace.operations.get(operations));
            drop(super::super::said::take());
            let checked = self.check(operations, &image, random).map(drop);
            outcome = checked.map_err(|wrong| self.describe(operations, death, &wrong));
        });
        outcome.map(|()| count)
    }

    fn describe(&self, operations: usize, death: Death, wrong: &str) -> String {
        let when = (operations, self.opened_at);
        describe(&self.trace, when, death, &self.options, wrong)
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
fn look(
    image: &SimDisk,
    options: &Options,
    hour_ms: u64,
    keys: &[(&'static str, i64)],
) -> Result<Found, String> {
    let options = Options {
        checkpoint_every: Duration::ZERO,
        ..options.clone()
    };
    let opened = Node::open(config(), options, Arc::new(image.clone()));
    let Opened { node, recovered } = opened.map_err(|error| format!("the node does not open: {error}"))?;
    if !recovered.damages.is_empty() || recovered.messages_lost > 0 {
        return Err(format!("damage out of nothing: {recovered:?}"));
    }
    let vhost = node.vhost("/");
    let is_set_up = vhost.is_some_and(|vhost| {
        let are_there = STATIONS.iter().all(|station| vhost.queue(station.name).is_some());
        are_there
            && super::FORKS
                .iter()
                .all(|(fork, _)| vhost.exchange(fork).is_some())
    });
    let mut found = Found {
        is_set_up,
        hour_ms,
        ..Found::default()
    };
    if !is_set_up {
        return Ok(found);
    }
    node.put_user(user("drain"));
    let mut session = Session::enter(&node, "drain");
    take_all(&node, &mut session, hour_ms, &mut found, false)?;
    send_again(&mut session, keys, hour_ms);
    take_all(&node, &mut session, hour_ms, &mut found, false)?;
    let mut empty = 0;
    for nth in 0.. {
        let later_ms = hour_ms + LATER_MS + nth * RETRY_MS;
        let count = take_all(&node, &mut session, later_ms, &mut found, true)?;
        empty = if count == 0 { empty + 1 } else { 0 };
        if empty == 2 {
            break;
        }
    }
    session.leave();
    check_rest(&node, image)?;
    Ok(found)
}

fn make_room(node: &Arc<Node>) -> Result<(), String> {
    let kept = node.commit_log().and_then(|_| node.keep_house());
    kept.map(drop).map_err(|poisoned| poisoned.to_string())
}

/// Takes out all that comes at an hour.
fn take_all(
    node: &Arc<Node>,
    session: &mut Session,
    hour_ms: u64,
    found: &mut Found,
    is_later: bool,
) -> Result<usize, String> {
    let mut count = 0;
    loop {
        // What leaves waits for the log, and that for room.
        make_room(node)?;
        node.tick(hour_ms);
        while node.read_back() {}
        let before = count;
        for station in STATIONS {
            while let Some(Some(came)) = session.get(station.name, true, true) {
                count += 1;
                let (id, message) = (id_of(&came.drained.message), &came.drained.message);
                if id == NEW {
                    continue;
                }
                if id >= AGAIN {
                    return Err(format!("{} takes a key again: {}", station.name, id - AGAIN));
                }
                check_body(id, message)?;
                let out = Out {
                    failures: came.drained.failures,
                    is_later,
                };
                if found.spots.insert((id, name_of(station.name)), out).is_some() {
                    return Err(format!("message {id} comes twice out of {}", station.name));
                }
            }
        }
        if count == before {
            return Ok(count);
        }
    }
}

/// Sends a new key, and then those that came.
fn send_again(session: &mut Session, keys: &[(&'static str, i64)], hour_ms: u64) {
    let again = keys
        .iter()
        .zip(AGAIN..)
        .map(|((queue, key), id)| (*queue, *key, id));
    for (queue, key, id) in std::iter::once(("few", NEW as i64, NEW)).chain(again) {
        let properties = [id.to_le_bytes(), key.to_le_bytes()].concat();
        assert_eq!(properties.len(), 2 * KEY_AT);
        let parts = Parts {
            exchange: "",
            key: queue,
            properties: &properties,
            body: &[],
            persistent: true,
            priority: None,
            published_ms: hour_ms,
            annotations: &[],
        };
        let message = Message::of(&parts).unwrap();
        let to = Keys {
            first: queue,
            more: &[],
        };
        let route = session
            .client
            .route(&mut session.cache, "", to, &NoHeaders)
            .unwrap();
        session.client.publish(&mut session.batch, &route, message, 0);
        // Room is made for what a batch brings when all of it was looked at.
        session.flush();
    }
}

/// Nothing is left of what was taken out.
fn check_rest(node: &Arc<Node>, image: &SimDisk) -> Result<(), String> {
    for _ in 0..2 {
        if node.keep_house().map_err(|poisoned| poisoned.to_string())? == Step::Full {
            return Err("there is no space to keep house".to_owned());
        }
    }
    let vhost = node.vhost("/").unwrap();
    for station in STATIONS {
        let totals = vhost.queue(station.name).unwrap().totals();
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
