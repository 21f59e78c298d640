//! Runtime parameters: what components are told for a virtual host, by component and name.
//!
//! A component is known here by its name and by what its values have to look like. One that nobody obeys yet
//! is kept, so that what RabbitMQ exports comes along. RabbitMQ: parameters.md.

use crate::limits::{self, Limited, Limits};
use crate::value::Value;

/// The component of a virtual host's limits.
pub const VHOST_LIMITS: &str = "vhost-limits";

/// The name of the only parameter that [`VHOST_LIMITS`] has.
pub const LIMITS: &str = "limits";

/// The component under which RabbitMQ lists operators' policies. They are kept as policies.
pub const OPERATOR_POLICY: &str = "operator_policy";

/// Components of RabbitMQ's plugins that are kept and have no effect so far.
pub const IDLE: [&str; 3] = ["federation-upstream", "federation-upstream-set", "shovel"];

/// A parameter of a virtual host.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Whose it is.
    pub component: Box<str>,
    /// Its name, unique in its component and virtual host.
    pub name: Box<str>,
    /// What it says.
    pub value: Value,
}

/// Why something is no parameter. Displays in RabbitMQ's words.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Nobody knows the component.
    #[error("component {0} not found")]
    Component(Box<str>),
    /// A virtual host's limits under another name than theirs.
    #[error("component {VHOST_LIMITS} has one parameter, which is named '{LIMITS}'")]
    Name,
    /// Values of the plugins' components are objects.
    #[error("{0} should be an object, actually was {1}")]
    NoObject(Box<str>, String),
    /// A limit that is none.
    #[error(transparent)]
    Limit(#[from] limits::Fault),
}

impl Parameter {
    /// A parameter that the component takes.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn new(component: &str, name: &str, value: Value) -> Result<Self, Fault> {
        match component {
            VHOST_LIMITS if name != LIMITS => return Err(Fault::Name),
            VHOST_LIMITS => {
                Limits::read(&value, Limited::Vhost)?;
            }
            // An upstream set is a list of upstreams.
            _ if IDLE.contains(&component) => match &value {
                Value::Table(_) | Value::Array(_) => {}
                other => return Err(Fault::NoObject(name.into(), other.term())),
            },
            _ => return Err(Fault::Component(component.into())),
        }
        Ok(Self {
            component: component.into(),
            name: name.into(),
            value,
        })
    }

    /// Whether nobody obeys it yet.
    pub fn is_idle(&self) -> bool {
        IDLE.contains(&&*self.component)
    }

    /// The parameter that holds a virtual host's limits.
    pub fn of_limits(limits: &Limits) -> Self {
        Self {
            component: VHOST_LIMITS.into(),
            name: LIMITS.into(),
            value: Value::Table(limits.to_table()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::value::Table;

    fn refused(component: &str, name: &str, value: Value) -> String {
        Parameter::new(component, name, value).unwrap_err().to_string()
    }

    #[test]
    fn known_components_take_what_is_theirs() {
        let limits: Table = [("max-queues", Value::I64(5))].into_iter().collect();
        let made = Parameter::new(VHOST_LIMITS, LIMITS, Value::Table(limits.clone())).unwrap();
        assert_eq!(made.value, Value::Table(limits));
        assert!(Parameter::new("shovel", "s", Value::Table(Table::new())).is_ok());
        assert!(Parameter::new("federation-upstream-set", "s", Value::Array(Vec::new())).is_ok());
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        assert_eq!(refused("nope", "x", Value::Void), "component nope not found");
        assert_eq!(
            refused(VHOST_LIMITS, LIMITS, Value::I64(5)),
            "limits not a list 5"
        );
        assert!(refused(VHOST_LIMITS, "other", Value::Void).contains("named 'limits'"));
        assert_eq!(
            refused("shovel", "s", Value::I64(5)),
            "s should be an object, actually was 5"
        );
    }
}
