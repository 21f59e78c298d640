//! Publishers and consumers on threads of their own, who do everything at once and at random.
//!
//! Threads wait for their mailboxes alone. A wake-up that gets lost, or a consumer that is never called back,
//! leaves messages behind: then the last thread waits in vain and fails at [`PATIENCE`].

use crate::broker::{self, Id};
use crate::session::{Received, Session};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use warren_broker::route::NoHeaders;
use warren_node::{Batch, Keys, LiveQueue, Node, ROOM_BYTES, RouteCache, Touched, Waker};

const QUEUES: [&str; 2] = ["q0", "q1"];
const PUBLISHERS: usize = 3;
const MESSAGES_EACH: u32 = 10_000;

/// Far more than the test takes: only a bug lets anyone wait for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A padding of which some fill a mailbox, so that consumers are refused.
const BIG_BYTES: usize = ROOM_BYTES / 16;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Rung by whoever puts something into the mailbox.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// Waits until it was rung since the last wait.
    fn wait(&self, deadline: Instant) {
        let patience = deadline.saturating_duration_since(Instant::now());
        let rung = self.rung.lock().unwrap();
        let (mut rung, timeout) = self
            .changed
            .wait_timeout_while(rung, patience, |rung| !*rung)
            .unwrap();
        assert!(!timeout.timed_out(), "nobody rang, and there are messages left");
        *rung = false;
    }
}

impl Waker for Bell {
    fn wake(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn try_finish(&self) -> bool {
        false
    }
}

/// What all threads know.
struct Hall {
    node: Arc<Node>,
    deadline: Instant,
    /// Messages that nobody is done with.
    left: AtomicUsize,
    bells: Vec<Arc<Bell>>,
}

impl Hall {
    fn done(&self, count: usize) {
        if self.left.fetch_sub(count, Ordering::AcqRel) == count {
            self.bells.iter().for_each(|bell| bell.wake());
        }
    }

    fn is_over(&self) -> bool {
        self.left.load(Ordering::Acquire) == 0
    }
}

fn publish(node: &Arc<Node>, me: u8) {
    let mut dice = Dice(u64::from(me) + 1);
    let client = &mut broker::client(node, "publisher");
    let (mut cache, mut batch, mut touched) = (RouteCache::default(), Batch::default(), Touched::default());
    for number in 1..=MESSAGES_EACH {
        let keys = Keys {
            first: QUEUES[dice.roll(2) as usize],
            more: &[],
        };
        let route = client.route(&mut cache, "", keys, &NoHeaders).unwrap();
        let padding = if dice.roll(64) == 0 { BIG_BYTES } else { 0 };
        client.publish(&mut batch, &route, broker::message((me, number), padding), 0);
        if dice.roll(16) == 0 || number == MESSAGES_EACH {
            client.flush(&mut batch, &mut touched);
            touched.wake_all();
        }
    }
}

/// How a consumer of the stress consumes.
#[derive(Debug, Clone, Copy)]
struct Manner {
    no_ack: bool,
    prefetch: u32,
    limit: u32,
}

const MANNERS: [Manner; 3] = [
    Manner {
        no_ack: false,
        prefetch: 0,
        limit: 0,
    },
    Manner {
        no_ack: false,
        prefetch: 7,
        limit: 0,
    },
    Manner {
        no_ack: false,
        prefetch: 12,
        limit: 10,
    },
];

/// For a while every consumer is also one that need not acknowledge.
const CARELESS: Manner = Manner {
    no_ack: true,
    prefetch: 0,
    limit: 0,
};

struct Consumer<'a> {
    hall: &'a Hall,
    manner: Manner,
    bell: Arc<Bell>,
    dice: Dice,
    session: Session,
    /// What each incarnation of the session received, in order.
    logs: Vec<Vec<Received>>,
}

fn opened(hall: &Hall, manner: Manner, bell: &Arc<Bell>) -> Session {
    let waker: Arc<dyn Waker> = Arc::clone(bell) as _;
    let mut session = Session::new(&hall.node, manner.limit, Some(waker));
    for queue in QUEUES {
        session.subscribe(queue, manner.no_ack, manner.prefetch, 0);
    }
    session
}

impl<'a> Consumer<'a> {
    fn new(hall: &'a Hall, me: usize) -> Self {
        let (manner, bell) = (MANNERS[me], Arc::clone(&hall.bells[me]));
        let session = opened(hall, manner, &bell);
        Self {
            hall,
            manner,
            bell,
            dice: Dice(100 + me as u64),
            session,
            logs: vec![Vec::new()],
        }
    }

    fn run(mut self) -> (Session, Vec<Vec<Received>>) {
        while !self.hall.is_over() {
            let received = self.session.receive();
            if received.is_empty() {
                // Whoever waits for messages holds none back, or all would wait for each other.
                if !self.settle(1) {
                    self.bell.wait(self.hall.deadline);
                }
                continue;
            }
            self.note(received);
            self.settle(2);
            self.session.write(1 + self.dice.roll(2) as usize);
            match self.dice.roll(64) {
                0 => self.cancel_one(),
                1 => self.leave(),
                2 if self.manner.limit > 0 => self.change_limit(),
                _ => {}
            }
        }
        (self.session, self.logs)
    }

    fn note(&mut self, received: Vec<Received>) {
        let careless = received.iter().filter(|received| received.no_ack).count();
        self.logs.last_mut().unwrap().extend(received);
        if careless > 0 {
            self.hall.done(careless);
        }
    }

    /// Settles or returns one of `part` of what is out. Answers whether there was anything.
    fn settle(&mut self, part: u64) -> bool {
        let (mut done, mut any) = (0, false);
        for at in (0..self.session.unsettled.len()).rev() {
            if self.dice.roll(part) > 0 {
                continue;
            }
            any = true;
            if self.dice.roll(8) == 0 {
                self.session.give_back(at);
            } else {
                self.session.settle(at);
                done += 1;
            }
        }
        self.session.flush();
        self.session.write(1);
        if done > 0 {
            self.hall.done(done);
        }
        any
    }

    fn cancel_one(&mut self) {
        let received = self.session.cancel(0);
        self.note(received);
        let left = self.session.subscribed[0].queue.declared().name.as_str();
        let missing = QUEUES.into_iter().find(|name| *name != left).unwrap();
        self.session
            .subscribe(missing, self.manner.no_ack, self.manner.prefetch, 0);
    }

    /// Another session comes in the place of this one: at times a careless one.
    fn leave(&mut self) {
        let me = self
            .hall
            .bells
            .iter()
            .position(|bell| Arc::ptr_eq(bell, &self.bell))
            .unwrap();
        self.manner = if self.dice.roll(4) == 0 {
            CARELESS
        } else {
            MANNERS[me]
        };
        let successor = opened(self.hall, self.manner, &self.bell);
        let (received, _) = std::mem::replace(&mut self.session, successor).leave();
        self.note(received);
        self.logs.push(Vec::new());
    }

    fn change_limit(&mut self) {
        for limit in [1 + self.dice.roll(4) as u32, 0, self.manner.limit] {
            self.session.set_limit(limit);
        }
    }
}

#[test]
fn nothing_is_lost_or_doubled_and_nobody_starves() {
    let node = broker::node();
    let mut owner = broker::client(&node, "owner");
    let queues = QUEUES.map(|name| broker::declare_queue(&mut owner, name));
    let total = PUBLISHERS * MESSAGES_EACH as usize;
    let hall = Hall {
        node: Arc::clone(&node),
        deadline: Instant::now() + PATIENCE,
        left: AtomicUsize::new(total),
        bells: (0..MANNERS.len()).map(|_| Arc::default()).collect(),
    };
    let (sessions, logs) = thread::scope(|scope| {
        let consumers: Vec<_> = (0..MANNERS.len())
            .map(|me| Consumer::new(&hall, me))
            .map(|c| scope.spawn(|| c.run()))
            .collect();
        for me in 0..PUBLISHERS {
            let node = &node;
            scope.spawn(move || publish(node, me as u8));
        }
        let ended = consumers.into_iter().map(|consumer| consumer.join().unwrap());
        ended.unzip::<_, _, Vec<Session>, Vec<_>>()
    });
    check_logs(&logs.into_iter().flatten().collect::<Vec<_>>(), total);
    for queue in &queues {
        let totals = queue.totals();
        assert_eq!((totals.ready, totals.unsettled, totals.bytes), (0, 0, 0));
    }
    everybody_gets_a_share(&node, &queues, sessions);
}

fn check_logs(logs: &[Vec<Received>], total: usize) {
    let mut messages: HashMap<(u64, u64), Id> = HashMap::new();
    let mut firsts: HashSet<(u64, u64)> = HashSet::new();
    for log in logs {
        // Per queue and publisher: the number of the last first delivery to this session.
        let mut last: BTreeMap<(u64, u8), u32> = BTreeMap::new();
        for received in log {
            let place = (received.queue, received.seq);
            let (publisher, number) = received.id;
            assert_eq!(
                *messages.entry(place).or_insert(received.id),
                received.id,
                "{received:?}"
            );
            if !received.redelivered {
                assert!(firsts.insert(place), "{received:?} came before and is not marked");
                let before = last.insert((received.queue, publisher), number);
                assert!(before < Some(number), "{received:?} came after {before:?}");
            }
        }
    }
    assert_eq!(messages.len(), total, "messages lost");
    assert_eq!(firsts.len(), total, "messages marked that nobody had before");
    let ids: HashSet<Id> = messages.values().copied().collect();
    assert_eq!(ids.len(), total, "messages doubled");
}

/// Whoever was refused and not called back would get none.
fn everybody_gets_a_share(node: &Arc<Node>, queues: &[Arc<LiveQueue>], mut sessions: Vec<Session>) {
    for session in &mut sessions {
        assert!(session.receive().is_empty() && session.unsettled.is_empty());
        session.write(1);
    }
    let mut client = broker::client(node, "publisher");
    let (mut batch, mut touched) = (Batch::default(), Touched::default());
    let consumers: usize = sessions.iter().map(|session| session.subscribed.len()).sum();
    for queue in queues {
        let count = 3 * queue.totals().consumers;
        for number in 0..count {
            batch.publish(queue, broker::message((u8::MAX, number as u32), 0), 0);
        }
    }
    client.refresh();
    client.flush(&mut batch, &mut touched);
    touched.wake_all();
    assert_eq!(consumers, QUEUES.len() * MANNERS.len());
    for session in &mut sessions {
        assert_eq!(session.receive().len(), 3 * QUEUES.len());
    }
}
