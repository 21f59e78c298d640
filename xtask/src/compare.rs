//! Warren beside RabbitMQ and beside the limit of the machine: a fixed list of loads, several rounds, medians
//! and ratios, and docs/performance.md from them.
//!
//! ```text
//!   rows, store, growth   what is measured, in the language of row
//!   tools, rabbitmq       programs, built or installed
//!   course, broker        a row against one broker; figures reads what the loads print
//!   results, verdict      medians, targets
//!   document, plot        performance.md, the template, with figures
//! ```
//!
//! Brokers take turns, each started fresh for every row, so that what changes on the machine over the hours
//! changes for all. Results are kept beside cargo's output: `--only` replaces those of some rows, `--render`
//! writes the document again.

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
mod figures;
mod growth;
mod handshake;
mod machine;
mod options;
mod plot;
mod rabbitmq;
mod results;
mod row;
mod rows;
mod store;
mod tools;
mod verdict;

use options::Options;

/// How often a run that was disturbed is made again.
const REPEATS: u32 = 2;

const TEMPLATE: &str = include_str!("compare/performance.md");

/// # Errors
/// When the options make no sense, a build fails, or any run failed; the others were made all the same.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = Options::read(arguments)?;
    let series = growth::all();
    let rows = [rows::rows(), store::rows()].concat();
    let points = series
        .iter()
        .flat_map(|series| &series.points)
        .map(|(_, row)| row.clone());
    let chosen = options.choose(rows.iter().cloned().chain(points))?;
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
    let tools = Tools::make(options.wants_rabbitmq, options.wants_realtime)?;
    // A trial and the quick form are looked at and not kept.
    let mut results = if options.is_kept() {
        Results::load(&path)?
    } else {
        Results::default()
    };
    results.machine = machine::describe(&tools.folder);
    results.is_realtime = tools.is_realtime;
    match &tools.rabbitmq {
        Ok(rabbitmq) => results.rabbitmq.clone_from(&rabbitmq.version),
        // Its figures of an earlier run stay, and its version with them.
        Err(_) if results.has(Kind::RabbitMq) => {}
        Err(reason) => results.rabbitmq = format!("not measured: {reason}"),
    }
    let mut failures = Vec::new();
    for row in &chosen {
        let measured = measure(&tools, row, &options, &mut failures);
        results.rows.insert(row.name.clone(), measured);
        if options.is_kept() {
            results.save(&path)?;
        }
    }
    if options.is_kept() {
        write(&results, &rows, &series)?;
    } else {
        print(&results, &chosen, &series);
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{} runs failed:\n{}",
            failures.len(),
            failures.join("\n")
        )),
    }
}

/// All rounds of a row.
fn measure(tools: &Tools, row: &Row, options: &Options, failures: &mut Vec<String>) -> Measured {
    println!("== {}: {}", row.name, row.title);
    let mut measured = Measured {
        warren: machine::warren_version(),
        date: machine::date(),
        runs: Vec::new(),
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
    for series in series {
        let is_measured = |(_, row): &(String, Row)| results.rows.contains_key(&row.name);
        if series.points.iter().any(is_measured) {
            println!("{}", document.series(series));
        }
    }
}
