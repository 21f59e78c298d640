//! The `warren` program: command line to configuration to log to data folder to the broker, in this order, so
//! that each step can report what went wrong in the words of the one before.
//!
//! All that it does lies in the library of this package. See there for the parts.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use clap::Parser;
use warren_server::announce::Announcement;
use warren_server::args::{Arguments, Check, Command, Ports, Serve};
use warren_server::config::{self, Config};
use warren_server::data_dir::{self, Surroundings};
use warren_server::fail::{self, Failure};
use warren_server::log;
use warren_server::ready::{Listener, ReadyFile};
use warren_server::{allocator, boot, check, descriptors, import, serve};

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

fn main() -> ExitCode {
    allocator::set_up();
    let done = match Arguments::parse().into_command() {
        Command::Serve(arguments) => start(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Check(arguments) => examine(&arguments),
        Command::Bench(arguments) => bench(*arguments),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            // If standard error is gone, the status still tells.
            let _ = writeln!(io::stderr(), "warren: {failure}");
            ExitCode::from(&failure)
        }
    }
}

fn examine(arguments: &Check) -> Result<ExitCode, Failure> {
    let report = check::run(&arguments.data_dir)?;
    // If nobody reads it, the status still tells.
    let _ = write!(io::stdout(), "{report}");
    Ok(match report.is_sound() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(fail::DATA),
    })
}

fn bench(arguments: warren_bench::Arguments) -> Result<ExitCode, Failure> {
    descriptors::raise();
    let report = warren_bench::run(arguments)?;
    // If nobody reads it, the status still tells.
    let _ = write!(io::stdout(), "{}", warren_bench::table(&report));
    Ok(match report.is_right() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(fail::DATA),
    })
}

fn start(arguments: &Serve) -> Result<(), Failure> {
    let environment = |variable: &str| env::var_os(variable);
    let file = config::file(arguments.config.as_deref(), &environment);
    let mut config = config::load(file.as_deref(), &environment, &arguments.settings)?;
    if arguments.ports == Some(Ports::Any) {
        config.use_free_ports();
    }
    arm_failpoint(&environment);
    let log = log::init(&config.log)?;
    let ready = arguments.ready_file.clone().map(ReadyFile::new).transpose()?;
    let data_dir = data_dir(arguments, &config)?;
    let lock = data_dir.as_deref().map(fail::locked).transpose()?;
    let node = boot::node(&config, data_dir.as_deref())?;
    // A folder of before there was one has none, and definitions may name it.
    node.put_event_exchange();
    // As in RabbitMQ, whoever brings definitions gets what they say and no default user beside it.
    match config.defaults.load_definitions.as_deref() {
        Some(path) => import::load(&node, path, config.auth.password_hashing)?,
        None if node.is_empty() => boot::fill(&node, &config)?,
        None => {}
    }
    let listening = serve::bind(&config)?;
    let addresses = listening.addresses();
    let outcome = serve::run(&node, &config, boot::amqp091(&config), listening, &log, || {
        announce(&addresses, data_dir.as_deref(), file.as_deref());
        let listeners: Vec<_> = addresses
            .iter()
            .map(|(protocol, address)| Listener::new(protocol, *address))
            .collect();
        Ok(ready
            .iter()
            .try_for_each(|ready| ready.write(process::id(), &listeners))?)
    });
    // Clients can no longer connect, however it ended.
    let _ = ready.iter().try_for_each(ReadyFile::remove);
    outcome?;
    node.stop()?;
    // Only now may another process have the folder.
    drop(lock);
    Ok(())
}

/// For crash tests: `WARREN_FAILPOINT=NAME:NTH` ends the process at a place in the store.
fn arm_failpoint(environment: &dyn Fn(&str) -> Option<OsString>) {
    let wanted = environment("WARREN_FAILPOINT").and_then(|value| value.into_string().ok());
    if let Some((name, nth)) = wanted.as_deref().and_then(|wanted| wanted.split_once(':'))
        && let Ok(nth) = nth.parse()
    {
        warren_store::failpoint::arm(name, nth);
    }
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

fn announce(addresses: &[(&str, SocketAddr)], data_dir: Option<&Path>, file: Option<&Path>) {
    let listeners = addresses
        .iter()
        .map(|(protocol, address)| (*protocol, address.to_string()))
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
