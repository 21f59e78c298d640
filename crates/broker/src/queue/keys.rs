//! Keys: what a header says, as a number. Messages with the same value of a header have the same key.
//!
//! The queue does not know the encoding of messages; whoever does reads their headers for it.

use crate::message::Message;
use crate::value::Value;
use sha2::{Digest, Sha256};
use std::fmt::Debug;

/// A value in so few bits that any two that were ever seen differ.
pub type Key = u128;

/// Reads headers of messages. It says the same of a message each time.
pub trait HeaderReader: Debug + Send + Sync {
    /// A header of the message; `None` when it has none of that name.
    fn header(&self, message: &Message, name: &str) -> Option<Value>;
}

/// The key of a header's value. It stands in logs and checkpoints, and never changes.
pub(super) fn key_of(value: &Value) -> Key {
    let mut hasher = Sha256::new();
    match value {
        // Texts are by far the most; a number is the same whatever its type.
        Value::String(bytes) => {
            hasher.update(b"S");
            hasher.update(bytes);
        }
        other => match other.as_integer() {
            Some(number) => {
                hasher.update(b"I");
                hasher.update(number.to_le_bytes());
            }
            None => {
                hasher.update(b"V");
                hasher.update(format!("{other:?}").as_bytes());
            }
        },
    }
    let digest = hasher.finalize();
    // The first half of a digest of 32 octets.
    let half = digest.first_chunk().copied().unwrap_or_default();
    Key::from_le_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_for_ever_and_for_every_type_of_number() {
        let text = |text: &str| Value::String(text.as_bytes().into());
        assert_eq!(key_of(&text("abc")), 0xee24_079a_8ef8_dfd4_253b_a288_bded_4b43);
        assert_eq!(key_of(&Value::I64(7)), key_of(&Value::U8(7)));
        assert_ne!(key_of(&Value::I64(7)), key_of(&text("7")));
        assert_ne!(key_of(&Value::Bool(true)), key_of(&Value::Bool(false)));
    }
}
