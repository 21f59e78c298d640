//! AMQP 0-9-1 with RabbitMQ's extensions: the session of one connection.
//!
//! ```text
//!   Header → Start → Tune → Open → Running ─► Finished        the client closed
//!      └────────┴───────┴──────┴──────┴─────► Closing → ...   the server closed, waits for close-ok
//! ```
//!
//! Frames are handled as they are found in the bytes; publishes and acknowledgements are
//! gathered and done queue by queue, at the end of the bytes or before any other method, so
//! that a client sees its own operations in order.
//!
//! Spec: 0-9-1 §2.2, §4; RabbitMQ's extensions where the modules name them.

mod annotated;
mod asked;
mod channel;
mod confirms;
mod consume;
mod declare;
mod deliver;
mod dispatch;
mod due;
mod handshake;
mod interceptors;
mod names;
mod output;
mod publish;
mod refusal;
mod settings;
mod settle;
mod shared;
mod special;
mod transaction;

pub(crate) use annotated::briefly;
pub use interceptors::Interceptors;
pub use settings::Settings;

use crate::session::{Session, Status};
use channel::Channel;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use refusal::{Failure, Reach};
use shared::{Pending, Shared};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use warren_node::{Burden, ConnectionPlace, Mailbox, Node, Notice, Touched};
use warren_protocol::amqp091::frame::{self, Step};
use warren_protocol::amqp091::method::{Method, channel as channel_methods, connection};

/// A turn ends after so many enqueues, so that others get one: a read of 4,000 messages into
/// 10,000 queues is 40 million of them.
const ENQUEUES_PER_TURN: usize = 100_000;

/// Nothing is read while so many bytes of output wait: the client does not take its answers.
const UNTAKEN_BYTES_MAX: usize = 1024 * 1024;

/// How long the client may take to answer connection.close, and to close its end.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for the protocol header.
    Header,
    /// Waits for start-ok.
    Start,
    /// Waits for tune-ok.
    Tune,
    /// Waits for connection.open.
    Open,
    Running,
    /// Waits for close-ok.
    Closing {
        since: Instant,
    },
    /// All is said.
    Finished {
        since: Instant,
    },
    /// Nothing can be said any more.
    Broken,
}

/// The session of an AMQP 0-9-1 connection.
pub struct Connection {
    peer: SocketAddr,
    phase: Phase,
    channels: HashMap<u16, Box<Channel>, RandomState>,
    shared: Shared,
    /// Checked, and waiting for the virtual host to be opened.
    user: Option<Arc<warren_broker::access::User>>,
    /// What it takes of the connections that there may be, after it has left the broker: until it is closed
    /// at both ends.
    place: Option<ConnectionPlace>,
    connected_at: Instant,
    received_at: Instant,
    written_at: Instant,
    wants_turn: bool,
}

impl Connection {
    /// The session of a new connection from `peer`.
    pub fn new(node: Arc<Node>, settings: Arc<Settings>, peer: SocketAddr, now: Instant) -> Self {
        Self {
            peer,
            phase: Phase::Header,
            channels: HashMap::default(),
            shared: Shared::new(settings, node),
            user: None,
            place: None,
            connected_at: now,
            received_at: now,
            written_at: now,
            wants_turn: false,
        }
    }

    /// The largest payload that is read now.
    fn payload_max(&self) -> u32 {
        match self.phase {
            Phase::Header | Phase::Start | Phase::Tune => self.shared.settings.initial_frame_max,
            _ => self.shared.tuned.frame_max,
        }
    }

    fn take_frames(&mut self, bytes: &[u8], now: Instant) -> usize {
        let mut used = 0;
        while self.wants_input() && self.shared.enqueued < ENQUEUES_PER_TURN {
            let rest = bytes.get(used..).unwrap_or_default();
            if self.phase == Phase::Header {
                let Some(header) = rest.first_chunk() else { break };
                used += header.len();
                self.protocol_header(header);
                continue;
            }
            if let Some(octets) = self.take_publish(rest, now) {
                used += octets;
                continue;
            }
            match frame::decode(rest, self.payload_max()) {
                Ok(Step::Need(_)) => break,
                Ok(Step::Frame { frame, consumed }) => {
                    used += consumed;
                    self.take_frame(&frame, now);
                }
                Err(error) => {
                    if !self.is_ending() {
                        self.fail_frame(refusal::unreadable(&error), 0, now);
                    }
                    // Nothing behind it can be found any more.
                    return bytes.len();
                }
            }
        }
        match self.phase {
            Phase::Finished { .. } | Phase::Broken => bytes.len(),
            _ => used,
        }
    }

    /// Does what was gathered and tells publishers.
    fn flush(&mut self) {
        let position = self.shared.flush().queued;
        self.tell_refused();
        if self.shared.confirming.is_empty() {
            return;
        }
        let durable = self.shared.node.durable();
        for number in std::mem::take(&mut self.shared.confirming) {
            let Some(channel) = self.channels.get_mut(&number) else {
                continue;
            };
            let channel::Mode::Confirm(confirms) = &mut channel.mode else {
                continue;
            };
            let mut due = Vec::new();
            if confirms.done(position, durable, |ack| due.push(ack)) {
                self.shared.node.notify_durable(position, &self.shared.mailbox);
            }
            for ack in due {
                channel.send(&mut self.shared, ack);
            }
        }
    }

    /// Queues did not take some of the messages of the batch: their publishers learn it before all else.
    fn tell_refused(&mut self) {
        let mut refused = self.shared.batch.take_refused();
        // A message that several queues refuse is refused once.
        refused.sort_unstable();
        refused.dedup();
        for token in refused {
            let (number, publish) = confirms::of_token(token);
            let Some(channel) = self.channels.get_mut(&number) else {
                continue;
            };
            let channel::Mode::Confirm(confirms) = &mut channel.mode else {
                continue;
            };
            if let Some(nack) = confirms.refuse_one(publish) {
                channel.send(&mut self.shared, nack);
            }
        }
    }

    /// Ends what an error ends, as far as it reaches.
    fn fail(&mut self, failure: Failure, number: u16, now: Instant) {
        self.flush();
        let text = failure.reply_text();
        let (class, method) = failure.at.unwrap_or_default();
        let code = failure.code.number;
        match failure.reach {
            Reach::Channel => {
                tracing::info!(peer = %self.peer, channel = number, text, "channel error");
                let Some(channel) = self.channels.get_mut(&number) else {
                    return;
                };
                channel.release(&mut self.shared);
                channel.is_closing = true;
                let close = channel_methods::Close {
                    code,
                    text: &text,
                    class,
                    method,
                };
                channel.send(&mut self.shared, close);
            }
            Reach::Connection => {
                tracing::warn!(peer = %self.peer, channel = number, text, "connection error");
                self.release_all();
                self.shared.send(connection::Close {
                    code,
                    text: &text,
                    class,
                    method,
                });
                self.phase = Phase::Closing { since: now };
            }
            Reach::Socket => {
                tracing::warn!(peer = %self.peer, reason = failure.text, "connection closed");
                self.phase = Phase::Broken;
            }
        }
    }

    /// Ends all channels and the client's part in the broker.
    fn release_all(&mut self) {
        self.shared.pending = None;
        for (_, mut channel) in self.channels.drain() {
            channel.release(&mut self.shared);
            channel.drop_parked(&mut self.shared);
        }
        self.shared.is_blocked = false;
        // Before the client leaves, who tells the others of an alarm that this ends.
        self.shared.account();
        if let Some(client) = self.shared.client.take() {
            client.leave(&mut self.shared.batch, &mut self.shared.touched);
            self.place = Some(client.into_place());
        }
    }

    /// A connection that is over takes no place any more.
    fn give_place_back(&mut self) {
        if self.status() != Status::Open {
            self.place = None;
        }
    }

    /// Whether the end was said, by either side.
    fn is_ending(&self) -> bool {
        matches!(
            self.phase,
            Phase::Closing { .. } | Phase::Finished { .. } | Phase::Broken
        )
    }

    /// Ends a turn: deals with everything that came from the broker, as far as there is room.
    fn settle_inbox(&mut self, now: Instant) {
        loop {
            if self.shared.mailbox.is_pending() {
                self.shared.mailbox.take(&mut self.shared.inbox);
            }
            self.take_notices(now);
            // What was taken away gave its credit back.
            self.shared.resume();
            self.write_deliveries();
            if !self.shared.mailbox.is_pending() && self.shared.inbox.notices.is_empty() {
                break;
            }
        }
        self.shared.account();
        self.shared.node.spread_alarms();
        self.give_place_back();
    }

    fn take_notices(&mut self, now: Instant) {
        let mut has_room = false;
        for notice in std::mem::take(&mut self.shared.inbox.notices) {
            match notice {
                Notice::ConsumerCancelled(address) => self.consumer_cancelled(address),
                Notice::Durable => {
                    has_room = true;
                    let durable = self.shared.node.durable();
                    for channel in self.channels.values_mut() {
                        channel.release_parked(&mut self.shared, durable);
                    }
                    self.close_if_told(now);
                }
                Notice::Fetched => self.get_again(now),
                Notice::TimedOut(address, queue, ticket) => self.timed_out(address, queue, ticket),
                Notice::Room => has_room = true,
                Notice::LogFailed(reason) => self.log_failed(&reason, now),
                // Looked at in any case.
                Notice::Alarm => {}
                Notice::Close(reason) => {
                    self.close_all(Failure::connection(refusal::CONNECTION_FORCED, reason), now);
                }
            }
        }
        if has_room && self.shared.look_for_room() {
            // What the client sent meanwhile is still to be read.
            self.received_at = now;
        }
        if self.shared.is_blocked && self.shared.node.alarm().is_none() {
            self.shared.is_blocked = false;
            self.received_at = now;
            if self.shared.capabilities.connection_blocked {
                self.shared.send(connection::Unblocked);
            }
        }
    }

    /// Answers were said that a close has to wait for.
    fn close_if_told(&mut self, now: Instant) {
        match self.shared.pending.clone() {
            Some(Pending::CloseChannel(number)) => {
                self.shared.pending = None;
                self.close_channel(number);
            }
            Some(Pending::CloseConnection(code, text)) => {
                self.shared.pending = None;
                self.client_closes(code, &text, now);
            }
            Some(Pending::Get { .. }) | None => {}
        }
    }

    /// Nothing can be kept any more: publishers learn what is not confirmed, and all why they are closed.
    fn log_failed(&mut self, reason: &str, now: Instant) {
        for channel in self.channels.values_mut() {
            channel.refuse_unconfirmed(&mut self.shared);
        }
        self.close_all(
            Failure::connection(refusal::INTERNAL_ERROR, reason.to_owned()),
            now,
        );
    }

    /// All connections have to go. Who is closed already has been told why, or soon will be: what is still
    /// to be written must get there.
    fn close_all(&mut self, failure: Failure, now: Instant) {
        match self.phase {
            Phase::Running => self.fail(failure.at_none(), 0, now),
            Phase::Closing { .. } => {}
            // Who has not logged in, or has said goodbye, is not waited for.
            _ => self.phase = Phase::Broken,
        }
    }

    /// When the peer has been silent for too long.
    fn silence_deadline(&self) -> Option<Instant> {
        let settings = &self.shared.settings;
        match self.phase {
            Phase::Header | Phase::Start | Phase::Tune | Phase::Open => {
                Some(self.connected_at + settings.handshake_timeout)
            }
            // While nothing is read, from a blocked publisher or a client that does not take its
            // messages, nothing can be missed.
            Phase::Running if self.shared.tuned.heartbeat_s > 0 && self.wants_input() => {
                Some(self.received_at + Duration::from_secs(u64::from(self.shared.tuned.heartbeat_s) * 2))
            }
            Phase::Running | Phase::Broken => None,
            Phase::Closing { since } | Phase::Finished { since } => Some(since + CLOSING_TIMEOUT),
        }
    }

    /// When the peer has to hear from the server.
    fn heartbeat_deadline(&self) -> Option<Instant> {
        let interval = Duration::from_secs(self.shared.tuned.heartbeat_s.into());
        (self.phase == Phase::Running && !interval.is_zero()).then(|| self.written_at + interval / 2)
    }

    fn look_at_clock(&mut self, now: Instant) {
        if self.silence_deadline().is_some_and(|deadline| deadline <= now) {
            let reason = match self.phase {
                Phase::Running => "missed heartbeats from client",
                Phase::Closing { .. } | Phase::Finished { .. } => "timeout waiting for the client to close",
                _ => "handshake timeout",
            };
            self.fail(Failure::socket(reason), 0, now);
        }
        if self.heartbeat_deadline().is_some_and(|deadline| deadline <= now) {
            // Only what is written counts, but one that waits already is enough.
            self.written_at = now;
            if self.shared.output.len() == 0 {
                frame::heartbeat(self.shared.output.buffer());
            }
        }
    }
}

impl Session for Connection {
    fn receive(&mut self, bytes: &[u8], now: Instant) -> usize {
        self.received_at = now;
        self.shared.enqueued = 0;
        self.shared.clock.turn();
        self.shared.burden = Burden::default();
        let used = self.take_frames(bytes, now);
        self.wants_turn = self.shared.enqueued >= ENQUEUES_PER_TURN && used < bytes.len();
        self.flush();
        if self.shared.enqueued > 0 {
            self.shared.wait_for_room();
        }
        self.settle_inbox(now);
        used
    }

    fn wake(&mut self, now: Instant) {
        self.settle_inbox(now);
        self.look_at_clock(now);
    }

    fn output(&self) -> &[u8] {
        self.shared.output.waiting()
    }

    fn written(&mut self, count: usize, now: Instant) {
        let wanted_input = self.wants_input();
        self.shared.output.advance(count);
        self.written_at = now;
        if !wanted_input && self.wants_input() {
            // What the client sent meanwhile is still to be read.
            self.received_at = now;
        }
        if self.shared.has_output_room() && !self.shared.inbox.parcels.is_empty() {
            self.settle_inbox(now);
        }
    }

    fn wants_input(&self) -> bool {
        if self.phase == Phase::Broken {
            return false;
        }
        let untaken = self.shared.output.len() + self.shared.parked_bytes;
        if self.shared.pending.is_some() || (self.shared.is_congested && !self.shared.is_peer_gone) {
            return false;
        }
        self.shared.is_peer_gone || (!self.shared.is_blocked && untaken < UNTAKEN_BYTES_MAX)
    }

    fn peer_gone(&mut self) {
        self.shared.is_peer_gone = true;
        self.shared.is_blocked = false;
    }

    fn wants_turn(&self) -> bool {
        self.wants_turn
    }

    fn deadline(&self) -> Option<Instant> {
        match (self.silence_deadline(), self.heartbeat_deadline()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn status(&self) -> Status {
        match self.phase {
            Phase::Finished { .. } => Status::Finished,
            Phase::Broken => Status::Broken,
            _ => Status::Open,
        }
    }

    fn touched(&mut self) -> &mut Touched {
        &mut self.shared.touched
    }

    fn mailbox(&self) -> &Arc<Mailbox> {
        &self.shared.mailbox
    }

    fn close(&mut self, now: Instant) {
        match self.phase {
            Phase::Finished { .. } | Phase::Closing { .. } | Phase::Broken => {}
            _ => {
                let silent_s = now.saturating_duration_since(self.received_at).as_secs();
                tracing::info!(peer = %self.peer, silent_s, "connection closed by the client without a word");
            }
        }
        self.release_all();
        self.phase = Phase::Broken;
        self.give_place_back();
    }
}

/// Methods that gather work, and after which nothing has to be done at once.
fn is_gathered(method: &Method<'_>) -> bool {
    matches!(
        method,
        Method::BasicPublish(_) | Method::BasicAck(_) | Method::BasicNack(_) | Method::BasicReject(_)
    )
}
