//! Parameters of the whole cluster.

use serde_json::{Map, Value as Json};
use warren_broker::value::Value;

use super::parameters::read_value;
use crate::answer::{Answer, Refused, object};
use crate::asked::Asked;
use crate::value;

/// `GET /api/global-parameters`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let rows = asked.node.catalog(|catalog| {
        let all = catalog.global_parameters();
        all.map(|(name, value)| shown(name, value)).collect()
    });
    Ok(Answer::List(rows))
}

/// `GET /api/global-parameters/{name}`.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let name = asked.name("name");
    let found = asked
        .node
        .catalog(|catalog| Some(shown(name, catalog.global_parameter(name)?)));
    Ok(Answer::Object(found.ok_or(Refused::NotFound)?))
}

/// `PUT /api/global-parameters/{name}`.
pub(super) fn put(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let fields = asked.object()?;
    fields.require(&["value"])?;
    let value = read_value(fields.get("value").unwrap_or(&Json::Null))?;
    Ok(Answer::put(
        asked.node.put_global_parameter(asked.name("name"), value),
    ))
}

/// `DELETE /api/global-parameters/{name}`.
pub(super) fn delete(asked: &Asked<'_>) -> Result<Answer, Refused> {
    Answer::deleted(asked.node.delete_global_parameter(asked.name("name")))
}

fn shown(name: &str, value: &Value) -> Map<String, Json> {
    object! {
        "name": name,
        "value": value::to_json(value),
    }
}
