//! The one publish path of all protocols: authorise, route, group by queue.

use crate::batch::Batch;
use crate::client::Client;
use crate::mailbox::Touched;
use crate::replies::REPLY_TO;
use crate::routes::{Route, RouteCache, Walk};
use std::sync::Arc;
use warren_broker::access::Operation;
use warren_broker::message::Message;
use warren_broker::name::ExchangeName;
use warren_broker::refusal::{Refusal, Subject};
use warren_broker::route::Headers;

/// The routing keys of a message.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// The one it was published with.
    pub first: &'a str,
    /// Further ones (CC and BCC).
    pub more: &'a [String],
}

impl<'a> Keys<'a> {
    /// All of them.
    pub(crate) fn all(self) -> impl Iterator<Item = &'a str> + Clone {
        std::iter::once(self.first).chain(self.more.iter().map(String::as_str))
    }
}

impl Client {
    /// Where a message goes, after asking whether the user may send it there. Remembers the
    /// route if it can.
    ///
    /// # Errors
    /// [`Refusal::Denied`], [`Refusal::NotFound`], [`Refusal::Internal`].
    pub fn route(
        &mut self,
        cache: &mut RouteCache,
        exchange: &str,
        keys: Keys<'_>,
        headers: &dyn Headers,
    ) -> Result<Arc<Route>, Refusal> {
        let version = self.refresh();
        if keys.more.is_empty()
            && let Some(route) = cache.find(exchange, keys.first, version)
        {
            return Ok(route);
        }
        let route = Arc::new(self.find_route(exchange, keys, headers, version)?);
        if keys.more.is_empty() {
            cache.remember(exchange, keys.first, &route);
        }
        Ok(route)
    }

    /// Asks whether the user may publish to the exchange at all: before anything else is looked at. A route
    /// that is remembered says that they may; it is answered, and goes for a message without further keys.
    ///
    /// # Errors
    /// As [`Client::route`].
    pub fn check_publish(
        &mut self,
        cache: &mut RouteCache,
        exchange: &str,
        key: &str,
    ) -> Result<Option<Arc<Route>>, Refusal> {
        let version = self.refresh();
        let known = cache.find(exchange, key, version);
        if known.is_none() {
            self.publishable(exchange)?;
        }
        Ok(known)
    }

    /// Gathers a message for all queues of a route. The batch names the `token` if one of them does not take
    /// it; 0 names nothing.
    pub fn publish(&self, batch: &mut Batch, route: &Arc<Route>, message: Message, token: u64) {
        self.remember(route, &message);
        self.enqueue(batch, route, message, token);
    }

    /// The exchanges on a message's route remember it, if they do that.
    pub fn remember(&self, route: &Route, message: &Message) {
        if !route.remembering.is_empty() {
            self.node.remember(&route.remembering, message);
        }
    }

    /// Gathers a routed message for its queues. Of those that do not take it [`Batch::take_refused`] names
    /// the
    /// `token`.
    #[inline]
    pub fn enqueue(&self, batch: &mut Batch, route: &Arc<Route>, message: Message, token: u64) {
        if batch.goes_by_route(route) {
            return batch.publish_by_route(route, message, token);
        }
        if let Some((last, others)) = route.queues.split_last() {
            message.expect_queues(route.queues.len());
            for queue in others {
                batch.publish(queue, message.clone(), token);
            }
            batch.publish(last, message, token);
        }
    }

    /// Sends a reply straight to a reply consumer. `None` when `key` is not the address of
    /// one by its form, otherwise whether it was there.
    pub fn reply(&self, exchange: &str, key: &str, message: &Message, touched: &mut Touched) -> Option<bool> {
        if !exchange.is_empty() || !key.starts_with(REPLY_TO) {
            return None;
        }
        Some(self.node.replies.deliver(key, message.clone(), touched))
    }

    fn publishable(&self, exchange: &str) -> Result<Option<Arc<crate::LiveExchange>>, Refusal> {
        let name = ExchangeName::new(exchange).map_err(|_| Refusal::NotFound(self.exchange_subject("")))?;
        // The permit is taken for this exchange and used at once.
        let _permit = self.access().exchange(Operation::Write, &name)?;
        if exchange.is_empty() {
            return Ok(None);
        }
        let live = self.vhost.exchange(exchange);
        let live = live.ok_or_else(|| Refusal::NotFound(self.exchange_subject(exchange)))?;
        if live.declared().internal {
            return Err(Refusal::Internal(live.subject()));
        }
        Ok(Some(live))
    }

    fn find_route(
        &self,
        exchange: &str,
        keys: Keys<'_>,
        headers: &dyn Headers,
        version: u64,
    ) -> Result<Route, Refusal> {
        let live = self.publishable(exchange)?;
        let mut walk = Walk::new(&self.vhost, version);
        match live {
            None => keys.all().for_each(|key| walk.add_queue(key)),
            Some(live) => {
                if live.kind().has_topics {
                    for key in keys.all() {
                        let _permit = self
                            .access()
                            .topic(Operation::Write, &live.declared().name, key)?;
                    }
                }
                walk.follow(live, keys.all(), headers);
            }
        }
        Ok(walk.finish())
    }

    pub(crate) fn exchange_subject(&self, name: &str) -> Subject {
        let name = ExchangeName::new(name).unwrap_or_else(|_| self.unnamed());
        Subject::Exchange(name, self.vhost.name().clone())
    }

    fn unnamed(&self) -> ExchangeName {
        #[expect(clippy::unwrap_used, reason = "the empty name is not too long")]
        ExchangeName::new("").unwrap()
    }
}
