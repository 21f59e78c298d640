//! Dead letters on their way: they wait for the log, for memory and for whoever takes them, and one that
//! nobody takes keeps no other one up.

use crate::broker::{HOUR_MS, client, declare_queue, declare_with, drain, node, put, timed, vhost};
use crate::sim::sim_disk::SimDisk;
use std::sync::Arc;
use warren_broker::catalog::Vhost;
use warren_broker::value::Value;
use warren_node::storage::Options;
use warren_node::{Client, Config, Node};

const MIB: u64 = 1024 * 1024;

fn dead_letters_to(queue: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("x-message-ttl", Value::I64(60_000)),
        ("x-dead-letter-exchange", Value::from("")),
        ("x-dead-letter-routing-key", Value::from(queue)),
    ]
}

fn options() -> Options {
    Options {
        disk_free_limit: 0,
        ..Options::default()
    }
}

/// A node with an empty disk, and a session.
fn opened(options: Options) -> (Arc<Node>, Client) {
    let node = Node::open(Config::default(), options, Arc::new(SimDisk::new(7)));
    let node = node.unwrap().node;
    node.tick(HOUR_MS);
    node.put_vhost(Vhost::named(vhost()));
    let client = client(&node, "u");
    (node, client)
}

#[test]
fn dead_letters_wait_for_the_log_and_for_memory() {
    let options = options();
    let waiting_max = options.log.waiting_bytes_max as u64;
    let budget = options.recent_bytes;
    let (node, mut client) = opened(options);
    let queue = declare_with(&mut client, "q", &dead_letters_to("d"));
    let target = declare_queue(&mut client, "d");
    let body = vec![1; MIB as usize];
    let write = || while node.commit_log().unwrap() {};
    for n in 0..64 {
        put(&client, &queue, &[timed("q", &body, HOUR_MS, |_| {})]);
        write();
        if n % 4 == 0 {
            node.keep_house().unwrap();
        }
    }
    node.keep_house().unwrap();
    // All of them expire, and nothing is written meanwhile.
    let mut now_ms = HOUR_MS + 100_000;
    for _ in 0..100 {
        node.tick(now_ms);
        while node.read_back() {}
        now_ms += 20;
    }
    let waits = node.appended().0 - node.durable().0;
    assert!(waits < waiting_max + 4 * MIB, "{waits} bytes wait for the disk");
    let held = node.memory().queues_bytes();
    assert!(held < 2 * budget + 12 * MIB, "{held} bytes are in memory");
    // When it is written, they go on by themselves.
    for _ in 0..1000 {
        write();
        node.keep_house().unwrap();
        now_ms += 20;
        node.tick(now_ms);
        while node.read_back() {}
        let held = node.memory().queues_bytes();
        assert!(held < 2 * budget + 12 * MIB, "{held} bytes are in memory");
    }
    assert_eq!(target.totals().ready, 64);
    assert_eq!((queue.totals().ready, queue.totals().leaving), (0, 0));
}

#[test]
fn dead_letters_that_nobody_takes_keep_no_others_up() {
    let node = node();
    node.tick(HOUR_MS);
    let mut client = client(&node, "u");
    let arguments = [
        ("x-queue-type", Value::from("quorum")),
        ("x-dead-letter-exchange", Value::from("")),
        ("x-dead-letter-strategy", Value::from("at-least-once")),
        ("x-overflow", Value::from("reject-publish")),
    ];
    let queue = declare_with(&mut client, "q", &arguments);
    let target = declare_queue(&mut client, "there");
    let of = |key: &str, ttl_ms| timed(key, b"12345", HOUR_MS, |note| note.ttl_ms(ttl_ms));
    let mut letters = vec![of("nowhere", 10); 1000];
    letters.extend(vec![of("there", 10); 3000]);
    letters.push(of("there", 200));
    put(&client, &queue, &letters);
    node.tick(HOUR_MS + 100);
    assert_eq!((target.totals().ready, queue.totals().leaving), (3000, 1000));
    // One that dies while the others wait does not wait for them.
    node.tick(HOUR_MS + 300);
    assert_eq!(target.totals().ready, 3001);
    // They are tried again.
    declare_queue(&mut client, "nowhere");
    node.tick(HOUR_MS + 900);
    assert_eq!(queue.totals().leaving, 1000);
    node.tick(HOUR_MS + 1_200);
    assert_eq!(queue.totals().leaving, 0);
    assert_eq!(drain(&mut client, "nowhere").len(), 1000);
}

/// They stand on disk until they are tried again, so that whoever publishes is not held up.
#[test]
fn dead_letters_that_nobody_takes_are_not_held_in_memory() {
    const LETTERS: usize = 64;
    let options = options();
    let budget = options.recent_bytes;
    let (node, mut client) = opened(options);
    let mut arguments = dead_letters_to("nowhere");
    arguments.extend([
        ("x-queue-type", Value::from("quorum")),
        ("x-dead-letter-strategy", Value::from("at-least-once")),
        ("x-overflow", Value::from("reject-publish")),
    ]);
    let queue = declare_with(&mut client, "q", &arguments);
    let body = vec![1; MIB as usize];
    let go_on = |now_ms: u64| {
        node.tick(now_ms);
        while node.commit_log().unwrap() {}
        node.keep_house().unwrap();
        while node.read_back() {}
    };
    let mut now_ms = HOUR_MS;
    let mut held_most = 0;
    // Each dies before the next one comes, or together with some others.
    for n in 0..LETTERS {
        let worked = put(&client, &queue, &[timed("q", &body, now_ms, |_| {})]);
        now_ms += if n % 3 == 0 { 100_000 } else { 20 };
        go_on(now_ms);
        held_most = held_most.max(worked.held_bytes as u64);
    }
    for _ in 0..200 {
        now_ms += 500;
        go_on(now_ms);
        let held = node.memory().queues_bytes();
        assert!(held < 2 * budget + 12 * MIB, "{held} bytes are in memory");
    }
    assert_eq!(queue.totals().leaving, LETTERS);
    assert!(
        held_most < 2 * budget + 12 * MIB,
        "{held_most} bytes hold up publishers"
    );
    let target = declare_queue(&mut client, "nowhere");
    for _ in 0..1_000 {
        now_ms += 500;
        go_on(now_ms);
    }
    assert_eq!((target.totals().ready, queue.totals().leaving), (LETTERS, 0));
}
