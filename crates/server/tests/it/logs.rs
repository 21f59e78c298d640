//! What is logged where, in which form, and how much.

use std::fs;

use warren_testkit::peer::{Login, Peer};

use crate::program::{read, setup, start, wait_for};

#[test]
fn lines_are_text_on_standard_error_by_default() {
    let program = start(&[]);
    program.peer().close().unwrap();
    let line = program.logged(&["INFO", "connection open"]);
    assert!(
        line.contains("user=guest") && line.contains("vhost=\"/\""),
        "{line}"
    );
    assert!(!line.contains('\u{1b}'), "colours are for terminals: {line}");
}

#[test]
fn lines_are_json_if_asked() {
    let program = start(&["log.console.formatter=json"]);
    program.peer().close().unwrap();
    program.logged(&["connection closed by the client"]);
    for line in program.stderr().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            event["timestamp"].is_string() && event["level"].is_string(),
            "{line}"
        );
        assert!(event["message"].is_string(), "{line}");
    }
}

#[test]
fn levels_hold_for_console_and_file_apart() {
    let program = setup()
        .set("log.level=error")
        .set("log.console=true")
        .set("log.file=w.log")
        .set("log.file.level=debug")
        .start();
    program.peer().close().unwrap();
    let file = program.path("w.log");
    wait_for("the file's lines", || {
        read(&file).contains("closed by the client").then_some(())
    });
    assert!(read(&file).contains("DEBUG"), "{}", read(&file));
    assert_eq!(program.stderr(), "");
}

#[test]
fn a_file_that_was_renamed_is_opened_anew_on_sighup() {
    let mut program = setup().set("log.file=w.log").start();
    let (file, renamed) = (program.path("w.log"), program.path("w.log.1"));
    program.peer().close().unwrap();
    wait_for("the first line", || {
        read(&file).contains("closed by the client").then_some(())
    });
    fs::rename(&file, &renamed).unwrap();
    program.signal("HUP");
    wait_for("the new file", || {
        read(&file).contains("log reopened").then_some(())
    });
    let before = read(&renamed);
    program.peer().close().unwrap();
    wait_for("lines in the new file", || {
        read(&file).contains("closed by the client").then_some(())
    });
    assert_eq!(read(&renamed), before, "the renamed file is written no more");
    assert_eq!(
        program.stderr(),
        "",
        "what goes to a file does not go to the console"
    );
    program.stop();
}

#[test]
fn a_file_that_cannot_be_opened_anew_is_said_and_does_no_harm() {
    let mut program = setup().set("log.file=w.log").start();
    let (file, renamed) = (program.path("w.log"), program.path("w.log.1"));
    fs::rename(&file, &renamed).unwrap();
    fs::create_dir(&file).unwrap();
    program.signal("HUP");
    wait_for("the error in the old file", || {
        read(&renamed).contains("could not be reopened").then_some(())
    });
    program.peer().close().unwrap();
    program.stop();
}

#[test]
fn passwords_are_not_logged() {
    let program = start(&["log.level=debug", "default_pass=rosebud-4711"]);
    let login = Login {
        password: "rosebud-4711",
        ..Login::default()
    };
    Peer::open(program.address(), &login).unwrap().close().unwrap();
    program.refuses(&Login {
        password: "sesame-0815",
        ..login
    });
    program.logged(&["login refused"]);
    let log = program.stderr() + &program.stdout();
    assert!(!log.contains("rosebud") && !log.contains("sesame"), "{log}");
}
