//! What queues do by themselves, and what a crash may make of it: messages that die and move on, wait, come
//! twice or take the place of others, and transactions over several queues.
//!
//! A message has one path: wherever a node dies, it stands in one place of that, or behind a fork in one
//! place of each branch, and nowhere else. Which queues there are says the [`plan`].

mod browse;
mod crash;
mod life;
mod model;
mod plan;
mod sends;

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

/// Where the key of a message stands in its properties, behind its number.
const KEY_AT: usize = 8;

/// A message's key; 0: it has none.
fn key_of(message: &Message) -> i64 {
    let key = message.properties().get(KEY_AT..).and_then(<[u8]>::first_chunk);
    key.map_or(0, |key| i64::from_le_bytes(*key))
}

/// A message's headers: its key, by two names.
fn headers(message: &Message) -> Option<Table> {
    let key = key_of(message);
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
    let (mut disk, mut model, mut before) = (SimDisk::new(seed), Model::of_plan(&mut random), None);
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
        Model::of_plan(&mut random),
        Random::new(random.number()),
    )?;
    life.race(150)?;
    counts.lives += 1;
    life.count(&mut counts);
    counts.points += Past::of(life, None, options).die_everywhere(&mut random)?;
    Ok(counts)
}
