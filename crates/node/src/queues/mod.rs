//! Queues that run: the machine under its lock, with the consumers' mailboxes beside it.

mod credit;
mod local;
mod marks;
pub(crate) mod record;

pub use credit::SharedCredit;
pub(crate) use local::Standing;
pub use local::{Got, LiveQueue, Subscriber, Taken, Worked};
