//! What the `warren` program is made of, apart from the broker itself: command line, configuration, log,
//! data folder, definitions file, ready file and the failures of a start.
//!
//! ```text
//!   args ──► config ──► log ──► data_dir ──► definitions ──► (the floors) ──► announce, ready
//!                                     any of them may end in fail::Failure
//! ```
//!
//! Nothing here knows a protocol or a queue. Modules are pure where they can be: what they need of the
//! environment is handed to them, so that tests need no processes. `main.rs` ties them together.

pub mod allocator;
pub mod announce;
pub mod args;
pub mod boot;
pub mod check;
pub mod config;
pub mod data_dir;
pub mod definitions;
pub mod descriptors;
pub mod fail;
pub mod import;
pub mod log;
pub mod ready;
pub mod secret;
pub mod serve;
