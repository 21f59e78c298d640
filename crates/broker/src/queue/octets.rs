//! Octets of bodies, by where the messages are. Of a message in an extent only the sum is known here.

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Octets {
    /// Of everything that is not settled.
    live: u64,
    /// Of what stands in extents that last, wherever else it is.
    stored: u64,
    /// Of what is out with consumers.
    out: u64,
    /// Of what is delayed, resting or leaving.
    aside: u64,
}

impl Octets {
    /// Everything stands in extents, and is ready.
    pub(super) fn restored(octets: u64) -> Self {
        Self {
            live: octets,
            stored: octets,
            ..Self::default()
        }
    }

    /// Of ready messages.
    pub(super) fn ready(&self) -> u64 {
        self.live.saturating_sub(self.out + self.aside)
    }

    /// Of messages that are out.
    pub(super) fn out(&self) -> u64 {
        self.out
    }

    /// Of messages that are delayed, resting or leaving.
    pub(super) fn aside(&self) -> u64 {
        self.aside
    }

    /// Of messages that stand in extents that last.
    pub(super) fn stored(&self) -> u64 {
        self.stored
    }

    /// A message came.
    pub(super) fn came(&mut self, octets: u64) {
        self.live += octets;
    }

    /// A message was written to an extent, which lasts or does not.
    pub(super) fn stored_one(&mut self, octets: u64, durable: bool) {
        self.stored += if durable { octets } else { 0 };
    }

    /// Messages are done with: so much in all, of which so much stood in extents that last.
    pub(super) fn gone(&mut self, all: u64, stored: u64) {
        self.live = self.live.saturating_sub(all);
        self.stored = self.stored.saturating_sub(stored);
    }

    /// A ready message went out.
    pub(super) fn went_out(&mut self, octets: u64) {
        self.out += octets;
    }

    /// A message is no longer out.
    pub(super) fn came_in(&mut self, octets: u64) {
        self.out = self.out.saturating_sub(octets);
    }

    /// A message is neither ready nor out from now on.
    pub(super) fn set_aside(&mut self, octets: u64) {
        self.aside += octets;
    }

    /// A message that was set aside no longer is.
    pub(super) fn taken_up(&mut self, octets: u64) {
        self.aside = self.aside.saturating_sub(octets);
    }

    /// What was ready is gone: so much is known to stay, and so much of it in extents that last.
    pub(super) fn purged(&mut self, kept: u64, stored: u64) {
        self.live = self.live.min(kept.max(self.out + self.aside));
        self.stored = self.stored.min(stored);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_or_set_aside_is_not_ready() {
        let mut octets = Octets::restored(100);
        octets.came(11);
        octets.went_out(20);
        octets.set_aside(30);
        assert_eq!((octets.ready(), octets.out(), octets.aside()), (61, 20, 30));
        octets.came_in(20);
        octets.gone(20, 20);
        octets.taken_up(30);
        assert_eq!((octets.ready(), octets.stored()), (91, 80));
    }

    #[test]
    fn transient_messages_are_in_no_extent_that_lasts() {
        let mut octets = Octets::default();
        octets.came(5);
        octets.came(7);
        octets.stored_one(5, false);
        octets.stored_one(7, true);
        assert_eq!(octets.stored(), 7);
    }

    #[test]
    fn a_purge_leaves_at_least_what_is_known_to_be_there() {
        let mut octets = Octets::restored(100);
        octets.went_out(20);
        octets.set_aside(30);
        // A log that is older than what stands here may tell less, or more.
        octets.purged(0, 0);
        assert_eq!((octets.ready(), octets.stored()), (0, 0));
        octets.purged(1000, 1000);
        assert_eq!((octets.ready(), octets.out(), octets.aside()), (0, 20, 30));
    }

    #[test]
    fn sums_that_a_damaged_log_tells_never_fall_below_nothing() {
        let mut octets = Octets::restored(10);
        octets.gone(11, 12);
        octets.came_in(1);
        octets.taken_up(1);
        assert_eq!(octets, Octets::default());
        octets.set_aside(5);
        assert_eq!(octets.ready(), 0);
    }
}
