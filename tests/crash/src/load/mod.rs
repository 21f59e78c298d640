//! The load: producers, consumers and a declarer, each a thread with a connection of its own.
//!
//! It runs until it is told to stop or the broker is gone. All that it learns goes into the ledger and the
//! catalog; how each thread ended is handed back.
//!
//! ```text
//! producer   numbered messages with confirms, bounded by a window
//! consumer   acknowledges singly, many at once, rejects, holds back
//! churn      declares, binds, deletes; and the catalog of what must exist
//! ```

mod catalog;
mod churn;
mod consumer;
mod producer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::amqp::{CHANNEL, Connection, Options, QueueKind, Trouble};
use crate::ledger::{Fault, Ledger, Route};
use crate::message::Sizes;
use crate::rng::Rng;

pub(crate) use catalog::Catalog;

/// The queues of the load. `direct.c` and `fan.c` have no consumer, so that a backlog grows.
pub(crate) const QUEUES: &[&str] = &["direct.a", "direct.b", "direct.c", "fan.a", "fan.b", "fan.c"];

const DIRECT: &str = "crash.direct";
const FANOUT: &str = "crash.fanout";

/// Where a producer may send, see [`routes`].
const PRODUCERS: &[&[u16]] = &[&[0, 0, 0, 5, 4], &[1, 1, 3], &[3], &[2, 3, 2]];

/// The routes of the load; the queues are places in [`QUEUES`].
pub(crate) fn routes() -> Vec<Route> {
    let route = |exchange, key, queues: &[u16]| Route {
        exchange,
        key,
        queues: queues.to_vec(),
    };
    vec![
        route(DIRECT, "a", &[0]),
        route(DIRECT, "b", &[1]),
        route(DIRECT, "c", &[2]),
        route(FANOUT, "", &[3, 4, 5]),
        route(DIRECT, "nowhere", &[]),
        route("", "direct.a", &[0]),
    ]
}

/// Books the queues and exchanges of the load that are not there after a restart.
pub(crate) fn missing(address: SocketAddr, ledger: &Ledger) -> Result<bool, Trouble> {
    let mut connection = Connection::open(address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    let mut missing = false;
    for name in QUEUES.iter().chain(&[DIRECT, FANOUT]) {
        let answer = match QUEUES.contains(name) {
            true => connection.count(CHANNEL, name).map(|_| ()),
            false => connection.has_exchange(CHANNEL, name),
        };
        match answer {
            Ok(()) => {}
            Err(Trouble::Refused { code: 404, .. }) => {
                missing = true;
                ledger.fault(Fault::Topology, format!("{name} is not there any more"));
                connection.open_channel(CHANNEL)?;
            }
            Err(trouble) => return Err(trouble),
        }
    }
    connection.close();
    Ok(missing)
}

/// Declares what the load needs.
pub(crate) fn declare(address: SocketAddr) -> Result<(), Trouble> {
    let mut connection = Connection::open(address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    connection.declare_exchange(DIRECT, "direct", true)?;
    connection.declare_exchange(FANOUT, "fanout", true)?;
    for queue in QUEUES {
        connection.declare_queue(queue, QueueKind::Durable)?;
    }
    for (queue, key) in [("direct.a", "a"), ("direct.b", "b"), ("direct.c", "c")] {
        connection.bind(queue, DIRECT, key)?;
    }
    for queue in ["fan.a", "fan.b", "fan.c"] {
        connection.bind(queue, FANOUT, "")?;
    }
    connection.close();
    Ok(())
}

/// What the load does.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) producers: usize,
    pub(crate) consumers: bool,
    pub(crate) churn: bool,
    pub(crate) sizes: Sizes,
    /// Publishes that a producer leaves unconfirmed at a time.
    pub(crate) window: usize,
    /// Bytes of bodies that a producer leaves unconfirmed.
    pub(crate) window_bytes: u64,
    /// Bytes of bodies of the whole load, after which they are small.
    pub(crate) budget: u64,
    /// Messages of the whole load, after which they come slowly: a fast broker would fill the ledger.
    pub(crate) messages: u64,
    /// Whether some messages are not persistent.
    pub(crate) transient: bool,
}

impl Plan {
    /// The load that most scenarios have.
    pub(crate) const USUAL: Plan = Plan {
        producers: 4,
        consumers: true,
        churn: true,
        sizes: Sizes::Mixed,
        window: 200,
        window_bytes: 8 << 20,
        budget: 64 << 20,
        messages: 50_000,
        transient: true,
    };
}

/// What is told to all threads, and what they tell meanwhile.
#[derive(Default)]
pub(crate) struct Pulse {
    stop: AtomicBool,
    /// Bytes of bodies and messages published so far.
    spent: AtomicU64,
    published: AtomicU64,
    pub(crate) confirms: AtomicU64,
    pub(crate) deliveries: AtomicU64,
    pub(crate) blocked: AtomicU64,
    pub(crate) wait_max_ms: AtomicU64,
    wait_min_us: AtomicU64,
}

impl Pulse {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The shortest time that a confirm took of what had to be put on the disk first; `None` as long as there
    /// is no such confirm.
    pub(crate) fn wait_min(&self) -> Option<Duration> {
        let micros = self.wait_min_us.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    fn waited(&self, wait: Duration) {
        let micros = wait.as_micros() as u64;
        self.wait_max_ms.fetch_max(micros / 1000, Ordering::Relaxed);
        let sooner = |least: u64| (least == 0 || micros < least).then_some(micros.max(1));
        let _ = self
            .wait_min_us
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, sooner);
    }
}

/// How one thread ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) who: String,
    pub(crate) trouble: Option<Trouble>,
}

/// What a thread of the load does.
type Work = Box<dyn FnOnce() -> Result<(), Trouble> + Send>;

/// A load that runs.
pub(crate) struct Load {
    pub(crate) pulse: Arc<Pulse>,
    threads: Vec<JoinHandle<Ended>>,
}

/// What a thread of the load needs.
struct Hand {
    address: SocketAddr,
    ledger: Arc<Ledger>,
    pulse: Arc<Pulse>,
    rng: Rng,
}

impl Load {
    pub(crate) fn start(
        address: SocketAddr,
        ledger: &Arc<Ledger>,
        catalog: &Arc<Catalog>,
        plan: Plan,
        rng: &mut Rng,
    ) -> Load {
        let mut load = Load {
            pulse: Arc::new(Pulse::default()),
            threads: Vec::new(),
        };
        let mut hand = |stream| Hand {
            address,
            ledger: Arc::clone(ledger),
            pulse: Arc::clone(&load.pulse),
            rng: rng.fork(stream),
        };
        let mut work: Vec<(String, Work)> = Vec::new();
        for (number, routes) in PRODUCERS.iter().cycle().take(plan.producers).enumerate() {
            let hand = hand(number as u64);
            work.push((
                format!("producer {number}"),
                Box::new(move || producer::run(hand, plan, routes)),
            ));
        }
        let habits = if plan.consumers { consumer::HABITS } else { &[] };
        for (number, habit) in habits.iter().enumerate() {
            let hand = hand(100 + number as u64);
            work.push((
                format!("consumer {number}"),
                Box::new(move || consumer::run(hand, habit)),
            ));
        }
        if plan.churn {
            let (hand, catalog) = (hand(200), Arc::clone(catalog));
            work.push(("churn".to_owned(), Box::new(move || churn::run(hand, &catalog))));
        }
        for (who, work) in work {
            load.threads.push(std::thread::spawn(move || Ended {
                who,
                trouble: work().err(),
            }));
        }
        load
    }

    /// Waits until `done` says so; false when it did not within `limit`.
    pub(crate) fn wait(&self, limit: Duration, mut done: impl FnMut(&Pulse) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if done(&self.pulse) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Tells all threads to come to an end and waits for them.
    pub(crate) fn finish(mut self) -> Vec<Ended> {
        self.pulse.stop.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut self.threads);
        let ended = |thread: JoinHandle<Ended>| {
            thread.join().unwrap_or_else(|_| Ended {
                who: "a thread of the load".to_owned(),
                trouble: Some(Trouble::Late("it panicked".to_owned())),
            })
        };
        threads.into_iter().map(ended).collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.pulse.stop.store(true, Ordering::Relaxed);
    }
}
