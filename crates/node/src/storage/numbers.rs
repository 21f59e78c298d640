//! How checkpoints and pages of notes write numbers: LEB128, but for fixed ones.

use warren_broker::queue::{Key, Range, SeqSet};

pub(super) fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        // The low seven bits, which fit.
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn put_set(out: &mut Vec<u8>, set: &SeqSet) {
    let ranges = set.ranges();
    put_varint(out, ranges.len() as u64);
    let mut next = 0;
    for range in ranges {
        put_varint(out, range.first - next);
        put_varint(out, range.last - range.first);
        next = range.last.saturating_add(1);
    }
}

/// Reads numbers, and what is made of them. `None` where they end.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    pub(super) fn key(&mut self) -> Option<Key> {
        let (key, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(Key::from_le_bytes(*key))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn set(&mut self) -> Option<SeqSet> {
        let mut set = SeqSet::default();
        let mut next = 0u64;
        for _ in 0..self.varint()? {
            let first = next.checked_add(self.varint()?)?;
            let last = first.checked_add(self.varint()?)?;
            set.insert_range(Range { first, last });
            next = last.saturating_add(1);
        }
        Some(set)
    }
}
