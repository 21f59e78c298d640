//! Parameters of components in virtual hosts.

use serde_json::{Map, Value as Json};
use warren_broker::catalog::PolicyScope;
use warren_broker::parameter::{OPERATOR_POLICY, Parameter};
use warren_broker::policy::Policy;

use super::policies;
use crate::access::Needs;
use crate::answer::{Answer, Refused, object};
use crate::asked::{Asked, Fields};
use crate::value;

/// The component that RabbitMQ keeps policies in, and that does not take them this way.
const POLICY: &str = "policy";

/// `GET /api/parameters`, and with a component, or one and a virtual host, behind it.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let component = asked.name("component");
    let mut rows = Vec::new();
    asked.each_vhost(|vhost, content| {
        let all = content.parameters();
        let meant = all.filter(|found| component.is_empty() || component == &*found.component);
        rows.extend(meant.map(|parameter| shown(vhost, parameter)));
        if component.is_empty() || component == OPERATOR_POLICY {
            let policies = content.policies(PolicyScope::Operators);
            rows.extend(policies.map(|policy| of_policy(OPERATOR_POLICY, vhost, policy)));
        }
        // Whoever asks for all of them does not see these.
        if component == POLICY {
            let policies = content.policies(PolicyScope::Users);
            rows.extend(policies.map(|policy| of_policy(POLICY, vhost, policy)));
        }
    })?;
    Ok(Answer::List(rows))
}

/// `GET /api/parameters/{component}/{vhost}/{name}`.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let (component, name) = (asked.name("component"), asked.name("name"));
    let vhost = asked.name("vhost");
    let found = asked.node.catalog(|catalog| {
        let content = catalog.vhost(vhost)?;
        let scope = match component {
            OPERATOR_POLICY => Some(PolicyScope::Operators),
            POLICY => Some(PolicyScope::Users),
            _ => None,
        };
        if let Some(scope) = scope {
            return Some(of_policy(component, vhost, content.policy(scope, name)?));
        }
        Some(shown(vhost, content.parameter(component, name)?))
    });
    Ok(Answer::Object(found.ok_or(Refused::NotFound)?))
}

/// `PUT /api/parameters/{component}/{vhost}/{name}`.
pub(super) fn put(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let (component, name) = (asked.name("component"), asked.name("name"));
    let (vhost, fields) = (asked.vhost()?, asked.object()?);
    if asked.node.vhost(vhost.as_str()).is_none() {
        return Err(Refused::Missing("vhost_not_found"));
    }
    fields.require(&["value"])?;
    if component == POLICY {
        return Err(Refused::bad("policies may not be set using this method"));
    }
    if component == OPERATOR_POLICY {
        // Whoever may not in their own room may not here.
        asked.caller.check(Needs::Administrator, None)?;
        return policies::put_of_operators(&Asked {
            body: &policy_body(&fields)?,
            ..*asked
        });
    }
    let value = read_value(fields.get("value").unwrap_or(&Json::Null))?;
    let parameter = Parameter::new(component, name, value).map_err(Refused::invalid)?;
    if parameter.is_idle() {
        tracing::warn!(component, name, vhost = %vhost, "a parameter without effect so far");
    }
    Ok(Answer::put(asked.node.put_parameter(&vhost, parameter)?))
}

/// `DELETE /api/parameters/{component}/{vhost}/{name}`.
pub(super) fn delete(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let (component, name) = (asked.name("component"), asked.name("name"));
    if component == OPERATOR_POLICY {
        asked.caller.check(Needs::Administrator, None)?;
        return policies::delete_of_operators(asked);
    }
    let deleted = asked.node.delete_parameter(&asked.vhost()?, component, name);
    Answer::deleted(deleted.unwrap_or(false))
}

/// A value as the broker keeps it.
pub(super) fn read_value(json: &Json) -> Result<warren_broker::value::Value, Refused> {
    value::from_json(json)
        .map_err(|number| Refused::invalid(format_args!("{number} does not fit into 64 bits with a sign")))
}

/// What a parameter says of an operator policy, as the body that the room for these takes.
fn policy_body(fields: &Fields) -> Result<Vec<u8>, Refused> {
    let value = fields.object("value")?.cloned().unwrap_or_default();
    Ok(Json::Object(value).to_string().into_bytes())
}

/// RabbitMQ shows policies among the parameters, too.
fn of_policy(component: &str, vhost: &str, policy: &Policy) -> Map<String, Json> {
    object! {
        "value": policies::said(policy),
        "vhost": vhost,
        "component": component,
        "name": &*policy.name,
    }
}

fn shown(vhost: &str, parameter: &Parameter) -> Map<String, Json> {
    object! {
        "value": value::to_json(&parameter.value),
        "vhost": vhost,
        "component": &*parameter.component,
        "name": &*parameter.name,
    }
}
