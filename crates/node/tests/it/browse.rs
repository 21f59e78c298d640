//! Browsers where most of a queue stands in extents only.

use crate::broker::{client, declare_queue, message, vhost};
use crate::sim::sim_disk::SimDisk;
use std::sync::Arc;
use warren_broker::catalog::Vhost;
use warren_broker::name::QueueName;
use warren_broker::value::{Table, Value};
use warren_node::storage::Options;
use warren_node::{Address, Batch, Client, Config, Inbox, Node, Starved, Touched};

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
    let arguments: Table = [("x-browse".to_owned(), Value::Bool(true))].into_iter().collect();
    let name = QueueName::new("q").unwrap();
    let browser = client.browse(&name, &arguments, ADDRESS).unwrap();
    client.browse_on(&browser, &mut touched);
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
fn a_browser_reads_large_messages_about_once_each() {
    const COUNT: u32 = 30;
    let options = Options {
        recent_bytes: 100_000,
        disk_free_limit: 0,
        ..Options::default()
    };
    let disk = Arc::new(SimDisk::new(7));
    let node = Node::open(Config::default(), options, Arc::clone(&disk) as Arc<_>)
        .unwrap()
        .node;
    node.put_vhost(Vhost::named(vhost()));
    let mut client = client(&node, "u");
    let queue = declare_queue(&mut client, "q");
    let mut touched = Touched::default();
    for number in 0..COUNT {
        let mut batch = Batch::default();
        batch.publish(&queue, message((0, number), 1_100_000), 0);
        client.flush(&mut batch, &mut touched);
        node.keep_house().unwrap();
    }
    let arguments: Table = [("x-browse".to_owned(), Value::Bool(true))].into_iter().collect();
    let name = QueueName::new("q").unwrap();
    let browser = client.browse(&name, &arguments, ADDRESS).unwrap();
    client.browse_on(&browser, &mut touched);
    let (mut seen, before) = (Vec::new(), disk.bytes_read());
    loop {
        let reads = node.read_back();
        let came = bodies(&client);
        if !reads && came.is_empty() {
            break;
        }
        seen.extend(
            came.iter()
                .map(|body| u32::from_be_bytes(body[1..5].try_into().unwrap())),
        );
    }
    assert_eq!(seen, (0..COUNT).collect::<Vec<_>>());
    // Each about once, and not all that follow for each that there is room for.
    let (read, all) = (disk.bytes_read() - before, u64::from(COUNT) * 1_100_000);
    assert!((all..3 * all).contains(&read), "{read} of {all}");
    touched.wake_all();
}
