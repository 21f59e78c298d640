//! The options of `cargo xtask compare`.

use super::row::Row;
use super::rows::QUICK;

/// Rounds of a whole comparison; `--quick` and a trial make one.
const ROUNDS: u32 = 3;

/// The most rounds that anybody waits for.
const ROUNDS_MAX: u32 = 20;

const HELP: &str = "wants [--quick] [--rounds N] [--only NAME,...] [--list] [--render] [--trial] \
                    [--profile NAME,...] [--no-rabbitmq] [--no-realtime]";

#[derive(Debug, PartialEq)]
pub(super) struct Options {
    /// None to make profiles alone, of what was measured before.
    pub(super) rounds: u32,
    /// Names of rows, groups and series; empty for all.
    only: Vec<String>,
    /// As above, of rows that get a profile whether they missed a target or not.
    profile: Vec<String>,
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
            rounds: ROUNDS,
            only: Vec::new(),
            profile: Vec::new(),
            is_list: false,
            is_render: false,
            is_quick: false,
            is_trial: false,
            wants_rabbitmq: true,
            wants_realtime: true,
        };
        let mut rounds = None;
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
                    let number = words.next().and_then(|number| number.parse().ok());
                    rounds = number.filter(|number| (0..=ROUNDS_MAX).contains(number));
                    if rounds.is_none() {
                        return Err(format!("--rounds is a number from 0 to {ROUNDS_MAX}"));
                    }
                }
                "--only" => options.only.extend(names("--only", words.next())?),
                "--profile" => options.profile.extend(names("--profile", words.next())?),
                other => return Err(format!("{HELP}, got `{other}`")),
            }
        }
        options.rounds = rounds.unwrap_or(if options.is_kept() { ROUNDS } else { 1 });
        if options.is_quick && !options.profile.is_empty() {
            return Err("--quick makes no profiles".to_owned());
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

    /// Whether rows that missed a target get a profile. What a trial missed means nothing.
    pub(super) fn wants_profiles(&self) -> bool {
        self.is_kept()
    }

    /// The rows that are meant.
    ///
    /// # Errors
    /// A name that none answers to.
    pub(super) fn choose(&self, rows: &[Row]) -> Result<Vec<Row>, String> {
        match self.only.is_empty() {
            true => Ok(rows.to_vec()),
            false => named(&self.only, rows),
        }
    }

    /// The rows that get a profile in any case.
    ///
    /// # Errors
    /// A name that none answers to.
    pub(super) fn choose_profiles(&self, rows: &[Row]) -> Result<Vec<Row>, String> {
        named(&self.profile, rows)
    }
}

fn names(option: &str, words: Option<&String>) -> Result<Vec<String>, String> {
    let words = words.ok_or_else(|| format!("{option} is followed by names, with commas between"))?;
    Ok(words.split(',').map(str::to_owned).collect())
}

fn named(words: &[String], rows: &[Row]) -> Result<Vec<Row>, String> {
    let is_known = |word: &&String| rows.iter().any(|row| row.answers_to(word));
    if let Some(unknown) = words.iter().find(|word| !is_known(word)) {
        return Err(format!("no row `{unknown}`; --list shows them"));
    }
    let is_meant = |row: &&Row| words.iter().any(|word| row.answers_to(word));
    Ok(rows.iter().filter(is_meant).cloned().collect())
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
        assert_eq!(read("--rounds 0").unwrap().rounds, 0);
        assert!(read("").unwrap().is_kept() && !read("--quick").unwrap().is_kept());
        for wrong in [
            "--rounds",
            "--rounds 21",
            "--rounds x",
            "--only",
            "--profile",
            "--fast",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rows_are_chosen_by_name_and_by_series() {
        let rows = ["a", "depth/1", "depth/2"].map(|name| row(name, "g", "t"));
        let names = |line: &str| {
            let chosen = read(line).unwrap().choose(&rows);
            chosen.map(|rows| rows.into_iter().map(|row| row.name).collect::<Vec<_>>())
        };
        assert_eq!(names("").unwrap().len(), 3);
        assert_eq!(names("--only depth").unwrap(), ["depth/1", "depth/2"]);
        assert_eq!(names("--only a,depth/2").unwrap(), ["a", "depth/2"]);
        assert!(names("--only b").unwrap_err().contains("no row `b`"));
    }
    #[test]
    fn profiles_are_of_rows_that_are_named() {
        let rows = ["a", "depth/1", "depth/2"].map(|name| row(name, "g", "t"));
        let count = |line: &str| read(line).unwrap().choose_profiles(&rows).map(|rows| rows.len());
        assert_eq!(count(""), Ok(0));
        assert_eq!(count("--profile depth --profile a"), Ok(3));
        assert!(count("--profile b").is_err());
        assert!(read("").unwrap().wants_profiles() && !read("--trial").unwrap().wants_profiles());
        assert!(read("--quick --profile a").is_err());
    }
}
