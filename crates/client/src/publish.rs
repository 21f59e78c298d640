//! Messages to octets: the method, the header and the body frames of basic.publish.

use warren_protocol::amqp091::content::ContentHeader;
use warren_protocol::amqp091::frame;
use warren_protocol::amqp091::method::basic;

/// A message to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The exchange.
    pub exchange: &'a str,
    /// The routing key.
    pub routing_key: &'a str,
    /// Whether it comes back when no queue gets it.
    pub mandatory: bool,
    /// The properties as they go over the wire, flags included.
    pub properties: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl Message<'_> {
    /// Appends the frames. `body_frame_bytes` is the most that a body frame may carry, see
    /// [`super::Connection::body_frame_bytes`].
    pub fn encode(&self, channel: u16, body_frame_bytes: usize, out: &mut Vec<u8>) {
        let method = basic::Publish {
            ticket: 0,
            exchange: self.exchange,
            routing_key: self.routing_key,
            mandatory: self.mandatory,
            immediate: false,
        };
        method.encode(channel, out);
        let header = ContentHeader {
            class_id: basic::Publish::CLASS,
            weight: 0,
            body_size: self.body.len() as u64,
            properties: self.properties,
        };
        header.encode(channel, out);
        for piece in self.body.chunks(body_frame_bytes.max(1)) {
            frame::body(out, channel, piece);
        }
    }

    /// Where in what [`Message::encode`] appends the first octet of the body stands.
    pub fn body_offset(&self) -> usize {
        // Ticket, the lengths of both strings, bits; then class, weight and size.
        let method = 4 + 2 + 1 + self.exchange.len() + 1 + self.routing_key.len() + 1;
        let header = 2 + 2 + 8 + self.properties.len();
        method + header + 3 * frame::OVERHEAD - 1
    }
}

#[cfg(test)]
mod tests {
    use warren_protocol::amqp091::frame::Step;

    use super::*;

    const MESSAGE: Message<'_> = Message {
        exchange: "x",
        routing_key: "some.key",
        mandatory: true,
        properties: &[0x10, 0, 2],
        body: b"0123456789",
    };

    #[test]
    fn the_body_stands_where_it_is_said_to() {
        let mut out = Vec::new();
        MESSAGE.encode(5, 100, &mut out);
        let at = MESSAGE.body_offset();
        assert_eq!(out[at..at + 10], *b"0123456789");
        assert_eq!(out.len(), at + 10 + 1);
    }

    #[test]
    fn a_large_body_is_cut_into_frames() {
        let mut out = Vec::new();
        MESSAGE.encode(5, 4, &mut out);
        let (mut rest, mut payloads) = (out.as_slice(), Vec::new());
        while let Step::Frame { frame, consumed } = frame::decode(rest, 4096).unwrap() {
            assert_eq!(frame.channel, 5);
            payloads.push(frame.payload.to_vec());
            rest = &rest[consumed..];
        }
        assert_eq!(payloads.len(), 5);
        assert_eq!(payloads[2..].concat(), b"0123456789");
    }
}
