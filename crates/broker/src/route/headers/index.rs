//! Finds the rules that a message may match.
//!
//! A rule stands under what a message must hold to match it: an `any` rule under each of its arguments, an
//! `all` rule under one of them. An argument is a number, the hash of name and value (of the name alone where
//! any value does). Different arguments may share a number: candidates are compared in full afterwards.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher};

use super::Slot;
use super::rule::{MessageHeaders, Rule, Wanted};
use crate::value::{Value, hash_equivalent};

/// The index.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// No set is empty.
    by_argument: HashMap<u64, HashSet<Slot>>,
    /// `all` rules without arguments, which every message matches.
    always: HashSet<Slot>,
    /// Under which argument each `all` rule stands.
    anchors: HashMap<Slot, u64>,
    /// Seeded, so that nobody can choose headers that share a number.
    seed: RandomState,
}

impl Index {
    /// Enters a rule.
    pub(super) fn insert(&mut self, slot: Slot, rule: &Rule) {
        if rule.any {
            for argument in self.arguments_of(rule) {
                self.by_argument.entry(argument).or_default().insert(slot);
            }
            return;
        }
        // Under the argument with the fewest rules so far: a rule for a rare header of a common kind is found
        // by the rare header.
        let rules_under = |argument: &u64| self.by_argument.get(argument).map_or(0, HashSet::len);
        match self.arguments_of(rule).into_iter().min_by_key(rules_under) {
            Some(anchor) => {
                self.by_argument.entry(anchor).or_default().insert(slot);
                self.anchors.insert(slot, anchor);
            }
            None => {
                self.always.insert(slot);
            }
        }
    }

    /// Takes a rule out.
    pub(super) fn remove(&mut self, slot: Slot, rule: &Rule) {
        if rule.any {
            for argument in self.arguments_of(rule) {
                self.remove_under(argument, slot);
            }
        } else if let Some(anchor) = self.anchors.remove(&slot) {
            self.remove_under(anchor, slot);
        } else {
            self.always.remove(&slot);
        }
    }

    /// Passes every rule that a message with these headers may match; an `any` rule perhaps several times.
    pub(super) fn for_each_candidate(&self, headers: &MessageHeaders<'_>, sink: &mut dyn FnMut(Slot)) {
        self.always.iter().copied().for_each(&mut *sink);
        if self.by_argument.is_empty() {
            return;
        }
        for (name, value) in headers.iter() {
            for argument in [self.number(name, None), self.number(name, Some(value))] {
                if let Some(slots) = self.by_argument.get(&argument) {
                    slots.iter().copied().for_each(&mut *sink);
                }
            }
        }
    }

    /// The distinct arguments of a rule.
    fn arguments_of(&self, rule: &Rule) -> Vec<u64> {
        let number = |wanted: &Wanted| self.number(&wanted.name, wanted.value.as_ref());
        let mut arguments: Vec<_> = rule.wanted.iter().map(number).collect();
        arguments.sort_unstable();
        arguments.dedup();
        arguments
    }

    fn number(&self, name: &str, value: Option<&Value>) -> u64 {
        let mut hasher = self.seed.build_hasher();
        name.hash(&mut hasher);
        value.is_some().hash(&mut hasher);
        if let Some(value) = value {
            hash_equivalent(value, &mut hasher);
        }
        hasher.finish()
    }

    fn remove_under(&mut self, argument: u64, slot: Slot) {
        let Some(slots) = self.by_argument.get_mut(&argument) else {
            return;
        };
        slots.remove(&slot);
        if slots.is_empty() {
            self.by_argument.remove(&argument);
        }
    }

    /// Whether nothing is entered.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_argument.is_empty() && self.always.is_empty() && self.anchors.is_empty()
    }
}
