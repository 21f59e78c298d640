//! Browsers: they get copies of what a queue holds, and of what comes to it, and take nothing.
//!
//! A browser goes on when something came, when its session has room again, or when what it wants was read. It
//! runs on the thread that reads, so that nobody else waits for it, and holds the queue's lock only to look.
//! Who wants to look just once peeks, see [`peek`](super::peek).

use super::LiveQueue;
use crate::mailbox::{Address, Mailbox, Parcel, ROOM_BYTES, Touched};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use warren_broker::message::Message;
use warren_broker::queue::{Delivery, Fetch, Look, Range, Scope, SeqSet, Standing, Ticket};

/// Messages looked at at a time.
pub(super) const LOOKED_MAX: usize = 256;

/// Reads messages of a queue that stand in an extent.
pub(crate) type Read<'a> = dyn Fn(&Arc<LiveQueue>, &Fetch) -> Vec<(u64, Message)> + 'a;

/// From where on a browser looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum From {
    /// From the first message that is there.
    #[default]
    First,
    /// From a number on.
    Seq(u64),
    /// From those on that were published at this time or later, in milliseconds since 1970.
    Time(u64),
    /// Only what comes from now on.
    Next,
}

impl From {
    /// The first number to look at, and since when what is seen was published.
    pub(super) fn start(self, queue: &Arc<LiveQueue>) -> (u64, u64) {
        match self {
            Self::First => (0, 0),
            Self::Seq(seq) => (seq, 0),
            Self::Time(since_ms) => (0, since_ms),
            Self::Next => (queue.next_seq(), 0),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Browser {
    queue: Arc<LiveQueue>,
    mailbox: Arc<Mailbox>,
    address: Address,
    scope: Scope,
    since_ms: u64,
    /// The next number to look at. Locked while it is at work, so that two never are.
    cursor: Mutex<u64>,
    /// It is to look again.
    is_due: AtomicBool,
    is_over: AtomicBool,
}

impl Browser {
    pub(crate) fn new(
        queue: &Arc<LiveQueue>,
        mailbox: &Arc<Mailbox>,
        address: Address,
        from: From,
        scope: Scope,
    ) -> Arc<Self> {
        let (cursor, since_ms) = from.start(queue);
        Arc::new(Self {
            queue: Arc::clone(queue),
            mailbox: Arc::clone(mailbox),
            address,
            scope,
            since_ms,
            cursor: Mutex::new(cursor),
            is_due: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        })
    }

    /// Its queue.
    pub(crate) fn queue(&self) -> &Arc<LiveQueue> {
        &self.queue
    }

    /// Whom it tells.
    pub(super) fn mailbox(&self) -> (&Arc<Mailbox>, Address) {
        (&self.mailbox, self.address)
    }

    /// It stops.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// It is to look soon. Answers whether that is news.
    pub(crate) fn is_to_look(&self) -> bool {
        !self.is_due.swap(true, Ordering::AcqRel)
    }

    /// Looks, and hands over what it finds, until there is no more or no room. `read` reads what stands in
    /// extents only.
    pub(crate) fn run(self: &Arc<Self>, read: &Read<'_>, touched: &mut Touched) {
        let mut cursor = self.cursor.lock();
        self.is_due.store(false, Ordering::Release);
        while !self.is_over.load(Ordering::Acquire) && !self.queue.is_deleted() {
            let looks = self.queue.look(*cursor, LOOKED_MAX, self.scope);
            let Some(last) = looks.last().map(|look| look.seq) else {
                return;
            };
            let mut absent = Absent::of(&looks);
            for look in looks {
                let seq = look.seq;
                if look.message.is_none() && !self.has_room() {
                    // What is read now would be read in vain.
                    return;
                }
                let message = look.message.clone();
                let message = message.or_else(|| absent.take(&self.queue, seq, ROOM_BYTES, read));
                if let Some(message) = message
                    && message.published_ms() >= self.since_ms
                    && !self.push(&look, message, touched)
                {
                    return;
                }
                *cursor = seq + 1;
            }
            *cursor = last + 1;
        }
    }

    /// Whether its session has room. If not, the session says when there is.
    fn has_room(self: &Arc<Self>) -> bool {
        let mut open = self.mailbox.open();
        if !open.has_room() {
            open.note_starved_browser(self);
            return false;
        }
        true
    }

    /// Hands a message over. `false` when there is no room: the session says when there is.
    fn push(self: &Arc<Self>, look: &Look, message: Message, touched: &mut Touched) -> bool {
        let mut open = self.mailbox.open();
        if !open.has_room() {
            open.note_starved_browser(self);
            return false;
        }
        let delivery = Delivery {
            ticket: Ticket(look.seq),
            redelivered: look.redelivered || look.standing == Standing::Unsettled,
            failures: None,
            message,
        };
        let to = self.address;
        open.push(Parcel { to, delivery }, touched);
        true
    }
}

/// Messages that were looked at and stand in extents only. They are read as they are needed, by rising
/// number, and not all at once.
#[derive(Debug)]
pub(super) struct Absent {
    left: SeqSet,
    read: HashMap<u64, Message>,
}

/// A message that cannot be found where it stands has perhaps moved: it is looked for so often.
const TRIES_MAX: usize = 3;

impl Absent {
    pub(super) fn of(looks: &[Look]) -> Self {
        let mut left = SeqSet::default();
        for look in looks.iter().filter(|look| look.message.is_none()) {
            left.insert(look.seq);
        }
        Self {
            left,
            read: HashMap::new(),
        }
    }

    /// The message with a number that is higher than those before. `None` when it is not there any more, or
    /// cannot be read. So many bytes are read at a time, and one message at least.
    pub(super) fn take(
        &mut self,
        queue: &Arc<LiveQueue>,
        seq: u64,
        bytes_max: usize,
        read: &Read<'_>,
    ) -> Option<Message> {
        for _ in 0..TRIES_MAX {
            if let Some(message) = self.read.remove(&seq) {
                return Some(message);
            }
            if !self.left.contains(seq) {
                return None;
            }
            if let Some(before) = seq.checked_sub(1) {
                self.left.remove_range(Range {
                    first: 0,
                    last: before,
                });
            }
            let mut place = queue.places_of(&self.left).into_iter().next()?;
            place.bytes_max = bytes_max;
            let found = read(queue, &place);
            for (seq, message) in found {
                self.left.remove(seq);
                self.read.insert(seq, message);
            }
        }
        None
    }
}
