//! Random exchanges: each message goes to one of the bindings, by lot.
//!
//! `x-random` takes bindings of any key to anything. `x-local-random` leads to classic queues of the node
//! that the publisher is connected to, without keys: on one node that is all of them.
//!
//! RabbitMQ: plugin rabbitmq_random_exchange; local-random-exchange.md.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use super::hashing::mix;
use super::multiset::Destinations;
use super::{Asked, BindingRefusal, Destination, ExchangeType, Routable, RoutingTable};
use crate::value::Table;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-random",
    description: "Randomly picks a binding (queue) to route via (to).",
    new_table: |_| Box::new(RandomTable::default()),
    picks_one: true,
    ..ExchangeType::PLAIN
};

pub(super) const LOCAL_TYPE: ExchangeType = ExchangeType {
    name: "x-local-random",
    description: "Picks one random local binding (queue) to route via (to).",
    new_table: |_| Box::new(RandomTable::default()),
    validate_binding: validate_local,
    picks_one: true,
    ..ExchangeType::PLAIN
};

/// The queue type that `x-local-random` leads to.
const CLASSIC: &str = "rabbit_classic_queue";

fn validate_local(asked: &Asked<'_>) -> Result<(), BindingRefusal> {
    if !asked.key.is_empty() {
        return Err(BindingRefusal::KeyNotEmpty(asked.key.into()));
    }
    match asked.queue_type {
        Some(CLASSIC) => Ok(()),
        Some(other) => Err(BindingRefusal::QueueType(other)),
        None => Err(BindingRefusal::NoQueue),
    }
}

#[derive(Debug)]
struct RandomTable {
    destinations: Destinations,
    /// A counter from an unknown start, of which each number is mixed: no lock, and no pattern.
    lot: AtomicU64,
}

impl Default for RandomTable {
    fn default() -> Self {
        Self {
            destinations: Destinations::default(),
            lot: AtomicU64::new(RandomState::new().hash_one(0)),
        }
    }
}

impl RoutingTable for RandomTable {
    fn bind(&mut self, _key: &str, _arguments: &Table, destination: Destination, _name: &str) {
        self.destinations.add(destination);
    }

    fn unbind(&mut self, _key: &str, _arguments: &Table, destination: Destination) {
        self.destinations.remove(destination);
    }

    fn clear_destination(&mut self, destination: Destination) {
        self.destinations.clear(destination);
    }

    fn route(&self, _message: &Routable<'_>, sink: &mut dyn FnMut(Destination)) {
        let lot = mix(self.lot.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed));
        if let Some(destination) = self.destinations.pick(lot) {
            sink(destination);
        }
    }

    fn routes_each_anew(&self) -> bool {
        true
    }

    fn ignores_key(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::super::{NoHeaders, QueueId};
    use super::*;

    #[test]
    fn every_binding_gets_its_part_and_each_message_one_queue() {
        let mut table = RandomTable::default();
        for (queue, bindings) in [(0, 1), (1, 1), (2, 2)] {
            for _ in 0..bindings {
                table.bind("", &Table::new(), Destination::Queue(QueueId(queue)), "");
            }
        }
        let mut counts = [0; 3];
        for _ in 0..4000 {
            let mut found = Vec::new();
            let message = Routable {
                key: "any",
                headers: &NoHeaders,
            };
            table.route(&message, &mut |destination| found.push(destination));
            let [Destination::Queue(QueueId(queue))] = found[..] else {
                unreachable!("one queue, not {found:?}");
            };
            counts[usize::try_from(queue).unwrap_or(usize::MAX)] += 1;
        }
        // Expected are 1000, 1000 and 2000; the deviation is 27 and 32.
        assert!((800..1200).contains(&counts[0]), "{counts:?}");
        assert!((800..1200).contains(&counts[1]), "{counts:?}");
        assert!((1750..2250).contains(&counts[2]), "{counts:?}");
    }

    #[test]
    fn a_local_one_leads_to_classic_queues_without_a_key() {
        let asked = |key, queue_type| Asked {
            key,
            arguments: const { &Table::new() },
            queue_type,
        };
        let text = |asked: &Asked<'_>| validate_local(asked).err().map(|refusal| refusal.to_string());
        assert_eq!(text(&asked("", Some(CLASSIC))), None);
        assert_eq!(
            text(&asked("k", Some(CLASSIC))).as_deref(),
            Some("Non empty binding 'k' key not permitted")
        );
        assert_eq!(
            text(&asked("", Some("rabbit_quorum_queue"))).as_deref(),
            Some("Queue type rabbit_quorum_queue not valid for this exchange type")
        );
        assert_eq!(text(&asked("", None)).as_deref(), Some("Destination not found"));
    }
}
