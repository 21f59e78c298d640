//! What is known, and what is there, after a node dies at any operation of its disk.

use super::{Actor, any_keyed, config, keyed, table};
use crate::broker::vhost;
use crate::sim::crash::Death;
use crate::sim::sim_disk::{Random, SimDisk};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use warren_broker::catalog::Vhost;
use warren_broker::route::NoHeaders;
use warren_broker::value::{Table, Value};
use warren_node::storage::Options;
use warren_node::{Keys, Node, Position};

fn options() -> Options {
    Options {
        log: warren_store::Options {
            segment_bytes: 4 * 1024,
            log_bytes_max: 32 * 1024,
            waiting_bytes_max: 16 * 1024,
            sync: true,
        },
        recent_bytes: 2 * 1024,
        disk_free_limit: 0,
        extent_bytes: 4 * 1024,
        checkpoint_every: Duration::ZERO,
        rewrite_every: Duration::ZERO,
    }
}

fn open(disk: &SimDisk) -> Arc<Node> {
    Node::open(config(), options(), Arc::new(disk.clone()))
        .unwrap()
        .node
}

/// Keys that publishes have; each message has its key for a number.
const KEYS: u32 = 40;

/// `g` is a gate with `a` and `b` behind it; `f` leads to it and to `c`; `h`, a gate too, to it and to `d`.
fn build(node: &Arc<Node>) {
    node.put_vhost(Vhost::named(vhost()));
    let mut actor = Actor::new(node);
    actor.gate("g", 1_000);
    actor.gate("h", 1_000);
    actor.declare_exchange("f", "fanout", Table::new());
    for queue in ["a", "b", "c", "d"] {
        actor.declare_queue(queue, Table::new());
    }
    actor.bind_queue("g", "a");
    actor.bind_queue("g", "b");
    actor.bind_exchange("f", "g");
    actor.bind_queue("f", "c");
    actor.bind_exchange("h", "g");
    actor.bind_queue("h", "d");
}

/// A life of a node. Whenever publishes of a key are confirmed, `confirmed` gets it with the number of
/// operations of the disk until then. What comes to `a` is taken out now and then, what comes to `b` never.
fn live(disk: &SimDisk, random: &mut Random, confirmed: &mut Vec<(usize, u32)>) {
    let node = open(disk);
    if node.is_empty() {
        build(&node);
    }
    let mut actor = Actor::new(&node);
    let mut waiting: Vec<(Position, u32)> = Vec::new();
    for _ in 0..60 {
        let mut keys = Vec::new();
        for _ in 0..=random.below(3) {
            let key = 1 + random.below(u64::from(KEYS)) as u32;
            let exchange = ["g", "f", "h"][random.below(3) as usize];
            actor.gather(exchange, keyed(key, i64::from(key), 0), 0);
            // A key that `h` knows is known to `g` as well.
            keys.push(key);
        }
        let worked = match random.chance(40) {
            true => actor.flush_together(),
            false => actor.flush(),
        };
        waiting.extend(keys.into_iter().map(|key| (worked.queued, key)));
        if random.chance(30) {
            actor.take(&node, "a");
        }
        if random.chance(50) {
            node.commit_log().unwrap();
        }
        if random.chance(15) {
            node.keep_house().unwrap();
        }
        let durable = node.durable();
        waiting.retain(|(position, key)| {
            if *position <= durable {
                confirmed.push((disk.recorded_count(), *key));
            }
            *position > durable
        });
    }
}

/// What came of a death: every key that was confirmed is there, whole and once; and of all keys those pass
/// that are not there.
fn check(image: &SimDisk, confirmed: &BTreeSet<u32>) -> Result<(), String> {
    let node = open(image);
    if actor_is_wanting(&node) {
        return match confirmed.is_empty() {
            true => Ok(()),
            false => Err("the exchanges are not there".to_owned()),
        };
    }
    let mut actor = Actor::new(&node);
    let b = actor.drain(&node, "b");
    let present: BTreeSet<u32> = b.iter().copied().collect();
    if present.len() < b.len() {
        return Err(format!("a key came twice: {b:?}"));
    }
    if let Some(lost) = confirmed.difference(&present).next() {
        return Err(format!("{lost} was confirmed and is lost"));
    }
    let a = actor.drain(&node, "a");
    if let Some(extra) = a.iter().find(|key| !present.contains(key)) {
        return Err(format!("{extra} came to one queue only"));
    }
    for key in 1..=KEYS {
        actor.publish("g", keyed(key, i64::from(key), 0));
    }
    let missing: Vec<u32> = (1..=KEYS).filter(|key| !present.contains(key)).collect();
    for queue in ["a", "b"] {
        let passed = actor.drain(&node, queue);
        if passed != missing {
            return Err(format!("{queue} got {passed:?} instead of {missing:?}"));
        }
    }
    Ok(())
}

/// Whether not all of it was built.
fn actor_is_wanting(node: &Arc<Node>) -> bool {
    let Some(vhost) = node.vhost("/") else { return true };
    let mut probe = Actor::new(node);
    let keys = Keys {
        first: "k",
        more: &[],
    };
    if vhost.exchange("h").is_none() || vhost.queue("d").is_none() {
        return true;
    }
    let route = probe.client.route(&mut probe.cache, "h", keys, &NoHeaders);
    route.unwrap().queue_count() < 3
}

#[test]
fn a_key_is_known_after_any_death_if_its_message_is_there_and_only_then() {
    let seeds = if cfg!(debug_assertions) { 12 } else { 60 };
    for seed in 0..seeds {
        let mut random = Random::new(seed);
        let mut disk = SimDisk::new(seed);
        let mut inherited: BTreeSet<u32> = BTreeSet::new();
        for life in 0..2 {
            disk.record();
            let mut confirmed = Vec::new();
            live(&disk, &mut random, &mut confirmed);
            let trace = disk.recorded().unwrap();
            trace.prefixes(|operations, left| {
                let death = Death::any(&mut random);
                let image = death.of(left, trace.operations.get(operations));
                let until = confirmed.iter().filter(|(at, _)| *at <= operations);
                let until = until
                    .map(|(_, key)| *key)
                    .chain(inherited.iter().copied())
                    .collect();
                if let Err(wrong) = check(&image, &until) {
                    panic!("seed {seed}, life {life}, {operations} operations, {death:?}: {wrong}");
                }
            });
            inherited.extend(confirmed.iter().map(|(_, key)| *key));
            disk = Death::any(&mut random).of(&disk, None);
        }
    }
}

#[test]
fn what_a_crash_loses_may_come_again() {
    let disk = SimDisk::new(1);
    let node = open(&disk);
    node.put_vhost(Vhost::named(vhost()));
    let mut actor = Actor::new(&node);
    actor.gate("g", 10);
    actor.declare_queue("gated", Table::new());
    actor.bind_queue("g", "gated");
    let once = table([("x-message-deduplication", Value::Bool(true))]);
    actor.declare_queue("once", once);
    actor.declare_exchange("f", "fanout", Table::new());
    actor.bind_queue("f", "once");
    for exchange in ["f", "g"] {
        actor.publish(exchange, any_keyed(1, 1, 0, false));
        actor.publish(exchange, any_keyed(2, 2, 0, true));
        actor.publish(exchange, any_keyed(3, 1, 0, true));
    }
    node.commit_log().unwrap();
    // A checkpoint, which has the keys.
    for _ in 0..3 {
        node.keep_house().unwrap();
    }
    drop((actor, node));
    let node = open(&disk.kill());
    let mut actor = Actor::new(&node);
    for (exchange, queue) in [("f", "once"), ("g", "gated")] {
        actor.publish(exchange, keyed(4, 1, 0));
        actor.publish(exchange, keyed(5, 2, 0));
        assert_eq!(actor.drain(&node, queue), [2, 4], "{queue}");
    }
}

#[test]
fn keys_that_are_not_to_be_kept_go_with_the_node() {
    let disk = SimDisk::new(1);
    let node = open(&disk);
    node.put_vhost(Vhost::named(vhost()));
    let mut actor = Actor::new(&node);
    actor.declare_queue("q", Table::new());
    for persistence in ["memory", "disk"] {
        let arguments = table([
            ("x-cache-size", Value::from("10")),
            ("x-cache-persistence", Value::from(persistence)),
        ]);
        actor.declare_exchange(persistence, "x-message-deduplication", arguments);
        actor.bind_queue(persistence, "q");
        actor.publish(persistence, keyed(1, 1, 0));
    }
    node.commit_log().unwrap();
    drop((actor, node));
    let node = open(&disk.kill());
    let mut actor = Actor::new(&node);
    actor.publish("memory", keyed(2, 1, 0));
    actor.publish("disk", keyed(3, 1, 0));
    assert_eq!(actor.drain(&node, "q"), [1, 1, 2]);
}
