//! Queues, exchange, bindings; which producer publishes by which routes; which queues a message reaches.
//!
//! ```text
//!   producer ─► routes: exchange, key, headers ─► targets: queues
//!                                    └── all routes of one producer to the same targets, of one priority,
//!                                        are one stream: what comes in order
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::args::ExchangeKind;
use crate::random::Random;
use crate::topic;

/// The header of a binding to a headers exchange.
const HEADER: &str = "bench";

#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) kind: ExchangeKind,
    /// Empty for the default exchange.
    pub(crate) exchange: String,
    pub(crate) queues: Vec<String>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) streams: Vec<Stream>,
    /// By producer.
    pub(crate) routes: Vec<Vec<Route>>,
}

#[derive(Debug)]
pub(crate) struct Binding {
    /// Place of its queue.
    pub(crate) queue: usize,
    pub(crate) key: String,
    /// The header that it asks for, on a headers exchange.
    pub(crate) header: Option<(&'static str, String)>,
}

/// What one producer publishes to one set of queues.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Places of the queues, ascending.
    pub(crate) targets: Arc<[usize]>,
}

/// How a message is addressed.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) key: String,
    pub(crate) header: Option<(&'static str, String)>,
    pub(crate) priority: Option<u8>,
    pub(crate) stream: u32,
}

/// What a layout is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) kind: ExchangeKind,
    pub(crate) prefix: &'a str,
    pub(crate) queues: usize,
    pub(crate) bindings: usize,
    /// Whether topic bindings have a word of their own each.
    pub(crate) is_distinct: bool,
    /// Priorities of producers' messages, from 0 on; none where messages have none.
    pub(crate) levels: Option<u8>,
    /// Routes of a producer, at most, unless it has to reach more queues.
    pub(crate) keys: usize,
    pub(crate) producers: usize,
    /// Who publish straight into a queue, whatever the exchange.
    pub(crate) churners: usize,
    pub(crate) seed: u64,
}

impl Layout {
    pub(crate) fn new(wanted: Wanted<'_>) -> Self {
        let mut random = Random::new(wanted.seed);
        let exchange = match wanted.kind {
            ExchangeKind::Default => String::new(),
            _ => format!("{}-x", wanted.prefix),
        };
        let bindings = match wanted.kind {
            ExchangeKind::Default => Vec::new(),
            kind => (0..wanted.bindings)
                .map(|place| binding(kind, place, wanted, &mut random))
                .collect(),
        };
        let mut layout = Layout {
            kind: wanted.kind,
            exchange,
            queues: (0..wanted.queues)
                .map(|place| format!("{}-{place}", wanted.prefix))
                .collect(),
            bindings,
            streams: Vec::new(),
            routes: Vec::new(),
        };
        for producer in 0..wanted.producers {
            let routes = layout.addresses(producer, wanted, &mut random);
            layout.add_producer(routes, wanted.levels);
        }
        for churner in 0..wanted.churners {
            let queue = churner % wanted.queues.max(1);
            layout.add_producer(vec![layout.straight(queue)], None);
        }
        layout
    }

    /// Streams that reach each queue, ascending.
    pub(crate) fn streams_by_queue(&self) -> Vec<Vec<u32>> {
        let mut by_queue = vec![Vec::new(); self.queues.len()];
        for (stream, number) in self.streams.iter().zip(0..) {
            for target in stream.targets.iter() {
                if let Some(streams) = by_queue.get_mut(*target) {
                    streams.push(number);
                }
            }
        }
        by_queue
    }

    /// How a producer addresses messages, and what each reaches.
    fn addresses(&self, producer: usize, wanted: Wanted<'_>, random: &mut Random) -> Vec<Address> {
        let own = share(producer, wanted.producers, self.queues.len());
        match self.kind {
            ExchangeKind::Default => own.map(|queue| self.straight(queue)).collect(),
            ExchangeKind::Fanout => vec![Address {
                key: String::new(),
                header: None,
                targets: self.reached(|_| true),
            }],
            ExchangeKind::Direct | ExchangeKind::Delayed => {
                let queues = own.clone().count();
                let own = self.bindings.iter().filter(|binding| own.contains(binding.queue));
                let mut own: Vec<&Binding> = own.collect();
                if own.len() > wanted.keys {
                    // The first of them reach every queue once; of the others some will do.
                    let more = wanted.keys.saturating_sub(queues);
                    let drawn: Vec<&Binding> = (0..more).filter_map(|_| random.pick(&own).copied()).collect();
                    own.truncate(queues);
                    own.extend(drawn);
                }
                own.into_iter().map(Binding::address).collect()
            }
            ExchangeKind::Headers => {
                let count = wanted.keys.min(self.bindings.len());
                self.drawn(count, random).map(Binding::address).collect()
            }
            ExchangeKind::Topic if wanted.is_distinct => {
                let drawn: Vec<&Binding> = self.drawn(wanted.keys, random).collect();
                let addresses = drawn.iter().map(|binding| Address {
                    key: topic::key(&binding.key, random),
                    ..binding.address()
                });
                addresses.collect()
            }
            ExchangeKind::Topic => {
                let patterns: Vec<topic::Pattern<'_>> = self
                    .bindings
                    .iter()
                    .map(|binding| topic::Pattern::new(&binding.key))
                    .collect();
                let drawn: Vec<&Binding> = self.drawn(wanted.keys, random).collect();
                let keys = drawn.iter().map(|binding| topic::key(&binding.key, random));
                keys.map(|key| self.topic_address(key, &patterns)).collect()
            }
        }
    }

    /// Bindings whose messages a producer publishes, where it does not go through all.
    fn drawn<'a>(&'a self, count: usize, random: &mut Random) -> impl Iterator<Item = &'a Binding> {
        (0..count).filter_map(move |_| random.pick(&self.bindings))
    }

    /// The default exchange, by the queue's name.
    fn straight(&self, queue: usize) -> Address {
        Address {
            key: self.queues.get(queue).cloned().unwrap_or_default(),
            header: None,
            targets: vec![queue],
        }
    }

    /// A key, with all queues that it reaches.
    fn topic_address(&self, key: String, patterns: &[topic::Pattern<'_>]) -> Address {
        let words: Vec<&str> = key.split('.').collect();
        let mut is_match = patterns.iter().map(|pattern| pattern.matches(&words));
        Address {
            targets: self.reached(|_| is_match.next().unwrap_or(false)),
            header: None,
            key,
        }
    }

    fn reached(&self, mut is_match: impl FnMut(&Binding) -> bool) -> Vec<usize> {
        let matching = self.bindings.iter().filter(|binding| is_match(binding));
        let mut queues: Vec<usize> = matching.map(|binding| binding.queue).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }

    fn add_producer(&mut self, addresses: Vec<Address>, levels: Option<u8>) {
        let mut known: BTreeMap<(Vec<usize>, Option<u8>), u32> = BTreeMap::new();
        let mut routes = Vec::with_capacity(addresses.len());
        let priorities: Vec<Option<u8>> = match levels {
            Some(levels) => (0..levels).map(Some).collect(),
            None => vec![None],
        };
        for address in addresses {
            for priority in &priorities {
                // The plan bounds what a stamp can count.
                let next = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
                let stream = *known.entry((address.targets.clone(), *priority)).or_insert(next);
                if stream == next {
                    let targets = Arc::from(address.targets.as_slice());
                    self.streams.push(Stream { targets });
                }
                routes.push(Route {
                    key: address.key.clone(),
                    header: address.header.clone(),
                    priority: *priority,
                    stream,
                });
            }
        }
        self.routes.push(routes);
    }
}

struct Address {
    key: String,
    header: Option<(&'static str, String)>,
    targets: Vec<usize>,
}

impl Binding {
    /// What reaches its queue, where no two bindings have the same key and header.
    fn address(&self) -> Address {
        Address {
            key: self.key.clone(),
            header: self.header.clone(),
            targets: vec![self.queue],
        }
    }
}

fn binding(kind: ExchangeKind, place: usize, wanted: Wanted<'_>, random: &mut Random) -> Binding {
    let (key, header) = match kind {
        ExchangeKind::Topic if wanted.is_distinct => (topic::own_pattern(place, random), None),
        ExchangeKind::Topic => (topic::pattern(random), None),
        ExchangeKind::Headers => (String::new(), Some((HEADER, place.to_string()))),
        _ => (place.to_string(), None),
    };
    Binding {
        queue: place % wanted.queues.max(1),
        key,
        header,
    }
}

/// A part of `whole` numbers: with fewer parts than numbers a run of them, else one.
pub(crate) fn share(part: usize, parts: usize, whole: usize) -> Share {
    match parts.max(1) {
        parts if parts < whole => Share {
            range: part..whole,
            step: parts,
        },
        _ => {
            let one = part % whole.max(1);
            Share {
                range: one..one + 1,
                step: 1,
            }
        }
    }
}

/// Numbers from the range's start on, a step apart.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    range: Range<usize>,
    step: usize,
}

impl Share {
    fn contains(&self, number: usize) -> bool {
        self.range.contains(&number) && (number - self.range.start).is_multiple_of(self.step)
    }
}

impl Iterator for Share {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let next = self.range.start;
        if next >= self.range.end {
            return None;
        }
        self.range.start += self.step;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(kind: ExchangeKind, producers: usize, queues: usize, bindings: usize) -> Wanted<'static> {
        Wanted {
            kind,
            prefix: "p",
            queues,
            bindings,
            is_distinct: false,
            levels: None,
            keys: 1000,
            producers,
            churners: 0,
            seed: 1,
        }
    }

    fn layout(kind: ExchangeKind, producers: usize, queues: usize, bindings: usize) -> Layout {
        Layout::new(wanted(kind, producers, queues, bindings))
    }

    fn targets(layout: &Layout, producer: usize) -> Vec<Vec<usize>> {
        let target = |route: &Route| layout.streams[route.stream as usize].targets.to_vec();
        layout.routes[producer].iter().map(target).collect()
    }

    #[test]
    fn many_producers_share_queues_and_few_take_several() {
        let many = layout(ExchangeKind::Default, 5, 2, 2);
        assert_eq!(
            (targets(&many, 0), targets(&many, 3)),
            (vec![vec![0]], vec![vec![1]])
        );
        let few = layout(ExchangeKind::Default, 2, 5, 5);
        assert_eq!(targets(&few, 0), [[0], [2], [4]]);
        assert_eq!(targets(&few, 1), [[1], [3]]);
        assert_eq!(few.routes[1][0].key, "p-1");
        assert_eq!(few.streams_by_queue(), [[0], [3], [1], [4], [2]]);
    }

    #[test]
    fn a_fanout_is_one_stream_to_all() {
        let fanout = layout(ExchangeKind::Fanout, 2, 3, 3);
        assert_eq!(targets(&fanout, 1), [[0, 1, 2]]);
        assert_eq!(fanout.streams_by_queue(), [[0, 1], [0, 1], [0, 1]]);
    }

    #[test]
    fn direct_bindings_are_keys_of_their_queue() {
        let direct = layout(ExchangeKind::Direct, 1, 2, 5);
        assert_eq!(targets(&direct, 0), [[0], [1], [0], [1], [0]]);
        assert_eq!(direct.streams.len(), 2);
        let keys: Vec<_> = direct.routes[0].iter().map(|route| route.key.as_str()).collect();
        assert_eq!(keys, ["0", "1", "2", "3", "4"]);
    }

    #[test]
    fn of_many_direct_bindings_some_are_used_and_every_queue_is_reached() {
        let direct = layout(ExchangeKind::Direct, 2, 10, 100_000);
        assert_eq!(direct.routes[0].len(), 1000);
        assert_eq!(direct.streams.len(), 10);
        for (route, targets) in direct.routes[1].iter().zip(targets(&direct, 1)) {
            let number: usize = route.key.parse().unwrap();
            assert_eq!(targets, [number % 10]);
        }
    }

    #[test]
    fn topic_keys_reach_every_queue_with_a_binding_that_matches() {
        let topic = layout(ExchangeKind::Topic, 1, 4, 200);
        assert_eq!(topic.routes[0].len(), 1000);
        for (route, targets) in topic.routes[0].iter().zip(targets(&topic, 0)) {
            assert!(!targets.is_empty());
            for binding in &topic.bindings {
                let is_match = topic::matches(&binding.key, &route.key);
                assert!(!is_match || targets.contains(&binding.queue));
            }
        }
    }

    #[test]
    fn a_topic_with_distinct_bindings_reaches_one_queue() {
        let topic = Layout::new(Wanted {
            is_distinct: true,
            ..wanted(ExchangeKind::Topic, 1, 4, 90)
        });
        for (route, targets) in topic.routes[0].iter().zip(targets(&topic, 0)) {
            let matching = topic
                .bindings
                .iter()
                .filter(|binding| topic::matches(&binding.key, &route.key));
            assert_eq!(matching.map(|binding| binding.queue).collect::<Vec<_>>(), targets);
        }
    }

    #[test]
    fn each_priority_is_a_stream() {
        let layout = Layout::new(Wanted {
            levels: Some(3),
            churners: 1,
            ..wanted(ExchangeKind::Default, 2, 1, 1)
        });
        let of = |producer: usize| -> Vec<(Option<u8>, u32)> {
            let routes = layout.routes[producer].iter();
            routes.map(|route| (route.priority, route.stream)).collect()
        };
        assert_eq!(of(0), [(Some(0), 0), (Some(1), 1), (Some(2), 2)]);
        assert_eq!(of(1), [(Some(0), 3), (Some(1), 4), (Some(2), 5)]);
        assert_eq!(of(2), [(None, 6)]);
    }

    #[test]
    fn headers_reach_the_queue_of_their_binding() {
        let headers = layout(ExchangeKind::Headers, 1, 3, 9);
        for (route, targets) in headers.routes[0].iter().zip(targets(&headers, 0)) {
            let number: usize = route.header.as_ref().unwrap().1.parse().unwrap();
            assert_eq!(targets, [number % 3]);
        }
    }
}
