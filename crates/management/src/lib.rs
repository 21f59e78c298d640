//! RabbitMQ's HTTP API: JSON over HTTP/1.1, on port 15672.
//!
//! ```text
//!   listen ──► connection ──► dispatch ─────────────────────────────────► room ──► node
//!              hyper          which room, who asks, may they, the body     one file per resource
//!              limits         ◄── wait until what was seen is on disk ◄──  answer or refusal
//! ```
//!
//! [`rooms`](mod@rooms) is the table of all paths, with what each of their methods needs; `access` decides
//! whether the caller has it. A room is a plain function from what was asked to an answer. It is never
//! entered without that, and never answers for itself: status, sorting, columns and pages are in one place.
//!
//! An answer waits until everything that the catalog knew is durable, also that of a read: what was told may
//! not be gone after a crash. RabbitMQ: management.md, and what RabbitMQ 4.0.5 was seen to answer.

mod access;
mod answer;
mod asked;
mod dispatch;
mod listen;
mod listing;
mod rooms;
pub mod value;

use std::net::SocketAddr;
use std::sync::Arc;

use warren_node::Node;
use warren_node::passwords::Algorithm;

pub use listen::Server;

/// What the API says about the broker, and how it is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the product.
    pub product: String,
    /// Version of the product whose behaviour clients may expect.
    pub version: String,
    /// Name of this node, as `warren@host`.
    pub node: String,
    /// Name of the cluster.
    pub cluster: String,
    /// How passwords are hashed.
    pub password_hashing: Algorithm,
    /// What stands before `/api` in every path: nothing, or `/` and more.
    pub path_prefix: String,
    /// Where the broker listens.
    pub listeners: Vec<Listener>,
}

/// Where the broker listens.
#[derive(Debug, Clone)]
pub struct Listener {
    /// RabbitMQ's name of the protocol.
    pub protocol: &'static str,
    /// The address.
    pub address: SocketAddr,
}

/// The API of one node.
#[derive(Debug)]
pub struct Api {
    node: Arc<Node>,
    settings: Settings,
}

impl Api {
    /// The API of this node.
    pub fn new(node: Arc<Node>, settings: Settings) -> Arc<Self> {
        Arc::new(Self { node, settings })
    }
}
