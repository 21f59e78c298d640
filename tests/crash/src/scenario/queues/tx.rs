//! Transactions over several queues while the broker is killed: each takes a task out of one queue and puts
//! its results into three others. A task is there, or all of its results are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::moves::{by_id, take};
use super::traffic::{Met, Order, id_of, look, publish};
use super::{Rounds, Setting, Work, wrong};
use crate::amqp::{CHANNEL, Connection, Event, Fields, Options, Trouble};
use crate::ledger::{End, Fault};
use crate::rig::{Context, Rig};
use crate::rng::Rng;
use crate::scenario::Done;

const TASKS: &str = "tx.tasks";
const RESULTS: [&str; 3] = ["tx.a", "tx.b", "tx.c"];
const ALL: [&str; 4] = [TASKS, "tx.a", "tx.b", "tx.c"];

/// Tasks in a round.
const TASKS_MAX: usize = 10_000;

/// Tasks in a transaction, at most.
const GROUP_MAX: u64 = 5;

fn set_up(address: SocketAddr) -> Result<(), Trouble> {
    let mut connection = Connection::open(address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    for queue in ALL {
        connection.declare_special(queue, &Fields::default())?;
    }
    connection.close();
    Ok(())
}

fn works(setting: &Setting, committed: &Committed) -> Vec<Work> {
    let address = setting.address;
    let journal = Arc::clone(&setting.journal);
    let producer: Work = Box::new(move |stop| {
        let mut left = TASKS_MAX;
        publish(address, &journal, Some(stop), || {
            left = left.checked_sub(1)?;
            Some(Order::plain(journal.send(TASKS, None), TASKS))
        })
    });
    let worker = |seed: u64| -> Work {
        let committed = Arc::clone(committed);
        Box::new(move |stop| {
            let mut rng = Rng::new(seed);
            let mut connection = Connection::open(address, Options::default())?;
            connection.open_channel(CHANNEL)?;
            connection.tx_select()?;
            connection.qos(20)?;
            connection.consume(TASKS)?;
            let (mut group, mut size) = (Vec::new(), rng.between(1, GROUP_MAX));
            while !stop.load(Ordering::Relaxed) {
                let Some(Event::Delivered(task)) = connection.next(Duration::from_millis(20))? else {
                    continue;
                };
                connection.ack(task.tag, false);
                for queue in RESULTS {
                    let id = id_of(&task).unwrap_or(0);
                    Order::plain(id, queue).send(&mut connection);
                }
                group.extend(id_of(&task));
                if group.len() as u64 >= size {
                    connection.tx_commit()?;
                    let mut committed = committed
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    committed.push(std::mem::take(&mut group));
                    size = rng.between(1, GROUP_MAX);
                }
            }
            Ok(())
        })
    };
    vec![producer, worker(setting.seed), worker(setting.seed ^ 1)]
}

/// Groups whose commit was answered.
type Committed = Arc<std::sync::Mutex<Vec<Vec<u64>>>>;

pub(in crate::scenario) fn run(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let count = context.rounds(4, 40);
    let committed = Committed::default();
    Rounds {
        name: "tx",
        count,
        set_up,
        works: &|setting| works(setting, &committed),
        look: &mut |setting, rig, end, is_last| {
            let for_good = is_last || setting.round % 2 == 1;
            let met = look(setting.address, &ALL, for_good, |_| true)?;
            let groups = committed
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .clone();
            judge(setting, rig, &groups, &met, end);
            rig.ledger.note(|figures| figures.delivered += met.len() as u64);
            if for_good {
                take(&setting.journal, &met);
            }
            Ok(())
        },
    }
    .run(context, done);
    let groups = committed
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    done.note("committed", groups.len());
    Ok(())
}

fn judge(setting: &Setting, rig: &Rig, groups: &[Vec<u64>], met: &[Met], end: End) {
    let all = setting.journal.all();
    let found = by_id(met);
    let corrupt = met
        .iter()
        .filter(|met| met.id.is_none_or(|id| !all.contains_key(&id)));
    corrupt.for_each(|met| wrong(rig, Fault::Corrupt, format!("{met:?}")));
    let is_committed: BTreeMap<u64, ()> = groups.iter().flatten().map(|id| (*id, ())).collect();
    for (id, sent) in &all {
        let queues = found.get(id).map_or(&[][..], Vec::as_slice);
        let what = || format!("{id} is in {queues:?}: {sent:?}");
        if queues.iter().any(|queue| sent.is_settled(queue, end)) {
            wrong(rig, Fault::SettledBack, what());
        }
        if !sent.taken.is_empty() {
            continue;
        }
        let is_task = queues.contains(&TASKS);
        let results = RESULTS.iter().filter(|queue| queues.contains(queue)).count();
        let times = queues.len();
        match (is_task, results, times) {
            (true, 0, 1) if is_committed.contains_key(id) => wrong(rig, Fault::SettledBack, what()),
            (true, 0, 1) | (false, 3, 3) => {}
            (false, 0, 0) if !sent.is_confirmed => {}
            (false, _, _) if results < RESULTS.len() => wrong(rig, Fault::Lost, what()),
            _ => wrong(rig, Fault::Unexpected, what()),
        }
    }
}
