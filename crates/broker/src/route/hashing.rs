//! Hashes that stay the same: which queue a key leads to must not change with a restart, a release, or from
//! one node to another.

use std::borrow::Cow;

use crate::value::Value;

const OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01B3;

/// The hash of some bytes: FNV-1a over 64 bits, with its bits mixed at the end, since keys are short and all
/// of the result is used.
pub(super) fn stable(bytes: &[u8]) -> u64 {
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    mix(bytes.iter().fold(OFFSET, add))
}

/// Spreads every bit of a number over all of it (the end of SplitMix64).
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// What of a value is hashed: the bytes of a string, and of anything else how it is printed, which is the
/// same for integers of all widths.
pub(super) fn hashed_bytes(value: &Value) -> Cow<'_, [u8]> {
    match value {
        Value::String(bytes) | Value::Bytes(bytes) => Cow::Borrowed(bytes),
        other => Cow::Owned(other.term().into_bytes()),
    }
}

/// The golden ratio, of which Erlang's hash takes a multiple for each type of term.
const GOLDEN: u32 = 0x9E37_79B9;

/// Multiples for the binary, and for the end of a list.
const BINARY: u32 = GOLDEN.wrapping_mul(13);
const NIL: u32 = GOLDEN.wrapping_mul(2);

/// How many values Erlang's hash has unless more are asked for.
const ERLANG_RANGE: u32 = 1 << 27;

/// `erlang:phash2([Key])` for a binary: what RabbitMQ's modulus-hash exchange goes by. The hash is promised
/// to be the same on every machine and in every release.
pub(super) fn erlang_list_of(key: &[u8]) -> u32 {
    let element = match key.is_empty() {
        true => BINARY,
        false => erlang_block(key, BINARY),
    };
    // The list's end, of which the type's own number is 2, is mixed into what its one element came to.
    let [_, _, hash] = erlang_mix([NIL.wrapping_add(2), NIL, element]);
    hash % ERLANG_RANGE
}

/// Bob Jenkins' hash of 1997 ("lookup2") over bytes.
fn erlang_block(bytes: &[u8], begin: u32) -> u32 {
    let mut state = [GOLDEN, GOLDEN, begin];
    let mut blocks = bytes.chunks_exact(12);
    for block in blocks.by_ref() {
        add_words(&mut state, block);
        state = erlang_mix(state);
    }
    // The lowest byte of the last word is the length's.
    let mut last = [0; 12];
    for (at, byte) in blocks.remainder().iter().enumerate() {
        let place = if at < 8 { at } else { at + 1 };
        if let Some(found) = last.get_mut(place) {
            *found = *byte;
        }
    }
    add_words(&mut state, &last);
    // Keys are short strings: the length fits, and would wrap as it does there.
    #[expect(clippy::cast_possible_truncation, reason = "the hash counts modulo 2^32")]
    let length = bytes.len() as u32;
    let [a, b, c] = state;
    let [_, _, hash] = erlang_mix([a, b, c.wrapping_add(length)]);
    hash
}

fn add_words(state: &mut [u32; 3], block: &[u8]) {
    for (sum, word) in state.iter_mut().zip(block.chunks_exact(4)) {
        let word = word
            .iter()
            .rev()
            .fold(0, |word, byte| (word << 8) | u32::from(*byte));
        *sum = sum.wrapping_add(word);
    }
}

fn erlang_mix([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    for (first, second, third) in [(13, 8, 13), (12, 16, 5), (3, 10, 15)] {
        a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> first);
        b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << second);
        c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> third);
    }
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_for_ever() {
        // Messages of running systems go by these.
        assert_eq!(stable(b""), mix(OFFSET));
        assert_eq!(stable(b"a"), mix(0xAF63_DC4C_8601_EC8C));
        assert_eq!(stable(b"orders.1"), 15_113_520_270_760_803_954);
        assert_ne!(stable(b"a"), stable(b"b"));
    }

    #[test]
    fn integers_of_all_widths_and_strings_are_hashed_as_they_are_printed() {
        assert_eq!(hashed_bytes(&Value::I8(5)), hashed_bytes(&Value::I64(5)));
        assert_eq!(hashed_bytes(&Value::from("a")).as_ref(), b"a");
        assert_ne!(
            hashed_bytes(&Value::Bool(true)),
            hashed_bytes(&Value::Bool(false))
        );
    }

    /// Each told by Erlang 27: `erlang:phash2([<<"...">>])`.
    #[test]
    fn lists_of_one_key_are_hashed_as_erlang_does() {
        let known: [(&str, u32); 7] = [
            ("", 38_220_213),
            ("a", 53_691_870),
            ("b", 14_554_590),
            ("orders.1", 85_083_531),
            ("orders.2", 7_818_701),
            ("abcdefghijkl", 89_208_944),
            ("a.very.long.routing.key.that.is.longer.than.twelve", 101_479_645),
        ];
        for (key, expected) in known {
            assert_eq!(erlang_list_of(key.as_bytes()), expected, "{key:?}");
        }
    }
}
