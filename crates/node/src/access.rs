//! Users as sessions see them: a snapshot that is replaced whole when anything about a user
//! changes, with a number that tells whether it did; and what places each of them has taken, which stay as
//! they are meanwhile.

use crate::places::UserPlaces;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use warren_broker::access::User;
use warren_broker::name::UserName;

/// A user, and the user's places.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) user: Arc<User>,
    pub(crate) places: UserPlaces,
}

/// All users, for reading without a lock.
#[derive(Debug, Default)]
pub(crate) struct Users {
    snapshot: ArcSwap<HashMap<UserName, Account>>,
    version: AtomicU64,
}

impl Users {
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<User>> {
        let snapshot = self.snapshot.load();
        snapshot.get(name).map(|account| Arc::clone(&account.user))
    }

    pub(crate) fn account(&self, name: &str) -> Option<Account> {
        self.snapshot.load().get(name).cloned()
    }

    /// All users, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<User>> {
        let snapshot = self.snapshot.load();
        snapshot
            .values()
            .map(|account| Arc::clone(&account.user))
            .collect()
    }

    /// Routes that sessions remember are void, as if permissions had changed.
    pub(crate) fn outdate(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// These are the users from now on. Called with the catalog's lock held, so that no other comes between.
    pub(crate) fn replace<'a>(&self, users: impl Iterator<Item = &'a User>) {
        let before = self.snapshot.load();
        let account = |user: &User| {
            let known = before.get(&user.name);
            Account {
                user: Arc::new(user.clone()),
                places: known.map(|known| known.places.clone()).unwrap_or_default(),
            }
        };
        let all = users.map(|user| (user.name.clone(), account(user))).collect();
        self.snapshot.store(Arc::new(all));
        self.version.fetch_add(1, Ordering::AcqRel);
    }
}
