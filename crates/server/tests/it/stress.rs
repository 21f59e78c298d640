//! Many connections at once, of which some are cut off in the middle of what they do.
//!
//! ```text
//!   4 publishers ── confirms ──► q ──► 4 consumers ── acks
//!        └ cut off every few hundred messages, half a frame on the way; so are the consumers
//! ```
//!
//! What was confirmed is consumed at least once. A message is delivered once as new, and any further time as
//! redelivered.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use warren_protocol::amqp091::method::Method;
use warren_testkit::peer::{Login, Peer, publish};

use crate::program::{start, wait_for};

const PUBLISHERS: u64 = 4;
const CONSUMERS: usize = 4;

/// Connections of one publisher, and messages of one connection.
const LIVES: u64 = 8;
const MESSAGES: u64 = 400;

/// Deliveries after which a consumer is cut off, with some that it has not acknowledged.
const DELIVERIES_PER_LIFE: usize = 700;

/// How long a consumer listens before it looks whether all is done.
const LISTEN: Duration = Duration::from_millis(50);

/// What was confirmed, and how each message came: times as new, times as redelivered.
#[derive(Default)]
struct Ledger {
    confirmed: HashSet<u64>,
    new: HashMap<u64, u32>,
    redelivered: HashMap<u64, u32>,
}

impl Ledger {
    fn has_all(&self) -> bool {
        let came = |id| self.new.contains_key(id) || self.redelivered.contains_key(id);
        self.confirmed.iter().all(came)
    }
}

type Shared = Arc<Mutex<Ledger>>;

fn open(address: SocketAddr) -> Peer {
    Peer::open(address, &Login::default()).unwrap()
}

/// One connection: publishes, hears some of the confirms, is cut off.
fn publish_and_die(address: SocketAddr, first: u64, ledger: &Shared) {
    let mut peer = open(address);
    peer.confirm().unwrap();
    let mut said = Vec::new();
    for id in first..first + MESSAGES {
        publish(1, "", "q", &id.to_be_bytes(), &mut said);
    }
    let mut half = Vec::new();
    publish(1, "", "q", &u64::MAX.to_be_bytes(), &mut half);
    said.extend_from_slice(&half[..half.len() - 5]);
    peer.write(&said).unwrap();
    // Confirms for three quarters; what becomes of the rest nobody knows.
    let mut confirmed = 0;
    while confirmed < MESSAGES * 3 / 4 {
        let heard = peer.frame().unwrap();
        let Method::BasicAck(ack) = heard.method().unwrap() else {
            panic!("{heard:?}");
        };
        let from = if ack.multiple {
            confirmed + 1
        } else {
            ack.delivery_tag
        };
        let ids = (from..=ack.delivery_tag).map(|tag| first + tag - 1);
        ledger.lock().unwrap().confirmed.extend(ids);
        confirmed = confirmed.max(ack.delivery_tag);
    }
}

/// One connection: consumes, acknowledges most of it, is cut off. Answers whether there is more to come.
fn consume_and_die(address: SocketAddr, ledger: &Shared, is_over: &AtomicBool) -> bool {
    let mut peer = open(address);
    peer.consume("q", 50).unwrap();
    let mut count = 0;
    while count < DELIVERIES_PER_LIFE {
        let heard = match peer.frame_within(LISTEN) {
            Ok(heard) => heard,
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                if is_over.load(Ordering::Acquire) {
                    return false;
                }
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let delivery = peer.content_of(&heard).unwrap();
        let id = u64::from_be_bytes(delivery.body.as_slice().try_into().unwrap());
        {
            let mut ledger = ledger.lock().unwrap();
            let came = if delivery.redelivered {
                &mut ledger.redelivered
            } else {
                &mut ledger.new
            };
            *came.entry(id).or_default() += 1;
        }
        count += 1;
        // The last ones go back.
        if count < DELIVERIES_PER_LIFE - 20 {
            peer.ack(&delivery).unwrap();
        }
    }
    true
}

#[test]
fn what_was_confirmed_is_consumed_whoever_is_cut_off() {
    let mut program = start(&["log.level=error"]);
    let address = program.address();
    open(address).declare("q").unwrap();
    let ledger = Shared::default();
    let is_over = Arc::new(AtomicBool::new(false));
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|_| {
            let (ledger, is_over) = (Arc::clone(&ledger), Arc::clone(&is_over));
            thread::spawn(move || while consume_and_die(address, &ledger, &is_over) {})
        })
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                for life in 0..LIVES {
                    publish_and_die(address, (publisher * LIVES + life) * MESSAGES, &ledger);
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.join().unwrap();
    }
    wait_for("all confirmed messages", || {
        ledger.lock().unwrap().has_all().then_some(())
    });
    let mut observer = open(address);
    wait_for("an empty queue", || {
        (observer.ready("q").unwrap() == 0).then_some(())
    });
    is_over.store(true, Ordering::Release);
    for consumer in consumers {
        consumer.join().unwrap();
    }
    let ledger = ledger.lock().unwrap();
    assert!(ledger.confirmed.len() as u64 >= PUBLISHERS * LIVES * MESSAGES * 3 / 4);
    assert!(
        !ledger.redelivered.is_empty(),
        "consumers were cut off with messages in hand"
    );
    assert_eq!(
        ledger.new.keys().max().filter(|id| **id == u64::MAX),
        None,
        "half a message is none"
    );
    let twice: Vec<_> = ledger.new.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "delivered as new more than once: {twice:?}");
    let unheard = |id: &&u64| !ledger.new.contains_key(*id);
    // Who was cut off may have been sent what it never read; that was the first time then.
    let lost: Vec<_> = ledger
        .confirmed
        .iter()
        .filter(unheard)
        .filter(|id| !ledger.redelivered.contains_key(id))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    drop(observer);
    program.stop();
}
