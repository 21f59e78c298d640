//! Browsers and peeks: what stands in extents only, and what comes in other ways than by a publish.

use crate::broker::{HOUR_MS, client, declare_queue, declare_with, message, node, put, timed, vhost};
use crate::sim::sim_disk::SimDisk;
use parking_lot::Mutex;
use std::sync::Arc;
use warren_broker::access::{Permission, User};
use warren_broker::catalog::Vhost;
use warren_broker::message::{AnnotationsWriter, Message, Parts};
use warren_broker::name::{QueueName, UserName};
use warren_broker::queue::{Delivery, Scope, Standing};
use warren_broker::refusal::Refusal;
use warren_broker::value::{Table, Value};
use warren_node::storage::Options;
use warren_node::{
    Address, Batch, Browser, Client, Config, From, Glimpse, Got, Inbox, LiveQueue, Node, Peek, Starved,
    Touched,
};

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
    Starved::resume_all(&starved, &mut touched);
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
fn a_browser_sees_what_a_transaction_brings() {
    let node = node();
    let mut client = client(&node, "u");
    let queues = ["q", "other"].map(|name| declare_queue(&mut client, name));
    let arguments: Table = [("x-browse".to_owned(), Value::Bool(true))].into_iter().collect();
    let name = QueueName::new("q").unwrap();
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    let browser = client.browse(&name, &arguments, ADDRESS).unwrap();
    client.browse_on(&browser, &mut touched);
    let message = message((0, 1), 0);
    for queue in &queues {
        batch.publish(queue, message.clone(), 0);
    }
    client.flush_together(&mut batch, &mut touched);
    assert_eq!(bodies(&client), [message.body()]);
    touched.wake_all();
}

/// A node that has little memory for messages.
fn small_node() -> Arc<Node> {
    let options = Options {
        recent_bytes: 100_000,
        disk_free_limit: 0,
        extent_bytes: 1 << 20,
        ..Options::default()
    };
    let opened = Node::open(Config::default(), options, Arc::new(SimDisk::new(7))).unwrap();
    opened.node.put_vhost(Vhost::named(vhost()));
    opened.node
}

#[test]
fn a_browser_reads_what_stands_in_extents_and_leaves_it_there() {
    let node = small_node();
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

const ALL: Peek = Peek {
    from: From::First,
    scope: Scope {
        unsettled: true,
        delayed: true,
    },
    messages_max: usize::MAX,
    bytes_max: usize::MAX,
};

/// What a peek shows once all is read that has to be.
fn peek(node: &Node, client: &mut Client, asked: Peek) -> Glimpse {
    let seen = Arc::new(Mutex::new(None));
    let told = Arc::clone(&seen);
    let name = QueueName::new("q").unwrap();
    client
        .peek(&name, asked, move |page| *told.lock() = Some(page))
        .unwrap();
    while node.read_back() {}
    let page = seen.lock().take();
    page.expect("somebody was told")
}

fn seqs(page: &Glimpse) -> Vec<u64> {
    page.messages.iter().map(|peeked| peeked.seq).collect()
}

/// What the test that peeks works with: 2000 messages of 1000 octets, most of them in extents, of which the
/// first one came back and is out again, and the last one is delayed.
fn varied(node: &Arc<Node>, client: &mut Client) -> (Arc<LiveQueue>, Vec<Message>) {
    let queue = declare_queue(client, "q");
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    let mut sent: Vec<_> = (0..1999).map(|number| message((0, number), 1000)).collect();
    let mut noted = AnnotationsWriter::default();
    noted.due_ms(node.now_ms() + 1_000_000_000);
    sent.push(
        Message::of(&Parts {
            key: "q",
            body: &[1; 1000],
            persistent: true,
            published_ms: node.now_ms(),
            annotations: noted.bytes(),
            ..Parts::default()
        })
        .unwrap(),
    );
    sent.iter()
        .for_each(|message| batch.publish(&queue, message.clone(), 0));
    client.flush(&mut batch, &mut touched);
    let ticket = taken(client).ticket;
    batch.give_back(&queue, ticket, false);
    client.flush(&mut batch, &mut touched);
    taken(client);
    touched.wake_all();
    node.keep_house().unwrap();
    assert!(node.usage().extents > 0, "some of it is in extents");
    (queue, sent)
}

/// A message that is got and is there at once.
fn taken(client: &mut Client) -> Delivery {
    match client.take(&QueueName::new("q").unwrap(), false).unwrap() {
        (_, Got::Message(taken)) => taken.delivery,
        (_, other) => panic!("{other:?}"),
    }
}

#[test]
fn a_peek_shows_page_by_page_what_is_ready_out_and_delayed_and_disturbs_nothing() {
    let node = small_node();
    let mut client = client(&node, "u");
    let (queue, sent) = varied(&node, &mut client);
    let before = queue.totals();
    assert_eq!((before.ready, before.unsettled, before.delayed), (1998, 1, 1));
    let (mut seen, mut from) = (Vec::new(), From::First);
    for page in 0.. {
        let asked = Peek {
            from,
            messages_max: if page == 0 { 5 } else { 100_000 },
            bytes_max: 200_000,
            ..ALL
        };
        let found = peek(&node, &mut client, asked);
        let bytes = found.messages.iter().map(|peeked| peeked.message.memory_bytes());
        assert!(found.messages.len() <= asked.messages_max && bytes.sum::<usize>() <= asked.bytes_max);
        seen.extend(found.messages);
        let Some(next) = found.next else { break };
        from = From::Seq(next);
    }
    let numbers: Vec<_> = seen.iter().map(|peeked| peeked.seq).collect();
    assert_eq!(numbers, (0..2000).collect::<Vec<_>>());
    for (peeked, sent) in seen.iter().zip(&sent) {
        let standing = match peeked.seq {
            0 => Standing::Unsettled,
            1999 => Standing::Delayed,
            _ => Standing::Ready,
        };
        let is_marked = peeked.seq == 0;
        assert_eq!(
            (peeked.standing, peeked.redelivered),
            (standing, is_marked),
            "{}",
            peeked.seq
        );
        assert_eq!(peeked.message.body(), sent.body());
    }
    let after = queue.totals();
    assert_eq!((after.ready, after.unsettled, after.delayed), (1998, 1, 1));
    let name = QueueName::new("q").unwrap();
    let mut got = client.take(&name, false).unwrap().1;
    while matches!(got, Got::Later) {
        assert!(node.read_back());
        got = client.take(&name, false).unwrap().1;
    }
    let Got::Message(taken) = got else {
        panic!("{got:?}")
    };
    assert_eq!(taken.delivery.message.body(), sent[1].body());
    assert!(!taken.delivery.redelivered, "nobody had it before");
}

#[test]
fn a_peek_begins_where_it_is_told_and_shows_one_message_however_large() {
    let node = small_node();
    let mut client = client(&node, "u");
    let (_, sent) = varied(&node, &mut client);
    let ready = peek(
        &node,
        &mut client,
        Peek {
            scope: Scope::default(),
            messages_max: 2,
            ..ALL
        },
    );
    assert_eq!((seqs(&ready), ready.next), (vec![1, 2], Some(3)));
    let mut from = |from, bytes_max| {
        let asked = Peek {
            from,
            bytes_max,
            ..ALL
        };
        let page = peek(&node, &mut client, asked);
        (seqs(&page), page.next)
    };
    assert_eq!(from(From::Seq(1997), usize::MAX), (vec![1997, 1998, 1999], None));
    assert_eq!(from(From::Seq(7), 1), (vec![7], Some(8)));
    assert_eq!(from(From::Next, usize::MAX), (vec![], None));
    // All but the last one say that they are as old as can be.
    let since = From::Time(sent[1999].published_ms());
    assert_eq!(from(since, usize::MAX), (vec![1999], None));
}

#[test]
fn a_peek_is_refused_like_a_consumer_and_ends_with_its_queue() {
    let node = small_node();
    let mut one = client(&node, "u");
    let (queue, _) = varied(&node, &mut one);
    let mut nobody = User::new(UserName::new("nobody").unwrap());
    nobody
        .permissions
        .insert(vhost(), Permission::new(".*", ".*", "").unwrap());
    node.put_user(nobody.clone());
    let mut other = node.enter(Arc::new(nobody), "/", node.new_mailbox()).unwrap();
    let name = queue.declared().name.clone();
    let refused = other.peek(&name, ALL, |_| panic!("it was refused"));
    assert!(matches!(refused, Err(Refusal::Denied { .. })), "{refused:?}");
    let missing = one.peek(&QueueName::new("missing").unwrap(), ALL, |_| {
        panic!("it was refused")
    });
    assert!(matches!(missing, Err(Refusal::NotFound(_))), "{missing:?}");
    let seen = Arc::new(Mutex::new(None));
    let told = Arc::clone(&seen);
    one.peek(&name, ALL, move |page| *told.lock() = Some(page))
        .unwrap();
    let mut touched = Touched::default();
    one.delete_queue(&name, false, false, &mut touched).unwrap();
    touched.wake_all();
    while node.read_back() {}
    assert_eq!(seen.lock().take().map(|page| seqs(&page)), Some(vec![]));
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
