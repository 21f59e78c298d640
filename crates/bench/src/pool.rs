//! Messages that are encoded once and published again and again: only their stamps change.
//!
//! ```text
//!   bytes   [publish header body][publish header body][publish ...
//!   slots    ^start       ^stamp  ^start
//! ```
//!
//! Publishing a run of slots is one write of what lies from the first's start to the last's end.

use std::ops::Range;

use warren_client::Message;
use warren_protocol::amqp091::properties::Fields;
use warren_protocol::amqp091::table::{TableBuf, TableWriter};

use crate::args::{Argument, Sizes};
use crate::layout::Route;
use crate::random::Random;
use crate::stamp::{self, Stamp};

/// Octets of a span, after which it ends: what a socket takes at once, and what the caches keep.
const SPAN_BYTES: usize = 64 * 1024;

/// Messages of a pool with random sizes or keys, so that each round is different enough.
const RANDOM_SLOTS: usize = 1000;

/// Octets of a pool with random sizes, whatever the number of messages.
const RANDOM_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Pool {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// The next slot.
    next: usize,
    /// By stream of the producer: its number in the run, and messages so far.
    streams: Vec<(u32, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    start: usize,
    stamp: usize,
    body_bytes: usize,
    /// Place in `streams`.
    stream: usize,
}

/// A run of messages that are stamped and can be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// Where in the pool they lie.
    pub(crate) bytes: Range<usize>,
    pub(crate) messages: u64,
    /// Octets of their bodies.
    pub(crate) body_bytes: u64,
}

/// What all messages carry, whatever their route.
#[derive(Debug, Default)]
pub(crate) struct Common {
    pub(crate) is_persistent: bool,
    pub(crate) expiration: Option<String>,
    pub(crate) headers: Vec<Argument>,
}

/// What a pool is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) routes: &'a [Route],
    pub(crate) sizes: &'a Sizes,
    pub(crate) common: &'a Common,
    pub(crate) channel: u16,
    pub(crate) body_frame_bytes: usize,
    /// Of equal messages; of varied ones there are more, so that each round is different enough.
    pub(crate) pool_bytes: usize,
    pub(crate) seed: u64,
}

impl Pool {
    pub(crate) fn new(recipe: Recipe<'_>) -> Self {
        let mut pool = Pool {
            bytes: Vec::new(),
            slots: Vec::new(),
            next: 0,
            streams: Vec::new(),
        };
        let mut random = Random::new(recipe.seed);
        let body = vec![b'w'; recipe.sizes.largest()];
        let is_varied = !recipe.sizes.is_fixed() || recipe.routes.len() > 1;
        let (slots, bytes) = match is_varied {
            true => (RANDOM_SLOTS.max(recipe.routes.len()), RANDOM_BYTES),
            false => (usize::MAX, recipe.pool_bytes),
        };
        for route in recipe.routes.iter().cycle() {
            let size = recipe.sizes.draw(&mut random);
            pool.add(&recipe, route, body.get(..size).unwrap_or(&body));
            // Every route has its turn.
            let is_round = pool.slots.len().is_multiple_of(recipe.routes.len());
            if is_round && (pool.slots.len() >= slots || pool.bytes.len() >= bytes) {
                break;
            }
        }
        pool
    }

    fn add(&mut self, recipe: &Recipe<'_>, route: &Route, body: &[u8]) {
        let properties = properties(route, recipe.common);
        let message = Message {
            exchange: recipe.exchange,
            routing_key: &route.key,
            mandatory: false,
            properties: &properties,
            body,
        };
        let known = self
            .streams
            .iter()
            .position(|(stream, _)| *stream == route.stream);
        let stream = known.unwrap_or_else(|| {
            self.streams.push((route.stream, 0));
            self.streams.len() - 1
        });
        let start = self.bytes.len();
        self.slots.push(Slot {
            start,
            stamp: start + message.body_offset(),
            body_bytes: body.len(),
            stream,
        });
        message.encode(recipe.channel, recipe.body_frame_bytes, &mut self.bytes);
    }

    /// Stamps the next messages, at most so many and no more than lie in one piece of some 64 KiB. `due_ns`
    /// says when each was due.
    pub(crate) fn fill(&mut self, most: u64, run: u16, mut due_ns: impl FnMut() -> u64) -> Span {
        if self.next >= self.slots.len() {
            self.next = 0;
        }
        let slots = self.slots.get(self.next..).unwrap_or_default();
        let start = slots.first().map_or(0, |slot| slot.start);
        let mut span = Span {
            bytes: start..start,
            ..Span::default()
        };
        for slot in slots {
            if span.messages >= most || slot.start - start >= SPAN_BYTES {
                break;
            }
            let Some((stream, number)) = self.streams.get_mut(slot.stream) else {
                break;
            };
            let stamp = Stamp {
                stream: *stream,
                number: *number,
                run,
                due_ns: due_ns(),
            };
            *number += 1;
            if let Some(place) = self.bytes.get_mut(slot.stamp..slot.stamp + stamp::BYTES) {
                place.copy_from_slice(&stamp.octets());
            }
            span.messages += 1;
            span.body_bytes += slot.body_bytes as u64;
            self.next += 1;
        }
        span.bytes.end = match self.slots.get(self.next) {
            Some(next) => next.start,
            None => self.bytes.len(),
        };
        span
    }

    /// The octets of a span, or what is left of it.
    pub(crate) fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// How many messages of each stream were stamped.
    pub(crate) fn streams(&self) -> &[(u32, u64)] {
        &self.streams
    }
}

/// The properties as they go over the wire. Nothing in them is too long to be written.
fn properties(route: &Route, common: &Common) -> Vec<u8> {
    let has_headers = route.header.is_some() || !common.headers.is_empty();
    let fill = |table: &mut TableWriter<'_>| {
        if let Some((name, value)) = &route.header {
            table.string(name, value);
        }
        common.headers.iter().for_each(|header| header.write(table));
    };
    let headers = has_headers.then(|| TableBuf::build(fill).unwrap_or_default());
    let fields = Fields {
        headers: headers.as_ref().map(TableBuf::as_table),
        delivery_mode: common.is_persistent.then_some(2),
        priority: route.priority,
        expiration: common.expiration.as_deref().map(str::as_bytes),
        ..Fields::default()
    };
    let mut out = Vec::new();
    if fields.encode(&mut out).is_err() {
        out.extend_from_slice(&[0, 0]);
    }
    out
}

#[cfg(test)]
mod tests {
    use warren_protocol::amqp091::frame::{self, Step};
    use warren_protocol::amqp091::properties::Properties;
    use warren_protocol::amqp091::table::Value;

    use super::*;

    fn route(stream: u32) -> Route {
        Route {
            key: format!("k{stream}"),
            header: Some(("bench", "1".to_owned())),
            priority: None,
            stream,
        }
    }

    fn pool(sizes: &str, routes: &[Route]) -> Pool {
        Pool::new(Recipe {
            exchange: "x",
            routes,
            sizes: &sizes.parse().unwrap(),
            common: &Common {
                is_persistent: true,
                ..Common::default()
            },
            channel: 7,
            body_frame_bytes: 1000,
            pool_bytes: 64 * 1024,
            seed: 1,
        })
    }

    /// The stamps that stand at the beginning of the bodies in these octets.
    fn stamps(mut bytes: &[u8]) -> Vec<Stamp> {
        let (mut stamps, mut is_first) = (Vec::new(), false);
        while let Step::Frame { frame, consumed } = frame::decode(bytes, 4096).unwrap() {
            assert_eq!(frame.channel, 7);
            match frame.kind {
                3 if is_first => {
                    stamps.push(Stamp::read(frame.payload[..16].try_into().unwrap()));
                    is_first = false;
                }
                3 => {}
                kind => is_first = kind == 2,
            }
            bytes = &bytes[consumed..];
        }
        assert!(bytes.is_empty());
        stamps
    }

    #[test]
    fn spans_are_whole_messages_with_running_numbers() {
        let mut pool = pool("100", &[route(3)]);
        let mut expected = 0;
        for most in [1, 10, 0, u64::MAX, 5, u64::MAX] {
            let span = pool.fill(most, 9, || 77);
            let found = stamps(pool.bytes(&span.bytes));
            assert_eq!(found.len() as u64, span.messages);
            assert_eq!(span.body_bytes, 100 * span.messages);
            for stamp in found {
                assert_eq!(
                    (stamp.stream, stamp.number, stamp.run, stamp.due_ns),
                    (3, expected, 9, 77)
                );
                expected += 1;
            }
        }
        assert_eq!(pool.streams(), [(3, expected)]);
    }

    #[test]
    fn every_route_has_its_turn_and_its_numbers() {
        let mut pool = pool("16-3000", &[route(1), route(2), route(1)]);
        let mut found = Vec::new();
        while found.len() < 2000 {
            let span = pool.fill(u64::MAX, 9, || 0);
            found.extend(stamps(pool.bytes(&span.bytes)));
        }
        for (stamps, round) in found.chunks_exact(3).zip(0..) {
            let seen: Vec<_> = stamps.iter().map(|stamp| (stamp.stream, stamp.number)).collect();
            assert_eq!(seen, [(1, 2 * round), (2, round), (1, 2 * round + 1)]);
        }
    }

    #[test]
    fn messages_carry_what_is_common_and_what_is_their_routes() {
        let mut route = route(1);
        route.priority = Some(3);
        let common = Common {
            is_persistent: false,
            expiration: Some("60000".to_owned()),
            headers: vec!["x-delay=50".parse().unwrap()],
        };
        let encoded = properties(&route, &common);
        let found = Properties::parse(&encoded).unwrap();
        assert_eq!((found.priority(), found.delivery_mode()), (Some(3), None));
        assert_eq!(found.expiration(), Some(&b"60000"[..]));
        let headers = found.headers().unwrap();
        assert_eq!(headers.find(b"bench"), Some(Value::LongString(b"1")));
        assert_eq!(headers.find(b"x-delay"), Some(Value::I64(50)));
        route.header = None;
        let encoded = properties(&route, &Common::default());
        assert!(Properties::parse(&encoded).unwrap().headers().is_none());
    }

    #[test]
    fn a_message_larger_than_the_pool_goes_alone() {
        let mut pool = pool("1MiB", &[route(1)]);
        let span = pool.fill(u64::MAX, 9, || 0);
        assert_eq!(span.messages, 1);
        assert!(span.bytes.len() > 1024 * 1024);
    }
}
