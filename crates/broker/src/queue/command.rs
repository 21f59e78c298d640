//! What may be asked of a queue that changes what it holds. Commands carry slices: the clock,
//! the lock and the log are paid for once a batch, not once a message.

use crate::message::Message;

/// A change asked of a queue, decided by [`Queue::decide`](super::Queue::decide).
#[derive(Debug)]
pub enum Command<'a> {
    /// Queue these messages, in this order.
    Enqueue(&'a [Message]),
    /// These deliveries are done with. Numbers that are not out are passed over.
    Settle(&'a [u64]),
    /// These deliveries come back to their places. Numbers that are not out are passed over.
    Return(&'a [u64]),
    /// Everything that is ready goes; what is out with consumers stays.
    Purge,
}
