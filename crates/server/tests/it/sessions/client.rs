//! A client without a socket: it says when it takes what its session has written, and its clock stands
//! still until somebody moves it.
//!
//! As a driver does, a client wakes whoever its session put something before, and its own session when that
//! was woken. It looks into no mailbox, so a wake-up that is missing shows.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use warren_broker::access::{Permission, User};
use warren_broker::catalog::Vhost;
use warren_broker::name::{UserName, VhostName};
use warren_frontend::amqp091::{Connection, Settings};
use warren_frontend::{Session, Status};
use warren_node::{Config, Node, Waker, passwords};
use warren_protocol::amqp091::content::ContentHeader;
use warren_protocol::amqp091::frame::{self, Step};
use warren_protocol::amqp091::header::AMQP_0_9_1;
use warren_protocol::amqp091::method::{Method, basic, channel, connection, queue};
use warren_protocol::amqp091::table::TableBuf;
use warren_store::MemoryLog;

pub(crate) fn vhost() -> VhostName {
    VhostName::new("/").unwrap()
}

/// A node with a virtual host `/` and a user who may do anything.
pub(crate) fn node(watermark_bytes: u64, log: MemoryLog) -> (Arc<Node>, Arc<MemoryLog>) {
    let log = Arc::new(log);
    let config = Config {
        memory_watermark_bytes: watermark_bytes,
        ..Config::default()
    };
    let node = Node::new(config, Arc::clone(&log) as _);
    node.put_vhost(Vhost::named(vhost()));
    let mut user = User::new(UserName::new("guest").unwrap());
    let hash = passwords::hash("guest", passwords::Algorithm::default());
    user.password_hash = Some(hash.unwrap());
    user.permissions
        .insert(vhost(), Permission::new(".*", ".*", ".*").unwrap());
    node.put_user(user);
    log.release();
    (node, log)
}

/// A node that never runs out of memory, and whose log is fast.
pub(crate) fn plain_node() -> Arc<Node> {
    node(u64::MAX, MemoryLog::default()).0
}

#[derive(Default)]
struct Bell(AtomicBool);

impl Waker for Bell {
    fn wake(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn try_finish(&self) -> bool {
        false
    }
}

/// See the module.
pub(crate) struct Client {
    pub(crate) session: Connection,
    pub(crate) now: Instant,
    bell: Arc<Bell>,
    taken: Vec<u8>,
}

impl Client {
    /// One that has said nothing.
    pub(crate) fn silent(node: &Arc<Node>, settings: Settings) -> Self {
        let now = Instant::now();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let session = Connection::new(Arc::clone(node), Arc::new(settings), peer, now);
        let bell = Arc::new(Bell::default());
        session.mailbox().set_waker(Arc::clone(&bell) as _);
        Self {
            session,
            now,
            bell,
            taken: Vec::new(),
        }
    }

    /// One that has logged in and not yet opened a virtual host.
    pub(crate) fn logged_in(node: &Arc<Node>, settings: Settings, heartbeat: u16) -> Self {
        let mut client = Self::silent(node, settings);
        client.say(&AMQP_0_9_1);
        let capabilities = TableBuf::build(|properties| {
            properties.table("capabilities", |capabilities| {
                for name in ["consumer_cancel_notify", "connection.blocked"] {
                    capabilities.bool(name, true);
                }
            });
        });
        let properties = capabilities.unwrap();
        client.call(
            0,
            connection::StartOk {
                client_properties: properties.as_table(),
                mechanism: "PLAIN",
                response: b"\0guest\0guest",
                locale: "en_US",
            },
        );
        client.call(
            0,
            connection::TuneOk {
                channel_max: 2047,
                frame_max: 131_072,
                heartbeat,
            },
        );
        assert_eq!(client.heard(), ["connection.start", "connection.tune"]);
        client
    }

    /// One with channels open.
    pub(crate) fn with(node: &Arc<Node>, settings: Settings, heartbeat: u16, channels: u16) -> Self {
        let mut client = Self::logged_in(node, settings, heartbeat);
        client.open_vhost();
        for number in 1..=channels {
            client.call(number, channel::Open::default());
        }
        client.take_all();
        assert_eq!(client.heard().len(), 1 + usize::from(channels));
        client
    }

    /// One with channels 1 and 2 open.
    pub(crate) fn open(node: &Arc<Node>) -> Self {
        Self::with(node, Settings::default(), 0, 2)
    }

    pub(crate) fn open_vhost(&mut self) {
        let open = connection::Open {
            vhost: "/",
            ..connection::Open::default()
        };
        self.call(0, open);
    }

    /// Says bytes as one read brings them, all of which the session takes.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = self.session.receive(rest, self.now);
            assert!(used > 0, "the session takes no more");
            rest = &rest[used..];
        }
        self.session.touched().wake_all();
    }

    pub(crate) fn call<'m>(&mut self, channel: u16, method: impl Into<Method<'m>>) {
        let mut out = Vec::new();
        method.into().encode(channel, &mut out);
        self.say(&out);
    }

    pub(crate) fn declare(&mut self, name: &str) {
        let declare = queue::Declare {
            queue: name,
            ..queue::Declare::default()
        };
        self.call(1, declare);
    }

    pub(crate) fn delete(&mut self, name: &str) {
        let delete = queue::Delete {
            queue: name,
            ..queue::Delete::default()
        };
        self.call(1, delete);
    }

    /// Consumes without acknowledgements, under the queue's name.
    pub(crate) fn consume(&mut self, channel: u16, name: &str) {
        let consume = basic::Consume {
            queue: name,
            consumer_tag: name,
            no_ack: true,
            ..basic::Consume::default()
        };
        self.call(channel, consume);
    }

    pub(crate) fn publish(&mut self, channel: u16, key: &str, bytes: usize) {
        self.begin(channel, key, bytes, bytes);
    }

    /// Publishes of a body of so many bytes so many.
    pub(crate) fn begin(&mut self, channel: u16, key: &str, announced: usize, bytes: usize) {
        let mut out = Vec::new();
        let publish = basic::Publish {
            routing_key: key,
            ..basic::Publish::default()
        };
        Method::from(publish).encode(channel, &mut out);
        let header = ContentHeader {
            class_id: basic::Publish::CLASS,
            weight: 0,
            body_size: announced as u64,
            properties: &[0, 0],
        };
        header.encode(channel, &mut out);
        self.say(&out);
        self.body(channel, bytes);
    }

    pub(crate) fn body(&mut self, channel: u16, bytes: usize) {
        let mut out = Vec::new();
        for piece in vec![0; bytes].chunks(100_000) {
            frame::body(&mut out, channel, piece);
        }
        self.say(&out);
    }

    /// Runs the session if it was woken.
    pub(crate) fn run(&mut self) {
        while self.bell.0.swap(false, Ordering::AcqRel) {
            self.session.wake(self.now);
            self.session.touched().wake_all();
        }
    }

    /// Takes up to so many bytes. Answers how many there were.
    pub(crate) fn take(&mut self, max: usize) -> usize {
        let output = self.session.output();
        let count = output.len().min(max);
        self.taken.extend_from_slice(&output[..count]);
        if count > 0 {
            self.session.written(count, self.now);
            self.session.touched().wake_all();
        }
        count
    }

    /// Takes whatever there is, until nothing comes any more.
    pub(crate) fn take_all(&mut self) {
        loop {
            self.run();
            if self.take(usize::MAX) == 0 {
                break;
            }
        }
    }

    /// Time passes, and the session looks at the clock if it wants to.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        if self
            .session
            .deadline()
            .is_some_and(|deadline| deadline <= self.now)
        {
            self.session.wake(self.now);
            self.session.touched().wake_all();
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.session.status() == Status::Open
    }

    /// The socket is gone.
    pub(crate) fn hang_up(&mut self) {
        self.session.close(self.now);
        self.session.touched().wake_all();
    }

    /// The names of the methods in what was taken since the last time, after taking what is written.
    pub(crate) fn heard(&mut self) -> Vec<&'static str> {
        self.take(usize::MAX);
        let mut names = Vec::new();
        let mut rest = self.taken.as_slice();
        while let Step::Frame { frame, consumed } = frame::decode(rest, u32::MAX).unwrap() {
            if frame.kind == frame::Kind::Method.octet() {
                names.push(Method::decode(frame.payload).unwrap().name());
            }
            rest = &rest[consumed..];
        }
        self.taken = rest.to_vec();
        names
    }
}
