//! Crashes: builds the broker and `tests/crash`, and lets the one loose on the other.
//!
//! What is done to the broker, and what the figures mean, docs/reliability.md says. Everything but
//! `--release` is handed on; without options it is the form of CI, about three minutes.

use std::process::Command;

use crate::step::{call, cargo, root};

/// Runs the scenarios.
///
/// # Errors
/// When a build fails, or a scenario, or in CI one cannot run.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (release, rest): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| *argument == "--release");
    let release = !release.is_empty();
    let profile = if release { "release" } else { "dev" };
    call(&mut cargo([
        "build",
        "--package",
        "warren-crash",
        "--bin",
        "warren-crash",
    ]))?;
    let broker = ["--package", "warren-server", "--bin", "warren"];
    call(cargo(["build", "--profile", profile]).args(broker))?;
    // Wherever cargo puts its output: this program lies there itself, under the profile of the harness.
    let this = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    let output = this.parent().ok_or("this program lies nowhere")?;
    let built = if release {
        output.with_file_name("release")
    } else {
        output.to_owned()
    };
    let mut command = Command::new(output.join("warren-crash"));
    command.arg("--broker").arg(built.join("warren"));
    command.arg("--work").arg(output.with_file_name("crash"));
    command.args(rest).current_dir(root());
    call(&mut command)
}
