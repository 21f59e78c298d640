//! The HTTP API, as clients of RabbitMQ's know it.

pub(crate) mod client;
mod connections;
mod durable;
mod limits;
mod transcripts;
