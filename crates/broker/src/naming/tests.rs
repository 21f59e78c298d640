//! Names that stand for queues, and queues made after models.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn table<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Table(fields.into_iter().collect())
}

fn name(name: &str) -> QueueName {
    QueueName::new(name).unwrap()
}

fn asked(queue: &str, arguments: &[(&str, Value)]) -> QueueDeclaration {
    QueueDeclaration {
        name: name(queue),
        server_named: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        arguments: arguments.iter().cloned().collect(),
    }
}

fn model(pattern: &str, priority: i64, length: i64) -> Value {
    let arguments = table([("x-max-length", Value::I64(length)), ("x-expires", Value::I64(5))]);
    table([
        ("pattern", Value::from(pattern)),
        ("priority", Value::I64(priority)),
        ("arguments", arguments),
        ("auto-delete", Value::Bool(true)),
    ])
}

fn namings(models: &[(&str, Value)]) -> Namings {
    let mut namings = Namings::default();
    for (name, value) in models {
        let parameter = Parameter::new(QUEUE_MODEL, name, value.clone()).unwrap();
        assert!(!namings.put(&parameter));
    }
    namings
}

#[test]
fn an_alias_names_a_queue() {
    let orders = table([("queue", Value::from("orders.v2"))]);
    assert_eq!(
        read_alias("orders", &orders),
        Ok((name("orders"), name("orders.v2")))
    );
    let text = |name: &str, value: &Value| read_alias(name, value).unwrap_err().to_string();
    assert_eq!(
        text("a", &Value::from("orders")),
        "queue-alias should be an object"
    );
    assert_eq!(text("a", &table([])), "'queue' should be the name of a queue");
    assert_eq!(text("", &orders), "'' is no name that a client can give a queue");
    assert!(text("amq.a", &orders).contains("'amq.a' is no name"));
    assert_eq!(
        text("orders.v2", &orders),
        "'orders.v2' is an alias itself, and cannot have one"
    );
    let more = table([("queue", Value::from("q")), ("nope", Value::Void)]);
    assert_eq!(text("a", &more), "there is no key 'nope'");
}

#[test]
fn aliases_do_not_stand_for_aliases() {
    let mut namings = Namings::default();
    let parameter = |alias: &str, queue: &str| {
        Parameter::new(QUEUE_ALIAS, alias, table([("queue", Value::from(queue))])).unwrap()
    };
    assert!(namings.put(&parameter("a", "q")));
    assert!(!namings.put(&parameter("a", "q")));
    assert!(namings.put(&parameter("a", "p")));
    assert_eq!(namings.alias("a"), Some(&name("p")));
    assert!(namings.check_alias(&name("b"), &name("p")).is_ok());
    assert!(namings.check_alias(&name("a"), &name("q")).is_ok());
    assert!(namings.check_alias(&name("b"), &name("a")).is_err());
    assert!(namings.check_alias(&name("p"), &name("q")).is_err());
    assert!(namings.remove(QUEUE_ALIAS, "a"));
    assert!(!namings.remove(QUEUE_ALIAS, "a"));
    assert_eq!(namings.alias("a"), None);
}

#[test]
fn a_model_says_what_a_client_leaves_open() {
    let namings = namings(&[("m", model("^reply", 0, 10))]);
    let new = namings.complete(&asked("reply.1", &[("x-max-length", Value::I32(3))]), None);
    let new = new.unwrap();
    assert_eq!(new.arguments.get("x-max-length"), Some(&Value::I32(3)));
    assert_eq!(new.arguments.get("x-expires"), Some(&Value::I64(5)));
    assert!(new.durable && new.auto_delete);
    assert!(namings.complete(&asked("other", &[]), None).is_none());
    let named_by_the_broker = QueueDeclaration {
        server_named: true,
        ..asked("reply.2", &[])
    };
    assert!(namings.complete(&named_by_the_broker, None).is_none());
}

#[test]
fn of_a_queue_that_is_there_its_own_is_asked_for() {
    use crate::route::QueueId;
    let namings = namings(&[("m", model("^reply", 0, 10))]);
    let existing = Queue {
        id: QueueId(1),
        name: name("reply"),
        queue_type: QueueType::Classic,
        durable: true,
        auto_delete: false,
        owner: None,
        // Made before the model said so much.
        arguments: [("x-max-length", Value::I64(7))].into_iter().collect(),
    };
    let again = namings.complete(&asked("reply", &[]), Some(&existing)).unwrap();
    assert_eq!(again.arguments, existing.arguments);
    assert!(!again.auto_delete);
    let other = [("x-max-length", Value::I64(8))];
    let other = namings.complete(&asked("reply", &other), Some(&existing));
    assert_eq!(other.unwrap().arguments.get("x-max-length"), Some(&Value::I64(8)));
}

#[test]
fn the_model_of_the_highest_priority_counts_and_then_the_first_by_name() {
    let namings = namings(&[
        ("c", model("^q", 1, 3)),
        ("b", model("^q", 1, 2)),
        ("a", model("^q", 0, 1)),
        ("d", model("^other", 9, 4)),
    ]);
    let found = namings.complete(&asked("q", &[]), None).unwrap();
    assert_eq!(found.arguments.get("x-max-length"), Some(&Value::I64(2)));
}

#[test]
fn arguments_that_no_queue_can_have_are_refused() {
    let with = |arguments: &[(&str, Value)]| {
        let arguments = Value::Table(arguments.iter().cloned().collect());
        Model::read(&table([("pattern", Value::from("^q")), ("arguments", arguments)]))
    };
    let text = |arguments: &[(&str, Value)]| with(arguments).unwrap_err().to_string();
    assert_eq!(
        text(&[("x-max-length", Value::I64(-1))]),
        "'arguments' are wrong: invalid arg 'x-max-length': {value_negative,-1}"
    );
    assert_eq!(
        text(&[("x-queue-type", Value::from("stream"))]),
        "'arguments' are wrong: queue type 'stream' is not supported"
    );
    let quorum = ("x-queue-type", Value::from("quorum"));
    assert_eq!(
        text(&[quorum.clone(), ("x-max-priority", Value::I64(5))]),
        "'arguments' are wrong: invalid arg 'x-max-priority' of queue type rabbit_quorum_queue"
    );
    // A client may say of what type its queue is, and what the rest is for.
    assert!(with(&[("x-delivery-limit", Value::I64(5))]).is_ok());
    assert!(with(&[("x-max-priority", Value::I64(5))]).is_ok());
    assert!(
        text(&[
            ("x-delivery-limit", Value::I64(5)),
            ("x-max-priority", Value::I64(5))
        ])
        .contains("arg")
    );
    assert!(with(&[("x-dead-letter-routing-key", Value::from("k"))]).is_ok());
    assert!(with(&[("x-delayed-retry-type", Value::from("all"))]).is_ok());
    let transient = table([
        ("pattern", Value::from("^q")),
        ("arguments", table([quorum])),
        ("durable", Value::Bool(false)),
    ]);
    assert!(matches!(Model::read(&transient), Err(Fault::Arguments(_))));
}

#[test]
fn a_model_of_quorum_queues_says_nothing_of_what_cannot_be_one() {
    let quorum = table([("x-queue-type", Value::from("quorum"))]);
    let model = table([("pattern", Value::from("^q")), ("arguments", quorum)]);
    let namings = namings(&[("m", model)]);
    let durable = asked("q", &[]);
    let made = namings.complete(&durable, None).unwrap();
    assert_eq!(made.arguments.get("x-queue-type"), Some(&Value::from("quorum")));
    for cannot_be in [
        QueueDeclaration {
            exclusive: true,
            ..durable.clone()
        },
        QueueDeclaration {
            durable: false,
            ..durable.clone()
        },
        QueueDeclaration {
            auto_delete: true,
            ..durable.clone()
        },
    ] {
        assert!(namings.complete(&cannot_be, None).is_none(), "{cannot_be:?}");
    }
}

#[test]
fn a_wrong_model_of_another_release_says_nothing() {
    let arguments = table([("x-queue-type", Value::from("stream"))]);
    let mut namings = Namings::default();
    namings.put(&Parameter {
        component: QUEUE_MODEL.into(),
        name: "m".into(),
        value: table([("pattern", Value::from("^q")), ("arguments", arguments)]),
    });
    assert!(namings.complete(&asked("q", &[]), None).is_none());
}

#[test]
fn what_is_no_model_is_refused_with_the_reason() {
    let text = |value: Value| Model::read(&value).unwrap_err().to_string();
    assert_eq!(text(Value::I64(5)), "queue-model should be an object");
    assert_eq!(text(table([])), "'pattern' should be a regular expression");
    let pattern = ("pattern", Value::from("^q"));
    let wrong = |key, value| table([pattern.clone(), (key, value)]);
    assert_eq!(
        text(wrong("priority", Value::from("1"))),
        "'priority' should be an integer"
    );
    assert_eq!(
        text(wrong("arguments", Value::Void)),
        "arguments should be an object"
    );
    assert_eq!(
        text(wrong("durable", Value::I64(1))),
        "'durable' should be true or false"
    );
    assert_eq!(text(wrong("nope", Value::Void)), "there is no key 'nope'");
    assert!(text(table([("pattern", Value::from("("))])).contains("regular expression but is invalid"));
}
