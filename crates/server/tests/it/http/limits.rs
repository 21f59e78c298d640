//! What one client may send, where the API listens, and what it says at the start and in the log.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::client::{ask, ask_as, done};
use crate::program::{setup, start};

/// Sends bytes as they are, and answers the first line of what comes back.
fn raw(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(60)))
        .unwrap();
    // The other side may close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    text.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let program = start(&[]);
    let body = format!(r#"{{"description":"{}"}}"#, "x".repeat(1024 * 1024));
    let answer = done(&program, "PUT", "/api/vhosts/v", Some(&body), 400);
    assert_eq!(answer.json()["reason"], "Exceeded HTTP request body size limit");
    assert_eq!(ask(&program, "GET", "/api/vhosts/v", None).status, 404);
}

#[test]
fn what_is_no_request_ends_the_connection_and_nothing_else() {
    let program = start(&[]);
    let http = program.http();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    assert!(
        raw(http, long.as_bytes()).contains(" 4"),
        "{}",
        raw(http, long.as_bytes())
    );
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200));
    assert!(
        raw(http, many.as_bytes()).contains(" 431"),
        "{}",
        raw(http, many.as_bytes())
    );
    assert!(raw(http, b"AMQP\x00\x00\x09\x01\r\n\r\n").contains(" 400"));
    let deep = format!(r#"{{"value":{}}}"#, "[".repeat(100_000));
    let answer = done(&program, "PUT", "/api/global-parameters/g", Some(&deep), 400);
    assert_eq!(answer.json()["reason"], "not_json");
    for (path, status) in [
        ("/api/vhosts/%FF", 400),
        ("/api/vhosts/%2F%00", 404),
        ("/api/users?sort=%FF&columns=name", 200),
        ("/api/vhosts/..%2F..%2Fetc", 404),
        ("//api/vhosts", 404),
    ] {
        assert_eq!(ask(&program, "GET", path, None).status, status, "{path}");
    }
    let long = format!("/api/vhosts/{}", "x".repeat(256));
    done(&program, "PUT", &long, None, 400);
    done(&program, "GET", "/api/whoami", None, 200);
}

#[test]
fn a_login_that_cannot_be_read_is_refused_without_words() {
    let program = start(&[]);
    let head = |login: &str| {
        format!("GET /api/whoami HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {login}\r\n\r\n")
    };
    for (login, status) in [
        ("Basic zzz", " 400 "),
        ("Basic Z3Vlc3Q=", " 400 "),
        ("Bearer x", " 401 "),
        ("basic Z3Vlc3Q6Z3Vlc3Q=", " 200 "),
        ("Basic Z3Vlc3Q6Z3Vlc3Q=", " 200 "),
    ] {
        let found = raw(program.http(), head(login).as_bytes());
        assert!(found.contains(status), "{login}: {found}");
    }
}

#[test]
fn passwords_stand_in_no_log() {
    let mut program = start(&["log.console.level=debug"]);
    done(
        &program,
        "PUT",
        "/api/users/u",
        Some(r#"{"password":"carrot-1","tags":""}"#),
        201,
    );
    ask(
        &program,
        "PUT",
        "/api/users/u",
        Some(r#"{"password":["carrot-2"],"tags":""}"#),
    );
    ask_as(&program, Some("u:carrot-3"), "GET", "/api/whoami", None);
    done(&program, "GET", "/api/auth/hash_password/carrot-4", None, 200);
    program.logged(&["changed over HTTP", "by=guest", "\"u\""]);
    program.stop();
    let said = program.stderr() + &program.stdout();
    assert!(!said.contains("carrot"), "{said}");
}

#[test]
fn it_says_where_it_listens_and_can_be_left_out() {
    let program = start(&[]);
    assert!(program.stdout().contains("  http    "), "{}", program.stdout());
    let ready: serde_json::Value =
        serde_json::from_str(&crate::program::read(&program.path("ready"))).unwrap();
    assert_eq!(ready["listeners"][1]["protocol"], "http");
    assert_eq!(ready["listeners"][1]["address"], program.http().to_string());
    let program = start(&["management.tcp=none"]);
    assert!(!program.stdout().contains("http"), "{}", program.stdout());
    program.peer().close().unwrap();
}

#[test]
fn a_port_that_is_taken_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let failed = crate::program::bare()
        .arg("--no-data-dir")
        .set("listeners.tcp.default=127.0.0.1:0")
        .set("management.tcp.ip=127.0.0.1")
        .set(&format!("management.tcp.port={port}"))
        .fail();
    failed.says(
        69,
        &[
            &format!("cannot listen on 127.0.0.1:{port}"),
            "--set management.tcp.port=0",
        ],
    );
}

#[test]
fn a_prefix_stands_before_every_path() {
    let program = setup().set("management.path_prefix=/mq").start();
    done(&program, "GET", "/mq/api/whoami", None, 200);
    done(&program, "GET", "/api/whoami", None, 404);
}

#[test]
fn what_it_is_told_of_itself_is_in_the_overview() {
    let program = start(&["cluster_name=north"]);
    let peer = program.peer();
    let overview = done(&program, "GET", "/api/overview", None, 200).json();
    assert_eq!(overview["cluster_name"], "north");
    assert_eq!(overview["rabbitmq_version"], "4.0.5");
    assert_eq!(overview["object_totals"]["connections"], 1);
    assert_eq!(overview["object_totals"]["exchanges"], 7);
    let http = &overview["listeners"][1];
    assert_eq!(http["protocol"], "http");
    assert_eq!(http["port"], program.http().port());
    assert_eq!(
        done(&program, "GET", "/api/cluster-name", None, 200).body,
        r#"{"name":"north"}"#
    );
    peer.close().unwrap();
}
