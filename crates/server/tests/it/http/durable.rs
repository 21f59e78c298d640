//! What was answered is there after the process was killed.

use super::client::{ask, done};
use crate::program::{Program, setup, start};

/// Everything that the API shows of what lasts.
const PATHS: [&str; 9] = [
    "/api/vhosts",
    "/api/users",
    "/api/permissions",
    "/api/topic-permissions",
    "/api/parameters",
    "/api/global-parameters",
    "/api/vhost-limits",
    "/api/user-limits",
    "/api/policies",
];

fn shown(program: &Program) -> Vec<String> {
    PATHS
        .iter()
        .map(|path| done(program, "GET", path, None, 200).body)
        .collect()
}

fn fill(program: &Program) {
    let everything = r#"{"configure":".*","write":".*","read":".*"}"#;
    for (path, body) in [
        (
            "vhosts/v",
            r#"{"description":"d","tags":"t","default_queue_type":"quorum"}"#,
        ),
        ("vhosts/gone", "{}"),
        ("users/u", r#"{"password":"p","tags":"management"}"#),
        ("users/gone", r#"{"password":"p","tags":""}"#),
        ("permissions/v/u", everything),
        ("permissions/%2F/u", everything),
        (
            "topic-permissions/v/u",
            r#"{"exchange":"amq.topic","write":"^a","read":""}"#,
        ),
        (
            "parameters/shovel/v/s",
            r#"{"value":{"src-uri":["amqp://"],"n":1.5}}"#,
        ),
        ("global-parameters/g", r#"{"value":{"a":[1,null,true]}}"#),
        ("vhost-limits/v/max-queues", r#"{"value":7}"#),
        ("user-limits/u/max-channels", r#"{"value":-1}"#),
        (
            "policies/v/p",
            r#"{"pattern":"^q","definition":{"max-length":5},"priority":3}"#,
        ),
    ] {
        let answer = ask(program, "PUT", &format!("/api/{path}"), Some(body));
        assert!(matches!(answer.status, 201 | 204), "{path}: {answer:?}");
    }
    for path in ["vhosts/gone", "users/gone", "permissions/%2F/u"] {
        done(program, "DELETE", &format!("/api/{path}"), None, 204);
    }
}

#[test]
fn answers_outlive_a_crash() {
    let mut program = start(&[]);
    fill(&program);
    let before = shown(&program);
    program.kill();
    program.start_again(&[]);
    assert_eq!(shown(&program), before);
    // A second time, from the checkpoint that a clean stop writes.
    program.stop();
    program.start_again(&[]);
    assert_eq!(shown(&program), before);
}

#[test]
fn definitions_bring_parameters_and_limits() {
    let text = r#"{
        "users": [{"name": "a", "password": "p", "tags": ["administrator"], "limits": {"max-channels": 3}}],
        "vhosts": [{"name": "/"}, {"name": "v", "limits": {"max-connections": 4}}],
        "parameters": [
            {"component": "vhost-limits", "vhost": "/", "name": "limits", "value": {"max-queues": 5}},
            {"component": "federation-upstream", "vhost": "v", "name": "f", "value": {"uri": "amqp://"}},
            {"component": "unheard-of", "vhost": "v", "name": "x", "value": 1}],
        "global_parameters": [{"name": "internal_cluster_id", "value": "not ours"},
                              {"name": "mqtt_port_to_vhost_mapping", "value": {"1883": "v"}}]}"#;
    let program = setup()
        .file("d.json", text)
        .set("load_definitions=d.json")
        .start();
    let get = |path: &str| {
        let answer = super::client::ask_as(&program, Some("a:p"), "GET", path, None);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    };
    assert_eq!(
        get("/api/user-limits"),
        r#"[{"user":"a","value":{"max-channels":3}}]"#
    );
    assert_eq!(
        get("/api/vhost-limits"),
        r#"[{"vhost":"/","value":{"max-queues":5}},{"vhost":"v","value":{"max-connections":4}}]"#
    );
    assert_eq!(
        get("/api/parameters?columns=component")
            .matches("component")
            .count(),
        3
    );
    assert!(get("/api/parameters/federation-upstream/v/f").contains(r#"{"uri":"amqp://"}"#));
    assert_eq!(
        get("/api/global-parameters?columns=name"),
        r#"[{"name":"mqtt_port_to_vhost_mapping"}]"#
    );
    program.logged(&["WARN", "unheard-of 'x' in vhost 'v'", "passed over"]);
}
