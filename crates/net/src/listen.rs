//! Listening sockets, and the tasks of the connections that they accept.

use crate::drive;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use warren_frontend::Session;
use warren_node::{Mailbox, Notice};

/// After an accept that failed for want of something, the next try waits so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How listening and accepted sockets are set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Connections that the system holds for us before they are accepted.
    pub backlog: i32,
    /// Small writes go out at once.
    pub nodelay: bool,
    /// The system probes idle connections.
    pub keepalive: bool,
    /// File descriptors from this number on are not for connections: one that gets it is closed.
    pub descriptors: Option<u64>,
}

/// A socket that listens, and is not yet served.
#[derive(Debug)]
pub struct Bound {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// The address that it listens on, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket, for whoever serves it without sessions. It does not block.
    pub fn into_socket(self) -> std::net::TcpListener {
        self.listener
    }
}

/// Listens on an address. One of IPv6's "any" takes IPv4 connections as well.
///
/// # Errors
/// What the system says: the address is taken, not ours, or not allowed.
pub fn bind(address: SocketAddr, options: Options) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the connections of the process before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    let listener = std::net::TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok(Bound { listener, address })
}

/// The tasks that serve listeners and connections.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    open: Arc<Mutex<Open>>,
    /// Every connection's task holds a clone of `alive`; when the last is gone, `gone` ends.
    alive: mpsc::Sender<()>,
    gone: mpsc::Receiver<()>,
}

/// The connections there are, logged in or not: whoever is still shaking hands is known to no other.
#[derive(Debug, Default)]
struct Open {
    mailboxes: HashMap<u64, Arc<Mailbox>>,
    last: u64,
    /// Why all have to close, once they have to.
    closing: Option<String>,
}

/// A connection's place among the open ones; given up when its task ends, however it ends.
struct Place {
    number: u64,
    open: Arc<Mutex<Open>>,
    _alive: mpsc::Sender<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.lock().mailboxes.remove(&self.number);
    }
}

impl Default for Server {
    fn default() -> Self {
        let (alive, gone) = mpsc::channel(1);
        Self {
            stop: watch::Sender::new(false),
            open: Arc::default(),
            alive,
            gone,
        }
    }
}

impl Server {
    /// Serves a listener: each connection gets a session from `session` and a task of its own.
    /// To be called within the runtime.
    ///
    /// # Errors
    /// When the runtime cannot take the socket.
    pub fn serve(
        &self,
        bound: Bound,
        options: Options,
        session: impl Fn(SocketAddr) -> Box<dyn Session> + Send + 'static,
    ) -> io::Result<()> {
        let listener = TcpListener::from_std(bound.listener)?;
        let mut stopped = self.stop.subscribe();
        let alive = self.alive.clone();
        let open = Arc::clone(&self.open);
        tokio::spawn(async move {
            let mut shortage = Shortage::default();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, peer)) => {
                            if is_beyond(&stream, options) {
                                drop(stream);
                                shortage.begin(peer);
                                continue;
                            }
                            shortage.end();
                            // A socket for both families names IPv4 peers in IPv6's way.
                            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                            let session = session(peer);
                            let place = enter(&open, session.mailbox(), alive.clone());
                            start(stream, peer, options, session, place);
                        }
                        Err(error) => {
                            tracing::warn!(%error, "a connection could not be accepted");
                            tokio::time::sleep(ACCEPT_PAUSE).await;
                        }
                    },
                    // It changes once, to stop; an error means that nobody can say so any more.
                    _ = stopped.changed() => break,
                }
            }
        });
        Ok(())
    }

    /// Accepts no more connections.
    pub fn stop_accepting(&self) {
        self.stop.send_replace(true);
    }

    /// Asks every connection to close, those that have not logged in too, and so that one that
    /// is being accepted just now does not escape.
    pub fn close_all(&self, reason: &str) {
        let mailboxes: Vec<_> = {
            let mut open = self.open.lock();
            open.closing = Some(reason.to_owned());
            open.mailboxes.values().cloned().collect()
        };
        for mailbox in mailboxes {
            mailbox.notify(Notice::Close(reason.to_owned()));
        }
    }

    /// How many connections there are.
    pub fn open_count(&self) -> usize {
        self.open.lock().mailboxes.len()
    }

    /// Waits until every connection is over; none is accepted any more.
    pub async fn drained(&mut self) {
        self.stop_accepting();
        // One that nobody holds, in place of the server's own.
        self.alive = mpsc::channel(1).0;
        // Ends when the last clone of `alive` is dropped; nothing is ever sent.
        let _ = self.gone.recv().await;
    }
}

/// Takes a place for a connection, and tells it to close if all have to.
fn enter(open: &Arc<Mutex<Open>>, mailbox: &Arc<Mailbox>, alive: mpsc::Sender<()>) -> Place {
    let (number, closing) = {
        let mut open = open.lock();
        open.last += 1;
        let number = open.last;
        open.mailboxes.insert(number, Arc::clone(mailbox));
        (number, open.closing.clone())
    };
    if let Some(reason) = closing {
        mailbox.notify(Notice::Close(reason));
    }
    Place {
        number,
        open: Arc::clone(open),
        _alive: alive,
    }
}

/// Whether a connection has a file descriptor that connections may not have.
fn is_beyond(stream: &TcpStream, options: Options) -> bool {
    let number = u64::try_from(stream.as_raw_fd()).unwrap_or_default();
    options.descriptors.is_some_and(|first| number >= first)
}

/// A time without file descriptors for more connections: told once, not for each of perhaps thousands.
#[derive(Debug, Default)]
struct Shortage {
    is_on: bool,
}

impl Shortage {
    fn begin(&mut self, peer: SocketAddr) {
        if !std::mem::replace(&mut self.is_on, true) {
            tracing::warn!(%peer, "connections are refused: too many files are open (see ulimit -n)");
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.is_on) {
            tracing::info!("connections are accepted again");
        }
    }
}

fn start(stream: TcpStream, peer: SocketAddr, options: Options, session: Box<dyn Session>, place: Place) {
    if let Err(error) = set_up(&stream, options) {
        tracing::debug!(%peer, %error, "socket options could not be set");
    }
    tracing::debug!(%peer, "connection accepted");
    tokio::spawn(async move {
        drive::run(stream, session).await;
        drop(place);
    });
}

fn set_up(stream: &TcpStream, options: Options) -> io::Result<()> {
    stream.set_nodelay(options.nodelay)?;
    if options.keepalive {
        let keepalive = TcpKeepalive::new();
        socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}
