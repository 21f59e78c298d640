//! The read buffer of a connection: octets that came and are not looked at yet.
//!
//! ```text
//!   0        start            end            len
//!   +--------+----------------+--------------+
//!   | done   | unread         | room         |      grows while reads fill it, to INPUT_BYTES_MAX
//!   +--------+----------------+--------------+
//! ```

/// What a connection begins with: an idle one keeps no more.
const INPUT_BYTES_MIN: usize = 4 * 1024;

/// The most that one read asks for.
const INPUT_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// What came and was not consumed.
    pub(crate) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Marks the first octets of [`Input::unread`] as done with.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Where the next read goes; never empty, as long as what is unread is less than half of the largest
    /// size.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() < INPUT_BYTES_MIN {
            self.bytes.resize(INPUT_BYTES_MIN, 0);
        } else if self.end * 2 > self.bytes.len() {
            // Part of a frame that is larger than what there is.
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Takes note of a read into [`Input::room`].
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
        if self.end == self.bytes.len() && self.end < INPUT_BYTES_MAX {
            // More may be waiting than was asked for: ask for more the next time.
            self.bytes.resize(self.end * 4, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(input: &mut Input, bytes: &[u8]) {
        input.room()[..bytes.len()].copy_from_slice(bytes);
        input.filled(bytes.len());
    }

    #[test]
    fn what_is_not_consumed_stays_in_front() {
        let mut input = Input::default();
        put(&mut input, b"abcdef");
        input.consume(4);
        put(&mut input, b"gh");
        assert_eq!(input.unread(), b"efgh");
        input.consume(4);
        assert_eq!(input.unread(), b"");
    }

    #[test]
    fn full_reads_ask_for_more_up_to_the_bound() {
        let mut input = Input::default();
        assert_eq!(input.room().len(), INPUT_BYTES_MIN);
        for _ in 0..10 {
            let count = input.room().len();
            input.filled(count);
            input.consume(count);
        }
        assert_eq!(input.room().len(), INPUT_BYTES_MAX);
    }
}
