//! The bindings of a virtual host, found from either end.

use crate::name::{ExchangeName, QueueName};
use crate::value::Table;
use std::collections::{HashMap, HashSet};

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

type Keys = HashMap<Box<str>, Vec<Table>>;

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
        let variants = keys.entry(binding.key.clone()).or_default();
        if variants.contains(&binding.arguments) {
            return false;
        }
        variants.push(binding.arguments.clone());
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
        let Some(at) = variants
            .iter()
            .position(|arguments| *arguments == binding.arguments)
        else {
            return false;
        };
        variants.swap_remove(at);
        if variants.is_empty() {
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
