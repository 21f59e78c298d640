//! What was measured, kept as JSON between runs so that a row can be measured again alone and the document
//! written again at any time; and medians of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::figures::Figures;
use super::profile::Profile;
use super::row::Kind;

/// All rows, and where they were measured.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: String,
    /// The version, or why there was none.
    pub(super) rabbitmq: String,
    pub(super) is_realtime: bool,
    pub(super) rows: BTreeMap<String, Measured>,
}

/// A row.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) warren: String,
    pub(super) date: String,
    pub(super) runs: Vec<Run>,
    /// Of a run besides.
    #[serde(default)]
    pub(super) profile: Option<Profile>,
}

/// One broker in one round.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) broker: Kind,
    pub(super) round: u32,
    /// Other processes were at work, and were again when it was repeated.
    pub(super) is_disturbed: bool,
    /// Why there are no figures.
    pub(super) failure: Option<String>,
    pub(super) figures: Figures,
}

/// A figure over several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

impl Results {
    /// Whether there are figures of a broker.
    pub(super) fn has(&self, broker: Kind) -> bool {
        let mut runs = self.rows.values().flat_map(|row| &row.runs);
        runs.any(|run| run.broker == broker && run.failure.is_none())
    }

    /// Those of a file, or none if there is no such file.
    ///
    /// # Errors
    /// When it cannot be read as such.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        match fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// # Errors
    /// When it cannot be written.
    pub(super) fn save(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// A row that was measured anew. A profile of another commit says nothing about it.
    pub(super) fn renew(&mut self, row: &str, mut measured: Measured) {
        let known = self.rows.remove(row).and_then(|row| row.profile);
        measured.profile = known.filter(|profile| profile.warren == measured.warren);
        self.rows.insert(row.to_owned(), measured);
    }

    /// A figure of a broker in a row.
    pub(super) fn spread(&self, row: &str, broker: Kind, key: &str) -> Option<Spread> {
        self.rows.get(row)?.spread(broker, key)
    }

    pub(super) fn median(&self, row: &str, broker: Kind, key: &str) -> Option<f64> {
        self.spread(row, broker, key).map(|spread| spread.median)
    }
}

impl Measured {
    pub(super) fn spread(&self, broker: Kind, key: &str) -> Option<Spread> {
        let runs = self.of(broker);
        Spread::of(runs.filter_map(|run| run.figures.get(key).copied()).collect())
    }

    pub(super) fn of(&self, broker: Kind) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.broker == broker)
    }

    /// Whether any figure of a broker was measured while others were at work.
    pub(super) fn is_disturbed(&self, broker: Kind) -> bool {
        self.of(broker).any(|run| run.is_disturbed)
    }
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let upper = *values.get(half)?;
        let median = match values.len().is_multiple_of(2) {
            true => f64::midpoint(*values.get(half - 1)?, upper),
            false => upper,
        };
        Some(Self { least, median, most })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn run(broker: Kind, round: u32, figures: &[(&str, f64)]) -> Run {
        Run {
            broker,
            round,
            is_disturbed: false,
            failure: None,
            figures: figures
                .iter()
                .map(|(key, value)| ((*key).to_owned(), *value))
                .collect(),
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let of = |values: &[f64]| {
            Spread::of(values.to_vec()).map(|spread| (spread.least, spread.median, spread.most))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[5.0]), Some((5.0, 5.0, 5.0)));
        assert_eq!(of(&[9.0, 1.0, 5.0]), Some((1.0, 5.0, 9.0)));
        assert_eq!(of(&[9.0, 1.0, 5.0, 2.0]), Some((1.0, 3.5, 9.0)));
    }

    #[test]
    fn results_are_read_as_they_were_written() {
        let folder = crate::scratch::Scratch::new();
        let path = folder.path().join("results.json");
        assert_eq!(Results::load(&path), Ok(Results::default()));
        let failed = Run {
            failure: Some("no".to_owned()),
            ..run(Kind::RabbitMq, 1, &[])
        };
        let measured = Measured {
            warren: "abc".to_owned(),
            date: "2026-11-27".to_owned(),
            runs: vec![run(Kind::Warren, 1, &[("run.c", 0.5)]), failed],
            profile: Some(Profile::default()),
        };
        let mut results = Results::default();
        results.rows.insert("row".to_owned(), measured);
        results.save(&path).unwrap();
        assert_eq!(Results::load(&path), Ok(results));
        folder.write("results.json", "{");
        assert!(Results::load(&path).is_err());
    }

    #[test]
    fn results_from_before_there_were_profiles_are_read() {
        let old: Measured = serde_json::from_str(r#"{"warren":"abc","date":"","runs":[]}"#).unwrap();
        assert_eq!(old.profile, None);
    }

    #[test]
    fn a_profile_stays_with_its_commit() {
        let of = |warren: &str, profile: Option<&str>| Measured {
            warren: warren.to_owned(),
            profile: profile.map(|warren| Profile {
                warren: warren.to_owned(),
                ..Profile::default()
            }),
            ..Measured::default()
        };
        let mut results = Results::default();
        results.renew("row", of("abc", None));
        results.rows.insert("row".to_owned(), of("abc", Some("abc")));
        results.renew("row", of("abc", None));
        assert_eq!(results.rows["row"], of("abc", Some("abc")));
        results.renew("row", of("def", None));
        assert_eq!(results.rows["row"], of("def", None));
    }

    #[test]
    fn a_failed_run_has_no_part_in_the_median() {
        let runs = vec![
            run(Kind::Warren, 1, &[("c", 1.0)]),
            run(Kind::Warren, 2, &[]),
            run(Kind::Warren, 3, &[("c", 3.0)]),
            run(Kind::Null, 1, &[("c", 100.0)]),
        ];
        let measured = Measured {
            runs,
            ..Measured::default()
        };
        assert_eq!(
            measured.spread(Kind::Warren, "c").map(|spread| spread.median),
            Some(2.0)
        );
        assert_eq!(measured.spread(Kind::RabbitMq, "c"), None);
        assert!(!measured.is_disturbed(Kind::Warren));
    }
}
