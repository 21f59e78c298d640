//! What the declarer did and what it was told: the queues, exchanges and bindings that must be there after a
//! restart, and those that must not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::amqp::{CHANNEL, Connection, Event, Options, Trouble};
use crate::ledger::{Fault, Ledger};

/// Something that is declared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Thing {
    Queue(String),
    Exchange(String),
    /// A queue bound to an exchange of its own.
    Binding(String, String),
}

/// What is known of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Known {
    /// Asked for, and no answer yet: either may be.
    Either,
    There,
    Gone,
    /// There now, and gone with the broker.
    Volatile,
}

/// How many persistent messages a queue of the declarer holds, at least and at most.
#[derive(Clone, Copy, Default, Debug)]
struct Count {
    least: u32,
    most: u32,
}

#[derive(Clone, Default)]
struct State {
    things: BTreeMap<Thing, Known>,
    counts: BTreeMap<String, Count>,
    next: u32,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Catalog {
    state: Mutex<State>,
}

/// Deleted things that are remembered; older ones are forgotten so that a long run stays quick.
const GONE_MAX: usize = 200;

impl Catalog {
    /// The same knowledge, to be changed by itself.
    pub(crate) fn fork(&self) -> Catalog {
        Catalog {
            state: Mutex::new(self.state().clone()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no name has had.
    pub(super) fn next(&self) -> u32 {
        let mut state = self.state();
        state.next += 1;
        state.next
    }

    pub(super) fn set(&self, thing: &Thing, known: Known) {
        let mut state = self.state();
        state.things.insert(thing.clone(), known);
        let gone = |entry: &(&Thing, &Known)| *entry.1 == Known::Gone;
        if state.things.iter().filter(gone).count() > GONE_MAX {
            let oldest = state.things.iter().find(gone).map(|(thing, _)| thing.clone());
            oldest.and_then(|thing| state.things.remove(&thing));
        }
    }

    /// Forgets bindings that went with their queue.
    pub(super) fn drop_bindings_of_queue(&self, of: &str) {
        self.state()
            .things
            .retain(|thing, _| !matches!(thing, Thing::Binding(queue, _) if queue == of));
    }

    /// Forgets bindings that went with their exchange.
    pub(super) fn drop_bindings_of_exchange(&self, of: &str) {
        self.state()
            .things
            .retain(|thing, _| !matches!(thing, Thing::Binding(_, exchange) if exchange == of));
    }

    /// Forgets bindings of which one end is not there.
    fn drop_loose_bindings(&self) {
        let there = self.there();
        let is_there = |thing: Thing| there.contains(&thing);
        self.state().things.retain(|thing, _| match thing {
            Thing::Binding(queue, exchange) => {
                is_there(Thing::Queue(queue.clone())) && is_there(Thing::Exchange(exchange.clone()))
            }
            Thing::Queue(_) | Thing::Exchange(_) => true,
        });
    }

    /// `sent` messages are on their way to a queue.
    pub(super) fn sending(&self, queue: &str, sent: u32) {
        self.state().counts.entry(queue.to_owned()).or_default().most += sent;
    }

    pub(super) fn confirmed(&self, queue: &str, confirmed: u32) {
        self.state().counts.entry(queue.to_owned()).or_default().least += confirmed;
    }

    pub(super) fn there(&self) -> Vec<Thing> {
        let state = self.state();
        let there = state.things.iter().filter(|(_, known)| **known == Known::There);
        there.map(|(thing, _)| thing.clone()).collect()
    }

    /// How many messages each queue of the declarer held when it was last looked at.
    pub(crate) fn counts(&self) -> BTreeMap<String, u32> {
        let state = self.state();
        let there = |name: &String| state.things.get(&Thing::Queue(name.clone())) == Some(&Known::There);
        let counts = state.counts.iter().filter(|(name, _)| there(name));
        counts.map(|(name, count)| (name.clone(), count.least)).collect()
    }

    /// After a restart: asks for every queue and exchange, and books in the ledger what is not as it must be.
    pub(crate) fn verify(&self, address: SocketAddr, ledger: &Ledger) -> Result<(), Trouble> {
        let things: Vec<(Thing, Known)> = {
            let state = self.state();
            state
                .things
                .iter()
                .map(|(thing, known)| (thing.clone(), *known))
                .collect()
        };
        let mut connection = Connection::open(address, Options::default())?;
        connection.open_channel(CHANNEL)?;
        // A binding is asked for by what it does, below.
        let askable = |(thing, _): &(Thing, Known)| !matches!(thing, Thing::Binding(..));
        for (thing, known) in things.into_iter().filter(askable) {
            let is = self.ask(&mut connection, &thing, ledger)?;
            let wanted = match known {
                Known::Either => is,
                Known::There => true,
                Known::Gone | Known::Volatile => false,
            };
            if is != wanted {
                let what = format!("{thing:?} was {known:?} before the end, and is there: {is}");
                ledger.fault(Fault::Topology, what);
            }
            self.set(&thing, if is { Known::There } else { Known::Gone });
        }
        connection.close();
        self.drop_loose_bindings();
        Ok(())
    }

    /// Whether a queue or exchange is there; a queue's count is compared on the way.
    fn ask(&self, connection: &mut Connection, thing: &Thing, ledger: &Ledger) -> Result<bool, Trouble> {
        let answer = match thing {
            Thing::Queue(name) => connection.count(CHANNEL, name).map(|count| Some((name, count))),
            Thing::Exchange(name) => connection.has_exchange(CHANNEL, name).map(|()| None),
            Thing::Binding(..) => return Ok(true),
        };
        match answer {
            Ok(None) => Ok(true),
            Ok(Some((name, count))) => {
                let mut state = self.state();
                let known = state.counts.entry(name.clone()).or_default();
                if count < known.least || count > known.most {
                    let what = format!("{name} holds {count} messages, and should {known:?}");
                    ledger.fault(Fault::Topology, what);
                }
                *known = Count {
                    least: count,
                    most: count,
                };
                Ok(true)
            }
            Err(Trouble::Refused { code: 404, .. }) => {
                if let Thing::Queue(name) = thing {
                    self.state().counts.remove(name);
                }
                connection.open_channel(CHANNEL)?;
                Ok(false)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// A binding shows itself only by what it does: a mandatory publish is returned when there is none.
    pub(crate) fn probe_bindings(&self, address: SocketAddr, ledger: &Ledger) -> Result<(), Trouble> {
        let bindings: Vec<(Thing, Known)> = {
            let state = self.state();
            let all = state.things.iter().map(|(thing, known)| (thing.clone(), *known));
            all.filter(|(thing, _)| matches!(thing, Thing::Binding(..)))
                .collect()
        };
        let mut connection = Connection::open(address, Options::default())?;
        connection.open_channel(CHANNEL)?;
        connection.confirm_select()?;
        for ((thing, known), before) in bindings.into_iter().zip(0..) {
            let Thing::Binding(queue, exchange) = &thing else {
                continue;
            };
            self.sending(queue, 1);
            connection.publish(exchange, queue, &PERSISTENT, b"probe");
            let routed = published(&mut connection, 1, before)?;
            self.confirmed(queue, routed);
            let is = routed == 1;
            if (known == Known::There && !is) || (known == Known::Gone && is) {
                let what = format!("{thing:?} was {known:?} before the end, and routes: {is}");
                ledger.fault(Fault::Topology, what);
            }
            self.set(&thing, if is { Known::There } else { Known::Gone });
        }
        connection.close();
        Ok(())
    }
}

/// Properties that say delivery-mode 2 and nothing else.
pub(super) const PERSISTENT: [u8; 3] = [0x10, 0, 2];

/// Waits until the `count` publishes behind the first `before` of this connection are confirmed; returns how
/// many of them were routed.
pub(super) fn published(connection: &mut Connection, count: u32, before: u64) -> Result<u32, Trouble> {
    let (mut deadline, mut late) = (
        Instant::now() + Duration::from_secs(60),
        "a confirm of the declarer",
    );
    let (mut returned, mut open) = (0, BTreeSet::from_iter(before + 1..=before + u64::from(count)));
    while !open.is_empty() {
        match connection.next(Duration::from_millis(50))? {
            Some(Event::Returned(_)) => returned += 1,
            Some(Event::Ack { tag, multiple }) => open.retain(|of| *of > tag || (!multiple && *of != tag)),
            // The broker fails, and says so next: that is the trouble to tell.
            Some(Event::Nack { .. }) => {
                late = "the close behind a nack";
                deadline = deadline.min(Instant::now() + Duration::from_secs(5));
            }
            _ => {}
        }
        if Instant::now() > deadline {
            return Err(Trouble::Late(late.to_owned()));
        }
    }
    Ok(count - returned)
}
