//! Sessions over a running node, without the program: clients that do not take what is written for them,
//! and what sessions hold for publishers.
//!
//! They stand here because a session and a log in memory are both needed, and only this floor may import
//! the crates of both.

mod client;

use std::sync::Arc;
use std::time::Duration;

use client::{Client, node, plain_node, vhost};
use warren_broker::name::UserName;
use warren_frontend::Session;
use warren_frontend::amqp091::Settings;
use warren_node::{Node, Notice};
use warren_protocol::amqp091::method::{basic, channel, confirm, connection, queue, tx};
use warren_store::MemoryLog;

const MIB: usize = 1024 * 1024;

/// Larger than any output that a session fills by itself, and than a mailbox.
const BIG_BYTES: usize = 3 * MIB;

fn count(heard: &[&str], name: &str) -> usize {
    heard.iter().filter(|other| **other == name).count()
}

/// Two clients: the first consumes from `big`, of which a test takes what it wants, and from `idle`.
fn slow_reader(node: &Arc<Node>, heartbeat: u16) -> (Client, Client) {
    let mut reader = Client::with(node, Settings::default(), heartbeat, 2);
    for name in ["big", "idle"] {
        reader.declare(name);
        reader.consume(2, name);
    }
    reader.take_all();
    reader.heard();
    (reader, Client::open(node))
}

#[test]
fn what_came_while_the_output_was_full_follows_when_it_is_taken() {
    let node = plain_node();
    let (mut reader, mut publisher) = slow_reader(&node, 0);
    publisher.publish(1, "big", BIG_BYTES);
    reader.run();
    assert!(reader.session.output().len() > BIG_BYTES);
    publisher.publish(1, "big", 1);
    reader.run();
    reader.take_all();
    assert_eq!(reader.heard(), ["basic.deliver"; 2]);
}

#[test]
fn who_takes_little_at_a_time_gets_everything() {
    const MESSAGES: usize = 100;
    let node = plain_node();
    let (mut reader, mut publisher) = slow_reader(&node, 0);
    for _ in 0..MESSAGES {
        publisher.publish(1, "big", 100_000);
        reader.run();
    }
    while reader.take(50_000) > 0 {
        reader.run();
    }
    assert_eq!(reader.heard(), ["basic.deliver"; MESSAGES]);
}

#[test]
fn who_takes_its_messages_slowly_is_not_silent_until_they_are_taken() {
    let node = plain_node();
    let (mut reader, mut publisher) = slow_reader(&node, 10);
    publisher.publish(1, "big", BIG_BYTES);
    reader.run();
    assert!(!reader.session.wants_input(), "its heartbeats are not read");
    for _ in 0..100 {
        reader.advance(Duration::from_secs(5));
        assert_eq!(reader.take(1000), 1000);
        assert!(reader.is_open());
    }
    reader.take_all();
    assert!(reader.session.wants_input());
    reader.advance(Duration::from_secs(19));
    assert!(reader.is_open(), "its heartbeats have still to be read");
    reader.advance(Duration::from_secs(2));
    assert!(!reader.is_open(), "now it is silent");
}

/// What the client hears in what is written at this moment, and nothing that is written later.
fn hears_at_once(reader: &mut Client, name: &str) {
    reader.run();
    let written = reader.session.output().len();
    assert!(written < MIB, "{written} bytes in front of {name}");
    assert_eq!(count(&reader.heard(), name), 1, "{name}");
}

/// A backlog that is far more than output and mailbox hold.
fn backlog(publisher: &mut Client, reader: &mut Client) {
    for _ in 0..100 {
        publisher.publish(1, "big", 100_000);
        reader.run();
    }
    assert!(
        publisher.session.wants_input(),
        "the backlog is the reader's alone"
    );
}

#[test]
fn a_consumer_hears_of_its_cancellation_in_front_of_the_backlog_of_another() {
    let node = plain_node();
    let (mut reader, mut other) = slow_reader(&node, 0);
    backlog(&mut other, &mut reader);
    other.delete("idle");
    hears_at_once(&mut reader, "basic.cancel");
}

#[test]
fn a_shutdown_is_heard_in_front_of_a_backlog() {
    let node = plain_node();
    let (mut reader, mut other) = slow_reader(&node, 0);
    backlog(&mut other, &mut reader);
    reader
        .session
        .mailbox()
        .notify(Notice::Close("shutdown".to_owned()));
    hears_at_once(&mut reader, "connection.close");
}

#[test]
fn deliveries_behind_an_answer_that_waits_for_the_log_are_bounded() {
    const MESSAGES: usize = 100;
    let (node, log) = node(u64::MAX, MemoryLog::holding());
    let mut reader = Client::with(&node, Settings::default(), 0, 0);
    let mut publisher = Client::open(&node);
    reader.call(1, channel::Open::default());
    // Answered when the log says so.
    reader.declare("big");
    log.release();
    reader.consume(1, "big");
    reader.take_all();
    reader.heard();
    let declare = queue::Declare {
        queue: "slow",
        durable: true,
        ..queue::Declare::default()
    };
    reader.call(1, declare);
    for _ in 0..MESSAGES {
        publisher.publish(1, "big", 100_000);
        reader.take_all();
    }
    assert!(reader.heard().is_empty(), "nothing overtakes the answer");
    let queue = node.vhost("/").unwrap().queue("big").unwrap();
    let ready = queue.totals().ready;
    assert!(ready > MESSAGES - 20, "only {ready} messages wait in their queue");
    log.release();
    reader.take_all();
    let heard = reader.heard();
    assert_eq!(heard[0], "queue.declare-ok");
    assert_eq!(count(&heard, "basic.deliver"), MESSAGES);
}

/// How what a session holds may end.
const ENDS: [&str; 5] = ["settled", "failed", "channel closed", "connection closed", "gone"];

fn unknown_ack() -> basic::Ack {
    basic::Ack {
        delivery_tag: 7,
        multiple: false,
    }
}

fn end(client: &mut Client, how: &str, settle: impl FnOnce(&mut Client)) {
    match how {
        "settled" => settle(client),
        "failed" => client.call(1, unknown_ack()),
        "channel closed" => client.call(1, channel::Close::default()),
        "connection closed" => client.call(0, connection::Close::default()),
        _ => client.hang_up(),
    }
    client.take_all();
}

#[test]
fn the_messages_of_a_transaction_are_accounted_until_it_ends() {
    for how in ENDS {
        for commits in [true, false] {
            let node = plain_node();
            let mut client = Client::open(&node);
            client.call(1, tx::Select);
            for _ in 0..10 {
                client.publish(1, "nowhere", 100_000);
            }
            let held = node.memory().held_bytes();
            assert!((1_000_000..1_100_000).contains(&held), "{held} bytes held");
            end(&mut client, how, |client| match commits {
                true => client.call(1, tx::Commit),
                false => client.call(1, tx::Rollback),
            });
            assert_eq!(node.memory().held_bytes(), 0, "{how}, {commits}");
        }
    }
}

#[test]
fn committed_messages_are_accounted_once() {
    let node = plain_node();
    let mut client = Client::open(&node);
    client.declare("q");
    client.call(1, tx::Select);
    client.publish(1, "q", 100_000);
    let held = node.memory().held_bytes();
    client.call(1, tx::Commit);
    assert_eq!(node.memory().held_bytes(), held);
    client.delete("q");
    assert_eq!(node.memory().held_bytes(), 0);
}

#[test]
fn unfinished_bodies_are_accounted_until_they_end() {
    for how in ENDS {
        let node = plain_node();
        let mut client = Client::open(&node);
        client.begin(1, "nowhere", 300_000, 200_000);
        assert_eq!(node.memory().held_bytes(), 200_000, "{how}");
        end(&mut client, how, |client| client.body(1, 100_000));
        assert_eq!(node.memory().held_bytes(), 0, "{how}");
    }
}

/// Settings under which a connection may leave 8,000 bytes unfinished.
fn small_messages() -> Settings {
    Settings {
        message_bytes_max: 1000,
        ..Settings::default()
    }
}

#[test]
fn a_connection_that_leaves_too_much_unfinished_is_closed() {
    for in_transaction in [false, true] {
        let node = plain_node();
        let mut client = Client::with(&node, small_messages(), 0, 9);
        for number in 1..=9 {
            if in_transaction {
                client.call(number, tx::Select);
            }
        }
        client.heard();
        for number in 1..=8 {
            client.begin(number, "nowhere", 1000, 999);
        }
        assert!(client.heard().is_empty());
        client.begin(9, "nowhere", 1000, 999);
        assert_eq!(client.heard(), ["connection.close"], "{in_transaction}");
        assert_eq!(node.memory().held_bytes(), 0);
    }
}

#[test]
fn what_is_in_a_transaction_does_not_count_as_unfinished() {
    let node = plain_node();
    let mut client = Client::with(&node, small_messages(), 0, 2);
    client.call(1, tx::Select);
    client.call(2, confirm::Select { nowait: true });
    client.heard();
    for _ in 0..7 {
        client.publish(1, "nowhere", 1000);
    }
    client.begin(2, "nowhere", 1000, 999);
    client.body(2, 1);
    assert_eq!(client.heard(), ["basic.ack"]);
}

#[test]
fn a_transaction_is_bounded() {
    let node = plain_node();
    let mut client = Client::with(&node, small_messages(), 0, 1);
    client.call(1, tx::Select);
    client.heard();
    for _ in 0..7 {
        client.publish(1, "nowhere", 1000);
    }
    assert!(client.heard().is_empty());
    client.publish(1, "nowhere", 1000);
    assert_eq!(client.heard(), ["connection.close"]);
    assert_eq!(node.memory().held_bytes(), 0);
}

#[test]
fn a_transaction_that_sets_the_alarm_off_can_still_be_committed() {
    let (node, _) = node(MIB as u64, MemoryLog::default());
    let mut client = Client::open(&node);
    client.call(1, tx::Select);
    client.publish(1, "nowhere", 2 * MIB);
    assert!(client.session.wants_input());
    client.heard();
    client.call(1, tx::Commit);
    assert_eq!(client.heard(), ["tx.commit-ok"]);
    assert_eq!(node.memory().held_bytes(), 0);
}

#[test]
fn publishers_go_on_when_the_connection_that_held_the_memory_is_gone() {
    let (node, _) = node(MIB as u64, MemoryLog::default());
    let (mut holder, mut publisher) = (Client::open(&node), Client::open(&node));
    holder.call(1, tx::Select);
    holder.publish(1, "nowhere", 2 * MIB);
    publisher.publish(1, "nowhere", 1);
    publisher.run();
    assert_eq!(publisher.heard(), ["connection.blocked"]);
    assert!(!publisher.session.wants_input());
    holder.hang_up();
    publisher.run();
    assert_eq!(publisher.heard(), ["connection.unblocked"]);
    assert!(publisher.session.wants_input());
}

#[test]
fn who_loses_the_permission_after_the_login_opens_no_virtual_host() {
    let node = plain_node();
    let mut client = Client::logged_in(&node, Settings::default(), 0);
    let user = UserName::new("guest").unwrap();
    node.change_user(&user, |user| drop(user.permissions.remove(&vhost())))
        .unwrap();
    client.open_vhost();
    assert_eq!(client.heard(), ["connection.close"]);
    assert_eq!(node.session_count(), 0);
}
