//! What a deletion does to those who are connected.

use warren_testkit::peer::{Login, Peer};

use super::client::{ask, done};
use crate::program::{Program, start};

const EVERYTHING: Option<&str> = Some(r#"{"configure":".*","write":".*","read":".*"}"#);

fn with_user() -> Program {
    let program = start(&[]);
    done(&program, "PUT", "/api/vhosts/v", None, 201);
    done(
        &program,
        "PUT",
        "/api/users/u",
        Some(r#"{"password":"p","tags":""}"#),
        201,
    );
    done(&program, "PUT", "/api/permissions/v/u", EVERYTHING, 201);
    program
}

fn open(program: &Program) -> Peer {
    let login = Login {
        user: "u",
        password: "p",
        vhost: "v",
        ..Login::default()
    };
    Peer::open(program.address(), &login).unwrap()
}

/// The words of a close that is waited for.
fn close_of(peer: &mut Peer) -> String {
    let heard = peer.expect("connection.close").unwrap();
    String::from_utf8_lossy(&heard.payload).into_owned()
}

#[test]
fn a_virtual_host_takes_its_connections_with_it() {
    let program = with_user();
    let (mut inside, mut outside) = (open(&program), program.peer());
    done(&program, "DELETE", "/api/vhosts/v", None, 204);
    let told = close_of(&mut inside);
    assert!(
        told.contains("CONNECTION_FORCED - vhost 'v' is deleted"),
        "{told}"
    );
    assert_eq!(
        outside.ready("amq.nothing").unwrap_err().to_string().get(..3),
        Some("404")
    );
    assert_eq!(ask(&program, "GET", "/api/permissions/v/u", None).status, 404);
    // It comes again with nothing in it.
    done(&program, "PUT", "/api/vhosts/v", None, 201);
    assert_eq!(ask(&program, "GET", "/api/permissions/v/u", None).status, 404);
}

#[test]
fn a_user_takes_its_connections_with_it() {
    let program = with_user();
    let (mut gone, outside) = (open(&program), program.peer());
    done(&program, "DELETE", "/api/users/u", None, 204);
    let told = close_of(&mut gone);
    assert!(told.contains("CONNECTION_FORCED - user 'u' is deleted"), "{told}");
    outside.close().unwrap();
}

#[test]
fn a_permission_that_goes_is_missed_at_once() {
    let program = with_user();
    let mut peer = open(&program);
    peer.declare("q").unwrap();
    done(&program, "DELETE", "/api/permissions/v/u", None, 204);
    let refused = peer.declare("r").unwrap_err().to_string();
    assert!(refused.contains("403"), "{refused}");
}
