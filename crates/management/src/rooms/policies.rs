//! Policies of users, and of operators.

use serde_json::{Map, Value as Json};
use warren_broker::catalog::PolicyScope;
use warren_broker::policy::{ApplyTo, Policy};
use warren_broker::value::Value;

use super::parameters::read_value;
use crate::answer::{Answer, Refused, object};
use crate::asked::{Asked, Fields};
use crate::value;

/// `GET /api/policies`, and with a virtual host behind it.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Refused> {
    rows(asked, PolicyScope::Users)
}

/// `GET /api/policies/{vhost}/{name}`.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Refused> {
    one(asked, PolicyScope::Users)
}

/// `PUT /api/policies/{vhost}/{name}`.
pub(super) fn put(asked: &Asked<'_>) -> Result<Answer, Refused> {
    lay_down(asked, PolicyScope::Users)
}

/// `DELETE /api/policies/{vhost}/{name}`.
pub(super) fn delete(asked: &Asked<'_>) -> Result<Answer, Refused> {
    take_back(asked, PolicyScope::Users)
}

/// `GET /api/operator-policies`, and with a virtual host behind it.
pub(super) fn list_of_operators(asked: &Asked<'_>) -> Result<Answer, Refused> {
    rows(asked, PolicyScope::Operators)
}

/// `GET /api/operator-policies/{vhost}/{name}`.
pub(super) fn get_of_operators(asked: &Asked<'_>) -> Result<Answer, Refused> {
    one(asked, PolicyScope::Operators)
}

/// `PUT /api/operator-policies/{vhost}/{name}`.
pub(super) fn put_of_operators(asked: &Asked<'_>) -> Result<Answer, Refused> {
    lay_down(asked, PolicyScope::Operators)
}

/// `DELETE /api/operator-policies/{vhost}/{name}`.
pub(super) fn delete_of_operators(asked: &Asked<'_>) -> Result<Answer, Refused> {
    take_back(asked, PolicyScope::Operators)
}

/// Policies of the virtual host that the path names, or of all that the caller sees.
fn rows(asked: &Asked<'_>, scope: PolicyScope) -> Result<Answer, Refused> {
    let mut rows = Vec::new();
    asked.each_vhost(|vhost, content| {
        rows.extend(content.policies(scope).map(|policy| shown(vhost, policy)));
    })?;
    Ok(Answer::List(rows))
}

fn one(asked: &Asked<'_>, scope: PolicyScope) -> Result<Answer, Refused> {
    let (vhost, name) = (asked.name("vhost"), asked.name("name"));
    let found = asked.node.catalog(|catalog| {
        let policy = catalog.vhost(vhost)?.policy(scope, name)?;
        Some(shown(vhost, policy))
    });
    Ok(Answer::Object(found.ok_or(Refused::NotFound)?))
}

fn lay_down(asked: &Asked<'_>, scope: PolicyScope) -> Result<Answer, Refused> {
    let (vhost, name) = (asked.vhost()?, asked.name("name"));
    if asked.node.vhost(vhost.as_str()).is_none() {
        return Err(Refused::Missing("vhost_not_found"));
    }
    let policy = read(name, &asked.object()?, scope)?;
    let known = asked.node.catalog(|catalog| {
        let content = catalog.vhost(vhost.as_str())?;
        content.policy(scope, name).map(drop)
    });
    asked.node.put_policy(&vhost, scope, policy)?;
    Ok(Answer::put(known.is_none()))
}

fn take_back(asked: &Asked<'_>, scope: PolicyScope) -> Result<Answer, Refused> {
    let taken = asked
        .node
        .delete_policy(&asked.vhost()?, scope, asked.name("name"));
    Answer::deleted(taken.unwrap_or(false))
}

/// A policy, from the fields of a body.
pub(super) fn read(name: &str, fields: &Fields, scope: PolicyScope) -> Result<Policy, Refused> {
    fields.require(&["pattern", "definition"])?;
    let given = |field: &str| fields.get(field).map(read_value).transpose();
    let no_text = |field: &str, value: &Value| {
        Refused::invalid(format_args!(
            "{field} should be a binary but was {}",
            value.term()
        ))
    };
    let pattern = given("pattern")?.unwrap_or(Value::Void);
    let pattern = pattern.as_str().ok_or_else(|| no_text("pattern", &pattern))?;
    let apply_to = match given("apply-to")? {
        None => ApplyTo::default(),
        Some(word) => {
            let word = word.as_str().ok_or_else(|| no_text("apply-to", &word))?;
            ApplyTo::named(word).map_err(Refused::invalid)?
        }
    };
    let priority = match given("priority")? {
        None => 0,
        Some(number) => number.as_integer().ok_or_else(|| {
            let found = number.term();
            Refused::invalid(format_args!("priority should be a number, actually was {found}"))
        })?,
    };
    let definition = fields.object("definition")?.cloned().unwrap_or_default();
    let Value::Table(definition) = read_value(&Json::Object(definition))? else {
        return Err(Refused::invalid("definition should be an object"));
    };
    let is_operators = scope == PolicyScope::Operators;
    Policy::new(name, pattern, apply_to, priority, definition, is_operators).map_err(Refused::invalid)
}

fn shown(vhost: &str, policy: &Policy) -> Map<String, Json> {
    let mut row = object! { "vhost": vhost, "name": &*policy.name };
    row.extend(said(policy));
    row
}

/// What a policy says, without its name and place.
pub(super) fn said(policy: &Policy) -> Map<String, Json> {
    object! {
        "pattern": policy.pattern.as_str(),
        "apply-to": policy.apply_to.name(),
        "definition": value::table_to_json(&policy.definition),
        "priority": policy.priority,
    }
}
