//! docs/performance.md: the template, with figures in place of its marks.
//!
//! ```text
//!   {{machine}} {{rabbitmq}} {{versions}} {{priority}} {{score}}   where and what
//!   {{targets}}                                          every row with a target, and what was reached
//!   {{figures GROUP}}                                    the figures of a group of rows
//!   {{series NAME}}                                      plots and a table
//!   {{loads}}                                            how each row is made
//!   {{profiles}}                                         where the time went in rows with a profile
//!   {{value ROW BROKER KEY}}                             one median, in a sentence
//!   {{share ROW CLASS}} {{calls ROW NAME}}               of a profile, in a sentence
//! ```

use std::collections::BTreeMap;

use super::features;
use super::figures::{self, Figure, Unit, three_digits};
use super::growth::Series;
use super::plot::plot;
use super::results::{Measured, Results, Spread};
use super::row::{Kind, Row};
use super::store;
use super::verdict::{Against, Verdict};

mod profiles;

/// What stands where nothing was measured.
const NOTHING: &str = "-";

/// After a broker's name: others were at work.
const DISTURBED: &str = "~";

/// After the cost of the load: it is more than the broker's.
const COSTLY: &str = "*";

/// The head of a column: a broker's cost beside Warren's.
const RATIO: &str = "C / Warren's";

/// Tables of figures, and their columns.
fn columns(group: &str) -> Vec<&'static Figure> {
    use figures as f;
    match group {
        "throughput" => vec![&f::RATE, &f::COST, &f::LOAD_COST],
        "latency" => vec![
            &f::P50,
            &f::P99,
            &f::P999,
            &f::CONFIRM_P50,
            &f::CONFIRM_P99,
            &f::CONFIRM_P999,
        ],
        "confirmed" => vec![
            &f::CONFIRMED,
            &f::SYNC_RATE,
            &f::SYNC_P50,
            &f::SYNC_P99,
            &f::SYNC_DUE_P99,
            &f::COST,
        ],
        "connections" => vec![
            &f::RATE,
            &f::COST,
            &f::LOAD_COST,
            &f::CHURNED,
            &f::CHURN_P99,
            &f::PEAK,
        ],
        "memory" => vec![&f::START, &f::IDLE, &f::PER_IDLE],
        "backlog" => vec![&f::BUILD, &f::BUILD_COST, &f::DRAIN, &f::DRAIN_COST, &f::PEAK],
        features::FEATURES => vec![
            &f::BASE_RATE,
            &f::BASE_COST,
            &f::WITH_RATE,
            &f::WITH_COST,
            &f::TIMES,
        ],
        store::RESTART => vec![
            &f::FILLED,
            &f::FILL_PEAK,
            &f::RESTARTED,
            &f::FIRST,
            &f::RESTARTED_MEMORY,
            &f::DRAINED,
            &f::FULL_EXTENTS,
            &f::END_EXTENTS,
        ],
        store::QUEUES => vec![&f::PER_QUEUE, &f::FULL_LOG, &f::RESTARTED],
        store::STUCK => vec![&f::ROUND_FILES, &f::ROUND_EXTENTS, &f::ROUND_LOG],
        store::SLOW => vec![
            &f::SLOW_RATE,
            &f::SLOW_PEAK,
            &f::ALONE_RATE,
            &f::ALONE_P50,
            &f::ALONE_P99,
            &f::BESIDE_RATE,
            &f::BESIDE_P50,
            &f::BESIDE_P99,
        ],
        _ => Vec::new(),
    }
}

/// The figures of a row that are said while it runs: those of its table, of all where it has none.
pub(super) fn shown(group: &str) -> Vec<&'static Figure> {
    let more = if group == "latency" {
        columns("confirmed")
    } else {
        Vec::new()
    };
    match columns(group) {
        columns if columns.is_empty() => figures::ALL.to_vec(),
        columns => [columns, more].concat(),
    }
}

/// What a document is made of.
pub(super) struct Document<'a> {
    pub(super) results: &'a Results,
    pub(super) rows: &'a [Row],
    pub(super) series: &'a [Series],
}

impl Document<'_> {
    /// The template with figures.
    ///
    /// # Errors
    /// A mark that means nothing.
    pub(super) fn fill(&self, template: &str) -> Result<String, String> {
        let mut parts = template.split("{{");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (mark, rest) = part
                .split_once("}}")
                .ok_or_else(|| format!("`{{{{{part}` has no end"))?;
            // Whatever stands behind the mark in the template ends its line.
            text.push_str(self.mark(mark)?.trim_end());
            text.push_str(rest);
        }
        Ok(text)
    }

    fn mark(&self, mark: &str) -> Result<String, String> {
        let words: Vec<&str> = mark.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["machine"] => self.results.machine.clone(),
            ["rabbitmq"] => self.results.rabbitmq.clone(),
            ["versions"] => self.versions(),
            ["priority"] => self.priority().to_owned(),
            ["score"] => self.score(),
            ["targets"] => self.targets(),
            ["loads"] => self.loads(),
            ["figures", group] if !columns(group).is_empty() => self.figures(group),
            ["series", name] => {
                let series = self.series.iter().find(|series| series.name == *name);
                self.series(series.ok_or_else(|| format!("no series `{name}`"))?)
            }
            ["profiles"] => self.profiles(),
            ["share", row, class @ ..] => self.share(row, &class.join(" "))?,
            ["calls", row, name] => self.calls(row, name)?,
            ["value", row, broker, key] => self.value(row, broker, key)?,
            _ => return Err(format!("the template's mark `{mark}` means nothing")),
        })
    }

    fn priority(&self) -> &'static str {
        match self.results.is_realtime {
            true => "Brokers and loads ran with real-time priority, which pushes other processes aside.",
            false => "Brokers and loads ran with the usual priority.",
        }
    }

    /// Commits and dates; where there are several, with their rows.
    fn versions(&self) -> String {
        let mut by_version: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for (name, measured) in &self.results.rows {
            let version = (measured.date.as_str(), measured.warren.as_str());
            by_version.entry(version).or_default().push(name);
        }
        let several = by_version.len() > 1;
        let text = |((date, warren), rows): ((&str, &str), Vec<&str>)| match several {
            true => format!("{warren} of {date} ({})", rows.join(", ")),
            false => format!("{warren} of {date}"),
        };
        by_version.into_iter().map(text).collect::<Vec<_>>().join("; ")
    }

    fn verdicts(&self, row: &Row) -> impl Iterator<Item = (Against, Verdict)> {
        let results = self.results;
        row.targets
            .iter()
            .map(move |target| (target.against(), target.judge(row, results)))
    }

    fn score(&self) -> String {
        let verdicts = self.rows.iter().flat_map(|row| self.verdicts(row));
        let (mut all, mut reached) = (0, 0);
        for (_, verdict) in verdicts {
            all += 1;
            reached += usize::from(verdict.is_reached);
        }
        format!("{reached} of {all} targets are reached")
    }

    /// Every row with a target.
    pub(super) fn targets(&self) -> String {
        let mut text = "| scenario | against RabbitMQ | against the limit |\n|---|---|---|\n".to_owned();
        for row in self.rows.iter().filter(|row| !row.targets.is_empty()) {
            let verdicts: Vec<_> = self.verdicts(row).collect();
            let cell = |against: Against| {
                let of = verdicts.iter().filter(|(of, _)| *of == against);
                let said: Vec<String> = of.map(|(_, verdict)| verdict.text()).collect();
                if said.is_empty() {
                    NOTHING.to_owned()
                } else {
                    said.join("<br>")
                }
            };
            let (rabbitmq, limit) = (cell(Against::RabbitMq), cell(Against::Limit));
            text.push_str(&format!("| {} | {rabbitmq} | {limit} |\n", row.title));
        }
        text
    }

    /// A line for each row and broker of a group.
    pub(super) fn figures(&self, group: &str) -> String {
        // The table of what is confirmed shows other columns of the rows of latency.
        let of = if group == "confirmed" { "latency" } else { group };
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.group == of).collect();
        let is_there = |figure: &&Figure| {
            let spread = |row: &&Row, broker| self.results.spread(&row.name, broker, figure.key).is_some();
            rows.iter()
                .any(|row| row.brokers.iter().any(|broker| spread(row, *broker)))
        };
        let columns: Vec<&Figure> = columns(group).into_iter().filter(is_there).collect();
        if columns.is_empty() {
            return "Not measured.\n".to_owned();
        }
        let mut heads: Vec<&str> = columns.iter().map(|figure| figure.name).collect();
        if columns.contains(&&figures::COST) {
            heads.push(RATIO);
        }
        let mut text = format!(
            "| scenario | broker | {} |\n|---|---|{}\n",
            heads.join(" | "),
            "---|".repeat(heads.len())
        );
        for row in rows {
            for broker in &row.brokers {
                text.push_str(&self.line(row, *broker, &columns));
            }
        }
        text
    }

    fn line(&self, row: &Row, broker: Kind, columns: &[&Figure]) -> String {
        let measured = self.results.rows.get(&row.name);
        let nothing = || NOTHING.to_owned();
        let cells = columns.iter().map(|figure| match measured {
            Some(measured) => cell(measured, broker, figure),
            None => nothing(),
        });
        let mut cells: Vec<String> = cells.collect();
        if columns.contains(&&figures::COST) {
            let cost = |broker| measured?.spread(broker, figures::COST.key);
            let ratio = cost(broker).zip(cost(Kind::Warren));
            cells.push(ratio.map_or_else(nothing, |(of, warren)| three_digits(of.median / warren.median)));
        }
        let mark = match measured.is_some_and(|measured| measured.is_disturbed(broker)) {
            true => DISTURBED,
            false => "",
        };
        format!(
            "| {} | {}{mark} | {} |\n",
            row.title,
            broker.name(),
            cells.join(" | ")
        )
    }

    /// Plots of a series, and its points.
    pub(super) fn series(&self, series: &Series) -> String {
        let mut text = String::new();
        for figure in series.figures.iter().take(2) {
            let (y_name, part) = match figure.unit {
                Unit::PerSecond => ("thousand messages a second", 1000.0),
                _ => ("broker's CPU seconds per million", 1.0),
            };
            let value = |row: &Row| self.results.median(&row.name, Kind::Warren, figure.key);
            let points = series.points.iter();
            let points: Vec<(String, f64)> = points
                .filter_map(|(x, row)| Some((x.clone(), value(row)? / part)))
                .collect();
            if !points.is_empty() {
                text.push_str(&plot(series.title, series.axis, y_name, &points));
                text.push('\n');
            }
        }
        let heads: Vec<&str> = series.figures.iter().map(|figure| figure.name).collect();
        text.push_str(&format!(
            "| {} | {} |\n|---|{}\n",
            series.axis,
            heads.join(" | "),
            "---|".repeat(heads.len())
        ));
        for (x, row) in &series.points {
            let measured = self.results.rows.get(&row.name);
            let cells = series.figures.iter().map(|figure| match measured {
                Some(measured) => cell(measured, Kind::Warren, figure),
                None => NOTHING.to_owned(),
            });
            let mark = match measured.is_some_and(|measured| measured.is_disturbed(Kind::Warren)) {
                true => DISTURBED,
                false => "",
            };
            text.push_str(&format!(
                "| {x}{mark} | {} |\n",
                cells.collect::<Vec<_>>().join(" | ")
            ));
        }
        text
    }

    fn loads(&self) -> String {
        let mut text = "| row | load |\n|---|---|\n".to_owned();
        let points = self.series.iter().flat_map(|series| series.points.first());
        for row in self.rows.iter().chain(points.map(|(_, row)| row)) {
            let serve = match row.serve {
                "" => String::new(),
                serve => format!("; `warren serve {serve}`"),
            };
            let lines = row
                .lines()
                .iter()
                .map(|line| format!("`{line}`"))
                .collect::<Vec<_>>();
            let lines = if lines.is_empty() {
                vec![NOTHING.to_owned()]
            } else {
                lines
            };
            text.push_str(&format!("| `{}` | {}{serve} |\n", row.name, lines.join("<br>")));
        }
        text
    }

    /// All rows, those of series too.
    fn all(&self) -> impl Iterator<Item = &Row> {
        let points = self.series.iter().flat_map(|series| &series.points);
        self.rows.iter().chain(points.map(|(_, row)| row))
    }

    fn row(&self, name: &str) -> Result<&Row, String> {
        let found = self.all().find(|row| row.name == name);
        found.ok_or_else(|| format!("no row `{name}`"))
    }

    fn value(&self, row: &str, broker: &str, key: &str) -> Result<String, String> {
        let brokers = [Kind::Warren, Kind::RabbitMq, Kind::Null];
        let found = brokers
            .into_iter()
            .find(|kind| format!("{kind:?}").eq_ignore_ascii_case(broker));
        let broker = found.ok_or_else(|| format!("no broker `{broker}`"))?;
        let figure = figures::ALL.iter().find(|figure| figure.key == key);
        let figure = figure.ok_or_else(|| format!("no figure `{key}`"))?;
        self.row(row)?;
        let median = self.results.median(row, broker, key);
        Ok(median.map_or_else(|| NOTHING.to_owned(), |median| figure.unit.show(median)))
    }
}

impl Verdict {
    fn text(&self) -> String {
        match (&self.reached, self.is_reached) {
            (None, _) => format!("{}: not measured", self.wanted),
            (Some(reached), true) => format!("{}: **{reached}**", self.wanted),
            (Some(reached), false) => format!("{}: {reached}, **missed**", self.wanted),
        }
    }
}

/// A median with its spread, or why there is none.
fn cell(measured: &Measured, broker: Kind, figure: &Figure) -> String {
    let Some(spread) = measured.spread(broker, figure.key) else {
        let failed = measured.of(broker).any(|run| run.failure.is_some());
        return if failed { "failed" } else { NOTHING }.to_owned();
    };
    let is_costly = figure.key == figures::LOAD_COST.key
        && measured
            .spread(broker, figures::COST.key)
            .is_some_and(|broker| spread.median > broker.median);
    let mark = if is_costly { COSTLY } else { "" };
    format!("{}{mark}", show(figure.unit, spread))
}

fn show(unit: Unit, spread: Spread) -> String {
    let plain = |value: f64| match unit {
        Unit::PerSecond | Unit::Count | Unit::Bytes | Unit::Microseconds => figures::grouped(value),
        _ => three_digits(value),
    };
    let (least, most) = (plain(spread.least), plain(spread.most));
    match least == most {
        true => unit.show(spread.median),
        false => format!("{} ({least} to {most})", unit.show(spread.median)),
    }
}

#[cfg(test)]
mod tests;
