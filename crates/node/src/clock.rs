//! The clock: what time it is, and which queue is to be looked at when.
//!
//! A queue asks to be called when something of it is due: a message that expires or was delayed, a delivery
//! that is out for too long, the end of a queue that nobody uses. One thread sleeps until the first of them
//! all. Tests set the time themselves and call [`Node::tick`] instead.

use crate::mailbox::Touched;
use crate::node::Node;
use crate::queues::LiveQueue;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use warren_broker::route::QueueId;

/// How long the thread sleeps at most: the wall clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// The queues that are to be called, each in one place.
#[derive(Default)]
struct Calls {
    /// By the time, and the queue's id.
    order: BTreeMap<(u64, QueueId), Weak<LiveQueue>>,
    /// When each is called.
    hours: HashMap<QueueId, u64, RandomState>,
}

impl Calls {
    fn first_ms(&self) -> Option<u64> {
        self.order.first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    /// Answers whether the queue was not to be called before.
    fn add(&mut self, at_ms: u64, queue: &Arc<LiveQueue>) -> bool {
        let id = queue.id();
        match self.hours.get(&id) {
            Some(earlier) if *earlier <= at_ms => return false,
            Some(later) => drop(self.order.remove(&(*later, id))),
            None => {}
        }
        self.hours.insert(id, at_ms);
        self.order.insert((at_ms, id), Arc::downgrade(queue));
        true
    }

    fn remove(&mut self, id: QueueId) {
        if let Some(at_ms) = self.hours.remove(&id) {
            self.order.remove(&(at_ms, id));
        }
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Clock {
    /// What the time is said to be; 0: as the system says.
    set_ms: AtomicU64,
    calls: Mutex<Calls>,
    is_earlier: Condvar,
    is_closing: AtomicBool,
}

impl Clock {
    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        match self.set_ms.load(Ordering::Relaxed) {
            0 => since_1970_ms(SystemTime::now()),
            set => set,
        }
    }

    /// The time is what a test says from now on.
    pub(crate) fn set_ms(&self, now_ms: u64) {
        self.set_ms.store(now_ms, Ordering::Relaxed);
    }

    /// The queue is to be called at this time, unless it is to be called before: then it asks again. It may
    /// be called with its lock held.
    pub(crate) fn call(&self, at_ms: u64, queue: &Arc<LiveQueue>) {
        let mut calls = self.calls.lock();
        let is_first = calls.first_ms().is_none_or(|first| at_ms < first);
        let is_added = calls.add(at_ms, queue);
        drop(calls);
        if is_added && is_first {
            self.is_earlier.notify_one();
        }
    }

    /// The queue is not to be called any more.
    pub(crate) fn forget(&self, queue: QueueId) {
        self.calls.lock().remove(queue);
    }

    /// The queues that are due.
    fn due(&self) -> Vec<Arc<LiveQueue>> {
        let now_ms = self.now_ms();
        let mut calls = self.calls.lock();
        let mut due = Vec::new();
        while let Some(first) = calls.order.first_entry()
            && first.key().0 <= now_ms
        {
            let ((_, id), queue) = first.remove_entry();
            calls.hours.remove(&id);
            due.extend(queue.upgrade());
        }
        due
    }

    /// Calls queues when they are due, until it is closed.
    pub(crate) fn run(&self, node: &Node) {
        while !self.is_closing.load(Ordering::Acquire) {
            node.call_due();
            let mut calls = self.calls.lock();
            let now_ms = self.now_ms();
            let next = calls.first_ms();
            let wait = next.map_or(SLEEP_MAX, |at| Duration::from_millis(at.saturating_sub(now_ms)));
            if !wait.is_zero() && !self.is_closing.load(Ordering::Acquire) {
                self.is_earlier.wait_for(&mut calls, wait.min(SLEEP_MAX));
            }
        }
    }

    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        // Whoever is about to sleep has seen it, or is woken.
        let _calls = self.calls.lock();
        self.is_earlier.notify_all();
    }
}

impl Node {
    /// Sets the time, for those who run a node without [`Node::start`], and does what is due then.
    pub fn tick(&self, now_ms: u64) {
        self.backing.clock.set_ms(now_ms);
        self.call_due();
    }

    fn call_due(&self) {
        let mut touched = Touched::default();
        for queue in self.backing.clock.due() {
            if queue.called(&mut touched) {
                self.delete_expired(&queue, &mut touched);
            }
        }
        touched.wake_all();
    }
}

/// Milliseconds since 1970; at least 1, also on a machine whose clock stands before: 0 says of a message that
/// nobody knows when it was published, and one such would hold up for good all that expires behind it.
fn since_1970_ms(now: SystemTime) -> u64 {
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::batch::Batch;
    use crate::node::Config;
    use warren_broker::access::{Permission, User};
    use warren_broker::catalog::{QueueDeclaration, Vhost};
    use warren_broker::message::{AnnotationsWriter, Message, Parts};
    use warren_broker::name::{QueueName, UserName, VhostName};
    use warren_broker::value::Table;
    use warren_store::MemoryLog;

    #[test]
    fn a_clock_that_stands_before_1970_leaves_no_message_without_a_time() {
        let at = |seconds| since_1970_ms(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!((at(0), at(7)), (1, 7000));
        assert_eq!(since_1970_ms(UNIX_EPOCH - Duration::from_secs(7)), 1);
    }

    const HOUR_MS: u64 = 4_000_000_000_000;

    fn message(now_ms: u64, ttl_ms: u64) -> Message {
        let mut noted = AnnotationsWriter::default();
        noted.ttl_ms(ttl_ms);
        Message::of(&Parts {
            key: "q",
            body: b"12345",
            published_ms: now_ms,
            annotations: noted.bytes(),
            ..Parts::default()
        })
        .unwrap()
    }

    #[test]
    fn a_queue_has_one_place_however_often_something_of_it_is_due() {
        let node = Node::new(Config::default(), Arc::new(MemoryLog::default()));
        let vhost = VhostName::new("/").unwrap();
        node.put_vhost(Vhost::named(vhost.clone()));
        node.tick(HOUR_MS);
        let mut user = User::new(UserName::new("u").unwrap());
        let may_do_anything = Permission::new(".*", ".*", ".*").unwrap();
        user.permissions.insert(vhost, may_do_anything);
        node.put_user(user.clone());
        let mut client = node.enter(Arc::new(user), "/", node.new_mailbox()).unwrap();
        let name = QueueName::new("q").unwrap();
        let asked = QueueDeclaration {
            name: name.clone(),
            server_named: false,
            durable: true,
            exclusive: false,
            auto_delete: false,
            arguments: Table::new(),
        };
        let mut touched = Touched::default();
        client.declare_queue(&asked, &mut touched).unwrap();
        let queue = client.vhost().queue("q").unwrap();
        let mut put = |message| {
            let mut batch = Batch::default();
            batch.publish(&queue, message, 0);
            client.flush(&mut batch, &mut touched);
        };
        put(message(HOUR_MS, 1_000_000));
        for n in 1..=1_000 {
            let now_ms = HOUR_MS + n * 10;
            node.tick(now_ms);
            put(message(now_ms, 5));
            node.tick(now_ms + 6);
            assert_eq!(queue.totals().ready, 1);
        }
        assert_eq!(node.backing.clock.calls.lock().order.len(), 1);
        // The far one was not forgotten.
        node.tick(HOUR_MS + 999_999);
        assert_eq!(queue.totals().ready, 1);
        node.tick(HOUR_MS + 1_000_000);
        assert_eq!(queue.totals().ready, 0);
        // Nothing is left of a queue that is gone.
        put(message(HOUR_MS + 1_000_000, 1_000));
        client.delete_queue(&name, false, false, &mut touched).unwrap();
        assert_eq!(node.backing.clock.calls.lock().order.len(), 0);
        touched.wake_all();
    }
}
