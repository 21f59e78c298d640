//! Publisher confirms: which publishes are numbered, which wait for the log, which were told.
//!
//! Numbers rise by one a publish. All publishes of a batch that wait for the disk share the batch's log
//! position, and what is due is told with one `basic.ack`, `multiple` where it covers more than one. What
//! does not wait for the disk (transient messages, transient queues, no queue at all) is not held up by
//! what does: it is told at once, one by one if something before it waits.

use std::collections::VecDeque;
use warren_node::Position;
use warren_protocol::amqp091::method::basic;

/// The confirms of a channel.
#[derive(Debug, Default)]
pub(super) struct Confirms {
    /// The last number given out.
    last: u64,
    /// Up to this number all were confirmed.
    told: u64,
    /// The last number whose batch was done.
    done: u64,
    /// The first and the last number of the batch being gathered that wait for the disk; 0: none.
    first_kept: u64,
    last_kept: u64,
    /// Numbers of the batch being gathered that do not, where there are others.
    free: Vec<u64>,
    /// Done, and waiting for the log: the last number, and the position it waits for.
    waiting: VecDeque<(u64, Position)>,
    /// Numbers above `told` that were refused, rising.
    refused: Vec<u64>,
}

/// Bits of a token that are a publish's number. No channel comes to so many.
const NUMBER_BITS: u32 = 48;

/// The channel and the number of the publish that a token stands for.
pub(super) fn of_token(token: u64) -> (u16, u64) {
    // What is left has 16 bits.
    ((token >> NUMBER_BITS) as u16, token & ((1 << NUMBER_BITS) - 1))
}

impl Confirms {
    /// Names the next publish of a channel with this number, to be named again if it is refused.
    pub(super) fn token(&self, channel: u16) -> u64 {
        u64::from(channel) << NUMBER_BITS | (self.last + 1)
    }

    /// A publish of the batch that was just done was refused by a queue.
    pub(super) fn refuse_one(&mut self, number: u64) -> Option<basic::Nack> {
        if number <= self.told || self.refused.last().is_some_and(|last| *last >= number) {
            return None;
        }
        // As RabbitMQ says it: all before it were told, if nothing is between.
        let multiple = number == self.told + 1;
        if multiple {
            self.told = number;
        } else {
            self.refused.push(number);
        }
        Some(basic::Nack {
            delivery_tag: number,
            multiple,
            requeue: true,
        })
    }

    /// Numbers a publish. `is_kept`: it is to be on disk before it is confirmed.
    pub(super) fn count(&mut self, is_kept: bool) {
        self.last += 1;
        if is_kept {
            self.last_kept = self.last;
            if self.first_kept == 0 {
                self.first_kept = self.last;
            }
        } else if self.first_kept != 0 || !self.waiting.is_empty() {
            self.free.push(self.last);
        }
    }

    /// All publishes so far were done; those that are kept are confirmed once `position` is durable.
    /// Answers whether the log is to be waited for; `tell` gets what is to be told now.
    pub(super) fn done(
        &mut self,
        position: Position,
        durable: Position,
        mut tell: impl FnMut(basic::Ack),
    ) -> bool {
        let first = self.done + 1;
        if first > self.last {
            return false;
        }
        self.done = self.last;
        let free = std::mem::take(&mut self.free);
        let first_kept = std::mem::take(&mut self.first_kept);
        let has_kept = first_kept != 0;
        let is_due = !has_kept || position <= durable;
        if is_due && self.waiting.is_empty() {
            self.tell(self.last).into_iter().for_each(tell);
            return false;
        }
        if self.waiting.is_empty() && first_kept > first {
            self.tell(first_kept - 1).into_iter().for_each(&mut tell);
        }
        for number in free {
            if self.refused.binary_search(&number).is_ok() {
                continue;
            }
            tell(basic::Ack {
                delivery_tag: number,
                multiple: false,
            });
        }
        if has_kept {
            self.waiting.push_back((self.last_kept, position));
        }
        has_kept && position > durable
    }

    /// The log became durable up to `position`: what is to be told now.
    pub(super) fn durable(&mut self, position: Position) -> Option<basic::Ack> {
        let mut due = None;
        while let Some((number, wanted)) = self.waiting.front()
            && *wanted <= position
        {
            due = Some(*number);
            self.waiting.pop_front();
        }
        due.and_then(|number| self.tell(number))
    }

    /// Nothing will become durable any more: what was not confirmed is refused.
    pub(super) fn refuse(&mut self) -> Option<basic::Nack> {
        self.waiting.clear();
        self.refused.clear();
        self.done = self.last;
        let first = self.told + 1;
        self.told = self.last;
        (first <= self.last).then_some(basic::Nack {
            delivery_tag: self.last,
            multiple: first < self.last,
            requeue: false,
        })
    }

    /// Confirms all up to a number, but for those that were refused.
    fn tell(&mut self, number: u64) -> Option<basic::Ack> {
        let told = std::mem::replace(&mut self.told, number);
        let mut last = number;
        while let Some(at) = self.refused.iter().rposition(|refused| *refused <= last) {
            if self.refused.get(at) != Some(&last) {
                break;
            }
            last -= 1;
        }
        self.refused.retain(|refused| *refused > number);
        (last > told).then_some(basic::Ack {
            delivery_tag: last,
            multiple: last > told + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(delivery_tag: u64, multiple: bool) -> basic::Ack {
        basic::Ack {
            delivery_tag,
            multiple,
        }
    }

    /// Counts publishes, ends the batch, and answers whether it waits and what was told.
    fn batch(confirms: &mut Confirms, kept: &[bool], position: u64, durable: u64) -> (bool, Vec<basic::Ack>) {
        kept.iter().for_each(|is_kept| confirms.count(*is_kept));
        let mut told = Vec::new();
        let waits = confirms.done(Position(position), Position(durable), |ack| told.push(ack));
        (waits, told)
    }

    #[test]
    fn durable_at_once_is_told_at_once() {
        let mut confirms = Confirms::default();
        assert_eq!(batch(&mut confirms, &[true], 5, 5), (false, vec![ack(1, false)]));
        let both = batch(&mut confirms, &[true, false], 7, 9);
        assert_eq!(both, (false, vec![ack(3, true)]));
        assert_eq!(batch(&mut confirms, &[], 7, 9), (false, vec![]), "nothing new");
    }

    #[test]
    fn what_waits_is_told_in_order_and_together() {
        let mut confirms = Confirms::default();
        for position in 1..=3 {
            assert_eq!(batch(&mut confirms, &[true], position, 0), (true, vec![]));
        }
        assert_eq!(confirms.durable(Position(2)), Some(ack(2, true)));
        assert_eq!(confirms.durable(Position(3)), Some(ack(3, false)));
        assert_eq!(confirms.durable(Position(9)), None);
    }

    #[test]
    fn what_needs_no_disk_waits_for_nothing() {
        let mut confirms = Confirms::default();
        let first = batch(&mut confirms, &[false, false, true, false, true, false], 5, 0);
        let told = vec![ack(2, true), ack(4, false), ack(6, false)];
        assert_eq!(first, (true, told));
        assert_eq!(batch(&mut confirms, &[false], 0, 0), (false, vec![ack(7, false)]));
        assert_eq!(confirms.durable(Position(5)), Some(ack(5, true)));
        assert_eq!(batch(&mut confirms, &[false], 0, 5), (false, vec![ack(8, true)]));
    }

    #[test]
    fn what_was_refused_is_not_confirmed() {
        let mut confirms = Confirms::default();
        let refuse = |confirms: &mut Confirms, number| {
            confirms
                .refuse_one(number)
                .map(|nack| (nack.delivery_tag, nack.multiple))
        };
        assert_eq!(of_token(confirms.token(7)), (7, 1));
        (0..4).for_each(|_| confirms.count(true));
        assert_eq!(refuse(&mut confirms, 2), Some((2, false)));
        assert_eq!(refuse(&mut confirms, 2), None, "told once");
        assert_eq!(refuse(&mut confirms, 4), Some((4, false)));
        let told = batch(&mut confirms, &[], 5, 5);
        assert_eq!(told, (false, vec![ack(3, true)]));
        confirms.count(true);
        assert_eq!(
            refuse(&mut confirms, 5),
            Some((5, true)),
            "all before it were told"
        );
        assert_eq!(refuse(&mut confirms, 5), None, "told once");
        assert_eq!(
            batch(&mut confirms, &[], 5, 5),
            (false, vec![]),
            "all of it refused"
        );
        assert_eq!(batch(&mut confirms, &[true], 7, 0), (true, vec![]));
        confirms.count(false);
        assert_eq!(refuse(&mut confirms, 7), Some((7, false)));
        assert_eq!(batch(&mut confirms, &[], 0, 0), (false, vec![]));
        assert_eq!(confirms.durable(Position(7)), Some(ack(6, false)));
    }

    #[test]
    fn after_the_log_failed_all_that_is_left_is_refused() {
        let mut confirms = Confirms::default();
        assert_eq!(batch(&mut confirms, &[true, true], 5, 0), (true, vec![]));
        confirms.count(true);
        let nack = confirms.refuse().map(|nack| (nack.delivery_tag, nack.multiple));
        assert_eq!(nack, Some((3, true)));
        assert_eq!(confirms.durable(Position(9)), None);
        assert!(confirms.refuse().is_none());
    }
}
