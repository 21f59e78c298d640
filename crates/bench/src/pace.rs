//! When messages are due.
//!
//! Time is nanoseconds since the run began. At a rate each message has a time of its own, however late it
//! leaves: its latency counts from there, so that a broker that stalls is charged for all that had to wait
//! (what is called coordinated omission otherwise).

use crate::args::Rate;

const NS: f64 = 1e9;

#[derive(Debug, Clone)]
pub(crate) struct Pace {
    rate: Rate,
    start_ns: u64,
    /// How long a ramp rises.
    rise_s: f64,
    /// Due so far.
    count: u64,
}

impl Pace {
    /// `start_ns` is when the first is due, `rise_s` how long a ramp rises.
    pub(crate) fn new(rate: Rate, start_ns: u64, rise_s: f64) -> Self {
        Self {
            rate,
            start_ns,
            rise_s,
            count: 0,
        }
    }

    /// A part of a rate that several share: they take turns.
    pub(crate) fn part(rate: Rate, part: usize, parts: usize, start_ns: u64, rise_s: f64) -> Self {
        let parts = parts.max(1) as f64;
        let (rate, turn_s) = match rate {
            Rate::Max => (Rate::Max, 0.0),
            Rate::Fixed(all) => (Rate::Fixed(all / parts), part as f64 / all),
            Rate::Ramp(low, high) => (
                Rate::Ramp(low / parts, high / parts),
                part as f64 / (low + high) * 2.0,
            ),
        };
        Self::new(rate, start_ns.saturating_add((turn_s * NS) as u64), rise_s)
    }

    /// How many are due now, that were not taken yet; `u64::MAX` if there is no limit.
    pub(crate) fn due(&self, now_ns: u64) -> u64 {
        let past_s = match now_ns.checked_sub(self.start_ns) {
            Some(past) => past as f64 / NS,
            None => return 0,
        };
        let due = match self.rate {
            Rate::Max => return u64::MAX,
            Rate::Fixed(rate) => past_s * rate,
            Rate::Ramp(low, high) => {
                let rising_s = past_s.min(self.rise_s);
                let steep = (high - low) / self.rise_s.max(f64::MIN_POSITIVE);
                let level_s = past_s - rising_s;
                low * rising_s + steep * rising_s * rising_s / 2.0 + high * level_s
            }
        };
        // The first is due at the start itself.
        (due as u64 + 1).saturating_sub(self.count)
    }

    /// When the next one is due; `now_ns` where there is no rate.
    #[inline]
    pub(crate) fn next_ns(&self, now_ns: u64) -> u64 {
        let count = self.count as f64;
        let after_s = match self.rate {
            Rate::Max => return now_ns,
            Rate::Fixed(rate) => count / rate,
            Rate::Ramp(low, high) => ramp_s(low, high, self.rise_s, count),
        };
        self.start_ns.saturating_add((after_s * NS) as u64)
    }

    /// Takes one: answers when it was due.
    #[inline]
    pub(crate) fn take(&mut self, now_ns: u64) -> u64 {
        let due_ns = self.next_ns(now_ns);
        self.count += 1;
        due_ns
    }
}

/// After which time so many are due: `low t + (high - low) t^2 / (2 rise)`, solved for `t`.
fn ramp_s(low: f64, high: f64, rise_s: f64, count: f64) -> f64 {
    let risen = (low + high) / 2.0 * rise_s;
    if count >= risen {
        // A ramp down to nothing never gets there.
        return rise_s + (count - risen) / high.max(f64::MIN_POSITIVE);
    }
    let steep = (high - low) / rise_s;
    let root = (low * low + 2.0 * steep * count).max(0.0).sqrt();
    // This form of the solution is exact for flat ramps, too.
    2.0 * count / (low + root).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn without_a_rate_all_is_due_now() {
        let mut pace = Pace::new(Rate::Max, 5, 0.0);
        assert_eq!(pace.due(4), 0);
        assert_eq!(pace.due(5), u64::MAX);
        assert_eq!(pace.take(77), 77);
    }

    #[test]
    fn a_fixed_rate_is_even_however_late_it_is_taken() {
        let mut pace = Pace::new(Rate::Fixed(4.0), S, 0.0);
        assert_eq!(pace.due(S), 1);
        assert_eq!(pace.due(2 * S), 5);
        let taken: Vec<u64> = (0..5).map(|_| pace.take(9 * S)).collect();
        assert_eq!(taken, [S, S + S / 4, S + S / 2, S + 3 * S / 4, 2 * S]);
        assert_eq!(pace.due(2 * S), 0);
        assert_eq!(pace.next_ns(0), 2 * S + S / 4);
    }

    #[test]
    fn parts_of_a_rate_take_turns() {
        let mut due: Vec<u64> = (0..4)
            .flat_map(|part| {
                let mut pace = Pace::part(Rate::Fixed(8.0), part, 4, 0, 0.0);
                [pace.take(0), pace.take(0)]
            })
            .collect();
        due.sort_unstable();
        let expected: Vec<u64> = (0..8).map(|number| number * S / 8).collect();
        assert_eq!(due, expected);
    }

    #[test]
    fn a_ramp_rises_and_stays_there() {
        // 100 a second on average over 10 s, then 200 a second.
        let mut pace = Pace::new(Rate::Ramp(0.0, 200.0), 0, 10.0);
        assert_eq!(pace.due(10 * S), 1001);
        assert_eq!(pace.due(11 * S), 1201);
        assert_eq!(pace.due(5 * S), 251);
        let taken: Vec<u64> = (0..1202).map(|_| pace.take(0)).collect();
        assert!(taken.is_sorted());
        assert_eq!(taken[1000], 10 * S);
        assert_eq!(taken[1200], 11 * S);
        assert_eq!(taken[250], 5 * S);
        let mut down = Pace::new(Rate::Ramp(200.0, 0.0), 0, 10.0);
        assert_eq!(down.due(100 * S), 1001);
        assert_eq!((0..751).map(|_| down.take(0)).last(), Some(5 * S));
    }
}
