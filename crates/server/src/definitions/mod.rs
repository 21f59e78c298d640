//! Definitions: users, virtual hosts, queues and the like, as RabbitMQ exports them in JSON.
//!
//! ```text
//!   file.json ───────────┐                      users, vhosts, permissions, topic_permissions, parameters,
//!   folder/*.json ───────┴─► Definitions::read ► global_parameters, policies, exchanges, queues, bindings
//!   (in order of names)                         and warnings
//! ```
//!
//! Files of a whole cluster and of one virtual host are read, of RabbitMQ 3.x and 4.x. A file of one virtual
//! host defines that host too, and its objects are put into it. Nothing is applied here, and names, patterns
//! and arguments are not judged: the broker does that, for these as for those of clients. Objects are in the
//! order of the file; they are to be applied in the order of the fields of [`Definitions`].
//! Spec: RabbitMQ: definitions.md.

pub mod arguments;
mod lenient;
pub mod model;
mod unsupported;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use model::Definitions;
use model::{Parameter, Policy};

use crate::config::value::HashingAlgorithm;

/// Top-level keys that are there for the reader or that another place of this module looks at.
const KNOWN_KEYS: [&str; 12] = [
    "rabbit_version",
    "rabbitmq_version",
    "product_name",
    "product_version",
    FORMAT,
    "original_cluster_name",
    VHOST_NAME,
    "explanation",
    "metadata",
    "description",
    "limits",
    "default_queue_type",
];

/// The component of parameters that are policies of operators.
const OPERATOR_POLICY: &str = "operator_policy";

const FORMAT: &str = "rabbitmq_definition_format";
const SINGLE_VHOST: &str = "single_virtual_host";
const VHOST_NAME: &str = "original_vhost_name";

/// Why definitions cannot be read. Every message begins with the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("{}: cannot read definitions: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not JSON.
    #[error("{}: not JSON: {source}", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// Something has the wrong form.
    #[error("{}: {place}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Which part of it: `queues[3] 'orders'`.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

impl Definitions {
    /// What is worth a line in the log: what the reader passed over, and what the broker will.
    pub fn all_warnings(&self) -> Vec<String> {
        let mut all = self.warnings.clone();
        all.extend(unsupported::warnings(self));
        all
    }

    /// Reads a file, or all `*.json` files of a folder in the order of their names, as one.
    ///
    /// # Errors
    /// [`Error`] of the first file that is wrong.
    pub fn read(path: &Path) -> Result<Self, Error> {
        if !path.is_dir() {
            return read_file(path);
        }
        let mut all = Definitions::default();
        let files = json_files(path).map_err(|source| Error::Unreadable {
            path: path.to_path_buf(),
            source,
        })?;
        if files.is_empty() {
            all.warnings
                .push(format!("{}: no *.json file in this folder", path.display()));
        }
        for file in files {
            all.append(read_file(&file)?);
        }
        Ok(all)
    }

    /// Reads the text of a file; the path is for messages only.
    ///
    /// # Errors
    /// [`Error::NotJson`] or [`Error::Invalid`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // RabbitMQ takes an empty file for definitions of nothing.
        if text.trim().is_empty() {
            return Ok(Definitions::default());
        }
        let value: Value = serde_json::from_str(text).map_err(|source| Error::NotJson {
            path: path.to_path_buf(),
            source,
        })?;
        Document::new(path, value)?.definitions()
    }
}

fn read_file(path: &Path) -> Result<Definitions, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Unreadable {
        path: path.to_path_buf(),
        source,
    })?;
    Definitions::parse(path, &text)
}

/// Hidden entries are left out: where a folder is mounted from a Kubernetes volume, they are its machinery.
fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// One file, as parts are taken out of it.
struct Document<'a> {
    path: &'a Path,
    parts: Map<String, Value>,
    /// The virtual host of objects that do not name one.
    vhost: Option<String>,
}

impl<'a> Document<'a> {
    fn new(path: &'a Path, value: Value) -> Result<Self, Error> {
        let Value::Object(parts) = value else {
            let problem = format!("expected an object, found {}", kind(&value));
            return Err(invalid(path, "the file", problem));
        };
        let mut document = Document {
            path,
            parts,
            vhost: None,
        };
        if document.parts.get(FORMAT).and_then(Value::as_str) == Some(SINGLE_VHOST) {
            document.name_vhost()?;
        }
        Ok(document)
    }

    /// In a file of one virtual host the host's own properties are top-level keys.
    fn name_vhost(&mut self) -> Result<(), Error> {
        let Some(Value::String(name)) = self.parts.get(VHOST_NAME) else {
            let problem = format!("the definitions are of one virtual host, but `{VHOST_NAME}` is not given");
            return Err(invalid(self.path, "the file", problem));
        };
        let name = name.clone();
        let mut vhost = Map::new();
        for key in ["metadata", "description", "limits", "default_queue_type"] {
            if let Some(value) = self.parts.get(key) {
                vhost.insert(key.to_owned(), value.clone());
            }
        }
        vhost.insert("name".to_owned(), Value::String(name.clone()));
        self.parts
            .entry("vhosts")
            .or_insert_with(|| Value::Array(vec![Value::Object(vhost)]));
        self.vhost = Some(name);
        Ok(())
    }

    fn definitions(mut self) -> Result<Definitions, Error> {
        let old_algorithm = self.algorithm_of_version();
        let (of_operators, parameters): (Vec<Parameter>, Vec<Parameter>) = self
            .list_in_vhost("parameters")?
            .into_iter()
            .partition(|parameter: &Parameter| parameter.component == OPERATOR_POLICY);
        let operator_policies = of_operators.into_iter().map(|found| self.operator_policy(found));
        let operator_policies = operator_policies.collect::<Result<_, _>>()?;
        let mut definitions = Definitions {
            users: self.list("users")?,
            vhosts: self.list("vhosts")?,
            permissions: self.list_in_vhost("permissions")?,
            topic_permissions: self.list_in_vhost("topic_permissions")?,
            exchanges: self.list_in_vhost("exchanges")?,
            global_parameters: self.list("global_parameters")?,
            policies: self.list_in_vhost("policies")?,
            operator_policies,
            parameters,
            queues: self.list_in_vhost("queues")?,
            bindings: self.list_in_vhost("bindings")?,
            warnings: Vec::new(),
        };
        for user in &mut definitions.users {
            user.hashing_algorithm = user.hashing_algorithm.or(old_algorithm);
        }
        // What was known has been taken out.
        for key in self
            .parts
            .keys()
            .filter(|key| !KNOWN_KEYS.contains(&key.as_str()))
        {
            definitions
                .warnings
                .push(format!("{}: unknown key `{key}` is ignored", self.path.display()));
        }
        Ok(definitions)
    }

    /// A parameter's value has all of a policy but its name and its virtual host.
    fn operator_policy(&self, parameter: Parameter) -> Result<Policy, Error> {
        let Parameter {
            vhost,
            name,
            mut value,
            ..
        } = parameter;
        let place = format!("parameters '{name}'");
        let Some(fields) = value.as_object_mut() else {
            let problem = format!("value: expected an object, found {}", kind(&value));
            return Err(invalid(self.path, &place, problem));
        };
        fields.insert("vhost".to_owned(), Value::String(vhost));
        fields.insert("name".to_owned(), Value::String(name));
        serde_json::from_value(value).map_err(|source| invalid(self.path, &place, source.to_string()))
    }

    /// How passwords are hashed in exports of releases that did not say so.
    fn algorithm_of_version(&self) -> Option<HashingAlgorithm> {
        let version = ["rabbitmq_version", "rabbit_version"]
            .iter()
            .find_map(|key| self.parts.get(*key))?;
        let mut numbers = version
            .as_str()?
            .split('.')
            .map_while(|number| number.parse::<u32>().ok());
        match (numbers.next()?, numbers.next()?) {
            (major, minor) if (major, minor) < (3, 6) => Some(HashingAlgorithm::Md5),
            (3, 6) => Some(HashingAlgorithm::Sha256),
            _ => None,
        }
    }

    fn list_in_vhost<T: DeserializeOwned>(&mut self, key: &str) -> Result<Vec<T>, Error> {
        if let (Some(vhost), Some(Value::Array(items))) = (&self.vhost, self.parts.get_mut(key)) {
            for object in items.iter_mut().filter_map(Value::as_object_mut) {
                object
                    .entry("vhost")
                    .or_insert_with(|| Value::String(vhost.clone()));
            }
        }
        self.list(key)
    }

    fn list<T: DeserializeOwned>(&mut self, key: &str) -> Result<Vec<T>, Error> {
        let items = match self.parts.remove(key) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => {
                return Err(invalid(
                    self.path,
                    key,
                    format!("expected a list, found {}", kind(&other)),
                ));
            }
        };
        let item = |(index, value): (usize, Value)| {
            let name = name_of(&value);
            if !value.is_object() {
                let problem = format!("expected an object, found {}", kind(&value));
                return Err(invalid(self.path, &format!("{key}[{index}]"), problem));
            }
            serde_json::from_value(value)
                .map_err(|source| invalid(self.path, &format!("{key}[{index}]{name}"), source.to_string()))
        };
        items.into_iter().enumerate().map(item).collect()
    }
}

fn invalid(path: &Path, place: &str, problem: String) -> Error {
    Error::Invalid {
        path: path.to_path_buf(),
        place: place.to_owned(),
        problem,
    }
}

/// What an object calls itself, quoted and with a space before it; bindings and permissions by their ends.
fn name_of(value: &Value) -> String {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let pair = |from: &str, to: &str| Some(format!("{}' -> '{}", text(from)?, text(to)?));
    let name = text("name").map(str::to_owned);
    let name = name
        .or_else(|| pair("source", "destination"))
        .or_else(|| pair("user", "vhost"));
    name.map_or_else(String::new, |name| format!(" '{name}'"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
