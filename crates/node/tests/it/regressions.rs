//! What once went wrong, one test a defect, named by the behaviour that is right.

use crate::broker::{HOUR_MS, client, declare_queue, declare_with, drain, message, node, put, timed, vhost};
use crate::sim::sim_disk::SimDisk;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use warren_broker::access::User;
use warren_broker::catalog::{QueueDeclaration, Vhost};
use warren_broker::message::Message;
use warren_broker::name::{QueueName, UserName};
use warren_broker::value::{Table, Value};
use warren_node::storage::{Options, Recovered, Step};
use warren_node::{
    Address, Batch, Burden, Client, Config, Consume, Consumed, Got, Inbox, LiveQueue, LoginRefusal, Memory,
    Node, Notice, Position, ROOM_BYTES, SharedCredit, Starved, Touched,
};

const ADDRESS: Address = Address {
    channel: 1,
    consumer: 1,
};

fn name(queue: &str) -> QueueName {
    QueueName::new(queue).unwrap()
}

/// Puts messages into a queue and hands out what can be.
fn publish(client: &Client, queue: &Arc<LiveQueue>, count: u32, padding: usize) {
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    for number in 0..count {
        batch.publish(queue, message((0, number), padding), 0);
    }
    client.flush(&mut batch, &mut touched);
    touched.wake_all();
}

/// Flushes a part of a batch that began at a position of the log: a message that goes to one of its queues.
fn flush_to(queue: &Arc<LiveQueue>, message: &Message, begun_at: Position) {
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    batch.publish(queue, message.clone(), 0);
    batch.flush(begun_at, &mut touched);
    touched.wake_all();
}

fn consume(client: &mut Client, queue: &str, shared: &Arc<SharedCredit>) -> Consumed {
    let asked = Consume {
        queue: name(queue),
        no_ack: false,
        exclusive: false,
        prefetch: 0,
        shared: Arc::clone(shared),
        arguments: Table::new(),
        address: ADDRESS,
    };
    let consumed = client.consume(asked).unwrap();
    let mut touched = Touched::default();
    consumed.queue.serve(&mut touched);
    touched.wake_all();
    consumed
}

/// Declares an exclusive queue.
fn own(client: &mut Client, queue: &str, auto_delete: bool) {
    let asked = QueueDeclaration {
        name: name(queue),
        server_named: false,
        durable: false,
        exclusive: true,
        auto_delete,
        arguments: Table::new(),
    };
    let mut touched = Touched::default();
    client.declare_queue(&asked, &mut touched).unwrap();
    touched.wake_all();
}

fn delete(client: &mut Client, queue: &str) {
    let mut touched = Touched::default();
    client
        .delete_queue(&name(queue), false, false, &mut touched)
        .unwrap();
    touched.wake_all();
}

#[test]
fn a_burst_of_replies_beyond_the_room_for_deliveries_arrives_whole() {
    const REPLIES: u32 = 3000;
    let node = node();
    let (asker, answerer) = (client(&node, "asker"), client(&node, "answerer"));
    let reply_to = asker.consume_replies(ADDRESS).unwrap();
    let mut touched = Touched::default();
    for number in 0..REPLIES {
        let reply = message((0, number), 5000);
        assert_eq!(
            answerer.reply("", &reply_to, &reply, &mut touched),
            Some(true),
            "{number}"
        );
    }
    touched.wake_all();
    let mut inbox = Inbox::default();
    asker.mailbox().take(&mut inbox);
    let numbers = inbox
        .parcels
        .iter()
        .map(|parcel| crate::broker::id_of(&parcel.delivery.message).1);
    assert!(numbers.eq(0..REPLIES));
}

#[test]
fn replies_to_who_never_reads_are_refused_at_last_and_taken_again_after_that() {
    const MIB: usize = 1024 * 1024;
    let node = node();
    let (asker, answerer) = (client(&node, "asker"), client(&node, "answerer"));
    let reply_to = asker.consume_replies(ADDRESS).unwrap();
    let mut touched = Touched::default();
    let mut send = |reply| answerer.reply("", &reply_to, reply, &mut touched) == Some(true);
    let reply = message((0, 0), MIB);
    let taken = (0..1000).take_while(|_| send(&reply)).count();
    assert!((100..=128).contains(&taken), "{taken} MiB");
    let mut inbox = Inbox::default();
    asker.mailbox().take(&mut inbox);
    assert!(!send(&reply), "taken out is not yet written");
    let room = inbox.parcels.iter().map(warren_node::Parcel::room_bytes).sum();
    asker.mailbox().free_room(room);
    assert!(send(&reply));
    touched.wake_all();
}

#[test]
fn what_a_user_may_do_is_looked_up_when_the_virtual_host_is_opened() {
    let node = node();
    let user = UserName::new("late").unwrap();
    client(&node, "late");
    let logged_in = Arc::new(User::new(user.clone()));
    // Permissions given after the login count.
    assert!(
        node.enter(Arc::clone(&logged_in), "/", node.new_mailbox())
            .is_ok()
    );
    let permitted = Arc::new(client(&node, "late").user().clone());
    let revoke = |user: &mut User| drop(user.permissions.remove(&vhost()));
    node.change_user(&user, revoke).unwrap();
    let refused = node.enter(permitted, "/", node.new_mailbox()).unwrap_err();
    assert!(matches!(refused, LoginRefusal::VhostDenied(_)), "{refused}");
}

#[test]
fn a_user_who_is_gone_opens_no_virtual_host() {
    let node = node();
    let mut gone = client(&node, "present").user().clone();
    gone.name = UserName::new("gone").unwrap();
    let before = node.session_count();
    let refused = node.enter(Arc::new(gone), "/", node.new_mailbox()).unwrap_err();
    assert!(matches!(refused, LoginRefusal::Credentials(_)), "{refused}");
    assert_eq!(node.session_count(), before);
}

/// Waits without sleeping until so many have come, so that they go on at the same moment.
fn meet(come: &AtomicUsize, wanted: usize) {
    come.fetch_add(1, Ordering::SeqCst);
    let mut spins = 0_u32;
    while come.load(Ordering::SeqCst) < wanted {
        std::hint::spin_loop();
        spins += 1;
        // The other may have no processor to come on; but a yield each time would part them.
        if spins.is_multiple_of(10_000) {
            thread::yield_now();
        }
    }
}

#[test]
fn the_alarm_agrees_with_what_is_held_when_threads_cross_the_watermark() {
    const ROUNDS: usize = 200_000;
    // With what one thread adds it is high, and low again with what the other takes away.
    let memory = Memory::new(1000);
    memory.session_changed(0, 940);
    let come = AtomicUsize::new(0);
    // Counted, and asserted at the end: a thread that failed would leave the other waiting.
    let wrong = AtomicUsize::new(0);
    let cross = |before, after| {
        for round in 0..ROUNDS {
            meet(&come, 4 * round + 2);
            memory.session_changed(before, after);
            meet(&come, 4 * round + 4);
            wrong.fetch_add(usize::from(memory.is_alarmed()), Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| cross(0, 100));
        cross(100, 0);
    });
    assert_eq!(
        wrong.into_inner(),
        0,
        "alarmed with {} bytes",
        memory.held_bytes()
    );
    assert_eq!(memory.held_bytes(), 940);
}

#[test]
fn a_purge_among_many_unsettled_ranges_ends_and_spares_them() {
    const RANGES: u32 = 50_000;
    const READY: u32 = 100_000;
    let node = node();
    let mut client = client(&node, "u");
    let queue = declare_queue(&mut client, "q");
    publish(&client, &queue, 2 * RANGES, 0);
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    for number in 0..2 * RANGES {
        let (_, Got::Message(taken)) = client.take(&name("q"), false).unwrap() else {
            panic!("there is one")
        };
        // Every other one stays out, so that no two of them are neighbours.
        if number % 2 == 0 {
            batch.settle(&queue, taken.delivery.ticket);
        }
    }
    client.flush(&mut batch, &mut touched);
    publish(&client, &queue, READY, 0);
    assert_eq!(client.purge(&name("q")).unwrap().0, READY as usize);
    let totals = queue.totals();
    assert_eq!((totals.ready, totals.unsettled), (0, RANGES as usize));
}

#[test]
fn a_consumer_that_is_cancelled_no_longer_waits_for_shared_credit() {
    let node = node();
    let mut client = client(&node, "u");
    let queue = declare_queue(&mut client, "q");
    let shared = Arc::new(SharedCredit::default());
    assert!(shared.set_limit(1).is_empty());
    let keeper = consume(&mut client, "q", &shared);
    publish(&client, &queue, 3, 0);
    for _ in 0..100 {
        let consumed = consume(&mut client, "q", &shared);
        client.cancel(&consumed.queue, consumed.key, &mut Touched::default());
    }
    let waiting = shared.release(1);
    assert!(matches!(*waiting, [Starved::Consumer(_, key)] if key == keeper.key));
}

#[test]
fn a_consumer_of_a_deleted_queue_no_longer_waits_for_shared_credit() {
    let node = node();
    let mut client = client(&node, "u");
    let queue = declare_queue(&mut client, "kept");
    let shared = Arc::new(SharedCredit::default());
    assert!(shared.set_limit(1).is_empty());
    consume(&mut client, "kept", &shared);
    publish(&client, &queue, 1, 0);
    for _ in 0..3 {
        let queue = declare_queue(&mut client, "gone");
        publish(&client, &queue, 1, 0);
        consume(&mut client, "gone", &shared);
        delete(&mut client, "gone");
        assert_eq!(Arc::strong_count(&queue), 1, "nobody else knows it");
    }
    assert!(shared.release(1).is_empty());
}

/// Of three queues that have more than is taken, each gives some.
#[test]
fn queues_take_turns_at_shared_credit() {
    let node = node();
    let mut client = client(&node, "u");
    let shared = Arc::new(SharedCredit::default());
    assert!(shared.set_limit(1).is_empty());
    for name in ["a", "b", "c"] {
        let queue = declare_queue(&mut client, name);
        publish(&client, &queue, 10, 0);
        consume(&mut client, name, &shared);
    }
    let left =
        |client: &Client| ["a", "b", "c"].map(|queue| client.vhost().queue(queue).unwrap().totals().ready);
    let mut touched = Touched::default();
    for _ in 0..8 {
        Starved::resume_all(&shared.release(1), &mut touched);
    }
    touched.wake_all();
    // One message went out at once.
    assert_eq!(left(&client), [6, 7, 8]);
}

#[test]
fn queues_take_turns_at_the_room_of_a_session() {
    const BODY_BYTES: usize = ROOM_BYTES / 2;
    let node = node();
    let mut client = client(&node, "u");
    let shared = Arc::new(SharedCredit::default());
    for name in ["a", "b", "c"] {
        let queue = declare_queue(&mut client, name);
        publish(&client, &queue, 20, BODY_BYTES);
        consume(&mut client, name, &shared);
    }
    let mut got = [0; 3];
    let mut touched = Touched::default();
    let mut inbox = Inbox::default();
    for _ in 0..9 {
        client.mailbox().take(&mut inbox);
        let room = inbox.parcels.iter().map(warren_node::Parcel::room_bytes).sum();
        inbox.parcels.clear();
        Starved::resume_all(&client.mailbox().free_room(room), &mut touched);
    }
    for (name, got) in ["a", "b", "c"].iter().zip(&mut got) {
        *got = 20 - client.vhost().queue(name).unwrap().totals().ready;
    }
    touched.wake_all();
    assert!(got.iter().all(|got| *got >= 4), "{got:?}");
}

/// A client whose mailbox is full with the deliveries of a queue.
fn filled(node: &Arc<warren_node::Node>) -> (Client, Arc<SharedCredit>) {
    let mut client = client(node, "u");
    let shared = Arc::new(SharedCredit::default());
    let queue = declare_queue(&mut client, "full");
    publish(&client, &queue, 1, ROOM_BYTES);
    consume(&mut client, "full", &shared);
    assert_eq!(queue.totals().unsettled, 1);
    (client, shared)
}

#[test]
fn a_consumer_that_is_cancelled_no_longer_waits_for_room() {
    let node = node();
    let (mut client, shared) = filled(&node);
    let queue = declare_queue(&mut client, "q");
    publish(&client, &queue, 1, 0);
    for _ in 0..100 {
        let consumed = consume(&mut client, "q", &shared);
        client.cancel(&consumed.queue, consumed.key, &mut Touched::default());
    }
    let kept = consume(&mut client, "q", &shared);
    let waiting = client.mailbox().free_room(ROOM_BYTES);
    let keys: Vec<_> = waiting
        .into_iter()
        .filter_map(|starved| match starved {
            Starved::Consumer(_, key) => Some(key),
            Starved::Browser(_) => None,
        })
        .collect();
    assert_eq!(keys, [kept.key]);
}

#[test]
fn a_consumer_of_a_deleted_queue_no_longer_waits_for_room() {
    let node = node();
    let (mut client, shared) = filled(&node);
    for _ in 0..3 {
        let queue = declare_queue(&mut client, "gone");
        publish(&client, &queue, 1, 0);
        consume(&mut client, "gone", &shared);
        delete(&mut client, "gone");
        assert_eq!(Arc::strong_count(&queue), 1, "nobody else knows it");
    }
    assert!(client.mailbox().free_room(ROOM_BYTES).is_empty());
}

#[test]
fn a_session_forgets_its_exclusive_queues_when_they_go_before_it() {
    let node = node();
    let mut client = client(&node, "u");
    own(&mut client, "private", false);
    own(&mut client, "private-auto", true);
    assert!(format!("{client:?}").contains("private"));
    delete(&mut client, "private");
    let consumed = consume(&mut client, "private-auto", &Arc::default());
    client.cancel(&consumed.queue, consumed.key, &mut Touched::default());
    assert!(client.vhost().queue("private-auto").is_none());
    assert!(!format!("{client:?}").contains("private"), "{client:?}");
}

/// A folder of a node that had three messages in a queue, deleted it and stopped. The log still tells of
/// them.
fn folder_with_a_deleted_queue() -> SimDisk {
    let disk = SimDisk::new(1);
    let opened = Node::open(Config::default(), options(), Arc::new(disk.clone())).unwrap();
    let node = opened.node;
    node.put_vhost(Vhost::named(vhost()));
    let mut publisher = client(&node, "publisher");
    for queue in ["stays", "goes"] {
        let queue = declare_queue(&mut publisher, queue);
        publish(&publisher, &queue, 3, 0);
    }
    node.commit_log().unwrap();
    let mut touched = Touched::default();
    publisher
        .delete_queue(&name("goes"), false, false, &mut touched)
        .unwrap();
    touched.wake_all();
    drop(publisher);
    node.stop().unwrap();
    disk.kill()
}

fn options() -> Options {
    let log = warren_store::Options {
        segment_bytes: 64 * 1024,
        log_bytes_max: 512 * 1024,
        waiting_bytes_max: 256 * 1024,
        sync: true,
    };
    Options {
        log,
        disk_free_limit: 0,
        ..Options::default()
    }
}

fn recovered(disk: SimDisk) -> Recovered {
    let opened = Node::open(Config::default(), options(), Arc::new(disk));
    opened.unwrap().recovered
}

/// A queue that a whole checkpoint does not have was deleted: its messages are no loss, whatever is damaged.
#[test]
fn messages_of_a_deleted_queue_are_not_told_as_lost() {
    let sound = folder_with_a_deleted_queue();
    assert_eq!(recovered(sound.kill()).messages, 3);
    for file in ["checkpoint", "checkpoint.copy"] {
        for at in 0..sound.bytes(file).len() {
            let disk = sound.kill();
            disk.flip(file, at, 1);
            let recovered = recovered(disk);
            assert!(!recovered.damages.is_empty(), "{file} at {at}");
            let told = (recovered.messages, recovered.messages_lost);
            assert_eq!(told, (3, 0), "{file} at {at}");
        }
    }
    let disk = sound.kill();
    disk.damage("checkpoint.copy", Vec::clear);
    assert_eq!(recovered(disk).messages_lost, 0);
}

/// Where an entry is gone from both files nobody can say that the queue was deleted.
#[test]
fn messages_of_a_queue_whose_declaration_is_lost_are_told_as_lost() {
    let sound = folder_with_a_deleted_queue();
    let bytes = sound.bytes("checkpoint");
    let declaration = bytes.windows(5).rposition(|bytes| bytes == b"stays").unwrap();
    let disk = sound.kill();
    for file in ["checkpoint", "checkpoint.copy"] {
        disk.flip(file, declaration, 1);
    }
    let recovered = recovered(disk);
    // Those of the queue that is lost, and of the deleted one, which nobody can tell from it.
    assert_eq!((recovered.messages, recovered.messages_lost), (0, 6));
}

/// Where the record of an acknowledgement is damaged the message comes back, and had been out.
#[test]
fn a_message_whose_acknowledgement_is_damaged_comes_back_marked() {
    let disk = SimDisk::new(1);
    let opened = Node::open(Config::default(), options(), Arc::new(disk.clone())).unwrap();
    let node = opened.node;
    node.put_vhost(Vhost::named(vhost()));
    let mut session = client(&node, "u");
    let queue = declare_queue(&mut session, "q");
    publish(&session, &queue, 3, 0);
    node.commit_log().unwrap();
    let Got::Message(taken) = session.take(&name("q"), false).unwrap().1 else {
        panic!("there is a message");
    };
    let mut batch = Batch::default();
    batch.settle(&queue, taken.delivery.ticket);
    session.flush(&mut batch, &mut Touched::default());
    drop(session);
    node.stop().unwrap();
    let log = "log/00000000000000000001.log";
    let used = disk.bytes(log).iter().rposition(|byte| *byte != 0).unwrap();
    let mut came_back = 0;
    for at in 4096..=used {
        let damaged = disk.kill();
        damaged.flip(log, at, 1);
        let opened = Node::open(Config::default(), options(), Arc::new(damaged)).unwrap();
        let mut session = client(&opened.node, "u");
        while let Got::Message(back) = session.take(&name("q"), true).unwrap().1 {
            if back.delivery.ticket == taken.delivery.ticket {
                came_back += 1;
                assert!(back.delivery.redelivered, "byte {at}");
            }
        }
    }
    assert!(came_back > 20, "{came_back} of the bytes are those of the record");
}

/// The log still tells of messages of a queue that is gone, and of some of them the bodies are gone, too.
#[test]
fn bodies_that_a_deleted_queue_referred_to_are_not_told_as_lost() {
    let disk = SimDisk::new(1);
    let opened = Node::open(Config::default(), options(), Arc::new(disk.clone())).unwrap();
    let node = opened.node;
    node.put_vhost(Vhost::named(vhost()));
    let mut session = client(&node, "u");
    let [a, b, between] = ["a", "b", "between"].map(|queue| declare_queue(&mut session, queue));
    let floor = node.appended();
    let shared = message((1, 7), 100);
    shared.expect_queues(2);
    let half = |queue: &Arc<LiveQueue>| flush_to(queue, &shared, floor);
    half(&a);
    // The log is needed from here on.
    publish(&session, &between, 3, 10 * 1024);
    half(&b);
    node.commit_log().unwrap();
    session.take(&name("a"), true).unwrap();
    delete(&mut session, "b");
    drop(session);
    node.stop().unwrap();
    let recovered = recovered(disk.kill());
    assert_eq!((recovered.messages, recovered.messages_lost), (3, 0));
}

/// A session's batch refers to a body that it logged for the queue before. In between another session wrote
/// to the queue that comes next, and a checkpoint must not let go of the body for that.
#[test]
fn a_body_is_kept_for_a_queue_to_which_another_session_wrote_later() {
    let disk = SimDisk::new(1);
    let log = warren_store::Options {
        segment_bytes: 256 * 1024,
        log_bytes_max: 16 * 1024 * 1024,
        waiting_bytes_max: 4 * 1024 * 1024,
        sync: true,
    };
    let options = Options {
        log,
        disk_free_limit: 0,
        ..Options::default()
    };
    let opened = Node::open(Config::default(), options.clone(), Arc::new(disk.clone())).unwrap();
    let node = opened.node;
    node.put_vhost(Vhost::named(vhost()));
    let (mut session, other) = (client(&node, "u"), client(&node, "other"));
    let queues = ["a", "b", "c"].map(|queue| declare_queue(&mut session, queue));
    let [a, b, c] = &queues;
    // The batch of a session, half done.
    let floor = node.appended();
    let shared = message((1, 7), 100);
    shared.expect_queues(2);
    let half = |queue: &Arc<LiveQueue>| flush_to(queue, &shared, floor);
    half(a);
    // Several files of the log.
    publish(&other, c, 20, 64 * 1024);
    publish(&other, b, 1, 0);
    half(b);
    while node.commit_log().unwrap() {}
    for (queue, count) in [("a", 1), ("b", 1), ("c", 20)] {
        for _ in 0..count {
            session.take(&name(queue), true).unwrap();
        }
    }
    node.stop().unwrap();
    let opened = Node::open(Config::default(), options, Arc::new(disk.kill())).unwrap();
    assert_eq!(opened.recovered.damages, []);
    let Got::Message(got) = client(&opened.node, "u").take(&name("b"), true).unwrap().1 else {
        panic!("the message is lost");
    };
    assert_eq!(got.delivery.message.body(), shared.body());
}

/// Publishers to other queues went on only when the full one had been written.
#[test]
fn a_full_queue_holds_up_those_who_publish_to_it_and_no_others() {
    const BUDGET: usize = 1024 * 1024;
    let options = Options {
        recent_bytes: BUDGET as u64,
        disk_free_limit: 0,
        ..Options::default()
    };
    let opened = Node::open(Config::default(), options, Arc::new(SimDisk::new(1))).unwrap();
    let node = opened.node;
    node.put_vhost(Vhost::named(vhost()));
    let mut session = client(&node, "u");
    let [full, other] = ["full", "other"].map(|queue| declare_queue(&mut session, queue));
    let burden = |queue: &Arc<LiveQueue>, count, padding| {
        let (mut batch, mut touched) = (Batch::default(), Touched::default());
        (0..count).for_each(|number| batch.publish(queue, message((0, number), padding), 0));
        let worked = session.flush(&mut batch, &mut touched);
        Burden::of(worked)
    };
    let heavy = burden(&full, 10, BUDGET / 4);
    let light = burden(&other, 1, 10);
    while node.commit_log().unwrap() {}
    assert!(node.is_congested(heavy) && !node.is_congested(light));
    node.notify_room(session.mailbox(), heavy);
    assert!(!session.mailbox().is_pending());
    // What waits is written to the disk, and there is room.
    node.keep_house().unwrap();
    assert!(!node.is_congested(heavy));
    assert!(session.mailbox().is_pending(), "it is told so");
}

/// It matured, was logged again as a reference to where it was logged first, and a checkpoint let go of that.
#[test]
fn what_was_delayed_stands_in_the_log_where_it_is_due() {
    // A body is referred to if no checkpoint may have let go of it, and by the queue that kept it as long as
    // it did not go to an extent.
    delayed_stands_where_it_is_due(4, 0, 0);
    delayed_stands_where_it_is_due(4, 1, 2);
    delayed_stands_where_it_is_due(16, 16, 3);
}

/// The body is delayed by five seconds in two queues together, and in one alone, and there something else by
/// one.
fn publish_delayed(session: &Client, both: [&Arc<LiveQueue>; 2], alone: &Arc<LiveQueue>, body: &[u8]) {
    let later = |body, ms| timed("q", body, HOUR_MS, |note| note.due_ms(HOUR_MS + ms));
    let shared = later(body, 5_000);
    shared.expect_queues(2);
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    for queue in both {
        batch.publish(queue, shared.clone(), 0);
    }
    for once in [later(body, 5_000), later(b"soon", 1_000)] {
        once.expect_queues(1);
        batch.publish(alone, once, 0);
    }
    session.flush(&mut batch, &mut touched);
    touched.wake_all();
}

/// Of two queues together, and of one alone. While they wait, the log grows by six megabytes for each round,
/// and house is kept after the last ones. So many bodies are to be written when they are due.
fn delayed_stands_where_it_is_due(rounds: usize, kept: usize, bodies: u64) {
    const BODY_BYTES: u64 = 50_000;
    let log = warren_store::Options {
        segment_bytes: 1024 * 1024,
        log_bytes_max: 64 * 1024 * 1024,
        waiting_bytes_max: 16 * 1024 * 1024,
        sync: true,
    };
    let options = Options {
        log,
        recent_bytes: 1 << 30,
        disk_free_limit: 0,
        ..Options::default()
    };
    let disk = SimDisk::new(7);
    let opened = Node::open(Config::default(), options.clone(), Arc::new(disk.clone())).unwrap();
    let node = opened.node;
    node.tick(HOUR_MS);
    node.put_vhost(Vhost::named(vhost()));
    let mut session = client(&node, "u");
    let [a, b, alone, other] = ["a", "b", "alone", "other"].map(|queue| declare_queue(&mut session, queue));
    let body = vec![7; BODY_BYTES as usize];
    publish_delayed(&session, [&a, &b], &alone, &body);
    // What is due so soon after another stays in memory when it goes to an extent.
    node.tick(HOUR_MS + 4_000);
    assert_eq!(drain(&mut session, "alone"), [b"soon"]);
    let keep_house = || {
        while node.commit_log().unwrap() {}
        while node.keep_house().unwrap() != Step::Done {}
    };
    // Several marks of the log, and more than is written between two checkpoints.
    for round in 0..rounds {
        publish(&session, &other, 60, 100_000);
        assert_eq!(drain(&mut session, "other").len(), 60);
        if round >= rounds - kept {
            keep_house();
        }
    }
    while node.commit_log().unwrap() {}
    let before = node.appended();
    node.tick(HOUR_MS + 6_000);
    // What stands in an extent is read first.
    while node.read_back() {}
    node.tick(HOUR_MS + 6_001);
    let written = node.appended().0 - before.0;
    assert_eq!(written / BODY_BYTES, bodies, "{written} bytes");
    while node.commit_log().unwrap() {}
    for _ in 0..10 {
        publish(&session, &other, 20, 100_000);
        assert_eq!(drain(&mut session, "other").len(), 20);
        keep_house();
    }
    drop((session, node));
    let opened = Node::open(Config::default(), options, Arc::new(disk.kill())).unwrap();
    assert_eq!(
        (opened.recovered.messages_lost, opened.recovered.messages),
        (0, 3)
    );
    let mut session = client(&opened.node, "u");
    for queue in ["a", "b", "alone"] {
        let mut found = drain(&mut session, queue);
        // It may stand in an extent by now, and was asked for.
        while opened.node.read_back() {}
        found.extend(drain(&mut session, queue));
        assert!(found == [body.as_slice()], "{queue}: {} messages", found.len());
    }
}

/// Who came into the place of a consumer that left was told, and the channel found none of it.
#[test]
fn who_takes_the_place_of_a_consumer_is_not_told_of_its_deliveries() {
    let node = node();
    node.tick(HOUR_MS);
    let mut first = client(&node, "first");
    let mut second = client(&node, "second");
    let arguments = [
        ("x-queue-type", Value::from("quorum")),
        ("x-consumer-timeout", Value::I64(60_000)),
    ];
    let queue = declare_with(&mut first, "q", &arguments);
    let left = consume(&mut first, "q", &Arc::default());
    put(&first, &queue, &[message((0, 1), 0)]);
    first.cancel(&left.queue, left.key, &mut Touched::default());
    let came = consume(&mut second, "q", &Arc::default());
    assert_eq!(came.key.slot(), left.key.slot());
    node.tick(HOUR_MS + 61_000);
    let mut inbox = Inbox::default();
    second.mailbox().take(&mut inbox);
    assert_eq!(inbox.parcels.len(), 1, "it is delivered again");
    let is_told = |notice: &Notice| matches!(notice, Notice::TimedOut(..));
    assert!(!inbox.notices.iter().any(is_told), "{:?}", inbox.notices);
    // Who left still counts it.
    let mut inbox = Inbox::default();
    first.mailbox().take(&mut inbox);
    assert!(inbox.notices.iter().any(is_told), "{:?}", inbox.notices);
}
