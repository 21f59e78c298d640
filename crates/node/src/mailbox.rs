//! Mailboxes: where a session finds deliveries and notices from the rest of the broker.
//!
//! A queue pushes under its own lock (queue → mailbox is the order of locks); whoever pushed
//! then wakes the session, outside all locks. A mailbox is bounded in bytes: above
//! [`ROOM_BYTES`] a queue's offer is refused, the consumer is noted as starved, and the session
//! calls it back when it has written half of it out.

use crate::queues::{Browser, LiveQueue};
use crate::starved::{Line, Starved};
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use warren_broker::catalog::SessionId;
use warren_broker::queue::{ConsumerKey, Delivery, Ticket};
use warren_broker::route::QueueId;
use warren_store::{Position, Waiter};

/// Bytes that may wait for a session, in its mailbox and taken out but not yet written.
pub const ROOM_BYTES: usize = 1024 * 1024;

/// The same for direct replies, for which no queue can wait: beyond it they are refused.
const REPLY_ROOM_BYTES: usize = 128 * 1024 * 1024;

/// What a delivery costs of the room besides its message.
const PARCEL_BYTES: usize = 64;

/// A consumer as its session knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    /// The channel (or session-level subdivision) that consumes.
    pub channel: u16,
    /// The consumer's number, never used again in its session.
    pub consumer: u32,
}

/// A delivery and whom it is for.
#[derive(Debug)]
pub struct Parcel {
    /// Whom it is for.
    pub to: Address,
    /// What is delivered.
    pub delivery: Delivery,
}

impl Parcel {
    /// What it takes of the mailbox's room.
    pub fn room_bytes(&self) -> usize {
        PARCEL_BYTES + self.delivery.message.memory_bytes()
    }
}

/// Something that a session has to know besides deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The consumer is gone because its queue is.
    ConsumerCancelled(Address),
    /// The log became durable up to a position that the session waits for.
    Durable,
    /// A message that a getter of the session waits for was read.
    Fetched,
    /// A delivery was taken away from a consumer that held it for too long: whose, of which queue, and which.
    TimedOut(Address, QueueId, Ticket),
    /// There is room again for what the session publishes.
    Room,
    /// The log failed, for this reason: nothing is confirmed any more.
    LogFailed(String),
    /// An alarm was set or cleared; the session asks which.
    Alarm,
    /// The connection has to be closed: the broker stops, or an operator wants it.
    Close(String),
}

/// Brings a session to look into its mailbox.
pub trait Waker: Send + Sync {
    /// Sees to it that the session runs soon, on a task of its own.
    fn wake(&self);

    /// Runs the session here and now if nobody else does, so that no other thread needs to be
    /// woken. `false` when it was busy; then [`Waker::wake`] is due.
    fn try_finish(&self) -> bool;
}

/// What waits for a session.
#[derive(Debug, Default)]
pub struct Inbox {
    /// Deliveries in order.
    pub parcels: VecDeque<Parcel>,
    /// Notices in order; they concern the time after the deliveries.
    pub notices: Vec<Notice>,
    /// Those who were refused for want of room.
    starved: Line,
}

/// The mailbox of one session.
pub struct Mailbox {
    session: SessionId,
    inbox: Mutex<Inbox>,
    /// Room taken, in bytes.
    taken_bytes: AtomicUsize,
    /// Something came in that the session has not been woken for, or not yet looked at.
    pending: AtomicBool,
    waker: OnceLock<Arc<dyn Waker>>,
}

impl Mailbox {
    /// An empty mailbox.
    pub fn new(session: SessionId) -> Self {
        Self {
            session,
            inbox: Mutex::default(),
            taken_bytes: AtomicUsize::new(0),
            pending: AtomicBool::new(false),
            waker: OnceLock::new(),
        }
    }

    /// Whose it is.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Names the waker; to be called once, before anything can come in.
    pub fn set_waker(&self, waker: Arc<dyn Waker>) {
        // A second call would be a second driver for one session; the first one stays.
        let _ = self.waker.set(waker);
    }

    /// The waker, when there is one.
    pub fn waker(&self) -> Option<&Arc<dyn Waker>> {
        self.waker.get()
    }

    /// Whether something came in since the session last took.
    pub fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Takes everything out, behind what `into` holds.
    pub fn take(&self, into: &mut Inbox) {
        self.pending.store(false, Ordering::Release);
        let mut inbox = self.inbox.lock();
        if into.parcels.is_empty() {
            std::mem::swap(&mut inbox.parcels, &mut into.parcels);
        } else {
            into.parcels.append(&mut inbox.parcels);
        }
        into.notices.append(&mut inbox.notices);
    }

    /// The session has dealt with deliveries of so many bytes. Answers the consumers that may
    /// be resumed now.
    pub fn free_room(&self, bytes: usize) -> Vec<Starved> {
        let before = self.taken_bytes.fetch_sub(bytes, Ordering::AcqRel);
        if before - bytes > ROOM_BYTES / 2 {
            return Vec::new();
        }
        self.inbox.lock().starved.take()
    }

    /// Puts a notice in and wakes the session. Not to be called with a queue's lock held.
    pub fn notify(&self, notice: Notice) {
        self.inbox.lock().notices.push(notice);
        if !self.pending.swap(true, Ordering::AcqRel)
            && let Some(waker) = self.waker.get()
        {
            waker.wake();
        }
    }

    /// Forgets that a consumer waits for room: it is cancelled.
    pub(crate) fn forget_starved(&self, queue: &LiveQueue, consumer: ConsumerKey) {
        self.inbox.lock().starved.forget(queue, consumer);
    }

    /// Opens the mailbox for pushing several parcels.
    pub(crate) fn open(self: &Arc<Self>) -> OpenMailbox<'_> {
        OpenMailbox {
            mailbox: self,
            inbox: self.inbox.lock(),
        }
    }
}

/// So many sessions are run by the thread that committed; further ones are woken.
const RUN_BY_COMMIT_MAX: usize = 8;

/// A session waits for the log.
impl Waiter for Mailbox {
    fn durable(&self, _: Position, nth: usize) {
        let mut inbox = self.inbox.lock();
        if inbox.notices.last() != Some(&Notice::Durable) {
            inbox.notices.push(Notice::Durable);
        }
        drop(inbox);
        if self.pending.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(waker) = self.waker.get()
            && !(nth < RUN_BY_COMMIT_MAX && waker.try_finish())
        {
            waker.wake();
        }
    }
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// A mailbox under its lock.
pub(crate) struct OpenMailbox<'a> {
    mailbox: &'a Arc<Mailbox>,
    inbox: MutexGuard<'a, Inbox>,
}

impl OpenMailbox<'_> {
    pub(crate) fn is_of(&self, mailbox: &Arc<Mailbox>) -> bool {
        Arc::ptr_eq(self.mailbox, mailbox)
    }

    pub(crate) fn has_room(&self) -> bool {
        self.mailbox.taken_bytes.load(Ordering::Relaxed) < ROOM_BYTES
    }

    pub(crate) fn has_reply_room(&self) -> bool {
        self.mailbox.taken_bytes.load(Ordering::Relaxed) < REPLY_ROOM_BYTES
    }

    pub(crate) fn push(&mut self, parcel: Parcel, touched: &mut Touched) {
        self.mailbox
            .taken_bytes
            .fetch_add(parcel.room_bytes(), Ordering::Relaxed);
        self.inbox.parcels.push_back(parcel);
        self.touch(touched);
    }

    pub(crate) fn push_notice(&mut self, notice: Notice, touched: &mut Touched) {
        self.inbox.notices.push(notice);
        self.touch(touched);
    }

    /// Forgets all consumers of a queue that wait for room: it is deleted.
    pub(crate) fn forget_queue(&mut self, queue: &LiveQueue) {
        self.inbox.starved.forget_queue(queue);
    }

    pub(crate) fn note_starved(&mut self, queue: &Arc<LiveQueue>, consumer: ConsumerKey) {
        let starved = Starved::Consumer(Arc::clone(queue), consumer);
        self.inbox.starved.push(starved);
    }

    pub(crate) fn note_starved_browser(&mut self, browser: &Arc<Browser>) {
        // It may look, and find no room, as often as something comes to its queue.
        if !self.inbox.starved.has(browser) {
            self.inbox.starved.push(Starved::Browser(Arc::clone(browser)));
        }
    }

    fn touch(&self, touched: &mut Touched) {
        // The plain load keeps a batch of pushes from bouncing the cache line.
        let pending = &self.mailbox.pending;
        if !pending.load(Ordering::Relaxed) && !pending.swap(true, Ordering::AcqRel) {
            touched.0.push(Arc::clone(self.mailbox));
        }
    }
}

/// The mailboxes that got something during a batch. They have to be woken, once all locks are
/// free: [`Touched::wake_all`], or by whoever drives sessions, who may run them himself.
#[derive(Debug, Default)]
#[must_use = "the sessions behind touched mailboxes wait to be woken"]
pub struct Touched(Vec<Arc<Mailbox>>);

impl Touched {
    /// Takes the mailboxes out.
    pub fn drain(&mut self) -> impl Iterator<Item = Arc<Mailbox>> {
        self.0.drain(..)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Wakes all of them.
    pub fn wake_all(&mut self) {
        for mailbox in self.0.drain(..) {
            if let Some(waker) = mailbox.waker() {
                waker.wake();
            }
        }
    }
}
