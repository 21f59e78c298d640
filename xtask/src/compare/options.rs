//! The options of `cargo xtask compare`.

use super::row::Row;
use super::rows::QUICK;

/// Rounds of a whole comparison; `--quick` and a trial make one.
const ROUNDS: u32 = 3;

/// The most rounds that anybody waits for.
const ROUNDS_MAX: u32 = 20;

const HELP: &str = "wants [--quick] [--rounds N] [--only NAME,...] [--list] [--render] [--trial] \
                    [--no-rabbitmq] [--no-realtime]";

#[derive(Debug, PartialEq)]
pub(super) struct Options {
    pub(super) rounds: u32,
    /// Names of rows, groups and series; empty for all.
    only: Vec<String>,
    pub(super) is_list: bool,
    pub(super) is_render: bool,
    is_quick: bool,
    /// Short runs, to see that rows work.
    pub(super) is_trial: bool,
    pub(super) wants_rabbitmq: bool,
    pub(super) wants_realtime: bool,
}

impl Options {
    /// # Errors
    /// A word that is none of them.
    pub(super) fn read(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            rounds: 0,
            only: Vec::new(),
            is_list: false,
            is_render: false,
            is_quick: false,
            is_trial: false,
            wants_rabbitmq: true,
            wants_realtime: true,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => options.is_quick = true,
                "--list" => options.is_list = true,
                "--render" => options.is_render = true,
                "--trial" => options.is_trial = true,
                "--no-rabbitmq" => options.wants_rabbitmq = false,
                "--no-realtime" => options.wants_realtime = false,
                "--rounds" => {
                    let rounds = words.next().and_then(|rounds| rounds.parse().ok());
                    let rounds = rounds.filter(|rounds| (1..=ROUNDS_MAX).contains(rounds));
                    options.rounds = rounds.ok_or(format!("--rounds is a number from 1 to {ROUNDS_MAX}"))?;
                }
                "--only" => {
                    let names = words
                        .next()
                        .ok_or("--only is followed by names, with commas between")?;
                    options.only.extend(names.split(',').map(str::to_owned));
                }
                other => return Err(format!("{HELP}, got `{other}`")),
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.is_kept() { ROUNDS } else { 1 };
        }
        if options.is_quick && options.only.is_empty() {
            options.only = QUICK.map(str::to_owned).to_vec();
        }
        Ok(options)
    }

    /// Whether results are kept and the document is written.
    pub(super) fn is_kept(&self) -> bool {
        !self.is_quick && !self.is_trial
    }

    /// The rows that are meant.
    ///
    /// # Errors
    /// A name that none answers to.
    pub(super) fn choose(&self, rows: impl Iterator<Item = Row>) -> Result<Vec<Row>, String> {
        let rows: Vec<Row> = rows.collect();
        let is_known = |word: &&String| rows.iter().any(|row| row.answers_to(word));
        if let Some(unknown) = self.only.iter().find(|word| !is_known(word)) {
            return Err(format!("no row `{unknown}`; --list shows them"));
        }
        let is_meant = |row: &Row| self.only.is_empty() || self.only.iter().any(|word| row.answers_to(word));
        Ok(rows.into_iter().filter(is_meant).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::row;
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn rounds_are_three_unless_it_is_quick() {
        assert_eq!(read("").unwrap().rounds, 3);
        assert_eq!(read("--quick").unwrap().rounds, 1);
        assert_eq!(read("--quick --rounds 2").unwrap().rounds, 2);
        assert_eq!(read("--trial").unwrap().rounds, 1);
        assert!(read("").unwrap().is_kept() && !read("--quick").unwrap().is_kept());
        for wrong in ["--rounds", "--rounds 0", "--rounds x", "--only", "--fast"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rows_are_chosen_by_name_and_by_series() {
        let rows = || {
            ["a", "depth/1", "depth/2"]
                .map(|name| row(name, "g", "t"))
                .into_iter()
        };
        let names = |line: &str| {
            let chosen = read(line).unwrap().choose(rows());
            chosen.map(|rows| rows.into_iter().map(|row| row.name).collect::<Vec<_>>())
        };
        assert_eq!(names("").unwrap().len(), 3);
        assert_eq!(names("--only depth").unwrap(), ["depth/1", "depth/2"]);
        assert_eq!(names("--only a,depth/2").unwrap(), ["a", "depth/2"]);
        assert!(names("--only b").unwrap_err().contains("no row `b`"));
    }
}
