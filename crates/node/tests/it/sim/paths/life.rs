//! One life of a node whose queues do things by themselves.

use super::super::client::{Came, Held, Session, Way, user};
use super::super::model::{When, id_of};
use super::super::runs::Counts;
use super::super::sim_disk::{Random, SimDisk};
use super::super::watch::Watch;
use super::model::{Accepted, Known, Model, Sent, Spot};
use super::{FEW, FORKS, LIMIT, PAUSE_MAX_MS, PAUSE_MS, STATIONS, arguments, config, name_of, next_of};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use warren_broker::catalog::{Binding, Endpoint, ExchangeDeclaration, QueueDeclaration, Vhost};
use warren_broker::message::{AnnotationsWriter, Message, Parts};
use warren_broker::name::{ExchangeName, QueueName, VhostName};
use warren_broker::route::NoHeaders;
use warren_broker::value::Table;
use warren_node::storage::{Opened, Options};
use warren_node::{Burden, Keys, Node, Position, Touched};

/// Steps of a race, at most.
const STEPS_MAX: usize = 3000;

/// See the module.
pub(super) struct Life {
    node: Arc<Node>,
    pub(super) watch: Watch,
    pub(super) model: Model,
    random: Random,
    /// Operations of the disk until the node was there, and until its queues were.
    pub(super) opened_at: usize,
    pub(super) set_up_at: usize,
    session: Option<Session>,
    /// Of 100 operations of the disk, at how many somebody does something meanwhile.
    liveliness: u64,
    is_meanwhile: bool,
    trouble: Option<String>,
    /// The fullest queues get most of the messages, and give few.
    is_filling: bool,
    seen: [usize; 4],
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
            seen: [0; 4],
        }
    }

    /// Declares everything, in the first life.
    fn set_up(&mut self) -> Result<(), String> {
        let is_new = self.node.vhost("/").is_none();
        if is_new {
            self.node.put_vhost(Vhost::named(VhostName::new("/").unwrap()));
            self.node.put_user(user("u"));
        }
        let session = self.session.insert(Session::enter(&self.node, "u"));
        if !is_new {
            return Ok(());
        }
        let mut touched = Touched::default();
        for station in STATIONS {
            let asked = QueueDeclaration {
                name: QueueName::new(station.name).unwrap(),
                server_named: false,
                durable: true,
                exclusive: false,
                auto_delete: false,
                arguments: arguments(station.name),
            };
            session.client.declare_queue(&asked, &mut touched).unwrap();
        }
        for (fork, queues) in FORKS {
            let asked = ExchangeDeclaration {
                name: ExchangeName::new(fork).unwrap(),
                kind: "fanout".to_owned(),
                durable: true,
                auto_delete: false,
                internal: false,
                arguments: Table::new(),
            };
            session.client.declare_exchange(&asked, &mut touched).unwrap();
            for queue in queues {
                let binding = Binding {
                    source: ExchangeName::new(fork).unwrap(),
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

    fn session(&mut self) -> &mut Session {
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
            55..=56 => self.consume(),
            57..=58 => self.cancel(),
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
            5..=6 => self.transact(began),
            7..=10 => {
                self.let_go(began);
                Ok(())
            }
            11..=14 => {
                self.tick(began);
                Ok(())
            }
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

    fn may_publish(&self) -> bool {
        !self.node.is_congested(Burden::WHOLE) && self.node.alarm().is_none()
    }

    fn root(&mut self) -> &'static str {
        let roots = if self.is_filling { 10 } else { 14 };
        STATIONS[self.random.below(roots) as usize].name
    }

    /// Puts a message into the batch. `None`: it came already.
    fn put(&mut self, came: &[Accepted]) -> Result<Option<(Spot, Sent, bool)>, String> {
        let root = self.root();
        let key = self.key(root);
        let of_key = |taken: &&Accepted| taken.queue == root && taken.key == key && key != 0;
        let before = self.model.accepted.iter().rev();
        let before = before.filter(|taken| taken.queue == root);
        // Room is made for what a batch brings when all of it was looked at.
        let remembered = before.take(if root == "few" { FEW } else { usize::MAX });
        let known = remembered.chain(came).find(of_key);
        if known.is_some_and(|known| known.when.is_none()) {
            return Ok(None);
        }
        let is_duplicate = known.is_some();
        self.model.last_id += 1;
        let id = self.model.last_id;
        let due_ms = match self.random.below(8) {
            0 => self.model.hour_ms() + 1 + self.random.below(200),
            _ => 0,
        };
        let message = self.message(id, root, key, due_ms);
        let session = self.session.as_mut().unwrap();
        let keys = Keys {
            first: root,
            more: &[],
        };
        let route = session
            .client
            .route(&mut session.cache, "", keys, &NoHeaders)
            .unwrap();
        session.client.publish(&mut session.batch, &route, message, id);
        let sent = Sent {
            when: When::ALWAYS,
            group: None,
            due_ms,
            key,
        };
        Ok(Some(((id, root), sent, is_duplicate)))
    }

    fn key(&mut self, root: &str) -> i64 {
        match root {
            "once" => 1 + self.random.below(40) as i64,
            // Whether an earlier life's is remembered cannot be known.
            "few" => (self.model.lives * 100 + 1 + self.random.below(10)) as i64,
            "last" => 1 + self.random.below(5) as i64,
            _ => 0,
        }
    }

    fn message(&mut self, id: u64, root: &str, key: i64, due_ms: u64) -> Message {
        let bytes = match self.random.below(30) {
            0 => self.random.below(20 * 1024),
            1..=3 => self.random.below(3000),
            _ => self.random.below(60),
        };
        let properties = [id.to_le_bytes(), key.to_le_bytes()].concat();
        let mut noted = AnnotationsWriter::default();
        if due_ms > 0 {
            noted.due_ms(due_ms);
            // A message of a key that waits takes the place of none, and none takes its.
        }
        if !next_of(root).is_empty() && self.random.chance(15) {
            noted.ttl_ms(self.random.below(120));
        }
        let parts = Parts {
            exchange: "",
            key: root,
            properties: &properties,
            body: &body_of(id, bytes),
            persistent: true,
            priority: None,
            published_ms: self.model.hour_ms(),
            annotations: noted.bytes(),
        };
        Message::of(&parts).unwrap()
    }

    fn publish(&mut self, began: usize) -> Result<(), String> {
        let count = 1 + self.random.below(if self.is_filling { 12 } else { 5 });
        self.send(count, None, began)
    }

    /// A transaction: messages for several queues, and some that are done with.
    fn transact(&mut self, began: usize) -> Result<(), String> {
        let count = 2 + self.random.below(4);
        self.model.last_id += 1;
        self.send(count, Some(self.model.last_id), began)
    }

    fn send(&mut self, count: u64, group: Option<u64>, began: usize) -> Result<(), String> {
        if !self.may_publish() {
            return Ok(());
        }
        let mut sent = Vec::new();
        let mut duplicates = Vec::new();
        let mut came = Vec::new();
        for _ in 0..count {
            let Some((spot, one, is_duplicate)) = self.put(&came)? else {
                continue;
            };
            if is_duplicate {
                duplicates.push((spot.1, one.key));
                continue;
            }
            if matches!(spot.1, "once" | "few") {
                let when = Some(When::ALWAYS);
                came.push(Accepted {
                    queue: spot.1,
                    key: one.key,
                    when,
                });
            }
            sent.push((spot, one));
        }
        let held = self.session().held.clone();
        let gathered = if group.is_some() {
            self.gather(3)
        } else {
            Vec::new()
        };
        let worked = match group {
            Some(_) => self.session().flush_together(),
            None => Some(self.session().flush()),
        };
        let Some(worked) = worked else {
            self.undone(&held, gathered, began);
            return Ok(());
        };
        let refused = self.session().batch.take_refused();
        let position = if group.is_some() {
            worked.all
        } else {
            worked.queued
        };
        let when = When { position, began };
        for key in &mut came {
            key.when = Some(when);
        }
        self.model.accepted.extend(came);
        self.check_duplicates(&duplicates, position)?;
        self.seen[1] += refused.len();
        self.seen[0] += usize::from(group.is_some());
        let settles = self.gathered(gathered, when);
        if let Some(group) = group {
            self.model.settles.entry(group).or_default().extend(settles);
        }
        for (spot, mut one) in sent {
            (one.when, one.group) = (when, group);
            self.overshadow(spot, &one);
            self.note_sent(spot, one, refused.contains(&spot.0));
        }
        Ok(())
    }

    /// A transaction came to nothing: what it would have settled goes back, as when its channel ends.
    fn undone(&mut self, held: &[Held], gathered: Vec<(Spot, Way)>, began: usize) {
        self.seen[1] += 1;
        let gathered = gathered.into_iter().map(|(spot, _)| (spot, Way::Return));
        let gathered: Vec<_> = gathered.collect();
        for (spot, _) in &gathered {
            let spot_of = |held: &Held| (held.message, name_of(held.queue.declared().name.as_str()));
            let held = held.iter().find(|held| spot_of(held) == *spot).unwrap();
            self.session().give_back(held);
        }
        let position = self.session().flush().all;
        self.gathered(gathered, When { position, began });
    }

    /// One that was refused may be a dead letter, and may be nowhere.
    fn note_sent(&mut self, spot: Spot, mut sent: Sent, is_refused: bool) {
        if is_refused {
            sent.when.position = Position(u64::MAX);
            sent.group = None;
        }
        self.model.sent.insert(spot, sent);
    }

    /// Whoever sends a key again is told so when the first is safe, not before.
    fn check_duplicates(&self, keys: &[(&str, i64)], position: Position) -> Result<(), String> {
        for (queue, key) in keys {
            let of = |taken: &&Accepted| taken.queue == *queue && taken.key == *key;
            let first = self
                .model
                .accepted
                .iter()
                .rev()
                .find(of)
                .and_then(|taken| taken.when);
            if first.is_some_and(|first| first.position > position.max(self.node.durable())) {
                return Err(format!(
                    "key {key} of {queue} is confirmed at {position:?}, and came at {first:?}"
                ));
            }
        }
        Ok(())
    }

    /// The last one of a key takes the place of the one before.
    fn overshadow(&mut self, (id, queue): Spot, by: &Sent) {
        if queue != "last" {
            return;
        }
        let of = |((other, root), sent): (&Spot, &Sent)| {
            (*root == queue && sent.key == by.key && *other < id).then_some((*other, *root))
        };
        let before: Vec<Spot> = self.model.sent.iter().filter_map(of).collect();
        for spot in before {
            self.model
                .known
                .entry(spot)
                .or_default()
                .settled
                .get_or_insert(by.when);
        }
    }

    /// Lets go of some deliveries, in the batch.
    fn gather(&mut self, most: u64) -> Vec<(Spot, Way)> {
        let mut gathered = Vec::new();
        for _ in 0..self.random.below(most + 1) {
            let held = self.session().held.len() as u64;
            if held == 0 {
                break;
            }
            let at = self.random.below(held) as usize;
            let held = &self.session().held[at];
            let queue = name_of(held.queue.declared().name.as_str());
            let spot = (held.message, queue);
            let way = match (self.random.below(100), queue) {
                (0..=39, "rejects") => Way::Reject,
                (0..=49, _) => Way::Settle,
                (50..=69, _) => Way::Reject,
                (70..=89, _) => Way::Fail,
                _ => Way::Return,
            };
            self.session().let_go_so(at, way);
            gathered.push((spot, way));
        }
        gathered
    }

    /// Notes what came of it. Answers what was settled.
    fn gathered(&mut self, gathered: Vec<(Spot, Way)>, when: When) -> Vec<Spot> {
        let hour_ms = self.model.hour_ms();
        let mut settled = Vec::new();
        for (spot, way) in gathered {
            let known = self.model.known.entry(spot).or_default();
            let counts = matches!(spot.1, "quorum" | "retry" | "waits");
            match way {
                Way::Reject if !next_of(spot.1).is_empty() => {}
                Way::Settle | Way::Reject => {
                    known.settled = Some(when);
                    settled.push(spot);
                }
                Way::Fail if spot.1 == "quorum" && known.fails.len() >= LIMIT => self.seen[2] += 1,
                Way::Fail => {
                    if counts {
                        known.fails.push(when);
                    }
                    if spot.1 == "retry" {
                        let pause = (PAUSE_MS * known.fails.len() as u64).min(PAUSE_MAX_MS);
                        known.rests_until = hour_ms + pause;
                    }
                }
                Way::Return => known.rests_until = 0,
            }
        }
        settled
    }

    fn let_go(&mut self, began: usize) {
        let gathered = self.gather(6);
        let worked = self.session().flush();
        let position = worked.all;
        self.gathered(gathered, When { position, began });
    }

    fn consume(&mut self) {
        // Nobody holds a message of `last`: what is out stays beside what comes.
        let name = STATIONS[self.random.below(STATIONS.len() as u64) as usize].name;
        let prefetch = 1 + self.random.below(5) as u32;
        if name != "last" && self.session().consumers.len() < 2 {
            self.session().consume(name, false, prefetch);
        }
    }

    fn cancel(&mut self) {
        if !self.session().consumers.is_empty() {
            self.session().cancel(0);
        }
    }

    fn get(&mut self, began: usize) -> Result<(), String> {
        let name = STATIONS[self.random.below(STATIONS.len() as u64) as usize].name;
        let no_ack = name == "last" || self.random.chance(30);
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
            let is_it = |s: &&super::Station| vhost.queue(s.name).is_some_and(|live| live.id().0 == queue);
            let name = STATIONS.iter().find(is_it).map_or("?", |s| s.name);
            let id = id_of(&drained.message);
            check_body(id, &drained.message)?;
            self.check_delivery(id, name, drained.failures)?;
            let known = self.model.known.entry((id, name)).or_default();
            known.seen.get_or_insert(when);
            if no_ack {
                known.settled = Some(when);
            }
            self.seen[3] += usize::from(drained.message.annotations().deaths().is_some());
        }
        Ok(())
    }

    fn check_delivery(&self, id: u64, queue: &str, failures: Option<u16>) -> Result<(), String> {
        let told = |wrong: &str| Err(format!("message {id} of {queue} {wrong}"));
        let is_under_way =
            |(root, sent): (&'static str, &Sent)| root == queue && sent.due_ms > self.model.hour_ms();
        let roots = self.model.sent.iter().filter(|((other, _), _)| *other == id);
        let mut roots = roots.map(|((_, root), sent)| (*root, sent)).peekable();
        if roots.peek().is_none() {
            return told("was never taken");
        }
        if roots.any(is_under_way) {
            return told("comes before it is due");
        }
        let Some(known) = self.model.known.get(&(id, name_of(queue))) else {
            return Ok(());
        };
        if known.settled.is_some() {
            return told(&format!("comes again: {known:?}"));
        }
        if known.rests_until > self.model.hour_ms() {
            return told(&format!("comes before it has rested: {known:?}"));
        }
        match failures.map(usize::from) {
            Some(failures) if failures != known.fails.len() => {
                told(&format!("failed {failures} times: {known:?}"))
            }
            _ if self.is_beyond(id, queue) => told("comes again, and had moved on"),
            _ => Ok(()),
        }
    }

    /// Whether a message was seen in a place behind.
    fn is_beyond(&self, id: u64, queue: &str) -> bool {
        next_of(queue).iter().any(|next| {
            let known = self.model.known.get(&(id, *next));
            known.is_some_and(|known: &Known| known.seen.is_some()) || self.is_beyond(id, next)
        })
    }

    pub(super) fn stop(&mut self) -> Result<(), String> {
        let mut session = self.session.take().unwrap();
        while !session.consumers.is_empty() {
            session.cancel(0);
        }
        while !session.held.is_empty() {
            session.let_go_so(0, Way::Return);
        }
        session.leave();
        self.node
            .stop()
            .map_err(|poisoned| format!("cannot stop: {poisoned}"))
    }

    pub(super) fn count(&self, counts: &mut Counts) {
        counts.saw("transactions", self.seen[0]);
        counts.saw("refused", self.seen[1]);
        counts.saw("deliveries over the limit", self.seen[2]);
        counts.saw("dead letters that came", self.seen[3]);
        counts.saw("messages on paths", self.model.sent.len());
    }
}

fn body_of(id: u64, bytes: u64) -> Vec<u8> {
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
