//! What is done to a catalog: steps over a small name space, made of any bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::{
    ApplyTo, Binding, Endpoint, ExchangeName, Parameter, Permission, Policy, PolicyScope, QueueName, Table,
    TopicPermission, User, UserName, Value, VhostName,
};

pub(super) const EXCHANGES: [&str; 7] = ["x0", "x1", "x2", "x3", "", "amq.topic", "amq.nope"];
pub(super) const QUEUES: [&str; 4] = ["q0", "q1", "q2", "amq.q"];
pub(super) const KINDS: [&str; 5] = ["direct", "topic", "headers", "fanout", "nope"];
pub(super) const VHOSTS: [&str; 2] = ["/", "other"];
/// Component and name.
pub(super) const PARAMETERS: [(&str, &str); 3] = [("c", "p0"), ("c", "p1"), ("d", "p0")];
pub(super) const USERS: [&str; 2] = ["u0", "u1"];
const POLICIES: [&str; 3] = ["p0", "p1", "p2"];

/// One thing done to a catalog, in the virtual host `vhost`. Numbers index the small name space above.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) vhost: usize,
    pub(super) action: Action,
    /// The change is applied twice in a row.
    pub(super) stutters: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Action {
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
    /// A user with a permission in a virtual host.
    PutUser {
        name: usize,
        vhost: usize,
    },
    DeleteUser(usize),
    /// A parameter of the virtual host, or of the whole cluster.
    PutParameter {
        name: usize,
        value: u8,
        is_global: bool,
    },
    DeleteParameter {
        name: usize,
        is_global: bool,
    },
    PutPolicy(PolicyScope, Policy),
    DeletePolicy(PolicyScope, &'static str),
}

#[derive(Debug, Clone)]
pub(super) enum Forced {
    Bind(Ends),
    Unbind(Ends),
    DeleteExchange(usize),
}

/// A binding and who asks for it.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    pub(super) source: usize,
    /// Queues first, then exchanges.
    pub(super) destination: usize,
    pub(super) key: u8,
    pub(super) arguments: u8,
    pub(super) session: u64,
}

/// An exchange as declared, but for its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) kind: &'static str,
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
    pub(super) internal: bool,
    pub(super) alternate: u8,
}

/// A queue as asked for, but for its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) durable: bool,
    pub(super) exclusive: bool,
    pub(super) auto_delete: bool,
    pub(super) server_named: bool,
    pub(super) arguments: u8,
    pub(super) session: u64,
}

impl Action {
    fn of_parameter(a: u8, b: u8, c: u8) -> Self {
        let (name, is_global) = (usize::from(b % 3), b >= 128);
        match a < 80 {
            true => Self::PutParameter {
                name,
                value: c,
                is_global,
            },
            false => Self::DeleteParameter { name, is_global },
        }
    }
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
            30 if a < 96 => Action::of_parameter(a, b, c),
            30 if a < 160 => Action::PutPolicy(scope(c), policy(b, c)),
            30 if a < 192 => Action::DeletePolicy(scope(c), POLICIES[usize::from(b % 3)]),
            31 if a < 96 => Action::PutUser {
                name: usize::from(b % 2),
                vhost: usize::from(c % 2),
            },
            31 if a < 128 => Action::DeleteUser(usize::from(b % 2)),
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
pub(super) fn rarely(byte: u8, common: usize, all: usize) -> usize {
    let byte = usize::from(byte);
    if byte < 208 { byte % common } else { byte % all }
}

pub(super) fn vhost_name(at: usize) -> VhostName {
    VhostName::new(VHOSTS[at]).unwrap()
}

pub(super) fn exchange_name(text: &str) -> ExchangeName {
    ExchangeName::new(text).unwrap()
}

pub(super) fn queue_name(text: &str) -> QueueName {
    QueueName::new(text).unwrap()
}

pub(super) fn user_name(at: usize) -> UserName {
    UserName::new(USERS[at]).unwrap()
}

/// A user who may do something in one virtual host.
pub(super) fn user(at: usize, vhost: usize) -> User {
    let (mut user, vhost) = (User::new(user_name(at)), vhost_name(vhost));
    let permission = Permission::new("^q", "", ".*").unwrap();
    let topic = TopicPermission::new("^{username}", "^{vhost}", &user.name, &vhost).unwrap();
    user.tags.push(USERS[at].into());
    user.permissions.insert(vhost.clone(), permission);
    let topics = [(exchange_name("amq.topic"), topic)].into_iter().collect();
    user.topic_permissions.insert(vhost, topics);
    user
}

/// A parameter of one of two components.
pub(super) fn parameter(at: usize, value: u8) -> Parameter {
    Parameter {
        component: PARAMETERS[at].0.into(),
        name: PARAMETERS[at].1.into(),
        value: Value::I64(value.into()),
    }
}

fn scope(byte: u8) -> PolicyScope {
    match byte & 1 {
        0 => PolicyScope::Users,
        _ => PolicyScope::Operators,
    }
}

/// A policy of three names, which may be for some of the exchanges and queues and may not.
fn policy(a: u8, b: u8) -> Policy {
    let of = |choices: [&'static str; 4], byte: u8| choices[usize::from(byte % 4)];
    let pattern = of(["", "0", "^q", "^x[12]"], b >> 1);
    let apply_to = of(["all", "queues", "exchanges", "quorum_queues"], b >> 3);
    let key = of(
        ["max-length", "delivery-limit", "alternate-exchange", "expires"],
        b >> 5,
    );
    let value = match key {
        "alternate-exchange" => Value::from(EXCHANGES[usize::from(a / 16 % 4)]),
        _ => Value::I64(i64::from(a / 16) + 1),
    };
    let definition = [(key, value)].into_iter().collect();
    let apply_to = ApplyTo::named(apply_to).unwrap();
    let (name, is_operators) = (POLICIES[usize::from(a % 3)], scope(b) == PolicyScope::Operators);
    match Policy::new(
        name,
        pattern,
        apply_to,
        i64::from(a / 3 % 3),
        definition,
        is_operators,
    ) {
        Ok(policy) => policy,
        // Operators have no alternate exchanges.
        Err(_) => policy(a, b | 1 << 5),
    }
}

/// The alternate exchange that a number stands for: none, names, and no name at all.
pub(super) fn alternate(number: u8) -> Table {
    let value = match number {
        0..=3 => return Table::new(),
        4 | 5 => Value::from("x0"),
        6 => Value::from("x1"),
        _ => Value::Bool(true),
    };
    [("alternate-exchange", value)].into_iter().collect()
}

/// Queue arguments: some that count, in two widths, and one that nobody knows.
pub(super) fn queue_arguments(number: u8) -> Table {
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
pub(super) fn argument_class(number: u8) -> u8 {
    match number {
        3 | 4 => 1,
        5 => 2,
        _ => 0,
    }
}

pub(super) fn alternate_class(number: u8) -> u8 {
    match number {
        0..=3 => 0,
        4 | 5 => 1,
        6 => 2,
        _ => 3,
    }
}

/// Binding arguments: none, two that differ only in width, and two for headers, one of them wrong there.
pub(super) fn binding_arguments(number: u8) -> Table {
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
    pub(super) fn binding(&self) -> Binding {
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

    pub(super) fn to_exchange(&self) -> Option<&'static str> {
        self.destination.checked_sub(QUEUES.len()).map(|at| EXCHANGES[at])
    }

    pub(super) fn row(&self) -> Row {
        let to = match self.to_exchange() {
            Some(name) => End::Exchange(name.to_owned()),
            None => End::Queue(QUEUES[self.destination].to_owned()),
        };
        (EXCHANGES[self.source].to_owned(), to, self.key, self.arguments)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Queue(String),
    Exchange(String),
}

/// A binding: source, destination, key, arguments.
pub(super) type Row = (String, End, u8, u8);
