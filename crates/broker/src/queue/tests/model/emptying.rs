//! A queue that is deleted, and whose messages are dead letters: all of them leave, whatever they wait for.

use super::naive::Place;
use super::trial::{Trial, skip};
use super::{Command, Reason};

/// More rounds than this are for ever.
const ROUNDS_MAX: usize = 10_000;

impl Trial {
    /// Everything leaves, or a crash comes between. The queue is used again after that, as if it were another
    /// one of the same name.
    pub(super) fn empty(&mut self, max: usize, but: u8) {
        self.finish();
        self.answer_pending();
        if self.model.rules.dead_letters.is_none() {
            return;
        }
        let all: Vec<_> = self.model.consumers.iter().map(|one| one.key).collect();
        for key in all {
            assert!(self.queue.cancel(key) && self.model.cancel(key));
        }
        // What waits is hurried, which a checkpoint takes for ready: to a queue that is deleted it makes no
        // difference.
        let waits = |place: Place| matches!(place, Place::Delayed | Place::Resting(_));
        let has_waiting = self.model.items.iter().any(|item| waits(item.place));
        let crash_after = match but % 4 {
            0 if !has_waiting => usize::from(but / 8),
            _ => usize::MAX,
        };
        for round in 0.. {
            assert!(round < ROUNDS_MAX, "it leaves for ever");
            if round == crash_after {
                return self.reopen(true);
            }
            self.queue.leave_some(max);
            self.read_all();
            self.move_some(max, but);
            let totals = self.queue.totals();
            if totals.ready + totals.unsettled + totals.delayed + totals.leaving == 0 {
                break;
            }
        }
        let left: Vec<_> = self.model.items.iter().collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(self.model.turned_away.is_empty());
    }

    /// Some of what leaves is moved, all of it in the end.
    fn move_some(&mut self, max: usize, but: u8) {
        let mut seqs = Vec::new();
        for leaving in self.queue.leaving(0, max) {
            let Some(seq) = leaving.seq else {
                let first = self.model.turned_away.remove(0);
                assert_eq!(leaving.message.body(), first.body());
                continue;
            };
            let item = self.model.items.iter().find(|item| item.seq == seq);
            let item = item.expect("it is there");
            assert_eq!(leaving.message.body(), item.message.body());
            let reason = match item.place {
                Place::Leaving(reason) => reason,
                _ => Reason::Deleted,
            };
            assert_eq!(leaving.reason, reason);
            seqs.push(seq);
        }
        if max > 1 {
            skip(&mut seqs, but / 4);
        }
        self.decide(&Command::Left(&seqs));
        self.model.items.retain(|item| !seqs.contains(&item.seq));
    }
}
