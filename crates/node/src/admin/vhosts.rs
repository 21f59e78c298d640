//! Virtual hosts that go.

use super::vhost_deleted;
use crate::node::Node;
use warren_broker::catalog::Change;
use warren_broker::name::VhostName;

impl Node {
    /// Deletes a virtual host with all that is in it, and closes the connections to it. Whether it was
    /// there.
    pub fn delete_vhost(&self, name: &VhostName) -> bool {
        let mut catalog = self.catalog.lock();
        if catalog.vhost(name.as_str()).is_none() {
            return false;
        }
        self.put(&mut catalog, Change::VhostDeleted(name.clone()));
        drop(catalog);
        // What its queues held is given back.
        self.spread_alarms();
        self.spread_room();
        self.close_sessions(|session| session.vhost == *name, &vhost_deleted(name.as_str()));
        true
    }
}
