//! What all connections of a run share, and the threads that drive them.
//!
//! ```text
//!   conductor ── Stage ──► jobs, each a connection (idle ones: a hundred) on one thread's runtime
//!             ◄── News ───
//! ```
//!
//! A connection stays on its thread, so that nothing on the way of a message wakes another one.

use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::LocalSet;
use warren_client::{Connection, Error};

use crate::alarm::Alarms;
use crate::clock::Clock;
use crate::layout::Layout;
use crate::ledger::{Findings, Ledger};
use crate::meter::Meter;
use crate::plan::Plan;
use crate::{churn, consumer, idle, producer};

/// Connections that one thread makes at a time: what a listener's backlog takes.
const CONNECTING_MAX: usize = 32;

/// How far a run is; each stage includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Idle connections are made.
    Idle,
    /// The others are made.
    Connect,
    /// Consumers begin.
    Consume,
    /// Producers begin.
    Produce,
    /// Producers finish what they began.
    Drain,
    /// Everybody closes.
    Stop,
}

/// What a job tells the conductor.
#[derive(Debug)]
pub(crate) enum News {
    /// A job can go on to the next stage.
    Ready,
    /// A job publishes no more.
    Produced(Produced),
    /// A job is over.
    Over(Findings),
    /// A job failed, and with it the run.
    Failed(crate::Error),
}

/// What a producing job came to.
#[derive(Debug, Default)]
pub(crate) struct Produced {
    /// By stream: messages that were sent.
    pub(crate) sent: Vec<(u32, u64)>,
    /// Messages that the broker refused.
    pub(crate) nacked: u64,
    /// Messages that were never confirmed.
    pub(crate) unconfirmed: u64,
    /// Confirms for what was confirmed before, or never published.
    pub(crate) misconfirmed: u64,
    /// Nanoseconds during which the broker wanted no publishes.
    pub(crate) blocked_ns: u64,
}

/// What all jobs of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) layout: Layout,
    pub(crate) clock: Clock,
    /// Tells messages of this run from others.
    pub(crate) run: u16,
    /// When publishing began, as the clock has it; set before [`Stage::Produce`].
    pub(crate) start_ns: AtomicU64,
    /// By queue.
    pub(crate) ledgers: Vec<Mutex<Ledger>>,
    /// By thread.
    pub(crate) meters: Vec<Meter>,
}

/// One connection's work, or that of some idle ones.
#[derive(Debug)]
pub(crate) enum Job {
    Produce(Range<usize>),
    Consume(Range<usize>),
    Churn(usize),
    Idle(usize),
}

/// What a job works with.
pub(crate) struct Seat {
    pub(crate) shared: Arc<Shared>,
    /// Which meter is its own.
    pub(crate) thread: usize,
    pub(crate) stage: watch::Receiver<Stage>,
    pub(crate) news: mpsc::UnboundedSender<News>,
    pub(crate) alarms: Rc<Alarms>,
    connecting: Rc<Semaphore>,
}

impl Seat {
    pub(crate) fn meter(&self) -> &Meter {
        // There is one for every thread; the first stands in for none.
        let meters = &self.shared.meters;
        meters.get(self.thread).or(meters.first()).unwrap_or(&NO_METER)
    }

    pub(crate) fn tell(&self, news: News) {
        // Without a conductor nobody is interested.
        let _ = self.news.send(news);
    }

    pub(crate) fn is_at(&self, stage: Stage) -> bool {
        *self.stage.borrow() >= stage
    }

    /// Connects, when not too many others do.
    pub(crate) async fn connect(&self, name: &str) -> Result<Connection, Error> {
        let _permit = self.connecting.acquire().await;
        Connection::open(&self.shared.plan.uri, name).await
    }

    /// Waits for a stage with nothing to say to the broker.
    pub(crate) async fn wait(&mut self, stage: Stage) {
        // Without a conductor it is over.
        let _ = self.stage.wait_for(|now| *now >= stage).await;
    }

    /// Waits for a stage and shows signs of life meanwhile.
    pub(crate) async fn wait_with(&mut self, stage: Stage, connection: &mut Connection) -> Result<(), Error> {
        while !self.is_at(stage) {
            tokio::select! {
                moved = connection.turn(&[]) => {
                    moved?;
                    connection.receive(|_| {})?;
                }
                _ = self.stage.changed() => {}
            }
        }
        Ok(())
    }
}

static NO_METER: std::sync::LazyLock<Meter> = std::sync::LazyLock::new(Meter::default);

/// The threads of a run.
pub(crate) struct Crew {
    threads: Vec<JoinHandle<()>>,
}

impl Crew {
    /// Starts threads and gives each its share of the jobs.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        jobs: Vec<Job>,
        stage: &watch::Receiver<Stage>,
        news: &mpsc::UnboundedSender<News>,
    ) -> std::io::Result<Self> {
        let count = shared.meters.len();
        let mut shares: Vec<Vec<Job>> = (0..count).map(|_| Vec::new()).collect();
        for (job, place) in jobs.into_iter().zip((0..count).cycle()) {
            if let Some(share) = shares.get_mut(place) {
                share.push(job);
            }
        }
        let mut threads = Vec::new();
        for (thread, jobs) in shares.into_iter().enumerate() {
            let (shared, stage, news) = (Arc::clone(shared), stage.clone(), news.clone());
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let work = move || {
                let local = LocalSet::new();
                runtime.block_on(local.run_until(work(&shared, thread, jobs, &stage, &news)));
            };
            let name = format!("bench-{thread}");
            threads.push(thread::Builder::new().name(name).spawn(work)?);
        }
        Ok(Self { threads })
    }

    /// Waits for all threads to end.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // One that panicked said so itself, and its jobs never told that they were over.
            let _ = thread.join();
        }
    }
}

async fn work(
    shared: &Arc<Shared>,
    thread: usize,
    jobs: Vec<Job>,
    stage: &watch::Receiver<Stage>,
    news: &mpsc::UnboundedSender<News>,
) {
    let alarms = Alarms::new(shared.clock);
    let ringing = Rc::clone(&alarms);
    let failing = news.clone();
    tokio::task::spawn_local(async move {
        if let Err(error) = ringing.run().await {
            // Nobody is left to hear it when the run is over already.
            let _ = failing.send(News::Failed(crate::Error::System(error)));
        }
    });
    let connecting = Rc::new(Semaphore::new(CONNECTING_MAX));
    let mut tasks = Vec::with_capacity(jobs.len());
    for job in jobs {
        let seat = Seat {
            shared: Arc::clone(shared),
            thread,
            stage: stage.clone(),
            news: news.clone(),
            alarms: Rc::clone(&alarms),
            connecting: Rc::clone(&connecting),
        };
        tasks.push(tokio::task::spawn_local(run(seat, job)));
    }
    for task in tasks {
        if let Err(error) = task.await {
            let _ = news.send(News::Failed(crate::Error::System(error.into())));
        }
    }
}

async fn run(seat: Seat, job: Job) {
    let news = seat.news.clone();
    let done = match job {
        Job::Produce(producers) => producer::run(seat, producers).await.map(|()| Findings::default()),
        Job::Consume(consumers) => consumer::run(seat, consumers).await,
        Job::Churn(churner) => churn::run(seat, churner).await.map(|()| Findings::default()),
        Job::Idle(count) => idle::run(seat, count).await.map(|()| Findings::default()),
    };
    let _ = news.send(match done {
        Ok(findings) => News::Over(findings),
        Err(error) => News::Failed(error.into()),
    });
}
