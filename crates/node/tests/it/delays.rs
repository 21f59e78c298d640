//! Messages with hours of their own that stand in extents: each has its hour, whatever becomes of the node,
//! and of the extents.

use crate::broker::{client, declare_queue, id_of, vhost};
use crate::sim::sim_disk::SimDisk;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use warren_broker::catalog::Vhost;
use warren_broker::message::{AnnotationsWriter, Message, Parts};
use warren_broker::name::QueueName;
use warren_node::storage::Options;
use warren_node::{Batch, Client, Config, Got, LiveQueue, Node, Position, Touched};

/// Behind any hour that a machine's clock has.
const BEGIN_MS: u64 = 4_000_000_000_000;

const COUNT: u32 = 4000;

/// How far off the hours lie, in milliseconds.
const SPAN_MS: u64 = 100_000;

fn options() -> Options {
    Options {
        recent_bytes: 100_000,
        disk_free_limit: 0,
        extent_bytes: 256 << 10,
        checkpoint_every: Duration::ZERO,
        rewrite_every: Duration::ZERO,
        ..Options::default()
    }
}

fn open(disk: &SimDisk) -> Arc<Node> {
    let opened = Node::open(Config::default(), options(), Arc::new(disk.clone())).unwrap();
    assert!(
        opened.recovered.damages.is_empty(),
        "{:?}",
        opened.recovered.damages
    );
    opened.node
}

/// When the n-th message is due, or expires: anywhere.
fn hour(number: u32) -> u64 {
    BEGIN_MS + 10_000 + u64::from(number) * 7919 % SPAN_MS
}

fn message(number: u32, note: impl FnOnce(&mut AnnotationsWriter)) -> Message {
    let mut body = vec![0];
    body.extend_from_slice(&number.to_be_bytes());
    body.resize(500, 0);
    let mut noted = AnnotationsWriter::default();
    note(&mut noted);
    Message::of(&Parts {
        key: "q",
        body: &body,
        persistent: true,
        published_ms: BEGIN_MS,
        annotations: noted.bytes(),
        ..Parts::default()
    })
    .unwrap()
}

/// All that can be read and written is.
fn work(node: &Arc<Node>) {
    while node.read_back() {}
    node.keep_house().unwrap();
    while node.read_back() {}
}

/// Takes what is ready: so much at most.
fn take(node: &Arc<Node>, client: &mut Client, max: usize) -> Vec<u32> {
    let name = QueueName::new("q").unwrap();
    let mut taken = Vec::new();
    while taken.len() < max {
        match client.take(&name, true).unwrap().1 {
            Got::Message(message) => taken.push(id_of(&message.delivery.message).1),
            Got::Empty => break,
            Got::Later => while node.read_back() {},
        }
    }
    taken
}

fn is_delayed(number: u32) -> bool {
    number % 2 == 1
}

/// A queue whose messages are delayed or expire in turn, most of them in extents, and what is left of it.
struct Trial {
    disk: SimDisk,
    node: Arc<Node>,
    client: Client,
    queue: Arc<LiveQueue>,
    now_ms: u64,
    /// What nobody took or cancelled.
    left: BTreeSet<u32>,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let node = open(&disk);
        node.put_vhost(Vhost::named(vhost()));
        let mut client = client(&node, "u");
        let queue = declare_queue(&mut client, "q");
        node.tick(BEGIN_MS);
        let (mut batch, mut touched) = (Batch::default(), Touched::default());
        for number in 0..COUNT {
            let sent = message(number, |noted| match is_delayed(number) {
                true => noted.due_ms(hour(number)),
                false => noted.ttl_ms(hour(number) - BEGIN_MS),
            });
            batch.publish(&queue, sent, 0);
        }
        client.flush(&mut batch, &mut touched);
        touched.wake_all();
        work(&node);
        assert!(node.usage().extents > 1, "most of it is in extents");
        Self {
            disk,
            node,
            client,
            queue,
            now_ms: BEGIN_MS,
            left: (0..COUNT).collect(),
        }
    }

    /// Goes to an hour, a second at a time, as a clock does, and looks whether all is as it has to be.
    fn go_to(&mut self, to_ms: u64) {
        while self.now_ms < to_ms {
            self.now_ms = (self.now_ms + 1000).min(to_ms);
            self.node.tick(self.now_ms);
            work(&self.node);
            self.look();
        }
    }

    fn look(&self) {
        let is_past = |number: &&u32| hour(**number) <= self.now_ms;
        let (past, to_come): (Vec<_>, Vec<_>) = self.left.iter().partition(is_past);
        let of = |numbers: &[&u32], delayed: bool| {
            let numbers = numbers.iter().filter(|number| is_delayed(***number) == delayed);
            numbers.count()
        };
        let totals = self.queue.totals();
        assert_eq!(
            (totals.ready, totals.delayed),
            (of(&past, true) + of(&to_come, false), of(&to_come, true)),
            "{} ms after the beginning",
            self.now_ms - BEGIN_MS
        );
    }

    /// Takes some of what is ready; they are all messages that are ready now.
    fn take(&mut self, max: usize) {
        for number in take(&self.node, &mut self.client, max) {
            assert!(self.left.remove(&number), "{number} came twice");
            assert_eq!(is_delayed(number), hour(number) <= self.now_ms);
        }
        self.look();
    }

    /// The node dies, and another one comes.
    fn crash(&mut self, seed: u64) {
        self.node.commit_log().unwrap();
        self.disk = self.disk.crash(seed);
        self.node = open(&self.disk);
        self.client = client(&self.node, "u");
        self.queue = self.client.vhost().queue("q").unwrap();
        self.node.tick(self.now_ms);
        work(&self.node);
        self.look();
    }
}

#[test]
fn hours_of_messages_in_extents_hold_through_crashes_and_rewriting() {
    let mut trial = Trial::new(5);
    trial.crash(1);
    trial.go_to(BEGIN_MS + 30_000);
    // Extents become sparse, and are rewritten.
    trial.take(usize::MAX);
    let cancelled = |number: u32| number % 8 < 6;
    let named: Vec<u64> = (0..COUNT)
        .filter(|number| cancelled(*number))
        .map(u64::from)
        .collect();
    let mut touched = Touched::default();
    trial.queue.cancel_delayed(&named, &mut touched).unwrap();
    touched.wake_all();
    trial
        .left
        .retain(|number| !(cancelled(*number) && is_delayed(*number)));
    for _ in 0..20 {
        work(&trial.node);
    }
    let usage = trial.node.usage();
    assert!(usage.live * 2 > usage.messages, "some were rewritten: {usage:?}");
    trial.crash(2);
    trial.go_to(BEGIN_MS + 60_000);
    trial.crash(3);
    trial.go_to(BEGIN_MS + 120_000);
    trial.take(usize::MAX);
    let totals = trial.queue.totals();
    assert_eq!((totals.ready, totals.delayed, totals.ready_octets), (0, 0, 0));
    assert!(trial.left.iter().all(|number| !is_delayed(*number)));
}

#[test]
fn a_delayed_message_in_an_extent_can_be_cancelled() {
    let mut trial = Trial::new(6);
    let named: Vec<u64> = (1..u64::from(COUNT)).step_by(4).collect();
    let mut touched = Touched::default();
    let position = trial.queue.cancel_delayed(&named, &mut touched).unwrap();
    touched.wake_all();
    assert!(position > Position::default());
    trial.left.retain(|number| number % 4 != 1);
    trial.look();
    trial.crash(1);
    trial.go_to(BEGIN_MS + 120_000);
    trial.take(usize::MAX);
    assert_eq!(trial.queue.totals().ready_octets, 0);
}

#[test]
fn hours_hold_where_the_checkpoint_lost_a_queue() {
    let trial = Trial::new(7);
    trial.node.commit_log().unwrap();
    let size = trial.disk.bytes("checkpoint").len();
    let mut lost = 0;
    for at in (0..size).step_by(251) {
        let disk = trial.disk.crash(1);
        for file in ["checkpoint", "checkpoint.copy"] {
            disk.flip(file, at, 1);
        }
        let Ok(opened) = Node::open(Config::default(), options(), Arc::new(disk)) else {
            continue;
        };
        let damages = &opened.recovered.damages;
        // Where the catalog lost it there is no queue.
        let vhost = opened.node.vhost("/");
        let Some(queue) = vhost.and_then(|vhost| vhost.queue("q")) else {
            continue;
        };
        let totals = queue.totals();
        assert_eq!((totals.ready, totals.delayed), (2000, 2000), "{at}: {damages:?}");
        lost += usize::from(damages.iter().any(|damage| damage.messages_lost != Some(0)));
    }
    assert!(lost > 0, "nothing was ever lost");
}
