//! The verdict: what a queue holds after a restart, against what it must hold, may hold and must not.
//!
//! ```text
//! confirmed and not acknowledged                      must be there
//! acknowledged, known to the broker for longer than
//!     the window before the end                       must not be there
//! not persistent                                      must not be there
//! acknowledged within the window, never confirmed     either
//! missing after an earlier restart                    must not be there
//! ```
//!
//! What is there stands in the order in which each producer sent it, whatever had been delivered before:
//! a restart puts everything back in its place.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::{CopyState, Fault, Figures, Held, Ledger, Outcome, Queue, Sent, State};

/// How the broker had ended before the survey.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) at: Instant,
    /// Acknowledgements that the broker saw this long before the end may still be undone.
    pub(crate) window: Duration,
}

/// One message that a survey met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) held: Held,
    /// Whether the survey takes it out of the queue.
    pub(crate) taken: bool,
}

/// Everything that one queue held after a restart, in its order.
pub(crate) struct Survey {
    pub(crate) queue: Queue,
    pub(crate) found: Vec<Found>,
}

impl Ledger {
    /// Judges a queue after a restart, and brings the ledger to what is there now.
    pub(crate) fn judge(&self, survey: &Survey, end: End) {
        let mut state = self.state();
        let State {
            queues,
            routes,
            producers,
            copies,
            figures,
            ..
        } = &mut *state;
        let queue = survey.queue;
        let name = queues.get(usize::from(queue)).copied().unwrap_or("?");
        let mut seen = HashSet::new();
        let mut last: HashMap<u32, u32> = HashMap::new();
        for found in &survey.found {
            let Held { producer, seq, .. } = found.held;
            figures.delivered += 1;
            if !seen.insert((producer, seq)) {
                figures.fault(
                    Fault::Unexpected,
                    format!("{producer}-{seq} of {name} is there twice"),
                );
                continue;
            }
            let before = last.insert(producer, seq);
            if let Some(before) = before.filter(|before| *before > seq) {
                let what = format!("{producer}-{seq} of {name} stands behind {producer}-{before}");
                figures.fault(Fault::Reordered, what);
            }
            let copy = copies.entry((queue, producer, seq)).or_default();
            let sent = super::sent_mut(producers, producer, seq);
            if let Some(sent) = sent {
                present(figures, copy, sent, found, end, name);
            }
        }
        for (producer, list) in (0_u32..).zip(producers.iter()) {
            for (seq, sent) in (0_u32..).zip(list) {
                let route = routes.get(usize::from(sent.route));
                let routed = route.is_some_and(|route| route.queues.contains(&queue));
                if routed && !seen.contains(&(producer, seq)) {
                    let copy = copies.entry((queue, producer, seq)).or_default();
                    absent(figures, copy, sent, &format!("{producer}-{seq} of {name}"));
                }
            }
        }
    }
}

/// A message is there: may it be, and is it marked as it should?
fn present(figures: &mut Figures, copy: &mut CopyState, sent: &Sent, found: &Found, end: End, queue: &str) {
    let Held {
        producer,
        seq,
        redelivered,
        ..
    } = found.held;
    let name = format!("{producer}-{seq} of {queue}");
    if copy.gone {
        figures.fault(Fault::SettledBack, format!("{name} was gone and is there again"));
    } else if copy.acked_at.is_some() {
        let forgivable = |settled: &Instant| *settled + end.window >= end.at;
        match copy.settled_at.filter(|settled| !forgivable(settled)) {
            Some(settled) => {
                let before = (end.at - settled).as_millis();
                figures.fault(
                    Fault::SettledBack,
                    format!("{name}, settled {before} ms before the end"),
                );
            }
            None => figures.acks_undone += 1,
        }
    }
    if !sent.persistent {
        figures.fault(Fault::TransientBack, name.clone());
    }
    if copy.deliveries > 0 {
        figures.duplicates += 1;
        if !redelivered {
            figures.fault(Fault::Unmarked, format!("{name} delivered again as new"));
        }
    } else if redelivered {
        figures.marked_unseen += 1;
    }
    copy.deliveries += 1;
    copy.gone = found.taken;
    copy.acked_at = None;
    copy.settled_at = None;
}

/// A message is not there: may it be missing? From now on it has to stay away.
fn absent(figures: &mut Figures, copy: &mut CopyState, sent: &Sent, name: &str) {
    let owed = sent.outcome == Outcome::Confirmed && sent.persistent && !sent.returned;
    if owed && !copy.gone && copy.acked_at.is_none() {
        let seen = match copy.deliveries {
            0 => "never delivered",
            _ => "delivered and not acknowledged",
        };
        figures.fault(Fault::Lost, format!("{name}, {} bytes, {seen}", sent.length));
    }
    copy.gone = true;
}
