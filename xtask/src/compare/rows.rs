//! The rows that Warren has to reach something in: the load, and how far from RabbitMQ and from the limit of
//! the machine.
//!
//! Unless a row says otherwise there are one producer, one consumer, one durable queue and messages of 1 KiB.

use super::figures::{
    BUILD, CHURNED, CONFIRM_P50, CONFIRM_P99, CONFIRMED, COST, DRAIN, IDLE, P50, P99, PEAK, PER_IDLE, RATE,
    START, SYNC_P50,
};
use super::row::{Kind, Row, row};

const THROUGHPUT: &str = "throughput";
const LATENCY: &str = "latency";
const CONNECTIONS: &str = "connections";
const MEMORY: &str = "memory";
const BACKLOG: &str = "backlog";

/// The rows of `--quick`.
pub(super) const QUICK: [&str; 3] = ["auto-ack-16b", "confirms", "latency-persistent"];

pub(super) fn rows() -> Vec<Row> {
    [
        throughput(),
        sizes(),
        latency(),
        connections(),
        memory(),
        backlog(),
    ]
    .concat()
}

fn throughput() -> Vec<Row> {
    vec![
        row("auto-ack-16b", THROUGHPUT, "16 B transient, auto-ack")
            .bench("--size 16 --auto-ack")
            .lower(&COST, 50.0)
            .at_least(&RATE, 2e6)
            .near(&COST, 3.0),
        row("auto-ack", THROUGHPUT, "1 KiB transient, auto-ack")
            .bench("--auto-ack")
            .lower(&COST, 20.0)
            .near(&COST, 1.7),
        row(
            "multi-ack",
            THROUGHPUT,
            "1 KiB transient, prefetch 200, one ack for 50",
        )
        .bench("--prefetch 200 --multi-ack 50")
        .lower(&COST, 25.0)
        .near(&COST, 2.0),
        row(
            "single-ack",
            THROUGHPUT,
            "1 KiB transient, prefetch 200, an ack each",
        )
        .bench("--prefetch 200")
        .lower(&COST, 15.0),
        row(
            "confirms",
            THROUGHPUT,
            "1 KiB persistent, confirms with a window of 1,000, an ack each",
        )
        .bench("--persistent --confirm 1000")
        .lower(&COST, 18.0)
        .higher(&RATE, 6.0),
        row(
            "quorum",
            THROUGHPUT,
            "as with confirms, from a quorum queue, which syncs in RabbitMQ too",
        )
        .without_null()
        .bench("--persistent --confirm 1000 --queue-argument x-queue-type=quorum"),
        row(
            "four-by-four",
            THROUGHPUT,
            "1 KiB transient, 4 producers, 4 consumers, 4 queues, auto-ack",
        )
        .bench("-p 4 -c 4 -q 4 --auto-ack")
        .lower(&COST, 20.0)
        .near(&COST, 2.0),
        row(
            "fanout",
            THROUGHPUT,
            "1 KiB transient, fanout to 10 queues, auto-ack; per delivery",
        )
        .bench("-e fanout -q 10 -c 10 --auto-ack")
        .lower(&COST, 20.0),
        row(
            "topic",
            THROUGHPUT,
            "1 KiB transient, topic with 1,000 wildcards, 10,000 random keys, auto-ack",
        )
        .without_null()
        .bench("-e topic -b 1000 --keys 10000 -q 10 -c 10 --auto-ack")
        .lower(&COST, 20.0),
    ]
}

/// Large messages: what is left to gain is copying.
fn sizes() -> Vec<Row> {
    vec![
        row("auto-ack-16k", THROUGHPUT, "16 KiB transient, auto-ack")
            .bench("--size 16KiB --auto-ack")
            .lower(&COST, 4.0)
            .near(&COST, 1.4),
        row("auto-ack-64k", THROUGHPUT, "64 KiB transient, auto-ack")
            .bench("--size 64KiB --auto-ack")
            .lower(&COST, 1.7)
            .near(&COST, 1.4),
        row("auto-ack-1m", THROUGHPUT, "1 MiB transient, auto-ack")
            .bench("--size 1MiB --auto-ack")
            .lower(&COST, 3.0)
            .near(&COST, 1.4),
    ]
}

fn latency() -> Vec<Row> {
    vec![
        row(
            "latency-transient",
            LATENCY,
            "1 KiB transient at 2,000/s, an ack each",
        )
        .bench("--rate 2000")
        .lower(&P50, 2.0)
        .lower(&P99, 2.0)
        .beyond(&P50, 60.0)
        .beyond(&P99, 60.0),
        row(
            "latency-persistent",
            LATENCY,
            "1 KiB persistent at 2,000/s, confirmed, an ack each",
        )
        .without_null()
        .sync("--rate 2000 --secs 4")
        .bench("--rate 2000 --persistent --confirm 1000")
        .lower(&P99, 3.0)
        .lower(&CONFIRM_P99, 3.0),
        row("window-1", LATENCY, "1 KiB persistent, one unconfirmed at a time")
            .without_null()
            .sync("--secs 4")
            .bench("--persistent --confirm 1")
            .higher(&CONFIRMED, 1.5)
            .over(&CONFIRM_P50, &SYNC_P50, 150.0),
    ]
}

fn connections() -> Vec<Row> {
    vec![
        // The null broker has two descriptors and a thread for each connection.
        row(
            "connections-10k",
            CONNECTIONS,
            "10,000 connections with a message a second each",
        )
        .without_null()
        .bench("-p 10000 --rate 10000 --auto-ack")
        .lower(&COST, 10.0),
        row(
            "churn",
            CONNECTIONS,
            "connect, open a channel, publish, close; 4 at a time",
        )
        .bench("-p 0 --churn connections --churners 4 --auto-ack")
        .higher(&CHURNED, 8.0),
    ]
}

fn memory() -> Vec<Row> {
    vec![
        row(
            "idle-connections",
            MEMORY,
            "1,000 idle connections with a channel each",
        )
        .bench("-p 0 -c 0 --idle 1000 --time 1")
        .lower(&PER_IDLE, 8.0)
        .at_most(&PER_IDLE, 8.0),
        row(
            "start",
            MEMORY,
            "start to the first accepted handshake, and the process then",
        )
        .wait(3)
        .memory("idle")
        .lower(&START, 100.0)
        .at_most(&START, 30.0)
        .lower(&IDLE, 12.0)
        .at_most(&IDLE, 10.0),
    ]
}

fn backlog() -> Vec<Row> {
    vec![
        row("backlog-2m", BACKLOG, "2 million persistent messages of 100 B")
            .only(&[Kind::Warren, Kind::RabbitMq])
            .bench(
                "--backlog 2000000 --size 100 --persistent --confirm 10000 --prefetch 1000 --multi-ack 100",
            )
            .higher(&BUILD, 20.0)
            .higher(&DRAIN, 20.0)
            .lower(&PEAK, 4.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_quick_ones_are_there() {
        let rows = super::super::single_rows();
        let mut names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert!(QUICK.iter().all(|quick| names.contains(quick)));
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(
            rows.iter()
                .all(|row| row.brokers.contains(&Kind::Warren) && !row.steps.is_empty())
        );
    }
}
