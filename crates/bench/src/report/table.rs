//! The report as a table for a terminal: a column a phase.

use super::text::{count, duration, significant};
use super::{Check, Latency, PhaseFigures, Report};

/// Columns of names and of figures.
const NAME: usize = 30;
const FIGURE: usize = 16;

pub(crate) fn table(report: &Report) -> String {
    let mut rows = Rows(String::new());
    let load = &report.load;
    rows.line(&format!(
        "{}: {} producers, {} consumers, {} queues, exchange {}, rate {}",
        report.title, load.producers, load.consumers, load.queues, load.exchange, load.rate
    ));
    rows.line("");
    rows.row("", report, |phase| Some(phase.name.to_owned()));
    rows.row("seconds", report, |phase| Some(format!("{:.2}", phase.seconds)));
    throughput(&mut rows, report);
    for (name, of) in LATENCIES {
        latency(&mut rows, report, name, *of);
    }
    cpu(&mut rows, report);
    memory(&mut rows, report);
    rows.line("");
    rows.line(&verdict(&report.check));
    if report
        .phases
        .iter()
        .any(|phase| phase.cpu.is_disturbed == Some(true))
    {
        rows.line("DISTURBED: other processes used more than 0.1 cores. Throw this run away.");
    }
    rows.0
}

/// Which latency of a phase.
type Of = fn(&PhaseFigures) -> Option<&Latency>;

/// Which figure of a latency.
type Figure = fn(&Latency) -> f64;

const LATENCIES: &[(&str, Of)] = &[
    ("publish to delivery", |phase| phase.delivery_latency.as_ref()),
    ("publish to confirm", |phase| phase.confirm_latency.as_ref()),
    ("round of churn", |phase| phase.churn_latency.as_ref()),
];

struct Rows(String);

impl Rows {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// A row, if any phase has something in it.
    fn row(&mut self, name: &str, report: &Report, of: impl Fn(&PhaseFigures) -> Option<String>) {
        let figures: Vec<Option<String>> = report.phases.iter().map(of).collect();
        if figures.iter().any(Option::is_some) {
            let mut line = format!("{name:<NAME$}");
            for figure in figures {
                line.push_str(&format!("{:>FIGURE$}", figure.as_deref().unwrap_or("-")));
            }
            self.line(line.trim_end());
        }
    }

    fn one(&mut self, name: &str, figure: Option<String>) {
        if let Some(figure) = figure {
            self.line(&format!("{name:<NAME$}{figure:>FIGURE$}"));
        }
    }
}

fn throughput(rows: &mut Rows, report: &Report) {
    let some = |number: u64, rate: f64| (number > 0).then(|| count(rate));
    rows.row("published a second", report, |phase| {
        some(phase.published, phase.published_per_s)
    });
    rows.row("confirmed a second", report, |phase| {
        some(phase.confirmed, phase.confirmed_per_s)
    });
    rows.row("delivered a second", report, |phase| {
        some(phase.delivered, phase.delivered_per_s)
    });
    rows.row("rounds of churn a second", report, |phase| {
        some(phase.churned, phase.churned_per_s)
    });
    rows.row("published MiB a second", report, |phase| {
        (phase.published > 0).then(|| significant(phase.published_mib_per_s))
    });
    rows.row("delivered MiB a second", report, |phase| {
        (phase.delivered > 0).then(|| significant(phase.delivered_mib_per_s))
    });
}

fn latency(rows: &mut Rows, report: &Report, name: &str, of: Of) {
    if report.phases.iter().all(|phase| of(phase).is_none()) {
        return;
    }
    rows.line("");
    rows.line(name);
    let figures: [(&str, Figure); 7] = [
        ("  p50", |latency| latency.p50_us),
        ("  p90", |latency| latency.p90_us),
        ("  p99", |latency| latency.p99_us),
        ("  p99.9", |latency| latency.p99_9_us),
        ("  p99.99", |latency| latency.p99_99_us),
        ("  max", |latency| latency.max_us),
        ("  mean", |latency| latency.mean_us),
    ];
    for (name, figure) in figures {
        rows.row(name, report, |phase| {
            of(phase).map(|latency| duration(figure(latency)))
        });
    }
}

fn cpu(rows: &mut Rows, report: &Report) {
    rows.line("");
    rows.row("CPU seconds per million", report, |phase| {
        Some(phase.cpu.per_million_of.to_owned())
    });
    let three = |value: Option<f64>| value.map(|value| format!("{value:.3}"));
    rows.row("  broker", report, |phase| three(phase.cpu.broker_s_per_million));
    rows.row("  this program", report, |phase| {
        three(phase.cpu.own_s_per_million)
    });
    rows.line("cores in use");
    rows.row("  broker", report, |phase| three(phase.cpu.broker_cores));
    rows.row("  this program", report, |phase| three(Some(phase.cpu.own_cores)));
    let others = match report.phases.iter().any(|phase| phase.cpu.broker_s.is_some()) {
        true => "  others",
        false => "  others, the broker too",
    };
    rows.row(others, report, |phase| three(phase.cpu.other_cores));
}

fn memory(rows: &mut Rows, report: &Report) {
    let memory = &report.memory;
    if memory.broker_mib_before.is_none() {
        return;
    }
    let one = |value: Option<f64>| value.map(|value| format!("{value:.1}"));
    rows.line("");
    rows.line("broker's memory");
    rows.one("  before, MiB", one(memory.broker_mib_before));
    rows.one("  with idle connections, MiB", one(memory.broker_mib_with_idle));
    rows.one("  an idle connection, KiB", one(memory.broker_kib_per_idle));
    rows.one("  most, MiB", one(memory.broker_mib_peak));
}

fn verdict(check: &Check) -> String {
    let mut text = format!(
        "{}: {} published, {} of {} deliveries",
        if check.is_right { "RIGHT" } else { "WRONG" },
        count(check.published as f64),
        count(check.delivered as f64),
        count(check.expected as f64)
    );
    for (number, name) in [
        (check.findings.lost, "lost"),
        (check.findings.duplicated, "duplicated"),
        (check.findings.reordered, "out of order"),
        (check.findings.foreign, "foreign"),
        (check.nacked, "refused"),
        (check.unconfirmed, "not confirmed"),
        (check.misconfirmed, "confirmed wrongly"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {} {name}", count(number as f64)));
        }
    }
    if check.blocked_s > 0.0 {
        text.push_str(&format!(
            "; publishing blocked by the broker for {:.1} s",
            check.blocked_s
        ));
    }
    text
}
