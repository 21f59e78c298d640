//! The bindings of a virtual host, found from either end.

use crate::name::{ExchangeName, QueueName};
use crate::value::Table;
use std::collections::{HashMap, HashSet, hash_set};
use std::iter::Chain;
use std::{mem, option};

/// The end of a binding where messages arrive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A queue.
    Queue(QueueName),
    /// An exchange: messages are routed on from there.
    Exchange(ExchangeName),
}

impl Endpoint {
    /// The name of the queue or the exchange.
    pub fn name(&self) -> &str {
        match self {
            Self::Queue(name) => name.as_str(),
            Self::Exchange(name) => name.as_str(),
        }
    }
}

/// A binding. Two that differ in any part are two.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The exchange that messages come from.
    pub source: ExchangeName,
    /// Where they go.
    pub destination: Endpoint,
    /// The binding key.
    pub key: Box<str>,
    /// Arguments, for types that look at them.
    pub arguments: Table,
}

type Keys = HashMap<Box<str>, Variants>;

/// Arguments of bindings that have both ends and the key in common: one, but for headers exchanges, where
/// they may all be.
#[derive(Debug, Clone)]
enum Variants {
    One(Table),
    #[allow(
        clippy::box_collection,
        reason = "it is rare, and should not make the others large"
    )]
    Many(Box<HashSet<Table>>),
}

impl Variants {
    fn contains(&self, arguments: &Table) -> bool {
        match self {
            Variants::One(one) => one == arguments,
            Variants::Many(many) => many.contains(arguments),
        }
    }

    /// Adds one; `false` when it was there.
    fn insert(&mut self, arguments: &Table) -> bool {
        match self {
            Variants::One(one) if one == arguments => false,
            Variants::One(one) => {
                let both = [mem::take(one), arguments.clone()];
                *self = Variants::Many(Box::new(both.into()));
                true
            }
            // Asked first, so that none is cloned in vain.
            Variants::Many(many) => !many.contains(arguments) && many.insert(arguments.clone()),
        }
    }
}

impl IntoIterator for Variants {
    type Item = Table;
    type IntoIter = Chain<option::IntoIter<Table>, hash_set::IntoIter<Table>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Variants::One(one) => (Some(one), HashSet::new()),
            Variants::Many(many) => (None, *many),
        };
        one.into_iter().chain(many)
    }
}

/// All bindings of a virtual host.
#[derive(Debug, Default)]
pub struct Bindings {
    by_source: HashMap<ExchangeName, HashMap<Endpoint, Keys>>,
    by_destination: HashMap<Endpoint, HashSet<ExchangeName>>,
}

impl Bindings {
    /// Adds a binding; `false` when it was there.
    pub fn insert(&mut self, binding: &Binding) -> bool {
        let destinations = self.by_source.entry(binding.source.clone()).or_default();
        let keys = destinations.entry(binding.destination.clone()).or_default();
        match keys.get_mut(&binding.key) {
            Some(variants) => {
                if !variants.insert(&binding.arguments) {
                    return false;
                }
            }
            None => {
                keys.insert(binding.key.clone(), Variants::One(binding.arguments.clone()));
            }
        }
        let sources = self
            .by_destination
            .entry(binding.destination.clone())
            .or_default();
        sources.insert(binding.source.clone());
        true
    }

    /// Whether the binding is there.
    pub fn contains(&self, binding: &Binding) -> bool {
        let keys = self
            .by_source
            .get(&binding.source)
            .and_then(|all| all.get(&binding.destination));
        let variants = keys.and_then(|keys| keys.get(&binding.key));
        variants.is_some_and(|variants| variants.contains(&binding.arguments))
    }

    /// Removes a binding; `false` when it was not there.
    pub fn remove(&mut self, binding: &Binding) -> bool {
        let Some(destinations) = self.by_source.get_mut(&binding.source) else {
            return false;
        };
        let Some(keys) = destinations.get_mut(&binding.destination) else {
            return false;
        };
        let Some(variants) = keys.get_mut(&binding.key) else {
            return false;
        };
        let (was_there, is_last) = match variants {
            Variants::One(one) => (*one == binding.arguments, true),
            Variants::Many(many) => (many.remove(&binding.arguments), many.is_empty()),
        };
        if !was_there {
            return false;
        }
        if is_last {
            keys.remove(&binding.key);
        }
        if keys.is_empty() {
            destinations.remove(&binding.destination);
            self.forget_source(&binding.destination, &binding.source);
        }
        if self.by_source.get(&binding.source).is_some_and(HashMap::is_empty) {
            self.by_source.remove(&binding.source);
        }
        true
    }

    /// Whether the exchange has bindings that start at it.
    pub fn has_source(&self, source: &ExchangeName) -> bool {
        self.by_source.contains_key(source)
    }

    /// Takes out all bindings that lead to `destination`.
    pub fn take_to(&mut self, destination: &Endpoint) -> Vec<Binding> {
        let mut taken = Vec::new();
        for source in self.by_destination.remove(destination).unwrap_or_default() {
            let Some(destinations) = self.by_source.get_mut(&source) else {
                continue;
            };
            let keys = destinations.remove(destination).unwrap_or_default();
            collect(&source, destination, keys, &mut taken);
            if destinations.is_empty() {
                self.by_source.remove(&source);
            }
        }
        taken
    }

    /// Takes out all bindings that start at `source`.
    pub fn take_from(&mut self, source: &ExchangeName) -> Vec<Binding> {
        let mut taken = Vec::new();
        for (destination, keys) in self.by_source.remove(source).unwrap_or_default() {
            self.forget_source(&destination, source);
            collect(source, &destination, keys, &mut taken);
        }
        taken
    }

    /// All bindings, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = Binding> {
        self.by_source.iter().flat_map(|(source, destinations)| {
            destinations.iter().flat_map(move |(destination, keys)| {
                let mut found = Vec::new();
                collect(source, destination, keys.clone(), &mut found);
                found
            })
        })
    }

    fn forget_source(&mut self, destination: &Endpoint, source: &ExchangeName) {
        if let Some(sources) = self.by_destination.get_mut(destination) {
            sources.remove(source);
            if sources.is_empty() {
                self.by_destination.remove(destination);
            }
        }
    }
}

fn collect(source: &ExchangeName, destination: &Endpoint, keys: Keys, out: &mut Vec<Binding>) {
    for (key, variants) in keys {
        out.extend(variants.into_iter().map(|arguments| Binding {
            source: source.clone(),
            destination: destination.clone(),
            key: key.clone(),
            arguments,
        }));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::value::Value;

    fn binding(number: i32) -> Binding {
        Binding {
            source: ExchangeName::new("x").unwrap(),
            destination: Endpoint::Queue(QueueName::new("q").unwrap()),
            key: "".into(),
            arguments: [("n", Value::I32(number))].into_iter().collect(),
        }
    }

    /// A headers exchange has all its bindings under the empty key.
    #[test]
    fn one_key_takes_very_many_arguments() {
        let mut bindings = Bindings::default();
        for number in 0..100_000 {
            assert!(bindings.insert(&binding(number)) && bindings.contains(&binding(number)));
        }
        assert!(!bindings.insert(&binding(7)));
        for number in (0..100_000).filter(|number| number % 1000 != 0) {
            assert!(bindings.remove(&binding(number)) && !bindings.contains(&binding(number)));
        }
        assert!(!bindings.remove(&binding(7)));
        let mut left: Vec<i64> = bindings
            .iter()
            .filter_map(|found| found.arguments.get("n")?.as_integer())
            .collect();
        left.sort_unstable();
        assert_eq!(left, (0..100).map(|n| n * 1000).collect::<Vec<_>>());
        assert_eq!(bindings.take_to(&binding(0).destination).len(), 100);
        assert!(!bindings.has_source(&binding(0).source));
        assert!(bindings.by_destination.is_empty());
    }

    #[test]
    fn with_the_last_arguments_the_key_goes() {
        let mut bindings = Bindings::default();
        for round in 0..2 {
            for number in 0..3 {
                assert!(bindings.insert(&binding(number)));
            }
            for number in 0..3 {
                assert!(bindings.has_source(&binding(0).source), "round {round}");
                assert!(bindings.remove(&binding(number)));
            }
            assert!(bindings.by_source.is_empty() && bindings.by_destination.is_empty());
        }
    }
}
