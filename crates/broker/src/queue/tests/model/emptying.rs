//! A queue that is deleted, and whose messages are dead letters: all of them leave, whatever they wait for.

use super::naive::Place;
use super::trial::Trial;
use super::{Command, Reason};

/// More rounds than this are for ever.
const ROUNDS_MAX: usize = 10_000;

/// In so many rounds in a row nothing is offered, if nothing is to be any more: each priority may have to be
/// read.
const IDLE_ROUNDS: usize = 20;

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
        // Nobody takes every third, or so many more, for a while.
        let is_stuck = |seq: u64| but % 8 != 1 && seq % 3 == u64::from(but / 4 % 3);
        let (mut round, mut idle) = (0, 0);
        while idle < IDLE_ROUNDS {
            if round == crash_after {
                return self.reopen(true);
            }
            round += 1;
            idle = match self.empty_on(max, is_stuck) {
                0 => idle + 1,
                _ => 0,
            };
        }
        // What nobody takes keeps nothing else up.
        let up = self.model.items.iter().find(|item| !is_stuck(item.seq));
        assert!(up.is_none(), "{up:?} is kept up");
        let is_left_out = |_: u64| false;
        for round in round.. {
            assert!(round < ROUNDS_MAX, "it leaves for ever");
            if self.empty_on(max, is_left_out) == 0 {
                self.queue.try_again();
            }
            if self.queue.totals().messages() == 0 {
                break;
            }
        }
        self.queue.leave_some(max);
        let left: Vec<_> = self.model.items.iter().collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(self.model.turned_away.is_empty());
    }

    /// Goes on with it. Answers how many messages were offered.
    fn empty_on(&mut self, max: usize, is_stuck: impl Fn(u64) -> bool) -> usize {
        let before = self.queue.untried();
        if before < max {
            self.queue.leave_some(max);
        }
        // Such as are ready or out, as are delayed, and as rest.
        assert!(self.queue.untried() <= before + 3 * max, "more leave than may");
        self.read_all();
        let count = self.move_some(max, is_stuck);
        let leaving = self.queue.totals().leaving;
        assert!(
            leaving <= self.model_leaving() + 4 * max,
            "{leaving} are taken out of their lanes"
        );
        count
    }

    /// How many left before the queue was deleted.
    fn model_leaving(&self) -> usize {
        let items = self.model.items.iter();
        let left = items.filter(|item| matches!(item.place, Place::Leaving(_)));
        left.count() + self.model.turned_away.len()
    }

    /// What leaves is moved, but for what nobody takes. Answers how many messages were offered.
    fn move_some(&mut self, max: usize, is_stuck: impl Fn(u64) -> bool) -> usize {
        let mut seqs = Vec::new();
        let leaving = self.queue.leaving(max);
        let count = leaving.len();
        for leaving in leaving {
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
        let all = seqs.clone();
        seqs.retain(|seq| !is_stuck(*seq));
        self.decide(&Command::Left(&seqs));
        self.model.items.retain(|item| !seqs.contains(&item.seq));
        assert_eq!(self.queue.not_taken(&all), all.len() - seqs.len());
        count
    }
}
