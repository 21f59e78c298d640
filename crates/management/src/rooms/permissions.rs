//! What users may do in virtual hosts.

use serde_json::{Map, Value as Json};
use warren_broker::access::{Permission, User, pattern};
use warren_broker::name::{UserName, VhostName};
use warren_node::admin;

use crate::answer::{Answer, Refused, object};
use crate::asked::Asked;

/// `GET /api/permissions`, `GET /api/users/{user}/permissions`, `GET /api/vhosts/{vhost}/permissions`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Refused> {
    Ok(Answer::List(rows(asked, &Meant::of(asked)?)))
}

/// `GET /api/permissions/{vhost}/{user}`.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let (vhost, user) = (asked.existing_vhost()?, asked.node.user(asked.name("user")));
    let user = user.ok_or(Refused::NotFound)?;
    let permission = user.permissions.get(&vhost).ok_or(Refused::NotFound)?;
    Ok(Answer::Object(shown(&user, &vhost, permission)))
}

/// `PUT /api/permissions/{vhost}/{user}`.
pub(super) fn put(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let (vhost, user, fields) = (asked.vhost()?, asked.user()?, asked.object()?);
    fields.require(&["configure", "write", "read"])?;
    let [configure, write, read] = [
        fields.required_text("configure")?,
        fields.required_text("write")?,
        fields.required_text("read")?,
    ];
    let permission = Permission::new(configure, write, read).map_err(invalid_pattern)?;
    let put = asked.node.put_permission(&user, &vhost, permission);
    Ok(Answer::put(put.map_err(|error| nobody_there(&error))?))
}

/// `DELETE /api/permissions/{vhost}/{user}`.
pub(super) fn delete(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let deleted = asked.node.delete_permission(&asked.user()?, &asked.vhost()?);
    Answer::deleted(deleted.unwrap_or(false))
}

/// A pattern that does not compile, in RabbitMQ's form: the word, the pattern, what is wrong.
pub(super) fn invalid_pattern(error: pattern::Error) -> Refused {
    Refused::Bad(Json::from(vec!["invalid_regexp".to_owned(), error.to_string()]))
}

/// As in RabbitMQ, which does not tell which of the two it is.
pub(super) fn nobody_there(_: &admin::Error) -> Refused {
    Refused::bad("vhost_or_user_not_found")
}

/// Whose permissions are meant, and where: everybody's and everywhere, as far as the path names nobody and no
/// virtual host.
#[derive(Debug)]
pub(super) struct Meant {
    user: Option<UserName>,
    vhost: Option<VhostName>,
}

impl Meant {
    /// What the path names, which has to be there.
    pub(super) fn of(asked: &Asked<'_>) -> Result<Self, Refused> {
        let existing = |name| asked.node.user(name).ok_or(Refused::NotFound);
        Ok(Self {
            user: asked
                .named("user")
                .map(existing)
                .transpose()?
                .map(|user| user.name.clone()),
            vhost: asked.named("vhost").map(|_| asked.existing_vhost()).transpose()?,
        })
    }

    pub(super) fn has(&self, user: &User, vhost: &VhostName) -> bool {
        self.user.as_ref().is_none_or(|meant| *meant == user.name)
            && self.vhost.as_ref().is_none_or(|meant| meant == vhost)
    }
}

/// Permissions that are meant, by virtual host and user.
fn rows(asked: &Asked<'_>, meant: &Meant) -> Vec<Map<String, Json>> {
    let users = asked.node.users();
    let all = users.iter().flat_map(|user| {
        let permissions = user.permissions.iter();
        permissions.map(move |(vhost, permission)| (vhost, user, permission))
    });
    let mut found: Vec<_> = all.filter(|(vhost, user, _)| meant.has(user, vhost)).collect();
    found.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    found
        .into_iter()
        .map(|(vhost, user, permission)| shown(user, vhost, permission))
        .collect()
}

fn shown(user: &User, vhost: &VhostName, permission: &Permission) -> Map<String, Json> {
    object! {
        "user": user.name.as_str(),
        "vhost": vhost.as_str(),
        "configure": permission.configure.as_str(),
        "write": permission.write.as_str(),
        "read": permission.read.as_str(),
    }
}
