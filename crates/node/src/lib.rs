//! The running broker: values under locks, and the actions that they ask for carried out.
//!
//! This is THE internal API: every front-end, the management floor and the server speak to
//! [`Node`] alone. A session registers as a [`Client`], routes and gathers messages with
//! [`Client::route`] and a [`Batch`], and asks for everything else through the methods of
//! [`requests`](Client). It knows no protocol and no socket.
//!
//! Locks go one way: keeping → catalog → directory or table → queue → mailbox → log. See
//! `docs/lock-order.md`.

mod access;
pub mod admin;
mod alarms;
mod batch;
mod client;
mod clock;
mod congestion;
mod dialect;
mod events;
mod exchanges;
mod history;
mod mailbox;
mod moves;
mod node;
pub mod passwords;
mod places;
mod publish;
mod queues;
mod replies;
mod requests;
mod routes;
mod starved;
pub mod storage;
mod vhosts;

pub use alarms::Memory;
pub use batch::Batch;
pub use client::{Client, LoginRefusal, TooManyChannels};
pub use congestion::Burden;
pub use dialect::{Dialect, NoDialect};
pub use exchanges::LiveExchange;
pub use mailbox::{Address, Inbox, Mailbox, Notice, Parcel, ROOM_BYTES, Touched, Waker};
pub use node::{Config, Node};
pub use places::{ConnectionPlace, Place};
pub use publish::Keys;
pub use queues::{
    Browser, From, Glimpse, Got, LiveQueue, Peek, Peeked, SharedCredit, Subscriber, Taken, Worked,
};
pub use replies::REPLY_TO;
pub use requests::{Consume, Consumed, Found};
pub use routes::{Route, RouteCache};
pub use starved::Starved;
pub use vhosts::LiveVhost;
pub use warren_store::Position;
