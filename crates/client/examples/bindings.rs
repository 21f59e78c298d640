//! How long a broker takes to make and to end very many bindings, and what CPU time it costs.
//!
//! ```text
//! cargo run --release -p warren-client --example bindings -- URI BROKER-PID [BINDINGS [TYPE ...]]
//! ```
//!
//! Of each type of exchange: bindings one behind the other without answers, the same from 32 channels that
//! each wait for every answer, then the end of an exchange and of a queue with all bindings. Each between
//! two durable ends, so that answers wait for the disk, and between two that are not.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people, who see what went wrong as it is"
)]

use std::time::Instant;

use warren_client::{Connection, Error, Event, Uri};
use warren_protocol::amqp091::method::{Method, exchange, queue};
use warren_protocol::amqp091::table::TableBuf;

const CHANNELS: u16 = 32;
const EXCHANGE: &str = "bindings-x";
const QUEUE: &str = "bindings-q";

/// Octets that are gathered before they are written.
const OUTPUT_BYTES: usize = 256 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let uri = Uri::parse(&arguments.next().unwrap()).unwrap();
    let pid = arguments.next().unwrap();
    let count = arguments.next().map_or(100_000, |count| count.parse().unwrap());
    let mut kinds: Vec<String> = arguments.collect();
    if kinds.is_empty() {
        kinds = ["direct", "fanout", "topic", "headers"].map(str::to_owned).into();
    }
    let mut connection = Connection::open(&uri, "bindings").await?;
    for channel in 1..=CHANNELS {
        connection.open_channel(channel).await?;
    }
    println!("{:<10}{:<9}{:<20}{:>9}{:>9}", "", "", "", "seconds", "CPU s");
    for kind in &kinds {
        for durable in [false, true] {
            let trial = Trial {
                kind,
                durable,
                count,
                pid: &pid,
            };
            trial.run(&mut connection).await?;
        }
    }
    connection.close().await
}

#[derive(Clone, Copy)]
struct Trial<'a> {
    kind: &'a str,
    durable: bool,
    count: usize,
    pid: &'a str,
}

impl Trial<'_> {
    async fn run(self, connection: &mut Connection) -> Result<(), Error> {
        self.declare(connection).await?;
        for is_bind in [true, false] {
            let begun = self.begin();
            self.without_answers(connection, is_bind).await?;
            self.tell(
                begun,
                if is_bind {
                    "bind, no-wait"
                } else {
                    "unbind, no-wait"
                },
            );
        }
        for is_bind in [true, false] {
            let begun = self.begin();
            self.over_channels(connection, is_bind).await?;
            self.tell(
                begun,
                if is_bind {
                    "bind, 32 channels"
                } else {
                    "unbind, 32 channels"
                },
            );
        }
        self.without_answers(connection, true).await?;
        let begun = self.begin();
        self.delete_exchange(connection).await?;
        self.tell(begun, "delete exchange");
        self.declare(connection).await?;
        self.without_answers(connection, true).await?;
        let begun = self.begin();
        self.delete_queue(connection).await?;
        self.tell(begun, "delete queue");
        self.delete_exchange(connection).await
    }

    fn begin(self) -> (Instant, f64) {
        (Instant::now(), cpu_s(self.pid))
    }

    fn tell(self, (begun, cpu_before_s): (Instant, f64), what: &str) {
        let (seconds, cpu_s) = (begun.elapsed().as_secs_f64(), cpu_s(self.pid) - cpu_before_s);
        let ends = if self.durable { "durable" } else { "transient" };
        println!("{:<10}{ends:<10}{what:<20}{seconds:>8.2}{cpu_s:>9.2}", self.kind);
    }

    async fn declare(self, connection: &mut Connection) -> Result<(), Error> {
        let declare = exchange::Declare {
            exchange: EXCHANGE,
            type_: self.kind,
            durable: self.durable,
            ..exchange::Declare::default()
        };
        let ok = |method: &Method<'_>| matches!(method, Method::ExchangeDeclareOk(_)).then_some(());
        connection.call(1, declare, "exchange.declare-ok", ok).await?;
        let declare = queue::Declare {
            queue: QUEUE,
            durable: self.durable,
            // A queue that is not durable is not wanted any more, unless it is exclusive.
            exclusive: !self.durable,
            ..queue::Declare::default()
        };
        let ok = |method: &Method<'_>| matches!(method, Method::QueueDeclareOk(_)).then_some(());
        connection.call(1, declare, "queue.declare-ok", ok).await
    }

    async fn delete_exchange(self, connection: &mut Connection) -> Result<(), Error> {
        let delete = exchange::Delete {
            exchange: EXCHANGE,
            ..exchange::Delete::default()
        };
        let ok = |method: &Method<'_>| matches!(method, Method::ExchangeDeleteOk(_)).then_some(());
        connection.call(1, delete, "exchange.delete-ok", ok).await
    }

    async fn delete_queue(self, connection: &mut Connection) -> Result<(), Error> {
        let delete = queue::Delete {
            queue: QUEUE,
            ..queue::Delete::default()
        };
        let ok = |method: &Method<'_>| matches!(method, Method::QueueDeleteOk(_)).then_some(());
        connection.call(1, delete, "queue.delete-ok", ok).await
    }

    /// One after the other on one channel; unbinding has no answer that could be left out, and is not
    /// waited for.
    async fn without_answers(self, connection: &mut Connection, is_bind: bool) -> Result<(), Error> {
        let mut answers = 0;
        for number in 0..self.count {
            let is_last = number + 1 == self.count;
            self.send(connection, 1, number, is_bind, !is_last);
            while connection.output().len() > OUTPUT_BYTES {
                answers += turn(connection).await?.len();
            }
        }
        let expected = if is_bind { 1 } else { self.count };
        while answers < expected {
            answers += turn(connection).await?.len();
        }
        Ok(())
    }

    /// On each channel the next when the one before is answered.
    async fn over_channels(self, connection: &mut Connection, is_bind: bool) -> Result<(), Error> {
        let mut next = 0;
        for channel in (1..=CHANNELS).take(self.count) {
            self.send(connection, channel, next, is_bind, false);
            next += 1;
        }
        let mut answers = 0;
        while answers < self.count {
            let answered = turn(connection).await?;
            answers += answered.len();
            for channel in answered {
                if next < self.count {
                    self.send(connection, channel, next, is_bind, false);
                    next += 1;
                }
            }
        }
        Ok(())
    }

    fn send(self, connection: &mut Connection, channel: u16, number: usize, is_bind: bool, nowait: bool) {
        let key = match self.kind {
            "headers" => String::new(),
            "topic" => topic_key(number),
            _ => format!("k{number}"),
        };
        let arguments = match self.kind {
            "headers" => headers(number),
            _ => TableBuf::default(),
        };
        if is_bind {
            let bind = queue::Bind {
                queue: QUEUE,
                exchange: EXCHANGE,
                routing_key: &key,
                nowait,
                arguments: arguments.as_table(),
                ..queue::Bind::default()
            };
            connection.send(channel, bind);
        } else {
            let unbind = queue::Unbind {
                queue: QUEUE,
                exchange: EXCHANGE,
                routing_key: &key,
                arguments: arguments.as_table(),
                ..queue::Unbind::default()
            };
            connection.send(channel, unbind);
        }
    }
}

fn topic_key(number: usize) -> String {
    match number % 3 {
        0 => format!("a{number}.*.c.#"),
        1 => format!("#.x{number}"),
        _ => format!("*.*.k{number}"),
    }
}

fn headers(number: usize) -> TableBuf {
    let how = ["all", "any", "all-with-x", "any-with-x"];
    let fill = |table: &mut warren_protocol::amqp091::table::TableWriter<'_>| {
        table.string("x-match", how.get(number % how.len()).unwrap());
        table.string("kind", format!("kind{}", number % 100));
        table.i64("number", number as i64);
    };
    TableBuf::build(fill).unwrap()
}

/// The channels of the answers that came.
async fn turn(connection: &mut Connection) -> Result<Vec<u16>, Error> {
    connection.turn(&[]).await?;
    let mut answered = Vec::new();
    connection.receive(|event| {
        if let Event::Method {
            channel,
            method: Method::QueueBindOk(_) | Method::QueueUnbindOk(_),
        } = event
        {
            answered.push(channel);
        }
    })?;
    Ok(answered)
}

/// CPU seconds of a process so far.
fn cpu_s(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next().unwrap().parse::<f64>().unwrap();
    (ticks() + ticks()) / 100.0
}
