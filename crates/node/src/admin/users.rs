//! Users and what they may do.

use super::{Error, user_deleted};
use crate::node::Node;
use std::collections::HashMap;
use std::sync::Arc;
use warren_broker::access::{Permission, TopicPermission, User};
use warren_broker::catalog::Change;
use warren_broker::name::{ExchangeName, UserName, VhostName};

impl Node {
    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<Arc<User>> {
        self.users.find(name)
    }

    /// All users by name.
    pub fn users(&self) -> Vec<Arc<User>> {
        let mut all = self.users.all();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Creates a user, or changes password and tags of one; permissions and limits stay. Whether the user
    /// is new.
    pub fn put_user(&self, mut user: User) -> bool {
        let mut catalog = self.catalog.lock();
        let known = catalog.user(user.name.as_str());
        let is_new = known.is_none();
        if let Some(known) = known {
            user.permissions.clone_from(&known.permissions);
            user.topic_permissions.clone_from(&known.topic_permissions);
            user.limits.clone_from(&known.limits);
        }
        self.put(&mut catalog, Change::UserPut(user));
        is_new
    }

    /// Changes a user: permissions, for the most part. Answers what `change` does.
    ///
    /// # Errors
    /// [`Error::NoUser`].
    pub fn change_user<T>(&self, name: &UserName, change: impl FnOnce(&mut User) -> T) -> Result<T, Error> {
        let mut catalog = self.catalog.lock();
        let known = catalog
            .user(name.as_str())
            .ok_or_else(|| Error::NoUser(name.clone()))?;
        let mut user = known.clone();
        let answer = change(&mut user);
        if user != *known {
            self.put(&mut catalog, Change::UserPut(user));
        }
        Ok(answer)
    }

    /// Deletes a user, and closes the user's connections. Whether there was one.
    pub fn delete_user(&self, name: &UserName) -> bool {
        let mut catalog = self.catalog.lock();
        if catalog.user(name.as_str()).is_none() {
            return false;
        }
        self.put(&mut catalog, Change::UserDeleted(name.clone()));
        drop(catalog);
        self.close_sessions(|session| session.user == *name, &user_deleted(name.as_str()));
        true
    }

    /// Lets a user do this in a virtual host, and nothing else. Whether there was no permission before.
    ///
    /// # Errors
    /// [`Error::NoVhost`], [`Error::NoUser`].
    pub fn put_permission(
        &self,
        name: &UserName,
        vhost: &VhostName,
        permission: Permission,
    ) -> Result<bool, Error> {
        self.change_user_in(name, vhost, |user| {
            user.permissions.insert(vhost.clone(), permission).is_none()
        })
    }

    /// Takes a user's permission in a virtual host away. Whether there was one.
    ///
    /// # Errors
    /// [`Error::NoUser`].
    pub fn delete_permission(&self, name: &UserName, vhost: &VhostName) -> Result<bool, Error> {
        self.change_user(name, |user| user.permissions.remove(vhost).is_some())
    }

    /// Restricts the routing keys that a user may use with an exchange. Whether the user had no such
    /// permission in the virtual host before.
    ///
    /// # Errors
    /// [`Error::NoVhost`], [`Error::NoUser`].
    pub fn put_topic_permission(
        &self,
        name: &UserName,
        vhost: &VhostName,
        exchange: ExchangeName,
        permission: TopicPermission,
    ) -> Result<bool, Error> {
        self.change_user_in(name, vhost, |user| {
            let within = user.topic_permissions.entry(vhost.clone()).or_default();
            let is_first = within.is_empty();
            within.insert(exchange, permission);
            is_first
        })
    }

    /// Takes such restrictions away, of one exchange or of all. Whether there were any in the virtual host.
    ///
    /// # Errors
    /// [`Error::NoUser`].
    pub fn delete_topic_permissions(
        &self,
        name: &UserName,
        vhost: &VhostName,
        exchange: Option<&str>,
    ) -> Result<bool, Error> {
        self.change_user(name, |user| {
            let Some(within) = user.topic_permissions.get_mut(vhost) else {
                return false;
            };
            match exchange {
                Some(exchange) => within.retain(|other, _| other.as_str() != exchange),
                None => *within = HashMap::new(),
            }
            if within.is_empty() {
                user.topic_permissions.remove(vhost);
            }
            true
        })
    }

    fn change_user_in<T>(
        &self,
        name: &UserName,
        vhost: &VhostName,
        change: impl FnOnce(&mut User) -> T,
    ) -> Result<T, Error> {
        let mut catalog = self.catalog.lock();
        if catalog.vhost(vhost.as_str()).is_none() {
            return Err(Error::NoVhost(vhost.clone()));
        }
        let known = catalog.user(name.as_str());
        let mut user = known.ok_or_else(|| Error::NoUser(name.clone()))?.clone();
        let answer = change(&mut user);
        self.put(&mut catalog, Change::UserPut(user));
        Ok(answer)
    }
}
