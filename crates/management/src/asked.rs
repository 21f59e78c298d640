//! What a room is asked: the names in the path, the query, the body, and who asks.

use serde_json::{Map, Value as Json};
use warren_broker::catalog::VhostContent;
use warren_broker::name::{UserName, VhostName};
use warren_node::Node;

use crate::Settings;
use crate::access::Caller;
use crate::answer::Refused;

/// A request that may be carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) node: &'a Node,
    pub(crate) settings: &'a Settings,
    pub(crate) caller: &'a Caller,
    /// Names in the path, decoded.
    pub(crate) names: &'a [(String, String)],
    /// What was sent.
    pub(crate) body: &'a [u8],
}

impl Asked<'_> {
    /// What stands in the path in the place of this name; nothing, where there is no such place.
    pub(crate) fn name(&self, name: &str) -> &str {
        self.named(name).unwrap_or_default()
    }

    /// What stands in the path in the place of this name, if there is such a place.
    pub(crate) fn named(&self, name: &str) -> Option<&str> {
        let found = self.names.iter().find(|(place, _)| place == name);
        found.map(|(_, text)| text.as_str())
    }

    /// The virtual host that the path names, whether or not there is one.
    pub(crate) fn vhost(&self) -> Result<VhostName, Refused> {
        VhostName::new(self.name("vhost")).map_err(|error| Refused::bad(error.to_string()))
    }

    /// The virtual host that the path names.
    pub(crate) fn existing_vhost(&self) -> Result<VhostName, Refused> {
        let vhost = self.vhost()?;
        match self.node.vhost(vhost.as_str()) {
            Some(_) => Ok(vhost),
            None => Err(Refused::NotFound),
        }
    }

    /// Looks at the virtual host that the path names or, where it names none, at all that the caller sees.
    pub(crate) fn each_vhost(&self, mut each: impl FnMut(&str, &VhostContent)) -> Result<(), Refused> {
        let meant = self.name("vhost");
        if !meant.is_empty() {
            self.existing_vhost()?;
        }
        self.node.catalog(|catalog| {
            for content in catalog.vhosts() {
                let name = content.properties.name.as_str();
                if (meant.is_empty() || meant == name) && self.caller.sees(name) {
                    each(name, content);
                }
            }
        });
        Ok(())
    }

    /// The user that the path names, whether or not there is one.
    pub(crate) fn user(&self) -> Result<UserName, Refused> {
        UserName::new(self.name("user")).map_err(|error| Refused::bad(error.to_string()))
    }

    /// The body, which is an object; none is one with nothing in it.
    pub(crate) fn object(&self) -> Result<Fields, Refused> {
        if self.body.is_empty() {
            return Ok(Fields(Map::new()));
        }
        match serde_json::from_slice(self.body) {
            Ok(Json::Object(fields)) => Ok(Fields(fields)),
            Ok(Json::Null) => Ok(Fields(Map::new())),
            Ok(Json::String(_)) => Err(Refused::bad(
                "invalid payload: the request body JSON-decoded to a string. Is the input \
                 doubly-JSON-encoded?",
            )),
            _ => Err(Refused::bad("not_json")),
        }
    }
}

/// The fields of a body.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Json>);

impl Fields {
    /// Whether all these are there.
    ///
    /// # Errors
    /// [`Refused::Bad`] that names those which are not.
    pub(crate) fn require(&self, names: &[&str]) -> Result<(), Refused> {
        let missing = names.iter().filter(|name| !self.0.contains_key(**name));
        let missing: Vec<_> = missing.map(|name| format!("{{key_missing,{name}}}")).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Refused::bad(format!("[{}]", missing.join(","))))
    }

    /// A field, whatever is in it.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// A field that is a text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Refused> {
        self.typed(name, "a string", Json::as_str)
    }

    /// A field that has to be there and is a text.
    pub(crate) fn required_text(&self, name: &str) -> Result<&str, Refused> {
        self.require(&[name])?;
        Ok(self.text(name)?.unwrap_or_default())
    }

    /// A field that is an object.
    pub(crate) fn object(&self, name: &str) -> Result<Option<&Map<String, Json>>, Refused> {
        self.typed(name, "an object", Json::as_object)
    }

    /// A field of tags: a list of texts, or one text with commas between them.
    pub(crate) fn tags(&self, name: &str) -> Result<Option<Vec<Box<str>>>, Refused> {
        let tags = |json: &Json| match json {
            Json::String(text) => {
                let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
                Some(tags.map(Into::into).collect())
            }
            Json::Array(items) => items.iter().map(|tag| tag.as_str().map(Into::into)).collect(),
            _ => None,
        };
        let Some(found) = self.0.get(name) else {
            return Ok(None);
        };
        let tags = tags(found).ok_or_else(|| wrong_type(name, "a list of strings", found))?;
        Ok(Some(tags))
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&'a Json) -> Option<T>,
    ) -> Result<Option<T>, Refused> {
        let Some(found) = self.0.get(name) else {
            return Ok(None);
        };
        let read = read(found).ok_or_else(|| wrong_type(name, wanted, found))?;
        Ok(Some(read))
    }
}

/// A password must not come back in an answer, so values are told by their kind.
fn wrong_type(name: &str, wanted: &str, found: &Json) -> Refused {
    let found = match found {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    };
    Refused::bad(format!("{name} should be {wanted}, actually was {found}"))
}
