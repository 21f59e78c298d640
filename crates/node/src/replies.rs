//! Direct reply-to: answers that go straight from the publisher to the consumer's mailbox,
//! without a queue.
//!
//! A client consumes from [`REPLY_TO`] and publishes requests that name it in `reply-to`; the
//! broker puts the consumer's own unguessable address there. RabbitMQ: direct-reply-to.md

use crate::mailbox::{Address, Mailbox, Parcel, Touched};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::sync::Arc;
use warren_broker::message::Message;
use warren_broker::queue::{Delivery, Ticket};

/// The pseudo-queue that reply consumers consume from.
pub const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// Random bytes in an address.
const TOKEN_BYTES: usize = 16;

/// A reply consumer's place.
#[derive(Debug, Clone)]
struct Consumer {
    mailbox: Arc<Mailbox>,
    address: Address,
}

/// All reply consumers by address.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    consumers: RwLock<HashMap<Box<str>, Consumer, RandomState>>,
}

impl Replies {
    /// Adds a consumer; answers its address, or `None` when the system gave no random bytes.
    pub(crate) fn add(&self, mailbox: Arc<Mailbox>, address: Address) -> Option<String> {
        let mut token = [0; TOKEN_BYTES];
        getrandom::fill(&mut token).ok()?;
        let name = format!("{REPLY_TO}.{}", URL_SAFE_NO_PAD.encode(token));
        self.consumers
            .write()
            .insert(name.as_str().into(), Consumer { mailbox, address });
        Some(name)
    }

    pub(crate) fn remove(&self, name: &str) {
        self.consumers.write().remove(name);
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.consumers.read().contains_key(name)
    }

    /// Puts a reply into the consumer's mailbox. `false` when there is no such consumer, or when
    /// it leaves so many replies unread that there is no room: then nobody takes the message.
    pub(crate) fn deliver(&self, name: &str, message: Message, touched: &mut Touched) -> bool {
        let Some(Consumer { mailbox, address }) = self.consumers.read().get(name).cloned() else {
            return false;
        };
        let mut open = mailbox.open();
        if !open.has_reply_room() {
            tracing::warn!(name, "a reply is dropped: the consumer does not read");
            return false;
        }
        let delivery = Delivery {
            ticket: Ticket(0),
            redelivered: false,
            failures: None,
            message,
        };
        open.push(
            Parcel {
                to: address,
                delivery,
            },
            touched,
        );
        true
    }
}
