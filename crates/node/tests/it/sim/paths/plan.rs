//! Which queues there are, what each of them does by itself, and where its dead letters go: the same for
//! every other seed, and any others by chance for the rest.
//!
//! ```text
//!   ttl ──► mid ──► end              max ──► fan.a, fan.b         rejects ──► fan.c, mid2 ──► end2
//!   quorum ──► end3                  waits ──► small, which is full now and then
//!   refuses ──► end4                 retry, once, few, last, plain: nothing leaves
//! ```

use super::super::sim_disk::Random;
use std::collections::BTreeSet;
use std::fmt;
use warren_broker::value::{Table, Value};

/// What is in the way of a queue that has more than so many ready messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    Drop,
    Refuse,
    /// It refuses, and what was refused is a dead letter.
    Turn,
}

/// Pauses before what came back is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) which: &'static str,
    pub(crate) min_ms: u64,
    pub(crate) max_ms: u64,
    pub(crate) is_exponential: bool,
}

impl Retry {
    pub(crate) fn is_for(&self, failed: bool) -> bool {
        self.which == "all" || (self.which == "failed") == failed
    }

    /// The pause when so many deliveries have failed by now.
    pub(crate) fn pause_ms(&self, failures: usize) -> u64 {
        let nth = failures.max(1) as u64;
        let grown = match self.is_exponential {
            true => self.min_ms << (nth - 1).min(20),
            false => self.min_ms * nth,
        };
        grown.min(self.max_ms)
    }
}

/// Keys that are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Once {
    pub(crate) size: usize,
    pub(crate) ttl_ms: Option<u64>,
}

/// Remembers as many keys as there are.
pub(crate) const MANY: usize = 1000;

/// A queue, and where its dead letters go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Station {
    pub(crate) name: &'static str,
    pub(crate) next: Vec<&'static str>,
    /// Messages are published to it.
    pub(crate) is_root: bool,
    pub(crate) is_quorum: bool,
    pub(crate) ttl_ms: Option<u64>,
    pub(crate) max: Option<(u64, Overflow)>,
    /// How often a delivery may fail.
    pub(crate) limit: Option<usize>,
    /// A dead letter that nobody takes stays.
    pub(crate) is_kept: bool,
    pub(crate) retry: Option<Retry>,
    pub(crate) once: Option<Once>,
    /// Of messages with the same key only the last stays.
    pub(crate) is_last: bool,
    pub(crate) priorities: Option<u8>,
    /// Messages of one key are a group.
    pub(crate) is_grouped: bool,
    /// What it holds when it is deleted are dead letters.
    pub(crate) sends_on: bool,
}

impl Station {
    pub(crate) fn refuses(&self) -> bool {
        self.max.is_some_and(|(_, overflow)| overflow != Overflow::Drop)
    }

    /// Whether more than a plain queue, so that failures are counted.
    pub(crate) fn counts(&self) -> bool {
        self.is_quorum || self.retry.is_some()
    }

    /// The exchange for its dead letters, if they go to several queues.
    pub(crate) fn fork(&self) -> Option<String> {
        (self.next.len() > 1).then(|| format!("fork-{}", self.name))
    }

    /// How it is declared.
    pub(crate) fn arguments(&self) -> Table {
        let mut all: Vec<(&'static str, Value)> = Vec::new();
        let mut add = |name, value: Option<Value>| all.extend(value.map(|value| (name, value)));
        let number = |number: u64| Value::I64(number as i64);
        add("x-queue-type", self.is_quorum.then(|| "quorum".into()));
        add("x-message-ttl", self.ttl_ms.map(number));
        add("x-max-length", self.max.map(|(most, _)| number(most)));
        let word = |overflow| match overflow {
            Overflow::Drop => "drop-head",
            Overflow::Refuse => "reject-publish",
            Overflow::Turn => "reject-publish-dlx",
        };
        let overflow = self.max.map(|(_, overflow)| word(overflow));
        add("x-overflow", overflow.map(Value::from));
        // One that is not said is not unlimited.
        let limit = self.is_quorum.then(|| self.limit.unwrap_or(1000) as u64);
        add("x-delivery-limit", limit.map(number));
        add(
            "x-dead-letter-strategy",
            self.is_kept.then(|| "at-least-once".into()),
        );
        match (self.fork(), self.next.first()) {
            (Some(fork), _) => add("x-dead-letter-exchange", Some(fork.as_str().into())),
            (None, Some(next)) => {
                add("x-dead-letter-exchange", Some("".into()));
                add("x-dead-letter-routing-key", Some((*next).into()));
            }
            (None, None) => {}
        }
        if let Some(retry) = self.retry {
            add("x-delayed-retry-type", Some(retry.which.into()));
            add("x-delayed-retry-min", Some(number(retry.min_ms)));
            add("x-delayed-retry-max", Some(number(retry.max_ms)));
            let backoff = retry.is_exponential.then(|| "exponential".into());
            add("x-delayed-retry-backoff", backoff);
        }
        if let Some(once) = self.once {
            add("x-message-deduplication", Some(Value::Bool(true)));
            add("x-cache-size", Some(number(once.size as u64)));
            add("x-cache-ttl", once.ttl_ms.map(number));
        }
        add("x-last-value-key", self.is_last.then(|| "k".into()));
        add("x-max-priority", self.priorities.map(|most| number(most.into())));
        add(
            "x-dead-letter-on-delete",
            self.sends_on.then_some(Value::Bool(true)),
        );
        add("x-group-header", self.is_grouped.then(|| "k".into()));
        all.into_iter().collect()
    }
}

/// The name of an exchange that lets no key through twice.
pub(crate) const GATE: &str = "gate";

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct Plan {
    pub(crate) stations: Vec<Station>,
    /// What is bound to [`GATE`]; if nothing is, there is none.
    pub(crate) behind_gate: Vec<&'static str>,
    gate: Option<Once>,
}

const NAMES: [&str; 9] = ["q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8"];

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} behind {:?}", self.behind_gate, self.gate)?;
        self.stations
            .iter()
            .try_for_each(|station| writeln!(f, "{} {:?}", station.name, station.arguments()))
    }
}

impl Plan {
    pub(crate) fn any(random: &mut Random) -> Self {
        match random.chance(40) {
            true => Self::fixed(),
            false => Self::by_chance(random),
        }
    }

    pub(crate) fn find(&self, queue: &str) -> Option<&Station> {
        self.stations.iter().find(|station| station.name == queue)
    }

    pub(crate) fn station(&self, queue: &str) -> &Station {
        self.find(queue).unwrap()
    }

    /// The keys that a queue remembers, or the exchange.
    pub(crate) fn once_of(&self, to: &str) -> Option<Once> {
        match to {
            GATE => self.gate,
            queue => self.station(queue).once,
        }
    }

    /// Where a message comes first that is sent to a queue, or to the exchange.
    pub(crate) fn entrances(&self, to: &'static str) -> Vec<&'static str> {
        match to {
            GATE => self.behind_gate.clone(),
            queue => vec![queue],
        }
    }

    /// Queues that are deleted now and then: nobody's dead letters come to them, and they know no keys.
    pub(crate) fn deletable(&self) -> Vec<&'static str> {
        let may_go = |station: &&Station| {
            let is_bound = self.behind_gate.contains(&station.name);
            !is_bound && station.once.is_none() && self.before(station.name).next().is_none()
        };
        let names = self.stations.iter().filter(may_go);
        names.map(|station| station.name).collect()
    }

    /// All that remember keys.
    pub(crate) fn remembering(&self) -> impl Iterator<Item = (&'static str, Once)> {
        let queues = self.stations.iter();
        let queues = queues.filter_map(|station| Some((station.name, station.once?)));
        queues.chain(self.gate.map(|once| (GATE, once)))
    }

    /// How the exchange is declared.
    pub(crate) fn gate_arguments(&self) -> Table {
        let once = self.gate.unwrap();
        let size = Some(("x-cache-size", once.size as u64));
        let ttl = once.ttl_ms.map(|ttl_ms| ("x-cache-ttl", ttl_ms));
        let all = size.into_iter().chain(ttl);
        all.map(|(name, number)| (name, Value::I64(number as i64)))
            .collect()
    }

    /// Where dead letters of a queue go.
    pub(crate) fn next_of(&self, queue: &str) -> &[&'static str] {
        self.find(queue).map_or(&[], |station| &station.next)
    }

    /// The name of a queue, to be kept.
    pub(crate) fn name_of(&self, queue: &str) -> &'static str {
        self.find(queue).map_or("?", |station| station.name)
    }

    /// Those whose dead letters come to a queue.
    pub(crate) fn before<'a>(&'a self, queue: &'a str) -> impl Iterator<Item = &'a Station> {
        let all = self.stations.iter();
        all.filter(move |station| station.next.contains(&queue))
    }

    /// Where a message may come to from a queue, with that itself.
    pub(crate) fn reach(&self, queue: &'static str) -> BTreeSet<&'static str> {
        let mut reached = BTreeSet::from([queue]);
        for next in self.next_of(queue) {
            reached.extend(self.reach(next));
        }
        reached
    }

    fn fixed() -> Self {
        let station = |name, next: &[&'static str], is_root| Station {
            name,
            next: next.to_vec(),
            is_root,
            ..Station::default()
        };
        let mut stations: Vec<Station> = [
            ("ttl", &["mid"][..]),
            ("mid", &["end"]),
            ("max", &["fan.a", "fan.b"]),
            ("rejects", &["fan.c", "mid2"]),
            ("mid2", &["end2"]),
            ("quorum", &["end3"]),
            ("waits", &["small"]),
            ("small", &[]),
            ("refuses", &["end4"]),
            ("retry", &[]),
            ("once", &[]),
            ("few", &[]),
            ("last", &[]),
            ("plain", &[]),
        ]
        .into_iter()
        .map(|(name, next)| station(name, next, true))
        .collect();
        let ends = ["end", "end2", "end3", "end4", "fan.a", "fan.b", "fan.c"];
        stations.extend(ends.map(|name| station(name, &[], false)));
        for station in &mut stations {
            match station.name {
                "ttl" => (station.ttl_ms, station.sends_on) = (Some(50), true),
                "rejects" => station.sends_on = true,
                "mid" => station.ttl_ms = Some(80),
                "max" => station.max = Some((5, Overflow::Drop)),
                "mid2" => station.max = Some((4, Overflow::Drop)),
                "quorum" => (station.is_quorum, station.limit) = (true, Some(1)),
                "waits" => {
                    (station.is_quorum, station.is_kept) = (true, true);
                    (station.ttl_ms, station.sends_on) = (Some(60), true);
                }
                "small" => station.max = Some((3, Overflow::Refuse)),
                "refuses" => station.max = Some((3, Overflow::Turn)),
                "retry" => {
                    station.is_quorum = true;
                    station.retry = Some(Retry {
                        which: "failed",
                        min_ms: 40,
                        max_ms: 100,
                        is_exponential: false,
                    });
                }
                "once" | "few" => {
                    let size = if station.name == "few" { 4 } else { MANY };
                    station.once = Some(Once { size, ttl_ms: None });
                }
                "last" => station.is_last = true,
                _ => {}
            }
        }
        Self {
            stations,
            behind_gate: vec!["plain", "quorum", "fan.b"],
            gate: Some(Once {
                size: MANY,
                ttl_ms: None,
            }),
        }
    }

    fn by_chance(random: &mut Random) -> Self {
        let count = 4 + random.below(NAMES.len() as u64 - 3) as usize;
        let mut plan = Self::default();
        // From the last to the first, so that dead letters go to queues that are there.
        for nth in (0..count).rev() {
            let next = plan.any_next(random);
            let name = NAMES[nth];
            plan.stations.insert(
                0,
                Station {
                    name,
                    next,
                    ..Station::default()
                },
            );
        }
        for nth in 0..count {
            let mut station = plan.stations[nth].clone();
            let before: Vec<Station> = plan.before(station.name).cloned().collect();
            station.is_root = before.is_empty() || random.chance(70);
            station.choose(&before, random);
            plan.stations[nth] = station;
        }
        plan.choose_gate(random);
        plan
    }

    /// Some queues that know no keys, and from which no message comes to the same one.
    fn choose_gate(&mut self, random: &mut Random) {
        let mut reached = BTreeSet::new();
        for nth in 0..self.stations.len() {
            let station = &self.stations[nth];
            let reach = self.reach(station.name);
            let is_keyed = station.once.is_some() || station.is_last;
            if !is_keyed && random.chance(60) && reached.is_disjoint(&reach) {
                reached.extend(reach);
                self.behind_gate.push(station.name);
            }
        }
        if !self.behind_gate.is_empty() {
            self.gate = Some(any_once(random));
        }
    }

    /// One queue, or several of which no message comes to the same one on two ways.
    fn any_next(&self, random: &mut Random) -> Vec<&'static str> {
        let mut any = || {
            let at = random.below(self.stations.len() as u64) as usize;
            self.stations.get(at).map(|station| station.name)
        };
        let (one, other) = (any(), any());
        let (Some(one), Some(other)) = (one, other) else {
            return Vec::new();
        };
        match random.below(10) {
            0..=2 => Vec::new(),
            3..=7 => vec![one],
            _ if self.reach(one).is_disjoint(&self.reach(other)) => vec![one, other],
            _ => vec![other],
        }
    }
}

impl Station {
    /// What it does by itself, by chance. What is refused must not be lost on its way from the queues before.
    fn choose(&mut self, before: &[Self], random: &mut Random) {
        let may_refuse = before.iter().all(|station| station.is_kept);
        self.is_quorum = random.chance(50);
        self.ttl_ms = random.chance(35).then(|| 30 + random.below(100));
        let overflow = match random.below(10) {
            0..=1 if may_refuse => Overflow::Refuse,
            // Quorum queues do not know it.
            2..=4 if may_refuse && !self.is_quorum => Overflow::Turn,
            _ => Overflow::Drop,
        };
        self.max = random.chance(40).then(|| (2 + random.below(5), overflow));
        self.limit = (self.is_quorum && random.chance(50)).then(|| random.below(3) as usize);
        self.is_kept = self.is_quorum && !self.next.is_empty() && random.chance(50);
        let which = ["all", "failed", "returned"][random.below(3) as usize];
        let min_ms = 10 + random.below(40);
        self.retry = random.chance(35).then(|| Retry {
            which,
            min_ms,
            max_ms: min_ms + random.below(100),
            is_exponential: random.chance(50),
        });
        self.once = (self.is_root && random.chance(30)).then(|| any_once(random));
        self.is_last = before.is_empty() && self.once.is_none() && random.chance(15);
        self.priorities = (!self.is_quorum && random.chance(30)).then(|| 1 + random.below(4) as u8);
        self.is_grouped = random.chance(25);
        self.sends_on = !self.next.is_empty() && random.chance(60);
    }
}

fn any_once(random: &mut Random) -> Once {
    Once {
        size: if random.chance(60) { MANY } else { 4 },
        ttl_ms: random.chance(40).then(|| 50 + random.below(300)),
    }
}
