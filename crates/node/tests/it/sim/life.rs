//! One life of a node: from its start on what an earlier one left, to its end.

use super::client::{Came, Session, user};
use super::model::{self, Change, Model, When, id_of};
use super::sim_disk::{Random, SimDisk};
use super::watch::Watch;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use warren_broker::catalog::{Binding, Endpoint, ExchangeDeclaration, QueueDeclaration, Vhost};
use warren_broker::message::{AnnotationsWriter, Message, Parts};
use warren_broker::name::{ExchangeName, QueueName, VhostName};
use warren_broker::route::NoHeaders;
use warren_broker::value::Table;
use warren_node::storage::{Opened, Options, Step};
use warren_node::{Burden, Config, Keys, Node, Position, Touched};
use warren_store::Poisoned;

/// Names that queues and exchanges have; the kind is in the first letter.
pub(crate) const QUEUES: [&str; 7] = ["d0", "d1", "d2", "d3", "a0", "t0", "t1"];
pub(crate) const EXCHANGES: [&str; 3] = ["xd0", "xd1", "xt0"];

/// Options so small that everything happens within some hundred steps.
pub(crate) fn options(random: &mut Random) -> Options {
    let segment_bytes = [16, 32, 64][random.below(3) as usize] * 1024;
    Options {
        log: warren_store::Options {
            segment_bytes,
            log_bytes_max: segment_bytes * (4 + random.below(5)),
            waiting_bytes_max: 256 * 1024,
            sync: true,
        },
        recent_bytes: [1, 4, 8, 32][random.below(4) as usize] * 1024,
        disk_free_limit: 0,
        extent_bytes: 32 * 1024,
        checkpoint_every: if random.chance(70) {
            Duration::ZERO
        } else {
            Duration::MAX
        },
        rewrite_every: if random.chance(50) {
            Duration::ZERO
        } else {
            Duration::MAX
        },
    }
}

/// What happens more often than the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Any,
    /// Queues become long.
    Fill,
    /// They become short.
    Drain,
    /// Most messages go, but here and there one stays.
    Thin,
}

/// See the module.
pub(crate) struct Life {
    pub(crate) node: Arc<Node>,
    pub(crate) watch: Watch,
    pub(crate) model: Model,
    pub(crate) random: Random,
    /// Operations of the disk until the node was there.
    pub(crate) opened_at: usize,
    pub(crate) sessions: Vec<Session>,
    /// The disk will fail, and the log with it.
    pub(crate) may_fail: bool,
    /// The log failed with so much durable.
    pub(crate) failed_at: Option<Position>,
    last_message: u64,
    mood: Mood,
    /// No consumers come, no queues go, no session ends.
    pub(crate) is_calm: bool,
    /// Nothing can be opened, so nothing is read.
    pub(crate) is_blind: bool,
    /// Messages are small, for the most part, and many.
    has_small: bool,
    /// Of 100 operations of the disk, at how many somebody does something meanwhile.
    pub(crate) liveliness: u64,
    /// Somebody else is at work with the disk.
    pub(crate) is_meanwhile: bool,
    /// What went wrong meanwhile.
    pub(crate) trouble: Option<String>,
}

impl Life {
    /// Opens a node. What it holds must be what the model says.
    pub(crate) fn begin(
        disk: SimDisk,
        options: Options,
        model: Model,
        random: Random,
    ) -> Result<Self, String> {
        disk.record();
        let watch = Watch::new(disk);
        let opened = Node::open(Config::default(), options, Arc::new(watch.clone()));
        let Opened { node, recovered } =
            opened.map_err(|error| format!("the node does not open: {error}"))?;
        if !recovered.damages.is_empty() {
            return Err(format!("damage out of nothing: {recovered:?}"));
        }
        watch.is_of(&node);
        let mut life = Self::new(&node, &watch, model, random);
        life.opened_at = watch.count();
        life.has_small = life.random.chance(60);
        life.is_calm = life.random.chance(25);
        life.liveliness = [0, 5, 30][life.random.below(3) as usize];
        life.set_up();
        Ok(life)
    }

    /// Before anything happened.
    pub(crate) fn new(node: &Arc<Node>, watch: &Watch, model: Model, random: Random) -> Self {
        Self {
            opened_at: 0,
            node: Arc::clone(node),
            watch: watch.clone(),
            last_message: model.messages.keys().last().copied().unwrap_or(0),
            model,
            random,
            sessions: Vec::new(),
            may_fail: false,
            failed_at: None,
            mood: Mood::Any,
            is_calm: false,
            is_blind: false,
            has_small: false,
            liveliness: 0,
            is_meanwhile: false,
            trouble: None,
        }
    }

    fn set_up(&mut self) {
        if !self.model.now.vhosts.contains("/") {
            self.put_vhost("/");
        }
        if !self.model.now.users.contains("u") {
            self.put_user("u");
        }
        for _ in 0..3 {
            self.sessions.push(Session::enter(&self.node, "u"));
        }
        let began = self.watch.count();
        for _ in 0..self.random.below(8) {
            self.declare(began);
        }
    }

    fn put_vhost(&mut self, name: &str) {
        let began = self.watch.count();
        self.node.put_vhost(Vhost::named(VhostName::new(name).unwrap()));
        self.changed(
            began,
            self.node.catalog_position(),
            Change::Vhost(name.to_owned()),
        );
    }

    fn put_user(&mut self, name: &str) {
        let began = self.watch.count();
        self.node.put_user(user(name));
        self.changed(began, self.node.catalog_position(), Change::User(name.to_owned()));
    }

    fn changed(&mut self, began: usize, position: Position, change: Change) {
        self.model.change(When { position, began }, change);
    }

    /// Everything that happened in a step and whose position nobody was told.
    fn behind(&self, began: usize) -> When {
        When {
            position: self.node.appended(),
            began,
        }
    }

    /// Does something.
    pub(crate) fn step(&mut self) -> Result<(), String> {
        let began = self.watch.count();
        if self.random.chance(3) {
            self.mood = [Mood::Any, Mood::Fill, Mood::Drain, Mood::Thin][self.random.below(4) as usize];
        }
        let (dice, mood) = (self.random.below(100), self.mood);
        match dice {
            0..=29 if matches!(mood, Mood::Any | Mood::Fill) => self.publish(began)?,
            30..=51 if mood == Mood::Fill => self.publish(began)?,
            0..=9 if mood == Mood::Drain => self.publish(began)?,
            0..=29 => {
                for _ in 0..=self.random.below(8) {
                    self.get(began)?;
                }
            }
            30..=39 => self.let_go(began),
            // What settles at once or in bulk leaves no extent half empty.
            40..=57 if self.is_calm => self.get(began)?,
            40..=44 => self.consume(),
            45..=46 => self.cancel(began),
            47..=51 => self.get(began)?,
            52 => self.purge(began)?,
            53..=56 => self.declare(began),
            57 => self.delete(began),
            58..=60 => self.bind(began),
            61 if !self.is_calm => self.leave(began),
            62 => self.more(),
            63..=79 => self.commit()?,
            80..=91 => drop(self.keep()?),
            _ => drop(self.node.read_back()),
        }
        self.collect(began)
    }

    /// Writes the log.
    pub(crate) fn commit(&mut self) -> Result<(), String> {
        let done = self.while_others_go_on(|node| node.commit_log())?;
        self.check_log(done).map(drop)
    }

    /// Keeps house.
    pub(crate) fn keep(&mut self) -> Result<Option<Step>, String> {
        let done = self.while_others_go_on(|node| node.keep_house())?;
        if done == Ok(Step::Full) && self.node.alarm() != Some("low on disk") {
            return Err("there is no space, and no alarm".to_owned());
        }
        if done.is_err() && self.node.failure().is_none() {
            return Err("the log failed, and nobody was told".to_owned());
        }
        self.check_log(done)
    }

    /// The log fails only if it is to, and then for good.
    fn check_log<T>(&mut self, done: Result<T, Poisoned>) -> Result<Option<T>, String> {
        let durable = self.node.durable();
        match done {
            Ok(_) if self.failed_at.is_some() => Err("a log that failed works again".to_owned()),
            Ok(done) => Ok(Some(done)),
            Err(poisoned) if !self.may_fail => Err(format!("the log failed: {poisoned}")),
            Err(_) if self.failed_at.is_some_and(|failed_at| failed_at != durable) => {
                Err("a log that failed makes something durable".to_owned())
            }
            Err(_) => {
                self.failed_at = Some(durable);
                Ok(None)
            }
        }
    }

    fn session(&mut self) -> usize {
        self.random.below(self.sessions.len() as u64) as usize
    }

    fn queue_name(&mut self) -> Option<String> {
        let names: Vec<_> = self.model.now.queues.keys().cloned().collect();
        let at = self.random.below(names.len() as u64) as usize;
        names.get(at).cloned()
    }

    /// Mostly one with messages that are ready.
    fn filled_queue(&mut self) -> Option<String> {
        let has_ready = |queue: &&model::Queue| queue.copies.iter().any(model::Copy::is_ready);
        let live = self.model.queues.iter().filter(|queue| !queue.is_deleted);
        let names: Vec<_> = live.filter(has_ready).map(|queue| queue.name.clone()).collect();
        let at = self.random.below(names.len() as u64 + 1) as usize;
        names.get(at).cloned().or_else(|| self.queue_name())
    }

    fn exchange_name(&mut self) -> Option<String> {
        let names: Vec<_> = self.model.now.exchanges.keys().cloned().collect();
        let at = self.random.below(names.len() as u64) as usize;
        names.get(at).cloned()
    }

    fn message(&mut self, exchange: &str, key: &str) -> Message {
        self.last_message += 1;
        let id = self.last_message;
        let bytes = match self.random.below(if self.has_small { 200 } else { 20 }) {
            0 => self.random.below(40 * 1024),
            1..=3 => self.random.below(6 * 1024),
            4 => 0,
            _ if self.has_small => self.random.below(40),
            _ => self.random.below(300),
        };
        let mut properties = id.to_le_bytes().to_vec();
        properties.resize(8 + self.random.below(20) as usize, 0x5a);
        let body: Vec<u8> = (0..bytes).map(|at| (at * 7 + id * 13 + at / 251) as u8).collect();
        let mut noted = AnnotationsWriter::default();
        if self.random.chance(20) {
            // Longer than any of this takes: they are noted, and none expires.
            noted.ttl_ms((1 << 45) + self.random.below(100_000));
        }
        let parts = Parts {
            exchange,
            key,
            properties: &properties,
            body: &body,
            persistent: self.random.chance(85),
            priority: Some(self.random.below(10) as u8),
            published_ms: 1_700_000_000_000 + self.random.below(3),
            annotations: noted.bytes(),
        };
        let message = Message::of(&parts).unwrap();
        Arc::make_mut(&mut self.model.messages).insert(id, message.clone());
        message
    }

    /// Whether a front-end would take messages in now.
    fn may_publish(&self) -> bool {
        !self.node.is_congested(Burden::WHOLE) && self.node.alarm().is_none()
    }

    pub(crate) fn publish(&mut self, began: usize) -> Result<(), String> {
        if !self.may_publish() {
            return Ok(());
        }
        let at = self.session();
        let mut sent = Vec::new();
        for _ in 0..=self.random.below(if self.has_small { 20 } else { 6 }) {
            let fans = self.random.chance(35);
            let (exchange, key) = match (self.exchange_name(), self.queue_name()) {
                (Some(exchange), _) if fans => (exchange, String::new()),
                (_, Some(queue)) => (String::new(), queue),
                _ => return Ok(()),
            };
            let message = self.message(&exchange, &key);
            let Session {
                client, cache, batch, ..
            } = &mut self.sessions[at];
            let keys = Keys {
                first: &key,
                more: &[],
            };
            let route = client.route(cache, &exchange, keys, &NoHeaders).unwrap();
            let names = route
                .queues
                .iter()
                .map(|queue| queue.declared().name.as_str().to_owned());
            let (names, routed) = (names.collect::<BTreeSet<_>>(), self.model.route(&exchange, &key));
            if names != routed {
                return Err(format!("a message goes to {names:?} instead of {routed:?}"));
            }
            sent.push((id_of(&message), message.envelope().persistent, names));
            client.publish(batch, &route, message, 0);
        }
        let both = self.random.chance(30).then(|| self.gather(at));
        let worked = self.sessions[at].flush();
        both.into_iter()
            .for_each(|gathered| self.gathered(gathered, worked.all, began));
        let position = worked.queued;
        for (message, persistent, names) in sent {
            for name in names {
                let (id, _) = self.model.now.queues[&name];
                self.model
                    .queue(id)
                    .add(message, persistent, When { position, began });
            }
        }
        Ok(())
    }

    /// Puts some deliveries of a session into its batch; which, and whether they are settled.
    fn gather(&mut self, at: usize) -> Vec<(u64, u64, bool)> {
        let mut gathered = Vec::new();
        let session = &mut self.sessions[at];
        let count = match self.random.below(4) {
            _ if self.mood == Mood::Thin => session.held.len() * 7 / 8,
            0 => session.held.len(),
            1 => 1,
            _ => self.random.below(6) as usize,
        };
        let is_thin = self.mood == Mood::Thin;
        let settles = is_thin || self.random.chance(70);
        for _ in 0..count.min(session.held.len()) {
            // The oldest first, as if many were acknowledged at once; or any.
            let any = self.random.below(session.held.len() as u64) as usize;
            let at = if count > 3 && !is_thin { 0 } else { any };
            if is_thin && session.held[at].message.is_multiple_of(16) {
                continue;
            }
            let (queue, message) = session.let_go(at, settles);
            gathered.push((queue, message, settles));
        }
        gathered
    }

    fn gathered(&mut self, gathered: Vec<(u64, u64, bool)>, position: Position, began: usize) {
        let when = When { position, began };
        for (queue, message, settles) in gathered {
            let copies = &mut self.model.queue(queue).copies;
            let copy = copies
                .iter_mut()
                .rev()
                .find(|copy| copy.message == message)
                .unwrap();
            copy.is_out = false;
            if settles {
                copy.gone.get_or_insert(when);
            } else {
                copy.returned.get_or_insert(when);
            }
        }
    }

    pub(crate) fn let_go(&mut self, began: usize) {
        let at = self.session();
        let gathered = self.gather(at);
        let worked = self.sessions[at].flush();
        self.gathered(gathered, worked.all, began);
    }

    pub(crate) fn consume(&mut self) {
        let (at, name) = (self.session(), self.queue_name());
        let (no_ack, prefetch) = (self.random.chance(20), self.random.below(8) as u32);
        let consumers: usize = self.sessions.iter().map(|session| session.consumers.len()).sum();
        if let Some(name) = name
            && consumers < 4
        {
            self.sessions[at].consume(&name, no_ack, prefetch);
        }
    }

    pub(crate) fn cancel(&mut self, began: usize) {
        let at = self.session();
        if !self.sessions[at].consumers.is_empty() {
            self.sessions[at].cancel(0);
            self.abandoned(began);
        }
    }

    /// Auto-delete queues may have gone.
    fn abandoned(&mut self, began: usize) {
        let names: Vec<_> = self.model.now.queues.keys().cloned().collect();
        let is_gone = |name: &&String| !self.node.has_queue(&crate::broker::vhost(), name);
        let gone: Vec<_> = names
            .iter()
            .filter(|name| name.starts_with('a'))
            .filter(is_gone)
            .collect();
        for name in gone {
            let position = self.node.catalog_position();
            self.changed(began, position, Change::QueueGone(name.clone()));
        }
    }

    pub(crate) fn get(&mut self, began: usize) -> Result<(), String> {
        let (at, name) = (self.session(), self.filled_queue());
        let Some(name) = name else { return Ok(()) };
        let no_ack = self.mood != Mood::Thin && self.random.chance(40);
        // What waits is for consumers.
        self.collect(began)?;
        let came = self.sessions[at].get(&name, no_ack, !self.is_meanwhile && !self.is_blind);
        self.collect(began)?;
        let (id, _) = self.model.now.queues[&name];
        match came {
            None => Ok(()),
            Some(Some(came)) => self.came(vec![came], began),
            Some(None) => match self.model.queue(id).copies.iter().find(|copy| copy.is_ready()) {
                Some(copy) => Err(format!("queue {name} answers that it is empty, and has {copy:?}")),
                None => Ok(()),
            },
        }
    }

    pub(crate) fn purge(&mut self, began: usize) -> Result<(), String> {
        let (at, name) = (self.session(), self.queue_name());
        let Some(name) = name else { return Ok(()) };
        let (count, position) = self.sessions[at]
            .client
            .purge(&QueueName::new(&name).unwrap())
            .unwrap();
        let (id, _) = self.model.now.queues[&name];
        let mut purged = 0;
        for copy in self
            .model
            .queue(id)
            .copies
            .iter_mut()
            .filter(|copy| copy.is_ready())
        {
            copy.gone = Some(When { position, began });
            purged += 1;
        }
        if purged != count {
            return Err(format!(
                "a purge of {name} threw {count} away instead of {purged}"
            ));
        }
        Ok(())
    }

    pub(crate) fn declare(&mut self, began: usize) {
        let at = self.session();
        let mut touched = Touched::default();
        let client = &mut self.sessions[at].client;
        if self.random.chance(70) {
            let name = QUEUES[self.random.below(QUEUES.len() as u64) as usize];
            let asked = QueueDeclaration {
                name: QueueName::new(name).unwrap(),
                server_named: false,
                durable: !name.starts_with('t'),
                exclusive: false,
                auto_delete: name.starts_with('a'),
                arguments: Table::new(),
            };
            let found = client.declare_queue(&asked, &mut touched).unwrap();
            if !self.model.now.queues.contains_key(name) {
                let queue = self.sessions[at].client.vhost().queue(name).unwrap();
                let change = Change::Queue(name.to_owned(), queue.id().0, asked.durable);
                self.changed(began, found.position, change);
            }
        } else {
            let name = EXCHANGES[self.random.below(EXCHANGES.len() as u64) as usize];
            let asked = ExchangeDeclaration {
                name: ExchangeName::new(name).unwrap(),
                kind: "fanout".to_owned(),
                durable: name.starts_with("xd"),
                auto_delete: false,
                internal: false,
                arguments: Table::new(),
            };
            let position = client.declare_exchange(&asked, &mut touched).unwrap();
            if !self.model.now.exchanges.contains_key(name) {
                self.changed(began, position, Change::Exchange(name.to_owned(), asked.durable));
            }
        }
        touched.wake_all();
    }

    pub(crate) fn delete(&mut self, began: usize) {
        let at = self.session();
        let mut touched = Touched::default();
        if self.random.chance(70) {
            let Some(name) = self.queue_name() else { return };
            let asked = QueueName::new(&name).unwrap();
            let client = &mut self.sessions[at].client;
            let (_, position) = client.delete_queue(&asked, false, false, &mut touched).unwrap();
            self.changed(began, position, Change::QueueGone(name));
        } else {
            let Some(name) = self.exchange_name() else { return };
            let asked = ExchangeName::new(&name).unwrap();
            let client = &mut self.sessions[at].client;
            let position = client.delete_exchange(&asked, false, &mut touched).unwrap();
            self.changed(began, position, Change::ExchangeGone(name));
        }
        touched.wake_all();
    }

    pub(crate) fn bind(&mut self, began: usize) {
        let at = self.session();
        let (Some(exchange), Some(queue)) = (self.exchange_name(), self.queue_name()) else {
            return;
        };
        let binding = Binding {
            source: ExchangeName::new(&exchange).unwrap(),
            destination: Endpoint::Queue(QueueName::new(&queue).unwrap()),
            key: "".into(),
            arguments: Table::new(),
        };
        let mut touched = Touched::default();
        let client = &mut self.sessions[at].client;
        let is_bound = self
            .model
            .now
            .bindings
            .contains(&(exchange.clone(), queue.clone()));
        if is_bound && self.random.chance(50) {
            let position = client.unbind(binding, &mut touched).unwrap();
            self.changed(began, position, Change::Unbound(exchange, queue));
        } else {
            let position = client.bind(binding, &mut touched).unwrap();
            if !is_bound {
                self.changed(began, position, Change::Bound(exchange, queue));
            }
        }
        touched.wake_all();
    }

    /// A session ends, and another comes.
    pub(crate) fn leave(&mut self, began: usize) {
        let at = self.session();
        self.end_session(at, began);
        self.sessions.push(Session::enter(&self.node, "u"));
    }

    /// Ends a session, as a front-end does.
    pub(crate) fn end_session(&mut self, at: usize, began: usize) {
        let mut session = self.sessions.swap_remove(at);
        while !session.consumers.is_empty() {
            session.cancel(0);
        }
        self.abandoned(began);
        let mut gathered = Vec::new();
        while !session.held.is_empty() {
            let (queue, message) = session.let_go(0, false);
            gathered.push((queue, message, false));
        }
        session.leave();
        let position = self.node.appended();
        self.gathered(gathered, position, began);
    }

    fn more(&mut self) {
        let name = format!("more{}", self.random.below(3));
        if self.random.chance(50) {
            if !self.model.now.vhosts.contains(&name) {
                self.put_vhost(&name);
            }
        } else if !self.model.now.users.contains(&name) {
            self.put_user(&name);
        }
    }

    /// Takes what came to all sessions.
    pub(crate) fn collect(&mut self, began: usize) -> Result<(), String> {
        let came = self.sessions.iter_mut().flat_map(Session::receive).collect();
        self.came(came, began)
    }

    pub(crate) fn came(&mut self, came: Vec<Came>, began: usize) -> Result<(), String> {
        let when = self.behind(began);
        let mut highest = Vec::new();
        for Came {
            queue,
            no_ack,
            drained,
        } in came
        {
            let id = id_of(&drained.message);
            self.model.check_content(id, &drained.message)?;
            let live = self.model.queue(queue);
            let at = live.copies.iter().position(|copy| copy.message == id);
            let at = at.ok_or(format!("queue {queue} delivers message {id}, which it never had"))?;
            live.learn(at, drained.seq)?;
            let copy = &mut live.copies[at];
            if !copy.is_ready() || drained.redelivered != copy.returned.is_some() {
                return Err(format!("queue {queue} delivers {drained:?}, which was {copy:?}"));
            }
            copy.is_out = !no_ack;
            if no_ack {
                copy.gone = Some(when);
            }
            highest.push((queue, at));
        }
        for (queue, at) in highest {
            if let Some(passed) = self.model.queue(queue).copies[..at]
                .iter()
                .find(|copy| copy.is_ready())
            {
                return Err(format!("queue {queue} passes {passed:?} over"));
            }
        }
        Ok(())
    }

    /// Reads until nobody waits: then no consumer that could have one is without a message.
    pub(crate) fn settle_down(&mut self) -> Result<(), String> {
        let began = self.watch.count();
        for _ in 0..10_000 {
            let has_read = self.node.read_back();
            self.collect(began)?;
            if !has_read {
                return self.check_served();
            }
        }
        Err("reading never ends".to_owned())
    }

    fn check_served(&mut self) -> Result<(), String> {
        for session in &self.sessions {
            for consumer in &session.consumers {
                let id = consumer.queue.id().0;
                let ready = self.model.queue(id).copies.iter().find(|copy| copy.is_ready());
                if session.has_credit(consumer)
                    && let Some(ready) = ready
                {
                    return Err(format!("queue {id} keeps {ready:?} from a consumer"));
                }
            }
        }
        Ok(())
    }

    /// Nothing is in the way of anybody.
    pub(crate) fn check_works(&self) -> Result<(), String> {
        let (alarm, is_congested) = (self.node.alarm(), self.node.is_congested(Burden::WHOLE));
        let (durable, appended) = (self.node.durable(), self.node.appended());
        if alarm.is_some() || is_congested || durable < appended {
            return Err(format!(
                "alarm {alarm:?}, congested: {is_congested}, {durable:?} of {appended:?}"
            ));
        }
        Ok(())
    }

    /// Everything stops in an orderly way.
    pub(crate) fn stop(&mut self) -> Result<(), String> {
        let began = self.watch.count();
        while !self.sessions.is_empty() {
            self.end_session(0, began);
            self.collect(began)?;
        }
        self.node
            .stop()
            .map_err(|poisoned| format!("cannot stop: {poisoned}"))
    }
}
