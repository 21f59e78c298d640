//! A catalog without cleverness: what exists in one virtual host, in plain sorted collections, and each rule
//! in one sentence.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::Refusal;
use super::step::{End, Ends, Exchange, Row, Wish, alternate_class, argument_class};
use std::collections::{BTreeMap, BTreeSet};

/// What an operation comes to: whether it changes anything, or every reason that there is to refuse it.
/// Which of several reasons is told is a matter of the protocol, whose transcripts hold it.
pub(super) type Wanted = Result<bool, Vec<&'static str>>;

fn unless(reasons: &[(bool, &'static str)]) -> Result<(), Vec<&'static str>> {
    let given: Vec<_> = reasons
        .iter()
        .filter(|(applies, _)| *applies)
        .map(|(_, word)| *word)
        .collect();
    if given.is_empty() { Ok(()) } else { Err(given) }
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

    pub(super) fn declare_exchange(&mut self, name: &str, asked: &Exchange) -> Wanted {
        let class = |exchange: &Exchange| Exchange {
            alternate: alternate_class(exchange.alternate),
            ..exchange.clone()
        };
        let existing = self.exchanges.get(name);
        unless(&[
            (name.is_empty(), "default"),
            (asked.kind == "nope", "kind"),
            (asked.alternate >= 7, "argument"),
            (existing.is_none() && name.starts_with("amq."), "reserved"),
            (
                existing.is_some_and(|existing| class(existing) != class(asked)),
                "inequivalent",
            ),
        ])?;
        let is_new = existing.is_none();
        if is_new {
            self.exchanges.insert(name.to_owned(), asked.clone());
        }
        Ok(is_new)
    }

    pub(super) fn declare_queue(&mut self, name: &str, asked: &Wish) -> Wanted {
        let class = |wish: &Wish| {
            (
                wish.durable && !wish.exclusive,
                wish.auto_delete,
                argument_class(wish.arguments),
            )
        };
        let owner = |wish: &Wish| wish.exclusive.then_some(wish.session);
        let existing = self.queues.get(name);
        unless(&[
            // Unlike an exchange's, such a name is refused whether or not it is there.
            (name.starts_with("amq.") && !asked.server_named, "reserved"),
            (
                existing.is_some_and(|existing| owner(existing) != owner(asked)),
                "locked",
            ),
            (
                existing.is_some_and(|existing| class(existing) != class(asked)),
                "inequivalent",
            ),
        ])?;
        let is_new = existing.is_none();
        if is_new {
            self.queues.insert(name.to_owned(), asked.clone());
        }
        Ok(is_new)
    }

    pub(super) fn delete_exchange(&mut self, name: &str, if_unused: bool) -> Wanted {
        let in_use = self.bindings.iter().any(|(source, ..)| source == name);
        unless(&[
            (name.is_empty(), "default"),
            (name.starts_with("amq."), "system"),
            (if_unused && in_use, "in use"),
        ])?;
        let was_there = self.exchanges.remove(name).is_some();
        self.unbind_where(|(source, to, ..)| source == name || matches!(to, End::Exchange(to) if to == name));
        Ok(was_there)
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

    pub(super) fn bind(&mut self, ends: &Ends) -> Wanted {
        let row = ends.row();
        let source = self.exchanges.get(&row.0);
        let takes_no_such = source.is_some_and(|source| source.kind == "headers" && ends.arguments == 4);
        unless(&[
            (row.0.is_empty() || ends.to_exchange() == Some(""), "default"),
            (source.is_none() || !self.has(&row.1), "not found"),
            (self.is_locked(&row.1, ends.session), "locked"),
            (takes_no_such, "binding"),
        ])?;
        Ok(self.bindings.insert(row))
    }

    pub(super) fn unbind(&mut self, ends: &Ends) -> Wanted {
        let row = ends.row();
        let is_there = self.bindings.contains(&row);
        unless(&[
            (row.0.is_empty() || ends.to_exchange() == Some(""), "default"),
            (is_there && self.is_locked(&row.1, ends.session), "locked"),
        ])?;
        self.unbind_where(|other| *other == row);
        Ok(is_there)
    }
}
