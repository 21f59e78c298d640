//! Topic exchanges: binding keys are patterns over the words of the routing key.
//!
//! Words stand between dots and may be empty; the empty key has none at all. In a binding key `*` is any one
//! word and `#` any number of words, none included. `#.#` says what `#` says and is kept as that.
//!
//! ```text
//!   binding keys   a.b   a.*   a.#.c        as a trie:   root -a-> o -b-> [a.b]
//!                                                                  o -*-> [a.*]
//!                                                                  o -#-> o -c-> [a.#.c]
//! ```
//!
//! A message walks the trie with all its nodes that match so far at once ([`walk`]), so that it costs what it
//! matches, and at worst words times nodes, whatever the patterns are.
//!
//! Spec: 0-9-1 §3.1.3.3. RabbitMQ: tutorial 5 for the corner cases.

mod trie;
mod walk;

use trie::Trie;

use super::{Destination, ExchangeType, Routable, RoutingTable};
use crate::value::Table;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "topic",
    description: "AMQP topic exchange, as per the AMQP specification",
    new_table: |_| Box::new(TopicTable::default()),
    has_topics: true,
    ..ExchangeType::PLAIN
};

#[derive(Debug, Default)]
struct TopicTable {
    trie: Trie,
}

impl RoutingTable for TopicTable {
    fn bind(&mut self, key: &str, _arguments: &Table, destination: Destination, _name: &str) {
        self.trie.insert(words(key), destination);
    }

    fn unbind(&mut self, key: &str, _arguments: &Table, destination: Destination) {
        self.trie.remove(words(key), destination);
    }

    fn clear_destination(&mut self, destination: Destination) {
        self.trie.clear(destination);
    }

    fn route(&self, message: &Routable<'_>, sink: &mut dyn FnMut(Destination)) {
        walk::walk(&self.trie, words(message.key), sink);
    }
}

/// The words of a key: none when it is empty, otherwise one more than it has dots.
fn words(key: &str) -> impl Iterator<Item = &str> {
    key.split('.').filter(|_| !key.is_empty())
}

#[cfg(test)]
mod tests;
