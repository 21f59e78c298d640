//! Does to the built broker what a machine can do to it, and counts what it lost.
//!
//! Every scenario has the same load and the same checker: numbered messages, a ledger of every confirm and
//! acknowledgement outside the broker, and a survey of everything that is there after the restart. It shares
//! no code with the broker. `cargo xtask crash` builds the broker and runs this; docs/reliability.md says
//! what each scenario does.
//!
//! ```text
//! main        arguments, the guard, the summary
//! scenario    what is done to the broker
//! rig         a data folder with its broker, load and ledger
//! load        producers, consumers, declarer
//! survey      everything that is there after a restart
//! ledger      what must be there, and the verdict
//! broker      the process
//! amqp        a client of our own
//! power_fs    a file system whose power can be cut
//! strace      system calls that fail or take long
//! ```
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks on its standard streams"
)]

mod amqp;
mod broker;
mod folder;
mod guard;
mod ledger;
mod load;
mod message;
mod power_fs;
mod report;
mod rig;
mod rng;
mod scenario;
mod strace;
mod survey;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use serde_json::json;

use guard::Watchdog;
use report::{Report, Verdict};
use rig::Context;
use rng::Rng;
use scenario::{SCENARIOS, Scenario};

/// How long one scenario may take.
const LIMIT: Duration = Duration::from_secs(300);
const LONG_LIMIT: Duration = Duration::from_secs(3600);

/// Crashes the broker in every way and counts what it lost.
#[derive(Parser)]
struct Arguments {
    /// The broker's binary
    #[arg(long, value_name = "FILE")]
    broker: PathBuf,
    /// Only this scenario; may be repeated
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Rounds of every scenario, instead of its own number
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Many rounds, and the slow cases too
    #[arg(long)]
    long: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Seed of all random choices
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// A setting of the broker; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where data folders and logs go
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Keep the folders of scenarios that passed too
    #[arg(long)]
    keep: bool,
    /// List the scenarios
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for scenario in SCENARIOS {
            println!("{:<14}{}", scenario.name, scenario.about);
        }
        return ExitCode::SUCCESS;
    }
    guard::go_inside();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("warren-crash: {reason}");
            ExitCode::from(2)
        }
    }
}

/// Runs what was asked for; whether all of it passed.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let unknown = |name: &&String| !SCENARIOS.iter().any(|scenario| scenario.name == **name);
    if let Some(name) = arguments.scenario.iter().find(unknown) {
        return Err(format!("no scenario '{name}': --list shows them"));
    }
    let program = arguments.broker.canonicalize();
    let program = program.map_err(|error| format!("{}: {error}", arguments.broker.display()))?;
    let clock = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as u64)
    };
    let seed = arguments.seed.unwrap_or_else(clock) % 1_000_000_007;
    let own = || std::env::temp_dir().join(format!("warren-crash-{seed}"));
    let work = arguments.work.clone().unwrap_or_else(own);
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    if !arguments.json {
        println!("seed {seed}, work in {}", work.display());
    }
    let wanted = |scenario: &&Scenario| {
        arguments.scenario.is_empty() || arguments.scenario.iter().any(|name| name == scenario.name)
    };
    let mut reports = Vec::new();
    for scenario in SCENARIOS.iter().filter(wanted) {
        let folder = work.join(scenario.name);
        clear(&folder)?;
        let mut context = Context {
            program: program.clone(),
            folder: folder.clone(),
            sets: arguments.set.clone(),
            rounds: arguments.rounds,
            long: arguments.long,
            rng: Rng::new(seed),
        };
        let watchdog = Watchdog::new(scenario.name, if arguments.long { LONG_LIMIT } else { LIMIT });
        let report = scenario.run(&mut context, strict);
        drop(watchdog);
        if !arguments.json {
            report.print();
        }
        if !arguments.keep && !matches!(report.verdict, Verdict::Failed(_)) {
            clear(&folder)?;
        }
        reports.push(report);
    }
    // Not empty when something failed.
    let _ = std::fs::remove_dir(&work);
    Ok(summarize(&reports, seed, arguments.json))
}

fn clear(folder: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn summarize(reports: &[Report], seed: u64, as_json: bool) -> bool {
    let count =
        |wanted: fn(&Verdict) -> bool| reports.iter().filter(|report| wanted(&report.verdict)).count();
    let passed = count(|verdict| matches!(verdict, Verdict::Passed));
    let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
    let skipped = count(|verdict| matches!(verdict, Verdict::Skipped(_)));
    if as_json {
        let scenarios: Vec<_> = reports.iter().map(Report::json).collect();
        let summary = json!({
            "seed": seed,
            "passed": passed,
            "failed": failed,
            "skipped": skipped,
            "scenarios": scenarios,
        });
        println!("{summary:#}");
    } else {
        let skips = if skipped == 0 {
            String::new()
        } else {
            format!(", {skipped} skipped")
        };
        println!("{passed} passed, {failed} failed{skips}");
    }
    failed == 0
}
