//! Where the time went: a table for each row with a profile.

use super::super::figures::{grouped, three_digits};
use super::super::profile::{Calls, ENTRY, OTHER, PAGE_FAULTS, Profile, Samples};
use super::super::results::Measured;
use super::super::row::Row;
use super::{Document, NOTHING};

/// A system call has a line if it has so many percent of the samples, or if a message takes so many of it.
const PERCENT_MIN: f64 = 0.5;
const CALLS_MIN: f64 = 0.05;

impl Document<'_> {
    pub(in super::super) fn profiles(&self) -> String {
        let text: String = self
            .all()
            .filter_map(|row| {
                let measured = self.results.rows.get(&row.name)?;
                Some(part(row, measured, measured.profile.as_ref()?))
            })
            .collect();
        if text.is_empty() {
            return "No profile was made.".to_owned();
        }
        text
    }

    fn profile(&self, row: &str) -> Result<Option<&Profile>, String> {
        let row = self.row(row)?;
        let measured = self.results.rows.get(&row.name);
        Ok(measured.and_then(|measured| measured.profile.as_ref()))
    }

    /// The share of a class of the kernel, of `kernel` or of `user` space.
    pub(super) fn share(&self, row: &str, class: &str) -> Result<String, String> {
        let share = |profile: &Profile| percent(profile.samples.percent(class));
        Ok(self.profile(row)?.map_or_else(|| NOTHING.to_owned(), share))
    }

    /// Of a system call how many a message takes, or whatever the profile tells of; of `all`, `wakeups` or
    /// `switches` the same.
    pub(super) fn calls(&self, row: &str, name: &str) -> Result<String, String> {
        let calls = self.profile(row)?.and_then(|profile| profile.calls.as_ref());
        let calls = calls.map(|calls| match name {
            "all" => calls.all,
            "wakeups" => calls.wakeups,
            "switches" => calls.switches,
            name => calls.by_name.get(name).copied().unwrap_or_default(),
        });
        Ok(calls.map_or_else(|| NOTHING.to_owned(), number))
    }
}

fn part(row: &Row, measured: &Measured, profile: &Profile) -> String {
    let samples = &profile.samples;
    let mut text = format!(
        "### {}\n\n{} samples of `{}`.",
        row.title,
        grouped(samples.all as f64),
        row.name
    );
    if let Some(calls) = &profile.calls {
        text.push_str(&format!(
            " For each {}: {} wake-ups of threads, the clients' among them, and {} switches of the broker's \
             threads.",
            calls.of,
            number(calls.wakeups),
            number(calls.switches)
        ));
    }
    if profile.warren != measured.warren {
        text.push_str(&format!(
            " The profile is of {} of {}, its figures are of {}.",
            profile.warren, profile.date, measured.warren
        ));
    }
    text.push_str("\n\n");
    text.push_str(&table(samples, profile.calls.as_ref()));
    text.push('\n');
    text
}

fn table(samples: &Samples, calls: Option<&Calls>) -> String {
    let of = calls.map_or("message", |calls| calls.of.as_str());
    let mut text = format!("| where | samples | calls for each {of} |\n|---|---|---|\n");
    let mut line = |name: &str, share: f64, calls: Option<f64>| {
        if share > 0.0 || calls > Some(0.0) {
            let calls = calls.map_or_else(|| NOTHING.to_owned(), number);
            text.push_str(&format!("| {name} | {} | {calls} |\n", percent(share)));
        }
    };
    line(
        "**kernel**",
        samples.percent("kernel"),
        calls.map(|calls| calls.all),
    );
    let mut others = (0.0, calls.map(|calls| calls.all));
    for (name, share, each) in system_calls(samples, calls) {
        if share < PERCENT_MIN && each.unwrap_or_default() < CALLS_MIN {
            others.0 += share;
        } else {
            line(&format!("`{name}`"), share, each);
            others.1 = others.1.zip(each).map(|(rest, each)| (rest - each).max(0.0));
        }
    }
    line("other calls", others.0, others.1);
    for class in [ENTRY, PAGE_FAULTS, OTHER] {
        line(class, samples.percent(class), None);
    }
    line("**user space**", samples.percent("user"), None);
    let mut functions: Vec<(&String, &u64)> = samples.functions.iter().collect();
    functions.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut rest = samples.percent("user");
    for (name, count) in functions {
        let share = samples.percent_of(*count);
        rest -= share;
        line(&format!("`{name}`"), share, None);
    }
    line("other functions", rest.max(0.0), None);
    text
}

/// Those that were sampled or counted, the largest share first.
fn system_calls<'a>(
    samples: &'a Samples,
    calls: Option<&'a Calls>,
) -> impl Iterator<Item = (&'a str, f64, Option<f64>)> {
    let counted = calls.into_iter().flat_map(|calls| calls.by_name.keys());
    let mut names: Vec<&str> = samples.kernel.keys().chain(counted).map(String::as_str).collect();
    names.retain(|name| ![ENTRY, PAGE_FAULTS, OTHER].contains(name));
    names.sort_unstable();
    names.dedup();
    names.sort_by(|one, other| samples.percent(other).total_cmp(&samples.percent(one)));
    let each = move |name: &str| calls.map(|calls| calls.by_name.get(name).copied().unwrap_or_default());
    names
        .into_iter()
        .map(move |name| (name, samples.percent(name), each(name)))
}

/// Three digits behind the point are no more than was counted.
fn number(number: f64) -> String {
    match number {
        number if number < 0.0005 => "0".to_owned(),
        number => three_digits(number),
    }
}

fn percent(share: f64) -> String {
    match share {
        share if share >= 9.95 => format!("{share:.0} %"),
        share => format!("{share:.1} %"),
    }
}
