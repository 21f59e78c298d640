//! A step of a command: a name, some work, the time that it took.
//!
//! A failed step does not stop those behind it, so that one run shows everything that is wrong. What failed
//! is said again at the end, where it is seen.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The steps of one command so far.
#[derive(Default)]
pub(crate) struct Steps {
    failed: Vec<String>,
}

impl Steps {
    /// Does `work`, and prints before it the step's name and after it the outcome and the time.
    pub(crate) fn run(&mut self, name: &str, work: impl FnOnce() -> Result<(), String>) {
        println!("== {name}");
        let begun = Instant::now();
        let outcome = work();
        let seconds = begun.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => println!("== {name}: ok, {seconds:.1} s\n"),
            Err(reason) => {
                println!("== {name}: FAILED, {seconds:.1} s: {reason}\n");
                self.failed.push(name.to_owned());
            }
        }
    }

    /// The outcome of them all.
    ///
    /// # Errors
    /// Names the steps that failed.
    pub(crate) fn finish(self) -> Result<(), String> {
        if self.failed.is_empty() {
            return Ok(());
        }
        Err(format!("failed: {}", self.failed.join(", ")))
    }
}

/// The repository's root folder.
pub(crate) fn root() -> PathBuf {
    // cargo sets the variable when it runs us; the compiled-in path serves a binary that is started by hand.
    let package =
        std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&package)
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// A call of cargo from the root.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Shows the command, runs it to its end and passes its output through.
///
/// # Errors
/// When it cannot be started or ends with another status than 0.
pub(crate) fn call(command: &mut Command) -> Result<(), String> {
    println!("$ {}", shown(command));
    let status = command
        .status()
        .map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} ended with {status}", shown(command)))
    }
}

/// The command as one would type it: the program's file name and its arguments.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_else(|| command.get_program());
    let mut words = vec![program.to_string_lossy()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_and_does_not_stop_the_next() {
        let mut steps = Steps::default();
        let mut reached = false;
        steps.run("first", || Err("no".to_owned()));
        steps.run("second", || {
            reached = true;
            Ok(())
        });
        assert!(reached);
        assert_eq!(steps.finish(), Err("failed: first".to_owned()));
    }

    #[test]
    fn no_failure_is_success() {
        let mut steps = Steps::default();
        steps.run("only", || Ok(()));
        assert_eq!(steps.finish(), Ok(()));
    }

    #[test]
    fn a_command_that_fails_is_shown_as_typed() {
        let reason = call(Command::new("/bin/sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(reason, "sh -c exit 3 ended with exit status: 3");
    }

    #[test]
    fn the_root_holds_this_package() {
        assert!(root().join("xtask/Cargo.toml").is_file());
    }
}
