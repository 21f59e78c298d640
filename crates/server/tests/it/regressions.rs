//! What once went wrong between session and socket, one test a defect, named by the behaviour that is right.

use warren_protocol::amqp091::frame::{Step, decode};
use warren_protocol::amqp091::method::{Method, basic, channel, queue};
use warren_testkit::peer::{Peer, publish};

use crate::program::start;

const WATERMARK: &str = "vm_memory_high_watermark.absolute=1MB";

/// Sets the alarm off.
const TOO_MUCH_BYTES: usize = 2_000_000;

/// Says that and one message more, and hears that there it ends.
fn block(publisher: &mut Peer, key: &str) {
    publisher.publish(1, "", key, &vec![0; TOO_MUCH_BYTES]).unwrap();
    publisher.publish(1, "", key, b"one too many").unwrap();
    publisher.expect("connection.blocked").unwrap();
}

/// Purges a queue and then publishes, in one write: who consumes the message hears of the end of the
/// alarm on the same occasion.
fn purge_and_publish(peer: &mut Peer, purged: &str, key: &str, body: &[u8]) {
    let mut out = Vec::new();
    let purge = queue::Purge {
        queue: purged,
        ..queue::Purge::default()
    };
    Method::from(purge).encode(1, &mut out);
    publish(1, "", key, body, &mut out);
    peer.write(&out).unwrap();
}

#[test]
fn a_blocked_publisher_that_consumes_is_read_again_when_the_alarm_is_over() {
    let program = start(&[WATERMARK]);
    let (mut publisher, mut other) = (program.peer(), program.peer());
    publisher.declare("big").unwrap();
    publisher.declare("own").unwrap();
    let consume = basic::Consume {
        queue: "own",
        no_ack: true,
        ..basic::Consume::default()
    };
    publisher.call(1, consume, "basic.consume-ok").unwrap();
    block(&mut publisher, "big");
    publisher.publish(1, "", "own", b"unread so far").unwrap();
    purge_and_publish(&mut other, "big", "own", b"from the other");
    publisher.expect("connection.unblocked").unwrap();
    let bodies = [
        publisher.delivery().unwrap().body,
        publisher.delivery().unwrap().body,
    ];
    assert_eq!(bodies, [&b"from the other"[..], b"unread so far"]);
}

#[test]
fn an_alarm_does_not_outlive_the_blocked_publisher_that_caused_it() {
    let program = start(&[WATERMARK]);
    let (mut holder, mut publisher) = (program.peer(), program.peer());
    holder.declare("q").unwrap();
    holder
        .call(2, channel::Open::default(), "channel.open-ok")
        .unwrap();
    let mut unfinished = Vec::new();
    publish(2, "", "q", &vec![0; TOO_MUCH_BYTES], &mut unfinished);
    holder.write(all_frames_but_the_last(&unfinished)).unwrap();
    holder.publish(1, "", "q", b"one too many").unwrap();
    holder.expect("connection.blocked").unwrap();
    publisher.publish(1, "", "q", b"blocked by the other").unwrap();
    publisher.expect("connection.blocked").unwrap();
    // Nobody read this before its end, which is no reason to lose it.
    holder.publish(1, "", "q", b"unread").unwrap();
    drop(holder);
    publisher.expect("connection.unblocked").unwrap();
    assert_eq!(publisher.ready("q").unwrap(), 3, "all that was finished");
}

fn all_frames_but_the_last(bytes: &[u8]) -> &[u8] {
    let (mut start, mut last) = (0, 0);
    while let Ok(Step::Frame { consumed, .. }) = decode(&bytes[start..], u32::MAX) {
        last = start;
        start += consumed;
    }
    &bytes[..last]
}
