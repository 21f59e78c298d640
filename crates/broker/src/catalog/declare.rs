//! Declaring, deleting and binding: what a request comes to, before anything changes.
//!
//! Redeclaring what exists with the same properties is no change; with others it is refused.
//! Who may do it is not asked here, but by [`access`](crate::access).

use super::{
    Binding, Catalog, Change, Endpoint, Exchange, Queue, QueueType, SessionId, VhostContent, arguments,
};
use crate::name::{ExchangeName, QueueName};
use crate::refusal::{Refusal, Shown, Subject};
use crate::route::{Asked, ExchangeId, ExchangeKind, QueueId, validate_binding};
use crate::value::{Table, Value, equivalent};

/// An exchange as a client asks for it.
#[derive(Debug, Clone)]
pub struct ExchangeDeclaration {
    /// Its name.
    pub name: ExchangeName,
    /// The name of its type.
    pub kind: String,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last binding.
    pub auto_delete: bool,
    /// Takes messages from other exchanges only.
    pub internal: bool,
    /// Arguments.
    pub arguments: Table,
}

/// A queue as a client asks for it.
#[derive(Debug, Clone)]
pub struct QueueDeclaration {
    /// Its name, already made up where the client left it to the broker.
    pub name: QueueName,
    /// Whether the broker made the name up.
    pub server_named: bool,
    /// Survives a restart.
    pub durable: bool,
    /// Belongs to the declaring session alone and goes with it.
    pub exclusive: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// Arguments.
    pub arguments: Table,
}

impl ExchangeDeclaration {
    /// The type that is asked for.
    ///
    /// # Errors
    /// [`Refusal::EmptyExchangeType`], [`Refusal::UnknownExchangeType`].
    pub fn exchange_kind(&self) -> Result<ExchangeKind, Refusal> {
        match ExchangeKind::named(&self.kind) {
            Some(kind) => Ok(kind),
            None if self.kind.is_empty() => Err(Refusal::EmptyExchangeType),
            None => Err(Refusal::UnknownExchangeType(self.kind.clone())),
        }
    }
}

impl QueueDeclaration {
    /// Whether a client may give a queue this name. Unlike an exchange's, a reserved one may not
    /// even be declared again.
    ///
    /// # Errors
    /// [`Refusal::ReservedName`].
    pub fn check_name(&self) -> Result<(), Refusal> {
        if self.name.is_reserved() && !self.server_named {
            return Err(Refusal::ReservedName {
                what: "queue",
                name: self.name.to_string(),
            });
        }
        Ok(())
    }
}

impl Catalog {
    /// What declaring an exchange comes to; no change when it exists as asked for.
    ///
    /// # Errors
    /// Unknown type, reserved name, wrong argument, or other properties than it has.
    pub fn decide_exchange(
        &self,
        vhost: &VhostContent,
        asked: &ExchangeDeclaration,
    ) -> Result<Option<Change>, Refusal> {
        let kind = asked.exchange_kind()?;
        if asked.name.is_empty() {
            return Err(Refusal::DefaultExchange);
        }
        let subject = vhost.exchange_subject(&asked.name);
        if let Some(existing) = vhost.exchanges.get(&asked.name) {
            return same_exchange(existing, kind, asked, &subject).map(|()| None);
        }
        if asked.name.is_reserved() {
            return Err(Refusal::ReservedName {
                what: "exchange",
                name: asked.name.to_string(),
            });
        }
        check_alternate(&asked.arguments, &subject)?;
        (kind.validate)(&asked.arguments)?;
        let exchange = Exchange {
            id: ExchangeId(self.next_id()),
            name: asked.name.clone(),
            kind,
            durable: asked.durable,
            auto_delete: asked.auto_delete,
            internal: asked.internal,
            arguments: asked.arguments.clone(),
        };
        Ok(Some(Change::ExchangePut(vhost.properties.name.clone(), exchange)))
    }

    /// What declaring a queue comes to; no change when it exists as asked for.
    ///
    /// # Errors
    /// Wrong arguments or properties, reserved name, a queue of another connection, other properties
    /// than it has, or as many queues as the virtual host may have.
    pub fn decide_queue(
        &self,
        vhost: &VhostContent,
        asked: &QueueDeclaration,
        session: SessionId,
    ) -> Result<Option<Change>, Refusal> {
        asked.check_name()?;
        let subject = vhost.queue_subject(&asked.name);
        vhost.check_no_alias(&asked.name)?;
        let durable = asked.durable && !asked.exclusive;
        let unnamed = || {
            let preferred = vhost.properties.default_queue_type.unwrap_or(QueueType::Classic);
            let fits = durable && !asked.auto_delete && !asked.server_named;
            if fits { preferred } else { QueueType::Classic }
        };
        // What exists is compared with what is asked for, sensible or not.
        if let Some(existing) = vhost.queues.get(&asked.name) {
            let named = asked.arguments.get("x-queue-type").and_then(Value::as_str);
            let queue_type = named.unwrap_or_else(|| unnamed().name());
            let asked = Redeclaration {
                queue_type,
                durable,
                session,
                asked,
            };
            return asked.check(existing, &subject).map(|()| None);
        }
        arguments::check_dead_letter_exchange(&asked.arguments, &subject)?;
        let queue_type = arguments::queue_type(&asked.arguments, &subject)?.unwrap_or_else(unnamed);
        if asked.server_named && queue_type != QueueType::Classic {
            return Err(Refusal::ServerNamed(queue_type.internal_name()));
        }
        arguments::check(queue_type, &asked.arguments, &subject)?;
        vhost.check_queue_limit(&asked.name)?;
        check_properties(queue_type, asked, &subject)?;
        let queue = Queue {
            id: QueueId(self.next_id()),
            name: asked.name.clone(),
            queue_type,
            durable,
            auto_delete: asked.auto_delete,
            owner: asked.exclusive.then_some(session),
            arguments: asked.arguments.clone(),
        };
        Ok(Some(Change::QueuePut(vhost.properties.name.clone(), queue)))
    }
}

impl VhostContent {
    /// What deleting an exchange comes to; no change when there is none.
    ///
    /// # Errors
    /// A predeclared exchange, or one with bindings when it was to be unused.
    pub fn decide_exchange_deletion(
        &self,
        name: &ExchangeName,
        if_unused: bool,
    ) -> Result<Option<Change>, Refusal> {
        if name.is_empty() {
            return Err(Refusal::DefaultExchange);
        }
        let subject = || self.exchange_subject(name);
        if name.is_reserved() {
            return Err(Refusal::SystemExchange(subject()));
        }
        if !self.exchanges.contains_key(name) {
            return Ok(None);
        }
        if if_unused && self.bindings.has_source(name) {
            return Err(Refusal::InUse(subject()));
        }
        Ok(Some(Change::ExchangeDeleted(
            self.properties.name.clone(),
            name.clone(),
        )))
    }

    /// Whether a queue may be declared or deleted under this name, as far as aliases are concerned.
    ///
    /// # Errors
    /// [`Refusal::Alias`].
    pub fn check_no_alias(&self, name: &QueueName) -> Result<(), Refusal> {
        match self.alias(name.as_str()) {
            None => Ok(()),
            Some(queue) => Err(Refusal::Alias {
                alias: self.queue_subject(name),
                queue: queue.clone(),
            }),
        }
    }

    /// What adding a binding comes to; no change when it is there.
    ///
    /// # Errors
    /// The default exchange, a missing end, a queue of another connection, or arguments that the
    /// exchange's type does not take.
    pub fn decide_binding(&self, binding: Binding, session: SessionId) -> Result<Option<Change>, Refusal> {
        self.check_ends(&binding)?;
        // The source first, as RabbitMQ tells what is missing.
        let source = self.find_exchange(&binding.source)?;
        match &binding.destination {
            Endpoint::Queue(name) => {
                let queue = self.find_queue(name)?;
                let queue_type = Some(queue.queue_type.internal_name());
                validate_binding(&source.routed_as(), &asked(&binding, queue_type))?;
                self.check_owner(queue, session)?;
            }
            Endpoint::Exchange(name) => {
                self.find_exchange(name)?;
                validate_binding(&source.routed_as(), &asked(&binding, None))?;
            }
        }
        if self.bindings.contains(&binding) {
            return Ok(None);
        }
        Ok(Some(Change::Bound(self.properties.name.clone(), binding)))
    }

    /// What removing a binding comes to; no change when it, or one of its ends, is not there.
    ///
    /// # Errors
    /// The default exchange, or a queue of another connection.
    pub fn decide_unbinding(&self, binding: Binding, session: SessionId) -> Result<Option<Change>, Refusal> {
        self.check_ends(&binding)?;
        if !self.bindings.contains(&binding) {
            return Ok(None);
        }
        if let Endpoint::Queue(name) = &binding.destination
            && let Some(queue) = self.queues.get(name)
        {
            self.check_owner(queue, session)?;
        }
        Ok(Some(Change::Unbound(self.properties.name.clone(), binding)))
    }

    /// Whether the session may use the queue: an exclusive one is its owner's alone.
    ///
    /// # Errors
    /// [`Refusal::Locked`].
    pub fn check_owner(&self, queue: &Queue, session: SessionId) -> Result<(), Refusal> {
        match queue.owner {
            Some(owner) if owner != session => Err(Refusal::Locked(self.queue_subject(&queue.name))),
            _ => Ok(()),
        }
    }

    fn check_ends(&self, binding: &Binding) -> Result<(), Refusal> {
        let to_default = matches!(&binding.destination, Endpoint::Exchange(name) if name.is_empty());
        if binding.source.is_empty() || to_default {
            return Err(Refusal::DefaultExchange);
        }
        Ok(())
    }
}

fn asked<'a>(binding: &'a Binding, queue_type: Option<&'static str>) -> Asked<'a> {
    Asked {
        key: &binding.key,
        arguments: &binding.arguments,
        queue_type,
    }
}

fn check_alternate(arguments: &Table, subject: &Subject) -> Result<(), Refusal> {
    match arguments.get("alternate-exchange") {
        Some(value) if value.as_str().is_none() => Err(Refusal::ArgumentType {
            argument: "alternate-exchange",
            subject: subject.clone(),
            type_name: value.type_name(),
        }),
        _ => Ok(()),
    }
}

fn check_properties(
    queue_type: QueueType,
    asked: &QueueDeclaration,
    subject: &Subject,
) -> Result<(), Refusal> {
    if queue_type == QueueType::Classic {
        return Ok(());
    }
    let wrong = [
        (asked.auto_delete, "auto-delete"),
        (asked.exclusive, "exclusive-owner"),
        (!asked.durable, "non-durable"),
    ];
    match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, property)) => Err(Refusal::InvalidProperty {
            property,
            subject: subject.clone(),
        }),
        None => Ok(()),
    }
}

fn same_exchange(
    existing: &Exchange,
    kind: ExchangeKind,
    asked: &ExchangeDeclaration,
    subject: &Subject,
) -> Result<(), Refusal> {
    same("type", subject, type_word(kind), type_word(existing.kind))?;
    same("durable", subject, asked.durable, existing.durable)?;
    same("auto_delete", subject, asked.auto_delete, existing.auto_delete)?;
    same("internal", subject, asked.internal, existing.internal)?;
    same_argument(
        "alternate-exchange",
        subject,
        &asked.arguments,
        &existing.arguments,
    )
}

/// The type as RabbitMQ prints it: a word of Erlang, which is quoted if it has a hyphen.
fn type_word(kind: ExchangeKind) -> String {
    match kind.name() {
        name if name.contains('-') => format!("'{name}'"),
        name => name.to_owned(),
    }
}

/// A queue asked for that exists.
struct Redeclaration<'a> {
    /// As the client names it, whether there is such a type or not.
    queue_type: &'a str,
    durable: bool,
    session: SessionId,
    asked: &'a QueueDeclaration,
}

impl Redeclaration<'_> {
    fn check(&self, existing: &Queue, subject: &Subject) -> Result<(), Refusal> {
        let mine = existing.owner == Some(self.session);
        let fits = if self.asked.exclusive {
            mine
        } else {
            existing.owner.is_none()
        };
        if !fits {
            return Err(Refusal::Locked(subject.clone()));
        }
        same("durable", subject, self.durable, existing.durable)?;
        same(
            "auto_delete",
            subject,
            self.asked.auto_delete,
            existing.auto_delete,
        )?;
        same(
            "x-queue-type",
            subject,
            self.queue_type,
            existing.queue_type.name(),
        )?;
        for argument in arguments::known_to(existing.queue_type) {
            same_argument(argument, subject, &self.asked.arguments, &existing.arguments)?;
        }
        Ok(())
    }
}

fn same<T: PartialEq + ToString>(
    field: &str,
    subject: &Subject,
    received: T,
    current: T,
) -> Result<(), Refusal> {
    if received == current {
        return Ok(());
    }
    Err(Refusal::Inequivalent {
        field: field.to_owned(),
        subject: subject.clone(),
        received: Shown::Plain(received.to_string()),
        current: Shown::Plain(current.to_string()),
    })
}

fn same_argument(field: &str, subject: &Subject, received: &Table, current: &Table) -> Result<(), Refusal> {
    let (received, current) = match (received.get(field), current.get(field)) {
        (None, None) => return Ok(()),
        (Some(a), Some(b)) if equivalent(a, b) => return Ok(()),
        (Some(a), Some(b)) => (Shown::Plain(a.text()), Shown::Plain(b.text())),
        (Some(a), None) => (Shown::Typed(a.clone()), Shown::Nothing),
        (None, Some(b)) => (Shown::Nothing, Shown::Typed(b.clone())),
    };
    Err(Refusal::Inequivalent {
        field: field.to_owned(),
        subject: subject.clone(),
        received,
        current,
    })
}
