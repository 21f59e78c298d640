//! What a queue has to deliver and what it did: losses, duplicates, order.
//!
//! One ledger a queue, for all its consumers: every number of every stream that is published to the queue
//! comes once. The order is each consumer's own affair, since several share the queue.

use crate::marks::Marks;
use crate::stamp::Stamp;

/// What a message turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The first with its number. The place of its stream within the ledger tells streams apart in
    /// [`Order`].
    New { track: usize },
    /// One with its number was there before.
    Duplicate,
    /// It is not of this run, or not for this queue.
    Foreign,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    run: u16,
    /// By stream, ascending.
    tracks: Vec<Track>,
    /// Where the last message belonged: the next one mostly does, too.
    hint: usize,
    duplicated: u64,
    foreign: u64,
}

#[derive(Debug)]
struct Track {
    stream: u32,
    marks: Marks,
    received: u64,
    /// One more than the highest number.
    end: u64,
}

/// What was wrong with a queue's messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Findings {
    /// Published and not delivered.
    pub(crate) lost: u64,
    /// Delivered more than once.
    pub(crate) duplicated: u64,
    /// Delivered to a consumer that had got a later one of its stream.
    pub(crate) reordered: u64,
    /// Of another run, for another queue, or never published.
    pub(crate) foreign: u64,
}

impl Findings {
    pub(crate) fn add(&mut self, other: Findings) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.foreign += other.foreign;
    }
}

impl Ledger {
    /// For the streams that are published to the queue, ascending.
    pub(crate) fn new(run: u16, streams: impl IntoIterator<Item = u32>) -> Self {
        let track = |stream| Track {
            stream,
            marks: Marks::default(),
            received: 0,
            end: 0,
        };
        Self {
            run,
            tracks: streams.into_iter().map(track).collect(),
            hint: 0,
            duplicated: 0,
            foreign: 0,
        }
    }

    /// Takes note of a message.
    #[inline]
    pub(crate) fn receive(&mut self, stamp: Stamp) -> Verdict {
        if stamp.run != self.run || !self.seek(stamp.stream) {
            self.foreign += 1;
            return Verdict::Foreign;
        }
        let Some(track) = self.tracks.get_mut(self.hint) else {
            return Verdict::Foreign;
        };
        if !track.marks.mark(stamp.number) {
            self.duplicated += 1;
            return Verdict::Duplicate;
        }
        track.received += 1;
        track.end = track.end.max(stamp.number + 1);
        Verdict::New { track: self.hint }
    }

    /// Points the hint at the stream, if it is known.
    #[inline]
    fn seek(&mut self, stream: u32) -> bool {
        if self
            .tracks
            .get(self.hint)
            .is_some_and(|track| track.stream == stream)
        {
            return true;
        }
        match self.tracks.binary_search_by_key(&stream, |track| track.stream) {
            Ok(found) => {
                self.hint = found;
                true
            }
            Err(_) => false,
        }
    }

    /// Sums up, when nothing more is to come. `sent` is how many of a stream were published.
    pub(crate) fn findings(&self, sent: impl Fn(u32) -> u64) -> Findings {
        let mut findings = Findings {
            duplicated: self.duplicated,
            foreign: self.foreign,
            ..Findings::default()
        };
        for track in &self.tracks {
            let sent = sent(track.stream);
            // Numbers that nobody published.
            let invented = track.end.saturating_sub(sent).min(track.received);
            findings.foreign += invented;
            findings.lost += sent.saturating_sub(track.received - invented);
        }
        findings
    }
}

/// What a consumer got last of each stream of its queue.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// One more than the highest number, by track.
    ends: Vec<u64>,
    pub(crate) reordered: u64,
}

impl Order {
    /// Takes note of a message that is new. One that was delivered before may come later than others.
    #[inline]
    pub(crate) fn receive(&mut self, track: usize, number: u64, redelivered: bool) {
        if track >= self.ends.len() {
            self.ends.resize(track + 1, 0);
        }
        if let Some(end) = self.ends.get_mut(track) {
            self.reordered += u64::from(number < *end && !redelivered);
            *end = (*end).max(number + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: u16 = 9;

    fn stamp(stream: u32, number: u64) -> Stamp {
        Stamp {
            stream,
            number,
            run: RUN,
            due_ns: 0,
        }
    }

    /// Feeds one consumer these messages of streams 3 and 5, of which 10 each were published.
    fn check(messages: impl IntoIterator<Item = (u32, u64)>) -> Findings {
        let (mut ledger, mut order) = (Ledger::new(RUN, [3, 5]), Order::default());
        for (stream, number) in messages {
            if let Verdict::New { track } = ledger.receive(stamp(stream, number)) {
                order.receive(track, number, false);
            }
        }
        let mut findings = ledger.findings(|_| 10);
        findings.reordered = order.reordered;
        findings
    }

    fn all() -> Vec<(u32, u64)> {
        (0..10).flat_map(|number| [(3, number), (5, number)]).collect()
    }

    fn without(gone: (u32, u64)) -> Vec<(u32, u64)> {
        all().into_iter().filter(|message| *message != gone).collect()
    }

    #[test]
    fn a_whole_stream_is_right() {
        assert_eq!(check(all()), Findings::default());
    }

    #[test]
    fn a_loss_is_found_at_the_beginning_in_the_middle_and_at_the_end() {
        for gone in [(3, 0), (5, 4), (3, 9)] {
            let lost = Findings {
                lost: 1,
                ..Findings::default()
            };
            assert_eq!(check(without(gone)), lost, "{gone:?}");
        }
        assert_eq!(check([]).lost, 20);
    }

    #[test]
    fn a_duplicate_is_found_at_once_and_later() {
        for again in [(3, 0), (5, 9)] {
            let mut messages = all();
            messages.push(again);
            let duplicated = Findings {
                duplicated: 1,
                ..Findings::default()
            };
            assert_eq!(check(messages), duplicated, "{again:?}");
        }
        let mut messages = all();
        messages.insert(7, (3, 3));
        assert_eq!(check(messages).duplicated, 1);
    }

    #[test]
    fn a_message_that_comes_late_is_out_of_order_and_not_lost() {
        let mut messages = without((3, 2));
        messages.push((3, 2));
        let reordered = Findings {
            reordered: 1,
            ..Findings::default()
        };
        assert_eq!(check(messages), reordered);
    }

    #[test]
    fn a_loss_does_not_hide_behind_a_duplicate() {
        let mut messages = without((5, 4));
        messages.push((5, 6));
        let findings = check(messages);
        assert_eq!((findings.lost, findings.duplicated), (1, 1));
    }

    #[test]
    fn messages_of_others_are_foreign() {
        let mut ledger = Ledger::new(RUN, [3]);
        let other = Stamp {
            run: 1,
            ..stamp(3, 0)
        };
        assert_eq!(ledger.receive(other), Verdict::Foreign);
        assert_eq!(ledger.receive(stamp(4, 0)), Verdict::Foreign);
        // A number that was never published.
        assert_eq!(ledger.receive(stamp(3, 7)), Verdict::New { track: 0 });
        let findings = ledger.findings(|_| 2);
        assert_eq!((findings.foreign, findings.lost), (3, 2));
    }

    #[test]
    fn what_was_redelivered_may_come_late() {
        let mut order = Order::default();
        order.receive(0, 5, false);
        order.receive(0, 3, true);
        assert_eq!(order.reordered, 0);
        order.receive(0, 4, false);
        assert_eq!(order.reordered, 1);
    }
}
