//! Rows about what features cost: a load without one, then the same with it.
//!
//! The targets are of CPU time: a queue with a feature has at least such a part of a plain one's speed.

use super::figures::TIMES;
use super::row::{Kind, Row, row};

pub(super) const FEATURES: &str = "features";

/// Seconds of a load: two of them are a row.
const TIME: &str = "--time 5";

/// At least 70 % of the speed of a plain queue, or of a direct exchange.
const AT_MOST: f64 = 1.43;

/// Consumers that keep up, so that it is not extents that are measured.
const SWIFT: &str = "--confirm 2000 --prefetch 2000 --multi-ack 50";

/// What waits a moment stays in memory, for the same reason.
const IN_MEMORY: &str = "--set store.recent_bytes=8GiB";

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
        .at_most(&TIMES, AT_MOST),
        feature(
            "topic-10k-fresh",
            "the same; 5,000 keys in turn, more than are remembered",
            (&direct(5000), &topic(5000)),
        ),
        feature(
            "headers-10k",
            "headers with 10,000 bindings beside direct with 10,000 keys",
            (&direct(1000), "-e headers --bindings 10000 --auto-ack"),
        )
        // RabbitMQ looks at each of them for each message, and does not come to an end.
        .only(&[Kind::Warren]),
        // Nobody consumes: it is routing and queueing that is compared, in memory.
        row(
            "fanout-100",
            FEATURES,
            "fanout to 100 queues beside one; per message published",
        )
        .without_null()
        .serve(IN_MEMORY)
        .named_bench("base", "-e fanout -c 0 --messages 500000")
        .named_bench("with", "-e fanout -c 0 -q 100 --messages 40000")
        .at_most(&TIMES, 20.0),
    ]
}

fn queues() -> Vec<Row> {
    let with = |options: &str| format!("{SWIFT} {options}");
    let persistent = |options: &str| with(&format!("--persistent {options}"));
    let (plain, kept) = (with(""), persistent(""));
    let priorities = "--queue-argument x-max-priority=10 --priority 10";
    // Another header takes as much reading; and what waits so long is in memory.
    let (direct, delayed) = ("-e direct --header x-other=50", "-e delayed --header x-delay=50");
    let rows = vec![
        feature(
            "priorities",
            "10 priorities, as many of each",
            (&plain, &with(priorities)),
        )
        .at_most(&TIMES, AT_MOST),
        feature(
            "ttl",
            "a queue with a TTL of a minute",
            (&plain, &with("--queue-argument x-message-ttl=60000")),
        )
        .at_most(&TIMES, AT_MOST),
        feature(
            "expiration",
            "messages with an expiration of a minute",
            (&plain, &with("--expiration 60000")),
        )
        .at_most(&TIMES, AT_MOST),
        // Each message pushes one out.
        feature(
            "max-length",
            "a queue that is full, with a limit of 1,000; per message published",
            (
                &plain,
                "--confirm 2000 -c 0 --queue-argument x-max-length=1000 --allow-loss",
            ),
        )
        .at_most(&TIMES, AT_MOST),
        feature(
            "delayed",
            "an exchange that delays each message by 50 ms, beside direct",
            (&with(direct), &with(delayed)),
        )
        .only(&[Kind::Warren])
        .at_most(&TIMES, AT_MOST),
        feature(
            "priorities-persistent",
            "10 priorities; persistent",
            (&kept, &persistent(priorities)),
        ),
        feature(
            "expiration-persistent",
            "an expiration of a minute; persistent",
            (&kept, &persistent("--expiration 60000")),
        ),
        feature(
            "delayed-persistent",
            "a delay of 50 ms; persistent",
            (&persistent(direct), &persistent(delayed)),
        )
        .only(&[Kind::Warren]),
    ];
    rows.into_iter().map(|row| row.serve(IN_MEMORY)).collect()
}

fn feature(name: &str, title: &str, (base, with): (&str, &str)) -> Row {
    row(name, FEATURES, title)
        .without_null()
        .named_bench("base", &format!("{base} {TIME}"))
        .named_bench("with", &format!("{with} {TIME}"))
}
