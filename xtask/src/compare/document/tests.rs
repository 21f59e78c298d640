//! A document from results that never were.

use super::super::figures::{COST, RATE};
use super::super::growth;
use super::super::profile::{Calls, PAGE_FAULTS, Profile, Samples};
use super::super::results::tests::run;
use super::super::row::row;
use super::*;

fn rows() -> Vec<Row> {
    vec![
        row("one", "throughput", "First")
            .bench("--size 16")
            .lower(&COST, 50.0)
            .near(&COST, 3.0),
        row("two", "throughput", "Second")
            .without_null()
            .bench("--size 17")
            .serve("--no-data-dir"),
    ]
}

fn results() -> Results {
    let mut disturbed = run(
        Kind::Warren,
        1,
        &[(RATE.key, 2e6), (COST.key, 0.5), ("run.own_c", 0.6)],
    );
    disturbed.is_disturbed = true;
    let failed = super::super::results::Run {
        failure: Some("no".to_owned()),
        ..run(Kind::Null, 1, &[])
    };
    let runs = vec![
        disturbed,
        run(
            Kind::Warren,
            2,
            &[(RATE.key, 1e6), (COST.key, 0.3), ("run.own_c", 0.2)],
        ),
        run(Kind::RabbitMq, 1, &[(RATE.key, 1e5), (COST.key, 24.0)]),
        failed,
    ];
    let mut results = Results {
        machine: "a machine".to_owned(),
        ..Results::default()
    };
    let measured = Measured {
        warren: "abc".to_owned(),
        date: "2026-11-27".to_owned(),
        runs,
        profile: None,
    };
    results.rows.insert("one".to_owned(), measured);
    results
}

fn filled(template: &str) -> Result<String, String> {
    let (results, rows) = (results(), rows());
    let document = Document {
        results: &results,
        rows: &rows,
        series: &[],
    };
    document.fill(template)
}

#[test]
fn marks_become_figures_and_the_rest_stays() {
    assert_eq!(
        filled("On {{machine}}. Braces } stay.").unwrap(),
        "On a machine. Braces } stay."
    );
    assert_eq!(filled("{{value one warren run.c}}").unwrap(), "0.400");
    assert_eq!(filled("{{value two rabbitmq run.c}}").unwrap(), "-");
    assert_eq!(filled("{{versions}}").unwrap(), "abc of 2026-11-27");
    for wrong in [
        "{{",
        "{{what}}",
        "{{figures x}}",
        "{{series x}}",
        "{{value x warren run.c}}",
        "{{value one a b}}",
        "{{share x kernel}}",
        "{{calls x all}}",
    ] {
        assert!(filled(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn targets_say_what_was_reached_and_what_was_missed() {
    assert_eq!(
        filled("{{targets}}").unwrap(),
        "| scenario | against RabbitMQ | against the limit |\n|---|---|---|\n\
         | First | C 50 times lower: **60.0** | C at most 3 times: not measured |"
    );
    assert_eq!(filled("{{score}}").unwrap(), "1 of 2 targets are reached");
}

#[test]
fn figures_have_medians_spreads_and_marks() {
    assert_eq!(
        filled("{{figures throughput}}").unwrap(),
        "| scenario | broker | msg/s | C | C of the load | C / Warren's |\n|---|---|---|---|---|---|\n\
         | First | Warren~ | 1,500,000 (1,000,000 to 2,000,000) | 0.400 (0.300 to 0.500) \
         | 0.400 (0.200 to 0.600) | 1.00 |\n\
         | First | RabbitMQ | 100,000 | 24.0 | - | 60.0 |\n\
         | First | null broker | failed | failed | failed | - |\n\
         | Second | Warren | - | - | - | - |\n\
         | Second | RabbitMQ | - | - | - | - |"
    );
}

#[test]
fn a_load_that_costs_more_than_the_broker_is_marked() {
    let mut results = results();
    let runs = &mut results.rows.get_mut("one").unwrap().runs;
    runs[1].figures.insert("run.own_c".to_owned(), 0.7);
    assert_eq!(
        cell(&results.rows["one"], Kind::Warren, &figures::LOAD_COST),
        "0.650 (0.600 to 0.700)*"
    );
}

#[test]
fn a_series_is_plotted_and_listed() {
    let series = growth::all();
    let mut results = Results::default();
    for (place, (_, row)) in series[0].points.iter().enumerate().take(2) {
        let runs = vec![run(
            Kind::Warren,
            1,
            &[(RATE.key, 1000.0 * (place + 1) as f64), (COST.key, 0.5)],
        )];
        let measured = Measured {
            runs,
            ..Measured::default()
        };
        results.rows.insert(row.name.clone(), measured);
    }
    let document = Document {
        results: &results,
        rows: &[],
        series: &series,
    };
    let text = document.fill("{{series pairs}}").unwrap();
    assert_eq!(text.matches("xychart-beta").count(), 2, "{text}");
    assert!(
        text.contains("line [1.00, 2.00]") && text.contains("| 10 | 2,000 | 0.500 | - |"),
        "{text}"
    );
    assert!(text.contains("| 1k | - | - | - |"), "{text}");
}

fn profile() -> Profile {
    let samples = Samples {
        all: 1000,
        kernel: [("sendto", 300), ("futex", 1), (PAGE_FAULTS, 99)]
            .map(|(name, count)| (name.to_owned(), count))
            .into(),
        functions: [("copy", 400), ("route", 45)]
            .map(|(name, count)| (name.to_owned(), count))
            .into(),
    };
    let calls = Calls {
        of: "message".to_owned(),
        by_name: [("sendto", 1.0), ("recvfrom", 0.25), ("futex", 0.0001)]
            .map(|(name, count)| (name.to_owned(), count))
            .into(),
        all: 1.3,
        wakeups: 0.5,
        switches: 0.0,
    };
    Profile {
        warren: "abc".to_owned(),
        date: "2026-11-28".to_owned(),
        samples,
        calls: Some(calls),
    }
}

fn filled_with(profile: Profile, template: &str) -> String {
    let (mut results, rows) = (results(), rows());
    results.rows.get_mut("one").unwrap().profile = Some(profile);
    let document = Document {
        results: &results,
        rows: &rows,
        series: &[],
    };
    document.fill(template).unwrap()
}

#[test]
fn a_profile_is_a_table() {
    assert_eq!(
        filled_with(profile(), "{{profiles}}"),
        "### First\n\n1,000 samples of `one`. For each message: 0.500 wake-ups of threads, the clients' \
         among them, and 0 switches of the broker's threads.\n\n\
         | where | samples | calls for each message |\n|---|---|---|\n\
         | **kernel** | 40 % | 1.30 |\n\
         | `sendto` | 30 % | 1.00 |\n\
         | `recvfrom` | 0.0 % | 0.250 |\n\
         | other calls | 0.1 % | 0.050 |\n\
         | page faults | 9.9 % | - |\n\
         | **user space** | 60 % | - |\n\
         | `copy` | 40 % | - |\n\
         | `route` | 4.5 % | - |\n\
         | other functions | 16 % | - |"
    );
    assert_eq!(filled("{{profiles}}").unwrap(), "No profile was made.");
}

#[test]
fn a_profile_without_calls_and_of_another_commit_says_so() {
    let other = Profile {
        warren: "def".to_owned(),
        calls: None,
        ..profile()
    };
    let text = filled_with(other, "{{profiles}}");
    let head = "1,000 samples of `one`. The profile is of def of 2026-11-28, its figures are of abc.\n\n";
    assert!(text.contains(head), "{text}");
    assert!(
        text.contains("| `sendto` | 30 % | - |") && !text.contains("recvfrom"),
        "{text}"
    );
}

#[test]
fn shares_and_calls_stand_in_sentences() {
    let sentence =
        "{{share one kernel}} of {{share one page faults}}; {{calls one sendto}}, {{calls one all}}";
    assert_eq!(filled_with(profile(), sentence), "40 % of 9.9 %; 1.00, 1.30");
    assert_eq!(filled(sentence).unwrap(), "- of -; -, -");
}

#[test]
fn the_template_has_no_mark_that_means_nothing_and_leaves_no_row_out() {
    let (rows, series) = (super::super::single_rows(), growth::all());
    let document = Document {
        results: &Results::default(),
        rows: &rows,
        series: &series,
    };
    let text = document.fill(super::super::TEMPLATE).unwrap();
    assert!(!text.contains("{{") && !text.contains("}}"));
    let has = |kind: &str, name: &str| super::super::TEMPLATE.contains(&format!("{{{{{kind} {name}}}}}"));
    assert!(rows.iter().all(|row| has("figures", row.group)));
    assert!(series.iter().all(|series| has("series", series.name)));
}
