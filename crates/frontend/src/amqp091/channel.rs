//! A channel: its mode, what it has delivered and not yet settled, its consumers, and the
//! content that is coming in.

use super::confirms::Confirms;
use super::publish::Incoming;
use super::refusal::{self, Failure};
use super::shared::Shared;
use super::transaction::Transaction;
use hashbrown::HashMap;
use std::sync::Arc;
use warren_broker::name::{ConsumerTag, QueueName};
use warren_broker::queue::{ConsumerKey, Ticket, Window};
use warren_broker::route::QueueId;
use warren_node::Position;
use warren_node::{Browser, LiveQueue, Place, SharedCredit};
use warren_protocol::amqp091::method::Method;

/// What a channel does with publishes and acknowledgements.
#[derive(Debug, Default)]
pub(super) enum Mode {
    /// At once.
    #[default]
    Plain,
    /// At once, and publishes are confirmed.
    Confirm(Confirms),
    /// At commit.
    Transaction(Transaction),
}

/// A consumer of the channel.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) tag: ConsumerTag,
    pub(super) no_ack: bool,
    pub(super) source: Source,
}

/// Where a consumer's deliveries come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A queue.
    Queue(Arc<LiveQueue>, ConsumerKey),
    /// A queue, of which nothing is taken.
    Browser(Arc<Browser>),
    /// Direct reply-to, under this address.
    Replies(String),
}

/// A delivery that the client has not settled.
#[derive(Debug, Clone)]
pub(super) struct Unacked {
    pub(super) queue: Arc<LiveQueue>,
    pub(super) ticket: Ticket,
    /// It went to a consumer, not to a getter, and counts for the channel's limit.
    pub(super) counted: bool,
}

/// Where deliveries to one consumer go.
pub(super) struct Outlet<'a> {
    pub(super) channel: u16,
    /// The consumer's tag.
    pub(super) consumer: &'a str,
    /// Whence they come, if they are to be settled.
    pub(super) queue: Option<&'a Arc<LiveQueue>>,
    pub(super) unacked: &'a mut Window<Unacked>,
    pub(super) last_tag: &'a mut u64,
    pub(super) parked: &'a mut Option<Parked>,
}

/// Answers that wait for the log.
#[derive(Debug)]
pub(super) struct Parked {
    position: Position,
    bytes: Vec<u8>,
}

/// An open channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) number: u16,
    /// It was closed by the server and waits for channel.close-ok.
    pub(super) is_closing: bool,
    /// What it takes of the channels that the user may have: as long as the client may think that it is open.
    _place: Option<Place>,
    pub(super) mode: Mode,
    pub(super) incoming: Incoming,
    pub(super) unacked: Window<Unacked>,
    last_tag: u64,
    /// The next delivery that is taken away is likely to have this tag or a higher one.
    timed_out_from: u64,
    pub(super) consumers: HashMap<u32, Consumer>,
    pub(super) numbers: HashMap<ConsumerTag, u32>,
    /// Prefetch of consumers to come; 0: no limit.
    pub(super) prefetch: u16,
    /// Limit over all consumers.
    pub(super) shared_credit: Arc<SharedCredit>,
    pub(super) last_queue: Option<QueueName>,
    parked: Option<Parked>,
}

impl Channel {
    pub(super) fn new(number: u16, place: Option<Place>) -> Self {
        Self {
            number,
            is_closing: false,
            _place: place,
            mode: Mode::default(),
            incoming: Incoming::default(),
            unacked: Window::default(),
            last_tag: 0,
            timed_out_from: 0,
            consumers: HashMap::new(),
            numbers: HashMap::new(),
            prefetch: 0,
            shared_credit: Arc::default(),
            last_queue: None,
            parked: None,
        }
    }

    /// Writes output of the channel: see [`write_to`].
    pub(super) fn write(&mut self, shared: &mut Shared, write: impl FnOnce(&mut Vec<u8>)) {
        write_to(&mut self.parked, shared, write);
    }

    /// Where deliveries to a consumer go.
    pub(super) fn outlet(&mut self, consumer: u32) -> Option<Outlet<'_>> {
        let consumer = self.consumers.get(&consumer)?;
        let queue = match &consumer.source {
            Source::Queue(queue, _) if !consumer.no_ack => Some(queue),
            Source::Queue(..) | Source::Browser(_) | Source::Replies(_) => None,
        };
        Some(Outlet {
            channel: self.number,
            consumer: consumer.tag.as_str(),
            queue,
            unacked: &mut self.unacked,
            last_tag: &mut self.last_tag,
            parked: &mut self.parked,
        })
    }

    /// Writes a method.
    pub(super) fn send<'m>(&mut self, shared: &mut Shared, method: impl Into<Method<'m>>) {
        let number = self.number;
        self.write(shared, |out| method.into().encode(number, out));
    }

    /// Writes a method once the log is durable up to `position`; what the channel sends later
    /// comes after it.
    pub(super) fn send_at<'m>(
        &mut self,
        shared: &mut Shared,
        position: Position,
        method: impl Into<Method<'m>>,
    ) {
        if position > shared.node.durable() {
            let parked = self.parked.get_or_insert_with(|| Parked {
                position,
                bytes: Vec::new(),
            });
            parked.position = parked.position.max(position);
            shared.node.notify_durable(position, &shared.mailbox);
        }
        self.send(shared, method);
    }

    /// Whether answers of the channel wait for the log.
    pub(super) fn has_parked(&self) -> bool {
        self.parked.is_some()
    }

    fn parked_bytes(&self) -> usize {
        self.parked.as_ref().map_or(0, |parked| parked.bytes.len())
    }

    /// The log became durable up to `position`: sends what waited for it.
    pub(super) fn release_parked(&mut self, shared: &mut Shared, position: Position) {
        if let Some(parked) = self.parked.take_if(|parked| parked.position <= position) {
            shared.parked_bytes -= parked.bytes.len();
            shared.output.buffer().extend_from_slice(&parked.bytes);
        }
        if let Mode::Confirm(confirms) = &mut self.mode
            && let Some(ack) = confirms.durable(position)
        {
            self.send(shared, ack);
        }
    }

    /// Answers that wait for the log will not be said.
    pub(super) fn drop_parked(&mut self, shared: &mut Shared) {
        shared.parked_bytes -= self.parked_bytes();
        self.parked = None;
    }

    /// The log failed: what is not confirmed never will be, and what waits for the log is not said.
    pub(super) fn refuse_unconfirmed(&mut self, shared: &mut Shared) {
        self.drop_parked(shared);
        if let Mode::Confirm(confirms) = &mut self.mode
            && let Some(nack) = confirms.refuse()
        {
            self.send(shared, nack);
        }
    }

    /// A tag for the next delivery.
    pub(super) fn next_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// The queue that a method of the queue class means: the named one, or the one declared
    /// last. Line ends do not count.
    pub(super) fn queue_name(&self, name: &str) -> Result<QueueName, Failure> {
        self.exact_queue_name(&warren_broker::name::stripped(name))
    }

    /// The same for the methods with which line ends count, as they do in RabbitMQ: get, consume
    /// and purge.
    pub(super) fn exact_queue_name(&self, name: &str) -> Result<QueueName, Failure> {
        if !name.is_empty() {
            return Ok(QueueName::new(name)?);
        }
        let last = self.last_queue.clone();
        last.ok_or_else(|| Failure::channel(refusal::NOT_FOUND, "no previously declared queue"))
    }

    /// Deliveries that are out stay with the client for as long as if they had gone out now.
    pub(super) fn renew(&self) {
        let mut by_queue: Vec<(&Arc<LiveQueue>, Vec<Ticket>)> = Vec::new();
        for (_, unacked) in self.unacked.iter() {
            match by_queue
                .iter_mut()
                .find(|(queue, _)| Arc::ptr_eq(queue, &unacked.queue))
            {
                Some((_, tickets)) => tickets.push(unacked.ticket),
                None => by_queue.push((&unacked.queue, vec![unacked.ticket])),
            }
        }
        for (queue, tickets) in by_queue {
            queue.renew(&tickets);
        }
    }

    /// A delivery was taken away. The client may settle it, which is of no consequence any more. Answers
    /// whether the client has it, or had.
    pub(super) fn timed_out(&mut self, shared: &mut Shared, queue: QueueId, ticket: Ticket) -> bool {
        let is_it = |unacked: &Unacked| unacked.queue.id() == queue && unacked.ticket == ticket;
        let unacked = match find_on(&self.unacked, self.timed_out_from, is_it) {
            Some(tag) => {
                self.timed_out_from = tag + 1;
                self.unacked.find_mut(tag)
            }
            None => match &mut self.mode {
                // It is acknowledged, and that may be rolled back.
                Mode::Transaction(transaction) => transaction.find(is_it),
                Mode::Plain | Mode::Confirm(_) => None,
            },
        };
        let Some(unacked) = unacked else { return false };
        if std::mem::take(&mut unacked.counted) {
            shared.resumable.extend(self.shared_credit.release(1));
        }
        true
    }

    /// A delivery does not go out: it was taken away before.
    pub(super) fn not_sent(&self, shared: &mut Shared) {
        shared.resumable.extend(self.shared_credit.release(1));
    }

    /// Ends the channel: consumers go, and what is unsettled goes back to its queue. Answers that wait for
    /// the log stay: what is said next comes behind them.
    pub(super) fn release(&mut self, shared: &mut Shared) {
        if let Mode::Transaction(transaction) = &mut self.mode {
            shared.uncommitted_bytes -= transaction.rollback(&mut self.unacked);
        }
        // Nothing is confirmed any more.
        self.mode = Mode::Plain;
        let consumers = std::mem::take(&mut self.consumers);
        for consumer in consumers.values() {
            stop(&consumer.source, shared);
        }
        self.numbers.clear();
        // The consumers are gone, so that nothing more can come for this channel.
        for parcel in shared.take_parcels(|address| address.channel == self.number) {
            if let Some(Consumer {
                source: Source::Queue(queue, _),
                no_ack: false,
                ..
            }) = consumers.get(&parcel.to.consumer)
            {
                // It was never out of the broker's hands.
                shared.batch.give_back(queue, parcel.delivery.ticket, false);
            }
        }
        while let Some((_, unacked)) = self.unacked.pop_first() {
            shared.batch.give_back(&unacked.queue, unacked.ticket, true);
        }
        shared.unfinished_bytes -= std::mem::take(&mut self.incoming).held_bytes();
        shared.flush();
    }
}

/// Finds a value, beginning at `from` and going round: what comes in the order of the window costs one look.
fn find_on<T>(window: &Window<T>, from: u64, is_it: impl Fn(&T) -> bool) -> Option<u64> {
    let behind = window.iter_from(from);
    let before = window.iter().take_while(|(tag, _)| *tag < from);
    let found = behind.chain(before).find(|(_, value)| is_it(value));
    found.map(|(tag, _)| tag)
}

/// Writes to the connection, or behind an answer of the channel that waits for the log.
#[inline]
pub(super) fn write_to(parked: &mut Option<Parked>, shared: &mut Shared, write: impl FnOnce(&mut Vec<u8>)) {
    match parked {
        Some(parked) => {
            let before = parked.bytes.len();
            write(&mut parked.bytes);
            shared.parked_bytes += parked.bytes.len() - before;
        }
        None => write(shared.output.buffer()),
    }
}

/// Stops a consumer at its source.
pub(super) fn stop(source: &Source, shared: &mut Shared) {
    let Some(client) = &shared.client else { return };
    match source {
        Source::Queue(queue, key) => client.cancel(queue, *key, &mut shared.touched),
        Source::Browser(browser) => client.cancel_browser(browser),
        Source::Replies(address) => client.cancel_replies(address),
    }
}

/// A queue's name as the client sent it: without line ends.
pub(super) fn short_name(name: &str) -> Result<QueueName, Failure> {
    let name = warren_broker::name::stripped(name);
    Ok(QueueName::new(&name)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn leases_that_end_in_order_are_found_at_one_look_each() {
        let mut window = Window::default();
        (1..=1_000).for_each(|tag| window.insert(tag, tag * 10));
        let looks = Cell::new(0);
        let mut from = 0;
        let mut find = |value| {
            let found = find_on(&window, from, |other| {
                looks.set(looks.get() + 1);
                *other == value
            });
            from = found.map_or(from, |tag| tag + 1);
            found
        };
        for tag in 1..=1_000 {
            assert_eq!(find(tag * 10), Some(tag));
        }
        assert_eq!(looks.get(), 1_000);
        // Others are found, too.
        assert_eq!(find(10), Some(1));
        assert_eq!(find(5_000), Some(500));
        assert_eq!(find(40), Some(4));
        assert_eq!(find(7), None);
    }
}
