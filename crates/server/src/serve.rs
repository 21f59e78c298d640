//! The running program: listeners up, signals obeyed, a clean end.
//!
//! ```text
//!   SIGTERM, SIGINT   no new connections, every client gets 320, then the process ends
//!   SIGHUP            the log file is opened anew, definitions are loaded again
//!   the disk fails    every client gets 541, then the process ends with status 74
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use warren_frontend::amqp091::{Connection, Settings};
use warren_management::Api;
use warren_net::{Bound, Options, Server};
use warren_node::Node;

use crate::config::Config;
use crate::config::model::{Listeners, Management};
use crate::config::value::Endpoint;
use crate::fail::{Failure, Listener};
use crate::{boot, descriptors, import, log, ready};

/// How long clients may take to answer that the broker stops. Container runtimes kill after 10 s,
/// and what comes after this must still have its time.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The same after the disk failed: whoever waits for this broker to be gone should not wait for long.
const FAIL_TIMEOUT: Duration = Duration::from_secs(3);

/// What clients are told when the broker stops; RabbitMQ's words.
const STOP_REASON: &str = "broker forced connection closure with reason 'shutdown'";

/// Every socket that listens, and is not yet served.
#[derive(Debug)]
pub struct Listening {
    /// For AMQP.
    pub amqp: Vec<Bound>,
    /// For the HTTP API, if there is one.
    pub management: Option<Bound>,
}

impl Listening {
    /// RabbitMQ's name of each one's protocol, and its address with its real port.
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let amqp = self.amqp.iter().map(|bound| (ready::AMQP, bound.address()));
        let management = self.management.iter().map(|bound| (ready::HTTP, bound.address()));
        amqp.chain(management).collect()
    }
}

/// Binds every configured listener.
///
/// # Errors
/// The first that cannot be bound.
pub fn bind(config: &Config) -> Result<Listening, Failure> {
    let options = options(&config.listeners);
    let mut amqp = Vec::new();
    for (name, endpoint) in config.listeners.tcp() {
        let bound = bind_one(endpoint, options);
        amqp.push(bound.map_err(|error| Failure::listen(Listener::Amqp(&name), endpoint, error))?);
    }
    let management = match &config.management {
        Management { is_on: false, .. } => None,
        Management { at, .. } => {
            let bound = bind_one(*at, options);
            Some(bound.map_err(|error| Failure::listen(Listener::Management, *at, error))?)
        }
    };
    Ok(Listening { amqp, management })
}

fn bind_one(endpoint: Endpoint, options: Options) -> io::Result<Bound> {
    let mut failed = None;
    for address in endpoint.candidates() {
        match warren_net::bind(address, options) {
            Ok(bound) => return Ok(bound),
            Err(error) => {
                // A port that is taken is not to be taken on another family behind it.
                let is_missing = matches!(error.raw_os_error(), Some(EAFNOSUPPORT | EADDRNOTAVAIL));
                if failed.as_ref().is_none_or(|_: &io::Error| !is_missing) {
                    failed = Some(error);
                }
            }
        }
    }
    Err(failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

/// The machine has no such family of addresses.
const EAFNOSUPPORT: i32 = 97;
/// The address is not one of the machine's.
const EADDRNOTAVAIL: i32 = 99;

fn options(listeners: &Listeners) -> Options {
    Options {
        descriptors: None,
        backlog: i32::try_from(listeners.backlog).unwrap_or(i32::MAX),
        nodelay: listeners.nodelay,
        keepalive: listeners.keepalive,
    }
}

/// Serves until a signal ends it. `announce` is called when clients can connect.
///
/// # Errors
/// When the runtime or the signals cannot be set up, or `announce` fails.
pub fn run(
    node: &Arc<Node>,
    config: &Config,
    settings: Settings,
    listening: Listening,
    log: &log::Handle,
    announce: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.node.workers())
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    runtime.block_on(async {
        let server = Server::default();
        let descriptors = descriptors::for_connections();
        let options = Options {
            descriptors,
            ..options(&config.listeners)
        };
        let http = warren_management::Server::new(descriptors);
        let addresses = listening.addresses();
        if let Some(bound) = listening.management {
            let api = Api::new(Arc::clone(node), boot::management(config, &addresses));
            http.serve(bound.into_socket(), &api).map_err(Failure::Runtime)?;
        }
        let settings = Arc::new(settings);
        for listener in listening.amqp {
            let (node, settings) = (Arc::clone(node), Arc::clone(&settings));
            let session = move |peer: SocketAddr| -> Box<dyn warren_frontend::Session> {
                Box::new(Connection::new(
                    Arc::clone(&node),
                    Arc::clone(&settings),
                    peer,
                    Instant::now(),
                ))
            };
            server
                .serve(listener, options, session)
                .map_err(Failure::Runtime)?;
        }
        let mut signals = Signals::new().map_err(Failure::Runtime)?;
        let failed = Arc::new(Notify::new());
        let tell = Arc::clone(&failed);
        node.start(Box::new(move || tell.notify_one()))
            .map_err(Failure::Runtime)?;
        announce()?;
        tokio::select! {
            () = signals.obey(node, config, log) => {}
            () = failed.notified() => {}
        }
        match node.failure() {
            // Clients that have logged in were told why.
            Some(poisoned) => {
                stop(server, http, FAIL_TIMEOUT).await;
                Err(Failure::Poisoned(poisoned.clone()))
            }
            None => {
                stop(server, http, STOP_TIMEOUT).await;
                Ok(())
            }
        }
    })
}

async fn stop(mut server: Server, http: warren_management::Server, at_most: Duration) {
    server.stop_accepting();
    server.close_all(STOP_REASON);
    let drained = async {
        tokio::join!(server.drained(), http.stop());
    };
    if tokio::time::timeout(at_most, drained).await.is_err() {
        let open = server.open_count();
        tracing::warn!(open, "stopping with connections that did not close in time");
    }
    tracing::info!("stopped");
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Returns when the process is to end.
    async fn obey(&mut self, node: &Node, config: &Config, log: &log::Handle) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break tracing::info!("SIGTERM: stopping"),
                _ = self.interrupt.recv() => break tracing::info!("SIGINT: stopping"),
                _ = self.hang_up.recv() => hang_up(node, config, log),
            }
        }
    }
}

/// Nothing that goes wrong here ends a broker that runs.
fn hang_up(node: &Node, config: &Config, log: &log::Handle) {
    match log.reopen() {
        Ok(()) => tracing::info!("SIGHUP: log reopened"),
        Err(error) => tracing::error!(%error, "SIGHUP: the log could not be reopened"),
    }
    let Some(path) = config.defaults.load_definitions.as_deref() else {
        return;
    };
    if let Err(error) = import::load(node, path, config.auth.password_hashing) {
        tracing::error!(%error, "SIGHUP: the definitions could not be loaded");
    }
}
