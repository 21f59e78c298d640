//! Putting deliveries into mailboxes.

use super::{LiveQueue, Subscriber};
use crate::mailbox::{OpenMailbox, Parcel, Touched};
use std::sync::Arc;
use warren_broker::queue::{ConsumerKey, Delivery, Outlet};

/// Puts deliveries into mailboxes; keeps the last mailbox open, since most batches go to one.
pub(super) struct Post<'a> {
    pub(super) queue: &'a Arc<LiveQueue>,
    pub(super) subscribers: &'a [Option<(ConsumerKey, Subscriber)>],
    pub(super) open: Option<OpenMailbox<'a>>,
    pub(super) touched: &'a mut Touched,
}

impl Outlet for Post<'_> {
    fn offer(&mut self, consumer: ConsumerKey, delivery: Delivery) -> Result<(), Delivery> {
        let Some(Some((_, subscriber))) = self.subscribers.get(consumer.slot()) else {
            return Err(delivery);
        };
        let mailbox = &subscriber.mailbox;
        if !self.open.as_ref().is_some_and(|open| open.is_of(mailbox)) {
            // Never two mailboxes at once: the other one is closed first.
            self.open = None;
            self.open = Some(mailbox.open());
        }
        let Some(open) = &mut self.open else {
            return Err(delivery);
        };
        if !open.has_room() {
            open.note_starved(self.queue, consumer);
            return Err(delivery);
        }
        let shared = &subscriber.shared;
        if !shared.take(self.queue, consumer, subscriber.without_ack) {
            return Err(delivery);
        }
        open.push(
            Parcel {
                to: subscriber.address,
                delivery,
            },
            self.touched,
        );
        Ok(())
    }
}
