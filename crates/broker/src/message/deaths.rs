//! Dead letters: why and where a message died, how often, and what it was before.
//!
//! ```text
//!   deaths  =  first reason u8, first queue, first exchange, last exchange, *entry        most recent first
//!   entry   =  reason u8, count u64, time u64 (s), own ttl u64 (ms; 2^64 - 1: none),
//!              queue, exchange, number of keys u32, *key
//!   text    =  length u32, bytes                                                          little-endian
//! ```
//! There is one entry for a queue and a reason: it tells of the first such death, and counts the others.
//! RabbitMQ: dlx.md#effects, x-death.

use super::{Message, TooLong};
use smallvec::SmallVec;

/// Why a message became a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// A consumer would not have it, nor have it again.
    Rejected = 1,
    /// Its time to live, or the queue's, was over.
    Expired = 2,
    /// The queue was full.
    MaxLen = 3,
    /// It came back more often than the queue allows.
    DeliveryLimit = 4,
    /// The queue was deleted, or expired, and its dead letters were to be kept.
    Deleted = 5,
}

impl Reason {
    /// RabbitMQ's word, where it has one.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLen => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
            Self::Deleted => "deleted",
        }
    }

    fn of(code: u8) -> Option<Self> {
        let all = [
            Self::Rejected,
            Self::Expired,
            Self::MaxLen,
            Self::DeliveryLimit,
            Self::Deleted,
        ];
        all.into_iter().find(|reason| *reason as u8 == code)
    }
}

/// A death in few words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brief<'a> {
    /// Why.
    pub reason: Reason,
    /// The queue in which it died.
    pub queue: &'a str,
    /// The exchange that it had been published to.
    pub exchange: &'a str,
}

/// All deaths in a queue for a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death<'a> {
    /// Why it died.
    pub reason: Reason,
    /// How often.
    pub count: u64,
    /// When for the first time, in seconds since 1970.
    pub time_s: u64,
    /// The time to live that it had of its own, in milliseconds.
    pub ttl_ms: Option<u64>,
    /// The queue in which it died.
    pub queue: &'a str,
    /// The exchange that it had been published to before the first of them.
    pub exchange: &'a str,
    /// The keys that it had been published with before, without those that nobody is told of.
    pub keys: SmallVec<[&'a str; 1]>,
}

/// The deaths of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deaths<'a> {
    /// The first of all.
    pub first: Brief<'a>,
    last_exchange: &'a str,
    /// Most recent first, and never empty.
    entries: Vec<Death<'a>>,
}

impl<'a> Deaths<'a> {
    /// One for each queue and reason, the most recent first.
    pub fn entries(&self) -> &[Death<'a>] {
        &self.entries
    }

    /// The most recent.
    pub fn last(&self) -> Brief<'a> {
        let exchange = self.last_exchange;
        self.entries.first().map_or(self.first, |death| Brief {
            reason: death.reason,
            queue: death.queue,
            exchange,
        })
    }

    /// Whether it would go in circles in a queue: it died there, and nobody rejected it since.
    pub fn is_cycle(&self, queue: &str) -> bool {
        for death in &self.entries {
            if death.reason == Reason::Rejected {
                return false;
            }
            if death.queue == queue {
                return true;
            }
        }
        false
    }

    /// What stands in annotations. `None` when it makes no sense.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let first = Brief {
            reason: reader.reason()?,
            queue: reader.text()?,
            exchange: reader.text()?,
        };
        let last_exchange = reader.text()?;
        let mut entries = Vec::new();
        while !reader.0.is_empty() {
            entries.push(reader.death()?);
        }
        (!entries.is_empty()).then_some(Self {
            first,
            last_exchange,
            entries,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.first.reason as u8);
        put_text(out, self.first.queue);
        put_text(out, self.first.exchange);
        put_text(out, self.last_exchange);
        for death in &self.entries {
            out.push(death.reason as u8);
            for number in [death.count, death.time_s, death.ttl_ms.unwrap_or(NO_TTL)] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            put_text(out, death.queue);
            put_text(out, death.exchange);
            put_length(out, death.keys.len());
            death.keys.iter().for_each(|key| put_text(out, key));
        }
    }

    /// With one death more.
    fn with(earlier: Option<Self>, death: Death<'a>) -> Self {
        let brief = Brief {
            reason: death.reason,
            queue: death.queue,
            exchange: death.exchange,
        };
        let mut deaths = earlier.unwrap_or(Self {
            first: brief,
            last_exchange: "",
            entries: Vec::new(),
        });
        deaths.last_exchange = death.exchange;
        let is_same = |other: &Death<'_>| (other.queue, other.reason) == (death.queue, death.reason);
        match deaths.entries.iter().position(is_same) {
            Some(at) => {
                if let Some(known) = deaths.entries.get_mut(at) {
                    known.count = known.count.saturating_add(1);
                }
                deaths.entries.get_mut(..=at).unwrap_or_default().rotate_right(1);
            }
            None => deaths.entries.insert(0, death),
        }
        deaths
    }
}

/// A message on its way from the queue in which it died to the exchange for dead letters, under `key`, or its
/// own keys if that is none: see [`Message::further_keys`]. It has no time to live any more, waits for
/// nothing, and is published `now_ms`.
///
/// # Errors
/// [`TooLong`] when exchange or key have more than 255 bytes.
pub fn dead_letter(
    message: &Message,
    queue: &str,
    reason: Reason,
    now_ms: u64,
    exchange: &str,
    key: Option<&str>,
) -> Result<Message, TooLong> {
    let noted = message.annotations();
    let mut keys = SmallVec::new();
    keys.push(message.routing_key());
    keys.extend(noted.keys());
    let death = Death {
        reason,
        count: 1,
        time_s: now_ms / 1000,
        ttl_ms: noted.ttl_ms(),
        queue,
        exchange: message.exchange(),
        keys,
    };
    let deaths = Deaths::with(noted.deaths(), death);
    let annotations = noted.of_dead_letter(&deaths, key.is_none());
    let key = key.unwrap_or(message.routing_key());
    message.reissued_at(now_ms, exchange, key, annotations.bytes())
}

const NO_TTL: u64 = u64::MAX;

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    // What has more came in no frame.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
}

/// Reads texts and numbers one behind the other.
#[derive(Clone)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn length(&mut self) -> Option<usize> {
        let (length, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*length) as usize)
    }

    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn reason(&mut self) -> Option<Reason> {
        let (code, rest) = self.0.split_first()?;
        self.0 = rest;
        Reason::of(*code)
    }

    fn death(&mut self) -> Option<Death<'a>> {
        let reason = self.reason()?;
        let (count, time_s, ttl_ms) = (self.number()?, self.number()?, self.number()?);
        let (queue, exchange) = (self.text()?, self.text()?);
        // As many as there are, whatever the number says.
        let keys = (0..self.length()?).map(|_| self.text());
        Some(Death {
            reason,
            count,
            time_s,
            ttl_ms: (ttl_ms != NO_TTL).then_some(ttl_ms),
            queue,
            exchange,
            keys: keys.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests;
