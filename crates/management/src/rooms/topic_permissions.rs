//! Which routing keys users may use with topic exchanges.

use serde_json::{Map, Value as Json};
use warren_broker::access::TopicPermission;
use warren_broker::name::ExchangeName;

use super::permissions::{Meant, invalid_pattern, nobody_there};
use crate::answer::{Answer, Refused, object};
use crate::asked::Asked;

/// `GET /api/topic-permissions`, `GET /api/users/{user}/topic-permissions`,
/// `GET /api/vhosts/{vhost}/topic-permissions`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Refused> {
    Ok(Answer::List(rows(asked, &Meant::of(asked)?)))
}

/// `GET /api/topic-permissions/{vhost}/{user}`, and with an exchange behind it.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let mut rows = rows(asked, &Meant::of(asked)?);
    if let Some(exchange) = asked.named("exchange") {
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
        .delete_topic_permissions(&user, &vhost, asked.named("exchange"));
    Answer::deleted(deleted.unwrap_or(false))
}

/// Permissions that are meant, by virtual host, user and exchange.
fn rows(asked: &Asked<'_>, meant: &Meant) -> Vec<Map<String, Json>> {
    let users = asked.node.users();
    let mut found = Vec::new();
    for user in &users {
        for (vhost, topics) in &user.topic_permissions {
            if meant.has(user, vhost) {
                let topics = topics.iter();
                found.extend(topics.map(|(exchange, permission)| (vhost, user, exchange, permission)));
            }
        }
    }
    found.sort_by(|a, b| (a.0, &a.1.name, a.2).cmp(&(b.0, &b.1.name, b.2)));
    let shown = found.into_iter().map(|(vhost, user, exchange, permission)| {
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
