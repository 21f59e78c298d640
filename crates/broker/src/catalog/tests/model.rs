//! A catalog without cleverness, and the two of them side by side.
//!
//! [`Model`] keeps what exists in plain sorted collections and states each rule in one sentence. [`Trial`]
//! asks a [`Catalog`] and the model the same questions, makes the changes in both and panics where they
//! differ; it also plays the effects into a [`Running`] broker that knows ids only, as the node does. The
//! property tests and the fuzz target drive the same trial, which is why everything of the crate comes in
//! by way of `super`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Binding, Catalog, Change, Destination, Effect, Endpoint, ExchangeDeclaration, ExchangeId, ExchangeName,
    Link, QueueDeclaration, QueueId, QueueName, Refusal, SessionId, Table, Value, Vhost, VhostContent,
    VhostName,
};

const EXCHANGES: [&str; 7] = ["x0", "x1", "x2", "x3", "", "amq.topic", "amq.nope"];
const QUEUES: [&str; 4] = ["q0", "q1", "q2", "amq.q"];
const KINDS: [&str; 5] = ["direct", "topic", "headers", "fanout", "nope"];
const VHOSTS: [&str; 2] = ["/", "other"];

/// One thing done to a catalog, in the virtual host `vhost`. Numbers index the small name space above.
#[derive(Debug, Clone)]
pub(super) struct Step {
    vhost: usize,
    action: Action,
    /// The change is applied twice in a row.
    stutters: bool,
}

#[derive(Debug, Clone)]
enum Action {
    DeclareExchange(Exchange, usize),
    DeclareQueue {
        name: usize,
        wish: Wish,
    },
    DeleteExchange {
        name: usize,
        if_unused: bool,
    },
    DeleteQueue(usize),
    Bind(Ends),
    Unbind(Ends),
    /// Applied without being decided: what does not concern anything that exists has no effect.
    Forced(Forced),
    PutVhost,
    DeleteVhost,
}

#[derive(Debug, Clone)]
enum Forced {
    Bind(Ends),
    Unbind(Ends),
    DeleteExchange(usize),
}

/// A binding and who asks for it.
#[derive(Debug, Clone)]
struct Ends {
    source: usize,
    /// Queues first, then exchanges.
    destination: usize,
    key: u8,
    arguments: u8,
    session: u64,
}

/// An exchange as declared, but for its name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exchange {
    kind: &'static str,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    alternate: u8,
}

/// A queue as asked for, but for its name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wish {
    durable: bool,
    exclusive: bool,
    auto_delete: bool,
    server_named: bool,
    arguments: u8,
    session: u64,
}

impl Step {
    /// Any four bytes are a step; zeros are a simple one, for the sake of shrinking.
    pub(super) fn of([kind, a, b, c]: [u8; 4]) -> Self {
        let bit = |n: u8| b >> n & 1 != 0;
        let ends = Ends {
            source: rarely(a, 4, EXCHANGES.len()),
            destination: usize::from(b) % (QUEUES.len() + EXCHANGES.len()),
            key: c % 2,
            arguments: c / 2 % 5,
            session: 1 + u64::from(c >= 192),
        };
        let action = match kind % 32 {
            0..=7 => Action::Bind(ends),
            8..=12 => {
                let kind = KINDS[rarely(c, 4, KINDS.len())];
                let [durable, auto_delete] = [bit(0), bit(1) || bit(2)];
                let (internal, alternate) = (bit(3) && bit(4), c / 32);
                let exchange = Exchange {
                    kind,
                    durable,
                    auto_delete,
                    internal,
                    alternate,
                };
                Action::DeclareExchange(exchange, rarely(a, 4, EXCHANGES.len()))
            }
            13..=16 => {
                let [durable, exclusive, auto_delete] = [bit(0), bit(1) && bit(2), bit(3) && bit(4)];
                let (server_named, arguments, session) = (bit(5) && bit(6), c % 7, 1 + u64::from(c / 7 % 2));
                let wish = Wish {
                    durable,
                    exclusive,
                    auto_delete,
                    server_named,
                    arguments,
                    session,
                };
                Action::DeclareQueue {
                    name: rarely(a, 3, QUEUES.len()),
                    wish,
                }
            }
            17..=21 => Action::Unbind(ends),
            22 | 23 => Action::DeleteExchange {
                name: rarely(a, 4, EXCHANGES.len()),
                if_unused: bit(0),
            },
            24..=26 => Action::DeleteQueue(rarely(a, 3, QUEUES.len())),
            27 => Action::Forced(Forced::Bind(ends)),
            28 => Action::Forced(Forced::Unbind(ends)),
            29 => Action::Forced(Forced::DeleteExchange(rarely(a, 4, 4))),
            30 if a < 64 => Action::DeleteVhost,
            _ => Action::PutVhost,
        };
        Self {
            vhost: usize::from(kind >= 224),
            action,
            stutters: kind & 32 != 0,
        }
    }
}

/// One of the first `common` numbers, or now and then any below `all`.
fn rarely(byte: u8, common: usize, all: usize) -> usize {
    let byte = usize::from(byte);
    if byte < 208 { byte % common } else { byte % all }
}

fn vhost_name(at: usize) -> VhostName {
    VhostName::new(VHOSTS[at]).unwrap()
}

fn exchange_name(text: &str) -> ExchangeName {
    ExchangeName::new(text).unwrap()
}

fn queue_name(text: &str) -> QueueName {
    QueueName::new(text).unwrap()
}

/// The alternate exchange that a number stands for: none, names, and no name at all.
fn alternate(number: u8) -> Table {
    let value = match number {
        0..=3 => return Table::new(),
        4 | 5 => Value::from("x0"),
        6 => Value::from("x1"),
        _ => Value::Bool(true),
    };
    [("alternate-exchange", value)].into_iter().collect()
}

/// Queue arguments: some that count, in two widths, and one that nobody knows.
fn queue_arguments(number: u8) -> Table {
    let (name, value) = match number {
        0..=2 => return Table::new(),
        3 => ("x-max-length", Value::I32(5)),
        4 => ("x-max-length", Value::I64(5)),
        5 => ("x-max-length", Value::I8(6)),
        _ => ("x-unknown", Value::Bool(true)),
    };
    [(name, value)].into_iter().collect()
}

/// Which numbers mean the same arguments to a redeclaration.
fn argument_class(number: u8) -> u8 {
    match number {
        3 | 4 => 1,
        5 => 2,
        _ => 0,
    }
}

fn alternate_class(number: u8) -> u8 {
    match number {
        4 | 5 => 1,
        6 => 2,
        _ => 0,
    }
}

/// Binding arguments: none, two that differ only in width, and two for headers, one of them wrong there.
fn binding_arguments(number: u8) -> Table {
    let (name, value) = match number {
        0 => return Table::new(),
        1 => ("a", Value::I32(1)),
        2 => ("a", Value::I64(1)),
        3 => ("x-match", Value::from("any")),
        _ => ("x-match", Value::from("neither")),
    };
    [(name, value)].into_iter().collect()
}

impl Ends {
    fn binding(&self) -> Binding {
        let destination = match self.destination.checked_sub(QUEUES.len()) {
            None => Endpoint::Queue(queue_name(QUEUES[self.destination])),
            Some(at) => Endpoint::Exchange(exchange_name(EXCHANGES[at])),
        };
        Binding {
            source: exchange_name(EXCHANGES[self.source]),
            destination,
            key: self.key.to_string().into(),
            arguments: binding_arguments(self.arguments),
        }
    }

    fn to_exchange(&self) -> Option<&'static str> {
        self.destination.checked_sub(QUEUES.len()).map(|at| EXCHANGES[at])
    }

    fn row(&self) -> Row {
        let to = match self.to_exchange() {
            Some(name) => End::Exchange(name.to_owned()),
            None => End::Queue(QUEUES[self.destination].to_owned()),
        };
        (EXCHANGES[self.source].to_owned(), to, self.key, self.arguments)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Queue(String),
    Exchange(String),
}

/// A binding: source, destination, key, arguments.
type Row = (String, End, u8, u8);

/// What an operation comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Changes,
    ChangesNothing,
    Refused(&'static str),
}

use Outcome::{Changes, ChangesNothing, Refused};

impl Outcome {
    fn of(decided: &Result<Option<Change>, Refusal>) -> Self {
        match decided {
            Ok(Some(_)) => Changes,
            Ok(None) => ChangesNothing,
            Err(refusal) => Refused(word(refusal)),
        }
    }
}

fn word(refusal: &Refusal) -> &'static str {
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
struct Model {
    exchanges: BTreeMap<String, Exchange>,
    queues: BTreeMap<String, Wish>,
    bindings: BTreeSet<Row>,
}

impl Model {
    fn predeclared() -> Self {
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

    fn declare_exchange(&mut self, name: &str, asked: &Exchange) -> Outcome {
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

    fn declare_queue(&mut self, name: &str, asked: &Wish) -> Outcome {
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

    fn delete_exchange(&mut self, name: &str, if_unused: bool) -> Outcome {
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

    fn delete_queue(&mut self, name: &str) {
        self.queues.remove(name);
        self.unbind_where(|(_, to, ..)| matches!(to, End::Queue(to) if to == name));
    }

    /// An auto-delete exchange that had a binding before and has none now goes, until none does.
    fn unbind_where(&mut self, mut goes: impl FnMut(&Row) -> bool) {
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

    fn is_locked(&self, to: &End, session: u64) -> bool {
        let End::Queue(name) = to else { return false };
        self.queues
            .get(name)
            .is_some_and(|queue| queue.exclusive && queue.session != session)
    }

    fn has(&self, to: &End) -> bool {
        match to {
            End::Queue(name) => self.queues.contains_key(name),
            End::Exchange(name) => self.exchanges.contains_key(name),
        }
    }

    fn bind(&mut self, ends: &Ends) -> Outcome {
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

    fn unbind(&mut self, ends: &Ends) -> Outcome {
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

/// A broker that does what effects say and knows nothing but ids.
#[derive(Debug, Default)]
struct Running {
    vhosts: BTreeSet<VhostName>,
    exchanges: BTreeMap<ExchangeId, Vec<(Destination, Box<str>, Table)>>,
    queues: BTreeSet<QueueId>,
}

impl Running {
    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::UsersChanged => {}
            Effect::VhostCreated(name) => assert!(self.vhosts.insert(name), "a vhost created twice"),
            Effect::VhostDeleted(name) => assert!(self.vhosts.remove(&name), "a vhost deleted twice"),
            Effect::ExchangeCreated(vhost, exchange) => {
                assert!(self.vhosts.contains(&vhost));
                let before = self.exchanges.insert(exchange.id, Vec::new());
                assert!(before.is_none(), "{exchange:?} created twice");
            }
            Effect::ExchangeDeleted(_, exchange) => {
                assert!(
                    self.exchanges.remove(&exchange.id).is_some(),
                    "{exchange:?} deleted twice"
                );
            }
            Effect::QueueCreated(vhost, queue) => {
                assert!(self.vhosts.contains(&vhost));
                assert!(self.queues.insert(queue.id), "{queue:?} created twice");
            }
            Effect::QueueDeleted(_, queue) => {
                assert!(self.queues.remove(&queue.id), "{queue:?} deleted twice");
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

/// A catalog, the model of it, and a broker that runs by its effects.
#[derive(Debug, Default)]
pub(super) struct Trial {
    catalog: Catalog,
    model: [Option<Model>; 2],
    running: Running,
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
            Action::Forced(forced) => self.force(at, forced, stutters),
            Action::DeleteQueue(name) => {
                // Whether it may go depends on its messages and consumers: not the catalog's affair.
                let name = QUEUES[*name];
                if let Some(model) = &mut self.model[at] {
                    model.delete_queue(name);
                }
                self.apply(Change::QueueDeleted(vhost_name(at), queue_name(name)), stutters);
            }
            asked => self.ask(at, asked, stutters),
        }
        self.compare();
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
        assert_eq!(Outcome::of(&decided), wanted, "{asked:?}: {decided:?}");
        if let Ok(Some(change)) = decided {
            self.apply(change, stutters);
            let content = self.catalog.vhost(VHOSTS[at]).expect("it was there");
            let again = decide(&self.catalog, content, asked);
            assert_eq!(Outcome::of(&again), ChangesNothing, "{asked:?} again: {again:?}");
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
                    model.delete_exchange(EXCHANGES[*name], false);
                }
                Change::ExchangeDeleted(vhost, exchange_name(EXCHANGES[*name]))
            }
        };
        self.apply(change, stutters);
    }

    fn apply(&mut self, change: Change, stutters: bool) {
        let times = if stutters { 2 } else { 1 };
        for _ in 0..times {
            for effect in self.catalog.apply(change.clone()) {
                self.running.carry_out(effect);
            }
        }
    }

    fn compare(&self) {
        let mut links: BTreeMap<ExchangeId, Vec<_>> = BTreeMap::new();
        let mut queues = BTreeSet::new();
        for (name, model) in VHOSTS.iter().zip(&self.model) {
            let content = self.catalog.vhost(name);
            assert_eq!(content.is_some(), model.is_some(), "vhost {name}");
            let (Some(content), Some(model)) = (content, model) else {
                continue;
            };
            compare_vhost(content, model);
            queues.extend(content.queues().map(|queue| queue.id));
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
