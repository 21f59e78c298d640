//! Warren beside RabbitMQ and beside the limit of the machine: a fixed list of loads, several rounds, medians
//! and ratios, and docs/performance.md from them.
//!
//! ```text
//!   rows, features, store, growth   what is measured, in the language of row
//!   tools, rabbitmq                 programs, built or installed
//!   course, broker                  a row against one broker; figures reads what the loads print
//!   perf, profile                   where Warren's time went in rows that missed a target
//!   results, verdict                medians, targets
//!   document, plot                  performance.md, the template, with figures
//! ```
//!
//! Brokers take turns, each started fresh for every row, so that what changes on the machine over the hours
//! changes for all. Profiles come after, from runs of their own. Results are kept beside cargo's output:
//! `--only` replaces those of some rows, `--render` writes the document again.

use std::path::PathBuf;
use std::time::Instant;

use crate::step::root;

use course::Outcome;
use document::Document;
use results::{Measured, Results, Run};
use row::{Kind, Row};
use tools::Tools;

mod broker;
mod course;
mod document;
mod features;
mod figures;
mod growth;
mod handshake;
mod machine;
mod options;
mod perf;
mod plot;
mod profile;
mod rabbitmq;
mod results;
mod row;
mod rows;
mod store;
mod tools;
mod verdict;

use options::Options;

/// How often a run that was disturbed, or a profile that failed, is made again.
const REPEATS: u32 = 2;

const TEMPLATE: &str = include_str!("compare/performance.md");

/// The rows that stand by themselves, in the order of the document; those of series are [`growth::all`].
fn single_rows() -> Vec<Row> {
    [rows::rows(), features::rows(), store::rows()].concat()
}

/// # Errors
/// When the options make no sense, a build fails, or any run failed; the others were made all the same.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = Options::read(arguments)?;
    let series = growth::all();
    let rows = single_rows();
    let points = series.iter().flat_map(|series| &series.points);
    let all: Vec<Row> = rows.iter().chain(points.map(|(_, row)| row)).cloned().collect();
    let chosen = options.choose(&all)?;
    let named = options.choose_profiles(&all)?;
    if options.is_list {
        chosen
            .iter()
            .for_each(|row| println!("{:<22} {}", row.name, row.title));
        return Ok(());
    }
    let path = tools::folder()?.join("results.json");
    if options.is_render {
        return write(&Results::load(&path)?, &rows, &series);
    }
    // A trial and the quick form are looked at and not kept.
    let results = match options.is_kept() {
        true => Results::load(&path)?,
        false => Results::default(),
    };
    let will_be_there =
        |row: &&Row| results.rows.contains_key(&row.name) || options.rounds > 0 && chosen.contains(row);
    if let Some(row) = named.iter().find(|row| !will_be_there(row)) {
        return Err(format!(
            "a profile of `{}` needs its figures: it was not measured",
            row.name
        ));
    }
    let tools = Tools::make(
        options.wants_rabbitmq && options.rounds > 0,
        options.wants_realtime,
    )?;
    // A trial and the quick form are looked at and not kept.
    let results = match options.is_kept() {
        true => Results::load(&path)?,
        false => Results::default(),
    };
    let mut session = Session {
        tools,
        options,
        path,
        results,
        failures: Vec::new(),
    };
    session.measure_all(&chosen)?;
    session.profile_all(&chosen, &named)?;
    if session.options.is_kept() {
        write(&session.results, &rows, &series)?;
    } else {
        print(&session.results, &chosen, &series);
    }
    match session.failures.as_slice() {
        [] => Ok(()),
        failures => Err(format!(
            "{} runs failed:\n{}",
            failures.len(),
            failures.join("\n")
        )),
    }
}

/// What is measured in one go.
struct Session {
    tools: Tools,
    options: Options,
    /// Where results are kept.
    path: PathBuf,
    results: Results,
    failures: Vec<String>,
}

impl Session {
    fn keep(&self) -> Result<(), String> {
        match self.options.is_kept() {
            true => self.results.save(&self.path),
            false => Ok(()),
        }
    }

    fn measure_all(&mut self, chosen: &[Row]) -> Result<(), String> {
        if self.options.rounds == 0 {
            return Ok(());
        }
        self.results.machine = machine::describe(&self.tools.folder);
        self.results.is_realtime = self.tools.is_realtime;
        match &self.tools.rabbitmq {
            Ok(rabbitmq) => self.results.rabbitmq.clone_from(&rabbitmq.version),
            // Its figures of an earlier run stay, and its version with them.
            Err(_) if self.results.has(Kind::RabbitMq) => {}
            Err(reason) => self.results.rabbitmq = format!("not measured: {reason}"),
        }
        for row in chosen {
            let measured = measure(&self.tools, row, &self.options, &mut self.failures);
            self.results.renew(&row.name, measured);
            self.keep()?;
        }
        Ok(())
    }

    /// Profiles of rows that missed a target, and of those that are named.
    fn profile_all(&mut self, chosen: &[Row], named: &[Row]) -> Result<(), String> {
        let is_missed = |row: &&Row| verdict::is_missed(row, &self.results);
        let mut rows: Vec<Row> = named.to_vec();
        if self.options.wants_profiles() {
            rows.extend(chosen.iter().filter(is_missed).cloned());
        }
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        rows.dedup();
        if rows.is_empty() {
            return Ok(());
        }
        if let Err(reason) = perf::find_or_install() {
            println!("!! without profiles: {reason}");
            return Ok(());
        }
        for row in &rows {
            self.profile(row);
            self.keep()?;
        }
        Ok(())
    }

    fn profile(&mut self, row: &Row) {
        println!("== {}: profile", row.name);
        let Some(measured) = self.results.rows.get_mut(&row.name) else {
            return;
        };
        let again = || course::profiled::profile(&self.tools, row, self.options.is_trial);
        let mut outcome = again();
        for _ in 0..REPEATS {
            if let Err(reason) = &outcome {
                println!("   once more: {reason}");
                outcome = again();
            }
        }
        match outcome {
            Ok(Some(profile)) => {
                println!("   {} samples", profile.samples.all);
                measured.profile = Some(profile);
            }
            Ok(None) => println!("   the broker does next to nothing"),
            Err(reason) => {
                println!("   FAILED: {reason}");
                self.failures.push(format!("{}, profile: {reason}", row.name));
            }
        }
    }
}

/// All rounds of a row.
fn measure(tools: &Tools, row: &Row, options: &Options, failures: &mut Vec<String>) -> Measured {
    println!("== {}: {}", row.name, row.title);
    let mut measured = Measured {
        warren: machine::warren_version(),
        date: machine::date(),
        ..Measured::default()
    };
    let mut brokers = row.brokers.clone();
    brokers.retain(|kind| *kind != Kind::RabbitMq || tools.rabbitmq.is_ok());
    for round in 1..=options.rounds {
        for kind in &brokers {
            let run = turn(tools, row, *kind, round, options);
            if let Some(reason) = &run.failure {
                failures.push(format!("{}, {}, round {round}: {reason}", row.name, kind.name()));
            }
            measured.runs.push(run);
        }
        // The next round begins with another.
        brokers.rotate_left(1);
    }
    measured
}

/// One broker's turn; made again if it was disturbed.
fn turn(tools: &Tools, row: &Row, kind: Kind, round: u32, options: &Options) -> Run {
    let mut tries = 0;
    let outcome = loop {
        let begun = Instant::now();
        let outcome = course::run(tools, row, kind, options.is_trial);
        tell(row, kind, round, &outcome, begun);
        tries += 1;
        let is_disturbed = outcome.as_ref().is_ok_and(|outcome| outcome.is_disturbed);
        if !is_disturbed || options.is_trial || tries > REPEATS {
            break outcome;
        }
    };
    let (outcome, failure) = match outcome {
        Ok(outcome) => (outcome, None),
        Err(reason) => (Outcome::default(), Some(reason)),
    };
    Run {
        broker: kind,
        round,
        is_disturbed: outcome.is_disturbed,
        failure,
        figures: outcome.figures,
    }
}

/// A line for a run.
fn tell(row: &Row, kind: Kind, round: u32, outcome: &Result<Outcome, String>, begun: Instant) {
    let said = match outcome {
        Ok(outcome) => {
            let shown = document::shown(row.group).into_iter().filter_map(|figure| {
                let value = outcome.figures.get(figure.key).filter(|value| **value > 0.0)?;
                Some(format!("{} {}", figure.name, figure.unit.show(*value)))
            });
            let mark = if outcome.is_disturbed { "; DISTURBED" } else { "" };
            format!("{}{mark}", shown.collect::<Vec<_>>().join(", "))
        }
        Err(reason) => format!("FAILED: {reason}"),
    };
    let seconds = begun.elapsed().as_secs_f64();
    println!("   {} {round}, {seconds:.0} s: {said}", kind.name());
}

fn write(results: &Results, rows: &[Row], series: &[growth::Series]) -> Result<(), String> {
    let document = Document {
        results,
        rows,
        series,
    };
    let path: PathBuf = root().join("docs/performance.md");
    let text = document.fill(TEMPLATE)?;
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("{}: {}", path.display(), document.fill("{{score}}")?);
    Ok(())
}

/// The rows alone, as the document has them.
fn print(results: &Results, rows: &[Row], series: &[growth::Series]) {
    let document = Document {
        results,
        rows,
        series,
    };
    if rows.iter().any(|row| !row.targets.is_empty()) {
        println!("\n{}", document.targets());
    }
    let mut groups: Vec<&str> = rows.iter().map(|row| row.group).collect();
    groups.dedup();
    for group in groups.into_iter().filter(|group| *group != growth::GROWTH) {
        println!("{}", document.figures(group));
    }
    if results.rows.values().any(|row| row.profile.is_some()) {
        println!("{}", document.profiles());
    }
    for series in series {
        let is_measured = |(_, row): &(String, Row)| results.rows.contains_key(&row.name);
        if series.points.iter().any(is_measured) {
            println!("{}", document.series(series));
        }
    }
}
