//! Changes as bytes, for the log and for checkpoints.
//!
//! ```text
//!   change    version u8 = 1 │ kind u8 │ field …                to the end of the bytes
//!   field     length │ that many bytes
//!   length    7 bits a byte, lowest first; the top bit: another byte follows (LEB128, 5 bytes at most)
//! ```
//!
//! A field's number is its place. A later writer may add fields **at the end** of any list of fields, and
//! bytes at the end of a field that is a number; a reader skips what it does not know, and a later reader
//! must do without what an earlier writer did not know. The fields below are all required. The version rises
//! only when an earlier reader would misunderstand what it reads; that reader then refuses. Kinds, codes and
//! bits never get another meaning.
//!
//! ```text
//!   kind                fields
//!    1 VhostPut         vhost │ description │ tags │ default queue type: empty, or its code
//!    2 VhostDeleted     vhost
//!    3 UserPut          user │ password: empty, or fields {algorithm │ salted hash} │ tags
//!                       │ permissions │ topic permissions │ limits
//!    4 UserDeleted      user
//!    5 ExchangePut      vhost │ name │ id u64 │ type's name │ flags u8 │ arguments
//!    6 ExchangeDeleted  vhost │ name
//!    7 QueuePut         vhost │ name │ id u64 │ type's code │ flags u8 │ arguments
//!    8 QueueDeleted     vhost │ name
//!    9 Bound            vhost │ source │ destination's kind u8 │ destination │ key │ arguments
//!   10 Unbound          the same
//!   11 PolicyPut        vhost │ scope u8 │ name │ pattern │ applies to │ priority i64 │ definition
//!   12 PolicyDeleted    vhost │ scope u8 │ name
//!   13 QueueSetAside    the fields of QueuePut
//!   14 AsideDeleted     vhost │ id u64
//!   20 ParameterPut     vhost │ component │ name │ value
//!   21 ParameterDeleted vhost │ component │ name
//!   22 GlobalParameterPut      name │ value
//!   23 GlobalParameterDeleted  name
//!
//!   tags                fields, each a text
//!   permissions         fields, each of fields {vhost │ configure │ write │ read}
//!   topic permissions   fields, each of fields {vhost │ exchange │ write │ read}
//!   limits              fields, each of fields {name │ number i64}; earlier writers had none
//!   flags               1 durable, 2 auto-delete, 4 internal
//!   queue type's code   u8: 1 classic, 2 quorum
//!   destination's kind  0 a queue, 1 an exchange
//!   scope               0 a policy of users, 1 one of operators
//!   applies to          RabbitMQ's word: all, queues, exchanges, classic_queues …
//! ```
//!
//! Integers are little-endian, texts UTF-8, patterns their source. Arguments are a table, see [`value`].
//! An exclusive queue is not durable, so an owner is never written.

mod reader;
mod value;

#[cfg(test)]
mod tests;

use super::{Binding, Change, Endpoint, Exchange, PolicyScope, Queue, QueueType, Vhost};
use crate::access::{PasswordHash, Permission, TopicPermission, User, pattern};
use crate::name::{ExchangeName, QueueName, UserName, VhostName};
use crate::parameter::Parameter;
use crate::policy::{ApplyTo, Policy};
use crate::route::{ExchangeId, ExchangeKind, QueueId};
use reader::{Reader, put_field, put_text, put_with};
use std::collections::HashMap;

/// The version that is written, and the highest that is read.
const VERSION: u8 = 1;

const VHOST_PUT: u8 = 1;
const VHOST_DELETED: u8 = 2;
const USER_PUT: u8 = 3;
const USER_DELETED: u8 = 4;
const EXCHANGE_PUT: u8 = 5;
const EXCHANGE_DELETED: u8 = 6;
const QUEUE_PUT: u8 = 7;
const QUEUE_DELETED: u8 = 8;
const BOUND: u8 = 9;
const UNBOUND: u8 = 10;
const POLICY_PUT: u8 = 11;
const POLICY_DELETED: u8 = 12;
const QUEUE_SET_ASIDE: u8 = 13;
const ASIDE_DELETED: u8 = 14;
const PARAMETER_PUT: u8 = 20;
const PARAMETER_DELETED: u8 = 21;
const GLOBAL_PARAMETER_PUT: u8 = 22;
const GLOBAL_PARAMETER_DELETED: u8 = 23;

const DURABLE: u8 = 1;
const AUTO_DELETE: u8 = 2;
const INTERNAL: u8 = 4;

const CLASSIC: u8 = 1;
const QUORUM: u8 = 2;

const TO_QUEUE: u8 = 0;
const TO_EXCHANGE: u8 = 1;

const OF_USERS: u8 = 0;
const OF_OPERATORS: u8 = 1;

/// Why bytes are no change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They end too early.
    #[error("the bytes end too early")]
    Short,
    /// A length that does not end.
    #[error("a length of too many bytes")]
    Length,
    /// Written by a later version, in a way that this one would misunderstand.
    #[error("version {0} of a change is newer than {VERSION}")]
    Version(u8),
    /// No such kind of change.
    #[error("no kind {0} of change")]
    Kind(u8),
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// A name of too many bytes.
    #[error(transparent)]
    Name(#[from] crate::name::Error),
    /// A pattern that does not compile.
    #[error(transparent)]
    Pattern(#[from] pattern::Error),
    /// A type of exchange that is not known here.
    #[error("no exchange type '{0}'")]
    ExchangeType(Box<str>),
    /// A type of queue that is not known here.
    #[error("no queue type {0}")]
    QueueType(u8),
    /// Neither a queue nor an exchange.
    #[error("no kind {0} of destination")]
    Destination(u8),
    /// Neither users' policies nor operators'.
    #[error("no scope {0} of policies")]
    Scope(u8),
    /// A kind of objects that policies may be for and that is not known here.
    #[error("no policy applies to '{0}'")]
    ApplyTo(Box<str>),
    /// A type of value that is not known here.
    #[error("no type {0} of value")]
    ValueType(u8),
    /// Tables or arrays nested too deep.
    #[error("values nested deeper than {}", value::DEPTH_MAX)]
    Deep,
}

/// Appends a change, and nothing else, to `out`.
pub fn encode(change: &Change, out: &mut Vec<u8>) {
    out.push(VERSION);
    match change {
        Change::VhostPut(vhost) => {
            out.push(VHOST_PUT);
            put_vhost(out, vhost);
        }
        Change::VhostDeleted(name) => {
            out.push(VHOST_DELETED);
            put_text(out, name.as_str());
        }
        Change::UserPut(user) => {
            out.push(USER_PUT);
            put_user(out, user);
        }
        Change::UserDeleted(name) => {
            out.push(USER_DELETED);
            put_text(out, name.as_str());
        }
        Change::ExchangePut(vhost, exchange) => {
            out.push(EXCHANGE_PUT);
            put_exchange(out, vhost, exchange);
        }
        Change::ExchangeDeleted(vhost, name) => {
            out.push(EXCHANGE_DELETED);
            put_all(out, &[vhost.as_str(), name.as_str()]);
        }
        Change::QueuePut(vhost, queue) => {
            out.push(QUEUE_PUT);
            put_queue(out, vhost, queue);
        }
        Change::QueueDeleted(vhost, name) => {
            out.push(QUEUE_DELETED);
            put_all(out, &[vhost.as_str(), name.as_str()]);
        }
        Change::QueueSetAside(vhost, queue) => {
            out.push(QUEUE_SET_ASIDE);
            put_queue(out, vhost, queue);
        }
        Change::AsideDeleted(vhost, id) => {
            out.push(ASIDE_DELETED);
            put_text(out, vhost.as_str());
            put_field(out, &id.0.to_le_bytes());
        }
        Change::Bound(vhost, binding) => {
            out.push(BOUND);
            put_binding(out, vhost, binding);
        }
        Change::Unbound(vhost, binding) => {
            out.push(UNBOUND);
            put_binding(out, vhost, binding);
        }
        Change::PolicyPut(vhost, scope, policy) => {
            out.push(POLICY_PUT);
            put_policy(out, vhost, *scope, policy);
        }
        Change::PolicyDeleted(vhost, scope, name) => {
            out.push(POLICY_DELETED);
            put_policy_name(out, vhost, *scope, name);
        }
        Change::ParameterPut(..)
        | Change::ParameterDeleted(..)
        | Change::GlobalParameterPut(..)
        | Change::GlobalParameterDeleted(_) => encode_parameter(change, out),
    }
}

fn encode_parameter(change: &Change, out: &mut Vec<u8>) {
    match change {
        Change::ParameterPut(vhost, parameter) => {
            out.push(PARAMETER_PUT);
            put_parameter(out, vhost, parameter);
        }
        Change::ParameterDeleted(vhost, component, name) => {
            out.push(PARAMETER_DELETED);
            put_all(out, &[vhost.as_str(), component, name]);
        }
        Change::GlobalParameterPut(name, value) => {
            out.push(GLOBAL_PARAMETER_PUT);
            put_text(out, name);
            put_with(out, |out| value::put_value(out, value));
        }
        Change::GlobalParameterDeleted(name) => {
            out.push(GLOBAL_PARAMETER_DELETED);
            put_text(out, name);
        }
        _ => {}
    }
}

/// Reads a change that takes up all of `bytes`.
///
/// # Errors
/// [`Malformed`] when they are none, or one that this version does not know.
pub fn decode(bytes: &[u8]) -> Result<Change, Malformed> {
    let (version, kind, mut fields) = match bytes {
        [version, kind, fields @ ..] => (*version, *kind, Reader::new(fields)),
        _ => return Err(Malformed::Short),
    };
    if version > VERSION {
        return Err(Malformed::Version(version));
    }
    let fields = &mut fields;
    Ok(match kind {
        VHOST_PUT => Change::VhostPut(vhost(fields)?),
        VHOST_DELETED => Change::VhostDeleted(fields.name(VhostName::new)?),
        USER_PUT => Change::UserPut(user(fields)?),
        USER_DELETED => Change::UserDeleted(fields.name(UserName::new)?),
        EXCHANGE_PUT => Change::ExchangePut(fields.name(VhostName::new)?, exchange(fields)?),
        EXCHANGE_DELETED => {
            Change::ExchangeDeleted(fields.name(VhostName::new)?, fields.name(ExchangeName::new)?)
        }
        QUEUE_PUT => Change::QueuePut(fields.name(VhostName::new)?, queue(fields)?),
        QUEUE_DELETED => Change::QueueDeleted(fields.name(VhostName::new)?, fields.name(QueueName::new)?),
        QUEUE_SET_ASIDE => Change::QueueSetAside(fields.name(VhostName::new)?, queue(fields)?),
        ASIDE_DELETED => Change::AsideDeleted(fields.name(VhostName::new)?, QueueId(fields.number()?)),
        BOUND => Change::Bound(fields.name(VhostName::new)?, binding(fields)?),
        UNBOUND => Change::Unbound(fields.name(VhostName::new)?, binding(fields)?),
        PARAMETER_PUT => Change::ParameterPut(fields.name(VhostName::new)?, parameter(fields)?),
        PARAMETER_DELETED => {
            let vhost = fields.name(VhostName::new)?;
            Change::ParameterDeleted(vhost, fields.text()?.into(), fields.text()?.into())
        }
        GLOBAL_PARAMETER_PUT => {
            Change::GlobalParameterPut(fields.text()?.into(), value::value(fields.field()?)?)
        }
        GLOBAL_PARAMETER_DELETED => Change::GlobalParameterDeleted(fields.text()?.into()),
        POLICY_PUT => {
            let vhost = fields.name(VhostName::new)?;
            let scope = scope(fields.byte()?)?;
            Change::PolicyPut(vhost, scope, policy(fields)?)
        }
        POLICY_DELETED => {
            let vhost = fields.name(VhostName::new)?;
            Change::PolicyDeleted(vhost, scope(fields.byte()?)?, fields.text()?.into())
        }
        other => return Err(Malformed::Kind(other)),
    })
}

fn put_all(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        put_text(out, text);
    }
}

fn put_vhost(out: &mut Vec<u8>, vhost: &Vhost) {
    put_text(out, vhost.name.as_str());
    put_text(out, &vhost.description);
    put_with(out, |out| put_texts(out, &vhost.tags));
    put_with(out, |out| {
        out.extend(vhost.default_queue_type.map(queue_type_code));
    });
}

fn put_parameter(out: &mut Vec<u8>, vhost: &VhostName, parameter: &Parameter) {
    put_all(out, &[vhost.as_str(), &parameter.component, &parameter.name]);
    put_with(out, |out| value::put_value(out, &parameter.value));
}

fn put_texts(out: &mut Vec<u8>, texts: &[Box<str>]) {
    for text in texts {
        put_text(out, text);
    }
}

fn put_user(out: &mut Vec<u8>, user: &User) {
    put_text(out, user.name.as_str());
    put_with(out, |out| {
        if let Some(hash) = &user.password_hash {
            put_text(out, &hash.algorithm);
            put_field(out, &hash.salted);
        }
    });
    put_with(out, |out| put_texts(out, &user.tags));
    put_with(out, |out| {
        for (vhost, permission) in in_order(&user.permissions) {
            let patterns = [&permission.configure, &permission.write, &permission.read];
            put_with(out, |out| {
                put_text(out, vhost.as_str());
                for pattern in patterns {
                    put_text(out, pattern.as_str());
                }
            });
        }
    });
    put_with(out, |out| {
        for (vhost, topics) in in_order(&user.topic_permissions) {
            for (exchange, permission) in in_order(topics) {
                put_with(out, |out| {
                    put_text(out, vhost.as_str());
                    put_text(out, exchange.as_str());
                    put_text(out, permission.write.as_str());
                    put_text(out, permission.read.as_str());
                });
            }
        }
    });
    put_with(out, |out| {
        for (name, number) in user.limits.iter() {
            put_with(out, |out| {
                put_text(out, name);
                put_field(out, &number.to_le_bytes());
            });
        }
    });
}

/// A map's entries in the order of their names: what is equal is written as equal bytes.
fn in_order<K: Ord, V>(map: &HashMap<K, V>) -> Vec<(&K, &V)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(name, _)| *name);
    entries
}

fn put_exchange(out: &mut Vec<u8>, vhost: &VhostName, exchange: &Exchange) {
    let flags = [
        (exchange.durable, DURABLE),
        (exchange.auto_delete, AUTO_DELETE),
        (exchange.internal, INTERNAL),
    ];
    put_text(out, vhost.as_str());
    put_text(out, exchange.name.as_str());
    put_field(out, &exchange.id.0.to_le_bytes());
    put_text(out, exchange.kind.name());
    put_flags(out, &flags);
    put_with(out, |out| value::put_table(out, &exchange.arguments));
}

fn put_queue(out: &mut Vec<u8>, vhost: &VhostName, queue: &Queue) {
    put_text(out, vhost.as_str());
    put_text(out, queue.name.as_str());
    put_field(out, &queue.id.0.to_le_bytes());
    put_field(out, &[queue_type_code(queue.queue_type)]);
    put_flags(out, &[(queue.durable, DURABLE), (queue.auto_delete, AUTO_DELETE)]);
    put_with(out, |out| value::put_table(out, &queue.arguments));
}

fn put_binding(out: &mut Vec<u8>, vhost: &VhostName, binding: &Binding) {
    let (kind, destination) = match &binding.destination {
        Endpoint::Queue(name) => (TO_QUEUE, name.as_str()),
        Endpoint::Exchange(name) => (TO_EXCHANGE, name.as_str()),
    };
    put_text(out, vhost.as_str());
    put_text(out, binding.source.as_str());
    put_field(out, &[kind]);
    put_text(out, destination);
    put_text(out, &binding.key);
    put_with(out, |out| value::put_table(out, &binding.arguments));
}

fn put_policy_name(out: &mut Vec<u8>, vhost: &VhostName, scope: PolicyScope, name: &str) {
    put_text(out, vhost.as_str());
    put_field(out, &[scope_code(scope)]);
    put_text(out, name);
}

fn put_policy(out: &mut Vec<u8>, vhost: &VhostName, scope: PolicyScope, policy: &Policy) {
    put_text(out, vhost.as_str());
    put_field(out, &[scope_code(scope)]);
    put_text(out, &policy.name);
    put_text(out, policy.pattern.as_str());
    put_text(out, policy.apply_to.name());
    put_field(out, &policy.priority.to_le_bytes());
    put_with(out, |out| value::put_table(out, &policy.definition));
}

fn scope_code(scope: PolicyScope) -> u8 {
    match scope {
        PolicyScope::Users => OF_USERS,
        PolicyScope::Operators => OF_OPERATORS,
    }
}

fn scope(code: u8) -> Result<PolicyScope, Malformed> {
    match code {
        OF_USERS => Ok(PolicyScope::Users),
        OF_OPERATORS => Ok(PolicyScope::Operators),
        other => Err(Malformed::Scope(other)),
    }
}

fn put_flags(out: &mut Vec<u8>, flags: &[(bool, u8)]) {
    let set = flags.iter().filter(|(is_set, _)| *is_set);
    put_field(out, &[set.fold(0, |all, (_, bit)| all | bit)]);
}

fn queue_type_code(queue_type: QueueType) -> u8 {
    match queue_type {
        QueueType::Classic => CLASSIC,
        QueueType::Quorum => QUORUM,
    }
}

fn queue_type(code: u8) -> Result<QueueType, Malformed> {
    match code {
        CLASSIC => Ok(QueueType::Classic),
        QUORUM => Ok(QueueType::Quorum),
        other => Err(Malformed::QueueType(other)),
    }
}

fn vhost(fields: &mut Reader<'_>) -> Result<Vhost, Malformed> {
    Ok(Vhost {
        name: fields.name(VhostName::new)?,
        description: fields.text()?.to_owned(),
        tags: texts(fields.field()?)?,
        default_queue_type: match fields.field()? {
            [] => None,
            [code, ..] => Some(queue_type(*code)?),
        },
    })
}

fn user(fields: &mut Reader<'_>) -> Result<User, Malformed> {
    let mut user = User::new(fields.name(UserName::new)?);
    let mut password = Reader::new(fields.field()?);
    if !password.is_empty() {
        user.password_hash = Some(PasswordHash {
            algorithm: password.text()?.into(),
            salted: password.field()?.into(),
        });
    }
    user.tags = texts(fields.field()?)?;
    let mut permissions = Reader::new(fields.field()?);
    while !permissions.is_empty() {
        let mut one = Reader::new(permissions.field()?);
        let vhost = one.name(VhostName::new)?;
        let permission = Permission::new(one.text()?, one.text()?, one.text()?)?;
        user.permissions.insert(vhost, permission);
    }
    let mut topics = Reader::new(fields.field()?);
    while !topics.is_empty() {
        let mut one = Reader::new(topics.field()?);
        let vhost = one.name(VhostName::new)?;
        let exchange = one.name(ExchangeName::new)?;
        let permission = TopicPermission::new(one.text()?, one.text()?, &user.name, &vhost)?;
        let within = user.topic_permissions.entry(vhost).or_default();
        within.insert(exchange, permission);
    }
    if fields.is_empty() {
        // Written before there were limits.
        return Ok(user);
    }
    let mut limits = Reader::new(fields.field()?);
    while !limits.is_empty() {
        let mut one = Reader::new(limits.field()?);
        // The bits of a negative number are those of a large one.
        user.limits.keep(one.text()?, one.number()?.cast_signed());
    }
    Ok(user)
}

fn parameter(fields: &mut Reader<'_>) -> Result<Parameter, Malformed> {
    Ok(Parameter {
        component: fields.text()?.into(),
        name: fields.text()?.into(),
        value: value::value(fields.field()?)?,
    })
}

fn exchange(fields: &mut Reader<'_>) -> Result<Exchange, Malformed> {
    let name = fields.name(ExchangeName::new)?;
    let id = ExchangeId(fields.number()?);
    let kind = fields.text()?;
    let kind = ExchangeKind::named(kind).ok_or_else(|| Malformed::ExchangeType(kind.into()))?;
    let flags = fields.byte()?;
    Ok(Exchange {
        id,
        name,
        kind,
        durable: flags & DURABLE != 0,
        auto_delete: flags & AUTO_DELETE != 0,
        internal: flags & INTERNAL != 0,
        arguments: value::table(fields.field()?)?,
    })
}

fn queue(fields: &mut Reader<'_>) -> Result<Queue, Malformed> {
    let name = fields.name(QueueName::new)?;
    let id = QueueId(fields.number()?);
    let queue_type = queue_type(fields.byte()?)?;
    let flags = fields.byte()?;
    Ok(Queue {
        id,
        name,
        queue_type,
        durable: flags & DURABLE != 0,
        auto_delete: flags & AUTO_DELETE != 0,
        owner: None,
        arguments: value::table(fields.field()?)?,
    })
}

fn binding(fields: &mut Reader<'_>) -> Result<Binding, Malformed> {
    Ok(Binding {
        source: fields.name(ExchangeName::new)?,
        destination: match fields.byte()? {
            TO_QUEUE => Endpoint::Queue(fields.name(QueueName::new)?),
            TO_EXCHANGE => Endpoint::Exchange(fields.name(ExchangeName::new)?),
            other => return Err(Malformed::Destination(other)),
        },
        key: fields.text()?.into(),
        arguments: value::table(fields.field()?)?,
    })
}

fn policy(fields: &mut Reader<'_>) -> Result<Policy, Malformed> {
    let (name, pattern, apply_to) = (fields.text()?, fields.text()?, fields.text()?);
    let apply_to = ApplyTo::named(apply_to).map_err(|_| Malformed::ApplyTo(apply_to.into()))?;
    // The bits of a negative number are those of a large one.
    let priority = fields.number()?.cast_signed();
    let definition = value::table(fields.field()?)?;
    Ok(Policy::stored(name, pattern, apply_to, priority, definition)?)
}

fn texts(bytes: &[u8]) -> Result<Vec<Box<str>>, Malformed> {
    let mut fields = Reader::new(bytes);
    let mut texts = Vec::new();
    while !fields.is_empty() {
        texts.push(fields.text()?.into());
    }
    Ok(texts)
}
