//! What the lines of a client say, counted; and the verdict over all clients.

use std::fmt;
use std::process::ExitStatus;

/// The status by which a `run.sh` says that a tool is missing.
const SKIPPED: i32 = 77;

/// The outcome of one language.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tally {
    passed: usize,
    /// `NAME: reason` of each.
    failed: Vec<String>,
    /// Programs that were left out because they are ahead of the broker.
    later: usize,
    /// Why the language did not run at all.
    skipped: Option<String>,
}

impl Tally {
    /// Counts one line of output; lines of no known form are talk.
    pub(super) fn line(&mut self, line: &str) {
        if line.starts_with("ok ") {
            self.passed += 1;
        } else if line.starts_with("later ") {
            self.later += 1;
        } else if let Some(what) = line.strip_prefix("FAIL ") {
            self.failed.push(what.to_owned());
        } else if let Some(what) = line.strip_prefix("SKIP ") {
            self.skipped = Some(what.to_owned());
        }
    }

    /// Counts a failure that no program reported.
    pub(super) fn fail(&mut self, name: &str, reason: &str) {
        self.failed.push(format!("{name}: {reason}"));
    }

    /// Holds the programs left out against how many were to be.
    pub(super) fn expect_later(&mut self, count: usize) {
        if self.skipped.is_none() && self.later != count {
            let reason = format!(
                "names {count} programs of this language, {} answered to it",
                self.later
            );
            self.fail("later.txt", &reason);
        }
    }

    /// Holds the lines against the status that `run.sh` ended with.
    pub(super) fn ended(&mut self, status: ExitStatus) {
        let silent = self.passed == 0 && self.failed.is_empty();
        if silent && status.code() == Some(SKIPPED) {
            self.skipped.get_or_insert_with(|| "gave no reason".to_owned());
            return;
        }
        // A skip is believed only by its status: the word alone must not hide a run that came to nothing.
        self.skipped = None;
        if silent && status.success() {
            self.fail("run.sh", "ran no program");
        } else if self.failed.is_empty() && !status.success() {
            self.fail("run.sh", &format!("{status}, and no line says what failed"));
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.skipped {
            Some(reason) if self.failed.is_empty() => write!(out, "SKIPPED ({reason})"),
            _ => {
                write!(out, "{} passed, {} failed", self.passed, self.failed.len())?;
                if self.later > 0 {
                    write!(out, ", {} skipped", self.later)?;
                }
                Ok(())
            }
        }
    }
}

/// Prints what failed, what was skipped and the sum.
///
/// # Errors
/// When anything failed, nothing passed, or a language was skipped although every tool should be there.
pub(super) fn conclude(tallies: &[(&str, Tally)], skip_is_error: bool) -> Result<(), String> {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (language, tally) in tallies {
        passed += tally.passed;
        failed += tally.failed.len();
        skipped += tally.later;
        for failure in &tally.failed {
            println!("FAIL [{language}] {failure}");
        }
        if let Some(reason) = &tally.skipped {
            println!("SKIPPED [{language}] {reason}");
            if skip_is_error {
                failed += 1;
            } else {
                skipped += 1;
            }
        }
    }
    let skips = if skipped == 0 {
        String::new()
    } else {
        format!(", {skipped} skipped")
    };
    println!("{passed} passed, {failed} failed{skips}");
    if failed > 0 {
        return Err(format!("{failed} failed"));
    }
    if passed == 0 {
        return Err("no program ran".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn tally(lines: &[&str], code: i32) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.line(line);
        }
        // A wait status carries the exit code in its second byte.
        tally.ended(ExitStatus::from_raw(code << 8));
        tally
    }

    #[test]
    fn lines_are_counted_and_talk_is_not() {
        let tally = tally(&["ok a", "installing", "okay", "FAIL b: no reply", "ok c"], 1);
        assert_eq!(tally.to_string(), "2 passed, 1 failed");
        assert_eq!(tally.failed, ["b: no reply"]);
    }

    #[test]
    fn programs_ahead_of_the_broker_are_counted_and_cannot_rot() {
        let mut tally = tally(&["ok a", "later b"], 0);
        tally.expect_later(1);
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 1 skipped");
        tally.expect_later(2);
        assert_eq!(
            tally.failed,
            ["later.txt: names 2 programs of this language, 1 answered to it"]
        );
    }

    #[test]
    fn a_bad_status_without_a_failure_is_one() {
        assert_eq!(tally(&["ok a"], 1).to_string(), "1 passed, 1 failed");
    }

    #[test]
    fn a_run_of_nothing_is_a_failure() {
        assert_eq!(tally(&[], 0).failed, ["run.sh: ran no program"]);
    }

    #[test]
    fn a_skip_needs_its_status() {
        assert_eq!(
            tally(&["SKIP ruby: no ruby"], 77).skipped,
            Some("ruby: no ruby".to_owned())
        );
        let unbelieved = tally(&["SKIP ruby: no ruby"], 0);
        assert_eq!((unbelieved.skipped, unbelieved.failed.len()), (None, 1));
    }

    #[test]
    fn programs_that_ran_cannot_be_skipped_away() {
        assert_eq!(
            tally(&["ok a", "SKIP ruby: tired"], 77).to_string(),
            "1 passed, 1 failed"
        );
    }

    #[test]
    fn a_skip_is_an_error_only_where_all_tools_are() {
        let outcomes = || {
            [
                ("go", tally(&["ok a"], 0)),
                ("ruby", tally(&["SKIP ruby: no ruby"], 77)),
            ]
        };
        assert_eq!(conclude(&outcomes(), false), Ok(()));
        assert_eq!(conclude(&outcomes(), true), Err("1 failed".to_owned()));
    }

    #[test]
    fn all_skipped_proves_nothing() {
        let outcomes = [("ruby", tally(&["SKIP ruby: no ruby"], 77))];
        assert_eq!(conclude(&outcomes, false), Err("no program ran".to_owned()));
    }
}
