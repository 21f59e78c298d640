//! What the operator sets for AMQP 0-9-1 connections.

use super::Interceptors;
use std::time::Duration;

/// Limits and what the server says of itself. Defaults are RabbitMQ's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `product` in the server properties; clients switch features by it.
    pub product: String,
    /// `version` in the server properties.
    pub version: String,
    /// `cluster_name` in the server properties.
    pub cluster_name: String,
    /// SASL mechanisms offered, the preferred one first.
    pub mechanisms: Vec<String>,
    /// Heartbeat proposed, in seconds; 0: none.
    pub heartbeat_s: u16,
    /// Largest frame, in octets.
    pub frame_max: u32,
    /// Largest frame before the client has logged in, in octets.
    pub initial_frame_max: u32,
    /// Channels of a connection that may be open at a time; 0: no limit.
    pub channel_max: u16,
    /// Consumers that a channel may have; `None`: no limit.
    pub consumers_per_channel_max: Option<usize>,
    /// Largest message body, in bytes.
    pub message_bytes_max: u64,
    /// How long a client may take from connecting to an open virtual host.
    pub handshake_timeout: Duration,
    /// What is written into every message that is published.
    pub interceptors: Interceptors,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            product: "RabbitMQ".to_owned(),
            version: "4.0.5".to_owned(),
            cluster_name: "warren@localhost".to_owned(),
            mechanisms: vec!["PLAIN".to_owned(), "AMQPLAIN".to_owned()],
            heartbeat_s: 60,
            frame_max: 131_072,
            initial_frame_max: 8_192,
            channel_max: 2_047,
            consumers_per_channel_max: None,
            message_bytes_max: 16 * 1024 * 1024,
            handshake_timeout: Duration::from_secs(10),
            interceptors: Interceptors::default(),
        }
    }
}
