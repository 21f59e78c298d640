//! When the disk has less room than is to be left, publishers wait, and nobody else does.

use warren_protocol::amqp091::method::Method;
use warren_testkit::peer::Peer;

use super::client::{Message, Publisher, get, has_ready, numbers, requeue, take_all};
use super::stopped_with_extents;
use crate::program::Program;

/// More than any disk has.
const NEVER: &str = "disk_free_limit.absolute=1000000TB";

const MESSAGES: u64 = 40;

/// A program with messages in a queue, of which some are in extents, that is started anew on a disk that
/// has too little room.
fn start_short_of_space() -> Program {
    let mut program = stopped_with_extents(MESSAGES);
    program.start_again(&[NEVER]);
    program.logged(&["WARN", "less disk space than disk_free_limit is free"]);
    program
}

/// Publishes until it is told that it is blocked.
fn is_blocked(peer: &mut Peer) {
    peer.publish(1, "", "q", b"held back").unwrap();
    let heard = peer.expect("connection.blocked").unwrap();
    let Method::ConnectionBlocked(blocked) = heard.method().unwrap() else {
        panic!("{heard:?}");
    };
    assert_eq!(blocked.reason, "low on disk");
}

#[test]
fn publishers_are_told_and_held_back_while_consumers_and_getters_go_on() {
    let mut program = start_short_of_space();
    let mut publisher = program.peer();
    is_blocked(&mut publisher);
    let mut other = program.peer();
    let got = get(&mut other, "q", 2);
    requeue(&mut other, &got[1]);
    other.ack(&got[0]).unwrap();
    other.consume("q", 0).unwrap();
    for number in 1..MESSAGES {
        let delivery = other.delivery().unwrap();
        assert_eq!(numbers(std::slice::from_ref(&delivery)), [number]);
        other.ack(&delivery).unwrap();
    }
    // What is no publish is done too.
    other.declare("another").unwrap();
    has_ready(&mut other, "another", 0);
    has_ready(&mut other, "q", 0);
    other.close().unwrap();
    drop(publisher);
    program.stop();
    program.start_again(&["disk_free_limit.absolute=1MB"]);
    let mut publisher = Publisher::of(&program);
    publisher.publish_all([&Message::numbered("q", MESSAGES, 100)]);
    let mut left = numbers(&take_all(&mut publisher.peer, "q"));
    // What was held back may have been taken in when its publisher was gone.
    left.retain(|number| *number <= MESSAGES);
    assert_eq!(
        left,
        [MESSAGES],
        "what was settled while there was no room stays so"
    );
    has_ready(&mut publisher.peer, "another", 0);
}
