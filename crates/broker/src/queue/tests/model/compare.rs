//! What has to be the same of the queue, the model and the replicas.

use super::naive::Place;
use super::trial::Trial;

impl Trial {
    pub(super) fn compare(&mut self) {
        self.compare_parted();
        self.compare_totals();
        self.compare_memory();
        self.compare_live();
    }

    /// Those who are gone are known as long as they hold something.
    fn compare_parted(&mut self) {
        let is_there = |key| self.model.consumers.iter().any(|one| one.key == key);
        for key in &self.keys {
            let holds = !is_there(*key) && self.model.held(*key) > 0;
            assert_eq!(self.queue.has_parted(*key), holds, "{key:?}");
        }
        for key in self.queue.take_rid() {
            assert!(
                !is_there(key) && self.model.held(key) == 0,
                "{key:?} is rid of all"
            );
        }
    }

    fn compare_totals(&self) {
        let (totals, wanted) = (self.queue.totals(), self.model.totals());
        assert_eq!(
            (totals.ready, totals.unsettled, totals.delayed, totals.leaving),
            (wanted.ready, wanted.unsettled, wanted.delayed, wanted.leaving),
            "ready, unsettled, delayed, leaving"
        );
        assert_eq!(totals.consumers, wanted.consumers);
        if !self.forgot_octets {
            assert_eq!(
                (totals.ready_octets, totals.unsettled_octets),
                (wanted.ready_octets, wanted.unsettled_octets),
                "octets"
            );
        }
        assert_eq!(self.queue.ready_by_priority(), self.model.ready_by_priority());
    }

    fn compare_memory(&self) {
        let here = self.queue.live().filter_map(|(_, message, _)| message);
        let here: usize = here.map(|message| message.memory_bytes()).sum();
        assert_eq!(self.queue.totals().bytes, here, "bytes in memory");
        let all = |durable| self.queue.unstored(durable, 0, usize::MAX, usize::MAX);
        let (kept, transient) = (all(true), all(false));
        let unstored = kept.iter().chain(&transient);
        let unstored: usize = unstored.map(|(_, message)| message.memory_bytes()).sum();
        assert_eq!(self.queue.unstored_bytes(), unstored, "bytes in no extent");
        let first = kept.first().map(|(seq, _)| *seq);
        assert_eq!(self.queue.first_unstored(), first);
    }

    fn compare_live(&self) {
        for (name, queue) in [
            ("queue", &self.queue),
            ("replica", &self.replica),
            ("stutterer", &self.stutterer),
        ] {
            let mut items = self.model.items.iter();
            for (seq, message, redelivered) in queue.live() {
                let item = items.next();
                assert_eq!(Some(seq), item.map(|item| item.seq), "{name}");
                let Some(item) = item else { return };
                // What is not in memory is compared when it is read.
                if let Some(message) = message {
                    assert_eq!(message.body(), item.message.body(), "{name}");
                }
                // What was never ready was never out.
                if item.place != Place::Delayed {
                    assert_eq!(redelivered, item.redelivered, "{name}: {item:?}");
                }
            }
            assert_eq!(items.next().map(|item| item.seq), None, "{name}");
            assert_eq!(queue.next_seq(), self.model.next_seq, "{name}");
        }
    }
}
