//! How often memory is asked for on the way of a message, once buffers have their size.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use warren_broker::access::{Permission, User};
use warren_broker::catalog::Vhost;
use warren_broker::name::{UserName, VhostName};
use warren_frontend::Session;
use warren_frontend::amqp091::{Connection, Settings};
use warren_node::{Config, Node, passwords};
use warren_protocol::amqp091::content::ContentHeader;
use warren_protocol::amqp091::frame;
use warren_protocol::amqp091::header::AMQP_0_9_1;
use warren_protocol::amqp091::method::{Method, basic, channel, confirm, connection, queue};
use warren_testkit::MemoryLog;

/// Messages of a batch: what one read brings.
const MESSAGES: u64 = 1000;

/// What a batch may ask for, however many messages it has.
const A_BATCH: u64 = 16;

fn node() -> Arc<Node> {
    let node = Node::new(Config::default(), Arc::new(MemoryLog::default()));
    let vhost = VhostName::new("/").unwrap();
    node.put_vhost(Vhost::named(vhost.clone()));
    let mut user = User::new(UserName::new("guest").unwrap());
    let algorithm = passwords::Algorithm::default();
    user.password_hash = Some(passwords::hash("guest", algorithm).unwrap());
    let all = Permission::new(".*", ".*", ".*").unwrap();
    user.permissions.insert(vhost, all);
    node.put_user(user);
    node
}

struct Peer(Connection);

impl Peer {
    fn new(node: &Arc<Node>) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let settings = Arc::new(Settings::default());
        let mut peer = Self(Connection::new(
            Arc::clone(node),
            settings,
            address,
            Instant::now(),
        ));
        peer.hear(&AMQP_0_9_1);
        let start = connection::StartOk {
            mechanism: "PLAIN",
            response: b"\0guest\0guest",
            ..connection::StartOk::default()
        };
        peer.say(0, start);
        let tune = connection::TuneOk {
            channel_max: 10,
            frame_max: 131_072,
            heartbeat: 0,
        };
        peer.say(0, tune);
        peer.say(
            0,
            connection::Open {
                vhost: "/",
                ..connection::Open::default()
            },
        );
        peer.say(1, channel::Open::default());
        peer
    }

    fn say<'m>(&mut self, number: u16, method: impl Into<Method<'m>>) {
        let mut bytes = Vec::new();
        method.into().encode(number, &mut bytes);
        self.hear(&bytes);
    }

    fn hear(&mut self, bytes: &[u8]) {
        assert_eq!(self.0.receive(bytes, Instant::now()), bytes.len());
        self.0.touched().drain().for_each(drop);
        self.0.written(self.0.output().len(), Instant::now());
    }

    /// Takes what came for it, and answers how many bytes it has to write.
    fn take(&mut self) -> usize {
        let mut written = 0;
        self.0.wake(Instant::now());
        while !self.0.output().is_empty() {
            let count = self.0.output().len();
            written += count;
            self.0.written(count, Instant::now());
        }
        self.0.touched().drain().for_each(drop);
        written
    }
}

/// A batch of publishes, to a queue by the default exchange.
fn publishes(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..MESSAGES {
        let publish = basic::Publish {
            routing_key: "q",
            ..basic::Publish::default()
        };
        Method::from(publish).encode(1, &mut bytes);
        let header = ContentHeader {
            class_id: basic::Publish::CLASS,
            weight: 0,
            body_size: body.len() as u64,
            properties: &[0x10, 0, 1],
        };
        header.encode(1, &mut bytes);
        frame::body(&mut bytes, 1, body);
    }
    bytes
}

/// Requests of memory while a batch comes in, while it is delivered, and while it is acknowledged.
fn requests(no_ack: bool, confirms: bool) -> [u64; 3] {
    let node = node();
    let (mut publisher, mut consumer) = (Peer::new(&node), Peer::new(&node));
    let declare = queue::Declare {
        queue: "q",
        ..queue::Declare::default()
    };
    consumer.say(1, declare);
    let consume = basic::Consume {
        queue: "q",
        no_ack,
        ..basic::Consume::default()
    };
    consumer.say(1, consume);
    if confirms {
        publisher.say(1, confirm::Select::default());
    }
    let batch = publishes(&[7; 16]);
    let mut requests = [0; 3];
    let mut tag = 0;
    for _ in 0..20 {
        let published = allocation_counter::measure(|| publisher.hear(&batch));
        let mut written = 0;
        let delivered = allocation_counter::measure(|| written = consumer.take());
        assert!(written > batch.len(), "{written} bytes of deliveries");
        tag += MESSAGES;
        let settled = allocation_counter::measure(|| {
            if !no_ack {
                let ack = basic::Ack {
                    delivery_tag: tag,
                    multiple: true,
                };
                consumer.say(1, ack);
            }
        });
        requests = [published, delivered, settled].map(|info| info.count_total);
    }
    requests
}

#[test]
fn a_message_asks_for_memory_once_when_it_is_published_and_never_again() {
    for (no_ack, confirms) in [(true, false), (false, false), (true, true), (false, true)] {
        let [published, delivered, settled] = requests(no_ack, confirms);
        let told = format!("no_ack {no_ack}, confirms {confirms}: {published}, {delivered}, {settled}");
        println!("{told}");
        assert!((MESSAGES..=MESSAGES + A_BATCH).contains(&published), "{told}");
        assert!(delivered <= A_BATCH && settled <= A_BATCH, "{told}");
    }
}
