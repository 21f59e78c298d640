//! Direct exchanges: the routing key is the binding key.
//!
//! Spec: 0-9-1 §3.1.3.1.

use std::collections::HashMap;

use super::multiset::Destinations;
use super::{Destination, ExchangeType, Routable, RoutingTable};
use crate::value::Table;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "direct",
    description: "AMQP direct exchange, as per the AMQP specification",
    new_table: |_| Box::new(DirectTable::default()),
    ..ExchangeType::PLAIN
};

#[derive(Debug, Default)]
struct DirectTable {
    /// No entry is empty. Keys come from clients, so the hash is one that they cannot aim at.
    by_key: HashMap<Box<str>, Destinations>,
}

impl RoutingTable for DirectTable {
    fn bind(&mut self, key: &str, _arguments: &Table, destination: Destination, _name: &str) {
        match self.by_key.get_mut(key) {
            Some(destinations) => destinations.add(destination),
            None => self.by_key.entry(key.into()).or_default().add(destination),
        }
    }

    fn unbind(&mut self, key: &str, _arguments: &Table, destination: Destination) {
        let Some(destinations) = self.by_key.get_mut(key) else {
            return;
        };
        destinations.remove(destination);
        if destinations.is_empty() {
            self.by_key.remove(key);
        }
    }

    fn clear_destination(&mut self, destination: Destination) {
        self.by_key.retain(|_, destinations| {
            destinations.clear(destination);
            !destinations.is_empty()
        });
    }

    fn route(&self, message: &Routable<'_>, sink: &mut dyn FnMut(Destination)) {
        if let Some(destinations) = self.by_key.get(message.key) {
            destinations.for_each(sink);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use super::super::QueueId;
    use super::*;

    #[test]
    fn nothing_is_left_of_what_was_removed() {
        let (a, b) = (Destination::Queue(QueueId(1)), Destination::Queue(QueueId(2)));
        let mut table = DirectTable::default();
        for key in ["x", "y"] {
            table.bind(key, &Table::new(), a, "");
        }
        table.bind("y", &Table::new(), b, "");
        table.clear_destination(a);
        assert_eq!(table.by_key.len(), 1);
        table.unbind("y", &Table::new(), b);
        assert!(table.by_key.is_empty());
    }
}
