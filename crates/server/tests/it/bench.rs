//! `warren bench` against the program: what it counts, what it finds wrong, how it ends.

use std::process::{Command, Output};

use serde_json::Value;
use warren_testkit::peer::{Login, Peer};

use crate::program::{Program, read, start, wait_for};

/// A run that ended, and its JSON; null if it made none.
struct Ended {
    output: Output,
    json: Value,
}

fn command(program: &Program, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warren"));
    command
        .args(["bench", "--quiet", "--uri", &program.uri()])
        .arg("--json")
        .arg(program.path("report.json"))
        .args(line.split_whitespace());
    command
}

fn ended(program: &Program, output: Output) -> Ended {
    let json = serde_json::from_str(&read(&program.path("report.json"))).unwrap_or_default();
    Ended { output, json }
}

/// Runs it to its end, with options as one would write them.
fn bench(program: &Program, line: &str) -> Ended {
    ended(program, command(program, line).output().unwrap())
}

impl Ended {
    fn status(&self) -> Option<i32> {
        self.output.status.code()
    }

    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn check(&self, name: &str) -> u64 {
        self.json["check"][name].as_u64().unwrap()
    }

    /// A figure of a phase, by their names.
    fn phase(&self, phase: &str, name: &str) -> &Value {
        let phases = self.json["phases"].as_array().unwrap();
        let found = phases.iter().find(|found| found["name"] == phase);
        &found.unwrap()[name]
    }

    /// Asserts that all went well, with so many messages and deliveries.
    fn right(&self, published: u64, delivered: u64) {
        assert_eq!(self.status(), Some(0), "{}{}", self.stdout(), self.stderr());
        assert_eq!(self.json["check"]["is_right"], true);
        let counts = ["published", "expected", "delivered", "lost"].map(|name| self.check(name));
        assert_eq!(counts, [published, delivered, delivered, 0]);
        assert!(self.stdout().contains("RIGHT: "), "{}", self.stdout());
    }

    /// Asserts that it did not run, and says all of this.
    fn says(&self, status: i32, parts: &[&str]) {
        assert_eq!(self.status(), Some(status), "{}", self.stderr());
        for part in parts {
            assert!(self.stderr().contains(part), "no `{part}` in: {}", self.stderr());
        }
    }
}

#[test]
fn messages_are_confirmed_delivered_and_acknowledged() {
    let program = start(&[]);
    let line = "--messages 3000 --persistent --confirm 100 --multi-ack 7 -p 3 -c 4 -q 2 \
                --channels-per-connection 2 --prefix gone";
    let pid = program.pid().to_string();
    let ended = bench(&program, &format!("{line} --broker-pid {pid}"));
    ended.right(3000, 3000);
    assert_eq!(ended.phase("run", "confirmed"), 3000);
    assert_eq!(ended.phase("run", "delivery_latency")["count"], 3000);
    assert_eq!(ended.phase("run", "confirm_latency")["count"], 3000);
    assert_eq!(ended.json["load"]["producer_connections"], 2);
    assert!(ended.phase("run", "cpu")["broker_s"].is_number());
    assert!(ended.json["memory"]["broker_mib_peak"].as_f64().unwrap() > 0.0);
    // The queues are deleted.
    assert!(program.peer().ready("gone-0").is_err());
}

#[test]
fn sizes_may_differ_and_exceed_a_frame() {
    let program = start(&[]);
    bench(&program, "--messages 300 --size 16*3,300KiB --auto-ack").right(300, 300);
    bench(
        &program,
        "--messages 300 --size 16-2000 --prefetch 0 --multi-ack 50",
    )
    .right(300, 300);
}

#[test]
fn a_fanout_delivers_every_message_to_every_queue() {
    let program = start(&[]);
    bench(&program, "--messages 500 -e fanout -q 4 -c 4 -p 2").right(500, 2000);
}

#[test]
fn direct_and_headers_deliver_by_their_bindings() {
    let program = start(&[]);
    bench(&program, "--messages 500 -e direct -q 3 --bindings 10 -c 2").right(500, 500);
    bench(&program, "--messages 500 -e headers -q 3 --bindings 10 -c 3").right(500, 500);
}

#[test]
fn topics_with_distinct_bindings_reach_one_queue() {
    let program = start(&[]);
    bench(
        &program,
        "--messages 900 -e topic --distinct -q 3 --bindings 90 -c 3",
    )
    .right(900, 900);
}

#[test]
fn messages_may_carry_priorities_expirations_and_headers() {
    let program = start(&[]);
    let line = "--messages 500 --priority 4 --expiration 600000 --header n=1 --header t=x";
    bench(&program, line).right(500, 500);
}

#[test]
fn random_topics_reach_what_the_load_computed() {
    let program = start(&[]);
    let ended = bench(
        &program,
        "--messages 2000 -e topic -q 5 --bindings 300 -c 5 --seed 7",
    );
    let expected = ended.check("expected");
    assert!(expected > 2000, "{expected}");
    ended.right(2000, expected);
}

#[test]
fn a_slow_consumer_takes_its_rate_and_then_what_is_left() {
    let program = start(&[]);
    let ended = bench(
        &program,
        "--rate 2000 --time 1 --warmup 0 -c 2 --prefetch 10 --consume-rate 100",
    );
    assert_eq!(ended.status(), Some(0), "{}{}", ended.stdout(), ended.stderr());
    // A read brings a prefetch at most, and two consumers may be one read ahead.
    let taken = ended.phase("run", "delivered").as_u64().unwrap();
    assert!((20..=200).contains(&taken), "{taken}");
    assert!(ended.check("published") > 1000 && ended.check("lost") == 0);
}

#[test]
fn a_backlog_is_built_and_then_drained() {
    let program = start(&[]);
    let ended = bench(
        &program,
        "--backlog 5000 --size 100 --persistent --confirm 500 --multi-ack 100",
    );
    ended.right(5000, 5000);
    assert_eq!(ended.phase("build", "published"), 5000);
    assert_eq!(ended.phase("build", "confirmed"), 5000);
    assert_eq!(ended.phase("build", "delivered"), 0);
    assert_eq!(ended.phase("drain", "published"), 0);
    assert_eq!(ended.phase("drain", "delivered"), 5000);
}

#[test]
fn a_rate_and_a_ramp_publish_what_is_due() {
    let program = start(&[]);
    bench(&program, "--messages 100 --rate 2000 -p 3").right(100, 100);
    let ended = bench(&program, "--time 0.5 --warmup 0.1 --rate 0..400");
    let published = ended.check("published");
    ended.right(published, published);
    assert!(published > 0);
    // What is published in the warm-up is checked, and not counted.
    assert!(ended.phase("run", "published").as_u64().unwrap() <= published);
}

#[test]
fn connections_channels_queues_and_bindings_come_and_go() {
    let program = start(&[]);
    for (what, published) in [
        ("connections", 40),
        ("channels", 40),
        ("queues", 0),
        ("bindings", 0),
    ] {
        let line = format!("-p 0 --messages 40 --churn {what} --churners 3 -q 2");
        let ended = bench(&program, &line);
        ended.right(published, published);
        assert_eq!(ended.phase("run", "churned"), 40, "{what}");
        assert_eq!(ended.phase("run", "churn_latency")["count"], 40, "{what}");
    }
}

#[test]
fn idle_connections_stay_beside_the_load() {
    let program = start(&[]);
    let ended = bench(&program, "--idle 120 --messages 100");
    ended.right(100, 100);
    assert_eq!(ended.json["load"]["idle_connections"], 120);
}

#[test]
fn the_page_is_written_and_queues_can_be_kept() {
    let program = start(&[]);
    let page = program.path("report.html");
    let line = format!(
        "--messages 10 -c 0 --keep --prefix kept --title T --html {}",
        page.display()
    );
    let ended = bench(&program, &line);
    ended.right(10, 0);
    let html = read(&page);
    assert!(
        html.contains("<title>T</title>") && html.contains("<svg "),
        "{html}"
    );
    assert_eq!(program.peer().ready("kept-0").unwrap(), 10);
    // Another run begins with an empty queue.
    bench(&program, "--messages 10 --prefix kept").right(10, 10);
    assert!(program.peer().ready("kept-0").is_err());
}

/// Many messages that a slow consumer takes one by one, so that a queue is there to be meddled with.
const SLOW: &str = "--messages 20000 --size 16 --prefetch 1 --patience 4 --prefix slow";

/// A peer, when the queue of a run has messages waiting.
fn peer_at_backlog(program: &Program) -> Peer {
    wait_for("a backlog", || {
        let mut peer = Peer::open(program.address(), &Login::default()).ok()?;
        (peer.ready("slow-0").ok()? >= 100).then_some(peer)
    })
}

#[test]
fn messages_that_are_purged_are_found_to_be_lost() {
    use warren_protocol::amqp091::method::{Method, queue};
    let program = start(&[]);
    let running = command(&program, SLOW)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let purge = queue::Purge {
        queue: "slow-0",
        ..queue::Purge::default()
    };
    let heard = peer_at_backlog(&program)
        .call(1, purge, "queue.purge-ok")
        .unwrap();
    let Method::QueuePurgeOk(purged) = heard.method().unwrap() else {
        panic!("{heard:?}");
    };
    let ended = ended(&program, running.wait_with_output().unwrap());
    assert_eq!(ended.status(), Some(65));
    assert!(purged.message_count > 0);
    assert_eq!(ended.check("lost"), u64::from(purged.message_count));
    assert_eq!((ended.check("duplicated"), ended.check("reordered")), (0, 0));
    assert_eq!(ended.json["check"]["is_right"], false);
    assert!(ended.stdout().contains("WRONG: "), "{}", ended.stdout());
}

#[test]
fn messages_that_come_twice_late_or_from_elsewhere_are_found() {
    let program = start(&[]);
    let running = command(&program, SLOW)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut peer = peer_at_backlog(&program);
    let mut take = || peer.get("slow-0", true).unwrap().unwrap().body;
    let (one, other) = (take(), take());
    // Some were behind them, and come before them now. The run cannot end before the last of these.
    assert!(peer.ready("slow-0").unwrap() > 0);
    for body in [&one, &one, &b"not of this run at all"[..].to_vec(), &other] {
        peer.publish(1, "", "slow-0", body).unwrap();
    }
    let ended = ended(&program, running.wait_with_output().unwrap());
    assert_eq!(ended.status(), Some(65), "{}", ended.stdout());
    let found = ["lost", "duplicated", "reordered", "foreign"].map(|name| ended.check(name));
    assert_eq!(found, [0, 1, 2, 1]);
}

#[test]
fn a_queue_with_a_limit_may_refuse_if_that_is_allowed() {
    let program = start(&[]);
    // Arguments reach the broker, which judges them.
    let ended = bench(&program, "--messages 1 --queue-argument x-queue-type=nope");
    ended.says(76, &["the broker refuses", "nope"]);
    bench(
        &program,
        "--messages 10 --queue-argument x-queue-type=quorum --allow-loss",
    )
    .right(10, 10);
}

#[test]
fn what_cannot_run_says_why() {
    let mut program = start(&[]);
    let nowhere = "--broker-pid 4294967295";
    bench(&program, nowhere).says(64, &["--broker-pid 4294967295", "no such process"]);
    bench(&program, "-p 0").says(64, &["nothing to do"]);
    bench(&program, "--size 3").says(2, &["--size", "at least 16"]);
    let report = "--messages 1 --html /nowhere/at/all.html";
    bench(&program, report).says(73, &["cannot write /nowhere/at/all.html"]);
    let uri = program.uri();
    let elsewhere = |uri: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_warren"))
            .args(["bench", "--uri", uri])
            .output()
            .unwrap();
        ended(&program, output)
    };
    elsewhere(&uri.replace("guest:guest", "guest:wrong")).says(77, &["403 ACCESS_REFUSED"]);
    elsewhere(&uri.replace("%2f", "nope")).says(77, &["530 NOT_ALLOWED"]);
    program.stop();
    bench(&program, "--messages 1").says(69, &["cannot connect to 127.0.0.1:"]);
}

#[test]
fn a_broker_that_dies_ends_the_run() {
    let mut program = start(&[]);
    let running = command(&program, "--messages 1000000000 --prefix slow --prefetch 1")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(peer_at_backlog(&program));
    program.kill();
    let ended = ended(&program, running.wait_with_output().unwrap());
    assert_eq!(ended.status(), Some(76), "{}", ended.stderr());
    assert!(ended.stderr().contains("the broker"), "{}", ended.stderr());
}

#[test]
fn the_help_is_in_order() {
    let help = Command::new(env!("CARGO_BIN_EXE_warren"))
        .args(["bench", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let headings = [
        "Broker:",
        "Who:",
        "Messages:",
        "Consuming:",
        "Topology:",
        "Course:",
        "Churn:",
        "Report:",
    ];
    let places = headings.map(|heading| {
        help.find(heading)
            .unwrap_or_else(|| panic!("{heading} in\n{help}"))
    });
    assert!(places.is_sorted());
}
