//! What it costs to route a message, by exchange type, number of bindings and number of matches.
//!
//! ```text
//! cargo bench -p warren-broker --bench routing [-- NAME-PART]
//! ```
//!
//! A row is a shape of bindings and a kind of message. Its figures should be alike from left to right: the
//! cost follows what matches, not what is bound. CPU time of the thread, the least of some rounds, so that
//! other processes hardly matter. Messages differ from one to the next, as for keys that never come again.

#![allow(clippy::print_stdout, reason = "a program for people")]

use rustix::time::{ClockId, clock_gettime};
use warren_broker::route::{Destination, NoHeaders, QueueId, Routable, RoutingTable, exchange_type};
use warren_broker::value::{Table, Value};

const COUNTS: [usize; 4] = [10, 1_000, 10_000, 100_000];

/// Different messages.
const MESSAGES: usize = 4096;

/// Routings of a round, at the least, and of a round that takes very long.
const ROUND: usize = 1 << 15;

/// Rounds, of which the fastest counts.
const ROUNDS: usize = 5;

/// A round ends after this, whatever it did.
const ROUND_NS: u64 = 100_000_000;

struct Message {
    key: String,
    headers: Option<Table>,
}

/// Bindings and messages of a row. `count` is the number of bindings.
struct Shape {
    name: &'static str,
    kind: &'static str,
    binding: fn(number: usize, count: usize) -> (String, Table),
    message: fn(number: usize, count: usize) -> Message,
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "direct, 1 match",
        kind: "direct",
        binding: |n, _| (format!("a{n}.b.c"), Table::new()),
        message: |n, count| keyed(format!("a{}.b.c", n % count)),
    },
    Shape {
        name: "topic a.*.c.# | #.x | *.*.k, none",
        kind: "topic",
        binding: wild,
        message: |n, _| keyed(format!("z{n}.y.w{n}.v")),
    },
    Shape {
        name: "topic a.*.c.# | #.x | *.*.k, 1 match",
        kind: "topic",
        binding: wild,
        message: |n, count| keyed(wild_key(n % count, n)),
    },
    Shape {
        name: "topic a.*.c.# | #.x | *.*.k, 10 matches",
        kind: "topic",
        binding: |n, count| match n {
            0..3 => ("hit.#".to_owned(), Table::new()),
            3..6 => ("hit.*.*".to_owned(), Table::new()),
            6..9 => ("*.hit.#".to_owned(), Table::new()),
            n => wild(n, count),
        },
        message: |n, count| keyed(format!("hit.hit.k{}", 10 + n % (count - 9) / 3 * 3 + 1)),
    },
    Shape {
        name: "topic event.*.NUMBER.#, 1 match",
        kind: "topic",
        binding: |n, _| (format!("event.*.{n}.#"), Table::new()),
        message: |n, count| keyed(format!("event.of{n}.{}.x.y", n % count)),
    },
    Shape {
        name: "topic #.(a|*) 12 times.#.NUMBER, 128 a",
        kind: "topic",
        binding: |n, _| {
            (
                format!("#.{}#.{n}", either(n % 4096, ["a.", "*."], 12)),
                Table::new(),
            )
        },
        message: |_, _| keyed(["a"; 128].join(".")),
    },
    Shape {
        name: "topic (#.a|#.b) 20 times.#.c, 128 a or b",
        kind: "topic",
        binding: |n, _| (format!("{}#.c", either(n, ["#.a.", "#.b."], 20)), Table::new()),
        message: |n, _| keyed(format!("{}a", either(n, ["a.", "b."], 127))),
    },
    Shape {
        name: "headers all: common kind, own number",
        kind: "headers",
        binding: |n, _| asked("all", &[("kind", text("event")), ("number", int(n))]),
        message: |n, count| headed(&[("kind", text("event")), ("number", int(n % count)), ("z", int(n))]),
    },
    Shape {
        name: "headers all: 5 of 10 values each",
        kind: "headers",
        binding: |n, _| asked("all", &digits(n)),
        message: |n, count| headed(&digits(n % count)),
    },
    Shape {
        name: "headers all: the same, none matches",
        kind: "headers",
        binding: |n, _| asked("all", &[&digits(n)[..], &[("z", int(0))]].concat()),
        message: |n, count| headed(&digits(n % count)),
    },
    Shape {
        name: "headers any: two numbers",
        kind: "headers",
        binding: |n, count| asked("any", &[("number", int(n)), ("other", int(n + count))]),
        message: |n, count| headed(&[("kind", text("event")), ("number", int(n % count))]),
    },
    Shape {
        name: "headers all-with-x: x-kind, own number",
        kind: "headers",
        binding: |n, _| asked("all-with-x", &[("x-kind", text("event")), ("number", int(n))]),
        message: |n, count| headed(&[("x-kind", text("event")), ("number", int(n % count))]),
    },
    Shape {
        name: "headers any-with-x: two numbers",
        kind: "headers",
        binding: |n, count| asked("any-with-x", &[("x-number", int(n)), ("other", int(n + count))]),
        message: |n, count| headed(&[("kind", text("event")), ("x-number", int(n % count))]),
    },
    Shape {
        name: "headers all: own name without value",
        kind: "headers",
        binding: |n, _| asked("all", &[("kind", Value::Void), (&format!("is-{n}"), Value::Void)]),
        message: |n, count| headed(&[("kind", text("event")), (&format!("is-{}", n % count), int(n))]),
    },
];

fn keyed(key: String) -> Message {
    Message { key, headers: None }
}

fn headed(headers: &[(&str, Value)]) -> Message {
    Message {
        key: String::new(),
        headers: Some(headers.iter().cloned().collect()),
    }
}

fn wild(n: usize, _count: usize) -> (String, Table) {
    let key = match n % 3 {
        0 => format!("a{n}.*.c.#"),
        1 => format!("#.x{n}"),
        _ => format!("*.*.k{n}"),
    };
    (key, Table::new())
}

/// A key for the binding with this number, of words that differ by `salt`.
fn wild_key(n: usize, salt: usize) -> String {
    match n % 3 {
        0 => format!("a{n}.s{salt}.c.t{salt}"),
        1 => format!("s{salt}.t.u{salt}.x{n}"),
        _ => format!("s{salt}.t.k{n}"),
    }
}

fn asked(how: &str, wanted: &[(&str, Value)]) -> (String, Table) {
    let how = [("x-match", text(how))];
    (String::new(), how.iter().chain(wanted).cloned().collect())
}

/// So many words, each of two, as the bits of a number say.
fn either(bits: usize, words: [&str; 2], count: u32) -> String {
    let word = |place: u32| {
        words
            .get(bits >> (place % usize::BITS) & 1)
            .copied()
            .unwrap_or_default()
    };
    (0..count).map(word).collect()
}

fn digits(n: usize) -> Vec<(&'static str, Value)> {
    let digit = |place: u32| int(n / 10_usize.pow(place) % 10);
    ["a", "b", "c", "d", "e"]
        .into_iter()
        .zip(0..)
        .map(|(name, place)| (name, digit(place)))
        .collect()
}

fn text(text: &str) -> Value {
    text.into()
}

fn int(n: usize) -> Value {
    Value::I64(n as i64)
}

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    println!(
        "{:<42}{:>9}{:>9}{:>9}{:>9}  ns a message; {:>8}",
        "bindings:", 10, "1,000", "10,000", "100,000", "matches"
    );
    for shape in SHAPES {
        if !wanted.is_empty() && !wanted.iter().any(|word| shape.name.contains(word.as_str())) {
            continue;
        }
        let measured = COUNTS.map(|count| measure(shape, count));
        print!("{:<42}", shape.name);
        measured.iter().for_each(|(ns, _)| print!("{ns:>9.0}"));
        println!(
            "  {:>25.2}",
            measured
                .map(|(_, matches)| matches)
                .into_iter()
                .fold(0.0, f64::max)
        );
    }
}

/// Nanoseconds and matches of a message.
fn measure(shape: &Shape, count: usize) -> (f64, f64) {
    let Some(kind) = exchange_type(shape.kind) else {
        return (f64::NAN, f64::NAN);
    };
    let mut table = (kind.new_table)(&Table::new());
    for n in 0..count {
        let (key, arguments) = (shape.binding)(n, count);
        table.bind(&key, &arguments, Destination::Queue(QueueId(n as u64)), "");
    }
    // Numbers that are spread over all bindings, so that the caches are not all that is measured.
    let spread = |n: usize| n.wrapping_mul(0x9e37_79b1) % 1_000_000_007;
    let messages: Vec<Message> = (0..MESSAGES).map(|n| (shape.message)(spread(n), count)).collect();
    let rounds = (0..ROUNDS).map(|_| round(&*table, &messages));
    rounds.fold(
        (f64::MAX, 0.0),
        |least, round| if round.0 < least.0 { round } else { least },
    )
}

fn round(table: &dyn RoutingTable, messages: &[Message]) -> (f64, f64) {
    let (mut routed, mut matches) = (0_usize, 0_usize);
    let begun = now_ns();
    // The clock is dear beside a quick message, and 64 slow ones would take minutes.
    let mut turn = 1;
    while routed < ROUND && now_ns() - begun < ROUND_NS {
        for message in messages.iter().cycle().skip(routed % MESSAGES).take(turn) {
            let routable = match &message.headers {
                None => Routable {
                    key: &message.key,
                    headers: &NoHeaders,
                },
                Some(headers) => Routable {
                    key: &message.key,
                    headers,
                },
            };
            table.route(&routable, &mut |destination| {
                std::hint::black_box(destination);
                matches += 1;
            });
        }
        routed += turn;
        turn = (turn * 2).min(64);
    }
    let ns = (now_ns() - begun) as f64;
    (ns / routed as f64, matches as f64 / routed as f64)
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
