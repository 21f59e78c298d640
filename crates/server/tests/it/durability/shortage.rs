//! One client takes what there is of something, and the others and their messages do not suffer from it.

use std::net::TcpStream;

use warren_protocol::amqp091::method::tx;

use super::client::{Message, Publisher, numbers, take_all};
use super::{LITTLE_MEMORY, SMALL_LOG, extents, start_small};
use crate::program::{setup, wait_for};

const MESSAGES: u64 = 200;

fn messages(range: std::ops::Range<u64>) -> Vec<Message> {
    range
        .map(|number| Message::numbered("q", number, 10 * 1024))
        .collect()
}

#[test]
fn connections_that_take_all_descriptors_cost_no_message() {
    let setup = SMALL_LOG
        .iter()
        .fold(setup(), |setup, setting| setup.set(setting));
    let mut program = setup.set(LITTLE_MEMORY).files(60).start();
    let mut publisher = Publisher::of(&program);
    publisher.peer.declare("q").unwrap();
    let (early, late) = (messages(0..MESSAGES / 2), messages(MESSAGES / 2..MESSAGES));
    publisher.publish_all(&early);
    let idle: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(program.address()).unwrap())
        .collect();
    program.logged(&["WARN", "connections are refused: too many files are open"]);
    // New files of the log, extents and checkpoints are made meanwhile, and extents read.
    publisher.publish_all(&late);
    assert!(!extents(&program.path("data")).is_empty());
    let found = numbers(&take_all(&mut publisher.peer, "q"));
    assert!(found.into_iter().eq(0..MESSAGES));
    drop(idle);
    wait_for("a place for a client", || {
        let peer = warren_testkit::peer::Peer::open(program.address(), &Default::default());
        peer.ok().map(|peer| peer.close().unwrap())
    });
    program.logged(&["INFO", "connections are accepted again"]);
    publisher.peer.close().unwrap();
    program.stop();
}

#[test]
fn a_transaction_that_waits_with_more_than_memory_is_for_holds_up_nobody_else() {
    let program = start_small(&["store.recent_bytes=1MiB"]);
    let mut waiting = program.peer();
    waiting.declare("q").unwrap();
    waiting.call(1, tx::Select, "tx.select-ok").unwrap();
    // Three times the budget, none of which can be written to an extent.
    for number in 0..300 {
        let body = super::client::body(1000 + number, 10 * 1024);
        waiting.publish(1, "", "q", &body).unwrap();
    }
    // Answered behind all of them.
    assert_eq!(waiting.ready("q").unwrap(), 0);
    let mut publisher = Publisher::of(&program);
    publisher.publish_all(&messages(0..MESSAGES));
    let found = numbers(&take_all(&mut publisher.peer, "q"));
    assert!(found.into_iter().eq(0..MESSAGES));
    waiting.call(1, tx::Commit, "tx.commit-ok").unwrap();
    let found = numbers(&take_all(&mut publisher.peer, "q"));
    assert!(found.into_iter().eq(1000..1300));
}
