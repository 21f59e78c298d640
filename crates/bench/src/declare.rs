//! Queues, exchange and bindings: made before a run, deleted after it.
//!
//! Methods go out in batches and their answers are heard afterwards, so that 100,000 bindings take seconds.

use warren_client::{Connection, Error};
use warren_protocol::amqp091::method::{Method, exchange, queue};
use warren_protocol::amqp091::table::{TableBuf, TableWriter};

use crate::args::ExchangeKind;
use crate::layout::{Binding, Layout};
use crate::plan::Plan;

/// Methods that wait for their answers at a time.
const BATCH: usize = 200;

/// Makes everything. What a queue of that name has from before is thrown away.
pub(crate) async fn make(plan: &Plan, layout: &Layout) -> Result<(), Error> {
    let mut connection = open(plan).await?;
    for names in layout.queues.chunks(BATCH) {
        for name in names {
            let declare = queue::Declare {
                queue: name,
                durable: plan.is_durable,
                arguments: plan.queue_arguments.as_table(),
                ..queue::Declare::default()
            };
            connection.send(1, declare);
        }
        let counts = connection
            .hear_all(names.len(), "queue.declare-ok", |method| match method {
                Method::QueueDeclareOk(ok) => Some(ok.message_count),
                _ => None,
            })
            .await?;
        for (name, _) in names.iter().zip(counts).filter(|(_, count)| *count > 0) {
            let purge = queue::Purge {
                queue: name,
                ..queue::Purge::default()
            };
            let ok = |method: &Method<'_>| matches!(method, Method::QueuePurgeOk(_)).then_some(());
            connection.call(1, purge, "queue.purge-ok", ok).await?;
        }
    }
    if layout.kind != ExchangeKind::Default {
        declare_exchange(&mut connection, plan, layout).await?;
    }
    for bindings in layout.bindings.chunks(BATCH) {
        for binding in bindings {
            bind(&mut connection, layout, binding);
        }
        connection
            .hear_all(bindings.len(), "queue.bind-ok", |method| {
                matches!(method, Method::QueueBindOk(_)).then_some(())
            })
            .await?;
    }
    connection.close().await
}

/// Deletes everything.
pub(crate) async fn unmake(plan: &Plan, layout: &Layout) -> Result<(), Error> {
    let mut connection = open(plan).await?;
    if layout.kind != ExchangeKind::Default {
        let delete = exchange::Delete {
            exchange: &layout.exchange,
            ..exchange::Delete::default()
        };
        let ok = |method: &Method<'_>| matches!(method, Method::ExchangeDeleteOk(_)).then_some(());
        connection.call(1, delete, "exchange.delete-ok", ok).await?;
    }
    for names in layout.queues.chunks(BATCH) {
        for name in names {
            let delete = queue::Delete {
                queue: name,
                ..queue::Delete::default()
            };
            connection.send(1, delete);
        }
        let ok = |method: &Method<'_>| matches!(method, Method::QueueDeleteOk(_)).then_some(());
        connection.hear_all(names.len(), "queue.delete-ok", ok).await?;
    }
    connection.close().await
}

async fn open(plan: &Plan) -> Result<Connection, Error> {
    let mut connection = Connection::open(&plan.uri, "bench topology").await?;
    connection.open_channel(1).await?;
    Ok(connection)
}

async fn declare_exchange(connection: &mut Connection, plan: &Plan, layout: &Layout) -> Result<(), Error> {
    let declare = exchange::Declare {
        exchange: &layout.exchange,
        type_: layout.kind.name(),
        durable: plan.is_durable,
        arguments: plan.exchange_arguments.as_table(),
        ..exchange::Declare::default()
    };
    let ok = |method: &Method<'_>| matches!(method, Method::ExchangeDeclareOk(_)).then_some(());
    connection.call(1, declare, "exchange.declare-ok", ok).await
}

fn bind(connection: &mut Connection, layout: &Layout, binding: &Binding) {
    let arguments = binding.header.as_ref().map(|(name, value)| {
        let fill = |table: &mut TableWriter<'_>| {
            table.string("x-match", "all");
            table.string(name, value);
        };
        // It cannot fail: the names are short.
        TableBuf::build(fill).unwrap_or_default()
    });
    let bind = queue::Bind {
        queue: layout.queues.get(binding.queue).map_or("", String::as_str),
        exchange: &layout.exchange,
        routing_key: &binding.key,
        arguments: arguments.as_ref().map(TableBuf::as_table).unwrap_or_default(),
        ..queue::Bind::default()
    };
    connection.send(1, bind);
}
