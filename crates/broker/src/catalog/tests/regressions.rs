//! What once went wrong, one test a defect.

use super::*;

/// Far more frames than any thread's stack holds.
const LINKS: usize = 100_000;

#[test]
fn deleting_a_queue_takes_a_chain_of_any_length_of_auto_delete_exchanges_with_it() {
    let names: Vec<String> = (0..LINKS).map(|n| format!("x{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let pairs: Vec<(&str, &str)> = names.iter().copied().zip(names[1..].iter().copied()).collect();
    let mut catalog = chained(&names, &pairs);
    let name = QueueName::new("q").unwrap();
    let queue = Queue {
        id: QueueId(LINKS as u64 + 1),
        name: name.clone(),
        queue_type: QueueType::Classic,
        durable: true,
        auto_delete: false,
        owner: None,
        arguments: Table::new(),
    };
    catalog.apply(Change::QueuePut(vhost(), queue));
    let binding = Binding {
        source: ExchangeName::new(names[LINKS - 1]).unwrap(),
        destination: Endpoint::Queue(name.clone()),
        key: "".into(),
        arguments: Table::new(),
    };
    assert_eq!(catalog.apply(Change::Bound(vhost(), binding)).len(), 1);
    let effects = catalog.apply(Change::QueueDeleted(vhost(), name));
    assert_eq!(
        effects.len(),
        1 + 2 * LINKS,
        "the queue, each exchange, each binding"
    );
    let content = catalog.vhost("/").unwrap();
    assert_eq!((content.queues().count(), content.exchanges().count()), (0, 0));
    assert_eq!(content.bindings().iter().count(), 0);
}
