//! A run from outside: stages, the look once a second, what all jobs came to.
//!
//! ```text
//!   --time      [warm-up] [run ................] rest
//!   --messages  [warm-up] [run ................................. until all is consumed]
//!   --backlog   [build, until all is confirmed][drain ...... until all is consumed]
//! ```

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::args::Rate;
use crate::clock::Clock;
use crate::crew::{Crew, Job, News, Produced, Shared, Stage};
use crate::declare;
use crate::error::Error;
use crate::layout::Layout;
use crate::ledger::{Findings, Ledger};
use crate::meter::{Counts, Meter, Timings};
use crate::plan::{Course, Plan};
use crate::probe::{Look, Probe};
use crate::progress::Progress;
use crate::random::Random;

/// How often it is looked whether all is there.
const POLL: Duration = Duration::from_millis(2);

/// Idle connections of one job.
const IDLE_PER_JOB: usize = 100;

/// A part of the run that is reported.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    /// Since the run began.
    pub(crate) start_ns: u64,
    pub(crate) seconds: f64,
    pub(crate) counts: Counts,
    pub(crate) timings: Timings,
    pub(crate) before: Look,
    pub(crate) after: Look,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) phases: Vec<Phase>,
    /// About a second each, all phases.
    pub(crate) seconds: Vec<Phase>,
    /// Of the whole run.
    pub(crate) counts: Counts,
    pub(crate) expected: u64,
    pub(crate) findings: Findings,
    pub(crate) produced: Produced,
    /// The broker's memory before anything, and with the idle connections.
    pub(crate) bytes_before: Option<u64>,
    pub(crate) bytes_idle: Option<u64>,
    pub(crate) bytes_peak: Option<u64>,
}

/// When a phase ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// After a time.
    After(Duration),
    /// When whoever has a quota used it up, and all that is confirmed.
    Quotas,
    /// When all is published, confirmed, and consumed if somebody consumes.
    Settled,
}

/// Makes a run.
pub(crate) async fn run(plan: Plan, layout: Layout) -> Result<(Arc<Shared>, Outcome), Error> {
    let probe = Probe::new(plan.broker_pids.clone()).map_err(|pid| Error::NoProcess { pid })?;
    declare::make(&plan, &layout).await?;
    let shared = Arc::new(share(plan, layout));
    let (stage, stages) = watch::channel(Stage::Idle);
    let (news, heard) = mpsc::unbounded_channel();
    let mut conductor = Conductor::new(&shared, probe, stage, heard);
    let jobs = jobs(&shared.plan);
    conductor.running = jobs.len();
    let crew = Crew::start(&shared, jobs, &stages, &news).map_err(Error::System)?;
    drop(news);
    let course = conductor.conduct().await;
    conductor.to(Stage::Stop);
    course?;
    conductor.hear_the_end().await?;
    crew.join();
    if !shared.plan.keep {
        declare::unmake(&shared.plan, &shared.layout).await?;
    }
    Ok((Arc::clone(&shared), conductor.sum_up()))
}

fn share(plan: Plan, layout: Layout) -> Shared {
    // Not the seed's affair: two runs with one seed are still two.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let mixed = now.map_or(0, |now| now.as_nanos() as u64) ^ u64::from(std::process::id()) << 32;
    let run = Random::new(mixed).next() as u16;
    let ledgers = layout
        .streams_by_queue()
        .into_iter()
        .map(|streams| Mutex::new(Ledger::new(run, streams)))
        .collect();
    Shared {
        meters: (0..plan.threads).map(|_| Meter::default()).collect(),
        plan,
        layout,
        clock: Clock::start(),
        run,
        start_ns: 0.into(),
        ledgers,
    }
}

/// Producers and consumers in turn, so that each kind is on all threads.
fn jobs(plan: &Plan) -> Vec<Job> {
    let mut jobs = Vec::new();
    for part in 0..plan.producer_connections.max(plan.consumer_connections) {
        let range = |parts: usize, whole: usize| part * whole / parts..(part + 1) * whole / parts;
        if part < plan.producer_connections {
            jobs.push(Job::Produce(range(plan.producer_connections, plan.producers)));
        }
        if part < plan.consumer_connections {
            jobs.push(Job::Consume(range(plan.consumer_connections, plan.consumers)));
        }
    }
    jobs.extend((0..plan.churners).map(Job::Churn));
    let mut idle = plan.idle;
    while idle > 0 {
        let count = idle.min(IDLE_PER_JOB);
        jobs.push(Job::Idle(count));
        idle -= count;
    }
    jobs
}

struct Conductor {
    shared: Arc<Shared>,
    probe: Probe,
    stage: watch::Sender<Stage>,
    heard: mpsc::UnboundedReceiver<News>,
    progress: Progress,
    /// Jobs that are not over.
    running: usize,
    /// Jobs that may still publish: all, and those that do until their quota is used up.
    producing: usize,
    interrupts: u32,
    phases: Vec<Phase>,
    seconds: Vec<Phase>,
    /// By stream.
    sent: Vec<u64>,
    produced: Produced,
    findings: Findings,
    bytes_before: Option<u64>,
    bytes_idle: Option<u64>,
    bytes_peak: Option<u64>,
}

impl Conductor {
    fn new(
        shared: &Arc<Shared>,
        probe: Probe,
        stage: watch::Sender<Stage>,
        heard: mpsc::UnboundedReceiver<News>,
    ) -> Self {
        let plan = &shared.plan;
        Self {
            progress: Progress::new(plan.is_quiet),
            producing: plan.producer_connections + plan.churners,
            sent: vec![0; shared.layout.streams.len()],
            shared: Arc::clone(shared),
            bytes_before: probe.look().broker_bytes,
            probe,
            stage,
            heard,
            running: 0,
            interrupts: 0,
            phases: Vec::new(),
            seconds: Vec::new(),
            produced: Produced::default(),
            findings: Findings::default(),
            bytes_idle: None,
            bytes_peak: None,
        }
    }

    fn to(&self, stage: Stage) {
        self.stage.send_replace(stage);
    }

    async fn conduct(&mut self) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let plan = &shared.plan;
        self.hear_ready(plan.idle.div_ceil(IDLE_PER_JOB)).await?;
        self.bytes_idle = self.probe.look().broker_bytes.filter(|_| plan.idle > 0);
        self.to(Stage::Connect);
        self.hear_ready(self.producing + plan.consumer_connections)
            .await?;
        let is_backlog = matches!(plan.course, Course::Backlog(_));
        if !is_backlog {
            self.to(Stage::Consume);
            self.hear_ready(plan.consumer_connections).await?;
        }
        shared.start_ns.store(shared.clock.now_ns(), Relaxed);
        if plan.warmup_s > 0.0 {
            let end = End::After(Duration::from_secs_f64(plan.warmup_s));
            self.phase("warm-up", &[end]).await?;
            self.phases.clear();
            self.seconds.clear();
        }
        match plan.course {
            Course::Time(time_s) => {
                self.phase("run", &[End::After(Duration::from_secs_f64(time_s))])
                    .await?;
                self.phase("rest", &[End::Settled]).await?;
                self.phases.pop();
            }
            Course::Messages(_) => self.phase("run", &[End::Quotas, End::Settled]).await?,
            Course::Backlog(_) => {
                self.phase("build", &[End::Quotas]).await?;
                if plan.consumers > 0 {
                    self.phase("drain", &[End::Settled]).await?;
                }
            }
        }
        self.progress.end();
        Ok(())
    }

    /// Runs to one end after the other, looking once a second.
    async fn phase(&mut self, name: &'static str, ends: &[End]) -> Result<(), Error> {
        let mut whole = Stretch::begin(self);
        let mut second = Stretch::begin(self);
        // Only now, or the first messages would belong to no phase.
        if *self.stage.borrow() < Stage::Produce {
            self.to(Stage::Produce);
        }
        for end in ends {
            if *end == End::Settled {
                self.to(Stage::Drain);
            }
            let begun = Instant::now();
            let mut last = (Counts::default(), begun);
            loop {
                let now = Instant::now();
                let counts = Counts::of(&self.shared.meters);
                if counts != last.0 {
                    last = (counts, now);
                }
                let is_given_up = self.may_give_up(*end) && now - last.1 > self.patience();
                if self.is_reached(*end, now - begun, counts) || is_given_up {
                    break;
                }
                if second.begun.elapsed() >= Duration::from_secs(1) {
                    self.note_second(name, &mut whole, &mut second);
                }
                let next = now
                    + if matches!(end, End::After(_)) {
                        self.until(*end, begun, &second)
                    } else {
                        POLL
                    };
                self.listen(next).await?;
            }
        }
        self.note_second(name, &mut whole, &mut second);
        let phase = whole.end(name, self, None);
        self.phases.push(phase);
        Ok(())
    }

    /// How long nothing is to be looked at.
    fn until(&self, end: End, begun: Instant, second: &Stretch) -> Duration {
        let full = Duration::from_secs(1).saturating_sub(second.begun.elapsed());
        match end {
            End::After(time) => full.min(time.saturating_sub(begun.elapsed())),
            _ => full,
        }
    }

    fn is_reached(&self, end: End, past: Duration, counts: Counts) -> bool {
        let is_consumed = || self.shared.plan.consumers == 0 || counts.delivered >= self.expected();
        match end {
            End::After(time) => past >= time || self.interrupts > 0,
            End::Quotas => self.are_quotas_used() || self.interrupts > 0,
            End::Settled => self.producing == 0 && is_consumed(),
        }
    }

    /// Whether it means something when nothing moves: not at a rate, which may be slow.
    fn may_give_up(&self, end: End) -> bool {
        match end {
            End::After(_) => false,
            End::Quotas => self.shared.plan.rate == Rate::Max && self.shared.plan.producers > 0,
            End::Settled => true,
        }
    }

    fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.shared.plan.patience_s)
    }

    /// Churners beside producers have none.
    fn are_quotas_used(&self) -> bool {
        let plan = &self.shared.plan;
        match plan.producers {
            0 => self.producing == 0,
            _ => self.producing <= plan.churners,
        }
    }

    /// Deliveries that the messages published so far make.
    fn expected(&self) -> u64 {
        if self.shared.plan.consumers == 0 {
            return 0;
        }
        let streams = self.shared.layout.streams.iter().zip(&self.sent);
        streams
            .map(|(stream, sent)| stream.targets.len() as u64 * sent)
            .sum()
    }

    fn note_second(&mut self, name: &'static str, whole: &mut Stretch, second: &mut Stretch) {
        let mut timings = Timings::default();
        for meter in &self.shared.meters {
            meter.drain(&mut timings);
        }
        whole.timings.add(&timings);
        let begun = std::mem::replace(second, Stretch::begin(self));
        let noted = begun.end(name, self, Some(timings));
        self.bytes_peak = self.bytes_peak.max(noted.after.broker_bytes);
        // A stump would only make the curves jump.
        if noted.seconds >= 0.25 || self.seconds.is_empty() {
            self.progress.tell(&noted);
            self.seconds.push(noted);
        }
    }

    /// Hears news until a time.
    async fn listen(&mut self, until: Instant) -> Result<(), Error> {
        loop {
            tokio::select! {
                news = self.heard.recv() => match news {
                    Some(news) => { self.hear(news)?; }
                    None => {
                        sleep_until(until).await;
                        return Ok(());
                    }
                },
                signal = tokio::signal::ctrl_c() => {
                    signal.map_err(Error::System)?;
                    self.interrupts += 1;
                    return if self.interrupts > 1 { Err(Error::Interrupted) } else { Ok(()) };
                }
                () = sleep_until(until) => return Ok(()),
            }
        }
    }

    /// Whether it was that a job is ready.
    fn hear(&mut self, news: News) -> Result<bool, Error> {
        match news {
            News::Ready => return Ok(true),
            News::Produced(produced) => {
                self.producing = self.producing.saturating_sub(1);
                for (stream, sent) in produced.sent {
                    if let Some(all) = usize::try_from(stream)
                        .ok()
                        .and_then(|place| self.sent.get_mut(place))
                    {
                        *all += sent;
                    }
                }
                self.produced.nacked += produced.nacked;
                self.produced.unconfirmed += produced.unconfirmed;
                self.produced.misconfirmed += produced.misconfirmed;
                self.produced.blocked_ns = self.produced.blocked_ns.max(produced.blocked_ns);
            }
            News::Over(findings) => {
                self.running = self.running.saturating_sub(1);
                self.findings.add(findings);
            }
            News::Failed(error) => return Err(error),
        }
        Ok(false)
    }

    async fn hear_ready(&mut self, count: usize) -> Result<(), Error> {
        let mut ready = 0;
        while ready < count {
            match self.heard.recv().await {
                Some(news) => ready += usize::from(self.hear(news)?),
                None => return Err(Error::System(std::io::ErrorKind::BrokenPipe.into())),
            }
        }
        Ok(())
    }

    /// Waits until all jobs are over. One that waits for an answer that never comes is left.
    async fn hear_the_end(&mut self) -> Result<(), Error> {
        let patience = self.patience();
        while self.running > 0 {
            match timeout(patience, self.heard.recv()).await {
                Ok(Some(news)) => {
                    self.hear(news)?;
                }
                Ok(None) => break,
                Err(_) => {
                    let within = patience;
                    let expected = "connection.close-ok";
                    return Err(warren_client::Error::TimedOut { expected, within }.into());
                }
            }
        }
        Ok(())
    }

    fn sum_up(self) -> Outcome {
        let expected = self.expected();
        let mut findings = self.findings;
        for ledger in &self.shared.ledgers {
            let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = |stream: u32| {
                usize::try_from(stream)
                    .ok()
                    .and_then(|place| self.sent.get(place).copied())
            };
            if self.shared.plan.consumers > 0 {
                findings.add(ledger.findings(|stream| sent(stream).unwrap_or(0)));
            }
        }
        Outcome {
            counts: Counts::of(&self.shared.meters),
            phases: self.phases,
            seconds: self.seconds,
            expected,
            findings,
            produced: self.produced,
            bytes_before: self.bytes_before,
            bytes_idle: self.bytes_idle,
            bytes_peak: self.bytes_peak,
        }
    }
}

/// A part of the run that is not over.
struct Stretch {
    begun: Instant,
    begun_ns: u64,
    counts: Counts,
    look: Look,
    timings: Timings,
}

impl Stretch {
    fn begin(conductor: &Conductor) -> Self {
        Self {
            begun: Instant::now(),
            begun_ns: conductor.shared.clock.now_ns(),
            counts: Counts::of(&conductor.shared.meters),
            look: conductor.probe.look(),
            timings: Timings::default(),
        }
    }

    fn end(self, name: &'static str, conductor: &Conductor, timings: Option<Timings>) -> Phase {
        Phase {
            name,
            start_ns: self
                .begun_ns
                .saturating_sub(conductor.shared.start_ns.load(Relaxed)),
            seconds: self.begun.elapsed().as_secs_f64(),
            counts: Counts::of(&conductor.shared.meters).since(self.counts),
            timings: timings.unwrap_or(self.timings),
            before: self.look,
            after: conductor.probe.look(),
        }
    }
}
