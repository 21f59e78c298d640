//! The `warren` program: command line to configuration to log to data folder to the broker, in this order, so
//! that each step can report what went wrong in the words of the one before.
//!
//! All that it does lies in the library of this package. See there for the parts.

use std::env;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;

use clap::Parser;
use warren_net::Bound;
use warren_server::announce::Announcement;
use warren_server::args::{Arguments, Command, Ports, Serve};
use warren_server::config::{self, Config};
use warren_server::data_dir::{self, Surroundings};
use warren_server::fail::Failure;
use warren_server::log;
use warren_server::ready::{self, Listener, ReadyFile};
use warren_server::{boot, import, serve};
use warren_store::MemoryLog;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Command::Serve(arguments) = Arguments::parse().into_command();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If standard error is gone, the status still tells.
            let _ = writeln!(io::stderr(), "warren: {failure}");
            ExitCode::from(&failure)
        }
    }
}

fn start(arguments: &Serve) -> Result<(), Failure> {
    let environment = |variable: &str| env::var_os(variable);
    let file = config::file(arguments.config.as_deref(), &environment);
    let mut config = config::load(file.as_deref(), &environment, &arguments.settings)?;
    if arguments.ports == Some(Ports::Any) {
        config.listeners.use_free_ports();
    }
    let log = log::init(&config.log)?;
    let ready = arguments.ready_file.clone().map(ReadyFile::new).transpose()?;
    let data_dir = data_dir(arguments, &config)?;
    let node = boot::node(&config, Arc::new(MemoryLog::default()));
    tracing::warn!("messages and definitions are kept in memory: a restart loses them");
    // As in RabbitMQ, whoever brings definitions gets what they say and no default user beside it.
    match config.defaults.load_definitions.as_deref() {
        Some(path) => import::load(&node, path, config.auth.password_hashing)?,
        None => boot::fill(&node, &config)?,
    }
    let bound = serve::bind(&config.listeners)?;
    let addresses: Vec<_> = bound.iter().map(Bound::address).collect();
    let outcome = serve::run(&node, &config, boot::amqp091(&config), bound, &log, || {
        announce(&addresses, data_dir.as_deref(), file.as_deref());
        let listeners: Vec<_> = addresses
            .iter()
            .map(|bound| Listener::new(ready::AMQP, *bound))
            .collect();
        Ok(ready
            .iter()
            .try_for_each(|ready| ready.write(process::id(), &listeners))?)
    });
    // Clients can no longer connect, however it ended.
    let _ = ready.iter().try_for_each(ReadyFile::remove);
    outcome
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

fn announce(addresses: &[SocketAddr], data_dir: Option<&Path>, file: Option<&Path>) {
    let listeners = addresses
        .iter()
        .map(|address| (ready::AMQP, address.to_string()))
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
