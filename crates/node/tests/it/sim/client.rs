//! A session that does what it is told, and remembers what it holds.

use super::model::{Drained, id_of};
use std::sync::Arc;
use warren_broker::access::{Permission, User};
use warren_broker::name::{QueueName, UserName};
use warren_broker::queue::{ConsumerKey, Ticket};
use warren_broker::route::NoHeaders;
use warren_broker::value::Table;
use warren_node::{
    Address, Batch, Client, Consume, Got, Inbox, Keys, LiveQueue, Node, Notice, RouteCache, SharedCredit,
    Starved, Touched, Worked,
};

/// A consumer of the session.
pub(crate) struct Consumer {
    pub(crate) queue: Arc<LiveQueue>,
    pub(crate) no_ack: bool,
    pub(crate) prefetch: u32,
    key: ConsumerKey,
    address: Address,
}

/// A delivery that is not settled.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) queue: Arc<LiveQueue>,
    pub(crate) seq: u64,
    pub(crate) message: u64,
    /// `None`: a getter has it.
    address: Option<Address>,
}

/// How a delivery is let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is done with.
    Settle,
    /// It is rejected for good.
    Reject,
    /// It goes back.
    Return,
    /// It goes back, and counts as failed.
    Fail,
}

/// A delivery that came.
pub(crate) struct Came {
    pub(crate) queue: u64,
    pub(crate) no_ack: bool,
    pub(crate) drained: Drained,
}

/// See the module.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) consumers: Vec<Consumer>,
    pub(crate) held: Vec<Held>,
    pub(crate) cache: RouteCache,
    pub(crate) batch: Batch,
    shared: Arc<SharedCredit>,
    inbox: Inbox,
    last_consumer: u32,
}

/// A user who may do anything.
pub(crate) fn user(name: &str) -> User {
    let mut user = User::new(UserName::new(name).unwrap());
    let all = Permission::new(".*", ".*", ".*").unwrap();
    user.permissions.insert(crate::broker::vhost(), all);
    user
}

impl Session {
    pub(crate) fn enter(node: &Arc<Node>, name: &str) -> Self {
        let client = node.enter(Arc::new(user(name)), "/", node.new_mailbox()).unwrap();
        Self {
            client,
            consumers: Vec::new(),
            held: Vec::new(),
            cache: RouteCache::default(),
            batch: Batch::default(),
            shared: Arc::default(),
            inbox: Inbox::default(),
            last_consumer: 0,
        }
    }

    /// Takes what came out of the mailbox, and makes room for more.
    pub(crate) fn receive(&mut self) -> Vec<Came> {
        let mut came = Vec::new();
        loop {
            let mailbox = Arc::clone(self.client.mailbox());
            mailbox.take(&mut self.inbox);
            let mut room = 0;
            for parcel in std::mem::take(&mut self.inbox.parcels) {
                room += parcel.room_bytes();
                let consumer = self
                    .consumers
                    .iter()
                    .find(|consumer| consumer.address == parcel.to);
                let consumer = consumer.expect("a delivery for a consumer that is there");
                let (queue, no_ack) = (Arc::clone(&consumer.queue), consumer.no_ack);
                let delivery = parcel.delivery;
                came.push(Came {
                    queue: queue.id().0,
                    no_ack,
                    drained: Drained {
                        seq: delivery.ticket.seq(),
                        redelivered: delivery.redelivered,
                        failures: delivery.failures,
                        message: delivery.message.clone(),
                    },
                });
                if !no_ack {
                    let (seq, message) = (delivery.ticket.seq(), id_of(&delivery.message));
                    let address = Some(parcel.to);
                    self.held.push(Held {
                        queue,
                        seq,
                        message,
                        address,
                    });
                }
            }
            for notice in std::mem::take(&mut self.inbox.notices) {
                if let Notice::ConsumerCancelled(address) = notice {
                    self.consumers.retain(|consumer| consumer.address != address);
                }
            }
            self.held.retain(|held| !held.queue.is_deleted());
            if room == 0 {
                return came;
            }
            let mut touched = Touched::default();
            Starved::resume_all(&mailbox.free_room(room), &mut touched);
            touched.wake_all();
        }
    }

    pub(crate) fn consume(&mut self, queue: &str, no_ack: bool, prefetch: u32) {
        self.last_consumer += 1;
        let address = Address {
            channel: 1,
            consumer: self.last_consumer,
        };
        let asked = Consume {
            queue: QueueName::new(queue).unwrap(),
            no_ack,
            exclusive: false,
            prefetch,
            shared: Arc::clone(&self.shared),
            arguments: Table::new(),
            address,
        };
        let consumed = self.client.consume(asked).unwrap();
        let mut touched = Touched::default();
        self.consumers.push(Consumer {
            queue: Arc::clone(&consumed.queue),
            no_ack,
            prefetch,
            key: consumed.key,
            address,
        });
        consumed.queue.serve(&mut touched);
        touched.wake_all();
    }

    /// Ends a consumer; what is on its way was received before.
    pub(crate) fn cancel(&mut self, at: usize) {
        let consumer = self.consumers.remove(at);
        let mut touched = Touched::default();
        self.client.cancel(&consumer.queue, consumer.key, &mut touched);
        touched.wake_all();
    }

    /// Takes one message. It is read first if need be, unless somebody else works with the disk:
    /// then nothing comes of it.
    pub(crate) fn get(&mut self, queue: &str, no_ack: bool, may_read: bool) -> Option<Option<Came>> {
        let name = QueueName::new(queue).unwrap();
        for _ in 0..1000 {
            let (queue, got) = self.client.take(&name, no_ack).unwrap();
            match got {
                Got::Empty => return Some(None),
                Got::Later if !may_read => return None,
                Got::Later => {
                    let node = self.client.node();
                    if !node.read_back() {
                        // What is to be read waits for the log, which may have failed.
                        let _ = node.commit_log().and_then(|_| node.keep_house());
                    }
                    while node.read_back() {}
                }
                Got::Message(taken) => {
                    let delivery = taken.delivery;
                    let (seq, message) = (delivery.ticket.seq(), id_of(&delivery.message));
                    if !no_ack {
                        let (queue, address) = (Arc::clone(&queue), None);
                        self.held.push(Held {
                            queue,
                            seq,
                            message,
                            address,
                        });
                    }
                    return Some(Some(Came {
                        queue: queue.id().0,
                        no_ack,
                        drained: Drained {
                            seq,
                            redelivered: delivery.redelivered,
                            failures: delivery.failures,
                            message: delivery.message,
                        },
                    }));
                }
            }
        }
        panic!("a message of queue {queue} is never read");
    }

    /// The queues that an exchange sends everything to.
    pub(crate) fn bound(&mut self, exchange: &str) -> Vec<String> {
        let keys = Keys { first: "", more: &[] };
        let route = self
            .client
            .route(&mut self.cache, exchange, keys, &NoHeaders)
            .unwrap();
        let names = route
            .queues
            .iter()
            .map(|queue| queue.declared().name.as_str().to_owned());
        names.collect()
    }

    /// Settles or gives back, in the batch.
    pub(crate) fn let_go(&mut self, at: usize, settles: bool) -> (u64, u64) {
        self.let_go_so(at, if settles { Way::Settle } else { Way::Return })
    }

    /// Lets go of a delivery, in the batch.
    pub(crate) fn let_go_so(&mut self, at: usize, way: Way) -> (u64, u64) {
        let held = self.held.remove(at);
        let (batch, ticket) = (&mut self.batch, Ticket(held.seq));
        match way {
            Way::Settle => batch.settle(&held.queue, ticket),
            Way::Reject => batch.reject(&held.queue, ticket),
            Way::Return => batch.give_back(&held.queue, ticket, false),
            Way::Fail => batch.give_back(&held.queue, ticket, true),
        }
        if held.address.is_some() {
            assert!(self.shared.release(1).is_empty());
        }
        (held.queue.id().0, held.message)
    }

    /// Gives back what was let go of in vain.
    pub(crate) fn give_back(&mut self, held: &Held) {
        self.batch.give_back(&held.queue, Ticket(held.seq), false);
    }

    pub(crate) fn flush(&mut self) -> Worked {
        let mut touched = Touched::default();
        let worked = self.client.flush(&mut self.batch, &mut touched);
        touched.wake_all();
        worked
    }

    /// The same, all of it or nothing; `None`: nothing.
    pub(crate) fn flush_together(&mut self) -> Option<Worked> {
        let mut touched = Touched::default();
        let worked = self.client.flush_together(&mut self.batch, &mut touched);
        touched.wake_all();
        worked
    }

    pub(crate) fn leave(mut self) {
        let mut touched = Touched::default();
        self.client.leave(&mut self.batch, &mut touched);
        touched.wake_all();
    }

    /// Whether a consumer may get another message.
    pub(crate) fn has_credit(&self, consumer: &Consumer) -> bool {
        let out = self
            .held
            .iter()
            .filter(|held| held.address == Some(consumer.address))
            .count();
        consumer.no_ack || consumer.prefetch == 0 || out < consumer.prefetch as usize
    }
}
