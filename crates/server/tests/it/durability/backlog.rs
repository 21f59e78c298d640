//! Messages that memory does not hold: far more of them than memory has room for, and each of them at its
//! place when it is wanted.

use warren_protocol::amqp091::method::basic;
use warren_testkit::peer::{Delivery, Peer};

use super::client::{Message, Publisher, body, get, has_ready, number, numbers, requeue, take_all};
use super::{End, LITTLE_MEMORY, extents, start_small};
use crate::program::{Program, start, wait_for};

const MIB: u64 = 1024 * 1024;

const BODY_BYTES: usize = 10 * 1024;

/// 240 MiB in all, of which 4 are meant to be in memory.
const MESSAGES: u64 = 24 * 1024;

/// What a backlog of any length may cost in memory: besides those 4 MiB, buffers of what waits for the log,
/// of extents and of sockets. They come to a third of this backlog.
const COST_BYTES_MAX: u64 = 144 * MIB;

/// Drains a queue, in order.
fn drain(peer: &mut Peer, queue: &str) {
    peer.consume(queue, 500).unwrap();
    for expected in 0..MESSAGES {
        let delivery = peer.delivery().unwrap();
        assert_eq!(number(&delivery.body), expected);
        assert!(delivery.body == body(expected, BODY_BYTES), "message {expected}");
        assert!(delivery.redelivered);
        if expected % 100 == 99 || expected + 1 == MESSAGES {
            let ack = basic::Ack {
                delivery_tag: delivery.tag,
                multiple: true,
            };
            peer.send(1, ack).unwrap();
        }
    }
}

#[test]
fn a_backlog_larger_than_memory_is_kept_in_order_and_leaves_nothing_behind() {
    let mut program = start(&["store.recent_bytes=4MiB"]);
    let data = program.path("data");
    let mut publisher = Publisher::of(&program);
    publisher.peer.declare("q").unwrap();
    let before = program.memory("VmHWM");
    for number in 0..MESSAGES {
        publisher.publish(&Message::numbered("q", number, BODY_BYTES));
    }
    publisher.hear_confirms();
    let cost = program.memory("VmHWM") - before;
    assert!(cost < COST_BYTES_MAX, "the backlog took {cost} bytes of memory");
    assert!(!extents(&data).is_empty());
    program.kill();
    program.start_again(&[]);
    let mut peer = program.peer();
    has_ready(&mut peer, "q", MESSAGES as usize);
    drain(&mut peer, "q");
    has_ready(&mut peer, "q", 0);
    let cost = program.memory("VmHWM").saturating_sub(before);
    assert!(
        cost < COST_BYTES_MAX,
        "the start and the drain took {cost} bytes of memory"
    );
    wait_for("the end of the extents", || {
        extents(&data).is_empty().then_some(())
    });
    peer.close().unwrap();
    program.stop();
    assert!(extents(&data).is_empty());
}

/// A program with twenty messages in a queue that were read by nobody since the program started.
fn start_with_stored() -> Program {
    let mut program = start_small(&[LITTLE_MEMORY]);
    let mut publisher = Publisher::of(&program);
    publisher.peer.declare("q").unwrap();
    let messages: Vec<_> = (0..20)
        .map(|number| Message::numbered("q", number, BODY_BYTES))
        .collect();
    publisher.publish_all(&messages);
    let data = program.path("data");
    wait_for("an extent", || (!extents(&data).is_empty()).then_some(()));
    publisher.peer.close().unwrap();
    End::Stop.and_again(&mut program);
    program
}

fn is_redelivered(delivery: &Delivery) -> bool {
    delivery.redelivered
}

#[test]
fn a_message_that_is_only_on_disk_is_got_and_goes_back_to_its_place() {
    let program = start_with_stored();
    let mut peer = program.peer();
    let first = get(&mut peer, "q", 3);
    assert_eq!(numbers(&first), [0, 1, 2]);
    assert!(!first.iter().any(is_redelivered));
    requeue(&mut peer, &first[1]);
    let again = get(&mut peer, "q", 1);
    assert_eq!((numbers(&again), again[0].redelivered), (vec![1], true));
    assert_eq!(again[0].body, first[1].body);
    // Back they go, the later one first.
    for delivery in [&first[2], &first[0], &again[0]] {
        requeue(&mut peer, delivery);
    }
    let all = take_all(&mut peer, "q");
    let expected: Vec<u64> = (0..20).collect();
    assert_eq!(numbers(&all), expected);
    assert!(all[..3].iter().all(is_redelivered) && !all[3..].iter().any(is_redelivered));
}

#[test]
fn what_was_settled_out_of_order_is_away_after_a_restart_and_the_rest_is_there() {
    for end in End::BOTH {
        let mut program = start_with_stored();
        let mut publisher = Publisher::of(&program);
        let out = get(&mut publisher.peer, "q", 16);
        for at in [14, 2, 9, 8, 0, 5] {
            publisher.peer.ack(&out[at]).unwrap();
        }
        requeue(&mut publisher.peer, &out[6]);
        has_ready(&mut publisher.peer, "q", 5);
        // What is confirmed stands behind all that in the log.
        publisher.publish_all([&Message::numbered("q", 20, BODY_BYTES)]);
        if end == End::Stop {
            publisher.peer.close().unwrap();
        }
        end.and_again(&mut program);
        let found = take_all(&mut program.peer(), "q");
        let expected = [1, 3, 4, 6, 7, 10, 11, 12, 13, 15, 16, 17, 18, 19, 20];
        assert_eq!(numbers(&found), expected, "after {end:?}");
        let marked = found.iter().filter(|delivery| delivery.redelivered).count();
        let expected = if end == End::Kill { 15 } else { 10 };
        assert_eq!(marked, expected, "after {end:?}");
    }
}
