//! Sockets that speak HTTP, and what keeps one client from using up what is there for all.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tower_service::Service;

use crate::Api;
use crate::answer::Refused;
use crate::dispatch::{inner_path, router};

/// How many connections there may be at a time; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 1000;

/// How long a client may take for the head of a request, and may say nothing between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The most headers of a request.
const HEADERS_MAX: usize = 64;

/// After an accept that failed for want of something, the next try waits so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The tasks that serve listeners and connections.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    /// File descriptors from this number on are not for connections: one that gets it is closed.
    descriptors: Option<u64>,
    places: Arc<Semaphore>,
    /// Every connection's task holds a clone of `alive`; when the last is gone, `gone` ends.
    alive: mpsc::Sender<()>,
    gone: mpsc::Receiver<()>,
}

impl Server {
    /// A server of nothing so far. File descriptors from the number `descriptors` on are not for
    /// connections.
    pub fn new(descriptors: Option<u64>) -> Self {
        let (alive, gone) = mpsc::channel(1);
        Self {
            stop: watch::Sender::new(false),
            descriptors,
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            alive,
            gone,
        }
    }

    /// Serves a socket that listens and does not block. To be called within the runtime.
    ///
    /// # Errors
    /// When the runtime cannot take the socket.
    pub fn serve(&self, listener: std::net::TcpListener, api: &Arc<Api>) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let door = Door {
            router: router(api),
            prefix: api.settings.path_prefix.as_str().into(),
        };
        let mut stopped = self.stop.subscribe();
        let (alive, places, descriptors) = (self.alive.clone(), Arc::clone(&self.places), self.descriptors);
        tokio::spawn(async move {
            loop {
                // It is never closed.
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    break;
                };
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) if is_beyond(&stream, descriptors) => drop(stream),
                        Ok((stream, peer)) => {
                            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                            // A clone has seen what this one has: a stop from now on wakes it.
                            let (door, stopped) = (door.clone(), stopped.clone());
                            let kept = (place, alive.clone());
                            tokio::spawn(connection(stream, peer, door, stopped, kept));
                        }
                        Err(error) => {
                            tracing::warn!(%error, "an HTTP connection could not be accepted");
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

    /// Accepts no more connections, and waits until those that there are have their answers.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        drop(self.alive);
        // Ends when the last clone of `alive` is dropped; nothing is ever sent.
        let _ = self.gone.recv().await;
    }
}

/// Whether a connection has a file descriptor that connections may not have.
fn is_beyond(stream: &TcpStream, descriptors: Option<u64>) -> bool {
    let number = u64::try_from(stream.as_raw_fd()).unwrap_or_default();
    descriptors.is_some_and(|first| number >= first)
}

/// Where requests go in.
#[derive(Debug, Clone)]
struct Door {
    router: Router,
    prefix: Arc<str>,
}

impl Door {
    async fn enter(mut self, mut request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let Some(path) = inner_path(request.uri(), &self.prefix) else {
            return Refused::NotFound.into_response();
        };
        *request.uri_mut() = path;
        request.extensions_mut().insert(peer);
        let Ok(response) = self.router.call(request).await;
        response
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    door: Door,
    mut stopped: watch::Receiver<bool>,
    _kept: (OwnedSemaphorePermit, mpsc::Sender<()>),
) {
    let service = service_fn(move |request| {
        let door = door.clone();
        async move { Ok::<_, std::convert::Infallible>(door.enter(request, peer).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => Some(ended),
        // It changes once, to stop.
        _ = stopped.changed() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "an HTTP connection ended early");
    }
}
