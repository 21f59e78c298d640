//! What definitions hold that this broker does not act on: each kind of it is a line in the log, so that
//! whoever moves here from RabbitMQ sees what did not come along.
//!
//! ```text
//!   definitions: parameters are not supported yet and were passed over: shovel 's' in vhost '/'
//! ```
//!
//! A kind that gets its support loses its line here.

use warren_broker::parameter::{IDLE, VHOST_LIMITS};

use super::model::{Definitions, Parameter, Policy, Vhost};

/// Names that a line shows; the others are counted.
const NAMES_MAX: usize = 8;

/// The lines, one for each kind of thing that is passed over.
pub(super) fn warnings(all: &Definitions) -> Vec<String> {
    let kinds = [
        (
            "keys of policies for federation and sharding",
            names(&all.policies, is_of_plugin, |policy: &Policy| {
                of_vhost(&policy.name, &policy.vhost)
            }),
        ),
        (
            "parameters of components that nobody here has",
            names(&all.parameters, |found| !is_kept(&found.component), parameter),
        ),
        (
            "tracing of vhosts",
            names(&all.vhosts, |vhost| vhost.tracing, name_of_vhost),
        ),
        (
            "protection of vhosts from deletion",
            names(&all.vhosts, |vhost| vhost.protected_from_deletion, name_of_vhost),
        ),
        (
            "default queue types other than classic and quorum",
            names(&all.vhosts, has_other_queue_type, name_of_vhost),
        ),
    ];
    let found = kinds.into_iter().filter(|(_, names)| !names.is_empty());
    found.map(|(kind, names)| line(kind, &names)).collect()
}

fn names<T>(all: &[T], is_meant: impl Fn(&T) -> bool, name: impl Fn(&T) -> String) -> Vec<String> {
    all.iter().filter(|one| is_meant(one)).map(name).collect()
}

fn line(kind: &str, names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_MAX).map(String::as_str).collect();
    let rest = match names.len() - shown.len() {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let shown = shown.join(", ");
    format!("definitions: {kind} are not supported yet and were passed over: {shown}{rest}")
}

fn quoted(name: &str) -> String {
    format!("'{name}'")
}

fn of_vhost(name: &str, vhost: &str) -> String {
    format!("'{name}' in vhost '{vhost}'")
}

/// Whether something of the policy is for a plug-in that there is not. The rest of it holds.
fn is_of_plugin(policy: &Policy) -> bool {
    let mut keys = policy.definition.keys();
    keys.any(|key| key.starts_with("federation-upstream") || key == "shards-per-node")
}

fn parameter(parameter: &Parameter) -> String {
    let Parameter {
        component,
        name,
        vhost,
        ..
    } = parameter;
    format!("{component} {}", of_vhost(name, vhost))
}

fn name_of_vhost(vhost: &Vhost) -> String {
    quoted(&vhost.name)
}

/// Whether the component's parameters are kept, though nobody may obey them yet.
fn is_kept(component: &str) -> bool {
    component == VHOST_LIMITS || IDLE.contains(&component)
}

fn has_other_queue_type(vhost: &Vhost) -> bool {
    let named = vhost.default_queue_type.as_deref();
    named.is_some_and(|name| !matches!(name, "classic" | "quorum"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use super::*;

    fn of(text: &str) -> Vec<String> {
        warnings(&Definitions::parse(Path::new("d.json"), text).unwrap())
    }

    #[test]
    fn what_comes_along_has_no_line() {
        let text = r#"{"users":[{"name":"u","tags":[],"limits":{"max-channels":7}}],
            "vhosts":[{"name":"/","default_queue_type":"quorum","limits":{"max-queues":3}}],
            "parameters":[{"component":"vhost-limits","vhost":"/","name":"limits","value":{}},
                          {"component":"operator_policy","vhost":"/","name":"o",
                           "value":{"pattern":"","definition":{"expires":5}}},
                          {"component":"shovel","vhost":"/","name":"s","value":{}}],
            "global_parameters":[{"name":"cluster_name","value":"x"}],
            "policies":[{"vhost":"/","name":"p","pattern":"","definition":{"max-length":5}}],
            "queues":[{"name":"q","vhost":"/","durable":true}]}"#;
        assert_eq!(of(text), [""; 0]);
    }

    #[test]
    fn every_kind_has_its_line_with_names() {
        let text = r#"{"vhosts":[{"name":"a","tracing":true,
                       "metadata":{"protected_from_deletion":true,"default_queue_type":"stream"}}],
            "parameters":[{"component":"unheard-of","vhost":"a","name":"s","value":{}}],
            "policies":[{"vhost":"a","name":"p","pattern":"",
                         "definition":{"federation-upstream-set":"all"}}]}"#;
        let ends: Vec<String> = of(text)
            .iter()
            .map(|line| {
                line.strip_prefix("definitions: ")
                    .unwrap()
                    .replace(" are not supported yet and were passed over", "")
            })
            .collect();
        let expected = [
            "keys of policies for federation and sharding: 'p' in vhost 'a'",
            "parameters of components that nobody here has: unheard-of 's' in vhost 'a'",
            "tracing of vhosts: 'a'",
            "protection of vhosts from deletion: 'a'",
            "default queue types other than classic and quorum: 'a'",
        ];
        assert_eq!(ends, expected);
    }

    #[test]
    fn a_long_list_is_counted() {
        let one = r#"{"name":"v","tracing":true}"#;
        let text = format!(r#"{{"vhosts":[{}]}}"#, [one; 10].join(","));
        let lines = of(&text);
        assert!(
            lines.first().unwrap().ends_with("'v', 'v' and 2 more"),
            "{lines:?}"
        );
    }
}
