//! Access: each question, and the texts of refusals, which clients and tools read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod patterns;

use super::*;

fn vhost(name: &str) -> VhostName {
    VhostName::new(name).unwrap()
}

fn queue(name: &str) -> QueueName {
    QueueName::new(name).unwrap()
}

fn exchange(name: &str) -> ExchangeName {
    ExchangeName::new(name).unwrap()
}

/// User `u` with these patterns in the vhost `/`.
fn user(configure: &str, write: &str, read: &str) -> User {
    let mut user = User::new(UserName::new("u").unwrap());
    user.permissions
        .insert(vhost("/"), Permission::new(configure, write, read).unwrap());
    user
}

fn text<T: std::fmt::Debug>(result: Result<T, Denied>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn each_operation_has_its_own_pattern() {
    use Operation::{Configure, Read, Write};

    let user = user("^c", "^w", "^r");
    let root = vhost("/");
    let access = Access {
        user: &user,
        vhost: &root,
    };
    for (name, allowed) in [("c", Configure), ("w", Write), ("r", Read)] {
        for operation in [Configure, Write, Read] {
            assert_eq!(
                access.queue(operation, &queue(name)).is_ok(),
                operation == allowed
            );
            assert_eq!(
                access.exchange(operation, &exchange(name)).is_ok(),
                operation == allowed
            );
        }
    }
}

#[test]
fn refusals_have_rabbitmqs_texts() {
    let mut user = user("", "", "");
    let root = vhost("/");
    let topics = HashMap::from([(
        exchange("amq.topic"),
        TopicPermission::new("^good", "^good", &user.name, &root).unwrap(),
    )]);
    user.topic_permissions.insert(root.clone(), topics);
    let access = Access {
        user: &user,
        vhost: &root,
    };
    assert_eq!(
        text(access.queue(Operation::Configure, &queue("newq"))),
        "configure access to queue 'newq' in vhost '/' refused for user 'u'"
    );
    assert_eq!(
        text(access.exchange(Operation::Read, &exchange("px"))),
        "read access to exchange 'px' in vhost '/' refused for user 'u'"
    );
    assert_eq!(
        text(access.exchange(Operation::Write, &exchange(""))),
        "write access to exchange 'amq.default' in vhost '/' refused for user 'u'"
    );
    assert_eq!(
        text(access.topic(Operation::Write, &exchange("amq.topic"), "bad.k")),
        "write access to topic 'bad.k' in exchange 'amq.topic' in vhost '/' refused for user 'u'"
    );
    let elsewhere = Access {
        user: &user,
        vhost: &vhost("v"),
    };
    assert_eq!(
        elsewhere.enter().unwrap_err().to_string(),
        "access to vhost 'v' refused for user 'u'"
    );
}

#[test]
fn permissions_of_one_vhost_say_nothing_of_another() {
    let user = user(".*", ".*", ".*");
    let (root, other) = (vhost("/"), vhost("other"));
    let here = Access {
        user: &user,
        vhost: &root,
    };
    let there = Access {
        user: &user,
        vhost: &other,
    };
    assert!(here.enter().is_ok());
    assert!(there.enter().is_err());
    assert!(here.queue(Operation::Read, &queue("q")).is_ok());
    assert!(there.queue(Operation::Read, &queue("q")).is_err());
    assert!(there.queue_any(&queue("q")).is_err());
    assert!(there.exchange(Operation::Write, &exchange("")).is_err());
}

#[test]
fn empty_permissions_open_the_vhost_and_nothing_in_it() {
    let user = user("", "", "");
    let root = vhost("/");
    let access = Access {
        user: &user,
        vhost: &root,
    };
    assert!(access.enter().is_ok());
    for operation in [Operation::Configure, Operation::Write, Operation::Read] {
        assert!(access.queue(operation, &queue("q")).is_err());
        // Its name is empty, but that is not the name it is checked by.
        assert!(access.exchange(operation, &exchange("")).is_err());
    }
    assert!(access.exchange_any(&exchange("")).is_err());
}

#[test]
fn the_default_exchange_is_checked_as_amq_default() {
    let user = user("", r"^amq\.default$", "");
    let root = vhost("/");
    let access = Access {
        user: &user,
        vhost: &root,
    };
    let permit = access.exchange(Operation::Write, &exchange("")).unwrap();
    assert_eq!(permit.scope(), &Scope::Exchange(Operation::Write, exchange("")));
    assert_eq!(permit.vhost(), &root);
    // A queue without a name is no such thing.
    assert!(access.queue(Operation::Write, &queue("")).is_err());
}

#[test]
fn to_learn_that_something_exists_any_permission_will_do() {
    let root = vhost("/");
    for user in [user("^q$", "", ""), user("", "^q$", ""), user("", "", "^q$")] {
        let access = Access {
            user: &user,
            vhost: &root,
        };
        assert!(access.queue_any(&queue("q")).is_ok());
        assert!(access.exchange_any(&exchange("q")).is_ok());
        assert_eq!(
            text(access.queue_any(&queue("p"))),
            "configure access to queue 'p' in vhost '/' refused for user 'u'"
        );
        assert!(access.exchange_any(&exchange("p")).is_err());
    }
}

#[test]
fn topic_permissions_restrict_only_the_exchange_they_name() {
    let mut user = user(".*", ".*", ".*");
    let root = vhost("/");
    let topics = HashMap::from([(
        exchange("t"),
        TopicPermission::new("^w", "^r", &user.name, &root).unwrap(),
    )]);
    user.topic_permissions.insert(root.clone(), topics);
    let access = Access {
        user: &user,
        vhost: &root,
    };
    assert!(access.topic(Operation::Write, &exchange("t"), "w.x").is_ok());
    assert!(access.topic(Operation::Write, &exchange("t"), "r.x").is_err());
    assert!(access.topic(Operation::Read, &exchange("t"), "r.x").is_ok());
    assert!(access.topic(Operation::Read, &exchange("t"), "w.x").is_err());
    assert!(access.topic(Operation::Read, &exchange("other"), "w.x").is_ok());
    assert!(
        access
            .topic(Operation::Configure, &exchange("other"), "w.x")
            .is_err()
    );
    let elsewhere = Access {
        user: &user,
        vhost: &vhost("v"),
    };
    assert!(elsewhere.topic(Operation::Write, &exchange("t"), "r.x").is_ok());
}

#[test]
fn names_in_topic_permissions_are_taken_literally() {
    let root = vhost("/");
    let allows = |name: &str, pattern: &str, key: &str| {
        let name = UserName::new(name).unwrap();
        TopicPermission::new(pattern, "", &name, &root)
            .unwrap()
            .write
            .matches(key)
    };
    assert!(allows("bob", r"^{username}\.", "bob.x"));
    assert!(!allows("bob", r"^{username}\.", "bobby.x"));
    assert!(allows(".*", r"^{username}\.", ".*.x"));
    assert!(!allows(".*", r"^{username}\.", "anyone.x"));
    assert!(!allows("a|b", "^{username}$", "a"));
    assert!(!allows("{vhost}", "^{username}$", "/"));
    assert!(allows("{vhost}", "^{username}$", "{vhost}"));
    assert!(allows("u", "^{vhost}$", "/"));
    assert!(allows("ab", "^{username}{2}$", "abab"));
    // In a class, where a minus would make a range.
    assert!(!allows("a-z", "^[{username}]$", "m"));
    assert!(allows("a-z", "^[{username}]$", "-"));
    assert!(!allows("^a", "^[{username}]$", "b"));
    let user = UserName::new("x").unwrap();
    assert!(TopicPermission::new("^[a-{username}]$", "", &user, &root).is_err());
    // Known to other protocols only: it stays as it is.
    assert!(!allows("u", "^{client_id}$", "u"));
    assert!(allows("u", "^{client_id}$", "{client_id}"));
}

#[test]
fn a_hash_does_not_show_in_debug_output() {
    let hash = PasswordHash {
        algorithm: "sha256".into(),
        salted: [77, 78].into(),
    };
    let shown = format!("{hash:?}");
    assert!(shown.contains("sha256") && !shown.contains("77"), "{shown}");
}
