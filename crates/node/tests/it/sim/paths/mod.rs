//! What queues do by themselves, and what a crash may make of it: messages that die and move on, wait, come
//! twice or take the place of others, and transactions over several queues.
//!
//! ```text
//!   ttl ──► mid ──► end              max ──► fan.a, fan.b         rejects ──► fan.c, mid2 ──► end2
//!   quorum ──► end3                  waits ──► small, which is full now and then
//!   refuses ──► end4                 retry, once, few, last, plain: nothing leaves
//! ```
//! A message has one path: wherever a node dies, it stands in one place of that, or behind a fork in one
//! place of each branch, and nowhere else.

mod crash;
mod life;
mod model;

use super::runs::Counts;
use super::sim_disk::{Random, SimDisk};
use crate::broker::with_headers;
use crash::Past;
use life::Life;
use model::Model;
use warren_broker::message::Message;
use warren_broker::value::{Table, Value};
use warren_node::Config;

/// The hour at which everything begins, behind any that a machine's clock has: what is due by the node's own
/// clock, before it is told the hour, is due by this one too.
const BEGIN_MS: u64 = 4_000_000_000_000;

/// How many keys `few` remembers.
const FEW: usize = 4;

/// How often a delivery out of `quorum` may fail.
const LIMIT: usize = 1;

/// The pause behind the first failure in `retry`; behind the second it is twice as long.
const PAUSE_MS: u64 = 40;

/// The longest one.
const PAUSE_MAX_MS: u64 = 100;

/// A queue, and where its dead letters go.
pub(crate) struct Station {
    pub(crate) name: &'static str,
    pub(crate) next: &'static [&'static str],
}

const fn station(name: &'static str, next: &'static [&'static str]) -> Station {
    Station { name, next }
}

pub(crate) const STATIONS: &[Station] = &[
    station("ttl", &["mid"]),
    station("mid", &["end"]),
    station("max", &["fan.a", "fan.b"]),
    station("rejects", &["fan.c", "mid2"]),
    station("mid2", &["end2"]),
    station("quorum", &["end3"]),
    station("waits", &["small"]),
    station("small", &[]),
    station("refuses", &["end4"]),
    station("retry", &[]),
    station("once", &[]),
    station("few", &[]),
    station("last", &[]),
    station("plain", &[]),
    station("end", &[]),
    station("end2", &[]),
    station("end3", &[]),
    station("end4", &[]),
    station("fan.a", &[]),
    station("fan.b", &[]),
    station("fan.c", &[]),
];

/// Exchanges for dead letters, with what is bound to them.
const FORKS: [(&str, &[&str]); 2] = [("fork1", &["fan.a", "fan.b"]), ("fork2", &["fan.c", "mid2"])];

/// Where dead letters of a queue go.
pub(crate) fn next_of(queue: &str) -> &'static [&'static str] {
    STATIONS.iter().find(|s| s.name == queue).map_or(&[], |s| s.next)
}

/// The name of a queue, to be kept.
pub(crate) fn name_of(queue: &str) -> &'static str {
    STATIONS.iter().find(|s| s.name == queue).map_or("?", |s| s.name)
}

/// How a queue is declared.
fn arguments(queue: &str) -> Table {
    let number = |name: &'static str, number: u64| (name, Value::I64(number as i64));
    let text = |name: &'static str, text: &str| (name, Value::from(text));
    let to = |queue: &str| {
        vec![
            text("x-dead-letter-exchange", ""),
            text("x-dead-letter-routing-key", queue),
        ]
    };
    let fork = |exchange: &str| vec![text("x-dead-letter-exchange", exchange)];
    let quorum = || vec![text("x-queue-type", "quorum")];
    let once = |size| {
        let is_set = ("x-message-deduplication", Value::Bool(true));
        vec![is_set, number("x-cache-size", size)]
    };
    let refuses = |word: &str| vec![number("x-max-length", 3), text("x-overflow", word)];
    let all = match queue {
        "ttl" => [vec![number("x-message-ttl", 50)], to("mid")].concat(),
        "mid" => [vec![number("x-message-ttl", 80)], to("end")].concat(),
        "max" => [vec![number("x-max-length", 5)], fork("fork1")].concat(),
        "rejects" => fork("fork2"),
        "mid2" => [vec![number("x-max-length", 4)], to("end2")].concat(),
        "quorum" => [
            quorum(),
            vec![number("x-delivery-limit", LIMIT as u64)],
            to("end3"),
        ]
        .concat(),
        "retry" => [
            quorum(),
            vec![number("x-delivery-limit", 1000)],
            vec![text("x-delayed-retry-type", "failed")],
            vec![number("x-delayed-retry-min", PAUSE_MS)],
            vec![number("x-delayed-retry-max", PAUSE_MAX_MS)],
        ]
        .concat(),
        "waits" => [
            quorum(),
            vec![number("x-message-ttl", 60), text("x-overflow", "reject-publish")],
            vec![text("x-dead-letter-strategy", "at-least-once")],
            to("small"),
        ]
        .concat(),
        "small" => refuses("reject-publish"),
        "refuses" => [refuses("reject-publish-dlx"), to("end4")].concat(),
        "once" => once(1000),
        "few" => once(FEW as u64),
        "last" => vec![text("x-last-value-key", "k")],
        _ => Vec::new(),
    };
    all.into_iter().collect()
}

/// Where the key of a message stands in its properties, behind its number.
const KEY_AT: usize = 8;

/// A message's headers: its key, by two names.
fn headers(message: &Message) -> Option<Table> {
    let key = message.properties().get(KEY_AT..)?.first_chunk()?;
    let key = i64::from_le_bytes(*key);
    let headers = [
        ("k", Value::I64(key)),
        ("x-deduplication-header", Value::I64(key)),
    ];
    (key != 0).then(|| headers.into_iter().collect())
}

fn config() -> Config {
    with_headers(headers)
}

/// Some lives, one on the remains of the other; each dies at every operation.
pub(crate) fn deaths(seed: u64) -> Result<Counts, String> {
    let mut random = Random::new(seed);
    let options = super::life::options(&mut random);
    let mut counts = Counts::default();
    let (mut disk, mut model, mut before) = (SimDisk::new(seed), Model::default(), None);
    for _ in 0..3 {
        let most = [60, 150][random.below(2) as usize];
        let count = 40 + random.below(most);
        let mut life = Life::begin(disk, options.clone(), model, Random::new(random.number()))?;
        for _ in 0..count {
            life.step()?;
        }
        counts.lives += 1;
        if random.chance(40) {
            life.stop()?;
        }
        life.count(&mut counts);
        let past = Past::of(life, before, options.clone());
        counts.points += past.die_everywhere(&mut random)?;
        let (next_disk, next_model, next_before) = past.heir(&mut random)?;
        (disk, model, before) = (next_disk, next_model, Some(next_before));
    }
    Ok(counts)
}

/// A life in which the log is written all the time, by a thread of its own.
pub(crate) fn races(seed: u64) -> Result<Counts, String> {
    let mut random = Random::new(seed);
    let mut options = super::life::options(&mut random);
    // Nobody keeps house, so that there has to be room.
    (options.log.segment_bytes, options.log.log_bytes_max) = (128 << 10, 64 << 20);
    options.recent_bytes = 64 << 20;
    let mut counts = Counts::default();
    let disk = SimDisk::new(seed);
    let mut life = Life::begin(
        disk,
        options.clone(),
        Model::default(),
        Random::new(random.number()),
    )?;
    life.race(150)?;
    counts.lives += 1;
    life.count(&mut counts);
    counts.points += Past::of(life, None, options).die_everywhere(&mut random)?;
    Ok(counts)
}
