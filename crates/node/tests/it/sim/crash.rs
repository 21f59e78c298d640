//! A node dies at every operation of its disk, comes back on what survived, and is asked for everything.

use super::client::{Session, user};
use super::life::{Life, QUEUES};
use super::model::{Declared, Found, Model, Moment};
use super::sim_disk::{Operation, Random, SimDisk, Trace};
use std::sync::Arc;
use std::time::Duration;
use warren_node::storage::{Opened, Options, Step};
use warren_node::{Config, Node};

/// How a node dies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    /// The power goes, or only the process.
    pub(crate) is_power: bool,
    /// The next operation had begun.
    pub(crate) is_midway: bool,
    pub(crate) seed: u64,
}

impl Death {
    pub(crate) fn any(random: &mut Random) -> Self {
        Self {
            is_power: random.chance(70),
            is_midway: random.chance(30),
            seed: random.number(),
        }
    }

    /// What is found afterwards.
    pub(crate) fn of(&self, disk: &SimDisk, next: Option<&Operation>) -> SimDisk {
        disk.begin(next.filter(|_| self.is_midway));
        if self.is_power {
            disk.crash(self.seed)
        } else {
            disk.kill()
        }
    }
}

/// What there is to know of a life that is over.
pub(crate) struct Past {
    pub(crate) model: Model,
    /// As it was at the end of the life before, and when that ended.
    pub(crate) before: Option<(Model, Moment)>,
    pub(crate) opened_at: usize,
    pub(crate) trace: Trace,
    pub(crate) durable: Vec<u64>,
    pub(crate) options: Options,
}

impl Past {
    pub(crate) fn of(life: Life, before: Option<(Model, Moment)>, options: Options) -> Self {
        let durable = life.watch.durable();
        let trace = life.watch.disk.recorded().unwrap();
        assert_eq!(durable.len(), trace.operations.len() + 1);
        let Life { model, opened_at, .. } = life;
        Self {
            model,
            before,
            opened_at,
            trace,
            durable,
            options,
        }
    }

    fn moment(&self, operations: usize) -> Moment {
        let durable = self.durable[operations];
        Moment { operations, durable }
    }

    /// A death within the start of a node is one of the life before, later.
    fn check(&self, operations: usize, found: &Found) -> Result<(), String> {
        match &self.before {
            Some((model, moment)) if operations < self.opened_at => model.check(moment, found),
            _ => self.model.check(&self.moment(operations), found),
        }
    }

    /// Dies at every operation. Answers how many that were.
    pub(crate) fn die_everywhere(&self, random: &mut Random) -> Result<usize, String> {
        let mut outcome = Ok(());
        let mut count = 0;
        self.trace.prefixes(|operations, disk| {
            if outcome.is_err() {
                return;
            }
            count += 1;
            let death = Death::any(random);
            let image = death.of(disk, self.trace.operations.get(operations));
            drop(super::said::take());
            let checked = recover(image, &self.options, random, |found| {
                self.check(operations, found)
            });
            outcome = checked.map_err(|wrong| self.describe(operations, death, &wrong));
        });
        outcome.map(|()| count)
    }

    fn describe(&self, operations: usize, death: Death, wrong: &str) -> String {
        let when = (operations, self.opened_at);
        describe(&self.trace, when, death, &self.options, wrong)
    }

    /// Dies once, and answers what is left for another life: the disk, what the model says of it, and of
    /// what that was made.
    pub(crate) fn heir(&self, random: &mut Random) -> Result<(SimDisk, Model, (Model, Moment)), String> {
        let all = self.trace.operations.len();
        let last = all - self.opened_at;
        let operations = self.opened_at + random.below(last as u64 + 1) as usize;
        let death = Death::any(random);
        let image = || {
            let disk = self.trace.prefix(operations);
            death.of(&disk, self.trace.operations.get(operations))
        };
        let wrong = |wrong: String| self.describe(operations, death, &wrong);
        let found = open_and_drain(&image(), &self.options).map_err(wrong)?;
        let moment = self.moment(operations);
        self.model.check(&moment, &found).map_err(wrong)?;
        Ok((
            image(),
            self.model.resolve(&moment, &found),
            (self.model.clone(), moment),
        ))
    }
}

/// What went wrong after so many operations, with the last of them, and when the node was open.
pub(crate) fn describe(
    trace: &Trace,
    (operations, opened_at): (usize, usize),
    death: Death,
    options: &Options,
    wrong: &str,
) -> String {
    let said = super::said::take().lines;
    let first = operations.saturating_sub(12);
    let shown = trace.operations.iter().enumerate().skip(first).take(14);
    let shown: Vec<String> = shown
        .map(|(at, operation)| format!("{at:6} {}", brief(operation)))
        .collect();
    format!(
        "{wrong}\n  it says {said:#?}\n  after {operations} operations ({opened_at} until it was open), \
         {death:?}, {options:?}\n{}",
        shown.join("\n")
    )
}

/// An operation, without what it writes.
pub(crate) fn brief(operation: &Operation) -> String {
    match operation {
        Operation::Write { file, offset, bytes } => {
            format!(
                "Write {{ file: {file}, offset: {offset}, bytes: {} }}",
                bytes.len()
            )
        }
        other => format!("{other:?}"),
    }
}

/// Bytes of all files.
pub(crate) fn used(disk: &SimDisk) -> u64 {
    disk.files()
        .iter()
        .map(|name| disk.bytes(name).len() as u64)
        .sum()
}

/// Dies in starts now and then, and answers what is left, and what those did.
pub(crate) fn die_in_starts(
    mut image: SimDisk,
    config: impl Fn() -> Config,
    options: &Options,
    random: &mut Random,
) -> (SimDisk, Vec<(Death, Vec<String>)>) {
    let mut earlier = Vec::new();
    while random.chance(20) {
        let nth = 1 + random.below(30);
        image.crash_at(nth);
        image.record();
        // Whether that fails depends on how far it got.
        drop(Node::open(config(), options.clone(), Arc::new(image.clone())));
        let death = Death::any(random);
        let done = image.recorded().map_or_else(Vec::new, |trace| trace.operations);
        earlier.push((death, done.iter().map(brief).collect::<Vec<_>>()));
        image = death.of(&image, None);
    }
    (image, earlier)
}

/// Opens a node on what survived a death, dies in that now and then, and takes everything out of it.
pub(crate) fn recover(
    image: SimDisk,
    options: &Options,
    random: &mut Random,
    check: impl FnOnce(&Found) -> Result<(), String>,
) -> Result<(), String> {
    let (mut image, earlier) = die_in_starts(image, Config::default, options, random);
    if random.chance(5) {
        // A full disk may keep it from starting, and costs nothing else.
        image.set_capacity(Some(used(&image) + random.below(32 * 1024)));
        drop(Node::open(
            Config::default(),
            options.clone(),
            Arc::new(image.clone()),
        ));
        image = Death::any(random).of(&image, None);
        image.set_capacity(None);
    }
    let log = log_files(&image);
    let checked = open_and_drain(&image, options).and_then(|found| check(&found));
    checked.map_err(|wrong| format!("{wrong}\n  log: {log:#?}\n  earlier starts {earlier:#?}"))
}

/// Opens a node and takes everything out of it.
pub(crate) fn open_and_drain(image: &SimDisk, options: &Options) -> Result<Found, String> {
    let options = Options {
        checkpoint_every: Duration::ZERO,
        ..options.clone()
    };
    let opened = Node::open(Config::default(), options, Arc::new(image.clone()));
    let Opened { node, recovered } = opened.map_err(|error| format!("the node does not open: {error}"))?;
    if !recovered.damages.is_empty() || recovered.messages_lost > 0 {
        return Err(format!("damage out of nothing: {recovered:?}"));
    }
    let mut found = drain(&node)?;
    found.is_clean = recovered.is_clean;
    let count: usize = found.queues.values().map(Vec::len).sum();
    if count as u64 != recovered.messages {
        return Err(format!("{count} messages come out of {}", recovered.messages));
    }
    for _ in 0..2 {
        if node.keep_house().map_err(|poisoned| poisoned.to_string())? == Step::Full {
            return Err("there is no space to keep house".to_owned());
        }
    }
    let left = image
        .files()
        .into_iter()
        .filter(|name| name.starts_with("extents/"));
    let left: Vec<String> = left.collect();
    if left.is_empty() {
        return Ok(found);
    }
    Err(format!(
        "{left:?} are left after everything was taken out: {:?}",
        node.usage()
    ))
}

/// What is declared in a node, and everything in its queues.
pub(crate) fn drain(node: &Arc<Node>) -> Result<Found, String> {
    let mut found = Found {
        declared: declared(node),
        ..Found::default()
    };
    if !found.declared.vhosts.contains("/") {
        return Ok(found);
    }
    node.put_user(user("drain"));
    let mut session = Session::enter(node, "drain");
    // Bindings show in where messages go.
    let exchanges: Vec<String> = found.declared.exchanges.keys().cloned().collect();
    for exchange in exchanges {
        for queue in session.bound(&exchange) {
            found.declared.bindings.insert((exchange.clone(), queue));
        }
    }
    for queue in found.declared.queues.keys() {
        let mut all = Vec::new();
        while let Some(Some(came)) = session.get(queue, true, true) {
            all.push(came.drained);
        }
        found.queues.insert(queue.clone(), all);
    }
    session.leave();
    Ok(found)
}

fn declared(node: &Arc<Node>) -> Declared {
    let mut declared = Declared::default();
    for name in ["/", "more0", "more1", "more2"] {
        if node.vhost(name).is_some() {
            declared.vhosts.insert(name.to_owned());
        }
    }
    for name in ["u", "more0", "more1", "more2"] {
        if node.enter(Arc::new(user(name)), "/", node.new_mailbox()).is_ok() {
            declared.users.insert(name.to_owned());
        }
    }
    let Some(vhost) = node.vhost("/") else {
        return declared;
    };
    for name in QUEUES {
        if let Some(queue) = vhost.queue(name) {
            let kept = (queue.id().0, queue.declared().durable);
            declared.queues.insert(name.to_owned(), kept);
        }
    }
    for name in super::life::EXCHANGES {
        if let Some(exchange) = vhost.exchange(name) {
            declared
                .exchanges
                .insert(name.to_owned(), exchange.declared().durable);
        }
    }
    declared
}

/// The files of a log, and where their batches begin, for the messages of failures.
fn log_files(image: &SimDisk) -> Vec<String> {
    let names = image.files().into_iter().filter(|name| name.starts_with("log/"));
    names
        .map(|name| {
            let bytes = image.bytes(&name);
            let number = |at: usize| {
                let eight = bytes.get(at..at + 8).and_then(<[u8]>::first_chunk);
                eight.map_or(0, |eight| u64::from_le_bytes(*eight))
            };
            let (epoch, base, run) = (number(16), number(24), number(40));
            let mut text = format!("{name} epoch {epoch} base {base} run {run} size {}:", bytes.len());
            let mut at = 4096;
            while bytes
                .get(at..at + 3)
                .is_some_and(|mark| mark == b"WLB" || mark != [0; 3])
                && text.len() < 400
            {
                let payload = number(at + 32);
                text += &format!(
                    " {at}: {} durable {} +{payload},",
                    number(at + 16),
                    number(at + 24)
                );
                at = at.saturating_add(64 + payload as usize);
            }
            text
        })
        .collect()
}
