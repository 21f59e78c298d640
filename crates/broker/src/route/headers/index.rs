//! Finds the rules that a message matches.
//!
//! An argument is a number, the hash of name and value (of the name alone where any value does). An `any`
//! rule stands under each of its arguments. `all` rules stand in a tree of their arguments in the order of
//! names ([`Tree`]). Different arguments may share a number, so who is found is compared once more.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};

use super::Slot;
use super::rule::{MessageHeaders, Rule};
use super::slots::Slots;
use super::tree::{Held, Tree};
use crate::value::{Value, hash_equivalent};

/// An argument as a number. Seeded, so that nobody can choose arguments that share one.
pub(super) type Argument = u64;

/// The index.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// `any` rules. No entry is empty.
    any: HashMap<Argument, Slots>,
    /// `all` rules.
    all: Tree,
    seed: RandomState,
}

/// Why a rule is a candidate.
#[derive(Clone, Copy)]
pub(super) enum Because<'a> {
    /// The headers have all its arguments.
    All,
    /// This is one of its arguments.
    Any(&'a str, &'a Value),
}

impl Index {
    /// Enters a rule.
    pub(super) fn insert(&mut self, slot: Slot, rule: &Rule) {
        if !rule.any {
            let path = self.path(rule);
            self.all.insert(&path, slot);
            return;
        }
        for argument in self.arguments(rule) {
            self.any.entry(argument).or_default().insert(slot);
        }
    }

    /// Takes a rule out.
    pub(super) fn remove(&mut self, slot: Slot, rule: &Rule) {
        if !rule.any {
            let path = self.path(rule);
            self.all.remove(&path, slot);
            return;
        }
        for argument in self.arguments(rule) {
            if let Some(slots) = self.any.get_mut(&argument) {
                slots.remove(slot);
                if slots.is_empty() {
                    self.any.remove(&argument);
                }
            }
        }
    }

    /// Passes every rule that a message with these headers matches, unless numbers collide; an `any` rule for
    /// each header that it wants.
    pub(super) fn for_each_candidate<'a>(
        &self,
        headers: &MessageHeaders<'a>,
        sink: &mut dyn FnMut(Slot, Because<'a>),
    ) {
        if !self.any.is_empty() {
            for (name, value) in headers.iter() {
                for argument in [self.number(name, None), self.number(name, Some(value))] {
                    if let Some(slots) = self.any.get(&argument) {
                        slots.for_each(&mut |slot| sink(slot, Because::Any(name, value)));
                    }
                }
            }
        }
        let held = match self.all.has_paths() {
            true => headers.iter().map(|(name, value)| Held {
                named: self.number(name, None),
                valued: self.number(name, Some(value)),
            }),
            false => {
                return self
                    .all
                    .for_each_without_path(&mut |slot| sink(slot, Because::All));
            }
        };
        self.all
            .for_each(held.collect(), &mut |slot| sink(slot, Because::All));
    }

    /// The distinct arguments of a rule.
    fn arguments(&self, rule: &Rule) -> Vec<Argument> {
        let numbers = rule
            .wanted
            .iter()
            .map(|wanted| self.number(&wanted.name, wanted.value.as_ref()));
        let mut arguments: Vec<_> = numbers.collect();
        arguments.sort_unstable();
        arguments.dedup();
        arguments
    }

    /// The arguments of an `all` rule in the order of names. That a header is there goes without saying
    /// where it has to have a value.
    fn path(&self, rule: &Rule) -> Vec<Argument> {
        let mut path = Vec::with_capacity(rule.wanted.len());
        for of_name in rule.wanted.chunk_by(|one, other| one.name == other.name) {
            let begun = path.len();
            for wanted in of_name.iter().filter(|wanted| wanted.value.is_some()) {
                let argument = self.number(&wanted.name, wanted.value.as_ref());
                if path
                    .get(begun..)
                    .is_some_and(|so_far| !so_far.contains(&argument))
                {
                    path.push(argument);
                }
            }
            if let Some(wanted) = of_name.first()
                && path.len() == begun
            {
                path.push(self.number(&wanted.name, None));
            }
        }
        path
    }

    fn number(&self, name: &str, value: Option<&Value>) -> Argument {
        let mut hasher = self.seed.build_hasher();
        name.hash(&mut hasher);
        value.is_some().hash(&mut hasher);
        if let Some(value) = value {
            hash_equivalent(value, &mut hasher);
        }
        hasher.finish()
    }

    /// Whether nothing is entered.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.any.is_empty() && self.all.is_empty()
    }
}
