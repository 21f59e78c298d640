//! The methods of the exchange and queue classes.

use super::channel::{Channel, short_name};
use super::names;
use super::refusal::{self, Failure};
use super::shared::Shared;
use crate::convert;
use warren_broker::catalog::{Binding, Endpoint, ExchangeDeclaration, QueueDeclaration};
use warren_broker::name::ExchangeName;
use warren_node::Position;
use warren_node::{Client, REPLY_TO};
use warren_protocol::amqp091::method::{exchange, queue};
use warren_protocol::amqp091::table::Table;

type Outcome = Result<(), Failure>;

pub(super) fn exchange_name(name: &str) -> Result<ExchangeName, Failure> {
    let name = warren_broker::name::stripped(name);
    Ok(ExchangeName::new(&name)?)
}

/// The client: there is one on every open channel.
pub(super) fn client(shared: &mut Shared) -> Result<&mut Client, Failure> {
    let missing = || Failure::connection(refusal::INTERNAL_ERROR, "no virtual host is open");
    shared.client.as_mut().ok_or_else(missing)
}

impl Channel {
    pub(super) fn exchange_declare(&mut self, shared: &mut Shared, m: &exchange::Declare<'_>) -> Outcome {
        let name = exchange_name(m.exchange)?;
        let position = if m.passive {
            client(shared)?.find_exchange(&name)?;
            shared.node.catalog_position()
        } else {
            let asked = ExchangeDeclaration {
                name,
                kind: m.type_.to_owned(),
                durable: m.durable,
                auto_delete: m.auto_delete,
                internal: m.internal,
                arguments: convert::table(m.arguments),
            };
            with_touched(shared, |client, touched| client.declare_exchange(&asked, touched))?
        };
        self.answer(shared, m.nowait, position, exchange::DeclareOk);
        Ok(())
    }

    pub(super) fn exchange_delete(&mut self, shared: &mut Shared, m: &exchange::Delete<'_>) -> Outcome {
        let name = exchange_name(m.exchange)?;
        let position = with_touched(shared, |client, touched| {
            client.delete_exchange(&name, m.if_unused, touched)
        })?;
        self.answer(shared, m.nowait, position, exchange::DeleteOk);
        Ok(())
    }

    pub(super) fn exchange_bind(&mut self, shared: &mut Shared, m: &exchange::Bind<'_>) -> Outcome {
        let destination = Endpoint::Exchange(exchange_name(m.destination)?);
        let binding = binding(m.source, destination, m.routing_key, m.arguments)?;
        let position = with_touched(shared, |client, touched| client.bind(binding, touched))?;
        self.answer(shared, m.nowait, position, exchange::BindOk);
        Ok(())
    }

    pub(super) fn exchange_unbind(&mut self, shared: &mut Shared, m: &exchange::Unbind<'_>) -> Outcome {
        let destination = Endpoint::Exchange(exchange_name(m.destination)?);
        let binding = binding(m.source, destination, m.routing_key, m.arguments)?;
        let position = with_touched(shared, |client, touched| client.unbind(binding, touched))?;
        self.answer(shared, m.nowait, position, exchange::UnbindOk);
        Ok(())
    }

    pub(super) fn queue_declare(&mut self, shared: &mut Shared, m: &queue::Declare<'_>) -> Outcome {
        let mut name = short_name(m.queue)?;
        // The address of a reply consumer cannot be declared, only asked for.
        let found = if m.passive || m.queue.starts_with(REPLY_TO) {
            client(shared)?.find_queue(&name)?
        } else {
            let server_named = name.is_empty();
            if server_named {
                name = names::generated("amq.gen")?;
            }
            let asked = QueueDeclaration {
                name: name.clone(),
                server_named,
                durable: m.durable,
                exclusive: m.exclusive,
                auto_delete: m.auto_delete,
                arguments: convert::table(m.arguments),
            };
            with_touched(shared, |client, touched| client.declare_queue(&asked, touched))?
        };
        self.last_queue = Some(name.clone());
        let reply = queue::DeclareOk {
            queue: name.as_str(),
            message_count: count(found.messages),
            consumer_count: count(found.consumers),
        };
        self.answer(shared, m.nowait, found.position, reply);
        Ok(())
    }

    pub(super) fn queue_delete(&mut self, shared: &mut Shared, m: &queue::Delete<'_>) -> Outcome {
        let name = self.queue_name(m.queue)?;
        let (messages, position) = with_touched(shared, |client, touched| {
            client.delete_queue(&name, m.if_unused, m.if_empty, touched)
        })?;
        let reply = queue::DeleteOk {
            message_count: count(messages),
        };
        self.answer(shared, m.nowait, position, reply);
        Ok(())
    }

    pub(super) fn queue_purge(&mut self, shared: &mut Shared, m: &queue::Purge<'_>) -> Outcome {
        let name = self.exact_queue_name(m.queue)?;
        let (messages, position) = client(shared)?.purge(&name)?;
        let reply = queue::PurgeOk {
            message_count: count(messages),
        };
        self.answer(shared, m.nowait, position, reply);
        Ok(())
    }

    pub(super) fn queue_bind(&mut self, shared: &mut Shared, m: &queue::Bind<'_>) -> Outcome {
        let binding = self.queue_binding(m.queue, m.exchange, m.routing_key, m.arguments)?;
        let position = with_touched(shared, |client, touched| client.bind(binding, touched))?;
        self.answer(shared, m.nowait, position, queue::BindOk);
        Ok(())
    }

    pub(super) fn queue_unbind(&mut self, shared: &mut Shared, m: &queue::Unbind<'_>) -> Outcome {
        let binding = self.queue_binding(m.queue, m.exchange, m.routing_key, m.arguments)?;
        let position = with_touched(shared, |client, touched| client.unbind(binding, touched))?;
        self.answer(shared, false, position, queue::UnbindOk);
        Ok(())
    }

    /// The binding of a queue. With queue and key left out, the queue declared last is bound by
    /// its own name.
    fn queue_binding(
        &self,
        queue: &str,
        source: &str,
        key: &str,
        arguments: Table<'_>,
    ) -> Result<Binding, Failure> {
        let name = self.queue_name(queue)?;
        let is_by_name = queue.is_empty() && key.is_empty();
        let key = if is_by_name { name.as_str() } else { key };
        binding(source, Endpoint::Queue(name.clone()), key, arguments)
    }

    /// Answers once the log is durable up to `position`, unless the client wants no answer.
    fn answer<'m>(
        &mut self,
        shared: &mut Shared,
        nowait: bool,
        position: Position,
        method: impl Into<warren_protocol::amqp091::method::Method<'m>>,
    ) {
        if !nowait {
            self.send_at(shared, position, method);
        }
    }
}

fn binding(source: &str, destination: Endpoint, key: &str, arguments: Table<'_>) -> Result<Binding, Failure> {
    let (source, arguments) = (exchange_name(source)?, convert::table(arguments));
    Ok(Binding {
        source,
        destination,
        key: key.into(),
        arguments,
    })
}

/// A count as methods carry it.
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn with_touched<T, E: Into<Failure>>(
    shared: &mut Shared,
    ask: impl FnOnce(&mut Client, &mut warren_node::Touched) -> Result<T, E>,
) -> Result<T, Failure> {
    let mut touched = std::mem::take(&mut shared.touched);
    let answer = client(shared).and_then(|client| ask(client, &mut touched).map_err(Into::into));
    shared.touched = touched;
    answer
}
