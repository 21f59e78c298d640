//! What a queue goes by: arguments and policies, taken together and in force now.
//!
//! The machine knows neither: whoever does makes [`Rules`] of them, and gives them to the queue anew when
//! they change.

use crate::message::Message;

/// What a queue does with a message that it has no room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest messages go, of the lowest priority first.
    #[default]
    DropHead,
    /// New ones are not taken; a publisher with confirms gets a nack.
    RejectPublish,
    /// The same, and they are dead-lettered.
    RejectPublishDlx,
}

/// How sure a dead letter is to arrive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// What no queue takes is dropped.
    #[default]
    AtMostOnce,
    /// What no queue takes stays until one does.
    AtLeastOnce,
}

/// Where dead letters go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetters {
    /// The exchange that they are published to.
    pub exchange: Box<str>,
    /// Their routing key; `None`: those that they had.
    pub key: Option<Box<str>>,
    /// How sure they are to arrive.
    pub strategy: Strategy,
    /// What a queue holds when it is deleted or expires is dead-lettered too.
    pub on_delete: bool,
}

/// How the pause before a delivery is tried again grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Backoff {
    /// By the same each time.
    #[default]
    Linear,
    /// Twice as long each time.
    Exponential,
}

/// Which deliveries that came back wait before they are tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Retried {
    /// All of them.
    #[default]
    All,
    /// Those that count as failed.
    Failed,
    /// Those that were given back without fault.
    Returned,
}

/// A pause before a delivery that came back is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Which deliveries.
    pub which: Retried,
    /// The first pause, in milliseconds.
    pub min_ms: u64,
    /// The longest one, in milliseconds.
    pub max_ms: u64,
    /// How it grows.
    pub backoff: Backoff,
    /// Up to so many per cent are added or taken away by chance, at most 100.
    pub jitter_percent: u8,
}

impl Retry {
    /// Whether a delivery that came back waits.
    pub fn is_for(&self, failed: bool) -> bool {
        match self.which {
            Retried::All => true,
            Retried::Failed => failed,
            Retried::Returned => !failed,
        }
    }

    /// The pause in milliseconds before a message is tried again whose deliveries failed so often. `chance`
    /// is any number, not the same for all.
    pub fn pause_ms(&self, failures: u16, chance: u64) -> u64 {
        let nth = u64::from(failures.max(1));
        let grown = match self.backoff {
            Backoff::Linear => self.min_ms.saturating_mul(nth),
            Backoff::Exponential => {
                let doubled = 1u64.checked_shl(u32::from(failures.max(1)) - 1);
                self.min_ms.saturating_mul(doubled.unwrap_or(u64::MAX))
            }
        };
        let pause = grown.min(self.max_ms);
        let most = u128::from(pause) * u128::from(self.jitter_percent.min(100)) / 100;
        // At most a pause, which fits.
        let most = u64::try_from(most).unwrap_or(pause);
        if most == 0 {
            return pause;
        }
        // Spread evenly over what may be taken away or added, up to the longest pause there is.
        let (least, longest) = (pause - most, pause.saturating_add(most).min(self.max_ms));
        least.saturating_add(scatter(chance) % (longest - least).saturating_add(1))
    }
}

/// A number that looks like chance, and is the same for the same number.
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What makes messages one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// The value of a header.
    Header(Box<str>),
    /// A part of the routing key between dots, counted from 0.
    KeyPart(u8),
}

/// How messages are told to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deduplication {
    /// So many keys are remembered; the oldest goes first.
    pub keys_max: u64,
    /// How long a key is remembered, in milliseconds; `None`: until it has to make room.
    pub ttl_ms: Option<u64>,
}

/// What a queue goes by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Goes when nobody has used it for so long, in milliseconds.
    pub expires_ms: Option<u64>,
    /// How long a message may stand in it, in milliseconds.
    pub message_ttl_ms: Option<u64>,
    /// Ready messages at most.
    pub max_length: Option<u64>,
    /// Octets of their bodies at most.
    pub max_length_bytes: Option<u64>,
    /// What happens beyond either.
    pub overflow: Overflow,
    /// Where dead letters go; `None`: they are dropped.
    pub dead_letters: Option<DeadLetters>,
    /// How often a delivery may fail; `None`: as often as it likes.
    pub delivery_limit: Option<u64>,
    /// The highest priority that is told from the one below; `None`: all are the same.
    pub max_priority: Option<u8>,
    /// What a message has that was published without a priority.
    pub default_priority: u8,
    /// Deliveries carry how often they failed before; a rejected one counts, one given back does not.
    pub counts_deliveries: bool,
    /// One consumer at a time is served.
    pub has_single_active_consumer: bool,
    /// It makes way for one of a higher priority as soon as it holds nothing.
    pub single_active_yields: bool,
    /// How long a consumer may hold a delivery, in milliseconds; `None`: as long as it likes.
    pub consumer_timeout_ms: Option<u64>,
    /// Pauses before deliveries that came back are tried again.
    pub retry: Option<Retry>,
    /// Messages of one group go to one consumer at a time.
    pub group_by: Option<GroupBy>,
    /// Messages that came already are not taken again.
    pub deduplication: Option<Deduplication>,
    /// Of messages with the same value of this header only the last one stays.
    pub last_value_header: Option<Box<str>>,
    /// Telling when the queue fills up to so many ready messages, and when it is below again.
    pub trigger_length: Option<u64>,
}

impl Rules {
    /// The priority that a message is served with.
    pub(super) fn level_of(&self, message: &Message) -> u8 {
        let Some(max) = self.max_priority else {
            return 0;
        };
        let envelope = message.envelope();
        let asked = match envelope.has_priority {
            true => envelope.priority,
            false => self.default_priority,
        };
        asked.min(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_makes_no_pause_longer_than_the_longest() {
        let retry = Retry {
            which: Retried::All,
            min_ms: 100,
            max_ms: 150,
            backoff: Backoff::Linear,
            jitter_percent: 100,
        };
        let pauses = |failures| (0..2000).map(move |chance| retry.pause_ms(failures, chance));
        for failures in [1, 2, 9] {
            assert!(pauses(failures).all(|pause| pause <= 150));
            assert!(pauses(failures).min() < Some(10) && pauses(failures).max() > Some(140));
        }
        let without = Retry {
            jitter_percent: 0,
            ..retry
        };
        assert_eq!([1, 2].map(|failures| without.pause_ms(failures, 7)), [100, 150]);
    }
}
