//! What names of queues stand for, as operators lay it down: aliases, and models after which queues are made.
//!
//! ```text
//!   queue-alias   "orders"   {"queue": "orders.v2"}
//!   queue-model   "replies"  {"pattern": "^reply\\.", "priority": 1, "arguments": {"x-expires": 60000},
//!                             "durable": false, "auto-delete": true}
//! ```
//!
//! Both are parameters of a virtual host. An alias is used like the queue that it names, and is none. A model
//! says what a client that declares a queue of a matching name has left open; of several the one with the
//! highest priority does, and of those the first by name. In the manner of IBM MQ, which calls them so.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::access::{Pattern, pattern};
use crate::catalog::{Queue, QueueDeclaration, QueueType, check_added};
use crate::name::QueueName;
use crate::parameter::Parameter;
use crate::value::{Table, Value};

/// The component of aliases, each of which is named as its parameter is.
pub const QUEUE_ALIAS: &str = "queue-alias";

/// The component of models.
pub const QUEUE_MODEL: &str = "queue-model";

/// Why something is no alias or no model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// An object is wanted.
    #[error("{0} should be an object")]
    NoObject(&'static str),
    /// A name that queues cannot have, or that clients cannot give them.
    #[error("'{0}' is no name that a client can give a queue")]
    Name(Box<str>),
    /// A key that is missing or has a value of the wrong type.
    #[error("'{key}' should be {wanted}")]
    Key {
        /// The key.
        key: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// A key that there is not.
    #[error("there is no key '{0}'")]
    UnknownKey(Box<str>),
    /// No queue can have these arguments.
    #[error("'arguments' are wrong: {0}")]
    Arguments(String),
    /// The pattern is none.
    #[error("'pattern' should be a regular expression but is invalid: {0}")]
    Pattern(#[from] pattern::Error),
    /// An alias of itself, or of another one.
    #[error("'{0}' is an alias itself, and cannot have one")]
    Chain(QueueName),
    /// A queue has the name already.
    #[error("there is a queue '{0}', whose name cannot be an alias")]
    Taken(QueueName),
}

/// The queue that an alias of this name stands for.
///
/// # Errors
/// [`Fault`].
pub fn read_alias(name: &str, value: &Value) -> Result<(QueueName, QueueName), Fault> {
    let alias = queue_name(name)?;
    let fields = fields(QUEUE_ALIAS, value, &["queue"])?;
    let queue = text(fields, "queue", "the name of a queue")?;
    let queue = queue_name(queue)?;
    if alias == queue {
        return Err(Fault::Chain(queue));
    }
    Ok((alias, queue))
}

/// After which queues are made that have a matching name.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pattern: Pattern,
    priority: i64,
    arguments: Table,
    /// That of the queues that it makes, if it says so.
    queue_type: Option<QueueType>,
    durable: Option<bool>,
    auto_delete: Option<bool>,
}

impl Model {
    /// What a parameter says.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn read(value: &Value) -> Result<Self, Fault> {
        let keys = ["pattern", "priority", "arguments", "durable", "auto-delete"];
        let fields = fields(QUEUE_MODEL, value, &keys)?;
        let priority = match fields.get("priority") {
            None => 0,
            Some(value) => value.as_integer().ok_or(Fault::Key {
                key: "priority",
                wanted: "an integer",
            })?,
        };
        let arguments = match fields.get("arguments") {
            None => Table::new(),
            Some(Value::Table(arguments)) => arguments.clone(),
            Some(_) => return Err(Fault::NoObject("arguments")),
        };
        let queue_type = check_added(&arguments).map_err(Fault::Arguments)?;
        let model = Self {
            pattern: Pattern::anywhere(text(fields, "pattern", "a regular expression")?)?,
            priority,
            arguments,
            queue_type,
            durable: truth(fields, "durable")?,
            auto_delete: truth(fields, "auto-delete")?,
        };
        if queue_type == Some(QueueType::Quorum) && !fits_quorum(model.durable, model.auto_delete) {
            let reason = "a quorum queue is durable, and not auto-delete";
            return Err(Fault::Arguments(reason.to_owned()));
        }
        Ok(model)
    }

    /// Whether it makes quorum queues, and this cannot be one: a virtual host's default type is passed over
    /// for such queues, too.
    fn is_too_much_for(&self, asked: &QueueDeclaration) -> bool {
        let durable = self.durable.unwrap_or(asked.durable);
        let auto_delete = self.auto_delete.unwrap_or(asked.auto_delete);
        let fits = !asked.exclusive && fits_quorum(Some(durable), Some(auto_delete));
        let is_named_here = asked.arguments.get("x-queue-type").is_none();
        self.queue_type == Some(QueueType::Quorum) && is_named_here && !fits
    }

    /// What a client asks for, with what the model says of what it leaves open. Of a queue that is there
    /// already a client that leaves something open asks for what it has.
    fn complete(&self, asked: &QueueDeclaration, existing: Option<&Queue>) -> QueueDeclaration {
        let mut asked = asked.clone();
        for (name, value) in self.arguments.iter() {
            if asked.arguments.get(name).is_some() {
                continue;
            }
            let value = match existing {
                None => Some(value),
                Some(queue) => queue.arguments.get(name),
            };
            if let Some(value) = value {
                asked.arguments.insert(name, value.clone());
            }
        }
        if let Some(durable) = self.durable {
            asked.durable = existing.map_or(durable, |queue| queue.durable);
        }
        if let Some(auto_delete) = self.auto_delete {
            asked.auto_delete = existing.map_or(auto_delete, |queue| queue.auto_delete);
        }
        asked
    }
}

/// The aliases and models of a virtual host.
#[derive(Debug, Default)]
pub(crate) struct Namings {
    aliases: BTreeMap<QueueName, QueueName>,
    /// By name.
    models: BTreeMap<Box<str>, Model>,
}

impl Namings {
    /// A parameter is there. Whether that changes an alias.
    pub(crate) fn put(&mut self, parameter: &Parameter) -> bool {
        match &*parameter.component {
            QUEUE_ALIAS => match read_alias(&parameter.name, &parameter.value) {
                Ok((alias, queue)) => self.aliases.insert(alias, queue.clone()) != Some(queue),
                // Nothing else is put there.
                Err(_) => false,
            },
            QUEUE_MODEL => {
                // One that another release took, and that is wrong, says nothing.
                if let Ok(model) = Model::read(&parameter.value) {
                    self.models.insert(parameter.name.clone(), model);
                }
                false
            }
            _ => false,
        }
    }

    /// A parameter is gone. Whether that changes an alias.
    pub(crate) fn remove(&mut self, component: &str, name: &str) -> bool {
        match component {
            QUEUE_ALIAS => self.aliases.remove(name).is_some(),
            QUEUE_MODEL => {
                self.models.remove(name);
                false
            }
            _ => false,
        }
    }

    /// The queue that an alias stands for.
    pub(crate) fn alias(&self, name: &str) -> Option<&QueueName> {
        self.aliases.get(name)
    }

    /// All aliases, and the queues that they stand for.
    pub(crate) fn aliases(&self) -> &BTreeMap<QueueName, QueueName> {
        &self.aliases
    }

    /// Whether an alias can be put beside the others.
    pub(crate) fn check_alias(&self, alias: &QueueName, queue: &QueueName) -> Result<(), Fault> {
        if self.aliases.contains_key(queue) {
            return Err(Fault::Chain(queue.clone()));
        }
        if self.aliases.values().any(|other| other == alias) {
            return Err(Fault::Chain(alias.clone()));
        }
        Ok(())
    }

    /// What a client asks for, completed by the model for its name, if there is one.
    pub(crate) fn complete(
        &self,
        asked: &QueueDeclaration,
        existing: Option<&Queue>,
    ) -> Option<QueueDeclaration> {
        if asked.server_named || self.models.is_empty() {
            return None;
        }
        let name = asked.name.as_str();
        let matching = self.models.values().filter(|model| model.pattern.matches(name));
        let model = matching.min_by_key(|model| Reverse(model.priority))?;
        (!model.is_too_much_for(asked)).then(|| model.complete(asked, existing))
    }
}

fn fits_quorum(durable: Option<bool>, auto_delete: Option<bool>) -> bool {
    durable != Some(false) && auto_delete != Some(true)
}

fn queue_name(name: &str) -> Result<QueueName, Fault> {
    let found = QueueName::new(name).ok();
    let usable = found.filter(|name| !name.is_empty() && !name.is_reserved());
    usable.ok_or_else(|| Fault::Name(name.into()))
}

fn fields<'v>(what: &'static str, value: &'v Value, keys: &[&str]) -> Result<&'v Table, Fault> {
    let Value::Table(fields) = value else {
        return Err(Fault::NoObject(what));
    };
    match fields.iter().find(|(key, _)| !keys.contains(key)) {
        Some((key, _)) => Err(Fault::UnknownKey(key.into())),
        None => Ok(fields),
    }
}

fn text<'v>(fields: &'v Table, key: &'static str, wanted: &'static str) -> Result<&'v str, Fault> {
    let found = fields.get(key).and_then(Value::as_str);
    found.ok_or(Fault::Key { key, wanted })
}

fn truth(fields: &Table, key: &'static str) -> Result<Option<bool>, Fault> {
    match fields.get(key) {
        None => Ok(None),
        Some(Value::Bool(truth)) => Ok(Some(*truth)),
        Some(_) => Err(Fault::Key {
            key,
            wanted: "true or false",
        }),
    }
}

#[cfg(test)]
mod tests;
