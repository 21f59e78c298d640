//! Whether a row reached what it has to: a target, what came out, yes or no.

use super::figures::{Figure, Unit, three_digits};
use super::results::Results;
use super::row::{Kind, Row, Target};

/// What became of a target.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    /// What was asked, in words.
    pub(super) wanted: String,
    /// What there is, in the same measure; nothing where a figure is missing.
    pub(super) reached: Option<String>,
    pub(super) is_reached: bool,
}

/// Of which comparison a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    RabbitMq,
    /// The null broker, the disk, or a plain number.
    Limit,
}

/// Whether a row was measured and did not reach all that it has to.
pub(super) fn is_missed(row: &Row, results: &Results) -> bool {
    let mut verdicts = row.targets.iter().map(|target| target.judge(row, results));
    verdicts.any(|verdict| verdict.reached.is_some() && !verdict.is_reached)
}

impl Target {
    pub(super) fn against(&self) -> Against {
        match self {
            Target::Lower { .. } | Target::Higher { .. } => Against::RabbitMq,
            _ => Against::Limit,
        }
    }

    pub(super) fn judge(&self, row: &Row, results: &Results) -> Verdict {
        let of = |broker: Kind, figure: &Figure| results.median(&row.name, broker, figure.key);
        let warren = |figure: &Figure| of(Kind::Warren, figure);
        let ratio = |over: Option<f64>, under: Option<f64>| over.zip(under).map(|(over, under)| over / under);
        let difference =
            |more: Option<f64>, less: Option<f64>| more.zip(less).map(|(more, less)| more - less);
        match *self {
            Target::Lower { figure, times } => {
                let is = ratio(of(Kind::RabbitMq, figure), warren(figure));
                Verdict::least(
                    format!("{} {times} times lower", figure.name),
                    is,
                    times,
                    times_text,
                )
            }
            Target::Higher { figure, times } => {
                let is = ratio(warren(figure), of(Kind::RabbitMq, figure));
                Verdict::least(
                    format!("{} {times} times higher", figure.name),
                    is,
                    times,
                    times_text,
                )
            }
            Target::Near { figure, times } => {
                let is = ratio(warren(figure), of(Kind::Null, figure));
                Verdict::most(
                    format!("{} at most {times} times", figure.name),
                    is,
                    times,
                    times_text,
                )
            }
            Target::Beyond { figure, more } => {
                let is = difference(warren(figure), of(Kind::Null, figure));
                let wanted = format!("{} within {}", figure.name, figure.unit.show(more));
                Verdict::most(wanted, is, more, |value| figure.unit.show(value))
            }
            Target::Over { figure, of, more } => {
                let is = difference(warren(figure), warren(of));
                let wanted = format!("{} within {} of {}", figure.name, figure.unit.show(more), of.name);
                Verdict::most(wanted, is, more, |value| figure.unit.show(value))
            }
            Target::Part { figure, of, part } => {
                let is = ratio(warren(figure), warren(of));
                let percent = |value: f64| format!("{:.0} %", value * 100.0);
                let wanted = format!("{} at least {} of {}", figure.name, percent(part), of.name);
                Verdict::least(wanted, is, part, percent)
            }
            Target::AtLeast { figure, value } => {
                let wanted = format!("{} at least {}", figure.name, shown(figure, value));
                Verdict::least(wanted, warren(figure), value, |value| shown(figure, value))
            }
            Target::AtMost { figure, value } => {
                let wanted = format!("{} at most {}", figure.name, shown(figure, value));
                Verdict::most(wanted, warren(figure), value, |value| shown(figure, value))
            }
        }
    }
}

fn shown(figure: &Figure, value: f64) -> String {
    match figure.unit {
        // Bounds are round numbers; three digits of them would look exact.
        Unit::Milliseconds if value >= 10.0 => format!("{value:.0} ms"),
        unit => unit.show(value),
    }
}

fn times_text(value: f64) -> String {
    three_digits(value)
}

impl Verdict {
    fn least(wanted: String, is: Option<f64>, least: f64, show: impl Fn(f64) -> String) -> Self {
        Self {
            wanted,
            reached: is.map(show),
            is_reached: is.is_some_and(|is| is >= least),
        }
    }

    fn most(wanted: String, is: Option<f64>, most: f64, show: impl Fn(f64) -> String) -> Self {
        Self {
            wanted,
            reached: is.map(show),
            is_reached: is.is_some_and(|is| is <= most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::{CONFIRM_P50, COST, P50, RATE, SYNC_P50};
    use super::super::results::{Measured, tests::run};
    use super::super::row::row;
    use super::*;

    fn results() -> Results {
        let mut results = Results::default();
        let runs = vec![
            run(
                Kind::Warren,
                1,
                &[
                    ("run.c", 0.5),
                    ("run.delivered_per_s", 2e6),
                    ("run.delivery_p50_us", 120.0),
                    ("run.confirm_p50_us", 250.0),
                    ("sync.p50_us", 90.0),
                ],
            ),
            run(
                Kind::RabbitMq,
                1,
                &[("run.c", 25.0), ("run.delivered_per_s", 4e5)],
            ),
            run(Kind::Null, 1, &[("run.c", 0.4), ("run.delivery_p50_us", 70.0)]),
        ];
        let measured = Measured {
            runs,
            ..Measured::default()
        };
        results.rows.insert("r".to_owned(), measured);
        results
    }

    fn judged(row: Row) -> Vec<(String, bool)> {
        let results = results();
        let verdicts = row.targets.iter().map(|target| target.judge(&row, &results));
        verdicts
            .map(|verdict| (verdict.reached.unwrap_or_default(), verdict.is_reached))
            .collect()
    }

    fn is(text: &str, is_reached: bool) -> (String, bool) {
        (text.to_owned(), is_reached)
    }

    #[test]
    fn ratios_are_reached_at_the_bound_and_not_below() {
        let row = row("r", "g", "t")
            .lower(&COST, 50.0)
            .lower(&COST, 50.1)
            .higher(&RATE, 5.0)
            .higher(&RATE, 6.0);
        let expected = [
            is("50.0", true),
            is("50.0", false),
            is("5.00", true),
            is("5.00", false),
        ];
        assert!(is_missed(&row, &results()));
        assert_eq!(judged(row), expected);
    }

    #[test]
    fn limits_are_of_the_null_broker_the_disk_and_numbers() {
        let row = row("r", "g", "t")
            .near(&COST, 1.25)
            .beyond(&P50, 49.0)
            .over(&CONFIRM_P50, &SYNC_P50, 160.0)
            .at_least(&RATE, 2e6)
            .at_most(&P50, 100.0)
            .part(&P50, &CONFIRM_P50, 0.5);
        assert!(
            row.targets
                .iter()
                .all(|target| target.against() == Against::Limit)
        );
        let expected = [
            is("1.25", true),
            is("50 us", false),
            is("160 us", true),
            is("2,000,000", true),
            is("120 us", false),
            is("48 %", false),
        ];
        assert_eq!(judged(row), expected);
    }

    #[test]
    fn what_was_not_measured_is_not_reached() {
        let mut row = row("r", "g", "t").near(&RATE, 1.0);
        assert_eq!(judged(row.clone()), [is("", false)]);
        assert!(!is_missed(&row, &results()));
        row.name = "other".to_owned();
        assert_eq!(judged(row), [is("", false)]);
    }
}
