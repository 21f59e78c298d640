//! Where the log is needed from for the messages of a queue: marks of a position and a number. All messages
//! from that number on need the log from that position on, for their own records and for the contents to
//! which these refer.
//!
//! Positions and numbers rise from mark to mark. The batch of a session begins before its first record, and
//! may refer to what it wrote then; another session may write to the queue in between. So a batch that comes
//! later may begin earlier.

use std::collections::VecDeque;
use warren_store::Position;

/// Marks are so far apart, in bytes of the log, that a few dozen span all of it.
const MARK_BYTES: u64 = 4 * 1024 * 1024;

/// Notes that messages from `first` on need the log from `begin` on.
pub(super) fn note(marks: &mut VecDeque<(Position, u64)>, begin: Position, first: u64) {
    let mut first = first;
    while let Some((_, seq)) = marks.pop_back_if(|(position, _)| *position > begin) {
        first = seq;
    }
    let is_far = |last: &(Position, u64)| begin.0 >= last.0.0 + MARK_BYTES;
    if marks.back().is_none_or(is_far) {
        marks.push_back((begin, first));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(all: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let mut marks = VecDeque::new();
        for (begin, first) in all {
            note(&mut marks, Position(*begin), *first);
        }
        marks
            .into_iter()
            .map(|(position, first)| (position.0, first))
            .collect()
    }

    #[test]
    fn marks_stand_apart() {
        let far = MARK_BYTES;
        assert_eq!(
            noted(&[(10, 0), (11, 1), (10 + far, 2)]),
            [(10, 0), (10 + far, 2)]
        );
    }

    #[test]
    fn a_batch_that_began_before_the_last_mark_is_covered() {
        let far = MARK_BYTES;
        // What is below the mark before is not, and both go by the earlier beginning.
        assert_eq!(noted(&[(100, 0), (50, 3)]), [(50, 0)]);
        assert_eq!(noted(&[(1, 0), (1 + far, 2), (far, 3)]), [(1, 0)]);
        let three = [(1, 0), (1 + 2 * far, 2), (9 + 3 * far, 3), (1 + far, 5)];
        assert_eq!(noted(&three), [(1, 0), (1 + far, 2)]);
    }
}
