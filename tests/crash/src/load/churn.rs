//! The declarer: makes and deletes durable queues, exchanges and bindings while messages flow, and puts a few
//! messages into what it has just made.

use std::time::Duration;

use super::Hand;
use super::catalog::{Catalog, Known, PERSISTENT, Thing, published};
use crate::amqp::{CHANNEL, Connection, Options, QueueKind, Trouble};

/// Rest after every round, and so about 40 rounds in a second.
const PAUSE: Duration = Duration::from_millis(25);

/// Things that stand at a time.
const LIVE_MAX: usize = 30;

pub(super) fn run(mut hand: Hand, catalog: &Catalog) -> Result<(), Trouble> {
    let mut connection = Connection::open(hand.address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    volatile(&mut connection, catalog)?;
    // Confirms count from here on; a connection of its own keeps the numbers apart.
    let mut sender = Connection::open(hand.address, Options::default())?;
    sender.open_channel(CHANNEL)?;
    sender.confirm_select()?;
    let mut sent = 0;
    while !hand.pulse.stopped() {
        make(&mut connection, catalog, &mut sender, &mut sent)?;
        let there = catalog.there();
        let enough = there.len() > LIVE_MAX || hand.rng.one_in(3);
        if let Some(thing) = hand.rng.pick(&there).filter(|_| enough) {
            remove(&mut connection, catalog, thing)?;
        }
        std::thread::sleep(PAUSE);
    }
    sender.close();
    connection.close();
    Ok(())
}

/// Queues that do not outlive the broker, or this connection.
fn volatile(connection: &mut Connection, catalog: &Catalog) -> Result<(), Trouble> {
    let number = catalog.next();
    for (name, kind) in [
        (format!("transient.{number}"), QueueKind::Transient),
        (format!("exclusive.{number}"), QueueKind::DurableExclusive),
    ] {
        connection.declare_queue(&name, kind)?;
        catalog.set(&Thing::Queue(name), Known::Volatile);
    }
    Ok(())
}

/// A queue; with every second one an exchange and a binding; and three messages.
fn make(
    connection: &mut Connection,
    catalog: &Catalog,
    sender: &mut Connection,
    sent: &mut u64,
) -> Result<(), Trouble> {
    let number = catalog.next();
    let queue = format!("churn.{number}");
    let (exchange, key) = match number % 2 {
        0 => (format!("churn.x.{number}"), queue.clone()),
        _ => (String::new(), queue.clone()),
    };
    step(catalog, &Thing::Queue(queue.clone()), Known::There, || {
        connection.declare_queue(&queue, QueueKind::Durable)
    })?;
    if !exchange.is_empty() {
        step(catalog, &Thing::Exchange(exchange.clone()), Known::There, || {
            connection.declare_exchange(&exchange, "direct", true)
        })?;
        step(
            catalog,
            &Thing::Binding(queue.clone(), exchange.clone()),
            Known::There,
            || connection.bind(&queue, &exchange, &key),
        )?;
    }
    catalog.sending(&queue, 3);
    for body in [&b""[..], b"one", b"another"] {
        sender.publish(&exchange, &key, &PERSISTENT, body);
    }
    let routed = published_from(sender, sent)?;
    catalog.confirmed(&queue, routed);
    Ok(())
}

/// Waits for three confirms; publish numbers go on over the life of the connection.
fn published_from(sender: &mut Connection, sent: &mut u64) -> Result<u32, Trouble> {
    let routed = published(sender, 3, *sent)?;
    *sent += 3;
    Ok(routed)
}

fn remove(connection: &mut Connection, catalog: &Catalog, thing: &Thing) -> Result<(), Trouble> {
    step(catalog, thing, Known::Gone, || match thing {
        Thing::Queue(name) => connection.delete_queue(name),
        Thing::Exchange(name) => connection.delete_exchange(name),
        Thing::Binding(queue, exchange) => connection.unbind(queue, exchange, queue),
    })?;
    match thing {
        Thing::Queue(name) => catalog.drop_bindings_of_queue(name),
        Thing::Exchange(name) => catalog.drop_bindings_of_exchange(name),
        Thing::Binding(..) => {}
    }
    Ok(())
}

/// Asks for a change: until the answer is there, either may be.
fn step(
    catalog: &Catalog,
    thing: &Thing,
    after: Known,
    ask: impl FnOnce() -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    catalog.set(thing, Known::Either);
    ask()?;
    catalog.set(thing, after);
    Ok(())
}
