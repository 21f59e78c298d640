//! The contract between a session and whoever drives it.
//!
//! A driver owns a socket and a session. It turns this loop, in any order, from one thread at
//! a time:
//!
//! ```text
//!   bytes came                 receive(bytes, now)      what is not consumed is given again
//!   woken, or deadline passed  wake(now)
//!   after either               output() → socket → written(n, now)
//!                              touched(): run or wake the sessions named there
//!   then wait for              socket readable if wants_input(), writable if output(),
//!                              a wake-up, deadline()
//!   status() not Open          see Status
//!   the socket is gone         close(now), once, however the session ended
//! ```
//!
//! A session never blocks, and its buffers are bounded: it stops wanting input when its output
//! is not taken.

use std::sync::Arc;
use std::time::Instant;
use warren_node::{Mailbox, Touched};

/// Where a session stands, for its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It goes on.
    Open,
    /// All is said: write the output out, then wait for the peer to close its end.
    Finished,
    /// Write the output out as far as it goes, then close the socket.
    Broken,
}

/// A protocol's state machine for one connection.
pub trait Session: Send {
    /// Takes bytes in; answers how many were consumed. What was not consumed has to be given
    /// again, in front of what follows it. Consuming less than a whole buffer while
    /// [`Session::wants_input`] holds means either that a frame is not complete, or that the
    /// session has done enough for one turn; then [`Session::wants_turn`] holds.
    fn receive(&mut self, bytes: &[u8], now: Instant) -> usize;

    /// Looks into the mailbox and at the clock.
    fn wake(&mut self, now: Instant);

    /// What is to be written.
    fn output(&self) -> &[u8];

    /// So many bytes of the output were written.
    fn written(&mut self, count: usize, now: Instant);

    /// Whether the session takes bytes now.
    fn wants_input(&self) -> bool;

    /// The peer closed its end while nothing was read. What it said before counts all the same:
    /// from now on the session wants input whatever held it back.
    fn peer_gone(&mut self);

    /// Whether the session stopped for others' sake and has bytes to go on with.
    fn wants_turn(&self) -> bool;

    /// When [`Session::wake`] is due even if nothing happens.
    fn deadline(&self) -> Option<Instant>;

    /// Where the session stands.
    fn status(&self) -> Status;

    /// The mailboxes that got something from this session.
    fn touched(&mut self) -> &mut Touched;

    /// The session's own mailbox.
    fn mailbox(&self) -> &Arc<Mailbox>;

    /// The connection is gone: gives everything back. Further calls do nothing.
    fn close(&mut self, now: Instant);
}
