//! Looking at what is there, and at what is delayed.

use super::naive::{Item, Model, Place};
use super::trial::Trial;
use super::{Message, Scope, SeqSet, Standing};
use std::collections::BTreeMap;

impl Model {
    /// What is to be seen from a number on.
    fn look(&self, from: u64, max: usize, scope: Scope) -> Vec<(&Item, Standing)> {
        let standing = |item: &Item| match item.place {
            Place::Ready => Some(Standing::Ready),
            Place::Out { .. } => Some(Standing::Unsettled).filter(|_| scope.unsettled),
            Place::Delayed | Place::Resting(_) => Some(Standing::Delayed).filter(|_| scope.delayed),
            Place::Leaving(_) => None,
        };
        let behind = self.items.iter().filter(|item| item.seq >= from);
        let seen = behind.filter_map(|item| Some((item, standing(item)?)));
        seen.take(max).collect()
    }
}

impl Trial {
    /// Looks from any number on at some messages, or at all.
    pub(super) fn look(&self, from: u8, how: u8) {
        let from = match from % 4 {
            0 => 0,
            _ => self.model.next_seq.saturating_sub(u64::from(from)),
        };
        let max = match how / 4 % 16 {
            0 => usize::MAX,
            max => usize::from(max) * 3,
        };
        let scope = Scope {
            unsettled: how & 1 != 0,
            delayed: how & 2 != 0,
        };
        let looks = self.queue.look(from, max, scope);
        let wanted = self.model.look(from, max, scope);
        let told = looks
            .iter()
            .map(|look| (look.seq, look.redelivered, look.standing));
        let told: Vec<_> = told.collect();
        let right = wanted
            .iter()
            .map(|(item, standing)| (item.seq, item.redelivered, *standing));
        assert_eq!(
            told,
            right.collect::<Vec<_>>(),
            "from {from}, {max} at most, {scope:?}"
        );
        let mut absent = SeqSet::default();
        let away = looks.iter().filter(|look| look.message.is_none());
        away.for_each(|look| absent.insert(look.seq));
        let read = self.read_places(&absent);
        for (look, (item, _)) in looks.iter().zip(wanted) {
            let message = look.message.as_ref().or(read.get(&look.seq));
            let message = message.expect("it is in memory, or in an extent");
            assert_eq!(message.body(), item.message.body());
        }
        self.look_at_delayed(from, max);
    }

    /// What stands in the extents that the queue names.
    fn read_places(&self, seqs: &SeqSet) -> BTreeMap<u64, Message> {
        let mut read = BTreeMap::new();
        for place in self.queue.places_of(seqs) {
            let extent = &self.extents[&place.stretch.extent];
            let wanted = place.wanted.iter().flat_map(|range| range.first..=range.last);
            read.extend(wanted.map(|seq| (seq, extent[&seq].clone())));
        }
        read
    }

    fn look_at_delayed(&self, from: u64, max: usize) {
        let all = self.model.items.iter();
        let delayed = all.filter(|item| item.place == Place::Delayed && item.seq >= from);
        let mut delayed = delayed.take(max);
        for (seq, due_ms) in self.queue.delayed(from, max) {
            let item = delayed.next().expect("no more than are delayed");
            assert_eq!(seq, item.seq);
            assert!(due_ms.is_none() || due_ms == item.message.due_ms());
        }
        assert!(delayed.next().is_none(), "one that is delayed is not told of");
    }
}
