//! A catalog without cleverness: what exists in one virtual host, in plain sorted collections, and each rule
//! in one sentence.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::step::{End, Ends, Exchange, Row, Wish, alternate_class, argument_class};
use super::{Change, Refusal};
use std::collections::{BTreeMap, BTreeSet};

/// What an operation comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Changes,
    ChangesNothing,
    Refused(&'static str),
}

use Outcome::{Changes, ChangesNothing, Refused};

impl Outcome {
    pub(super) fn of(decided: &Result<Option<Change>, Refusal>) -> Self {
        match decided {
            Ok(Some(_)) => Changes,
            Ok(None) => ChangesNothing,
            Err(refusal) => Refused(word(refusal)),
        }
    }
}

pub(super) fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotFound(_) => "not found",
        Refusal::ReservedName { .. } => "reserved",
        Refusal::DefaultExchange => "default",
        Refusal::SystemExchange(_) => "system",
        Refusal::Locked(_) => "locked",
        Refusal::Inequivalent { .. } => "inequivalent",
        Refusal::InUse(_) => "in use",
        Refusal::UnknownExchangeType(_) => "kind",
        Refusal::ArgumentType { .. } => "argument",
        Refusal::Binding(_) => "binding",
        other => panic!("not expected: {other}"),
    }
}

/// What exists in one virtual host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) exchanges: BTreeMap<String, Exchange>,
    pub(super) queues: BTreeMap<String, Wish>,
    pub(super) bindings: BTreeSet<Row>,
}

impl Model {
    pub(super) fn predeclared() -> Self {
        let mut model = Self::default();
        for (name, kind) in [
            ("amq.direct", "direct"),
            ("amq.fanout", "fanout"),
            ("amq.headers", "headers"),
            ("amq.match", "headers"),
            ("amq.topic", "topic"),
            ("amq.rabbitmq.trace", "topic"),
        ] {
            let internal = name == "amq.rabbitmq.trace";
            let exchange = Exchange {
                kind,
                durable: true,
                auto_delete: false,
                internal,
                alternate: 0,
            };
            model.exchanges.insert(name.to_owned(), exchange);
        }
        model
    }

    pub(super) fn declare_exchange(&mut self, name: &str, asked: &Exchange) -> Outcome {
        let class = |exchange: &Exchange| Exchange {
            alternate: alternate_class(exchange.alternate),
            ..exchange.clone()
        };
        match self.exchanges.get(name) {
            _ if name.is_empty() => Refused("default"),
            _ if asked.kind == "nope" => Refused("kind"),
            _ if asked.alternate >= 7 => Refused("argument"),
            Some(existing) if class(existing) == class(asked) => ChangesNothing,
            Some(_) => Refused("inequivalent"),
            None if name.starts_with("amq.") => Refused("reserved"),
            None => {
                self.exchanges.insert(name.to_owned(), asked.clone());
                Changes
            }
        }
    }

    pub(super) fn declare_queue(&mut self, name: &str, asked: &Wish) -> Outcome {
        let class = |wish: &Wish| {
            (
                wish.durable && !wish.exclusive,
                wish.auto_delete,
                argument_class(wish.arguments),
            )
        };
        let owner = |wish: &Wish| wish.exclusive.then_some(wish.session);
        match self.queues.get(name) {
            Some(existing) if owner(existing) != owner(asked) => Refused("locked"),
            Some(existing) if class(existing) == class(asked) => ChangesNothing,
            Some(_) => Refused("inequivalent"),
            None if name.starts_with("amq.") && !asked.server_named => Refused("reserved"),
            None => {
                self.queues.insert(name.to_owned(), asked.clone());
                Changes
            }
        }
    }

    pub(super) fn delete_exchange(&mut self, name: &str, if_unused: bool) -> Outcome {
        let in_use = self.bindings.iter().any(|(source, ..)| source == name);
        match name {
            "" => Refused("default"),
            _ if name.starts_with("amq.") => Refused("system"),
            _ if !self.exchanges.contains_key(name) => ChangesNothing,
            _ if if_unused && in_use => Refused("in use"),
            _ => {
                self.exchanges.remove(name);
                self.unbind_where(|(source, to, ..)| {
                    source == name || matches!(to, End::Exchange(to) if to == name)
                });
                Changes
            }
        }
    }

    pub(super) fn delete_queue(&mut self, name: &str) {
        self.queues.remove(name);
        self.unbind_where(|(_, to, ..)| matches!(to, End::Queue(to) if to == name));
    }

    /// An auto-delete exchange that had a binding before and has none now goes, until none does.
    pub(super) fn unbind_where(&mut self, mut goes: impl FnMut(&Row) -> bool) {
        let before = self.bindings.clone();
        self.bindings.retain(|row| !goes(row));
        let is_source_in = |rows: &BTreeSet<Row>, name: &str| rows.iter().any(|(source, ..)| source == name);
        while let Some((bare, _)) = self.exchanges.iter().find(|(name, exchange)| {
            exchange.auto_delete && is_source_in(&before, name) && !is_source_in(&self.bindings, name)
        }) {
            let bare = bare.clone();
            self.exchanges.remove(&bare);
            self.bindings
                .retain(|(_, to, ..)| *to != End::Exchange(bare.clone()));
        }
    }

    pub(super) fn is_locked(&self, to: &End, session: u64) -> bool {
        let End::Queue(name) = to else { return false };
        self.queues
            .get(name)
            .is_some_and(|queue| queue.exclusive && queue.session != session)
    }

    pub(super) fn has(&self, to: &End) -> bool {
        match to {
            End::Queue(name) => self.queues.contains_key(name),
            End::Exchange(name) => self.exchanges.contains_key(name),
        }
    }

    pub(super) fn bind(&mut self, ends: &Ends) -> Outcome {
        let row = ends.row();
        match self.exchanges.get(&row.0) {
            _ if row.0.is_empty() || ends.to_exchange() == Some("") => Refused("default"),
            _ if !self.has(&row.1) => Refused("not found"),
            _ if self.is_locked(&row.1, ends.session) => Refused("locked"),
            None => Refused("not found"),
            Some(source) if source.kind == "headers" && ends.arguments == 4 => Refused("binding"),
            Some(_) => {
                if self.bindings.insert(row) {
                    Changes
                } else {
                    ChangesNothing
                }
            }
        }
    }

    pub(super) fn unbind(&mut self, ends: &Ends) -> Outcome {
        let row = ends.row();
        match () {
            () if row.0.is_empty() || ends.to_exchange() == Some("") => Refused("default"),
            () if self.is_locked(&row.1, ends.session) => Refused("locked"),
            () if !self.bindings.contains(&row) => ChangesNothing,
            () => {
                self.unbind_where(|other| *other == row);
                Changes
            }
        }
    }
}
