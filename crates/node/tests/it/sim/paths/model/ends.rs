//! Queues that are deleted, and declared again: what they held is gone with them, or is on its way.

use super::super::super::model::{Moment, When};
use super::{Found, Model};

/// The end of a queue.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) queue: &'static str,
    pub(crate) deleted: When,
    /// It was declared again.
    pub(crate) again: Option<When>,
}

impl Model {
    /// A queue is deleted. All that was sent to it is not there any more.
    pub(crate) fn end(&mut self, queue: &'static str, deleted: When) {
        let ids = self.sent.keys().filter(|(_, root)| *root == queue);
        let spots: Vec<_> = ids.copied().collect();
        for spot in spots {
            let known = self.known.entry(spot).or_default();
            // What an earlier one may have held this one may have.
            known.deleted = Some(known.deleted.filter(When::is_closed).unwrap_or(deleted));
        }
        self.ends.push(End {
            queue,
            deleted,
            again: None,
        });
    }

    /// It is declared again.
    pub(crate) fn begin_again(&mut self, queue: &'static str, again: When) {
        let mut ends = self.ends.iter_mut().rev();
        if let Some(end) = ends.find(|end| end.queue == queue && end.again.is_none()) {
            end.again = Some(again);
        }
    }

    pub(super) fn check_absent(&self, at: &Moment, found: &Found) -> Result<(), String> {
        let may_be = |queue: &str| {
            let mut ends = self.ends.iter().filter(|end| end.queue == queue);
            ends.any(|end| {
                at.is_possible(&end.deleted) && end.again.is_none_or(|again| !at.is_certain(&again))
            })
        };
        match found.absent.iter().find(|queue| !may_be(queue)) {
            Some(queue) => Err(format!("queue {queue} is not there: {:?}", self.ends)),
            None => Ok(()),
        }
    }
}
