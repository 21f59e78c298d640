//! The memory alarm: publishers wait, consumers go on, nothing is lost.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use warren_protocol::amqp091::method::Method;
use warren_testkit::peer::{Peer, publish};

use crate::program::{start, wait_for};

/// Messages, and the bytes of each: far more than the sockets hold between the two.
const MESSAGES: usize = 3000;
const BODY_BYTES: usize = 16 * 1024;

/// All that the publisher is going to say.
fn messages() -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = vec![0; BODY_BYTES];
    for number in 0..MESSAGES {
        body[..8].copy_from_slice(&(number as u64).to_be_bytes());
        publish(1, "", "q", &body, &mut out);
    }
    out
}

/// Writes until the broker reads no more. Answers how much it took.
fn write_until_stuck(mut stream: &TcpStream, bytes: &[u8]) -> usize {
    stream
        .set_write_timeout(Some(Duration::from_millis(700)))
        .unwrap();
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => panic!("{error}"),
        }
    }
    stream.set_write_timeout(None).unwrap();
    written
}

/// Hears confirms until all messages have one. Answers how often it was blocked and unblocked.
fn hear_confirms(publisher: &mut Peer) -> (usize, usize) {
    let (mut confirmed, mut blocked, mut unblocked) = (0, 0, 0);
    while confirmed < MESSAGES as u64 {
        let heard = publisher.frame().unwrap();
        match heard.method().unwrap() {
            Method::BasicAck(ack) if ack.multiple => confirmed = confirmed.max(ack.delivery_tag),
            Method::BasicAck(ack) => {
                assert_eq!(ack.delivery_tag, confirmed + 1);
                confirmed += 1;
            }
            Method::ConnectionBlocked(_) => blocked += 1,
            Method::ConnectionUnblocked(_) => unblocked += 1,
            other => panic!("{other:?}"),
        }
    }
    (blocked, unblocked)
}

#[test]
fn a_publisher_waits_until_a_consumer_made_room() {
    let program = start(&["vm_memory_high_watermark.absolute=1MB"]);
    let mut publisher = program.peer();
    publisher.declare("q").unwrap();
    publisher.confirm().unwrap();
    let bytes = messages();
    let written = write_until_stuck(publisher.stream(), &bytes);
    assert!(written < bytes.len(), "the broker read all of {written} bytes");
    let heard = publisher.expect("connection.blocked").unwrap();
    let Method::ConnectionBlocked(blocked) = heard.method().unwrap() else {
        panic!("{heard:?}");
    };
    assert_eq!(blocked.reason, "low on memory");
    program.logged(&["WARN", "memory alarm set"]);
    let mut consumer = program.peer();
    let ready = consumer.ready("q").unwrap() as usize;
    // The watermark, and what one turn of reading brings beyond it.
    assert!(
        ready * BODY_BYTES < 4 * 1024 * 1024,
        "{ready} messages in spite of the alarm"
    );
    consumer.consume("q", 100).unwrap();
    let mut rest = publisher.stream().try_clone().unwrap();
    let unsaid = bytes[written..].to_vec();
    let writing = thread::spawn(move || rest.write_all(&unsaid).unwrap());
    let hearing = thread::spawn(move || {
        let counts = hear_confirms(&mut publisher);
        (publisher, counts)
    });
    for number in 0..MESSAGES as u64 {
        let delivery = consumer.delivery().unwrap();
        assert_eq!(delivery.body.len(), BODY_BYTES);
        assert_eq!(delivery.body[..8], number.to_be_bytes());
        assert!(!delivery.redelivered);
        consumer.ack(&delivery).unwrap();
    }
    writing.join().unwrap();
    let (publisher, (blocked, unblocked)) = hearing.join().unwrap();
    // The first blocked was heard above.
    assert!(
        unblocked >= 1 && blocked + 1 >= unblocked,
        "{blocked} {unblocked}"
    );
    program.logged(&["INFO", "memory alarm cleared"]);
    assert_eq!(consumer.ready("q").unwrap(), 0);
    publisher.close().unwrap();
    consumer.close().unwrap();
}

#[test]
fn who_does_not_publish_is_not_held_back() {
    let program = start(&["vm_memory_high_watermark.absolute=100kB"]);
    let mut publisher = program.peer();
    publisher.declare("q").unwrap();
    publisher.publish(1, "", "q", &vec![0; 200_000]).unwrap();
    let mut other = program.peer();
    // The alarm is set by then.
    wait_for("the message", || (other.ready("q").unwrap() == 1).then_some(()));
    publisher.publish(1, "", "q", b"one too many").unwrap();
    publisher.expect("connection.blocked").unwrap();
    other.declare("other").unwrap();
    assert_eq!(other.ready("other").unwrap(), 0);
    other.consume("q", 1).unwrap();
    let delivery = other.delivery().unwrap();
    other.ack(&delivery).unwrap();
    publisher.expect("connection.unblocked").unwrap();
    publisher.confirm().unwrap();
    assert_eq!(other.delivery().unwrap().body, b"one too many");
    publisher.close().unwrap();
}
