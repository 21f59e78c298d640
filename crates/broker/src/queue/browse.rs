//! Looking at what a queue holds, without taking anything, in the order of numbers.

use super::fact::Range;
use super::lane::Lane;
use super::{Queue, SeqSet};
use crate::message::Message;

/// What is looked at beside ready messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scope {
    /// What is out with consumers.
    pub unsettled: bool,
    /// What is delayed, or rests before the next try.
    pub delayed: bool,
}

/// Where a message is that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It waits for a consumer.
    Ready,
    /// It is out.
    Unsettled,
    /// It is delayed, or rests.
    Delayed,
}

/// A message that was looked at.
#[derive(Debug, Clone)]
pub struct Look {
    /// Its number.
    pub seq: u64,
    /// It went out before.
    pub redelivered: bool,
    /// Where it is.
    pub standing: Standing,
    /// It; `None` when it stands in an extent only.
    pub message: Option<Message>,
}

impl Queue {
    /// The first messages from a number on, at most so many.
    pub fn look(&self, from: u64, max: usize, scope: Scope) -> Vec<Look> {
        let mut found = Vec::new();
        for (_, lane) in self.lanes() {
            self.look_at_lane(lane, Standing::Ready, from, max, &mut found);
        }
        if scope.unsettled {
            let out = self.unsettled.iter_from(from).take(max);
            found.extend(out.map(|(seq, held)| Look {
                seq,
                redelivered: held.redelivered,
                standing: Standing::Unsettled,
                message: held.message.clone(),
            }));
        }
        if let (true, Some(extras)) = (scope.delayed, &self.extras) {
            self.look_at_lane(&extras.times.delayed, Standing::Delayed, from, max, &mut found);
            let resting = extras.times.resting.range(from..).take(max);
            found.extend(resting.map(|(seq, resting)| Look {
                seq: *seq,
                redelivered: true,
                standing: Standing::Delayed,
                message: resting.message.clone(),
            }));
        }
        found.sort_unstable_by_key(|look| look.seq);
        found.truncate(max);
        found
    }

    fn look_at_lane(&self, lane: &Lane, standing: Standing, from: u64, max: usize, found: &mut Vec<Look>) {
        // After a crash all that there is is held to have been out.
        let may_have_been_out = standing != Standing::Delayed;
        let ready = lane.ready.iter_from(from).take(max);
        let front = lane.ahead.front.iter_from(from).take(max);
        found.extend(ready.chain(front).map(|(seq, entry)| Look {
            seq,
            redelivered: may_have_been_out && entry.past.is_redelivered(),
            standing,
            message: Some(entry.message.clone()),
        }));
        let behind = Range {
            first: from,
            last: u64::MAX,
        };
        let absent = lane.ahead.absent.head(behind, max as u64, max);
        let absent = absent.into_iter().flat_map(|range| range.first..=range.last);
        found.extend(absent.map(|seq| Look {
            seq,
            redelivered: may_have_been_out && self.stored.is_redelivered(seq),
            standing,
            message: None,
        }));
    }

    /// In which extents these stand: whether in one that lasts, the stretch, and the numbers.
    pub fn places_of(&self, seqs: &SeqSet) -> Vec<super::Fetch> {
        let mut left = seqs.clone();
        let mut places = Vec::new();
        while let Some(first) = left.first() {
            let Some((durable, stretch)) = self.stored.stretch_of(first) else {
                // It is not there any more.
                left.remove(first);
                continue;
            };
            let inside = left.head(stretch.range(), u64::MAX, usize::MAX);
            let live = self.stored.get(durable).live();
            let numbers = inside.into_iter().flat_map(|range| range.first..=range.last);
            let mut wanted = Vec::new();
            for seq in numbers.filter(|seq| live.contains(*seq)) {
                super::fact::push_seq(&mut wanted, seq);
            }
            for range in &wanted {
                left.remove_range(*range);
            }
            // It may be settled by now, between others that are not.
            left.remove(first);
            if !wanted.is_empty() {
                places.push(super::Fetch {
                    lane: 0,
                    ticket: 0,
                    durable,
                    stretch,
                    wanted,
                    bytes_max: usize::MAX,
                });
            }
        }
        places
    }

    /// In which extents delayed messages stand that are not in memory, of those named: what is read there is
    /// to be handed to [`Queue::fetched`], and then they may be cancelled.
    pub fn places_of_delayed(&self, seqs: &[u64]) -> Vec<super::Fetch> {
        let Some(extras) = &self.extras else {
            return Vec::new();
        };
        let absent = &extras.times.delayed.ahead.absent;
        let absent = seqs.iter().filter(|seq| absent.contains(**seq));
        let mut places = self.places_of(&absent.map(|seq| Range::one(*seq)).collect());
        places
            .iter_mut()
            .for_each(|place| place.lane = super::paging::DELAYED);
        places
    }

    /// Messages that are delayed, from a number on, at most so many: number, and when each is due in
    /// milliseconds since 1970, as far as that is known without reading it.
    pub fn delayed(&self, from: u64, max: usize) -> Vec<(u64, Option<u64>)> {
        let Some(extras) = &self.extras else {
            return Vec::new();
        };
        let mut found = Vec::new();
        self.look_at_lane(&extras.times.delayed, Standing::Delayed, from, max, &mut found);
        found.sort_unstable_by_key(|look| look.seq);
        found.truncate(max);
        let due = |look: &Look| look.message.as_ref().and_then(Message::due_ms);
        found.iter().map(|look| (look.seq, due(look))).collect()
    }
}
