//! A node to test with: one virtual host, users who may do anything, messages that say who sent them.

use crate::sim::sim_disk::SimDisk;
use std::sync::Arc;
use warren_broker::access::{Permission, User};
use warren_broker::catalog::{QueueDeclaration, Vhost};
use warren_broker::message::{Message, Parts};
use warren_broker::name::{QueueName, UserName, VhostName};
use warren_broker::naming::QUEUE_ALIAS;
use warren_broker::parameter::Parameter;
use warren_broker::value::Value;
use warren_node::storage::Options;
use warren_node::{Client, Config, LiveQueue, Node, Touched};
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
    let asked = QueueDeclaration {
        name: QueueName::new(name).unwrap(),
        server_named: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        arguments: arguments.map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    let mut touched = Touched::default();
    client.declare_queue(&asked, &mut touched).unwrap();
    touched.wake_all();
    client.vhost().queue(name).unwrap()
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
