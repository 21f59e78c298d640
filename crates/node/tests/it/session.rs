//! A session as a front-end would be one: it takes parcels, settles them, frees room, calls back whoever
//! was refused meanwhile.

use crate::broker::{self, Id};
use std::sync::Arc;
use warren_broker::name::QueueName;
use warren_broker::queue::ConsumerKey;
use warren_broker::value::Table;
use warren_node::{
    Address, Batch, Client, Consume, Got, Inbox, LiveQueue, Node, Parcel, ROOM_BYTES, SharedCredit, Starved,
    Touched, Waker,
};

/// A consumer of the session.
#[derive(Debug)]
pub(crate) struct Subscribed {
    pub(crate) queue: Arc<LiveQueue>,
    pub(crate) prefetch: u32,
    pub(crate) no_ack: bool,
    key: ConsumerKey,
    address: Address,
}

/// A delivery, as a client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    /// The queue's id.
    pub(crate) queue: u64,
    pub(crate) seq: u64,
    pub(crate) redelivered: bool,
    pub(crate) no_ack: bool,
    pub(crate) id: Id,
}

/// A delivery that is not settled, or whose settlement is only gathered.
#[derive(Debug)]
pub(crate) struct Unsettled {
    queue: Arc<LiveQueue>,
    pub(crate) seq: u64,
    /// To whom it went; `None`: to a getter.
    address: Option<Address>,
}

impl Unsettled {
    pub(crate) fn queue(&self) -> u64 {
        self.queue.id().0
    }
}

/// See the module.
pub(crate) struct Session {
    client: Client,
    shared: Arc<SharedCredit>,
    batch: Batch,
    touched: Touched,
    inbox: Inbox,
    pub(crate) subscribed: Vec<Subscribed>,
    pub(crate) unsettled: Vec<Unsettled>,
    /// Settlements in the batch, by consumer.
    gathered: Vec<Address>,
    resumable: Vec<Starved>,
    /// Bytes of room that parcels take which are not written out yet.
    unwritten: usize,
    /// Consumers may have been refused for want of room, and were not called back yet.
    is_full: bool,
    last_consumer: u32,
}

impl Session {
    /// A session whose consumers share `limit` deliveries; 0: no limit.
    pub(crate) fn new(node: &Arc<Node>, limit: u32, waker: Option<Arc<dyn Waker>>) -> Self {
        let client = broker::client(node, "consumer");
        if let Some(waker) = waker {
            client.mailbox().set_waker(waker);
        }
        let shared = Arc::new(SharedCredit::default());
        assert!(shared.set_limit(limit).is_empty());
        Self {
            client,
            shared,
            batch: Batch::default(),
            touched: Touched::default(),
            inbox: Inbox::default(),
            subscribed: Vec::new(),
            unsettled: Vec::new(),
            gathered: Vec::new(),
            resumable: Vec::new(),
            unwritten: 0,
            is_full: false,
            last_consumer: 0,
        }
    }

    pub(crate) fn subscribe(&mut self, queue: &str, no_ack: bool, prefetch: u32, priority: i64) {
        self.last_consumer += 1;
        let address = Address {
            channel: 1,
            consumer: self.last_consumer,
        };
        let arguments: Table = [("x-priority", warren_broker::value::Value::I64(priority))]
            .into_iter()
            .collect();
        let asked = Consume {
            queue: QueueName::new(queue).unwrap(),
            no_ack,
            exclusive: false,
            prefetch,
            shared: Arc::clone(&self.shared),
            arguments,
            address,
        };
        let consumed = self.client.consume(asked).unwrap();
        consumed.queue.serve(&mut self.touched);
        self.subscribed.push(Subscribed {
            queue: consumed.queue,
            prefetch,
            no_ack,
            key: consumed.key,
            address,
        });
        self.touched.wake_all();
    }

    /// Takes what came out of the mailbox.
    pub(crate) fn receive(&mut self) -> Vec<Received> {
        self.client.mailbox().take(&mut self.inbox);
        let parcels = std::mem::take(&mut self.inbox.parcels);
        let received = parcels.into_iter().map(|parcel| self.unpack(parcel)).collect();
        self.is_full |= self.unwritten >= ROOM_BYTES;
        received
    }

    fn unpack(&mut self, parcel: Parcel) -> Received {
        self.unwritten += parcel.room_bytes();
        let Parcel { to, delivery } = parcel;
        let consumer = self.subscribed.iter().find(|consumer| consumer.address == to);
        let consumer = consumer.expect("a parcel for a consumer of the session");
        if !consumer.no_ack {
            let queue = Arc::clone(&consumer.queue);
            self.unsettled.push(Unsettled {
                queue,
                seq: delivery.ticket.seq(),
                address: Some(to),
            });
        }
        Received {
            queue: consumer.queue.id().0,
            seq: delivery.ticket.seq(),
            redelivered: delivery.redelivered,
            no_ack: consumer.no_ack,
            id: broker::id_of(&delivery.message),
        }
    }

    /// Takes one message as a getter.
    pub(crate) fn get(&mut self, queue: &str, no_ack: bool) -> Option<Received> {
        let got = self.client.take(&QueueName::new(queue).unwrap(), no_ack);
        let (queue, Got::Message(taken)) = got.unwrap() else {
            return None;
        };
        let received = Received {
            queue: queue.id().0,
            seq: taken.delivery.ticket.seq(),
            redelivered: taken.delivery.redelivered,
            no_ack,
            id: broker::id_of(&taken.delivery.message),
        };
        if !no_ack {
            self.unsettled.push(Unsettled {
                queue,
                seq: taken.delivery.ticket.seq(),
                address: None,
            });
        }
        Some(received)
    }

    /// Gathers that a delivery is done with. Answers its queue and number.
    pub(crate) fn settle(&mut self, at: usize) -> (u64, u64) {
        let unsettled = self.unsettled.swap_remove(at);
        self.batch
            .settle(&unsettled.queue, warren_broker::queue::Ticket(unsettled.seq));
        self.released(&unsettled);
        (unsettled.queue(), unsettled.seq)
    }

    /// Gathers that a delivery goes back. Answers its queue and number.
    pub(crate) fn give_back(&mut self, at: usize) -> (u64, u64) {
        let unsettled = self.unsettled.swap_remove(at);
        self.batch.give_back(
            &unsettled.queue,
            warren_broker::queue::Ticket(unsettled.seq),
            false,
        );
        self.released(&unsettled);
        (unsettled.queue(), unsettled.seq)
    }

    fn released(&mut self, unsettled: &Unsettled) {
        if let Some(address) = unsettled.address {
            self.gathered.push(address);
            self.resumable.extend(self.shared.release(1));
        }
    }

    /// Does what is gathered and calls back who may go on.
    pub(crate) fn flush(&mut self) {
        self.client.flush(&mut self.batch, &mut self.touched);
        self.gathered.clear();
        let resumable = std::mem::take(&mut self.resumable);
        Starved::resume_all(&resumable, &mut self.touched);
        self.touched.wake_all();
    }

    /// Writes the n-th part of what was received.
    pub(crate) fn write(&mut self, part: usize) {
        let bytes = self.unwritten / part;
        if bytes == 0 {
            return;
        }
        self.unwritten -= bytes;
        self.is_full &= self.unwritten > ROOM_BYTES / 2;
        let starved = self.client.mailbox().free_room(bytes);
        Starved::resume_all(&starved, &mut self.touched);
        self.touched.wake_all();
    }

    /// Another limit for the consumers together.
    pub(crate) fn set_limit(&mut self, limit: u32) {
        let resumable = self.shared.set_limit(limit);
        self.resumable.extend(resumable);
        self.flush();
    }

    /// Ends a consumer. Answers what was on its way.
    pub(crate) fn cancel(&mut self, at: usize) -> Vec<Received> {
        let Subscribed { queue, key, .. } = &self.subscribed[at];
        self.client.cancel(queue, *key, &mut self.touched);
        let received = self.receive();
        self.subscribed.swap_remove(at);
        self.touched.wake_all();
        received
    }

    /// Ends the session. Answers what was on its way, and what of all it had went back.
    pub(crate) fn leave(mut self) -> (Vec<Received>, Vec<(u64, u64)>) {
        let mut received = Vec::new();
        while !self.subscribed.is_empty() {
            received.extend(self.cancel(0));
        }
        let mut returned = Vec::new();
        while !self.unsettled.is_empty() {
            returned.push(self.give_back(0));
        }
        self.flush();
        self.write(1);
        self.client.leave(&mut self.batch, &mut self.touched);
        self.touched.wake_all();
        (received, returned)
    }

    /// Deliveries that a queue still counts as out with the consumer.
    pub(crate) fn held(&self, consumer: &Subscribed) -> usize {
        let unsettled = self.unsettled.iter().filter_map(|unsettled| unsettled.address);
        unsettled
            .chain(self.gathered.iter().copied())
            .filter(|address| *address == consumer.address)
            .count()
    }

    /// Deliveries that count for the limit shared by all consumers.
    pub(crate) fn counted(&self) -> usize {
        self.unsettled
            .iter()
            .filter(|unsettled| unsettled.address.is_some())
            .count()
    }

    /// Bytes of room that the session's deliveries take.
    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten
    }

    pub(crate) fn limit(&self) -> usize {
        self.shared.limit() as usize
    }

    /// Whether the consumer has a reason not to get messages: no room, no credit, or work that is gathered
    /// and would give it some.
    pub(crate) fn may_idle(&self, consumer: &Subscribed) -> bool {
        let Subscribed { prefetch, no_ack, .. } = consumer;
        let has_credit = (*no_ack || *prefetch == 0 || self.held(consumer) < *prefetch as usize)
            && (self.limit() == 0 || self.counted() < self.limit());
        self.is_full || !has_credit || !self.gathered.is_empty() || !self.resumable.is_empty()
    }
}
