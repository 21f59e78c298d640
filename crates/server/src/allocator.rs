//! How the allocator gives memory back to the system.

#![expect(unsafe_code, reason = "the library has no safe call for it")]

use std::ffi::{c_int, c_long};

/// `mi_option_purge_delay` of mimalloc 3; the crate does not name it.
const PURGE_DELAY: c_int = 15;

/// Milliseconds that memory may be unused before it goes back. The default of a second lets a broker that
/// fills and empties queues take twice what it uses; less than this costs in page faults.
const PURGE_DELAY_MS: c_long = 50;

/// Sets up the allocator, unless its environment variables (`MIMALLOC_PURGE_DELAY`) say otherwise.
pub fn set_up() {
    // SAFETY: the call takes two numbers and stores one of them in a table of the library, which checks that
    // the other is one of its options. Other threads may read the table at the same time.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_a_second_by_default() {
        // SAFETY: as above; the first call only reads.
        let before = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(before, 1000);
        set_up();
        // SAFETY: as above.
        let after = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(after, PURGE_DELAY_MS);
    }
}
