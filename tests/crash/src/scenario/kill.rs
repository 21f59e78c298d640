//! The process ends: killed, asked to stop, killed while it recovers, or by its own hand at a failpoint.

use std::time::{Duration, Instant};

use super::{Done, sleep};
use crate::amqp::{CHANNEL, Connection, Event, Options};
use crate::ledger::{End, Held};
use crate::load::Plan;
use crate::message::Sizes;
use crate::rig::{Context, Rig, WINDOW};
use crate::survey::Manner;

/// Every second round leaves the messages where they are, so that a backlog outlives several ends.
fn manner(round: usize, rounds: usize) -> Manner {
    match round.is_multiple_of(2) && round + 1 < rounds {
        true => Manner::Peek,
        false => Manner::Drain,
    }
}

pub(super) fn kill(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let rounds = context.rounds(5, 50);
    done.with(context, "kill", |rig, _| {
        rig.start()?;
        for round in 0..rounds {
            rig.load(Plan::USUAL)?;
            sleep(rig.rng.between(50, 5000));
            rig.kill()?;
            rig.start()?;
            rig.verify(manner(round, rounds))?;
        }
        rig.terminate()
    });
    Ok(())
}

pub(super) fn clean(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let rounds = context.rounds(2, 10);
    done.with(context, "clean", |rig, done| {
        rig.start()?;
        for round in 0..rounds {
            rig.load(Plan::USUAL)?;
            sleep(rig.rng.between(300, 2000));
            rig.terminate()?;
            rig.start()?;
            rig.verify(manner(round, rounds))?;
        }
        exact_marks(rig, done)?;
        rig.terminate()
    });
    Ok(())
}

/// What was delivered before a clean stop is marked afterwards, and nothing else is; what was settled stays
/// away.
fn exact_marks(rig: &mut Rig, done: &mut Done) -> Result<(), String> {
    let quiet = Plan {
        consumers: false,
        churn: false,
        sizes: Sizes::Small,
        ..Plan::USUAL
    };
    rig.load(quiet)?;
    rig.confirms(500, Duration::from_secs(20))?;
    rig.finish_load()?;
    let holder = hold(rig, "direct.c", 100)?;
    let before = rig.ledger.figures().marked_unseen;
    rig.terminate()?;
    drop(holder);
    rig.start()?;
    rig.verify(Manner::Drain)?;
    let marked = rig.ledger.figures().marked_unseen - before;
    done.expect(marked == 0, || {
        format!("{marked} messages are marked redelivered after a clean stop, and never were delivered")
    });
    Ok(())
}

/// Takes `count` messages, acknowledges half of them and keeps the others.
fn hold(rig: &mut Rig, queue: &str, count: u16) -> Result<Connection, String> {
    let mut connection = Connection::open(rig.broker()?.address()?, Options::default())?;
    connection.open_channel(CHANNEL)?;
    connection.qos(count)?;
    connection.consume(queue)?;
    let mut held: Vec<(u64, Held)> = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    while held.len() < usize::from(count) {
        if let Some(Event::Delivered(content)) = connection.next(Duration::from_millis(50))? {
            let tag = content.tag;
            held.extend(rig.ledger.deliver(&content).map(|held| (tag, held)));
        }
        if Instant::now() > deadline {
            return Err(format!("only {} deliveries from {queue}", held.len()));
        }
    }
    // Acknowledging makes room for as many more deliveries, which nobody may get: they would be marked.
    connection.cancel(queue)?;
    held.truncate(usize::from(count) / 2);
    if let Some((tag, _)) = held.last() {
        let held: Vec<Held> = held.iter().map(|(_, held)| *held).collect();
        rig.ledger.ack(&held);
        connection.ack(*tag, true);
        connection.qos(count)?;
        rig.ledger.settle(&held);
    }
    Ok(connection)
}

pub(super) fn recover_kill(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let rounds = context.rounds(3, 15);
    done.with(context, "recover-kill", |rig, done| {
        let mut kills = 0;
        rig.start()?;
        for round in 0..rounds {
            rig.load(Plan::USUAL)?;
            sleep(rig.rng.between(300, 2000));
            rig.kill()?;
            for _ in 0..rig.rng.between(3, 6) {
                let mut broker = rig.spawn(Vec::new(), Vec::new())?;
                sleep(rig.rng.between(1, 300));
                if let Some(status) = broker.status() {
                    return Err(broker.with_log(&format!("a start ended by itself with {status}")));
                }
                broker.kill()?;
                kills += 1;
            }
            rig.start()?;
            rig.verify(manner(round, rounds))?;
        }
        rig.ledger.note(|figures| figures.kills += kills);
        done.note("kills-in-recovery", kills);
        rig.terminate()
    });
    Ok(())
}

/// Points in the broker where `WARREN_FAILPOINT=NAME:NTH` makes it abort.
const POINTS: &[(&str, Reached)] = &[
    ("log-roll", Reached::UnderLoad),
    ("log-recycle", Reached::UnderLoad),
    ("extent-written", Reached::UnderLoad),
    ("extent-before-sync", Reached::UnderLoad),
    ("checkpoint-written", Reached::UnderLoad),
    ("checkpoint-renamed", Reached::UnderLoad),
    ("checkpoint-copy", Reached::UnderLoad),
    ("trim", Reached::UnderLoad),
    ("extent-remove", Reached::UnderLoad),
    ("recovery-read", Reached::AtStart),
    ("recovery-end", Reached::AtStart),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    UnderLoad,
    AtStart,
}

/// How long load is given to reach a point.
const REACH_LIMIT: Duration = Duration::from_secs(10);

pub(super) fn failpoints(context: &mut Context, done: &mut Done) -> Result<(), String> {
    let rounds = context.rounds(1, 5);
    let (mut reached, mut tried) = (0, 0);
    for (point, when) in POINTS {
        done.with(context, point, |rig, done| {
            rig.start()?;
            for round in 0..rounds {
                let nth = if round == 0 { 1 } else { rig.rng.between(1, 3) };
                let variable = vec![("WARREN_FAILPOINT".to_owned(), format!("{point}:{nth}"))];
                tried += 1;
                let hit = match when {
                    Reached::UnderLoad => under_load(rig, variable)?,
                    Reached::AtStart => at_start(rig, variable)?,
                };
                reached += u64::from(hit);
                // A point that is there for the first time only has been passed when the second is asked for.
                done.expect(hit || nth > 1, || format!("{point} was never reached"));
                rig.start()?;
                rig.verify(manner(round, rounds))?;
            }
            rig.terminate()
        });
    }
    done.note("reached", format!("{reached} of {tried}"));
    Ok(())
}

/// Whether the broker aborted itself while messages flowed, or at a stop behind that.
fn under_load(rig: &mut Rig, variable: Vec<(String, String)>) -> Result<bool, String> {
    // It may die before the load has declared anything.
    rig.declare()?;
    rig.terminate()?;
    rig.start_with(Vec::new(), variable)?;
    let loaded = rig.load(Plan {
        budget: 1 << 30,
        ..Plan::USUAL
    });
    let has_ended = rig.broker()?.wait(REACH_LIMIT).is_some();
    if !has_ended {
        // Where it has, that is why there is no load.
        loaded?;
    }
    if has_ended {
        rig.ended_at(End {
            at: Instant::now(),
            window: WINDOW,
        });
        rig.ledger.note(|figures| figures.kills += 1);
        return match rig.aborted {
            true => Ok(true),
            false => Err("it ended by itself and not by an abort".to_owned()),
        };
    }
    // A clean stop passes some points too; it ends with an abort then.
    match rig.terminate() {
        Err(_) if rig.aborted => Ok(true),
        other => other.map(|()| false),
    }
}

/// Whether the broker aborted itself in a start after a kill.
fn at_start(rig: &mut Rig, variable: Vec<(String, String)>) -> Result<bool, String> {
    rig.load(Plan::USUAL)?;
    sleep(800);
    rig.kill()?;
    let mut broker = rig.spawn(Vec::new(), variable)?;
    match broker.wait_ready(REACH_LIMIT) {
        Ok(_) => broker.kill().map(|()| false),
        Err(_) if broker.aborted() => Ok(true),
        Err(reason) => Err(reason),
    }
}
