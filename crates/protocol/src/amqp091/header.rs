//! The protocol header: the eight octets by which a client says what it speaks.
//!
//! ```text
//! "AMQP"  0  0  9  1      AMQP 0-9-1
//! "AMQP"  1  1  0  9      AMQP 0-9, served like 0-9-1
//! "AMQP"  1  1  8  0      AMQP 0-8 (also 1 1 9 1 and 1 1 0 8, by some clients)
//! "AMQP"  1  1  0 10      AMQP 0-10
//! "AMQP"  n  1  0  0      AMQP 1.0: n = 0 plain, 2 TLS, 3 SASL
//! ```
//!
//! It only names what was sent; which of these are served, and what a refused client is answered, is decided
//! above. Spec: 0-9-1 §4.2.2. The content header is [`ContentHeader`].

pub use super::content::ContentHeader;

/// The header of AMQP 0-9-1.
pub const AMQP_0_9_1: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// The header of AMQP 1.0's SASL layer, which RabbitMQ also sends to those whom it does not understand.
pub const AMQP_1_0_SASL: [u8; 8] = *b"AMQP\x03\x01\x00\x00";

/// What a client's first eight octets ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProtocolHeader {
    /// AMQP 0-9-1.
    Amqp091,
    /// AMQP 0-9 as `1 1 0 9`; the same dialog as 0-9-1.
    Amqp09Legacy,
    /// AMQP 0-8 in any of the forms that clients of its time sent.
    Amqp08,
    /// AMQP 0-10.
    Amqp010,
    /// AMQP 1.0.
    Amqp10 {
        /// 0 plain, 2 TLS, 3 SASL; others have no meaning.
        protocol_id: u8,
    },
    /// A revision of 0-9 that does not exist (`0 0 x y`, x at least 9); RabbitMQ offers such a client 0-9-1.
    Other09,
    /// Nothing of AMQP.
    Unknown,
}

impl ProtocolHeader {
    /// Names the protocol that the octets stand for.
    pub fn parse(octets: &[u8; 8]) -> ProtocolHeader {
        let &[b'A', b'M', b'Q', b'P', a, b, c, d] = octets else {
            return ProtocolHeader::Unknown;
        };
        match (a, b, c, d) {
            (0, 0, 9, 1) => ProtocolHeader::Amqp091,
            (0, 0, 9.., _) => ProtocolHeader::Other09,
            (protocol_id, 1, 0, 0) => ProtocolHeader::Amqp10 { protocol_id },
            (1, 1, 0, 9) => ProtocolHeader::Amqp09Legacy,
            (1, 1, 0, 10) => ProtocolHeader::Amqp010,
            // The published 0-8 specification prints 9 1, its examples 8 0, and some clients sent 0 8.
            (1, 1, 8, _) | (1, 1, 9, 1) | (1, 1, 0, 8) => ProtocolHeader::Amqp08,
            _ => ProtocolHeader::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(a: u8, b: u8, c: u8, d: u8) -> ProtocolHeader {
        ProtocolHeader::parse(&[b'A', b'M', b'Q', b'P', a, b, c, d])
    }

    #[test]
    fn names_what_clients_send() {
        assert_eq!(ProtocolHeader::parse(&AMQP_0_9_1), ProtocolHeader::Amqp091);
        assert_eq!(
            ProtocolHeader::parse(&AMQP_1_0_SASL),
            ProtocolHeader::Amqp10 { protocol_id: 3 }
        );
        assert_eq!(parse(0, 1, 0, 0), ProtocolHeader::Amqp10 { protocol_id: 0 });
        assert_eq!(parse(1, 1, 0, 0), ProtocolHeader::Amqp10 { protocol_id: 1 });
        assert_eq!(parse(1, 1, 0, 9), ProtocolHeader::Amqp09Legacy);
        assert_eq!(parse(1, 1, 0, 10), ProtocolHeader::Amqp010);
        for (c, d) in [(8, 0), (8, 1), (9, 1), (0, 8)] {
            assert_eq!(parse(1, 1, c, d), ProtocolHeader::Amqp08);
        }
    }

    #[test]
    fn revisions_of_0_9_are_told_from_garbage() {
        assert_eq!(parse(0, 0, 9, 2), ProtocolHeader::Other09);
        assert_eq!(parse(0, 0, 9, 0), ProtocolHeader::Other09);
        assert_eq!(parse(0, 0, 10, 1), ProtocolHeader::Other09);
        assert_eq!(parse(0, 0, 8, 0), ProtocolHeader::Unknown);
        assert_eq!(parse(1, 1, 0, 11), ProtocolHeader::Unknown);
        assert_eq!(ProtocolHeader::parse(b"GET / HT"), ProtocolHeader::Unknown);
        assert_eq!(
            ProtocolHeader::parse(b"amqp\0\0\x09\x01"),
            ProtocolHeader::Unknown
        );
    }
}
