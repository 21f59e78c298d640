//! Forms of the same thing in definitions files of different releases, read into one.
//!
//! ```text
//!   limits, arguments, metadata   {} | [] | null          empty lists are Erlang's empty property lists
//!   tags                          ["a","b"] | "a,b"       the string is that of 3.8 and before
//!   default_queue_type            "undefined" | null      both for none
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::config::value::{HashingAlgorithm, Word};
use crate::secret::Secret;

/// The bytes of salt at the beginning of a hash.
const SALT_BYTES: usize = 4;

/// A value, or its default for null.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An object, with its default for null and for an empty list.
pub(super) fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(T::default()),
        Value::Array(items) if items.is_empty() => Ok(T::default()),
        value => serde_json::from_value(value).map_err(D::Error::custom),
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "tags are a list of strings, or one string with commas")]
enum Tags {
    List(Vec<String>),
    Commas(String),
}

/// Tags as a list or as a string with commas; none for null.
pub(super) fn optional_tags<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    Ok(Option::<Tags>::deserialize(deserializer)?.map(|tags| match tags {
        Tags::List(tags) => tags,
        Tags::Commas(text) => text
            .split(',')
            .map(str::trim)
            .filter(|tag| !tag.is_empty())
            .map(str::to_owned)
            .collect(),
    }))
}

/// Tags as a list or as a string with commas; no tags for null.
pub(super) fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(optional_tags(deserializer)?.unwrap_or_default())
}

/// The type of a queue; none for null and for `undefined`.
pub(super) fn queue_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    Ok(name.filter(|name| name != "undefined"))
}

/// A salted hash in base64; none for null and for the empty text.
pub(super) fn password_hash<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Secret<Vec<u8>>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    // The text is left out of the messages: a hash is half a password.
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| D::Error::custom("`password_hash` is not base64"))?;
    if bytes.len() <= SALT_BYTES {
        return Err(D::Error::custom(
            "`password_hash` is too short to be a salt and a hash",
        ));
    }
    Ok(Some(Secret::new(bytes)))
}

/// RabbitMQ's name of a hashing algorithm; none for null.
pub(super) fn hashing_algorithm<'de, D>(deserializer: D) -> Result<Option<HashingAlgorithm>, D::Error>
where
    D: Deserializer<'de>,
{
    let Some(name) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let algorithm = HashingAlgorithm::read(&name).ok_or_else(|| {
        let allowed = HashingAlgorithm::list();
        D::Error::custom(format!(
            "`hashing_algorithm` cannot be `{name}`; allowed: {allowed}"
        ))
    })?;
    Ok(Some(algorithm))
}
