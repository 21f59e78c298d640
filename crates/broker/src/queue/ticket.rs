//! The name of a delivery: which message, and which of the times that it was taken away from a consumer that
//! held it for too long. Whoever settles a delivery of before settles nothing.

/// Bits of a ticket that are the message's number. No queue comes to so many messages.
const SEQ_BITS: u32 = 48;

/// See the module. For a message that was never taken away it is the message's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

impl Ticket {
    pub(super) fn new(seq: u64, turn: u16) -> Self {
        Self(u64::from(turn) << SEQ_BITS | seq)
    }

    /// The message's number in its queue.
    pub fn seq(self) -> u64 {
        self.0 & ((1 << SEQ_BITS) - 1)
    }

    /// How often the message was taken away before this delivery.
    pub(super) fn turn(self) -> u16 {
        // What is left has 16 bits.
        (self.0 >> SEQ_BITS) as u16
    }
}
