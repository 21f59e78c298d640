//! The `warren` program: command line to configuration to log to data folder to the broker, in this order, so
//! that each step can report what went wrong in the words of the one before.
//!
//! All that it does lies in the library of this package. See there for the parts.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use warren_server::announce::Announcement;
use warren_server::args::{Arguments, Command, Ports, Serve};
use warren_server::config::{self, Config};
use warren_server::data_dir::{self, Surroundings};
use warren_server::definitions::Definitions;
use warren_server::fail::Failure;
use warren_server::log;
use warren_server::ready::{self, ReadyFile};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Command::Serve(arguments) = Arguments::parse().into_command();
    match serve(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If standard error is gone, the status still tells.
            let _ = writeln!(io::stderr(), "warren: {failure}");
            ExitCode::from(&failure)
        }
    }
}

fn serve(arguments: &Serve) -> Result<(), Failure> {
    let environment = |variable: &str| env::var_os(variable);
    let file = config::file(arguments.config.as_deref(), &environment);
    let mut config = config::load(file.as_deref(), &environment, &arguments.settings)?;
    if arguments.ports == Some(Ports::Any) {
        config.listeners.use_free_ports();
    }
    let _log = log::init(&config.log)?;
    let _ready = arguments.ready_file.clone().map(ReadyFile::new).transpose()?;
    let data_dir = data_dir(arguments, &config)?;
    let definitions = definitions(&config)?;
    for warning in &definitions.warnings {
        tracing::warn!("{warning}");
    }
    announce(&config, data_dir.as_deref(), file.as_deref());
    Err(Failure::NotWired("there is no broker behind this program yet"))
}

/// The data folder, ready for use; none if nothing is to be kept.
fn data_dir(arguments: &Serve, config: &Config) -> Result<Option<PathBuf>, Failure> {
    if arguments.no_data_dir {
        return Ok(None);
    }
    let given = arguments.data_dir.as_deref().or(config.node.data_dir.as_deref());
    let surroundings = Surroundings::of_process(&|variable| env::var_os(variable));
    Ok(Some(data_dir::open(given, &surroundings)?))
}

fn definitions(config: &Config) -> Result<Definitions, Failure> {
    let path = config.defaults.load_definitions.as_deref();
    Ok(path.map(Definitions::read).transpose()?.unwrap_or_default())
}

fn announce(config: &Config, data_dir: Option<&Path>, file: Option<&Path>) {
    let listeners = config.listeners.tcp().into_values();
    let listeners = listeners
        .map(|endpoint| (ready::AMQP, endpoint.to_string()))
        .collect();
    let text = Announcement {
        listeners,
        data_dir,
        config: file,
    }
    .to_string();
    // Nobody listening to standard output is no reason not to run.
    let _ = io::stdout().write_all(text.as_bytes());
}
