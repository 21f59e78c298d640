//! The one loop that moves bytes, for every protocol.
//!
//! ```text
//!   socket ─► worker's buffer ─► session.receive ─► output ─► socket
//!                  ▲                    │
//!          unfinished frame       touched mailboxes ─► their sessions, here and now if they
//!          kept by the connection                      are free, else their tasks are woken
//! ```
//!
//! A connection's state is behind a lock, so that the thread of a publisher can run the session
//! of a consumer and write to its socket itself: waking another thread is the dearest thing on
//! the way of a message. Only the connection's own task waits for the socket.

use parking_lot::Mutex;
use std::cell::RefCell;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep_until, timeout};
use warren_frontend::{Session, Status};
use warren_node::{Touched, Waker};

/// Bytes asked of one read; also how much is handled as one batch.
const READ_BYTES: usize = 256 * 1024;

/// The room for an unfinished frame is given back, when there is none, if it is more than this.
const KEPT_BYTES_MAX: usize = 4 * 1024;

/// Reads of one connection before the others of its worker get their turn.
const READS_PER_TURN: usize = 4;

/// How long a peer may go on after the connection is over, before the socket is closed on it.
const LINGER: Duration = Duration::from_secs(1);

/// Writes in a row to one connection.
const WRITES_PER_TURN: usize = 16;

/// Other sessions that one turn runs itself, and for how long; further ones are woken.
const OTHERS_MAX: usize = 16;
const OTHERS_TIME_MAX: Duration = Duration::from_micros(50);

/// What tells that the peer is gone. Nothing sends urgent data, so that alone is left of it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const GONE: Interest = Interest::PRIORITY;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const GONE: Interest = Interest::ERROR;

thread_local! {
    /// The worker's read buffer, shared by all its connections.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connection: its socket, its session, and how its task is woken.
pub(crate) struct Connection {
    stream: TcpStream,
    state: Mutex<State>,
    woken: Notify,
}

struct State {
    session: Box<dyn Session>,
    /// Bytes that were read and not consumed: an unfinished frame, or what a session that
    /// stopped for a while has still to see.
    unread: Vec<u8>,
    /// The session stopped with bytes to go on with.
    has_stopped: bool,
    is_gone: bool,
}

/// What a connection's task does next.
enum Next {
    /// Another turn, after the others had theirs.
    Again,
    /// Wait.
    Wait {
        interest: Option<Interest>,
        deadline: Option<Instant>,
    },
    /// The connection is over.
    Over,
}

/// Runs a connection until it is over.
pub(crate) async fn run(stream: TcpStream, session: Box<dyn Session>) {
    let mailbox = Arc::clone(session.mailbox());
    let state = State {
        session,
        unread: Vec::new(),
        has_stopped: false,
        is_gone: false,
    };
    let connection = Arc::new(Connection {
        stream,
        state: Mutex::new(state),
        woken: Notify::new(),
    });
    mailbox.set_waker(Arc::new(WeakConnection(Arc::downgrade(&connection))));
    let end = End(Arc::clone(&connection));
    let mut timer = Timer::default();
    loop {
        let mut touched = Touched::default();
        let next = connection.turn(&mut touched);
        run_others(&mut touched, &mailbox);
        match next {
            Next::Over => break,
            Next::Again => tokio::task::yield_now().await,
            Next::Wait { interest, deadline } => {
                timer.set(deadline);
                tokio::select! {
                    is_gone = connection.ready(interest) => {
                        if is_gone {
                            connection.take_rest().wake_all();
                            break;
                        }
                    }
                    () = connection.woken.notified() => {}
                    () = timer.passed() => {}
                }
            }
        }
    }
    drop(end);
    // No error matters any more.
    let _ = timeout(LINGER, connection.linger()).await;
}

/// Ends a connection when its task does, however that comes about: what it held goes back.
struct End(Arc<Connection>);

impl Drop for End {
    fn drop(&mut self) {
        let mut touched = self.0.state.lock().close();
        touched.wake_all();
        self.0.hang_up();
    }
}

/// Runs the sessions that got something, where that is quick, and wakes the others.
fn run_others(touched: &mut Touched, own: &Arc<warren_node::Mailbox>) {
    if touched.is_empty() {
        return;
    }
    let started = Instant::now();
    let mut is_quick = true;
    for (count, mailbox) in touched.drain().enumerate() {
        if Arc::ptr_eq(&mailbox, own) {
            // Mostly the session has looked already; else the turn that comes does.
            if mailbox.is_pending()
                && let Some(waker) = mailbox.waker()
            {
                waker.wake();
            }
            continue;
        }
        let Some(waker) = mailbox.waker() else { continue };
        is_quick = is_quick && count < OTHERS_MAX && started.elapsed() < OTHERS_TIME_MAX;
        if !(is_quick && waker.try_finish()) {
            waker.wake();
        }
    }
}

impl Connection {
    /// One turn of the connection's own task.
    fn turn(&self, touched: &mut Touched) -> Next {
        let mut state = self.state.lock();
        let next = self.turn_locked(&mut state).unwrap_or(Next::Over);
        std::mem::swap(touched, state.session.touched());
        next
    }

    fn turn_locked(&self, state: &mut State) -> io::Result<Next> {
        let mut reads = 0;
        loop {
            let now = Instant::now();
            let is_due = state.session.deadline().is_some_and(|deadline| deadline <= now);
            if is_due || state.session.mailbox().is_pending() {
                state.session.wake(now);
            }
            self.write(state)?;
            match state.session.status() {
                Status::Broken => return Ok(Next::Over),
                Status::Open | Status::Finished => {}
            }
            let has_room = state.session.wants_input();
            if state.has_stopped && has_room {
                state.go_on();
                if state.session.wants_turn() {
                    return Ok(Next::Again);
                }
                continue;
            }
            if !has_room || !self.read(state)? {
                break;
            }
            reads += 1;
            if reads >= READS_PER_TURN || state.session.wants_turn() {
                self.write(state)?;
                return Ok(Next::Again);
            }
        }
        let wants_write = !state.session.output().is_empty();
        let wants_read = state.session.wants_input() && !state.has_stopped;
        let interest = match (wants_read, wants_write) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        Ok(Next::Wait {
            interest,
            deadline: state.session.deadline(),
        })
    }

    /// Reads once and hands on what came. `false` when nothing is there.
    fn read(&self, state: &mut State) -> io::Result<bool> {
        BUFFER.with_borrow_mut(|buffer| {
            let kept = state.unread.len();
            // An unfinished frame may be nearly as large as the buffer.
            let wanted = READ_BYTES.max(kept * 2);
            if buffer.len() < wanted {
                buffer.resize(wanted, 0);
            }
            let (head, tail) = buffer.split_at_mut(kept);
            let count = match self.stream.try_read(tail) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
                Err(error) => return Err(error),
            };
            head.copy_from_slice(&state.unread);
            state.take(buffer.get(..kept + count).unwrap_or_default());
            Ok(true)
        })
    }

    /// Writes what the socket takes, within reason: a fast reader of a deep queue would keep the
    /// thread for itself.
    fn write(&self, state: &mut State) -> io::Result<()> {
        for _ in 0..WRITES_PER_TURN {
            let output = state.session.output();
            if output.is_empty() {
                return Ok(());
            }
            match self.stream.try_write(output) {
                Ok(count) => state.session.written(count, Instant::now()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for the socket. Answers whether the peer is gone where nothing is read, so that no
    /// read tells: what it holds may be all that keeps an alarm on.
    async fn ready(&self, interest: Option<Interest>) -> bool {
        let is_read = interest.is_some_and(Interest::is_readable);
        let wanted = match interest {
            Some(interest) if is_read => interest,
            Some(interest) => interest | GONE,
            None => GONE,
        };
        match self.stream.ready(wanted).await {
            Ok(ready) => !is_read && (ready.is_read_closed() || ready.is_error()),
            // It shows again in the read or write that follows.
            Err(_) => false,
        }
    }

    /// Reads what the peer said before it closed its end. That is no more than the socket holds.
    fn take_rest(&self) -> Touched {
        let mut state = self.state.lock();
        state.session.peer_gone();
        state.go_on();
        while let Ok(true) = self.read(&mut state) {}
        while state.has_stopped && state.session.wants_turn() {
            state.go_on();
        }
        // Whether it can still be told is the peer's affair.
        let _ = self.write(&mut state);
        std::mem::take(state.session.touched())
    }

    /// Ends the connection so that the peer still gets what was written: closing a socket with
    /// bytes in it that nobody read would take that back.
    fn hang_up(&self) {
        let socket = socket2::SockRef::from(&self.stream);
        if socket.shutdown(std::net::Shutdown::Write).is_err() {
            return;
        }
        BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(READ_BYTES.max(buffer.len()), 0);
            for _ in 0..READS_PER_TURN {
                if !matches!(self.stream.try_read(buffer), Ok(1..)) {
                    break;
                }
            }
        });
    }

    /// Takes what a peer was still saying when the connection ended, until it closes its end too.
    async fn linger(&self) -> io::Result<()> {
        loop {
            self.stream.readable().await?;
            let read = BUFFER.with_borrow_mut(|buffer| {
                buffer.resize(READ_BYTES.max(buffer.len()), 0);
                self.stream.try_read(buffer)
            });
            match read {
                Ok(0) => return Ok(()),
                Ok(_) => tokio::task::yield_now().await,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs the session on another connection's thread: deliveries out, nothing in.
    fn try_finish(&self) -> bool {
        let Some(mut state) = self.state.try_lock() else {
            return false;
        };
        if state.is_gone {
            return true;
        }
        let before = (state.session.wants_input(), state.session.deadline());
        state.session.wake(Instant::now());
        let is_written = self.write(&mut state).is_ok();
        let mut touched = std::mem::take(state.session.touched());
        // What the connection's own task waits for may have changed under it.
        let wants_more = !before.0 && state.session.wants_input();
        let is_sooner = match (before.1, state.session.deadline()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(after)) => after < before,
        };
        let needs_own_task = !is_written
            || wants_more
            || is_sooner
            || !state.session.output().is_empty()
            || state.session.mailbox().is_pending()
            || state.session.status() != Status::Open
            || state.has_stopped;
        drop(state);
        touched.wake_all();
        !needs_own_task
    }
}

impl State {
    /// Hands bytes to the session and keeps what it leaves.
    fn take(&mut self, bytes: &[u8]) {
        let used = self.session.receive(bytes, Instant::now());
        let left = bytes.get(used..).unwrap_or_default();
        self.unread.clear();
        self.unread.extend_from_slice(left);
        if self.unread.is_empty() && self.unread.capacity() > KEPT_BYTES_MAX {
            self.unread = Vec::new();
        }
        self.has_stopped = !left.is_empty() && (self.session.wants_turn() || !self.session.wants_input());
    }

    /// Lets a session that stopped go on with what it left.
    fn go_on(&mut self) {
        let unread = std::mem::take(&mut self.unread);
        self.take(&unread);
    }

    fn close(&mut self) -> Touched {
        self.is_gone = true;
        self.session.close(Instant::now());
        std::mem::take(self.session.touched())
    }
}

/// How others wake a connection; it does not keep one alive.
struct WeakConnection(std::sync::Weak<Connection>);

impl Waker for WeakConnection {
    fn wake(&self) {
        if let Some(connection) = self.0.upgrade() {
            connection.woken.notify_one();
        }
    }

    fn try_finish(&self) -> bool {
        self.0.upgrade().is_none_or(|connection| connection.try_finish())
    }
}

/// A timer that is set anew only when it would be late: deadlines mostly move on.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    due: Option<Instant>,
}

impl Timer {
    fn set(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else {
            self.due = None;
            return;
        };
        if self
            .due
            .is_some_and(|due| due <= deadline && due > Instant::now())
        {
            return;
        }
        self.due = Some(deadline);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline.into()),
            None => self.sleep = Some(Box::pin(sleep_until(deadline.into()))),
        }
    }

    fn passed(&mut self) -> impl Future<Output = ()> + '_ {
        let is_set = self.due.is_some();
        async move {
            match &mut self.sleep {
                Some(sleep) if is_set => sleep.as_mut().await,
                _ => pending().await,
            }
        }
    }
}
