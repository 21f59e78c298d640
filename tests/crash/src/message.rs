//! The messages of the load: numbered, and every byte of each follows from its number, so that what comes
//! back can be compared whole and nothing needs to be kept.

use crate::amqp::{put_long, put_short};
use crate::rng::Rng;

/// What a message is: who sent it, as which, and how long its body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub(crate) producer: u32,
    pub(crate) seq: u32,
    pub(crate) length: u32,
}

impl Identity {
    /// The message-id, which says the identity in words and carries a checksum of the body.
    fn id(self, body: &[u8]) -> String {
        let Identity {
            producer,
            seq,
            length,
        } = self;
        format!("{producer}-{seq}-{length}-{:016x}", checksum(body))
    }

    /// The body: numbers that follow from the identity.
    pub(crate) fn body(self) -> Vec<u8> {
        let seed = (u64::from(self.producer) << 32 | u64::from(self.seq)) ^ (u64::from(self.length) << 17);
        let mut rng = Rng::new(seed);
        let length = self.length as usize;
        let mut body = Vec::with_capacity(length + 8);
        while body.len() < length {
            body.extend(rng.next().to_le_bytes());
        }
        body.truncate(length);
        body
    }

    /// The properties as they go over the wire: content-type, headers, delivery-mode, message-id.
    pub(crate) fn properties(self, body: &[u8], persistent: bool) -> Vec<u8> {
        let mut headers = Vec::new();
        put_short(&mut headers, "seq");
        headers.push(b'I');
        headers.extend(self.seq.to_be_bytes());
        put_short(&mut headers, "note");
        headers.push(b'S');
        put_long(&mut headers, "n\u{e4}chste Welle".as_bytes());
        let mut bytes = 0xB080_u16.to_be_bytes().to_vec();
        put_short(&mut bytes, "application/octet-stream");
        put_long(&mut bytes, &headers);
        bytes.push(if persistent { 2 } else { 1 });
        put_short(&mut bytes, &self.id(body));
        bytes
    }

    /// Reads the identity out of properties, of which the message-id is the last. `None` when there is no
    /// such thing in them.
    pub(crate) fn read(properties: &[u8]) -> Option<Identity> {
        // The id holds digits, letters and dashes, and at most 43 of them; the byte before it is its length,
        // which is none of these codes.
        let start = properties
            .iter()
            .rposition(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-')?;
        let (length, id) = properties.get(start..)?.split_first()?;
        if usize::from(*length) != id.len() {
            return None;
        }
        let text = std::str::from_utf8(id).ok()?;
        let mut parts = text.split('-');
        let mut number = || parts.next()?.parse().ok();
        Some(Identity {
            producer: number()?,
            seq: number()?,
            length: number()?,
        })
    }
}

/// FNV-1a over words: enough to tell one message's bytes from another's in the message-id.
fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = 0xCBF2_9CE4_8422_2325_u64;
    for piece in bytes.chunks(8) {
        let mut word = [0; 8];
        word.iter_mut().zip(piece).for_each(|(into, byte)| *into = *byte);
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01B3);
        sum ^= sum >> 29;
    }
    sum ^ bytes.len() as u64
}

/// How large bodies are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sizes {
    /// From nothing to 300 KiB, most of them small, and now and then 2 MiB.
    Mixed,
    /// Up to 256 bytes.
    Small,
    /// Tens of KiB: fills a disk.
    Large,
}

impl Sizes {
    pub(crate) fn draw(self, rng: &mut Rng) -> u32 {
        let length = match (self, rng.below(1000)) {
            (Sizes::Small, _) => rng.below(257),
            (Sizes::Large, _) => rng.between(16 * 1024, 96 * 1024),
            (Sizes::Mixed, 0..100) => 0,
            (Sizes::Mixed, 100..500) => rng.below(128),
            (Sizes::Mixed, 500..850) => rng.below(4 * 1024),
            (Sizes::Mixed, 850..970) => rng.below(64 * 1024),
            (Sizes::Mixed, 970..999) => rng.between(64 * 1024, 300 * 1024),
            (Sizes::Mixed, _) => 2 * 1024 * 1024,
        };
        length as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_back_from_its_properties() {
        let mut rng = Rng::new(1);
        for _ in 0..2000 {
            let identity = Identity {
                producer: rng.below(1 << rng.clone().below(32)) as u32,
                seq: rng.below(1 << 20) as u32,
                length: rng.below(3000) as u32,
            };
            let body = identity.body();
            assert_eq!(body.len(), identity.length as usize);
            for persistent in [false, true] {
                let properties = identity.properties(&body, persistent);
                assert_eq!(Identity::read(&properties), Some(identity));
            }
        }
        assert_eq!(Identity::read(b""), None);
        assert_eq!(Identity::read(b"\0\0abc"), None);
    }

    #[test]
    fn bodies_of_neighbours_differ() {
        let one = Identity {
            producer: 1,
            seq: 1,
            length: 64,
        };
        assert_ne!(one.body(), Identity { seq: 2, ..one }.body());
        assert_ne!(one.body(), Identity { producer: 2, ..one }.body());
    }
}
