//! A small node's life, and the folders that it leaves at some moments.

use crate::sim_disk::SimDisk;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use warren_broker::access::{Permission, User};
use warren_broker::catalog::{QueueDeclaration, Vhost};
use warren_broker::message::{Message, Parts};
use warren_broker::name::{QueueName, UserName, VhostName};
use warren_broker::value::Table;
use warren_node::storage::{Error, Opened, Options};
use warren_node::{Batch, Client, Config, Got, Node, Touched};
use warren_store::disk::Disk;

pub(crate) const QUEUES: [&str; 4] = ["long", "thin", "shared", "gone"];

/// Messages of a life.
const MESSAGES: u32 = 120;

/// More than a read asks for at a time, and so more than it takes to read a message.
const READS_MAX: usize = 1000;

/// See the module.
pub(crate) struct History {
    pub(crate) folders: Vec<SimDisk>,
    /// What was put into each queue, in order.
    written: BTreeMap<String, Vec<Vec<u8>>>,
}

impl History {
    pub(crate) fn new() -> Self {
        let disk = SimDisk::new(1);
        let mut history = Self {
            folders: vec![SimDisk::new(1)],
            written: BTreeMap::new(),
        };
        let first = open(Arc::new(disk.clone())).unwrap_or_else(|error| panic!("{error}"));
        first.node.put_vhost(Vhost::named(vhost()));
        let mut client = enter(&first.node);
        QUEUES.iter().for_each(|queue| declare(&mut client, queue));
        history.live(&first.node, &mut client, 0, &disk);
        drop(client);
        drop(first);
        // It was killed.
        let second = open(Arc::new(disk.clone())).unwrap_or_else(|error| panic!("{error}"));
        let mut client = enter(&second.node);
        history.live(&second.node, &mut client, MESSAGES, &disk);
        client
            .delete_queue(&name("gone"), false, false, &mut Touched::default())
            .expect("a queue that is there can be deleted");
        drop(client);
        second.node.stop().expect("a sound disk fails nothing");
        history.folders.push(disk.kill());
        // The undamaged folders hold what was written, or what is checked below would be nothing.
        for folder in history.folders.iter().skip(1) {
            let opened = open(Arc::new(folder.kill())).unwrap_or_else(|error| panic!("{error}"));
            assert!(opened.recovered.damages.is_empty());
            let came: usize = drain(&opened.node).values().map(Vec::len).sum();
            assert_eq!(came as u64, opened.recovered.messages);
            assert!(came > 50, "{came} messages");
        }
        history
    }

    /// Publishes, takes, commits and keeps house; leaves a folder now and then.
    fn live(&mut self, node: &Arc<Node>, client: &mut Client, first: u32, disk: &SimDisk) {
        for number in first..first + MESSAGES {
            let message = message(number);
            let mut batch = Batch::default();
            for queue in QUEUES {
                // The content stands once in the log, for all queues.
                let is_for = match queue {
                    "long" => true,
                    "thin" => number % 3 == 0,
                    "shared" => number % 2 == 0,
                    _ => number % 10 == 0,
                };
                let Some(live) = client.vhost().queue(queue).filter(|_| is_for) else {
                    continue;
                };
                batch.publish(&live, message.clone(), 0);
                let written = self.written.entry(queue.to_owned()).or_default();
                written.push(message.content().to_vec());
            }
            client.flush(&mut batch, &mut Touched::default());
            if number % 4 == 0 {
                take(client, "thin");
            }
            if number % 3 == 0 {
                node.commit_log().expect("a sound disk fails nothing");
            }
            if number % 20 == 19 {
                node.keep_house().expect("a sound disk fails nothing");
            }
            if number % 50 == 37 {
                self.folders.push(disk.kill());
            }
        }
    }

    /// What came out of a queue was put into it, and came once and in order.
    pub(crate) fn check(&self, queue: &str, came: &[Vec<u8>]) {
        let mut written = self.written.get(queue).into_iter().flatten();
        for (nth, content) in came.iter().enumerate() {
            let is_next = written.any(|written| written == content);
            assert!(
                is_next,
                "message {nth} of queue {queue} was not put there, or not behind the one before"
            );
        }
    }
}

/// Of all sizes, and each another.
fn message(number: u32) -> Message {
    let properties = number.to_le_bytes();
    let length = [0, 3, 40, 300, 1500][(number % 5) as usize];
    let mut body = number.to_be_bytes().to_vec();
    body.resize(body.len() + length, number as u8);
    Message::of(&Parts {
        key: "key",
        properties: &properties[..(number % 5) as usize],
        body: &body,
        persistent: true,
        ..Parts::default()
    })
    .expect("a short key")
}

/// So small that extents, checkpoints and recycled files come within some ten messages.
fn options() -> Options {
    Options {
        log: warren_store::Options {
            segment_bytes: 16 * 1024,
            log_bytes_max: 96 * 1024,
            waiting_bytes_max: 256 * 1024,
            sync: true,
        },
        recent_bytes: 8 * 1024,
        disk_free_limit: 0,
        extent_bytes: 16 * 1024,
        checkpoint_every: Duration::ZERO,
        rewrite_every: Duration::ZERO,
    }
}

/// Opens a node; it has no threads.
pub(crate) fn open(disk: Arc<dyn Disk>) -> Result<Opened, Error> {
    Node::open(Config::default(), options(), disk)
}

/// Takes everything out of every queue that is there.
pub(crate) fn drain(node: &Arc<Node>) -> BTreeMap<String, Vec<Vec<u8>>> {
    if node.vhost("/").is_none() {
        return BTreeMap::new();
    }
    let mut client = enter(node);
    let there = QUEUES
        .iter()
        .filter(|queue| client.vhost().queue(queue).is_some());
    let there: Vec<&str> = there.copied().collect();
    let mut drained = BTreeMap::new();
    for queue in there {
        let came = std::iter::from_fn(|| take(&mut client, queue));
        drained.insert(queue.to_owned(), came.collect());
    }
    drained
}

/// The content of the next message of a queue.
fn take(client: &mut Client, queue: &str) -> Option<Vec<u8>> {
    for _ in 0..READS_MAX {
        let (_, got) = client.take(&name(queue), true).ok()?;
        match got {
            Got::Empty => return None,
            Got::Later => while client.node().read_back() {},
            Got::Message(taken) => return Some(taken.delivery.message.content().to_vec()),
        }
    }
    panic!("a message of queue {queue} is never read");
}

fn enter(node: &Arc<Node>) -> Client {
    let mut user = User::new(UserName::new("u").expect("a name"));
    let all = Permission::new(".*", ".*", ".*").expect("patterns");
    user.permissions.insert(vhost(), all);
    node.put_user(user.clone());
    let entered = node.enter(Arc::new(user), "/", node.new_mailbox());
    entered.unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

fn declare(client: &mut Client, queue: &str) {
    let asked = QueueDeclaration {
        name: name(queue),
        server_named: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        arguments: Table::new(),
    };
    client
        .declare_queue(&asked, &mut Touched::default())
        .expect("a new queue can be declared");
}

fn name(queue: &str) -> QueueName {
    QueueName::new(queue).expect("a name")
}

fn vhost() -> VhostName {
    VhostName::new("/").expect("a name")
}
