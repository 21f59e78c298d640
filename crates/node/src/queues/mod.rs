//! Queues that run: the machine under its lock, with the consumers' mailboxes beside it.

mod browse;
mod credit;
mod ending;
mod gates;
mod joint;
mod leaving;
mod local;
mod marks;
mod peek;
mod post;
pub(crate) mod record;
mod storing;
mod triggers;

pub use browse::{Browser, From};
pub use credit::SharedCredit;
pub(crate) use ending::Stopped;
pub(crate) use gates::Routed;
pub(crate) use joint::{Share, work_together};
pub(crate) use local::Standing;
pub use local::{Got, LiveQueue, Subscriber, Taken, Worked};
pub(crate) use peek::Peeking;
pub use peek::{Glimpse, Peek, Peeked};
pub(crate) use triggers::Crossing;
