//! Consistent-hash exchanges (`x-consistent-hash`): the hash of the routing key, of a header or of a property
//! picks one of the destinations, each as often as its weight says. A binding that comes or goes moves only
//! as many messages as are its part.
//!
//! A binding's key is its weight. Each destination draws a lot for the message: the hash of the message and
//! the destination's name, taken for a time that is the shorter the larger the weight is. The shortest time
//! wins (weighted rendezvous hashing):
//!
//! ```text
//!   u = hash(message, name) in (0, 1]        time = -ln(u) / weight        the least time takes the message
//! ```
//!
//! So the order of bindings is of no matter, what one destination gets no other's coming or going changes,
//! and a restart neither. It takes a step for each destination, and no memory by weight. RabbitMQ counts
//! buckets in the order in which bindings came, so there a key may lead elsewhere. Of several bindings to one
//! destination the one with the least weight counts, where in RabbitMQ the first does.
//!
//! RabbitMQ: plugin rabbitmq_consistent_hash_exchange.

use smallvec::SmallVec;

use super::hashing::{hashed_bytes, mix, stable};
use super::{BindingRefusal, Destination, ExchangeFault, ExchangeType, Property, Routable, RoutingTable};
use crate::value::Table;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-consistent-hash",
    description: "Consistent Hashing Exchange",
    new_table: |arguments| Box::new(HashTable::new(arguments)),
    validate: |arguments| hashed(arguments).map(drop),
    validate_binding: |asked| weight(asked.key).map(drop),
    picks_one: true,
    ..ExchangeType::PLAIN
};

const HASH_HEADER: &str = "hash-header";
const HASH_PROPERTY: &str = "hash-property";

/// What of a message is hashed.
#[derive(Debug, Clone, PartialEq)]
enum Hashed {
    Key,
    Header(String),
    Property(Property),
}

fn hashed(arguments: &Table) -> Result<Hashed, ExchangeFault> {
    let text = |argument| match arguments.get(argument) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(ExchangeFault::Type {
            argument,
            type_name: value.type_name(),
        }),
    };
    match (text(HASH_HEADER)?, text(HASH_PROPERTY)?) {
        (None, None) => Ok(Hashed::Key),
        (Some(header), None) => Ok(Hashed::Header(header.to_owned())),
        (None, Some("message_id")) => Ok(Hashed::Property(Property::MessageId)),
        (None, Some("correlation_id")) => Ok(Hashed::Property(Property::CorrelationId)),
        (None, Some("timestamp")) => Ok(Hashed::Property(Property::Timestamp)),
        (None, Some(other)) => Err(ExchangeFault::HashProperty(other.to_owned())),
        (Some(_), Some(_)) => Err(ExchangeFault::HashesTwoThings),
    }
}

/// The weight that a key says, at least 1. Larger numbers than can be counted are as large as can.
fn weight(key: &str) -> Result<u32, BindingRefusal> {
    let digits = key.strip_prefix(['+', '-']).unwrap_or(key);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BindingRefusal::WeightType(key.into()));
    }
    let weight = digits.parse().unwrap_or(u32::MAX);
    if weight == 0 || key.starts_with('-') {
        return Err(BindingRefusal::WeightTooSmall);
    }
    Ok(weight)
}

/// A destination that takes part.
#[derive(Debug)]
struct Share {
    destination: Destination,
    /// The hash of its kind and name.
    name_hash: u64,
    /// Of its bindings, in order: the first counts.
    weights: SmallVec<[u32; 2]>,
}

impl Share {
    /// How long it takes for the message with this hash; never less than 0.
    fn time(&self, hash: u64) -> f64 {
        let lot = mix(hash ^ self.name_hash);
        // 53 bits are as many as the number holds exactly.
        let part = ((lot >> 11) + 1) as f64 / (1u64 << 53) as f64;
        -part.ln() / f64::from(self.weights.first().copied().unwrap_or(1))
    }
}

#[derive(Debug)]
struct HashTable {
    hashed: Hashed,
    /// By destination.
    shares: Vec<Share>,
}

impl HashTable {
    fn new(arguments: &Table) -> Self {
        Self {
            // They were looked at when the exchange was declared.
            hashed: hashed(arguments).unwrap_or(Hashed::Key),
            shares: Vec::new(),
        }
    }

    fn position(&self, destination: Destination) -> Result<usize, usize> {
        self.shares
            .binary_search_by_key(&destination, |share| share.destination)
    }

    /// A message that lacks what is hashed goes where all such messages go.
    fn hash(&self, message: &Routable<'_>) -> u64 {
        match &self.hashed {
            Hashed::Key => stable(message.key.as_bytes()),
            Hashed::Header(name) => {
                let value = message.headers.headers().and_then(|headers| headers.get(name));
                stable(&value.map(hashed_bytes).unwrap_or_default())
            }
            Hashed::Property(property) => stable(&message.headers.property(*property).unwrap_or_default()),
        }
    }
}

impl RoutingTable for HashTable {
    fn bind(&mut self, key: &str, _arguments: &Table, destination: Destination, name: &str) {
        let weight = weight(key).unwrap_or(1);
        let at = match self.position(destination) {
            Ok(at) => at,
            Err(at) => {
                let is_queue = matches!(destination, Destination::Queue(_));
                let share = Share {
                    destination,
                    name_hash: stable(name.as_bytes()) ^ u64::from(is_queue),
                    weights: SmallVec::new(),
                };
                self.shares.insert(at, share);
                at
            }
        };
        if let Some(share) = self.shares.get_mut(at) {
            let place = share.weights.partition_point(|other| *other < weight);
            share.weights.insert(place, weight);
        }
    }

    fn unbind(&mut self, key: &str, _arguments: &Table, destination: Destination) {
        let weight = weight(key).unwrap_or(1);
        let Ok(at) = self.position(destination) else {
            return;
        };
        let Some(share) = self.shares.get_mut(at) else {
            return;
        };
        if let Ok(found) = share.weights.binary_search(&weight) {
            share.weights.remove(found);
        }
        if share.weights.is_empty() {
            self.shares.remove(at);
        }
    }

    fn clear_destination(&mut self, destination: Destination) {
        if let Ok(at) = self.position(destination) {
            self.shares.remove(at);
        }
    }

    fn route(&self, message: &Routable<'_>, sink: &mut dyn FnMut(Destination)) {
        let hash = self.hash(message);
        let times = self
            .shares
            .iter()
            .map(|share| (share.time(hash), share.destination));
        let first = times.min_by(|(one, _), (other, _)| one.total_cmp(other));
        if let Some((_, destination)) = first {
            sink(destination);
        }
    }

    fn routes_each_anew(&self) -> bool {
        self.hashed != Hashed::Key
    }
}

#[cfg(test)]
mod tests;
