//! What consumers are told of a dead letter: the headers that RabbitMQ gives it.

use warren_broker::message::Deaths;

/// The first death and the last, as headers: by rising name, as RabbitMQ sends them.
pub(crate) fn briefly<'a>(deaths: &Deaths<'a>) -> [(&'static str, &'a str); 6] {
    let (first, last) = (deaths.first, deaths.last());
    [
        ("x-first-death-exchange", first.exchange),
        ("x-first-death-queue", first.queue),
        ("x-first-death-reason", first.reason.as_str()),
        ("x-last-death-exchange", last.exchange),
        ("x-last-death-queue", last.queue),
        ("x-last-death-reason", last.reason.as_str()),
    ]
}
