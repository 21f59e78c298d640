//! Delayed messages that stand in the log once, while it is trimmed, and messages go to extents and come
//! back: what was confirmed is there after any end, and nothing is reported that did not happen.

use crate::broker::{HOUR_MS, client, declare_queue, declare_with, drain, message, timed, vhost};
use crate::sim::sim_disk::{Random, SimDisk};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use warren_broker::catalog::Vhost;
use warren_broker::name::QueueName;
use warren_broker::value::Value;
use warren_node::storage::{Opened, Options, Recovered, Step};
use warren_node::{Batch, Client, Config, Got, LiveQueue, Node, Touched};
use warren_store::disk::Disk;

const BEGIN_MS: u64 = 4_000_000_000_000;
const QUEUES: [&str; 3] = ["a", "b", "priorities"];

/// Steps of a course.
const STEPS: usize = 150;

fn options(seed: u64) -> Options {
    let log = warren_store::Options {
        segment_bytes: 64 * 1024,
        log_bytes_max: [1 << 20, 16 << 20, 64 << 20][(seed / 3 % 3) as usize],
        waiting_bytes_max: 8 << 20,
        sync: true,
    };
    let checkpoints = [Duration::ZERO, Duration::from_secs(3600)];
    Options {
        log,
        recent_bytes: [40_000, 400_000, 1 << 30][(seed % 3) as usize],
        disk_free_limit: 0,
        extent_bytes: 256 << 10,
        checkpoint_every: checkpoints[(seed / 9 % 2) as usize],
        rewrite_every: Duration::ZERO,
    }
}

fn put(
    client: &Client,
    messages: impl IntoIterator<Item = (Arc<LiveQueue>, warren_broker::message::Message)>,
) {
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    for (queue, message) in messages {
        batch.publish(&queue, message, 0);
    }
    client.flush(&mut batch, &mut touched);
    touched.wake_all();
}

/// A node at random, and what is to be in its queues.
struct Course {
    seed: u64,
    random: Random,
    disk: SimDisk,
    node: Arc<Node>,
    client: Client,
    now_ms: u64,
    next: u32,
    /// By queue and number, when each message is due; 0: at once.
    left: BTreeMap<&'static str, BTreeMap<u32, u64>>,
}

impl Course {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let opened = Node::open(Config::default(), options(seed), Arc::new(disk.clone()));
        let node = opened.unwrap().node;
        node.tick(BEGIN_MS);
        node.put_vhost(Vhost::named(vhost()));
        let mut client = client(&node, "u");
        declare_with(&mut client, "priorities", &[("x-max-priority", Value::I64(5))]);
        for queue in ["a", "b", "other"] {
            declare_queue(&mut client, queue);
        }
        Self {
            seed,
            random: Random::new(seed),
            disk,
            node,
            client,
            now_ms: BEGIN_MS,
            next: 0,
            left: QUEUES.map(|queue| (queue, BTreeMap::new())).into(),
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.below(end)
    }

    /// Those with odd seeds have small bodies, and a log that hardly moves.
    fn is_big(&self) -> bool {
        self.seed.is_multiple_of(2)
    }

    fn live(&self, queue: &str) -> Arc<LiveQueue> {
        self.client.vhost().queue(queue).unwrap()
    }

    fn publish(&mut self) {
        let (mut batch, mut touched) = (Batch::default(), Touched::default());
        for _ in 0..=self.below(20) {
            let mut body = self.next.to_be_bytes().to_vec();
            let longest = if self.is_big() { 20_000 } else { 300 };
            body.resize(4 + self.below(longest) as usize, 7);
            let longest = [3_000, 30_000][self.below(2) as usize];
            let due = match self.below(4) {
                0 => 0,
                _ => self.now_ms + 1 + self.below(longest),
            };
            let one = timed("q", &body, self.now_ms, |note| {
                if due > 0 {
                    note.due_ms(due);
                }
            });
            let targets: &[&'static str] = match self.below(5) {
                0 => &["a", "b"],
                1 => &["b", "priorities"],
                2 => &["b"],
                3 => &["priorities"],
                _ => &["a"],
            };
            one.expect_queues(targets.len());
            for queue in targets {
                batch.publish(&self.live(queue), one.clone(), 0);
                self.left.get_mut(queue).unwrap().insert(self.next, due);
            }
            self.next += 1;
        }
        if self.below(3) == 0 {
            let together = batch.flush_together(self.node.appended(), &mut touched);
            assert!(together.is_some());
        } else {
            self.client.flush(&mut batch, &mut touched);
        }
        touched.wake_all();
    }

    /// The log grows by what another queue takes and gives.
    fn fill(&mut self) {
        let most = if self.is_big() { 40 } else { 4 };
        let count = self.below(most) as u32;
        let other = self.live("other");
        put(
            &self.client,
            (0..count).map(|number| (Arc::clone(&other), message((0, number), 30_000))),
        );
        while self.node.commit_log().unwrap() {}
        self.take("other", usize::MAX);
    }

    fn take(&mut self, queue: &'static str, max: usize) {
        let name = QueueName::new(queue).unwrap();
        let mut count = 0;
        while count < max {
            match self.client.take(&name, true).unwrap().1 {
                Got::Message(taken) => {
                    count += 1;
                    let body = taken.delivery.message.body();
                    let Some(left) = self.left.get_mut(queue) else {
                        continue;
                    };
                    let id = u32::from_be_bytes(body[..4].try_into().unwrap());
                    let due = left.remove(&id);
                    let is_due = due.is_some_and(|due| due <= self.now_ms);
                    assert!(is_due, "{queue}: {id}, due {due:?}, seed {}", self.seed);
                }
                Got::Empty => break,
                Got::Later => while self.node.read_back() {},
            }
        }
    }

    fn go_on(&mut self, ms: u64) {
        self.now_ms += ms;
        self.node.tick(self.now_ms);
    }

    fn keep_house(&self) {
        while self.node.commit_log().unwrap() {}
        while self.node.keep_house().unwrap() != Step::Done {}
    }

    fn look(&self) {
        for queue in QUEUES {
            let totals = self.live(queue).totals();
            let wanted = self.left[queue].len();
            assert_eq!(
                totals.ready + totals.delayed,
                wanted,
                "{queue}, seed {}",
                self.seed
            );
        }
    }

    fn crash(&mut self) {
        let end = self.node.appended();
        for round in 0.. {
            while self.node.commit_log().unwrap() {}
            if self.node.durable() >= end {
                break;
            }
            assert!(round < 1000, "the log is full, seed {}", self.seed);
            self.node.keep_house().unwrap();
        }
        self.disk = match self.below(3) {
            0 => {
                self.node.stop().unwrap();
                self.disk.kill()
            }
            1 => self.disk.kill(),
            _ => self.disk.crash(self.random.below(1 << 30)),
        };
        let disk = Arc::new(self.disk.clone());
        let opened = Node::open(Config::default(), options(self.seed), disk).unwrap();
        let found = (opened.recovered.damages, opened.recovered.messages_lost);
        assert_eq!(found, (vec![], 0), "seed {}", self.seed);
        self.node = opened.node;
        self.node.tick(self.now_ms);
        self.client = client(&self.node, "u");
        self.look();
    }

    fn step(&mut self) {
        match self.below(14) {
            0..=3 => self.publish(),
            4 => self.fill(),
            5 | 6 => {
                let ms = self.below(4_000);
                self.go_on(ms);
            }
            7 => while self.node.read_back() {},
            8 => {
                let queue = QUEUES[self.below(3) as usize];
                let max = self.below(40) as usize;
                self.take(queue, max);
            }
            9 => while self.node.commit_log().unwrap() {},
            10 => {
                while self.node.commit_log().unwrap() {}
                self.node.keep_house().unwrap();
            }
            11 => self.keep_house(),
            12 if self.below(6) == 0 => self.purge(),
            13 if self.below(3) == 0 => self.crash(),
            _ => {}
        }
        self.look();
    }

    /// What is due goes; of that, nothing may still stand in an extent.
    fn purge(&mut self) {
        let queue = QUEUES[self.below(3) as usize];
        while self.node.read_back() {}
        self.go_on(1);
        while self.node.read_back() {}
        self.go_on(1);
        self.client.purge(&QueueName::new(queue).unwrap()).unwrap();
        let now_ms = self.now_ms;
        self.left.get_mut(queue).unwrap().retain(|_, due| *due > now_ms);
    }

    /// Everything is due, and taken.
    fn end(&mut self) {
        self.crash();
        for _ in 0..40 {
            self.go_on(1_000);
            while self.node.read_back() {}
            self.keep_house();
        }
        self.go_on(1);
        for queue in QUEUES {
            self.take(queue, usize::MAX);
        }
        self.look();
        assert!(self.left.values().all(BTreeMap::is_empty), "seed {}", self.seed);
    }
}

#[test]
fn what_is_delayed_is_there_after_any_end() {
    for seed in 0..90 {
        let mut course = Course::new(seed);
        for _ in 0..STEPS {
            course.step();
        }
        course.end();
    }
}

/// A node whose log has come to this position.
fn at_position(position: u64) -> (SimDisk, Arc<Node>) {
    let disk = SimDisk::new(7);
    for folder in ["log", "extents", "damaged"] {
        disk.create_folder(folder).unwrap();
    }
    let mut writer = warren_store::checkpoint::Writer::new();
    writer.entry(0, warren_node::storage::entry::NODE, |out| {
        for number in [position, position, 1, 0] {
            out.extend_from_slice(&u64::to_le_bytes(number));
        }
    });
    assert!(writer.finish(&disk).is_ok());
    // It misses the log before.
    let node = open(&disk).node;
    assert!(node.appended().0 >= position);
    (disk, node)
}

fn open(disk: &SimDisk) -> Opened {
    let options = Options {
        disk_free_limit: 0,
        checkpoint_every: Duration::ZERO,
        ..Options::default()
    };
    Node::open(Config::default(), options, Arc::new(disk.clone())).unwrap()
}

/// A session of a node that is new, and its queue `q`, where a message is due after five seconds.
fn with_delayed(node: &Arc<Node>) -> (Client, Arc<LiveQueue>) {
    node.tick(HOUR_MS);
    node.put_vhost(Vhost::named(vhost()));
    let mut session = client(node, "u");
    let queue = declare_queue(&mut session, "q");
    let later = timed("q", b"later", HOUR_MS, |note| note.due_ms(HOUR_MS + 5_000));
    later.expect_queues(1);
    put(&session, [(Arc::clone(&queue), later)]);
    (session, queue)
}

/// A place in the log has 48 bits of its position: what is further is not referred to.
#[test]
fn a_log_may_be_as_long_as_it_likes() {
    for position in [46, 47, 48, 60].map(|bits| 1 << bits) {
        let (disk, node) = at_position(position);
        let (mut session, queue) = with_delayed(&node);
        let other = declare_queue(&mut session, "other");
        while node.commit_log().unwrap() {}
        node.tick(HOUR_MS + 6_000);
        while node.commit_log().unwrap() {}
        assert_eq!(queue.totals().ready, 1);
        let disk_then = disk.kill();
        // Files of the log go while it waits.
        put(
            &session,
            (0..700).map(|number| (Arc::clone(&other), message((0, number), 100_000))),
        );
        while node.commit_log().unwrap() {}
        while node.keep_house().unwrap() != Step::Done {}
        for disk in [disk_then, disk.kill()] {
            let Opened { node, recovered } = open(&disk);
            assert_eq!((recovered.damages, recovered.messages_lost), (vec![], 0));
            let mut session = client(&node, "u");
            let mut found = drain(&mut session, "q");
            while node.read_back() {}
            found.extend(drain(&mut session, "q"));
            assert_eq!(found, [b"later"], "{position}");
        }
    }
}

/// The log goes on from behind the body, as another queue needs it, and tells that the message was due.
fn with_body_gone(end: impl FnOnce(&mut Client)) -> Recovered {
    let disk = SimDisk::new(7);
    let node = open(&disk).node;
    let (mut session, _) = with_delayed(&node);
    let stays = declare_queue(&mut session, "stays");
    put(&session, [(stays, message((0, 1), 10))]);
    node.tick(HOUR_MS + 6_000);
    end(&mut session);
    let other = declare_queue(&mut session, "other");
    put(
        &session,
        (0..700).map(|number| (Arc::clone(&other), message((0, number), 100_000))),
    );
    assert_eq!(drain(&mut session, "other").len(), 700);
    while node.commit_log().unwrap() {}
    while node.keep_house().unwrap() != Step::Done {}
    open(&disk.kill()).recovered
}

#[test]
fn what_is_taken_is_not_missed_where_its_body_is_gone() {
    let recovered = with_body_gone(|session| assert_eq!(drain(session, "q"), [b"later"]));
    assert_eq!((recovered.damages, recovered.messages_lost), (vec![], 0));
    assert_eq!(recovered.messages, 1);
}

#[test]
fn what_went_with_its_queue_is_not_missed_where_its_body_is_gone() {
    let recovered = with_body_gone(|session| {
        let mut touched = Touched::default();
        let name = QueueName::new("q").unwrap();
        session.delete_queue(&name, false, false, &mut touched).unwrap();
        touched.wake_all();
    });
    assert_eq!((recovered.damages, recovered.messages_lost), (vec![], 0));
    assert_eq!(recovered.messages, 1);
}
