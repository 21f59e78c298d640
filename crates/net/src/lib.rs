//! Listeners, and the one loop that moves bytes between sockets and sessions.
//!
//! What a session says and hears is none of this crate's business: it drives anything that is
//! a [`Session`](warren_frontend::Session).

mod drive;
mod listen;

pub use listen::{Bound, Options, Server, bind};
