//! Which routing keys users may use with topic exchanges.

use serde_json::{Map, Value as Json};
use warren_broker::access::{TopicPermission, User};
use warren_broker::name::{ExchangeName, VhostName};

use super::permissions::{invalid_pattern, nobody_there};
use crate::answer::{Answer, Refused, object};
use crate::asked::Asked;

/// `GET /api/topic-permissions`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Refused> {
    Ok(Answer::List(rows(asked, |_, _| true)))
}

/// `GET /api/users/{user}/topic-permissions`.
pub(super) fn of_user(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let user = asked.node.user(asked.name("user")).ok_or(Refused::NotFound)?;
    Ok(Answer::List(rows(asked, |found, _| found.name == user.name)))
}

/// `GET /api/vhosts/{vhost}/topic-permissions`.
pub(super) fn of_vhost(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let vhost = asked.existing_vhost()?;
    Ok(Answer::List(rows(asked, |_, found| *found == vhost)))
}

/// `GET /api/topic-permissions/{vhost}/{user}`, and with an exchange behind it.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let (vhost, user) = (asked.existing_vhost()?, asked.name("user"));
    let mut rows = rows(asked, |found, within| {
        found.name.as_str() == user && *within == vhost
    });
    if let Some(exchange) = exchange(asked) {
        rows.retain(|row| row.get("exchange").and_then(Json::as_str) == Some(exchange));
    }
    if rows.is_empty() {
        return Err(Refused::NotFound);
    }
    Ok(Answer::List(rows))
}

/// `PUT /api/topic-permissions/{vhost}/{user}`.
pub(super) fn put(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let (vhost, user, fields) = (asked.vhost()?, asked.user()?, asked.object()?);
    fields.require(&["exchange", "write", "read"])?;
    let exchange = ExchangeName::new(fields.required_text("exchange")?);
    let exchange = exchange.map_err(|error| Refused::bad(error.to_string()))?;
    let (write, read) = (fields.required_text("write")?, fields.required_text("read")?);
    let permission = TopicPermission::new(write, read, &user, &vhost).map_err(invalid_pattern)?;
    let put = asked
        .node
        .put_topic_permission(&user, &vhost, exchange, permission);
    Ok(Answer::put(put.map_err(|error| nobody_there(&error))?))
}

/// `DELETE /api/topic-permissions/{vhost}/{user}`, and with an exchange behind it.
pub(super) fn delete(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let (vhost, user) = (asked.vhost()?, asked.user()?);
    let deleted = asked
        .node
        .delete_topic_permissions(&user, &vhost, exchange(asked));
    Answer::deleted(deleted.unwrap_or(false))
}

/// The exchange, if the path names one.
fn exchange<'a>(asked: &'a Asked<'_>) -> Option<&'a str> {
    let found = asked.names.iter().find(|(place, _)| place == "exchange");
    found.map(|(_, name)| name.as_str())
}

/// Permissions that are meant, by virtual host, user and exchange.
fn rows(asked: &Asked<'_>, is_meant: impl Fn(&User, &VhostName) -> bool) -> Vec<Map<String, Json>> {
    let users = asked.node.users();
    let mut meant = Vec::new();
    for user in &users {
        for (vhost, topics) in &user.topic_permissions {
            if is_meant(user, vhost) {
                meant.extend(
                    topics
                        .iter()
                        .map(|(exchange, found)| (vhost, user, exchange, found)),
                );
            }
        }
    }
    meant.sort_by(|a, b| (a.0, &a.1.name, a.2).cmp(&(b.0, &b.1.name, b.2)));
    let shown = meant.into_iter().map(|(vhost, user, exchange, permission)| {
        object! {
            "user": user.name.as_str(),
            "vhost": vhost.as_str(),
            "exchange": exchange.as_str(),
            "write": permission.write.as_str(),
            "read": permission.read.as_str(),
        }
    });
    shown.collect()
}
