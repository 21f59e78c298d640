//! What an exchange remembers: the messages that it routed last, for whoever is bound to it.
//!
//! It is in memory only, bounded in number by the exchange's arguments and in bytes by [`BYTES_MAX`], and is
//! accounted beside what sessions hold. Messages share their bytes with the queues that hold them too.

use crate::alarms::Memory;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use warren_broker::message::Message;

/// What one exchange remembers at most, in bytes of memory.
pub(crate) const BYTES_MAX: usize = 16 << 20;

/// The last messages of one exchange.
#[derive(Debug)]
pub(crate) struct History {
    /// So many messages at most, and at least one.
    length: usize,
    memory: Arc<Memory>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The oldest first.
    messages: VecDeque<Message>,
    bytes: usize,
}

impl History {
    pub(crate) fn new(length: usize, memory: Arc<Memory>) -> Self {
        Self {
            length,
            memory,
            kept: Mutex::default(),
        }
    }

    /// Remembers a message, and forgets as many of the oldest as it takes. One that is too large to be
    /// remembered even alone changes nothing.
    pub(crate) fn add(&self, message: &Message) {
        let bytes = message.memory_bytes();
        if bytes > BYTES_MAX {
            return;
        }
        let mut kept = self.kept.lock();
        let before = kept.bytes;
        while kept.messages.len() >= self.length || kept.bytes + bytes > BYTES_MAX {
            let Some(oldest) = kept.messages.pop_front() else {
                break;
            };
            kept.bytes -= oldest.memory_bytes();
        }
        kept.messages.push_back(message.clone());
        kept.bytes += bytes;
        self.memory.session_changed(before, kept.bytes);
    }

    /// What is remembered, the oldest first, as if it were published now.
    pub(crate) fn messages(&self, now_ms: u64) -> Vec<Message> {
        let kept = self.kept.lock().messages.clone();
        kept.iter()
            .map(|message| message.published_again(now_ms))
            .collect()
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.memory.session_changed(self.kept.get_mut().bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use proptest::prelude::*;
    use warren_broker::message::Parts;

    fn message(number: u8, body_bytes: usize) -> Message {
        let body = vec![number; body_bytes];
        Message::of(&Parts {
            body: &body,
            ..Parts::default()
        })
        .unwrap()
    }

    fn kept(history: &History) -> Vec<u8> {
        let messages = history.messages(7);
        assert!(messages.iter().all(|message| message.published_ms() == 7));
        messages.iter().map(|message| message.body()[0]).collect()
    }

    #[test]
    fn what_is_too_large_is_not_remembered_and_costs_nothing() {
        let memory = Arc::new(Memory::new(u64::MAX));
        let history = History::new(3, Arc::clone(&memory));
        history.add(&message(1, 5));
        history.add(&message(2, BYTES_MAX));
        assert_eq!(kept(&history), [1]);
        let fits_alone = BYTES_MAX - message(3, 0).memory_bytes();
        history.add(&message(3, fits_alone));
        assert_eq!(kept(&history), [3]);
        assert!(memory.held_bytes() <= BYTES_MAX as u64);
        drop(history);
        assert_eq!(memory.held_bytes(), 0);
    }

    proptest! {
        #[test]
        fn it_is_the_end_of_what_came(
            length in 1usize..6,
            bodies in prop::collection::vec(1usize..(6 << 20), 0..12),
        ) {
            let memory = Arc::new(Memory::new(u64::MAX));
            let history = History::new(length, Arc::clone(&memory));
            let came: Vec<Message> = (0u8..).zip(&bodies).map(|(n, bytes)| message(n, *bytes)).collect();
            for message in &came {
                history.add(message);
            }
            // The longest end that fits, by number and by size.
            let mut bytes = 0;
            let fits = came.iter().rev().take(length).take_while(|message| {
                bytes += message.memory_bytes();
                bytes <= BYTES_MAX
            });
            let expected: Vec<u8> = fits.map(|message| message.body()[0]).collect();
            let mut found = kept(&history);
            found.reverse();
            prop_assert_eq!(found, expected);
            let held: usize = history.kept.lock().messages.iter().map(Message::memory_bytes).sum();
            prop_assert_eq!(memory.held_bytes(), held as u64);
        }
    }
}
