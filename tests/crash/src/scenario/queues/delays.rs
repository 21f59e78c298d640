//! Messages that wait while the broker is killed: each comes once, and not before it is due.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::moves::{by_id, take};
use super::traffic::{Met, Order, look, publish};
use super::{Rounds, Setting, Work, wrong};
use crate::amqp::{CHANNEL, Connection, Fields, Options, Trouble};
use crate::ledger::{End, Fault};
use crate::rig::{Context, Rig};
use crate::rng::Rng;
use crate::scenario::Done;

/// The second one is read late: its messages are due long after they came.
const QUEUES: [&str; 2] = ["delays.soon", "delays.late"];

/// The broker counts in whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(1);

const MESSAGES_MAX: usize = 4000;

fn set_up(address: SocketAddr) -> Result<(), Trouble> {
    let mut connection = Connection::open(address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    for queue in QUEUES {
        connection.declare_special(queue, &Fields::default())?;
    }
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
                let queue = *rng.pick(&QUEUES)?;
                let delay_ms = match queue {
                    "delays.soon" => rng.below(800),
                    _ => rng.between(2500, 4500),
                };
                let due = Instant::now() + Duration::from_millis(delay_ms);
                let id = journal.send(queue, Some(due));
                Some(Order {
                    headers: Fields::default().number("x-delay", delay_ms),
                    ..Order::plain(id, queue)
                })
            })
        })
    };
    vec![producer(setting.seed), producer(setting.seed ^ 1)]
}

pub(in crate::scenario) fn run(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let count = context.rounds(3, 30);
    let (mut late_max, mut waited) = (Duration::ZERO, 0);
    Rounds {
        name: "delays",
        count,
        set_up,
        works: &works,
        look: &mut |setting, rig, end, is_last| {
            let began = Instant::now();
            let for_good = is_last || setting.round % 2 == 1;
            let all = setting.journal.all();
            // What is due is enough, but for the last time: then all that ever was sent has to come.
            let met = look(setting.address, &QUEUES, for_good, |met| {
                let met = by_id(met);
                all.iter().all(|(id, sent)| {
                    let is_owed = sent.is_confirmed && sent.taken.is_empty();
                    let is_due = sent.due.is_none_or(|due| due < Instant::now());
                    !is_owed || met.contains_key(id) || (!is_due && !is_last)
                })
            })?;
            for met in &met {
                let due = met.id.and_then(|id| all.get(&id)?.due);
                if let Some(due) = due.filter(|due| *due > began) {
                    late_max = late_max.max(met.at.saturating_duration_since(due));
                    waited += 1;
                }
            }
            judge(setting, rig, &met, end, is_last);
            rig.ledger.note(|figures| figures.delivered += met.len() as u64);
            if for_good {
                take(&setting.journal, &met);
            }
            Ok(())
        },
    }
    .run(context, done);
    done.note("waited-over-a-restart", waited);
    done.note("late-max", format!("{} ms", late_max.as_millis()));
    Ok(())
}

fn judge(setting: &Setting, rig: &Rig, met: &[Met], end: End, is_last: bool) {
    let all = setting.journal.all();
    for met in met {
        let sent = met.id.and_then(|id| all.get(&id));
        let Some(sent) = sent.filter(|sent| sent.queue == met.queue) else {
            wrong(rig, Fault::Corrupt, format!("{met:?}"));
            continue;
        };
        if let Some(due) = sent.due.filter(|due| met.at + ROUNDING < *due) {
            let early = (due - met.at).as_millis();
            wrong(
                rig,
                Fault::Unexpected,
                format!("{met:?} comes {early} ms too early"),
            );
        }
        if sent.is_settled(met.queue, end) {
            wrong(rig, Fault::SettledBack, format!("{met:?}: {sent:?}"));
        }
    }
    let met = by_id(met);
    for (id, queues) in met.iter().filter(|(_, queues)| queues.len() > 1) {
        wrong(
            rig,
            Fault::Unexpected,
            format!("{id} comes more than once out of {queues:?}"),
        );
    }
    for (id, sent) in &all {
        let is_due = is_last
            || sent
                .due
                .is_none_or(|due| due < Instant::now() - Duration::from_secs(2));
        if is_due && sent.is_confirmed && sent.taken.is_empty() && !met.contains_key(id) {
            wrong(rig, Fault::Lost, format!("{id}: {sent:?}"));
        }
    }
}
