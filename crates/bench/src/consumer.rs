//! A connection that consumes, for one consumer or several: checks, times, acknowledges.
//!
//! All of it once a read: one look at the clock, one lock of a queue's ledger as long as deliveries are of
//! that queue, one record of a latency for all messages that were due at the same time.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};

use warren_client::{Connection, Deliver, Error, Event};
use warren_protocol::amqp091::method::{Method, basic};

use crate::crew::{News, Seat, Shared, Stage};
use crate::layout;
use crate::ledger::{Findings, Ledger, Order, Verdict};
use crate::meter;
use crate::plan::Course;
use crate::stamp::{self, Stamp};

/// One consumer, a channel.
struct Consumer {
    channel: u16,
    /// By consumer tag, which is the place here.
    subscriptions: Vec<Subscription>,
    /// The message whose pieces come.
    open: Option<Open>,
    /// Delivered and not acknowledged, and the last of these.
    unacked: u32,
    last_tag: u64,
}

struct Subscription {
    /// Place of the queue.
    queue: usize,
    order: Order,
}

/// A message that comes in pieces.
struct Open {
    subscription: usize,
    delivery_tag: u64,
    redelivered: bool,
    /// Octets of body that came, and the first of them.
    body_bytes: u64,
    head: [u8; stamp::BYTES],
    expected_bytes: Option<u64>,
}

/// What belongs to one delivery, once it is whole.
struct Whole<'a> {
    subscription: usize,
    delivery_tag: u64,
    redelivered: bool,
    head: Option<&'a [u8; stamp::BYTES]>,
    body_bytes: u64,
}

pub(crate) async fn run(mut seat: Seat, numbers: Range<usize>) -> Result<Findings, Error> {
    seat.wait(Stage::Connect).await;
    let mut connection = seat.connect(&format!("bench consumer {}", numbers.start)).await?;
    let mut consumers: Vec<Consumer> = numbers
        .zip(1..)
        .map(|(number, channel)| Consumer::new(&seat.shared, number, channel))
        .collect();
    for consumer in &consumers {
        consumer.open(&seat.shared, &mut connection).await?;
    }
    seat.tell(News::Ready);
    let is_backlog = matches!(seat.shared.plan.course, Course::Backlog(_));
    let begin = if is_backlog { Stage::Drain } else { Stage::Consume };
    seat.wait_with(begin, &mut connection).await?;
    let alarm = seat.alarms.alarm();
    let mut rest = Rest::new(&seat.shared, consumers.len());
    let mut waiting = 0;
    for consumer in &consumers {
        waiting += consumer.subscribe(&seat.shared, &mut connection);
    }
    let mut acks = Vec::new();
    while !seat.is_at(Stage::Stop) {
        if rest.until_ns > seat.shared.clock.now_ns() && !seat.is_at(Stage::Drain) {
            tokio::select! {
                () = alarm.at(rest.until_ns) => {}
                _ = seat.stage.changed() => {}
            }
            continue;
        }
        tokio::select! {
            biased;
            moved = connection.turn(&[]) => {
                moved?;
                let received = receive(&seat, &mut connection, &mut consumers, &mut acks)?;
                rest.take(received.delivered, seat.shared.clock.now_ns());
                connection.output().append(&mut acks);
                // Whoever waits for all consumers is told once.
                let begun = received.begun;
                if begun > 0 && begun >= waiting {
                    seat.tell(News::Ready);
                }
                waiting = waiting.saturating_sub(begun);
            }
            _ = seat.stage.changed() => {}
        }
    }
    for consumer in &mut consumers {
        consumer.ack_rest(&mut acks);
    }
    connection.output().append(&mut acks);
    connection.close().await?;
    let orders = consumers.iter().flat_map(|consumer| &consumer.subscriptions);
    Ok(Findings {
        reordered: orders.map(|subscription| subscription.order.reordered).sum(),
        ..Findings::default()
    })
}

/// Holds a connection back to its part of a rate: after a read it neither reads nor acknowledges for as long
/// as the messages that came should take.
struct Rest {
    message_ns: u64,
    until_ns: u64,
}

impl Rest {
    fn new(shared: &Shared, consumers: usize) -> Self {
        let plan = &shared.plan;
        let message_ns = plan.consume_rate.map_or(0, |rate| {
            1_000_000_000 / u64::from(rate) * plan.consumers as u64 / consumers.max(1) as u64
        });
        Self {
            message_ns,
            until_ns: 0,
        }
    }

    fn take(&mut self, messages: u64, now_ns: u64) {
        if self.message_ns > 0 && messages > 0 {
            self.until_ns = self.until_ns.max(now_ns) + messages * self.message_ns;
        }
    }
}

impl Consumer {
    fn new(shared: &Shared, number: usize, channel: u16) -> Self {
        let queues = layout::share(number, shared.plan.consumers, shared.layout.queues.len());
        let subscription = |queue| Subscription {
            queue,
            order: Order::default(),
        };
        Self {
            channel,
            subscriptions: queues.map(subscription).collect(),
            open: None,
            unacked: 0,
            last_tag: 0,
        }
    }

    async fn open(&self, shared: &Shared, connection: &mut Connection) -> Result<(), Error> {
        connection.open_channel(self.channel).await?;
        let qos = basic::Qos {
            prefetch_count: shared.plan.prefetch,
            ..basic::Qos::default()
        };
        if qos.prefetch_count == 0 {
            return Ok(());
        }
        connection
            .call(self.channel, qos, "basic.qos-ok", |method| {
                matches!(method, Method::BasicQosOk(_)).then_some(())
            })
            .await
    }

    /// Asks for deliveries from all its queues, and answers how many these are.
    fn subscribe(&self, shared: &Shared, connection: &mut Connection) -> usize {
        for (place, subscription) in self.subscriptions.iter().enumerate() {
            let queue = shared.layout.queues.get(subscription.queue);
            let consume = basic::Consume {
                queue: queue.map_or("", String::as_str),
                consumer_tag: &place.to_string(),
                no_ack: shared.plan.auto_ack,
                arguments: shared.plan.consumer_arguments.as_table(),
                ..basic::Consume::default()
            };
            connection.send(self.channel, consume);
        }
        self.subscriptions.len()
    }

    /// Acknowledges, as the plan says, a delivery that was taken.
    #[inline]
    fn ack(&mut self, delivery_tag: u64, multi_ack: u32, acks: &mut Vec<u8>) {
        self.last_tag = delivery_tag;
        self.unacked += 1;
        if self.unacked >= multi_ack {
            self.ack_rest(acks);
        }
    }

    fn ack_rest(&mut self, acks: &mut Vec<u8>) {
        if self.unacked > 0 {
            let ack = basic::Ack {
                delivery_tag: self.last_tag,
                multiple: self.unacked > 1,
            };
            ack.encode(self.channel, acks);
            self.unacked = 0;
        }
    }
}

/// What one read brought.
struct Received {
    /// Consumers that the broker has begun to serve.
    begun: usize,
    delivered: u64,
}

/// Takes all that came.
fn receive(
    seat: &Seat,
    connection: &mut Connection,
    consumers: &mut [Consumer],
    acks: &mut Vec<u8>,
) -> Result<Received, Error> {
    let mut desk = Desk::new(seat);
    let mut begun = 0;
    let mut failure = None;
    connection.receive(|event| {
        let place = |channel: u16| usize::from(channel).wrapping_sub(1);
        match event {
            Event::Message { deliver, body, .. } => {
                if let Some(consumer) = consumers.get_mut(place(deliver.channel)) {
                    desk.take(consumer, &whole(&deliver, body), acks);
                }
            }
            Event::Deliver(deliver) => {
                if let Some(consumer) = consumers.get_mut(place(deliver.channel)) {
                    consumer.open = Some(Open::new(&deliver));
                }
            }
            Event::Header {
                channel, body_bytes, ..
            } => {
                if let Some(consumer) = consumers.get_mut(place(channel)) {
                    consumer.expect(body_bytes);
                    desk.take_if_whole(consumer, acks);
                }
            }
            Event::Body { channel, bytes } => {
                if let Some(consumer) = consumers.get_mut(place(channel)) {
                    consumer.add(bytes);
                    desk.take_if_whole(consumer, acks);
                }
            }
            Event::Method { method, .. } => match method {
                Method::BasicConsumeOk(_) => begun += 1,
                Method::BasicCancel(cancel) => {
                    let consumer_tag = cancel.consumer_tag.to_owned();
                    failure = Some(Error::Cancelled { consumer_tag });
                }
                other => {
                    let heard = other.name().to_owned();
                    let expected = "a delivery";
                    failure = Some(Error::Unexpected { expected, heard });
                }
            },
        }
    })?;
    let delivered = desk.close();
    failure.map_or(Ok(Received { begun, delivered }), Err)
}

impl Open {
    fn new(deliver: &Deliver<'_>) -> Self {
        Self {
            subscription: place_of(deliver.consumer_tag),
            delivery_tag: deliver.delivery_tag,
            redelivered: deliver.redelivered,
            body_bytes: 0,
            head: [0; stamp::BYTES],
            expected_bytes: None,
        }
    }
}

impl Consumer {
    fn expect(&mut self, body_bytes: u64) {
        if let Some(open) = &mut self.open {
            open.expected_bytes = Some(body_bytes);
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if let Some(open) = &mut self.open {
            let filled = usize::try_from(open.body_bytes).unwrap_or(usize::MAX);
            if let Some(room) = open.head.get_mut(filled..) {
                room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            }
            open.body_bytes += bytes.len() as u64;
        }
    }
}

#[inline]
fn whole<'a>(deliver: &Deliver<'_>, body: &'a [u8]) -> Whole<'a> {
    Whole {
        subscription: place_of(deliver.consumer_tag),
        delivery_tag: deliver.delivery_tag,
        redelivered: deliver.redelivered,
        head: body.first_chunk(),
        body_bytes: body.len() as u64,
    }
}

/// Our consumer tags are decimal numbers.
#[inline]
fn place_of(consumer_tag: &[u8]) -> usize {
    let digit = |octet: u8| usize::from(octet.wrapping_sub(b'0'));
    match consumer_tag {
        // Nearly always.
        [one] => digit(*one),
        more => more.iter().fold(0_usize, |place, octet| {
            place.wrapping_mul(10).wrapping_add(digit(*octet))
        }),
    }
}

/// Where the deliveries of one read are checked and counted.
struct Desk<'s> {
    seat: &'s Seat,
    now_ns: u64,
    /// Deliveries that one acknowledgement is for, if there are any.
    multi_ack: Option<u32>,
    /// The ledger that is open, and its queue.
    ledger: Option<(usize, MutexGuard<'s, Ledger>)>,
    delivered: u64,
    delivered_bytes: u64,
    /// Messages in a row that were due at one time.
    due_ns: u64,
    due_count: u64,
}

impl<'s> Desk<'s> {
    fn new(seat: &'s Seat) -> Self {
        let plan = &seat.shared.plan;
        Self {
            seat,
            multi_ack: (!plan.auto_ack).then_some(plan.multi_ack),
            now_ns: seat.shared.clock.now_ns(),
            ledger: None,
            delivered: 0,
            delivered_bytes: 0,
            due_ns: 0,
            due_count: 0,
        }
    }

    fn take_if_whole(&mut self, consumer: &mut Consumer, acks: &mut Vec<u8>) {
        let is_whole = |open: &mut Open| open.expected_bytes == Some(open.body_bytes);
        if let Some(open) = consumer.open.take_if(is_whole) {
            let whole = Whole {
                subscription: open.subscription,
                delivery_tag: open.delivery_tag,
                redelivered: open.redelivered,
                head: (open.body_bytes >= stamp::BYTES as u64).then_some(&open.head),
                body_bytes: open.body_bytes,
            };
            self.take(consumer, &whole, acks);
        }
    }

    #[inline]
    fn take(&mut self, consumer: &mut Consumer, whole: &Whole<'_>, acks: &mut Vec<u8>) {
        if let Some(subscription) = consumer.subscriptions.get_mut(whole.subscription) {
            self.check(subscription, whole);
        }
        if let Some(multi_ack) = self.multi_ack {
            consumer.ack(whole.delivery_tag, multi_ack, acks);
        }
    }

    #[inline]
    fn check(&mut self, subscription: &mut Subscription, whole: &Whole<'_>) {
        // Too short for a stamp is not of this run.
        let stamp = Stamp::read(whole.head.unwrap_or(&[0xFF; stamp::BYTES]));
        let Some(ledger) = self.open(subscription.queue) else {
            return;
        };
        let Verdict::New { track } = ledger.receive(stamp) else {
            return;
        };
        subscription.order.receive(track, stamp.number, whole.redelivered);
        self.delivered += 1;
        self.delivered_bytes += whole.body_bytes;
        if stamp.due_ns != self.due_ns {
            self.record();
            self.due_ns = stamp.due_ns;
        }
        self.due_count += 1;
    }

    #[inline]
    fn open(&mut self, queue: usize) -> Option<&mut Ledger> {
        if self.ledger.as_ref().is_none_or(|(open, _)| *open != queue) {
            // One at a time, or two consumers could wait for each other.
            self.ledger = None;
            let ledger: &Mutex<Ledger> = self.seat.shared.ledgers.get(queue)?;
            let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            self.ledger = Some((queue, ledger));
        }
        self.ledger.as_mut().map(|(_, ledger)| &mut **ledger)
    }

    fn record(&mut self) {
        if self.due_count > 0 {
            let latency_ns = self.now_ns.saturating_sub(self.due_ns);
            let mut timings = self.seat.meter().timings();
            meter::record(&mut timings.delivery, latency_ns, self.due_count);
            self.due_count = 0;
        }
    }

    /// Answers how many were delivered.
    fn close(mut self) -> u64 {
        self.record();
        if self.delivered > 0 {
            let meter = self.seat.meter();
            meter.delivered_bytes.fetch_add(self.delivered_bytes, Relaxed);
            meter.delivered.fetch_add(self.delivered, Relaxed);
        }
        self.delivered
    }
}
