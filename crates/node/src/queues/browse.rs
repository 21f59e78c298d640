//! Browsers: they get copies of what a queue holds, and of what comes to it, and take nothing.
//!
//! A browser goes on when something came, when its session has room again, or when what it wants was read. It
//! runs on the thread that reads, so that nobody else waits for it, and holds the queue's lock only to look.

use super::LiveQueue;
use crate::mailbox::{Address, Mailbox, Parcel, ROOM_BYTES, Touched};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use warren_broker::message::Message;
use warren_broker::queue::{Delivery, Fetch, Look, Scope, SeqSet, Standing, Ticket};

/// Messages looked at at a time.
const LOOKED_MAX: usize = 256;

/// Bytes read at a time, and one message more: what its session has room for.
const READ_BYTES: usize = ROOM_BYTES;

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
        let cursor = match from {
            From::First | From::Time(_) => 0,
            From::Seq(seq) => seq,
            From::Next => queue.next_seq(),
        };
        Arc::new(Self {
            queue: Arc::clone(queue),
            mailbox: Arc::clone(mailbox),
            address,
            scope,
            since_ms: if let From::Time(since) = from { since } else { 0 },
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
            if !self.has_room() {
                // What is read now would be read in vain.
                return;
            }
            let looks = self.queue.look(*cursor, LOOKED_MAX, self.scope);
            let Some(last) = looks.last().map(|look| look.seq) else {
                return;
            };
            let (mut found, until) = self.read_some(&looks, read);
            for look in looks.into_iter().take_while(|look| look.seq < until) {
                let seq = look.seq;
                let message = look.message.clone().or_else(|| found.remove(&seq));
                if let Some(message) = message
                    && message.published_ms() >= self.since_ms
                    && !self.push(&look, message, touched)
                {
                    return;
                }
                *cursor = seq + 1;
            }
            *cursor = until.min(last + 1);
        }
    }

    /// Reads what of this is not in memory, until it is enough. Below the number that is answered nothing is
    /// left to be read.
    fn read_some(&self, looks: &[Look], read: &Read<'_>) -> (HashMap<u64, Message>, u64) {
        let mut absent = SeqSet::default();
        for look in looks.iter().filter(|look| look.message.is_none()) {
            absent.insert(look.seq);
        }
        let mut found = HashMap::new();
        let (mut until, mut left) = (u64::MAX, READ_BYTES);
        for place in self.queue.places_of(&absent) {
            if left == 0 {
                let first = place.wanted.first().map(|range| range.first);
                until = until.min(first.unwrap_or(u64::MAX));
                break;
            }
            let fetch = Fetch {
                bytes_max: left,
                ..place
            };
            let messages = read(&self.queue, &fetch);
            let bytes = messages.iter().map(|(_, message)| message.memory_bytes()).sum();
            if let Some((last, _)) = messages.last()
                && bytes >= left
            {
                // What follows was not looked for.
                until = until.min(last + 1);
            }
            left = left.saturating_sub(bytes);
            found.extend(messages);
        }
        (found, until)
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
