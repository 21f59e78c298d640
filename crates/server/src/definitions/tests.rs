//! Definitions of several releases, whole files and folders, and the words of errors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeMap;

use super::model::{DestinationType, User, Vhost};
use super::*;
use crate::secret::Secret;

fn parse(text: &str) -> Result<Definitions, String> {
    Definitions::parse(Path::new("d.json"), text).map_err(|error| error.to_string())
}

fn parsed(text: &str) -> Definitions {
    parse(text).unwrap()
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err()
}

fn user(fields: &str) -> User {
    parsed(&format!(r#"{{"users":[{{"name":"u",{fields}}}]}}"#))
        .users
        .remove(0)
}

fn vhost(fields: &str) -> Vhost {
    parsed(&format!(r#"{{"vhosts":[{{"name":"v",{fields}}}]}}"#))
        .vhosts
        .remove(0)
}

/// What 4.x writes for a cluster, in short.
const CLUSTER: &str = r#"{
  "rabbit_version": "4.0.5", "rabbitmq_version": "4.0.5", "product_name": "RabbitMQ",
  "product_version": "4.0.5",
  "rabbitmq_definition_format": "cluster", "original_cluster_name": "rabbit@a", "explanation": "...",
  "users": [{"name": "guest", "password_hash": "AQIDBAUGBwg=",
             "hashing_algorithm": "rabbit_password_hashing_sha512", "tags": ["administrator"], "limits": {}}],
  "vhosts": [{"name": "/", "description": "Default virtual host", "tags": [], "default_queue_type": "classic",
              "metadata": {"description": "Default virtual host", "tags": []},
              "limits": []}],
  "permissions": [{"user": "guest", "vhost": "/", "configure": ".*", "write": "^w", "read": "^r"}],
  "topic_permissions": [{"user": "guest", "vhost": "/", "exchange": "amq.topic",
                         "write": "^a", "read": "^b"}],
  "parameters": [{"value": {"max-queues": 5}, "vhost": "/", "component": "vhost-limits", "name": "limits"},
                 {"value": {"pattern": "^q", "definition": {"expires": 9}, "priority": 2,
                            "apply-to": "queues"},
                  "vhost": "/", "component": "operator_policy", "name": "o"}],
  "global_parameters": [{"name": "cluster_tags", "value": []}],
  "policies": [{"vhost": "/", "name": "p", "pattern": "^q", "apply-to": "queues",
                "definition": {"max-length": 3}, "priority": 7}],
  "queues": [{"name": "q", "vhost": "/", "durable": true, "auto_delete": false,
              "arguments": {"x-queue-type": "quorum"}, "type": "quorum"}],
  "exchanges": [{"name": "x", "vhost": "/", "type": "topic", "durable": true, "auto_delete": false,
                 "internal": true, "arguments": {}}],
  "bindings": [{"source": "x", "vhost": "/", "destination": "q", "destination_type": "queue",
                "routing_key": "a.*", "arguments": {"n": 1}},
               {"source": "x", "vhost": "/", "destination": "y", "destination_type": "exchange",
                "routing_key": "", "arguments": {}}]
}"#;

#[test]
fn a_file_of_a_cluster_is_read_whole() {
    let all = parsed(CLUSTER);
    assert_eq!(all.warnings, [""; 0]);
    assert_eq!(all.users[0].name, "guest");
    assert_eq!(
        all.users[0].password_hash,
        Some(Secret::new([1, 2, 3, 4, 5, 6, 7, 8]))
    );
    assert_eq!(all.users[0].hashing_algorithm, Some(HashingAlgorithm::Sha512));
    assert_eq!(all.users[0].tags, ["administrator"]);
    assert_eq!(all.vhosts[0].description, "Default virtual host");
    assert_eq!(all.vhosts[0].default_queue_type.as_deref(), Some("classic"));
    assert_eq!(all.permissions[0].write, "^w");
    assert_eq!(all.topic_permissions[0].read, "^b");
    assert_eq!(all.parameters[0].value["max-queues"], 5);
    assert_eq!(all.parameters.len(), 1);
    let limit = &all.operator_policies[0];
    assert_eq!((limit.name.as_str(), limit.vhost.as_str()), ("o", "/"));
    assert_eq!((limit.pattern.as_str(), limit.priority), ("^q", 2));
    assert_eq!(
        (limit.apply_to.as_str(), &limit.definition["expires"]),
        ("queues", &9.into())
    );
    assert_eq!(all.global_parameters[0].name, "cluster_tags");
    assert_eq!(
        (all.policies[0].apply_to.as_str(), all.policies[0].priority),
        ("queues", 7)
    );
    assert_eq!(all.policies[0].definition["max-length"], 3);
    assert_eq!(all.queues[0].kind.as_deref(), Some("quorum"));
    assert!(all.queues[0].durable && !all.queues[0].auto_delete);
    assert!(all.exchanges[0].internal);
    assert_eq!(all.exchanges[0].kind, "topic");
    assert_eq!(all.bindings[0].arguments["n"], 1);
    assert_eq!(all.bindings[0].destination_type, DestinationType::Queue);
    assert_eq!(all.bindings[1].destination_type, DestinationType::Exchange);
}

#[test]
fn a_file_of_one_virtual_host_defines_it_and_puts_its_objects_there() {
    let all = parsed(
        r#"{"rabbitmq_definition_format": "single_virtual_host", "original_vhost_name": "orders",
            "description": "Orders", "metadata": {"tags": ["a"]}, "limits": {"max-queues": 9},
            "queues": [{"name": "q", "durable": true}, {"name": "r", "durable": true, "vhost": "other"}],
            "exchanges": [{"name": "x", "type": "fanout", "durable": true}],
            "policies": [{"name": "p", "pattern": ".*", "definition": []}],
            "parameters": [{"component": "c", "name": "n", "value": 1}],
            "bindings": [{"source": "x", "destination": "q", "destination_type": "queue"}]}"#,
    );
    assert_eq!(all.warnings, [""; 0]);
    assert_eq!(all.vhosts.len(), 1);
    assert_eq!(all.vhosts[0].name, "orders");
    assert_eq!(all.vhosts[0].description, "Orders");
    assert_eq!(all.vhosts[0].tags, ["a"]);
    assert_eq!(all.vhosts[0].limits, BTreeMap::from([("max-queues".into(), 9)]));
    assert_eq!(
        (all.queues[0].vhost.as_str(), all.queues[1].vhost.as_str()),
        ("orders", "other")
    );
    assert_eq!(all.exchanges[0].vhost, "orders");
    assert_eq!(
        (all.policies[0].vhost.as_str(), all.policies[0].apply_to.as_str()),
        ("orders", "all")
    );
    assert_eq!(all.parameters[0].vhost, "orders");
    assert_eq!(
        (
            all.bindings[0].vhost.as_str(),
            all.bindings[0].routing_key.as_str()
        ),
        ("orders", "")
    );
}

#[test]
fn a_virtual_host_without_a_name_is_an_error() {
    assert_eq!(
        refused(r#"{"rabbitmq_definition_format": "single_virtual_host", "queues": []}"#),
        "d.json: the file: the definitions are of one virtual host, but `original_vhost_name` is not given"
    );
    assert_eq!(
        refused(r#"{"queues": [{"name": "q", "durable": true}]}"#),
        "d.json: queues[0] 'q': missing field `vhost`"
    );
}

#[test]
fn tags_are_a_list_or_a_string_with_commas() {
    assert_eq!(
        user(r#""tags": "administrator, management,""#).tags,
        ["administrator", "management"]
    );
    assert_eq!(user(r#""tags": ["a", "b"]"#).tags, ["a", "b"]);
    for none in [
        r#""tags": """#,
        r#""tags": []"#,
        r#""tags": null"#,
        r#""other": 1"#,
    ] {
        assert_eq!(user(none).tags, [""; 0], "{none}");
    }
    assert_eq!(
        refused(r#"{"users": [{"name": "u", "tags": 7}]}"#),
        "d.json: users[0] 'u': tags are a list of strings, or one string with commas"
    );
}

#[test]
fn limits_and_arguments_may_be_empty_lists() {
    assert!(user(r#""limits": []"#).limits.is_empty());
    assert_eq!(
        user(r#""limits": {"max-channels": -1}"#).limits["max-channels"],
        -1
    );
    assert!(refused(r#"{"users": [{"name": "u", "limits": [1]}]}"#).starts_with("d.json: users[0] 'u': "));
    let queue = |arguments: &str| {
        let text = format!(r#"{{"queues": [{{"name": "q", "vhost": "/", "durable": true{arguments}}}]}}"#);
        parsed(&text).queues.remove(0).arguments
    };
    for empty in [
        "",
        r#", "arguments": []"#,
        r#", "arguments": {}"#,
        r#", "arguments": null"#,
    ] {
        assert!(queue(empty).is_empty(), "{empty}");
    }
}

#[test]
fn properties_of_virtual_hosts_are_their_own_or_in_the_metadata() {
    let of_3_10 = vhost(r#""limits": [], "metadata": {"description": "d", "tags": ["t"]}"#);
    assert_eq!(
        (of_3_10.description.as_str(), of_3_10.tags.as_slice()),
        ("d", &["t".to_owned()][..])
    );
    let protected = vhost(r#""metadata": {"protected_from_deletion": true, "default_queue_type": "stream"}"#);
    assert!(protected.protected_from_deletion);
    assert_eq!(protected.default_queue_type.as_deref(), Some("stream"));
    let both = vhost(r#""description": "own", "metadata": {"description": "d"}, "tracing": true"#);
    assert_eq!(both.description, "own");
    assert!(both.tracing);
    let none = vhost(r#""default_queue_type": "undefined", "metadata": [], "tracing": null"#);
    assert_eq!(none.default_queue_type, None);
    assert!(!none.tracing && !none.protected_from_deletion);
}

#[test]
fn passwords_are_hashes_or_themselves_or_none() {
    assert_eq!(user(r#""password_hash": """#).password_hash, None);
    assert_eq!(user(r#""password_hash": null"#).password_hash, None);
    let plain = user(r#""password": "carrot""#);
    assert_eq!(plain.password.as_ref().unwrap().reveal(), "carrot");
    assert!(!format!("{plain:?}").contains("carrot"));
    for (fields, problem) in [
        (r#""password_hash": "?""#, "`password_hash` is not base64"),
        (
            r#""password_hash": "AQIDBA==""#,
            "`password_hash` is too short to be a salt and a hash",
        ),
        (
            r#""hashing_algorithm": "sha1""#,
            "`hashing_algorithm` cannot be `sha1`; allowed: rabbit_password_hashing_sha256, \
             rabbit_password_hashing_sha512, rabbit_password_hashing_md5",
        ),
    ] {
        let error = refused(&format!(r#"{{"users": [{{"name": "u", {fields}}}]}}"#));
        assert_eq!(error, format!("d.json: users[0] 'u': {problem}"));
    }
}

#[test]
fn files_of_old_releases_imply_the_algorithm() {
    let algorithm = |version: &str, fields: &str| {
        let text = format!(r#"{{"rabbit_version": "{version}", "users": [{{"name": "u"{fields}}}]}}"#);
        parsed(&text).users[0].hashing_algorithm
    };
    assert_eq!(algorithm("3.5.7", ""), Some(HashingAlgorithm::Md5));
    assert_eq!(algorithm("2.8.1", ""), Some(HashingAlgorithm::Md5));
    assert_eq!(algorithm("3.6.0", ""), Some(HashingAlgorithm::Sha256));
    assert_eq!(algorithm("3.10.8", ""), None);
    assert_eq!(algorithm("4.0.5", ""), None);
    assert_eq!(algorithm("unknown", ""), None);
    let said = r#", "hashing_algorithm": "rabbit_password_hashing_sha512""#;
    assert_eq!(algorithm("3.5.7", said), Some(HashingAlgorithm::Sha512));
}

#[test]
fn errors_say_which_object_and_what_is_wrong() {
    for (text, error) in [
        ("[]", "the file: expected an object, found a list"),
        (r#"{"queues": {}}"#, "queues: expected a list, found an object"),
        (
            r#"{"queues": ["q"]}"#,
            "queues[0]: expected an object, found a string",
        ),
        (
            r#"{"vhosts": [{"name": "a"}, {}]}"#,
            "vhosts[1]: missing field `name`",
        ),
        (
            r#"{"bindings": [{"source": "x", "vhost": "/", "destination": "q", "destination_type": "t"}]}"#,
            "bindings[0] 'x' -> 'q': unknown variant `t`, expected `queue` or `exchange`",
        ),
        (
            r#"{"permissions": [{"user": "u", "vhost": "/", "configure": "", "write": ""}]}"#,
            "permissions[0] 'u' -> '/': missing field `read`",
        ),
        (
            r#"{"exchanges": [{"name": "x", "vhost": "/", "type": "topic", "durable": "yes"}]}"#,
            "exchanges[0] 'x': invalid type: string \"yes\", expected a boolean",
        ),
    ] {
        assert_eq!(refused(text), format!("d.json: {error}"));
    }
    assert!(refused("{\n \"users\": [,]}").starts_with("d.json: not JSON: expected value at line 2 column"));
    assert!(refused("{} {}").starts_with("d.json: not JSON: trailing characters"));
}

#[test]
fn unknown_keys_of_the_file_are_warned_of_and_those_of_objects_passed_over() {
    let all = parsed(r#"{"users": null, "shovels": [], "vhosts": [{"name": "v", "cluster_state": {}}]}"#);
    assert_eq!(all.warnings, ["d.json: unknown key `shovels` is ignored"]);
    assert_eq!(all.vhosts.len(), 1);
}

#[test]
fn an_empty_file_defines_nothing() {
    for text in ["", " \n", "{}", "\u{feff}{}"] {
        assert_eq!(parsed(text), Definitions::default(), "{text:?}");
    }
}

#[test]
fn a_folder_is_read_in_the_order_of_names() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("20.json", r#"{"vhosts": [{"name": "second"}], "odd": 1}"#);
    write(
        "10.json",
        r#"{"vhosts": [{"name": "first"}], "users": [{"name": "u"}]}"#,
    );
    write("30.json.bak", "not read");
    write(".hidden.json", "not read");
    fs::create_dir(dir.path().join("folder.json")).unwrap();
    let all = Definitions::read(dir.path()).unwrap();
    let names: Vec<&str> = all.vhosts.iter().map(|vhost| vhost.name.as_str()).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(all.users.len(), 1);
    assert_eq!(all.warnings.len(), 1);
    assert!(
        all.warnings[0].ends_with("20.json: unknown key `odd` is ignored"),
        "{:?}",
        all.warnings
    );
    write("15.json", "[]");
    let error = Definitions::read(dir.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("15.json: the file: expected an object, found a list"),
        "{error}"
    );
}

#[test]
fn a_folder_without_definitions_is_warned_of_and_a_missing_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let all = Definitions::read(dir.path()).unwrap();
    assert!(all.warnings[0].ends_with("no *.json file in this folder"));
    let error = Definitions::read(&dir.path().join("none.json"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("none.json: cannot read definitions: "), "{error}");
}

#[test]
fn an_operator_policy_that_is_none_is_an_error() {
    for (value, problem) in [
        ("5", "value: expected an object, found a number"),
        (r#"{"definition": {}}"#, "missing field `pattern`"),
    ] {
        let text = format!(
            r#"{{"parameters": [{{"component": "operator_policy", "vhost": "/", "name": "o",
                 "value": {value}}}]}}"#
        );
        let error = Definitions::parse(Path::new("d.json"), &text)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("d.json: parameters 'o': "), "{error}");
        assert!(error.contains(problem), "{error}");
    }
}
