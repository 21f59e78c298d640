//! Messages on their way out: `basic.deliver`, `basic.return`, `basic.get-ok`, each followed by
//! a content header and body frames. Properties and body go out as they came in.

use super::Connection;
use super::channel::{Source, Unacked};
use std::sync::Arc;
use warren_broker::message::Message;
use warren_broker::queue::Delivery;
use warren_node::{Address, Parcel, Taken};
use warren_protocol::amqp091::frame;
use warren_protocol::amqp091::method::basic;

/// Deliveries are written until the output holds so many bytes; the rest waits for the socket.
pub(super) const OUTPUT_BYTES_MAX: usize = 256 * 1024;

impl Connection {
    /// Whether deliveries may be written: what waits is little.
    pub(super) fn has_output_room(&self) -> bool {
        self.shared.output.len() + self.shared.parked_bytes < OUTPUT_BYTES_MAX
    }

    /// Writes the deliveries of the inbox while there is room in the output.
    pub(super) fn write_deliveries(&mut self) {
        let mut room_bytes = 0;
        while self.has_output_room()
            && let Some(parcel) = self.shared.inbox.parcels.pop_front()
        {
            room_bytes += parcel.room_bytes();
            self.write_delivery(parcel);
        }
        self.shared.free_room(room_bytes);
    }

    /// Writes all deliveries to one consumer, whose end is to be told behind them. They are as
    /// many as a mailbox holds, at most.
    pub(super) fn write_deliveries_to(&mut self, address: Address) {
        for parcel in self.shared.take_parcels(|other| other == address) {
            self.write_delivery(parcel);
        }
    }

    pub(super) fn write_delivery(&mut self, parcel: Parcel) {
        let Parcel { to, delivery } = parcel;
        // Whoever removes a consumer takes its parcels out first, so both are there.
        let Some(channel) = self.channels.get_mut(&to.channel) else {
            return;
        };
        let Some(consumer) = channel.consumers.get(&to.consumer) else {
            return;
        };
        let consumer_tag = consumer.tag.clone();
        let queue = match &consumer.source {
            Source::Queue(queue, _) if !consumer.no_ack => Some(Arc::clone(queue)),
            Source::Queue(..) | Source::Replies(_) => None,
        };
        let tag = channel.next_tag();
        if let Some(queue) = queue {
            let unacked = Unacked {
                queue,
                seq: delivery.seq,
                counted: true,
            };
            channel.unacked.insert(tag, unacked);
        }
        let (number, frame_max) = (channel.number, self.shared.tuned.frame_max);
        channel.write(&mut self.shared, |out| {
            write_deliver(out, consumer_tag.as_str(), tag, &delivery, number);
            write_content(out, &delivery.message, frame_max, number);
        });
    }
}

/// Writes the method frame of `basic.deliver`, without the detour of a [`basic::Deliver`].
fn write_deliver(out: &mut Vec<u8>, consumer_tag: &str, tag: u64, delivery: &Delivery, channel: u16) {
    let mark = frame::begin(out, frame::Kind::Method.octet(), channel);
    out.extend_from_slice(&[0, 60, 0, 60]);
    put_short(out, consumer_tag);
    out.extend_from_slice(&tag.to_be_bytes());
    out.push(u8::from(delivery.redelivered));
    put_short(out, delivery.message.exchange());
    put_short(out, delivery.message.routing_key());
    frame::end(out, mark);
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
    write_content(out, message, frame_max, channel);
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
    write_content(out, message, frame_max, channel);
}

/// Names and keys have at most 255 bytes.
fn put_short(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}

fn write_content(out: &mut Vec<u8>, message: &Message, frame_max: u32, channel: u16) {
    let body = message.body();
    let mark = frame::begin(out, frame::Kind::Header.octet(), channel);
    out.extend_from_slice(&[0, 60, 0, 0]);
    out.extend_from_slice(&(body.len() as u64).to_be_bytes());
    out.extend_from_slice(message.properties());
    frame::end(out, mark);
    let room = frame_max as usize - frame::OVERHEAD;
    for piece in body.chunks(room) {
        frame::body(out, channel, piece);
    }
}
