//! A row against one broker: its steps one after the other, and what they measure.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::broker::Broker;
use super::figures::{self, BASE_COST, Figure, Figures, TIMES, WITH_COST};
use super::row::{Kind, Row, Step};
use super::tools::{Tools, output_of};

pub(super) mod profiled;

/// Seconds of a load that does not say itself when it ends.
const TIME_S: u64 = 8;

/// The same where `perf` looks at the broker, and the load is stopped when it has seen enough.
const PROFILED_S: u64 = 120;

/// Between a start and the load: RabbitMQ has things left to do, and Warren makes files ahead.
const SETTLE: Duration = Duration::from_secs(2);

/// Until the first of two loads is at work, its warm-up included.
const AHEAD: Duration = Duration::from_secs(2);

/// The longest that a load may take.
const LOAD_LIMIT: Duration = Duration::from_secs(600);

/// How often it is looked whether a load has ended.
const LOOK: Duration = Duration::from_millis(10);

/// In a trial, loads end after so many seconds, and count to this part of their messages.
const TRIAL_S: u64 = 2;
const TRIAL_PART: u64 = 20;

/// What a row came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) figures: Figures,
    /// Other processes were at work.
    pub(super) is_disturbed: bool,
}

/// Runs a row against a fresh broker.
///
/// # Errors
/// When the broker or a load fails.
pub(super) fn run(tools: &Tools, row: &Row, kind: Kind, is_trial: bool) -> Result<Outcome, String> {
    let mut course = Course::start(tools, row, kind, is_trial)?;
    let start_ms = course.broker.start_ms();
    course.note("start_ms", start_ms);
    std::thread::sleep(SETTLE);
    course.steps(&row.steps)?;
    course.compare();
    Ok(std::mem::take(&mut course.outcome))
}

struct Course<'a> {
    tools: &'a Tools,
    kind: Kind,
    is_trial: bool,
    /// Loads say how they are getting on, and take longer.
    is_profiled: bool,
    outcome: Outcome,
    /// Loads that go on until the end. They go first, so that none misses its broker.
    holders: Vec<Load>,
    broker: Broker<'a>,
}

/// A load that runs. Dropped, it is killed.
struct Load {
    child: Child,
    begun: Instant,
    output: PathBuf,
    errors: PathBuf,
    /// What `warren bench` writes.
    json: Option<PathBuf>,
}

impl<'a> Course<'a> {
    fn start(tools: &'a Tools, row: &'a Row, kind: Kind, is_trial: bool) -> Result<Self, String> {
        Ok(Self {
            tools,
            kind,
            is_trial,
            is_profiled: false,
            outcome: Outcome::default(),
            holders: Vec::new(),
            broker: Broker::start(tools, kind, row.serve)?,
        })
    }

    fn note(&mut self, key: &str, value: f64) {
        figures::merge(
            &mut self.outcome.figures,
            "",
            Figures::from([(key.to_owned(), value)]),
        );
    }

    /// What a load with a feature cost, as so many times the one without it just before: closer than medians
    /// of either, as what changes on the machine from round to round changes for both.
    fn compare(&mut self) {
        let cost = |figure: &Figure| self.outcome.figures.get(figure.key).copied();
        if let (Some(base), Some(with)) = (cost(&BASE_COST), cost(&WITH_COST)) {
            self.note(TIMES.key, with / base);
        }
    }

    fn steps(&mut self, steps: &[Step]) -> Result<(), String> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Bench { name, line } => {
                let load = self.bench("bench", line)?;
                self.outcome.is_disturbed |= self.hear(name, load)?;
            }
            Step::Beside { first, second } => {
                // Each counts the other among the neighbours, so that neither can say who disturbed.
                let ahead = self.bench("first", &first.1)?;
                std::thread::sleep(AHEAD);
                let beside = self.bench("second", &second.1)?;
                self.hear(&second.0, beside)?;
                self.hear(&first.0, ahead)?;
            }
            Step::Null { name, line } => {
                let load = self.null("load", line)?;
                self.hear(name, load)?;
            }
            Step::Both { one, other } => {
                let first = self.null("one", &one.1)?;
                let second = self.null("other", &other.1)?;
                self.hear(&one.0, first)?;
                self.hear(&other.0, second)?;
            }
            Step::Hold { line } => {
                let load = self.null("hold", line)?;
                self.holders.push(load);
            }
            Step::Sync { name, line } if self.kind == Kind::Warren => {
                let load = self.sync(line)?;
                self.hear(name, load)?;
            }
            Step::Sync { .. } => {}
            Step::Restart => {
                self.broker.restart()?;
                let start_ms = self.broker.start_ms();
                self.note("restart_ms", start_ms);
            }
            Step::Wait(seconds) => std::thread::sleep(Duration::from_secs(*seconds)),
            Step::Memory { name } => {
                let mib = self.broker.resident_mib()?;
                self.note(&format!("{name}.mib"), mib);
            }
            Step::Disk { name } => self.disk(name),
            Step::Each {
                name,
                before,
                after,
                count,
            } => {
                let look = |name: &str| self.outcome.figures.get(&format!("{name}.mib"));
                if let (Some(before), Some(after)) = (look(before), look(after)) {
                    let bytes = (after - before) * 1024.0 * 1024.0 / count;
                    self.note(&format!("{name}.bytes"), bytes);
                }
            }
            Step::Repeat(times, steps) => {
                for _ in 0..*times {
                    self.steps(steps)?;
                }
            }
        }
        Ok(())
    }

    fn disk(&mut self, name: &str) {
        let data = self.tools.data().join("warren");
        for part in ["log", "extents"] {
            let (files, bytes) = size(&data.join(part));
            self.note(&format!("{name}.{part}_files"), files);
            self.note(&format!("{name}.{part}_bytes"), bytes);
        }
    }

    /// Starts `warren bench`; `file` is what its output is called.
    fn bench(&self, file: &str, line: &str) -> Result<Load, String> {
        let json = self.tools.folder.join(format!("{file}.json"));
        // One of an earlier run would be taken for this one's.
        let _ = fs::remove_file(&json);
        let mut command = self.tools.command(&self.tools.warren);
        let uri = format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.broker.port());
        command.args(["bench", "--uri", &uri]);
        command
            .args(["--broker-pid", &self.broker.pid().to_string(), "--json"])
            .arg(&json);
        command.args(words(line, self.is_trial));
        if !self.is_profiled {
            command.arg("--quiet");
        }
        if !is_bounded(line) {
            let time_s = match (self.is_profiled, self.is_trial) {
                (true, _) => PROFILED_S,
                (false, true) => TRIAL_S,
                (false, false) => TIME_S,
            };
            command.args(["--time", &time_s.to_string()]);
        }
        Load::start(command, &self.tools.folder, file, Some(json))
    }

    fn null(&self, file: &str, line: &str) -> Result<Load, String> {
        let mut command = self.tools.command(&self.tools.null);
        command.args(words(line, self.is_trial));
        command.args(["--addr", &format!("127.0.0.1:{}", self.broker.port())]);
        command.args(["--broker-pid", &self.broker.pid().to_string()]);
        Load::start(command, &self.tools.folder, file, None)
    }

    fn sync(&self, line: &str) -> Result<Load, String> {
        let mut command = self.tools.command(&self.tools.null);
        command.arg("sync-latency").args(words(line, self.is_trial));
        command.arg("--dir").arg(self.tools.data());
        Load::start(command, &self.tools.folder, "sync", None)
    }

    /// Waits for a load and takes its figures. Answers whether it was disturbed.
    fn hear(&mut self, name: &str, load: Load) -> Result<bool, String> {
        let json = load.json.clone();
        let printed = load.finish()?;
        let (figures, is_disturbed) = match json {
            Some(json) => {
                let text = fs::read_to_string(&json);
                figures::of_bench(&text.map_err(|error| format!("{}: {error}", json.display()))?)?
            }
            None => (figures::of_null(&printed)?, false),
        };
        figures::merge(&mut self.outcome.figures, name, figures);
        Ok(is_disturbed)
    }
}

impl Load {
    fn start(mut command: Command, folder: &Path, file: &str, json: Option<PathBuf>) -> Result<Self, String> {
        let create = |path: &Path| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
        let output = folder.join(format!("{file}.out"));
        let errors = folder.join(format!("{file}.err"));
        command
            .stdin(Stdio::null())
            .stdout(create(&output)?)
            .stderr(create(&errors)?);
        let child = command
            .spawn()
            .map_err(|error| format!("the load does not start: {error}"))?;
        Ok(Self {
            child,
            begun: Instant::now(),
            output,
            errors,
            json,
        })
    }

    /// What it printed.
    fn finish(mut self) -> Result<String, String> {
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if self.begun.elapsed() > LOAD_LIMIT => {
                    return Err(format!("the load did not end within {} s", LOAD_LIMIT.as_secs()));
                }
                Ok(None) => std::thread::sleep(LOOK),
                Err(error) => return Err(format!("the load cannot be waited for: {error}")),
            }
        };
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let (printed, errors) = (read(&self.output), read(&self.errors));
        if status.success() {
            return Ok(printed);
        }
        // `warren bench` says what was lost in its last but one line, others say it as an error.
        let verdict = printed.lines().find(|line| line.starts_with("WRONG"));
        let said = verdict.or(errors.lines().last()).unwrap_or("it says nothing");
        Err(format!("the load ended with {status}: {said}"))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Both fail when it has ended by itself, which is the usual end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a line of `warren bench` says itself when it ends.
fn is_bounded(line: &str) -> bool {
    let ends = ["--time", "--messages", "--backlog"];
    ends.iter().any(|end| line.contains(end))
}

/// The words of a line; in a trial with less to do.
fn words(line: &str, is_trial: bool) -> Vec<String> {
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    if !is_trial {
        return words;
    }
    let options: Vec<String> = words.clone();
    for (option, value) in options.iter().zip(words.iter_mut().skip(1)) {
        let Ok(number) = value.parse::<u64>() else {
            continue;
        };
        let less = match option.as_str() {
            "--time" | "--secs" => number.min(TRIAL_S),
            "--messages" | "--backlog" | "--count" => number.div_ceil(TRIAL_PART),
            _ => number,
        };
        *value = less.to_string();
    }
    words
}

/// Files in a folder and octets that they take on disk.
fn size(folder: &Path) -> (f64, f64) {
    let files = fs::read_dir(folder).map_or(0, |entries| entries.flatten().count());
    let taken = output_of("du", &["-s", "--block-size=1", "."], folder).unwrap_or_default();
    let bytes = taken
        .split_whitespace()
        .next()
        .and_then(|bytes| bytes.parse().ok());
    (files as f64, bytes.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_does_less_of_the_same() {
        let line = "fill --count 30 --size 100 --secs 8 --queues 10000";
        assert_eq!(words(line, false).join(" "), line);
        assert_eq!(
            words(line, true).join(" "),
            "fill --count 2 --size 100 --secs 2 --queues 10000"
        );
    }

    #[test]
    fn a_load_that_fails_says_why() {
        let folder = crate::scratch::Scratch::new();
        let shell = |script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            Load::start(command, folder.path(), "load", None)
                .unwrap()
                .finish()
        };
        assert_eq!(shell("echo yes").unwrap(), "yes\n");
        assert_eq!(
            shell("echo first >&2; echo last >&2; exit 3").unwrap_err(),
            "the load ended with exit status: 3: last"
        );
        assert!(
            shell("echo 'WRONG: 3 lost'; exit 65")
                .unwrap_err()
                .ends_with(": WRONG: 3 lost")
        );
    }
}
