//! What `warren bench` does: load for any AMQP 0-9-1 broker, what it took, and whether all of it was right.
//!
//! ```text
//!   args ──► plan, layout ──► conductor ── stages ──► crew: threads with producers, consumers, churn, idle
//!                                 │  ▲                         │ pool, pace, window      ledger
//!                                 │  └── news, meters ─────────┘
//!                                 └──► report: table, JSON, page
//! ```
//!
//! It has to cost less than what it measures. Messages are encoded before the run and only stamped in it;
//! reads and writes are large; nothing is allocated, locked or asked of the system for a message. Every
//! message says which it is and when it was due, so that losses, duplicates and order are checked and
//! latencies count from there.

mod alarm;
pub mod args;
mod churn;
mod clock;
mod conductor;
mod consumer;
mod crew;
mod declare;
mod error;
mod idle;
mod layout;
mod ledger;
mod marks;
mod meter;
mod pace;
mod plan;
mod pool;
mod probe;
mod producer;
mod progress;
mod random;
pub mod report;
mod stamp;
mod topic;
mod window;

use std::fs;
use std::path::Path;

pub use args::Arguments;
pub use error::Error;
pub use plan::PlanError;
pub use report::Report;

/// Makes a run, and writes the reports that were asked for.
///
/// # Errors
/// [`Error`], all of them. Losses and the like are none: see [`Report::is_right`].
pub fn run(arguments: Arguments) -> Result<Report, Error> {
    let (plan, layout) = plan::Plan::new(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::System)?;
    let (shared, outcome) = runtime.block_on(conductor::run(plan, layout))?;
    let report = Report::new(&shared, &outcome);
    if let Some(path) = &shared.plan.json {
        // It cannot fail: names are texts, and there is no map.
        let json = serde_json::to_string_pretty(&report).unwrap_or_default();
        write(path, &json)?;
    }
    if let Some(path) = &shared.plan.html {
        write(path, &report::page(&report))?;
    }
    Ok(report)
}

/// The report for a terminal.
pub fn table(report: &Report) -> String {
    report::table(report)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}
