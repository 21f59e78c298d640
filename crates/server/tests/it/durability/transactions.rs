//! What a transaction did is on disk when it is told to be committed, as a whole, and before that nothing is.

use warren_protocol::amqp091::method::{queue, tx};
use warren_testkit::peer::Peer;

use super::client::{Message, Publisher, get, has_ready, numbers, take_all, take_messages};
use super::{End, check, start_small};
use crate::program::start;

fn publish(peer: &mut Peer, message: &Message) {
    peer.publish(1, &message.exchange, &message.key, &message.body)
        .unwrap();
}

fn commit(peer: &mut Peer) {
    peer.call(1, tx::Commit, "tx.commit-ok").unwrap();
}

#[test]
fn what_was_committed_survives_a_crash_and_nothing_else() {
    let mut program = start_small(&[]);
    let mut peer = program.peer();
    peer.declare("q").unwrap();
    peer.call(1, tx::Select, "tx.select-ok").unwrap();
    let numbered = |number| Message::numbered("q", number, 1000);
    (0..3).for_each(|number| publish(&mut peer, &numbered(number)));
    commit(&mut peer);
    (3..5).for_each(|number| publish(&mut peer, &numbered(number)));
    peer.call(1, tx::Rollback, "tx.rollback-ok").unwrap();
    publish(&mut peer, &numbered(5));
    commit(&mut peer);
    (6..8).for_each(|number| publish(&mut peer, &numbered(number)));
    // Says that the broker has read them.
    has_ready(&mut peer, "q", 4);
    program.kill();
    program.start_again(&[]);
    assert_eq!(numbers(&take_all(&mut program.peer(), "q")), [0, 1, 2, 5]);
}

#[test]
fn settling_is_committed_too() {
    for end in End::BOTH {
        let mut program = start_small(&[]);
        let mut publisher = Publisher::of(&program);
        publisher.peer.declare("q").unwrap();
        let messages: Vec<_> = (0..8).map(|number| Message::numbered("q", number, 100)).collect();
        publisher.publish_all(&messages);
        publisher.peer.close().unwrap();
        let mut peer = program.peer();
        peer.call(1, tx::Select, "tx.select-ok").unwrap();
        let out = get(&mut peer, "q", 6);
        for at in [0, 3, 5] {
            peer.ack(&out[at]).unwrap();
        }
        publish(&mut peer, &Message::numbered("q", 8, 100));
        commit(&mut peer);
        for at in [1, 2] {
            peer.ack(&out[at]).unwrap();
        }
        has_ready(&mut peer, "q", 3);
        if end == End::Stop {
            peer.close().unwrap();
        }
        end.and_again(&mut program);
        let found = numbers(&take_all(&mut program.peer(), "q"));
        assert_eq!(found, [1, 2, 4, 6, 7, 8], "after {end:?}");
    }
}

#[test]
fn a_message_that_goes_to_many_queues_survives_in_all_and_is_logged_once() {
    const QUEUES: usize = 8;
    const BODY_BYTES: usize = 256 * 1024;
    const MESSAGES: u64 = 4;
    let names: Vec<String> = (0..QUEUES).map(|number| format!("q{number}")).collect();
    let mut program = start(&[]);
    let mut peer = program.peer();
    for queue in &names {
        peer.declare(queue).unwrap();
        let bind = queue::Bind {
            queue,
            exchange: "amq.fanout",
            ..queue::Bind::default()
        };
        peer.call(1, bind, "queue.bind-ok").unwrap();
    }
    program.kill();
    let before = check(&program.path("data")).end_of_log();
    program.start_again(&[]);
    let message = |number| Message::numbered("", number, BODY_BYTES).through("amq.fanout", "");
    let messages: Vec<_> = (0..MESSAGES).map(message).collect();
    let mut publisher = Publisher::of(&program);
    publisher.publish_all(&messages[..2]);
    let mut peer = program.peer();
    peer.call(1, tx::Select, "tx.select-ok").unwrap();
    messages[2..]
        .iter()
        .for_each(|message| publish(&mut peer, message));
    commit(&mut peer);
    program.kill();
    let grown = check(&program.path("data")).end_of_log() - before;
    let bodies = MESSAGES * BODY_BYTES as u64;
    assert!(
        (bodies..bodies * 5 / 4).contains(&grown),
        "{bodies} bytes take {grown}"
    );
    program.start_again(&[]);
    let mut peer = program.peer();
    for queue in &names {
        assert!(take_messages(&mut peer, queue) == messages, "{queue}");
    }
}
