//! Messages on their way out: `basic.deliver`, `basic.return`, `basic.get-ok`, each followed by
//! a content header and body frames. Properties and body go out as they came in.

use super::Connection;
use super::channel::{Source, Unacked};
use std::sync::Arc;
use warren_broker::message::Message;
use warren_node::{Parcel, Taken};
use warren_protocol::amqp091::frame;
use warren_protocol::amqp091::method::basic;

/// Deliveries are written until the output holds so many bytes; the rest waits for the socket.
pub(super) const OUTPUT_BYTES_MAX: usize = 256 * 1024;

impl Connection {
    /// Writes deliveries while there is room in the output.
    pub(super) fn write_deliveries(&mut self) {
        let mut room_bytes = 0;
        while self.shared.output.len() < OUTPUT_BYTES_MAX {
            let Some(parcel) = self.shared.inbox.parcels.pop_front() else {
                if !self.shared.mailbox.is_pending() {
                    break;
                }
                self.shared.mailbox.take(&mut self.shared.inbox);
                if self.shared.inbox.parcels.is_empty() {
                    break;
                }
                continue;
            };
            room_bytes += parcel.room_bytes();
            self.write_delivery(parcel);
        }
        self.shared.free_room(room_bytes);
    }

    pub(super) fn write_delivery(&mut self, parcel: Parcel) {
        let Parcel { to, delivery } = parcel;
        // Whoever removes a consumer takes its parcels out first, so both are there.
        let Some(channel) = self.channels.get_mut(&to.channel) else {
            return;
        };
        let tag = channel.next_tag();
        let Some(consumer) = channel.consumers.get(&to.consumer) else {
            return;
        };
        if let Source::Queue(queue, _) = &consumer.source
            && !consumer.no_ack
        {
            let unacked = Unacked {
                queue: Arc::clone(queue),
                seq: delivery.seq,
                counted: true,
            };
            channel.unacked.insert(tag, unacked);
        }
        let consumer_tag = consumer.tag.clone();
        let (number, frame_max) = (channel.number, self.shared.tuned.frame_max);
        let out = channel.out(&mut self.shared);
        let message = &delivery.message;
        let mark = frame::begin(out, frame::Kind::Method.octet(), number);
        out.extend_from_slice(&[0, 60, 0, 60]);
        put_short(out, consumer_tag.as_str());
        out.extend_from_slice(&tag.to_be_bytes());
        out.push(u8::from(delivery.redelivered));
        put_short(out, message.exchange());
        put_short(out, message.routing_key());
        frame::end(out, mark);
        write_content(out, message, frame_max, number);
    }
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
