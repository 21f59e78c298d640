//! How throughput grows with the number of connections, queues, consumers, bindings, and messages that wait.
//! Warren alone: one line of a plot each.

use super::figures::{CONFIRMED, COST, Figure, PEAK, RATE, THROUGH, THROUGH_COST};
use super::row::{Kind, Row, row};

/// Points over one axis.
pub(super) struct Series {
    /// What `--only` has, and the document's template.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What the axis counts.
    pub(super) axis: &'static str,
    /// Rows named `NAME/X`, with what stands at the axis.
    pub(super) points: Vec<(String, Row)>,
    /// All are in the table, the first two are plotted.
    pub(super) figures: Vec<&'static Figure>,
}

pub(super) fn all() -> Vec<Series> {
    vec![
        series(
            "pairs",
            "as many producers, consumers and queues, a connection each",
            "queues",
        )
        .over(&[1, 10, 100, 1000], |n| {
            format!("-p {n} -c {n} -q {n} --auto-ack --time 5")
        }),
        series(
            "spread",
            "one producer and one consumer over queues, persistent, confirmed",
            "queues",
        )
        .over(&[1, 10, 100, 1000], |n| {
            format!("-q {n} --persistent --confirm 1000 --time 5")
        })
        .and(&CONFIRMED),
        series(
            "consumers",
            "consumers of one queue, prefetch 200, one ack for 50",
            "consumers",
        )
        .over(&[1, 10, 100, 1000], |n| format!("-c {n} --multi-ack 50 --time 5")),
        series(
            "bindings",
            "topic bindings with wildcards, 5,000 random keys, 100 B, one queue, auto-ack",
            "bindings",
        )
        .over(&[1, 10, 100, 1000, 10_000, 100_000], |n| {
            format!("-e topic -b {n} --keys 5000 --size 100 --auto-ack --time 5")
        }),
        series(
            "keys",
            "bindings of a direct exchange, 5,000 of their keys, 100 B, one queue, auto-ack",
            "bindings",
        )
        .over(&[1, 10, 100, 1000, 10_000, 100_000], |n| {
            format!("-e direct -b {n} --keys 5000 --size 100 --auto-ack --time 5")
        }),
        depth(),
    ]
}

/// Messages go through a queue in which others wait: each that is consumed is as old as the backlog is long.
fn depth() -> Series {
    let mut depth = series(
        "depth",
        "through a queue with a backlog, 100 B persistent, confirmed",
        "backlog",
    );
    for waiting in [0_u64, 10_000, 100_000, 1_000_000, 10_000_000] {
        let through = |verb: &str| format!("{verb} --count 2000000");
        let point = row(&format!("depth/{waiting}"), GROWTH, depth.title)
            .only(&[Kind::Warren])
            // One message more, so that there is a queue.
            .null(
                "before",
                &format!("fill --count {} --size 100 --confirm 10000", waiting + 1),
            )
            .both(
                ("in", &format!("{} --size 100 --confirm 10000", through("fill"))),
                ("through", &format!("{} --ack 100", through("drain"))),
            );
        depth.points.push((label(waiting), point));
    }
    depth.figures = vec![&THROUGH, &THROUGH_COST];
    depth
}

/// The group of all points.
pub(super) const GROWTH: &str = "growth";

fn series(name: &'static str, title: &'static str, axis: &'static str) -> Series {
    Series {
        name,
        title,
        axis,
        points: Vec::new(),
        figures: vec![&RATE, &COST, &PEAK],
    }
}

impl Series {
    fn over(mut self, numbers: &[u64], line: impl Fn(u64) -> String) -> Self {
        for number in numbers {
            let name = format!("{}/{number}", self.name);
            let point = row(&name, GROWTH, self.title)
                .only(&[Kind::Warren])
                .bench(&line(*number));
            self.points.push((label(*number), point));
        }
        self
    }

    fn and(mut self, figure: &'static Figure) -> Self {
        self.figures.push(figure);
        self
    }
}

/// As it stands at the axis.
fn label(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        1000..1_000_000 => format!("{}k", number / 1000),
        _ => format!("{}M", number / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_belongs_to_its_series() {
        for series in all() {
            assert!(
                series.points.len() > 2 && series.figures.len() > 1,
                "{}",
                series.name
            );
            assert!(series.points.iter().all(|(_, row)| row.answers_to(series.name)));
        }
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(
            [0, 999, 1000, 100_000, 10_000_000].map(label),
            ["0", "999", "1k", "100k", "10M"]
        );
    }
}
