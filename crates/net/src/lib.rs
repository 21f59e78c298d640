//! Listeners and the one loop that moves bytes between sockets and sessions.
