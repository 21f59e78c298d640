//! The one entry for every chore of this repository: `cargo xtask COMMAND`.
//!
//! What it is: a table of commands. Each runs its steps one after the other, prints the name and the time of
//! every step, and says at the end which of them failed. `check` and `test` end a piece of work and write
//! nothing but build output; `fix`, `golden` and `codegen` are the ones that write.
//!
//! What it is not: part of the product. No crate imports it, and it imports none of them.
//!
//! ```text
//! main      the table of commands, help, exit status
//! step      a step: its name, its time, its failure
//! chores    check, fix, test, golden, fuzz, run, doc: calls of cargo
//! conform   real clients of other languages against the built broker
//! crash     the built broker killed, starved and damaged
//! compare   Warren beside RabbitMQ and beside the limit of the machine
//! tidy      the rules of this repository that no other tool knows
//! codegen   method tables made from spec/*.toml
//! ```
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks on its standard streams"
)]

use std::process::ExitCode;

mod chores;
pub mod codegen;
mod compare;
mod conform;
mod crash;
#[cfg(test)]
mod scratch;
mod step;
mod tidy;

/// One word that can follow `cargo xtask`.
struct Command {
    name: &'static str,
    /// How its arguments are shown in the help.
    arguments: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<(), String>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "check",
        arguments: "",
        help: "formatting, clippy, tidy, drift of generated code, licences and bans; writes nothing",
        run: chores::check,
    },
    Command {
        name: "fix",
        arguments: "",
        help: "what check asks for and a machine can do: codegen, clippy --fix, fmt, the tidy ratchet",
        run: chores::fix,
    },
    Command {
        name: "test",
        arguments: "[CRATE [ARGS...]]",
        help: "everything: the workspace's tests, conformance clients, crashes; with CRATE only its tests",
        run: chores::test,
    },
    Command {
        name: "golden",
        arguments: "[CRATE]",
        help: "run the tests with UPDATE_EXPECT=1: expected output in testdata is rewritten",
        run: chores::golden,
    },
    Command {
        name: "fuzz",
        arguments: "TARGET [SECS]",
        help: "fuzz one target of fuzz/ (60 seconds unless told); needs nightly and cargo-fuzz",
        run: chores::fuzz,
    },
    Command {
        name: "conform",
        arguments: "[CLIENT [NAMES...]]",
        help: "run the clients in tests/conform against the built broker; a fresh broker for each language",
        run: conform::run,
    },
    Command {
        name: "sim",
        arguments: "[SECS] | --seed N",
        help: "let a whole node die at every operation of a simulated disk, for SECS or with one seed",
        run: chores::sim,
    },
    Command {
        name: "crash",
        arguments: "[--release] [OPTIONS]",
        help: "kill, starve and damage the built broker, and count what it lost; --help shows the options",
        run: crash::run,
    },
    Command {
        name: "compare",
        arguments: "[--quick] [OPTIONS]",
        help: "measure Warren beside RabbitMQ and the limit, and write docs/performance.md",
        run: compare::run,
    },
    Command {
        name: "codegen",
        arguments: "[--check]",
        help: "write the generated tables again; with --check say only whether they have drifted",
        run: chores::codegen,
    },
    Command {
        name: "run",
        arguments: "[ARGS...]",
        help: "build and run the broker",
        run: chores::broker,
    },
    Command {
        name: "doc",
        arguments: "[ARGS...]",
        help: "the crates' documentation, without that of dependencies (--open shows it)",
        run: chores::doc,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((word, rest)) = arguments.split_first() else {
        eprint!("{}", help());
        return ExitCode::from(2);
    };
    if matches!(word.as_str(), "help" | "--help" | "-h") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == word) else {
        eprint!("xtask: no command '{word}'\n\n{}", help());
        return ExitCode::from(2);
    };
    match (command.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask {word}: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut text = String::from("cargo xtask COMMAND\n\n");
    for Command {
        name,
        arguments,
        help,
        ..
    } in COMMANDS
    {
        text.push_str(&format!("  {:<28} {help}\n", format!("{name} {arguments}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_shows_every_command_once() {
        let help = help();
        for command in COMMANDS {
            let lines = help
                .lines()
                .filter(|line| line.split_whitespace().next() == Some(command.name));
            assert_eq!(lines.count(), 1, "{}", command.name);
        }
    }
}
