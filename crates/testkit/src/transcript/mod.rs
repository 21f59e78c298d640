//! Transcripts: conversations with a broker, in files, that can be held with Warren's session
//! machine or with a broker that listens somewhere.
//!
//! ```text
//! === a passive declare of a missing exchange closes the channel
//! C> 1 exchange.declare exchange="nope" passive
//! S< 1 channel.close code=404 text="NOT_FOUND - no exchange 'nope' in vhost '/'" class=40 method=10
//! ```
//!
//! A file holds cases, each under a line `=== title`; every case has a broker of its own. `C>` is what the
//! client says and `S<` what it hears; further connections have a letter each, `A>` and `A<`. A case begins
//! with the connection `C` and its channel 1 open, unless it says how it connects. `line` lists what may be
//! said, `script` the directives, `pattern` the variables. What is heard between two things said has to be
//! what is written, on each channel in that order, and nothing else.
//!
//! With `UPDATE_EXPECT=1` the files get what was heard; a bare `S<` marks where to listen. `CASE=words` holds
//! the cases alone whose titles contain the words.

mod brokers;
mod hearing;
mod http;
mod line;
mod oracle;
mod pattern;
mod run;
mod script;
mod warren;

use std::path::Path;

/// The environment variable with the address of the broker that [`check_oracle`] speaks to.
pub const ORACLE: &str = "WARREN_ORACLE";

/// The environment variable with the address of that broker's HTTP API; without it, the
/// broker's port plus 10,000.
pub const ORACLE_HTTP: &str = "WARREN_ORACLE_HTTP";

/// Holds all cases of a file with Warren's session machine, twice: with a read for each thing that is said,
/// and with one for all that is said in a row. Answers how many there are.
///
/// # Panics
/// When something else is heard than is written, or the file cannot be read: this is an
/// assertion. The message names file and line.
pub fn check(path: &Path) -> usize {
    let hold = |gathers| run::file(path, &mut || Ok(Box::new(warren::Warren::new(gathers))));
    told(hold(false).and_then(|count| hold(true).map(|_| count)))
}

/// Holds all cases of a file, except those that are marked as Warren's own, with the broker at
/// [`ORACLE`]. Answers how many those are.
///
/// # Panics
/// As [`check`], and when there is no such broker.
pub fn check_oracle(path: &Path) -> usize {
    told(run::file(path, &mut || {
        oracle::Oracle::new().map(|oracle| Box::new(oracle) as _)
    }))
}

#[expect(clippy::panic, reason = "an assertion fails by a panic")]
fn told(outcome: Result<usize, String>) -> usize {
    match outcome {
        Ok(count) => count,
        Err(report) => panic!("{report}"),
    }
}
