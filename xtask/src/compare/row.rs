//! What a row of the comparison is: a load, the brokers that get it, and what Warren has to reach with it.
//!
//! `rows.rs`, `features.rs`, `store.rs` and `growth.rs` are the rows; here is their language.

use serde::{Deserialize, Serialize};

use super::figures::Figure;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Warren,
    RabbitMq,
    /// `bench/null` with `--hop`: the limit on this machine.
    Null,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Warren => "Warren",
            Kind::RabbitMq => "RabbitMQ",
            Kind::Null => "null broker",
        }
    }
}

/// One thing that is done to a broker. What it measures is called `NAME.` and the figure's key, or the key
/// alone where the name is empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// `warren bench` with these options.
    Bench { name: String, line: String },
    /// Two of them at a time; the second begins when the first is at work.
    Beside {
        first: (String, String),
        second: (String, String),
    },
    /// The null broker's program as a load, for what `warren bench` does not do: messages that outlive it.
    Null { name: String, line: String },
    /// Two of these at a time.
    Both {
        one: (String, String),
        other: (String, String),
    },
    /// One of these that goes on until the broker is stopped.
    Hold { line: String },
    /// What `fdatasync` alone costs on the disk that the data are on; before Warren only.
    Sync { name: String, line: String },
    /// `kill -9`, and a start with the same data.
    Restart,
    /// Nothing, for so many seconds.
    Wait(u64),
    /// Resident memory now.
    Memory { name: String },
    /// Octets and files of the data folder now; of several looks the most.
    Disk { name: String },
    /// How much each of `count` things took: the difference of two looks at memory.
    Each {
        name: String,
        before: String,
        after: String,
        count: f64,
    },
    /// The same steps again and again.
    Repeat(u32, Vec<Step>),
}

/// What Warren has to reach. `times` and differences are of medians.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// RabbitMQ's figure is so many times Warren's, or more.
    Lower {
        figure: &'static Figure,
        times: f64,
    },
    /// Warren's figure is so many times RabbitMQ's, or more.
    Higher {
        figure: &'static Figure,
        times: f64,
    },
    /// Warren's figure is so many times the null broker's, or less.
    Near {
        figure: &'static Figure,
        times: f64,
    },
    /// Warren's figure is the null broker's and so much more, or less.
    Beyond {
        figure: &'static Figure,
        more: f64,
    },
    /// Warren's figure is another of its own and so much more, or less.
    Over {
        figure: &'static Figure,
        of: &'static Figure,
        more: f64,
    },
    /// Warren's figure is such a part of another of its own, or more.
    Part {
        figure: &'static Figure,
        of: &'static Figure,
        part: f64,
    },
    AtLeast {
        figure: &'static Figure,
        value: f64,
    },
    AtMost {
        figure: &'static Figure,
        value: f64,
    },
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// As `--only` has it.
    pub(super) name: String,
    /// The table of the document that shows its figures.
    pub(super) group: &'static str,
    pub(super) title: String,
    pub(super) brokers: Vec<Kind>,
    /// Further arguments of `warren serve`.
    pub(super) serve: &'static str,
    pub(super) steps: Vec<Step>,
    pub(super) targets: Vec<Target>,
}

/// A row for all three brokers, which does nothing yet.
pub(super) fn row(name: &str, group: &'static str, title: &str) -> Row {
    Row {
        name: name.to_owned(),
        group,
        title: title.to_owned(),
        brokers: vec![Kind::Warren, Kind::RabbitMq, Kind::Null],
        serve: "",
        steps: Vec::new(),
        targets: Vec::new(),
    }
}

fn pair((name, line): (&str, &str)) -> (String, String) {
    (name.to_owned(), line.to_owned())
}

impl Row {
    pub(super) fn only(mut self, brokers: &[Kind]) -> Self {
        self.brokers = brokers.to_vec();
        self
    }

    /// Not the null broker, which cannot do it.
    pub(super) fn without_null(self) -> Self {
        self.only(&[Kind::Warren, Kind::RabbitMq])
    }

    pub(super) fn serve(mut self, arguments: &'static str) -> Self {
        self.serve = arguments;
        self
    }

    pub(super) fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub(super) fn bench(self, line: &str) -> Self {
        self.named_bench("", line)
    }

    pub(super) fn named_bench(self, name: &str, line: &str) -> Self {
        let (name, line) = pair((name, line));
        self.step(Step::Bench { name, line })
    }

    pub(super) fn beside(self, first: (&str, &str), second: (&str, &str)) -> Self {
        let (first, second) = (pair(first), pair(second));
        self.step(Step::Beside { first, second })
    }

    pub(super) fn null(self, name: &str, line: &str) -> Self {
        let (name, line) = pair((name, line));
        self.step(Step::Null { name, line })
    }

    pub(super) fn both(self, one: (&str, &str), other: (&str, &str)) -> Self {
        let (one, other) = (pair(one), pair(other));
        self.step(Step::Both { one, other })
    }

    pub(super) fn hold(self, line: &str) -> Self {
        let line = line.to_owned();
        self.step(Step::Hold { line })
    }

    pub(super) fn sync(self, line: &str) -> Self {
        let (name, line) = pair(("sync", line));
        self.step(Step::Sync { name, line })
    }

    pub(super) fn restart(self) -> Self {
        self.step(Step::Restart)
    }

    pub(super) fn wait(self, seconds: u64) -> Self {
        self.step(Step::Wait(seconds))
    }

    pub(super) fn memory(self, name: &str) -> Self {
        let name = name.to_owned();
        self.step(Step::Memory { name })
    }

    pub(super) fn disk(self, name: &str) -> Self {
        let name = name.to_owned();
        self.step(Step::Disk { name })
    }

    pub(super) fn each(self, name: &str, (before, after): (&str, &str), count: f64) -> Self {
        let (before, after) = pair((before, after));
        let name = name.to_owned();
        self.step(Step::Each {
            name,
            before,
            after,
            count,
        })
    }

    /// The steps of a row that only lends them, so many times.
    pub(super) fn repeat(self, times: u32, steps: Row) -> Self {
        self.step(Step::Repeat(times, steps.steps))
    }

    fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    pub(super) fn lower(self, figure: &'static Figure, times: f64) -> Self {
        self.target(Target::Lower { figure, times })
    }

    pub(super) fn higher(self, figure: &'static Figure, times: f64) -> Self {
        self.target(Target::Higher { figure, times })
    }

    pub(super) fn near(self, figure: &'static Figure, times: f64) -> Self {
        self.target(Target::Near { figure, times })
    }

    pub(super) fn beyond(self, figure: &'static Figure, more: f64) -> Self {
        self.target(Target::Beyond { figure, more })
    }

    pub(super) fn over(self, figure: &'static Figure, of: &'static Figure, more: f64) -> Self {
        self.target(Target::Over { figure, of, more })
    }

    pub(super) fn part(self, figure: &'static Figure, of: &'static Figure, part: f64) -> Self {
        self.target(Target::Part { figure, of, part })
    }

    pub(super) fn at_least(self, figure: &'static Figure, value: f64) -> Self {
        self.target(Target::AtLeast { figure, value })
    }

    pub(super) fn at_most(self, figure: &'static Figure, value: f64) -> Self {
        self.target(Target::AtMost { figure, value })
    }

    /// Whether `--only` means it: its name, its group, or what comes before a slash in its name.
    pub(super) fn answers_to(&self, word: &str) -> bool {
        let series = self.name.split_once('/').map(|(series, _)| series);
        self.name == word || self.group == word || series == Some(word)
    }

    /// The loads, as the document lists them.
    pub(super) fn lines(&self) -> Vec<String> {
        self.steps.iter().filter_map(Step::line).collect()
    }
}

impl Step {
    fn line(&self) -> Option<String> {
        let null = |line: &str| format!("null-broker {line}");
        let bench = |line: &str| format!("warren bench {line}");
        Some(match self {
            Step::Bench { line, .. } => bench(line),
            Step::Beside { first, second } => format!("{} & {}", bench(&first.1), bench(&second.1)),
            Step::Null { line, .. } => null(line),
            Step::Both { one, other } => format!("{} & {}", null(&one.1), null(&other.1)),
            Step::Hold { line } => format!("{} &", null(line)),
            Step::Sync { line, .. } => null(&format!("sync-latency {line}")),
            Step::Restart => "kill -9, start".to_owned(),
            Step::Repeat(times, steps) => {
                let lines: Vec<String> = steps.iter().filter_map(Step::line).collect();
                format!("{times} times: {}", lines.join("; "))
            }
            Step::Wait(_) | Step::Memory { .. } | Step::Disk { .. } | Step::Each { .. } => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_answers_to_its_name_its_group_and_its_series() {
        let point = row("connections/10", "growth", "10 connections");
        for word in ["connections/10", "growth", "connections"] {
            assert!(point.answers_to(word), "{word}");
        }
        assert!(!point.answers_to("connections/1"));
    }

    #[test]
    fn what_is_done_is_listed_as_one_would_type_it() {
        let row = row("r", "g", "t")
            .null("", "fill --count 1")
            .wait(2)
            .restart()
            .repeat(3, self::row("", "", "").bench("--size 16"));
        assert_eq!(
            row.lines(),
            [
                "null-broker fill --count 1",
                "kill -9, start",
                "3 times: warren bench --size 16"
            ]
        );
    }
}
