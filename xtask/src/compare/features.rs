//! Rows about what features cost: a load without one, then the same with it.
//!
//! The targets are of CPU time: a queue with a feature has at least such a part of a plain one's speed.

use super::figures::{BASE_COST, WITH_COST};
use super::row::{Kind, Row, row};

pub(super) const FEATURES: &str = "features";

/// Seconds of a load: two of them are a row.
const TIME: &str = "--time 5";

/// Of the speed of a plain queue, or of a direct exchange.
const PART: f64 = 0.7;

pub(super) fn rows() -> Vec<Row> {
    [routing(), queues()].concat()
}

fn routing() -> Vec<Row> {
    let direct = |keys: u32| format!("-e direct --bindings 10000 --keys {keys} --auto-ack");
    let topic = |keys: u32| format!("-e topic --distinct --bindings 10000 --keys {keys} --auto-ack");
    vec![
        feature(
            "topic-10k",
            "topic with 10,000 wildcards beside direct with 10,000 keys; 1,000 keys in turn",
            (&direct(1000), &topic(1000)),
        )
        .part(&BASE_COST, &WITH_COST, PART),
        feature(
            "topic-10k-fresh",
            "the same; 5,000 keys in turn, more than are remembered",
            (&direct(5000), &topic(5000)),
        ),
        feature(
            "headers-10k",
            "headers with 10,000 bindings beside direct with 10,000 keys",
            (&direct(1000), "-e headers --bindings 10000 --auto-ack"),
        ),
        // Nobody consumes: it is routing and queueing that is compared, in memory.
        row(
            "fanout-100",
            FEATURES,
            "fanout to 100 queues beside one; per message published",
        )
        .without_null()
        .serve("--set store.recent_bytes=8GiB")
        .named_bench("base", "-e fanout -c 0 --messages 500000")
        .named_bench("with", "-e fanout -c 0 -q 100 --messages 40000")
        .part(&BASE_COST, &WITH_COST, 1.0 / 20.0),
    ]
}

fn queues() -> Vec<Row> {
    let plain = "--auto-ack";
    let with = |options: &str| format!("{plain} {options}");
    vec![
        feature(
            "priorities",
            "10 priorities, as many of each",
            (plain, &with("--queue-argument x-max-priority=10 --priority 10")),
        )
        .part(&BASE_COST, &WITH_COST, PART),
        feature(
            "ttl",
            "a queue with a TTL of a minute",
            (plain, &with("--queue-argument x-message-ttl=60000")),
        )
        .part(&BASE_COST, &WITH_COST, PART),
        feature(
            "expiration",
            "messages with an expiration of a minute",
            (plain, &with("--expiration 60000")),
        )
        .part(&BASE_COST, &WITH_COST, PART),
        // Each message pushes one out.
        feature(
            "max-length",
            "a queue that is full, with a limit of 1,000; per message published",
            (plain, "-c 0 --queue-argument x-max-length=1000 --allow-loss"),
        )
        .part(&BASE_COST, &WITH_COST, PART),
        feature(
            "delayed",
            "an exchange that delays each message by a second, beside direct",
            (
                "-e direct --auto-ack",
                "-e delayed --header x-delay=1000 --auto-ack",
            ),
        )
        .only(&[Kind::Warren])
        .part(&BASE_COST, &WITH_COST, PART),
    ]
}

fn feature(name: &str, title: &str, (base, with): (&str, &str)) -> Row {
    row(name, FEATURES, title)
        .without_null()
        .named_bench("base", &format!("{base} {TIME}"))
        .named_bench("with", &format!("{with} {TIME}"))
}
