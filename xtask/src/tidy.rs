//! The rules of this repository that no other tool knows, as code.
//!
//! What is looked at is what git has or would take: every file that is not ignored. A rule is a function
//! from text to faults, so that its tests need no repository; this file lists the files and holds the rules
//! to them.
//!
//! ```text
//! source     Rust text with comments and strings masked, which the rules on Rust read
//! shape      file size, line length, module head, a reason for every allow
//! functions  length of functions, and the ratchet for those that were long before
//! walls      which crate may import which
//! words      words and paths that are not committed
//! docs       what ARCHITECTURE.md names exists
//! ```

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use functions::Ratchet;
use source::Source;

mod docs;
mod functions;
mod shape;
mod source;
mod walls;
mod words;

/// Functions that are longer than the limit, each with the length that it must not pass.
const RATCHET: &str = "xtask/tidy-ratchet.txt";

/// Rust that the rules on Rust leave alone. The null broker is a measuring instrument: one file that is
/// compared with itself over the years, so it is not rearranged for looks.
const INSTRUMENTS: &[&str] = &["bench/null/"];

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    path: String,
    /// Counted from 1; 0 means the whole file.
    line: usize,
    what: String,
}

impl Fault {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Fault {
        Fault {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.path, self.what),
            line => write!(out, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// Holds every rule to the tree at `root` and prints the faults.
///
/// # Errors
/// When there is a fault, or the tree cannot be read.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let (faults, notes) = faults(root)?;
    for note in &notes {
        println!("note: {note}");
    }
    for fault in &faults {
        println!("{fault}");
    }
    match faults.len() {
        0 => Ok(()),
        count => Err(format!("{count} faults")),
    }
}

/// Lowers the ratchet to the lengths of today; it never raises a number or adds a line.
///
/// # Errors
/// When the tree cannot be read or the ratchet not be written.
pub(crate) fn tighten(root: &Path) -> Result<(), String> {
    let before = read(root, RATCHET)?;
    let mut ratchet = Ratchet::parse(RATCHET, &before);
    for path in files(root)?.iter().filter(|path| is_judged_rust(path)) {
        ratchet.measure(path, &functions::long(&Source::new(&read(root, path)?)));
    }
    let after = ratchet.tightened();
    if after != before {
        fs::write(root.join(RATCHET), after).map_err(|error| format!("{RATCHET}: {error}"))?;
        println!("{RATCHET}: tightened");
    }
    Ok(())
}

/// All faults, sorted, and notes on what may be tightened.
fn faults(root: &Path) -> Result<(Vec<Fault>, Vec<String>), String> {
    let paths = files(root)?;
    let mut ratchet = Ratchet::parse(RATCHET, &read(root, RATCHET)?);
    let mut faults = Vec::new();
    for path in &paths {
        let bytes = fs::read(root.join(path)).map_err(|error| format!("{path}: {error}"))?;
        let Ok(text) = String::from_utf8(bytes) else {
            continue; // A picture, or a fuzz corpus.
        };
        faults.extend(words::check(path, &text));
        if is_judged_rust(path) {
            let source = Source::new(&text);
            faults.extend(shape::check(path, &source));
            ratchet.measure(path, &functions::long(&source));
        }
    }
    let notes = ratchet.judge(&mut faults);
    faults.extend(walls::check(root, &paths)?);
    faults.extend(docs::check(root));
    faults.sort();
    Ok((faults, notes))
}

/// What git tracks or would add, relative to the root. Files deleted from the tree but not yet from git are
/// left out.
fn files(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("git: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    let mut paths: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .split_terminator('\0')
        .filter(|path| root.join(path).is_file())
        .map(str::to_owned)
        .collect();
    paths.sort();
    // A file in conflict is listed once for each side.
    paths.dedup();
    Ok(paths)
}

fn is_judged_rust(path: &str) -> bool {
    path.ends_with(".rs") && !INSTRUMENTS.iter().any(|folder| path.starts_with(folder))
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn read(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn git(root: &Path, arguments: &[&str]) {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(root)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// A repository without a fault.
    fn repository() -> Scratch {
        let tree = Scratch::new();
        git(tree.path(), &["init", "-q"]);
        tree.write(".gitignore", "/target\n");
        tree.write("Cargo.toml", "[workspace.dependencies]\n");
        tree.write("ARCHITECTURE.md", "See `docs/flow.md`.\n");
        tree.write("docs/flow.md", "Bytes flow.\n");
        tree.write(RATCHET, "# Long functions.\n");
        tree.write(
            "crates/broker/Cargo.toml",
            "[package]\nname = \"warren-broker\"\n",
        );
        tree.write("crates/broker/src/lib.rs", "//! Queues.\n");
        tree
    }

    fn said(tree: &Scratch) -> Vec<String> {
        faults(tree.path())
            .unwrap()
            .0
            .iter()
            .map(Fault::to_string)
            .collect()
    }

    #[test]
    fn a_tidy_tree_has_no_fault() {
        assert_eq!(said(&repository()), Vec::<String>::new());
    }

    #[test]
    fn every_rule_is_held_to_the_tree() {
        let tree = repository();
        let long = format!("//! Long.\nfn long() {{\n{}}}\n", "    step();\n".repeat(80));
        tree.write("crates/broker/src/long.rs", &long);
        tree.write("crates/broker/src/headless.rs", "struct Queue;\n");
        tree.write("notes.md", concat!("TO", "DO: later\n"));
        tree.write("ARCHITECTURE.md", "See `docs/gone.md`.\n");
        tree.write(
            "crates/broker/Cargo.toml",
            "[package]\nname = \"warren-broker\"\n[dependencies]\nwarren-node.path = \"../node\"\n",
        );
        let said = said(&tree);
        let expected = [
            "ARCHITECTURE.md:1: ",
            "crates/broker/Cargo.toml: ",
            "crates/broker/src/headless.rs:1: ",
            "crates/broker/src/long.rs:2: ",
            "notes.md:1: ",
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (fault, begin) in said.iter().zip(expected) {
            assert!(fault.starts_with(begin), "{fault}");
        }
    }

    #[test]
    fn ignored_files_instruments_and_binary_files_are_left_alone() {
        let tree = repository();
        tree.write("target/debug/out.rs", "no head");
        tree.write("bench/null/src/main.rs", "fn main() {}\n");
        fs::write(tree.path().join("corpus.bin"), [0xff, 0xfe, 0x00]).unwrap();
        assert_eq!(said(&tree), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_is_deleted_but_still_tracked_is_no_file() {
        let tree = repository();
        tree.write("gone.md", "x");
        git(tree.path(), &["add", "gone.md"]);
        fs::remove_file(tree.path().join("gone.md")).unwrap();
        assert!(!files(tree.path()).unwrap().contains(&"gone.md".to_owned()));
    }

    #[test]
    fn the_ratchet_is_lowered_on_disk() {
        let tree = repository();
        let long = format!("//! Long.\nfn long() {{\n{}}}\n", "    step();\n".repeat(80));
        tree.write("crates/broker/src/long.rs", &long);
        tree.write(
            RATCHET,
            "# Long functions.\ncrates/broker/src/long.rs long 99\ngone.rs gone 80\n",
        );
        assert_eq!(said(&tree), Vec::<String>::new());
        tighten(tree.path()).unwrap();
        let after = fs::read_to_string(tree.path().join(RATCHET)).unwrap();
        assert_eq!(after, "# Long functions.\ncrates/broker/src/long.rs long 82\n");
    }
}
