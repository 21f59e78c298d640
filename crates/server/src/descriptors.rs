//! How many file descriptors there are, and who may have them.
//!
//! Clients open connections as they please; the store has to open files whatever clients do. So a part of
//! what the system allows is kept from connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the store: the extents that it holds open (64), the log, a checkpoint with its copy, folders; and for
/// the program itself.
const RESERVED: u64 = 128;

/// Takes all descriptors that the system allows, and answers the number from which on they are not for
/// connections; `None` where there is no limit. Numbers are given out from the lowest free one on, so one
/// as high as that says that nearly all are in use.
pub fn for_connections() -> Option<u64> {
    let current = raise();
    let left = current.map(left_for_connections);
    tracing::debug!(
        ?current,
        ?left,
        "open files that the system allows, and connections of them"
    );
    left
}

/// Takes all descriptors that the system allows, and answers how many these are.
pub fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "the limit of open files could not be raised");
            limit.current
        }
    }
}

fn left_for_connections(limit: u64) -> u64 {
    limit - RESERVED.min(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_some_to_the_store() {
        assert_eq!(left_for_connections(1024), 896);
        assert_eq!(left_for_connections(256), 128);
        assert_eq!(left_for_connections(60), 30);
        assert_eq!(left_for_connections(0), 0);
    }
}
