//! Places that connections and channels take, and that limits of virtual hosts and of users are for.
//!
//! ```text
//!   of a virtual host    connections             counted with the virtual host that runs
//!   of a user            connections, channels   counted beside the user, while there is one of the name
//! ```
//!
//! A place is taken by a guard, and given back when that is dropped: in whatever way a connection or a
//! channel ends, it is not counted any more. Counting is exact: a limit lets in as many as it says, however
//! many ask at a time. Connections are let in one at a time, since they need two places or none; a channel
//! needs one, which is taken without a lock. What is taken already stays so when a limit is lowered, and
//! what a limit is, is asked each time: [`Limits::most`].
//!
//! RabbitMQ: vhosts.md#limits, user-limits.md.

#[cfg(doc)]
use warren_broker::limits::Limits;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many places of one kind are taken.
#[derive(Debug, Default)]
pub(crate) struct Places(AtomicU64);

impl Places {
    /// Takes a place, whatever limits there are.
    pub(crate) fn take(self: &Arc<Self>) -> Place {
        self.0.fetch_add(1, Ordering::AcqRel);
        Place(Arc::clone(self))
    }

    /// Takes a place unless `most` are taken already, which is answered then. `None`: there is always one.
    pub(crate) fn take_within(self: &Arc<Self>, most: Option<u64>) -> Result<Place, u64> {
        let most = most.unwrap_or(u64::MAX);
        let add = |taken: u64| (taken < most).then(|| taken + 1);
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, add) {
            Ok(_) => Ok(Place(Arc::clone(self))),
            Err(_) => Err(most),
        }
    }

    /// The limit, if as many places are taken.
    pub(crate) fn limit_reached(&self, most: Option<u64>) -> Option<u64> {
        most.filter(|most| self.0.load(Ordering::Acquire) >= *most)
    }
}

/// A place that is taken, until this is dropped.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The places that one user has.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserPlaces {
    pub(crate) connections: Arc<Places>,
    pub(crate) channels: Arc<Places>,
}

/// What a connection that is open takes, until this is dropped.
#[derive(Debug)]
#[must_use = "the places are given back when this is dropped"]
pub struct ConnectionPlace {
    pub(crate) _of_vhost: Place,
    pub(crate) _of_user: Place,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn places_are_given_back_when_their_guards_go() {
        let places = Arc::new(Places::default());
        let first = places.take_within(Some(2)).unwrap();
        let second = places.take_within(Some(2)).unwrap();
        assert_eq!(places.take_within(Some(2)).unwrap_err(), 2);
        assert_eq!(places.limit_reached(Some(2)), Some(2));
        drop(first);
        assert_eq!(places.limit_reached(Some(2)), None);
        let third = places.take_within(Some(2)).unwrap();
        drop((second, third));
        assert_eq!(places.0.load(Ordering::Acquire), 0);
    }

    #[test]
    fn none_are_there_below_a_limit_of_none_and_any_number_without_one() {
        let places = Arc::new(Places::default());
        assert_eq!(places.take_within(Some(0)).unwrap_err(), 0);
        let taken: Vec<Place> = (0..1000).map(|_| places.take_within(None).unwrap()).collect();
        assert_eq!(places.limit_reached(None), None);
        // A limit that comes later takes nothing away, and lets nobody in until enough have left.
        assert_eq!(places.take_within(Some(1)).unwrap_err(), 1);
        drop(taken);
        drop(places.take_within(Some(1)).unwrap());
    }
}
