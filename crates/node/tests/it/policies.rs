//! What queues go by, from the moment at which a policy says so, and after a restart.

use crate::broker::{client, declare_queue, open, vhost};
use crate::sim::sim_disk::SimDisk;
use warren_broker::catalog::{PolicyScope, Vhost};
use warren_broker::policy::{ApplyTo, Policy};
use warren_broker::queue::Rules;
use warren_broker::value::Value;
use warren_node::Node;

const USERS: PolicyScope = PolicyScope::Users;

fn policy(name: &str, pattern: &str, max_length: i64) -> Policy {
    let definition = [("max-length", Value::I64(max_length))].into_iter().collect();
    Policy::new(name, pattern, ApplyTo::Queues, 0, definition, false).unwrap()
}

fn max_length(node: &Node, queue: &str) -> Option<u64> {
    let live = node.vhost("/").unwrap();
    live.queue(queue).unwrap().rules().max_length
}

#[test]
fn a_policy_holds_for_queues_that_are_there_and_that_come() {
    let node = crate::broker::node();
    let mut client = client(&node, "u");
    declare_queue(&mut client, "q1");
    assert_eq!(client.vhost().queue("q1").unwrap().rules(), Rules::default());
    node.put_policy(&vhost(), USERS, policy("p", "^q", 5)).unwrap();
    declare_queue(&mut client, "q2");
    declare_queue(&mut client, "other");
    assert_eq!(max_length(&node, "q1"), Some(5));
    assert_eq!(max_length(&node, "q2"), Some(5));
    assert_eq!(max_length(&node, "other"), None);
    node.put_policy(&vhost(), PolicyScope::Operators, policy("o", "", 3))
        .unwrap();
    assert_eq!(max_length(&node, "q1"), Some(3));
    assert_eq!(max_length(&node, "other"), Some(3));
    assert!(node.delete_policy(&vhost(), PolicyScope::Operators, "o").unwrap());
    assert!(!node.delete_policy(&vhost(), PolicyScope::Operators, "o").unwrap());
    node.put_policy(&vhost(), USERS, policy("p", "^other$", 7))
        .unwrap();
    assert_eq!(max_length(&node, "q1"), None);
    assert_eq!(max_length(&node, "other"), Some(7));
}

#[test]
fn policies_are_there_again_after_a_restart() {
    let disk = SimDisk::new(1);
    let node = open(disk.clone());
    node.put_vhost(Vhost::named(vhost()));
    let mut client = client(&node, "u");
    declare_queue(&mut client, "q");
    node.put_policy(&vhost(), USERS, policy("p", "^q", 5)).unwrap();
    node.put_policy(&vhost(), USERS, policy("gone", "", 1)).unwrap();
    node.delete_policy(&vhost(), USERS, "gone").unwrap();
    node.commit_log().unwrap();
    drop((client, node));
    // Of the log, and then of a checkpoint.
    let disk = disk.kill();
    let node = open(disk.clone());
    assert_eq!(max_length(&node, "q"), Some(5));
    node.stop().unwrap();
    drop(node);
    let node = open(disk.kill());
    assert_eq!(max_length(&node, "q"), Some(5));
    node.put_policy(&vhost(), USERS, policy("p", "^none", 5)).unwrap();
    assert_eq!(max_length(&node, "q"), None);
}
