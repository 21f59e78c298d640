//! The order in which messages come out of a queue: by priority, and by number; and numbers in the order in
//! which messages were published.

use super::super::plan::Station;
use super::{Found, Model};
use std::collections::BTreeMap;
use warren_broker::message::Message;

/// The priority that a message is served with in a queue.
pub(crate) fn level_of(station: &Station, message: &Message) -> u8 {
    let envelope = message.envelope();
    let asked = envelope.has_priority.then_some(envelope.priority);
    match (station.is_quorum, station.priorities) {
        (true, _) => asked.unwrap_or(4).min(31),
        (false, Some(most)) => asked.unwrap_or(0).min(most),
        (false, None) => 0,
    }
}

/// What comes out of a queue one after the other.
#[derive(Debug, Default)]
pub(crate) struct Run {
    last: Option<(u8, u64)>,
    highest_seq: u64,
}

impl Run {
    /// Another message comes, with this level and number.
    pub(crate) fn comes(&mut self, level: u8, seq: u64) -> Result<(), String> {
        let before = self.last.replace((level, seq));
        let is_new = seq > self.highest_seq;
        self.highest_seq = self.highest_seq.max(seq);
        let is_behind = before.is_none_or(|(last_level, last_seq)| {
            // What came to the queue since the last one may be more urgent.
            level < last_level || (level == last_level && seq > last_seq) || (level > last_level && is_new)
        });
        match is_behind {
            true => Ok(()),
            false => Err(format!("({level}, {seq}) comes behind {before:?}")),
        }
    }
}

impl Model {
    pub(super) fn check_order(&self, found: &Found) -> Result<(), String> {
        let mut last: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        // By rising number of the message, which is the order in which they were published.
        for ((id, queue), out) in &found.spots {
            let sent = self.sent.get(&(*id, *queue));
            if sent.is_none_or(|sent| sent.due_ms > 0) {
                continue;
            }
            let before = last.insert(queue, (*id, out.seq));
            if before.is_some_and(|(_, seq)| seq >= out.seq) {
                return Err(format!(
                    "{queue} has {id} at {}, and {before:?} before it",
                    out.seq
                ));
            }
        }
        Ok(())
    }
}
