//! What a broker means, as values: names, messages, access, catalog, routes, queues.
//!
//! Nothing here does IO, holds a lock, reads a clock or knows a protocol. The running broker
//! (`warren-node`) puts these values under locks and carries out what they ask for.

pub mod access;
pub mod catalog;
pub mod limits;
pub mod message;
pub mod name;
pub mod parameter;
pub mod policy;
pub mod queue;
pub mod refusal;
pub mod route;
pub mod value;
