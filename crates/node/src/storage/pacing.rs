//! Whether publishers wait for consumers.
//!
//! Queues hold more than memory has room for. Where consumers take it within a moment, it is cheaper for all
//! to let publishers wait so long than to write messages to extents and read them back at once; and a queue
//! that consumers are fast enough for stays short. Where they do not, or not fast, it is written, and
//! publishers go on at their own speed.

use std::time::{Duration, Instant};

/// Consumers are fast when they would take half of the budget in so much time.
const FAST: Duration = Duration::from_millis(50);

/// Less time than this tells nothing of their speed: threads take turns.
const TELLING: Duration = Duration::from_millis(4);

/// How long publishers wait at a time, where what consumers take comes from extents.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// How long publishers are left alone after consumers turned out to be slow.
const AFTER_SLOW: Duration = Duration::from_millis(500);

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    waiting: Option<Waiting>,
    /// Until when nobody has to wait.
    left_alone: Option<Instant>,
}

/// Publishers wait.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    since: Instant,
    /// When the consumers' speed was last looked at, and what there was then.
    at: Instant,
    held: u64,
    fetched: u64,
}

impl Pacing {
    /// Looks at what queues hold, and what was read into memory so far, in bytes. Answers whether publishers
    /// wait now: from when queues hold more than the budget, until it is half of that, it takes too long, or
    /// consumers are seen to be slow.
    pub(super) fn look(&mut self, held: u64, fetched: u64, budget: u64, now: Instant) -> bool {
        let waiting = self.waiting.take();
        if held <= budget / 2 {
            return false;
        }
        let Some(mut waiting) = waiting else {
            let is_left_alone = self.left_alone.is_some_and(|until| now < until);
            self.waiting = (held > budget && !is_left_alone).then_some(Waiting {
                since: now,
                at: now,
                held,
                fetched,
            });
            return self.waiting.is_some();
        };
        let elapsed = now.saturating_duration_since(waiting.at);
        if elapsed >= TELLING {
            let came = fetched.saturating_sub(waiting.fetched);
            let taken = u128::from(waiting.held.saturating_add(came).saturating_sub(held));
            if taken * FAST.as_micros() < u128::from(budget / 2) * elapsed.as_micros() {
                self.left_alone = Some(now + AFTER_SLOW);
                return false;
            }
            if now.saturating_duration_since(waiting.since) >= WAIT_MAX {
                return false;
            }
            waiting = Waiting {
                at: now,
                held,
                fetched,
                ..waiting
            };
        }
        self.waiting = Some(waiting);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: u64 = 1000;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn publishers_wait_while_consumers_are_fast() {
        let (mut pacing, start) = (Pacing::default(), Instant::now());
        assert!(!pacing.look(1000, 0, BUDGET, start), "it is within the budget");
        assert!(pacing.look(1100, 0, BUDGET, start));
        assert!(pacing.look(1120, 0, BUDGET, start + ms(1)), "too soon to tell");
        assert!(pacing.look(900, 0, BUDGET, start + ms(10)));
        assert!(
            pacing.look(700, 0, BUDGET, start + ms(20)),
            "it goes on below the budget"
        );
        assert!(!pacing.look(500, 0, BUDGET, start + ms(30)));
        assert!(pacing.look(1100, 0, BUDGET, start + ms(40)), "and begins anew");
    }

    #[test]
    fn publishers_do_not_wait_for_slow_consumers() {
        let (mut pacing, start) = (Pacing::default(), Instant::now());
        assert!(pacing.look(1100, 0, BUDGET, start));
        // Fast would be 40 in 4 ms.
        assert!(!pacing.look(1090, 0, BUDGET, start + ms(4)));
        assert!(!pacing.look(1300, 0, BUDGET, start + ms(400)));
        assert!(
            pacing.look(1300, 0, BUDGET, start + ms(600)),
            "they may have become fast"
        );
        assert!(!pacing.look(1400, 0, BUDGET, start + ms(604)));
    }

    #[test]
    fn what_consumers_take_of_what_was_on_disk_counts_but_not_for_ever() {
        let (mut pacing, start) = (Pacing::default(), Instant::now());
        assert!(pacing.look(1100, 0, BUDGET, start));
        // Memory stays full, as consumers are fed from the disk.
        for step in 1..10 {
            assert!(pacing.look(1100, step * 100, BUDGET, start + ms(step * 10)));
        }
        assert!(!pacing.look(1100, 1000, BUDGET, start + ms(100)));
        assert!(
            pacing.look(1100, 1000, BUDGET, start + ms(110)),
            "they were not slow"
        );
    }
}
