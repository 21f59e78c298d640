//! What a run came to, as figures with names: the JSON is this, the table and the page are made from it.

mod html;
mod plot;
mod table;
pub(crate) mod text;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::conductor::{Outcome, Phase};
use crate::crew::Shared;
use crate::ledger::Findings;

pub(crate) use html::page;
pub(crate) use table::table;

/// Cores that other processes may use before a run counts as disturbed.
const OTHER_CORES_MAX: f64 = 0.1;

/// The form of the JSON; it changes when a name or a unit does.
const FORMAT: u32 = 1;

/// A finished run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    format: u32,
    title: String,
    warren_version: &'static str,
    /// Without the password.
    broker: String,
    /// The options, as they were decided.
    load: Load,
    phases: Vec<PhaseFigures>,
    /// About a second each.
    seconds: Vec<SecondFigures>,
    memory: Memory,
    check: Check,
}

#[derive(Debug, Clone, Serialize)]
struct Load {
    producers: usize,
    consumers: usize,
    queues: usize,
    exchange: &'static str,
    bindings: usize,
    producer_connections: usize,
    consumer_connections: usize,
    idle_connections: usize,
    threads: usize,
    rate: String,
    persistent: bool,
    confirm_window: Option<u32>,
    auto_ack: bool,
    prefetch: u16,
    multi_ack: u32,
    churn: Option<&'static str>,
    churners: usize,
    seed: u64,
}

#[derive(Debug, Clone, Serialize)]
struct PhaseFigures {
    name: &'static str,
    seconds: f64,
    published: u64,
    confirmed: u64,
    delivered: u64,
    churned: u64,
    published_per_s: f64,
    confirmed_per_s: f64,
    delivered_per_s: f64,
    churned_per_s: f64,
    published_mib_per_s: f64,
    delivered_mib_per_s: f64,
    /// From when a message was due to its delivery, its confirm, or the end of a round of churn.
    delivery_latency: Option<Latency>,
    confirm_latency: Option<Latency>,
    churn_latency: Option<Latency>,
    cpu: Cpu,
}

#[derive(Debug, Clone, Serialize)]
struct SecondFigures {
    phase: &'static str,
    /// When it ends, since publishing began.
    at_s: f64,
    seconds: f64,
    published_per_s: f64,
    confirmed_per_s: f64,
    delivered_per_s: f64,
    churned_per_s: f64,
    delivery_p50_us: Option<f64>,
    delivery_p99_us: Option<f64>,
    confirm_p50_us: Option<f64>,
    confirm_p99_us: Option<f64>,
    broker_cores: Option<f64>,
    broker_mib: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
struct Latency {
    count: u64,
    min_us: f64,
    mean_us: f64,
    p50_us: f64,
    p90_us: f64,
    p95_us: f64,
    p99_us: f64,
    p99_9_us: f64,
    p99_99_us: f64,
    max_us: f64,
    /// Quantile and microseconds, closer together towards the end, for a plot.
    curve: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Serialize)]
struct Cpu {
    /// What the seconds below are divided by: deliveries; publishes where there are none; else rounds of
    /// churn.
    per_million_of: &'static str,
    broker_s: Option<f64>,
    broker_s_per_million: Option<f64>,
    broker_cores: Option<f64>,
    own_s: f64,
    own_s_per_million: Option<f64>,
    own_cores: f64,
    /// What else ran on the machine; the broker too, if its process was not named.
    other_cores: Option<f64>,
    /// Others used more than a tenth of a core. Said only when the broker's process is named.
    is_disturbed: Option<bool>,
}

#[derive(Debug, Clone, Serialize)]
struct Memory {
    broker_mib_before: Option<f64>,
    broker_mib_with_idle: Option<f64>,
    broker_mib_peak: Option<f64>,
    /// What one idle connection added, in KiB.
    broker_kib_per_idle: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
struct Check {
    is_right: bool,
    published: u64,
    /// Deliveries that the publishes make.
    expected: u64,
    delivered: u64,
    #[serde(flatten)]
    findings: Findings,
    /// Refused by the broker.
    nacked: u64,
    /// Not confirmed in the end.
    unconfirmed: u64,
    /// Confirmed twice, or never published.
    misconfirmed: u64,
    /// The longest that one connection was asked not to publish.
    blocked_s: f64,
}

impl Report {
    pub(crate) fn new(shared: &Shared, outcome: &Outcome) -> Self {
        let (plan, layout) = (&shared.plan, &shared.layout);
        Self {
            format: FORMAT,
            title: plan.title.clone(),
            warren_version: env!("CARGO_PKG_VERSION"),
            broker: format!("{:?}", plan.uri),
            load: Load {
                producers: plan.producers,
                consumers: plan.consumers,
                queues: layout.queues.len(),
                exchange: layout.kind.name(),
                bindings: layout.bindings.len(),
                producer_connections: plan.producer_connections,
                consumer_connections: plan.consumer_connections,
                idle_connections: plan.idle,
                threads: plan.threads,
                rate: plan.rate.to_string(),
                persistent: plan.common.is_persistent,
                confirm_window: plan.confirm,
                auto_ack: plan.auto_ack,
                prefetch: plan.prefetch,
                multi_ack: plan.multi_ack,
                churn: plan.churn.map(|churn| churn.name()),
                churners: plan.churners,
                seed: plan.seed,
            },
            phases: outcome.phases.iter().map(PhaseFigures::new).collect(),
            seconds: outcome.seconds.iter().map(SecondFigures::new).collect(),
            memory: Memory::new(plan.idle, outcome),
            check: Check::new(plan.allow_loss, outcome),
        }
    }

    /// Whether every message came once and in order, and every publish was confirmed.
    pub fn is_right(&self) -> bool {
        self.check.is_right
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

impl PhaseFigures {
    fn new(phase: &Phase) -> Self {
        let counts = phase.counts;
        let per_s = |count: u64| count as f64 / phase.seconds.max(1e-9);
        Self {
            name: phase.name,
            seconds: phase.seconds,
            published: counts.published,
            confirmed: counts.confirmed,
            delivered: counts.delivered,
            churned: counts.churned,
            published_per_s: per_s(counts.published),
            confirmed_per_s: per_s(counts.confirmed),
            delivered_per_s: per_s(counts.delivered),
            churned_per_s: per_s(counts.churned),
            published_mib_per_s: mib(counts.published_bytes) / phase.seconds.max(1e-9),
            delivered_mib_per_s: mib(counts.delivered_bytes) / phase.seconds.max(1e-9),
            delivery_latency: Latency::of(&phase.timings.delivery),
            confirm_latency: Latency::of(&phase.timings.confirm),
            churn_latency: Latency::of(&phase.timings.churn),
            cpu: Cpu::new(phase),
        }
    }
}

impl SecondFigures {
    fn new(second: &Phase) -> Self {
        let per_s = |count: u64| count as f64 / second.seconds.max(1e-9);
        let us = |timings: &Histogram<u64>, quantile| {
            (!timings.is_empty()).then(|| timings.value_at_quantile(quantile) as f64 / 1e3)
        };
        let (before, after) = (second.before, second.after);
        let broker_s = after
            .broker_s
            .zip(before.broker_s)
            .map(|(after, before)| after - before);
        Self {
            phase: second.name,
            at_s: second.start_ns as f64 / 1e9 + second.seconds,
            seconds: second.seconds,
            published_per_s: per_s(second.counts.published),
            confirmed_per_s: per_s(second.counts.confirmed),
            delivered_per_s: per_s(second.counts.delivered),
            churned_per_s: per_s(second.counts.churned),
            delivery_p50_us: us(&second.timings.delivery, 0.5),
            delivery_p99_us: us(&second.timings.delivery, 0.99),
            confirm_p50_us: us(&second.timings.confirm, 0.5),
            confirm_p99_us: us(&second.timings.confirm, 0.99),
            broker_cores: broker_s.map(|seconds| seconds / second.seconds.max(1e-9)),
            broker_mib: after.broker_bytes.map(mib),
        }
    }
}

impl Latency {
    fn of(timings: &Histogram<u64>) -> Option<Self> {
        if timings.is_empty() {
            return None;
        }
        let us = |quantile| timings.value_at_quantile(quantile) as f64 / 1e3;
        Some(Self {
            count: timings.len(),
            min_us: timings.min() as f64 / 1e3,
            mean_us: timings.mean() / 1e3,
            p50_us: us(0.5),
            p90_us: us(0.9),
            p95_us: us(0.95),
            p99_us: us(0.99),
            p99_9_us: us(0.999),
            p99_99_us: us(0.9999),
            max_us: timings.max() as f64 / 1e3,
            curve: curve(timings.len())
                .map(|quantile| (quantile, us(quantile)))
                .collect(),
        })
    }
}

/// Quantiles four to each halving of what is left, as long as a message is left.
fn curve(count: u64) -> impl Iterator<Item = f64> {
    (0..4 * 30)
        .map(|step| 1.0 - 0.5_f64.powf(f64::from(step) / 4.0))
        .take_while(move |quantile| (1.0 - quantile) * count as f64 >= 1.0)
}

impl Cpu {
    fn new(phase: &Phase) -> Self {
        let (before, after, counts) = (phase.before, phase.after, phase.counts);
        let (per_million_of, count) = match (counts.delivered, counts.published) {
            (0, 0) => ("rounds", counts.churned),
            (0, published) => ("publishes", published),
            (delivered, _) => ("deliveries", delivered),
        };
        let past = |of: fn(&crate::probe::Look) -> Option<f64>| Some(of(&after)? - of(&before)?);
        let per_million = |seconds: f64| (count > 0).then(|| seconds / count as f64 * 1e6);
        let cores = |seconds: f64| seconds / phase.seconds.max(1e-9);
        let broker_s = past(|look| look.broker_s);
        let own_s = after.own_s - before.own_s;
        let machine_s = past(|look| look.machine_s);
        let other_cores =
            machine_s.map(|machine_s| cores((machine_s - own_s - broker_s.unwrap_or(0.0)).max(0.0)));
        Self {
            per_million_of,
            broker_s,
            broker_s_per_million: broker_s.and_then(per_million),
            broker_cores: broker_s.map(cores),
            own_s,
            own_s_per_million: per_million(own_s),
            own_cores: cores(own_s),
            other_cores,
            is_disturbed: broker_s.and(other_cores).map(|cores| cores > OTHER_CORES_MAX),
        }
    }
}

impl Memory {
    fn new(idle: usize, outcome: &Outcome) -> Self {
        let added = outcome.bytes_idle.zip(outcome.bytes_before);
        Self {
            broker_mib_before: outcome.bytes_before.map(mib),
            broker_mib_with_idle: outcome.bytes_idle.map(mib),
            broker_mib_peak: outcome.bytes_peak.map(mib),
            broker_kib_per_idle: added
                .map(|(with, before)| with.saturating_sub(before) as f64 / 1024.0 / idle.max(1) as f64),
        }
    }
}

impl Check {
    fn new(allow_loss: bool, outcome: &Outcome) -> Self {
        let (findings, produced) = (outcome.findings, &outcome.produced);
        let wrong = findings.duplicated
            + findings.reordered
            + findings.foreign
            + produced.unconfirmed
            + produced.misconfirmed;
        let missing = findings.lost + produced.nacked;
        Self {
            is_right: wrong == 0 && (missing == 0 || allow_loss),
            published: outcome.counts.published,
            expected: outcome.expected,
            delivered: outcome.counts.delivered,
            findings,
            nacked: produced.nacked,
            unconfirmed: produced.unconfirmed,
            misconfirmed: produced.misconfirmed,
            blocked_s: produced.blocked_ns as f64 / 1e9,
        }
    }
}

#[cfg(test)]
mod tests;
