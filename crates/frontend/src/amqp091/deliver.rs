//! Messages on their way out: `basic.deliver`, `basic.return`, `basic.get-ok`, each followed by
//! a content header and body frames. Properties and body go out as they came in, but for what
//! [`annotated`] adds to the former.

use super::Connection;
use super::annotated;
use super::channel::{Outlet, Unacked, write_to};
use super::shared::Shared;
use std::sync::Arc;
use warren_broker::message::Message;
use warren_broker::queue::{Delivery, Ticket};
use warren_broker::route::QueueId;
use warren_node::{Address, Parcel, Taken};
use warren_protocol::amqp091::frame;
use warren_protocol::amqp091::method::basic;

/// Deliveries are written until the output holds so many bytes; the rest waits for the socket.
pub(super) const OUTPUT_BYTES_MAX: usize = 256 * 1024;

/// What the frames of header and body take beside properties and body, where the body has one frame.
const CONTENT_BYTES: usize = 12 + 2 * frame::OVERHEAD;

impl Connection {
    /// Writes the deliveries of the inbox while there is room in the output.
    pub(super) fn write_deliveries(&mut self) {
        let mut room_bytes = 0;
        while self.shared.has_output_room()
            && let Some(parcel) = self.shared.inbox.parcels.pop_front()
        {
            room_bytes += parcel.room_bytes() + self.write_run(parcel);
        }
        self.shared.free_room(room_bytes);
    }

    /// Writes a delivery and those behind it that are for the same consumer, while there is room in the
    /// output. Answers what the latter took of the mailbox's room.
    fn write_run(&mut self, first: Parcel) -> usize {
        let to = first.to;
        let mut room_bytes = 0;
        let Some((mut outlet, shared)) = self.outlet(to) else {
            return 0;
        };
        let mut delivery = first.delivery;
        loop {
            outlet.write(shared, delivery);
            if !shared.has_output_room() {
                return room_bytes;
            }
            let Some(parcel) = shared.inbox.parcels.pop_front_if(|parcel| parcel.to == to) else {
                return room_bytes;
            };
            room_bytes += parcel.room_bytes();
            delivery = parcel.delivery;
        }
    }

    /// Writes all deliveries to one consumer, whose end is to be told behind them. They are as
    /// many as a mailbox holds, at most.
    pub(super) fn write_deliveries_to(&mut self, address: Address) {
        let parcels = self.shared.take_parcels(|other| other == address);
        if let Some((mut outlet, shared)) = self.outlet(address) {
            for parcel in parcels {
                outlet.write(shared, parcel.delivery);
            }
        }
    }

    /// The queue has taken a delivery away. One that was not written yet does not go out any more.
    pub(super) fn timed_out(&mut self, address: Address, queue: QueueId, ticket: Ticket) {
        let Some(channel) = self.channels.get_mut(&address.channel) else {
            return;
        };
        if channel.timed_out(&mut self.shared, queue, ticket) {
            return;
        }
        let parcels = &mut self.shared.inbox.parcels;
        let is_it = |parcel: &Parcel| parcel.to == address && parcel.delivery.ticket == ticket;
        let at = parcels.iter().position(is_it);
        if let Some(parcel) = at.and_then(|at| parcels.remove(at)) {
            channel.not_sent(&mut self.shared);
            self.shared.free_room(parcel.room_bytes());
        }
    }

    /// Where deliveries to a consumer go. Who removes one takes its parcels out first, so that it is there.
    fn outlet(&mut self, to: Address) -> Option<(Outlet<'_>, &mut Shared)> {
        let outlet = self.channels.get_mut(&to.channel)?.outlet(to.consumer)?;
        Some((outlet, &mut self.shared))
    }
}

impl Outlet<'_> {
    /// Writes a delivery, and notes it if it is to be settled.
    #[inline]
    fn write(&mut self, shared: &mut Shared, delivery: Delivery) {
        *self.last_tag += 1;
        let tag = *self.last_tag;
        if let Some(queue) = self.queue {
            let unacked = Unacked {
                queue: Arc::clone(queue),
                ticket: delivery.ticket,
                counted: true,
            };
            self.unacked.insert(tag, unacked);
        }
        let (channel, consumer, frame_max) = (self.channel, self.consumer, shared.tuned.frame_max);
        let message = &delivery.message;
        let properties = annotated::properties(message, told_count(&delivery));
        write_to(self.parked, shared, |out| {
            write_deliver(out, consumer.as_bytes(), tag, &delivery, channel);
            write_content(out, &properties, message.body(), frame_max, channel);
        });
    }
}

/// How often it came back, for those who are told: nobody is of a message that never did, so that what a
/// publisher wrote under that name stays, as with RabbitMQ.
#[inline]
fn told_count(delivery: &Delivery) -> Option<u64> {
    delivery.failures.filter(|count| *count > 0).map(u64::from)
}

/// Writes the method frame of `basic.deliver`, without the detour of a [`basic::Deliver`].
#[inline]
fn write_deliver(out: &mut Vec<u8>, consumer: &[u8], tag: u64, delivery: &Delivery, channel: u16) {
    let (exchange, key) = delivery.message.names();
    let length = |text: &[u8]| u8::try_from(text.len()).unwrap_or(u8::MAX);
    // Beside the texts: class and method, their lengths, tag and flag.
    let payload_bytes = 4 + 3 + 9 + consumer.len() + exchange.len() + key.len();
    out.reserve(payload_bytes + frame::OVERHEAD + CONTENT_BYTES);
    let [c1, c0] = channel.to_be_bytes();
    // Four texts of at most 255 bytes.
    let [s3, s2, s1, s0] = u32::try_from(payload_bytes).unwrap_or(u32::MAX).to_be_bytes();
    let kind = frame::Kind::Method.octet();
    out.extend_from_slice(&[kind, c1, c0, s3, s2, s1, s0, 0, 60, 0, 60, length(consumer)]);
    out.extend_from_slice(consumer);
    let [t7, t6, t5, t4, t3, t2, t1, t0] = tag.to_be_bytes();
    let redelivered = u8::from(delivery.redelivered);
    out.extend_from_slice(&[t7, t6, t5, t4, t3, t2, t1, t0, redelivered, length(exchange)]);
    out.extend_from_slice(exchange);
    out.push(length(key));
    out.extend_from_slice(key);
    out.push(frame::FRAME_END);
}

/// Writes `basic.get-ok` for a message that was taken.
pub(super) fn write_get_ok(out: &mut Vec<u8>, taken: &Taken, tag: u64, frame_max: u32, channel: u16) {
    let message = &taken.delivery.message;
    basic::GetOk {
        delivery_tag: tag,
        redelivered: taken.delivery.redelivered,
        exchange: message.exchange(),
        routing_key: message.routing_key(),
        message_count: u32::try_from(taken.remaining).unwrap_or(u32::MAX),
    }
    .encode(channel, out);
    let properties = annotated::properties(message, told_count(&taken.delivery));
    write_content(out, &properties, message.body(), frame_max, channel);
}

/// Writes `basic.return` for a message that no queue takes.
pub(super) fn write_return(out: &mut Vec<u8>, message: &Message, frame_max: u32, channel: u16) {
    basic::Return {
        code: 312,
        text: "NO_ROUTE",
        exchange: message.exchange(),
        routing_key: message.routing_key(),
    }
    .encode(channel, out);
    // It was not delivered, so that nothing is to be told of it.
    write_content(out, message.properties(), message.body(), frame_max, channel);
}

/// Writes the frames of header and body.
#[inline]
fn write_content(out: &mut Vec<u8>, properties: &[u8], body: &[u8], frame_max: u32, channel: u16) {
    // No peer agrees to frames that hold nothing.
    let room = (frame_max as usize).saturating_sub(frame::OVERHEAD).max(1);
    out.reserve(CONTENT_BYTES + properties.len() + body.len().min(room));
    let [c1, c0] = channel.to_be_bytes();
    let payload_bytes = u32::try_from(12 + properties.len()).unwrap_or(u32::MAX);
    let [s3, s2, s1, s0] = payload_bytes.to_be_bytes();
    let kind = frame::Kind::Header.octet();
    out.extend_from_slice(&[kind, c1, c0, s3, s2, s1, s0, 0, 60, 0, 0]);
    out.extend_from_slice(&(body.len() as u64).to_be_bytes());
    out.extend_from_slice(properties);
    out.push(frame::FRAME_END);
    for piece in body.chunks(room) {
        frame::body(out, channel, piece);
    }
}
