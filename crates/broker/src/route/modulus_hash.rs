//! Modulus-hash exchanges (`x-modulus-hash`): the routing key's hash picks one of the bindings.
//!
//! ```text
//!   bindings in the order of their destinations' names:   a b b c        (b is bound twice)
//!   a message's binding: number  hash(routing key) modulo 4
//! ```
//!
//! Which one a key leads to stays the same as long as the bindings are the same, and is the same as in
//! RabbitMQ from 4.3 on. Keys and arguments of bindings only tell bindings apart.
//!
//! RabbitMQ: plugin rabbitmq_sharding, and core from 4.3 on.

use super::hashing::erlang_list_of;
use super::{Destination, ExchangeType, Routable, RoutingTable};
use crate::value::Table;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-modulus-hash",
    description: "Modulus Hashing Exchange",
    new_table: |_| Box::new(ModulusTable::default()),
    picks_one: true,
    ..ExchangeType::PLAIN
};

/// A binding: whether it leads to a queue, the name of where it leads, and its id. They are compared in this
/// order, exchanges first, as RabbitMQ's are.
type Entry = (bool, Box<str>, Destination);

#[derive(Debug, Default)]
struct ModulusTable {
    /// In order.
    entries: Vec<Entry>,
}

impl RoutingTable for ModulusTable {
    fn bind(&mut self, _key: &str, _arguments: &Table, destination: Destination, name: &str) {
        let is_queue = matches!(destination, Destination::Queue(_));
        let at = self
            .entries
            .partition_point(|(other_is_queue, other, _)| (*other_is_queue, &**other) < (is_queue, name));
        self.entries.insert(at, (is_queue, name.into(), destination));
    }

    fn unbind(&mut self, _key: &str, _arguments: &Table, destination: Destination) {
        let found = self
            .entries
            .iter()
            .position(|(_, _, other)| *other == destination);
        if let Some(at) = found {
            self.entries.remove(at);
        }
    }

    fn clear_destination(&mut self, destination: Destination) {
        self.entries.retain(|(_, _, other)| *other != destination);
    }

    fn route(&self, message: &Routable<'_>, sink: &mut dyn FnMut(Destination)) {
        let hash = erlang_list_of(message.key.as_bytes()) as usize;
        let at = hash.checked_rem(self.entries.len());
        if let Some((_, _, destination)) = at.and_then(|at| self.entries.get(at)) {
            sink(*destination);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::super::{ExchangeId, NoHeaders, QueueId};
    use super::*;

    fn queue(number: u64) -> Destination {
        Destination::Queue(QueueId(number))
    }

    fn routed(table: &ModulusTable, key: &str) -> Vec<Destination> {
        let mut found = Vec::new();
        let message = Routable {
            key,
            headers: &NoHeaders,
        };
        table.route(&message, &mut |destination| found.push(destination));
        found
    }

    #[test]
    fn a_key_leads_to_one_queue_whatever_the_order_of_bindings() {
        let (mut one, mut other) = (ModulusTable::default(), ModulusTable::default());
        for number in 0..10 {
            one.bind("", &Table::new(), queue(number), &format!("q{number}"));
            let number = 9 - number;
            other.bind("k", &Table::new(), queue(number), &format!("q{number}"));
        }
        // What came and went changes nothing.
        one.bind("", &Table::new(), queue(77), "a");
        one.unbind("", &Table::new(), queue(77));
        one.bind("", &Table::new(), queue(78), "b");
        one.clear_destination(queue(78));
        let mut counts = [0; 10];
        for key in 0..10_000 {
            let key = key.to_string();
            let found = routed(&one, &key);
            assert_eq!(found, routed(&other, &key));
            let [Destination::Queue(QueueId(number))] = found[..] else {
                unreachable!("one queue, not {found:?}");
            };
            counts[usize::try_from(number).unwrap_or(usize::MAX)] += 1;
        }
        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
        assert_eq!(routed(&ModulusTable::default(), "k"), []);
    }

    #[test]
    fn the_hash_picks_among_bindings_in_the_order_of_names() {
        let mut table = ModulusTable::default();
        // Ids are in another order than names, and exchanges come before queues.
        table.bind("1", &Table::new(), queue(1), "qb");
        table.bind("1", &Table::new(), queue(2), "qa");
        table.bind("2", &Table::new(), queue(2), "qa");
        let exchange = Destination::Exchange(ExchangeId(3));
        table.bind("", &Table::new(), exchange, "x");
        for key in ["", "a", "b", "orders.1", "orders.2", "x3"] {
            let expected = match erlang_list_of(key.as_bytes()) % 4 {
                0 => exchange,
                1 | 2 => queue(2),
                _ => queue(1),
            };
            assert_eq!(routed(&table, key), [expected], "{key:?}");
        }
    }
}
