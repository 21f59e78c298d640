//! Names that the broker makes up: `amq.gen-...`, `amq.ctag-...`.

use super::refusal::{self, Failure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use warren_broker::name::{ConsumerTag, QueueName};

/// Random bytes in a name: 22 characters.
const RANDOM_BYTES: usize = 16;

fn random(prefix: &str) -> Result<String, Failure> {
    let mut bytes = [0; RANDOM_BYTES];
    let failed = |_| Failure::connection(refusal::INTERNAL_ERROR, "the system gave no random bytes");
    getrandom::fill(&mut bytes).map_err(failed)?;
    Ok(format!("{prefix}-{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// A queue's name.
pub(super) fn generated(prefix: &str) -> Result<QueueName, Failure> {
    super::channel::short_name(&random(prefix)?)
}

/// A consumer tag.
pub(super) fn consumer_tag() -> Result<ConsumerTag, Failure> {
    tag(&random("amq.ctag")?)
}

/// A consumer tag as the client gave it.
pub(super) fn tag(text: &str) -> Result<ConsumerTag, Failure> {
    Ok(ConsumerTag::new(text)?)
}
