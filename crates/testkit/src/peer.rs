//! A small blocking AMQP 0-9-1 client over a real socket, for tests of the whole program.
//!
//! ```text
//!   let mut peer = Peer::open(address, &Login::default())?;     handshake, channel 1 open
//!   peer.call(1, queue::Declare { .. }, "queue.declare-ok")?;   says a method, hears its answer
//!   peer.publish(1, "", "q", b"body")?;
//!   let delivery = peer.delivery()?;
//! ```
//!
//! It says what it is told, also what is wrong, and leaves nothing out of what it hears but heartbeats, and
//! those only where it says so. It is not a client for users: no recovery, no threads, one thing at a time.
//! Every wait ends after [`PATIENCE`] with an error. Spec: 0-9-1 §2.2, §4.2.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use warren_protocol::amqp091::content::ContentHeader;
use warren_protocol::amqp091::frame::{self, Kind, Step};
use warren_protocol::amqp091::header::AMQP_0_9_1;
use warren_protocol::amqp091::method::{Method, basic, channel, confirm, connection, queue};
use warren_protocol::amqp091::table::{TableBuf, TableWriter};

/// How long anything is waited for: far longer than it takes on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Octets of a body frame that are sent, whatever was agreed beyond it.
const BODY_FRAME_BYTES: usize = 100_000;

/// Larger than any frame that is agreed on in tests.
const FRAME_MAX: u32 = 1 << 27;

/// Who logs in, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login<'a> {
    /// The user.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
    /// The virtual host.
    pub vhost: &'a str,
    /// The heartbeat that tune-ok asks for, in seconds; 0 is none.
    pub heartbeat_s: u16,
}

impl Default for Login<'_> {
    fn default() -> Self {
        Self {
            user: "guest",
            password: "guest",
            vhost: "/",
            heartbeat_s: 0,
        }
    }
}

/// A frame as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The kind's octet.
    pub kind: u8,
    /// The channel.
    pub channel: u16,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Heard {
    /// The method of a method frame.
    ///
    /// # Errors
    /// When it is none, or malformed.
    pub fn method(&self) -> io::Result<Method<'_>> {
        if self.kind != Kind::Method.octet() {
            return Err(wrong(format!("a frame of kind {} is no method", self.kind)));
        }
        Method::decode(&self.payload).map_err(|error| wrong(error.to_string()))
    }

    fn is_heartbeat(&self) -> bool {
        self.kind == Kind::Heartbeat.octet()
    }
}

/// A message as it was delivered, got or returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The channel.
    pub channel: u16,
    /// The tag to settle it by.
    pub tag: u64,
    /// Whether the broker says that it may have been delivered before.
    pub redelivered: bool,
    /// The exchange that it was published to.
    pub exchange: String,
    /// The routing key that it was published with.
    pub routing_key: String,
    /// The properties as they came, flags included.
    pub properties: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
}

/// A connection to a broker.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    /// Received and not yet looked at.
    unread: Vec<u8>,
    /// Heard while something else was waited for.
    early: VecDeque<Heard>,
}

fn wrong(text: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}

impl Peer {
    /// Connects, and says nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            unread: Vec::new(),
            early: VecDeque::new(),
        })
    }

    /// Connects, logs in and opens channel 1.
    ///
    /// # Errors
    /// When anything else comes than what should. The text of connection.close is in the error.
    pub fn open(address: SocketAddr, login: &Login<'_>) -> io::Result<Self> {
        let mut peer = Self::connect(address)?;
        peer.log_in(login)?;
        peer.call(1, channel::Open::default(), "channel.open-ok")?;
        Ok(peer)
    }

    /// The handshake, from the protocol header to open-ok.
    ///
    /// # Errors
    /// See [`Peer::open`].
    pub fn log_in(&mut self, login: &Login<'_>) -> io::Result<()> {
        self.start(login)?;
        let heard = self.expect("connection.tune")?;
        let Method::ConnectionTune(tune) = heard.method()? else {
            return Err(wrong("not connection.tune".to_owned()));
        };
        let tune_ok = connection::TuneOk {
            channel_max: tune.channel_max,
            frame_max: tune.frame_max,
            heartbeat: login.heartbeat_s,
        };
        self.send(0, tune_ok)?;
        let open = connection::Open {
            vhost: login.vhost,
            ..connection::Open::default()
        };
        self.call(0, open, "connection.open-ok")?;
        Ok(())
    }

    /// The beginning of the handshake, up to start-ok.
    ///
    /// # Errors
    /// See [`Peer::open`].
    pub fn start(&mut self, login: &Login<'_>) -> io::Result<()> {
        self.write(&AMQP_0_9_1)?;
        self.expect("connection.start")?;
        let response = format!("\0{}\0{}", login.user, login.password);
        let properties = client_properties()?;
        let start_ok = connection::StartOk {
            client_properties: properties.as_table(),
            mechanism: "PLAIN",
            response: response.as_bytes(),
            locale: "en_US",
        };
        self.send(0, start_ok)
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Writes octets as they are.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says a method.
    ///
    /// # Errors
    /// What the system says.
    pub fn send<'m>(&mut self, channel: u16, method: impl Into<Method<'m>>) -> io::Result<()> {
        let mut out = Vec::new();
        method.into().encode(channel, &mut out);
        self.write(&out)
    }

    /// Says a method and hears its answer.
    ///
    /// # Errors
    /// When something else is heard on that channel, or nothing.
    pub fn call<'m>(
        &mut self,
        channel: u16,
        method: impl Into<Method<'m>>,
        answer: &str,
    ) -> io::Result<Heard> {
        self.send(channel, method)?;
        self.expect(answer)
    }

    /// Publishes a persistent message.
    ///
    /// # Errors
    /// What the system says.
    pub fn publish(&mut self, channel: u16, exchange: &str, key: &str, body: &[u8]) -> io::Result<()> {
        let mut out = Vec::new();
        publish(channel, exchange, key, body, &mut out);
        self.write(&out)
    }

    /// Declares a queue that survives.
    ///
    /// # Errors
    /// See [`Peer::call`].
    pub fn declare(&mut self, queue: &str) -> io::Result<()> {
        let declare = queue::Declare {
            queue,
            durable: true,
            ..queue::Declare::default()
        };
        self.call(1, declare, "queue.declare-ok").map(drop)
    }

    /// How many messages of a queue are ready.
    ///
    /// # Errors
    /// See [`Peer::call`].
    pub fn ready(&mut self, queue: &str) -> io::Result<u32> {
        let passive = queue::Declare {
            queue,
            passive: true,
            ..queue::Declare::default()
        };
        match self.call(1, passive, "queue.declare-ok")?.method()? {
            Method::QueueDeclareOk(ok) => Ok(ok.message_count),
            other => Err(wrong(format!("heard {}", other.name()))),
        }
    }

    /// Consumes on channel 1, with a prefetch; 0 is none.
    ///
    /// # Errors
    /// See [`Peer::call`].
    pub fn consume(&mut self, queue: &str, prefetch_count: u16) -> io::Result<()> {
        let qos = basic::Qos {
            prefetch_count,
            ..basic::Qos::default()
        };
        self.call(1, qos, "basic.qos-ok")?;
        let consume = basic::Consume {
            queue,
            ..basic::Consume::default()
        };
        self.call(1, consume, "basic.consume-ok").map(drop)
    }

    /// Has publishes on channel 1 confirmed.
    ///
    /// # Errors
    /// See [`Peer::call`].
    pub fn confirm(&mut self) -> io::Result<()> {
        self.call(1, confirm::Select { nowait: false }, "confirm.select-ok")
            .map(drop)
    }

    /// Acknowledges one delivery.
    ///
    /// # Errors
    /// What the system says.
    pub fn ack(&mut self, delivery: &Delivery) -> io::Result<()> {
        let ack = basic::Ack {
            delivery_tag: delivery.tag,
            multiple: false,
        };
        self.send(delivery.channel, ack)
    }

    /// Closes the connection and hears that it is.
    ///
    /// # Errors
    /// See [`Peer::call`].
    pub fn close(mut self) -> io::Result<()> {
        let close = connection::Close {
            code: 200,
            text: "bye",
            ..connection::Close::default()
        };
        self.call(0, close, "connection.close-ok").map(drop)
    }

    /// The next frame, a heartbeat too, within a time.
    ///
    /// # Errors
    /// `TimedOut` when none came, `UnexpectedEof` when the broker closed.
    pub fn frame_within(&mut self, within: Duration) -> io::Result<Heard> {
        if let Some(heard) = self.early.pop_front() {
            return Ok(heard);
        }
        let deadline = Instant::now() + within;
        loop {
            if let Some(heard) = self.take_frame()? {
                return Ok(heard);
            }
            self.read(deadline)?;
        }
    }

    /// The next frame but for heartbeats.
    ///
    /// # Errors
    /// See [`Peer::frame_within`].
    pub fn frame(&mut self) -> io::Result<Heard> {
        loop {
            let heard = self.frame_within(PATIENCE)?;
            if !heard.is_heartbeat() {
                return Ok(heard);
            }
        }
    }

    /// Waits for a method. Deliveries and confirms that come before it are kept for later.
    ///
    /// # Errors
    /// When the broker closes the channel or the connection, or falls silent.
    pub fn expect(&mut self, name: &str) -> io::Result<Heard> {
        let mut passed = VecDeque::new();
        let found = loop {
            let heard = self.frame()?;
            let Ok(method) = heard.method() else {
                passed.push_back(heard);
                continue;
            };
            if method.name() == name {
                break heard;
            }
            match method {
                Method::ConnectionClose(connection::Close { code, text, .. })
                | Method::ChannelClose(channel::Close { code, text, .. }) => {
                    return Err(wrong(format!("{code} {text}, waiting for {name}")));
                }
                _ => passed.push_back(heard),
            }
        };
        passed.append(&mut self.early);
        self.early = passed;
        Ok(found)
    }

    /// The next delivery, or the answer to a get, with its content.
    ///
    /// # Errors
    /// When something else comes.
    pub fn delivery(&mut self) -> io::Result<Delivery> {
        let heard = self.frame()?;
        self.content_of(&heard)
    }

    /// The content behind basic.deliver or basic.get-ok.
    ///
    /// # Errors
    /// When it is another method, or something else comes than its content.
    pub fn content_of(&mut self, heard: &Heard) -> io::Result<Delivery> {
        let (tag, redelivered, exchange, routing_key) = match heard.method()? {
            Method::BasicDeliver(m) => (m.delivery_tag, m.redelivered, m.exchange, m.routing_key),
            Method::BasicGetOk(m) => (m.delivery_tag, m.redelivered, m.exchange, m.routing_key),
            other => return Err(wrong(format!("{other:?} is no delivery"))),
        };
        let frame = self.frame()?;
        let header = ContentHeader::parse(&frame.payload).map_err(|error| wrong(error.to_string()))?;
        let mut body = Vec::new();
        while (body.len() as u64) < header.body_size {
            let piece = self.frame()?;
            if piece.kind != Kind::Body.octet() {
                return Err(wrong(format!("a frame of kind {} within a body", piece.kind)));
            }
            body.extend_from_slice(&piece.payload);
        }
        Ok(Delivery {
            channel: heard.channel,
            tag,
            redelivered,
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            properties: header.properties.to_vec(),
            body,
        })
    }

    /// Gets a message on channel 1; `None` when none is ready.
    ///
    /// # Errors
    /// When something else is heard.
    pub fn get(&mut self, queue: &str, no_ack: bool) -> io::Result<Option<Delivery>> {
        let get = basic::Get {
            queue,
            no_ack,
            ..basic::Get::default()
        };
        self.send(1, get)?;
        let heard = self.frame()?;
        match heard.method()? {
            Method::BasicGetEmpty(_) => Ok(None),
            _ => self.content_of(&heard).map(Some),
        }
    }

    /// Waits until the broker closes. Answers the octets that came before, but for what was looked at.
    ///
    /// # Errors
    /// `TimedOut` when it does not; `ConnectionReset` and the like when it closes hard.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.read(deadline) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Ok(std::mem::take(&mut self.unread));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn take_frame(&mut self) -> io::Result<Option<Heard>> {
        let step = frame::decode(&self.unread, FRAME_MAX).map_err(|error| wrong(error.to_string()))?;
        let Step::Frame { frame, consumed } = step else {
            return Ok(None);
        };
        let heard = Heard {
            kind: frame.kind,
            channel: frame.channel,
            payload: frame.payload.to_vec(),
        };
        self.unread.drain(..consumed);
        Ok(Some(heard))
    }

    fn read(&mut self, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.unread
                    .extend_from_slice(buffer.get(..count).unwrap_or_default());
                Ok(())
            }
            // A socket with a timeout is not read on by the system itself after a signal.
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            // Which of the two it is differs between systems.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(ErrorKind::TimedOut.into())
            }
            Err(error) => Err(error),
        }
    }
}

/// Appends a persistent message: the method, the header, the body.
pub fn publish(channel: u16, exchange: &str, routing_key: &str, body: &[u8], out: &mut Vec<u8>) {
    // Delivery mode 2.
    publish_with(channel, exchange, routing_key, &[0x10, 0, 2], body, out);
}

/// Appends a message with properties, flags included, as they go over the wire.
pub fn publish_with(
    channel: u16,
    exchange: &str,
    routing_key: &str,
    properties: &[u8],
    body: &[u8],
    out: &mut Vec<u8>,
) {
    let method = basic::Publish {
        exchange,
        routing_key,
        ..basic::Publish::default()
    };
    method.encode(channel, out);
    let header = ContentHeader {
        class_id: basic::Publish::CLASS,
        weight: 0,
        body_size: body.len() as u64,
        properties,
    };
    header.encode(channel, out);
    for piece in body.chunks(BODY_FRAME_BYTES) {
        frame::body(out, channel, piece);
    }
}

fn client_properties() -> io::Result<TableBuf> {
    let fill = |properties: &mut TableWriter<'_>| {
        properties.string("product", "warren-testkit");
        properties.table("capabilities", |capabilities| {
            for name in [
                "consumer_cancel_notify",
                "connection.blocked",
                "authentication_failure_close",
            ] {
                capabilities.bool(name, true);
            }
        });
    };
    TableBuf::build(fill).map_err(|error| wrong(error.to_string()))
}
