//! A client that sends anything: the whole session of a connection, over a broker with a log in memory.
//!
//! The input is a script. Its first byte says whether the client logs in properly before; then each step is
//! an opcode and what it needs: a prepared method, a frame with arbitrary content, raw bytes, a look at the
//! clock, output that is taken or left. Beyond not crashing: output is bounded and whole frames, a session
//! that waits for more holds less than a frame, and one that is closed leaves nothing behind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use warren_broker::access::{PasswordHash, Permission, User};
use warren_broker::catalog::{QueueDeclaration, Vhost};
use warren_broker::name::{QueueName, UserName, VhostName};
use warren_broker::value::Table;
use warren_frontend::amqp091::{Connection, Settings};
use warren_frontend::{Session, Status};
use warren_node::{Config, Node, passwords};
use warren_protocol::amqp091::content::ContentHeader;
use warren_protocol::amqp091::frame::{self, Kind, Step};
use warren_protocol::amqp091::header::AMQP_0_9_1;
use warren_protocol::amqp091::method::text;
use warren_store::MemoryLog;

/// What a session may have to say at most: its own bound, a mailbox of deliveries, and a frame.
const OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024;

const HANDSHAKE: [&str; 3] = [
    r#"connection.start-ok mechanism="PLAIN" response="\x00guest\x00guest" locale="en_US""#,
    "connection.tune-ok channel_max=2047 frame_max=4096 heartbeat=60",
    r#"connection.open vhost="/""#,
];

/// Methods that lead somewhere, so that the fuzzer need not find them first.
const PREPARED: [&str; 24] = [
    "channel.open",
    r#"basic.publish routing_key="q""#,
    r#"basic.publish routing_key="q" mandatory"#,
    r#"basic.publish exchange="amq.fanout""#,
    r#"basic.consume queue="q" consumer_tag="c""#,
    r#"basic.consume queue="q" consumer_tag="n" no_ack"#,
    r#"basic.consume queue="amq.rabbitmq.reply-to" consumer_tag="r" no_ack"#,
    r#"basic.get queue="q""#,
    "basic.ack delivery_tag=1 multiple",
    "basic.nack delivery_tag=0 multiple requeue",
    "basic.reject delivery_tag=1 requeue",
    "basic.recover requeue",
    "basic.qos prefetch_count=1",
    "basic.qos prefetch_count=2 global",
    r#"basic.cancel consumer_tag="c""#,
    "tx.select",
    "tx.commit",
    "tx.rollback",
    "confirm.select",
    r#"queue.bind queue="q" exchange="amq.fanout""#,
    r#"queue.delete queue="q""#,
    r#"queue.declare queue="q" durable"#,
    r#"queue.purge queue="q""#,
    "channel.close",
];

static METHODS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| PREPARED.map(payload).to_vec());

/// Hashing is slow by its purpose.
static PASSWORD: LazyLock<PasswordHash> =
    LazyLock::new(|| passwords::hash("guest", passwords::Algorithm::default()).expect("hashed"));

fn payload(method: &str) -> Vec<u8> {
    text::parse(method).unwrap_or_else(|error| panic!("{method}: {error}"))
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script(bytes);
    let Some(first) = script.byte() else { return };
    let node = node();
    let mut client = Client::new(&node);
    if first & 1 == 0 {
        client.log_in();
    }
    while client.run(&mut script) {}
    client.leave();
    assert_eq!(node.session_count(), 0);
    if let Some(queue) = node.vhost("/").and_then(|vhost| vhost.queue("q")) {
        let totals = queue.totals();
        assert_eq!((totals.unsettled, totals.consumers), (0, 0), "left behind");
    }
});

fn node() -> Arc<Node> {
    let vhost = VhostName::new("/").expect("short");
    let node = Node::new(Config::default(), Arc::new(MemoryLog::default()));
    node.put_vhost(Vhost::named(vhost.clone()));
    let mut user = User::new(UserName::new("guest").expect("short"));
    user.password_hash = Some(PASSWORD.clone());
    let anything = Permission::new(".*", ".*", ".*").expect("valid");
    user.permissions.insert(vhost.clone(), anything);
    node.put_user(user);
    let queue = QueueDeclaration {
        name: QueueName::new("q").expect("short"),
        server_named: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        arguments: Table::new(),
    };
    node.put_queue(&vhost, &queue).expect("declared");
    node
}

/// What is left of the input.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Bytes behind their number.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let wanted = usize::from(self.byte()?);
        let (bytes, rest) = self.0.split_at(wanted.min(self.0.len()));
        self.0 = rest;
        Some(bytes)
    }

    fn channel(&mut self) -> Option<u16> {
        self.byte().map(|byte| u16::from(byte % 4))
    }
}

/// The peer of a session, with what the session did not consume yet.
struct Client {
    connection: Connection,
    now: Instant,
    unread: Vec<u8>,
    /// Everything the session said, if that begins with a frame.
    said: Vec<u8>,
    is_framed: bool,
}

impl Client {
    fn new(node: &Arc<Node>) -> Self {
        let now = Instant::now();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let settings = Arc::new(Settings::default());
        Self {
            connection: Connection::new(Arc::clone(node), settings, peer, now),
            now,
            unread: Vec::new(),
            said: Vec::new(),
            is_framed: false,
        }
    }

    fn log_in(&mut self) {
        self.is_framed = true;
        self.send(&AMQP_0_9_1);
        for method in HANDSHAKE {
            self.send_frame(Kind::Method, 0, &payload(method));
        }
        self.send_frame(Kind::Method, 1, &payload("channel.open"));
        self.take_output(usize::MAX);
    }

    /// Does the next step of the script; `false` when there is none.
    fn run(&mut self, script: &mut Script<'_>) -> bool {
        self.step(script).is_some() && self.connection.status() == Status::Open
    }

    fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        match script.byte()? % 16 {
            0..=4 => {
                let channel = script.channel()?;
                let at = usize::from(script.byte()?) % PREPARED.len();
                self.send_frame(Kind::Method, channel, &METHODS[at]);
            }
            5 | 6 => self.send_content(script)?,
            7 | 8 => {
                let channel = script.channel()?;
                self.send_frame(Kind::Method, channel, script.bytes()?);
            }
            9 => {
                let channel = script.channel()?;
                self.send_frame(Kind::Header, channel, script.bytes()?);
            }
            10 => {
                let channel = script.channel()?;
                self.send_frame(Kind::Body, channel, script.bytes()?);
            }
            11 => self.send(script.bytes()?),
            12 => self.take_output(usize::from(script.byte()?)),
            13 => {
                self.now += Duration::from_secs(u64::from(script.byte()?) / 8);
                self.connection.wake(self.now);
                self.look();
            }
            _ => {
                self.connection.wake(self.now);
                self.take_output(usize::MAX);
            }
        }
        Some(())
    }

    /// A header and the whole body that it announces.
    fn send_content(&mut self, script: &mut Script<'_>) -> Option<()> {
        let channel = script.channel()?;
        let (properties, body) = (script.bytes()?, script.bytes()?);
        let mut out = Vec::new();
        let header = ContentHeader {
            class_id: 60,
            weight: 0,
            body_size: body.len() as u64,
            properties: if properties.len() < 2 { &[0, 0] } else { properties },
        };
        header.encode(channel, &mut out);
        if !body.is_empty() {
            frame::body(&mut out, channel, body);
        }
        self.send(&out);
        Some(())
    }

    fn send_frame(&mut self, kind: Kind, channel: u16, payload: &[u8]) {
        let mut out = Vec::new();
        let mark = frame::begin(&mut out, kind.octet(), channel);
        out.extend_from_slice(payload);
        frame::end(&mut out, mark);
        self.send(&out);
    }

    fn send(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        self.offer();
    }

    /// Lets the session read as long as it does.
    fn offer(&mut self) {
        while self.connection.wants_input() && !self.unread.is_empty() {
            let used = self.connection.receive(&self.unread, self.now);
            assert!(used <= self.unread.len());
            self.unread.drain(..used);
            self.look();
            if used == 0 {
                assert!(!self.connection.wants_turn(), "a turn that gets nowhere");
                return;
            }
        }
    }

    fn look(&mut self) {
        let waiting = self.connection.output().len();
        assert!(waiting <= OUTPUT_BYTES_MAX, "{waiting} bytes of output");
        self.connection.touched().wake_all();
    }

    fn take_output(&mut self, bytes_max: usize) {
        while !self.connection.output().is_empty() {
            let output = self.connection.output();
            let count = output.len().min(bytes_max);
            if count == 0 {
                return;
            }
            self.said.extend_from_slice(&output[..count]);
            self.connection.written(count, self.now);
            self.look();
            if bytes_max != usize::MAX {
                break;
            }
        }
        self.offer();
    }

    /// Takes what is left and hangs up.
    fn leave(&mut self) {
        self.take_output(usize::MAX);
        self.connection.close(self.now);
        self.connection.close(self.now);
        self.look();
        if !self.is_framed {
            return;
        }
        let mut rest = &self.said[..];
        while !rest.is_empty() {
            let step = frame::decode(rest, u32::MAX).expect("frames only");
            let Step::Frame { consumed, .. } = step else {
                panic!("part of a frame: {rest:?}")
            };
            rest = &rest[consumed..];
        }
    }
}
