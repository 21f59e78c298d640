//! Dead letters on their way: from the queue in which a message died, through the exchange that its queue
//! names, to the queues that take it.
//!
//! A message is done with in the one place and stands in the others in one step: no crash loses it, and none
//! doubles it. Nothing is held while the way is looked for; the message is leaving all the time.

use crate::mailbox::Touched;
use crate::node::Node;
use crate::publish::Keys;
use crate::queues::{LiveQueue, Share, work_together};
use crate::routes::Walk;
use crate::vhosts::LiveVhost;
use std::borrow::Cow;
use std::sync::Arc;
use warren_broker::message::{Message, dead_letter};
use warren_broker::queue::{DeadLetters, Leaving, Strategy};
use warren_broker::route::{Headers, Property, Routable};
use warren_broker::value::Table;

/// Messages moved at a time.
const MOVED_MAX: usize = 256;

/// So long a dead letter that nobody takes, and that is not to be lost, waits before it is tried again.
const RETRY_MS: u64 = 1_000;

impl Node {
    /// Moves what leaves a queue, and what leaves others because of that.
    pub(crate) fn move_on(&self, start: &Arc<LiveQueue>, touched: &mut Touched) {
        let mut waiting = vec![Arc::clone(start)];
        while let Some(queue) = waiting.pop() {
            while let Some(leaving) = queue.start_move(MOVED_MAX) {
                let is_done = self.move_all(&queue, leaving, &mut waiting, touched);
                queue.end_move(if is_done { 0 } else { RETRY_MS });
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
        let floor = self.appended();
        let rules = source.rules();
        let vhost = self.vhost(source.vhost().as_str());
        let mut shares: Vec<(Arc<LiveQueue>, Share)> = vec![(Arc::clone(source), Share::default())];
        let mut is_done = true;
        for one in leaving {
            let dead_letters = rules.dead_letters.as_ref();
            let sent = match (&vhost, dead_letters) {
                (Some(vhost), Some(dead_letters)) => {
                    self.address(vhost, source, &one, dead_letters, &mut shares)
                }
                _ => true,
            };
            is_done &= sent;
            if sent && let (Some(seq), Some((_, share))) = (one.seq, shares.first_mut()) {
                share.left.push(seq);
            }
        }
        let outcome = work_together(&shares, floor, touched);
        let others = outcome.leaving.into_iter();
        waiting.extend(others.filter(|queue| !Arc::ptr_eq(queue, source)));
        is_done
    }

    /// Finds where a dead letter goes, and gives it to those queues. Answers whether it is done with here.
    fn address(
        &self,
        vhost: &LiveVhost,
        source: &LiveQueue,
        leaving: &Leaving,
        rules: &DeadLetters,
        shares: &mut Vec<(Arc<LiveQueue>, Share)>,
    ) -> bool {
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
        let Ok(letter) = letter else { return !is_kept };
        let mut targets = self.targets(vhost, &letter);
        let deaths = letter.annotations().deaths();
        targets.retain(|queue| {
            let name = queue.declared().name.as_str();
            !queue.is_deleted() && !deaths.as_ref().is_some_and(|deaths| deaths.is_cycle(name))
        });
        drop(deaths);
        let Some((last, others)) = targets.split_last() else {
            return !is_kept;
        };
        if is_kept && targets.iter().any(|queue| queue.is_full_for(&letter)) {
            return false;
        }
        if !others.is_empty() {
            letter.expect_sharing();
        }
        for queue in others {
            give(shares, queue, letter.clone());
        }
        give(shares, last, letter);
        true
    }

    /// The queues that a message without a session goes to.
    fn targets(&self, vhost: &LiveVhost, letter: &Message) -> Vec<Arc<LiveQueue>> {
        let mut walk = Walk::new(vhost, 0);
        let more: Vec<String> = letter.further_keys().map(str::to_owned).collect();
        let keys = Keys {
            first: letter.routing_key(),
            more: &more,
        };
        let exchange = letter.exchange();
        if exchange.is_empty() {
            keys.all().for_each(|key| walk.add_queue(key));
            return walk.finish().queues;
        }
        let Some(live) = vhost.exchange(exchange) else {
            return Vec::new();
        };
        let headers = Told {
            node: self,
            message: letter,
            headers: self.config.dialect.headers(letter),
        };
        for key in keys.all() {
            let message = Routable {
                key,
                headers: &headers,
            };
            walk.follow(Arc::clone(&live), &message);
        }
        walk.finish().queues
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

fn give(shares: &mut Vec<(Arc<LiveQueue>, Share)>, queue: &Arc<LiveQueue>, message: Message) {
    match shares.iter_mut().find(|(other, _)| Arc::ptr_eq(other, queue)) {
        Some((_, share)) => share.messages.push(message),
        None => {
            let messages = vec![message];
            let share = Share {
                messages,
                ..Share::default()
            };
            shares.push((Arc::clone(queue), share));
        }
    }
}
