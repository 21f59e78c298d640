//! Who may do what over HTTP: the one place where that is decided.
//!
//! A user's tags say which kinds of things there are to see and to do, permissions in which virtual hosts.
//!
//! ```text
//!   administrator   everything, in every virtual host
//!   monitoring      to look: at all virtual hosts; otherwise as management
//!   policymaker     policies and parameters in the user's virtual hosts; otherwise as management
//!   management      to look at what concerns the user's virtual hosts
//! ```
//!
//! RabbitMQ: management.md#permissions.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use warren_broker::access::{Access, User};
use warren_broker::name::{UserName, VhostName};
use warren_node::{LoginRefusal, Node};

use crate::answer::Refused;

/// What one method of a path needs of who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing, not even a login.
    Nothing,
    /// To be one of those who may use the API at all.
    Management,
    /// To be an administrator.
    Administrator,
    /// To make policies, and to see the virtual host that the path names, if it names one.
    Policymaker,
    /// To see the virtual host that the path names.
    Vhost,
    /// The same, or to be one of those who look at everything.
    VhostOrMonitoring,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    user: Arc<User>,
}

impl Caller {
    /// Who asks, by the header `Authorization`.
    ///
    /// # Errors
    /// [`Refused::NoLogin`], [`Refused::BadLogin`], [`Refused::WrongLogin`], [`Refused::Forbidden`].
    pub(crate) fn login(node: &Node, header: Option<&[u8]>, peer: IpAddr) -> Result<Self, Refused> {
        let header = header.ok_or(Refused::NoLogin)?;
        let Some(encoded) = strip_scheme(header) else {
            return Err(Refused::WrongLogin);
        };
        let decoded = STANDARD
            .decode(encoded.trim_ascii())
            .map_err(|_| Refused::BadLogin)?;
        let at = decoded
            .iter()
            .position(|byte| *byte == b':')
            .ok_or(Refused::BadLogin)?;
        let (name, password) = decoded.split_at(at);
        let name = std::str::from_utf8(name).map_err(|_| Refused::WrongLogin)?;
        let password = password.strip_prefix(b":").unwrap_or_default();
        let user = node.authenticate(name, password, Some(peer)).map_err(|refusal| {
            tracing::warn!(%peer, %refusal, "HTTP login refused");
            match refusal {
                LoginRefusal::LoopbackOnly(_) => Refused::Forbidden("User can only log in via localhost"),
                _ => Refused::WrongLogin,
            }
        })?;
        Ok(Self { user })
    }

    /// Who needs not say.
    pub(crate) fn nobody() -> Self {
        // The empty name is one.
        let name = UserName::new("").map(User::new);
        Self {
            user: Arc::new(name.unwrap_or_else(|_| unreachable!("an empty name is valid"))),
        }
    }

    /// Whether the caller may do what needs this, with the virtual host that the path names.
    ///
    /// # Errors
    /// [`Refused::Forbidden`] with the first reason.
    pub(crate) fn check(&self, needs: Needs, vhost: Option<&str>) -> Result<(), Refused> {
        if needs == Needs::Nothing {
            return Ok(());
        }
        let sees_it = || vhost.is_none_or(|vhost| self.sees(vhost));
        let (may, reason) = match needs {
            _ if !self.may_use_api() => (false, "Not management user"),
            Needs::Nothing | Needs::Management => (true, ""),
            Needs::Administrator => (self.is_administrator(), "Not administrator user"),
            Needs::Policymaker => (
                self.is_policymaker() && sees_it(),
                "User not authorised to access object",
            ),
            Needs::Vhost => (sees_it(), "User not authorised to access virtual host"),
            Needs::VhostOrMonitoring => (
                self.is_monitoring() || sees_it(),
                "User not authorised to access virtual host",
            ),
        };
        if may {
            return Ok(());
        }
        tracing::warn!(user = %self.user.name, reason, "HTTP request refused");
        Err(Refused::Forbidden(reason))
    }

    /// The user.
    pub(crate) fn user(&self) -> &User {
        &self.user
    }

    /// Whether what is in this virtual host is shown to the caller.
    pub(crate) fn sees(&self, vhost: &str) -> bool {
        let enters = |name: VhostName| {
            let access = Access {
                user: &self.user,
                vhost: &name,
            };
            access.enter().is_ok()
        };
        self.is_administrator() || VhostName::new(vhost).is_ok_and(enters)
    }

    /// The same, for what those who look at everything are shown.
    pub(crate) fn monitors(&self, vhost: &str) -> bool {
        self.is_monitoring() || self.sees(vhost)
    }

    /// Whether the caller is one of those who look at everything.
    pub(crate) fn is_monitoring(&self) -> bool {
        self.is_administrator() || self.user.has_tag("monitoring")
    }

    fn may_use_api(&self) -> bool {
        self.is_monitoring() || self.is_policymaker() || self.user.has_tag("management")
    }

    fn is_administrator(&self) -> bool {
        self.user.has_tag("administrator")
    }

    fn is_policymaker(&self) -> bool {
        self.is_administrator() || self.user.has_tag("policymaker")
    }
}

/// What stands behind `Basic`, in whatever case.
fn strip_scheme(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked(6)?;
    scheme.eq_ignore_ascii_case(b"Basic ").then_some(rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use warren_broker::access::Permission;

    /// A user with one tag who may enter the virtual host `own`.
    fn caller(tag: &str) -> Caller {
        let mut user = User::new(UserName::new("u").unwrap());
        user.tags.push(tag.into());
        let own = VhostName::new("own").unwrap();
        user.permissions.insert(own, Permission::new("", "", "").unwrap());
        Caller { user: Arc::new(user) }
    }

    fn reason(tag: &str, needs: Needs, vhost: Option<&str>) -> &'static str {
        match caller(tag).check(needs, vhost) {
            Ok(()) => "",
            Err(Refused::Forbidden(reason)) => reason,
            Err(other) => unreachable!("{other:?}"),
        }
    }

    /// As RabbitMQ 4.0.5 answered.
    #[test]
    fn each_tag_opens_what_it_opens_in_rabbitmq() {
        let (object, vhost) = (
            "User not authorised to access object",
            "User not authorised to access virtual host",
        );
        let admin = "Not administrator user";
        for (needs, path, management, policymaker, monitoring) in [
            (Needs::Management, None, "", "", ""),
            (Needs::Administrator, None, admin, admin, admin),
            (Needs::Policymaker, None, object, "", object),
            (Needs::Policymaker, Some("own"), object, "", object),
            (Needs::Policymaker, Some("other"), object, object, object),
            (Needs::Vhost, Some("own"), "", "", ""),
            (Needs::Vhost, Some("other"), vhost, vhost, vhost),
            (Needs::VhostOrMonitoring, Some("other"), vhost, vhost, ""),
        ] {
            assert_eq!(
                reason("management", needs, path),
                management,
                "{needs:?} {path:?}"
            );
            assert_eq!(
                reason("policymaker", needs, path),
                policymaker,
                "{needs:?} {path:?}"
            );
            assert_eq!(
                reason("monitoring", needs, path),
                monitoring,
                "{needs:?} {path:?}"
            );
            assert_eq!(reason("administrator", needs, path), "", "{needs:?} {path:?}");
            assert_eq!(
                reason("other", needs, path),
                "Not management user",
                "{needs:?} {path:?}"
            );
        }
        assert_eq!(reason("other", Needs::Nothing, None), "");
    }
}
