//! Somebody looks at a queue and takes nothing: all that is known to be there shows, and nothing changes.

use super::super::client::user;
use super::super::model::id_of;
use super::life::{Life, check_body};
use super::model::{Sent, Spot};
use std::collections::BTreeMap;
use std::sync::Arc;
use warren_broker::name::QueueName;
use warren_broker::queue::Totals;
use warren_broker::value::{Table, Value};
use warren_node::{Address, Batch, Client, Inbox, Starved, Touched};

const ADDRESS: Address = Address {
    channel: 1,
    consumer: 1,
};

impl Life {
    pub(super) fn browse(&mut self) -> Result<(), String> {
        let (name, _) = self.any_queue();
        let queue = self.node.vhost("/").unwrap().queue(name).unwrap();
        let mut client = self
            .node
            .enter(Arc::new(user("u")), "/", self.node.new_mailbox())
            .unwrap();
        let arguments = ["x-browse", "x-browse-unsettled", "x-browse-delayed"];
        let arguments = arguments.map(|name| (name, Value::Bool(true)));
        let arguments: Table = arguments.into_iter().collect();
        let before = queue.totals();
        let browser = client.browse(&QueueName::new(name).unwrap(), &arguments, ADDRESS);
        let browser = browser.unwrap();
        let mut touched = Touched::default();
        client.browse_on(&browser, &mut touched);
        touched.wake_all();
        let seen = self.look_at(name, &client);
        client.cancel_browser(&browser);
        client.leave(&mut Batch::default(), &mut Touched::default());
        let (seen, after) = (seen?, queue.totals());
        let count = |totals: &Totals| totals.ready + totals.unsettled + totals.delayed + totals.leaving;
        // What is read for others meanwhile may move.
        let is_alone = self.model.plan.before(name).next().is_none() && !self.leaves_by_itself(name);
        if is_alone && count(&before) != count(&after) {
            return Err(format!("{name} had {before:?}, and after a look {after:?}"));
        }
        // Whoever else works with the disk reads later.
        match self.is_meanwhile {
            true => Ok(()),
            false => self.check_seen(name, &seen),
        }
    }

    /// All that comes to whoever looks: by number of the message the one in the queue.
    fn look_at(&self, name: &'static str, client: &Client) -> Result<BTreeMap<u64, u64>, String> {
        let mut seen = BTreeMap::new();
        let mut last_seq = None;
        loop {
            let mut inbox = Inbox::default();
            client.mailbox().take(&mut inbox);
            let room: usize = inbox.parcels.iter().map(|parcel| parcel.room_bytes()).sum();
            for parcel in inbox.parcels {
                let (id, seq) = (id_of(&parcel.delivery.message), parcel.delivery.ticket.seq());
                check_body(id, &parcel.delivery.message)?;
                // What is due only now comes once more, under its new number.
                let may_come_again = self
                    .model
                    .sent_of(id, name)
                    .is_some_and(|(_, sent)| sent.due_ms > 0);
                let is_again = seen.insert(id, seq).is_some() && !may_come_again;
                if last_seq.is_some_and(|last| seq <= last) || is_again {
                    return Err(format!("{name} shows {id} at {seq} behind {last_seq:?}"));
                }
                last_seq = Some(seq);
            }
            let mut touched = Touched::default();
            let starved = client.mailbox().free_room(room);
            Starved::resume_all(&starved, &mut touched);
            touched.wake_all();
            let has_read = !self.is_meanwhile && self.node.read_back();
            if room == 0 && !has_read {
                return Ok(seen);
            }
        }
    }

    /// Whether messages go out of a queue without anybody's doing.
    fn leaves_by_itself(&self, name: &'static str) -> bool {
        let station = self.model.plan.station(name);
        let has_own_ttl = |((_, root), sent): (&Spot, &Sent)| {
            self.model.plan.reach(root).contains(name) && sent.ttl_ms.is_some()
        };
        station.ttl_ms.is_some()
            || station.max.is_some()
            || station.is_last
            || !station.next.is_empty()
            || self.model.sent.iter().any(has_own_ttl)
    }

    fn check_seen(&self, name: &'static str, seen: &BTreeMap<u64, u64>) -> Result<(), String> {
        for id in seen.keys() {
            self.check_shown(*id, name)?;
        }
        if self.leaves_by_itself(name) {
            return Ok(());
        }
        let there = self.model.sent.iter().filter(|((_, root), _)| *root == name);
        for ((id, _), sent) in there {
            let known = self.model.known.get(&(*id, name)).cloned().unwrap_or_default();
            let is_gone = known.settled.is_some() || known.deleted.is_some();
            if !is_gone && sent.when.is_closed() && !seen.contains_key(id) {
                return Err(format!("{name} does not show {id}: {sent:?}, {known:?}"));
            }
        }
        Ok(())
    }

    /// What was done with there, or went with the queue, does not show.
    fn check_shown(&self, id: u64, name: &'static str) -> Result<(), String> {
        let known = self.model.known.get(&(id, name)).cloned().unwrap_or_default();
        let is_gone = known.settled.is_some() || known.deleted.is_some_and(|when| when.is_closed());
        match self.model.sent_of(id, name) {
            Some(_) if !is_gone => Ok(()),
            _ => Err(format!("{name} shows {id}, which is not there: {known:?}")),
        }
    }
}
