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

    /// All publishes so far were done; they are confirmed once `position` is durable. Answers
    /// whether that has to be waited for.
    pub(super) fn done(
        &mut self,
        position: Position,
        durable: Position,
        channel: u16,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.done == self.last {
            return false;
        }
        self.done = self.last;
        if position > durable || !self.waiting.is_empty() {
            self.waiting.push_back((self.last, position));
            return position > durable;
        }
        self.tell(self.last, channel, out);
        false
    }

    /// The log became durable up to `position`.
    pub(super) fn durable(&mut self, position: Position, channel: u16, out: &mut Vec<u8>) {
        let mut due = None;
        while let Some((number, wanted)) = self.waiting.front()
            && *wanted <= position
        {
            due = Some(*number);
            self.waiting.pop_front();
        }
        if let Some(number) = due {
            self.tell(number, channel, out);
        }
    }

    fn tell(&mut self, number: u64, channel: u16, out: &mut Vec<u8>) {
        let multiple = number > self.told + 1;
        self.told = number;
        basic::Ack {
            delivery_tag: number,
            multiple,
        }
        .encode(channel, out);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use warren_protocol::amqp091::frame::{Step, decode};
    use warren_protocol::amqp091::method::Method;

    fn acks(mut bytes: &[u8]) -> Vec<(u64, bool)> {
        let mut found = Vec::new();
        while let Ok(Step::Frame { frame, consumed }) = decode(bytes, 4096) {
            let Method::BasicAck(ack) = Method::decode(frame.payload).unwrap() else {
                panic!("no ack")
            };
            found.push((ack.delivery_tag, ack.multiple));
            bytes = bytes.get(consumed..).unwrap();
        }
        found
    }

    #[test]
    fn durable_at_once_is_told_at_once() {
        let (mut confirms, mut out) = (Confirms::default(), Vec::new());
        confirms.count();
        assert!(!confirms.done(Position(5), Position(5), 1, &mut out));
        confirms.count();
        confirms.count();
        assert!(!confirms.done(Position(7), Position(9), 1, &mut out));
        assert!(
            !confirms.done(Position(7), Position(9), 1, &mut out),
            "nothing new"
        );
        assert_eq!(acks(&out), [(1, false), (3, true)]);
    }

    #[test]
    fn what_waits_is_told_in_order_and_together() {
        let (mut confirms, mut out) = (Confirms::default(), Vec::new());
        for position in 1..=3 {
            confirms.count();
            assert!(confirms.done(Position(position), Position(0), 1, &mut out));
        }
        confirms.count();
        // A transient message: durable already, but not told before those in front of it.
        assert!(!confirms.done(Position(0), Position(0), 1, &mut out));
        assert!(out.is_empty());
        confirms.durable(Position(2), 1, &mut out);
        assert_eq!(acks(&out), [(2, true)]);
        confirms.durable(Position(3), 1, &mut out);
        assert_eq!(acks(&out), [(2, true), (4, true)]);
    }
}
