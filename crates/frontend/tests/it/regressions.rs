//! What once went wrong and can be told as a conversation, one test a defect, named by the behaviour that is
//! right. The conversations are transcripts with octets that are made here.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;
use std::path::Path;
use warren_protocol::amqp091::method::{Method, basic, channel, connection, queue};
use warren_testkit::transcript::check;

/// A frame whose end is wrong.
const BAD_END: &[u8] = b"\x01\0\0\0\0\0\x01Zz";

/// A frame that is larger than any that was agreed on.
const TOO_LARGE: &[u8] = b"\x01\0\0\xff\xff\xff\xff";

/// A frame of a kind that there is not.
const UNKNOWN_KIND: &[u8] = b"\x09\0\0\0\0\0\x01Z\xce";

/// A method that there is not, on channel 0.
const UNKNOWN_METHOD: &[u8] = b"\x01\0\0\0\0\0\x04\x7f\xff\x7f\xff\xce";

/// Holds a conversation, in a file of the test's name.
fn hold(name: &str, conversation: &str) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("regression-{name}.txt"));
    std::fs::write(&path, format!("=== {name}\n{conversation}")).unwrap();
    assert_eq!(check(&path), 1);
}

/// A line with which `C` says all of this in one write.
fn at_once(pieces: &[&[u8]]) -> String {
    let mut line = String::from("C> raw \"");
    for byte in pieces.concat() {
        write!(line, "\\x{byte:02x}").unwrap();
    }
    line + "\"\n"
}

fn bytes<'m>(number: u16, method: impl Into<Method<'m>>) -> Vec<u8> {
    let mut out = Vec::new();
    method.into().encode(number, &mut out);
    out
}

fn delete(name: &str) -> Vec<u8> {
    let delete = queue::Delete {
        queue: name,
        ..queue::Delete::default()
    };
    bytes(1, delete)
}

fn close(code: u16) -> connection::Close<'static> {
    connection::Close {
        code,
        ..connection::Close::default()
    }
}

/// Channel 3 consumes from `a`, channel 1 from `b`.
const CONSUMING: &str = "\
@connect C channels=1,2,3
C> 1 queue.declare queue=\"a\"
S< 1 queue.declare-ok queue=\"a\" message_count=0 consumer_count=0
C> 1 queue.declare queue=\"b\"
S< 1 queue.declare-ok queue=\"b\" message_count=0 consumer_count=0
C> 3 basic.consume queue=\"a\" consumer_tag=\"ta\"
S< 3 basic.consume-ok consumer_tag=\"ta\"
C> 1 basic.consume queue=\"b\" consumer_tag=\"tb\"
S< 1 basic.consume-ok consumer_tag=\"tb\"
";

#[test]
fn a_consumer_hears_of_its_end_though_another_channel_closes_at_the_same_time() {
    let said = at_once(&[&delete("a"), &bytes(2, channel::Close::default())]);
    let heard = "\
S< 1 queue.delete-ok message_count=0
S< 2 channel.close-ok
S< 3 basic.cancel consumer_tag=\"ta\" nowait
";
    hold("cancel-and-close", &format!("{CONSUMING}{said}{heard}"));
}

#[test]
fn a_consumer_hears_of_its_end_though_another_is_cancelled_at_the_same_time() {
    let cancel = basic::Cancel {
        consumer_tag: "tb",
        ..basic::Cancel::default()
    };
    let said = at_once(&[&delete("a"), &bytes(1, cancel)]);
    let heard = "\
S< 1 queue.delete-ok message_count=0
S< 1 basic.cancel-ok consumer_tag=\"tb\"
S< 3 basic.cancel consumer_tag=\"ta\" nowait
";
    hold("cancel-and-cancel", &format!("{CONSUMING}{said}{heard}"));
}

#[test]
fn what_is_bad_behind_the_clients_close_is_ignored() {
    for (number, bad) in [BAD_END, TOO_LARGE, UNKNOWN_KIND, UNKNOWN_METHOD]
        .iter()
        .enumerate()
    {
        let said = at_once(&[&bytes(0, close(200)), bad]);
        let again = at_once(&[bad]);
        let rest = format!("S< 0 connection.close-ok\n{again}@quiet\n");
        hold(&format!("client-closes-{number}"), &format!("{said}{rest}"));
    }
}

#[test]
fn what_is_bad_behind_the_brokers_close_is_ignored_and_close_ok_still_heard() {
    let closes = "\
C> 1 basic.publish immediate body=\"\"
S< 0 connection.close code=540 text=\"NOT_IMPLEMENTED - immediate=true\" class=60 method=40
";
    for (number, bad) in [BAD_END, TOO_LARGE, UNKNOWN_KIND, UNKNOWN_METHOD]
        .iter()
        .enumerate()
    {
        let again = at_once(&[bad]);
        let rest = format!("{again}@quiet\n{again}@quiet\nC> 0 connection.close-ok\nS< EOF\n");
        hold(&format!("broker-closes-{number}"), &format!("{closes}{rest}"));
    }
}

/// Confirms on channel 1, a durable queue `d`, and a log that is held.
const CONFIRMING: &str = "\
C> 1 queue.declare queue=\"d\" durable
S< 1 queue.declare-ok queue=\"d\" message_count=0 consumer_count=0
C> 1 confirm.select
S< 1 confirm.select-ok
@hold log
";

#[test]
fn a_return_comes_before_its_ack_also_behind_an_answer_that_waits_for_the_log() {
    let rest = "\
C> 1 queue.declare queue=\"e\" durable
@quiet
C> 1 basic.publish mandatory routing_key=\"nowhere\" body=\"r\"
@quiet
C> 1 basic.publish routing_key=\"d\" props={delivery_mode=2} body=\"d\"
@quiet
@release log
S< 1 queue.declare-ok queue=\"e\" message_count=0 consumer_count=0
S< 1 basic.return code=312 text=\"NO_ROUTE\" routing_key=\"nowhere\" body=\"r\"
S< 1 basic.ack delivery_tag=1
S< 1 basic.ack delivery_tag=2
";
    hold("return-before-ack", &format!("{CONFIRMING}{rest}"));
}

#[test]
fn no_ack_follows_the_brokers_close_of_the_channel() {
    let rest = "\
C> 1 basic.publish routing_key=\"d\" props={delivery_mode=2} body=\"d\"
@quiet
C> 1 basic.publish exchange=\"nope\" routing_key=\"k\" body=\"\"
S< 1 channel.close code=404 text=\"NOT_FOUND - no exchange 'nope' in vhost '/'\" class=60 method=40
@release log
@quiet
C> 1 channel.close-ok
@quiet
";
    hold("no-ack-after-close", &format!("{CONFIRMING}{rest}"));
}
