//! Limits of virtual hosts and of users.

use serde_json::{Map, Value as Json};
use warren_broker::limits::{Limited, Limits};
use warren_broker::parameter::{LIMITS, VHOST_LIMITS};
use warren_broker::value::Value;
use warren_node::admin;

use super::parameters::read_value;
use crate::answer::{Answer, Refused, object};
use crate::asked::Asked;
use crate::value;

/// `GET /api/vhost-limits`.
pub(super) fn list_of_vhosts(asked: &Asked<'_>) -> Result<Answer, Refused> {
    Ok(Answer::List(rows(asked, |vhost| asked.caller.monitors(vhost))))
}

/// `GET /api/vhost-limits/{vhost}`.
pub(super) fn of_vhost(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let vhost = asked.existing_vhost()?;
    let mut rows = rows(asked, |found| found == vhost.as_str());
    // Of one virtual host RabbitMQ shows what is left, of all of them those that had limits once.
    rows.retain(|row| row.get("value") != Some(&Json::Object(Map::new())));
    Ok(Answer::List(rows))
}

/// Limits of those virtual hosts for which some were ever set.
fn rows(asked: &Asked<'_>, is_meant: impl Fn(&str) -> bool) -> Vec<Map<String, Json>> {
    asked.node.catalog(|catalog| {
        let all = catalog
            .vhosts()
            .filter(|content| is_meant(content.properties.name.as_str()));
        let limited = all.filter(|content| content.parameter(VHOST_LIMITS, LIMITS).is_some());
        let shown = limited.map(|content| {
            object! {
                "vhost": content.properties.name.as_str(),
                "value": value::table_to_json(&content.limits().to_table()),
            }
        });
        shown.collect()
    })
}

/// `PUT /api/vhost-limits/{vhost}/{name}`.
pub(super) fn put_of_vhost(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let vhost = asked.vhost()?;
    if asked.node.vhost(vhost.as_str()).is_none() {
        return Err(Refused::Missing("vhost_not_found"));
    }
    let number = number(asked)?;
    let set = |limits: &mut Limits| limits.set(asked.name("name"), &number, Limited::Vhost);
    asked
        .node
        .change_vhost_limits(&vhost, set)?
        .map_err(Refused::invalid)?;
    Ok(Answer::Done)
}

/// `DELETE /api/vhost-limits/{vhost}/{name}`.
pub(super) fn delete_of_vhost(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let clear = |limits: &mut Limits| {
        limits.clear(asked.name("name"));
        Ok::<(), Refused>(())
    };
    asked.node.change_vhost_limits(&asked.vhost()?, clear)??;
    Ok(Answer::Done)
}

/// `GET /api/user-limits`.
pub(super) fn list_of_users(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let users = asked.node.users();
    let limited = users.iter().filter(|user| !user.limits.is_empty());
    let rows = limited.map(|user| shown(user.name.as_str(), &user.limits));
    Ok(Answer::List(rows.collect()))
}

/// `GET /api/user-limits/{user}`.
pub(super) fn of_user(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let user = asked.node.user(asked.name("user")).ok_or(Refused::NotFound)?;
    let limited = Some(user).filter(|user| !user.limits.is_empty());
    let rows = limited.iter().map(|user| shown(user.name.as_str(), &user.limits));
    Ok(Answer::List(rows.collect()))
}

/// `PUT /api/user-limits/{user}/{name}`.
pub(super) fn put_of_user(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let (user, number) = (asked.user()?, number(asked)?);
    let set = asked.node.change_user(&user, |user| {
        user.limits.set(asked.name("name"), &number, Limited::User)
    });
    match set {
        Ok(set) => set.map_err(|fault| Refused::bad(fault.to_string()))?,
        Err(admin::Error::NoUser(_)) => {
            return Err(Refused::Bad(Json::from(vec!["no_such_user", user.as_str()])));
        }
        Err(other) => return Err(other.into()),
    }
    Ok(Answer::Done)
}

/// `DELETE /api/user-limits/{user}/{name}`.
pub(super) fn delete_of_user(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let user = asked.user()?;
    asked
        .node
        .change_user(&user, |user| user.limits.clear(asked.name("name")))?;
    Ok(Answer::Done)
}

/// The limit in the body.
fn number(asked: &Asked<'_>) -> Result<Value, Refused> {
    let fields = asked.object()?;
    fields.require(&["value"])?;
    read_value(fields.get("value").unwrap_or(&Json::Null))
}

fn shown(user: &str, limits: &Limits) -> Map<String, Json> {
    object! {
        "user": user,
        "value": value::table_to_json(&limits.to_table()),
    }
}
