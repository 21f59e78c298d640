//! A node to test with: one virtual host, users who may do anything, messages that say who sent them.

use crate::sim::sim_disk::SimDisk;
use std::sync::Arc;
use warren_broker::access::{Permission, User};
use warren_broker::catalog::{ExchangeDeclaration, QueueDeclaration, Vhost};
use warren_broker::message::{AnnotationsWriter, Message, Parts};
use warren_broker::name::{ExchangeName, QueueName, UserName, VhostName};
use warren_broker::naming::QUEUE_ALIAS;
use warren_broker::parameter::Parameter;
use warren_broker::value::{Table, Value};
use warren_node::storage::Options;
use warren_node::{Batch, Client, Config, Dialect, Got, LiveQueue, Node, Touched, Worked};
use warren_store::MemoryLog;

/// A node with a virtual host `/`.
pub(crate) fn node() -> Arc<Node> {
    let node = Node::new(Config::default(), Arc::new(MemoryLog::default()));
    node.put_vhost(Vhost::named(vhost()));
    node
}

/// A node over a disk, with a small log, as it is when it starts.
pub(crate) fn open(disk: SimDisk) -> Arc<Node> {
    let log = warren_store::Options {
        segment_bytes: 64 * 1024,
        log_bytes_max: 512 * 1024,
        waiting_bytes_max: 256 * 1024,
        sync: true,
    };
    let options = Options {
        log,
        disk_free_limit: 0,
        ..Options::default()
    };
    Node::open(Config::default(), options, Arc::new(disk))
        .unwrap()
        .node
}

pub(crate) fn vhost() -> VhostName {
    VhostName::new("/").unwrap()
}

/// A client of a user who may do anything.
pub(crate) fn client(node: &Arc<Node>, user: &str) -> Client {
    let mut user = User::new(UserName::new(user).unwrap());
    user.permissions
        .insert(vhost(), Permission::new(".*", ".*", ".*").unwrap());
    node.put_user(user.clone());
    node.enter(Arc::new(user), "/", node.new_mailbox()).unwrap()
}

pub(crate) fn declare_queue(client: &mut Client, name: &str) -> Arc<LiveQueue> {
    declare_with(client, name, &[])
}

pub(crate) fn declare_with(client: &mut Client, name: &str, arguments: &[(&str, Value)]) -> Arc<LiveQueue> {
    let arguments = arguments.iter().cloned();
    let arguments = arguments.map(|(name, value)| (name.to_owned(), value));
    let asked = durable_queue(name, arguments.collect());
    let mut touched = Touched::default();
    client.declare_queue(&asked, &mut touched).unwrap();
    touched.wake_all();
    client.vhost().queue(name).unwrap()
}

/// How a durable queue is declared.
pub(crate) fn durable_queue(name: &str, arguments: Table) -> QueueDeclaration {
    QueueDeclaration {
        name: QueueName::new(name).unwrap(),
        server_named: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        arguments,
    }
}

/// How a durable exchange is declared.
pub(crate) fn durable_exchange(name: &str, kind: &str, arguments: Table) -> ExchangeDeclaration {
    ExchangeDeclaration {
        name: ExchangeName::new(name).unwrap(),
        kind: kind.to_owned(),
        durable: true,
        auto_delete: false,
        internal: false,
        arguments,
    }
}

/// How messages are read whose headers a function tells, and of which nothing else is known.
#[derive(Debug)]
struct HeadersOnly(fn(&Message) -> Option<Table>);

impl Dialect for HeadersOnly {
    fn headers(&self, message: &Message) -> Option<Table> {
        (self.0)(message)
    }

    fn message_id<'m>(&self, _: &'m Message) -> Option<&'m [u8]> {
        None
    }

    fn correlation_id<'m>(&self, _: &'m Message) -> Option<&'m [u8]> {
        None
    }

    fn timestamp(&self, _: &Message) -> Option<u64> {
        None
    }

    fn event(&self, _: &Table, _: u64) -> Vec<u8> {
        Vec::new()
    }
}

/// For a node whose messages have the headers that a function tells.
pub(crate) fn with_headers(headers: fn(&Message) -> Option<Table>) -> Config {
    Config {
        dialect: Arc::new(HeadersOnly(headers)),
        ..Config::default()
    }
}

/// A parameter by which a name stands for a queue.
pub(crate) fn alias(name: &str, queue: &str) -> Parameter {
    let says = [("queue", Value::from(queue))].into_iter().collect();
    Parameter::new(QUEUE_ALIAS, name, Value::Table(says)).unwrap()
}

/// Who sent a message, and the how manyth of theirs it is.
pub(crate) type Id = (u8, u32);

pub(crate) fn message((publisher, number): Id, padding: usize) -> Message {
    let mut body = vec![publisher];
    body.extend_from_slice(&number.to_be_bytes());
    body.resize(body.len() + padding, 0);
    Message::of(&Parts {
        key: "q",
        body: &body,
        persistent: true,
        ..Parts::default()
    })
    .unwrap()
}

pub(crate) fn id_of(message: &Message) -> Id {
    let (head, _) = message.body().split_at(5);
    (head[0], u32::from_be_bytes(head[1..].try_into().unwrap()))
}

/// An hour to begin with, in milliseconds since 1970: behind any that a machine's clock has, by which a node
/// goes until it is told another.
pub(crate) const HOUR_MS: u64 = 4_000_000_000_000;

/// A message that was published at an hour, with what its publisher noted.
pub(crate) fn timed(
    key: &str,
    body: &[u8],
    published_ms: u64,
    note: impl FnOnce(&mut AnnotationsWriter),
) -> Message {
    let mut noted = AnnotationsWriter::default();
    note(&mut noted);
    Message::of(&Parts {
        key,
        body,
        persistent: true,
        published_ms,
        annotations: noted.bytes(),
        ..Parts::default()
    })
    .unwrap()
}

/// Publishes messages to a queue, as one batch.
pub(crate) fn put(client: &Client, queue: &Arc<LiveQueue>, messages: &[Message]) -> Worked {
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    for message in messages {
        batch.publish(queue, message.clone(), 0);
    }
    let worked = client.flush(&mut batch, &mut touched);
    touched.wake_all();
    worked
}

/// Takes all that a queue gives, and answers the bodies.
pub(crate) fn drain(client: &mut Client, queue: &str) -> Vec<Vec<u8>> {
    let name = QueueName::new(queue).unwrap();
    let mut found = Vec::new();
    while let Got::Message(taken) = client.take(&name, true).unwrap().1 {
        found.push(taken.delivery.message.body().to_vec());
    }
    found
}
