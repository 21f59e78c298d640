//! A catalog and the naive one, side by side.
//!
//! [`Trial`] asks both the same questions, makes the changes in both and panics where they differ; it also
//! plays the effects into a [`Running`] broker that knows ids only, as the node does. The property tests and
//! the fuzz target drive the same trial, which is why everything of the crate comes in by way of `super`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::kept::Kept;
use super::model::{Model, word};
use super::step::{
    Action, EXCHANGES, End, Exchange, Forced, PARAMETERS, QUEUES, Step, VHOSTS, Wish, alternate,
    binding_arguments, exchange_name, parameter, queue_arguments, queue_name, user, user_name, vhost_name,
};
use super::{
    Binding, Catalog, Change, Destination, Effect, Endpoint, ExchangeDeclaration, ExchangeId, ExchangeRules,
    Link, QueueDeclaration, QueueId, Refusal, Rules, SessionId, Table, Vhost, VhostContent, VhostName,
};
use std::collections::{BTreeMap, BTreeSet};

/// A broker that does what effects say and knows nothing but ids.
#[derive(Debug, Default)]
struct Running {
    vhosts: BTreeSet<VhostName>,
    exchanges: BTreeMap<ExchangeId, Vec<(Destination, Box<str>, Table)>>,
    exchange_rules: BTreeMap<ExchangeId, ExchangeRules>,
    queues: BTreeMap<QueueId, Rules>,
}

impl Running {
    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::UsersChanged | Effect::Aliases(..) => {}
            Effect::VhostCreated(name) => assert!(self.vhosts.insert(name), "a vhost created twice"),
            Effect::VhostDeleted(name) => assert!(self.vhosts.remove(&name), "a vhost deleted twice"),
            Effect::ExchangeCreated(vhost, exchange, rules) => {
                assert!(self.vhosts.contains(&vhost));
                self.exchange_rules.insert(exchange.id, rules);
                let before = self.exchanges.insert(exchange.id, Vec::new());
                assert!(before.is_none(), "{exchange:?} created twice");
            }
            Effect::ExchangeDeleted(_, exchange) => {
                self.exchange_rules.remove(&exchange.id);
                assert!(
                    self.exchanges.remove(&exchange.id).is_some(),
                    "{exchange:?} deleted twice"
                );
            }
            Effect::QueueCreated(vhost, queue, rules) => {
                assert!(self.vhosts.contains(&vhost));
                let before = self.queues.insert(queue.id, *rules);
                assert!(before.is_none(), "{queue:?} created twice");
            }
            Effect::QueueSetAside(_, queue, _) => {
                assert!(self.queues.contains_key(&queue.id), "{queue:?} was not there");
            }
            Effect::QueueDeleted(_, queue) | Effect::AsideDeleted(_, queue) => {
                assert!(self.queues.remove(&queue.id).is_some(), "{queue:?} deleted twice");
            }
            Effect::ExchangeRules(_, id, rules) => {
                let before = self
                    .exchange_rules
                    .insert(id, rules.clone())
                    .expect("a running exchange");
                assert_ne!(before, rules, "an effect that changes nothing");
            }
            Effect::QueueRules(_, id, rules) => {
                let before = self.queues.insert(id, (*rules).clone()).expect("a running queue");
                assert_ne!(before, *rules, "an effect that changes nothing");
            }
            Effect::Bound(Link {
                source,
                destination,
                key,
                arguments,
                ..
            }) => {
                let table = self.exchanges.get_mut(&source).expect("a running source");
                let link = (destination, key, arguments);
                assert!(!table.contains(&link), "{link:?} bound twice");
                table.push(link);
            }
            Effect::Unbound(Link {
                source,
                destination,
                key,
                arguments,
                ..
            }) => {
                let table = self.exchanges.get_mut(&source).expect("a running source");
                let link = (destination, key, arguments);
                let at = table
                    .iter()
                    .position(|other| *other == link)
                    .expect("a binding to remove");
                table.remove(at);
            }
        }
    }
}

/// Steps between two checkpoints.
const STEPS_KEPT: u32 = 16;

/// A catalog, the model of it, a broker that runs by its effects, and what survives of it.
#[derive(Debug, Default)]
pub(super) struct Trial {
    catalog: Catalog,
    model: [Option<Model>; 2],
    running: Running,
    kept: Kept,
    steps: u32,
}

impl Trial {
    /// A catalog with one virtual host.
    pub(super) fn new() -> Self {
        let mut trial = Self::default();
        trial.put_vhost(0, false);
        trial
    }

    /// Does a step to both and compares them.
    pub(super) fn run(&mut self, step: &Step) {
        let Step {
            vhost,
            action,
            stutters,
        } = step;
        let (at, stutters) = (*vhost, *stutters);
        match action {
            Action::PutVhost => self.put_vhost(at, stutters),
            Action::DeleteVhost => {
                self.model[at] = None;
                self.apply(Change::VhostDeleted(vhost_name(at)), stutters);
            }
            Action::PutUser { name, vhost } => self.apply(Change::UserPut(user(*name, *vhost)), stutters),
            Action::DeleteUser(name) => self.apply(Change::UserDeleted(user_name(*name)), stutters),
            Action::PutParameter {
                name,
                value,
                is_global,
            } => {
                let parameter = parameter(*name, *value);
                let change = match is_global {
                    true => Change::GlobalParameterPut(parameter.name, parameter.value),
                    false => Change::ParameterPut(vhost_name(at), parameter),
                };
                self.apply(change, stutters);
            }
            Action::DeleteParameter { name, is_global } => {
                let (component, name) = PARAMETERS[*name];
                let change = match is_global {
                    true => Change::GlobalParameterDeleted(name.into()),
                    false => Change::ParameterDeleted(vhost_name(at), component.into(), name.into()),
                };
                self.apply(change, stutters);
            }
            Action::Forced(forced) => self.force(at, forced, stutters),
            Action::DeleteQueue(name) => {
                // Whether it may go depends on its messages and consumers: not the catalog's affair.
                let name = QUEUES[*name];
                if let Some(model) = &mut self.model[at] {
                    model.delete_queue(name);
                }
                self.apply(Change::QueueDeleted(vhost_name(at), queue_name(name)), stutters);
            }
            Action::PutPolicy(scope, policy) => {
                self.apply(
                    Change::PolicyPut(vhost_name(at), *scope, policy.clone()),
                    stutters,
                );
            }
            Action::DeletePolicy(scope, name) => {
                self.apply(
                    Change::PolicyDeleted(vhost_name(at), *scope, (*name).into()),
                    stutters,
                );
            }
            asked => self.ask(at, asked, stutters),
        }
        self.compare();
        self.kept.compare(&self.catalog);
        self.steps += 1;
        if self.steps.is_multiple_of(STEPS_KEPT) {
            self.kept.checkpoint(&self.catalog);
            self.kept.compare(&self.catalog);
        }
    }

    fn put_vhost(&mut self, at: usize, stutters: bool) {
        let is_new = self.model[at].is_none();
        self.apply(Change::VhostPut(Vhost::named(vhost_name(at))), stutters);
        if is_new {
            for change in self.catalog.predeclared(&vhost_name(at)) {
                self.apply(change, stutters);
            }
            self.model[at] = Some(Model::predeclared());
        }
    }

    /// What needs a decision: both decide, and it is made so if it changes something.
    fn ask(&mut self, at: usize, asked: &Action, stutters: bool) {
        let (Some(content), Some(model)) = (self.catalog.vhost(VHOSTS[at]), &mut self.model[at]) else {
            return;
        };
        let before = format!("{:?}", self.catalog);
        let decided = decide(&self.catalog, content, asked);
        assert_eq!(format!("{:?}", self.catalog), before, "deciding changes nothing");
        let wanted = match asked {
            Action::DeclareExchange(exchange, name) => model.declare_exchange(EXCHANGES[*name], exchange),
            Action::DeclareQueue { name, wish } => model.declare_queue(QUEUES[*name], wish),
            Action::DeleteExchange { name, if_unused } => model.delete_exchange(EXCHANGES[*name], *if_unused),
            Action::Bind(ends) => model.bind(ends),
            Action::Unbind(ends) => model.unbind(ends),
            other => panic!("not a question: {other:?}"),
        };
        match (&decided, &wanted) {
            (Ok(change), Ok(changes)) => assert_eq!(change.is_some(), *changes, "{asked:?}: {decided:?}"),
            (Err(refusal), Err(reasons)) => {
                assert!(
                    reasons.contains(&word(refusal)),
                    "{asked:?}: {refusal}, not for {reasons:?}"
                );
            }
            _ => panic!("{asked:?}: {decided:?}, not {wanted:?}"),
        }
        if let Ok(Some(change)) = decided {
            self.apply(change, stutters);
            let content = self.catalog.vhost(VHOSTS[at]).expect("it was there");
            let again = decide(&self.catalog, content, asked);
            assert!(matches!(again, Ok(None)), "{asked:?} again: {again:?}");
        }
    }

    fn force(&mut self, at: usize, forced: &Forced, stutters: bool) {
        let model = self.model[at].as_mut();
        let vhost = vhost_name(at);
        let change = match forced {
            Forced::Bind(ends) => {
                let row = ends.row();
                if let Some(model) = model
                    && model.exchanges.contains_key(&row.0)
                    && model.has(&row.1)
                {
                    model.bindings.insert(row);
                }
                Change::Bound(vhost, ends.binding())
            }
            Forced::Unbind(ends) => {
                if let Some(model) = model {
                    model.unbind_where(|row| *row == ends.row());
                }
                Change::Unbound(vhost, ends.binding())
            }
            Forced::DeleteExchange(name) => {
                if let Some(model) = model {
                    model
                        .delete_exchange(EXCHANGES[*name], false)
                        .expect("not a reserved name");
                }
                Change::ExchangeDeleted(vhost, exchange_name(EXCHANGES[*name]))
            }
        };
        self.apply(change, stutters);
    }

    fn apply(&mut self, change: Change, stutters: bool) {
        let times = if stutters { 2 } else { 1 };
        for _ in 0..times {
            let (effects, logged) = self.catalog.apply_logged(change.clone());
            for effect in effects {
                self.running.carry_out(effect);
            }
            self.kept.log(logged);
        }
    }

    fn compare(&self) {
        let mut links: BTreeMap<ExchangeId, Vec<_>> = BTreeMap::new();
        let mut queues = BTreeMap::new();
        let mut exchange_rules = BTreeMap::new();
        for (name, model) in VHOSTS.iter().zip(&self.model) {
            let content = self.catalog.vhost(name);
            assert_eq!(content.is_some(), model.is_some(), "vhost {name}");
            let (Some(content), Some(model)) = (content, model) else {
                continue;
            };
            compare_vhost(content, model);
            queues.extend(
                content
                    .queues()
                    .map(|queue| (queue.id, content.queue_rules(queue))),
            );
            let rules = content.exchanges().map(|x| (x.id, content.exchange_rules(x)));
            exchange_rules.extend(rules);
            links.extend(content.exchanges().map(|exchange| (exchange.id, Vec::new())));
            for binding in content.bindings().iter() {
                let source = content
                    .exchange(binding.source.as_str())
                    .expect("no source without exchange");
                let destination = match &binding.destination {
                    Endpoint::Queue(name) => content.queue(name.as_str()).map(|q| Destination::Queue(q.id)),
                    Endpoint::Exchange(name) => content
                        .exchange(name.as_str())
                        .map(|x| Destination::Exchange(x.id)),
                };
                let destination = destination.expect("no binding to a missing end");
                links
                    .get_mut(&source.id)
                    .unwrap()
                    .push((destination, binding.key, binding.arguments));
            }
        }
        assert_eq!(self.running.queues, queues);
        assert_eq!(self.running.exchange_rules, exchange_rules);
        assert_eq!(sorted(&self.running.exchanges), sorted(&links));
    }
}

fn decide(catalog: &Catalog, content: &VhostContent, asked: &Action) -> Result<Option<Change>, Refusal> {
    match asked {
        Action::DeclareExchange(exchange, name) => {
            let Exchange {
                kind,
                durable,
                auto_delete,
                internal,
                alternate: number,
            } = *exchange;
            let (name, kind) = (exchange_name(EXCHANGES[*name]), kind.to_owned());
            let arguments = alternate(number);
            let asked = ExchangeDeclaration {
                name,
                kind,
                durable,
                auto_delete,
                internal,
                arguments,
            };
            catalog.decide_exchange(content, &asked)
        }
        Action::DeclareQueue { name, wish } => {
            let Wish {
                durable,
                exclusive,
                auto_delete,
                server_named,
                arguments,
                session,
            } = *wish;
            let (name, arguments) = (queue_name(QUEUES[*name]), queue_arguments(arguments));
            let asked = QueueDeclaration {
                name,
                server_named,
                durable,
                exclusive,
                auto_delete,
                arguments,
            };
            catalog.decide_queue(content, &asked, SessionId(session))
        }
        Action::DeleteExchange { name, if_unused } => {
            content.decide_exchange_deletion(&exchange_name(EXCHANGES[*name]), *if_unused)
        }
        Action::Bind(ends) => content.decide_binding(ends.binding(), SessionId(ends.session)),
        Action::Unbind(ends) => content.decide_unbinding(ends.binding(), SessionId(ends.session)),
        other => panic!("not a question: {other:?}"),
    }
}

fn compare_vhost(content: &VhostContent, model: &Model) {
    let exchanges: BTreeMap<_, _> = content
        .exchanges()
        .map(|x| (x.name.as_str().to_owned(), x))
        .collect();
    assert!(
        exchanges.keys().eq(model.exchanges.keys()),
        "{exchanges:?} but {:?}",
        model.exchanges
    );
    for (name, wanted) in &model.exchanges {
        let found = exchanges[name];
        let flags = (
            found.kind.name(),
            found.durable,
            found.auto_delete,
            found.internal,
        );
        assert_eq!(
            flags,
            (wanted.kind, wanted.durable, wanted.auto_delete, wanted.internal),
            "{name}"
        );
        assert_eq!(found.arguments, alternate(wanted.alternate), "{name}");
    }
    let queues: BTreeMap<_, _> = content
        .queues()
        .map(|q| (q.name.as_str().to_owned(), q))
        .collect();
    assert!(
        queues.keys().eq(model.queues.keys()),
        "{queues:?} but {:?}",
        model.queues
    );
    for (name, wanted) in &model.queues {
        let found = queues[name];
        assert_eq!(found.durable, wanted.durable && !wanted.exclusive, "{name}");
        assert_eq!(
            found.owner,
            wanted.exclusive.then_some(SessionId(wanted.session)),
            "{name}"
        );
        assert_eq!(found.auto_delete, wanted.auto_delete, "{name}");
        assert_eq!(found.arguments, queue_arguments(wanted.arguments), "{name}");
    }
    let bindings: Vec<Binding> = content.bindings().iter().collect();
    assert_eq!(
        bindings.len(),
        model.bindings.len(),
        "{bindings:?} but {:?}",
        model.bindings
    );
    for (source, to, key, arguments) in &model.bindings {
        let destination = match to {
            End::Queue(name) => Endpoint::Queue(queue_name(name)),
            End::Exchange(name) => Endpoint::Exchange(exchange_name(name)),
        };
        let (source, key) = (exchange_name(source), key.to_string().into());
        let wanted = Binding {
            source,
            destination,
            key,
            arguments: binding_arguments(*arguments),
        };
        assert!(bindings.contains(&wanted), "{wanted:?} is not among {bindings:?}");
        assert!(content.bindings().contains(&wanted), "{wanted:?} is not found");
    }
}

type Links = BTreeMap<ExchangeId, Vec<(Destination, Box<str>, Table)>>;

/// Tables have no order of their own; their notation has.
fn sorted(links: &Links) -> BTreeMap<ExchangeId, Vec<String>> {
    let lines = links.iter().map(|(id, table)| {
        let mut lines: Vec<String> = table.iter().map(|link| format!("{link:?}")).collect();
        lines.sort();
        (*id, lines)
    });
    lines.collect()
}
