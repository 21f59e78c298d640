//! Definitions that are loaded at the start and again on SIGHUP.

use std::fs;

use warren_protocol::amqp091::method::{basic, queue};
use warren_testkit::peer::{Login, Peer};

use crate::program::{Program, Setup, setup, start, wait_for};

/// As 4.x exports a cluster. The hashes are of `test12` (from RabbitMQ's documentation) and `five-twelve`.
const OF_4: &str = r#"{
  "rabbit_version": "4.0.5", "rabbitmq_version": "4.0.5", "product_name": "RabbitMQ",
  "product_version": "4.0.5",
  "rabbitmq_definition_format": "cluster", "original_cluster_name": "rabbit@a", "explanation": "...",
  "users": [
    {"name": "alice", "password_hash": "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
     "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ["administrator"], "limits": {}},
    {"name": "bob",
     "password_hash":
"kI3GCkD5mnJchryIhAEBPKF6jH1lSpbgaOn75GRfHCTYQAPLleN3ocEfdW87qeZqywGl0sEwEmofjZ9NEPXGo3y3sgk=",
     "hashing_algorithm": "rabbit_password_hashing_sha512", "tags": [], "limits": {"max-connections": 5}},
    {"name": "nobody", "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256",
     "tags": [], "limits": {}}
  ],
  "vhosts": [
    {"name": "/", "description": "Default virtual host", "tags": [], "default_queue_type": "classic",
     "metadata": {"description": "Default virtual host", "tags": []}, "limits": []},
    {"name": "shop", "description": "", "tags": [], "metadata": {"description": "", "tags": []}, "limits": []}
  ],
  "permissions": [
    {"user": "alice", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
    {"user": "alice", "vhost": "shop", "configure": ".*", "write": ".*", "read": ".*"},
    {"user": "bob", "vhost": "shop", "configure": "^bob-", "write": "^(bob-|events$)", "read": "^bob-"}
  ],
  "topic_permissions": [
    {"user": "bob", "vhost": "shop", "exchange": "events", "write": "^order\\.", "read": ".*"}
  ],
  "parameters": [
    {"component": "operator_policy", "vhost": "shop", "name": "caps",
     "value": {"pattern": ".*", "apply-to": "queues", "priority": 0, "definition": {"max-length": 1000}}},
    {"component": "shovel", "vhost": "shop", "name": "to-old", "value": {"src-uri": "amqp://"}}
  ],
  "global_parameters": [{"name": "internal_cluster_id", "value": "rabbitmq-cluster-id-x"}],
  "policies": [
    {"vhost": "shop", "name": "ttl", "pattern": "^q", "apply-to": "queues",
     "definition": {"message-ttl": 1000}, "priority": 7},
    {"vhost": "shop", "name": "rest", "pattern": "^events$", "apply-to": "exchanges",
     "definition": {"alternate-exchange": "all"}, "priority": 1}
  ],
  "queues": [
    {"name": "orders", "vhost": "shop", "durable": true, "auto_delete": false,
     "arguments": {"x-queue-type": "classic"}, "type": "classic"},
    {"name": "safe", "vhost": "shop", "durable": true, "auto_delete": false,
     "arguments": {"x-queue-type": "quorum"}, "type": "quorum"}
  ],
  "exchanges": [
    {"name": "events", "vhost": "shop", "type": "topic", "durable": true, "auto_delete": false,
     "internal": false, "arguments": {}},
    {"name": "all", "vhost": "shop", "type": "fanout", "durable": true, "auto_delete": false,
     "internal": false, "arguments": {}}
  ],
  "bindings": [
    {"source": "events", "vhost": "shop", "destination": "all", "destination_type": "exchange",
     "routing_key": "order.#", "arguments": {}},
    {"source": "all", "vhost": "shop", "destination": "orders", "destination_type": "queue",
     "routing_key": "", "arguments": {}}
  ]
}"#;

/// As 3.5 exported: no word of hashing, which was MD5, and tags with commas. The password is `old-one`.
const OF_3_5: &str = r#"{
  "rabbit_version": "3.5.7",
  "users": [{"name": "carol", "password_hash": "kI3GCmCyzB6aLfX1nXM+HBMr3/4=",
             "tags": "management,policymaker"}],
  "vhosts": [{"name": "old"}],
  "permissions": [{"user": "carol", "vhost": "old", "configure": ".*", "write": ".*", "read": ".*"}],
  "parameters": [],
  "policies": [{"vhost": "old", "name": "ha", "pattern": "", "definition": {"ha-mode": "all"},
                "priority": 0}],
  "queues": [{"name": "q", "vhost": "old", "durable": true, "auto_delete": false, "arguments": {}}],
  "exchanges": [{"name": "x", "vhost": "old", "type": "headers", "durable": true, "auto_delete": false,
                 "internal": false, "arguments": {}}],
  "bindings": [{"source": "x", "vhost": "old", "destination": "q", "destination_type": "queue",
                "routing_key": "", "arguments": {"x-match": "any", "colour": "red"}}],
  "plugins": []
}"#;

const ALICE: Login<'_> = Login {
    user: "alice",
    password: "test12",
    vhost: "shop",
    heartbeat_s: 0,
};
const BOB: Login<'_> = Login {
    user: "bob",
    password: "five-twelve",
    ..ALICE
};
const CAROL: Login<'_> = Login {
    user: "carol",
    password: "old-one",
    vhost: "old",
    ..ALICE
};

fn with(name: &str, text: &str) -> Setup {
    setup().file(name, text).set(&format!("load_definitions={name}"))
}

fn open(program: &Program, login: &Login<'_>) -> Peer {
    Peer::open(program.address(), login).unwrap()
}

/// Changes the file and has it loaded for the second time.
fn load_again(program: &Program, text: &str) {
    fs::write(program.path("d.json"), text).unwrap();
    program.signal("HUP");
    wait_for("the second load", || {
        (program.stderr().matches("definitions loaded").count() == 2).then_some(())
    });
}

/// The body of a message that has to be there.
fn get(peer: &mut Peer, queue: &str) -> Vec<u8> {
    let get = basic::Get {
        queue,
        no_ack: true,
        ..basic::Get::default()
    };
    let heard = peer.call(1, get, "basic.get-ok").unwrap();
    peer.content_of(&heard).unwrap().body
}

#[test]
fn of_4_users_log_in_and_messages_take_the_routes() {
    let program = with("d.json", OF_4).start();
    let mut alice = open(&program, &ALICE);
    alice.confirm().unwrap();
    alice.publish(1, "events", "order.new", b"one").unwrap();
    alice.expect("basic.ack").unwrap();
    assert_eq!(get(&mut alice, "orders"), b"one");
    assert_eq!(alice.ready("safe").unwrap(), 0);
    open(&program, &BOB).close().unwrap();
    // Nobody knows a password for a user without a hash.
    for password in ["", "nobody"] {
        let nobody = Login {
            user: "nobody",
            password,
            ..ALICE
        };
        assert!(program.refuses(&nobody).starts_with("403 ACCESS_REFUSED"));
    }
    let wrong = Login {
        password: "test13",
        ..ALICE
    };
    assert!(program.refuses(&wrong).starts_with("403 ACCESS_REFUSED"));
}

#[test]
fn of_4_permissions_hold() {
    let program = with("d.json", OF_4).start();
    let refused = program.refuses(&Login { vhost: "/", ..BOB });
    let expected = "530 NOT_ALLOWED - access to vhost '/' refused for user 'bob'";
    assert!(refused.starts_with(expected), "{refused}");
    let mut bob = open(&program, &BOB);
    bob.declare("bob-1").unwrap();
    let refused = bob.declare("other").unwrap_err().to_string();
    let expected =
        "403 ACCESS_REFUSED - configure access to queue 'other' in vhost 'shop' refused for user 'bob'";
    assert!(refused.starts_with(expected), "{refused}");
    let mut bob = open(&program, &BOB);
    bob.confirm().unwrap();
    bob.publish(1, "events", "order.new", b"allowed").unwrap();
    bob.expect("basic.ack").unwrap();
    bob.publish(1, "events", "invoice.new", b"not").unwrap();
    let refused = bob.expect("basic.ack").unwrap_err().to_string();
    let expected = "403 ACCESS_REFUSED - write access to topic 'invoice.new' in exchange 'events'";
    assert!(refused.starts_with(expected), "{refused}");
}

#[test]
fn what_is_not_supported_yet_is_named() {
    let program = with("d.json", OF_4).start();
    program.logged(&[
        "WARN",
        "a parameter without effect so far",
        "shovel",
        "to-old",
        "vhost=shop",
    ]);
    program.logged(&["INFO", "definitions loaded", "users=3", "policies=3", "queues=2"]);
    let log = program.stderr();
    assert!(!log.contains("internal_cluster_id"), "{log}");
}

#[test]
fn of_4_policies_are_in_force() {
    let program = with("d.json", OF_4).start();
    let mut alice = open(&program, &ALICE);
    alice.confirm().unwrap();
    alice
        .publish(1, "events", "invoice.new", b"by the alternate")
        .unwrap();
    alice.expect("basic.ack").unwrap();
    assert_eq!(alice.ready("orders").unwrap(), 1);
}

#[test]
fn a_policy_that_is_none_is_refused_by_its_name() {
    let of = |policies: &str| format!(r#"{{"vhosts": [{{"name": "/"}}], {policies}}}"#);
    let one = r#""policies": [{"vhost": "/", "name": "p", "pattern": "", "definition": {"colour": "red"}}]"#;
    let expected =
        "policy 'p' in vhost '/': [{<<\"colour\">>,<<\"red\">>}] are not recognised policy settings";
    with("d.json", &of(one)).fail().says(65, &[expected]);
    let one = r#""parameters": [{"component": "operator_policy", "vhost": "/", "name": "o",
                   "value": {"pattern": "", "definition": {"dead-letter-exchange": "x"}}}]"#;
    let expected = "operator policy 'o' in vhost '/': ";
    with("d.json", &of(one)).fail().says(65, &[expected]);
}

#[test]
fn of_3_5_hashes_tags_and_bindings() {
    let program = with("d.json", OF_3_5).start();
    let mut carol = open(&program, &CAROL);
    carol.confirm().unwrap();
    carol.publish(1, "x", "", b"no headers, no route").unwrap();
    carol.expect("basic.ack").unwrap();
    assert_eq!(carol.ready("q").unwrap(), 0);
    program.logged(&["WARN", "unknown key `plugins` is ignored"]);
}

#[test]
fn definitions_with_users_leave_out_the_default_ones() {
    let program = with("d.json", OF_4).start();
    let refused = program.refuses(&Login::default());
    assert!(refused.starts_with("403 ACCESS_REFUSED"), "{refused}");
    let unset = Login {
        user: "guest",
        ..ALICE
    };
    assert!(program.refuses(&unset).starts_with("403 ACCESS_REFUSED"));
    // Whereas a broker with nothing has them.
    start(&[]).peer().close().unwrap();
}

#[test]
fn a_folder_of_files_is_loaded_in_order() {
    let setup = setup();
    fs::create_dir(setup.path("parts")).unwrap();
    let program = setup
        .file(
            "parts/2.json",
            r#"{"permissions": [{"user": "dan", "vhost": "v", "configure": ".*", "write": ".*",
                                  "read": ".*"}], "queues": [{"name": "q", "vhost": "v", "durable": true}]}"#,
        )
        .file(
            "parts/1.json",
            r#"{"users": [{"name": "dan", "password": "plain", "tags": []}],
                                  "vhosts": [{"name": "v"}]}"#,
        )
        .file("parts/notes.txt", "not for the broker")
        .set("load_definitions=parts")
        .start();
    let dan = Login {
        user: "dan",
        password: "plain",
        vhost: "v",
        ..ALICE
    };
    assert_eq!(open(&program, &dan).ready("q").unwrap(), 0);
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_nothing_starts() {
    with("d.json", "{")
        .fail()
        .says(65, &["d.json: not JSON", "line 1"]);
    setup()
        .set("load_definitions=none.json")
        .fail()
        .says(65, &["none.json: cannot read definitions"]);
    with("d.json", r#"{"queues": [{"name": "q", "vhost": "/"}]}"#)
        .fail()
        .says(65, &["d.json: queues[0] 'q'", "durable"]);
    with(
        "d.json",
        r#"{"users": [{"name": "u"}], "queues": [{"name": "q", "vhost": "v", "durable": true}]}"#,
    )
    .fail()
    .says(65, &["queue 'q' in vhost 'v'", "no vhost 'v'"]);
    let permission = r#"{"users": [{"name": "u"}],
        "permissions": [{"user": "u", "vhost": "v", "configure": "", "write": "", "read": ""}]}"#;
    with("d.json", permission)
        .fail()
        .says(65, &["permission of user 'u' in vhost 'v'", "no vhost 'v'"]);
}

#[test]
fn sighup_loads_again_and_keeps_what_runs() {
    let program = with("d.json", OF_4).start();
    let mut alice = open(&program, &ALICE);
    alice.confirm().unwrap();
    alice.publish(1, "events", "order.new", b"kept").unwrap();
    alice.expect("basic.ack").unwrap();
    let more = OF_4.replace(r#""name": "safe""#, r#""name": "new""#);
    let more = more.replace(r#""name": "bob","#, r#""name": "bob", "password": "changed","#);
    load_again(&program, &more);
    assert_eq!(alice.ready("new").unwrap(), 0);
    assert_eq!(alice.ready("safe").unwrap(), 0, "what is no longer defined stays");
    assert_eq!(alice.ready("orders").unwrap(), 1, "messages stay");
    assert!(program.refuses(&BOB).starts_with("403 ACCESS_REFUSED"));
    let changed = Login {
        password: "changed",
        ..BOB
    };
    open(&program, &changed).close().unwrap();
}

#[test]
fn a_file_that_is_broken_at_sighup_is_an_error_in_the_log() {
    let mut program = with("d.json", OF_4).start();
    fs::write(program.path("d.json"), r#"{"queues": 7}"#).unwrap();
    program.signal("HUP");
    let line = program.logged(&["ERROR", "the definitions could not be loaded"]);
    assert!(
        line.contains("d.json: queues: expected a list, found a number"),
        "{line}"
    );
    open(&program, &ALICE).close().unwrap();
    program.stop();
}

#[test]
fn definitions_meet_queues_that_clients_declared() {
    let program = with("d.json", OF_4).start();
    let mut alice = open(&program, &ALICE);
    let declare = queue::Declare {
        queue: "late",
        auto_delete: true,
        ..queue::Declare::default()
    };
    alice.call(1, declare, "queue.declare-ok").unwrap();
    // The same name with other properties: the queue that is there stays, and what follows is loaded.
    let more = OF_4.replace(r#""name": "safe""#, r#""name": "late""#);
    let more = more.replace(
        r#""name": "shop", "description""#,
        r#""name": "annex"}, {"name": "shop", "description""#,
    );
    load_again(&program, &more);
    assert_eq!(alice.ready("late").unwrap(), 0);
}

/// A virtual host for guest with queues, and with parameters that limit it.
fn limited(queues: &[&str], parameters: &str) -> String {
    let queue = |name: &&str| format!(r#"{{"name": "{name}", "vhost": "v", "durable": true}}"#);
    let queues: Vec<String> = queues.iter().map(queue).collect();
    format!(
        r#"{{"users": [{{"name": "guest", "password": "guest", "tags": ["administrator"]}}],
            "vhosts": [{{"name": "v"}}],
            "permissions": [{{"user": "guest", "vhost": "v",
                              "configure": ".*", "write": ".*", "read": ".*"}}],
            "parameters": [{parameters}], "queues": [{}]}}"#,
        queues.join(", ")
    )
}

fn max_queues(number: i64) -> String {
    format!(
        r#"{{"component": "vhost-limits", "vhost": "v", "name": "limits",
            "value": {{"max-queues": {number}}}}}"#
    )
}

#[test]
fn a_limit_that_comes_along_holds_afterwards_and_loses_no_queue() {
    let program = with("d.json", &limited(&["a", "b", "c"], &max_queues(2))).start();
    let guest = Login {
        vhost: "v",
        ..Login::default()
    };
    let mut peer = open(&program, &guest);
    for queue in ["a", "b", "c"] {
        assert_eq!(peer.ready(queue).unwrap(), 0);
    }
    let refused = peer.declare("d").unwrap_err().to_string();
    let expected =
        "406 PRECONDITION_FAILED - cannot declare queue 'd': queue limit in vhost 'v' (2) is reached";
    assert!(refused.starts_with(expected), "{refused}");
    // What is there already is not one more.
    load_again(&program, &limited(&["a", "b", "c"], &max_queues(2)));
}

#[test]
fn queues_above_a_limit_that_is_in_force_are_refused_before_anything_is_imported() {
    let program = with("d.json", &limited(&["a"], &max_queues(2))).start();
    let users = r#""users": ["#;
    let more = limited(&["a", "b", "c"], &max_queues(9)).replace(
        users,
        &format!(r#"{users}{{"name": "late", "password": "late", "tags": []}}, "#),
    );
    fs::write(program.path("d.json"), more).unwrap();
    program.signal("HUP");
    let reason = "exceed the limit of 2 queue(s). This virtual host currently has 1 queue(s) defined";
    program.logged(&["ERROR", "queues of vhost 'v'", "Adding 2 queue(s)", reason]);
    let late = Login {
        user: "late",
        password: "late",
        ..ALICE
    };
    assert!(program.refuses(&late).starts_with("403 ACCESS_REFUSED"));
    load_again(&program, &limited(&["a", "b"], &max_queues(9)));
}
