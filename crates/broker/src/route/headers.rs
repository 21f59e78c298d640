//! Headers exchanges: binding arguments are compared with the message's headers.
//!
//! `x-match` says how many of the other arguments must be there: `all` (also when it is absent) or `any`.
//! Arguments whose names start with `x-` do not count, except with `all-with-x` and `any-with-x`, where all
//! but `x-match` itself do. An argument without a value asks only that the header is there. Values compare by
//! [`equivalent`](crate::value::equivalent). Without a single argument that counts, `all` matches every
//! message and `any` none. Where a message has a header twice, the last one counts.
//!
//! ```text
//!   binding { x-match: any, a: 1, b: void }  --parse-->  Rule { any, [a = 1, b is there] }
//!                                            --index-->  "a = 1" -> rule, "b is there" -> rule
//!   binding { x-match: all, a: 1, b: void }  --index-->  "a = 1" -> "b is there" -> rule
//! ```
//!
//! Rules are found by their arguments ([`index`]), so that a message costs what it matches.
//!
//! Spec: 0-9-1 §3.1.3.4. RabbitMQ: tutorials and release notes of 3.10 for the two `-with-x`.

mod index;
mod rule;
mod slots;
mod tree;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use index::{Because, Index};
use rule::{MessageHeaders, Rule};
use smallvec::SmallVec;

use super::{BindingRefusal, Destination, ExchangeType, Routable, RoutingTable};
use crate::value::{Table, Value};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "headers",
    description: "AMQP headers exchange, as per the AMQP specification",
    new_table: |_| Box::new(HeadersTable::default()),
    validate: |_| Ok(()),
    validate_binding: |asked| validate(asked.arguments),
    picks_one: false,
    has_topics: false,
};

/// Where a binding stands in the table's list.
type Slot = u32;

/// A binding, with its arguments as they came (to find it again) and as they are compared.
#[derive(Debug)]
struct Binding {
    destination: Destination,
    arguments: Table,
    rule: Rule,
    /// How many keys it was bound with. Keys do nothing but tell bindings apart.
    keys: u32,
}

#[derive(Debug, Default)]
struct HeadersTable {
    bindings: Vec<Option<Binding>>,
    free: Vec<Slot>,
    /// Under the hash of destination and arguments, which few bindings share.
    by_identity: HashMap<u64, SmallVec<[Slot; 1]>>,
    index: Index,
    /// Seeded, so that nobody can choose bindings that share a hash.
    seed: RandomState,
}

impl RoutingTable for HeadersTable {
    fn bind(&mut self, _key: &str, arguments: &Table, destination: Destination, _name: &str) {
        let identity = self.identity(arguments, destination);
        if let Some(binding) = self
            .find(identity, arguments, destination)
            .and_then(|slot| self.slot_mut(slot))
        {
            binding.keys += 1;
            return;
        }
        let rule = Rule::parse(arguments);
        // 2^32 bindings would be hundreds of gigabytes: memory ends first.
        let slot = self.free.pop().unwrap_or(self.bindings.len() as Slot);
        self.index.insert(slot, &rule);
        self.by_identity.entry(identity).or_default().push(slot);
        let binding = Some(Binding {
            destination,
            arguments: arguments.clone(),
            rule,
            keys: 1,
        });
        match self.bindings.get_mut(slot as usize) {
            Some(free) => *free = binding,
            None => self.bindings.push(binding),
        }
    }

    fn unbind(&mut self, _key: &str, arguments: &Table, destination: Destination) {
        let identity = self.identity(arguments, destination);
        let Some(slot) = self.find(identity, arguments, destination) else {
            return;
        };
        if let Some(binding) = self.slot_mut(slot)
            && binding.keys > 1
        {
            binding.keys -= 1;
            return;
        }
        self.free(slot);
    }

    fn clear_destination(&mut self, destination: Destination) {
        for slot in 0..self.bindings.len() as Slot {
            if self
                .slot_mut(slot)
                .is_some_and(|binding| binding.destination == destination)
            {
                self.free(slot);
            }
        }
    }

    fn route(&self, message: &Routable<'_>, sink: &mut dyn FnMut(Destination)) {
        let headers = MessageHeaders::new(message.headers.headers());
        self.index.for_each_candidate(&headers, &mut |slot, because| {
            let Some(Some(binding)) = self.bindings.get(slot as usize) else {
                return;
            };
            let is_match = match because {
                Because::All => binding.rule.is_met_by(&headers),
                Because::Any(name, value) => binding.rule.wants(name, value),
            };
            if is_match {
                sink(binding.destination);
            }
        });
    }

    fn routes_each_anew(&self) -> bool {
        true
    }

    fn ignores_key(&self) -> bool {
        true
    }
}

impl HeadersTable {
    fn find(&self, identity: u64, arguments: &Table, destination: Destination) -> Option<Slot> {
        let is_it = |slot: &Slot| match self.bindings.get(*slot as usize) {
            Some(Some(binding)) => binding.destination == destination && binding.arguments == *arguments,
            _ => false,
        };
        self.by_identity.get(&identity)?.iter().copied().find(is_it)
    }

    fn identity(&self, arguments: &Table, destination: Destination) -> u64 {
        self.seed.hash_one((destination, arguments))
    }

    fn slot_mut(&mut self, slot: Slot) -> Option<&mut Binding> {
        self.bindings.get_mut(slot as usize).and_then(Option::as_mut)
    }

    fn free(&mut self, slot: Slot) {
        let Some(binding) = self.bindings.get_mut(slot as usize).and_then(Option::take) else {
            return;
        };
        self.index.remove(slot, &binding.rule);
        self.free.push(slot);
        let identity = self.identity(&binding.arguments, binding.destination);
        if let Some(slots) = self.by_identity.get_mut(&identity) {
            slots.retain(|found| *found != slot);
            if slots.is_empty() {
                self.by_identity.remove(&identity);
            }
        }
    }
}

fn validate(arguments: &Table) -> Result<(), BindingRefusal> {
    match arguments.get(rule::MATCH) {
        Some(value) if rule::Match::parse(value).is_some() => Ok(()),
        Some(value @ Value::String(_)) => Err(BindingRefusal::MatchValue { value: value.clone() }),
        Some(value) => Err(BindingRefusal::MatchType { value: value.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
