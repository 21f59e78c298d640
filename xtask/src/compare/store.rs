//! Rows about what the store does: backlogs over a crash, many queues, a message that stays. Warren alone.
//!
//! Messages have to outlive their publisher here, so the load is the null broker's program.

use super::figures::{ALONE_RATE, BESIDE_RATE, SLOW_PEAK};
use super::row::{Kind, Row, row};

pub(super) const RESTART: &str = "restart";
pub(super) const QUEUES: &str = "queues";
pub(super) const STUCK: &str = "stuck";
pub(super) const SLOW: &str = "slow";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = [restarts(), queues(), vec![stuck(), slow()]].concat();
    for row in &mut rows {
        row.brokers = vec![Kind::Warren];
    }
    rows
}

fn restarts() -> Vec<Row> {
    vec![
        row("restart-2m", RESTART, "2 million messages of 1 KiB, window 1,000")
            .null("fill", "fill --count 2000000 --size 1024 --confirm 1000")
            .restart()
            .null("drain", "drain --count 2000000 --ack 100")
            .wait(3)
            .disk("end"),
        row(
            "restart-10m",
            RESTART,
            "10 million messages of 100 B, window 10,000",
        )
        .null("fill", "fill --count 10000000 --size 100 --confirm 10000")
        .wait(2)
        .disk("full")
        .restart()
        .wait(2)
        .memory("restarted")
        .null("drain", "drain --count 10000000 --ack 100")
        .wait(3)
        .disk("end"),
        row(
            "memory-2m",
            RESTART,
            "2 million messages of 100 B that never left memory",
        )
        .serve("--set store.recent_bytes=8GiB")
        .null(
            "fill",
            "fill --count 2000000 --size 100 --confirm 10000 --transient",
        )
        .null("drain", "drain --count 2000000 --ack 100"),
    ]
}

fn queues() -> Vec<Row> {
    vec![
        row("idle-queues", QUEUES, "40,000 idle durable queues beside 10,000")
            .null("fill", "fill --count 1 --queues 10000")
            .wait(12)
            .memory("few")
            .null("fill", "fill --count 1 --queues 50000")
            .wait(12)
            .memory("many")
            .each("queue", ("few", "many"), 40_000.0),
        row(
            "queues-recovery",
            QUEUES,
            "10,000 queues with a message each, killed and started",
        )
        .null(
            "fill",
            "fill --count 10000 --queues 10000 --size 100 --confirm 1000",
        )
        .restart(),
        row(
            "queues-log",
            QUEUES,
            "the same, with 3 million messages of 1 KiB through another queue before",
        )
        .null(
            "fill",
            "fill --count 10000 --queues 10000 --size 100 --confirm 1000",
        )
        .null(
            "other",
            "fill --count 3000000 --size 1024 --confirm 1000 --prefix other",
        )
        .disk("full")
        .restart(),
    ]
}

/// Each round is more than memory holds, and all of it goes but for one message.
fn stuck() -> Row {
    let round = row("", STUCK, "")
        .null(
            "fill",
            "fill --count 400000 --size 1024 --confirm 1000 --prefix flow",
        )
        .null("drain", "drain --count 400000 --ack 100 --prefix flow")
        .wait(2)
        .disk("round");
    row(
        "stuck",
        STUCK,
        "one unsettled message in a queue through which 3.2 million of 1 KiB flow, 400,000 at a time",
    )
    .serve("--set store.recent_bytes=1MiB")
    .hold("hold --count 1 --size 1024 --prefix flow")
    .wait(1)
    .repeat(8, round)
}

/// The other queue has a rate that leaves room on the processors: what it loses then, it loses to the broker.
fn slow() -> Row {
    let other = "--rate 20000 --auto-ack --time 6";
    let slow = "--rate 50000 --persistent --confirm 1000 --consume-rate 1000 --time 10";
    row(
        "slow",
        SLOW,
        "50,000/s of 1 KiB persistent to a consumer that takes 1,000/s",
    )
    .named_bench("alone", other)
    .beside(("slow", slow), ("beside", other))
    .at_most(&SLOW_PEAK, 150.0)
    .part(&BESIDE_RATE, &ALONE_RATE, 0.98)
}
