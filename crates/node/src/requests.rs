//! What clients ask of the broker besides publishing: declare, delete, bind, consume, get,
//! purge. One method per operation, for all protocols; each asks for its permission first.

use crate::batch::Batch;
use crate::client::Client;
use crate::mailbox::{Address, Touched};
use crate::node::Node;
use crate::queues::{
    Browser, From, Glimpse, Got, LiveQueue, Peek, Peeking, SharedCredit, Stopped, Subscriber, Worked,
};
use crate::replies::REPLY_TO;
use crate::vhosts::LiveVhost;
use std::sync::Arc;
use warren_broker::access::Operation;
use warren_broker::catalog::{
    Binding, Catalog, Change, Endpoint, ExchangeDeclaration, QueueDeclaration, QueueType, SessionId,
    VhostContent,
};
use warren_broker::name::{ExchangeName, QueueName};
use warren_broker::queue::{ConsumerKey, Scope, Subscription};
use warren_broker::refusal::{ArgumentFault, Refusal, Subject};
use warren_broker::value::{Table, Value};
use warren_store::Position;

/// A queue that was declared or looked up.
#[derive(Debug)]
pub struct Found {
    /// Messages ready.
    pub messages: usize,
    /// Consumers.
    pub consumers: usize,
    /// The answer has to wait for this position of the log.
    pub position: Position,
}

/// A wish to consume.
#[derive(Debug)]
pub struct Consume {
    /// The queue.
    pub queue: QueueName,
    /// How.
    pub no_ack: bool,
    /// Alone.
    pub exclusive: bool,
    /// Deliveries out at a time; 0: no limit.
    pub prefetch: u32,
    /// A limit shared by the consumers of a channel.
    pub shared: Arc<SharedCredit>,
    /// As the client gave them.
    pub arguments: Table,
    /// Whom deliveries are for.
    pub address: Address,
}

/// A consumer that was made.
#[derive(Debug)]
pub struct Consumed {
    /// The queue it consumes from.
    pub queue: Arc<LiveQueue>,
    /// Its name there.
    pub key: ConsumerKey,
}

impl Client {
    fn session(&self) -> SessionId {
        self.mailbox.session()
    }

    fn queue_subject(&self, name: &QueueName) -> Subject {
        Subject::Queue(name.clone(), self.vhost.name().clone())
    }

    /// Decides under the catalog's lock and commits what was decided.
    fn change(
        &self,
        touched: &mut Touched,
        decide: impl FnOnce(&Catalog, &VhostContent) -> Result<Option<Change>, Refusal>,
    ) -> Result<Position, Refusal> {
        let mut catalog = self.node.catalog.lock();
        let Some(content) = catalog.vhost(self.vhost.name().as_str()) else {
            return Err(Refusal::NotFound(self.exchange_subject("")));
        };
        match decide(&catalog, content)? {
            Some(change) => Ok(self.node.commit(&mut catalog, change, touched)),
            // It is there already, but perhaps not on disk yet.
            None => Ok(self.node.catalog_position()),
        }
    }

    /// Declares an exchange.
    ///
    /// # Errors
    /// As [`decide_exchange`](warren_broker::catalog::Catalog::decide_exchange), or denied.
    pub fn declare_exchange(
        &mut self,
        asked: &ExchangeDeclaration,
        touched: &mut Touched,
    ) -> Result<Position, Refusal> {
        self.refresh();
        asked.exchange_kind()?;
        if asked.name.is_empty() {
            return Err(Refusal::DefaultExchange);
        }
        let _configure = self.access().exchange(Operation::Configure, &asked.name)?;
        self.change(touched, |catalog, vhost| {
            let change = catalog.decide_exchange(vhost, asked)?;
            // Who only asks for what is there already needs no more.
            if change.is_some() {
                self.check_alternate(asked)?;
            }
            Ok(change)
        })
    }

    /// What an alternate exchange gets has to be readable and writable for whoever sends it there.
    fn check_alternate(&self, asked: &ExchangeDeclaration) -> Result<(), Refusal> {
        let alternate = asked.arguments.get("alternate-exchange").and_then(Value::as_str);
        if let Some(alternate) = alternate.and_then(|name| ExchangeName::new(name).ok()) {
            let _read = self.access().exchange(Operation::Read, &asked.name)?;
            let _write = self.access().exchange(Operation::Write, &alternate)?;
        }
        Ok(())
    }

    /// The same for a dead letter exchange.
    fn check_dead_letters(&self, asked: &QueueDeclaration) -> Result<(), Refusal> {
        let exchange = asked
            .arguments
            .get("x-dead-letter-exchange")
            .and_then(Value::as_str);
        if let Some(exchange) = exchange.and_then(|name| ExchangeName::new(name).ok()) {
            let _read = self.access().queue(Operation::Read, &asked.name)?;
            let _write = self.access().exchange(Operation::Write, &exchange)?;
        }
        Ok(())
    }

    /// Asks whether an exchange exists.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], or denied.
    pub fn find_exchange(&mut self, name: &ExchangeName) -> Result<(), Refusal> {
        self.refresh();
        if name.is_empty() {
            return Err(Refusal::DefaultExchange);
        }
        let _any = self.access().exchange_any(name)?;
        match self.vhost.exchange(name.as_str()) {
            Some(_) => Ok(()),
            None => Err(Refusal::NotFound(self.exchange_subject(name.as_str()))),
        }
    }

    /// Deletes an exchange.
    ///
    /// # Errors
    /// The default or a predeclared exchange, one in use, or denied.
    pub fn delete_exchange(
        &mut self,
        name: &ExchangeName,
        if_unused: bool,
        touched: &mut Touched,
    ) -> Result<Position, Refusal> {
        self.refresh();
        if name.is_empty() {
            return Err(Refusal::DefaultExchange);
        }
        if name.is_reserved() {
            return Err(Refusal::SystemExchange(self.exchange_subject(name.as_str())));
        }
        let _configure = self.access().exchange(Operation::Configure, name)?;
        self.change(touched, |_, vhost| {
            vhost.decide_exchange_deletion(name, if_unused)
        })
    }

    /// Declares a queue.
    ///
    /// # Errors
    /// As [`decide_queue`](warren_broker::catalog::Catalog::decide_queue), or denied.
    pub fn declare_queue(
        &mut self,
        asked: &QueueDeclaration,
        touched: &mut Touched,
    ) -> Result<Found, Refusal> {
        self.refresh();
        asked.check_name()?;
        let _configure = self.access().queue(Operation::Configure, &asked.name)?;
        let session = self.session();
        let mut is_new = false;
        let position = self.change(touched, |catalog, vhost| {
            if vhost.queue(asked.name.as_str()).is_none() {
                self.check_dead_letters(asked)?;
            }
            let completed = vhost.by_model(asked);
            let asked = completed.as_ref().unwrap_or(asked);
            let change = catalog.decide_queue(vhost, asked, session)?;
            is_new = change.is_some();
            Ok(change)
        })?;
        if is_new && asked.exclusive {
            self.owned.lock().push(asked.name.clone());
        }
        self.found(&asked.name, position)
    }

    /// Looks a queue up: the passive declare.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Locked`], or denied.
    pub fn find_queue(&mut self, name: &QueueName) -> Result<Found, Refusal> {
        self.refresh();
        if name.as_str().starts_with(REPLY_TO) {
            let exists = name.as_str() == REPLY_TO || self.node.replies.contains(name.as_str());
            let refusal = || Refusal::NotFound(self.queue_subject(name));
            let position = Position::default();
            return exists
                .then_some(Found {
                    messages: 0,
                    consumers: 1,
                    position,
                })
                .ok_or_else(refusal);
        }
        let _any = self.access().queue_any(name)?;
        let meant = self.vhost.alias(name.as_str());
        if let Some(meant) = &meant {
            let _any = self.access().queue_any(meant)?;
        }
        let name = meant.as_ref().unwrap_or(name);
        self.usable(name)?;
        self.found(name, self.node.catalog_position())
    }

    fn found(&self, name: &QueueName, position: Position) -> Result<Found, Refusal> {
        let queue = self.vhost.queue(name.as_str());
        let queue = queue.ok_or_else(|| Refusal::NotFound(self.queue_subject(name)))?;
        queue.touch();
        let totals = queue.totals();
        // What does not last is not on disk either.
        let position = if queue.declared().durable {
            position
        } else {
            Position::default()
        };
        Ok(Found {
            messages: totals.ready,
            consumers: totals.consumers,
            position,
        })
    }

    /// The queue that a name means, which may be an alias of it, if the user may do this to it under both
    /// names.
    fn permitted(&self, operation: Operation, name: &QueueName) -> Result<Option<QueueName>, Refusal> {
        let _alias = self.access().queue(operation, name)?;
        let meant = self.vhost.alias(name.as_str());
        if let Some(meant) = &meant {
            let _queue = self.access().queue(operation, meant)?;
        }
        Ok(meant)
    }

    /// The same for one that is read from.
    fn readable(&self, name: &QueueName) -> Result<Arc<LiveQueue>, Refusal> {
        let meant = self.permitted(Operation::Read, name)?;
        self.usable(meant.as_ref().unwrap_or(name))
    }

    /// The queue, if it exists and no other session owns it.
    fn usable(&self, name: &QueueName) -> Result<Arc<LiveQueue>, Refusal> {
        let queue = self.vhost.queue(name.as_str());
        let queue = queue.ok_or_else(|| Refusal::NotFound(self.queue_subject(name)))?;
        match queue.declared().owner {
            Some(owner) if owner != self.session() => Err(Refusal::Locked(queue.subject())),
            _ => Ok(queue),
        }
    }

    /// Deletes a queue. Answers how many messages were ready, 0 when there was no such queue, and the log
    /// position that the answer has to wait for.
    ///
    /// # Errors
    /// [`Refusal::Locked`], [`Refusal::InUse`], [`Refusal::NotEmpty`], [`Refusal::NotImplemented`], or
    /// denied.
    pub fn delete_queue(
        &mut self,
        name: &QueueName,
        if_unused: bool,
        if_empty: bool,
        touched: &mut Touched,
    ) -> Result<(usize, Position), Refusal> {
        self.refresh();
        let _configure = self.access().queue(Operation::Configure, name)?;
        if let Some(queue) = self.vhost.alias(name.as_str()) {
            let alias = self.queue_subject(name);
            return Err(Refusal::Alias { alias, queue });
        }
        let queue = match self.usable(name) {
            Ok(queue) => queue,
            // It is gone, but perhaps not on disk yet.
            Err(Refusal::NotFound(_)) => return Ok((0, self.node.catalog_position())),
            Err(refusal) => return Err(refusal),
        };
        check_deletion(&queue, if_unused, if_empty)?;
        let stop = |queue: &LiveQueue, touched: &mut Touched| {
            let is_there = !queue.is_deleted();
            is_there
                .then(|| queue.stop(if_unused, if_empty, touched))
                .transpose()
        };
        let deleted = self.node.delete(&queue, stop, touched)?;
        self.owned.lock().retain(|owned| owned != name);
        Ok(deleted)
    }

    /// Binds a queue or an exchange to an exchange.
    ///
    /// # Errors
    /// As [`VhostContent::decide_binding`], or denied.
    pub fn bind(&mut self, binding: Binding, touched: &mut Touched) -> Result<Position, Refusal> {
        self.refresh();
        let binding = self.check_binding(binding)?;
        let session = self.session();
        self.change(touched, |_, vhost| vhost.decide_binding(binding, session))
    }

    /// Removes a binding.
    ///
    /// # Errors
    /// As [`VhostContent::decide_unbinding`], or denied.
    pub fn unbind(&mut self, binding: Binding, touched: &mut Touched) -> Result<Position, Refusal> {
        self.refresh();
        let binding = self.check_binding(binding)?;
        let session = self.session();
        self.change(touched, |_, vhost| vhost.decide_unbinding(binding, session))
    }

    /// Asks for permissions. Answers the binding with the queue that is meant, where an alias is named.
    fn check_binding(&self, mut binding: Binding) -> Result<Binding, Refusal> {
        let access = self.access();
        let to_default = matches!(&binding.destination, Endpoint::Exchange(name) if name.is_empty());
        if binding.source.is_empty() || to_default {
            return Err(Refusal::DefaultExchange);
        }
        let mut meant = None;
        match &binding.destination {
            Endpoint::Queue(name) => meant = self.permitted(Operation::Write, name)?,
            Endpoint::Exchange(name) => drop(access.exchange(Operation::Write, name)?),
        }
        let _read = access.exchange(Operation::Read, &binding.source)?;
        if let Some(source) = self.vhost.exchange(binding.source.as_str())
            && source.kind().has_topics
        {
            let _topic = access.topic(Operation::Read, &binding.source, &binding.key)?;
        }
        if let Some(queue) = meant {
            binding.destination = Endpoint::Queue(queue);
        }
        Ok(binding)
    }

    /// Throws a queue's ready messages away. Answers how many, and the log position that the answer has to
    /// wait for.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Locked`], or denied.
    pub fn purge(&mut self, name: &QueueName) -> Result<(usize, Position), Refusal> {
        self.refresh();
        Ok(self.readable(name)?.purge())
    }

    /// Starts a consumer. Deliveries come once [`LiveQueue::serve`] is called.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Locked`], [`Refusal::ExclusiveUse`], wrong arguments,
    /// or denied.
    pub fn consume(&mut self, asked: Consume) -> Result<Consumed, Refusal> {
        self.refresh();
        let queue = self.readable(&asked.queue)?;
        let priority = integer(&asked.arguments, "x-priority", &queue)?.unwrap_or(0);
        let lease_ms = lease_ms(&asked.arguments, &queue)?;
        check_no_stream(&asked.arguments, &queue)?;
        if queue.declared().queue_type == QueueType::Quorum && asked.shared.limit() != 0 {
            return Err(Refusal::NotImplemented(format!(
                "{} does not support global qos",
                queue.subject()
            )));
        }
        let Consume {
            no_ack,
            exclusive,
            prefetch,
            ..
        } = asked;
        let subscription = Subscription {
            no_ack,
            exclusive,
            prefetch,
            priority,
            lease_ms,
        };
        let subscriber = Subscriber {
            mailbox: Arc::clone(&self.mailbox),
            address: asked.address,
            shared: asked.shared,
            without_ack: no_ack,
        };
        let key = queue.subscribe(subscription, subscriber)?;
        Ok(Consumed { queue, key })
    }

    /// Starts a browser: it gets copies of what the queue holds and of what comes to it, and takes nothing.
    /// Arguments: `x-browse` (that it is one), `x-browse-from` (`first`, `next`, a number, or a timestamp),
    /// `x-browse-unsettled` and
    /// `x-browse-delayed` (whether it sees these, too). It goes on once [`Client::browse_on`] is called.
    ///
    /// # Errors
    /// As [`Client::consume`].
    pub fn browse(
        &mut self,
        queue: &QueueName,
        arguments: &Table,
        address: Address,
    ) -> Result<Arc<Browser>, Refusal> {
        self.refresh();
        let queue = self.readable(queue)?;
        let is_set = |argument| match arguments.get(argument) {
            None => Ok(false),
            Some(Value::Bool(is_set)) => Ok(*is_set),
            Some(other) => Err(Refusal::InvalidArgument {
                argument,
                subject: queue.subject(),
                fault: ArgumentFault::WrongType(other.type_name()),
            }),
        };
        is_set("x-browse")?;
        let from = match arguments.get("x-browse-from") {
            None => From::First,
            Some(Value::Timestamp(seconds)) => From::Time(seconds.saturating_mul(1000)),
            Some(value) => match (value.as_str(), value.as_integer().map(u64::try_from)) {
                (Some("first"), _) => From::First,
                (Some("next"), _) => From::Next,
                (_, Some(Ok(seq))) => From::Seq(seq),
                _ => {
                    return Err(Refusal::InvalidArgument {
                        argument: "x-browse-from",
                        subject: queue.subject(),
                        fault: ArgumentFault::Word("first_next_number_or_timestamp_expected"),
                    });
                }
            },
        };
        let scope = Scope {
            unsettled: is_set("x-browse-unsettled")?,
            delayed: is_set("x-browse-delayed")?,
        };
        let browser = Browser::new(&queue, &self.mailbox, address, from, scope);
        if queue.add_browser(&browser) {
            Ok(browser)
        } else {
            Err(Refusal::NotFound(queue.subject()))
        }
    }

    /// Looks once at what a queue holds, and takes nothing. `then` is told what was seen: mostly later, on
    /// the thread that reads, where it must not wait; on a node that has no disk before this returns. When
    /// the broker stops first it is dropped.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Locked`], or denied.
    pub fn peek(
        &mut self,
        queue: &QueueName,
        asked: Peek,
        then: impl FnOnce(Glimpse) + Send + 'static,
    ) -> Result<(), Refusal> {
        self.refresh();
        let queue = self.readable(queue)?;
        queue.peek(Peeking::new(&queue, asked, Box::new(then)));
        Ok(())
    }

    /// A browser begins to look.
    pub fn browse_on(&self, browser: &Arc<Browser>, touched: &mut Touched) {
        browser.queue().browse(browser, touched);
    }

    /// Stops a browser.
    pub fn cancel_browser(&self, browser: &Arc<Browser>) {
        browser.queue().remove_browser(browser);
    }

    /// Stops a consumer, and deletes its queue when it was the last of an auto-delete one.
    pub fn cancel(&self, queue: &Arc<LiveQueue>, key: ConsumerKey, touched: &mut Touched) {
        if queue.cancel(key) {
            self.node.delete_abandoned(queue, touched);
            if queue.declared().owner.is_some() {
                self.owned.lock().retain(|owned| *owned != queue.declared().name);
            }
        } else if queue.has_single_active_consumer() {
            // Another one may be served from now on.
            queue.serve(touched);
        }
    }

    /// Takes one message out of a queue.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Locked`], [`Refusal::NoGetters`], or denied.
    pub fn take(&mut self, name: &QueueName, no_ack: bool) -> Result<(Arc<LiveQueue>, Got), Refusal> {
        self.refresh();
        let queue = self.readable(name)?;
        // Whoever gets would be a second one beside the one that is served.
        if queue.declared().queue_type == QueueType::Quorum && queue.has_single_active_consumer() {
            return Err(Refusal::NoGetters(queue.subject()));
        }
        let got = queue.take(no_ack, &self.mailbox);
        Ok((queue, got))
    }

    /// Starts a reply consumer. Answers the address that requests carry, or `None` when the
    /// system gave no random bytes.
    pub fn consume_replies(&self, address: Address) -> Option<String> {
        self.node.replies.add(Arc::clone(&self.mailbox), address)
    }

    /// Stops a reply consumer.
    pub fn cancel_replies(&self, reply_to: &str) {
        self.node.replies.remove(reply_to);
    }

    /// Does what is gathered and tells of alarms that it caused.
    pub fn flush(&self, batch: &mut Batch, touched: &mut Touched) -> Worked {
        if batch.is_empty() {
            return Worked::default();
        }
        let worked = batch.flush(self.node.appended(), touched);
        self.node.spread_alarms();
        worked
    }

    /// The same, all of it or nothing: see [`Batch::flush_together`].
    pub fn flush_together(&self, batch: &mut Batch, touched: &mut Touched) -> Option<Worked> {
        let worked = batch.flush_together(self.node.appended(), touched);
        self.node.spread_alarms();
        worked
    }
}

/// Arguments of consumers that streams alone have.
const STREAM_ARGUMENTS: [&str; 3] = ["x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"];

/// Whoever asks for a place in a stream is not served from the head of a queue.
fn check_no_stream(arguments: &Table, queue: &LiveQueue) -> Result<(), Refusal> {
    let mut names = arguments.iter().map(|(name, _)| name);
    match names.find(|name| STREAM_ARGUMENTS.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Refusal::ArgumentOfOtherType {
            argument: name.to_owned(),
            subject: queue.subject(),
            queue_type: queue.declared().queue_type.internal_name(),
        }),
    }
}

/// An argument of a consumer that is an integer, if it is given.
fn integer(arguments: &Table, argument: &'static str, queue: &LiveQueue) -> Result<Option<i64>, Refusal> {
    let Some(value) = arguments.get(argument) else {
        return Ok(None);
    };
    let integer = value.as_integer().ok_or_else(|| Refusal::InvalidArgument {
        argument,
        subject: queue.subject(),
        fault: ArgumentFault::NotInteger(value.type_name()),
    });
    integer.map(Some)
}

/// For how long a consumer wants to hold deliveries: as [`Subscription::lease_ms`].
fn lease_ms(arguments: &Table, queue: &LiveQueue) -> Result<Option<u64>, Refusal> {
    let argument = "x-consumer-timeout";
    let asked = integer(arguments, argument, queue)?;
    let in_range = asked.map(|number| {
        u64::try_from(number).map_err(|_| Refusal::InvalidArgument {
            argument,
            subject: queue.subject(),
            fault: ArgumentFault::Negative(number),
        })
    });
    in_range.transpose()
}

impl Node {
    /// Deletes a queue that `stop` stops, if it does. Answers how many messages were ready, and the log
    /// position that an answer has to wait for.
    fn delete(
        &self,
        queue: &Arc<LiveQueue>,
        stop: impl FnOnce(&LiveQueue, &mut Touched) -> Result<Option<Stopped>, Refusal>,
        touched: &mut Touched,
    ) -> Result<(usize, Position), Refusal> {
        let mut catalog = self.catalog.lock();
        let Some(Stopped { ready, is_emptied }) = stop(queue, touched)? else {
            return Ok((0, self.catalog_position()));
        };
        if is_emptied {
            // It is gone for everybody else, and its name free.
            let change = Change::QueueSetAside(queue.vhost().clone(), queue.declared().clone());
            let position = self.commit(&mut catalog, change, touched);
            drop(catalog);
            self.move_on(queue, touched);
            return Ok((ready, position));
        }
        let change = Change::QueueDeleted(queue.vhost().clone(), queue.declared().name.clone());
        Ok((ready, self.commit(&mut catalog, change, touched)))
    }

    /// Deletes an auto-delete queue whose last consumer is gone.
    fn delete_abandoned(&self, queue: &Arc<LiveQueue>, touched: &mut Touched) {
        // It cannot be refused.
        let _ = self.delete(
            queue,
            |queue, touched| Ok(queue.stop_if_abandoned(touched)),
            touched,
        );
    }

    /// Deletes a queue that nobody used for too long.
    pub(crate) fn delete_expired(&self, queue: &Arc<LiveQueue>, touched: &mut Touched) {
        // It cannot be refused.
        let _ = self.delete(
            queue,
            |queue, touched| Ok(queue.stop_if_expired(touched)),
            touched,
        );
    }

    /// Deletes a queue that has sent on what it held.
    pub(crate) fn delete_emptied(&self, queue: &Arc<LiveQueue>, touched: &mut Touched) {
        let mut catalog = self.catalog.lock();
        // By its id, and once: several may find it empty, and a queue of its name may be there again.
        let change = Change::AsideDeleted(queue.vhost().clone(), queue.id());
        self.commit(&mut catalog, change, touched);
    }

    /// Deletes an exclusive queue with its session.
    pub(crate) fn delete_owned(
        &self,
        vhost: &LiveVhost,
        name: &QueueName,
        owner: SessionId,
        touched: &mut Touched,
    ) {
        let Some(queue) = vhost.queue(name.as_str()) else {
            return;
        };
        if queue.declared().owner == Some(owner) {
            let stop = |queue: &LiveQueue, touched: &mut Touched| {
                let is_there = !queue.is_deleted();
                is_there.then(|| queue.stop(false, false, touched)).transpose()
            };
            // It cannot be refused.
            let _ = self.delete(&queue, stop, touched);
        }
    }
}

/// Whether a queue of this type may be deleted under conditions.
fn check_deletion(queue: &LiveQueue, if_unused: bool, if_empty: bool) -> Result<(), Refusal> {
    let flag = match (queue.declared().queue_type, if_unused, if_empty) {
        (QueueType::Quorum, true, _) => "if-unused",
        (QueueType::Quorum, false, true) => "if-empty",
        _ => return Ok(()),
    };
    Err(Refusal::NotImplemented(format!(
        "cannot delete {}. queue.delete operations with {flag} flag set are not supported by quorum queues",
        queue.subject()
    )))
}
