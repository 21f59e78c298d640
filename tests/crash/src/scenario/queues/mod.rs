//! What queues do by themselves, under SIGKILL: dead letters that move, messages that wait, keys that came
//! already, transactions over several queues.
//!
//! These have a load and a journal of their own: a message is a number, every byte of its body follows from
//! that, and what counts is in which queues it is found.
//!
//! ```text
//! journal    what was sent and confirmed; what was taken, and when
//! traffic    publishers and consumers until the broker is gone, and a look at everything
//! ```

pub(super) mod delays;
mod journal;
pub(super) mod keys;
pub(super) mod moves;
mod traffic;
pub(super) mod tx;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::{Done, sleep};
use crate::amqp::Trouble;
use crate::ledger::{End, Fault};
use crate::rig::{Rig, WINDOW};
use journal::Journal;

/// What a thread of the load does until the broker is gone, or it is told to stop.
type Work = Box<dyn FnOnce(&AtomicBool) -> Result<(), Trouble> + Send>;

/// Lets threads work for some time, and kills the broker in the midst of it. What it does not survive is no
/// trouble; what a thread finds wrong is.
fn kill_amid(rig: &mut Rig, works: Vec<Work>, after_ms: u64) -> Result<End, String> {
    let stop = Arc::new(AtomicBool::new(false));
    let start = |work: Work| {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || work(&stop))
    };
    let threads: Vec<_> = works.into_iter().map(start).collect();
    sleep(after_ms);
    let end = End {
        at: Instant::now(),
        window: WINDOW,
    };
    let killed = rig.kill();
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        let ended = thread
            .join()
            .map_err(|_| "a thread of the load panicked".to_owned())?;
        match ended {
            // It is gone.
            Ok(()) | Err(Trouble::Lost { code: None, .. }) => {}
            Err(trouble) => return Err(trouble.to_string()),
        }
    }
    killed.map(|()| end)
}

/// A scenario of rounds: each kills the broker amid its load, starts it, and looks at what is there.
struct Rounds<'a> {
    name: &'static str,
    count: usize,
    set_up: fn(SocketAddr) -> Result<(), Trouble>,
    works: &'a dyn Fn(&Setting) -> Vec<Work>,
    /// What is done after each restart. The round is told, and whether it is the last.
    look: &'a mut Look<'a>,
}

type Look<'a> = dyn FnMut(&Setting, &Rig, End, bool) -> Result<(), String> + 'a;

/// What the threads of a round work with.
struct Setting {
    address: SocketAddr,
    journal: Arc<Journal>,
    round: usize,
    seed: u64,
}

impl Rounds<'_> {
    fn run(self, context: &mut crate::rig::Context, done: &mut Done) {
        let Rounds {
            name,
            count,
            set_up,
            works,
            look,
        } = self;
        done.with(context, name, |rig, _| {
            let journal = Arc::new(Journal::default());
            rig.start()?;
            set_up(rig.broker()?.address()?)?;
            for round in 0..count {
                let mut setting = Setting {
                    address: rig.broker()?.address()?,
                    journal: Arc::clone(&journal),
                    round,
                    seed: rig.rng.next(),
                };
                let after_ms = rig.rng.between(50, 1000);
                let end = kill_amid(rig, works(&setting), after_ms)?;
                rig.start()?;
                setting.address = rig.broker()?.address()?;
                look(&setting, rig, end, round + 1 == count)?;
                journal.count(&rig.ledger);
            }
            rig.terminate()
        });
    }
}

/// Books what is wrong.
fn wrong(rig: &Rig, fault: Fault, what: String) {
    rig.ledger.fault(fault, what);
}
