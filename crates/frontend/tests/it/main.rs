//! Behaviour of the front-ends, by transcript.

mod transcripts;
