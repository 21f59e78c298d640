//! Figures from a run that never was, and how they look.

use super::*;
use crate::crew::Produced;
use crate::meter::{Counts, Timings, record};
use crate::probe::Look;

fn look(broker_s: Option<f64>, own_s: f64, machine_s: f64) -> Look {
    Look {
        broker_s,
        broker_bytes: broker_s.map(|_| 20 * 1024 * 1024),
        own_s,
        machine_s: Some(machine_s),
    }
}

/// Ten seconds with two million deliveries, which cost the broker 4 s, the load 1 s and others 2 s.
fn phase(broker: bool) -> Phase {
    let mut timings = Timings::default();
    record(&mut timings.delivery, 100_000, 990_000);
    record(&mut timings.delivery, 5_000_000, 10_000);
    Phase {
        name: "run",
        start_ns: 0,
        seconds: 10.0,
        counts: Counts {
            published: 1_000_000,
            published_bytes: 10 << 20,
            delivered: 2_000_000,
            delivered_bytes: 20 << 20,
            ..Counts::default()
        },
        timings,
        before: look(broker.then_some(1.0), 0.5, 100.0),
        after: look(broker.then_some(5.0), 1.5, 107.0),
    }
}

fn outcome(broker: bool) -> Outcome {
    Outcome {
        phases: vec![phase(broker)],
        seconds: vec![phase(broker)],
        counts: phase(broker).counts,
        expected: 2_000_000,
        findings: Findings::default(),
        produced: Produced::default(),
        bytes_before: broker.then_some(10 << 20),
        bytes_idle: broker.then_some(18 << 20),
        bytes_peak: broker.then_some(30 << 20),
    }
}

fn report(outcome: &Outcome, allow_loss: bool) -> Report {
    Report {
        format: FORMAT,
        title: "a <title>".to_owned(),
        warren_version: "0",
        broker: "amqp://guest@h:5672//".to_owned(),
        load: Load {
            producers: 1,
            consumers: 2,
            queues: 2,
            exchange: "fanout",
            bindings: 2,
            producer_connections: 1,
            consumer_connections: 2,
            idle_connections: 1024,
            threads: 2,
            rate: "max".to_owned(),
            persistent: false,
            confirm_window: None,
            auto_ack: true,
            prefetch: 200,
            multi_ack: 1,
            churn: None,
            churners: 0,
            seed: 1,
        },
        phases: outcome.phases.iter().map(PhaseFigures::new).collect(),
        seconds: outcome.seconds.iter().map(SecondFigures::new).collect(),
        memory: Memory::new(1024, outcome),
        check: Check::new(allow_loss, outcome),
    }
}

#[test]
fn costs_are_per_million_deliveries_and_others_are_what_is_left() {
    let cpu = Cpu::new(&phase(true));
    assert_eq!(cpu.per_million_of, "deliveries");
    assert_eq!(
        (cpu.broker_s_per_million, cpu.own_s_per_million),
        (Some(2.0), Some(0.5))
    );
    assert_eq!((cpu.broker_cores, cpu.own_cores), (Some(0.4), 0.1));
    assert_eq!((cpu.other_cores, cpu.is_disturbed), (Some(0.2), Some(true)));
    let mut quiet = phase(true);
    quiet.after.machine_s = Some(105.5);
    assert_eq!(Cpu::new(&quiet).is_disturbed, Some(false));
}

#[test]
fn without_the_brokers_process_nobody_can_say_who_disturbed() {
    let cpu = Cpu::new(&phase(false));
    assert_eq!((cpu.broker_s, cpu.is_disturbed), (None, None));
    assert!(table(&report(&outcome(false), false)).contains("others, the broker too"));
}

#[test]
fn the_denominator_is_what_there_was() {
    let mut unread = phase(true);
    unread.counts.delivered = 0;
    assert_eq!(Cpu::new(&unread).per_million_of, "publishes");
    assert_eq!(Cpu::new(&unread).broker_s_per_million, Some(4.0));
    unread.counts = Counts::default();
    assert_eq!(Cpu::new(&unread).broker_s_per_million, None);
}

#[test]
fn latencies_are_in_microseconds_with_a_curve() {
    let latency = Latency::of(&phase(true).timings.delivery).unwrap();
    let near = |value: f64, expected: f64| (value - expected).abs() <= expected / 500.0;
    assert!(near(latency.p50_us, 100.0) && near(latency.p99_us, 100.0));
    assert!(near(latency.p99_9_us, 5000.0) && near(latency.max_us, 5000.0));
    assert!(latency.curve.is_sorted() && latency.curve.len() > 70);
    assert!(Latency::of(&phase(true).timings.confirm).is_none());
}

type Change = fn(&mut Outcome);

#[test]
fn whatever_is_wrong_is_said_and_makes_the_run_wrong() {
    let wrong: [(&str, Change); 7] = [
        ("3 lost", |outcome| outcome.findings.lost = 3),
        ("3 duplicated", |outcome| outcome.findings.duplicated = 3),
        ("3 out of order", |outcome| outcome.findings.reordered = 3),
        ("3 foreign", |outcome| outcome.findings.foreign = 3),
        ("3 refused", |outcome| outcome.produced.nacked = 3),
        ("3 not confirmed", |outcome| outcome.produced.unconfirmed = 3),
        ("3 confirmed wrongly", |outcome| outcome.produced.misconfirmed = 3),
    ];
    for (said, change) in wrong {
        let mut outcome = outcome(true);
        change(&mut outcome);
        let strict = report(&outcome, false);
        assert!(!strict.is_right(), "{said}");
        assert!(
            table(&strict).contains("WRONG: ") && table(&strict).contains(said),
            "{said}"
        );
        let is_loss = ["3 lost", "3 refused"].contains(&said);
        assert_eq!(report(&outcome, true).is_right(), is_loss, "{said}");
    }
    assert!(report(&outcome(true), false).is_right());
}

#[test]
fn the_table_says_it_all() {
    let table = table(&report(&outcome(true), false));
    for part in [
        "published a second                     100,000",
        "delivered a second                     200,000",
        "  p50                                   100 us",
        "  broker                                 2.000",
        "  an idle connection, KiB                  8.0",
        "RIGHT: 1,000,000 published, 2,000,000 of 2,000,000 deliveries",
        "DISTURBED",
    ] {
        assert!(table.contains(part), "no `{part}` in:\n{table}");
    }
}

#[test]
fn the_page_has_plots_and_needs_nothing_else() {
    let page = page(&report(&outcome(true), false));
    assert!(page.starts_with("<!doctype html>"));
    assert!(page.contains("a &lt;title&gt;") && !page.contains("a <title>"));
    assert_eq!(page.matches("<svg ").count(), 5);
    for elsewhere in ["http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn the_json_has_stable_names() {
    let json = serde_json::to_value(report(&outcome(true), false)).unwrap();
    assert_eq!(json["format"], FORMAT);
    assert_eq!(json["phases"][0]["delivered"], 2_000_000);
    assert_eq!(json["phases"][0]["cpu"]["broker_s_per_million"], 2.0);
    assert_eq!(json["phases"][0]["confirm_latency"], serde_json::Value::Null);
    assert_eq!(json["check"]["lost"], 0);
    assert_eq!(json["check"]["is_right"], true);
    assert_eq!(json["memory"]["broker_kib_per_idle"], 8.0);
}
