//! What a queue asks of the world: deliveries, handed to an [`Outlet`] one by one and by
//! value, so that no list of actions is allocated per message.

use super::consumers::ConsumerKey;
use super::ticket::Ticket;
use crate::message::Message;

/// A message on its way to a consumer or a getter.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Names it when it is settled or returned.
    pub ticket: Ticket,
    /// It went out before.
    pub redelivered: bool,
    /// How often a delivery of it failed; `None` in a queue that does not say.
    pub failures: Option<u16>,
    /// The message.
    pub message: Message,
}

/// Where deliveries go. The outlet knows what the queue cannot: whether the consumer's mailbox
/// has room, and whether a credit shared by several queues is left.
pub trait Outlet {
    /// Takes the delivery for the consumer.
    ///
    /// # Errors
    /// Gives it back when the consumer cannot take it now. The queue then passes the consumer
    /// over until [`Queue::resume`](super::Queue::resume) is called for it.
    fn offer(&mut self, consumer: ConsumerKey, delivery: Delivery) -> Result<(), Delivery>;
}
