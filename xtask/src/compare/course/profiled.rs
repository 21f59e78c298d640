//! A row against Warren once more, with `perf` looking on.
//!
//! A load that goes on for a time is looked at while it is at work, first for its system calls and then for
//! samples, so that neither is in the other's way. Of a load that ends by itself nobody knows when it is at
//! work: both are taken from its beginning to its end.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::figures::{CHURNED, CONFIRMED, RATE};
use super::super::perf::Watch;
use super::super::profile::{Calls, Counts, Profile, Samples};
use super::super::row::{Kind, Row, Step};
use super::super::tools::{Tools, output_of};
use super::{Course, LOAD_LIMIT, LOOK, Load, SETTLE, is_bounded, words};

/// How long system calls are counted, and how long samples are taken: a load that keeps the broker busy for
/// a tenth of the time makes a thousand of them.
const COUNT: Duration = Duration::from_secs(2);
const SAMPLE: Duration = Duration::from_secs(8);

/// Both together, and what `perf` takes to begin and end. Longer means that the machine stood still, as a
/// virtual one may: calls a second would then be of another time than messages a second.
const STEADY_LIMIT: Duration = Duration::from_secs(20);

struct Profiler<'a> {
    course: Course<'a>,
    samples: Samples,
    calls: Option<Calls>,
    /// How many loads were looked at. Calls are those of one.
    loads: u32,
}

/// The profile of a row; none where the broker does next to nothing.
///
/// # Errors
/// When the broker, a load or `perf` fails.
pub(in super::super) fn profile(tools: &Tools, row: &Row, is_trial: bool) -> Result<Option<Profile>, String> {
    let mut course = Course::start(tools, row, Kind::Warren, is_trial)?;
    course.is_profiled = true;
    sleep(SETTLE);
    let mut profiler = Profiler {
        course,
        samples: Samples::default(),
        calls: None,
        loads: 0,
    };
    profiler.steps(&row.steps)?;
    let calls = profiler.calls.filter(|_| profiler.loads == 1);
    Ok(Profile::new(profiler.samples, calls))
}

impl Profiler<'_> {
    fn steps(&mut self, steps: &[Step]) -> Result<(), String> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Bench { name, line } if !is_bounded(line) => self.steady(name, line),
            Step::Bench { .. } | Step::Beside { .. } | Step::Null { .. } | Step::Both { .. } => {
                self.whole(step)
            }
            Step::Repeat(times, steps) => (0..*times).try_for_each(|_| self.steps(steps)),
            // It is about the disk, and the broker waits meanwhile.
            Step::Sync { .. } => Ok(()),
            other => self.course.step(other),
        }
    }

    /// A load that goes on.
    fn steady(&mut self, name: &str, line: &str) -> Result<(), String> {
        let (tools, pid) = (self.course.tools, self.course.broker.pid());
        let mut load = self.course.bench("bench", line)?;
        load.wait_for_work()?;
        let begun = Instant::now();
        let counting = Watch::calls(tools, pid)?;
        sleep(COUNT);
        let counts = counted(counting);
        let watch = Watch::samples(tools, pid)?;
        sleep(SAMPLE);
        let is_short = load.has_ended();
        let is_long = begun.elapsed() > STEADY_LIMIT;
        self.samples.add(watch.end_samples()?);
        if is_short {
            return Err("the load ended before perf did".to_owned());
        }
        if is_long {
            return Err("the machine stood still".to_owned());
        }
        load.interrupt()?;
        self.course.hear(name, load)?;
        self.loads += 1;
        self.calls = counts
            .zip(self.rate(name))
            .and_then(|(counts, (of, per_s))| counts.at_rate(of, per_s));
        Ok(())
    }

    /// What a load does, and how often a second.
    fn rate(&self, name: &str) -> Option<(&'static str, f64)> {
        let figures = &self.course.outcome.figures;
        let of = [
            (&CHURNED, "connection"),
            (&RATE, "message"),
            (&CONFIRMED, "message"),
        ];
        of.into_iter().find_map(|(figure, of)| {
            let key = match name {
                "" => figure.key.to_owned(),
                name => format!("{name}.{}", figure.key),
            };
            Some((of, *figures.get(&key)?))
        })
    }

    /// Loads that end by themselves, from beginning to end.
    fn whole(&mut self, step: &Step) -> Result<(), String> {
        let (tools, pid) = (self.course.tools, self.course.broker.pid());
        let messages = match step {
            Step::Bench { line, .. } => messages(line, self.course.is_trial),
            _ => None,
        };
        let counting = messages.map(|_| Watch::calls(tools, pid)).transpose()?;
        let watch = Watch::samples(tools, pid)?;
        self.course.step(step)?;
        self.samples.add(watch.end_samples()?);
        self.loads += 1;
        let counts = counting.and_then(counted);
        self.calls = counts
            .zip(messages)
            .and_then(|(counts, messages)| counts.over("message", messages));
        Ok(())
    }
}

/// Without tracepoints there is a profile all the same.
fn counted(counting: Watch) -> Option<Counts> {
    let counts = counting.end_calls();
    if let Err(reason) = &counts {
        println!("!! system calls were not counted: {reason}");
    }
    counts.ok()
}

/// How many messages a load is of, where its line says so.
fn messages(line: &str, is_trial: bool) -> Option<f64> {
    let words = words(line, is_trial);
    let mut after = words
        .iter()
        .skip_while(|word| !["--backlog", "--messages"].contains(&word.as_str()));
    after.nth(1)?.parse().ok()
}

impl Load {
    /// Until it has said how its first second went, which is its warm-up.
    fn wait_for_work(&mut self) -> Result<(), String> {
        let says = |load: &Self| fs::read_to_string(&load.errors).unwrap_or_default();
        while !says(self).contains('\n') {
            if self.has_ended() || self.begun.elapsed() > LOAD_LIMIT {
                return Err(format!("the load does not get to work: {}", says(self).trim()));
            }
            sleep(LOOK);
        }
        Ok(())
    }

    /// Ends its time; it reports what there was until now.
    fn interrupt(&self) -> Result<(), String> {
        let pid = self.child.id().to_string();
        output_of("kill", &["-INT", &pid], Path::new("/")).map(drop)
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_says_how_many_messages_it_has() {
        let line = "--backlog 2000000 --size 100 --persistent";
        assert_eq!(messages(line, false), Some(2e6));
        assert_eq!(messages(line, true), Some(1e5));
        assert_eq!(messages("--size 100 --time 6", false), None);
        assert!(is_bounded(line) && is_bounded("--time 6") && !is_bounded("-p 10000 --rate 10000"));
    }
}
