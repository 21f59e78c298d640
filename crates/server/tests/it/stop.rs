//! How it stops: clients are told, those who do not answer are not waited for, the status is 0.

use std::time::{Duration, Instant};

use warren_protocol::amqp091::header::AMQP_0_9_1;
use warren_protocol::amqp091::method::{Method, connection};
use warren_testkit::peer::{Login, Peer};

use crate::program::{Program, start};

/// What a stop may take that waits for nobody: less than the broker's own patience of 5 s.
const PROMPT: Duration = Duration::from_secs(4);

/// What one may take that waits for somebody in vain.
const BOUNDED: Duration = Duration::from_secs(9);

/// Hears that the broker closes, in RabbitMQ's words.
fn hears_close(peer: &mut Peer) {
    let heard = peer.expect("connection.close").unwrap();
    let Method::ConnectionClose(close) = heard.method().unwrap() else {
        panic!("{heard:?}");
    };
    let expected = connection::Close {
        code: 320,
        text: "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
        class: 0,
        method: 0,
    };
    assert_eq!(close, expected);
}

fn ends_within(program: &mut Program, began: Instant, within: Duration) {
    assert_eq!(program.wait().code(), Some(0), "{}", program.stderr());
    assert!(began.elapsed() < within, "it took {:?}", began.elapsed());
    assert!(!program.path("ready").exists());
}

#[test]
fn clients_hear_320_and_the_program_ends_when_they_answered() {
    for signal in ["TERM", "INT"] {
        let mut program = start(&[]);
        let mut consumer = program.peer();
        consumer.declare("q").unwrap();
        consumer.consume("q", 0).unwrap();
        consumer.publish(1, "", "q", b"held").unwrap();
        consumer.delivery().unwrap();
        let mut other = program.peer();
        let began = Instant::now();
        program.signal(signal);
        for peer in [&mut consumer, &mut other] {
            hears_close(peer);
            peer.send(0, connection::CloseOk).unwrap();
            assert_eq!(peer.rest().unwrap(), b"", "nothing comes after the close");
        }
        ends_within(&mut program, began, PROMPT);
        program.logged(&["INFO", &format!("SIG{signal}: stopping")]);
        assert!(!program.stderr().contains("did not close in time"));
    }
}

#[test]
fn nobody_connects_while_it_stops() {
    let mut program = start(&[]);
    let mut silent = program.peer();
    let began = Instant::now();
    program.signal("TERM");
    hears_close(&mut silent);
    // The broker waits for the answer, and its port is closed already.
    crate::program::wait_for("the closed port", || {
        Peer::connect(program.address()).is_err().then_some(())
    });
    assert!(program.path("stderr").exists());
    silent.send(0, connection::CloseOk).unwrap();
    ends_within(&mut program, began, PROMPT);
}

#[test]
fn a_client_that_never_answers_is_waited_for_a_bounded_time() {
    let mut program = start(&[]);
    let mut silent = program.peer();
    let began = Instant::now();
    program.signal("TERM");
    hears_close(&mut silent);
    ends_within(&mut program, began, BOUNDED);
    program.logged(&[
        "WARN",
        "stopping with connections that did not close in time",
        "open=1",
    ]);
}

#[test]
fn a_client_that_does_not_read_is_waited_for_a_bounded_time() {
    let mut program = start(&[]);
    let mut deaf = program.peer();
    deaf.declare("q").unwrap();
    deaf.consume("q", 0).unwrap();
    let mut publisher = program.peer();
    publisher.confirm().unwrap();
    // More than the sockets between the two hold.
    let body = vec![7; 1024 * 1024];
    for _ in 0..24 {
        publisher.publish(1, "", "q", &body).unwrap();
        publisher.expect("basic.ack").unwrap();
    }
    publisher.close().unwrap();
    let began = Instant::now();
    program.signal("TERM");
    ends_within(&mut program, began, BOUNDED);
}

#[test]
fn who_has_not_logged_in_or_has_said_goodbye_is_not_waited_for() {
    let mut program = start(&[]);
    let mut mute = Peer::connect(program.address()).unwrap();
    let mut started = Peer::connect(program.address()).unwrap();
    started.start(&Login::default()).unwrap();
    started.expect("connection.tune").unwrap();
    // Has heard close-ok, and keeps its socket open.
    let mut gone = program.peer();
    gone.call(0, connection::Close::default(), "connection.close-ok")
        .unwrap();
    let mut halfway = Peer::connect(program.address()).unwrap();
    halfway.write(&AMQP_0_9_1[..4]).unwrap();
    // Whoever connects later has been accepted later.
    program.peer().close().unwrap();
    let began = Instant::now();
    program.signal("TERM");
    for peer in [&mut mute, &mut started, &mut gone, &mut halfway] {
        assert_eq!(peer.rest().unwrap(), b"");
    }
    ends_within(&mut program, began, PROMPT);
}

#[test]
fn a_second_signal_changes_nothing() {
    let mut program = start(&[]);
    let mut slow = program.peer();
    let began = Instant::now();
    program.signal("TERM");
    hears_close(&mut slow);
    program.signal("TERM");
    program.signal("HUP");
    slow.send(0, connection::CloseOk).unwrap();
    ends_within(&mut program, began, PROMPT);
}
