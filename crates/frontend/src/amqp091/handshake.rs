//! From the protocol header to an open virtual host, and connection.close.
//!
//! Spec: 0-9-1 §2.2.4, §4.2.2. RabbitMQ closes the socket without connection.close for most
//! errors of this part, and so do we; the log says why.

use super::refusal::{self, Failure};
use super::shared::Pending;
use super::shared::{Capabilities, Tuned};
use super::{Connection, Phase};
use crate::sasl::Mechanism;
use std::time::Instant;
use warren_protocol::amqp091::header::{AMQP_0_9_1, AMQP_1_0_SASL, ProtocolHeader};
use warren_protocol::amqp091::method::connection;
use warren_protocol::amqp091::table::{Table, TableBuf, TableWriter, Value};

/// The smallest frame that a client may ask for.
const FRAME_MAX_MIN: u32 = 4096;

/// What this server can do, as RabbitMQ names it.
const CAPABILITIES: &[&str] = &[
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
];

impl Connection {
    pub(super) fn protocol_header(&mut self, octets: &[u8; 8]) {
        let header = ProtocolHeader::parse(octets);
        let minor = match header {
            ProtocolHeader::Amqp091 | ProtocolHeader::Amqp09Legacy => 9,
            _ => return self.refuse_header(header, octets),
        };
        let properties = self.server_properties();
        let mechanisms = self.shared.settings.mechanisms.join(" ");
        self.shared.send(connection::Start {
            version_major: 0,
            version_minor: minor,
            server_properties: properties.as_table(),
            mechanisms: mechanisms.as_bytes(),
            locales: b"en_US",
        });
        self.phase = Phase::Start;
    }

    fn refuse_header(&mut self, header: ProtocolHeader, octets: &[u8; 8]) {
        let peer = self.peer;
        let reply = match header {
            ProtocolHeader::Other09 => AMQP_0_9_1,
            _ => AMQP_1_0_SASL,
        };
        match header {
            ProtocolHeader::Amqp08 => {
                tracing::warn!(%peer, "the client speaks AMQP 0-8, which is not supported; use AMQP 0-9-1");
            }
            ProtocolHeader::Amqp10 { .. } | ProtocolHeader::Amqp010 | ProtocolHeader::Other09 => {
                tracing::warn!(%peer, ?header, "the client's protocol is not supported; use AMQP 0-9-1");
            }
            _ => tracing::warn!(%peer, header = refusal::octets(octets), "not an AMQP client"),
        }
        self.shared.output.buffer().extend_from_slice(&reply);
        self.phase = Phase::Broken;
    }

    fn server_properties(&self) -> TableBuf {
        let settings = &self.shared.settings;
        let fill = |writer: &mut TableWriter<'_>| {
            writer.table("capabilities", |capabilities| {
                for name in CAPABILITIES {
                    capabilities.bool(name, true);
                }
            });
            writer.string("cluster_name", &settings.cluster_name);
            writer.string("copyright", "The Warren authors");
            writer.string("information", "Licensed under Apache-2.0 OR MIT.");
            writer.string("platform", concat!("Rust ", env!("CARGO_PKG_RUST_VERSION")));
            writer.string("product", &settings.product);
            writer.string("version", &settings.version);
            writer.string("warren_version", env!("CARGO_PKG_VERSION"));
        };
        // Only a name of more than 255 bytes is refused, and these are shorter.
        TableBuf::build(fill).unwrap_or_default()
    }

    pub(super) fn start_ok(&mut self, m: &connection::StartOk<'_>, now: Instant) {
        self.shared.capabilities = capabilities(m.client_properties);
        let offered = &self.shared.settings.mechanisms;
        let Some(mechanism) = Mechanism::named(m.mechanism, offered) else {
            let text = format!("unknown authentication mechanism '{}'", m.mechanism);
            return self.fail(Failure::socket(text), 0, now);
        };
        let Some(credentials) = mechanism.read(m.response) else {
            return self.fail(Failure::socket("malformed SASL response"), 0, now);
        };
        let node = &self.shared.node;
        match node.authenticate(&credentials.user, &credentials.password, Some(self.peer.ip())) {
            Ok(user) => {
                self.user = Some(user);
                let settings = &self.shared.settings;
                let tune = connection::Tune {
                    channel_max: settings.channel_max,
                    frame_max: settings.frame_max,
                    heartbeat: settings.heartbeat_s,
                };
                self.shared.send(tune);
                self.phase = Phase::Tune;
            }
            Err(refused) => {
                tracing::warn!(peer = %self.peer, mechanism = mechanism.name(), %refused, "login refused");
                self.refuse_login(mechanism, now);
            }
        }
    }

    fn refuse_login(&mut self, mechanism: Mechanism, now: Instant) {
        let text = format!(
            "Login was refused using authentication mechanism {}. For details see the broker logfile.",
            mechanism.name()
        );
        let failure = if self.shared.capabilities.authentication_failure_close {
            Failure::connection(refusal::ACCESS_REFUSED, text).at_none()
        } else {
            Failure::socket(text)
        };
        self.fail(failure, 0, now);
    }

    pub(super) fn tune_ok(&mut self, m: &connection::TuneOk, now: Instant) {
        let settings = &self.shared.settings;
        let is_within = |asked: u32, limit: u32| limit == 0 || (asked != 0 && asked <= limit);
        let fits = is_within(m.frame_max, settings.frame_max)
            && (m.frame_max == 0 || m.frame_max >= FRAME_MAX_MIN)
            && is_within(m.channel_max.into(), settings.channel_max.into());
        if !fits {
            let text = format!(
                "tune-ok with frame_max {} and channel_max {} is outside of what was offered",
                m.frame_max, m.channel_max
            );
            return self.fail(Failure::socket(text), 0, now);
        }
        self.shared.tuned = Tuned {
            frame_max: if m.frame_max == 0 {
                settings.frame_max.max(131_072)
            } else {
                m.frame_max
            },
            channel_max: m.channel_max,
            heartbeat_s: m.heartbeat,
        };
        self.phase = Phase::Open;
    }

    pub(super) fn open(&mut self, m: &connection::Open<'_>, now: Instant) {
        let Some(user) = self.user.take() else {
            return self.fail(Failure::socket("connection.open before the login"), 0, now);
        };
        let mailbox = std::sync::Arc::clone(&self.shared.mailbox);
        match self.shared.node.enter(user, m.vhost, mailbox) {
            Ok(client) => {
                let (peer, user) = (self.peer, &client.user().name);
                tracing::info!(%peer, %user, vhost = m.vhost, "connection open");
                self.shared.client = Some(client);
                self.shared.send(connection::OpenOk { known_hosts: "" });
                self.phase = Phase::Running;
            }
            Err(refused) => {
                let failure = Failure::connection(refusal::NOT_ALLOWED, refused.to_string());
                self.fail(
                    failure.at(connection::Open::CLASS, connection::Open::METHOD),
                    0,
                    now,
                );
            }
        }
    }

    /// The client closes: everything ends before it hears so.
    pub(super) fn client_closes(&mut self, code: u16, text: &str, now: Instant) {
        // What the client asked before is answered before.
        if self.channels.values().any(|channel| channel.has_parked()) {
            self.shared.pending = Some(Pending::CloseConnection(code, text.to_owned()));
            return;
        }
        tracing::info!(peer = %self.peer, code, text, "connection closed by the client");
        self.flush();
        self.release_all();
        self.shared.send(connection::CloseOk);
        self.phase = Phase::Finished { since: now };
    }
}

fn capabilities(client_properties: Table<'_>) -> Capabilities {
    let Some(Value::Table(named)) = client_properties.find(b"capabilities") else {
        return Capabilities::default();
    };
    let has = |name: &[u8]| matches!(named.find(name), Some(Value::Bool(true)));
    Capabilities {
        consumer_cancel_notify: has(b"consumer_cancel_notify"),
        connection_blocked: has(b"connection.blocked"),
        authentication_failure_close: has(b"authentication_failure_close"),
    }
}
