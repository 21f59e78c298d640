//! Behaviour of the front-ends, by transcript, and what they ask of the allocator.

#![allow(clippy::unwrap_used)]

mod allocations;
mod regressions;
mod transcripts;
