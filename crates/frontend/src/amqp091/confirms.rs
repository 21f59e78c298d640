//! Publisher confirms: which publishes are numbered, which wait for the log, which were told.
//!
//! Numbers rise by one a publish. All publishes of a batch share the batch's log position, and
//! what is due is told with one `basic.ack`, `multiple` where it covers more than one.

use std::collections::VecDeque;
use warren_node::Position;
use warren_protocol::amqp091::method::basic;

/// The confirms of a channel.
#[derive(Debug, Default)]
pub(super) struct Confirms {
    /// The last number given out.
    last: u64,
    /// The last number that was confirmed.
    told: u64,
    /// The last number whose batch was done.
    done: u64,
    /// Done, and waiting for the log: the last number, and the position it waits for.
    waiting: VecDeque<(u64, Position)>,
}

impl Confirms {
    /// Numbers a publish.
    pub(super) fn count(&mut self) {
        self.last += 1;
    }

    /// All publishes so far were done; they are confirmed once `position` is durable.
    pub(super) fn done(&mut self, position: Position, durable: Position) -> Done {
        if self.done == self.last {
            return Done::Told;
        }
        self.done = self.last;
        if position <= durable && self.waiting.is_empty() {
            return Done::Tell(self.tell(self.last));
        }
        self.waiting.push_back((self.last, position));
        if position > durable {
            Done::Wait
        } else {
            Done::Told
        }
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
        due.map(|number| self.tell(number))
    }

    fn tell(&mut self, number: u64) -> basic::Ack {
        let multiple = number > self.told + 1;
        self.told = number;
        basic::Ack {
            delivery_tag: number,
            multiple,
        }
    }
}

/// What follows from a batch that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// Nothing: all is told, or waits for what is waited for already.
    Told,
    /// This is to be told.
    Tell(basic::Ack),
    /// The log is to be waited for.
    Wait,
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

    #[test]
    fn durable_at_once_is_told_at_once() {
        let mut confirms = Confirms::default();
        confirms.count();
        assert_eq!(confirms.done(Position(5), Position(5)), Done::Tell(ack(1, false)));
        confirms.count();
        confirms.count();
        assert_eq!(confirms.done(Position(7), Position(9)), Done::Tell(ack(3, true)));
        assert_eq!(confirms.done(Position(7), Position(9)), Done::Told, "nothing new");
    }

    #[test]
    fn what_waits_is_told_in_order_and_together() {
        let mut confirms = Confirms::default();
        for position in 1..=3 {
            confirms.count();
            assert_eq!(confirms.done(Position(position), Position(0)), Done::Wait);
        }
        confirms.count();
        // A transient message: durable already, but not told before those in front of it.
        assert_eq!(confirms.done(Position(0), Position(0)), Done::Told);
        assert_eq!(confirms.durable(Position(2)), Some(ack(2, true)));
        assert_eq!(confirms.durable(Position(3)), Some(ack(4, true)));
        assert_eq!(confirms.durable(Position(9)), None);
    }
}
