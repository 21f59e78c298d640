//! Two publishers and three sessions that consume, in any order of things, on one thread.

use crate::broker::{self, Id};
use crate::session::{Received, Session};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use warren_broker::route::NoHeaders;
use warren_node::{Batch, Client, Keys, LiveQueue, Node, ROOM_BYTES, RouteCache, Touched};

const QUEUES: [&str; 2] = ["q0", "q1"];

/// Four such messages fill a mailbox.
const BIG_BYTES: usize = 300 * 1024;

#[derive(Debug, Clone, Copy)]
enum Step {
    Publish {
        publisher: usize,
        queue: usize,
        count: u8,
        is_big: bool,
    },
    FlushPublisher(usize),
    Subscribe {
        session: usize,
        queue: usize,
        no_ack: bool,
        prefetch: u32,
        priority: i64,
    },
    Settle {
        session: usize,
        pick: u8,
        count: u8,
    },
    Return {
        session: usize,
        pick: u8,
        count: u8,
    },
    Flush(usize),
    Write {
        session: usize,
        part: usize,
    },
    Get {
        session: usize,
        queue: usize,
        no_ack: bool,
    },
    Cancel {
        session: usize,
        pick: u8,
    },
    Leave {
        session: usize,
        limit: u32,
    },
    LiftLimit(usize),
}

impl Step {
    fn of([kind, a, b]: [u8; 3]) -> Self {
        let session = usize::from(a) % 3;
        let queue = usize::from(b) % 2;
        match kind % 32 {
            0..=6 => {
                let (count, is_big) = (1 + a / 2 % 4, b >= 224);
                Self::Publish {
                    publisher: usize::from(a) % 2,
                    queue,
                    count,
                    is_big,
                }
            }
            7..=9 => Self::FlushPublisher(usize::from(a) % 2),
            10..=12 => {
                let (no_ack, prefetch, priority) =
                    (b / 2 % 4 == 3, u32::from(b / 8 % 4), i64::from(b / 32 % 2));
                Self::Subscribe {
                    session,
                    queue,
                    no_ack,
                    prefetch,
                    priority,
                }
            }
            13..=17 => Self::Settle {
                session,
                pick: b,
                count: 1 + a / 3 % 4,
            },
            18..=20 => Self::Return {
                session,
                pick: b,
                count: 1 + a / 3 % 4,
            },
            21..=24 => Self::Flush(session),
            25 | 26 => Self::Write {
                session,
                part: 1 + usize::from(b) % 3,
            },
            27 => Self::Get {
                session,
                queue,
                no_ack: b / 2 % 4 == 3,
            },
            28 | 29 => Self::Cancel { session, pick: b },
            30 => Self::Leave {
                session,
                limit: u32::from(b) % 4,
            },
            _ => Self::LiftLimit(session),
        }
    }
}

struct Publisher {
    client: Client,
    cache: RouteCache,
    batch: Batch,
    touched: Touched,
    published: u32,
    /// By queue, in the batch.
    gathered: [Vec<Id>; 2],
}

impl Publisher {
    fn new(node: &Arc<Node>) -> Self {
        Self {
            client: broker::client(node, "publisher"),
            cache: RouteCache::default(),
            batch: Batch::default(),
            touched: Touched::default(),
            published: 0,
            gathered: Default::default(),
        }
    }

    fn publish(&mut self, me: usize, queue: usize, is_big: bool) {
        self.published += 1;
        let id = (u8::try_from(me).unwrap(), self.published);
        let keys = Keys {
            first: QUEUES[queue],
            more: &[],
        };
        let route = self.client.route(&mut self.cache, "", keys, &NoHeaders).unwrap();
        let message = broker::message(id, if is_big { BIG_BYTES } else { 0 });
        self.client.publish(&mut self.batch, &route, message, 0);
        self.gathered[queue].push(id);
    }
}

/// What became of the messages of one queue.
#[derive(Debug, Default)]
struct Ledger {
    /// By sequence number.
    messages: Vec<Id>,
    deliveries: BTreeMap<u64, u32>,
    /// By sequence number: the session that has it.
    out: BTreeMap<u64, usize>,
    done: BTreeSet<u64>,
    last_first: Option<u64>,
}

impl Ledger {
    fn delivered(&mut self, session: usize, received: &Received) {
        let Received {
            seq,
            redelivered,
            no_ack,
            id,
            ..
        } = *received;
        assert_eq!(self.messages[seq as usize], id, "{received:?}");
        assert!(!self.done.contains(&seq), "{received:?} was done with");
        let count = self.deliveries.entry(seq).or_default();
        assert_eq!(redelivered, *count > 0, "{received:?} after {count} deliveries");
        *count += 1;
        if no_ack {
            self.done.insert(seq);
        } else {
            assert_eq!(self.out.insert(seq, session), None, "{received:?} is out twice");
        }
    }

    /// First deliveries rise through the queue, whoever gets them.
    fn in_order(&mut self, mut firsts: Vec<u64>) {
        firsts.sort_unstable();
        if let (Some(last), Some(first)) = (self.last_first, firsts.first()) {
            assert!(last < *first, "{first} came after {last}");
        }
        self.last_first = firsts.last().copied().or(self.last_first);
    }
}

struct World {
    node: Arc<Node>,
    queues: Vec<Arc<LiveQueue>>,
    publishers: Vec<Publisher>,
    sessions: Vec<Session>,
    ledgers: BTreeMap<u64, Ledger>,
}

impl World {
    fn new() -> Self {
        let node = broker::node();
        let mut client = broker::client(&node, "owner");
        let queues: Vec<_> = QUEUES
            .iter()
            .map(|name| broker::declare_queue(&mut client, name))
            .collect();
        Self {
            publishers: (0..2).map(|_| Publisher::new(&node)).collect(),
            sessions: (0..3).map(|_| Session::new(&node, 0, None)).collect(),
            ledgers: queues
                .iter()
                .map(|queue| (queue.id().0, Ledger::default()))
                .collect(),
            node,
            queues,
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Publish {
                publisher,
                queue,
                count,
                is_big,
            } => {
                for _ in 0..count {
                    self.publishers[publisher].publish(publisher, queue, is_big);
                }
            }
            Step::FlushPublisher(publisher) => self.flush_publisher(publisher),
            Step::Subscribe {
                session,
                queue,
                no_ack,
                prefetch,
                priority,
            } => {
                if self.sessions[session].subscribed.len() < 3 {
                    self.sessions[session].subscribe(QUEUES[queue], no_ack, prefetch, priority);
                }
            }
            Step::Settle { session, pick, count } => self.settle(session, pick, count, true),
            Step::Return { session, pick, count } => self.settle(session, pick, count, false),
            Step::Flush(session) => self.sessions[session].flush(),
            Step::Write { session, part } => self.sessions[session].write(part),
            Step::Get {
                session,
                queue,
                no_ack,
            } => {
                if let Some(received) = self.sessions[session].get(QUEUES[queue], no_ack) {
                    self.enter(vec![(session, received)]);
                }
            }
            Step::Cancel { session, pick } => {
                let consumers = self.sessions[session].subscribed.len();
                if consumers > 0 {
                    let received = self.sessions[session].cancel(usize::from(pick) % consumers);
                    self.enter(received.into_iter().map(|received| (session, received)).collect());
                }
            }
            Step::Leave { session, limit } => self.leave(session, limit),
            Step::LiftLimit(session) => {
                let limit = self.sessions[session].limit();
                self.sessions[session].set_limit(if limit == 0 { 0 } else { (limit as u32 + 1) % 5 });
            }
        }
        self.receive();
        self.nobody_starves();
    }

    fn flush_publisher(&mut self, publisher: usize) {
        let publisher = &mut self.publishers[publisher];
        for (queue, ids) in self.queues.iter().zip(&mut publisher.gathered) {
            self.ledgers.get_mut(&queue.id().0).unwrap().messages.append(ids);
        }
        publisher
            .client
            .flush(&mut publisher.batch, &mut publisher.touched);
        publisher.touched.wake_all();
    }

    fn settle(&mut self, session: usize, pick: u8, count: u8, is_done: bool) {
        for n in 0..usize::from(count) {
            let unsettled = self.sessions[session].unsettled.len();
            if unsettled == 0 {
                return;
            }
            let at = (usize::from(pick) + n) % unsettled;
            let peer = &mut self.sessions[session];
            let (queue, seq) = if is_done {
                peer.settle(at)
            } else {
                peer.give_back(at)
            };
            let ledger = self.ledgers.get_mut(&queue).unwrap();
            assert_eq!(ledger.out.remove(&seq), Some(session));
            if is_done {
                ledger.done.insert(seq);
            }
        }
    }

    fn leave(&mut self, session: usize, limit: u32) {
        let successor = Session::new(&self.node, limit, None);
        let (received, returned) = std::mem::replace(&mut self.sessions[session], successor).leave();
        self.enter(received.into_iter().map(|received| (session, received)).collect());
        for (queue, seq) in returned {
            assert_eq!(
                self.ledgers.get_mut(&queue).unwrap().out.remove(&seq),
                Some(session)
            );
        }
    }

    /// All sessions look into their mailboxes; whether they write is a step of its own.
    fn receive(&mut self) {
        let mut all = Vec::new();
        for (at, session) in self.sessions.iter_mut().enumerate() {
            all.extend(session.receive().into_iter().map(|received| (at, received)));
        }
        self.enter(all);
    }

    fn enter(&mut self, received: Vec<(usize, Received)>) {
        for (queue, ledger) in &mut self.ledgers {
            let mine = || received.iter().filter(|(_, received)| received.queue == *queue);
            ledger.in_order(
                mine()
                    .filter(|(_, r)| !r.redelivered)
                    .map(|(_, r)| r.seq)
                    .collect(),
            );
            for (session, received) in mine() {
                ledger.delivered(*session, received);
            }
        }
    }

    fn nobody_starves(&self) {
        for session in &self.sessions {
            assert!(session.limit() == 0 || session.counted() <= session.limit());
            // The message that finds room may be the one that fills it.
            assert!(
                session.unwritten() < ROOM_BYTES + 2 * BIG_BYTES,
                "{} bytes",
                session.unwritten()
            );
            for consumer in &session.subscribed {
                let held = session.held(consumer);
                assert!(
                    consumer.prefetch == 0 || held <= consumer.prefetch as usize,
                    "{consumer:?} has {held}"
                );
                let ready = consumer.queue.totals().ready;
                assert!(
                    ready == 0 || session.may_idle(consumer),
                    "{consumer:?} starves beside {ready}"
                );
            }
        }
    }

    /// Everybody finishes: then everything published was delivered and done with, once.
    fn finish(&mut self) {
        (0..self.publishers.len()).for_each(|publisher| self.flush_publisher(publisher));
        for queue in QUEUES {
            self.sessions[0].subscribe(queue, false, 0, 0);
        }
        let is_empty = |queue: &Arc<LiveQueue>| queue.totals().ready + queue.totals().unsettled == 0;
        let published: usize = self.ledgers.values().map(|ledger| ledger.messages.len()).sum();
        for _ in 0..=published {
            for session in 0..self.sessions.len() {
                self.receive();
                self.settle(session, 0, u8::MAX, true);
                self.sessions[session].flush();
                self.sessions[session].write(1);
            }
            if self.queues.iter().all(is_empty) {
                break;
            }
        }
        self.receive();
        for ledger in self.ledgers.values() {
            assert!(ledger.out.is_empty());
            assert!(
                ledger.done.iter().copied().eq(0..ledger.messages.len() as u64),
                "{ledger:?}"
            );
        }
        assert!(self.queues.iter().all(is_empty));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn nothing_is_lost_or_doubled_and_nobody_starves(
        steps in prop::collection::vec(any::<[u8; 3]>().prop_map(Step::of), 0..150),
    ) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
        }
        world.finish();
    }
}
