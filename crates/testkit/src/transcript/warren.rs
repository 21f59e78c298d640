//! Warren under a transcript: sessions over a node with a log in memory, a simulated clock, no socket.
//!
//! After everything that is said, the sessions that something was put before run until all are quiet. A
//! session that was not named by `Touched` or woken does not run: forgetting to name it shows.

use super::brokers::{self, Broker, Topic, Until, User, Wish};
use super::hearing::{self, Ear, Heard};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use warren_broker::access::{Permission, TopicPermission};
use warren_broker::catalog::{PolicyScope, Vhost};
use warren_broker::limits::{Limited, Limits};
use warren_broker::name::{ExchangeName, UserName, VhostName};
use warren_broker::naming::{QUEUE_ALIAS, QUEUE_MODEL};
use warren_broker::parameter::Parameter;
use warren_broker::policy::{ApplyTo, Policy};
use warren_broker::value::{Table, Value};
use warren_frontend::amqp091::{Connection, Interceptors, Settings};
use warren_frontend::{Dialects, Session, Status};
use warren_node::{Config, Mailbox, Node, Waker, passwords};
use warren_store::MemoryLog;

/// Marks a session to be run.
#[derive(Default)]
struct Bell(AtomicBool);

impl Waker for Bell {
    fn wake(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn try_finish(&self) -> bool {
        false
    }
}

struct Peer {
    letter: char,
    session: Connection,
    bell: Arc<Bell>,
    /// Said and not yet taken.
    input: Vec<u8>,
    ear: Ear,
    is_over: bool,
}

/// A broker of one case.
pub(super) struct Warren {
    log: Arc<MemoryLog>,
    holds: bool,
    /// What a peer says in a row comes in one read.
    gathers: bool,
    node: Option<Arc<Node>>,
    watermark_bytes: Option<u64>,
    settings: Settings,
    now: Instant,
    /// When it began, by both clocks.
    began: Instant,
    began_ms: u64,
    peers: Vec<Peer>,
    /// Who said something that nobody has listened to yet.
    saying: Option<usize>,
    heard: Vec<Heard>,
}

fn sentence(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Warren {
    pub(super) fn new(gathers: bool) -> Self {
        let began = Instant::now();
        Self {
            log: Arc::new(MemoryLog::holding()),
            holds: false,
            gathers,
            node: None,
            watermark_bytes: None,
            settings: Settings::default(),
            now: began,
            began,
            began_ms: wall_ms(),
            peers: Vec::new(),
            saying: None,
            heard: Vec::new(),
        }
    }

    /// The node, made when it is needed first.
    fn node(&mut self) -> Result<Arc<Node>, String> {
        if let Some(node) = &self.node {
            return Ok(Arc::clone(node));
        }
        let mut config = Config {
            dialect: Arc::new(Dialects),
            ..Config::default()
        };
        if let Some(bytes) = self.watermark_bytes {
            config.memory_watermark_bytes = bytes;
        }
        let node = Node::new(config, Arc::clone(&self.log) as _);
        self.node = Some(Arc::clone(&node));
        self.tick();
        node.put_vhost(Vhost::named(VhostName::new("/").map_err(sentence)?));
        self.put_user(&User {
            name: "guest".to_owned(),
            password: "guest".to_owned(),
            tags: "administrator".to_owned(),
            permissions: Some([".*".to_owned(), ".*".to_owned(), ".*".to_owned()]),
        })?;
        Ok(node)
    }

    fn put_user(&mut self, user: &User) -> Result<(), String> {
        let node = self.node()?;
        let name = UserName::new(&user.name).map_err(sentence)?;
        let mut account = warren_broker::access::User::new(name.clone());
        let algorithm = passwords::Algorithm::default();
        account.password_hash = Some(passwords::hash(&user.password, algorithm).map_err(sentence)?);
        account.tags = user
            .tags
            .split(',')
            .filter(|tag| !tag.is_empty())
            .map(Box::from)
            .collect();
        node.put_user(account);
        if let Some([configure, write, read]) = &user.permissions {
            let permission = Permission::new(configure, write, read).map_err(sentence)?;
            let vhost = VhostName::new("/").map_err(sentence)?;
            let permit = |account: &mut warren_broker::access::User| {
                account.permissions.insert(vhost, permission);
            };
            node.change_user(&name, permit).map_err(sentence)?;
        }
        Ok(())
    }

    /// Whoever makes a virtual host may use it.
    fn put_vhost(&mut self, name: &str) -> Result<(), String> {
        let name = VhostName::new(name).map_err(sentence)?;
        let permission = Permission::new(".*", ".*", ".*").map_err(sentence)?;
        let node = self.node()?;
        node.put_vhost(Vhost::named(name.clone()));
        let permit = |account: &mut warren_broker::access::User| {
            account.permissions.insert(name, permission);
        };
        node.change_user(&UserName::new("guest").map_err(sentence)?, permit)
            .map_err(sentence)
    }

    fn put_topic(&mut self, topic: &Topic) -> Result<(), String> {
        let user = UserName::new(&topic.user).map_err(sentence)?;
        let vhost = VhostName::new("/").map_err(sentence)?;
        let exchange = ExchangeName::new(&topic.exchange).map_err(sentence)?;
        let permission = TopicPermission::new(&topic.write, &topic.read, &user, &vhost).map_err(sentence)?;
        let permit = |account: &mut warren_broker::access::User| {
            account
                .topic_permissions
                .entry(vhost)
                .or_default()
                .insert(exchange, permission);
        };
        self.node()?.change_user(&user, permit).map_err(sentence)
    }

    fn put_policy(&mut self, policy: &brokers::Policy) -> Result<(), String> {
        let keys = policy.definition.iter();
        let definition = keys.map(|(key, text)| (key.clone(), value(text))).collect();
        let apply_to = ApplyTo::named(&policy.apply_to).map_err(sentence)?;
        let (name, pattern, is_operators) = (&policy.name, &policy.pattern, policy.is_operators);
        let policy = Policy::new(name, pattern, apply_to, policy.priority, definition, is_operators);
        let vhost = VhostName::new("/").map_err(sentence)?;
        let policy = policy.map_err(sentence)?;
        self.node()?
            .put_policy(&vhost, scope(is_operators), policy)
            .map_err(sentence)
    }

    fn put_parameter(
        &mut self,
        component: &str,
        name: &str,
        fields: impl Iterator<Item = (String, Value)>,
    ) -> Result<(), String> {
        let value = Value::Table(fields.collect());
        let parameter = Parameter::new(component, name, value).map_err(sentence)?;
        let vhost = VhostName::new("/").map_err(sentence)?;
        let put = self.node()?.put_parameter(&vhost, parameter);
        put.map(drop).map_err(sentence)
    }

    fn put_model(&mut self, name: &str, says: &[(String, String)]) -> Result<(), String> {
        let is_argument = |pair: &&(String, String)| pair.0.starts_with("x-");
        let pair = |(key, text): &(String, String)| (key.clone(), value(text));
        let arguments: Table = says.iter().filter(is_argument).map(pair).collect();
        let fields = says.iter().filter(|said| !is_argument(said)).map(pair);
        let fields = fields.chain([("arguments".to_owned(), Value::Table(arguments))]);
        self.put_parameter(QUEUE_MODEL, name, fields)
    }

    fn delete_alias(&mut self, name: &str) -> Result<(), String> {
        let vhost = VhostName::new("/").map_err(sentence)?;
        match self.node()?.delete_parameter(&vhost, QUEUE_ALIAS, name) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("there is no alias {name}")),
            Err(error) => Err(sentence(error)),
        }
    }

    fn set_limit(&mut self, user: Option<&str>, name: &str, number: Option<i64>) -> Result<(), String> {
        let set = |limits: &mut Limits, of: Limited| match number {
            Some(number) => limits.set(name, &Value::I64(number), of),
            None => {
                limits.clear(name);
                Ok(())
            }
        };
        let node = self.node()?;
        let Some(user) = user else {
            let vhost = VhostName::new("/").map_err(sentence)?;
            let set = node.change_vhost_limits(&vhost, |limits| set(limits, Limited::Vhost));
            return set.map_err(sentence)?.map_err(sentence);
        };
        let user = UserName::new(user).map_err(sentence)?;
        let set = node.change_user(&user, |user| set(&mut user.limits, Limited::User));
        set.map_err(sentence)?.map_err(sentence)
    }

    fn delete_policy(&mut self, name: &str, is_operators: bool) -> Result<(), String> {
        let vhost = VhostName::new("/").map_err(sentence)?;
        match self.node()?.delete_policy(&vhost, scope(is_operators), name) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("there is no policy {name}")),
            Err(error) => Err(sentence(error)),
        }
    }

    fn index(&self, peer: char) -> Result<usize, String> {
        self.peers
            .iter()
            .rposition(|other| other.letter == peer)
            .ok_or_else(|| format!("{peer} is not connected"))
    }

    /// Runs a session once, and notes whom that concerns.
    fn turn(&mut self, index: usize, act: impl FnOnce(&mut Peer, Instant)) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(index) else {
            return;
        };
        if peer.is_over {
            return;
        }
        act(peer, now);
        loop {
            let output = peer.session.output().to_vec();
            if output.is_empty() {
                break;
            }
            peer.ear.take(peer.letter, &output, &mut self.heard);
            peer.session.written(output.len(), now);
        }
        let mut touched: Vec<Arc<Mailbox>> = peer.session.touched().drain().collect();
        if peer.session.status() == Status::Broken {
            peer.is_over = true;
            self.heard.push(hearing::end(peer.letter));
            peer.session.close(now);
            touched.extend(peer.session.touched().drain());
        }
        ring(&touched);
    }

    fn receive(&mut self, index: usize) {
        self.turn(index, |peer, now| {
            let used = peer.session.receive(&peer.input, now);
            peer.input.drain(..used.min(peer.input.len()));
        });
    }

    /// Takes what was said.
    fn listen(&mut self) {
        if let Some(index) = self.saying.take() {
            self.receive(index);
            self.settle();
        }
    }

    /// Runs sessions until none has anything to do.
    fn settle(&mut self) {
        loop {
            if !self.holds {
                self.log.release();
            }
            let mut quiet = true;
            for index in 0..self.peers.len() {
                let Some(peer) = self.peers.get(index) else {
                    continue;
                };
                if peer.is_over {
                    continue;
                }
                if peer.bell.0.swap(false, Ordering::AcqRel) {
                    quiet = false;
                    self.turn(index, |peer, now| peer.session.wake(now));
                }
                let takes =
                    |peer: &Peer| !peer.is_over && !peer.input.is_empty() && peer.session.wants_input();
                if let Some(before) = self.peers.get(index).filter(|p| takes(p)).map(|p| p.input.len()) {
                    self.receive(index);
                    quiet &= self
                        .peers
                        .get(index)
                        .is_some_and(|peer| peer.input.len() == before);
                }
            }
            if quiet {
                self.tick();
                let is_rung = |peer: &Peer| !peer.is_over && peer.bell.0.load(Ordering::Acquire);
                if !self.peers.iter().any(is_rung) {
                    return;
                }
            }
        }
    }

    /// Time passes; whoever has a deadline is woken at it.
    fn advance(&mut self, by: Duration) -> Result<(), String> {
        let until = self.now + by;
        loop {
            let deadlines = self.peers.iter().enumerate().filter(|(_, peer)| !peer.is_over);
            let next = deadlines
                .filter_map(|(index, peer)| Some((peer.session.deadline()?, index)))
                .min();
            let Some((deadline, index)) = next.filter(|(deadline, _)| *deadline <= until) else {
                break;
            };
            self.now = self.now.max(deadline);
            self.turn(index, |peer, now| peer.session.wake(now));
            self.settle();
            let is_stuck = self.peers.get(index).is_some_and(|peer| {
                !peer.is_over && peer.session.deadline().is_some_and(|next| next <= deadline)
            });
            if is_stuck {
                return Err("a session does not move on at its deadline".to_owned());
            }
        }
        self.now = until;
        self.tick();
        self.settle();
        Ok(())
    }

    /// What is due in queues happens.
    fn tick(&self) {
        if let Some(node) = &self.node {
            let passed = self.now.saturating_duration_since(self.began).as_millis();
            node.tick(self.began_ms + u64::try_from(passed).unwrap_or(u64::MAX));
        }
    }
}

/// Milliseconds since 1970.
fn wall_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

/// Rings for all sessions whose mailboxes got something.
fn ring(touched: &[Arc<Mailbox>]) {
    for mailbox in touched {
        if let Some(waker) = mailbox.waker() {
            waker.wake();
        }
    }
}

/// A whole number, `true`, `false`, or a word.
fn value(text: &str) -> Value {
    match text.parse() {
        Ok(number) => Value::I64(number),
        Err(_) if matches!(text, "true" | "false") => Value::Bool(text == "true"),
        Err(_) => Value::from(text),
    }
}

fn scope(is_operators: bool) -> PolicyScope {
    match is_operators {
        true => PolicyScope::Operators,
        false => PolicyScope::Users,
    }
}

impl Broker for Warren {
    fn is_warren(&self) -> bool {
        true
    }

    fn wish(&mut self, wish: &Wish) -> Result<(), String> {
        self.listen();
        match wish {
            Wish::Vhost(name) => self.put_vhost(name)?,
            Wish::User(user) => self.put_user(user)?,
            Wish::Topic(topic) => self.put_topic(topic)?,
            Wish::Policy(policy) => {
                self.put_policy(policy)?;
                self.tick();
            }
            Wish::NoPolicy(name, is_operators) => {
                self.delete_policy(name, *is_operators)?;
                self.tick();
            }
            Wish::Alias(name, queue) => {
                let queue = ("queue".to_owned(), Value::from(&**queue));
                self.put_parameter(QUEUE_ALIAS, name, std::iter::once(queue))?;
            }
            Wish::Limit(user, name, number) => self.set_limit(user.as_deref(), name, *number)?,
            Wish::NoAlias(name) => self.delete_alias(name)?,
            Wish::Model(name, says) => self.put_model(name, says)?,
            Wish::Advance(by) => self.advance(*by)?,
            Wish::HoldLog => self.holds = true,
            Wish::ReleaseLog => {
                self.log.release();
                self.settle();
            }
            Wish::Intercept(overwrites) => {
                self.settings.interceptors = Interceptors {
                    timestamp: Some(*overwrites),
                    routing_node: Some(*overwrites),
                    node_name: "warren@here".to_owned(),
                };
            }
            Wish::Watermark(bytes) if self.node.is_none() => self.watermark_bytes = Some(*bytes),
            Wish::Watermark(_) => return Err("@watermark comes before everything else".to_owned()),
        }
        Ok(())
    }

    fn connect(&mut self, letter: char) -> Result<(), String> {
        self.listen();
        let node = self.node()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let session = Connection::new(node, Arc::new(self.settings.clone()), address, self.now);
        let bell = Arc::new(Bell::default());
        session.mailbox().set_waker(Arc::clone(&bell) as _);
        let (input, ear, is_over) = (Vec::new(), Ear::default(), false);
        self.peers.push(Peer {
            letter,
            session,
            bell,
            input,
            ear,
            is_over,
        });
        Ok(())
    }

    fn say(&mut self, peer: char, bytes: &[u8]) -> Result<(), String> {
        let index = self.index(peer)?;
        if self.saying.is_some_and(|other| other != index) {
            self.listen();
        }
        if let Some(peer) = self.peers.get_mut(index) {
            peer.input.extend_from_slice(bytes);
        }
        self.saying = Some(index);
        if !self.gathers {
            self.listen();
        }
        Ok(())
    }

    fn hang_up(&mut self, peer: char) -> Result<(), String> {
        self.listen();
        let index = self.index(peer)?;
        self.turn(index, |peer, now| peer.session.close(now));
        if let Some(peer) = self.peers.get_mut(index) {
            peer.is_over = true;
        }
        // Nobody is left to hear that end.
        self.heard
            .retain(|heard| heard.text != "EOF" || heard.peer != peer);
        self.settle();
        Ok(())
    }

    fn hear(&mut self, _: Until) -> Result<Vec<Heard>, String> {
        self.listen();
        Ok(std::mem::take(&mut self.heard))
    }

    fn end(&mut self) -> Result<(), String> {
        self.listen();
        for index in 0..self.peers.len() {
            self.turn(index, |peer, now| peer.session.close(now));
        }
        let sessions = self.node.as_ref().map_or(0, |node| node.session_count());
        if sessions > 0 {
            return Err(format!("{sessions} sessions are left behind in the node"));
        }
        Ok(())
    }
}
