//! The broker dies at those places of the store where most could be half done. What is left is no damage,
//! and nothing of it is lost.

use std::collections::BTreeSet;
use std::io;

use warren_protocol::amqp091::method::tx;
use warren_testkit::peer::Peer;

use super::client::{body, number, numbers, take_all};
use super::{Checked, LITTLE_MEMORY, SMALL_LOG, check_unchanged, extents};
use crate::program::{Program, setup, wait_for};

/// Messages that are published in a turn, and those that are taken out of what there is.
const PUBLISHED: u64 = 30;
const TAKEN: usize = 25;

/// What the queue has to hold.
#[derive(Default)]
struct Ledger {
    published: u64,
    /// Committed, and not taken out.
    there: BTreeSet<u64>,
    /// In a transaction of which nobody said that it is committed.
    unsure: BTreeSet<u64>,
}

/// Publishes some and takes some out, or fails when the broker is dead.
fn turn(peer: &mut Peer, ledger: &mut Ledger) -> io::Result<()> {
    let numbers = ledger.published..ledger.published + PUBLISHED;
    ledger.published = numbers.end;
    ledger.unsure.extend(numbers.clone());
    for number in numbers {
        peer.publish(1, "", "q", &body(number, 10 * 1024))?;
    }
    peer.call(1, tx::Commit, "tx.commit-ok")?;
    ledger.there.append(&mut ledger.unsure);
    for _ in 0..TAKEN {
        let delivery = peer.get("q", false)?.expect("one more message");
        let number = number(&delivery.body);
        assert!(ledger.there.remove(&number), "{number} is not in front");
        ledger.unsure.insert(number);
        peer.ack(&delivery)?;
    }
    peer.call(1, tx::Commit, "tx.commit-ok")?;
    ledger.unsure.clear();
    Ok(())
}

/// Starts a program that dies when it passes a place for the nth time, works until it does, and asserts that
/// a check finds nothing wrong and a start nothing missing. Answers what the check said, and the extents.
fn dies_at(point: &str, nth: u32) -> (Checked, Vec<String>) {
    let place = format!("{point}:{nth}");
    let setup = SMALL_LOG
        .iter()
        .fold(setup(), |setup, setting| setup.set(setting));
    let mut program = setup.set(LITTLE_MEMORY).env("WARREN_FAILPOINT", &place).start();
    let mut peer = program.peer();
    peer.declare("q").unwrap();
    peer.call(1, tx::Select, "tx.select-ok").unwrap();
    let mut ledger = Ledger::default();
    wait_for(&place, || turn(&mut peer, &mut ledger).err());
    // By a signal, not by itself.
    assert_eq!(program.wait().code(), None, "{place}: {}", program.stderr());
    let checked = check_unchanged(&program.path("data"));
    let names = extents(&program.path("data"));
    let names = names.iter().map(|name| name.display().to_string()).collect();
    checked.says(0, &["sound: nothing is damaged"]);
    starts_again(&mut program, &place, &ledger);
    (checked, names)
}

fn starts_again(program: &mut Program, place: &str, ledger: &Ledger) {
    program.start_again(&[]);
    let found = numbers(&take_all(&mut program.peer(), "q"));
    assert!(found.is_sorted(), "{place}: {found:?}");
    let found: BTreeSet<u64> = found.into_iter().collect();
    assert!(
        ledger.there.is_subset(&found),
        "{place}: {:?} but {found:?}",
        ledger.there
    );
    let others: BTreeSet<u64> = found.difference(&ledger.there).copied().collect();
    assert!(others.is_subset(&ledger.unsure), "{place}: {others:?} too");
    assert!(
        !program.stderr().contains("ERROR"),
        "{place}: {}",
        program.stderr()
    );
}

#[test]
fn while_it_goes_on_in_another_file_of_the_log() {
    dies_at("log-roll", 1);
    dies_at("log-recycle", 1);
    dies_at("trim", 2);
}

#[test]
fn while_it_makes_a_checkpoint() {
    for nth in [1, 2] {
        for point in ["checkpoint-written", "checkpoint-renamed", "checkpoint-copy"] {
            dies_at(point, nth);
        }
    }
}

#[test]
fn while_it_writes_or_deletes_an_extent() {
    // Neither its length nor a name in a checkpoint is there: what it was to hold stands in the log.
    let (checked, extents) = dies_at("extent-before-sync", 1);
    checked.says(0, &["unfinished", &extents[0]]);
    dies_at("extent-written", 1);
    dies_at("extent-remove", 1);
}
