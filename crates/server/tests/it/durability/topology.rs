//! Exchanges, queues and bindings over a restart.

use warren_protocol::amqp091::method::{Method, exchange, queue};
use warren_protocol::amqp091::properties::Fields;
use warren_protocol::amqp091::table::{TableBuf, TableWriter};
use warren_testkit::peer::Peer;

use super::client::{Message, Publisher, take_messages};
use super::{End, start_small};
use crate::program::Program;

fn declare_queue(peer: &mut Peer, queue: &str, durable: bool, exclusive: bool) {
    let declare = queue::Declare {
        queue,
        durable,
        exclusive,
        ..queue::Declare::default()
    };
    peer.call(1, declare, "queue.declare-ok").unwrap();
}

fn declare_exchange(peer: &mut Peer, exchange: &str, type_: &str, durable: bool) {
    let declare = exchange::Declare {
        exchange,
        type_,
        durable,
        ..exchange::Declare::default()
    };
    peer.call(1, declare, "exchange.declare-ok").unwrap();
}

fn bind(peer: &mut Peer, queue: &str, exchange: &str, key: &str) {
    bind_with(peer, queue, exchange, key, |_| {});
}

fn bind_with(
    peer: &mut Peer,
    queue: &str,
    exchange: &str,
    key: &str,
    fill: impl FnOnce(&mut TableWriter<'_>),
) {
    let arguments = TableBuf::build(fill).unwrap();
    let bind = queue::Bind {
        queue,
        exchange,
        routing_key: key,
        arguments: arguments.as_table(),
        ..queue::Bind::default()
    };
    peer.call(1, bind, "queue.bind-ok").unwrap();
}

fn bind_exchange(peer: &mut Peer, destination: &str, source: &str, routing_key: &str) {
    let bind = exchange::Bind {
        destination,
        source,
        routing_key,
        ..exchange::Bind::default()
    };
    peer.call(1, bind, "exchange.bind-ok").unwrap();
}

/// Asks for an object on a connection of its own, which does not outlive a refusal.
fn is_there<'m>(program: &Program, passive: impl Into<Method<'m>>, answer: &str) -> bool {
    match program.peer().call(1, passive, answer) {
        Ok(_) => true,
        Err(refused) => {
            assert!(refused.to_string().starts_with("404 NOT_FOUND"), "{refused}");
            false
        }
    }
}

fn has_queue(program: &Program, queue: &str) -> bool {
    let passive = queue::Declare {
        queue,
        passive: true,
        ..queue::Declare::default()
    };
    is_there(program, passive, "queue.declare-ok")
}

fn has_exchange(program: &Program, exchange: &str) -> bool {
    let passive = exchange::Declare {
        exchange,
        passive: true,
        ..exchange::Declare::default()
    };
    is_there(program, passive, "exchange.declare-ok")
}

/// Two durable queues, `one` and `two`, and a way into them through every type of exchange.
fn declare_ways(peer: &mut Peer) {
    for (name, type_) in [
        ("d", "direct"),
        ("f", "fanout"),
        ("t", "topic"),
        ("h", "headers"),
        ("outer", "topic"),
    ] {
        declare_exchange(peer, name, type_, true);
    }
    for queue in ["one", "two"] {
        declare_queue(peer, queue, true, false);
        bind(peer, queue, "f", "");
    }
    bind(peer, "one", "d", "key");
    bind(peer, "two", "t", "a.*.c");
    bind_with(peer, "one", "h", "", |arguments| {
        arguments.string("x-match", "any");
        arguments.i32("size", 9);
    });
    bind_exchange(peer, "f", "outer", "far.#");
}

/// What goes these ways: a message, and whether it gets into `one` and into `two`.
fn travellers() -> Vec<(Message, bool, bool)> {
    let with_header = |name: &str, value| {
        let headers = TableBuf::build(|headers| headers.i32(name, value)).unwrap();
        let fields = Fields {
            headers: Some(headers.as_table()),
            delivery_mode: Some(2),
            ..Fields::default()
        };
        Message::new("", true, "h").with(&fields).through("h", "")
    };
    let through = |exchange: &str, key: &str| Message::new("", true, key).through(exchange, key);
    vec![
        (through("d", "key"), true, false),
        (through("d", "other"), false, false),
        (through("f", "whatever"), true, true),
        (through("t", "a.b.c"), false, true),
        (through("t", "a.b"), false, false),
        (through("outer", "far.away"), true, true),
        (through("outer", "near"), false, false),
        (with_header("size", 9), true, false),
        (with_header("size", 8), false, false),
    ]
}

fn goes_its_ways(program: &Program) {
    let mut publisher = Publisher::of(program);
    // What was taken out shortly before a crash may be back.
    for queue in ["one", "two"] {
        let purge = queue::Purge {
            queue,
            ..queue::Purge::default()
        };
        publisher.peer.call(1, purge, "queue.purge-ok").unwrap();
    }
    let travellers = travellers();
    publisher.publish_all(travellers.iter().map(|(message, ..)| message));
    let ones = travellers.iter().filter(|(_, one, _)| *one);
    let ones: Vec<_> = ones.map(|(message, ..)| message.clone()).collect();
    let twos = travellers.iter().filter(|(.., two)| *two);
    let twos: Vec<_> = twos.map(|(message, ..)| message.clone()).collect();
    assert_eq!(take_messages(&mut publisher.peer, "one"), ones);
    assert_eq!(take_messages(&mut publisher.peer, "two"), twos);
    publisher.peer.close().unwrap();
}

#[test]
fn durable_exchanges_queues_and_bindings_survive() {
    for end in End::BOTH {
        let mut program = start_small(&[]);
        let mut peer = program.peer();
        declare_ways(&mut peer);
        peer.close().unwrap();
        goes_its_ways(&program);
        for _ in 0..2 {
            end.and_again(&mut program);
            goes_its_ways(&program);
        }
    }
}

#[test]
fn what_is_not_durable_goes_and_takes_its_bindings_with_it() {
    for end in End::BOTH {
        let mut program = start_small(&[]);
        let mut peer = program.peer();
        declare_exchange(&mut peer, "passing", "fanout", false);
        declare_exchange(&mut peer, "lasting", "fanout", true);
        declare_queue(&mut peer, "passing", false, false);
        declare_queue(&mut peer, "lasting", true, false);
        declare_queue(&mut peer, "exclusive", true, true);
        bind(&mut peer, "passing", "lasting", "");
        bind(&mut peer, "lasting", "passing", "");
        bind(&mut peer, "exclusive", "lasting", "");
        bind_exchange(&mut peer, "passing", "lasting", "");
        match end {
            End::Kill => program.kill(),
            End::Stop => {
                peer.close().unwrap();
                program.stop();
            }
        }
        program.start_again(&[]);
        for queue in ["passing", "exclusive"] {
            assert!(!has_queue(&program, queue), "queue {queue} after {end:?}");
        }
        assert!(!has_exchange(&program, "passing"), "{end:?}");
        assert!(
            has_exchange(&program, "lasting") && has_queue(&program, "lasting"),
            "{end:?}"
        );
        // No binding is left behind that would hold for others of the same name.
        let mut publisher = Publisher::of(&program);
        declare_queue(&mut publisher.peer, "passing", false, false);
        declare_exchange(&mut publisher.peer, "passing", "fanout", false);
        for exchange in ["lasting", "passing"] {
            publisher.publish_all([&Message::new("", true, "nowhere").through(exchange, "")]);
        }
        for queue in ["passing", "lasting"] {
            assert_eq!(
                take_messages(&mut publisher.peer, queue),
                [],
                "{queue} after {end:?}"
            );
        }
    }
}

#[test]
fn what_was_deleted_and_unbound_does_not_come_back() {
    for end in End::BOTH {
        let mut program = start_small(&[]);
        let mut publisher = Publisher::of(&program);
        let peer = &mut publisher.peer;
        declare_ways(peer);
        declare_queue(peer, "gone", true, false);
        bind(peer, "gone", "f", "");
        publisher.publish_all([&Message::new("gone", true, "goes with its queue")]);
        let peer = &mut publisher.peer;
        let delete = queue::Delete {
            queue: "gone",
            ..queue::Delete::default()
        };
        peer.call(1, delete, "queue.delete-ok").unwrap();
        let delete = exchange::Delete {
            exchange: "d",
            ..exchange::Delete::default()
        };
        peer.call(1, delete, "exchange.delete-ok").unwrap();
        let unbind = queue::Unbind {
            queue: "two",
            exchange: "f",
            ..queue::Unbind::default()
        };
        peer.call(1, unbind, "queue.unbind-ok").unwrap();
        publisher.peer.close().unwrap();
        end.and_again(&mut program);
        assert!(!has_queue(&program, "gone"), "{end:?}");
        assert!(!has_exchange(&program, "d"), "{end:?}");
        let mut publisher = Publisher::of(&program);
        declare_queue(&mut publisher.peer, "gone", true, false);
        publisher.publish_all([&Message::new("", true, "x").through("f", "")]);
        for (queue, expected) in [("gone", 0), ("one", 1), ("two", 0)] {
            let found = take_messages(&mut publisher.peer, queue);
            assert_eq!(found.len(), expected, "{queue} after {end:?}: {found:?}");
        }
        publisher.peer.close().unwrap();
    }
}
