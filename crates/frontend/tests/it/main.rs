//! Behaviour of the front-ends, by transcript.

mod regressions;
mod transcripts;
