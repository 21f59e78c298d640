//! What every body begins with: which message it is, and when it was due.
//!
//! ```text
//! 0          3            8         10               16
//! +----------+------------+---------+----------------+
//! | stream   | number     | run     | due            |    big-endian
//! +----------+------------+---------+----------------+
//!   u24        u40          u16       u48, ns since the run began
//! ```
//!
//! A stream is what one producer publishes to one set of queues: each of these gets all of its numbers, from
//! 0 on, in order. The run tells messages that an earlier one left behind.

/// Octets of a stamp, and so of the smallest body.
pub(crate) const BYTES: usize = 16;

/// Streams that can be told apart.
pub(crate) const STREAMS_MAX: usize = 1 << 24;

const NUMBER_BITS: u32 = 40;
const NUMBER_MASK: u64 = (1 << NUMBER_BITS) - 1;
const DUE_BITS: u32 = 48;
const DUE_MASK: u64 = (1 << DUE_BITS) - 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) stream: u32,
    pub(crate) number: u64,
    pub(crate) run: u16,
    /// Nanoseconds since the run began; 78 hours fit.
    pub(crate) due_ns: u64,
}

impl Stamp {
    #[inline]
    pub(crate) fn octets(self) -> [u8; BYTES] {
        let message = u64::from(self.stream) << NUMBER_BITS | (self.number & NUMBER_MASK);
        let time = u64::from(self.run) << DUE_BITS | (self.due_ns & DUE_MASK);
        (u128::from(message) << 64 | u128::from(time)).to_be_bytes()
    }

    #[inline]
    pub(crate) fn read(octets: &[u8; BYTES]) -> Self {
        let whole = u128::from_be_bytes(*octets);
        let (message, time) = ((whole >> 64) as u64, whole as u64);
        Self {
            stream: (message >> NUMBER_BITS) as u32,
            number: message & NUMBER_MASK,
            run: (time >> DUE_BITS) as u16,
            due_ns: time & DUE_MASK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        for stamp in [
            Stamp {
                stream: 0,
                number: 0,
                run: 0,
                due_ns: 0,
            },
            Stamp {
                stream: 0xAB_CDEF,
                number: NUMBER_MASK,
                run: 0xFFFF,
                due_ns: DUE_MASK,
            },
            Stamp {
                stream: 1,
                number: 2,
                run: 3,
                due_ns: 4,
            },
        ] {
            assert_eq!(Stamp::read(&stamp.octets()), stamp);
        }
    }
}
