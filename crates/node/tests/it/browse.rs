//! Browsers: what stands in extents only, and what comes in other ways than by a publish.

use crate::broker::{HOUR_MS, client, declare_queue, declare_with, message, node, put, timed, vhost};
use crate::sim::sim_disk::SimDisk;
use std::sync::Arc;
use warren_broker::catalog::Vhost;
use warren_broker::name::QueueName;
use warren_broker::value::{Table, Value};
use warren_node::storage::Options;
use warren_node::{Address, Batch, Browser, Client, Config, Inbox, Node, Starved, Touched};

const ADDRESS: Address = Address {
    channel: 1,
    consumer: 1,
};

/// What came to a session by now; it has written all of it.
fn bodies(client: &Client) -> Vec<Vec<u8>> {
    let mut inbox = Inbox::default();
    client.mailbox().take(&mut inbox);
    let room = inbox.parcels.iter().map(|parcel| parcel.room_bytes()).sum();
    let mut touched = Touched::default();
    let starved: Vec<Starved> = client.mailbox().free_room(room);
    starved.iter().for_each(|one| one.resume(&mut touched));
    touched.wake_all();
    inbox
        .parcels
        .iter()
        .map(|parcel| parcel.delivery.message.body().to_vec())
        .collect()
}

/// A browser that looks.
fn browse(client: &mut Client, queue: &str) -> Arc<Browser> {
    let arguments: Table = [("x-browse".to_owned(), Value::Bool(true))].into_iter().collect();
    let queue = QueueName::new(queue).unwrap();
    let browser = client.browse(&queue, &arguments, ADDRESS).unwrap();
    let mut touched = Touched::default();
    client.browse_on(&browser, &mut touched);
    touched.wake_all();
    browser
}

#[test]
fn a_browser_reads_what_stands_in_extents_and_leaves_it_there() {
    let options = Options {
        recent_bytes: 100_000,
        disk_free_limit: 0,
        extent_bytes: 1 << 20,
        ..Options::default()
    };
    let opened = Node::open(Config::default(), options, Arc::new(SimDisk::new(7))).unwrap();
    let node = opened.node;
    node.put_vhost(Vhost::named(vhost()));
    let mut client = client(&node, "u");
    let queue = declare_queue(&mut client, "q");
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    let sent: Vec<_> = (0..3000).map(|number| message((0, number), 1000)).collect();
    for message in &sent {
        batch.publish(&queue, message.clone(), 0);
    }
    client.flush(&mut batch, &mut touched);
    node.keep_house().unwrap();
    assert!(node.usage().extents > 0, "some of it is in extents");
    browse(&mut client, "q");
    let mut seen = Vec::new();
    loop {
        // More than the mailbox has room for.
        let reads = node.read_back();
        let came = bodies(&client);
        if !reads && came.is_empty() {
            break;
        }
        seen.extend(came);
    }
    let wanted: Vec<_> = sent.iter().map(|message| message.body().to_vec()).collect();
    assert!(seen == wanted, "{} of {}", seen.len(), wanted.len());
    assert_eq!((queue.totals().ready, queue.totals().unsettled), (3000, 0));
    touched.wake_all();
}

#[test]
fn a_browser_sees_dead_letters_what_matures_and_what_transactions_bring() {
    let node = node();
    node.tick(HOUR_MS);
    let mut client = client(&node, "u");
    let letters = declare_queue(&mut client, "letters");
    let arguments = [
        ("x-dead-letter-exchange", Value::from("")),
        ("x-dead-letter-routing-key", Value::from("letters")),
    ];
    let queue = declare_with(&mut client, "q", &arguments);
    browse(&mut client, "letters");
    put(
        &client,
        &queue,
        &[timed("q", b"dies", HOUR_MS, |note| note.ttl_ms(10))],
    );
    node.tick(HOUR_MS + 100);
    assert_eq!(bodies(&client), [b"dies"]);
    let later =
        [1_000, 2_000].map(|after| timed("q", b"later", HOUR_MS, |note| note.due_ms(HOUR_MS + after)));
    put(&client, &letters, &later);
    assert_eq!(bodies(&client).len(), 0);
    node.tick(HOUR_MS + 1_500);
    assert_eq!(bodies(&client), [b"later"]);
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    batch.publish(&letters, message((0, 9), 0), 0);
    batch.publish(&queue, message((0, 9), 0), 0);
    client.flush_together(&mut batch, &mut touched);
    touched.wake_all();
    assert_eq!(bodies(&client).len(), 1);
}
