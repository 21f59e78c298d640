//! Promises of what things cost: nothing is read, walked over or remembered again and again.

use super::special::{NOW_MS, at, enqueue, noted, read, take};
use super::*;

#[test]
fn what_was_settled_since_it_was_looked_at_stands_nowhere() {
    let mut queue = Queue::default();
    enqueue(&mut queue, &vec![noted(|_| {}, None); 3]);
    let out = take(&mut queue, NOW_MS).unwrap().ticket;
    let all = queue.unstored(false, 0, usize::MAX, usize::MAX);
    let seqs: Vec<u64> = all.iter().map(|(seq, _)| *seq).collect();
    queue.stored(false, 1, &seqs, 0);
    let scope = Scope {
        unsettled: true,
        delayed: false,
    };
    let mut absent = SeqSet::default();
    for look in queue.look(0, 10, scope) {
        assert!(look.message.is_none());
        absent.insert(look.seq);
    }
    at(&mut queue, &Command::Settle(&[out]), NOW_MS);
    let places = queue.places_of(&absent);
    let wanted: Vec<_> = places.iter().map(|place| place.wanted.clone()).collect();
    assert_eq!(wanted, [vec![Range { first: 1, last: 2 }]]);
}
