//! Figures: numbers with a key, a name and a unit; how they are read from what the loads print, and how they
//! look.
//!
//! Keys come from the loads. `warren bench` gives `PHASE.FIGURE`, such as `run.c`, and `memory.FIGURE`; the
//! null broker's program the names of its JSON; a step with a name puts that in front.

use std::collections::BTreeMap;

use serde_json::Value;

/// What one run measured, by key.
pub(super) type Figures = BTreeMap<String, f64>;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    PerSecond,
    /// CPU seconds for a million messages.
    CpuSeconds,
    /// One figure as so many of another.
    Times,
    Microseconds,
    Milliseconds,
    Mib,
    Kib,
    Bytes,
    Count,
}

/// A figure of the document.
#[derive(Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) key: &'static str,
    /// The head of its column.
    pub(super) name: &'static str,
    pub(super) unit: Unit,
}

macro_rules! figures {
    ($($constant:ident = $key:literal, $name:literal, $unit:ident;)*) => {
        $(pub(super) static $constant: Figure = Figure { key: $key, name: $name, unit: Unit::$unit };)*
        /// All of them, for who looks one up by its key.
        pub(super) static ALL: &[&Figure] = &[$(&$constant),*];
    };
}

figures! {
    RATE = "run.delivered_per_s", "msg/s", PerSecond;
    COST = "run.c", "C", CpuSeconds;
    LOAD_COST = "run.own_c", "C of the load", CpuSeconds;
    P50 = "run.delivery_p50_us", "p50", Microseconds;
    P99 = "run.delivery_p99_us", "p99", Microseconds;
    P999 = "run.delivery_p99_9_us", "p99.9", Microseconds;
    CONFIRM_P50 = "run.confirm_p50_us", "confirm p50", Microseconds;
    CONFIRM_P99 = "run.confirm_p99_us", "confirm p99", Microseconds;
    CONFIRM_P999 = "run.confirm_p99_9_us", "confirm p99.9", Microseconds;
    SYNC_RATE = "sync.syncs_per_s", "fdatasync/s", PerSecond;
    SYNC_P50 = "sync.p50_us", "fdatasync p50", Microseconds;
    SYNC_P99 = "sync.p99_us", "fdatasync p99", Microseconds;
    SYNC_DUE_P99 = "sync.due_p99_us", "fdatasync p99 from due", Microseconds;
    CONFIRMED = "run.confirmed_per_s", "confirmed/s", PerSecond;
    START = "start_ms", "first handshake", Milliseconds;
    IDLE = "idle.mib", "idle process", Mib;
    PER_IDLE = "memory.kib_per_idle", "an idle connection", Kib;
    CHURNED = "run.churned_per_s", "connections/s", PerSecond;
    CHURN_P99 = "run.churn_p99_us", "p99 of a round", Microseconds;
    PEAK = "memory.peak_mib", "most memory", Mib;
    BUILD = "build.confirmed_per_s", "built/s", PerSecond;
    BUILD_COST = "build.c", "C of building", CpuSeconds;
    DRAIN = "drain.delivered_per_s", "drained/s", PerSecond;
    DRAIN_COST = "drain.c", "C of draining", CpuSeconds;
    THROUGH = "through.per_s", "msg/s through it", PerSecond;
    THROUGH_COST = "through.broker_cpu_s_per_M", "C, publishing included", CpuSeconds;
    FILLED = "fill.per_s", "built, confirmed/s", PerSecond;
    FILL_PEAK = "fill.rss_most_MiB", "most memory", Mib;
    RESTARTED = "restart_ms", "kill -9, first handshake after", Milliseconds;
    FIRST = "drain.first_ms", "first message after a consumer came", Milliseconds;
    RESTARTED_MEMORY = "restarted.mib", "memory 2 s after", Mib;
    DRAINED = "drain.per_s", "drained/s", PerSecond;
    FULL_EXTENTS = "full.extents_bytes", "octets in extents", Bytes;
    FULL_LOG = "full.log_bytes", "octets of the log", Bytes;
    END_EXTENTS = "end.extents_files", "extents 3 s after", Count;
    PER_QUEUE = "queue.bytes", "memory of a queue, octets", Bytes;
    ROUND_FILES = "round.extents_files", "most extents", Count;
    ROUND_EXTENTS = "round.extents_bytes", "most octets in extents", Bytes;
    ROUND_LOG = "round.log_bytes", "most octets of the log", Bytes;
    SLOW_RATE = "slow.run.published_per_s", "published/s", PerSecond;
    SLOW_PEAK = "slow.memory.peak_mib", "most memory", Mib;
    ALONE_RATE = "alone.run.delivered_per_s", "another queue alone, msg/s", PerSecond;
    ALONE_P50 = "alone.run.delivery_p50_us", "its p50", Microseconds;
    ALONE_P99 = "alone.run.delivery_p99_us", "its p99", Microseconds;
    BESIDE_RATE = "beside.run.delivered_per_s", "beside it, msg/s", PerSecond;
    BESIDE_P50 = "beside.run.delivery_p50_us", "p50", Microseconds;
    BASE_RATE = "base.run.published_per_s", "without it, published/s", PerSecond;
    BASE_COST = "base.run.c", "C without it", CpuSeconds;
    WITH_RATE = "with.run.published_per_s", "with it, published/s", PerSecond;
    WITH_COST = "with.run.c", "C with it", CpuSeconds;
    TIMES = "times", "C, times", Times;
    BESIDE_P99 = "beside.run.delivery_p99_us", "p99", Microseconds;
}

/// The figures of `warren bench --json`, and whether other processes disturbed it.
///
/// # Errors
/// When it is no such JSON.
pub(super) fn of_bench(text: &str) -> Result<(Figures, bool), String> {
    let json: Value = serde_json::from_str(text).map_err(|error| format!("the load's JSON: {error}"))?;
    let phases = json.get("phases").and_then(Value::as_array);
    let phases = phases.ok_or("the load's JSON has no phases")?;
    let mut figures = Figures::new();
    let mut is_disturbed = false;
    for phase in phases {
        let name = phase.get("name").and_then(Value::as_str).unwrap_or("run");
        let mut note = |key: &str, value: Option<&Value>| {
            if let Some(value) = value.and_then(Value::as_f64) {
                figures.insert(format!("{name}.{key}"), value);
            }
        };
        for rate in ["published", "confirmed", "delivered", "churned"].map(|what| format!("{what}_per_s")) {
            // What was not done has no rate.
            let value = phase.get(&rate).filter(|value| value.as_f64() > Some(0.0));
            note(&rate, value);
        }
        note("delivered_mib_per_s", phase.get("delivered_mib_per_s"));
        for what in ["delivery", "confirm", "churn"] {
            let latency = phase.get(format!("{what}_latency"));
            for quantile in ["p50_us", "p99_us", "p99_9_us", "max_us"] {
                let value = latency.and_then(|latency| latency.get(quantile));
                note(&format!("{what}_{quantile}"), value);
            }
        }
        let cpu = |key: &str| phase.get("cpu").and_then(|cpu| cpu.get(key));
        note("c", cpu("broker_s_per_million"));
        note("own_c", cpu("own_s_per_million"));
        note("broker_cores", cpu("broker_cores"));
        note("other_cores", cpu("other_cores"));
        is_disturbed |= cpu("is_disturbed").and_then(Value::as_bool).unwrap_or(false);
    }
    for (key, source) in [
        ("before_mib", "broker_mib_before"),
        ("peak_mib", "broker_mib_peak"),
        ("kib_per_idle", "broker_kib_per_idle"),
    ] {
        let value = json.get("memory").and_then(|memory| memory.get(source));
        if let Some(value) = value.and_then(Value::as_f64) {
            figures.insert(format!("memory.{key}"), value);
        }
    }
    Ok((figures, is_disturbed))
}

/// The figures of what the null broker's program prints: objects of numbers, one a line.
///
/// # Errors
/// When there is none.
pub(super) fn of_null(text: &str) -> Result<Figures, String> {
    let mut figures = Figures::new();
    for line in text.lines() {
        let Ok(Value::Object(object)) = serde_json::from_str(line) else {
            continue;
        };
        figures.extend(
            object
                .into_iter()
                .filter_map(|(key, value)| Some((key, value.as_f64()?))),
        );
    }
    match figures.is_empty() {
        true => Err(format!("no figures in `{}`", text.trim())),
        false => Ok(figures),
    }
}

/// Adds figures under a step's name; of figures with one key the larger stays.
pub(super) fn merge(into: &mut Figures, name: &str, from: Figures) {
    for (key, value) in from {
        let key = if name.is_empty() {
            key
        } else {
            format!("{name}.{key}")
        };
        let known = into.entry(key).or_insert(value);
        *known = known.max(value);
    }
}

impl Unit {
    /// A number as the document shows it, without its unit where the column says it.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Unit::PerSecond | Unit::Count | Unit::Bytes => grouped(value),
            Unit::CpuSeconds | Unit::Times => three_digits(value),
            Unit::Microseconds => format!("{} us", grouped(value)),
            Unit::Milliseconds => format!("{} ms", three_digits(value)),
            Unit::Mib => format!("{} MiB", three_digits(value)),
            Unit::Kib => format!("{} KiB", three_digits(value)),
        }
    }
}

/// Whole, with commas.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

/// Three digits that count, more where there are more before the point.
pub(super) fn three_digits(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => grouped(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BENCH: &str = r#"{
        "phases": [{
            "name": "run", "published_per_s": 10.5, "delivered_per_s": 20.0, "churned_per_s": 0.0,
            "delivery_latency": {"p50_us": 98.0, "p99_us": 532.0, "p99_9_us": 600.0, "max_us": 700.0},
            "confirm_latency": null,
            "cpu": {"broker_s_per_million": 0.85, "own_s_per_million": 0.4, "broker_cores": 0.5,
                    "other_cores": 0.2, "is_disturbed": true}
        }],
        "memory": {"broker_mib_before": 9.0, "broker_mib_peak": 12.0, "broker_kib_per_idle": null}
    }"#;

    #[test]
    fn figures_of_a_bench_have_the_phase_in_front() {
        let (figures, is_disturbed) = of_bench(BENCH).unwrap();
        assert!(is_disturbed);
        for (figure, value) in [
            (&RATE, 20.0),
            (&COST, 0.85),
            (&LOAD_COST, 0.4),
            (&P99, 532.0),
            (&PEAK, 12.0),
        ] {
            assert_eq!(figures.get(figure.key), Some(&value), "{}", figure.key);
        }
        assert!(!figures.contains_key(CHURNED.key));
        assert!(!figures.contains_key(CONFIRM_P50.key) && !figures.contains_key(PER_IDLE.key));
        assert!(of_bench("{}").is_err() && of_bench("").is_err());
    }

    #[test]
    fn figures_of_the_null_broker_are_its_lines_together() {
        let figures = of_null("{\"fill\":5,\"per_s\":7.5,\"kind\":\"x\"}\nnoise\n{\"rss\":1}\n").unwrap();
        assert_eq!(figures.get("per_s"), Some(&7.5));
        assert_eq!(figures.get("rss"), Some(&1.0));
        assert_eq!(figures.len(), 3);
        assert!(of_null("broken").is_err());
    }

    #[test]
    fn a_name_comes_in_front_and_the_larger_stays() {
        let mut figures = Figures::new();
        merge(&mut figures, "disk", Figures::from([("bytes".to_owned(), 5.0)]));
        merge(&mut figures, "disk", Figures::from([("bytes".to_owned(), 3.0)]));
        merge(&mut figures, "", Figures::from([("c".to_owned(), 1.0)]));
        assert_eq!(
            figures,
            Figures::from([("disk.bytes".to_owned(), 5.0), ("c".to_owned(), 1.0)])
        );
    }

    #[test]
    fn numbers_are_shown_with_what_counts_of_them() {
        assert_eq!(Unit::PerSecond.show(1_234_567.4), "1,234,567");
        assert_eq!(Unit::CpuSeconds.show(0.0812), "0.081");
        assert_eq!(Unit::CpuSeconds.show(24.06), "24.1");
        assert_eq!(Unit::Microseconds.show(532.4), "532 us");
        assert_eq!(Unit::Milliseconds.show(3456.7), "3,457 ms");
        assert_eq!(grouped(-1234.0), "-1,234");
        assert_eq!(grouped(0.4), "0");
    }

    #[test]
    fn keys_are_unique() {
        let mut keys: Vec<&str> = ALL.iter().map(|figure| figure.key).collect();
        keys.sort_unstable();
        assert!(keys.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
