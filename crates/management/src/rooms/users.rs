//! Users, and hashes of passwords.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};
use warren_broker::access::{PasswordHash, User};
use warren_broker::limits::{Limited, Limits};
use warren_broker::name::UserName;
use warren_node::passwords;

use crate::answer::{Answer, Refused, object};
use crate::asked::{Asked, Fields};
use crate::value;

/// `GET /api/users`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let users = asked.node.users();
    Ok(Answer::Pages(
        users.iter().map(|user| shown(asked, user)).collect(),
    ))
}

/// `GET /api/users/without-permissions`.
pub(super) fn without_permissions(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let mut users = asked.node.users();
    users.retain(|user| user.permissions.is_empty());
    Ok(Answer::List(
        users.iter().map(|user| shown(asked, user)).collect(),
    ))
}

/// `GET /api/users/{user}`.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let user = asked.node.user(asked.name("user")).ok_or(Refused::NotFound)?;
    Ok(Answer::Object(shown(asked, &user)))
}

/// `PUT /api/users/{user}`. A user for whom neither a password nor a hash is given has none from now on.
pub(super) fn put(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let (name, fields) = (asked.user()?, asked.object()?);
    let tags = fields
        .tags("tags")?
        .ok_or_else(|| Refused::bad("tags_not_present"))?;
    let limits = fields.get("limits").map(limits).transpose()?;
    let mut user = User::new(name.clone());
    user.password_hash = password_hash(asked, &fields)?;
    user.tags = tags;
    let is_new = asked.node.put_user(user);
    if let Some(limits) = limits {
        asked.node.change_user(&name, |user| user.limits = limits)?;
    }
    Ok(Answer::put(is_new))
}

fn limits(json: &Json) -> Result<Limits, Refused> {
    let value = value::from_json(json).map_err(|number| Refused::bad(format!("{number} is too large")))?;
    Limits::read(&value, Limited::User).map_err(|fault| Refused::bad(fault.to_string()))
}

/// The hash of the body's password, or the hash that it brings.
fn password_hash(asked: &Asked<'_>, fields: &Fields) -> Result<Option<PasswordHash>, Refused> {
    let own = asked.settings.password_hashing;
    let made = match (fields.text("password")?, fields.text("password_hash")?) {
        (Some(_), Some(_)) => return Err(Refused::bad("both_password_and_password_hash_are_provided")),
        (Some(password), None) => passwords::hash(password, own),
        (None, Some("") | None) => return Ok(None),
        (None, Some(hash)) => {
            let algorithm = fields.text("hashing_algorithm")?.unwrap_or(own.name());
            passwords::parse(hash, algorithm)
        }
    };
    match made {
        Ok(hash) => Ok(Some(hash)),
        Err(passwords::Error::NotBase64) => {
            let hash = fields.text("password_hash")?.unwrap_or_default();
            Err(Refused::Bad(Json::from(vec!["not_base64", hash])))
        }
        Err(error) => Err(Refused::bad(error.to_string())),
    }
}

/// `DELETE /api/users/{user}`.
pub(super) fn delete(asked: &Asked<'_>) -> Result<Answer, Refused> {
    Answer::deleted(asked.node.delete_user(&asked.user()?))
}

/// `POST /api/users/bulk-delete`. Those who are not there are passed over.
pub(super) fn delete_many(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let fields = asked.object()?;
    fields.require(&["users"])?;
    let wrong = || Refused::bad("users should be a list of strings");
    let names = fields.get("users").and_then(Json::as_array).ok_or_else(wrong)?;
    let names: Option<Vec<&str>> = names.iter().map(Json::as_str).collect();
    for name in names.ok_or_else(wrong)? {
        if let Ok(name) = UserName::new(name) {
            asked.node.delete_user(&name);
        }
    }
    Ok(Answer::Done)
}

/// `GET /api/auth/hash_password/{password}`.
pub(super) fn hash_password(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let hash = passwords::hash(asked.name("password"), asked.settings.password_hashing);
    let hash = hash.map_err(|error| Refused::bad(error.to_string()))?;
    Ok(Answer::Object(object! { "ok": STANDARD.encode(&hash.salted) }))
}

fn shown(asked: &Asked<'_>, user: &User) -> Map<String, Json> {
    let hash = user.password_hash.as_ref();
    let algorithm = hash.map_or(asked.settings.password_hashing.name(), |hash| &hash.algorithm);
    let tags: Vec<&str> = user.tags.iter().map(|tag| &**tag).collect();
    object! {
        "name": user.name.as_str(),
        "password_hash": hash.map(|hash| STANDARD.encode(&hash.salted)).unwrap_or_default(),
        "hashing_algorithm": algorithm,
        "tags": tags,
        "limits": value::table_to_json(&user.limits.to_table()),
    }
}
