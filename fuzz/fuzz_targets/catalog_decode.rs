//! What a disk can hold: a change of the catalog, as the log and checkpoints have it.
//!
//! Beyond not crashing: what can be read is written as bytes that are read as the same change, and written
//! the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warren_broker::catalog::codec::{decode, encode};

fuzz_target!(|bytes: &[u8]| {
    let Ok(change) = decode(bytes) else {
        return;
    };
    let mut written = Vec::new();
    encode(&change, &mut written);
    let again = decode(&written).unwrap_or_else(|error| panic!("{error}: {change:?}"));
    assert_eq!(again, change);
    let mut rewritten = Vec::new();
    encode(&again, &mut rewritten);
    assert_eq!(rewritten, written);
});
