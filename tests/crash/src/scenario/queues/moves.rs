//! Dead letters that move while the broker is killed. Nobody takes anything out for good but the looks
//! afterwards, so that every confirmed message is in one place of its path, or behind a fork in one place of
//! each branch.
//!
//! ```text
//!   moves.ttl ─► moves.mid ─► moves.end            moves.max ─► moves.a, moves.b (a fanout exchange)
//!   moves.rej (rejected) ─► moves.dead             moves.wait ─► moves.small (at least once, mostly full)
//!   moves.try (failed too often) ─► moves.failed   moves.full (refuses) ─► moves.over
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::journal::{Journal, Sent};
use super::traffic::{Met, Order, consume, look, publish};
use super::{Rounds, Setting, Work, wrong};
use crate::amqp::{CHANNEL, Connection, Fields, Options, Trouble};
use crate::ledger::{End, Fault};
use crate::rig::{Context, Rig};
use crate::rng::Rng;
use crate::scenario::Done;

const PATHS: &[(&str, &[&str])] = &[
    ("moves.ttl", &["moves.mid"]),
    ("moves.mid", &["moves.end"]),
    ("moves.max", &["moves.a", "moves.b"]),
    ("moves.rej", &["moves.dead"]),
    ("moves.wait", &["moves.small"]),
    ("moves.try", &["moves.failed"]),
    ("moves.full", &["moves.over"]),
];

/// Where producers send.
const ROOTS: [&str; 6] = [
    "moves.ttl",
    "moves.max",
    "moves.rej",
    "moves.wait",
    "moves.try",
    "moves.full",
];

const ALL: [&str; 14] = [
    "moves.ttl",
    "moves.mid",
    "moves.end",
    "moves.max",
    "moves.a",
    "moves.b",
    "moves.rej",
    "moves.dead",
    "moves.wait",
    "moves.small",
    "moves.try",
    "moves.failed",
    "moves.full",
    "moves.over",
];

const FORK: &str = "moves.fork";

/// Messages of a producer in a round.
const MESSAGES_MAX: usize = 5000;

fn next_of(queue: &str) -> &'static [&'static str] {
    PATHS
        .iter()
        .find(|(name, _)| *name == queue)
        .map_or(&[], |(_, next)| next)
}

fn set_up(address: SocketAddr) -> Result<(), Trouble> {
    let mut connection = Connection::open(address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    connection.declare_exchange(FORK, "fanout", true)?;
    let to = |exchange: &str| Fields::default().text("x-dead-letter-exchange", exchange);
    for queue in ALL {
        let first = next_of(queue).first();
        let moves = match first {
            Some(_) if queue == "moves.max" => to(FORK),
            Some(next) => to("").text("x-dead-letter-routing-key", next),
            None => Fields::default(),
        };
        let quorum = |fields: Fields| fields.text("x-queue-type", "quorum");
        let arguments = match queue {
            "moves.ttl" | "moves.mid" => moves.number("x-message-ttl", 60),
            "moves.max" => moves.number("x-max-length", 40),
            "moves.wait" => quorum(moves)
                .number("x-message-ttl", 50)
                .text("x-overflow", "reject-publish")
                .text("x-dead-letter-strategy", "at-least-once"),
            "moves.small" => moves
                .number("x-max-length", 20)
                .text("x-overflow", "reject-publish"),
            "moves.try" => quorum(moves).number("x-delivery-limit", 2),
            "moves.full" => moves
                .number("x-max-length", 30)
                .text("x-overflow", "reject-publish-dlx"),
            _ => moves,
        };
        connection.declare_special(queue, &arguments)?;
    }
    connection.bind("moves.a", FORK, "")?;
    connection.bind("moves.b", FORK, "")?;
    connection.close();
    Ok(())
}

fn works(setting: &Setting) -> Vec<Work> {
    let address = setting.address;
    let producer = |seed: u64| -> Work {
        let journal = Arc::clone(&setting.journal);
        Box::new(move |stop| {
            let mut rng = Rng::new(seed);
            let mut left = MESSAGES_MAX;
            publish(address, &journal, Some(stop), || {
                left = left.checked_sub(1)?;
                let queue = *rng.pick(&ROOTS)?;
                let id = journal.send(queue, None);
                let expiration = rng.one_in(10).then(|| rng.below(100));
                Some(Order {
                    // What is not moved by its queue is so by its own time now and then.
                    expiration: expiration.filter(|_| queue != "moves.full"),
                    ..Order::plain(id, queue)
                })
            })
        })
    };
    let rejecter: Work = Box::new(move |stop| {
        consume(address, &["moves.rej"], stop, |connection, content| {
            connection.discard(content.tag);
        })
    });
    let failing: Work = Box::new(move |stop| {
        consume(address, &["moves.try"], stop, |connection, content| {
            connection.reject(content.tag);
        })
    });
    vec![
        producer(setting.seed),
        producer(setting.seed ^ 1),
        rejecter,
        failing,
    ]
}

pub(in crate::scenario) fn run(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let count = context.rounds(4, 40);
    let mut moved = 0;
    Rounds {
        name: "moves",
        count,
        set_up,
        works: &works,
        look: &mut |setting, rig, end, is_last| {
            let for_good = is_last || setting.round % 2 == 1;
            let all = setting.journal.all();
            let met = look(setting.address, &ALL, for_good, |met| {
                let met = by_id(met);
                all.iter().all(|(id, sent)| check(sent, met.get(id), end).is_ok())
            })?;
            judge(rig, &all, &met, end);
            moved += met.iter().filter(|met| !ROOTS.contains(&met.queue)).count() as u64;
            rig.ledger.note(|figures| figures.delivered += met.len() as u64);
            if for_good {
                take(&setting.journal, &met);
            }
            Ok(())
        },
    }
    .run(context, done);
    done.note("met-behind-their-first-queue", moved);
    Ok(())
}

pub(super) fn take(journal: &Journal, met: &[Met]) {
    met.iter()
        .filter_map(|met| Some((met.id?, met.queue)))
        .for_each(|(id, queue)| journal.take(id, queue));
}

/// In which queues each message was met, in order, as often as it was.
pub(super) fn by_id(met: &[Met]) -> BTreeMap<u64, Vec<&'static str>> {
    let mut all: BTreeMap<u64, Vec<&'static str>> = BTreeMap::new();
    for met in met {
        if let Some(id) = met.id {
            all.entry(id).or_default().push(met.queue);
        }
    }
    all
}

fn judge(rig: &Rig, all: &BTreeMap<u64, Sent>, met: &[Met], end: End) {
    let corrupt = met.iter().filter(|met| met.id.is_none());
    corrupt.for_each(|met| wrong(rig, Fault::Corrupt, format!("in {}", met.queue)));
    let met = by_id(met);
    for (id, queues) in &met {
        if !all.contains_key(id) {
            wrong(
                rig,
                Fault::Unexpected,
                format!("{id} in {queues:?} was never sent"),
            );
        }
    }
    for (id, sent) in all {
        if let Err((fault, what)) = check(sent, met.get(id), end) {
            let queues = met.get(id).cloned().unwrap_or_default();
            wrong(rig, fault, format!("{id} {what}: it is in {queues:?}, {sent:?}"));
        }
    }
}

/// Whether a message is where it may be.
fn check(sent: &Sent, met: Option<&Vec<&'static str>>, end: End) -> Result<(), (Fault, String)> {
    let queues = met.map_or(&[][..], Vec::as_slice);
    let places: BTreeSet<&str> = queues.iter().copied().collect();
    if places.len() < queues.len() {
        return Err((Fault::Unexpected, "came twice out of one queue".to_owned()));
    }
    if let Some(back) = queues.iter().find(|queue| sent.is_settled(queue, end)) {
        return Err((Fault::SettledBack, format!("is in {back} again")));
    }
    if !sent.taken.is_empty() {
        // What was taken in the last moment may be back, in part.
        return Ok(());
    }
    let is_owed = sent.is_confirmed || !places.is_empty();
    match standing(sent.queue, &places) {
        Standing::Whole => Ok(()),
        Standing::Nowhere if is_owed => Err((Fault::Lost, "is nowhere".to_owned())),
        Standing::Nowhere => Ok(()),
        Standing::Partly => Err((Fault::Lost, "is not in all branches".to_owned())),
        Standing::Twice => Err((Fault::Unexpected, "is in a queue and behind it".to_owned())),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Whole,
    Nowhere,
    Partly,
    Twice,
}

/// How a message stands in a queue and behind it.
fn standing(queue: &str, places: &BTreeSet<&str>) -> Standing {
    let behind: Vec<Standing> = next_of(queue).iter().map(|next| standing(next, places)).collect();
    let is_nowhere = behind.iter().all(|standing| *standing == Standing::Nowhere);
    match places.contains(queue) {
        true if is_nowhere => Standing::Whole,
        true => Standing::Twice,
        false if is_nowhere => Standing::Nowhere,
        false if behind.contains(&Standing::Twice) => Standing::Twice,
        false if behind.iter().all(|standing| *standing == Standing::Whole) => Standing::Whole,
        false => Standing::Partly,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stands_in_one_place_or_in_one_of_each_branch() {
        let stands = |queue: &str, places: &[&str]| standing(queue, &places.iter().copied().collect());
        assert_eq!(stands("moves.ttl", &["moves.ttl"]), Standing::Whole);
        assert_eq!(stands("moves.ttl", &["moves.end"]), Standing::Whole);
        assert_eq!(stands("moves.ttl", &["moves.mid", "moves.end"]), Standing::Twice);
        assert_eq!(stands("moves.ttl", &["moves.ttl", "moves.end"]), Standing::Twice);
        assert_eq!(stands("moves.ttl", &[]), Standing::Nowhere);
        assert_eq!(stands("moves.max", &["moves.a", "moves.b"]), Standing::Whole);
        assert_eq!(stands("moves.max", &["moves.a"]), Standing::Partly);
        assert_eq!(stands("moves.max", &["moves.max", "moves.b"]), Standing::Twice);
    }
}
