//! Queues that run: the machine under its lock, with the consumers' mailboxes beside it.

mod credit;
mod local;
mod record;

pub use credit::SharedCredit;
pub use local::{LiveQueue, Subscriber, Taken};
