//! Conformance: the clients that users have, in their own languages, against the broker of this tree.
//!
//! `tests/conform/` holds a folder for each language, with an executable `run.sh` that installs what it needs
//! into `CONFORM_CACHE`, runs its programs against `AMQP_URI` and prints a line for each:
//!
//! ```text
//! ok NAME                   passed
//! later NAME                left out, as tests/conform/later.txt says
//! FAIL NAME: reason         failed; run.sh then ends with a status other than 0
//! SKIP LANGUAGE: reason     a tool is missing; run.sh then ends with 77
//! ```
//!
//! Programs may be ahead of the broker: they were written against a real RabbitMQ, and what they ask for is
//! still to be built. `tests/conform/later.txt` names these with the reason, `CONFORM_LATER` hands the names
//! to `run.sh`, and they are counted and shown. A line of it that no program answers to is an error, so that
//! the list cannot rot.
//!
//! Every language gets a fresh broker, so that none sees what another left. A skip is an error where `CI` is
//! `true`: there every tool is installed, and a language that ran nothing has proved nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::step::{call, cargo, root};
use broker::Broker;
use tally::Tally;

mod broker;
mod client;
mod tally;

/// How long one language may take, with the first run's downloads.
const CLIENT_LIMIT: Duration = Duration::from_secs(600);

/// One folder of tests/conform.
struct Language {
    name: String,
    script: PathBuf,
    /// Its programs that are ahead of the broker.
    later: Vec<String>,
}

/// Runs all languages, or the one named first; further words are handed to its `run.sh`, which takes them as
/// names of programs.
///
/// # Errors
/// When a program failed, a broker did not start or stop, nothing ran, or in CI a language was skipped.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut languages = languages(&root().join("tests/conform"))?;
    let (wanted, names) = arguments
        .split_first()
        .map_or((None, &[][..]), |(name, rest)| (Some(name), rest));
    if let Some(name) = wanted {
        let known: Vec<String> = languages.iter().map(|language| language.name.clone()).collect();
        languages.retain(|language| language.name == *name);
        if languages.is_empty() {
            return Err(format!("no client '{name}'; there are: {}", known.join(", ")));
        }
    }
    call(&mut cargo([
        "build",
        "--package",
        "warren-server",
        "--bin",
        "warren",
    ]))?;
    let folder = output()?;
    let warren = folder.join("warren");
    let mut tallies = Vec::new();
    for language in &languages {
        println!("-- {}", language.name);
        let scratch = folder.with_file_name("conform").join(&language.name);
        let tally = judge(&warren, language, names, &scratch);
        println!("{}: {tally}\n", language.name);
        tallies.push((language.name.as_str(), tally));
    }
    tally::conclude(&tallies, std::env::var("CI").is_ok_and(|value| value == "true"))
}

/// Where cargo puts binaries: this program lies there itself, under the same profile.
fn output() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    this.parent()
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("{} lies nowhere", this.display()))
}

/// The languages in `folder`, by name.
fn languages(folder: &Path) -> Result<Vec<Language>, String> {
    let entries = folder
        .read_dir()
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let listed = std::fs::read_to_string(folder.join("later.txt")).unwrap_or_default();
    let mut languages = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("{}: {error}", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.path().is_dir() || name.starts_with(['.', '_']) {
            continue;
        }
        let script = entry.path().join("run.sh");
        let later = later(&listed, &name);
        languages.push(Language { name, script, later });
    }
    languages.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(languages)
}

/// The programs of a language that `later.txt` names: lines of `LANGUAGE/NAME reason`.
fn later(listed: &str, language: &str) -> Vec<String> {
    let lines = listed.lines().filter(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| line.split_whitespace().next()?.split_once('/'));
    names
        .filter(|(of, _)| *of == language)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// One language against a broker of its own.
fn judge(warren: &Path, language: &Language, names: &[String], scratch: &Path) -> Tally {
    let mut tally = Tally::default();
    // A folder whose script is missing is a failure and no silent skip: a language must not drop out unseen.
    if !is_executable(&language.script) {
        tally.fail(
            "run.sh",
            &format!("{} is no executable file", language.script.display()),
        );
        return tally;
    }
    let broker = match Broker::start(Command::new(warren), scratch) {
        Ok(broker) => broker,
        Err(reason) => {
            tally.fail("broker", &reason);
            return tally;
        }
    };
    let mut command = Command::new(&language.script);
    command.args(names).env("CONFORM_CACHE", scratch);
    // Who names programs wants them, whatever the list says.
    let later: &[String] = if names.is_empty() { &language.later } else { &[] };
    command.env("CONFORM_LATER", later.join(" "));
    client::run(&mut command, broker.ports(), CLIENT_LIMIT, &mut tally);
    tally.expect_later(later.len());
    if let Err(reason) = broker.stop() {
        tally.fail("broker", &reason);
    }
    tally
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn languages_come_by_name_and_only_folders_count() {
        let folder = Scratch::new();
        folder.script("ruby/run.sh", "");
        folder.script("go/run.sh", "");
        folder.write("README.md", "");
        folder.write("__pycache__/x", "");
        let names: Vec<String> = languages(folder.path())
            .unwrap()
            .into_iter()
            .map(|found| found.name)
            .collect();
        assert_eq!(names, ["go", "ruby"]);
    }

    #[test]
    fn what_is_ahead_of_the_broker_is_listed_by_language() {
        let listed = "# comment\ngo/dead-letter  no dead letters yet\nnode/x\ngo/ttl why\n\n";
        assert_eq!(later(listed, "go"), ["dead-letter", "ttl"]);
        assert_eq!(later(listed, "java"), Vec::<String>::new());
    }

    #[test]
    fn a_language_that_cannot_be_run_fails_and_starts_no_broker() {
        let folder = Scratch::new();
        folder.write("go/run.sh", "");
        let language = languages(folder.path()).unwrap().remove(0);
        let tally = judge(
            Path::new("/nowhere/warren"),
            &language,
            &[],
            &folder.path().join("scratch"),
        );
        assert!(
            format!("{tally:?}").contains("go/run.sh is no executable file"),
            "{tally:?}"
        );
        assert!(!folder.path().join("scratch").exists());
    }

    #[test]
    fn no_folder_is_an_error() {
        let folder = Scratch::new();
        assert!(languages(&folder.path().join("conform")).is_err());
    }
}
