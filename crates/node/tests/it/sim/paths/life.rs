//! One life of a node whose queues do things by themselves.

use super::super::client::{Came, Session, Way, user};
use super::super::model::{When, id_of};
use super::super::runs::Counts;
use super::super::sim_disk::{Random, SimDisk};
use super::super::watch::Watch;
use super::config;
use super::model::{Known, Model, Rest};
use super::plan::{GATE, Station};
use crate::broker::{durable_exchange, durable_queue};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use warren_broker::catalog::{Binding, Endpoint, Vhost};
use warren_broker::message::Message;
use warren_broker::name::{ExchangeName, QueueName, VhostName};
use warren_broker::value::Table;
use warren_node::storage::{Opened, Options};
use warren_node::{Burden, Node, Touched};

/// Steps of a race, at most.
const STEPS_MAX: usize = 3000;

/// See the module.
pub(super) struct Life {
    pub(super) node: Arc<Node>,
    pub(super) watch: Watch,
    pub(super) model: Model,
    pub(super) random: Random,
    /// Operations of the disk until the node was there, and until its queues were.
    pub(super) opened_at: usize,
    pub(super) set_up_at: usize,
    pub(super) session: Option<Session>,
    /// Of 100 operations of the disk, at how many somebody does something meanwhile.
    liveliness: u64,
    pub(super) is_meanwhile: bool,
    trouble: Option<String>,
    /// The fullest queues get most of the messages, and give few.
    pub(super) is_filling: bool,
    pub(super) seen: [usize; 5],
}

impl Life {
    pub(super) fn begin(
        disk: SimDisk,
        options: Options,
        model: Model,
        mut random: Random,
    ) -> Result<Self, String> {
        disk.record();
        let watch = Watch::new(disk);
        let opened = Node::open(config(), options, Arc::new(watch.clone()));
        let Opened { node, recovered } =
            opened.map_err(|error| format!("the node does not open: {error}"))?;
        if !recovered.damages.is_empty() {
            return Err(format!("damage out of nothing: {recovered:?}"));
        }
        watch.is_of(&node);
        let liveliness = [0, 5, 30][random.below(3) as usize];
        let mut life = Self::new(&node, &watch, model, random);
        life.liveliness = liveliness;
        life.opened_at = watch.count();
        life.set_up()?;
        life.set_up_at = watch.count();
        life.model.lives += 1;
        life.model.hours.push((0, life.model.hour_ms()));
        node.tick(life.model.hour_ms());
        Ok(life)
    }

    fn new(node: &Arc<Node>, watch: &Watch, model: Model, random: Random) -> Self {
        Self {
            node: Arc::clone(node),
            watch: watch.clone(),
            model,
            random,
            opened_at: 0,
            set_up_at: 0,
            session: None,
            liveliness: 0,
            is_meanwhile: false,
            trouble: None,
            is_filling: false,
            seen: [0; 5],
        }
    }

    /// Declares everything, in the first life.
    fn set_up(&mut self) -> Result<(), String> {
        let is_new = self.node.vhost("/").is_none();
        if is_new {
            self.node.put_vhost(Vhost::named(VhostName::new("/").unwrap()));
            self.node.put_user(user("u"));
        }
        self.session = Some(Session::enter(&self.node, "u"));
        let plan = Arc::clone(&self.model.plan);
        for station in &plan.stations {
            if is_new || self.node.vhost("/").unwrap().queue(station.name).is_none() {
                self.declare(station);
            }
        }
        if !is_new {
            return Ok(());
        }
        let session = self.session.as_mut().unwrap();
        let mut touched = Touched::default();
        let plan = &self.model.plan;
        let forks = plan.stations.iter();
        let forks = forks.filter_map(|station| Some((station.fork()?, &station.next, None)));
        let gate = (!plan.behind_gate.is_empty()).then(|| plan.gate_arguments());
        let gate = gate.map(|arguments| (GATE.to_owned(), &plan.behind_gate, Some(arguments)));
        for (exchange, queues, gate) in forks.chain(gate) {
            let kind = if gate.is_some() {
                "x-message-deduplication"
            } else {
                "fanout"
            };
            let asked = durable_exchange(&exchange, kind, gate.unwrap_or_default());
            session.client.declare_exchange(&asked, &mut touched).unwrap();
            for queue in queues {
                let binding = Binding {
                    source: ExchangeName::new(&exchange).unwrap(),
                    destination: Endpoint::Queue(QueueName::new(queue).unwrap()),
                    key: "".into(),
                    arguments: Table::new(),
                };
                session.client.bind(binding, &mut touched).unwrap();
            }
        }
        touched.wake_all();
        while self.node.durable() < self.node.appended() {
            self.node.commit_log().map_err(|poisoned| poisoned.to_string())?;
        }
        Ok(())
    }

    fn declare(&mut self, station: &Station) {
        let began = self.watch.count();
        let asked = durable_queue(station.name, station.arguments());
        let mut touched = Touched::default();
        let session = self.session.as_mut().unwrap();
        let declared = session.client.declare_queue(&asked, &mut touched).unwrap();
        touched.wake_all();
        let position = declared.position;
        self.model.begin_again(station.name, When { position, began });
    }

    /// A queue is deleted, and another declared in its place.
    fn delete(&mut self, began: usize) -> Result<(), String> {
        let names = self.model.plan.deletable();
        if names.is_empty() {
            return Ok(());
        }
        self.collect(began)?;
        let name = names[self.random.below(names.len() as u64) as usize];
        let asked = QueueName::new(name).unwrap();
        let mut touched = Touched::default();
        let client = &mut self.session.as_mut().unwrap().client;
        let (_, position) = client.delete_queue(&asked, false, false, &mut touched).unwrap();
        touched.wake_all();
        self.model.end(name, When { position, began });
        self.collect(began)?;
        let station = self.model.plan.station(name).clone();
        self.declare(&station);
        self.seen[4] += 1;
        Ok(())
    }

    pub(super) fn session(&mut self) -> &mut Session {
        self.session.as_mut().unwrap()
    }

    /// Does something.
    pub(super) fn step(&mut self) -> Result<(), String> {
        let began = self.watch.count();
        if self.random.chance(4) {
            self.is_filling = self.random.chance(50);
        }
        match self.random.below(100) {
            0..=24 => self.publish(began)?,
            25..=31 => self.transact(began)?,
            32..=43 if self.is_filling => self.publish(began)?,
            32..=43 => {
                for _ in 0..=self.random.below(5) {
                    self.get(began)?;
                }
            }
            44..=54 => self.let_go(began),
            55 => self.consume(),
            56 => self.browse()?,
            57 => self.cancel(),
            58 => self.delete(began)?,
            59..=66 => self.tick(began),
            67..=80 => self.commit()?,
            81..=91 => self.keep()?,
            _ => drop(self.node.read_back()),
        }
        self.collect(began)
    }

    pub(super) fn commit(&mut self) -> Result<(), String> {
        self.while_others_go_on(|node| node.commit_log().map(drop))
    }

    fn keep(&mut self) -> Result<(), String> {
        self.while_others_go_on(|node| node.keep_house().map(drop))
    }

    /// As [`super::super::life::Life::while_others_go_on`].
    fn while_others_go_on(
        &mut self,
        act: impl FnOnce(&Arc<Node>) -> Result<(), warren_store::Poisoned>,
    ) -> Result<(), String> {
        let (node, watch) = (Arc::clone(&self.node), self.watch.clone());
        let husk = Self::new(&node, &watch, Model::default(), Random::default());
        let others = Arc::new(Mutex::new(std::mem::replace(self, husk)));
        let theirs = Arc::clone(&others);
        watch.set_meanwhile(Some(Box::new(move || theirs.lock().unwrap().meanwhile())));
        let done = act(&node);
        watch.set_meanwhile(None);
        *self = Arc::into_inner(others).unwrap().into_inner().unwrap();
        self.trouble.take().map_or(Ok(()), Err)?;
        done.map_err(|poisoned| format!("the log failed: {poisoned}"))
    }

    fn meanwhile(&mut self) {
        if self.trouble.is_some() || !self.random.chance(self.liveliness) {
            return;
        }
        let began = self.watch.count();
        self.is_meanwhile = true;
        let done = match self.random.below(20) {
            0..=4 => self.publish(began),
            5..=6 if self.random.chance(10) => self.delete(began),
            5..=6 => self.transact(began),
            7..=10 => {
                self.let_go(began);
                Ok(())
            }
            11..=13 => {
                self.tick(began);
                Ok(())
            }
            14 => self.browse(),
            _ => self.get(began),
        };
        self.is_meanwhile = false;
        self.trouble = done.and_then(|()| self.collect(began)).err();
    }

    /// Does many things while another thread writes the log without a pause, until the disk has had so many
    /// operations, so that it is written between any
    /// two records that are not one step. Which those are is different each time.
    pub(super) fn race(&mut self, operations: usize) -> Result<(), String> {
        let (node, is_over) = (Arc::clone(&self.node), AtomicBool::new(false));
        // Nothing but the log is written.
        self.is_meanwhile = true;
        let done = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    node.commit_log().map_err(|poisoned| poisoned.to_string())?;
                }
                Ok(())
            });
            let until = self.watch.count() + operations;
            let mut done = Ok(());
            for _ in 0..STEPS_MAX {
                done = self.race_on();
                if done.is_err() || self.watch.count() >= until {
                    break;
                }
                std::thread::yield_now();
            }
            is_over.store(true, Ordering::Relaxed);
            writer.join().unwrap().and(done)
        });
        self.is_meanwhile = false;
        done?;
        self.commit()
    }

    fn race_on(&mut self) -> Result<(), String> {
        let began = self.watch.count();
        match self.random.below(10) {
            0..=2 => self.transact(began)?,
            3..=4 => self.publish(began)?,
            5 => self.let_go(began),
            6 => self.tick(began),
            _ => self.get(began)?,
        }
        self.collect(began)
    }

    fn tick(&mut self, began: usize) {
        let pause = if self.random.chance(8) { 1500 } else { 60 };
        let hour_ms = self.model.hour_ms() + self.random.below(pause);
        self.model.hours.push((began, hour_ms));
        self.node.tick(hour_ms);
    }

    pub(super) fn may_publish(&self) -> bool {
        !self.node.is_congested(Burden::WHOLE) && self.node.alarm().is_none()
    }

    /// The name of a queue, and whether it is for last values.
    pub(super) fn any_queue(&mut self) -> (&'static str, bool) {
        let stations = &self.model.plan.stations;
        let at = self.random.below(stations.len() as u64) as usize;
        (stations[at].name, stations[at].is_last)
    }

    fn consume(&mut self) {
        // Nobody holds a message of a queue for last values: what is out stays beside what comes.
        let (name, is_last) = self.any_queue();
        let prefetch = 1 + self.random.below(5) as u32;
        if !is_last && self.session().consumers.len() < 2 {
            self.session().consume(name, false, prefetch);
        }
    }

    fn cancel(&mut self) {
        if !self.session().consumers.is_empty() {
            self.session().cancel(0);
        }
    }

    fn get(&mut self, began: usize) -> Result<(), String> {
        let (name, is_last) = self.any_queue();
        let no_ack = is_last || self.random.chance(30);
        self.collect(began)?;
        let may_read = !self.is_meanwhile;
        let came = self.session().get(name, no_ack, may_read);
        self.collect(began)?;
        match came {
            Some(Some(came)) => self.came(vec![came], began),
            _ => Ok(()),
        }
    }

    fn collect(&mut self, began: usize) -> Result<(), String> {
        let came = self.session().receive();
        self.came(came, began)
    }

    fn came(&mut self, came: Vec<Came>, began: usize) -> Result<(), String> {
        let position = self.node.appended();
        let when = When { position, began };
        for Came {
            queue,
            no_ack,
            drained,
        } in came
        {
            let vhost = self.node.vhost("/").unwrap();
            let mut all = self.model.plan.stations.iter();
            let name = all.find(|s| vhost.queue(s.name).is_some_and(|live| live.id().0 == queue));
            let name = name.map_or("?", |station| station.name);
            let id = id_of(&drained.message);
            check_body(id, &drained.message)?;
            self.check_delivery(id, name, drained.failures)?;
            let known = self.model.known.entry((id, name)).or_default();
            known.seen.get_or_insert(when);
            if let Some(failures) = drained.failures {
                // An earlier life may have left open how many there were.
                known.fails.truncate(failures.into());
            }
            if no_ack {
                known.settled = Some(when);
            }
            self.seen[3] += usize::from(drained.message.annotations().deaths().is_some());
        }
        Ok(())
    }

    fn check_delivery(&self, id: u64, queue: &'static str, failures: Option<u16>) -> Result<(), String> {
        let told = |wrong: &str| Err(format!("message {id} of {queue} {wrong}"));
        let Some((root, sent)) = self.model.sent_of(id, queue) else {
            return told("was never taken");
        };
        let hour_ms = self.model.hour_ms();
        if root == queue && sent.due_ms > hour_ms {
            return told("comes before it is due");
        }
        if root == queue && sent.is_refused {
            return told("was refused, and comes");
        }
        let Some(known) = self.model.known.get(&(id, queue)) else {
            return Ok(());
        };
        if known.deleted.is_some_and(|when| when.is_closed()) {
            return told(&format!("comes, and went with its queue: {known:?}"));
        }
        if known.settled.is_some() {
            return told(&format!("comes again: {known:?}"));
        }
        // An earlier life may have left open whether it does.
        let must_rest = |rest: &Rest| rest.when.is_closed() && rest.least_ms > hour_ms;
        if known.rests.last().is_some_and(must_rest) {
            return told(&format!("comes before it has rested: {known:?}"));
        }
        match failures.map(usize::from) {
            Some(failures) if !known.may_have_failed(failures) => {
                told(&format!("failed {failures} times: {known:?}"))
            }
            _ if self.is_beyond(id, queue) => told("comes again, and had moved on"),
            _ => Ok(()),
        }
    }

    /// Whether a message was seen in a place behind.
    fn is_beyond(&self, id: u64, queue: &str) -> bool {
        self.model.plan.next_of(queue).iter().any(|next| {
            let known = self.model.known.get(&(id, *next));
            known.is_some_and(|known: &Known| known.seen.is_some()) || self.is_beyond(id, next)
        })
    }

    pub(super) fn stop(&mut self) -> Result<(), String> {
        let mut session = self.session.take().unwrap();
        while !session.consumers.is_empty() {
            session.cancel(0);
        }
        let began = self.watch.count();
        let mut gathered = Vec::new();
        while !session.held.is_empty() {
            let name = session.held[0].queue.declared().name.clone();
            let (_, id) = session.let_go_so(0, Way::Return);
            gathered.push(((id, self.model.plan.name_of(name.as_str())), Way::Return));
        }
        session.leave();
        let position = self.node.appended();
        self.gathered(gathered, When { position, began });
        self.node
            .stop()
            .map_err(|poisoned| format!("cannot stop: {poisoned}"))
    }

    pub(super) fn count(&self, counts: &mut Counts) {
        counts.saw("transactions", self.seen[0]);
        counts.saw("refused", self.seen[1]);
        counts.saw("deliveries over the limit", self.seen[2]);
        counts.saw("dead letters that came", self.seen[3]);
        counts.saw("queues deleted", self.seen[4]);
        counts.saw("messages on paths", self.model.sent.len());
    }
}

pub(super) fn body_of(id: u64, bytes: u64) -> Vec<u8> {
    (0..bytes).map(|at| (at * 7 + id * 13 + at / 251) as u8).collect()
}

/// The content must be what was published.
pub(super) fn check_body(id: u64, message: &Message) -> Result<(), String> {
    let body = message.body();
    match body == body_of(id, body.len() as u64) {
        true => Ok(()),
        false => Err(format!("message {id} has another body")),
    }
}
