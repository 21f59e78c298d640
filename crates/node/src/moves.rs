//! Dead letters on their way: from the queue in which a message died, through the exchange that its queue
//! names, to the queues that take it.
//!
//! A message is done with in the one place and stands in the others in one step: no crash loses it, and none
//! doubles it. Nothing is held while the way is looked for; the message is leaving all the time.

use crate::exchanges::LiveExchange;
use crate::mailbox::Touched;
use crate::node::Node;
use crate::queues::{LiveQueue, Routed, Share, work_together};
use crate::routes::{Route, Walk};
use crate::vhosts::LiveVhost;
use std::borrow::Cow;
use std::sync::Arc;
use warren_broker::message::{Message, dead_letter};
use warren_broker::queue::{DeadLetters, Leaving, Strategy};
use warren_broker::route::{Destination, Headers, Property, is_remembered};
use warren_broker::value::Table;

/// Messages moved at a time.
const MOVED_MAX: usize = 256;

impl Node {
    /// Moves what leaves a queue, and what leaves others because of that.
    pub(crate) fn move_on(&self, start: &Arc<LiveQueue>, touched: &mut Touched) {
        let mut waiting = vec![Arc::clone(start)];
        while let Some(queue) = waiting.pop() {
            while let Some(leaving) = queue.start_move(MOVED_MAX) {
                let seqs: Vec<u64> = leaving.iter().filter_map(|one| one.seq).collect();
                let is_done = self.move_all(&queue, leaving, &mut waiting, touched);
                queue.end_move(&seqs, is_done);
            }
            if queue.is_empty_at_last() {
                self.delete_emptied(&queue, touched);
            }
        }
    }

    /// Moves these. Answers whether all of them left.
    fn move_all(
        &self,
        source: &Arc<LiveQueue>,
        leaving: Vec<Leaving>,
        waiting: &mut Vec<Arc<LiveQueue>>,
        touched: &mut Touched,
    ) -> bool {
        let rules = source.rules();
        let vhost = self.vhost(source.vhost().as_str());
        let mut letters = Vec::with_capacity(leaving.len());
        let mut is_done = true;
        for one in leaving {
            let dead_letters = rules.dead_letters.as_ref();
            let letter = match (&vhost, dead_letters) {
                (Some(vhost), Some(dead_letters)) => self.address(vhost, source, &one, dead_letters),
                _ => Some(Letter::to_nobody(&one)),
            };
            is_done &= letter.is_some();
            letters.extend(letter);
        }
        let dead_letters = rules.dead_letters.as_ref();
        let is_kept = dead_letters.is_some_and(|rule| rule.strategy == Strategy::AtLeastOnce);
        let mut send = |letters: &[Letter]| self.send(source, letters, is_kept, waiting, touched);
        // What does not fit together may do so one by one.
        if send(&letters) {
            return is_done;
        }
        letters
            .iter()
            .for_each(|letter| is_done &= send(std::slice::from_ref(letter)));
        is_done
    }

    /// Moves letters to their queues in one step. Answers whether it did: where they are `kept`, those queues
    /// take all of them, or nothing happens.
    fn send(
        &self,
        source: &Arc<LiveQueue>,
        letters: &[Letter],
        is_kept: bool,
        waiting: &mut Vec<Arc<LiveQueue>>,
        touched: &mut Touched,
    ) -> bool {
        let mut shares: Vec<(Arc<LiveQueue>, Share)> = vec![(Arc::clone(source), Share::default())];
        let mut routed = Vec::new();
        for letter in letters {
            let message = &letter.message;
            match &letter.route {
                Some(route) if route.has_gates() => routed.push(Routed {
                    route: Arc::clone(route),
                    message: message.clone(),
                    must_fit: is_kept,
                }),
                Some(route) => route
                    .queues
                    .iter()
                    .for_each(|queue| give(&mut shares, queue, message.clone(), is_kept)),
                None => {}
            }
            if let (Some(seq), Some((_, share))) = (letter.seq, shares.first_mut()) {
                share.left.push(seq);
            }
        }
        let outcome = work_together(&shares, &routed, self.appended(), touched);
        outcome.tell_browsers(touched);
        let others = outcome.leaving.into_iter();
        waiting.extend(others.filter(|queue| !Arc::ptr_eq(queue, source)));
        !outcome.is_undone
    }

    /// Finds where a dead letter goes. `None`: it stays until it is taken somewhere.
    fn address(
        &self,
        vhost: &LiveVhost,
        source: &LiveQueue,
        leaving: &Leaving,
        rules: &DeadLetters,
    ) -> Option<Letter> {
        let is_kept = rules.strategy == Strategy::AtLeastOnce;
        let now_ms = self.backing.clock.now_ms();
        let name = source.declared().name.as_str();
        let letter = dead_letter(
            &leaving.message,
            name,
            leaving.reason,
            now_ms,
            &rules.exchange,
            rules.key.as_deref(),
        );
        // Exchange and key were accepted when the rule was made.
        let nowhere = || (!is_kept).then(|| Letter::to_nobody(leaving));
        let Ok(letter) = letter else { return nowhere() };
        let mut route = self.route_of(vhost, &letter);
        let deaths = letter.deaths();
        route.retain(|queue| {
            let name = queue.declared().name.as_str();
            !queue.is_deleted() && !deaths.as_ref().is_some_and(|deaths| deaths.is_cycle(name))
        });
        drop(deaths);
        if is_kept && route.reaches_nobody() {
            return None;
        }
        // Whether it comes to those that are behind gates is not known yet.
        if is_kept && route.queues.iter().any(|queue| queue.is_full_for(&letter)) {
            return None;
        }
        self.remember(&route.remembering, &letter);
        if route.reaches_nobody() {
            return nowhere();
        }
        letter.expect_queues(route.queues.len());
        Some(Letter {
            seq: leaving.seq,
            message: letter,
            route: Some(Arc::new(route)),
        })
    }

    /// Where a message without a session goes.
    pub(crate) fn route_of(&self, vhost: &LiveVhost, letter: &Message) -> Route {
        let mut walk = Walk::new(vhost, 0);
        let exchange = letter.exchange();
        if exchange.is_empty() {
            let keys = std::iter::once(letter.routing_key()).chain(letter.further_keys());
            keys.for_each(|key| walk.add_queue(key));
        } else if let Some(live) = vhost.exchange(exchange) {
            self.follow(&mut walk, &live, letter);
        }
        walk.finish()
    }

    /// Follows a message without a session from an exchange on.
    fn follow(&self, walk: &mut Walk<'_>, start: &Arc<LiveExchange>, message: &Message) {
        let headers = Told {
            node: self,
            message,
            headers: self.config.dialect.headers(message),
        };
        let keys = std::iter::once(message.routing_key()).chain(message.further_keys());
        walk.follow(Arc::clone(start), keys, &headers);
    }

    /// Exchanges on a message's way remember it, unless it says that they are not to.
    pub(crate) fn remember(&self, remembering: &[Arc<LiveExchange>], message: &Message) {
        if remembering.is_empty() {
            return;
        }
        let headers = self.config.dialect.headers(message);
        if headers.is_none_or(|headers| is_remembered(&headers)) {
            for exchange in remembering {
                exchange.remember(message);
            }
        }
    }

    /// Gives what an exchange remembers to whom it was bound to just now, the oldest first.
    pub(crate) fn recall(
        &self,
        vhost: &LiveVhost,
        exchange: &LiveExchange,
        to: Destination,
        touched: &mut Touched,
    ) {
        if !exchange.has_history() {
            return;
        }
        let messages = exchange.remembered(self.now_ms());
        let floor = self.appended();
        let (mut shares, mut routed) = (Vec::new(), Vec::new());
        for message in messages {
            let queues = match to {
                Destination::Queue(id) => vhost.queues_by_id(&[id]),
                Destination::Exchange(id) => {
                    let Some(next) = vhost.exchange_by_id(id) else {
                        return;
                    };
                    // What is bound in a circle does not come back to where it is remembered.
                    let mut walk = Walk::new(vhost, 0).around(exchange);
                    self.follow(&mut walk, &next, &message);
                    let route = walk.finish();
                    self.remember(&route.remembering, &message);
                    if route.has_gates() {
                        routed.push(Routed {
                            route: Arc::new(route),
                            message,
                            must_fit: false,
                        });
                        continue;
                    }
                    route.queues
                }
            };
            for queue in &queues {
                give(&mut shares, queue, message.clone(), false);
            }
        }
        for (queue, share) in shares {
            queue.work(&share.commands(), floor, touched);
        }
        self.send_routed(&routed, floor, touched);
    }
}

/// The headers of a message, as those who know its encoding tell them.
struct Told<'a> {
    node: &'a Node,
    message: &'a Message,
    headers: Option<Table>,
}

impl Headers for Told<'_> {
    fn headers(&self) -> Option<&Table> {
        self.headers.as_ref()
    }

    fn property(&self, property: Property) -> Option<Cow<'_, [u8]>> {
        let dialect = &self.node.config.dialect;
        match property {
            Property::MessageId => dialect.message_id(self.message).map(Cow::Borrowed),
            Property::CorrelationId => dialect.correlation_id(self.message).map(Cow::Borrowed),
            Property::Timestamp => {
                let seconds = dialect.timestamp(self.message)?;
                Some(Cow::Owned(seconds.to_string().into_bytes()))
            }
        }
    }
}

/// A dead letter, and where it goes.
struct Letter {
    /// As [`Leaving::seq`].
    seq: Option<u64>,
    message: Message,
    /// `None`: it is dropped.
    route: Option<Arc<Route>>,
}

impl Letter {
    /// One that is dropped.
    fn to_nobody(leaving: &Leaving) -> Self {
        Self {
            seq: leaving.seq,
            message: leaving.message.clone(),
            route: None,
        }
    }
}

fn give(shares: &mut Vec<(Arc<LiveQueue>, Share)>, queue: &Arc<LiveQueue>, message: Message, must_fit: bool) {
    match shares.iter_mut().find(|(other, _)| Arc::ptr_eq(other, queue)) {
        Some((_, share)) => {
            share.messages.push(message);
            share.must_fit |= must_fit;
        }
        None => {
            let share = Share {
                messages: vec![message],
                must_fit,
                ..Share::default()
            };
            shares.push((Arc::clone(queue), share));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::batch::Batch;
    use crate::client::Client;
    use crate::node::Config;
    use std::sync::Barrier;
    use warren_broker::access::{Permission, User};
    use warren_broker::catalog::{QueueDeclaration, Vhost};
    use warren_broker::message::Parts;
    use warren_broker::name::{QueueName, UserName, VhostName};
    use warren_broker::value::Value;
    use warren_store::MemoryLog;

    const HOUR_MS: u64 = 4_000_000_000_000;

    fn name(queue: &str) -> QueueName {
        QueueName::new(queue).unwrap()
    }

    /// A node, and a session that may do anything.
    fn set_up() -> (Arc<Node>, Client) {
        let node = Node::new(Config::default(), Arc::new(MemoryLog::default()));
        node.tick(HOUR_MS);
        let vhost = VhostName::new("/").unwrap();
        node.put_vhost(Vhost::named(vhost.clone()));
        let mut user = User::new(UserName::new("u").unwrap());
        let may_do_anything = Permission::new(".*", ".*", ".*").unwrap();
        user.permissions.insert(vhost, may_do_anything);
        node.put_user(user.clone());
        let client = node.enter(Arc::new(user), "/", node.new_mailbox()).unwrap();
        (node, client)
    }

    fn declare(client: &mut Client, queue: &str, arguments: &[(&str, Value)]) -> Arc<LiveQueue> {
        let arguments = arguments.iter().cloned();
        let asked = QueueDeclaration {
            name: name(queue),
            server_named: false,
            durable: true,
            exclusive: false,
            auto_delete: false,
            arguments: arguments.map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        client.declare_queue(&asked, &mut Touched::default()).unwrap();
        client.vhost().queue(queue).unwrap()
    }

    /// A queue `q` that is deleted and has one letter, which nobody takes.
    fn set_aside(client: &mut Client) -> Arc<LiveQueue> {
        let arguments = [
            ("x-queue-type", Value::from("quorum")),
            ("x-dead-letter-exchange", Value::from("")),
            ("x-dead-letter-routing-key", Value::from("there")),
            ("x-dead-letter-strategy", Value::from("at-least-once")),
            ("x-overflow", Value::from("reject-publish")),
            ("x-dead-letter-on-delete", Value::Bool(true)),
        ];
        let queue = declare(client, "q", &arguments);
        let parts = Parts {
            key: "q",
            body: b"letter",
            persistent: true,
            published_ms: HOUR_MS,
            ..Parts::default()
        };
        let (mut batch, mut touched) = (Batch::default(), Touched::default());
        batch.publish(&queue, Message::of(&parts).unwrap(), 0);
        client.flush(&mut batch, &mut touched);
        let deleted = client.delete_queue(&name("q"), false, false, &mut touched);
        assert_eq!(deleted.unwrap().0, 1);
        queue
    }

    /// Its letter leaves, and nobody has looked yet whether that was the last one.
    fn empty(node: &Node, queue: &Arc<LiveQueue>) {
        node.backing.clock.set_ms(HOUR_MS + 1_500);
        let leaving = queue.start_move(MOVED_MAX).unwrap();
        let seqs: Vec<u64> = leaving.iter().filter_map(|one| one.seq).collect();
        let is_done = node.move_all(queue, leaving, &mut Vec::new(), &mut Touched::default());
        assert!(is_done);
        queue.end_move(&seqs, is_done);
    }

    #[test]
    fn a_deleted_queue_that_several_find_empty_goes_once() {
        let (node, mut client) = set_up();
        let first = set_aside(&mut client);
        declare(&mut client, "there", &[]);
        empty(&node, &first);
        // Two come to the same end before either of them acts on it.
        assert!(first.is_empty_at_last() && first.is_empty_at_last());
        let mut touched = Touched::default();
        node.delete_emptied(&first, &mut touched);
        let (position, first_id) = (node.appended(), first.id());
        assert!(client.vhost().queues_by_id(&[first_id]).is_empty());
        // Meanwhile there is another one of its name, which has letters to send as well.
        client
            .delete_queue(&name("there"), false, false, &mut touched)
            .unwrap();
        let second = set_aside(&mut client);
        let again = declare(&mut client, "q", &[]);
        let before = node.appended();
        assert!(before > position);
        node.delete_emptied(&first, &mut touched);
        assert_eq!(node.appended(), before, "nothing is said of it again");
        assert!(!again.is_deleted());
        assert!(Arc::ptr_eq(&client.vhost().queue("q").unwrap(), &again));
        assert_eq!(client.vhost().queues_by_id(&[second.id()]).len(), 1);
        assert_eq!(second.totals().messages(), 1);
    }

    #[test]
    fn threads_that_find_a_deleted_queue_empty_at_the_same_time_delete_it_once() {
        const FINDERS: usize = 4;
        let (node, mut client) = set_up();
        let queue = set_aside(&mut client);
        declare(&mut client, "there", &[]);
        empty(&node, &queue);
        let (all_found, id) = (Barrier::new(FINDERS), queue.id());
        std::thread::scope(|scope| {
            for _ in 0..FINDERS {
                scope.spawn(|| {
                    assert!(queue.is_empty_at_last());
                    all_found.wait();
                    node.delete_emptied(&queue, &mut Touched::default());
                    // Nobody finds it once more, and nothing of it is moved.
                    assert!(!queue.is_empty_at_last());
                    node.move_on(&queue, &mut Touched::default());
                });
            }
        });
        assert!(client.vhost().queues_by_id(&[id]).is_empty());
        assert_eq!(client.vhost().queue("there").unwrap().totals().ready, 1);
        drop(client);
        // The node does not know it any more, nor does the clock call it.
        node.tick(HOUR_MS + 10_000);
        assert_eq!(Arc::strong_count(&queue), 1);
    }
}
