//! What one client, or all of them, may use: connections, time, memory before the login, and from where.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use warren_protocol::amqp091::frame::Kind;
use warren_protocol::amqp091::header::{AMQP_0_9_1, AMQP_1_0_SASL};
use warren_testkit::peer::{Login, PATIENCE, Peer};

use crate::http::client::done;
use crate::program::{start, wait_for};

#[test]
fn no_more_connections_than_allowed() {
    let program = start(&["max_connections=2"]);
    let (first, _second) = (program.peer(), program.peer());
    let refused = program.refuses(&Login::default());
    let expected = "530 NOT_ALLOWED - connection refused: node connection limit (2) is reached";
    assert!(refused.starts_with(expected), "{refused}");
    first.close().unwrap();
    program.peer().close().unwrap();
}

#[test]
fn a_place_is_free_again_when_a_client_is_gone_without_a_word() {
    let program = start(&["connection_max=1"]);
    drop(program.peer());
    wait_for("the place", || {
        Peer::open(program.address(), &Login::default()).ok()
    });
}

#[test]
fn as_many_connections_of_a_user_as_an_operator_allows_and_their_places_come_back() {
    const ASKING: usize = 16;
    let program = start(&[]);
    let path = "/api/user-limits/guest/max-connections";
    let set = |number: usize| {
        done(
            &program,
            "PUT",
            path,
            Some(&format!(r#"{{"value":{number}}}"#)),
            204,
        )
    };
    set(3);
    let try_open = || Peer::open(program.address(), &Login::default());
    for _ in 0..4 {
        let opened: Vec<_> = thread::scope(|scope| {
            let asking: Vec<_> = (0..ASKING).map(|_| scope.spawn(try_open)).collect();
            asking.into_iter().map(|asking| asking.join().unwrap()).collect()
        });
        let (open, refused): (Vec<_>, Vec<_>) = opened.into_iter().partition(Result::is_ok);
        assert_eq!(open.len(), 3);
        let expected =
            "530 NOT_ALLOWED - connection refused for user 'guest': user connection limit (3) is reached";
        for error in refused
            .into_iter()
            .map(|refused| refused.unwrap_err().to_string())
        {
            assert!(error.starts_with(expected), "{error}");
        }
        // They go without a word.
        drop(open);
        let all_are_free = || {
            let open: Option<Vec<Peer>> = (0..3).map(|_| try_open().ok()).collect();
            open?.into_iter().try_for_each(Peer::close).ok()
        };
        wait_for("the places", all_are_free);
    }
    let mut stays = program.peer();
    set(0);
    stays.declare("q").unwrap();
    assert!(try_open().is_err());
    done(&program, "DELETE", path, None, 204);
    program.peer().close().unwrap();
}

#[test]
fn a_client_that_says_nothing_is_closed() {
    let program = start(&["handshake_timeout=1000"]);
    let began = Instant::now();
    let mut mute = Peer::connect(program.address()).unwrap();
    let mut halfway = Peer::connect(program.address()).unwrap();
    halfway.start(&Login::default()).unwrap();
    halfway.expect("connection.tune").unwrap();
    assert_eq!(mute.rest().unwrap(), b"");
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        halfway.rest().unwrap(),
        b"",
        "without connection.close, as RabbitMQ does"
    );
    program.logged(&["WARN", "handshake timeout"]);
    // Who is through may take its time.
    let mut open = program.peer();
    assert_eq!(
        open.frame_within(Duration::from_millis(1500)).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    open.close().unwrap();
}

#[test]
fn heartbeats_come_and_who_sends_none_is_closed() {
    let program = start(&[]);
    let login = Login {
        heartbeat_s: 1,
        ..Login::default()
    };
    let mut peer = Peer::open(program.address(), &login).unwrap();
    let silent_since = Instant::now();
    let mut heartbeats = 0;
    let end = loop {
        match peer.frame_within(PATIENCE) {
            Ok(heard) => {
                assert_eq!(heard.kind, Kind::Heartbeat.octet(), "{heard:?}");
                assert_eq!((heard.channel, heard.payload.len()), (0, 0));
                heartbeats += 1;
            }
            Err(error) => break error,
        }
    };
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
    let silent = silent_since.elapsed();
    assert!(silent >= Duration::from_millis(1900), "closed after {silent:?}");
    // Two seconds, one every half.
    assert!((2..=5).contains(&heartbeats), "{heartbeats}");
    program.logged(&["WARN", "missed heartbeats from client"]);
}

#[test]
fn who_sends_heartbeats_stays() {
    let program = start(&[]);
    let login = Login {
        heartbeat_s: 1,
        ..Login::default()
    };
    let mut peer = Peer::open(program.address(), &login).unwrap();
    let began = Instant::now();
    // Each heartbeat of the broker's is answered with one, for longer than silence is borne.
    while began.elapsed() < Duration::from_millis(2600) {
        let heard = peer.frame_within(PATIENCE).unwrap();
        assert_eq!(heard.kind, Kind::Heartbeat.octet());
        peer.write(&[8, 0, 0, 0, 0, 0, 0, 0xCE]).unwrap();
    }
    peer.close().unwrap();
}

#[test]
fn a_refused_header_is_answered_whatever_follows_it() {
    let program = start(&[]);
    for (header, answer) in [
        (b"AMQP\x01\x01\x08\x00", AMQP_1_0_SASL),
        (b"GET / HT", AMQP_1_0_SASL),
        (b"AMQP\x00\x00\x09\x02", AMQP_0_9_1),
    ] {
        for behind in [0, 1, 100, 60_000] {
            let mut peer = Peer::connect(program.address()).unwrap();
            let mut said = header.to_vec();
            said.resize(said.len() + behind, b'x');
            peer.write(&said).unwrap();
            assert_eq!(peer.rest().unwrap(), answer, "{behind} octets behind {header:?}");
        }
    }
}

/// A socket that is closed with unread bytes in it, or that gets more of them, resets the connection, and on
/// some systems that takes the answer away before the client has read it.
#[test]
fn a_refused_header_is_answered_while_the_client_goes_on() {
    let program = start(&[]);
    for _ in 0..5 {
        let mut peer = Peer::connect(program.address()).unwrap();
        let mut stream = peer.stream().try_clone().unwrap();
        let mut said = b"GET / HT".to_vec();
        said.resize(2 * 1024 * 1024, b'x');
        let saying = thread::spawn(move || stream.write_all(&said));
        assert_eq!(peer.rest().unwrap(), AMQP_1_0_SASL);
        saying.join().unwrap().unwrap();
    }
}

#[test]
fn a_refused_login_is_answered_whatever_follows_it() {
    let program = start(&[]);
    let login = Login {
        password: "wrong",
        ..Login::default()
    };
    for _ in 0..20 {
        let mut peer = Peer::connect(program.address()).unwrap();
        peer.start(&login).unwrap();
        // Heartbeats that a client of another thread may have on the way.
        peer.write(&[8, 0, 0, 0, 0, 0, 0, 0xCE].repeat(500)).unwrap();
        let heard = peer.expect("connection.tune").unwrap_err().to_string();
        assert!(
            heard.starts_with("403 ACCESS_REFUSED - Login was refused"),
            "{heard}"
        );
    }
}

#[test]
fn who_has_not_logged_in_gets_little_memory() {
    const PEERS: usize = 500;
    /// What one may cost: the 8 KiB that it may send, and as much again for all there is about it.
    const BYTES_EACH: u64 = 24 * 1024;
    let program = start(&[]);
    program.peer().close().unwrap();
    let before = program.memory("VmRSS");
    let mut held = Vec::new();
    for number in 0..PEERS {
        let mut peer = Peer::connect(program.address()).unwrap();
        peer.write(&AMQP_0_9_1).unwrap();
        peer.expect("connection.start").unwrap();
        // Announces as much as may be announced, or far more, and sends nearly all that may be sent.
        let size: u32 = if number % 2 == 0 { 8192 } else { u32::MAX };
        let mut frame = vec![1, 0, 0];
        frame.extend_from_slice(&size.to_be_bytes());
        frame.resize(8000, 0);
        // Who announces too much may be closed on while it sends.
        let _ = peer.write(&frame);
        held.push(peer);
    }
    // Each of them has been served when one that came later is.
    let mut legit = program.peer();
    legit.declare("q").unwrap();
    assert_eq!(legit.ready("q").unwrap(), 0);
    let grown = program.memory("VmRSS").saturating_sub(before);
    assert!(
        grown < PEERS as u64 * BYTES_EACH,
        "{PEERS} peers cost {grown} bytes"
    );
    legit.close().unwrap();
}

/// An address of this machine that is not the loopback one, if it has one. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[test]
fn guest_comes_from_this_machine_only() {
    let Some(own) = own_address() else {
        eprintln!("skipped: this machine has no address but the loopback one");
        return;
    };
    let definitions = r#"{"users": [{"name": "guest", "password": "guest", "tags": ["administrator"]},
        {"name": "other", "password": "other", "tags": []}], "vhosts": [{"name": "/"}],
        "permissions": [{"user": "guest", "vhost": "/", "configure": "", "write": "", "read": ""},
                        {"user": "other", "vhost": "/", "configure": "", "write": "", "read": ""}]}"#;
    let other = Login {
        user: "other",
        password: "other",
        ..Login::default()
    };
    let setup = || {
        crate::program::setup()
            .file("d.json", definitions)
            .set("load_definitions=d.json")
            .set("listeners.tcp.default=0.0.0.0:0")
    };
    let program = setup().start();
    let address = SocketAddr::new(own, program.address().port());
    let refused = Peer::open(address, &Login::default()).unwrap_err().to_string();
    assert!(refused.starts_with("403 ACCESS_REFUSED"), "{refused}");
    program.logged(&["WARN", "user 'guest' can only connect via localhost"]);
    Peer::open(address, &other).unwrap().close().unwrap();
    program.peer().close().unwrap();
    let program = setup().set("loopback_users=none").start();
    let address = SocketAddr::new(own, program.address().port());
    Peer::open(address, &Login::default()).unwrap().close().unwrap();
}
