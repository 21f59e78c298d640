//! Messages over a restart: which are there, with what is in them, in which order, and marked how.

use warren_protocol::amqp091::method::basic;
use warren_protocol::amqp091::properties::Fields;
use warren_protocol::amqp091::table::TableBuf;
use warren_testkit::peer::Delivery;

use super::client::{Message, Publisher, get, has_ready, numbers, take_all, take_messages};
use super::{End, start_small, take_leave};
use crate::program::start;

const MIB: usize = 1024 * 1024;

/// Every property there is, and every type of a header's value.
fn adorned() -> Message {
    let headers = TableBuf::build(|headers| {
        headers.string("text", "grüße");
        headers.bytes("bytes", [0, 255, 0]);
        headers.bool("bool", true);
        headers.i32("int", -7);
        headers.decimal("decimal", 2, 314);
        headers.void("void");
        headers.table("table", |inner| inner.string("deep", "down"));
        headers.array("array", |inner| inner.string("first"));
    })
    .unwrap();
    let fields = Fields {
        content_type: Some(b"text/plain"),
        content_encoding: Some(b"gzip"),
        headers: Some(headers.as_table()),
        delivery_mode: Some(2),
        priority: Some(9),
        correlation_id: Some(b"\xff\x00 not a text"),
        reply_to: Some(b"reply"),
        expiration: Some(b"86400000"),
        message_id: Some(b"m-1"),
        timestamp: Some(u64::MAX),
        type_: Some(b"type"),
        user_id: Some(b"guest"),
        app_id: Some(b"app"),
        cluster_id: Some(b""),
    };
    Message::new("q", true, "adorned").with(&fields)
}

/// Messages that differ in everything that a message can differ in.
fn variety() -> Vec<Message> {
    let long_key = "k".repeat(255);
    vec![
        Message::new("q", true, ""),
        adorned(),
        Message::numbered("q", 1, MIB),
        Message::new("", true, "by a long key").through("amq.topic", &long_key),
        Message::numbered("q", 2, 8 * MIB),
        Message::new("q", true, "the last"),
    ]
}

#[test]
fn messages_come_back_byte_for_byte() {
    for end in End::BOTH {
        let mut program = start(&[]);
        let mut publisher = Publisher::of(&program);
        publisher.peer.declare("q").unwrap();
        let bind = warren_protocol::amqp091::method::queue::Bind {
            queue: "q",
            exchange: "amq.topic",
            routing_key: "#",
            ..Default::default()
        };
        publisher.peer.call(1, bind, "queue.bind-ok").unwrap();
        let published = variety();
        publisher.publish_all(&published);
        publisher.peer.close().unwrap();
        end.and_again(&mut program);
        let mut peer = program.peer();
        let found = take_messages(&mut peer, "q");
        assert!(found == published, "after {end:?}: {found:?}");
    }
}

#[test]
fn transient_messages_go_and_the_others_keep_their_order() {
    for end in End::BOTH {
        let mut program = start_small(&[]);
        let mut publisher = Publisher::of(&program);
        for queue in ["q", "r"] {
            publisher.peer.declare(queue).unwrap();
        }
        for number in 0..300 {
            let queue = ["q", "r"][number as usize / 3 % 2];
            let mut message = Message::numbered(queue, number, 100);
            if number % 3 == 1 {
                message.properties = Message::new(queue, false, "").properties;
            }
            publisher.publish(&message);
        }
        publisher.hear_confirms();
        has_ready(&mut publisher.peer, "q", 150);
        publisher.peer.close().unwrap();
        end.and_again(&mut program);
        let mut peer = program.peer();
        for (queue, which) in [("q", 0), ("r", 1)] {
            let is_expected = |number: &u64| number % 3 != 1 && number / 3 % 2 == which;
            let expected: Vec<u64> = (0..300).filter(is_expected).collect();
            assert_eq!(
                numbers(&take_all(&mut peer, queue)),
                expected,
                "{queue} after {end:?}"
            );
        }
    }
}

fn marks(deliveries: &[Delivery]) -> Vec<bool> {
    deliveries.iter().map(|delivery| delivery.redelivered).collect()
}

/// Publishes ten, delivers 0 to 5, settles 1 and 4 of them. Answers the peer that still has the others.
fn deliver_some(publisher: &mut Publisher) -> Vec<Delivery> {
    publisher.peer.declare("q").unwrap();
    let messages: Vec<_> = (0..10).map(|number| Message::numbered("q", number, 64)).collect();
    publisher.publish_all(&messages);
    let out = get(&mut publisher.peer, "q", 6);
    assert_eq!(marks(&out), [false; 6]);
    publisher.peer.ack(&out[1]).unwrap();
    let discard = basic::Reject {
        delivery_tag: out[4].tag,
        requeue: false,
    };
    publisher.peer.send(1, discard).unwrap();
    has_ready(&mut publisher.peer, "q", 4);
    out
}

#[test]
fn after_a_stop_just_what_was_out_is_marked_and_what_was_settled_is_gone() {
    // The stop finds the deliveries out, or back.
    for is_connected in [true, false] {
        let mut program = start_small(&[]);
        let mut publisher = Publisher::of(&program);
        deliver_some(&mut publisher);
        if is_connected {
            program.signal("TERM");
            take_leave(publisher.peer);
            assert_eq!(program.wait().code(), Some(0), "{}", program.stderr());
        } else {
            publisher.peer.close().unwrap();
            program.stop();
        }
        program.start_again(&[]);
        let mut peer = program.peer();
        let found = get(&mut peer, "q", 8);
        assert_eq!(numbers(&found), [0, 2, 3, 5, 6, 7, 8, 9], "{is_connected}");
        let marked = [true, true, true, true, false, false, false, false];
        assert_eq!(marks(&found), marked, "{is_connected}");
        has_ready(&mut peer, "q", 0);
        // Now all were out, and the marks are not forgotten by the next stop.
        peer.close().unwrap();
        End::Stop.and_again(&mut program);
        assert_eq!(marks(&take_all(&mut program.peer(), "q")), [true; 8]);
    }
}

#[test]
fn after_a_crash_everything_is_marked() {
    let mut program = start_small(&[]);
    let mut publisher = Publisher::of(&program);
    deliver_some(&mut publisher);
    // A confirm says that what came before it in the log is on disk.
    publisher.publish_all([&Message::numbered("q", 10, 64)]);
    program.kill();
    program.start_again(&[]);
    let mut peer = program.peer();
    let found = get(&mut peer, "q", 9);
    assert_eq!(numbers(&found), [0, 2, 3, 5, 6, 7, 8, 9, 10]);
    assert_eq!(marks(&found), [true; 9]);
    peer.close().unwrap();
    // And stays so over a stop, while what comes later is new.
    End::Stop.and_again(&mut program);
    let mut publisher = Publisher::of(&program);
    publisher.publish_all([&Message::numbered("q", 11, 64)]);
    let found = take_all(&mut publisher.peer, "q");
    let marked = [vec![true; 9], vec![false]].concat();
    assert_eq!(marks(&found), marked);
}
