//! How it starts: with nothing, with settings from every source, and what it says when it cannot.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use warren_testkit::peer::{Login, Peer};

use crate::program::{bare, read, setup, start, with_words};

#[test]
fn starts_with_no_configuration_and_says_where() {
    let program = bare().arg("--ports").arg("any").arg("--no-data-dir").start();
    let stdout = program.stdout();
    let port = program.address().port();
    assert!(
        stdout.starts_with(concat!("warren ", env!("CARGO_PKG_VERSION"), "\n")),
        "{stdout}"
    );
    assert!(stdout.contains(&format!(":{port}\n")), "{stdout}");
    assert!(stdout.contains("in memory only"), "{stdout}");
    assert!(stdout.contains("config  defaults"), "{stdout}");
    program.peer().close().unwrap();
}

#[test]
fn serve_is_what_it_does_when_asked_by_name_too() {
    let program = with_words(&["serve"])
        .arg("--ports")
        .arg("any")
        .arg("--no-data-dir")
        .start();
    program.peer().close().unwrap();
}

#[test]
fn the_ready_file_says_who_and_where_and_goes_at_the_end() {
    let mut program = setup()
        .set("listeners.tcp.default=127.0.0.1:0")
        .set("listeners.tcp.second=127.0.0.1:0")
        .start();
    let ready = program.path("ready");
    let content: serde_json::Value = serde_json::from_str(&read(&ready)).unwrap();
    assert_eq!(content["pid"], program.pid());
    let listeners = content["listeners"].as_array().unwrap();
    let of_amqp = listeners.iter().filter(|listener| listener["protocol"] == "amqp");
    assert_eq!(of_amqp.clone().count(), 2, "{content}");
    for listener in of_amqp {
        assert_eq!(listener["protocol"], "amqp");
        let address = listener["address"].as_str().unwrap().parse().unwrap();
        Peer::open(address, &Login::default()).unwrap().close().unwrap();
    }
    program.stop();
    assert!(!ready.exists());
    assert!(program.path("stdout").exists(), "the folder is still there");
}

#[test]
fn data_lies_where_it_says_in_a_folder_for_its_owner_alone() {
    let program = start(&[]);
    let data = program.path("data");
    let mode = fs::metadata(&data).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let line = format!("data    {}\n", data.display());
    assert!(program.stdout().contains(&line), "{}", program.stdout());
}

#[test]
fn settings_come_from_file_environment_and_arguments_and_later_ones_win() {
    let file = "default_user = file\ndefault_pass = 'p # w'\ndefault_vhost = here # and a comment\n\
                loopback_users = none\n";
    let config = setup().file("w.conf", file).arg("--config").arg("w.conf");
    let program = config
        .env("RABBITMQ_DEFAULT_USER", "env")
        .env("RABBITMQ_DEFAULT_VHOST", "env")
        .set("default_vhost=there")
        .start();
    let login = Login {
        user: "env",
        password: "p # w",
        vhost: "there",
        ..Login::default()
    };
    Peer::open(program.address(), &login).unwrap().close().unwrap();
    assert!(
        program
            .refuses(&Login {
                user: "file",
                ..login
            })
            .starts_with("403 ")
    );
    let refused = program.refuses(&Login {
        vhost: "here",
        ..login
    });
    assert!(
        refused.starts_with("530 NOT_ALLOWED - vhost here not found"),
        "{refused}"
    );
    assert!(
        program.stdout().contains("config  w.conf\n"),
        "{}",
        program.stdout()
    );
}

#[test]
fn the_environment_names_the_file() {
    let setup = setup().file("w.conf", "default_vhost = of-the-file\n");
    let path = setup.path("w.conf");
    let program = setup.env("RABBITMQ_CONFIG_FILE", path).start();
    let login = Login {
        vhost: "of-the-file",
        ..Login::default()
    };
    Peer::open(program.address(), &login).unwrap().close().unwrap();
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let failed = setup().set("heartbeet=3").fail();
    failed.says(78, &["--set heartbeet", "unknown key `heartbeet`", "`heartbeat`"]);
    let failed = setup()
        .file("w.conf", "\nchanel_max = 3\nheartbeat = soon\n")
        .arg("--config")
        .arg("w.conf")
        .fail();
    let parts = [
        "w.conf:2",
        "`channel_max`",
        "w.conf:3",
        "`heartbeat` cannot be `soon`",
    ];
    failed.says(78, &parts);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let failed = setup().arg("--config").arg("none.conf").fail();
    failed.says(78, &["cannot read the configuration file none.conf"]);
}

#[test]
fn a_word_that_is_no_argument_is_refused_as_usual() {
    let failed = setup().arg("--nope").fail();
    failed.says(2, &["--nope"]);
}

#[test]
fn a_port_that_is_taken_is_named_with_the_way_out() {
    let first = start(&["listeners.tcp.default=127.0.0.1:0"]);
    let taken = first.address();
    let setting = format!("listeners.tcp.default={taken}");
    let failed = bare().arg("--no-data-dir").set(&setting).fail();
    let parts = [
        &format!("cannot listen on {taken}"),
        "the port is taken by another program",
        "--set listeners.tcp.default=127.0.0.1:0",
    ];
    failed.says(69, &parts);
    first.peer().close().unwrap();
}

#[test]
fn a_port_that_is_taken_on_one_family_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let setting = format!("listeners.tcp.default={port}");
    let failed = bare().arg("--no-data-dir").set(&setting).fail();
    failed.says(69, &["the port is taken by another program"]);
}

#[test]
fn an_address_of_another_machine_is_refused() {
    // Reserved for documentation: no machine has it.
    let failed = setup().set("listeners.tcp.default=203.0.113.1:0").fail();
    failed.says(69, &["cannot listen on 203.0.113.1:0", "belongs to this machine"]);
}

/// Root may write anywhere but here, so the test holds for any user that runs it.
#[test]
fn a_folder_that_is_not_writable_is_named_with_the_way_out() {
    let failed = bare().arg("--data-dir").arg("/proc/self/fdinfo").fail();
    failed.says(
        73,
        &[
            "/proc/self/fdinfo is not writable",
            "--data-dir DIR",
            "--no-data-dir",
        ],
    );
    let failed = bare()
        .file("data", "in the way")
        .arg("--data-dir")
        .arg("data")
        .fail();
    failed.says(73, &["it is not a folder"]);
}

#[test]
fn files_that_cannot_be_written_are_named() {
    let failed = setup().set("log.file=/nowhere/w.log").fail();
    failed.says(73, &["/nowhere/w.log"]);
    let failed = bare()
        .arg("--no-data-dir")
        .set("default_permissions.read=(")
        .fail();
    failed.says(78, &["default"]);
}

#[test]
fn what_the_server_says_of_itself_can_be_set() {
    let program = start(&[
        "product.name=Hare",
        "cluster_name=meadow",
        "auth_mechanisms.1=PLAIN",
    ]);
    let mut peer = Peer::connect(program.address()).unwrap();
    peer.write(b"AMQP\0\0\x09\x01").unwrap();
    let heard = peer.expect("connection.start").unwrap();
    let said = format!("{}", heard.method().unwrap());
    assert!(said.contains("Hare") && said.contains("meadow"), "{said}");
    assert!(said.contains("mechanisms=\"PLAIN\""), "{said}");
}
