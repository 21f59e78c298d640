//! One data folder with its broker, its load and what is known about it: what a scenario works with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::broker::{self, Broker, Launch, START_LIMIT};
use crate::ledger::{End, Figures, Ledger};
use crate::load::{self, Catalog, Ended, Load, Plan};
use crate::rng::Rng;
use crate::survey::{Manner, survey};

/// Acknowledgements that the broker saw within this time before a kill may be undone: a settle is durable
/// with the next commit.
pub(crate) const WINDOW: Duration = Duration::from_secs(1);

/// How long a clean stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// What every scenario is given.
pub(crate) struct Context {
    pub(crate) program: PathBuf,
    /// An own folder of this scenario.
    pub(crate) folder: PathBuf,
    pub(crate) sets: Vec<String>,
    pub(crate) rounds: Option<usize>,
    pub(crate) long: bool,
    pub(crate) rng: Rng,
}

impl Context {
    /// Rounds as asked for, or else the scenario's own number.
    pub(crate) fn rounds(&self, short: usize, long: usize) -> usize {
        self.rounds.unwrap_or(if self.long { long } else { short })
    }

    /// A rig in a folder of its own.
    pub(crate) fn rig(&mut self, name: &str) -> Rig {
        let scratch = self.folder.join(name);
        Rig {
            launch: Launch {
                program: self.program.clone(),
                data: scratch.join("data"),
                scratch,
                sets: self.sets.clone(),
                wrap: Vec::new(),
                environment: Vec::new(),
            },
            ledger: Arc::new(Ledger::new(load::QUEUES, load::routes())),
            catalog: Arc::new(Catalog::default()),
            broker: None,
            load: None,
            declared: false,
            ended: Vec::new(),
            end: None,
            aborted: false,
            rng: self.rng.fork(7),
            rss_max_kib: 0,
        }
    }
}

/// See the module.
pub(crate) struct Rig {
    pub(crate) launch: Launch,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) broker: Option<Broker>,
    load: Option<Load>,
    /// Whether the load's queues were declared: only once, so that a lost one is missed.
    declared: bool,
    /// How the threads of the last load ended.
    pub(crate) ended: Vec<Ended>,
    end: Option<End>,
    /// Whether the last broker had aborted itself.
    pub(crate) aborted: bool,
    pub(crate) rng: Rng,
    pub(crate) rss_max_kib: u64,
}

impl Rig {
    pub(crate) fn data(&self) -> &Path {
        &self.launch.data
    }

    pub(crate) fn start(&mut self) -> Result<(), String> {
        self.start_with(Vec::new(), Vec::new())
    }

    /// Starts the broker behind a wrapper and with variables, and waits until it is ready.
    pub(crate) fn start_with(
        &mut self,
        wrap: Vec<OsString>,
        environment: Vec<(String, String)>,
    ) -> Result<(), String> {
        let usual = wrap.is_empty();
        let mut broker = self.spawn(wrap, environment)?;
        let took = broker.wait_ready(START_LIMIT)?;
        if usual && self.end.is_some() {
            self.ledger.note(|figures| figures.restarts.push(took));
        }
        self.broker = Some(broker);
        Ok(())
    }

    /// Starts the broker and does not wait.
    pub(crate) fn spawn(
        &mut self,
        wrap: Vec<OsString>,
        environment: Vec<(String, String)>,
    ) -> Result<Broker, String> {
        let mut launch = self.launch.clone();
        launch.wrap = wrap;
        launch.environment.extend(environment);
        launch.spawn()
    }

    pub(crate) fn broker(&mut self) -> Result<&mut Broker, String> {
        self.broker.as_mut().ok_or_else(|| "no broker runs".to_owned())
    }

    /// Declares what the load needs, if that was not done before: a lost queue has to be missed.
    pub(crate) fn declare(&mut self) -> Result<(), String> {
        if !self.declared {
            load::declare(self.broker()?.address()?)?;
            self.declared = true;
        }
        Ok(())
    }

    pub(crate) fn load(&mut self, plan: Plan) -> Result<(), String> {
        self.declare()?;
        let address = self.broker()?.address()?;
        let load = Load::start(address, &self.ledger, &self.catalog, plan, &mut self.rng);
        self.load = Some(load);
        Ok(())
    }

    pub(crate) fn running(&self) -> Result<&Load, String> {
        self.load.as_ref().ok_or_else(|| "no load runs".to_owned())
    }

    /// Waits until that many more publishes are confirmed.
    pub(crate) fn confirms(&self, more: u64, limit: Duration) -> Result<(), String> {
        let load = self.running()?;
        let before = load.pulse.confirms.load(Ordering::Relaxed);
        let enough = load.wait(limit, |pulse| {
            pulse.confirms.load(Ordering::Relaxed) >= before + more
        });
        match enough {
            true => Ok(()),
            false => Err(format!("not {more} confirms within {} s", limit.as_secs())),
        }
    }

    /// Ends the load while the broker lives; every thread must come to a good end.
    pub(crate) fn finish_load(&mut self) -> Result<(), String> {
        self.join_load();
        let trouble: Vec<String> = self.troubles();
        match trouble.len() {
            0 => Ok(()),
            _ => Err(trouble.join("; ")),
        }
    }

    fn troubles(&self) -> Vec<String> {
        let told = |ended: &Ended| Some(format!("{}: {}", ended.who, ended.trouble.as_ref()?));
        self.ended.iter().filter_map(told).collect()
    }

    fn join_load(&mut self) {
        if let Some(load) = self.load.take() {
            self.ended = load.finish();
        }
    }

    /// SIGKILL in the middle of everything.
    pub(crate) fn kill(&mut self) -> Result<(), String> {
        let end = End {
            at: Instant::now(),
            window: WINDOW,
        };
        self.measure();
        let killed = self.broker()?.kill();
        self.ended_at(end);
        self.ledger.note(|figures| figures.kills += 1);
        killed
    }

    /// The broker has ended by itself or another's hand.
    pub(crate) fn ended_at(&mut self, end: End) {
        self.aborted = self.broker.take().is_some_and(|mut broker| broker.aborted());
        self.end = Some(end);
        self.join_load();
    }

    /// SIGTERM, an end in time, and status 0. Nothing that the broker has seen may be undone.
    pub(crate) fn terminate(&mut self) -> Result<(), String> {
        let mut end = End {
            at: Instant::now(),
            window: Duration::ZERO,
        };
        self.measure();
        let broker = self.broker()?;
        broker.signal(Signal::TERM);
        let outcome = match broker.wait(STOP_LIMIT) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(broker.with_log(&format!("a clean stop ended with {status}"))),
            None => Err(broker.with_log("did not stop in time")),
        };
        if outcome.is_err() {
            // It was no clean stop, so it is judged as none.
            end.window = WINDOW;
        }
        self.ended_at(end);
        outcome
    }

    /// Waits for the broker to end by itself; returns its status code.
    pub(crate) fn wait_end(&mut self, limit: Duration) -> Result<Option<i32>, String> {
        self.measure();
        let broker = self.broker()?;
        let Some(status) = broker.wait(limit) else {
            return Err(broker.with_log(&format!("still runs after {} s", limit.as_secs())));
        };
        let code = status.code();
        self.ended_at(End {
            at: Instant::now(),
            window: WINDOW,
        });
        Ok(code)
    }

    /// Remembers the most memory used.
    pub(crate) fn measure(&mut self) {
        let most = self.broker.as_mut().map_or(0, Broker::rss_max_kib);
        self.rss_max_kib = self.rss_max_kib.max(most);
    }

    /// Looks at everything after a restart that can be looked at without publishing.
    pub(crate) fn look(&mut self, manner: Manner) -> Result<(), String> {
        let end = self.end.ok_or("nothing has ended yet")?;
        let broker = self.broker()?;
        let (address, started) = (broker.address()?, broker.started());
        if load::missing(address, &self.ledger)? {
            // Without them the rest could not be judged.
            load::declare(address)?;
        }
        if let Some(first) = survey(address, &self.ledger, manner, end)? {
            self.ledger
                .note(|figures| figures.first_deliveries.push(first - started));
        }
        self.catalog.verify(address, &self.ledger)?;
        Ok(())
    }

    /// Looks at everything after a restart, and at the bindings too, for which it has to publish.
    pub(crate) fn verify(&mut self, manner: Manner) -> Result<(), String> {
        self.look(manner)?;
        let address = self.broker()?.address()?;
        self.catalog.probe_bindings(address, &self.ledger)?;
        Ok(())
    }

    /// How the broker ended, if nobody asked it to.
    pub(crate) fn postmortem(&mut self) -> Option<String> {
        let broker = self.broker.as_mut()?;
        let status = broker.status()?;
        Some(broker.with_log(&format!("the broker had ended by itself, {status}")))
    }

    /// All figures, with the panics of the log as failures.
    pub(crate) fn conclude(&mut self, failures: &mut Vec<String>) -> Figures {
        self.broker = None;
        self.join_load();
        let panics = broker::panics(&self.launch.log());
        failures.extend(panics.into_iter().take(3));
        let figures = self.ledger.figures();
        failures.extend(figures.failures());
        figures
    }
}
