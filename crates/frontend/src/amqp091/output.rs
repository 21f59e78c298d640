//! Bytes on their way to the socket.
//!
//! Their buffers belong to threads, not to connections: one is taken when something is written and given back
//! when the socket has it, mostly in the same turn. So a connection that is idle holds none, however busy it
//! was, and a thread goes on with memory that its caches know.

use std::cell::RefCell;

/// Buffers that a thread keeps for its connections: one mostly serves all.
const SPARES_MAX: usize = 2;

/// A buffer that grew past this is not kept.
const SPARE_BYTES_MAX: usize = 1024 * 1024;

/// One that is smaller is not worth the room.
const SPARE_BYTES_MIN: usize = 1024;

/// What was written of a buffer is cut off at the latest when it is so much.
const WRITTEN_BYTES_MAX: usize = 1024 * 1024;

thread_local! {
    static SPARES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes to be written, taken from the front.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    start: usize,
}

impl Output {
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Where more is written.
    #[inline]
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            let spare = SPARES.with_borrow_mut(Vec::pop);
            self.bytes = spare.unwrap_or_else(|| Vec::with_capacity(SPARE_BYTES_MIN));
        }
        &mut self.bytes
    }

    /// So many bytes are written.
    pub(super) fn advance(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
        if self.start == self.bytes.len() {
            self.start = 0;
            give_back(std::mem::take(&mut self.bytes));
        } else if self.start >= WRITTEN_BYTES_MAX {
            // A client that never takes everything must not let the front grow.
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

fn give_back(mut bytes: Vec<u8>) {
    if !(SPARE_BYTES_MIN..=SPARE_BYTES_MAX).contains(&bytes.capacity()) {
        return;
    }
    bytes.clear();
    SPARES.with_borrow_mut(|spares| {
        if spares.len() < SPARES_MAX {
            spares.push(bytes);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_that_is_never_taken_whole_does_not_grow() {
        const PIECE: usize = 100_000;
        let mut output = Output::default();
        output.buffer().extend_from_slice(&[0; PIECE]);
        for round in 1..=200_u8 {
            output.buffer().extend_from_slice(&[round; PIECE]);
            output.advance(PIECE);
            assert!(output.waiting().iter().all(|byte| *byte == round), "{round}");
            assert_eq!(output.len(), PIECE);
            let kept = output.bytes.len();
            assert!(kept <= WRITTEN_BYTES_MAX + 2 * PIECE, "{kept} bytes for {PIECE}");
        }
    }

    #[test]
    fn one_buffer_serves_all_outputs_that_are_written_in_turn() {
        let mut first = Output::default();
        first.buffer().extend_from_slice(&[1; 5000]);
        let buffer = first.waiting().as_ptr();
        first.advance(5000);
        assert_eq!(first.bytes.capacity(), 0, "nothing is held for what is written");
        let mut second = Output::default();
        second.buffer().push(2);
        assert_eq!(second.waiting(), [2]);
        assert_eq!(second.waiting().as_ptr(), buffer);
    }

    #[test]
    fn a_thread_keeps_a_few_buffers_and_none_that_is_large() {
        let mut outputs: Vec<Output> = (0..10).map(|_| Output::default()).collect();
        for output in &mut outputs {
            output.buffer().extend_from_slice(&[0; 5000]);
        }
        outputs.iter_mut().for_each(|output| output.advance(5000));
        assert_eq!(SPARES.with_borrow(Vec::len), SPARES_MAX);
        SPARES.with_borrow_mut(Vec::clear);
        let mut large = Output::default();
        large.buffer().resize(2 * SPARE_BYTES_MAX, 0);
        large.advance(2 * SPARE_BYTES_MAX);
        assert_eq!(SPARES.with_borrow(Vec::len), 0);
    }
}
