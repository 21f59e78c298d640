//! One folder through many ends, good and bad: it neither loses nor gathers anything.

use std::collections::VecDeque;

use warren_protocol::amqp091::method::tx;

use super::client::{Message, Publisher, get, has_ready, numbers, take_all};
use super::{End, LITTLE_MEMORY, files, start_small};
use crate::program::Program;

const ROUNDS: u64 = 20;

const BODY_BYTES: usize = 4 * 1024;

/// Messages that are published in a round; as many are taken out. One round's messages stay.
const PUBLISHED: u64 = 30;

/// Files that there may be at any time: lock, ballast, two checkpoints, a log of at most 8 MiB in files of
/// 1 MiB, and the extents of what stays. There are up to 15, in a hundred rounds as in twenty.
const FILES_MAX: usize = 20;

/// Publishes, and notes what was confirmed.
fn publish(program: &Program, round: u64, expected: &mut VecDeque<u64>) {
    let mut publisher = Publisher::of(program);
    let numbers = round * PUBLISHED..(round + 1) * PUBLISHED;
    let messages: Vec<_> = numbers
        .clone()
        .map(|number| Message::numbered("q", number, BODY_BYTES))
        .collect();
    publisher.publish_all(&messages);
    expected.extend(numbers);
    publisher.peer.close().unwrap();
}

/// Takes what is in front, and settles it so that no end undoes it; and takes more, and does not settle it.
fn take(program: &Program, expected: &mut VecDeque<u64>) {
    let mut peer = program.peer();
    peer.call(1, tx::Select, "tx.select-ok").unwrap();
    let out = get(&mut peer, "q", PUBLISHED as usize);
    let front: Vec<u64> = expected.drain(..PUBLISHED as usize).collect();
    assert_eq!(numbers(&out), front);
    out.iter().for_each(|delivery| peer.ack(delivery).unwrap());
    peer.call(1, tx::Commit, "tx.commit-ok").unwrap();
    let out = get(&mut peer, "q", 3);
    assert_eq!(numbers(&out), expected.range(..3).copied().collect::<Vec<_>>());
    peer.close().unwrap();
}

#[test]
fn many_restarts_lose_nothing_and_leave_nothing_behind() {
    let mut program = start_small(&[LITTLE_MEMORY]);
    let data = program.path("data");
    program.peer().declare("q").unwrap();
    let mut expected = VecDeque::new();
    publish(&program, 0, &mut expected);
    for round in 1..=ROUNDS {
        publish(&program, round, &mut expected);
        take(&program, &mut expected);
        let end = match round % 3 {
            0 => End::Stop,
            _ => End::Kill,
        };
        end.of(&mut program);
        let found = files(&data);
        assert!(found.len() <= FILES_MAX, "after round {round}: {found:?}");
        program.start_again(&[]);
        has_ready(&mut program.peer(), "q", expected.len());
    }
    let mut peer = program.peer();
    assert_eq!(numbers(&take_all(&mut peer, "q")), expected.make_contiguous());
    peer.close().unwrap();
}
