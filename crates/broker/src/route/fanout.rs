//! Fanout exchanges: every message goes to every destination.
//!
//! Keys and arguments of bindings only tell bindings apart.
//!
//! Spec: 0-9-1 §3.1.3.2.

use super::multiset::Destinations;
use super::{Destination, ExchangeType, Routable, RoutingTable};
use crate::value::Table;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "fanout",
    description: "AMQP fanout exchange, as per the AMQP specification",
    new_table: |_| Box::new(FanoutTable::default()),
    ..ExchangeType::PLAIN
};

#[derive(Debug, Default)]
pub(super) struct FanoutTable {
    destinations: Destinations,
}

impl RoutingTable for FanoutTable {
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
        self.destinations.for_each(sink);
    }

    fn ignores_key(&self) -> bool {
        true
    }
}
