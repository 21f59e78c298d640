//! Places at which the process can be made to end on purpose, for tests that kill it at its weakest
//! moments.
//!
//! One place can be armed, by the program, before it opens a store. Until then, and on all other places,
//! passing one costs a load. All of them lie off the way of a message.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The places, by name.
pub const NAMES: [&str; 11] = [
    "log-roll",
    "log-recycle",
    "extent-written",
    "extent-before-sync",
    "checkpoint-written",
    "checkpoint-renamed",
    "checkpoint-copy",
    "trim",
    "extent-remove",
    "recovery-read",
    "recovery-end",
];

struct Armed {
    name: String,
    left: AtomicU64,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Ends the process when the place of this name is passed for the `nth` time, counted from 1.
pub fn arm(name: &str, nth: u64) {
    // A second call changes nothing: one process has one end.
    let _ = ARMED.set(Armed {
        name: name.to_owned(),
        left: AtomicU64::new(nth.max(1)),
    });
}

/// Passes the place of this name.
pub fn pass(name: &str) {
    debug_assert!(NAMES.contains(&name), "{name}");
    if let Some(armed) = ARMED.get()
        && armed.name == name
        && armed.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}
