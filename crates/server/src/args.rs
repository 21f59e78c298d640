//! The command line: `warren [serve] [--config FILE] [--data-dir DIR] [--set key=value]... `,
//! `warren check --data-dir DIR` or `warren bench [--uri URI] ...`, whose options are that crate's own.
//!
//! `serve` is what `warren` does when no subcommand is named, so its flags stand on both levels. Values of
//! `--set` are not looked at here: they are settings like those of a file, and `config` judges them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The command line as given.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(
    name = "warren",
    version,
    about = "A message broker",
    args_conflicts_with_subcommands = true
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

/// What the program is asked to do.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Run the broker (the default)
    Serve(Serve),
    /// Examine a data folder that no broker uses, and change nothing
    Check(Check),
    /// Put load on any AMQP 0-9-1 broker, measure it and check what comes back
    Bench(Box<warren_bench::Arguments>),
}

/// Which folder is to be examined.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Check {
    /// The folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
}

/// How the broker is to be run.
// No other doc line here: clap would show it above the flags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Serve {
    /// Configuration file, in the format of rabbitmq.conf
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for everything that survives a restart
    #[arg(long, value_name = "DIR", conflicts_with = "no_data_dir")]
    pub data_dir: Option<PathBuf>,
    /// Make no data folder: nothing is kept on disk
    #[arg(long)]
    pub no_data_dir: bool,
    /// Set one configuration key; wins over the file and the environment
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Write this file, as JSON, once clients can connect
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Put every listener on a free port
    #[arg(long, value_name = "PORTS")]
    pub ports: Option<Ports>,
}

/// Where listeners go, whatever the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ports {
    /// Every listener on a free port
    Any,
}

impl Arguments {
    /// The subcommand; [`Command::Serve`] when none was named.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn serve(line: &[&str]) -> Serve {
        match Arguments::try_parse_from(line).unwrap().into_command() {
            Command::Serve(serve) => serve,
            other => panic!("{other:?}"),
        }
    }

    fn refused(line: &[&str]) -> ErrorKind {
        Arguments::try_parse_from(line).unwrap_err().kind()
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn nothing_at_all_is_serve_with_defaults() {
        assert_eq!(serve(&["warren"]), Serve::default());
        assert_eq!(serve(&["warren", "serve"]), Serve::default());
    }

    #[test]
    fn flags_mean_the_same_with_and_without_the_subcommand() {
        let flags = [
            "--config",
            "w.conf",
            "--data-dir",
            "d",
            "--set",
            "a=b",
            "--set",
            "c=d",
            "--ready-file",
            "r",
            "--ports",
            "any",
        ];
        let bare: Vec<&str> = ["warren"].iter().chain(&flags).copied().collect();
        let named: Vec<&str> = ["warren", "serve"].iter().chain(&flags).copied().collect();
        let expected = Serve {
            config: Some("w.conf".into()),
            data_dir: Some("d".into()),
            no_data_dir: false,
            settings: vec!["a=b".into(), "c=d".into()],
            ready_file: Some("r".into()),
            ports: Some(Ports::Any),
        };
        assert_eq!(serve(&bare), expected);
        assert_eq!(serve(&named), expected);
    }

    #[test]
    fn a_data_folder_and_none_contradict_each_other() {
        assert_eq!(
            refused(&["warren", "--data-dir", "d", "--no-data-dir"]),
            ErrorKind::ArgumentConflict
        );
        assert!(serve(&["warren", "--no-data-dir"]).no_data_dir);
    }

    #[test]
    fn a_check_names_its_folder() {
        let given = Arguments::try_parse_from(["warren", "check", "--data-dir", "d"]).unwrap();
        let data_dir = "d".into();
        assert_eq!(given.into_command(), Command::Check(Check { data_dir }));
        assert_eq!(refused(&["warren", "check"]), ErrorKind::MissingRequiredArgument);
    }

    #[test]
    fn a_bench_has_options_of_its_own() {
        let given = Arguments::try_parse_from(["warren", "bench", "-p", "3", "--size", "16"]).unwrap();
        let Command::Bench(bench) = given.into_command() else {
            panic!("not a bench");
        };
        assert_eq!(bench.producers, 3);
        assert_eq!(
            refused(&["warren", "bench", "--size", "1"]),
            ErrorKind::ValueValidation
        );
        assert_eq!(
            refused(&["warren", "bench", "--data-dir", "d"]),
            ErrorKind::UnknownArgument
        );
    }

    #[test]
    fn unknown_words_are_refused() {
        assert_eq!(refused(&["warren", "--ports", "some"]), ErrorKind::InvalidValue);
        assert_eq!(refused(&["warren", "--nope"]), ErrorKind::UnknownArgument);
        assert_eq!(refused(&["warren", "nope"]), ErrorKind::InvalidSubcommand);
    }

    #[test]
    fn version_names_the_program() {
        let error = Arguments::try_parse_from(["warren", "--version"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DisplayVersion);
        assert_eq!(
            error.to_string(),
            concat!("warren ", env!("CARGO_PKG_VERSION"), "\n")
        );
    }
}
