//! What may be asked of a queue that changes what it holds. Commands carry slices: the clock,
//! the lock and the log are paid for once a batch, not once a message.

use super::ticket::Ticket;
use crate::message::Message;

/// A change asked of a queue, decided by [`Queue::decide`](super::Queue::decide).
#[derive(Debug)]
pub enum Command<'a> {
    /// Queue these messages, in this order. As many of them as the queue has room for, if it is one that
    /// refuses; [`Queue::decide`](super::Queue::decide) answers how many.
    Enqueue(&'a [Message]),
    /// These deliveries are done with. Those that are not out are passed over.
    Settle(&'a [Ticket]),
    /// These deliveries were rejected for good. Those that are not out are passed over.
    Reject(&'a [Ticket]),
    /// These deliveries come back to their places. Those that are not out are passed over.
    Return {
        /// Which.
        tickets: &'a [Ticket],
        /// They count as failed, which has a limit.
        failed: bool,
    },
    /// Everything that is ready goes; what is out with consumers stays.
    Purge,
    /// What is due by now happens: see [`Queue::next_due`](super::Queue::next_due).
    Tick,
    /// Whatever is too much goes, the oldest of the lowest priority first.
    Shed,
    /// These messages are delayed, and are not wanted any more. Others are passed over, and so are those that
    /// are not in memory: see [`Queue::places_of_delayed`](super::Queue::places_of_delayed).
    Cancel(&'a [u64]),
    /// These messages were leaving, and stand where they were to go, or nowhere.
    Left(&'a [u64]),
}

impl Command<'_> {
    /// Whether it comes to nothing, whatever the queue holds.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Enqueue(messages) => messages.is_empty(),
            Self::Settle(tickets) | Self::Reject(tickets) | Self::Return { tickets, .. } => {
                tickets.is_empty()
            }
            Self::Left(seqs) | Self::Cancel(seqs) => seqs.is_empty(),
            Self::Purge | Self::Tick | Self::Shed => false,
        }
    }
}
