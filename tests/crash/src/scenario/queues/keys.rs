//! Keys: messages that are sent again after a kill, and last values.
//!
//! Every key is sent more than once, before the kill and after it: it is in its queue once, even after it was
//! taken out. One queue knows by itself what came, for the other an exchange does, which leads to a third as
//! well. Of last values there is one for a key, none older than the last that was confirmed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::journal::Journal;
use super::moves::take;
use super::traffic::{Met, Order, look, publish};
use super::{Rounds, Setting, Work, wrong};
use crate::amqp::{CHANNEL, Connection, Fields, Options, Trouble};
use crate::ledger::{End, Fault};
use crate::rig::{Context, Rig};
use crate::rng::Rng;
use crate::scenario::Done;

const ONCE: &str = "dedup.once";
const GATED: &str = "dedup.gated";
/// Leads to [`GATED`], and lets no key through twice.
const GATE: &str = "dedup.gate";
/// Behind it, too: what is in the one is in the other.
const TWIN: &str = "dedup.twin";
const LAST: &str = "dedup.last";

const HEADER: &str = "x-deduplication-header";

/// Keys of last values.
const LAST_KEYS: u64 = 20;

/// Messages of a producer in a round.
const MESSAGES_MAX: usize = 5000;

/// Which key each message has, and which messages each key.
type Keys = Arc<Mutex<BTreeMap<u64, u64>>>;

fn set_up(address: SocketAddr) -> Result<(), Trouble> {
    let mut connection = Connection::open(address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    let once = Fields::default().flag("x-message-deduplication");
    connection.declare_special(ONCE, &once.number("x-cache-size", 1_000_000))?;
    let kept = Fields::default().number("x-cache-size", 1_000_000);
    connection.declare_special_exchange(GATE, "x-message-deduplication", &kept)?;
    for queue in [GATED, TWIN] {
        connection.declare_special(queue, &Fields::default())?;
        connection.bind(queue, GATE, "")?;
    }
    connection.declare_special(LAST, &Fields::default().text("x-last-value-key", "k"))?;
    connection.close();
    Ok(())
}

fn note(keys: &Keys, id: u64, key: u64) {
    keys.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id, key);
}

fn all_of(keys: &Keys) -> BTreeMap<u64, u64> {
    keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A message for [`ONCE`] or [`GATED`].
fn once(queue: &'static str, journal: &Journal, keys: &Keys, key: u64) -> Order {
    let id = journal.send(queue, None);
    note(keys, id, key);
    Order {
        exchange: if queue == GATED { GATE } else { "" },
        headers: Fields::default().text(HEADER, &format!("key {key}")),
        ..Order::plain(id, queue)
    }
}

fn works(setting: &Setting, keys: &Keys) -> Vec<Work> {
    let (address, round) = (setting.address, setting.round as u64);
    let sender = |nth: u64, queue: &'static str| -> Work {
        let (journal, keys) = (Arc::clone(&setting.journal), Arc::clone(keys));
        let mut rng = Rng::new(setting.seed ^ nth);
        Box::new(move |stop| {
            let (mut left, mut new) = (MESSAGES_MAX, 0);
            publish(address, &journal, Some(stop), || {
                left = left.checked_sub(1)?;
                // Both senders have the same keys of the round, so that they race for them; and now and then
                // one of a round before.
                let key = match rng.below(4) {
                    0 | 1 => {
                        new += 1;
                        round << 32 | new
                    }
                    2 => round << 32 | rng.below(new + 1),
                    _ => rng.below(round + 1) << 32 | rng.below(300),
                };
                Some(once(queue, &journal, &keys, key))
            })
        })
    };
    let (journal, keys) = (Arc::clone(&setting.journal), Arc::clone(keys));
    let mut rng = Rng::new(setting.seed);
    // One alone: who wins between two is not known.
    let last: Work = Box::new(move |stop| {
        let mut left = MESSAGES_MAX;
        publish(address, &journal, Some(stop), || {
            left = left.checked_sub(1)?;
            let (id, key) = (journal.send(LAST, None), rng.below(LAST_KEYS));
            note(&keys, id, key);
            Some(Order {
                headers: Fields::default().number("k", key),
                ..Order::plain(id, LAST)
            })
        })
    });
    vec![
        sender(1, ONCE),
        sender(2, ONCE),
        sender(3, GATED),
        sender(4, GATED),
        last,
    ]
}

pub(in crate::scenario) fn run(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let count = context.rounds(4, 40);
    let keys = Keys::default();
    let (mut again, mut twins) = (0, BTreeSet::new());
    Rounds {
        name: "dedup",
        count,
        set_up,
        works: &|setting| works(setting, &keys),
        look: &mut |setting, rig, end, is_last| {
            again += send_again(setting, &keys)?;
            let for_good = is_last || setting.round % 2 == 1;
            let met = look(setting.address, &[ONCE, GATED, LAST], for_good, |_| true)?;
            judge(setting, rig, &all_of(&keys), &met, end);
            let twin = look(setting.address, &[TWIN], for_good, |_| true)?;
            compare(rig, &mut twins, &met, &twin);
            rig.ledger.note(|figures| figures.delivered += met.len() as u64);
            if for_good {
                take(&setting.journal, &met);
            }
            Ok(())
        },
    }
    .run(context, done);
    done.note("sent-again", again);
    Ok(())
}

/// Sends every key once more, until all are confirmed.
fn send_again(setting: &Setting, keys: &Keys) -> Result<u64, String> {
    let journal = &setting.journal;
    let sent = journal.all();
    let known = all_of(keys);
    let where_to = |id: &u64| sent.get(id).map(|sent| sent.queue).filter(|queue| *queue != LAST);
    let all: BTreeSet<(&'static str, u64)> = known
        .iter()
        .filter_map(|(id, key)| Some((where_to(id)?, *key)))
        .collect();
    let count = all.len() as u64;
    let mut left = all.into_iter();
    publish(setting.address, journal, None, || {
        let (queue, key) = left.next()?;
        Some(once(queue, journal, keys, key))
    })?;
    Ok(count)
}

/// What is in the one queue behind the exchange is in the other; but what was taken out of one of them in the
/// last moment may be back. `before` has the numbers of what was there the last time.
fn compare(rig: &Rig, before: &mut BTreeSet<u64>, met: &[Met], twin: &[Met]) {
    let one: BTreeSet<u64> = met
        .iter()
        .filter(|met| met.queue == GATED)
        .filter_map(|met| met.id)
        .collect();
    let other: BTreeSet<u64> = twin.iter().filter_map(|met| met.id).collect();
    for id in one.symmetric_difference(&other) {
        if !before.contains(id) {
            wrong(
                rig,
                Fault::Lost,
                format!("{id} is in one of the queues behind {GATE} only"),
            );
        }
    }
    before.extend(one.union(&other));
}

fn judge(setting: &Setting, rig: &Rig, keys: &BTreeMap<u64, u64>, met: &[Met], end: End) {
    let all = setting.journal.all();
    let mut found: BTreeMap<(&str, u64), Vec<u64>> = BTreeMap::new();
    for met in met {
        let known = met.id.and_then(|id| Some((id, all.get(&id)?, keys.get(&id)?)));
        let Some((id, sent, key)) = known.filter(|(_, sent, _)| sent.queue == met.queue) else {
            wrong(rig, Fault::Corrupt, format!("{met:?}"));
            continue;
        };
        if sent.is_settled(met.queue, end) {
            wrong(rig, Fault::SettledBack, format!("{met:?}: {sent:?}"));
        }
        found.entry((met.queue, *key)).or_default().push(id);
    }
    for ((queue, key), ids) in found.iter().filter(|(_, ids)| ids.len() > 1) {
        wrong(
            rig,
            Fault::Unexpected,
            format!("key {key} is in {queue} as {ids:?}"),
        );
    }
    let mut of_key: BTreeMap<(&str, u64), Vec<u64>> = BTreeMap::new();
    for (id, key) in keys {
        let queue = all.get(id).map_or("?", |sent| sent.queue);
        of_key.entry((queue, *key)).or_default().push(*id);
    }
    for ((queue, key), ids) in of_key {
        let there = found.get(&(queue, key)).and_then(|ids| ids.first()).copied();
        let of = |is: fn(&super::journal::Sent) -> bool| {
            let mut ids = ids.iter().rev();
            ids.find(|id| all.get(id).is_some_and(is)).copied()
        };
        let confirmed = of(|sent| sent.is_confirmed);
        let taken = of(|sent| !sent.taken.is_empty());
        let what = format!("key {key} of {queue}: there {there:?}, confirmed {confirmed:?}, taken {taken:?}");
        let is_wrong = match queue {
            // One that was taken is not taken in again, whatever is sent.
            ONCE | GATED => match (there, taken) {
                (Some(there), Some(taken)) if there != taken => Some(Fault::Unexpected),
                (None, None) if confirmed.is_some() => Some(Fault::Lost),
                _ => None,
            },
            _ => {
                let is_owed = confirmed.is_some_and(|confirmed| taken.is_none_or(|taken| taken < confirmed));
                let is_stale = there
                    .zip(confirmed)
                    .is_some_and(|(there, confirmed)| there < confirmed);
                match there {
                    None if is_owed => Some(Fault::Lost),
                    // What was taken in the last moment may be back.
                    Some(there) if is_stale && taken.is_none_or(|taken| taken < there) => {
                        Some(Fault::Unexpected)
                    }
                    _ => None,
                }
            }
        };
        if let Some(fault) = is_wrong {
            wrong(rig, fault, what);
        }
    }
}
