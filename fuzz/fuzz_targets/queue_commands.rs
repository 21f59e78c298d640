//! A queue against the naive one of its property tests: any bytes are a sequence of commands.
//!
//! Beyond not crashing: same deliveries in the same order to the same consumers, same totals, and a queue
//! that was fed the facts alone has the same durable state.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warren_broker::message::{AnnotationsWriter, Message, Parts, Reason};
use warren_broker::queue::{
    Backoff, Command, ConsumerKey, DeadLetters, Deduplication, Delivery, Fact, Fetch, GroupBy, HeaderReader,
    Leaving, Outlet, Overflow, Queue, Retried, Retry, Rules, Scope, SeqSet, Standing, Stretch, Subscription,
    Summary, Take, Ticket, Totals,
};
use warren_broker::value::Value;

#[path = "../../crates/broker/src/queue/tests/model/mod.rs"]
mod model;

use model::{Step, Trial};

fuzz_target!(|bytes: &[u8]| {
    let [first, max_priority, rest @ ..] = bytes else {
        return;
    };
    let mut trial = Trial::new(*first, *max_priority);
    for step in rest.chunks_exact(3) {
        trial.run(&Step::of([step[0], step[1], step[2]]));
    }
});
