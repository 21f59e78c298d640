//! Users as sessions see them: a snapshot that is replaced whole when anything about a user
//! changes, with a number that tells whether it did.

use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use warren_broker::access::User;
use warren_broker::name::UserName;

/// All users, for reading without a lock.
#[derive(Debug, Default)]
pub(crate) struct Users {
    snapshot: ArcSwap<HashMap<UserName, Arc<User>>>,
    version: AtomicU64,
}

impl Users {
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<User>> {
        self.snapshot.load().get(name).cloned()
    }

    /// All users, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<User>> {
        self.snapshot.load().values().cloned().collect()
    }

    pub(crate) fn replace<'a>(&self, users: impl Iterator<Item = &'a User>) {
        let all = users
            .map(|user| (user.name.clone(), Arc::new(user.clone())))
            .collect();
        self.snapshot.store(Arc::new(all));
        self.version.fetch_add(1, Ordering::AcqRel);
    }
}
