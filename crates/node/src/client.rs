//! A session as the broker knows it: who it is, where it is, what it owns.

use crate::access::Account;
use crate::admin;
use crate::batch::Batch;
use crate::mailbox::{Mailbox, Notice, Touched};
use crate::node::{Node, Session};
use crate::passwords;
use crate::places::{ConnectionPlace, Place, Places};
use crate::vhosts::LiveVhost;
use parking_lot::Mutex;
use std::net::IpAddr;
use std::sync::Arc;
use warren_broker::access::{Access, User, VhostDenied};
use warren_broker::limits::{MAX_CHANNELS, MAX_CONNECTIONS};
use warren_broker::name::{QueueName, UserName, VhostName};

/// Why a login is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefusal {
    /// No such user, no password, or the wrong one.
    #[error("user '{0}': invalid credentials")]
    Credentials(String),
    /// The user may connect from this machine only.
    #[error("user '{0}' can only connect via localhost")]
    LoopbackOnly(String),
    /// No such virtual host.
    #[error("vhost {0} not found")]
    NoVhost(String),
    /// The user has no permission in the virtual host.
    #[error(transparent)]
    VhostDenied(#[from] VhostDenied),
    /// The node has as many connections as it may have.
    #[error("connection refused: node connection limit ({0}) is reached")]
    TooManyConnections(usize),
    /// The virtual host has as many as it may have.
    #[error("access to vhost '{0}' refused for user '{1}': connection limit ({2}) is reached")]
    VhostFull(VhostName, UserName, u64),
    /// The user has as many as the user may have.
    #[error("connection refused for user '{0}': user connection limit ({1}) is reached")]
    UserFull(UserName, u64),
}

/// The user has as many channels as the user may have. RabbitMQ 4.0.5 says so with the name of the node in
/// the place of the user's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("number of channels opened for user '{user}' has reached the maximum allowed user limit of ({most})")]
pub struct TooManyChannels {
    /// Whose.
    pub user: UserName,
    /// The limit.
    pub most: u64,
}

impl Node {
    /// Checks a user's name and password.
    ///
    /// # Errors
    /// [`LoginRefusal::Credentials`], [`LoginRefusal::LoopbackOnly`].
    pub fn authenticate(
        &self,
        name: &str,
        password: &[u8],
        peer: Option<IpAddr>,
    ) -> Result<Arc<User>, LoginRefusal> {
        let refused = || LoginRefusal::Credentials(name.to_owned());
        let user = self.users.find(name).ok_or_else(refused)?;
        let hash = user.password_hash.as_ref().ok_or_else(refused)?;
        if password.is_empty() || !passwords::verify(password, hash) {
            return Err(refused());
        }
        let is_local = peer.is_none_or(|address| address.to_canonical().is_loopback());
        if !is_local && self.config.loopback_users.iter().any(|local| local == name) {
            return Err(LoginRefusal::LoopbackOnly(name.to_owned()));
        }
        Ok(user)
    }

    /// Opens a virtual host for a user. The session is then known to the broker, until
    /// [`Client::leave`].
    ///
    /// # Errors
    /// [`LoginRefusal::NoVhost`], [`LoginRefusal::VhostDenied`],
    /// [`LoginRefusal::TooManyConnections`].
    pub fn enter(
        self: &Arc<Self>,
        user: Arc<User>,
        vhost: &str,
        mailbox: Arc<Mailbox>,
    ) -> Result<Client, LoginRefusal> {
        // What the user may do can have changed since the password was checked. The version is
        // read first: a change in between is then found by the next refresh.
        let access_version = self.users.version();
        let name = user.name.as_str();
        let account = self
            .users
            .account(name)
            .ok_or_else(|| LoginRefusal::Credentials(name.to_owned()))?;
        let (live, place) = self.admit(&account, vhost, &mailbox)?;
        let Account { user, places } = account;
        if let Some(poisoned) = self.failure() {
            // It came after all others were told.
            mailbox.notify(Notice::LogFailed(poisoned.to_string()));
        }
        // Whoever took one of them away meanwhile did not find this session among those to be closed.
        if self.vhost(vhost).is_none_or(|found| !Arc::ptr_eq(&found, &live)) {
            mailbox.notify(Notice::Close(admin::vhost_deleted(vhost)));
        } else if self
            .users
            .account(user.name.as_str())
            .is_none_or(|found| !Arc::ptr_eq(&found.places.channels, &places.channels))
        {
            mailbox.notify(Notice::Close(admin::user_deleted(user.name.as_str())));
        }
        let node = Arc::clone(self);
        Ok(Client {
            node,
            user,
            vhost: live,
            mailbox,
            access_version,
            channels: places.channels,
            place,
            owned: Mutex::default(),
        })
    }

    /// Adds a session, if all that limits how many there may be lets it in; in RabbitMQ's order. Nobody else
    /// is let in meanwhile: whoever is refused takes no place from anybody, not even for a moment.
    fn admit(
        &self,
        account: &Account,
        vhost: &str,
        mailbox: &Arc<Mailbox>,
    ) -> Result<(Arc<LiveVhost>, ConnectionPlace), LoginRefusal> {
        let Account { user, places } = account;
        let live = self.vhost(vhost);
        let of_vhost = self.catalog(|catalog| catalog.vhost(vhost)?.most(MAX_CONNECTIONS));
        let of_user = user.limits.most(MAX_CONNECTIONS);
        self.add_session(|open| {
            let most = self.config.connections_max;
            if let Some(most) = most.filter(|most| open >= *most) {
                return Err(LoginRefusal::TooManyConnections(most));
            }
            let live = live.ok_or_else(|| LoginRefusal::NoVhost(vhost.to_owned()))?;
            let name = || user.name.clone();
            if let Some(most) = live.connections.limit_reached(of_vhost) {
                return Err(LoginRefusal::VhostFull(live.name().clone(), name(), most));
            }
            if let Some(most) = places.connections.limit_reached(of_user) {
                return Err(LoginRefusal::UserFull(name(), most));
            }
            let vhost = live.name();
            Access { user, vhost }.enter()?;
            let session = Session {
                mailbox: Arc::clone(mailbox),
                user: name(),
                vhost: vhost.clone(),
            };
            let place = ConnectionPlace {
                _of_vhost: live.connections.take(),
                _of_user: places.connections.take(),
            };
            Ok((session, (live, place)))
        })
    }
}

/// A session that has logged in and opened a virtual host.
#[derive(Debug)]
pub struct Client {
    pub(crate) node: Arc<Node>,
    pub(crate) user: Arc<User>,
    pub(crate) vhost: Arc<LiveVhost>,
    pub(crate) mailbox: Arc<Mailbox>,
    /// The version of all users' permissions at which `user` was read.
    pub(crate) access_version: u64,
    /// Those of the user.
    channels: Arc<Places>,
    place: ConnectionPlace,
    /// Exclusive queues, which go with the session.
    pub(crate) owned: Mutex<Vec<QueueName>>,
}

impl Client {
    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The user's name.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The virtual host.
    pub fn vhost(&self) -> &Arc<LiveVhost> {
        &self.vhost
    }

    /// The session's mailbox.
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Reads the user again if anybody's permissions changed. Answers the version.
    pub fn refresh(&mut self) -> u64 {
        let version = self.node.users.version();
        if version != self.access_version {
            self.access_version = version;
            if let Some(user) = self.node.users.find(self.user.name.as_str()) {
                self.user = user;
            } else {
                // Whoever is gone may do nothing more.
                self.user = Arc::new(User::new(self.user.name.clone()));
            }
        }
        version
    }

    /// A place for one more channel of the user's, who may have several connections.
    ///
    /// # Errors
    /// [`TooManyChannels`].
    pub fn open_channel(&mut self) -> Result<Place, TooManyChannels> {
        self.refresh();
        let most = self.user.limits.most(MAX_CHANNELS);
        let full = |most| TooManyChannels {
            user: self.user.name.clone(),
            most,
        };
        self.channels.take_within(most).map_err(full)
    }

    /// What the connection takes of those that virtual host and user may have. After the session [left], for
    /// as long as the connection is not closed at both ends.
    ///
    /// [left]: Self::leave
    pub fn into_place(self) -> ConnectionPlace {
        self.place
    }

    pub(crate) fn access(&self) -> Access<'_> {
        Access {
            user: &self.user,
            vhost: self.vhost.name(),
        }
    }

    /// Ends the session's part in the broker: what is gathered in `batch` is done, and its
    /// exclusive queues go. Its consumers are cancelled before, by whoever made them.
    pub fn leave(&self, batch: &mut Batch, touched: &mut Touched) {
        batch.flush(self.node.appended(), touched);
        let owned = std::mem::take(&mut *self.owned.lock());
        for name in owned {
            self.node
                .delete_owned(&self.vhost, &name, self.mailbox.session(), touched);
        }
        self.node.remove_session(self.mailbox.session());
        self.node.spread_alarms();
    }
}
