//! Peeking: looking once at some of what a queue holds, and taking nothing. What is ready, out or delayed
//! stays where it is, in its order, uncounted and unmarked.
//!
//! As messages may have to be read, a peek goes on where browsers do, on the thread that reads, and takes
//! turns with others there.

use super::LiveQueue;
use super::browse::{Absent, From, LOOKED_MAX, Read};
use std::sync::Arc;
use warren_broker::message::Message;
use warren_broker::queue::{Scope, Standing};

/// What somebody wants to see.
#[derive(Debug, Clone, Copy)]
pub struct Peek {
    /// From where on.
    pub from: From,
    /// What beside ready messages.
    pub scope: Scope,
    /// So many messages at most.
    pub messages_max: usize,
    /// So much memory of messages at most, in bytes; but one message is seen, however large.
    pub bytes_max: usize,
}

/// A message that was seen.
#[derive(Debug, Clone)]
pub struct Peeked {
    /// Its number.
    pub seq: u64,
    /// Where it is.
    pub standing: Standing,
    /// It went out before; what is out now counts only if it had come back.
    pub redelivered: bool,
    /// It.
    pub message: Message,
}

/// What was seen, by rising number.
#[derive(Debug, Default)]
pub struct Glimpse {
    /// The messages.
    pub messages: Vec<Peeked>,
    /// Where to go on, if a bound was reached. There may be nothing more.
    pub next: Option<u64>,
}

/// Who is told what was seen, on the thread that reads, without any lock.
pub(crate) type Then = Box<dyn FnOnce(Glimpse) + Send>;

/// A peek under way.
pub(crate) struct Peeking {
    queue: Arc<LiveQueue>,
    asked: Peek,
    since_ms: u64,
    /// The next number to look at.
    cursor: u64,
    bytes: usize,
    glimpse: Glimpse,
    then: Then,
}

impl Peeking {
    pub(crate) fn new(queue: &Arc<LiveQueue>, asked: Peek, then: Then) -> Self {
        let (cursor, since_ms) = asked.from.start(queue);
        Self {
            queue: Arc::clone(queue),
            asked,
            since_ms,
            cursor,
            bytes: 0,
            glimpse: Glimpse::default(),
            then,
        }
    }

    /// Goes on for a while. Answers itself when there is more to be done, and tells what was seen otherwise.
    pub(crate) fn run(mut self, read: &Read<'_>) -> Option<Self> {
        if self.look(read) {
            return Some(self);
        }
        (self.then)(self.glimpse);
        None
    }

    /// Looks at some messages. Answers whether there may be more to be seen.
    fn look(&mut self, read: &Read<'_>) -> bool {
        if self.queue.is_deleted() {
            return false;
        }
        let left = self.asked.messages_max - self.glimpse.messages.len();
        if left == 0 {
            self.glimpse.next = Some(self.cursor);
            return false;
        }
        let looks = self
            .queue
            .look(self.cursor, left.min(LOOKED_MAX), self.asked.scope);
        if looks.is_empty() {
            return false;
        }
        let mut absent = Absent::of(&looks);
        for look in looks {
            let bytes_left = self.asked.bytes_max.saturating_sub(self.bytes);
            let message = look.message;
            let message = message.or_else(|| absent.take(&self.queue, look.seq, bytes_left, read));
            if let Some(message) = message
                && message.published_ms() >= self.since_ms
            {
                let bytes = message.memory_bytes();
                if bytes > bytes_left && !self.glimpse.messages.is_empty() {
                    self.glimpse.next = Some(look.seq);
                    return false;
                }
                self.bytes += bytes;
                self.glimpse.messages.push(Peeked {
                    seq: look.seq,
                    standing: look.standing,
                    redelivered: look.redelivered,
                    message,
                });
            }
            self.cursor = look.seq + 1;
        }
        true
    }
}
