//! Virtual hosts.

use serde_json::{Map, Value as Json};
use warren_broker::access::Permission;
use warren_broker::catalog::{QueueType, Vhost};

use crate::answer::{Answer, Refused, object};
use crate::asked::Asked;

/// `GET /api/vhosts`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let seen: Vec<Vhost> = asked.node.catalog(|catalog| {
        let all = catalog.vhosts().map(|content| &content.properties);
        let seen = all.filter(|vhost| asked.caller.monitors(vhost.name.as_str()));
        seen.cloned().collect()
    });
    Ok(Answer::Pages(
        seen.iter().map(|vhost| shown(asked, vhost)).collect(),
    ))
}

/// `GET /api/vhosts/{vhost}`.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let vhost = known(asked, asked.name("vhost")).ok_or(Refused::NotFound)?;
    Ok(Answer::Object(shown(asked, &vhost)))
}

/// `PUT /api/vhosts/{vhost}`. Who creates one may do everything in it, as in RabbitMQ.
pub(super) fn put(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let (name, fields) = (asked.vhost()?, asked.object()?);
    if name.is_empty() {
        return Err(Refused::bad("vhost name cannot be blank"));
    }
    let before = known(asked, name.as_str());
    match fields.get("tracing") {
        // Tools that know texts only write them so.
        Some(Json::String(word)) if word == "false" => {}
        Some(Json::String(word)) if word == "true" => return Err(untraced()),
        None | Some(Json::Null | Json::Bool(false)) => {}
        Some(Json::Bool(true)) => return Err(untraced()),
        Some(other) => {
            return Err(Refused::Bad(Json::from(vec![
                Json::from("not_boolean"),
                other.clone(),
            ])));
        }
    }
    let default_queue_type = match fields.text("default_queue_type")? {
        // Unlike the others, it stays as it was.
        None => before.and_then(|vhost| vhost.default_queue_type),
        Some("classic" | "undefined" | "") => Some(QueueType::Classic),
        Some("quorum") => Some(QueueType::Quorum),
        Some(other) => return Err(Refused::bad(format!("Unsupported default queue type: '{other}'"))),
    };
    let vhost = Vhost {
        name: name.clone(),
        description: fields.text("description")?.unwrap_or_default().to_owned(),
        tags: fields.tags("tags")?.unwrap_or_default(),
        default_queue_type,
    };
    let is_new = asked.node.put_vhost(vhost);
    if is_new {
        let everything =
            Permission::new(".*", ".*", ".*").map_err(|error| Refused::bad(error.to_string()))?;
        asked
            .node
            .put_permission(&asked.caller.user().name, &name, everything)?;
    }
    Ok(Answer::put(is_new))
}

fn untraced() -> Refused {
    Refused::bad("tracing is not supported yet")
}

/// `DELETE /api/vhosts/{vhost}`.
pub(super) fn delete(asked: &Asked<'_>) -> Result<Answer, Refused> {
    Answer::deleted(asked.node.delete_vhost(&asked.vhost()?))
}

fn known(asked: &Asked<'_>, name: &str) -> Option<Vhost> {
    asked
        .node
        .catalog(|catalog| Some(catalog.vhost(name)?.properties.clone()))
}

fn shown(asked: &Asked<'_>, vhost: &Vhost) -> Map<String, Json> {
    let tags: Vec<&str> = vhost.tags.iter().map(|tag| &**tag).collect();
    let queue_type = match vhost.default_queue_type {
        Some(QueueType::Quorum) => "quorum",
        Some(QueueType::Classic) | None => "classic",
    };
    let mut state = Map::new();
    state.insert(asked.settings.node.clone(), "running".into());
    object! {
        "name": vhost.name.as_str(),
        "description": vhost.description.as_str(),
        "tags": tags.clone(),
        "default_queue_type": queue_type,
        "metadata": object! {
            "description": vhost.description.as_str(),
            "tags": tags,
            "default_queue_type": queue_type,
        },
        "tracing": false,
        "cluster_state": state,
    }
}
