//! A catalog against the naive one of its property tests: any bytes are a sequence of wishes and changes.
//!
//! Beyond not crashing: same decisions, same content, no binding without its ends, a broker that does
//! what the effects say has the same bindings, and replay of what was logged brings the durable part back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warren_broker::access::{Permission, TopicPermission, User};
use warren_broker::catalog::{
    Binding, Catalog, Change, Effect, Endpoint, Exchange, ExchangeDeclaration, Link, PolicyScope, Queue,
    QueueDeclaration, SessionId, Vhost, VhostContent, codec,
};
use warren_broker::name::{ExchangeName, QueueName, UserName, VhostName};
use warren_broker::parameter::Parameter;
use warren_broker::policy::{ApplyTo, ExchangeRules, Policy};
use warren_broker::queue::Rules;
use warren_broker::refusal::Refusal;
use warren_broker::route::{Destination, ExchangeId, QueueId};
use warren_broker::value::{Table, Value};

#[path = "../../crates/broker/src/catalog/tests/kept.rs"]
mod kept;
#[path = "../../crates/broker/src/catalog/tests/model.rs"]
mod model;
#[path = "../../crates/broker/src/catalog/tests/step.rs"]
mod step;
#[path = "../../crates/broker/src/catalog/tests/trial.rs"]
mod trial;

fuzz_target!(|bytes: &[u8]| {
    let mut trial = trial::Trial::new();
    for step in bytes.chunks_exact(4) {
        trial.run(&step::Step::of([step[0], step[1], step[2], step[3]]));
    }
});
