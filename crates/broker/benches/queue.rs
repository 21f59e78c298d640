//! What a message costs in the machine of a queue, by what the queue can do and by how much waits in it.
//!
//! ```text
//! cargo bench -p warren-broker --bench queue [-- NAME-PART]
//! ```
//!
//! Batches of messages come, are handed out and settled in the order in which they went out, as a broker
//! does under its lock. Without the network, the log, and making the messages: what remains is what a feature
//! adds. CPU time of the thread, the least of some rounds, so that other processes hardly matter.

#![allow(clippy::print_stdout, reason = "a program for people")]

use rustix::time::{ClockId, clock_gettime};
use warren_broker::message::{AnnotationsWriter, Message, Parts};
use warren_broker::queue::{
    Command, ConsumerKey, Delivery, Fact, Outlet, Queue, Rules, Subscription, Ticket,
};

/// Messages that wait all the time.
const DEPTHS: [usize; 3] = [0, 1_000, 100_000];

/// Messages that come at a time, and then go.
const BATCH: usize = 100;

/// Batches of a round.
const BATCHES: usize = 1_000;

/// Rounds, of which the fastest counts.
const ROUNDS: usize = 9;

/// Messages of a minute that are delayed, or expire.
const MINUTE_MS: u64 = 60_000;

/// What a queue goes by, and what its messages are like.
struct Shape {
    name: &'static str,
    rules: fn() -> Rules,
    message: fn(number: usize, now_ms: u64) -> Message,
    /// Nobody consumes.
    is_stuck: bool,
    no_ack: bool,
}

const PLAIN: Shape = Shape {
    name: "plain",
    rules: Rules::default,
    message: |_, now_ms| message(now_ms, None, |_| {}),
    is_stuck: false,
    no_ack: false,
};

const SHAPES: &[Shape] = &[
    PLAIN,
    Shape {
        name: "10 priorities",
        rules: priorities,
        message: prior,
        ..PLAIN
    },
    Shape {
        name: "TTL of the queue",
        rules: || Rules {
            message_ttl_ms: Some(MINUTE_MS),
            ..Rules::default()
        },
        ..PLAIN
    },
    Shape {
        name: "expirations",
        message: expiring,
        ..PLAIN
    },
    Shape {
        name: "delayed by 10 ms",
        message: delayed,
        ..PLAIN
    },
    Shape {
        name: "at a limit of 1,000",
        rules: || Rules {
            max_length: Some(1_000),
            ..Rules::default()
        },
        is_stuck: true,
        ..PLAIN
    },
    Shape {
        name: "plain, no ack",
        no_ack: true,
        ..PLAIN
    },
    Shape {
        name: "10 priorities, no ack",
        rules: priorities,
        message: prior,
        no_ack: true,
        ..PLAIN
    },
    Shape {
        name: "expirations, no ack",
        message: expiring,
        no_ack: true,
        ..PLAIN
    },
];

fn priorities() -> Rules {
    Rules {
        max_priority: Some(10),
        ..Rules::default()
    }
}

fn prior(number: usize, now_ms: u64) -> Message {
    message(now_ms, Some((number % 10) as u8), |_| {})
}

fn expiring(_: usize, now_ms: u64) -> Message {
    message(now_ms, None, |noted| noted.ttl_ms(MINUTE_MS))
}

fn delayed(_: usize, now_ms: u64) -> Message {
    message(now_ms, None, |noted| noted.due_ms(now_ms + 10))
}

#[expect(clippy::expect_used, reason = "a short key and no body are not too long")]
fn message(now_ms: u64, priority: Option<u8>, note: impl FnOnce(&mut AnnotationsWriter)) -> Message {
    let mut noted = AnnotationsWriter::default();
    note(&mut noted);
    let parts = Parts {
        key: "queue",
        priority,
        published_ms: now_ms,
        annotations: noted.bytes(),
        ..Parts::default()
    };
    Message::of(&parts).expect("short")
}

/// Takes so many messages, and remembers their names.
#[derive(Default)]
struct Taker {
    tickets: Vec<Ticket>,
    refused: Option<ConsumerKey>,
}

impl Outlet for Taker {
    fn offer(&mut self, consumer: ConsumerKey, delivery: Delivery) -> Result<(), Delivery> {
        if self.tickets.len() == BATCH {
            self.refused = Some(consumer);
            return Err(delivery);
        }
        self.tickets.push(delivery.ticket);
        Ok(())
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    println!(
        "{:<24}{:>9}{:>9}{:>9}  ns a message",
        "waiting:", 0, "1,000", "100,000"
    );
    for shape in SHAPES {
        if !wanted.is_empty() && !wanted.iter().any(|word| shape.name.contains(word.as_str())) {
            continue;
        }
        print!("{:<24}", shape.name);
        for depth in DEPTHS {
            print!("{:>9.0}", measure(shape, depth));
        }
        println!();
    }
}

/// Nanoseconds of a message.
fn measure(shape: &Shape, depth: usize) -> f64 {
    let mut bench = Bench::new(shape);
    let mut number = 0;
    while number < depth {
        bench.come(shape, number);
        number += BATCH;
    }
    if !shape.is_stuck {
        let no_ack = shape.no_ack;
        let subscription = Subscription {
            no_ack,
            ..Subscription::default()
        };
        // The first consumer of a queue is let in.
        let _ = bench.queue.subscribe(subscription);
    }
    (0..ROUNDS).map(|_| bench.round(shape)).fold(f64::MAX, f64::min)
}

struct Bench {
    queue: Queue,
    facts: Vec<Fact>,
    now_ms: u64,
    taker: Taker,
    messages: Vec<Message>,
    spent_ns: u64,
}

impl Bench {
    fn new(shape: &Shape) -> Self {
        let mut queue = Queue::new(true);
        queue.set_rules(&(shape.rules)());
        Self {
            queue,
            facts: Vec::new(),
            now_ms: 1,
            taker: Taker::default(),
            messages: Vec::new(),
            spent_ns: 0,
        }
    }

    fn round(&mut self, shape: &Shape) -> f64 {
        self.spent_ns = 0;
        for batch in 0..BATCHES {
            self.come(shape, batch * BATCH);
            let begun = now_ns();
            self.go();
            self.spent_ns += now_ns() - begun;
        }
        self.spent_ns as f64 / (BATCHES * BATCH) as f64
    }

    /// Messages come; making them does not count.
    fn come(&mut self, shape: &Shape, first: usize) {
        self.now_ms += 1;
        let now_ms = self.now_ms;
        self.messages.clear();
        self.messages
            .extend((first..first + BATCH).map(|number| (shape.message)(number, now_ms)));
        let begun = now_ns();
        let messages = std::mem::take(&mut self.messages);
        self.carry_out(&Command::Enqueue(&messages));
        self.messages = messages;
        // Who decides has a clock, and asks for the next hour.
        while self.queue.next_due().is_some_and(|due| due <= now_ms) {
            self.carry_out(&Command::Tick);
        }
        if self.queue.is_overfull() {
            self.carry_out(&Command::Shed);
        }
        self.spent_ns += now_ns() - begun;
    }

    /// What is ready goes.
    fn go(&mut self) {
        self.queue.dispatch(&mut self.taker, self.now_ms, &mut self.facts);
        self.facts.clear();
        if let Some(refused) = self.taker.refused.take() {
            self.queue.resume(refused);
        }
        let mut tickets = std::mem::take(&mut self.taker.tickets);
        self.carry_out(&Command::Settle(&tickets));
        tickets.clear();
        self.taker.tickets = tickets;
    }

    fn carry_out(&mut self, command: &Command<'_>) {
        self.queue.decide(command, self.now_ms, &mut self.facts);
        self.queue.apply(self.facts.drain(..));
    }
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
