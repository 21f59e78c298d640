//! The catalog against a naive one, and its promises by name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod kept;
mod model;
mod regressions;
mod step;
mod trial;

use super::*;
use crate::access::{Permission, TopicPermission, User};
use crate::limits::{Limited, Limits, MAX_QUEUES};
use crate::parameter::Parameter;
use crate::policy::{ApplyTo, ExchangeRules, Policy};
use crate::queue::Rules;
use crate::value::Value;
use proptest::prelude::*;
use step::Step;
use trial::Trial;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn behaves_as_the_naive_catalog(
        steps in prop::collection::vec(any::<[u8; 4]>().prop_map(Step::of), 0..120),
    ) {
        let mut trial = Trial::new();
        for step in &steps {
            trial.run(step);
        }
    }
}

fn vhost() -> VhostName {
    VhostName::new("/").unwrap()
}

fn exchange(id: u64, name: &str, auto_delete: bool) -> Exchange {
    Exchange {
        id: ExchangeId(id),
        name: ExchangeName::new(name).unwrap(),
        kind: ExchangeKind::named("fanout").unwrap(),
        durable: true,
        auto_delete,
        internal: false,
        arguments: Table::new(),
    }
}

fn bound(source: &str, destination: &str) -> Change {
    let [source, destination] = [source, destination].map(|name| ExchangeName::new(name).unwrap());
    let binding = Binding {
        source,
        destination: Endpoint::Exchange(destination),
        key: "".into(),
        arguments: Table::new(),
    };
    Change::Bound(vhost(), binding)
}

/// A catalog with these auto-delete exchanges and bindings between them.
fn chained(names: &[&str], bindings: &[(&str, &str)]) -> Catalog {
    let mut catalog = Catalog::default();
    catalog.apply(Change::VhostPut(Vhost::named(vhost())));
    for (id, name) in (1..).zip(names) {
        catalog.apply(Change::ExchangePut(vhost(), exchange(id, name, true)));
    }
    for (source, destination) in bindings {
        assert_eq!(catalog.apply(bound(source, destination)).len(), 1);
    }
    catalog
}

#[test]
fn deletion_runs_up_a_chain_and_round_a_ring_of_auto_delete_exchanges() {
    for bindings in [
        &[("a", "b"), ("b", "c")][..],
        &[("a", "b"), ("b", "c"), ("c", "a"), ("c", "c")],
    ] {
        let mut catalog = chained(&["a", "b", "c", "d"], bindings);
        let name = ExchangeName::new("c").unwrap();
        let effects = catalog.apply(Change::ExchangeDeleted(vhost(), name));
        let deleted = effects
            .iter()
            .filter(|effect| matches!(effect, Effect::ExchangeDeleted(..)))
            .count();
        assert_eq!(deleted, 3);
        let content = catalog.vhost("/").unwrap();
        // One that never had a binding has not lost its last one.
        assert_eq!(
            content.exchanges().map(|x| x.name.as_str()).collect::<Vec<_>>(),
            ["d"]
        );
        assert_eq!(content.bindings().iter().count(), 0);
    }
}

#[test]
fn a_chain_of_auto_delete_exchanges_may_be_longer_than_the_stack_is_deep() {
    const LINKS: usize = 20_000;
    let names: Vec<String> = (0..=LINKS).map(|n| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let pairs: Vec<(&str, &str)> = names.iter().copied().zip(names[1..].iter().copied()).collect();
    let mut catalog = chained(&names, &pairs);
    let last = ExchangeName::new(names[LINKS]).unwrap();
    let effects = catalog.apply(Change::ExchangeDeleted(vhost(), last));
    assert_eq!(
        effects.len(),
        2 * LINKS + 1,
        "each exchange, and each binding between them"
    );
    assert_eq!(catalog.vhost("/").unwrap().exchanges().count(), 0);
}

#[test]
fn putting_what_is_there_starts_nothing_again() {
    let mut catalog = chained(&["a", "b"], &[("a", "b")]);
    let again = catalog.apply(Change::ExchangePut(vhost(), exchange(1, "a", true)));
    assert!(
        again.is_empty(),
        "a new routing table would have no bindings: {again:?}"
    );
    let queue = Queue {
        id: QueueId(3),
        name: QueueName::new("q").unwrap(),
        queue_type: QueueType::Classic,
        durable: true,
        auto_delete: false,
        owner: None,
        arguments: [("x-any", Value::Bool(true))].into_iter().collect(),
    };
    assert_eq!(catalog.apply(Change::QueuePut(vhost(), queue.clone())).len(), 1);
    let again = catalog.apply(Change::QueuePut(vhost(), queue));
    assert!(again.is_empty(), "a new queue would have no messages: {again:?}");
}

#[test]
fn queues_are_declared_up_to_the_limit_and_what_is_there_stays_declarable() {
    let mut catalog = chained(&[], &[]);
    let asked = |name: &str, exclusive| QueueDeclaration {
        name: QueueName::new(name).unwrap(),
        server_named: false,
        durable: true,
        exclusive,
        auto_delete: false,
        arguments: Table::new(),
    };
    let decide = |catalog: &Catalog, name, exclusive| {
        let content = catalog.vhost("/").unwrap();
        catalog.decide_queue(content, &asked(name, exclusive), SessionId(1))
    };
    let mut limits = Limits::default();
    limits.set(MAX_QUEUES, &Value::I64(1), Limited::Vhost).unwrap();
    catalog.apply(Change::ParameterPut(vhost(), Parameter::of_limits(&limits)));
    let declared = decide(&catalog, "a", false).unwrap().unwrap();
    catalog.apply(declared.clone());
    assert_eq!(decide(&catalog, "a", false), Ok(None));
    for exclusive in [false, true] {
        let refused = decide(&catalog, "b", exclusive).unwrap_err();
        let words = "cannot declare queue 'b': queue limit in vhost '/' (1) is reached";
        assert_eq!(refused.to_string(), words);
    }
    // One that is set aside is nobody's queue any more.
    let Change::QueuePut(_, queue) = declared else {
        panic!("{declared:?}");
    };
    catalog.apply(Change::QueueSetAside(vhost(), queue));
    assert!(matches!(decide(&catalog, "b", false), Ok(Some(_))));
}

#[test]
fn permissions_go_with_their_virtual_host() {
    let mut catalog = chained(&[], &[]);
    let name = UserName::new("u").unwrap();
    let mut user = User::new(name.clone());
    user.permissions
        .insert(vhost(), Permission::new(".*", ".*", ".*").unwrap());
    let topic = TopicPermission::new(".*", ".*", &name, &vhost()).unwrap();
    let topics = HashMap::from([(ExchangeName::new("amq.topic").unwrap(), topic)]);
    user.topic_permissions.insert(vhost(), topics);
    catalog.apply(Change::UserPut(user));
    catalog.apply(Change::VhostDeleted(vhost()));
    assert_eq!(catalog.user("u"), Some(&User::new(name)));
}

/// A catalog with a durable auto-delete exchange `a`, bound to a durable queue `kept` and a transient `gone`.
fn half_durable() -> Catalog {
    let mut catalog = chained(&["a"], &[]);
    for (id, name, durable) in [(2, "kept", true), (3, "gone", false)] {
        let name = QueueName::new(name).unwrap();
        let queue = Queue {
            id: QueueId(id),
            name: name.clone(),
            queue_type: QueueType::Classic,
            durable,
            auto_delete: false,
            owner: None,
            arguments: Table::new(),
        };
        let binding = Binding {
            source: ExchangeName::new("a").unwrap(),
            destination: Endpoint::Queue(name),
            key: "".into(),
            arguments: Table::new(),
        };
        for change in [Change::QueuePut(vhost(), queue), Change::Bound(vhost(), binding)] {
            let (_, logged) = catalog.apply_logged(change.clone());
            assert_eq!(logged, if durable { vec![change] } else { Vec::new() });
        }
    }
    catalog
}

fn queue_deleted(name: &str) -> Change {
    Change::QueueDeleted(vhost(), QueueName::new(name).unwrap())
}

#[test]
fn the_log_names_what_goes_with_something_transient() {
    let mut catalog = half_durable();
    let (_, logged) = catalog.apply_logged(queue_deleted("kept"));
    assert_eq!(logged, [queue_deleted("kept")]);
    let (_, logged) = catalog.apply_logged(queue_deleted("gone"));
    let a = ExchangeName::new("a").unwrap();
    assert_eq!(logged, [Change::ExchangeDeleted(vhost(), a)]);
}

#[test]
fn replay_keeps_an_exchange_whose_last_durable_binding_was_not_its_last() {
    let mut catalog = half_durable();
    let mut replayed = Catalog::default();
    for change in catalog.durable_changes() {
        replayed.replay(change);
    }
    let (_, logged) = catalog.apply_logged(queue_deleted("kept"));
    for change in logged {
        replayed.replay(change);
    }
    let found = replayed.vhost("/").unwrap().exchange("a");
    assert_eq!(found, catalog.vhost("/").unwrap().exchange("a"));
    assert!(found.is_some());
}

#[test]
fn numbers_are_not_used_again() {
    let mut catalog = Catalog::default();
    catalog.raise_last_id(7);
    catalog.raise_last_id(3);
    assert_eq!((catalog.last_id(), catalog.next_id()), (7, 8));
}
